"""Losses: how far predicted means are from responses, per observation.

A loss takes the responses (K, m), the means (K, m) and the `Target`, and returns (m,) numbers; the mean over
observations, with case weights, is the error. Squared and absolute error and deviance of several outputs are divided by the
number of outputs (a multinomial observation counts once). A user's function takes responses and predictions, a row per
observation. Only concordance is of pairs (`PairLoss`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import FUNCTION, NONE, Choice, Kind
from ..checks.values import attribute, real_array, told
from ..errors import ArgumentError
from ..families.family import deviance_of_means
from ..likelihood.lifetimes import of_response
from ..training.metrics import absolute_errors, brier_scores, hits, log_losses, squared_errors
from .concordance import of_rows, pairs


@dataclass(frozen=True)
class Target:
    """What a loss must know of a response: its family, its name, and whether the outputs are classes."""

    family: Any
    response: str
    classes: bool
    default: str
    scored: str = ""  # the score that refits give in the place of means


def _mse(y: np.ndarray, mu: np.ndarray, target: Target) -> np.ndarray:
    return squared_errors(y, mu)


def _mae(y: np.ndarray, mu: np.ndarray, target: Target) -> np.ndarray:
    return absolute_errors(y, mu)


def _deviance(y: np.ndarray, mu: np.ndarray, target: Target) -> np.ndarray:
    if target.family is None:
        raise ArgumentError(
            "loss='deviance' needs a family: fit with family=, or err_fct='sse' or 'ce'; or use loss='mse'."
        )
    values = deviance_of_means(target.family, y, mu)
    return values.sum(axis=0) if target.family.name == "multinomial" else values.mean(axis=0)


def _of_classes(losses: Callable[[np.ndarray, np.ndarray], np.ndarray], loss: str) -> Callable[..., np.ndarray]:
    """A loss of class indicators and probabilities, which needs classes."""

    def function(y: np.ndarray, mu: np.ndarray, target: Target) -> np.ndarray:
        if not target.classes:
            raise ArgumentError(f"loss={loss!r} needs a factor or 0/1 response; {target.response!r} is neither.")
        return losses(y, mu)

    return function


def _misses(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    return (~hits(y, mu)).astype(float)


#: name -> (observed, means, target) -> (m,)
LOSSES: dict[str, Callable[[np.ndarray, np.ndarray, Target], np.ndarray]] = {
    "deviance": _deviance,
    "mse": _mse,
    "mae": _mae,
    "log_loss": _of_classes(log_losses, "log_loss"),
    "brier": _of_classes(brier_scores, "brier"),
    "misclassification": _of_classes(_misses, "misclassification"),
}

#: other names of losses
ALIASES = {"log": "log_loss", "Brier": "brier"}
#: scores of fitted distributions, see `scores` and `refit_scores`; "brier" of times to an event is one, too
SCORES = ("log_score", "crps", "pinball", "interval", "concordance")
#: methods that take losses of pairs of rows
PAIRS = ("cv", "holdout")


class IntervalLoss(Kind):
    """The interval score with a level, as in "interval:0.8"."""

    words = "'interval:level' with a level in (0, 1)"
    examples = ("interval:0.8",)

    def check(self, value: Any, name: str) -> str:
        """The string."""
        if not isinstance(value, str) or not str.startswith(value, "interval:"):
            raise self.refuse(value, name)
        interval_level(str.__str__(value))
        return str.__str__(value)


LOSS = NONE | Choice(*LOSSES, *ALIASES, *SCORES) | IntervalLoss() | FUNCTION


def interval_level(loss: str) -> float | None:
    """The level of the interval score by its name; None where it says none.

    Raises
    ------
    ArgumentError
        Where it is no number in (0, 1).
    """
    text = loss.partition(":")[2]
    if loss == "interval":
        return None
    try:
        level = float(text)
    except ValueError:
        level = np.nan
    if not 0 < level < 1:
        raise ArgumentError(f"loss: the level in {shown(loss)} must be a number in (0, 1), as in 'interval:0.8'.")
    return level


def refuse_censored(loss: Any, y: np.ndarray, response: str, hazards: bool) -> None:
    """Raise an ArgumentError where a loss of means, by name, would take censored times (2 or 3, n) for known ones.

    Or where predictions are relative hazards, which are no times.
    """
    if hazards and isinstance(loss, str) and loss != "deviance":
        raise ArgumentError(f"loss={loss!r} is of predicted times, and those of {response!r} are relative hazards: there are "
                            "'brier' and 'concordance'.")  # fmt: skip
    if isinstance(loss, str) and loss != "deviance" and not np.array_equal(y[0], y[1]):
        raise ArgumentError(f"loss={loss!r} takes all times of {response!r} for known, but some are censored: there are "
                            "'log_score', 'brier' and 'concordance'.")  # fmt: skip


def is_score(loss: Any) -> bool:
    """Whether a loss is a score of fitted distributions."""
    return isinstance(loss, str) and loss.partition(":")[0] in SCORES


class PairLoss:
    """1 - concordance: a loss of pairs of rows, which has no values of single rows to be averaged."""

    notes = ("1 - concordance: the share of comparable pairs of test rows that are predicted in the wrong order; folds count "
             "as many pairs as they have",)  # fmt: skip

    def __init__(self, response: str) -> None:
        self.response = response

    def __call__(self, y: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Not here: `counted` says what pairs there are."""
        raise ArgumentError(f"loss='concordance' is of pairs of rows, for method {', '.join(map(repr, PAIRS))}.")

    def counted(self, y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) shares of rows' pairs that are out of order, and the weight of these pairs."""
        found = pairs(of_response(y, w, self.response), mu[0]).losses
        if not found[1].sum() > 0:
            raise ArgumentError(
                "loss='concordance': the test rows of a split have no two that can be compared (the earlier time an event, "
                "the other row at risk then); use fewer folds, or larger test parts."
            )
        return found

    def se(self, y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> float:
        """Standard error of 1 - concordance."""
        return of_rows(of_response(y, w, self.response), mu[0]).se


Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


def counted(function: Function, y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses (m,) and what each of them counts, of responses and predictions (K, m) with case weights (m,)."""
    return function.counted(y, mu, w) if isinstance(function, PairLoss) else (function(y, mu), w)


def called(loss: Any) -> Any:
    """A loss by the name that it has here; functions and None as they are."""
    return ALIASES.get(loss, loss) if isinstance(loss, str) else loss


def pick(loss: Any, target: Target) -> tuple[str, Function]:
    """Name of the loss and the loss itself; the target's default where `loss` is None.

    Raises
    ------
    ArgumentError
        Where there is no such loss.
    """
    if loss is not None and not isinstance(loss, str | type) and callable(loss):
        own = attribute(loss, "__name__")
        title = own if isinstance(own, str) else type(loss).__name__
        return title, lambda y, mu: _given(loss, title, y, mu)
    name = called(target.default if loss is None else loss)
    if isinstance(name, str) and target.scored and name == target.scored:
        return name, PairLoss(target.response) if name == "concordance" else lambda y, mu: mu[0]
    if not isinstance(name, str) or name not in LOSSES:
        known = ", ".join(map(repr, (*LOSSES, *ALIASES)))
        raise ArgumentError(f"loss must be one of {known}, or a function of responses and predictions; got {shown(loss)}.")
    return name, lambda y, mu: LOSSES[name](y, mu, target)


def _given(loss: Any, title: str, y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """A user's losses (m,) of responses and predictions, (m,) each, of several outputs (m, K)."""
    pair = (y[0], mu[0]) if y.shape[0] == 1 else (y.T, mu.T)
    try:
        found = loss(*(part.copy() for part in pair))
    except Exception as error:
        raise ArgumentError(f"loss: {title}(y, prediction) raised {told(error)}"[:300]) from error
    values = real_array(found, "loss")
    if values is None or values.shape != (y.shape[1],) or not np.isfinite(values).all():
        raise ArgumentError(
            f"loss: {title}(y, prediction) must return finite numbers, one per observation ({y.shape[1]} here, not their "
            f"mean); got {shown(found)}."
        )
    return values


def no_information(
    y: np.ndarray, mu: np.ndarray, w: np.ndarray, loss: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> float:
    """Error gamma if responses and covariates were independent: the mean over all pairs (i, j) of Q(y_i, f(x_j))."""
    total = 0.0
    for i in range(y.shape[1]):
        if w[i] > 0:
            total += w[i] * float(loss(np.repeat(y[:, [i]], mu.shape[1], axis=1), mu) @ w)
    return total / w.sum() ** 2
