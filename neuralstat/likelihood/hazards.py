"""Hazards of fits to times: Breslow's baseline of Cox's model, martingale residuals."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..families import Cox, Survival
from ..families.cox import StepFunction
from ..fitted import Fitted, kept


@kept
def baseline(fitted: Fitted, numbers: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Times of events and the cumulative baseline hazard at them, of repetitions (from 0) of Cox's model.

    Of several repetitions at the mean of their linear predictors. The baseline is that of a linear predictor of 0, the mean
    over the rows of the fit.
    """
    family = fitted.distribution
    assert isinstance(family, Cox)
    eta = np.mean([_predictors(fitted, b) for b in numbers], axis=0)
    return family.baseline(eta, fitted.design.y, fitted.case_weights)


def _predictors(fitted: Fitted, b: int) -> np.ndarray:
    return fitted.original_predictors(fitted.fitted_raw([b]))[0, 0]


def times_of(fitted: Fitted, numbers: tuple[int, ...], relative: np.ndarray) -> StepFunction:
    """Distributions of times with these relative hazards (m,)."""
    return StepFunction(*baseline(fitted, numbers), relative)


def martingale(fitted: Fitted, b: int) -> np.ndarray:
    """(n,) martingale residuals of repetition b, events less those expected (Therneau et al. 1990, Biometrika 77:147).

    Raises
    ------
    ArgumentError
        Where the family is none of times, or times are censored to intervals.
    """
    family, y = fitted.family, fitted.responses
    if not isinstance(family, Survival):
        raise ArgumentError("martingale residuals are of times to an event: Surv(time, event) and a survival family.")
    if isinstance(family, Cox):
        return family.martingale(_predictors(fitted, b), fitted.design.y, fitted.case_weights)
    if np.any((y[0] <= 0) | ((y[1] > 0) & (y[1] != y[0]))):
        raise ArgumentError("martingale residuals need times that were observed or right censored; some lie in intervals.")
    par = fitted.parameters(fitted.fitted_raw([b]))[0]
    with np.errstate(divide="ignore"):
        lived = -np.log(family.sf(par, y[0]))
        if len(y) > 2:
            lived = lived + np.where(y[2] > 0, np.log(family.sf(par, np.maximum(y[2], 1e-300))), 0.0)
    return (y[1] > 0) - lived


def deviance_residuals(fitted: Fitted, b: int) -> np.ndarray:
    """(n,) martingale residuals made symmetric: sign(M) sqrt(-2 (M + d log(d - M))), d 1 for events."""
    m, d = martingale(fitted, b), fitted.responses[1] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(d, np.log(d - m), 0.0)
    return np.sign(m) * np.sqrt(np.maximum(-2 * (m + logs), 0.0))
