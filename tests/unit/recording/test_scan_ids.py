"""Scan ids by reservation."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hutch.recording.scan_ids import ScanIds
from hutch.recording.stash import Stash
from hutch.store.protocols.store import Store

ON_EACH_DATABASE = True


def _begin_run(scan_ids: ScanIds) -> int:
    number = scan_ids.reserve()
    scan_ids.used(number)
    return number


def test_numbers_count_from_one_and_the_last_one_is_in_the_stash(store: Store) -> None:
    scan_ids, md = ScanIds(store), Stash(store)
    assert "scan_id" not in md
    assert [_begin_run(scan_ids) for _ in range(3)] == [1, 2, 3]
    assert md["scan_id"] == 3


def test_a_reservation_that_came_to_nothing_is_handed_out_again(store: Store) -> None:
    scan_ids, md = ScanIds(store), Stash(store)
    assert _begin_run(scan_ids) == 1
    assert [scan_ids.reserve() for _ in range(3)] == [2, 2, 2]
    assert md["scan_id"] == 1
    assert _begin_run(scan_ids) == 2


def test_two_sources_of_runs_never_get_the_same_number(store: Store) -> None:
    one, other = ScanIds(store), ScanIds(store)
    assert (one.reserve(), other.reserve()) == (1, 2)
    other.used(2)
    assert _begin_run(other) == 3
    assert _begin_run(one) == 1
    assert Stash(store)["scan_id"] == 3
    assert _begin_run(one) == 4


@pytest.mark.parametrize("last", [-1, -5, 0, 2**63])
def test_numbers_count_on_from_any_integer(store: Store, last: int) -> None:
    Stash(store)["scan_id"] = last
    scan_ids = ScanIds(store)
    assert [_begin_run(scan_ids) for _ in range(3)] == [last + 1, last + 2, last + 3]
    assert Stash(store)["scan_id"] == last + 3


def test_a_number_given_by_hand_leaves_the_reservation_for_the_next_run(store: Store) -> None:
    scan_ids = ScanIds(store)
    assert scan_ids.reserve() == 1
    scan_ids.used(77)
    assert _begin_run(scan_ids) == 1
    assert Stash(store)["scan_id"] == 1


def test_setting_scan_id_voids_reservations_and_counts_on_from_there(store: Store) -> None:
    scan_ids, md = ScanIds(store), Stash(store)
    assert scan_ids.reserve() == 1
    md["scan_id"] = 100
    assert _begin_run(scan_ids) == 101
    scan_ids.reserve()
    md["scan_id"] = 5
    assert _begin_run(scan_ids) == 6


def test_setting_scan_id_to_what_it_is_voids_reservations_too(store: Store) -> None:
    one, other, md = ScanIds(store), ScanIds(store), Stash(store)
    assert (_begin_run(one), one.reserve(), other.reserve()) == (1, 2, 3)
    md["scan_id"] = 1
    assert (other.reserve(), one.reserve()) == (2, 3)


def test_setting_scan_id_between_reservation_and_start_is_not_undone(store: Store) -> None:
    scan_ids, md = ScanIds(store), Stash(store)
    number = scan_ids.reserve()
    md["scan_id"] = 0
    scan_ids.used(number)
    assert md["scan_id"] == 0


@pytest.mark.parametrize("reset", [Stash.clear, lambda md: md.pop("scan_id"), lambda md: md.popitem()])
def test_clearing_the_stash_or_the_key_starts_from_one(store: Store, reset: object) -> None:
    scan_ids, md = ScanIds(store), Stash(store)
    _begin_run(scan_ids)
    assert scan_ids.reserve() == 2
    reset(md)  # type: ignore[operator]
    assert _begin_run(scan_ids) == 1
    assert md["scan_id"] == 1


def test_clearing_a_stash_that_has_no_scan_id_yet_voids_reservations(store: Store) -> None:
    scan_ids = ScanIds(store)
    scan_ids.reserve()
    Stash(store).clear()
    assert _begin_run(scan_ids) == 1


def test_other_changes_of_the_stash_leave_reservations_alone(store: Store) -> None:
    scan_ids, md = ScanIds(store), Stash(store)
    scan_ids.reserve()
    md["sample"] = {"name": "A"}
    md["sample"]["name"] = "B"
    del md["sample"]
    assert _begin_run(scan_ids) == 1


def test_a_forked_child_does_not_share_its_parents_reservation(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_ids = ScanIds(store)
    assert scan_ids.reserve() == 1
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    number = ScanIds.reserve(scan_ids)
    assert number == 2


_TAKE_NUMBERS = """
import sys
from hutch.store import open_store
from hutch.recording.scan_ids import ScanIds
store = open_store(sys.argv[1])
scan_ids = ScanIds(store)
for attempt in range(60):
    number = scan_ids.reserve()
    if attempt % 3:  # one in three is refused
        scan_ids.used(number)
        print(number)
store.close()
"""


def test_processes_that_take_numbers_at_once_get_all_of_them_once(store: Store) -> None:
    programs = [
        subprocess.Popen([sys.executable, "-c", _TAKE_NUMBERS, store.location], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [program.communicate(timeout=60)[0] for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0]
    numbers = [int(number) for output in outputs for number in output.split()]
    assert sorted(numbers) == list(range(1, 121))
    assert Stash(store)["scan_id"] == 120
