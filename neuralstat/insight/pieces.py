"""Parts of a fitted network as networks of their own, and its inputs as arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import position, shown
from ..checks.values import attribute
from ..errors import ArgumentError, DataError
from ..fitted import Fitted, fitted_of
from ..inference import predict
from ..layers import Dense, Flatten
from ..network import derivatives
from ..network.array_weights import ArrayWeights, passes_of
from ..network.network import Network
from ..network.objective import objective, resolve_activation
from ..network.passes import suits
from .known import Known

ENDING = "_flatten"  # of networks without an output layer of their own


def check_fit(fit: Any, what: str) -> Fitted:
    """A fit whose inputs are one array.

    Raises
    ------
    ArgumentError
        Where it is none, or tabular covariates stand beside its array.
    """
    fitted = fitted_of(fit)
    if fitted.network.beside or len(fitted.network.entries) > 1:
        raise ArgumentError(f"{what} needs a model of one array; this one has tabular covariates beside it.")
    return fitted


def check_subject(fit: Any, what: str) -> Fitted:
    """A fit whose inputs are one array, or what stands for it: a network with weights, of which a `Known` is made.

    Raises
    ------
    ArgumentError
        Where it is neither, has several inputs, or tabular covariates beside its array.
    """
    known = attribute(fit, "as_known")
    return known() if known is not None else check_fit(fit, what)


def inputs(fitted: Fitted, new: Any, what: str) -> tuple[np.ndarray, np.ndarray | None, Any, np.ndarray]:
    """Inputs (D, m) in internal units, offset, index, and which rows are complete."""
    x, offset, index, complete = (
        fitted.encoded(new, what) if isinstance(fitted, Known) else predict.inputs(fitted, new, None)
    )
    if not complete.any():
        raise DataError(f"{what}: no row without missing values.")
    return np.ascontiguousarray(x), offset, index, complete


def scaling_of(fitted: Fitted) -> Any:
    """Scaling of inputs and responses; None without."""
    return None if isinstance(fitted, Known) else fitted.design.scaling


def weights_of(fitted: Fitted, rep: Any) -> Any:
    """Weights (P,) of a repetition; those of large networks that are no fits in their own type, as `ArrayWeights`."""
    theta = fitted.fit.theta[fitted.which(rep)]
    return theta if isinstance(fitted, Known) else theta.astype(float)


def to_original(fitted: Fitted, x: np.ndarray) -> np.ndarray:
    """Inputs (D, m) in the units of the data."""
    scaling = scaling_of(fitted)
    return x if scaling is None else x * scaling.x_sd[:, np.newaxis] + scaling.x_mean[:, np.newaxis]


def to_internal(fitted: Fitted, x: np.ndarray) -> np.ndarray:
    """Invert `to_original`."""
    scaling = scaling_of(fitted)
    return x if scaling is None else (x - scaling.x_mean[:, np.newaxis]) / scaling.x_sd[:, np.newaxis]


def as_images(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(D, m) as (m, *shape)."""
    return np.ascontiguousarray(x.T).reshape(-1, *shape)


def hidden_layer(fitted: Fitted, layer: Any) -> int:
    """Number of a hidden layer by name."""
    names = fitted.network.layer_names[:-1]
    at = position(layer, names)
    if at is None:
        listed = ", ".join(repr(name) for name in names if name != ENDING) or "none"
        raise ArgumentError(f"layer must be one of {listed}; got {shown(layer)}.")
    return at


def units_at(fitted: Fitted, new: Any, layer: int, rep: Any, what: str) -> np.ndarray:
    """Units (m, ...) of a layer; NaN in rows with missing values."""
    x, offset, _, complete = inputs(fitted, new, what)
    made = derivatives.layer_units(fitted.network, x, weights_of(fitted, rep), layer, offset).astype(float)
    made[~complete] = np.nan
    return made


def _wires(network: Network, first: int, last: int) -> tuple[tuple[int, ...], ...]:
    """What the layers first, ..., last - 1 of a graph read, the first of them the input; empty for a chain.

    Raises
    ------
    ArgumentError
        Where one reads more than one layer before them.
    """
    own = network.wires[first:last]
    if any(r < first - 1 or (r < 0 < first) for reads in own for r in reads):
        name = network.layer_names[first - 1]
        raise ArgumentError(f"layer: {name!r} lies on one of several ways through the network; name one that all go through.")
    return tuple(tuple(r - first if r >= first else -1 for r in reads) for reads in own) if first else tuple(own)


class Piece:
    """Layers first, ..., last - 1 of a network, followed by a Dense layer of one unit.

    Parameters
    ----------
    network : Network
    theta : (P,) array, or ArrayWeights
    first, last : int
    """

    def __init__(self, network: Network, theta: np.ndarray | ArrayWeights, first: int, last: int) -> None:
        layers, wires = network.layers[first:last], _wires(network, first, last)
        shape = tuple(network.input_shape) if first == 0 else network.places[first - 1][2]
        self.shape = network.places[last - 1][2] if last else tuple(network.input_shape)
        self.size = math.prod(self.shape)
        self._kind, self._last, self._after = theta.dtype, last - 1, first - 1 if first else None
        self._passes = passes_of(network, theta) if layers and suits(network) else None
        if self._passes is not None:  # on the weights of the whole network, which are many
            return
        theta = np.asarray(theta)
        begin, end = (1 + max((row for row, _, _ in network.places[:k]), default=-1) for k in (first, last))
        parts = [theta[network._built["slices"][k]] for k in range(begin, end)]
        more = (Dense(1, name="_end"),) if len(self.shape) == 1 else (Flatten(name=ENDING), Dense(1, name="_end"))
        if wires:
            wires = (*wires, *((len(layers) - 1 + j,) for j in range(len(more))))
        self.network = Network((*layers, *more), shape, objective("sse", resolve_activation("identity")),
                               ("",) * math.prod(shape), ("",), wires=wires)  # fmt: skip
        self._body = np.concatenate([*parts, np.zeros(0, theta.dtype)])
        self._place = self.network.places[len(layers) - 1] if layers else None

    def values(self, x: np.ndarray) -> np.ndarray:
        """Units of the last layer (size, m)."""
        if self._passes is not None:
            return self._passes.outputs(self._across(x), self._last, after=self._after).T
        if self._place is None:
            return x
        units = derivatives.units(self.network, np.ascontiguousarray(x), self._theta(np.zeros(self.size)).astype(float))
        return units[self._place[1] : self._place[1] + self.size]

    def value_and_slope(self, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``weights @ units`` (m,) and its slopes along the inputs (D, m)."""
        if self._passes is not None:
            pull = weights.astype(self._kind)
            value, slope = self._passes.value_and_slope(self._across(x), self._last, pull, self._after)
            return value, slope.T
        theta = self._theta(weights).astype(float)
        x = np.ascontiguousarray(x)
        return derivatives.outputs(self.network, x, theta)[0, 0], derivatives.slopes(self.network, x, theta)[0]

    def _across(self, x: np.ndarray) -> np.ndarray:
        """Inputs (m, D) in the type of the weights."""
        return np.ascontiguousarray(x.T, self._kind)

    def _theta(self, weights: np.ndarray) -> np.ndarray:
        return np.concatenate([self._body, np.zeros(1, self._body.dtype), weights.astype(self._body.dtype)])
