"""Effects: statsmodels' margins, closed forms of additive and linear functions, R's published importances and ALEPlot."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.formula.api as smf
from glms import GROUPED as FRAME
from places import TARGETS
from reference import target

import neuralstat as ns
from neuralstat.errors import ArgumentError


def given(formula: str, data: pd.DataFrame, hidden, w, **options):
    """A fit that keeps given weights."""
    return raw.neuralnet(formula, data, hidden=hidden, startweights=w, threshold=1e9, **options)


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(3)
    data = FRAME.assign(y=np.sin(1.5 * FRAME["u"]) + 0.5 * FRAME["v"] + (FRAME["g"] == "c") + 0.1 * rng.normal(size=80))
    return raw.neuralnet("y ~ u + v + g", data, hidden=3, rep=4, algorithm="lm", penalty=ns.decay(0.01), threshold=1e-4,
                        random_state=1)  # fmt: skip


@pytest.mark.parametrize("at", ["overall", "mean"])
@pytest.mark.parametrize("method", ["dydx", "dyex"])
def test_margins_are_statsmodels(at, method):
    theirs = smf.logit("binomial ~ u + v", FRAME).fit(disp=0, tol=1e-12).get_margeff(at=at, method=method).summary_frame()
    ours = raw.neuralnet("binomial ~ u + v", FRAME, hidden=0, family="binomial", algorithm="lm", threshold=1e-9)
    found = ours.marginal_effects(at, method)
    np.testing.assert_allclose(found.iloc[:, 0], theirs.iloc[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found["std err"], theirs["Std. Err."], rtol=1e-4)


def test_discrete_change_of_a_factor():
    ours = raw.neuralnet("gaussian ~ u + g", FRAME, hidden=0, algorithm="lm", threshold=1e-9)
    theirs = smf.ols("gaussian ~ u + g", FRAME).fit()
    found = ours.marginal_effects()
    np.testing.assert_allclose(found.loc["g[b]", "dy/dx"], theirs.params["g[T.b]"], rtol=1e-6)
    np.testing.assert_allclose(found.loc["g[c]", "std err"], theirs.bse["g[T.c]"], rtol=1e-5)
    np.testing.assert_allclose(found.loc["u", "std err"], theirs.bse["u"], rtol=1e-5)


def test_variable_inside_a_transform():
    """y = b log(v): the slope in v is b / v."""
    data = FRAME.assign(w=np.exp(FRAME["v"]))
    ours = raw.neuralnet("gaussian ~ log(w)", data, hidden=0, algorithm="lm", threshold=1e-9)
    b = smf.ols("gaussian ~ np.log(w)", data).fit().params.iloc[1]
    assert ours.marginal_effects().loc["w", "dy/dx"] == pytest.approx(b * np.mean(1 / data["w"]), rel=1e-4)
    assert ours.marginal_effects(method="dyex").loc["w", "dy/d(lnx)"] == pytest.approx(b, rel=1e-4)


def test_partial_dependence_is_the_mean_of_the_curves(net):
    pdp, curves = net.partial_dependence("u", 7), net.ice("u", 7)
    np.testing.assert_allclose(pdp["mean"], curves.mean(axis=1))
    moved = net.design.frame.copy()
    moved["u"] = pdp.index[3]
    assert pdp["mean"].iloc[3] == pytest.approx(net.predict(moved).mean())
    assert curves.shape == (7, 80) and (net.ice("u", 7, centred=True).iloc[0] == 0).all()


def test_standard_error_of_partial_dependence():
    """Of a linear model: that of x' beta at the mean of the other covariates."""
    ours = raw.neuralnet("gaussian ~ u + v", FRAME, hidden=0, algorithm="lm", threshold=1e-9)
    theirs = smf.ols("gaussian ~ u + v", FRAME).fit()
    new = pd.DataFrame({"u": [-1.0, 2.0], "v": FRAME["v"].mean()})
    expected = theirs.get_prediction(new).summary_frame()
    found = ours.partial_dependence("u", [-1.0, 2.0])
    np.testing.assert_allclose(found["mean"], expected["mean"], rtol=1e-6)
    np.testing.assert_allclose(found["std err"], expected["mean_se"], rtol=1e-5)


def test_partial_dependence_of_a_factor(net):
    pdp = net.partial_dependence("g")
    assert list(pdp.index) == ["a", "b", "c"]
    assert pdp.loc["c", "mean"] - pdp.loc["a", "mean"] == pytest.approx(1, abs=0.25)
    margins = net.marginal_effects(variables="g")
    assert margins.loc["g[c]", "dy/dx"] == pytest.approx(pdp.loc["c", "mean"] - pdp.loc["a", "mean"])


def test_between_repetitions_is_in_the_standard_error(net):
    frame = net.ale("u", 5)
    one = [net.ale("u", 5, rep=b + 1)["ale"] for b in np.flatnonzero(net.fit.converged)]
    np.testing.assert_allclose(frame["sd over repetitions"], np.std(one, axis=0, ddof=1))
    np.testing.assert_allclose(frame["ale"], np.mean(one, axis=0))
    assert (frame["std err"] >= frame["sd over repetitions"] / np.sqrt(len(one)) - 1e-12).all()


