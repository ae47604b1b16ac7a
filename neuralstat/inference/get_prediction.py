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

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import FLAG, NONE, RANDOM_STATE, REP_OR_MEAN, SHARE, Anything, Choice, Numbers, arguments
from ..df.exact_fit import large, predictor_variance
from ..errors import ArgumentError
from ..families import Cox, Distribution, Gaussian, Quantile
from ..fitted import Fitted
from ..likelihood.mixture import components_at
from ..likelihood.several import UNLIKELY
from ..network import blocks
from ..network.blas import on_one_thread
from . import scales
from .bootstrap import kind_of, predictions
from .conformal import conformal
from .covariance import COV_TYPE, cov_type_of
from .cqr import cqr
from .dispersion import dispersion, t_degrees
from .mixing import Where, fitted_limits, hazard_limits, joint_limits, mixed_limits
from .new_levels import prior_variance
from .predict import frame, inputs
from .prediction import Limits, Pair, Prediction, at_once
from .predictive import quantiles
from .sampling import mean_variance, posterior_variance
from .together import Together, combine_of, together

METHODS = ("delta", "bootstrap", "bayes", "distribution", "split", "jackknife+", "cv+", "jackknife+ab", "cqr")
VARIANCES = ("delta", "bootstrap", "bayes", "distribution")  # methods that give variances of means
INTERVALS = ("normal", "percentile", "basic")
#: what each method takes of `options`
OPTIONS = {
    "delta": ("combine",), "bayes": ("combine",), "bootstrap": ("draws", "kind", "restarts", "n_jobs", "interval"),
    "distribution": ("combine",), "cqr": ("k", "test_size", "restarts", "n_jobs"),
    "split": ("test_size", "restarts", "n_jobs"), "jackknife+": ("restarts", "n_jobs"), "cv+": ("k", "restarts", "n_jobs"),
    "jackknife+ab": ("draws", "restarts", "n_jobs"),
}  # fmt: skip


def check_alpha(alpha: Any) -> float:
    """Raise an ArgumentError unless alpha is in (0, 1)."""
    return float(SHARE.check(alpha, "alpha"))


def check_options(method: str, options: dict[str, Any], *more: str) -> None:
    """Raise an ArgumentError where a method has no such option, nor one of `more`."""
    if wrong := [name for name in options if name not in (*OPTIONS[method], *more)]:
        takes = ", ".join(map(repr, OPTIONS[method])) or "none"
        raise ArgumentError(f"method={method!r} has no option {wrong[0]!r}; it takes {takes}.")


