"""Parameters and verdicts that are posted to a run: kept with who said them, and searched for by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hutch.catalogs.tombstones import present_row
from hutch.documents import decode, encode, plain
from hutch.documents.leaves import Leaf, posted_leaves
from hutch.errors import DocumentError
from hutch.queries.paths import POSTED
from hutch.store.protocols.store import RunRow, Store, Writer

__all__ = ["post", "post_all", "write_posted"]


def post(
    store: Store, run: int, source: str, name: str, value: Any, *, author: str, origin: Any = None
) -> None:
    """Post a value to a run; what was posted before under the same name is kept as its history.

    It is found by ``{"param.gain": 3}`` from then on, whatever characters its name has.

    :param run: its number.
    :param source: ``param`` or ``dqm``.
    :param value: text, number, bool, None, or lists and dictionaries of these.
    :param origin: where it comes from, as a document: a job, a check.
    :raises DocumentError: if the source, the name or the value is none.
    :raises RunDeletedError: if the run has been deleted.
    """
    post_all(store, run, source, {name: value}, author=author, origin=origin)


def post_all(
    store: Store, run: int, source: str, values: Mapping[str, Any], *, author: str, origin: Any = None
) -> None:
    """Post several values to a run, all of them or none; see :func:`post`.

    :param values: by name.
    :raises DocumentError: if the source, a name or a value is none.
    :raises RunDeletedError: if the run has been deleted.
    """
    with store.transaction() as writer:
        writer.lock(f"run/{run}")
        row = present_row(store, run)
        write_posted(store, writer, row, source, values, author=author, origin=origin)


def write_posted(
    store: Store,
    writer: Writer,
    run: RunRow,
    source: str,
    values: Mapping[str, Any],
    *,
    author: str,
    origin: Any = None,
) -> None:
    """Post values to a run in a transaction that is open, and holds the lock of the run.

    :param values: by name.
    :raises DocumentError: if the source, a name or a value is none.
    """
    for name in values:
        if source not in POSTED or not isinstance(name, str) or not name:
            msg = f"{source}.{name} cannot be posted. Give a name, and one of {', '.join(sorted(POSTED))}."
            raise DocumentError(msg)
    kept = {name: plain(value) for name, value in values.items()}
    about = None if origin is None else encode(origin)
    before = store.posted_now([run.id]).get(run.id, {}).get(source, {})
    old: set[Leaf] = set()
    new: set[Leaf] = set()
    for name, value in kept.items():
        old |= posted_leaves(source, name, decode(before[name])) if name in before else set()
        new |= posted_leaves(source, name, value)
    writer.remove_leaves(run.id, run.time, old - new)
    writer.add_leaves(run.id, run.time, new - old)
    for name, value in kept.items():
        writer.post(run.id, source, name, encode(value), author, about)
