"""The logbook of ``hutch demo``: its experiment, what a person and a plan write, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hutch.catalogs import Catalog

__all__ = ["EXPERIMENT", "INSTRUMENT", "make_experiment", "show_logbook", "with_entry", "write_by_hand"]

INSTRUMENT = "DEMO"
EXPERIMENT = "demo1001"
_COLUMNS = ["run_num", "start.plan_name", "start.sample.name", "status", "duration", "dqm.beam", "param.fwhm"]
_AUTHOR = "ada"


def make_experiment(catalog: Catalog) -> None:
    """Make the experiment that the runs belong to, and activate it."""
    from hutch.access import Access

    experiments = Access(catalog.store).experiments
    if EXPERIMENT not in {one.name for one in experiments.all()}:
        experiments.create(
            EXPERIMENT,
            instrument=INSTRUMENT,
            leader="Ada Lovelace",
            description="Lanthanum hexaboride on a simulated beamline",
            is_open=True,
        )
    experiments.activate(EXPERIMENT)


def with_entry(plan: Any, catalog: Catalog) -> Any:
    """Return a plan that does another, and then writes about the brightest point of its run."""
    from hutch.bluesky import post_entry

    yield from plan
    data = catalog[-1].primary.read()
    place = data["fluorescence"].values.argmax()
    x, y = (float(data[name][place]) for name in ("sample_x", "sample_y"))
    plot = f"~~~hutch-plot\nrun: {_number(catalog)}\n~~~"
    text = f"The grain is at x = **{x:g} mm**, y = **{y:g} mm**.\n\n{plot}\n"
    yield from post_entry(text, title="Found the grain", tags="grain alignment")


def write_by_hand(catalog: Catalog) -> None:
    """Write about the scan over the peak, and post how wide that is."""
    from hutch.logbook import Logbook

    book = Logbook(catalog)
    scan = catalog[-1]
    data = scan.primary.read()
    theta, counts = (data[name].values for name in ("theta", "diode"))
    is_high = counts >= counts.max() / 2
    width = float(theta[is_high].max() - theta[is_high].min())
    number = book.run_of(EXPERIMENT, scan.uid).num
    book.add_run_params(EXPERIMENT, number, {"fwhm": round(width, 3)}, author=_AUTHOR)
    book.post(
        EXPERIMENT,
        f"Peak at {theta[counts.argmax()]:.2f}°, {width:.2f}° wide. As it should be.",
        title="Aligned",
        tags="alignment",
        run=number,
        author=_AUTHOR,
    )


def show_logbook(
    catalog: Catalog,
    heading: Callable[[str, str], None],
    write: Callable[[RenderableType], None],
) -> None:
    """Show the entries, oldest first, and the run table.

    :param heading: says what comes, and about it.
    """
    from hutch.cli.views import log as log_views
    from hutch.logbook import Logbook

    book = Logbook(catalog)
    heading("The logbook", "what a person, the plan and the monitor wrote: hutch log list")
    write(log_views.entries_table(reversed(book.entries(EXPERIMENT, limit=12).entries)))
    heading("The run table", "of the experiment: hutch table show")
    write(log_views.data_table(book.table_data(EXPERIMENT, columns=_COLUMNS, limit=12)))


def _number(catalog: Catalog) -> int:
    from hutch.logbook import Logbook

    return Logbook(catalog).run_of(EXPERIMENT, catalog[-1].uid).num
