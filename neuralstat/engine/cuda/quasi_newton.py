"""CUDA kernels of BFGS and L-BFGS: a block of threads per network, from its first step to its last.

The algorithm is `engine.quasi_newton`'s without an L1 penalty, decision for decision; see there for its sources.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ...functions.penalties import penalise
from ...optimizers.quasi_newton import BEST, CURVATURE, DECREASE, FAILED, MEMORY, interpolate
from ..cpu import CONVERGED, NONFINITE, RUNNING, STALLED, STEPMAX, TOLERANCE, record
from ..quasi_newton import SEARCH
from ..tracking import ROUNDING, rounding_hides
from .algebra import build_algebra
from .device import target
from .first_order import LANES
from .passes import Arrays, build_passes


class Room(NamedTuple):
    """Places, in the workspace behind the gradient's, of what is needed; F free weights at most."""

    inverse: int  # (F, F); of L-BFGS (2, m, F) differences of weights and gradients, and m numbers
    vectors: int  # five of length F
    points: int  # four of length P
    memory: int  # (MEMORY,)


def room(n_params: int, size: int, most: int = 0) -> tuple[Room, int]:
    """Lay out what BFGS needs, or L-BFGS with `most` differences; also the numbers that it takes."""
    vectors = most * (2 * size + 1) if most else size * size
    points = vectors + 5 * size
    memory = points + 4 * n_params
    return Room(0, vectors, points, memory), memory + MEMORY


