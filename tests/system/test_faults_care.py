"""Backup, restore and move in trouble: killed at any moment, beside programs that record, without room."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hutch.catalogs.verifying import verify
from hutch.documents import decode
from hutch.errors import NoStoreError, StoreError, StoreFullError, StoreMovedError, StoreUnavailableError
from hutch.recording import Recorder
from hutch.store import Store, open_store
from hutch.store.copies.backups import back_up, restore
from hutch.store.copies.moving import delete_old, move

from ..unit.store.whole_stores import contents, files_of, named_files
from . import copying_worker, counting_worker
from .copying_worker import check
from .counting_worker import Worker

KILLS = {"sqlite": 30, "postgresql": 15}
"""Of one kind of copy, by the database that it fills or empties."""
STEPS = 40
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Copies:
    """A program that copies stores, to be killed while it does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, copying_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._rest = b""

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def run(
        self, what: str, source: object, target: object, files: object = None, for_s: float = 60.0
    ) -> int:
        """Copy, and kill it after a time; return how it ended: 0 if it was done by then."""
        task = [what, str(source), str(target), None if files is None else str(files)]
        self._process.stdin.write(json.dumps(task).encode() + b"\n")
        self._process.stdin.flush()
        word, pid = self._line(30.0).split()
        assert word == "pid"
        line = self._line(for_s)
        if line is None:
            # It may have come to its end just now.
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), random.choice(SIGNALS))
            line = self._line(30.0)
        word, status = line.split()
        assert word == "gone"
        return int(status)

    def _line(self, for_s: float) -> str | None:
        deadline = time.monotonic() + for_s
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return None
            self._rest += os.read(self._process.stdout.fileno(), 65536)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if there is one: no test here cuts the power, and many wait for the disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own in it
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < 2**29:
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="hutch-", dir=memory))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def copies() -> Iterator[Copies]:
    found = Copies()
    yield found
    found.close()


@pytest.fixture
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], tuple[str, Path | None]]:
    """Return what gives addresses of new stores in a database, with folders of files if they need one."""
    made: list[Path] = []

    def give(kind: str) -> tuple[str, Path | None]:
        made.append(tmp_path / f"place-{len(made)}")
        if kind == "sqlite":
            return str(made[-1]), None
        server = request.getfixturevalue("postgres_server")
        return server.address(server.make_database()), made[-1]

    return give


def make_store(address: str, files: Path | None) -> dict[str, object]:
    """Make a store of many runs that nobody records; return what is in it."""
    with contextlib.closing(open_store(address, files=files)) as store:
        worker = Worker(store, "w", large=0.1)
        for _ in range(STEPS):
            worker.step()
        with store.transaction() as writer:
            for row in store.owned_runs():
                writer.disown_run(row.id)
            writer.quarantine(None, "event", "no run", b"{}")
            writer.set_cursor("listen", b"7")
            writer.set_retention("old", b"{}", "bob")
        return contents(store)


def assert_is(address: str, expected: dict[str, object]) -> None:
    """See that a store has this and nothing else."""
    with contextlib.closing(open_store(address, create=False)) as store:
        assert contents(store) == expected
        assert files_of(store) == named_files(store)


class Moments:
    """Random times to be killed at, until there were enough kills.

    :param whole_s: how long it takes if nothing happens to it.
    :param enough: kills.
    """

    def __init__(self, whole_s: float, enough: int) -> None:
        self.kills = 0
        self._enough = enough
        self._whole_s = whole_s
        self._chance = random.Random(20240229)

    def __iter__(self) -> Iterator[float]:
        for _ in range(10 * self._enough):
            if self.kills >= self._enough:
                return
            yield self._chance.uniform(0, self._whole_s)
        pytest.fail(f"only {self.kills} kills came before the end")


