"""``hutch listen``: record documents from 0MQ and Kafka until somebody says stop."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hutch.cli.options import ExampleCommand, example, in_store, open_or_make
from hutch.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.live import Live

    from hutch.listening import Listener, Status
    from hutch.listening.messages import Source

__all__ = ["listen"]

_DAY_S = 86_400.0
_EVERY_S = 1.0
"""Status lines are at least so far apart."""


class ExampleGroup(click.Group):
    """A group whose help ends in an example."""

    command_class = ExampleCommand
    format_epilog = ExampleCommand.format_epilog


@click.group(cls=ExampleGroup, epilog=example("hutch listen zmq localhost:5578 --store beamtime"))
def listen() -> None:
    """Record documents that other programs publish, until Ctrl-C.

    Several runs at once are no matter. If this is stopped or killed, the next one goes on: runs that
    are open, and with Kafka also what was published meanwhile.
    """


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what both sources have."""
    text = "Let pickled documents run what they name. Only if you trust everybody who can publish."
    function = click.option("--trust-pickles", is_flag=True, help=text)(function)
    text = "An open run of which nothing came for so long counts as interrupted. What comes later is taken."
    kind = click.FloatRange(min=1)
    function = click.option(
        "--idle", "idle_s", metavar="S", type=kind, default=_DAY_S, show_default=True, help=text
    )(function)
    text = "Print the status as JSON, a line each time it has changed, at most one a second."
    function = click.option("--json", "json_wanted", is_flag=True, help=text)(function)
    return in_store(function)


@listen.command("zmq", epilog=example("hutch listen zmq localhost:5578 --store beamtime"))
@click.argument("address", metavar="HOST:PORT")
@click.option("--prefix", default="", help="Take only what is published with this prefix.")
@click.option("--client-secret", metavar="FILE", type=click.Path(path_type=Path), help=(
    "Secret key of this listener, for a proxy that encrypts (CURVE)."
))  # fmt: skip
@click.option("--server-public", metavar="FILE", type=click.Path(path_type=Path), help=(
    "Public key of that proxy."
))  # fmt: skip
@_options
def zmq(
    address: str,
    prefix: str,
    client_secret: Path | None,
    server_public: Path | None,
    store: str | None,
    json_wanted: bool,
    idle_s: float,
    trust_pickles: bool,
) -> None:
    """Record what comes out of bluesky's 0MQ proxy.

    HOST:PORT is where bluesky-0MQ-proxy publishes (its out-address). It need not be there yet. 0MQ keeps
    nothing: what is published while nobody listens is lost. Needs: pip install 'hutch[zmq]'
    """
    from hutch.listening import zmq_source

    if (client_secret is None) != (server_public is None):
        msg = "A proxy that encrypts needs both --client-secret and --server-public."
        raise click.UsageError(msg)
    options: dict[str, Any] = {"prefix": prefix, "trusts_pickles": trust_pickles}
    if client_secret and server_public:
        from hutch.listening.zmq_proxy import Curve

        options["curve"] = Curve(client_secret, server_public)
    _listen(zmq_source(address, **options), store, idle_s, json_wanted)


@listen.command(
    "kafka", epilog=example("hutch listen kafka --bootstrap localhost:9092 mad.documents --store beamtime")
)
@click.argument("topics", metavar="TOPIC...", nargs=-1, required=True)
@click.option("--bootstrap", metavar="HOST:PORT", required=True, help=(
    "One or more brokers of the cluster, separated by commas."
))  # fmt: skip
@click.option("--from", "first", type=click.Choice(["beginning", "now"]), default="beginning", help=(
    "Where to begin in a topic that was never listened to.  [default: beginning]"
))  # fmt: skip
@click.option("--until-end", is_flag=True, help="End when all is recorded that is there now.")
@click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help=(
    "Settings of librdkafka, lines of key=value: security.protocol, sasl.username, ssl.ca.location …"
))  # fmt: skip
@click.option("--group", metavar="NAME", default="", help=(
    "Tell the cluster how far this has come, as the consumer group NAME; for who monitors that."
))  # fmt: skip
@_options
def kafka(
    topics: tuple[str, ...],
    bootstrap: str,
    first: str,
    until_end: bool,
    config: Path | None,
    group: str,
    store: str | None,
    json_wanted: bool,
    idle_s: float,
    trust_pickles: bool,
) -> None:
    """Record the documents in Kafka topics, as bluesky-kafka publishes them.

    How far it has come is kept in the store, and moves only when everything before is on its disk. So
    nothing is lost or doubled when this ends in whatever way. Needs: pip install 'hutch[kafka]'
    """
    from hutch.listening import kafka_source

    options = {
        "first": first,
        "until_end": until_end,
        "settings": _read_settings(config) if config else {},
        "group": group,
        "trusts_pickles": trust_pickles,
    }
    _listen(kafka_source(bootstrap, topics, **options), store, idle_s, json_wanted)