@on_one_thread
@arguments(
    new=Anything("a table, as in predict", None), method=Choice(*METHODS), rep=REP_OR_MEAN, cov_type=NONE | COV_TYPE,
    offset=Anything("an array, one value per new row", None), weights=Anything("a number or one per row", None, 1.0),
    use_t=NONE | FLAG, random_state=RANDOM_STATE,
)
def get_prediction(
    fitted: Fitted, new: Any = None, *, method: str = "delta", rep: Any = "mean", cov_type: str | None = None,
    offset: Any = None, weights: Any = None, use_t: bool | None = None, random_state: Any = None, **options: Any,
) -> Prediction:  # fmt: skip
    """Predictions for new data, or for the data of the fit, with standard errors and intervals.

    Intervals of a mean are symmetric on the scale of the link, and mapped through its inverse, as statsmodels does. A new
    observation of a gaussian response has ``mean -+ t sqrt(se^2 + phi / weight)``, of other families the quantiles of the
    response's distribution mixed over the normal error of its linear predictor (`inference.predictive`); NaN where that
    distribution has no known form (Tweedie with var_power > 2).

    Parameters
    ----------
    fitted : Fitted
    new : table, optional
        As in `predict`.
    method : {"delta", "bootstrap", "bayes", "distribution", "split", "jackknife+", "cv+", "jackknife+ab", "cqr"}
        "delta": from the covariance of the weights, on the scale of the link. "bootstrap": from refits; options
        draws (100), kind ("parametric", "residual", "case"), restarts ("warm", "same", "fresh"; see
        `inference.bootstrap.predictions`), n_jobs, and interval of the mean ("normal", "percentile", "basic").
        "bayes": from the posterior of the weights under a gaussian penalty, `likelihood.evidence`, whose variance has the
        penalty's bias in it (Wahba 1983, JRSS B 45:133; Nychka 1988, JASA 83:1134): intervals cover on average over rows
        where the strength is estimated; option combine ("mixture", "evidence").
        "distribution": as "delta", where the fit says a distribution of the response: of a new observation its quantiles,
        mixed over the normal errors of the parameters, and of distributions with several with their first-order bias taken
        off (`inference.mixing`; ``predict(type="distribution").interval(alpha)`` takes the estimates as they are). The others
        are conformal: intervals of a new observation whose coverage needs no model, only exchangeable rows (see
        `inference.conformal`); "cqr" moves the quantiles of "distribution" (`inference.cqr`), so that widths follow the
        spread; options of "split": test_size (0.5); of "cv+": k (10); of "cqr": k (10), or test_size for one split; of
        "jackknife+ab", the jackknife+-after-bootstrap: draws (100); all: restarts ("fresh", "same", "warm"), n_jobs. "delta"
        and "distribution" take combine ("mixture", "mean"): what several repetitions say together, as in `predict`.
    rep : {"mean", "best"} or int
        What is predicted from.
    cov_type : {"expected", "hessian", "sandwich", "cluster", "bootstrap"}, optional
        For "delta"; see `cov_params`.
    offset : array, optional
        For the new rows, where the model was given its offset as an array.
    weights : number or array (m,), optional
        Of the new observations, whose variance is ``phi V(mean) / weight``; numbers of trials of binomial ones, which are
        proportions. Default 1; for the data of the fit their case weights.
    use_t : bool, optional
        Student's t on n - df (effective degrees of freedom, by "jacobian") instead of the normal distribution; default
        where the family's dispersion is estimated. Of means with "cluster", and where clusters are drawn, on clusters - 1.
    random_state : int, SeedSequence, Generator, optional
        Of refits and folds.
    **options
        Of the method.

    Returns
    -------
    Prediction

    Raises
    ------
    ArgumentError
        For unknown methods and options, and what the model cannot give.

    Warns
    -----
    SingularHessianWarning
        Where the data do not determine some weights, with the hidden units that make it so.
    DfWarning
        Where no degrees of freedom are left for the dispersion, once per fit: standard errors and intervals are then NaN,
        but for conformal methods.
    """
    if cov_type is not None and method not in ("delta", "distribution"):
        raise ArgumentError(f"cov_type belongs to method='delta', not to {method!r}.")
    if use_t is not None and method not in VARIANCES:
        raise ArgumentError(f"use_t belongs to method='delta' and 'bootstrap', not to {method!r}.")
    check_options(method, options)
    numbers = fitted.numbers(rep)
    x, known, index, complete = inputs(fitted, new, offset)
    x, known = _rows(x, complete), None if known is None else _rows(known, complete)
    size = _weights(fitted, new, weights, complete)
    at = together(fitted, numbers, x, known, size, combine_of(method, options))
    if method in VARIANCES:
        fresh = prior_variance(fitted, numbers, new, x, complete)
        found = _from_variance(fitted, at, method, rep, cov_type, use_t, random_state, options, fresh)
    else:
        resampled = cqr(
            fitted, new, rep=rep, offset=offset, random_state=random_state, **options
        ) if method == "cqr" else conformal(
            fitted, new, method, rep=rep, offset=offset, weights=size, random_state=random_state, **options
        )
        nothing = np.broadcast_to(np.nan, at.mean.shape)
        found = _Found(nothing, np.broadcast_to(0.0, at.mean.shape), _nowhere(at.mean), at_once(resampled))

    def spread(part: np.ndarray) -> np.ndarray:
        if complete.all():
            return part
        whole = np.full((part.shape[0], complete.size), np.nan)
        whole[:, complete] = part
        return whole

    names = fitted.design.y_names if len(at.mean) == len(fitted.design.y_names) else (fitted.design.response,)
    mean, sampling, between = spread(at.mean), spread(found.sampling), spread(found.between)
    predicted, error = (frame(fitted, values, index, copy=False) for values in (mean, np.sqrt(sampling + between)))
    return Prediction(
        predicted, error, method, found.df, sampling, between, mean, found.of_new, found.of_mean, names, index,
        None if complete.all() else np.flatnonzero(complete), found.draws,
    )  # fmt: skip


