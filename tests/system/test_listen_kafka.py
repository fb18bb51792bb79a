"""``hutch listen kafka``: a broker over real sockets, and bluesky-kafka's publisher."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
import msgpack
import msgpack_numpy
import numpy as np
import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.documents import decode
from hutch.errors import ListeningError
from hutch.listening import kafka_source
from hutch.listening.messages import Begin, Gap, Message
from hutch.store import open_store

from . import kafka_cluster
from . import killed_worker as worker
from .listeners import Engine, Listening, Program, assert_recorded, documents_of, fill, wait_until


@pytest.fixture
def cluster(require) -> Iterator[kafka_cluster.Cluster]:
    require("librdkafka", kafka_cluster.missing())
    found = kafka_cluster.Cluster()
    yield found
    found.close()


Publish = Callable[..., None]


@pytest.fixture
def publish(cluster) -> Publish:
    """Return ``publish(topic, documents)``, in the format of bluesky-kafka."""
    producer = cluster.producer()

    def publish(topic: str, documents: Any, partition: int = 0) -> None:
        for pair in documents:
            value = pair if isinstance(pair, bytes) else msgpack.packb(pair, default=msgpack_numpy.encode)
            producer.produce(topic, value=value, partition=partition)
        assert producer.flush(10) == 0

    return publish


@pytest.fixture
def record_all(cluster, cat) -> Callable[..., Listening]:
    """Return what listens to topics until their end, and is done."""

    def record(*topics: str, **options: Any) -> Listening:
        with Listening(
            cat.store, kafka_source(cluster.bootstrap, topics, until_end=True, **options)
        ) as found:
            found.wait_end()
        return found

    return record


def offsets_of(store) -> dict[str, dict[str, int]]:
    """Return the positions in a store, by topic."""
    found = {name.split()[-1]: decode(value) for name, value in store.cursors().items() if "kafka " in name}
    return {topic: value.get("offsets") for topic, value in found.items()}


def test_what_bluesky_kafka_publishes_is_recorded(cluster, tmp_path):
    cluster.make_topic("beamline")
    engine = Engine("kafka", cluster.bootstrap, "beamline")
    listening = Program("kafka", "--bootstrap", cluster.bootstrap, "beamline", store=tmp_path / "store")
    runs = [engine.scan(points) for points in (3, 5)]
    engine.close()
    listening.wait(lambda status: status["runs"] == 2 and status["open_runs"] == 0)

    assert listening.end() == 0
    assert listening.statuses[-1]["lag"] == 0
    with hutch.open_catalog(tmp_path / "store") as cat:
        for run, sent in zip(cat.values(), runs, strict=True):
            assert_recorded(run, sent)
            assert run.primary.read()["image"].dtype == "uint16"
            assert not run.nonconforming
        assert cat.store.quarantined() == []


def test_runs_of_two_topics_are_recorded_and_each_topic_has_its_position(cluster, publish, cat, record_all):
    for topic in ("a", "b"):
        cluster.make_topic(topic)
        publish(topic, documents_of(f"run-1-{topic}", 10))
        publish(topic, documents_of(f"run-2-{topic}", 5))
    found = record_all("a", "b")

    assert (found.status.runs, found.status.events, found.status.lag) == (4, 30, 0)
    for topic in ("a", "b"):
        assert_recorded(cat[f"run-1-{topic}"], list(documents_of(f"run-1-{topic}", 10)))
    assert offsets_of(cat.store) == {"a": {"0": 21}, "b": {"0": 21}}


def test_interleaved_runs_are_told_apart(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    runs = [list(documents_of(f"run-{number}", 20)) for number in range(5)]
    publish("t", [document for step in zip(*runs, strict=True) for document in step])
    record_all("t")

    for number, sent in enumerate(runs):
        assert_recorded(cat[f"run-{number}"], sent)


def test_what_was_recorded_is_not_asked_for_again(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    publish("t", documents_of("run-1", 3))
    record_all("t")
    publish("t", documents_of("run-2", 3))

    assert record_all("t").status.messages == 6
    assert record_all("t").status.messages == 0
    assert cat.store.count_runs() == 2


def test_a_message_that_is_no_document_goes_into_quarantine_whole_and_the_next_is_taken(
    cluster, publish, cat, record_all
):
    cluster.make_topic("t")
    odd = [b"\xc1 no msgpack", b"", msgpack.packb(["start"]), msgpack.packb([1, {}]), msgpack.packb("text")]
    run = list(documents_of("run-1", 3))
    publish("t", [*odd, *run[:3], *odd, *run[3:]])
    found = record_all("t")

    assert_recorded(cat["run-1"], run)
    assert found.status.faults == len(cat.store.quarantined()) == 10
    first = decode(cat.store.quarantined()[0].body)
    assert first == {"channel": "t", "partition": 0, "offset": 0, "base64": "wSBubyBtc2dwYWNr"}


def test_arrays_of_numpy_come_as_they_were(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    array, number = np.arange(6, dtype="int16").reshape(2, 3), np.float32(1.5)
    data = {"start": {"uid": "run-1", "time": 1.0, "array": array, "number": number, "z": 1 + 2j}}
    publish("t", list(data.items()))
    record_all("t")

    assert cat["run-1"].start["array"] == [[0, 1, 2], [3, 4, 5]]
    assert cat["run-1"].start["number"] == 1.5


def test_listening_may_begin_with_what_comes_now(cluster, publish, cat, record_all):
    cluster.make_topic("t", 2)
    publish("t", documents_of("run-1", 3))
    record_all("t", first="now")
    publish("t", documents_of("run-2", 3))
    publish("t", documents_of("run-3", 3), partition=1)
    record_all("t", first="now")

    assert {row.uid for row in cat.store.runs()} == {"run-2", "run-3"}


def test_a_partition_that_appears_later_is_read_from_its_beginning(cluster, publish, cat, record_all):
    cluster.make_topic("t", 2)
    record_all("t", first="now")
    publish("t", documents_of("run-1", 3), partition=1)
    (name,) = cat.store.cursors()
    with cat.store.transaction() as writer:
        writer.set_cursor(name, b'{"owner":null,"offsets":{"0":0},"runs":[],"change":0}')
    record_all("t", first="now")

    assert {row.uid for row in cat.store.runs()} == {"run-1"}


def test_a_topic_that_is_not_there_yet_is_waited_for_and_read_from_its_beginning(cluster, publish, cat):
    cluster.make_topic("there")
    source = kafka_source(cluster.bootstrap, ["there", "later"], first="now")
    with Listening(cat.store, source) as listening:
        listening.wait_said("There is no topic 'later'")
        publish("there", documents_of("run-1", 3))
        listening.wait(lambda status: status.runs == 1)
        cluster.make_topic("later")
        publish("later", documents_of("run-2", 3))
        listening.wait(lambda status: status.runs == 2 and not status.open_runs)

    assert len([line for line in listening.said if "no topic" in line]) == 1


def test_documents_that_come_before_what_they_need_wait_for_it(cluster, publish, cat):
    cluster.make_topic("t", 2)
    run = list(documents_of("run-1", 50))
    with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
        publish("t", run[2:], partition=1)
        listening.wait(lambda status: status.messages == 51)
        wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 0, "1": 0}})
        publish("t", run[:2], partition=0)
        listening.wait(lambda status: status.runs == 1 and not status.open_runs)

    assert_recorded(cat["run-1"], run)
    assert offsets_of(cat.store) == {"t": {"0": 2, "1": 51}}


def test_documents_for_whom_nothing_comes_go_into_quarantine_once(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    publish("t", [("event", worker.event_of("nobody", 1)), ("stop", worker.stop_of("nobody", 1))])
    record_all("t")
    # As if the listener had died before it could move the position.
    (name,) = cat.store.cursors()
    with cat.store.transaction() as writer:
        writer.set_cursor(name, b'{"owner":null,"offsets":{"0":0},"runs":[],"change":0}')
    record_all("t")

    assert sorted(row.kind for row in cat.store.quarantined()) == ["event", "stop"]


def test_a_broker_that_goes_away_is_waited_for(cluster, publish, cat):
    cluster.make_topic("t")
    with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
        publish("t", documents_of("run-1", 3))
        listening.wait(lambda status: status.runs == 1 and not status.open_runs)
        cluster.go_away()
        listening.wait_said("Trying again")
        cluster.come_back()
        listening.wait_said("answers again")
        publish("t", documents_of("run-2", 3))
        listening.wait(lambda status: status.runs == 2 and not status.open_runs)

    assert len([line for line in listening.said if "Trying again" in line]) == 1
    assert_recorded(cat["run-2"], list(documents_of("run-2", 3)))


def test_an_end_that_cannot_be_found_is_an_error(cluster, cat, monkeypatch):
    monkeypatch.setattr("hutch.listening.kafka_topics._PATIENCE_S", 0.5)
    cluster.make_topic("there")
    reasons = {cluster.bootstrap: "no topic 'nosuch'", "127.0.0.1:1": "could not be listened to"}
    for bootstrap, reason in reasons.items():
        source = kafka_source(bootstrap, ["nosuch"], until_end=True)
        with Listening(cat.store, source) as listening:
            wait_until(lambda listening=listening: listening.error)
        with pytest.raises(ListeningError, match=reason):
            raise listening.error


def test_settings_that_librdkafka_does_not_know_are_refused():
    with pytest.raises(ListeningError, match='No such configuration property: "no.such"'):
        kafka_source("localhost:9092", ["t"], settings={"no.such": "1"})


def filler(count: int) -> Iterator[tuple[str, Any]]:
    """Yield 5 MB and more, so that the broker drops what came before."""
    for number in range(count):
        yield "start", {**worker.start_of(f"filler-{number}"), "text": "x" * 100_000}
        yield "stop", worker.stop_of(f"filler-{number}", 0)


def test_messages_that_are_gone_are_counted_and_noted_with_the_open_run(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    publish("t", documents_of("run-1", 3, end=False))
    record_all("t")
    publish("t", [("event", worker.event_of("run-1", number)) for number in range(4, 10)])
    publish("t", filler(80))
    publish("t", [("event", worker.event_of("run-1", 10)), ("stop", worker.stop_of("run-1", 10))])
    found = record_all("t")

    assert found.status.gone > 6
    (row,) = [row for row in cat.store.quarantined() if row.kind == "gap"]
    assert row.run == cat["run-1"].row.id
    facts = decode(row.body)
    assert (facts["first"], facts["end"] - facts["first"]) == (5, found.status.gone)
    assert "are gone" in row.reason
    assert any(f"{found.status.gone:,} messages of topic 't'" in line for line in found.said)
    assert list(cat["run-1"].primary.read()["time"].values) == [1, 2, 3, 10]


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    record_all("t")
    (name,) = cat.store.cursors()
    with cat.store.transaction() as writer:
        writer.set_cursor(name, b'{"owner":null,"offsets":{"0":4711},"runs":[],"change":0}')
    publish("t", documents_of("run-1", 3))
    found = record_all("t")

    assert any("made anew" in line for line in found.said)
    assert_recorded(cat["run-1"], list(documents_of("run-1", 3)))
    assert offsets_of(cat.store) == {"t": {"0": 6}}


def test_a_source_that_is_sent_to_what_is_gone_tells_the_gap_and_goes_on(cluster, publish):
    cluster.make_topic("t")
    publish("t", filler(80))
    source = kafka_source(cluster.bootstrap, ["t"])
    source.open(lambda name, title: {0: 150}, print)
    found: list[Any] = []
    wait_until(lambda: found.extend(source.receive(0.1)) or len(found) > 10)
    assert found[0] == Begin(found[0].channel, 0, 150, 160)
    assert [item.offset for item in found[1:]] == list(range(150, 160))

    source.seek(found[0].channel, {0: 3})
    found.clear()
    wait_until(lambda: found.extend(source.receive(0.1)) or (found and isinstance(found[-1], Message)))
    assert isinstance(found[0], Gap)
    assert (found[0].first, found[0].end) == (3, found[1].offset)
    source.close()


@pytest.mark.parametrize("refusals", [0, 2])
def test_how_far_it_has_come_can_be_told_to_the_cluster(cluster, publish, record_all, refusals):
    cluster.make_topic("t")
    cluster.refuse_commits(*[confluent_kafka.KafkaError.INVALID_COMMIT_OFFSET_SIZE] * refusals)
    publish("t", documents_of("run-1", 3))
    record_all("t", group="hutch at a beamline")

    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": cluster.bootstrap, "group.id": "hutch at a beamline", "log_level": 0}
    )
    place = confluent_kafka.TopicPartition("t", 0)
    wait_until(lambda: consumer.committed([place], timeout=5)[0].offset == 6)
    consumer.close()


# one listener after the other, and one beside the other


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_next_one_goes_on(cluster, publish, tmp_path, number):
    cluster.make_topic("t")
    run = list(documents_of("run-1", 100))
    publish("t", run[:50])
    arguments = ("kafka", "--bootstrap", cluster.bootstrap, "t")
    first = Program(*arguments, store=tmp_path / "store")
    first.wait(lambda status: status["messages"] == 50)
    assert first.end(number) == 0
    with hutch.open_catalog(tmp_path / "store") as cat:
        assert cat["run-1"].status == "interrupted"
        assert offsets_of(cat.store) == {"t": {"0": 50}}
        publish("t", run[50:])
        second = Program(*arguments, "--until-end", store=tmp_path / "store")
        assert second.end(None) == 0
        assert second.statuses[-1]["messages"] == 52 + 1
        assert_recorded(cat["run-1"], run)
        assert cat["run-1"].status == "success"


def test_a_second_listener_is_refused_while_the_first_one_lives(cluster, publish, tmp_path, monkeypatch):
    monkeypatch.setattr("hutch.listening.listener._CLAIM_S", 0.5)
    cluster.make_topic("t")
    first = Program("kafka", "--bootstrap", cluster.bootstrap, "t", store=tmp_path / "store")
    publish("t", documents_of("run-1", 3))
    first.wait(lambda status: status["runs"] == 1)
    with contextlib.closing(open_store(tmp_path / "store")) as store:
        with Listening(store, kafka_source(cluster.bootstrap, ["t"])) as second:
            wait_until(lambda: second.error)
        with pytest.raises(ListeningError, match=f"listened to by process {first.process.pid} on"):
            raise second.error
        first.end(signal.SIGKILL)
        publish("t", documents_of("run-2", 3))
        with Listening(store, kafka_source(cluster.bootstrap, ["t"])) as third:
            third.wait(lambda status: status.runs == 1 and not status.open_runs)
        assert store.count_runs() == 2


RECORD = """
import sys
from hutch.recording import Recorder
from hutch.store import open_store
from tests.system import killed_worker as worker
recorder = Recorder(open_store(sys.argv[1]))
recorder("start", worker.start_of("run-1"))
recorder("descriptor", worker.descriptor_of("run-1"))
for number in range(1, 6):
    recorder("event", worker.event_of("run-1", number))
