"""Information criteria and risk estimates with effective degrees of freedom; each names the df behind it.

Conventions. With d degrees of freedom (network only) and `dk_params` further parameters counted, m = d +
dk_params:

- AIC = -2 llf + 2 m;  AICc = -2 llf + 2 m n / (n - m - 1);  BIC = -2 llf + log(n) m.
- ``dk_params=0`` is statsmodels' convention (the noise variance is profiled out and not counted);
  ``dk_params=1`` is R's for ``lm``, ``glm`` (gaussian) and ``gam``, which count it.
- AICc, which is exact for linear models with the variance counted (Hurvich & Tsai 1989, Biometrika 76:297), counts an
  estimated dispersion whatever `dk_params` is.
- K responses with a dispersion each: n are the observations, not their values; gaussian ones have K (K + 1) / 2 variances
  and covariances, and n - m / K - (K + 1) / 2 stands for n - m - 1 (Bedrick & Tsai 1994, Biometrics 50:226).
- Where no residual degrees of freedom are left to estimate a dispersion from, criteria are NaN.
- R's neuralnet has 2 error + 2 p and 2 error + log(n) p with p weights, whatever the error is:
  ``convention="neuralnet"``.
- GCV = (dev / N) / (1 - d / N)^2;  Cp = dev / N + 2 sigma^2 d / N;  GIC = dev + 2 sigma^2 d, where dev is
  the residual sum of squares (the deviance for families without additive noise, sigma^2 being the
  dispersion) and N the number of observations times outputs.
- TIC (Takeuchi; "nic" on the scale of AIC) = -2 llf + 2 tr(G Q^-1).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import (
    NOT_NEGATIVE,
    REP_OR_MEAN,
    Anything,
    Choice,
    Number,
    arguments,
)  # fmt: skip
from ..df import DegreesOfFreedom, edf, found, local, noise, warn_limits
from ..df.registry import OPTIONS
from ..df.sigma import SIGMA, check_sigma, resolve_sigma
from ..errors import ArgumentError, DfError, DfWarning, caller
from ..families import Gaussian
from ..fitted import Fitted
from . import likelihood, several

LIKELIHOOD = ("aic", "aicc", "bic", "qaic")
CRITERIA = (*LIKELIHOOD, "gcv", "cp", "gic", "tic")
SHOWN = ("aic", "aicc", "bic", "gcv", "cp", "gic")
CONVENTIONS = ("statsmodels", "R", "neuralnet")
NONE_LEFT = "no degrees of freedom are left for the residuals"
SINGULAR = 1e-6  # smallest eigenvalue of the Hessian, relative to the largest, below which a note is printed


def loglike(fitted: Fitted, rep: Any = "best", scale: Any = None) -> float:
    """Log-likelihood of one repetition, or of the mean of several; see `likelihood.loglike`."""
    if rep != "mean":
        return likelihood.loglike(fitted, rep, scale)
    likelihood.check_likely(fitted)
    family, numbers = fitted.likely, fitted.numbers(rep)
    if fitted.network.objective.several:
        return several.mixture_loglike(fitted, numbers)
    phi: Any
    if isinstance(scale, int | float | np.number) or not family.dispersed:
        phi = likelihood.dispersion(fitted, numbers[0], scale)
    elif scale == "dev" or (scale is None and family.name == "gaussian" and family.link.name == "identity"):
        phi = likelihood.by_deviance(fitted, numbers)
    else:
        many = likelihood.several(fitted)
        rest = fitted.n_values - float(found(fitted, "jacobian", "mean"))
        phi = likelihood.products(fitted, numbers)
        phi = phi * np.nan if likelihood.without_df(fitted, rest) else phi / rest * (len(phi) if many else 1)
        phi = phi if many else float(np.trace(phi))
    return likelihood.loglike_of_mean(fitted, numbers, phi)


def deviance(fitted: Fitted, rep: Any = "best") -> float:
    """Weighted residual sum of squares for additive noise (units of the response), else the deviance."""
    numbers = fitted.numbers(rep)
    if noise.gaussian(fitted.network.objective):
        return fitted.total(_squares, numbers)
    return likelihood.mean_deviance(fitted, numbers)


def _squares(fitted: Fitted, numbers: list[int]) -> float:
    return float(np.sum(fitted.case_weights * (fitted.responses - fitted.mean_of(numbers)) ** 2))


def dispersions(fitted: Fitted) -> float:
    """Number of the dispersions (of gaussian responses, variances and covariances) that are estimated."""
    if not fitted.likely.dispersed:
        return 0
    k = fitted.network.n_outputs
    return k * (k + 1) / 2 if isinstance(fitted.family, Gaussian) else k


def information(
    criterion: str, llf: float, nobs: float, df: float, dk_params: float = 0, used: float | None = None
) -> float:
    """AIC, AICc or BIC of a log-likelihood.

    Parameters
    ----------
    criterion : {"aic", "aicc", "bic"}
    llf, nobs, df : float
        Log-likelihood, number of observations, degrees of freedom of the mean.
    dk_params : float
        Further parameters counted: 0 as statsmodels, 1 as R (the noise variance).
    used : float, optional
        For "aicc", what is subtracted from the observations; m + 1 unless given.

    Returns
    -------
    float
        AICc is infinite where n - `used` is not positive.
    """
    m = df + dk_params
    if criterion == "aic":
        return -2 * llf + 2 * m
    if criterion == "bic":
        return -2 * llf + np.log(nobs) * m
    if criterion == "aicc":
        rest = nobs - (m + 1 if used is None else used)
        return -2 * llf + 2 * m * nobs / rest if rest > 0 else np.inf
    raise ArgumentError(f"criterion must be 'aic', 'aicc' or 'bic', got {criterion!r}.")


def gcv(dev: float, n: float, df: float) -> float:
    """Generalised cross-validation (dev / n) / (1 - df / n)^2; infinite where df reaches n."""
    return dev / n / (1 - df / n) ** 2 if df < n else np.inf


def cp(dev: float, n: float, df: float, sigma2: float) -> float:
    """Mallows' Cp on the scale of a mean squared error: dev / n + 2 sigma^2 df / n."""
    return dev / n + 2 * sigma2 * df / n


