"""Conformalised quantiles of the fitted distribution: widths follow the spread, and coverage needs exchangeable rows only.

The procedure is run on a part of the rows. On the others it is looked how far responses lie outside the quantiles that it
says at alpha / 2 and 1 - alpha / 2, or inside; the quantiles of new rows are moved by that order statistic of these distances
that gives at least 1 - alpha coverage, in units of the interval's width, which a wrong scale is mended by.

References
----------
Romano, Patterson & Candes (2019), Conformalized quantile regression, NeurIPS 32:3543. Kivaranovic, Johnson & Leeb (2020),
Adaptive, distribution-free prediction intervals for deep networks, AISTATS 108:4346 (distances in units of the width).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment.procedure import NetworkProcedure, streams
from ..checks.arguments import N_JOBS, NONE, SHARE, Choice, arguments
from ..errors import ArgumentError
from ..families import Expectile, Multinomial, Quantile
from ..fitted import Fitted
from ..training.refits import RESTARTS
from .conformal import Limits
from .distribution import components_at

if TYPE_CHECKING:
    from ..formula.subset import Part
    from ..training.fit import Fit

LEAST = 1e-12  # width that distances are divided by


class _Said(NetworkProcedure):
    """Keeps the refit and its part."""

    part: Part
    fit: Fit

    def predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        """Means by the refit, which is kept."""
        self.part, self.fit = part, fit
        return super().predict(part, fit, t)


@arguments(test_size=NONE | SHARE, restarts=Choice(*RESTARTS), n_jobs=N_JOBS)
def cqr(
    fitted: Fitted, new: Any, *, rep: Any = "mean", offset: Any = None, test_size: float | None = None,
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
    start = {"fresh": None, "same": fitted.fit.start, "warm": fitted.fit.theta}[restarts]
    procedure = _Said(fitted, rep, True, n_jobs, start)
    split_seeds, start_seeds = streams(random_state)
    rng, n = np.random.default_rng(split_seeds), fitted.n_rows
    held = np.sort(rng.permutation(n)[: max(1, round((0.5 if test_size is None else test_size) * n))])
    list(procedure.refits([np.setdiff1d(np.arange(n), held)], start_seeds, [held]))
    part, fit = procedure.part, procedure.fit
    own = replace(fitted, procedure=replace(fitted.procedure, design=part.design, validation=None), fit=fit)
    numbers = own.numbers("mean" if rep == "mean" else "best")
    weights = fitted.row_precisions
    counted = np.repeat(held, np.round(fitted.frequencies[held]).astype(np.int64))
    at_held = _at(own, numbers, part.x[:, counted], None if part.offset is None else part.offset[:, counted],
                  None if weights is None else weights[counted])  # fmt: skip
    if new is None:
        there = _at(own, numbers, part.x, part.offset, weights)
    else:
        rows = part.design.encode(new, offset=offset)
        known = None if rows.offset is None else rows.offset[:, rows.complete]
        there = _at(own, numbers, rows.x[:, rows.complete], known, None)
    y = fitted.responses[0, counted]

    def limits(alpha: float) -> tuple[np.ndarray, np.ndarray]:
        top = int(np.ceil((1 - alpha) * (y.size + 1) - 1e-9))
        if top > y.size:
            fewest = int(np.ceil(1 / alpha)) - 1
            raise ArgumentError(f"alpha={alpha:g} needs at least {fewest} held-out rows, there are {y.size}.")
        low, high = (at_held(q) for q in (alpha / 2, 1 - alpha / 2))
        width = np.maximum(high - low, LEAST)
        move = np.sort(np.maximum(low - y, y - high) / width)[top - 1]
        low, high = (there(q) for q in (alpha / 2, 1 - alpha / 2))
        width = np.maximum(high - low, LEAST)
        low, high = low - move * width, high + move * width
        least, most = fitted.likely.means
        below, above = np.minimum(low, high), np.maximum(low, high)
        return np.clip(below, least, most)[np.newaxis], np.clip(above, least, most)[np.newaxis]

    return limits


def _at(own: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, weights: np.ndarray | None) -> Any:
    """q -> quantiles (m,) of the refit at covariates (D, m)."""
    m = x.shape[1]
    known = None if offset is None else np.ascontiguousarray(offset)
    found = components_at(own, np.ascontiguousarray(x), known, numbers, weights)
    levels = own.family.q if isinstance(own.family, Quantile) else (0.0, 1.0)

    def quantiles(q: float) -> np.ndarray:
        if not levels[0] - 1e-12 <= q <= levels[-1] + 1e-12:
            raise ArgumentError(f"alpha: the quantile at {q:g} is beyond the levels that were fitted.")
        return found.quantiles(np.full(m, np.clip(q, levels[0], levels[-1])))

    return quantiles


def _check(fitted: Fitted, rep: Any) -> None:
    if rep not in ("mean", "best"):
        raise ArgumentError(f"method='cqr' refits the whole procedure: rep must be 'mean' or 'best', got {rep!r}.")
    single = len(fitted.design.y) == 1 and fitted.design.classes is None
    if not single or isinstance(fitted.likely, Multinomial | Expectile):
        raise ArgumentError("method='cqr' needs one numeric response, and a family with quantiles.")
    if not np.allclose(fitted.frequencies, np.round(fitted.frequencies)):
        raise ArgumentError("method='cqr' counts observations, and freq_weights are not whole.")
