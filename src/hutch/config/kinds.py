"""What a setting can hold: how it is taken from a file or the environment, and what is expected otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from hutch.config.addresses import is_address

__all__ = [
    "BYTES",
    "FILE",
    "CHECKS",
    "FOLDER",
    "FOLDERS",
    "HEADER",
    "MAILBOX",
    "MAILBOXES",
    "NETWORKS",
    "PATH",
    "PLACE",
    "PRINCIPAL",
    "REALM",
    "ROOT_MAP",
    "SCHEDULER",
    "SECONDS",
    "SERVER",
    "SWITCH",
    "VARIABLE",
    "WEB",
    "Kind",
]


_TOO_LARGE = 2.0**63


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    :ivar expected: what it is, for people.
    :ivar take: returns the value of what a file holds; is given the folder that relative ones start from.
        It raises ValueError at what is something else.
    :ivar split: turns text of the environment into what a file would hold.
    :ivar example: of text in the environment.
    :ivar is_secret: whether a wrong one may be something that nobody should see.
    """

    expected: str
    take: Callable[[object, Path], Any]
    split: Callable[[str], object] = str
    example: str = ""
    is_secret: bool = False


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return value


def _folder(value: object, start: Path) -> Path:
    text = os.path.expanduser(_text(value))
    if is_address(text):
        raise ValueError
    return start / text


def _folders(value: object, start: Path) -> tuple[Path, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_folder(item, start) for item in value)


def _place(value: object, start: Path) -> str:
    return _text(value) if is_address(_text(value)) else str(_folder(value, start))


def _root_map(value: object, start: Path) -> MappingProxyType[str, str]:
    if not isinstance(value, dict):
        raise ValueError
    # The old ones need not be anywhere: they stand in documents.
    return MappingProxyType({_text(old): str(_folder(new, start)) for old, new in value.items()})


def _checks(value: object, start: Path) -> MappingProxyType[str, MappingProxyType[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
        raise ValueError
    # What is in them depends on their kinds, which plug-ins may bring.
    return MappingProxyType({_text(name): MappingProxyType(one) for name, one in value.items()})


def _switch(value: object, start: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _number(value: object, start: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _TOO_LARGE:
        raise ValueError
    return float(value)


def _variable(value: object, start: Path) -> str:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", _text(value)):
        raise ValueError
    return _text(value)


def _header(value: object, start: Path) -> str:
    if not re.fullmatch("[A-Za-z0-9-]+", _text(value)):
        raise ValueError
    return _text(value)


def _networks(value: object, start: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(str(ip_network(_text(item), strict=False)) for item in value)


def _web(value: object, start: Path) -> str:
    text = _text(value).rstrip("/")
    parts = urlsplit(text)  # a ValueError if its brackets are wrong
    is_whole = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not is_whole or parts.username is not None or not re.fullmatch("[!-~]+", text) or parts.port == 0:
        raise ValueError
    return text


def _principal(value: object, start: Path) -> str:
    if not re.fullmatch("[A-Za-z][A-Za-z0-9]*(@[A-Za-z0-9.-]+|/[A-Za-z0-9.-]+@[A-Za-z0-9.-]+)", _text(value)):
        raise ValueError
    return _text(value)


def _realm(value: object, start: Path) -> str:
    if not re.fullmatch("[A-Za-z0-9.-]+", _text(value)):
        raise ValueError
    return _text(value)


def _server(value: object, start: Path) -> str:
    found = re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?", _text(value))
    if found is None:
        raise ValueError
    return _text(value)


def _mailbox(value: object, start: Path) -> str:
    if not re.fullmatch(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,255}", _text(value)):
        raise ValueError
    return _text(value)


def _mailboxes(value: object, start: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_mailbox(item, start) for item in value)


SECONDS = Kind("a number of seconds, 0 or more", _number, float, "5")
BYTES = Kind(
    "a number of bytes, 0 or more", lambda value, start: int(_number(value, start)), float, "64000000"
)
SWITCH = Kind("true or false", _switch)
FILE = Kind("the path of a file", _folder)
FOLDER = Kind("a folder", _folder)
FOLDERS = Kind("a list of folders", _folders, lambda text: [part for part in text.split(":") if part])
PLACE = Kind("a folder, or an address such as 'postgresql://host/database'", _place)
ROOT_MAP = Kind("a table of folders, old to new, as in {'/old' = '/new'}", _root_map)
SCHEDULER = Kind(
    "an address of a scheduler of dask, as in 'tcp://beamline:8786'", lambda value, _: _text(value)
)
CHECKS = Kind("tables of checks, as in [monitor.checks.packet_rate]", _checks)
VARIABLE = Kind("the name of an environment variable", _variable, is_secret=True)
WEB = Kind("an address of the web, as in 'https://logbook.facility.org'", _web)
PRINCIPAL = Kind("a service of Kerberos, as in 'HTTP@logbook.facility.org'", _principal)
REALM = Kind("a realm of Kerberos, as in 'FACILITY.ORG'", _realm)
HEADER = Kind("the name of a header", _header)
SERVER = Kind("a host, or a host and a port, as in 'mail.example.org:25'", _server)
MAILBOX = Kind("an address, as in 'hutch@example.org'", _mailbox)
MAILBOXES = Kind("a list of addresses, as in ['crew@example.org']", _mailboxes)
NETWORKS = Kind("a list of addresses or networks, as in ['10.0.0.0/8']", _networks)
PATH = Kind("the path of a catalog, as in 'csx/raw'", lambda value, start: _text(value).strip("/"))
