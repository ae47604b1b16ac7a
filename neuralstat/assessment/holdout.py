"""Risk on rows kept out of the fit, once or repeatedly, with intervals that allow for the rows which repeats share.

The errors of T random splits depend on one another, and their spread alone understates the variance of the mean. The
corrected resampled t takes (1 / T + tested / trained) for 1 / T. The conservative z measures the variance: M times the data
are cut into halves, each half gives an estimate by T splits of its own with as many test rows, and half the mean squared
difference of the two estimates is the variance of an estimate from fewer training rows, which is larger.

References
----------
Nadeau & Bengio (2003), Machine Learning 52:239, sections 4 and 5. Schulz-Kuempel et al. (2024), arXiv:2409.18836.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks import arguments as kinds
from ..checks import check_size, shown
from ..checks.arguments import RANDOM_STATE, arguments
from ..errors import ArgumentError
from ..seeds import children
from . import folds as splitting
from .losses import pick
from .procedure import streams
from .registry import estimator
from .resampling import FOLDS, MOST, ROWS, corrected_t, fold_of
from .value import NEW_X, Risk

Split = tuple[np.ndarray, np.ndarray]


@estimator("holdout", NEW_X)
@arguments(
    test_size=kinds.Anything("a share or a number of rows", 0.5, 3), repeats=kinds.Whole(1, MOST),
    blocks=kinds.Anything("True or False", True), gap=kinds.Whole(0), groups=ROWS, stratify=ROWS, folds=FOLDS,
    halves=kinds.Whole(0, MOST), random_state=RANDOM_STATE,
)  # fmt: skip
def holdout(
    procedure: Any, loss: Any = None, *, test_size: float = 0.25, repeats: int = 1, blocks: bool = False, gap: int = 0,
    groups: Any = None, stratify: Any = False, folds: Any = None, halves: int = 0, random_state: Any = None,
) -> Risk:  # fmt: skip
    """Rows kept out of the fit.

    Parameters
    ----------
    test_size : float or int
        Share or number of test rows (with `groups`, also the fit's: of groups).
    repeats : int
        Random splits.
    blocks : bool
        The last rows, for time order.
    gap : int
        With blocks: rows before these that are not trained on either.
    groups, stratify
        As of "cv"; with both, groups are drawn in the shares of the strata that most of their rows are of.
    folds : labels, pairs (training rows, test rows), or a splitter, optional
        Splits of your own, as of "cv"; the other options are then not used.
    halves : int
        Pairs of halves for the interval "conservative_z": 2 halves x repeats more refits. 10 with 15 repeats are Nadeau &
        Bengio's.
    """
    name, function = pick(loss, procedure.target)
    splitting.check_blocks(blocks, "test_size")
    split_seeds, start_seeds = streams(random_state)
    w, n = procedure.weights, procedure.n
    check_size(repeats * n * 4 * (1 + 2 * halves), f"repeats={repeats}: splits of {n} rows")
    half: list[list[Split]] = []
    grouped: np.ndarray | None = None
    if folds is not None:
        if repeats > 1 or halves:
            raise ArgumentError(f"{'repeats' if repeats > 1 else 'halves'}: given folds are used once.")
        splits = splitting.given(folds, procedure, groups)
    else:
        plan = _Plan.of(procedure, test_size, blocks, gap, groups, stratify)
        grouped = plan.grouped
        if blocks and (repeats > 1 or halves):
            what = "repeats: the last rows are the same in every repeat; use repeats=1."
            raise ArgumentError(what if repeats > 1 else "halves: the last rows are in one of two halves only.")
        whole = np.arange(n)
        splits = [plan.split(whole, np.random.default_rng(s)) for s in children(split_seeds, repeats)]
        for seeds in children(split_seeds, repeats + halves)[repeats:]:
            first, *more = (np.random.default_rng(s) for s in children(seeds, 1 + 2 * repeats))
            for part, rngs in zip(plan.halves(first), (more[:repeats], more[repeats:]), strict=True):
                half.append([plan.split(part, rng) for rng in rngs])
    everything = [*splits, *(split for one in half for split in one)]
    if any(w[part].sum() == 0 for split in everything for part in split):
        raise ArgumentError("test_size: a split has no observation of positive weight on one side.")
    fits = procedure.refits([s[0] for s in everything], start_seeds, [s[1] for s in everything])
    found = [
        fold_of(function, procedure.y[:, t], mu[:, t], w[t], None if grouped is None else grouped[t])
        for (_, t), mu in zip(everything, fits, strict=True)
    ]
    count = len(splits)
    value, _, alone = np.array([part[:3] for part in found]).T
    errors = alone[:count]
    one = float(np.mean(errors))
    intervals = {"normal": (one, np.inf)}
    if count > 1:
        intervals = {"corrected_t": corrected_t(value[:count], np.ones(count), splits, w)}
    if half:
        means = value[count:].reshape(halves, 2, count).mean(axis=2)
        intervals["conservative_z"] = (float(np.sqrt(np.mean((means[:, 0] - means[:, 1]) ** 2) / 2)), np.inf)
    table = pd.DataFrame({"draw": np.arange(1, count + 1), "n": [s[1].size for s in splits], "value": value[:count],
                          "se": errors})  # fmt: skip
    what = f"hold-out of {splits[0][1].size} rows" + (f", {count} splits" if count > 1 else "")
    return Risk(value[:count].mean(), "holdout", name, se=one, se_kind="of one split", n=n, table=table,
                details={"what": what}, intervals=intervals, notes=getattr(function, "notes", ()))  # fmt: skip


class _Plan:
    """How test rows are drawn from the rows, or from a part of them."""

    def __init__(self, out: int, units: int, blocks: bool, gap: int, grouped: Any, strata: Any) -> None:
        self.out, self.units, self.blocks, self.gap, self.grouped, self.strata = out, units, blocks, gap, grouped, strata

    @classmethod
    def of(cls, procedure: Any, test_size: Any, blocks: bool, gap: int, groups: Any, stratify: Any) -> _Plan:
        """The plan that options say."""
        known = splitting.groups_of(groups, procedure)
        grouped = None if known is None else pd.factorize(known)[0]
        strata = splitting.strata_of(stratify, procedure.y, procedure.target.classes, procedure.kept)
        splitting.check_order(blocks, grouped, strata)
        splitting.check_gap(gap, blocks)
        units = procedure.n if grouped is None else int(grouped.max()) + 1
        return cls(_test_units(test_size, units), units, blocks, gap, grouped, strata)

    def split(self, rows: np.ndarray, rng: np.random.Generator) -> Split:
        """Training and test rows among `rows`."""
        if self.blocks:
            test = rows[-self.out :]
        else:
            test = self._draw(rows, self.out, rng)
        train = np.setdiff1d(rows, test)
        return (splitting.apart(train, test, self.gap) if self.gap else train), test

    def halves(self, rng: np.random.Generator) -> Split:
        """The rows in two halves (of groups, where there are some).

        Raises
        ------
        ArgumentError
            Where a half has too few rows for the test rows and training.
        """
        if self.units // 2 - self.out < 2:
            raise ArgumentError(
                f"halves: half of {self.units} is too little for {self.out} to be tested and 2 or more to be trained on; use "
                "a smaller test_size."
            )
        rows = np.arange(self.units if self.grouped is None else self.grouped.size)
        first = self._draw(rows, self.units // 2, rng)
        return first, np.setdiff1d(rows, first)

    def _draw(self, rows: np.ndarray, out: int, rng: np.random.Generator) -> np.ndarray:
        strata = None if self.strata is None else self.strata[rows]
        if self.grouped is not None:
            code = pd.factorize(self.grouped[rows])[0]
            return rows[splitting.holdout_groups(code, out, rng, strata)]
        if strata is not None:
            return rows[splitting.stratified_sample(pd.factorize(strata)[0], out, rng)]
        return rows[np.sort(rng.permutation(rows.size)[:out])]


def _test_units(test_size: Any, units: int) -> int:
    whole = isinstance(test_size, int | np.integer) and not isinstance(test_size, bool)
    number = isinstance(test_size, float | np.floating)
    out = int(test_size) if whole else int(np.ceil(test_size * units)) if number and 0 < test_size < 1 else 0
    if not 0 < out < units:
        raise ArgumentError(
            f"test_size must be a share between 0 and 1, or a number from 1 to {units - 1}; got {shown(test_size)}."
        )
    return out
