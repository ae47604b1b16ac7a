"""Effects of indicators and of numbers that are levels: discrete changes; formulas of every kind work with every effect."""

from __future__ import annotations

import fits
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import neuralstat as ns
from neuralstat.errors import ArgumentError

N = 90


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    data = pd.DataFrame({
        "x": rng.normal(size=N), "z": rng.uniform(1, 2, N), "n": rng.integers(1, 4, N), "b": rng.random(N) > 0.5,
        "s": rng.choice(list("pqr"), N), "d": rng.integers(0, 2, N), "f": rng.choice([1.5, 2.5], N),
        "o": pd.Categorical(rng.choice(["low", "mid", "high"], N), ["low", "mid", "high"], ordered=True),
    })  # fmt: skip
    data["y"] = np.sin(data["x"]) + data["n"] ** 2 / 4 + data["d"] * data["x"] + data["b"] + 0.1 * rng.normal(size=N)
    data["c"] = (data["y"] + rng.normal(size=N) > 2).astype(float)
    data["k"] = rng.poisson(np.exp(0.4 * data["x"] + 0.5 * data["d"]))
    return data


FRAME = _frame()


def fitted(formula: str, **options):
    chosen = {"hidden": 2, "rep": 2, "random_state": 1, "algorithm": "lm", "standardize": True, "penalty": ns.decay(0.01)}
    return ns.neuralnet(formula, FRAME, **{**chosen, **options})


def linear(formula: str, **options):
    return fitted(formula, **{"hidden": 0, "rep": 1, "algorithm": "lm", "threshold": 1e-9, "penalty": None, **options})


@pytest.fixture(scope="module")
def net():
    return fitted("y ~ x + d + C(n) + b + s")


def change(fit, name, low, high):
    """Mean change of the prediction, by hand."""
    return (fit.predict(FRAME.assign(**{name: high})) - fit.predict(FRAME.assign(**{name: low}))).mean()


def test_an_indicator_has_a_change_and_no_slope(net):
    found = net.marginal_effects(variables="d").loc["d", "dy/dx"]
    assert found == pytest.approx(change(net, "d", 0, 1), rel=1e-10)
    slope = net.marginal_effects(variables="d", dummy=False).loc["d", "dy/dx"]
    assert abs(slope - found) > 0.01


@pytest.mark.parametrize("values", [(0, 1), (1, 2), (-3.5, 10.0)])
def test_any_two_values(values):
    data = FRAME.assign(t=np.where(FRAME["d"] == 1, values[1], values[0]))
    fit = ns.neuralnet("y ~ x * t", data, hidden=2, rep=1, random_state=2, algorithm="lm", standardize=True,
                       penalty=ns.decay(0.1))  # fmt: skip
    by_hand = (fit.predict(data.assign(t=values[1])) - fit.predict(data.assign(t=values[0]))).mean()
    assert fit.marginal_effects(variables="t").loc["t", "dy/dx"] == pytest.approx(by_hand, rel=1e-10)
    assert list(fit.partial_dependence("t").index) == list(values)


@pytest.mark.parametrize("method", ["dydx", "eydx"])
def test_dummies_of_statsmodels(method):
    """statsmodels' get_margeff(dummy=True), with its standard errors."""
    theirs = smf.logit("c ~ x + d", FRAME).fit(disp=0, tol=1e-12).get_margeff(method=method, dummy=True).summary_frame()
    ours = linear("c ~ x + d", family="binomial").marginal_effects(method=method)
    np.testing.assert_allclose(ours.iloc[:, 0], theirs.iloc[:, 0], rtol=1e-5)
    np.testing.assert_allclose(ours["std err"], theirs["Std. Err."], rtol=1e-4)
    at_mean = smf.logit("c ~ x + d", FRAME).fit(disp=0, tol=1e-12).get_margeff(at="mean", method=method, dummy=True)
    ours = linear("c ~ x + d", family="binomial").marginal_effects("mean", method)
    np.testing.assert_allclose(ours.iloc[:, :2], at_mean.summary_frame().iloc[:, :2], rtol=1e-4)
    counts = smf.poisson("k ~ x + d", FRAME).fit(disp=0).get_margeff(method=method, dummy=True).summary_frame()
    ours = linear("k ~ x + d", family="poisson").marginal_effects(method=method)
    np.testing.assert_allclose(ours.loc["d"].iloc[:2], counts.loc["d"].iloc[:2], rtol=1e-4)
    with pytest.raises(ArgumentError, match="one sign"):
        fitted("x ~ d + z").marginal_effects(method="eydx")


def test_numbers_made_levels_are_levels(net):
    table = net.marginal_effects(variables=["n", "b", "s"])
    assert list(table.index) == ["n[2]", "n[3]", "b[True]", "s[q]", "s[r]"]
    assert table.loc["n[3]", "dy/dx"] == pytest.approx(change(net, "n", 1, 3), rel=1e-10)
    assert table.loc["b[True]", "dy/dx"] == pytest.approx(change(net, "b", False, True), rel=1e-10)
    assert list(net.partial_dependence("n").index) == [1, 2, 3]
    assert list(net.lek_profile("n")["value"].unique()) == [1, 2, 3]
    with pytest.raises(ArgumentError, match=r"no level 1\.5"):
        net.partial_dependence("n", [1.5])


