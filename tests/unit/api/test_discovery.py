"""``hutch.catalog``: catalogs by name, from the file and from packages."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hutch
from hutch.api.discovery import CatalogTree
from hutch.api.sources import Sources
from hutch.errors import (
    CatalogNotFoundError,
    ConfigurationError,
    HutchError,
    NoStoreError,
    PluginError,
)
from hutch.plugins import catalogs as plugin_catalogs

TREE = """
default = "csx/raw"
[catalogs.csx.raw]
store = "raw"
datetimes = true
root_map = {"/old" = "/new"}
[catalogs.csx."processed data"]
store = "processed"
[catalogs.items]
store = "items"
"""


@pytest.fixture
def folder(unconfigured: Path) -> Path:
    """A working folder where three catalogs are configured, whose stores are there."""
    for name in ("raw", "processed", "items"):
        hutch.open_catalog(unconfigured / name).close()
    (unconfigured / "hutch.toml").write_text(TREE)
    return unconfigured


@pytest.fixture
def catalog() -> Iterator[CatalogTree]:
    """What ``hutch.catalog`` is, of a process that has just begun; what it opened is closed."""
    sources = Sources()
    yield CatalogTree(sources)
    for _, opened in sources._open.values():
        opened.close()


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Return ``publish(name=value)``: a package that publishes catalogs; its module is returned."""
    module = ModuleType("site_catalogs")
    monkeypatch.setitem(sys.modules, "site_catalogs", module)

    def publish(**values: Any) -> ModuleType:
        for name, value in values.items():
            setattr(module, name, value)
        points = [EntryPoint(name, f"site_catalogs:{name}", plugin_catalogs.GROUP) for name in values]
        points.append(EntryPoint("broken", "no_such_module:x", plugin_catalogs.GROUP))
        monkeypatch.setattr(plugin_catalogs, "entry_points", lambda group: points)
        plugin_catalogs.published_catalogs.cache_clear()
        return module

    yield publish
    plugin_catalogs.published_catalogs.cache_clear()


def test_a_catalog_is_the_same_however_it_is_looked_up(folder, catalog) -> None:
    raw = catalog["csx"]["raw"]

    assert catalog["csx", "raw"] is catalog["csx/raw"] is catalog.csx.raw is catalog["/csx/raw/"] is raw
    assert catalog["csx"]["processed data"] is catalog["csx/processed data"]
    assert catalog["csx"] == catalog.csx
    assert catalog["csx"] != catalog
    assert len({catalog["csx"], catalog.csx}) == 1


def test_a_catalog_is_opened_as_its_settings_say(folder, catalog) -> None:
    raw = catalog.csx.raw

    assert raw.store.location == str(folder / "raw")
    assert (raw.name, raw.datetimes, raw.root_map) == ("raw", True, {"/old": "/new"})
    assert catalog["csx/processed data"].name == "processed data"


def test_the_tree_is_a_mapping_and_nothing_is_opened_for_that(folder, catalog) -> None:
    for name in ("raw", "processed", "items"):
        (folder / name).rename(folder / f"{name}, away")

    assert list(catalog) == ["csx", "items"]
    assert list(catalog["csx"]) == list(catalog.csx.keys()) == ["raw", "processed data"]
    assert (len(catalog), len(catalog.csx)) == (2, 2)
    assert "csx" in catalog
    assert ("csx", "raw") in catalog
    assert "csx/raw" in catalog
    assert "raw" in catalog.csx
    assert [key for key in ("raw", "csx/row", 0, (), "csx/raw/x") if key in catalog] == []
    assert catalog.get("raw") is None
    assert bool(catalog)


def test_values_and_items_are_the_catalogs(folder, catalog) -> None:
    assert list(catalog.values()) == [catalog.csx, catalog["items"]]
    assert dict(catalog.csx.items()) == {
        "raw": catalog.csx.raw,
        "processed data": catalog["csx/processed data"],
    }


def test_names_are_completed_and_those_that_are_taken_are_left_to_the_mapping(folder, catalog) -> None:
    assert catalog._ipython_key_completions_() == ["csx", "items"]
    assert "csx" in dir(catalog)
    assert "raw" in dir(catalog.csx)
    assert "processed data" not in dir(catalog.csx)
    assert callable(catalog.items)


