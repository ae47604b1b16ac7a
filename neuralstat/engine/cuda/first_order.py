"""CUDA kernels of R's algorithms: a block of threads per network, the whole training loop inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ...functions.penalties import penalise
from ...optimizers.rprop import SAG, SLR, update
from ..cpu import CONVERGED, NONFINITE, RUNNING, STEPMAX, record
from .device import target
from .passes import Arrays, build_passes

LANES = 128  # threads per block, a power of two


class State(NamedTuple):
    """State of the stack, as kernels receive it; rows and elements of networks in the queue are updated."""

    theta: Any  # (B, P)
    free: Any  # (B or 1, P)
    before: Any  # (B, P)
    rate: Any
    steps: Any  # (B,)
    loss: Any
    reached: Any
    status: Any
    trace: Any  # (B, T)
    recorded: Any  # (B,)
    stride: Any


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    gradient: Any
    train: Any


def build(
    dtype: str, dense: bool, layered: Any, rare: Any, shared: bool, simulate: bool, decorate: Any = None,
    code: int | None = None,
) -> Kernels:
    """Make the kernels for a kind of network.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    dense, layered, rare, code
        See `passes.build_passes`.
    shared : bool
        True where the workspace lies in shared memory.
    simulate : bool
        True for numba's simulator.
    decorate : callable, optional
        What compiles a kernel; `numba.cuda.jit` where not given.

    Returns
    -------
    Kernels
        gradient : (problem, data, plan, work, queue, taken, theta, loss, grad)
            Loss (B,) and gradient (B, P), written.
        train : (problem, data, plan, work, queue, taken, budget, algorithm, settings, threshold, stepmax, state)
            Up to `budget` steps of every network of the queue, as `descent.train_first_order` takes them. A block takes up
            network after network, so that one that has stopped makes room for the next.

        `work` is (blocks, size), or (1, 1) for a workspace in shared memory; `queue` (Q,) holds the networks, `taken`
        (1,) how many of them blocks have taken up: 0.
    """
    tools = target(simulate)
    matrix, barrier = tools.matrix, tools.barrier
    passes = build_passes(tools, dtype, dense, layered, rare, code)
    gather, gradient_of, seen, reduce = passes.gather, passes.gradient, passes.seen, passes.reduce
    rows_of = passes.rows
    penalty_of, take, keep = tools.to_device(penalise), tools.to_device(update), tools.to_device(record)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @compiled
    def gradient(problem, data, plan, work, queue, taken, theta, loss, grad):
        lane, lanes, slot = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, number)
        largest = cuda.shared.array(LANES, number)
        turn = cuda.shared.array(1, numba.int64)
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
        while True:
            barrier()
            if lane == 0:
                turn[0] = cuda.atomic.add(taken, 0, 1)
            barrier()
            if turn[0] >= queue.size:
                break
            b = queue[turn[0]]
            for j in range(lane, plan.n_params, lanes):
                flat[plan.theta + j] = theta[b, j]
            barrier()
            parts[lane] = gradient_of(problem, data, plan, arrays, b, 0, seen(data, b), False, lane, lanes)
            largest[lane] = 0
            reduce(parts, largest, lane, lanes)
            if lane == 0:
                loss[b] = parts[0]
            for j in range(lane, plan.n_params, lanes):
                grad[b, j] = flat[plan.grad + j]

    @compiled
    def train(
        problem, data, plan, work, queue, taken, budget, algorithm, settings, threshold, stepmax, state,
    ):  # fmt: skip
        lane, lanes, slot = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, number)
        largest = cuda.shared.array(LANES, number)
        turn = cuda.shared.array(1, numba.int64)
        flat = cuda.shared.array(0, number) if shared else work[slot]
        rows = rows_of(problem, data, plan)
        arrays = Arrays(
            flat, matrix(flat, plan.value, plan.rows, plan.stride), matrix(flat, plan.slope, plan.rows, plan.stride),
            matrix(flat, plan.delta, rows, plan.stride), matrix(flat, plan.target, data.y.shape[1], plan.stride),
            flat[plan.case : plan.case + plan.stride],
        )  # fmt: skip
        n_params, penalty = plan.n_params, problem.penalty
        w, g = flat[plan.theta : plan.theta + n_params], flat[plan.grad : plan.grad + n_params]
        before = flat[plan.before : plan.before + n_params]
        rate = flat[plan.rate : plan.rate + n_params]
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
            b = queue[turn[0]]
            n = seen(data, b)
            movable = state.free[b % state.free.shape[0]]
            for j in range(lane, n_params, lanes):
                w[j], before[j], rate[j] = state.theta[b, j], state.before[b, j], state.rate[b, j]
            resident = n <= plan.tile
            if resident:
                gather(problem, data, plan, arrays, b, 0, n, lane, lanes)
            step, status = state.steps[b], state.status[b]
            due = step + 1 + (state.stride[b] - step % state.stride[b]) % state.stride[b]
            error, peak = number(0), number(0)
            done = 0
            barrier()
            while done < budget and status == RUNNING:
                own = gradient_of(problem, data, plan, arrays, b, 0, n, resident, lane, lanes)
                if lane < penalty.shape[0]:
                    own += penalty_of(penalty[lane::lanes], w[lane::lanes], g[lane::lanes])
                peak = number(0)
                for j in range(lane, n_params, lanes):
                    size = abs(g[j])
                    if movable[j] and peak == peak and not size <= peak:  # NaN, once met, stays
                        peak = size
                parts[lane], largest[lane] = own, peak
                reduce(parts, largest, lane, lanes)
                error, peak = parts[0], largest[0]
                step += 1
                if lane == 0 and step == due:
                    state.steps[b] = step
                    keep(state.trace, state.recorded, state.stride, state.steps, error, b)
                    due = step + state.stride[b] - (step - 1) % state.stride[b]
                if not peak < np.inf:
                    status = NONFINITE
                elif peak <= threshold:
                    status = CONVERGED
                elif step >= stepmax:
                    status = STEPMAX
                else:
                    first, hop = lane, lanes
                    if algorithm == SAG or algorithm == SLR:  # noqa: SIM109  (one rate depends on the others)
                        first, hop = n_params * lane, 1
                    if first < n_params:
                        take(algorithm, w[first::hop], g[first::hop], movable[first::hop], before[first::hop],
                             rate[first::hop], settings)  # fmt: skip
                done += 1
                barrier()
            for j in range(lane, n_params, lanes):
                state.theta[b, j], state.before[b, j], state.rate[b, j] = w[j], before[j], rate[j]
            if lane == 0 and done > 0:
                state.steps[b], state.status[b] = step, status
                state.loss[b], state.reached[b] = error, peak

    return Kernels(gradient, train)
