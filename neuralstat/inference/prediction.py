"""Predictions with standard errors and intervals: `NeuralNetResults.get_prediction`.

The variance of a mean over R repetitions has two parts. The data: the delta method (`sampling`), or the spread of
bootstrap refits. The starts: repetitions that begin elsewhere end elsewhere, and with other starts the mean would be
another one; its variance is ``s^2(x) / R``, s^2 the variance of the repetitions' predictions (between-restart variance,
added where R > 1; a refit from fresh random starts has it already).

References
----------
Hwang & Ding (1997), JASA 92:748 (intervals for networks). De Veaux, Schumi, Schweinsberg & Ungar (1998),
Technometrics 40:273 (with penalties). Tibshirani (1996), Neural Computation 8:152 (delta method against bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ..errors import ArgumentError
from ..families import Gaussian
from . import scales
from .sampling import mean_variance

if TYPE_CHECKING:
    from ..results import NeuralNetResults

METHODS = ("delta", "bootstrap", "split", "jackknife+", "cv+")
COLUMNS = ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper")
SIMULATIONS = 2000  # draws of a new observation where its distribution is not normal


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
    """

    predicted_mean: Any
    se_mean: Any
    method: str
    df: float
    var_sampling: np.ndarray
    var_restarts: np.ndarray
    _mean: np.ndarray = field(repr=False)
    _new: Any = field(repr=False)  # limits of new observations: alpha -> (lower, upper), each (K, m)
    _link: Any = field(repr=False)
    _names: tuple[str, ...] = field(repr=False)
    _index: pd.Index = field(repr=False)

    def conf_int(self, alpha: float = 0.05, obs: bool = False) -> Any:
        """Interval of the mean, or with ``obs=True`` of a new observation: columns lower and upper.

        Raises
        ------
        ArgumentError
            Where alpha is not in (0, 1).
        """
        columns = ["obs_ci_lower", "obs_ci_upper"] if obs else ["mean_ci_lower", "mean_ci_upper"]
        frame = self.summary_frame(alpha)
        if len(self._names) == 1:
            return frame[columns].set_axis(["lower", "upper"], axis=1)
        chosen = frame.loc[:, [(name, c) for name in self._names for c in columns]]
        return chosen.rename(columns=dict(zip(columns, ("lower", "upper"), strict=True)), level=1)

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
        alpha = check_alpha(alpha)
        quantile = stats.t.ppf(1 - alpha / 2, self.df)
        se = np.sqrt(self.var_sampling + self.var_restarts)
        lower, upper = scales.limits(self._link, self._mean, se, quantile)
        below, above = self._new(alpha)
        parts = np.stack([self._mean, se, lower, upper, below, above])  # (6, K, m)
        if len(self._names) == 1:
            return pd.DataFrame(parts[:, 0].T, self._index, list(COLUMNS))
        columns = pd.MultiIndex.from_product([self._names, COLUMNS], names=["output", "statistic"])
        return pd.DataFrame(parts.transpose(1, 0, 2).reshape(-1, parts.shape[2]).T, self._index, columns)

    def __repr__(self) -> str:
        return f"<Prediction of {len(self._index)} rows, {self.method}>"


