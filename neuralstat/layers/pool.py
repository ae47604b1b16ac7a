"""Pooling of images (row, column, channel), channels last: the largest value, or the mean, of windows.

The mean is over what lies inside the image, as in Keras. Where several values of a window are the largest, the first
gets the derivative.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.scalar import real_
from ..jit.simd_cells import add_rows, max_back_rows, max_rows
from ..jit.vectors import fill_rows
from .codes import (
    CHANNELS,
    COLS,
    KERNEL_COLS,
    KERNEL_ROWS,
    KIND,
    MAXIMUM,
    N_IN,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    ROWS,
    SOURCE,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)


@jit
def _window(row: Any, r: int, c: int) -> Any:
    """Rows and columns of the image below the window at (r, c): first and one past the last of each."""
    y, x = r * row[STRIDE_ROWS] - row[PAD_ROWS], c * row[STRIDE_COLS] - row[PAD_COLS]
    return max(y, 0), min(y + row[KERNEL_ROWS], row[ROWS]), max(x, 0), min(x + row[KERNEL_COLS], row[COLS])


@jit
def pool_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Largest value, or mean, of every window; see `dense_forward` for the arguments."""
    channels = row[CHANNELS]
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            y0, y1, x0, x1 = _window(row, r, c)
            for k in range(channels):
                t = row[TARGET] + (r * row[OUT_COLS] + c) * channels + k
                for i in range(lane, m, lanes):
                    a = value[row[SOURCE] + (y0 * row[COLS] + x0) * channels + k, i]
                    if row[KIND] == MAXIMUM:
                        for y in range(y0, y1):
                            for x in range(x0, x1):
                                b = value[row[SOURCE] + (y * row[COLS] + x) * channels + k, i]
                                if real_(b) > real_(a) or real_(b) != real_(b):
                                    a = b
                    else:
                        a = a * 0
                        for y in range(y0, y1):
                            for x in range(x0, x1):
                                a += value[row[SOURCE] + (y * row[COLS] + x) * channels + k, i]
                        a = a / ((y1 - y0) * (x1 - x0))
                    value[t, i] = a


@jit
def pool_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    channels = row[CHANNELS]
    for s in range(row[SOURCE], row[SOURCE] + row[N_IN]):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            y0, y1, x0, x1 = _window(row, r, c)
            for k in range(channels):
                t = row[TARGET] + (r * row[OUT_COLS] + c) * channels + k
                for i in range(lane, m, lanes):
                    d = delta[t, i]
                    if row[KIND] == MAXIMUM:
                        for y in range(y0, y1):
                            for x in range(x0, x1):
                                s = row[SOURCE] + (y * row[COLS] + x) * channels + k
                                if value[s, i] == value[t, i]:
                                    delta[s, i] += d
                                    d = d * 0
                    else:
                        for y in range(y0, y1):
                            for x in range(x0, x1):
                                delta[row[SOURCE] + (y * row[COLS] + x) * channels + k, i] += d / ((y1 - y0) * (x1 - x0))


@jit
def pool_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`pool_forward` for one lane: the channels of a position are neighbouring rows."""
    channels = row[CHANNELS]
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            y0, y1, x0, x1 = _window(row, r, c)
            t = row[TARGET] + (r * row[OUT_COLS] + c) * channels
            part = 1.0 / ((y1 - y0) * (x1 - x0))
            for y in range(y0, y1):
                for x in range(x0, x1):
                    s = row[SOURCE] + (y * row[COLS] + x) * channels
                    first = y == y0 and x == x0
                    if row[KIND] == MAXIMUM:
                        max_rows(value, value, t, s, first, 1.0, channels, m)
                    else:
                        add_rows(value, value, t, s, first, part, channels, m)


@jit
def pool_backward_cpu(row: Any, value: Any, delta: Any, m: int) -> None:
    """`pool_backward` for one lane."""
    channels = row[CHANNELS]
    apart = row[KERNEL_ROWS] <= row[STRIDE_ROWS] and row[KERNEL_COLS] <= row[STRIDE_COLS]  # no input in two windows
    full = row[KERNEL_ROWS] == row[STRIDE_ROWS] and row[KERNEL_COLS] == row[STRIDE_COLS]
    high = row[OUT_ROWS] * row[STRIDE_ROWS] - row[PAD_ROWS] if full else 0
    wide = row[OUT_COLS] * row[STRIDE_COLS] - row[PAD_COLS] if full else 0
    for y in range(row[ROWS]):
        for x in range(wide if y < high else 0, row[COLS]):
            s = row[SOURCE] + (y * row[COLS] + x) * channels
            fill_rows(delta, s, s + channels, m, 0)
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            y0, y1, x0, x1 = _window(row, r, c)
            t = row[TARGET] + (r * row[OUT_COLS] + c) * channels
            part = 1.0 / ((y1 - y0) * (x1 - x0))
            for y in range(y0, y1):
                for x in range(x0, x1):
                    s = row[SOURCE] + (y * row[COLS] + x) * channels
                    if row[KIND] == MAXIMUM:
                        max_back_rows(value, delta, s, t, apart, 1.0, channels, m)
                    else:
                        add_rows(delta, delta, s, t, apart, part, channels, m)
