"""Gauss-Newton matrices of a network: J' V J over its free weights, block of observations by block.

V is the second derivative of the loss in what the loss reads (outputs or linear predictors), in its Fisher
form for exponential families. Each row of the Jacobian carries the root of V already, so that what remains is
a sum of products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..functions.deviance import BINOMIAL, GAMMA, POISSON, WIDTH
from ..functions.links import LOG, LOGIT
from ..functions.loss_calls import loss_block
from ..functions.losses import CE, CE_LOGIT, CUSTOM, FAMILY, MULTINOMIAL, SSE
from ..jit.call import call_loss
from ..jit.compile import jit
from ..jit.late import late
from ..jit.scalar import exp_
from ..jit.vectors import fill
from ..layers.codes import N_IN, N_OUT, OFFSET, PARAM, SOURCE, TARGET
from ..optimizers.lm import FOUR, add_products
from .chain import backward, forward, row_backward, through_activation
from .cpu import BLOCK, clear_padding, padded

_H = 1e-30  # of complex steps: any tiny number is exact


class Curve(NamedTuple):
    """Buffers of Gauss-Newton matrices, and where each weight's row is."""

    jacobian: np.ndarray  # (F + FOUR, BLOCK): F free weights
    product: np.ndarray  # ((F + FOUR) (F + FOUR + 1),)
    row: np.ndarray  # (G, P) int64: row of weight p in the pass of output k; -1 where it has none
    place: np.ndarray  # (G, F) int64: which free weight a row is
    count: np.ndarray  # type: ignore[assignment]  # (G,) int64 rows used; G is K, or 1 where every pass has the same rows
    where: np.ndarray  # (F,) int64 the free weights
    root: np.ndarray  # (K, BLOCK) root of V; shares of the outputs for the multinomial loss
    step: np.ndarray  # (K, BLOCK) complex128
    slope: np.ndarray  # (K, BLOCK) complex128
    one: np.ndarray  # (K, BLOCK) responses of 1 and 1/2, for Fisher weights
    half: np.ndarray


def curve_buffers(table: np.ndarray, outputs: int, free: np.ndarray, coupled: bool) -> Curve:
    """Fresh buffers for the free weights of one network.

    Parameters
    ----------
    table : (layers, COLUMNS) array
    outputs : int
        K.
    free : (P,) bool array
    coupled : bool
        True where an output's weights have a part in every pass (softmax); False leaves out the weights that
        lead to other outputs than the pass's.
    """
    start, per_unit = table[-1, PARAM], table[-1, N_IN] + 1
    passes = 1 if coupled or outputs == 1 else outputs
    size = int(free.sum())
    unit = (np.arange(free.size) - start) // per_unit
    row = np.full((passes, free.size), -1, np.int64)
    place = np.zeros((passes, size), np.int64)
    count = np.zeros(passes, np.int64)
    for k in range(passes):
        has = free & ((unit < 0) | (unit == k)) if passes > 1 else free
        count[k] = has.sum()
        row[k, has] = np.arange(count[k])
        place[k, : count[k]] = (np.cumsum(free) - 1)[has]
    return Curve(
        np.zeros((size + FOUR, BLOCK)), np.zeros((size + FOUR) * (size + FOUR + 1)),
        row, place, count, np.flatnonzero(free), np.zeros((outputs, BLOCK)),
        np.zeros((outputs, BLOCK), np.complex128), np.zeros((outputs, BLOCK), np.complex128),
        np.ones((outputs, BLOCK)), np.full((outputs, BLOCK), 0.5),
    )  # fmt: skip


@jit
def _complex_slopes(net: Any, curve: Any, target: Any, work: Any, outputs: int, m: int) -> None:
    """Derivatives of the loss at ``curve.step``, for the responses `target`, into ``curve.slope``."""
    loss_block(net.loss, net.loss_parameter, net.loss_address, net.parameters, curve.step, target, work.case, curve.slope, 0,
               outputs, m)


