"""The CPU's drivers: outputs, gradients and training of a stack of networks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..functions.loss_calls import loss_block
from ..functions.losses import CE_R, ELSEWHERE
from ..jit.buffers import aligned, row_length
from ..jit.compile import as_python, entry, jit
from ..jit.late import late
from ..jit.scalar import from_bits, size_bits
from ..jit.vector_code import PAD
from ..jit.vectors import fill
from ..layers.codes import N_OUT, OFFSET, TARGET, Layered
from .chain import backward, forward
from .elsewhere import loss_elsewhere

BLOCK = 256  # observations per pass of a dense network: fixed, so that sums do not depend on threads
PARTITION = 32 * BLOCK  # observations whose sums are formed apart and then added in order, by whatever threads

RUNNING, CONVERGED, STEPMAX, NONFINITE, INTERRUPTED, STALLED, TOLERANCE, PRUNED = range(8)


class Net(NamedTuple):
    """A network as kernels see it."""

    table: np.ndarray  # (layers, COLUMNS) int64
    constants: np.ndarray  # (layers,) parameter of each activation
    width: int  # rows of the buffers
    loss: int  # code of the loss
    loss_parameter: float
    loss_address: int
    penalty: np.ndarray  # (P or 0, penalties.COLUMNS)
    layered: Layered  # families of layers other than dense ones
    custom: int  # 1 where there are users' functions
    rare: int  # 1 where there are activations or losses outside COMMON
    parameters: np.ndarray  # (2 or more,) of an exponential family and its link, or of a distribution of several outputs
    block: int = BLOCK  # observations per pass


class Data(NamedTuple):
    """Observations as kernels see them; the first axis of all but x is the network's, or has length 1."""

    x: np.ndarray  # (D, n)
    y: np.ndarray  # (B or 1, K, n)
    weight: np.ndarray  # (B or 1, n), or (1, 0) for none
    offset: np.ndarray  # (K, n), or (K, 0) for none
    rows: np.ndarray  # (B or 1, m) int64 observations that each network sees, or (1, 0) for all of them
    count: np.ndarray  # type: ignore[assignment]  # (B or 1,) int64: how many of `rows` are used, or (0,) for all of them


class Work(NamedTuple):
    """Buffers of one running thread."""

    value: np.ndarray  # (width, block)
    slope: np.ndarray
    delta: np.ndarray
    target: np.ndarray  # (K, block)
    case: np.ndarray  # (block,)
    at: np.ndarray  # (2, PAD) int64: where some observations lie


def room_for(net: Net, outputs: int, dtype: Any, observed: Any = None) -> Work:
    """Buffers for networks with so many outputs, and for responses in a kind of number (that of weights, unless given).

    Python makes them, as all arrays of kernels that it calls: pages that nobody writes to take no memory, and there is less
    to compile.
    """
    like, observed = np.zeros(1, dtype), dtype if observed is None else observed
    length = as_python(row_length)(net.block, like)
    value, slope, delta = (as_python(aligned)(net.width, length, like) for _ in range(3))
    return Work(value, slope, delta, np.zeros((outputs, net.block), observed), np.ones(net.block, observed),
                np.zeros((2, PAD), np.int64))  # fmt: skip


def workspace(net: Net, data: Data, theta: np.ndarray) -> Work:
    """Fresh buffers in the kind of number of `theta`."""
    return room_for(net, data.y.shape[1], theta.dtype, data.y.dtype)


@jit
def n_seen(data: Any, b: int) -> int:
    """How many observations network b sees."""
    if data.rows.shape[1] == 0:
        return data.x.shape[1]
    if data.count.size == 0:
        return data.rows.shape[1]
    return data.count[b % data.count.size]


@jit
def padded(m: int) -> int:
    """m rounded up to what the vector code takes."""
    return (m + PAD - 1) // PAD * PAD


@late
def pick(given: Any, rows: Any, start: int, m: int, wide: int, into: Any) -> None:
    """m numbers from the `start`-th on, those that `rows` names (all, where it is empty); the last repeated up to `wide`."""
    if rows.size == 0:
        for i in range(m):
            into[i] = given[start + i]
    else:
        for i in range(m):
            into[i] = given[rows[start + i]]
    for i in range(m, wide):
        into[i] = into[m - 1]


@late
def gather(net: Any, data: Any, work: Any, b: int, start: int, m: int) -> None:
    """Inputs, offsets, responses and case weights of a block into the buffers."""
    known = net.table[net.table.shape[0] - 1, OFFSET]
    rows = data.rows[b % data.rows.shape[0]]
    y = data.y[b % data.y.shape[0]]
    weight = data.weight[b % data.weight.shape[0]]
    for d in range(data.x.shape[0]):
        pick(data.x[d], rows, start, m, padded(m), work.value[d])
    if known >= 0:
        for k in range(data.offset.shape[0]):
            pick(data.offset[k], rows, start, m, padded(m), work.value[known + k])
    for k in range(y.shape[0]):
        pick(y[k], rows, start, m, m, work.target[k])
    if weight.size > 0:
        pick(weight, rows, start, m, m, work.case)


