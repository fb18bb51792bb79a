"""The kernel wakes the monitor before it is time to look, for files that had come to rest."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import watchfiles

from hutch.monitor.reading.watching import FolderWatcher
from hutch.monitor.working.running import wait_for

from ...larpix_files import append_packets, packets, write_packets

LONG_S = 20.0
SHORT_S = 1.5


@contextmanager
def doing(action, after_s=0.3):
    """Do something in the background, a moment later."""
    timer = threading.Timer(after_s, action)
    timer.start()
    yield
    timer.join()


def waited(watcher, timeout_s, action=lambda: None):
    """Return whether the watcher was woken, and after how long (s)."""
    began = time.monotonic()
    with doing(action):
        is_woken = watcher.wait(timeout_s)
    return is_woken, time.monotonic() - began


@pytest.fixture
def clock():
    """A clock whose ``now`` can be set on."""
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def resting(tmp_path, clock):
    """A watcher of a folder with one file, ``a.h5``, that has not changed for long."""
    write_packets(tmp_path / "a.h5", packets(30))
    watcher = FolderWatcher(tmp_path, rest_s=30.0, clock=lambda: clock.now)
    watcher.wait(0.5)
    assert [one.rows for one in watcher.poll()] == [30]
    clock.now += 60
    assert watcher.poll() == []
    return watcher


def test_a_new_file_is_seen_at_once(resting, tmp_path):
    is_woken, seconds = waited(resting, LONG_S, lambda: write_packets(tmp_path / "b.h5", packets(10)))
    assert is_woken and seconds < LONG_S / 2
    assert [(one.spec.base, one.rows) for one in resting.poll()] == [("b", 10)]


def test_a_file_that_had_come_to_rest_is_seen_at_once(resting, tmp_path):
    is_woken, seconds = waited(resting, LONG_S, lambda: append_packets(tmp_path / "a.h5", packets(10)))
    assert is_woken and seconds < LONG_S / 2
    assert [one.rows for one in resting.poll()] == [40]


def test_a_file_that_grows_all_the_time_waits_for_its_time(resting, tmp_path, clock):
    for rows in (40, 60):
        append_packets(tmp_path / "a.h5", packets(10))
        assert [one.rows for one in resting.poll()] == [rows]
        clock.now += 29
        is_woken, seconds = waited(resting, SHORT_S, lambda: append_packets(tmp_path / "a.h5", packets(10)))
        assert not is_woken and seconds >= SHORT_S


def test_new_files_are_seen_one_after_the_other(resting, tmp_path):
    for name in ("b", "c", "d"):
        path = tmp_path / f"{name}.h5"
        assert waited(resting, LONG_S, lambda path=path: write_packets(path, packets(10)))[0]
        assert [one.spec.base for one in resting.poll()] == [name]


def test_after_much_work_early_looks_are_rare(resting, tmp_path):
    resting.poll()
    time.sleep(0.5)  # as drawing takes
    write_packets(tmp_path / "b.h5", packets(10))
    is_woken, seconds = waited(resting, LONG_S)
    assert is_woken and 2.5 <= seconds < LONG_S / 2


def test_other_files_wake_nobody(resting, tmp_path):
    (tmp_path / "below").mkdir()

    def write():
        (tmp_path / "notes.txt").write_text("beam is back")
        write_packets(tmp_path / "below" / "b.h5", packets(10))

    assert not waited(resting, SHORT_S, write)[0]


def test_folders_below_wake_if_they_are_looked_into(tmp_path):
    (tmp_path / "below").mkdir()
    watcher = FolderWatcher(tmp_path, subfolders=True)
    watcher.poll()
    watcher.wait(0.2)
    is_woken, seconds = waited(
        watcher, LONG_S, lambda: write_packets(tmp_path / "below" / "b.h5", packets(10))
    )
    assert is_woken and seconds < LONG_S / 2


def test_a_kernel_that_cannot_tell_is_waited_without(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise OSError(28, "No space left on device")  # as inotify says when it watches as many as it can

    monkeypatch.setattr(watchfiles, "watch", refuse)
    watcher = FolderWatcher(tmp_path)
    is_woken, seconds = waited(watcher, SHORT_S, lambda: write_packets(tmp_path / "b.h5", packets(10)))
    assert not is_woken and seconds >= SHORT_S
    assert [one.spec.base for one in watcher.poll()] == ["b"]


def test_a_folder_that_goes_away_is_waited_for(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    watcher = FolderWatcher(folder)
    watcher.poll()
    assert not waited(watcher, SHORT_S, folder.rmdir)[0]
    assert watcher.poll() == []
    folder.mkdir()
    write_packets(folder / "a.h5", packets(10))
    assert [one.rows for one in watcher.poll()] == [10]


class Told:
    """A watcher that says from some time on that there is something."""

    def __init__(self, after_s):
        self._at = time.monotonic() + after_s

    def wait(self, timeout_s):
        left = self._at - time.monotonic()
        time.sleep(max(min(left, timeout_s), 0.0))
        return left <= timeout_s


@pytest.mark.parametrize("which", [0, 1])
def test_each_of_several_watchers_can_wake(which):
    watchers = [Told(1.0), Told(LONG_S)]
    began = time.monotonic()
    wait_for([watchers[which], watchers[not which], object()])(LONG_S)
    assert time.monotonic() - began < LONG_S / 2


@pytest.mark.parametrize("tellers", [0, 1, 2])
def test_without_news_the_whole_time_is_waited(tellers):
    watchers = [object(), *(Told(LONG_S) for _ in range(tellers))]
    began = time.monotonic()
    wait_for(watchers)(1.0)
    assert time.monotonic() - began >= 1.0
