"""Blocks of an entry that show a run table or a plot as it was when the entry was written.

In the text stands what is wanted, a line for each setting::

    ```hutch-table
    runs: 5-9
    columns: run_num, start.sample, param.gain
    ```

    ```hutch-plot
    run: 9
    y: detector
    ```

When it is posted, a line ``--- TIME`` is added to it, and after that what there was then: the rows as
JSON, or the number of the attachment that is the picture. What stands above that line says how to see it
as it is now; for a plot also the uid of the run, which nobody needs to give.

What is shown as frozen is what :func:`find_blocks` finds, and nothing else: so whatever bears that line
was either frozen here, or is frozen anew.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hutch.errors import DocumentError, HutchError
from hutch.logbook.attachments import NewFile
from hutch.logbook.entries import Attachment, Content, Format

if TYPE_CHECKING:
    from hutch.logbook.entry_book import EntryBook

__all__ = ["MARK", "Block", "Frozen", "find_blocks", "freeze", "is_descending", "settings_of"]

MARK = "---"
"""Begins the line under which what is frozen stands."""

_OPENING = re.compile(r"( {0,3})(`{3,20}|~{3,20})[ \t]*hutch-(table|plot)[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*")
_RUNS = re.compile(r"(\d{1,18})?\s*(-)?\s*(\d{1,18})?")
_MOST_BLOCKS = 20
_MOST_ROWS = 200
_SETTINGS = {
    "table": frozenset({"table", "runs", "columns", "sort", "descending", "limit"}),
    "plot": frozenset({"run", "stream", "x", "y"}),
}


@dataclass
class Frozen:
    """A text whose blocks are frozen, once the files that belong to it have their numbers."""

    parts: list[str | int] = field(default_factory=list)
    """Text, and places of files."""
    files: list[NewFile] = field(default_factory=list)

    def settled(self, attachments: Sequence[Attachment]) -> str:
        """Return the text.

        :param attachments: that were made; the files are the last of them.
        """
        mine = attachments[len(attachments) - len(self.files) :]
        return "".join(part if isinstance(part, str) else str(mine[part].id) for part in self.parts)


@dataclass(frozen=True)
class Block:
    """A block of a text.

    :ivar start: where the line of its opening fence begins.
    :ivar end: where the line of its closing fence ends.
    :ivar indent: the blanks before its opening fence.
    :ivar kind: ``table`` or ``plot``.
    :ivar text: all of it, with its fences.
    :ivar inner: what stands between them.
    """

    start: int
    end: int
    indent: str
    fence: str
    kind: str
    text: str
    inner: str


def find_blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a markdown text; what stands within another fence, a list or a quote is none."""
    place = 0
    fence, opened, begin, inner = "", None, 0, 0
    for line in io.StringIO(text, newline="\n"):
        bare = line.rstrip("\n")
        if not fence:
            opened, other = _OPENING.fullmatch(bare), _FENCE.match(bare)
            if opened is not None:
                fence, begin, inner = opened[2], place, place + len(line)
            elif other is not None:
                fence = other[1]
        elif (closing := _CLOSING.fullmatch(bare)) is not None and closing[1].startswith(fence):
            if opened is not None:
                end = place + len(bare)
                yield Block(begin, end, opened[1], fence, opened[3], text[begin:end], text[inner:place])
            fence = ""
        place += len(line)


def settings_of(inner: str) -> tuple[dict[str, str], str, str]:
    """Return the settings of a block, when it was frozen, and what stands below; both empty if it is not."""
    settings: dict[str, str] = {}
    lines = inner.split("\n")
    for place, line in enumerate(lines):
        if line.strip().startswith(MARK):
            return settings, line.strip().removeprefix(MARK).strip(), "\n".join(lines[place + 1 :]).strip()
        name, _, value = line.partition(":")
        if name.strip():
            settings[name.strip().lower()] = value.strip()
    return settings, "", ""


def is_descending(settings: Mapping[str, str]) -> bool:
    """Tell whether the settings of a table ask for the greatest first."""
    return settings.get("descending", "no").lower() in ("yes", "true", "1")


