"""Weights of a network as Keras names, orders and lays them out: where each element lies in the flat vector.

A flat vector has the weights unit by unit, biases first; Keras has an array for each kind of weight:

======================  ======================================================================================
Dense                   kernel (inputs, units), bias (units,)
Conv1D, Conv2D          kernel ([row,] column, in, out), bias (out,)
SimpleRNN, LSTM         kernel (features, gates units), recurrent_kernel (units, gates units), bias (gates units,);
                        gates of LSTM i, f, c, o
GRU                     the same, bias (2, 3 units): of inputs, of states; gates z, r, h; (3 units,) without reset_after
Embedding               embeddings (input_dim, output_dim)
BatchNorm               gamma, beta, moving_mean, moving_variance, each (channels,)
LayerNormalization      gamma, beta, each with the axes that are normalised; GroupNormalization (channels,)
DepthwiseConv1D, 2D     kernel ([row,] column, in, depth_multiplier), bias (in depth_multiplier,)
PReLU                   alpha, the shape of the input, 1 along shared axes
MultiHeadAttention      of query, key, value: kernel (features, heads, size), bias (heads, size); of attention_output:
                        kernel (heads, size, features), bias (features,)
PositionEmbedding       embeddings (sequence_length, features)
======================  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import codes
from .layer_norm import AXES, EXTENTS
from .prelu import HELD
from .recurrent_rows import NO_BIAS, RESET_FIRST

Arrays = dict[str, np.ndarray]


def _dense(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"kernel": block[:, 1:].T, "bias": block[:, 0]}


def _convolution(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    field: tuple[int, ...] = (int(row[codes.KERNEL_ROWS]), int(row[codes.KERNEL_COLS]))
    kind = type(layer).__name__
    if kind in ("Conv1D", "FlippedConv1D", "Projection", "OutputProjection"):
        field = field[1:]
    kernel = np.moveaxis(block[:, 1:].reshape(len(block), *field, int(row[codes.CHANNELS])), 0, -1)
    if kind in ("FlippedConv1D", "FlippedConv2D"):  # of transposed convolutions
        kernel = np.swapaxes(np.flip(kernel, tuple(range(len(field)))), -2, -1)
    if kind == "Projection":
        size = len(block) // layer.heads
        return {"kernel": kernel[0].reshape(-1, layer.heads, size), "bias": block[:, 0].reshape(layer.heads, size)}
    if kind == "OutputProjection":
        return {"kernel": kernel[0].reshape(layer.heads, -1, len(block)), "bias": block[:, 0]}
    return {"kernel": kernel, "bias": block[:, 0]}


def _recurrent(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    both = row[codes.OP] == codes.GRU and not row[codes.OPTIONS] & RESET_FIRST
    biases = 0 if row[codes.OPTIONS] & NO_BIAS else 2 if both else 1
    state = biases + int(row[codes.FEATURES])
    bias = block[:, :biases].T
    arrays = {"kernel": block[:, biases:state].T, "recurrent_kernel": block[:, state:].T}
    return arrays if biases == 0 else {**arrays, "bias": bias if biases == 2 else bias[0]}


def _embedding(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"embeddings": block}


def _batch_norm(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"gamma": block[:, 1], "beta": block[:, 0], "moving_mean": block[:, 2], "moving_variance": block[:, 3]}


def _layer_norm(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    shape = tuple(int(row[column]) for column in EXTENTS[: int(row[AXES])]) or (len(block),)
    return {"gamma": block[:, 1].reshape(shape), "beta": block[:, 0].reshape(shape)}


def _depthwise(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    field: tuple[int, ...] = (int(row[codes.KERNEL_ROWS]), int(row[codes.KERNEL_COLS]))
    if type(layer).__name__ == "DepthwiseConv1D":
        field = field[1:]
    kernel = block[:, 1:].reshape(int(row[codes.CHANNELS]), -1, *field)
    return {"kernel": np.moveaxis(kernel, (0, 1), (-2, -1)), "bias": block[:, 0]}


def _prelu(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    if row[codes.KIND] == HELD:
        return {"negative_slope": block[:, 0], "threshold": block[:, 1], "max_value": block[:, 2]}
    whole = [int(row[column]) for column in (codes.ROWS, codes.COLS, codes.CHANNELS)]
    strides = [int(row[column]) for column in (codes.STRIDE_ROWS, codes.STRIDE_COLS, codes.STRIDE_CHANNELS)]
    shape = [size if stride else 1 for size, stride in zip(whole, strides, strict=True)]
    return {"alpha": block.reshape(shape[3 - int(row[codes.OPTIONS]) :])}


_ARRAYS: dict[int, Callable[[np.ndarray, Any, np.ndarray], Arrays]] = {
    codes.DENSE: _dense, codes.CONV2D: _convolution, codes.LSTM: _recurrent, codes.GRU: _recurrent,
    codes.SIMPLE_RNN: _recurrent, codes.EMBEDDING: _embedding, codes.BATCH_NORM: _batch_norm,
    codes.LAYER_NORM: _layer_norm, codes.DEPTHWISE: _depthwise, codes.PRELU: _prelu,
    codes.POSITION: lambda row, layer, block: {"embeddings": block.reshape(-1, int(row[codes.FEATURES]))},
}  # fmt: skip


def by_row(network: Any, implied: bool = False, theta: np.ndarray | None = None) -> list[Arrays]:
    """For each row of the table its arrays of positions; of a flat vector `theta` (P,) views of it.

    With `implied` also those that layers do not have.
    """
    flat = np.arange(network.n_params) if theta is None else theta
    out = []
    for row, layer, part, (per_unit, units) in zip(
        network.table, network.applied_layers, network.slices, network.shapes, strict=True
    ):
        make = _ARRAYS.get(int(row[codes.OP])) if units else None
        arrays = {} if make is None else make(row, layer, flat[part].reshape(units, per_unit))
        if not implied and network.implied is not None:
            held = make(row, layer, network.implied[0][part].reshape(units, per_unit)) if make is not None else {}
            arrays = {name: at for name, at in arrays.items() if not held[name].all()}
        out.append(arrays)
    return out


def of_row(network: Any, k: int) -> Arrays:
    """The arrays of row k of the table, with positions among its weights."""
    per_unit, units = network.shapes[k]
    make = _ARRAYS[int(network.table[k, codes.OP])]
    return make(network.table[k], network.applied_layers[k], np.arange(per_unit * units).reshape(units, per_unit))


def array_positions(network: Any) -> list[np.ndarray]:
    """Positions in the flat vector of the elements of every array, in Keras' order of arrays."""
    return [at for arrays in by_row(network) for at in arrays.values()]
