"""Depthwise convolution: every channel of an image has filters of its own (Chollet 2017, CVPR, 1800), channels last.

Channel k of D = FILTERS / CHANNELS filters each becomes the units k D, ..., k D + D - 1. Weights of unit f: bias, then
kernel (row, column). On a CPU sums over the kernel's elements stay in registers (`jit.simd_taps`).
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, table, zeros
from ..jit.compile import jit
from ..jit.simd_gradients import near_sums, total_rows
from ..jit.simd_taps import tap_rows
from ..jit.vectors import copy_to, fill
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
def depthwise_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """z_(r,c,f) = b_f + sum w_f(a,b) x_(r s + a d - pad, c s + b d - pad, f / D); see `dense_forward`."""
    channels, filters, elements = row[CHANNELS], row[FILTERS], row[KERNEL_ROWS] * row[KERNEL_COLS]
    each = filters // channels
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            for f in range(filters):
                t = row[TARGET] + (r * row[OUT_COLS] + c) * filters + f
                w = row[PARAM] + f * (1 + elements)
                for i in range(lane, m, lanes):
                    value[t, i] = theta[w]
                for e in range(elements):
                    y = r * row[STRIDE_ROWS] + e // row[KERNEL_COLS] * row[DILATION_ROWS] - row[PAD_ROWS]
                    x = c * row[STRIDE_COLS] + e % row[KERNEL_COLS] * row[DILATION_COLS] - row[PAD_COLS]
                    if y < 0 or y >= row[ROWS] or x < 0 or x >= row[COLS]:
                        continue
                    s = row[SOURCE] + (y * row[COLS] + x) * channels + f // each
                    for i in range(lane, m, lanes):
                        value[t, i] += theta[w + 1 + e] * value[s, i]


@jit
def depthwise_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights; the lanes share the weights (see `dense_gradient`)."""
    channels, filters, elements = row[CHANNELS], row[FILTERS], row[KERNEL_ROWS] * row[KERNEL_COLS]
    each = filters // channels
    for p in range(lane, filters * (1 + elements), lanes):
        f = p // (1 + elements)
        e = p - f * (1 + elements) - 1  # element of the kernel; -1 is the bias
        total = grad[row[PARAM] + p]
        for r in range(row[OUT_ROWS]):
            for c in range(row[OUT_COLS]):
                t = row[TARGET] + (r * row[OUT_COLS] + c) * filters + f
                if e < 0:
                    for i in range(m):
                        total += delta[t, i]
                    continue
                y = r * row[STRIDE_ROWS] + e // row[KERNEL_COLS] * row[DILATION_ROWS] - row[PAD_ROWS]
                x = c * row[STRIDE_COLS] + e % row[KERNEL_COLS] * row[DILATION_COLS] - row[PAD_COLS]
                if y < 0 or y >= row[ROWS] or x < 0 or x >= row[COLS]:
                    continue
                s = row[SOURCE] + (y * row[COLS] + x) * channels + f // each
                for i in range(m):
                    total += delta[t, i] * value[s, i]
        grad[row[PARAM] + p] = total


