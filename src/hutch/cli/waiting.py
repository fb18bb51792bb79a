"""A word about documents that a store could not take, and that wait in a file."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import click

from hutch.config import spool_folder

if TYPE_CHECKING:
    from hutch.store import Store

__all__ = ["say_what_waits"]


def say_what_waits(store: Store) -> None:
    """Say on stderr if files of dead processes wait to be taken into a store."""
    if not any(spool_folder().glob("*.jsonl")):
        return
    from hutch.cli.format import counted
    from hutch.recording.spooling import spool

    files = spool.abandoned_files(spool.mark_of(store), anywhere=True)
    if files:
        names = f"{quote(str(files[0].parent))}/*{store.uid}*"
        click.echo(
            f"Not here yet: {counted(len(files), 'file')} of documents that came while the store was away. "
            f"The next recorder takes them in, or: hutch import {names} --store {quote(store.location)}",
            err=True,
        )
