"""``hutch monitor`` and ``run_monitor.py``: pictures of what data are worth, while they are taken."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hutch.cli.options import ExampleGroup, as_json, command, complete_store, example
from hutch.cli.process import end_with
from hutch.cli.several import SpreadingCommand, spread

if TYPE_CHECKING:
    from hutch.monitor.plugins.plot_finding import PlotInfo

__all__ = ["monitor", "plots", "run_monitor"]

_COMMANDS = {
    "plots": "hutch.cli.monitor:plots",
    "checks": "hutch.cli.monitor_checks:checks",
    "replay": "hutch.cli.monitor_checks:replay",
    "reference": "hutch.cli.monitor_checks:reference",
}
"""Commands in the order of the help, and where each is."""

_EXTENSIONS = ("png", "pdf", "svg")


class _SpreadingGroup(ExampleGroup):
    """A command with options that have several values, and with commands that are loaded when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        module, _, name = _COMMANDS.get(cmd_name, "").partition(":")
        found: click.Command | None = getattr(import_module(module), name) if module else None
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments apart, up to the name of a command."""
        at = 0 if args[:1] and args[0] in _COMMANDS else len(args)
        return super().parse_args(ctx, [*spread(args[:at]), *args[at:]])


def _extension(ctx: click.Context, param: click.Parameter, value: str) -> str:
    found = value.removeprefix(".").lower()
    if found not in _EXTENSIONS:
        raise click.BadParameter(f"{value!r} is none of .{', .'.join(_EXTENSIONS)}", ctx, param)
    return found


_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option("-i", "--in_directory", "--in-directory", "folder", metavar="DIR", type=_PATH, help=(
        "Folder to watch.  [default: ., unless runs are watched]"
    )),
    click.option("-o", "--out_directory", "--out-directory", "out", metavar="DIR", type=_PATH, default=".",
        help="Folder for the pictures.  [default: .]"),
    click.option("--interval", "interval_s", metavar="S", type=click.FloatRange(min=0.1), default=30.0,
        show_default=True, help="Look for new data so often."),
    click.option("--flush_interval", "--flush-interval", "flush_interval_s", metavar="S",
        type=click.FloatRange(min=0), default=1800.0, show_default=True,
        help="Let go of a file that has not changed for so long."),
    click.option("--ext", "extension", metavar=".EXT", default=".png", show_default=True, callback=_extension,
        help=".png, .pdf or .svg."),
    click.option("--plots", "names", metavar="NAME...", multiple=True, help="Plots to make; else all."),
    click.option("--once", metavar="FILE...", multiple=True, help=(
        "Make the plots of these files, or runs, and stop."
    )),
    click.option("--scheduler", metavar="ADDRESS", help=(
        "With --once: have the workers of this scheduler of dask read the data.  [default: of hutch.toml]"
    )),
    click.option("--catalog", metavar="[STORE]", is_flag=False, flag_value="", default=None,
        shell_complete=complete_store,
        help="Watch the runs of a store that are being recorded; without a name, of the default catalog."),
    click.option("--serve", "is_served", is_flag=True, help=(
        "Show the plots on the pages of hutch serve, through the store."
    )),
    click.option("--store", metavar="STORE", shell_complete=complete_store, help=(
        "Store for --serve and verdicts; else that of --catalog."
    )),
    click.option("--attach-run", type=click.Choice(["named", "open"]), default="named", show_default=True,
        help="A file belongs to the run that names it; with open, else to the run that began last."),
    click.option("--checks", "checks_file", metavar="FILE", type=click.Path(dir_okay=False), help=(
        "A TOML file with tables [monitor.checks.NAME]; else those of hutch.toml."
    )),
    click.option("--datasets", metavar="PATH...", multiple=True, help=(
        "Read these of HDF5 files with datasets that grow; else those that are found to grow together."
    )),
    click.option("--plugins", metavar="DIR|MODULE...", multiple=True, help="Plots and checks of your own."),
    click.option("--sample", metavar="ROWS", type=click.IntRange(min=1), help=(
        "Take at most so many of the newest rows at a time, and leave out those before."
    )),
    click.option("--workers", metavar="N", type=click.IntRange(min=1), help=(
        "Processes; else one per processor."
    )),
    click.option("--limit-seconds", metavar="S", type=click.FloatRange(min=0.1), default=60.0,
        show_default=True, help="How long a plot may take for one call."),
    click.option("--limit-bytes", metavar="BYTES", type=click.IntRange(min=10_000_000), default=2_000_000_000,
        show_default=True, help="How much memory the plots of a process may take."),
)  # fmt: skip


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what both forms of it have."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group(
    cls=_SpreadingGroup,
    invoke_without_command=True,
    epilog=example("hutch monitor -i data -o plots --interval 10"),
)
@_options
@click.pass_context
def monitor(ctx: click.Context, /, **asked: Any) -> None:
    """Watch data while they are taken, and draw what they are worth, until Ctrl-C.

    Files that grow in a folder are watched, or with --catalog the runs of a store. Each plot of each of them
    is DIR/BASE_dqm/BASE_PLOT.png, and status.json there says how far it is. If this is stopped or killed,
    the next one goes on.
    """
    if ctx.invoked_subcommand is None:
        _work(asked)


@click.command(
    "run_monitor.py",
    cls=SpreadingCommand,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("run_monitor.py -i data -o plots --interval 10"),
)
@_options
def _run_monitor(**asked: Any) -> None:
    """Run the data quality monitor, as ``hutch monitor`` does.

    Files that grow in a folder are watched, and plots of each of them made: DIR/BASE_dqm/BASE_PLOT.png.
    """
    _work(asked)


def run_monitor() -> None:
    """Run the command ``run_monitor.py`` and end the process with its exit status."""
    end_with(lambda: _run_monitor.main(prog_name="run_monitor.py", standalone_mode=False), "run_monitor.py")


@command("hutch monitor plots", cls=SpreadingCommand)
@click.option("--plugins", metavar="DIR|MODULE...", multiple=True, help="Plots of your own.")
@as_json
def plots(plugins: tuple[str, ...], json_wanted: bool) -> None:
    """List the plots: what each shows, what it is for, and where it comes from."""
    from hutch.cli import format
    from hutch.monitor.working.plot_listing import list_plots

    found, broken = list_plots(plugins)
    for one in broken:
        click.echo(f"hutch: {one.sentence}", err=True)
    if json_wanted:
        click.echo(format.to_json([_described(info) for info in found.values()]))
        return
    table = format.grid("plot", "for", "from", "shows")
    for name, info in found.items():
        origin = f"{info.origin}, instead of {info.replaces}" if info.replaces else info.origin
        table.add_row(*map(format.printable, (name, ", ".join(info.formats), origin, info.summary)))
    format.write(table)


def _described(info: PlotInfo) -> dict[str, Any]:
    """Return what is known of a plot, as JSON says it."""
    return {
        "name": info.name,
        "summary": info.summary,
        "formats": list(info.formats),
        "origin": info.origin,
        "replaces": info.replaces or None,
        "form": "called" if info.is_called else "accumulating",
    }


def _work(asked: dict[str, Any]) -> None:
    from hutch.cli.monitoring import Asked, work

    status = work(Asked(**asked))
    if status:
        sys.exit(status)