recorder.flush()
print("ready", flush=True)
sys.stdin.readline()
recorder("stop", worker.stop_of("run-1", 5))
"""


@pytest.fixture
def other(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """Another process that records the run that is published too, and ends it when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", RECORD, str(tmp_path / "store")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=hutch.__path__[0] + "/../..",
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_a_run_that_another_process_records_is_left_to_it(cluster, publish, cat, other):
    cluster.make_topic("t")
    with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
        publish("t", documents_of("run-1", 5))
        listening.wait_said("is being recorded by another process")
        listening.wait(lambda status: status.messages == 8)
        wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 0}})  # it could still be needed
        other.stdin.write("end\n")
        other.stdin.flush()
        wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 8}})

    assert listening.status.passed_over == 8
    assert_recorded(cat["run-1"], list(documents_of("run-1", 5)))


def test_a_run_whose_recording_process_dies_is_gone_on_with_from_its_beginning(cluster, publish, cat, other):
    cluster.make_topic("t")
    with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
        publish("t", documents_of("run-2", 2))
        publish("t", [("event", worker.event_of("nobody", 1))])
        publish("t", documents_of("run-1", 20))
        listening.wait_said("is being recorded by another process")
        wait_until(lambda: len(cat.store.quarantined()) == 1)
        other.kill()
        listening.wait_said("gone on with here")
        wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 29}})

    assert_recorded(cat["run-1"], list(documents_of("run-1", 20)))
    assert_recorded(cat["run-2"], list(documents_of("run-2", 2)))
    assert cat["run-1"].status == "success"
    assert len(cat.store.quarantined()) == 1


