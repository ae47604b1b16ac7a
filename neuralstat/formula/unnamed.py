"""New data without names of columns: arrays, lists, Series, where it is clear what they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import check_size
from neuralstat.errors import DataError
from neuralstat.formula import frames
from neuralstat.formula.extremes import unmasked


def is_unnamed(data: Any) -> bool:
    """Whether data are values without column names: an array, list, Series, ..., and no table."""
    if isinstance(data, np.ndarray):
        return data.dtype.names is None and data.ndim > 0
    if isinstance(data, list | tuple | range | pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return True
    try:
        table = isinstance(data, Mapping) or any(hasattr(data, name) for name in ("columns", "column_names", "data_vars"))
        return hasattr(data, "__array__") and not table and np.ndim(data) > 0
    except Exception:  # attributes are anybody's code
        return False


def named(data: Any, names: Sequence[str], ordered: bool, shape: tuple[int, ...] = ()) -> pd.DataFrame:
    """The columns that unnamed values are.

    Parameters
    ----------
    data : array, list, Series, ...
        Values of the one column that is needed, as R's ``compute(nn, vector)`` takes them, or, with `ordered`, as many
        columns as are needed, in their order.
    names : sequence of str
        Columns that are needed.
    ordered : bool
        Whether columns have an order: where the model was made from arrays.
    shape : tuple of int
        Of a row, where the one column is of arrays.

    Raises
    ------
    DataError
        Where it is not clear which column is which.
    """
    needed = ", ".join(map(repr, names))
    if isinstance(data, pd.Series):
        if not pd.api.types.is_numeric_dtype(data.index.dtype) and len(data) and set(names) <= set(data.index):
            raise DataError(
                f"data is a Series whose labels are the columns {needed}, one row: give it as a table, by "
                "series.to_frame().T, or as data.iloc[[i]]."
            )
        if len(names) == 1:
            return data.to_frame(names[0])
        raise DataError(f"data is one column ({data.name!r}), but the model needs {len(names)} column(s): {needed}.")
    values = _array(data)
    if len(names) == 1:
        if shape and values.ndim > 1:
            return frames.as_frame({names[0]: values})
        if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
            return pd.DataFrame({names[0]: values if values.ndim == 1 else values[:, 0]})
    elif ordered and values.ndim == 2 and values.shape[1] == len(names):
        return pd.DataFrame(values, columns=list(names))
    if ordered or len(names) == 1:
        raise DataError(f"data has shape {values.shape}; {len(names)} column(s) are needed: {needed}.")
    raise DataError(
        f"data has shape {values.shape}, but the formula reads {needed or 'no columns'} by name: give a table, as "
        f"pandas.DataFrame(values, columns=[{needed}])."
    )


def _array(data: Any) -> Any:
    if isinstance(data, pd.MultiIndex):
        raise DataError("data is an index of several levels; give a table with a column for each.")
    if isinstance(data, pd.Index):
        return data.array
    data = unmasked(data)
    if isinstance(data, pd.api.extensions.ExtensionArray):
        return data
    if isinstance(data, range):
        check_size(len(data), "data")
    try:
        return np.asarray(data)
    except Exception as error:  # of several lengths, or the rows' own
        raise DataError(f"data is a list whose rows differ in length ({error!s:.200}).") from None
