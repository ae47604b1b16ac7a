"""Means that several repetitions say together at some rows, and how far their random starts move these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import Choice
from ..errors import ArgumentError
from ..fitted import Fitted
from ..likelihood.evidence import evidence_weights
from ..likelihood.predictors import COMBINE, combined
from ..network import blocks
from . import scales


@dataclass(frozen=True)
class Together:
    """Where is predicted, complete rows: covariates and offset in internal units, weights, means by the fit."""

    numbers: list[int]
    x: np.ndarray
    offset: np.ndarray | None
    weights: np.ndarray
    mean: np.ndarray  # (K, m)
    between: np.ndarray  # (K, m), variance by the random starts
    eta: np.ndarray | None  # (K, m), link of the means, where it is known better than from these
    combine: str
    pooled: np.ndarray | None = None  # (K, m), mean linear predictors, where means are those at them
    share: np.ndarray | None = None  # (R,) of the repetitions, where not equal


def together(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, weights: np.ndarray, combine: str
) -> Together:
    """The mean of the repetitions' means, or the mean at their mean linear predictors; see `predictors.combined`.

    With "evidence" the repetitions' means count in proportion to their marginal likelihoods.

    Raises
    ------
    ArgumentError
        For "mean" where the error is not of linear predictors.
    """
    objective = fitted.network.objective
    if combine == "mean" and len(numbers) > 1 and not objective.of_predictor and objective.output.name != "identity":
        raise ArgumentError("combine='mean' averages linear predictors, and err_fct is of output activations: give family=.")
    share = evidence_weights(fitted, numbers) if combine == "evidence" and len(numbers) > 1 else None
    m = x.shape[1]
    out: list[np.ndarray | None] = []
    for part in blocks.of_rows(m):
        known = None if offset is None else np.ascontiguousarray(offset[:, part])
        found = _together(fitted, fitted.raw(np.ascontiguousarray(x[:, part]), known, numbers), combine, share)
        if part.stop - part.start == m:
            out = list(found)
            break
        if not out:
            out = [None if values is None else np.empty((len(values), m)) for values in found]
        for whole, values in zip(out, found, strict=True):
            if whole is not None:
                whole[:, part] = values
    mean, between, eta, pooled = out
    assert mean is not None
    between = np.broadcast_to(0.0, mean.shape) if between is None else between
    return Together(numbers, x, offset, weights, mean, between, eta, combine, pooled, share)


Four = tuple[np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray | None]


def _together(fitted: Fitted, raw: np.ndarray, combine: str, share: np.ndarray | None) -> Four:
    """Mean, variance by the starts (None: of one repetition), link of the mean, and pooled predictors, (K, m) each."""
    if share is not None:
        values = fitted.response(raw)
        mean = np.einsum("r,rkm->km", share, values)
        return mean, between_starts(values, share), scales.predictors(fitted, raw, share), None
    if combine != "mean" or len(raw) == 1:
        values = fitted.response(raw)  # (R, K, m)
        between = None if len(raw) == 1 else between_starts(values)
        return values.mean(axis=0), between, scales.predictors(fitted, raw), None
    objective, scaling = fitted.network.objective, fitted.design.scaling
    pooled = combined(fitted, raw, combine)
    apart = raw - pooled
    if objective.of_predictor:  # how far the mean moves with each repetition's predictors
        apart = np.stack([objective.output_slopes(pooled[0], d[:, np.newaxis])[:, 0] for d in apart])
    between = np.square(apart).sum(axis=0) / (len(raw) - 1) / len(raw)
    if scaling is not None:
        between = between * np.square(scaling.y_sd[: len(between), np.newaxis])
    return fitted.response(pooled)[0], between, scales.predictors(fitted, pooled), pooled[0]


def between_starts(values: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
    """Variance (K, m) of a mean of predictions (R, K, m), in shares (R,) or equal ones, by the repetitions' random starts."""
    r = values.shape[0]
    if share is not None:
        squares = float(share @ share)  # 1 / R where they are equal, 1 where one repetition is all
        apart = np.einsum("r,rkm->km", share, (values - np.einsum("r,rkm->km", share, values)) ** 2)
        return apart * squares / (1 - squares) if squares < 1 else np.zeros(values.shape[1:])
    return np.zeros(values.shape[1:]) if r == 1 else values.var(axis=0, ddof=1) / r


def combine_of(method: str, options: dict[str, Any]) -> str:
    """What several repetitions give together; taken out of the options."""
    given = options.pop("combine", "mixture")
    if method != "bayes":
        return COMBINE.check(given, "combine")
    return Choice("mixture", "evidence").check(given, "combine")