def gic(dev: float, df: float, sigma2: float) -> float:
    """Training error plus 2 df sigma^2: the covariance penalty on the scale of the sum of squares."""
    return dev + 2 * sigma2 * df


@arguments(per_weight=Number())
def r_criterion(fitted: Fitted, per_weight: float) -> np.ndarray:
    """(B,) R's information criteria, ``2 error + per_weight p``.

    The error stands for minus the log-likelihood; p is the number of weights, those held at a non-zero constant
    counted, as R does.
    """
    p = np.sum(fitted.fit.free[0] | (fitted.theta[0] != 0))
    with np.errstate(over="ignore"):  # beyond numbers it is infinite
        return 2 * fitted.errors + per_weight * p


DF_GIVEN = Anything("a method of df, a number >= 0 or DegreesOfFreedom", None, "jacobian", 2.0)


def default_df(fitted: Fitted, rep: Any = "best") -> DegreesOfFreedom:
    """Degrees of freedom that criteria count unless told: by situation; under ``compat="R"`` the number of weights."""
    if fitted.settings.compat == "R" and rep == "best":
        return DegreesOfFreedom(edf(fitted), "weights")
    return found(fitted, "auto", rep)


@arguments(
    crit=Choice(*CRITERIA), df=DF_GIVEN, dk_params=NOT_NEGATIVE, scale=likelihood.SCALE, rep=REP_OR_MEAN,
    convention=Choice(*CONVENTIONS), sigma=SIGMA,
)
def info_criteria(
    fitted: Fitted, crit: str, df: Any = None, dk_params: float = 0, scale: Any = None, rep: Any = "best",
    convention: str = "statsmodels", sigma: float | None = None,
) -> float:  # fmt: skip
    """One criterion, smaller is better; see `NeuralNetResults.info_criteria` for the arguments."""
    check_sigma(sigma, fitted.network.n_outputs)
    _unused(crit, convention, df=df, dk_params=dk_params or None, scale=scale, sigma=sigma)
    if convention == "neuralnet":
        if crit not in ("aic", "bic"):
            raise ArgumentError(f"R's neuralnet has 'aic' and 'bic' only, not {crit!r}.")
        b = fitted.which("best" if rep == "mean" else rep)
        return float(r_criterion(fitted, 2.0 if crit == "aic" else np.log(fitted.nobs))[b])
    if crit == "tic" and _undefined(fitted, crit, edf(fitted)):
        return np.nan
    if df is None and crit != "tic":
        df = default_df(fitted, rep)
    d = found(fitted, "nic" if crit == "tic" else df, rep)
    value = criterion(fitted, crit, d, dk_params, scale, rep, convention, sigma)
    if np.isnan(value) and float(d) >= fitted.n_values > edf(fitted):
        warnings.warn(
            f"crit={crit!r} is not defined: {float(d):.4g} degrees of freedom ({d.method}) leave none of {fitted.n_values:,} "
            "values for the residuals.", DfWarning, stacklevel=caller(),
        )  # fmt: skip
    return value


