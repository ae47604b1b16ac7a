"""Layers: frozen descriptions that users write, and what each contributes to the table that kernels see.

A layer answers one question, `place`: given the shape that comes in, what shape goes out, which table fields
describe it, how many weights and how many private buffer rows it needs. `LAYERS` lists those that exist.
"""

from __future__ import annotations

from typing import Any

from .arguments import CONSTRAINTS, REGULARIZERS
from .arguments import L1 as L1
from .arguments import L1L2 as L1L2
from .arguments import L2 as L2
from .arguments import MaxNorm as MaxNorm
from .arguments import MinMaxNorm as MinMaxNorm
from .arguments import NonNeg as NonNeg
from .arguments import UnitNorm as UnitNorm
from .attending import MultiHeadAttention, PositionEmbedding
from .base import Layer as Layer
from .base import Placement as Placement
from .basic import Activation, Dense, Flatten, Reshape
from .composite import (
    Bidirectional,
    Conv1DTranspose,
    Conv2DTranspose,
    SeparableConv1D,
    SeparableConv2D,
    TimeDistributed,
)
from .graph import Branches, From, Input, Residual, call
from .merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
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
from .normalizing import BatchNorm, GroupNormalization, LayerNormalization
from .random import AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D
from .rectifiers import ELU, LeakyReLU, PReLU, ReLU, Softmax
from .sequence import GRU, LSTM, Embedding, Masking, SimpleRNN
from .spatial import (
    AvgPool1D,
    AvgPool2D,
    Conv1D,
    Conv2D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
)

LAYERS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Dense, Conv1D, Conv2D, MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D, GlobalAvgPool, GlobalMaxPool, SimpleRNN, LSTM,
        GRU, Masking, Embedding, BatchNorm, Dropout, Activation, Flatten, Reshape, ZeroPadding1D, ZeroPadding2D, Cropping1D,
        Cropping2D, UpSampling1D, UpSampling2D, Permute, RepeatVector, Reverse, Add, Subtract, Average, Multiply, Maximum,
        Minimum, Dot, Concatenate, Residual,
        Branches, From, DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D, Conv1DTranspose, Conv2DTranspose,
        Bidirectional, TimeDistributed, MultiHeadAttention, PositionEmbedding,
        LayerNormalization, GroupNormalization, LeakyReLU, ReLU, ELU, PReLU, Softmax, GaussianNoise, GaussianDropout,
        AlphaDropout, SpatialDropout1D, SpatialDropout2D,
    )
}  # fmt: skip
for kind in LAYERS.values():
    kind.__call__ = call
# Keras' names of the same
MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D = MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D
GlobalAveragePooling1D = GlobalAveragePooling2D = GlobalAvgPool
GlobalMaxPooling1D = GlobalMaxPooling2D = GlobalMaxPool
BatchNormalization = BatchNorm
Convolution1D, Convolution2D = Conv1D, Conv2D
LayerNorm, GroupNorm = LayerNormalization, GroupNormalization  # as BatchNorm

__all__ = [
    *LAYERS, *REGULARIZERS, *CONSTRAINTS, "AveragePooling1D", "AveragePooling2D", "BatchNormalization", "Convolution1D",
    "Convolution2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "GroupNorm", "Input", "LayerNorm", "MaxPooling1D", "MaxPooling2D",
]  # fmt: skip
