"""Descriptions of layers over images (row, column, channel) and sequences (time, feature): convolution, pooling."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..checks.arguments import NONE, Choice, arguments
from ..errors import ArgumentError
from . import codes
from .arguments import USE_BIAS, of_arrays
from .base import ACTIVATION, EXTENT, NAME, UNITS, Placement, several, window, without_bias
from .tiling import BY_TILES, by_tiles


def _convolution_arguments(n: int, *paddings: str) -> Any:
    return arguments(
        filters=UNITS, kernel_size=EXTENT[n], activation=ACTIVATION, strides=EXTENT[n], padding=Choice(*paddings),
        dilation_rate=EXTENT[n], name=NAME, use_bias=USE_BIAS, **of_arrays("kernel", "bias"),
    )  # fmt: skip


def _depthwise_arguments(n: int, *paddings: str) -> Any:
    return arguments(
        kernel_size=EXTENT[n], strides=EXTENT[n], padding=Choice(*paddings), depth_multiplier=UNITS, dilation_rate=EXTENT[n],
        activation=ACTIVATION, name=NAME, use_bias=USE_BIAS, **of_arrays("depthwise", "bias"),
    )  # fmt: skip


def _pooling_arguments(n: int) -> Any:
    return arguments(
        pool_size=EXTENT[n], strides=NONE | EXTENT[n], padding=Choice("valid", "same"), name=NAME, activation=NONE,
    )  # fmt: skip


def _axes(layer: Any, n: int, *names: str) -> tuple[tuple[int, ...], ...]:
    """Values of a layer's arguments for two axes; the first of a sequence's has length 1."""
    return tuple((1,) * (2 - n) + several(getattr(layer, name), n) for name in names)


def _image(layer: Any, n: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`shape` as (row, column, channel)."""
    if len(shape) != n + 1:
        kind = "(row, column, channel)" if n == 2 else "(time, feature)"
        raise ArgumentError(f"{type(layer).__name__} needs {kind} input, but {shape} comes in.")
    rows, cols, channels = (1,) * (2 - n) + tuple(shape)
    return rows, cols, channels


def _geometry(image: tuple[int, int, int], kernel: tuple[int, ...], stride: tuple[int, ...],
              dilation: tuple[int, ...], paddings: tuple[str, str], name: str) -> dict[int, int]:  # fmt: skip
    (out_rows, pad_rows), (out_cols, pad_cols) = (
        window(image[j], kernel[j], stride[j], dilation[j], paddings[j], name) for j in (0, 1)
    )
    return {
        codes.ROWS: image[0], codes.COLS: image[1], codes.CHANNELS: image[2],
        codes.OUT_ROWS: out_rows, codes.OUT_COLS: out_cols,
        codes.KERNEL_ROWS: kernel[0], codes.KERNEL_COLS: kernel[1],
        codes.STRIDE_ROWS: stride[0], codes.STRIDE_COLS: stride[1],
        codes.PAD_ROWS: pad_rows, codes.PAD_COLS: pad_cols,
        codes.DILATION_ROWS: dilation[0], codes.DILATION_COLS: dilation[1],
    }  # fmt: skip


def _convolution(layer: Any, n: int, shape: tuple[int, ...]) -> Placement:
    """Weights: filter by filter: bias, then kernel (row, column, channel)."""
    kernel, stride, dilation = _axes(layer, n, "kernel_size", "strides", "dilation_rate")
    image = _image(layer, n, shape)
    paddings = (layer.padding if n == 2 else "valid", layer.padding)
    fields = _geometry(image, kernel, stride, dilation, paddings, type(layer).__name__)
    fields[codes.FILTERS] = layer.filters
    fields[codes.OPTIONS] = BY_TILES if by_tiles(fields) else 0
    per_unit = 1 + kernel[0] * kernel[1] * image[2]
    out = ((fields[codes.OUT_ROWS],) if n == 2 else ()) + (fields[codes.OUT_COLS], layer.filters)
    return Placement(out, codes.CONV2D, layer.filters * per_unit, 0, layer.filters, per_unit, fields,
                     implied=without_bias(layer))  # fmt: skip