def _listen(source: Source, where: str | None, idle_s: float, json_wanted: bool) -> None:
    from hutch.listening import Listener

    catalog = open_or_make(where)
    with _Screen(json_wanted) as screen, _few_warnings(screen.say):
        listener = Listener(catalog.store, source, say=screen.say, idle_s=idle_s)
        with _ended_by_signals(listener):
            listener.run(screen.show)
        screen.end(listener.status)


def _read_settings(file: Path) -> dict[str, str]:
    """Return the settings in a file, as Kafka's own tools take it."""
    found = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, sign, value = text.partition("=")
        if not sign:
            msg = f"Line {number} of {str(file)!r} is no key=value."
            raise ConfigurationError(msg)
        found[key.strip()] = value.strip()
    return found


@contextmanager
def _ended_by_signals(listener: Listener) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a listener in good order; a second one ends it at once."""
    before: dict[int, Any] = {}

    def end(number: int, frame: object) -> None:
        for known in before:
            signal.signal(known, before[known])
        listener.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for known in before:
            signal.signal(known, before[known])


class _Few(logging.Filter):
    """Lets the first warnings of each kind through, and then one of a thousand."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a warning is shown."""
        count = self._counts[record.msg] = self._counts.get(record.msg, 0) + 1
        return count <= 10 or count % 1000 == 0


class _Saying(logging.Handler):
    """Gives warnings to a function that shows sentences."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Show a warning."""
        self._say(self.format(record))


@contextmanager
def _few_warnings(say: Callable[[str], None]) -> Iterator[None]:
    """Show what the recorder warns of between the other sentences, and not a million times."""
    logger, handler = logging.getLogger("hutch"), _Saying(say)
    handler.addFilter(_Few())
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Screen:
    """Sentences and a status line on stderr, or the status as JSON lines on stdout."""

    def __init__(self, json_wanted: bool) -> None:
        from hutch.cli.format import console

        self._console = console(stderr=True)
        self._json_wanted = json_wanted
        self._live: Live | None = None
        self._last: Status | None = None
        self._due = 0.0
        self._events = (0.0, 0)
        self._rate = 0.0

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """Show a sentence."""
        from hutch.cli.format import printable

        if self._live is not None:
            self._console.print(printable(sentence))
        else:
            click.echo(printable(sentence), err=True)

    def show(self, status: Status) -> None:
        """Show how the listener is doing."""
        now = time.monotonic()
        if now < self._due or (status == self._last and not self._rate):
            return
        self._due = now + _EVERY_S
        before, events = self._events
        self._rate = max(status.events - events, 0) / (now - before)
        self._events = (now, status.events)
        if self._json_wanted and status != self._last:
            click.echo(json.dumps({"time": time.time(), **asdict(status)}))
        self._last = status
        if self._live is not None:
            self._live.update(self._line(status))

    def end(self, status: Status) -> None:
        """Say what came of it."""
        from hutch.cli.format import counted

        if self._json_wanted:
            click.echo(json.dumps({"time": time.time(), **asdict(status)}))
        text = f"Recorded {counted(status.runs, 'run')}, {counted(status.events, 'event')}."
        remarkable = _remarkable(status)
        self.say(f"{text} {remarkable}." if remarkable else text)

    def _line(self, status: Status) -> str:
        from hutch.cli.format import counted

        parts = [
            f"{counted(status.runs, 'run')} ({status.open_runs:,} open)",
            f"{counted(status.events, 'event')} ({self._rate:,.0f}/s)",
        ]
        if status.lag is not None:
            parts.append(f"{status.lag:,} behind")
        for channel, offsets in status.positions.items():
            if offsets:
                parts.append(f"{channel} at {', '.join(f'{offset:,}' for offset in offsets.values())}")
        if status.trouble:
            parts.append("waiting for the store")
        return " · ".join([*parts, _remarkable(status)]).rstrip(" ·")


def _remarkable(status: Status) -> str:
    """Return what somebody should look at, if there is anything."""
    from hutch.cli.format import counted

    parts = []
    if status.faults:
        parts.append(f"{counted(status.faults, 'message')} in quarantine")
    if status.gone:
        parts.append(f"{counted(status.gone, 'message')} gone")
    if status.passed_over:
        parts.append(f"{counted(status.passed_over, 'document')} passed over")
    return ", ".join(parts)
