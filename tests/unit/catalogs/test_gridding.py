"""Points become images: planned grids, unplanned ones, noisy ones, and none."""

from __future__ import annotations

import numpy as np
import pytest

from hutch.catalogs.showing.gridding import find_grid

SHAPE, EXTENTS = [2, 3], [[0, 1], [10, 30]]
X, Y = np.array([10.0, 20, 30, 30, 20, 10]), np.array([0.0, 0, 0, 1, 1, 1])
VALUES = np.array([1.0, 2, 3, 4, 5, 6])
SNAKED = [[1, 2, 3], [6, 5, 4]]


@pytest.mark.parametrize("plan", [(), (SHAPE, EXTENTS)])
def test_a_snaked_grid_is_unfolded(plan) -> None:
    grid = find_grid(X, Y, *plan)

    assert grid is not None
    assert grid.image(VALUES).tolist() == SNAKED
    assert grid.x_edges.tolist() == [5, 15, 25, 35]
    assert grid.y_edges.tolist() == [-0.5, 0.5, 1.5]


@pytest.mark.parametrize("plan", [(), (SHAPE, EXTENTS)])
def test_readings_that_scatter_around_a_position_are_one(plan) -> None:
    noise = np.random.default_rng(1)
    grid = find_grid(X + noise.normal(0, 0.2, 6), Y + noise.normal(0, 0.01, 6), *plan)

    assert grid is not None
    assert grid.image(VALUES).tolist() == SNAKED


def test_points_that_were_not_reached_are_nan() -> None:
    grid = find_grid(X[:4], Y[:4], SHAPE, EXTENTS)

    assert grid is not None
    np.testing.assert_array_equal(grid.image(VALUES[:4]), [[1, 2, 3], [np.nan, np.nan, 4]])


def test_a_grid_that_was_driven_backwards_grows_all_the_same() -> None:
    grid = find_grid(X, Y, SHAPE, [[1, 0], [30, 10]])

    assert grid is not None
    assert grid.image(VALUES).tolist() == SNAKED


def test_of_points_in_one_cell_the_last_counts() -> None:
    grid = find_grid(np.array([0.0, 1, 1]), np.array([0.0, 0, 0]))

    assert grid is not None
    assert grid.image(np.array([1.0, 2, 3])).tolist() == [[1, 3]]


def test_a_single_point_has_a_cell() -> None:
    grid = find_grid(np.array([3.0]), np.array([4.0]))

    assert grid is not None
    assert grid.image(np.array([1.0])).shape == (1, 1)


def test_a_spiral_lies_on_no_grid() -> None:
    angle = np.linspace(0, 20, 60)

    assert find_grid(angle * np.cos(angle), angle * np.sin(angle)) is None


@pytest.mark.parametrize("x", [np.array([]), np.array([np.nan])])
def test_no_positions_lie_on_no_grid(x) -> None:
    assert find_grid(x, x) is None


@pytest.mark.parametrize(
    "shape, extents", [([2], [[0, 1]]), ("ab", [[0, 1], [0, 1]]), ([2, 3], [[0, 0], [1, 1]])]
)
def test_a_plan_that_makes_no_sense_is_not_followed(shape, extents) -> None:
    grid = find_grid(X, Y, shape, extents)

    assert grid is not None
    assert grid.image(VALUES).tolist() == SNAKED
