"""What is missing where folds are asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError

pytestmark = [
    pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning"),
]
EXACT = {"hidden": 0, "algorithm": "lm", "threshold": 1e-8, "random_state": 1}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    return pd.DataFrame({"x": rng.normal(size=30), "subject": np.repeat(list("abcdef"), 5), "y": rng.normal(size=30)})


@pytest.fixture(scope="module", params=["fit", "model", "epochs"])
def source(request, data):
    if request.param == "model":
        return raw.NeuralNet.from_formula("y ~ x", data, **EXACT)
    if request.param == "epochs":
        return raw.neuralnet("y ~ x", data, hidden=0, algorithm="adam", learningrate=0.05, epochs=30, random_state=1)
    return raw.neuralnet("y ~ x", data, **EXACT)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "cv", "blocks": 10}, r"blocks must be True or False.*got 10.*blocks=True, k=10"),
        ({"method": "holdout", "blocks": 6}, r"blocks must be True or False.*blocks=True, test_size=6"),
        ({"method": "cv", "blocks": "yes"}, "blocks must be True or False"),
        ({"method": "cv", "groups": "subject"},
         r"groups: 'subject' is no column.*it reads 'x'.*30 values.*groups=data\['subject'\]"),
        ({"method": "bootstrap", "groups": "subject"}, r"groups=data\['subject'\]"),
        ({"method": "holdout", "groups": "subject"}, r"groups=data\['subject'\]"),
        ({"method": "cv", "stratify": "subject"}, r"stratify: 'subject' is no column.*stratify=data\['subject'\]"),
        ({"method": "cv", "groups": [1, 2]}, "groups must have 30 values"),
        ({"method": "cv", "groups": [None] + [1] * 29}, "groups: 1 of 30 rows have none"),
        ({"method": "bootstrap", "groups": [np.nan, np.nan] + [1] * 28}, "groups: 2 of 30 rows have none"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(source, options, said):
    with pytest.raises(ArgumentError, match=said):
        ns.risk(source, **options)


def test_what_is_said_works(source, data):
    assert ns.risk(source, "cv", blocks=True, k=10).draws.size == 10
    assert ns.risk(source, "cv", groups=data["subject"], k=6, random_state=1).draws.size == 6
    assert np.isfinite(float(ns.risk(source, "holdout", blocks=True, test_size=6)))
