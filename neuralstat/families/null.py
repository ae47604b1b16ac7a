"""Means of the model that has one constant per output, and perhaps an offset."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .family import Family

_STEPS = 500


def null_means(family: Family, y: np.ndarray, weights: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Fitted means (K, n) of the null model.

    Parameters
    ----------
    family : Family
    y : (K, n) array
    weights : (n,) array
    offset : (K, n) array or None
        Without it they are weighted means, whatever the link; with it the constants are found by Fisher scoring.
    """
    if family.name == "multinomial":
        return _multinomial(y, weights, offset)
    means = y @ weights / weights.sum()
    if offset is None or not np.any(offset):
        return np.broadcast_to(means[:, np.newaxis], y.shape).copy()
    return np.stack([_constant(family, y[k], weights, offset[k], float(means[k])) for k in range(y.shape[0])])


def _constant(family: Family, y: np.ndarray, w: np.ndarray, offset: np.ndarray, mean: float) -> np.ndarray:
    """Means (n,) of one output by Fisher scoring; a step that does not lower the deviance is halved."""

    def at(a: float) -> tuple[np.ndarray, float]:
        mu = family.link.inverse(a + offset)
        low, high = family.means
        if not np.all((mu > low) & (mu < high)):
            return mu, np.inf
        return mu, family.deviance(y, mu, w)

    a = float(family.link(mean)) - float(offset @ w / w.sum())
    mu, deviance = at(a)
    if not np.isfinite(deviance):
        raise DataError("the null model with this offset has no possible start: some means would be out of range.")
    for _ in range(_STEPS):
        rise = family.link.inverse_deriv(a + offset) * w / family.variance(mu)
        step = float(np.sum(rise * (y - mu)) / np.sum(rise * family.link.inverse_deriv(a + offset)))
        while abs(step) > 1e-14 * max(1.0, abs(a)):
            moved, new = at(a + step)
            if new <= deviance:
                break
            step /= 2
        else:
            return mu
        a, mu, deviance = a + step, moved, new
    return mu


def _multinomial(y: np.ndarray, w: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Class probabilities; with an offset by iterative proportional scaling."""
    totals = y @ w
    if offset is None or not np.any(offset):
        return np.broadcast_to((totals / totals.sum())[:, np.newaxis], y.shape).copy()
    counts = y.sum(axis=0) * w
    share = np.where(totals > 0, totals, 1.0)
    a = np.log(share / share.sum())
    for _ in range(_STEPS):
        eta = a[:, np.newaxis] + offset
        p = np.exp(eta - eta.max(axis=0))
        p = np.where((totals > 0)[:, np.newaxis], p, 0.0)
        p /= p.sum(axis=0)
        step = np.log(share / np.where(totals > 0, p @ counts, 1.0))
        a = a + step
        if np.abs(step).max() < 1e-13:
            break
    return p
