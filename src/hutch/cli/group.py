"""The ``hutch`` command: which subcommands it has, and what becomes of errors.

Exit status: 0, 1 for an error that hutch explains in one sentence, 2 for wrong usage, 130 after Ctrl-C,
143 after SIGTERM.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from hutch import __version__
from hutch.cli.options import ExampleGroup, example
from hutch.cli.process import end_with

__all__ = ["hutch"]

_COMMANDS = {
    "demo": "hutch.cli.demo.command:demo",
    "init": "hutch.cli.init:init",
    "runs": "hutch.cli.runs:runs",
    "show": "hutch.cli.show:show",
    "plot": "hutch.cli.plot:plot",
    "follow": "hutch.cli.follow:follow",
    "shell": "hutch.cli.shell:shell",
    "import": "hutch.cli.importing:import_",
    "listen": "hutch.cli.listen:listen",
    "monitor": "hutch.cli.monitor:monitor",
    "serve": "hutch.cli.serve:serve",
    "verify": "hutch.cli.verify:verify",
    "backup": "hutch.cli.backup:backup",
    "restore": "hutch.cli.restore:restore",
    "move": "hutch.cli.move:move",
    "compact": "hutch.cli.compact:compact",
    "reindex": "hutch.cli.reindex:reindex",
    "close": "hutch.cli.close:close",
    "amend": "hutch.cli.amend:amend",
    "delete": "hutch.cli.delete:delete",
    "retention": "hutch.cli.retention:retention",
    "key": "hutch.cli.key:key",
    "user": "hutch.cli.user:user",
    "experiment": "hutch.cli.experiment:experiment",
    "log": "hutch.cli.log:log",
    "table": "hutch.cli.table:table",
    "workflow": "hutch.cli.workflow:workflow",
}
"""Commands in the order of the help, and where each is."""

_SETTINGS = {"help_option_names": ["-h", "--help"]}


class LazyGroup(ExampleGroup):
    """A group that loads a command when it is needed, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and end the process."""
        end_with(
            lambda: super(LazyGroup, self).main(
                args=args,
                prog_name=prog_name or "hutch",
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            ),
            "hutch",
        )


@click.group(cls=LazyGroup, epilog=example("hutch runs"), context_settings=_SETTINGS)
@click.version_option(__version__, message="hutch %(version)s")
def hutch() -> None:
    """Record the runs of an experiment, find them again, and read them back.

    A store is a folder or a PostgreSQL database: --store, else $HUTCH_STORE, else the default catalog of
    hutch.toml, else ./hutch-store.
    """
