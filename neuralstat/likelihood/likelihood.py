"""Likelihood of a fit: deviance, dispersion, log-likelihood, explained variation.

Of one repetition each: an average of networks has no weights of its own. A fit by `err_fct` has a likelihood too: "sse"
is half the gaussian deviance, "ce" half the binomial. Repetitions `b` are numbered from 0.

Several responses of a family with a dispersion each have their own, and gaussian ones a (K, K) covariance, as R's ``mlm``:
their log-likelihood is that of a multivariate normal distribution, so that no response's unit of measurement weighs more
than another's. Their residual degrees of freedom are those of one response.

What a mean that rounds to an end of its range would spoil comes from the linear predictor (`families.working`).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import NONE, POSITIVE, REP, TEXT, Choice, arguments
from ..cluster import ClusterDesign
from ..df import edf
from ..errors import ArgumentError, DfWarning, caller
from ..families import Cox, Gaussian, Multinomial, working
from ..families.null import null_means as means_of_constants
from ..fitted import Fitted, kept
from ..network import derivatives
from . import several as of_parameters
from .normal import multivariate
from .predictors import predictors

NOTHING = 1e-8  # share of the observations below which residual degrees of freedom are rounding
SCALE = NONE | Choice("dev", "x2") | POSITIVE  # a dispersion at which a likelihood is taken
TOLD = "_told_of_df"  # mark of a fit whose user knows that no degrees of freedom are left


def df_model(fitted: Fitted) -> float:
    """Degrees of freedom of the fit without the outputs' constants, as in statsmodels."""
    per_unit, units = fitted.network.shapes[-1]
    free = fitted.fit.free[0]
    constants = int(free[free.size - per_unit * units :: per_unit].sum())
    if isinstance(fitted.family, Multinomial) and constants == units:
        constants -= 1
    return edf(fitted) - constants


def several(fitted: Fitted) -> bool:
    """Whether there are several responses that have a dispersion each (also where the error belongs to no family)."""
    return fitted.network.n_outputs > 1 and fitted.dispersed


def sample_size(fitted: Fitted) -> float:
    """Observations that the likelihood counts: several responses with a dispersion each are one, as in R's ``mlm``."""
    if isinstance(fitted.family, Cox):  # events: what others' times say is in the sets at risk (Volinsky & Raftery 2000)
        return float(fitted.frequencies[fitted.responses[1] > 0].sum())
    return fitted.nobs if several(fitted) else fitted.n_values


def df_resid(fitted: Fitted) -> float:
    """Observed values minus degrees of freedom; of several responses with a dispersion each their mean, n - df / K."""
    rest = fitted.n_values - edf(fitted)
    rest = rest if abs(rest) > NOTHING * fitted.n_values else 0.0  # n leverages of 1 add up to n by rounding only
    return rest / fitted.network.n_outputs if several(fitted) else rest


def without_df(fitted: Fitted, rest: float) -> bool:
    """Whether no residual degrees of freedom are left, so that dispersion and what rests on it are not defined (NaN).

    Warns
    -----
    DfWarning
        Where it is so; once per fit, and not where the warning about the fit itself said so.
    """
    if rest > 0:
        return False
    if TOLD not in fitted.__dict__:
        fitted.__dict__[TOLD] = True
        warnings.warn(
            f"no degrees of freedom are left for the residuals ({fitted.nobs:,} observations): the dispersion, standard "
            "errors, tests and intervals are NaN. Fit a smaller model or a larger penalty; conformal intervals "
            "(get_prediction) need none.",
            DfWarning,
            stacklevel=caller(),
        )
    return True


# deviance and dispersion -----------------------------------------------------------------------------------


def deviance(fitted: Fitted, b: int) -> float:
    """Twice the error without its penalty: 2 (saturated - fitted log-likelihood) x scale.

    Of distributions with several parameters, which have no saturated model, -2 log-likelihood.
    """
    if of_parameters.is_several(fitted):
        return -2 * of_parameters.loglike(fitted, b)
    return fitted.total(_deviance, b)


def _deviance(fitted: Fitted, b: int) -> float:
    family, scaling = fitted.likely, fitted.design.scaling
    if scaling is not None and np.any(scaling.y_sd != 1):
        return family.deviance(fitted.responses, fitted.means(b), fitted.case_weights)
    return 2 * derivatives.error(fitted.network, fitted.data, fitted.fit.theta[b].astype(float))


