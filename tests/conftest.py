"""What the tests share: temporary stores, and a way to need things that a machine may lack."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from . import kerberos
from .postgres import PostgresServer, missing

if TYPE_CHECKING:
    from hutch.store.protocols.store import Store

# Where several processes test, each is told how wide the terminal is, and would print tables for that.
os.environ.pop("COLUMNS", None)
# How long an example takes says more of what else the machine does than of what is tested.
settings.register_profile(
    "hutch", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hutch")


def _require(name: str, missing: str | None) -> None:
    if missing is None:
        return
    demanded = os.environ.get("HUTCH_TEST_REQUIRE", "").split(",")
    if "all" in demanded or name in demanded:
        pytest.fail(f"HUTCH_TEST_REQUIRE demands {name!r}: {missing}", pytrace=False)
    pytest.skip(f"needs {name!r}: {missing}")


@pytest.fixture(scope="session")
def require() -> Callable[[str, str | None], None]:
    """Return ``require(name, missing)``: skip a test that lacks something, or fail it.

    ``missing`` says what is not there, or is None. ``$HUTCH_TEST_REQUIRE`` holds names, separated by
    commas, of what must be there; ``all`` means everything, as where no test may be skipped.
    """
    return _require


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Have Ctrl-C interrupt, here and in programs of the tests, which a shell's background ignores."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def spool_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of what a store could not take, away from the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("spool")
        patch.setenv("HUTCH_SPOOL", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def settings_of_the_tests() -> Iterator[None]:
    """No ``hutch.toml``, whatever the user has; and nothing is written where there is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUTCH_CONFIG", os.devnull)
        yield


@pytest.fixture
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, on a machine where nothing is configured yet."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("HUTCH_CONFIG", "HUTCH_STORE", "HUTCH_FILES", "HUTCH_FILE_ROOTS", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture(scope="session")
def postgres_server(require: Callable[[str, str | None], None]) -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own; whoever stops it starts it again."""
    require("postgresql", missing())
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def postgres_address(postgres_server: PostgresServer, tmp_path: Path) -> str:
    """The address of a store of its own in a database, whose folder of files is ``shared``."""
    return postgres_server.make_store(tmp_path / "shared")


@pytest.fixture(scope="session")
def realm(require: Callable[[str, str | None], None]) -> Iterator[kerberos.Realm]:
    """A realm of Kerberos of the tests' own, which they and the programs that they start find."""
    require("kerberos", kerberos.missing())
    found = kerberos.Realm()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        yield found
    found.remove()


DATABASES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module on each database, if it says ``ON_EACH_DATABASE = True``."""
    if getattr(metafunc.module, "ON_EACH_DATABASE", False) and "store_address" in metafunc.fixturenames:
        metafunc.parametrize("store_address", DATABASES, indirect=True)


@pytest.fixture
def store_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store of a test is: a folder, or a database."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return str(request.getfixturevalue("postgres_address"))
    return str(tmp_path / "store")


@pytest.fixture
def store(store_address: str) -> Iterator[Store]:
    """A store of its own, closed afterwards."""
    from hutch.store import open_store

    found = open_store(store_address)
    yield found
    found.close()


@pytest.fixture
def cat(store_address: str) -> Iterator[Any]:
    """A catalog of its own in the place that ``store`` uses too, closed afterwards."""
    import hutch

    found = hutch.open_catalog(store_address)
    yield found
    found.close()


@pytest.fixture
def needs_tmpfs(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return ``mount(size_bytes)``, which gives an empty disk of that size; needs root on Linux."""
    mounted: list[Path] = []

    def mount(size_bytes: int) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
        except FileNotFoundError:
            _require("tmpfs", "there is no program 'mount'")
        except subprocess.CalledProcessError as error:
            _require("tmpfs", error.stderr.strip())
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True, timeout=10)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Return a function that makes a folder read-only, for root too."""
    mounted: list[Path] = []

    def protect(folder: Path) -> None:
        if os.geteuid():
            folder.chmod(0o555)
            return
        commands = (["--bind", str(folder), str(folder)], ["-o", "remount,ro,bind", str(folder)])
        for number, options in enumerate(commands):
            done = subprocess.run(["mount", *options], capture_output=True, text=True, timeout=10)
            _require("mount", done.stderr.strip() if done.returncode else None)
            if not number:
                mounted.append(folder)

    yield protect
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True, timeout=10)
    for folder in tmp_path.iterdir():
        folder.chmod(0o755)


@pytest.fixture
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Bluesky's event loop, made before a RunEngine would make it, ended with the test."""
    from bluesky.run_engine import (
        _ensure_event_loop_running,
        get_bluesky_event_loop,
        set_bluesky_event_loop,
    )

    loop = asyncio.new_event_loop()
    set_bluesky_event_loop(loop)
    thread = _ensure_event_loop_running(loop)
    yield loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
    assert get_bluesky_event_loop() is loop
    set_bluesky_event_loop(None)


@pytest.fixture
def make_run_engine(cat: Any) -> Iterator[Callable[..., Any]]:
    """Return what makes RunEngines on the catalog, whose threads end with the test."""
    from hutch.bluesky import run_engine

    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(run_engine(cat, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.loop.call_soon_threadsafe(engine.loop.stop)
        engine._th.join(timeout=10)
        engine.loop.close()
