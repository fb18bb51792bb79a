"""Runs made by hand and recorded by the real recorder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import event_model
import pytest

import hutch
from hutch.catalogs import Catalog

from .damage import Damaged

NamedDocument = tuple[str, dict[str, Any]]

_DTYPES = {float: "number", int: "integer", str: "string", bool: "boolean", list: "array"}


def data_keys(reading: Mapping[str, Any], **about: dict[str, Any]) -> dict[str, Any]:
    """Return the data keys of a reading; ``about`` adds to those of single keys."""
    return {
        key: {
            "source": "test",
            "dtype": _DTYPES.get(type(value), "array"),
            "shape": [len(value)] if isinstance(value, list) else [],
            **about.get(key, {}),
        }
        for key, value in reading.items()
    }


def compose(
    streams: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    keys: Mapping[str, Any] | None = None,
    stop: str | None = "success",
    **metadata: Any,
) -> list[NamedDocument]:
    """Return the documents of a run; events of all streams take turns.

    :param streams: rows of each stream; ``{"primary": [{"x": 0.5}, {"x": 1.5}]}`` by default.
    :param keys: additions to the data keys of every stream.
    :param stop: the exit status; None leaves the run open.
    """
    streams = {"primary": [{"x": 0.5}, {"x": 1.5}]} if streams is None else streams
    started = metadata.pop("time", 1_700_000_000.0)
    bundle = event_model.compose_run(
        uid=metadata.pop("uid", None), time=started, metadata=metadata, validate=False
    )
    found: list[NamedDocument] = [("start", bundle.start_doc)]
    descriptors = {}
    for name, rows in streams.items():
        first = rows[0] if rows else {}
        descriptors[name] = bundle.compose_descriptor(
            name=name, data_keys=data_keys(first, **(keys or {})), validate=False
        )
        found.append(("descriptor", descriptors[name].descriptor_doc))
    for number in range(max(map(len, streams.values()), default=0)):
        for name, rows in streams.items():
            if number < len(rows):
                time = started + number
                event = descriptors[name].compose_event(
                    data=dict(rows[number]),
                    timestamps=dict.fromkeys(rows[number], time + 0.25),
                    time=time,
                    validate=False,
                )
                found.append(("event", event))
    if stop is not None:
        found.append(("stop", {**bundle.compose_stop(exit_status=stop), "time": started + 100}))
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Damaged:
    """An empty store, to be damaged."""
    if request.param == "sqlite":
        return Damaged(str(tmp_path / "store"), tmp_path / "store" / "files")
    address = request.getfixturevalue("postgres_address")
    with hutch.open_catalog(address) as found:
        return Damaged(address, found.store.files)


@pytest.fixture
def catalog(store_address) -> Iterator[Catalog]:
    with hutch.open_catalog(store_address) as found:
        yield found


@pytest.fixture
def record(catalog) -> Callable[..., str]:
    """Record documents, or those that :func:`compose` makes of the arguments; return the run's uid."""
    hours = count()

    def record(documents: Sequence[NamedDocument] | None = None, **options: Any) -> str:
        if documents is None:
            # Runs follow each other unless a test says otherwise.
            documents = compose(**{"time": 1_700_000_000.0 + 3600 * next(hours), **options})
        recorder = catalog.recorder()
        for name, document in documents:
            recorder(name, document)
        recorder.close()
        return documents[0][1]["uid"]

    return record


@pytest.fixture(name="compose")
def compose_fixture() -> Callable[..., list[NamedDocument]]:
    return compose
