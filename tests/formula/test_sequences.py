"""Lags, leads, windows and words in formulas."""

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import design
from neuralstat.formula.spec import Spec


@pytest.fixture
def traffic():
    rng = np.random.default_rng(3)
    n = 40
    return pd.DataFrame(
        {"flow": np.sin(np.arange(n) / 3) + 0.1 * rng.standard_normal(n), "temp": rng.random(n),
         "site": ["a", "b"] * (n // 2),
         "one": np.arange(float(n))},
        index=pd.date_range("2024-01-01", periods=n, freq="h", name="time"),
    )  # fmt: skip


def by_shift(column, shifts):
    return np.array([column.shift(-s).to_numpy() for s in shifts]).T


@pytest.mark.parametrize(
    ("term", "shifts"),
    [("lags(flow, 3)", (-3, -2, -1)), ("lags(flow, 3, start=0)", (-2, -1, 0)), ("lags(flow, 2, start=5)", (-6, -5)),
     ("leads(flow, 2)", (0, 1)), ("leads(flow, 2, start=1)", (1, 2)), ("window(flow, 1)", (-1, 0, 1)),
     ("window(flow, h=0)", (0,))],
)  # fmt: skip
def test_windows_are_shifts(traffic, term, shifts):
    d = design(f"temp ~ {term}", traffic)
    expected = by_shift(traffic["flow"], shifts)
    full = ~np.isnan(expected).any(axis=1)
    np.testing.assert_array_equal(d.kept, full)
    np.testing.assert_array_equal(d.x.T, expected[full])
    assert d.index.equals(traffic.index[full])
    assert d.input_shape == (len(shifts), 1)
    assert d.x_names == tuple(f"flow.lag{-s}" if s < 0 else f"flow.lead{s}" for s in shifts)


def test_lags_do_not_see_what_leads_forecast(traffic):
    d = design("leads(one, 4) ~ lags(one, 3)", traffic)
    assert d.x[:, 0].tolist() == [0, 1, 2]
    assert d.y[:, 0].tolist() == [3, 4, 5, 6]
    assert d.y_names == ("one.lead0", "one.lead1", "one.lead2", "one.lead3")
    assert d.index[0] == traffic.index[3]


def test_groups_are_not_crossed(traffic):
    d = design("flow ~ lags(one, 2, by=site)", traffic)
    expected = traffic.groupby("site")["one"]
    np.testing.assert_array_equal(d.x[1], expected.shift(1)[d.kept])
    np.testing.assert_array_equal(d.x[0], expected.shift(2)[d.kept])
    assert (~d.kept).sum() == 4
    shuffled = traffic.sort_values("site", kind="stable")  # series one after the other: times start again
    again = design("flow ~ lags(one, 2, by=site)", shuffled)
    np.testing.assert_array_equal(np.sort(again.x[0]), np.sort(d.x[0]))
    with pytest.raises(DataError, match="index does not rise; sort the data by time, or give by="):
        design("flow ~ lags(one, 2)", shuffled)
    with pytest.raises(DataError, match="within a group"):
        design("flow ~ lags(one, 2, by=site)", traffic.iloc[::-1])
    unknown = traffic.assign(site=traffic["site"].where(traffic["site"] == "a"))
    assert not design("flow ~ lags(one, 2, by=site)", unknown).kept[1::2].any()


def test_missing_values_cost_the_rows_whose_windows_hold_them(traffic):
    traffic.loc[traffic.index[10], "flow"] = np.nan
    d = design("temp ~ lags(flow, 3)", traffic)
    assert np.flatnonzero(~d.kept).tolist() == [0, 1, 2, 11, 12, 13]  # row 10 itself has its lags
    with pytest.raises(DataError, match=r"'lags\(flow, 3\)' \(3\)"):
        design("temp ~ lags(flow, 3)", traffic, missing="raise")
    filled = traffic.assign(flow=traffic["flow"].fillna(0.0))
    assert design("temp ~ lags(flow, 3)", filled, missing="raise").kept.sum() == 37  # edges are no missing values
    with pytest.raises(DataError, match="none has all its lags"):
        design("temp ~ lags(one, 30) + leads(one, 30)", traffic)


def test_variables_are_features_of_one_sequence(traffic):
    d = design("leads(flow, 2) ~ lags(flow, 3) + lags(temp, 3) + site", traffic)
    assert d.input_shape == (3, 2)
    assert d.n_beside == 1
    sequence = d.x[:6].T.reshape(-1, 3, 2)
    full = d.kept
    np.testing.assert_array_equal(sequence[:, :, 0], by_shift(traffic["flow"], (-3, -2, -1))[full])
    np.testing.assert_array_equal(sequence[:, :, 1], by_shift(traffic["temp"], (-3, -2, -1))[full])
    assert d.terms == {"lags(flow, 3)": (0, 2, 4), "lags(temp, 3)": (1, 3, 5), "site": (6,)}
    np.testing.assert_array_equal(d.x[6], (traffic["site"] == "b")[full])
    assert design("temp ~ lags(log(one + 1), 2)", traffic).x[1, 0] == np.log(2)


def test_new_data_and_saved_formula(traffic):
    formula = "leads(flow, 2) ~ lags(flow, 3, by=site) + lags(log(one + 1), 3) + temp"
    d = design(formula, traffic, standardize=True)
    stored = Spec.from_json(d.spec.to_json())
    new = traffic.iloc[5:20].drop(columns=[])
    for spec in (d.spec, stored):
        np.testing.assert_array_equal(spec.encode(traffic).x[:, d.kept], d.x)
        assert spec.encode(new).complete.tolist() == [False] * 6 + [True] * 9
        y, complete = spec.encode_response(traffic)
        np.testing.assert_array_equal(y[:, d.kept], d.y)
        assert complete.tolist() == [True] * 39 + [False]
        np.testing.assert_array_equal(spec.encode(d.frame).x, d.x)  # the columns made are taken as they are
        with pytest.raises(DataError, match="no column 'site'"):
            spec.encode(traffic.drop(columns="site"))
    # one centre and scale for all lags of a variable
    assert np.unique(d.scaling.x_sd[list(d.terms["lags(flow, 3, by=site)"])]).size == 1


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("flow ~ lags(flow)", ArgumentError, "k is missing"),
        ("flow ~ lags(flow, 0)", ArgumentError, r"whole number >= 1, got 0"),
        ("flow ~ lags(flow, 2.5)", ArgumentError, "got 2.5"),
        ("flow ~ lags(flow, temp)", ArgumentError, "k must be a plain value, got 'temp'"),
        ("flow ~ lags(flow, 2, width=3)", ArgumentError, "unknown or repeated argument 'width'"),
        ("flow ~ lags(flow, 2, by=3)", ArgumentError, "by must be a column"),
        ("flow ~ lags(flow, 2, by=nope)", DataError, "no column 'nope'"),
        ("flow ~ lags(flo, 2)", DataError, "Did you mean 'flow'"),
        ("flow ~ lags(site, 2)", DataError, "'site' must be numeric"),
        ("flow ~ log(lags(flow, 2))", ArgumentError, "term of its own"),
        ("flow ~ {lags(flow, 2) * 2}", ArgumentError, "term of its own"),
        ("flow ~ lags(flow, 2):temp", ArgumentError, "interaction"),
        ("flow ~ lags(poly(temp, 2), 2)", DataError, "elementwise functions"),
        ("flow ~ lags(log(nope), 2)", DataError, "no column 'nope'"),
        ("flow ~ window(flow, -1)", ArgumentError, ">= 0"),
        ("tokens(site) ~ flow", ArgumentError, "cannot be a response"),
        ("flow ~ tokens(temp)", DataError, "needs texts, but column 'temp'"),
    ],
)  # fmt: skip
def test_unusable_windows(traffic, formula, error, message):
    with pytest.raises(error, match=message):
        design(formula, traffic)


