"""The standard deviation of additive noise: given, from residuals, or from differences of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import Numbers
from ..errors import ArgumentError, DfError
from ..fitted import Fitted
from . import noise
from .local import jacobian


def difference_sigma(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Noise from pseudo-residuals of neighbours on a line.

    Each point is compared with the line through its two neighbours (Gasser, Sroka & Jennen-Steinmetz 1986,
    Biometrika 73:625); no model is fitted, and the bias vanishes where the function is straight between
    neighbours.

    Parameters
    ----------
    x : (n,) array
        Covariate; ties are taken in any order.
    y : (n,) array
        Response.
    weights : (n,) array, optional
        The variance of observation i is sigma^2 / weights_i.

    Returns
    -------
    float
    """
    w = np.ones(x.size) if weights is None else weights
    order = np.argsort(x, kind="stable")
    order = order[w[order] > 0]
    x, y, v = x[order], y[order], 1 / w[order]
    if x.size < 3:
        raise ArgumentError(f"sigma: differences need at least 3 observations, got {x.size}.")
    gap = x[2:] - x[:-2]
    a = np.where(gap > 0, (x[2:] - x[1:-1]) / np.where(gap > 0, gap, 1.0), 0.5)
    pseudo = a * y[:-2] + (1 - a) * y[2:] - y[1:-1]
    return float(np.sqrt(np.mean(pseudo**2 / (a**2 * v[:-2] + (1 - a) ** 2 * v[2:] + v[1:-1]))))


def residual_sigma(fitted: Fitted, b: int) -> np.ndarray:
    """(K,) from residuals of repetition b on n minus its degrees of freedom (jacobian), internal units."""
    n, k = fitted.nobs, fitted.network.n_outputs  # observations, not rows
    residual = fitted.design.y - noise.fitted(fitted, [b])
    rest = n - float(jacobian(fitted, b)) / k
    if rest <= 0:
        raise DfError(
            f"df: no degrees of freedom are left for sigma ({n} observations, {n - rest:.4g} used): give it."
        )
    return np.sqrt(np.sum(fitted.case_weights * residual**2, axis=1) / rest)


def resolve_sigma(fitted: Fitted, sigma: Any = None) -> tuple[np.ndarray, str]:
    """Find the standard deviation (K,) of the noise in internal units, and where it came from.

    With ``sigma=None``: the residuals of the repetition of least error on n minus its degrees of freedom,
    and, where there is one covariate, differences of neighbours; both err upwards, so the smaller one is
    taken, per output. The dispersion's root for families that have none to estimate is 1.

    Parameters
    ----------
    fitted : Fitted
    sigma : float or array (K,), optional
        In the units of the response.

    Raises
    ------
    ArgumentError
        Where `sigma` is not positive.
    """
    several = fitted.network.objective.several
    k = fitted.design.y.shape[0] if several else fitted.network.n_outputs
    scaling = fitted.design.scaling
    unit = np.ones(k) if scaling is None else scaling.y_sd
    if several and fitted.distribution.located:
        if sigma is not None:
            return given_sigma(sigma, k) / unit, "as given"
        family, raw = fitted.distribution, fitted.fitted_raw([fitted.best])[0]
        return np.sqrt([np.mean(family.variance(family.natural(raw)))]), "root of the mean variance of the fitted distribution"
    if not noise.gaussian(fitted.network.objective):
        return _dispersion(fitted, sigma)
    if sigma is not None:
        return given_sigma(sigma, k) / unit, "as given"
    b = fitted.best
    own = residual_sigma(fitted, b)
    source = "from the residuals of the best repetition on n minus its jacobian df"
    if fitted.design.x.shape[0] == 1 and fitted.design.offset is None and fitted.n_rows >= 10:
        x, w = fitted.design.x[0], fitted.precisions
        near = np.array([difference_sigma(x, y, w) for y in fitted.design.y])
        if np.any((near > 0) & (near < own)):
            own = np.where(near > 0, np.minimum(near, own), own)
            source = "from differences of neighbours (Gasser, Sroka & Jennen-Steinmetz)"
    if np.any(own == 0):
        raise DfError("df: the residuals are all zero, so that sigma cannot be estimated; give sigma.")
    return own, source


def given_sigma(sigma: Any, k: int) -> np.ndarray:
    """A standard deviation, or one per output, as (k,) numbers > 0.

    Raises
    ------
    ArgumentError
        Where it is none.
    """
    wanted = "a finite number > 0" if k == 1 else f"a finite number > 0, or {k} of them, one per output"
    try:
        given = Numbers(None).check(sigma, "sigma")
    except ArgumentError:
        given = np.zeros(0)
    if isinstance(sigma, bool | np.bool_) or given.shape not in ((), (1,), (k,)) or not np.all(given > 0):
        raise ArgumentError(f"sigma must be {wanted}; got {shown(sigma)}.")
    return np.broadcast_to(given, (k,))


def _dispersion(fitted: Fitted, sigma: Any) -> tuple[np.ndarray, str]:
    """Root of the dispersion of a family: 1, as given, or Pearson's estimate on n minus the jacobian df."""
    k = fitted.design.y.shape[0] if fitted.network.objective.several else fitted.network.n_outputs
    if sigma is not None:
        return given_sigma(sigma, k), "as given"
    family = getattr(fitted.network.objective, "family", None)
    if family is None or not family.dispersed:
        return np.ones(k), "fixed by the family"
    b = fitted.best
    mu = noise.fitted(fitted, [b])
    rest = fitted.nobs - float(jacobian(fitted, b)) / k
    if rest <= 0:
        raise DfError(
            "df: no degrees of freedom are left to estimate the dispersion; give sigma, its square root."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = fitted.case_weights * (fitted.design.y - mu) ** 2 / family.variance(mu)
    return np.sqrt(pearson.sum(axis=1) / rest), "root of Pearson's dispersion"
