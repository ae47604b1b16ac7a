"""Training of a stack by curvature: the compiled loop of Levenberg-Marquardt."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions.losses import ELSEWHERE
from ..functions.penalties import L1, any_l1, penalise, penalty_curvature
from ..jit.compile import entry, jit
from ..jit.late import late
from ..jit.vectors import copy_to, dot, fill, fill_rows
from ..layers.codes import N_OUT, TARGET
from ..optimizers.lm import (
    BEST,
    CURRENT,
    DAMPING,
    FAILED,
    LATE,
    MU,
    NU,
    SECANT,
    SHRINK,
    factor,
    largest_diagonal,
    quadratic,
    solve,
    update_secant,
)
from .chain import backward
from .cpu import (
    RUNNING,
    STALLED,
    TOLERANCE,
    Data,
    Net,
    Work,
    accumulate,
    block_loss,
    clear_padding,
    gather,
    n_seen,
    padded,
    workspace,
)
from .curvature import Curve, add_gauss_newton
from .elsewhere import CURVATURE, sums_elsewhere
from .tracking import ROUNDING, Rules, Track, finish_step, rounding_hides


@jit
def run_forward(net: Any, theta: Any, work: Any, m: int) -> Any:
    """Forward pass of a gathered block; its loss, with the derivative in `delta`."""
    last = net.table[net.table.shape[0] - 1]
    total = block_loss(net, theta, work, m)
    clear_padding(work.delta, last[TARGET], last[N_OUT], m)
    return total


@late(returns="w")
def _objective(net: Any, data: Any, w: Any, b: int, n: int, work: Any, scratch: Any) -> Any:
    """Loss with its penalty. A single block stays in `work`, ready for the way back."""
    total = 0.0
    if net.loss == ELSEWHERE:
        total = accumulate(net, data, w, b, 0, 0, work, scratch, True)
    for start in range(0, n, net.block):
        m = min(net.block, n - start)
        if n > net.block:
            gather(net, data, work, b, start, m)
        total += run_forward(net, w, work, m)
    fill(scratch, 0)
    return total + penalise(net.penalty, w, scratch)


@late(returns="w")
def _derivatives(net: Any, data: Any, w: Any, b: int, n: int, ready: bool, work: Any, single: Any, curve: Any, scratch: Any,
                 where: Any, grad: Any, matrix: Any) -> Any:
    """Gradient and Gauss-Newton matrix, each with the penalty's part; returns the objective.

    Parameters
    ----------
    ready : bool
        True where `work` holds the forward pass of the only block (then the objective is not computed again).
    where : (F,) int array
        The free weights.
    """
    fill(grad, 0)
    fill_rows(matrix, 0, matrix.shape[0], matrix.shape[1], 0)
    total = 0.0
    if net.loss == ELSEWHERE:
        total = sums_elsewhere(net.loss_address, CURVATURE, w, grad, matrix)
    for start in range(0, n, net.block):
        m = min(net.block, n - start)
        if n > net.block:
            gather(net, data, work, b, start, m)
        if not ready:
            total += run_forward(net, w, work, m)
        backward(net.table, w, work.value, work.slope, work.delta, grad, padded(m), False, False)
        add_gauss_newton(net, data, w, work, single, curve, m, scratch, matrix)
    if net.penalty.shape[0] > 0:
        for f in range(where.size):
            matrix[f, f] += penalty_curvature(net.penalty, where[f], w[where[f]])
    return total + penalise(net.penalty, w, grad)


@jit
def _move(net: Any, w: Any, grad: Any, where: Any, step: Any, lasso: bool) -> None:
    """Add the step; under an L1 penalty a weight that would change its sign, or go uphill, is set to 0."""
    for f in range(where.size):
        j = where[f]
        there = w[j] + step[f]
        if lasso and net.penalty[j, L1] != 0:
            side = w[j] if w[j] != 0 else -grad[j]
            if there * side <= 0:
                there = 0.0
        w[j] = there


def train_lm(
    net: Net,
    data: Data,
    rules: Rules,
    track: Track,
    settings: np.ndarray,
    curve: Curve,
    memory: np.ndarray,
    grad: np.ndarray,
    matrix: np.ndarray,
    secant: np.ndarray,
    root: np.ndarray,
    b: int,
    budget: int,
    work: Work,
) -> None:
    """Levenberg-Marquardt for network b until it stops, or for `budget` objectives; call again to go on.

    All state is in the arguments, so interrupting between calls changes nothing. `steps` counts gradients
    (with their Gauss-Newton matrices); a damped step that failed costs a forward pass and is not counted.

    Parameters
    ----------
    net, data : Net, Data
    rules : Rules
    track : Track
        Row b is updated.
    settings : (SETTINGS,) array
        See `optimizers.lm`.
    curve : Curve
        Buffers for the F free weights.
    memory : (MEMORY,) array; grad : (P,) array; matrix, secant, root : (F, F) arrays
        The network's state; zeros at first.
    work : Work
        No other thread's.
    """
    single = workspace(net, data, track.theta) if net.layered.any else work
    w = track.theta[b]
    step, right, change, spare = np.zeros((4, curve.where.size))
    _damped_steps(net, data, rules, track, settings, curve, memory, grad, matrix, secant, root, b, budget, work, single,
                  step, right, np.zeros(curve.where.size, bool), w.copy(), np.zeros_like(w), change, spare)


@entry
def _damped_steps(net: Any, data: Any, rules: Any, track: Any, settings: Any, curve: Any, memory: Any, grad: Any,
                  matrix: Any, secant: Any, root: Any, b: int, budget: int, work: Any, single: Any, step: Any, right: Any,
                  held: Any, old: Any, scratch: Any, change: Any, spare: Any) -> None:
    n = n_seen(data, b)
    w, free, where = track.theta[b], track.free[b % track.free.shape[0]], curve.where
    size = where.size
    lasso = any_l1(net.penalty)
    if n <= net.block:
        gather(net, data, work, b, np.int64(0), n)
    done, error, predicted, simple, whole = 0, 0.0, 0.0, 0.0, 0.0
    first = memory[CURRENT] == 0
    while (done < budget or first) and track.status[b] == RUNNING:
        accepted = first
        if not first:
            largest = largest_diagonal(matrix, size)
            memory[MU] = max(memory[MU], 1e-16 * largest, 1e-30)  # also where the matrix is 0
            for f in range(size):
                right[f] = grad[where[f]]
                held[f] = lasso and net.penalty[where[f], L1] != 0 and w[where[f]] == 0 and right[f] == 0
            if factor(matrix, secant, memory[SECANT], memory[MU], held, size, root):
                solve(root, size, right, step)
                predicted = 0.0
                for f in range(size):
                    predicted += step[f] * (memory[MU] * step[f] - right[f]) / 2
                copy_to(w, old)
                _move(net, w, grad, where, step, lasso)
                error = _objective(net, data, w, b, n, work, scratch)
                done += 1
                gain, noise = track.loss[b] - error, ROUNDING * abs(track.loss[b])
                accepted = gain > 1e-4 * predicted or (predicted <= noise and gain >= -10 * noise)
                if not accepted:
                    copy_to(old, w)
            if not accepted:
                memory[MU] *= memory[NU]
                memory[NU] *= 2
                if not memory[MU] <= 1e12 * (largest + 1):  # NaN too
                    track.status[b] = STALLED
        if accepted:
            before, reached = track.loss[b], track.reached[b]
            for f in range(size):
                change[f] = -grad[where[f]]
                step[f] = w[where[f]] - old[where[f]]
            if not first:
                slope, bend, extra = (
                    -dot(step, change),
                    quadratic(matrix, size, step),
                    quadratic(secant, size, step),
                )
                simple, whole = -slope - bend / 2, -slope - (bend + extra) / 2
            found = _derivatives(net, data, w, b, n, n <= net.block and not first, work, single, curve, scratch, where, grad,
                                 matrix)
            track.loss[b] = found if first else error
            finish_step(rules, track, b, grad, free, 1)
            memory[NU] = 2
            if first:
                memory[CURRENT] = 1
                memory[MU] = settings[DAMPING] * largest_diagonal(matrix, size)
                done += 1
                first = False
            else:
                for f in range(size):
                    change[f] += grad[where[f]]
                update_secant(secant, matrix, size, step, change, spare, right)
                _judge(rules, track, settings, memory, before, reached, predicted, b)
                if predicted > ROUNDING * abs(before):
                    _choose_model(memory, before - error, simple, whole, settings[LATE] * abs(error))


@jit
def _choose_model(memory: Any, gain: float, simple: float, whole: float, late: float) -> None:
    """Change between A and A + S where the other predicted the last decrease clearly better.

    A + S is for the last part of the way, where steps lower the objective by no more than `late`: far from an
    optimum A, which is never indefinite, leads past saddles and flat places that A + S is drawn to.
    """
    if gain > late:
        memory[SECANT] = 0
        return
    miss, other = abs(simple - gain), abs(whole - gain)
    if memory[SECANT] == 0:
        if 1.5 * other < miss:
            memory[SECANT] = 1
    elif 1.5 * miss < other:
        memory[SECANT] = 0


@late
def _judge(
    rules: Any,
    track: Any,
    settings: Any,
    memory: Any,
    before: float,
    reached: float,
    predicted: float,
    b: int,
) -> None:
    """New damping after an accepted step; the relative rule; the end where rounding hides all progress."""
    gain, error = before - track.loss[b], abs(track.loss[b])
    if predicted <= ROUNDING * abs(before):
        better = track.reached[b] < reached
        memory[BEST], memory[FAILED] = rounding_hides(track, memory[BEST], memory[FAILED], b, 60)
        memory[MU] *= settings[SHRINK] if better else 2
        return
    rho = gain / predicted
    memory[MU] *= max(settings[SHRINK], 1 - (2 * rho - 1) * (2 * rho - 1) * (2 * rho - 1))
    if gain <= rules.tol * error and predicted <= rules.tol * error and track.status[b] == RUNNING:
        track.status[b] = TOLERANCE