def test_a_run_of_which_nothing_comes_counts_as_interrupted_and_goes_on_if_more_comes(cluster, publish, cat):
    cluster.make_topic("t")
    run = list(documents_of("run-1", 10))
    with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"]), idle_s=1.0) as listening:
        publish("t", run[:6])
        listening.wait_said("counts as interrupted")
        assert cat["run-1"].status == "interrupted"
        publish("t", run[6:])
        wait_until(lambda: cat["run-1"].status == "success")

    assert_recorded(cat["run-1"], run)


# the store fails


def test_the_position_stays_while_the_store_is_full(cluster, publish, needs_tmpfs):
    disk = needs_tmpfs(4 << 20)
    cluster.make_topic("t")
    runs = {f"run-{number}": list(documents_of(f"run-{number}", 200)) for number in range(3)}
    with hutch.open_catalog(disk / "store") as cat:
        with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
            publish("t", runs["run-0"])
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 203}})
            fill(disk / "ballast")
            publish("t", [*runs["run-1"], b"poison", ("event", worker.event_of("nobody", 1)), *runs["run-2"]])
            listening.wait(lambda status: "full" in status.trouble)
            assert offsets_of(cat.store) == {"t": {"0": 203}}
            (disk / "ballast").unlink()
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 611}})
        assert len([line for line in listening.said if "is full" in line]) == 1
        for uid, sent in runs.items():
            assert_recorded(cat[uid], sent)
        assert sorted(row.kind for row in cat.store.quarantined()) == ["event", "message"]
        assert verify(cat.store).is_sound


