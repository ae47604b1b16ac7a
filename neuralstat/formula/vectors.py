"""Vectors beside a table: weights, offsets and groups as numbers, aligned to its rows."""

from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import as_array
from neuralstat.errors import DataError
from neuralstat.formula import frames
from neuralstat.formula.extremes import floats, unmasked
from neuralstat.formula.tensors import is_tensor

_PER_ROW = "one number per row of the data"


def vector(values: Any, frame: pd.DataFrame, argument: str) -> np.ndarray:
    """Turn `weights` or `offset` (column name, array or Series) into floats of the data's full length.

    Returns
    -------
    ndarray
        Shape (N,), or (N, K) where a two-dimensional array was given; NaN where missing.

    Raises
    ------
    DataError
        If the column does not exist, is not numeric, or lengths or index labels differ.
    """
    if isinstance(values, str):
        if values not in frame.columns:
            raise DataError(f"{argument}: {frames.no_column(values, frame)}")
        values = frames.take(frame, values)
    elif isinstance(values, pd.Series | pd.DataFrame):
        values = _align(values, frame.index, argument)
    if not isinstance(values, pd.Series):
        values = as_array(unmasked(values, argument), argument, _PER_ROW)
        if values.ndim == 1 and values.dtype.kind not in "biuf":
            if values.dtype.names:
                raise DataError(f"{argument} must be numeric, not records.")
            if values.dtype.kind in "mMc":
                raise DataError(f"{argument} must be numeric, not {values.dtype}.")
            values = frames.series(values)
    array = numbers(values, argument) if isinstance(values, pd.Series) else values
    if array.ndim not in (1, 2) or len(array) != len(frame):
        raise DataError(f"{argument} has shape {array.shape}, but the data have {len(frame)} rows.")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{argument} must be numeric, not {array.dtype}.")
    return floats(array, argument)


def aligned(values: Any, index: pd.Index, argument: str) -> np.ndarray:
    """An argument with one value (or one row of values) per row of the data, in their order.

    Raises
    ------
    DataError
        Where lengths or index labels differ.
    """
    if isinstance(values, pd.Series | pd.DataFrame):
        values = _align(values, index, argument)
    array = as_array(unmasked(values, argument), argument, _PER_ROW)
    if array.ndim == 0 or len(array) != len(index):
        raise DataError(f"{argument} has shape {array.shape}, but the data have {len(index)} rows.")
    return array


def numbers(values: pd.Series, argument: str) -> np.ndarray:
    """Floats of a column that may miss some, shape (N,); NaN where missing.

    Raises
    ------
    DataError
        Where the column holds arrays, levels, texts or times.
    """
    if is_tensor(values):
        raise DataError(f"{argument} has the shape {values.dtype.shape} per row; one number per row is needed.")
    gaps = frames.missing(values)
    known = frames.raw(values[~gaps].reset_index(drop=True), argument)
    if (frames.is_factor(known) or frames.is_time(known)) and len(known):
        raise DataError(f"{argument} must be numeric, not {values.dtype}.")
    array = np.full(len(values), np.nan)
    array[~gaps] = floats(known.to_numpy(), argument) if len(known) else []
    return array


def _align(values: Any, index: pd.Index, argument: str) -> Any:
    if values.index.equals(index):
        return values
    if values.index.is_unique and index.is_unique and len(index.difference(values.index)) == 0:
        return values.reindex(index)
    raise DataError(
        f"{argument}: its index labels are not those of the data; give a Series indexed as the data, "
        "or an array."
    )
