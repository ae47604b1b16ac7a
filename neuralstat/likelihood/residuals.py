"""Residuals of one repetition, on the index of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..fitted import Fitted
from .likelihood import response_residuals

RESIDUALS = ("response", "deviance", "pearson", "working")


def residuals(fitted: Fitted, kind: str = "response", rep: Any = "best") -> np.ndarray:
    """Residuals (K, N) on all rows of the data, NaN at rows kept out of the fit.

    Parameters
    ----------
    kind : {"response", "deviance", "pearson", "working"}
        y - mu; signed roots of the weighted unit deviances, whose squares add up to the deviance;
        (y - mu) sqrt(weight / V(mu)); (y - mu) d eta / d mu.
    rep : int or "best"
    """
    if kind not in RESIDUALS:
        raise ArgumentError(f"kind must be one of {', '.join(map(repr, RESIDUALS))}; got {kind!r}.")
    b = fitted.which(rep)
    family, y, w = fitted.likely, fitted.responses, fitted.case_weights
    if kind == "response":
        values = response_residuals(fitted, b)
    elif kind == "working":
        values = response_residuals(fitted, b) / _mean_slopes(fitted, b)
    elif kind == "deviance":
        values = family.resid_dev(y, fitted.means(b), w)
    else:
        values = family.pearson(y, fitted.means(b), w)
    return fitted.full(values)


def _mean_slopes(fitted: Fitted, b: int) -> np.ndarray:
    """(K, n) d mu / d eta."""
    objective = fitted.network.objective
    raw = fitted.fitted_raw([b])[0]
    if objective.output.name == "identity":
        return np.ones_like(raw)
    if objective.of_predictor and objective.output.name != "softmax":
        return objective.output.slopes(raw)
    if objective.output.name in ("logistic", "softmax"):
        mu = objective.response(raw)
        return mu * (1 - mu)
    raise ArgumentError(f"kind='working' needs a link, and the output activation {objective.output.name!r} is none.")
