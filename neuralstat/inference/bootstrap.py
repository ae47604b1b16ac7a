"""Bootstrap refits of a fit, as one stack: predictions at given covariates.

Efron & Tibshirani (1993), An Introduction to the Bootstrap, sections 9.4 and 9.5; for networks Tibshirani (1996), Neural
Computation 8:152.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..df import noise
from ..df.refit import CHUNK_BYTES, RESTARTS, _rescaling, _starts, train_stack
from ..errors import ArgumentError, ConvergenceWarning, caller
from ..settings import check_int
from ..start import children, seed_sequence
from . import derivatives
from .dispersion import degrees, dispersion

if TYPE_CHECKING:
    from ..results import NeuralNetResults
    from ..train import Fit

KINDS = ("parametric", "residual", "case")


def responses(results: NeuralNetResults, kind: str, draws: int, seeds: np.random.SeedSequence, rep: Any) -> np.ndarray:
    """Responses (T, K, n) of bootstrap samples in internal units, from the fit as truth.

    "parametric": drawn from the family, with its dispersion. "residual": fitted values plus residuals drawn with
    replacement, enlarged by sqrt(n / (n - df)) and centred; rows of several outputs stay together.
    """
    numbers = results._numbers(rep)
    mu = noise.fitted(results, numbers)
    goal, w = results.network.objective, noise.case_weights(results)
    safe = np.where(w > 0, w, 1.0)
    if kind == "parametric":
        if results.family is None:
            raise ArgumentError("kind='parametric' needs a family: use kind='residual' or 'case'.")
        phi = dispersion(results, numbers)[0]
        if noise.gaussian(goal):
            root = np.linalg.cholesky(phi)
            return np.stack([
                mu + root @ np.random.default_rng(s).standard_normal(mu.shape) / np.sqrt(safe)
                for s in children(seeds, draws)
            ])  # fmt: skip
        if goal.name == "multinomial" and not np.allclose(results.design.y.sum(axis=0), 1):
            raise ArgumentError("kind='parametric' needs one class per row: use kind='case'.")
        return np.stack([
            noise.draw(goal, np.random.default_rng(s), mu, np.diag(phi)[:, np.newaxis], results.design.weights)
            for s in children(seeds, draws)
        ])  # fmt: skip
    if not noise.gaussian(goal):
        raise ArgumentError("kind='residual' needs additive noise: use kind='parametric' or 'case'.")
    used = np.flatnonzero(w > 0)
    standard = (results.design.y - mu)[:, used] * np.sqrt(w[used])
    standard = (standard - standard.mean(axis=1, keepdims=True)) * np.sqrt(used.size / degrees(results, numbers))
    out = np.empty((draws, *mu.shape))
    for t, s in enumerate(children(seeds, draws)):
        chosen = np.random.default_rng(s).integers(used.size, size=mu.shape[1])
        out[t] = mu + standard[:, chosen] / np.sqrt(safe)
    return out


def counts(results: NeuralNetResults, draws: int, seeds: np.random.SeedSequence) -> np.ndarray:
    """How often (T, n) each row is drawn with replacement; rows of weight 0 never are."""
    used = np.flatnonzero(noise.case_weights(results) > 0)
    out = np.zeros((draws, results.nobs))
    for line, s in zip(out, children(seeds, draws), strict=True):
        line[used] = np.random.default_rng(s).multinomial(used.size, np.full(used.size, 1 / used.size))
    return out


def predictions(
    results: NeuralNetResults, x: np.ndarray, offset: np.ndarray | None, *, rep: Any = "mean", draws: int = 100,
    kind: str | None = None, restarts: str = "warm", random_state: Any = None, n_jobs: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Means (T, K, m) at x (D, m), internal units of x, by refits to bootstrap samples; in the response's units.

    Parameters
    ----------
    rep : {"mean", "best"} or int
        What the procedure gives.
    draws : int
        T.
    kind : {"parametric", "residual", "case"}, optional
        Default "parametric", "residual" where the error belongs to no family.
    restarts : {"warm", "same", "fresh"}
        Start weights of the refits: the fitted weights (fast; refits stay in the fit's optima, and of "best" only the best
        repetition is refitted), the fit's own start weights, or new random ones.
    random_state : int, SeedSequence, Generator, optional
    n_jobs : int, optional

    Raises
    ------
    ArgumentError
        For unknown kinds, and such that do not suit the response; where a refit diverges.

    Warns
    -----
    ConvergenceWarning
        Where all repetitions of some refit stopped before the threshold.
    """
    draws = check_int(draws, "draws", 2)
    kind = ("parametric" if results.family is not None else "residual") if kind is None else kind
    if kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")
    if restarts not in RESTARTS:
        raise ArgumentError(f"restarts must be one of {', '.join(map(repr, RESTARTS))}; got {restarts!r}.")
    if kind == "case" and results.settings.minibatch:
        raise ArgumentError("kind='case' weighs rows, which fits by epochs do not: use kind='parametric'.")
    sample_seeds, start_seeds = children(seed_sequence(random_state), 2)
    y = np.broadcast_to(results.design.y, (draws, *results.design.y.shape)) if kind == "case" else responses(
        results, kind, draws, sample_seeds, rep
    )  # fmt: skip
    weights = counts(results, draws, sample_seeds) * noise.case_weights(results) if kind == "case" else None
    shift, scale = (0.0, 1.0) if kind == "case" else _rescaling(results, y)
    shift, scale = np.broadcast_to(shift, (draws, y.shape[1], 1)), np.broadcast_to(scale, (draws, y.shape[1], 1))
    whole = rep == "mean" or (rep == "best" and restarts != "warm")
    used = list(range(results.nrep)) if whole else [results.which(rep)]
    size = 8 * len(used) * (600 + 6 * results.network.n_params + 2 * y[0].size)
    step = max(1, CHUNK_BYTES // size)
    out, lost = np.empty((draws, y.shape[1], x.shape[1])), 0
    for first in range(0, draws, step):
        part = slice(first, min(first + step, draws))
        start = np.concatenate([_starts(results, used, len(used), restarts, start_seeds, t)
                                for t in range(part.start, part.stop)])  # fmt: skip
        inner = np.repeat((y[part] - shift[part]) / scale[part], len(used), axis=0)
        own = None if weights is None else np.repeat(weights[part], len(used), axis=0)
        fit = train_stack(results, inner, start, n_jobs, weights=own)
        lost += int(np.sum(~fit.converged.reshape(-1, len(used)).any(axis=1)))
        out[part] = _at(results, fit, x, offset, len(used), rep) * scale[part] + shift[part]
    if lost:
        warnings.warn(
            f"Algorithm did not converge in any repetition of {lost} of {draws} bootstrap refits; what they reached counts.",
            ConvergenceWarning,
            stacklevel=caller(),
        )
    if not np.isfinite(out).all():
        raise ArgumentError("method='bootstrap': a refit diverged; train with a penalty, or use restarts='warm'.")
    scaling = results.design.scaling
    if scaling is not None:
        out = out * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]
    return out


def _at(
    results: NeuralNetResults, fit: Fit, x: np.ndarray, offset: np.ndarray | None, each: int, rep: Any
) -> np.ndarray:
    """Means (T, K, m) of a stack of refits at other covariates, internal units."""
    from ..df.refit import _combine

    raw = derivatives.outputs(results.network, x, fit.theta.astype(float), offset)
    mu = np.stack([results.network.objective.response(r) for r in raw])
    return _combine(fit, mu.reshape(-1, each, *mu.shape[1:]), rep)
