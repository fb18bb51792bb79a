"""What requests to hutch's own routes ask for: as whom, of which catalog, and which runs."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.exceptions import HTTPException

from hutch.access import Identity
from hutch.catalogs import Catalog, Run
from hutch.errors import QueryError, RunDeletedError, RunNotFoundError
from hutch.queries import FullText, TimeRange
from hutch.server.access import Gate

__all__ = ["Asked", "Reader", "Searched", "find_catalog", "find_run", "identify", "typed_number"]

_SCAN_ID = re.compile(r"-?\d{1,18}")
_MOST_DIGITS = 18
_EPOCH = re.compile(r"\d{5,}(\.\d*)?")


def identify(request: Request) -> Identity:
    """Return who asks, if he may read.

    :raises HTTPException: if nobody known asks, or somebody who may not.
    """
    gate: Gate = request.app.state.gate
    identity = gate.identify(request)
    if identity is None:
        msg = "A key is needed, as in the header 'Authorization: Apikey …'; this one, or none, is not known."
        raise HTTPException(401, msg, {"WWW-Authenticate": "Apikey"})
    if "read" not in identity.scopes:
        raise HTTPException(403, "The key does not allow to read: it lacks the scope 'read'.")
    return identity


Reader = Annotated[Identity, Depends(identify)]


def find_catalog(request: Request, catalog: str, identity: Reader) -> Catalog:
    """Return a catalog, restricted to what who asks may read.

    :raises CatalogNotFoundError: if there is none of this name.
    """
    gate: Gate = request.app.state.gate
    return gate.open(catalog, identity)


Asked = Annotated[Catalog, Depends(find_catalog)]


def find_searched(
    catalog: Asked,
    query: Annotated[str | None, Query(description="a query in MongoDB's language, as JSON")] = None,
    text: Annotated[str | None, Query(description="words of full text")] = None,
    since: Annotated[str | None, Query(description="a time: s since 1970, or 2019-09-01 12:30")] = None,
    until: Annotated[str | None, Query(description="a time, before which the runs began")] = None,
) -> Catalog:
    """Return the runs of a catalog that are asked for.

    :raises QueryError: if something of it cannot be understood.
    """
    if query is not None:
        catalog = catalog.search(_parsed(query))
    if text is not None:
        catalog = catalog.search(FullText(text))
    if since is not None or until is not None:
        catalog = catalog.search(TimeRange(since=_time(since), until=_time(until)))
    return catalog


Searched = Annotated[Catalog, Depends(find_searched)]


def find_run(catalog: Asked, run: str) -> Run:
    """Return the run of a uid, of the beginning of one, of a scan_id, or of a negative place from the newest.

    :raises LookupFailedError: if there is none, or if several fit.
    """
    if not _SCAN_ID.fullmatch(run):
        return catalog[run]
    try:
        return catalog[int(run)]
    except RunDeletedError:
        raise
    except RunNotFoundError:
        return catalog[run]


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f'{text!r} is no JSON: {error}. Write it as in \'{{"num_points": {{"$gt": 50}}}}\'.'
        raise QueryError(msg) from error
    if not isinstance(found, dict):
        msg = f'{text!r} is no query: a query is a dictionary, as in \'{{"plan_name": "scan"}}\'.'
        raise QueryError(msg)
    return found


def _time(text: str | None) -> str | float | None:
    return float(text) if text is not None and _EPOCH.fullmatch(text) else text


def typed_number(text: str) -> int | None:
    """Return a number that somebody typed into a form; None if it is none."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None
