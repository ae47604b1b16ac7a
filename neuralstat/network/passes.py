"""Passes through networks that are large for what goes through them: layers as array operations, on BLAS.

Kernels take observations sixteen at a time, so that one image through VGG-16 costs as much as sixteen, and every unit of
all layers stays in memory. Here an array has observations first, a convolution is a product of patches and its kernel, and
what is no longer needed is let go: what several layers read, after the last of them (`regions`). The layers are those of the
kernels, to rounding; numbers have the type of the weights. A product is cut into pieces that depend on its sizes only, and
BLAS has one thread for each: the bits do not depend on threads.
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
    CAPPED,
    activated,
    convolution,
    convolution_back,
    coupled_back,
    dense,
    depthwise,
    depthwise_back,
    pooled,
    pooled_back,
    same,
    stuffed,
    threads,
    turned_geometry,
)
from .array_merges import merge, merge_back
from .array_moves import apart, move, move_back, plain
from .arrays import array_name
from .blas import ONE_THREAD
from .regions import Part, Regions, Way

if TYPE_CHECKING:
    from .network import Network

LARGE = 5e6  # products of an observation from which networks go this way
FEW = 4  # convolutions that read so many times fewer channels than they have filters go back the other way
KEPT = 2**25  # units of all observations that are there together
_STILL = (codes.DROPOUT, codes.NOISE)  # nothing, in prediction
_ACTIVE = (codes.DENSE, codes.CONV2D, codes.COPY, codes.DEPTHWISE)
_KNOWN = (*_ACTIVE, *_STILL, codes.POOL, codes.BATCH_NORM, codes.MOVE, codes.MERGE)

Weights = Callable[[int], tuple[np.ndarray, ...]]
Pulls = Callable[[slice, np.ndarray], list[np.ndarray]]


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
    """Whether a network is large, and has only layers that are known here."""
    if "passes" not in network._built:
        network._built["passes"] = products(network) >= LARGE and possible(network)
    return bool(network._built["passes"])


def possible(network: Network) -> bool:
    """Whether a network has only layers that are known here; any other one goes through the kernels."""
    return all(map(_known, network.table, network.shapes))


def _known(row: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether a row of the table is known: weights of its own if any, no mask, units that are apart."""
    per_unit, units = shape
    known = row[codes.OP] in _KNOWN and row[codes.MASK] < 0 and not (per_unit > 0 and units == 0)
    return bool(known and (row[codes.OP] != codes.MOVE or apart(row)))


