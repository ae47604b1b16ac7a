"""Layers as the graph of a functional model of Keras 3, and where its weights lie in the file.

A model is a list of layers, each called once; its weights lie under the name of the layer's class and its number among those
of the class, in Keras' order of layers: by the longest way to the output, then as a search from the output meets them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..layers import codes
from ..layers import layer_norm as norm
from ..layers.attention import CAUSAL, HEADS
from ..layers.merge import INNER, LARGEST, PRODUCT, SMALLEST, UNIT
from ..layers.recurrent_rows import BY_GATE, DROPS, RESET_FIRST
from .walk import plain_name

Arrays = dict[str, np.ndarray]
DTYPE = "float32"  # what Keras computes in, whatever the dtype of a layer (3.15 on torch)
ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "selu": "selu",
               "softplus": "softplus", "gelu": "gelu", "swish": "silu", "softmax": "softmax", "hard_swish": "hard_silu",
               **{name: name for name in (
                   "log_softmax", "relu6", "hard_sigmoid", "softsign", "mish", "exponential", "celu", "hard_tanh",
                   "tanh_shrink", "soft_shrink", "hard_shrink", "log_sigmoid", "squareplus", "sparse_plus",
                   "sparse_sigmoid")}}  # fmt: skip
PARAMETERS = {"celu": 1.0, "soft_shrink": 0.5, "hard_shrink": 0.5, "squareplus": 4.0}  # Keras' own
DROPPING = DROPS | BY_GATE  # options of recurrent layers that are of training alone
LINKS = {"log": "exponential", "logit": "sigmoid"}


class Tensor(NamedTuple):
    """The layer that gives it, and the shape of an observation."""

    layer: int
    shape: tuple[int, ...]


class Projected(NamedTuple):
    """What a part of attention reads, and its weights: Keras has the parts in one layer."""

    source: Tensor
    arrays: Arrays
    shape: tuple[int, ...]


class Attended(NamedTuple):
    """Attention before its last part."""

    ways: list[Projected]
    row: np.ndarray
    shape: tuple[int, ...]


@dataclass
class Node:
    """A layer of the model: its class, its arguments, what it reads, its weights in Keras' order."""

    kind: str
    config: dict[str, Any]
    sources: list[Tensor]
    shape: tuple[int, ...]
    weights: list[np.ndarray] = field(default_factory=list)
    listed: bool = False
    #: Of layers in it: folder and name -> weights
    inner: dict[tuple[str, str], list[np.ndarray]] = field(default_factory=dict)
    called: dict[str, Any] = field(default_factory=dict)  # further arguments of the call

    @property
    def name(self) -> str:
        """Of the layer."""
        return self.config["name"]

    @property
    def folder(self) -> str:
        """Where its weights lie below the layer's folder: those of recurrent layers are their cells'."""
        return "cell/vars" if self.kind in ("LSTM", "GRU", "SimpleRNN") else "vars"


