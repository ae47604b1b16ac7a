"""Residuals of one repetition, on the index of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks.arguments import REP, Choice, arguments
from ..errors import ArgumentError
from ..families import Cox, Gaussian, Survival, working
from ..fitted import Fitted
from .hazards import deviance_residuals, martingale
from .likelihood import pearson_residuals, response_residuals
from .predictors import predictors

RESIDUALS = ("response", "deviance", "pearson", "working", "martingale")


@arguments(kind=Choice(*RESIDUALS), rep=REP)
def residuals(fitted: Fitted, kind: str = "response", rep: Any = "best") -> np.ndarray:
    """Residuals (K, N) on all rows of the data, NaN at rows kept out of the fit.

    Parameters
    ----------
    kind : {"response", "deviance", "pearson", "working", "martingale"}
        y - mu; signed roots of the weighted unit deviances, whose squares add up to the deviance;
        (y - mu) sqrt(weight / V(mu)); (y - mu) d eta / d mu. Of a row that stands for several observations
        (``freq_weights``) those of one of them, as in statsmodels. Of times to an event events less those that the fit
        expects, "martingale", and "deviance", the same made symmetric; "response" of Cox's model is "martingale".
    rep : int or "best"
    """
    b = fitted.which(rep)
    family, y, w = fitted.likely, fitted.responses, fitted.own_weights
    if kind == "martingale" or (kind == "response" and isinstance(family, Cox)):
        values = martingale(fitted, b)[np.newaxis]
    elif kind == "deviance" and isinstance(family, Survival):
        values = deviance_residuals(fitted, b)[np.newaxis]
    elif kind == "response":
        values = response_residuals(fitted, b)
    elif kind == "working":
        values = _working(fitted, b)
    elif kind == "deviance" and fitted.network.objective.several:
        values = family.resid_dev(y, y)  # raises
    elif kind == "pearson":
        values = pearson_residuals(fitted, [b], w)
    elif isinstance(family, Gaussian):
        values = family.resid_dev(y, fitted.means(b), w)
    else:
        values = working.resid_dev(family, y, predictors(fitted, [b]), w)
    return fitted.full(values)


def _working(fitted: Fitted, b: int) -> np.ndarray:
    """(K, n) working residuals, of the output activation's scale."""
    objective = fitted.network.objective
    if objective.several:
        raise ArgumentError("kind='working' needs a family with one parameter; take resid_quantile.")
    if objective.output.name == "identity":
        return response_residuals(fitted, b)
    if objective.of_predictor and objective.output.name != "softmax" and isinstance(fitted.family, Gaussian):
        return response_residuals(fitted, b) / objective.output.slopes(fitted.fitted_raw([b])[0])
    if objective.of_predictor:
        return working.residuals(fitted.likely, fitted.responses, predictors(fitted, [b]))
    if objective.output.name == "logistic":
        mu = fitted.means(b)
        with np.errstate(divide="ignore", invalid="ignore"):
            return response_residuals(fitted, b) / (mu * (1 - mu))
    raise ArgumentError(f"kind='working' needs a link, and the output activation {objective.output.name!r} is none.")
