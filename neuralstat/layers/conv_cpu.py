"""Convolution on a CPU's vector code: sums of matrix products at every position; see `engine.simd_sums`.

Forward, the patch below a position is one run of rows for each row of the kernel. Backward, a position of the input is
reached from one unit row block for each element of the kernel. The gradient turns observations round, 16 at a time, so
that its sums over positions stay in registers. Many channels below kernels of 3 x 3 go by tiles: `winograd`.
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, table, uncleared, zeros
from ..jit.compile import jit
from ..jit.late import late
from ..jit.shared_sums import turned_rows, turned_sums
from ..jit.simd_gradients import LANES, SLACK, VECTOR_BYTES, near_sums, total_rows
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from ..jit.vectors import copy_to
from .codes import (
    CHANNELS,
    COLS,
    DILATION_COLS,
    DILATION_ROWS,
    FILTERS,
    KERNEL_COLS,
    KERNEL_ROWS,
    N_OUT,
    OPTIONS,
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
from .tiling import BY_TILES
from .winograd import tiles_backward, tiles_forward, tiles_gradient

NEAR = 2**19  # bytes of turned images and deltas that stay in the second cache while sums are formed


@jit
def _patch(row: Any, r: int, c: int, segments: Any) -> int:
    """Runs of source rows below the kernel at position (r, c), into `segments`; their number."""
    channels, cols = row[CHANNELS], row[COLS]
    n = 0
    first = c * row[STRIDE_COLS] - row[PAD_COLS]
    for a in range(row[KERNEL_ROWS]):
        y = r * row[STRIDE_ROWS] + a * row[DILATION_ROWS] - row[PAD_ROWS]
        if y < 0 or y >= row[ROWS]:
            continue
        if row[DILATION_COLS] == 1:
            low, high = max(0, -first), min(row[KERNEL_COLS], cols - first)
            if high > low:
                segments[n, 0] = row[SOURCE] + (y * cols + first + low) * channels
                segments[n, 1] = (high - low) * channels
                segments[n, 2] = (a * row[KERNEL_COLS] + low) * channels
                n += 1
            continue
        for b in range(row[KERNEL_COLS]):
            x = first + b * row[DILATION_COLS]
            if 0 <= x < cols:
                segments[n, 0] = row[SOURCE] + (y * cols + x) * channels
                segments[n, 1] = channels
                segments[n, 2] = (a * row[KERNEL_COLS] + b) * channels
                n += 1
    return n


@jit
def _reached(row: Any, y: int, x: int, segments: Any) -> int:
    """Unit row blocks that see input position (y, x), into `segments`; their number."""
    filters = row[FILTERS]
    n = 0
    for a in range(row[KERNEL_ROWS]):
        r = y + row[PAD_ROWS] - a * row[DILATION_ROWS]
        if r < 0 or r % row[STRIDE_ROWS] != 0 or r // row[STRIDE_ROWS] >= row[OUT_ROWS]:
            continue
        r //= row[STRIDE_ROWS]
        for b in range(row[KERNEL_COLS]):
            c = x + row[PAD_COLS] - b * row[DILATION_COLS]
            if c < 0 or c % row[STRIDE_COLS] != 0 or c // row[STRIDE_COLS] >= row[OUT_COLS]:
                continue
            c //= row[STRIDE_COLS]
            segments[n, 0] = row[TARGET] + (r * row[OUT_COLS] + c) * filters
            segments[n, 1] = filters
            segments[n, 2] = (a * row[KERNEL_COLS] + b) * filters
            n += 1
    return n


@late
def _sums_at_positions(row: Any, value: Any, panel: Any, length: int, forward: bool, m: int) -> None:
    """Sums of `length` elements of a panel at each position of the outputs (`forward`), or of the inputs."""
    high, wide = (row[OUT_ROWS], row[OUT_COLS]) if forward else (row[ROWS], row[COLS])
    first, n_rows = (row[TARGET], row[FILTERS]) if forward else (row[SOURCE], row[CHANNELS])
    segments = table(row[KERNEL_ROWS] * row[KERNEL_COLS], 3)
    for y in range(high):
        for x in range(wide):
            n = _patch(row, y, x, segments) if forward else _reached(row, y, x, segments)
            sum_rows(value, first + (y * wide + x) * n_rows, n_rows, panel, length, int(forward), value, segments, n, m)


@jit
def conv2d_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`conv2d_forward` for one lane."""
    if row[OPTIONS] & BY_TILES != 0:
        tiles_forward(row, theta, value, m)
        return
    filters = row[FILTERS]
    length = row[KERNEL_ROWS] * row[KERNEL_COLS] * row[CHANNELS]
    panel = uncleared(1, panel_size(filters, length), theta)[0]
    pack_panel(panel, length, theta, row[PARAM], row[PARAM] + 1, length + 1, 1, filters, 0, length)
    _sums_at_positions(row, value, panel, length, True, m)


