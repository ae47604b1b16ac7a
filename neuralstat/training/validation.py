"""Rows that a fit by epochs is validated on, and weights of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError
from .epochs import make_rows

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from ..formula import Design
    from .settings import Settings


def split(design: Design, settings: Settings) -> tuple[Design, Rows | None]:
    """Training design and validation rows.

    A share takes the last rows, as Keras' ``validation_split``: they are then kept out of the fit as rows with
    missing values are. Formula encodings and scalings have seen them.

    Raises
    ------
    ArgumentError, DataError
        Where no row is left, or the data do not suit the model.
    """
    given = settings.validation
    if given is None:
        return design, None
    if isinstance(given, int | float | np.number):
        n = design.x.shape[1]
        first = math.floor(n * (1 - float(given)))
        if not 0 < first < n:
            raise ArgumentError(f"validation={given!r} leaves {first} of {n} rows for training.")
        kept = np.zeros_like(design.kept)
        kept[np.flatnonzero(design.kept)[:first]] = True
        parts: dict[str, Any] = {"x": design.x[:, first:], "y": design.y[:, first:],
                 "weights": None if design.weights is None else design.weights[first:],
                 "offset": None if design.offset is None else design.offset[:, first:]}  # fmt: skip
        training = replace(
            design, x=np.ascontiguousarray(design.x[:, :first]), y=np.ascontiguousarray(design.y[:, :first]),
            weights=None if design.weights is None else design.weights[:first],
            offset=None if design.offset is None else np.ascontiguousarray(design.offset[:, :first]),
            index=design.index[:first], kept=kept, frame=design.frame.iloc[:first],
        )  # fmt: skip
        return training, make_rows(**parts, dtype=np.dtype(settings.dtype))
    return design, encode(design, given, settings)


def encode(design: Design, given: Any, settings: Settings) -> Rows:
    """Validation data given as a table, or as (endog, exog)."""
    spec = design.spec
    if spec.formula is None:
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise ArgumentError("validation must be a share of the rows or a pair (endog, exog).")
        endog, exog = given
        if isinstance(endog, pd.Series):
            endog = endog.to_frame(spec.response_columns[0])
        elif not isinstance(endog, pd.DataFrame):
            values = np.asarray(endog)
            endog = pd.DataFrame(values if values.ndim == 2 else values[:, np.newaxis], columns=list(spec.response_columns))
    else:
        endog = exog = given
    new = spec.encode(exog)
    y, complete = spec.encode_response(endog)
    if y.shape[1] != new.x.shape[1]:
        raise DataError(f"validation: endog has {y.shape[1]} rows, exog {new.x.shape[1]}.")
    used = complete & new.complete
    if not used.any():
        raise DataError("validation: no row without missing values.")
    weights = None
    if isinstance(settings.weights, str) and settings.weights in getattr(exog, "columns", ()):
        weights = np.asarray(exog[settings.weights], dtype=float)[used]
    return make_rows(
        new.x[:, used], y[:, used], weights, None if new.offset is None else new.offset[:, used],
        dtype=np.dtype(settings.dtype),
    )  # fmt: skip


def weigh_classes(design: Design, class_weight: Any) -> Design:
    """A design whose case weights are multiplied by the weight of each row's class.

    ``"balanced"`` is n / (number of classes * rows of the class).

    Raises
    ------
    ArgumentError
        Where the response is no factor or 0/1, or a class is unknown.
    """
    if class_weight is None:
        return design
    y = design.y
    if design.classes is None and not (y.shape[0] == 1 and np.all((y == 0) | (y == 1))):
        raise ArgumentError(f"class_weight needs a factor as response, or 0 and 1; {design.response!r} is neither.")
    classes = (0, 1) if design.classes is None else tuple(design.classes)
    member = y[0].astype(int) if y.shape[0] == 1 else y.argmax(axis=0)
    if isinstance(class_weight, Mapping):
        unknown = [c for c in class_weight if c not in classes]
        if unknown:
            raise ArgumentError(f"class_weight: {unknown[0]!r} is no class; known: {', '.join(map(repr, classes))}.")
        factors = np.array([float(class_weight.get(c, 1.0)) for c in classes])
        if not np.all(np.isfinite(factors)) or np.any(factors < 0):
            raise ArgumentError(f"class_weight must hold numbers >= 0, got {class_weight!r}.")
    else:
        factors = y.shape[1] / (len(classes) * np.maximum(np.bincount(member, minlength=len(classes)), 1))
    weights = factors[member] * (1.0 if design.weights is None else design.weights)
    return replace(design, weights=weights)
