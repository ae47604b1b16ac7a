"""What can be wrong with the columns of a fit: constant, collinear, held by single observations. Elements of arrays aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..fitted import Fitted, kept
from ..formula.structure import unscaled
from ..network import blocks
from ..training.structured import direct_rows, structured
from .findings import Finding, joined, listed, tabular

COLLINEAR = 1e-7  # part of a column that is its own, beside its length: R's tolerance of a linear model
SQUARED = 1e-10  # smallest eigenvalue of a correlation matrix, beside the largest, that rounding does not reach
INFLATION = (10.0, 100.0)  # variance inflation: a note, a warning
LEVERAGE = 0.5  # of one observation, beyond which it is a fit to itself (Huber 1981, 7.2)
EXTREME = 15.0  # standard deviations from the mean
MOST_WORK = 1e8  # products of a decomposition; of longer tables a part of the rows is looked at


class Columns(NamedTuple):
    """Tabular covariates: those that vary, centred and of length 1, at the rows looked at."""

    names: tuple[str, ...]
    terms: tuple[str, ...]  # the term that each belongs to
    values: np.ndarray  # (n', d)
    rows: np.ndarray  # (n',)
    constant: tuple[str, ...]
    two_valued: np.ndarray  # (d,) bool
    part: str  # which rows were looked at, where not all


@kept
def columns(fitted: Fitted) -> Columns:
    """The columns as the findings look at them."""
    x, names = tabular(fitted)
    own = _covariates(fitted)[-len(x) or len(fitted.design.x) :]
    x, names = (x, names) if own.all() else (x[own], tuple(name for name, is_one in zip(names, own, strict=True) if is_one))
    rows = np.flatnonzero(fitted.case_weights > 0)
    most = int(MOST_WORK / max(x.shape[0], 1) ** 2)
    every = -(-rows.size // max(most, 10 * x.shape[0], 1))
    some = rows[::every]
    part = f"{some.size:,} of {rows.size:,} rows were looked at" if every > 1 else ""
    z = x[:, some]
    varies = np.ptp(z, axis=1) > 0 if some.size else np.zeros(len(x), bool)
    still = [j for j in np.flatnonzero(~varies) if every == 1 or np.ptp(x[j, rows]) == 0]
    fixed = tuple(names[j] for j in still)
    z = z[varies]
    two = np.array([np.all((row == row.min()) | (row == row.max())) for row in z], bool)
    z = z - z.mean(axis=1, keepdims=True)
    size = np.linalg.norm(z, axis=1)
    z /= np.where(size > 0, size, 1.0)[:, np.newaxis]
    kept_names = tuple(name for name, v in zip(names, varies, strict=True) if v)
    at = np.flatnonzero(own) + len(fitted.design.x) - own.size
    return Columns(kept_names, _terms(fitted, at[varies]), z.T, some, fixed, two, part)


def _covariates(fitted: Fitted) -> np.ndarray:
    """(D,) bool: columns that could take one another's place: the linear ones of a structured formula, or a network's.

    Penalties tell smooths and effects of levels apart; a network may read what is linear, too.
    """
    design = fitted.design
    if not design.spec.specials:
        return np.ones(len(design.x), bool)
    direct = np.zeros(len(design.x), bool)
    direct[direct_rows(design)] = True
    other = np.zeros(len(design.x), bool)
    other[unscaled(design.spec.specials, design.terms)] = True
    return (direct if structured(design) else ~direct) & ~other


def _terms(fitted: Fitted, numbers: np.ndarray) -> tuple[str, ...]:
    """Terms of columns of x."""
    design = fitted.design
    owner = {row: term for term, rows in design.terms.items() for row in rows}
    return tuple(owner.get(j, design.x_names[j]) for j in numbers)


def constant(fitted: Fitted) -> Iterator[Finding]:
    """Covariates and responses that do not vary over the rows of the fit."""
    fixed = columns(fitted).constant
    if fixed:
        yield Finding("warning", "constant column", listed(fixed), "leave it out: it cannot be told from the constant")
    design = fitted.design
    used = fitted.case_weights > 0
    still = [name for name, row in zip(design.y_names, design.y, strict=False) if used.any() and np.ptp(row[used]) == 0]
    if still:
        name = "response " + listed(still)
        yield Finding(
            "warning", "constant column", name, "there is nothing to explain: check the response and the rows kept"
        )


def collinear(fitted: Fitted) -> Iterator[Finding]:
    """Columns that are sums of others, and such as hardly differ from one."""
    table = columns(fitted)
    n, d = table.values.shape
    if d < 2:
        return
    if d > n - 1:
        where = f"{d} columns for {n} rows"
        yield Finding("warning", "collinear columns", where, "fewer columns, or a penalty (ns.decay)")
        return
    inverse = _inverse(fitted)
    if inverse is None:
        yield _dependent(table)
    else:
        yield from _inflated(table, np.diag(inverse).copy())


@kept
def _inverse(fitted: Fitted) -> np.ndarray | None:
    """Inverse (d, d) of the columns' correlation matrix; None where some column depends on others."""
    values = columns(fitted).values
    if values.shape[1] == 0 or values.shape[1] > values.shape[0] - 1:
        return None
    size, vectors = np.linalg.eigh(values.T @ values)
    if size[0] > SQUARED * size[-1]:
        return (vectors / size) @ vectors.T
    # rounding of the squares decides no more
    _, size, vectors = np.linalg.svd(values, full_matrices=False)
    return (vectors.T / size**2) @ vectors if size[-1] > COLLINEAR * size[0] else None


