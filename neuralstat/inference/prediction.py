"""Predictions as users hold them: `Prediction`, whose tables are made block by block of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, SHARE, arguments
from ..network import blocks
from ..network.blas import on_one_thread

Pair = tuple[np.ndarray, np.ndarray]
Limits = Callable[[float, slice], Pair]  # alpha, some of the complete rows -> (lower, upper), each (K, rows)
COLUMNS = ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper")


@dataclass(frozen=True)
class Prediction:
    """Predicted means with what is known of their errors.

    Attributes
    ----------
    predicted_mean : Series or DataFrame
        Indexed as the new data; NaN at incomplete rows.
    se_mean : Series or DataFrame
        Standard errors; NaN for conformal methods, which make no statement on the mean.
    method : str
    df : float
        Degrees of freedom of Student's t; inf for the normal distribution.
    var_sampling, var_restarts : (K, m) arrays
        The two parts of the variance.
    draws : (T, K, m) array or None
        Means by bootstrap refits, at the complete rows.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> prediction = fit.get_prediction({"times": [10.0, 20.0]})
    >>> prediction.summary_frame().round(1)
       mean  mean_se  mean_ci_lower  mean_ci_upper  obs_ci_lower  obs_ci_upper
    0 -42.1      6.2          -54.3          -29.9        -134.6          50.3
    1 -31.2      4.3          -39.7          -22.6        -123.2          60.8
    """

    predicted_mean: Any
    se_mean: Any
    method: str
    df: float
    var_sampling: np.ndarray
    var_restarts: np.ndarray
    _mean: np.ndarray = field(repr=False)
    _new: Limits = field(repr=False)  # of new observations
    _limits: Limits = field(repr=False)  # of the mean
    _names: tuple[str, ...] = field(repr=False)
    _index: pd.Index = field(repr=False)
    _places: np.ndarray | None = field(repr=False)  # of the complete rows; None where all are
    draws: np.ndarray | None = field(default=None, repr=False)

    @arguments(alpha=SHARE, obs=FLAG)
    def conf_int(self, alpha: float = 0.05, obs: bool = False) -> Any:
        """Interval of the mean, or with ``obs=True`` of a new observation: columns lower and upper.

        Raises
        ------
        ArgumentError
            Where alpha is not in (0, 1).
        """
        columns = ("obs_ci_lower", "obs_ci_upper") if obs else ("mean_ci_lower", "mean_ci_upper")
        return self._table(alpha, columns, ("lower", "upper"))

    @arguments(alpha=SHARE)
    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means, standard errors, intervals of the mean and of a new observation, as statsmodels.

        Parameters
        ----------
        alpha : float
            1 - coverage.

        Returns
        -------
        DataFrame
            Columns ``mean``, ``mean_se``, ``mean_ci_lower``, ``mean_ci_upper``, ``obs_ci_lower``, ``obs_ci_upper``; for
            several outputs columns (output, statistic).
        """
        return self._table(alpha, COLUMNS, COLUMNS)

    @on_one_thread
    def _table(self, alpha: float, wanted: Sequence[str], called: Sequence[str]) -> pd.DataFrame:
        """Columns of `summary_frame` by names of their own; several blocks of rows at a time are on the way."""
        k, n = self._mean.shape
        out = np.empty((k, len(wanted), n)) if self._places is None else np.full((k, len(wanted), n), np.nan)
        row = {name: out[:, j] for j, name in enumerate(wanted)}
        for part in blocks.of_rows(n if self._places is None else self._places.size):
            at: Any = part if self._places is None else self._places[part]
            found = {"mean": self._mean[:, at]}
            if "mean_se" in row:
                found["mean_se"] = np.sqrt(self.var_sampling[:, at] + self.var_restarts[:, at])
            for what, limits in (("mean", self._limits), ("obs", self._new)):
                if f"{what}_ci_lower" in row:
                    found[f"{what}_ci_lower"], found[f"{what}_ci_upper"] = limits(alpha, part)
            for name, values in row.items():
                values[:, at] = found[name]
        flat = out.reshape(k * len(wanted), n).T
        if len(self._names) == 1:
            return pd.DataFrame(flat, self._index, list(called), copy=False)
        columns = pd.MultiIndex.from_product([self._names, called], names=["output", "statistic"])
        return pd.DataFrame(flat, self._index, columns, copy=False)

    def __repr__(self) -> str:
        return f"<Prediction of {len(self._index)} rows, {self.method}>"


def at_once(limits: Callable[[float], Pair]) -> Limits:
    """Limits of some rows, of limits (K, m) that are found for all rows together; those of the last alpha are remembered."""
    last: dict[float, Pair] = {}

    def some(alpha: float, part: slice) -> Pair:
        if alpha not in last:
            last.clear()
            last[alpha] = limits(alpha)
        lower, upper = last[alpha]
        return lower[:, part], upper[:, part]

    return some
