"""The call that a fit came from, as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..fitted import Fitted
from ..insight.layers import layers_call
from ..network.penalties import Penalty
from ..symbolic.custom import Activation, Loss
from ..training.settings import DefaultName, Settings
from ..training.structured import structured

IMPLIED = {"hidden": (), "algorithm": "auto"}  # what structured formulas say of themselves
_WATCHED = ("lifesign", "lifesign_step", "progress")  # how the fit was watched is no part of it


def call(fitted: Fitted) -> str:
    """The call, with the arguments that differ from the defaults; as it was, where the fit was read from a file."""
    if fitted.call is not None:
        return fitted.call
    usual = Settings()
    implied = IMPLIED if structured(fitted.design) else {}
    given = {name: getattr(fitted.settings, name) for name in Settings.names() if name not in _WATCHED}
    shown = [_argument(name, value, getattr(usual, name)) for name, value in given.items()
             if name not in implied or value != implied[name]]  # fmt: skip
    first = "endog, exog" if fitted.formula is None else f"{fitted.formula!r}, data"
    return f"neuralnet({', '.join([first, *filter(None, shown)])})"


def _argument(name: str, value: Any, usual: Any) -> str | None:
    """An argument as it is written; None where it has its default."""
    if isinstance(usual, DefaultName) and not isinstance(value, DefaultName) and value == usual:
        return f"{name}={str(value)!r}"  # asked for, which keeps a model with one optimum from going straight there
    if name == "threshold" and value is None:  # no such rule, which is usual for fits by epochs
        return None
    if name == "validation" and value is not None and not isinstance(value, float):
        return "validation=..."
    if isinstance(value, np.ndarray | pd.Series | pd.DataFrame):
        return f"{name}=..."
    if name == "layers" and value is not None:
        return f"layers={layers_call(value)}"
    if name == "startweights" and value is not None:
        return "startweights=..."
    return None if value is usual or _equal(value, usual) else f"{name}={_shown(value)}"


def _shown(value: Any) -> str:
    """A value as it is written in the call: functions by name, a Generator without its address."""
    if isinstance(value, list | tuple):
        ends = "[]" if isinstance(value, list) else "()" if len(value) != 1 else ("(", ",)")
        return ends[0] + ", ".join(map(_shown, value)) + ends[1]
    if isinstance(value, Penalty):
        return str(value)
    if isinstance(value, Activation | Loss):
        return value.name
    if isinstance(value, np.ndarray | np.random.Generator | np.random.SeedSequence):
        return "..."
    if isinstance(value, np.generic):
        return repr(value.item())
    name = getattr(value, "__name__", None) if callable(value) else None
    return repr(value) if name is None else "custom" if name == "<lambda>" else name


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False
