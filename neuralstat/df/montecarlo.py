"""Degrees of freedom by simulation: perturb the response, fit again, see how the fit follows.

All perturbed fits are trained as one stack. Every draw has its own random stream, so fitted do not depend
on threads, and two models given the same `random_state` see the same noise (common random numbers).

References
----------
Ye (1998), JASA 93:120. Efron (2004), JASA 99:619. Ramani, Blu & Unser (2008), IEEE Trans. Image Processing
17:1540.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..checks import check_size
from ..checks.arguments import (
    DRAWS,
    N_JOBS,
    POSITIVE,
    RANDOM_STATE,
    REP_OR_MEAN,
    Anything,
    Choice,
    Numbers,
    Whole,
    arguments,
)  # fmt: skip
from ..errors import ArgumentError, DfError, DfWarning, caller
from ..fitted import Fitted
from ..network import blocks
from ..seeds import children, seed_sequence
from ..training.refits import RESTARTS
from . import noise, polish, several
from .refit import refit
from .registry import DF, estimator
from .sigma import SIGMA, resolve_sigma
from .value import DegreesOfFreedom, averaged


def _check_draws(fitted: Fitted, draws: int) -> None:
    """Refuse more draws than memory holds: responses, their change, the refits and what is made of them; and the streams."""
    check_size(draws * (8 * fitted.design.y.size + 100), f"draws={draws} responses")


def slopes(change: np.ndarray, reply: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of the reply on the change of each observation, with intercept, over draws.

    Also its jackknife values.

    Parameters
    ----------
    change, reply : (T, n) or (T, K, n) arrays
        With K, the K outputs of an observation are taken together (coupled outputs).

    Returns
    -------
    slope : (n,) array
    without : (T, n) array
        Slopes with one draw left out.
    """
    if change.ndim == 2:
        change, reply = change[:, np.newaxis], reply[:, np.newaxis]
    d, m = change - change.mean(axis=0), reply - reply.mean(axis=0)
    xy, xx = np.sum(d * m, axis=1), np.sum(d * d, axis=1)
    t = d.shape[0]
    factor = t / (t - 1)
    top, bottom = xy.sum(axis=0), xx.sum(axis=0)
    safe = np.where(bottom > 0, bottom, 1.0)
    left = bottom - factor * xx
    return top / safe, (top - factor * xy) / np.where(left > 0, left, 1.0)


