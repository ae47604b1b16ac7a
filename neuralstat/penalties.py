"""Penalties on the weights: decay, elimination, L1, elastic net; and the kernel that adds them to a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .engine.compile import jit
from .errors import ArgumentError

# Columns of the coefficients that kernels see, one row per weight
DECAY, ELIMINATION, SCALE, L1 = range(4)
COLUMNS = 4


@jit
def penalise(coefficients: Any, theta: Any, grad: Any) -> Any:
    """Add the penalty's gradient to `grad`; return the penalty.

    sum_j  decay_j w_j^2 / 2  +  elimination_j / 2 (w_j / s_j)^2 / (1 + (w_j / s_j)^2)  +  l1_j |w_j|

    Parameters
    ----------
    coefficients : (P, COLUMNS) array
        Rows of zeros leave a weight unpenalised; an array without rows is no penalty at all.
    theta, grad : (P,) arrays
        Weights; gradient, accumulated. At w_j = 0 the L1 part adds nothing (its subgradient of least size).
    """
    total = theta[0] * 0
    for j in range(coefficients.shape[0]):
        w = theta[j]
        if coefficients[j, DECAY] != 0:
            total += coefficients[j, DECAY] * w * w / 2
            grad[j] += coefficients[j, DECAY] * w
        if coefficients[j, ELIMINATION] != 0:
            u = w / coefficients[j, SCALE]
            q = 1 / (1 + u * u)
            total += coefficients[j, ELIMINATION] * u * u * q / 2
            grad[j] += coefficients[j, ELIMINATION] * u * q * q / coefficients[j, SCALE]
        if coefficients[j, L1] != 0:
            if w.real > 0:
                total += coefficients[j, L1] * w
                grad[j] += coefficients[j, L1]
            elif w.real < 0:
                total -= coefficients[j, L1] * w
                grad[j] -= coefficients[j, L1]
    return total


@dataclass(frozen=True)
class Penalty:
    """A sum of penalty terms; made by `decay`, `elimination`, `l1`, `elastic_net` and added with ``+``.

    Attributes
    ----------
    parts : tuple of (kind, strength, scale, biases)
        `kind` is one of "decay", "elimination", "l1".
    """

    parts: tuple[tuple[str, float, float, bool], ...]

    def __add__(self, other: Penalty) -> Penalty:
        if not isinstance(other, Penalty):
            return NotImplemented
        return Penalty(self.parts + other.parts)

    def coefficients(self, is_bias: np.ndarray) -> np.ndarray:
        """What kernels see, shape (P, COLUMNS).

        Parameters
        ----------
        is_bias : (P,) bool array
            Which weights are biases.
        """
        table = np.zeros((is_bias.size, COLUMNS))
        table[:, SCALE] = 1.0
        for kind, strength, scale, biases in self.parts:
            rows = np.ones(is_bias.size, bool) if biases else ~is_bias
            if kind == "elimination":
                if np.any(table[rows, ELIMINATION] != 0):
                    raise ArgumentError("penalty: only one elimination term is possible in a sum of penalties.")
                table[rows, ELIMINATION] = strength
                table[rows, SCALE] = scale
            else:
                table[rows, DECAY if kind == "decay" else L1] += strength
        return table

    def __str__(self) -> str:
        words = []
        for kind, strength, scale, biases in self.parts:
            more = f", scale={scale:g}" if kind == "elimination" else ""
            words.append(f"{kind}({strength:g}{more}{'' if biases else ', biases=False'})")
        return " + ".join(words)


def _strength(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number) or number < 0:
        raise ArgumentError(f"{name} must be a finite number >= 0, got {value!r}.")
    return number


def decay(lam: float, *, biases: bool = True) -> Penalty:
    """Weight decay, ``lam / 2 * sum w^2``.

    Parameters
    ----------
    lam : float
        Strength, >= 0.
    biases : bool
        False leaves the biases unpenalised.

    Returns
    -------
    Penalty

    Raises
    ------
    ArgumentError
        If `lam` is negative or not a number.
    """
    return Penalty((("decay", _strength(lam, "lam"), 1.0, bool(biases)),))


def elimination(lam: float, scale: float = 1.0, *, biases: bool = True) -> Penalty:
    """Weight elimination, ``lam / 2 * sum (w/scale)^2 / (1 + (w/scale)^2)``.

    Weigend, Rumelhart & Huberman (1991), NIPS 3:875. Small weights are pulled to zero, large ones are left alone.

    Parameters
    ----------
    lam : float
        Strength, >= 0.
    scale : float
        Size that parts small from large weights, > 0.
    biases : bool
        False leaves the biases unpenalised.
    """
    size = _strength(scale, "scale")
    if size == 0:
        raise ArgumentError("scale must be > 0, got 0.")
    return Penalty((("elimination", _strength(lam, "lam"), size, bool(biases)),))


def l1(lam: float, *, biases: bool = True) -> Penalty:
    """Lasso penalty, ``lam * sum |w|``."""
    return Penalty((("l1", _strength(lam, "lam"), 1.0, bool(biases)),))


def elastic_net(l1: float, l2: float, *, biases: bool = True) -> Penalty:
    """Elastic net, ``l1 * sum |w| + l2 / 2 * sum w^2``."""
    return Penalty(
        (("l1", _strength(l1, "l1"), 1.0, bool(biases)), ("decay", _strength(l2, "l2"), 1.0, bool(biases)))
    )


PENALTIES = {"decay": decay, "elimination": elimination, "l1": l1, "elastic_net": elastic_net}