def _nowhere(mean: np.ndarray) -> Limits:
    """Limits that are not known."""

    def limits(_: float, part: slice) -> Pair:
        nothing = np.full_like(mean[:, part], np.nan)
        return nothing, nothing

    return limits


@dataclass(frozen=True)
class _Found:
    """What a method says of the means (K, m)."""

    sampling: np.ndarray
    between: np.ndarray
    of_mean: Limits
    of_new: Limits
    df: float = np.inf
    draws: np.ndarray | None = None


def _from_variance(
    fitted: Fitted, at: Together, method: str, rep: Any, cov_type: str | None, use_t: bool | None, random_state: Any,
    options: dict[str, Any], fresh: np.ndarray | None,
) -> _Found:  # fmt: skip
    """By the delta method or the bootstrap: variances of the means, and limits from these."""
    from scipy import stats

    noise_df = t_degrees(fitted, at.numbers, use_t)
    clustered = kind_of(fitted, options.get("kind")) if method == "bootstrap" else None
    clustered = cov_type_of(fitted, cov_type) if method in ("delta", "distribution") else clustered
    df = t_degrees(fitted, at.numbers, use_t, clustered)
    interval = Choice(*INTERVALS).check(options.pop("interval", "normal"), "interval")
    mean, between, draws = at.mean, at.between, None
    if method in ("delta", "bayes") and large(fitted):
        sampling = predictor_variance(fitted, at.numbers[0], at.x) * _slopes(fitted, mean) ** 2
    elif method == "bayes":
        sampling = posterior_variance(fitted, at.numbers, at.x, at.offset, at.share)
    elif method != "bootstrap":
        sampling = mean_variance(fitted, at.numbers, at.x, at.offset, cov_type, at.pooled)
    else:
        draws = predictions(fitted, at.x, at.offset, rep=rep, random_state=random_state, **options)
        sampling = draws.var(axis=0, ddof=1)
        if options.get("restarts") == "fresh":
            between = np.zeros_like(between)
    mixed, joint = _mixed(fitted, at, cov_type, sampling, between)
    eta, weights, numbers = at.eta, at.weights, at.numbers
    quantile = functools.cache(lambda alpha: stats.t.ppf(1 - alpha / 2, df))
    phi = functools.cache(lambda: np.diag(dispersion(fitted, numbers)[0])[:, np.newaxis])

    def error(part: slice) -> np.ndarray:
        return np.sqrt(sampling[:, part] + between[:, part])

    def of_mean(alpha: float, part: slice) -> Pair:
        if draws is not None and interval != "normal":
            return _from_draws(fitted, mean[:, part], draws[..., part], alpha, interval)
        link, own = scales.interval_link(fitted), None if eta is None else eta[:, part]
        return scales.limits(link, mean[:, part], error(part), quantile(alpha), fitted.family, own)

    def of_new(alpha: float, part: slice) -> Pair:
        if mixed is not None:
            return mixed(alpha, part)
        spread, own = error(part), None if eta is None else eta[:, part]
        if fresh is not None:
            spread = np.sqrt(spread**2 + fresh[:, part] * _slopes(fitted, mean[:, part]) ** 2)
        return new_observation(fitted, phi(), mean[:, part], spread, noise_df, weights[part], alpha, own)

    if method == "distribution" and not joint:  # raises where there is none
        few = slice(0, min(blocks.ROWS, mean.shape[1]))
        known = None if at.offset is None else np.ascontiguousarray(at.offset[:, few])
        x = np.ascontiguousarray(at.x[:, few])
        said = components_at(fitted, x, known, numbers, weights[few], at.combine)
        if len(mean) == 1:
            median = said.parts[0].ppf(np.full(said.rows, 0.5))
            if isinstance(fitted.family, Distribution):
                said.below(median)

    return _Found(sampling, between, of_mean, of_new, df, draws)


def _slopes(fitted: Fitted, mean: np.ndarray) -> np.ndarray:
    """(K, m) derivatives of the means in the linear predictor."""
    link = scales.interval_link(fitted)
    return np.asarray(link.inverse_deriv(link(mean)))


