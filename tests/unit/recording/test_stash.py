"""The metadata stash: a dictionary that is kept, nested changes included."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import pickle
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.errors import DocumentError, ImportFileError, LookupFailedError
from hutch.recording.stash import Stash
from hutch.store import open_store
from hutch.store.protocols.store import Store

ON_EACH_DATABASE = True


@pytest.fixture
def md(store: Store) -> Stash:
    return Stash(store)


def _kept(md: Stash) -> dict[str, Any]:
    """What another process would read."""
    with_store = open_store(md.store.location)
    try:
        return Stash(with_store).copy()
    finally:
        with_store.close()


def test_it_does_what_dictionaries_do(md: Stash) -> None:
    md["proposal_id"] = 123456
    md.update({"project": "flying cars"}, operator="Dan")
    md |= {"dimensions": (5, 3, 10)}
    assert md["proposal_id"] == 123456
    assert md.get("missing", "default") == "default"
    assert list(md) == ["proposal_id", "project", "operator", "dimensions"]
    assert list(md.items())[-1] == ("dimensions", [5, 3, 10])
    assert md == {
        "proposal_id": 123456,
        "project": "flying cars",
        "operator": "Dan",
        "dimensions": [5, 3, 10],
    }
    assert len(md) == 4
    assert "project" in md
    assert md.pop("project") == "flying cars"
    assert md.pop("project", None) is None
    assert md.setdefault("operator", "Eve") == "Dan"
    del md["operator"]
    assert {**md} == {"proposal_id": 123456, "dimensions": [5, 3, 10]}
    assert (md | {"a": 1})["a"] == ({"a": 1} | md)["a"] == 1
    assert md.popitem() == ("proposal_id", 123456)
    md.clear()
    assert (not md, list(md), md == {}) == (True, [], True)


@pytest.mark.parametrize("take", [lambda md: md["x"], lambda md: md.pop("x"), lambda md: md.__delitem__("x")])
def test_a_missing_key_is_a_key_error(md: Stash, take: Any) -> None:
    with pytest.raises(KeyError, match="x"):
        take(md)


def test_every_change_is_seen_by_other_processes_at_once(md: Stash) -> None:
    other = Stash(open_store(md.store.location))
    md["a"] = 1
    assert other["a"] == 1
    other["a"] = 2
    assert md["a"] == 2
    del md["a"]
    assert "a" not in other
    other.store.close()


def test_it_survives_its_process(md: Stash) -> None:
    program = (
        "import sys; from hutch.store import open_store; from hutch.recording.stash import Stash\n"
        "md = Stash(open_store(sys.argv[1]))\n"
        "md['sample'] = {'name': 'A', 'history': []}\n"
        "md['sample']['history'].append({'step': 'cut'})\n"
        "md['sample']['history'][0]['by'] = 'Dan'\n"
        "import os; os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", program, md.store.location], timeout=60, check=False)
    assert md == {"sample": {"name": "A", "history": [{"step": "cut", "by": "Dan"}]}}


_DICT_CHANGES = {
    "setitem": lambda d: d.__setitem__("z", (1, 2)),
    "delitem": lambda d: d.__delitem__("a"),
    "update": lambda d: d.update({"a": 5}, z={"y": 1}),
    "update with pairs": lambda d: d.update([("p", 1), ("q", 2)]),
    "ior": lambda d: d.__ior__({"a": 7}),
    "pop": lambda d: d.pop("a"),
    "pop missing": lambda d: d.pop("missing", 3),
    "popitem": lambda d: d.popitem(),
    "setdefault": lambda d: d.setdefault("a", 9),
    "setdefault missing": lambda d: d.setdefault("z", {"y": 1}),
    "clear": lambda d: d.clear(),
}

_LIST_CHANGES = {
    "setitem": lambda x: x.__setitem__(0, 9),
    "set slice": lambda x: x.__setitem__(slice(0, 2), iter([7, 8, 9])),
    "delitem": lambda x: x.__delitem__(-1),
    "del slice": lambda x: x.__delitem__(slice(0, 2)),
    "append": lambda x: x.append({"k": 1}),
    "extend": lambda x: x.extend(iter([4, 5])),
    "iadd": lambda x: x.__iadd__([6]),
    "imul": lambda x: x.__imul__(2),
    "insert": lambda x: x.insert(1, "between"),
    "pop": lambda x: x.pop(),
    "pop first": lambda x: x.pop(0),
    "remove": lambda x: x.remove(2),
    "reverse": lambda x: x.reverse(),
    "sort": lambda x: x.sort(key=lambda item: -item),
    "sort reversed": lambda x: x.sort(reverse=True),
    "clear": lambda x: x.clear(),
}


@pytest.mark.parametrize("change", _DICT_CHANGES.values(), ids=_DICT_CHANGES)
def test_each_change_of_a_nested_dictionary_is_kept(md: Stash, change: Any) -> None:
    plain = {"a": 1, "b": {"c": 2}}
    md["outer"] = {"inner": plain}
    nested = md["outer"]["inner"]
    outcome, expected = change(nested), change(plain)
    assert outcome == expected
    assert nested == orjson.loads(orjson.dumps(plain))
    assert _kept(md) == {"outer": {"inner": nested}}


@pytest.mark.parametrize("change", _LIST_CHANGES.values(), ids=_LIST_CHANGES)
def test_each_change_of_a_nested_list_is_kept(md: Stash, change: Any) -> None:
    plain = [1, 2, 3]
    md["outer"] = [{"inner": plain}]
    nested = md["outer"][0]["inner"]
    outcome, expected = change(nested), change(plain)
    assert outcome == expected
    assert nested == plain
    assert _kept(md) == {"outer": [{"inner": plain}]}


def test_augmented_assignment_to_a_nested_value_is_kept(md: Stash) -> None:
    md["sample"] = {"tags": ["a"], "count": 1}
    md["sample"]["tags"] += ["b"]
    md["sample"]["count"] += 1
    md["sample"] |= {"owner": "Dan"}
    assert _kept(md) == {"sample": {"tags": ["a", "b"], "count": 2, "owner": "Dan"}}


def test_what_was_added_to_a_nested_value_keeps_its_changes_too(md: Stash) -> None:
    md["sample"] = {}
    sample = md["sample"]
    sample["layers"] = []
    sample["layers"].append({"metal": "Au"})
    sample.setdefault("history", {})["cut"] = True
    md.setdefault("beam", {})["energy"] = 12.5
    assert _kept(md) == {
        "sample": {"layers": [{"metal": "Au"}], "history": {"cut": True}},
        "beam": {"energy": 12.5},
    }


def test_two_that_add_to_one_dictionary_both_keep_theirs(md: Stash) -> None:
    md["sample"] = {}
    one, other = md["sample"], md["sample"]
    one["a"] = 1
    other["b"] = 2
    assert md["sample"] == {"a": 1, "b": 2}
    assert other == {"a": 1, "b": 2}


def test_threads_that_append_to_one_list_lose_nothing(md: Stash) -> None:
    md["log"] = []

    def append(thread: int) -> None:
        for number in range(20):
            md["log"].append([thread, number])

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(md["log"]) == [[thread, number] for thread in range(4) for number in range(20)]


def test_a_nested_value_put_back_is_what_it_was(md: Stash) -> None:
    md["sample"] = {"name": "A"}
    before = md["sample"]
    md["sample"] = {"name": "B"}
    md["sample"] = before
    assert _kept(md) == {"sample": {"name": "A"}}
    md["copy"] = before
    md["copy"]["name"] = "C"
    assert _kept(md) == {"sample": {"name": "A"}, "copy": {"name": "C"}}


@pytest.mark.parametrize(
    "gone",
    [
        lambda md: md.clear(),
        lambda md: md.update(sample="text"),
        lambda md: md.update(sample={"layers": {}}),
        lambda md: md.update(sample={}),
    ],
)
def test_changing_a_nested_value_that_is_gone_is_refused_and_says_so(md: Stash, gone: Any) -> None:
    md["sample"] = {"layers": [1]}
    layers = md["sample"]["layers"]
    gone(md)
    before = md.copy()
    with pytest.raises(LookupFailedError, match=r"metadata\['sample'\]\['layers'\] is no longer a list"):
        layers.append(2)
    assert md == before


def test_an_impossible_change_raises_as_usual_and_changes_nothing(md: Stash) -> None:
    md["sample"] = {"tags": ["a"]}
    with pytest.raises(KeyError, match="missing"):
        del md["sample"]["missing"]
    with pytest.raises(IndexError, match="pop"):
        md["sample"]["tags"].pop(5)
    with pytest.raises(ValueError, match="not in list"):
        md["sample"]["tags"].remove("z")
    assert _kept(md) == {"sample": {"tags": ["a"]}}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_a_value_that_cannot_be_kept_is_refused_naming_the_key(md: Stash, value: Any) -> None:
    md["sample"] = {"layers": [1]}
    with pytest.raises(DocumentError, match=r"at 'setup' cannot be kept"):
        md["setup"] = value
    with pytest.raises(DocumentError, match=r"at 'setup\.parts\[1\]' cannot be kept"):
        md.update(operator="Dan", setup={"parts": [1, value]})
    with pytest.raises(DocumentError, match=r"at 'sample\.layers\[1\]' cannot be kept"):
        md["sample"]["layers"].append(value)
    with pytest.raises(DocumentError, match=r"at 'setup' cannot be kept"):
        md.setdefault("setup", value)
    assert _kept(md) == {"sample": {"layers": [1]}}


@pytest.mark.parametrize("key", ["a.b", "a/b", "", "scan_id/ledger", 5, None])
def test_a_key_that_no_start_document_may_have_is_refused(md: Stash, key: Any) -> None:
    with pytest.raises(DocumentError, match="can't be a key of metadata"):
        md[key] = 1
    assert key not in md


@pytest.mark.parametrize("value", ["5", 5.0, True, False, None, [5]])
def test_a_scan_id_that_is_no_integer_is_refused(md: Stash, value: Any) -> None:
    md["scan_id"] = np.int64(7)
    with pytest.raises(DocumentError, match="'scan_id' can't be .* give an integer"):
        md["scan_id"] = value
    assert md["scan_id"] == 7


def test_what_the_store_keeps_beside_the_metadata_is_not_shown(md: Stash) -> None:
    md["scan_id"] = 5
    assert len(md.store.stash()) > 1
    assert (list(md), len(md), md.copy()) == (["scan_id"], 1, {"scan_id": 5})


def test_a_deep_copy_is_a_plain_dictionary(md: Stash) -> None:
    md["sample"] = {"layers": [{"metal": "Au"}]}
    for copied in (copy.deepcopy(md), copy.copy(md), md.copy()):
        assert type(copied) is dict
        assert type(copied["sample"]) is dict
        assert type(copied["sample"]["layers"]) is list
        copied["sample"]["layers"].clear()
    assert md == {"sample": {"layers": [{"metal": "Au"}]}}


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - its own


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, _pickled])
def test_copies_of_nested_values_are_plain_and_free(md: Stash, duplicate: Any) -> None:
    md["sample"] = {"layers": [{"metal": "Au"}]}
    copied = duplicate(md["sample"])
    assert type(copied) is dict
    assert type(copied["layers"]) is list
    assert type(duplicate(md["sample"]["layers"])) is list
    copied["layers"][0]["metal"] = "Ag"
    assert md["sample"]["layers"][0]["metal"] == "Au"


def test_nested_values_are_real_dictionaries_and_lists(md: Stash) -> None:
    md["sample"] = {"layers": [{"metal": "Au"}]}
    sample = md["sample"]
    assert isinstance(sample, dict)
    assert isinstance(sample["layers"], list)
    assert sample == {"layers": [{"metal": "Au"}]}
    assert orjson.dumps(sample) == b'{"layers":[{"metal":"Au"}]}'
    assert repr(sample) == "{'layers': [{'metal': 'Au'}]}"


def test_its_repr_shows_where_and_what_it_is(md: Stash) -> None:
    md["sample"] = {"name": "A"}
    assert repr(md) == f"<metadata in {md.store.location!r}: {{'sample': {{'name': 'A'}}}}>"


def test_at_a_prompt_its_keys_are_completed_and_it_is_printed_readably(md: Stash) -> None:
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    md.update(sample={"name": "A"}, operators=["a long name", "another long name", "a third long name"] * 2)
    assert md._ipython_key_completions_() == ["sample", "operators"]
    lines = pretty(md).splitlines()
    assert lines[0].endswith("{'sample': {'name': 'A'},")
    assert len(lines) > 2


@given(
    values=st.dictionaries(
        st.from_regex(r"[^./]+", fullmatch=True).filter(lambda key: key != "scan_id"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_whatever_is_put_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    store = open_store(tmp_path_factory.getbasetemp() / "anything")
    try:
        md = Stash(store)
        md.clear()
        md.update(values)
        assert md == values
        assert repr(md.copy()) == repr({key: values[key] for key in md})
    finally:
        store.close()


def _write_persistent_dict(folder: Path, files: dict[str, Any]) -> None:
    """Write what bluesky's PersistentDict writes, without needing it."""
    msgpack = pytest.importorskip("msgpack")
    msgpack_numpy = pytest.importorskip("msgpack_numpy")
    folder.mkdir()
    for name, value in files.items():
        packed = msgpack.packb(value, default=msgpack_numpy.encode, use_bin_type=True)
        (folder / name).write_bytes(packed)


