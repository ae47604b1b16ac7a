"""Coverage of a fit's own intervals, by simulation from the fit."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..checks import check_size
from ..checks.arguments import DRAWS, N_JOBS, RANDOM_STATE, REP_OR_MEAN, SHARE, Choice, Whole, arguments
from ..df import noise
from ..errors import ArgumentError, ConvergenceWarning, SingularHessianWarning
from ..fitted import Fitted
from ..formula.subset import subset
from ..seeds import children, seed_sequence
from ..training.refits import RESTARTS, Refits, repeated, stacks
from .bootstrap import responses
from .get_prediction import METHODS, check_options, get_prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..formula import Design


@arguments(
    method=Choice(*METHODS), alpha=SHARE, draws=Whole(2, DRAWS), restarts=Choice(*RESTARTS), rep=REP_OR_MEAN,
    inner_draws=Whole(2, DRAWS), random_state=RANDOM_STATE, n_jobs=N_JOBS,
)
def coverage(
    fitted: Fitted, method: str = "delta", *, alpha: float = 0.05, draws: int = 200, restarts: str = "same",
    rep: Any = "mean", inner_draws: int | None = None, random_state: Any = None, n_jobs: int | None = None, **options: Any,
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
    inner_draws : int, optional
        Bootstrap refits of each simulated set (100), for ``method="bootstrap"``; its kind and restarts are options.
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
    if inner_draws is not None and method != "bootstrap":
        raise ArgumentError(f"inner_draws belongs to method='bootstrap', not to {method!r}.")
    check_options(method, options, "cov_type", "use_t", "weights")
    check_size(5 * draws * fitted.design.y.size, f"draws={draws} simulated data sets")
    sample, starts, again, inner = children(seed_sequence(random_state), 4)
    truth = fitted.original_means(noise.fitted(fitted, fitted.numbers(rep)))
    y = responses(fitted, "parametric", draws, sample, rep)
    later = fitted.original_means(responses(fitted, "parametric", draws, again, rep))
    if method == "bootstrap":
        options = {**options, "draws": 100 if inner_draws is None else inner_draws}
    inside = rep if rep in ("mean", "best") else "best"  # the only one of a refit
    held = {"mean": [], "obs": []}  # type: ignore[var-annotated]
    width = {"mean": [], "obs": []}  # type: ignore[var-annotated]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", SingularHessianWarning)
        for t, fit in enumerate(_refits(fitted, y, restarts, rep, starts, n_jobs)):
            seeds = children(inner, t + 1)[t]
            found = get_prediction(fit, method=method, rep=inside, random_state=seeds, **options)
            frame = found.summary_frame(alpha).loc[fit.design.kept]
            parts = frame.to_numpy().T.reshape(-1, 6, fit.n_rows)
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


def _units(fitted: Fitted, designs: list[Design], each: int) -> tuple[np.ndarray, np.ndarray] | None:
    """By what designs that centre and scale their own responses rescale those of the fit; see `Refits`."""
    own = fitted.design.scaling
    if own is None:
        return None
    mean = np.stack([(d.scaling.y_mean - own.y_mean) / own.y_sd for d in designs])[..., np.newaxis]  # type: ignore[union-attr]
    sd = np.stack([d.scaling.y_sd / own.y_sd for d in designs])[..., np.newaxis]  # type: ignore[union-attr]
    return repeated(mean, sd, slice(None), each)


def _refits(
    fitted: Fitted, y: np.ndarray, restarts: str, rep: Any, seeds: np.random.SeedSequence, n_jobs: int | None
) -> Iterator[Fitted]:
    """Fits by the procedure on each response (T, K, n), internal units."""
    used = list(range(fitted.nrep)) if rep in ("mean", "best") else [fitted.which(rep)]
    everything, each = np.arange(fitted.n_rows), len(used)
    again = Refits(fitted.procedure, fitted.fit, n_jobs)
    for part in stacks(len(y), fitted.network, each, each * y[0].size):
        numbers = range(part.start, part.stop)
        designs = [subset(replace(fitted.design, y=y[t]), everything).design for t in numbers]
        start = np.concatenate([again.starts(used, each, restarts, seeds, t) for t in numbers])
        inner = np.repeat(np.stack([d.y for d in designs]), each, axis=0)
        stack = again.to_responses(inner, start, units=_units(fitted, designs, each))
        for k, design in enumerate(designs):
            fit = stack.part(slice(k * each, (k + 1) * each))
            yield Fitted(replace(fitted.procedure, design=design, validation=None), fit)
