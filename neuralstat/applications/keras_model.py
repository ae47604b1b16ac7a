"""Models of Keras as layers and weights: read as data, nothing of them is executed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import as_array, check_items, shown
from ..checks.arguments import NONE, PATH, Anything, Map, Numbers, Several, Text, Whole, arguments
from ..errors import ArgumentError, DataError, FileFormatError
from ..layers import Activation, Dense, Dropout, Flatten, From, Input
from ..layers.merging import MERGING
from ..layers.random import AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D
from ..network.network import Network
from ..network.table import Entry
from ..weights import read_weights
from ..weights.config import parse_config
from .application import ENDING, Application, network_of, with_output
from .keras_config import Call, Description, damage, described
from .keras_kinds import made_of
from .keras_table import Array, Made, Shape

_OF_TRAINING = (Dropout, AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D)


def _input(given: Any) -> tuple[str, Shape]:
    """An input's name and shape."""
    if not (isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], str)):
        raise ArgumentError(f"inputs must be pairs (name, shape); got {shown(given)}.")
    shape = check_items(given[1], "inputs", "shapes of whole numbers", 4)
    if not shape or not all(isinstance(size, int | np.integer) and not isinstance(size, bool) and size > 0 for size in shape):
        raise ArgumentError(f"inputs: the shape of {given[0]!r} must be 1 to 4 whole numbers above 0; got {shown(given[1])}.")
    return given[0], tuple(map(int, shape))


class KerasModel(Application):
    """Layers and weights of a model of Keras; made by `from_keras`.

    It is the sequence of its layers, so that ``layers=model`` and ``layers=[*model]`` mean ``layers=model.layers``.

    Attributes
    ----------
    name : str
    layers : tuple of layers
        For ``layers=``, the output layer included: a fit takes a last Dense layer with as many units as the family's output
        layer, and its activation, for that one.
    weights : dict of str to array
        For ``startweights=``: ``"conv2d/kernel"``, ...
    input_shape : tuple of int
        Of one observation; of several inputs one after the other.
    inputs : tuple of (str, tuple of int)
        Names and shapes of its inputs.
    freeze : tuple of str
        For ``freeze=``: layers that are not trained in Keras (``trainable=False``, and batch normalisation called with
        ``training=False``).

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> layer = ns.layers.Dense(2, "softmax", name="out")
    >>> weights = {"out/kernel": np.eye(2), "out/bias": np.zeros(2)}
    >>> model = ns.applications.KerasModel("small", [layer], [("x", (2,))], weights)
    >>> model
    small(1 layers, 6 parameters, with weights)
    >>> model.predict(np.array([[0.0, 0.0], [2.0, 0.0]])).round(2)
    array([[0.5 , 0.5 ],
           [0.88, 0.12]])
    """

    @arguments(
        name=Text(), layers=Anything("layers", [Flatten()]), inputs=Anything("pairs (name, shape)", [("x", (2,))]),
        weights=NONE | Map(Numbers(None)), freeze=Several(Text(), 0),
    )  # fmt: skip
    def __init__(
        self, name: str, layers: Sequence[Any], inputs: Sequence[tuple[str, Shape]], weights: Mapping[str, np.ndarray] | None,
        freeze: Sequence[str] = (),
    ) -> None:  # fmt: skip
        pairs = check_items(inputs, "inputs", "pairs (name, shape)", 1000)
        self.inputs, self.freeze = tuple(map(_input, pairs)), tuple(freeze)
        first, entries = 0, []
        for own, shape in self.inputs:
            entries.append(Entry(first, shape, name=own))
            first += math.prod(shape)
        self._entries = tuple(entries) if len(entries) > 1 else ()
        super().__init__(name, layers, None, (first,) if self._entries else self.inputs[0][1], weights)

    def __repr__(self) -> str:
        known = "no weights" if self.weights is None else "with weights"
        return f"{self.name}({len(self.names)} layers, {self.n_params:,} parameters, {known})"

    def predict(self, images: Any) -> np.ndarray:
        """What the last layer gives, in prediction.

        Parameters
        ----------
        images : array, shape (n, *input_shape)
            Observations. For several inputs a sequence of arrays in the order of `inputs`, or a dict of them by name.

        Returns
        -------
        array, shape (n, ...)
        """
        return self.features(images)

    def _ending(self) -> tuple[Network, int, str]:
        """Its last layer is the output layer, where it is a Dense one."""
        last = self.layers[-1]
        if type(last) is Dense:
            return with_output(self.layers, self.input_shape, last.activation), last.units, ""
        return self._graph, 0, f"it ends in {type(last).__name__}, not in a Dense layer; layers are looked into by name."

    def _parts(self, given: Any) -> list[np.ndarray]:
        """Arrays of the inputs, in their order."""
        if not self._entries:
            return super()._parts(given)
        names = [name for name, _ in self.inputs]
        if isinstance(given, Mapping):
            if set(given) != set(names):
                raise DataError(f"images must have the inputs {', '.join(map(repr, names))}; got {list(given)!r:.80}.")
            given = [given[name] for name in names]
        given = check_items(given, "images", "a sequence of arrays", 1000)
        arrays = [as_array(array, "images", "numbers") for array in given]
        if len(arrays) != len(names):
            raise DataError(f"images must be {len(names)} arrays, one for each input; got {len(arrays)}.")
        for array, (name, shape) in zip(arrays, self.inputs, strict=True):
            if array.shape[1:] != shape or array.dtype.kind not in "buif" or len(array) != len(arrays[0]):
                said = f"(n, {', '.join(map(str, shape))})"
                raise DataError(f"images of input {name!r} must be numbers of the shape {said}, got {array.shape}.")
        return arrays


