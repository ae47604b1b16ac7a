"""Roots of the Gauss-Newton (Fisher) matrix, block after block of observations, and leverages from them.

R is the Jacobian of the outputs with the root of the loss's curvature in front, one row per observation and output: R'R is
the Gauss-Newton matrix of the error. It is a hundred times the size of the data, and is wanted whole by few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..errors import DfError
from ..families import working
from ..fitted import Fitted
from ..network import blocks, derivatives
from ..network.objective import Objective
from . import noise
from .information import RCOND, loss_derivatives
from .parameters import information_roots

LARGE = 2e12  # floating point operations beyond which a decomposition is not begun
LARGE_MATRIX = 250_000_000  # numbers in the largest matrix that is made (2 GB)
TALL = 100  # rows per column beyond which the product of a matrix with itself is tried, which is ten times as fast
SQUARED = 1e-9  # its smallest eigenvalue, relative to the largest, at which it is trusted
DEFINITE = 1e-12  # smallest eigenvalue, relative to the largest, of a matrix that counts as positive definite


def check_finite(fitted: Fitted, b: int) -> None:
    """Raise a DfError where a repetition diverged."""
    if not np.isfinite(fitted.fit.theta[b]).all():
        raise DfError(f"df: the weights of repetition {b + 1} are not finite: it diverged.")


def check_work(fitted: Fitted) -> None:
    """Raise a DfError where decompositions of R would take too long."""
    n, k, p = fitted.n_rows, fitted.network.n_outputs, fitted.network.n_params
    if float(n * k) * p * min(n * k, p) > LARGE:
        raise DfError(
            f"df: the Jacobian of {n * k} outputs in {p} weights is too large to decompose; "
            "use method='weights', or 'gdf' or 'covariance', which refit instead."
        )


class Roots:
    """R of repetition b (from 0), (K, n, P).

    What the curvature needs of all observations at once, such as who was at risk, is worked out once.
    """

    def __init__(self, fitted: Fitted, b: int) -> None:
        check_finite(fitted, b)
        self.network, self.data = fitted.network, fitted.data
        self.theta = fitted.fit.theta[b].astype(float)
        design, objective = fitted.design, fitted.network.objective
        self._share = self._root = None
        if squares(objective) and design.weights is None:  # no array that is as long as the data
            self._scale = np.broadcast_to(1.0, (self.network.n_outputs, fitted.n_rows))
            return
        w = fitted.case_weights
        raw = derivatives.outputs(self.network, self.data.x, self.theta, design.offset)[0]
        if objective.name == "multinomial":
            self._share = objective.response(raw)
            self._scale = np.sqrt(self._share * (design.y.sum(axis=0) * w))
        elif objective.several:  # R_i = L_i' J_i, with L L' the information of the parameters
            self._root = information_roots(fitted, b)
            self._scale = np.sqrt(w)[np.newaxis]
        else:
            self._scale = np.sqrt(curvature(fitted, raw, design.y) * w)

    def at(self, part: slice) -> np.ndarray:
        """R of some observations, (K, m, P)."""
        jacobian = derivatives.jacobian(self.network, blocks.taken(self.data, part), self.theta)
        scale = self._scale[:, part, np.newaxis]
        if self._share is not None:
            return scale * (jacobian - np.einsum("kn,knp->np", self._share[:, part], jacobian))
        if self._root is not None:
            return np.einsum("nkr,knp->rnp", self._root[part], jacobian) * scale
        return scale * jacobian

    def blocks(self, used: np.ndarray, among: int = 1) -> Iterator[tuple[slice, np.ndarray]]:
        """Which observations, and R (K, m, F) of theirs in the weights used; of size to hold `among` at a time."""
        for part in blocks.parts(self.data.x.shape[1], self.network.n_outputs, among * self.network.n_params):
            yield part, self.at(part)[:, :, used]

    def squares(self, used: np.ndarray) -> np.ndarray:
        """R'R (F, F) of the weights used."""
        return blocks.squares(r for _, r in self.blocks(used))


def rows(fitted: Fitted, b: int) -> np.ndarray:
    """R, shape (K, n, P), whole."""
    n, k, p = fitted.n_rows, fitted.network.n_outputs, fitted.network.n_params
    check_work(fitted)
    if n * k * p > LARGE_MATRIX:
        raise DfError(f"df: the Jacobian of {n * k} outputs in {p} weights is too large to be held in memory.")
    return Roots(fitted, b).at(slice(0, n))


def squares(objective: Objective) -> bool:
    """Whether what kernels give is a mean, and the loss half the squared error of it."""
    return noise.family_name(objective) == "gaussian" and not objective.of_predictor


