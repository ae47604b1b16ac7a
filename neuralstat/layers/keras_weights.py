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
    biases = 2 if row[codes.OP] == codes.GRU else 1
    state = biases + int(row[codes.FEATURES])
    bias = block[:, :biases].T
    return {"kernel": block[:, biases:state].T, "recurrent_kernel": block[:, state:].T,
            "bias": bias if biases == 2 else bias[0]}  # fmt: skip


def _embedding(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"embeddings": block}


def _batch_norm(row: np.ndarray, layer: Any, block: np.ndarray) -> Arrays:
    return {"gamma": block[:, 1], "beta": block[:, 0], "moving_mean": block[:, 2], "moving_variance": block[:, 3]}


_ARRAYS: dict[int, Callable[[np.ndarray, Any, np.ndarray], Arrays]] = {
    codes.DENSE: _dense, codes.CONV2D: _convolution, codes.LSTM: _recurrent, codes.GRU: _recurrent,
    codes.SIMPLE_RNN: _recurrent, codes.EMBEDDING: _embedding, codes.BATCH_NORM: _batch_norm,
}  # fmt: skip


def by_row(network: Any, theta: np.ndarray | None = None) -> list[Arrays]:
    """For each row of the table its arrays of positions; of a flat vector `theta` (P,) views of it."""
    flat = np.arange(network.n_params) if theta is None else theta
    out = []
    for row, layer, part, (per_unit, units) in zip(
        network.table, network.table_layers, network.slices, network.shapes, strict=True
    ):
        make = _ARRAYS.get(int(row[codes.OP]))
        out.append({} if make is None else make(row, layer, flat[part].reshape(units, per_unit)))
    return out


def of_row(network: Any, k: int) -> Arrays:
    """The arrays of row k of the table, with positions among its weights."""
    per_unit, units = network.shapes[k]
    make = _ARRAYS[int(network.table[k, codes.OP])]
    return make(network.table[k], network.table_layers[k], np.arange(per_unit * units).reshape(units, per_unit))


def array_positions(network: Any) -> list[np.ndarray]:
    """Positions in the flat vector of the elements of every array, in Keras' order of arrays."""
    return [at for arrays in by_row(network) for at in arrays.values()]
