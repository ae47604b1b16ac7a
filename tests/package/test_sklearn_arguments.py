"""Parameters of the estimators are stored as given, and refused by `fit` where they are none."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from nonsense import NONSENSE
from sklearn.base import clone

from neuralstat.errors import ArgumentError
from neuralstat.sklearn import NeuralNetClassifier, NeuralNetRegressor

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
X = np.linspace(-1, 1, 12)[:, np.newaxis]
Y = {NeuralNetRegressor: X[:, 0] ** 2, NeuralNetClassifier: np.resize(["a", "b"], 12)}


@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("name", sorted(NeuralNetRegressor().get_params()))
def test_nonsense_is_refused_in_words(kind, name):
    for value in NONSENSE:
        if name == "act_fct" and isinstance(value, np.ndarray | dict):
            continue
        model = kind(stepmax=3).set_params(**{name: value})
        assert getattr(model, name) is value
        with pytest.raises(ArgumentError, match=name) as caught:
            model.fit(X, Y[kind])
        assert len(str(caught.value)) < 700


@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize(("given", "message"), [
    ({"decay": -1}, "decay must be"), ({"decay": np.inf}, "decay must be"), ({"standardize": "yes"}, "standardize must be"),
    ({"standardize": 1}, "standardize must be"), ({"rep": None}, "rep must be"), ({"learningrate": 0}, "learningrate must"),
    ({"random_state": "a"}, "random_state must be"), ({"n_jobs": 0}, "n_jobs must be"), ({"hidden": 10**30}, "hidden"),
])  # fmt: skip
def test_what_does_not_suit_is_named(kind, given, message):
    with pytest.raises(ArgumentError, match=message):
        clone(kind(stepmax=3, **given)).fit(X, Y[kind])


def test_streams():
    for state in (None, 1, np.random.RandomState(1), np.random.default_rng(1), np.random.SeedSequence(1), [1, 2]):
        assert np.isfinite(NeuralNetRegressor(1, stepmax=3, random_state=state).fit(X, X[:, 0]).predict(X)).all()
