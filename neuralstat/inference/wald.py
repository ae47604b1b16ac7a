"""Wald tests of whole terms, and how their verdicts hold over optima.

All weights from a term's columns of the design to the first layer are tested together, so that the order of the hidden
units does not matter: ``W = t' V^- t``, V the block of their covariance. Without a penalty V^- has the block's rank, which
is the chi2's degrees of freedom (fewer than weights where units are redundant). Under a penalty the degrees of freedom are
the block's effective ones, tr of F = (I + P)^-1 I over the block, and V^- keeps the so many largest directions, as Wood
(2013, Biometrika 100:221) does for smooth terms.

Only directions that the data determine are tested: those across the null space of the information. Of a softmax without
hidden units they are the contrasts of the classes (to a reference class, whichever: W is the same), since one vector may be
added to the weights of all classes. A term of which the other terms are a linear combination has none, and NaN.

The test is conditional on the number of units and on the optimum. Where the null hypothesis makes a unit redundant its
other weights are not identified, and the chi2 is an approximation on the wrong side: `term_tests` and `compare_lr_test` with
``bootstrap=`` have no such flaw. McInerney & Burke (2023), arXiv:2311.08139; White (1989), JASA 84:1003.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, NONE, REP, SHARE, Anything, Choice, arguments
from ..errors import ArgumentError, SingularHessianWarning
from ..families import Multinomial
from ..fitted import Fitted
from ..network.scaling import affine
from .covariance import COV_TYPE, RCOND, cov_params, cov_type_of, curvature_of, inverse
from .dispersion import t_degrees
from .repetitions import optima

VISIBLE = 1e-5  # part of a unit vector of the null space that counts
NOT_TRUSTED = (
    "F and chi2 are no limits of tests of networks (units that a term does without are not identified, and restarts choose "
    "among optima): they may reject noise far more often than they say. term_tests() is calibrated."
)


@dataclass(frozen=True)
class TermTests:
    """Tests of terms.

    Attributes
    ----------
    table : DataFrame
        A row per term: ``statistic``, ``pvalue``, ``df_constraint`` (and ``df_denom`` for F tests), as statsmodels.
    distribution : {"chi2", "F"}
    note : str
        Why the tests may not be trusted; "" where nothing speaks against them.
    inestimable : dict of str to str
        Terms that the data do not determine, in whole (NaN) or in part (only the rest is tested), and why.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.infert()
    >>> fit = ns.neuralnet("case ~ age + parity", data, hidden=0, family="binomial", random_state=1)
    >>> fit.wald_test_terms().summary_frame().round(3)
             chi2  P>chi2  df constraint
    age     0.002   0.965              1
    parity  0.019   0.892              1
    """

    table: pd.DataFrame
    distribution: str
    note: str = ""
    inestimable: Mapping[str, str] = field(default_factory=dict)

    def summary_frame(self) -> pd.DataFrame:
        """The table with the distribution's name in the columns, as statsmodels."""
        name = {"chi2": "chi2", "F": "F"}[self.distribution]
        return self.table.rename(columns={"statistic": name, "pvalue": f"P>{name}", "df_constraint": "df constraint"})

    def __str__(self) -> str:
        table = self.summary_frame().to_string(float_format=lambda v: f"{v:.4g}")
        said = [f"{term}: {why}." for term, why in self.inestimable.items()] + [self.note] * bool(self.note)
        return "\n".join([table, *said])

    __repr__ = __str__


def first_weights(fitted: Fitted) -> dict[str, np.ndarray]:
    """Positions in the flat vector of the weights from each term's columns to the first layer."""
    if fitted.network.towers or fitted.design.spec.specials:
        raise ArgumentError("the terms of a structured formula are tested by fit.terms.")
    if not fitted.network.dense:
        raise ArgumentError("tests of terms need a network whose first layer is dense.")
    per_unit, units = fitted.network.shapes[0]
    free = fitted.fit.free[0]
    out = {}
    for term, columns in fitted.design.terms.items():
        at = np.add.outer(np.arange(units) * per_unit, np.asarray(columns, int) + 1).ravel()
        out[term] = at[free[at]]
    return out


@arguments(
    cov_type=NONE | COV_TYPE, rep=REP, use_f=NONE | FLAG, df=Choice("effective", "nominal"),
    scale=Anything("a number > 0, or one per output", None, 1.0),
)
def wald_test_terms(
    fitted: Fitted, cov_type: str | None = None, rep: Any = "best", use_f: bool | None = None, df: str = "effective",
    scale: Any = None,
) -> TermTests:  # fmt: skip
    """Test every term of the formula: whether all its weights into the first layer are 0.

    Parameters
    ----------
    cov_type, rep, scale
        As in `cov_params`.
    use_f : bool, optional
        F on n - df (clusters - 1 with "cluster"), or chi2; default F where the dispersion is estimated, and with "cluster".
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

    b, weights = fitted.which(rep), first_weights(fitted)
    covariance = cov_params(fitted, cov_type, rep, scale).to_numpy()
    shrunk = _shrinkage(fitted, b, cov_type) if fitted.penalised and df == "effective" else None
    rest = t_degrees(fitted, [b], use_f, cov_type_of(fitted, cov_type))
    free = _null_space(fitted, b, cov_type)
    rows, inestimable = {}, {}
    for term, at in weights.items():
        if at.size == 0:
            continue
        size = None if shrunk is None else max(1, round(float(shrunk[at].sum())))
        across = free.across(at)
        w, k = _statistic(across.T @ (fitted.theta[b][at] / free.unit[at]),
                          across.T @ (covariance[np.ix_(at, at)] / np.outer(free.unit[at], free.unit[at])) @ across,
                          size)  # fmt: skip
        if why := free.named(fitted, weights, term):
            inestimable[term] = why
        rows[term] = [w, float(stats.chi2.sf(w, k)) if k else np.nan, k]
        if not np.isinf(rest):
            rows[term] = [w / max(k, 1), float(stats.f.sf(w / k, k, rest)) if k else np.nan, k, rest]
    columns = ["statistic", "pvalue", "df_constraint"] + ([] if np.isinf(rest) else ["df_denom"])
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    note = NOT_TRUSTED if len(fitted.network.layers) > 1 else ""
    return TermTests(table, "chi2" if np.isinf(rest) else "F", note, inestimable)


def quadratic(theta: np.ndarray, covariance: np.ndarray) -> float:
    """``t' V^- t``, over all directions that V has."""
    return _statistic(theta, covariance, None)[0]


