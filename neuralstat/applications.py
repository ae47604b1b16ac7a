"""Networks that others have trained: VGG-16, with weights from a file that you have."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .checks import as_array, check_items, check_size, shown
from .checks.arguments import FLAG, NONE, PATH, Anything, Choice, Map, Numbers, Several, Text, Whole, arguments
from .checks.files import named, open_regular, parse_json
from .errors import ArgumentError, DataError, DataWarning, FileFormatError, caller
from .layers import LAYERS, Conv2D, Dense, Flatten, MaxPool2D, codes
from .network import derivatives
from .network.arrays import fill
from .network.network import Network
from .network.objective import objective, resolve_activation
from .network.passes import Passes, possible
from .summary.tables import layers_table
from .weights import read_weights

VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and filters of each block
VGG16_DENSE = (4096, 4096)
MEANS = (103.939, 116.779, 123.68)  # blue, green, red, of ImageNet's training images
_SMALLEST = 32
_IMAGES = 16  # per pass
_INDEX_LIMIT = 10_000_000


class Application(Sequence[Any]):
    """Layers of a known network with their weights; made by `VGG16`.

    It is the sequence of its hidden layers, so that ``layers=application`` and ``layers=[*application, Flatten(),
    Dense(256, "relu")]`` go on from it; an output layer is implied by the response, as always.

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
    """

    @arguments(
        name=Text(), layers=Anything("layers", [Flatten()]), head=Anything("None or a Dense layer", None, Dense(2)),
        input_shape=Several(Whole(1), 1, 4), weights=NONE | Map(Numbers(None)),
    )  # fmt: skip
    def __init__(
        self, name: str, layers: Sequence[Any], head: Any, input_shape: tuple[int, ...],
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        layers = tuple(check_items(layers, "layers", "a sequence of layers", 1000))
        if lost := [layer for layer in layers if type(layer) not in LAYERS.values()]:
            raise ArgumentError(f"layers must be layers of neuralstat.layers; got {shown(lost[0])}.")
        if head is not None and not isinstance(head, Dense):
            raise ArgumentError(f"head must be None or a Dense layer; got {shown(head)}.")
        self.head: Any = head
        self.name, self.layers, self.input_shape = name, layers, input_shape
        self.arrays = _arrays(self.layers if head is None else (*self.layers, head), input_shape)
        self.weights = None if weights is None else dict(weights)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, k: Any) -> Any:
        return self.layers[k]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __repr__(self) -> str:
        known = "no weights" if self.weights is None else "with weights"
        return f"{self.name}({len(self.layers)} hidden layers, {self.n_params:,} parameters, {known})"

    @property
    def n_params(self) -> int:
        """Number of weights, those of the head included."""
        return sum(math.prod(shape) for shape in self.arrays.values())

    @property
    def layer_table(self) -> pd.DataFrame:
        """A row per layer, the head's last, as of a fit; ``trained`` counts all weights."""
        rows, shape = [], self.input_shape
        for layer in self.layers if self.head is None else (*self.layers, self.head):
            place = layer.place(shape)
            shape = tuple(place.shape)
            rows.append((layer.name, type(layer).__name__, shape, place.n_params, place.n_params))
        return pd.DataFrame(rows, columns=["layer", "kind", "output_shape", "params", "trained"]).set_index("layer")

    def summary(self) -> str:
        """Keras' table of the layers, as text; works without weights."""
        inputs = "x".join(map(str, self.input_shape))
        return layers_table(self.layer_table, f"{self.name} (input {inputs})").text()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hidden layers."""
        return tuple(layer.name for layer in self.layers)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the hidden layers that have weights; ``freeze=application.weight_names`` holds them all."""
        head = None if self.head is None else self.head.name
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.arrays if name.partition("/")[0] != head))

    @property
    def startweights(self) -> dict[str, np.ndarray]:
        """Weights of the hidden layers, for ``startweights=``.

        Raises
        ------
        ArgumentError
            Where it has none.
        """
        weights = self._known()
        return {name: array for name, array in weights.items() if name.partition("/")[0] in self.weight_names}

    def _known(self) -> dict[str, np.ndarray]:
        if self.weights is None:
            raise ArgumentError(f"{self.name}: it has no weights; give the file as weights=.")
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
        images = as_array(images, "images", "numbers")
        if images.shape[1:] != self.input_shape or images.dtype.kind not in "buif":
            raise DataError(f"images must have the shape (n, {', '.join(map(str, self.input_shape))}), got {images.shape}.")
        network, kind = self._network(), np.result_type(*self._known().values())
        row, shape = (None, (self.head.units,)) if layer is None else network.places[layer][::2]
        units = self._units(network, kind, layer, row)
        out = np.empty((len(images), *shape), kind)
        for first in range(0, len(images), _IMAGES):
            some = slice(first, first + _IMAGES)
            out[some] = units(images[some].astype(kind).reshape(-1, math.prod(self.input_shape))).reshape(-1, *shape)
        return out

    def _units(self, network: Network, kind: Any, layer: int | None, row: int | None) -> Callable[[np.ndarray], np.ndarray]:
        """Function from images (m, D) to outputs (None), or to a layer's units."""
        plain = {codes.CONV2D, codes.DENSE, codes.POOL, codes.DROPOUT, codes.COPY}
        if row != -1 and possible(network) and plain.issuperset(network.table[:, codes.OP].tolist()):
            passes = Passes.of_arrays(network, self._known())  # without a copy of the weights
            return lambda x: passes.outputs(x, row)
        theta = fill(network, np.zeros(network.n_params), self._known(), "weights")
        if layer is None:
            return lambda x: derivatives.outputs(network, np.ascontiguousarray(x.T, float), theta[np.newaxis])[0].T
        return lambda x: derivatives.layer_units(network, np.ascontiguousarray(x.T, float), theta, layer)

    def _network(self) -> Network:
        """The network; without a head it ends in one unit."""
        if not hasattr(self, "_made"):
            end: list[Any] = [Flatten(name="_flatten"), Dense(1, name="_end")] if self.head is None else [self.head]
            self._made = Network((*self.layers, *end), self.input_shape, objective("sse", resolve_activation("identity")),
                                 ("",) * math.prod(self.input_shape), ("",) * end[-1].units)  # fmt: skip
        return self._made