@arguments(
    model=PATH | Anything("a path, or a model of Keras", "model.keras"), input_shape=NONE | Several(Whole(1), 1, 8),
    max_bytes=Whole(1, 2**62),
)  # fmt: skip
def from_keras(model: Any, *, input_shape: tuple[int, ...] | None = None, max_bytes: int = 2**33) -> KerasModel:
    """Layers and weights of a model of Keras.

    Parameters
    ----------
    model : path, or a model of Keras
        A file as ``model.save`` writes it, ``.keras`` or ``.h5`` (of Keras 2, too), read as `read_weights` reads files:
        nothing in it is executed. Or the model itself: an object with `get_config` and `layers` that have `weights`.
        Sequential and functional models, and such models in them, whose layers are put in their place.
    input_shape : tuple of int, optional
        Of one observation, where the model does not say it, as of sequences of any length.
    max_bytes : int
        Files whose arrays take more memory are refused.

    Returns
    -------
    KerasModel
        With `layers` for ``layers=``, `weights` for ``startweights=``, `freeze` for ``freeze=``; `input_shape`, `summary`,
        `predict`, `features`.

    Raises
    ------
    ArgumentError
        For a layer, or an argument of one, that has no counterpart, by name; layers that are called twice, whose weights
        would be shared; several outputs; files of weights only.
    FileFormatError
        Where the file is damaged, needs code to be executed (Lambda layers), or configuration and arrays do not fit together.
    OSError
        Where there is no such file, or it cannot be read.

    Notes
    -----
    Names of layers are Keras'; where models in one another have layers of one name, the inner one has that of its model
    before it. Dense over sequences and images becomes a convolution of single positions, which is the same. Start values
    (initializers) matter only where weights are not given, and are kept where they have names here.

    Examples
    --------
    >>> import neuralstat as ns
    >>> model = ns.from_keras("digits.keras")  # doctest: +SKIP
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=model, startweights=model.weights,
    ...                    family="multinomial", epochs=0)  # doctest: +SKIP
    """
    if isinstance(model, Path | str | os.PathLike):
        path = Path(model)
        file = read_weights(path, max_bytes=max_bytes)
        if file.config is None:
            raise ArgumentError(f"{path}: it holds weights without a model's configuration; give layers, and the weights by "
                                "read_weights(path).match(...).")  # fmt: skip
        try:
            return _made(file.config, file, input_shape)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None
        except ArgumentError as error:
            raise ArgumentError(f"{path}: {error}") from None
    return _made(_config_of(model), _arrays_of(model, ""), input_shape)