def curvature(fitted: Fitted, raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Second derivative (K, n) of the loss in what kernels give, its expectation for families, at responses (K, n)."""
    objective = fitted.network.objective
    name = noise.family_name(objective)
    if name == "additive":
        return np.maximum(loss_derivatives(objective, raw, y)[1], 0.0)
    if squares(objective):
        return np.ones_like(raw)
    if objective.of_predictor:
        return working.weights(fitted.likely, raw)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 / noise.variance(objective, objective.response(raw))
    return np.where(np.isfinite(value), value, 0.0)


# leverages -------------------------------------------------------------------------------------------------


def leverages(fitted: Fitted, b: int, used: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, int]:
    """Diagonal (K, n) of R (R'R + D)^+ R' in the weights used, and the rank of R; D has the diagonal `penalty` (F,).

    Raises
    ------
    DfError
        As `leverage`; where the decomposition would take too long.
    """
    check_work(fitted)
    root = Roots(fitted, b)
    n, k, count = fitted.n_rows, fitted.network.n_outputs, int(used.sum())
    if len(blocks.parts(n, k, fitted.network.n_params)) == 1:
        r = root.at(slice(0, n))[:, :, used]
        h, found = leverage(r.reshape(-1, count), penalty)
        return h.reshape(k, n), found
    half, found = _inverse_root(lambda: (r for _, r in root.blocks(used)), n * k, penalty)
    h = np.empty((k, n))
    for part, r in root.blocks(used):
        h[:, part] = np.sum((r @ half) ** 2, axis=2)
    return h, found


def _inverse_root(made: Callable[[], Iterator[np.ndarray]], count: int, penalty: np.ndarray) -> tuple[np.ndarray, int]:
    """Root (F, r) of (R'R + D)^+ and the rank of R, of `count` rows, from a way to go through blocks (..., F) of these."""
    square = blocks.squares(made())
    if np.any(penalty < 0):
        values, vectors = _positive(square, penalty)
        return vectors / np.sqrt(values), _rank(square, made, count)
    held = penalty > 0
    size = np.sqrt(np.diag(square) + penalty)
    keep = size > 1e-10 * size.max(initial=0.0)  # columns of saturated units vanish
    out = np.zeros((size.size, 0))
    if not keep.any():
        return out, 0
    # Unit columns: the rank then does not depend on the units of the covariates.
    unit = size[keep]
    own = square[np.ix_(keep, keep)] + np.diag(penalty[keep])
    values, vectors = np.linalg.eigh(own / unit / unit[:, np.newaxis])
    if count > TALL * unit.size and values[0] > SQUARED * values[-1]:  # of full rank, and its square still has the digits
        inner, found = vectors / np.sqrt(values), int(unit.size)
    else:
        upper = blocks.triangle(made())
        full = np.vstack([upper, np.diag(np.sqrt(penalty))[held]])[:, keep] / unit
        _, singular, turned = np.linalg.svd(full, full_matrices=False)
        some = singular > RCOND * singular[0]
        inner, found = turned[some].T / singular[some], int(some.sum())
    out = np.zeros((size.size, inner.shape[1]))
    out[keep] = inner / unit[:, np.newaxis]
    return out, _rank(square, made, count) if held.any() else found


def _rank(square: np.ndarray, made: Callable[[], Iterator[np.ndarray]], count: int) -> int:
    """`rank` of R, from R'R where that has the digits."""
    size = np.sqrt(np.diag(square))
    keep = size > 1e-10 * size.max(initial=0.0)
    if keep.any() and count > TALL * int(keep.sum()):
        values = np.linalg.eigvalsh(square[np.ix_(keep, keep)] / size[keep] / size[keep, np.newaxis])
        if values[0] > SQUARED * values[-1]:
            return int(keep.sum())
    return rank(blocks.triangle(made()))


def _positive(square: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of R'R + D, which must be positive definite."""
    values, vectors = np.linalg.eigh(square + np.diag(penalty))
    if values[0] <= DEFINITE * values[-1]:
        raise DfError(indefinite("the Gauss-Newton matrix with the curvature of the penalty", values[0]))
    return values, vectors


def leverage(r: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, int]:
    """Diagonal of R (R'R + D)^+ R' and the rank of R.

    Parameters
    ----------
    r : (m, F) array
    penalty : (F,) array
        Diagonal of D.

    Raises
    ------
    DfError
        Where D has negative elements and R'R + D is not positive definite.
    """
    if np.any(penalty < 0):
        values, vectors = _positive(r.T @ r, penalty)
        half = r @ (vectors / np.sqrt(values))
        return np.sum(half**2, axis=1), rank(r)
    held = penalty > 0
    full = np.vstack([r, np.diag(np.sqrt(penalty))[held]]) if held.any() else r
    size = np.linalg.norm(full, axis=0)
    keep = size > 1e-10 * size.max(initial=0.0)  # columns of saturated units vanish
    if not keep.any():
        return np.zeros(r.shape[0]), 0
    # Unit columns: the rank then does not depend on the units of the covariates.
    full = full[:, keep] / size[keep]
    if full.shape[0] > TALL * full.shape[1]:
        values, vectors = np.linalg.eigh(full.T @ full)
        if values[0] > SQUARED * values[-1]:  # of full rank, and its square still has the digits
            left = full[: r.shape[0]] @ (vectors / np.sqrt(values))
            return np.sum(left**2, axis=1), rank(r) if held.any() else left.shape[1]
    basis, upper = np.linalg.qr(full)
    left, singular, _ = np.linalg.svd(upper, full_matrices=False)
    left = basis[: r.shape[0]] @ left[:, singular > RCOND * singular[0]]
    return np.sum(left**2, axis=1), rank(r) if held.any() else left.shape[1]


def rank(r: np.ndarray) -> int:
    """Numerical rank, of unit columns."""
    size = np.linalg.norm(r, axis=0)
    keep = size > 1e-10 * size.max(initial=0.0)
    if not keep.any():
        return 0
    singular = np.linalg.svd(np.linalg.qr(r[:, keep] / size[keep], mode="r"), compute_uv=False)
    return int(np.sum(singular > RCOND * singular[0]))


def indefinite(what: str, smallest: float) -> str:
    """What to say of a matrix with an eigenvalue that is not positive."""
    return (
        f"df: {what} is not positive definite (smallest eigenvalue {smallest:.3g}): the fit is not at a "
        "regular minimum, and this local estimate is not defined. Use method='gdf' or 'covariance', which refit, or "
        "'jacobian', which needs no Hessian; or train to a smaller threshold, with a penalty."
    )
