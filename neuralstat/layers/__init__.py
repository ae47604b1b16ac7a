"""Layers: frozen descriptions that users write, and what each contributes to the table that kernels see.

A layer answers one question, `place`: given the shape that comes in, what shape goes out, which table fields
describe it, how many weights and how many private buffer rows it needs. `LAYERS` lists those that exist.
"""

from __future__ import annotations

from typing import Any

from .base import Layer as Layer
from .base import Placement as Placement
from .basic import Activation, BatchNorm, Dense, Dropout, Flatten, Reshape
from .sequence import GRU, LSTM, Embedding, SimpleRNN
from .spatial import (
    AvgPool1D,
    AvgPool2D,
    Conv1D,
    Conv2D,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
)

LAYERS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Dense, Conv1D, Conv2D, MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D, GlobalAvgPool, GlobalMaxPool, SimpleRNN, LSTM,
        GRU, Embedding, BatchNorm, Dropout, Activation, Flatten, Reshape,
    )
}  # fmt: skip
__all__ = [*LAYERS]
