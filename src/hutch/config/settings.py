"""The tree of settings: every field with what it means, what it may hold, and what it is by default.

A class is a table of ``hutch.toml``, a field a key in it. The page ``docs/reference/configuration.md`` says
the same, and a test compares them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from hutch.config.kinds import (
    BYTES,
    CHECKS,
    FILE,
    FOLDER,
    FOLDERS,
    HEADER,
    MAILBOX,
    MAILBOXES,
    NETWORKS,
    PATH,
    PLACE,
    PRINCIPAL,
    REALM,
    ROOT_MAP,
    SCHEDULER,
    SECONDS,
    SERVER,
    SWITCH,
    VARIABLE,
    WEB,
    Kind,
)

__all__ = [
    "CatalogSettings",
    "Declared",
    "ElogSettings",
    "FilesSettings",
    "LogbookSettings",
    "MonitorSettings",
    "RecordingSettings",
    "ServerSettings",
    "Settings",
    "SpoolSettings",
    "declared",
]

_Table = TypeVar("_Table")

_HERE = "hutch"
_REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Declared:
    """What is said about a setting.

    :ivar name: its key.
    :ivar description: what it means, for people.
    :ivar default: what it is if nobody says, for people; empty if somebody must.
    :ivar environment: the variable that goes before the file, if there is one.
    """

    name: str
    kind: Kind
    description: str
    default: str
    environment: str


def declared(table: type) -> Iterator[Declared]:
    """Yield what is said about each setting in a table."""
    for field in dataclasses.fields(table):
        if _HERE in field.metadata:
            yield Declared(field.name, *field.metadata[_HERE])


def _setting(
    kind: Kind,
    description: str,
    default: Any = _REQUIRED,
    *,
    shown: str = "",
    environment: str = "",
) -> Any:
    """Return the field of a setting.

    :param shown: the default, for people.
    """
    metadata = {_HERE: (kind, description, shown, environment)}
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    make: Callable[[], Any] = lambda: default  # noqa: E731
    return dataclasses.field(default_factory=make, metadata=metadata)


@dataclass(frozen=True, slots=True)
class CatalogSettings:
    """A catalog, ``[catalogs.csx.raw]``; tables above it, as ``catalogs.csx``, are folders of catalogs.

    :ivar path: where it is in the tree, as in ``"csx/raw"``; empty if it has no name.
    """

    store: str = _setting(PLACE, "folder or address of its store")
    root_map: Mapping[str, str] = _setting(
        ROOT_MAP, "folders of detector files that have moved, old to new", MappingProxyType({}), shown="`{}`"
    )
    datetimes: bool = _setting(
        SWITCH,
        "whether times of streams are datetime64[ns] instead of seconds since 1970",
        False,
        shown="`false`",
    )
    api_key_env: str | None = _setting(
        VARIABLE,
        "environment variable that holds the key, if the store is behind a server of hutch",
        None,
        shown="no key",
    )
    files: Path | None = _setting(
        FOLDER,
        "with a database: its folder of large batches, as this host sees it",
        None,
        shown="what the database says",
        environment="HUTCH_FILES",
    )
    path: str = ""

    @property
    def name(self) -> str:
        """What people call it: the last name of its path, else ``raw``."""
        return self.path.rpartition("/")[2] or "raw"


@dataclass(frozen=True, slots=True)
class ElogSettings:
    """The logbook that ``hutch.elog`` speaks to, ``[elog]``; by default that of LCLS, as seen at S3DF."""

    url: str = _setting(
        WEB,
        "scheme and host of the logbook; the paths below are those of LCLS",
        "https://pswww.slac.stanford.edu",
        shown='`"https://pswww.slac.stanford.edu"`',
        environment="HUTCH_ELOG_URL",
    )
    password_file: Path = _setting(
        FILE,
        "file whose first line is the password of the instruments' operators",
        Path("/sdf/group/lcls/ds/tools/forElogPost.txt"),
        shown='`"/sdf/group/lcls/ds/tools/forElogPost.txt"`',
        environment="HUTCH_ELOG_PASSWORD_FILE",
    )
    principal: str | None = _setting(
        PRINCIPAL,
        "the logbook's name in Kerberos",
        None,
        shown="HTTP@ and the host of `url`",
        environment="HUTCH_ELOG_PRINCIPAL",
    )
    timeout_s: float = _setting(
        SECONDS,
        "for how many seconds an answer is waited for",
        30.0,
        shown="`30.0`",
        environment="HUTCH_ELOG_TIMEOUT_S",
    )


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """Files of detectors, ``[files]``."""

    roots: tuple[Path, ...] = _setting(
        FOLDERS,
        "a server opens detectors' files only below these folders, and below its stores",
        (),
        shown="`[]`",
        environment="HUTCH_FILE_ROOTS",
    )
    read_limit_bytes: int = _setting(
        BYTES,
        "how many bytes of detectors' files read() gives at once; above, slice or use to_dask()",
        1_000_000_000,
        shown="`1_000_000_000`",
        environment="HUTCH_READ_LIMIT_BYTES",
    )


@dataclass(frozen=True, slots=True)
class LogbookSettings:
    """The logbook, ``[logbook]``."""

    attachment_limit_bytes: int = _setting(
        BYTES,
        "how many bytes a file may have that is attached to an entry",
        50_000_000,
        shown="`50_000_000`",
        environment="HUTCH_ATTACHMENT_LIMIT_BYTES",
    )
    mail_server: str | None = _setting(
        SERVER, "the mail server that is told of every entry", None, shown="no mail is sent"
    )
    mail_from: str = _setting(
        MAILBOX, "from whom such mail comes", "hutch@localhost", shown="`'hutch@localhost'`"
    )
    mail_to: tuple[str, ...] = _setting(MAILBOXES, "to whom it is sent", (), shown="`[]`")


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """The monitor, ``[monitor]``."""

    checks: Mapping[str, Mapping[str, Any]] = _setting(
        CHECKS,
        "what data are judged by: tables ``[monitor.checks.NAME]``",
        MappingProxyType({}),
        shown="none",
    )
    scheduler: str | None = _setting(
        SCHEDULER,
        "the scheduler of dask whose workers read files and runs for `hutch monitor --once` and `replay`",
        None,
        shown="one machine reads",
        environment="HUTCH_SCHEDULER",
    )


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """Recording, ``[recording]``."""

    patience_s: float = _setting(
        SECONDS,
        "for how many seconds the beginning of a run waits for a store that does not answer",
        5.0,
        shown="`5.0`",
        environment="HUTCH_PATIENCE_S",
    )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """``hutch serve``, ``[server]``."""

    user_header: str | None = _setting(
        HEADER,
        "the header in which a proxy tells the name of a user it has identified",
        None,
        shown="none is believed",
    )
    proxies: tuple[str, ...] = _setting(
        NETWORKS, "addresses or networks of proxies whose header is believed", (), shown="`[]`"
    )
    keytab: Path | None = _setting(
        FILE,
        "keys of the service HTTP, with which tickets of Kerberos are checked",
        None,
        shown="none is taken",
    )
    realm: str | None = _setting(
        REALM, "the realm of Kerberos whose users are users here; needed with a keytab", None, shown="none"
    )
    ticket_reuse_s: float = _setting(
        SECONDS,
        "for how many seconds a token of Kerberos may be sent again, as clients of LCLS's logbook do",
        300.0,
        shown="`300.0`",
    )
    lcls_get_run_control: bool = _setting(
        SWITCH,
        "whether clients of LCLS's logbook may begin and end runs with GET, as old DAQs do",
        False,
        shown="`false`",
    )


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """What a store cannot take now, ``[spool]``."""

    folder: Path | None = _setting(
        FOLDER,
        "where it waits: a folder on a local disk, the same for all programs of a host",
        None,
        shown="`~/.local/state/hutch/spool`",
        environment="HUTCH_SPOOL",
    )
    memory_bytes: int = _setting(
        BYTES,
        "how many bytes of a run are kept in memory as well, about",
        64_000_000,
        shown="`64_000_000`",
        environment="HUTCH_SPOOL_MEMORY_BYTES",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All of ``hutch.toml``."""

    default: str | None = _setting(
        PATH,
        "the catalog that commands use if none is named",
        None,
        shown="the only catalog, if there is one",
        environment="HUTCH_STORE",
    )
    catalogs: Mapping[str, CatalogSettings] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    """By path, in the order of the file."""
    elog: ElogSettings = ElogSettings()
    files: FilesSettings = FilesSettings()
    logbook: LogbookSettings = LogbookSettings()
    monitor: MonitorSettings = MonitorSettings()
    recording: RecordingSettings = RecordingSettings()
    server: ServerSettings = ServerSettings()
    spool: SpoolSettings = SpoolSettings()

    @property
    def default_catalog(self) -> CatalogSettings | None:
        """The catalog that is meant if none is named; None if nobody says."""
        if self.default is not None:
            return self.catalogs[self.default]
        return next(iter(self.catalogs.values())) if len(self.catalogs) == 1 else None