def _unused(crit: str, convention: str, **given: Any) -> None:
    """Refuse arguments that a criterion does not take."""
    takes = {"df", "dk_params"}
    if crit in (*LIKELIHOOD, "tic"):
        takes.add("scale")
    if crit in ("cp", "gic"):
        takes.add("sigma")
    if crit == "tic":
        takes.remove("df")
    if convention == "neuralnet":
        takes = set()
    for name, value in given.items():
        if value is not None and name not in takes:
            which = f"convention={convention!r}" if convention == "neuralnet" else f"crit={crit!r}"
            raise ArgumentError(f"{which} does not take {name}; it takes {', '.join(sorted(takes)) or 'none of them'}.")


def criterion(
    fitted: Fitted, crit: str, d: float, dk_params: float, scale: Any, rep: Any, convention: str, sigma: Any
) -> float:
    """A criterion at d degrees of freedom."""
    if sigma is None and crit != "tic" and _undefined(fitted, crit, d):
        return np.nan
    if convention == "R":
        scale = "dev" if scale is None else scale
        dk_params = dk_params + dispersions(fitted)
    n, m = fitted.n_values, float(d) + dk_params
    if crit == "qaic":
        return _quasi(fitted, m, scale, rep)
    if crit == "aicc":
        more = max(dk_params, dispersions(fitted))
        used = float(d) + more + 1
        if likelihood.several(fitted):
            k = fitted.network.n_outputs
            used = (float(d) + more) / k + ((k + 1) / 2 if isinstance(fitted.family, Gaussian) else 1)
        llf = loglike(fitted, rep, scale)
        return float(information(crit, llf, likelihood.sample_size(fitted), float(d), more, used))
    if crit in LIKELIHOOD:
        llf = loglike(fitted, rep, scale)
        return float(information(crit, llf, likelihood.sample_size(fitted), float(d), dk_params))
    if crit == "tic":
        return float(-2 * loglike(fitted, rep, scale) + 2 * m)
    if fitted.network.objective.several:
        raise ArgumentError(
            f"crit={crit!r} is of sums of squares and deviances, and the family {fitted.likely.name!r} has neither: take "
            "'aic', 'bic', or risk with loss='log_score'."
        )
    dev = deviance(fitted, rep)
    if crit == "gcv":
        return gcv(dev, n, float(d))
    sigma2 = noise_variance(fitted, sigma, d, rep)[0]
    return cp(dev, n, float(d), sigma2) if crit == "cp" else gic(dev, float(d), sigma2)


def _undefined(fitted: Fitted, crit: str, d: float) -> bool:
    """Whether a criterion needs a dispersion, and d degrees of freedom leave nothing to estimate it from."""
    estimated, least = crit == "qaic" or fitted.dispersed, likelihood.NOTHING * fitted.n_values
    rest = fitted.n_values - float(d)
    if estimated and rest <= least < fitted.n_values - edf(fitted):  # the dispersion has some: only the criterion has none
        return True
    return estimated and likelihood.without_df(fitted, rest if rest > least else 0.0)


def _quasi(fitted: Fitted, m: float, scale: Any, rep: Any) -> float:
    """QAIC: the log-likelihood of dispersion 1 is divided by the dispersion."""
    b = fitted.which(rep)
    if likelihood.several(fitted):
        raise ArgumentError("crit='qaic' needs one dispersion, and each of several such responses has its own.")
    if scale is None:
        rest = likelihood.df_resid(fitted)
        if likelihood.without_df(fitted, rest):
            return np.nan
        phi = likelihood.pearson_chi2(fitted, b) / rest
    else:
        phi = likelihood.dispersion(fitted, b, scale)
    if phi == 0:  # nothing to divide by
        return np.nan
    return float(-2 * likelihood.loglike_of_mean(fitted, [b], 1.0) / phi + 2 * m)


def noise_variance(fitted: Fitted, sigma: Any = None, d: Any = None, rep: Any = "best") -> tuple[float, str]:
    """Variance of the noise in the units of the response, or the dispersion; and its source.

    Where `sigma` is not given: of the residuals on n minus `d`, by situation where that is not given either.
    """
    if sigma is None and d is None:
        d = default_df(fitted, rep)
    values, source = resolve_sigma(fitted, sigma, d if isinstance(d, DegreesOfFreedom) else None, rep)
    scaling = fitted.design.scaling
    if scaling is not None and noise.gaussian(fitted.network.objective):
        values = values * scaling.y_sd
    with np.errstate(over="ignore"):
        return float(np.mean(np.square(values))), source


