"""Paths through an image: the cheapest ones, row by row, and what lies near to one."""

import numpy as np

from worker.arrays import Floats, Integers

STEP_COST = 0.35  # of a path that goes one pixel to the side, in pixels of ink


def add_up_costs(costs: Floats) -> Integers:
    """Add to the cost of each pixel the least cost of a path to it from the first row, in place.

    Args:
        costs: float32, shape (rows, images, columns): of each pixel of some images.

    Returns:
        int8, of the same shape: how far to the side of a pixel its path was in the row before; in
        the first row, zeros.
    """
    steps = np.zeros(costs.shape, np.int8)
    padded = np.full((costs.shape[1], costs.shape[2] + 2), np.inf, np.float32)
    left, middle, right = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
    aside, least = np.empty_like(costs[0]), np.empty_like(costs[0])
    from_left, from_right = np.empty(aside.shape, bool), np.empty(aside.shape, bool)
    for row in range(1, len(costs)):  # Copies with a mask would take most of the time.
        middle[:] = costs[row - 1]
        np.add(left, STEP_COST, out=aside)
        np.less(aside, middle, out=from_left)
        np.minimum(middle, aside, out=least)
        np.add(right, STEP_COST, out=aside)
        np.less(aside, least, out=from_right)
        np.minimum(least, aside, out=least)
        costs[row] += least
        np.greater(from_left, from_right, out=from_left)
        np.subtract(from_right.view(np.int8), from_left.view(np.int8), out=steps[row])
    return steps


def follow_back(steps: Integers, row: int, columns: Integers) -> Integers:
    """Return the paths that end in a row, from there back to the first: int, (paths, row + 1).

    Args:
        steps: of one image, as `add_up_costs` returns them.
        columns: where in the row each path ends.
    """
    if len(columns) == 1:
        return _follow_one_back(steps, row, int(columns[0]))
    path = [columns]
    for above in range(row, 0, -1):
        path.append(path[-1] + steps[above, path[-1]])
    return np.stack(path, axis=1)


def _follow_one_back(steps: Integers, row: int, column: int) -> Integers:
    """Return one path: NumPy takes five times as long for it."""
    path = [column]
    for above in range(row, 0, -1):
        column += steps.item(above, column)
        path.append(column)
    return np.array([path])


def rows_near(middle: Floats, most: float, height: int) -> tuple[slice, Floats]:
    """Return the rows of an image in which anything lies that near to a line from left to right.

    Args:
        middle: in which row the line is in each column.
        most: pixels.
        height: the image's.

    Returns:
        The rows, and how far each of their pixels lies from the line: shape (rows, columns).
    """
    top = min(max(0, int(middle.min() - most)), height)
    bottom = max(top, min(height, int(middle.max() + most) + 2))
    distances: Floats = np.abs(np.arange(top, bottom)[:, None] - middle)
    return slice(top, bottom), distances