def _config_of(model: Any) -> dict[str, Any]:
    """The configuration of a model, as plain data."""
    if not callable(getattr(model, "get_config", None)) or not isinstance(getattr(model, "layers", None), list | tuple):
        raise ArgumentError(f"model must be a path, or a model of Keras with get_config() and layers; got {model!r:.80}.")
    config = model.get_config()
    try:
        kind = next((k.__name__ for k in type(model).__mro__ if k.__name__ in ("Sequential", "Functional")), None)
        return parse_config(json.dumps({"class_name": kind or type(model).__name__, "config": config,
                                        "keras_version": "2." if type(model).__module__.startswith("tf_keras") else None}))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"model: its configuration is no plain data ({str(error)[:80]}).") from None


def _arrays_of(model: Any, path: str) -> dict[str, np.ndarray]:
    """Arrays of all layers by their number in the layer: ``"outer/dense/0"``."""
    found: dict[str, np.ndarray] = {}
    for layer in model.layers:
        name = f"{path}{layer.name}"
        if isinstance(getattr(layer, "layers", None), list | tuple):
            found |= _arrays_of(layer, f"{name}/")
            continue
        for k, weight in enumerate(layer.weights):
            array = weight.numpy() if callable(getattr(weight, "numpy", None)) else weight
            found[f"{name}/{k}"] = as_array(array, f"model: weights of layer {name!r}", "numbers")
    return found


def _made(config: dict[str, Any], stored: Mapping[str, np.ndarray], input_shape: tuple[int, ...] | None) -> KerasModel:
    with damage():
        description = described(config)
        inputs = _shapes(description, input_shape)
        built = _Builder(description, inputs)
    weights = _weights(built.arrays, stored)
    made = KerasModel(description.name, built.layers, inputs, None, built.freeze)
    wrong = [name for name, shape in made.arrays.items() if name not in weights or weights[name].shape != shape]
    if wrong:
        got = weights[wrong[0]].shape if wrong[0] in weights else "nothing"
        raise FileFormatError(f"array {wrong[0]!r} should have the shape {made.arrays[wrong[0]]}, but has {got}")
    for name, array in weights.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise FileFormatError(f"array {name!r} must hold finite numbers")
    made.weights = {name: weights[name] for name in made.arrays}
    return made


