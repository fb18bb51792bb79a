"""What a monitor needs to judge data and to say so: who looks at plots, and who is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hutch.catalogs import Catalog
from hutch.config import configuration
from hutch.errors import ConfigurationError
from hutch.monitor.checks.settings import read_tables
from hutch.monitor.observing import Observer, Publisher
from hutch.monitor.plugins.modules import find_origins
from hutch.monitor.verdicts.attaching import Attachments
from hutch.monitor.verdicts.judging import CheckObserver
from hutch.monitor.verdicts.keeping import VerdictKeeper
from hutch.monitor.verdicts.probing import Probed, probe
from hutch.monitor.verdicts.publishing import Publishers, TilePublisher

__all__ = ["Judging", "set_up_judging"]


@dataclass(frozen=True)
class Judging:
    """Who looks at plots, and who is told how they stand; to be given to a monitor, and left after it.

    :ivar observers: none if no checks are set up.
    :ivar publisher: None if nobody is to be told.
    :ivar probed: the checks that are set up, and what is broken.
    """

    observers: tuple[Observer, ...]
    publisher: Publisher | None
    probed: Probed
    keeper: VerdictKeeper | None = None

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of the checks that are set up."""
        return tuple(self.probed.plots)

    def rest(self) -> None:
        """Do what is to be done between cycles: keep what plots have accumulated of what is complete."""
        if self.keeper is not None:
            self.keeper.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.keeper is not None:
            self.keeper.settle(all_of_them=True)


def set_up_judging(
    out: str | os.PathLike[str],
    *,
    checks: str | os.PathLike[str] | None = None,
    plugins: Sequence[str] = (),
    catalog: Catalog | None = None,
    attach: str = "",
    serve: bool = False,
    limit_s: float = 60.0,
) -> Judging:
    """Return what lets checks judge what a monitor sees.

    :param out: the folder of the monitor's pictures.
    :param checks: a TOML file with tables ``[monitor.checks.NAME]``; else those of ``hutch.toml``.
    :param plugins: folders, files and modules that bring kinds of checks.
    :param catalog: of the runs that verdicts are posted to, and of references.
    :param attach: ``open`` lets files that no run names belong to the run that is open.
    :param serve: keep how plots stand in the catalog, for the page of the monitor.
    :param limit_s: how long it may take to load a plug-in, s.
    :raises ConfigurationError: naming everything that is wrong with the checks; or if ``attach`` or ``serve``
        need a catalog, and there is none.
    """
    if attach not in ("", "open"):
        msg = f"Files cannot be attached to {attach!r} runs. Give open, or nothing."
        raise ConfigurationError(msg)
    if catalog is None and (attach or serve):
        msg = "To serve tiles, and to attach files to runs, it takes a catalog. Name its store."
        raise ConfigurationError(msg)
    where, tables = str(checks), {} if checks is None else read_tables(checks)
    if checks is None:
        path, settings = configuration()
        where, tables = str(path), settings.monitor.checks
    folder = Path(out).absolute()
    probed = probe(tables, where, find_origins(plugins), limit_s)
    store = None if catalog is None else catalog.store
    attachments = None if store is None else Attachments(store, attach_open=attach == "open")
    publishers: list[Publisher] = []
    observers: list[Observer] = []
    keeper = None
    if probed.plots:
        address = None if store is None else store.location
        observers.append(
            CheckObserver(tables, where, tuple(plugins), folder, address, attach == "open", probed.left_out)
        )
        keeper = VerdictKeeper(folder, store, attachments)
        publishers.append(keeper)
    if serve and store is not None:
        publishers.append(TilePublisher(store, attachments))
    publisher = Publishers(*publishers) if publishers else None
    return Judging(tuple(observers), publisher, probed, keeper)
