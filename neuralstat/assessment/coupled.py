"""The coupled bootstrap: the error of any procedure at a little more noise, without derivatives or degrees of freedom.

Noise of its own, omega ~ N(0, sigma^2), is added to the response and taken away from it: y* = y + sqrt(alpha) omega and
y' = y - omega / sqrt(alpha) are independent. The procedure is run on y*, and judged on y':

    (1 / n) sum_i (y'_i - g_i(y*))^2 - omega_i^2 / alpha

has, whatever g does (stops early, searches, averages restarts, selects), the expectation of the error at the same covariates
and new responses of g trained on responses with variance (1 + alpha) sigma^2. The smaller alpha, the nearer that is to the
error of the procedure itself, and the larger the variance, about 1 / (alpha T) of T draws. Most of it is that of
2 omega_i (y_i - g_i(y)) / sqrt(alpha), which has the mean 0 given y and is added here: what remains is

    (1 / n) sum_i (y_i - g_i(y*))^2 + 2 omega_i (g_i(y*) - g_i(y)) / sqrt(alpha).

References
----------
Oliveira, Lei & Tibshirani (2021), arXiv:2111.09447.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_size, shown
from ..checks.arguments import DRAWS, RANDOM_STATE, Choice, Number, Whole, arguments
from ..df import found, noise
from ..df.refit import refit
from ..df.sigma import SIGMA, resolve_sigma
from ..errors import ArgumentError
from ..seeds import children, seed_sequence
from ..training.refits import RESTARTS
from .procedure import NetworkProcedure
from .registry import estimator
from .resampling import mean, standard_error
from .value import SAME_X, Risk


@estimator("coupled", SAME_X)
@arguments(
    alpha=Number(above=0.0, most=10.0), draws=Whole(2, DRAWS), sigma=SIGMA,
    restarts=Choice(*RESTARTS), random_state=RANDOM_STATE,
)  # fmt: skip
def coupled(
    procedure: Any, loss: Any = None, *, alpha: float = 0.1, draws: int = 100, sigma: Any = None, restarts: str = "same",
    random_state: Any = None,
) -> Risk:  # fmt: skip
    """Coupled bootstrap estimate of the error at the same covariates (Oliveira, Lei & Tibshirani).

    Parameters
    ----------
    alpha : float
        Additional noise, as a share of the variance of the response.
    draws : int
        Runs of the procedure.
    sigma : float, array (K,), "difference", "residual" or a larger fit, optional
        Noise of the response, in its units, as of `NeuralNetResults.df`; of the residuals on n minus the degrees of freedom
        by situation where not given.
    restarts : {"same", "fresh", "warm"}
        Start weights of the runs: those of the fit, new random ones, or the fitted weights.

    Returns
    -------
    Risk
        ``draws``: the value of each. ``details["monte_carlo_se"]`` is their standard error; ``se`` that of the mean over
        observations, as of "cp".

    Raises
    ------
    ArgumentError
        Where the noise is not additive, and for objects of others.
    """
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError("method='coupled' needs a fit or model of neuralstat.")
    fitted = procedure.fitted
    if not noise.gaussian(fitted.network.objective):
        raise ArgumentError("method='coupled' needs additive noise; use 'covariance', its kin for other families.")
    if loss is not None and not (isinstance(loss, str) and loss == "mse"):
        raise ArgumentError(f"method='coupled' is for loss='mse', got {shown(loss)}; use a resampling method.")
    counted = found(fitted, "auto", procedure.rep) if sigma is None else None
    size, source = resolve_sigma(fitted, sigma, counted, procedure.rep)
    y, w, used = fitted.design.y, fitted.case_weights, fitted.case_weights > 0
    check_size(draws * 8 * y.size, f"draws={draws} responses")
    noise_seeds, start_seeds = children(seed_sequence(random_state), 2)
    spread = size[:, np.newaxis] / np.sqrt(np.where(used, w, 1.0))
    omega = spread * np.stack([np.random.default_rng(s).standard_normal(y.shape) for s in children(noise_seeds, draws)])
    root = np.sqrt(alpha)
    jobs = procedure.settings.n_jobs
    fits = refit(fitted, y + root * omega, rep=procedure.rep, restarts=restarts, seeds=start_seeds, n_jobs=jobs)
    units = np.ones((len(y), 1)) if fitted.design.scaling is None else fitted.design.scaling.y_sd[:, np.newaxis]
    own = noise.fitted(fitted, fitted.numbers(procedure.rep))
    parts = np.mean(units**2 * ((y - fits) ** 2 + 2 * omega * (fits - own) / root), axis=1)[:, used]  # (T, n)
    per, w = parts.mean(axis=0), w[used]
    values = parts @ w / w.sum()
    sd = size * (1.0 if fitted.design.scaling is None else fitted.design.scaling.y_sd)
    details = {
        "what": f"coupled bootstrap, alpha {alpha:g}, {draws} draws", "alpha": alpha, "sigma": sd, "sigma_source": source,
        "monte_carlo_se": float(values.std(ddof=1) / np.sqrt(draws)), "apparent": mean(_squares(fitted, procedure), w),
        "per_observation": per,
    }  # fmt: skip
    note = f"of the procedure at {1 + alpha:g} times the variance of the noise"
    table = pd.DataFrame({"draw": np.arange(1, draws + 1), "value": values})
    return Risk(mean(per, w), "coupled", "mse", se=standard_error(per, w), se_kind="of the mean loss", n=int(used.sum()),
                table=table, details=details, notes=(note,))  # fmt: skip


def _squares(fitted: Any, procedure: NetworkProcedure) -> np.ndarray:
    """(n,) squared residuals of the rows that count."""
    used = fitted.case_weights > 0
    return np.mean((fitted.responses - fitted.mean_of(fitted.numbers(procedure.rep))) ** 2, axis=0)[used]
