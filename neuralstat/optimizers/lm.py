"""Algebra of Levenberg-Marquardt steps: sums of products, Cholesky factors, damped steps. Flat vectors only.

A step solves ``(A + mu I) d = -g`` with A the Gauss-Newton matrix (with the penalty's curvature) and g the
gradient; Levenberg 1944, Quart. Appl. Math. 2:164; Marquardt 1963, SIAM J. Appl. Math. 11:431. The damping mu
follows the gain ratio of Nielsen 1999 (IMM-REP-1999-05, Technical University of Denmark): after a step whose
decrease is rho times the predicted one, mu is multiplied by ``max(1/3, 1 - (2 rho - 1)^3)``; after a failed
step by 2, 4, 8, ...

What A leaves out of the Hessian (residuals times curvature, which noise does not make small) is estimated
from the gradients' differences, and added where it predicts the decrease better: Dennis, Gay & Welsch 1981,
ACM Trans. Math. Softw. 7:348 (NL2SOL), with ``S d ~ (g_new - g_old) - A_new d``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from ..jit.simd import outer_rows
from ..jit.vectors import add_to, dot, fill, fill_rows

LARGEST = 1e280
FOUR = 4  # rows of a Jacobian that are taken at a time

# Positions in the vector of settings
DAMPING, SHRINK, LATE, SETTINGS = range(4)
# Positions in a network's memory
MU, NU, CURRENT, BEST, FAILED, SECANT, MEMORY = range(7)


@jit
def largest_diagonal(matrix: Any, size: int) -> Any:
    """Largest of the first `size` diagonal elements, at most LARGEST: what is not finite would be no bound of a damping."""
    largest = 0.0
    for f in range(size):
        largest = max(largest, matrix[f, f])
    return min(largest, LARGEST)


@jit
def quadratic(matrix: Any, size: int, v: Any) -> Any:
    """``v' A v`` from the lower triangle."""
    total = 0.0
    for i in range(size):
        part = matrix[i, i] * v[i] / 2
        for j in range(i):
            part += matrix[i, j] * v[j]
        total += 2 * part * v[i]
    return total


@jit
def multiply(matrix: Any, size: int, v: Any, out: Any) -> None:
    """``A v`` from the lower triangle into `out`."""
    for i in range(size):
        total = matrix[i, i] * v[i]
        for j in range(i):
            total += matrix[i, j] * v[j]
            out[j] += matrix[i, j] * v[i]
        out[i] = total


@late
def update_secant(secant: Any, matrix: Any, size: int, s: Any, y: Any, u: Any, part: Any) -> None:
    """New estimate of the Hessian's other part after a step (lower triangle, in place).

    Parameters
    ----------
    secant, matrix : (F, F) arrays
        The estimate S; A at the new point.
    s, y : (F,) arrays
        Step; difference of the gradients.
    u, part : (F,) arrays
        Scratch.
    """
    sy = dot(s, y)
    if not sy > 1e-10 * np.sqrt(dot(s, s) * dot(y, y)):
        return
    wanted, bent = sy - quadratic(matrix, size, s), quadratic(secant, size, s)
    shrink = 1.0  # sizing: S is no larger along the step than what is now seen there
    if abs(wanted) < abs(bent):
        shrink = abs(wanted) / abs(bent)
    for i in range(size):
        for j in range(i + 1):
            secant[i, j] *= shrink
    multiply(secant, size, s, u)
    for i in range(size):
        u[i] = y[i] - u[i]
    multiply(matrix, size, s, part)
    add_to(-1.0, part, u)
    us = dot(u, s)
    for i in range(size):
        for j in range(i + 1):
            secant[i, j] += (u[i] * y[j] + y[i] * u[j]) / sy - us * y[i] * y[j] / (sy * sy)


@late
def add_products(jacobian: Any, rows: int, m: int, place: Any, product: Any, matrix: Any) -> None:
    """Add ``J J'`` of a block to the lower triangle of a matrix.

    Parameters
    ----------
    jacobian : (F + FOUR, block) array
        A row per weight, observations contiguous, padded with zeros. Rows are taken four at a time, so up to
        three behind the last are set to zero.
    rows, m : int
        Rows and (padded) observations used.
    place : (F,) int array
        Row of `matrix` that each row belongs to, ascending.
    product : ((F + FOUR) (F + FOUR + 1),) array
        Scratch.
    matrix : (F, F) array
        Accumulated in the lower triangle.
    """
    full = (rows + FOUR - 1) // FOUR * FOUR
    fill_rows(jacobian, rows, full, m, 0)
    step = full + 1  # the first column takes sums over observations, which are not needed
    fill(product[: full * step], 0)
    for p in range(0, full, FOUR):
        outer_rows(product, p * step + 1, step, jacobian, p, FOUR, jacobian, 0, p + FOUR, m)
    for p in range(rows):
        for q in range(p + 1):
            matrix[place[p], place[q]] += product[p * step + 1 + q]


@jit
def factor(matrix: Any, secant: Any, share: float, mu: float, held: Any, size: int, root: Any) -> bool:
    """Cholesky factor L of ``A + share S + mu I`` over weights not held; False if not positive definite.

    Rows are made four at a time, so that one load of a finished row serves four inner products.

    Parameters
    ----------
    matrix, secant : (size, size) arrays
        Lower triangles of A and S.
    held : (size,) bool array
        Weights that stay where they are (their rows of L are those of the identity).
    root : (size, size) array
        Written: L below the diagonal, 1 / L_jj on it.
    """
    whole = size - size % 4
    for first in range(0, size, 4):
        last = min(first + 4, size)
        for i in range(first, last):
            for j in range(i + 1):
                root[i, j] = 0 if held[i] or held[j] else matrix[i, j] + share * secant[i, j]
        if first < whole:
            for j in range(first):
                s0, s1 = root[first, j], root[first + 1, j]
                s2, s3 = root[first + 2, j], root[first + 3, j]
                for k in range(j):
                    r = root[j, k]
                    s0 -= root[first, k] * r
                    s1 -= root[first + 1, k] * r
                    s2 -= root[first + 2, k] * r
                    s3 -= root[first + 3, k] * r
                r = root[j, j]
                root[first, j], root[first + 1, j] = s0 * r, s1 * r
                root[first + 2, j], root[first + 3, j] = s2 * r, s3 * r
        for i in range(first, last):
            for j in range(first if first < whole else 0, i):
                s = root[i, j]
                for k in range(j):
                    s -= root[i, k] * root[j, k]
                root[i, j] = s * root[j, j]
            s = 1.0 if held[i] else matrix[i, i] + share * secant[i, i] + mu
            least = 1e-14 * s  # below this, rounding decides the sign
            for k in range(i):
                s -= root[i, k] * root[i, k]
            if not s > least:
                return False
            root[i, i] = 1 / np.sqrt(s)
    return True


@late
def solve(root: Any, size: int, right: Any, out: Any) -> None:
    """Solve ``L L' d = -right`` into `out` (size,)."""
    for i in range(size):
        s = -right[i]
        for k in range(i):
            s -= root[i, k] * out[k]
        out[i] = s * root[i, i]
    for i in range(size - 1, -1, -1):
        d = out[i] * root[i, i]
        out[i] = d
        for k in range(i):
            out[k] -= root[i, k] * d
