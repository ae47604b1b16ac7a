"""Formula and partitions -> `Design` whose arrays lie on disk.

Two passes over the data: the first finds the levels of factors and counts rows, the second encodes one partition after
the other and writes the numbers to temporary files, which are mapped into memory. Between them is one for each depth of
transforms with a state (two for ``bs(scale(x), df=5)``), which writes what they are of. Kernels go through them in blocks as
through any array: losses and gradients are the sums of an ordinary fit, in the same order, to the same bits, and the
system keeps in memory what there is room for.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import DataError, DataWarning
from neuralstat.formula import frames, response, rows
from neuralstat.formula.look import Look, Read, column, options_of
from neuralstat.formula.partitions import Partitions
from neuralstat.formula.parts import Design, Scaling
from neuralstat.formula.passes import Here
from neuralstat.formula.request import Options
from neuralstat.formula.scaling import fit_scaling
from neuralstat.formula.spec import Spec
from neuralstat.formula.spool import Spool, Stored
from neuralstat.formula.structure import unscaled
from neuralstat.formula.tensors import pooled_groups

SLICE = 2**20  # numbers of a mapped row that are scaled at a time


def partitioned_design(
    formula: str, parts: Partitions, *, context: Mapping[str, Any] | None = None, **given: Any
) -> Design:
    """Evaluate a formula on data in parts.

    Parameters
    ----------
    formula : str
    parts : Partitions
    context : mapping, optional
    **given
        As in `neuralstat.formula.design`; `weights`, `offset` and `groups` must be column names.

    Returns
    -------
    Design
        As of the tables put together; `x`, `y` and numeric columns of `frame` are mapped files, which vanish with it.

    Raises
    ------
    ArgumentError
        For what needs all rows at once: lags and windows, arrays per row, transforms of the caller's that keep a state, and
        weights or offsets that are no columns.
    DataError
        Where the data do not fit.
    """
    options = options_of(given)
    look = Look(formula, options, context)
    for table in parts:
        look.update(table)
    folder = Path(tempfile.mkdtemp(prefix="neuralstat-"))
    try:
        made = look.spec(_Columns(parts, look, folder))
        return _second_pass(parts, options, made, folder, look)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # mapped files live on until they are let go


def _again(parts: Partitions, look: Look) -> Iterator[pd.DataFrame]:
    """The tables that have rows, once more; `DataError` where they are not those of the first reading."""
    read, at = Read(), 0
    for table in parts:
        if len(table) == 0:
            continue
        if at + len(table) > look.total:
            raise DataError(f"{parts.what}: the second reading gave more rows than the first.")
        read.update(pd.DataFrame({name: column(table, name) for name in look.read.sums}, index=table.index))
        at += len(table)
        yield table
    if at != look.total:
        raise DataError(f"{parts.what}: the second reading gave {at} rows, the first {look.total}.")
    if changed := [name for name, crc in read.sums.items() if crc != look.read.sums[name]]:
        raise DataError(f"{parts.what}: column {changed[0]!r} had other values at the second reading than at the first.")


class _Columns:
    """What transforms are of, read once more and put on disk: a `learned.Source`."""

    def __init__(self, parts: Partitions, look: Look, folder: Path) -> None:
        self.parts, self.look, self.folder, self.times = parts, look, folder, 0

    def evaluated(self, asked: Any, states: Any, calls: Any) -> Here:
        """The data of some calls, part by part."""
        from neuralstat.formula.learned import arguments

        self.times += 1
        stored = Stored(self.folder, f"data{self.times}-")
        for table in _again(self.parts, self.look):
            stored.append(arguments(table, asked, states, calls))
        return Here(stored.finish())


def _second_pass(parts: Partitions, options: Options, made: Design, folder: Path, look: Look) -> Design:
    """Encode one partition after the other."""
    spec, spool, total, used = made.spec, Spool(folder), look.total, look.used
    kept, index, factors = np.zeros(total, bool), [], []
    labels_of_groups: list[pd.Series] = []
    weights: dict[str, list[np.ndarray]] = {name: [] for name in rows.WEIGHTS if name in options.per_row}
    at = 0
    for table in _again(parts, look):
        m = len(table)
        x, y, known, found, complete = encoded(spec, options, table)
        if options.groups is not None:
            labels = column(table, options.groups)
            complete &= ~frames.missing(labels)
            labels_of_groups.append(labels[complete])
        for name, part in found.items():
            weights[name].append(part[complete])
        response.check_needs(y[:, complete], spec.y_names, options.err_needs, spec.formula)
        spool.append("x", x[:, complete])
        spool.append("y", y[:, complete])
        if known is not None:
            spool.append("offset", known[:, complete])
        factors.append(_raw(spool, spec, table, complete, made.frame))
        kept[at : at + m] = complete
        index.append(table.index)
        at += m
    n = int(kept.sum())
    if used > n:
        text = f"an expression is not a number in {used - n} row(s) without missing values, as log(-1) would be"
        if options.missing == "raise" or n == 0:
            raise DataError(f"{text}.")
        warnings.warn(f"{text}; these rows are dropped.", DataWarning, stacklevel=4)
    x, y = spool.finish("x", len(spec.x_names), n), spool.finish("y", len(spec.y_names), n)
    offset: np.ndarray | None = spool.finish("offset", len(spec.y_names), n) if spec.has_offset else None
    w, frequencies = rows.case_weights({name: np.concatenate(pieces) for name, pieces in weights.items()})
    scaling = _scale(spec, x, y, offset, w, options, frequencies) if options.standardize else None
    groups = None
    if options.groups is not None:
        whole = pd.concat(labels_of_groups, ignore_index=True)
        groups = rows.group_codes(options.groups, pd.DataFrame({options.groups: whole}))
    everywhere = index[0].append(index[1:]) if len(index) > 1 else index[0]
    spec = replace(spec, scaling=scaling)
    return replace(
        made, x=x, y=y, weights=w, offset=offset, index=everywhere[kept], full_index=everywhere, kept=kept, scaling=scaling,
        spec=spec, frame=_frame(spool, made.frame, factors, everywhere[kept], n), frequencies=frequencies, groups=groups,
    )  # fmt: skip


def encoded(
    spec: Spec, options: Options, table: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, np.ndarray], np.ndarray]:
    """Covariates, responses, offset, vectors of weights of a table's rows, and which of them are complete."""
    inputs = spec.encode(table)
    y, complete = spec.encode_response(table)
    complete = complete & inputs.complete
    found = rows.weight_vectors(options.per_row, table)
    for part in found.values():
        complete &= ~np.isnan(part)
    return inputs.x, y, inputs.offset, found, complete


