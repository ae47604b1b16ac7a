"""Descriptions of layers over sequences (time, feature): recurrent layers, and embeddings of integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks.arguments import FLAG, NONE, Choice, arguments
from ..errors import ArgumentError
from . import codes
from .base import ACTIVATION, NAME, UNITS, Placement
from .gru import GATES as GRU_GATES
from .lstm import GATES as LSTM_GATES

_recurrent_arguments = arguments(units=UNITS, return_sequences=FLAG, name=NAME, activation=NONE | Choice("tanh"))


def _recurrent(layer: Any, shape: tuple[int, ...], op: int, gates: int, kept: int, biases: int = 1) -> Placement:
    """Weights: gate by gate, unit by unit: biases, W (features), U (units).

    Scratch: `kept` rows for each unit and time; h of every time but the last where only that is put out.
    """
    if len(shape) != 2:
        raise ArgumentError(f"{type(layer).__name__} needs (time, feature) input, but {shape} comes in.")
    times, features = shape
    units = layer.units
    per_unit = biases + features + units
    scratch = times * kept * units + (0 if layer.return_sequences else (times - 1) * units)
    fields = {codes.TIMES: times, codes.FEATURES: features, codes.UNITS: units,
              codes.SEQUENCES: int(layer.return_sequences)}  # fmt: skip
    out = (times, units) if layer.return_sequences else (units,)
    return Placement(out, op, gates * units * per_unit, scratch, gates * units, per_unit, fields, biases)


@_recurrent_arguments
@dataclass(frozen=True)
class SimpleRNN:
    """Recurrent layer h_t = tanh(W x_t + U h_(t-1) + b) over sequences (time, feature).

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

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit: bias, W (features), U (units)."""
        return _recurrent(self, shape, codes.SIMPLE_RNN, 1, 0)


@_recurrent_arguments
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

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: gates i, f, c, o, unit by unit: bias, W (features), U (units)."""
        return _recurrent(self, shape, codes.LSTM, 4, LSTM_GATES)


@_recurrent_arguments
@dataclass(frozen=True)
class GRU:
    """Gated recurrent unit over sequences (time, feature), with the reset gate after the product (Keras' default).

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

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: gates z, r, h, unit by unit: input bias, recurrent bias, W (features), U (units)."""
        return _recurrent(self, shape, codes.GRU, 3, GRU_GATES, 2)


@arguments(input_dim=UNITS, output_dim=UNITS, name=NAME, activation=ACTIVATION)
@dataclass(frozen=True)
class Embedding:
    """Turns integers 0, 1, ..., input_dim - 1 into vectors.

    Parameters
    ----------
    input_dim : int
        Number of integers. Data that hold others are refused, by name of the column.
    output_dim : int
        Length of the vectors.
    name : str, optional
    """

    input_dim: int
    output_dim: int
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: integer by integer, the elements of its vector; no biases."""
        fields = {codes.FEATURES: self.output_dim, codes.UNITS: self.input_dim}
        return Placement((*shape, self.output_dim), codes.EMBEDDING, self.input_dim * self.output_dim, 0,
                         self.input_dim, self.output_dim, fields, 0)  # fmt: skip
