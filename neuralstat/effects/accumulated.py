"""Accumulated local effects of one variable, and of two beyond their own (Apley & Zhu 2020, JRSS B 82:1059).

A variable is an axis of nodes (ends of bins, or levels in an order) with steps between neighbours. A row takes part in the
step of its bin; of a factor in the steps to both neighbours of its level. Mean changes of the prediction over a step, or
over a cell of two steps, are summed up along the axes, and all that follows is linear in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_int, check_items, check_size, is_whole, position, shown
from ..checks.arguments import FLAG, NONE, REP_OR_MEAN, SHARE, Anything, Numbers, arguments
from ..errors import ArgumentError
from ..fitted import fitted_of
from ..inference.covariance import COV_TYPE
from ..network.blas import on_one_thread
from .functional import Outputs, Sums, outputs_of
from .profiles import index_of
from .rows import Rows, is_time, levels, pair, rows_of, takes_levels

BINS, BINS_OF_TWO = 20, 10  # unless told


@dataclass(frozen=True, eq=False)
class Axis:
    """Nodes of a variable and the rows between them.

    Attributes
    ----------
    name : str
    nodes : list, N of them
    steps : list of (rows, step) pairs of (r,) arrays
        Which rows take part in which step, from node `step` to the next.
    ends : (2, m) array of int
        Nodes at which every row lies, half at each: its level twice, or both ends of its bin.
    middle : (N - 1,) array
        Places of the steps, for finding near ones, in units of the range.
    """

    name: str
    nodes: list[Any]
    steps: list[tuple[np.ndarray, np.ndarray]]
    ends: np.ndarray
    middle: np.ndarray

    def value(self, node: np.ndarray) -> np.ndarray:
        """The variable's value at nodes."""
        if isinstance(self.nodes[0], str):
            return pd.Series(self.nodes, dtype=object).to_numpy()[node]
        return np.array(self.nodes)[node]

    def masses(self, share: np.ndarray) -> np.ndarray:
        """(N,) sums of the rows' weights (m,) by where they lie."""
        return np.sum([np.bincount(end, share / 2, len(self.nodes)) for end in self.ends], axis=0)

    @property
    def running(self) -> np.ndarray:
        """(N, N - 1) sums of the steps up to each node."""
        return np.tri(len(self.nodes), len(self.nodes) - 1, -1)


