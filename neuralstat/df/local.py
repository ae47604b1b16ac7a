"""Local degrees of freedom, from derivatives at the fit: jacobian, divergence, nic, weights.

Notation: R is the Jacobian of the outputs with the root of the loss's curvature in front (one row per
observation and output), D the curvature of the penalty, H the exact Hessian of error and penalty. The fit
mu(y) moves with the response; at an optimum with a positive definite H the implicit function theorem gives d
mu / d y = J H^-1 C', where J is the Jacobian of the means and C_i = -d score_i / d y_i.

References
----------
Moody (1992), NIPS 4:847. Murata, Yoshizawa & Amari (1994), IEEE Trans. Neural Networks 5:865.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..checks.arguments import NONE, POSITIVE
from ..engine.data import make_data
from ..errors import DfError, DfWarning, caller
from ..families import working
from ..fitted import Fitted
from ..functions.penalties import L1
from ..network import derivatives
from . import noise
from .exact_fit import large, total_edf
from .information import RCOND, loss_derivatives, observed_scores
from .parameters import information_roots
from .registry import local as estimator
from .value import DegreesOfFreedom

LARGE = 2e12  # floating point operations beyond which a decomposition is not begun
LARGE_MATRIX = 250_000_000  # numbers in the largest matrix that is made (2 GB)
TALL = 100  # rows per column beyond which the product of a matrix with itself is tried, which is ten times as fast
SQUARED = 1e-9  # its smallest eigenvalue, relative to the largest, at which it is trusted
DEFINITE = 1e-12  # smallest eigenvalue, relative to the largest, of a matrix that counts as positive definite
MOST_BYTES = 2**33  # of a Jacobian and its decomposition


def active(fitted: Fitted, b: int) -> np.ndarray:
    """(P,) bool: weights that move with the response: free, and not held at 0 by an L1 penalty."""
    free = fitted.fit.free[b % fitted.fit.free.shape[0]].copy()
    penalty = fitted.penalty_of(b)
    if penalty is not None:
        free &= ~((penalty[:, L1] != 0) & (fitted.fit.theta[b] == 0))
    return free


def check_finite(fitted: Fitted, b: int) -> None:
    """Raise a DfError where a repetition diverged."""
    if not np.isfinite(fitted.fit.theta[b]).all():
        raise DfError(f"df: the weights of repetition {b + 1} are not finite: it diverged.")


def rows(fitted: Fitted, b: int) -> np.ndarray:
    """R, shape (K, n, P): R'R is the Gauss-Newton (Fisher) matrix of the error."""
    n, k, p = fitted.n_rows, fitted.network.n_outputs, fitted.network.n_params
    check_finite(fitted, b)
    if float(n * k) * p * min(n * k, p) > LARGE or n * k * p > LARGE_MATRIX:
        raise DfError(
            f"df: the Jacobian of {n * k} outputs in {p} weights is too large to decompose; "
            "use method='weights', or 'gdf' or 'covariance', which refit instead."
        )
    return some_rows(fitted, b, slice(0, n))


def some_rows(fitted: Fitted, b: int, part: slice) -> np.ndarray:
    """`rows` of a part of the observations."""
    network, design, objective = fitted.network, fitted.design, fitted.network.objective
    theta = fitted.fit.theta[b].astype(float)
    x, y, w = design.x[:, part], design.y[:, part], fitted.case_weights[part]
    offset = None if design.offset is None else np.ascontiguousarray(design.offset[:, part])
    data = make_data(x, y, offset=offset)
    jacobian = derivatives.jacobian(network, data, theta)
    raw = derivatives.outputs(network, data.x, theta, offset)[0]
    if objective.name == "multinomial":
        share = objective.response(raw)
        total = y.sum(axis=0) * w
        inner = np.einsum("kn,knp->np", share, jacobian)
        return np.sqrt(share * total)[:, :, np.newaxis] * (jacobian - inner)
    if objective.several:  # R_i = L_i' J_i, with L L' the information of the parameters
        root = information_roots(fitted, raw, y)
        return np.einsum("nkr,knp->rnp", root, jacobian) * np.sqrt(w)[:, np.newaxis]
    return np.sqrt(curvature(fitted, raw, y) * w)[:, :, np.newaxis] * jacobian


