"""Noise of a fit's responses: the dispersion of each output, on n minus the effective degrees of freedom."""

from __future__ import annotations

import numpy as np

from ..df import edf, found, noise
from ..errors import ArgumentError
from ..fitted import Fitted


def degrees(fitted: Fitted, numbers: list[int]) -> float:
    """Residual degrees of freedom of one output: rows of positive weight minus the outputs' mean of the effective ones.

    Of the mean of several repetitions (0-based `numbers`): the mean of theirs.
    """
    rep = "mean" if len(numbers) > 1 else numbers[0] + 1
    own = len(numbers) == 1 and numbers[0] == fitted.best
    df = edf(fitted) if own else float(found(fitted, "jacobian", rep))
    if fitted.settings.compat == "R":
        df = edf(fitted)
    n = int(np.count_nonzero(fitted.case_weights))
    rest = n - df / fitted.network.n_outputs
    return rest if abs(rest) > 1e-8 * n else 0.0  # a sum of n leverages of 1 misses n by rounding


def dispersion(fitted: Fitted, numbers: list[int]) -> tuple[np.ndarray, float]:
    """Covariance (K, K) of the Pearson residuals, internal units, and the degrees of freedom behind it.

    The identity where the family has no dispersion to estimate. For one output and repetition it is `likelihood.scale` (in
    the response's units). For an error function without a family the residuals' variance, as of additive noise.

    Raises
    ------
    ArgumentError
        Where no degrees of freedom are left.
    """
    k = fitted.network.n_outputs
    family, design = fitted.family, fitted.design
    if family is not None and not family.dispersed:
        return np.eye(k), np.inf
    rest = degrees(fitted, numbers)
    if rest <= 0:
        raise ArgumentError(
            f"no degrees of freedom are left for the dispersion ({fitted.nobs} observations): fit a smaller model or a "
            "larger penalty, or use cov_type='sandwich' with use_t=False for the mean, or a conformal method."
        )
    mu = noise.fitted(fitted, numbers)
    spread = np.ones_like(mu) if family is None else family.variance(mu)
    z = (design.y - mu) * np.sqrt(fitted.case_weights / spread)
    return z @ z.T / rest, rest
