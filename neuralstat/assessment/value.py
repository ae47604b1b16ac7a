"""What estimators of risk return: a float that knows where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import NONE, SHARE, Choice, arguments
from ..errors import ArgumentError

SAME_X, NEW_X = "same_x", "new_x"
#: method -> where its error is: new responses at the covariates of the fit, or new rows of both; filled by `registry`
TARGETS: dict[str, str] = {}
#: ways to an interval, and what they are called in full
INTERVALS = {
    "normal": "normal quantiles of the standard error over observations",
    "naive": "normal quantiles of the naive standard error, which leaves out the dependence of folds or samples",
    "corrected_t": "corrected resampled t (Nadeau & Bengio)",
    "conservative_z": "conservative z (Nadeau & Bengio)",
    "nested_cv": "nested cross-validation (Bates, Hastie & Tibshirani)",
}


class Interval(tuple[float, float]):
    """Lower and upper limit; knows the ``method``, in a word, its ``alpha`` and the ``df`` of Student's t (inf: normal).

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> interval = ns.risk(fit, "cv", k=5, random_state=1).conf_int()
    >>> low, high = interval
    >>> round(low), round(high), interval.method
    (1169, 3117, 'corrected_t')
    """

    method: str
    alpha: float
    df: float

    def __new__(cls, limits: tuple[float, float], method: str, alpha: float, df: float) -> Interval:
        """See the class."""
        self = super().__new__(cls, limits)
        self.method, self.alpha, self.df = method, alpha, df
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Arguments of `__new__`, for copies and pickles."""
        return tuple(self), self.method, self.alpha, self.df

    def __repr__(self) -> str:
        more = "" if np.isinf(self.df) else f", {self.df:g} df"
        return f"({self[0]:.4g}, {self[1]:.4g}) [{1 - self.alpha:.4g} by {INTERVALS[self.method]}{more}]"


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
    target : {"same_x", "new_x"}
        Whose error: of new responses at the covariates of the fit, or of new rows, covariates included.
    interval : str
        The way by which `conf_int` comes about where none is named; `intervals` has all that are known here.
    draws : (T,) array
        Value of each fold, replicate or split; empty for analytical estimators.
    method, loss : str
    n : int
        Observations.
    details : dict
        Parts of the estimate, such as "apparent", "oob", "gamma", "df", "sigma".
    notes : tuple of str
        What the reader must know.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> ns.risk(fit, "gcv").method
    'gcv'
    """

    method: str
    loss: str
    se: float
    se_kind: str
    n: int
    details: dict[str, Any]
    notes: tuple[str, ...]
    target: str
    _table: pd.DataFrame
    _intervals: dict[str, tuple[float, float]]

    def __new__(
        cls, value: float, method: str, loss: str, *, se: float = np.nan, se_kind: str = "", n: int = 0,
        table: pd.DataFrame | None = None, details: dict[str, Any] | None = None, notes: tuple[str, ...] = (),
        intervals: Mapping[str, tuple[float, float]] | None = None, target: str | None = None,
    ) -> Risk:  # fmt: skip
        """See the class; `intervals` holds standard error and degrees of freedom of t by way, the default first."""
        self = super().__new__(cls, value)
        self.method, self.loss, self.se, self.se_kind, self.n = method, loss, float(se), se_kind, n
        self._table = pd.DataFrame({"value": np.empty(0)}) if table is None else table
        self.details, self.notes = dict(details or {}), tuple(notes)
        self.target = TARGETS.get(method, "") if target is None else target
        usual = {"naive" if se_kind == "naive" else "normal": (self.se, np.inf)}
        self._intervals = {way: (float(e), float(d)) for way, (e, d) in (intervals or usual).items()}
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of `__new__`, for copies and pickles."""
        names = ("se", "se_kind", "n", "details", "notes", "target")
        more = {name: getattr(self, name) for name in names}
        return (float(self), self.method, self.loss), {**more, "table": self._table, "intervals": self._intervals}

    @property
    def estimate(self) -> float:
        """The value as a plain float."""
        return float(self)

    @property
    def draws(self) -> np.ndarray:
        """(T,) values of folds, replicates or splits."""
        return self._table["value"].to_numpy()

    @property
    def intervals(self) -> tuple[str, ...]:
        """Ways to an interval that are known here, the default first."""
        return tuple(self._intervals)

    @property
    def interval(self) -> str:
        """The default way to an interval."""
        return self.intervals[0]

    @arguments(alpha=SHARE, method=NONE | Choice(*INTERVALS))
    def conf_int(self, alpha: float = 0.05, method: str | None = None) -> Interval:
        """Interval of level 1 - alpha for the error; it says by which way.

        Parameters
        ----------
        alpha : float
            1 - level.
        method : str, optional
            One of `intervals`, by default the first.

            - "nested_cv": of that method; covers as it says (of 90 %: 89 to 93 % in six designs).
            - "corrected_t": of "cv", "loo" and of "holdout" with repeats: quantiles of t, and a standard error with
              (1 / T + rows tested / rows trained on) in the place of 1 / T, which allows for the rows that refits share. Of
              90 %, least squares of 80 rows and 10 covariates, and a logistic regression of 100 rows and 20: 93 % for ten
              folds (and leave-one-out), 86 and 87 % for ten folds repeated, 85 and 88 % for repeated hold-out.
            - "conservative_z": of "holdout" with ``halves``: its standard error is of estimates from halves of the data, and
              too large: 97 %.
            - "naive": takes folds or samples as independent, and covers too seldom: 68 to 83 %.
            - "normal": the standard error of a mean over observations, what else is estimated (sigma, degrees of freedom)
              taken as known, and too seldom: 82 % for one hold-out and "gcv", 68 to 72 % for "cp", "rcp", "aicc" and others
              that penalise or thin.

            Coverage in numbers, and of every method, is in ``benchmarks/results/risk_intervals.csv``.

        Returns
        -------
        Interval
            A pair of numbers, with ``method``, ``alpha`` and ``df``.

        Raises
        ------
        ArgumentError
            Where there is no standard error or no such way, or `alpha` is not between 0 and 1.

        References
        ----------
        Nadeau & Bengio (2003), Machine Learning 52:239. Bates, Hastie & Tibshirani (2024), JASA 119:1434.
        """
        way = self.interval if method is None else method
        if way not in self._intervals:
            raise ArgumentError(f"method={way!r}: this {self.method!r} has {', '.join(map(repr, self.intervals))}.")
        se, df = self._intervals[way]
        if np.isnan(se):
            raise ArgumentError(f"method={self.method!r} gave no standard error here, and so no interval.")
        tail = max(alpha / 2, 5e-324)  # of the lower end: a small alpha is not lost beside 1
        if np.isinf(df):
            quantile = -NormalDist().inv_cdf(tail)
        else:
            from scipy import stats

            quantile = -float(stats.t.ppf(tail, df))
        return Interval((float(self) - quantile * se, float(self) + quantile * se), way, alpha, df)

    def to_frame(self) -> pd.DataFrame:
        """A row per fold, replicate or split: its numbers, observations in the test part, ``value``, ``target``."""
        return self._table.assign(target=self.target)

    def __repr__(self) -> str:
        error = "" if np.isnan(self.se) else f" (se {self.se:.2g}{', ' + self.se_kind if self.se_kind else ''})"
        parts = [self.details.get("what", self.method), f"n = {self.n}"]
        for key in ("df", "sigma"):
            if self.details.get(key) is not None:
                parts.append(f"{key} {float(np.mean(self.details[key])):.4g}")
        where = {SAME_X: " at the same x", NEW_X: " at new x"}.get(self.target, "")
        text = f"{float(self):.4g}{error} {self.loss}{where} [{'; '.join(parts)}]"
        return text + "".join(f"\n  note: {note}" for note in self.notes)

    def __format__(self, how: str) -> str:
        """A number, as in tables; ``str`` and ``print`` say its error and method, too."""
        return format(float(self), how)
