"""A server enters verdicts that turn bad in the logbook, whoever posts them."""

from __future__ import annotations

import time

import pytest

import hutch
from hutch.catalogs.verdicts import post_verdict
from hutch.errors import StoreUnavailableError
from hutch.logbook import Logbook, VerdictEntries
from hutch.server import Admission, build_app

from ...serving import KEY, serving


@pytest.fixture
def catalog(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        Logbook(found).access.experiments.create("xpp1", instrument="XPP")
        yield found


def turn_bad(catalog, name):
    with catalog.start_run(experiment="xpp1") as run:
        pass
    post_verdict(catalog.store, catalog[run.uid].row.id, name, "bad", origin={}, plot="", author="me")


def titles(catalog, count):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = [entry.title for entry in Logbook(catalog).entries("xpp1").entries]
        if len(found) >= count:
            break
        time.sleep(0.1)
    return found


def test_what_turns_bad_before_and_meanwhile_is_entered_once(catalog):
    turn_bad(catalog, "before")
    with serving(build_app({"raw": catalog}, Admission([KEY]), enters_verdicts=True)):
        assert titles(catalog, 1) == ["before is bad"]
        turn_bad(catalog, "meanwhile")
        assert titles(catalog, 2) == ["meanwhile is bad", "before is bad"]
    turn_bad(catalog, "afterwards")
    with serving(build_app({"raw": catalog}, Admission([KEY]), enters_verdicts=True)):
        assert titles(catalog, 3) == ["afterwards is bad", "meanwhile is bad", "before is bad"]


def test_a_store_that_is_away_gets_them_later_and_is_named_once(catalog, monkeypatch, caplog):
    monkeypatch.setattr("hutch.server.verdict_entries._LONG_PAUSE_S", 0.1)
    looks, look = [], VerdictEntries.look

    def away(entries):
        looks.append(entries)
        if len(looks) < 4:
            raise StoreUnavailableError("It is away.")
        return look(entries)

    monkeypatch.setattr(VerdictEntries, "look", away)
    turn_bad(catalog, "beam")
    with serving(build_app({"raw": catalog}, Admission([KEY]), enters_verdicts=True)):
        assert titles(catalog, 1) == ["beam is bad"]
    assert [record.message for record in caplog.records if "wait to be entered" in record.message] == [
        "Verdicts that turn bad wait to be entered in the logbook: It is away."
    ]
