"""The CPU's layers other than dense ones, each compiled by itself when a network first has it.

Convolutional, pooling and recurrent layers (`recurrent_calls`) run on vector code (`jit.simd_sums`) for real numbers; complex
numbers and uncompiled runs take the plain loops, with one lane.
"""

from __future__ import annotations

from typing import Any

from ..jit.by_number import by_number
from ..jit.compile import jit
from ..jit.late import late
from ..layers.attention import attention_backward, attention_forward
from ..layers.codes import (
    ATTENTION,
    BATCH_NORM,
    CONV2D,
    DEPTHWISE,
    EMBEDDING,
    LAYER_NORM,
    MASK,
    MERGE,
    OP,
    POOL,
    RECURRENT,
)
from ..layers.conv import conv2d_backward, conv2d_forward, conv2d_gradient
from ..layers.conv_cpu import conv2d_backward_cpu, conv2d_forward_cpu, conv2d_gradient_cpu
from ..layers.depthwise import (
    depthwise_backward,
    depthwise_backward_cpu,
    depthwise_forward,
    depthwise_forward_cpu,
    depthwise_gradient,
    depthwise_gradient_cpu,
)
from ..layers.embedding import embedding_backward, embedding_forward, embedding_gradient
from ..layers.layer_norm import layer_norm_backward, layer_norm_forward, layer_norm_gradient
from ..layers.merge import merge_backward, merge_forward
from ..layers.normalization import batch_norm_backward, batch_norm_forward, batch_norm_gradient
from ..layers.pool import pool_backward, pool_backward_cpu, pool_forward, pool_forward_cpu
from .recurrent_calls import recurrent_backward, recurrent_forward, recurrent_gradient
from .small_calls import small_backward, small_forward, small_gradient

_conv_forward = by_number(conv2d_forward_cpu, conv2d_forward)
_conv_backward = by_number(conv2d_backward_cpu, conv2d_backward)
_conv_gradient = by_number(conv2d_gradient_cpu, conv2d_gradient)
_depthwise_forward = by_number(depthwise_forward_cpu, depthwise_forward)
_depthwise_backward = by_number(depthwise_backward_cpu, depthwise_backward)
_depthwise_gradient = by_number(depthwise_gradient_cpu, depthwise_gradient)
_pool_forward = by_number(pool_forward_cpu, pool_forward)
_pool_backward = by_number(pool_backward_cpu, pool_backward)


@late
def _conv_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _conv_forward(row, theta, value, m)


@late
def _conv_backward_alone(row: Any, theta: Any, delta: Any, m: int) -> None:
    _conv_backward(row, theta, delta, m)


@late
def _conv_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    _conv_gradient(row, value, delta, grad, m)


@late
def _pool_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _pool_forward(row, theta, value, m)


@late
def _pool_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    _pool_backward(row, value, delta, m)


@late
def _depthwise_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    _depthwise_forward(row, theta, value, m)


@late
def _depthwise_backward_alone(row: Any, theta: Any, delta: Any, m: int) -> None:
    _depthwise_backward(row, theta, delta, m)


@late
def _depthwise_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    _depthwise_gradient(row, value, delta, grad, m)


@late
def _embedding_forward_alone(row: Any, theta: Any, value: Any, m: int) -> None:
    embedding_forward(row, theta, value, 0, m, 1)


@late
def _embedding_backward_alone(row: Any, delta: Any, m: int) -> None:
    embedding_backward(row, delta, 0, m, 1)


@late
def _embedding_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    embedding_gradient(row, value, delta, grad, 0, m, 1)


@late
def _batch_norm_forward_alone(row: Any, constant: float, theta: Any, value: Any, m: int) -> None:
    batch_norm_forward(row, constant, theta, value, m)


@late
def _batch_norm_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    batch_norm_backward(row, value, delta, m)


@late
def _batch_norm_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    batch_norm_gradient(row, value, delta, grad, m)


@late
def _layer_norm_forward_alone(row: Any, constant: float, theta: Any, value: Any, m: int) -> None:
    layer_norm_forward(row, constant, theta, value, 0, m, 1)


