"""``hutch listen zmq``: bluesky's real 0MQ proxy, its real publisher, and a real RunEngine."""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq.auth
from bluesky.callbacks.zmq import ClientCurve, Publisher

import hutch
from hutch.documents import decode
from hutch.errors import ListeningError, StoreFullError
from hutch.listening import zmq_source
from hutch.listening.zmq_proxy import Curve
from hutch.recording.importing.importer import import_file
from hutch.recording.spooling.spool import spool_folder

from . import killed_worker as worker
from . import published_runs
from .listeners import Engine, Listening, Program, assert_recorded, documents_of, fill, wait_until


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [found.getsockname()[1] for found in sockets]


class Proxy:
    """``bluesky-0MQ-proxy`` as a process."""

    def __init__(self) -> None:
        self.inward, self.outward = (f"127.0.0.1:{port}" for port in free_ports(2))
        self._process: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> None:
        program = str(Path(sys.executable).with_name("bluesky-0MQ-proxy"))
        command = [program, "--in-address", self.inward, "--out-address", self.outward, *more]
        env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert "Connecting" in self._process.stdout.readline()
        assert "Receiving on" in self._process.stdout.readline()

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=10)
            self._process = None


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    found = Proxy()
    yield found
    found.end()


@pytest.fixture
def publish(proxy):
    """Return ``publish(name, document)`` to the proxy, with ``probe`` to wait until that gets through."""
    publishers = []

    def make(**options):
        publishers.append(Publisher(proxy.inward, **options))
        return publishers[-1]

    yield make
    for publisher in publishers:
        publisher.close()


@pytest.fixture
def program(tmp_path):
    started = []

    def start(*arguments):
        started.append(Program("zmq", *arguments, store=tmp_path / "store"))
        return started[-1]

    yield start
    for found in started:
        found.close()


@contextlib.contextmanager
def subscribed(address):
    with zmq.Context() as context, context.socket(zmq.SUB) as found:
        found.setsockopt(zmq.RCVTIMEO, 30_000)
        found.subscribe(b"")
        found.connect(f"tcp://{address}")
        yield found


def get_through(publish, listening) -> None:
    """Publish until something arrives: 0MQ drops what comes before both ends are connected."""

    def try_once() -> bool:
        publish("probe", {"uid": "probe"})
        return bool(listening.statuses if isinstance(listening, Program) else listening.status.messages)

    wait_until(try_once)


@pytest.mark.parametrize("serializer", published_runs.SERIALIZERS)
def test_runs_of_a_run_engine_are_recorded_from_the_proxy(proxy, program, tmp_path, serializer):
    proxy.start()
    listening = program(proxy.outward)
    listening.wait_said("Listening to")
    engine = Engine("zmq", proxy.inward, "", serializer)
    wait_until(lambda: engine.scan(0) or listening.statuses)

    runs = [engine.scan(points) for points in (3, 5)]
    listening.wait(lambda status: status["runs"] == 2 and status["open_runs"] == 0)
    engine.close()

    assert listening.end() == 0
    with hutch.open_catalog(tmp_path / "store") as cat:
        for run, sent in zip(cat.values(), runs, strict=True):
            assert_recorded(run, sent)
            assert run.status == "success"
            assert not run.nonconforming
            assert run.primary.read()["image"].dtype == "uint16" or serializer == "json"
        assert {row.kind for row in cat.store.quarantined()} == {"probe"}


def test_a_proxy_that_is_not_there_yet_is_waited_for_and_one_that_comes_back_is_found(proxy, publish, store):
    with Listening(store, zmq_source(proxy.outward)) as listening:
        listening.wait_said("Waiting for a 0MQ proxy")
        proxy.start()
        listening.wait_said("Listening to")
        publisher = publish()
        get_through(publisher, listening)
        for name, document in documents_of("run-1", 3):
            publisher(name, document)
        listening.wait(lambda status: status.runs == 1 and not status.open_runs)
        proxy.end()
        assert "is lost" in listening.wait_said("is gone")
        listening.said.clear()
        proxy.start()
        listening.wait_said("Listening to")
        before = listening.status.messages
        wait_until(lambda: publisher("probe", {"uid": "probe"}) or listening.status.messages > before)
        for name, document in documents_of("run-2", 3):
            publisher(name, document)
        listening.wait(lambda status: status.runs == 2 and not status.open_runs)

    assert store.count_runs() == 2