@on_one_thread
@arguments(
    fit=Anything("a fit"), variable=Anything("a covariate, or two in a list"),
    bins=Anything("a number of bins, or their ends", None, 1, 4), data=Anything("a table", None),
    response=Anything("the name of an output", None), rep=REP_OR_MEAN, alpha=SHARE, cov_type=NONE | COV_TYPE, se=FLAG,
)
def ale(
    fit: Any, variable: Any, bins: Any = None, *, data: Any = None, response: str | None = None, rep: Any = "mean",
    alpha: float = 0.05, cov_type: str | None = None, se: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Accumulated local effects, as R's ``ALEPlot``; of two variables their joint effect beyond the two single ones.

    Bins end at a numeric variable's quantiles (type 1). Within a bin the mean change of the prediction from its lower to
    its upper end is taken over the rows that lie in it; these changes are added up and centred to mean 0 over the data.
    Unlike partial dependence, no row is moved far from where it is. A factor's levels are put in an order, and rows moved to
    the level before and after their own: an ordered factor's own order, else one in which levels lie side by side whose
    rows have similar other covariates (the first coordinate of multidimensional scaling of the sums over covariates of
    Kolmogorov's distances, of factors half the absolute differences of shares).

    Of two variables the second differences over cells of two bins are added up, and what is an effect of either alone is
    taken off. Cells without rows have the difference of the nearest one with.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str or list of two str
        The user's columns, numeric or factors.
    bins : int or list, optional
        Number of bins (20; 10 for each of two variables), or their ends, which must span the data; of a factor its levels
        in the order wanted. Of two variables: a number for both, or a pair.
    data, response, rep, alpha, cov_type, se
        As in `partial_dependence`; `data` must have the variable.

    Returns
    -------
    DataFrame
        Index: ends of the bins, or levels (of two variables: both); columns ``ale``, ``std err``, ``lower``, ``upper``,
        ``sd over repetitions``. Of several outputs one below the other, as in `marginal_effects`.

    Raises
    ------
    ArgumentError
        For constant variables, bins without rows, array terms.
    """
    fitted = fitted_of(fit)
    if cov_type is not None and not se:
        raise ArgumentError("cov_type belongs to standard errors, and se=False leaves them out.")
    names = pair(fitted, variable)
    rows = rows_of(fitted, data)
    rows = rows if np.all(rows.share > 0) else rows.part(np.flatnonzero(rows.share > 0))
    axes = [_axis(rows, name, b) for name, b in zip(names, _bins(names, bins), strict=True)]
    outputs = outputs_of(fitted, response, rep, cov_type, se)
    nodes = int(np.prod([len(axis.nodes) for axis in axes]))
    outputs.check(4 * nodes, len(rows.frame), f"{nodes:,} bins")
    check_size(4 * nodes**2, f"{nodes:,} bins")
    found = _one(outputs, rows, axes[0]) if len(axes) == 1 else _two(outputs, rows, axes[0], axes[1])
    index = index_of(names, [axis.nodes for axis in axes])
    frames = [e.banded(index, "ale", e.symmetric(alpha)) for e in outputs.estimates(found)]
    return outputs.table(frames, response)


def _bins(names: tuple[str, ...], bins: Any) -> list[Any]:
    """The bins of every variable.

    Raises
    ------
    ArgumentError
        Where `bins` is neither one number for both of two variables, nor bins for each.
    """
    if len(names) == 1:
        return [BINS if bins is None else bins]
    words = "a number, or bins for each of two variables"
    whole = bins is None or is_whole(bins)
    each = [BINS_OF_TWO if bins is None else bins] * 2 if whole else check_items(bins, "bins", words)
    if len(each) != 2 or any(isinstance(b, float) for b in each):
        raise ArgumentError(f"bins of two variables must be a number, or bins for each; got {shown(bins)}.")
    return each


# axes ------------------------------------------------------------------------------------------------------


def _axis(rows: Rows, name: str, bins: Any) -> Axis:
    if is_time(rows.frame[name]):
        raise ArgumentError(f"ale: {name!r} holds dates, which have no bins: make a column of numbers of them.")
    if takes_levels(rows.fitted, name):
        return _level_axis(rows, name, bins)
    x = rows.frame[name].to_numpy(dtype=float)
    ends = _ends(x, bins, name)
    own = np.clip(np.searchsorted(ends, x, side="left") - 1, 0, ends.size - 2).astype(np.int32)  # bins are (z_k-1, z_k]
    count = np.bincount(own, minlength=ends.size - 1)
    if not count.all():
        raise ArgumentError(f"bins: no row has {name!r} in bin {int(np.argmin(count)) + 1}.")
    every = np.arange(x.size, dtype=np.int32)
    middle = (ends[:-1] + ends[1:]) / 2 / (ends[-1] - ends[0])
    return Axis(name, ends.tolist(), [(every, own)], np.stack([own, own + 1]), middle)


def _ends(x: np.ndarray, bins: Any, variable: str) -> np.ndarray:
    """Ends of the bins: those given, or quantiles (type 1) of the variable."""
    if is_whole(bins):
        number = min(check_int(bins, "bins", 1), x.size)  # more have no more ends
        at = -(-np.arange(1, number + 1) * x.size // number) - 1  # in whole numbers: no rounding decides on a row
        ends = np.unique(np.concatenate([[x.min()], np.sort(x)[at]]))
    else:
        try:
            ends = Numbers(1).check(bins, "bins")
        except ArgumentError:
            ends = np.empty(0)
        if ends.ndim != 1 or ends.size < 2 or not np.all(np.diff(ends) > 0) or ends[0] > x.min() or ends[-1] < x.max():
            span = f"from {x.min():g} to {x.max():g}"
            raise ArgumentError(f"bins must be a number, or increasing ends {span}; got {shown(bins)}.")
    if ends.size < 2:
        raise ArgumentError(f"variable {variable!r} is constant: it has no effect to accumulate.")
    return ends


def _level_axis(rows: Rows, name: str, bins: Any) -> Axis:
    values = rows.frame[name]
    known = levels(values)
    if len(known) < 2:
        raise ArgumentError(f"variable {name!r} is constant: it has no effect to accumulate.")
    if is_whole(bins):
        check_int(bins, "bins", 1)
        known = _by_similarity(rows, name, known)
    else:
        words = f"the factor {name!r}'s levels {', '.join(map(repr, known))} in some order"
        order = [position(level, known) for level in check_items(bins, "bins", words)]
        if None in order or sorted(order) != list(range(len(known))):  # type: ignore[type-var]
            raise ArgumentError(f"bins must be {words}; got {shown(bins)}.")
        known = [known[k] for k in order]  # type: ignore[index]
    own = values.map({level: k for k, level in enumerate(known)}).to_numpy(dtype=int)
    down, up = np.flatnonzero(own > 0), np.flatnonzero(own < len(known) - 1)
    middle = (np.arange(len(known) - 1) + 0.5) / (len(known) - 1)
    return Axis(name, known, [(up, own[up]), (down, own[down] - 1)], np.stack([own, own]), middle)


def _by_similarity(rows: Rows, name: str, known: list[Any]) -> list[Any]:
    """Levels in the order in which the other covariates of their rows are most alike, as R's ``ALEPlot`` puts them."""
    values, fitted = rows.frame[name], rows.fitted
    if len(known) < 3 or (isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered):
        return known
    own = values.map({level: k for k, level in enumerate(known)}).to_numpy(dtype=int)
    apart = np.zeros((len(known), len(known)))
    for other in fitted.design.spec.covariates:
        column = rows.frame[other]
        if other == name or is_time(column):
            continue
        value, seen = pd.factorize(column, sort=True)
        share = np.zeros((len(known), len(seen)))
        np.add.at(share, (own, value), rows.share)
        share /= share.sum(axis=1, keepdims=True)
        for k, one in enumerate(share):
            if takes_levels(fitted, other):
                apart[k] += np.abs(share - one).sum(axis=1) / 2
            else:
                apart[k] += np.abs(np.cumsum(share - one, axis=1)).max(axis=1)
    if not apart.any():
        return known
    inner = -(apart**2) / 2
    inner = inner - inner.mean(axis=0) - inner.mean(axis=1)[:, np.newaxis] + inner.mean()
    first = np.linalg.eigh(inner)[1][:, -1]
    first = first * np.sign(first[-1] - first[0] or 1.0)  # the direction does not change the effect
    return [known[k] for k in np.argsort(first, kind="stable")]


# effects ---------------------------------------------------------------------------------------------------


def _one(outputs: Outputs, rows: Rows, axis: Axis) -> Sums:
    """Mean changes over steps, added up and centred."""
    size = len(axis.nodes) - 1
    total = np.zeros(size)
    for which, step in axis.steps:
        total += np.bincount(step, rows.share[which], size)
    parts = []
    for which, step in axis.steps:
        weight = rows.share[which] / total[step]
        above, below = (outputs.sums(*_moved(rows, {axis: step + side}, which), weight, step, size) for side in (1, 0))
        parts.append(above - below)
    into = axis.running
    return Sums.added(parts).mapped(into - axis.masses(rows.share) @ into)


def _moved(rows: Rows, nodes: dict[Axis, np.ndarray], which: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Inputs and offset of some rows, their variables set to nodes."""
    part = rows if which.size == len(rows.frame) else rows.part(which)
    return part.moved({axis.name: axis.value(node) for axis, node in nodes.items()})


def _two(outputs: Outputs, rows: Rows, first: Axis, second: Axis) -> Sums:
    """Second differences over cells, added up; single effects taken off; centred."""
    high, wide = len(first.nodes) - 1, len(second.nodes) - 1
    cells = []
    for one, i in first.steps:
        for two, j in second.steps:
            which, at_one, at_two = np.intersect1d(one, two, assume_unique=True, return_indices=True)
            cells.append((which, i[at_one], j[at_two]))
    total = np.zeros(high * wide)
    for which, i, j in cells:
        total += np.bincount(i * wide + j, rows.share[which], high * wide)
    parts = []
    for which, i, j in cells:
        cell = i * wide + j
        for up, right in ((1, 1), (1, 0), (0, 1), (0, 0)):
            moved = _moved(rows, {first: i + up, second: j + right}, which)
            sign = 1.0 if up == right else -1.0
            parts.append(outputs.sums(*moved, sign * rows.share[which] / total[cell], cell, high * wide))
    into = np.kron(first.running, second.running) @ _filled(total.reshape(high, wide) > 0, first, second)
    return Sums.added(parts).mapped(_beyond(first, second, rows.share) @ into)


def _filled(seen: np.ndarray, first: Axis, second: Axis) -> np.ndarray:
    """(cells, cells) matrix that gives cells without rows the change of the nearest one with."""
    place = np.stack(np.meshgrid(first.middle, second.middle, indexing="ij"), axis=-1).reshape(-1, 2)
    full = np.flatnonzero(seen)
    apart = ((place[:, np.newaxis] - place[full]) ** 2).sum(axis=2)
    near = np.where(seen.ravel(), np.arange(seen.size), full[apart.argmin(axis=1)])
    return np.eye(seen.size)[near]


def _beyond(first: Axis, second: Axis, share: np.ndarray) -> np.ndarray:
    """(N1 N2, N1 N2) matrix that takes single effects and the mean off a surface over the nodes."""
    n, k = len(first.nodes), len(second.nodes)
    whole = np.eye(n * k).reshape(n, k, n * k)
    off = [_along(first, second, whole, share), _along(second, first, whole.transpose(1, 0, 2), share)]
    left = whole - off[0][:, np.newaxis] - off[1]
    joint = np.zeros((n, k))
    for one in first.ends:
        for two in second.ends:
            np.add.at(joint, (one, two), share / 4)
    return (left - np.einsum("ij,ijc->c", joint, left)).reshape(n * k, n * k)


def _along(axis: Axis, across: Axis, surface: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(N, C) accumulated effect along one axis of surfaces (N, N', C)."""
    steps = np.zeros((len(axis.nodes) - 1, len(across.nodes)))
    for which, step in axis.steps:
        for end in across.ends:
            np.add.at(steps, (step, end[which]), share[which] / 2)
    steps /= steps.sum(axis=1, keepdims=True)
    return axis.running @ np.einsum("sj,sjc->sc", steps, np.diff(surface, axis=0))
