"""Layers: frozen descriptions that users write, and what each contributes to the table that kernels see.

A layer answers one question, `place`: given the shape that comes in, what shape goes out, which table fields
describe it, how many weights and how many private buffer rows it needs. `LAYERS` lists those that exist.
"""

from __future__ import annotations

from typing import Any

from .base import Layer as Layer
from .base import Placement as Placement
from .basic import Activation, BatchNorm, Dense, Dropout, Flatten, Reshape
from .graph import (
    Add,
    Average,
    Branches,
    Concatenate,
    From,
    Input,
    Residual,
    Subtract,
    call,
)
from .moves import (
    Cropping1D,
    Cropping2D,
    Permute,
    RepeatVector,
    Reverse,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
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
        GRU, Embedding, BatchNorm, Dropout, Activation, Flatten, Reshape, ZeroPadding1D, ZeroPadding2D, Cropping1D,
        Cropping2D, UpSampling1D, UpSampling2D, Permute, RepeatVector, Reverse, Add, Subtract, Average, Concatenate, Residual,
        Branches, From,
    )
}  # fmt: skip
for kind in LAYERS.values():
    kind.__call__ = call
# Keras' names of the same
MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D = MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D
GlobalAveragePooling1D = GlobalAveragePooling2D = GlobalAvgPool
GlobalMaxPooling1D = GlobalMaxPooling2D = GlobalMaxPool
BatchNormalization = BatchNorm

__all__ = [
    *LAYERS, "AveragePooling1D", "AveragePooling2D", "BatchNormalization", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Input", "MaxPooling1D", "MaxPooling2D",
]  # fmt: skip
