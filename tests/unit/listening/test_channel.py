"""Messages into a store, as they come again, out of order, or from nowhere."""

from __future__ import annotations

import pytest

from hutch.documents import decode, encode_lossy, is_same
from hutch.errors import StoreError
from hutch.listening.channel import Channel
from hutch.listening.messages import Begin, Gap, Message
from hutch.listening.positions import Bookmark


def start(uid="run"):
    return "start", {"uid": uid, "time": 1.0}


def descriptor(uid="run"):
    keys = {"x": {"dtype": "number", "shape": [], "source": "test"}}
    return "descriptor", {
        "uid": f"{uid}/d",
        "run_start": uid,
        "time": 1.0,
        "name": "primary",
        "data_keys": keys,
    }


def event(number, uid="run"):
    times = {"time": float(number), "seq_num": number, "timestamps": {"x": 1.0}, "filled": {}}
    return "event", {"uid": f"{uid}/{number}", "descriptor": f"{uid}/d", "data": {"x": number + 0.5}, **times}


def page(*numbers, uid="run"):
    events = [event(number, uid)[1] for number in numbers]
    columns = {key: [one[key] for one in events] for key in ("uid", "time", "seq_num")}
    tables = {key: {"x": [one[key]["x"] for one in events]} for key in ("data", "timestamps")}
    return "event_page", {"descriptor": f"{uid}/d", "filled": {}, **columns, **tables}


def stop(uid="run", count=0):
    ending = {"time": 2.0, "exit_status": "success", "num_events": {"primary": count}}
    return "stop", {"uid": f"{uid}/s", "run_start": uid, **ending}


def resource(uid="r", **more):
    about = {"spec": "TIFF", "root": "/", "resource_path": "x", "resource_kwargs": {}}
    return "resource", {"uid": uid, **about, **more}


def datum(uid, of="r"):
    return "datum", {"datum_id": uid, "resource": of, "datum_kwargs": {}}


class Feeder:
    """Gives documents to a channel, one after the other."""

    def __init__(self, cat) -> None:
        self.cat = cat
        self.said: list[str] = []
        self.channel: Channel | None = None
        self.bookmark: Bookmark | None = None
        self._offset = 0

    def open(self, offset=0, *, partitions=1, **options) -> Channel:
        """Begin, or go on after a death: nothing of the channel before is put in order."""
        options = {"keeps_messages": True, "idle_s": 60.0, **options}
        self.channel = Channel(self.cat.store, "t", self.bookmark, self.said.append, **options)
        end, self._offset = self._offset, offset
        for partition in range(partitions):
            self.channel.begin(Begin("t", partition, offset, end))
        return self.channel

    def give(self, *documents, partition=0) -> None:
        for name, document in documents:
            self.channel.take(Message("t", partition, self._offset, name, document))
            self._offset += 1

    def keep(self) -> Bookmark:
        """Have everything on the disk, and the position moved."""
        self.channel.settle()
        self.channel.flush()
        self.bookmark = self.channel.bookmark()
        with self.cat.store.transaction() as writer:
            for remark in self.channel.remarks:
                writer.quarantine(*remark)
        self.channel.moved(self.bookmark)
        return self.bookmark

    def let_go(self) -> None:
        """What becomes of the runs of a process that died."""
        for row in self.cat.store.runs():
            if row.stop is None:
                with self.cat.store.transaction() as writer:
                    writer.disown_run(row.id)
        self.channel._recorder._committer.runs.clear()


@pytest.fixture
def feeder(cat) -> Feeder:
    return Feeder(cat)


def recorded(cat, uid="run"):
    return list(cat[uid].documents(fill="no"))


def assert_same(found, wanted):
    assert [name for name, _ in found] == [name for name, _ in wanted]
    for (_, got), (_, want) in zip(found, wanted, strict=True):
        assert is_same(decode(encode_lossy(got)[0]), decode(encode_lossy(want)[0]))


RUN = [
    start(),
    descriptor(),
    resource(run_start="run"),
    datum("r/1"),
    event(1),
    event(2),
    datum("r/2"),
    event(3),
    stop(count=3),
]


