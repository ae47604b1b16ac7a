"""Descriptions of layers over sequences (time, feature): recurrent layers, and embeddings of integers."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ..checks.arguments import FLAG, NONE, Choice, Exactly, Number, arguments
from ..errors import ArgumentError
from . import cell_activations as cells
from . import codes
from . import recurrent_rows as rows
from .arguments import of_arrays
from .base import NAME, UNITS, Placement
from .gru import GATES as GRU_GATES
from .lstm import GATES as LSTM_GATES
from .masking import APPLIED, FOUND

INSIDE = NONE | Choice(*cells.ACTIVATIONS)
RATE = Number(0.0, below=1.0)


def _recurrent_arguments(*more: str) -> Any:
    others = {"recurrent_activation": INSIDE, "unit_forget_bias": FLAG, "reset_after": FLAG}
    return arguments(
        units=UNITS, activation=INSIDE, use_bias=FLAG, dropout=RATE, recurrent_dropout=RATE, return_sequences=FLAG,
        return_state=Exactly(False), go_backwards=FLAG, stateful=Exactly(False), name=NAME,
        **of_arrays("kernel", "recurrent", "bias"), **{name: others[name] for name in more},
    )  # fmt: skip


def _recurrent(layer: Any, shape: tuple[int, ...], op: int, gates: int, kept: int, biases: int = 1) -> Placement:
    """Weights: gate by gate, unit by unit: biases, W (features), U (units).

    Scratch: `kept` rows for each unit and time; h of every time but the last where only that is put out; factors of
    dropout, and inputs and states times these.
    """
    if len(shape) != 2:
        raise ArgumentError(f"{type(layer).__name__} needs (time, feature) input, but {shape} comes in.")
    times, features = shape
    units, biases = layer.units, biases if layer.use_bias else 0
    per_unit = biases + features + units
    scratch = times * kept * units + (0 if layer.return_sequences else (times - 1) * units)
    squash = cells.ACTIVATIONS[layer.activation or "linear"]
    gate = cells.ACTIVATIONS[getattr(layer, "recurrent_activation", "sigmoid") or "linear"]
    drops, by_gate = layer.dropout > 0 or layer.recurrent_dropout > 0, layer.recurrent_dropout > 0 and gates > 1
    scratch += (1 + times) * (features + units) * (gates if by_gate else 1) if drops else 0
    options = {
        rows.BACKWARDS: layer.go_backwards, rows.NO_BIAS: not layer.use_bias, rows.DROPS: drops,
        rows.OTHER: (squash, gate) != (cells.TANH, cells.SIGMOID), rows.BY_GATE: by_gate,
        rows.RESET_FIRST: not getattr(layer, "reset_after", True),
    }  # fmt: skip
    fields = {
        codes.TIMES: times, codes.FEATURES: features, codes.UNITS: units, codes.SEQUENCES: int(layer.return_sequences),
        codes.OPTIONS: sum(bit for bit, on in options.items() if on), rows.SQUASH: squash, rows.GATE: gate,
        rows.OF_INPUT: int(layer.dropout * 2**32), rows.OF_STATE: int(layer.recurrent_dropout * 2**32),
    }  # fmt: skip
    out = (times, units) if layer.return_sequences else (units,)
    return Placement(out, op, gates * units * per_unit, scratch, gates * units, per_unit, fields, biases)


@dataclass(frozen=True)
class _Weights:
    """Start values, penalties and constraints of recurrent layers' arrays."""

    _: KW_ONLY
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None


