"""`select` meets arguments that are none."""

from __future__ import annotations

import numpy as np
import pytest
from nonsense import NONSENSE, Hostile, said

import neuralstat as ns
from neuralstat.errors import ArgumentError

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
QUICK = {"hidden": [0], "algorithm": "lm", "rep": 1, "random_state": 1}


@pytest.fixture(scope="module")
def data():
    return ns.datasets.sine(12, random_state=1)


@pytest.mark.parametrize("argument", [
    "hidden", "layers", "penalty", "decay", "inputs", "criterion", "df", "rule", "direction", "rep", "average", "sigma",
    "random_state", "grid", "n_iter",
])  # fmt: skip
def test_nonsense_is_refused_in_words(data, argument):
    for value in NONSENSE:
        if argument == "hidden" and isinstance(value, np.ndarray) and value.ndim == 2:
            continue  # architectures, row by row
        with pytest.raises(ArgumentError, match=argument) as caught:
            ns.select("y ~ x", data, **{**QUICK, argument: value})
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [v for v in NONSENSE if not isinstance(v, dict)], ids=said)
def test_options_that_are_none(data, value):
    with pytest.raises(ArgumentError, match=r"^criterion_options must be None or a mapping"):
        ns.select("y ~ x", data, criterion_options=value, **QUICK)


@pytest.mark.parametrize(("options", "message"), [
    ({"df": -1}, "df must be one of 'jacobian'"),
    ({"df": 3.0}, "df must be one of 'jacobian'"),
    ({"df": "gdf", "criterion": "cv"}, "df is not used by criterion='cv'"),
    ({"df": "divergence", "criterion": "tic"}, "df is not used by criterion='tic'"),
    ({"criterion": "CV"}, "criterion must be one of"),
    ({"criterion": Hostile()}, "criterion must be one of"),
    ({"criterion": "aicc", "criterion_options": {"k": 3}},
     r"'k' is no option of criterion='aicc'; df='auto' takes 'sigma'"),
    ({"df": "gdf", "criterion": "aicc", "criterion_options": {"drawz": 3}},
     r"'drawz' is no option .*df='gdf' takes .*'draws'"),
    ({"criterion": "cv", "criterion_options": {"rep": 3}}, "'rep' is no option of criterion='cv'"),
    ({"criterion": "cv", "criterion_options": {"K": 3}}, "has no option 'K'"),
    ({"criterion": "cv", "criterion_options": {"k": "three"}}, "k must be"),
    ({"inputs": "no"}, "inputs must be True or False"),
    ({"average": 0}, "average must be True or False"),
    ({"hidden": range(10**9)}, "1000000000 candidates are too many"),
    ({"hidden": np.array(2.5)}, "hidden"),
    ({"decay": [0.1, -1]}, "decay must be"),
    ({"decay": "0.1"}, "decay must be"),
    ({"penalty": [ns.decay(1), 1]}, "penalty must be made by"),
    ({"layers": {1: []}, "hidden": 1}, "names"),
])  # fmt: skip
def test_what_does_not_suit_is_named(data, options, message):
    with pytest.raises(ArgumentError, match=message):
        ns.select("y ~ x", data, **{**QUICK, **options})


def test_what_is_right_still_is(data):
    found = ns.select("y ~ x", data, **{**QUICK, "hidden": np.array([0, 1])}, decay=np.array([0, 0.1]), average=np.True_)
    assert len(found.path) == 4
    assert ns.select("y ~ x", data, **QUICK, criterion="cv", criterion_options={"k": 3}).criterion == "cv"
