"""A share of the rows for validation: the fit to the first rows, with the last ones as validation data, to the bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, DataWarning

L = ns.layers
N, FIRST = 60, 45

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*boundary knots:neuralstat.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning"),
]


@pytest.fixture(scope="module")
def data():
    """The last quarter lies elsewhere: centres, scales, knots and polynomials of all rows would be others."""
    rng = np.random.default_rng(11)
    late = np.arange(N) >= FIRST
    frame = pd.DataFrame({
        "x": rng.uniform(0, 4, N) + np.where(late, 0.0, 1.0), "z": rng.normal(size=N) * np.where(late, 9.0, 1.0) + 5.0 * late,
        "g": np.where(rng.uniform(size=N) < 0.5, "a", "b"), "w": rng.uniform(0.5, 2, N), "e": rng.uniform(size=N),
        "text": np.where(late, "rain rain wind", np.where(rng.uniform(size=N) < 0.5, "sun cat", "dog sun")),
    })  # fmt: skip
    frame["y"] = 3 + frame["x"] - 2 * frame["z"] + (frame["g"] == "b") + 100 * late + rng.normal(size=N)
    frame["k"] = rng.poisson(np.exp(0.2 * frame["x"])).astype(float)
    frame["c"] = np.where(rng.uniform(size=N) < 0.4, "lo", np.where(rng.uniform(size=N) < 0.5, "mid", "hi"))
    frame["b"] = rng.uniform(size=N) < 0.5
    return frame


EPOCHS = {"algorithm": "adam", "epochs": 3, "batch_size": 8, "rep": 2, "random_state": 4}


def same(one, two, new=None):
    """Weights, history, encoding and predictions are equal to the last bit."""
    assert one.params.index.equals(two.params.index)
    np.testing.assert_array_equal(one.fit.start, two.fit.start)
    np.testing.assert_array_equal(one.fit.theta, two.fit.theta)
    pd.testing.assert_frame_equal(one.history, two.history, check_exact=True)
    assert one.history["val_loss"].notna().all()
    np.testing.assert_array_equal(one.design.x, two.design.x)
    np.testing.assert_array_equal(one.design.y, two.design.y)
    for name in ("x_mean", "x_sd", "y_mean", "y_sd"):
        if two.design.scaling is not None:
            np.testing.assert_array_equal(getattr(one.design.scaling, name), getattr(two.design.scaling, name))
    if new is not None:
        np.testing.assert_array_equal(np.asarray(one.predict(new)), np.asarray(two.predict(new)))


def both(formula, data, **arguments):
    share = ns.neuralnet(formula, data, validation=0.25, **arguments)
    apart = ns.neuralnet(formula, data.iloc[:FIRST], validation=data.iloc[FIRST:], **arguments)
    same(share, apart, data.iloc[: FIRST - 5])
    return share


@pytest.mark.parametrize(
    "formula", ["y ~ x + z", "y ~ g*x", "y ~ poly(x, 2) + scale(z)", "y ~ bs(x, df=5)", "y ~ cr(x, df=4) + C(g)",
                "log(y + 90) ~ x", "k + y ~ x", "y ~ x + offset(e)"]
)  # fmt: skip
@pytest.mark.parametrize("standardize", ["auto", True, False])
def test_scalings_and_transforms_are_of_the_training_rows(data, formula, standardize):
    fit = both(formula, data, hidden=2, standardize=standardize, **EPOCHS)
    assert fit.nobs == FIRST
    # validation rows stay rows of the data, out of the fit
    assert fit.predict().index.equals(data.index)
    assert fit.predict().iloc[FIRST:].isna().all(axis=None)


@pytest.mark.parametrize(
    ("formula", "family"),
    [("k ~ x + z", "poisson"), ("b ~ x", "binomial"), ("c ~ z", "multinomial"), ("c ~ bs(x, df=4)", None)]
)  # fmt: skip
def test_other_families(data, formula, family):
    both(formula, data, hidden=0, family=family, standardize="auto", **EPOCHS)


def test_weights_offsets_stopping(data):
    stop = {"early_stopping": ns.EarlyStopping(1), "standardize": True, **EPOCHS, "epochs": 12}
    column = both("y ~ x", data, weights="w", offset="e", **stop)
    # arrays have the values of all rows
    array = ns.neuralnet("y ~ x", data, weights=data["w"].to_numpy(), offset=data["e"], validation=0.25, **stop)
    same(array, column)
    weighed = ns.neuralnet("y ~ x", data.drop(columns="w"), weights=data["w"][::-1], validation=0.25, **stop)
    same(weighed, ns.neuralnet("y ~ x", data, weights="w", validation=0.25, **stop))


def test_levels_and_words_are_of_the_training_rows(data):
    fit = both("y ~ tokens(text) + x", data, hidden=2, standardize=False, **EPOCHS)
    assert not any("rain" in name for name in fit.design.x_names) and "text[sun]" in fit.design.x_names
    ordered = data.assign(g=pd.Categorical(data["g"], ["b", "unused", "a"]))
    fit = both("y ~ g", ordered, hidden=1, standardize=False, **EPOCHS)
    assert fit.design.x_names == ("g[T.a]",)
    # a level that only the last rows have is none of the model's, as in data given apart
    later = data.assign(g=np.where(np.arange(N) == N - 1, "c", data["g"]))
    for validation, rows in ((0.25, later), (later.iloc[FIRST:], later.iloc[:FIRST])):
        with pytest.raises(DataError, match="'c' not among the model's levels"):
            ns.neuralnet("y ~ g + x", rows, validation=validation, standardize=False, **EPOCHS)
    with pytest.raises(DataError, match=r"validation=0.25, the last 15 rows: column 'g'"):
        ns.neuralnet("y ~ g + x", later, validation=0.25, standardize=False, **EPOCHS)
    classes = data.assign(c=np.where(np.arange(N) == N - 1, "new", data["c"]))
    with pytest.raises(DataError, match=r"validation=0.25.*'new' not among the model's classes"):
        ns.neuralnet("c ~ x", classes, validation=0.25, family="multinomial", standardize=False, **EPOCHS)


def test_missing_rows_do_not_count(data):
    gaps = data.copy()
    gaps.loc[[3, 4, 50, 57], "x"] = np.nan
    gaps.loc[52, "w"] = np.nan
    fit = ns.neuralnet("y ~ scale(x)", gaps, weights="w", validation=0.2, standardize=True, **EPOCHS)
    used = np.flatnonzero(gaps[["x", "w"]].notna().all(axis=1))
    cut = used[int(0.8 * used.size)]
    apart = ns.neuralnet(
        "y ~ scale(x)", gaps.iloc[:cut], weights="w", validation=gaps.iloc[cut:], standardize=True, **EPOCHS
    )
    same(fit, apart)
    assert fit.nobs == 44 and fit.design.kept.sum() == 44 and fit.design.kept.size == N


@pytest.mark.filterwarnings("ignore::neuralstat.errors.DataWarning")
def test_arrays(data):
    y, x = data["y"].to_numpy(), data[["x", "z"]].to_numpy()
    images = np.random.default_rng(1).normal(size=(N, 4, 3)) * np.linspace(1, 5, N)[:, np.newaxis, np.newaxis]
    cases = [
        (y, x, {"hidden": 2}), (y, data[["x", "g"]], {"hidden": 2}), (data["y"], x.tolist(), {"hidden": 0}),
        (np.stack([y, y**2], axis=1), x, {"hidden": 1}), (data["c"].to_numpy(), x, {"hidden": 0, "family": "multinomial"}),
        (y, images, {"layers": [L.Flatten(), L.Dense(2, "tanh")]}),
        (y, x[:, 0], {"hidden": 2, "weights": data["w"].to_numpy()}),
    ]  # fmt: skip
    for standardize in ("auto", True, False):
        for endog, exog, more in cases:
            given = {**EPOCHS, "standardize": standardize, **more}
            share = ns.NeuralNet(endog, exog, validation=0.25, **given).fit()
            head, tail = ([part[k] for part in (endog, exog)] for k in (slice(FIRST), slice(FIRST, None)))
            weights = given.pop("weights", None)
            apart = ns.NeuralNet(*head, validation=tuple(tail), weights=None if weights is None else weights[:FIRST], **given)
            if weights is None:
                same(share, apart.fit())
            else:  # data given apart have no weights
                np.testing.assert_array_equal(share.fit.theta, apart.fit().fit.theta)


def test_data_in_parts(data, tmp_path):
    pieces = [data.iloc[:20], data.iloc[20:47], data.iloc[47:]]
    given = {"hidden": 2, "standardize": True, **EPOCHS}
    share = ns.neuralnet("y ~ x + g", ns.chunks(pieces), validation=0.25, **given)
    first = ns.chunks([data.iloc[:30], data.iloc[30:FIRST]])
    same(share, ns.neuralnet("y ~ x + g", first, validation=data.iloc[FIRST:], **given))
    # whole tables give the same rows; moments are summed in another order
    whole = ns.neuralnet("y ~ x + g", data, validation=0.25, **given)
    np.testing.assert_allclose(share.fit.theta, whole.fit.theta, rtol=1e-9)
    parts = ns.neuralnet("y ~ x + g", data.iloc[:FIRST], validation=ns.chunks([data.iloc[FIRST:50], data.iloc[50:]]), **given)
    same(parts, whole)


def test_layers_and_windows(data):
    series = data.set_index(pd.date_range("2024-01-01", periods=N, freq="h"))
    given = {"layers": [L.Flatten(), L.Dense(3, "tanh")], "standardize": True, **EPOCHS}
    fit = ns.neuralnet("y ~ lags(x, 3)", series, validation=0.2, **given)
    cut = 3 + int(0.8 * (N - 3))
    same(fit, ns.neuralnet("y ~ lags(x, 3)", series.iloc[:cut], validation=series.iloc[cut:], **given))


def test_one_warning_not_two(data):
    still = data.assign(z=1.0)
    with pytest.warns(DataWarning, match="constant column.*'z'") as said:
        ns.neuralnet("y ~ x + z", still, validation=0.25, standardize=True, **EPOCHS)
    assert len([w for w in said if "constant column" in str(w.message)]) == 1
    assert said[0].filename == __file__


def test_refits_set_the_same_rows_aside(data):
    """A fold is a fit to its own rows: the last of them neither trained on, nor in its centres and knots."""
    given = {"hidden": 2, "standardize": True, **EPOCHS, "early_stopping": ns.EarlyStopping(1), "rep": 1}
    model = ns.NeuralNet.from_formula("y ~ bs(x, df=4) + z", data, validation=0.25, **given)
    from neuralstat.assessment.procedure import NetworkProcedure
    from neuralstat.training.parts import part_of

    procedure = NetworkProcedure(model, "mean", True, None)
    rows = np.arange(0, N, 2)
    part = part_of(procedure.procedure, rows)
    first = data.iloc[rows[:22]]
    np.testing.assert_allclose(part.design.scaling.x_mean[-1], first["z"].mean())
    np.testing.assert_allclose(part.design.scaling.y_mean, first["y"].mean())
    np.testing.assert_array_equal(part.held, rows[22:])
    state = next(iter(part.design.spec.matrix.transforms.values()))
    assert state["lower_bound"] == data["x"].min()  # the range is of all rows, inner knots are not
    np.testing.assert_allclose(state["knots"][4], np.median(first["x"]))
    risk = ns.risk(model, "cv", k=3, random_state=1)
    np.testing.assert_array_equal(risk.draws, ns.risk(model, "cv", k=3, random_state=1, stack=False).draws)
    fit = model.fit()
    assert np.isfinite(float(ns.risk(fit, "cv", k=3, random_state=1)))


def test_too_few_rows(data):
    with pytest.raises(ArgumentError, match=r"validation=0.999 leaves 0 of 60 rows"):
        ns.neuralnet("y ~ x", data, validation=0.999, standardize=False, **EPOCHS)
    with pytest.raises(DataError, match="validation: weights must be finite and not negative"):
        check = data.iloc[FIRST:].assign(w=-1.0)
        ns.neuralnet("y ~ x", data.iloc[:FIRST], validation=check, weights="w", standardize=False, **EPOCHS)


def test_raw_helpers_still_split(data):
    assert raw.neuralnet("y ~ x", data, validation=0.25, **EPOCHS).nobs == FIRST