def test_only_what_has_the_prefix_is_recorded(proxy, publish, store):
    proxy.start()
    with Listening(store, zmq_source(proxy.outward, prefix="xpp")) as listening:
        ours, theirs = publish(prefix=b"xpp"), publish(prefix=b"xppx")
        get_through(ours, listening)
        for number in range(20):
            for name, document in documents_of(f"run-{number}", 1):
                (ours if number % 2 else theirs)(name, document)
        listening.wait(lambda status: status.runs == 10 and not status.open_runs)

    assert {row.uid for row in store.runs()} == {f"run-{number}" for number in range(1, 20, 2)}


def test_a_killed_listener_is_followed_by_one_that_goes_on_with_the_run(proxy, publish, program, tmp_path):
    proxy.start()
    first = program(proxy.outward)
    publisher = publish()
    get_through(publisher, first)
    for name, document in documents_of("run-1", 5, end=False):
        publisher(name, document)
    with hutch.open_catalog(tmp_path / "store") as cat:
        wait_until(lambda: "run-1" in cat and len(list(cat["run-1"].documents(fill="no"))) == 7)
        wait_until(lambda: any(b'"run-1"' in value for value in cat.store.cursors().values()))
        first.end(signal.SIGKILL)
        assert cat["run-1"].status == "interrupted"

        second = program(proxy.outward)
        get_through(publisher, second)
        assert cat["run-1"].status == "running"
        for number in (6, 7):
            publisher("event", worker.event_of("run-1", number))
        publisher("stop", worker.stop_of("run-1", 7))
        second.wait(lambda status: status["events"] == 2 and status["open_runs"] == 0)
        assert second.end() == 0
        assert_recorded(cat["run-1"], list(documents_of("run-1", 7)))
        assert cat["run-1"].status == "success"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(proxy, publish, program, tmp_path, number):
    proxy.start()
    listening = program(proxy.outward)
    publisher = publish()
    get_through(publisher, listening)
    for name, document in documents_of("run-1", 500, end=False):
        publisher(name, document)
    listening.wait(lambda status: status["events"] > 0)

    assert listening.end(number) == 0
    assert listening.said[-1].startswith("Recorded 1 run, ")
    with hutch.open_catalog(tmp_path / "store") as cat:
        assert cat["run-1"].status == "interrupted"
        recorded = len(list(cat["run-1"].documents(fill="no"))) - 2
        assert recorded == listening.statuses[-1]["events"]


