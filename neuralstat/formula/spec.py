"""What a fitted formula remembers: enough to turn new data into the same inputs, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import frames
from neuralstat.formula.parse import ResponseTerm
from neuralstat.formula.response import indicator

if TYPE_CHECKING:
    from neuralstat.formula.matrix import MatrixState, Scope


@dataclass(frozen=True)
class Scaling:
    """Centres and scales of the internal units: internal = (original - mean) / sd.

    Attributes
    ----------
    x_mean, x_sd : ndarray, shape (D,)
    y_mean, y_sd : ndarray, shape (K,)
        0 and 1 unless the response is numeric and scaling it was asked for.
    """

    x_mean: np.ndarray
    x_sd: np.ndarray
    y_mean: np.ndarray
    y_sd: np.ndarray


@dataclass(frozen=True)
class Column:
    """A raw column as it was at the fit: its kind and, for factors, the levels seen.

    Attributes
    ----------
    kind : {"numeric", "boolean", "string", "category"}
    levels : tuple
        Empty unless the column is a factor.
    ordered : bool
    """

    kind: str
    levels: tuple[Any, ...] = ()
    ordered: bool = False

    @classmethod
    def of(cls, values: pd.Series) -> "Column":
        """Describe a plain column."""
        if isinstance(values.dtype, pd.CategoricalDtype):
            return cls("category", tuple(values.cat.categories.tolist()), bool(values.cat.ordered))
        if values.dtype == object:
            return cls("string", tuple(sorted(pd.unique(values))))
        return cls("boolean" if values.dtype == bool else "numeric")

    def conform(self, values: pd.Series, name: str) -> pd.Series:
        """Make a plain column of new data like the fitted one; `DataError` where its kind differs."""
        if self.kind in ("numeric", "boolean"):
            if frames.is_factor(values):
                raise DataError(
                    f"column {name!r} was {self.kind} in the fitted data and holds strings or categories now."
                )
            return values
        items = values.astype(object)
        if self.kind == "string":
            return items
        unseen = [level for level in pd.unique(items) if level not in self.levels]
        # unseen levels are kept here: whether they matter depends on the term that uses the column
        return pd.Series(pd.Categorical(items, [*self.levels, *unseen], ordered=self.ordered), name=name)


@dataclass(frozen=True)
class NewData:
    """Inputs made from new data.

    Attributes
    ----------
    x : ndarray, shape (D, m)
        Internal units; NaN in rows that are not complete.
    index : Index
        Labels of the m rows.
    offset : ndarray, shape (K, m), or None
        Internal units.
    complete : ndarray of bool, shape (m,)
        Rows without missing values.
    """

    x: np.ndarray
    index: pd.Index
    offset: np.ndarray | None
    complete: np.ndarray


@dataclass(frozen=True)
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
    """

    formula: str | None
    response: str
    responses: tuple[ResponseTerm, ...]
    y_names: tuple[str, ...]
    y_kinds: tuple[str, ...]
    classes: tuple[Any, ...] | None
    matrix: "MatrixState"
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

    @property
    def n_outputs(self) -> int:
        """Number K of outputs."""
        return len(self.y_names)

    def scope(self) -> "Scope":
        """Give the names that expressions may read."""
        from neuralstat.formula.matrix import Scope

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

        Columns are matched by name, in any order; others are ignored. A model made from arrays also takes an
        array with its columns in the order of the fit.

        Parameters
        ----------
        data : table, or array of shape (m, columns) for a model made from arrays
        offset : array of length m or column name, optional
            Replaces the `offset` argument of the fit (not the ``offset()`` terms of the formula). Needed where
            the fit was given an array.

        Returns
        -------
        NewData

        Raises
        ------
        DataError
            If a column is missing or of another kind, a level was not there at the fit, a value is infinite, or
            the offset is needed and not given.
        """
        frame = self._frame(data)
        argument = self._offset_argument(offset, frame)
        needed = tuple(dict.fromkeys((*self.covariates, *self.offset_columns)))
        raw = self._select(frame, needed, self.columns)
        complete = ~raw.isna().to_numpy().any(axis=1)
        if argument is not None:
            complete &= ~np.isnan(argument.reshape(len(frame), -1)).any(axis=1)
        rows = np.flatnonzero(complete)
        clean = self._conform(raw.iloc[rows], self.columns)

        x = np.full((len(self.x_names), len(frame)), np.nan)
        total = np.full((self.n_outputs, len(frame)), np.nan) if self.has_offset else None
        if rows.size:
            x[:, rows] = self._inputs(clean, complete)
            if total is not None:
                total[:, rows] = self._offset(clean, None if argument is None else argument[rows])
        complete &= ~np.isnan(x).any(axis=0)
        if total is not None:
            complete &= ~np.isnan(total).any(axis=0)
        x[:, ~complete] = np.nan
        return NewData(np.ascontiguousarray(x), frame.index, total, complete)

    def encode_response(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the left-hand side on new data, as for prediction errors.

        Returns
        -------
        y : ndarray, shape (K, m)
            Internal units; NaN where missing.
        complete : ndarray of bool, shape (m,)
        """
        from neuralstat.formula.matrix import evaluate

        frame = frames.as_frame(data)
        raw = self._select(frame, self.response_columns, self.response_kinds)
        complete = ~raw.isna().to_numpy().any(axis=1)
        rows = np.flatnonzero(complete)
        y = np.full((self.n_outputs, len(frame)), np.nan)
        if rows.size:
            clean = self._conform(raw.iloc[rows], self.response_kinds)
            values = [self._response(term, clean, evaluate) for term in self.responses]
            y[:, rows] = self._code_response(values)
        return y, complete & ~np.isnan(y).any(axis=0)

    @property
    def has_offset(self) -> bool:
        """Whether the linear predictor has a known part."""
        return bool(self.offset_terms) or self.offset_kind != "none"

    # -- the steps of encoding -----------------------------------------------------------------------------

    def _frame(self, data: Any) -> pd.DataFrame:
        if (
            self.formula is None
            and isinstance(data, np.ndarray | list | tuple)
            and not getattr(data, "dtype", None).__class__.__name__.startswith("Void")
        ):
            array = np.asarray(data)
            if array.ndim == 1 and len(self.covariates) == 1:
                array = array[:, None]
            if array.ndim != 2 or array.shape[1] != len(self.covariates):
                raise DataError(
                    f"data has shape {array.shape}; {len(self.covariates)} column(s) are needed: "
                    f"{', '.join(map(repr, self.covariates))}."
                )
            return pd.DataFrame(array, columns=list(self.covariates))
        return frames.as_frame(data)

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
        return frames.vector(self.offset_argument if offset is None else offset, frame, "offset")

    def _select(
        self, frame: pd.DataFrame, needed: tuple[str, ...], kinds: Mapping[str, Column]
    ) -> pd.DataFrame:
        missing = [name for name in needed if name not in frame.columns]
        if missing:
            raise DataError(
                f"data have no column {', '.join(map(repr, missing))}; the model needs {', '.join(map(repr, needed))}."
            )
        return pd.DataFrame({name: frames.take(frame, name) for name in needed}, index=frame.index)

    def _conform(self, raw: pd.DataFrame, kinds: Mapping[str, Column]) -> pd.DataFrame:
        columns = {name: kinds[name].conform(frames.plain(raw[name], name), name) for name in raw.columns}
        for name, values in columns.items():
            frames.finite(values, name)
        return pd.DataFrame(columns, index=pd.RangeIndex(len(raw)))

    def _inputs(self, clean: pd.DataFrame, complete: np.ndarray) -> np.ndarray:
        from neuralstat.formula.matrix import apply_matrix

        if not complete.all():
            refuse_gaps(self.matrix, clean)
        x = apply_matrix(self.matrix, clean, self.scope())
        refuse_infinite(x, self.x_names)
        if self.scaling is not None:
            x = (x - self.scaling.x_mean[:, None]) / self.scaling.x_sd[:, None]
        return x

    def _offset(self, clean: pd.DataFrame, argument: np.ndarray | None) -> np.ndarray:
        from neuralstat.formula.matrix import evaluate

        total = np.zeros((self.n_outputs, len(clean)))
        for expr in self.offset_terms:
            state = self.transforms.get(expr, {})
            total += offset_values(evaluate(expr, clean, self.scope(), dict(state)), expr, len(clean))
        if argument is not None:
            total += broadcast_offset(argument, self.n_outputs)
        refuse_infinite(total, tuple("offset" for _ in total))
        return total if self.scaling is None else total / self.scaling.y_sd[:, None]

    def _response(self, term: ResponseTerm, clean: pd.DataFrame, evaluate: Any) -> Any:
        if term.method == "lookup" and term.expr in clean.columns:
            return clean[term.expr]
        expr = term.expr if term.method == "python" else f"`{term.expr}`"
        return evaluate(expr, clean, self.scope(), dict(self.transforms.get(expr, {})))

    def _code_response(self, values: list[Any]) -> np.ndarray:
        if self.classes is not None:
            from neuralstat.formula.response import as_series

            column = as_series(values[0], self.response, len(values[0]))
            y = indicator(column, self.classes, len(self.y_names) == 1, self.response)
        else:
            y = np.array([np.asarray(v, dtype=np.float64) for v in values])
        if self.scaling is not None:
            y = (y - self.scaling.y_mean[:, None]) / self.scaling.y_sd[:, None]
        return y


