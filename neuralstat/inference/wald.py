"""Wald tests of whole terms, and how their verdicts hold over optima.

All weights from a term's columns of the design to the first layer are tested together, so that the order of the hidden
units does not matter: ``W = t' V^- t``, V the block of their covariance. Without a penalty V^- has the block's rank, which
is the chi2's degrees of freedom (fewer than weights where units are redundant). Under a penalty the degrees of freedom are
the block's effective ones, tr of F = (I + P)^-1 I over the block, and V^- keeps the so many largest directions, as Wood
(2013, Biometrika 100:221) does for smooth terms.

The test is conditional on the number of units and on the optimum. Where the null hypothesis makes a unit redundant its
other weights are not identified, and the chi2 is an approximation on the wrong side: `compare_lr_test` with
``bootstrap=`` has no such flaw. McInerney & Burke (2023), arXiv:2311.08139; White (1989), JASA 84:1003.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, SingularHessianWarning
from ..fitted import Fitted
from ..likelihood.likelihood import df_resid
from ..network import derivatives
from .covariance import RCOND, cov_params, cov_type_of, expected_information, inverse
from .get_prediction import check_alpha
from .repetitions import optima


@dataclass(frozen=True)
class TermTests:
    """Tests of terms.

    Attributes
    ----------
    table : DataFrame
        A row per term: ``statistic``, ``pvalue``, ``df_constraint`` (and ``df_denom`` for F tests), as statsmodels.
    distribution : {"chi2", "F"}
    """

    table: pd.DataFrame
    distribution: str

    def summary_frame(self) -> pd.DataFrame:
        """The table with the distribution's name in the columns, as statsmodels."""
        name = {"chi2": "chi2", "F": "F"}[self.distribution]
        return self.table.rename(columns={"statistic": name, "pvalue": f"P>{name}", "df_constraint": "df constraint"})

    def __str__(self) -> str:
        return self.summary_frame().to_string(float_format=lambda v: f"{v:.4g}")

    __repr__ = __str__


def first_weights(fitted: Fitted) -> dict[str, np.ndarray]:
    """Positions in the flat vector of the weights from each term's columns to the first layer."""
    if not fitted.network.dense:
        raise ArgumentError("tests of terms need a network whose first layer is dense.")
    per_unit, units = fitted.network.shapes[0]
    free = fitted.fit.free[0]
    out = {}
    for term, columns in fitted.design.terms.items():
        at = np.add.outer(np.arange(units) * per_unit, np.asarray(columns, int) + 1).ravel()
        out[term] = at[free[at]]
    return out


def wald_test_terms(
    fitted: Fitted, cov_type: str | None = None, rep: Any = "best", use_f: bool = False, df: str = "effective",
    scale: float | None = None,
) -> TermTests:  # fmt: skip
    """Test every term of the formula: whether all its weights into the first layer are 0.

    Parameters
    ----------
    cov_type, rep, scale
        As in `cov_params`.
    use_f : bool
        F on n - df instead of chi2.
    df : {"effective", "nominal"}
        Reference degrees of freedom under a penalty: the effective ones of the term's weights, or their number.

    Returns
    -------
    TermTests

    Raises
    ------
    ArgumentError
        For unknown arguments; where the first layer is not dense.
    """
    from scipy import stats

    if df not in ("effective", "nominal"):
        raise ArgumentError(f"df must be 'effective' or 'nominal', got {df!r}.")
    b = fitted.which(rep)
    covariance = cov_params(fitted, cov_type, rep, scale).to_numpy()
    shrunk = _shrinkage(fitted, b, cov_type) if fitted.penalty_coefficients is not None and df == "effective" else None
    theta = fitted.theta[b]
    rest = df_resid(fitted)
    rows = {}
    for term, at in first_weights(fitted).items():
        if at.size == 0:
            continue
        size = None if shrunk is None else max(1, round(float(shrunk[at].sum())))
        w, k = _statistic(theta[at], covariance[np.ix_(at, at)], size)
        if use_f:
            rows[term] = [w / max(k, 1), float(stats.f.sf(w / k, k, rest)) if k else np.nan, k, rest]
        else:
            rows[term] = [w, float(stats.chi2.sf(w, k)) if k else np.nan, k]
    columns = ["statistic", "pvalue", "df_constraint"] + (["df_denom"] if use_f else [])
    return TermTests(pd.DataFrame.from_dict(rows, orient="index", columns=columns), "F" if use_f else "chi2")


def _statistic(theta: np.ndarray, covariance: np.ndarray, size: int | None) -> tuple[float, int]:
    """``t' V^- t`` and the rank of V^-: all directions that V has, or the `size` largest."""
    if not np.isfinite(covariance).all():  # no degrees of freedom are left for the dispersion
        return np.nan, theta.size
    s = np.sqrt(np.maximum(np.diag(covariance), 0))
    s = np.where(s > 0, s, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(s, s))
    order = np.argsort(values)[::-1]
    k = int(np.sum(values > RCOND * values.max(initial=0.0)))
    keep = order[: k if size is None else min(k, size)]
    along = vectors[:, keep].T @ (theta / s)
    return float(np.sum(along**2 / values[keep])), keep.size


def _shrinkage(fitted: Fitted, b: int, cov_type: str | None) -> np.ndarray:
    """(P,) diagonal of (I + P)^-1 I: how much of each weight the data, not the penalty, decide."""
    kind, free = cov_type_of(fitted, cov_type), fitted.fit.free[0]
    theta = fitted.fit.theta[b].astype(float)
    if kind == "expected":
        matrix = expected_information(fitted, b)
    else:
        matrix = derivatives.hessian(fitted.network, fitted.data, theta)
    matrix = matrix[np.ix_(free, free)]
    assert fitted.penalty_coefficients is not None
    curvature = derivatives.penalty_curvature(fitted.penalty_coefficients, theta)[free]
    turned, _, _ = inverse(matrix + np.diag(curvature))
    out = np.zeros(free.size)
    out[free] = np.clip(np.diag(turned @ matrix), 0.0, 1.0)
    return out


def stability(fitted: Fitted, alpha: float = 0.05, cov_type: str | None = None, **options: Any) -> pd.DataFrame:
    """How the tests of terms come out over the repetitions' optima: "p < 0.05 in 7 of 10".

    Parameters
    ----------
    alpha : float
        Level.
    cov_type, **options
        As in `wald_test_terms`.

    Returns
    -------
    DataFrame
        A row per term: ``significant`` and ``repetitions`` (converged ones; all where none converged), ``optima`` (distinct
        optima among them) and ``significant_optima`` (of each the best repetition), ``p_min``, ``p_median``, ``p_max``,
        ``verdict``.
    """
    alpha = check_alpha(alpha)
    numbers = fitted.numbers("mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularHessianWarning)
        p = pd.DataFrame({
            b + 1: wald_test_terms(fitted, cov_type, b + 1, **options).table["pvalue"] for b in numbers
        })  # fmt: skip
    optimum = pd.Series(optima(fitted)[numbers], p.columns)
    errors = pd.Series(fitted.ranking[numbers], p.columns)
    leaders = [errors[optimum == o].idxmin() for o in optimum.unique()]
    count, distinct = (p < alpha).sum(axis=1), (p[leaders] < alpha).sum(axis=1)
    return pd.DataFrame({
        "significant": count, "repetitions": len(numbers), "significant_optima": distinct, "optima": len(leaders),
        "p_min": p.min(axis=1), "p_median": p.median(axis=1), "p_max": p.max(axis=1),
        "verdict": [f"p < {alpha:g} in {c} of {len(numbers)}" for c in count],
    })  # fmt: skip
