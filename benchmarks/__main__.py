"""Run the benchmarks and print their table."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir

import click
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import Plan, Row

_SUBJECTS = (
    "imports",
    "single_events",
    "pages",
    "runs",
    "latency",
    "reading",
    "images",
    "memory",
    "monitor_plots",
    "monitor",
    "long_runs",
    "bursts",
    "site",
    "contention",
    "search",
    "search_peers",
    "serving",
    "logbook",
)
_PACKAGES = ("hutch", "pyarrow", "tiled", "bluesky-tiled-plugins", "suitcase-jsonl", "suitcase-msgpack")
_VERDICTS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(_SUBJECTS), help="Measure this subject; repeatable.")
@click.option("--quick", is_flag=True, help="A tenth of the data, three repetitions.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here as well.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=gettempdir,
    help="The disk to measure on: a folder there.",
)
def main(only: tuple[str, ...], quick: bool, json_path: Path | None, folder: Path) -> None:
    """Measure hutch beside its peers and print a table.

    Example: python -m benchmarks --only reading --quick
    """
    plan = Plan(folder.absolute(), quick)
    progress = Console(stderr=True)
    rows: list[Row] = []
    for subject in only or _SUBJECTS:
        measure: Callable[[Plan], Iterator[Row]] = import_module(f"benchmarks.{subject}").measure
        with progress.status(f"measuring {subject}"):
            for row in measure(plan):
                rows.append(row)
                progress.print(str(row), highlight=False)
    Console(width=None if sys.stdout.isatty() else 120).print(_table(rows))
    if json_path is not None:
        json_path.write_text(json.dumps(_report(rows, plan), indent=2) + "\n")


def _table(rows: list[Row]) -> Table:
    table = Table("what", "hutch", "peer", "peer's figure", "ratio", "target", "met")
    previous = None
    for row in rows:
        is_new = previous is None or row.what != previous.what
        if is_new and previous is not None:
            table.add_section()
        table.add_row(
            row.what if is_new else "",
            str(row.hutch) if is_new else "",
            row.peer,
            "" if row.other is None else str(row.other),
            "" if row.ratio is None else f"{row.ratio:,.3g} ×" if row.ratio < 100 else f"{row.ratio:,.0f} ×",
            "" if row.target is None else str(row.target),
            _VERDICTS[row.is_met],
        )
        previous = row
    return table


def _report(rows: list[Row], plan: Plan) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: version(name) for name in _PACKAGES},
        "quick": plan.quick,
        "rows": [row.as_dict() for row in rows],
    }


if __name__ == "__main__":
    main()