@late
def fisher_weights(net: Any, curve: Any, work: Any, out: int, outputs: int, m: int) -> None:
    """V of an exponential family, case weights included, into ``curve.root``.

    The derivative of its loss is linear in the response, ``a(eta) - y b(eta)``, so two made-up responses give a and b
    (and, by complex steps, their slopes), and the Fisher weight is ``a' - (a / b) b'``: the second derivative at the
    mean a / b.
    """
    for k in range(outputs):
        for i in range(m):
            curve.step[k, i] = complex(work.value[out + k, i], _H)
    _complex_slopes(net, curve, curve.half, work, outputs, m)
    for k in range(outputs):
        for i in range(m):
            curve.root[k, i] = curve.slope[k, i].real
            work.delta[out + k, i] = curve.slope[k, i].imag / _H
    _complex_slopes(net, curve, curve.one, work, outputs, m)
    for k in range(outputs):
        for i in range(m):
            b = 2 * (curve.root[k, i] - curve.slope[k, i].real)
            slope_b = 2 * (work.delta[out + k, i] - curve.slope[k, i].imag / _H)
            a = curve.slope[k, i].real + b
            slope_a = curve.slope[k, i].imag / _H + slope_b
            v = slope_a - a / b * slope_b if b != 0 else 0.0
            curve.root[k, i] = v if 0 < v < np.inf else 0.0


@jit
def loss_curvature(net: Any, curve: Any, work: Any, out: int, outputs: int, m: int) -> None:
    """Roots of V into ``curve.root``, from the outputs in `work`. Destroys `delta`."""
    if net.loss == SSE:
        for k in range(outputs):
            for i in range(m):
                curve.root[k, i] = work.case[i]
    elif net.loss == CE_LOGIT or net.loss == FAMILY + BINOMIAL + WIDTH * LOGIT:
        for k in range(outputs):
            for i in range(m):
                e = exp_(-abs(work.value[out + k, i]))
                curve.root[k, i] = work.case[i] * e / ((1 + e) * (1 + e))
    elif net.loss == FAMILY + POISSON + WIDTH * LOG:
        for k in range(outputs):
            for i in range(m):
                mean = work.case[i] * exp_(work.value[out + k, i])
                curve.root[k, i] = mean if mean < np.inf else 0.0
    elif net.loss == FAMILY + GAMMA + WIDTH * LOG:
        for k in range(outputs):
            for i in range(m):
                curve.root[k, i] = work.case[i]
    elif net.loss == MULTINOMIAL:
        for i in range(m):
            largest = work.value[out, i]
            for k in range(1, outputs):
                largest = max(largest, work.value[out + k, i])
            norm = 0.0
            for k in range(outputs):
                curve.root[k, i] = exp_(work.value[out + k, i] - largest)
                norm += curve.root[k, i]
            for k in range(outputs):
                curve.root[k, i] /= norm
        return
    elif net.loss == CUSTOM:
        for k in range(outputs):
            for i in range(m):
                _, _, c = call_loss(net.loss_address, float(work.value[out + k, i]), float(work.target[k, i]))
                curve.root[k, i] = work.case[i] * (c if 0 < c < np.inf else 0.0)
    elif net.loss >= FAMILY:
        fisher_weights(net, curve, work, out, outputs, m)
    elif net.loss == CE:
        for k in range(outputs):
            for i in range(m):
                f, y = work.value[out + k, i], work.target[k, i]
                curve.root[k, i] = work.case[i] * (y / (f * f) + (1 - y) / ((1 - f) * (1 - f)))
    for k in range(outputs):
        for i in range(m):
            curve.root[k, i] = np.sqrt(curve.root[k, i])


