"""Spline bases in one covariate, and their penalties: cubic regression, cyclic, P- and thin plate regression splines.

A spline is its breakpoints ("knots") and coefficients, which are function values at the knots, or weights of B-splines. The
formulas are those of Wood (2017), "Generalized Additive Models", 2nd ed., sections 5.3.1 to 5.3.3 and 5.5.1. Covariates are
measured from the first breakpoint in units of the range, so that their own units play no part in the arithmetic.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_banded
from scipy.sparse.linalg import eigsh

MARGIN = 0.001  # of the range: how much further P-splines go at either end, as in mgcv
CLOSE = 1e-7  # of the range: values nearer to each other than this are one knot of thin plate splines
MOST_KNOTS = 2000  # of thin plate splines, as in mgcv; with more different values quantiles of them are taken


@dataclass(frozen=True)
class Start:
    """A basis of q functions made for some data.

    Attributes
    ----------
    knots : ndarray
    functions : ndarray, shape (width, q)
        Coefficients of the functions.
    bent : ndarray, shape (q, r)
        Weights of functions whose penalty matrix is the identity.
    null : ndarray, shape (q, m)
        Weights that make what is not penalised: first the constant 1, then, but for cyclic splines, a straight line.
    """

    knots: np.ndarray
    functions: np.ndarray
    bent: np.ndarray
    null: np.ndarray


@dataclass(frozen=True)
class Basis:
    """A kind of basis.

    Attributes
    ----------
    least : int
        Smallest k.
    start : callable
        Distinct sorted values and k -> `Start`.
    values : callable
        Knots, x (n,), coefficients (width, p) -> the p splines at x, (n, p).
    valued : bool
        Whether the weights of the functions are function values at the knots.
    """

    least: int
    start: Callable[[np.ndarray, int], Start]
    values: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    valued: bool


def quantile_knots(unique: np.ndarray, k: int) -> np.ndarray:
    """k quantiles of the distinct values at equal steps of probability (R's type 7), from the least to the largest."""
    return np.quantile(unique, np.linspace(0, 1, k))


def _unit(knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (x - knots[0]) / (knots[-1] - knots[0])


def _summed_twice(bends: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Values at knots whose slopes change by `bends`, beginning with two zeros; exact however far steps differ."""
    slopes = np.vstack([np.zeros((1, bends.shape[1])), np.cumsum(bends, axis=0)])
    return np.vstack([np.zeros((1, bends.shape[1])), np.cumsum(steps[:, None] * slopes, axis=0)])


def _pieces(
    u: np.ndarray, at: np.ndarray, after: np.ndarray, knots: np.ndarray, coefs: np.ndarray, bend: np.ndarray
) -> np.ndarray:
    """Cubics between the knots `at` and the next by values (`coefs`) and second derivatives (`bend`) there."""
    h = (knots[1:] - knots[:-1])[at]
    right = (u - knots[at]) / h
    left = 1 - right
    made = left[:, None] * coefs[at] + right[:, None] * coefs[after]
    made += (h**2 * (left**3 - left) / 6)[:, None] * bend[at]
    return made + (h**2 * (right**3 - right) / 6)[:, None] * bend[after]


# -- natural cubic splines ----------------------------


def _cr_start(unique: np.ndarray, k: int) -> Start:
    knots = quantile_knots(unique, k)
    unit = _unit(knots, knots)
    h = np.diff(unit)
    # B delta are the changes of slopes for second derivatives delta at the inner knots; the penalty is delta' B delta
    b = np.diag((h[:-1] + h[1:]) / 3) + np.diag(h[1:-1] / 6, 1) + np.diag(h[1:-1] / 6, -1)
    bent = _summed_twice(cholesky(b, lower=True), h)
    return Start(knots, np.eye(k), bent, np.column_stack([np.ones(k), unit]))


def _cr_values(knots: np.ndarray, x: np.ndarray, coefs: np.ndarray) -> np.ndarray:
    unit, u = _unit(knots, knots), _unit(knots, x)
    h = np.diff(unit)
    slopes = np.diff(coefs, axis=0) / h[:, None]
    bands = np.zeros((3, len(h) - 1))
    bands[0, 1:], bands[1], bands[2, :-1] = h[1:-1] / 6, (h[:-1] + h[1:]) / 3, h[1:-1] / 6
    bend = np.zeros(coefs.shape)
    bend[1:-1] = solve_banded((1, 1), bands, np.diff(slopes, axis=0))
    inside = np.clip(u, 0, 1)
    at = np.clip(np.searchsorted(unit, inside, side="right") - 1, 0, len(h) - 1)
    made = _pieces(inside, at, at + 1, unit, coefs, bend)
    first = slopes[0] - h[0] / 6 * bend[1]  # slopes at the ends, where lines go on
    last = slopes[-1] + h[-1] / 6 * bend[-2]
    return made + np.minimum(u, 0)[:, None] * first + np.maximum(u - 1, 0)[:, None] * last


# -- cyclic cubic splines -----------------------------


def _cyclic(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """D and B of a cyclic spline with steps h."""
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


def _cc_start(unique: np.ndarray, k: int) -> Start:
    knots = quantile_knots(unique, k)
    h = np.diff(_unit(knots, knots))
    factor = cholesky(_cyclic(h)[1], lower=True)
    changes = factor @ np.linalg.qr(factor.T.sum(axis=1, keepdims=True), mode="complete")[0][:, 1:]  # they sum to 0
    slopes = np.cumsum(np.vstack([np.zeros((1, k - 2)), changes[1:]]), axis=0)
    slopes -= h @ slopes  # round the circle
    bent = np.vstack([np.zeros((1, k - 2)), np.cumsum(h[:-1, None] * slopes[:-1], axis=0)])
    return Start(knots, np.eye(k - 1), bent, np.ones((k - 1, 1)))


def _cc_values(knots: np.ndarray, x: np.ndarray, coefs: np.ndarray) -> np.ndarray:
    unit, u = _unit(knots, knots), np.mod(_unit(knots, x), 1.0)
    h = np.diff(unit)
    d, b = _cyclic(h)
    at = np.clip(np.searchsorted(unit, u, side="right") - 1, 0, len(h) - 1)
    return _pieces(u, at, (at + 1) % len(h), unit, coefs, np.linalg.solve(b, d @ coefs))


# -- P-splines ----------------------------------------


def _ps_start(unique: np.ndarray, k: int) -> Start:
    more = MARGIN * (unique[-1] - unique[0])
    knots = np.linspace(unique[0] - more, unique[-1] + more, k - 2)
    null = np.column_stack([np.ones(k), np.linspace(0, 1, k)])
    return Start(knots, np.eye(k), _summed_twice(np.eye(k - 2), np.ones(k - 1)), null)


def _ps_values(knots: np.ndarray, x: np.ndarray, coefs: np.ndarray) -> np.ndarray:
    """Uniform cubic B-splines; lines beyond the ends."""
    pieces = len(knots) - 1
    u = _unit(knots, x) * pieces
    inside = np.clip(u, 0, pieces)
    at = np.minimum(inside.astype(np.int64), pieces - 1)
    t = inside - at
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    made = sum((weight / 6)[:, None] * coefs[at + j] for j, weight in enumerate(weights))
    below, above = np.minimum(u, 0)[:, None], np.maximum(u - pieces, 0)[:, None]
    return made + below * (coefs[2] - coefs[0]) / 2 + above * (coefs[-1] - coefs[-3]) / 2


# -- thin plate regression splines --------------------


def _largest(matrix: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k eigenvalues that are largest in size, and their vectors."""
    if 4 * k < len(matrix) and len(matrix) > 300:
        return eigsh(matrix, k, v0=np.ones(len(matrix)) + np.linspace(0, 1, len(matrix)) ** 2)
    size, vectors = np.linalg.eigh(matrix)
    chosen = np.argsort(-np.abs(size), kind="stable")[:k]
    return size[chosen], vectors[:, chosen]


def _tp_start(unique: np.ndarray, k: int) -> Start:
    """The k - 2 smoothest directions, in a sense, of the thin plate spline, and straight lines.

    In one covariate the functions sum_i delta_i |x - x_i|^3 / 12 with sum delta = sum delta x = 0 are the natural cubic
    splines with knots x_i, which is how they are kept; delta is a combination of the k eigenvectors of the matrix of
    |x_i - x_j|^3 / 12 with the largest eigenvalues in size.
    """
    apart = unique[np.unique(np.round(_unit(unique, unique) / CLOSE), return_index=True)[1]]
    apart = apart if len(apart) >= k else unique
    knots = apart if len(apart) <= MOST_KNOTS else quantile_knots(apart, MOST_KNOTS)
    unit = _unit(knots, knots)
    size, vectors = _largest(np.abs(unit[:, None] - unit) ** 3 / 12, k)
    lines = np.column_stack([np.ones(len(unit)), unit])
    free = np.linalg.qr(vectors.T @ lines, mode="complete")[0][:, 2:]
    spread, turned = np.linalg.eigh(free.T @ (size[:, None] * free))  # positive: the integral of f''^2
    curves = vectors @ (size[:, None] * (free @ turned))
    scale = np.sqrt((curves**2).mean(axis=0))
    functions = np.column_stack([curves / scale, lines])
    bent = np.vstack([np.diag(scale / np.sqrt(spread)), np.zeros((2, k - 2))])
    return Start(knots, functions, bent, np.eye(k)[:, -2:])


#: "cr": values at the knots are the coefficients, integral of f''^2, straight lines beyond the ends. "cc": the same on a
#: circle, the first and the last knot being one point. "ps": uniform cubic B-splines, squared second differences of weights.
#: "tp": integral of f''^2, a knot at every value, but k dimensions only.
BASES: dict[str, Basis] = {
    "cr": Basis(3, _cr_start, _cr_values, valued=True),
    "cc": Basis(4, _cc_start, _cc_values, valued=True),
    "ps": Basis(4, _ps_start, _ps_values, valued=False),
    "tp": Basis(3, _tp_start, _cr_values, valued=False),
}