@late
def clear_padding(delta: Any, first: int, n_rows: int, m: int) -> None:
    """Zero `delta` of the padding, so that it adds nothing to any gradient."""
    for k in range(first, first + n_rows):
        for i in range(m, padded(m)):
            delta[k, i] = 0


@late(returns="theta")
def block_loss(net: Any, theta: Any, work: Any, m: int) -> Any:
    """Forward through the m observations that lie in `work`: their loss; its derivative in the outputs into `delta`."""
    forward(net.table, net.constants, theta, work.value, work.slope, padded(m))
    end = net.table.shape[0] - 1
    return loss_block(net.loss, net.loss_parameter, net.loss_address, net.parameters, work.value, work.target, work.case,
                      work.delta, net.table[end, TARGET], net.table[end, N_OUT], m)


@late(returns="theta")
def accumulate(net: Any, data: Any, theta: Any, b: int, first: int, last: int, work: Any, grad: Any,
               gathered: bool) -> Any:
    """Loss of network b over its observations first .. last; d loss / d theta is added to `grad`.

    Parameters
    ----------
    gathered : bool
        True where the one block of observations already lies in `work`.

    Returns
    -------
    number
        Sum of the loss, without penalty. Blocks are added in order, observations within a block by vector lanes.
    """
    if net.loss == ELSEWHERE:
        return loss_elsewhere(net.loss_address, theta, grad)
    end = net.table.shape[0] - 1
    out = net.table[end, TARGET]
    total = theta[0] * 0
    for start in range(first, last, net.block):
        m = min(net.block, last - start)
        if not gathered:
            gather(net, data, work, b, start, m)
        total += block_loss(net, theta, work, m)
        clear_padding(work.delta, out, net.table[end, N_OUT], m)
        backward(net.table, theta, work.value, work.slope, work.delta, grad, padded(m), net.loss == CE_R, False)
    return total


@jit
def total_gradient(net: Any, data: Any, theta: Any, b: int, n: int, work: Any, grad: Any, part: Any,
                   gathered: bool) -> Any:
    """Loss and gradient of network b over its first n observations: partition by partition, added in order.

    Parameters
    ----------
    grad, part : (P,) arrays
        Overwritten; `part` is scratch.
    """
    if n <= PARTITION or n <= net.block:
        fill(grad, 0)
        return accumulate(net, data, theta, b, 0, n, work, grad, gathered)
    total = theta[0] * 0
    fill(grad, 0)
    for first in range(0, n, PARTITION):
        fill(part, 0)
        total += accumulate(net, data, theta, b, first, min(first + PARTITION, n), work, part, False)
        for j in range(grad.size):
            grad[j] += part[j]
    return total


@jit
def largest_free(grad: Any, free: Any) -> Any:
    """Largest absolute element of the gradient over the free weights; NaN where any is NaN."""
    largest = size_bits(grad[0]) * 0
    for j in range(grad.size):
        bits = size_bits(grad[j])
        largest = max(largest, bits if free[j] else bits * 0)
    return from_bits(largest)


def loss_gradient(net: Net, data: Data, theta: np.ndarray, b: int, first: int, last: int, grad: np.ndarray) -> Any:
    """Loss of network b over its observations first .. last, without penalty; `grad` (P,) is overwritten."""
    return _loss_gradient(net, data, theta, b, first, last, workspace(net, data, theta), grad)


@entry
def _loss_gradient(net: Any, data: Any, theta: Any, b: int, first: int, last: int, work: Any, grad: Any) -> Any:
    fill(grad, 0)
    return accumulate(net, data, theta, b, first, last, work, grad, False)


def partition_sums(net: Net, data: Data, theta: np.ndarray, b: int, first: int, last: int, parts: np.ndarray,
                   errors: np.ndarray) -> None:
    """`loss_gradient` of each of the partitions first .. last of the observations, into rows of `parts` and `errors`."""
    _partition_sums(net, data, theta, b, first, last, workspace(net, data, theta), parts, errors)


@entry
def _partition_sums(net: Any, data: Any, theta: Any, b: int, first: int, last: int, work: Any, parts: Any,
                    errors: Any) -> None:
    n = data.x.shape[1]
    for q in range(first, last):
        fill(parts[q], 0)
        errors[q] = accumulate(net, data, theta, b, q * PARTITION, min((q + 1) * PARTITION, n), work, parts[q], False)


@entry
def predictor_losses(net: Any, value: Any, target: Any, case: Any, delta: Any, losses: Any) -> None:
    """Losses (B,) of blocks of observations, of given outputs (B, K, m) and responses (B, L, m), with weights (B, m).

    Their derivatives go into `delta` (B, K, m). Blocks of one observation give the loss of each; derivatives alone take less
    time in one block of all.
    """
    m = value.shape[2]
    for i in range(losses.size):
        losses[i] = loss_block(
            net.loss, net.loss_parameter, net.loss_address, net.parameters, value[i], target[i], case[i], delta[i], 0,
            value.shape[1], m,
        )  # fmt: skip


