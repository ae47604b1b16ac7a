"""The whole procedure for a stack of responses: restarts, stopping rule, choice or mean of repetitions."""

from __future__ import annotations

import numpy as np

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
        Threads; the result does not depend on them.
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
    again = Refits(fitted.procedure, fitted.fit, n_jobs)
    shift, scale = again.units(responses)
    inner = (responses - shift) / scale
    # Early pruning belongs to the procedure; it goes by the errors of one response's repetitions.
    keep = fitted.settings.keep if restarts == "fresh" and rep in ("mean", "best") else None
    begun = len(used) if keep is None else fitted.settings.repetitions
    out = np.empty((len(responses), fitted.network.n_outputs, responses.shape[2])) if predictors else np.empty_like(responses)
    values = responses[0].size + (0 if weights is None else weights.shape[1])
    whole = stacks(len(responses), fitted.network, len(used), len(used) * values)
    alone = keep is not None or (weights is not None and fitted.settings.minibatch)
    for part in (slice(t, t + 1) for t in range(len(responses))) if alone else whole:
        numbers = range(part.start, part.stop)
        start = np.concatenate([again.starts(used, begun, restarts, seeds, t) for t in numbers])
        units = repeated(shift, scale, part, begun)
        case = None if weights is None else weights[part.start] if alone else np.repeat(weights[part], begun, axis=0)
        fit = again.to_responses(np.repeat(inner[part], begun, axis=0), start, keep=keep, weights=case, units=units,
                                 held=None if restarts == "fresh" else used)  # fmt: skip
        values = _predictors if predictors else noise.means
        mu = values(fitted, fit.theta.astype(float))
        out[part] = combine(fit, mu.reshape(len(numbers), -1, *mu.shape[1:]), rep)
    if not predictors or not fitted.network.objective.several:
        return out * scale + shift
    own = [fitted.distribution.joint_units(m[:, 0], s[:, 0]) for m, s in zip(shift, scale, strict=True)]
    return out * np.array([s for s, _ in own])[:, :, np.newaxis] + np.array([m for _, m in own])[:, :, np.newaxis]


def _predictors(fitted: Fitted, theta: np.ndarray) -> np.ndarray:
    """Linear predictors (B, K, n) of a stack of weights (B, P), in its own units."""
    return derivatives.outputs(fitted.network, fitted.design.x, theta, fitted.design.offset)
