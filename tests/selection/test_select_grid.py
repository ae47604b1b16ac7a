"""`select` over any argument of `neuralnet`."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.selection.grid import settings_of

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
BY_EPOCHS = {"algorithm": "adam", "epochs": 3, "rep": 1, "criterion": "cv:k=2", "random_state": 1}
SEED = np.random.SeedSequence(4)


@pytest.fixture(scope="module")
def data():
    return ns.datasets.sine(40, random_state=1)


def test_each_candidate_is_the_fit_with_these_arguments(data):
    grid = {"learningrate": [0.001, 0.1], "act_fct": ["tanh", "relu"]}
    found = ns.select("y ~ x", data, hidden=[1, 2], grid=grid, **BY_EPOCHS)
    path = found.path
    assert path[["hidden", "learningrate", "act_fct"]].apply(tuple, axis=1).tolist() == [
        ((h,), rate, act) for h in (1, 2) for rate in (0.001, 0.1) for act in ("tanh", "relu")
    ]
    for k, fit in enumerate(found.fits):
        alone = ns.neuralnet("y ~ x", data, hidden=path["hidden"][k], learningrate=path["learningrate"][k],
                             act_fct=path["act_fct"][k], algorithm="adam", epochs=3, rep=1, random_state=1)  # fmt: skip
        np.testing.assert_array_equal(fit.params, alone.params)
        one = ns.risk(fit, "cv", k=2, rep="mean", random_state=1)
        assert path["criterion"][k] == float(one)
    assert found.path["selected"].idxmin() != found.path["selected"].idxmax()
    assert found.rule == "min" and path["criterion"][path["selected"]].item() == path["criterion"].min()
    assert "learningrate=0." in repr(found) and path["settings"][0] == "learningrate=0.001, act_fct='tanh'"


def test_the_rate_that_learns_is_found(data):
    found = ns.select("y ~ x", data, hidden=3, grid={"learningrate": [1e-6, 0.05], "batch_size": [8, 40]},
                      **{**BY_EPOCHS, "epochs": 60})  # fmt: skip
    assert found.best.settings.learningrate == 0.05
    by_rate = found.path.groupby("learningrate")["criterion"].min()
    assert by_rate[0.05] < 0.7 * by_rate[1e-6]


def test_with_layers_and_terms(data):
    layers = {"none": [ns.layers.Dense(3, "relu")], "some": [ns.layers.Dense(3, "relu"), ns.layers.Dropout(0.3)]}
    others = {name: value for name, value in BY_EPOCHS.items() if name != "epochs"}
    found = ns.select("y ~ x", data, layers=layers, grid={"epochs": [1, 2]}, **others)
    tried = found.path[["hidden", "epochs"]].apply(tuple, axis=1).tolist()
    assert tried == [("none", 1), ("none", 2), ("some", 1), ("some", 2)]
    more = data.assign(z=np.random.default_rng(0).normal(size=len(data)))
    chosen = ns.select("y ~ x + z", more, hidden=[0], inputs=True, grid={"algorithm": ["lm", "bfgs"]}, rep=1, criterion="bic",
                       random_state=1)  # fmt: skip
    assert set(chosen.path["algorithm"]) == {"lm", "bfgs"} and "inputs" in set(chosen.path["stage"])


def test_random_draws_are_different_combinations_and_depend_on_the_seed():
    grid = {"act_fct": ["tanh", "relu", "logistic"], "epochs": range(1, 6)}
    drawn = settings_of(grid, 7, SEED)
    assert len(drawn) == 7 and len({tuple(d.values()) for d in drawn}) == 7
    assert all(d["act_fct"] in grid["act_fct"] and d["epochs"] in grid["epochs"] for d in drawn)
    assert drawn == settings_of(grid, 7, np.random.SeedSequence(4)) != settings_of(grid, 7, np.random.SeedSequence(5))
    everything = settings_of(grid, 100, SEED)
    assert len({tuple(d.values()) for d in everything}) == len(everything) == 15


def test_distributions_are_drawn_from():
    made = settings_of({"learningrate": scipy.stats.loguniform(1e-4, 1e-1), "act_fct": ["tanh", "relu"]}, 2000, SEED)
    rates = np.log10([d["learningrate"] for d in made])
    assert len(made) == 2000 and scipy.stats.kstest(rates, scipy.stats.uniform(-4, 3).cdf).pvalue > 1e-3
    assert abs(pd.Series([d["act_fct"] for d in made]).eq("tanh").mean() - 0.5) < 4 * np.sqrt(0.25 / 2000)


def test_drawn_candidates_are_fitted(data):
    rates = scipy.stats.loguniform(1e-4, 1e-1)
    found = ns.select("y ~ x", data, hidden=1, grid={"learningrate": rates}, n_iter=2, **BY_EPOCHS)
    assert len(found.path) == 2 and found.path["learningrate"].nunique() == 2
    assert found.best.settings.learningrate in set(found.path["learningrate"])


@pytest.mark.parametrize(("options", "message"), [
    ({"grid": {"hidden": [1]}}, "argument of select itself"),
    ({"grid": {"speed": [1]}}, "'speed' is no argument of neuralnet"),
    ({"grid": {"weights": ["w"]}}, "judged by the same rows"),
    ({"grid": {"family": ["poisson"]}}, "cannot be compared"),
    ({"grid": {"epochs": 3}}, r"grid\['epochs'\] must be a list"),
    ({"grid": {"epochs": []}}, r"grid\['epochs'\]: no candidates"),
    ({"grid": {}}, "grid must be a mapping"),
    ({"grid": [1]}, "grid must be a mapping"),
    ({"grid": {"learningrate": scipy.stats.uniform()}}, "give n_iter"),
    ({"grid": {"epochs": range(200), "batch_size": range(1, 200)}}, "39,800 candidates"),
    ({"n_iter": 2}, "n_iter draws from grid"),
    ({"grid": {"epochs": [1]}, "n_iter": 0}, "n_iter"),
    ({"grid": {"epochs": [1]}, "epochs": 2}, "given beside it"),
])  # fmt: skip
def test_what_cannot_be_searched(data, options, message):
    with pytest.raises(ArgumentError, match=message):
        ns.select("y ~ x", data, hidden=1, algorithm="adam", **options)


def test_the_plot_names_the_selected_arguments(data):
    plt = pytest.importorskip("matplotlib.pyplot")
    found = ns.select("y ~ x", data, hidden=1, grid={"learningrate": [0.01, 0.1]}, **BY_EPOCHS)
    ax = found.plot()
    assert found.path["settings"][found.path["selected"]].item() in ax.get_title(loc="left")
    plt.close(ax.figure)
