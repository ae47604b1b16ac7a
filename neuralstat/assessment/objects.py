"""Any object with fit and predict, as those of scikit-learn, as a procedure that can be refitted."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
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
                f"{name}: {values!r} is no column that the model reads{known}, and others are not kept: give its "
                f"{kept.size} values, as in {name}=data[{values!r}]."
            )
        return np.asarray(frame[values])
    array = np.asarray(values)
    if array.ndim == 1 and array.size == kept.size:
        return array[kept]
    if array.ndim == 1 and array.size == kept.sum():
        return array
    raise ArgumentError(f"{name} must have {kept.size} values, one per row; got shape {array.shape}.")


class EstimatorProcedure:
    """Any object with fit(X, y) and predict(X): cloned (or copied) and refitted on parts of the data."""

    def __init__(self, source: Any, x: Any, y: Any, loss: Any) -> None:
        self.source = source
        if x is None or y is None:
            raise ArgumentError("risk of an object with fit and predict needs x= and y=, its data.")
        self.x = x if hasattr(x, "iloc") else np.asarray(x)
        response = np.asarray(y)
        self.n = len(response)
        if len(self.x) != self.n:
            raise ArgumentError(f"x has {len(self.x)} rows, y {self.n}.")
        self.response = response
        self.weights = np.ones(self.n)
        numeric = response.dtype.kind in "fiub"
        self.classifier = getattr(source, "_estimator_type", None) == "classifier" or not numeric
        if not self.classifier:
            try:
                from sklearn.base import is_classifier

                self.classifier = hasattr(source, "get_params") and bool(is_classifier(source))
            except ImportError:
                pass
        self.probabilities = self.classifier and hasattr(source, "predict_proba")
        if not self.probabilities and loss in ("log_loss", "brier"):
            raise ArgumentError(f"loss={loss!r} needs an object with predict_proba.")
        if self.classifier:
            self.classes = np.unique(response)
            self.y = (response == self.classes[:, np.newaxis]).astype(float)
        else:
            self.y = response.astype(float).reshape(self.n, -1).T
        default = ("log_loss" if self.probabilities else "misclassification") if self.classifier else "mse"
        self.target = Target(None, "y", self.classifier, default)

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
        fitted = model.fit(part, self.response[rows])
        model = model if fitted is None else fitted
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
