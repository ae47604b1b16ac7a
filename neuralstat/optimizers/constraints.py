"""Constraints on weights that hold after every step: norms of groups of weights, signs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit.late import late

KIND, LEAST, MOST, RATE = range(4)  # columns of the limits
NORM, SIGN = 0, 1  # kinds
COLUMNS = 4
EPSILON = 1e-7  # Keras' backend.epsilon(), which it adds to norms that it divides by


class Bound(NamedTuple):
    """Weights under constraints.

    Attributes
    ----------
    at : (Q,) int64 array
        Positions of the weights of all groups, one after the other.
    starts : (G + 1,) int64 array
        Where groups begin in it.
    limits : (G, COLUMNS) float64 array
        Of the groups. NORM: weights are multiplied by ``d / (EPSILON + norm)``, with d the norm moved the share RATE of the
        way into LEAST .. MOST. SIGN: negative weights become 0.
    """

    at: np.ndarray
    starts: np.ndarray
    limits: np.ndarray


@late
def constrain(bound: Any, theta: Any) -> None:
    """Bring weights (P,) to where their constraints hold, as Keras does after each step."""
    at, starts, limits = bound.at, bound.starts, bound.limits
    for g in range(limits.shape[0]):
        first, last = starts[g], starts[g + 1]
        if limits[g, KIND] == SIGN:
            for k in range(first, last):
                if theta[at[k]] < 0:
                    theta[at[k]] = 0
            continue
        total = 0.0
        for k in range(first, last):
            w = float(theta[at[k]])
            total += w * w
        norm = np.sqrt(total)
        wanted = limits[g, RATE] * min(max(norm, limits[g, LEAST]), limits[g, MOST]) + (1 - limits[g, RATE]) * norm
        factor = wanted / (EPSILON + norm)
        for k in range(first, last):
            theta[at[k]] *= factor
