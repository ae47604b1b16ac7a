"""Kernels of products of weights, units and derivatives, by tiles in shared memory; see `geometry`.

A block of threads forms a tile of `Tile.rows` by `Tile.columns` numbers, a thread `tall` by `wide` of them in
registers. Sums run over the third index in order; gradients are summed by shares of the observations and positions, that
are added in order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
from numba import cuda  # a global, in whose place the simulator puts its own

from ...cpu import RUNNING
from ..device import target
from .arrays import SIZE
from .geometry import (
    BIAS,
    COLS,
    DILATION_COLS,
    DILATION_ROWS,
    IN0,
    IN_STEP,
    KC,
    KR,
    OUT0,
    OUT_COLS,
    OUT_ROWS,
    OUT_STEP,
    PAD_COLS,
    PAD_ROWS,
    ROWS,
    STRIDE_COLS,
    STRIDE_ROWS,
    W0,
    WF,
    C,
    F,
)


class Tile(NamedTuple):
    """Sizes of a tile."""

    rows: int
    columns: int
    deep: int  # of the third index, at a time
    tall: int
    wide: int

    @property
    def lanes(self) -> int:
        """Threads."""
        return (self.rows // self.tall) * (self.columns // self.wide)


#: 128 threads each; of "small" for small layers and few observations
TILES = {"large": Tile(64, 128, 16, 8, 8), "flat": Tile(32, 128, 16, 4, 8), "small": Tile(16, 32, 16, 2, 2)}
#: Of gradients: columns are weights of a filter
SHARES = {"large": Tile(64, 128, 16, 8, 8), "flat": Tile(32, 128, 16, 4, 8), "small": Tile(32, 16, 32, 2, 2)}
SIMULATED = Tile(4, 4, 4, 2, 4)


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    sums: Any
    returns: Any
    shares: Any


def build(dtype: str, tile: Tile, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels for a kind of number and a tile.

    Returns
    -------
    Kernels
        sums : (model, k, turn, buffers)
            Product k: filters at every position into `value`. Grid: positions times tiles of observations, tiles of
            filters, members.
        returns : (model, k, turn, buffers)
            The adjoint: derivatives in the inputs into `delta`. Grid: positions of the input times tiles of
            observations, tiles of channels, members.
        shares : (model, k, turn, buffers, splits)
            Partial sums of the gradient, (splits, F, Q + 1) numbers of `buffers.shares`, the bias last. Grid: tiles of
            filters times tiles of weights, splits, members.
    """
    tools = target(simulate)
    function, barrier, get, put = tools.function, tools.barrier, tools.get, tools.put
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32
    M, N, D, TALL, WIDE = tile
    LANES = tile.lanes
    ACROSS = N // WIDE  # threads side by side
    DOWN = M // TALL
    LEFT, RIGHT, RIGHT_TURNED = M + 1, N, N + 1  # rows of tiles, one more number where columns are written
    LEFT_SIZE, RIGHT_SIZE, TURNED_SIZE, SUMS = D * LEFT, D * N, D * (N + 1), TALL * WIDE

    @function
    def multiply(left, right, step, total, down, across):
        """Add the product of two tiles to a thread's part."""
        a = cuda.local.array(TALL, number)
        for d in range(D):
            for u in range(TALL):
                a[u] = get(left, d * LEFT + down + u * DOWN)
            for v in range(WIDE):
                b = get(right, d * step + across + v * ACROSS)
                for u in range(TALL):
                    total[u * WIDE + v] += a[u] * b

    @function
    def patch(g, r, c, q):
        """Row of the units that filter element q sees at position (r, c); -1 outside."""
        k = q % g[C]
        e = q // g[C]
        b = e % g[KC]
        y = r * g[STRIDE_ROWS] + (e // g[KC]) * g[DILATION_ROWS] - g[PAD_ROWS]
        x = c * g[STRIDE_COLS] + b * g[DILATION_COLS] - g[PAD_COLS]
        if y < 0 or y >= g[ROWS] or x < 0 or x >= g[COLS]:
            return -1
        return g[IN0] + (y * g[COLS] + x) * g[IN_STEP] + k

    @function
    def reached(g, y, x, q):
        """Row of the filter that sees position (y, x) by element e, where q = (e, filter); -1 where there is none."""
        f = q % g[F]
        e = q // g[F]
        r = y + g[PAD_ROWS] - (e // g[KC]) * g[DILATION_ROWS]
        c = x + g[PAD_COLS] - (e % g[KC]) * g[DILATION_COLS]
        if r < 0 or c < 0 or r % g[STRIDE_ROWS] != 0 or c % g[STRIDE_COLS] != 0:
            return -1
        r = r // g[STRIDE_ROWS]
        c = c // g[STRIDE_COLS]
        if r >= g[OUT_ROWS] or c >= g[OUT_COLS]:
            return -1
        return g[OUT0] + (r * g[OUT_COLS] + c) * g[OUT_STEP] + f

    @function
    def load_units(right, rows, units, first, m, lane):
        """Rows of units, D of them, at N observations."""
        for e in range(lane, D * N, LANES):
            d = e // N
            i = e - d * N
            row = rows[d]
            z = number(0)
            if row >= 0 and first + i < m:
                z = units[row, first + i]
            put(right, d * RIGHT + i, z)

    @compiled
    def sums(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        left = cuda.shared.array(LEFT_SIZE, number)
        right = cuda.shared.array(RIGHT_SIZE, number)
        rows = cuda.shared.array(D, numba.int64)
        if turn.status[s] != RUNNING:
            return
        g, theta, value = model.products[k], model.theta[s], buffers.value[s]
        m = turn.items[turn.clock[0], SIZE]
        tiles = cuda.gridDim.x // (g[OUT_ROWS] * g[OUT_COLS])  # of observations
        p = cuda.blockIdx.x // tiles
        first, f0 = (cuda.blockIdx.x - p * tiles) * N, cuda.blockIdx.y * M
        if first >= m:
            return
        r = p // g[OUT_COLS]
        c = p - r * g[OUT_COLS]
        down, across = lane // ACROSS, lane % ACROSS
        length = g[KR] * g[KC] * g[C]
        total = cuda.local.array(SUMS, number)
        for u in range(TALL):
            f = f0 + down + u * DOWN
            start = number(0)
            if g[BIAS] >= 0 and f < g[F]:
                start = theta[g[BIAS] + f * g[WF]]
            for v in range(WIDE):
                total[u * WIDE + v] = start
        for q0 in range(0, length, D):
            for d in range(lane, D, LANES):
                rows[d] = patch(g, r, c, q0 + d) if q0 + d < length else -1
            for e in range(lane, M * D, LANES):
                f = e // D
                d = e - f * D
                w = number(0)
                if f0 + f < g[F] and q0 + d < length:
                    w = theta[g[W0] + (f0 + f) * g[WF] + q0 + d]
                put(left, d * LEFT + f, w)
            barrier()
            load_units(right, rows, value, first, m, lane)
            barrier()
            multiply(left, right, RIGHT, total, down, across)
            barrier()
        for u in range(TALL):
            f = f0 + down + u * DOWN
            if f < g[F]:
                row = g[OUT0] + p * g[OUT_STEP] + f
                for v in range(WIDE):
                    i = first + across + v * ACROSS
                    if i < m:
                        value[row, i] = total[u * WIDE + v]

    @compiled
    def returns(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        left = cuda.shared.array(LEFT_SIZE, number)
        right = cuda.shared.array(RIGHT_SIZE, number)
        rows = cuda.shared.array(D, numba.int64)
        weights = cuda.shared.array(D, numba.int64)
        if turn.status[s] != RUNNING:
            return
        g, theta, delta = model.products[k], model.theta[s], buffers.delta[s]
        m = turn.items[turn.clock[0], SIZE]
        tiles = cuda.gridDim.x // (g[ROWS] * g[COLS])
        p = cuda.blockIdx.x // tiles
        first, c0 = (cuda.blockIdx.x - p * tiles) * N, cuda.blockIdx.y * M
        if first >= m:
            return
        y = p // g[COLS]
        x = p - y * g[COLS]
        down, across = lane // ACROSS, lane % ACROSS
        length = g[KR] * g[KC] * g[F]
        total = cuda.local.array(SUMS, number)
        for u in range(SUMS):
            total[u] = 0
        for q0 in range(0, length, D):
            for d in range(lane, D, LANES):
                q = q0 + d
                rows[d] = reached(g, y, x, q) if q < length else -1
                weights[d] = g[W0] + (q % g[F]) * g[WF] + (q // g[F]) * g[C]
            barrier()
            for e in range(lane, M * D, LANES):
                d = e // M
                j = e - d * M
                w = number(0)
                if c0 + j < g[C] and rows[d] >= 0:
                    w = theta[weights[d] + c0 + j]
                put(left, d * LEFT + j, w)
            load_units(right, rows, delta, first, m, lane)
            barrier()
            multiply(left, right, RIGHT, total, down, across)
            barrier()
        for u in range(TALL):
            j = c0 + down + u * DOWN
            if j < g[C]:
                row = g[IN0] + p * g[IN_STEP] + j
                for v in range(WIDE):
                    i = first + across + v * ACROSS
                    if i < m:
                        delta[row, i] = total[u * WIDE + v]

    @compiled
    def shares(model, k, turn, buffers, splits):
        lane, s, split = cuda.threadIdx.x, cuda.blockIdx.z, cuda.blockIdx.y
        left = cuda.shared.array(LEFT_SIZE, number)
        right = cuda.shared.array(TURNED_SIZE, number)
        rows = cuda.shared.array(N, numba.int64)
        if turn.status[s] != RUNNING:
            return
        g, value, delta = model.products[k], buffers.value[s], buffers.delta[s]
        m = turn.items[turn.clock[0], SIZE]
        length = g[KR] * g[KC] * g[C]
        across_tiles = (length + N) // N  # one column more, of the bias
        tile_f = cuda.blockIdx.x // across_tiles
        f0, q0 = tile_f * M, (cuda.blockIdx.x - tile_f * across_tiles) * N
        down, across = lane // ACROSS, lane % ACROSS
        passes = (m + D - 1) // D  # over the observations of a position
        work = g[OUT_ROWS] * g[OUT_COLS] * passes
        each = (work + splits - 1) // splits
        total = cuda.local.array(SUMS, number)
        for u in range(SUMS):
            total[u] = 0
        at = -1
        for item in range(split * each, min((split + 1) * each, work)):
            p = item // passes
            i0 = (item - p * passes) * D
            if p != at:
                at = p
                r = p // g[OUT_COLS]
                for j in range(lane, N, LANES):
                    row = -1
                    if q0 + j < length:
                        row = patch(g, r, p - r * g[OUT_COLS], q0 + j)
                    elif q0 + j == length:
                        row = -2  # ones
                    rows[j] = row
                barrier()
            for e in range(lane, M * D, LANES):
                f = e // D
                d = e - f * D
                z = number(0)
                if f0 + f < g[F] and i0 + d < m:
                    z = delta[g[OUT0] + p * g[OUT_STEP] + f0 + f, i0 + d]
                put(left, d * LEFT + f, z)
            for e in range(lane, N * D, LANES):
                j = e // D
                d = e - j * D
                row = rows[j]
                z = number(0)
                if i0 + d < m:
                    if row >= 0:
                        z = value[row, i0 + d]
                    elif row == -2:
                        z = number(1)
                put(right, d * RIGHT_TURNED + j, z)
            barrier()
            multiply(left, right, RIGHT_TURNED, total, down, across)
            barrier()
        out = buffers.shares[s]
        for u in range(TALL):
            f = f0 + down + u * DOWN
            for v in range(WIDE):
                q = q0 + across + v * ACROSS
                if f < g[F] and q <= length:
                    out[(split * g[F] + f) * (length + 1) + q] = total[u * WIDE + v]

    return Kernels(sums, returns, shares)
