"""Confidence intervals of the weights, and the network information criterion.

With the error E = sum_i e_i, A the Hessian of E / n and B the mean outer product of the gradients of e_i, the
weights have covariance A^+ B A^+ / n (White 1989, JASA 84:1003), and NIC = E + trace(B A^+) (Murata,
Yoshizawa & Amari 1994, IEEE TNN 5:865).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..checks.arguments import SHARE, arguments
from ..df.information import information, pseudo_inverse
from ..errors import SingularHessianWarning, caller
from ..fitted import Fitted
from ..network.scaling import affine
from .dispersion import used_up
from .rintervals import has_intervals, held_at_zero, r_standard_errors


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

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
    >>> interval = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1).confidence_interval()
    >>> interval.rank.tolist(), interval.nic.round(1).tolist()
    ([7, 7], [5.7, 5.7])
    """

    lower_ci: list[list[np.ndarray]]
    upper_ci: list[list[np.ndarray]]
    nic: pd.Series
    rank: pd.Series


@arguments(alpha=SHARE)
def confidence_interval(fitted: Fitted, alpha: float = 0.05) -> ConfidenceInterval:
    """Sandwich intervals of every weight of every repetition, for any number of layers.

    With ``compat="R"`` as R computes them, see `rintervals`.

    Parameters
    ----------
    fitted : Fitted
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

    as_r, quantile, network = has_intervals(fitted), ndtri(1 - alpha / 2), fitted.network
    lower, upper, nic, ranks = [], [], [], []
    for b in range(fitted.nrep):
        error, penalty, rank = r_standard_errors(fitted, b) if as_r else _standard_errors(fitted, b)
        half = quantile * error
        lower.append(network.matrices(fitted.theta[b] - half))
        upper.append(network.matrices(fitted.theta[b] + half))
        nic.append(fitted.errors[b] + penalty)
        ranks.append(rank)
    if not as_r:
        _warn_singular(fitted, ranks)
    elif held_at_zero(fitted):
        warnings.warn(
            "R gives neither intervals nor NIC where a weight is held at 0; compat=None does.",
            SingularHessianWarning,
            stacklevel=caller(),
        )
    index = pd.RangeIndex(1, fitted.nrep + 1, name="rep")
    return ConfidenceInterval(
        lower, upper, pd.Series(nic, index, name="nic"), pd.Series(ranks, index, name="rank")
    )


def _standard_errors(fitted: Fitted, b: int) -> tuple[np.ndarray, float, int]:
    """Standard errors (P,) of the weights in original units, trace(B A^+), and the rank of A."""
    network, free, scaling = fitted.network, fitted.fit.free[0], fitted.design.scaling
    if used_up(fitted, [b]):
        return np.full(network.n_params, np.nan), np.nan, int(free.sum())
    a, outer = information(fitted, b)
    if not (np.isfinite(a).all() and np.isfinite(outer).all()):  # it diverged
        return np.full(network.n_params, np.nan), np.nan, int(free.sum())
    inverse, rank = pseudo_inverse(a)
    covariance = np.zeros((network.n_params, network.n_params))
    covariance[np.ix_(free, free)] = inverse @ outer @ inverse / fitted.n_rows
    if scaling is not None:
        into, _ = affine(network, scaling)
        covariance = into @ covariance @ into.T
    variance = np.where(free, np.diag(covariance), np.nan)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.where(variance > 0, variance, np.nan))
    return error, float(np.trace(outer @ inverse)), rank


def _warn_singular(fitted: Fitted, ranks: list[int]) -> None:
    """Say which repetitions' Hessians have not full rank."""
    count = fitted.k_identified
    singular = [b + 1 for b, r in enumerate(ranks) if r < count]
    if singular:
        warnings.warn(
            f"The Hessian of repetition(s) {', '.join(map(str, singular))} has rank "
            f"{', '.join(str(ranks[b - 1]) for b in singular)} for {count} weights: "
            "some weights are not determined by the data, and their intervals come from a pseudo-inverse.",
            SingularHessianWarning,
            stacklevel=caller(),
        )
