"""Linear predictors of repetitions and of their mean, which do not round as means near 0 and 1 do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..checks.arguments import Choice
from ..errors import ArgumentError
from ..families import Gaussian, Mixture
from ..fitted import Fitted

COMBINE = Choice("mixture", "mean")  # what several repetitions give together
WEIGHED = Choice("mixture", "mean", "evidence")  # the same, where their means alone are asked for


def combined(fitted: Fitted, raw: np.ndarray, combine: str) -> np.ndarray:
    """What kernels give (B', K, m), of several repetitions as one, (1, K, m), where `combine` is "mean".

    That is at the mean of their linear predictors, of all parameters where a distribution has several; "mixture" leaves the
    repetitions as they are, to be averaged as means and distributions.

    Raises
    ------
    ArgumentError
        Where linear predictors of repetitions have no common meaning, or are not known.
    """
    objective = fitted.network.objective
    if combine != "mean" or len(raw) == 1:
        return raw
    if isinstance(objective.family, Mixture):
        raise ArgumentError(
            "combine='mean': the components of a mixture have no order that all repetitions share, so that means of their "
            "parameters say nothing; combine='mixture' averages the distributions."
        )
    if objective.of_predictor or objective.output.name == "identity":
        return raw.mean(axis=0, keepdims=True)
    return objective.output.values(link(fitted, raw).mean(axis=0))[np.newaxis]


def predictors(fitted: Fitted, numbers: Sequence[int]) -> np.ndarray:
    """Linear predictors (K, n) of the family's link at the rows of the fit, units of the response.

    Of one repetition (from 0) its own, of several the link of their mean response.
    """
    raw = fitted.fitted_raw(numbers)
    if len(numbers) == 1:
        return fitted.predictors(raw)[0]
    if isinstance(fitted.family, Gaussian) or not fitted.network.objective.of_predictor:
        return fitted.likely.link(fitted.response(raw).mean(axis=0))
    return link_of_mean(fitted, raw)


def link(fitted: Fitted, raw: np.ndarray) -> np.ndarray:
    """Linear predictors (B', K, m) of the output activation, from what kernels give.

    Raises
    ------
    ArgumentError
        Where the output activation has no known inverse.
    """
    objective = fitted.network.objective
    if objective.several:
        return fitted.predictors(raw)
    if objective.of_predictor:
        return raw
    if objective.output.name == "identity":
        return fitted.response(raw)
    if objective.output.name == "logistic":
        with np.errstate(divide="ignore"):
            return np.log(raw) - np.log1p(-raw)
    if objective.output.name == "tanh":
        with np.errstate(divide="ignore"):
            return np.arctanh(raw)
    raise ArgumentError(
        f"type='link' needs an output activation with an inverse; {objective.output.name!r} has none known."
    )


def link_of_mean(fitted: Fitted, raw: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
    """Link (K, m) of the mean response of some repetitions, from what kernels give (B', K, m), in shares (B',) or equal ones.

    Of one repetition its linear predictor. Means of probabilities and of positive means are taken by logarithms, so that
    they do not round to 0 or 1 where the linear predictors are large. Of several classes log of the mean probabilities.

    Raises
    ------
    ArgumentError
        As `link`.
    """
    from scipy.special import log_softmax, logsumexp

    objective = fitted.network.objective
    single = link(fitted, raw)
    if len(raw) == 1:
        return single[0]
    name = objective.output.name
    w = np.full(len(raw), 1 / len(raw)) if share is None else share
    each = w[:, np.newaxis, np.newaxis]
    if objective.several:  # of the first parameter
        mean = np.average(fitted.parameters(raw)[:, :1], axis=0, weights=w)
        return np.average(single, axis=0, weights=w) if name == "identity" else fitted.distribution.link(mean)
    if name == "identity":
        return np.average(single, axis=0, weights=w)
    if name == "logistic" and objective.of_predictor:
        return logsumexp(-np.logaddexp(0, -raw), axis=0, b=each) - logsumexp(-np.logaddexp(0, raw), axis=0, b=each)
    if name == "softmax" and objective.of_predictor:
        return logsumexp(log_softmax(raw, axis=1), axis=0, b=each)
    if name == "log" and objective.of_predictor:
        return logsumexp(raw, axis=0, b=each)
    if objective.of_predictor:
        with np.errstate(divide="ignore"):
            return objective.output.link(np.average([objective.response(r) for r in raw], axis=0, weights=w))
    mean = np.average(raw, axis=0, weights=w)  # kernels give the output activation's values
    return link(fitted, mean[np.newaxis])[0]