@_recurrent_arguments()
@dataclass(frozen=True)
class SimpleRNN(_Weights):
    """Recurrent layer h_t = tanh(W x_t + U h_(t-1) + b) over sequences (time, feature).

    Parameters
    ----------
    units : int
    activation : str or None
        "tanh", "sigmoid", "linear" (None), "relu", "hard_sigmoid", "elu", "selu" or "softplus".
    use_bias : bool
    dropout, recurrent_dropout : float
        Share of the inputs, and of the state, that training sets to 0 at random, the same at all times of a sequence
        (Gal & Ghahramani 2016, NIPS 29). Needs a minibatch optimizer.
    return_sequences : bool
        True: h of every time, shape (time, units); False: of the last, shape (units,).
    go_backwards : bool
        True begins with the last time. With `return_sequences` the states are put out in the order in which they are
        formed, so that of the last time comes first.
    name : str, optional
    kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, ..., kernel_constraint, ...
        See `Dense`.
    return_state, stateful : False
        Keras' arguments of these names, which do not exist here.

    Notes
    -----
    At times that a mask leaves out (`Embedding` with ``mask_zero``, `Masking`) the state stays as it was, zeros at the
    beginning, and is put out again.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import SimpleRNN
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[SimpleRNN(3)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
               output_shape  params
    layer
    simple_rnn         (3,)      18
    dense              (1,)       4
    """

    units: int
    activation: str | None = "tanh"
    use_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    go_backwards: bool = False
    name: str | None = None
    return_state: bool = False
    stateful: bool = False
    acts_inside: ClassVar[bool] = True

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit: bias, W (features), U (units)."""
        return _recurrent(self, shape, codes.SIMPLE_RNN, 1, 0)


@_recurrent_arguments("recurrent_activation", "unit_forget_bias")
@dataclass(frozen=True)
class LSTM(_Weights):
    """Long short-term memory layer over sequences (time, feature).

    Parameters
    ----------
    units : int
    activation, recurrent_activation : str or None
        Of candidates and cells, and of gates; see `SimpleRNN`.
    use_bias : bool
    unit_forget_bias : bool
        Whether biases of forget gates start at 1.
    dropout, recurrent_dropout, return_sequences, go_backwards, name, return_state, stateful
        See `SimpleRNN`. With `recurrent_dropout` each gate has factors of its own, of inputs and states; else the gates
        share those of the inputs, as in Keras.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import LSTM
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[LSTM(3)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
          output_shape  params
    layer
    lstm          (3,)      72
    dense         (1,)       4
    """

    units: int
    activation: str | None = "tanh"
    recurrent_activation: str | None = "sigmoid"
    use_bias: bool = True
    unit_forget_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    go_backwards: bool = False
    name: str | None = None
    return_state: bool = False
    stateful: bool = False
    acts_inside: ClassVar[bool] = True

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: gates i, f, c, o, unit by unit: bias, W (features), U (units)."""
        return _recurrent(self, shape, codes.LSTM, 4, LSTM_GATES)


@_recurrent_arguments("recurrent_activation", "reset_after")
@dataclass(frozen=True)
class GRU(_Weights):
    """Gated recurrent unit over sequences (time, feature); Cho et al. 2014, EMNLP, 1724.

    Parameters
    ----------
    units : int
    activation, recurrent_activation : str or None
        Of candidates, and of gates; see `SimpleRNN`.
    use_bias, dropout, recurrent_dropout, return_sequences, go_backwards, name, return_state, stateful
        See `SimpleRNN` and, for factors of gates, `LSTM`.
    reset_after : bool
        True: the reset gate comes after the product of weights and state, as on GPUs and by default in Keras; False:
        before it, as in the paper, with one bias for each gate.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, GRU
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[GRU(3, return_sequences=True), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    gru           (6, 3)      63
    flatten        (18,)       0
    dense           (1,)      19
    """

    units: int
    activation: str | None = "tanh"
    recurrent_activation: str | None = "sigmoid"
    use_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    go_backwards: bool = False
    name: str | None = None
    return_state: bool = False
    stateful: bool = False
    reset_after: bool = True
    acts_inside: ClassVar[bool] = True

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: gates z, r, h, unit by unit: input bias, recurrent bias (with `reset_after`), W (features), U (units)."""
        return _recurrent(self, shape, codes.GRU, 3, GRU_GATES, 2 if self.reset_after else 1)


def masking(shape: tuple[int, ...], kind: int, value: float) -> Placement:
    """Of a row that makes a mask, or applies one, over all axes but the last; scratch: the mask."""
    times, features = math.prod(shape[:-1]), shape[-1]
    return Placement(shape, codes.MASKING, n_scratch=times, fields={codes.CHANNELS: features, codes.KIND: kind},
                     constant=float(value))  # fmt: skip


@arguments(mask_value=Number(), name=NAME, activation=NONE)
@dataclass(frozen=True)
class Masking:
    """Leaves out times at which all features are `mask_value`: recurrent layers behind it skip them.

    Its outputs are 0 there. The mask goes through layers that keep the times apart; `GlobalAvgPool` takes means over the
    times that are there (0 where none is); other layers lose it, with a warning.

    Parameters
    ----------
    mask_value : float
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import GRU, Masking
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Masking(), GRU(3)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    masking       (6, 2)       0
    gru             (3,)      63
    dense           (1,)       4
    """

    mask_value: float = 0.0
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: the mask, a row for each time."""
        if len(shape) < 2:
            raise ArgumentError(f"Masking needs (time, feature) input, but {shape} comes in.")
        return masking(shape, FOUND, self.mask_value)


@dataclass(frozen=True)
class ZeroMasked:
    """Sets units to 0 at masked times, as the halves of a bidirectional layer that puts out all times need it."""

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return masking(shape, APPLIED, 0.0)


@arguments(input_dim=UNITS, output_dim=UNITS, mask_zero=FLAG, name=NAME, activation=NONE, **of_arrays("embeddings"))
@dataclass(frozen=True)
class Embedding:
    """Turns integers 0, 1, ..., input_dim - 1 into vectors.

    Parameters
    ----------
    input_dim : int
        Number of integers. Data that hold others are refused, by name of the column.
    output_dim : int
        Length of the vectors.
    mask_zero : bool
        True: 0 stands for no word, and times that hold it are masked; see `Masking`.
    name : str, optional
    embeddings_initializer, embeddings_regularizer, embeddings_constraint
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import GRU, Embedding
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.array([[3, 1, 4, 0], [1, 2, 0, 0]])}  # words by number, 0 for none
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Embedding(5, 3, mask_zero=True), GRU(2)]
    >>> fit = ns.neuralnet("y ~ x", data, layers=layers, **settings)
    >>> fit.layer_table[["output_shape", "params"]]
              output_shape  params
    layer
    embedding       (4, 3)      15
    gru               (2,)      42
    dense             (1,)       3
    """

    input_dim: int
    output_dim: int
    mask_zero: bool = False
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    embeddings_initializer: str = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: integer by integer, the elements of its vector; no biases. Scratch: the mask, where there is one."""
        fields = {codes.FEATURES: self.output_dim, codes.UNITS: self.input_dim}
        return Placement((*shape, self.output_dim), codes.EMBEDDING, self.input_dim * self.output_dim,
                         math.prod(shape) if self.mask_zero else 0, self.input_dim, self.output_dim, fields, 0)  # fmt: skip
