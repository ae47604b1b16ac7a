"""Effects of two variables, and accumulated effects of factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError


def _frame() -> pd.DataFrame:
    i = np.arange(40)
    code = ((i * 7) % 13) % 4
    data = pd.DataFrame({
        "u": (i * 17) % 40 / 40 + 0.3 * ((i * 7) % 11) / 11 + 0.4 * ((code + 1) % 3), "v": (i * 23 + 5) % 40 / 20,
        "g": np.array(list("abcd"))[code], "h": np.array(list("pq"))[(i // 3) % 2],
    })  # fmt: skip
    data["v"] += 0.3 * data["u"]
    data["y"] = data["u"] ** 2 * data["v"] + np.array([0, 1, -2, 0.5])[code] * (1 + data["v"] + data["u"])
    data["y"] += 0.7 * (data["h"] == "q") * data["v"]
    return data


FRAME = _frame()


@pytest.fixture(scope="module")
def exact():
    """A model that is the function behind `FRAME`, by least squares."""
    fit = ns.neuralnet("y ~ {u**2*v} + g + g:u + g:v + h:v", FRAME, hidden=0, rep=1, standardize=False, random_state=1)
    assert np.abs(fit.resid).max() < 1e-8
    return fit


# R's numbers are those of Apley & Zhu's algorithms (2020, section 5 and appendix C; the code of their package ALEPlot 1.1)
# for the function of `_frame`, K = 4 (u, v) and K = 3 (g, v):
#   i=0:39; X=data.frame(u=((i*17)%%40)/40+0.3*((i*7)%%11)/11, v=((i*23+5)%%40)/20, g=factor(letters[1+((i*7)%%13)%%4]),
#                        h=factor(c("p","q")[1+(i%/%3)%%2])); X$u=X$u+0.4*as.numeric(X$g)%%3; X$v=X$v+0.3*X$u
#   f=function(X) X$u^2*X$v+c(a=0,b=1,c=-2,d=.5)[as.character(X$g)]*(1+X$v+X$u)+0.7*(X$h=="q")*X$v
R_FACTOR = {"c": -5.705917456, "d": 1.796765625, "a": 0.1433462035, "b": 3.702096204}
R_NUMERIC = [
    1.491656385, 0.5900030208, -0.07840368431, -0.5823314327, -1.182677716, 0.8726680679, 0.4035307552, -0.02020492721,
    -0.2794616529, -0.5689889017, 0.2939268001, 0.186252653, -0.06737016076, -0.1221499377, -0.1519188915, -0.4807075866,
    -0.104570032, -0.1304999457, 0.08840885736, 0.4063215339, -2.604120719, -0.5928244617, 0.1507888697, 1.294694447,
    2.787681313,
]  # fmt: skip
R_FACTOR_NUMERIC = {
    "c": [1.69061989, 0.1539965134, -0.8735471929, -2.283966773],
    "d": [-0.7710278372, -0.06674212293, 0.2687823526, 0.5560900449],
    "a": [-0.2202039736, 0.03589992252, 0.09881076168, 0.04657299944],
    "b": [-1.443029387, -0.2905618543, 0.3175762575, 0.9444294044],
}


def test_factor_of_r(exact):
    """Levels stand side by side whose rows are alike, in R's order from either end."""
    found = exact.ale("g", se=False)["ale"]
    assert list(found.index) in (["c", "d", "a", "b"], ["b", "a", "d", "c"])
    np.testing.assert_allclose(found[list(R_FACTOR)], list(R_FACTOR.values()), rtol=1e-6)
    share = FRAME["g"].value_counts(normalize=True)
    assert (found * share).sum() == pytest.approx(0, abs=1e-12)


def test_two_numeric_of_r(exact):
    found = exact.ale(["u", "v"], 4, se=False)["ale"]
    assert found.index.names == ["u", "v"] and len(found) == 25
    np.testing.assert_allclose(found, R_NUMERIC, rtol=1e-6, atol=1e-9)
    turned = exact.ale(["v", "u"], 4, se=False)["ale"]
    np.testing.assert_allclose(turned.swaplevel().sort_index(), found.sort_index(), atol=1e-9)


