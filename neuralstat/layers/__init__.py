"""Layers: frozen descriptions that users write, and what each contributes to the table that kernels see.

A layer answers one question, `place`: given the shape that comes in, what shape goes out, which table fields
describe it, how many weights and how many private buffer rows it needs. `LAYERS` lists those that exist.
"""

from __future__ import annotations

from typing import Any

from .base import Layer as Layer
from .base import Placement as Placement
from .basic import Activation, BatchNorm, Dense, Dropout, Flatten, Reshape
from .sequence import GRU, LSTM, Embedding, Masking, SimpleRNN
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
        GRU, Masking, Embedding, BatchNorm, Dropout, Activation, Flatten, Reshape,
    )
}  # fmt: skip
# Keras' names of the same
MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D = MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D
GlobalAveragePooling1D = GlobalAveragePooling2D = GlobalAvgPool
GlobalMaxPooling1D = GlobalMaxPooling2D = GlobalMaxPool
BatchNormalization = BatchNorm

__all__ = [
    *LAYERS, "AveragePooling1D", "AveragePooling2D", "BatchNormalization", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "MaxPooling1D", "MaxPooling2D",
]  # fmt: skip