@jit
def record(trace: Any, recorded: Any, stride: Any, steps: Any, error: Any, b: int) -> None:
    """Keep the error of this step if its turn has come; thin the record out when it is full."""
    if (steps[b] - 1) % stride[b] != 0:
        return
    if recorded[b] == trace.shape[1]:
        for k in range(trace.shape[1] // 2):
            trace[b, k] = trace[b, 2 * k]
        recorded[b] = trace.shape[1] // 2
        stride[b] *= 2
        if (steps[b] - 1) % stride[b] != 0:
            return
    trace[b, recorded[b]] = error
    recorded[b] += 1


def unit_values(net: Net, data: Data, theta: np.ndarray, units: np.ndarray) -> None:
    """Values of every unit of one network at every observation, into `units` (width, n)."""
    _unit_values(net, data, theta, workspace(net, data, theta), units)


@entry
def _unit_values(net: Any, data: Any, theta: Any, work: Any, units: Any) -> None:
    for start in range(0, data.x.shape[1], net.block):
        m = min(net.block, data.x.shape[1] - start)
        gather(net, data, work, 0, start, m)
        forward(net.table, net.constants, theta, work.value, work.slope, padded(m))
        for u in range(units.shape[0]):
            for i in range(m):
                units[u, start + i] = work.value[u, i]


@entry
def output_values(net: Any, data: Any, theta: Any, out: Any, work: Any) -> None:
    """Outputs of a stack of networks, theta (B, P), into `out` (B, K, n), with buffers from `room_for`."""
    first = net.table[net.table.shape[0] - 1, TARGET]
    for b in range(theta.shape[0]):
        for start in range(0, data.x.shape[1], net.block):
            m = min(net.block, data.x.shape[1] - start)
            gather(net, data, work, b, start, m)
            forward(net.table, net.constants, theta[b], work.value, work.slope, padded(m))
            for k in range(out.shape[1]):
                for i in range(m):
                    out[b, k, start + i] = work.value[first + k, i]


def output_slopes(net: Net, data: Data, theta: np.ndarray, slopes: np.ndarray) -> None:
    """d output_k / d x_d of one network at every observation, into `slopes` (K, D, n)."""
    _output_slopes(net, data, theta, workspace(net, data, theta), np.zeros_like(theta), slopes)


@entry
def _output_slopes(net: Any, data: Any, theta: Any, work: Any, grad: Any, slopes: Any) -> None:
    end = net.table.shape[0] - 1
    first = net.table[end, TARGET]
    for start in range(0, data.x.shape[1], net.block):
        m = min(net.block, data.x.shape[1] - start)
        gather(net, data, work, 0, start, m)
        forward(net.table, net.constants, theta, work.value, work.slope, padded(m))
        for k in range(slopes.shape[0]):
            for o in range(slopes.shape[0]):
                for i in range(m):
                    work.delta[first + o, i] = 1 if o == k else 0
            clear_padding(work.delta, first, slopes.shape[0], m)
            backward(net.table, theta, work.value, work.slope, work.delta, grad, padded(m), False, True)
            for d in range(slopes.shape[1]):
                for i in range(m):
                    slopes[k, d, start + i] = work.delta[d, i]


def output_jacobian(net: Net, data: Data, theta: np.ndarray, jacobian: np.ndarray) -> None:
    """d output_k / d theta_p of one network at every observation, into `jacobian` (K, n, P)."""
    _output_jacobian(net, data, theta, workspace(net, data, theta), jacobian)


@entry
def _output_jacobian(net: Any, data: Any, theta: Any, work: Any, jacobian: Any) -> None:
    end = net.table.shape[0] - 1
    first = net.table[end, TARGET]
    for r in range(data.x.shape[1]):
        gather(net, data, work, 0, r, 1)
        forward(net.table, net.constants, theta, work.value, work.slope, padded(1))
        for k in range(jacobian.shape[0]):
            for o in range(jacobian.shape[0]):
                work.delta[first + o, 0] = 1 if o == k else 0
            clear_padding(work.delta, first, jacobian.shape[0], 1)
            fill(jacobian[k, r], 0)
            backward(net.table, theta, work.value, work.slope, work.delta, jacobian[k, r], padded(1), False,
                     False)


def loss_scores(net: Net, data: Data, theta: np.ndarray, scores: np.ndarray) -> None:
    """d loss_i / d theta_p of one network, into `scores` (n, P)."""
    _loss_scores(net, data, theta, workspace(net, data, theta), scores)


@entry
def _loss_scores(net: Any, data: Any, theta: Any, work: Any, scores: Any) -> None:
    for r in range(data.x.shape[1]):
        fill(scores[r], 0)
        accumulate(net, data, theta, 0, r, r + 1, work, scores[r], False)
