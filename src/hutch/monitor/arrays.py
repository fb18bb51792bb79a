"""What plots have accumulated, as bytes: an npz file of arrays, which holds no objects and runs no code."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from hutch.errors import CheckError
from hutch.monitor.forms import State

__all__ = ["pack_state", "unpack_state"]


def pack_state(state: State) -> bytes:
    """Return a state as bytes, compressed.

    :raises ValueError: if one of its arrays holds objects.
    """
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **dict(state))
    return out.getvalue()


def unpack_state(body: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the state in some bytes.

    :raises CheckError: if they hold none.
    """
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        msg = f"What was kept of a plot cannot be read: {error}."
        raise CheckError(msg) from error
