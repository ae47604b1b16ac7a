"""Covariance of the weights from the exact Hessian, the expected information, or as a sandwich.

With E the error (half the deviance), phi the dispersion and P the penalty's curvature, minus the log-likelihood is
E / phi, and

    expected, hessian:  phi (I + P)^-1 I (I + P)^-1,    I = J' W J, or the Hessian of E
    bayes:              phi (I + P)^-1, given the data, of gaussian penalties: see `term_parts`
    sandwich:           (H + P)^-1 S'S (H + P)^-1,      S the gradients of the observations' errors (HC0)
    cluster:            the same, S their sums over clusters, times a factor for few clusters: see `clusters`

J is the Jacobian of the linear predictor and W = w (d mu / d eta)^2 / V(mu). With a canonical link and no hidden
layer I is the same both ways. Several responses with a dispersion each have the (K, K) covariance Phi of their Pearson
residuals, and sum_kl Phi_kl R_k' R_l stands in the place of phi I, R_k the rows of W^(1/2) J of output k: with no hidden
layer Phi (x) (X'X)^-1, as R's ``vcov`` of an ``mlm``. White (1989), JASA 84:1003; McCullagh & Nelder (1989), section 2.5.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import NONE, REP, Anything, Choice, arguments
from ..df.exact_fit import dense_index, exact_solution, large, units
from ..df.information import score_squares
from ..df.parameters import expected_of
from ..errors import ArgumentError, SingularHessianWarning, caller
from ..families import Laplace, Multinomial, Quantile, working
from ..fitted import Fitted, kept
from ..likelihood.likelihood import several
from ..likelihood.several import UNLIKELY
from ..network import blocks, derivatives
from ..network.blas import on_one_thread
from ..network.scaling import affine
from ..training.structured import structured
from . import clusters
from .bootstrap import weight_draws
from .dispersion import dispersion, given_dispersion, used_up
from .orthogonal import moved
from .units import in_words, undetermined_units

RCOND = 1e-10  # eigenvalues of the matrix scaled to unit diagonal, relative to the largest, that count as zero
MOST_KEPT = 1000  # weights of a fit that keeps its information
COV_TYPES = ("expected", "hessian", "bayes", "sandwich", "cluster", "bootstrap")
ALIASES = {"nonrobust": "expected", "HC0": "sandwich"}
COV_TYPE = Choice(*COV_TYPES, *ALIASES)


def expected_information(fitted: Fitted, b: int) -> np.ndarray:
    """J' W J (P, P) of repetition b (0-based), of dispersion 1, without penalty; internal units.

    Raises
    ------
    ArgumentError
        Where the error function belongs to no family.
    """
    return fitted.total(_expected_information, b)


def _expected_information(fitted: Fitted, b: int) -> np.ndarray:
    family, objective, design = fitted.likely, fitted.network.objective, fitted.design
    theta = fitted.fit.theta[b].astype(float)
    raw, w = fitted.fitted_raw([b])[0], fitted.case_weights
    several, share, weight = objective.several, None, np.zeros((0, 0))
    if several:
        information = expected_of(fitted, b) * w[:, np.newaxis, np.newaxis]
    elif isinstance(family, Multinomial):
        share = objective.response(raw)
        weight = w * design.y.sum(axis=0) * share
    else:
        weight = w * _weights(fitted, raw)

    def pair(part: slice, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if several:
            return np.einsum("nkj,knp->jnp", information[part], jacobian), jacobian
        if share is not None:  # centred first: where a probability rounds to 1 the difference of products would round to 0
            jacobian = jacobian - np.einsum("kn,knp->np", share[:, part], jacobian)
        return weight[:, part, np.newaxis] * jacobian, jacobian

    return blocks.product(pair(*block) for block in blocks.jacobians(fitted.network, fitted.data, theta, among=2))


def observed_information(fitted: Fitted, b: int) -> np.ndarray:
    """(P, P) exact Hessian of the error of repetition b, without penalty; internal units.

    Of quantiles, whose loss has kinks, the curvature of the expected loss instead.
    """
    if isinstance(fitted.family, Quantile):
        return expected_information(fitted, b)
    return fitted.total(_observed_information, b)


def _observed_information(fitted: Fitted, b: int) -> np.ndarray:
    return derivatives.hessian(fitted.network, fitted.data, fitted.fit.theta[b].astype(float))


def curvature_of(fitted: Fitted, b: int, kind: str) -> np.ndarray:
    """(P, P) information of repetition b that a kind of covariance is made with, without penalty; internal units.

    Kept with the fit, and read-only, where there are not many weights: several statistics of a call ask for it.
    """
    kinked = kind == "cluster" and isinstance(fitted.family, Laplace)
    whole = kind == "expected" or (kind == "bayes" and not fitted.network.objective.several)
    make = _curvature if fitted.network.n_params <= MOST_KEPT else _made
    return make(fitted, b, whole or kinked)


def _made(fitted: Fitted, b: int, expects: bool) -> np.ndarray:
    """The expected information or the observed one."""
    return expected_information(fitted, b) if expects else observed_information(fitted, b)


@kept
def _curvature(fitted: Fitted, b: int, expects: bool) -> np.ndarray:
    matrix = _made(fitted, b, expects)
    matrix.setflags(write=False)
    return matrix


def _weights(fitted: Fitted, raw: np.ndarray) -> np.ndarray:
    """(K, n) expected second derivative of the unit error in what kernels give."""
    family, objective = fitted.likely, fitted.network.objective
    if objective.of_predictor:
        return working.weights(family, raw)
    with np.errstate(divide="ignore"):
        return 1 / family.variance(raw)


def between_outputs(fitted: Fitted, b: int, phi: np.ndarray) -> np.ndarray:
    """sum_kl Phi_kl R_k' R_l (P, P) of repetition b, internal units; see the module."""
    return fitted.total(_between_outputs, b, phi)


