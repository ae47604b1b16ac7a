"""The layers that are not dense, family by family: a family that a network lacks is None, and is not compiled.

On a CPU convolutional, pooling and recurrent layers run on vector code (`engine.simd_sums`); complex numbers, other
devices and uncompiled runs take the plain loops.
"""

from __future__ import annotations

from typing import Any

from ..jit.by_number import by_number
from ..jit.compile import jit
from ..layers.codes import (
    BATCH_NORM,
    CONV2D,
    COPY,
    DROPOUT,
    EMBEDDING,
    GRU,
    LSTM,
    MASK,
    OP,
    POOL,
    SIMPLE_RNN,
)
from ..layers.conv import conv2d_backward, conv2d_forward, conv2d_gradient
from ..layers.conv_cpu import conv2d_backward_cpu, conv2d_forward_cpu, conv2d_gradient_cpu
from ..layers.dropout import copy_backward, copy_forward, dropout_backward, dropout_forward
from ..layers.embedding import embedding_backward, embedding_forward, embedding_gradient
from ..layers.gru import (
    gru_backward,
    gru_backward_cpu,
    gru_forward,
    gru_forward_cpu,
    gru_gradient,
    gru_gradient_cpu,
)
from ..layers.lstm import (
    lstm_backward,
    lstm_backward_cpu,
    lstm_forward,
    lstm_forward_cpu,
    lstm_gradient,
    lstm_gradient_cpu,
)
from ..layers.normalization import batch_norm_backward, batch_norm_forward, batch_norm_gradient
from ..layers.pool import pool_backward, pool_backward_cpu, pool_forward, pool_forward_cpu
from ..layers.simple_rnn import (
    simple_rnn_backward,
    simple_rnn_backward_cpu,
    simple_rnn_forward,
    simple_rnn_forward_cpu,
    simple_rnn_gradient,
    simple_rnn_gradient_cpu,
)
from .rare_layers import rare_backward, rare_forward, rare_gradient

_conv_forward = by_number(conv2d_forward_cpu, conv2d_forward)
_conv_backward = by_number(conv2d_backward_cpu, conv2d_backward)
_conv_gradient = by_number(conv2d_gradient_cpu, conv2d_gradient)
_pool_forward = by_number(pool_forward_cpu, pool_forward)
_pool_backward = by_number(pool_backward_cpu, pool_backward)
_lstm_forward = by_number(lstm_forward_cpu, lstm_forward)
_lstm_backward = by_number(lstm_backward_cpu, lstm_backward)
_lstm_gradient = by_number(lstm_gradient_cpu, lstm_gradient)
_gru_forward = by_number(gru_forward_cpu, gru_forward)
_gru_backward = by_number(gru_backward_cpu, gru_backward)
_gru_gradient = by_number(gru_gradient_cpu, gru_gradient)
_rnn_forward = by_number(simple_rnn_forward_cpu, simple_rnn_forward)
_rnn_backward = by_number(simple_rnn_backward_cpu, simple_rnn_backward)
_rnn_gradient = by_number(simple_rnn_gradient_cpu, simple_rnn_gradient)


@jit
def layer_forward(row: Any, constant: float, theta: Any, value: Any, lane: int, m: int, lanes: int, images: Any,
                  recurrent: Any, others: Any, more: Any, gpu: Any) -> None:
    """Sums, or units, of one layer; see `kernels.forward`."""
    op = row[OP]
    if images is not None:
        if op == CONV2D:
            if gpu is None:
                _conv_forward(row, theta, value, m)
            else:
                conv2d_forward(row, theta, value, lane, m, lanes)
        elif op == POOL and row[MASK] < 0:
            if gpu is None:
                _pool_forward(row, theta, value, m)
            else:
                pool_forward(row, theta, value, lane, m, lanes)
    if recurrent is not None:
        if op == LSTM:
            if gpu is None:
                _lstm_forward(row, theta, value, m)
            else:
                lstm_forward(row, theta, value, lane, m, lanes)
        elif op == GRU:
            if gpu is None:
                _gru_forward(row, theta, value, m)
            else:
                gru_forward(row, theta, value, lane, m, lanes)
        elif op == SIMPLE_RNN:
            if gpu is None:
                _rnn_forward(row, theta, value, m)
            else:
                simple_rnn_forward(row, theta, value, lane, m, lanes)
    if others is not None:
        if op == EMBEDDING:
            embedding_forward(row, theta, value, lane, m, lanes)
        elif op == COPY:
            copy_forward(row, value, lane, m, lanes)
        elif op == DROPOUT:
            dropout_forward(row, value, lane, m, lanes)
        if gpu is None and op == BATCH_NORM:
            batch_norm_forward(row, constant, theta, value, m)
    if more is not None:
        rare_forward(row, constant, theta, value, lane, m, lanes, gpu)


