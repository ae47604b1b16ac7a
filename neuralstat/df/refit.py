"""The whole procedure for a stack of responses: restarts, stopping rule, choice or mean of repetitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cluster import in_parts, joblib_client
from ..fitted import Fitted
from ..network import derivatives
from ..training.refits import Refits, check_restarts, combine, repeated, stacks
from . import noise


def refit(
    fitted: Fitted,
    responses: np.ndarray,
    *,
    rep: int | str = "best",
    restarts: str = "same",
    seeds: np.random.SeedSequence | None = None,
    n_jobs: int | None = None,
    weights: np.ndarray | None = None,
    predictors: bool = False,
) -> np.ndarray:
    """Fitted means of the procedure for other responses on the same covariates.

    Parameters
    ----------
    fitted : Fitted
        Its settings are the procedure: start weights, algorithm, threshold, penalty, repetitions.
    responses : (T, K, n) array
        In internal units.
    rep : {"mean", "best"} or int
        What the procedure gives: the mean of the converged repetitions (of all where none converged), the
        best of them, or one.
    restarts : {"same", "fresh", "warm"}
        Start weights: those of the fit for every response; new random ones for every response; or the fitted
        weights. Strengths of a penalty that were estimated are held at each repetition's, but by "fresh", which estimates
        them anew.
    seeds : SeedSequence
        For fresh start weights.
    n_jobs : int, optional
        Threads; the result does not depend on them. Where not given, and inside ``joblib.parallel_config(backend="dask")``,
        the workers of that cluster.
    weights : (T, n) array, optional
        Case weights of each response; those of the fit unless given.
    predictors : bool
        Linear predictors in the place of means: of all parameters, where a distribution has several.

    Returns
    -------
    (T, K, n) array
        In internal units.
    """
    check_restarts(restarts)
    used = list(range(fitted.nrep)) if rep in ("mean", "best") else [fitted.which(rep)]
    shift, scale = Refits(fitted.procedure, fitted.fit).units(responses)
    # Early pruning belongs to the procedure; it goes by the errors of one response's repetitions.
    keep = fitted.settings.keep if restarts == "fresh" and rep in ("mean", "best") else None
    alone = keep is not None or (weights is not None and fitted.settings.minibatch)
    client = None if n_jobs is not None or fitted.settings.device != "cpu" else joblib_client()
    job = _Job(fitted, rep, restarts, seeds, n_jobs, predictors, keep, alone, used)
    out = np.empty((len(responses), fitted.network.n_outputs, responses.shape[2])) if predictors else np.empty_like(responses)

    def own(numbers: range) -> tuple[Any, ...]:
        at = slice(numbers.start, numbers.stop)
        inner = (responses[at] - shift[at]) / scale[at]
        return inner, shift[at], scale[at], None if weights is None else weights[at]

    for numbers, means in in_parts(
        _refit, lambda: job, len(responses), lambda: job.parts(responses[0].size, len(responses), weights), own,
        what="the fit", client=client,
    ):  # fmt: skip
        out[numbers.start : numbers.stop] = means
    if not predictors or not fitted.network.objective.several:
        return out * scale + shift
    units = [fitted.distribution.joint_units(m[:, 0], s[:, 0]) for m, s in zip(shift, scale, strict=True)]
    return out * np.array([s for s, _ in units])[:, :, np.newaxis] + np.array([m for _, m in units])[:, :, np.newaxis]


@dataclass(frozen=True)
class _Job:
    """What all refits are done by; see `refit`. `alone`: one response after the other, `used`: repetitions (from 0)."""

    fitted: Fitted
    rep: int | str
    restarts: str
    seeds: np.random.SeedSequence | None
    n_jobs: int | None
    predictors: bool
    keep: int | None
    alone: bool
    used: list[int]

    def parts(self, size: int, count: int, weights: np.ndarray | None) -> Iterator[range]:
        """Stacks of `count` refits to responses of so many numbers, with case weights (T, n) or without."""
        if self.alone:
            return (range(t, t + 1) for t in range(count))
        values = len(self.used) * (size + (0 if weights is None else weights.shape[1]))
        return (range(s.start, s.stop) for s in stacks(count, self.fitted.network, len(self.used), values))


def _refit(
    job: _Job, numbers: range, inner: np.ndarray, shift: np.ndarray, scale: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """Means or predictors (T, K, n) of refits to some responses, in units of which each has its own.

    Parameters
    ----------
    job : _Job
    numbers : range
        Of the responses, among all.
    inner : (T, K, n) array
    shift, scale : (T, K, 1) arrays
    weights : (T, n) array or None
    """
    fitted, used, keep = job.fitted, job.used, job.keep
    again = Refits(fitted.procedure, fitted.fit, job.n_jobs)
    begun = len(used) if keep is None else fitted.settings.repetitions
    out = []
    for stack in job.parts(inner[0].size, len(inner), weights):
        part = slice(stack.start, stack.stop)
        own = numbers[part]
        start = np.concatenate([again.starts(used, begun, job.restarts, job.seeds, t) for t in own])
        units = repeated(shift, scale, part, begun)
        case = None if weights is None else weights[part.start] if job.alone else np.repeat(weights[part], begun, axis=0)
        fit = again.to_responses(np.repeat(inner[part], begun, axis=0), start, keep=keep, weights=case, units=units,
                                 held=None if job.restarts == "fresh" else used)  # fmt: skip
        means = _predictors if job.predictors else noise.means
        mu = means(fitted, fit.theta.astype(float))
        out.append(combine(fit, mu.reshape(len(own), -1, *mu.shape[1:]), job.rep))
    return np.concatenate(out)


def _predictors(fitted: Fitted, theta: np.ndarray) -> np.ndarray:
    """Linear predictors (B, K, n) of a stack of weights (B, P), in its own units."""
    return derivatives.outputs(fitted.network, fitted.design.x, theta, fitted.design.offset)
