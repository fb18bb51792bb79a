import re

import pytest

from hutch.catalogs.summary import RunSummary, as_html, as_text, local_time, shape_text


def summary(**facts):
    return RunSummary(
        **{
            "uid": "0123456789",
            "scan_id": 7,
            "plan": "scan",
            "time": 0.0,
            "status": "success",
            "points": 1234,
            **facts,
        }
    )


def test_columns_are_aligned_and_numbers_stand_to_the_right():
    lines = as_text("Title", [summary(), summary(scan_id=12345678, plan="grid_scan", points=5)]).splitlines()
    assert lines[0] == "Title"
    assert lines[1].startswith(" scan_id  uid       plan       time")
    assert lines[2].startswith("       7  01234567  scan       ")
    assert lines[2].endswith("success   1,234")
    assert lines[3].endswith("success       5")


def test_no_runs_are_the_title_alone():
    assert as_text("Title", []) == "Title"
    assert as_html("<T>", []) == "<div><p>&lt;T&gt;</p></div>"


def test_a_run_without_scan_id_has_an_empty_cell():
    assert summary(scan_id=None).cells()[0] == ""


def test_documents_do_not_steer_the_terminal():
    assert summary(plan="a\x1b[2J\nb").cells()[2] == r"a\x1b[2J\nb"
    assert summary(plan="Größe").cells()[2] == "Größe"


def test_a_length_that_is_left_open_is_any():
    assert shape_text([None, 3]) == "any × 3"
    assert shape_text([]) == ""
    assert "\x1b" not in shape_text(["\x1b[2J"])


def test_times_are_local_and_odd_ones_stay_numbers():
    assert re.fullmatch(r"(1970-01-01|1969-12-31) \d\d:\d\d:00", local_time(0.0))


@pytest.mark.parametrize("time", [1e300, float("nan"), float("inf")])
def test_a_time_that_no_calendar_has_is_shown_as_it_is(time):
    assert local_time(time) == str(time)