@jit
def seed(net: Any, curve: Any, work: Any, out: int, outputs: int, k: int, m: int) -> None:
    """`delta` of the outputs for pass k.

    One column of a root of V: root(V_k) e_k; for the multinomial loss, whose V is c (diag(p) - p p'),
    ``root(c p_k) (e_k - p)``.
    """
    if net.loss == MULTINOMIAL:
        for i in range(m):
            total = 0.0
            for j in range(outputs):
                total += work.target[j, i]
            scale = np.sqrt(work.case[i] * total * curve.root[k, i])
            for j in range(outputs):
                work.delta[out + j, i] = -scale * curve.root[j, i]
            work.delta[out + k, i] += scale
        return
    for j in range(outputs):
        for i in range(m):
            work.delta[out + j, i] = curve.root[k, i] if j == k else 0


@jit
def dense_jacobian(net: Any, theta: Any, work: Any, row_of: Any, jacobian: Any, m: int) -> None:
    """Rows of a Jacobian of dense layers, delta_o a_j: all m (padded) observations of a block.

    Destroys `delta`.
    """
    for layer in range(net.table.shape[0] - 1, -1, -1):
        row = net.table[layer]
        through_activation(row, work.value, work.slope, work.delta, m)
        row_backward(row, theta, work.value, work.slope, work.delta, layer > 0, False, m)
        source, target, p = row[SOURCE], row[TARGET], row[PARAM]
        for o in range(row[N_OUT]):
            r = row_of[p]
            p += 1
            if r >= 0:
                for i in range(m):
                    jacobian[r, i] = work.delta[target + o, i]
            for j in range(row[N_IN]):
                r = row_of[p]
                p += 1
                if r >= 0:
                    for i in range(m):
                        jacobian[r, i] = work.delta[target + o, i] * work.value[source + j, i]


@late
def layered_jacobian(net: Any, theta: Any, work: Any, row_of: Any, jacobian: Any, m: int, out: int, outputs: int, inputs: int,
                     single: Any, grad: Any) -> None:
    """Rows of a Jacobian of any layers, observation by observation.

    Parameters
    ----------
    single : Work
        Buffers for one observation.
    grad : (P,) array
        Scratch.
    """
    known = net.table[net.table.shape[0] - 1, OFFSET]
    for i in range(m):
        for d in range(inputs):
            fill(single.value[d, : padded(1)], work.value[d, i])
        if known >= 0:
            for k in range(outputs):
                fill(single.value[known + k, : padded(1)], work.value[known + k, i])
        forward(net.table, net.constants, theta, single.value, single.slope, padded(1))
        for k in range(outputs):
            single.delta[out + k, 0] = work.delta[out + k, i]
        clear_padding(single.delta, out, outputs, 1)
        fill(grad, 0)
        backward(net.table, theta, single.value, single.slope, single.delta, grad, padded(1), False, False)
        for p in range(grad.size):
            if row_of[p] >= 0:
                jacobian[row_of[p], i] = grad[p]


@late
def add_gauss_newton(net: Any, data: Any, theta: Any, work: Any, single: Any, curve: Any, m: int, scratch: Any,
                     matrix: Any) -> None:
    """Add J' V J of a block, whose forward pass lies in `work`, to the lower triangle of `matrix`.

    Destroys `delta`.
    """
    last = net.table[net.table.shape[0] - 1]
    out, outputs = last[TARGET], last[N_OUT]
    loss_curvature(net, curve, work, out, outputs, m)
    for k in range(outputs):
        g = k % curve.count.size
        seed(net, curve, work, out, outputs, k, m)
        clear_padding(work.delta, out, outputs, m)
        rows = curve.count[g]
        if net.layered.any:
            layered_jacobian(net, theta, work, curve.row[g], curve.jacobian, m, out, outputs, data.x.shape[0], single,
                             scratch)
        else:
            dense_jacobian(net, theta, work, curve.row[g], curve.jacobian, padded(m))
        add_products(curve.jacobian, rows, padded(m), curve.place[g], curve.product, matrix)