@pytest.mark.parametrize("seen", range(1, len(RUN) + 1))
@pytest.mark.parametrize("back", range(4))
def test_a_run_goes_on_wherever_it_was_cut_and_what_comes_again_is_known(cat, feeder, seen, back):
    feeder.open()
    kept = max(seen - back, 0)
    feeder.give(*RUN[:kept])
    feeder.keep()
    feeder.give(*RUN[kept:seen])
    feeder.channel.flush()
    feeder.let_go()

    feeder.open(kept)
    feeder.give(*RUN[kept:])
    feeder.keep()

    assert_same(recorded(cat), RUN)
    assert (cat["run"].status, cat.store.quarantined(), cat.store.marks(1)) == ("success", [], [])


def test_pages_that_come_again_in_other_pieces_are_known(cat, feeder):
    feeder.open()
    feeder.give(start(), descriptor(), page(1, 2, 3), event(4))
    feeder.keep()
    feeder.let_go()
    feeder.open(1)
    feeder.give(descriptor(), page(1, 2), page(3, 4, 5), event(6), page(5, 6), stop(count=6))
    feeder.keep()

    assert_same(
        recorded(cat), [start(), descriptor(), *[event(number) for number in range(1, 7)], stop(count=6)]
    )
    assert cat.store.quarantined() == []


def test_an_old_resource_belongs_to_the_run_that_was_started_last(cat, feeder):
    feeder.open()
    feeder.give(
        start("a"), resource("ra"), start("b"), resource("rb"), datum("ra/1", "ra"), datum("rb/1", "rb")
    )
    feeder.keep()
    feeder.let_go()
    # Both runs are open: which was the last one, the position tells.
    feeder.open(5)
    feeder.give(
        datum("rb/1", "rb"), resource("rc"), datum("rc/1", "rc"), resource("ra"), stop("a"), stop("b")
    )
    feeder.keep()

    assert [name for name, _ in recorded(cat, "a")] == ["start", "resource", "datum", "stop"]
    assert [doc.get("uid") for _, doc in recorded(cat, "b")] == ["b", "rb", None, "rc", None, "b/s"]
    assert cat.store.quarantined() == []


def test_what_came_too_early_waits_in_order_and_holds_the_position(cat, feeder):
    feeder.open(partitions=2)
    feeder.give(event(1), event(2), stop(count=2), partition=1)
    assert feeder.keep().offsets == {0: 0, 1: 0}
    assert feeder.channel.is_waiting
    feeder.give(start(), partition=0)
    assert feeder.keep().offsets[1] == 0
    assert cat["run"].status == "running"
    feeder.give(descriptor(), partition=0)
    assert feeder.keep().offsets == {0: 5, 1: 3}

    assert_same(recorded(cat), [start(), descriptor(), event(1), event(2), stop(count=2)])
    assert not feeder.channel.is_waiting


def test_what_waited_in_vain_is_in_quarantine_and_not_again(cat, feeder, monkeypatch):
    monkeypatch.setattr("hutch.listening.channel._RETRY_S", 0.2)
    feeder.open()
    odd = [("nonsense", {"uid": "n"}), ("event", {})]
    feeder.give(event(1), page(2, 3), datum("x"), *odd, ("bulk_events", {}))
    feeder.keep()
    assert not feeder.channel.is_changed
    while feeder.channel.is_waiting:
        feeder.channel.settle()
    assert feeder.channel.is_changed  # nothing came, but what waited does so no more
    feeder.channel.flush()
    before = [row.kind for row in cat.store.quarantined()]
    assert sorted(before) == ["datum", "event", "event", "event_page", "nonsense"]

    feeder.bookmark = Bookmark({0: 0}, [], 0)
    feeder.open()
    feeder.give(event(1), page(2, 3), datum("x"), *odd, start())
    feeder.keep()

    assert [row.kind for row in cat.store.quarantined()] == before
    assert "run" in cat