def time_of(copy: Callable[[], int]) -> float:
    """Return how long something takes, in s."""
    began = time.monotonic()
    assert copy() == 0
    return time.monotonic() - began


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_that_is_killed_goes_on(kind, copies, new_address, tmp_path):
    address, files = new_address(kind)
    folder = tmp_path / "backup"
    chance = random.Random(kind)
    with contextlib.closing(open_store(address, files=files)) as store:
        worker = Worker(store, "w", large=0.1)
        for _ in range(STEPS):
            worker.step()
        whole_s = time_of(lambda: copies.run("back_up", address, tmp_path / "first"))
        for for_s in (moments := Moments(whole_s, KILLS[kind])):
            if copies.run("back_up", address, folder, for_s=for_s) != 0:
                moments.kills += 1
                if chance.random() < 0.5:
                    continue  # killed once more before it goes on
            back_up(address, folder)
            assert_is(str(folder), contents(store))
            if chance.random() < 0.5:
                shutil.rmtree(folder)
            for _ in range(10):
                worker.step()
        back_up(address, folder)
        assert_is(str(folder), contents(store))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restored_store_is_complete_or_cannot_be_used(kind, copies, new_address, tmp_path):
    expected = make_store(*new_address("sqlite"))
    source, _ = new_address("sqlite")
    back_up(str(tmp_path / "place-0"), source)
    whole_s = time_of(lambda: copies.run("restore", source, *new_address(kind)))
    address, files = new_address(kind)
    for for_s in (moments := Moments(whole_s, KILLS[kind])):
        if copies.run("restore", source, address, files, for_s=for_s) != 0:
            moments.kills += 1
            with contextlib.suppress(NoStoreError):
                assert_is_unfinished(address, expected)
            if moments.kills % 3:
                continue  # killed once more before it goes on
            restore_if_needed(source, address, files)
        assert_is(address, expected)
        address, files = new_address(kind)
    assert_is(source, expected)


def assert_is_unfinished(address: str, expected: dict[str, object]) -> None:
    """See that a store is being restored, and says so; or it is empty still, or was completed just now."""
    try:
        with contextlib.closing(open_store(address, create=False)) as store:
            assert store.count_runs() == 0 or contents(store) == expected
    except NoStoreError:
        raise
    except StoreError as error:
        assert "is an unfinished restore of" in str(error)  # noqa: PT017 - one of several outcomes


def restore_if_needed(source: str, address: str, files: Path | None) -> None:
    try:
        restore(source, address, files)
    except StoreError as error:
        assert "is not empty" in str(error)  # noqa: PT017 - it was completed before the kill


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "other"), [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")]
)
def test_a_store_that_is_being_moved_is_whole_here_or_there(kind, other, copies, new_address):
    address, files = new_address(kind)
    expected = make_store(address, files)
    to, to_files = new_address(kind)
    whole_s = time_of(lambda: copies.run("move and delete", address, to, to_files))
    address = to
    for number, for_s in enumerate(moments := Moments(whole_s, min(KILLS[kind], KILLS[other]))):
        to, to_files = new_address(other if number % 2 == 0 else kind)
        what = "move" if number % 3 else "move and delete"
        for again in range(3):
            if copies.run(what, address, to, to_files, for_s=for_s / (1 + again)) == 0:
                break
            moments.kills += 1
            # The old store is in use, or the same command again completes it.
            try:
                assert_is(address, expected)
            except (StoreMovedError, NoStoreError):
                break
        if _is_there(address):
            move(address, to, to_files, check=check)
            delete_old(address, to)
        assert_is(to, expected)
        assert not _is_there(address)
        address = to
    with contextlib.closing(open_store(address)) as store:
        assert verify(store).errors == []


def _is_there(address: str) -> bool:
    from hutch.store import has_store

    return has_store(address)


# beside others


class Counters:
    """Programs that use a store at once."""

    def __init__(self, address: str, count: int) -> None:
        self.names = [f"w{number}" for number in range(count)]
        command = [sys.executable, counting_worker.__file__, address]
        self._processes = [
            subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for name in self.names
        ]
        for process in self._processes:
            assert process.stdout.readline() == "ready\n"

    def end(self) -> dict[str, tuple[int, int, float]]:
        """Let them end; return what each says of itself."""
        said = [process.communicate(timeout=60)[0].split() for process in self._processes]
        assert [process.returncode for process in self._processes] == [0] * len(said)
        return {
            name: (int(begun), int(deleted), float(longest_s))
            for name, (begun, deleted, longest_s) in zip(self.names, said, strict=True)
        }


