"""`gdf` of any procedure meets arguments that are none."""

from __future__ import annotations

import numpy as np
import pytest
from nonsense import NONSENSE

import neuralstat as ns
from neuralstat.errors import ArgumentError, TooLargeError

GOOD = {"procedure": lambda v: np.full(v.size, v.mean()), "y": np.arange(12.0), "sigma": 1.0, "draws": 5}


@pytest.mark.parametrize("argument", ["procedure", "y", "sigma", "tau", "draws", "random_state", "n_jobs"])
def test_nonsense_is_refused_in_words(argument):
    for value in NONSENSE:
        if argument == "sigma" and isinstance(value, np.ndarray) and value.ndim == 0:
            continue
        with pytest.raises(ArgumentError, match=argument) as caught:
            ns.gdf(**{**GOOD, argument: value})
        assert len(str(caught.value)) < 300


def test_procedures_that_are_none():
    for procedure, message in (
        (lambda v: 1 / 0, "procedure raised ZeroDivisionError"), (lambda v: v[:3], "must return 12 finite numbers, got sha"),
        (lambda v: v * np.nan, "not finite"), (lambda v: "no", "must return 12 finite numbers, got 'no'"),
        (lambda: 1, "procedure raised TypeError"), (int, "procedure must be a function"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            ns.gdf(**{**GOOD, "procedure": procedure})


def test_sizes():
    with pytest.raises(TooLargeError, match=r"^draws=1000000"):
        ns.gdf(**{**GOOD, "y": np.arange(50_000.0), "draws": 1_000_000})
    assert np.isfinite(ns.gdf(**GOOD, n_jobs=1, random_state=1))