def test_what_was_not_recorded_because_the_store_was_full_is_asked_for_by_the_next_one(
    cluster, publish, needs_tmpfs, tmp_path, monkeypatch
):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    disk = needs_tmpfs(4 << 20)
    cluster.make_topic("t")
    run = list(documents_of("run-1", 3000))
    with hutch.open_catalog(disk / "store") as cat:
        with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
            publish("t", run[:10])
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 10}})
            fill(disk / "ballast")
            publish("t", run[10:])
            listening.wait(lambda status: "full" in status.trouble)
        assert "full" in str(listening.error)
    (disk / "ballast").unlink()
    with hutch.open_catalog(disk / "store") as cat:
        assert offsets_of(cat.store) == {"t": {"0": 10}}
        with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"], until_end=True)) as listening:
            listening.wait_end()
        assert_recorded(cat["run-1"], run)
        assert cat["run-1"].status == "success"
        assert offsets_of(cat.store) == {"t": {"0": 3003}}


def test_a_store_that_somebody_has_locked_is_waited_for(cluster, publish, tmp_path, monkeypatch):
    monkeypatch.setattr("hutch.store.sqlite.store.BUSY_TIMEOUT_S", 0.1)
    cluster.make_topic("t")
    run = list(documents_of("run-1", 20))
    with hutch.open_catalog(tmp_path / "store") as cat:
        with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
            publish("t", run[:5])
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 5}})
            lock = sqlite3.connect(tmp_path / "store" / "hutch.db", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            publish("t", run[5:])
            listening.wait(lambda status: "locked" in status.trouble)
            assert offsets_of(cat.store) == {"t": {"0": 5}}
            lock.close()
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 23}})
        assert_recorded(cat["run-1"], run)


