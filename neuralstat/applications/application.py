"""A known network: its layers, its weights, what it predicts."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..checks import as_array, check_items, shown
from ..checks.arguments import NONE, Anything, Map, Numbers, Several, Text, Whole, arguments
from ..errors import ArgumentError, DataError
from ..families.resolve import family_objective, resolve_family
from ..insight.known import Known
from ..insight.pieces import ENDING as HIDDEN
from ..layers import LAYERS, BatchNorm, Conv1D, Conv2D, Dense, DepthwiseConv1D, DepthwiseConv2D, Flatten
from ..layers.graph import InputLayer, Node
from ..network import derivatives
from ..network.array_weights import ArrayWeights
from ..network.arrays import array_shapes, fill, sizes_by_layer
from ..network.expand import Flat, expanded
from ..network.indexes import check_indexes
from ..network.network import Network
from ..network.objective import objective, resolve_activation
from ..network.passes import Passes, possible, suits
from ..network.table import Entry
from ..summary.tables import layers_table
from ..weights import read_weights

_IMAGES = 16  # at least so many in a pass: kernels take as many together
_NUMBERS = 2**22  # of a pass


class Application(Sequence[Any]):
    """Layers of a known network with their weights; made by `VGG16`, `ResNet50`, ...

    It is the sequence of its hidden layers, so that ``layers=application`` and ``layers=[*application, Flatten(),
    Dense(256, "relu")]`` go on from it; an output layer is implied by the response, as always. Layers that read others than
    the one before them are written as in any sequence: ``From("name")`` stands before them, and those that join several have
    their names, ``Add(["a", "b"])``.

    Attributes
    ----------
    name : str
    layers : tuple of layers
        The hidden ones.
    head : Dense or None
        The network's own output layer, whose activation is softmax.
    input_shape : tuple of int
    weights : dict of str to array, or None
        ``"block1_conv1/kernel"``, ..., and those of the head.

    Examples
    --------
    >>> import neuralstat as ns
    >>> small = ns.applications.vgg([(1, 4)], [16], 10, (32, 32, 3))
    >>> small.name, small.input_shape, [type(layer).__name__ for layer in small]
    ('vgg', (32, 32, 3), ['Conv2D', 'MaxPool2D', 'Flatten', 'Dense'])
    """

    _entries: tuple[Entry, ...] = ()  # where its inputs lie, if there are several

    @arguments(
        name=Text(), layers=Anything("layers", [Flatten()]), head=Anything("None or a Dense layer", None, Dense(2)),
        input_shape=Several(Whole(1), 1, 4), weights=NONE | Map(Numbers(None)),
    )  # fmt: skip
    def __init__(
        self, name: str, layers: Sequence[Any], head: Any, input_shape: tuple[int, ...],
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        layers = tuple(check_items(layers, "layers", "a sequence of layers", 1000))
        if lost := [layer for layer in layers if not _is_layer(layer)]:
            raise ArgumentError(f"layers must be layers of neuralstat.layers; got {shown(lost[0])}.")
        if head is not None and not isinstance(head, Dense):
            raise ArgumentError(f"head must be None or a Dense layer; got {shown(head)}.")
        self.head: Any = head
        self.name, self.layers, self.input_shape = name, layers, input_shape
        self.arrays = {name: shape for name, shape in array_shapes(self._graph).items()
                       if head is not None or name.rpartition("/")[0] != _END.name}  # fmt: skip
        self.weights = None if weights is None else dict(weights)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, k: Any) -> Any:
        return self.layers[k]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __repr__(self) -> str:
        known = "no weights" if self.weights is None else "with weights"
        return f"{self.name}({len(self.names)} hidden layers, {self.n_params:,} parameters, {known})"

    @property
    def n_params(self) -> int:
        """Number of weights, those of the head included."""
        return sum(math.prod(shape) for shape in self.arrays.values())

    @property
    def layer_table(self) -> pd.DataFrame:
        """A row per layer, the head's last, as of a fit; ``trained`` counts all weights."""
        network, params = self._graph, {**dict.fromkeys(self._graph.layer_names, 0), **sizes_by_layer(self._graph)}
        rows = [(name, type(layer).__name__, place[2], params[name], params[name])
                for name, layer, place in zip(network.layer_names, network.layers, network.places, strict=True)]  # fmt: skip
        rows = rows if self.head is not None else rows[: -len(ENDING)]
        return pd.DataFrame(rows, columns=["layer", "kind", "output_shape", "params", "trained"]).set_index("layer")

    def summary(self) -> str:
        """Keras' table of the layers, as text; works without weights."""
        inputs = "x".join(map(str, self.input_shape))
        return layers_table(self.layer_table, f"{self.name} (input {inputs})").text()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hidden layers."""
        return self._graph.layer_names[: -1 if self.head is not None else -len(ENDING)]

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the hidden layers that have weights; ``freeze=application.weight_names`` holds them all."""
        head = None if self.head is None else self.head.name
        return tuple(dict.fromkeys(layer for layer in (name.rpartition("/")[0] for name in self.arrays) if layer != head))

    @property
    def startweights(self) -> dict[str, np.ndarray]:
        """Weights of the hidden layers, for ``startweights=``.

        Raises
        ------
        ArgumentError
            Where it has none.
        """
        weights, known = self._known(), set(self.weight_names)
        return {name: array for name, array in weights.items() if name.rpartition("/")[0] in known}

    def _known(self) -> dict[str, np.ndarray]:
        """The weights, of which no array is lacking or has another shape."""
        if self.weights is None:
            raise ArgumentError(f"{self.name}: it has no weights; give the file as weights=.")
        for name, shape in self.arrays.items():
            if name not in self.weights:
                raise ArgumentError(f"weights: {name!r}, of the shape {shape}, is lacking.")
            if np.shape(self.weights[name]) != shape:
                raise ArgumentError(f"weights: {name!r} has the shape {np.shape(self.weights[name])}, expected {shape}.")
        return self.weights

    def predict(self, images: Any) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        images : array, shape (n, *input_shape)
            As `preprocess_input` gives them.

        Returns
        -------
        array, shape (n, classes)

        Raises
        ------
        ArgumentError
            Where it was made with ``include_top=False``, or has no weights.
        """
        if self.head is None:
            raise ArgumentError(f"{self.name}: made with include_top=False it predicts nothing; see features().")
        z = self._passes(images, None).astype(float)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    @arguments(layer=NONE | Text())
    def features(self, images: Any, layer: str | None = None) -> np.ndarray:
        """Outputs of a hidden layer.

        Parameters
        ----------
        images : array, shape (n, *input_shape)
            As `preprocess_input` gives them.
        layer : str, optional
            The last hidden one unless given.

        Returns
        -------
        array, shape (n, ...)
        """
        names = self.names
        layer = names[-1] if layer is None else layer
        if layer not in names:
            raise ArgumentError(f"layer must be one of {', '.join(map(repr, names))}; got {layer!r}.")
        return self._passes(images, names.index(layer))

    def _passes(self, images: Any, layer: int | None) -> np.ndarray:
        """Outputs (None: the linear predictors), some images at a time."""
        parts = self._parts(images)
        network, kind = self._graph, np.result_type(*self._known().values(), np.float32)
        shape = (self.head.units,) if layer is None else network.places[layer][2]
        units, numbers, size = self._units(network, layer), len(network.input_names), len(parts[0])
        step = max(_IMAGES, _NUMBERS // (numbers if layer is None or possible(network) else network.width))
        out = np.empty((size, *shape), kind)
        x = np.empty((min(step, size), numbers), kind)
        for first in range(0, size, step):
            here = x[: min(step, size - first)]
            at = 0
            for part in parts:
                flat = part[first : first + step].reshape(len(here), -1)
                here[:, at : at + flat.shape[1]] = flat
                at += flat.shape[1]
            check_indexes(network, here.T, "images: ")
            out[first : first + step] = units(here).reshape(-1, *shape)
        return out

    def _parts(self, images: Any) -> list[np.ndarray]:
        """Arrays of the inputs, one after the other."""
        images = as_array(images, "images", "numbers")
        if images.shape[1:] != self.input_shape or images.dtype.kind not in "buif":
            raise DataError(f"images must have the shape (n, {', '.join(map(str, self.input_shape))}), got {images.shape}.")
        return [images]

    def _units(self, network: Network, layer: int | None) -> Callable[[np.ndarray], np.ndarray]:
        """Function from images (m, D) to outputs (None), or to a layer's units."""
        if possible(network) and _weighed(network) <= _PLAIN:
            passes = Passes.of_arrays(network, self._known())  # without a copy of the weights
            return lambda x: passes.outputs(x, layer)
        theta = self._filled(network)
        if layer is None:
            return lambda x: derivatives.outputs(network, np.ascontiguousarray(x.T, float), theta[np.newaxis])[0].T
        return lambda x: derivatives.layer_units(network, np.ascontiguousarray(x.T, float), theta, layer)

    def as_known(self) -> Known:
        """What `neuralstat.insight` looks into: the network with an output layer, whose outputs are numbered from 0.

        Raises
        ------
        ArgumentError
            Where it has no weights, lacks some or has others, or several inputs.
        """
        if self._entries:
            raise ArgumentError(f"{self.name}: it has several inputs, and arrays of one input are looked into.")
        network, outputs, lacking = self._ending()
        return Known(self.name, network, self._theta(network), outputs, lacking, lambda given: self._parts(given)[0])

    def _theta(self, network: Network) -> np.ndarray | ArrayWeights:
        """Weights of a network of these layers; of a large one as they are, in their own type."""
        weights = self._known()
        if suits(network) and _weighed(network) <= _PLAIN and set(weights) == set(self.arrays):
            return ArrayWeights(network, weights, np.result_type(*weights.values(), np.float32))
        return self._filled(network)  # or says what does not fit

    def _filled(self, network: Network) -> np.ndarray:
        """Weights (P,) of a network of these layers in double precision, checked."""
        start = np.zeros(network.n_params) if network.implied is None else network.implied[1]
        return fill(network, start, self._known(), "weights")

    def _ending(self) -> tuple[Network, int, str]:
        """The network with its objective, the number of its outputs, and why it has none."""
        if self.head is None:
            return self._graph, 0, "made with include_top=False it has no outputs; layers are looked into by name."
        return with_output((*self.layers, self.head), self.input_shape, "softmax"), self.head.units, ""

    @cached_property
    def _graph(self) -> Network:
        """The network without its weights; without a head it ends in one unit."""
        end = ENDING if self.head is None else (self.head,)
        return network_of((*self.layers, *end), self.input_shape, self._entries)


