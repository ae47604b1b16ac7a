"""Confidence intervals of the weights, and the network information criterion.

With the error E = sum_i e_i, A the Hessian of E / n and B the mean outer product of the gradients of e_i, the
weights have covariance A^+ B A^+ / n (White 1989, JASA 84:1003), and NIC = E + trace(B A^+) (Murata,
Yoshizawa & Amari 1994, IEEE TNN 5:865).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import ArgumentError, SingularHessianWarning, caller
from ..network import derivatives

if TYPE_CHECKING:
    from ..results import NeuralNetResults

RCOND = np.sqrt(
    np.finfo(float).eps
)  # smaller singular values, relative to the largest, count as zero (as in R)


@dataclass(frozen=True)
class ConfidenceInterval:
    """Intervals per repetition.

    Attributes
    ----------
    lower_ci, upper_ci : list of lists of matrices
        Shaped like `weights`; NaN at weights held out, and where the variance is not positive.
    nic : Series
        Network information criterion by repetition.
    rank : Series
        Rank of the Hessian by repetition; below the number of weights, intervals use a pseudo-inverse.
    """

    lower_ci: list[list[np.ndarray]]
    upper_ci: list[list[np.ndarray]]
    nic: pd.Series
    rank: pd.Series


def information(results: NeuralNetResults, b: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B of the free weights of repetition b (0-based), in internal units, per observation."""
    theta = results.fit.theta[b].astype(float)
    free = results.fit.free[0]
    n = results.nobs
    hessian = derivatives.hessian(results.network, results.data, theta, results.penalty_coefficients)
    scores = derivatives.scores(results.network, results.data, theta)[:, free]
    return hessian[np.ix_(free, free)] / n, scores.T @ scores / n


def pseudo_inverse(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Moore-Penrose inverse of a symmetric matrix, and the rank it was given."""
    values, vectors = np.linalg.eigh(matrix)
    keep = np.abs(values) > RCOND * np.abs(values).max(initial=0.0)
    return (vectors[:, keep] / values[keep]) @ vectors[:, keep].T, int(keep.sum())


def confidence_interval(results: NeuralNetResults, alpha: float = 0.05) -> ConfidenceInterval:
    """Sandwich intervals of every weight of every repetition, for any number of layers.

    With ``compat="R"`` as R computes them, see `rintervals`.

    Parameters
    ----------
    results : NeuralNetResults
    alpha : float
        1 - coverage, in (0, 1).

    Returns
    -------
    ConfidenceInterval

    Raises
    ------
    ArgumentError
        Where `alpha` is not in (0, 1).

    Warns
    -----
    SingularHessianWarning
        Where a Hessian has not full rank.
    """
    from scipy.special import ndtri

    from .rintervals import has_intervals, r_confidence_interval

    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number) or not 0 < alpha < 1:
        raise ArgumentError(f"alpha must be a number between 0 and 1, got {alpha!r}.")
    if has_intervals(results):
        return r_confidence_interval(results, float(alpha))
    network, free = results.network, results.fit.free[0]
    lower, upper, nic, ranks = [], [], [], []
    for b in range(results.nrep):
        a, outer = information(results, b)
        inverse, rank = pseudo_inverse(a)
        covariance = inverse @ outer @ inverse / results.nobs
        full = np.zeros((network.n_params, network.n_params))
        full[np.ix_(free, free)] = covariance
        if results.design.scaling is not None:
            from ..network.scaling import affine

            into, _ = affine(network, results.design.scaling)
            full = into @ full @ into.T
        variance = np.where(free, np.diag(full), np.nan)
        with np.errstate(invalid="ignore"):
            half = ndtri(1 - alpha / 2) * np.sqrt(np.where(variance > 0, variance, np.nan))
        lower.append(network.matrices(results.theta[b] - half))
        upper.append(network.matrices(results.theta[b] + half))
        nic.append(results.errors[b] + float(np.trace(outer @ inverse)))
        ranks.append(rank)
    singular = [b + 1 for b, r in enumerate(ranks) if r < free.sum()]
    if singular:
        warnings.warn(
            f"The Hessian of repetition(s) {', '.join(map(str, singular))} has rank "
            f"{', '.join(str(ranks[b - 1]) for b in singular)} for {int(free.sum())} weights: "
            "some weights are not determined by the data, and their intervals come from a pseudo-inverse.",
            SingularHessianWarning,
            stacklevel=caller(),
        )
    index = pd.RangeIndex(1, results.nrep + 1, name="rep")
    return ConfidenceInterval(
        lower, upper, pd.Series(nic, index, name="nic"), pd.Series(ranks, index, name="rank")
    )
