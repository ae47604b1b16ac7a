"""Centring and scaling inside the model."""

import warnings

import numpy as np

from neuralstat.errors import DataWarning
from neuralstat.formula.parts import Scaling


def fit_scaling(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    x_names: tuple[str, ...],
    y_names: tuple[str, ...],
    scaled: np.ndarray,
    groups: np.ndarray | None = None,
    frequencies: np.ndarray | None = None,
) -> Scaling:
    """Find centres and scales.

    Parameters
    ----------
    x : ndarray, shape (D, n)
    y : ndarray, shape (K, n)
    weights : ndarray, shape (n,), or None
    x_names, y_names : tuple of str
    scaled : ndarray of bool, shape (K,)
        Responses to scale; the others get mean 0 and sd 1.
    groups : ndarray of int, shape (D,), optional
        Rows of x with the same number share one centre and scale; -1 is left as it is. See `tensors.pooled_groups`.
    frequencies : ndarray, shape (n,), optional
        How many observations each column of x and y stands for, where not one (they are part of the weights, too).
    """
    x_mean, x_sd = np.zeros(len(x)), np.ones(len(x))
    groups = np.arange(len(x)) if groups is None else groups
    numbers, size = np.unique(groups[groups >= 0], return_counts=True)
    single = np.isin(groups, numbers[size == 1])
    if single.any():
        names = tuple(name for name, s in zip(x_names, single) if s)
        x_mean[single], x_sd[single] = _moments(x if single.all() else x[single], weights, names, frequencies)
    for number in numbers[size > 1]:
        own = groups == number
        pooled = x[own].reshape(1, -1)
        many, often = (None if v is None else np.tile(v, int(own.sum())) for v in (weights, frequencies))
        x_mean[own], x_sd[own] = (m[0] for m in _moments(pooled, many, (x_names[int(number)],), often))
    y_mean, y_sd = np.zeros(len(y)), np.ones(len(y))
    if scaled.any():
        names = tuple(name for name, s in zip(y_names, scaled) if s)
        y_mean[scaled], y_sd[scaled] = _moments(y[scaled], weights, names, frequencies)
    return Scaling(x_mean, x_sd, y_mean, y_sd)


def _moments(
    rows: np.ndarray, weights: np.ndarray | None, names: tuple[str, ...], frequencies: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of each row; with equal weights the usual ones (n - 1)."""
    w = np.ones(rows.shape[1]) if weights is None else weights
    used = float((w > 0).sum() if frequencies is None else frequencies[w > 0].sum())
    mean = rows @ w / w.sum()
    # no variation is judged on the numbers themselves: a rounded mean would leave a tiny spread
    counted = slice(None) if (w > 0).all() else w > 0
    constant = np.array([np.ptp(row[counted]) == 0 for row in rows], dtype=bool)
    square = ((rows - mean[:, None]) ** 2) @ w / w.sum() * used / (used - 1 if used > 1 else 1)
    sd = np.where(constant, 1.0, np.sqrt(square))
    if constant.any():
        listed = ", ".join(repr(n) for n, c in zip(names, constant) if c)
        warnings.warn(f"constant column(s), centred but not scaled: {listed}.", DataWarning, stacklevel=6)
    return mean, sd
