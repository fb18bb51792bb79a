"""How a command ends: errors that hutch explains become one line, and each has its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from hutch.cli.signals import heed_sigterm, is_termination
from hutch.errors import HutchError

__all__ = ["end_with"]

_INTERRUPTED = 130
"""What a shell reports of a program that ended by Ctrl-C."""

_TERMINATED = 143
"""The same for SIGTERM."""


def end_with(command: Callable[[], Any], name: str) -> NoReturn:
    """Run a command and end the process.

    :param command: click's ``main`` of it, which raises errors and returns the status.
    :param name: of the program, before each line that explains an error.
    """
    try:
        with heed_sigterm():
            status = command()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        sys.exit(_TERMINATED if is_termination(error) else _INTERRUPTED)
    except HutchError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.strerror is None:
            raise
        place = "" if error.filename is None else f"{error.filename!r}: "
        click.echo(f"{name}: {place}{error.strerror}.", err=True)
        _let_go_of_output()
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _let_go_of_output() -> None:
    """Write what is still to be written, or forget it, so that Python does not fail over it at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
