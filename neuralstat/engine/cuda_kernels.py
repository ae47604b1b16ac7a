"""CUDA kernels for stacks of small networks, around the same layer functions that the CPU runs."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ..layers.codes import ALL, N_OUT, OFFSET, TARGET
from ..losses import CE_R, loss_rows
from ..optimizers.rprop import SAG, SLR, update
from ..penalties import penalise
from . import plain, scalar
from .cpu import BLOCK, CONVERGED, NONFINITE, RUNNING, STEPMAX, record
from .cuda import LANES
from .kernels import forward, row_backward, row_gradient, through_activation
from .translate import Translator


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    gradient: Any
    train: Any


def _real(z: float) -> float:
    return z


def translator(simulate: bool) -> Translator:
    """Return what makes device functions of the CPU's kernels; plain Python ones for the simulator."""
    if simulate:
        names = () if numba.config.DISABLE_JIT else (
            "exp_", "expm1_", "tanh_", "erf_", "log1p_", "log_", "real_", "size_bits",
            "from_bits")  # fmt: skip
        return Translator(_same, [(getattr(scalar, name), getattr(plain, name)) for name in names])
    device = cuda.jit(device=True)
    return Translator(device, [
        (scalar.exp_, math.exp), (scalar.expm1_, math.expm1), (scalar.tanh_, math.tanh),
        (scalar.erf_, math.erf), (scalar.log1p_, math.log1p), (scalar.log_, math.log),
        (scalar.real_, device(_real)),
    ])  # fmt: skip


def _same(function: Any) -> Any:
    return function