def assert_is_a_moment(store: Store, names: list[str]) -> int:
    """See that a store is as it was at one moment, by the numbers that were written together."""
    stash = {key: decode(value) for key, value in store.stash().items()}
    runs = {row.uid for row in store.runs()}
    gone = {row.uid for row in store.tombstones()}
    assert runs.isdisjoint(gone)
    for name in names:
        begun = {f"{name}-{number}" for number in range(stash.get(f"{name}-begun", 0))}
        assert {uid for uid in runs | gone if uid.startswith(f"{name}-")} == begun
        assert len({uid for uid in gone if uid.startswith(f"{name}-")}) == stash.get(f"{name}-deleted", 0)
    found = verify(store)
    assert found.errors == []
    assert files_of(store) == named_files(store)
    return len(runs)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_of_a_store_in_use_is_a_moment_of_it(kind, new_address, tmp_path):
    address, files = new_address(kind)
    open_store(address, files=files).close()
    workers = Counters(address, 2)
    seen = []
    for number in range(5):
        folder = tmp_path / ("backup" if number else "first")
        done = back_up(address, folder)
        assert done.damaged == []
        with contextlib.closing(open_store(folder)) as copy:
            seen.append(assert_is_a_moment(copy, workers.names))
    said = workers.end()

    back_up(address, tmp_path / "backup")
    with contextlib.closing(open_store(address)) as store:
        expected = contents(store)
        assert assert_is_a_moment_of_live(store, said)
    assert_is(str(tmp_path / "backup"), expected)
    assert len(set(seen)) == len(seen)
    restore(tmp_path / "backup", *new_address("postgresql" if kind == "sqlite" else "sqlite"))


def assert_is_a_moment_of_live(store: Store, said: dict[str, tuple[int, int, float]]) -> bool:
    stash = {key: decode(value) for key, value in store.stash().items()}
    return all(
        stash[f"{name}-begun"] == begun and stash.get(f"{name}-deleted", 0) == deleted
        for name, (begun, deleted, _) in said.items()
    )


@pytest.mark.timeout(180)
def test_a_backup_that_is_killed_beside_others_goes_on(copies, new_address, tmp_path):
    address, _ = new_address("sqlite")
    open_store(address).close()
    workers = Counters(address, 2)
    chance = random.Random(7)
    statuses = [
        copies.run("back_up", address, tmp_path / "backup", for_s=chance.uniform(0, 0.4)) for _ in range(20)
    ]
    workers.end()
    back_up(address, tmp_path / "backup")

    with contextlib.closing(open_store(address)) as store:
        assert_is(str(tmp_path / "backup"), contents(store))
    assert sum(status != 0 for status in statuses) > 5


def test_who_records_while_the_store_is_moved_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    place, to = tmp_path / "old", tmp_path / "new"
    with contextlib.closing(open_store(place)) as store:
        recorder = Recorder(store)
        recorder("start", {"uid": "first", "time": 1.0})
        recorder("stop", {"uid": "s", "run_start": "first", "time": 2.0, "exit_status": "success"})
        move(place, to, check=check)
        with pytest.raises(StoreMovedError, match=f"has moved to {str(to)!r}"):
            recorder("start", {"uid": "second", "time": 3.0})
        recorder("event", {"uid": "late", "descriptor": "of nobody"})
        recorder.close()
    # A document that the store cannot take is aside, and is imported into the new one.
    assert list((tmp_path / "spool").iterdir())
    with contextlib.closing(open_store(to)) as store:
        assert store.run_uids() == ["first"]


# disks and servers


