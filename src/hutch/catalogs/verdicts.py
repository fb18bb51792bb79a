"""What checks have said of a run: each change of a verdict is posted once, with what it rests on.

A verdict is ``good``, ``medium`` or ``bad``, or None where there is too little data to tell. It is searched
for by the name of its check: ``{"dqm.packet_rate": "bad"}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hutch.catalogs.changing.posting import write_posted
from hutch.catalogs.metadata import dictionary
from hutch.catalogs.tombstones import present_row
from hutch.documents import decode
from hutch.store.protocols.store import PostedRow, Store

__all__ = ["RunVerdict", "post_verdict", "summary_of", "verdict_history", "verdicts_of"]

SOURCE = "dqm"
GOOD, MEDIUM, BAD = "good", "medium", "bad"

_MATERIAL = 0.01
"""A number that has changed by less, as a fraction, is what it was."""


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """What a check says, or has said, of a run.

    :ivar name: of the check.
    :ivar verdict: ``good``, ``medium``, ``bad``, or None if there was too little data to tell.
    :ivar value: the number that it rests on; None if there is none.
    :ivar sentence: for the operator.
    :ivar since: when it was first said, s since 1970.
    :ivar until: when something else was said; None if it holds.
    :ivar origin: the check's kind, version and parameters, the plot, stream, rows and interval of the data,
        references.
    :ivar number: among what was posted, by which the feed tells of verdicts that turned bad.
    """

    name: str
    verdict: str | None
    value: float | None
    sentence: str
    since: float
    until: float | None
    author: str
    origin: Mapping[str, Any]
    number: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it; times in s since 1970."""
        words = ("name", "verdict", "value", "sentence", "since", "until", "author")
        return {**{word: getattr(self, word) for word in words}, "origin": dict(self.origin)}


def verdicts_of(store: Store, run: int) -> dict[str, RunVerdict]:
    """Return what holds of what checks have said of a run, by name.

    :param run: its number.
    """
    found = {verdict.name: verdict for verdict in verdict_history(store, run) if verdict.until is None}
    return dict(sorted(found.items()))


def verdict_history(store: Store, run: int, name: str | None = None) -> list[RunVerdict]:
    """Return all that checks have said of a run, the oldest first.

    :param name: of one check only.
    """
    rows = [row for row in store.posted(run) if row.source == SOURCE and name in (None, row.name)]
    return list(_verdicts(rows))


def summary_of(verdicts: Mapping[str, str | None]) -> str:
    """Return in short what checks say: ``3 good``, or ``bad: packet_rate, hot`` where one says worse.

    :param verdicts: by the checks' names.
    """
    for worst in (BAD, MEDIUM):
        named = [name for name, verdict in verdicts.items() if verdict == worst]
        if named:
            return f"{worst}: {', '.join(named)}"
    count = sum(verdict == GOOD for verdict in verdicts.values())
    return f"{count} good" if count else ""


def post_verdict(
    store: Store,
    run: int,
    name: str,
    verdict: str | None,
    *,
    origin: Mapping[str, Any],
    plot: str = "",
    picture: bytes | None = None,
    author: str = "monitor",
    is_final: bool = False,
    is_told: bool = True,
) -> bool:
    """Post a verdict to a run, if it is not what was said before; tell whether it was posted.

    One that turns bad is told in the feed, with the picture of that moment, once until it has been good
    again.

    :param run: its number.
    :param origin: what it rests on, with ``value`` and ``sentence``.
    :param plot: the plot that was judged.
    :param picture: of the plot, a PNG.
    :param is_final: nothing more will come: another number or sentence is news as well, and so is that there
        was never enough to tell.
    :param is_told: False tells nobody that it has turned bad: it is about what is long past.
    :raises RunDeletedError: if the run has been deleted.
    """
    with store.transaction() as writer:
        writer.lock(f"run/{run}")
        row = present_row(store, run)
        history = verdict_history(store, run, name)
        last = history[-1] if history else None
        if not _is_news(last, verdict, origin, is_final=is_final):
            return False
        write_posted(store, writer, row, SOURCE, {name: verdict}, author=author, origin=dict(origin))
        if is_told and verdict == BAD and not _was_told(store, history):
            writer.freeze_figure(run, name, BAD, plot, picture)
    return True


def _is_news(
    last: RunVerdict | None, verdict: str | None, origin: Mapping[str, Any], *, is_final: bool
) -> bool:
    if last is None:
        return verdict is not None or is_final
    if last.verdict != verdict:
        return True
    if not is_final:
        return False
    before, now = last.value, origin.get("value")
    if before is None or now is None:
        return bool(before is not now or last.sentence != origin.get("sentence"))
    return not math.isclose(before, now, rel_tol=_MATERIAL)


def _was_told(store: Store, history: Sequence[RunVerdict]) -> bool:
    """Tell whether it is known that a verdict is bad: since it was good last."""
    for verdict in reversed(history):
        if verdict.verdict == GOOD:
            return False
        if store.frozen_figure(verdict.number) is not None:
            return True
    return False


def _verdicts(rows: Sequence[PostedRow]) -> Iterator[RunVerdict]:
    """Yield the verdicts in rows of which the oldest is first."""
    following: dict[str, float] = {}
    found = []
    for row in reversed(rows):
        if row.value is not None:
            origin = {} if row.origin is None else dictionary(decode(row.origin))
            value, verdict = origin.get("value"), decode(row.value)
            found.append(
                RunVerdict(
                    row.name,
                    verdict if isinstance(verdict, str) else None,
                    float(value) if isinstance(value, (int, float)) else None,
                    str(origin.get("sentence", "")),
                    row.time,
                    following.get(row.name),
                    row.author,
                    origin,
                    row.id,
                )
            )
        following[row.name] = row.time
    yield from reversed(found)
