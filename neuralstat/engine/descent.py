"""Training of a stack by R's algorithms: the compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions.penalties import any_l1, penalise, settle
from ..jit.compile import entry
from ..jit.late import late
from ..optimizers.rprop import update
from .cpu import (
    CONVERGED,
    NONFINITE,
    RUNNING,
    STEPMAX,
    Data,
    Net,
    Work,
    gather,
    largest_free,
    n_seen,
    record,
    total_gradient,
)


@entry
def step_first_order(net: Any, algorithm: int, settings: Any, threshold: float, stepmax: int, error: Any, grad: Any,
                     theta: Any, free: Any, before: Any, rate: Any, steps: Any, loss: Any, reached: Any, status: Any,
                     trace: Any, recorded: Any, stride: Any, b: int) -> None:
    """One step of network b from its loss and gradient, which threads have summed; see `train_first_order`."""
    take_step(net, algorithm, settings, threshold, stepmax, error, grad, theta, free, before, rate, steps, loss,
              reached, status, trace, recorded, stride, b)


def train_first_order(net: Net, data: Data, algorithm: int, settings: np.ndarray, threshold: float, stepmax: int,
                      theta: np.ndarray, free: np.ndarray, before: np.ndarray, rate: np.ndarray, steps: np.ndarray,
                      loss: np.ndarray, reached: np.ndarray, status: np.ndarray, trace: np.ndarray, recorded: np.ndarray,
                      stride: np.ndarray, b: int, budget: int, work: Work) -> None:
    """Up to `budget` steps of one of R's algorithms for network b; call again to go on.

    Stops when the largest absolute partial derivative over the free weights is at most `threshold`
    (CONVERGED), at step `stepmax` (STEPMAX; the first evaluation is step 1, as R counts), or when a derivative is
    not finite (NONFINITE). Interrupting between calls changes nothing: all state is in the arguments.

    Parameters
    ----------
    settings : (SETTINGS,) array
        See `optimizers.rprop`.
    theta, before, rate : (B, P) arrays
        Weights and the optimizer's memory; row b is updated.
    free : (B or 1, P) bool array
        Weights that move.
    steps, status : (B,) int64 arrays; loss, reached : (B,) arrays
        Updated.
    trace : (B, T) array; recorded, stride : (B,) int64 arrays
        Error at steps 1, 1 + stride, ...; when a row is full every second entry is dropped.
    work : Work
        No other thread's.
    """
    grad, part = np.empty((2, theta.shape[1]), theta.dtype)
    _descend(net, data, algorithm, settings, threshold, stepmax, work, grad, part, theta, free, before, rate, steps, loss,
             reached, status, trace, recorded, stride, b, budget)


@entry
def _descend(net: Any, data: Any, algorithm: int, settings: Any, threshold: float, stepmax: int, work: Any, grad: Any,
             part: Any, theta: Any, free: Any, before: Any, rate: Any, steps: Any, loss: Any, reached: Any, status: Any,
             trace: Any, recorded: Any, stride: Any, b: int, budget: int) -> None:
    n = n_seen(data, b)
    single = n <= net.block
    if single:
        gather(net, data, work, b, 0, n)
    done = 0
    while done < budget and status[b] == RUNNING:
        error = total_gradient(net, data, theta[b], b, n, work, grad, part, single)
        take_step(net, algorithm, settings, threshold, stepmax, error, grad, theta, free, before, rate, steps,
                  loss, reached, status, trace, recorded, stride, b)
        done += 1


@late
def settled_update(penalty: Any, algorithm: int, theta: Any, grad: Any, movable: Any, before: Any, rate: Any,
                   settings: Any) -> None:
    """The algorithm's update under absolute penalties: weights that would cross zero stay there."""
    previous = theta.copy()
    update(algorithm, theta, grad, movable, before, rate, settings)
    settle(penalty, theta, previous, movable, before)


@late
def take_step(net: Any, algorithm: int, settings: Any, threshold: float, stepmax: int, error: Any, grad: Any,
              theta: Any, free: Any, before: Any, rate: Any, steps: Any, loss: Any, reached: Any, status: Any,
              trace: Any, recorded: Any, stride: Any, b: int) -> None:
    """Penalty, stopping rule, and the algorithm's update of network b."""
    movable = free[b % free.shape[0]]
    error += penalise(net.penalty, theta[b], grad)
    steps[b] += 1
    reached[b] = largest_free(grad, movable)
    loss[b] = error
    record(trace, recorded, stride, steps, error, b)
    if not reached[b] < np.inf:
        status[b] = NONFINITE
    elif reached[b] <= threshold:
        status[b] = CONVERGED
    elif steps[b] >= stepmax:
        status[b] = STEPMAX
    elif any_l1(net.penalty):
        settled_update(net.penalty, algorithm, theta[b], grad, movable, before[b], rate[b], settings)
    else:
        update(algorithm, theta[b], grad, movable, before[b], rate[b], settings)
