"""Backups of a store, and stores made of them again.

A backup is itself a store in a folder, whatever the store it is made of is kept in. It can be opened, read
and verified like any other; only its database keeps no write-ahead log, so that it may lie where a live
store must not, on a network file system.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace

from hutch.errors import NoStoreError, StoreError
from hutch.store.copies.copied import Copied, Report, what_was_copied
from hutch.store.copies.copy_places import (
    Where,
    check_apart,
    look,
    open_side,
    open_target,
    shown,
    target_folder,
)
from hutch.store.copies.copying import Copier
from hutch.store.copies.loose_copying import copy_properties
from hutch.store.folder_lock import FolderLock
from hutch.store.opening import open_store
from hutch.store.roles import COPY, RESTORED_FROM, Copy, Purpose, is_backup

__all__ = ["back_up", "restore"]


def back_up(where: Where, folder: Where, report: Report | None = None, *, full: bool = False) -> Copied:
    """Make a backup of a store, or bring one up to date; the store may be in use.

    What the folder has already is not copied again. A backup that was interrupted goes on.

    :param where: the store: a folder or an address.
    :param folder: of the backup; it is made if it is not there.
    :param report: called with the progress now and then.
    :param full: read all of the backup and compare it with the store, instead of only what has changed.
    :raises StoreError: if the folder is the store's own, or has something else in it, or another process
        writes a backup into it.
    :raises StoreFullError: if there is no room.
    """
    began = time.monotonic()
    with contextlib.closing(open_store(where, create=False)) as store:
        wanted = Copy(Purpose.BACKUP, store.uid, store.location)
    with contextlib.closing(open_side(where)) as source:
        check_apart(folder, source)
        with open_target(target_folder(folder), wanted) as target:
            copier = Copier(source, target, full=full, report=report)
            copier.catch_up()
            copier.finish(lambda tables, copy: copy_properties(tables, **{COPY: copy.text}))
            return what_was_copied(copier, source, target, began)


def restore(
    backup: Where,
    to: Where,
    files: Where | None = None,
    *,
    unfinished: bool = False,
    report: Report | None = None,
) -> Copied:
    """Make a live store of a backup; it gets a uid of its own. One that was interrupted goes on.

    :param backup: its folder.
    :param to: a new folder, or the address of a database; an empty store may be there.
    :param files: the folder of files for a database in which there is no store yet.
    :param unfinished: take a backup that is not complete, as after the loss of the store that it was
        being made of. Each run in it is whole, as it was at some moment.
    :param report: called with the progress now and then.
    :raises NoStoreError: if there is no backup.
    :raises StoreError: if it is not complete, or the new place is not empty.
    """
    began = time.monotonic()
    folder = target_folder(backup)
    properties = look(folder)
    if properties is None:
        msg = f"There is no backup in {str(folder)!r}."
        raise NoStoreError(msg)
    if not is_backup(properties):
        msg = (
            f"{str(folder)!r} is a store and no backup. Make a backup of it with: hutch backup {folder} DIR, "
            f"or take it elsewhere with: hutch move {folder} DIR"
        )
        raise StoreError(msg)
    with FolderLock(folder, shared=True), contextlib.closing(open_side(folder)) as source:
        properties = source.properties()
        copy = Copy.parse(properties[COPY])
        if not copy.is_complete and not unfinished:
            msg = (
                f"{str(folder)!r} is an unfinished backup. Run it again: hutch backup {copy.source} {folder} "
                f"(if that store is lost, take what is there: "
                f"hutch restore --unfinished {folder} {shown(to)})"
            )
            raise StoreError(msg)
        check_apart(to, source)
        wanted = Copy(Purpose.RESTORE, properties["store"], str(folder))
        origin = {"store": copy.of, "source": copy.source, "backup": str(folder), "moment": copy.moment}
        ending = {COPY: None, RESTORED_FROM: json.dumps(origin)}
        with open_target(to, wanted, files) as target:
            copier = Copier(source, target, report=report)
            copier.catch_up()
            copier.finish(lambda tables, _: copy_properties(tables, **ending))
            done = what_was_copied(copier, source, target, began)
            return replace(done, moment=copy.moment or done.moment)
