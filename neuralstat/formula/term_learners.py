"""What structured terms remember, found by passes over data in parts: levels, their combinations, smooths.

A smooth needs the different values of its covariates, means of its basis, and cross products: these come as triangles of QR
decompositions of the parts, which lose no digits. See `learners`. This module imports formulaic and is imported only where a
formula is evaluated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import DataError
from neuralstat.formula import frames, smooths, terms
from neuralstat.formula.passes import Data, Distinct, Each, Learner, Ordered, Question, Sum, distinct_quantiles
from neuralstat.formula.smooth_arguments import Call, dimension, each, levels_of, multiplier, numbers
from neuralstat.formula.smooth_bases import BASES
from neuralstat.formula.smooth_natural import natural, tensor_diagonals
from neuralstat.network.blas import on_one_thread

MOST = 100_000  # different values of which thin plate splines are made where they lie in parts

Given = dict[str, Any]
Split = tuple[dict[tuple[Any, ...], Data], Given]


# levels ------------------------------------------------------------------------------------------------------


def split_columns(args: tuple[Any, ...], words: Given, call: Call) -> Split:
    """Columns of levels."""
    return {(): tuple(map(_column, args))}, {}


def split_inputs(args: tuple[Any, ...], words: Given, call: Call) -> Split:
    """Factors among the inputs of a network."""
    factor = [frames.is_factor(terms.series_of(a)) for a in args]
    return {(): tuple(_column(a) for a, is_one in zip(args, factor, strict=True) if is_one)}, {"factor": factor}


def split_slopes(args: tuple[Any, ...], words: Given, call: Call) -> Split:
    """Groups of random slopes."""
    effects = len(args) - 1 + bool(words.get("intercept", True))
    return {(): tuple(map(_column, args[0]))}, {"effects": effects}


def _column(values: Any) -> Any:
    series = terms.series_of(values)
    return series.to_numpy() if series.dtype.kind in "iuf" else series


def codes(given: Given) -> Learner:
    """Levels of columns, and which of their combinations occur."""
    levels = yield from _levels()
    parts = yield Each(_pairs, (levels,))
    pairs = np.unique(np.concatenate(parts))
    return {"levels": levels, "pairs": pairs.tolist(), "names": terms.combined_names(pairs, levels)}


def slopes(given: Given) -> Learner:
    """The same, and coordinates of the effects."""
    return {**(yield from codes(given)), "rotation": np.eye(given["effects"]).tolist()}


def inputs(given: Given) -> Learner:
    """Levels of the factors among the inputs of a network."""
    found = iter((yield from _levels()) if any(given["factor"]) else [])
    return {"levels": [next(found) if is_one else None for is_one in given["factor"]]}


def _levels() -> Generator[Question, Any, list[list[Any]]]:
    """Levels of columns that occur in some part."""
    parts = [found for found in (yield Each(_occurring)) if found is not None]
    return [_merged([part[j] for part in parts]) for j in range(len(parts[0]))]


def _occurring(*columns: Any) -> list[tuple[str, list[Any], list[Any]]] | None:
    """Of every column the kind of its values, levels that occur, and categories."""
    if not len(columns[0]):
        return None
    series = [terms.series_of(c) for c in columns]
    return [(s.dtype.kind, terms.levels_in(s), s.cat.categories.tolist() if hasattr(s, "cat") else []) for s in series]


def _merged(parts: Sequence[tuple[str, list[Any], list[Any]]]) -> list[Any]:
    """Levels in the order of categories, or sorted."""
    kinds = {kind for kind, _, _ in parts}
    there = pd.unique(pd.Series([level for _, levels, _ in parts for level in levels], dtype=object))
    if any(categories for *_, categories in parts):
        order = {c: None for *_, categories in parts for c in categories}
        return [level for level in order if level in set(there)]
    whole = [float(level) for level in there] if "f" in kinds and kinds <= set("iuf") else there.tolist()
    return terms.levels_in(pd.Series(whole, dtype=object))


def _pairs(*given: Any) -> np.ndarray:
    """Numbers of the combinations of levels that occur."""
    *columns, levels = given
    return np.unique(terms.combined([terms.series_of(c) for c in columns], levels))


# smooths -----------------------------------------------------------------------------------------------------


def split_smooth(args: tuple[Any, ...], words: Given, call: Call) -> Split:
    """Covariate, multiplier and labels of ``s``."""
    bound = inspect.signature(smooths.s).bind(*args, **words)
    bound.apply_defaults()
    given = {name: bound.arguments[name] for name in ("k", "bs")}
    return _smooth_data([numbers(bound.arguments["x"], call, 0)], bound.arguments["by"], given, call)


def split_tensor(args: tuple[Any, ...], words: Given, call: Call) -> Split:
    """The same of ``te``."""
    bound = inspect.signature(smooths.te).bind(*args, **words)
    bound.apply_defaults()
    given = {name: bound.arguments[name] for name in ("k", "bs")} | {"count": len(args)}
    return _smooth_data([numbers(v, call, j) for j, v in enumerate(args)], bound.arguments["by"], given, call)


def _smooth_data(rows: list[np.ndarray], by: Any, given: Given, call: Call) -> Split:
    kind, times, labels = multiplier(by, len(rows[0]), {}, call)
    known = ~np.isnan([*rows, times]).any(axis=0) & (True if labels is None else ~pd.isna(labels))
    categories = getattr(getattr(getattr(by, "__wrapped__", by), "dtype", None), "categories", None)
    order = None if categories is None else categories.tolist()
    more: list[Any] = [times[known]] if kind == "numbers" else [labels[known]] if labels is not None else []
    return {(): (*(row[known] for row in rows), *more)}, {**given, "kind": kind, "order": order, "call": call}


def _by_levels(given: Given) -> Generator[Question, Any, list[Any]]:
    """Levels of the factor by; one that stands for all rows without a factor."""
    if given["kind"] != "levels":
        return [""]
    labels = np.array([*dict.fromkeys(v for part in (yield Each(_labels)) for v in part)], dtype=object)
    return levels_of(labels, None if given["order"] is None else pd.Series(pd.Categorical([], given["order"])))


def _labels(*data: Any) -> list[Any]:
    return list(dict.fromkeys(data[-1].tolist()))


def _times(data: Sequence[Any], count: int, level: Any, kind: str) -> np.ndarray:
    """What rows of a level are multiplied by, 0 elsewhere."""
    if kind == "numbers":
        return data[count]
    return np.ones(len(data[0])) if kind == "none" else (data[count] == level).astype(np.float64)


def _varied(given: Given) -> Generator[Question, Any, bool]:
    """Whether a smooth is multiplied by numbers that are not all equal."""
    if given["kind"] != "numbers":
        return False
    ends = [end for end in (yield Each(_ends)) if end is not None]
    return max(high for _, high in ends) > min(low for low, _ in ends)


def _ends(*data: Any) -> tuple[float, float] | None:
    return (float(data[-1].min()), float(data[-1].max())) if len(data[-1]) else None


def _different(ordered: Ordered, k: int, bs: str, call: Call, position: int) -> np.ndarray:
    """Values that a basis of k functions of all different values is made of."""
    if ordered.size < k:  # which is refused
        return ordered.at(np.arange(ordered.size))
    if bs != "tp":
        return distinct_quantiles(ordered, np.linspace(0, 1, k))
    if ordered.size > MOST:
        raise DataError(f"{call.column(position)} has {ordered.size} different values, more than bs='tp' is made of where "
                        f"the data come in parts ({MOST}): take bs='cr', or round them.")  # fmt: skip
    return ordered.at(np.arange(ordered.size))


def smooth(given: Given) -> Learner:
    """A smooth of one covariate."""
    call, bs, kind = given["call"], given["bs"], given["kind"]
    k = dimension(given["k"], bs, call)
    levels = yield from _by_levels(given)
    start = smooths.start_of(_different((yield Distinct(_covariate, (0,))), k, bs, call, 0), k, bs, call, 0)
    sums = yield Sum(_basis_sums, (bs, start))
    n, mean = int(sums[0]), None if (yield from _varied(given)) else sums[1:] / sums[0]
    parts = yield Each(_triangles, (bs, start, levels, kind))
    made_of, diagonals = [], []
    for j, level in enumerate(levels):
        low, high = min(part[j][1] for part in parts), max(part[j][2] for part in parts)
        enough = (low <= high) + (low < high) >= start.null.shape[1]
        seen = np.concatenate([part[j][0] for part in parts])
        made = natural(seen, mean, start.bent, start.null, n) if enough else None
        if made is None:
            count = (yield Distinct(_of_level, (level, kind))).size
            where = "where by is not 0" if kind != "levels" else f"for level {level!r} of by"
            raise DataError(f"{call.column(0)} has {count} different value(s) {where}: too few for a smooth function of it.")
        made_of.append((start.functions @ made[0]).tolist())
        diagonals.append(made[1].tolist())
    return {
        smooths.KIND: "s", "bs": bs, "knots": start.knots.tolist(), "levels": levels, "coefs": made_of,
        "diagonals": diagonals, "names": [str(level) for level in levels], "blocks": list(range(len(levels))), "by": kind,
    }  # fmt: skip


def _covariate(*given: Any) -> np.ndarray:
    return given[given[-1]]


def _of_level(*given: Any) -> np.ndarray:
    *data, level, kind = given
    return data[0][_times(data, 1, level, kind) != 0]


def _basis_sums(*given: Any) -> np.ndarray:
    """Number of rows, and sums of a basis."""
    *data, bs, start = given
    if not len(data[0]):
        return np.zeros(1 + start.functions.shape[1])
    return np.array([len(data[0]), *BASES[bs].values(start.knots, data[0], start.functions).sum(axis=0)])


@on_one_thread
def _triangles(*given: Any) -> list[tuple[np.ndarray, float, float]]:
    """Of every level the triangle of its basis, and the least and the largest value."""
    *data, bs, start, levels, kind = given
    made = []
    for level in levels:
        times = _times(data, 1, level, kind)
        u, times = data[0][times != 0], times[times != 0]
        width = start.functions.shape[1]
        values = BASES[bs].values(start.knots, u, start.functions) if u.size else np.zeros((0, width))
        made.append((_triangle(values * times[:, None]), float(u.min(initial=np.inf)), float(u.max(initial=-np.inf))))
    return made


def _triangle(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr(values, mode="r")) if len(values) else values


def tensor(given: Given) -> Learner:
    """A tensor product of smooths."""
    call, kind = given["call"], given["kind"]
    count = len(covariates := smooths.covariates_of(call, given["count"]))
    levels = yield from _by_levels(given)
    kinds = each(given["bs"], count, "bs", call)
    sizes = [dimension(a, b, call) for a, b in zip(each(given["k"], count, "k", call), kinds, strict=True)]
    margins, diagonals = [], []
    for j, (k, bs) in enumerate(zip(sizes, kinds, strict=True)):
        unique = _different((yield Distinct(_covariate, (j,))), k, bs, call, j)
        margin, diagonal = smooths.margin_of(unique, k, bs, call, j)
        margins.append(margin)
        diagonals.append(diagonal)
    entries = np.array(tensor_diagonals(diagonals))
    sums = yield Sum(_tensor_sums, (margins,))
    n, means = int(sums[0]), None if (yield from _varied(given)) else (sums[2:] / sums[0]).tolist()
    entries = entries if means is None else entries[:, 1:]
    squares = [row / n for row in (yield Sum(_tensor_squares, (margins, means, levels, kind)))]
    flat = ~entries.any(axis=0)
    parts = (yield Each(_tensor_triangles, (margins, means, levels, kind, flat))) if flat.any() else []
    state = {smooths.KIND: "te", "margins": margins, "means": means, "levels": levels}
    more = smooths.scaled_levels(state, entries, covariates, kind == "levels", call, n, squares,
                                 lambda j, sds, flat: np.concatenate([part[j] for part in parts]) / sds[flat])  # fmt: skip
    return {**state, **more, "by": kind}


def _tensor_values(data: Sequence[Any], margins: Sequence[Any], means: Any) -> np.ndarray:
    return smooths.tensor_values(list(data[: len(margins)]), margins, means)


def _tensor_sums(*given: Any) -> np.ndarray:
    *data, margins = given
    values = _tensor_values(data, margins, None)
    return np.array([len(values), *values.sum(axis=0)])


def _tensor_squares(*given: Any) -> np.ndarray:
    *data, margins, means, levels, kind = given
    values = _tensor_values(data, margins, means)
    times = [_times(data, len(margins), level, kind) for level in levels]
    return np.array([((values * t[:, None]) ** 2).sum(axis=0) for t in times])


@on_one_thread
def _tensor_triangles(*given: Any) -> list[np.ndarray]:
    *data, margins, means, levels, kind, flat = given
    values = _tensor_values(data, margins, means)[:, flat]
    return [_triangle(values * _times(data, len(margins), level, kind)[:, None]) for level in levels]


#: What is taken of a call, and what finds its state, by the function that a formula calls.
SPECIAL: dict[Callable[..., Any], tuple[Callable[..., Split], Callable[[Given], Learner]]] = {
    terms.codes: (split_columns, codes), terms.nn: (split_inputs, inputs), terms.slopes: (split_slopes, slopes),
    smooths.s: (split_smooth, smooth), smooths.te: (split_tensor, tensor),
}  # fmt: skip
