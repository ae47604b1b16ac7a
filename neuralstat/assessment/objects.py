"""Any object with fit and predict, as those of scikit-learn, as a procedure that can be refitted."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..checks import shown
from ..checks.values import told
from ..errors import ArgumentError, DataError
from .losses import Target


def kept_rows(values: Any, name: str, kept: np.ndarray, frame: Any = None) -> np.ndarray:
    """(n,) values of the rows used, from n or N values or a column's name.

    Raises
    ------
    ArgumentError
        Where neither fits.
    """
    if isinstance(values, str):
        if frame is None or values not in frame.columns:
            known = "" if frame is None else f" (it reads {', '.join(map(repr, frame.columns)) or 'none'})"
            raise ArgumentError(
                f"{name}: {shown(values)} is no column that the model reads{known}, and others are not kept: give its "
                f"{kept.size} values, as in {name}=data[{shown(values)}]."
            )
        return np.asarray(frame[values])
    try:
        array = np.asarray(values)
        pd.factorize(array.ravel())  # which compares and hashes them, as all uses do
    except Exception:  # of any object's own methods
        raise ArgumentError(f"{name} must be {kept.size} values, one per row, that can be told apart; got {shown(values)}.") \
            from None  # fmt: skip
    if array.ndim == 1 and array.size == kept.size:
        return array[kept]
    if array.ndim == 1 and array.size == kept.sum():
        return array
    raise ArgumentError(f"{name} must have {kept.size} values, one per row; got shape {array.shape}.")


class EstimatorProcedure:
    """Any object with fit(X, y) and predict(X): cloned (or copied) and refitted on parts of the data."""

    groups: np.ndarray | None = None
    groups_name: str | None = None

    def __init__(self, source: Any, x: Any, y: Any, loss: Any) -> None:
        self.source = source
        if x is None or y is None:
            raise ArgumentError("risk of an object with fit and predict needs x= and y=, its data.")
        self.x = x if isinstance(x, pd.DataFrame | pd.Series) else _array(x, "x")
        self.response = response = _array(y, "y")
        self.n = len(response)
        if len(self.x) != self.n:
            raise ArgumentError(f"x has {len(self.x)} rows, y {self.n}.")
        if self.n < 2:
            raise ArgumentError("y must have 2 values or more.")
        self.weights = np.ones(self.n)
        numeric = response.dtype.kind in "fiub"
        if numeric and not np.isfinite(response).all():
            raise DataError("y: some values are missing or infinite.")
        self.classifier = getattr(source, "_estimator_type", None) == "classifier" or not numeric
        if not self.classifier:
            try:
                from sklearn.base import is_classifier

                self.classifier = hasattr(source, "get_params") and bool(is_classifier(source))
            except ImportError:
                pass
        self.probabilities = self.classifier and hasattr(source, "predict_proba")
        if not self.probabilities and isinstance(loss, str) and loss in ("log_loss", "brier"):
            raise ArgumentError(f"loss={loss!r} needs an object with predict_proba.")
        if self.classifier:
            self.classes = _classes(response)
            self.y = (response == self.classes[:, np.newaxis]).astype(float)
        else:
            self.y = response.astype(float).reshape(self.n, -1).T
        default = ("log_loss" if self.probabilities else "misclassification") if self.classifier else "mse"
        self.target = Target(None, "y", self.classifier, default)

    @property
    def covariates(self) -> Any:
        """(n, D) what the object is fitted to."""
        return self.x

    def kept(self, values: Any, name: str) -> np.ndarray:
        """(n,) values, one per row."""
        frame = self.x if hasattr(self.x, "columns") else None
        return kept_rows(values, name, np.ones(self.n, dtype=bool), frame)

    @functools.cached_property
    def apparent(self) -> np.ndarray:
        """(K, n) predictions of the object fitted to all rows."""
        return self._one(np.arange(self.n))

    def refits(self, sets: Sequence[np.ndarray], seeds: Any, need: Any = None) -> Iterator[np.ndarray]:
        """Predictions (K, n) of all rows, by the object fitted to each set of training rows."""
        del seeds, need
        for rows in sets:
            yield self._one(rows)

    def _one(self, rows: np.ndarray) -> np.ndarray:
        model = self._clone()
        part = self.x.iloc[rows] if hasattr(self.x, "iloc") else self.x[rows]
        try:
            fitted = model.fit(part, self.response[rows])
            found = self._predicted(model if fitted is None else fitted)
        except Exception as error:
            raise DataError(f"risk: the {type(model).__name__} raised {told(error)}"[:300]) from error
        if found.shape != self.y.shape or not np.isfinite(found).all():
            raise DataError(
                f"risk: the {type(model).__name__} must predict finite numbers of shape {self.y.shape[::-1]}; it predicts "
                + (f"shape {found.shape[::-1]}." if found.shape != self.y.shape else "others.")
            )
        return found

    def _predicted(self, model: Any) -> np.ndarray:
        """Means, probabilities or 0/1 for classes (K, n)."""
        if not self.classifier:
            return np.asarray(model.predict(self.x), dtype=float).reshape(self.n, -1).T
        if not self.probabilities:
            return (np.asarray(model.predict(self.x)) == self.classes[:, np.newaxis]).astype(float)
        p = np.zeros((self.classes.size, self.n))
        p[np.searchsorted(self.classes, model.classes_)] = np.asarray(model.predict_proba(self.x)).T
        return p

    def _clone(self) -> Any:
        if hasattr(self.source, "get_params"):
            try:
                from sklearn.base import clone

                return clone(self.source)
            except (ImportError, TypeError):
                pass
        return copy.deepcopy(self.source)


def _array(values: Any, name: str) -> np.ndarray:
    """Rows of data.

    Raises
    ------
    ArgumentError
        Where they are none, or dates or complex numbers.
    """
    try:
        array = np.asarray(values)
    except Exception:  # of any object's own methods
        array = np.empty(())
    if array.ndim == 0 or array.ndim > 32 or array.dtype.kind not in "fiubOSU":
        raise ArgumentError(f"{name} must be a table or an array, a row per observation; got {shown(values)}.")
    return array


def _classes(response: np.ndarray) -> np.ndarray:
    try:
        return np.unique(response)
    except Exception:  # numbers and texts side by side, and any object's own methods
        raise ArgumentError(f"y must be numbers or names of classes, all of one type; got {shown(response)}.") from None