_PLAIN = {BatchNorm, Conv1D, Conv2D, Dense, DepthwiseConv1D, DepthwiseConv2D}  # whose arrays passes take as they are
_END = Dense(1, name="_end")
ENDING = (Flatten(name=HIDDEN), _END)


def _weighed(network: Network) -> set[type]:
    """Kinds of the layers that have weights."""
    return {type(layer) for layer, (_, units) in zip(network.table_layers, network.shapes, strict=True) if units}


def _is_layer(layer: Any) -> bool:
    return type(layer) in LAYERS.values() or (isinstance(layer, Node) and isinstance(layer.layer, InputLayer))


def network_of(layers: Sequence[Any], shape: tuple[int, ...], entries: tuple[Entry, ...] = ()) -> Network:
    """A network of layers, the last of which is the output layer, without names of inputs and outputs."""
    flat: Flat = expanded(layers)
    goal = objective("sse", resolve_activation("identity"))
    return Network(flat.layers, shape, goal, ("",) * math.prod(shape), ("",) * flat.layers[-1].units, wires=flat.wires,
                   entries=entries)  # fmt: skip


def with_output(layers: Sequence[Any], shape: tuple[int, ...], activation: Any) -> Network:
    """A network of layers, the last of which is the output layer, with the likelihood that its activation belongs to."""
    flat, act = expanded(layers), resolve_activation(activation)
    units = flat.layers[-1].units
    name = {"softmax": "multinomial" if units > 1 else None, "logistic": "binomial" if units == 1 else None}.get(act.name)
    family = resolve_family(name)
    goal = objective("sse", act) if family is None else family_objective(family)
    end = replace(flat.layers[-1], activation=None)
    return Network((*flat.layers[:-1], end), shape, goal, ("",) * math.prod(shape), ("",) * units, wires=flat.wires)


def with_weights(made: Application, path: str | os.PathLike[str], top: Iterable[str] = ()) -> Application:
    """An application with the weights of a file.

    Parameters
    ----------
    made : Application
    path : path
    top : iterable of str
        Layers whose arrays are left aside: the top of a file, where it is not asked for.
    """
    file, aside = read_weights(path), set(top)
    own = {_now_called(name, made.arrays): array for name, array in file.items() if name.rpartition("/")[0] not in aside}
    made.weights = type(file)(file.path, file.kind, own, file.config, file.ordered).match(made.arrays)
    return made


def _now_called(name: str, arrays: Mapping[str, Any]) -> str:
    """Kernels of depthwise convolutions had another name in Keras 2."""
    layer, _, own = name.rpartition("/")
    return f"{layer}/kernel" if own == "depthwise_kernel" and f"{layer}/kernel" in arrays else name
