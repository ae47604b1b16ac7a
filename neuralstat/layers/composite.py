"""Descriptions of layers that consist of others, which `network.expand` puts in their place."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

from ..checks.arguments import NONE, Choice, Instance, arguments
from ..errors import ArgumentError
from . import codes
from .arguments import USE_BIAS, of_arrays
from .base import ACTIVATION, EXTENT, NAME, UNITS, AnyLayer, PartName, Placement, several
from .merging import Add, Average, Concatenate, Multiply
from .move import STUFFED
from .moves import Reverse, as_image, moved
from .sequence import GRU, LSTM, SimpleRNN
from .spatial import Conv1D, Conv2D, DepthwiseConv1D, DepthwiseConv2D

MODES = {"concat": Concatenate, "sum": Add, "ave": Average, "mul": Multiply}
_RECURRENT = Instance((SimpleRNN, LSTM, GRU), "a SimpleRNN, LSTM or GRU", SimpleRNN(2))
ONCE = ("BatchNorm", "TimeDistributed", "Embedding", "Masking", "ReLU")  # layers that cannot be applied time by time

def _separable_arguments(n: int, *paddings: str) -> Any:
    return arguments(
        filters=UNITS, kernel_size=EXTENT[n], strides=EXTENT[n], padding=Choice(*paddings), dilation_rate=EXTENT[n],
        depth_multiplier=UNITS, activation=ACTIVATION, name=NAME, use_bias=USE_BIAS,
        **of_arrays("depthwise", "pointwise", "bias"),
    )  # fmt: skip


@dataclass(frozen=True)
class _Separable:
    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    dilation_rate: Any = 1
    depth_multiplier: int = 1
    activation: Any = None
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    pointwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    pointwise_regularizer: Any = None
    bias_regularizer: Any = None
    depthwise_constraint: Any = None
    pointwise_constraint: Any = None
    bias_constraint: Any = None

    def parts(self, name: str) -> list[Any]:
        """A depthwise convolution, then one of single positions, whose arrays have names as if of one layer."""
        depthwise, pointwise = (DepthwiseConv1D, Conv1D) if type(self) is SeparableConv1D else (DepthwiseConv2D, Conv2D)
        first = depthwise(
            self.kernel_size, self.strides, self.padding, self.depth_multiplier, self.dilation_rate, None,
            PartName.of(name, "depthwise", True), use_bias=False, depthwise_initializer=self.depthwise_initializer,
            depthwise_regularizer=self.depthwise_regularizer, depthwise_constraint=self.depthwise_constraint,
        )  # fmt: skip
        second = pointwise(
            self.filters, 1, self.activation, name=PartName.of(name, "pointwise", True), use_bias=self.use_bias,
            kernel_initializer=self.pointwise_initializer, bias_initializer=self.bias_initializer,
            kernel_regularizer=self.pointwise_regularizer, bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.pointwise_constraint, bias_constraint=self.bias_constraint,
        )  # fmt: skip
        return [first, second]


@_separable_arguments(1, "valid", "same", "causal")
@dataclass(frozen=True)
class SeparableConv1D(_Separable):
    """A depthwise convolution over time, then one that mixes its channels; arguments as those of `SeparableConv2D`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, SeparableConv1D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[SeparableConv1D(4, 3), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                               output_shape  params
    layer
    separable_conv1d/depthwise       (4, 2)       6
    separable_conv1d/pointwise       (4, 4)      12
    flatten                           (16,)       0
    dense                              (1,)      17
    """


@_separable_arguments(2, "valid", "same")
@dataclass(frozen=True)
class SeparableConv2D(_Separable):
    """A depthwise convolution, then one that mixes its channels position by position (Chollet 2017, CVPR, 1800).

    Its arrays are "depthwise_kernel" (row, column, channel, depth_multiplier), "pointwise_kernel" (1, 1, channel, filters)
    and "bias", as in Keras.

    Parameters
    ----------
    filters : int
    kernel_size, strides, dilation_rate : int or (int, int)
    padding : {"valid", "same"}
    depth_multiplier : int
        Filters of each channel.
    activation : str, Activation, callable or None
    name : str, optional
    use_bias, depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer, ...
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, SeparableConv2D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[SeparableConv2D(4, 3), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                               output_shape  params
    layer
    separable_conv2d/depthwise    (6, 6, 2)      18
    separable_conv2d/pointwise    (6, 6, 4)      12
    flatten                          (144,)       0
    dense                              (1,)     145
    """


@arguments(layer=_RECURRENT, merge_mode=Choice(*MODES), name=NAME, activation=NONE)
@dataclass(frozen=True)
class Bidirectional:
    """A recurrent layer, and one of its kind that reads the times in reversed order.

    Schuster & Paliwal 1997, IEEE Transactions on Signal Processing 45:2673. Arrays are "bidirectional/forward_lstm/kernel",
    "bidirectional/backward_lstm/kernel", ...

    Parameters
    ----------
    layer : SimpleRNN, LSTM or GRU
    merge_mode : {"concat", "sum", "ave", "mul"}
        How the two are joined, at each time with ``return_sequences``.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Bidirectional, GRU
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Bidirectional(GRU(3))], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                               output_shape  params
    layer
    bidirectional/forward_gru          (3,)      63
    bidirectional/backward_gru         (3,)      63
    bidirectional/concat               (6,)       0
    dense                              (1,)       7
    """

    layer: Any
    merge_mode: str = "concat"
    name: str | None = None
    activation: Any = None

    def __post_init__(self) -> None:
        if self.layer.go_backwards:
            raise ArgumentError("Bidirectional: layer must have go_backwards=False; the other one has it.")

    def both(self, name: str, base: str) -> tuple[list[Any], list[Any]]:
        """The chains that go forward and backward, for a layer whose own name would be `base`."""
        forward = replace(self.layer, name=PartName.of(name, f"forward_{base}"))
        back = replace(self.layer, name=PartName.of(name, f"backward_{base}"), go_backwards=True)
        return [forward], [back, Realigned(f"{name}/realigned")] if back.return_sequences else [back]


@dataclass(frozen=True)
class Realigned(Reverse):
    """What a layer that goes backwards puts out, in the order of times: beside it stands the mask of its input."""


@arguments(layer=AnyLayer(*ONCE), name=NAME)
@dataclass(frozen=True)
class TimeDistributed:
    """A layer for every time of a sequence, with the same weights.

    Parameters
    ----------
    layer : layer
        Which reads one time: numbers, an image, or a sequence of its own.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, Flatten, TimeDistributed
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[TimeDistributed(Dense(3)), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                     output_shape  params
    layer
    time_distributed       (6, 3)       9
    flatten                 (18,)       0
    dense                    (1,)      19
    """

    layer: Any
    name: str | None = None
    acts_inside: ClassVar[bool] = False

    @property
    def activation(self) -> Any:
        """Of the layer."""
        return self.layer.activation

    def place(self, shape: tuple[int, ...]) -> Placement:
        """The layer's weights; a row for each time."""
        if len(shape) < 2:
            raise ArgumentError(f"TimeDistributed needs a sequence, but {shape} comes in.")
        own = self.layer.place(tuple(shape[1:]))
        return replace(own, shape=(shape[0], *own.shape), times=shape[0])


def applied(layer: Any) -> Any:
    """The layer whose weights and arguments count: inside `TimeDistributed` the one that it applies."""
    return layer.layer if isinstance(layer, TimeDistributed) else layer


def _transposed_arguments(n: int) -> Any:
    return arguments(
        filters=UNITS, kernel_size=EXTENT[n], strides=EXTENT[n], padding=Choice("valid", "same"), activation=ACTIVATION,
        name=NAME, use_bias=USE_BIAS, **of_arrays("kernel", "bias"),
    )  # fmt: skip


@dataclass(frozen=True)
class _Transposed:
    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    activation: Any = None
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def parts(self, name: str) -> list[Any]:
        """Zeros between and around the units, then a convolution with the kernel turned round."""
        convolution = FlippedConv1D if type(self) is Conv1DTranspose else FlippedConv2D
        kept = {field: getattr(self, field) for field in ("use_bias", *of_arrays("kernel", "bias"))}
        return [Spread(self.kernel_size, self.strides, self.padding, f"{name}/spread"),
                convolution(self.filters, self.kernel_size, self.activation, name=name, **kept)]  # fmt: skip


@_transposed_arguments(1)
@dataclass(frozen=True)
class Conv1DTranspose(_Transposed):
    """The adjoint of `Conv1D` as a layer: makes sequences longer; arguments as those of `Conv2DTranspose`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Conv1DTranspose, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Conv1DTranspose(3, 2, strides=2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                            output_shape  params
    layer
    conv1d_transpose/spread      (13, 2)       0
    conv1d_transpose             (12, 3)      15
    flatten                        (36,)       0
    dense                           (1,)      37
    """


@_transposed_arguments(2)
@dataclass(frozen=True)
class Conv2DTranspose(_Transposed):
    """The adjoint of `Conv2D` as a layer: makes images larger (Zeiler, Krishnan, Taylor & Fergus 2010, CVPR, 2528).

    The array "kernel" is (row, column, out, in), as in Keras.

    Parameters
    ----------
    filters : int
    kernel_size, strides : int or (int, int)
    padding : {"valid", "same"}
        "same": sizes are those of the input times the strides.
    activation : str, Activation, callable or None
    name : str, optional
    use_bias, kernel_initializer, bias_initializer, kernel_regularizer, ...
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Conv2DTranspose, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Conv2DTranspose(3, 2, strides=2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                            output_shape  params
    layer
    conv2d_transpose/spread  (17, 17, 2)       0
    conv2d_transpose         (16, 16, 3)      27
    flatten                       (768,)       0
    dense                           (1,)     769
    """


class FlippedConv1D(Conv1D):
    """A convolution whose array "kernel" is (column, out, in), turned round."""

    kind: ClassVar[str] = "Conv1DTranspose"


class FlippedConv2D(Conv2D):
    """A convolution whose array "kernel" is (row, column, out, in), turned round."""

    kind: ClassVar[str] = "Conv2DTranspose"


@dataclass(frozen=True)
class Spread:
    """Units of a sequence or an image with zeros between and around them, as a transposed convolution needs them."""

    kernel_size: Any
    strides: Any
    padding: str
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Sizes as Keras has them: ``size stride``, and ``max(kernel - stride, 0)`` more unless "same"."""
        image, n = as_image(shape), len(shape) - 1
        kernel, stride = ((1,) * (2 - n) + several(v, n) for v in (self.kernel_size, self.strides))
        out, pads = [], []
        for size, k, s in zip(image[:2], kernel, stride, strict=True):
            over = max(k - s, 0)
            cut = over // 2 if self.padding == "same" else 0
            length = size * s + (0 if self.padding == "same" else over)
            out.append(length + k - 1)
            pads.append(k - 1 - cut)
        fields = moved(image, (out[0], out[1], image[2]), KERNEL_ROWS=stride[0], KERNEL_COLS=stride[1], PAD_ROWS=pads[0],
                       PAD_COLS=pads[1], OPTIONS=STUFFED)  # fmt: skip
        return Placement((*out[2 - n :], image[2]), codes.MOVE, fields=fields)

