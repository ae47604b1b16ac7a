"""Local degrees of freedom, from derivatives at the fit: jacobian, divergence, nic, weights.

Notation: R is the Jacobian of the outputs with the root of the loss's curvature in front (see `roots`), D the curvature of
the penalty, H the exact Hessian of error and penalty. The fit mu(y) moves with the response; at an optimum with a positive
definite H the implicit function theorem gives d mu / d y = J H^-1 C', where J is the Jacobian of the means and
C_i = -d score_i / d y_i.

References
----------
Moody (1992), NIPS 4:847. Murata, Yoshizawa & Amari (1994), IEEE Trans. Neural Networks 5:865.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..checks.arguments import NONE, POSITIVE
from ..errors import DfError, DfWarning, caller
from ..fitted import Fitted, kept
from ..functions.penalties import L1
from ..network import blocks, derivatives
from . import noise
from .exact_fit import large, total_edf
from .information import RCOND, observed_score_blocks
from .registry import local as estimator
from .roots import DEFINITE, LARGE, Roots, check_finite, check_work, indefinite, leverages, rows
from .traces import of_sums, rise
from .value import DegreesOfFreedom

MOST_BYTES = 2**33  # of a Jacobian and its decomposition


def active(fitted: Fitted, b: int) -> np.ndarray:
    """(P,) bool: weights that move with the response: free, and not held at 0 by an L1 penalty."""
    free = fitted.fit.free[b % fitted.fit.free.shape[0]].copy()
    penalty = fitted.penalty_of(b)
    if penalty is not None:
        free &= ~((penalty[:, L1] != 0) & (fitted.fit.theta[b] == 0))
    return free


def penalty_diagonal(fitted: Fitted, b: int, used: np.ndarray) -> np.ndarray:
    """Curvature of the penalty in the weights used."""
    return fitted.penalty_curvature(b)[used]


def jacobian_work(fitted: Fitted, n_used: int) -> tuple[float, float]:
    """Bytes and floating-point operations that `jacobian` takes."""
    m = fitted.network.n_outputs * fitted.design.x.shape[1]
    if fitted.penalised:
        m += n_used
    return 24.0 * m * n_used, 6.0 * m * n_used * min(m, n_used)


@estimator("jacobian")
@kept
def jacobian(fitted: Fitted, b: int) -> DegreesOfFreedom:
    """Gauss-Newton trace tr(A (A + D)^-1), A = R'R; the rank of R where nothing is penalised."""
    used = active(fitted, b)
    if large(fitted):
        return DegreesOfFreedom(total_edf(fitted, b), "jacobian")
    if fitted.design.away:
        check_finite(fitted, b)
        matrix = fitted.total(_products, b)[np.ix_(used, used)]
        return of_sums(matrix, penalty_diagonal(fitted, b, used), fitted.identified(used))
    size, _ = jacobian_work(fitted, int(used.sum()))
    whole = len(blocks.parts(fitted.n_rows, fitted.network.n_outputs, fitted.network.n_params)) == 1
    if whole and size > MOST_BYTES:
        raise DfError(
            f"df: the Jacobian of {fitted.design.x.shape[1]:,} observations, {fitted.network.n_outputs} outputs and "
            f"{int(used.sum()):,} weights takes {size / 2**30:.0f} GiB to decompose. Use method='weights', or 'gdf' or "
            "'covariance', which refit instead."
        )
    h, found = leverages(fitted, b, used, penalty_diagonal(fitted, b, used))
    per = h.sum(axis=0)
    notes: tuple[str, ...] = ()
    regular = fitted.identified(used)
    if found < regular and fitted.fit.strengths is None:  # else their penalties tell them apart
        notes = (f"the Jacobian has rank {found} for {regular} weights: some weights are redundant here",)
    return DegreesOfFreedom(
        float(h.sum()), "jacobian", per_observation=per, notes=notes, details={"rank": found}
    )


def _products(fitted: Fitted, b: int) -> np.ndarray:
    """R'R (P, P)."""
    return Roots(fitted, b).squares(np.ones(fitted.network.n_params, bool))


def hessian(fitted: Fitted, b: int, used: np.ndarray) -> np.ndarray:
    """Exact Hessian of error and penalty in the weights used."""
    n, p = fitted.n_rows, fitted.network.n_params
    check_finite(fitted, b)
    if float(p) ** 2 * n * 10 > LARGE or p > 5000:
        raise DfError(
            f"df: the exact Hessian of {p} weights is too large; use 'jacobian', 'gdf' or 'covariance'."
        )
    theta = fitted.fit.theta[b].astype(float)
    if fitted.design.away:
        matrix = (fitted.total(_hessian, b) + np.diag(fitted.penalty_curvature(b)))[np.ix_(used, used)]
    else:
        matrix = derivatives.hessian(fitted.network, fitted.data, theta, fitted.penalty_of(b))[np.ix_(used, used)]
    if not np.isfinite(matrix).all():
        raise DfError("df: the Hessian is not finite: linear predictors are too large for the link; use 'jacobian'.")
    return matrix