def _depthwise(layer: Any, n: int, shape: tuple[int, ...]) -> Placement:
    """Weights: unit by unit: bias, then kernel (row, column)."""
    kernel, stride, dilation = _axes(layer, n, "kernel_size", "strides", "dilation_rate")
    image = _image(layer, n, shape)
    paddings = (layer.padding if n == 2 else "valid", layer.padding)
    fields = _geometry(image, kernel, stride, dilation, paddings, type(layer).__name__)
    filters = fields[codes.FILTERS] = image[2] * layer.depth_multiplier
    per_unit = 1 + kernel[0] * kernel[1]
    out = ((fields[codes.OUT_ROWS],) if n == 2 else ()) + (fields[codes.OUT_COLS], filters)
    return Placement(out, codes.DEPTHWISE, filters * per_unit, 0, filters, per_unit, fields, implied=without_bias(layer))


def _pooling(layer: Any, n: int, shape: tuple[int, ...], kind: int) -> Placement:
    image = _image(layer, n, shape)
    (pool,) = _axes(layer, n, "pool_size")
    stride = pool if layer.strides is None else _axes(layer, n, "strides")[0]
    fields = _geometry(image, pool, stride, (1, 1), (layer.padding,) * 2, type(layer).__name__)
    fields[codes.FILTERS], fields[codes.KIND] = image[2], kind
    out = ((fields[codes.OUT_ROWS],) if n == 2 else ()) + (fields[codes.OUT_COLS], image[2])
    return Placement(out, codes.POOL, fields=fields)


def _global(layer: Any, shape: tuple[int, ...], kind: int) -> Placement:
    if len(shape) < 2:
        raise ArgumentError(f"{type(layer).__name__} needs an image or a sequence, but {shape} comes in.")
    positions, channels = math.prod(shape[:-1]), shape[-1]
    fields = _geometry((1, positions, channels), (1, positions), (1, 1), (1, 1), ("valid",) * 2, "")
    fields[codes.FILTERS], fields[codes.KIND] = channels, kind
    return Placement((channels,), codes.POOL, fields=fields)


@_convolution_arguments(1, "valid", "same", "causal")
@dataclass(frozen=True)
class Conv1D:
    """One-dimensional convolution of sequences (time, feature).

    Parameters
    ----------
    filters, kernel_size : int
    activation : str, Activation, callable or None
    strides, dilation_rate : int
    padding : {"valid", "same", "causal"}
        "causal": all zeros before, so that no output sees a later input.
    name : str, optional
    use_bias, kernel_initializer, bias_initializer, kernel_regularizer, ...
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Conv1D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Conv1D(4, 3), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    conv1d        (4, 4)      28
    flatten        (16,)       0
    dense           (1,)      17
    """

    filters: int
    kernel_size: Any
    activation: Any = None
    strides: Any = 1
    padding: str = "valid"
    dilation_rate: Any = 1
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """A convolution of an image of one row."""
        return _convolution(self, 1, shape)


