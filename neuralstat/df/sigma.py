"""The standard deviation of additive noise: given, from residuals, or from differences of neighbours.

What is found errs. Residuals on n minus degrees of freedom from derivatives are too small where the fit was searched for
(.232 for .25 on average, 29 of 30 data sets below: two covariates, 8 units where 3 are true, best of 5 restarts, n = 150),
and too large where it misses the mean; degrees of freedom by situation ("auto") mend the first. Differences of neighbours
are too large where the mean bends between neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import check_choice, shown
from ..checks.arguments import Anything, Numbers
from ..errors import ArgumentError, DfError
from ..fitted import Fitted
from . import noise
from .registry import DF
from .value import DegreesOfFreedom

WORDS = ("difference", "residual")
SIGMA = Anything("a number > 0, one per output, 'difference', 'residual', or a larger fit", None, 1.0)
MEASURED = ("jacobian", "divergence", "gdf", "covariance", "sure")  # what may be taken off n
DIFFERENCES = "from differences of neighbours (Gasser, Sroka & Jennen-Steinmetz)"
FIXED = "fixed by the family"
FEW = 10  # rows below which differences are not compared with residuals
NOTHING = 1e-8  # share of n that is none


def difference_sigma(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Noise from pseudo-residuals of neighbours on a line.

    Each point is compared with the line through its two neighbours (Gasser, Sroka & Jennen-Steinmetz 1986,
    Biometrika 73:625); no model is fitted, and the bias vanishes where the function is straight between
    neighbours.

    Parameters
    ----------
    x : (n,) array
        Covariate; ties are taken in any order.
    y : (n,) array
        Response.
    weights : (n,) array, optional
        The variance of observation i is sigma^2 / weights_i.

    Returns
    -------
    float
    """
    w = np.ones(x.size) if weights is None else weights
    order = np.argsort(x, kind="stable")
    order = order[w[order] > 0]
    x, y, v = x[order], y[order], 1 / w[order]
    if x.size < 3:
        raise ArgumentError(f"sigma: differences need at least 3 observations, got {x.size}.")
    gap = x[2:] - x[:-2]
    a = np.where(gap > 0, (x[2:] - x[1:-1]) / np.where(gap > 0, gap, 1.0), 0.5)
    pseudo = a * y[:-2] + (1 - a) * y[2:] - y[1:-1]
    return float(np.sqrt(np.mean(pseudo**2 / (a**2 * v[:-2] + (1 - a) ** 2 * v[2:] + v[1:-1]))))


def residual_sigma(fitted: Fitted, numbers: list[int], d: float) -> np.ndarray:
    """(K,) from residuals of the mean of repetitions on n minus d degrees of freedom of all outputs, internal units.

    Raises
    ------
    DfError
        Where none are left.
    """
    n, k = fitted.nobs, fitted.network.n_outputs  # observations, not rows
    residual = fitted.design.y - noise.fitted(fitted, numbers)
    rest = n - d / k
    if rest <= NOTHING * n:
        raise DfError(
            f"df: no degrees of freedom are left for sigma ({n} observations, {n - rest:.4g} used): give it."
        )
    return np.sqrt(np.sum(fitted.case_weights * residual**2, axis=1) / rest)


def resolve_sigma(
    fitted: Fitted, sigma: Any = None, df: DegreesOfFreedom | None = None, rep: Any = "best"
) -> tuple[np.ndarray, str]:
    """Find the standard deviation (K,) of the noise in internal units, and where it came from.

    With ``sigma=None``: the residuals on n minus `df`, unless there is one covariate, and differences of neighbours are
    smaller by more than two of their standard errors, so that the fit seems to miss the mean. For families without additive
    noise the root of the dispersion: of Pearson's residuals, or 1 where there is none to estimate.

    Parameters
    ----------
    fitted : Fitted
    sigma : float, array (K,), str or fit, optional
        In the units of the response; "difference": of neighbours on a line (one covariate); "residual": the residuals on n
        minus degrees of freedom by situation; or a larger fit of the same response, whose residuals are used so.
    df : DegreesOfFreedom, optional
        Of the fit; "jacobian" of the best repetition where not given.
    rep : {"mean", "best"} or int
        Whose residuals, with `df`.

    Raises
    ------
    ArgumentError
        Where `sigma` is not positive, or does not suit the fit.
    DfError
        Where no degrees of freedom are left.
    """
    several = fitted.network.objective.several
    k = fitted.design.y.shape[0] if several else fitted.network.n_outputs
    check_sigma(sigma, k)
    if several:
        return _of_distribution(fitted, sigma, k)
    if isinstance(sigma, str) and sigma == "residual":
        df, rep, sigma = DF["auto"](fitted, "best"), "best", None
        return _residual(fitted, df, rep)
    if isinstance(sigma, str):
        return _difference(fitted), DIFFERENCES
    if (other := _fit(sigma)) is not None:
        return _of_another(fitted, other)
    if sigma is not None:
        return given_sigma(sigma, k) / _units(fitted), "as given"
    if df is None or df.method not in MEASURED:
        df, rep = DF["jacobian"](fitted, "best"), "best"
    try:
        own, source = _residual(fitted, df, rep)
    except DfError:
        if _why_not_differences(fitted):
            raise
        return _difference(fitted), DIFFERENCES
    if noise.gaussian(fitted.network.objective):
        if not _why_not_differences(fitted) and fitted.n_rows >= FEW:
            near = _difference(fitted)
            smaller = (near > 0) & (near * (1 + 2 / np.sqrt(fitted.n_rows)) < own)
            own = np.where(smaller, near, own)
            source = DIFFERENCES if smaller.any() else source
        if np.any(own == 0):
            raise DfError("df: the residuals are all zero, so that sigma cannot be estimated; give sigma.")
    return own, source


