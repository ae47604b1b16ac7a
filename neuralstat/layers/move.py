"""Moves of units: each unit of a grid (rows, columns, channels) at the target is one of the source, or 0.

What concatenates, pads, crops, repeats, permutes and reverses are moves, and what adds: a move may add to what lies at the
target, or be divided by a whole number. Going back, a unit of the source has the sum of the deltas of the units that it went
to. Where several layers read the same units, all but the last read copies, whose deltas are added.

Unit (r, c, k) of the target is buffer row ``TARGET + r SPREAD_ROWS + c SPREAD_COLS + k``. It is unit (y, x, k) of the source,
``SOURCE + CHANNELS + y STRIDE_ROWS + x STRIDE_COLS + k STRIDE_CHANNELS``, where ``r - PAD_ROWS = y KERNEL_ROWS + a`` with a
in 0 ... KERNEL_ROWS - 1, and only a = 0 where `STUFFED`; the same for columns.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from .codes import (
    ADDS,
    CHANNELS,
    COLS,
    FILTERS,
    KERNEL_COLS,
    KERNEL_ROWS,
    KIND,
    OPTIONS,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    ROWS,
    SOURCE,
    SPREAD_COLS,
    SPREAD_ROWS,
    STRIDE_CHANNELS,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)

STUFFED = 1  # of OPTIONS: zeros between units, in place of copies
FORWARD, BACKWARD = 1, 2  # of ADDS


@jit
def source_at(at: int, pad: int, times: int, size: int, stuffed: bool) -> int:
    """Row (column) of the source that stands at one of the target; -1 for none."""
    y = at - pad
    if y < 0 or y >= size * times:
        return -1
    if times == 1:
        return y
    return y // times if not stuffed or y % times == 0 else -1


@jit
def move_forward(row: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Units of the source to the target; see `dense_forward`."""
    adds, stuffed = row[ADDS] & FORWARD, row[OPTIONS] & STUFFED != 0
    for r in range(row[OUT_ROWS]):
        y = source_at(r, row[PAD_ROWS], row[KERNEL_ROWS], row[ROWS], stuffed)
        for c in range(row[OUT_COLS]):
            x = source_at(c, row[PAD_COLS], row[KERNEL_COLS], row[COLS], stuffed)
            t = row[TARGET] + r * row[SPREAD_ROWS] + c * row[SPREAD_COLS]
            s = row[SOURCE] + row[CHANNELS] + y * row[STRIDE_ROWS] + x * row[STRIDE_COLS]
            for k in range(row[FILTERS]):
                at = s + k * row[STRIDE_CHANNELS]
                if y < 0 or x < 0:
                    if adds == 0:
                        for i in range(lane, m, lanes):
                            value[t + k, i] = 0
                elif row[KIND] != 1:
                    for i in range(lane, m, lanes):
                        part = value[at, i] / row[KIND]
                        value[t + k, i] = value[t + k, i] + part if adds else part
                elif adds:
                    for i in range(lane, m, lanes):
                        value[t + k, i] += value[at, i]
                else:
                    for i in range(lane, m, lanes):
                        value[t + k, i] = value[at, i]


@jit
def move_backward(row: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written or added to the source rows of `delta`."""
    for y in range(row[ROWS]):
        for x in range(row[COLS]):
            for k in range(row[FILTERS]):
                move_back(row, y, x, k, delta, lane, m, lanes)


@jit
def move_back(row: Any, y: int, x: int, k: int, delta: Any, lane: int, m: int, lanes: int) -> None:
    """`move_backward` of one unit of the source."""
    adds, stuffed = row[ADDS] & BACKWARD, row[OPTIONS] & STUFFED != 0
    s = row[SOURCE] + row[CHANNELS] + y * row[STRIDE_ROWS] + x * row[STRIDE_COLS] + k * row[STRIDE_CHANNELS]
    if adds == 0:
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    for a in range(1 if stuffed else row[KERNEL_ROWS]):
        r = y * row[KERNEL_ROWS] + a + row[PAD_ROWS]
        if r < 0 or r >= row[OUT_ROWS]:
            continue
        for b in range(1 if stuffed else row[KERNEL_COLS]):
            c = x * row[KERNEL_COLS] + b + row[PAD_COLS]
            if c < 0 or c >= row[OUT_COLS]:
                continue
            t = row[TARGET] + r * row[SPREAD_ROWS] + c * row[SPREAD_COLS] + k
            if row[KIND] != 1:
                for i in range(lane, m, lanes):
                    delta[s, i] += delta[t, i] / row[KIND]
            else:
                for i in range(lane, m, lanes):
                    delta[s, i] += delta[t, i]
