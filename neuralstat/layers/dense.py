"""Fully connected layer: z_o = b_o + sum_j w_oj a_j, its adjoint, and its twins for speed on a CPU."""

from __future__ import annotations

from typing import Any

from ..engine.compile import jit
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


# The CPU's twins: four inputs per pass, so that a pass over contiguous observations does four products per
# load and store of the sum. The order of sums is fixed: inputs in groups of four, then the rest.


@jit
def dense_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`dense_forward` for one lane, four inputs per pass."""
    source, n_in, target, n_out = row[SOURCE], row[N_IN], row[TARGET], row[N_OUT]
    whole = n_in - n_in % 4
    for o in range(n_out):
        w = row[PARAM] + o * (n_in + 1)
        b = theta[w]
        w += 1
        t = target + o
        for i in range(m):
            value[t, i] = b
        for j in range(0, whole, 4):
            w0, w1, w2, w3 = theta[w + j], theta[w + j + 1], theta[w + j + 2], theta[w + j + 3]
            s = source + j
            for i in range(m):
                value[t, i] += w0 * value[s, i] + w1 * value[s + 1, i] + w2 * value[s + 2, i] + w3 * value[s + 3, i]
        for j in range(whole, n_in):
            w0 = theta[w + j]
            s = source + j
            for i in range(m):
                value[t, i] += w0 * value[s, i]


@jit
def dense_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`dense_gradient` for one lane, four inputs per pass."""
    source, n_in, target, n_out = row[SOURCE], row[N_IN], row[TARGET], row[N_OUT]
    whole = n_in - n_in % 4
    for o in range(n_out):
        w = row[PARAM] + o * (n_in + 1)
        t = target + o
        total = grad[w]
        for i in range(m):
            total += delta[t, i]
        grad[w] = total
        w += 1
        for j in range(0, whole, 4):
            s = source + j
            g0, g1, g2, g3 = grad[w + j], grad[w + j + 1], grad[w + j + 2], grad[w + j + 3]
            for i in range(m):
                d = delta[t, i]
                g0 += d * value[s, i]
                g1 += d * value[s + 1, i]
                g2 += d * value[s + 2, i]
                g3 += d * value[s + 3, i]
            grad[w + j], grad[w + j + 1], grad[w + j + 2], grad[w + j + 3] = g0, g1, g2, g3
        for j in range(whole, n_in):
            s = source + j
            g0 = grad[w + j]
            for i in range(m):
                g0 += delta[t, i] * value[s, i]
            grad[w + j] = g0


@jit
def dense_backward_cpu(row: Any, theta: Any, delta: Any, m: int) -> None:
    """`dense_backward` for one lane, four units per pass."""
    source, n_in, target, n_out = row[SOURCE], row[N_IN], row[TARGET], row[N_OUT]
    step = n_in + 1
    whole = n_out - n_out % 4
    for j in range(n_in):
        w = row[PARAM] + 1 + j
        s = source + j
        for i in range(m):
            delta[s, i] = 0
        for o in range(0, whole, 4):
            v = w + o * step
            w0, w1, w2, w3 = theta[v], theta[v + step], theta[v + 2 * step], theta[v + 3 * step]
            t = target + o
            for i in range(m):
                delta[s, i] += w0 * delta[t, i] + w1 * delta[t + 1, i] + w2 * delta[t + 2, i] + w3 * delta[t + 3, i]
        for o in range(whole, n_out):
            w0 = theta[w + o * step]
            t = target + o
            for i in range(m):
                delta[s, i] += w0 * delta[t, i]
