"""Conformalised quantiles of the fitted distribution: widths follow the spread, and coverage needs exchangeable rows only.

The procedure is run without each of k folds of the rows. For the rows of a fold it is looked how far responses lie outside
the interval [l, h] that the run without them says, or inside, in units of its width: s_i = max(l - y_i, y_i - h) / (h - l),
so that a wrong scale is mended by one factor everywhere. With l_-i and h_-i of the run without the fold of i, limits at x
are, as of CV+ (`inference.conformal`),

    from the floor(alpha (n + 1))-th smallest l_-i(x) - s_i (h_-i(x) - l_-i(x))
    to the ceil((1 - alpha)(n + 1))-th smallest h_-i(x) + s_i (h_-i(x) - l_-i(x))

which cover with probability >= 1 - 2 alpha whatever the model, in practice near 1 - alpha. With `test_size` there is one
split, the information of whose other half is lost, and probability >= 1 - alpha. [l, h] are the limits of a new observation
that ``method="distribution"`` says (`inference.mixing`), wider where less is known; of quantiles, and of families with one
parameter, those of the fit. Coverage in every fifth of a covariate: benchmarks/results/distribution_coverage.csv.

References
----------
Romano, Patterson & Candes (2019), Conformalized quantile regression, NeurIPS 32:3543. Kivaranovic, Johnson & Leeb (2020),
Adaptive, distribution-free prediction intervals for deep networks, AISTATS 108:4346 (distances in units of the width).
Barber, Candes, Ramdas & Tibshirani (2021), Predictive inference with the jackknife+, Annals of Statistics 49:486 (CV+).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment import folds
from ..assessment.procedure import NetworkProcedure, streams
from ..checks.arguments import N_JOBS, NONE, SHARE, Choice, Whole, arguments
from ..errors import ArgumentError
from ..families import Expectile, Multinomial, Quantile
from ..fitted import Fitted
from ..likelihood.mixture import components_at
from ..training.refits import RESTARTS
from .conformal import Limits
from .mixing import Where, everywhere, mixed_limits

if TYPE_CHECKING:
    from ..formula.subset import Part
    from ..training.fit import Fit

LEAST = 1e-12  # width that distances are divided by
AT_ONCE = 4_000_000  # limits that are sorted at a time

Base = Callable[[float], tuple[np.ndarray, np.ndarray]]  # alpha -> (lower, upper), (m,) each


class _Said(NetworkProcedure):
    """Keeps refits and their parts, by number."""

    said: dict[int, tuple[Part, Fit]]

    def predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        """Means by the refit, which is kept."""
        self.said[t] = part, fit
        return super().predict(part, fit, t)


@arguments(k=NONE | Whole(2), test_size=NONE | SHARE, restarts=Choice(*RESTARTS), n_jobs=N_JOBS)
def cqr(
    fitted: Fitted, new: Any, *, rep: Any = "mean", offset: Any = None, k: int | None = None, test_size: float | None = None,
    restarts: str = "fresh", random_state: Any = None, n_jobs: int | None = None,
) -> Limits:  # fmt: skip
    """Limits of new observations: a function of alpha that returns (lower, upper), each (1, m).

    Raises
    ------
    ArgumentError
        For factors, several responses, expectiles, levels that quantiles were not fitted for, and an alpha that so few rows
        cannot give.
    """
    _check(fitted, rep)
    if k is not None and test_size is not None:
        raise ArgumentError("k is of folds and test_size of one split: give one of them.")
    start = {"fresh": None, "same": fitted.fit.start, "warm": fitted.fit.theta}[restarts]
    procedure = _Said(fitted, rep, True, n_jobs, start)
    procedure.said, procedure.spreads = {}, False  # what is kept is kept here
    split_seeds, start_seeds = streams(random_state)
    rng, n = np.random.default_rng(split_seeds), fitted.n_rows
    if test_size is None:
        grouped = fitted.design.groups
        splits = folds.kfold(n, folds.as_many(10 if k is None else k, None, grouped), rng, groups=grouped)
    else:
        held = folds.held_out(n, test_size, rng, fitted.design.groups)
        splits = [(np.setdiff1d(np.arange(n), held), held)]
    list(procedure.refits([s[0] for s in splits], start_seeds, [s[1] for s in splits]))
    y, parts = [], []
    for t, (_, held) in enumerate(splits):
        counted = np.repeat(held, np.round(fitted.frequencies[held]).astype(np.int64))
        y.append(fitted.responses[0, counted])
        parts.append(_without(fitted, procedure.said[t], rep, counted, new, offset))
    return _limits(fitted, y, parts)


def _without(
    fitted: Fitted, said: tuple[Part, Fit], rep: Any, counted: np.ndarray, new: Any, offset: Any
) -> tuple[Base, Base]:
    """What a refit says of the rows that it was made without, and of the new ones."""
    part, fit = said
    own = replace(fitted, procedure=replace(fitted.procedure, design=part.design, validation=None), fit=fit)
    numbers = own.numbers("mean" if rep == "mean" else "best")
    weights = fitted.row_precisions
    at_held = _base(own, numbers, part.x[:, counted], None if part.offset is None else part.offset[:, counted],
                    None if weights is None else weights[counted])  # fmt: skip
    if new is None:
        return at_held, _base(own, numbers, part.x, part.offset, weights)
    rows = part.design.encode(new, offset=offset)
    known = None if rows.offset is None else rows.offset[:, rows.complete]
    return at_held, _base(own, numbers, rows.x[:, rows.complete], known, None)


def _limits(fitted: Fitted, y: list[np.ndarray], parts: list[tuple[Base, Base]]) -> Limits:
    size = sum(part.size for part in y)

    def limits(alpha: float) -> tuple[np.ndarray, np.ndarray]:
        top = int(np.ceil((1 - alpha) * (size + 1) - 1e-9))
        if top > size:
            fewest = int(np.ceil(1 / alpha)) - 1
            raise ArgumentError(f"alpha={alpha:g} needs at least {fewest} held-out rows, there are {size}.")
        scores, ends = [], []
        for observed, (at_held, there) in zip(y, parts, strict=True):
            low, high = at_held(alpha)
            scores.append(np.maximum(low - observed, observed - high) / np.maximum(high - low, LEAST))
            ends.append(there(alpha))
        m = ends[0][0].size
        out, step = np.empty((2, m)), max(AT_ONCE // max(size, 1), 1)
        for first in range(0, m, step):
            here = slice(first, first + step)
            moved = []
            for score, (low, high) in zip(scores, ends, strict=True):
                move = score[:, np.newaxis] * np.maximum(high[here] - low[here], LEAST)
                moved.append((low[here] - move, high[here] + move))
            out[0, here] = np.partition(np.concatenate([v for v, _ in moved]), size - top, axis=0)[size - top]
            out[1, here] = np.partition(np.concatenate([v for _, v in moved]), top - 1, axis=0)[top - 1]
        low, high = np.clip(np.sort(out, axis=0), *fitted.likely.means)
        return low[np.newaxis], high[np.newaxis]

    return limits


def _base(own: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, weights: np.ndarray | None) -> Base:
    """Limits by a refit at covariates (D, m): of "distribution", of families with one parameter those of the fit."""
    x, known = np.ascontiguousarray(x), None if offset is None else np.ascontiguousarray(offset)
    found, family = components_at(own, x, known, numbers, weights), own.family
    mixed = None if not own.network.objective.several or isinstance(family, Quantile) else \
        everywhere(mixed_limits(Where(own, numbers, x, known)), x.shape[1])  # fmt: skip
    least, most = (family.q[0], family.q[-1]) if isinstance(family, Quantile) else (0.0, 1.0)

    def limits(alpha: float) -> tuple[np.ndarray, np.ndarray]:
        if mixed is not None:
            low, high = mixed(alpha)
            return low[0], high[0]
        levels = np.array([alpha / 2, 1 - alpha / 2])
        if levels[0] < least - 1e-12 or levels[1] > most + 1e-12:
            beyond = levels[0] if levels[0] < least - 1e-12 else levels[1]
            raise ArgumentError(f"alpha: the quantile at {beyond:g} is beyond the levels that were fitted.")
        low, high = (found.quantiles(np.full(x.shape[1], q)) for q in np.clip(levels, least, most))
        return low, high

    return limits


def _check(fitted: Fitted, rep: Any) -> None:
    if rep not in ("mean", "best"):
        raise ArgumentError(f"method='cqr' refits the whole procedure: rep must be 'mean' or 'best', got {rep!r}.")
    single = len(fitted.design.y) == 1 and fitted.design.classes is None
    if not single or isinstance(fitted.likely, Multinomial | Expectile):
        raise ArgumentError("method='cqr' needs one numeric response, and a family with quantiles.")
    if not np.allclose(fitted.frequencies, np.round(fitted.frequencies)):
        raise ArgumentError("method='cqr' counts observations, and freq_weights are not whole.")
