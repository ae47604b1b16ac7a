"""What estimators of risk return: a float that knows where it comes from."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import SHARE, arguments
from ..errors import ArgumentError


class Risk(float):
    """An estimate of prediction error (or of the distance to the truth, "sure").

    A float in every computation; the attributes say how it was found.

    Attributes
    ----------
    estimate : float
        The value itself.
    se : float
        Standard error; `se_kind` says of what kind. NaN where none can be given.
    se_kind : str
    draws : (T,) array
        Value of each fold, replicate or split; empty for analytical estimators.
    method, loss : str
    n : int
        Observations.
    details : dict
        Parts of the estimate, such as "apparent", "oob", "gamma", "df", "sigma".
    notes : tuple of str
        What the reader must know.
    """

    method: str
    loss: str
    se: float
    se_kind: str
    n: int
    details: dict[str, Any]
    notes: tuple[str, ...]
    _table: pd.DataFrame

    def __new__(
        cls, value: float, method: str, loss: str, *, se: float = np.nan, se_kind: str = "", n: int = 0,
        table: pd.DataFrame | None = None, details: dict[str, Any] | None = None, notes: tuple[str, ...] = (),
    ) -> Risk:  # fmt: skip
        """See the class."""
        self = super().__new__(cls, value)
        self.method, self.loss, self.se, self.se_kind, self.n = method, loss, float(se), se_kind, n
        self._table = pd.DataFrame({"value": np.empty(0)}) if table is None else table
        self.details, self.notes = dict(details or {}), tuple(notes)
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of `__new__`, for copies and pickles."""
        names = ("se", "se_kind", "n", "details", "notes")
        more = {name: getattr(self, name) for name in names}
        return (float(self), self.method, self.loss), {**more, "table": self._table}

    @property
    def estimate(self) -> float:
        """The value as a plain float."""
        return float(self)

    @property
    def draws(self) -> np.ndarray:
        """(T,) values of folds, replicates or splits."""
        return self._table["value"].to_numpy()

    @arguments(alpha=SHARE)
    def conf_int(self, alpha: float = 0.05) -> tuple[float, float]:
        """Interval of level 1 - alpha: the estimate and normal quantiles of `se`.

        As good as `se` is: of "nested_cv" it has the level it says; where `se_kind` is "naive" the dependence of folds or
        samples is left out, and the interval is too short.

        Raises
        ------
        ArgumentError
            Where there is no standard error, or `alpha` is not between 0 and 1.
        """
        if np.isnan(self.se):
            raise ArgumentError(f"method={self.method!r} gave no standard error here, and so no interval.")
        z = -NormalDist().inv_cdf(max(alpha / 2, 5e-324))  # of the lower end: a small alpha is not lost beside 1
        return float(self) - z * self.se, float(self) + z * self.se

    def to_frame(self) -> pd.DataFrame:
        """A row per fold, replicate or split: its numbers, observations in the test part, ``value``."""
        return self._table.copy()

    def __repr__(self) -> str:
        error = "" if np.isnan(self.se) else f" (se {self.se:.2g}{', ' + self.se_kind if self.se_kind else ''})"
        parts = [self.details.get("what", self.method), f"n = {self.n}"]
        for key in ("df", "sigma"):
            if self.details.get(key) is not None:
                parts.append(f"{key} {float(np.mean(self.details[key])):.4g}")
        text = f"{float(self):.4g}{error} {self.loss} [{'; '.join(parts)}]"
        return text + "".join(f"\n  note: {note}" for note in self.notes)

    __str__ = float.__repr__  # as a number, so that tables and f-strings stay numbers
