"""Options after which several values may stand: ``--plots A B``."""

from __future__ import annotations

import click

from hutch.cli.options import ExampleCommand

__all__ = ["SpreadingCommand", "spread"]

_SEVERAL = ("--plots", "--datasets", "--plugins", "--once")


def spread(arguments: list[str]) -> list[str]:
    """Return arguments with an option before each of its values: ``--plots A B`` says ``--plots`` twice."""
    found: list[str] = []
    option, count = "", 0
    for argument in arguments:
        # Runs are named by numbers below zero, too.
        is_value = not argument.startswith("-") or argument[1:].isdecimal()
        if option and is_value:
            found += [option, argument] if count else [argument]
            count += 1
            continue
        if option and not count:
            raise click.BadOptionUsage(option, f"Option {option!r} requires an argument.")
        option, count = (argument, 0) if argument in _SEVERAL else ("", 0)
        found.append(argument)
    return found


class SpreadingCommand(ExampleCommand):
    """A command with options that have several values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments apart."""
        return super().parse_args(ctx, spread(args))
