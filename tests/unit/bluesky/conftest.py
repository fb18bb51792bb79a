"""What the tests of devices share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky.run_engine import _ensure_event_loop_running, get_bluesky_event_loop, set_bluesky_event_loop

from hutch.bluesky import load_devices

Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that writes a devices file and loads it."""

    def load(text: str, **options: Any) -> Any:
        (tmp_path / "devices.yml").write_text(text)
        return load_devices(tmp_path / "devices.yml", **options)

    return load


@pytest.fixture
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Bluesky's event loop, made before a RunEngine would make it, ended with the test."""
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