class Evil:
    """What makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return os.mkdir, (str(self._path),)


def test_a_pickle_that_runs_something_does_not_and_its_document_is_kept(proxy, publish, cat, tmp_path):
    proxy.start()
    with Listening(cat.store, zmq_source(proxy.outward)) as listening:
        publisher = publish(serializer=lambda doc: pickle.dumps({**doc, "evil": Evil(tmp_path / "made")}))
        get_through(publisher, listening)
        publisher("start", {"uid": "run-1", "time": 1.0})
        publisher("stop", worker.stop_of("run-1", 0))
        listening.wait(lambda status: status.runs == 1 and not status.open_runs)

    assert not (tmp_path / "made").exists()
    assert cat["run-1"].start["evil"] == str(tmp_path / "made")


def test_pickles_that_are_trusted_make_what_they_name(proxy, publish, cat, tmp_path):
    proxy.start()
    with Listening(cat.store, zmq_source(proxy.outward, trusts_pickles=True)) as listening:
        publisher = publish(serializer=lambda doc: pickle.dumps({**doc, "evil": Evil(tmp_path / doc["uid"])}))
        publisher("start", {"uid": "run-1", "time": 1.0})
        get_through(publisher, listening)

    assert (tmp_path / "probe").is_dir()


def test_a_message_that_is_no_document_goes_into_quarantine_whole(proxy, publish, store):
    proxy.start()
    texts = [b"\x00\xff", b"no document", pickle.dumps("text"), msgpack.packb([1]), b"", b"\x80\x04broken"]
    with Listening(store, zmq_source(proxy.outward)) as listening:
        publisher = publish(serializer=lambda value: value.get("raw") or pickle.dumps(value))
        get_through(publisher, listening)
        for text in texts:
            publisher("event", {"raw": text, "uid": "e"})
        publisher._socket.send(b"shrug")
        for name, document in documents_of("run-1", 1):
            publisher(name, document)
        listening.wait(lambda status: status.runs == 1 and not status.open_runs)

    kept = [decode(row.body) for row in store.quarantined() if row.kind == "message"]
    assert len(kept) == len(texts)  # the empty one is a document of kind event, without a place
    assert base64.b64decode(kept[-1]["base64"]) == b"shrug"
    assert base64.b64decode(kept[0]["base64"]) == b" event \x00\xff"


def test_a_proxy_that_encrypts_is_listened_to_with_keys(proxy, publish, store, tmp_path):
    (tmp_path / "trusted").mkdir()
    keys = {name: zmq.auth.create_certificates(tmp_path, name) for name in ("server", "listener", "other")}
    os.link(keys["listener"][0], tmp_path / "trusted" / "listener.key")
    proxy.start("--out-curve-secret", keys["server"][1], "--out-curve-client-keys", str(tmp_path / "trusted"))
    curve = Curve(Path(keys["listener"][1]), Path(keys["server"][0]))
    with Listening(store, zmq_source(proxy.outward, curve=curve)) as listening:
        publisher = publish()
        get_through(publisher, listening)
        for name, document in documents_of("run-1", 1):
            publisher(name, document)
        listening.wait(lambda status: status.runs == 1 and not status.open_runs)
    other = Curve(Path(keys["other"][1]), Path(keys["server"][0]))
    with Listening(store, zmq_source(proxy.outward, curve=other)) as listening:
        listening.wait_said("refuses to talk")

    assert store.count_runs() == 1
    assert ClientCurve._fields == ("secret_path", "server_public_key")  # as many files as ours


@pytest.mark.parametrize(
    ("address", "options", "reason"),
    [
        ("nonsense://x", {}, "cannot be used"),
        ("localhost", {}, "cannot be used"),
        ("localhost:5578", {"prefix": "a b"}, "has a blank in it"),
        ("localhost:5578", {"curve": Curve(Path("nowhere"), Path("nowhere"))}, "cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address, options, reason):
    with pytest.raises(ListeningError, match=reason):
        zmq_source(address, **options)


def test_what_comes_while_the_store_is_full_is_recorded_when_there_is_room(proxy, publish, needs_tmpfs):
    disk = needs_tmpfs(4 << 20)
    proxy.start()
    with hutch.open_catalog(disk / "store") as cat:
        with Listening(cat.store, zmq_source(proxy.outward)) as listening:
            publisher = publish()
            get_through(publisher, listening)
            for name, document in documents_of("run-0", 3, end=False):
                publisher(name, document)
            listening.wait(lambda status: status.events == 3)
            fill(disk / "ballast")
            publisher("stop", worker.stop_of("run-0", 3))
            for number in range(1, 4):
                for name, document in documents_of(f"run-{number}", 50):
                    publisher(name, document)
            listening.wait(lambda status: "full" in status.trouble)
            (disk / "ballast").unlink()
            listening.wait(lambda status: status.runs == 4 and not status.open_runs)
            assert any("takes documents again" in line for line in listening.said)
        assert_recorded(cat["run-0"], list(documents_of("run-0", 3)))
        for number in range(1, 4):
            assert_recorded(cat[f"run-{number}"], list(documents_of(f"run-{number}", 50)))


def test_what_the_store_could_not_take_until_the_end_is_in_a_file_that_can_be_imported(
    proxy, publish, needs_tmpfs, tmp_path, monkeypatch
):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    disk = needs_tmpfs(4 << 20)
    proxy.start()

    def is_last(message):
        return b" stop " in message and b"run-2" in message

    with hutch.open_catalog(disk / "store") as cat, subscribed(proxy.outward) as witness:
        with Listening(cat.store, zmq_source(proxy.outward)) as listening:
            publisher = publish()
            get_through(publisher, listening)
            wait_until(lambda: publisher("probe", {"uid": "probe"}) or witness.poll(10))
            fill(disk / "ballast")
            for number in range(3):
                for name, document in documents_of(f"run-{number}", 50):
                    publisher(name, document)
            listening.wait(lambda status: "full" in status.trouble)
            # What has reached another subscriber of the proxy's is here, or very nearly.
            wait_until(lambda: is_last(witness.recv()))
        assert isinstance(listening.error, StoreFullError)
    (disk / "ballast").unlink()
    with hutch.open_catalog(disk / "store") as cat:
        for file in sorted(spool_folder().glob("*.jsonl")):
            import_file(cat.store, file)
        for number in range(3):
            assert_recorded(cat[f"run-{number}"], list(documents_of(f"run-{number}", 50)))