def test_the_tree_is_shown_with_its_stores_and_nothing_is_opened(folder, catalog) -> None:
    (folder / "hutch.toml").write_text(
        f"{TREE}[catalogs.site]\nstore = 'postgresql://ann:secret@host/<runs>'\n"
    )

    assert repr(catalog).splitlines() == [
        f"Catalogs of '{folder}/hutch.toml'",
        "  csx",
        f"    raw             {folder}/raw (default)",
        f"    processed data  {folder}/processed",
        f"  items             {folder}/items",
        "  site              postgresql://ann@host/<runs>",
    ]
    assert repr(catalog.csx).splitlines()[0] == f"Catalogs below 'csx' of '{folder}/hutch.toml'"
    html = catalog._repr_html_()
    assert (
        f'padding-left: 1.5em; text-align: left">raw</td><td style="text-align: left">{folder}/raw (d' in html
    )
    assert "host/&lt;runs&gt;" in html
    assert "secret" not in html


def test_without_any_catalog_it_says_how_to_have_one(unconfigured, catalog) -> None:
    assert list(catalog) == []
    assert (
        repr(catalog)
        == "No catalog is configured. Make a store and name it with: hutch init DIR --name csx/raw"
    )
    assert "<table>" not in catalog._repr_html_()
    with pytest.raises(
        CatalogNotFoundError, match="'csx/raw': none is configured. Make a store .* hutch init DIR"
    ):
        catalog["csx/raw"]


@pytest.mark.parametrize("look_up", [lambda found: found["csx"]["row"], lambda found: found.csx.row])
def test_an_unknown_name_is_an_error_with_the_names_that_exist(folder, catalog, look_up) -> None:
    with pytest.raises(CatalogNotFoundError) as caught:
        look_up(catalog)

    assert isinstance(caught.value, HutchError)
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, AttributeError)
    assert str(caught.value) == (
        "No catalog 'csx/row' (did you mean 'csx/raw'?). There are: csx/raw, csx/processed data, items. "
        f"They are configured in '{folder}/hutch.toml'."
    )
    assert not hasattr(catalog, "row")


@pytest.mark.parametrize("key", [-1, 3, None, (), ("csx", 1), slice(None)])
def test_what_is_no_name_is_refused_with_the_way_to_the_runs(folder, catalog, key) -> None:
    with pytest.raises(CatalogNotFoundError, match=r"is no name of a catalog. .*\['csx/raw'\]\[-1\]"):
        catalog[key]


def test_a_catalog_has_no_catalogs_below(folder, catalog) -> None:
    with pytest.raises(CatalogNotFoundError, match=r"'csx/raw' is a catalog, .* catalog\['csx/raw'\]\[-1\]"):
        catalog["csx/raw/17531a"]


def test_what_python_looks_for_is_no_name(unconfigured, catalog) -> None:
    (unconfigured / "hutch.toml").write_text("zzz = 1")
    for name in ("__wrapped__", "_ipython_canary_method_should_not_exist_", "_repr_mimebundle_"):
        assert not hasattr(catalog, name)


def test_a_store_that_is_not_there_is_not_made(folder, catalog) -> None:
    (folder / "raw").rename(folder / "away")
    with pytest.raises(
        NoStoreError, match=r"Catalog 'csx/raw' can't be opened. There is no store in '.*/raw'. Make"
    ):
        catalog.csx.raw  # noqa: B018
    assert not (folder / "raw").exists()
    (folder / "away").rename(folder / "raw")
    assert len(catalog.csx.raw) == 0


def test_a_store_that_can_not_be_opened_is_named(folder, catalog) -> None:
    (folder / "hutch.toml").write_text("[catalogs.raw]\nstore = 'mysql://ann:secret@host'\n")
    with pytest.raises(
        ConfigurationError, match=r"Catalog 'raw' can't be opened. A store is a folder or"
    ) as caught:
        catalog.raw  # noqa: B018
    assert "secret" not in str(caught.value)


