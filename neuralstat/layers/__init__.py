"""Layers: frozen descriptions that users write, and what each contributes to the table that kernels see.

A layer answers one question, `place`: given the shape that comes in, what shape goes out, which table fields
describe it, how many weights and how many private buffer rows it needs. `LAYERS` lists those that exist.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import ArgumentError
from . import codes
from .lstm import GATES


@dataclass(frozen=True)
class Placement:
    """What a layer contributes to a network.

    Attributes
    ----------
    shape : tuple of int
        Of the output, without the observation axis.
    op : int or None
        Op code; None for a layer that only changes the shape.
    n_params, n_scratch : int
        Weights; private rows of the buffers.
    units, per_unit : int
        The weights are `units` groups of `per_unit`, bias first.
    fields : dict
        Table column -> value.
    """

    shape: tuple[int, ...]
    op: int | None = None
    n_params: int = 0
    n_scratch: int = 0
    units: int = 0
    per_unit: int = 0
    fields: dict[int, int] = field(default_factory=dict)


class Layer(Protocol):
    """Any layer."""

    activation: Any

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Contribution of the layer to a network in which `shape` comes in."""
        ...


def _positive(value: Any, name: str, layer: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"{layer}: {name} must be a positive integer, got {value!r}.")
    return value


def _pair(value: Any, name: str, layer: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2:
        raise ArgumentError(f"{layer}: {name} must be one integer or two, got {value!r}.")
    return _positive(pair[0], name, layer), _positive(pair[1], name, layer)


@dataclass(frozen=True)
class Dense:
    """Fully connected layer.

    Parameters
    ----------
    units : int
        Number of units.
    activation : str, Activation, callable or None
        None is the identity.
    name : str, optional
    """

    units: int
    activation: Any = None
    name: str | None = None

    def __post_init__(self) -> None:
        _positive(self.units, "units", "Dense")

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit, bias first."""
        if len(shape) != 1:
            raise ArgumentError(f"Dense needs a flat input, but {shape} comes in: put Flatten() before it.")
        per_unit = 1 + shape[0]
        return Placement((self.units,), codes.DENSE, self.units * per_unit, 0, self.units, per_unit)


@dataclass(frozen=True)
class Flatten:
    """Makes one axis of all axes; the last index runs fastest."""

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Only the shape changes."""
        return Placement((math.prod(shape),))


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
    """

    filters: int
    kernel_size: Any
    activation: Any = None
    strides: Any = 1
    padding: str = "valid"
    dilation_rate: Any = 1
    name: str | None = None

    def __post_init__(self) -> None:
        _positive(self.filters, "filters", "Conv2D")
        _pair(self.kernel_size, "kernel_size", "Conv2D")
        _pair(self.strides, "strides", "Conv2D")
        _pair(self.dilation_rate, "dilation_rate", "Conv2D")
        if self.padding not in ("valid", "same"):
            raise ArgumentError(f"Conv2D: padding must be 'valid' or 'same', got {self.padding!r}.")

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: filter by filter: bias, then kernel (row, column, channel)."""
        if len(shape) != 3:
            raise ArgumentError(f"Conv2D needs (row, column, channel) input, but {shape} comes in.")
        kernel, stride = _pair(self.kernel_size, "", ""), _pair(self.strides, "", "")
        dilation = _pair(self.dilation_rate, "", "")
        out, pad = [], []
        for size, k, s, d in zip(shape[:2], kernel, stride, dilation, strict=True):
            reach = (k - 1) * d + 1
            if self.padding == "same":
                n = -(-size // s)
                total = max((n - 1) * s + reach - size, 0)
                pad.append(total // 2)  # Keras puts the odd one after
            else:
                n = (size - reach) // s + 1
                pad.append(0)
            if n < 1:
                raise ArgumentError(f"Conv2D: a kernel that reaches over {reach} does not fit into {size}.")
            out.append(n)
        per_unit = 1 + kernel[0] * kernel[1] * shape[2]
        fields = {
            codes.ROWS: shape[0], codes.COLS: shape[1], codes.CHANNELS: shape[2],
            codes.OUT_ROWS: out[0], codes.OUT_COLS: out[1], codes.FILTERS: self.filters,
            codes.KERNEL_ROWS: kernel[0], codes.KERNEL_COLS: kernel[1],
            codes.STRIDE_ROWS: stride[0], codes.STRIDE_COLS: stride[1],
            codes.PAD_ROWS: pad[0], codes.PAD_COLS: pad[1],
            codes.DILATION_ROWS: dilation[0], codes.DILATION_COLS: dilation[1],
        }  # fmt: skip
        return Placement((out[0], out[1], self.filters), codes.CONV2D, self.filters * per_unit, 0,
                         self.filters, per_unit, fields)  # fmt: skip


@dataclass(frozen=True)
class LSTM:
    """Long short-term memory layer over sequences (time, feature).

    Parameters
    ----------
    units : int
    return_sequences : bool
        True: h of every time, shape (time, units); False: of the last, shape (units,).
    name : str, optional
    """

    units: int
    return_sequences: bool = False
    name: str | None = None
    activation: Any = None

    def __post_init__(self) -> None:
        _positive(self.units, "units", "LSTM")
        if self.activation not in (None, "tanh"):
            raise ArgumentError(f"LSTM: activation is tanh and cannot be changed, got {self.activation!r}.")

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: gates i, f, c, o, unit by unit: bias, W (features), U (units)."""
        if len(shape) != 2:
            raise ArgumentError(f"LSTM needs (time, feature) input, but {shape} comes in.")
        times, features = shape
        per_unit = 1 + features + self.units
        scratch = times * GATES * self.units + (0 if self.return_sequences else (times - 1) * self.units)
        fields = {codes.TIMES: times, codes.FEATURES: features, codes.UNITS: self.units,
                  codes.SEQUENCES: int(self.return_sequences)}  # fmt: skip
        out = (times, self.units) if self.return_sequences else (self.units,)
        return Placement(out, codes.LSTM, 4 * self.units * per_unit, scratch, 4 * self.units, per_unit, fields)


@dataclass(frozen=True)
class Reshape:
    """Gives the same units another shape, as from an image (row, column, channel) to a sequence (time, feature)."""

    target_shape: tuple[int, ...]
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Only the shape changes."""
        if math.prod(shape) != math.prod(self.target_shape):
            raise ArgumentError(f"Reshape: {shape} cannot become {tuple(self.target_shape)}.")
        return Placement(tuple(self.target_shape))


LAYERS: dict[str, Any] = {"Dense": Dense, "Conv2D": Conv2D, "LSTM": LSTM, "Flatten": Flatten, "Reshape": Reshape}
__all__ = [*LAYERS]
