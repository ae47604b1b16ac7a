"""Users' tables: anything tabular -> DataFrame, any dtype -> plain columns."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import as_array
from neuralstat.checks.values import attribute
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula.extremes import floats, unmasked
from neuralstat.formula.lazy import LazyArray, tensor_column
from neuralstat.formula.sources import is_source, is_sparse
from neuralstat.formula.tensors import TensorArray

ACCEPTED = "a pandas, polars or arrow table, a dict of arrays, or a record array"


def as_frame(data: Any, argument: str = "data") -> pd.DataFrame:
    """Convert a table of any supported kind to a DataFrame with string column names.

    Parameters
    ----------
    data : DataFrame, polars.DataFrame, pyarrow.Table, mapping of arrays, record array, xarray.Dataset
        Only eager tables. The first axis of an array of several dimensions is the rows; it becomes a column of arrays.
        Large arrays that are sparse (scipy's), mapped from files, or objects with ``read(rows)``, are read when needed.
        The variables of a Dataset have the rows as their common first dimension.
    argument : str
        Name used in messages.

    Returns
    -------
    DataFrame
        Not copied where `data` is one already and its column names are strings.

    Raises
    ------
    ArgumentError
        If `data` is not a table.
    DataError
        If columns have different lengths, or column names are not unique.
    """
    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, Mapping) and not hasattr(data, "data_vars"):
        frame = _from_mapping(data, argument)
    elif isinstance(data, np.ma.MaskedArray) and data.dtype.names:
        frame = _from_mapping({name: data[name] for name in data.dtype.names}, argument)
    elif isinstance(data, np.ndarray) and data.dtype.names:
        frame = pd.DataFrame.from_records(data)
    elif _is_dataset(data):
        frame = _from_dataset(data, argument)
    else:
        frame = _from_narwhals(data, argument)
    return _string_columns(frame, argument)


def is_table(data: Any) -> bool:
    """Whether `as_frame` takes something, or says what is to be done with it: a lazy table is one."""
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    if isinstance(data, pd.DataFrame | Mapping) or _is_dataset(data):
        return True
    import narwhals

    try:
        narwhals.from_native(data)
    except Exception:  # as in `_from_narwhals`
        return False
    return True


def _is_dataset(data: Any) -> bool:
    """Whether data are a Dataset of xarray."""
    return attribute(data, "data_vars") is not None and attribute(data, "to_dataframe") is not None


def dense(values: Any) -> Any:
    """A matrix or array of `scipy.sparse`, as scikit-learn's vectorizers give, with its zeros; anything else as it is."""
    return values.toarray() if type(values).__module__.startswith("scipy.sparse") else values


def _from_narwhals(data: Any, argument: str) -> pd.DataFrame:
    import narwhals

    try:
        table = narwhals.from_native(data)
    except Exception:  # a TypeError for what it does not know; attributes are anybody's code
        raise ArgumentError(f"{argument} must be {ACCEPTED}, not {type(data).__name__}.") from None
    if isinstance(table, narwhals.LazyFrame):
        raise ArgumentError(
            f"{argument} is a lazy table ({type(data).__name__}); call collect() on it first."
        )
    return table.to_pandas()


def _from_mapping(data: Mapping[Any, Any], argument: str) -> pd.DataFrame:
    columns: dict[Any, Any] = {}
    index: pd.Index | None = None
    for name, given in data.items():
        arrays = isinstance(given, np.ndarray) and given.ndim > 1 and not isinstance(given, np.ma.MaskedArray)
        if arrays or is_source(given) or is_sparse(given):
            columns[name] = tensor_column(given, str(name), argument)
            continue
        values = unmasked(dense(given), f"{argument}[{str(name)[:40]!r}]")
        if isinstance(values, pd.Series):
            if index is not None and not index.equals(values.index):
                raise DataError(
                    f"{argument}: the Series in the dict have different indexes ({name!r} differs)."
                )
            index = values.index
            values = values.reset_index(drop=True)
        elif not isinstance(values, pd.api.extensions.ExtensionArray | list | tuple | str):
            values = np.asarray(values)
            values = values.item() if values.ndim == 0 else values
        elif isinstance(values, list | tuple):
            as_array(values, f"{argument}[{name!r}]", "one value per row, of the same kind and shape")
        if not isinstance(values, TensorArray) and np.ndim(values) > 1:
            values = tensor_column(values, str(name), argument)
        columns[name] = values
    lengths = {name: len(values) for name, values in columns.items() if np.ndim(values) >= 1}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{argument}: columns have different lengths: {lengths}.")
    n = next(iter(lengths.values()), 1 if columns else 0)
    single = {name: series([values] * n) for name, values in columns.items() if name not in lengths}
    columns |= {k: v.infer_objects() for k, v in single.items()}
    frame = pd.DataFrame({k: series(v) if isinstance(v, list | tuple) else v for k, v in columns.items()}, index=range(n))
    return frame if index is None else frame.set_axis(index, axis=0)


def series(values: Any) -> pd.Series:
    """Values as pandas sees them; whole numbers that no float holds, of which pandas 2.1 makes floats, stay objects."""
    try:
        return pd.Series(values)
    except OverflowError:
        return pd.Series(values, dtype=object)


def _from_dataset(data: Any, argument: str) -> pd.DataFrame:
    """Variables of a Dataset whose first dimension is the rows; its labels are the index."""
    variables = {name: data[name] for name in data.data_vars}
    if len(data.sizes) == 1:
        return data.to_dataframe()
    rows = {name: v.dims[0] for name, v in variables.items() if v.ndim}
    first = next(iter(rows.values()), None)
    other = [name for name, dim in rows.items() if dim != first]
    if other:
        raise DataError(
            f"{argument}: the first dimension of every variable of the Dataset must be the rows; it is {first!r} of "
            f"{next(iter(rows))!r}, but {rows[other[0]]!r} of {other[0]!r}: use transpose({first!r}, ...)."
        )
    columns = {name: v.to_numpy() if v.ndim != 1 else v.to_series().reset_index(drop=True) for name, v in variables.items()}
    return _from_mapping(columns, argument).set_axis(data.get_index(first), axis=0)


def _string_columns(frame: pd.DataFrame, argument: str) -> pd.DataFrame:
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"{argument} has several levels of column names; flatten them to strings first.")
    if all(isinstance(c, str) for c in frame.columns):
        return frame
    renamed = frame.set_axis([str(c) for c in frame.columns], axis=1)
    if renamed.columns.nunique() < frame.columns.nunique():
        raise DataError(
            f"{argument}: column names are not unique once written as text: {list(frame.columns)}."
        )
    return renamed