@kept
def null_means(fitted: Fitted) -> np.ndarray:
    """(K, n) means of the model that has constants (and the offset) only; (K, 1) where rows are on a cluster.

    Raises
    ------
    ArgumentError
        Where these have an offset.
    """
    offset, scaling = fitted.design.offset, fitted.design.scaling
    if of_parameters.is_several(fitted):
        eta = of_parameters.constants(fitted)[:, np.newaxis]
        return np.repeat(fitted.distribution.response(eta), fitted.n_rows, axis=1)
    if isinstance(fitted.design, ClusterDesign):
        if offset is not None:
            raise ArgumentError("rows on a Dask cluster: with an offset there is no fit of constants alone, and so no null "
                                "deviance; fit the formula `~ 1` with the offset.")  # fmt: skip
        means = fitted.design.means[:, np.newaxis]
        return means if scaling is None else scaling.y_original(means)
    if offset is not None and scaling is not None:
        offset = offset * scaling.y_sd[:, np.newaxis]
    return means_of_constants(fitted.likely, fitted.responses, fitted.case_weights, offset)


@kept
def null_deviance(fitted: Fitted) -> float:
    """Deviance of the model that has constants (and the offset) only."""
    if of_parameters.is_several(fitted):
        of_parameters.likely(fitted)
        return 2 * of_parameters.null_loss(fitted)
    return fitted.total(_null_deviance, null_means(fitted))


def _null_deviance(fitted: Fitted, means: np.ndarray) -> float:
    return fitted.likely.deviance(fitted.responses, _at_all(fitted, means), fitted.case_weights)


def _at_all(fitted: Fitted, means: np.ndarray) -> np.ndarray:
    """Means (K, n), of constants (K, 1)."""
    return np.broadcast_to(means, fitted.responses.shape)


def pearson_residuals(fitted: Fitted, numbers: list[int], weights: np.ndarray) -> np.ndarray:
    """Pearson residuals (K, n) of the mean of repetitions (from 0) at case weights (n,), units of the response."""
    if of_parameters.is_several(fitted):
        return of_parameters.pearson(fitted, numbers, weights)
    if isinstance(fitted.family, Gaussian):
        return (fitted.responses - fitted.mean_of(numbers)) * np.sqrt(weights)
    return working.pearson(fitted.likely, fitted.responses, predictors(fitted, numbers), weights)


def pearson_chi2(fitted: Fitted, b: int) -> float:
    """Sum of the squared Pearson residuals."""
    return fitted.total(_squares, [b])


def _squares(fitted: Fitted, numbers: list[int]) -> float:
    return float(np.sum(np.square(pearson_residuals(fitted, numbers, fitted.case_weights))))


