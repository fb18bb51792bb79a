"""Entries of a logbook, the files that are attached to them, and the runs that they are about."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

from hutch.elog.auth import get_elog_auth
from hutch.elog.logging import logger
from hutch.elog.requesting import SUCCESS, elog_http_request, request_as
from hutch.errors import ElogFileFormatError

if TYPE_CHECKING:
    from requests.auth import HTTPBasicAuth

__all__ = ["format_file_for_post", "get_elog_runs_by_tag", "post_elog_message"]

Attachment = str | tuple[Any, ...] | list[Any]


def format_file_for_post(in_file: Attachment) -> tuple[str, tuple[str, BinaryIO, str]]:
    """Open a file and return it as ``requests`` takes it in ``files``; whoever asks for it closes it.

    :param in_file: its path, or a pair of path and description; the description is its name in the logbook.
    :returns: ``("files", (name, file, type))``.
    :raises ElogFileFormatError: if it is neither.
    :raises OSError: if the file can't be opened.
    """
    path, name = _path_and_name(in_file)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return "files", (name, open(path, "rb"), kind)


def post_elog_message(
    exp: str,
    msg: str,
    *,
    tag: str | None,
    title: str | None,
    in_files: list[Attachment] = [],  # noqa: B006 - the default is part of the interface, and only read
) -> str | None:
    """Write an entry into the logbook of an experiment.

    :param msg: its text.
    :param tag: if any; white space separates several.
    :param in_files: what is attached, each as :func:`format_file_for_post` takes it.
    :returns: None, or what went wrong; then nothing was written, unless the answer was lost.
    """
    form = {"log_text": msg}
    if tag:
        form["log_tags"] = tag
    if title:
        form["log_title"] = title
    with ExitStack() as opened:
        files = []
        for in_file in in_files:
            try:
                files.append(format_file_for_post(in_file))
            except (ElogFileFormatError, OSError) as error:
                logger.error("Nothing is posted to the logbook of %s: %s", exp, error)
                return f"Nothing was posted to eLog, as a file can't be attached: {error}"
            opened.enter_context(files[-1][1][1])
        sent: dict[str, Any] = {"data": form, "files": files} if files else {"data": form}
        _, outcome, _ = elog_http_request(
            exp=exp, endpoint=f"{exp}/ws/new_elog_entry", request_type="POST", **sent
        )
    return None if outcome == SUCCESS else outcome


def get_elog_runs_by_tag(
    exp: str, tag: str, auth: HTTPBasicAuth | Mapping[str, str] | None = None
) -> list[int]:
    """Return the numbers of the runs that entries with a tag are about.

    :param auth: as whom the logbook is asked; else as whoever may speak about the experiment.
    :returns: none if the logbook can't be asked; why not is logged.
    """

    def identify() -> HTTPBasicAuth | Mapping[str, str]:
        return get_elog_auth(exp) if auth is None else auth

    _, outcome, runs = request_as(
        identify, f"{exp}/ws/get_runs_with_tag", request_type="GET", params={"tag": tag}
    )
    if outcome != SUCCESS:
        logger.error("No runs with the tag %r: %s", tag, outcome)
    return [int(run) for run in runs or []]


def _path_and_name(in_file: object) -> tuple[str, str]:
    match in_file:
        case str() | os.PathLike():
            path = os.fspath(in_file)
            return str(path), os.path.basename(path)
        case (str() | os.PathLike() as path, str(name)):
            return str(os.fspath(path)), name
    msg = f"Unrecognized format: {in_file!r}. Give a path, or a pair of path and description."
    raise ElogFileFormatError(msg)
