"""A device's layers that fewer networks have, apart from the others: a network without any of them does not compile them."""

from __future__ import annotations

from typing import Any

from ...jit.compile import jit
from ...layers.attention import (
    attention_backward,
    attention_forward,
    position_backward,
    position_forward,
    position_gradient,
)
from ...layers.codes import (
    ATTENTION,
    DEPTHWISE,
    GRU,
    LAYER_NORM,
    MASK,
    MASKING,
    MERGE,
    MOVE,
    NOISE,
    OP,
    OPTIONS,
    POOL,
    POSITION,
    PRELU,
)
from ...layers.depthwise import (
    depthwise_backward,
    depthwise_forward,
    depthwise_gradient,
)
from ...layers.gru_first import gru_first_backward, gru_first_forward, gru_first_gradient
from ...layers.layer_norm import layer_norm_backward, layer_norm_forward, layer_norm_gradient
from ...layers.masking import masked_mean_backward, masked_mean_forward, masking_backward, masking_forward
from ...layers.merge import merge_backward, merge_forward
from ...layers.move import move_backward, move_forward
from ...layers.noise import noise_backward, noise_forward
from ...layers.prelu import prelu_backward, prelu_forward, prelu_gradient
from ...layers.recurrent_rows import RESET_FIRST


@jit
def rare_forward(row: Any, constant: float, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """`layer_kinds.layer_forward` of these."""
    op = row[OP]
    if op == MOVE:
        move_forward(row, value, lane, m, lanes)
    elif op == POOL and row[MASK] >= 0:
        masked_mean_forward(row, value, lane, m, lanes)
    elif op == DEPTHWISE:
        depthwise_forward(row, theta, value, lane, m, lanes)
    elif op == LAYER_NORM:
        layer_norm_forward(row, constant, theta, value, lane, m, lanes)
    elif op == PRELU:
        prelu_forward(row, theta, value, lane, m, lanes)
    elif op == NOISE:
        noise_forward(row, constant, value, lane, m, lanes)
    elif op == MASKING:
        masking_forward(row, constant, value, lane, m, lanes)
    elif op == ATTENTION:
        attention_forward(row, value, lane, m, lanes)
    elif op == POSITION:
        position_forward(row, theta, value, lane, m, lanes)
    elif op == MERGE:
        merge_forward(row, value, lane, m, lanes)
    elif op == GRU and row[OPTIONS] & RESET_FIRST != 0:
        gru_first_forward(row, theta, value, lane, m, lanes)


@jit
def rare_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int) -> None:
    """`layer_kinds.layer_backward` of these."""
    op = row[OP]
    if op == MOVE:
        move_backward(row, delta, lane, m, lanes)
    elif op == POOL and row[MASK] >= 0:
        masked_mean_backward(row, value, delta, lane, m, lanes)
    elif op == DEPTHWISE and inputs:
        depthwise_backward(row, theta, delta, lane, m, lanes)
    elif op == LAYER_NORM:
        layer_norm_backward(row, theta, value, delta, lane, m, lanes)
    elif op == PRELU:
        prelu_backward(row, theta, value, delta, lane, m, lanes)
    elif op == NOISE:
        noise_backward(row, value, delta, lane, m, lanes)
    elif op == MASKING:
        masking_backward(row, value, delta, lane, m, lanes)
    elif op == ATTENTION:
        attention_backward(row, value, delta, lane, m, lanes)
    elif op == POSITION:
        position_backward(row, delta, lane, m, lanes)
    elif op == MERGE:
        merge_backward(row, value, delta, lane, m, lanes)
    elif op == GRU and row[OPTIONS] & RESET_FIRST != 0:
        gru_first_backward(row, theta, value, delta, lane, m, lanes)


@jit
def rare_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """`layer_kinds.layer_gradient` of these."""
    op = row[OP]
    if op == DEPTHWISE:
        depthwise_gradient(row, value, delta, grad, lane, m, lanes)
    elif op == LAYER_NORM:
        layer_norm_gradient(row, value, delta, grad, lane, m, lanes)
    elif op == PRELU:
        prelu_gradient(row, value, delta, grad, lane, m, lanes)
    elif op == POSITION:
        position_gradient(row, delta, grad, lane, m, lanes)
    elif op == GRU and row[OPTIONS] & RESET_FIRST != 0:
        gru_first_gradient(row, value, delta, grad, lane, m, lanes)