def _mixed(
    fitted: Fitted, at: Together, cov_type: str | None, sampling: np.ndarray, between: np.ndarray
) -> tuple[Limits | None, bool]:
    """Limits of new observations of distributions with several parameters; None of others, and of classes.

    Of several normal responses those of each by itself, around means with variances `sampling` and `between`; and whether
    they are such.
    """
    if not fitted.network.objective.several:
        return None, False
    family, where = fitted.family, Where(fitted, at.numbers, at.x, at.offset, at.combine)
    if fitted.distribution.joint:
        return joint_limits(where, at.mean, sampling, between), True
    unsaid = isinstance(family, Distribution) and not all((family.functions or {}).get(name) for name in ("cdf", "ppf"))
    if len(fitted.observed) > 1 or isinstance(family, UNLIKELY) or unsaid:
        nothing = _nowhere(at.mean)
        if not isinstance(family, Quantile):
            return nothing, False
        levels, within = family.q, fitted_limits(where)

        def inside(alpha: float) -> bool:
            return levels[0] <= alpha / 2 and 1 - alpha / 2 <= levels[-1]

        return (lambda alpha, part: (within if inside(alpha) else nothing)(alpha, part)), False
    return (hazard_limits if isinstance(family, Cox) else mixed_limits)(where, cov_type), False


def _weights(fitted: Fitted, new: Any, weights: Any, complete: np.ndarray) -> np.ndarray:
    """Weights (m,) of the observations to come at the complete rows; those of the fit where they are 0 count as 1."""
    if weights is None:
        if new is not None or fitted.precisions is None:
            return np.broadcast_to(1.0, int(complete.sum()))
        return np.where(fitted.precisions > 0, fitted.precisions, 1.0)
    values = Numbers(None, finite=False).check(weights, "weights")
    if values.shape not in ((), (1,), (complete.size,)):
        raise ArgumentError(f"weights must be a number or {complete.size} numbers, one per row; got {shown(weights)}.")
    given = np.broadcast_to(values, (complete.size,))[complete]
    if not np.all(np.isfinite(given) & (given > 0)):
        raise ArgumentError(f"weights of new observations must be finite and > 0; got {shown(weights)}.")
    return given


def _rows(values: np.ndarray, complete: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values if complete.all() else values[:, complete])


def _from_draws(
    fitted: Fitted, mean: np.ndarray, draws: np.ndarray, alpha: float, interval: str
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of bootstrap means, or these reflected about the fit on the scale of the link."""
    ends = np.quantile(draws, [alpha / 2, 1 - alpha / 2], axis=0)
    if interval == "percentile":
        return ends[0], ends[1]
    link = scales.interval_link(fitted)
    with np.errstate(all="ignore"):
        turned = np.sort(link.inverse(2 * link(mean) - link(ends)), axis=0)
    return turned[0], turned[1]


def new_observation(
    fitted: Fitted, phi: np.ndarray, mean: np.ndarray, se: np.ndarray, df: float, weights: np.ndarray,
    alpha: float, eta: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Limits (K, m) of new observations of given weights (m,), of families with one parameter; see `get_prediction`.

    `phi`: dispersions (K, 1).
    """
    from scipy import stats

    family = fitted.family
    if family is None or isinstance(family, Gaussian) or (family.name == "tweedie" and family.parameter == 0):
        scaling = fitted.design.scaling
        unit = 1.0 if scaling is None else scaling.y_sd[:, np.newaxis] ** 2
        half = stats.t.ppf(1 - alpha / 2, df) * np.sqrt(se**2 + phi * unit / weights)
        return mean - half, mean + half
    link = scales.interval_link(fitted)
    eta, spread, inside = scales.on_link(link, mean, se, eta)
    levels = (alpha / 2, 1 - alpha / 2)
    phi, weights = np.broadcast_to(phi, mean.shape), np.broadcast_to(weights, mean.shape)
    ends = quantiles(family, link, eta, spread, phi, weights, levels)
    inside |= np.isnan(se)
    return np.where(inside, ends[0], mean), np.where(inside, ends[1], mean)
