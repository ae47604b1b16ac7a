"""Training of a stack by BFGS and L-BFGS: the compiled loop and its line searches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..functions.penalties import L1, any_l1, penalise
from ..jit.compile import entry, jit
from ..jit.vectors import copy_to, dot, fill, scale_to, sum_abs
from ..optimizers.quasi_newton import (
    BEST,
    CURRENT,
    CURVATURE,
    DECREASE,
    FAILED,
    HEAD,
    PAIRS,
    interpolate,
    newton_direction,
    two_loops,
    update_inverse,
)
from .cpu import RUNNING, STALLED, TOLERANCE, Data, Net, Work, gather, n_seen, total_gradient
from .tracking import ROUNDING, Rules, Track, finish_step, rounding_hides

SEARCH = 30  # most gradients of one line search


class Memory(NamedTuple):
    """What a quasi-Newton optimizer knows of one network; zeros at first. F free weights."""

    numbers: np.ndarray  # (MEMORY,)
    where: np.ndarray  # (F,) int64 the free weights
    grad: np.ndarray  # (P,) (sub)gradient of least size, 0 at weights held out
    smooth: np.ndarray  # (P,) gradient without the L1 penalty
    inverse: np.ndarray  # (F, F), or (0, 0) for L-BFGS
    pairs: np.ndarray  # (2, m, F), or (2, 0, 0) for BFGS
    bent: np.ndarray  # penalty without its L1 part, and the L1 part alone
    kinked: np.ndarray


class Point(NamedTuple):
    """Buffers of a line search."""

    start: np.ndarray  # (P,) where it starts
    line: np.ndarray  # (P,) along what
    grad: np.ndarray  # (P,) gradients at the best point so far
    smooth: np.ndarray


@jit
def _gradients(net: Any, data: Any, w: Any, free: Any, b: int, n: int, work: Any, memory: Any) -> Any:
    """Objective at w, with its gradients."""
    error = total_gradient(net, data, w, b, n, work, memory.smooth, memory.grad, n <= net.block)
    error += penalise(memory.bent, w, memory.smooth)
    copy_to(memory.smooth, memory.grad)
    error += penalise(memory.kinked, w, memory.grad)
    for j in range(w.size):
        if not free[j]:
            memory.smooth[j] = 0
            memory.grad[j] = 0
    return error


@jit
def _place(net: Any, w: Any, point: Any, old_grad: Any, alpha: float, lasso: bool) -> Any:
    """Put w at `alpha` along the line (in its orthant under an L1 penalty); returns the expected change."""
    expected = 0.0
    for j in range(w.size):
        w[j] = point.start[j] + alpha * point.line[j]
        if lasso and net.penalty[j, L1] != 0:
            side = point.start[j] if point.start[j] != 0 else -old_grad[j]
            if w[j] * side <= 0:
                w[j] = 0
        expected += old_grad[j] * (w[j] - point.start[j])
    return expected


@jit
def _search(
    net: Any,
    data: Any,
    rules: Any,
    track: Any,
    memory: Any,
    point: Any,
    work: Any,
    old_grad: Any,
    alpha: float,
    lasso: bool,
    b: int,
    n: int,
) -> Any:
    """A step along ``point.line``; weights and gradients are left at the point chosen.

    Strong Wolfe conditions; where the objective changes by rounding only, its slope decides (approximate
    Wolfe conditions of Hager & Zhang 2005, SIAM J. Optim. 16:170). With an L1 penalty: projected
    backtracking.

    Returns
    -------
    (float, int)
        Objective at the point chosen, and the gradients that it took; the objective is infinite where nothing
        was found.
    """
    w, free = track.theta[b], track.free[b % track.free.shape[0]]
    f0 = track.loss[b]
    noise = ROUNDING * abs(f0)
    slope0 = dot(old_grad, point.line)
    low, f_low, slope_low = 0.0, f0, slope0
    high, f_high, slope_high = np.inf, np.inf, np.inf
    used = 0
    while used < SEARCH and (used == 0 or track.steps[b] + used < rules.stepmax):
        expected = _place(net, w, point, old_grad, alpha, lasso)
        error = _gradients(net, data, w, free, b, n, work, memory)
        used += 1
        slope = dot(memory.grad, point.line)
        finite = abs(error) < np.inf and abs(slope) < np.inf
        if lasso:
            if finite and (
                error <= f0 + DECREASE * expected or (error <= f0 + noise and abs(expected) <= noise)
            ):
                return error, used
            share = interpolate(0.0, f0, slope0, alpha, error, slope) if finite else 0.2 * alpha
            alpha = min(share, 0.5 * alpha)
            continue
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
            copy_to(memory.grad, point.grad)
            copy_to(memory.smooth, point.smooth)
        if high == np.inf:
            alpha *= 4
        else:
            if abs(high - low) <= 1e-14 * max(abs(high), abs(low)):
                break
            alpha = interpolate(low, f_low, slope_low, high, f_high, slope_high)
    if low > 0 and not lasso:  # enough decrease, though not the curvature asked for
        _place(net, w, point, old_grad, low, lasso)
        copy_to(point.grad, memory.grad)
        copy_to(point.smooth, memory.smooth)
        return f_low, used
    return np.inf, used


@jit
def _learn(memory: Any, w: Any, start: Any, old_smooth: Any, s: Any, y: Any, scratch: Any) -> None:
    """Take the curvature along the last step into the memory, where it is positive."""
    where = memory.where
    for f in range(where.size):
        s[f] = w[where[f]] - start[where[f]]
        y[f] = memory.smooth[where[f]] - old_smooth[where[f]]
    sy = dot(s, y)
    if not sy > 1e-12 * np.sqrt(dot(s, s) * dot(y, y)):
        return
    m = memory.pairs.shape[1]
    if m == 0:
        update_inverse(memory.inverse, memory.numbers[PAIRS] == 0, s, y, sy, scratch)
        memory.numbers[PAIRS] = 1
        return
    head = int(memory.numbers[HEAD])
    copy_to(s, memory.pairs[0, head])
    copy_to(y, memory.pairs[1, head])
    memory.numbers[HEAD] = (head + 1) % m
    memory.numbers[PAIRS] = min(memory.numbers[PAIRS] + 1, m)


@jit
def _aim(net: Any, memory: Any, line: Any, right: Any, direction: Any, alpha: Any, lasso: bool) -> Any:
    """Direction of the next step into `line` (P,); returns the first step length to try."""
    where = memory.where
    for f in range(where.size):
        right[f] = memory.grad[where[f]]
    stored = int(memory.numbers[PAIRS])
    if stored == 0:
        scale_to(-1.0, right, direction)
    elif memory.pairs.shape[1] == 0:
        newton_direction(memory.inverse, right, direction)
    else:
        two_loops(memory.pairs, stored, int(memory.numbers[HEAD]), right, direction, alpha)
    fill(line, 0)
    for f in range(where.size):
        j = where[f]
        uphill = lasso and net.penalty[j, L1] != 0 and direction[f] * right[f] >= 0
        line[j] = 0 if uphill else direction[f]
    if stored > 0:
        return 1.0
    return min(1.0, 1 / sum_abs(right))


def train_quasi_newton(net: Net, data: Data, rules: Rules, track: Track, memory: Memory, b: int, budget: int,
                       work: Work) -> None:
    """BFGS or L-BFGS for network b until it stops or `budget` gradients were computed; call again to go on.

    All state is in the arguments, and calls end between line searches, so interrupting changes nothing.
    `steps` counts gradients, those of line searches too.

    Parameters
    ----------
    net, data : Net, Data
    rules : Rules
    track : Track
        Row b is updated.
    memory : Memory
        The network's; updated.
    work : Work
        No other thread's.
    """
    vectors = np.zeros((6, track.theta.shape[1]), track.theta.dtype)
    vectors[0] = track.theta[b]
    _line_searches(net, data, rules, track, memory, b, budget, work, Point(*vectors[:4]), *vectors[4:],
                   *np.zeros((3, memory.where.size)), np.zeros(max(memory.pairs.shape[1], 1)))  # fmt: skip


@entry
def _line_searches(net: Any, data: Any, rules: Any, track: Any, memory: Any, b: int, budget: int, work: Any, point: Any,
                   old_grad: Any, old_smooth: Any, right: Any, direction: Any, scratch: Any, alpha: Any) -> None:
    n = n_seen(data, b)
    w, free = track.theta[b], track.free[b % track.free.shape[0]]
    lasso = any_l1(net.penalty)
    if n <= net.block:
        gather(net, data, work, b, np.int64(0), n)
    done = 0
    if memory.numbers[CURRENT] == 0:
        track.loss[b] = _gradients(net, data, w, free, b, n, work, memory)
        memory.numbers[CURRENT] = 1
        finish_step(rules, track, b, memory.grad, free, 1)
        done = 1
    while done < budget and track.status[b] == RUNNING:
        first = _aim(net, memory, point.line, right, direction, alpha, lasso)
        if not dot(memory.grad, point.line) < 0 and memory.numbers[PAIRS] > 0:
            memory.numbers[PAIRS] = 0  # no direction of descent: start again along the gradient
            first = _aim(net, memory, point.line, right, direction, alpha, lasso)
        copy_to(w, point.start)
        copy_to(memory.grad, old_grad)
        copy_to(memory.smooth, old_smooth)
        before = track.loss[b]
        error, used = _search(net, data, rules, track, memory, point, work, old_grad, first, lasso, b, n)
        done += used
        if not error < np.inf:
            copy_to(point.start, w)
            copy_to(old_grad, memory.grad)
            copy_to(old_smooth, memory.smooth)
            finish_step(rules, track, b, memory.grad, free, used)
            if memory.numbers[PAIRS] == 0 and track.status[b] == RUNNING:
                track.status[b] = STALLED
            memory.numbers[PAIRS] = 0
            continue
        track.loss[b] = error
        _learn(memory, w, point.start, old_smooth, right, direction, scratch)
        finish_step(rules, track, b, memory.grad, free, used)
        gain = before - error
        if gain <= ROUNDING * abs(before):
            best, failed = rounding_hides(track, memory.numbers[BEST], memory.numbers[FAILED], b, 100)
            memory.numbers[BEST], memory.numbers[FAILED] = best, failed
        elif gain <= rules.tol * abs(error) and track.status[b] == RUNNING:
            track.status[b] = TOLERANCE
