"""A stream as a dataset over dask arrays: values are read when they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from hutch.catalogs.reading.datasets import TIME, attributes, dimensions, to_datetimes, variable_name
from hutch.catalogs.reading.snapshot import Snapshot
from hutch.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["lazy_dataset"]


def lazy_dataset(snapshot: Snapshot, keys: Sequence[str], *, datetimes: bool) -> xr.Dataset:
    """Return keys of a stream as a dataset over ``time``, which is read at once.

    :param datetimes: True gives ``time`` as datetime64[ns] instead of float64 seconds since 1970.
    :raises MissingExtraError: if dask is not installed.
    """
    try:
        import dask.array as dask_array
    except ImportError as error:
        msg = "to_dask() needs dask. Install it with: pip install 'hutch[dask]'"
        raise MissingExtraError(msg) from error
    arrays: dict[str, Any] = {}
    for key in keys:
        if snapshot.is_external(key):
            frames = snapshot.frames(key)
            # Frames are no arrays of numpy's; only what is asked of them becomes one.
            arrays[key] = dask_array.from_array(  # type: ignore[no-untyped-call]
                frames,
                chunks=frames.chunks,
                name=False,
                asarray=False,
                lock=False,
                meta=np.empty(0, frames.dtype),
            )
        else:
            arrays[key] = _whole(snapshot, key)
    dims = dimensions({key: array.shape[1:] for key, array in arrays.items()}, snapshot.data_keys)
    variables = {
        variable_name(key): xr.Variable((TIME, *dims[key]), array, attributes(snapshot, key))
        for key, array in arrays.items()
    }
    time = snapshot.fixed(TIME)
    return xr.Dataset(variables, {TIME: to_datetimes(time) if datetimes else time})


def _whole(snapshot: Snapshot, key: str) -> Any:
    """Return a column that is read as a whole, if its dtype is known; else it is read for that now."""
    import dask.array as dask_array
    from dask.delayed import delayed

    shape = (snapshot.rows, *snapshot.row_shape(key))
    dtype = snapshot.column_dtype(key)
    if dtype is None:
        found = snapshot.array(key)
        return dask_array.from_array(found, chunks=-1)  # type: ignore[no-untyped-call]
    read: Callable[[str], Any] = delayed(snapshot.array, pure=False)
    return dask_array.from_delayed(read(key), shape, dtype)  # type: ignore[no-untyped-call]