def check_alpha(alpha: Any) -> float:
    """Raise an ArgumentError unless alpha is in (0, 1)."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number) or not 0 < alpha < 1:
        raise ArgumentError(f"alpha must be a number between 0 and 1, got {alpha!r}.")
    return float(alpha)


def get_prediction(
    results: NeuralNetResults, new: Any = None, *, method: str = "delta", rep: Any = "mean", cov_type: str | None = None,
    offset: Any = None, use_t: bool | None = None, random_state: Any = None, **options: Any,
) -> Prediction:  # fmt: skip
    """Predictions for new data, or for the data of the fit, with standard errors and intervals.

    Parameters
    ----------
    results : NeuralNetResults
    new : table, optional
        As in `predict`.
    method : {"delta", "bootstrap", "split", "jackknife+", "cv+"}
        "delta": from the covariance of the weights, on the scale of the link. "bootstrap": from refits; options
        draws (100), kind ("parametric", "residual", "case"), restarts ("warm", "same", "fresh"), n_jobs. The others are
        conformal: intervals of a new observation whose coverage needs no model, only exchangeable rows; options of
        "split": test_size (0.5); of "cv+": k (10); all: n_jobs.
    rep : {"mean", "best"} or int
        What is predicted from.
    cov_type : {"expected", "hessian", "sandwich"}, optional
        For "delta"; see `cov_params`.
    offset : array, optional
        For the new rows, where the model was given its offset as an array.
    use_t : bool, optional
        Student's t on n - df instead of the normal distribution; default for a gaussian response.
    random_state : int, SeedSequence, Generator, optional
        Of refits, folds, and simulated observations.
    **options
        Of the method.

    Returns
    -------
    Prediction

    Raises
    ------
    ArgumentError
        For unknown methods and options, and what the model cannot give.
    """
    if method not in METHODS:
        raise ArgumentError(f"method must be one of {', '.join(map(repr, METHODS))}; got {method!r}.")
    if cov_type is not None and method != "delta":
        raise ArgumentError(f"cov_type belongs to method='delta', not to {method!r}.")
    if isinstance(rep, str) and rep == "all":
        raise ArgumentError("rep='all' has no single prediction: use 'mean', 'best' or a number from 1.")
    numbers = results._numbers(rep)
    x, known, index, complete = results._inputs(new, offset)
    at, known_at = _rows(x, complete), None if known is None else _rows(known, complete)
    values = results._response(results._raw(at, known_at, numbers))  # (R, K, m)
    mean, between = values.mean(axis=0), _between(values)
    gaussian = isinstance(results.family, Gaussian) or results.family is None
    df = float(results.df_resid) if (gaussian if use_t is None else use_t) else np.inf
    if df <= 0:
        raise ArgumentError("no degrees of freedom are left for Student's t: set use_t=False, or fit a smaller model.")
    if method in ("delta", "bootstrap"):
        if method == "delta":
            _no(options, method)
            sampling = mean_variance(results, numbers, at, known_at, cov_type)
        else:
            from .bootstrap import predictions

            draws = predictions(results, at, known_at, rep=rep, random_state=random_state, **options)
            sampling = draws.var(axis=0, ddof=1)
            if options.get("restarts") == "fresh":
                between = np.zeros_like(between)
        variance = sampling + between

        def limits(alpha: float) -> tuple[np.ndarray, np.ndarray]:
            return new_observation(results, mean, variance, df, alpha, numbers, random_state)
    else:
        from .conformal import conformal

        sampling, between = np.full_like(mean, np.nan), np.zeros_like(mean)
        limits = conformal(results, new, method, rep=rep, offset=offset, random_state=random_state, **options)

    def spread(part: np.ndarray) -> np.ndarray:
        whole = np.full((part.shape[0], complete.size), np.nan)
        whole[:, complete] = part
        return whole

    everywhere = spread(mean)
    frames = results._frame(everywhere, index), results._frame(spread(np.sqrt(sampling + between)), index)
    return Prediction(
        *frames, method, df, spread(sampling), spread(between), everywhere,
        lambda alpha: tuple(spread(part) for part in limits(alpha)), scales.interval_link(results),
        tuple(results.design.y_names), index,
    )  # fmt: skip


def _rows(values: np.ndarray, complete: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[:, complete])


def _no(options: dict[str, Any], method: str) -> None:
    if options:
        raise ArgumentError(f"method={method!r} has no option {next(iter(options))!r}.")


def _between(values: np.ndarray) -> np.ndarray:
    """Variance (K, m) of a mean of predictions (R, K, m) by the repetitions' random starts."""
    r = values.shape[0]
    return np.zeros(values.shape[1:]) if r == 1 else values.var(axis=0, ddof=1) / r


def new_observation(
    results: NeuralNetResults, mean: np.ndarray, variance: np.ndarray, df: float, alpha: float, numbers: list[int],
    random_state: Any,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Limits (K, m) of a new observation of weight 1.

    Normal noise: ``mean -+ t sqrt(variance + phi)``. Other families: quantiles of SIMULATIONS responses drawn from the
    family at means that are themselves drawn, normal on the scale of the link.
    """
    from ..df import noise
    from ..start import seed_sequence

    phi = float(np.mean([results._scale(b) for b in numbers])) if results.family is not None else _residual(results)
    if results.family is None or isinstance(results.family, Gaussian):
        half = stats.t.ppf(1 - alpha / 2, df) * np.sqrt(variance + phi)
        return mean - half, mean + half
    rng = np.random.default_rng(0 if random_state is None else seed_sequence(random_state))
    link = scales.interval_link(results)
    low, high = link.means
    tiny = 1e-12
    safe = np.clip(mean, low + tiny if np.isfinite(low) else None, high - tiny if np.isfinite(high) else None)
    eta, se = link(safe), np.sqrt(variance) * np.abs(link.deriv(safe))
    scale = np.full((mean.shape[0], 1), phi)
    drawn = []
    for _ in range(SIMULATIONS):
        mu = link.inverse(eta + se * rng.standard_normal(eta.shape))
        drawn.append(noise.draw(results.network.objective, rng, mu, scale, None))
    ends = np.quantile(np.stack(drawn), [alpha / 2, 1 - alpha / 2], axis=0, method="inverted_cdf")
    return ends[0], ends[1]


def _residual(results: NeuralNetResults) -> float:
    """Residual variance where the error function belongs to no family."""
    residuals = results._response_residuals(results.best - 1)
    return float(np.sum(residuals**2 * results._case_weights)) / results.df_resid