def _hessian(fitted: Fitted, b: int) -> np.ndarray:
    return derivatives.hessian(fitted.network, fitted.data, fitted.fit.theta[b].astype(float))


@estimator("divergence")
def divergence(fitted: Fitted, b: int) -> DegreesOfFreedom:
    """Exact local divergence sum_i d mu_i / d y_i = tr(J H^-1 C') of one repetition.

    Raises
    ------
    DfError
        Where the Hessian is not positive definite.
    """
    used = active(fitted, b)
    network, objective, design = fitted.network, fitted.network.objective, fitted.design
    matrix = hessian(fitted, b, used)
    values, vectors = np.linalg.eigh(matrix)
    if values[0] <= DEFINITE * values[-1]:
        raise DfError(indefinite("the Hessian", values[0]))
    theta = fitted.fit.theta[b].astype(float)
    raw = derivatives.outputs(network, design.x, theta, design.offset)[0] if objective.of_predictor else None
    per = np.empty(fitted.n_rows)
    for part, slopes in blocks.jacobians(network, fitted.data, theta, among=2):
        if raw is not None:
            at = np.ascontiguousarray(raw[:, part])
            slopes = objective.output_slopes(at, slopes.transpose(0, 2, 1)).transpose(0, 2, 1)
        left = slopes[:, :, used] @ vectors
        right = response_scores(fitted, theta, part)[:, :, used] @ vectors
        per[part] = np.sum(left * right / values, axis=(0, 2))
    return DegreesOfFreedom(
        float(per.sum()), "divergence", per_observation=per,
        details={"smallest_eigenvalue": float(values[0]), "largest_eigenvalue": float(values[-1])},
    )  # fmt: skip


def response_scores(fitted: Fitted, theta: np.ndarray, part: slice) -> np.ndarray:
    """-d score_i / d y_ik of a part of the m observations, shape (K, m, P).

    By central differences in the response, in which the scores of every built-in family are linear, so that
    the difference is exact but for rounding.
    """
    network = fitted.network
    several = network.objective.several
    if several and fitted.distribution.discrete:
        raise DfError("df: counts and categories do not move continuously, so that there is no divergence: use 'jacobian'.")
    # what couples observations has no parts
    data = fitted.data if network.objective.coupled else blocks.taken(fitted.data, part)
    responses = data.y[0]
    out = np.empty((len(responses) if several else network.n_outputs, part.stop - part.start, network.n_params))
    for k in range(len(out)):
        least = 1.0 if not several or fitted.distribution.located else 0.0
        step = np.maximum(np.abs(responses[k]), least) * 2.0**-10
        both = []
        for sign in (1, -1):
            y = responses.copy()
            y[k] += sign * step
            both.append(derivatives.scores(network, data._replace(y=y[np.newaxis]), theta))
        found = (both[1] - both[0]) / (2 * step[:, np.newaxis])
        out[k] = found[part] if network.objective.coupled else found
    return out


@estimator("nic", "sigma")
def nic(fitted: Fitted, b: int, sigma: float | None = None) -> DegreesOfFreedom:
    """tr(G Q^-1) of one repetition: G the outer products of the scores, Q the exact Hessian.

    It is divided by the noise variance (RSS / n where `sigma` is not given), or by the dispersion of families that have one
    (`sigma` squared, or Pearson's chi2 / n), which makes it a number of parameters. Of several gaussian responses G has the
    scores on one side divided by their residual covariance instead: what the multivariate normal likelihood of a fit by least
    squares needs (Konishi & Kitagawa 1996, Biometrika 83:875), whatever the responses' units of measurement are.

    Raises
    ------
    DfError
        Where the Hessian has a negative eigenvalue.
    """
    sigma = (NONE | POSITIVE).check(sigma, "sigma")
    used = active(fitted, b)
    values, vectors = np.linalg.eigh(hessian(fitted, b, used))
    if values[0] < -DEFINITE * values[-1]:
        raise DfError(indefinite("the Hessian", values[0]))
    theta = fitted.fit.theta[b].astype(float)
    keep = values > DEFINITE * values[-1]
    notes: tuple[str, ...] = ()
    regular = fitted.identified(used)
    if keep.sum() < regular:
        notes = (f"the Hessian has rank {int(keep.sum())} for {regular} weights; a pseudo-inverse was used",)
        warnings.warn(f"df: {notes[0]}.", DfWarning, stacklevel=caller())
    phi = dispersion(fitted, b, sigma)
    root = _original(fitted, phi)
    known = noise.gaussian(fitted.network.objective) or fitted.dispersed
    of_a_family = noise.family_name(fitted.network.objective) != "additive"
    several = sigma is None and fitted.network.n_outputs > 1 and known and of_a_family
    others = observed_score_blocks(fitted, theta, among=2, y=_divided(fitted, b)) if several else None
    per, half = np.empty(fitted.n_rows), vectors[:, keep]
    for part, scores in observed_score_blocks(fitted, theta, among=2):
        moved = scores[:, used] @ half
        other = moved / phi if others is None else next(others)[1][:, used] @ half
        per[part] = np.sum(moved * other / values[keep], axis=1)
    own = "root of RSS / n" if noise.gaussian(fitted.network.objective) else "root of Pearson's chi2 / n"
    source = ("as given" if sigma is not None else own) if known else None
    return DegreesOfFreedom(
        float(per.sum()), "nic", per_observation=per, notes=notes, sigma=root if known else None,
        sigma_source=source, details={"smallest_eigenvalue": float(values[0])},
    )  # fmt: skip


