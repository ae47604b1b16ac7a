"""Passes through networks that are large for what goes through them: layers as array operations, on BLAS.

Kernels take observations sixteen at a time, so that one image through VGG-16 costs as much as sixteen, and every unit of
all layers stays in memory. Here an array has observations first, a convolution is a product of patches and its kernel, and
what is no longer needed is let go. The layers are those of the kernels, to rounding; numbers have the type of the weights.
A product is cut into pieces that depend on its sizes only, and BLAS has one thread for each: the bits do not depend on
threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..functions.activation_calls import activation_values
from ..functions.activations import IDENTITY, LOG_SOFTMAX, RELU, SOFTMAX
from ..layers import codes
from ..layers.normalization import GROUP
from .array_layers import (
    activated,
    convolution,
    coupled_back,
    dense,
    pooled,
    pooled_back,
    same,
    stuffed,
    threads,
    turned_geometry,
)
from .blas import ONE_THREAD

if TYPE_CHECKING:
    from .network import Network

LARGE = 5e6  # products of an observation from which networks go this way
KEPT = 2**26  # units of all observations that go through together
_KNOWN = (codes.DENSE, codes.CONV2D, codes.POOL, codes.BATCH_NORM, codes.DROPOUT, codes.COPY)
_ACTIVE = (codes.DENSE, codes.CONV2D, codes.COPY)

Weights = Callable[[int], tuple[np.ndarray, np.ndarray]]


def products(network: Network) -> float:
    """Products of weights and units that one observation takes."""
    total = 0.0
    for part, (per_unit, units), row in zip(network.slices, network.shapes, network.table, strict=True):
        if row[codes.OP] in codes.RECURRENT:
            total += (part.stop - part.start) * row[codes.TIMES]
        elif row[codes.OP] != codes.EMBEDDING and units:
            total += per_unit * row[codes.N_OUT]
    return float(total)


def suits(network: Network) -> bool:
    """Whether a network is large, and has only layers that are known here, each reading what one other wrote."""
    if "passes" not in network._built:
        network._built["passes"] = products(network) >= LARGE and possible(network)
    return bool(network._built["passes"])


def possible(network: Network) -> bool:
    """Whether a network has only layers that are known here, each reading what one other wrote, or inputs."""
    table, inputs = network.table, len(network.input_names)
    written: set[tuple[int, int]] = set()
    for row, (per_unit, units) in zip(table, network.shapes, strict=True):
        source = int(row[codes.SOURCE]), int(row[codes.N_IN])
        shared = per_unit > 0 and units == 0  # weights of a row before it
        if row[codes.OP] not in _KNOWN or shared or (source not in written and sum(source) > inputs):
            return False
        written.add((int(row[codes.TARGET]), int(row[codes.N_OUT])))
    return True


class Passes:
    """A network with its weights.

    Parameters
    ----------
    network : Network
        For which `possible` holds.
    weights : callable
        Row of the table -> kernel (inputs of a unit, units) and biases (units,); of batch normalisation its block.
    """

    def __init__(self, network: Network, weights: Weights) -> None:
        self.network, self.weights = network, weights
        self.table, self.constants = network.table, network._built["constants"]
        self._turned: dict[int, np.ndarray] = {}

    @classmethod
    def of_theta(cls, network: Network, theta: np.ndarray) -> Passes:
        """Of a flat vector (P,), which is not copied."""

        def weights(k: int) -> tuple[np.ndarray, np.ndarray]:
            per_unit, units = network.shapes[k]
            block = theta[network.slices[k]].reshape(units, per_unit)
            return (block, block) if network.table[k, codes.OP] == codes.BATCH_NORM else (block[:, 1:].T, block[:, 0])

        return cls(network, weights)

    @classmethod
    def of_arrays(cls, network: Network, arrays: Mapping[str, np.ndarray]) -> Passes:
        """Of arrays as Keras has them, ``"dense/kernel"``, which are not copied; of layers with kernel and bias only."""
        names = {k: name for name, (k, _, _) in reversed(list(zip(network.layer_names, network.places, strict=True)))}

        def weights(k: int) -> tuple[np.ndarray, np.ndarray]:
            kernel, bias = arrays[f"{names[k]}/kernel"], arrays.get(f"{names[k]}/bias")
            units = kernel.shape[-1]
            return kernel.reshape(-1, units), np.zeros(units, kernel.dtype) if bias is None else bias

        return cls(network, weights)

    # forward -----------------------------------------------------------------------------------------------

    def outputs(self, x: np.ndarray, last: int | None = None, offset: np.ndarray | None = None) -> np.ndarray:
        """Units (m, units) of row `last` of the table, the output layer unless given, at inputs (m, D)."""
        last = len(self.table) - 1 if last is None else last
        size = int(self.table[last, codes.N_OUT])
        step = max(1, KEPT // self.network.width)
        parts = []
        for first in range(0, len(x), step):
            some = slice(first, first + step)
            parts.append(self.forward(x[some], last, False, None if offset is None else offset[:, some])[last])
        return np.concatenate(parts).reshape(len(x), size) if parts else np.zeros((0, size), x.dtype)

    def forward(
        self, x: np.ndarray, last: int, keep: bool, offset: np.ndarray | None = None
    ) -> dict[int, np.ndarray]:
        """Units (m, units) of each row of the table up to `last`; of all of them with `keep`, else of the last."""
        found: dict[int, np.ndarray] = {}
        needed = {self._source(k): k for k in range(last + 1)}  # the last that reads each
        with ONE_THREAD, ThreadPoolExecutor(threads()) as pool:
            for k in range(last + 1):
                at = self._source(k)
                value = self._inputs(x, k) if at < 0 else found[at]
                found[k] = self._layer(k, value, pool, offset if k == len(self.table) - 1 else None)
                if not keep and at >= 0 and needed[at] <= k and at != last:
                    del found[at]
        return found

    def _source(self, k: int) -> int:
        """The row whose units row k reads; -1 for inputs."""
        source = self.table[k, [codes.SOURCE, codes.N_IN]]
        same = np.flatnonzero((self.table[:k, [codes.TARGET, codes.N_OUT]] == source).all(axis=1))
        return int(same[-1]) if same.size else -1

    def _inputs(self, x: np.ndarray, k: int) -> np.ndarray:
        first, size = self.table[k, codes.SOURCE], self.table[k, codes.N_IN]
        return x if size == x.shape[1] else x[:, first : first + size]

    def _layer(self, k: int, value: np.ndarray, pool: Any, offset: np.ndarray | None) -> np.ndarray:
        row, m = self.table[k], len(value)
        op = row[codes.OP]
        if op == codes.POOL:
            return pooled(row, value).reshape(m, -1)
        if op == codes.BATCH_NORM:
            factor, term = self._scale(k)
            return (value.reshape(m, -1, factor.size) * factor + term).reshape(m, -1)
        if op == codes.DROPOUT:
            return value
        activation = self._activation(k)
        if op == codes.COPY:
            return activation(value.copy())
        kernel, bias = self.weights(k)
        if offset is not None and offset.size:
            extra = np.zeros((m, bias.size), kernel.dtype)
            extra[:, : len(offset)] = offset.T
            return activation(dense(value, kernel, bias, same, pool) + extra)
        if op == codes.DENSE:
            return activation(dense(value, kernel, bias, same, pool))
        return convolution(row, value, kernel, bias, activation, pool).reshape(m, -1)

    def _activation(self, k: int) -> Callable[[np.ndarray], np.ndarray]:
        """The activation of row k, in place."""
        return lambda z: activated(self.table[k], float(self.constants[k]), z)

    def _scale(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Factor and term of batch normalisation in prediction."""
        block = self.weights(k)[0].reshape(-1, GROUP)
        factor = block[:, 1] * (1 / np.sqrt(block[:, 3] + block.dtype.type(self.constants[k])))
        return factor, block[:, 0] - block[:, 2] * factor

    # back --------------------------------------------------------------------------------------------------

    def value_and_slope(self, x: np.ndarray, last: int, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``units @ pull`` (m,) of row `last` of the table at inputs (m, D), and its slopes along the inputs (m, D)."""
        found = self.forward(x, last, True)
        return found[last] @ pull, self._slope(x, found, last, np.broadcast_to(pull, found[last].shape))

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """Slopes (K, m, D) of the outputs along the inputs (m, D)."""
        last = len(self.table) - 1
        found = self.forward(x, last, True)
        one = np.eye(found[last].shape[1], dtype=found[last].dtype)
        return np.stack([self._slope(x, found, last, np.broadcast_to(pull, found[last].shape)) for pull in one])

    def slopes_along(
        self, x: np.ndarray, which: np.ndarray, pull: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Slopes (m, D) at inputs (m, D) of one function of the outputs (m, K) of each row.

        `pull` gives its derivatives (m, K) along the outputs, from these and the rows' part of `which` (m,).
        """
        last, slopes = len(self.table) - 1, np.empty_like(x)
        step = max(1, KEPT // self.network.width)
        for first in range(0, len(x), step):
            some = slice(first, first + step)
            found = self.forward(x[some], last, True)
            slopes[some] = self._slope(x[some], found, last, pull(found[last], which[some]).astype(x.dtype))
        return slopes

    def _slope(self, x: np.ndarray, found: dict[int, np.ndarray], last: int, delta: np.ndarray) -> np.ndarray:
        """d / d inputs, from d / d units of row `last`."""
        deltas = {last: delta}
        out = np.zeros_like(x)
        with ONE_THREAD, ThreadPoolExecutor(threads()) as pool:
            for k in range(last, -1, -1):
                if k not in deltas:
                    continue
                at, row = self._source(k), self.table[k]
                back = self._back(k, self._inputs(x, k) if at < 0 else found[at], found[k], deltas.pop(k), pool)
                if at < 0:
                    first = row[codes.SOURCE]
                    out[:, first : first + row[codes.N_IN]] += back
                else:
                    deltas[at] = deltas[at] + back if at in deltas else back
        return out

    def _back(self, k: int, source: np.ndarray, value: np.ndarray, delta: np.ndarray, pool: Any) -> np.ndarray:
        """d / d inputs of row k, from d / d units."""
        row, m = self.table[k], len(value)
        op = row[codes.OP]
        if op == codes.POOL:
            return pooled_back(row, source, value, delta).reshape(m, -1)
        if op == codes.BATCH_NORM:
            factor, _ = self._scale(k)
            return (delta.reshape(m, -1, factor.size) * factor).reshape(m, -1)
        if op == codes.DROPOUT:
            return delta
        if row[codes.ACT] == RELU:
            delta = delta * (value > 0)
        elif row[codes.ACT] in (SOFTMAX, LOG_SOFTMAX):
            delta = coupled_back(row, value, delta)
        elif row[codes.ACT] != IDENTITY:
            delta = delta * self._slopes(k, source, pool)
        if op == codes.COPY:
            return delta
        kernel, _ = self.weights(k)
        if op == codes.DENSE:
            return dense(delta, kernel.T, None, same, pool)
        turned, geometry = self._turned_kernel(k, kernel), turned_geometry(row)
        return convolution(geometry, stuffed(row, delta), turned, None, same, pool).reshape(m, -1)

    def _slopes(self, k: int, source: np.ndarray, pool: Any) -> np.ndarray:
        """Slopes of the activation of row k, whose sums are formed again."""
        row = self.table[k]
        if row[codes.OP] == codes.COPY:
            z = source.copy()
        else:
            kernel, bias = self.weights(k)
            z = (dense(source, kernel, bias, same, pool) if row[codes.OP] == codes.DENSE else
                 convolution(row, source, kernel, bias, same, pool).reshape(len(source), -1))  # fmt: skip
        flat, slope = z.reshape(1, -1), np.empty((1, z.size), z.dtype)
        activation_values(int(row[codes.ACT]), float(self.constants[k]), int(row[codes.ADDRESS]), flat, slope)
        return slope.reshape(z.shape)

    def _turned_kernel(self, k: int, kernel: np.ndarray) -> np.ndarray:
        """The kernel of the convolution that takes deltas back: positions reversed, filters and channels exchanged."""
        if k not in self._turned:
            row = self.table[k]
            shape = *row[[codes.KERNEL_ROWS, codes.KERNEL_COLS, codes.CHANNELS]], kernel.shape[1]
            turned = kernel.reshape(shape)[::-1, ::-1].transpose(0, 1, 3, 2)
            self._turned[k] = np.ascontiguousarray(turned).reshape(-1, shape[2])
        return self._turned[k]