@_convolution_arguments(2, "valid", "same")
@dataclass(frozen=True)
class Conv2D:
    """Two-dimensional convolution of images (row, column, channel).

    Parameters
    ----------
    filters : int
    kernel_size : int or (int, int)
    activation : str, Activation, callable or None
    strides, dilation_rate : int or (int, int)
    padding : {"valid", "same"}
    name : str, optional
    use_bias, kernel_initializer, bias_initializer, kernel_regularizer, ...
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Conv2D(4, 3, padding="same"), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    conv2d     (8, 8, 4)      76
    flatten       (256,)       0
    dense           (1,)     257
    """

    filters: int
    kernel_size: Any
    activation: Any = None
    strides: Any = 1
    padding: str = "valid"
    dilation_rate: Any = 1
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: filter by filter: bias, then kernel (row, column, channel)."""
        return _convolution(self, 2, shape)


@_depthwise_arguments(1, "valid", "same", "causal")
@dataclass(frozen=True)
class DepthwiseConv1D:
    """Convolution of sequences (time, feature), each feature by filters of its own.

    Channel k becomes the channels ``k depth_multiplier``, ... of the output. The array "kernel" is (time, channel,
    depth_multiplier), as in Keras.

    Parameters
    ----------
    kernel_size : int
    strides, dilation_rate : int
    padding : {"valid", "same", "causal"}
    depth_multiplier : int
        Filters of each channel.
    activation : str, Activation, callable or None
    name : str, optional
    use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer, ...
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import DepthwiseConv1D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[DepthwiseConv1D(3), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                     output_shape  params
    layer
    depthwise_conv1d       (4, 2)       8
    flatten                  (8,)       0
    dense                    (1,)       9
    """

    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    dilation_rate: Any = 1
    activation: Any = None
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    depthwise_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None
    depthwise_constraint: Any = None
    bias_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """An image of one row."""
        return _depthwise(self, 1, shape)


@_depthwise_arguments(2, "valid", "same")
@dataclass(frozen=True)
class DepthwiseConv2D:
    """Convolution of images (row, column, channel), each channel by filters of its own; Chollet 2017, CVPR, 1800.

    Channel k becomes the channels ``k depth_multiplier``, ... of the output. The array "kernel" is (row, column, channel,
    depth_multiplier), as in Keras.

    Parameters
    ----------
    kernel_size : int or (int, int)
    strides, dilation_rate : int or (int, int)
    padding : {"valid", "same"}
    depth_multiplier : int
        Filters of each channel.
    activation : str, Activation, callable or None
    name : str, optional
    use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer, ...
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import DepthwiseConv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[DepthwiseConv2D(3), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                     output_shape  params
    layer
    depthwise_conv2d    (6, 6, 2)      20
    flatten                 (72,)       0
    dense                    (1,)      73
    """

    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    dilation_rate: Any = 1
    activation: Any = None
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    depthwise_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None
    depthwise_constraint: Any = None
    bias_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit: bias, then kernel (row, column)."""
        return _depthwise(self, 2, shape)


@dataclass(frozen=True)
class _Pool1D:
    pool_size: Any = 2
    strides: Any = None
    padding: str = "valid"
    name: str | None = None
    activation: Any = None


@dataclass(frozen=True)
class _Pool2D:
    pool_size: Any = 2
    strides: Any = None
    padding: str = "valid"
    name: str | None = None
    activation: Any = None


@_pooling_arguments(1)
class MaxPool1D(_Pool1D):
    """Largest value in windows over time.

    Parameters
    ----------
    pool_size : int
    strides : int, optional
        `pool_size` where not given.
    padding : {"valid", "same"}
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, MaxPool1D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[MaxPool1D(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                  output_shape  params
    layer
    max_pooling1d       (3, 2)       0
    flatten               (6,)       0
    dense                 (1,)       7
    """

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _pooling(self, 1, shape, codes.MAXIMUM)


@_pooling_arguments(1)
class AvgPool1D(_Pool1D):
    """Mean over windows of time; padding does not count. Arguments as those of `MaxPool1D`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import AvgPool1D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[AvgPool1D(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                      output_shape  params
    layer
    average_pooling1d       (3, 2)       0
    flatten                   (6,)       0
    dense                     (1,)       7
    """

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _pooling(self, 1, shape, codes.MEAN)


@_pooling_arguments(2)
class MaxPool2D(_Pool2D):
    """Largest value in windows of an image.

    Parameters
    ----------
    pool_size : int or (int, int)
    strides : int or (int, int), optional
        `pool_size` where not given.
    padding : {"valid", "same"}
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, MaxPool2D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[MaxPool2D(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                  output_shape  params
    layer
    max_pooling2d    (4, 4, 2)       0
    flatten              (32,)       0
    dense                 (1,)      33
    """

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _pooling(self, 2, shape, codes.MAXIMUM)


@_pooling_arguments(2)
class AvgPool2D(_Pool2D):
    """Mean over windows of an image; padding does not count. Arguments as those of `MaxPool2D`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import AvgPool2D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[AvgPool2D(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                      output_shape  params
    layer
    average_pooling2d    (4, 4, 2)       0
    flatten                  (32,)       0
    dense                     (1,)      33
    """

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _pooling(self, 2, shape, codes.MEAN)


@arguments(name=NAME, activation=NONE)
@dataclass(frozen=True)
class GlobalAvgPool:
    """Mean of every channel over all rows and columns, or over all times.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import GlobalAvgPool
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[GlobalAvgPool()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                             output_shape  params
    layer
    global_average_pooling2d         (2,)       0
    dense                            (1,)       3
    """

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _global(self, shape, codes.MEAN)


@arguments(name=NAME, activation=NONE)
@dataclass(frozen=True)
class GlobalMaxPool:
    """Largest value of every channel over all rows and columns, or over all times.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import GlobalMaxPool
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[GlobalMaxPool()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                         output_shape  params
    layer
    global_max_pooling2d         (2,)       0
    dense                        (1,)       3
    """

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _global(self, shape, codes.MAXIMUM)
