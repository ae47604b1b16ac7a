"""What a fitted formula remembers: enough to turn new data into the same inputs, as plain data."""

import copy
import gc
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError, DataWarning, NeuralStatError, caller
from neuralstat.formula import derived, expressions, frames, rows, vectors
from neuralstat.formula.arrays import check_inputs, filled, missing, ready, with_arrays
from neuralstat.formula.derived import Derived
from neuralstat.formula.extremes import check_sizes, floats
from neuralstat.formula.gathered import Gathered
from neuralstat.formula.parse import ResponseTerm
from neuralstat.formula.parts import Column, NewData, Scaling
from neuralstat.formula.response import as_series, indicator
from neuralstat.formula.sequences import as_table
from neuralstat.formula.state import MatrixState, Scope
from neuralstat.formula.structure import Special
from neuralstat.formula.tensors import Tensor, element_names, is_tensor, joint_shape
from neuralstat.formula.unnamed import is_unnamed, named

ENCODED = 8192  # rows that are encoded at a time: tables on the way are several times the data


@dataclass(frozen=True, eq=False)
class Spec:
    """Everything needed to encode new data as the data of the fit were encoded.

    All fields but `context` are plain data; `to_json` and `from_json` carry them without anything executable.

    Attributes
    ----------
    formula : str or None
        The formula as given; None for a model made from arrays.
    response : str
        Text of the left-hand side.
    responses : tuple of ResponseTerm
    y_names, y_kinds : tuple of str
        Names of the K outputs, and ``"numeric"``, ``"boolean"`` or ``"factor"`` for each.
    classes : tuple or None
        Levels of a factor response.
    matrix : MatrixState
        Terms, states of transforms and levels of the right-hand side.
    x_names : tuple of str
    terms : dict of str to tuple of int
    covariates, offset_columns, response_columns : tuple of str
        Raw columns read by the three parts of the formula.
    columns : dict of str to Column
        Kinds of those columns.
    offset_terms : tuple of str
        Expressions of the ``offset()`` terms.
    offset_argument, weights_argument : str or None
        Column named by the argument, or ``"array"`` in `offset_kind` where an array was given.
    offset_kind : {"none", "column", "array"}
    transforms : dict
        States of transforms in responses and offsets, by expression.
    scaling : Scaling or None
    constants : tuple of str
        Names of `context` that are numbers, strings or arrays and hence can be stored.
    context : mapping
        Names that the caller provided for the formula.
    trusted : bool
        False once read from a file: then only harmless expressions are evaluated.
    tensors : tuple of Tensor
        Terms that are arrays per row; their inputs come before the others.
    derived : tuple of Derived
        Columns that the formula makes of raw ones.
    offset_rows : int or None
        Outputs, the first ones, that have a known part; None: one for each response.
    specials : tuple of Special
        Terms of a structured formula that are more than columns.
    """

    formula: str | None
    response: str
    responses: tuple[ResponseTerm, ...]
    y_names: tuple[str, ...]
    y_kinds: tuple[str, ...]
    classes: tuple[Any, ...] | None
    matrix: MatrixState
    x_names: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    covariates: tuple[str, ...]
    offset_columns: tuple[str, ...]
    response_columns: tuple[str, ...]
    columns: dict[str, Column]
    response_kinds: dict[str, Column]
    offset_terms: tuple[str, ...]
    offset_argument: str | None
    offset_kind: str
    weights_argument: str | None
    transforms: dict[str, dict[str, Any]]
    scaling: Scaling | None
    constants: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    trusted: bool = True
    tensors: tuple[Tensor, ...] = ()
    derived: tuple[Derived, ...] = ()
    offset_rows: int | None = None
    specials: tuple[Special, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the tensor terms of one observation, joined; ``(D,)`` where there are none."""
        joint = joint_shape(self.tensors)
        if joint is None and self.tensors:
            listed = ", ".join(f"{t.name!r} {t.shape}" for t in self.tensors)
            raise DataError(
                f"the arrays {listed} cannot be joined: all axes but the last must agree. One of them with tabular terms "
                "beside it can be used, or hidden= instead of layers=, which takes all numbers as inputs."
            )
        return (len(self.x_names),) if joint is None else joint

    @property
    def n_beside(self) -> int:
        """Tabular inputs beside the tensor terms; 0 where there are no tensor terms."""
        return len(self.x_names) - sum(t.size for t in self.tensors) if self.tensors else 0

    @property
    def n_outputs(self) -> int:
        """Number K of outputs."""
        return len(self.y_names)

    @property
    def n_offsets(self) -> int:
        """Number of outputs that have a known part, where there is one."""
        return self.n_outputs if self.offset_rows is None else self.offset_rows

    def scope(self) -> Scope:
        """Give the names that expressions may read."""
        return Scope(self.context, self.constants, self.trusted)

    def to_json(self) -> str:
        """Write the specification as JSON text; see `neuralstat.formula.stored.to_json`."""
        from neuralstat.formula.stored import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        """Read what `to_json` wrote, evaluating nothing; see `neuralstat.formula.stored.from_json`."""
        from neuralstat.formula.stored import from_json

        return from_json(text)

    def encode(self, data: Any, *, offset: Any = None) -> NewData:
        """Turn new data into inputs.

        Columns are matched by name, in any order; others are ignored. Where the model reads one column, its values
        will do (array, list, Series); a model made from arrays also takes an array with its columns in the order of
        the fit.

        Parameters
        ----------
        data : table, or array of shape (m,) or (m, columns)
        offset : array of length m or column name, optional
            Replaces the `offset` argument of the fit (not the ``offset()`` terms of the formula). Needed
            where the fit was given an array.

        Returns
        -------
        NewData

        Raises
        ------
        DataError
            If a column is missing or of another kind, a level was not there at the fit, a value is infinite,
            or the offset is needed and not given.
        """
        given = self._frame(data)
        if offset is None and len(given) > ENCODED and self.row_by_row and not (self.tensors or self.has_offset):
            try:
                return self._encode_parts(given)
            except NeuralStatError:
                pass  # said again of the whole table
        return self._encode(given, offset)

    @property
    def row_by_row(self) -> bool:
        """Whether columns of x are known to be of their own rows alone: plain columns, and no expressions, such as lags."""
        return not self.derived and all(method != "python" for term in self.matrix.terms for _, method in term.factors)

    def _encode_parts(self, given: pd.DataFrame) -> NewData:
        """`encode` of rows that are inputs by themselves: what it makes on the way is several times the table."""
        n = len(given)
        x, complete = np.empty((len(self.x_names), n)), np.empty(n, bool)
        for first in range(0, n, ENCODED):
            part = slice(first, first + ENCODED)
            found = self._encode(given.iloc[part], None)
            x[:, part], complete[part] = found.x, found.complete
            gc.collect(1)  # circles of references, which formulas leave behind, hold the tables of the part
        return NewData(x, given.index, None, complete)

    def _encode(self, given: pd.DataFrame, offset: Any) -> NewData:
        needed = tuple(dict.fromkeys((*self.covariates, *self.offset_columns)))
        frame = self._extended(given, needed)
        argument = self._offset_argument(offset, frame)
        raw = self._select(frame, needed)
        complete = ~frames.any_missing(raw)
        if argument is not None:
            complete &= ~np.isnan(argument.reshape(len(frame), -1)).any(axis=1)
        used, x = np.flatnonzero(complete), np.empty((len(self.x_names), 0))
        total = np.full((self.n_offsets, len(frame)), np.nan) if self.has_offset else None
        if used.size:
            rows.warn_lags(self.matrix, frame.index)
            clean = self._conform(raw.iloc[used], self.columns)
            x = self._inputs(clean, complete, frame.columns.difference(given.columns, sort=False))
            if total is not None:
                total[:, used] = self._offset(clean, None if argument is None else argument[used])
        x = filled(x, used, len(frame))
        complete &= ~missing(x)
        if total is not None:
            complete &= ~missing(total)
        if isinstance(x, Gathered):
            x = filled(x.select(complete), np.flatnonzero(complete), len(frame))
        else:
            x[:, ~complete] = np.nan
        return NewData(ready(x), frame.index, total, complete)

    def encode_response(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the left-hand side on new data, as for prediction errors.

        Returns
        -------
        y : ndarray, shape (K, m)
            Internal units; NaN where missing.
        complete : ndarray of bool, shape (m,)
        """
        from neuralstat.formula.matrix import evaluate

        frame = self._extended(frames.as_frame(data), self.response_columns)
        raw = self._select(frame, self.response_columns)
        complete = ~frames.any_missing(raw)
        used = np.flatnonzero(complete)
        y = np.full((self.n_outputs, len(frame)), np.nan)
        if used.size:
            clean = self._conform(raw.iloc[used], self.response_kinds)
            values = [self._response(term, clean, evaluate) for term in self.responses]
            y[:, used] = self._code_response(values)
        return y, complete & ~np.isnan(y).any(axis=0)

    @property
    def has_offset(self) -> bool:
        """Whether the linear predictor has a known part."""
        return bool(self.offset_terms) or self.offset_kind != "none"

    # -- the steps of encoding --------------------

    def _frame(self, data: Any) -> pd.DataFrame:
        data = as_table(self.formula, frames.dense(data))
        if not is_unnamed(data):
            return frames.as_frame(data)
        names = self.raw_columns
        only = self.columns.get(names[0]) if len(names) == 1 else None
        return named(data, names, self.formula is None, () if only is None else only.shape)

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Columns that new data must have, in the order in which the model reads them."""
        made = {d.name: d.columns for d in self.derived}
        argument = () if self.offset_argument is None else (self.offset_argument,)
        read = (*self.covariates, *self.offset_columns, *argument)
        return tuple(dict.fromkeys(c for name in read for c in made.get(name, (name,))))

    def _extended(self, frame: pd.DataFrame, needed: Sequence[str]) -> pd.DataFrame:
        """The table with those derived columns that are needed."""
        made = [d for d in self.derived if d.name in needed]
        return derived.add_columns(frame, made, self.context, self.trusted) if made else frame

    def _offset_argument(self, offset: Any, frame: pd.DataFrame) -> np.ndarray | None:
        if offset is None and self.offset_kind == "none":
            return None
        if self.offset_kind == "none":
            raise ArgumentError(
                "offset: the model was fitted without the argument offset, so new data cannot have one."
            )
        if offset is None and self.offset_kind == "array":
            raise DataError(
                "offset: the model was fitted with an offset array; give offset= for the new rows too."
            )
        return vectors.vector(self.offset_argument if offset is None else offset, frame, "offset")

    def _select(self, frame: pd.DataFrame, needed: tuple[str, ...]) -> pd.DataFrame:
        missing = [name for name in needed if name not in frame.columns]
        if missing:
            raise DataError(
                f"data have no column {', '.join(map(repr, missing))}; "
                f"the model needs {', '.join(map(repr, needed))}."
            )
        return pd.DataFrame({name: frames.take(frame, name) for name in needed}, index=frame.index)

    def _conform(self, raw: pd.DataFrame, kinds: Mapping[str, Column]) -> pd.DataFrame:
        columns = {name: kinds[name].conform(frames.raw(raw[name], name), name) for name in raw.columns}
        for name, values in columns.items():
            frames.finite(values, name)
        return pd.DataFrame(columns, index=pd.RangeIndex(len(raw)))

    def _inputs(self, clean: pd.DataFrame, complete: np.ndarray, fresh: Collection[str] = ()) -> np.ndarray:
        from neuralstat.formula.matrix import apply_matrix

        if not complete.all():
            rows.refuse_gaps(self.matrix)
        x = with_arrays(self.tensors, clean, apply_matrix(self.matrix, clean, self.scope()), fresh)
        check_inputs(x, self.x_names)
        self._warn_new_levels(x)
        if self.scaling is not None:
            x = self.scaling.x_internal(x)
        return x

    def _warn_new_levels(self, x: np.ndarray) -> None:
        """Warn where an embedding has no coordinates for a level; effects of such levels are 0, as in the population."""
        embedded = [e for s in self.specials if s.kind in ("embedding", "network") for e in s.exprs]
        for expr in sorted({e for e in embedded if e.startswith("codes(")}):
            count = len(self.matrix.transforms[expressions.compiled(expr)[0]]["names"])
            new = int(np.sum(x[self.terms[expressions.display(expr)][0]] == count))
            if new:
                columns = ", ".join(map(repr, expressions.names(expr)))
                warnings.warn(
                    f"column {columns}: {new} row(s) have levels that were not there at the fit; embed() takes the mean of "
                    "the others' coordinates for them.", DataWarning, stacklevel=caller(),
                )  # fmt: skip

    def _offset(self, clean: pd.DataFrame, argument: np.ndarray | None) -> np.ndarray:
        from neuralstat.formula.matrix import evaluate

        total = np.zeros((self.n_offsets, len(clean)))
        for expr in self.offset_terms:
            state = self.transforms.get(expr, {})
            total += rows.offset_values(
                evaluate(expr, clean, self.scope(), copy.deepcopy(state)), expr, len(clean)
            )
        if argument is not None:
            total += rows.broadcast_offset(argument, self.n_offsets)
        check_sizes(total, ("offset",) * len(total))
        return total if self.scaling is None else total / self.scaling.y_sd[: len(total), None]

    def _response(self, term: ResponseTerm, clean: pd.DataFrame, evaluate: Any) -> Any:
        if term.method == "lookup":
            return clean[term.expr]
        expr = term.expr
        return evaluate(expr, clean, self.scope(), copy.deepcopy(self.transforms.get(expr, {})))

    def _code_response(self, values: list[Any]) -> np.ndarray:
        if self.classes is not None:
            column = as_series(values[0], self.response, len(values[0]))
            y = indicator(column, self.classes, len(self.y_names) == 1, self.response)
        else:
            _, values = response_rows(self.responses, values, self.derived)
            y = np.array([floats(v, f"response {self.response!r}") for v in values])
            check_sizes(y, self.y_names)
        if self.scaling is not None:
            y = self.scaling.y_internal(y)
        return y


def response_rows(
    terms: Sequence[ResponseTerm], values: Sequence[Any], made: Sequence[Derived]
) -> tuple[tuple[ResponseTerm, ...], list[Any]]:
    """Response terms and values with every array per row divided into its elements, one output each."""
    by_name = {d.name: d for d in made}
    out_terms: list[ResponseTerm] = []
    out_values: list[Any] = []
    for term, column in zip(terms, values, strict=True):
        if not is_tensor(column):
            out_terms.append(term)
            out_values.append(column)
            continue
        array = column.array.values
        known = by_name.get(term.expr)
        names = element_names(term.label, array.shape[1:]) if known is None else known.tensor.elements
        out_terms += [ResponseTerm(name, name, "lookup") for name in names]
        out_values += [pd.Series(row) for row in array.reshape(len(array), -1).T.astype(np.float64)]
    return tuple(out_terms), out_values