def _divided(fitted: Fitted, b: int) -> np.ndarray:
    """Responses (K, n), internal units, whose residuals are those of repetition b divided by their covariance.

    Where noise is not additive, by the dispersion of each.
    """
    mu = noise.fitted(fitted, [b])
    residual = mu - fitted.design.y
    if not noise.gaussian(fitted.network.objective):
        return mu - residual / _pearson(fitted, _terms(fitted, mu))[:, np.newaxis]
    covariance = (residual * fitted.case_weights) @ residual.T / fitted.nobs
    return mu - np.linalg.lstsq(covariance, residual, rcond=None)[0]


def _original(fitted: Fitted, phi: float) -> float:
    """Root of a variance, in the units of the response."""
    scaling = fitted.design.scaling
    return float(np.sqrt(phi) * (1.0 if scaling is None else np.sqrt(np.mean(scaling.y_sd**2))))


def dispersion(fitted: Fitted, b: int, sigma: float | None = None) -> float:
    """Divisor that makes the error minus a log-likelihood: sigma^2 or RSS / n for additive noise, else the dispersion."""
    if not noise.gaussian(fitted.network.objective):
        if not fitted.dispersed:
            return 1.0
        return float(np.mean(_pearson(fitted, fitted.total(_terms_of, b)))) if sigma is None else float(sigma) ** 2
    if sigma is not None:
        scaling = fitted.design.scaling
        return float(sigma) ** 2 / (1.0 if scaling is None else float(np.mean(scaling.y_sd**2)))
    value = fitted.total(_squares, b) / fitted.n_values
    if value == 0:
        raise DfError(
            "df: the residuals are all zero, so that the variance of the noise cannot be estimated."
        )
    return value


def _squares(fitted: Fitted, b: int) -> float:
    return float(np.sum(fitted.case_weights * (fitted.design.y - noise.fitted(fitted, [b])) ** 2))


def _terms(fitted: Fitted, mu: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.square(fitted.design.y - mu) / noise.variance(fitted.network.objective, mu)
    return np.nan_to_num(terms) @ fitted.case_weights


def _terms_of(fitted: Fitted, b: int) -> np.ndarray:
    return _terms(fitted, noise.fitted(fitted, [b]))


def _pearson(fitted: Fitted, terms: np.ndarray) -> np.ndarray:
    """(K,) Pearson's chi2 of each output over the observations."""
    value = terms / fitted.nobs
    if np.any(value == 0):
        raise DfError("df: the residuals are all zero, so that the dispersion cannot be estimated.")
    return value


@estimator("weights")
def weights(fitted: Fitted, b: int) -> DegreesOfFreedom:
    """Count weights as R does: those trained, and those held at another value than 0."""
    free = fitted.fit.free[b % fitted.fit.free.shape[0]]
    held = (fitted.theta[b] != 0) & ~fitted.network.is_moving
    return DegreesOfFreedom(float(np.sum(free | held)), "weights")


def remaining(fitted: Fitted, b: int) -> float:
    """How far twice the log-likelihood could still rise along the tangent.

    That is g' (R'R + D)^+ g / phi with the gradient g of the error; 0 at an optimum.

    A fit whose value is beyond about one has not used what its degrees of freedom allow, so that local
    estimates, which presume an optimum, do not describe it.
    """
    used = active(fitted, b)
    if fitted.design.away:
        matrix = fitted.total(_products, b)[np.ix_(used, used)] + np.diag(np.maximum(penalty_diagonal(fitted, b, used), 0.0))
        return rise(matrix, fitted.gradients[b][used]) / dispersion(fitted, b)
    penalty = np.maximum(penalty_diagonal(fitted, b, used), 0.0)
    gradient = fitted.gradients[b][used]
    tall = fitted.n_rows * fitted.network.n_outputs + (used.sum() if penalty.any() else 0) >= used.sum()
    if tall:
        check_work(fitted)
        square = Roots(fitted, b).squares(used) + np.diag(penalty)
        size = np.sqrt(np.diag(square))
    else:
        r = rows(fitted, b)[:, :, used].reshape(-1, int(used.sum()))
        size = np.sqrt(np.sum(r**2, axis=0))
    keep = size > 1e-10 * size.max(initial=0.0)
    if not keep.any():
        return 0.0
    if tall:
        values, vectors = np.linalg.eigh(square[np.ix_(keep, keep)] / size[keep] / size[keep, np.newaxis])
    else:
        _, singular, turned = np.linalg.svd(r[:, keep] / size[keep], full_matrices=False)
        values, vectors = singular**2, turned.T
    held = values > RCOND * values.max()
    part = (gradient[keep] / size[keep]) @ vectors[:, held]
    return float(np.sum(part**2 / values[held])) / dispersion(fitted, b)
