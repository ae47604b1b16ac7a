"""Coverage of a fit's own intervals, by simulation from the fit."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..assessment.procedure import _slice
from ..checks import check_int
from ..df.refit import CHUNK_BYTES, RESTARTS, _starts, repeated, train_stack
from ..errors import ArgumentError, ConvergenceWarning, SingularHessianWarning
from ..formula.subset import subset
from ..likelihood import noise
from ..seeds import children, seed_sequence
from .bootstrap import responses
from .get_prediction import check_alpha

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..formula import Design
    from ..results import NeuralNetResults


def coverage(
    results: NeuralNetResults, method: str = "delta", *, alpha: float = 0.05, draws: int = 200, restarts: str = "same",
    rep: Any = "mean", inner_draws: int = 100, random_state: Any = None, n_jobs: int | None = None, **options: Any,
) -> pd.DataFrame:  # fmt: skip
    """How often the intervals of `get_prediction` hold what they should, were the fit the truth.

    Responses are drawn from the fitted means and dispersion, the whole procedure (restarts, penalty, stopping rule) is run on
    each, and its intervals at the rows of the data are compared with the fitted means, and with new responses.

    Parameters
    ----------
    method : str
        As in `get_prediction`, whose options follow in `options`.
    alpha : float
        1 - nominal coverage.
    draws : int
        Simulated data sets.
    restarts : {"same", "fresh", "warm"}
        Start weights of the refits: the fit's own, new random ones, or the fitted weights.
    rep : {"mean", "best"} or int
    inner_draws : int
        Bootstrap refits of each simulated set, for ``method="bootstrap"``; its kind and restarts are options.
    random_state : int, SeedSequence, Generator, optional
    n_jobs : int, optional

    Returns
    -------
    DataFrame
        Rows "mean" and "obs" (new observations): ``nominal``, ``coverage`` (mean over rows and draws), ``se`` (over draws),
        ``width`` (median). ``.attrs["by_row"]`` has the coverage of each row of the data.

    Raises
    ------
    ArgumentError
        Where the error function belongs to no family, from which to draw.
    """
    alpha, draws = check_alpha(alpha), check_int(draws, "draws", 2)
    if restarts not in RESTARTS:
        raise ArgumentError(f"restarts must be one of {', '.join(map(repr, RESTARTS))}; got {restarts!r}.")
    sample, starts, again, inner = children(seed_sequence(random_state), 4)
    truth = _mean(results, results, rep)
    y = responses(results, "parametric", draws, sample, rep)
    later = _original(results, responses(results, "parametric", draws, again, rep))
    if method == "bootstrap":
        options = {**options, "draws": check_int(inner_draws, "inner_draws", 2)}
    inside = rep if rep in ("mean", "best") else "best"  # the only one of a refit
    held = {"mean": [], "obs": []}  # type: ignore[var-annotated]
    width = {"mean": [], "obs": []}  # type: ignore[var-annotated]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", SingularHessianWarning)
        for t, fit in enumerate(_refits(results, y, restarts, rep, starts, n_jobs)):
            seeds = children(inner, t + 1)[t]
            found = fit.get_prediction(method=method, rep=inside, random_state=seeds, **options)
            frame = found.summary_frame(alpha).loc[fit.design.kept]
            parts = frame.to_numpy().T.reshape(-1, 6, fit.nobs)
            for name, target, at in (("mean", truth, 2), ("obs", later[t], 4)):
                low, high = parts[:, at], parts[:, at + 1]
                held[name].append(np.where(np.isnan(low), np.nan, (low <= target) & (target <= high)))
                width[name].append(np.median(high - low))
    rows, by_row = [], {}
    for name, hits in held.items():
        hit = np.stack(hits)  # (T, K, n)
        each = hit.mean(axis=(1, 2))
        rows.append([1 - alpha, each.mean(), each.std(ddof=1) / np.sqrt(draws), float(np.median(width[name]))])
        by_row[name] = hit.mean(axis=0).squeeze()
    frame = pd.DataFrame(rows, list(held), ["nominal", "coverage", "se", "width"])
    frame.attrs["by_row"] = by_row
    return frame


def _original(results: NeuralNetResults, y: np.ndarray) -> np.ndarray:
    scaling = results.design.scaling
    return y if scaling is None else y * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]


def _mean(results: NeuralNetResults, of: NeuralNetResults, rep: Any) -> np.ndarray:
    """(K, n) fitted means in the units of the response."""
    return _original(results, noise.fitted(of, of._numbers(rep)))


def _units(results: NeuralNetResults, designs: list[Design], each: int) -> tuple[np.ndarray, np.ndarray] | None:
    """By what designs that centre and scale their own responses rescale those of the fit; see `train_stack`."""
    own = results.design.scaling
    if own is None:
        return None
    mean = np.stack([(d.scaling.y_mean - own.y_mean) / own.y_sd for d in designs])[..., np.newaxis]  # type: ignore[union-attr]
    sd = np.stack([d.scaling.y_sd / own.y_sd for d in designs])[..., np.newaxis]  # type: ignore[union-attr]
    return repeated(mean, sd, slice(None), each)


def _refits(
    results: NeuralNetResults, y: np.ndarray, restarts: str, rep: Any, seeds: np.random.SeedSequence, n_jobs: int | None
) -> Iterator[NeuralNetResults]:
    """Results of the procedure on each response (T, K, n), internal units."""
    from ..results import NeuralNetResults

    used = list(range(results.nrep)) if rep in ("mean", "best") else [results.which(rep)]
    everything, each = np.arange(results.nobs), len(used)
    step = max(1, CHUNK_BYTES // (8 * each * (600 + 6 * results.network.n_params + y[0].size)))
    for first in range(0, y.shape[0], step):
        numbers = range(first, min(first + step, y.shape[0]))
        designs = [subset(replace(results.design, y=y[t]), everything).design for t in numbers]
        start = np.concatenate([_starts(results, used, each, restarts, seeds, t) for t in numbers])
        inner = np.repeat(np.stack([d.y for d in designs]), each, axis=0)
        stack = train_stack(results, inner, start, n_jobs, units=_units(results, designs, each))
        for k, design in enumerate(designs):
            fit = _slice(stack, slice(k * each, (k + 1) * each))
            yield NeuralNetResults(results.formula, design, results.network, results.settings, fit, results.seeds)
