"""Spline bases in one covariate, and their penalties: cubic regression splines, cyclic ones, P-splines.

A basis is its breakpoints ("knots") alone. In all three the coefficients of the constant function 1 are all 1. The formulas
are those of Wood (2017), "Generalized Additive Models", 2nd ed., sections 5.3.1 to 5.3.3. Covariates are measured from the
first breakpoint in units of the range, so that their own units play no part in the arithmetic.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

MARGIN = 0.001  # of the range: how much further P-splines go at either end, as in mgcv


@dataclass(frozen=True)
class Basis:
    """A kind of basis.

    Attributes
    ----------
    least : int
        Smallest k.
    knots : callable
        Distinct sorted values and k -> breakpoints.
    values : callable
        Breakpoints, x (n,) -> the basis functions at x, (n, width).
    root : callable
        Breakpoints -> E, (r, width), with penalty beta' E'E beta.
    null : callable
        Breakpoints -> coefficients (width, m) of what is not penalised: the constant, and a straight line where it is.
    lost : int
        k less the number of basis functions.
    """

    least: int
    knots: Callable[[np.ndarray, int], np.ndarray]
    values: Callable[[np.ndarray, np.ndarray], np.ndarray]
    root: Callable[[np.ndarray], np.ndarray]
    null: Callable[[np.ndarray], np.ndarray]
    lost: int = 0


def quantile_knots(unique: np.ndarray, k: int) -> np.ndarray:
    """k quantiles of the distinct values at equal steps of probability (R's type 7), from the least to the largest."""
    return np.quantile(unique, np.linspace(0, 1, k))


def _unit(knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (x - knots[0]) / (knots[-1] - knots[0])


def _second_differences(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """D and B of a natural spline with steps h: B delta = D beta for its second derivatives delta at the inner knots."""
    k = len(h) + 1
    rows = np.arange(k - 2)
    d = np.zeros((k - 2, k))
    d[rows, rows], d[rows, rows + 2] = 1 / h[:-1], 1 / h[1:]
    d[rows, rows + 1] = -1 / h[:-1] - 1 / h[1:]
    b = np.diag((h[:-1] + h[1:]) / 3) + np.diag(h[1:-1] / 6, 1) + np.diag(h[1:-1] / 6, -1)
    return d, b


def _cyclic_differences(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for a cyclic spline with steps h, whose knots are one fewer."""
    m = len(h)
    d, b = np.zeros((m, m)), np.zeros((m, m))
    for j in range(m):
        before, after = (j - 1) % m, (j + 1) % m
        d[j, before] += 1 / h[j - 1]
        d[j, j] -= 1 / h[j - 1] + 1 / h[j]
        d[j, after] += 1 / h[j]
        b[j, before] += h[j - 1] / 6
        b[j, j] += (h[j - 1] + h[j]) / 3
        b[j, after] += h[j] / 6
    return d, b


def _root(d: np.ndarray, b: np.ndarray) -> np.ndarray:
    """E with E'E = D' B^-1 D, the integral of f''^2."""
    return solve_triangular(cholesky(b, lower=True), d, lower=True)


def _pieces(u: np.ndarray, at: np.ndarray, knots: np.ndarray, after: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Cubic pieces by the values and second derivatives (`bend`, rows) at the two knots around; `at` is the piece."""
    h = (knots[1:] - knots[:-1])[at]
    right = (u - knots[at]) / h
    left = 1 - right
    rows = np.arange(len(u))
    made = (h**2 * (left**3 - left) / 6)[:, None] * bend[at] + (h**2 * (right**3 - right) / 6)[:, None] * bend[after]
    made[rows, at] += left
    made[rows, after] += right
    return made


def _cr_values(knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    unit, u = _unit(knots, knots), _unit(knots, x)
    h = np.diff(unit)
    bend = np.zeros((len(knots), len(knots)))
    d, b = _second_differences(h)
    bend[1:-1] = np.linalg.solve(b, d)
    inside = np.clip(u, 0, 1)
    at = np.clip(np.searchsorted(unit, inside, side="right") - 1, 0, len(h) - 1)
    made = _pieces(inside, at, unit, at + 1, bend)
    eye = np.eye(len(knots))
    first = (eye[1] - eye[0]) / h[0] - h[0] / 6 * bend[1]  # slopes at the ends, where lines go on
    last = (eye[-1] - eye[-2]) / h[-1] + h[-1] / 6 * bend[-2]
    made += np.minimum(u, 0)[:, None] * first + np.maximum(u - 1, 0)[:, None] * last
    return made


def _cr_null(knots: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(knots)), _unit(knots, knots)])


def _cc_values(knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    unit, u = _unit(knots, knots), np.mod(_unit(knots, x), 1.0)
    h = np.diff(unit)
    d, b = _cyclic_differences(h)
    at = np.clip(np.searchsorted(unit, u, side="right") - 1, 0, len(h) - 1)
    return _pieces(u, at, unit, (at + 1) % len(h), np.linalg.solve(b, d))


def _ps_knots(unique: np.ndarray, k: int) -> np.ndarray:
    more = MARGIN * (unique[-1] - unique[0])
    return np.linspace(unique[0] - more, unique[-1] + more, k - 2)


def _ps_values(knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Uniform cubic B-splines; lines beyond the ends."""
    pieces = len(knots) - 1
    u = _unit(knots, x) * pieces
    inside = np.clip(u, 0, pieces)
    at = np.minimum(inside.astype(np.int64), pieces - 1)
    t = inside - at
    rows, made = np.arange(len(u)), np.zeros((len(u), pieces + 3))
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    for j, weight in enumerate(weights):
        made[rows, at + j] += weight / 6
    below, above = np.minimum(u, 0) / 2, np.maximum(u - pieces, 0) / 2
    made[:, 0] -= below
    made[:, 2] += below
    made[:, -3] -= above
    made[:, -1] += above
    return made


def _ps_root(knots: np.ndarray) -> np.ndarray:
    return np.diff(np.eye(len(knots) + 2), n=2, axis=0)


def _ps_null(knots: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(knots) + 2), np.linspace(0, 1, len(knots) + 2)])


#: "cr": values at the knots are the coefficients, integral of f''^2, straight lines beyond the ends. "cc": the same on a
#: circle, the first and the last knot being one point. "ps": uniform cubic B-splines, squared second differences of weights.
BASES: dict[str, Basis] = {
    "cr": Basis(3, quantile_knots, _cr_values, lambda k: _root(*_second_differences(np.diff(_unit(k, k)))), _cr_null),
    "cc": Basis(
        4, quantile_knots, _cc_values, lambda k: _root(*_cyclic_differences(np.diff(_unit(k, k)))),
        lambda k: np.ones((len(k) - 1, 1)), lost=1,
    ),
    "ps": Basis(4, _ps_knots, _ps_values, _ps_root, _ps_null),
}  # fmt: skip
