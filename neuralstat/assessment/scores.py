"""Scores of fitted distributions, observation by observation, in the place of means and losses.

A refit gives the score of its distribution at the observed response of every row, by which it is assessed on the rows that it
has not seen. Of several repetitions the distribution is their mixture. Smaller is better for all.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..families import Distributional, Expectile, Quantile
from ..families.components import of_parameters, pinball
from ..likelihood.lifetimes import is_survival
from ..network import derivatives
from ..network.scaling import output_units
from .losses import Target, is_score, refuse_censored
from .procedure import NetworkProcedure, target_of
from .refit_scores import SCORES_OF_REFITS, scored_by_refits

if TYPE_CHECKING:
    from ..formula.subset import Part
    from ..training.fit import Fit

#: methods of `risk` that look at rows one by one, and take scores
METHODS = ("cv", "holdout", "bootstrap", "632", "nested_cv")


class ScoredProcedure(NetworkProcedure):
    """A procedure whose refits give scores (1, n) of the observed responses.

    ``score`` is "log_score" (minus the log-density), "crps" (continuous ranked probability score) or "pinball" (mean pinball
    loss of the quantiles that were fitted).
    """

    score: str

    @cached_property
    def target(self) -> Target:
        """With the family checked."""
        return replace(target_of(self.fitted), scored=self.score)

    @property
    def apparent(self) -> np.ndarray:
        """(1, n) scores of the fit to all rows."""
        own, design = self.fitted, self.design
        raw = own.raw(design.x, design.offset, own.numbers(self.rep))
        return self._scores(own.original_predictors(raw))

    def predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        """(1, m) scores of the rows of a part, by the t-th refit."""
        raw = derivatives.outputs(self.network, np.ascontiguousarray(part.x), fit.theta.astype(float), part.offset)
        if part.design.scaling is not None:
            scale, shift = output_units(self.network, part.design.scaling)
            raw = raw * scale[:, np.newaxis] + shift[:, np.newaxis]
        good = np.flatnonzero(fit.finished) if fit.finished.any() else np.arange(len(raw))
        return self._scores(raw[[good[np.argmin(fit.ranking[good])]]] if self.rep == "best" else raw[good])

    def _scores(self, eta: np.ndarray) -> np.ndarray:
        """(1, m) of the mixture of distributions with linear predictors (R, K, m), units of the response."""
        from scipy.special import logsumexp

        family, y = self.network.objective.family, self.y
        if self.score == "log_score":
            each = np.stack([-derivatives.predictor_losses(self.network, e, y)[0] for e in eta])
            return -(logsumexp(each, axis=0) - np.log(len(each)))[np.newaxis]
        found = of_parameters(family, [family.natural(e) for e in eta])
        if self.score == "pinball":
            losses = [pinball(y[0], found.quantiles(np.full(y.shape[1], q)), q) for q in family.q]
            return np.mean(losses, axis=0)[np.newaxis]
        return found.crps(y.argmax(axis=0) if len(y) > 1 else y[0])[np.newaxis]


def prepared(procedure: Any, loss: Any, method: str) -> tuple[Any, Any]:
    """The procedure that gives what a loss takes, and the loss.

    Unless told it is of quantiles the pinball loss, of times to an event the logarithmic score: where only a partial
    likelihood is minimised the Brier score, and concordance where rows were looked at late.

    Raises
    ------
    ArgumentError
        Where the loss does not suit: one of means would take censored times for known ones.
    """
    timed = isinstance(procedure, NetworkProcedure) and is_survival(procedure.network.objective.family)
    if timed and loss is None:
        late = len(procedure.y) > 2 and bool(np.any(procedure.y[2] > 0))
        loss = "log_score" if not procedure.network.objective.coupled else "concordance" if late else "brier"
    levels = isinstance(procedure, NetworkProcedure) and isinstance(procedure.network.objective.family, Quantile)
    if levels and loss is None and method in METHODS:
        loss = "pinball"
    if is_score(loss) or (timed and isinstance(loss, str) and loss == "brier"):
        return scored(procedure, loss, method), loss
    if timed:
        refuse_censored(loss, procedure.y, procedure.design.response, procedure.network.objective.coupled)
    return procedure, loss


def scored(procedure: Any, score: str, method: str) -> NetworkProcedure:
    """The procedure with a score.

    Raises
    ------
    ArgumentError
        Where method or family have none.
    """
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError(f"loss={score!r} is of the distributions that networks of this package are fitted to.")
    if score.partition(":")[0] in SCORES_OF_REFITS:
        return scored_by_refits(procedure, score, method, METHODS)
    family = procedure.network.objective.family
    if method not in METHODS:
        raise ArgumentError(f"loss={score!r} is a score of single rows, for method {', '.join(map(repr, METHODS))}.")
    if procedure.network.objective.coupled:
        raise ArgumentError(f"loss={score!r} is of single rows, whose parts in the likelihood of the family {family.name!r} "
                            "depend on the other rows: there are 'brier' and 'concordance'.")  # fmt: skip
    if not isinstance(family, Distributional):
        raise ArgumentError(f"loss={score!r} needs a distribution whose parameters are outputs: fit with dispformula='~ 1'.")
    levels = isinstance(family, Quantile)
    if (score == "pinball") != levels or isinstance(family, Expectile) or (score == "crps" and is_survival(family)):
        known = "'log_score', 'brier' and 'concordance'" if is_survival(family) else "'log_score', 'crps' and 'interval'"
        known = "'pinball' and 'interval'" if levels else known
        raise ArgumentError(f"loss={score!r} is none of the family {family.name!r}, which has {known}.")
    made = ScoredProcedure(procedure.source, procedure.rep, procedure.stack, None, procedure.start)
    made.procedure, made.score = procedure.procedure, score
    return made
