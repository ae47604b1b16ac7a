"""Conformal prediction intervals: coverage of new observations from exchangeable rows alone.

With R_i = |y_i - mu_i| / s_i, mu_i predicted without row i, and order statistics among n values,

    split        mu(x) -+ s(x) times the ceil((1 - alpha)(m + 1))-th smallest R_i of the m rows that were held out
    jackknife+   from the floor(alpha (n + 1))-th smallest mu_-i(x) - s(x) R_i
                 to the ceil((1 - alpha)(n + 1))-th smallest mu_-i(x) + s(x) R_i
    CV+          the same with mu_-i of the fold that i is in
    jackknife+ab the same with mu_-i the mean of the refits to bootstrap samples that lack row i

where s = sqrt(V(mu) / weight), the family's standard deviation at the mean that is compared (1 for unweighted additive
noise): R_i are Pearson residuals. Limits stay within the family's range. What mu_-i is must not depend on row i, nor on
the order of the rows: refits start from new random weights ("fresh") or from those of the fit ("same"); starts from the
fitted weights ("warm") are faster, and keep the promise only where the refit forgets them.

Split intervals cover with probability >= 1 - alpha, the others >= 1 - 2 alpha (jackknife+), in practice near 1 - alpha; the
jackknife+-after-bootstrap needs for that that the number of its samples is random, as many as lack a row to come among
samples of one row more. Its intervals are those of the mean of refits to samples, which is not quite the fit.
Rows of clusters (``groups=``) are left out together: one cluster at a time (jackknife+), whole ones in folds, samples and
splits. Then intervals are for rows of a cluster to come, of which the fit knows none; coverage rests on exchangeable clusters
and is approximate, as the order statistics are of rows.
Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), JASA 113:1094; Barber, Candes, Ramdas & Tibshirani (2021), Annals of
Statistics 49:486; Kim, Xu & Barber (2020), NeurIPS 33. Coverage: benchmarks/results/risk_jackknife_ab.csv.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment import folds
from ..assessment.procedure import NetworkProcedure, streams
from ..checks import check_size
from ..checks.arguments import N_JOBS, NONE, SHARE, Choice, Whole, arguments
from ..df import noise
from ..errors import ArgumentError
from ..families import Multinomial, Survival
from ..fitted import Fitted
from ..seeds import children
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


@arguments(
    k=NONE | Whole(2), test_size=NONE | SHARE, draws=NONE | Whole(2, 100_000), restarts=Choice(*RESTARTS), n_jobs=N_JOBS,
)  # fmt: skip
def conformal(
    fitted: Fitted, new: Any, method: str, *, rep: Any = "mean", offset: Any = None, k: int | None = None,
    test_size: float | None = None, draws: int | None = None, weights: np.ndarray | None = None, restarts: str = "fresh",
    random_state: Any = None, n_jobs: int | None = None,
) -> Limits:  # fmt: skip
    """Limits of new observations: a function of alpha that returns (lower, upper), each (K, m).

    Raises
    ------
    ArgumentError
        For class responses, options of other methods, and an alpha that so few rows cannot give.
    """
    _check(fitted, method, rep)
    k, test_size = 10 if k is None else k, 0.5 if test_size is None else test_size
    procedure, n = _AtNewRows(fitted, rep, n_jobs, new, offset, restarts), fitted.n_rows
    split_seeds, start_seeds = streams(random_state)
    rng = np.random.default_rng(split_seeds)
    often = fitted.frequencies
    if not np.allclose(often, np.round(often)):
        raise ArgumentError(f"method={method!r} counts observations, and freq_weights are not whole.")
    grouped = fitted.design.groups
    if method == "jackknife+ab":
        tests, out = _after_bootstrap(procedure, 100 if draws is None else draws, split_seeds, start_seeds, often > 0)
        return _limits(fitted, tests, out, weights)
    if method == "split":
        held = folds.held_out(n, test_size, rng, grouped)
        sets, tests = [np.setdiff1d(np.arange(n), held)], [held]
    else:
        parts = folds.kfold(n, "loo" if method == "jackknife+" else folds.as_many(k, None, grouped), rng, groups=grouped)
        sets, tests = [p[0] for p in parts], [p[1] for p in parts]
    return _limits(fitted, tests, list(procedure.refits(sets, start_seeds, tests)), weights)


def _after_bootstrap(
    procedure: _AtNewRows, draws: int, sample_seeds: np.random.SeedSequence, start_seeds: np.random.SeedSequence,
    used: np.ndarray,
) -> tuple[list[np.ndarray], list[np.ndarray]]:  # fmt: skip
    """Rows one by one, and for each the mean (K, n + m) of the refits to samples that lack it."""
    n = procedure.n
    count_seeds, sample_seeds = children(sample_seeds, 2)
    units = n if procedure.groups is None else procedure.design.n_groups
    without = (1 - 1 / (units + 1)) ** units  # chance that a sample of n of n + 1 rows (clusters) lacks the one to come
    draws = max(int(np.random.default_rng(count_seeds).binomial(round(draws / without), without)), 2)
    check_size(draws * n * 4, f"draws={draws}: samples of {n} rows")
    splits = folds.bootstrap(n, children(sample_seeds, draws), procedure.groups, procedure.weights)
    total: Any = None
    for (_, rest), mu in zip(splits, procedure.refits([s[0] for s in splits], start_seeds, [s[1] for s in splits]),
                             strict=True):  # fmt: skip
        if total is None:
            check_size(n * mu.size, f"predictions of {mu.shape[1]} rows without each of {n}")
            total, seen = np.zeros((n, *mu.shape)), np.zeros(n)
        total[rest] += mu
        seen[rest] += 1
    if lost := int(np.sum((seen == 0) & used)):
        raise ArgumentError(f"draws: {lost} row(s) were in all of {draws} bootstrap samples; use more draws.")
    rows = np.flatnonzero(seen > 0)
    return [rows[i : i + 1] for i in range(rows.size)], [total[i] / seen[i] for i in rows]


def _limits(fitted: Fitted, tests: list[np.ndarray], out: list[np.ndarray], weights: np.ndarray | None) -> Limits:
    """Limits from means (K, n + m) by refits without the rows of `tests`."""
    objective, w, often = fitted.network.objective, fitted.own_weights, fitted.frequencies
    n, y = fitted.n_rows, fitted.responses
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
    if isinstance(fitted.family, Survival):
        raise ArgumentError(f"method={method!r} needs responses that are known, and times are censored: use 'distribution'.")
    if isinstance(fitted.family, Multinomial) or fitted.design.classes is not None:
        raise ArgumentError(f"method={method!r} needs a numeric response, and {fitted.design.response!r} is a factor.")
    if fitted.family is not None and fitted.family.kin == "binomial" and np.isin(fitted.responses, (0, 1)).all():
        raise ArgumentError(f"method={method!r} needs a numeric response, and {fitted.design.response!r} is 0 or 1.")
