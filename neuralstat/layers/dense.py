"""Fully connected layer: z_o = b_o + sum_j w_oj a_j, its adjoint, and its twins for speed on a CPU."""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.simd import outer_rows, weighted_rows
from .codes import N_IN, N_OUT, PARAM, SOURCE, TARGET


@jit
def dense_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Weighted sums of a layer's inputs.

    Parameters
    ----------
    row : (COLUMNS,) int64 array
        The layer's row of the table.
    theta : (P,) array
        Read: weights, unit by unit, bias first.
    value : (width, block) array
        Read: source rows. Written: target rows (before activation).
    lane, m, lanes : int
        Observations lane, lane + lanes, ... below m.
    """
    source, n_in, target, n_out = row[SOURCE], row[N_IN], row[TARGET], row[N_OUT]
    w = row[PARAM]
    for o in range(n_out):
        for i in range(lane, m, lanes):
            value[target + o, i] = theta[w]
        for j in range(n_in):
            for i in range(lane, m, lanes):
                value[target + o, i] += theta[w + 1 + j] * value[source + j, i]
        w += n_in + 1


@jit
def dense_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights: grad_oj += sum_i delta_oi a_ji.

    Here the lanes share the *weights* (each sums over all observations, in their order), so that no two
    lanes add to one element.

    Parameters
    ----------
    value, delta : (width, block) arrays
        Read: source rows of `value`, target rows of `delta` (d loss / d z).
    grad : (P,) array
        Accumulated.
    """
    source, n_in, target, n_out = row[SOURCE], row[N_IN], row[TARGET], row[N_OUT]
    for k in range(lane, n_out * (n_in + 1), lanes):
        o = k // (n_in + 1)
        j = k - o * (n_in + 1)
        total = grad[row[PARAM] + k]
        if j == 0:
            for i in range(m):
                total += delta[target + o, i]
        else:
            for i in range(m):
                total += delta[target + o, i] * value[source + j - 1, i]
        grad[row[PARAM] + k] = total


@jit
def dense_backward(row: Any, theta: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs: delta_ji = sum_o w_oj delta_oi, written to the source rows of `delta`."""
    source, n_in, target, n_out = row[SOURCE], row[N_IN], row[TARGET], row[N_OUT]
    for j in range(n_in):
        for i in range(lane, m, lanes):
            delta[source + j, i] = theta[row[PARAM] + 1 + j] * delta[target, i]
        for o in range(1, n_out):
            w = row[PARAM] + o * (n_in + 1) + 1 + j
            for i in range(lane, m, lanes):
                delta[source + j, i] += theta[w] * delta[target + o, i]


# The CPU's twins, on explicit vector code. They take m padded to a multiple of `engine.simd.PAD`.


@jit
def dense_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`dense_forward` for one lane."""
    weighted_rows(value, row[TARGET], row[N_OUT], theta, row[PARAM] + 1, row[N_IN] + 1, 1, 1, value, row[SOURCE],
                  row[N_IN], value, False, m)


@jit
def dense_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`dense_gradient` for one lane."""
    outer_rows(grad, row[PARAM] + 1, row[N_IN] + 1, delta, row[TARGET], row[N_OUT], value, row[SOURCE], row[N_IN], m)


@jit
def dense_backward_cpu(row: Any, theta: Any, delta: Any, slope: Any, through: bool, m: int) -> None:
    """`dense_backward` for one lane; with `through`, on through the activations of the units below."""
    weighted_rows(delta, row[SOURCE], row[N_IN], theta, row[PARAM] + 1, 1, row[N_IN] + 1, 0, delta, row[TARGET],
                  row[N_OUT], slope, through, m)