def freeze(
    book: EntryBook, experiment: str, text: str, format: Format, before: Content | None = None
) -> Frozen:
    """Return a text with its blocks frozen.

    :param book: where runs and tables are read.
    :param before: the version before: blocks that were frozen in it stay what they are.
    :raises DocumentError: if a block says what is not known, or names what is not there.
    """
    found = Frozen()
    if format is not Format.MARKDOWN:
        found.parts.append(text)
        return found
    kept: set[str] = set()
    if before is not None and before.format is Format.MARKDOWN:
        kept = {block.text for block in find_blocks(before.text)}
    blocks = list(find_blocks(text))
    if len(blocks) > _MOST_BLOCKS:
        raise DocumentError(f"The text has {len(blocks)} blocks to be frozen. Give at most {_MOST_BLOCKS}.")
    last = 0
    for block in blocks:
        found.parts.append(text[last : block.start])
        last = block.end
        if block.text in kept:
            found.parts.append(block.text)
            continue
        kind = block.kind
        settings, _, _ = settings_of(block.inner)
        settings.pop("uid", None)
        unknown = settings.keys() - _SETTINGS[kind]
        if unknown:
            known = ", ".join(sorted(_SETTINGS[kind]))
            msg = f"A block hutch-{kind} knows no {min(unknown)!r}. It knows: {known}."
            raise DocumentError(msg)
        try:
            body = _MAKE[kind](book, experiment, settings, found)
        except HutchError as error:
            raise DocumentError(f"A block hutch-{kind} cannot be filled: {error}") from error
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        lines = [f"{block.fence}hutch-{kind}", *(f"{name}: {value}" for name, value in settings.items())]
        said = "".join(f"{block.indent}{line}\n" for line in (*lines, f"{MARK} {now}"))
        found.parts += [f"{said}{block.indent}", body, f"\n{block.indent}{block.fence}"]
    found.parts.append(text[last:])
    return found


def _freeze_table(book: EntryBook, experiment: str, settings: dict[str, str], found: Frozen) -> str:
    names = [name.strip() for name in settings.get("columns", "").split(",") if name.strip()]
    wanted: Any = book
    data = wanted.table_data(
        experiment,
        settings.get("table", "default"),
        columns=names or None,
        sort=settings.get("sort"),
        descending=is_descending(settings),
        runs=_runs(settings.get("runs", "")),
        limit=min(_number(settings.get("limit", "50"), "limit"), _MOST_ROWS),
    )
    body = {"columns": [column.heading for column in data.columns], "rows": data.rows, "total": data.total}
    # JSON has no NaN; what it cannot say is text.
    said = json.dumps(_finite(body), ensure_ascii=False, default=str, allow_nan=False)
    return said.replace("`", "\\u0060").replace("~", "\\u007e")


def _freeze_plot(book: EntryBook, experiment: str, settings: dict[str, str], found: Frozen) -> int:
    from hutch.catalogs.showing.plotting import draw

    current = book.current_run(experiment) if "run" not in settings else None
    num = current.num if current is not None else _number(settings.get("run", ""), "run")
    run = book.run(experiment, num).run
    keys = [key.strip() for key in settings.get("y", "").split(",") if key.strip()]
    figure = draw(run, stream=settings.get("stream"), x=settings.get("x"), y=keys)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100)
    if run.uid.isprintable():
        settings["uid"] = run.uid
    found.files.append(NewFile(out.getvalue(), f"run-{num}.png", f"Run {num} as it was"))
    return len(found.files) - 1


_MAKE: dict[str, Callable[[Any, str, dict[str, str], Frozen], str | int]] = {
    "table": _freeze_table,
    "plot": _freeze_plot,
}


def _runs(text: str) -> tuple[int | None, int | None]:
    found = _RUNS.fullmatch(text.strip())
    if found is None:
        raise DocumentError(f"{text!r} names no runs. Write 7, 5-9, 5- or -9.")
    first, dash, last = found.groups()
    if not dash:
        return (int(first), int(first)) if first else (None, None)
    if first and last and int(first) > int(last):
        raise DocumentError(f"runs: {text!r} goes backwards. Write {last}-{first}.")
    return (int(first) if first else None, int(last) if last else None)


def _number(text: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise DocumentError(f"{name}: {text!r} is no number.")
    return int(text)


def _finite(value: Any) -> Any:
    match value:
        case float() if value != value or abs(value) == float("inf"):  # noqa: PLR0124 - NaN
            return str(value)
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value