def _between_outputs(fitted: Fitted, b: int, phi: np.ndarray) -> np.ndarray:
    root = np.sqrt(fitted.case_weights * _weights(fitted, fitted.fitted_raw([b])[0]))
    out = np.zeros((fitted.network.n_params,) * 2)
    for part, jacobian in blocks.jacobians(fitted.network, fitted.data, fitted.fit.theta[b].astype(float), among=2):
        rows = root[:, part, np.newaxis] * jacobian
        for k in range(len(rows)):
            for j in range(len(rows)):
                out += phi[k, j] * (rows[k].T @ rows[j])
    return out


def inverse(matrix: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Inverse of a symmetric matrix, its rank, and how many eigenvalues are negative.

    The matrix is scaled to a unit diagonal first, so that units of measurement do not decide on the rank; where it is
    singular, the Moore-Penrose inverse of the scaled matrix is scaled back.
    """
    diagonal = np.abs(np.diag(matrix))
    s = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(matrix * s[:, np.newaxis] * s)
    keep = np.abs(values) > RCOND * np.abs(values).max(initial=0.0)
    scaled = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    return scaled * s[:, np.newaxis] * s, int(keep.sum()), int(np.sum(values[keep] < 0))


@on_one_thread
@arguments(cov_type=NONE | COV_TYPE, rep=REP, scale=Anything("a number > 0, or one per output", None, 1.0))
def cov_params(
    fitted: Fitted, cov_type: str | None = None, rep: Any = "best", scale: Any = None
) -> pd.DataFrame:
    """Covariance matrix of the weights of one repetition.

    Parameters
    ----------
    fitted : Fitted
    cov_type : {"expected", "hessian", "bayes", "sandwich", "cluster", "bootstrap"}, optional
        From the expected information (statsmodels' "nonrobust", which is taken too; for squared error R's ``nls``);
        from the exact Hessian, the observed information; robust against a wrong model (statsmodels' "HC0"); or robust
        against that and dependence within the clusters of ``groups=`` (statsmodels' "cluster"); or from 200 refits to
        bootstrap samples, of whole clusters where there are groups (`bootstrap.weight_draws`). Default "cluster" where the
        fit has groups; "bayes" for structured formulas: given the data, with the penalties as normal priors, so that
        coefficients are as uncertain as the terms beside them make them (lme4's covariance of fixed effects, mgcv's of all
        weights); else "expected", "hessian" for distributions with several parameters, "sandwich" where the error function
        belongs to no family.
    rep : int or "best"
    scale : float, optional
        Dispersion, of several responses with one each also K numbers or their (K, K) covariance; default that of the
        repetition, which matters to "expected" and "hessian" only.

    Returns
    -------
    DataFrame, shape (P, P)
        Rows and columns have R's names of the weights, in the units of the data; NaN at weights held out, and everywhere
        where no degrees of freedom are left for the dispersion. Of random effects of more than 2,000 levels without networks
        only of the other weights.

    Warns
    -----
    DfWarning
        Where none are left, once per fit.
    SingularHessianWarning
        Where the matrix to be inverted is singular, with the hidden units that make it so; then a pseudo-inverse is
        used. Where it has negative eigenvalues: the weights are not at a minimum.
    """
    kind = cov_type_of(fitted, cov_type)
    b = fitted.which(rep)
    free, names = fitted.fit.free[0], list(fitted.network.names)
    theta = fitted.fit.theta[b].astype(float)
    if large(fitted):
        return _of_coefficients(fitted, b, kind, scale)
    phi = given_dispersion(fitted, scale) if scale is not None else _dispersion(fitted, b, kind)
    if not np.isfinite(phi).all():
        return pd.DataFrame(np.nan, names, names)
    if kind == "bootstrap":
        return _original(fitted, b, np.cov(weight_draws(fitted, b), rowvar=False))
    bread = curvature_of(fitted, b, kind)[np.ix_(free, free)]
    if kind == "cluster":
        sums = clusters.fillings(fitted, theta)
        filling = clusters.correction(fitted, [b]) * blocks.squares(s[:, free] for s in sums)
    elif kind == "sandwich":
        filling = fitted.total(score_squares, theta, free)
    elif several(fitted):
        filling = between_outputs(fitted, b, phi)[np.ix_(free, free)]
    else:
        filling = bread * phi[0, 0]
    if kind == "bayes":  # and of the prior
        filling = filling + np.diag(np.diag(phi).mean() * fitted.penalty_curvature(b)[free])
    if fitted.penalised:
        curvature = fitted.penalty_curvature(b)
        bread = bread + np.diag(curvature[free])
    if not (np.isfinite(bread).all() and np.isfinite(filling).all()):  # it diverged
        return pd.DataFrame(np.nan, names, names)
    turned, rank, negative = inverse(bread)
    warn_members(fitted, kind, [(b, rank, fitted.k_identified, negative)])
    full = np.zeros((free.size, free.size))
    full[np.ix_(free, free)] = turned @ filling @ turned
    return _original(fitted, b, full)


def _original(fitted: Fitted, b: int, full: np.ndarray) -> pd.DataFrame:
    """A covariance (P, P) of internal weights in the units of the data, with names; NaN at weights held out."""
    network, free, names = fitted.network, fitted.fit.free[0], list(fitted.network.names)
    turn = moved(fitted, b)[1]
    if turn is not None:
        full = turn @ full @ turn.T
    if fitted.design.scaling is not None:
        into, _ = affine(network, fitted.design.scaling)
        full = into @ full @ into.T
    full[~free] = np.nan
    full[:, ~free] = np.nan
    return pd.DataFrame(full, names, names)


def _of_coefficients(fitted: Fitted, b: int, kind: str, scale: Any) -> pd.DataFrame:
    """`cov_params` of a model with many levels: of the weights that are no effects of levels."""
    if kind != "bayes":
        raise ArgumentError(f"cov_type={kind!r} takes matrices of all {fitted.k_params:,} weights; 'bayes' does not.")
    solution, at = exact_solution(fitted, b), dense_index(fitted)
    phi = solution.scale if scale is None else float(given_dispersion(fitted, scale)[0, 0])
    into = np.eye(at.size)
    if fitted.design.scaling is not None:
        network, scaling = fitted.network, fitted.design.scaling
        rows = at - network.slices[-1].start - 1 + (len(scaling.x_mean) - network.direct if network.towers else 0)
        into[1:, 1:] /= scaling.x_sd[rows[1:]][:, np.newaxis]
        into[0, 1:] = -scaling.x_mean[rows[1:]] / scaling.x_sd[rows[1:]]
        into *= units(fitted)[0]
    names = [fitted.network.names[k] for k in at]
    return pd.DataFrame(phi / solution.scale * (into @ solution.cov_beta @ into.T), names, names)


def _dispersion(fitted: Fitted, b: int, kind: str) -> np.ndarray:
    """(K, K) dispersion in internal units; NaN where it is estimated and no degrees of freedom are left."""
    if kind in ("expected", "hessian", "bayes"):
        return dispersion(fitted, [b])[0]
    return np.full((1, 1), np.nan if used_up(fitted, [b]) else 1.0)


def cov_type_of(fitted: Fitted, given: str | None) -> str:
    """The covariance that ``cov_type=`` means for this fit, an entry of `COV_TYPES`."""
    if given is None:
        if fitted.design.groups is not None:
            return "cluster"
        if structured(fitted.design) and fitted.family is not None and fitted.fit.strengths is not None:
            return "bayes"
        if fitted.network.objective.several:  # what statsmodels and gamlss give, too
            kinked = isinstance(fitted.family, Laplace)  # whose Hessian is of the few rows next to their locations
            return "sandwich" if isinstance(fitted.family, UNLIKELY) else "expected" if kinked else "hessian"
        return "sandwich" if fitted.family is None else "expected"
    given = COV_TYPE.check(given, "cov_type")
    if given == "cluster":
        clusters.check_clusters(fitted)
    return ALIASES.get(given, given)


def warn_members(fitted: Fitted, kind: str, found: list[tuple[int, int, int, int]]) -> None:
    """Say where a matrix is singular beyond what the model makes it, or not positive.

    Of each repetition `found` has its number from 0, the rank, the expected rank and how many eigenvalues are negative.
    """
    matrix = "expected information" if kind == "expected" else "Hessian"
    low = [(b, rank, expected) for b, rank, expected, _ in found if rank < expected]
    if low:
        b, rank, expected = low[0]
        words = "" if fitted.design.away else in_words(undetermined_units(fitted, b + 1))
        more = f" (and of {len(low) - 1} other repetition(s) too few)" if len(low) > 1 else ""
        warnings.warn(
            f"The {matrix} of repetition {b + 1} has rank {rank} for {expected} weights{more}: some are not determined by "
            f"the data{f' ({words})' if words else ''}. Standard errors come from a pseudo-inverse.",
            SingularHessianWarning,
            stacklevel=caller(),
        )
    below = [(b, negative) for b, *_, negative in found if negative]
    if below:
        b, negative = below[0]
        more = f" (and {len(below) - 1} other repetition(s) some)" if len(below) > 1 else ""
        warnings.warn(
            f"The {matrix} of repetition {b + 1} has {negative} negative eigenvalue(s){more}: the weights are not at a "
            "minimum of the error. Train to a smaller threshold.",
            SingularHessianWarning,
            stacklevel=caller(),
        )
