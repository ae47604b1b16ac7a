"""Several inputs as one (`layers.merge`), without masks, for arrays whose first axis is observations; see `passes`."""

from __future__ import annotations

import numpy as np

from ..layers import codes
from ..layers.merge import INNER, INPUTS, LARGEST, PRODUCT, SHORTEST, UNIT


def merge(row: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Units (m, units) of inputs (m, all units that are read)."""
    m = len(source)
    if row[codes.KIND] == INNER:
        first, second = _vectors(row, source)
        if row[codes.OPTIONS] & UNIT:
            first, second = first * _inverse(first), second * _inverse(second)
        return (first @ second.swapaxes(1, 2)).reshape(m, -1)
    parts = source.reshape(m, int(row[INPUTS]), -1)
    if row[codes.KIND] == PRODUCT:
        return parts.prod(axis=1)
    return parts.max(axis=1) if row[codes.KIND] == LARGEST else parts.min(axis=1)


def merge_back(row: np.ndarray, source: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """d / d inputs (m, all units that are read), from d / d units."""
    if row[codes.KIND] == INNER:
        return _inner_back(row, source, delta)
    m, inputs = len(source), int(row[INPUTS])
    parts, back, left = source.reshape(m, inputs, -1), np.empty((m, inputs, delta.shape[1]), source.dtype), delta
    for j in range(inputs - 1, -1, -1):
        if row[codes.KIND] == PRODUCT:
            back[:, j] = delta * np.delete(parts, j, axis=1).prod(axis=1)
        elif j == 0:
            back[:, j] = left
        else:  # equal inputs share, from the last one to the first
            sign = 1 if row[codes.KIND] == LARGEST else -1
            own = (sign * parts[:, j], (sign * parts[:, :j]).max(axis=1))
            back[:, j] = left * (0.5 * (own[0] >= own[1]) + 0.5 * (own[0] > own[1]))
            left = left - back[:, j]
    return back.reshape(m, -1)


def _vectors(row: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both inputs of sums of products as (m, vectors, elements)."""
    size = int(row[codes.ROWS] * row[codes.COLS] * row[codes.CHANNELS])
    shapes = ((row[codes.ROWS], row[codes.CHANNELS]), (row[codes.OUT_ROWS], row[codes.OUT_COLS]))
    first, second = (
        part.reshape(len(source), int(before), int(row[codes.COLS]), int(after)).swapaxes(2, 3)
        .reshape(len(source), -1, int(row[codes.COLS]))
        for part, (before, after) in zip((source[:, :size], source[:, size:]), shapes, strict=True)
    )  # fmt: skip
    return first, second


def _inverse(vectors: np.ndarray) -> np.ndarray:
    """1 / length of each vector."""
    return 1 / np.maximum(np.sqrt(np.square(vectors).sum(axis=2, keepdims=True)), vectors.dtype.type(SHORTEST))


def _inner_back(row: np.ndarray, source: np.ndarray, delta: np.ndarray) -> np.ndarray:
    first, second = _vectors(row, source)
    m, grid = len(source), delta.reshape(len(source), first.shape[1], second.shape[1])
    unit = bool(row[codes.OPTIONS] & UNIT)
    sizes = (_inverse(first), _inverse(second)) if unit else (1, 1)
    first, second = first * sizes[0], second * sizes[1]
    backs = []
    for own, other, d, size in ((first, second, grid, sizes[0]), (second, first, grid.swapaxes(1, 2), sizes[1])):
        back = d @ other
        if unit:  # less what goes along the vector, whose length does not count, unless it is that of the shortest
            along = (back * own).sum(axis=2, keepdims=True) * (size * SHORTEST < 1)
            back = (back - along * own) * size
        backs.append(back)
    shapes = ((row[codes.ROWS], row[codes.CHANNELS]), (row[codes.OUT_ROWS], row[codes.OUT_COLS]))
    return np.concatenate([
        back.reshape(m, int(before), int(after), -1).swapaxes(2, 3).reshape(m, -1)
        for back, (before, after) in zip(backs, shapes, strict=True)
    ], axis=1)  # fmt: skip
