"""What every backend must do: a changes feed that is in order while many write."""

from __future__ import annotations

import threading
import time

import pytest

from .conftest import add_run

_WRITERS, _TRANSACTIONS = 4, 60

# Some transactions take long, some are taken back, some do several things, some only set the stash.
_WRITE = f"""
    import random, time
    random.seed(sys.argv[0] + str(time.time()))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range({_TRANSACTIONS}):
        try:
            with store.transaction() as writer:
                run = writer.add_run(f"{{name}}-{{number}}", 1.0, None, b"{{}}")
                if random.random() < 0.2:
                    time.sleep(0.002)
                if random.random() < 0.3:
                    writer.quarantine(run, "event", "why", b"{{}}")
                if random.random() < 0.1:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    store.close()
"""


def test_a_reader_who_follows_many_writers_misses_nothing_and_sees_everything_once(backend, store):
    processes = [
        backend.start_program(f"name = '{number}'\n" + _dedented(_WRITE)) for number in range(_WRITERS)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("now\n")
        process.stdin.flush()
    seen: list[int] = []
    deadline = time.monotonic() + 100
    while any(process.poll() is None for process in processes) or store.changes(seen[-1] if seen else 0):
        cursor = seen[-1] if seen else 0
        store.wait(cursor, 0.05)
        seen += [change.number for change in store.changes(cursor, limit=7)]
        assert time.monotonic() < deadline
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0] * _WRITERS
    everything = [change.number for change in store.changes(0, limit=10_000)]
    assert len(everything) > _WRITERS * _TRANSACTIONS // 2
    assert seen == everything


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


@pytest.mark.parametrize("waiting", [1, 8])
def test_all_who_wait_hear_of_each_change(backend, store, waiting):
    writer = backend.open()
    heard: list[int] = []

    def follow():
        cursor = 0
        while cursor < 5:
            if store.wait(cursor, 30):
                cursor = store.last_change()
        heard.append(cursor)

    threads = [threading.Thread(target=follow) for _ in range(waiting)]
    for thread in threads:
        thread.start()
    for number in range(5):
        add_run(writer, f"run {number}")
    for thread in threads:
        thread.join(timeout=60)

    assert heard == [5] * waiting
