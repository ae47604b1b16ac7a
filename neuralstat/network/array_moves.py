"""Moves of units (`layers.move`) as strided views of arrays whose first axis is observations; see `passes`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..layers import codes
from ..layers.move import FORWARD, STUFFED

_SOURCE = (codes.ROWS, codes.COLS, codes.FILTERS), (codes.STRIDE_ROWS, codes.STRIDE_COLS, codes.STRIDE_CHANNELS)
_TARGET = (codes.OUT_ROWS, codes.OUT_COLS, codes.FILTERS), (codes.SPREAD_ROWS, codes.SPREAD_COLS, None)


def _grid(row: np.ndarray, columns: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes and steps over buffer rows of the units of a move at one of its ends."""
    sizes, steps = columns
    return tuple(int(row[c]) for c in sizes), tuple(1 if c is None else int(row[c]) for c in steps)


def reach(row: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Buffer rows, first and one past the last, that a move reads and writes."""
    found = []
    for columns, begin in ((_SOURCE, row[codes.SOURCE] + row[codes.CHANNELS]), (_TARGET, row[codes.TARGET])):
        ways = [(n - 1) * step for n, step in zip(*_grid(row, columns), strict=True)]
        found.append((int(begin) + sum(min(w, 0) for w in ways), int(begin) + sum(max(w, 0) for w in ways) + 1))
    return found[0], found[1]


def apart(row: np.ndarray) -> bool:
    """Whether the units of a move are different ones at both ends: those that no step of its own tells apart are not."""
    for columns in (_SOURCE, _TARGET):
        furthest = 0
        for step, n in sorted((abs(step), n) for n, step in zip(*_grid(row, columns), strict=True) if n > 1):
            if step <= furthest:
                return False
            furthest += (n - 1) * step
    return row[codes.KIND] != 0


def plain(row: np.ndarray) -> bool:
    """Whether a move makes neighbours of neighbours, and changes nothing."""
    same = row[[codes.ROWS, codes.COLS]].tolist() == row[[codes.OUT_ROWS, codes.OUT_COLS]].tolist()
    still = row[codes.KIND] == 1 and row[codes.KERNEL_ROWS] == row[codes.KERNEL_COLS] == 1
    still = still and row[codes.PAD_ROWS] == row[codes.PAD_COLS] == 0 and not row[codes.ADDS] & FORWARD
    return bool(same and still and _in_order(row, _SOURCE) and _in_order(row, _TARGET))


def _in_order(row: np.ndarray, columns: Any) -> bool:
    sizes, steps = _grid(row, columns)
    wanted = sizes[1] * sizes[2], sizes[2], 1
    return all(n == 1 or step == want for n, step, want in zip(sizes, steps, wanted, strict=True))


def _view(units: np.ndarray, row: np.ndarray, columns: Any) -> np.ndarray:
    """Units (m, rows, columns, channels) of those (m, reach) that a move reads, or writes."""
    sizes, steps = _grid(row, columns)
    begin = -sum((n - 1) * step for n, step in zip(sizes, steps, strict=True) if step < 0)
    across, each = units.strides
    strides = (across, *(step * each for step in steps))
    return np.lib.stride_tricks.as_strided(units[:, begin:], (len(units), *sizes), strides)


def _pairs(row: np.ndarray) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Which units of the target have which of the source, as indexes of their views; each of the target once."""
    axes = []
    for times, pad, n, out in ((codes.KERNEL_ROWS, codes.PAD_ROWS, codes.ROWS, codes.OUT_ROWS),
                               (codes.KERNEL_COLS, codes.PAD_COLS, codes.COLS, codes.OUT_COLS)):  # fmt: skip
        times, pad, n, out = (int(row[c]) for c in (times, pad, n, out))
        found = []
        for a in range(1 if row[codes.OPTIONS] & STUFFED else times):
            first = max(0, -((a + pad) // times))
            stop = min(n, (out - 1 - a - pad) // times + 1)
            if stop > first:
                begin = first * times + a + pad
                found.append((slice(begin, begin + (stop - first - 1) * times + 1, times), slice(first, stop)))
        axes.append(found)
    for there, here in axes[0]:
        for across, own in axes[1]:
            yield (slice(None), there, across), (slice(None), here, own)


def move(row: np.ndarray, source: np.ndarray, target: np.ndarray) -> None:
    """Units (m, reach) of the source to the target, which is changed; zeros where none comes, unless it adds."""
    here, there = _view(source, row, _SOURCE), _view(target, row, _TARGET)
    adds = row[codes.ADDS] & FORWARD
    if not adds:
        there[...] = 0
    for at, own in _pairs(row):
        part = here[own] if row[codes.KIND] == 1 else here[own] / int(row[codes.KIND])
        if adds:
            there[at] += part
        else:
            there[at] = part


def move_back(row: np.ndarray, delta: np.ndarray, size: int) -> np.ndarray:
    """d / d units (m, `size`) that a move reads, from d / d those that it writes."""
    back = np.zeros((len(delta), size), delta.dtype)
    here, there = _view(back, row, _SOURCE), _view(delta, row, _TARGET)
    for at, own in _pairs(row):
        here[own] += there[at] if row[codes.KIND] == 1 else there[at] / int(row[codes.KIND])
    return back