def no_column(name: str, frame: pd.DataFrame) -> str:
    """Say that a column is not there, with a near miss or the columns that are."""
    known = list(frame.columns)
    near = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(map(repr, known[:30])) + (", ..." if len(known) > 30 else "")
    return (
        f"the data have no column {name!r:.80}. "
        + (f"Did you mean {near[0]!r}? " if near else "")
        + (f"Columns: {listed or 'none'}.")
    )


def take(frame: pd.DataFrame, name: str) -> pd.Series:
    """Select a column by name; `DataError` where the name occurs twice."""
    values = frame[name]
    if isinstance(values, pd.DataFrame):
        raise DataError(f"column {name!r} occurs {values.shape[1]} times in the data; names must be unique.")
    return values


def plain(values: pd.Series, name: str) -> pd.Series:
    """Convert a column without missing values to bool, int64, float64, str objects or a plain categorical.

    Small and unsigned integers would wrap around in arithmetic, nullable and arrow-backed columns are not
    understood by numpy functions, and string dtypes would enter a model matrix raw: after this, none is left.

    Raises
    ------
    DataError
        For dates, durations, complex numbers and mixtures, naming the column.
    """
    column = raw(values, name)
    if is_time(column):
        raise DataError(no_number(f"column {name!r}", name, values.dtype))
    return column


def no_number(what: str, expr: str, dtype: Any) -> str:
    """Say that dates or durations are no numbers, and how a formula makes some of them."""
    duration = getattr(dtype, "kind", "O") == "m" or "duration" in str(dtype)
    ways = ("dt.days", "dt.total_seconds()") if duration else ("dt.month", "dt.year")
    shown = expr if expr.isidentifier() else f"({expr})"
    parts = [f"{shown}.{way}" if expr.isidentifier() else f"{{{shown}.{way}}}" for way in ways]
    return (
        f"{what} has dtype {dtype}, which cannot enter a model; convert it to a number first, in the formula as "
        f"{' or '.join(parts)}, or as a column (for instance days since a date)."
    )


def is_time(values: Any) -> bool:
    """Whether a column (or a dtype) holds dates, durations or periods."""
    dtype = getattr(values, "dtype", values)
    return getattr(dtype, "kind", "O") in "mM" or isinstance(dtype, pd.PeriodDtype)


def raw(values: pd.Series, name: str) -> pd.Series:
    """As `plain`, but dates, durations and periods stay what they are: a term may make numbers of them."""
    dtype = values.dtype
    if isinstance(values.array, LazyArray):
        return pd.Series(values.array.copy(), name=name)
    if isinstance(values.array, TensorArray):
        array = values.array.values
        if array.dtype == np.float64 or array.dtype.itemsize < 8:  # all of these are floats exactly
            return pd.Series(values.array.copy(), name=name)
        return pd.Series(TensorArray(array.astype(np.float64), owned=True), name=name)
    if isinstance(dtype, pd.ArrowDtype) and "dictionary" in str(dtype):
        values = values.astype("category")
        dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _plain_categorical(values, name)
    kind = getattr(dtype, "kind", "O")
    if kind == "b":
        return pd.Series(values.to_numpy(dtype=bool), name=name)
    if kind == "f" or (kind == "u" and dtype.itemsize == 8):
        own = dtype if isinstance(dtype, np.dtype) else np.uint64 if kind == "u" else np.float64
        return pd.Series(floats(values.to_numpy(dtype=own), f"column {name!r}"), name=name)
    if kind in "iu":
        return pd.Series(values.to_numpy(dtype=np.int64), name=name)
    if kind == "c":
        raise DataError(
            f"column {name!r} has dtype {dtype}, which cannot enter a model; take its real part or its absolute value."
        )
    return _times(values, name) if holds_dates(values) else _plain_objects(values, name)


