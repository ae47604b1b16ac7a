"""Estimators of risk that refit nothing, but for their degrees of freedom: criteria, and leave-one-out by leverages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..likelihood.criteria import cp as mallows
from ..likelihood.criteria import gcv as generalised
from ..likelihood.criteria import information as criterion_of
from . import refits

if TYPE_CHECKING:
    from .estimators import Work

ANALYTIC = ("analytic", "jacobian")


def degrees_of_freedom(work: Work, df: Any, **options: Any) -> np.ndarray:
    """Degrees of freedom (T,): the fits' own, by refits, or a number."""
    if df in ANALYTIC:
        return work.fits.df
    if df == "gdf":
        return refits.gdf(work, **options)
    if df == "covariance":
        return refits.covariance(work, **options)
    return np.full(work.y.shape[0], float(df))


def training(work: Work) -> np.ndarray:
    """The training error (T,)."""
    return work.training


def cp(work: Work, df: Any, **options: Any) -> np.ndarray:
    """Mallows' Cp (T,): training error (mean deviance) + 2 sigma^2 df / n."""
    n = work.y.shape[1]
    return mallows(n * work.training, n, degrees_of_freedom(work, df, **options), work.sigma2)  # type: ignore[arg-type,return-value]


def sure(work: Work, df: Any, **options: Any) -> np.ndarray:
    """Stein's unbiased risk estimate (T,): Cp without the noise of new responses."""
    return cp(work, df, **options) - work.sigma2


def gcv(work: Work, df: Any, **options: Any) -> np.ndarray:
    """Generalised cross-validation (T,)."""
    n = work.y.shape[1]
    d = degrees_of_freedom(work, df, **options)
    return _known_df(d, [generalised(n * e, n, each) for e, each in zip(work.training, d, strict=True)])


def rcp(work: Work, df: Any, **options: Any) -> np.ndarray:
    """Cp for new covariates (T,): training error + sigma^2 (df / n + df / (n - df - 1)), as `neuralstat.risk` has it.

    Rosset & Tibshirani (2020), JASA 115:138: of least squares on normal covariates it is unbiased. NaN where df > n - 1.
    """
    n = work.y.shape[1]
    d = degrees_of_freedom(work, df, **options)
    rest = np.where(d < n - 1, n - d - 1, np.nan)
    return work.training + work.sigma2 * (d / n + d / rest)


def _known_df(df: np.ndarray, values: list[float]) -> np.ndarray:
    """NaN where the degrees of freedom are not known (infinite is: too many)."""
    return np.where(np.isnan(df), np.nan, np.asarray(values, dtype=float))


def alo(work: Work) -> np.ndarray:
    """Approximate leave-one-out (T,): residuals over one minus leverages; exact for linear smoothers with fixed knots."""
    h = work.fits.leverage
    if h is None:
        return np.full(work.y.shape[0], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.mean(((work.y - work.fits.fitted) / (1 - h)) ** 2, axis=1)
    return np.where((h < 1 - 1e-10).all(axis=1), value, np.inf)


def information(work: Work, criterion: str, df: Any, **options: Any) -> np.ndarray:
    """AIC, AICc or BIC (T,): of a normal likelihood whose variance is estimated and counted, or of the family's deviance."""
    n = work.y.shape[1]
    additive = work.cell.noise.additive
    with np.errstate(divide="ignore"):
        twice = n * (np.log(2 * np.pi * work.training) + 1) if additive else n * work.training
    d = degrees_of_freedom(work, df, **options)
    counted = 1 if additive else 0
    return _known_df(d, [criterion_of(criterion, -a / 2, n, b, counted) for a, b in zip(twice, d, strict=True)])