@arguments(df=DF_GIVEN, dk_params=NOT_NEGATIVE, rep=REP_OR_MEAN, sigma=SIGMA)
def criteria(
    fitted: Fitted, df: Any = "auto", *, dk_params: float = 0, rep: Any = "best", sigma: float | None = None,
    **options: Any,
) -> pd.DataFrame:  # fmt: skip
    """All criteria, with the degrees of freedom and their method beside each; see `NeuralNetResults.criteria`."""
    check_sigma(sigma, fitted.network.n_outputs)
    if sigma is not None and isinstance(df, str) and "sigma" in OPTIONS.get(str.__str__(df), ()):
        options["sigma"] = sigma
    d = found(fitted, df, rep, **options)
    warn_limits(fitted, d.method, rep)
    table = [_row(fitted, crit, d, dk_params, rep, sigma) for crit in SHOWN]
    table.append(_takeuchi(fitted, rep, sigma))
    count = float(found(fitted, "weights", "best"))
    for crit in ("aic", "bic"):
        value = info_criteria(fitted, crit, convention="neuralnet", rep=rep)
        table.append((f"{crit} (R's neuralnet)", value, count, "weights", None, "2 error + penalty on p weights"))
    frame = pd.DataFrame(table, columns=["criterion", "value", "df", "method", "se", "note"])
    frame["se"] = frame["se"].astype(float)
    return frame.set_index("criterion")


def _row(fitted: Fitted, crit: str, d: Any, dk_params: float, rep: Any, sigma: float | None) -> tuple[Any, ...]:
    """Criterion, value, df, method, standard error of the df, note."""
    note = ""
    try:
        value = criterion(fitted, crit, d, dk_params, None, rep, "statsmodels", sigma)
        if np.isnan(value) and _undefined(fitted, crit, d):
            note = NONE_LEFT
        elif crit in ("aic", "aicc", "bic"):
            counted = max(dk_params, dispersions(fitted)) if crit == "aicc" else dk_params
            note = f"dk_params = {counted:g}"
            if crit == "bic":
                note = "; ".join(filter(None, (note, singular(fitted, rep))))
        elif crit in ("cp", "gic"):
            size, source = noise_variance(fitted, sigma, d, rep)
            note = f"sigma {np.sqrt(size):.4g} {source}"
    except (DfError, ArgumentError) as error:
        value, note = np.nan, str(error)
    return crit, value, float(d), d.method, d.se, note


def _takeuchi(fitted: Fitted, rep: Any, sigma: float | None) -> tuple[Any, ...]:
    if _undefined(fitted, "tic", found(fitted, "jacobian", rep)):
        return "tic", np.nan, np.nan, "nic", None, NONE_LEFT
    try:
        t = found(fitted, "nic", rep)
        value = criterion(fitted, "tic", t, 0, None, rep, "statsmodels", sigma)
    except (DfError, ArgumentError) as error:
        return "tic", np.nan, np.nan, "nic", None, str(error)
    return "tic", value, float(t), "nic", None, ""


def _spectrum(fitted: Fitted, b: int) -> np.ndarray:
    """Eigenvalues of the Hessian, least first, but those of directions that no data can determine."""
    used = local.active(fitted, b)
    without = int(used.sum()) - fitted.identified(used) if not fitted.penalised else 0
    return np.linalg.eigvalsh(local.hessian(fitted, b, used))[without:]


def singular(fitted: Fitted, rep: Any = "best") -> str | None:
    """Say where the Hessian is nearly singular, so that BIC's penalty has no ground; else None.

    With a redundant unit the model is singular, and log(n) df / 2 overstates the complexity (Watanabe's
    real log canonical threshold takes its place); AIC's derivation fails there, too.
    """
    try:
        spectra = [_spectrum(fitted, b) for b in fitted.numbers(rep)]
    except DfError as error:
        return str(error)
    values = min(spectra, key=lambda v: v[0] / v[-1])
    if values[0] > SINGULAR * values[-1]:
        return None
    return (
        f"The Hessian's smallest eigenvalue is {values[0]:.2g} (largest {values[-1]:.2g}): some weights are "
        "hardly determined. BIC (and AIC) are derived for regular models and overstate the complexity of "
        "singular ones."
    )
