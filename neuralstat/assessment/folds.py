"""Which observations are tested when: folds, blocks, groups, strata, bootstrap samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_int, is_real, shown
from ..checks.values import attribute, told
from ..errors import ArgumentError, DataError

MOST = 10_000_000  # labels or pairs of rows that are read
Split = tuple[np.ndarray, np.ndarray]  # training rows, test rows


def check_blocks(blocks: Any, size: str) -> None:
    """Raise an ArgumentError unless `blocks` is True or False; `size` names the argument that says how large they are."""
    if not isinstance(blocks, bool | np.bool_):
        raise ArgumentError(
            f"blocks must be True or False, whether test rows are contiguous, got {shown(blocks)}; how many is said by "
            f"{size}=, as in blocks=True, {size}={shown(blocks) if is_real(blocks) else 5}."
        )


def check_groups(groups: np.ndarray) -> np.ndarray:
    """Groups (n,) of which none is missing.

    Raises
    ------
    ArgumentError
        Where some are, or there is one group only.
    """
    gaps = int(pd.isna(groups).sum())
    if gaps:
        raise ArgumentError(f"groups: {gaps} of {len(groups)} rows have none; give these a group of their own.")
    if pd.unique(groups).size < 2:
        raise ArgumentError("groups: all rows are of one group, so that none can be left out; give no groups.")
    return groups


def groups_of(given: Any, procedure: Any) -> np.ndarray | None:
    """Groups (n,) whose rows stay together; None where rows are independent.

    Parameters
    ----------
    given : array, column name, False, or None
        None: the clusters that the fit has (``groups=`` of `neuralnet`); False: none, whatever the fit has.
    procedure : NetworkProcedure or EstimatorProcedure
    """
    if given is None or (isinstance(given, str) and procedure.groups is not None and given == procedure.groups_name):
        return None if procedure.groups is None else check_groups(procedure.groups)
    if isinstance(given, bool | np.bool_):
        if given:
            raise ArgumentError("groups must be labels or a column's name; False takes rows as independent.")
        return None
    return check_groups(procedure.kept(given, "groups"))


def as_many(k: Any, given: Any, grouped: np.ndarray | None) -> Any:
    """k folds, or one for each cluster of the fit where these are fewer."""
    if isinstance(k, str) or grouped is None or given is not None:
        return k
    return min(k, int(pd.unique(grouped).size))


def check_gap(gap: int, blocks: bool) -> None:
    """Raise an ArgumentError where rows are left out between parts that are in no order."""
    if gap and not blocks:
        raise ArgumentError(f"gap={gap} leaves out rows beside contiguous test rows: it needs blocks=True.")


def kfold(n: int, k: Any, rng: np.random.Generator, *, blocks: bool = False, groups: np.ndarray | None = None,
          strata: np.ndarray | None = None, gap: int = 0) -> list[Split]:  # fmt: skip
    """Split n rows into k folds.

    Parameters
    ----------
    k : int or "loo"
    blocks : bool
        Contiguous folds in the order of the rows, for time series.
    groups : (n,) array, optional
        Rows of one group stay together.
    strata : (n,) array, optional
        Classes that every fold has in the same shares, as far as possible (and as far as groups allow).
    gap : int
        Rows that are left out of training on either side of a block.

    Raises
    ------
    ArgumentError
        Where k or gap does not suit.
    """
    check_order(blocks, groups, strata)
    check_gap(gap, blocks)
    units = n if groups is None else int(pd.unique(groups).size)
    what = "observations" if groups is None else "groups"
    k = units if isinstance(k, str) and k == "loo" else check_int(k, "k", 2)
    if units < 2:
        raise DataError("folds need at least 2 observations.")
    if k > units:
        raise ArgumentError(f"k={k} folds need at least as many {what}; there are {units}.")
    if groups is not None:
        code = pd.factorize(groups)[0]
        label = _balanced_groups(code, k, rng)
        if strata is not None:
            label = _stratified_groups(code, pd.factorize(strata)[0], k, rng)
    elif blocks:
        label = np.repeat(np.arange(k), _sizes(n, k))
    elif strata is not None:
        label = _stratified(pd.factorize(strata)[0], k, rng)
    else:
        order = np.arange(n) if k == n else rng.permutation(n)
        label = np.empty(n, np.int64)
        label[order] = np.repeat(np.arange(k), _sizes(n, k))
    splits = from_labels(label)
    return splits if gap == 0 else [(apart(train, test, gap), test) for train, test in splits]


def check_order(blocks: bool, groups: Any, strata: Any) -> None:
    """Raise an ArgumentError where folds would be both contiguous and of groups or strata."""
    if blocks and (groups is not None or strata is not None):
        raise ArgumentError(
            "only one of blocks, groups and stratify can be used at a time, or groups with stratify; groups=False takes the "
            "rows of a fit's clusters as independent."
        )


def apart(train: np.ndarray, test: np.ndarray, gap: int) -> np.ndarray:
    """Training rows that are more than `gap` rows away from the block of test rows.

    Raises
    ------
    ArgumentError
        Where none is.
    """
    far = train[(train < test[0] - gap) | (train > test[-1] + gap)]
    if far.size == 0:
        raise ArgumentError(f"gap={gap} leaves no rows to train on beside test rows {test[0] + 1} to {test[-1] + 1}.")
    return far


def _sizes(n: int, k: int) -> np.ndarray:
    return np.full(k, n // k) + (np.arange(k) < n % k)


def _balanced_groups(code: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Largest groups first, each to the smallest fold; ties in random order."""
    sizes = np.bincount(code)
    order = rng.permutation(sizes.size)
    order = order[np.argsort(-sizes[order], kind="stable")]
    load, fold = np.zeros(k, np.int64), np.empty(sizes.size, np.int64)
    for g in order:
        fold[g] = int(np.argmin(load))
        load[fold[g]] += sizes[g]
    return fold[code]


