"""Likelihood of distributions with several parameters: of a fit, of constants alone; information and moments.

Their losses are minus log-likelihoods, but of quantiles and expectiles, which have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..families import Distributional, Expectile, Quantile
from ..families.beginning import answered
from ..fitted import Fitted, kept
from ..network import derivatives
from ..training.outputs import weighted_losses

UNLIKELY = (Quantile, Expectile)  # families whose loss is no minus log-likelihood
TOLERANCE = 1e-9  # largest mean score of constants


def is_several(fitted: Fitted) -> bool:
    """Whether several outputs describe a response."""
    return fitted.network.objective.several


def likely(fitted: Fitted) -> Distributional:
    """The distribution.

    Raises
    ------
    ArgumentError
        Where its loss is no likelihood.
    """
    family = fitted.distribution
    if isinstance(family, UNLIKELY):
        raise ArgumentError(f"family={family.name!r} minimises a loss that is no likelihood: there is none.")
    return family


def loglike(fitted: Fitted, b: int) -> float:
    """Log-likelihood of repetition b (from 0), which case weights multiply."""
    likely(fitted)
    return -fitted.total(weighted_losses, b)


def mixture_loglike(fitted: Fitted, numbers: list[int]) -> float:
    """Log-likelihood of the mixture, in equal shares, of the distributions of some repetitions."""
    return fitted.total(_mixture, numbers)


def _mixture(fitted: Fitted, numbers: list[int]) -> float:
    return float(mixture_losses(fitted, numbers) @ fitted.case_weights)


def mixture_losses(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    """(n,) log-likelihoods of rows, without case weights, of the mixture in equal shares."""
    from scipy.special import logsumexp

    likely(fitted)
    each = np.stack([-fitted.observed_losses(b) for b in numbers])
    return logsumexp(each, axis=0) - np.log(len(numbers))


def _known(fitted: Fitted) -> np.ndarray:
    """(K, n) known parts of the linear predictors, units of the response; 0 but for the first parameters."""
    out, offset, scaling = np.zeros((fitted.network.n_outputs, fitted.n_rows)), fitted.design.offset, fitted.design.scaling
    if offset is not None:
        out[: len(offset)] = offset if scaling is None else offset * scaling.y_sd[: len(offset), np.newaxis]
    return out


@kept
def constants(fitted: Fitted) -> np.ndarray:
    """(K,) linear predictors, units of the response, of the model without covariates (with the offset), by likelihood."""
    from scipy.optimize import minimize

    family = fitted.distribution
    if fitted.design.away:
        begin = answered(family.beginning(), lambda *asked: fitted.total(_of_responses, *asked))
    else:
        begin = family.start(fitted.responses, fitted.case_weights)
    total = fitted.total(_weight)
    held = np.array([role in family.held for role in family.roles])
    held[0] |= family.floating
    if held.all():
        return begin

    def mean_loss(free: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slopes = fitted.total(_at_constants, _filled(begin, held, free))
        value = loss / total
        return (value if np.isfinite(value) else np.inf), slopes[~held] / total

    with np.errstate(all="ignore"):
        found = minimize(mean_loss, begin[~held], jac=True, method="BFGS", options={"gtol": TOLERANCE})
    return _filled(begin, held, found.x)


def _of_responses(fitted: Fitted, function: Any, *arguments: Any) -> np.ndarray:
    return np.asarray(function(fitted.responses, fitted.case_weights, *arguments))


def _weight(fitted: Fitted) -> float:
    return float(fitted.case_weights.sum())


def _at_constants(fitted: Fitted, eta: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss, and its slopes (K,), of constant linear predictors (K,), units of the response."""
    y, w = fitted.responses, fitted.case_weights
    whole = np.broadcast_to(eta[:, np.newaxis] + _known(fitted), (eta.size, y.shape[1]))
    losses, slopes = derivatives.predictor_losses(fitted.network, whole, y, w)
    return float(losses @ w), slopes @ w


def _filled(begin: np.ndarray, held: np.ndarray, free: np.ndarray) -> np.ndarray:
    out = begin.copy()
    out[~held] = free
    return out


@kept
def null_loss(fitted: Fitted) -> float:
    """Loss of the model without covariates, units of the response."""
    return fitted.total(_at_constants, constants(fitted))[0]


def explained(fitted: Fitted) -> np.ndarray:
    """(B,) share of what constants leave unexplained: Cox and Snell's R^2, negative where constants do better.

    Of quantiles and expectiles the share of the null loss.
    """
    null, n = null_loss(fitted), fitted.total(_weight)
    own = np.array([fitted.total(weighted_losses, b) for b in range(fitted.nrep)])
    with np.errstate(all="ignore"):
        return 1 - (own / null if isinstance(fitted.distribution, UNLIKELY) else np.exp(2 * (own - null) / n))


def moments(fitted: Fitted, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (n,) of the (mixture of the) distributions of some repetitions at the rows of the fit."""
    par, family = fitted.parameters(fitted.fitted_raw(numbers)), fitted.distribution
    means = np.stack([family.mean(p) for p in par])
    variances = np.stack([family.variance(p) for p in par])
    mean = means.mean(axis=0)
    return mean, variances.mean(axis=0) + np.square(means - mean).mean(axis=0)


def pearson(fitted: Fitted, numbers: list[int], weights: np.ndarray) -> np.ndarray:
    """(1, n) residuals (y - mean) / sd, times the root of the weights; (L, n) of several responses."""
    likely(fitted)
    mean, variance = moments(fitted, numbers)
    y = numbers_of(fitted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.atleast_2d((y - mean) / np.sqrt(variance) * np.sqrt(weights))


def numbers_of(fitted: Fitted) -> np.ndarray:
    """(n,) response as a number: of an ordered factor that of its category, from 0; (L, n) of several responses."""
    y = fitted.observed
    if is_several(fitted) and fitted.distribution.joint:
        return y
    return y.argmax(axis=0).astype(float) if len(y) > 1 else y[0]
