"""Constraints of layers' arrays: which weights each group of them has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..layers.arguments import constraint_of
from ..layers.keras_weights import by_row
from ..optimizers.constraints import COLUMNS, Bound
from .arrays import have

if TYPE_CHECKING:
    from .network import Network


def _constrained(network: Network) -> Iterator[tuple[Any, str, Any, np.ndarray]]:
    if not have(network, "constraint"):
        return  # without the places of all weights
    for layer, arrays in zip(network.applied_layers, by_row(network), strict=True):
        for array, at in arrays.items():
            if (own := constraint_of(layer, array)) is not None:
                yield layer, array, own, at


def check_constraints(network: Network, minibatch: bool, algorithm: Any) -> None:
    """Raise ArgumentError where there are constraints, and the algorithm takes no steps after which they could hold."""
    for layer, array, _, _ in () if minibatch else _constrained(network):
        raise ArgumentError(f"layers: the {array} of {type(layer).__name__} has a constraint, which holds after each step of "
                            f"a minibatch optimizer; algorithm={algorithm!r} is none.")  # fmt: skip


def bound(network: Network, free: np.ndarray) -> Bound:
    """Weights under constraints, less arrays that are held out of the fit as a whole.

    Raises
    ------
    ArgumentError
        Where an array does not have the axes of its constraint.
    """
    groups: list[np.ndarray] = []
    limits: list[tuple[float, ...]] = []
    for layer, array, own, at in _constrained(network):
        axes = (own.axis,) if isinstance(own.axis, int) else tuple(own.axis)
        if max(axes) >= at.ndim:
            raise ArgumentError(f"{type(layer).__name__}: {own} names an axis that {array!r}, {at.shape}, does not have.")
        if free[at].any():
            along = np.moveaxis(at, axes, range(len(axes))).reshape(int(np.prod([at.shape[k] for k in axes])), -1)
            groups += list(along.T)
            limits += [own.limits] * along.shape[1]
    lengths = [0, *(group.size for group in groups)]
    return Bound(
        np.concatenate([np.zeros(0, np.int64), *groups]).astype(np.int64), np.cumsum(lengths).astype(np.int64),
        np.array(limits, np.float64).reshape(-1, COLUMNS),
    )  # fmt: skip
