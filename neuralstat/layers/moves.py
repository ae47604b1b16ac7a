"""Descriptions of layers that move units: padding, cropping, repeating, permuting, reversing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks.arguments import NONE, Choice, Several, Whole, arguments
from ..errors import ArgumentError
from . import codes
from .base import EXTENT, NAME, UNITS, Placement
from .move import STUFFED

_EXTENT = Whole(0)
_PAIR = Several(_EXTENT, 2, 2)
#: Rows (columns) before and after; of images also one number, or two
_ENDS = {1: _EXTENT | _PAIR, 2: _EXTENT | _PAIR | Several(_PAIR, 2, 2)}


def strides_of(shape: tuple[int, int, int]) -> dict[int, int]:
    """Strides over the units of (rows, columns, channels)."""
    _, cols, channels = shape
    return {codes.STRIDE_ROWS: cols * channels, codes.STRIDE_COLS: channels, codes.STRIDE_CHANNELS: 1}


def moved(shape: tuple[int, int, int], out: tuple[int, int, int], **more: int) -> dict[int, int]:
    """Table fields of a move from units of one (rows, columns, channels) to units of another."""
    fields = {
        codes.ROWS: shape[0], codes.COLS: shape[1], codes.CHANNELS: 0, codes.OUT_ROWS: out[0], codes.OUT_COLS: out[1],
        codes.FILTERS: out[2], codes.KERNEL_ROWS: 1, codes.KERNEL_COLS: 1, codes.KIND: 1,
        codes.SPREAD_ROWS: out[1] * out[2], codes.SPREAD_COLS: out[2], **strides_of(shape),
    }  # fmt: skip
    fields.update({getattr(codes, name): value for name, value in more.items()})
    return fields


def as_image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Any shape as (rows, columns, channels)."""
    *lead, channels = shape
    return (math.prod(lead[:-1]), lead[-1], channels) if lead else (1, 1, channels)


def copied(shape: tuple[int, ...]) -> Placement:
    """A move that changes nothing."""
    flat = (1, 1, math.prod(shape))
    return Placement(shape, codes.MOVE, fields=moved(flat, flat))


