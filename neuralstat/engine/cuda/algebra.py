"""Algebra on the free weights by a block of threads: the CPU's (`optimizers.lm`, `optimizers.quasi_newton`) in parallel.

Sums over an index run in the CPU's order where one thread forms them; sums over all weights are formed by threads and
then added pairwise. All functions have to be called by all threads of a block; vectors and matrices are flat.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .device import Target, sum_tree


class Algebra(NamedTuple):
    """Device functions; see `build_algebra`."""

    total: Any
    dot: Any
    largest: Any
    factor: Any
    solve: Any
    quadratic: Any
    multiply: Any
    update_secant: Any


def build_algebra(target: Target) -> Algebra:
    """Make the device functions, for float64.

    Returns
    -------
    Algebra
        total : (parts, value, lane, lanes)
            Sum of every lane's value, for all lanes.
        dot : (parts, v, w, size, lane, lanes)
        largest : (parts, value, lane, lanes)
            Largest value, NaN where any is.
        factor : (flat, matrix, secant, share, mu, root, size, lane, lanes)
            See `optimizers.lm.factor`; `matrix`, `secant` and `root` are places in `flat`.
        solve : (flat, root, size, right, out, lane, lanes)
            See `optimizers.lm.solve`; `right` is destroyed.
        quadratic : (parts, flat, matrix, size, v, lane, lanes)
        multiply : (flat, matrix, size, v, out, lane, lanes)
            A v from the lower triangle; a lane may use its own elements of `out` at once.
        update_secant : (parts, flat, secant, matrix, size, s, y, u, part, lane, lanes)
            See `optimizers.lm.update_secant`; u and part are scratch.
    """
    function, barrier, get, put = target.function, target.barrier, target.get, target.put
    summed = sum_tree(target)

    @function
    def total(parts, value, lane, lanes):
        barrier()
        parts[lane] = value
        summed(parts, lane, lanes)
        return parts[0]

    @function
    def dot(parts, v, w, size, lane, lanes):
        own = 0.0
        for f in range(lane, size, lanes):
            own += v[f] * w[f]
        return total(parts, own, lane, lanes)

    @function
    def largest(parts, value, lane, lanes):
        barrier()
        parts[lane] = value
        barrier()
        half = lanes // 2
        while half > 0:
            if lane < half and parts[lane] == parts[lane] and not parts[lane + half] <= parts[lane]:
                parts[lane] = parts[lane + half]
            barrier()
            half //= 2
        return parts[0]

    @function
    def factor(flat, matrix, secant, share, mu, root, size, lane, lanes):
        for j in range(size):
            barrier()  # the columns before are finished
            for i in range(j + lane, size, lanes):
                s = get(flat, matrix + i * size + j) + share * get(flat, secant + i * size + j)
                if i == j:
                    s += mu
                for k in range(j):
                    s -= get(flat, root + i * size + k) * get(flat, root + j * size + k)
                put(flat, root + i * size + j, s)
            barrier()
            s = get(flat, root + j * size + j)
            at = j * size + j
            if not s > 1e-14 * (get(flat, matrix + at) + share * get(flat, secant + at) + mu):
                barrier()
                return False
            s = 1 / math.sqrt(s)
            barrier()
            for i in range(j + lane, size, lanes):
                put(flat, root + i * size + j, s if i == j else get(flat, root + i * size + j) * s)
        barrier()
        return True

    @function
    def solve(flat, root, size, right, out, lane, lanes):
        for f in range(lane, size, lanes):
            right[f] = -right[f]
        for i in range(size):
            barrier()
            s = right[i] * get(flat, root + i * size + i)
            for k in range(lane, size, lanes):
                if k > i:
                    right[k] -= get(flat, root + k * size + i) * s
                elif k == i:
                    out[k] = s
        for i in range(size - 1, -1, -1):
            barrier()
            s = out[i] * get(flat, root + i * size + i)
            for k in range(lane, i, lanes):
                out[k] -= get(flat, root + i * size + k) * s
            if i % lanes == lane:
                right[i] = s
        barrier()
        for f in range(lane, size, lanes):
            out[f] = right[f]
        barrier()

    @function
    def quadratic(parts, flat, matrix, size, v, lane, lanes):
        own = 0.0
        for i in range(lane, size, lanes):
            part = get(flat, matrix + i * size + i) * v[i] / 2
            for j in range(i):
                part += get(flat, matrix + i * size + j) * v[j]
            own += 2 * part * v[i]
        return total(parts, own, lane, lanes)

    @function
    def multiply(flat, matrix, size, v, out, lane, lanes):
        for i in range(lane, size, lanes):
            s = get(flat, matrix + i * size + i) * v[i]
            for j in range(i):
                s += get(flat, matrix + i * size + j) * v[j]
            for j in range(i + 1, size):
                s += get(flat, matrix + j * size + i) * v[j]
            out[i] = s

    @function
    def update_secant(
        parts, flat, secant, matrix, size, s, y, u, part, lane, lanes
    ):
        sy = dot(parts, s, y, size, lane, lanes)
        ss, yy = dot(parts, s, s, size, lane, lanes), dot(parts, y, y, size, lane, lanes)
        if not sy > 1e-10 * math.sqrt(ss * yy):
            return
        wanted = sy - quadratic(parts, flat, matrix, size, s, lane, lanes)
        bent = quadratic(parts, flat, secant, size, s, lane, lanes)
        shrink = 1.0  # sizing: S is no larger along the step than what is now seen there
        if abs(wanted) < abs(bent):
            shrink = abs(wanted) / abs(bent)
        for i in range(lane, size, lanes):
            for j in range(i + 1):
                put(flat, secant + i * size + j, get(flat, secant + i * size + j) * shrink)
        barrier()
        multiply(flat, secant, size, s, u, lane, lanes)
        multiply(flat, matrix, size, s, part, lane, lanes)
        for i in range(lane, size, lanes):
            u[i] = y[i] - u[i] - part[i]
        us = dot(parts, u, s, size, lane, lanes)
        for i in range(lane, size, lanes):
            for j in range(i + 1):
                more = (u[i] * y[j] + y[i] * u[j]) / sy - us * y[i] * y[j] / (sy * sy)
                put(flat, secant + i * size + j, get(flat, secant + i * size + j) + more)
        barrier()

    return Algebra(total, dot, largest, factor, solve, quadratic, multiply, update_secant)
