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
    # Threads that load a tile: so many side by side along an axis, the others below them
    SIDE_M, SIDE_N, SIDE_D = min(LANES, M), min(LANES, N), min(LANES, D)
    BELOW_M, BELOW_N, BELOW_D = LANES // SIDE_M, LANES // SIDE_N, LANES // SIDE_D
    LEFT, RIGHT, RIGHT_TURNED = M + 1, N, N + 1  # rows of tiles, one more number where columns are written
    LEFT_SIZE, RIGHT_SIZE, TURNED_SIZE, SUMS = D * LEFT, D * N, D * (N + 1), TALL * WIDE
    HELD_LEFT, HELD_RIGHT = D * M // LANES, D * N // LANES  # of the next tiles, in registers

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
    def fetch_units(held, rows, units, first, lane):
        """A thread's part of D rows of units at N observations; what lies beyond the last one is never used."""
        for d_ in range(D // BELOW_N):
            row = get(rows, lane // SIDE_N + d_ * BELOW_N)
            for i_ in range(N // SIDE_N):
                i = min(first + lane % SIDE_N + i_ * SIDE_N, units.shape[1] - 1)
                z = units[max(row, 0), i]
                held[d_ * (N // SIDE_N) + i_] = z if row >= 0 else number(0)

    @function
    def store_units(right, held, lane):
        for d_ in range(D // BELOW_N):
            d = lane // SIDE_N + d_ * BELOW_N
            for i_ in range(N // SIDE_N):
                put(right, d * RIGHT + lane % SIDE_N + i_ * SIDE_N, held[d_ * (N // SIDE_N) + i_])

    @function
    def store_turned(tile, held, count, step, lane):
        """Columns, `count` of them, as rows of a tile: threads side by side have elements of a column."""
        for j_ in range(count // BELOW_D):
            j = lane // SIDE_D + j_ * BELOW_D
            for d_ in range(D // SIDE_D):
                put(tile, (lane % SIDE_D + d_ * SIDE_D) * step + j, held[j_ * (D // SIDE_D) + d_])

    @function
    def find_patch(rows, g, r, c, q0, length, lane):
        for d in range(lane, D, LANES):
            rows[d] = patch(g, r, c, q0 + d) if q0 + d < length else -1

    @function
    def fetch_filters(held, theta, w0, step, filters, q0, length, lane):
        """A thread's part of M filters, D weights of each."""
        for f_ in range(M // BELOW_D):
            f = lane // SIDE_D + f_ * BELOW_D
            for d_ in range(D // SIDE_D):
                q = q0 + lane % SIDE_D + d_ * SIDE_D
                w = theta[w0 + min(f, filters - 1) * step + min(q, length - 1)]
                held[f_ * (D // SIDE_D) + d_] = w if f < filters and q < length else number(0)

    @function
    def find_reached(rows, weights, g, y, x, q0, length, lane):
        for d in range(lane, D, LANES):
            q = min(q0 + d, length - 1)
            rows[d] = reached(g, y, x, q) if q0 + d < length else -1
            weights[d] = g[W0] + (q % g[F]) * g[WF] + (q // g[F]) * g[C]

    @function
    def fetch_channels(held, rows, weights, theta, c0, channels, lane):
        """A thread's part of D rows of weights, M channels of each."""
        for d_ in range(D // BELOW_M):
            d = lane // SIDE_M + d_ * BELOW_M
            row, at = get(rows, d), get(weights, d)
            for j_ in range(M // SIDE_M):
                j = c0 + lane % SIDE_M + j_ * SIDE_M
                w = theta[at + min(j, channels - 1)]
                held[d_ * (M // SIDE_M) + j_] = w if j < channels and row >= 0 else number(0)

    @function
    def find_columns(rows, g, p, q0, length, lane):
        r = p // g[OUT_COLS]
        for j in range(lane, N, LANES):
            row = -1
            if q0 + j < length:
                row = patch(g, r, p - r * g[OUT_COLS], q0 + j)
            elif q0 + j == length:
                row = -2  # ones
            rows[j] = row

    @function
    def fetch_deltas(held, delta, top, filters, i0, m, lane):
        """A thread's part of M filters at D observations."""
        for f_ in range(M // BELOW_D):
            f = lane // SIDE_D + f_ * BELOW_D
            for d_ in range(D // SIDE_D):
                i = i0 + lane % SIDE_D + d_ * SIDE_D
                z = delta[top + min(f, filters - 1), min(i, m - 1)]
                held[f_ * (D // SIDE_D) + d_] = z if f < filters and i < m else number(0)

    @function
    def fetch_columns(held, rows, value, i0, m, lane):
        """A thread's part of N rows of units at D observations; rows of ones and of zeros."""
        for j_ in range(N // BELOW_D):
            row = get(rows, lane // SIDE_D + j_ * BELOW_D)
            for d_ in range(D // SIDE_D):
                i = i0 + lane % SIDE_D + d_ * SIDE_D
                z = value[max(row, 0), min(i, m - 1)]
                if row < 0:
                    z = number(1) if row == -2 else number(0)
                held[j_ * (D // SIDE_D) + d_] = z if i < m else number(0)

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
        length, filters, step = g[KR] * g[KC] * g[C], g[F], g[WF]
        w0 = g[W0] + f0 * step
        total = cuda.local.array(SUMS, number)
        for u in range(TALL):
            f = f0 + down + u * DOWN
            start = number(0)
            if g[BIAS] >= 0 and f < filters:
                start = theta[g[BIAS] + f * g[WF]]
            for v in range(WIDE):
                total[u * WIDE + v] = start
        held_left = cuda.local.array(HELD_LEFT, number)
        held_right = cuda.local.array(HELD_RIGHT, number)
        find_patch(rows, g, r, c, 0, length, lane)
        barrier()
        fetch_filters(held_left, theta, w0, step, filters - f0, 0, length, lane)
        fetch_units(held_right, rows, value, first, lane)
        barrier()
        for q0 in range(0, length, D):
            store_turned(left, held_left, M, LEFT, lane)
            store_units(right, held_right, lane)
            find_patch(rows, g, r, c, q0 + D, length, lane)
            barrier()
            if q0 + D < length:  # loads of the next tiles go on while these are multiplied
                fetch_filters(held_left, theta, w0, step, filters - f0, q0 + D, length, lane)
                fetch_units(held_right, rows, value, first, lane)
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
        length, channels = g[KR] * g[KC] * g[F], g[C]
        total = cuda.local.array(SUMS, number)
        for u in range(SUMS):
            total[u] = 0
        held_left = cuda.local.array(HELD_LEFT, number)
        held_right = cuda.local.array(HELD_RIGHT, number)
        find_reached(rows, weights, g, y, x, 0, length, lane)
        barrier()
        fetch_channels(held_left, rows, weights, theta, c0, channels, lane)
        fetch_units(held_right, rows, delta, first, lane)
        barrier()
        for q0 in range(0, length, D):
            for d_ in range(D // BELOW_M):
                for j_ in range(M // SIDE_M):
                    at = (lane // SIDE_M + d_ * BELOW_M) * LEFT + lane % SIDE_M + j_ * SIDE_M
                    put(left, at, held_left[d_ * (M // SIDE_M) + j_])
            store_units(right, held_right, lane)
            find_reached(rows, weights, g, y, x, q0 + D, length, lane)
            barrier()
            if q0 + D < length:
                fetch_channels(held_left, rows, weights, theta, c0, channels, lane)
                fetch_units(held_right, rows, delta, first, lane)
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
        length, filters = g[KR] * g[KC] * g[C], g[F]
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
        held_left = cuda.local.array(HELD_LEFT, number)
        held_right = cuda.local.array(HELD_RIGHT, number)
        begin, end = split * each, min((split + 1) * each, work)
        if begin < end:
            p = begin // passes
            i0 = (begin - p * passes) * D
            find_columns(rows, g, p, q0, length, lane)
            barrier()
            fetch_deltas(held_left, delta, g[OUT0] + p * g[OUT_STEP] + f0, filters - f0, i0, m, lane)
            fetch_columns(held_right, rows, value, i0, m, lane)
            barrier()
        for item in range(begin + 1, end + 1):
            store_turned(left, held_left, M, LEFT, lane)
            store_turned(right, held_right, N, RIGHT_TURNED, lane)
            p = item // passes
            i0 = (item - p * passes) * D
            if i0 == 0 and item < end:  # a new position
                find_columns(rows, g, p, q0, length, lane)
            barrier()
            if item < end:
                fetch_deltas(held_left, delta, g[OUT0] + p * g[OUT_STEP] + f0, filters - f0, i0, m, lane)
                fetch_columns(held_right, rows, value, i0, m, lane)
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
