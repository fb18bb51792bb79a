"""Data in detectors' own files: datum documents, and the handlers that open what they point to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import event_model
import numpy as np

from hutch.assets.handlers import handler_of
from hutch.assets.layout import promised
from hutch.assets.places import FilePlaces, missing, moved
from hutch.catalogs.metadata import data_keys_of, is_datum_key
from hutch.catalogs.tombstones import check_present
from hutch.documents import decode
from hutch.errors import ExternalDataError, MissingExtraError
from hutch.store.protocols.store import RunRow, Store

__all__ = ["External"]

_KINDS = ("descriptor", "resource", "datum", "datum_page", "bulk_datum")


class External:
    """Puts the data that the datum documents of a run point to into its events.

    :param store: where the documents are.
    :param run: the run as the store has it.
    :param places: where files are, and which of them are opened.
    :param coerce: ``"numpy"`` or ``"delayed"``, the arrays that events get.
    """

    def __init__(self, store: Store, run: RunRow, places: FilePlaces, coerce: str = "numpy") -> None:
        _register_coercions(coerce)
        self._run = run
        rows = store.documents(run.id, _KINDS)
        if not rows:
            check_present(store, run.id)
        bodies = {
            kind: {row.uid: row.body for row in rows if row.kind == kind} for kind in ("resource", "datum")
        }
        self._resources = _Resources(store, "resource", bodies["resource"], places)
        self._datums = _Documents(store, "datum", bodies["datum"])
        self._filler = _Filler(
            places,
            handler_registry={},
            inplace=True,
            coerce=f"hutch.{coerce}",
            resource_cache=self._resources,
            datum_cache=self._datums,
            retry_intervals=[],
        )
        for row in rows:
            if row.kind in ("descriptor", "datum_page", "bulk_datum"):
                self._filler(row.kind, decode(row.body))

    def fill(self, key: str, descriptor: str, datum_ids: Sequence[Any]) -> list[Any]:
        """Return what datums of one key point to, an array each.

        :raises ExternalDataError: naming file, run and key.
        """
        found = []
        for datum_id in datum_ids:
            event = {
                "uid": "",
                "descriptor": descriptor,
                "data": {key: datum_id},
                "filled": {key: False},
            }
            self._fill_key(event, key)
            found.append(event["data"][key])  # type: ignore[index]
        return found

    def fill_event(self, event: dict[str, Any]) -> None:
        """Fill an event in place; ``filled`` then has the ids of the datums.

        :raises ExternalDataError: naming file, run and key.
        """
        if "filled" not in event:
            keys = self._filler.data_keys(event["descriptor"])
            external = {key: False for key in event["data"] if is_datum_key(keys.get(key, {}))}
            if not external:
                return
            event["filled"] = external
        for key in [key for key, state in event["filled"].items() if state is False]:
            self._fill_key(event, key)

    def _fill_key(self, event: dict[str, Any], key: str) -> None:
        datum_id = event["data"].get(key)
        try:
            self._filler.fill_event(event, include=[key])
        except ExternalDataError as error:
            msg = f"Cannot read {key!r} of run {self._run.uid!r}: {error}"
            raise ExternalDataError(msg) from error
        except Exception as error:  # a handler is anybody's code
            msg = f"Cannot read {key!r} of run {self._run.uid!r}: {self._reason(datum_id, error)}"
            raise ExternalDataError(msg) from error

    def _reason(self, datum_id: Any, error: BaseException) -> str:
        """Say why, from the innermost error that a handler or the system raised."""
        if isinstance(error, event_model.UnresolvableForeignKeyError):
            return str(error)
        while error.__cause__ is not None:
            error = error.__cause__
        try:
            resource = self._resources[self._datums[datum_id]["resource"]]
        except (KeyError, TypeError):
            return f"{type(error).__name__}: {error}"
        path = getattr(error, "filename", None) or resource["resource_path"]
        if isinstance(error, FileNotFoundError) or not os.path.exists(os.path.dirname(path) or "."):
            return missing(path)
        return f"the file {path!r} cannot be read: {type(error).__name__}: {error}"


class _Filler(event_model.Filler):
    """A filler that looks for a handler when the first resource needs it."""

    def __init__(self, places: FilePlaces, **options: Any) -> None:
        super().__init__(**options)
        self._places = places

    def get_handler(self, resource: Any) -> Any:
        if resource["spec"] not in self.handler_registry:
            self.register_handler(resource["spec"], handler_of(resource["spec"], self._places))
        return super().get_handler(resource)

    def data_keys(self, descriptor: str) -> dict[str, Any]:
        """Return the data keys of a descriptor; none if it is unknown."""
        return data_keys_of(self._descriptor_cache.get(descriptor, {}))


class _Documents(dict[str, dict[str, Any]]):
    """Documents of one kind by uid, decoded when needed; what the run lacks, other runs may have."""

    def __init__(self, store: Store, kind: str, bodies: Mapping[str, bytes]) -> None:
        super().__init__()
        self._store = store
        self._kind = kind
        self._bodies = bodies

    def __missing__(self, uid: str) -> dict[str, Any]:
        body = self._bodies.get(uid)
        if body is None:
            found = self._store.find_document(self._kind, uid)
            if found is None:
                raise KeyError(uid)
            body = found[1].body
        return self._prepared(decode(body))

    def _prepared(self, document: dict[str, Any]) -> dict[str, Any]:
        return document


class _Resources(_Documents):
    """Resources, their paths whole and where the files are now."""

    def __init__(self, store: Store, kind: str, bodies: Mapping[str, bytes], places: FilePlaces) -> None:
        super().__init__(store, kind, bodies)
        self._places = places

    def _prepared(self, document: dict[str, Any]) -> dict[str, Any]:
        path = os.path.join(document.get("root") or "", document["resource_path"])
        path = moved(path, self._places.root_map)
        self._places.check(path)
        return {**document, "root": "", "resource_path": path}


def _register_coercions(coerce: str) -> None:
    event_model.register_coercion("hutch.numpy", _numpy_handler)
    event_model.register_coercion("hutch.delayed", _delayed_handler)
    if coerce == "delayed":
        try:
            import dask.array  # noqa: F401
        except ImportError as error:
            msg = "fill='delayed' needs dask. Install it with: pip install 'hutch[dask]'"
            raise MissingExtraError(msg) from error


def _numpy_handler(handler: Callable[..., Any], _: Any) -> Callable[..., Any]:
    """Make a handler give numpy arrays, whatever it gave."""

    def opened(path: str, **resource: Any) -> Callable[..., np.ndarray]:
        read = handler(path, **resource)
        return lambda **datum: np.asarray(read(**datum))

    return opened


def _delayed_handler(handler: Callable[..., Any], state: Any) -> Callable[..., Any]:
    """Make a handler give dask arrays that read when they are computed.

    Their dtype and shape are what the descriptor says; where it does not (``dtype_numpy`` is younger
    than most data), the first array of a resource is read to tell.
    """

    def opened(path: str, **resource: Any) -> Callable[..., Any]:
        from dask import array as dask_array
        from dask.delayed import delayed

        read = _numpy_handler(handler, state)(path, **resource)
        known: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}

        def delay(**datum: Any) -> Any:
            key = state.key
            if key not in known:
                told = promised(state.descriptor["data_keys"][key])
                if told is None:
                    first = read(**datum)
                    known[key] = first.shape, first.dtype
                    return dask_array.from_array(first)  # type: ignore[no-untyped-call]
                known[key] = told
            shape, dtype = known[key]
            later = delayed(read)(**datum)
            return dask_array.from_delayed(later, shape, dtype)  # type: ignore[no-untyped-call]

        return delay

    return opened
