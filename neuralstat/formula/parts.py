"""The pieces that formulas give and take: designs, encoded new data, scalings, kinds of columns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import DataError
from neuralstat.formula import frames
from neuralstat.formula.gathered import Gathered
from neuralstat.formula.tensors import is_tensor

if TYPE_CHECKING:
    from neuralstat.formula.spec import Spec


@dataclass(frozen=True, eq=False)
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

    @property
    def of_inputs(self) -> bool:
        """Whether some covariate is centred or scaled."""
        return bool(np.any(self.x_mean != 0) or np.any(self.x_sd != 1))

    def x_internal(self, x: np.ndarray) -> np.ndarray:
        """Scale covariates, shape (D, n); the array itself where none is scaled."""
        if self.of_inputs and isinstance(x, Gathered):
            return x.scaled(self.x_mean, self.x_sd)
        if not self.of_inputs:
            return x
        out = x - self.x_mean[:, None]
        return np.divide(out, self.x_sd[:, None], out=out)  # one array beside the given one

    def y_internal(self, y: np.ndarray) -> np.ndarray:
        """Scale responses, shape (K, n)."""
        return (y - self.y_mean[:, None]) / self.y_sd[:, None]

    def y_original(self, y: np.ndarray) -> np.ndarray:
        """Bring responses, shape (..., K, n), back to original units."""
        return y * self.y_sd[:, None] + self.y_mean[:, None]


@dataclass(frozen=True)
class Column:
    """A raw column as it was at the fit: its kind and, for factors, the levels seen.

    Attributes
    ----------
    kind : {"numeric", "boolean", "string", "category", "tensor", "time"}
    levels : tuple
        Empty unless the column is a factor.
    ordered : bool
    shape : tuple of int
        Of a row of a tensor.
    """

    kind: str
    levels: tuple[Any, ...] = ()
    ordered: bool = False
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, values: pd.Series) -> "Column":
        """Describe a plain column."""
        if is_tensor(values):
            return cls("tensor", shape=values.dtype.shape)
        if frames.is_time(values):
            return cls("time")
        if isinstance(values.dtype, pd.CategoricalDtype):
            return cls("category", tuple(values.cat.categories.tolist()), bool(values.cat.ordered))
        if values.dtype == object:
            return cls("string", tuple(sorted(pd.unique(values))))
        return cls("boolean" if values.dtype == bool else "numeric")

    def example(self, n: int) -> Any:
        """n values of the kind."""
        if self.kind == "tensor":
            return np.ones((n, *self.shape))
        if self.kind == "time":
            return pd.date_range("2000-01-01", periods=n)
        if self.kind == "category":
            return pd.Categorical(self.levels[:1] * n, categories=list(self.levels), ordered=self.ordered)
        return list(self.levels[:1] * n) if self.kind == "string" else np.full(n, self.kind == "boolean" or 1.0)

    def conform(self, values: pd.Series, name: str) -> pd.Series:
        """Make a plain column of new data like the fitted one; `DataError` where its kind or shape differs."""
        if (self.kind == "tensor") != is_tensor(values) or (is_tensor(values) and values.dtype.shape != self.shape):
            was = f"an array of shape {self.shape}" if self.kind == "tensor" else f"one {self.kind} value"
            now = f"an array of shape {values.dtype.shape}" if is_tensor(values) else f"one value ({values.dtype})"
            raise DataError(f"column {name!r} held {was} per row in the fitted data, and holds {now} now.")
        if (self.kind == "time") != frames.is_time(values):
            was = "dates or durations" if self.kind == "time" else f"{self.kind} values"
            raise DataError(f"column {name!r} held {was} in the fitted data, and holds {values.dtype} now.")
        if self.kind in ("tensor", "time"):
            return values
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


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Design:
    """The data of a fit as numbers, with what is needed to encode more data alike.

    n observations used of N, D columns of the model matrix without intercept, K outputs.

    Attributes
    ----------
    x : ndarray, shape (D, n)
        Covariates, one row per model-matrix column, in internal (scaled) units; C order.
    y : ndarray, shape (K, n)
        Responses in internal units; C order.
    x_names : tuple of str
        The D columns.
    y_names : tuple of str
        The K outputs; for a factor response with one output per level, the levels.
    terms : dict of str to tuple of int
        Right-hand-side term -> rows of `x` (a factor with c columns has c rows).
    classes : tuple or None
        Levels, where the response is one factor.
    response : str
        Text of the left-hand side.
    weights : ndarray, shape (n,), or None
        Case weights: what each row counts in the error, precision times frequency.
    offset : ndarray, shape (K, n), or None
        Known part of the linear predictor, in internal units.
    index, full_index : Index
        Labels of the n rows used, and of all N rows.
    kept : ndarray of bool, shape (N,)
        Which rows are used.
    scaling : Scaling or None
        None where `standardize` is False.
    spec : Spec
    frame : DataFrame
        Raw columns, n rows: the covariates, then columns that only offsets read. `encode(frame)` gives `x`
        again (with `offset=` where an array was given).
    frequencies : ndarray, shape (n,), or None
        How many equal observations each row stands for; None: one.
    groups : ndarray of int, shape (n,), or None
        The cluster of each row, numbered from 0 over all rows of the fit.
    reads : dict of str to tuple of int, or None
        Rows of `x` that parameters of a distribution depend on by formulas of their own; under "" those of the network. None:
        all are the network's.
    """

    x: np.ndarray
    y: np.ndarray
    x_names: tuple[str, ...]
    y_names: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    classes: tuple[Any, ...] | None
    response: str
    weights: np.ndarray | None
    offset: np.ndarray | None
    index: pd.Index
    full_index: pd.Index
    kept: np.ndarray
    scaling: Scaling | None
    spec: "Spec"
    frame: pd.DataFrame
    frequencies: np.ndarray | None = None
    groups: np.ndarray | None = None
    reads: dict[str, tuple[int, ...]] | None = None

    @property
    def away(self) -> bool:
        """Whether the rows are not on this machine; see `cluster.ClusterDesign`."""
        return False

    @property
    def observations(self) -> float:
        """Observations that the rows stand for; as in R, a row of weight 0 is none."""
        if self.frequencies is None:
            return float(self.y.shape[1] if self.weights is None else np.count_nonzero(self.weights))
        return float(self.frequencies.sum() if self.weights is None else self.frequencies[self.weights > 0].sum())

    @property
    def counted(self) -> float:
        """Rows that means of errors are over, each as often as its frequency says; those of weight 0 are among them."""
        return float(self.y.shape[1] if self.frequencies is None else self.frequencies.sum())

    @property
    def n_groups(self) -> int:
        """G, clusters that have an observation; 0 where rows are not grouped."""
        if self.groups is None:
            return 0
        return int(np.unique(self.groups if self.weights is None else self.groups[self.weights > 0]).size)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the tensor terms of one observation, joined; ``(D,)`` where there are none.

        Raises
        ------
        DataError
            Where their shapes differ in more than the last axis.
        """
        return self.spec.input_shape

    @property
    def n_beside(self) -> int:
        """Tabular inputs beside the tensor terms; 0 where there are no tensor terms."""
        return self.spec.n_beside

    @property
    def covariates(self) -> tuple[str, ...]:
        """Raw columns that the covariate terms read."""
        return self.spec.covariates

    def encode(self, data: Any, *, offset: Any = None) -> NewData:
        """Turn new data into inputs; see `Spec.encode`."""
        return self.spec.encode(data, offset=offset)

    def encode_response(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the left-hand side on new data; see `Spec.encode_response`."""
        return self.spec.encode_response(data)
