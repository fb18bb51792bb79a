"""Waiting for a store that is away for a moment."""

import time

import pytest

from hutch.errors import StoreFullError, StoreUnavailableError
from hutch.recording import Recorder
from hutch.recording.patience import patiently
from hutch.recording.scan_ids import ScanIds

START = {"uid": "run", "time": 1.0}


def away_for(store, monkeypatch, calls, error=StoreUnavailableError):
    """Have so many transactions of a store fail; return when they were tried."""
    begin = store.transaction
    tried = []

    def transaction():
        tried.append(time.monotonic())
        if len(tried) <= calls:
            raise error("It does not answer.")
        return begin()

    monkeypatch.setattr(store, "transaction", transaction)
    return tried


def test_an_answer_is_waited_for():
    answers = iter([StoreUnavailableError("no"), StoreUnavailableError("no"), 42])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask, 5.0) == 42


def test_patience_has_an_end():
    def ask():
        raise StoreUnavailableError("It does not answer.")

    begin = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        patiently(ask, 0.3)
    assert 0.3 <= time.monotonic() - begin < 5


def test_a_run_begins_when_the_store_is_back(store, monkeypatch):
    recorder = Recorder(store)
    tried = away_for(store, monkeypatch, 4)

    recorder("start", START)

    assert len(tried) == 5
    assert [row.uid for row in store.runs()] == ["run"]
    recorder.close()


def test_a_run_does_not_begin_if_the_store_stays_away(store, monkeypatch):
    recorder = Recorder(store, patience_s=0.2)
    away_for(store, monkeypatch, 1000)

    with pytest.raises(StoreUnavailableError, match="does not answer"):
        recorder("start", START)
    assert store.runs() == []


def test_nobody_waits_for_a_disk_that_is_full(store, monkeypatch):
    recorder = Recorder(store)
    tried = away_for(store, monkeypatch, 1000, StoreFullError)

    with pytest.raises(StoreFullError, match="does not answer"):
        recorder("start", START)
    assert len(tried) == 1


def test_a_number_is_waited_for(store, monkeypatch):
    tried = away_for(store, monkeypatch, 2)
    assert ScanIds(store).reserve() == 1
    assert len(tried) == 3


def test_a_run_goes_on_though_its_number_does_not_get_into_the_stash(store, monkeypatch, caplog):
    numbers = ScanIds(store)
    assert numbers.reserve() == 1
    with monkeypatch.context() as patch:
        away_for(store, patch, 1)
        numbers.used(1)

    assert "The number 1 is not in the stash" in caplog.text
    assert numbers.reserve() == 2
    assert ScanIds(store).reserve() == 3
