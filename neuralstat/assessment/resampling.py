"""Risk by refitting: cross-validation, the bootstrap and its .632 kin.

References
----------
Burman (1989), Biometrika 76:503. Nadeau & Bengio (2003), Machine Learning 52:239, and Bouckaert & Frank (2004), PAKDD, 3 (the
corrected resampled t). Efron & Tibshirani (1997), JASA 92:548. Bates, Hastie & Tibshirani (2023), JASA
119:1434, on what the naive standard error of cross-validation leaves out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks import arguments as kinds
from ..checks import check_size
from ..checks.arguments import FLAG, RANDOM_STATE, arguments
from ..errors import ArgumentError
from ..seeds import children
from . import folds as splitting
from .losses import PairLoss, counted, no_information, pick
from .procedure import streams
from .registry import estimator
from .value import NEW_X, Risk

MOST = 100_000  # samples, repeats
ROWS = kinds.Anything("the name of a column that the model reads, or an array, a value per row, or False")
FOLDS = kinds.Anything("labels, pairs (training rows, test rows), or an object with split", [0, 1] * 6)
BOOTSTRAP = {"draws": kinds.Whole(2, MOST), "groups": ROWS, "random_state": RANDOM_STATE}
INSIDE = 1 - np.exp(-1)  # chance that a row is in a bootstrap sample, 0.632


def fold_of(
    function: Any, y: np.ndarray, mu: np.ndarray, w: np.ndarray, groups: np.ndarray | None = None
) -> tuple[float, float, float, np.ndarray]:
    """Value of a test part, what it counts, its standard error by itself, and the losses of its rows (NaN, of pairs)."""
    values, counts = counted(function, y, mu, w)
    if isinstance(function, PairLoss):
        return mean(values, counts), float(counts.sum()), function.se(y, mu, w), np.full(values.size, np.nan)
    return mean(values, counts), float(counts.sum()), standard_error(values, counts, groups), values


def mean(values: np.ndarray, w: np.ndarray) -> float:
    """Weighted mean."""
    return float(values @ w / w.sum())


def standard_error(values: np.ndarray, w: np.ndarray, groups: np.ndarray | None = None) -> float:
    """Standard error of a weighted mean of values, independent ones or of independent groups; NaN of fewer than 2."""
    used = w > 0
    if groups is not None:
        code = pd.factorize(groups[used])[0]
        sums = np.bincount(code, (w * (values - mean(values, w)))[used])
        m = sums.size
        return float(np.sqrt(np.sum(sums**2) * m / (m - 1)) / w.sum()) if m > 1 else np.nan
    if used.sum() < 2:
        return np.nan
    m, n = used.sum(), w.sum()
    return float(np.sqrt(np.sum((w * (values - mean(values, w))) ** 2) * m / (m - 1)) / n)


def corrected_t(value: np.ndarray, size: np.ndarray, splits: Any, w: np.ndarray) -> tuple[float, float]:
    """Corrected standard error of the mean over splits (training rows, test rows), and degrees of freedom of its t.

    The variance of the values is taken times 1 / T + tested / trained in the place of 1 / T: refits share their rows.
    """
    t = len(value)
    ratio = np.mean([w[test].sum() / w[train].sum() for train, test in splits])
    variance = np.average((value - np.average(value, weights=size)) ** 2, weights=size) * t / (t - 1)
    return float(np.sqrt(variance * (1 / t + ratio))), t - 1.0


@estimator("cv", NEW_X)
@arguments(
    k=kinds.Choice("loo") | kinds.Whole(2), repeats=kinds.Whole(1, MOST), corrected=FLAG,
    blocks=kinds.Anything("True or False", True), gap=kinds.Whole(0), groups=ROWS, stratify=ROWS, folds=FOLDS, cv=FOLDS,
    random_state=RANDOM_STATE,
)  # fmt: skip
def cv(
    procedure: Any, loss: Any = None, *, k: Any = 10, repeats: int = 1, corrected: bool = False, blocks: bool = False,
    gap: int = 0, groups: Any = None, stratify: Any = False, folds: Any = None, cv: Any = None, random_state: Any = None,
) -> Risk:  # fmt: skip
    """K-fold cross-validation, pooled over observations.

    Parameters
    ----------
    k : int or "loo"
        Folds, of a fit with fewer clusters as many as these; "loo" (or n) leaves out one observation at a time, with
        `groups` one group.
    repeats : int
        Random divisions into folds; the estimate is their mean.
    corrected : bool
        Burman's correction for training on fewer rows: + error of the full fit - mean error, over all rows, of the
        folds' fits (weighted by the sizes of the folds).
    blocks : bool
        Contiguous folds, for time order.
    gap : int
        With blocks: rows left out of training on either side of the test rows.
    groups : array or column name, optional
        Rows of a group stay together; with `stratify` so that folds have the strata's shares as far as groups allow. Those
        of the fit unless given; False takes rows as independent.
    stratify : bool or array
        True: by classes of the response, or by five parts of its range.
    folds, cv : array of labels, pairs (training rows, test rows), or a splitter, optional
        Folds of your own, as positions among the rows used; k, repeats, blocks, gap and stratify are then not used. A
        splitter is any object with ``split(X, y, groups)``, as those of scikit-learn; it is told the covariates as the
        model has them, the response and `groups`. ``cv`` is scikit-learn's name for it.

    Returns
    -------
    Risk
        ``draws``: error of each fold. ``se``: standard deviation of the folds' errors / root of their number (of the
        observations' losses, where one is left out), the mean over repeats; it takes the folds as independent, and is
        too small on average. ``conf_int`` is by the corrected resampled t.
    """
    folds, grouped = _either(folds, cv), None
    name, function = pick(loss, procedure.target)
    fold_seeds, start_seeds = streams(random_state)
    w, n = procedure.weights, procedure.n
    splitting.check_blocks(blocks, "k")
    if folds is not None:
        if repeats > 1:
            raise ArgumentError("repeats: given folds are used once.")
        plans = [splitting.given(folds, procedure, groups)]
    else:
        check_size(repeats * n * 3 * (n if isinstance(k, str) else min(k, n)), f"k={k}, repeats={repeats}: folds of {n} rows")
        grouped = splitting.groups_of(groups, procedure)
        k = splitting.as_many(k, groups, grouped)
        strata = splitting.strata_of(stratify, procedure.y, procedure.target.classes, procedure.kept)
        plans = [
            splitting.kfold(n, k, np.random.default_rng(s), blocks=blocks, groups=grouped, strata=strata, gap=gap)
            for s in children(fold_seeds, repeats)
        ]
        same = blocks or len(plans[0]) == (n if grouped is None else pd.unique(grouped).size)
        if same and repeats > 1:
            raise ArgumentError("repeats: these folds are the same in every repeat; use repeats=1.")
    splits = [split for plan in plans for split in plan]
    for train, test in splits:
        if w[test].sum() == 0 or w[train].sum() == 0:
            raise ArgumentError("a fold has no observation of positive weight; use fewer folds.")
    tested, everywhere = [], []
    fits = procedure.refits([s[0] for s in splits], start_seeds, [s[1] for s in splits])
    for (_, test), mu in zip(splits, fits, strict=True):
        inside = None if grouped is None else grouped[test]
        tested.append(fold_of(function, procedure.y[:, test], mu[:, test], w[test], inside))
        if corrected:
            everywhere.append(mean(*counted(function, procedure.y, mu, w)))
    value, size, alone = np.array([fold[:3] for fold in tested]).T
    own = [fold[3] for fold in tested]
    repeat = np.repeat(np.arange(len(plans)), [len(plan) for plan in plans])
    estimates = np.array([np.average(value[repeat == r], weights=size[repeat == r]) for r in range(len(plans))])
    errors = [standard_error(value[repeat == r], size[repeat == r]) for r in range(len(plans))]
    details: dict[str, Any] = {"uncorrected": float(estimates.mean()), "per_repeat": estimates}
    estimate = float(estimates.mean())
    if corrected:
        apparent = mean(*counted(function, procedure.y, procedure.apparent, w))
        full = np.array([np.average(np.array(everywhere)[repeat == r], weights=size[repeat == r])
                         for r in range(len(plans))])  # fmt: skip
        details.update(apparent=apparent, correction=apparent - float(full.mean()))
        details["per_repeat"] = estimates + apparent - full
        estimate += details["correction"]
    losses = np.full(n, np.nan)
    total, seen = np.zeros(n), np.zeros(n)
    for (_, test), v in zip(splits, own, strict=True):
        total[test] += v
        seen[test] += 1
    losses[seen > 0] = total[seen > 0] / seen[seen > 0]
    details["per_observation"] = losses
    table = pd.DataFrame(
        {
            "repeat": repeat + 1,
            "fold": np.concatenate([np.arange(1, len(plan) + 1) for plan in plans]),
            "n": [test.size for _, test in splits],
            "value": value,
        }
    )
    intervals = {"naive": (float(np.mean(errors)), np.inf)}
    if len(splits) > 1:
        intervals = {"corrected_t": corrected_t(value, size, splits, w), **intervals}
    else:  # one split, whose losses are independent
        intervals = {"normal": (float(alone[0]), np.inf)}
    kind = "leave-one-out" if all(test.size == 1 for _, test in splits) else f"{len(plans[0])}-fold"
    if grouped is not None:
        single = len(plans[0]) == pd.unique(grouped).size
        kind = "leave-one-cluster-out" if single else f"{kind} by clusters"
    how = [kind, *(["corrected"] if corrected else []), *([f"{repeats} repeats"] if repeats > 1 else [])]
    details["what"] = f"cross-validation, {', '.join(how)}"
    se, se_kind = (intervals["naive"][0], "naive") if len(splits) > 1 else (intervals["normal"][0], "of one split")
    return Risk(estimate, "cv", name, se=se, se_kind=se_kind, n=n, table=table, details=details, intervals=intervals,
                notes=getattr(function, "notes", ()))  # fmt: skip


def _either(folds: Any, cv: Any) -> Any:
    """Folds under either of their two names."""
    if folds is not None and cv is not None:
        raise ArgumentError("folds and cv are two names of one option: give one.")
    return cv if folds is None else folds


@estimator("loo", NEW_X)
@arguments(groups=ROWS, random_state=RANDOM_STATE)
def loo(procedure: Any, loss: Any = None, *, groups: Any = None, random_state: Any = None) -> Risk:
    """Leave-one-out by refitting: "cv" with k="loo"; of a fit with clusters, or with `groups`, one cluster at a time."""
    found = cv(procedure, loss, k="loo", groups=groups, random_state=random_state)
    found.method = "loo"  # of the same target
    return found


def _samples(
    procedure: Any, function: Any, draws: int, groups: Any, random_state: Any
) -> tuple[np.ndarray, pd.DataFrame, np.ndarray, np.ndarray | None]:
    """Out-of-bag loss (n,) of each observation, a table of the samples, their optimism, and the groups that were drawn."""
    sample_seeds, start_seeds = streams(random_state)
    n, w = procedure.n, procedure.weights
    check_size(draws * n * 4, f"draws={draws}: samples of {n} rows")
    grouped = splitting.groups_of(groups, procedure)
    splits = splitting.bootstrap(n, children(sample_seeds, draws), grouped, w)
    total, seen = np.zeros(n), np.zeros(n)
    value, optimism = np.empty(draws), np.empty(draws)
    fits = procedure.refits([s[0] for s in splits], start_seeds, [s[1] for s in splits])
    for b, ((rows, rest), mu) in enumerate(zip(splits, fits, strict=True)):
        losses = function(procedure.y, mu)
        total[rest] += losses[rest]
        seen[rest] += 1
        value[b] = mean(losses[rest], w[rest]) if w[rest].sum() > 0 else np.nan
        optimism[b] = mean(losses, w) - mean(losses[rows], w[rows])
    if np.any((seen == 0) & (w > 0)):
        raise ArgumentError(
            f"draws: with {draws} bootstrap samples {int(np.sum(seen == 0))} observation(s) were in all of them; "
            "use more draws."
        )
    oob = total / np.where(seen > 0, seen, 1)
    table = pd.DataFrame({"draw": np.arange(1, draws + 1), "n": [s[1].size for s in splits], "value": value})
    return oob, table.assign(optimism=optimism), optimism, grouped


@estimator("bootstrap", NEW_X)
@arguments(**BOOTSTRAP, kind=kinds.Choice("oob", "optimism"))
def bootstrap(
    procedure: Any, loss: Any = None, *, draws: int = 100, kind: str = "oob", groups: Any = None, random_state: Any = None
) -> Risk:  # fmt: skip
    """The bootstrap.

    Parameters
    ----------
    draws : int
        Bootstrap samples.
    kind : {"oob", "optimism"}
        "oob": the leave-one-out bootstrap, each observation predicted by the samples that lack it (biased upwards, as
        a sample holds 63 % of the rows). "optimism": error of the fit plus the mean difference of the error on all
        rows and on the sample.
    groups : array or column name, optional
        Whole groups are drawn, those of the fit unless given, and out of the bag are those that were not; False draws rows.
    """
    name, function = pick(loss, procedure.target)
    w = procedure.weights
    oob, table, optimism, grouped = _samples(procedure, function, draws, groups, random_state)
    if kind == "oob":
        return Risk(mean(oob, w), "bootstrap", name, se=standard_error(oob, w, grouped), se_kind="naive", n=procedure.n,
                    table=table, details={"what": f"leave-one-out bootstrap, {draws} samples",
                                          "per_observation": oob})  # fmt: skip
    losses = function(procedure.y, procedure.apparent)
    apparent = mean(losses, w)
    se = float(np.hypot(standard_error(losses, w, grouped), optimism.std(ddof=1) / np.sqrt(draws)))
    table = table.assign(value=apparent + optimism)
    return Risk(apparent + float(optimism.mean()), "bootstrap", name, se=se, se_kind="naive", n=procedure.n, table=table,
                details={"what": f"bootstrap of the optimism, {draws} samples", "apparent": apparent,
                         "optimism": float(optimism.mean())})  # fmt: skip


@estimator("632", NEW_X)
@arguments(**BOOTSTRAP)
def dot632(procedure: Any, loss: Any = None, *, draws: int = 100, groups: Any = None, random_state: Any = None) -> Risk:
    """The .632 bootstrap: 0.368 error of the fit + 0.632 leave-one-out bootstrap (Efron 1983)."""
    name, function = pick(loss, procedure.target)
    w = procedure.weights
    oob, table, _, grouped = _samples(procedure, function, draws, groups, random_state)
    losses = function(procedure.y, procedure.apparent)
    mixed = 0.368 * losses + 0.632 * oob
    details = {"what": f".632 bootstrap, {draws} samples", "apparent": mean(losses, w), "oob": mean(oob, w),
               "per_observation": mixed}  # fmt: skip
    return Risk(mean(mixed, w), "632", name, se=standard_error(mixed, w, grouped), se_kind="naive", n=procedure.n,
                table=table, details=details)  # fmt: skip


@estimator("632+", NEW_X)
@arguments(**BOOTSTRAP)
def dot632plus(
    procedure: Any, loss: Any = None, *, draws: int = 100, groups: Any = None, random_state: Any = None
) -> Risk:
    """The .632+ bootstrap (Efron & Tibshirani 1997, equations 27 to 32).

    The weight of the leave-one-out bootstrap grows from 0.632 to 1 with the relative overfitting rate, which compares
    it with the error gamma of no information (responses and covariates independent).
    """
    name, function = pick(loss, procedure.target)
    w = procedure.weights
    oob, table, _, grouped = _samples(procedure, function, draws, groups, random_state)
    means = procedure.apparent
    losses = function(procedure.y, means)
    apparent, outside = mean(losses, w), mean(oob, w)
    gamma = no_information(procedure.y, means, w, function)
    estimate, rate, weight = plus(apparent, outside, gamma)
    details = {"what": f".632+ bootstrap, {draws} samples", "apparent": apparent, "oob": outside, "gamma": gamma,
               "overfitting": rate, "weight": weight}  # fmt: skip
    # the part of each observation, the weight taken as known
    mixed = (1 - weight) * losses + weight * oob
    return Risk(estimate, "632+", name, se=standard_error(mixed, w, grouped), se_kind="naive", n=procedure.n, table=table,
                details=details)  # fmt: skip


def plus(apparent: float, oob: float, gamma: float) -> tuple[float, float, float]:
    """The .632+ estimate, the relative overfitting rate R' and the weight of the out-of-bag error."""
    capped = min(oob, gamma)
    rate = (oob - apparent) / (gamma - apparent) if oob > apparent and gamma > apparent else 0.0
    rate = min(rate, 1.0)
    if gamma <= apparent:  # a fit worse than no information: nothing to correct towards
        capped = oob
    weight = 0.632 / (1 - 0.368 * rate)
    return (1 - weight) * apparent + weight * capped, rate, weight
