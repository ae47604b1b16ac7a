"""Data thinning: every response is divided into independent parts, so that a fit to one can be judged on another.

Families closed under convolution have for any shares s_1 + ... + s_L = 1 parts Y_1 + ... + Y_L = Y that are independent, Y_l
with the mean s_l mu; given Y they are drawn without knowing mu (w: the row's weight, c = w y its total):

    gaussian            Y_l = s_l y + Z_l - s_l sum Z,  Z_l ~ N(0, s_l sigma^2 / w)        needs sigma
    Poisson             multinomial(c, s)
    binomial, classes   hypergeometric: m_l of the m trials, m_l / m near s_l               needs 2 trials or more
    gamma               y Dirichlet(s w / phi)                                              needs phi
    negative binomial   Dirichlet-multinomial(c, s w / alpha)

Parts over their share have the mean mu and s_l times the weight, so that the procedure is run on the others, y(-l), with
1 - s_l of every weight. Of a loss whose part in a new response is linear (squared error, deviance; with the natural parameter
theta, or mu itself for squared error)

    d(y, g) + 2 (y - y_l) (theta(g) - theta(f)),    g fitted to y(-l), f to y,

has the expectation of the loss of g for a new response with all of its information, at the same covariates: y_l is
independent of g with the mean mu, and y - y_l has the mean 0 given y, so that f only takes away variance. That is the error
of the procedure on 1 - s_l of the information; with normal noise it is the coupled bootstrap's.

References
----------
Neufeld, Dharamshi, Gao & Witten (2024), JMLR 25(57), arXiv:2301.07276. Leiner, Duan, Wasserman & Ramdas (2023), JASA
(fission). Oliveira, Lei & Tibshirani (2021), arXiv:2111.09447.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_size, shown
from ..checks.arguments import NONE, RANDOM_STATE, SHARE, Choice, Whole, arguments
from ..df import found, noise
from ..df.refit import refit
from ..df.sigma import SIGMA, resolve_sigma
from ..errors import ArgumentError
from ..families.family import deviance_of_means
from ..fitted import Fitted
from ..seeds import children, seed_sequence
from ..training.refits import RESTARTS, check_restarts
from .procedure import NetworkProcedure
from .registry import estimator
from .resampling import MOST, mean, standard_error
from .value import SAME_X, Risk

COUNTS = ("poisson", "negative_binomial", "binomial", "multinomial")
KNOWN = ("gaussian", *COUNTS, "gamma")
WHOLE = 1e-6  # distance from whole numbers that is rounding


@estimator("thinning", SAME_X)
@arguments(
    folds=Whole(2, 1000), share=NONE | SHARE, repeats=Whole(1, MOST), sigma=SIGMA, restarts=Choice(*RESTARTS),
    random_state=RANDOM_STATE,
)  # fmt: skip
def thinning(
    procedure: Any, loss: Any = None, *, folds: int = 5, share: float | None = None, repeats: int = 1, sigma: Any = None,
    restarts: str = "same", random_state: Any = None,
) -> Risk:  # fmt: skip
    """Error by fits to a part of every response, judged on the rest of it (Neufeld, Dharamshi, Gao & Witten).

    Parameters
    ----------
    folds : int
        Parts of equal shares; the procedure is run without each in turn.
    share : float, optional
        Of the information that is trained on; then there are two parts and one run.
    repeats : int
        Divisions; the estimate is their mean.
    sigma : float, array (K,), "difference", "residual" or a larger fit, optional
        Noise of a gaussian response, in its units, or the root of a gamma response's dispersion, as of `NeuralNetResults.df`;
        of the residuals on n minus the degrees of freedom by situation where not given. Parts are independent at the true
        value.
    restarts : {"same", "fresh", "warm"}
        Start weights of the runs: those of the fit, new random ones, or the fitted weights.

    Returns
    -------
    Risk
        ``draws``: the value of each run. ``details``: "held_out", the mean loss of the parts held out as they are (with
        more noise), "share", "per_observation".

    Raises
    ------
    ArgumentError
        Where a family or response cannot be thinned, for other losses, and for objects of others.
    """
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError("method='thinning' needs a fit or model of neuralstat.")
    fitted = procedure.fitted
    family, used = _thinned(fitted), fitted.case_weights > 0
    name = _loss(loss, family)
    if share is not None and folds != 5:
        raise ArgumentError("share and folds are two ways to divide: give one.")
    shares = np.full(folds, 1 / folds) if share is None else np.array([share, 1 - share])
    runs = folds if share is None else 1
    y, w = fitted.responses, np.ones(fitted.n_rows) if fitted.row_precisions is None else fitted.row_precisions
    check_size(repeats * (len(shares) + runs) * 3 * y.size, f"repeats={repeats}, folds={folds}: parts of {y.size} responses")
    size, source = _noise(fitted, family, sigma, procedure.rep)
    thin_seeds, start_seeds = children(seed_sequence(random_state), 2)
    trained, kept, tested, held = [], [], [], []
    for seed in children(thin_seeds, repeats):
        parts, portions = divide(family, np.random.default_rng(seed), y, np.where(used, w, 1.0), shares, size)
        for part, portion in list(zip(parts, portions, strict=True))[-runs:]:
            kept.append(1 - portion)
            trained.append((y - portion * part) / kept[-1])
            tested.append(part)
            held.append(portion)
    if family == "gamma":
        trained = [np.maximum(t, np.finfo(float).tiny) for t in trained]
    fits = _train(procedure, np.array(trained), np.array(kept), check_restarts(restarts), start_seeds)
    own = fitted.mean_of(fitted.numbers(procedure.rep))
    unbiased, raw = np.empty((len(fits), fitted.n_rows)), np.empty((len(fits), fitted.n_rows))
    for t, g in enumerate(fits):
        unbiased[t] = _losses(fitted, name, y, g) + _moved(fitted, name, y - tested[t], g, own)
        raw[t] = _losses(fitted, name, tested[t], g)
    portion = np.array(held) * used
    there = (portion > 0).sum(axis=0)  # runs in which something of a row was held out
    per = np.where(portion > 0, unbiased, 0.0).sum(axis=0) / np.maximum(there, 1)
    w = fitted.case_weights
    values = np.array([mean(v[p > 0], w[p > 0]) for v, p in zip(unbiased, portion, strict=True)])
    what = f"data thinning, {folds} folds" if share is None else f"data thinning, {share:g} trained on"
    details = {
        "what": what + (f", {repeats} repeats" if repeats > 1 else ""), "share": 1 - 1 / folds if share is None else share,
        "held_out": mean(raw[portion > 0], (w * portion)[portion > 0]), "per_observation": per,
        "apparent": mean(_losses(fitted, name, y, own)[used], w[used]),
    }  # fmt: skip
    if source:
        details.update(sigma=np.mean(size), sigma_source=source)
    table = pd.DataFrame({"draw": np.arange(1, len(values) + 1), "value": values})
    note = f"of the procedure on {details['share']:.3g} of the information in every response"
    return Risk(mean(per[used], w[used]), "thinning", name, se=standard_error(per[used], w[used]), se_kind="of the mean loss",
                n=int(used.sum()), table=table, details=details, notes=(note,))  # fmt: skip


def _thinned(fitted: Fitted) -> str:
    """Name of the family, one that can be thinned.

    Raises
    ------
    ArgumentError
        Where it cannot, or a response has no parts.
    """
    family = noise.family_name(fitted.network.objective)
    quasi = fitted.family is not None and fitted.family.quasi
    if family not in KNOWN or quasi:
        what = "an error that belongs to no family" if family == "additive" else f"the family {fitted.likely.name!r}"
        raise ArgumentError(f"method='thinning': {what} is not known to have independent parts; use 'cv' or 'covariance'.")
    if family not in COUNTS:
        return family
    w = np.ones(fitted.n_rows) if fitted.row_precisions is None else fitted.row_precisions
    used = fitted.case_weights > 0
    counts = (fitted.responses * w)[:, used]
    odd = int(np.sum((np.abs(counts - np.round(counts)) > WHOLE * np.maximum(counts, 1)).any(axis=0)))
    if odd:
        raise ArgumentError(
            f"method='thinning': {odd} of {used.sum()} responses times their weight are no whole counts, and only counts "
            "have parts; weights must be numbers of trials, exposures or frequencies."
        )
    if family in ("binomial", "multinomial"):
        trials = w[used] if family == "binomial" else counts.sum(axis=0)
        if np.abs(trials - np.round(trials)).max() > WHOLE * trials.max():
            raise ArgumentError("method='thinning': numbers of trials must be whole.")
        single = int(np.sum(np.round(trials) < 2))
        if single:
            raise ArgumentError(
                f"method='thinning': {single} of {used.sum()} responses are of one trial (Bernoulli), which has no parts; "
                "use 'cv' or 'covariance'."
            )
    return family


def _loss(loss: Any, family: str) -> str:
    default = "mse" if family == "gaussian" else "deviance"
    if loss is None or (isinstance(loss, str) and loss in ("mse", "deviance")):
        return default if loss is None else loss
    raise ArgumentError(
        f"method='thinning' is for loss='mse' and 'deviance', in which a new response is linear; got {shown(loss)}. Use a "
        "resampling method."
    )


def _noise(fitted: Fitted, family: str, sigma: Any, rep: Any) -> tuple[np.ndarray, str]:
    """What the parts' distribution needs besides the response, (K, 1): sigma in the units of the response, phi, alpha."""
    if family in ("gaussian", "gamma"):
        df = found(fitted, "auto", rep) if sigma is None else None
        size, source = resolve_sigma(fitted, sigma, df, rep)
        if family == "gaussian" and fitted.design.scaling is not None:
            size = size * fitted.design.scaling.y_sd
        return size[:, np.newaxis], source
    if sigma is not None:
        raise ArgumentError(f"sigma is not used where the family is {family!r}.")
    return np.full((1, 1), fitted.likely.parameter if family == "negative_binomial" else 1.0), ""


