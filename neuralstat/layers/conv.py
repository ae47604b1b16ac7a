"""Two-dimensional convolution (cross-correlation, as in Keras), channels last, and its adjoint.

Unit (r, c, k) of an image with C columns and K channels is row ``(r C + c) K + k`` of the layer's block.
Weights of filter f: bias, then kernel (row, column, input channel).
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from .codes import (
    CHANNELS,
    COLS,
    DILATION_COLS,
    DILATION_ROWS,
    FILTERS,
    KERNEL_COLS,
    KERNEL_ROWS,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    PARAM,
    ROWS,
    SOURCE,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)


@jit
def conv2d_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """z_(r,c,f) = b_f + sum w_f(a,b,k) x_(r s + a d - pad, c s + b d - pad, k); see `dense_forward`."""
    channels, filters = row[CHANNELS], row[FILTERS]
    per_filter = 1 + row[KERNEL_ROWS] * row[KERNEL_COLS] * channels
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            for f in range(filters):
                t = row[TARGET] + (r * row[OUT_COLS] + c) * filters + f
                w = row[PARAM] + f * per_filter
                for i in range(lane, m, lanes):
                    value[t, i] = theta[w]
                for a in range(row[KERNEL_ROWS]):
                    y = r * row[STRIDE_ROWS] + a * row[DILATION_ROWS] - row[PAD_ROWS]
                    if y < 0 or y >= row[ROWS]:
                        continue
                    for b in range(row[KERNEL_COLS]):
                        x = c * row[STRIDE_COLS] + b * row[DILATION_COLS] - row[PAD_COLS]
                        if x < 0 or x >= row[COLS]:
                            continue
                        s = row[SOURCE] + (y * row[COLS] + x) * channels
                        v = w + 1 + (a * row[KERNEL_COLS] + b) * channels
                        for k in range(channels):
                            for i in range(lane, m, lanes):
                                value[t, i] += theta[v + k] * value[s + k, i]


@jit
def conv2d_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights; the lanes share the weights (see `dense_gradient`)."""
    channels, filters = row[CHANNELS], row[FILTERS]
    per_filter = 1 + row[KERNEL_ROWS] * row[KERNEL_COLS] * channels
    for p in range(lane, filters * per_filter, lanes):
        f = p // per_filter
        q = p - f * per_filter - 1  # position in the kernel; -1 is the bias
        k = q % channels
        b = (q // channels) % row[KERNEL_COLS]
        a = q // (channels * row[KERNEL_COLS])
        total = grad[row[PARAM] + p]
        for r in range(row[OUT_ROWS]):
            y = r * row[STRIDE_ROWS] + a * row[DILATION_ROWS] - row[PAD_ROWS]
            if q >= 0 and (y < 0 or y >= row[ROWS]):
                continue
            for c in range(row[OUT_COLS]):
                t = row[TARGET] + (r * row[OUT_COLS] + c) * filters + f
                if q < 0:
                    for i in range(m):
                        total += delta[t, i]
                    continue
                x = c * row[STRIDE_COLS] + b * row[DILATION_COLS] - row[PAD_COLS]
                if x < 0 or x >= row[COLS]:
                    continue
                s = row[SOURCE] + (y * row[COLS] + x) * channels + k
                for i in range(m):
                    total += delta[t, i] * value[s, i]
        grad[row[PARAM] + p] = total


@jit
def conv2d_backward(row: Any, theta: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    channels, filters = row[CHANNELS], row[FILTERS]
    per_filter = 1 + row[KERNEL_ROWS] * row[KERNEL_COLS] * channels
    for s in range(row[SOURCE], row[SOURCE] + row[ROWS] * row[COLS] * channels):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            for a in range(row[KERNEL_ROWS]):
                y = r * row[STRIDE_ROWS] + a * row[DILATION_ROWS] - row[PAD_ROWS]
                if y < 0 or y >= row[ROWS]:
                    continue
                for b in range(row[KERNEL_COLS]):
                    x = c * row[STRIDE_COLS] + b * row[DILATION_COLS] - row[PAD_COLS]
                    if x < 0 or x >= row[COLS]:
                        continue
                    s = row[SOURCE] + (y * row[COLS] + x) * channels
                    for f in range(filters):
                        t = row[TARGET] + (r * row[OUT_COLS] + c) * filters + f
                        v = row[PARAM] + f * per_filter + 1 + (a * row[KERNEL_COLS] + b) * channels
                        for k in range(channels):
                            for i in range(lane, m, lanes):
                                delta[s + k, i] += theta[v + k] * delta[t, i]
