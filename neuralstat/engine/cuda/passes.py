"""One pass over a network's observations by a block of threads: loss and gradient; of any layers, or of dense ones.

Going forward and back the threads (lanes) share the observations; adding up gradients they share the weights, or, for
dense networks, products of up to 4 by 4 weights over slices of the observations, added in a fixed order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from ...functions.activations import activate, is_coupled, softmax_backward
from ...functions.losses import CE_R
from ...layers.codes import ACT, ADDRESS, N_IN, N_OUT, OFFSET, PARAM, SOURCE, TARGET
from .chain import forward, row_backward, row_gradient, through_activation
from .device import Target
from .losses import build_loss


class Problem(NamedTuple):
    """The network, as kernels receive it beside `cpu.Data`."""

    table: np.ndarray  # (layers, COLUMNS) int64
    constants: np.ndarray  # (layers,)
    loss: int
    parameter: Any  # see `losses.parameters_of`
    penalty: np.ndarray  # (P or 0, 4)
    tiles: np.ndarray  # (T, 24) int64; see `plan.tiles_of`


class Arrays(NamedTuple):
    """The workspace of a block, as views."""

    flat: Any
    value: Any  # (rows, stride); the row numbers of the layer table hold for `slope` too
    slope: Any
    delta: Any
    target: Any
    case: Any  # (stride,)


class Passes(NamedTuple):
    """Device functions; see `build_passes`."""

    gather: Any
    objective: Any
    gradient: Any
    seen: Any
    back: Any
    products: Any
    square: Any
    reduce: Any
    rows: Any


def build_passes(target: Target, dtype: str, dense: bool, layered: Any, rare: Any, code: int | None = None) -> Passes:
    """Make the device functions for a kind of network.

    Parameters
    ----------
    target : Target
    dtype : {"float64", "float32"}
    dense : bool
        Dense layers one after the other; see `plan.is_dense_chain`.
    layered, rare : None or as the CPU's kernels take them
        None leaves out other layers than dense ones, and the rarer activations and losses.
    code : int, optional
        Of a distribution; see `losses.code_of`.

    Returns
    -------
    Passes
        seen : (data, b)
            How many observations network b sees.
        gather : (problem, data, plan, arrays, b, start, m, lane, lanes)
            Observations into the workspace, each lane its own.
        objective : (problem, plan, arrays, m, lane, lanes)
            Forward pass; the lane's part of the loss, whose derivative is left in `delta`.
        back : (problem, plan, arrays, skip, lane, lanes, m)
            d loss / d z of every unit of a dense network into `slope`, from the outputs' `delta`.
        products : (problem, plan, arrays, m, fresh, lane, lanes)
            The gradient of a dense network from that.
        gradient : (problem, data, plan, arrays, b, first, last, resident, lane, lanes)
            Loss (the lane's part) and gradient (in the workspace) over observations first .. last, which with
            `resident` lie in the workspace already. Afterwards a lane may use the
            elements lane, lane + lanes, ... of the gradient; the others need a barrier.
        square : (flat, d0, d1, d2, d3, v0, v1, v2, v3, first, m, step)
            Products of four rows, that start at d0, ..., with four others.
        reduce : (parts, largest, lane, lanes)
            Sum of `parts`, and the largest of `largest` (NaN where any is), in the first elements, for all lanes.
        rows : (problem, data, plan)
            Rows of `delta`.
    """
    function, to_device, barrier, get, put = (
        target.function, target.to_device, target.barrier, target.get, target.put)  # fmt: skip
    run_forward, apply, sum_loss = to_device(forward), to_device(activate), build_loss(target, rare, code)
    slope_back, step_back, add_gradient = (
        to_device(through_activation), to_device(row_backward), to_device(row_gradient))  # fmt: skip
    softmax_back, coupled = to_device(softmax_backward), to_device(is_coupled)
    number = numba.float64 if dtype == "float64" else numba.float32

    @function
    def seen(data, b):
        if data.rows.shape[1] == 0:
            return data.x.shape[1]
        if data.count.size == 0:
            return data.rows.shape[1]
        return data.count[b % data.count.size]

    @function
    def gather(problem, data, plan, arrays, b, start, m, lane, lanes):
        known = problem.table[problem.table.shape[0] - 1, OFFSET]
        for i in range(lane, m, lanes):
            r = start + i
            if data.rows.shape[1] > 0:
                r = data.rows[b % data.rows.shape[0], r]
            for d in range(data.x.shape[0]):
                arrays.value[d, i] = data.x[d, r]
            if known >= 0:
                for k in range(data.offset.shape[0]):
                    arrays.value[known + k, i] = data.offset[k, r]
            for k in range(data.y.shape[1]):
                arrays.target[k, i] = data.y[b % data.y.shape[0], k, r]
            if data.weight.shape[1] > 0:
                arrays.case[i] = data.weight[b % data.weight.shape[0], r]

    @function
    def sums(flat, out, n_out, w, source, n_in, stride, lane, m, lanes):
        """z_o = b_o + sum_j w_oj a_j for four units and two observations at a time."""
        for i in range(lane, m, 2 * lanes):
            h = i + lanes if i + lanes < m else i
            for o in range(0, n_out, 4):
                w0 = w + o * (n_in + 1)
                w1 = w0 + (n_in + 1) if o + 1 < n_out else w0
                w2 = w1 + (n_in + 1) if o + 2 < n_out else w1
                w3 = w2 + (n_in + 1) if o + 3 < n_out else w2
                a0, a1, a2, a3 = get(flat, w0), get(flat, w1), get(flat, w2), get(flat, w3)
                b0, b1, b2, b3 = a0, a1, a2, a3
                at = source
                for j in range(1, n_in + 1):
                    x, z = get(flat, at + i), get(flat, at + h)
                    at += stride
                    c0, c1, c2, c3 = get(flat, w0 + j), get(flat, w1 + j), get(flat, w2 + j), get(flat, w3 + j)
                    a0 += c0 * x
                    a1 += c1 * x
                    a2 += c2 * x
                    a3 += c3 * x
                    b0 += c0 * z
                    b1 += c1 * z
                    b2 += c2 * z
                    b3 += c3 * z
                at = out + o * stride
                put(flat, at + i, a0)
                put(flat, at + h, b0)
                if o + 1 < n_out:
                    put(flat, at + stride + i, a1)
                    put(flat, at + stride + h, b1)
                if o + 2 < n_out:
                    put(flat, at + 2 * stride + i, a2)
                    put(flat, at + 2 * stride + h, b2)
                if o + 3 < n_out:
                    put(flat, at + 3 * stride + i, a3)
                    put(flat, at + 3 * stride + h, b3)

    @function
    def returns(flat, out, n_in, w, delta, n_out, stride, lane, m, lanes):
        """slope_j becomes slope_j sum_o w_oj delta_o, for four units and two observations at a time."""
        for i in range(lane, m, 2 * lanes):
            h = i + lanes if i + lanes < m else i
            for j in range(0, n_in, 4):
                s1 = 1 if j + 1 < n_in else 0
                s2 = s1 + 1 if j + 2 < n_in else s1
                s3 = s2 + 1 if j + 3 < n_in else s2
                a0 = number(0)
                a1, a2, a3, b0, b1, b2, b3 = a0, a0, a0, a0, a0, a0, a0
                at, p = delta, w + 1 + j
                for _ in range(n_out):
                    x, z = get(flat, at + i), get(flat, at + h)
                    c0, c1, c2, c3 = get(flat, p), get(flat, p + s1), get(flat, p + s2), get(flat, p + s3)
                    at += stride
                    p += n_in + 1
                    a0 += c0 * x
                    a1 += c1 * x
                    a2 += c2 * x
                    a3 += c3 * x
                    b0 += c0 * z
                    b1 += c1 * z
                    b2 += c2 * z
                    b3 += c3 * z
                at = out + j * stride
                a0 *= get(flat, at + i)
                b0 *= get(flat, at + h)
                put(flat, at + i, a0)
                put(flat, at + h, b0)
                at += stride
                if s1 > 0:
                    a1 *= get(flat, at + i)
                    b1 *= get(flat, at + h)
                    put(flat, at + i, a1)
                    put(flat, at + h, b1)
                at += stride
                if s2 > s1:
                    a2 *= get(flat, at + i)
                    b2 *= get(flat, at + h)
                    put(flat, at + i, a2)
                    put(flat, at + h, b2)
                at += stride
                if s3 > s2:
                    a3 *= get(flat, at + i)
                    b3 *= get(flat, at + h)
                    put(flat, at + i, a3)
                    put(flat, at + h, b3)

    @function
    def dense_objective(problem, plan, arrays, m, lane, lanes):
        end = problem.table.shape[0] - 1
        for k in range(end + 1):
            row = problem.table[k]
            sums(arrays.flat, plan.value + row[TARGET] * plan.stride, row[N_OUT], plan.theta + row[PARAM],
                 plan.value + row[SOURCE] * plan.stride, row[N_IN], plan.stride, lane, m, lanes)  # fmt: skip
            if row[OFFSET] >= 0:
                for u in range(row[N_OUT]):
                    for i in range(lane, m, lanes):
                        arrays.value[row[TARGET] + u, i] += arrays.value[row[OFFSET] + u, i]
            apply(row[ACT], problem.constants[k], row[ADDRESS], arrays.value, arrays.slope, row[TARGET], row[N_OUT],
                  lane, m, lanes, None, rare)  # fmt: skip
        first = problem.table[end, TARGET]
        barrier()  # the loss looks at the first observation, whosever it is
        return sum_loss(problem.loss, problem.parameter, arrays.value[first:], arrays.target, arrays.case,
                        arrays.delta, 0, problem.table[end, N_OUT], lane, m, lanes)  # fmt: skip

    @function
    def back(problem, plan, arrays, skip, m, lane, lanes):
        end = problem.table.shape[0] - 1
        row = problem.table[end]
        if coupled(row[ACT]) and not skip and rare is not None:
            softmax_back(row[ACT], arrays.value[row[TARGET] :], arrays.delta, 0, row[N_OUT], lane, m, lanes)
        for u in range(row[N_OUT]):
            for i in range(lane, m, lanes):
                if skip:
                    arrays.slope[row[TARGET] + u, i] = arrays.delta[u, i]
                else:
                    arrays.slope[row[TARGET] + u, i] *= arrays.delta[u, i]
        for k in range(end, 0, -1):
            row = problem.table[k]
            returns(arrays.flat, plan.slope + row[SOURCE] * plan.stride, row[N_IN], plan.theta + row[PARAM],
                    plan.slope + row[TARGET] * plan.stride, row[N_OUT], plan.stride, lane, m, lanes)  # fmt: skip

    @function
    def square(flat, d0, d1, d2, d3, v0, v1, v2, v3, first, m, step):
        """Sixteen products of four rows with four others, over observations first, first + step, ... below m."""
        a00 = number(0)
        a01, a02, a03, a10, a11, a12, a13 = a00, a00, a00, a00, a00, a00, a00
        a20, a21, a22, a23, a30, a31, a32, a33 = a00, a00, a00, a00, a00, a00, a00, a00
        for i in range(first, m, step):
            e0, e1, e2, e3 = get(flat, d0 + i), get(flat, d1 + i), get(flat, d2 + i), get(flat, d3 + i)
            f0, f1, f2, f3 = get(flat, v0 + i), get(flat, v1 + i), get(flat, v2 + i), get(flat, v3 + i)
            a00 += e0 * f0
            a01 += e0 * f1
            a02 += e0 * f2
            a03 += e0 * f3
            a10 += e1 * f0
            a11 += e1 * f1
            a12 += e1 * f2
            a13 += e1 * f3
            a20 += e2 * f0
            a21 += e2 * f1
            a22 += e2 * f2
            a23 += e2 * f3
            a30 += e3 * f0
            a31 += e3 * f1
            a32 += e3 * f2
            a33 += e3 * f3
        return a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, a30, a31, a32, a33

    @function
    def products(problem, plan, arrays, m, fresh, lane, lanes):
        flat, stride, slices = arrays.flat, plan.stride, plan.slices
        for item in range(lane, problem.tiles.shape[0] * slices, lanes):
            t = item // slices
            s = item - t * slices
            tile = problem.tiles[t]
            d0, d1 = plan.slope + tile[0] * stride, plan.slope + tile[1] * stride
            d2, d3 = plan.slope + tile[2] * stride, plan.slope + tile[3] * stride
            v0, v1 = plan.value + tile[4] * stride, plan.value + tile[5] * stride
            v2, v3 = plan.value + tile[6] * stride, plan.value + tile[7] * stride
            (a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, a30, a31, a32, a33) = square(
                flat, d0, d1, d2, d3, v0, v1, v2, v3, s, m, slices)  # fmt: skip
            at = plan.part + s * (plan.n_params + 1)
            put(flat, at + tile[8], a00)
            put(flat, at + tile[9], a01)
            put(flat, at + tile[10], a02)
            put(flat, at + tile[11], a03)
            put(flat, at + tile[12], a10)
            put(flat, at + tile[13], a11)
            put(flat, at + tile[14], a12)
            put(flat, at + tile[15], a13)
            put(flat, at + tile[16], a20)
            put(flat, at + tile[17], a21)
            put(flat, at + tile[18], a22)
            put(flat, at + tile[19], a23)
            put(flat, at + tile[20], a30)
            put(flat, at + tile[21], a31)
            put(flat, at + tile[22], a32)
            put(flat, at + tile[23], a33)
        barrier()
        for j in range(lane, plan.n_params, lanes):
            total = get(flat, plan.part + j)
            for s in range(1, slices):
                total += get(flat, plan.part + s * (plan.n_params + 1) + j)
            if not fresh:
                total += get(flat, plan.grad + j)
            put(flat, plan.grad + j, total)

    @function
    def dense_gradient(
        problem, data, plan, arrays, b, first, last, resident, lane, lanes
    ):
        total = number(0)
        for start in range(first, last, plan.tile):
            m = min(plan.tile, last - start)
            if not resident:
                gather(problem, data, plan, arrays, b, start, m, lane, lanes)
            total += dense_objective(problem, plan, arrays, m, lane, lanes)
            back(problem, plan, arrays, problem.loss == CE_R, m, lane, lanes)
            barrier()  # from here on lanes share weights
            products(problem, plan, arrays, m, start == first, lane, lanes)
        return total

    @function
    def layered_objective(problem, plan, arrays, m, lane, lanes):
        end = problem.table.shape[0] - 1
        theta = arrays.flat[plan.theta : plan.theta + plan.n_params]
        run_forward(problem.table, problem.constants, theta, arrays.value, arrays.slope, lane, m, lanes, layered,
                    None, rare)  # fmt: skip
        barrier()  # the loss looks at the first observation, whosever it is
        return sum_loss(problem.loss, problem.parameter, arrays.value, arrays.target, arrays.case, arrays.delta,
                        problem.table[end, TARGET], problem.table[end, N_OUT], lane, m, lanes)  # fmt: skip

    @function
    def layered_gradient(
        problem, data, plan, arrays, b, first, last, resident, lane, lanes
    ):
        end = problem.table.shape[0] - 1
        theta = arrays.flat[plan.theta : plan.theta + plan.n_params]
        grad = arrays.flat[plan.grad : plan.grad + plan.n_params]
        for j in range(lane, plan.n_params, lanes):
            grad[j] = 0
        total = number(0)
        for start in range(first, last, plan.tile):
            m = min(plan.tile, last - start)
            if not resident:
                gather(problem, data, plan, arrays, b, start, m, lane, lanes)
            total += layered_objective(problem, plan, arrays, m, lane, lanes)
            for k in range(end, -1, -1):
                if k < end or problem.loss != CE_R:
                    slope_back(problem.table[k], arrays.value, arrays.slope, arrays.delta, lane, m, lanes)
                step_back(problem.table[k], theta, arrays.value, arrays.delta, k > 0, lane, m, lanes, layered)
            barrier()  # from here on lanes share weights
            for k in range(end, -1, -1):
                add_gradient(problem.table[k], arrays.value, arrays.delta, grad, lane, m, lanes, layered)
            barrier()
        return total

    @function
    def reduce(parts, largest, lane, lanes):
        barrier()
        half = lanes // 2
        while half > 0:
            if lane < half:
                parts[lane] += parts[lane + half]
                if largest[lane] == largest[lane] and not largest[lane + half] <= largest[lane]:
                    largest[lane] = largest[lane + half]
            barrier()
            half //= 2

    @function
    def as_responses(problem, data, plan):
        return data.y.shape[1]

    @function
    def as_outputs(problem, data, plan):
        return problem.table[problem.table.shape[0] - 1, N_OUT]

    @function
    def as_units(problem, data, plan):
        return plan.rows

    rows = (as_responses if code is None else as_outputs) if dense else as_units
    return Passes(gather, dense_objective if dense else layered_objective,
                  dense_gradient if dense else layered_gradient, seen, back, products, square, reduce, rows)  # fmt: skip