def test_linear_autoregression_is_least_squares(traffic):
    """No hidden layer: leads on lags is a regression on shifted columns."""
    fit = raw.neuralnet("leads(flow, 3) ~ lags(flow, 4)", traffic, hidden=0, algorithm="lm", threshold=1e-9, random_state=1)
    x = by_shift(traffic["flow"], (-4, -3, -2, -1))
    y = by_shift(traffic["flow"], (0, 1, 2))
    used = ~np.isnan(np.c_[x, y]).any(axis=1)
    design_matrix = np.c_[np.ones(used.sum()), x[used]]
    beta = np.linalg.lstsq(design_matrix, y[used], rcond=None)[0]
    np.testing.assert_allclose(fit.weights[0][0], beta, atol=1e-6)
    assert fit.result_matrix.index[3] == "Intercept.to.flow.lead0"
    assert fit.fittedvalues.index.equals(traffic.index)
    assert np.isnan(fit.fittedvalues.to_numpy()).any(axis=1).sum() == 4 + 2
    # the next rows: the response need not be there, only its lags
    future = pd.DataFrame({"flow": [np.nan]}, index=[traffic.index[-1] + pd.Timedelta("1h")])
    ahead = fit.predict(pd.concat([traffic[["flow"]], future]).iloc[-5:])
    np.testing.assert_allclose(ahead.iloc[-1], np.r_[1, traffic["flow"].iloc[-4:]] @ beta, atol=1e-6)
    assert ahead.iloc[:-1].isna().all(axis=None)


def test_recurrent_forecast(traffic, tmp_path):
    fit = raw.neuralnet("leads(flow, 2) ~ lags(flow, 6) + lags(temp, 6)", traffic, layers=[L.LSTM(3)], algorithm="rmsprop",
                       epochs=3, batch_size=8, validation=0.25, standardize=True, random_state=1)  # fmt: skip
    assert fit.get_weights()["lstm/kernel"].shape == (2, 12)
    assert fit.history["val_loss"].notna().all()
    assert list(fit.predict().columns) == ["flow.lead0", "flow.lead1"]
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_frame_equal(again.predict(traffic), fit.predict(traffic))
    pd.testing.assert_frame_equal(again.predict(), fit.predict())
    assert again.call == fit.call


