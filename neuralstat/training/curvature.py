"""Matrices of curvature in the weights of one network, and their factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine import cpu
from ..network import derivatives

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


def gauss_newton(network: Network, data: cpu.Data, theta: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """(F, F) sum of J_i' C_i J_i: J the Jacobian of what kernels give, C the curvature of the loss there, positive part.

    None where a loss couples observations, which have no curvature of their own.
    """
    if network.objective.coupled:
        return None
    offset = data.offset if data.offset.size else None
    raw = derivatives.outputs(network, data.x, theta[np.newaxis], offset)[0]
    k, n = raw.shape
    bend = np.empty((n, k, k))
    for j in range(k):
        moved = raw.astype(complex)
        moved[j] += 1j * derivatives.STEP
        bend[:, :, j] = derivatives.predictor_losses(network, moved, data.y[0])[1].imag.T / derivatives.STEP
    if not np.isfinite(bend).all():
        return None
    values, vectors = np.linalg.eigh((bend + bend.transpose(0, 2, 1)) / 2)
    weight = np.ones(n) if data.weight.size == 0 else data.weight[0]
    root = vectors * np.sqrt(np.maximum(values, 0.0) * weight[:, np.newaxis])[:, np.newaxis, :]
    jacobian = derivatives.jacobian(network, data, theta)[:, :, free]
    flat = np.einsum("nkr,knp->rnp", root, jacobian).reshape(k * n, -1)
    return flat.T @ flat