def _arrays(layers: Sequence[Any], shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of convolutions and dense layers, as Keras has them."""
    out: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        if isinstance(layer, Conv2D):
            size = layer.kernel_size
            rows, columns = (size, size) if isinstance(size, int) else size
            out[f"{layer.name}/kernel"] = (rows, columns, shape[-1], layer.filters)
            out[f"{layer.name}/bias"] = (layer.filters,)
        elif isinstance(layer, Dense):
            out[f"{layer.name}/kernel"], out[f"{layer.name}/bias"] = (shape[0], layer.units), (layer.units,)
        shape = tuple(layer.place(shape).shape)
    return out


@arguments(
    blocks=Several(Several(Whole(1, 10_000), 2, 2), 0, 20), dense=Several(Whole(1), 0, 20), classes=NONE | Whole(1),
    input_shape=Several(Whole(1), 3, 3), name=Text(),
)  # fmt: skip
def vgg(
    blocks: Sequence[tuple[int, int]], dense: Sequence[int], classes: int | None, input_shape: tuple[int, ...],
    name: str = "vgg",
) -> Application:  # fmt: skip
    """A network of VGG's kind: blocks of 3 x 3 convolutions with relu, each followed by a maximum over 2 x 2.

    Parameters
    ----------
    blocks : sequence of (int, int)
        Convolutions and filters of each block.
    dense : sequence of int
        Units of the dense layers; used where there are `classes`.
    classes : int or None
        None: without dense layers and output.
    input_shape : (rows, columns, channels)
    name : str

    Returns
    -------
    Application
        Without weights.
    """
    layers: list[Any] = []
    for k, (convolutions, filters) in enumerate(blocks, start=1):
        layers += [Conv2D(filters, 3, activation="relu", padding="same", name=f"block{k}_conv{j}")
                   for j in range(1, convolutions + 1)]  # fmt: skip
        layers.append(MaxPool2D(2, strides=2, name=f"block{k}_pool"))
    if classes is None:
        return Application(name, layers, None, input_shape)
    layers.append(Flatten(name="flatten"))
    layers += [Dense(units, "relu", name=f"fc{k}") for k, units in enumerate(dense, start=1)]
    return Application(name, layers, Dense(classes, name="predictions"), input_shape)


@arguments(weights=NONE | PATH, include_top=FLAG, classes=Whole(2), input_shape=NONE | Several(Whole(1), 3, 3))
def VGG16(
    weights: str | os.PathLike[str] | None = None, include_top: bool = True, classes: int = 1000,
    input_shape: tuple[int, int, int] | None = None,
) -> Application:  # fmt: skip
    """VGG-16: thirteen convolutions in five blocks and, as top, two dense layers of 4096 units and the output.

    Parameters
    ----------
    weights : path, optional
        File of its weights, as Keras' ``vgg16_weights_tf_dim_ordering_tf_kernels.h5`` (or ``..._notop.h5``), or any that
        `read_weights` reads and that calls layers as Keras does (block1_conv1, ..., fc1, fc2, predictions). Nothing is
        downloaded. Without it the layers have no weights.
    include_top : bool
        Whether the dense layers belong to it. The top of a file that has one is left aside where it is not asked for.
    classes : int
        Of the output.
    input_shape : (rows, columns, 3), optional
        (224, 224, 3) unless given; at least 32 rows and columns.

    Returns
    -------
    Application
        A sequence of hidden layers for ``layers=``, with `startweights`, `weight_names` (to freeze), `predict`,
        `features`. 138,357,544 weights with top and 1000 classes, 14,714,688 without.

    Raises
    ------
    DataError
        Naming all arrays of the file that are missing, unexpected or of another shape.
    ArgumentError, FileFormatError, OSError

    Notes
    -----
    Predictions are worked out in the type of the weights (float32 in files), and hold little more memory than these.

    References
    ----------
    Simonyan, K. & Zisserman, A. (2015). Very deep convolutional networks for large-scale image recognition. ICLR.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.applications.VGG16().n_params
    138357544
    """
    shape = (224, 224, 3) if input_shape is None else input_shape
    if min(shape[:2]) < _SMALLEST or shape[2] != 3:
        raise ArgumentError(f"input_shape must be (rows, columns, 3) with at least 32 rows and columns, got {input_shape!r}.")
    made = vgg(VGG16_BLOCKS, VGG16_DENSE, classes if include_top else None, shape, "VGG16")
    if weights is not None:
        file = read_weights(weights)
        top = {name for layer in ("fc1", "fc2", "predictions") for name in (f"{layer}/kernel", f"{layer}/bias")}
        own = {name: array for name, array in file.items() if include_top or name not in top}
        made.weights = type(file)(file.path, file.kind, own, file.config, file.ordered).match(made.arrays)
    return made


@arguments(model=Choice("vgg16"))
def preprocess_input(images: Any, model: str = "vgg16") -> np.ndarray:
    """Images as a network was trained on them.

    Parameters
    ----------
    images : array, shape (..., 3)
        Red, green, blue from 0 to 255.
    model : "vgg16"
        Channels become blue, green, red, less their means over ImageNet.

    Returns
    -------
    array of the same shape
        float32 for float32, else float64.

    Raises
    ------
    ArgumentError
        Where there are no three channels, or the model is unknown.

    Warns
    -----
    DataWarning
        Where no value is above 1, as in images that were divided by 255.
    """
    images = as_array(images, "images", "numbers with three channels in the last axis")
    if images.ndim < 1 or images.shape[-1] != 3 or images.dtype.kind not in "buif":
        raise ArgumentError(f"images must have three channels in the last axis, got the shape {images.shape}.")
    if images.size and 0 < images.max() <= 1:
        warnings.warn("preprocess_input wants values from 0 to 255, but none is above 1; multiply scaled images by 255.",
                      DataWarning, stacklevel=caller())  # fmt: skip
    check_size(images.size, "images as numbers")
    kind = np.float32 if images.dtype == np.float32 else np.float64
    return images[..., ::-1].astype(kind) - np.array(MEANS, kind)


@arguments(predictions=Numbers(2), class_index=PATH, top=Whole(1))
def decode_predictions(
    predictions: Any, class_index: str | os.PathLike[str], top: int = 5
) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each image by name.

    Parameters
    ----------
    predictions : array, shape (n, classes)
    class_index : path
        Keras' ``imagenet_class_index.json``: ``{"0": ["n01440764", "tench"], ...}``.
    top : int
        How many.

    Returns
    -------
    list of lists of (id, name, probability)

    Raises
    ------
    FileFormatError
        Where the file does not name the classes.
    ArgumentError
        Where `predictions` has another number of classes.
    """
    names = _class_names(Path(class_index))
    if predictions.shape[1] != len(names):
        raise ArgumentError(f"predictions must have the shape (n, {len(names)}), got {predictions.shape}.")
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [[(*names[k], float(row[k])) for k in best] for row, best in zip(predictions, order, strict=True)]


def _class_names(path: Path) -> list[tuple[str, str]]:
    try:
        with named(path), open_regular(path) as file:
            given = parse_json(file.read(_INDEX_LIMIT), f"{path}: it is no index of classes")
        names = [tuple(given[str(k)]) for k in range(len(given))]
        if not names or not all(len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in names):
            raise ValueError("an entry is no pair of texts")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{path}: it is no index of classes ({type(error).__name__}: {error!s:.80})") from None
    return names