def test_factor_and_number_of_r(exact):
    found = exact.ale(["g", "v"], 3, se=False)["ale"]
    for level, values in R_FACTOR_NUMERIC.items():
        np.testing.assert_allclose(found.loc[level], values, rtol=1e-6, atol=1e-9)


def test_levels_in_an_order_of_their_own(exact):
    order = ["a", "b", "c", "d"]
    assert list(exact.ale("g", order).index) == order
    with pytest.raises(ArgumentError, match="levels 'a', 'b', 'c', 'd' in some order"):
        exact.ale("g", ["a", "b"])
    data = FRAME.assign(o=pd.Categorical(FRAME["g"], ["d", "b", "a", "c"], ordered=True))
    fit = ns.neuralnet("y ~ o + u", data, hidden=0, rep=1, standardize=False, random_state=1)
    assert list(fit.ale("o").index) == ["d", "b", "a", "c"]


def test_effect_of_a_factor_in_an_additive_model():
    """Differences between levels are the coefficients', whatever the order, and so are their standard errors."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(size=120), "g": rng.choice(list("abcd"), 120), "n": rng.integers(1, 4, 120)})
    data["y"] = data["x"] + (data["g"] == "b") + data["n"] + 0.2 * rng.normal(size=120)
    fit = ns.neuralnet("y ~ x + g + C(n)", data, hidden=0, rep=1, standardize=False, random_state=1)
    found = fit.ale("g")["ale"]
    assert found["b"] - found["a"] == pytest.approx(fit.params["g[T.b].to.y"], rel=1e-7)
    numbers = fit.ale("n")["ale"]
    assert numbers[3] - numbers[1] == pytest.approx(fit.params["C(n)[T.3].to.y"], rel=1e-7)
    pair = fit.ale(["g", "x"], 3)
    np.testing.assert_allclose(pair[["ale", "std err"]], 0, atol=1e-7)  # no joint effect in an additive model
    both = fit.ale(["g", "n"])
    np.testing.assert_allclose(both["ale"], 0, atol=1e-7)


def test_joint_effect_of_a_product():
    """y = x z on a lattice: the second-order effect is (x - mean)(z - mean), in every cell; with its standard error."""
    x, z = (a.ravel() for a in np.meshgrid(np.linspace(-1, 3, 21), np.linspace(0, 2, 21)))
    data = pd.DataFrame({"x": x, "z": z, "y": x * z + 0.1 * np.random.default_rng(0).normal(size=x.size)})
    fit = ns.neuralnet("y ~ x * z", data, hidden=0, rep=1, standardize=False, random_state=1)
    slope, se = fit.params["x:z.to.y"], fit.standard_errors()["x:z.to.y"]
    found = fit.ale(["x", "z"], 5)
    at = found.index.to_frame()
    ends = [np.array(sorted(at[name].unique())) for name in ("x", "z")]
    own = []
    for name, e in zip(("x", "z"), ends, strict=True):
        k = np.clip(np.searchsorted(e, data[name], side="left") - 1, 0, e.size - 2)
        own.append(((e[k] + e[k + 1]) / 2).mean())
    shape = ((at["x"] - own[0]) * (at["z"] - own[1])).to_numpy()
    np.testing.assert_allclose(found["ale"], slope * shape, atol=1e-9)
    np.testing.assert_allclose(found["std err"], se * np.abs(shape), rtol=1e-5, atol=1e-9)


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(size=150), "z": rng.uniform(0, 3, 150), "g": rng.choice(list("ab"), 150)})
    data["y"] = np.sin(data["x"]) * data["z"] + (data["g"] == "b") * data["x"] + 0.1 * rng.normal(size=150)
    data["c"] = np.where(data["y"] < -0.5, "low", np.where(data["y"] < 0.7, "mid", "high"))
    common = {"hidden": 3, "rep": 2, "random_state": 1, "algorithm": "lm", "standardize": True, "penalty": ns.decay(0.02)}
    classes = ns.neuralnet("c ~ x + z + g", data, family="multinomial", **common)
    return data, ns.neuralnet("y ~ x + z + g", data, **common), classes


def test_partial_dependence_on_two_is_the_mean_of_predictions(net):
    data, fit, classes = net
    found = fit.partial_dependence(["x", "z"], 4)
    assert found.shape == (16, 5) and found.index.names == ["x", "z"]
    for x, z in found.index[[0, 5, 11]]:
        assert found.loc[(x, z), "mean"] == pytest.approx(fit.predict(data.assign(x=x, z=z)).mean())
    mixed = fit.partial_dependence(["g", "x"], [["b", "a"], [0.0, 1.0]])
    assert list(mixed.index) == [("b", 0.0), ("b", 1.0), ("a", 0.0), ("a", 1.0)]
    assert mixed.loc[("a", 1.0), "mean"] == pytest.approx(fit.predict(data.assign(g="a", x=1.0)).mean())
    assert len(fit.partial_dependence(["x", "z"], se=False)) == 400
    three = classes.partial_dependence(["x", "z"], 3)
    assert three.index.names == ["response", "x", "z"]
    np.testing.assert_allclose(three["mean"].unstack("response").sum(axis=1), 1)


def test_standard_errors_are_those_of_one_variable_on_a_line(net):
    """The joint profile averaged over a variable at its values is the profile of the other, and so is its gradient."""
    data, fit, _ = net
    one = fit.partial_dependence("x", [0.5])
    some = fit.partial_dependence(["x", "z"], [[0.5], data["z"].tolist()])
    assert some["mean"].mean() == pytest.approx(one["mean"].iloc[0], rel=0.1)
    line = fit.partial_dependence(["x", "z"], [[0.5], [1.0]], data=data)
    at = fit.partial_dependence("x", [0.5], data=data.assign(z=1.0))
    np.testing.assert_allclose(line.iloc[0], at.iloc[0], rtol=1e-12)


def test_cells_without_rows_have_the_nearest_ones_difference():
    """Correlated covariates leave corners empty; the surface of a bilinear function stays bilinear there."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    data = pd.DataFrame({"x": x, "z": x + 0.05 * rng.normal(size=200)})
    data["y"] = data["x"] * data["z"] + 0.01 * rng.normal(size=200)
    fit = ns.neuralnet("y ~ x:z", data, hidden=0, rep=1, standardize=False, random_state=1)
    found = fit.ale(["x", "z"], 6, se=False)["ale"]
    assert np.isfinite(found).all()


