"""Which observations are tested when: folds, blocks, groups, strata, bootstrap samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_int
from ..errors import ArgumentError, DataError

Split = tuple[np.ndarray, np.ndarray]  # training rows, test rows


def check_blocks(blocks: Any, size: str) -> None:
    """Raise an ArgumentError unless `blocks` is True or False; `size` names the argument that says how large they are."""
    if not isinstance(blocks, bool | np.bool_):
        raise ArgumentError(
            f"blocks must be True or False, whether test rows are contiguous, got {blocks!r}; how many is said by {size}=, "
            f"as in blocks=True, {size}={blocks!r}."
        )


def check_groups(groups: np.ndarray) -> np.ndarray:
    """Groups (n,) of which none is missing.

    Raises
    ------
    ArgumentError
        Where some are.
    """
    gaps = int(pd.isna(groups).sum())
    if gaps:
        raise ArgumentError(f"groups: {gaps} of {len(groups)} rows have none; give these a group of their own.")
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
    items = folds if isinstance(folds, pd.Series) else list(folds)
    if len(items) and isinstance(items[0] if isinstance(items, list) else None, tuple | list):
        splits = []
        for pair in items:
            if len(pair) != 2:
                raise ArgumentError("folds: each must be a pair (training rows, test rows).")
            train, test = (np.asarray(p) for p in pair)
            for part in (train, test):
                if part.ndim != 1 or part.size == 0 or not np.issubdtype(part.dtype, np.integer):
                    raise ArgumentError("folds: training and test rows must be positions, at least one each.")
                if part.min() < 0 or part.max() >= n:
                    raise ArgumentError(f"folds: positions must be from 0 to {n - 1}.")
            if np.intersect1d(train, test).size:
                raise ArgumentError("folds: a row is in the training and in the test part of a fold.")
            splits.append((train.astype(np.int64), test.astype(np.int64)))
        return splits
    splits = from_labels(pd.factorize(kept(folds, "folds"), sort=True)[0])
    if len(splits) < 2:
        raise ArgumentError("folds: at least two folds are needed.")
    return splits


def bootstrap(n: int, rngs: list[np.random.Generator], groups: np.ndarray | None = None) -> list[Split]:
    """Samples with replacement (of groups, where given), each with the rows it lacks."""
    out = []
    code = None if groups is None else pd.factorize(groups)[0]
    for rng in rngs:
        while True:
            if code is None:
                rows = rng.integers(0, n, n)
            else:
                picked = rng.integers(0, code.max() + 1, code.max() + 1)
                rows = np.concatenate([np.flatnonzero(code == g) for g in picked])
            rest = np.setdiff1d(np.arange(n), rows)
            if rest.size:  # a sample that holds every row says nothing here
                break
            if n < 2:
                raise DataError("the bootstrap needs at least 2 observations.")
        out.append((np.sort(rows), rest))
    return out


def strata_of(stratify: Any, y: np.ndarray, classes: bool, kept: Callable[[Any, str], np.ndarray]) -> Any:
    """(n,) strata: classes of the response, or five parts of its range; or what is given; None for none."""
    if stratify is None or stratify is False:
        return None
    if stratify is not True:
        return kept(stratify, "stratify")
    if classes:
        return y[0] if y.shape[0] == 1 else y.argmax(axis=0)
    return pd.qcut(pd.Series(y[0]).rank(method="first"), min(5, y.shape[1]), labels=False).to_numpy()


def stratified_sample(code: np.ndarray, out: int, rng: np.random.Generator) -> np.ndarray:
    """Rows (out,) that hold every stratum in its share: every (n / out)-th of the rows in order of strata."""
    order = np.concatenate([rng.permutation(np.flatnonzero(code == c)) for c in range(code.max() + 1)])
    first = rng.uniform()
    at = np.floor((np.arange(out) + first) * code.size / out).astype(np.int64)
    return np.sort(order[at])
