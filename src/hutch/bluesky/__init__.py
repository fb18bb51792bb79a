"""Acquisition with Bluesky: a real RunEngine that is wired to a catalog.

bluesky is an extra, and loaded when the first RunEngine is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hutch.errors import MissingExtraError

if TYPE_CHECKING:
    from hutch.bluesky.engine import CatalogRunEngine
    from hutch.catalogs import Catalog
    from hutch.recording.rules import Rules

__all__ = ["run_engine"]


def run_engine(
    cat: Catalog,
    *,
    baseline: Iterable[Any] = (),
    monitors: Iterable[Any] = (),
    required: Sequence[str] = (),
    rules: Rules | None = None,
    strict: bool = False,
    **options: Any,
) -> CatalogRunEngine:
    """Return a RunEngine whose runs are recorded in a catalog.

    - ``RE.md`` is the catalog's metadata: kept, shared with all processes that use the catalog, nested
      changes included.
    - Runs are numbered without gaps or doubles, however many processes record; a run that is refused
      uses no number.
    - Metadata is checked before anything is emitted, whatever ``RE.md_validator`` does besides. The
      error names every missing or wrong field. ``RE.rules`` holds the rules.
    - Devices in ``RE.supplemental.baseline`` are read at the beginning and the end of each run, signals
      in ``RE.supplemental.monitors`` are recorded while it goes on; both lists may be changed any time.

    >>> RE = run_engine(cat, baseline=[sample_x, sample_y], required=["sample"])
    >>> RE(scan([detector], motor, 1, 5, 5), sample="A")

    :param cat: the catalog.
    :param baseline: devices for the ``baseline`` stream.
    :param monitors: signals that each get a stream of their own.
    :param required: metadata fields without which no run begins.
    :param rules: rules for metadata; fields in ``required`` are added to them.
    :param strict: abort a run at a document that can't be recorded as it is, instead of marking it.
    :param options: of ``bluesky.RunEngine``, such as ``md_validator`` or ``call_returns_result``.
    :raises MissingExtraError: if bluesky is not installed.
    """
    try:
        from hutch.bluesky.engine import CatalogRunEngine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "bluesky":
            raise
        msg = "Running plans needs bluesky. Install it with: pip install 'hutch[bluesky]'"
        raise MissingExtraError(msg) from error
    RE = CatalogRunEngine(cat.md, rules=rules, required=required, **options)  # noqa: N806 - as at beamlines
    RE.supplemental.baseline.extend(baseline)
    RE.supplemental.monitors.extend(monitors)
    RE.subscribe(cat.recorder(strict=strict))  # type: ignore[no-untyped-call]
    return RE