def test_refusals(net):
    _, fit, _ = net
    for call, words in [
        (lambda: fit.partial_dependence(["x", "x"]), "two different"), (lambda: fit.ale(["x", "z", "g"]), "two different"),
        (lambda: fit.partial_dependence(["x", "w"]), "variable must be one of"),
        (lambda: fit.partial_dependence(["x", "z"], [0.0, 1.0]), "two grids"),
        (lambda: fit.ale(["x", "z"], [0.0, 1.0, 2.0]), "bins of two variables"),
        (lambda: fit.plot_effects(["x", "z"], "ice"), "one variable at a time"),
        (lambda: fit.ice(["x", "z"]), "variable must be one of"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            call()


def test_pictures(net):
    _, fit, classes = net
    for kind in ("pdp", "ale"):
        ax = fit.plot_effects(["x", "z"], kind, **({"grid": 8} if kind == "pdp" else {}))
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "z")
        assert len(ax.collections) >= 2 and len(ax.figure.axes) == 2  # colours, contours, and their scale beside
    lines = fit.plot_effects(["x", "g"], grid=8)
    assert lines.get_xlabel() == "x" and [t.get_text() for t in lines.get_legend().get_texts()] == ["a", "b"]
    panels = classes.plot_effects(["x", "z"], grid=5)
    assert len(panels) == 3
    names = [a.get_ylabel() for a in panels[0].figure.axes if a.get_ylabel().startswith("P(")]
    assert names == ["P(c = high)", "P(c = low)", "P(c = mid)"]
