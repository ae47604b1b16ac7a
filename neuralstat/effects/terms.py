"""What each term of a structured fit adds to the linear predictor: centred over the rows of the fit, with errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..df import exact_fit
from ..engine.data import make_data
from ..fitted import Fitted
from ..formula import expressions
from ..formula.expressions import display
from ..inference import orthogonal
from ..inference.term_parts import Part, curvature, parts
from ..network import derivatives
from ..training.structured import state_of
from .rows import covariate, replaced, rows_of

CURVE, SURFACE = 100, 40  # points along one covariate, and along each of two


@dataclass(frozen=True, eq=False)
class Contribution:
    """A term's function at m rows, units of the linear predictor (those of the response under the identity link).

    Attributes
    ----------
    value, se : (m,) arrays
        The standard errors are given the data, with the penalties as priors: bands cover across the function (Nychka 1988,
        JASA 83:1134).
    """

    value: np.ndarray
    se: np.ndarray


def covariates(fitted: Fitted, part: Part) -> list[str]:
    """Columns of the data along which a term varies; not what multiplies a smooth (``by``)."""
    texts = [part.term] if part.special is None else list(part.special.exprs)
    by = multiplier(part)
    known, found = fitted.design.spec.covariates, []
    for text in texts:
        for piece in display(text).strip("{}").split(":"):
            found += [name for name in expressions.names(piece) if name in known and name not in found and name != by]
    whole = " ".join(texts)
    return sorted(found, key=whole.find)


def multiplier(part: Part) -> str | None:
    """The column that stands as ``by`` in a smooth."""
    match = None if part.kind != "smooth" or part.special is None else re.search(r"by=`?([^`,)]+)`?", part.special.exprs[0])
    return None if match is None else match.group(1).strip()


def contribution(fitted: Fitted, b: int, part: Part, x: np.ndarray) -> Contribution:
    """A term's contribution at inputs (D, m), less its mean over the rows of the fit.

    Of a network whose covariates have linear or smooth terms, too, less what counts as theirs (`inference.orthogonal`).
    """
    kept = fitted.fit.theta[b].astype(float)
    theta, turn = orthogonal.moved(fitted, b)
    unit = exact_fit.units(fitted)[part.output]
    weight = fitted.case_weights / fitted.case_weights.sum()
    here, there = (_slopes(fitted, kept, part, at) for at in (x, fitted.design.x))
    own = kept[part.index]
    if part.kind == "network":
        own = np.where(part.index >= fitted.network.slices[-1].start, own, 0.0)
    lean, value = here, here @ own
    at_rows = there @ own
    if multiplier(part) is None:  # what is multiplied by a variable is no function of mean 0
        lean, value = here - weight @ there, value - weight @ at_rows
    known = curvature(fitted, b)
    if turn is None:
        variance = np.einsum("mj,jk,mk->m", lean, known.covariance(part.index), lean)
        return Contribution(value * unit, np.sqrt(np.maximum(variance, 0.0)) * abs(unit))
    change = turn - np.eye(len(turn))
    slopes = np.zeros((len(lean), len(turn)))
    slopes[:, part.index] = lean
    for other in [part] if part.kind != "network" else _shared(fitted, part, theta - kept):
        columns = (x[other.rows].T - weight @ fitted.design.x[other.rows].T) * (1 if other is part else -1)
        value = value + columns @ (theta - kept)[other.index]
        slopes += columns @ change[other.index]
    used = np.arange(len(turn))[fitted.fit.free[0]]
    variance = np.einsum("mj,jk,mk->m", slopes[:, used], known.covariance(used), slopes[:, used])
    return Contribution(value * unit, np.sqrt(np.maximum(variance, 0.0)) * abs(unit))


def _slopes(fitted: Fitted, theta: np.ndarray, part: Part, x: np.ndarray) -> np.ndarray:
    """(m, q) derivatives of a term in its weights at inputs (D, m)."""
    if part.kind != "network":
        return np.asarray(x[part.rows].T)
    data = make_data(np.ascontiguousarray(x), np.zeros((fitted.network.n_outputs, x.shape[1])))
    return derivatives.jacobian(fitted.network, data, theta)[part.output][:, part.index]


def _shared(fitted: Fitted, part: Part, change: np.ndarray) -> list[Part]:
    """Linear and smooth terms that take some of a network's function; none where other networks give to them as well."""
    found = parts(fitted)
    reads = set(covariates(fitted, part))
    own = [p for p in found if p.kind in ("linear", "smooth") and p.index.size and np.any(change[p.index] != 0)
           and set(covariates(fitted, p)) <= reads]  # fmt: skip
    rivals = [set(covariates(fitted, p)) for p in found if p.kind == "network" and p.term != part.term]
    return [] if any(set(covariates(fitted, p)) <= r for p in own for r in rivals) else own


def level_of(fitted: Fitted, part: Part) -> Any:
    """The level of ``by`` that a smooth is of; None where it is of none."""
    if multiplier(part) is None or part.special is None:
        return None
    state = state_of(fitted.design, part.special.exprs[0])
    if state.get("by") != "levels":
        return None
    return next(v for v in state["levels"] if part.term == f"{part.special.label}:{v}")


def is_numeric(fitted: Fitted, name: str) -> bool:
    """Whether a covariate takes numbers."""
    column = covariate(fitted, name)
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def along(fitted: Fitted, part: Part, names: Sequence[str]) -> tuple[list[np.ndarray], np.ndarray]:
    """Values of covariates on a grid, each (m,), and inputs (D, m) there; the others as in a typical row.

    A smooth with ``by`` is taken where that is 1, or the level that the smooth is of.
    """
    rows = rows_of(fitted)
    axes: list[Any] = []
    for name in names:
        column = covariate(fitted, name)
        if is_numeric(fitted, name):
            axes.append(np.linspace(float(column.min()), float(column.max()), CURVE if len(names) == 1 else SURFACE))
        else:
            axes.append(np.array(_levels(column), dtype=object))
    mesh = [at.ravel() for at in np.meshgrid(*axes, indexing="ij")]
    frame = rows.frame.iloc[[_typical(fitted, names)] * mesh[0].size].reset_index(drop=True)
    changes = dict(zip(names, mesh, strict=True))
    by = multiplier(part)
    if by is not None:
        level = level_of(fitted, part)
        level = 1.0 if level is None else level
        changes[by] = np.array([level] * mesh[0].size, dtype=object if isinstance(level, str) else None)
    return mesh, rows.encoded(replaced(frame, changes))[0]


def _typical(fitted: Fitted, names: Sequence[str]) -> int:
    """The row whose other numbers are nearest to their medians."""
    others = [n for n in fitted.design.spec.covariates if n not in names and is_numeric(fitted, n)]
    if not others:
        return 0
    values = np.array([covariate(fitted, n).to_numpy(float) for n in others])
    spread = values.std(axis=1, keepdims=True)
    return int(np.argmin(np.sum(((values - np.median(values, axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)) ** 2,
                                axis=0)))  # fmt: skip


def _levels(column: pd.Series) -> list[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        there = set(pd.unique(column))
        return [level for level in column.cat.categories if level in there]
    return sorted(pd.unique(column), key=str)
