"""Separation: responses that covariates tell apart, so that some maximum likelihood estimate is infinite.

A direction of the coefficients along which no observation's likelihood falls, and that of some observation rises without
end, exists or not whatever a fit says: linear programmes decide.

References
----------
Albert & Anderson (1984), Biometrika 71:1. Konis (2007), Linear programming algorithms for detecting separated data in
binary logistic regression models, thesis, Oxford. Santos Silva & Tenreyro (2010), Economics Letters 107:310 (counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError

KINDS = ("binomial", "multinomial", "count")
BEGIN = 1000  # rows that the first programme is told of; those that its solution breaks follow
TIGHT = 1e-7  # breach of an inequality that is rounding, for columns of mean square 1 and coefficients in [-1, 1]
STRICT = 1e-6  # left side beyond which an inequality is strict
RANK = 1e-9  # of a column beside those before it, relative to its length


class _Columns(NamedTuple):
    """Constant (where there is one) and independent covariates, of mean square 1; which covariates these are."""

    constant: np.ndarray  # (n, 1 or 0)
    values: np.ndarray  # (n, p)
    which: list[int]


def separated(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], kind: str, *, weights: np.ndarray | None = None,
    intercept: bool = True,
) -> list[str]:  # fmt: skip
    """Covariates whose maximum likelihood estimates are not finite.

    Parameters
    ----------
    x : (D, n) array
        Covariates, without a column of ones; units do not matter.
    y : (n,) or (K, n) array
        "binomial": shares of successes, 0 or 1 for single trials, under a link whose ends are out of reach (logit, probit,
        cauchy, cloglog, loglog). "multinomial": (K, n) indicators, shares or counts. "count": any response >= 0 whose mean
        may be as near to 0 as it likes, but not beside a positive response (Poisson, negative binomial, Tweedie with an
        atom at 0, under the log link; binomial under the log link).
    names : sequence of str
        Of the D covariates.
    kind : {"binomial", "multinomial", "count"}
    weights : (n,) array, optional
        Rows of weight 0 do not count.
    intercept : bool
        Whether the predictor has a constant.

    Returns
    -------
    list of str
        Empty where all estimates are finite. Covariates that tell the same observations apart by themselves; where no
        single one does, a set of them from which none can be left out. Columns that depend on earlier ones are passed
        over. ``["Intercept"]`` where the constant alone does it (a response that is always 0).

    Raises
    ------
    ArgumentError
        For an unknown kind, or shapes that do not fit.
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")
    x, y = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    if x.shape[1] != y.shape[1] or len(names) != x.shape[0] or (kind != "multinomial" and y.shape[0] != 1):
        raise ArgumentError(f"separated: x {x.shape}, y {y.shape} and {len(names)} names do not fit together.")
    if weights is not None:
        used = np.asarray(weights) > 0
        x, y = x[:, used], y[:, used]
    if kind == "multinomial":
        y = y[y.any(axis=1)]  # the constant of a class that was never seen says nothing about covariates
    columns = _independent(x, intercept)
    full = _strict(columns, y, kind, columns.which)
    if not full.any():
        return []
    if intercept and _covers(_strict(columns, y, kind, []), full):
        return ["Intercept"]
    alone = [d for d in columns.which if _covers(_strict(columns, y, kind, [d]), full)]
    return [names[d] for d in alone or _needed(columns, y, kind, full)]


def _covers(part: np.ndarray, full: np.ndarray) -> bool:
    return bool(np.all(part[full]))


def _needed(columns: _Columns, y: np.ndarray, kind: str, full: np.ndarray) -> list[int]:
    """Covariates of which none can be left out without telling fewer observations apart; later ones go first."""
    left = list(columns.which)
    for d in reversed(columns.which):
        fewer = [other for other in left if other != d]
        if _covers(_strict(columns, y, kind, fewer), full):
            left = fewer
    return left


