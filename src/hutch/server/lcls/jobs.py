"""The counters of jobs: read with a token, set at an address that is the permission.

A job finds that address in its variable ``JID_UPDATE_COUNTERS``, and takes it apart as
``<base>/<word>/<experiment>/<secret>``; what it has set so far it reads at
``<base>/<experiment>/get_counters``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hutch.access import Identity
from hutch.errors import AccessDeniedError, JobNotFoundError, QueryError
from hutch.logbook import Job
from hutch.server.books import Book, find_book
from hutch.server.lcls.admission import JOBS, Asker

__all__ = ["UPDATE", "counters_url", "get_counters", "hide_secret", "set_counters"]

UPDATE = "replace_counters"

_SECRET = re.compile(f"(/{JOBS}/+{UPDATE}/+[^/]+/+).+")


def counters_url(server: str, experiment: str, token: str) -> str:
    """Return what a job finds in ``JID_UPDATE_COUNTERS``.

    :param server: scheme and host, and what precedes the paths of a server behind a proxy.
    :param token: that the job was given when it was made.
    """
    return f"{server.rstrip('/')}/{JOBS}/{UPDATE}/{experiment}/{token}"


def hide_secret(path: str) -> str:
    """Return a path as it may be written down: without the secret of a job."""
    return _SECRET.sub(r"\1…", path)


def get_counters(books: Sequence[Book], asker: Asker, experiment: str, given: Any) -> list[dict[str, Any]]:
    """Return what a job shows of itself.

    :param asker: a job, which is told of its experiment, or who may read that.
    :param given: a dictionary with the job's ``_id``; without one it is the job that asks.
    :raises AccessDeniedError: if a job asks about another experiment.
    :raises JobNotFoundError: if there is no such job.
    """
    if not isinstance(given, dict):
        raise QueryError("A dictionary with the '_id' of the job was expected, as JSON.")
    text = str(given.get("_id") or "")
    if asker.job is not None:
        book, job = asker.job
        if job.experiment != experiment:
            msg = f"The token is of a job in another experiment than {experiment!r}."
            raise AccessDeniedError(msg)
        wanted = _number(text, experiment) if text else job.id
        return book.logbook.counters(experiment, wanted)
    identity = asker.identity or Identity("nobody", frozenset())
    found = find_book(books, experiment, identity).logbook.of(identity)
    return found.counters(experiment, _number(text, experiment))


def set_counters(books: Sequence[Book], experiment: str, secret: str, given: Any) -> list[dict[str, Any]]:
    """Let a job show counters of itself, in place of those before.

    :param given: a list of ``{"key": …, "value": …}``.
    :returns: what it shows from now on.
    :raises AccessDeniedError: if the secret is none, or has expired.
    """
    if not isinstance(given, list):
        raise QueryError("A list of counters was expected, as JSON: [{'key': …, 'value': …}].")
    for book in books:
        try:
            job: Job = book.logbook.job_of_token(secret)
        except AccessDeniedError:
            continue
        if job.experiment == experiment:
            return [dict(counter) for counter in book.logbook.set_counters(secret, given).counters]
    raise AccessDeniedError("This is no address of a job's counters, or it has expired.")


def _number(text: str, experiment: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise JobNotFoundError(f"Experiment {experiment!r} has no job {text[:40]!r}.")
    return int(text)