def test_the_position_stays_while_the_database_is_away(cluster, publish, postgres_server, postgres_address):
    cluster.make_topic("t")
    runs = {f"run-{number}": list(documents_of(f"run-{number}", 50)) for number in range(3)}
    with hutch.open_catalog(postgres_address) as cat:
        with Listening(cat.store, kafka_source(cluster.bootstrap, ["t"])) as listening:
            publish("t", [*runs["run-0"], *runs["run-1"][:20]])
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 73}})
            postgres_server.kill()
            publish("t", [*runs["run-1"][20:], *runs["run-2"], b"poison"])
            listening.wait(lambda status: status.trouble)
            postgres_server.start()
            wait_until(lambda: offsets_of(cat.store) == {"t": {"0": 160}})
        for uid, sent in runs.items():
            assert_recorded(cat[uid], sent)
        assert [row.kind for row in cat.store.quarantined()] == ["message"]
        assert verify(cat.store).is_sound


def test_a_run_that_was_deleted_does_not_come_back(cluster, publish, cat, record_all):
    cluster.make_topic("t")
    publish("t", documents_of("run-1", 3))
    record_all("t")
    cat.plan_deletion("run-1").execute("there was no sample")
    for name in cat.store.cursors():
        with cat.store.transaction() as writer:
            writer.set_cursor(name, None)
    found = record_all("t")

    assert cat.store.count_runs() == 0
    assert found.status.passed_over == 6
    assert any("has been deleted" in line for line in found.said)


# the program


def test_settings_come_from_a_file(cluster, publish, tmp_path):
    cluster.make_topic("t")
    publish("t", documents_of("run-1", 3))
    settings = tmp_path / "client.properties"
    settings.write_text("# of this site\nsecurity.protocol = PLAINTEXT\n\nclient.id=hutch\n")
    arguments = ("kafka", "--bootstrap", cluster.bootstrap, "t", "--until-end", "--config", str(settings))
    good = Program(*arguments, store=tmp_path / "store")
    assert good.end(None) == 0
    assert good.said == ["Recorded 1 run, 3 events."]

    settings.write_text("security.protocol\n")
    bad = Program(*arguments, store=tmp_path / "store")
    assert bad.end(None) == 1
    assert bad.said == [f"hutch: Line 1 of {str(settings)!r} is no key=value."]
