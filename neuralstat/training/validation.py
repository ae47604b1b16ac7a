"""Rows that a fit by epochs is validated on, and weights of classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..checks.values import as_array, is_whole, shown
from ..errors import ArgumentError, DataError, DataWarning, caller
from ..families import Distributional
from ..formula.arrays import columns
from ..formula.derived import WINDOWS
from ..formula.divide import divide, tables
from ..formula.frames import as_frame
from ..formula.sequences import as_table, brought
from ..formula.vectors import vector
from .epochs import make_rows
from .metrics import class_of_rows

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from ..formula import Design
    from .model import Source
    from .settings import Settings

WEIGHTS = ("weights", "var_weights", "freq_weights")
BY_CHANCE = 1e-4  # probability below which validation rows that lack a class are no accident
PER_ROW = ("weights", "freq_weights", "var_weights", "groups", "offset")  # settings with a value per row, or a column's name


def is_share(given: Any) -> bool:
    """Whether ``validation=`` is a share of the rows."""
    return isinstance(given, int | float | np.number) and not isinstance(given, bool)


def trained(n: int, share: Any) -> int:
    """How many of n rows are trained on, the first ones, where a share is set aside for validation.

    Raises
    ------
    ArgumentError
        Where none is left on one side.
    """
    first = math.floor(n * (1 - float(share)))
    if not 0 < first < n:
        raise ArgumentError(f"validation={share!r} leaves {first} of {n} rows for training.")
    return first


def last_groups(groups: np.ndarray, share: Any) -> np.ndarray:
    """(n,) bool: rows that are set aside where rows of a cluster stay together.

    Whole clusters, the last ones in the order of their first rows, as few as have the share of the rows.

    Raises
    ------
    ArgumentError
        Where no cluster is left to train on.
    """
    least = groups.size - trained(groups.size, share)
    _, begun, code = np.unique(groups, return_index=True, return_inverse=True)
    order = np.argsort(begun)[::-1]
    sizes = np.bincount(code)[order]
    count = int(np.searchsorted(np.cumsum(sizes), least)) + 1
    if count == order.size:
        raise ArgumentError(f"validation={share!r}: of {order.size} groups, whose rows stay together, it leaves none to "
                            "train on.")  # fmt: skip
    return np.isin(code, order[:count])


def _cut(design: Design, share: Any) -> int | np.ndarray:
    """The first row of those that a share sets aside; or which rows (N,) it does, where these stay together in clusters."""
    if design.groups is None:
        return int(np.flatnonzero(design.kept)[trained(design.x.shape[1], share)])
    held = last_groups(design.groups, share)
    if not held.any() or held[-held.sum() :].all():
        return int(np.flatnonzero(design.kept)[int(np.argmax(held))])
    if made := [d.name for d in design.spec.derived if d.function in WINDOWS]:
        raise ArgumentError(f"validation: {made[0]!r} needs neighbouring rows, which the last groups would be taken out of: "
                            "sort the rows by groups.")  # fmt: skip
    cut = np.zeros(design.kept.size, dtype=bool)
    cut[np.flatnonzero(design.kept)[held]] = True
    return cut


def split(design: Design, settings: Settings, source: Source) -> tuple[Design, Rows | None]:
    """Training design and validation rows.

    A share takes the last of the rows used, as Keras' ``validation_split`` (of clusters whole ones, see `last_groups`): what
    is before the first of them is made into a design of its own, as if the others were not there (scalings, knots, levels,
    words), and they are encoded by it, as new data are. In the training design they are rows kept out of the fit.

    Parameters
    ----------
    design : Design
        Of all rows.
    settings : Settings
    source : Source
        Where it comes from.

    Raises
    ------
    ArgumentError, DataError
        Where no row is left, or the data do not suit the model.
    """
    given = settings.validation
    if given is None:
        return design, None
    if not is_share(given):
        return design, encode(design, given, settings)
    parts = divide(source.formula, source.data, source.exog, _cut(design, given))
    columns = {name: parts.values(getattr(settings, name), name) for name in PER_ROW if name in settings.names()}
    head = replace(source, data=parts.head[0], exog=parts.head[1])
    tail = parts.tail[0] if source.formula is not None else parts.tail
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*windows count rows", DataWarning)  # said of all rows
        training = head.design(replace(settings, **{name: values[0] for name, values in columns.items()}))
        try:
            rows = encode(training, tail, settings, weights={name: columns[name][1] for name in WEIGHTS},
                          offset=columns["offset"][1])  # fmt: skip
        except DataError as error:
            said, last = str(error).removeprefix("validation: "), design.x.shape[1] - training.x.shape[1]
            raise DataError(f"validation={given!r}, the last {last} rows: {said}") from error
    _warn_sorted(training, rows, given)
    kept = np.zeros_like(design.kept)
    kept[parts.first] = training.kept
    return replace(training, full_index=design.full_index, kept=kept), rows


def _warn_sorted(training: Design, rows: Rows, share: Any) -> None:
    """Warn where the last rows lack classes that they would have, had the rows no order.

    A class is lacking where as many rows, taken at random from all, would be without it less often than `BY_CHANCE`.
    """
    factor = training.classes is not None
    own, held = class_of_rows(training.y, factor), class_of_rows(rows.data.y[0], factor)
    if own is None or held is None:
        return  # numbers
    classes = (0, 1) if training.classes is None else training.classes
    counts = [np.bincount(codes, minlength=len(classes)) for codes in (own, held)]
    part = (counts[0] + counts[1]) / (own.size + held.size)
    never = (counts[1] == 0) & ((1 - part) ** held.size < BY_CHANCE)
    if never.any():
        listed = ", ".join(repr(c) for c, lacks in zip(classes, never, strict=True) if lacks)
        warnings.warn(
            f"validation={share!r}: the last {held.size} rows, which are set aside, have none of class {listed}: rows "
            "seem to be sorted by class. Shuffle them first, as by data.sample(frac=1, random_state=1), or give a table.",
            DataWarning, stacklevel=caller(),
        )  # fmt: skip


def encode(
    design: Design, given: Any, settings: Settings, *, weights: Mapping[str, Any] | None = None, offset: Any = None
) -> Rows:
    """Validation data given as a table (or in parts), or as (endog, exog), encoded by the design that is trained on.

    Parameters
    ----------
    design : Design
    given : table, data in parts, or (endog, exog)
    settings : Settings
    weights : mapping, optional
        By argument (`WEIGHTS`) the weights of these rows, a column's name or an array; the columns that the fit's are in,
        where these data have them, unless given. Batches (x, y, weights) have theirs, whatever the fit's are.
    offset : column name or array, optional
        Of these rows, where the model was given its offset as an array.
    """
    if weights is None:
        named = {name: getattr(settings, name) for name in WEIGHTS}
        weights = {name: value if isinstance(value, str) else None for name, value in named.items()}
    try:
        table = as_table(design.spec.formula, given)
        if (column := brought(given, table)) is not None:
            weights = {**weights, "weights": column}
        parts = [part for endog, exog in _pairs(design, table) if (part := _encoded(design, endog, exog, weights, offset))]
    except (ArgumentError, DataError) as error:
        raise error if str(error).startswith("validation") else type(error)(f"validation: {error}") from error
    if not parts:
        raise DataError("validation: no row without missing values.")
    x, y, case, known = parts[0] if len(parts) == 1 else (
        None if columns[0] is None else np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True)
    )
    assert x is not None and y is not None
    if isinstance(settings.distribution, Distributional):
        y = settings.distribution.targets(y)
    return make_rows(x, y, case, known, dtype=np.dtype(settings.dtype))


def _pairs(design: Design, given: Any) -> Iterator[tuple[Any, Any]]:
    """Response and covariates of validation data, part by part."""
    if design.spec.formula is not None:
        return ((table, table) for table in tables(given))
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ArgumentError("validation must be a share of the rows or a pair (endog, exog).")
    return iter([(_response_frame(given[0], design), given[1])])


Encoded = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]  # x, y, weights, offset


def _encoded(design: Design, endog: Any, exog: Any, weights: Mapping[str, Any], offset: Any) -> Encoded | None:
    """One table's rows without missing values, None where there are none."""
    new = design.spec.encode(exog, offset=None if isinstance(offset, str) else offset)
    y, complete = design.spec.encode_response(endog)
    if y.shape[1] != new.x.shape[1]:
        raise DataError(f"validation: endog has {y.shape[1]} rows, exog {new.x.shape[1]}.")
    used = complete & new.complete
    cases = [case for name in WEIGHTS if (case := _weights(weights[name], exog, y.shape[1], name)) is not None]
    case = np.prod(cases, axis=0) if cases else None
    if case is not None:
        used &= ~np.isnan(case)
    if not used.any():
        return None
    return (
        columns(new.x, used), y[:, used], None if case is None else case[used],
        None if new.offset is None else new.offset[:, used],
    )  # fmt: skip


