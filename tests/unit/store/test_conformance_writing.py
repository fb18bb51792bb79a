"""What every backend must do: transactions, the changes feed, the stash, ownership, closing."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from hutch.errors import FeedPrunedError, StoreError
from hutch.store import Change, DocumentRow, Topic
from hutch.store.writing import runs as writing

from .conftest import add_batch, add_run, add_segment, numbers

# transactions


class OnPurposeError(Exception):
    """What a test raises itself."""


def test_a_transaction_is_seen_when_it_is_left_and_not_before(backend, store):
    other = backend.open()
    with store.transaction() as writer:
        writer.add_run("uid", 1.0, None, b"{}")
        assert other.count_runs() == 0
        assert other.changes(0) == []

    assert other.count_runs() == 1
    assert len(other.changes(0)) == 1


@pytest.mark.parametrize(
    "error", [OnPurposeError, KeyboardInterrupt, OSError], ids=lambda kind: kind.__name__
)
def test_an_error_takes_everything_back(store, error):
    with pytest.raises((error, StoreError)), store.transaction() as writer:
        run = writer.add_run("uid", 1.0, None, b"{}")
        writer.add_documents(run, [DocumentRow(1, "descriptor", "d", b"{}")])
        writer.set_stash("key", b"1")
        writer.quarantine(run, "event", "why", b"{}")
        raise error("on purpose")

    assert (store.count_runs(), store.last_change(), store.stash(), store.quarantined()) == (0, 0, {}, [])
    assert add_run(store, "uid") > 0


def test_a_transaction_within_one_joins_it(store):
    with pytest.raises(OnPurposeError), store.transaction() as outer:
        outer.set_stash("outer", b"1")
        with store.transaction() as inner:
            assert inner.stash() == {"outer": b"1"}
            inner.set_stash("inner", b"2")
        raise OnPurposeError

    assert store.stash() == {}
    with store.transaction() as outer, store.transaction() as inner:
        outer.set_stash("outer", b"1")
        inner.set_stash("inner", b"2")
    assert store.stash() == {"outer": b"1", "inner": b"2"}


def test_reading_goes_on_within_and_beside_a_transaction(backend, store):
    add_run(store, "before")
    with store.transaction() as writer:
        writer.add_run("within", 1.0, None, b"{}")
        assert store.run_uids() == ["before"]
        assert backend.open().run_uids() == ["before"]


def test_threads_take_turns_to_write(store):
    def count():
        for _ in range(25):
            with store.transaction() as writer:
                seen = int(writer.stash().get("count", b"0"))
                writer.set_stash("count", str(seen + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert store.stash() == {"count": b"100"}


def test_processes_take_turns_to_write(backend, store):
    program = """
        for _ in range(100):
            with store.transaction() as writer:
                seen = int(writer.stash().get("count", b"0"))
                writer.set_stash("count", str(seen + 1).encode())
        store.close()
    """
    processes = [backend.start_program(program) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert store.stash() == {"count": b"300"}


# changes


def test_each_kind_of_writing_appends_to_the_feed(store):
    run = add_run(store, "uid")
    with store.transaction() as writer:
        writer.add_documents(
            run, [DocumentRow(1, "descriptor", "d", b"{}"), DocumentRow(2, "datum", "e", b"{}")]
        )
    add_batch(store, run, numbers(1), add_segment(store, run, numbers(1)))
    with store.transaction() as writer:
        writer.quarantine(None, "event", "why", b"{}")
        writer.end_run(run, b"{}", "success")
    interrupted = add_run(store, "other")
    with store.transaction() as writer:
        writer.disown_run(interrupted)

    found = [(change.topic, change.run, change.reference) for change in store.changes(0)]
    assert sorted(found[1:3]) == [(Topic.DOCUMENT, run, "datum"), (Topic.DOCUMENT, run, "descriptor")]
    assert found[:1] + found[3:] == [
        (Topic.START, run, "uid"),
        (Topic.DATA, run, "primary"),
        (Topic.QUARANTINE, None, "event"),
        (Topic.STOP, run, "success"),
        (Topic.START, interrupted, "other"),
        (Topic.STOP, interrupted, "interrupted"),
    ]


def test_the_feed_is_read_from_a_cursor(store):
    for number in range(5):
        add_run(store, f"run {number}")

    everything = store.changes(0)
    assert [change.number for change in everything] == sorted({change.number for change in everything})
    assert store.changes(0, limit=2) == everything[:2]
    assert store.changes(everything[1].number) == everything[2:]
    assert store.last_change() == everything[-1].number
    assert store.changes(store.last_change()) == []
    assert isinstance(everything[0], Change)


def test_numbers_grow_though_transactions_are_rolled_back(store):
    add_run(store, "first")
    cursor = store.last_change()
    with pytest.raises(OnPurposeError), store.transaction() as writer:
        writer.add_run("lost", 1.0, None, b"{}")
        raise OnPurposeError
    add_run(store, "second")

    assert [change.reference for change in store.changes(cursor)] == ["second"]


def test_a_cursor_older_than_the_feed_must_start_over(store, monkeypatch):
    monkeypatch.setattr(writing, "KEPT_CHANGES", 5)
    monkeypatch.setattr(writing, "_PRUNE_EVERY", 10)
    for number in range(10):
        add_run(store, f"run {number}")

    with pytest.raises(FeedPrunedError, match="no longer kept, the oldest is 6"):
        store.changes(1)
    assert [change.number for change in store.changes(0)] == [6, 7, 8, 9, 10]
    assert [change.number for change in store.changes(5)] == [6, 7, 8, 9, 10]


def test_waiting_ends_at_once_if_there_is_news_already(store):
    add_run(store, "uid")

    assert store.wait(0, timeout_s=0.0)
    assert not store.wait(store.last_change(), timeout_s=0.0)


def test_waiting_ends_when_the_time_is_over(store):
    before = time.monotonic()

    assert not store.wait(0, timeout_s=0.05)
    assert 0.05 <= time.monotonic() - before < 5


@pytest.mark.parametrize("of_whom", ["this store", "the same store opened twice"])
def test_waiting_ends_with_news_of_this_process(backend, store, of_whom):
    writer = store if of_whom == "this store" else backend.open()
    thread = threading.Timer(0.05, add_run, (writer, "uid"))
    thread.start()

    assert store.wait(0, timeout_s=30)
    thread.join()


def test_waiting_ends_with_news_of_another_process(backend, store):
    process = backend.start_program(
        """
        sys.stdin.readline()
        with store.transaction() as writer:
            writer.add_run("uid", 1.0, None, b"{}")
        store.close()
        """
    )
    assert not store.wait(0, timeout_s=0.01)
    threading.Timer(0.05, process.stdin.write, ("now\n",)).start()
    threading.Timer(0.1, process.stdin.flush).start()

    assert store.wait(0, timeout_s=30)
    assert store.run_uids() == ["uid"]
    process.communicate(timeout=30)


# the stash


def test_the_stash_keeps_bytes_by_key(backend, store):
    with store.transaction() as writer:
        writer.set_stash("a", bytes(range(256)))
        writer.set_stash("b", b"1")
        writer.set_stash("a", b"2")
        writer.set_stash("none", None)
    assert backend.open().stash() == {"a": b"2", "b": b"1"}

    with store.transaction() as writer:
        writer.set_stash("a", None)
        assert writer.stash() == {"b": b"1"}
    assert backend.open().stash() == {"b": b"1"}


# ownership


def test_a_run_lives_as_long_as_its_store_is_open(backend, store):
    run = add_run(store, "uid")
    other = backend.open()
    owner = other.run_by_id(run).owner

    assert store.is_live(owner)
    assert other.is_live(owner)
    assert store.is_live(owner)  # still, though others have looked
    assert backend.run_program(f"print(store.is_live({owner!r}))") == "True\n"
    store.close()
    assert not other.is_live(owner)
    assert backend.run_program(f"print(store.is_live({owner!r}))") == "False\n"


def test_a_process_learns_the_name_by_which_it_owns(store):
    with store.transaction() as writer:
        name = writer.claim()
    run = add_run(store, "uid")

    assert store.run_by_id(run).owner == name
    assert store.is_live(name)


@pytest.mark.parametrize("owner", [None, "", "nobody", "../hutch.db"])
def test_what_owns_nothing_is_not_alive(store, owner):
    add_run(store, "uid")

    assert not store.is_live(owner)


def test_an_owner_that_was_killed_is_dead(backend, store):
    process = backend.start_program(
        """
        with store.transaction() as writer:
            writer.add_run("uid", 1.0, None, b"{}")
        print("ready", flush=True)
        sys.stdin.readline()
        """
    )
    assert process.stdout.readline() == "ready\n"
    (row,) = store.runs()
    assert store.is_live(row.owner)

    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    # A server may take a moment to see that a client is gone.
    deadline = time.monotonic() + 30
    while store.is_live(row.owner):
        assert time.monotonic() < deadline
    with store.transaction() as writer:
        writer.own_run(row.id)
    assert store.is_live(store.run_by_id(row.id).owner)


def test_a_forked_child_owns_nothing_of_its_parent_and_its_death_takes_nothing(backend, store):
    printed = backend.run_program(
        """
        import os

        with store.transaction() as writer:
            writer.add_run("parent", 1.0, None, b"{}")
        (owner,) = [row.owner for row in store.runs()]
        child = os.fork()
        if not child:
            seen = store.is_live(owner)
            with store.transaction() as writer:
                writer.add_run("child", 2.0, None, b"{}")
            parent, child = store.runs()
            store.close()
            os._exit(0 if seen and parent.owner != child.owner and store.count_runs else 1)
        _, status = os.waitpid(child, 0)
        parent, child = store.runs()
        print(status, store.is_live(parent.owner), store.is_live(child.owner), flush=True)
        store.close()
        """
    )

    assert printed == "0 True False\n"
    assert store.run_uids() == ["parent", "child"]


def test_a_run_that_is_let_go_belongs_to_nobody(store):
    run = add_run(store, "uid")
    with store.transaction() as writer:
        writer.disown_run(run)

    assert store.run_by_id(run).owner is None


# putting onto the disk, closing


def test_putting_onto_the_disk_works_at_any_time(backend, store):
    store.sync()
    add_run(store, "uid")
    store.sync()
    store.sync()
    other = backend.open()
    other.sync()
    other.close()
    other.sync()


def test_a_closed_store_says_so(store):
    add_run(store, "uid")
    assert not store.is_closed
    store.close()
    store.close()

    assert store.is_closed
    with pytest.raises(StoreError, match="has been closed"):
        store.runs()
    with pytest.raises(StoreError, match="has been closed"), store.transaction():
        pass


def test_what_was_written_is_there_when_the_store_is_opened_again(backend, store):
    add_run(store, "uid")
    store.close()

    again = backend.open()
    assert again.run_uids() == ["uid"]
    assert again.location == store.location
    assert again.files == store.files
