"""The threads behind recorders."""

import subprocess
import sys

from hutch.recording import Recorder
from hutch.recording.committing.committer import Committer

LOADED = """
import sys
from hutch.recording import Recorder
from hutch.store import open_store

recorder = Recorder(open_store(sys.argv[1]))
before = set(sys.modules)
recorder("start", {"uid": "r", "time": 1.0})
recorder("descriptor", {"uid": "d", "run_start": "r", "time": 1.0, "name": "primary",
                        "data_keys": {"x": {"dtype": "number", "shape": [], "source": "s"}}})
recorder("event", {"uid": "e", "descriptor": "d", "time": 1.0, "seq_num": 1, "filled": {},
                   "data": {"x": 1.5}, "timestamps": {"x": 1.0}})
recorder("stop", {"uid": "s", "run_start": "r", "time": 2.0, "exit_status": "success"})
print(*{name.partition(".")[0] for name in set(sys.modules) - before} & {"numpy", "pandas", "pyarrow"})
"""


def test_everything_slow_is_loaded_before_the_first_document(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_recorders_of_one_store_share_a_committer(store):
    Recorder(store)
    committer = Committer.of(store)
    Recorder(store)
    assert Committer.of(store) is committer
    committer.stop()
    assert not committer.is_working