def holds_dates(values: pd.Series) -> bool:
    """Whether a column holds dates, durations or periods, of whatever dtype."""
    dtype = values.dtype
    arrow = isinstance(dtype, pd.ArrowDtype) and any(word in str(dtype) for word in ("timestamp", "date", "duration"))
    if is_time(dtype) or arrow:
        return True
    return pd.api.types.is_object_dtype(dtype) and pd.api.types.infer_dtype(values, skipna=False) in (
        "date", "datetime", "datetime64", "timedelta", "timedelta64", "period",
    )  # fmt: skip


def _times(values: pd.Series, name: str) -> pd.Series:
    """Dates, durations and periods by numpy's and pandas' own dtypes, whose parts ``.dt`` gives."""
    if isinstance(values.dtype, pd.ArrowDtype) or not is_time(values):
        listed = values.astype(object).tolist()
        try:
            made = pd.Series(listed, name=name)
            values = made if is_time(made) else pd.to_datetime(made)
        except (TypeError, ValueError) as error:
            raise DataError(f"column {name!r} holds dates that do not go together ({error}).") from error
    return pd.Series(values.array, index=pd.RangeIndex(len(values)), name=name)


def _plain_categorical(values: pd.Series, name: str) -> pd.Series:
    categorical = values.cat.remove_unused_categories().array
    levels = [_python(level) for level in categorical.categories]
    dtype = pd.CategoricalDtype(
        pd.Index(levels, dtype=object) if all(isinstance(v, str) for v in levels) else levels,
        categorical.ordered,
    )
    return pd.Series(pd.Categorical.from_codes(categorical.codes, dtype=dtype), name=name)


def _plain_objects(values: pd.Series, name: str) -> pd.Series:
    kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind in ("string", "empty"):
        return pd.Series(values.to_numpy(dtype=object), dtype=object, name=name)
    if kind == "boolean":
        return pd.Series(values.to_numpy(dtype=bool), name=name)
    if kind == "integer" and values.abs().max() < 2**63:
        return pd.Series(values.to_numpy(dtype=np.int64), name=name)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        if kind == "integer":
            return pd.Series(floats(values.to_numpy(dtype=object), f"column {name!r}"), name=name)
        return pd.Series([float(v) for v in values], dtype=np.float64, name=name)
    kinds = ", ".join(sorted({type(v).__name__ for v in values}))
    raise DataError(
        f"column {name!r} has dtype {values.dtype} and holds {kinds}; only numbers, booleans or strings can "
        "be used."
    )


def _python(value: Any) -> Any:
    if isinstance(value, np.str_):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def missing(values: pd.Series) -> np.ndarray:
    """Mark missing values, shape (N,): also NaN in nullable and arrow columns, which pandas tells from NA."""
    gaps = values.isna().to_numpy()
    if pd.api.types.is_extension_array_dtype(values.dtype) and pd.api.types.is_float_dtype(values.dtype):
        gaps = gaps | np.isnan(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return gaps


def any_missing(frame: pd.DataFrame) -> np.ndarray:
    """Mark rows that miss a value in some column, shape (N,)."""
    columns = [missing(frame[name]) for name in frame]
    return np.logical_or.reduce([np.zeros(len(frame), dtype=bool), *columns])


def is_factor(values: pd.Series) -> bool:
    """Tell whether a plain column is a factor: strings or categories."""
    return values.dtype == object or isinstance(values.dtype, pd.CategoricalDtype)


def finite(values: pd.Series, name: str) -> None:
    """Raise `DataError` where a plain numeric column holds infinities."""
    tensor = isinstance(values.array, TensorArray)
    if isinstance(values.array, LazyArray):
        return values.array.check_finite(name)
    array = values.array.flat if tensor else values.to_numpy()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = ~np.isfinite(array)
        count = int((bad.any(axis=1) if tensor else bad).sum())
        raise DataError(f"column {name!r} is infinite in {count} row(s); remove or recode them.")


def check_choice(value: Any, choices: Collection[Any], argument: str) -> None:
    """Raise `ArgumentError` unless `value` is one of `choices`."""
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        raise ArgumentError(f"{argument} must be one of {', '.join(map(repr, choices))}, not {value!r}.")
