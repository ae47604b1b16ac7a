"""Clusters of rows that depend on one another: sums of scores over clusters, and how few clusters are made up for.

With u_g the sum of the gradients of the errors of cluster g's rows, the covariance "cluster" (CRV1) of the weights is

    (H + P)^-1 (c sum_g u_g u_g') (H + P)^-1,    c = G / (G - 1) (n - 1) / (n - k),

G the number of clusters and k the degrees of freedom of the fit; tests and intervals refer to Student's t on G - 1. With no
hidden layer c and k are Stata's and statsmodels', whose ``cov_type="cluster"`` this equals. It needs many clusters (t on
G - 1 is too narrow for fewer than about 30, and where their sizes differ much), of which each says little: `term_tests` with
``method="wild"`` holds its size better with few (benchmarks/results/cluster_tests.csv).

References
----------
Liang & Zeger (1986), Biometrika 73:13. Cameron & Miller (2015), A practitioner's guide to cluster-robust inference, Journal
of Human Resources 50:317.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..df.information import cluster_blocks
from ..errors import ArgumentError
from ..families import Multinomial
from ..fitted import Fitted
from ..likelihood.likelihood import without_df
from .dispersion import degrees

FEW = 10  # clusters below which standard errors are doubtful


def check_clusters(fitted: Fitted) -> None:
    """Raise an ArgumentError where rows are not grouped."""
    if fitted.design.groups is None:
        raise ArgumentError("cov_type='cluster' needs clusters: fit with groups=, a column's name or a label per row.")
    if fitted.design.n_groups < 2:  # as on a part of the rows
        raise ArgumentError("cov_type='cluster': all rows are of one cluster.")


def fillings(fitted: Fitted, theta: np.ndarray, among: int = 1) -> Iterator[np.ndarray]:
    """Sums (g, P) of the gradients of errors over clusters, some of these at a time; without the correction for few.

    In internal units; of size to hold `among` at a time.
    """
    check_clusters(fitted)
    return cluster_blocks(fitted, theta, among)


def correction(fitted: Fitted, numbers: list[int]) -> float:
    """c of the module for repetitions `numbers` (from 0); NaN, with a warning, where no degrees of freedom are left."""
    check_clusters(fitted)
    g, n = fitted.design.n_groups, fitted.nobs
    k = n - degrees(fitted, numbers)  # of one output
    if isinstance(fitted.family, Multinomial) or fitted.network.objective.several:
        k *= fitted.network.n_outputs  # which together describe a response
    if without_df(fitted, n - k):
        return np.nan
    return g / (g - 1) * (n - 1) / (n - k)


def said(fitted: Fitted) -> list[str]:
    """What is to be noted of the clusters of a fit; nothing where rows are not grouped."""
    if fitted.design.groups is None:
        return []
    name, g = fitted.settings.groups, fitted.design.n_groups
    of = f" of {name}" if isinstance(name, str) else ""
    few = " These are few: intervals may be too short, term_tests(method='wild') holds its size better." if g < FEW else ""
    return [
        f"Standard errors are robust to dependence within clusters: {g}{of}, t on {g - 1} degrees of freedom. Likelihood "
        f"ratios and information criteria take rows as independent.{few}"
    ]
