"""What `predict`, `compute` and `get_prediction` take as new data, and what the link of a mean prediction is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
from scipy.special import softmax

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError

pytestmark = [
    pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning"),
    pytest.mark.filterwarnings("ignore::neuralstat.errors.SingularHessianWarning"),
]
L = ns.layers
N = 50


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.uniform(-2, 2, N), "z": rng.normal(size=N), "g": rng.choice(list("abc"), N)})
    frame["y"] = np.sin(2 * frame["x"]) + 0.1 * rng.normal(size=N)
    frame["b"] = (rng.uniform(size=N) < 1 / (1 + np.exp(-2 * frame["x"]))).astype(int)
    frame["k"] = rng.poisson(np.exp(frame["x"]))
    frame["p"] = rng.gamma(2, np.exp(frame["z"]) / 2)
    return frame


@pytest.fixture(scope="module")
def fit(data):
    return ns.neuralnet("y ~ x", data, hidden=2, standardize=True, rep=2, penalty=ns.decay(0.01), random_state=1)


VALUES = [0.5, -1.0, np.nan, 1.5]


@pytest.mark.parametrize(
    "new",
    [
        VALUES, tuple(VALUES), np.array(VALUES), np.array(VALUES)[:, np.newaxis], [[v] for v in VALUES],
        pd.Series(VALUES), pd.Series(VALUES, name="other"), pd.Index(VALUES), pd.array(VALUES, dtype="Float64"),
        np.array(VALUES, dtype=np.float32), {"x": VALUES}, pd.DataFrame({"x": VALUES, "more": 1}),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_values_of_the_one_covariate(fit, new):
    want = fit.predict(pd.DataFrame({"x": VALUES}))
    np.testing.assert_allclose(fit.predict(new), want)
    np.testing.assert_allclose(fit.compute(new).net_result["y"], fit.predict({"x": VALUES}, rep=1))
    np.testing.assert_allclose(
        fit.get_prediction(new).summary_frame(), fit.get_prediction({"x": VALUES}).summary_frame()
    )
    np.testing.assert_allclose(fit.predict(new, rep="all"), fit.predict({"x": VALUES}, rep="all"))


def test_other_kinds_of_arrays(fit):
    want = fit.predict({"x": [1.0, 2.0]})
    np.testing.assert_allclose(fit.predict(range(1, 3)), want)
    polars = pytest.importorskip("polars")
    np.testing.assert_allclose(fit.predict(polars.Series([1.0, 2.0])), want)
    np.testing.assert_allclose(fit.predict(polars.DataFrame({"x": [1.0, 2.0]})), want)
    arrow = pytest.importorskip("pyarrow")
    np.testing.assert_allclose(fit.predict(arrow.array([1.0, 2.0])), want)


def test_a_series_keeps_its_index(fit):
    got = fit.predict(pd.Series([1.0, 2.0], index=["first", "second"]))
    assert list(got.index) == ["first", "second"] and got.name == "y"
    assert list(fit.compute(pd.Series([1.0], index=[9])).net_result.index) == [9]


@pytest.mark.parametrize(
    "formula", ["y ~ log(x + 3)", "y ~ poly(x, 2)", "y ~ bs(x, df=4)", "y ~ x + sin(x)", "y ~ offset(x) + x"]
)
def test_terms_of_the_one_column(data, formula):
    fit = raw.neuralnet(formula, data, hidden=0, algorithm="lm")
    np.testing.assert_allclose(fit.predict(data["x"]), fit.predict(data))
    np.testing.assert_allclose(fit.predict(data["x"].tolist()), fit.predict(data))


def test_factors_lags_images_and_offsets(data):
    fit = raw.neuralnet("y ~ g", data, hidden=0, algorithm="lm")
    np.testing.assert_allclose(fit.predict(["a", "c"]), fit.predict({"g": ["a", "c"]}))
    with pytest.raises(DataError, match="'q' not among the model's levels"):
        fit.predict(["q"])
    lags = raw.neuralnet("y ~ lags(y, 2)", data, hidden=0, algorithm="lm")
    np.testing.assert_allclose(lags.predict(data["y"].to_numpy()), lags.predict(data))
    images = np.random.default_rng(1).normal(size=(N, 3, 4))
    net = raw.neuralnet("y ~ image", {"y": data["y"].to_numpy(), "image": images}, layers=[L.Flatten(), L.Dense(2, "tanh")],
                        algorithm="adam", epochs=2, random_state=1)  # fmt: skip
    np.testing.assert_array_equal(net.predict(images[:5]), net.predict({"image": images[:5]}))
    with pytest.raises(DataError, match="held an array of shape"):
        net.predict(images[0])
    both = raw.neuralnet("k ~ x", data, hidden=0, family="poisson", offset="z", algorithm="lm")
    with pytest.raises(DataError, match=r"new has shape.*reads 'x', 'z' by name"):
        both.predict([1.0, 2.0])


def test_models_of_arrays(data):
    x = data[["x", "z"]].to_numpy()
    fit = raw.NeuralNet(data["y"].to_numpy(), x, hidden=2, algorithm="lm", random_state=1).fit()
    want = fit.predict()
    for new in (x, x.tolist(), pd.DataFrame(x, columns=["x1", "x2"])):
        np.testing.assert_allclose(fit.predict(new), want)
        np.testing.assert_allclose(fit.compute(new).net_result["y"], fit.predict(rep=1))
        np.testing.assert_allclose(fit.get_prediction(new).predicted_mean, want)
    one = raw.NeuralNet(data["y"].to_numpy(), data["x"].to_numpy(), hidden=1, algorithm="lm", random_state=1).fit()
    for new in (data["x"], data["x"].to_numpy(), data["x"].tolist(), data[["x"]].to_numpy()):
        np.testing.assert_allclose(one.predict(new), one.predict())
    for new, message in (
        (x[:, :1], r"new has shape \(50, 1\); 2 column\(s\) are needed: 'x1', 'x2'"),
        (x[0], r"new has shape \(2,\); 2 column"),
        (data["x"], r"new is one column \('x'\), but the model needs 2 column\(s\): 'x1', 'x2'"),
    ):
        with pytest.raises(DataError, match=message):
            fit.predict(new)


def test_validation_pairs_and_folds_take_arrays(data):
    x = data[["x"]].to_numpy()
    net = ns.NeuralNet(data["y"].to_numpy()[:40], x[:40], hidden=1, algorithm="adam", epochs=2, random_state=1,
                       validation=(data["y"].to_numpy()[40:], data["x"].to_numpy()[40:]), standardize=True).fit()  # fmt: skip
    assert net.history["val_loss"].notna().all()


@pytest.mark.parametrize(
    ("new", "error", "message"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], DataError, r"new has shape \(2, 2\), but the formula reads 'x', 'z' by name: give"),
        ([1.0, 2.0], DataError, r"new has shape \(2,\), but the formula reads 'x', 'z' by name"),
        (pd.Series([1.0], name="x"), DataError, r"new is one column \('x'\), but the model needs 2 column\(s\): 'x', 'z'"),
        (pd.Series({"x": 1.0, "z": 2.0}), DataError, r"new is a Series whose labels are the columns 'x', 'z', one row"),
        ([[1.0], [2.0, 3.0]], DataError, "new is a list whose rows differ in length"),
        (3.0, ArgumentError, "new must be a pandas"),
        ("text", ArgumentError, "new must be a pandas"),
    ],
)
def test_what_is_not_clear_is_refused(data, new, error, message):
    fit = raw.neuralnet("y ~ x + z", data, hidden=0, algorithm="lm")
    for ask in (fit.predict, lambda n: fit.compute(n), lambda n: fit.get_prediction(n)):
        with pytest.raises(error, match=message):
            ask(new)


def test_one_row_as_a_series(fit, data):
    with pytest.raises(DataError, match=r"one row: give it as a table, by series.to_frame\(\).T"):
        fit.predict(data.iloc[0])
    assert len(fit.predict(data.iloc[[0]])) == 1


def test_matrices_by_position_as_in_r(data):
    fit = ns.neuralnet("y ~ x + z", data, hidden=1, compat="R", random_state=1, threshold=0.1)
    want = fit.predict(data)
    np.testing.assert_allclose(fit.predict(data[["x", "z"]].to_numpy()), want)
    np.testing.assert_allclose(fit.compute(data[["x", "z"]].to_numpy().tolist()).net_result["y"], want)


# link ------------------------------------------------------------------------------------------------------

LINKS = [
    ("b ~ x", "binomial", lambda p: np.log(p / (1 - p))),
    ("k ~ x", "poisson", np.log),
    ("p ~ z", ns.families.Gamma("log"), np.log),
    ("p ~ z", ns.families.Gamma("inverse_power"), lambda m: 1 / m),
    ("b ~ x", ns.families.Binomial("cloglog"), lambda p: np.log(-np.log(1 - p))),
    ("y ~ x", "gaussian", lambda m: m),
]


@pytest.mark.parametrize(("formula", "family", "link"), LINKS)
@pytest.mark.parametrize("algorithm", ["rprop+", "adam"])
def test_the_link_is_that_of_the_mean_response(data, formula, family, link, algorithm):
    more = {"epochs": 3} if algorithm == "adam" else {"stepmax": 60}
    fit = ns.neuralnet(formula, data, hidden=2, family=family, algorithm=algorithm, rep=4, standardize=True,
                       random_state=2, **more)  # fmt: skip
    eta, mean = fit.predict(data, type="link"), fit.predict(data)
    np.testing.assert_allclose(eta, link(mean), rtol=1e-9)
    np.testing.assert_array_equal(fit.predict(type="link"), eta)
    np.testing.assert_allclose(link(fit.get_prediction(data).predicted_mean), eta, rtol=1e-9)
    every = fit.predict(data, type="link", rep="all")
    for r in range(1, 5):  # of one repetition it is the linear predictor
        np.testing.assert_array_equal(fit.predict(data, type="link", rep=r), every[r])
        np.testing.assert_allclose(every[r], link(fit.predict(data, rep=r)), rtol=1e-7)
    assert np.array_equal(fit.predict(type="link", rep="best"), every[fit.reps["error"].idxmin()])
    if family != "gaussian":
        assert np.abs(every.mean(axis=1) - eta).max() > 1e-6  # not the mean of the linear predictors


def test_links_of_classes(data):
    fit = ns.neuralnet("g ~ x + z", data, hidden=2, family="multinomial", rep=3, standardize=True, random_state=2,
                       stepmax=80)  # fmt: skip
    eta, mean = fit.predict(data, type="link"), fit.predict(data)
    np.testing.assert_allclose(eta, np.log(mean), rtol=1e-9)
    np.testing.assert_allclose(softmax(fit.predict(data, type="link", rep=1), axis=1), fit.predict(data, rep=1), rtol=1e-9)
    gaps = data.assign(x=data["x"].where(data.index != 3))
    assert fit.predict(gaps, type="link").loc[3].isna().all()


def test_links_of_probabilities_that_round_to_one(data):
    """The mean of the probabilities is 1 in floating point; its link is not infinite."""
    start = np.array([[0.0, 1.0], [0.0, 2.0]])
    fit = raw.neuralnet("b ~ x", data, hidden=0, family="binomial", algorithm="sgd", epochs=0, startweights=start, rep=2)
    got = fit.predict([0.0, 100.0, -100.0, 50.0], type="link")
    np.testing.assert_allclose(got, [0, 100 + np.log(2), -100 - np.log(2), 50 + np.log(2)], rtol=1e-12)
    counts = raw.neuralnet("k ~ x", data, hidden=0, family="poisson", algorithm="sgd", epochs=0, startweights=start, rep=2)
    np.testing.assert_allclose(counts.predict([1000.0], type="link"), 2000 - np.log(2))


def test_outputs_by_an_activation(data):
    fit = raw.neuralnet("b ~ x", data, hidden=1, err_fct="sse", linear_output=False, rep=3, random_state=1, stepmax=50)
    p = fit.predict(data)
    np.testing.assert_allclose(fit.predict(data, type="link"), np.log(p / (1 - p)), rtol=1e-9)
    ce = raw.neuralnet("b ~ x", data, hidden=1, err_fct="ce", linear_output=False, rep=3, random_state=1, stepmax=50)
    p = ce.predict(data)
    np.testing.assert_allclose(ce.predict(data, type="link"), np.log(p / (1 - p)), rtol=1e-9)


@pytest.mark.parametrize(("formula", "family"), [("y ~ x", "gaussian"), ("g ~ x", "multinomial"),
                                                 ("k ~ x", "negative_binomial"),
                                                 ("y + p ~ x", "gaussian")])  # fmt: skip
def test_tables_without_rows_have_predictions_without_rows(formula, family, data):
    fit = raw.neuralnet(formula, data, family=family, hidden=1, rep=2, penalty=ns.decay(0.1), random_state=1, stepmax=200,
                        algorithm="lbfgs")  # fmt: skip
    asked = [{}, {"rep": "best"}, {"rep": "all"}, {"type": "link"}, {"combine": "mixture"}]
    asked += [{"type": "class"}, {"type": "class", "rep": "all"}] if family == "multinomial" else []
    for options in asked:
        some, none = fit.predict(data[:3], **options), fit.predict(data[:0], **options)
        assert type(none) is type(some) and none.shape == (0, *some.shape[1:]), options
    some, none = (fit.get_prediction(table).summary_frame() for table in (data[:3], data[:0]))
    assert none.shape == (0, some.shape[1]) and none.columns.equals(some.columns)
