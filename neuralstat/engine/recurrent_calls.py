"""The CPU's recurrent layers, each compiled by itself when a network first has it; see `layer_calls`."""

from __future__ import annotations

from typing import Any

from ..jit.by_number import by_number
from ..jit.compile import jit
from ..jit.late import late
from ..layers.codes import GRU, LSTM, OP, OPTIONS
from ..layers.gru import (
    gru_backward,
    gru_backward_cpu,
    gru_forward,
    gru_forward_cpu,
    gru_gradient,
    gru_gradient_cpu,
)
from ..layers.gru_first import (
    gru_first_backward,
    gru_first_backward_cpu,
    gru_first_forward,
    gru_first_forward_cpu,
    gru_first_gradient,
    gru_first_gradient_cpu,
)
from ..layers.lstm import lstm_backward, lstm_forward, lstm_gradient
from ..layers.lstm_cpu import lstm_backward_cpu, lstm_forward_cpu, lstm_gradient_cpu
from ..layers.recurrent_rows import RESET_FIRST
from ..layers.simple_rnn import (
    simple_rnn_backward,
    simple_rnn_backward_cpu,
    simple_rnn_forward,
    simple_rnn_forward_cpu,
    simple_rnn_gradient,
    simple_rnn_gradient_cpu,
)

# Plain loops go on to the inputs whether or not they are asked to.


@jit
def _lstm_backward_plain(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int) -> None:
    lstm_backward(row, theta, value, delta, lane, m, lanes)


@jit
def _gru_backward_plain(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int) -> None:
    gru_backward(row, theta, value, delta, lane, m, lanes)


@jit
def _first_backward_plain(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int) -> None:
    gru_first_backward(row, theta, value, delta, lane, m, lanes)


@jit
def _rnn_backward_plain(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int) -> None:
    simple_rnn_backward(row, theta, value, delta, lane, m, lanes)


_lstm_forward = by_number(lstm_forward_cpu, lstm_forward)
_lstm_backward = by_number(lstm_backward_cpu, _lstm_backward_plain)
_lstm_gradient = by_number(lstm_gradient_cpu, lstm_gradient)
_gru_forward = by_number(gru_forward_cpu, gru_forward)
_gru_backward = by_number(gru_backward_cpu, _gru_backward_plain)
_gru_gradient = by_number(gru_gradient_cpu, gru_gradient)
_first_forward = by_number(gru_first_forward_cpu, gru_first_forward)
_first_backward = by_number(gru_first_backward_cpu, _first_backward_plain)
_first_gradient = by_number(gru_first_gradient_cpu, gru_first_gradient)
_rnn_forward = by_number(simple_rnn_forward_cpu, simple_rnn_forward)
_rnn_backward = by_number(simple_rnn_backward_cpu, _rnn_backward_plain)
_rnn_gradient = by_number(simple_rnn_gradient_cpu, simple_rnn_gradient)


@late
def _lstm_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _lstm_forward(row, theta, value, m)


@late
def _lstm_backward_alone(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    _lstm_backward(row, theta, value, delta, inputs, m)


@late
def _lstm_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    _lstm_gradient(row, value, delta, grad, m)


@late
def _gru_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _gru_forward(row, theta, value, m)


@late
def _gru_backward_alone(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    _gru_backward(row, theta, value, delta, inputs, m)


@late
def _gru_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    _gru_gradient(row, value, delta, grad, m)


@late
def _first_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _first_forward(row, theta, value, m)


@late
def _first_backward_alone(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    _first_backward(row, theta, value, delta, inputs, m)


@late
def _first_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    _first_gradient(row, value, delta, grad, m)


@late
def _rnn_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _rnn_forward(row, theta, value, m)


@late
def _rnn_backward_alone(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    _rnn_backward(row, theta, value, delta, inputs, m)


@late
def _rnn_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    _rnn_gradient(row, value, delta, grad, m)


@jit
def recurrent_forward(row: Any, theta: Any, value: Any, m: int) -> None:
    """`layer_calls.layer_forward` of these."""
    if row[OP] == LSTM:
        _lstm_forward_alone(row, theta, value, m)
    elif row[OP] == GRU and row[OPTIONS] & RESET_FIRST != 0:
        _first_forward_alone(row, theta, value, m)
    elif row[OP] == GRU:
        _gru_forward_alone(row, theta, value, m)
    else:
        _rnn_forward_alone(row, theta, value, m)


@jit
def recurrent_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """`layer_calls.layer_backward` of these."""
    if row[OP] == LSTM:
        _lstm_backward_alone(row, theta, value, delta, inputs, m)
    elif row[OP] == GRU and row[OPTIONS] & RESET_FIRST != 0:
        _first_backward_alone(row, theta, value, delta, inputs, m)
    elif row[OP] == GRU:
        _gru_backward_alone(row, theta, value, delta, inputs, m)
    else:
        _rnn_backward_alone(row, theta, value, delta, inputs, m)


@jit
def recurrent_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`layer_calls.layer_gradient` of these."""
    if row[OP] == LSTM:
        _lstm_gradient_alone(row, value, delta, grad, m)
    elif row[OP] == GRU and row[OPTIONS] & RESET_FIRST != 0:
        _first_gradient_alone(row, value, delta, grad, m)
    elif row[OP] == GRU:
        _gru_gradient_alone(row, value, delta, grad, m)
    else:
        _rnn_gradient_alone(row, value, delta, grad, m)
