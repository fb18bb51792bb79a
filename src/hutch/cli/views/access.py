"""What commands print about keys, users and experiments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hutch.catalogs.summary import local_time
from hutch.cli.format import counted, grid, printable, value_text

if TYPE_CHECKING:
    from hutch.access import ApiKey, Executable, Experiment, User

__all__ = [
    "audit_table",
    "executables_table",
    "experiment_view",
    "experiments_table",
    "keys_table",
    "users_table",
]


def keys_table(keys: Iterable[ApiKey], now: float) -> Table:
    """Return a table of keys.

    :param now: s since 1970.
    """
    table = grid("key", "status", "scopes", "owner", "catalogs", "expires", "used", "note")
    for key in keys:
        status = key.status(now)
        table.add_row(
            Text(key.prefix, style="cyan"),
            Text(status, style="" if status == "valid" else "dim"),
            " ".join(key.scopes),
            Text(printable(key.owner or "")),
            Text(_limit(key.catalogs)),
            _time(key.expires, "never"),
            _time(key.used, "not yet"),
            Text(printable(key.note)),
        )
    return table


def users_table(users: Iterable[User]) -> Table:
    """Return a table of users."""
    table = grid("user", "status", "password", "scopes", "catalogs", "created")
    for user in users:
        table.add_row(
            Text(user.name, style="cyan"),
            Text("enabled") if user.disabled is None else Text("disabled", style="yellow"),
            "yes" if user.has_password else "none",
            " ".join(user.scopes),
            Text(_limit(user.catalogs)),
            _time(user.created, ""),
        )
    return table


def executables_table(executables: Iterable[Executable]) -> Table:
    """Return a table of programs that workflows may run."""
    table = grid("program", "since", "allowed by")
    for one in executables:
        path = Text(printable(one.path), style="cyan")
        table.add_row(path, _time(one.time, ""), Text(printable(one.author)))
    return table


def audit_table(audit: Iterable[Mapping[str, Any]]) -> Table:
    """Return a table of who did what."""
    table = grid("time", "who", "what", "of what", "details")
    for one in audit:
        details = "" if one["details"] is None else value_text(one["details"])
        table.add_row(
            _time(one["time"], ""),
            Text(printable(one["author"]), style="cyan"),
            Text(printable(one["action"])),
            Text(printable(one["subject"])),
            Text(details, style="dim", overflow="ellipsis", no_wrap=True),
        )
    return table


def experiments_table(experiments: Iterable[Experiment], active: Collection[str]) -> Table:
    """Return a table of experiments.

    :param active: the names of those that are.
    """
    table = grid(
        "experiment", "instrument", "station", "state", "leader", "begins", "ends", right=("station",)
    )
    for one in experiments:
        table.add_row(
            Text(one.name, style="cyan"),
            one.instrument,
            str(one.station),
            Text(", ".join(_states(one, is_active=one.name in active))),
            Text(printable(one.leader)),
            _time(one.begins, ""),
            _time(one.ends, ""),
        )
    return table


def experiment_view(
    one: Experiment, roles: Mapping[str, str], runs: int, *, is_active: bool
) -> RenderableType:
    """Return everything about an experiment.

    :param roles: of users, by their names.
    :param runs: how many it has.
    """
    title = Text(f"Experiment {one.name}", style="bold")
    facts = [
        one.instrument,
        f"station {one.station}",
        counted(runs, "run"),
        *_states(one, is_active=is_active),
    ]
    about = grid()
    about.show_header = False
    about.add_column("", style="dim")
    about.add_column("", overflow="fold")
    fields = {
        "leader": one.leader,
        "description": one.description,
        "begins": _time(one.begins, ""),
        "ends": _time(one.ends, ""),
        "made by": one.author,
    }
    for name, value in fields.items():
        if value:
            about.add_row(name, Text(printable(value)))
    table = grid("user", "role")
    for user, role in {one.operator: "operator", **roles}.items():
        table.add_row(Text(user, style="cyan"), role)
    indented = [Padding(part, (0, 0, 0, 2), expand=False) for part in (about, table)]
    return Group(title, Text(" · ".join(facts)), *indented)


def _states(one: Experiment, *, is_active: bool) -> list[str]:
    found = ["active"] if is_active else []
    found.append("open" if one.is_open else "restricted")
    return [*found, "locked"] if one.is_locked else found


def _limit(catalogs: tuple[str, ...] | None) -> str:
    return "all" if catalogs is None else printable(", ".join(catalogs))


def _time(moment: float | None, otherwise: str) -> str:
    return otherwise if moment is None else local_time(moment)