def _weights(given: Any, exog: Any, m: int, argument: str) -> np.ndarray | None:
    """Weights (m,) of validation rows, NaN where missing; None without any."""
    if given is None:
        return None
    if isinstance(given, str):
        exog = as_frame(exog)
        if given not in exog.columns:
            return None
    weights = vector(given, exog if isinstance(given, str) else pd.DataFrame(index=range(m)), f"validation: {argument}")
    if np.isinf(weights).any() or (weights < 0).any():
        raise DataError(f"validation: {argument} must be finite and not negative.")
    return weights


def _response_frame(endog: Any, design: Design) -> pd.DataFrame:
    """The response of validation data given as arrays, under the names of the fit's."""
    names = list(design.spec.response_columns)
    if isinstance(endog, pd.DataFrame):
        return endog
    if isinstance(endog, pd.Series):
        return endog.to_frame(names[0])
    values = as_array(endog, "validation: endog", "an array with a row per observation")
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] != len(names):
        count = "a value" if len(names) == 1 else f"{len(names)} values"
        raise ArgumentError(f"validation: endog must have {count} per row; got {shown(endog)}.")
    return pd.DataFrame(values, columns=names)


# classes ---------------------------------------------------------------------------------------------------


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
    factors = class_factors(design, class_weight)
    return replace(design, weights=factors if design.weights is None else factors * design.weights)