@jit
def depthwise_backward(row: Any, theta: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    channels, filters, elements = row[CHANNELS], row[FILTERS], row[KERNEL_ROWS] * row[KERNEL_COLS]
    each = filters // channels
    for s in range(row[SOURCE], row[SOURCE] + row[ROWS] * row[COLS] * channels):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            for e in range(elements):
                y = r * row[STRIDE_ROWS] + e // row[KERNEL_COLS] * row[DILATION_ROWS] - row[PAD_ROWS]
                x = c * row[STRIDE_COLS] + e % row[KERNEL_COLS] * row[DILATION_COLS] - row[PAD_COLS]
                if y < 0 or y >= row[ROWS] or x < 0 or x >= row[COLS]:
                    continue
                s = row[SOURCE] + (y * row[COLS] + x) * channels
                for f in range(filters):
                    t = row[TARGET] + (r * row[OUT_COLS] + c) * filters + f
                    w = row[PARAM] + f * (1 + elements) + 1 + e
                    for i in range(lane, m, lanes):
                        delta[s + f // each, i] += theta[w] * delta[t, i]


# The CPU's twins, on explicit vector code. They take m padded to a multiple of `engine.simd.PAD`.


@jit
def depthwise_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`depthwise_forward` for one lane."""
    channels, filters, elements = row[CHANNELS], row[FILTERS], row[KERNEL_ROWS] * row[KERNEL_COLS]
    each, per_unit = filters // channels, 1 + elements
    taps = table(elements, 2)
    for r in range(row[OUT_ROWS]):
        for c in range(row[OUT_COLS]):
            n = 0
            for e in range(elements):
                y = r * row[STRIDE_ROWS] + e // row[KERNEL_COLS] * row[DILATION_ROWS] - row[PAD_ROWS]
                x = c * row[STRIDE_COLS] + e % row[KERNEL_COLS] * row[DILATION_COLS] - row[PAD_COLS]
                if 0 <= y < row[ROWS] and 0 <= x < row[COLS]:
                    taps[n, 0], taps[n, 1] = row[SOURCE] + (y * row[COLS] + x) * channels, 1 + e
                    n += 1
            target = row[TARGET] + (r * row[OUT_COLS] + c) * filters
            for q in range(each):
                tap_rows(value, target + q, each, channels, theta, row[PARAM] + q * per_unit, each * per_unit, 1, value, 1,
                         taps, n, m)


@jit
def depthwise_backward_cpu(row: Any, theta: Any, delta: Any, m: int) -> None:
    """`depthwise_backward` for one lane."""
    channels, filters, elements = row[CHANNELS], row[FILTERS], row[KERNEL_ROWS] * row[KERNEL_COLS]
    each, per_unit = filters // channels, 1 + elements
    taps = table(elements * each, 2)
    for y in range(row[ROWS]):
        for x in range(row[COLS]):
            n = 0
            for e in range(elements):
                r = y + row[PAD_ROWS] - e // row[KERNEL_COLS] * row[DILATION_ROWS]
                c = x + row[PAD_COLS] - e % row[KERNEL_COLS] * row[DILATION_COLS]
                if r < 0 or c < 0 or r % row[STRIDE_ROWS] != 0 or c % row[STRIDE_COLS] != 0:
                    continue
                r, c = r // row[STRIDE_ROWS], c // row[STRIDE_COLS]
                if r >= row[OUT_ROWS] or c >= row[OUT_COLS]:
                    continue
                for q in range(each):
                    taps[n, 0] = row[TARGET] + (r * row[OUT_COLS] + c) * filters + q
                    taps[n, 1] = q * per_unit + 1 + e
                    n += 1
            source = row[SOURCE] + (y * row[COLS] + x) * channels
            tap_rows(delta, source, 1, channels, theta, row[PARAM], each * per_unit, 0, delta, each, taps, n, m)


@jit
def depthwise_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`depthwise_gradient` for one lane."""
    channels, filters, cols = row[CHANNELS], row[FILTERS], row[COLS]
    elements = row[KERNEL_ROWS] * row[KERNEL_COLS]
    each, per_unit = filters // channels, 1 + elements
    biases = zeros(filters, value)
    total_rows(biases, delta, row[TARGET], filters, filters, row[OUT_ROWS] * row[OUT_COLS], m)
    high = max((row[OUT_ROWS] - 1) * row[STRIDE_ROWS] + (row[KERNEL_ROWS] - 1) * row[DILATION_ROWS] + 1,
               row[ROWS] + row[PAD_ROWS])
    wide = max((row[OUT_COLS] - 1) * row[STRIDE_COLS] + (row[KERNEL_COLS] - 1) * row[DILATION_COLS] + 1,
               cols + row[PAD_COLS])
    image, first = value, row[SOURCE]
    if high > row[ROWS] or wide > cols:  # with its zeros
        image, first = aligned(high * wide * channels, m, value), 0
        for y in range(row[ROWS]):
            at, s = ((y + row[PAD_ROWS]) * wide + row[PAD_COLS]) * channels, row[SOURCE] + y * cols * channels
            for u in range(cols * channels):
                copy_to(value[s + u, :m], image[at + u])
    taps, sums = table(1, elements)[0], zeros(elements, value)
    for e in range(elements):
        taps[e] = (e // row[KERNEL_COLS] * row[DILATION_ROWS] * wide + e % row[KERNEL_COLS] * row[DILATION_COLS]) * channels
    for f in range(filters):
        fill(sums, 0)
        near_sums(sums, delta, row[TARGET] + f, row[OUT_COLS] * filters, filters, image, first + f // each,
                  row[STRIDE_ROWS] * wide * channels, row[STRIDE_COLS] * channels, taps, elements, 1, row[OUT_ROWS],
                  row[OUT_COLS], m)
        w = row[PARAM] + f * per_unit
        grad[w] += biases[f]
        for e in range(elements):
            grad[w + 1 + e] += sums[e]
