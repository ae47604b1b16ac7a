"""Losses of a study, and their expectations over new responses, which are known since the truth is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.values import told
from ..errors import ArgumentError, NeuralStatError
from ..families.family import CLIP, deviance_of_means
from .noise import Noise

ZERO_ONE = ("log_loss", "brier", "misclassification")
NAMES = ("mse", "mae", "deviance", *ZERO_ONE)


@dataclass(frozen=True)
class Loss:
    """A loss under a noise.

    Attributes
    ----------
    name : str
    noise : Noise
    function : callable, optional
        A user's: of responses and means of one shape, giving losses of that shape.
    """

    name: str
    noise: Noise
    function: Callable[..., Any] | None = None

    @property
    def penalised(self) -> bool:
        """Whether degrees of freedom say how far the training error is off: squared error, or the family's deviance."""
        return self.name == ("mse" if self.noise.additive else "deviance")

    def each(self, y: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Losses of responses and means, which are broadcast."""
        if self.function is not None:
            y, mean = np.broadcast_arrays(y, mean)
            return self._own(y, mean)
        if self.name == "mse" or (self.name == "deviance" and self.noise.additive):
            return (y - mean) ** 2
        if self.name == "mae":
            return np.abs(y - mean)
        if self.name == "deviance":
            assert self.noise.family is not None
            with np.errstate(all="ignore"):
                return deviance_of_means(self.noise.family, y, mean)
        if self.name == "brier":
            return (y - mean) ** 2
        if self.name == "misclassification":
            return ((mean > 0.5) != (y > 0.5)).astype(float)
        p = np.clip(mean, CLIP, 1 - CLIP)
        return -(y * np.log(p) + (1 - y) * np.log1p(-p))

    def _own(self, y: np.ndarray, mean: np.ndarray) -> np.ndarray:
        try:
            function: Any = self.function
            values = np.asarray(function(y, mean), dtype=float)
        except NeuralStatError:
            raise
        except Exception as error:  # of a user's own function
            raise ArgumentError(f"loss: {self.name!r} raised {told(error)}"[:300]) from error
        if values.shape != y.shape:
            raise ArgumentError(f"loss: {self.name!r} must give losses of shape {y.shape}, got {values.shape}.")
        return values

    def level(self, mean: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Expected losses (n,) of the true means (n,) at covariates (n, D): what no fit is below on average."""
        if self._squared:
            return np.asarray(self.noise.variance(mean, x))
        y, weight = self.noise.nodes(mean, x)
        if self.name == "deviance" and getattr(self.noise, "kind", "") == "gamma":  # 2 (log k - digamma k), k = 1 / sd^2
            from scipy.special import digamma

            k = 1 / float(self.noise.sd) ** 2
            return np.full(mean.shape, 2 * (np.log(k) - digamma(k)))
        return np.sum(weight * self.each(y, mean), axis=0)

    def excess(self, truth: np.ndarray, mean: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Expected losses (..., n) of means (..., n) beyond those of the true ones (n,).

        Of squared error and deviance it is the loss of the true mean as response (Pythagoras).
        """
        if self._squared or self.name == "deviance":
            return self.each(truth, mean)
        y, weight = self.noise.nodes(truth, x)
        flat = mean.reshape(-1, truth.size)
        out = np.stack([np.sum(weight * self.each(y, m), axis=0) for m in flat]) - self.level(truth, x)
        return out.reshape(mean.shape)

    @property
    def _squared(self) -> bool:
        return self.function is None and (self.name in ("mse", "brier") or (self.name == "deviance" and self.noise.additive))

    def unpaired(self, y: np.ndarray, mean: np.ndarray) -> float:
        """Mean loss where responses (n,) and fits (n,) are paired at random: the error of no information."""
        if self._squared:
            return float(np.mean(y**2) + np.mean(mean**2) - 2 * np.mean(y) * np.mean(mean))
        return float(np.mean(self.each(y[:, np.newaxis], mean[np.newaxis])))


def resolve_loss(given: Any, noise: Noise) -> Loss:
    """A loss under a noise; where none is given, squared error for additive noise, else the deviance.

    Raises
    ------
    ArgumentError
        Where there is no such loss, or it does not suit the noise.
    """
    if given is None:
        return Loss("mse" if noise.additive else "deviance", noise)
    if callable(given) and not isinstance(given, type):
        name = getattr(given, "__name__", "loss")
        own = isinstance(name, str) and name not in (*NAMES, "<lambda>")
        return Loss(name if own else "loss", noise, given)
    name = str.__str__(given) if isinstance(given, str) else None
    if name not in NAMES:
        raise ArgumentError(f"loss must be None, one of {', '.join(map(repr, NAMES))}, or a function; got {shown(given)}.")
    if name in ZERO_ONE and (noise.family is None or noise.family.name != "binomial"):
        raise ArgumentError(f"loss={name!r} needs a 0/1 response: noise='bernoulli'; got noise {noise.label}.")
    return Loss("mse" if name == "deviance" and noise.additive else str(name), noise)
