"""Noise of a fit's responses: the dispersion of each output, on n minus the effective degrees of freedom."""

from __future__ import annotations

import numpy as np

from ..checks import shown
from ..checks.arguments import Numbers
from ..df import edf, found, noise
from ..errors import ArgumentError
from ..families import Gaussian
from ..fitted import Fitted
from ..likelihood.likelihood import NOTHING, pearson_residuals, without_df


def degrees(fitted: Fitted, numbers: list[int]) -> float:
    """Residual degrees of freedom of one output: observations minus the outputs' mean of the effective ones.

    Of the mean of several repetitions (0-based `numbers`): the mean of theirs.
    """
    rep = "mean" if len(numbers) > 1 else numbers[0] + 1
    own = len(numbers) == 1 and numbers[0] == fitted.best
    df = edf(fitted) if own else float(found(fitted, "jacobian", rep))
    if fitted.settings.compat == "R":
        df = edf(fitted)
    n = fitted.nobs
    rest = n - df / fitted.network.n_outputs
    return rest if abs(rest) > NOTHING * n else 0.0  # a sum of n leverages of 1 misses n by rounding


def used_up(fitted: Fitted, numbers: list[int]) -> bool:
    """Whether a dispersion is estimated and no degrees of freedom are left for it; with the warning of `without_df`."""
    several_weights = fitted.k_identified >= fitted.n_values  # fewer weights leave some, whatever their rank
    return fitted.dispersed and several_weights and without_df(fitted, degrees(fitted, numbers))


def dispersion(fitted: Fitted, numbers: list[int]) -> tuple[np.ndarray, float]:
    """Covariance (K, K) of the Pearson residuals, internal units, and the degrees of freedom behind it.

    The identity where the family has no dispersion to estimate. For one output and repetition it is `likelihood.scale` (in
    the response's units). For an error function without a family the residuals' variance, as of additive noise. NaN where
    no degrees of freedom are left.

    Warns
    -----
    DfWarning
        Where none are left, once per fit.
    """
    k = fitted.network.n_outputs
    family = fitted.family
    if family is not None and not family.dispersed:
        return np.eye(k), np.inf
    rest = degrees(fitted, numbers)
    if without_df(fitted, rest):
        return np.full((k, k), np.nan), np.nan
    return fitted.total(_products, numbers) / rest, rest


def _products(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    """(K, K) sums of the products of the Pearson residuals, internal units."""
    if fitted.family is None or isinstance(fitted.family, Gaussian):
        z = fitted.design.y - noise.fitted(fitted, numbers)
        if fitted.design.weights is not None:
            z *= np.sqrt(fitted.design.weights)
    else:  # no such response is scaled
        z = pearson_residuals(fitted, numbers, fitted.case_weights)
    return z @ z.T


def given_dispersion(fitted: Fitted, scale: object) -> np.ndarray:
    """(K, K) dispersion in internal units from one that is given in the response's: a number, K numbers, or (K, K).

    Raises
    ------
    ArgumentError
        Where it is none of these, or no variance is positive.
    """
    k = fitted.network.n_outputs
    wanted = "a number > 0" if k == 1 else f"a number > 0, {k} of them, or their ({k}, {k}) covariance"
    refusal = ArgumentError(f"scale must be {wanted}, got {shown(scale)}.")
    if isinstance(scale, bool | np.bool_):
        raise refusal
    try:
        values = Numbers(None).check(scale, "scale")
    except ArgumentError:
        raise refusal from None
    if values.shape in ((), (1,), (k,)):
        values = np.diag(np.broadcast_to(values, (k,)))
    if values.shape != (k, k) or not np.all(np.diag(values) > 0):
        raise refusal
    scaling = fitted.design.scaling
    unit = np.ones(k) if scaling is None else scaling.y_sd
    return values / np.outer(unit, unit)


def t_degrees(fitted: Fitted, numbers: list[int], use_t: bool | None = None, kind: str | None = None) -> float:
    """Degrees of freedom of the reference distribution of an estimate over its standard error; inf for the normal one.

    Student's t on n - df where the dispersion is estimated, unless told; NaN where no degrees of freedom are left. With a
    covariance of the kind "cluster", or by a bootstrap of clusters, on clusters - 1, whatever the family, unless told.
    """
    if kind == "cluster" or (kind == "bootstrap" and fitted.design.groups is not None):
        return np.inf if use_t is False else float(fitted.design.n_groups - 1)
    if not (fitted.dispersed if use_t is None else use_t):
        return np.inf
    rest = degrees(fitted, numbers)
    return np.nan if without_df(fitted, rest) else rest