def _image(layer: Any, axes: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    kind = {2: "a sequence (time, feature)", 3: "an image (row, column, channel)"}[axes]
    if len(shape) != axes:
        raise ArgumentError(f"{type(layer).__name__} needs {kind}, but {shape} comes in.")
    return as_image(shape)


def _ends(value: Any, n: int) -> list[tuple[int, int]]:
    if isinstance(value, int):
        return [(value, value)] * n
    if n == 1:
        return [tuple(value)]
    return [(v, v) if isinstance(v, int) else tuple(v) for v in value]


def _padding(layer: Any, axes: int, shape: tuple[int, ...], ends: list[tuple[int, int]], sign: int) -> Placement:
    rows, cols, channels = _image(layer, axes, shape)
    (top, bottom), (left, right) = ends if axes == 3 else [(0, 0), *ends]
    out = rows + sign * (top + bottom), cols + sign * (left + right), channels
    if min(out) < 1:
        raise ArgumentError(f"{type(layer).__name__}: nothing is left of {shape}.")
    fields = moved((rows, cols, channels), out, PAD_ROWS=sign * top, PAD_COLS=sign * left)
    return Placement(out if axes == 3 else out[1:], codes.MOVE, fields=fields)


@arguments(padding=_ENDS[1], name=NAME, activation=NONE)
@dataclass(frozen=True)
class ZeroPadding1D:
    """Zeros before and after a sequence.

    Parameters
    ----------
    padding : int or (int, int)
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, ZeroPadding1D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[ZeroPadding1D(1), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                   output_shape  params
    layer
    zero_padding1d       (8, 2)       0
    flatten               (16,)       0
    dense                  (1,)      17
    """

    padding: Any = 1
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _padding(self, 2, shape, _ends(self.padding, 1), 1)


@arguments(padding=_ENDS[2], name=NAME, activation=NONE)
@dataclass(frozen=True)
class ZeroPadding2D:
    """Rows and columns of zeros around an image.

    Parameters
    ----------
    padding : int, (rows, columns) or ((top, bottom), (left, right))
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, ZeroPadding2D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[ZeroPadding2D(1), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                   output_shape  params
    layer
    zero_padding2d  (10, 10, 2)       0
    flatten              (200,)       0
    dense                  (1,)     201
    """

    padding: Any = (1, 1)
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _padding(self, 3, shape, _ends(self.padding, 2), 1)


@arguments(cropping=_ENDS[1], name=NAME, activation=NONE)
@dataclass(frozen=True)
class Cropping1D:
    """Leaves out the first and last times of a sequence.

    Parameters
    ----------
    cropping : int or (int, int)
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Cropping1D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Cropping1D(1), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
               output_shape  params
    layer
    cropping1d       (4, 2)       0
    flatten            (8,)       0
    dense              (1,)       9
    """

    cropping: Any = (1, 1)
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _padding(self, 2, shape, _ends(self.cropping, 1), -1)


@arguments(cropping=_ENDS[2], name=NAME, activation=NONE)
@dataclass(frozen=True)
class Cropping2D:
    """Leaves out the outer rows and columns of an image.

    Parameters
    ----------
    cropping : int, (rows, columns) or ((top, bottom), (left, right))
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Cropping2D, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Cropping2D(1), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
               output_shape  params
    layer
    cropping2d    (6, 6, 2)       0
    flatten           (72,)       0
    dense              (1,)      73
    """

    cropping: Any = ((0, 0), (0, 0))
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _padding(self, 3, shape, _ends(self.cropping, 2), -1)


def enlarged(shape: tuple[int, int, int], size: tuple[int, int], stuffed: bool = False) -> dict[int, int]:
    """Fields of a move that repeats rows and columns so many times, or puts zeros between them."""
    out = shape[0] * size[0], shape[1] * size[1], shape[2]
    return moved(shape, out, KERNEL_ROWS=size[0], KERNEL_COLS=size[1], OPTIONS=STUFFED if stuffed else 0)


@arguments(size=UNITS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class UpSampling1D:
    """Repeats every time of a sequence.

    Parameters
    ----------
    size : int
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, UpSampling1D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[UpSampling1D(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                  output_shape  params
    layer
    up_sampling1d      (12, 2)       0
    flatten              (24,)       0
    dense                 (1,)      25
    """

    size: int = 2
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        fields = enlarged(_image(self, 2, shape), (1, self.size))
        return Placement((shape[0] * self.size, shape[1]), codes.MOVE, fields=fields)


@arguments(size=EXTENT[2], interpolation=Choice("nearest"), name=NAME, activation=NONE)
@dataclass(frozen=True)
class UpSampling2D:
    """Repeats every row and column of an image.

    Parameters
    ----------
    size : int or (int, int)
    interpolation : {"nearest"}
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, UpSampling2D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[UpSampling2D(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                  output_shape  params
    layer
    up_sampling2d  (16, 16, 2)       0
    flatten             (512,)       0
    dense                 (1,)     513
    """

    size: Any = (2, 2)
    interpolation: str = "nearest"
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        size = (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)
        fields = enlarged(_image(self, 3, shape), size)
        return Placement((shape[0] * size[0], shape[1] * size[1], shape[2]), codes.MOVE, fields=fields)


@arguments(dims=Several(UNITS, 1, 3), name=NAME, activation=NONE)
@dataclass(frozen=True)
class Permute:
    """Axes in another order.

    Parameters
    ----------
    dims : tuple of int
        Axes of the input, counted from 1, as in Keras: ``Permute((2, 1))`` makes (feature, time) of (time, feature).
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, Permute
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Permute((2, 1)), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    permute       (2, 6)       0
    flatten        (12,)       0
    dense           (1,)      13
    """

    dims: tuple[int, ...]
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        dims = tuple(self.dims)
        if sorted(dims) != list(range(1, len(shape) + 1)):
            raise ArgumentError(f"Permute: dims must be the axes 1 to {len(shape)} of {shape}, got {dims}.")
        if len(dims) > 3:
            raise ArgumentError(f"Permute takes three axes at most, but {shape} comes in.")
        steps = [0] * (3 - len(dims)) + [math.prod(shape[d:]) for d in dims]
        out = tuple(shape[d - 1] for d in dims)
        grid = as_image(out)
        fields = moved(grid, grid, STRIDE_ROWS=steps[0], STRIDE_COLS=steps[1], STRIDE_CHANNELS=steps[2])
        return Placement(out, codes.MOVE, fields=fields)


@arguments(n=UNITS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class RepeatVector:
    """Makes a sequence of n times of one vector.

    Parameters
    ----------
    n : int
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, RepeatVector
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[RepeatVector(4), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                  output_shape  params
    layer
    repeat_vector       (4, 3)       0
    flatten              (12,)       0
    dense                 (1,)      13
    """

    n: int
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        if len(shape) != 1:
            raise ArgumentError(f"RepeatVector needs a flat input, but {shape} comes in.")
        return Placement((self.n, *shape), codes.MOVE, fields=enlarged((1, 1, *shape), (1, self.n)))


@arguments(name=NAME, activation=NONE)
@dataclass(frozen=True)
class Reverse:
    """The times of a sequence in reversed order.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, Reverse
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Reverse(), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    reverse       (6, 2)       0
    flatten        (12,)       0
    dense           (1,)      13
    """

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        image = _image(self, 2, shape)
        fields = moved(image, image, STRIDE_COLS=-image[2], CHANNELS=(image[1] - 1) * image[2])
        return Placement(shape, codes.MOVE, fields=fields)