def test_a_number_that_is_also_a_number_is_a_number():
    """A column of which a formula makes two groups has values between them."""
    fit = fitted("y ~ {x > 0} + z + x")
    assert fit.marginal_effects(variables="x").index.tolist() == ["x"]
    assert len(fit.partial_dependence("x", 7)) == 7


FORMULAS = [
    "y ~ x + C(n)", "y ~ x + C(s)", "y ~ x * C(n)", "y ~ np.log(z) + x", "y ~ bs(x, df=5) + z", "y ~ x + b",
    "y ~ C(b) + x:z", "y ~ poly(x, 2) * d", "y ~ C(f) + x", "y ~ x + s:z", "y ~ cr(x, df=4) + z", "y ~ o + x",
    "y ~ C(n):C(s) + x", "y ~ C(n, contr.sum) + z", "y ~ x + z + C(d)",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_effect_of_every_variable(formula):
    """Partial dependence and individual curves are those of predictions by hand; nothing fails."""
    fit = fitted(formula, rep=1, stepmax=200, threshold=1.0)
    for name in fit.design.spec.covariates:
        pdp = fit.partial_dependence(name, 4)
        for value in pdp.index:
            by_hand = fit.predict(FRAME.assign(**{name: pd.Series(value, FRAME.index, dtype=FRAME[name].dtype)
                                                  if name == "o" else value}))  # fmt: skip
            assert pdp.loc[value, "mean"] == pytest.approx(by_hand.mean(), rel=1e-9)
        np.testing.assert_allclose(fit.ice(name, 4).mean(axis=1), pdp["mean"], rtol=1e-9)
        assert np.isfinite(fit.ale(name, 4)[["ale", "std err"]].to_numpy()).all()
        assert np.isfinite(fit.marginal_effects(variables=name)["dy/dx"]).all()
        assert np.isfinite(fit.lek_profile(name)["mean"]).all()
    assert set(fit.importance(repeats=1, random_state=1).index) == set(fit.design.spec.covariates)


def test_slopes_at_the_ends_of_splines():
    """bs() is not defined beyond the data: slopes there are one-sided, and right. y = s(x): the mean of s' over the data."""
    fit = linear("y ~ bs(x, df=6)")
    h = 1e-5
    inner = FRAME[(FRAME["x"] > FRAME["x"].min()) & (FRAME["x"] < FRAME["x"].max())]
    slopes = (fit.predict(inner.assign(x=inner["x"] + h)) - fit.predict(inner.assign(x=inner["x"] - h))) / (2 * h)
    found = fit.marginal_effects(data=inner).loc["x", "dy/dx"]
    assert found == pytest.approx(slopes.mean(), rel=1e-4)
    ends = pd.DataFrame({"x": [FRAME["x"].min(), FRAME["x"].max()]})
    near = fit.predict(pd.DataFrame({"x": [ends["x"][0] + h, ends["x"][1] - h]})).to_numpy() - fit.predict(ends).to_numpy()
    assert fit.marginal_effects(data=ends).loc["x", "dy/dx"] == pytest.approx((near / [h, -h]).mean(), rel=1e-3)


def test_constant_variables_are_named():
    fit = fitted("y ~ x + z")
    for make in (lambda: fit.marginal_effects(data=FRAME.iloc[:1], variables="w"),):
        with pytest.raises(ArgumentError, match="variable must be one of"):
            make()


@pytest.fixture(scope="module")
def classes():
    data = FRAME.assign(g=np.where(FRAME["y"] < 1, "low", np.where(FRAME["y"] < 2.2, "mid", "high")))
    return ns.neuralnet("g ~ x + d + C(n)", data, hidden=2, rep=2, random_state=1, algorithm="lm", standardize=True,
                        penalty=ns.decay(0.05), family="multinomial")  # fmt: skip


def test_all_classes_unless_one_is_named(classes):
    """The effects on the probabilities add up to nothing, the probabilities to one; one class is that part of all."""
    effects = classes.marginal_effects()
    assert list(effects.index.get_level_values(0).unique()) == ["high", "low", "mid"]
    sums = effects["dy/dx"].unstack("response").sum(axis=1)
    np.testing.assert_allclose(sums, 0, atol=1e-12)
    profile = classes.partial_dependence("x", 5)
    np.testing.assert_allclose(profile["mean"].unstack("response").sum(axis=1), 1)
    for name in ("high", "low", "mid"):
        pd.testing.assert_frame_equal(classes.partial_dependence("x", 5, response=name), profile.loc[name])
        pd.testing.assert_frame_equal(classes.marginal_effects(response=name), effects.loc[name])
    assert classes.ice("x", 3).shape == (9, N) and classes.ale("x", 4).index.names == ["response", "x"]
    assert classes.lek_profile("x", 3)["response"].nunique() == 3
    with pytest.raises(ArgumentError, match="response must be one of 'high', 'low', 'mid'"):
        classes.ale("x", response="none")


def test_limits_of_probabilities_stay_between_0_and_1(classes):
    for fit, names in ((classes, ["x", "n"]), (linear("c ~ x + d", family="binomial"), ["x", "d"])):
        for name in names:
            frame = fit.partial_dependence(name, np.linspace(-6, 6, 9) if name == "x" else 50)
            assert (frame["lower"] >= 0).all() and (frame["upper"] <= 1).all()
            assert (frame["lower"] < frame["mean"]).all() and (frame["mean"] < frame["upper"]).all()


def test_effects_over_another_table(classes):
    some = FRAME[FRAME["b"]].set_index(pd.Index([f"r{i}" for i in range(int(FRAME["b"].sum()))]))
    pdp = classes.partial_dependence("x", [-1.0, 1.0], data=some)
    assert pdp.loc[("mid", 1.0), "mean"] == pytest.approx(classes.predict(some.assign(x=1.0))["mid"].mean())
    without = classes.partial_dependence("x", [-1.0, 1.0], data=some.drop(columns="x"))
    pd.testing.assert_frame_equal(without, pdp)
    assert list(classes.ice("x", 2, data=some).columns) == list(some.index)
    net = fitted("y ~ x + d + s")
    by_hand = (net.predict(some.assign(d=1)) - net.predict(some.assign(d=0))).mean()
    assert net.marginal_effects(data=some).loc["d", "dy/dx"] == pytest.approx(by_hand)
    gap = some.assign(x=np.where(np.arange(len(some)) < 3, np.nan, some["x"]))
    full = net.marginal_effects(data=gap.dropna())
    pd.testing.assert_frame_equal(net.marginal_effects(data=gap), full)
    held_out = net.importance(data=some, repeats=2, random_state=1)
    assert set(held_out.index) == {"x", "d", "s"}
    with pytest.raises(ns.errors.DataError, match="no complete row"):
        net.partial_dependence("d", data=gap.iloc[:3])


def test_one_warning_for_a_singular_fit():
    data = FRAME.assign(x2=2 * FRAME["x"])
    fit = fits.quiet("y ~ x + x2 + d", data, hidden=1, algorithm="lm", random_state=1, standardize=True)
    with pytest.warns(ns.errors.SingularHessianWarning) as said:
        fit.partial_dependence("x", 20)
    assert len(said) == 1


def test_offset_as_an_array_stays_with_its_row():
    offset = 0.3 * FRAME["z"].to_numpy()
    fit = fitted("k ~ x + d", family="poisson", offset=offset)
    by_hand = fit.predict(FRAME.assign(d=1), offset=offset).mean() - fit.predict(FRAME.assign(d=0), offset=offset).mean()
    assert fit.marginal_effects(variables="d").loc["d", "dy/dx"] == pytest.approx(by_hand)
    with pytest.raises(ArgumentError, match="offset as a column"):
        fit.marginal_effects(at="mean")


def test_frequencies_count_rows():
    """A row of frequency 3 counts as three rows, in every average and standard error."""
    data = FRAME.assign(times=1 + np.arange(N) % 3)
    written_out = data.loc[data.index.repeat(data["times"])].reset_index(drop=True)
    options = {"hidden": 0, "rep": 1, "standardize": False, "random_state": 1}
    short = ns.neuralnet("y ~ x + s + d", data, freq_weights="times", **options)
    long = ns.neuralnet("y ~ x + s + d", written_out, **options)
    for effect in (lambda m: m.marginal_effects(), lambda m: m.partial_dependence("x", 4), lambda m: m.ale("s"),
                   lambda m: m.ale("x", [-4, 0, 4]), lambda m: m.ale(["s", "x"], [["p", "q", "r"], [-4, 0, 4]])):  # fmt: skip
        np.testing.assert_allclose(effect(short), effect(long), atol=1e-8)


def test_dates_have_profiles_and_no_slopes():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"t": pd.date_range("2022-01-03", periods=80, freq="5D"), "x": rng.normal(size=80)})
    data["y"] = data["t"].dt.month + data["x"] + 0.1 * rng.normal(size=80)
    fit = ns.neuralnet("y ~ t.dt.month + x", data, hidden=0, rep=1, standardize=True, random_state=1)
    assert list(fit.marginal_effects().index) == ["x"]
    profile = fit.partial_dependence("t", 5)
    assert list(profile.index[[0, -1]]) == [data["t"].min(), data["t"].max()]
    by_hand = fit.predict(data.assign(t=profile.index[2])).mean()
    assert profile["mean"].iloc[2] == pytest.approx(by_hand)
    assert fit.plot_effects("t", grid=4).get_xlabel() == "t"
    with pytest.raises(ArgumentError, match="holds dates"):
        fit.ale("t")