def build(
    dense: bool, layered: Any, rare: Any, shared: bool, simulate: bool, decorate: Any = None, code: int | None = None,
    limited: bool = False,
) -> Any:  # fmt: skip
    """Make the kernel, for float64.

    Parameters
    ----------
    dense, layered, rare, shared, simulate, decorate, code
        See `first_order.build`.
    limited : bool
        L-BFGS.

    Returns
    -------
    kernel : (problem, data, plan, work, queue, taken, budget, rules, settings, room, weights, track)
        Trains every network of the queue until it stops; `budget` is not used. `settings` (1,) holds how many differences
        L-BFGS keeps.
    """
    tools = target(simulate)
    function, matrix_of, barrier, get, put = tools.function, tools.matrix, tools.barrier, tools.get, tools.put
    passes, algebra = build_passes(tools, "float64", dense, layered, rare, code), build_algebra(tools)
    gather, gradient_of, seen, rows_of = passes.gather, passes.gradient, passes.seen, passes.rows
    total, dot, largest_of = algebra.total, algebra.dot, algebra.largest
    penalty_of, keep = tools.to_device(penalise), tools.to_device(record)
    between, hides = tools.to_device(interpolate), tools.to_device(rounding_hides)
    compiled = cuda.jit if decorate is None else decorate

    @function
    def gradients(problem, data, plan, arrays, parts, w, g, free, b, n, lane, lanes):
        """Objective at w, with its gradient, 0 at weights held out."""
        penalty = problem.penalty
        own = gradient_of(problem, data, plan, arrays, b, 0, n, n <= plan.tile, lane, lanes)
        if lane < penalty.shape[0]:
            own += penalty_of(penalty[lane::lanes], w[lane::lanes], g[lane::lanes])
        for j in range(lane, plan.n_params, lanes):
            if not free[j]:
                g[j] = 0
        return total(parts, own, lane, lanes)

    @function
    def finish(plan, parts, rules, track, g, free, used, b, lane, lanes):
        """Book-keeping after `used` gradients; see `tracking.finish_step`."""
        peak = 0.0
        for j in range(lane, plan.n_params, lanes):
            size = abs(g[j])
            if free[j] and peak == peak and not size <= peak:
                peak = size
        peak = largest_of(parts, peak, lane, lanes)
        if lane == 0:
            for _ in range(used):
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
    def aim_whole(flat, inverse, size, where, pairs, head, most, parts, g, line, q, n_params, lane, lanes):
        """Direction of the next step into `line` (P,)."""
        for j in range(lane, n_params, lanes):
            line[j] = 0
        barrier()
        for f in range(lane, size, lanes):
            if pairs == 0:
                line[where[f]] = -g[where[f]]
            else:
                s = 0.0
                for j in range(size):
                    s += get(flat, inverse + f * size + j) * g[where[j]]
                line[where[f]] = -s
        barrier()

    @function
    def aim_limited(flat, ring, size, where, pairs, head, most, parts, g, line, q, n_params, lane, lanes):
        """As `aim_whole`, from the last differences; see `quasi_newton.two_loops`. A lane moves its own elements of q."""
        for j in range(lane, n_params, lanes):
            line[j] = 0
        for f in range(lane, size, lanes):
            q[f] = -g[where[f]]
        scale, shares = 1.0, ring + 2 * most * size
        for k in range(pairs):
            at = (head + 2 * most - 1 - k) % most
            s, y = flat[ring + at * size : ring + (at + 1) * size], ring + (most + at) * size
            y = flat[y : y + size]
            sy = dot(parts, s, y, size, lane, lanes)
            if k == 0:
                scale = sy / dot(parts, y, y, size, lane, lanes)
            alpha = dot(parts, s, q, size, lane, lanes) / sy
            if lane == 0:
                put(flat, shares + at, alpha)
            for f in range(lane, size, lanes):
                q[f] -= alpha * y[f]
        for f in range(lane, size, lanes):
            q[f] *= scale
        for k in range(pairs - 1, -1, -1):
            at = (head + 2 * most - 1 - k) % most
            s, y = flat[ring + at * size : ring + (at + 1) * size], ring + (most + at) * size
            y = flat[y : y + size]
            beta = dot(parts, y, q, size, lane, lanes) / dot(parts, s, y, size, lane, lanes)
            alpha = get(flat, shares + at)
            for f in range(lane, size, lanes):
                q[f] += (alpha - beta) * s[f]
        barrier()  # `line` is 0 everywhere
        for f in range(lane, size, lanes):
            line[where[f]] = q[f]
        barrier()

    @function
    def search(
        problem, data, plan, arrays, parts, rules, track, w, g, free, start, line, best, alpha, slope0, first, b, n,
        lane, lanes
    ):
        """A step along `line`; see `quasi_newton._search`. Objective at the point chosen, and gradients that it took.

        With `first` (and `alpha` 0) the gradient at the start, whatever it is.
        """
        f0 = track.loss[b]
        noise = ROUNDING * abs(f0)
        low, f_low, slope_low = 0.0, f0, slope0
        high, f_high, slope_high = np.inf, np.inf, np.inf
        used = 0
        while used < SEARCH and (used == 0 or track.steps[b] + used < rules.stepmax):
            for j in range(lane, plan.n_params, lanes):
                w[j] = start[j] + alpha * line[j]
            barrier()
            error = gradients(problem, data, plan, arrays, parts, w, g, free, b, n, lane, lanes)
            used += 1
            if first:
                return error, used
            slope = dot(parts, g, line, plan.n_params, lane, lanes)
            finite = abs(error) < np.inf and abs(slope) < np.inf
            enough = finite and (
                error <= f0 + DECREASE * alpha * slope0
                or (error <= f0 + noise and slope <= (2 * DECREASE - 1) * slope0)
            )
            if enough and abs(slope) <= -CURVATURE * slope0:
                return error, used
            if not enough or error > f_low + noise:
                high, f_high, slope_high = alpha, error if finite else np.inf, slope
            else:
                if slope * (high - low) >= 0:
                    high, f_high, slope_high = low, f_low, slope_low
                low, f_low, slope_low = alpha, error, slope
                for j in range(lane, plan.n_params, lanes):
                    best[j] = g[j]
            barrier()
            if high == np.inf:
                alpha *= 4
            else:
                if abs(high - low) <= 1e-14 * max(abs(high), abs(low)):
                    break
                alpha = between(low, f_low, slope_low, high, f_high, slope_high)
        if low > 0:  # enough decrease, though not the curvature asked for
            for j in range(lane, plan.n_params, lanes):
                w[j] = start[j] + low * line[j]
                g[j] = best[j]
            barrier()
            return f_low, used
        return np.inf, used

    @function
    def learn_whole(flat, inverse, size, where, pairs, head, most, parts, w, g, start, old, s, y, hy, lane, lanes):
        """Take the curvature along the last step into the inverse, where it is positive; the new `pairs` and `head`."""
        for f in range(lane, size, lanes):
            s[f] = w[where[f]] - start[where[f]]
            y[f] = g[where[f]] - old[where[f]]
        sy, ss = dot(parts, s, y, size, lane, lanes), dot(parts, s, s, size, lane, lanes)
        yy = dot(parts, y, y, size, lane, lanes)
        if not sy > 1e-12 * math.sqrt(ss * yy):
            return pairs, 0
        if pairs == 0:
            for k in range(lane, size * size, lanes):
                put(flat, inverse + k, sy / yy if k % (size + 1) == 0 else 0.0)
            barrier()
        for i in range(lane, size, lanes):
            t = 0.0
            for j in range(size):
                t += get(flat, inverse + i * size + j) * y[j]
            hy[i] = t
        share = (1 + dot(parts, y, hy, size, lane, lanes) / sy) / sy
        for k in range(lane, size * size, lanes):
            i = k // size
            j = k - i * size
            more = share * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy
            put(flat, inverse + k, get(flat, inverse + k) + more)
        barrier()
        return 1, 0

    @function
    def learn_limited(flat, ring, size, where, pairs, head, most, parts, w, g, start, old, s, y, hy, lane, lanes):
        """As `learn_whole`, into the ring of differences."""
        for f in range(lane, size, lanes):
            s[f] = w[where[f]] - start[where[f]]
            y[f] = g[where[f]] - old[where[f]]
        sy, ss = dot(parts, s, y, size, lane, lanes), dot(parts, s, s, size, lane, lanes)
        yy = dot(parts, y, y, size, lane, lanes)
        if not sy > 1e-12 * math.sqrt(ss * yy):
            return pairs, head
        for f in range(lane, size, lanes):
            put(flat, ring + head * size + f, s[f])
            put(flat, ring + (most + head) * size + f, y[f])
        barrier()
        return min(pairs + 1, most), (head + 1) % most

    aim, learn = (aim_limited, learn_limited) if limited else (aim_whole, learn_whole)

    @function
    def train_one(problem, data, plan, arrays, parts, rules, most, room, weights, track, b, lane, lanes):
        flat, n_params, base = arrays.flat, plan.n_params, plan.extra
        n, size = seen(data, b), weights.size[b % weights.size.size]
        where, free = weights.where[b % weights.where.shape[0]], track.free[b % track.free.shape[0]]
        w, g = flat[plan.theta : plan.theta + n_params], flat[plan.grad : plan.grad + n_params]
        inverse, at = base + room.inverse, base + room.vectors
        s, y, hy = flat[at : at + size], flat[at + size : at + 2 * size], flat[at + 2 * size : at + 3 * size]
        q = flat[at + 3 * size : at + 4 * size]
        at = base + room.points
        start, line = flat[at : at + n_params], flat[at + n_params : at + 2 * n_params]
        best, old = flat[at + 2 * n_params : at + 3 * n_params], flat[at + 3 * n_params : at + 4 * n_params]
        memory = flat[base + room.memory : base + room.memory + MEMORY]
        for j in range(lane, n_params, lanes):
            w[j] = track.theta[b, j]
        for k in range(lane, MEMORY, lanes):
            memory[k] = 0
        if n <= plan.tile:
            gather(problem, data, plan, arrays, b, 0, n, lane, lanes)
        barrier()
        for j in range(lane, n_params, lanes):
            g[j], line[j] = 0, 0
        barrier()
        pairs, head, first = 0, 0, True
        while first or track.status[b] == RUNNING:
            alpha, slope = 0.0, 0.0
            for attempt in range(0 if first else 2):
                if attempt == 1:
                    if slope < 0 or pairs == 0:
                        break
                    pairs = 0  # no direction of descent: start again along the gradient
                aim(flat, inverse, size, where, pairs, head, most, parts, g, line, q, n_params, lane, lanes)
                slope = dot(parts, g, line, n_params, lane, lanes)
                alpha = 1.0
            if pairs == 0 and not first:
                own = 0.0
                for j in range(lane, n_params, lanes):
                    own += abs(g[j])
                alpha = min(1.0, 1 / total(parts, own, lane, lanes))
            for j in range(lane, n_params, lanes):
                start[j], old[j] = w[j], g[j]
            before = track.loss[b]
            barrier()
            error, used = search(problem, data, plan, arrays, parts, rules, track, w, g, free, start, line, best,
                                 alpha, slope, first, b, n, lane, lanes)  # fmt: skip
            failed = not error < np.inf and not first
            if failed:
                for j in range(lane, n_params, lanes):
                    w[j], g[j] = start[j], old[j]
            barrier()
            if lane == 0 and not failed:
                track.loss[b] = error
            barrier()
            learnt = pairs
            if not failed and not first:
                learnt, head = learn(flat, inverse, size, where, pairs, head, most, parts, w, g, start, old, s, y, hy, lane,
                                     lanes)  # fmt: skip
            barrier()
            finish(plan, parts, rules, track, g, free, used, b, lane, lanes)
            if lane == 0 and failed:
                if pairs == 0 and track.status[b] == RUNNING:
                    track.status[b] = STALLED
            elif lane == 0 and not first:
                gain = before - error
                if gain <= ROUNDING * abs(before):
                    memory[BEST], memory[FAILED] = hides(track, memory[BEST], memory[FAILED], b, 100)
                elif gain <= rules.tol * abs(error) and track.status[b] == RUNNING:
                    track.status[b] = TOLERANCE
            pairs = 0 if failed else learnt
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
        outputs, rows = data.y.shape[1], rows_of(problem, data, plan)
        arrays = Arrays(
            flat, matrix_of(flat, plan.value, plan.rows, plan.stride),
            matrix_of(flat, plan.slope, plan.rows, plan.stride), matrix_of(flat, plan.delta, rows, plan.stride),
            matrix_of(flat, plan.target, outputs, plan.stride), flat[plan.case : plan.case + plan.stride],
        )  # fmt: skip
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
            train_one(problem, data, plan, arrays, parts, rules, int(settings[0]), room, weights, track, queue[turn[0]],
                      lane, lanes)  # fmt: skip

    return train
