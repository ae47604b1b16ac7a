"""CUDA kernel of Levenberg-Marquardt: a block of threads per network, from its first step to its last.

The algorithm is `engine.second_order`'s, decision for decision; see there for its sources.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ...functions.losses import CE, CE_LOGIT, MULTINOMIAL, SSE
from ...functions.penalties import penalise, penalty_curvature
from ...layers.codes import N_OUT, TARGET
from ...optimizers.lm import DAMPING, LATE, MEMORY, MU, NU, SECANT
from ..cpu import CONVERGED, NONFINITE, RUNNING, STALLED, STEPMAX, record
from ..second_order import _choose_model, _judge
from ..tracking import ROUNDING
from .algebra import build_algebra
from .device import target
from .first_order import LANES
from .passes import Arrays, build_passes
from .plan import MOST_SLICES, TILE


class Room(NamedTuple):
    """Places, in the workspace behind the gradient's, of what Levenberg-Marquardt needs; F free weights at most."""

    kept: int  # (rows, stride) slopes
    bend: int  # (K, stride) roots of the second derivatives of the loss
    jacobian: int  # (F, stride)
    part: int  # (slices, pairs of tiles, 16)
    matrix: int  # (F, F)
    secant: int
    root: int
    vectors: int  # seven of length F
    old: int  # (P,)
    scratch: int  # (P,)
    memory: int  # (MEMORY,)
    slices: int
    pairs: int


class Weights(NamedTuple):
    """The free weights of every network, and the rows whose product is a weight's column of the Jacobian."""

    where: Any  # (B or 1, F) int64
    size: Any  # (B or 1,) int64
    unit: Any  # (P,) int64 row of the delta
    source: Any  # (P,) int64 row of the value