def _of_distribution(fitted: Fitted, sigma: Any, k: int) -> tuple[np.ndarray, str]:
    """Of a distribution with several parameters: as given, or of a location the root of its mean variance; else 1."""
    family, scaling = fitted.distribution, fitted.design.scaling
    if isinstance(sigma, str) or _fit(sigma) is not None:
        raise ArgumentError(f"sigma must be a number for the family {family.name!r}, whose spread is a parameter of its own.")
    if not family.located:
        return (np.ones(k), FIXED) if sigma is None else (given_sigma(sigma, k), "as given")
    if sigma is not None:
        return given_sigma(sigma, k) / (1.0 if scaling is None else scaling.y_sd), "as given"
    raw = fitted.fitted_raw([fitted.best])[0]
    return np.sqrt([np.mean(family.variance(family.natural(raw)))]), "root of the mean variance of the fitted distribution"


def check_sigma(sigma: Any, k: int) -> None:
    """Refuse what is no sigma of k outputs; see `resolve_sigma`."""
    if sigma is None or _fit(sigma) is not None:
        return
    if isinstance(sigma, str):
        check_choice(sigma, "sigma", WORDS)
        return
    given_sigma(sigma, k)


def _fit(given: Any) -> Fitted | None:
    """The fit that stands for its noise; None where it is none."""
    fitted = getattr(given, "fitted", given) if not isinstance(given, int | float | str | np.ndarray) else None
    return fitted if isinstance(fitted, Fitted) else None


def _units(fitted: Fitted) -> np.ndarray:
    """(K,) size of the internal unit in those of the response."""
    scaling = fitted.design.scaling
    additive = noise.gaussian(fitted.network.objective)
    return np.ones(fitted.network.n_outputs) if scaling is None or not additive else scaling.y_sd


def _of_another(fitted: Fitted, other: Fitted) -> tuple[np.ndarray, str]:
    """Noise by a larger fit of the same response."""
    if other.network.n_outputs != fitted.network.n_outputs:
        raise ArgumentError(
            f"sigma: the fit given has {other.network.n_outputs} output(s), this one {fitted.network.n_outputs}."
        )
    if noise.gaussian(other.network.objective) != noise.gaussian(fitted.network.objective):
        raise ArgumentError("sigma: the fit given has another family of noise than this one.")
    values, source = resolve_sigma(other, None, DF["auto"](other, "best"))
    return values * _units(other) / _units(fitted), f"of the fit given, {source}"


def _residual(fitted: Fitted, df: DegreesOfFreedom, rep: Any) -> tuple[np.ndarray, str]:
    """By residuals on n minus `df`; the dispersion's root where noise is not additive."""
    if not noise.gaussian(fitted.network.objective):
        return _dispersion(fitted, df, rep)
    which = {"best": "the best repetition", "mean": "the mean"}.get(rep, f"repetition {rep}")
    own = residual_sigma(fitted, fitted.numbers(rep), float(df))
    return own, f"from the residuals of {which} on n minus its df ({df.method})"


def _why_not_differences(fitted: Fitted) -> str:
    """Why differences of neighbours cannot be taken; nothing where they can."""
    if not noise.gaussian(fitted.network.objective):
        return "the noise is not additive"
    if fitted.design.x.shape[0] != 1:
        return f"there are {fitted.design.x.shape[0]} inputs, and neighbours are on a line"
    if fitted.design.offset is not None:
        return "there is an offset"
    return "" if fitted.n_rows >= 3 else "they need three rows"


def _difference(fitted: Fitted) -> np.ndarray:
    """(K,) from differences of neighbours, internal units."""
    if why := _why_not_differences(fitted):
        raise ArgumentError(f"sigma='difference' is not for this fit: {why}.")
    return np.array([difference_sigma(fitted.design.x[0], y, fitted.precisions) for y in fitted.design.y])


def given_sigma(sigma: Any, k: int) -> np.ndarray:
    """A standard deviation, or one per output, as (k,) numbers > 0.

    Raises
    ------
    ArgumentError
        Where it is none.
    """
    wanted = "a finite number > 0" if k == 1 else f"a finite number > 0, or {k} of them, one per output"
    try:
        given = Numbers(None).check(sigma, "sigma")
    except ArgumentError:
        given = np.zeros(0)
    if isinstance(sigma, bool | np.bool_) or given.shape not in ((), (1,), (k,)) or not np.all(given > 0):
        raise ArgumentError(f"sigma must be {wanted}; got {shown(sigma)}.")
    return np.broadcast_to(given, (k,))


def _dispersion(fitted: Fitted, df: DegreesOfFreedom, rep: Any) -> tuple[np.ndarray, str]:
    """Root of the dispersion of a family: 1, or Pearson's estimate on n minus the degrees of freedom."""
    k = fitted.network.n_outputs
    family = getattr(fitted.network.objective, "family", None)
    if family is None or not family.dispersed:
        return np.ones(k), FIXED
    mu = noise.fitted(fitted, fitted.numbers(rep))
    rest = fitted.nobs - float(df) / k
    if rest <= NOTHING * fitted.nobs:
        raise DfError(
            "df: no degrees of freedom are left to estimate the dispersion; give sigma, its square root."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = fitted.case_weights * (fitted.design.y - mu) ** 2 / family.variance(mu)
    return np.sqrt(pearson.sum(axis=1) / rest), f"root of Pearson's dispersion on n minus df ({df.method})"
