"""What the tests of devices share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hutch.bluesky import load_devices

Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that writes a devices file and loads it."""

    def load(text: str, **options: Any) -> Any:
        (tmp_path / "devices.yml").write_text(text)
        return load_devices(tmp_path / "devices.yml", **options)

    return load