def test_a_disk_that_fills_up_meanwhile_stops_a_backup_which_goes_on(new_address, tmp_path, needs_tmpfs):
    address, _ = new_address("sqlite")
    expected = make_store(address, None)
    disk = needs_tmpfs(2**26)
    ballast = disk / "ballast"

    def fill_up(_: object) -> None:
        if not ballast.exists():
            with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(65536))

    with pytest.raises(StoreFullError, match=f"The disk under the store .*{disk.name}/backup.* is full"):
        back_up(address, disk / "backup", fill_up)
    ballast.unlink()
    back_up(address, disk / "backup")
    assert_is(str(disk / "backup"), expected)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_that_goes_away_meanwhile_is_told_and_the_backup_goes_on(
    kind, new_address, tmp_path, monkeypatch
):
    monkeypatch.setattr("hutch.store.copies.copying._TELL_S", 0.0)
    monkeypatch.setattr("hutch.store.copies.copying._RUNS_OF_A_PORTION", 5)
    address, files = new_address(kind)
    expected = make_store(address, files)
    place = Path(address) if files is None else files
    aside = place.with_name("aside")

    def take_away(progress: object) -> None:
        if progress.runs >= 10 and not aside.exists():
            place.rename(aside)

    with pytest.raises(
        NoStoreError, match="has been removed or replaced. Put it back|is gone: there is no file"
    ):
        back_up(address, tmp_path / "backup", take_away)
    aside.rename(place)
    assert back_up(address, tmp_path / "backup").copied_runs <= len(expected["runs"]) - 10
    assert_is(str(tmp_path / "backup"), expected)


def test_a_server_that_dies_meanwhile_is_told_and_the_backup_goes_on(
    new_address, tmp_path, monkeypatch, postgres_server
):
    monkeypatch.setattr("hutch.store.copies.copying._TELL_S", 0.0)
    monkeypatch.setattr("hutch.store.copies.copying._RUNS_OF_A_PORTION", 5)
    address, files = new_address("postgresql")
    expected = make_store(address, files)
    killed = []

    def kill(progress: object) -> None:
        if progress.runs >= 10 and not killed:
            killed.append(True)
            postgres_server.kill()

    try:
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            back_up(address, tmp_path / "backup", kill)
    finally:
        postgres_server.start()
    assert back_up(address, tmp_path / "backup").copied_runs <= len(expected["runs"]) - 10
    assert_is(str(tmp_path / "backup"), expected)


def test_a_server_that_dies_while_it_is_filled_is_filled_on(
    new_address, tmp_path, monkeypatch, postgres_server
):
    monkeypatch.setattr("hutch.store.copies.copying._TELL_S", 0.0)
    monkeypatch.setattr("hutch.store.copies.copying._RUNS_OF_A_PORTION", 5)
    expected = make_store(*new_address("sqlite"))
    back_up(tmp_path / "place-0", tmp_path / "backup")
    address, files = new_address("postgresql")
    killed = []

    def kill(progress: object) -> None:
        if progress.runs >= 10 and not killed:
            killed.append(True)
            postgres_server.kill()

    try:
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            restore(tmp_path / "backup", address, files, report=kill)
    finally:
        postgres_server.start()
    assert restore(tmp_path / "backup", address).copied_runs <= len(expected["runs"]) - 10
    assert_is(address, expected)


# the commands


def test_ctrl_c_tells_that_the_same_command_goes_on(new_address, tmp_path):
    address, _ = new_address("sqlite")
    expected = make_store(address, None)
    program = (
        "import sys, os, signal, hutch.store.copies.copying as copying\n"
        "from hutch.cli.group import hutch\n"
        "finish = copying.Copier.finish\n"
        "def interrupted(*arguments, **options):\n"
        "    os.kill(os.getpid(), getattr(signal, sys.argv[-1]))\n"
        "    finish(*arguments, **options)\n"
        "copying.Copier.finish = interrupted\n"
        "hutch.main(sys.argv[1:-1])\n"
    )
    command = [sys.executable, "-c", program, "backup", address, str(tmp_path / "backup")]
    for name, status in (("SIGINT", 130), ("SIGTERM", 143)):
        done = subprocess.run([*command, name], capture_output=True, text=True, timeout=60)
        assert done.returncode == status
        assert done.stderr.strip() == "Interrupted. The same command goes on where it stopped."
    back_up(address, tmp_path / "backup")
    assert_is(str(tmp_path / "backup"), expected)