def _stratified_groups(code: np.ndarray, stratum: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Groups of most uneven strata first, each to the fold where the strata's shares of all folds then differ least."""
    counts = np.zeros((code.max() + 1, stratum.max() + 1))
    np.add.at(counts, (code, stratum), 1)
    share = counts / counts.sum(axis=0)  # of a stratum, in each group
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].std(axis=1), kind="stable")]
    held, load, fold = np.zeros((k, share.shape[1])), np.zeros(k), np.empty(len(counts), np.int64)
    for rest, g in zip(range(len(order), 0, -1), order, strict=True):
        empty = np.flatnonzero(load == 0)
        among = empty if empty.size >= rest else np.arange(k)  # so that no fold stays empty
        spread = np.empty(among.size)
        for j, f in enumerate(among):
            held[f] += share[g]
            spread[j] = held.std(axis=0).mean()
            held[f] -= share[g]
        best = among[spread <= spread.min() + 1e-12]
        f = best[np.argmin(load[best])]
        held[f] += share[g]
        load[f] += counts[g].sum()
        fold[g] = f
    return fold[code]


def _stratified(code: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Deal the rows of one stratum after the other to the folds in turn."""
    order = np.concatenate([rng.permutation(np.flatnonzero(code == c)) for c in range(code.max() + 1)])
    label = np.empty(code.size, np.int64)
    label[order] = np.arange(code.size) % k
    return label


def from_labels(label: np.ndarray) -> list[Split]:
    """Splits of which each fold is the test part once."""
    return [(np.flatnonzero(label != f), np.flatnonzero(label == f)) for f in np.unique(label)]


def given(folds: Any, procedure: Any, groups: Any = None) -> list[Split]:
    """Splits from a user's labels, pairs (training rows, test rows), or a splitter as scikit-learn's.

    Parameters
    ----------
    folds : labels, pairs, or an object with split(X, y, groups)
    procedure : NetworkProcedure or EstimatorProcedure
        Whose rows these are.
    groups : array or column name, optional
        What the splitter is told; as in `groups_of`.
    """
    n, kept = procedure.n, procedure.kept
    splitter = attribute(folds, "split")
    if callable(splitter) and not isinstance(folds, str | type | pd.Series | pd.Categorical | np.ndarray):
        return _split(folds, splitter, procedure, groups_of(groups, procedure))
    if groups is not None and not isinstance(groups, bool | np.bool_):
        raise ArgumentError("groups: given folds are used as they are; a splitter object takes groups.")
    if isinstance(folds, str | pd.Series | pd.Categorical):
        items: Any = folds
    else:
        try:  # a splitter's generator can be read only once, and could go on without end
            items = list(itertools.islice(iter(folds), MOST))
        except Exception:  # of any object's own iteration
            raise ArgumentError(f"folds must be labels, or pairs (training rows, test rows); got {shown(folds)}.") from None
    if isinstance(items, list) and items and isinstance(items[0], tuple | list):
        return [_pair(pair, n) for pair in items]
    splits = from_labels(pd.factorize(kept(items, "folds"), sort=True)[0])
    if len(splits) < 2:
        raise ArgumentError("folds: at least two folds are needed.")
    return splits


def _split(folds: Any, splitter: Any, procedure: Any, groups: Any) -> list[Split]:
    """What a splitter says of the rows: of covariates as the model has them, and responses, classes by their number."""
    y, title = procedure.y, type(folds).__name__
    if procedure.target.classes:
        y = (y[0] if y.shape[0] == 1 else y.argmax(axis=0)).astype(np.int64)
    else:
        y = y[0] if y.shape[0] == 1 else y.T
    try:
        pairs = list(itertools.islice(iter(splitter(procedure.covariates, y, groups)), MOST))
    except Exception as error:  # of any object's own code
        raise ArgumentError(f"folds: {title}.split raised {told(error)}"[:300]) from error
    if not pairs:
        raise ArgumentError(f"folds: {title}.split gave no folds.")
    return [_pair(pair, procedure.n) for pair in pairs]


def _pair(pair: Any, n: int) -> Split:
    """One fold of a user's, checked."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ArgumentError("folds: each must be a pair (training rows, test rows).")
    try:
        train, test = (np.asarray(p) for p in pair)
    except (ValueError, TypeError, RecursionError):
        raise ArgumentError(f"folds: training and test rows must be positions, got {shown(pair)}.") from None
    for part in (train, test):
        if part.ndim != 1 or part.size == 0 or part.dtype.kind not in "iu":
            raise ArgumentError("folds: training and test rows must be positions, at least one each.")
        if part.min() < 0 or part.max() >= n:
            raise ArgumentError(f"folds: positions must be from 0 to {n - 1}.")
    if np.intersect1d(train, test).size:
        raise ArgumentError("folds: a row is in the training and in the test part of a fold.")
    return train.astype(np.int64), test.astype(np.int64)


def bootstrap(
    n: int, seeds: list[np.random.SeedSequence], groups: np.ndarray | None = None, w: np.ndarray | None = None
) -> list[Split]:
    """Samples with replacement (of groups, where given), each with the rows it lacks.

    Parameters
    ----------
    seeds : list
        One a sample.
    groups : (n,) array, optional
    w : (n,) array, optional
        Weights of the rows; samples hold and lack rows of positive weight.

    Raises
    ------
    DataError
        Where no sample could lack a row.
    """
    weight = np.ones(n) if w is None else w
    code = np.arange(n) if groups is None else pd.factorize(groups)[0]
    if np.unique(code[weight > 0]).size < 2:
        what = "observations" if groups is None else "groups"
        raise DataError(f"the bootstrap needs at least 2 {what} of positive weight.")
    out = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        while True:  # a sample that holds every row says nothing here, nor one of no weight
            rows = rng.integers(0, n, n) if groups is None else _of_groups(code, rng)
            rest = np.setdiff1d(np.arange(n), rows)
            if rest.size and weight[rows].any():
                break
        out.append((np.sort(rows), rest))
    return out


def _of_groups(code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    picked = rng.integers(0, code.max() + 1, code.max() + 1)
    return np.concatenate([np.flatnonzero(code == g) for g in picked])


def strata_of(stratify: Any, y: np.ndarray, classes: bool, kept: Callable[[Any, str], np.ndarray]) -> Any:
    """(n,) strata: classes of the response, or five parts of its range; or what is given; None for none."""
    if stratify is None or (isinstance(stratify, bool | np.bool_) and not stratify):
        return None
    if not isinstance(stratify, bool | np.bool_):
        strata = kept(stratify, "stratify")
        if gaps := int(pd.isna(strata).sum()):
            raise ArgumentError(f"stratify: {gaps} of {len(strata)} rows have none; give these a stratum of their own.")
        return strata
    if classes:
        return y[0] if y.shape[0] == 1 else y.argmax(axis=0)
    return pd.qcut(pd.Series(y[0]).rank(method="first"), min(5, y.shape[1]), labels=False).to_numpy()


def held_out(n: int, share: float, rng: np.random.Generator, groups: np.ndarray | None = None) -> np.ndarray:
    """A random share of n rows (at least one), or of groups, in order."""
    if groups is None:
        return np.sort(rng.permutation(n)[: max(1, round(share * n))])
    code = pd.factorize(check_groups(groups))[0]
    units = int(code.max()) + 1
    return holdout_groups(code, min(max(1, round(share * units)), units - 1), rng)


def holdout_groups(
    code: np.ndarray, out: int, rng: np.random.Generator, strata: np.ndarray | None = None
) -> np.ndarray:
    """Rows of `out` groups; with strata, of groups in the shares of the strata that most of their rows are of."""
    units = int(code.max()) + 1
    if strata is None:
        return np.flatnonzero(np.isin(code, rng.permutation(units)[:out]))
    stratum = pd.factorize(strata)[0]
    counts = np.zeros((units, stratum.max() + 1))
    np.add.at(counts, (code, stratum), 1)
    kinds = pd.factorize(counts.argmax(axis=1))[0]
    return np.flatnonzero(np.isin(code, stratified_sample(kinds, out, rng)))


def stratified_sample(code: np.ndarray, out: int, rng: np.random.Generator) -> np.ndarray:
    """Rows (out,) that hold every stratum in its share: every (n / out)-th of the rows in order of strata."""
    order = np.concatenate([rng.permutation(np.flatnonzero(code == c)) for c in range(code.max() + 1)])
    first = rng.uniform()
    at = np.floor((np.arange(out) + first) * code.size / out).astype(np.int64)
    return np.sort(order[at])
