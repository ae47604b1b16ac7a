"""Variables of more than one dimension: a pandas column that holds an array per row, and its place among the inputs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype


class TensorDtype(ExtensionDtype):
    """Kind of a column whose every element is an array of one shape.

    Parameters
    ----------
    shape : tuple of int
        Of one row.
    """

    type = np.ndarray
    kind = "O"
    na_value = np.nan
    _metadata = ("shape",)

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(int(s) for s in shape)

    @property
    def name(self) -> str:
        """``tensor(8, 8)``."""
        return f"tensor{self.shape}"

    @classmethod
    def construct_array_type(cls) -> Any:
        """The array that holds such elements."""
        return TensorArray


class TensorArray(ExtensionArray):
    """n arrays of one shape, as pandas wants a column; a row with a NaN anywhere is missing.

    It cannot be changed, so that copies share memory.

    Parameters
    ----------
    values : array of shape (n, ...)
        Numbers or booleans, not copied.
    owned : bool
        Whether nobody else may change them, as they may their own array.
    """

    def __init__(self, values: np.ndarray, owned: bool = False) -> None:
        self.values, self.owned = np.asarray(values), owned

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> "TensorArray":
        shape = dtype.shape if dtype is not None else next(s.shape for s in scalars if hasattr(s, "shape"))
        rows = [np.full(shape, np.nan) if np.ndim(s) == 0 else np.asarray(s) for s in scalars]
        return cls(np.stack(rows) if rows else np.zeros((0, *shape)))

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence["TensorArray"]) -> "TensorArray":
        return cls(np.concatenate([a.values for a in to_concat]))

    @property
    def dtype(self) -> TensorDtype:
        """The shape of a row."""
        return TensorDtype(self.values.shape[1:])

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.values.nbytes

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, tuple):
            (item,) = item
        if isinstance(item, int | np.integer):
            return self.values[item]
        at = pd.api.indexers.check_array_indexer(self, item)
        return type(self)(self.values[at], self.owned or not isinstance(at, slice))

    @property
    def flat(self) -> np.ndarray:
        """(n, elements) array, of no rows too."""
        return self.values.reshape(len(self), int(np.prod(self.values.shape[1:])))

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, TensorArray):
            return NotImplemented
        return (self.values == other.values).all(axis=tuple(range(1, self.values.ndim)))

    def isna(self) -> np.ndarray:
        """Rows that miss a number."""
        if self.values.dtype.kind != "f":
            return np.zeros(len(self), bool)
        with np.errstate(invalid="ignore"):  # the largest of numbers with a NaN is NaN: no array of flags
            return np.isnan(self.values.max(axis=tuple(range(1, self.values.ndim))))

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> "TensorArray":
        """Rows by position; -1 is a missing row with `allow_fill`."""
        indices = np.asarray(indices, dtype=np.intp)
        if not allow_fill:
            return type(self)(self.values[indices])
        if np.any(indices < -1):
            raise ValueError("positions must be >= -1")
        if len(self) == 0 and np.any(indices >= 0):
            raise IndexError("cannot take from an empty column")
        gaps = indices < 0
        taken = self.values[np.where(gaps, 0, indices)] if len(self) else np.zeros((indices.size, *self.dtype.shape))
        if gaps.any():
            taken = taken.astype(np.float64)
            taken[gaps] = np.nan
        return type(self)(taken)

    def copy(self) -> "TensorArray":
        """The same values: they cannot be changed."""
        return type(self)(self.values, self.owned)

    def _formatter(self, boxed: bool = False) -> Any:
        return lambda value: f"<{' x '.join(map(str, np.shape(value)))}>"


def is_tensor(values: Any) -> bool:
    """Whether a column (or a dtype) is one of arrays."""
    return isinstance(getattr(values, "dtype", values), TensorDtype)


@dataclass(frozen=True)
class Tensor:
    """A term that is an array per row.

    Attributes
    ----------
    name : str
        The column.
    shape : tuple of int
        Of one row.
    elements : tuple of str
        Name of every element, the last index running fastest.
    scaled : bool
        Whether ``standardize=True`` may scale it (not the numbers of words).
    """

    name: str
    shape: tuple[int, ...]
    elements: tuple[str, ...]
    scaled: bool = True

    @property
    def size(self) -> int:
        """Numbers per row."""
        return math.prod(self.shape)


def element_names(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """``pixels[0,0]``, ``pixels[0,1]``, ..."""
    made = [f"{name}["]
    for axis, size in enumerate(shape):
        ends = [f"{k}]" if axis == len(shape) - 1 else f"{k}," for k in range(size)]
        made = [head + end for head in made for end in ends]
    return tuple(made)


def joint_shape(tensors: Sequence[Tensor]) -> tuple[int, ...] | None:
    """Shape of all tensor terms together, joined along the last axis; None where they do not fit or there is none."""
    shapes = [t.shape for t in tensors]
    if not shapes or any(s[:-1] != shapes[0][:-1] for s in shapes):
        return None
    return (*shapes[0][:-1], sum(s[-1] for s in shapes))


def tensor_rows(tensors: Sequence[Tensor]) -> list[np.ndarray]:
    """Rows of x that each tensor term has, shaped as the term.

    Tensor terms come before the others. Where they agree in all axes but the last, they are joined along it (lags of two
    variables are two features of one sequence); otherwise one follows the other.
    """
    joint = joint_shape(tensors)
    ends = np.cumsum([0, *(t.shape[-1] for t in tensors)])
    if joint is not None:
        rows = np.arange(math.prod(joint)).reshape(joint)
        return [rows[..., a:b] for a, b in pairwise(ends)]
    firsts = np.cumsum([0, *(t.size for t in tensors)])
    return [a + np.arange(t.size).reshape(t.shape) for a, t in zip(firsts[:-1], tensors, strict=True)]


def tensor_names(tensors: Sequence[Tensor]) -> Sequence[str]:
    """Names of the rows of x that tensor terms have."""
    if len(tensors) == 1:
        return tensors[0].elements
    names = np.empty(sum(t.size for t in tensors), dtype=object)
    for tensor, at in zip(tensors, tensor_rows(tensors), strict=True):
        names[at.ravel()] = tensor.elements
    return names.tolist()


def pooled_groups(tensors: Sequence[Tensor], n_rows: int, standardize: bool | str = True) -> np.ndarray:
    """(D,) number of the group of inputs that share one centre and scale; -1 for inputs that are not scaled.

    With ``standardize="auto"`` array terms are left as they are. Otherwise all elements of a tensor with the same last
    index (channel, feature) are one group: pixels of one channel, lags of one variable. Elements of a term of one axis,
    and tabular inputs, are groups of their own.
    """
    groups = np.arange(n_rows)
    for tensor, rows in zip(tensors, tensor_rows(tensors), strict=True):
        if not tensor.scaled or standardize == "auto":
            groups[rows.ravel()] = -1
        elif len(tensor.shape) > 1:
            for last in range(tensor.shape[-1]):
                own = rows[..., last].ravel()
                groups[own] = own[0]
    return groups