def test_the_folder_of_a_persistent_dict_is_taken_over(md: Stash, tmp_path: Path) -> None:
    folder = tmp_path / "persistent"
    files = {
        "scan_id#7": 41,
        "scan_id#12": 42,
        "sample#3": {"color": "red", "grid": np.arange(3), "size": np.float64(0.5)},
        "beamline%20name#1": "X",
        "written_by_older_zict": [1, 2],
    }
    _write_persistent_dict(folder, files)
    md["operator"] = "Dan"
    md.import_persistent_dict(folder)
    assert md == {
        "operator": "Dan",
        "scan_id": 42,
        "sample": {"color": "red", "grid": [0, 1, 2], "size": 0.5},
        "beamline name": "X",
        "written_by_older_zict": [1, 2],
    }
    assert sorted(file.name for file in folder.iterdir()) == sorted(files)


def test_a_folder_that_holds_no_persistent_dict_is_refused_and_nothing_taken(
    md: Stash, tmp_path: Path
) -> None:
    with pytest.raises(ImportFileError, match="is no folder"):
        md.import_persistent_dict(tmp_path / "missing")
    _write_persistent_dict(tmp_path / "mixed", {"sample#1": "A"})
    (tmp_path / "mixed" / "notes.txt").write_bytes(b"\xc1\xc1")
    with pytest.raises(ImportFileError, match=r"notes\.txt' is no file of a PersistentDict"):
        md.import_persistent_dict(tmp_path / "mixed")
    assert md == {}


def test_the_file_of_a_history_dict_is_taken_over(md: Stash, tmp_path: Path) -> None:
    def digest(key: str) -> str:
        return hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()

    values = [
        ("__list_of_currently_known_about_keys", 1, []),
        ("scan_id", 1, 41),
        ("scan_id", 2, 42),
        ("forgotten", 1, "x"),
        ("sample", 1, {"color": "red"}),
        ("__list_of_currently_known_about_keys", 10, ["scan_id", "sample"]),
    ]
    file = tmp_path / "history.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE HISTORY_1_1 (_id CHAR(40), N INT, blob BLOB)")
        rows = [(digest(key), number, json.dumps(value)) for key, number, value in values]
        connection.executemany("INSERT INTO HISTORY_1_1 VALUES (?, ?, ?)", rows)
        connection.commit()
    md.import_history_dict(file)
    assert md == {"scan_id": 42, "sample": {"color": "red"}}


@pytest.mark.parametrize("content", [None, b"", b"text that is no database"])
def test_a_file_that_is_no_history_dict_is_refused(md: Stash, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "history.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImportFileError, match=r"history\.db' is no file of a HistoryDict"):
        md.import_history_dict(file)
    assert md == {}
