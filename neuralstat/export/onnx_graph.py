"""Layers as nodes of an ONNX graph (opset 17), for one network after the other.

Convolutions and pooling are (observation, channel, row, column) there, recurrent layers (time, observation, feature). Gates
of LSTM are i, o, f, c (ours i, f, c, o), of GRU z, r, h as ours, with ``linear_before_reset``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..functions.activations import COUPLED
from ..layers import codes
from ..layers import layer_norm as norm
from ..layers.attention import CAUSAL, HEADS, KEYS
from ..layers.merge import INNER, LARGEST, PRODUCT, SHORTEST, SMALLEST, UNIT
from ..layers.prelu import HELD
from ..layers.recurrent_rows import BACKWARDS, OTHER, RESET_FIRST
from .onnx_functions import ACTIVATIONS, LINKS

OPSET, IR = 17, 8
Arrays = dict[str, np.ndarray]


class Tensor(NamedTuple):
    """Name of a value of the graph, and the shape of an observation."""

    name: str
    shape: tuple[int, ...]


class Graph:
    """Nodes and constants.

    Parameters
    ----------
    onnx : module
    dtype : type
        Of the numbers: np.float32 or np.float64.
    taken : sequence of str
        Names that nothing else may have: those of inputs.
    """

    def __init__(self, onnx: Any, dtype: Any, taken: Sequence[str] = ()) -> None:
        self.onnx, self.dtype = onnx, np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: dict[tuple[Any, ...], str] = {}
        self._count, self._taken = 0, frozenset(taken)

    def name(self, stem: str) -> str:
        """A new name."""
        self._count += 1
        while (made := f"{stem}_{self._count}") in self._taken:
            self._count += 1
        return made

    def constant(self, values: Any, dtype: Any = None, stem: str = "constant") -> str:
        """Name of an array that is part of the model; equal ones are one."""
        array = np.ascontiguousarray(values, self.dtype if dtype is None else dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 else (id(array), self._count)
        if key not in self._known:
            self._known[key] = self.name(stem)
            self.constants.append(self.onnx.numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """The output of a new node, or a list of them."""
        made = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), made, name=self.name(f"node_{kind}"), **attributes))
        return made[0] if outputs == 1 else made

    # shapes and sums ---------------------------------------------------------------------------------------

    def shaped(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """The same units in another shape of an observation."""
        shape = tuple(int(n) for n in shape)
        if shape == x.shape:
            return x
        return Tensor(self.node("Reshape", x.name, self.constant([-1, *shape], np.int64)), shape)

    def flat(self, x: Tensor) -> Tensor:
        """One axis of units."""
        return self.shaped(x, (math.prod(x.shape),))

    def side_by_side(self, tensors: Sequence[Tensor]) -> Tensor:
        """Units of several tensors as one."""
        parts = [self.flat(x) for x in tensors]
        return Tensor(self.node("Concat", *(x.name for x in parts), axis=1), (sum(x.shape[0] for x in parts),))

    def part(self, tensor: Tensor, start: int, stop: int) -> Tensor:
        """Some neighbouring units."""
        ends = (self.constant([n], np.int64) for n in (start, stop, 1))
        first, last, axis = ends
        return Tensor(self.node("Slice", self.flat(tensor).name, first, last, axis), (stop - start,))

    def units(self, tensors: Sequence[Tensor], index: np.ndarray) -> Tensor:
        """Units by their number in tensors side by side; 0 for -1."""
        parts = [self.flat(x) for x in tensors]
        if np.any(index < 0):
            rows = self.node("Shape", parts[0].name, start=0, end=1)
            shape = self.node("Concat", rows, self.constant([1], np.int64), axis=0)
            zero = self.onnx.numpy_helper.from_array(np.zeros(1, self.dtype))
            parts.append(Tensor(self.node("ConstantOfShape", shape, value=zero), (1,)))
        whole = parts[0] if len(parts) == 1 else self.side_by_side(parts)
        at = self.constant(np.where(index < 0, whole.shape[0] - 1, index), np.int64)
        return Tensor(self.node("Gather", whole.name, at, axis=1), (index.size,))

    def plus(self, x: Tensor, offset: Tensor) -> Tensor:
        """Sums, unit by unit."""
        if x.shape != offset.shape:
            x, offset = self.flat(x), self.flat(offset)
        return Tensor(self.node("Add", x.name, offset.name), x.shape)

    def times(self, x: Tensor, factor: float) -> Tensor:
        """Units times a number."""
        return Tensor(self.node("Mul", x.name, self.constant(factor)), x.shape)

    def scaled(self, x: Tensor, size: np.ndarray, shift: np.ndarray) -> Tensor:
        """``x * size + shift``, unit by unit."""
        return Tensor(self.node("Add", self.node("Mul", x.name, self.constant(size)), self.constant(shift)), x.shape)

    # layers --------------------------------------------------------------------------------------------------

    def layer(self, name: str, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
        """What a row of the table makes of x, without its activation."""
        return _LAYERS[int(row[codes.OP])](self, layer, row, constant, arrays, x)

    def merge(self, name: str, layer: Any, row: np.ndarray, parts: Sequence[Tensor]) -> Tensor:
        """What a row of the table makes of several."""
        if row[codes.OP] == codes.ATTENTION:
            return _attention(self, row, *parts)
        return _dot(self, row, *parts) if row[codes.KIND] == INNER else _by_unit(self, row, parts)

    def activation(self, name: str, kind: str, parameter: float, z: Tensor) -> Tensor:
        """An activation of `ACTIVATIONS`; softmax and log_softmax over the last axis."""
        if kind in COUPLED:
            return Tensor(self.node("Softmax" if kind == "softmax" else "LogSoftmax", z.name, axis=-1), z.shape)
        if kind not in ACTIVATIONS:
            raise ArgumentError(f"layer {name!r}: the activation {kind!r} cannot be exported to ONNX.")
        return Tensor(ACTIVATIONS[kind](self, z.name, parameter), z.shape)

    def inverse_link(self, link: Any, eta: Tensor) -> Tensor:
        """Means of linear predictors."""
        name = link.name if link.name in LINKS else "power" if link.name.startswith("power") else ""
        if not name:
            raise ArgumentError(f"the link {link.name!r} cannot be exported to ONNX.")
        return Tensor(LINKS[name](self, eta.name, float(link.parameter)), eta.shape)


def _dense(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    kernel = g.constant(arrays["kernel"], stem="kernel")
    z = g.node("MatMul", g.flat(x).name, kernel)
    return Tensor(g.node("Add", z, g.constant(arrays["bias"], stem="bias")), (arrays["kernel"].shape[1],))


def _window(row: np.ndarray) -> dict[str, Any]:
    """Attributes of convolutions and pooling."""
    size = [int(row[codes.ROWS]), int(row[codes.COLS])]
    out = [int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS])]
    kernel = [int(row[codes.KERNEL_ROWS]), int(row[codes.KERNEL_COLS])]
    stride = [int(row[codes.STRIDE_ROWS]), int(row[codes.STRIDE_COLS])]
    before = [int(row[codes.PAD_ROWS]), int(row[codes.PAD_COLS])]
    dilation = [max(int(row[codes.DILATION_ROWS]), 1), max(int(row[codes.DILATION_COLS]), 1)]
    after = [max((out[j] - 1) * stride[j] + (kernel[j] - 1) * dilation[j] + 1 - size[j] - before[j], 0) for j in (0, 1)]
    return {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "pads": [*before, *after]}


def _image(g: Graph, row: np.ndarray, x: Tensor) -> str:
    """x as (observation, channel, row, column)."""
    shape = (int(row[codes.ROWS]), int(row[codes.COLS]), int(row[codes.CHANNELS]))
    return g.node("Transpose", g.shaped(x, shape).name, perm=[0, 3, 1, 2])


def _from_image(g: Graph, row: np.ndarray, name: str) -> Tensor:
    """Back to (observation, row, column, channel)."""
    shape = (int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS]), int(row[codes.FILTERS]))
    return Tensor(g.node("Transpose", name, perm=[0, 2, 3, 1]), shape)


def _convolution(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    kernel = arrays["kernel"]
    if type(layer).__name__.startswith("Flipped"):  # of transposed convolutions, whose kernels are Keras' turned round
        kernel = np.flip(np.swapaxes(kernel, -2, -1), tuple(range(kernel.ndim - 2)))
    if type(layer).__name__.endswith("Projection"):  # of attention, whose arrays have an axis of heads
        kernel = kernel.reshape(1, int(row[codes.CHANNELS]), -1)
    kernel = kernel if kernel.ndim == 4 else kernel[np.newaxis]
    weights = g.constant(np.transpose(kernel, (3, 2, 0, 1)), stem="kernel")
    z = g.node("Conv", _image(g, row, x), weights, g.constant(arrays["bias"].ravel(), stem="bias"), **_window(row))
    return _from_image(g, row, z)


def _pooling(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    largest = row[codes.KIND] == codes.MAXIMUM
    if row[codes.OUT_ROWS] * row[codes.OUT_COLS] == 1 and not (row[codes.PAD_ROWS] or row[codes.PAD_COLS]) and all(
        row[kernel] >= row[size] for kernel, size in ((codes.KERNEL_ROWS, codes.ROWS), (codes.KERNEL_COLS, codes.COLS))
    ):  # of all positions
        channels = int(row[codes.CHANNELS])
        all_of = g.shaped(x, (int(row[codes.ROWS] * row[codes.COLS]), channels))
        return Tensor(g.node("ReduceMax" if largest else "ReduceMean", all_of.name, axes=[1], keepdims=0), (channels,))
    window = _window(row)
    if largest:
        return _from_image(g, row, g.node("MaxPool", _image(g, row, x), **window))
    del window["dilations"]
    return _from_image(g, row, g.node("AveragePool", _image(g, row, x), count_include_pad=0, **window))


def _recurrent(kind: str, order: tuple[int, ...], **attributes: Any) -> Callable[..., Tensor]:
    """A recurrent layer whose gates stand in another order there."""

    def make(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
        units, times = int(row[codes.UNITS]), int(row[codes.TIMES])

        def gates(array: np.ndarray) -> np.ndarray:
            """(..., gates units) with the gates in ONNX' order, transposed, for one direction."""
            parts = np.split(array, len(order), axis=-1)
            return np.concatenate([parts[k] for k in order], axis=-1)

        if row[codes.OPTIONS] & OTHER:
            raise ArgumentError(f"{type(layer).__name__} with other activations than its own cannot be exported yet.")
        bias = np.atleast_2d(arrays.get("bias", np.zeros(len(order) * units)))
        if row[codes.OP] == codes.GRU:
            attributes["linear_before_reset"] = int(not row[codes.OPTIONS] & RESET_FIRST)
        both = gates(bias) if len(bias) == 2 else np.concatenate([gates(bias), np.zeros_like(bias)])
        sequence = g.node("Transpose", g.shaped(x, (times, int(row[codes.FEATURES]))).name, perm=[1, 0, 2])
        if row[codes.OPTIONS] & BACKWARDS:  # as Keras, which leaves the order of what comes out as it is
            ends = (g.constant([n], np.int64) for n in (-1, -times - 1, 0, -1))
            sequence = g.node("Slice", sequence, *ends)
        weights = [g.constant(gates(arrays[name]).T[np.newaxis], stem=name) for name in ("kernel", "recurrent_kernel")]
        every, last = g.node(kind, sequence, *weights, g.constant(both.reshape(1, -1), stem="bias"), outputs=2,
                             hidden_size=units, **attributes)  # fmt: skip
        axis = g.constant([1 if row[codes.SEQUENCES] else 0], np.int64)
        if row[codes.SEQUENCES]:
            return Tensor(g.node("Transpose", g.node("Squeeze", every, axis), perm=[1, 0, 2]), (times, units))
        return Tensor(g.node("Squeeze", last, axis), (units,))

    return make