def slopes_of_all(change: np.ndarray, reply: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`slopes` of each observation times a factor (n,), and their sums (T,) without each draw; block by block."""
    n, t = change.shape[-1], len(change)
    per, values = np.empty(n), np.zeros(t)
    for part in blocks.of_numbers(n, 6 * change[..., 0].size):
        slope, without = slopes(change[..., part], reply[..., part])
        per[part] = slope * factor[part]
        values += without @ factor[part]
    return per, values


def jackknife(values: np.ndarray) -> float:
    """Compute the standard error from values with one draw left out."""
    t = values.size
    return float(np.sqrt((t - 1) / t * np.sum((values - values.mean()) ** 2)))


def _normal(seeds: np.random.SeedSequence, draws: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.stack([np.random.default_rng(s).standard_normal(shape) for s in children(seeds, draws)])


def _two(random_state: Any) -> tuple[np.random.SeedSequence, np.random.SeedSequence]:
    """Streams for the noise and for fresh start weights."""
    noise_seeds, start_seeds = children(seed_sequence(random_state), 2)
    return noise_seeds, start_seeds


def _original(fitted: Fitted, sigma: np.ndarray) -> Any:
    """Sigma in the units of the response, a float for one output; None where there is none."""
    if not noise.gaussian(fitted.network.objective) and np.all(sigma == 1):
        return None
    scaling = fitted.design.scaling
    value = sigma if scaling is None else sigma * scaling.y_sd
    return float(value[0]) if value.size == 1 else value


def _local(fitted: Fitted, rep: Any) -> float:
    """Degrees of freedom by derivatives at the fit, beside which those of refits stand; NaN where they are too costly."""
    try:
        return float(DF["jacobian"](fitted, rep))
    except DfError:
        return np.nan


def _spread(fitted: Fitted, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Give the standard deviation (K, n) of the responses."""
    w = fitted.case_weights
    safe = np.where(w > 0, w, 1.0)
    return sigma[:, np.newaxis] * np.sqrt(noise.variance(fitted.network.objective, mu) / safe)


@estimator("gdf")
@arguments(
    rep=REP_OR_MEAN, sigma=SIGMA, tau=POSITIVE, draws=Whole(3, DRAWS), restarts=Choice(*RESTARTS), random_state=RANDOM_STATE,
    n_jobs=N_JOBS,
)
def gdf(
    fitted: Fitted,
    rep: Any = "best",
    *,
    sigma: Any = None,
    tau: float = 0.5,
    draws: int = 100,
    restarts: str = "same",
    random_state: Any = None,
    n_jobs: int | None = None,
) -> DegreesOfFreedom:
    """Generalised degrees of freedom (Ye 1998) of the whole procedure.

    Normal noise of standard deviation ``tau`` times that of the response is added to the response, the
    procedure is run again, and the fit of each observation is regressed on its perturbation, with intercept.
    For families without additive noise it is the natural parameter that is regressed, and the slope is
    multiplied by the variance; perturbed responses then leave their bounds, and a network that can follow them there
    overstates: "covariance" draws responses that can be. Of a location and further parameters these are counted, as the
    weights into their outputs.

    Parameters
    ----------
    sigma : float, optional
        Noise of the response; sets the size of the perturbations only.
    tau : float
        Size of the perturbations, in units of sigma; Ye recommends 0.5 to 1.
    draws : int
        T, number of perturbed responses.
    restarts : {"same", "fresh", "warm"}
        See `refit`.
    """
    _check_draws(fitted, draws)
    objective, design = fitted.network.objective, fitted.design
    beside = several.beside_the_mean(fitted) if objective.several else 0
    size, source = resolve_sigma(fitted, sigma)
    mu = noise.fitted(fitted, fitted.numbers(rep))
    noise_seeds, start_seeds = _two(random_state)
    spread = _spread(fitted, mu, size)
    change = tau * spread * _normal(noise_seeds, draws, design.y.shape)
    if objective.name == "multinomial":
        change = tau * _multinomial_noise(noise_seeds, draws, mu)
    fits = refit(fitted, design.y + change, rep=rep, restarts=restarts, seeds=start_seeds, n_jobs=n_jobs)
    reply = noise.natural(objective, fits)
    if objective.name == "multinomial":
        per, values = slopes_of_all(change, reply, noise.variance(objective, mu).sum(axis=0))
    else:
        factor = noise.variance(objective, mu)
        pairs = [slopes_of_all(change[:, k], reply[:, k], factor[k]) for k in range(mu.shape[0])]
        per, values = (np.sum(own, axis=0) for own in zip(*pairs, strict=True))
        per = per + beside / per.size
    return DegreesOfFreedom(
        float(per.sum()), "gdf", se=jackknife(values), per_observation=per, sigma=_original(fitted, size),
        sigma_source=source, draws=draws, details={"tau": tau, "restarts": restarts, "local": _local(fitted, rep)},
    )  # fmt: skip


def _multinomial_noise(seeds: np.random.SeedSequence, draws: int, p: np.ndarray) -> np.ndarray:
    """Draw normal noise (T, K, n) with the covariance diag(p) - p p' of one multinomial draw."""
    z = _normal(seeds, draws, p.shape) * np.sqrt(p)
    return z - p * z.sum(axis=1, keepdims=True)


@estimator("covariance")
@arguments(
    rep=REP_OR_MEAN, sigma=SIGMA, draws=Whole(3, DRAWS), mean=Anything("an array of a mean per row used", None),
    restarts=Choice(*RESTARTS), random_state=RANDOM_STATE, n_jobs=N_JOBS,
)
def covariance(
    fitted: Fitted,
    rep: Any = "best",
    *,
    sigma: Any = None,
    draws: int = 100,
    mean: Any = None,
    restarts: str = "same",
    random_state: Any = None,
    n_jobs: int | None = None,
) -> DegreesOfFreedom:
    """Efron's (2004) covariance penalty as degrees of freedom: sum_i cov(lambda_i*, y_i*) / dispersion.

    Responses are drawn from the fitted distribution (a conditional parametric bootstrap), the procedure is
    run again on each, and the covariance of response and natural parameter is taken over draws; for additive
    noise the slope with intercept, which varies less. Of distributions with several parameters the covariances of all of
    them with the derivatives of the log-likelihood in them, and 1 for a constant parameter (`df.several`).

    Parameters
    ----------
    mean : array (n,) or (n, K), optional
        Means of the distribution to draw from, in the units of the response; the fit's own where not given.
        A fit that is too smooth understates its degrees of freedom this way; the means of a larger model do
        not. With the true means and sigma this is the truth by simulation.
    sigma, draws, restarts
        As for "gdf".
    """
    _check_draws(fitted, draws)
    objective = fitted.network.objective
    if objective.several:
        several.check_drawable(fitted)
        if sigma is not None or mean is not None:
            given = "mean" if sigma is None else "sigma"
            raise ArgumentError(f"{given}: responses are drawn from the parameters of the family {fitted.likely.name!r}.")
    size, source = resolve_sigma(fitted, sigma)
    mu = noise.fitted(fitted, fitted.numbers(rep)) if mean is None else _given_mean(fitted, mean)
    noise_seeds, start_seeds = _two(random_state)
    scale = np.square(size)[:, np.newaxis]
    drawn = np.stack([
        noise.drawn(fitted, fitted.numbers(rep), np.random.default_rng(s), mu, scale)
        for s in children(noise_seeds, draws)
    ])  # fmt: skip
    if objective.several:
        per, values, details = several.covariance(fitted, rep, drawn, restarts, start_seeds, n_jobs)
        details |= {"restarts": restarts, "mean": "fit", "local": _local(fitted, rep)}
        return DegreesOfFreedom(
            float(per.sum()), "covariance", se=jackknife(values), per_observation=per, draws=draws, details=details
        )
    fits = refit(fitted, drawn, rep=rep, restarts=restarts, seeds=start_seeds, n_jobs=n_jobs)
    reply = noise.natural(objective, fits)
    if noise.gaussian(objective):
        pairs = [slopes_of_all(drawn[:, k], reply[:, k], np.ones(mu.shape[1])) for k in range(mu.shape[0])]
        per, values = (np.sum(own, axis=0) for own in zip(*pairs, strict=True))
        se = jackknife(values)
    else:
        w = fitted.case_weights
        d, m = drawn - drawn.mean(axis=0), reply - reply.mean(axis=0)
        terms = w * np.sum(d * m / scale, axis=1) * draws / (draws - 1)
        per, se = terms.mean(axis=0), float(terms.sum(axis=1).std(ddof=1) / np.sqrt(draws))
    return DegreesOfFreedom(
        float(per.sum()), "covariance", se=se, per_observation=per, sigma=_original(fitted, size),
        sigma_source=source, draws=draws,
        details={"restarts": restarts, "mean": "fit" if mean is None else "given", "local": _local(fitted, rep)},
    )  # fmt: skip


def _given_mean(fitted: Fitted, mean: Any) -> np.ndarray:
    """Means (K, n) in internal units from an array over the rows used."""
    design = fitted.design
    array = Numbers(None).check(mean, "mean")
    array = array.reshape(1, -1) if array.ndim == 1 else array.T
    if array.shape != design.y.shape:
        raise ArgumentError(
            f"mean has shape {array.T.shape}, expected ({design.y.shape[1]}, {design.y.shape[0]})."
        )
    if design.scaling is not None:
        array = (array - design.scaling.y_mean[:, np.newaxis]) / design.scaling.y_sd[:, np.newaxis]
    return array


@estimator("sure")
@arguments(
    rep=REP_OR_MEAN, sigma=SIGMA, draws=Whole(2, DRAWS), eps=POSITIVE, random_state=RANDOM_STATE, n_jobs=N_JOBS,
)
def sure(
    fitted: Fitted,
    rep: Any = "best",
    *,
    sigma: Any = None,
    draws: int = 40,
    eps: float = 1e-3,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> DegreesOfFreedom:
    """Monte-Carlo divergence (Ramani, Blu & Unser 2008) at the optimum near the fit.

    The fit is first driven to its optimum (Newton's method, gradients of 1e-10); then the response is moved
    by `eps` standard deviations along random signs, the optimum followed, and the divergence read off. It
    measures the local divergence without the algebra of "divergence", for the optimum that was polished.

    Parameters
    ----------
    draws : int
        Number of random sign vectors.
    eps : float
        Size of the moves, in standard deviations of the response.

    Raises
    ------
    DfError
        Where no optimum with a positive definite Hessian is near.

    Warns
    -----
    DfWarning
        Where the fit was so far from its optimum that polishing changed it.
    """
    del n_jobs  # the moves are a few Newton steps each
    _check_draws(fitted, draws)
    size, source = resolve_sigma(fitted, sigma)
    probes = [
        np.random.default_rng(s).integers(0, 2, fitted.design.y.shape) * 2.0 - 1
        for s in children(seed_sequence(random_state), draws)
    ]
    members = [_sure_member(fitted, b, size, probes, eps) for b in fitted.numbers(rep)]
    moved = max(m.details["moved"] for m in members)
    if moved > 0.1:
        warnings.warn(
            f"df: polishing moved the fit by {moved:.2g} standard deviations of the noise: 'sure' describes "
            "the optimum nearby, not the fit that was stopped early. method='gdf' or 'covariance' describe that.",
            DfWarning,
            stacklevel=caller(),
        )
    whole = averaged(members)
    if len(members) > 1:  # the members share the probes
        whole.se = float(np.mean([m.details["values"] for m in members], axis=0).std(ddof=1) / np.sqrt(draws))
    whole.sigma, whole.sigma_source, whole.draws = _original(fitted, size), source, draws
    return whole


def _sure_member(
    fitted: Fitted, b: int, sigma: np.ndarray, probes: list[np.ndarray], eps: float
) -> DegreesOfFreedom:
    solver = polish.Polish(fitted, b)
    theta, _ = solver.optimum()
    mu = noise.means(fitted, theta[np.newaxis])[0]
    spread = _spread(fitted, mu, sigma)
    before = noise.fitted(fitted, [b])
    per = np.empty((len(probes), mu.shape[1]))
    for row, probe in zip(per, probes, strict=True):
        moved = solver.follow(fitted.design.y + eps * spread * probe)
        change = noise.means(fitted, moved[np.newaxis])[0] - mu
        row[:] = np.sum(probe * change / (eps * spread), axis=0)
    values = per.sum(axis=1)
    moved_by = float(np.sqrt(np.mean(((mu - before) / spread) ** 2)))
    return DegreesOfFreedom(
        float(values.mean()), "sure", se=float(values.std(ddof=1) / np.sqrt(values.size)),
        per_observation=per.mean(axis=0), details={"moved": moved_by, "values": values, "eps": eps},
    )  # fmt: skip
