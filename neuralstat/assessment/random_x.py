"""Mallows' Cp for new covariates: "rcp" and "rcp+", and the degrees of freedom that go with new rows.

With S the matrix that takes responses to fitted means of a linear model, r the residuals, d = tr S, q = tr S S',

    error at the same x    sigma^2 + B + V,          V = sigma^2 q / n
    error at new x         sigma^2 + B + B+ + V_R,   V_R = sigma^2 E |h(x0)|^2,  h(x0)' y the prediction at x0
    Cp = |r|^2 / n + 2 sigma^2 d / n,   RCp = Cp - V + V_R,   RCp+ = RCp + B+

V_R is known exactly for least squares with k columns where covariates are normal: sigma^2 k / (n - k - 1), and with a
constant among the columns sigma^2 ((n + 1) (n - 2) / (n (n - k - 1)) - 1). For other linear smoothers (ridge)

    V_R = sigma^2 (q / n - (d / n)^2) / (1 - d / n)^2 (n - d) / (n - d - 1),

the leave-one-out variance sum_{j != i} S_ij^2 / (1 - S_ii)^2 at equal leverages, with the factor that makes it exact for
least squares. B+, by how much the bias is larger between the rows than on them, is what leave-one-out errors show beyond
variance, the mean over i of

    (r_i / (1 - S_ii))^2 - r_i^2 - sigma^2 (1 + sum_{j != i} S_ij^2 / (1 - S_ii)^2) + sigma^2 (1 - 2 S_ii + |S_i|^2)

which for least squares is the paper's ((1 - h)^-2 - 1) (r^2 - (1 - h) sigma^2).

Networks. Their optimism at the same x is 2 sigma^2 d / n with d the generalised degrees of freedom of the procedure,
whatever it does (Ye 1998). RCp takes them for least squares of as many columns: V = sigma^2 d / n, V_R = sigma^2 d / (n - d
- 1), B+ = 0. That is a stand-in, and holds as far as it was measured: six penalised networks of 1 to 10 covariates with d
from 10 to 33 % of n come to 0.95 to 1.07 of the error at new x (standard errors 0.02 to 0.03), as cross-validation does;
with degrees of freedom of derivatives, which miss the search, to 0.84 to 0.99. With d = 58 of n = 80 it says 1.4 times the
error, and of two networks without a penalty, whose outputs nothing holds between the rows, 0.88 and 0.98: it warns of both.
RCp+ has no such form: leave-one-out by one step (0.90 to 0.99 where it is defined at all) fails where refits find other
optima, and so RCp+ is for linear models alone: 0.95 to 1.02 of the error in six designs, also where the model misses curves
(RCp: 0.77 to 1.01).

Degrees of freedom for new rows: those of the least squares fit, with normal covariates and no bias, that has the same
optimism at new x, (error - training error) / sigma^2 = d / n + d / (n - d - 1).

References
----------
Rosset & Tibshirani (2020), JASA 115:138, arXiv:1704.08160. Patil, Du & Tibshirani (2024), arXiv:2410.01259. Figures:
benchmarks/results/risk_new_x.csv.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import NONE, RANDOM_STATE, Anything, Choice, Whole, arguments
from ..df import DF, found, local, noise, roots
from ..df.information import RCOND
from ..df.registry import OPTIONS
from ..df.sigma import SIGMA
from ..errors import ArgumentError, DfError, DfWarning, caller
from ..fitted import Fitted
from ..likelihood.criteria import noise_variance
from ..training.refits import RESTARTS
from .procedure import NetworkProcedure
from .registry import estimator
from .resampling import standard_error
from .value import NEW_X, Risk

MUCH = 0.5  # of n: degrees of freedom beyond it make the stand-in of networks overstate
ONE = 1e-8  # distance of a leverage from 1 that is rounding
WORDS = {"rcp": "Cp for new covariates", "rcp+": "Cp for new covariates, with excess bias"}


@estimator("rcp", NEW_X)
@arguments(
    df=NONE | Anything("a method, or a number >= 0", *DF, 2.0), sigma=SIGMA, draws=NONE | Whole(3, 100_000),
    restarts=NONE | Choice(*RESTARTS), random_state=RANDOM_STATE,
)  # fmt: skip
def rcp(
    procedure: Any, loss: Any = None, *, df: Any = None, sigma: Any = None, draws: int | None = None,
    restarts: str | None = None, random_state: Any = None,
) -> Risk:  # fmt: skip
    """Cp for new covariates (Rosset & Tibshirani): in closed form for linear models, by a stand-in for networks.

    Parameters
    ----------
    df : str, number or DegreesOfFreedom, optional
        Of networks: "gdf" where not given. Linear models have their own.
    sigma : float, "difference", "residual" or a larger fit, optional
        Noise of the response, in its units, as of `NeuralNetResults.df`; where not given of the residuals on n minus `df`.
    draws, restarts, random_state
        Of "gdf".

    Returns
    -------
    Risk
        ``details``: "apparent", "df", "sigma", "excess_variance", "random_x_df".

    Raises
    ------
    ArgumentError
        Where the noise is not additive, and for objects of others.
    DfError
        Where degrees of freedom come near the number of observations.

    Warns
    -----
    DfWarning
        For networks without a penalty, and with degrees of freedom beyond half the observations.
    """
    fitted = _additive(procedure, loss, "rcp")
    if linear(fitted):
        given = {"df": df, "draws": draws, "restarts": restarts}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise ArgumentError(f"method='rcp': {wrong[0]} is for networks; linear models have their degrees of freedom.")
        return _of_linear(procedure, "rcp", sigma)
    return _of_network(procedure, df, sigma, {"draws": draws, "restarts": restarts, "random_state": random_state})


@estimator("rcp+", NEW_X)
@arguments(sigma=SIGMA)
def rcp_plus(procedure: Any, loss: Any = None, *, sigma: Any = None, random_state: Any = None) -> Risk:
    """`rcp` with an estimate of the excess bias from leave-one-out errors; for linear models.

    Parameters
    ----------
    sigma : float, "difference", "residual" or a larger fit, optional
        Noise of the response, in its units, as of `NeuralNetResults.df`; where not given of the residuals on n minus `df`.

    Raises
    ------
    ArgumentError
        For networks, where the noise is not additive, and for objects of others.
    DfError
        Where a leverage is 1.
    """
    del random_state  # there is nothing random
    fitted = _additive(procedure, loss, "rcp+")
    if not linear(fitted):
        raise ArgumentError(
            "method='rcp+' is for linear models at their optimum (hidden=0, identity link): for networks leave-one-out by "
            "one step misses what refits find. Use 'rcp', or 'cv', which refits."
        )
    return _of_linear(procedure, "rcp+", sigma)


def _additive(procedure: Any, loss: Any, method: str) -> Fitted:
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError(f"method={method!r} needs a fit or model of neuralstat; for other objects use 'cv'.")
    fitted = procedure.fitted
    if not noise.gaussian(fitted.network.objective):
        raise ArgumentError(f"method={method!r} needs additive noise; use 'cv', 'alo' or '632+' for other families.")
    if loss is not None and not (isinstance(loss, str) and loss == "mse"):
        raise ArgumentError(f"method={method!r} is for loss='mse', got {shown(loss)}; use a resampling method.")
    return fitted


def linear(fitted: Fitted) -> bool:
    """Whether fitted means are a matrix times the responses: least squares, with or without weight decay, at its optimum."""
    objective, settings = fitted.network.objective, fitted.settings
    squares = noise.family_name(objective) == "gaussian" and objective.output.name == "identity"
    return squares and fitted.procedure.exactly and not settings.minibatch and fitted.converged


def _of_linear(procedure: NetworkProcedure, method: str, sigma: Any) -> Risk:
    fitted, k = procedure.fitted, procedure.fitted.network.n_outputs
    often = fitted.frequencies
    if not np.allclose(often, np.round(often)):
        raise ArgumentError(f"method={method!r} counts observations, and freq_weights are not whole.")
    rows = np.repeat(np.arange(fitted.n_rows), np.round(often).astype(np.int64))  # one per observation, none of weight 0
    b = fitted.numbers(procedure.rep)[0]  # all repetitions of a linear model are one
    w, n = fitted.own_weights[rows], rows.size
    root = np.sqrt(w)
    residual = (fitted.responses - fitted.mean_of([b]))[:, rows] * root  # of variance sigma^2
    d = found(fitted, "jacobian", procedure.rep)
    sigma2, source = noise_variance(fitted, sigma, d, procedure.rep)
    own, variance, excess = np.zeros(n), np.zeros(2), 0.0
    for output in range(k):
        half, constant = _smoother(fitted, b, output, rows)
        inner = half.T @ half
        h = np.sum(half**2, axis=1)
        rest = np.sum(half @ inner * half, axis=1) - h**2
        q = float(np.sum(inner**2))
        variance += np.array([q / n, new_variance(n, float(h.sum()), q, constant)]) / k
        squares = residual[output] ** 2
        if method == "rcp+":
            if h.max() > 1 - ONE:
                raise DfError(f"risk: method='rcp+': {int(np.sum(h > 1 - ONE))} observations have a leverage of 1.")
            left = squares / (1 - h) ** 2
            more = left - squares - sigma2 * (rest / (1 - h) ** 2 + 2 * h - h**2 - rest)
            excess += float(more.mean()) / k
            squares = left
        own += squares / k
    scale = n / w.sum()  # of a mean over observations to one over weights
    apparent = float(np.mean(residual**2)) * scale
    cp = apparent + 2 * sigma2 * float(d) / (k * n) * scale
    value = cp + (sigma2 * (variance[1] - variance[0]) + excess) * scale
    details = {
        "what": WORDS[method], "apparent": apparent, "df": d, "sigma": np.sqrt(sigma2), "sigma_source": source, "cp": cp,
        "excess_variance": sigma2 * (variance[1] - variance[0]) * scale,
        "random_x_df": random_x_df((value - apparent) / (sigma2 * scale), n),
    }  # fmt: skip
    if method == "rcp+":
        details["excess_bias"] = excess * scale
    return Risk(value, method, "mse", se=standard_error(own, np.ones(n)) * scale, se_kind="of the mean loss", n=n,
                details=details)  # fmt: skip


def _smoother(fitted: Fitted, b: int, output: int, rows: np.ndarray) -> tuple[np.ndarray, bool]:
    """L (n, F), S = L L' of one output, observations scaled to one variance; whether a constant and no penalty is there."""
    per_unit = fitted.network.shapes[-1][0]
    used = local.active(fitted, b)
    at = np.zeros_like(used)
    at[output * per_unit : (output + 1) * per_unit] = True
    at &= used
    times = np.where(fitted.frequencies > 0, fitted.frequencies, 1.0)
    r = roots.rows(fitted, b)[output][:, at] / np.sqrt(times)[:, np.newaxis]
    penalty = local.penalty_diagonal(fitted, b, at)
    r, held = r[rows], penalty > 0
    full = np.vstack([r, np.diag(np.sqrt(penalty))[held]]) if held.any() else r
    size = np.linalg.norm(full, axis=0)
    full = full / np.where(size > 0, size, 1.0)
    left, singular, _ = np.linalg.svd(full, full_matrices=False)
    left = left[: len(rows), singular > RCOND * singular[0]]
    return left, not held.any() and bool(at[output * per_unit])


