"""Layers of Keras that have a counterpart with the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]

#: Arguments without an effect on what a layer computes or learns, or that weights make needless
IGNORED = frozenset((
    "name", "trainable", "dtype", "seed", "unroll", "implementation", "batch_shape", "batch_input_shape", "input_length",
    "unit_forget_bias", "renorm_momentum", "renorm_clipping", "synchronized", "autocast", "fused",
))  # fmt: skip


@dataclass(frozen=True)
class Array:
    """An array of a layer.

    Attributes
    ----------
    name : str
        As here, ``"conv2d/kernel"``.
    theirs : tuple of str
        Names that it may have in files.
    change : callable, optional
        Makes of it what is wanted here.
    held : bool
        Whether it is not trained.
    """

    name: str
    theirs: tuple[str, ...]
    change: Callable[[np.ndarray], np.ndarray] | None = None
    held: bool = False


@dataclass
class Made:
    """What a layer becomes: layers one after the other, and its arrays in Keras' order."""

    layers: list[Any]
    arrays: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A layer whose counterpart has the same arguments.

    Attributes
    ----------
    own : str
        The counterpart.
    takes : dict
        Arguments that it may have, with Keras' defaults: another value is refused where the counterpart lacks the argument.
    only : dict
        Arguments that must have one value.
    arrays : tuple of str
        In Keras' order.
    """

    own: str
    takes: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()


_LAST = {"data_format": "channels_last"}
CONV = {"filters": ..., "kernel_size": ..., "strides": 1, "padding": "valid", "dilation_rate": 1, "activation": "linear",
        "use_bias": True}  # fmt: skip
_POOL = {"pool_size": ..., "strides": None, "padding": "valid"}
_DEPTH = {k: v for k, v in CONV.items() if k != "filters"} | {"depth_multiplier": 1}
_CELL = {"units": ..., "activation": "tanh", "use_bias": True, "dropout": 0.0, "recurrent_dropout": 0.0,
         "return_sequences": False, "go_backwards": False}  # fmt: skip
_GATES = {**_CELL, "recurrent_activation": "sigmoid"}
_STATELESS = {"return_state": False, "stateful": False, "time_major": False, "zero_output_for_mask": False}
RECURRENT = ("kernel", "recurrent_kernel", "bias")
_NORM = {"epsilon": 1e-3, "center": True, "scale": True}
_MERGED = {"axis": -1}

KINDS: dict[str, Kind] = {
    "Dense": Kind("Dense", {"units": ..., "activation": "linear", "use_bias": True}, {}, ("kernel", "bias")),
    "Activation": Kind("Activation", {"activation": ...}),
    "ReLU": Kind("ReLU", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "LeakyReLU": Kind("LeakyReLU", {"negative_slope": 0.3}),
    "ELU": Kind("ELU", {"alpha": 1.0}),
    "PReLU": Kind("PReLU", {"shared_axes": None}, {}, ("alpha",)),
    "Softmax": Kind("Softmax", {}, {"axis": -1}),
    "Flatten": Kind("Flatten", {}, _LAST),
    "Reshape": Kind("Reshape", {"target_shape": ...}),
    "Permute": Kind("Permute", {"dims": ...}),
    "RepeatVector": Kind("RepeatVector", {"n": ...}),
    "Dropout": Kind("Dropout", {"rate": ...}, {"noise_shape": None}),
    "AlphaDropout": Kind("AlphaDropout", {"rate": ...}, {"noise_shape": None}),
    "GaussianDropout": Kind("GaussianDropout", {"rate": ...}),
    "GaussianNoise": Kind("GaussianNoise", {"stddev": ...}),
    "SpatialDropout1D": Kind("SpatialDropout1D", {"rate": ...}),
    "SpatialDropout2D": Kind("SpatialDropout2D", {"rate": ...}, _LAST),
    "BatchNormalization": Kind("BatchNorm", {**_NORM, "momentum": 0.99}, {"axis": -1, "renorm": False},
                               ("gamma", "beta", "moving_mean", "moving_variance")),
    "LayerNormalization": Kind("LayerNormalization", {**_NORM, "axis": -1}, {"rms_scaling": False}, ("gamma", "beta")),
    "GroupNormalization": Kind("GroupNormalization", {**_NORM, "groups": 32}, {"axis": -1}, ("gamma", "beta")),
    "Embedding": Kind("Embedding", {"input_dim": ..., "output_dim": ..., "mask_zero": False}, {}, ("embeddings",)),
    "Masking": Kind("Masking", {"mask_value": 0.0}),
    "SimpleRNN": Kind("SimpleRNN", _CELL, _STATELESS, RECURRENT),
    "LSTM": Kind("LSTM", _GATES, _STATELESS, RECURRENT),
    "GRU": Kind("GRU", {**_GATES, "reset_after": True}, _STATELESS, RECURRENT),
    "MultiHeadAttention": Kind("MultiHeadAttention", {
        "num_heads": ..., "key_dim": ..., "value_dim": None, "dropout": 0.0, "use_bias": True, "output_shape": None,
    }, {"attention_axes": [1], "flash_attention": False, "use_gate": False, "sliding_window": None}, ("kernel", "bias")),
    "Add": Kind("Add"), "Subtract": Kind("Subtract"), "Average": Kind("Average"), "Multiply": Kind("Multiply"),
    "Maximum": Kind("Maximum"), "Minimum": Kind("Minimum"), "Dot": Kind("Dot", {"axes": ..., "normalize": False}),
    "Concatenate": Kind("Concatenate", _MERGED),
    "Conv1DTranspose": Kind("Conv1DTranspose", CONV, {**_LAST, "output_padding": None}, ("kernel", "bias")),
    "Conv2DTranspose": Kind("Conv2DTranspose", CONV, {**_LAST, "output_padding": None}, ("kernel", "bias")),
    "UpSampling1D": Kind("UpSampling1D", {"size": 2}),
    "UpSampling2D": Kind("UpSampling2D", {"size": ..., "interpolation": "nearest"}, _LAST),
}  # fmt: skip
for n in ("1D", "2D"):
    KINDS[f"Conv{n}"] = Kind(f"Conv{n}", CONV, {**_LAST, "groups": 1}, ("kernel", "bias"))
    KINDS[f"DepthwiseConv{n}"] = Kind(f"DepthwiseConv{n}", _DEPTH, _LAST, ("kernel", "bias"))
    KINDS[f"SeparableConv{n}"] = Kind(f"SeparableConv{n}", CONV | {"depth_multiplier": 1}, {**_LAST, "groups": 1},
                                      ("depthwise_kernel", "pointwise_kernel", "bias"))  # fmt: skip
    KINDS[f"MaxPooling{n}"] = Kind(f"MaxPool{n}", _POOL, _LAST)
    KINDS[f"AveragePooling{n}"] = Kind(f"AvgPool{n}", _POOL, _LAST)
    KINDS[f"GlobalAveragePooling{n}"] = Kind("GlobalAvgPool", {}, {**_LAST, "keepdims": False})
    KINDS[f"GlobalMaxPooling{n}"] = Kind("GlobalMaxPool", {}, {**_LAST, "keepdims": False})
    KINDS[f"ZeroPadding{n}"] = Kind(f"ZeroPadding{n}", {"padding": 1}, _LAST)
    KINDS[f"Cropping{n}"] = Kind(f"Cropping{n}", {"cropping": ...}, _LAST)

HINTS = {
    "Rescaling": "scale the data in the formula, as in \"y ~ {x / 255}\"",
    "Normalization": "scale the data in the formula",
    "TextVectorization": "turn texts into numbers before",
    "StringLookup": "turn texts into numbers before",
}  # fmt: skip
ALIASES = {"negative_slope": ("alpha",)}  # as arguments were called in Keras 2
