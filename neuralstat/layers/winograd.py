"""Convolutions by 3 x 3 kernels, tile by tile, with 16 products in place of 36: Winograd's F(2 x 2, 3 x 3).

Outputs of a tile of 2 x 2 positions are A'[(G g G') o (B'd B)]A, d the tile's 4 x 4 inputs, g the kernel, o elementwise and
summed over channels: so for each of 16 elements, products of matrices (filters x channels) and (channels x observations).
The derivatives are those of this formula. Entries of A and B are 0, 1 and -1 (`jit.simd_tiles`), those of G also 1/2, and
sums are shorter than those over the kernel: in single precision errors are 0.7 to 1.1 times as large.

Method: Lavin & Gray (2016), Fast algorithms for convolutional neural networks, CVPR.
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, few_ints, table, uncleared, zeros
from ..jit.compile import jit
from ..jit.late import late
from ..jit.shared_sums import tile_deltas, tile_inputs, turned_rows, turned_sums
from ..jit.simd_gradients import LANES, SLACK, VECTOR_BYTES
from ..jit.simd_sums import ROWS as PANEL_ROWS
from ..jit.simd_sums import VECTORS, panel_size, sum_rows
from ..jit.simd_tiles import outputs_of_tile, pulls_of_tile
from .codes import (
    CHANNELS,
    COLS,
    FILTERS,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    PARAM,
    ROWS,
    SOURCE,
    TARGET,
)
from .tiling import ELEMENTS

MIDDLE = 5  # the element that all four outputs have once
APART, BESIDE = 16, 5  # numbers, and rows, between those of two elements of a tile, lest they fall on the same cache sets
TOGETHER = 2**16  # bytes of one element's inputs and deltas that gradients sum at a time


@late
def _pack_kernels(panels: Any, theta: Any, bias: int, first: int, row_step: int, sum_step: int, tap_step: int, n_rows: int,
                  n_sum: int) -> None:
    """G g G' of all kernels: for each element a panel as `sum_rows` wants it.

    Weight e of row r and term j is ``theta[first + r row_step + j sum_step + e tap_step]``; the bias of row r, of the middle
    element, ``theta[bias + r row_step]`` (negative `bias`: none).
    """
    half = zeros(1, theta)
    half[0] = 0.5
    for r in range(n_rows):
        base = r // PANEL_ROWS * PANEL_ROWS * (n_sum + 1) + r % PANEL_ROWS
        if bias >= 0:
            panels[MIDDLE, base] = theta[bias + r * row_step]
        for j in range(n_sum):
            at, w = base + (1 + j) * PANEL_ROWS, first + r * row_step + j * sum_step
            for b in range(4):  # column b of G g G', from the sums over the kernel's columns
                if b == 0 or b == 3:
                    c = w if b == 0 else w + 2 * tap_step
                    x, y, z = theta[c], theta[c + 3 * tap_step], theta[c + 6 * tap_step]
                else:
                    x = _middle(theta, w, tap_step, b == 1, half)
                    y = _middle(theta, w + 3 * tap_step, tap_step, b == 1, half)
                    z = _middle(theta, w + 6 * tap_step, tap_step, b == 1, half)
                outer = (x + z) * half[0]
                panels[b, at] = x
                panels[4 + b, at] = outer + y * half[0]
                panels[8 + b, at] = outer - y * half[0]
                panels[12 + b, at] = z


@jit
def _middle(theta: Any, w: int, step: int, plus: bool, half: Any) -> Any:
    """Half the sum of a row of the kernel, its middle added or taken away."""
    outer = theta[w] + theta[w + 2 * step]
    return (outer + theta[w + step]) * half[0] if plus else (outer - theta[w + step]) * half[0]


@late
def _products(out: Any, out_step: int, n_rows: int, panels: Any, biased: bool, values: Any, step: int, n_sum: int, tiles: int,
              m: int) -> None:
    """For each element its panel times the values of each of so many tiles; elements lie `out_step` and `step` rows apart."""
    segments = table(1, 3)
    segments[0, 1] = n_sum
    for e in range(ELEMENTS):
        for t in range(tiles):
            segments[0, 0] = e * step + t * n_sum
            sum_rows(out, e * out_step + t * n_rows, n_rows, panels[e], n_sum, 1 if biased and e == MIDDLE else 0, values,
                     segments, 1, m)


@jit
def _places(at: Any, first: int, unit_rows: int, y0: int, x0: int, rows: int, cols: int, side: int) -> None:
    """Elements of a tile of side x side positions from (y0, x0) on of an image, in units of `unit_rows`; -1 outside."""
    for e in range(side * side):
        y, x = y0 + e // side, x0 + e % side
        at[e] = first + (y * cols + x) * unit_rows if 0 <= y < rows and 0 <= x < cols else -1


@jit
def _apart(at: Any, first: int, step: int) -> None:
    """Elements of a tile in a buffer, `step` from one to the next."""
    for e in range(ELEMENTS):
        at[e] = first + e * step


@jit
def _begun(row: Any, t: int, at: Any, begun: Any) -> None:
    """Of a tile's inputs those that an earlier tile, above or on the left, has; -1 for the others."""
    wide = (row[OUT_COLS] + 1) // 2
    for e in range(ELEMENTS):
        begun[e] = at[e] if (t >= wide and e < 8) or (t % wide > 0 and e % 4 < 2) else -1


