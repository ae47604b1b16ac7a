"""What all curvature-based optimizers keep of a running stack, and when they stop."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from .cpu import CONVERGED, NONFINITE, RUNNING, STALLED, STEPMAX, largest_free, record

ROUNDING = 1e-13  # relative differences of the objective below this are noise


class Rules(NamedTuple):
    """When to stop."""

    threshold: float  # largest absolute partial derivative
    tol: float  # relative decrease of the objective; negative for no such rule
    stepmax: int


class Track(NamedTuple):
    """State of a stack; see `train.Fit`."""

    theta: np.ndarray  # (B, P)
    free: np.ndarray  # (B or 1, P)
    steps: np.ndarray  # (B,)
    loss: np.ndarray
    reached: np.ndarray
    status: np.ndarray
    trace: np.ndarray  # (B, T)
    recorded: np.ndarray  # (B,)
    stride: np.ndarray  # (B,)


@late
def finish_step(rules: Any, track: Any, b: int, grad: Any, free: Any, used: int) -> None:
    """Book-keeping after `used` gradients, the last in `grad`: R's stopping rule, the limit of steps."""
    for _ in range(used):
        track.steps[b] += 1
        record(track.trace, track.recorded, track.stride, track.steps, track.loss[b], b)
    track.reached[b] = largest_free(grad, free)
    if not track.reached[b] < np.inf:
        track.status[b] = NONFINITE
    elif track.reached[b] <= rules.threshold:
        track.status[b] = CONVERGED
    elif track.steps[b] >= rules.stepmax:
        track.status[b] = STEPMAX


@jit
def rounding_hides(track: Any, best: float, failed: float, b: int, most: int) -> Any:
    """Where the objective cannot tell any more, the gradient can: whether it still falls.

    Parameters
    ----------
    best : float
        Smallest `reached` since rounding hides the objective's changes; 0 at first.
    failed : float
        Steps since that was last lowered by a tenth.
    most : int
        Such steps after which the network is STALLED.

    Returns
    -------
    (float, float)
        New `best` and `failed`.
    """
    if best == 0 or track.reached[b] < 0.9 * best:
        return track.reached[b], 0.0
    if failed + 1 >= most and track.status[b] == RUNNING:
        track.status[b] = STALLED
    return best, failed + 1