def _independent(x: np.ndarray, intercept: bool) -> _Columns:
    """Columns without those that depend on the constant and earlier ones, as R drops them."""
    n = x.shape[1]
    constant = np.ones((n, int(intercept)))
    basis = constant / np.sqrt(max(n, 1))
    values, which = [], []
    for d, row in enumerate(x):
        column = row - row.mean() if intercept and n else row
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)  # twice is enough (Parlett 1980, 6.9)
        size = np.linalg.norm(rest)
        if size <= RANK * np.linalg.norm(row) or size == 0:
            continue
        basis = np.column_stack([basis, rest / size])
        values.append(column * np.sqrt(n) / np.linalg.norm(column))
        which.append(d)
    return _Columns(constant, np.array(values).reshape(-1, n).T, which)


# inequalities ----------------------------------------------------------------------------------------------


def _strict(columns: _Columns, y: np.ndarray, kind: str, use: list[int]) -> np.ndarray:
    """Which inequalities one direction in the constant and these covariates makes strict."""
    z = np.hstack([columns.constant, columns.values[:, [columns.which.index(d) for d in use]]])
    a, equal = _inequalities(z, y, kind)
    open_, rest = np.zeros(len(a), bool), ~equal
    while rest.any() and a.shape[1]:
        found = _largest(a, equal, a[rest].sum(axis=0)) > STRICT
        if not np.any(found & rest):
            break
        open_ |= found & ~equal
        rest &= ~found
    return open_


def _inequalities(z: np.ndarray, y: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """What a direction v must obey: ``a v >= 0`` (m, V), with equality where the second (m,) says so."""
    if kind == "count":  # means of positive responses stay, others may fall
        return -z, y[0] > 0
    if kind == "binomial":
        sign = np.where(y[0] > 0, 1.0, -1.0)
        return sign[:, np.newaxis] * z, (y[0] > 0) & (y[0] < 1)
    # z (b_c - b_k) >= 0 for every class c that a row was seen in, and every other k; the last class has b = 0
    classes, (n, p) = y.shape[0], z.shape
    parts, equal = [np.empty((0, (classes - 1) * p))], [np.empty(0, bool)]
    for c in range(classes):
        seen = y[c] > 0
        for k in range(classes):
            if k == c:
                continue
            block = np.zeros((n, classes, p))
            block[:, c], block[:, k] = z, -z
            parts.append(block[seen, :-1].reshape(int(seen.sum()), -1))
            equal.append(y[k, seen] > 0)
    return np.concatenate(parts), np.concatenate(equal)


def _largest(a: np.ndarray, equal: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """``a v`` of the v in [-1, 1] that obeys all inequalities and has the largest ``goal v``; 0 where only 0 obeys.

    Programmes grow: they are told of some rows, then of those that their solution breaks most, until it breaks none.
    """
    told = np.zeros(len(a), bool)
    told[:: max(1, len(a) // BEGIN)] = True
    while True:
        v = _solve(goal, a[told], equal[told])
        left = a @ v
        if goal @ v <= TIGHT * np.sqrt(len(a)):
            return np.zeros(len(a))
        short = np.where(equal, np.abs(left), -left)
        broken = np.flatnonzero((short > TIGHT) & ~told)
        if not broken.size:
            return left
        told[broken[np.argsort(-short[broken])[:BEGIN]]] = True


def _solve(goal: np.ndarray, a: np.ndarray, equal: np.ndarray) -> np.ndarray:
    from scipy.optimize import linprog

    rows: dict[str, Any] = {}
    if not equal.all():
        rows.update(A_ub=-a[~equal], b_ub=np.zeros(int(np.sum(~equal))))
    if equal.any():
        rows.update(A_eq=a[equal], b_eq=np.zeros(int(np.sum(equal))))
    found = linprog(-goal, bounds=[(-1, 1)] * goal.size, method="highs", **rows)
    return np.zeros(goal.size) if found.x is None else found.x  # 0 always obeys
