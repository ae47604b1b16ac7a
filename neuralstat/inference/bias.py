"""First-order bias of maximum likelihood estimates of distributions with several parameters.

A scale that is estimated with the mean by maximum likelihood is too small: its logarithm by about p / (2 n), where p weights
were estimated, and not equally so everywhere. To first order, with outputs taken as linear in the weights,

    E(theta^ - theta) = H^-1 sum_i w_i J_i' v_i,    v_s = sum_tu V_tu (E l_stu / 2 + E l_st l_u)

H the curvature of error and penalty, J_i the (K, P) Jacobian of observation i's linear predictors, V their covariance, l its
log-likelihood with derivatives in them. Of a normal response with log sigma v is -(h_mu + h_sigma) for log sigma, the shares
of that observation in the degrees of freedom of both.

References
----------
Cox & Snell (1968), A general definition of residuals, Journal of the Royal Statistical Society B 30:248.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..df.local import active
from ..df.parameters import alike, points
from ..families import Laplace, Survival
from ..fitted import Fitted, kept
from ..network import blocks, derivatives
from .sampling import parameter_covariance, predictor_jacobian

NODES = 31  # of the trapezoidal rule over responses, which is exact to many digits from steps of half a standard error on
STEP = 2.0**-4  # of differences along a linear predictor's error, in standard errors


def jacobians_at(
    fitted: Fitted, b: int, x: np.ndarray, offset: np.ndarray | None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Which rows, and (K, m, F) derivatives of linear predictors in the weights that repetition b uses, internal units."""
    used = active(fitted, b)
    for part in blocks.of_numbers(x.shape[1], 2 * fitted.network.n_outputs * fitted.network.n_params):
        known = None if offset is None else np.ascontiguousarray(offset[:, part])
        jacobian = predictor_jacobian(fitted, b, x[:, part], known)
        yield part, jacobian if used.all() else np.ascontiguousarray(jacobian[:, :, used])


def squared(half: np.ndarray) -> np.ndarray:
    """(n, K, K) covariances of roots (K, n, r)."""
    k, n, _ = half.shape
    out = np.empty((n, k, k))
    for i in range(k):
        for j in range(i + 1):
            out[:, i, j] = out[:, j, i] = np.einsum("nr,nr->n", half[i], half[j])
    return out


@kept
def weights_bias(fitted: Fitted, b: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Root (F, r) of the covariance of the weights that repetition b uses, and their bias (F,), internal units."""
    root, turned = parameter_covariance(fitted, b, kind)
    raw, y, w = fitted.fitted_raw([b])[0], fitted.design.y, fitted.case_weights
    force = np.zeros(len(root))
    spread = np.empty((raw.shape[1], len(raw), len(raw)))
    for part, jacobian in jacobians_at(fitted, b, fitted.design.x, fitted.design.offset):
        spread[part] = squared(jacobian @ root)
    terms = np.empty_like(raw)
    for rows in alike(fitted, raw, NODES * (1 + 2 * len(raw)) * len(raw)):
        at, response = np.ascontiguousarray(raw[:, rows]), np.ascontiguousarray(y[:, rows])
        terms[:, rows] = predictor_terms(fitted, at, response, spread[rows])
    for part, jacobian in jacobians_at(fitted, b, fitted.design.x, fitted.design.offset):
        force += np.tensordot(w[part] * terms[:, part], jacobian, axes=2)
    return root, turned @ force


def predictor_terms(fitted: Fitted, raw: np.ndarray, y: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """v (K, n) of linear predictors (K, n) with covariances (n, K, K); see the module.

    Expectations under the fit; of censored times, whose limits are not known where there was an event, what was observed.
    """
    if isinstance(fitted.distribution, Laplace):  # whose third derivative lies in a point
        return fitted.distribution.bias_terms(fitted.distribution.natural(raw), spread)
    found = None if isinstance(fitted.distribution, Survival) else points(fitted, raw, y, NODES)
    found = [(np.ones(raw.shape[1]), y)] if found is None else found
    values, vectors = np.linalg.eigh(np.nan_to_num(spread))
    errors = vectors * np.sqrt(np.maximum(values, 0.0))[:, np.newaxis, :]
    k, n = raw.shape
    # one standard error up and down each error, and not: all at once, since calls of kernels cost more than few rows
    moves = np.concatenate([np.zeros((1, k, n)), *(t * errors.transpose(2, 1, 0) for t in (STEP, -STEP))])
    at = np.ascontiguousarray((raw + moves).transpose(1, 0, 2)).reshape(k, -1)
    mass, y = np.stack([m for m, _ in found]), np.stack([y for _, y in found], axis=1)  # (T, n), (L, T, n)
    t, moved = len(mass), len(moves)
    at = np.ascontiguousarray(np.broadcast_to(at.reshape(k, 1, moved, n), (k, t, moved, n))).reshape(k, -1)
    response = np.ascontiguousarray(np.broadcast_to(y[:, :, np.newaxis], (len(y), t, moved, n))).reshape(len(y), -1)
    with np.errstate(all="ignore"):
        slopes = derivatives.predictor_slopes(fitted.network, at, response).reshape(k, t, moved, n)
        middle, up, down = np.split(slopes, [1, 1 + k], axis=2)
        bend, tilt = (up - 2 * middle + down) / STEP**2, (up - down) / (2 * STEP)
        along = np.einsum("ktn,nkr->trn", middle[:, :, 0], errors)  # of each error
        # losses are minus log-likelihoods: signs of products cancel, that of the third derivative turns
        return np.nan_to_num(mass[:, np.newaxis] * (along * tilt - bend / 2)).sum(axis=(1, 2))
