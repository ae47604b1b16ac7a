"""Conformal prediction intervals: coverage of new observations from exchangeable rows alone.

With R_i = |y_i - mu_i| / s_i, mu_i predicted without row i, and order statistics among n values,

    split        mu(x) -+ s(x) times the ceil((1 - alpha)(m + 1))-th smallest R_i of the m rows that were held out
    jackknife+   from the floor(alpha (n + 1))-th smallest mu_-i(x) - s(x) R_i
                 to the ceil((1 - alpha)(n + 1))-th smallest mu_-i(x) + s(x) R_i
    CV+          the same with mu_-i of the fold that i is in

where s = sqrt(V(mu) / weight), the family's standard deviation at the mean that is compared (1 for unweighted additive
noise): R_i are Pearson residuals. Limits stay within the family's range. What mu_-i is must not depend on row i, nor on
the order of the rows: refits start from new random weights ("fresh") or from those of the fit ("same"); starts from the
fitted weights ("warm") are faster, and keep the promise only where the refit forgets them.

Split intervals cover with probability >= 1 - alpha, the others >= 1 - 2 alpha (jackknife+), in practice near 1 - alpha.
Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), JASA 113:1094; Barber, Candes, Ramdas & Tibshirani (2021), Annals of
Statistics 49:486.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment import folds
from ..assessment.procedure import NetworkProcedure, streams
from ..checks.arguments import N_JOBS, NONE, SHARE, Choice, Whole, arguments
from ..df import noise
from ..errors import ArgumentError
from ..families import Multinomial
from ..fitted import Fitted
from ..training.refits import RESTARTS

if TYPE_CHECKING:
    from ..formula.subset import Part
    from ..training.fit import Fit

Limits = Callable[[float], tuple[np.ndarray, np.ndarray]]


class _AtNewRows(NetworkProcedure):
    """Refits that predict new rows behind those of the data, each in the units and coding of its training rows."""

    def __init__(
        self, fitted: Fitted, rep: str, n_jobs: int | None, new: Any, offset: Any, restarts: str
    ) -> None:
        start = {"fresh": None, "same": fitted.fit.start, "warm": fitted.fit.theta}[restarts]
        super().__init__(fitted, rep, True, n_jobs, start)
        self.new, self.new_offset = new, offset

    def predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        """Means (K, n + m) of the rows of the part's `x` and of the new rows, by the t-th refit."""
        here = super().predict(part, fit, t)
        if self.new is None:
            return np.concatenate([here, here], axis=1)
        rows = part.design.encode(self.new, offset=self.new_offset)
        known = None if rows.offset is None else np.ascontiguousarray(rows.offset[:, rows.complete])
        there = replace(part, x=np.ascontiguousarray(rows.x[:, rows.complete]), offset=known)
        return np.concatenate([here, super().predict(there, fit, t)], axis=1)


@arguments(k=NONE | Whole(2), test_size=NONE | SHARE, restarts=Choice(*RESTARTS), n_jobs=N_JOBS)
def conformal(
    fitted: Fitted, new: Any, method: str, *, rep: Any = "mean", offset: Any = None, k: int | None = None,
    test_size: float | None = None, weights: np.ndarray | None = None, restarts: str = "fresh", random_state: Any = None,
    n_jobs: int | None = None,
) -> Limits:  # fmt: skip
    """Limits of new observations: a function of alpha that returns (lower, upper), each (K, m).

    Raises
    ------
    ArgumentError
        For class responses, options of other methods, and an alpha that so few rows cannot give.
    """
    _check(fitted, method, rep)
    k, test_size = 10 if k is None else k, 0.5 if test_size is None else test_size
    procedure = _AtNewRows(fitted, rep, n_jobs, new, offset, restarts)
    n, y = fitted.n_rows, fitted.responses
    split_seeds, start_seeds = streams(random_state)
    rng = np.random.default_rng(split_seeds)
    if method == "split":
        held = np.sort(rng.permutation(n)[: max(1, round(test_size * n))])
        sets, tests = [np.setdiff1d(np.arange(n), held)], [held]
    else:
        parts = folds.kfold(n, n if method == "jackknife+" else k, rng)
        sets, tests = [p[0] for p in parts], [p[1] for p in parts]
    out = list(procedure.refits(sets, start_seeds, tests))
    objective, w = fitted.network.objective, fitted.own_weights
    often = fitted.frequencies
    if not np.allclose(often, np.round(often)):
        raise ArgumentError(f"method={method!r} counts observations, and freq_weights are not whole.")
    low, high = [], []  # (K, rows, m)
    for test, mu in zip(tests, out, strict=True):
        test = np.repeat(test, np.round(often[test]).astype(np.int64))  # none of weight 0
        own = np.abs(y[:, test] - mu[:, test]) / _spread(objective, mu[:, test], w[test])
        wide = own[:, :, np.newaxis] * _spread(objective, mu[:, n:], weights)[:, np.newaxis]
        low.append(mu[:, np.newaxis, n:] - wide)
        high.append(mu[:, np.newaxis, n:] + wide)
    size = sum(part.shape[1] for part in low)
    lower, upper = (np.sort(np.concatenate(part, axis=1), axis=1) for part in (low, high))
    if fitted.family is not None:
        lower, upper = np.clip(lower, *fitted.family.means), np.clip(upper, *fitted.family.means)
    least = 1 / (size + 1)

    def limits(alpha: float) -> tuple[np.ndarray, np.ndarray]:
        if alpha < least:
            fewest = int(np.ceil(1 / alpha)) - 1
            raise ArgumentError(f"alpha={alpha:g} needs at least {fewest} held-out rows, there are {size}.")
        top = int(np.ceil((1 - alpha) * (size + 1) - 1e-9))
        return lower[:, size - top], upper[:, top - 1]

    return limits


def _spread(objective: Any, mu: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Standard deviations at means (K, m), up to the dispersion."""
    return np.sqrt(np.maximum(noise.variance(objective, mu), 1e-300) / (1.0 if weights is None else weights))


def _check(fitted: Fitted, method: str, rep: Any) -> None:
    if rep not in ("mean", "best"):
        raise ArgumentError(f"method={method!r} refits the whole procedure: rep must be 'mean' or 'best', got {rep!r}.")
    if isinstance(fitted.family, Multinomial) or fitted.design.classes is not None:
        raise ArgumentError(f"method={method!r} needs a numeric response, and {fitted.design.response!r} is a factor.")
    if fitted.family is not None and fitted.family.name == "binomial" and np.isin(fitted.responses, (0, 1)).all():
        raise ArgumentError(f"method={method!r} needs a numeric response, and {fitted.design.response!r} is 0 or 1.")