def build(dtype: str, with_layers: bool, with_rare: bool, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels for one kind of number.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    with_layers, with_rare : bool
        False leaves out convolutional and recurrent layers, and the rarer activations and losses.
    simulate : bool
        True for numba's simulator.
    decorate : callable, optional
        What compiles a kernel; `numba.cuda.jit` where not given.

    Returns
    -------
    Kernels
        gradient : (network, observations, buffers, theta, loss, grad)
            Loss (B,) and gradient (B, P), written.
        train : (network, observations, buffers, algorithm, settings, threshold, stepmax, budget, state, grad)
            Up to `budget` steps of every network; arguments as those of `cpu.train_first_order`.
    """
    to_device = translator(simulate)
    run_forward, sum_loss = to_device(forward), to_device(loss_rows)
    slope_back = to_device(through_activation)
    step_back, add_gradient = to_device(row_backward), to_device(row_gradient)
    penalty_of, take, keep = to_device(penalise), to_device(update), to_device(record)
    function = _same if simulate else cuda.jit(device=True)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32
    layered = ALL if with_layers else None
    rare = 0 if with_rare else None

    @function
    def gather(
        table, x, y, weight, offset, rows, value, target, case, b, start, m, lane, lanes
    ):  # type: ignore[no-untyped-def]
        """Fetch inputs, offsets, responses and case weights of a block; each lane what it works on."""
        known = table[table.shape[0] - 1, OFFSET]
        for i in range(lane, m, lanes):
            r = start + i
            if rows.shape[1] > 0:
                r = rows[b % rows.shape[0], r]
            for d in range(x.shape[0]):
                value[d, i] = x[d, r]
            if known >= 0:
                for k in range(offset.shape[0]):
                    value[known + k, i] = offset[k, r]
            for k in range(y.shape[1]):
                target[k, i] = y[b % y.shape[0], k, r]
            if weight.shape[1] > 0:
                case[i] = weight[b % weight.shape[0], r]

    @function
    def accumulate(
        table, constants, code, p, x, y, weight, offset, rows, count, value, slope, delta, target, case,
        theta, grad, b, lane, lanes,
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        """Loss of network b over this lane's observations; `grad` (P,) is overwritten, by all lanes."""
        end = table.shape[0] - 1
        first, outputs = table[end, TARGET], table[end, N_OUT]
        n = x.shape[1]
        if rows.shape[1] > 0:
            n = rows.shape[1]
            if count.size > 0:
                n = count[b % count.size]
        for j in range(lane, theta.size, lanes):
            grad[j] = 0
        total = number(0)
        for start in range(0, n, BLOCK):
            m = min(BLOCK, n - start)
            gather(table, x, y, weight, offset, rows, value, target, case, b, start, m, lane, lanes)
            run_forward(table, constants, theta, value, slope, lane, m, lanes, layered, None, rare, 0)
            cuda.syncthreads()  # the loss looks at the first observation, whosever it is
            total += sum_loss(code, p, 0, value, target, case, delta, first, outputs, lane, m, lanes, None,
                              rare)  # fmt: skip
            for k in range(end, -1, -1):
                if k < end or code != CE_R:
                    slope_back(table[k], value, slope, delta, lane, m, lanes, 0)
                step_back(table[k], theta, value, delta, k > 0, lane, m, lanes, layered, 0)
            cuda.syncthreads()  # from here on lanes share weights
            for k in range(end, -1, -1):
                add_gradient(table[k], value, delta, grad, lane, m, lanes, layered, 0)
            cuda.syncthreads()
        return total

    @compiled
    def gradient(
        table, constants, code, p, penalty, x, y, weight, offset, rows, count, value, slope, delta, target,
        case, theta, loss, grad,
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        lane, lanes, slot = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, number)
        for b in range(slot, theta.shape[0], cuda.gridDim.x):
            parts[lane] = accumulate(
                table, constants, code, p, x, y, weight, offset, rows, count, value[slot], slope[slot],
                delta[slot], target[slot], case[slot], theta[b], grad[b], b, lane, lanes,
            )  # fmt: skip
            cuda.syncthreads()
            if lane == 0:
                total = number(0)
                for k in range(lanes):
                    total += parts[k]
                loss[b] = total
            cuda.syncthreads()

    @compiled
    def train(
        table, constants, code, p, penalty, x, y, weight, offset, rows, count, value, slope, delta, target,
        case, algorithm, settings, threshold, stepmax, budget, theta, free, before, rate, steps, loss,
        reached, status, trace, recorded, stride, grad,
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        lane, lanes, slot = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
        parts = cuda.shared.array(LANES, number)
        largest = cuda.shared.array(LANES, number)
        g = grad[slot]
        for b in range(slot, theta.shape[0], cuda.gridDim.x):
            w, movable = theta[b], free[b % free.shape[0]]
            done = 0
            while done < budget and status[b] == RUNNING:
                error = accumulate(table, constants, code, p, x, y, weight, offset, rows, count, value[slot],
                                   slope[slot], delta[slot], target[slot], case[slot], w, g, b, lane, lanes)
                if lane < penalty.shape[0]:
                    error += penalty_of(penalty[lane::lanes], w[lane::lanes], g[lane::lanes])
                peak = number(0)
                for j in range(lane, w.size, lanes):
                    size = abs(g[j])
                    if movable[j] and peak == peak and not size <= peak:  # NaN, once met, stays
                        peak = size
                parts[lane], largest[lane] = error, peak
                cuda.syncthreads()
                if lane == 0:
                    error, peak = number(0), number(0)
                    for k in range(lanes):
                        error += parts[k]
                        if peak == peak and not largest[k] <= peak:
                            peak = largest[k]
                    steps[b] += 1
                    reached[b] = peak
                    loss[b] = error
                    keep(trace, recorded, stride, steps, error, b)
                    if not peak < np.inf:
                        status[b] = NONFINITE
                    elif peak <= threshold:
                        status[b] = CONVERGED
                    elif steps[b] >= stepmax:
                        status[b] = STEPMAX
                cuda.syncthreads()
                if status[b] == RUNNING:
                    if algorithm == SAG or algorithm == SLR:  # noqa: SIM109  (one rate depends on the others)
                        if lane == 0:
                            take(algorithm, w, g, movable, before[b], rate[b], settings)
                    elif lane < w.size:
                        take(
                            algorithm, w[lane::lanes], g[lane::lanes], movable[lane::lanes],
                            before[b, lane::lanes], rate[b, lane::lanes], settings,
                        )  # fmt: skip
                done += 1
                cuda.syncthreads()

    return Kernels(gradient, train)
