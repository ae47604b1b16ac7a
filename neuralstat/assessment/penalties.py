"""Risk without refitting to parts: training error plus a penalty for degrees of freedom.

With dev the residual sum of squares (the deviance for families without additive noise), N values, d degrees of
freedom, sigma^2 the noise variance (the dispersion): Cp = (dev + 2 sigma^2 d) / N estimates the error at the same
covariates and new responses; SURE = Cp - sigma^2 the mean squared distance to the truth; GCV = (dev / N) / (1 - d /
N)^2. "gdf" and "covariance" are Cp with the degrees of freedom of Ye and of Efron.

References
----------
Mallows (1973), Technometrics 15:661. Stein (1981), Annals of Statistics 9:1135. Craven & Wahba (1979), Numerische
Mathematik 31:377. Ye (1998), JASA 93:120. Efron (2004), JASA 99:619.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import NONE, Anything, arguments
from ..df import DF, found, noise, warn_limits
from ..df.registry import OPTIONS
from ..df.sigma import SIGMA
from ..errors import ArgumentError, DfError
from ..families import working
from ..fitted import Fitted
from ..likelihood.criteria import noise_variance
from ..likelihood.predictors import predictors
from .procedure import NetworkProcedure
from .registry import estimator
from .resampling import standard_error
from .value import NEW_X, SAME_X, Risk

WORDS = {"cp": "Mallows' Cp", "sure": "Stein's unbiased risk estimate", "gcv": "generalised cross-validation",
         "gdf": "Cp with generalised degrees of freedom", "covariance": "Efron's covariance penalty"}  # fmt: skip


@arguments(df=NONE | Anything("a method, or a number >= 0", *DF, 2.0), sigma=SIGMA)
def penalised(
    method: str, procedure: Any, loss: Any = None, *, df: Any = None, sigma: Any = None, rep: Any = None,
    **options: Any,
) -> Risk:  # fmt: skip
    """Training error and penalty.

    Parameters
    ----------
    df : str, number or DegreesOfFreedom, optional
        A method of `NeuralNetResults.df` or a value. Default: "auto" for "cp" and "gcv", "sure" (the Monte-Carlo
        divergence) for "sure"; "gdf" and "covariance" are what they are called.
    sigma : float, optional
        Noise of the response, in its units; where not given of the residuals on n minus the degrees of freedom.
    rep : {"mean", "best"} or int, optional
        Of the averaged fit, the best or one repetition; where not given, as `risk` was told.
    **options
        Of `NeuralNetResults.df`: draws, restarts, random_state, ...
    """
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError(
            f"method={method!r} needs a fit or model of neuralstat; for other objects use 'cv', 'bootstrap', '632', "
            "'632+' or 'holdout', or neuralstat.gdf for their degrees of freedom."
        )
    fitted = procedure.fitted
    additive = noise.gaussian(fitted.network.objective)
    name = "mse" if additive else "deviance"
    known = (name, "deviance") if additive and _plain_deviance(fitted) else (name,)
    if loss is not None and not (isinstance(loss, str) and loss in known):
        raise ArgumentError(f"method={method!r} is for loss={name!r} here, got {shown(loss)}; use a resampling method.")
    if method == "sure" and not additive:
        raise ArgumentError("method='sure' needs additive noise; use 'covariance', its kin for other families.")
    if df is None:
        df = {"gdf": "gdf", "covariance": "covariance", "sure": "sure"}.get(method, "auto")
    elif method in ("gdf", "covariance"):
        raise ArgumentError(f"method={method!r} has its own degrees of freedom; use method='cp' with df=.")
    rep = procedure.rep if rep is None else rep
    if isinstance(df, str) and sigma is not None and "sigma" in OPTIONS.get(df, ()):
        options["sigma"] = sigma
    if not isinstance(df, str) and options:
        raise ArgumentError(f"option {next(iter(options))!r} is not used where df is a number.")
    d = found(fitted, df, rep, **options)
    if isinstance(df, str):
        warn_limits(fitted, df, rep)
    return _assemble(method, fitted, d, name if loss is None else loss, rep, sigma)


def _plain_deviance(fitted: Fitted) -> bool:
    return fitted.family is not None and fitted.family.name == "gaussian"


def _assemble(method: str, fitted: Fitted, d: Any, loss: str, rep: Any, sigma: Any) -> Risk:
    used = fitted.case_weights > 0
    y, w = fitted.responses[:, used], fitted.case_weights[used]
    mu = fitted.mean_of(fitted.numbers(rep))[:, used]
    multinomial = getattr(fitted.family, "name", None) == "multinomial"
    if noise.gaussian(fitted.network.objective):
        own = np.mean((y - mu) ** 2, axis=0)
    else:
        values = working.unit_deviance(fitted.likely, fitted.responses, predictors(fitted, fitted.numbers(rep)))[:, used]
        own = values.sum(axis=0) if multinomial else values.mean(axis=0)
    n, number, observations = int(used.sum()), fitted.n_values, fitted.nobs
    total = float(w.sum())
    error = float(own @ w) / total
    details: dict[str, Any] = {"what": WORDS[method], "apparent": error, "df": d, "df_se": d.se}
    if method == "gcv":
        if float(d) >= number:
            raise DfError(
                f"risk: GCV is not defined where df ({float(d):.4g}) reaches the number of values ({number})."
            )
        factor = (1 - float(d) / number) ** -2
        return Risk(error * factor, method, loss, se=standard_error(own, w) * factor, se_kind="of the mean loss", n=n,
                    details=details)  # fmt: skip
    sigma2, source = noise_variance(fitted, sigma, d, rep)
    # N values of variance sigma^2 / w: the error's mean is over w, so the penalty is, too
    share = number / observations * total
    penalty = 2 * sigma2 * float(d) / share
    noise_level = sigma2 * observations / total if method == "sure" else 0.0
    per = d.per_observation
    parts = own * w if per is None else own * w + 2 * sigma2 * per[used] * observations / number
    se = standard_error(parts, np.ones(n)) * n / total
    details.update(sigma=np.sqrt(sigma2), sigma_source=source, penalty=penalty)
    notes = tuple(getattr(d, "notes", ()))
    value = error + penalty - noise_level
    return Risk(value, method, loss, se=se, se_kind="of the mean loss", n=n, details=details, notes=notes)


for _name in WORDS:
    estimator(_name, NEW_X if _name == "gcv" else SAME_X)(functools.partial(penalised, _name))
