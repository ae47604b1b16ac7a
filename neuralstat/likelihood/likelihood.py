"""Likelihood of a fit: deviance, dispersion, log-likelihood, explained variation.

Of one repetition each: an average of networks has no weights of its own. A fit by `err_fct` has a likelihood too: "sse"
is half the gaussian deviance, "ce" half the binomial. Repetitions `b` are numbered from 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..df import edf
from ..errors import ArgumentError
from ..families import Gaussian, Multinomial
from ..families.null import null_means as means_of_constants
from ..fitted import Fitted, kept
from ..network import derivatives


def df_model(fitted: Fitted) -> float:
    """Degrees of freedom of the fit without the outputs' constants, as in statsmodels."""
    per_unit, units = fitted.network.shapes[-1]
    free = fitted.fit.free[0]
    constants = int(free[free.size - per_unit * units :: per_unit].sum())
    if isinstance(fitted.family, Multinomial) and constants == units:
        constants -= 1
    return edf(fitted) - constants


def df_resid(fitted: Fitted) -> float:
    """Observed values minus degrees of freedom."""
    return fitted.n_values - edf(fitted)


# deviance and dispersion -----------------------------------------------------------------------------------


def deviance(fitted: Fitted, b: int) -> float:
    """Twice the error without its penalty: 2 (saturated - fitted log-likelihood) x scale."""
    family, scaling = fitted.likely, fitted.design.scaling
    if scaling is not None and np.any(scaling.y_sd != 1):
        return family.deviance(fitted.responses, fitted.means(b), fitted.case_weights)
    return 2 * derivatives.error(fitted.network, fitted.data, fitted.fit.theta[b].astype(float))


@kept
def null_means(fitted: Fitted) -> np.ndarray:
    """(K, n) means of the model that has constants (and the offset) only."""
    offset, scaling = fitted.design.offset, fitted.design.scaling
    if offset is not None and scaling is not None:
        offset = offset * scaling.y_sd[:, np.newaxis]
    return means_of_constants(fitted.likely, fitted.responses, fitted.case_weights, offset)


@kept
def null_deviance(fitted: Fitted) -> float:
    """Deviance of the model that has constants (and the offset) only."""
    return fitted.likely.deviance(fitted.responses, null_means(fitted), fitted.case_weights)


def pearson_chi2(fitted: Fitted, b: int) -> float:
    """Sum of the squared Pearson residuals."""
    values = fitted.likely.pearson(fitted.responses, fitted.means(b), fitted.case_weights)
    return float(np.sum(np.square(values)))


def scale(fitted: Fitted, b: int) -> float:
    """Dispersion: Pearson's chi2 / `df_resid`; 1 for binomial, multinomial, Poisson and negative binomial."""
    return pearson_chi2(fitted, b) / df_resid(fitted) if fitted.likely.dispersed else 1.0


def dispersion(fitted: Fitted, b: int, how: Any) -> float:
    """Dispersion at which a likelihood is taken: None, "dev", "x2" or a number; see `loglike`."""
    family = fitted.likely
    if isinstance(how, int | float | np.number) and how > 0:
        return float(how)
    if how not in (None, "dev", "x2"):
        raise ArgumentError(f"scale must be None, 'dev', 'x2' or a number > 0, got {how!r}.")
    if not family.dispersed:
        return 1.0
    gaussian = isinstance(family, Gaussian) and family.link.name == "identity"
    if how == "dev" or (how is None and gaussian):
        return deviance(fitted, b) / fitted.n_values
    return scale(fitted, b)


def ssr(fitted: Fitted, b: int) -> float:
    """Weighted sum of squared response residuals."""
    return float(np.sum(np.square(response_residuals(fitted, b)) * fitted.case_weights))


def response_residuals(fitted: Fitted, b: int) -> np.ndarray:
    """(K, n) responses minus means; of counts minus total times probability where it is multinomial."""
    y, mu = fitted.responses, fitted.means(b)
    return y - (np.sum(y, axis=0) * mu if isinstance(fitted.family, Multinomial) else mu)


# log-likelihood --------------------------------------------------------------------------------------------


def loglike_at(fitted: Fitted, mu: np.ndarray, phi: float) -> float:
    """Log-likelihood of means (K, n) at a dispersion."""
    used = fitted.case_weights > 0
    y, w = fitted.responses[:, used], fitted.case_weights[used]
    return float(np.sum(fitted.likely.loglike_obs(y, mu[:, used], w, phi)))


def loglike(fitted: Fitted, rep: Any = "best", scale: Any = None) -> float:
    """Log-likelihood of one repetition.

    Parameters
    ----------
    rep : int or "best"
    scale : None, "dev", "x2" or float
        Dispersion at which it is taken. None: as statsmodels, the maximum likelihood value deviance / n for the
        gaussian family with identity link and `scale` for the others; "dev": deviance / n for every family, as
        R's ``logLik``; "x2": `scale`.
    """
    b = fitted.which(rep)
    return loglike_at(fitted, fitted.means(b), dispersion(fitted, b, scale))


def llnull(fitted: Fitted) -> float:
    """Log-likelihood of the model that has constants (and the offset) only, at the dispersion of the best repetition."""
    return loglike_at(fitted, null_means(fitted), scale(fitted, fitted.best))


# explained variation ---------------------------------------------------------------------------------------


def rsquared(fitted: Fitted) -> float:
    """1 - ssr / total sum of squares about the weighted means of the outputs."""
    y, w = fitted.responses, fitted.case_weights
    total = np.sum(np.square(y - (y @ w / w.sum())[:, np.newaxis]) * w)
    return float(1 - ssr(fitted, fitted.best) / total)


def pseudo_rsquared(fitted: Fitted, kind: str = "cs") -> float:
    """Explained variation on the likelihood's scale.

    Parameters
    ----------
    kind : {"cs", "mcf", "deviance"}
        Cox and Snell, 1 - exp(2 (llnull - llf) / n); McFadden, 1 - llf / llnull; 1 - deviance / null deviance.
    """
    kind = kind.lower()
    if kind == "deviance":
        return 1 - deviance(fitted, fitted.best) / null_deviance(fitted)
    if kind.startswith("mcf"):
        return 1 - loglike(fitted) / llnull(fitted)
    if kind.startswith("cox") or kind in ("cs", "lr"):
        return float(1 - np.exp((llnull(fitted) - loglike(fitted)) * 2 / fitted.n_values))
    raise ArgumentError(f"kind must be 'cs', 'mcf' or 'deviance', got {kind!r}.")