def curvature(fitted: Fitted, raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Second derivative (K, n) of the loss in what kernels give, its expectation for families, at responses (K, n)."""
    objective = fitted.network.objective
    name = noise.family_name(objective)
    if name == "additive":
        return np.maximum(loss_derivatives(objective, raw, y)[1], 0.0)
    if name == "gaussian" and not objective.of_predictor:
        return np.ones_like(raw)
    if objective.of_predictor:
        return working.weights(fitted.likely, raw)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 / noise.variance(objective, objective.response(raw))
    return np.where(np.isfinite(value), value, 0.0)


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
        matrix = r.T @ r + np.diag(penalty)
        values, vectors = np.linalg.eigh(matrix)
        if values[0] <= DEFINITE * values[-1]:
            raise DfError(_indefinite("the Gauss-Newton matrix with the curvature of the penalty", values[0]))
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
def jacobian(fitted: Fitted, b: int) -> DegreesOfFreedom:
    """Gauss-Newton trace tr(A (A + D)^-1), A = R'R; the rank of R where nothing is penalised."""
    used = active(fitted, b)
    if large(fitted):
        return DegreesOfFreedom(total_edf(fitted, b), "jacobian")
    size, _ = jacobian_work(fitted, int(used.sum()))
    if size > MOST_BYTES:
        raise DfError(
            f"df: the Jacobian of {fitted.design.x.shape[1]:,} observations, {fitted.network.n_outputs} outputs and "
            f"{int(used.sum()):,} weights takes {size / 2**30:.0f} GiB to decompose. Use method='weights', or 'gdf' or "
            "'covariance', which refit instead."
        )
    r = rows(fitted, b)[:, :, used]
    h, found = leverage(r.reshape(-1, r.shape[2]), penalty_diagonal(fitted, b, used))
    per = h.reshape(r.shape[:2]).sum(axis=0)
    notes: tuple[str, ...] = ()
    regular = fitted.identified(used)
    if found < regular and fitted.fit.strengths is None:  # else their penalties tell them apart
        notes = (f"the Jacobian has rank {found} for {regular} weights: some weights are redundant here",)
    return DegreesOfFreedom(
        float(h.sum()), "jacobian", per_observation=per, notes=notes, details={"rank": found}
    )


def hessian(fitted: Fitted, b: int, used: np.ndarray) -> np.ndarray:
    """Exact Hessian of error and penalty in the weights used."""
    n, p = fitted.n_rows, fitted.network.n_params
    check_finite(fitted, b)
    if float(p) ** 2 * n * 10 > LARGE or p > 5000:
        raise DfError(
            f"df: the exact Hessian of {p} weights is too large; use 'jacobian', 'gdf' or 'covariance'."
        )
    theta = fitted.fit.theta[b].astype(float)
    matrix = derivatives.hessian(fitted.network, fitted.data, theta, fitted.penalty_of(b))[np.ix_(used, used)]
    if not np.isfinite(matrix).all():
        raise DfError("df: the Hessian is not finite: linear predictors are too large for the link; use 'jacobian'.")
    return matrix


def _indefinite(what: str, smallest: float) -> str:
    return (
        f"df: {what} is not positive definite (smallest eigenvalue {smallest:.3g}): the fit is not at a "
        "regular minimum, and this local estimate is not defined. Use method='gdf' or 'covariance', which refit, or "
        "'jacobian', which needs no Hessian; or train to a smaller threshold, with a penalty."
    )


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
        raise DfError(_indefinite("the Hessian", values[0]))
    theta = fitted.fit.theta[b].astype(float)
    slopes = derivatives.jacobian(network, fitted.data, theta)
    if objective.of_predictor:
        raw = derivatives.outputs(network, design.x, theta, design.offset)[0]
        slopes = objective.output_slopes(raw, slopes.transpose(0, 2, 1)).transpose(0, 2, 1)
    left = slopes[:, :, used] @ vectors
    right = response_scores(fitted, theta)[:, :, used] @ vectors
    per = np.sum(left * right / values, axis=(0, 2))
    return DegreesOfFreedom(
        float(per.sum()), "divergence", per_observation=per,
        details={"smallest_eigenvalue": float(values[0]), "largest_eigenvalue": float(values[-1])},
    )  # fmt: skip


def response_scores(fitted: Fitted, theta: np.ndarray) -> np.ndarray:
    """-d score_i / d y_ik, shape (K, n, P).

    By central differences in the response, in which the scores of every built-in family are linear, so that
    the difference is exact but for rounding.
    """
    design, network = fitted.design, fitted.network
    several = network.objective.several
    if several and fitted.distribution.discrete:
        raise DfError("df: counts and categories do not move continuously, so that there is no divergence: use 'jacobian'.")
    outputs = design.y.shape[0] if several else network.n_outputs
    out = np.empty((outputs, fitted.n_rows, network.n_params))
    for k in range(outputs):
        least = 1.0 if not several or fitted.distribution.located else 0.0
        step = np.maximum(np.abs(design.y[k]), least) * 2.0**-10
        both = []
        for sign in (1, -1):
            y = design.y.copy()
            y[k] += sign * step
            both.append(
                derivatives.scores(network, make_data(design.x, y, design.weights, design.offset), theta)
            )
        out[k] = (both[1] - both[0]) / (2 * step[:, np.newaxis])
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
        raise DfError(_indefinite("the Hessian", values[0]))
    theta = fitted.fit.theta[b].astype(float)
    scores = observed_scores(fitted, theta)[:, used]
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
    if sigma is None and fitted.network.n_outputs > 1 and known and of_a_family:
        other = observed_scores(fitted, theta, _divided(fitted, b))[:, used]
    else:
        other = scores / phi
    per = np.sum((scores @ vectors[:, keep]) * (other @ vectors[:, keep]) / values[keep], axis=1)
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
        return mu - residual / _pearson(fitted, mu)[:, np.newaxis]
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
        return float(np.mean(_pearson(fitted, noise.fitted(fitted, [b])))) if sigma is None else float(sigma) ** 2
    if sigma is not None:
        scaling = fitted.design.scaling
        return float(sigma) ** 2 / (1.0 if scaling is None else float(np.mean(scaling.y_sd**2)))
    residual = fitted.design.y - noise.fitted(fitted, [b])
    value = float(np.sum(fitted.case_weights * residual**2)) / fitted.n_values
    if value == 0:
        raise DfError(
            "df: the residuals are all zero, so that the variance of the noise cannot be estimated."
        )
    return value


def _pearson(fitted: Fitted, mu: np.ndarray) -> np.ndarray:
    """(K,) Pearson's chi2 of each output over the observations, at means (K, n)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.square(fitted.design.y - mu) / noise.variance(fitted.network.objective, mu)
    value = np.nan_to_num(terms) @ fitted.case_weights / fitted.nobs
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
    r = rows(fitted, b)[:, :, used]
    r = r.reshape(-1, r.shape[2])
    penalty = np.maximum(penalty_diagonal(fitted, b, used), 0.0)
    gradient = fitted.gradients[b][used]
    size = np.sqrt(np.sum(r**2, axis=0) + penalty)
    keep = size > 1e-10 * size.max(initial=0.0)
    if not keep.any():
        return 0.0
    full = (np.vstack([r, np.diag(np.sqrt(penalty))]) if penalty.any() else r)[:, keep] / size[keep]
    if full.shape[0] < full.shape[1]:
        _, singular, vectors = np.linalg.svd(full, full_matrices=False)
        values, vectors = singular**2, vectors.T
    else:
        values, vectors = np.linalg.eigh(full.T @ full)
    held = values > RCOND * values.max()
    part = (gradient[keep] / size[keep]) @ vectors[:, held]
    return float(np.sum(part**2 / values[held])) / dispersion(fitted, b)
