"""Losses: how far predicted means are from responses, per observation.

A loss takes the responses (K, m), the means (K, m) and the `Target`, and returns (m,) numbers; the mean over
observations, with case weights, is the error. Squared and absolute error and deviance of several outputs are divided by the
number of outputs (a multinomial observation counts once). A user's function takes responses and predictions, a row per
observation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import FUNCTION, NONE, Choice
from ..checks.values import attribute, real_array, told
from ..errors import ArgumentError
from ..families.family import deviance_of_means
from ..training.metrics import absolute_errors, brier_scores, hits, log_losses, squared_errors


@dataclass(frozen=True)
class Target:
    """What a loss must know of a response: its family, its name, and whether the outputs are classes."""

    family: Any
    response: str
    classes: bool
    default: str
    scored: bool = False  # whether refits give scores of rows in the place of means


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
#: scores of fitted distributions, see `scores`
SCORES = ("log_score", "crps", "pinball")
LOSS = NONE | Choice(*LOSSES, *ALIASES, *SCORES) | FUNCTION


def called(loss: Any) -> Any:
    """A loss by the name that it has here; functions and None as they are."""
    return ALIASES.get(loss, loss) if isinstance(loss, str) else loss


def pick(loss: Any, target: Target) -> tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
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
    if isinstance(name, str) and name in SCORES and target.scored:
        return name, lambda y, mu: mu[0]
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
