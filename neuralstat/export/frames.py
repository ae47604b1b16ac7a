"""What is said of new rows in the kind of table that they came in: polars in, polars out; pyarrow in, pyarrow out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from ..inference.prediction import Prediction

KINDS = ("polars", "pyarrow")


def kind_of(given: Any) -> str:
    """The package whose table it is, "" for pandas' and all others."""
    package = str(type(given).__module__).partition(".")[0]
    return package if package in KINDS else ""


def like(kind: str, made: Any) -> Any:
    """A Series, a DataFrame or a list of them as the same of another package.

    Rows stay in their order; labels of rows are pandas' alone. What is missing is null. Names of columns become strings,
    those of several levels joined by a dot.
    """
    if not kind or not isinstance(made, pd.Series | pd.DataFrame | list):
        return made
    if isinstance(made, list):
        return [like(kind, one) for one in made]
    convert = _polars if kind == "polars" else _arrow
    if isinstance(made, pd.Series):
        return convert(str(made.name), made)
    names = [".".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in made]
    columns = {name: convert(name, made.iloc[:, k]) for k, name in enumerate(names)}
    if kind == "polars":
        import polars

        return polars.DataFrame(columns)
    import pyarrow

    return pyarrow.table(columns)


def _polars(name: str, column: pd.Series) -> Any:
    import polars

    if isinstance(column.dtype, pd.CategoricalDtype):
        values = [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]
        levels = column.cat.categories.tolist()
        named = all(isinstance(level, str) for level in levels)
        return polars.Series(name, values, polars.Enum(levels) if named else None)
    return polars.Series(name, column.to_numpy(), nan_to_null=True)


def _arrow(name: str, column: pd.Series) -> Any:
    import pyarrow

    return pyarrow.Array.from_pandas(column)


@dataclass(frozen=True, repr=False)
class FramedPrediction(Prediction):
    """A `Prediction` whose tables are those of another package."""

    _kind: str = field(default="", repr=False)
    _plain: Any = field(default=None, repr=False)

    def conf_int(self, alpha: float = 0.05, obs: bool = False) -> Any:
        """As `Prediction.conf_int`."""
        return like(self._kind, self._plain.conf_int(alpha, obs))

    def summary_frame(self, alpha: float = 0.05) -> Any:
        """As `Prediction.summary_frame`."""
        return like(self._kind, self._plain.summary_frame(alpha))


def framed(kind: str, made: Prediction) -> Prediction:
    """A prediction for rows of such a table."""
    if not kind:
        return made
    parts = {one.name: getattr(made, one.name) for one in fields(made)}
    for name in ("predicted_mean", "se_mean"):
        parts[name] = like(kind, parts[name])
    return FramedPrediction(**parts, _kind=kind, _plain=made)