def room(stride: int, rows: int, outputs: int, n_params: int, size: int, lanes: int) -> tuple[Room, int]:
    """Lay out what Levenberg-Marquardt needs; also the numbers that it takes."""
    tiles = -(-size // TILE)
    pairs = tiles * (tiles + 1) // 2
    slices = int(min(max(lanes // max(pairs, 1), 1), MOST_SLICES))
    at, found = 0, {}
    for name, length in (
        ("kept", rows * stride), ("bend", outputs * stride), ("jacobian", size * stride),
        ("part", slices * pairs * TILE * TILE if slices > 1 else 0), ("matrix", size * size),
        ("secant", size * size), ("root", size * size), ("vectors", 7 * size), ("old", n_params),
        ("scratch", n_params), ("memory", MEMORY),
    ):  # fmt: skip
        found[name] = at
        at += length
    return Room(**found, slices=slices, pairs=pairs), at


def build(rare: Any, shared: bool, simulate: bool, decorate: Any = None) -> Any:
    """Make the kernel, for float64 and chains of dense layers.

    Parameters
    ----------
    rare, shared, simulate, decorate
        See `first_order.build`.

    Returns
    -------
    kernel : (problem, data, plan, work, queue, taken, budget, rules, settings, room, weights, track)
        Trains every network of the queue until it stops; `budget` is not used. `track` is a `Track` of the stack.
    """
    tools = target(simulate)
    function, matrix_of, barrier, get, put = tools.function, tools.matrix, tools.barrier, tools.get, tools.put
    passes, algebra = build_passes(tools, "float64", True, None, rare), build_algebra(tools)
    gather, objective_of, seen, back = passes.gather, passes.objective, passes.seen, passes.back
    products, square = passes.products, passes.square
    total, dot, largest_of = algebra.total, algebra.dot, algebra.largest
    factor, solve, quadratic, update_secant = (
        algebra.factor, algebra.solve, algebra.quadratic, algebra.update_secant)  # fmt: skip
    penalty_of, bend_of, keep = tools.to_device(penalise), tools.to_device(penalty_curvature), tools.to_device(record)
    judge, choose = tools.to_device(_judge), tools.to_device(_choose_model)
    compiled = cuda.jit if decorate is None else decorate

    @function
    def curvature(problem, arrays, bend, outputs, first, m, lane, lanes):
        """Roots of the second derivatives of the loss; for the multinomial loss the outputs' shares."""
        code = problem.loss
        for i in range(lane, m, lanes):
            if code == MULTINOMIAL:
                largest = arrays.value[first, i]
                for k in range(1, outputs):
                    largest = max(largest, arrays.value[first + k, i])
                norm = 0.0
                for k in range(outputs):
                    bend[k, i] = math.exp(arrays.value[first + k, i] - largest)
                    norm += bend[k, i]
                for k in range(outputs):
                    bend[k, i] /= norm
                continue
            for k in range(outputs):
                f = arrays.value[first + k, i]
                v = arrays.case[i]
                if code == CE_LOGIT:
                    p = 1 / (1 + math.exp(-f)) if f > -700 else 0.0
                    v *= p * (1 - p)
                elif code == CE:
                    y = arrays.target[k, i]
                    v *= y / (f * f) + (1 - y) / ((1 - f) * (1 - f))
                elif code != SSE:
                    v = 0.0
                bend[k, i] = math.sqrt(v)

    @function
    def seed(problem, arrays, bend, outputs, k, m, lane, lanes):
        """`delta` of the outputs: one column of a root of the second derivatives; see `curvature.seed`."""
        for i in range(lane, m, lanes):
            if problem.loss == MULTINOMIAL:
                count = 0.0
                for j in range(outputs):
                    count += arrays.target[j, i]
                scale = math.sqrt(arrays.case[i] * count * bend[k, i])
                for j in range(outputs):
                    arrays.delta[j, i] = -scale * bend[j, i]
                arrays.delta[k, i] += scale
            else:
                for j in range(outputs):
                    arrays.delta[j, i] = bend[k, i] if j == k else 0.0

    @function
    def add_squares(flat, jacobian, stride, size, room, base, m, lane, lanes):
        """Add J J' to the lower triangle of the matrix, four by four weights at a time."""
        slices, at = room.slices, base + room.matrix
        for item in range(lane, room.pairs * slices, lanes):
            pair = item // slices
            s = item - pair * slices
            p = int((math.sqrt(8.0 * pair + 1.0) - 1.0) / 2.0)
            while (p + 1) * (p + 2) // 2 <= pair:
                p += 1
            while p * (p + 1) // 2 > pair:
                p -= 1
            q = 4 * (pair - p * (p + 1) // 2)
            p *= 4
            if p >= size:
                continue
            last = size - 1
            found = square(
                flat, jacobian + p * stride, jacobian + min(p + 1, last) * stride, jacobian + min(p + 2, last) * stride,
                jacobian + min(p + 3, last) * stride, jacobian + q * stride, jacobian + min(q + 1, last) * stride,
                jacobian + min(q + 2, last) * stride, jacobian + min(q + 3, last) * stride, s, m, slices,
            )  # fmt: skip
            for r in range(4):
                for c in range(4):
                    if slices > 1:
                        put(flat, base + room.part + (s * room.pairs + pair) * 16 + 4 * r + c, found[4 * r + c])
                    elif p + r < size and q + c <= p + r:
                        k = at + (p + r) * size + q + c
                        put(flat, k, get(flat, k) + found[4 * r + c])
        barrier()
        if slices > 1:
            for k in range(lane, size * size, lanes):
                i = k // size
                j = k - i * size
                if j <= i:
                    pair = (i // 4) * (i // 4 + 1) // 2 + j // 4
                    place = base + room.part + pair * 16 + 4 * (i % 4) + j % 4
                    more = get(flat, place)
                    for s in range(1, slices):
                        more += get(flat, place + s * room.pairs * 16)
                    put(flat, at + k, get(flat, at + k) + more)
            barrier()

    @function
    def objective(problem, data, plan, arrays, parts, scratch, b, n, lane, lanes):
        """Loss with its penalty. A single block stays in the workspace, ready for the way back."""
        flat, penalty = arrays.flat, problem.penalty
        own = 0.0
        for start in range(0, n, plan.tile):
            m = min(plan.tile, n - start)
            if n > plan.tile:
                gather(problem, data, plan, arrays, b, start, m, lane, lanes)
            own += objective_of(problem, plan, arrays, m, lane, lanes)
        if lane < penalty.shape[0]:
            for j in range(lane, plan.n_params, lanes):
                scratch[j] = 0
            w = flat[plan.theta : plan.theta + plan.n_params]
            own += penalty_of(penalty[lane::lanes], w[lane::lanes], scratch[lane::lanes])
        return total(parts, own, lane, lanes)

    @function
    def derivatives(
        problem, data, plan, arrays, kept, bend, parts, room, base, weights, where, size, b, n, ready, lane, lanes
    ):
        """Gradient and Gauss-Newton matrix, each with the penalty's part; returns the objective."""
        flat, penalty, table = arrays.flat, problem.penalty, problem.table
        end = table.shape[0] - 1
        first, outputs, inputs = table[end, TARGET], table[end, N_OUT], table[0, TARGET]
        for k in range(lane, size * size, lanes):
            put(flat, base + room.matrix + k, 0.0)
        own = 0.0
        for start in range(0, n, plan.tile):
            m = min(plan.tile, n - start)
            if n > plan.tile:
                gather(problem, data, plan, arrays, b, start, m, lane, lanes)
            if not ready:
                own += objective_of(problem, plan, arrays, m, lane, lanes)
            curvature(problem, arrays, bend, outputs, first, m, lane, lanes)
            for u in range(inputs, first + outputs):
                for i in range(lane, m, lanes):
                    kept[u, i] = arrays.slope[u, i]
            for k in range(-1, outputs):  # the gradient, then the Jacobian of every output
                if k >= 0:
                    for u in range(inputs, first + outputs):
                        for i in range(lane, m, lanes):
                            arrays.slope[u, i] = kept[u, i]
                    seed(problem, arrays, bend, outputs, k, m, lane, lanes)
                back(problem, plan, arrays, False, m, lane, lanes)
                if k < 0:
                    barrier()  # from here on lanes share weights
                    products(problem, plan, arrays, m, start == 0, lane, lanes)
                else:
                    for f in range(size):
                        d = plan.slope + weights.unit[where[f]] * plan.stride
                        v = plan.value + weights.source[where[f]] * plan.stride
                        at = base + room.jacobian + f * plan.stride
                        for i in range(lane, m, lanes):
                            put(flat, at + i, get(flat, d + i) * get(flat, v + i))
                    barrier()
                    add_squares(flat, base + room.jacobian, plan.stride, size, room, base, m, lane, lanes)
                barrier()  # all have read the deltas and the Jacobian
        if penalty.shape[0] > 0:
            w, g = flat[plan.theta : plan.theta + plan.n_params], flat[plan.grad : plan.grad + plan.n_params]
            for f in range(lane, size, lanes):
                k = base + room.matrix + f * size + f
                put(flat, k, get(flat, k) + bend_of(penalty, where[f], w[where[f]]))
            if lane < plan.n_params:
                own += penalty_of(penalty[lane::lanes], w[lane::lanes], g[lane::lanes])
        return total(parts, own, lane, lanes)

    @function
    def finish(plan, arrays, parts, rules, track, free, b, lane, lanes):
        """Book-keeping after a gradient; see `tracking.finish_step`."""
        peak = 0.0
        for j in range(lane, plan.n_params, lanes):
            size = abs(get(arrays.flat, plan.grad + j))
            if free[j] and peak == peak and not size <= peak:
                peak = size
        peak = largest_of(parts, peak, lane, lanes)
        if lane == 0:
            track.steps[b] += 1
            keep(track.trace, track.recorded, track.stride, track.steps, track.loss[b], b)
            track.reached[b] = peak
            if not peak < np.inf:
                track.status[b] = NONFINITE
            elif peak <= rules.threshold:
                track.status[b] = CONVERGED
            elif track.steps[b] >= rules.stepmax:
                track.status[b] = STEPMAX
        barrier()

    @function
    def train_one(
        problem, data, plan, arrays, kept, bend, parts, rules, settings, room, weights, track, b, lane, lanes
    ):
        flat, n_params, base = arrays.flat, plan.n_params, plan.extra
        n, size = seen(data, b), weights.size[b % weights.size.size]
        where, free = weights.where[b % weights.where.shape[0]], track.free[b % track.free.shape[0]]
        w, g = flat[plan.theta : plan.theta + n_params], flat[plan.grad : plan.grad + n_params]
        old = flat[base + room.old : base + room.old + n_params]
        scratch = flat[base + room.scratch : base + room.scratch + n_params]
        memory = flat[base + room.memory : base + room.memory + MEMORY]
        at = base + room.vectors
        step, right, change = flat[at : at + size], flat[at + size : at + 2 * size], flat[at + 2 * size : at + 3 * size]
        u, spare = flat[at + 3 * size : at + 4 * size], flat[at + 4 * size : at + 5 * size]
        matrix, secant, root = base + room.matrix, base + room.secant, base + room.root
        for j in range(lane, n_params, lanes):
            w[j] = track.theta[b, j]
        for k in range(lane, size * size, lanes):
            put(flat, secant + k, 0.0)
        for k in range(lane, MEMORY, lanes):
            memory[k] = 0
        if n <= plan.tile:
            gather(problem, data, plan, arrays, b, 0, n, lane, lanes)
        barrier()
        first = True
        while first or track.status[b] == RUNNING:
            largest, error, predicted, accepted = 0.0, 0.0, 0.0, first
            mu, nu, share, loss = memory[MU], memory[NU], memory[SECANT], track.loss[b]
            if not first:
                for f in range(size):
                    largest = max(largest, get(flat, matrix + f * size + f))
                mu = max(mu, 1e-16 * largest, 1e-30)  # also where the matrix is 0
                if factor(flat, matrix, secant, share, mu, root, size, lane, lanes):
                    for f in range(lane, size, lanes):
                        right[f] = g[where[f]]
                    solve(flat, root, size, right, step, lane, lanes)
                    own = 0.0
                    for f in range(lane, size, lanes):
                        own += step[f] * (mu * step[f] - g[where[f]]) / 2
                    predicted = total(parts, own, lane, lanes)
                    for j in range(lane, n_params, lanes):
                        old[j] = w[j]
                    barrier()
                    for f in range(lane, size, lanes):
                        w[where[f]] += step[f]
                    barrier()
                    error = objective(problem, data, plan, arrays, parts, scratch, b, n, lane, lanes)
                    gain, noise = loss - error, ROUNDING * abs(loss)
                    accepted = gain > 1e-4 * predicted or (predicted <= noise and gain >= -10 * noise)
                    if not accepted:
                        for j in range(lane, n_params, lanes):
                            w[j] = old[j]
            barrier()
            if not accepted:
                mu *= nu
                nu *= 2
                if lane == 0:
                    memory[MU], memory[NU] = mu, nu
                    if not mu <= 1e12 * (largest + 1):  # NaN too
                        track.status[b] = STALLED
                barrier()
                continue
            reached, simple, whole = track.reached[b], 0.0, 0.0
            if not first:
                for f in range(lane, size, lanes):
                    change[f] = -g[where[f]]
                    step[f] = w[where[f]] - old[where[f]]
                barrier()
                slope = -dot(parts, step, change, size, lane, lanes)
                bent = quadratic(parts, flat, matrix, size, step, lane, lanes)
                extra = quadratic(parts, flat, secant, size, step, lane, lanes)
                simple, whole = -slope - bent / 2, -slope - (bent + extra) / 2
            found = derivatives(problem, data, plan, arrays, kept, bend, parts, room, base, weights, where, size, b, n,
                                n <= plan.tile and not first, lane, lanes)  # fmt: skip
            if first:
                for f in range(size):
                    largest = max(largest, get(flat, matrix + f * size + f))
                error, mu = found, settings[DAMPING] * largest
            if lane == 0:
                track.loss[b] = error
                memory[MU], memory[NU] = mu, 2
            barrier()
            finish(plan, arrays, parts, rules, track, free, b, lane, lanes)
            if not first:
                for f in range(lane, size, lanes):
                    change[f] += g[where[f]]
                barrier()
                update_secant(parts, flat, secant, matrix, size, step, change, u, spare, lane, lanes)
                if lane == 0:
                    judge(rules, track, settings, memory, loss, reached, predicted, b)
                    if predicted > ROUNDING * abs(loss):
                        choose(memory, loss - error, simple, whole, settings[LATE] * abs(error))
            first = False
            barrier()
        for j in range(lane, n_params, lanes):
            track.theta[b, j] = w[j]

    @compiled
    def train(
        problem, data, plan, work, queue, taken, budget, rules, settings, room, weights, track
    ):
        lane, lanes, slot = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, numba.float64)
        turn = cuda.shared.array(1, numba.int64)
        flat = cuda.shared.array(0, numba.float64) if shared else work[slot]
        outputs = data.y.shape[1]
        arrays = Arrays(
            flat, matrix_of(flat, plan.value, plan.rows, plan.stride),
            matrix_of(flat, plan.slope, plan.rows, plan.stride), matrix_of(flat, plan.delta, outputs, plan.stride),
            matrix_of(flat, plan.target, outputs, plan.stride), flat[plan.case : plan.case + plan.stride],
        )  # fmt: skip
        kept = matrix_of(flat, plan.extra + room.kept, plan.rows, plan.stride)
        bend = matrix_of(flat, plan.extra + room.bend, outputs, plan.stride)
        for i in range(lane, plan.stride, lanes):
            arrays.case[i] = 1
            arrays.value[plan.rows - 1, i] = 1
        while True:
            barrier()
            if lane == 0:
                turn[0] = cuda.atomic.add(taken, 0, 1)
            barrier()
            if turn[0] >= queue.size:
                break
            train_one(problem, data, plan, arrays, kept, bend, parts, rules, settings, room, weights, track,
                      queue[turn[0]], lane, lanes)  # fmt: skip

    return train