def unweighed(design: Design, class_weight: Any) -> Design:
    """The design that `weigh_classes` made this one of: refits weigh their own rows.

    Case weights of classes of weight 0, which are forgotten, are 1.
    """
    if class_weight is None or design.weights is None:
        return design
    factors = class_factors(design, class_weight)
    return replace(design, weights=np.where(factors > 0, design.weights / np.where(factors > 0, factors, 1.0), 1.0))


def class_factors(design: Design, class_weight: Any, y: np.ndarray | None = None) -> np.ndarray:
    """(n,) weight of the class of each row.

    Parameters
    ----------
    design : Design
    class_weight : "balanced" or mapping of class to weight
    y : (K, n) array, optional
        Other responses, original units.

    Raises
    ------
    ArgumentError
        As `weigh_classes`.
    """
    if y is None:
        y = design.y if design.scaling is None else design.scaling.y_original(design.y)
    member = class_of_rows(y, design.classes is not None)
    if member is None:
        raise ArgumentError(f"class_weight needs a factor as response, or 0 and 1; {design.response!r} is neither.")
    classes = (0, 1) if design.classes is None else tuple(design.classes)
    if isinstance(class_weight, Mapping):
        if not any(c in classes for c in class_weight) and all(is_whole(c) for c in class_weight):
            # by position, as in Keras, where labels are numbers
            class_weight = {classes[c] if 0 <= c < len(classes) else c: w for c, w in class_weight.items()}
        unknown = [c for c in class_weight if c not in classes]
        if unknown:
            raise ArgumentError(f"class_weight: {unknown[0]!r} is no class; known: {', '.join(map(repr, classes))}.")
        factors = np.array([float(class_weight.get(c, 1.0)) for c in classes])
        if not np.all(np.isfinite(factors)) or np.any(factors < 0):
            raise ArgumentError(f"class_weight must hold numbers >= 0, got {class_weight!r}.")
    else:
        often = np.ones(y.shape[1]) if design.frequencies is None else design.frequencies
        sizes = np.bincount(member, often, minlength=len(classes))
        factors = often.sum() / (len(classes) * np.where(sizes > 0, sizes, 1.0))
    return factors[member]


def reweighed(design: Design, class_weight: Any, y: np.ndarray) -> np.ndarray | None:
    """Case weights, (n,) or (B, n), of refits to other responses (B, K, n) in original units.

    Where these are classes, their rows get the weights of their new classes; else all keep the weights that they have.
    """
    if class_weight is None:
        return design.weights
    known: dict[bytes, np.ndarray] = {}
    case = unweighed(design, class_weight).weights
    for own in y:
        key = own.tobytes()
        if key not in known and class_of_rows(own, design.classes is not None) is None:
            return design.weights
        known.setdefault(key, class_factors(design, class_weight, own) * case)
    return np.stack([known[own.tobytes()] for own in y])
