from importlib.metadata import EntryPoint

import pytest

from hutch.errors import ExternalDataError
from hutch.plugins import find_handler, handler_specs, handlers, register_handler


@pytest.fixture
def published(monkeypatch):
    """Publish entry points, as installed packages do."""

    def publish(**values):
        points = [EntryPoint(name, value, handlers.GROUP) for name, value in values.items()]
        monkeypatch.setattr(handlers, "entry_points", lambda group: [p for p in points if p.group == group])
        handlers._published.cache_clear()

    yield publish
    handlers._published.cache_clear()


def test_a_published_handler_is_loaded_when_it_is_asked_for(published):
    published(GOOD="fractions:Fraction", BROKEN="no_such_module:Handler")
    from fractions import Fraction

    assert find_handler("GOOD") is Fraction
    assert {"GOOD", "BROKEN"} <= set(handler_specs())


def test_a_broken_handler_is_named_and_the_others_work(published):
    published(GOOD="fractions:Fraction", BROKEN="no_such_module:Handler")
    with pytest.raises(
        ExternalDataError, match=r"'no_such_module:Handler' for .*'BROKEN' cannot be loaded: ModuleNotF"
    ):
        find_handler("BROKEN")
    assert find_handler("GOOD")


def test_an_unknown_spec_names_the_known_ones(published):
    published(GOOD="fractions:Fraction")
    with pytest.raises(
        ExternalDataError, match=r"No handler opens resources of spec 'X'. Known specs: .*GOOD"
    ):
        find_handler("X")


def test_a_registered_handler_comes_before_published_ones(published, monkeypatch):
    published(GOOD="fractions:Fraction")
    monkeypatch.setattr(handlers, "_registered", {})
    register_handler("GOOD", dict)
    assert find_handler("GOOD") is dict
    assert handler_specs() == ["GOOD"]
