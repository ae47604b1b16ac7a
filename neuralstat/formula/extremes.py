"""What would be lost without a word: masks, whole numbers that floats do not tell apart, squares that are no numbers."""

from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import check_size
from neuralstat.errors import DataError

LARGEST = 1e150  # its square, summed over rows, is still a number
LEAST = 1 / LARGEST
EXACT = 2**53  # up to here every whole number is a float
WEIGHTS = (1e-100, 1e100)  # the largest weight lies between these


def unmasked(values: Any, what: str = "data") -> Any:
    """A masked array with what is masked missing; anything else as it is.

    Returns
    -------
    array
        Floats with NaN (all arrays of several dimensions), pandas' nullable integers and booleans, or objects with None.

    Raises
    ------
    TooLargeError
        Where an array, which may be a view of few numbers, has no room as floats.
    """
    if isinstance(values, np.ndarray):
        check_size(values.size, f"{what} of shape {values.shape}")
    elif isinstance(values, range):  # the length of one may be no number that Python's len gives
        check_size((values.stop - values.start) // values.step, what)
    if not isinstance(values, np.ma.MaskedArray) or values.dtype.names:
        return values
    plain, mask = np.array(values.data), np.ma.getmaskarray(values)
    if not mask.any():
        return plain
    kind = plain.dtype.kind
    if values.ndim == 1 and kind in "iu":
        return pd.arrays.IntegerArray(plain.astype(plain.dtype.newbyteorder("=")), mask)
    if values.ndim == 1 and kind == "b":
        return pd.arrays.BooleanArray(plain, mask)
    if kind in "biuf":
        return np.where(mask, np.nan, plain.astype(np.float64))
    plain = plain.astype(object)
    plain[mask] = None
    return plain


def floats(values: Any, what: str) -> np.ndarray:
    """Numbers as float64, of any shape.

    Raises
    ------
    DataError
        Where different numbers would become one: whole numbers beyond 2**53, numbers of more digits than floats have; and
        for numbers beyond all floats.
    """
    array = np.asarray(values)
    if array.dtype.kind == "O" and array.size and all(isinstance(v, int | np.integer) for v in array.ravel()):
        wide = any(abs(int(v)) > EXACT for v in array.ravel())
    else:
        wide = array.dtype.kind in "iu" and array.dtype.itemsize == 8 and bool(np.any((array > EXACT) | (array < -EXACT)))
        wide = wide or (array.dtype.kind == "f" and array.dtype.itemsize > 8)
    try:
        with np.errstate(over="ignore"):
            made = np.asarray(array, dtype=np.float64)
    except OverflowError:
        raise DataError(f"{what} holds whole numbers that are too large for a float.") from None
    if wide and np.unique(made).size < np.unique(array).size:
        raise DataError(
            f"{what} has different numbers that would become one: floating-point numbers tell whole numbers apart up to "
            "2**53. Subtract a constant first, or use strings where they are labels."
        )
    return made


def check_sizes(rows: np.ndarray, names: tuple[str, ...], kind: str = "term") -> None:
    """Raise `DataError` naming the first row of a (D, n) matrix with a number that is infinite, or cannot be squared."""
    if not rows.size:
        return
    with np.errstate(invalid="ignore"):
        most = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    if np.isnan(most).any():
        known = np.where(np.isnan(rows), 0.0, rows)
        most = np.maximum(known.max(axis=1), -known.min(axis=1))
    large = most > LARGEST
    if not large.any():
        return
    row = int(np.argmax(large))
    what, count = f"{kind} {names[row]!r}", int(np.isinf(rows[row]).sum())
    if count:
        raise DataError(f"{what} is infinite in {count} row(s), as log(0) would be; drop or recode these rows.")
    raise DataError(f"{what} holds numbers as large as {most[row]:.3g}, whose squares are no numbers: measure it in larger "
                    f"units, as {{{names[row]} / {most[row]:.0e}}}.")  # fmt: skip


def check_spread(rows: np.ndarray, names: tuple[str, ...], kind: str = "term") -> None:
    """Raise `DataError` naming the first row of a (D, n) matrix that varies by so little that squares of it are 0."""
    spread = rows.max(axis=1) - rows.min(axis=1) if rows.size else np.zeros(len(rows))
    small = (spread > 0) & (spread < LEAST)
    if small.any():
        row = int(np.argmax(small))
        raise DataError(f"{kind} {names[row]!r} varies by {spread[row]:.3g} only, whose square is 0: measure it in smaller "
                        f"units, as {{{names[row]} / {spread[row]:.0e}}}.")  # fmt: skip
