"""Validation rows at the end of data that are sorted by class."""

import warnings

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import DataWarning, NeuralStatWarning

BY_EPOCHS = {"hidden": 1, "algorithm": "adam", "epochs": 1, "random_state": 1}


def _heard(data, family, share=0.2):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", NeuralStatWarning)
        ns.neuralnet("y ~ x", data, family=family, validation=share, **BY_EPOCHS)
    return [str(w.message) for w in heard if issubclass(w.category, DataWarning) and "sorted by class" in str(w.message)]


def _data(y):
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=len(y)), "y": y})


@pytest.mark.parametrize(
    ("labels", "family"), [(("a", "b"), "binomial"), ((0, 1), "binomial"), (("a", "b", "c"), "multinomial")]
)
def test_sorted_rows_are_said(labels, family):
    y = np.sort(np.resize(labels, 120))
    said = _heard(_data(y), family)
    assert len(said) == 1 and "the last 24 rows" in said[0]
    assert f"class {labels[0]!r}" in said[0] and f"class {labels[-1]!r}" not in said[0]
    assert not _heard(_data(np.random.default_rng(1).permutation(y)), family)


def test_a_rare_class_may_be_missing_by_chance():
    y = np.resize([0, 1], 100)
    y[:] = 0
    y[:8] = 1  # 0.92**20 = .19
    assert not _heard(_data(y), "binomial")
    y[:45] = 1  # 0.55**20 = 6e-6
    assert _heard(_data(y), "binomial")


def test_numbers_have_no_classes():
    assert not _heard(_data(np.sort(np.random.default_rng(1).normal(size=100))), "gaussian")
    assert not _heard(_data(np.sort(np.random.default_rng(1).poisson(9, 100)).astype(float)), "poisson")