# -- words --------------------------------------

TEXTS = pd.DataFrame(
    {"text": ["The cat sat", "a dog and the dog", None, "Cat and dog", "rain"], "y": [1.0, 2, 3, 4, 5]},
    index=list("abcde"),
)


def test_tokens_are_counts():
    from sklearn.feature_extraction.text import CountVectorizer

    d = design("y ~ tokens(text)", TEXTS)
    known = TEXTS["text"].dropna()
    vectorizer = CountVectorizer().fit(known)
    np.testing.assert_array_equal(d.x.T, vectorizer.transform(known).toarray())
    assert d.x_names == tuple(f"text[{w}]" for w in vectorizer.get_feature_names_out())
    assert d.index.tolist() == ["a", "b", "d", "e"]
    top = design("y ~ tokens(text, max_features=2, binary=True)", TEXTS)
    assert top.x_names == ("text[and]", "text[dog]")
    np.testing.assert_array_equal(top.x.T, [[0, 0], [1, 1], [1, 1], [0, 0]])
    assert design("y ~ tokens(text, stop_words='english')", TEXTS).x_names == (
        "text[cat]",
        "text[dog]",
        "text[rain]",
        "text[sat]",
    )
    cased = design("y ~ tokens(text, lowercase=False)", TEXTS).x_names
    assert "text[Cat]" in cased and "text[cat]" in cased


def test_sparse_counts_are_taken():
    """What a vectorizer gives is a term, and stands for arrays."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = TEXTS.dropna()
    vectorizer = TfidfVectorizer().fit(known["text"])
    words, full = (f(vectorizer.transform(known["text"])) for f in (lambda m: m, lambda m: m.toarray()))
    same = {"hidden": 0, "algorithm": "adam", "epochs": 3, "random_state": 1}
    by_term = raw.neuralnet("y ~ words", {"y": known["y"].to_numpy(), "words": words}, **same)
    np.testing.assert_array_equal(by_term.design.x.T, full)
    np.testing.assert_array_equal(by_term.predict({"words": words[:2]}), by_term.predict()[:2])
    arrays = raw.NeuralNet(known["y"].to_numpy(), words, **same).fit()
    np.testing.assert_array_equal(arrays.fit.theta, by_term.fit.theta)
    np.testing.assert_array_equal(arrays.predict(words[2:]), arrays.predict()[2:])


def test_sequences_pad_in_front_and_keep_the_end():
    d = design("y ~ sequences(text, 4, max_features=5)", TEXTS)
    # by frequency, then alphabet: dog 3, and 2, cat 2, the 2; three fit beside padding (0) and unknown (1)
    np.testing.assert_array_equal(d.x.T, [[0, 1, 4, 1], [2, 3, 1, 2], [0, 4, 3, 2], [0, 0, 0, 1]])
    assert d.input_shape == (4,)
    assert np.array_equal(design("y ~ sequences(text, 4, 5)", TEXTS, standardize=True).x, d.x)  # numbers of words


@pytest.mark.parametrize("term", ["tokens(text, max_features=3)", "sequences(text, 3, max_features=5)"])
def test_vocabulary_is_that_of_the_fit(term, tmp_path):
    fit = raw.neuralnet(f"y ~ {term}", TEXTS, hidden=0, algorithm="lm", penalty=ns.decay(0.1), threshold=1e-6, random_state=1)
    new = pd.DataFrame({"text": ["dog dog snow", None, ""]}, index=[7, 8, 9])
    first = fit.predict(new)
    assert first.isna().tolist() == [False, True, False]
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_series_equal(again.predict(new), first)
    assert again.design.spec.derived == fit.design.spec.derived
    with pytest.raises(DataError, match="needs texts"):
        again.predict(pd.DataFrame({"text": [1.0]}))


def test_unusable_words():
    for formula, message in [
        ("y ~ tokens(text, max_features=0)", "max_features must be"), ("y ~ sequences(text, 0, 5)", "length must be"),
        ("y ~ sequences(text, 3, 2)", ">= 3"), ("y ~ tokens(text, min_df=9)", "min_df"),
        ("y ~ tokens(nope)", "no column 'nope'"),
    ]:  # fmt: skip
        with pytest.raises((ArgumentError, DataError), match=message):
            design(formula, TEXTS)


def test_own_functions_of_these_names_come_first():
    data = pd.DataFrame({"y": [1.0, 2, 3], "x": [1.0, 2, 4]})
    np.testing.assert_array_equal(design("y ~ lags(x)", data, context={"lags": lambda x: 2 * x}).x, [[2, 4, 8]])
