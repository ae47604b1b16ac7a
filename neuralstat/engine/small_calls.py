"""The CPU's layers that move, drop, add to or average units, each compiled by itself when a network first has it."""

from __future__ import annotations

from typing import Any

from ..jit.late import late
from ..layers.attention import position_backward, position_forward, position_gradient
from ..layers.codes import COPY, DROPOUT, MASKING, MOVE, NOISE, OP, POOL, POSITION, PRELU
from ..layers.dropout import copy_backward, copy_forward, dropout_backward, dropout_forward
from ..layers.masking import masked_mean_backward, masked_mean_forward, masking_backward, masking_forward
from ..layers.move import move_backward, move_forward
from ..layers.noise import noise_backward, noise_forward
from ..layers.prelu import prelu_backward, prelu_forward, prelu_gradient


@late
def _copy_forward_alone(row: Any, value: Any, m: int) -> None:
    copy_forward(row, value, 0, m, 1)


@late
def _copy_backward_alone(row: Any, delta: Any, m: int) -> None:
    copy_backward(row, delta, 0, m, 1)


@late
def _dropout_forward_alone(row: Any, value: Any, m: int) -> None:
    dropout_forward(row, value, 0, m, 1)


@late
def _dropout_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    dropout_backward(row, value, delta, 0, m, 1)


@late
def _move_forward_alone(row: Any, value: Any, m: int) -> None:
    move_forward(row, value, 0, m, 1)


@late
def _move_backward_alone(row: Any, delta: Any, m: int) -> None:
    move_backward(row, delta, 0, m, 1)


@late
def _masked_mean_forward_alone(row: Any, value: Any, m: int) -> None:
    masked_mean_forward(row, value, 0, m, 1)


@late
def _masked_mean_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    masked_mean_backward(row, value, delta, 0, m, 1)


@late
def _prelu_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    prelu_forward(row, theta, value, 0, m, 1)


@late
def _prelu_backward_alone(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    prelu_backward(row, theta, value, delta, 0, m, 1)


@late
def _prelu_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    prelu_gradient(row, value, delta, grad, 0, m, 1)


@late
def _noise_forward_alone(row: Any, constant: float, value: Any, m: int) -> None:
    noise_forward(row, constant, value, 0, m, 1)


@late
def _noise_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    noise_backward(row, value, delta, 0, m, 1)


@late
def _masking_forward_alone(row: Any, constant: float, value: Any, m: int) -> None:
    masking_forward(row, constant, value, 0, m, 1)


@late
def _masking_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    masking_backward(row, value, delta, 0, m, 1)


@late
def _position_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    position_forward(row, theta, value, 0, m, 1)


@late
def _position_backward_alone(row: Any, delta: Any, m: int) -> None:
    position_backward(row, delta, 0, m, 1)


@late
def _position_gradient_alone(row: Any, delta: Any, grad: Any, m: int) -> None:
    position_gradient(row, delta, grad, 0, m, 1)


@late
def small_forward(row: Any, constant: float, theta: Any, value: Any, m: int) -> None:
    """Units of one of these layers; see `layer_calls.layer_forward`."""
    op = row[OP]
    if op == COPY:
        _copy_forward_alone(row, value, m)
    elif op == DROPOUT:
        _dropout_forward_alone(row, value, m)
    elif op == MOVE:
        _move_forward_alone(row, value, m)
    elif op == POOL:
        _masked_mean_forward_alone(row, value, m)
    elif op == PRELU:
        _prelu_forward_alone(row, theta, value, m)
    elif op == NOISE:
        _noise_forward_alone(row, constant, value, m)
    elif op == MASKING:
        _masking_forward_alone(row, constant, value, m)
    elif op == POSITION:
        _position_forward_alone(row, theta, value, m)


@late
def small_backward(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    """d loss / d inputs of one of these layers."""
    op = row[OP]
    if op == COPY:
        _copy_backward_alone(row, delta, m)
    elif op == DROPOUT:
        _dropout_backward_alone(row, value, delta, m)
    elif op == MOVE:
        _move_backward_alone(row, delta, m)
    elif op == POOL:
        _masked_mean_backward_alone(row, value, delta, m)
    elif op == PRELU:
        _prelu_backward_alone(row, theta, value, delta, m)
    elif op == NOISE:
        _noise_backward_alone(row, value, delta, m)
    elif op == MASKING:
        _masking_backward_alone(row, value, delta, m)
    elif op == POSITION:
        _position_backward_alone(row, delta, m)


@late
def small_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add the d loss / d weights of one of these layers."""
    op = row[OP]
    if op == PRELU:
        _prelu_gradient_alone(row, value, delta, grad, m)
    elif op == POSITION:
        _position_gradient_alone(row, delta, grad, m)
