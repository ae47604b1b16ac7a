"""Matrices of curvature in the weights of one network, and their factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine import cpu
from ..network import blocks, derivatives

if TYPE_CHECKING:
    from ..network.network import Network

DEFINITE = 1e-12  # least pivot of a positive definite matrix with a unit diagonal


class Factor:
    """Cholesky factor of a positive definite matrix, whose diagonal is made 1 first."""

    def __init__(self, lower: np.ndarray, root: np.ndarray) -> None:
        self._lower, self._root = lower, root
        self.log_determinant = 2 * float(np.sum(np.log(np.diag(lower))) + np.sum(np.log(root)))

    def solve(self, right: np.ndarray) -> np.ndarray:
        """The matrix' inverse times a vector, or each column of a matrix."""
        from scipy.linalg import cho_solve

        return (cho_solve((self._lower, True), (right.T / self._root).T).T / self._root).T

    def inverse_diagonal(self) -> np.ndarray:
        """Diagonal of the inverse."""
        from scipy.linalg import solve_triangular

        if not len(self._root):  # SciPy before 1.14 refuses it
            return np.zeros(0)
        turned = solve_triangular(self._lower, np.eye(len(self._root)), lower=True)
        return np.sum(turned**2, axis=0) / self._root**2


def factor_of(matrix: np.ndarray) -> Factor | None:
    """The factor, None where the matrix is not positive definite."""
    diagonal = np.diag(matrix)
    if not (diagonal > 0).all():
        return None
    root = np.sqrt(diagonal)
    try:
        lower = np.linalg.cholesky(matrix / np.outer(root, root))
    except np.linalg.LinAlgError:
        return None
    return Factor(lower, root) if np.min(np.diag(lower)) ** 2 > DEFINITE else None


def undetermined(network: Network, free: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """(F, r) orthonormal directions of the free weights along which no data, and no penalty (F,), tell weights apart.

    A softmax stays what it is where the weights of all classes move alike.
    """
    count = int(free.sum())
    if network.objective.name != "multinomial":
        return np.zeros((count, 0))
    place, (per, units) = np.cumsum(free) - 1, network.shapes[-1]
    first = network.slices[-1].start
    out = []
    for at in (first + j + per * np.arange(units) for j in range(per)):
        if free[at].all() and not np.any(penalty[place[at]] > 0):
            out.append(np.zeros(count))
            out[-1][place[at]] = 1 / np.sqrt(units)
    return np.array(out).reshape(-1, count).T


def _positive(matrix: np.ndarray) -> np.ndarray | None:
    if not np.isfinite(matrix).all():
        return None
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def gauss_newton(network: Network, data: cpu.Data, theta: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """(F, F) sum of J_i' C_i J_i: J the Jacobian of what kernels give, C the curvature of the loss there, positive part.

    Where a loss couples observations, which have no curvature of their own, the positive part of the exact Hessian.
    """
    if network.objective.coupled:
        return _positive(derivatives.hessian(network, data, theta)[np.ix_(free, free)])
    offset = data.offset if data.offset.size else None
    raw = derivatives.outputs(network, data.x, theta[np.newaxis], offset)[0]
    k, n = raw.shape
    bend = np.empty((n, k, k))
    for part in blocks.parts(n, k, 8 * k):
        at, y = raw[:, part], np.ascontiguousarray(data.y[0][:, part])
        for j in range(k):
            moved = at.astype(complex)
            moved[j] += 1j * derivatives.STEP
            bend[part, :, j] = derivatives.predictor_slopes(network, moved, y).imag.T / derivatives.STEP
    if not np.isfinite(bend).all():
        return None
    values, vectors = np.linalg.eigh((bend + bend.transpose(0, 2, 1)) / 2)
    weight = np.ones(n) if data.weight.size == 0 else data.weight[0]
    root = vectors * np.sqrt(np.maximum(values, 0.0) * weight[:, np.newaxis])[:, np.newaxis, :]
    made = blocks.jacobians(network, data, theta, among=2)
    return blocks.squares(np.einsum("nkr,knp->rnp", root[part], jacobian[:, :, free]) for part, jacobian in made)
