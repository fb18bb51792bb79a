"""Where a store may live: a look at a folder and at the file system under it."""

from __future__ import annotations

import os
from pathlib import Path

from hutch.errors import ConfigurationError, NetworkFilesystemError, NoStoreError

__all__ = [
    "BACKUP_NOTE",
    "DATABASE",
    "check_folder",
    "has_log",
    "is_backup_folder",
    "is_writable",
    "named_folder",
    "network_filesystem",
]

DATABASE = "hutch.db"
"""Name of the SQLite file in a store's folder; a store is a folder that has one."""

BACKUP_NOTE = "backup.txt"
"""Name of a file in the folder of a backup that tells people what it is."""

_NETWORK = frozenset(
    {
        "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "davfs2", "fhgfs", "fuse.ceph",
        "fuse.glusterfs", "fuse.juicefs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs", "gfs2",
        "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2",
        "smb", "smb2", "smb3", "smbfs", "sshfs", "wekafs",
    }
)  # fmt: skip


def named_folder(where: str | os.PathLike[str]) -> Path:
    """Return the folder of a store that somebody names, from the root on.

    :raises ConfigurationError: if there can be no folder of this name.
    """
    name = os.fspath(where)
    if not name or "\0" in name:
        # An empty name is that of a variable which nobody has set, more likely than this folder's.
        msg = f"A store can't be in {name!r}: name a folder, such as '.' for this one, or an address."
        raise ConfigurationError(msg)
    return Path(name).expanduser().absolute()


def check_folder(folder: Path) -> None:
    """Refuse a place where an SQLite store can't or must not be.

    :raises NoStoreError: if something that is no folder is there.
    :raises NetworkFilesystemError: if the folder is on a network file system, where SQLite's locks
        and shared memory do not work.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{str(folder)!r} is a file; a store is a folder. Make one with: hutch init DIR"
        raise NoStoreError(msg)
    kind = network_filesystem(folder)
    if kind is not None:
        msg = (
            f"{str(folder)!r} is on a network file system ({kind}), where an SQLite store can be "
            "damaged. Use a folder on a local disk, or PostgreSQL for a store that several hosts share."
        )
        raise NetworkFilesystemError(msg)


def network_filesystem(folder: Path) -> str | None:
    """Return the type of the file system under a folder if it is one of the network, else None."""
    import psutil

    place = Path(os.path.realpath(folder))
    longest, kind = -1, ""
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        # Later mounts lie over earlier ones.
        if (place == mount or mount in place.parents) and len(mount.parts) >= longest:
            longest, kind = len(mount.parts), partition.fstype.lower()
    return kind if kind in _NETWORK else None


def is_writable(folder: Path) -> bool:
    """Tell whether files can be made in a folder; False on a read-only mount, for root too."""
    return os.access(folder, os.W_OK | os.X_OK)


def is_backup_folder(folder: Path) -> bool:
    """Tell whether a folder is that of a backup, whose database keeps no log: it may lie anywhere.

    The database itself is not asked: a program must not open a file that SQLite may have open already,
    because closing it would let go of SQLite's locks.
    """
    return (folder / BACKUP_NOTE).exists()


def has_log(path: Path) -> bool:
    """Tell whether an SQLite file has a log with something in it."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0
