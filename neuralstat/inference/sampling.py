"""Sampling covariance of fitted means: the delta method, for one network or for the mean of several.

To first order the weights of repetition r move with the data by ``-H_r^-1 sum_i s_ri``: H_r the curvature of the
penalised error, s_ri the gradient of observation i's error. A mean over repetitions ``(1/R) sum_r mu_r(x)`` moves by
the mean of these, so its variance has the covariances *between* repetitions, which share the data, in it:

    Var = (1/R^2) sum_rs J_r(x) H_r^-1 B_rs H_s^-1 J_s(x)',   B_rs = sum_i s_ri s_si'  ("sandwich")

For "expected" and "hessian" B_rs is what the model says, sum_i R_ri' Phi R_si, R_ri the (K, P) root of observation i's
expected information and Phi the (K, K) covariance of its Pearson residuals (the dispersion, where there is one output: each
output has its own); for one repetition and output "hessian" is phi H^-1 I H^-1, as `cov_params`. White (1989), JASA
84:1003; Tibshirani (1996), Neural Computation 8:152.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..df.local import active, rows
from ..engine.data import make_data
from ..fitted import Fitted
from ..network import derivatives
from .covariance import cov_type_of, inverse, warn_members
from .dispersion import dispersion

CHUNK = 20_000_000  # numbers of a Jacobian that are held at a time


def joint_moves(fitted: Fitted, numbers: list[int], cov_type: str | None) -> list[np.ndarray]:
    """`weight_moves` (P, N) of each repetition, with a warning where the data do not determine their weights."""
    kind = cov_type_of(fitted, cov_type)
    phi = np.eye(fitted.network.n_outputs) if kind == "sandwich" else dispersion(fitted, numbers)[0]
    parts = [weight_moves(fitted, b, kind, phi, len(numbers) == 1) for b in numbers]
    warn_members(fitted, kind, [state for _, state in parts])
    return [moves for moves, _ in parts]


def weight_moves(
    fitted: Fitted, b: int, kind: str, phi: np.ndarray, alone: bool
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """How the weights (P,) of repetition b move with unit changes of the data: (P, N), internal units.

    The covariance of the weights is this times its transpose; rows of weights held out are zero. `phi` is the (K, K)
    dispersion; `alone`: no other repetition's moves will be set beside these. Also what `warn_members` takes.
    """
    network, used = fitted.network, active(fitted, b)
    theta = fitted.fit.theta[b].astype(float)
    hessian = None if kind == "expected" else derivatives.hessian(network, fitted.data, theta)[np.ix_(used, used)]
    if kind != "sandwich":
        _ = fitted.likely  # raises where there is none
    if kind == "sandwich":
        filling = derivatives.scores(network, fitted.data, theta)[:, used].T
    else:
        root = rows(fitted, b)[:, :, used]  # (K, n, F)
        filling = np.einsum("lk,lnf->knf", _root(phi), root).reshape(-1, root.shape[2]).T
        if kind == "expected":
            flat = root.reshape(-1, root.shape[2])
            hessian = flat.T @ flat
        elif alone and phi.shape[0] == 1:
            values, vectors = np.linalg.eigh(np.asarray(hessian))
            filling = vectors * np.sqrt(phi[0, 0] * np.maximum(values, 0))
    assert hessian is not None
    if fitted.penalty_coefficients is not None:
        hessian = hessian + np.diag(derivatives.penalty_curvature(fitted.penalty_coefficients, theta)[used])
    turned, rank, negative = inverse(hessian)
    moves = np.zeros((network.n_params, filling.shape[1]))
    moves[used] = turned @ filling
    held = int(fitted.fit.free[0].sum()) - int(used.sum())  # at 0 by an L1 penalty
    return moves, (b, rank, fitted.k_identified - held, negative)


def _root(phi: np.ndarray) -> np.ndarray:
    """Symmetric root of a covariance matrix."""
    values, vectors = np.linalg.eigh(phi)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def mean_jacobian(fitted: Fitted, b: int, x: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """d mean_k / d theta of repetition b at x (D, m), shape (K, m, P): in the response's units."""
    network, objective, theta = fitted.network, fitted.network.objective, fitted.fit.theta[b].astype(float)
    data = make_data(np.ascontiguousarray(x), np.zeros((network.n_outputs, x.shape[1])), offset=offset)
    jacobian = derivatives.jacobian(network, data, theta)
    if objective.of_predictor:
        raw = derivatives.outputs(network, data.x, theta, offset)[0]
        jacobian = objective.output_slopes(raw, jacobian.transpose(0, 2, 1)).transpose(0, 2, 1)
    scaling = fitted.design.scaling
    return jacobian if scaling is None else jacobian * scaling.y_sd[:, np.newaxis, np.newaxis]


def mean_variance(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, cov_type: Any = None
) -> np.ndarray:
    """Sampling variance (K, m) of the mean of repetitions `numbers` (0-based) at x (D, m), units of the response."""
    moves = np.concatenate(joint_moves(fitted, numbers, cov_type)) / len(numbers)  # (R P, N)
    covariance = moves @ moves.T
    k, m = fitted.network.n_outputs, x.shape[1]
    out = np.empty((k, m))
    step = max(1, CHUNK // (k * covariance.shape[0]))
    for first in range(0, m, step):
        part = slice(first, min(first + step, m))
        known = None if offset is None else np.ascontiguousarray(offset[:, part])
        jacobian = np.concatenate([mean_jacobian(fitted, b, x[:, part], known) for b in numbers], axis=2)
        for o in range(k):
            out[o, part] = np.einsum("mp,mp->m", jacobian[o] @ covariance, jacobian[o])
    return np.maximum(out, 0.0)