class Graph:
    """Layers of a model, in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.suffix = ""
        self.sequences: dict[tuple[int, int, int], Tensor] = {}  # what attention reads, by layer and shape
        self._names: set[str] = set()

    def add(
        self, kind: str, name: str, config: dict[str, Any], sources: Sequence[Tensor], shape: tuple[int, ...],
        weights: Sequence[np.ndarray] = (), listed: bool = False, dtype: str = DTYPE,
    ) -> Tensor:  # fmt: skip
        """A further layer."""
        stem = f"{name}{self.suffix}" if kind != "InputLayer" else name
        name, k = stem, 0
        while name in self._names:
            k += 1
            name = f"{stem}_{k}"
        self._names.add(name)
        if kind == "InputLayer":
            config = {"name": name, "dtype": dtype, **config}
        else:
            policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": dtype}, "registered_name": None}
            config = {"name": name, "trainable": True, "dtype": policy, **config}
        self.nodes.append(Node(kind, config, list(sources), shape, list(weights), listed))
        return Tensor(len(self.nodes) - 1, shape)

    # shapes and sums -------------------------------------------------------------------------------------------

    def shaped(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """The same units in another shape."""
        shape = tuple(int(n) for n in shape)
        if shape == x.shape:
            return x
        if len(shape) == 1:
            return self.add("Flatten", "flatten", {}, [x], shape)
        return self.add("Reshape", "reshape", {"target_shape": list(shape)}, [x], shape)

    def flat(self, x: Tensor) -> Tensor:
        """One axis of units."""
        return self.shaped(x, (math.prod(x.shape),))

    def side_by_side(self, tensors: Sequence[Tensor]) -> Tensor:
        """Units of several tensors as one."""
        parts = [self.flat(x) for x in tensors]
        return self.add("Concatenate", "concatenate", {"axis": -1}, parts, (sum(x.shape[0] for x in parts),), listed=True)

    def part(self, tensor: Tensor, start: int, stop: int) -> Tensor:
        """Keras has no layer that takes some units."""
        raise ArgumentError("a layer reads a part of another's units, which cannot be exported to Keras yet.")

    def units(self, tensors: Sequence[Tensor], index: np.ndarray) -> Tensor:
        """Keras has no layer that takes units one by one."""
        raise ArgumentError("a layer that pads, repeats, permutes or joins images cannot be exported to Keras yet.")

    def plus(self, x: Tensor, offset: Tensor) -> Tensor:
        """Sums, unit by unit."""
        if x.shape != offset.shape:
            x, offset = self.flat(x), self.flat(offset)
        name = "add_offset" if self.nodes[offset.layer].kind == "InputLayer" else "add"
        return self.add("Add", name, {}, [x, offset], x.shape, listed=True)

    def times(self, x: Tensor, factor: float) -> Tensor:
        """Units times a number."""
        return self.add("Rescaling", "rescaling", {"scale": factor, "offset": 0.0}, [x], x.shape)

    # layers --------------------------------------------------------------------------------------------------

    def layer(self, name: str, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
        """What a row of the table makes of x, without its activation."""
        return _LAYERS[int(row[codes.OP])](self, plain_name(name), layer, row, arrays, x)

    def merge(self, name: str, layer: Any, row: np.ndarray, parts: Sequence[Any]) -> Any:
        """What a row of the table makes of several."""
        if row[codes.OP] == codes.ATTENTION:
            return Attended(list(parts), row, (int(row[codes.TIMES]), int(row[HEADS] * row[codes.UNITS])))
        if row[codes.KIND] == INNER:
            return _dot(self, plain_name(name), row, *parts)
        if any(x.shape != parts[0].shape for x in parts):
            parts = [self.flat(x) for x in parts]
        kind = {PRODUCT: "Multiply", LARGEST: "Maximum", SMALLEST: "Minimum"}[int(row[codes.KIND])]
        return self.add(kind, plain_name(name), {}, parts, parts[0].shape, listed=True)

    def activation(self, name: str, kind: str, parameter: float, z: Tensor) -> Tensor:
        """An activation of `ACTIVATIONS`. It is the layer's own where the layer has one."""
        if kind == "relu6" and parameter != 6:
            return self.add("ReLU", "re_lu", {"max_value": parameter}, [z], z.shape)
        if kind == "leaky_relu":
            return self.add("LeakyReLU", "leaky_relu", {"negative_slope": parameter}, [z], z.shape)
        if kind == "elu":
            return self.add("ELU", "elu", {"alpha": parameter}, [z], z.shape)
        if kind not in ACTIVATIONS or (kind in PARAMETERS and parameter != PARAMETERS[kind]):
            raise ArgumentError(f"layer {name!r}: the activation {kind!r} cannot be exported to Keras.")
        return self.activated(ACTIVATIONS[kind], z, name)

    def activated(self, function: str, z: Tensor, name: str = "activation") -> Tensor:
        """One of Keras' functions."""
        made = self.nodes[z.layer]
        if made.config.get("activation") == "linear" and z.layer == len(self.nodes) - 1:
            made.config["activation"] = function
            return z
        kind = self.add("Activation", plain_name(name), {"activation": function}, [z], z.shape)
        return kind

    def inverse_link(self, link: Any, eta: Tensor) -> Tensor:
        """Means of linear predictors."""
        if link.name not in LINKS:
            raise ArgumentError(f"the link {link.name!r} has no counterpart among Keras' activations: it cannot be exported.")
        return self.activated(LINKS[link.name], eta, "response")

    # order -----------------------------------------------------------------------------------------------------

    def ordered(self, output: Tensor) -> list[int]:
        """Numbers of the layers in Keras' order."""
        met: list[int] = []
        done: list[int] = []
        stack: list[tuple[int, int]] = [(output.layer, 0)]
        while stack:  # a search in depth, without recursion
            at, child = stack.pop()
            if child == 0:
                if at in met:
                    continue
                met.append(at)
            if child < len(self.nodes[at].sources):
                stack += [(at, child + 1), (self.nodes[at].sources[child].layer, 0)]
            else:
                done.append(at)
        depth = dict.fromkeys(met, 0)
        for at in reversed(done):
            for source in self.nodes[at].sources:
                depth[source.layer] = max(depth[source.layer], depth[at] + 1)
        return sorted(met, key=lambda at: (-depth[at], met.index(at)))


