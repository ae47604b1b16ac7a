"""Kernels that finish a step: gradients from their shares, penalty, clipping, the optimizer, and sums of the epoch.

The optimizers' formulas are those of `optimizers.first_order`, a weight to a thread.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ....functions.penalties import penalise
from ....optimizers import constraints as bounds
from ....optimizers import first_order as codes
from ...cpu import NONFINITE, RUNNING
from ..device import sum_tree, target
from .arrays import LOSS, METRIC, STEP, WHOLE
from .geometry import BIAS, KC, KR, W0, WF, C, F

SCALE, RATE, SHRINK, EPS, A, B, CC, D = range(8)  # of the constants of a step; see `constants_of`


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    add: Any
    prepare: Any
    norms: Any
    step: Any
    constrain: Any
    finish: Any
    advance: Any
    forget: Any


def constants_of(code: int, settings: np.ndarray, rates: np.ndarray, first: int) -> np.ndarray:
    """What the optimizer is told at steps ``first + 1``, ...: (steps, CONSTANTS), as `first_order.step` forms it.

    Parameters
    ----------
    rates : (steps,) array
        Learning rates.
    first : int
        Steps that were taken before.
    """
    out = np.zeros((rates.size, codes.CONSTANTS))
    out[:, SCALE] = 1.0
    out[:, RATE], out[:, SHRINK], out[:, EPS] = rates, rates * settings[codes.DECAY], settings[codes.EPSILON]
    if code in (codes.MOMENTUM, codes.NESTEROV):
        out[:, A] = settings[codes.MOVE]
    elif code == codes.RMSPROP:
        rho = settings[codes.RHO]
        out[:, A], out[:, B], out[:, CC], out[:, D] = rho, 1 - rho, settings[codes.MOVE], settings[codes.CENTERED]
    elif code in (codes.ADAM, codes.AMSGRAD):
        t, one, two = first + 1.0 + np.arange(rates.size), settings[codes.BETA1], settings[codes.BETA2]
        out[:, RATE] = rates * np.sqrt(1 - two**t) / (1 - one**t)
        out[:, A], out[:, B] = 1 - one, 1 - two
    elif code == codes.ADADELTA:
        out[:, A], out[:, B] = settings[codes.RHO], 1 - settings[codes.RHO]
    elif code == codes.LION:
        out[:, A], out[:, B] = settings[codes.BETA1], 1 - settings[codes.BETA1]
        out[:, CC], out[:, D] = settings[codes.BETA2], 1 - settings[codes.BETA2]
    elif code == codes.ADAMAX:
        t, one = first + 1.0 + np.arange(rates.size), settings[codes.BETA1]
        out[:, RATE], out[:, A], out[:, B] = rates / (1 - one**t), 1 - one, settings[codes.BETA2]
    elif code == codes.NADAM:
        t, one, two = first + 1.0 + np.arange(rates.size), settings[codes.BETA1], settings[codes.BETA2]
        corrected = np.sqrt(1 - two**t)
        out[:, RATE], out[:, EPS] = rates * corrected, settings[codes.EPSILON] * corrected
        out[:, A], out[:, B] = 1 - one, 1 - two
        schedule = getattr(codes.momentum_schedule, "py_func", codes.momentum_schedule)
        out[:, CC : D + 1] = [schedule(one, int(k)) for k in t]
    return out


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels.

    Returns
    -------
    Kernels
        add : (model, k, turn, buffers, splits)
            The shares of product k, in order, to the gradient.
        prepare : (model, turn, memory, whole)
            The gradient's scale (1 / observations of the batch, or 1 / `whole` where that is not 0), the penalty; sums
            of it into `extra`; zeros for weights that do not move (not with `whole`).
        norms : (model, turn, memory)
            Squares of the norms of groups of weights; grid: groups, 1, members.
        constrain : (model, turn, memory)
            Weights under constraints, after a step; grid: groups, 1, members.
        step : (model, turn, memory, code, clip, limit, ready)
            The optimizer's step; the gradient is zero afterwards. `clip`: 0 nothing, 1 by value, 2 by norms of groups.
            `ready`: whether `prepare` came before.
        finish : (turn, buffers, memory)
            Sums of the epoch, steps; members whose loss is not finite stop. One thread per member.
        advance : (turn,)
            The next item; one thread.
        forget : (model, turn)
            The gradient to zero.
    """
    tools = target(simulate)
    summed = sum_tree(tools)
    barrier, penalty_of = tools.barrier, tools.to_device(penalise)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @compiled
    def add(model, k, turn, buffers, splits):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        g, shares, grad = model.products[k], buffers.shares[s], model.grad[s]
        length = g[KR] * g[KC] * g[C]
        size = g[F] * (length + 1)
        for e in range(start, size, cuda.gridDim.x * lanes):
            f = e // (length + 1)
            q = e - f * (length + 1)
            if q == length and g[BIAS] < 0:
                continue
            total = number(0)
            for split in range(splits):
                total += shares[split * size + e]
            grad[(g[BIAS] if q == length else g[W0] + q) + f * g[WF]] += total

    @compiled
    def prepare(model, turn, memory, whole):
        lane, block, s = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.z
        parts = cuda.shared.array(lanes, numba.float64)
        if turn.status[s] != RUNNING:
            return
        theta, grad, penalty = model.theta[s], model.grad[s], memory.penalty
        scale = number(1.0 / (turn.items[turn.clock[0], WHOLE] if whole == 0 else whole))
        start, hop = block * lanes + lane, cuda.gridDim.x * lanes
        for j in range(start, grad.shape[0], hop):
            grad[j] *= scale
        value = 0.0
        if start < penalty.shape[0]:
            value += penalty_of(penalty[start::hop], theta[start::hop], grad[start::hop])
        if whole == 0:
            for j in range(start, grad.shape[0], hop):
                if not memory.movable[j]:
                    grad[j] = 0
        parts[lane] = value
        summed(parts, lane, lanes)
        if lane == 0:
            memory.extra[s, block] = parts[0]

    @compiled
    def norms(model, turn, memory):
        lane, group, s = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.z
        parts = cuda.shared.array(lanes, numba.float64)
        if turn.status[s] != RUNNING:
            return
        total = 0.0
        for j in range(lane, model.grad.shape[1], lanes):
            if memory.groups[j] == group:
                z = float(model.grad[s, j])
                total += z * z
        parts[lane] = total
        summed(parts, lane, lanes)
        if lane == 0:
            memory.norms[s, group] = parts[0]

    @compiled
    def step(model, turn, memory, code, clip, limit, ready):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        item = turn.items[turn.clock[0]]
        theta, grad, slots = model.theta[s], model.grad[s], memory.slots[s]
        c = memory.constants[item[STEP], s % memory.constants.shape[1]]
        scale = number(1) if ready != 0 else number(1.0 / item[WHOLE])
        rate, shrink, eps, a, b = c[RATE], c[SHRINK], c[EPS], c[A], c[B]
        for j in range(start, theta.shape[0], cuda.gridDim.x * lanes):
            g = grad[j] * scale
            grad[j] = 0
            if not memory.movable[j]:
                continue
            if clip == 1:
                if g > limit:  # `min` and `max` of a device would put the limit in place of what is no number
                    g = number(limit)
                elif g < -limit:
                    g = number(-limit)
            elif clip == 2:
                norm = math.sqrt(memory.norms[s, memory.groups[j]])
                if norm > limit:
                    g *= number(limit / norm)
            w = theta[j]
            new = w - w * shrink
            if code == codes.SGD:
                new -= rate * g
            elif code == codes.MOMENTUM:
                v = slots[0, j] * a - rate * g
                slots[0, j] = v
                new += v
            elif code == codes.NESTEROV:
                v = slots[0, j] * a - rate * g
                slots[0, j] = v
                new += v * a - rate * g
            elif code == codes.ADAGRAD:
                v = slots[0, j] + g * g
                slots[0, j] = v
                new -= rate * g / math.sqrt(v + eps)
            elif code == codes.RMSPROP:
                v = a * slots[0, j] + b * (g * g)
                slots[0, j] = v
                if slots.shape[0] == 1:
                    new -= rate * g / math.sqrt(v + eps)
                else:
                    mean = a * slots[1, j] + b * g
                    slots[1, j] = mean
                    move = c[CC] * slots[2, j] + rate * g / math.sqrt(v - c[D] * (mean * mean) + eps)
                    slots[2, j] = move
                    new -= move
            elif code == codes.ADADELTA:
                v = a * slots[0, j] + b * (g * g)
                move = math.sqrt(slots[1, j] + eps) * g / math.sqrt(v + eps)
                slots[0, j] = v
                slots[1, j] = a * slots[1, j] + b * (move * move)
                new -= rate * move
            elif code == codes.LION:
                v = slots[0, j] * a + g * b
                slots[0, j] = slots[0, j] * c[CC] + g * c[D]
                if v > 0:
                    new -= rate
                elif v < 0:
                    new += rate
                else:
                    new += v  # 0, or no number, which stays one
            elif code == codes.ADAMAX:
                mean = slots[0, j] + (g - slots[0, j]) * a
                v = max(b * slots[1, j], abs(g))
                slots[0, j], slots[1, j] = mean, v
                new -= rate * mean / (v + eps)
            elif code == codes.NADAM:
                mean = slots[0, j] + (g - slots[0, j]) * a
                v = slots[1, j] + (g * g - slots[1, j]) * b
                slots[0, j], slots[1, j] = mean, v
                new -= rate * (c[CC] * mean + c[D] * g) / (math.sqrt(v) + eps)
            else:
                mean = slots[0, j] + (g - slots[0, j]) * a
                v = slots[1, j] + (g * g - slots[1, j]) * b
                slots[0, j], slots[1, j] = mean, v
                if code == codes.AMSGRAD:
                    v = max(slots[2, j], v)
                    slots[2, j] = v
                new -= mean * rate / (math.sqrt(v) + eps)
            theta[j] = new

    @compiled
    def constrain(model, turn, memory):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        parts = cuda.shared.array(lanes, numba.float64)
        if turn.status[s] != RUNNING:
            return
        theta, at, starts, limits = model.theta[s], memory.bound.at, memory.bound.starts, memory.bound.limits
        for group in range(cuda.blockIdx.x, limits.shape[0], cuda.gridDim.x):
            first, last = starts[group], starts[group + 1]
            total = 0.0
            for k in range(first + lane, last, lanes):
                w = float(theta[at[k]])
                total += w * w
            parts[lane] = total
            summed(parts, lane, lanes)
            norm, share = math.sqrt(parts[0]), limits[group, bounds.RATE]
            wanted = share * min(max(norm, limits[group, bounds.LEAST]), limits[group, bounds.MOST]) + (1 - share) * norm
            factor = number(wanted / (bounds.EPSILON + norm))
            sign = limits[group, bounds.KIND] == bounds.SIGN
            for k in range(first + lane, last, lanes):
                if not sign:
                    theta[at[k]] *= factor
                elif theta[at[k]] < 0:
                    theta[at[k]] = 0
            barrier()

    @compiled
    def finish(turn, buffers, memory):
        s = cuda.blockIdx.x * lanes + cuda.threadIdx.x
        if s >= turn.status.shape[0] or turn.status[s] != RUNNING:
            return
        whole = turn.items[turn.clock[0], WHOLE]
        total, score, penalty = 0.0, 0.0, 0.0
        for k in range(buffers.parts.shape[1]):
            total += buffers.parts[s, k, LOSS]
            score += buffers.parts[s, k, METRIC]
            buffers.parts[s, k, LOSS], buffers.parts[s, k, METRIC] = 0.0, 0.0
        if memory.penalty.shape[0] > 0:
            for k in range(memory.extra.shape[1]):
                penalty += memory.extra[s, k]
        memory.sums[s, 0] += total + whole * penalty
        memory.sums[s, 1] += score
        memory.steps[s] += 1
        if not abs(total) < np.inf:
            turn.status[s] = NONFINITE

    @compiled
    def advance(turn):
        if cuda.threadIdx.x == 0 and cuda.blockIdx.x == 0:
            turn.clock[0] += 1

    @compiled
    def forget(model, turn):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        for j in range(start, model.grad.shape[1], cuda.gridDim.x * lanes):
            model.grad[s, j] = 0

    return Kernels(add, prepare, norms, step, constrain, finish, advance, forget)
