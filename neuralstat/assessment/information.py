"""AIC and AICc as what they are: estimates of an expected loss.

The loss is -2 log f(y; fit), of the density that the fit says a response has, its estimated dispersion included; the error is
its expectation for new responses at the same covariates. With m parameters counted (degrees of freedom, and the dispersion,
which `NeuralNetResults.aic` leaves out by statsmodels' convention),

    AIC / n = (-2 llf + 2 m) / n,    AICc / n = (-2 llf + 2 m n / (n - m - 1)) / n

AIC is right for large n / m, AICc for linear models with normal noise at any n (Hurvich & Tsai 1989), and both for models
that hold the truth. Differences between models are those of a log-likelihood of new responses, not of squared errors.
Families whose dispersion is known have it as a deviance, too: the saturated model's likelihood is the same for all.

References
----------
Akaike (1974), IEEE Transactions on Automatic Control 19:716. Hurvich & Tsai (1989), Biometrika 76:297.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import NONE, Anything, arguments
from ..df import DF, found
from ..errors import ArgumentError, DfError
from ..fitted import Fitted
from ..likelihood import likelihood
from ..likelihood import several as of_parameters
from ..likelihood.criteria import deviance, dispersions, info_criteria, loglike
from .procedure import NetworkProcedure
from .registry import estimator
from .resampling import standard_error
from .value import SAME_X, Risk

WORDS = {"aic": "Akaike's criterion per observation", "aicc": "corrected Akaike criterion per observation"}
LOSS = "-2 log-likelihood"


@arguments(df=NONE | Anything("a method, or a number >= 0", *DF, 2.0))
def information(
    method: str, procedure: Any, loss: Any = None, *, df: Any = None, rep: Any = None, **options: Any
) -> Risk:
    """AIC or AICc per observation.

    Parameters
    ----------
    df : str, number or DegreesOfFreedom, optional
        A method of `NeuralNetResults.df` ("auto" where not given) or a value.
    rep : {"mean", "best"} or int, optional
        Of the averaged fit, the best or one repetition; where not given, as `risk` was told.
    **options
        Of `NeuralNetResults.df`.

    Raises
    ------
    ArgumentError
        For objects of others, errors without a likelihood, and losses that it does not estimate.
    DfError
        Where too few degrees of freedom are left for the criterion to be defined.
    """
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError(f"method={method!r} needs a fit or model of neuralstat.")
    fitted = procedure.fitted
    family = fitted.likely
    if loss is not None and not (isinstance(loss, str) and loss == "deviance" and not family.dispersed):
        known = "None" if family.dispersed else "None or 'deviance'"
        raise ArgumentError(f"method={method!r} is of the log-likelihood: loss must be {known} here, got {shown(loss)}.")
    rep = procedure.rep if rep is None else rep
    d = found(fitted, "auto" if df is None else df, rep, **options)
    n = likelihood.sample_size(fitted)
    total = info_criteria(fitted, method, df=d, rep=rep, dk_params=dispersions(fitted))
    if not np.isfinite(total):
        raise DfError(f"risk: {method} is not defined where df ({float(d):.4g}) come near the number of values ({n:g}).")
    twice = -2 * loglike(fitted, rep)
    shift = deviance(fitted, rep) - twice if loss is not None else 0.0
    details = {"what": WORDS[method], "apparent": (twice + shift) / n, "df": d, "df_se": d.se}
    used, own = fitted.case_weights > 0, _own(fitted, rep)
    se = np.nan if own is None else standard_error(own[used], np.ones(int(used.sum()))) * used.sum() / n
    return Risk((total + shift) / n, method, LOSS if loss is None else loss, se=se, se_kind="of the mean loss",
                n=int(used.sum()), details=details, notes=tuple(getattr(d, "notes", ())))  # fmt: skip


def _own(fitted: Fitted, rep: Any) -> np.ndarray | None:
    """-2 log-likelihood (n,) of each row; None where responses have a covariance."""
    if likelihood.several(fitted):
        return None
    family, numbers, w = fitted.likely, fitted.numbers(rep), fitted.case_weights
    if fitted.network.objective.several:
        return -2 * w * of_parameters.mixture_losses(fitted, numbers)
    mu, safe = fitted.mean_of(numbers), np.where(w > 0, w, 1.0)
    phi = deviance(fitted, rep) / fitted.n_values if family.dispersed else 1.0
    values = -2 * np.asarray(family.loglike_obs(fitted.responses, mu, safe, phi))
    return values if values.ndim == 1 else values.sum(axis=0)


for _name in WORDS:
    estimator(_name, SAME_X)(functools.partial(information, _name))