def test_a_key_comes_from_the_environment_and_is_never_told(folder, catalog, monkeypatch) -> None:
    (folder / "hutch.toml").write_text(
        "[catalogs.raw]\nstore = 'http://localhost:8000'\napi_key_env = 'THE_KEY'\n"
    )
    monkeypatch.delenv("THE_KEY", raising=False)
    with pytest.raises(
        ConfigurationError, match=r"Catalog 'raw' .* needs the key that \$THE_KEY holds, and .* not set"
    ):
        catalog.raw  # noqa: B018
    monkeypatch.setenv("THE_KEY", "secret")
    with pytest.raises(ConfigurationError, match="Catalog 'raw' can't be opened. A store is") as caught:
        catalog.raw  # noqa: B018
    assert "secret" not in str(caught.value) + repr(catalog)


def test_a_file_that_is_wrong_is_told_and_completion_goes_on(folder, catalog) -> None:
    (folder / "hutch.toml").write_text("zzz = 1\n")
    with pytest.raises(ConfigurationError, match="there is no 'zzz'"):
        list(catalog)
    assert "there is no 'zzz'" in repr(catalog)
    assert "there is no" in catalog._repr_html_()
    assert catalog._ipython_key_completions_() == []
    assert "values" in dir(catalog)


def test_a_change_of_the_file_holds_at_once_and_what_is_the_same_stays_open(folder, catalog) -> None:
    raw, other = catalog.csx.raw, catalog["csx/processed data"]
    (folder / "hutch.toml").write_text(
        TREE.replace('"processed"', '"items"') + "[catalogs.new]\nstore = 'raw'\n"
    )

    assert list(catalog) == ["csx", "items", "new"]
    assert catalog.csx.raw is raw
    changed = catalog["csx/processed data"]
    assert changed.store.location == str(folder / "items")
    assert other.store.location == str(folder / "processed")
    assert not other.store.is_closed
    other.close()
    (folder / "hutch.toml").unlink()
    assert list(catalog) == []
    with pytest.raises(CatalogNotFoundError, match="none is configured"):
        catalog.csx  # noqa: B018


def test_another_file_is_found_through_the_environment(folder, catalog, monkeypatch) -> None:
    (folder / "other.toml").write_text("[catalogs.other]\nstore = 'raw'\n")
    monkeypatch.setenv("HUTCH_CONFIG", "other.toml")
    assert list(catalog) == ["other"]
    monkeypatch.delenv("HUTCH_CONFIG")
    assert list(catalog) == ["csx", "items"]


def test_a_catalog_that_was_closed_is_opened_again(folder, catalog) -> None:
    with catalog.csx.raw as first:
        pass
    assert catalog.csx.raw is not first
    assert len(catalog.csx.raw) == 0


def test_threads_get_the_same_catalog(folder, catalog) -> None:
    found: list[Any] = []
    barrier = threading.Barrier(8)

    def look() -> None:
        barrier.wait()
        found.append(catalog["csx/raw"])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one is found[0] for one in found] == [True] * 8


def test_what_packages_publish_is_loaded_when_it_is_first_needed(folder, catalog, publish) -> None:
    calls: list[str] = []

    def raw() -> Any:
        calls.append("raw")
        return hutch.open_catalog(folder / "raw")

    publish(site={"raw": raw, "deep": {"er": raw}}, one=raw, ready=hutch.open_catalog(folder / "items"))

    assert list(catalog) == ["csx", "items", "broken", "one", "ready", "site"]
    assert "published as 'site_catalogs:one', not loaded yet" in repr(catalog)
    assert list(catalog.site) == ["raw", "deep"]
    assert "deep" in repr(catalog)
    assert "published, not opened yet" in repr(catalog)
    assert calls == []
    assert catalog.site.raw is catalog["site", "raw"] is catalog["site/raw"]
    assert catalog.site.raw.name == "raw"
    assert catalog.one.name == "one"
    assert catalog.ready.name == "ready"
    assert catalog["site/deep/er"].name == "er"
    assert calls == ["raw"] * 3
    assert re.search(rf"^  one +{folder}/raw$", repr(catalog), re.MULTILINE)
    with catalog.one as closed:
        pass
    assert catalog.one is not closed
    for found in (catalog.site.raw, catalog.one, catalog.ready, catalog["site/deep/er"]):
        found.close()


