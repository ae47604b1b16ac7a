"""CUDA kernels of R's algorithms for few networks with many observations: all blocks work on one network.

Two launches per step, that follow each other without the host: partial sums of loss and gradient over shares of the
observations, and the step from their sum, formed in order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ...functions.penalties import penalise
from ...optimizers.rprop import SAG, SLR, update
from ..cpu import CONVERGED, NONFINITE, RUNNING, STEPMAX, record
from .device import target
from .first_order import LANES
from .passes import Arrays, build_passes

SHARE = 2048  # observations, at least, whose sums a block forms: fixed, so that results do not depend on the device
MOST_SHARES = 512


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    partial: Any
    step: Any


def share_of(n: int) -> int:
    """Observations per partial sum."""
    return max(SHARE, -(-n // MOST_SHARES))


def build(
    dtype: str, dense: bool, layered: Any, rare: Any, shared: bool, simulate: bool, decorate: Any = None,
    code: int | None = None,
) -> Kernels:
    """Make the kernels for a kind of network; arguments as those of `first_order.build`.

    Returns
    -------
    Kernels
        partial : (problem, data, plan, work, status, share, theta, losses, grads)
            Loss (B, Q) and gradient (B, Q, P) over observations q share .. (q + 1) share, written for networks that
            are running. Blocks take the B Q items in turn.
        step : (problem, algorithm, settings, threshold, stepmax, state, losses, grads)
            One step of every running network, a block each; `state` is a `first_order.State`.
    """
    tools = target(simulate)
    matrix, barrier = tools.matrix, tools.barrier
    passes = build_passes(tools, dtype, dense, layered, rare, code)
    gradient_of, seen, reduce, rows_of = passes.gradient, passes.seen, passes.reduce, passes.rows
    penalty_of, take, keep = tools.to_device(penalise), tools.to_device(update), tools.to_device(record)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @compiled
    def partial(problem, data, plan, work, status, share, theta, losses, grads):
        lane, lanes, slot = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, number)
        largest = cuda.shared.array(LANES, number)
        flat = cuda.shared.array(0, number) if shared else work[slot]
        rows = rows_of(problem, data, plan)
        arrays = Arrays(
            flat, matrix(flat, plan.value, plan.rows, plan.stride), matrix(flat, plan.slope, plan.rows, plan.stride),
            matrix(flat, plan.delta, rows, plan.stride), matrix(flat, plan.target, data.y.shape[1], plan.stride),
            flat[plan.case : plan.case + plan.stride],
        )  # fmt: skip
        for i in range(lane, plan.stride, lanes):
            arrays.case[i] = 1
            arrays.value[plan.rows - 1, i] = 1
        shares = losses.shape[1]
        for item in range(slot, theta.shape[0] * shares, cuda.gridDim.x):
            b = item // shares
            q = item - b * shares
            if status[b] != RUNNING:
                continue
            barrier()
            for j in range(lane, plan.n_params, lanes):
                flat[plan.theta + j] = theta[b, j]
            barrier()
            n = seen(data, b)
            first = min(q * share, n)
            own = number(0)
            if first < n:
                own = gradient_of(problem, data, plan, arrays, b, first, min(first + share, n), False, lane, lanes)
            else:
                for j in range(lane, plan.n_params, lanes):
                    flat[plan.grad + j] = 0
            parts[lane], largest[lane] = own, number(0)
            reduce(parts, largest, lane, lanes)
            if lane == 0:
                losses[b, q] = parts[0]
            for j in range(lane, plan.n_params, lanes):
                grads[b, q, j] = flat[plan.grad + j]

    @compiled
    def step(problem, algorithm, settings, threshold, stepmax, state, losses, grads):
        lane, lanes, b = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, number)
        largest = cuda.shared.array(LANES, number)
        if state.status[b] != RUNNING:
            return
        penalty, n_params, g = problem.penalty, state.theta.shape[1], grads[b, 0]
        w, movable = state.theta[b], state.free[b % state.free.shape[0]]
        own, peak = number(0), number(0)
        for q in range(lane, losses.shape[1], lanes):
            own += losses[b, q]
        for j in range(lane, n_params, lanes):
            for q in range(1, losses.shape[1]):
                g[j] += grads[b, q, j]
        if lane < penalty.shape[0]:
            own += penalty_of(penalty[lane::lanes], w[lane::lanes], g[lane::lanes])
        for j in range(lane, n_params, lanes):
            size = abs(g[j])
            if movable[j] and peak == peak and not size <= peak:  # NaN, once met, stays
                peak = size
        parts[lane], largest[lane] = own, peak
        reduce(parts, largest, lane, lanes)
        error, peak = parts[0], largest[0]
        status = RUNNING
        if not peak < np.inf:
            status = NONFINITE
        elif peak <= threshold:
            status = CONVERGED
        elif state.steps[b] + 1 >= stepmax:
            status = STEPMAX
        barrier()  # all have read the number of steps
        if lane == 0:
            state.steps[b] += 1
            state.loss[b], state.reached[b], state.status[b] = error, peak, status
            keep(state.trace, state.recorded, state.stride, state.steps, error, b)
        if status == RUNNING:
            first, hop = lane, lanes
            if algorithm == SAG or algorithm == SLR:  # noqa: SIM109  (one rate depends on the others)
                first, hop = n_params * lane, 1
            if first < n_params:
                take(algorithm, w[first::hop], g[first::hop], movable[first::hop], state.before[b, first::hop],
                     state.rate[b, first::hop], settings)  # fmt: skip

    return Kernels(partial, step)