@late
def _layer_norm_backward_alone(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    layer_norm_backward(row, theta, value, delta, 0, m, 1)


@late
def _layer_norm_gradient_alone(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    layer_norm_gradient(row, value, delta, grad, 0, m, 1)


@late
def _attention_forward_alone(row: Any, value: Any, m: int) -> None:
    attention_forward(row, value, 0, m, 1)


@late
def _attention_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    attention_backward(row, value, delta, 0, m, 1)


@late
def _merge_forward_alone(row: Any, value: Any, m: int) -> None:
    merge_forward(row, value, 0, m, 1)


@late
def _merge_backward_alone(row: Any, value: Any, delta: Any, m: int) -> None:
    merge_backward(row, value, delta, 0, m, 1)


@jit
def is_recurrent(op: int) -> bool:
    """Whether a layer is one of `recurrent_calls`."""
    return op in RECURRENT


@late
def layer_forward(row: Any, constant: float, theta: Any, value: Any, m: int) -> None:
    """Sums, or units, of one layer.

    Parameters
    ----------
    row : (COLUMNS,) int64 array
        The layer's row of the table.
    constant : float
        The layer's number in `Net.constants`.
    theta, value
        As `chain.forward` has them.
    m : int
        Observations, padded.
    """
    op = row[OP]
    if op == CONV2D:
        _conv_forward_alone(row, theta, value, m)
    elif op == POOL and row[MASK] < 0:
        _pool_forward_alone(row, theta, value, m)
    elif op == DEPTHWISE:
        _depthwise_forward_alone(row, theta, value, m)
    elif is_recurrent(op):
        recurrent_forward(row, theta, value, m)
    elif op == EMBEDDING:
        _embedding_forward_alone(row, theta, value, m)
    elif op == BATCH_NORM:
        _batch_norm_forward_alone(row, constant, theta, value, m)
    elif op == LAYER_NORM:
        _layer_norm_forward_alone(row, constant, theta, value, m)
    elif op == ATTENTION:
        _attention_forward_alone(row, value, m)
    elif op == MERGE:
        _merge_forward_alone(row, value, m)
    else:
        small_forward(row, constant, theta, value, m)


@late
def layer_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """d loss / d inputs of one layer into `delta`'s source rows (may be left out where `inputs` is False)."""
    op = row[OP]
    if op == CONV2D:
        if inputs:
            _conv_backward_alone(row, theta, delta, m)
    elif op == POOL and row[MASK] < 0:
        if inputs:
            _pool_backward_alone(row, value, delta, m)
    elif op == DEPTHWISE:
        if inputs:
            _depthwise_backward_alone(row, theta, delta, m)
    elif is_recurrent(op):
        recurrent_backward(row, theta, value, delta, inputs, m)
    elif op == EMBEDDING:
        _embedding_backward_alone(row, delta, m)
    elif op == BATCH_NORM:
        _batch_norm_backward_alone(row, value, delta, m)
    elif op == LAYER_NORM:
        _layer_norm_backward_alone(row, theta, value, delta, m)
    elif op == ATTENTION:
        _attention_backward_alone(row, value, delta, m)
    elif op == MERGE:
        _merge_backward_alone(row, value, delta, m)
    else:
        small_backward(row, theta, value, delta, m)


@late
def layer_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add one layer's d loss / d weights over all m observations."""
    op = row[OP]
    if op == CONV2D:
        _conv_gradient_alone(row, value, delta, grad, m)
    elif op == DEPTHWISE:
        _depthwise_gradient_alone(row, value, delta, grad, m)
    elif is_recurrent(op):
        recurrent_gradient(row, value, delta, grad, m)
    elif op == EMBEDDING:
        _embedding_gradient_alone(row, value, delta, grad, m)
    elif op == BATCH_NORM:
        _batch_norm_gradient_alone(row, value, delta, grad, m)
    elif op == LAYER_NORM:
        _layer_norm_gradient_alone(row, value, delta, grad, m)
    else:
        small_gradient(row, value, delta, grad, m)