@jit
def layer_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int,
                   images: Any, recurrent: Any, others: Any, more: Any, gpu: Any) -> None:
    """d loss / d inputs of one layer into `delta`'s source rows (may be left out where `inputs` is False)."""
    op = row[OP]
    if images is not None and inputs:
        if op == CONV2D:
            if gpu is None:
                _conv_backward(row, theta, delta, m)
            else:
                conv2d_backward(row, theta, delta, lane, m, lanes)
        elif op == POOL and row[MASK] < 0:
            if gpu is None:
                _pool_backward(row, value, delta, m)
            else:
                pool_backward(row, value, delta, lane, m, lanes)
    if recurrent is not None:
        if op == LSTM:
            if gpu is None:
                _lstm_backward(row, theta, value, delta, m)
            else:
                lstm_backward(row, theta, value, delta, lane, m, lanes)
        elif op == GRU:
            if gpu is None:
                _gru_backward(row, theta, value, delta, m)
            else:
                gru_backward(row, theta, value, delta, lane, m, lanes)
        elif op == SIMPLE_RNN:
            if gpu is None:
                _rnn_backward(row, theta, value, delta, m)
            else:
                simple_rnn_backward(row, theta, value, delta, lane, m, lanes)
    if others is not None:
        if op == EMBEDDING:
            embedding_backward(row, delta, lane, m, lanes)
        elif op == COPY:
            copy_backward(row, delta, lane, m, lanes)
        elif op == DROPOUT:
            dropout_backward(row, value, delta, lane, m, lanes)
        if gpu is None and op == BATCH_NORM:
            batch_norm_backward(row, value, delta, m)
    if more is not None:
        rare_backward(row, theta, value, delta, inputs, lane, m, lanes, gpu)


@jit
def layer_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int, images: Any,
                   recurrent: Any, others: Any, more: Any, gpu: Any) -> None:
    """Add one layer's d loss / d weights over all m observations."""
    op = row[OP]
    if images is not None and op == CONV2D:
        if gpu is None:
            _conv_gradient(row, value, delta, grad, m)
        else:
            conv2d_gradient(row, value, delta, grad, lane, m, lanes)
    if recurrent is not None:
        if op == LSTM:
            if gpu is None:
                _lstm_gradient(row, value, delta, grad, m)
            else:
                lstm_gradient(row, value, delta, grad, lane, m, lanes)
        elif op == GRU:
            if gpu is None:
                _gru_gradient(row, value, delta, grad, m)
            else:
                gru_gradient(row, value, delta, grad, lane, m, lanes)
        elif op == SIMPLE_RNN:
            if gpu is None:
                _rnn_gradient(row, value, delta, grad, m)
            else:
                simple_rnn_gradient(row, value, delta, grad, lane, m, lanes)
    if others is not None:
        if op == EMBEDDING:
            embedding_gradient(row, value, delta, grad, lane, m, lanes)
        if gpu is None and op == BATCH_NORM:
            batch_norm_gradient(row, value, delta, grad, m)
    if more is not None:
        rare_gradient(row, value, delta, grad, lane, m, lanes, gpu)
