"""A device's layers that are not dense, family by family: a family that a network lacks is None, and is not compiled."""

from __future__ import annotations

from typing import Any

from ...jit.compile import jit
from ...layers.codes import (
    CONV2D,
    COPY,
    DROPOUT,
    EMBEDDING,
    GRU,
    LSTM,
    MASK,
    OP,
    OPTIONS,
    POOL,
    SIMPLE_RNN,
)
from ...layers.conv import conv2d_backward, conv2d_forward, conv2d_gradient
from ...layers.dropout import copy_backward, copy_forward, dropout_backward, dropout_forward
from ...layers.embedding import embedding_backward, embedding_forward, embedding_gradient
from ...layers.gru import (
    gru_backward,
    gru_forward,
    gru_gradient,
)
from ...layers.lstm import (
    lstm_backward,
    lstm_forward,
    lstm_gradient,
)
from ...layers.pool import pool_backward, pool_forward
from ...layers.recurrent_rows import RESET_FIRST
from ...layers.simple_rnn import (
    simple_rnn_backward,
    simple_rnn_forward,
    simple_rnn_gradient,
)
from .rare_layers import rare_backward, rare_forward, rare_gradient


@jit
def layer_forward(row: Any, constant: float, theta: Any, value: Any, lane: int, m: int, lanes: int, images: Any,
                  recurrent: Any, others: Any, more: Any) -> None:
    """Sums, or units, of one layer; see `kernels.forward`."""
    op = row[OP]
    if images is not None:
        if op == CONV2D:
            conv2d_forward(row, theta, value, lane, m, lanes)
        elif op == POOL and row[MASK] < 0:
            pool_forward(row, theta, value, lane, m, lanes)
    if recurrent is not None:
        if op == LSTM:
            lstm_forward(row, theta, value, lane, m, lanes)
        elif op == GRU and row[OPTIONS] & RESET_FIRST == 0:
            gru_forward(row, theta, value, lane, m, lanes)
        elif op == SIMPLE_RNN:
            simple_rnn_forward(row, theta, value, lane, m, lanes)
    if others is not None:
        if op == EMBEDDING:
            embedding_forward(row, theta, value, lane, m, lanes)
        elif op == COPY:
            copy_forward(row, value, lane, m, lanes)
        elif op == DROPOUT:
            dropout_forward(row, value, lane, m, lanes)
    if more is not None:
        rare_forward(row, constant, theta, value, lane, m, lanes)


@jit
def layer_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int,
                   images: Any, recurrent: Any, others: Any, more: Any) -> None:
    """d loss / d inputs of one layer into `delta`'s source rows (may be left out where `inputs` is False)."""
    op = row[OP]
    if images is not None and inputs:
        if op == CONV2D:
            conv2d_backward(row, theta, delta, lane, m, lanes)
        elif op == POOL and row[MASK] < 0:
            pool_backward(row, value, delta, lane, m, lanes)
    if recurrent is not None:
        if op == LSTM:
            lstm_backward(row, theta, value, delta, lane, m, lanes)
        elif op == GRU and row[OPTIONS] & RESET_FIRST == 0:
            gru_backward(row, theta, value, delta, lane, m, lanes)
        elif op == SIMPLE_RNN:
            simple_rnn_backward(row, theta, value, delta, lane, m, lanes)
    if others is not None:
        if op == EMBEDDING:
            embedding_backward(row, delta, lane, m, lanes)
        elif op == COPY:
            copy_backward(row, delta, lane, m, lanes)
        elif op == DROPOUT:
            dropout_backward(row, value, delta, lane, m, lanes)
    if more is not None:
        rare_backward(row, theta, value, delta, inputs, lane, m, lanes)


@jit
def layer_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int, images: Any,
                   recurrent: Any, others: Any, more: Any) -> None:
    """Add one layer's d loss / d weights over all m observations."""
    op = row[OP]
    if images is not None and op == CONV2D:
        conv2d_gradient(row, value, delta, grad, lane, m, lanes)
    if recurrent is not None:
        if op == LSTM:
            lstm_gradient(row, value, delta, grad, lane, m, lanes)
        elif op == GRU and row[OPTIONS] & RESET_FIRST == 0:
            gru_gradient(row, value, delta, grad, lane, m, lanes)
        elif op == SIMPLE_RNN:
            simple_rnn_gradient(row, value, delta, grad, lane, m, lanes)
    if others is not None and op == EMBEDDING:
        embedding_gradient(row, value, delta, grad, lane, m, lanes)
    if more is not None:
        rare_gradient(row, value, delta, grad, lane, m, lanes)
