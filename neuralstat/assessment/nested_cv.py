"""Nested cross-validation: an interval for the error of which the folds' dependence is a part.

The folds of a cross-validation share their rows, so that the standard error of their losses is too small. Here each fold is
held out of a cross-validation among the others, whose mean loss can be compared with the fold's own: the mean of
(difference^2 - variance of the fold's mean loss) estimates the mean squared error of a cross-validation, whatever the losses'
dependence.

References
----------
Bates, Hastie & Tibshirani (2024), JASA 119:1434, arXiv:2104.00673: algorithm 1, section 4.3 (bounds of the mean squared
error) and appendix C (bias).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_size
from ..checks.arguments import RANDOM_STATE, Whole, arguments
from ..errors import ArgumentError
from ..seeds import children
from . import folds as splitting
from .losses import pick
from .procedure import streams
from .registry import estimator
from .resampling import MOST, ROWS, mean, standard_error
from .value import NEW_X, Risk


@estimator("nested_cv", NEW_X)
@arguments(k=Whole(3), repeats=Whole(1, MOST), groups=ROWS, stratify=ROWS, random_state=RANDOM_STATE)
def nested_cv(
    procedure: Any, loss: Any = None, *, k: int = 10, repeats: int = 10, groups: Any = None, stratify: Any = False,
    random_state: Any = None,
) -> Risk:  # fmt: skip
    """Cross-validation with an honest standard error; k (k + 1) / 2 refits per repeat.

    Parameters
    ----------
    k : int
        Folds.
    repeats : int
        Random divisions into folds; the variance of the mean squared error's estimate falls with them.
    groups, stratify
        As of "cv".

    Returns
    -------
    Risk
        The estimate is corrected for training on fewer rows. ``draws``: mean loss of each repeat. ``details``: "inflation"
        (of the naive standard error; within 1 and root k), "naive_se", "cv" (plain cross-validation), "bias".
    """
    name, function = pick(loss, procedure.target)
    fold_seeds, start_seeds = streams(random_state)
    w, n = procedure.weights, procedure.n
    grouped = splitting.groups_of(groups, procedure)
    k = min(k, n) if grouped is None else splitting.as_many(k, groups, grouped)
    if k < 3:
        raise ArgumentError(f"nested_cv needs at least 3 folds, and {k} clusters do not give them.")
    check_size(repeats * n * k * (k + 1), f"k={k}, repeats={repeats}: folds of {n} rows")
    strata = splitting.strata_of(stratify, procedure.y, procedure.target.classes, procedure.kept)
    plans = [
        [test for _, test in splitting.kfold(n, k, np.random.default_rng(s), groups=grouped, strata=strata)]
        for s in children(fold_seeds, repeats)
    ]
    if any(w[test].sum() == 0 for plan in plans for test in plan):
        raise ArgumentError("a fold has no observation of positive weight; use fewer folds.")
    pairs = list(itertools.combinations(range(k), 2))
    held = [plan[i] for plan in plans for i in range(k)]
    held += [np.concatenate([plan[i], plan[j]]) for plan in plans for i, j in pairs]
    losses = [
        function(procedure.y[:, out], mu[:, out])
        for out, mu in zip(held, procedure.refits(_others(held, n), start_seeds, held), strict=True)
    ]
    single, double = losses[: repeats * k], iter(losses[repeats * k :])
    errors, gaps, inner_means, inner_squares = [], [], [], []
    for r, plan in enumerate(plans):
        inside: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(k)]
        for i, j in pairs:
            both = next(double)
            inside[i].append((both[plan[i].size :], plan[j]))  # held out: i; tested: j
            inside[j].append((both[: plan[i].size], plan[i]))
        for i, test in enumerate(plan):
            own = single[r * k + i]
            values, weights = np.concatenate([v for v, _ in inside[i]]), np.concatenate([w[t] for _, t in inside[i]])
            gaps.append((mean(values, weights) - mean(own, w[test])) ** 2
                        - _variance_of_mean(own, w[test], None if grouped is None else grouped[test]))  # fmt: skip
            inner_means.append(mean(values, weights))
            inner_squares.append(mean(values**2, weights))
        errors.append(sum(float(single[r * k + i] @ w[test]) for i, test in enumerate(plan)) / w.sum())
    return _result(name, n, k, np.array(errors), float(np.mean(gaps)), np.array(inner_means), float(np.mean(inner_squares)))


def _result(
    name: str, n: int, k: int, errors: np.ndarray, gap: float, inner: np.ndarray, squares: float
) -> Risk:
    """Estimate and interval from mean losses of repeats, mean squared gap, and the inner cross-validations' losses."""
    sd = np.sqrt(max(squares - float(inner.mean()) ** 2, 0.0))
    plain = sd / np.sqrt(n * (k - 1) / k)  # of an inner cross-validation, which has (k - 1) / k of the rows
    inflation = float(np.clip(np.sqrt(max(gap, 0.0)) / plain, 1.0, np.sqrt(k))) if plain > 0 else 1.0
    bias = (float(inner.mean()) - float(errors.mean())) * (1 + ((k - 2) / k) ** 1.5)
    naive = float(sd / np.sqrt(n))
    repeats = len(errors)
    details = {
        "what": f"nested cross-validation, {k}-fold, {repeats} repeat{'s' * (repeats > 1)}", "cv": float(errors.mean()),
        "bias": bias, "naive_se": naive, "inflation": inflation,
    }  # fmt: skip
    table = pd.DataFrame({"repeat": np.arange(1, repeats + 1), "value": errors})
    intervals = {"nested_cv": (naive * inflation, np.inf), "naive": (naive, np.inf)}
    return Risk(float(inner.mean()) - bias, "nested_cv", name, se=naive * inflation, se_kind="of cross-validation", n=n,
                table=table, details=details, intervals=intervals)  # fmt: skip


def _others(held: list[np.ndarray], n: int) -> list[np.ndarray]:
    """Training rows of rows held out."""
    return [np.setdiff1d(np.arange(n), out) for out in held]


def _variance_of_mean(values: np.ndarray, w: np.ndarray, groups: np.ndarray | None) -> float:
    """Estimated variance of a weighted mean of independent values, or of values of independent groups; 0 of one."""
    if groups is not None:
        error = standard_error(values, w, groups)
        return 0.0 if np.isnan(error) else error**2
    if np.sum(w > 0) < 2:
        return 0.0
    m = np.sum(w > 0)
    return float(np.sum((w * (values - mean(values, w))) ** 2) * m / (m - 1) / w.sum() ** 2)
