"""Options in the names of estimators."""

from __future__ import annotations

import pytest

import neuralstat as ns
from neuralstat.assessment.names import variant
from neuralstat.errors import ArgumentError

FIT = ns.neuralnet("y ~ poly(x, 3)", ns.datasets.doppler(n=40, noise=0.1, random_state=1), hidden=0)


@pytest.mark.parametrize(("name", "found"), [
    ("cv", ("cv", {})), ("cv:k=5", ("cv", {"k": 5})), ("cv:loo", ("cv", {"k": "loo"})), ("cv:5", ("cv", {"k": 5})),
    ("cp:gdf", ("cp", {"df": "gdf"})), ("cp: df = 2.5", ("cp", {"df": 2.5})), ("coupled:.2", ("coupled", {"alpha": 0.2})),
    ("thinning:4", ("thinning", {"folds": 4})), ("rcp:gdf", ("rcp", {"df": "gdf"})), ("nested_cv:5", ("nested_cv", {"k": 5})),
    ("cv:corrected=True, k=4", ("cv", {"corrected": True, "k": 4})), ("holdout:0.5,repeats=3", ("holdout", {"test_size": 0.5,
                                                                                                       "repeats": 3})),
])  # fmt: skip
def test_what_they_say(name, found):
    assert variant(name) == found


@pytest.mark.parametrize(("name", "options"), [
    ("cv:k=5,repeats=2", {"method": "cv", "k": 5, "repeats": 2}), ("cv:loo", {"method": "loo"}),
    ("cp:3", {"method": "cp", "df": 3}),
    ("gcv:divergence", {"method": "gcv", "df": "divergence"}),
    ("bootstrap:optimism", {"method": "bootstrap", "kind": "optimism"}), ("thinning:4", {"method": "thinning", "folds": 4}),
    ("thinning:share=0.5,repeats=2", {"method": "thinning", "share": 0.5, "repeats": 2}), ("aicc:3", {"method": "aicc",
                                                                                                     "df": 3}),
    ("holdout:0.2,repeats=3,halves=2", {"method": "holdout", "test_size": 0.2, "repeats": 3, "halves": 2}),
])  # fmt: skip
def test_they_are_the_options(name, options):
    assert ns.risk(FIT, name, random_state=1) == ns.risk(FIT, **options, random_state=1)


@pytest.mark.parametrize(("name", "match"), [
    ("cv:", "is no option"), ("cv:k=", "is no option"), ("gdf:5", "is no option"), ("cv:k=5,k=6", "twice"),
    ("no:k=5", "method"),
    ("cv:draws=5", "no option 'draws'"), ("cv:k=1", "k must"),
])  # fmt: skip
def test_refusals(name, match):
    with pytest.raises(ArgumentError, match=match):
        ns.risk(FIT, name)


def test_not_in_both_places():
    with pytest.raises(ArgumentError, match="beside it"):
        ns.risk(FIT, "cv:k=5", k=5)
