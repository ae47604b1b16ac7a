"""Algebra of quasi-Newton steps on flat vectors of free weights: directions, updates, line search.

BFGS keeps the inverse Hessian; L-BFGS the last m differences of weights and gradients (two-loop recursion;
Liu & Nocedal 1989, Math. Program. 45:503). Nocedal & Wright 2006, Numerical Optimization, 2nd ed.: algorithms
3.5 and 3.6 (strong Wolfe conditions), 6.1 (BFGS), 7.4 (two loops). L1 penalties: orthant-wise steps (Andrew &
Gao 2007, ICML, 33).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from ..jit.vectors import add_to, dot, fill, scale_to

DECREASE, CURVATURE = 1e-4, 0.9  # constants of the Wolfe conditions

# Positions in a network's memory
CURRENT, PAIRS, HEAD, BEST, FAILED, MEMORY = range(6)


@late
def newton_direction(inverse: Any, grad: Any, direction: Any) -> None:
    """``-H g`` with the whole inverse Hessian (F, F)."""
    for i in range(grad.size):
        total = 0.0
        for j in range(grad.size):
            total += inverse[i, j] * grad[j]
        direction[i] = -total


@late
def two_loops(pairs: Any, stored: int, head: int, grad: Any, direction: Any, alpha: Any) -> None:
    """``-H g`` from the last pairs.

    Parameters
    ----------
    pairs : (2, m, F) array
        Differences of weights and of gradients, in a ring; the newest lies before `head`.
    alpha : (m,) array
        Scratch.
    """
    m = pairs.shape[1]
    scale_to(-1.0, grad, direction)
    scale = 1.0
    for k in range(stored):
        at = (head - 1 - k) % m
        s, y = pairs[0, at], pairs[1, at]
        sy = dot(s, y)
        if k == 0:
            scale = sy / dot(y, y)
        alpha[at] = dot(s, direction) / sy
        add_to(-alpha[at], y, direction)
    scale_to(scale, direction, direction)
    for k in range(stored - 1, -1, -1):
        at = (head - 1 - k) % m
        s, y = pairs[0, at], pairs[1, at]
        beta = dot(y, direction) / dot(s, y)
        add_to(alpha[at] - beta, s, direction)


@late
def update_inverse(inverse: Any, first: bool, s: Any, y: Any, sy: float, hy: Any) -> None:
    """BFGS update of the inverse Hessian, which at the first time is scaled to the curvature along the step.

    Parameters
    ----------
    s, y : (F,) arrays
        Differences of weights and gradients, ``sy = s'y > 0``.
    hy : (F,) array
        Scratch.
    """
    if first:
        scale = sy / dot(y, y)
        for i in range(s.size):
            fill(inverse[i], 0)
            inverse[i, i] = scale
    for i in range(s.size):
        total = 0.0
        for j in range(s.size):
            total += inverse[i, j] * y[j]
        hy[i] = total
    factor = (1 + dot(y, hy) / sy) / sy
    for i in range(s.size):
        for j in range(s.size):
            inverse[i, j] += factor * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy


@jit
def interpolate(
    low: float, f_low: float, slope_low: float, high: float, f_high: float, slope_high: float
) -> float:
    """Where the cubic through two points with slopes is least, kept off the ends (Nocedal & Wright, 3.59)."""
    width = high - low
    if not (f_high < np.inf and abs(slope_high) < np.inf):
        return low + 0.2 * width
    d1 = slope_low + slope_high - 3 * (f_low - f_high) / (low - high)
    inside = d1 * d1 - slope_low * slope_high
    share = 0.5
    if inside >= 0:
        d2 = math.sqrt(inside) if width > 0 else -math.sqrt(inside)
        below = slope_high - slope_low + 2 * d2
        if below != 0:
            share = 1 - (slope_high + d2 - d1) / below
    if not 0.1 <= share <= 0.9:
        share = 0.1 if share < 0.1 else 0.9 if share > 0.9 else 0.5
    return low + share * width
