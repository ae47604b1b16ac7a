"""Density of several gaussian responses."""

from __future__ import annotations

import numpy as np


def multivariate(residuals: np.ndarray, w: np.ndarray, often: np.ndarray, phi: np.ndarray) -> float:
    """Log-density of residuals (K, n) of covariances phi / w, each as often as it says; infinite where phi is singular."""
    k = phi.shape[0]
    if not np.isfinite(phi).all():
        return np.nan
    size = np.sqrt(np.maximum(np.diag(phi), 0.0))
    if not np.all(size > 0):
        return np.inf
    sign, log_size = np.linalg.slogdet(phi / np.outer(size, size))  # units of measurement do not decide what is singular
    if sign <= 0:
        return np.inf
    z = residuals / size[:, np.newaxis] * np.sqrt(w * often)
    squares = float(np.trace(np.linalg.solve(phi / np.outer(size, size), z @ z.T)))
    log_size += 2 * np.sum(np.log(size))
    n = float(often.sum())
    return float(-0.5 * (n * (k * np.log(2 * np.pi) + log_size) - k * float(often @ np.log(w)) + squares))
