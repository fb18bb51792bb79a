"""Places as people may see them."""

import pytest

from hutch.config.addresses import is_address, shown_place


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/data/csx/raw", "/data/csx/raw"),
        ("a name:with@signs", "a name:with@signs"),
        ("/data/\x1b[31m", "/data/\\x1b[31m"),
        ("postgresql://ann:se%40cret@host/runs", "postgresql://ann@host/runs"),
        ("postgresql://host/runs?password=secret", "postgresql://host/runs"),
        ("http://ann:secret@host:8000", "http://ann@host:8000"),
        ("postgresql://ann:se?cret@host/runs", "postgresql://…"),
        ("postgresql://ann:se@cret@host/runs", "postgresql://…"),
    ],
)
def test_no_password_is_shown_and_nothing_steers_the_terminal(place, shown):
    assert shown_place(place) == shown


def test_an_address_is_no_folder():
    assert is_address("postgresql://host/runs")
    assert not is_address("/data/csx")