def offset_values(values: Any, expr: str, n: int) -> np.ndarray:
    """Check that an ``offset()`` term gives one number per row, shape (n,)."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"offset({expr}) is not numeric.") from None
    if array.ndim > 1 or (array.ndim == 1 and len(array) != n):
        raise DataError(f"offset({expr}) has shape {array.shape}; one number per row ({n}) is needed.")
    return np.broadcast_to(array, (n,))


def broadcast_offset(argument: np.ndarray, n_outputs: int) -> np.ndarray:
    """Give the offset argument, (n,) or (n, K), as (K, n) or (1, n)."""
    if argument.ndim == 2 and argument.shape[1] not in (1, n_outputs):
        raise DataError(f"offset has {argument.shape[1]} columns; the model has {n_outputs} output(s).")
    return argument[None, :] if argument.ndim == 1 else argument.T


def refuse_infinite(rows: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise `DataError` naming the first row of a (D, n) matrix that is infinite somewhere."""
    infinite = np.isinf(rows).any(axis=1)
    if infinite.any():
        row = int(np.argmax(infinite))
        count = int(np.isinf(rows[row]).sum())
        raise DataError(
            f"term {names[row]!r} is infinite in {count} row(s), as log(0) would be; drop or recode these rows."
        )


def uses_lag(matrix: "MatrixState") -> bool:
    """Whether some term shifts rows."""
    from neuralstat.formula import expressions

    return any(
        "lag" in expressions.names(expr)
        for t in matrix.terms
        for expr, method in t.factors
        if method == "python"
    )


def refuse_gaps(matrix: "MatrixState", clean: pd.DataFrame) -> None:
    """Raise `DataError` where rows were dropped and a term shifts rows, since it would reach across the gaps."""
    if uses_lag(matrix) and "lag" not in clean.columns:
        raise DataError("lag() needs rows without gaps: remove or fill the rows with missing values first.")