def _dense(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    units = arrays["kernel"].shape[1]
    return g.add("Dense", name, {"units": units, "activation": "linear"}, [g.flat(x)], (units,),
                 [arrays["kernel"], arrays["bias"]])  # fmt: skip


def _several(value: Any, n: int) -> list[int]:
    return [int(value)] * n if np.ndim(value) == 0 else [int(one) for one in value]


def _axes(row: np.ndarray, flat: bool, *columns: int) -> tuple[int, ...]:
    """Values of the table by axis; the first of a sequence is left out."""
    return tuple(int(row[c]) for c in (columns[1:] if flat else columns))


def _dot(g: Graph, name: str, row: np.ndarray, first: Tensor, second: Tensor) -> Tensor:
    """Sums of products over the axis in the middle of both; axes of one unit are left out."""
    grids = [tuple(int(row[c]) for c in columns) for columns in ((codes.ROWS, codes.COLS, codes.CHANNELS),
                                                                 (codes.OUT_ROWS, codes.COLS, codes.OUT_COLS))]  # fmt: skip
    shaped = [g.shaped(x, [n for k, n in enumerate(grid) if n > 1 or k == 1])
              for x, grid in zip((first, second), grids, strict=True)]  # fmt: skip
    axes = [1 if grid[0] == 1 else 2 for grid in grids]
    out = [n for grid in grids for n in (grid[0], grid[2]) if n > 1] or [1]
    return g.add("Dot", name, {"axes": axes, "normalize": bool(row[codes.OPTIONS] & UNIT)}, shaped, tuple(out), listed=True)


def _attention(g: Graph, name: str, layer: Any, arrays: Arrays, x: Attended) -> Tensor:
    """All parts of attention as one layer."""
    query, key, value = x.ways
    heads, each, out = int(x.row[HEADS]), int(x.row[codes.FEATURES]), int(x.row[codes.UNITS])
    features = arrays["kernel"].shape[-1]
    config = {"num_heads": heads, "key_dim": each, "value_dim": out, "dropout": 0.0, "use_bias": True,
              "output_shape": features}  # fmt: skip
    sources = [query.source, value.source, *([key.source] if key.source != value.source else [])]
    made = g.add("MultiHeadAttention", name.partition("_attention_output")[0], config, sources,
                 (int(x.row[codes.TIMES]), features))  # fmt: skip
    parts = {("query_dense", "query"): query.arrays, ("key_dense", "key"): key.arrays, ("value_dense", "value"): value.arrays,
             ("output_dense", "attention_output"): arrays}  # fmt: skip
    g.nodes[made.layer].inner = {part: [own["kernel"], own["bias"]] for part, own in parts.items()}
    if x.row[codes.OPTIONS] & CAUSAL:
        g.nodes[made.layer].called = {"use_causal_mask": True}
    return made


def _convolution(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Any:
    if type(layer).__name__ == "Projection":
        positions = int(row[codes.OUT_COLS]), int(row[codes.FILTERS])
        at = x.layer, int(row[codes.COLS]), int(row[codes.CHANNELS])
        if at not in g.sequences:  # query, key and value of one sequence read one layer
            g.sequences[at] = g.shaped(x, at[1:])
        return Projected(g.sequences[at], arrays, positions)
    if isinstance(x, Attended):
        return _attention(g, name, layer, arrays, x)
    if type(layer).__name__ not in ("Conv1D", "Conv2D"):
        raise ArgumentError(f"{type(layer).__name__} (layer {name!r}) cannot be exported to Keras yet.")
    n = arrays["kernel"].ndim - 2
    shape = _axes(row, n == 1, codes.ROWS, codes.COLS, codes.CHANNELS)
    out = _axes(row, n == 1, codes.OUT_ROWS, codes.OUT_COLS, codes.FILTERS)
    config = {"filters": out[-1], "kernel_size": list(arrays["kernel"].shape[:n]), "strides": _several(layer.strides, n),
              "padding": layer.padding, "dilation_rate": _several(layer.dilation_rate, n), "activation": "linear",
              "data_format": "channels_last"}  # fmt: skip
    return g.add(f"Conv{n}D", name, config, [g.shaped(x, shape)], out, [arrays["kernel"], arrays["bias"]])


def _pooling(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    largest = row[codes.KIND] == codes.MAXIMUM
    kind = "Max" if largest else "Average"
    given = type(layer).__name__
    if given.startswith("Global"):
        if len(x.shape) not in (2, 3):
            x = g.shaped(x, (int(row[codes.COLS]), int(row[codes.CHANNELS])))
        dims = len(x.shape) - 1
        return g.add(f"Global{kind}Pooling{dims}D", name, {"data_format": "channels_last"}, [x], (int(row[codes.CHANNELS]),))
    n = 1 if given.endswith("1D") else 2
    shape = _axes(row, n == 1, codes.ROWS, codes.COLS, codes.CHANNELS)
    out = _axes(row, n == 1, codes.OUT_ROWS, codes.OUT_COLS, codes.FILTERS)
    size = _several(layer.pool_size, n)
    config = {"pool_size": size, "strides": size if layer.strides is None else _several(layer.strides, n),
              "padding": layer.padding, "data_format": "channels_last"}  # fmt: skip
    return g.add(f"{kind}Pooling{n}D", name, config, [g.shaped(x, shape)], out)


def _layer_norm(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    if row[codes.KIND] != norm.EACH:
        raise ArgumentError(f"{type(layer).__name__} (layer {name!r}) cannot be exported to Keras yet.")
    shape, axes = norm.grid_of(row)
    if axes == [len(shape)] and x.shape[-1] == shape[-1]:
        shape, axes = x.shape, [-1]
    weights = [arrays[n].reshape([shape[axis - (axis > 0)] for axis in axes]) for n in ("gamma", "beta")]
    return g.add("LayerNormalization", name, {"axis": axes[0] if len(axes) == 1 else axes, "epsilon": float(layer.epsilon)},
                 [g.shaped(x, shape)], shape, weights)  # fmt: skip


def _depthwise(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    if layer.padding == "causal":
        raise ArgumentError(f"{type(layer).__name__} (layer {name!r}): Keras has no causal padding there.")
    n = arrays["kernel"].ndim - 2
    shape = _axes(row, n == 1, codes.ROWS, codes.COLS, codes.CHANNELS)
    out = _axes(row, n == 1, codes.OUT_ROWS, codes.OUT_COLS, codes.FILTERS)
    config = {"kernel_size": list(arrays["kernel"].shape[:n]), "strides": _several(layer.strides, n),
              "padding": layer.padding, "dilation_rate": _several(layer.dilation_rate, n),
              "depth_multiplier": arrays["kernel"].shape[-1], "activation": "linear",
              "data_format": "channels_last"}  # fmt: skip
    return g.add(f"DepthwiseConv{n}D", name, config, [g.shaped(x, shape)], out, [arrays["kernel"], arrays["bias"]])


def _refused(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    raise ArgumentError(f"{type(layer).__name__} (layer {name!r}) cannot be exported to Keras yet.")


def _recurrent(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    units, times, every = int(row[codes.UNITS]), int(row[codes.TIMES]), bool(row[codes.SEQUENCES])
    first = bool(row[codes.OPTIONS] & RESET_FIRST)
    if row[codes.OPTIONS] & ~(DROPPING | RESET_FIRST) or "bias" not in arrays:
        raise ArgumentError(f"{type(layer).__name__} (layer {name!r}) with these options cannot be exported to Keras yet.")
    config = {"units": units, "return_sequences": every, **({"reset_after": False} if first else {})}
    return g.add(type(layer).__name__, name, config,
                 [g.shaped(x, (times, int(row[codes.FEATURES])))], (times, units) if every else (units,),
                 [arrays["kernel"], arrays["recurrent_kernel"], arrays["bias"]])  # fmt: skip


def _embedding(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    rows, dim = arrays["embeddings"].shape
    return g.add("Embedding", name, {"input_dim": rows, "output_dim": dim}, [x], (*x.shape, dim), [arrays["embeddings"]])


def _batch_norm(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    channels = int(row[codes.CHANNELS])
    if x.shape[-1] != channels:
        x = g.shaped(x, (math.prod(x.shape) // channels, channels))
    config = {"axis": -1, "momentum": float(layer.momentum), "epsilon": float(layer.epsilon)}
    return g.add("BatchNormalization", name, config, [x], x.shape,
                 [arrays[n] for n in ("gamma", "beta", "moving_mean", "moving_variance")])  # fmt: skip


def _dropout(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    kind = type(layer).__name__
    return g.add("Dropout", name, {"rate": float(layer.rate)}, [x], x.shape) if kind == "Dropout" else x


def _copy(g: Graph, name: str, layer: Any, row: np.ndarray, arrays: Arrays, x: Tensor) -> Tensor:
    return x


_LAYERS: dict[int, Callable[..., Tensor]] = {
    codes.DENSE: _dense, codes.CONV2D: _convolution, codes.POOL: _pooling, codes.EMBEDDING: _embedding,
    codes.LSTM: _recurrent, codes.GRU: _recurrent, codes.SIMPLE_RNN: _recurrent, codes.BATCH_NORM: _batch_norm,
    codes.DROPOUT: _dropout, codes.COPY: _copy, codes.NOISE: _copy, codes.LAYER_NORM: _layer_norm, codes.PRELU: _refused,
    codes.DEPTHWISE: _depthwise, codes.POSITION: _refused,
}  # fmt: skip