def _raw(
    spool: "Spool", spec: Spec, table: pd.DataFrame, complete: np.ndarray, like: pd.DataFrame
) -> dict[str, pd.Series]:
    """Keep the raw columns: numbers in files; factors and dates, which are returned, in memory."""
    raw = spec._conform(spec._select(table, tuple(like.columns)).iloc[np.flatnonzero(complete)], spec.columns)
    factors = {}
    for k, name in enumerate(raw.columns):
        if frames.is_factor(raw[name]) or frames.is_time(raw[name]):
            factors[name] = raw[name]
        else:
            spool.append(f"column{k}-", raw[name].to_numpy(dtype=np.float64)[np.newaxis])
    return factors


def _frame(
    spool: "Spool", like: pd.DataFrame, factors: list[dict[str, pd.Series]], labels: pd.Index, n: int
) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for k, name in enumerate(like.columns):
        if name in factors[0]:
            columns[name] = pd.concat([f[name] for f in factors], ignore_index=True).array
        else:
            values = spool.finish(f"column{k}-", 1, n)[0]
            columns[name] = values.astype(bool) if like[name].dtype == bool else values
    return pd.DataFrame(columns, index=labels, copy=False)


def _scale(
    spec: Spec, x: np.ndarray, y: np.ndarray, offset: np.ndarray | None, w: np.ndarray | None, options: Options,
    often: np.ndarray | None,
) -> Scaling:  # fmt: skip
    """Centres and scales, row by row; the mapped arrays are scaled in place."""
    flags = np.array([kind == "numeric" and options.scale_response for kind in spec.y_kinds])
    none = np.zeros((0, x.shape[1]))
    groups = pooled_groups(spec.tensors, len(x), options.standardize)
    groups[unscaled(spec.specials, spec.terms)] = -1
    by_row = [fit_scaling(x[d : d + 1], none, w, (name,), (), np.zeros(0, bool), np.minimum(groups[d : d + 1], 0),
                          often)
              for d, name in enumerate(spec.x_names)]  # fmt: skip
    of_y = [fit_scaling(none, y[k : k + 1], w, (), (name,), flags[k : k + 1], None, often)
            for k, name in enumerate(spec.y_names)]  # fmt: skip

    def joined(parts: list[Any], name: str) -> np.ndarray:
        return np.concatenate([getattr(s, name) for s in parts]) if parts else np.zeros(0)

    scaling = Scaling(joined(by_row, "x_mean"), joined(by_row, "x_sd"), joined(of_y, "y_mean"), joined(of_y, "y_sd"))
    for values, mean, sd in ((x, scaling.x_mean, scaling.x_sd), (y, scaling.y_mean, scaling.y_sd)):
        for row, m, s in zip(values, mean, sd, strict=True):
            for part in _slices(row.size):
                row[part] = (row[part] - m) / s
    if offset is not None:
        for row, s in zip(offset, scaling.y_sd, strict=True):
            for part in _slices(row.size):
                row[part] /= s
    return scaling


def _slices(n: int) -> Iterator[slice]:
    for first in range(0, n, SLICE):
        yield slice(first, first + SLICE)
