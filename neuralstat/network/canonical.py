"""One network out of many that compute the same: hidden units in canonical order and sign; distinct optima.

A feed-forward network does not change when the hidden units of a layer change places, when a unit of an odd
activation (tanh) has all its weights negated, or when a logistic unit is replaced by its complement, 1 - a(z)
= a(-z); so every optimum comes in up to m! 2^m copies per layer of m units (Sussmann 1992, Neural Networks
5:589; Chen, Lu & Hecht-Nielsen 1993, Neural Computation 5:910).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .network import Network

SAME = 1e-4  # relative difference of errors below which two repetitions may be at one optimum
_ODD = ("tanh",)


def canonical(network: Network, theta: np.ndarray, free: np.ndarray | None = None) -> np.ndarray:
    """Weights with the hidden units in canonical order and sign.

    Each unit gets the sign that makes its first weight after the bias positive (the bias, where there is no
    other); then a layer's units are put in order of their weights, the first input's first. Only dense hidden
    layers are changed; units whose weights are held out in different ways keep their places, and a sign that
    would change a weight held out is left.

    Parameters
    ----------
    network : Network
    theta : (B, P) or (P,) array
    free : (P,) bool array, optional
        Weights that are trained.

    Returns
    -------
    array shaped as `theta`
        Weights of networks that compute the same function.
    """
    theta = np.asarray(theta, dtype=float)
    if theta.ndim == 2:
        return np.stack([canonical(network, row, free) for row in theta]) if theta.size else theta.copy()
    if not network.plain:
        return theta.copy()
    matrices = network.matrices(theta)
    movable = network.matrices(np.ones(theta.size, bool) if free is None else np.asarray(free))
    movable = [m.astype(bool) for m in movable]
    for k in range(len(matrices) - 1):
        name = network.layers[k].activation.name
        if name == "logistic" or name in _ODD:
            _fix_signs(matrices, movable, k, name == "logistic")
        _sort_units(matrices, movable, k)
    return network.flatten(matrices)


def _fix_signs(matrices: list[np.ndarray], movable: list[np.ndarray], k: int, complement: bool) -> None:
    """Negate units of layer k whose leading weight is negative, in place."""
    own, after = matrices[k], matrices[k + 1]
    for u in range(own.shape[1]):
        lead = np.append(own[1:, u], own[0, u])
        lead = lead[lead != 0]
        if lead.size == 0 or lead[0] > 0:
            continue
        out = after[u + 1] != 0
        held = np.any(~movable[k][:, u] & (own[:, u] != 0)) or np.any(~movable[k + 1][u + 1] & out)
        if held or (complement and np.any(~movable[k + 1][0] & out)):
            continue
        own[:, u] = -own[:, u]
        if complement:  # v a(z) = v - v a(-z)
            after[0] += after[u + 1]
        after[u + 1] = -after[u + 1]


def _sort_units(matrices: list[np.ndarray], movable: list[np.ndarray], k: int) -> None:
    """Put units of layer k in order, within groups whose weights are held out alike, in place."""
    own, after = matrices[k], matrices[k + 1]
    groups: dict[bytes, list[int]] = {}
    for u in range(own.shape[1]):
        mask = np.append(movable[k][:, u], movable[k + 1][u + 1])
        fixed = np.where(mask, 0.0, np.append(own[:, u], after[u + 1]))
        groups.setdefault(mask.tobytes() + fixed.tobytes(), []).append(u)
    order = np.arange(own.shape[1])
    for units in groups.values():
        keys = np.vstack(
            [own[0, units], after[1:][units].T, own[1:, units][::-1]]
        )  # the last row sorts first
        order[units] = np.asarray(units)[np.lexsort(keys)]
    matrices[k][:] = own[:, order]
    matrices[k + 1][1:] = after[1:][order]


def distinct_optima(
    errors: np.ndarray, outputs: np.ndarray, weights: Any = None, tolerance: float = SAME
) -> np.ndarray:
    """Number the optima that repetitions ended at, 1 the best.

    Two repetitions are at one optimum when their errors agree to `tolerance` and their outputs (linear
    predictors) at the observations do, too: the half squared difference is at most 4 `tolerance` times the
    error, what two points can differ by that both lie within `tolerance` of an optimum of a squared error.
    The outputs, not the weights, decide, for the reason given in the module and because weights can be
    undetermined at an optimum.

    Parameters
    ----------
    errors : (B,) array
    outputs : (B, K, n) array
    weights : (n,) array, optional
        Case weights.

    Returns
    -------
    (B,) int array
    """
    with np.errstate(over="ignore"):  # diverged networks: an infinite scale
        scale = np.square(np.nanmax(np.abs(outputs), initial=0.0)) * outputs[0].size if errors.size else 0.0

    def distance(b: int, first: int) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            square = (outputs[b] - outputs[first]) ** 2 / 2
            return float(np.sum(square if weights is None else square * weights))

    return numbered(errors, distance, scale, tolerance)


def numbered(
    errors: np.ndarray, distance: Callable[[int, int], float], scale: float, tolerance: float = SAME
) -> np.ndarray:
    """`distinct_optima` of repetitions whose outputs have known distances.

    Parameters
    ----------
    errors : (B,) array
    distance : callable
        Half the squared distance of the outputs of two repetitions.
    scale : float
        Size of the squared outputs.
    tolerance : float
    """
    numbers = np.zeros(errors.size, np.int64)
    found: list[int] = []
    for b in np.argsort(errors, kind="stable"):
        for number, first in enumerate(found, 1):
            with np.errstate(invalid="ignore"):
                near = abs(errors[b] - errors[first]) <= tolerance * abs(errors[first])
            if not near:
                continue
            if distance(int(b), first) <= 4 * tolerance * max(abs(errors[first]), 1e-8 * scale):
                numbers[b] = number
                break
        if numbers[b] == 0:
            found.append(int(b))
            numbers[b] = len(found)
    return numbers