def _statistic(theta: np.ndarray, covariance: np.ndarray, size: int | None) -> tuple[float, int]:
    """``t' V^- t`` and the rank of V^-: all directions that V has, or the `size` largest."""
    if theta.size == 0:  # nothing is determined
        return np.nan, 0
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


@dataclass(frozen=True, eq=False)
class _NullSpace:
    """Directions of the weights that the data (and the penalty) do not determine.

    Attributes
    ----------
    unit : (P,) array
        Original weights are `unit` times those that directions are of.
    directions : (P, q) array
        Orthonormal.
    usual : (P, r) array
        Those among them that every such model has: of a softmax, one vector added to all classes.
    """

    unit: np.ndarray
    directions: np.ndarray
    usual: np.ndarray

    def across(self, at: np.ndarray) -> np.ndarray:
        """(|at|, k) orthonormal directions of some weights that are determined."""
        left, values, _ = np.linalg.svd(self.directions[at])
        return left[:, int(np.sum(values > VISIBLE)) :]

    def named(self, fitted: Fitted, weights: dict[str, np.ndarray], term: str) -> str:
        """What of a term is not determined beyond what is usual, in words; "" where nothing."""
        more = self.directions - self.usual @ (self.usual.T @ self.directions)
        touched = np.abs(more).max(axis=1, initial=0.0) > VISIBLE
        at = weights[term]
        own = at[touched[at]]
        if not own.size:
            return ""
        expected = int(np.sum(np.linalg.svd(self.usual[at], compute_uv=False) > VISIBLE))
        left = self.across(at).shape[1]
        if left == at.size - expected:
            return ""
        part = f"{left} of {at.size - expected} directions" if left else "none of its weights"
        if len(fitted.network.layers) > 1:
            return f"the data determine {part}; not {', '.join(fitted.network.names[k] for k in own)}"
        others = [other for other, columns in weights.items() if other != term and touched[columns].any()]
        why = f"collinear with {', '.join(map(repr, others))}" if others else "constant or collinear columns"
        return f"the data determine {part} ({why})"


def _null_space(fitted: Fitted, b: int, cov_type: str | None) -> _NullSpace:
    """Null space of the matrix whose inverse is the covariance's bread, scaled to a unit diagonal."""
    free, matrix = fitted.fit.free[0], _information(fitted, b, cov_type)
    if fitted.penalised:
        matrix = matrix + np.diag(fitted.penalty_curvature(b))
    unit = np.ones(free.size)
    if fitted.design.scaling is not None:
        unit = np.diag(affine(fitted.network, fitted.design.scaling)[0]).copy()
    if not np.isfinite(matrix).all():  # it diverged
        return _NullSpace(unit, np.zeros((free.size, 0)), np.zeros((free.size, 0)))
    matrix = matrix[np.ix_(free, free)]
    diagonal = np.abs(np.diag(matrix))
    s = np.ones(free.size)
    s[free] = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(matrix * s[free][:, np.newaxis] * s[free])
    lost = np.abs(values) <= RCOND * np.abs(values).max(initial=0.0)
    directions = np.zeros((free.size, int(lost.sum())))
    directions[free] = vectors[:, lost]
    return _NullSpace(unit * s, directions, _usual(fitted, s) if lost.any() else directions)


def _usual(fitted: Fitted, s: np.ndarray) -> np.ndarray:
    """(P, r) orthonormal directions, weights over s, along which a softmax is the same."""
    free = fitted.fit.free[0]
    if not isinstance(fitted.family, Multinomial) or fitted.penalised:
        return np.zeros((free.size, 0))
    per_unit, units = fitted.network.shapes[-1]
    first = free.size - per_unit * units
    at = first + np.arange(per_unit) + per_unit * np.arange(units)[:, np.newaxis]  # (units, per_unit)
    at = at[:, free[at].all(axis=0)]
    out = np.zeros((free.size, at.shape[1]))
    out[at, np.arange(at.shape[1])] = 1 / s[at]
    return out / np.linalg.norm(out, axis=0)


def _information(fitted: Fitted, b: int, cov_type: str | None) -> np.ndarray:
    """(P, P) expected information or Hessian, as the kind of covariance has it; internal units."""
    return curvature_of(fitted, b, cov_type_of(fitted, cov_type))


def _shrinkage(fitted: Fitted, b: int, cov_type: str | None) -> np.ndarray:
    """(P,) diagonal of (I + P)^-1 I: how much of each weight the data, not the penalty, decide."""
    free = fitted.fit.free[0]
    matrix = _information(fitted, b, cov_type)[np.ix_(free, free)]
    assert fitted.penalised
    curvature = fitted.penalty_curvature(b)[free]
    turned, _, _ = inverse(matrix + np.diag(curvature))
    out = np.zeros(free.size)
    out[free] = np.clip(np.diag(turned @ matrix), 0.0, 1.0)
    return out


@arguments(alpha=SHARE, cov_type=NONE | COV_TYPE)
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
