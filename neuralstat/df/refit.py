"""The whole procedure for a stack of responses: restarts, stopping rule, choice or mean of repetitions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.data import make_data
from ..errors import ArgumentError
from ..families.starts import feasible
from ..likelihood import noise
from ..network.start import start_weights
from ..seeds import children
from ..training.train import Fit, train

if TYPE_CHECKING:
    from ..results import NeuralNetResults

CHUNK_BYTES = 64_000_000  # memory of one stack
RESTARTS = ("same", "fresh", "warm")


def refit(
    results: NeuralNetResults,
    responses: np.ndarray,
    *,
    rep: int | str = "best",
    restarts: str = "same",
    seeds: np.random.SeedSequence | None = None,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Fitted means of the procedure for other responses on the same covariates.

    Parameters
    ----------
    results : NeuralNetResults
        Its settings are the procedure: start weights, algorithm, threshold, penalty, repetitions.
    responses : (T, K, n) array
        In internal units.
    rep : {"mean", "best"} or int
        What the procedure gives: the mean of the converged repetitions (of all where none converged), the
        best of them, or one.
    restarts : {"same", "fresh", "warm"}
        Start weights: those of the fit for every response; new random ones for every response; or the fitted
        weights.
    seeds : SeedSequence
        For fresh start weights.
    n_jobs : int, optional
        Threads; the result does not depend on them.

    Returns
    -------
    (T, K, n) array
        In internal units.
    """
    if restarts not in RESTARTS:
        raise ArgumentError(f"restarts must be one of {', '.join(map(repr, RESTARTS))}; got {restarts!r}.")
    used = list(range(results.nrep)) if rep in ("mean", "best") else [results.which(rep)]
    shift, scale = _rescaling(results, responses)
    inner = (responses - shift) / scale
    size = 8 * len(used) * (600 + 6 * results.network.n_params + responses[0].size)
    # Early pruning belongs to the procedure; it goes by the errors of one response's repetitions.
    keep = results.settings.keep if restarts == "fresh" and rep in ("mean", "best") else None
    begun = len(used) if keep is None else results.settings.rep
    step = max(1, CHUNK_BYTES // size) if keep is None else 1
    out = np.empty_like(responses)
    for first in range(0, responses.shape[0], step):
        part = slice(first, min(first + step, responses.shape[0]))
        numbers = range(part.start, part.stop)
        start = np.concatenate([_starts(results, used, begun, restarts, seeds, t) for t in numbers])
        units = repeated(shift, scale, part, begun)
        fit = train_stack(results, np.repeat(inner[part], begun, axis=0), start, n_jobs, keep, units=units)
        mu = noise.means(results, fit.theta.astype(float))
        out[part] = _combine(fit, mu.reshape(len(numbers), -1, *mu.shape[1:]), rep)
    return out * scale + shift


def _rescaling(results: NeuralNetResults, responses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd (T, K, 1) by which a standardised procedure would centre and scale each response."""
    scaling = results.design.scaling
    t, k, _ = responses.shape
    shift, scale = np.zeros((t, k, 1)), np.ones((t, k, 1))
    held = ~results.fit.free[0] & (
        results.theta[0] != 0
    )  # constants in the units of the response would be rescaled
    if scaling is None or held.any():
        return shift, scale
    scaled = (scaling.y_sd != 1) | (scaling.y_mean != 0)
    w = noise.case_weights(results)
    used = int(np.sum(w > 0))
    mean = responses @ w / w.sum()
    square = ((responses - mean[..., np.newaxis]) ** 2) @ w / w.sum() * used / max(used - 1, 1)
    shift[:, scaled, 0], scale[:, scaled, 0] = mean[:, scaled], np.sqrt(square[:, scaled])
    return shift, scale


def _starts(
    results: NeuralNetResults, used: list[int], begun: int, restarts: str, seeds: np.random.SeedSequence | None, t: int
) -> np.ndarray:
    """Start weights (repetitions, P) for response t."""
    if restarts == "same":
        return results.fit.start[used]
    if restarts == "warm":
        return results.fit.theta[used]
    if seeds is None:
        raise ArgumentError("restarts='fresh' needs seeds.")
    free = results.fit.free[0]
    adjust = functools.partial(feasible, results.network, results.design, free=free)
    return start_weights(
        results.network, begun, children(seeds, t + 1)[t], free, results.fit.start[0].astype(float),
        adjust=adjust, init=results.settings.start_init, x=results.design.x,
    )  # fmt: skip


def repeated(shift: np.ndarray, scale: np.ndarray, part: slice, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Units (B, K, 1) of the responses of a stack: those of a part of the responses, `each` networks to one."""
    return np.repeat(shift[part], each, axis=0), np.repeat(scale[part], each, axis=0)


def train_stack(
    results: NeuralNetResults, y: np.ndarray, start: np.ndarray, n_jobs: int | None, keep: int | None = None,
    weights: np.ndarray | None = None, units: tuple[np.ndarray, np.ndarray] | None = None,
) -> Fit:  # fmt: skip
    """Train as the settings of the fit say, on responses (B, K, n); with case weights (B, n) instead of the fit's.

    `units`, shift and scale (B, K, 1), say by what the responses were rescaled, for validation rows.
    """
    from .. import api

    settings, design, network = results.settings, results.design, results.network
    if settings.minibatch:
        from ..training.minibatch import refit

        return refit(results, y, start, n_jobs, units)
    free, penalty = results.fit.free[0], results.penalty_coefficients
    cases = design.weights if weights is None else weights
    data = make_data(design.x, y, cases, design.offset, dtype=np.dtype(settings.dtype))
    algorithm, _ = api.resolve_algorithm(settings, network, design, int(free.sum()), penalty)
    same: dict[str, Any] = {"stepmax": settings.stepmax, "penalty": penalty, "n_jobs": n_jobs, "device": settings.device}
    fit = train(
        network, data, start, free, algorithm, threshold=settings.full_threshold, tol=settings.tol, keep=keep, **same
    )
    if settings.polish:
        return api._polished(network, data, free, fit, settings, penalty, same)
    return fit


def _combine(fit: Fit, mu: np.ndarray, rep: int | str) -> np.ndarray:
    """(T, K, n) from the means (T, R, K, n) of all repetitions."""
    t, r = mu.shape[:2]
    if r == 1:
        return mu[:, 0]
    good = fit.converged.reshape(t, r)
    good = np.where(good.any(axis=1, keepdims=True), good, True)
    if rep == "best":
        loss = np.where(good & np.isfinite(fit.loss.reshape(t, r)), fit.loss.reshape(t, r), np.inf)
        return mu[np.arange(t), loss.argmin(axis=1)]
    weight = good[:, :, np.newaxis, np.newaxis]
    return np.sum(np.where(weight, mu, 0.0), axis=1) / weight.sum(axis=1)
