"""Sampling covariance of fitted means: the delta method, for one network or for the mean of several.

To first order the weights of repetition r move with the data by ``-H_r^-1 sum_i s_ri``: H_r the curvature of the
penalised error, s_ri the gradient of observation i's error. A mean over repetitions ``(1/R) sum_r mu_r(x)`` moves by
the mean of these, so its variance has the covariances *between* repetitions, which share the data, in it:

    Var = (1/R^2) sum_rs J_r(x) H_r^-1 B_rs H_s^-1 J_s(x)',   B_rs = sum_i s_ri s_si'  ("sandwich")

With "cluster" the sum in B_rs is over clusters, of the sums of their rows' gradients, times the factor of `clusters`.

For "expected" and "hessian" B_rs is what the model says, sum_i R_ri' Phi R_si, R_ri the (K, P) root of observation i's
expected information and Phi the (K, K) covariance of its Pearson residuals (the dispersion, where there is one output: each
output has its own); for one repetition and output "hessian" is phi H^-1 I H^-1, as `cov_params`. "bayes" is "expected" with
the moves of the penalties' centres, phi^(1/2) S_r^(1/2), beside the s_ri: of one repetition phi H^-1, the covariance given
the data, as of optima of perturbed problems (Papandreou & Yuille 2010, NIPS 23:1858). White (1989), JASA 84:1003;
Tibshirani (1996), Neural Computation 8:152.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..df.information import observed_score_blocks, observed_scores
from ..df.local import active
from ..df.roots import Roots, rows
from ..engine.data import make_data
from ..fitted import Fitted, kept
from ..likelihood.evidence import posterior
from ..network import blocks, derivatives
from . import clusters
from .bootstrap import weight_draws
from .covariance import cov_type_of, curvature_of, inverse, warn_members
from .dispersion import dispersion, used_up

PART = 4096  # observations beyond which only sums over them are kept
NEGLIGIBLE = 1e-6  # share of a repetition


def joint_root(
    fitted: Fitted, numbers: tuple[int, ...], kind: str
) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Root (R P, r) of the joint covariance of the weights of several repetitions, internal units; what `warn_members` takes.

    Of many observations it is added up over parts of them, and `weight_moves` are not made.
    """
    free_of = kind not in ("expected", "hessian", "bayes")  # of the dispersion
    phi = np.eye(fitted.network.n_outputs) if free_of else dispersion(fitted, list(numbers))[0]
    if free_of and used_up(fitted, list(numbers)):
        phi = phi * np.nan
    if not np.isfinite(phi).all():  # no degrees of freedom are left
        return np.full((len(numbers) * fitted.network.n_params, 1), np.nan), []
    alone = len(numbers) == 1 and (phi.shape[0] == 1 or fitted.network.objective.several)
    if fitted.n_rows > PART and kind != "bootstrap" and not (kind == "hessian" and alone):
        return _root_by_parts(fitted, numbers, kind, phi)
    if kind == "bootstrap":
        drawn = [weight_draws(fitted, b) for b in numbers]
        return np.concatenate([(d - d.mean(axis=0)).T for d in drawn]) / np.sqrt(len(drawn[0]) - 1), []
    parts = [weight_moves(fitted, b, kind, phi, alone) for b in numbers]
    moves = np.concatenate([m for m, _ in parts])
    if kind == "cluster":
        moves *= np.sqrt(clusters.correction(fitted, list(numbers)))
    if moves.shape[1] > moves.shape[0]:
        moves = np.asarray(np.linalg.qr(moves.T, mode="r")).T
    return moves, [state for _, state in parts]


