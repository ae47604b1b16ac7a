"""Successive halving: the best known candidate is found, rungs are those of scikit-learn, and a loop by hand is the same."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.selection.halving import rungs_of, shuffled

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
SEED = np.random.SeedSequence(4)
RATES = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05]


@pytest.fixture(scope="module")
def data():
    return ns.datasets.sine(60, random_state=1)


def halving(data, **more):
    return ns.select("y ~ x", data, hidden=3, **{
        "grid": {"learningrate": RATES}, "search": "halving", "algorithm": "adam", "epochs": 60, "batch_size": 8, "rep": 1,
        "criterion": "cv:k=2", "random_state": 1, **more})  # fmt: skip


def test_rungs():
    assert rungs_of(9, 90, 3, None, 1) == [(9, 10), (3, 30), (1, 90)]
    assert rungs_of(10, 60, 2, None, 1) == [(10, 7), (5, 14), (3, 28), (2, 60)]
    assert rungs_of(2, 60, 3, None, 1) == [(2, 60)]
    assert rungs_of(27, 5, 3, None, 1) == [(27, 1), (9, 5)]
    assert rungs_of(9, 100, 3, None, 20) == [(9, 20), (3, 100)]
    assert rungs_of(9, 100, 3, 40, 20) == [(9, 100)]
    assert rungs_of(9, 100, 3, 500, 20) == [(9, 100)]


def test_rungs_are_those_of_scikit_learn():
    """Numbers of candidates where the resource lasts for all rungs; the last rung has all of it."""
    pytest.importorskip("sklearn")
    from sklearn.dummy import DummyRegressor
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    x, y = np.zeros((243, 1)), np.arange(243.0)
    for count, factor in ((9, 3), (10, 2), (20, 3), (27, 3), (2, 3)):
        theirs = HalvingGridSearchCV(DummyRegressor(strategy="quantile"), {"quantile": np.linspace(0.1, 0.9, count)},
                                     factor=factor, cv=2, min_resources="exhaust", random_state=1).fit(x, y)  # fmt: skip
        ours = rungs_of(count, 243, factor, None, 1)
        assert [n for n, _ in ours] == theirs.n_candidates_
        assert [r for _, r in ours][:-1] == theirs.n_resources_[:-1] and ours[-1][1] == 243


def test_a_loop_by_hand_is_the_same(data):
    found = halving(data)
    path, own = found.path, list(RATES)
    for rung, (count, epochs) in enumerate([(6, 20), (2, 60)], start=1):
        rows = path[path["rung"] == rung]
        assert rows["learningrate"].tolist() == own and set(rows["resource"]) == {epochs} and len(own) == count
        values = []
        for rate in own:
            fit = ns.neuralnet("y ~ x", data, hidden=3, learningrate=rate, algorithm="adam", epochs=epochs, batch_size=8,
                               rep=1, random_state=1)  # fmt: skip
            values.append(float(ns.risk(fit, "cv", k=2, rep="mean", random_state=1)))
            np.testing.assert_array_equal(fit.params, found.fits[rows.index[len(values) - 1]].params)
        assert rows["criterion"].tolist() == values
        own = [own[k] for k in sorted(np.argsort(values)[:2])]
    assert found.best.settings.learningrate == 0.05 and found.best.settings.epochs == 60
    assert path["selected"].sum() == 1 and path.loc[path["selected"], "rung"].item() == 2 and found.rule == "min"
    assert path.equals(halving(data).path)
    assert found.plot().get_xlabel().startswith("model, in the order fitted")


def test_rows_are_nested_and_the_best_model_is_found():
    """Of a cubic curve: straight lines and one unit lose against three, whatever is left of the rows."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-2, 2, 360)
    data = pd.DataFrame({"x": x, "y": np.sin(2 * x) + 0.05 * rng.normal(size=360)})
    found = ns.select("y ~ x", data, hidden=[0, 1, 4], penalty=[None, ns.decay(1e4), ns.decay(1e5)], search="halving",
                      algorithm="lm", rep=2, criterion="cv:k=3", random_state=3)  # fmt: skip
    path = found.path
    assert path.groupby("rung")["resource"].first().tolist() == [40, 120, 360]
    assert path.groupby("rung").size().tolist() == [9, 3, 1]
    assert path.loc[path["selected"], "hidden"].item() == (4,) and path.loc[path["selected"], "penalty"].item() == "none"
    seen = [set(found.fits[path.index[path["rung"] == rung][0]].resid.index) for rung in (1, 2, 3)]
    assert [len(rows) for rows in seen] == [40, 120, 360] and seen[0] < seen[1] < seen[2]


