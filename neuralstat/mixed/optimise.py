"""Minimising the criterion over strengths and covariances.

The start is the best of some common strengths, then steps of Fellner and Schall's update (Wood & Fasiolo 2017, Biometrics
73:1071), in which Lambda is diagonal. Then L-BFGS-B, and Newton's steps with a Hessian by differences of the gradient, which
also gives standard errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .criterion import Criterion, State

UPDATES = 12
GRID = 8  # strengths that are tried first
STARTS = 4
NEAR = 1e-4  # decrement of a minimum that counts as one
FLAT = 1e-3  # curvature in a log strength
POLISH = 12  # Newton steps at the end
FAR = 12.0  # distance of a log strength from its bound at which it may be taken there
STRIDE = 1e-4  # of differences of the gradient


Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Minimum:
    """A minimum: point, value, Hessian over the entries `inside` their bounds (elsewhere the identity's), how good it is."""

    point: np.ndarray
    value: float
    hessian: np.ndarray
    inside: np.ndarray
    converged: bool
    decrement: float


@dataclass(frozen=True)
class Search:
    """The criterion's minimum, the state there, evaluations."""

    minimum: Minimum
    state: State
    iterations: int


def first_guess(criterion: Criterion) -> np.ndarray:
    """Theta after some updates by Fellner and Schall."""
    layout, prepared = criterion.layout, criterion.prepared
    q = prepared.penalised
    theta = np.where(layout.diagonal, 1.0, 0.0)
    if np.any(layout.logs):  # the criterion of smooths may have several minima
        inner = np.array([FAR, -FAR])[:, np.newaxis] + np.stack([layout.lower, layout.upper])[:, layout.logs]
        points = []
        for share in np.linspace(0, 1, GRID):
            points.append(theta.copy())
            points[-1][layout.logs] = inner[0] + share * (inner[1] - inner[0])
        theta = min(points, key=lambda point: criterion(point, slopes=False).value)
    for _ in range(UPDATES):
        state = criterion(theta, slopes=False)
        mode, phi = state.mode, state.phi
        inverse = mode.factor.inverse(criterion.columns)
        spread = np.diag(inverse)[mode.factor.start :][:q]
        entries = state.strengths @ prepared.diagonals[:, :q] if len(state.strengths) else np.zeros(q)
        ratios = np.ones(len(state.strengths))
        for g, diagonal in enumerate(prepared.diagonals):
            own = diagonal[:q]
            some = own > 0
            left = float(own[some] @ (1 / entries[some] - spread[some]))
            ratios[g] = phi * max(left, 1e-12) / max(float(own @ np.square(mode.beta[:q])), 1e-300)
        grown = []
        for u, sums, lam in zip(mode.effects, mode.factor.block_sums(inverse), state.factors):
            left = np.maximum(len(u) - np.diag(sums), 1e-12)
            ratio = np.sqrt(np.clip(np.square(u).sum(axis=0) / phi / left, 1e-2, 1e2))
            grown.append(np.diag(np.diag(lam) * ratio))
        step = layout.pack(np.log(np.clip(ratios, 1e-3, 1e3)), grown)
        new = np.where(layout.logs, theta + step, step)
        new = np.clip(new, np.maximum(layout.lower, np.where(layout.diagonal, 1e-2, -np.inf)), layout.upper)
        change = np.where(layout.logs, new - theta, np.log(np.maximum(new, 1e-10) / np.maximum(theta, 1e-10)))
        theta = np.where(layout.logs | layout.diagonal, new, 0.0)
        if np.max(np.abs(change[layout.logs | layout.diagonal]), initial=0.0) < 0.05:
            break
    return theta


def minimise(
    evaluate: Evaluate, start: np.ndarray, lower: np.ndarray, upper: np.ndarray,
    even: np.ndarray, smooth: int, tol: float, rough: bool = False,
) -> Minimum:  # fmt: skip
    """Minimise with bounds.

    Parameters
    ----------
    evaluate : function
        Point -> value, gradient.
    start, lower, upper : (m,) arrays
    even : (m,) bool array
        Entries in which the criterion is an even function, so that its slope vanishes at 0: at their lower bound a minimum is
        one where the slope in their square is positive.
    smooth : int
        Entries, the last ones, in whose directions the Hessian is taken for the identity.
    tol : float
        Largest Newton decrement of a minimum: how far the criterion is above it, about.
    rough : bool
        Whether to do without Newton's steps, and without a Hessian.

    Returns
    -------
    Minimum
    """
    from scipy.optimize import minimize

    options = {"ftol": 1e-9 if rough else 1e-13, "gtol": 1e-6, "maxiter": 500, "maxcor": 20}
    point = start
    for _ in range(STARTS):
        found = minimize(evaluate, point, jac=True, method="L-BFGS-B", bounds=list(zip(lower, upper)), options=options)
        point = np.clip(found.x, lower, upper)
        value, gradient = evaluate(point)
        stuck = even & (point <= lower * 1.001) & (gradient < 0)
        if np.any(stuck):
            point = np.where(stuck, 0.1, point)
            continue
        if rough:
            break
        tol = max(tol, 1e-15 * abs(value))
        point, value, gradient = _to_bounds(evaluate, point, value, gradient, lower, upper, even, tol)
        minimum = _polish(evaluate, point, value, gradient, lower, upper, smooth, tol)
        elsewhere = _elsewhere(evaluate, minimum, lower, upper, even)
        if elsewhere is None:
            return minimum
        point = elsewhere
    if rough:
        return Minimum(point, value, np.eye(len(point)), np.ones(len(point), dtype=bool), False, np.inf)
    return _polish(evaluate, point, *evaluate(point), lower, upper, smooth, tol)


def _polish(
    evaluate: Evaluate, point: np.ndarray, value: float, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray,
    smooth: int, tol: float,
) -> Minimum:  # fmt: skip
    """Newton's steps, until the decrement is below `tol` or falls no more."""
    low = lower + np.where(np.isfinite(lower), 1e-3 * np.abs(lower), 0.0)
    high = upper - np.where(np.isfinite(upper), 1e-3 * np.abs(upper), 0.0)
    best = np.inf
    for attempt in range(POLISH):
        inside = ~(((point <= low) & (gradient >= 0)) | ((point >= high) & (gradient <= 0)))
        hessian = _hessian(evaluate, point, gradient, inside, lower, smooth)
        step, decrement = _newton(hessian, gradient, inside)
        if decrement <= tol or attempt == POLISH - 1 or decrement > 0.9 * best:  # where it falls no more, rounding is left
            break
        size, best = 1.0, decrement
        for _ in range(20):
            new = np.clip(point + size * step, lower, upper)
            new_value, new_gradient = evaluate(new)
            if new_value <= value:
                break
            size /= 2
        else:
            break
        point, value, gradient = new, new_value, new_gradient
    return Minimum(point, value, hessian, inside, bool(decrement <= max(NEAR, 1e-9 * abs(value))), decrement)


def _elsewhere(
    evaluate: Evaluate, minimum: Minimum, lower: np.ndarray, upper: np.ndarray, even: np.ndarray
) -> np.ndarray | None:
    """A better point in the direction of a log strength where the criterion is flat, as it is far from where data matter."""
    curved = minimum.inside & (np.diag(minimum.hessian) > FLAT)
    best, found = minimum.value - 1e-6, None
    for j in np.flatnonzero(np.isfinite(upper - lower) & ~even & ~curved):
        for entry in np.linspace(lower[j] + FAR, upper[j] - FAR, GRID):
            moved = minimum.point.copy()
            moved[j] = entry
            value = evaluate(moved)[0]
            if value < best:
                best, found = value, moved
    return found


def _to_bounds(
    evaluate: Evaluate, point: np.ndarray, value: float, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray,
    even: np.ndarray, tol: float,
) -> tuple[np.ndarray, float, np.ndarray]:  # fmt: skip
    """Log strengths that went far where the criterion is flat are put at their bound, where it is no worse there."""
    for j in np.flatnonzero(np.isfinite(upper - lower) & ~even):
        for bound in (lower[j], upper[j]):
            if 0 < abs(point[j] - bound) < FAR:
                moved = point.copy()
                moved[j] = bound
                new_value, new_gradient = evaluate(moved)
                if new_value <= value + tol:
                    point, value, gradient = moved, new_value, new_gradient
    return point, value, gradient


def _newton(hessian: np.ndarray, gradient: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, float]:
    """Newton's step over the entries inside their bounds, in directions of negative curvature downhill; g'|H|^-1 g / 2."""
    step = np.zeros(len(gradient))
    if not np.any(inside):
        return step, 0.0
    values, vectors = np.linalg.eigh(hessian[np.ix_(inside, inside)])
    size = np.maximum(np.abs(values), 1e-10 * max(1.0, float(np.abs(values).max())))
    along = vectors.T @ gradient[inside]
    step[inside] = -vectors @ (along / size)
    return step, 0.5 * float(np.sum(np.square(along) / size))


def _hessian(
    evaluate: Evaluate, point: np.ndarray, gradient: np.ndarray, inside: np.ndarray, lower: np.ndarray, smooth: int
) -> np.ndarray:
    """Central differences of the gradient in the entries inside their bounds; forward ones at a bound."""
    m = len(point)
    hessian = np.eye(m)
    hard = np.flatnonzero(inside & (np.arange(m) < m - smooth))
    for j in hard:
        h = STRIDE * max(1.0, abs(point[j]))
        ends = []
        for sign in (-1.0, 1.0):
            moved = point.copy()
            moved[j] += sign * h
            ends.append(evaluate(moved)[1] if moved[j] >= lower[j] else None)
        width = h if ends[0] is None else 2 * h
        hessian[j] = hessian[:, j] = (ends[1] - (gradient if ends[0] is None else ends[0])) / width
    block = np.ix_(hard, hard)
    hessian[block] = (hessian[block] + hessian[block].T) / 2
    return hessian


def search(criterion: Criterion, start: np.ndarray, tol: float, rough: bool = False) -> Search:
    """Minimise over theta alone; `rough` where another search follows."""
    layout = criterion.layout

    def evaluate(theta: np.ndarray) -> tuple[float, np.ndarray]:
        state = criterion(theta)
        return state.value, state.gradient

    if layout.count == 0:
        state = criterion(start)
        minimum = Minimum(start, state.value, np.zeros((0, 0)), np.zeros(0, dtype=bool), True, 0.0)
        return Search(minimum, state, criterion.evaluations)
    found = minimise(evaluate, start, layout.lower, layout.upper, layout.diagonal, 0, tol, rough)
    return Search(found, criterion(found.point), criterion.evaluations)


def search_jointly(criterion: Criterion, start: np.ndarray, beta: np.ndarray, covariance: np.ndarray, tol: float) -> Search:
    """Minimise over theta and the coefficients without penalty, from the mode `beta` with about this covariance."""
    layout, m = criterion.layout, criterion.layout.count
    root = np.linalg.cholesky(covariance)

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        state = criterion(point[:m], beta + root @ point[m:])
        return state.value, np.concatenate([state.gradient[:m], root.T @ state.gradient[m:]])

    wide = np.full(len(beta), np.inf)
    lower, upper = np.concatenate([layout.lower, -wide]), np.concatenate([layout.upper, wide])
    even = np.concatenate([layout.diagonal, np.zeros(len(beta), dtype=bool)])
    found = minimise(evaluate, np.concatenate([start, np.zeros(len(beta))]), lower, upper, even, len(beta), tol)
    found = replace(found, point=np.concatenate([found.point[:m], beta + root @ found.point[m:]]))
    return Search(found, criterion(found.point[:m], found.point[m:]), criterion.evaluations)
