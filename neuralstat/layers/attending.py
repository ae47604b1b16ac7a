"""Descriptions of attention, of what it consists of, and of vectors by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from ..checks.arguments import FLAG, NONE, Number, arguments
from ..errors import ArgumentError
from . import codes
from .arguments import USE_BIAS, of_arrays
from .attention import CAUSAL, HEADS, KEYS, QUERY_MASK
from .base import NAME, UNITS, PartName, Placement
from .merging import Moves
from .moves import as_image, moved
from .recurrent_rows import DROPS
from .spatial import Conv1D

_RATE = Number(0.0, below=1.0)
_ARRAYS = of_arrays("kernel", "bias")


@arguments(
    num_heads=UNITS, key_dim=UNITS, value_dim=NONE | UNITS, dropout=_RATE, use_bias=USE_BIAS, output_shape=NONE | UNITS,
    use_causal_mask=FLAG, name=NAME, activation=NONE, **_ARRAYS,
)  # fmt: skip
@dataclass(frozen=True)
class MultiHeadAttention:
    """Every time of a sequence takes a weighted mean of others (Vaswani et al. 2017, NeurIPS 30).

    In a list of layers a sequence attends to itself. By calls, two or three sequences are read, as in Keras:
    ``MultiHeadAttention(2, 8)(query, value)`` or ``(query, value, key)``; the keys are the values where not given. Times that
    masks leave out (``mask_zero``, `Masking`) are not seen. Arrays are "multi_head_attention/query/kernel" (features, heads,
    key_dim), "multi_head_attention/query/bias" (heads, key_dim), the same of "key" and "value", and of "attention_output"
    (heads, value_dim, features) and (features,).

    Parameters
    ----------
    num_heads : int
    key_dim : int
        Size of each head for queries and keys.
    value_dim : int, optional
        And for values; `key_dim` unless given.
    dropout : float
        Share of the weights of the means that training sets to 0 at random; the others are divided by 1 - dropout. Needs a
        minibatch optimizer.
    use_bias : bool
    output_shape : int, optional
        Features that come out; those of the query unless given.
    use_causal_mask : bool
        Whether no time sees later ones. (An argument of the call in Keras.)
    name : str, optional
    kernel_initializer, bias_initializer, kernel_regularizer, ...
        Of all four parts; see `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, MultiHeadAttention
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[MultiHeadAttention(2, 4), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                                          output_shape  params
    layer
    multi_head_attention/query                  (6, 8)      24
    multi_head_attention/key                    (6, 8)      24
    multi_head_attention/value                  (6, 8)      24
    multi_head_attention/joined                 (144,)       0
    multi_head_attention/attention              (6, 8)       0
    multi_head_attention/attention_output       (6, 2)      18
    flatten                                      (12,)       0
    dense                                         (1,)      13
    """

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    output_shape: int | None = None
    use_causal_mask: bool = False
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def parts(self, name: str) -> tuple[Any, ...]:
        """Query, key and value, what joins them, attention itself, and what makes features of all heads."""
        kept = {field: getattr(self, field) for field in ("use_bias", *_ARRAYS)}
        values = self.value_dim or self.key_dim
        ways = [Projection(self.num_heads * size, 1, name=PartName.of(name, part), heads=self.num_heads, **kept)
                for part, size in (("query", self.key_dim), ("key", self.key_dim), ("value", values))]  # fmt: skip
        core = Attention(self.num_heads, self.key_dim, values, self.use_causal_mask,
                         float(self.dropout), f"{name}/attention")  # fmt: skip
        end = OutputProjection(self.output_shape or 1, 1, name=PartName.of(name, "attention_output"), heads=self.num_heads,
                               as_wide=self.output_shape is None, **kept)  # fmt: skip
        return *ways, Stacked(f"{name}/joined"), core, end


@dataclass(frozen=True)
class Projection(Conv1D):
    """The same dense layer at every time, whose arrays have an axis of heads."""

    _: KW_ONLY
    heads: int = 1


@dataclass(frozen=True)
class OutputProjection(Projection):
    """One that reads all heads; `as_wide` as the sequence that asks."""

    _: KW_ONLY
    as_wide: bool = False

    def place(self, shape: tuple[int, ...], query: tuple[int, ...] = (1,)) -> Placement:
        """See `Conv1D`; `query` is the shape of the sequence that asks."""
        return Conv1D.place(replace(self, filters=query[-1]) if self.as_wide else self, shape)


@dataclass(frozen=True)
class Stacked:
    """Units of layers of any shapes, one after the other."""

    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input."""
        if shapes[1][0] != shapes[2][0]:
            raise ArgumentError(f"MultiHeadAttention: {shapes[1][0]} keys and {shapes[2][0]} values must be of one length.")
        parts, first = [], 0
        for shape in shapes:
            rows, cols, channels = as_image(shape)
            flat = 1, 1, rows * cols * channels
            parts.append((moved(flat, flat), first))
            first += flat[2]
        return Moves((first,), parts)


@dataclass(frozen=True)
class Attention:
    """What `layers.attention` computes."""

    num_heads: int
    key_dim: int
    value_dim: int
    causal: bool
    dropout: float = 0.0
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...], query: tuple[int, ...] = (1, 1)) -> Placement:
        """No weights; `query` is the shape of the queries, (time, heads * key_dim)."""
        times, width = query
        keys = (shape[0] - times * width) // (self.num_heads * (self.key_dim + self.value_dim))
        fields = {
            codes.TIMES: times, KEYS: keys, HEADS: self.num_heads, codes.FEATURES: self.key_dim, codes.UNITS: self.value_dim,
            codes.OPTIONS: (CAUSAL if self.causal else 0) | (DROPS if self.dropout > 0 else 0), QUERY_MASK: -1,
        }  # fmt: skip
        out = times, self.num_heads * self.value_dim
        scratch = self.num_heads * times * keys * (2 if self.dropout > 0 else 1)
        return Placement(out, codes.ATTENTION, n_scratch=scratch, fields=fields, constant=self.dropout)


@arguments(sequence_length=UNITS, name=NAME, activation=NONE, **of_arrays("embeddings"))
@dataclass(frozen=True)
class PositionEmbedding:
    """Adds to a sequence a vector for each position, which is learned; as KerasHub's layer does, with the sum made.

    Its array is "embeddings" (sequence_length, features).

    Parameters
    ----------
    sequence_length : int
        The longest; the sequence that comes in may be shorter.
    name : str, optional
    embeddings_initializer, embeddings_regularizer, embeddings_constraint
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, PositionEmbedding
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[PositionEmbedding(6), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                       output_shape  params
    layer
    position_embedding       (6, 2)      12
    flatten                   (12,)       0
    dense                      (1,)      13
    """

    sequence_length: int
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    embeddings_initializer: str = "glorot_uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: position by position, as units lie; no biases."""
        if len(shape) != 2:
            raise ArgumentError(f"PositionEmbedding needs a sequence (time, feature), but {shape} comes in.")
        if shape[0] > self.sequence_length:
            raise ArgumentError(f"PositionEmbedding: sequence_length={self.sequence_length}, but {shape[0]} times come in.")
        count = self.sequence_length * shape[1]
        fields = {codes.FEATURES: shape[1]}
        return Placement(shape, codes.POSITION, count, 0, count, 1, fields, 0)
