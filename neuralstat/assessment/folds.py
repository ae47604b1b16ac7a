"""Which observations are tested when: folds, blocks, groups, strata, bootstrap samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_int, is_real, shown
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


def kfold(n: int, k: Any, rng: np.random.Generator, *, blocks: bool = False, groups: np.ndarray | None = None,
          strata: np.ndarray | None = None) -> list[Split]:  # fmt: skip
    """Split n rows into k folds.

    Parameters
    ----------
    k : int or "loo"
    blocks : bool
        Contiguous folds in the order of the rows, for time series.
    groups : (n,) array, optional
        Rows of one group stay together.
    strata : (n,) array, optional
        Classes that every fold has in the same shares, as far as possible.

    Raises
    ------
    ArgumentError
        Where k does not suit.
    """
    if sum((blocks, groups is not None, strata is not None)) > 1:
        raise ArgumentError("only one of blocks, groups and stratify can be used at a time.")
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
    elif blocks:
        label = np.repeat(np.arange(k), _sizes(n, k))
    elif strata is not None:
        label = _stratified(pd.factorize(strata)[0], k, rng)
    else:
        order = np.arange(n) if k == n else rng.permutation(n)
        label = np.empty(n, np.int64)
        label[order] = np.repeat(np.arange(k), _sizes(n, k))
    return from_labels(label)


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


def _stratified(code: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Deal the rows of one stratum after the other to the folds in turn."""
    order = np.concatenate([rng.permutation(np.flatnonzero(code == c)) for c in range(code.max() + 1)])
    label = np.empty(code.size, np.int64)
    label[order] = np.arange(code.size) % k
    return label


def from_labels(label: np.ndarray) -> list[Split]:
    """Splits of which each fold is the test part once."""
    return [(np.flatnonzero(label != f), np.flatnonzero(label == f)) for f in np.unique(label)]


def given(folds: Any, n: int, kept: Callable[[Any, str], np.ndarray]) -> list[Split]:
    """Splits from a user's labels, or pairs (training rows, test rows) as scikit-learn's splitters give."""
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


def stratified_sample(code: np.ndarray, out: int, rng: np.random.Generator) -> np.ndarray:
    """Rows (out,) that hold every stratum in its share: every (n / out)-th of the rows in order of strata."""
    order = np.concatenate([rng.permutation(np.flatnonzero(code == c)) for c in range(code.max() + 1)])
    first = rng.uniform()
    at = np.floor((np.arange(out) + first) * code.size / out).astype(np.int64)
    return np.sort(order[at])
