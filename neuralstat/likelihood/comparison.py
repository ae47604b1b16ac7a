"""What tests of nested fits compare: deviances, and where several responses have a dispersion each what units do not change.

Gaussian responses are compared by determinants of their residual products: n log(|S0| / |S1|) is twice the log-likelihood
ratio, and Pillai's trace with its F approximation is R's default in ``anova`` of an ``mlm`` (Pillai 1955, Annals of
Mathematical Statistics 26:117; exact where one response or one degree of freedom is tested).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..families import Gaussian
from ..fitted import Fitted
from . import likelihood


def gaussians(fitted: Fitted) -> bool:
    """Whether there are several gaussian responses."""
    return likelihood.several(fitted) and isinstance(fitted.family, Gaussian)


def unlikelihood(fitted: Fitted, y: np.ndarray, mu: np.ndarray, phi: Any) -> float:
    """What is compared of means (K, n) of responses (K, n): the less the likelier.

    The deviance; of several responses with dispersions phi (K, K) the sum of each one's deviance over its own; of several
    gaussian ones the determinant of their residual products, in units of their totals.
    """
    w = fitted.case_weights
    if not likelihood.several(fitted):
        return fitted.likely.deviance(y, mu, w)
    if not isinstance(fitted.family, Gaussian):
        return float(np.sum(fitted.likely.unit_deviance(y, mu) @ w / np.diag(np.asarray(phi))))
    centred = y - (y @ w / w.sum())[:, np.newaxis]
    unit = np.sqrt(np.square(centred) @ w)
    z = (y - mu) * np.sqrt(w) / np.where(unit > 0, unit, 1.0)[:, np.newaxis]
    return float(np.linalg.det(z @ z.T))


def ratio(fitted: Fitted, small: Any, large: Any, scale: Any) -> Any:
    """Twice the log-likelihood ratio of two values (or arrays) of `unlikelihood`, NaN where the larger fit leaves no df.

    n log(D0 / D1) for gaussian responses, (D0 - D1) / scale for the others.
    """
    if fitted.dispersed and likelihood.without_df(fitted, likelihood.df_resid(fitted)):
        return (small - large) * np.nan
    if isinstance(fitted.family, Gaussian):
        return likelihood.sample_size(fitted) * (np.log(small) - np.log(large))
    return (small - large) / (1.0 if likelihood.several(fitted) else scale)


@dataclass(frozen=True)
class Trace:
    """Pillai's trace and its F approximation."""

    pillai: float
    statistic: float
    df: tuple[float, float]
    pvalue: float


def pillai(small: Fitted, large: Fitted, error: Fitted) -> Trace:
    """Pillai's test of the terms by which two fits of several gaussian responses differ.

    Parameters
    ----------
    small, large : Fitted
        Best repetitions.
    error : Fitted
        The fit whose residuals the difference is compared with, the largest.
    """
    from scipy import stats

    k, df = large.network.n_outputs, likelihood.df_resid(small) - likelihood.df_resid(large)
    rest = likelihood.df_resid(error)
    if likelihood.without_df(error, rest) or not df > 0:
        return Trace(np.nan, np.nan, (np.nan, np.nan), np.nan)
    own, before, after = (likelihood.products(f, [f.best]) for f in (error, small, large))
    unit = np.sqrt(np.diag(before))
    own, gain = own / np.outer(unit, unit), (before - after) / np.outer(unit, unit)
    trace = float(np.trace(np.linalg.lstsq(gain + own, gain, rcond=None)[0]))
    s, m, n = min(k, df), (abs(k - df) - 1) / 2, (rest - k - 1) / 2
    upper, lower = s * (2 * m + s + 1), s * (2 * n + s + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = float(np.divide((2 * n + s + 1) * trace, (2 * m + s + 1) * (s - trace)))
    return Trace(trace, statistic, (upper, lower), float(stats.f.sf(statistic, upper, lower)))