class Passes:
    """A network with its weights.

    Parameters
    ----------
    network : Network
        For which `possible` holds.
    weights : callable
        Row of the table -> kernel (inputs of a unit, units), of depthwise convolutions (elements, channels, filters of
        each), and biases (units,); of batch normalisation beta, gamma, mean and variance (channels,).
    """

    def __init__(self, network: Network, weights: Weights) -> None:
        self.network, self.weights = network, weights
        self.table, self.constants = network.table, network._built["constants"]
        if "regions" not in network._built:
            network._built["regions"] = Regions(network.table, len(network.input_names))
        self.regions: Regions = network._built["regions"]
        self._turned: dict[int, np.ndarray] = {}

    @classmethod
    def of_theta(cls, network: Network, theta: np.ndarray) -> Passes:
        """Of a flat vector (P,), which is not copied."""

        def weights(k: int) -> tuple[np.ndarray, ...]:
            per_unit, units = network.shapes[k]
            block = theta[network.slices[k]].reshape(units, per_unit)
            if network.table[k, codes.OP] == codes.BATCH_NORM:
                return tuple(block[:, j] for j in range(GROUP))
            return _kernel(network.table[k], block[:, 1:].T), block[:, 0]

        return cls(network, weights)

    @classmethod
    def of_arrays(cls, network: Network, arrays: Mapping[str, np.ndarray]) -> Passes:
        """Of arrays as Keras has them, ``"dense/kernel"``, not copied; of layers whose arrays are used as they are."""
        owners = zip(network.layer_names, network.layers, network.places, strict=True)
        names = {k: (name, layer) for name, layer, (k, _, _) in reversed(list(owners))}
        kind = np.result_type(*arrays.values(), np.float32)

        def array(k: int, name: str, at: int, units: int, usual: float) -> np.ndarray:
            """An array, whose elements stand at `at` in each group of weights; implied ones are no layer's."""
            if at in {j for j, _ in network._built["kinds"][k][1].implied}:
                return np.full(units, usual, kind)
            return arrays[array_name(*names[k], name)]

        def weights(k: int) -> tuple[np.ndarray, ...]:
            _, units = network.shapes[k]
            if network.table[k, codes.OP] == codes.BATCH_NORM:
                usual = {"beta": 0.0, "gamma": 1.0, "moving_mean": 0.0, "moving_variance": 1.0}
                return tuple(array(k, name, at, units, value) for at, (name, value) in enumerate(usual.items()))
            kernel = arrays[array_name(*names[k], "kernel")].reshape(-1, units)
            return _kernel(network.table[k], kernel), array(k, "bias", 0, units, 0.0)

        return cls(network, weights)

    def _part(self, layer: int | None) -> Part:
        """Where the units of a layer lie; of the last one unless given."""
        if layer is None:
            return self.regions.targets[-1]
        _, first, shape = self.network.places[layer]
        return self.regions.part(first, first + int(np.prod(shape)))

    def _way(self, layer: int | None, after: int | None = None) -> Way:
        """The rows that lead to a layer, from the inputs or from the layer `after`."""
        entry, end = self.regions.inputs if after is None else self._part(after), self._part(layer)
        first = 0
        if after is not None:
            rows = *self.regions.writers.get(entry.region, ()), *(k for k, _, _ in self.network.places[: after + 1])
            first = 1 + max(rows)
        return self.regions.way(entry, end, first, max(self.regions.writers.get(end.region, ()), default=-1))

    # forward -----------------------------------------------------------------------------------------------

    def outputs(
        self, x: np.ndarray, layer: int | None = None, offset: np.ndarray | None = None, after: int | None = None
    ) -> np.ndarray:
        """Units (m, units) of a layer by number, the output layer unless given, at inputs (m, D).

        With `after`, the inputs are the units of that layer, by number, through which all ways to `layer` go.
        """
        way = self._way(layer, after)
        size = way.exit.stop - way.exit.first
        step = max(1, KEPT // way.most())
        parts = []
        for first in range(0, len(x), step):
            some = slice(first, first + step)
            found = self._forward(x[some], way, (), None if offset is None else offset[:, some])
            parts.append(self._units(found, way.exit))
        return np.concatenate(parts).reshape(len(x), size) if parts else np.zeros((0, size), x.dtype)

    def _units(self, found: Mapping[int, np.ndarray], part: Part) -> np.ndarray:
        """Units (m, units) of a part of those that are there."""
        units = found[part.region]
        return units if self.regions.whole(part) else units[:, part.first : part.stop]

    def _entered(self, x: np.ndarray, part: Part) -> np.ndarray:
        """All of a region of which a part is given."""
        if self.regions.whole(part):
            return x
        units = np.zeros((len(x), self.regions.size(part.region)), x.dtype)
        units[:, part.first : part.stop] = x
        return units

    def _forward(self, x: np.ndarray, way: Way, kept: Any, offset: np.ndarray | None = None) -> dict[int, np.ndarray]:
        """Units (m, units) of the regions to be kept, and of the exit."""
        found, last = {way.entry.region: self._entered(x, way.entry)}, way.last_read()
        with ONE_THREAD, ThreadPoolExecutor(threads()) as pool:
            for k in way.rows:
                source, target = self.regions.sources[k], self.regions.targets[k]
                value = self._units(found, source)
                if self.table[k, codes.OP] == codes.MOVE:
                    self._moved(k, value, found)
                else:
                    made = self._layer(k, value, pool, offset if k == len(self.table) - 1 else None)
                    if self.regions.alone(k):
                        found[target.region] = made
                    else:
                        self._room(found, target, made)[...] = made
                if last.get(source.region) == k and source.region not in kept:
                    del found[source.region]
        return found

    def _room(self, found: dict[int, np.ndarray], part: Part, like: np.ndarray) -> np.ndarray:
        """A view of units to be written, where several rows write."""
        if part.region not in found:
            found[part.region] = np.zeros((len(like), self.regions.size(part.region)), like.dtype)
        return found[part.region][:, part.first : part.stop]

    def _moved(self, k: int, value: np.ndarray, found: dict[int, np.ndarray]) -> None:
        target = self.regions.targets[k]
        if self.regions.alone(k) and plain(self.table[k]):
            found[target.region] = value  # no copy: nothing is changed in place
        else:
            move(self.table[k], value, self._room(found, target, value))

    def _layer(self, k: int, value: np.ndarray, pool: Any, offset: np.ndarray | None) -> np.ndarray:
        row, m = self.table[k], len(value)
        op = row[codes.OP]
        if op == codes.POOL:
            return pooled(row, value).reshape(m, -1)
        if op == codes.MERGE:
            return merge(row, value)
        if op == codes.BATCH_NORM:
            factor, term = self._scale(k)
            made = value.reshape(m, -1, factor.size) * factor
            made += term
            return made.reshape(m, -1)
        if op in _STILL:
            return value
        activation = self._activation(k)
        if offset is None or not offset.size:
            return self._sums(k, value, activation, pool)
        sums = self._sums(k, value, same, pool)
        sums[:, : len(offset)] += offset.T
        return activation(sums)

    def _sums(self, k: int, value: np.ndarray, then: Callable[[np.ndarray], np.ndarray], pool: Any) -> np.ndarray:
        """Sums (m, units) of row k that go into its activation `then`."""
        row = self.table[k]
        if row[codes.OP] == codes.COPY:
            return then(value.copy())
        kernel, bias = self.weights(k)
        if row[codes.OP] == codes.DENSE:
            return dense(value, kernel, bias, then, pool)
        made = depthwise if row[codes.OP] == codes.DEPTHWISE else convolution
        return made(row, value, kernel, bias, then, pool).reshape(len(value), -1)

    def _activation(self, k: int) -> Callable[[np.ndarray], np.ndarray]:
        """The activation of row k, in place."""
        return lambda z: activated(self.table[k], float(self.constants[k]), z)

    def _scale(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Factor and term of batch normalisation in prediction."""
        beta, gamma, mean, variance = self.weights(k)
        factor = gamma * (1 / np.sqrt(variance + variance.dtype.type(self.constants[k])))
        return factor, beta - mean * factor

    # back --------------------------------------------------------------------------------------------------

    def value_and_slope(
        self, x: np.ndarray, layer: int | None, pull: np.ndarray, after: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """``units @ pull`` (m,) of a layer at inputs (m, D), and its slopes along the inputs (m, D).

        `after` as in `outputs`.
        """
        values = np.empty(len(x), x.dtype)

        def along(some: slice, units: np.ndarray) -> list[np.ndarray]:
            values[some] = units @ pull
            return [np.broadcast_to(pull, units.shape)]

        return values, self._slopes_of(x, self._way(layer, after), along, 1)[0]

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """Slopes (K, m, D) of the outputs along the inputs (m, D)."""
        k = self.network.n_outputs
        one = np.eye(k, dtype=x.dtype)
        return self._slopes_of(x, self._way(None), lambda _, units: [np.broadcast_to(pull, units.shape) for pull in one], k)

    def slopes_along(
        self, x: np.ndarray, which: np.ndarray, pull: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Slopes (m, D) at inputs (m, D) of one function of the outputs (m, K) of each row.

        `pull` gives its derivatives (m, K) along the outputs, from these and the rows' part of `which` (m,).
        """
        def along(some: slice, units: np.ndarray) -> list[np.ndarray]:
            return [pull(units, which[some]).astype(x.dtype)]

        return self._slopes_of(x, self._way(None), along, 1)[0]

    def _slopes_of(self, x: np.ndarray, way: Way, pulls: Pulls, n: int) -> np.ndarray:
        """Slopes (n, m, D) along the entry of n functions, whose derivatives along the exit `pulls` gives."""
        kept, out = way.kept(self._wants), np.empty((n, *x.shape), x.dtype)
        step = max(1, KEPT // way.most(kept))
        for first in range(0, len(x), step):
            some = slice(first, first + step)
            found = self._forward(x[some], way, kept)
            deltas = pulls(some, self._units(found, way.exit))
            for j, delta in enumerate(deltas):
                out[j, some] = self._slope(found, way, delta, kept if j == len(deltas) - 1 else {})
        return out

    def _wants(self, k: int) -> tuple[bool, bool]:
        """Whether row k wants the units that it read, and those that it wrote, on the way back."""
        op, act = self.table[k, [codes.OP, codes.ACT]]
        if op == codes.POOL:
            largest = bool(self.table[k, codes.KIND] == codes.MAXIMUM)
            return largest, largest
        if op not in _ACTIVE or act == IDENTITY:
            return bool(op == codes.MERGE), False
        told = act in (RELU, CAPPED, SOFTMAX, LOG_SOFTMAX)
        return not told, told

    def _slope(self, found: dict[int, np.ndarray], way: Way, delta: np.ndarray, kept: Mapping[int, int]) -> np.ndarray:
        """d / d entry, from d / d exit; regions of `kept` are let go after the row that is named there."""
        deltas, done = {way.exit.region: self._entered(delta, way.exit)}, way.first_written()
        with ONE_THREAD, ThreadPoolExecutor(threads()) as pool:
            for k in reversed(way.rows):
                source, target = self.regions.sources[k], self.regions.targets[k]
                own = self._units(deltas, target)
                if done.get(target.region) == k:
                    del deltas[target.region]
                wants = self._wants(k)
                value, made = (self._units(found, part) if wanted else None
                               for part, wanted in zip((source, target), wants, strict=True))  # fmt: skip
                back = self._entered(self._back(k, value, made, own, pool), source)
                before = deltas.get(source.region)
                deltas[source.region] = back if before is None else before + back
                for part in {source.region, target.region}:
                    if kept.get(part) == k and part != way.exit.region:
                        found.pop(part, None)
        return self._units(deltas, way.entry)

    def _back(self, k: int, source: Any, value: Any, delta: np.ndarray, pool: Any) -> np.ndarray:
        """d / d inputs of row k, from d / d units; units of both ends where `_wants` says so."""
        row, m = self.table[k], len(delta)
        op = row[codes.OP]
        if op == codes.MOVE:
            reach = self.regions.sources[k]
            return delta if plain(row) else move_back(row, delta, reach.stop - reach.first)
        if op in (codes.MERGE, codes.POOL):
            back = merge_back(row, source, delta) if op == codes.MERGE else pooled_back(row, source, value, delta)
            return back.reshape(m, -1)
        if op == codes.BATCH_NORM:
            factor, _ = self._scale(k)
            return (delta.reshape(m, -1, factor.size) * factor).reshape(m, -1)
        if op in _STILL:
            return delta
        if row[codes.ACT] == RELU:
            delta = delta * (value > 0)
        elif row[codes.ACT] == CAPPED:
            delta = delta * ((value > 0) & (value < value.dtype.type(self.constants[k])))
        elif row[codes.ACT] in (SOFTMAX, LOG_SOFTMAX):
            delta = coupled_back(row, value, delta)
        elif row[codes.ACT] != IDENTITY:
            delta = delta * self._slopes(k, source, pool)
        if op == codes.COPY:
            return delta
        kernel, _ = self.weights(k)
        if op == codes.DENSE:
            return dense(delta, kernel.T, None, same, pool)
        if op == codes.DEPTHWISE:
            return depthwise_back(row, delta, kernel, pool).reshape(m, -1)
        if FEW * row[codes.CHANNELS] <= row[codes.FILTERS]:
            return convolution_back(row, delta, kernel, pool).reshape(m, -1)
        turned, geometry = self._turned_kernel(k, kernel), turned_geometry(row)
        return convolution(geometry, stuffed(row, delta), turned, None, same, pool).reshape(m, -1)

    def _slopes(self, k: int, source: np.ndarray, pool: Any) -> np.ndarray:
        """Slopes of the activation of row k, whose sums are formed again."""
        row, z = self.table[k], self._sums(k, source, same, pool)
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


def _kernel(row: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A kernel (inputs of a unit, units); of a depthwise convolution (elements, channels, filters of each)."""
    if row[codes.OP] != codes.DEPTHWISE:
        return kernel
    return np.ascontiguousarray(kernel).reshape(len(kernel), int(row[codes.CHANNELS]), -1)
