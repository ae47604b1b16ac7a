"""Bootstrap refits of a fit, as one stack: predictions at given covariates.

Efron & Tibshirani (1993), An Introduction to the Bootstrap, sections 9.4 and 9.5; for networks Tibshirani (1996), Neural
Computation 8:152.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_int
from ..df.refit import CHUNK_BYTES, RESTARTS, _rescaling, _starts, repeated, train_stack
from ..errors import ArgumentError, ConvergenceWarning, caller
from ..likelihood import noise
from ..network import derivatives
from ..seeds import children, seed_sequence
from ..training.minibatch import refit_cases
from .dispersion import degrees, dispersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..results import NeuralNetResults
    from ..training.train import Fit

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
    rest = degrees(results, numbers)
    if rest <= 0:
        raise ArgumentError("no degrees of freedom are left to rescale residuals: use kind='case', or a smaller model.")
    standard = (results.design.y - mu)[:, used] * np.sqrt(w[used])
    standard = (standard - standard.mean(axis=1, keepdims=True)) * np.sqrt(used.size / rest)
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
    kind: str | None = None, restarts: str | None = None, random_state: Any = None, n_jobs: int | None = None,
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
    restarts : {"warm", "same", "fresh"}, optional
        Start weights of the refits: the fitted weights (fast; refits stay in the fit's optima, and of "best" only the best
        repetition is refitted), the fit's own start weights, or new random ones. Default "warm"; "same" for fits by epochs,
        which end before an optimum: from the fitted weights they would be trained twice as long. Validation rows that
        stopped a fit stop its refits, too.
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
    restarts = usual_restarts(results) if restarts is None else restarts
    if restarts not in RESTARTS:
        raise ArgumentError(f"restarts must be one of {', '.join(map(repr, RESTARTS))}; got {restarts!r}.")
    sample_seeds, start_seeds = children(seed_sequence(random_state), 2)
    sample = _Sample(results, kind, draws, sample_seeds, rep)
    whole = rep == "mean" or (rep == "best" and restarts != "warm")
    used = list(range(results.nrep)) if whole else [results.which(rep)]
    size = 8 * len(used) * (600 + 6 * results.network.n_params + 2 * results.design.y.size)
    step = max(1, CHUNK_BYTES // size)
    out, lost = np.empty((draws, results.design.y.shape[0], x.shape[1])), 0
    for first in range(0, draws, step):
        part = slice(first, min(first + step, draws))
        start = np.stack([_starts(results, used, len(used), restarts, start_seeds, t)
                          for t in range(part.start, part.stop)])  # fmt: skip
        done = part.start
        for fit in sample.refits(part, start, n_jobs):
            lost += int(np.sum(~fit.converged.reshape(-1, len(used)).any(axis=1)))
            means = _at(results, fit, x, offset, len(used), rep)
            at = slice(done, done + len(means))
            out[at] = means * sample.scale[at] + sample.shift[at]
            done = at.stop
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


def usual_restarts(results: NeuralNetResults) -> str:
    """How refits begin unless it is said: from the fitted weights where these are an optimum."""
    return "same" if results.settings.minibatch else "warm"


class _Sample:
    """Bootstrap samples of a fit's data: responses (T, K, n) or, by cases, how often (T, n) each row is drawn."""

    def __init__(self, results: NeuralNetResults, kind: str, draws: int, seeds: np.random.SeedSequence, rep: Any) -> None:
        k = results.design.y.shape[0]
        self.results = results
        self.y: np.ndarray | None = None
        self.counts = np.zeros((0, 0))
        shift, scale = np.zeros((1, 1, 1)), np.ones((1, 1, 1))
        if kind == "case":
            self.counts = counts(results, draws, seeds)
        else:
            self.y = responses(results, kind, draws, seeds, rep)
            shift, scale = _rescaling(results, self.y)
        self.shift, self.scale = np.broadcast_to(shift, (draws, k, 1)), np.broadcast_to(scale, (draws, k, 1))

    def refits(self, part: slice, start: np.ndarray, n_jobs: int | None) -> Iterator[Fit]:
        """Fits to a part of the samples, in stacks, from starts (T, R, P)."""
        results, each, flat = self.results, start.shape[1], start.reshape(-1, start.shape[2])
        if self.y is not None:
            inner = np.repeat((self.y[part] - self.shift[part]) / self.scale[part], each, axis=0)
            yield train_stack(results, inner, flat, n_jobs, units=repeated(self.shift, self.scale, part, each))
        elif results.settings.minibatch:  # batches hold a row as often as it was drawn
            rows = [np.repeat(np.arange(line.size), line.astype(np.int64)) for line in self.counts[part]]
            yield from refit_cases(results, rows, start, n_jobs)
        else:
            own = np.repeat(self.counts[part] * noise.case_weights(results), each, axis=0)
            y = np.broadcast_to(results.design.y, (len(flat), *results.design.y.shape))
            yield train_stack(results, y, flat, n_jobs, weights=own)


def _at(
    results: NeuralNetResults, fit: Fit, x: np.ndarray, offset: np.ndarray | None, each: int, rep: Any
) -> np.ndarray:
    """Means (T, K, m) of a stack of refits at other covariates, internal units."""
    from ..df.refit import _combine

    raw = derivatives.outputs(results.network, x, fit.theta.astype(float), offset)
    mu = np.stack([results.network.objective.response(r) for r in raw])
    return _combine(fit, mu.reshape(-1, each, *mu.shape[1:]), rep)
