"""How R's neuralnet reads tables, for ``compat="R"`` (see docs/parity.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def by_position(new: Any, names: Sequence[str], columns: Sequence[str]) -> Any:
    """Rename the columns of new data by position, where there are as many as covariates (Q10); of a matrix, too.

    Covariates are columns in R; where a term is something else (``log(x)``), columns keep their names.
    """
    if isinstance(new, np.ndarray | list | tuple) and np.ndim(new) == 2 and np.shape(new)[1] == len(names):
        new = pd.DataFrame(np.asarray(new))
    if isinstance(new, pd.DataFrame) and new.shape[1] == len(names) and set(names) <= set(columns):
        return new.set_axis(list(names), axis=1)
    return new


def string_classes(formula: str, data: Any) -> Any:
    """Data whose factor response is of strings, so that outputs come in sorted order (Q14)."""
    response = formula.partition("~")[0].strip() if isinstance(formula, str) else None
    if not isinstance(data, pd.DataFrame) or response not in data.columns:
        return data
    column = data[response]
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return data
    return data.assign(**{response: column.astype(object).where(column.isna(), column.astype(str))})
