"""Expected information of a distribution's parameters, observation by observation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..families import (
    Cox,
    Distribution,
    Distributional,
    Expectile,
    Laplace,
    MultivariateNormal,
    Quantile,
    Survival,
    TweedieScale,
)
from ..families.counts import Counts
from ..fitted import Fitted, kept
from ..network import blocks, derivatives
from .grids import gauss

NODES, REACH = 81, 6.0  # of the trapezoidal rule over a standard normal variable
MOST_COUNTS = 200  # counts that are summed one by one
SMALL = 1e-10  # probability beyond them
LONGER = 4  # sums over counts than over quantiles, at most, about
SMALLEST = 1e-10  # eigenvalue, beside the largest, below which a direction carries no information


def expected(fitted: Fitted, raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """E s s' (n, K, K) of the scores s of linear predictors (K, n), internal units; `y` (L, n) are their responses.

    Over quantiles of the distribution at an even grid of a standard normal variable, over categories, or over counts up to a
    bound. Of quantiles the curvature of the expected loss, by a kernel estimate of the density; of expectiles and of users'
    densities, whose distribution is not known, the second derivative of the loss, where it is not negative.
    """
    family = fitted.distribution
    if isinstance(family, Cox):  # events that are expected of each row
        return family.expected(raw[0], y)[:, np.newaxis, np.newaxis]
    if isinstance(family, Quantile):
        return family.curvature(raw, y[0])
    if isinstance(family, MultivariateNormal | Laplace):
        return family.information(family.natural(raw))
    k, n = raw.shape
    out = np.empty((n, k, k))
    for rows in alike(fitted, raw, k * NODES):  # points at a time: each has a response of every row
        at, own = np.ascontiguousarray(raw[:, rows]), np.ascontiguousarray(y[:, rows])
        found = points(fitted, at, own)
        out[rows] = _curvatures(fitted, at, own) if found is None else _sum(fitted, at, found)
    return out


@kept
def expected_of(fitted: Fitted, b: int) -> np.ndarray:
    """`expected` (n, K, K), read-only, of the rows of the fit by repetition b: several statistics of a call ask for it."""
    matrices = expected(fitted, fitted.fitted_raw([b])[0], fitted.design.y)
    matrices.setflags(write=False)
    return matrices


def alike(fitted: Fitted, raw: np.ndarray, each: int) -> Iterator[Any]:
    """Rows with linear predictors (K, n) that are summed over points together, with so many numbers each.

    Of counts those whose sums are about as long: of a row with a large mean they have hundreds of terms.
    """
    counts = isinstance(fitted.distribution, Counts)
    order = np.argsort(raw[0], kind="stable") if counts else None
    for part in blocks.of_numbers(raw.shape[1], LONGER * each if counts else each):
        yield part if order is None else order[part]


def points(fitted: Fitted, raw: np.ndarray, y: np.ndarray, nodes: int = NODES) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Responses (L, n) and their probabilities (n,), over which expectations at linear predictors (K, n) are sums.

    None where the distribution is not known; of survival times as if none were censored.
    """
    family: Distributional = fitted.distribution
    if isinstance(family, Quantile | Expectile | Distribution | Cox | MultivariateNormal):
        return None
    if isinstance(family, TweedieScale):
        return [(mass, y[np.newaxis]) for mass, y in family.frozen(family.natural(raw)).points(nodes)]
    rows = 2 if isinstance(family, Survival) else 1
    if len(fitted.design.y) > 1 and rows == 1:
        p = family.response(raw)
        classes = np.eye(len(p))
        return [(p[j], np.repeat(classes[:, j : j + 1], raw.shape[1], axis=1)) for j in range(len(p))]
    par = family.natural(raw)
    if isinstance(family, Counts):
        masses = family.probabilities(par, SMALL, MOST_COUNTS)
        if masses is not None:
            return [(mass, np.full((1, raw.shape[1]), float(v))) for v, mass in enumerate(masses)]
    from scipy.special import ndtr

    z, mass = gauss(REACH, nodes, 2 * family.degree + 1 if family.degree else nodes)
    u = np.clip(ndtr(z), 1e-12, 1 - 1e-12)
    at = np.broadcast_to(u[:, np.newaxis], (z.size, raw.shape[1]))
    y = family.ppf(np.broadcast_to(par[:, np.newaxis], (len(par), *at.shape)), at)
    return [(np.full(raw.shape[1], m), np.repeat(v[np.newaxis], rows, axis=0)) for m, v in zip(mass, y, strict=True)]


def _sum(fitted: Fitted, raw: np.ndarray, points: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    k, n = raw.shape
    total = np.empty((n, k, k))
    mass, y = np.stack([m for m, _ in points]), np.concatenate([y for _, y in points], axis=1)
    with np.errstate(all="ignore"):  # of all points at once: a call costs more than few rows
        slopes = derivatives.predictor_slopes(fitted.network, np.tile(raw, (1, len(mass))), y).reshape(k, len(mass), n)
        for i in range(k):
            for j in range(i + 1):
                total[:, i, j] = total[:, j, i] = np.nan_to_num(mass * slopes[i] * slopes[j]).sum(axis=0)
    return total


def second_derivatives(fitted: Fitted, raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, K, K) of the losses in linear predictors (K, n), at responses (L, n), by complex steps."""
    k, n = raw.shape
    out = np.empty((n, k, k))
    for j in range(k):
        moved = raw.astype(np.complex128)
        moved[j] += 1j * derivatives.STEP
        out[:, j] = derivatives.predictor_slopes(fitted.network, moved, y).imag.T / derivatives.STEP
    return (out + out.transpose(0, 2, 1)) / 2


def _curvatures(fitted: Fitted, raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`second_derivatives` without their negative part."""
    values, vectors = np.linalg.eigh(second_derivatives(fitted, raw, y))
    return np.einsum("nkr,nr,njr->nkj", vectors, np.maximum(values, 0.0), vectors)


def information_roots(fitted: Fitted, b: int) -> np.ndarray:
    """L (n, K, K) with L L' the `expected` information of the rows of the fit by repetition b."""
    values, vectors = np.linalg.eigh(expected_of(fitted, b))
    values = np.where(values > SMALLEST * values[:, -1:], values, 0.0)
    return vectors * np.sqrt(values)[:, np.newaxis, :]