def new_variance(n: int, d: float, q: float, constant: bool) -> float:
    """V_R / sigma^2 of a smoother with tr S = d, tr S S' = q; see the module.

    Raises
    ------
    DfError
        Where the degrees of freedom come near n.
    """
    if n - d - 1 < 0.5:
        raise DfError(f"risk: the variance at new covariates is not defined where df ({d:.4g}) reach the observations ({n}).")
    if constant:
        return (n + 1) * (n - 2) / (n * (n - d - 1)) - 1
    return (q / n - (d / n) ** 2) / (1 - d / n) ** 2 * (n - d) / (n - d - 1)


def _of_network(procedure: NetworkProcedure, df: Any, sigma: Any, options: dict[str, Any]) -> Risk:
    fitted, rep, k = procedure.fitted, procedure.rep, procedure.fitted.network.n_outputs
    method = "gdf" if df is None else df
    taken = OPTIONS.get(method, ()) if isinstance(method, str) else ()
    more = {name: value for name, value in options.items() if value is not None and name in taken}
    if isinstance(method, str) and "sigma" in taken and sigma is not None:
        more["sigma"] = sigma
    if "n_jobs" in taken:
        more["n_jobs"] = procedure.settings.n_jobs
    for name in ("draws", "restarts"):
        if options[name] is not None and name not in taken:
            raise ArgumentError(f"method='rcp': {name} is not used with df={shown(df)}.")
    d = found(fitted, method, rep, **more)
    n, each = fitted.nobs, float(d) / k
    if n - each - 1 < 0.5:
        raise DfError(f"risk: method='rcp' is not defined where df ({each:.4g}) reach the number of observations ({n:g}).")
    notes = list(getattr(d, "notes", ()))
    if each > MUCH * n:
        notes.append(f"df ({each:.3g}) are more than half the observations, where 'rcp' overstates the error of networks")
    if not fitted.penalised:
        notes.append("without a penalty nothing holds a network between the rows, and 'rcp' understates its error there")
    if len(notes) > len(getattr(d, "notes", ())):
        said = "; ".join(notes[len(getattr(d, "notes", ())) :])
        warnings.warn(f"risk: {said}. method='cv' refits.", DfWarning, stacklevel=caller())
    sigma2, source = noise_variance(fitted, sigma, d, rep)
    used = fitted.case_weights > 0
    w = fitted.case_weights[used]
    own = np.mean((fitted.responses - fitted.mean_of(fitted.numbers(rep)))[:, used] ** 2, axis=0)
    scale, apparent = n / w.sum(), float(own @ w / w.sum())
    excess = sigma2 * each * (1 / (n - each - 1) - 1 / n) * scale
    cp = apparent + 2 * sigma2 * each / n * scale
    details = {
        "what": WORDS["rcp"], "apparent": apparent, "df": d, "df_se": d.se, "sigma": np.sqrt(sigma2), "sigma_source": source,
        "cp": cp, "excess_variance": excess, "random_x_df": each,
    }  # fmt: skip
    return Risk(cp + excess, "rcp", "mse", se=standard_error(own, w), se_kind="of the mean loss", n=int(used.sum()),
                details=details, notes=tuple(notes))  # fmt: skip


def random_x_df(optimism: float, n: float) -> float:
    """Columns d of the least squares fit with d / n + d / (n - d - 1) = `optimism`, in units of the noise variance."""
    middle = 2 * n - 1 + optimism * n
    return float((middle - np.sqrt(middle**2 - 4 * optimism * n * (n - 1))) / 2)
