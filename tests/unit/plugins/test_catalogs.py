from importlib.metadata import EntryPoint

import pytest

from hutch.plugins import catalogs, published_catalogs


@pytest.fixture
def publish(monkeypatch):
    """Publish entry points, as installed packages do."""

    def publish(*pairs):
        points = [EntryPoint(name, value, catalogs.GROUP) for name, value in pairs]
        monkeypatch.setattr(catalogs, "entry_points", lambda group: [p for p in points if p.group == group])
        catalogs.published_catalogs.cache_clear()

    yield publish
    catalogs.published_catalogs.cache_clear()


def test_entry_points_are_sorted_by_name_and_none_is_loaded(publish):
    publish(("b", "no_such_module:x"), ("a", "one:x"), ("b", "two:x"))

    found = published_catalogs()
    assert list(found) == ["a", "b"]
    assert [entry.value for entry in found["b"]] == ["no_such_module:x", "two:x"]


def test_a_machine_may_have_none(publish):
    publish()
    assert published_catalogs() == {}