def test_ale_of_an_additive_function():
    """Exact for additive functions, whatever the correlation: the function itself, centred; for a line, the line."""
    rng = np.random.default_rng(1)
    u = rng.normal(size=300)
    data = pd.DataFrame({"u": u, "v": u + 0.1 * rng.normal(size=300)})
    data["y"] = 2 * data["u"] - data["v"]
    fit = raw.neuralnet("y ~ u + v", data, hidden=0, algorithm="lm", threshold=1e-10)
    found = fit.ale("u", 10, se=False)["ale"]
    np.testing.assert_allclose(np.diff(found) / np.diff(found.index), 2, rtol=1e-6)
    own = np.interp(data["u"], found.index, found)
    assert abs(own.mean()) < 0.1  # ends of bins stand for their rows


def test_ale_and_pdp_of_r():
    """R's ALEPlot 1.1 on an nnet fit with correlated covariates."""
    k = target("K_ale_pdp")
    data = pd.DataFrame(k["data"])
    fit = given("y ~ x1 + x2", data, 6, np.array(k["wts"]))
    found = fit.ale("x1", k["ale"]["x.values"], se=False)["ale"]  # R's quantiles differ by rounding of 0.3 and 0.7
    np.testing.assert_allclose(found, k["ale"]["f.values"], atol=1e-9)
    pdp = fit.partial_dependence("x1", k["pdp"]["x.values"], se=False)["mean"]
    np.testing.assert_allclose(np.diff(pdp), np.diff(k["pdp"]["f.values"]), atol=1e-9)


def test_garson_and_olden_of_r():
    """R's NeuralNetTools on an nnet fit, and Olden's on a deep neuralnet."""
    data, d = pd.read_csv(TARGETS / "neuraldat.csv"), target("D_importance")
    fit = given("Y1 ~ X1 + X2 + X3", data, 5, np.array(d["wts"]))
    for method in ("garson", "olden"):
        found = fit.importance(method, scaled=False)["importance"]
        np.testing.assert_allclose(found, [d[method][name] for name in found.index], rtol=1e-6)
    deep = target("D2_olden_deep")
    three = given("Y1 ~ X1 + X2 + X3", data, (4, 3), [np.array(w) for w in deep["weights"]])
    found = three.importance("olden", scaled=False)["importance"]
    np.testing.assert_allclose(found, [deep["olden"][name] for name in found.index], rtol=1e-6)
    with pytest.raises(ArgumentError, match="one hidden layer"):
        three.importance("garson")


def test_lek_profile_of_r():
    """R's lekprofile: 100 steps, the others at six quantiles."""
    data, d = pd.read_csv(TARGETS / "neuraldat.csv"), target("D_importance")
    fit = given("Y1 ~ X1 + X2 + X3", data, 5, np.array(d["wts"]))
    theirs = pd.DataFrame(d["lek"])
    theirs = theirs[theirs["exp_name"] == "X1"]
    held = (0, 0.2, 0.4, 0.6, 0.8, 1)
    first = theirs[theirs["Groups"] == "1"]
    found = fit.lek_profile("X1", first["Explanatory"].tolist(), quantiles=held)
    for group, q in enumerate(held):
        part = theirs[theirs["Groups"] == str(group + 1)]
        if len(part):
            np.testing.assert_allclose(found[found["quantile"] == q]["mean"], part["Response"], atol=1e-6)


def test_permutation_importance_is_scikit_learns():
    inspection = pytest.importorskip("sklearn.inspection")
    from sklearn.linear_model import LinearRegression

    x = FRAME[["u", "v"]]
    model = LinearRegression().fit(x, FRAME["gaussian"])
    theirs = inspection.permutation_importance(model, x, FRAME["gaussian"], scoring="neg_mean_squared_error",
                                               n_repeats=200, random_state=0)  # fmt: skip
    ours = raw.neuralnet("gaussian ~ u + v", FRAME, hidden=0, algorithm="lm", threshold=1e-9)
    found = ours.importance(repeats=200, random_state=1).loc[["u", "v"]]
    error = theirs.importances_std / np.sqrt(200)
    assert (np.abs(found["importance"] - theirs.importances_mean) < 6 * error).all()


def test_permutation_of_a_factor(net):
    table = net.importance(repeats=3, random_state=1)
    assert set(table.index) == {"u", "v", "g"} and (table["importance"] > 0).all()


@pytest.mark.parametrize("kind", ["pdp", "ice", "ale", "lek", "importance", "marginal"])
def test_plots(net, kind):
    ax = net.plot_effects("u" if kind not in ("importance", "marginal") else None, kind)
    assert ax.get_xlabel()
    plt.close("all")


def test_refusals(net):
    for call, words in [
        (lambda: net.partial_dependence("w"), "variable must be"), (lambda: net.ale("g", ["a", "b"]), "levels"),
        (lambda: net.marginal_effects("middle"), "at must be"), (lambda: net.importance("magic"), "method must be"),
        (lambda: net.plot_effects(), "which variable"), (lambda: net.partial_dependence("g", ["z"]), "no level"),
        (lambda: net.plot_effects("u", "pie"), "kind must be"), (lambda: net.ice("u", response="z"), "response"),
        (lambda: net.lek_profile("u", quantiles=[2]), "quantiles"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            call()