@jit
def conv2d_backward_cpu(row: Any, theta: Any, delta: Any, m: int) -> None:
    """`conv2d_backward` for one lane."""
    if row[OPTIONS] & BY_TILES != 0:
        tiles_backward(row, theta, delta, m)
        return
    channels, filters = row[CHANNELS], row[FILTERS]
    elements = row[KERNEL_ROWS] * row[KERNEL_COLS]
    length = elements * filters
    panel = uncleared(1, panel_size(channels, length), theta)[0]
    for e in range(elements):
        pack_panel(panel, length, theta, -1, row[PARAM] + 1 + e * channels, 1, 1 + elements * channels, channels,
                   e * filters, filters)
    _sums_at_positions(row, delta, panel, length, False, m)


@jit
def conv2d_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`conv2d_gradient` for one lane."""
    filters, length = row[FILTERS], row[KERNEL_ROWS] * row[KERNEL_COLS] * row[CHANNELS]
    runs, run = _runs(row)
    biases = zeros(filters, value)
    total_rows(biases, delta, row[TARGET], filters, filters, row[OUT_ROWS] * row[OUT_COLS], m)
    for f in range(filters):
        grad[row[PARAM] + f * (1 + length)] += biases[f]
    if row[OPTIONS] & BY_TILES != 0:
        tiles_gradient(row, value, delta, grad, m)
    elif runs > 1 and run * value.itemsize < VECTOR_BYTES:
        _near_gradient(row, value, delta, grad, m)
    else:
        _turned_gradient(row, value, delta, grad, m)


@jit
def _add_sums(row: Any, grad: Any, sums: Any, step: int, runs: int, run: int) -> None:
    """Sums of each run of the kernel and each filter, `step` from one to the next, added to the gradient."""
    filters, length = row[FILTERS], runs * run
    for f in range(filters):
        w = row[PARAM] + 1 + f * (1 + length)
        for k in range(runs):
            for j in range(run):
                grad[w + k * run + j] += sums[(k * filters + f) * step + j]


@jit
def _runs(row: Any) -> Any:
    """Runs of the kernel whose inputs lie side by side, and the elements of each."""
    runs = row[KERNEL_ROWS] if row[DILATION_COLS] == 1 else row[KERNEL_ROWS] * row[KERNEL_COLS]
    return runs, row[KERNEL_ROWS] * row[KERNEL_COLS] * row[CHANNELS] // runs


@jit
def _vectors(n: int, value: Any) -> int:
    """Vectors that hold n elements."""
    return (n * value.itemsize + VECTOR_BYTES - 1) // VECTOR_BYTES


@jit
def _reach(row: Any) -> Any:
    """Rows and columns of the image with its zeros."""
    high = (row[OUT_ROWS] - 1) * row[STRIDE_ROWS] + (row[KERNEL_ROWS] - 1) * row[DILATION_ROWS] + 1
    wide = (row[OUT_COLS] - 1) * row[STRIDE_COLS] + (row[KERNEL_COLS] - 1) * row[DILATION_COLS] + 1
    return max(high, row[ROWS] + row[PAD_ROWS]), max(wide, row[COLS] + row[PAD_COLS])


@jit
def _lines(row: Any, a: int) -> Any:
    """First of the output's rows below which row a of the kernel meets the image, and their number."""
    above = row[PAD_ROWS] - a * row[DILATION_ROWS]  # rows of zeros that the kernel's row begins above the image
    low = max(0, (above + row[STRIDE_ROWS] - 1) // row[STRIDE_ROWS])
    high = min(row[OUT_ROWS], (row[ROWS] - 1 + above) // row[STRIDE_ROWS] + 1)
    return low, max(high - low, 0)


@late
def _near_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add d loss / d kernels, for few channels."""
    channels, cols, filters = row[CHANNELS], row[COLS], row[FILTERS]
    image, first = value, row[SOURCE]
    high, wide = _reach(row)
    if high > row[ROWS] or wide > cols:
        image, first = aligned(high * wide * channels, m, value), 0
        for y in range(row[ROWS]):
            at, s = ((y + row[PAD_ROWS]) * wide + row[PAD_COLS]) * channels, row[SOURCE] + y * cols * channels
            for u in range(cols * channels):
                copy_to(value[s + u, :m], image[at + u])
    length = row[KERNEL_ROWS] * row[KERNEL_COLS] * channels
    taps, sums = table(1, length)[0], zeros(filters * length, value)
    for e in range(length):
        a, b = e // (row[KERNEL_COLS] * channels), e // channels % row[KERNEL_COLS]
        taps[e] = (a * row[DILATION_ROWS] * wide + b * row[DILATION_COLS]) * channels + e % channels
    near_sums(sums, delta, row[TARGET], row[OUT_COLS] * filters, filters, image, first,
              row[STRIDE_ROWS] * wide * channels, row[STRIDE_COLS] * channels, taps, length, filters, row[OUT_ROWS],
              row[OUT_COLS], m)
    _add_sums(row, grad, sums, length, 1, length)


@late
def _turned_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add d loss / d kernels: sums (run, filter, whole vectors for the elements of a run) of turned images and deltas."""
    filters, channels, cols = row[FILTERS], row[CHANNELS], row[COLS]
    runs, run = _runs(row)
    high, wide = _reach(row)
    image, units, vectors = high * wide * channels, row[N_OUT], _vectors(run, value)
    step = vectors * VECTOR_BYTES // value.itemsize
    sums = aligned(1, runs * filters * step, value)[0]
    right = aligned(1, LANES * image + SLACK, value)[0]
    left = aligned(1, LANES * units + SLACK, value)[0]
    down = row[STRIDE_ROWS] * wide
    together = min(max(NEAR // ((image + units) * value.itemsize), 1), LANES)
    for start in range(0, m, LANES):
        turned_rows(delta, row[TARGET], units, start, left, 0, units)
        for y in range(row[ROWS]):
            at = ((y + row[PAD_ROWS]) * wide + row[PAD_COLS]) * channels
            turned_rows(value, row[SOURCE] + y * cols * channels, cols * channels, start, right, at, image)
        for i in range(0, LANES, together):
            for k in range(runs):
                a, b = (k // row[KERNEL_COLS], k % row[KERNEL_COLS]) if row[DILATION_COLS] > 1 else (k, 0)
                low, lines = _lines(row, a)
                at = i * image + (a * row[DILATION_ROWS] * wide + b * row[DILATION_COLS] + low * down) * channels
                turned_sums(sums, k * filters * step, step, filters, vectors, left, i * units + low * row[OUT_COLS] * filters,
                            row[OUT_COLS] * filters, filters, right, at, down * channels, row[STRIDE_COLS] * channels, lines,
                           row[OUT_COLS], units, image, min(together, LANES - i))
    _add_sums(row, grad, sums, step, runs, run)
