"""How well a fit predicts times to an event, at its own or at other rows: concordance and Brier score.

All that is asked of a fit is the probability of its rows to live longer than given times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import NONE, POSITIVE, REP_OR_MEAN, Anything, Numbers, arguments
from ..errors import ArgumentError, DataError
from ..fitted import Fitted, fitted_of
from ..likelihood import lifetimes
from ..likelihood.lifetimes import Lifetimes
from ..likelihood.mixture import survival_at
from ..network.blas import on_one_thread
from ..training.validation import encode
from . import brier, concordance
from .brier import BrierScore
from .concordance import Concordance
from .refit_scores import restricted_mean

FROM_0 = "from 0 on: Surv(time, event), not Surv(start, stop, event)."
DATA = Anything("None, a table, or (endog, exog)", None)


@dataclass(frozen=True)
class Observed:
    """Rows with their times: covariates (D, m) and offset in internal units."""

    fitted: Fitted
    rows: Lifetimes
    x: np.ndarray
    offset: np.ndarray | None
    numbers: list[int]

    def survival(self, times: np.ndarray) -> np.ndarray:
        """(T, m) probabilities to live longer than times."""
        return survival_at(self.fitted, self.x, self.offset, self.numbers, times)

    def restricted_mean(self, tau: float) -> np.ndarray:
        """(m,) mean times, restricted to tau."""
        return restricted_mean(self.fitted, self.x, self.offset, self.numbers, tau)


def observed(fitted: Fitted, data: Any = None, rep: Any = "mean") -> Observed:
    """Rows of positive weight, of the fit or of other data with the response.

    Raises
    ------
    ArgumentError, DataError
        Where the response is no time to an event, or known to lie in an interval only; where columns do not fit.
    """
    rows = lifetimes.of_fit(fitted)
    numbers, design = fitted.numbers(rep), fitted.design
    x, offset = design.x, design.offset
    if data is not None:
        try:
            given = encode(design, data, fitted.settings)
        except (ArgumentError, DataError) as error:
            raise type(error)(f"data: {str(error).removeprefix('validation').lstrip(': ')}") from error
        other = given.data
        x, offset = given.inputs.T.astype(float), None if other.offset.size == 0 else other.offset.astype(float)
        y, weight = other.y[0].astype(float), other.weight[0].astype(float)
        rows = lifetimes.of_response(y, weight if weight.size else np.ones(y.shape[1]), design.response)
    used = rows.weight > 0
    x, offset = np.ascontiguousarray(x[:, used]), None if offset is None else np.ascontiguousarray(offset[:, used])
    return Observed(fitted, rows.at(used), x, offset, numbers)


@on_one_thread
@arguments(data=DATA, kind=concordance.KIND, tau=NONE | POSITIVE, rep=REP_OR_MEAN)
def concordance_of(
    fit: Any, data: Any = None, *, kind: str = "harrell", tau: float | None = None, rep: Any = "mean"
) -> Concordance:
    """Concordance of a fit's predicted times with the observed ones; see `NeuralNetResults.concordance`."""
    fitted = fitted_of(fit)
    found = observed(fitted, data, rep)
    if kind == "uno" and found.rows.late:
        raise ArgumentError(f"kind='uno' is of rows that were looked at {FROM_0}")
    score = found.restricted_mean(_last(fitted))
    return concordance.of_rows(found.rows, score, kind, tau)


@on_one_thread
@arguments(times=NONE | Numbers(None), data=DATA, rep=REP_OR_MEAN)
def brier_score_of(fit: Any, times: Any = None, data: Any = None, *, rep: Any = "mean") -> BrierScore:
    """Brier score of a fit's survival probabilities; see `NeuralNetResults.brier_score`."""
    fitted = fitted_of(fit)
    at = brier.check_times(times)
    found = observed(fitted, data, rep)
    own = lifetimes.of_fit(fitted)
    if found.rows.late or own.late:
        raise ArgumentError(f"the Brier score needs rows that were looked at {FROM_0}")
    return brier.of_rows(found.rows, found.survival, at, own.at(own.weight > 0))


def mean_loss(
    fitted: Fitted, loss: Any, y: np.ndarray, w: np.ndarray, numbers: list[int]
) -> tuple[str, Callable[[np.ndarray, np.ndarray | None], float]]:
    """Name and function of covariates (D, m) and offset: 1 - concordance (the default) or "brier" with responses (K, m).

    Raises
    ------
    ArgumentError, DataError
        For other losses, and responses that are known to lie in an interval only.
    """
    own, used = lifetimes.of_fit(fitted), w > 0
    rows = lifetimes.of_response(y, w, fitted.design.response).at(used)
    own = own.at(own.weight > 0)
    if loss not in (None, "concordance", "brier"):
        raise ArgumentError(f"loss must be 'concordance' or 'brier' for times to an event, or a loss of means where all are "
                            f"known; got {loss!r}.")  # fmt: skip
    if loss == "brier" and (rows.late or own.late):
        raise ArgumentError(f"loss='brier' needs rows that were looked at {FROM_0}")
    left = lifetimes.censoring(own) if loss == "brier" else None

    def error(x: np.ndarray, offset: np.ndarray | None) -> float:
        x, offset = np.ascontiguousarray(x[:, used]), None if offset is None else np.ascontiguousarray(offset[:, used])
        if left is None:
            return 1 - float(concordance.of_rows(rows, restricted_mean(fitted, x, offset, numbers, own.last)))
        each = brier.integrated(rows, lambda t: survival_at(fitted, x, offset, numbers, t), rows.last, left)
        return float(each @ rows.weight / rows.weight.sum())

    return "brier" if loss == "brier" else "concordance", error


def _last(fitted: Fitted) -> float:
    """The last event of the fit's rows."""
    rows = lifetimes.of_fit(fitted)
    return rows.at(rows.weight > 0).last
