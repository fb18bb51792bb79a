"""Checks tried over many runs and files at a time, which the workers of a scheduler of dask read.

A check looks after each part of a source, in order; so a source is one task, and many are replayed at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hutch.catalogs import Catalog
from hutch.monitor.checks.finding import Kinds, find_checks
from hutch.monitor.checks.settings import ConfiguredCheck, Tables, make_checks
from hutch.monitor.observing import sentence_of
from hutch.monitor.plugins.modules import find_origins
from hutch.monitor.reading.run_sources import catalog_at
from hutch.monitor.sources import Sighting
from hutch.monitor.verdicts.found import source_name
from hutch.monitor.verdicts.replaying import Replayed, replay_sightings, scan_id_of
from hutch.monitor.verdicts.trying import known_plots

__all__ = ["replay_elsewhere", "replay_one"]

_TRIES = 3


def replay_elsewhere(
    sightings: Sequence[Sighting],
    checks: Sequence[ConfiguredCheck],
    tables: Tables,
    client: Any,
    *,
    catalog: Catalog | None = None,
    plugins: Sequence[str] = (),
    post: bool = False,
) -> Iterator[list[Replayed]]:
    """Yield what checks would have said of each source, in the order of the sources.

    A source whose worker died again and again says so, and the others go on.

    :param checks: those that look.
    :param tables: what they were made of; the workers make them anew.
    :param client: of ``dask.distributed``; its workers see the same files and stores, and have hutch.
    :param catalog: that references are in, and that verdicts are posted to.
    :param plugins: folders, files and modules of plots and checks, as the workers see them.
    :param post: post the last verdict of each check to the run that the source is of.
    """
    chosen = {one.name: tables[one.name] for one in checks}
    address = "" if catalog is None else catalog.store.location
    places = tuple(map(str, find_origins(plugins)))
    tasks = [
        client.submit(replay_one, one, chosen, places, address, post, pure=False, retries=_TRIES - 1)
        for one in sightings
    ]
    for sighting, task in zip(sightings, tasks, strict=True):
        try:
            yield task.result()
        except Exception as error:  # whatever the worker met, or that it died again and again
            yield [_failed(sighting, one, error, catalog) for one in checks]
        task.release()


def replay_one(
    sighting: Sighting, tables: Tables, plugins: tuple[str, ...], address: str, post: bool
) -> list[Replayed]:
    """Return what checks would have said of one source; called in a worker.

    :param address: of the store that references are in and verdicts go to; empty if there is none.
    """
    checks = make_checks(tables, _kinds(plugins), "the checks")
    catalog = catalog_at(address) if address else None
    return list(replay_sightings([sighting], checks, known_plots(plugins), catalog=catalog, post=post))


def _failed(
    sighting: Sighting, check: ConfiguredCheck, error: Exception, catalog: Catalog | None
) -> Replayed:
    scan_id = scan_id_of(sighting, catalog)
    return Replayed(source_name(sighting), sighting.run, scan_id, check.name, problem=sentence_of(error))


@cache
def _kinds(plugins: tuple[str, ...]) -> Kinds:
    return find_checks(find_origins(plugins))