def test_an_unknown_name_in_what_is_published_names_those_that_are(folder, catalog, publish) -> None:
    publish(site={"raw": lambda: None})
    with pytest.raises(CatalogNotFoundError, match=r"No catalog 'site/rw' \(did you mean 'site/raw'\?\)"):
        catalog.site.rw  # noqa: B018
    with pytest.raises(
        CatalogNotFoundError, match=r"There are: csx/raw, csx/processed data, items, broken, site\."
    ):
        catalog.other  # noqa: B018


def test_what_is_broken_is_an_error_by_name_and_a_warning_otherwise(folder, catalog, publish) -> None:
    def fail() -> None:
        raise RuntimeError("the database is away")

    publish(site={"good": lambda: hutch.open_catalog(folder / "raw"), "bad": fail}, number=3, names={1: fail})

    with pytest.raises(
        PluginError, match=r"'broken', .*'no_such_module:x' .* can't be loaded: ModuleNotFoundError"
    ):
        catalog["broken"]
    with pytest.raises(
        PluginError, match=r"'site/bad', .* can't be loaded: RuntimeError: the database is away"
    ):
        catalog["site/bad"]
    with pytest.raises(
        PluginError, match=r"'number', .* is of type 'int', and neither a catalog, nor a function"
    ):
        catalog["number"]
    with pytest.raises(PluginError, match=r"'names', .* names are text without '/', and not \[1\]"):
        catalog["names"]
    with pytest.warns(UserWarning, match="'site/bad', which a package publishes, can't be loaded"):
        assert [name for name, _ in catalog.site.items()] == ["good"]
    with pytest.warns(UserWarning, match="'broken'"):
        assert "broken/raw" not in catalog
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(catalog.site.values()) == [catalog.site.good]
    catalog.site.good.close()


def test_where_names_clash_the_file_wins_and_a_warning_says_so(folder, catalog, publish) -> None:
    publish(csx={"other": lambda: None})
    with pytest.warns(
        UserWarning, match=r"Catalog 'csx' is that of '.*hutch.toml', and not csx = 'site_catalogs:csx'"
    ):
        assert list(catalog.csx) == ["raw", "processed data"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "other" not in catalog.csx


def test_of_two_packages_with_one_name_one_is_used_and_a_warning_says_so(
    unconfigured, catalog, monkeypatch, publish
) -> None:
    publish()
    points = [EntryPoint("a", f"{name}:x", plugin_catalogs.GROUP) for name in ("one", "two")]
    points.append(EntryPoint("b/c", "three:x", plugin_catalogs.GROUP))
    monkeypatch.setattr(plugin_catalogs, "entry_points", lambda group: points)
    plugin_catalogs.published_catalogs.cache_clear()

    with pytest.warns(UserWarning) as caught:
        assert list(catalog) == ["a"]
    texts = sorted(str(one.message) for one in caught)
    assert texts[0] == "Of 'hutch.catalogs' a = 'one:x' is used, and a = 'two:x' is not."
    assert texts[1].startswith("b/c = 'three:x' of the group 'hutch.catalogs' is left out")


def test_the_public_name_loads_nothing_heavy_before_a_catalog_is_opened(folder) -> None:
    script = (
        "import sys, hutch\n"
        "light = {'numpy', 'pyarrow', 'xarray', 'sqlalchemy', 'hutch.store', 'hutch.catalogs'}\n"
        "assert not light & set(sys.modules)\n"
        "from hutch import catalog\n"
        "assert 'catalog' in dir(hutch)\n"
        "assert list(catalog) == ['csx', 'items'] and 'csx/raw' in catalog and repr(catalog)\n"
        "assert not light & set(sys.modules), light & set(sys.modules)\n"
        "assert catalog is hutch.catalog\n"
        "assert len(catalog['csx', 'raw']) == 0\n"
        "assert {'hutch.store'} <= set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