def products(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    """(K, K) sums of the products of the outputs' Pearson residuals."""
    return fitted.total(_products, numbers)


def _products(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    z = pearson_residuals(fitted, numbers, fitted.case_weights)
    return z @ z.T


def scale(fitted: Fitted, b: int) -> Any:
    """Dispersion: Pearson's chi2 / `df_resid`; 1 for binomial, multinomial, Poisson and negative binomial (but quasi ones).

    Of several responses the (K, K) covariance of their Pearson residuals. NaN where no degrees of freedom are left.
    """
    if not fitted.likely.dispersed:
        return 1.0
    rest = df_resid(fitted)
    found = products(fitted, [b]) / (np.nan if without_df(fitted, rest) else rest)
    return found if several(fitted) else float(np.trace(found))


def dispersion(fitted: Fitted, b: int, how: Any) -> Any:
    """Dispersion at which a likelihood is taken: None, "dev", "x2", or a number; see `loglike`.

    Of several responses that have one each (K, K).
    """
    family, many = fitted.likely, several(fitted)
    how = SCALE.check(how, "scale")
    if isinstance(how, float):
        return how * np.eye(fitted.network.n_outputs) if many else how
    if not family.dispersed:
        return 1.0
    gaussian = isinstance(family, Gaussian) and family.link.name == "identity"
    if how == "dev" or (how is None and gaussian):
        return by_deviance(fitted, [b])
    return scale(fitted, b)


def by_deviance(fitted: Fitted, numbers: list[int]) -> Any:
    """Deviance / n of the mean of repetitions (from 0): the gaussian maximum likelihood; (K, K) of several responses."""
    family, n = fitted.likely, sample_size(fitted)
    if not several(fitted):
        return (deviance(fitted, numbers[0]) if len(numbers) == 1 else mean_deviance(fitted, numbers)) / n
    if isinstance(family, Gaussian):
        return products(fitted, numbers) / n
    return np.diag(fitted.total(_unit_deviances, numbers)) / n


def _unit_deviances(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    return working.unit_deviance(fitted.likely, fitted.responses, predictors(fitted, numbers)) @ fitted.case_weights


def mean_deviance(fitted: Fitted, numbers: list[int]) -> float:
    """Deviance of the mean of repetitions (from 0); of distributions with several parameters of their mixture."""
    if of_parameters.is_several(fitted):
        return -2 * of_parameters.mixture_loglike(fitted, numbers)
    return fitted.total(_mean_deviance, numbers)


def _mean_deviance(fitted: Fitted, numbers: list[int]) -> float:
    if isinstance(fitted.family, Gaussian):
        return _squares(fitted, numbers)
    return working.deviance(fitted.likely, fitted.responses, predictors(fitted, numbers), fitted.case_weights)


def ssr(fitted: Fitted, b: int) -> float:
    """Weighted sum of squared response residuals."""
    return fitted.total(_ssr, b)


def _ssr(fitted: Fitted, b: int) -> float:
    return float(np.sum(np.square(response_residuals(fitted, b)) * fitted.case_weights))


def response_residuals(fitted: Fitted, b: int) -> np.ndarray:
    """(K, n) responses minus means; of counts minus total times probability where it is multinomial."""
    y, mu = fitted.observed, fitted.means(b)
    return y - (np.sum(y, axis=0) * mu if isinstance(fitted.family, Multinomial) else mu)


# log-likelihood --------------------------------------------------------------------------------------------


def check_likely(fitted: Fitted) -> None:
    """Raise ArgumentError where the family says a mean and a variance alone."""
    family = fitted.likely
    if family.quasi:
        raise ArgumentError(
            f"the family {family.name!r} says a mean and a variance, which is no likelihood, so that there is no AIC or BIC: "
            "compare fits by F tests (anova), by info_criteria('qaic', scale=) at one dispersion for all, or by risk."
        )


def loglike_at(fitted: Fitted, mu: np.ndarray, phi: Any, eta: np.ndarray | None = None) -> float:
    """Log-likelihood of means (K, n) at a dispersion, (K, K) of several responses that have one each.

    `eta`: their linear predictors (K, n), where these are known: means that round are then no matter.
    """
    family, used = fitted.likely, fitted.frequencies > 0
    y, w, often = fitted.responses[:, used], fitted.own_weights[used], fitted.frequencies[used]
    if several(fitted):
        if isinstance(family, Gaussian):
            return multivariate(y - mu[:, used], w, often, np.asarray(phi))
        phi = np.diag(np.asarray(phi))[:, np.newaxis]
    elif family.dispersed and phi == 0:  # a density without width: infinite where all responses are at their means
        return np.inf if family.deviance(y, mu[:, used], w) == 0 else -np.inf
    with np.errstate(all="ignore"):
        if eta is None or isinstance(family, Gaussian):
            values = family.loglike_obs(y, mu[:, used], w, phi)
        else:
            values = working.loglike_obs(family, y, eta[:, used], w, phi)
        return float(np.sum(values * often))


@arguments(rep=REP, scale=SCALE)
def loglike(fitted: Fitted, rep: Any = "best", scale: Any = None) -> float:
    """Log-likelihood of one repetition.

    Parameters
    ----------
    rep : int or "best"
    scale : None, "dev", "x2" or float
        Dispersion at which it is taken. None: as statsmodels, the maximum likelihood value deviance / n for the
        gaussian family with identity link and `scale` for the others; "dev": deviance / n for every family, as
        R's ``logLik``; "x2": `scale`. Several responses with a dispersion each: of each, with their covariances where
        they are gaussian.
    """
    b = fitted.which(rep)
    if of_parameters.is_several(fitted):
        return of_parameters.loglike(fitted, b)
    check_likely(fitted)
    return fitted.total(_loglike, b, dispersion(fitted, b, scale))


def _loglike(fitted: Fitted, b: int, phi: Any) -> float:
    return loglike_at(fitted, fitted.means(b), phi, predictors(fitted, [b]))


def loglike_of_mean(fitted: Fitted, numbers: list[int], phi: Any) -> float:
    """Log-likelihood, at a dispersion, of the mean of repetitions (from 0)."""
    return fitted.total(_loglike_of_mean, numbers, phi)


def _loglike_of_mean(fitted: Fitted, numbers: list[int], phi: Any) -> float:
    return loglike_at(fitted, fitted.mean_of(numbers), phi, predictors(fitted, numbers))


def llnull(fitted: Fitted) -> float:
    """Log-likelihood of the model that has constants (and the offset) only, at the dispersion of the best repetition."""
    if of_parameters.is_several(fitted):
        return -null_deviance(fitted) / 2
    check_likely(fitted)
    return fitted.total(_llnull, null_means(fitted), scale(fitted, fitted.best))


def _llnull(fitted: Fitted, means: np.ndarray, phi: Any) -> float:
    return loglike_at(fitted, _at_all(fitted, means), phi)


# explained variation ---------------------------------------------------------------------------------------


def rsquared(fitted: Fitted) -> float:
    """1 - ssr / total sum of squares about the weighted mean; the mean of the outputs' where there are several.

    NaN where a response is constant.
    """
    weight, sums = fitted.total(_moments)
    total, rest = fitted.total(_variations, fitted.best, sums / weight)
    if isinstance(fitted.family, Multinomial) or not several(fitted):
        return 1 - _ratio(rest.sum(), total.sum())
    return float(np.mean([1 - _ratio(*pair) for pair in zip(rest, total, strict=True)]))


def _moments(fitted: Fitted) -> tuple[Any, np.ndarray]:
    w = fitted.case_weights
    return w.sum(), fitted.observed @ w


def _variations(fitted: Fitted, b: int, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted squares of the responses about their mean, and about the fit, (K,) each."""
    w = fitted.case_weights
    return np.square(fitted.observed - centre[:, np.newaxis]) @ w, np.square(response_residuals(fitted, b)) @ w


def _ratio(part: Any, whole: Any) -> float:
    """A ratio of floats; NaN where there is nothing to divide by."""
    return float(part) / float(whole) if whole != 0 else np.nan


@arguments(kind=TEXT)
def pseudo_rsquared(fitted: Fitted, kind: str = "cs") -> float:
    """Explained variation on the likelihood's scale.

    Parameters
    ----------
    kind : {"cs", "mcf", "deviance"}
        Cox and Snell, 1 - exp(2 (llnull - llf) / n); McFadden, 1 - llf / llnull; 1 - deviance / null deviance (the mean
        of the outputs' where several have a dispersion each). NaN where there is nothing to explain.
    """
    given, kind = kind, kind.lower()
    if kind == "deviance":
        if several(fitted):
            return _deviance_share(fitted)
        return 1 - _ratio(deviance(fitted, fitted.best), null_deviance(fitted))
    if kind.startswith("mcf"):
        return 1 - _ratio(loglike(fitted), llnull(fitted))
    if kind.startswith("cox") or kind in ("cs", "lr"):
        with np.errstate(all="ignore"):
            return float(1 - np.exp((llnull(fitted) - loglike(fitted)) * 2 / sample_size(fitted)))
    raise ArgumentError(f"kind must be 'cs', 'mcf' or 'deviance', got {shown(given)}.")


def _deviance_share(fitted: Fitted) -> float:
    own = fitted.total(_unit_deviances, [fitted.best])
    null = fitted.total(_null_unit_deviances, null_means(fitted))
    return float(np.mean([1 - _ratio(*pair) for pair in zip(own, null, strict=True)]))


def _null_unit_deviances(fitted: Fitted, means: np.ndarray) -> np.ndarray:
    return fitted.likely.unit_deviance(fitted.responses, _at_all(fitted, means)) @ fitted.case_weights
