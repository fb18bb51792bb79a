"""``hutch plot``: a picture of one run."""

from __future__ import annotations

from pathlib import Path

import click

from hutch.cli.options import command, find_run, in_store, open_existing, run_argument


@command("hutch plot -1 -o newest.png", takes_run=True)
@run_argument()
@click.option("-o", "--output", metavar="FILE.png", type=click.Path(dir_okay=False, path_type=Path), help=(
    "The picture; PNG, SVG or PDF by its ending, PNG without one.  [default: run-<scan_id>-<uid>.png]"
))  # fmt: skip
@click.option("--stream", help="Which stream; else the one the hints name, else primary.")
@click.option(
    "--x", "x_key", metavar="KEY", help="What to plot against; else what the hints name, else time."
)
@click.option("--y", "y_keys", metavar="KEY", multiple=True, help="What to plot; may be given again.")
@in_store
def plot(
    key: str,
    output: Path | None,
    stream: str | None,
    x_key: str | None,
    y_keys: tuple[str, ...],
    store: str | None,
) -> None:
    """Draw a picture of one run: lines, or an image of a grid.

    RUN is a uid or its beginning, a scan_id, or -1 for the newest run. The hints in the documents say
    what is drawn; without hints it is every number against time.
    """
    from hutch.catalogs.showing.plotting import draw, save

    run = find_run(open_existing(store), key)
    scan = "" if run.scan_id is None else f"{run.scan_id}-"
    path = output or Path(f"run-{scan}{run.uid[:8]}.png")
    click.echo(str(save(draw(run, stream=stream, x=x_key, y=y_keys), path)))