def _root_by_parts(
    fitted: Fitted, numbers: tuple[int, ...], kind: str, phi: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """`joint_root`, from sums of squares over parts of the observations."""
    used = [active(fitted, b) for b in numbers]
    ends = np.cumsum([0, *(int(u.sum()) for u in used)])
    of = [slice(*pair) for pair in pairwise(ends)]
    breads: list[np.ndarray | None] = [None for _ in numbers]
    if kind in ("sandwich", "cluster"):
        between = _squares_of_scores(fitted, numbers, used, kind)
    else:
        _ = fitted.likely  # raises where there is none
        informations, between = _squares_of_roots(fitted, numbers, used, phi)
        breads = [None if kind == "hessian" else own for own in informations]
    if kind == "bayes":  # and with the prior, whose centres move all repetitions
        prior = [np.sqrt(np.diag(phi).mean() * fitted.penalty_curvature(b)) * u for b, u in zip(numbers, used, strict=True)]
        for r, u in enumerate(used):
            for s, v in enumerate(used):
                between[of[r], of[s]] += np.diag(prior[r] * prior[s])[np.ix_(u, v)]
    finite = bool(np.isfinite(between).all())  # else no degrees of freedom are left for the correction of clusters
    root = _root_in_place(between) if finite else np.full((ends[-1], 1), np.nan)
    del between
    states, where = [], np.zeros(ends[-1], dtype=int)
    for r, b in enumerate(numbers):
        own = of[r]
        bread = breads[r]
        bread = curvature_of(fitted, b, kind)[np.ix_(used[r], used[r])] if bread is None else bread
        turned, state = _turned(fitted, b, used[r], bread)
        if finite:
            root[own] = turned @ root[own]
        where[own] = r * fitted.network.n_params + np.flatnonzero(used[r])
        states.append(state)
    if not finite:
        return np.full((len(numbers) * fitted.network.n_params, 1), np.nan), states
    if where.size == len(numbers) * fitted.network.n_params:
        return root, states
    out = np.zeros((len(numbers) * fitted.network.n_params, root.shape[1]))
    out[where] = root
    return out, states


def _root_in_place(squares: np.ndarray) -> np.ndarray:
    """A root (F, r) of a sum of squares (F, F), in its memory; triangular but for the order of rows.

    Cholesky's with pivots, which ends where rounding begins (Higham 2002, Accuracy and Stability, section 10.3): that of
    several repetitions is often singular. Of sums alone, which are as good as their terms: a covariance has an inverse on
    either side of such a sum, and may be indefinite in the digits that it lost.
    """
    size = np.sqrt(np.diag(squares))
    unit = np.where(size > 0, size, 1.0)[:, np.newaxis]  # no weight's part drowns in the rounding of another's
    squares /= unit  # in place: of several repetitions it may be larger than the data
    squares /= unit.T
    upper, order, rank, _ = lapack.dpstrf(squares.T, lower=0, overwrite_a=1)  # of a matrix with rows side by side
    root: np.ndarray = upper.T
    for i in range(len(root)):
        root[i, min(i + 1, rank) :] = 0.0
    _scatter(root, order - 1)
    root *= unit
    return root[:, :rank]


def _scatter(array: np.ndarray, to: np.ndarray) -> None:
    """Row i to row to[i], in place: cycle after cycle."""
    left = np.ones(len(to), bool)
    for first in range(len(to)):
        at, carried = first, array[first].copy()
        while left[at]:
            left[at] = False
            at = int(to[at])
            array[at], carried = carried, array[at].copy()


def _squares_of_roots(
    fitted: Fitted, numbers: tuple[int, ...], used: list[np.ndarray], phi: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Sums over observations of R_r' R_r, and of R_r' Phi R_s over the weights that all repetitions use."""
    plain = bool(np.all(phi == phi[0, 0] * np.eye(len(phi))))
    ends = np.cumsum([0, *(int(u.sum()) for u in used)])
    of = [slice(*pair) for pair in pairwise(ends)]
    whole = [Roots(fitted, b) for b in numbers]
    informations = [np.zeros((0, 0)) if plain else np.zeros((int(u.sum()),) * 2) for u in used]
    between = np.zeros((ends[-1], ends[-1]))
    for part in blocks.of_numbers(fitted.n_rows, len(phi) * len(numbers) * fitted.network.n_params):
        roots = [own.at(part)[:, :, u] for own, u in zip(whole, used, strict=True)]
        flat = [root.reshape(-1, root.shape[2]) for root in roots]
        turned = flat if plain else [np.tensordot(_root(phi), root, axes=1).reshape(-1, root.shape[2]) for root in roots]
        for r, rows_of in enumerate(turned):
            if not plain:
                informations[r] += flat[r].T @ flat[r]
            for s, other in enumerate(turned[: r + 1]):
                between[of[r], of[s]] += rows_of.T @ other
    for r, at in enumerate(of):
        if plain:
            informations[r] = between[at, at].copy()
        between[at, at.stop :] = between[at.stop :, at].T
    if plain:
        between *= phi[0, 0]
    return informations, between


def _squares_of_scores(fitted: Fitted, numbers: tuple[int, ...], used: list[np.ndarray], kind: str) -> np.ndarray:
    """Sum of the outer products of the gradients of observations' errors, or of clusters', of all repetitions."""

    def gradients(b: int, u: np.ndarray) -> Iterator[np.ndarray]:
        theta = fitted.fit.theta[b].astype(float)
        if kind == "cluster":
            return (s[:, u] for s in clusters.fillings(fitted, theta, len(numbers)))
        return (s[:, u] for _, s in observed_score_blocks(fitted, theta, len(numbers)))

    parts = zip(*(gradients(b, u) for b, u in zip(numbers, used, strict=True)), strict=True)
    total = blocks.squares(np.concatenate(part, axis=1) for part in parts)
    return total * clusters.correction(fitted, list(numbers)) if kind == "cluster" else total


def weight_moves(
    fitted: Fitted, b: int, kind: str, phi: np.ndarray, alone: bool
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """How the weights (P,) of repetition b move with unit changes of the data: (P, N), internal units.

    The covariance of the weights is this times its transpose; rows of weights held out are zero. `phi` is the (K, K)
    dispersion; `alone`: moves are set beside no others', of other repetitions or outputs, and any root will do. Also what
    `warn_members` takes.
    """
    network, used = fitted.network, active(fitted, b)
    theta = fitted.fit.theta[b].astype(float)
    hessian = None if kind in ("expected", "bayes") else curvature_of(fitted, b, kind)[np.ix_(used, used)]
    if kind not in ("sandwich", "cluster"):
        _ = fitted.likely  # raises where there is none
    if kind == "cluster":
        filling = np.concatenate(list(clusters.fillings(fitted, theta)))[:, used].T
    elif kind == "sandwich":
        filling = observed_scores(fitted, theta)[:, used].T
    elif kind == "hessian" and alone:
        values, vectors = np.linalg.eigh(np.asarray(hessian))
        filling = vectors * np.sqrt(phi[0, 0] * np.maximum(values, 0))
    else:
        root = rows(fitted, b)[:, :, used]  # (K, n, F)
        filling = np.einsum("lk,lnf->knf", _root(phi), root).reshape(-1, root.shape[2]).T
        if kind in ("expected", "bayes"):
            flat = root.reshape(-1, root.shape[2])
            hessian = flat.T @ flat
        if kind == "bayes":  # and with the prior
            prior = np.diag(phi).mean() * fitted.penalty_curvature(b)[used]
            filling = np.concatenate([filling, np.diag(np.sqrt(prior))], axis=1)
    assert hessian is not None
    turned, state = _turned(fitted, b, used, hessian)
    moves = np.zeros((network.n_params, filling.shape[1]))
    moves[used] = turned @ filling
    return moves, state


def _turned(
    fitted: Fitted, b: int, used: np.ndarray, hessian: np.ndarray
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Inverse (F, F) of the curvature of error and penalty in the weights used, and what `warn_members` takes."""
    if fitted.penalised:
        hessian = hessian + np.diag(fitted.penalty_curvature(b)[used])
    turned, rank, negative = inverse(hessian)
    held = int(fitted.fit.free[0].sum()) - int(used.sum())  # at 0 by an L1 penalty
    return turned, (b, rank, fitted.k_identified - held, negative)


def parameter_covariance(fitted: Fitted, b: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Root (F, r) of the covariance of the weights that repetition b uses, and the inverse (F, F) of their curvature.

    Of distributions with several parameters; internal units, curvature of error and penalty ("hessian" for "sandwich").
    """
    used = active(fitted, b)
    root = joint_root(fitted, (b,), kind)[0][used]
    if kind == "expected":
        curvature = Roots(fitted, b).squares(used)
    else:
        curvature = curvature_of(fitted, b, kind)[np.ix_(used, used)]
    return root, _turned(fitted, b, used, curvature)[0]


def _root(phi: np.ndarray) -> np.ndarray:
    """Symmetric root of a covariance matrix."""
    values, vectors = np.linalg.eigh(phi)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def predictor_jacobian(fitted: Fitted, b: int, x: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """d linear predictor_k / d theta of repetition b at x (D, m), shape (K, m, P), internal units; less `level_slopes`."""
    data = make_data(np.ascontiguousarray(x), np.zeros((fitted.network.n_outputs, x.shape[1])), offset=offset)
    out = derivatives.jacobian(fitted.network, data, fitted.fit.theta[b].astype(float))
    level = level_slopes(fitted, b)
    return out if level is None else out - level


@kept
def level_slopes(fitted: Fitted, b: int) -> np.ndarray | None:
    """d (mean linear predictor of the rows of the fit) / d theta (P,), where the likelihood does not know this mean.

    In Cox's model predictors average 0 whatever the weights are: errors of theirs without this are those of a level that is
    not identified. None of other families.
    """
    objective = fitted.network.objective
    if not (objective.several and objective.family.floating):
        return None
    theta = fitted.fit.theta[b].astype(float)
    made = blocks.jacobians(fitted.network, fitted.data, theta)
    return np.sum([jacobian[0].sum(axis=0) for _, jacobian in made], axis=0) / fitted.n_rows


def mean_jacobian(
    fitted: Fitted, b: int, x: np.ndarray, offset: np.ndarray | None, at: np.ndarray | None = None
) -> np.ndarray:
    """d mean_k / d theta of repetition b at x (D, m), shape (K, m, P): in the response's units.

    `at`: linear predictors (K, m), where these are not the repetition's own, from which means follow.
    """
    objective, jacobian = fitted.network.objective, predictor_jacobian(fitted, b, x, offset)
    if objective.of_predictor:
        theta = fitted.fit.theta[b].astype(float)
        raw = derivatives.outputs(fitted.network, np.ascontiguousarray(x), theta, offset)[0] if at is None else at
        jacobian = objective.output_slopes(raw, jacobian.transpose(0, 2, 1)).transpose(0, 2, 1)
    scaling = fitted.design.scaling
    return jacobian if scaling is None else jacobian * scaling.y_sd[:, np.newaxis, np.newaxis]


def posterior_variance(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, share: np.ndarray | None = None
) -> np.ndarray:
    """Posterior variance (K, m) of the means at x (D, m) within repetitions, their mean in shares (R,); response's units.

    Repetitions look at the same data: their variances do not fall with their number, as those of independent ones would.

    Raises
    ------
    ArgumentError, DfError
        As `likelihood.evidence.posterior`.
    """
    w = np.full(len(numbers), 1 / len(numbers)) if share is None else share
    k = fitted.observed.shape[0] if fitted.network.objective.several else fitted.network.n_outputs
    out = np.zeros((k, x.shape[1]))
    for own, b in zip(w, numbers, strict=True):
        if own < NEGLIGIBLE:
            continue
        found = posterior(fitted, b)
        for part in blocks.parts(x.shape[1], fitted.network.n_outputs, 2 * fitted.network.n_params):
            known = None if offset is None else np.ascontiguousarray(offset[:, part])
            out[:, part] += own * found.spread(mean_jacobian(fitted, b, x[:, part], known)[:k])
    return out


def mean_variance(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, cov_type: Any = None,
    at: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Sampling variance (K, m) of the mean of repetitions `numbers` (0-based) at x (D, m), units of the response.

    With `at` of the mean at the mean of their linear predictors (K, m), which these are.
    """
    kind = cov_type_of(fitted, cov_type)
    root, states = joint_root(fitted, tuple(numbers), kind)
    warn_members(fitted, kind, states)
    k = fitted.observed.shape[0] if fitted.network.objective.several else fitted.network.n_outputs
    m, p = x.shape[1], fitted.network.n_params
    out = np.empty((k, m))
    for part in blocks.of_numbers(m, fitted.network.n_outputs * (p + root.shape[1])):
        known = None if offset is None else np.ascontiguousarray(offset[:, part])
        own = None if at is None else at[:, part]
        moves: Any = 0.0  # (K, rows, r) of the mean, with unit changes of the data
        for r, b in enumerate(numbers):
            moves = moves + mean_jacobian(fitted, b, x[:, part], known, own)[:k] @ root[r * p : (r + 1) * p]
        out[:, part] = np.einsum("kmr,kmr->km", moves, moves) / len(numbers) ** 2
    return out
