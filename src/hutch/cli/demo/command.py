"""``hutch demo``: a small experiment from the first scan to the picture."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hutch.cli.options import command, complete_store
from hutch.config import state_folder, store_location

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run
    from hutch.catalogs.verdicts import RunVerdict

__all__ = ["demo"]

_FOLDER = "demo-store"
_FRAMES = "camera"
_PORT = 8000
_FILE = click.Path(exists=True, path_type=Path)
_LATE_S = 15.0
"""The process that follows ends within so many seconds of the run it follows."""


@command("hutch demo --store demo-store")
@click.option("--store", metavar="STORE", shell_complete=complete_store, help=(
    "Folder or address of the store for the runs.  [default: ./demo-store]"
))  # fmt: skip
@click.option("--import", "files", metavar="FILE", type=_FILE, multiple=True, help=(
    "Import a file of real runs as well; may be given again."
))  # fmt: skip
@click.option("--no-serve", is_flag=True, help="Do not show the runs in a browser at the end.")
@click.option("--port", type=click.IntRange(0, 65535), help=(
    "Port of the pages.  [default: 8000, or one that is free]"
))  # fmt: skip
def demo(store: str | None, files: tuple[Path, ...], no_serve: bool, port: int | None) -> None:
    """Record simulated scans, follow one live, monitor one, log them, and read them back.

    A real RunEngine with simulated devices does a count, a scan that a second process follows, a scan
    that fails on purpose, a run that loses the beam, which the monitor notices, one with a camera, and a
    grid, in an experiment that has a logbook. It takes about twenty seconds. At a terminal the runs are then
    served as pages, until Ctrl-C. Needs: pip install 'hutch[bluesky,files,server]'
    """
    from hutch.catalogs import Catalog
    from hutch.store import open_store

    _quiet()
    place = store_location(store) if store else str(_default_place())
    with Catalog(open_store(place)) as catalog:
        show = _Show(catalog, place)
        show.record()
        for file in files:
            show.bring_in(file)
        show.read_back()
    if not no_serve and sys.stdout.isatty():
        _serve(place, port)


class _Show:
    """The acts of the demo, and what is said between them."""

    def __init__(self, catalog: Catalog, place: str) -> None:
        from hutch.bluesky import run_engine
        from hutch.cli.demo import logbook as demo_logbook
        from hutch.cli.format import console

        self._catalog = catalog
        self._place = place
        self._console = console()
        self._act = 0
        # Asked for first: it says what to install if bluesky is not there.
        self._engine = run_engine(catalog, required=["sample"], instrument=demo_logbook.INSTRUMENT)
        demo_logbook.make_experiment(catalog)
        from hutch.cli.demo.camera import Camera
        from hutch.cli.demo.devices import Beamline

        self._beamline = line = Beamline()
        # Into the store's folder, or beside whoever uses a database.
        self._folder = Path() if "://" in place else Path(place)
        frames = (self._folder / _FRAMES).absolute()
        self._camera = Camera("camera", frames, lambda: 240 * (line.theta.position - 12.43), lambda: 0.0)
        self._engine.supplemental.baseline.extend(self._beamline.baseline)
        self._engine.md["proposal_id"] = 30417

    def record(self) -> None:
        """Do all runs."""
        from bluesky import plans

        from hutch.cli.demo.logbook import with_entry, write_by_hand

        line = self._beamline
        sample = {"name": "LaB6", "composition": "lanthanum hexaboride"}
        self._say(f"A simulated beamline, recorded into the store {self._place}")
        self._heading("Count", "the diode, five times")
        self._run(plans.count([line.diode], 5), sample=sample, purpose="dark current")
        self._heading("Scan", "over a diffraction peak, followed by a second process: hutch follow")
        with self._follower():
            # What came of it is said by the other process.
            self._engine(plans.scan([line.diode], line.theta, 12.0, 12.8, 25), sample=sample)
        write_by_hand(self._catalog)
        self._heading("A scan that fails", "because it would drive the stage into its limit switch")
        self._run(plans.scan([line.fluorescence], line.sample_x, 0, 6, 13), sample=sample)
        self._heading("Monitor", "the beam is lost while a run goes on: hutch monitor --catalog --serve")
        self._monitored(sample)
        self._heading("Camera", "a scan whose frames stay in the camera's own HDF5 file")
        self._run(plans.scan([self._camera, line.diode], line.theta, 12.1, 12.7, 13), sample=sample)
        self._heading("Grid", "a map of a grain, with a baseline, and an entry that the plan writes")
        grain = {**sample, "name": "LaB6 grain 3"}
        self._run(
            with_entry(self._map(plans.grid_scan), self._catalog), sample=grain, purpose="find the grain"
        )

    def bring_in(self, file: Path) -> None:
        """Import a file of runs."""
        from hutch.cli.importing import import_one, import_sentences

        self._heading("Import", "real runs from a file")
        for sentence in import_sentences(import_one(self._catalog.store, file)):
            self._say(sentence)

    def read_back(self) -> None:
        """Show the runs as a table, find one, read and draw the newest, and say what to try next."""
        from hutch.catalogs.showing.plotting import draw, save
        from hutch.cli import format
        from hutch.cli.demo.logbook import show_logbook
        from hutch.cli.views import runs as views

        self._heading("The runs", "the newest first: hutch runs")
        format.write(views.runs_table([views.RunLine.of(run) for run in self._catalog[::-1][:12].runs()]))
        self._heading("Found again", "by a word of the metadata: hutch runs grain --sort=-num_points")
        grains = self._catalog.search({"$text": {"$search": "grain"}, "stop.exit_status": "success"})
        for found in grains.values():
            self._say(repr(found))
        run = self._newest()
        self._heading("The newest run as xarray", "cat[-1].primary.read()")
        self._say(repr(run.primary.read()))
        self._heading("A frame of the camera, and no other", "cat[-2].primary['camera'][6]")
        seen = self._catalog[-2]
        frame = seen.primary.data["camera"][6]
        self._say(repr(seen.primary.data["camera"]))
        self._say(f"{frame.shape} of {frame.dtype}, {frame.mean():.1f} counts a pixel, {frame.max()} at most")
        self._heading("And as pictures", "hutch plot -1, hutch plot -2")
        for one in (run, seen):
            path = save(draw(one), self._folder / f"run-{one.scan_id}-{one.start['plan_name']}.png")
            self._say(str(path))
        show_logbook(self._catalog, self._heading, format.write)
        self._try_next()

    def _monitored(self, sample: dict[str, str]) -> None:
        """Do a run that loses the beam; a monitor in another process says so while it goes on."""
        from hutch.cli.demo.monitor import Fault, monitoring, picture_of, watch

        line = self._beamline

        def lose() -> None:
            line.has_beam = False

        def told(verdict: RunVerdict, point: int) -> None:
            self._say(
                f"while point {point} is taken: {verdict.name} is {verdict.verdict}: {verdict.sentence}"
            )

        fault = Fault(self._catalog, lose, told)
        with monitoring(self._place, self._folder) as pictures:
            token = self._engine.subscribe(fault)  # type: ignore[no-untyped-call]
            try:
                self._run(watch([line.ion_chamber], lambda: fault.is_noticed), sample=sample)
            finally:
                self._engine.unsubscribe(token)  # type: ignore[no-untyped-call]
                line.has_beam = True
            picture = picture_of(self._catalog, pictures)
        if picture is not None:
            self._say(str(picture))

    def _map(self, grid_scan: Callable[..., Any]) -> Any:
        line = self._beamline
        x, y = (line.sample_x, -1.5, 2.5, 33), (line.sample_y, -2.0, 1.5, 29)
        return grid_scan([line.fluorescence], *y, *x, snake_axes=True)

    def _run(self, plan: Any, **metadata: Any) -> None:
        """Run a plan, and say in one line what came of it."""
        from rich.text import Text

        from hutch.cli.format import counted, duration, status_text, value_text

        # A plan that fails raises here, after the RunEngine has ended its run and recorded why.
        error = _outcome(lambda: self._engine(plan, **metadata))
        run = self._newest()
        stop = run.stop
        if stop is None:
            raise error or RuntimeError
        summary = run.summary()
        line = Text.assemble(f"run {run.scan_id}  ", (run.uid[:8], "cyan"), "  ", status_text(run.status))
        line.append(f" · {counted(summary.points, 'point')} · {duration(stop['time'] - run.start['time'])}")
        self._console.print(line)
        if stop.get("reason"):
            self._console.print(Text(value_text(stop["reason"]), style="red"))

    @contextmanager
    def _follower(self) -> Iterator[None]:
        """Have a second process print the next run as it is recorded."""
        command = [sys.executable, "-m", "hutch.cli", "follow", "--store", self._place]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
        try:
            # It says that it waits: from then on it misses nothing.
            if process.stderr is not None:
                process.stderr.readline()
            yield
            process.communicate(timeout=_LATE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _newest(self) -> Run:
        return self._catalog[-1]

    def _try_next(self) -> None:
        hutch, store = _command(), shlex.quote(self._place)
        self._heading("What to try next")
        for arguments in (
            f"runs LaB6 --sort=-num_points --store {store}",
            f"show -1 --store {store}",
            f"plot -3 -o scan.png --store {store}",
            f"log search t:alignment --store {store}",
            f"verify {store}",
        ):
            self._say(f"  {hutch} {arguments}")
        self._say("and in Python:")
        self._say("  import hutch")
        self._say(f"  cat = hutch.open_catalog({self._place!r})")
        self._say("  cat[-1].primary.to_pandas()")

    def _heading(self, what: str, about: str = "") -> None:
        from rich.text import Text

        line = Text(f"\n{what}", style="bold")
        if about:
            line.append(f"  {about}", style="not bold dim")
        self._console.print(line)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def _serve(place: str, port: int | None) -> None:
    """Serve the runs until Ctrl-C; a program that starts the demo is not kept waiting."""
    from rich.text import Text

    from hutch.cli.format import console
    from hutch.cli.serve import serve

    console().print(Text("\nAnd in a browser", style="bold").append("  hutch serve", style="not bold dim"))
    click.get_current_context().invoke(
        serve, store=place, host="127.0.0.1", port=_free_port() if port is None else port, workers=1
    )


def _free_port() -> int:
    """Return the usual port, or if somebody listens there 0, which stands for any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _PORT))
        except OSError:
            return 0
    return _PORT


def _outcome(action: Callable[[], object]) -> Exception | None:
    try:
        action()
    except Exception as error:  # whatever a plan raises
        return error
    return None


def _default_place() -> Path:
    """Return ``demo-store`` in the working folder, or on a local disk if that is on none."""
    from hutch.store.places import network_filesystem

    places = [Path(_FOLDER), state_folder() / _FOLDER, Path(tempfile.gettempdir()) / _FOLDER]
    found = next((place for place in places if network_filesystem(place) is None), places[0])
    if found is not places[0]:
        click.echo(f"The working folder is on a network file system; the store is {found}", err=True)
    return found


def _command() -> str:
    """Return how this ``hutch`` is called from the working folder."""
    here = Path(sys.argv[0])
    found = shutil.which("hutch")
    if here.name != "hutch" or not here.exists() or (found and here.samefile(found)):
        return "hutch"
    near = os.path.relpath(here)
    return shlex.quote(str(here) if near.startswith(os.pardir) else near)


def _quiet() -> None:
    """Keep what bluesky and ophyd log from the terminal: the demo says itself what happens."""
    for name in ("bluesky", "ophyd"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
