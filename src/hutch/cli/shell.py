"""``hutch shell``: IPython, or a program, with everything at hand."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hutch.cli.options import command, in_store, open_existing
from hutch.errors import MissingExtraError, ReadOnlyStoreError

if TYPE_CHECKING:
    from hutch.bluesky.prompt import Prompt
    from hutch.catalogs import Catalog

__all__ = ["shell"]

_DEVICES = "devices.yml"
_MOST_NAMED = 40
"""As many devices are named in the banner."""


@command("hutch shell -c 'print(len(cat))'")
@click.argument("file", metavar="[FILE [ARGUMENTS]...]", nargs=-1, type=click.UNPROCESSED)
@click.option("-c", "code", metavar="CODE", help="Run this Python code and end.")
@click.option("--devices", metavar="FILE", type=click.Path(path_type=Path), help=(
    "Devices to bind; else those of ./devices.yml if it is there."
))  # fmt: skip
@click.option("--mock", is_flag=True, help="Simulate the devices' process variables.")
@click.option("--rules", metavar="FILE", type=click.Path(path_type=Path), help=(
    "Rules for the metadata of runs."
))  # fmt: skip
@click.option("--best-effort", is_flag=True, help="Print tables, and draw plots, of runs as they come.")
@click.option("--no-bluesky", is_flag=True, help="Bind only the catalog, for reading.")
@in_store
def shell(
    file: tuple[str, ...],
    code: str | None,
    devices: Path | None,
    mock: bool,
    rules: Path | None,
    best_effort: bool,
    no_bluesky: bool,
    store: str | None,
) -> None:
    """Open IPython with the catalog, a RunEngine, devices and plans bound.

    cat is the catalog; RE a RunEngine that records into it; every device of the devices file has its name,
    and is in devices; bp, bps and bpp are bluesky's plans, plan stubs and preprocessors; Key, TimeRange,
    FullText and the other queries are there too. With CODE, FILE or a program on stdin, that is run instead.
    Needs: pip install 'hutch[shell,bluesky]'
    """
    program = _program(code, file)
    if program is None:
        _need_ipython()
    catalog = open_existing(store)
    if rules is not None:
        catalog.rules = rules
    names: dict[str, Any] = {**_queries(), "cat": catalog}
    prompt, reason = None, "left out, as you asked for"
    if not no_bluesky:
        prompt, reason = _prompt(
            catalog, devices, mock=mock, best_effort=best_effort, interactive=program is None
        )
    if prompt is not None:
        names |= prompt.names
    if program is not None:
        program.run(names)
    else:
        _interact(names, _banner(catalog, prompt, reason), prompt)


def _queries() -> dict[str, Any]:
    """Return the query objects by their names."""
    from hutch import queries

    found = ((name, getattr(queries, name)) for name in queries.__all__)
    return {name: value for name, value in found if isinstance(value, type)}


# What comes after FILE is FILE's.
shell.allow_interspersed_args = False


class _Program(NamedTuple):
    """A program to run in place of a prompt, as Python itself runs one."""

    source: str | bytes
    arguments: list[str]
    """What the program sees in ``sys.argv``."""
    folder: str
    """Where Python looks for modules first."""

    def run(self, names: dict[str, Any]) -> None:
        """Run the program; an error in it is shown as Python shows it, and ends with 1."""
        sys.argv = self.arguments
        sys.path.insert(0, self.folder)
        try:
            code = compile(self.source, self.arguments[0], "exec")
            exec(code, {"__name__": "__main__", "__file__": self.arguments[0], **names})  # noqa: S102 - asked for
        except Exception as error:
            frames = error.__traceback__.tb_next if error.__traceback__ else None
            traceback.print_exception(error.with_traceback(frames))
            click.get_current_context().exit(1)


def _program(code: str | None, file: tuple[str, ...]) -> _Program | None:
    """Return the program to run; None if somebody is at the prompt."""
    if code is not None:
        return _Program(code, ["-c", *file], "")
    if file:
        path = Path(file[0])
        return _Program(path.read_bytes(), list(file), str(path.absolute().parent))
    if not sys.stdin.isatty():
        return _Program(sys.stdin.read(), ["-"], "")
    return None


def _need_ipython() -> None:
    try:
        import IPython  # noqa: F401
    except ModuleNotFoundError as error:
        msg = "A prompt needs IPython. Install it with: pip install 'hutch[shell]'"
        raise MissingExtraError(msg) from error


def _prompt(catalog: Catalog, devices: Path | None, **options: bool) -> tuple[Prompt | None, str]:
    """Return what bluesky adds to the names; where it can't, why not."""
    from hutch.bluesky.prompt import open_prompt

    found = Path(_DEVICES) if devices is None and Path(_DEVICES).is_file() else devices
    try:
        with _quiet(options["interactive"]):
            return open_prompt(catalog, found, **options), ""
    except (MissingExtraError, ReadOnlyStoreError) as error:
        if devices is not None:
            raise
        return None, str(error)


def _interact(names: dict[str, Any], banner: str, prompt: Prompt | None) -> None:
    """Let somebody type until they leave."""
    from IPython.terminal.ipapp import TerminalIPythonApp
    from traitlets.config import Config

    config = Config()
    config.TerminalInteractiveShell.banner1 = banner
    application: Any = TerminalIPythonApp.instance(user_ns=names, config=config)
    application.initialize(argv=[])
    if prompt is not None:
        prompt.set_up(application.shell)
    application.start()
    if prompt is not None and prompt.engine.state == "paused":
        click.echo("The RunEngine was paused; its run is left without an end, as interrupted.", err=True)


def _banner(catalog: Catalog, prompt: Prompt | None, reason: str) -> str:
    """Return what is said before the first prompt."""
    from hutch import __version__
    from hutch.cli.format import counted, printable

    lines = [f"hutch {__version__}: {counted(len(catalog), 'run')} in {catalog.store.location}", ""]
    lines.append(
        '  cat           the runs: cat[-1], cat[42], cat["17531a"], cat.search(Key("plan_name") == "scan")'
    )
    if prompt is None:
        lines += ["", f"There is no RunEngine: {reason}"]
    else:
        lines += [
            '  RE            runs plans: RE(bp.count([...]), sample="A"); RE.md is for all runs',
            "  bp, bps, bpp  plans, plan stubs and preprocessors of bluesky",
            f"  devices       {_named(prompt)}",
            *(["  bec           prints tables and draws plots"] if "bec" in prompt.names else []),
            "",
            "Ctrl-C pauses a plan: RE.resume(), RE.stop() or RE.abort() go on. exit leaves.",
        ]
        lines += [f"Not bound, its name being taken or none: devices[{name!r}]" for name in prompt.unbound]
        lines += [f"Not there: {reason}" for reason in prompt.devices.failures.values()]
    return "\n".join(map(printable, lines)) + "\n"


def _named(prompt: Prompt) -> str:
    from hutch.cli.format import counted

    bound = [name for name in prompt.devices if name not in prompt.unbound]
    more = ", …" if len(bound) > _MOST_NAMED else ""
    listed = f": {', '.join(bound[:_MOST_NAMED])}{more}" if bound else ""
    return f"{counted(len(prompt.devices), 'device')}{listed}"


@contextmanager
def _quiet(is_wanted: bool) -> Iterator[None]:
    """Keep the log of devices that failed from the terminal: the banner names them."""
    logger = logging.getLogger("hutch.bluesky")
    before = logger.level
    if is_wanted:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
