"""Weights of large networks as arrays by layer, in place of a flat vector: those who know so many have no copy of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import views
from .passes import Passes

if TYPE_CHECKING:
    from .network import Network


@dataclass(frozen=True)
class ArrayWeights:
    """Weights of a network that goes through `passes`; what asks for a flat vector (P,) is given a copy.

    Parameters
    ----------
    network : Network
    arrays : dict of str to array
        As Keras has them, see `Passes.of_arrays`; those that are lacking count as 0 in a flat vector.
    dtype : dtype
    """

    network: Network
    arrays: Mapping[str, np.ndarray]
    dtype: Any

    def passes(self) -> Passes:
        """Ways through the network, without a copy of the weights."""
        return Passes.of_arrays(self.network, self.arrays)

    def astype(self, dtype: Any) -> np.ndarray:
        """A flat vector (P,)."""
        return self.__array__(dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("arrays by layer are no flat vector without a copy.")
        network, theta = self.network, np.zeros(self.network.n_params, self.dtype if dtype is None else dtype)
        if network.implied is not None:
            theta[network.implied[0]] = network.implied[1][network.implied[0]]
        for name, array in views(network, theta).items():
            if name in self.arrays:
                array[...] = self.arrays[name]
        return theta


def passes_of(network: Network, theta: np.ndarray | ArrayWeights) -> Passes:
    """Ways through a network for which `passes.suits` holds, on weights (P,) that are not copied where they lie together."""
    if isinstance(theta, ArrayWeights):
        return theta.passes()
    if theta.shape[-1] != network.n_params:
        raise ValueError(f"theta has {theta.shape[-1]} weights, the network {network.n_params}.")
    return Passes.of_theta(network, np.ascontiguousarray(theta))


def last_kernel(network: Network, theta: np.ndarray | ArrayWeights) -> np.ndarray:
    """Weights (K, inputs) into the outputs of the last dense layer."""
    return last_layer(network, theta)[0]


def last_layer(network: Network, theta: np.ndarray | ArrayWeights) -> tuple[np.ndarray, np.ndarray]:
    """`last_kernel`, and biases (K,)."""
    if isinstance(theta, ArrayWeights):
        kernel, bias = theta.passes().weights(len(network.table) - 1)
        return kernel.T, bias
    block = theta[network.slices[-1]].reshape(network.n_outputs, -1)
    return block[:, 1:], block[:, 0]
