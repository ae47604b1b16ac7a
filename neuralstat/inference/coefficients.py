"""Coefficients as statsmodels' users know them: standard errors, z (or t) values, p values, intervals.

Under R's names of the weights. A single weight of a network with hidden layers has a meaning only beside the other
weights of its unit, and the units may change places: see tests of whole terms for the effect of a covariate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, NONE, REP, SHARE, arguments
from ..df import exact_fit
from ..fitted import Fitted
from . import orthogonal
from .covariance import COV_TYPE, cov_params, cov_type_of
from .dispersion import t_degrees


def params(fitted: Fitted) -> pd.Series:
    """Weights (P,) of the best repetition by R's names, original units."""
    return pd.Series(orthogonal.reported(fitted, fitted.best), index=list(fitted.network.names), name="weights")


@arguments(cov_type=NONE | COV_TYPE, rep=REP)
def standard_errors(fitted: Fitted, cov_type: str | None = None, rep: Any = "best") -> pd.Series:
    """Standard errors (P,) of the weights; NaN at weights held out, and where a variance is not positive.

    Parameters
    ----------
    fitted : Fitted
    cov_type, rep
        As in `cov_params`.
    """
    found = cov_params(fitted, cov_type, rep)
    variance = np.diag(found.to_numpy())
    made = pd.Series(np.sqrt(np.where(variance >= 0, variance, np.nan)), found.index, name="std err")
    if not exact_fit.large(fitted):
        return made
    every = pd.Series(exact_fit.weight_sd(fitted, fitted.which(rep)), list(fitted.network.names), name="std err")
    every[made.index] = made
    return every


def zvalues(fitted: Fitted) -> pd.Series:
    """`params` / `standard_errors` of the best repetition."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (params(fitted) / standard_errors(fitted)).rename("z")


def pvalues(fitted: Fitted) -> pd.Series:
    """Two-sided p values (P,) of `zvalues`, by Student's t on n - df where the dispersion is estimated, else normal.

    Of a fit with groups by Student's t on clusters - 1.

    Its name says which: "P>|t|" or "P>|z|".
    """
    from scipy import stats

    df = t_degrees(fitted, [fitted.best], kind=cov_type_of(fitted, None))
    values = 2 * stats.t.sf(np.abs(zvalues(fitted)), df)
    return pd.Series(values, list(fitted.network.names), name="P>|z|" if np.isinf(df) else "P>|t|")


@arguments(alpha=SHARE, cov_type=NONE | COV_TYPE, rep=REP, use_t=NONE | FLAG)
def conf_int(
    fitted: Fitted, alpha: float = 0.05, cov_type: str | None = None, rep: Any = "best", use_t: bool | None = None
) -> pd.DataFrame:
    """Confidence intervals of the weights, by the distribution of `pvalues`.

    Parameters
    ----------
    fitted : Fitted
    alpha : float
        1 - coverage, in (0, 1).
    cov_type, rep
        As in `cov_params`.
    use_t : bool, optional
        Student's t on n - df (clusters - 1 with "cluster"), or the normal distribution; default t where the dispersion is
        estimated, and with "cluster".

    Returns
    -------
    DataFrame, shape (P, 2)
        Columns 0 and 1, as statsmodels': lower and upper ends.

    Raises
    ------
    ArgumentError
        Where `alpha` is not in (0, 1).
    """
    from scipy import stats

    b = fitted.which(rep)
    theta = orthogonal.reported(fitted, b)
    quantile = stats.t.ppf(1 - alpha / 2, t_degrees(fitted, [b], use_t, cov_type_of(fitted, cov_type)))
    half = quantile * standard_errors(fitted, cov_type, rep).to_numpy()
    return pd.DataFrame({0: theta - half, 1: theta + half}, list(fitted.network.names))
