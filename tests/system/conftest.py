"""What the tests of faults share."""

import pytest

from .sample_runs import replayed


@pytest.fixture
def record(cat):
    """Record documents of the run ``run`` and return what is replayed of it."""

    def record(*documents):
        recorder = cat.recorder()
        for name, document in documents:
            recorder(name, document)
        recorder.close()
        return replayed(cat)

    return record
