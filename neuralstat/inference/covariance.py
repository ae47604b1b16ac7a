"""Covariance of the weights from the exact Hessian, the expected information, or as a sandwich.

With E the error (half the deviance), phi the dispersion and P the penalty's curvature, minus the log-likelihood is
E / phi, and

    expected, hessian:  phi (I + P)^-1 I (I + P)^-1,    I = J' W J, or the Hessian of E
    sandwich:           (H + P)^-1 S'S (H + P)^-1,      S the gradients of the observations' errors (HC0)

J is the Jacobian of the linear predictor and W = w (d mu / d eta)^2 / V(mu). With a canonical link and no hidden
layer I is the same both ways. White (1989), JASA 84:1003; McCullagh & Nelder (1989), section 2.5.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, SingularHessianWarning, caller
from ..families import Gaussian, Multinomial
from ..fitted import Fitted
from ..likelihood import likelihood
from ..network import derivatives
from ..network.scaling import affine
from .units import in_words, undetermined_units

RCOND = 1e-10  # eigenvalues of the matrix scaled to unit diagonal, relative to the largest, that count as zero
COV_TYPES = ("expected", "hessian", "sandwich")
ALIASES = {"nonrobust": "expected", "HC0": "sandwich"}


def expected_information(fitted: Fitted, b: int) -> np.ndarray:
    """J' W J (P, P) of repetition b (0-based), of dispersion 1, without penalty; internal units.

    Raises
    ------
    ArgumentError
        Where the error function belongs to no family.
    """
    family, objective, design = fitted.likely, fitted.network.objective, fitted.design
    theta = fitted.fit.theta[b].astype(float)
    jacobian = derivatives.jacobian(fitted.network, fitted.data, theta)  # (K, n, P)
    raw = fitted.fitted_raw([b])[0]
    mu, w = objective.response(raw), fitted.case_weights
    if isinstance(family, Multinomial):
        w = w * design.y.sum(axis=0)
        middle = np.einsum("kn,knp->np", mu, jacobian)
        return np.einsum("kn,knp,knq->pq", mu * w, jacobian, jacobian, optimize=True) - (middle.T * w) @ middle
    rise = objective.output.slopes(raw) if objective.of_predictor else np.ones_like(raw)
    weight = w * rise**2 / family.variance(mu)
    return np.einsum("kn,knp,knq->pq", weight, jacobian, jacobian, optimize=True)


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


def _internal_scale(fitted: Fitted, b: int) -> float:
    """Dispersion in internal units."""
    scaling = fitted.design.scaling
    if scaling is None or not isinstance(fitted.likely, Gaussian) or not np.any(scaling.y_sd != 1):
        return likelihood.scale(fitted, b)
    residuals = likelihood.response_residuals(fitted, b) / scaling.y_sd[:, np.newaxis]
    return float(np.sum(residuals**2 * fitted.case_weights)) / likelihood.df_resid(fitted)


def cov_params(
    fitted: Fitted, cov_type: str | None = None, rep: Any = "best", scale: float | None = None
) -> pd.DataFrame:
    """Covariance matrix of the weights of one repetition.

    Parameters
    ----------
    fitted : Fitted
    cov_type : {"expected", "hessian", "sandwich"}, optional
        From the expected information (statsmodels' "nonrobust", which is taken too; for squared error R's ``nls``);
        from the exact Hessian, the observed information; or robust against a wrong model (statsmodels' "HC0").
        Default "expected", "sandwich" where the error function belongs to no family.
    rep : int or "best"
    scale : float, optional
        Dispersion; default `likelihood.scale` of the repetition, which does not matter to "sandwich".

    Returns
    -------
    DataFrame, shape (P, P)
        Rows and columns have R's names of the weights, in the units of the data; NaN at weights held out.

    Warns
    -----
    SingularHessianWarning
        Where the matrix to be inverted is singular, with the hidden units that make it so; then a pseudo-inverse is
        used. Where it has negative eigenvalues: the weights are not at a minimum.
    """
    kind = cov_type_of(fitted, cov_type)
    b = fitted.which(rep)
    network, free = fitted.network, fitted.fit.free[0]
    theta = fitted.fit.theta[b].astype(float)
    if kind == "expected":
        bread = expected_information(fitted, b)
    else:
        bread = derivatives.hessian(network, fitted.data, theta)
    bread = bread[np.ix_(free, free)]
    if kind == "sandwich":
        scores = derivatives.scores(network, fitted.data, theta)[:, free]
        filling = scores.T @ scores
    else:
        filling = bread * (_internal_scale(fitted, b) if scale is None else _given(scale, fitted))
    if fitted.penalty_coefficients is not None:
        curvature = derivatives.penalty_curvature(fitted.penalty_coefficients, theta)
        bread = bread + np.diag(curvature[free])
    turned, rank, negative = inverse(bread)
    warn_members(fitted, kind, [(b, rank, fitted.k_identified, negative)])
    full = np.zeros((free.size, free.size))
    full[np.ix_(free, free)] = turned @ filling @ turned
    if fitted.design.scaling is not None:
        into, _ = affine(network, fitted.design.scaling)
        full = into @ full @ into.T
    full[~free] = np.nan
    full[:, ~free] = np.nan
    return pd.DataFrame(full, list(network.names), list(network.names))


def cov_type_of(fitted: Fitted, given: str | None) -> str:
    """The covariance that ``cov_type=`` means for this fit, an entry of `COV_TYPES`."""
    if given is None:
        return "sandwich" if fitted.family is None else "expected"
    kind = ALIASES.get(given, given)
    if kind not in COV_TYPES:
        raise ArgumentError(f"cov_type must be one of {', '.join(map(repr, COV_TYPES))}; got {given!r}.")
    return kind


def _given(scale: float, fitted: Fitted) -> float:
    if isinstance(scale, bool) or not isinstance(scale, int | float | np.number) or not scale > 0:
        raise ArgumentError(f"scale must be a number > 0, got {scale!r}.")
    scaling = fitted.design.scaling
    return float(scale) if scaling is None else float(scale / np.mean(scaling.y_sd**2))


def warn_members(fitted: Fitted, kind: str, found: list[tuple[int, int, int, int]]) -> None:
    """Say where a matrix is singular beyond what the model makes it, or not positive.

    Of each repetition `found` has its number from 0, the rank, the expected rank and how many eigenvalues are negative.
    """
    matrix = "expected information" if kind == "expected" else "Hessian"
    low = [(b, rank, expected) for b, rank, expected, _ in found if rank < expected]
    if low:
        b, rank, expected = low[0]
        words = in_words(undetermined_units(fitted, b + 1))
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