def _embedding(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    table = arrays["embeddings"]
    at = g.node("Cast", x.name, to=g.onnx.TensorProto.INT64)
    return Tensor(g.node("Gather", g.constant(table, stem="embeddings"), at, axis=0), (*x.shape, table.shape[1]))


def _batch_norm(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    channels = int(row[codes.CHANNELS])
    factor = arrays["gamma"] / np.sqrt(arrays["moving_variance"] + constant)
    by_channel = g.shaped(x, (math.prod(x.shape) // channels, channels))
    return g.shaped(g.scaled(by_channel, factor, arrays["beta"] - arrays["moving_mean"] * factor), x.shape)


def _layer_norm(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    if row[codes.KIND] == norm.EACH:
        shape, axes = norm.grid_of(row)
        left = [n if k + 1 in axes else 1 for k, n in enumerate(shape)]
        value = Tensor(_normed(g, g.shaped(x, shape).name, axes, constant), shape)
        return g.shaped(g.scaled(value, arrays["gamma"].reshape(left), arrays["beta"].reshape(left)), x.shape)
    channels, own = int(row[codes.CHANNELS]), int(row[norm.OWN])
    sets = math.prod(x.shape) // channels, channels // own, own
    value = Tensor(_normed(g, g.shaped(x, sets).name, [1, 3], constant), sets)
    by_channel = g.shaped(value, (sets[0], channels))
    return g.shaped(g.scaled(by_channel, arrays["gamma"], arrays["beta"]), x.shape)


def _normed(g: Graph, x: str, axes: list[int], epsilon: float) -> str:
    """Centred and scaled over some axes."""
    centred = g.node("Sub", x, g.node("ReduceMean", x, axes=axes))
    spread = g.node("ReduceMean", g.node("Mul", centred, centred), axes=axes)
    return g.node("Div", centred, g.node("Sqrt", g.node("Add", spread, g.constant(epsilon))))


def _depthwise(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    kernel = arrays["kernel"]
    kernel = kernel if kernel.ndim == 4 else kernel[np.newaxis]  # (rows, columns, channels, filters of each)
    each = np.transpose(kernel, (2, 3, 0, 1)).reshape(-1, 1, *kernel.shape[:2])
    z = g.node("Conv", _image(g, row, x), g.constant(each, stem="kernel"), g.constant(arrays["bias"], stem="bias"),
               group=int(row[codes.CHANNELS]), **_window(row))  # fmt: skip
    return _from_image(g, row, z)


def _rectifier(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    x = g.flat(x)
    zero = g.constant(0.0)
    if row[codes.KIND] == HELD:
        slope, threshold, limit = (float(arrays[name].item()) for name in ("negative_slope", "threshold", "max_value"))
        low = g.node("Mul", g.node("Sub", x.name, g.constant(threshold)), g.constant(slope))
        high = x.name if limit >= np.finfo(np.float32).max else g.node("Min", x.name, g.constant(limit))
        return Tensor(g.node("Where", g.node("Greater", x.name, g.constant(threshold)), high, low), x.shape)
    slopes = np.broadcast_to(arrays["alpha"], _whole(row, arrays["alpha"].ndim)).reshape(-1)
    below = g.node("Mul", g.node("Min", x.name, zero), g.constant(slopes, stem="alpha"))
    return Tensor(g.node("Add", g.node("Relu", x.name), below), x.shape)


def _whole(row: np.ndarray, axes: int) -> tuple[int, ...]:
    """Shape of what a rectifier reads."""
    return tuple(int(row[column]) for column in (codes.ROWS, codes.COLS, codes.CHANNELS))[3 - axes :]


def _by_unit(g: Graph, row: np.ndarray, parts: Sequence[Tensor]) -> Tensor:
    """Products, largest and smallest values."""
    if any(x.shape != parts[0].shape for x in parts):
        parts = [g.flat(x) for x in parts]
    kind, at = {PRODUCT: "Mul", LARGEST: "Max", SMALLEST: "Min"}[int(row[codes.KIND])], parts[0].name
    for x in parts[1:]:
        at = g.node(kind, at, x.name)
    return Tensor(at, parts[0].shape)


def _dot(g: Graph, row: np.ndarray, first: Tensor, second: Tensor) -> Tensor:
    """Sums of products over the axis in the middle of both."""
    rows, cols, channels = int(row[codes.ROWS]), int(row[codes.COLS]), int(row[codes.CHANNELS])
    others = int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS])
    ways = ((first, (rows, cols, channels), [0, 1, 3, 2], (rows * channels, cols)),
            (second, (others[0], cols, others[1]), [0, 2, 1, 3], (cols, others[0] * others[1])))  # fmt: skip
    vectors = []
    for x, shape, perm, flat in ways:
        name = g.shaped(x, shape).name
        if row[codes.OPTIONS] & UNIT:
            length = g.node("ReduceL2", name, axes=[2], keepdims=1)
            name = g.node("Div", name, g.node("Max", length, g.constant(SHORTEST)))
        vectors.append(g.shaped(Tensor(g.node("Transpose", name, perm=perm), shape), flat).name)
    return Tensor(g.node("MatMul", *vectors), (rows * channels, others[0] * others[1]))


def _attention(g: Graph, row: np.ndarray, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Means of values, by softmax of scores; heads stand before times there."""
    heads, times, keys = int(row[HEADS]), int(row[codes.TIMES]), int(row[KEYS])
    each, out = int(row[codes.FEATURES]), int(row[codes.UNITS])
    q = g.node("Transpose", g.shaped(query, (times, heads, each)).name, perm=[0, 2, 1, 3])
    k = g.node("Transpose", g.shaped(key, (keys, heads, each)).name, perm=[0, 2, 3, 1])
    v = g.node("Transpose", g.shaped(value, (keys, heads, out)).name, perm=[0, 2, 1, 3])
    scores = g.node("Mul", g.node("MatMul", q, k), g.constant(1 / math.sqrt(each)))
    if row[codes.OPTIONS] & CAUSAL:
        seen = np.tril(np.ones((times, keys)))
        scores = g.node("Add", scores, g.constant(np.where(seen, 0.0, -1e9), stem="later"))
    means = g.node("MatMul", g.node("Softmax", scores, axis=-1), v)
    return g.shaped(Tensor(g.node("Transpose", means, perm=[0, 2, 1, 3]), (times, heads, out)), (times, heads * out))


def _position(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    width = int(row[codes.FEATURES])
    times = int(row[codes.N_IN]) // width
    x = g.shaped(x, (times, width))
    return Tensor(g.node("Add", x.name, g.constant(arrays["embeddings"][:times], stem="embeddings")), x.shape)


def _same(g: Graph, layer: Any, row: np.ndarray, constant: float, arrays: Arrays, x: Tensor) -> Tensor:
    return x


_LAYERS: dict[int, Callable[..., Tensor]] = {
    codes.DENSE: _dense, codes.CONV2D: _convolution, codes.POOL: _pooling, codes.EMBEDDING: _embedding,
    codes.LSTM: _recurrent("LSTM", (0, 3, 1, 2)), codes.GRU: _recurrent("GRU", (0, 1, 2)),
    codes.SIMPLE_RNN: _recurrent("RNN", (0,), activations=["Tanh"]), codes.BATCH_NORM: _batch_norm, codes.DROPOUT: _same,
    codes.COPY: _same, codes.NOISE: _same, codes.LAYER_NORM: _layer_norm, codes.DEPTHWISE: _depthwise,
    codes.PRELU: _rectifier, codes.POSITION: _position,
}  # fmt: skip
