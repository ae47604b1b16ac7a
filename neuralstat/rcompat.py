"""R's own arithmetic where it differs from ours, for ``compat="R"`` (see docs/parity.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .inference import derivatives

if TYPE_CHECKING:
    from .results import NeuralNetResults


def r_error(results: NeuralNetResults, b: int) -> float:
    """The error as R sums it: terms that are NaN are left out where all outputs lie in [0, 1] (Q04, Q21)."""
    goal = results.network.objective
    if goal.name not in ("ce", "ce_r", "ce_logit"):
        return float(results.fit.loss[b])
    design = results.design
    raw = derivatives.outputs(results.network, design.x, results.fit.theta[b].astype(float), design.offset)[0]
    o = goal.response(raw)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = -(design.y * np.log(o) + (1 - design.y) * np.log(1 - o))
    if design.weights is not None:
        terms = terms * design.weights
    if np.all((o >= 0) & (o <= 1)):
        terms = terms[~np.isnan(terms)]
    return float(np.sum(terms))


def r_generalized_weights(d: np.ndarray, o: np.ndarray) -> np.ndarray:
    """(d output / d covariate) / (output (1 - output)), shape (K, D, n), for whatever outputs (Q12)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return d / (o * (1 - o))[:, np.newaxis, :]