def test_faults_are_in_quarantine_with_the_position_and_not_again(cat, feeder):
    feeder.open()
    feeder.channel.take(Message("t", 0, 0, "", b"\xff", "why"))
    assert cat.store.quarantined() == []
    feeder.keep()
    assert [decode(row.body)["base64"] for row in cat.store.quarantined()] == ["/w=="]

    feeder._offset = 1
    feeder.bookmark = Bookmark({0: 0}, [], 0)
    feeder.open()
    feeder.channel.take(Message("t", 0, 0, "", b"\xff", "why"))
    feeder.keep()

    assert len(cat.store.quarantined()) == 1


def test_a_document_that_no_code_expects_is_kept_as_a_message(cat, feeder):
    class Odd(dict):
        def get(self, *_):
            raise RuntimeError("no")

    feeder.open()
    feeder.give(("event", Odd(a=1)), start())
    feeder.keep()

    (row,) = cat.store.quarantined()
    assert (row.kind, decode(row.body)["value"]) == ("message", {"a": 1})
    assert "RuntimeError('no')" in row.reason
    assert "run" in cat


def test_a_gap_is_noted_once_for_each_open_run(cat, feeder):
    feeder.open()
    feeder.give(start("a"), start("b"), stop("b"), start("c"))
    feeder.channel.pass_gap(Gap("t", 0, 4, 10, "Six messages are gone."))
    assert feeder.keep().offsets == {0: 10}

    found = {(row.run, row.kind, row.reason) for row in cat.store.quarantined()}
    assert found == {(cat[uid].row.id, "gap", "Six messages are gone.") for uid in ("a", "c")}
    assert feeder.channel.counts.gone == 6


def test_events_after_the_stop_come_into_their_run(cat, feeder):
    feeder.open(partitions=2)
    feeder.give(start(), descriptor(), event(1), stop(count=3))
    feeder.give(event(2), event(3), partition=1)
    feeder.keep()

    events = [document["seq_num"] for name, document in recorded(cat) if name == "event"]
    assert events == [1, 2, 3]
    assert feeder.channel.open_runs == 0


def test_a_run_that_ended_is_forgotten_again_after_late_documents(cat, feeder, monkeypatch):
    monkeypatch.setattr("hutch.listening.places._LINGER_S", 0.0)
    monkeypatch.setattr("hutch.listening.channel._LOOK_S", 0.0)
    feeder.open()
    feeder.give(start(), descriptor(), stop(), event(1))
    assert "run" in feeder.channel._recorder._runs
    feeder.keep()

    assert feeder.channel._recorder._runs == {}
    assert feeder.channel._places._open == {}
    assert feeder.channel._places._run_of == {}


def test_a_document_that_the_store_did_not_take_may_be_given_again(cat, feeder, monkeypatch):
    feeder.open()
    feeder.give(start(), descriptor())
    transaction = cat.store.transaction

    def fail():
        raise StoreError("no room")

    for name, document in (("nonsense", {"uid": "n"}), stop("nobody"), start("other")):
        monkeypatch.setattr(cat.store, "transaction", fail)
        offset = feeder._offset
        if name == "stop":
            feeder.give((name, document))
            monkeypatch.setattr("hutch.listening.channel._RETRY_S", 0.0)
            with pytest.raises(StoreError, match="no room"):
                feeder.channel._give_up(1)
        else:
            with pytest.raises(StoreError, match="no room"):
                feeder.give((name, document))
            assert feeder.channel.bookmark().offsets == {0: offset}
        monkeypatch.setattr(cat.store, "transaction", transaction)
        if name == "stop":
            feeder.channel._give_up(1)
        else:
            feeder.give((name, document))
    feeder.keep()

    assert sorted(row.kind for row in cat.store.quarantined()) == ["nonsense", "stop"]
    assert "other" in cat


def test_a_run_whose_metadata_was_amended_is_the_same_run_when_it_comes_again(cat, feeder):
    feeder.open()
    feeder.give(start(), descriptor(), event(1))
    feeder.keep()
    feeder.give(stop(count=1))
    feeder.channel.flush()
    cat["run"].amend({"sample": "LaB6"}, reason="it was forgotten")
    feeder.bookmark = Bookmark({0: 0}, [], 0)
    feeder.open(0)
    feeder.give(start(), descriptor(), event(1), stop(count=1))
    feeder.keep()

    assert cat["run"].start["sample"] == "LaB6"
    assert cat.store.quarantined() == []
