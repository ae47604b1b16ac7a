"""Fits that several files look at."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import raw
import reference
from places import TARGETS

import neuralstat as ns
from neuralstat.errors import ConvergenceWarning, FitWarning


def quiet(formula: str, data: Any, **arguments: Any) -> ns.NeuralNetResults:
    """A fit of which it does not matter whether it converged, or is a good one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FitWarning)
        return raw.neuralnet(formula, data, **arguments)


def linear_data() -> tuple[np.ndarray, np.ndarray]:
    """Response (n,) and covariates (n, D) of the stored ridge regression."""
    g = reference.target("G_ridge")
    return np.array(g["y"]), np.array(g["X"])


@cache
def ridge() -> ns.NeuralNetResults:
    """Linear model with a penalty on the slopes only."""
    penalty = ns.decay(reference.target("G_ridge")["lam"], biases=False)
    return raw.NeuralNet(*linear_data(), hidden=0, penalty=penalty).fit(threshold=1e-8, random_state=1)


@cache
def ols() -> ns.NeuralNetResults:
    """The same without a penalty."""
    return raw.NeuralNet(*linear_data(), hidden=0).fit(threshold=1e-8, random_state=1)


def boston() -> tuple[dict[str, Any], pd.DataFrame, ns.NeuralNetResults]:
    """The vignette of interpretnn: published statistics, data, and a fit at its weights."""
    b = reference.target("B_boston_interpretnn")
    data = pd.read_csv(TARGETS / "boston_interpretnn.csv")
    w = np.array(b["wts"])
    model = raw.NeuralNet(data["medv"], data[b["names"]], hidden=2, threshold=1e6,
                         startweights=[w[:26].reshape(2, 13).T, w[26:, np.newaxis]]).fit()  # fmt: skip
    return b, data, model