def divide(
    family: str, rng: np.random.Generator, y: np.ndarray, w: np.ndarray, shares: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parts (L, K, n) of responses (K, n), each over its share, and the shares (L, n); see the module.

    Parameters
    ----------
    w : (n,) array
        Precision times frequency, numbers of trials.
    shares : (L,) array
    size : (K, 1) array
        sigma, root of phi, or alpha.
    """
    even = np.repeat(shares[:, np.newaxis], y.shape[1], axis=1)
    s = shares[:, np.newaxis, np.newaxis]
    if family == "gaussian":
        z = rng.standard_normal((len(shares), *y.shape)) * np.sqrt(s) * size / np.sqrt(w)
        return y + (z - s * z.sum(axis=0)) / s, even
    if family == "gamma":
        draws = rng.standard_gamma(np.broadcast_to(s * w / size**2, (len(shares), *y.shape)))
        draws = np.maximum(draws, np.finfo(float).tiny)
        return y * draws / draws.sum(axis=0) / s, even
    counts = np.round(y * w).astype(np.int64)
    if family in ("poisson", "negative_binomial"):
        p = np.broadcast_to(s, (len(shares), *y.shape))
        if family == "negative_binomial":
            draws = rng.standard_gamma(p * w / size)
            p = draws / np.maximum(draws.sum(axis=0), np.finfo(float).tiny)
        parts = np.moveaxis(rng.multinomial(counts, np.moveaxis(p, 0, -1)), -1, 0)
        return parts / (w * s), even
    if family == "binomial":
        counts = np.stack([counts[0], np.round(w).astype(np.int64) - counts[0]])
    outcomes, trials = _of_trials(rng, counts, shares)
    portion = trials / trials.sum(axis=0)
    over = (w * portion)[:, np.newaxis]
    found = outcomes / np.where(over > 0, over, 1.0)
    return (found[:, :1] if family == "binomial" else found), portion


def _of_trials(rng: np.random.Generator, counts: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes (L, C, n) and numbers (L, n) of parts of trials, drawn without replacement from counts (C, n)."""
    total = counts.sum(axis=0)
    trials = np.floor(shares[:, np.newaxis] * total).astype(np.int64)
    for i in np.flatnonzero(trials.sum(axis=0) < total):  # what is left over goes to parts at random
        more = rng.permutation(len(shares))[: total[i] - trials[:, i].sum()]
        trials[more, i] += 1
    if len(shares) == 2:  # both have something
        trials[0] = np.clip(trials[0], 1, total - 1)
        trials[1] = total - trials[0]
    parts, left = np.zeros((len(shares), *counts.shape), np.int64), counts.copy()
    for k in range(len(shares)):
        need = trials[k].copy()
        for c in range(len(counts)):
            rest = left[c + 1 :].sum(axis=0)
            parts[k, c] = rng.hypergeometric(left[c], rest, need)
            need -= parts[k, c]
        left -= parts[k]
    return parts, trials


def _train(
    procedure: NetworkProcedure, y: np.ndarray, shares: np.ndarray, restarts: str, seeds: np.random.SeedSequence
) -> np.ndarray:
    """Means (T, K, n), units of the response, of the procedure on responses (T, K, n) with shares (T, n) of the weights."""
    fitted, scaling = procedure.fitted, procedure.fitted.design.scaling
    inner = y if scaling is None else np.stack([scaling.y_internal(v) for v in y])
    out = refit(fitted, inner, rep=procedure.rep, restarts=restarts, seeds=seeds, n_jobs=procedure.settings.n_jobs,
                weights=fitted.case_weights * shares)  # fmt: skip
    return out if scaling is None else np.stack([scaling.y_original(v) for v in out])


def _losses(fitted: Fitted, name: str, y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Losses (n,) of means (K, n)."""
    if name == "mse":
        return np.mean((y - mu) ** 2, axis=0)
    values = deviance_of_means(fitted.likely, y, mu)
    if fitted.likely.name == "multinomial":
        return np.where(y.sum(axis=0) > 0, np.nan_to_num(values), 0.0).sum(axis=0)
    return values.mean(axis=0)


def _moved(fitted: Fitted, name: str, gap: np.ndarray, mu: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What losses (n,) change by where responses move by -gap (K, n), but for what does not depend on the means."""
    if name == "mse":
        return 2 * np.mean(gap * (mu - own), axis=0)
    objective = fitted.network.objective
    values = 2 * gap * (noise.natural(objective, mu) - noise.natural(objective, own))
    return values.sum(axis=0) if fitted.likely.name == "multinomial" else values.mean(axis=0)