def _weights(arrays: Sequence[Array], stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays under our names, as they are laid out here."""
    found: dict[str, np.ndarray] = {}
    used = set()
    for array in arrays:
        name = next((name for name in array.theirs if name in stored), None)
        if name is None:
            raise FileFormatError(f"the weights lack the array {array.theirs[0]!r}")
        used.add(name)
        found[array.name] = stored[name] if array.change is None else array.change(stored[name])
    if surplus := [name for name, array in stored.items() if name not in used and array.dtype.kind == "f"]:
        raise FileFormatError(f"the weights have an array {surplus[0]!r} that no layer of the model has")
    return found


def _shapes(description: Description, given: tuple[int, ...] | None) -> tuple[tuple[str, Shape], ...]:
    """Names and shapes of the inputs."""
    found: list[tuple[str, Shape]] = []
    for name, shape in description.inputs:
        if given is not None:
            fits = shape is None or (
                len(shape) == len(given) and all(a in (None, b) for a, b in zip(shape, given, strict=True))
            )
            if len(description.inputs) > 1 or not fits:
                said = "has several inputs" if len(description.inputs) > 1 else f"is made for {shape}"
                raise ArgumentError(f"input_shape must fit the model, which {said}; got {given!r}.")
            shape = tuple(given)
        if shape is None or any(size is None for size in shape):
            said = "no shape" if shape is None else f"the shape {shape}"
            raise ArgumentError(f"the input {name!r} has {said} in the model: give input_shape= of one observation.")
        if not shape:
            raise ArgumentError(f"the input {name!r} is one number without an axis, which has no counterpart.")
        found.append((name, tuple(size for size in shape if size is not None)))
    if not found:
        raise FileFormatError("the model has no input")
    return tuple(found)


class _Builder:
    """Layers as a sequence: those that read others than the one before them say which."""

    def __init__(self, description: Description, inputs: Sequence[tuple[str, Shape]]) -> None:
        self.layers: list[Any] = []
        self.arrays: list[Array] = []
        self.held: list[str] = []
        self.shapes: dict[str, Shape] = dict(inputs)
        self.read = {name: name for name, _ in inputs}  # by what names calls and inputs are read
        single = len(inputs) == 1
        if single and all(call.name != "input" for call in description.calls):
            self.read[inputs[0][0]] = "input"
        else:
            self.layers += [Input(None if single else shape, name) for name, shape in inputs]
        self.before = self.read[inputs[-1][0]]
        for call in description.calls:
            self._add(call)
        if self.read[description.output] != self.before or not description.calls:
            raise ArgumentError("a model whose output is not that of its last layer has no counterpart.")
        self._fold()

    @property
    def freeze(self) -> tuple[str, ...]:
        """Layers that are held."""
        return tuple(dict.fromkeys(self.held))

    def _add(self, call: Call) -> None:
        made = made_of(call, [self.shapes[name] for name in call.reads])
        shape, at = self.shapes[call.reads[0]], self.read[call.reads[0]]
        if call.inference and isinstance(getattr(made.layers[0], "layer", made.layers[0]), _OF_TRAINING):
            self.shapes[call.name], self.read[call.name] = shape, at
            return
        joins = isinstance(made.layers[0], MERGING)
        if joins:
            made = self._joined(call, made)
        elif len(call.reads) != 1 and call.kind != "MultiHeadAttention":
            raise FileFormatError(f"{call.label} reads {len(call.reads)} layers")
        elif at != self.before:
            self.layers.append(From(at))
        for k, layer in enumerate(made.layers):
            shape = self._shape(call, layer, [self.shapes[r] for r in call.reads] if joins and k == 0 else [shape])
        self.layers += made.layers
        self.arrays += made.arrays
        self.held += [array.name.rpartition("/")[0] for array in made.arrays if array.held]
        self.before = made.layers[-1].name
        self.shapes[call.name], self.read[call.name] = shape, self.before

    def _joined(self, call: Call, made: Made) -> Made:
        names = tuple(self.read[name] for name in call.reads)
        return Made([replace(made.layers[0], inputs=names), *made.layers[1:]], made.arrays)

    def _shape(self, call: Call, layer: Any, shapes: Sequence[Shape]) -> Shape:
        """Of what comes out of a layer."""
        try:
            if isinstance(layer, MERGING):
                return tuple(layer.join(shapes).shape)
            if hasattr(layer, "place"):
                return tuple(layer.place(shapes[0]).shape)
            return tuple(network_of((layer, *ENDING), shapes[0]).places[-3][2])
        except ArgumentError as error:
            raise FileFormatError(f"{call.label}: {error}") from None

    def _fold(self) -> None:
        """An activation of its own behind a last Dense layer becomes that layer's."""
        if len(self.layers) < 2 or not isinstance(self.layers[-1], Activation) or type(self.layers[-2]) is not Dense:
            return
        dense, last = self.layers[-2:]
        if dense.activation is None:
            self.layers[-2:] = [replace(dense, activation=last.activation)]