@jit
def _tile(row: Any, t: int, inputs: bool, at: Any, start: int, block: int) -> None:
    """Where tile t has its inputs, or its outputs, from observation `start` on, in a buffer with rows of a block."""
    wide = (row[OUT_COLS] + 1) // 2
    y, x = t // wide * 2, t % wide * 2
    if inputs:
        _places(at, row[SOURCE] * block + start, row[CHANNELS] * block, y - row[PAD_ROWS], x - row[PAD_COLS], row[ROWS],
                row[COLS], 4)
    else:
        _places(at, row[TARGET] * block + start, row[FILTERS] * block, y, x, row[OUT_ROWS], row[OUT_COLS], 2)


@late
def _through_tiles(row: Any, panels: Any, value: Any, forward: bool, m: int) -> None:
    """From inputs to outputs (`forward`), or from the outputs' derivatives to the inputs', in one buffer."""
    block, width = value.shape[1], VECTORS * VECTOR_BYTES // value.itemsize
    n_tiles = (row[OUT_ROWS] + 1) // 2 * ((row[OUT_COLS] + 1) // 2)
    n_from, n_to = (row[CHANNELS], row[FILTERS]) if forward else (row[FILTERS], row[CHANNELS])
    group = min(max(n_from * n_to // ((n_from + n_to) * width), 1), n_tiles)  # tiles with as many numbers as their panels
    rows_from, rows_to = group * n_from + BESIDE, group * n_to + BESIDE
    terms, sums = uncleared(ELEMENTS * rows_from, width, value), uncleared(ELEMENTS * rows_to, width, value)
    nothing, unused = zeros(max(n_from, n_to) * block, value), zeros(n_to * block, value)
    one, other, begun = few_ints(16), few_ints(16), few_ints(16)
    for i in range(0, m, width):
        n = min(width, m - i)
        for first in range(0, n_tiles, group):
            tiles = min(group, n_tiles - first)
            for t in range(tiles):
                _tile(row, first + t, forward, one, i, block)
                _apart(other, t * n_from * width, rows_from * width)
                if forward:
                    tile_inputs(terms, other, width, value, one, block, nothing, n_from, n)
                else:
                    tile_deltas(terms, other, width, value, one, block, nothing, n_from, n)
            _products(sums, rows_to, n_to, panels, forward, terms, rows_from, n_from, tiles, n)
            for t in range(tiles):
                _tile(row, first + t, not forward, one, i, block)
                _apart(other, t * n_to * width, rows_to * width)
                if forward:
                    outputs_of_tile(value, one, block, sums, other, width, unused, n_to, n)
                else:
                    _begun(row, first + t, one, begun)
                    pulls_of_tile(value, one, begun, block, sums, other, width, nothing, unused, n_to, n)


@jit
def tiles_forward(row: Any, theta: Any, value: Any, m: int) -> None:
    """`conv2d_forward` by tiles."""
    channels, filters = row[CHANNELS], row[FILTERS]
    panels = uncleared(ELEMENTS, panel_size(filters, channels), theta)
    _pack_kernels(panels, theta, row[PARAM], row[PARAM] + 1, 1 + 9 * channels, 1, channels, filters, channels)
    _through_tiles(row, panels, value, True, m)


@jit
def tiles_backward(row: Any, theta: Any, delta: Any, m: int) -> None:
    """`conv2d_backward` by tiles."""
    channels, filters = row[CHANNELS], row[FILTERS]
    panels = uncleared(ELEMENTS, panel_size(channels, filters), theta)
    _pack_kernels(panels, theta, -1, row[PARAM] + 1, 1, 1 + 9 * channels, channels, channels, filters)
    _through_tiles(row, panels, delta, False, m)


@late
def tiles_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add d loss / d kernels by tiles: sums of products of turned tiles, then of their derivatives by G g G'."""
    channels, filters = row[CHANNELS], row[FILTERS]
    high, wide = (row[OUT_ROWS] + 1) // 2, (row[OUT_COLS] + 1) // 2
    image, units = (2 * high + 2) * (2 * wide + 2) * channels + APART, 4 * high * wide * filters + APART
    right = aligned(1, LANES * image + SLACK, value)[0]  # turned, with the zeros around them
    left = aligned(1, LANES * units + SLACK, value)[0]
    lanes = VECTOR_BYTES // value.itemsize
    inputs, outputs = (channels + lanes - 1) // lanes * lanes, (filters + lanes - 1) // lanes * lanes
    group = min(max(TOGETHER // ((inputs + outputs) * value.itemsize * LANES), 1), high * wide)
    v = uncleared(ELEMENTS, group * LANES * inputs + APART, value)
    d = uncleared(ELEMENTS, group * LANES * outputs + APART, value)
    sums = aligned(ELEMENTS, filters * inputs, value)
    one, other = few_ints(16), few_ints(16)
    for start in range(0, m, LANES):
        for y in range(row[OUT_ROWS]):
            turned_rows(delta, row[TARGET] + y * row[OUT_COLS] * filters, row[OUT_COLS] * filters, start, left,
                      2 * y * wide * filters, units)
        for y in range(row[ROWS]):
            at = ((y + row[PAD_ROWS]) * (2 * wide + 2) + row[PAD_COLS]) * channels
            turned_rows(value, row[SOURCE] + y * row[COLS] * channels, row[COLS] * channels, start, right, at, image)
        for first in range(0, high * wide, group):
            tiles = min(group, high * wide - first)
            for t in range(tiles):
                y, x = (first + t) // wide * 2, (first + t) % wide * 2
                _places(one, 0, channels, y, x, 2 * high + 2, 2 * wide + 2, 4)
                _apart(other, t * LANES * inputs, v.shape[1])
                tile_inputs(v, other, inputs, right, one, image, right, LANES, inputs)
                _places(one, 0, filters, y, x, 2 * high, 2 * wide, 2)
                _apart(other, t * LANES * outputs, d.shape[1])
                tile_deltas(d, other, outputs, left, one, units, left, LANES, outputs)
            for e in range(ELEMENTS):
                turned_sums(sums[e], 0, inputs, filters, inputs // lanes, d[e], 0, 0, outputs, v[e],
                           0, 0, inputs, 1, LANES * tiles, 0, 0, 1)
    _add_kernels(grad, row[PARAM] + 1, sums, filters, channels, inputs)


@late
def _add_kernels(grad: Any, first: int, sums: Any, filters: int, channels: int, step: int) -> None:
    """G' s G of the sums s of each filter and channel, added to what belongs to its kernel."""
    half = zeros(1, grad)
    half[0] = 0.5
    lines = zeros(12, grad)
    for f in range(filters):
        for k in range(channels):
            at, w = f * step + k, first + f * (1 + 9 * channels) + k
            for b in range(4):
                plus, minus = sums[4 + b, at], sums[8 + b, at]
                outer = (plus + minus) * half[0]
                lines[b] = sums[b, at] + outer
                lines[4 + b] = (plus - minus) * half[0]
                lines[8 + b] = sums[12 + b, at] + outer
            for a in range(3):
                plus, minus = lines[4 * a + 1], lines[4 * a + 2]
                outer = (plus + minus) * half[0]
                grad[w + 3 * a * channels] += lines[4 * a] + outer
                grad[w + (3 * a + 1) * channels] += (plus - minus) * half[0]
                grad[w + (3 * a + 2) * channels] += lines[4 * a + 3] + outer
