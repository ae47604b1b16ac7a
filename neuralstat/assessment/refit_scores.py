"""Scores that look at a refit as a whole: its quantiles, its dispersion, the censoring of the rows that it was trained on.

"interval" is the interval score of Gneiting & Raftery (2007), JASA 102:359, section 6.2: the width of the central interval,
and 2 / alpha times the distance by which the response lies outside. "brier" is `brier`'s, integrated over time, row by row,
with the censoring distribution of the training rows. "concordance" is of pairs of test rows: refits give predictions,
restricted mean times, and the loss counts pairs (`losses.PairLoss`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError, DataError
from ..families import Expectile, Multinomial, Quantile
from ..fitted import Fitted
from ..likelihood import lifetimes
from ..likelihood.mixture import components_at, survival_at
from . import brier
from .losses import PAIRS, Target, interval_level
from .procedure import NetworkProcedure, target_of

if TYPE_CHECKING:
    from ..formula.subset import Part
    from ..training.fit import Fit

SCORES_OF_REFITS = ("interval", "brier", "concordance")


class RefitScores(NetworkProcedure):
    """A procedure whose refits give scores (1, n) of the observed responses, or predictions that pairs are made of.

    ``score`` is "interval" (or "interval:level"), "brier" or "concordance".
    """

    score: str

    @cached_property
    def target(self) -> Target:
        """With the score that is given."""
        return replace(target_of(self.fitted), scored=self.score)

    @cached_property
    def rows(self) -> lifetimes.Lifetimes:
        """Times of all rows."""
        return lifetimes.of_response(self.y, self.weights, self.design.response)

    @cached_property
    def tau(self) -> float:
        """The last event of all rows, up to which scores and means over time are taken."""
        return self.rows.at(self.weights > 0).last

    @property
    def apparent(self) -> np.ndarray:
        """(1, n) scores of the fit to all rows."""
        return self._scores(self.fitted, self.design.x, self.design.offset, self.fitted.numbers(self.rep))

    def predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        """(1, m) scores of the rows of a part, by the t-th refit.

        Raises
        ------
        DataError
            Where they are not finite: the refit diverged.
        """
        own = Fitted(replace(self.procedure, design=part.design), fit)
        numbers = [own.best] if self.rep == "best" else np.flatnonzero(fit.finished).tolist() or list(range(own.nrep))
        with np.errstate(all="ignore"):
            found = self._scores(own, part.x, part.offset, numbers)
        if not np.isfinite(found).all():
            raise DataError(f"risk: refit {t + 1} diverged; train with a penalty or smaller steps.")
        return found

    def _scores(self, own: Fitted, x: np.ndarray, offset: np.ndarray | None, numbers: list[int]) -> np.ndarray:
        if self.score == "concordance":
            return restricted_mean(own, x, offset, numbers, self.tau)[np.newaxis]
        if self.score == "brier":
            rows = lifetimes.of_fit(own)
            left = lifetimes.censoring(rows.at(rows.weight > 0))
            found = brier.integrated(self.rows, lambda t: survival_at(own, x, offset, numbers, t), self.tau, left)
            return found[np.newaxis]
        return self._interval(own, x, offset, numbers)[np.newaxis]

    def _interval(self, own: Fitted, x: np.ndarray, offset: np.ndarray | None, numbers: list[int]) -> np.ndarray:
        """(m,) interval scores of the mixture's central interval."""
        tail = tail_of(own, self.score)
        x, offset = np.ascontiguousarray(x), None if offset is None else np.ascontiguousarray(offset)
        weights, often = self.design.weights, self.design.frequencies
        if weights is not None and often is not None:  # of one of the observations that a row stands for
            weights = weights / np.where(often > 0, often, 1.0)
        found = components_at(own, x, offset, numbers, weights)
        low, high = (found.quantiles(np.full(x.shape[1], q)) for q in (tail, 1 - tail))
        y = self.y.argmax(axis=0).astype(float) if self.design.classes is not None and len(self.y) > 1 else self.y[0]
        return high - low + (np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)) / tail


def restricted_mean(
    fitted: Fitted, x: np.ndarray, offset: np.ndarray | None, numbers: list[int], tau: float
) -> np.ndarray:
    """(m,) mean times, restricted to tau: integrals of the survival from 0 to tau, by midpoints."""
    middle = tau * (np.arange(brier.CELLS) + 0.5) / brier.CELLS
    return survival_at(fitted, x, offset, numbers, middle).mean(axis=0) * tau


def tail_of(fitted: Fitted, score: str) -> float:
    """The level of the lower end of the interval that is scored; of fitted quantiles the outermost ones', unless told.

    Raises
    ------
    ArgumentError
        Where the family has no such quantiles.
    """
    family, level = fitted.likely, interval_level(score)
    if not isinstance(family, Quantile):
        return (1 - (0.9 if level is None else level)) / 2
    low, high = family.q[0], family.q[-1]
    if level is None:
        if not np.isclose(low, 1 - high):
            raise ArgumentError(f"loss='interval': the outermost quantiles that were fitted, {low:g} and {high:g}, are not "
                                "the ends of a central interval; say its level, as in 'interval:0.8'.")  # fmt: skip
        return low
    tail = (1 - level) / 2
    if tail < low - 1e-12 or 1 - tail > high + 1e-12:
        raise ArgumentError(f"loss={score!r}: the quantiles at {tail:g} and {1 - tail:g} are beyond those that were fitted, "
                            f"{low:g} to {high:g}.")  # fmt: skip
    return float(np.clip(tail, low, high))


def scored_by_refits(procedure: NetworkProcedure, score: str, method: str, methods: tuple[str, ...]) -> RefitScores:
    """The procedure with a score.

    Raises
    ------
    ArgumentError, DataError
        Where method, family or responses have none.
    """
    allowed = PAIRS if score == "concordance" else methods
    if method not in allowed:
        what = "a number for a whole test part, not for single rows," if score == "concordance" else "a score of single rows,"
        raise ArgumentError(f"loss={score!r} is {what} for method {', '.join(map(repr, allowed))}; got method={method!r}.")
    made = RefitScores(procedure.source, procedure.rep, procedure.stack, None, procedure.start)
    made.procedure, made.score = procedure.procedure, score
    family = made.fitted.family
    if score in ("brier", "concordance"):
        rows = lifetimes.of_fit(made.fitted)  # which says what is wrong with other responses
        if score == "brier" and rows.late:
            raise ArgumentError("loss='brier' needs rows that were looked at from 0 on: Surv(time, event), not Surv(start, "
                                "stop, event); loss='concordance' and 'log_score' take these.")  # fmt: skip
        return made
    one = len(made.design.y_names) == 1 or made.network.objective.several
    if family is None or not one or isinstance(family, Multinomial | Expectile):
        raise ArgumentError(f"loss={score!r} needs a family with quantiles, of one response; "
                            f"{made.design.response!r} has none here.")  # fmt: skip
    if lifetimes.is_survival(family) and not np.array_equal(made.y[0], made.y[1]):
        raise ArgumentError(f"loss={score!r} needs times that are all known, and some are censored: use 'brier', 'log_score' "
                            "or 'concordance'.")  # fmt: skip
    tail_of(made.fitted, score)
    return made
