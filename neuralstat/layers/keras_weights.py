"""Weights of a network as Keras names, orders and lays them out: where each element lies in the flat vector.

A flat vector has the weights unit by unit, biases first; Keras has an array for each kind of weight:

======================  ======================================================================================
Dense                   kernel (inputs, units), bias (units,)
Conv1D, Conv2D          kernel ([row,] column, in, out), bias (out,)
SimpleRNN, LSTM         kernel (features, gates units), recurrent_kernel (units, gates units), bias (gates units,);
                        gates of LSTM i, f, c, o
GRU                     the same, bias (2, 3 units): of inputs, of states; gates z, r, h
Embedding               embeddings (input_dim, output_dim)
BatchNorm               gamma, beta, moving_mean, moving_variance, each (channels,)
======================  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import codes
from .recurrent_rows import NO_BIAS

Arrays = dict[str, np.ndarray]


def _dense(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"kernel": block[:, 1:].T, "bias": block[:, 0]}


def _convolution(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    field: tuple[int, ...] = (int(row[codes.KERNEL_ROWS]), int(row[codes.KERNEL_COLS]))
    if type(layer).__name__ == "Conv1D":
        field = field[1:]
    kernel = block[:, 1:].reshape(len(block), *field, int(row[codes.CHANNELS]))
    return {"kernel": np.moveaxis(kernel, 0, -1), "bias": block[:, 0]}


def _recurrent(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    biases = 0 if row[codes.OPTIONS] & NO_BIAS else 2 if row[codes.OP] == codes.GRU else 1
    state = biases + int(row[codes.FEATURES])
    bias = block[:, :biases].T
    arrays = {"kernel": block[:, biases:state].T, "recurrent_kernel": block[:, state:].T}
    return arrays if biases == 0 else {**arrays, "bias": bias if biases == 2 else bias[0]}


def _embedding(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"embeddings": block}


def _batch_norm(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"gamma": block[:, 1], "beta": block[:, 0], "moving_mean": block[:, 2], "moving_variance": block[:, 3]}


_ARRAYS: dict[int, Callable[[np.ndarray, Any, np.ndarray], Arrays]] = {
    codes.DENSE: _dense, codes.CONV2D: _convolution, codes.LSTM: _recurrent, codes.GRU: _recurrent,
    codes.SIMPLE_RNN: _recurrent, codes.EMBEDDING: _embedding, codes.BATCH_NORM: _batch_norm,
}  # fmt: skip


def by_row(network: Any) -> list[Arrays]:
    """For each row of the table its arrays of positions."""
    flat = np.arange(network.n_params)
    out = []
    for row, layer, part, (per_unit, units) in zip(
        network.table, network.table_layers, network.slices, network.shapes, strict=True
    ):
        make = _ARRAYS.get(int(row[codes.OP]))
        out.append({} if make is None else make(row, layer, flat[part].reshape(units, per_unit)))
    return out


def array_positions(network: Any) -> list[np.ndarray]:
    """Positions in the flat vector of the elements of every array, in Keras' order of arrays."""
    return [at for arrays in by_row(network) for at in arrays.values()]
