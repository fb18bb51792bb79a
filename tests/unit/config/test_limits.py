"""Limits from the environment."""

import pytest

from hutch.config import patience_s, spool_memory_bytes
from hutch.errors import ConfigurationError
from hutch.recording import Recorder

LIMITS = {"HUTCH_PATIENCE_S": patience_s, "HUTCH_SPOOL_MEMORY_BYTES": spool_memory_bytes}


def test_there_are_defaults(monkeypatch):
    for variable in LIMITS:
        monkeypatch.delenv(variable, raising=False)
    assert (patience_s(), spool_memory_bytes()) == (5.0, 64_000_000)


def test_the_environment_goes_before_the_defaults(monkeypatch):
    monkeypatch.setenv("HUTCH_PATIENCE_S", "0.5")
    monkeypatch.setenv("HUTCH_SPOOL_MEMORY_BYTES", "1e6")
    assert (patience_s(), spool_memory_bytes()) == (0.5, 1_000_000)


@pytest.mark.parametrize("given", ["long", "-1", "nan", "inf"])
@pytest.mark.parametrize("variable", LIMITS)
def test_what_is_no_limit_is_refused(monkeypatch, store, variable, given):
    monkeypatch.setenv(variable, given)
    with pytest.raises(ConfigurationError, match=f"{variable} is '{given}'. Give a number of"):
        LIMITS[variable]()
    with pytest.raises(ConfigurationError, match=variable):
        Recorder(store)