def _dependent(table: Columns) -> Finding:
    """Columns that are sums of others, each with these."""
    from scipy.linalg import qr, solve_triangular

    d = table.values.shape[1]
    upper, order = qr(table.values, mode="r", pivoting=True, check_finite=False)
    rank = min(int(np.sum(np.abs(np.diag(upper[:d])) > COLLINEAR)), d - 1)
    weight = solve_triangular(upper[:rank, :rank], upper[:rank, rank:]) if rank else np.zeros((0, d))
    names, told = np.array(table.names, dtype=object), []
    for j in range(d - rank):
        of = order[:rank][np.abs(weight[:, j]) > 1e-6]
        told.append(f"{names[order[rank + j]]} (of {listed(names[np.sort(of)])})")
    remedy = "leave one of them out, or add a penalty (ns.decay): only their sum is determined"
    return Finding("warning", "collinear columns", joined(listed(told), table.part), remedy)


def _inflated(table: Columns, inflation: np.ndarray) -> Iterator[Finding]:
    """Variance inflation by other terms (columns of one spline or factor belong together)."""
    for j in np.flatnonzero(inflation > INFLATION[0]):
        same = np.array([term == table.terms[j] for term in table.terms])
        if same.sum() > 1:  # against the other terms only
            others = table.values[:, ~same]
            rest = table.values[:, j] - others @ np.linalg.lstsq(others, table.values[:, j], rcond=None)[0]
            inflation[j] = 1 / max(float(rest @ rest), 1e-300) if others.shape[1] else 1.0
    for severity, low, high in (("warning", INFLATION[1], np.inf), ("note", *INFLATION)):
        those = np.flatnonzero((inflation > low) & (inflation <= high))
        if those.size:
            worst = those[np.argsort(-inflation[those])]
            where = listed(f"{table.names[j]} (variance inflated {inflation[j]:.3g} times)" for j in worst)
            remedy = (
                "a penalty (ns.decay), or one of them: fitted values are sound, single coefficients hardly determined"
            )
            yield Finding(severity, "collinear columns", joined(where, table.part), remedy)


def leverage(fitted: Fitted) -> Iterator[Finding]:
    """Observations that hold a column, or a linear model's fit at them, by themselves; columns with extreme values."""
    table, n_all = columns(fitted), int(np.sum(fitted.case_weights > 0))
    n, d = table.values.shape
    if d == 0 or n < 3:
        return
    row, label = np.array([np.abs(column).argmax() for column in table.values.T]), fitted.design.index
    own = table.values[row, np.arange(d)] ** 2  # most leverage of a row in a model of the column alone, less 1 / n
    top = own + 1 / n
    held = np.flatnonzero(top > LEVERAGE)
    for severity, which in (("warning", held[~table.two_valued[held]]), ("note", held[table.two_valued[held]])):
        if which.size:
            where = listed(f"{table.names[j]} (row {label[table.rows[row[j]]]}, leverage {top[j]:.2f})" for j in which)
            remedy = "check these rows; a transformation (log), or a fit without them, shows what hangs on them"
            yield Finding(severity, "high leverage", joined(where, table.part), remedy)
    far = np.flatnonzero((own * n > EXTREME**2) & (top <= LEVERAGE) & ~table.two_valued)
    if far.size:
        sds = np.sqrt(own * n)
        where = listed(
            f"{table.names[j]} (row {label[table.rows[row[j]]]}, {sds[j]:.0f} sd from the mean)" for j in far
        )
        yield Finding("note", "high leverage", joined(where, table.part), "check these rows; a transformation (log)")
    yield from _rows(fitted, table, set(row[held].tolist()), n_all)


def _rows(fitted: Fitted, table: Columns, named: set[int], n_all: int) -> Iterator[Finding]:
    """Rows whose leverage in a linear model of all columns is high, though that in no single column is."""
    n, d = table.values.shape
    if n != n_all or n <= 2 * (d + 1):
        return
    inverse = _inverse(fitted)
    if inverse is None:
        return
    hat = np.concatenate([
        np.einsum("nd,nd->n", table.values[part] @ inverse, table.values[part]) for part in blocks.of_rows(n)
    ]) + 1 / n  # fmt: skip
    those = [i for i in np.flatnonzero(hat > LEVERAGE) if i not in named]
    if those:
        those.sort(key=lambda i: -hat[i])
        where = listed(f"row {fitted.design.index[table.rows[i]]} ({hat[i]:.2f})" for i in those)
        yield Finding("note", "high leverage", f"in a linear model of all columns: {where}", "check these rows")
