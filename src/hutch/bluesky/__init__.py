"""Acquisition with Bluesky: a real RunEngine that is wired to a catalog, and the devices of a beamline.

bluesky is an extra, and loaded when the first RunEngine or device is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hutch.bluesky.extra import needing_bluesky

if TYPE_CHECKING:
    from bluesky.utils import Msg

    from hutch.bluesky.devices import Devices
    from hutch.bluesky.engine import CatalogRunEngine
    from hutch.catalogs import Catalog, Run
    from hutch.recording.rules.rules import DeclaredRules

__all__ = ["load_devices", "post_entry", "run_engine", "run_entries"]


def run_engine(
    cat: Catalog,
    *,
    devices: Devices | None = None,
    baseline: Iterable[Any] = (),
    monitors: Iterable[Any] = (),
    required: Sequence[str] = (),
    rules: DeclaredRules | None = None,
    strict: bool = False,
    instrument: str | None = None,
    station: int = 0,
    **options: Any,
) -> CatalogRunEngine:
    """Return a RunEngine whose runs are recorded in a catalog.

    - ``RE.md`` is the catalog's metadata: kept, shared with all processes that use the catalog, nested
      changes included.
    - Runs are numbered without gaps or doubles, however many processes record; a run that is refused
      uses no number.
    - Metadata is checked before anything is emitted, whatever ``RE.md_validator`` does besides. The
      error names every missing or wrong field. ``RE.rules`` holds the rules.
    - With an ``instrument``, each run belongs to the experiment that is active there when it begins, unless
      its metadata name another.
    - Plans write into the logbook with :func:`post_entry`.
    - Devices in ``RE.supplemental.baseline`` are read at the beginning and the end of each run, signals
      in ``RE.supplemental.monitors`` are recorded while it goes on; both lists may be changed any time.

    >>> RE = run_engine(cat, baseline=[sample_x, sample_y], required=["sample"])
    >>> RE(scan([detector], motor, 1, 5, 5), sample="A")

    :param cat: the catalog.
    :param devices: those labelled ``baseline`` go into the ``baseline`` stream; see :func:`load_devices`.
    :param baseline: more devices for the ``baseline`` stream.
    :param monitors: signals that each get a stream of their own.
    :param required: metadata fields without which no run begins.
    :param rules: rules for metadata, a dictionary of them, or a file; those of the catalog if not given.
        Fields in ``required`` are added to them.
    :param strict: abort a run at a document that can't be recorded as it is, instead of marking it.
    :param instrument: where it is, as in ``hutch experiment create NAME --instrument XPP``.
    :param station: of the instrument.
    :param options: of ``bluesky.RunEngine``, such as ``md_validator`` or ``call_returns_result``.
    :raises ConfigurationError: naming everything that is wrong with the rules.
    :raises MissingExtraError: if bluesky is not installed.
    """
    with needing_bluesky("Running plans"):
        from hutch.bluesky.engine import CatalogRunEngine
        from hutch.bluesky.entries import POST_ENTRY, PlanEntries
    if devices is not None and devices.event_loop is not None:
        options.setdefault("loop", devices.event_loop)
    checked = cat.rules if rules is None else rules
    entries = PlanEntries(cat, instrument, station)
    RE = CatalogRunEngine(  # noqa: N806 - as at beamlines
        cat.md, rules=checked, required=required, link=entries.link, **options
    )
    for device in (*baseline, *(devices.baseline if devices is not None else ())):
        if not any(device is known for known in RE.supplemental.baseline):
            RE.supplemental.baseline.append(device)
    RE.supplemental.monitors.extend(monitors)
    RE.subscribe(cat.recorder(strict=strict))  # type: ignore[no-untyped-call]
    # After the recorder, so that the run is there when an entry is attached to it.
    RE.subscribe(entries)  # type: ignore[no-untyped-call]
    RE.register_command(POST_ENTRY, entries.post)  # type: ignore[no-untyped-call]
    return RE


def load_devices(
    path: str | os.PathLike[str],
    *,
    mock: bool = False,
    strict: bool = False,
    timeout_s: float = 10.0,
    creators: Mapping[str, Callable[..., Any]] | None = None,
) -> Devices:
    """Return the devices that a file asks for, made and connected.

    The file is one of ``guarneri`` and BITS: paths of classes, each with a list of keywords. Devices of
    ophyd and of ophyd-async may be mixed; all are connected at once. Modules beside the file can be named
    in it. A device that can't be made or connected is left out, named in ``failures`` and in the log.

    >>> devices = load_devices("devices.yml")
    >>> RE = run_engine(cat, devices=devices)
    >>> RE(scan([devices.diode], devices.theta, 12, 13, 11))

    :param path: of the YAML file.
    :param mock: simulate the process variables, to try things without hardware.
    :param strict: raise if a device can't be made or connected.
    :param timeout_s: how long to wait for connections, > 0.
    :param creators: classes and functions that the file names without a path.
    :raises ConfigurationError: naming all problems of the file, each with its line.
    :raises DevicesFailedError: if ``strict``, naming all devices that are not there.
    :raises MissingExtraError: if bluesky is not installed.
    """
    from pathlib import Path

    with needing_bluesky("Making devices"):
        from hutch.bluesky.loading import load
    place = Path(path).expanduser()
    return load(place, mock=mock, strict=strict, timeout_s=timeout_s, creators=creators or {})


def post_entry(
    text: str,
    *,
    title: str = "",
    tags: Iterable[str] | str = (),
    files: Sequence[Any] = (),
    experiment: str | None = None,
) -> Generator[Msg, Any, Any]:
    """Write an entry of the logbook from within a plan; it is attached to the run that is open.

    >>> def plan():
    ...     yield from scan([diode], theta, 12, 13, 11)
    ...     yield from post_entry("The rocking curve is as it was.", tags="alignment")

    :param text: Markdown.
    :param tags: several, or text in which white space separates them.
    :param files: to attach: paths, pairs of a path and a description.
    :param experiment: its name; that of the run, or the one that is active where the RunEngine is, if not
        given.
    :returns: the entry, a :class:`hutch.logbook.Entry`, from ``yield from``.
    :raises ExperimentNotFoundError: in the plan, if nobody says which experiment.
    """
    with needing_bluesky("Running plans"):
        from hutch.bluesky.entries import entry_message
    return (yield entry_message(text, title=title, tags=tags, files=files, experiment=experiment))


def run_entries(
    cat: Catalog, *, tags: Iterable[str] | str = (), describe: Callable[[Run], str] | None = None
) -> Callable[[str, Mapping[str, Any]], None]:
    """Return a callback that writes an entry about each run when it has ended.

    It is written once, also if the callback gets the run again. What goes wrong is logged: a logbook that
    cannot be written stops no plan. Runs that belong to no experiment have no entry.

    >>> RE.subscribe(hutch.bluesky.run_entries(cat, tags="scan"))

    :param cat: the catalog in which the runs are recorded; subscribe its recorder first.
    :param describe: returns what is said of a run, Markdown; else its plan, status, duration and points.
    """
    from hutch.bluesky.entries import RunEntries

    return RunEntries(cat, tags, describe)
