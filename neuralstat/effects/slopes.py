"""Derivatives of a fit in its covariates at every row: slopes, and R's generalized weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..checks.arguments import Choice, arguments
from ..fitted import Fitted, kept
from ..network import derivatives
from ..network.rcompat import r_generalized_weights
from ..network.scaling import output_units

SCALES = ("link", "response", "R")


@arguments(scale=Choice(*SCALES))
def slopes(fitted: Fitted, b: int, scale: str = "link") -> pd.DataFrame:
    """Derivatives of the fit in the covariates at every row used.

    Parameters
    ----------
    fitted : Fitted
    b : int
        Repetition, from 0.
    scale : {"link", "response", "R"}
        Of the linear predictor, of the output, or R's generalized weights.

    Returns
    -------
    DataFrame, shape (n, K * D)
        In original units; all covariates of output 1 first. Of distributions with several parameters those of each
        parameter's linear predictor, or of the mean response.

    Raises
    ------
    ArgumentError
        For an unknown scale.
    """
    design, theta = fitted.design, fitted.fit.theta[b].astype(float)
    d = derivatives.slopes(fitted.network, design.x, theta, design.offset)  # (K, D, n)
    if scale != "link" or not fitted.network.objective.of_predictor:
        d = _chain(fitted, d, b, scale)
    if design.scaling is not None:
        several = fitted.network.objective.several
        of_link = several and scale == "link"
        unit = output_units(fitted.network, design.scaling)[0] if of_link else design.scaling.y_sd[: len(d)]
        d = d * unit[:, None, None] / design.scaling.x_sd[None, :, None]
    k, p, n = d.shape
    outputs = design.y_names if k == len(design.y_names) else fitted.network.output_names
    names = [f"{x}" if k == 1 else f"{y}:{x}" for y in outputs for x in design.x_names]
    return pd.DataFrame(d.reshape(k * p, n).T, design.index, names)


def _chain(fitted: Fitted, d: np.ndarray, b: int, scale: str) -> np.ndarray:
    """From slopes (K, D, n) of what kernels give to slopes of the output, the link, or R's."""
    objective = fitted.network.objective
    raw = fitted.fitted_raw([b])[0]
    if objective.of_predictor:  # d is of the linear predictor
        d = objective.output_slopes(raw, d)
    if scale == "R":
        return r_generalized_weights(d, objective.response(raw))
    binomial = objective.output.name == "logistic" or objective.output.custom is not None
    if scale == "link" and objective.name in ("ce", "ce_r") and binomial:
        o = objective.response(raw)
        return d / (o * (1 - o))[:, np.newaxis, :]
    return d


@kept
def generalized_weights(fitted: Fitted) -> list[pd.DataFrame]:
    """Per repetition the effect of each covariate at each row: (n, K * D), all covariates of output 1 first.

    d g(output) / d covariate, in original units, where g is the link: log-odds slopes under a cross-entropy
    error (logistic outputs, and users' own), plain derivatives otherwise. With ``compat="R"``: R's definition,
    (d output / d covariate) / (output (1 - output)), whatever the output is.
    """
    scale = "R" if fitted.settings.compat == "R" else "link"
    return [slopes(fitted, b, scale) for b in range(fitted.nrep)]
