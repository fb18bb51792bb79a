"""Which logbook is meant: the settings ``[elog]``, of which those of LCLS are the default."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hutch.config.file import in_force, steady_configuration
from hutch.errors import ConfigurationError

__all__ = ["base_url", "operator_password", "service_principal", "timeout_s"]


def base_url(prefix: str) -> str:
    """Return the address below which requests are answered that identify themselves in one way.

    :param prefix: ``ws`` for open ones, ``ws-auth`` for passwords, ``ws-kerb`` for tickets of Kerberos,
        ``ws-jwt`` for tokens of jobs.
    """
    return f"{_setting('url')}/{prefix}/lgbk/lgbk"


def operator_password() -> str:
    """Return the password of the instruments' operators.

    :raises ConfigurationError: if its file can't be read, or begins with an empty line.
    """
    path = _setting("password_file")
    remedy = "Name a file whose first line is the password in $HUTCH_ELOG_PASSWORD_FILE."
    try:
        with open(path, encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        msg = f"The password of the operators can't be read from {str(path)!r}: {reason}. {remedy}"
        raise ConfigurationError(msg) from error
    if not password:
        msg = (
            f"The first line of {str(path)!r} is empty; the password of the operators was expected. {remedy}"
        )
        raise ConfigurationError(msg)
    return password


def service_principal() -> str:
    """Return the logbook's name in Kerberos, as ``HTTP@host``."""
    return _setting("principal") or f"HTTP@{urlsplit(_setting('url')).hostname}"


def timeout_s() -> float:
    """Return for how many seconds an answer is waited for.

    :raises ConfigurationError: if it is none.
    """
    found: float = _setting("timeout_s")
    if not found:
        msg = "A time limit of 0 s leaves no time for an answer. Give another $HUTCH_ELOG_TIMEOUT_S, as 30."
        raise ConfigurationError(msg)
    return found


def _setting(name: str) -> Any:
    return in_force(steady_configuration().settings.elog, name)
