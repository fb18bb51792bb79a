"""What users may do in an experiment: roles, each of which includes those before it, and what each is for."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from hutch.errors import ConfigurationError

__all__ = ["NEEDED", "WHILE_LOCKED", "Action", "Role", "operator_of", "role_named"]


class Role(IntEnum):
    """A role in an experiment; a greater one may do all that a lesser one may."""

    READER = 1
    """Reads its runs and its logbook."""
    WRITER = 2
    """Records runs, posts values, writes entries."""
    EDITOR = 3
    """Corrects runs, entries of others, and run tables."""
    OPERATOR = 4
    """Begins and ends runs, activates, deletes, defines workflows, locks and unlocks."""

    @property
    def label(self) -> str:
        """Its name, for people."""
        return self.name.lower()


class Action(StrEnum):
    """What somebody does in an experiment."""

    READ = "read"
    RECORD = "record"
    """Add a run, or values to one."""
    WRITE = "write"
    """Write an entry of the logbook."""
    EDIT = "edit"
    """Correct what was recorded, or what others wrote."""
    OPERATE = "operate"
    """Activate it, begin and end its runs by hand, delete runs, ask for jobs of workflows."""
    DEFINE = "define"
    """Define workflows: say which programs are run, and when."""
    LOCK = "lock"
    """Lock it and unlock it."""


NEEDED: dict[Action, tuple[str, Role]] = {
    Action.READ: ("read", Role.READER),
    Action.RECORD: ("record", Role.WRITER),
    Action.WRITE: ("write", Role.WRITER),
    Action.EDIT: ("write", Role.EDITOR),
    Action.OPERATE: ("write", Role.OPERATOR),
    Action.DEFINE: ("write", Role.OPERATOR),
    Action.LOCK: ("write", Role.OPERATOR),
}
"""The scope and the role that an action needs."""

WHILE_LOCKED = frozenset({Action.READ, Action.LOCK})
"""What may be done in an experiment that is locked."""


def role_named(name: str) -> Role:
    """Return the role of a name.

    :raises ConfigurationError: if there is none.
    """
    try:
        return Role[name.upper()]
    except KeyError:
        known = ", ".join(role.label for role in Role)
        msg = f"There is no role {name!r}. Roles are, the least first: {known}."
        raise ConfigurationError(msg) from None


def operator_of(instrument: str) -> str:
    """Return the user who is operator in all experiments of an instrument: ``xppopr`` of ``XPP``."""
    return f"{instrument.lower()}opr"
