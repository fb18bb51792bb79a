import numpy as np

from hutch.catalogs.reading.datasets import dimensions, to_datetimes


def test_datetimes_are_the_nearest_nanosecond():
    # 2**-10 s is exact in binary and is 976,562.5 ns; rounding goes to the even neighbour.
    found = to_datetimes(np.array([0.0, 1.0, -0.5, 1_700_000_000 + 2**-10]))
    assert found.dtype == "datetime64[ns]"
    assert found.astype("int64").tolist() == [0, 10**9, -5 * 10**8, 1_700_000_000 * 10**9 + 976_562]


def test_times_that_are_none_are_not_a_time():
    assert np.isnat(to_datetimes(np.array([np.nan, np.inf]))).all()


def test_dimension_names_depend_on_sizes_only():
    keys = {"a": {}, "b": {}, "c": {"dims": ["q"]}, "d": {"dims": ["q", "too", "many"]}}
    shapes = {"a": (2, 3), "b": (2,), "c": (9,), "d": (3,), "e": ()}
    found = dimensions(shapes, {**keys, "e": {}})
    assert found == {"a": ("dim_0", "dim_1"), "b": ("dim_0",), "c": ("q",), "d": ("d_dim_0",), "e": ()}