def test_any_first_rows_have_the_classes_in_their_shares():
    frame = pd.DataFrame({"kind": ["a"] * 90 + ["b"] * 9 + ["c"], "y": np.arange(100.0)})
    order = shuffled("kind ~ y", frame, SEED)
    assert sorted(order) == list(range(100)) and np.array_equal(order, shuffled("kind ~ y", frame, SEED))
    for size in (10, 20, 50):
        counts = frame["kind"].iloc[order[:size]].value_counts()
        assert abs(counts["a"] - 0.9 * size) < 1.5 and abs(counts["b"] - 0.09 * size) < 1.5
    assert not np.array_equal(order, shuffled("kind ~ y", frame, np.random.SeedSequence(5)))
    plain = shuffled("y ~ kind", frame, SEED)
    assert sorted(plain) == list(range(100))


def test_layers_and_draws(data):
    layers = {"small": [ns.layers.Dense(1, "tanh")], "large": [ns.layers.Dense(4, "tanh")]}
    found = ns.select("y ~ x", data, layers=layers, search="halving", factor=2, resource="rows", algorithm="adam",
                      grid={"learningrate": [0.001, 0.01, 0.1]}, n_iter=2, epochs=2, rep=1, criterion="cv:k=2",
                      random_state=1)  # fmt: skip
    assert found.path.groupby("rung").size().tolist() == [4, 2] and set(found.path["resource"]) == {20, 60}


def test_validation_rows_of_their_own_are_those_of_every_rung(data):
    """They are no values per row of the data, of which a rung has a part."""
    own = ns.datasets.sine(15, random_state=2)
    given = {"grid": None, "penalty": [None, ns.decay(0.1)], "factor": 2, "resource": "rows", "epochs": 3, "validation": own}
    found = halving(data, **given)
    assert found.path["resource"].tolist() == [30, 30, 60]
    rows = found.fits[0].resid.index
    assert len(rows) == 30
    alone = ns.neuralnet("y ~ x", data.loc[rows], hidden=3, algorithm="adam", epochs=3, batch_size=8, rep=1, random_state=1,
                         validation=own)  # fmt: skip
    np.testing.assert_array_equal(found.fits[0].history["val_loss"], alone.history["val_loss"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"inputs": True}, "goes without inputs=True"), ({"criterion": "cp"}, "goes without criterion='cp'"),
        ({"search": "all", "factor": 2}, "belong to search='halving'"),
        ({"search": "all", "resource": "rows"}, "belong to search='halving'"), ({"search": "half"}, "search must"),
        ({"factor": 1}, "factor must"), ({"resource": "time"}, "resource must"), ({"min_resource": 0}, "min_resource must"),
        ({"grid": {"epochs": [1, 2]}}, "'epochs' is given beside it"), ({"epochs": 0}, "epochs must be a whole number"),
        ({"resource": "rows", "weights": np.ones(60)}, "weights must be the name of a column"),
        ({"resource": "rows", "groups": np.arange(60)}, "groups must be the name of a column"),
        ({"epochs": 2.5}, "epochs must be"),
    ],
)  # fmt: skip
def test_what_cannot_be_halved(data, more, words):
    with pytest.raises(ArgumentError, match=words):
        halving(data, **more)


def test_the_resource_is_not_searched(data):
    with pytest.raises(ArgumentError, match="'epochs' is the resource of search='halving'"):
        ns.select("y ~ x", data, grid={"epochs": [1, 2]}, search="halving", resource="epochs", algorithm="adam")
