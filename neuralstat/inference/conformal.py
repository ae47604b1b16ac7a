"""Conformal prediction intervals: coverage of new observations from exchangeable rows alone.

With R_i = |y_i - mu_i|, mu_i predicted without row i, and order statistics among n values,

    split        mu(x) -+ the ceil((1 - alpha)(m + 1))-th smallest R_i of the m rows that were held out
    jackknife+   from the floor(alpha (n + 1))-th smallest mu_-i(x) - R_i
                 to the ceil((1 - alpha)(n + 1))-th smallest mu_-i(x) + R_i
    CV+          the same with mu_-i of the fold that i is in

Split intervals cover with probability >= 1 - alpha, the others >= 1 - 2 alpha (jackknife+), in practice near 1 - alpha.
Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), JASA 113:1094; Barber, Candes, Ramdas & Tibshirani (2021), Annals of
Statistics 49:486.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..families import Multinomial
from ..risks import folds
from ..risks.procedure import NetworkProcedure, streams
from ..settings import check_int

if TYPE_CHECKING:
    from ..results import NeuralNetResults
    from ..risks.subset import Part
    from ..train import Fit

Limits = Callable[[float], tuple[np.ndarray, np.ndarray]]


class _AtNewRows(NetworkProcedure):
    """Refits that predict new rows behind those of the data, each in the units and coding of its training rows."""

    def __init__(self, fit: NeuralNetResults, rep: str, n_jobs: int | None, new: Any, offset: Any) -> None:
        super().__init__(fit, rep, True, n_jobs)
        self.new, self.new_offset = new, offset

    def _predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        here = super()._predict(part, fit, t)
        if self.new is None:
            return np.concatenate([here, here], axis=1)
        rows = part.design.encode(self.new, offset=self.new_offset)
        known = None if rows.offset is None else np.ascontiguousarray(rows.offset[:, rows.complete])
        there = replace(part, x=np.ascontiguousarray(rows.x[:, rows.complete]), offset=known)
        return np.concatenate([here, super()._predict(there, fit, t)], axis=1)


def conformal(
    results: NeuralNetResults, new: Any, method: str, *, rep: Any = "mean", offset: Any = None, k: Any = 10,
    test_size: float = 0.5, random_state: Any = None, n_jobs: int | None = None, **options: Any,
) -> Limits:  # fmt: skip
    """Limits of new observations: a function of alpha that returns (lower, upper), each (K, m).

    Raises
    ------
    ArgumentError
        For class responses, options of other methods, and an alpha that so few rows cannot give.
    """
    _check(results, method, rep, options, k, test_size)
    procedure = _AtNewRows(results, rep, n_jobs, new, offset)
    n, y = results.nobs, results._responses
    split_seeds, start_seeds = streams(random_state)
    rng = np.random.default_rng(split_seeds)
    if method == "split":
        held = np.sort(rng.permutation(n)[: max(1, round(test_size * n))])
        sets, tests = [np.setdiff1d(np.arange(n), held)], [held]
    else:
        parts = folds.kfold(n, n if method == "jackknife+" else k, rng)
        sets, tests = [p[0] for p in parts], [p[1] for p in parts]
    out = list(procedure.refits(sets, start_seeds, tests))
    residual = np.concatenate([np.abs(y[:, t] - o[:, t]) for o, t in zip(out, tests, strict=True)], axis=1)
    there = np.concatenate([np.repeat(o[:, np.newaxis, n:], t.size, 1) for o, t in zip(out, tests, strict=True)], axis=1)
    size = residual.shape[1]
    low, high = np.sort(there - residual[:, :, np.newaxis], axis=1), np.sort(there + residual[:, :, np.newaxis], axis=1)
    least = 1 / (size + 1)

    def limits(alpha: float) -> tuple[np.ndarray, np.ndarray]:
        if alpha < least:
            fewest = int(np.ceil(1 / alpha)) - 1
            raise ArgumentError(f"alpha={alpha:g} needs at least {fewest} held-out rows, there are {size}.")
        top = int(np.ceil((1 - alpha) * (size + 1) - 1e-9))
        return low[:, size - top], high[:, top - 1]

    return limits


def _check(results: NeuralNetResults, method: str, rep: Any, options: dict[str, Any], k: Any, test_size: Any) -> None:
    if options:
        raise ArgumentError(f"method={method!r} has no option {next(iter(options))!r}.")
    if rep not in ("mean", "best"):
        raise ArgumentError(f"method={method!r} refits the whole procedure: rep must be 'mean' or 'best', got {rep!r}.")
    if isinstance(results.family, Multinomial) or results.design.classes is not None:
        raise ArgumentError(f"method={method!r} needs a numeric response, and {results.design.response!r} is a factor.")
    if method == "split" and not (isinstance(test_size, float) and 0 < test_size < 1):
        raise ArgumentError(f"test_size must be a number between 0 and 1, got {test_size!r}.")
    if method == "cv+":
        check_int(k, "k", 2)
