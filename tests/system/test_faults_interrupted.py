"""Ctrl-C waits where it would cost data, and nowhere else."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from hutch.catalogs.verifying import verify
from hutch.recording import Recorder, finish
from hutch.recording.committing.run_writer import RunWriter
from hutch.recording.committing.uninterrupted import uninterrupted
from hutch.recording.events.arrivals import Arrivals
from hutch.recording.events.stream_buffer import StreamBuffer

from .sample_runs import a_run, event, stop

ON_EACH_DATABASE = True


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interruption_waits_for_the_end_of_the_block():
    steps = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        interrupt()
        steps.append("done all the same")
    assert steps == ["done all the same"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_block_is_not_hidden():
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_blocks_within_each_other_wait_for_the_outer_one():
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        with uninterrupted():
            interrupt()
        still_here = True
    assert still_here


def test_other_threads_have_nothing_to_wait_for():
    handlers = []

    def look():
        with uninterrupted():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


@pytest.mark.parametrize(
    ("owner", "method"),
    [(Arrivals, "swap"), (StreamBuffer, "take"), (StreamBuffer, "pack"), (RunWriter, "_pack_rows")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_ctrl_c_in_the_middle_of_a_commit_loses_nothing(store, cat, monkeypatch, owner, method):
    original = getattr(owner, method)
    hits = []

    def interrupted(self, *arguments):
        found = original(self, *arguments)
        # In the thread that records: nobody interrupts the committer's.
        if threading.current_thread() is threading.main_thread() and not hits:
            hits.append(method)
            interrupt()
        return found

    recorder = Recorder(store)
    for name, document in a_run(*(event(number) for number in range(1, 51)), end=False):
        recorder(name, document)
    monkeypatch.setattr(owner, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        recorder("stop", stop())
        interrupt()  # it may have been the committer's turn
    finish(store)

    found = list(cat["run"].documents(fill="no"))
    assert [document["seq_num"] for name, document in found if name == "event"] == list(range(1, 51))
    assert found[-1] == ("stop", stop())
    assert verify(store).is_sound
