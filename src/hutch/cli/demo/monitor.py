"""The act of ``hutch demo`` in which the beam is lost, and the monitor notices while the run goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hutch.catalogs import Catalog
    from hutch.catalogs.verdicts import RunVerdict

__all__ = ["Fault", "monitoring", "picture_of", "watch"]

_CHECKS = """\
# What the demo's monitor judges runs by: hutch monitor checks lists the kinds.
[monitor.checks.beam]
check = "Range"
field = "ion_chamber"
low = 40_000
of = "last"
"""
_PLOTS = ("Lines", "ColumnStatistics")
_LOST_AFTER = 12
"""Points with beam."""
_MOST_POINTS = 250
_DELAY_S = 0.1
_LATE_S = 15.0
"""The monitor has drawn the last points within so many seconds of the end of the run."""


@contextmanager
def monitoring(place: str, folder: Path) -> Iterator[Path]:
    """Have a monitor watch the runs that are recorded within this; give the folder of its pictures.

    :param place: the store.
    :param folder: for the monitor's files.
    """
    checks, pictures = folder / "checks.toml", folder / "monitor"
    checks.write_text(_CHECKS)
    options = ["--interval", "0.5", "--workers", "1", "--plots", *_PLOTS, "--serve"]
    options += ["--catalog", place, "--checks", str(checks), "-o", str(pictures)]
    command = [sys.executable, "-m", "hutch.cli", "monitor", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
    try:
        # It says that it watches: from then on it misses nothing.
        while process.stderr is not None and (line := process.stderr.readline()):
            if "Stop with Ctrl-C" in line:
                break
        yield pictures
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=_LATE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class Fault:
    """Takes the beam away in the middle of a run, and sees when a check says so.

    :param lose: takes the beam away.
    :param told: called once, with the verdict and the number of the point that is being taken.
    """

    def __init__(
        self, catalog: Catalog, lose: Callable[[], None], told: Callable[[RunVerdict, int], None]
    ) -> None:
        self._catalog = catalog
        self._lose = lose
        self._told = told
        self._points = 0
        self.is_noticed = False

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Take note of a document."""
        if name != "event":
            return
        self._points = doc["seq_num"]
        if self._points == _LOST_AFTER:
            self._lose()
        if not self.is_noticed and self._points > _LOST_AFTER:
            verdict = self._catalog[-1].verdicts().get("beam")
            if verdict is not None and verdict.verdict == "bad":
                self.is_noticed = True
                self._told(verdict, self._points)


def watch(detectors: list[Any], is_over: Callable[[], bool]) -> Any:
    """Read detectors again and again until it is over."""
    from bluesky import plan_stubs, preprocessors

    def read() -> Iterator[Any]:
        for _ in range(_MOST_POINTS):
            yield from plan_stubs.trigger_and_read(detectors)
            if is_over():
                return
            yield from plan_stubs.sleep(_DELAY_S)

    metadata = {
        "plan_name": "watch",
        "detectors": [one.name for one in detectors],
        "hints": {"dimensions": [(("time",), "primary")]},
    }
    run = preprocessors.run_wrapper(read(), md=metadata)  # type: ignore[no-untyped-call]
    return preprocessors.stage_wrapper(run, detectors)  # type: ignore[no-untyped-call]


def picture_of(catalog: Catalog, pictures: Path) -> Path | None:
    """Return the monitor's picture of the newest run when all of it is drawn; None if that takes too long."""
    row = catalog[-1].row
    until = time.monotonic() + _LATE_S
    while time.monotonic() < until:
        tiles = catalog.store.tiles_of_run(row.id)
        whole = {
            tile.plot: tile for tile in tiles if tile.source.endswith("/primary") and _is_whole(tile.meta)
        }
        if whole.keys() >= {*_PLOTS}:
            base = whole[_PLOTS[0]].base
            return pictures / f"{base}_dqm" / f"{base}_{_PLOTS[0]}.png"
        time.sleep(0.1)
    return None


def _is_whole(meta: bytes) -> bool:
    from hutch.documents import decode

    about = decode(meta)
    return bool(about["is_complete"] and about["fraction"] >= 1)
