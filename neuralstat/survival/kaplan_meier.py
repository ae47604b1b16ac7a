"""Kaplan-Meier curves from a formula and data, by strata.

References
----------
See `likelihood.lifetimes`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..checks.arguments import NONE, SHARE, Anything, Choice, Instance, Numbers, arguments
from ..checks.values import shown
from ..errors import ArgumentError, DataWarning, caller
from ..likelihood import lifetimes
from ..likelihood.lifetimes import Curve
from ..plots.survival import plot_curves
from .strata import rows_by_stratum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONF_TYPE = Choice("log", "log-log", "plain")


class KaplanMeier:
    """Kaplan-Meier curves by stratum, with Nelson and Aalen's cumulative hazards; made by `kaplan_meier`.

    Attributes
    ----------
    curves : dict of str to Curve
        By stratum, in order of the levels; "all" where there is one.
    alpha : float
        1 - level of the intervals.
    conf_type : {"log", "log-log", "plain"}
        The scale on which they are symmetric.
    response : str
        Left-hand side of the formula.

    Examples
    --------
    >>> import neuralstat as ns
    >>> curves = ns.kaplan_meier("Surv(time, status == 2) ~ sex", ns.datasets.lung())
    >>> list(curves.curves)
    ['sex=1', 'sex=2']
    >>> curves.median
    strata
    sex=1    270.0
    sex=2    426.0
    Name: median, dtype: float64
    """

    def __init__(self, curves: dict[str, Curve], alpha: float, conf_type: str, response: str) -> None:
        self.curves, self.alpha, self.conf_type, self.response = curves, alpha, conf_type, response

    def summary_frame(self) -> pd.DataFrame:
        """A row per stratum and distinct time.

        Returns
        -------
        DataFrame
            ``time``; ``n_risk``, ``n_event``, ``n_censor`` (sums of weights); ``survival`` from that time on; ``std_err``,
            Greenwood's; ``ci_lower``, ``ci_upper``, pointwise (see `conf_type`); ``strata``. Where the survival is 0 the last
            three numbers are NaN.
        """
        return self._table(lambda curve: {
            "n_risk": curve.n_risk, "n_event": curve.n_event, "n_censor": curve.n_censor, "survival": curve.survival,
            "std_err": curve.std_err, **self._limits(curve),
        })  # fmt: skip

    def cumulative_hazard(self) -> pd.DataFrame:
        """Nelson and Aalen's estimate: a row per stratum and distinct time.

        Returns
        -------
        DataFrame
            ``time``, ``cumulative_hazard``, ``std_err`` (the root of the sum of events / n_risk^2), ``ci_lower``,
            ``ci_upper`` (symmetric on the logarithmic scale), ``strata``.
        """
        from scipy.special import ndtri

        z = -ndtri(self.alpha / 2)

        def columns(curve: Curve) -> dict[str, np.ndarray]:
            error = np.sqrt(curve.hazard_variance)
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = np.exp(z * error / curve.hazard)
            return {"cumulative_hazard": curve.hazard, "std_err": error, "ci_lower": curve.hazard / factor,
                    "ci_upper": curve.hazard * factor}  # fmt: skip

        return self._table(columns)

    def _table(self, columns: Any) -> pd.DataFrame:
        frames = [
            pd.DataFrame({"time": curve.time, **columns(curve), "strata": name}) for name, curve in self.curves.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def _limits(self, curve: Curve) -> dict[str, np.ndarray]:
        low, high = lifetimes.bounds(curve, self.alpha, self.conf_type)
        return {"ci_lower": low, "ci_upper": high}

    @property
    def median(self) -> pd.Series:
        """Median time of each stratum; NaN where the curve stays above 1/2."""
        return self.quantile(0.5)["time"].rename("median")

    def quantile(self, q: Any = (0.25, 0.5, 0.75)) -> pd.DataFrame:
        """Times by which a share q has had the event, with intervals.

        The first time at which the survival is 1 - q or less; where it is 1 - q for a while, the middle of that while, as of
        R's ``quantile``. Limits are the same of the limits of the curve (Brookmeyer & Crowley 1982).

        Parameters
        ----------
        q : number or sequence of numbers in (0, 1)

        Returns
        -------
        DataFrame
            ``time``, ``ci_lower``, ``ci_upper``, indexed by the stratum, for several levels by stratum and level. NaN where
            the curve (or limit) does not get so far.
        """
        levels = Numbers(None).check(q, "q")
        if levels.ndim > 1 or levels.size == 0 or not np.all((levels > 0) & (levels < 1)):
            raise ArgumentError(f"q must be a number in (0, 1), or several; got {shown(q)}.")
        rows = []
        for curve in self.curves.values():
            limits = self._limits(curve)
            for level in np.atleast_1d(levels):
                ends = [lifetimes.quantile(curve.time, v, float(level)) for v in (curve.survival, *limits.values())]
                rows.append(dict(zip(("time", "ci_lower", "ci_upper"), ends, strict=True)))
        index: pd.Index = pd.Index(list(self.curves), name="strata")
        if levels.ndim:
            index = pd.MultiIndex.from_product([list(self.curves), levels.tolist()], names=["strata", "q"])
        return pd.DataFrame(rows, index=index)

    def predict(self, times: Any) -> pd.DataFrame:
        """Probabilities to live longer than times: a row per stratum, a column for each time.

        NaN beyond the last time of a stratum, where its curve is not 0.

        Parameters
        ----------
        times : number or sequence of numbers
        """
        wanted = np.atleast_1d(Numbers(None).check(times, "times"))
        if wanted.ndim != 1 or not wanted.size:
            raise ArgumentError(f"times must be numbers; got {shown(times)}.")
        rows = []
        for curve in self.curves.values():
            values = curve.at(wanted)
            rows.append(np.where((wanted > curve.time[-1]) & (values > 0), np.nan, values))
        return pd.DataFrame(rows, index=pd.Index(list(self.curves), name="strata"),
                            columns=pd.Index(wanted, name="time"))  # fmt: skip

    def plot(self, *, bands: bool | None = None, censored: bool = True, ax: Axes | None = None) -> Axes:
        """The curves, with bands of pointwise intervals and ticks at censored times; see `plots.survival.plot_curves`."""
        limits = {name: tuple(self._limits(curve).values()) for name, curve in self.curves.items()}
        return plot_curves(self.curves, limits, bands=bands, censored=censored, level=1 - self.alpha, ax=ax)

    @property
    def table(self) -> pd.DataFrame:
        """A row per stratum: ``n``, ``events``, ``median`` with its interval."""
        counts = {
            name: (float((curve.n_event + curve.n_censor).sum()), float(curve.n_event.sum()))
            for name, curve in self.curves.items()
        }
        found = pd.DataFrame.from_dict(counts, orient="index", columns=["n", "events"]).rename_axis(index="strata")
        return found.join(self.quantile(0.5).rename(columns={"time": "median"}))

    def __repr__(self) -> str:
        return (
            f"Kaplan-Meier, {self.response}; {100 * (1 - self.alpha):.4g} % intervals, {self.conf_type} scale\n"
            f"{self.table.to_string(float_format='{:.6g}'.format)}"
        )


@arguments(
    formula=Instance(str, "text such as 'Surv(time, event) ~ g'", "Surv(x, k > 2) ~ g"), data=Anything("a table"),
    weights=Anything("a column's name or an array, one number per row", None), alpha=SHARE, conf_type=CONF_TYPE,
    context=NONE | Instance(Mapping, "a mapping of further names for the formula", {}),
)  # fmt: skip
def kaplan_meier(
    formula: str, data: Any, *, weights: Any = None, alpha: float = 0.05, conf_type: str = "log",
    context: Mapping[str, Any] | None = None,
) -> KaplanMeier:  # fmt: skip
    """Kaplan and Meier's estimate of survival curves, one for each combination of the levels on the right of a formula.

    Parameters
    ----------
    formula : str
        ``"Surv(time, event) ~ 1"`` or ``"Surv(start, stop, event) ~ g + h"``: events are 1 or True where the time is that of
        the event, 0 or False where it is censored; rows with a start are at risk after it only. Every distinct value of a
        term is a stratum; expressions (``{age > 60}``) are terms, too.
    data : table
        As of `neuralnet`. Rows with missing values are left out.
    weights : str or array, optional
        Case weights; a row counts as so many. Standard errors are those of as many rows, as of R's ``survfit`` with
        ``robust=FALSE``.
    alpha : float
        1 - level of the intervals.
    conf_type : {"log", "log-log", "plain"}
        Scale on which intervals of the survival are symmetric: its logarithm (R's default), log(-log), or the survival
        itself.

    Returns
    -------
    KaplanMeier

    Raises
    ------
    ArgumentError
        Where the left side is no ``Surv()`` of two or three terms; interval censored times have no Kaplan-Meier curve.
    DataError
        For events other than 0 and 1, negative times, starts that are not before their stops, and what `neuralnet` refuses.

    Warns
    -----
    DataWarning
        Where a curve is 0 before other rows enter: early on few are at risk.

    Examples
    --------
    >>> import neuralstat as ns
    >>> km = ns.kaplan_meier("Surv(time, status == 2) ~ sex", ns.datasets.lung())
    >>> km.median.tolist()
    [270.0, 426.0]
    """
    response, strata = rows_by_stratum(formula, data, weights, context)
    curves = {name: lifetimes.product_limit(rows) for name, rows in strata.items()}
    for name, curve in curves.items():
        at = np.flatnonzero(curve.survival == 0)
        if at.size and at[0] < curve.time.size - 1:
            warnings.warn(
                f"stratum {name!r}: at time {curve.time[at[0]]:g} all rows at risk, {curve.n_risk[at[0]]:g}, have the event, "
                "and the curve is 0 from there on, though others enter later.", DataWarning, stacklevel=caller(),
            )  # fmt: skip
    return KaplanMeier(curves, alpha, conf_type, response)
