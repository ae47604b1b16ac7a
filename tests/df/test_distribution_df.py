"""Degrees of freedom of distributions with several parameters: by draws of all of them, and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import families as F
from neuralstat.df import automatic
from neuralstat.errors import ArgumentError, DfError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    n = 120
    x, z = rng.uniform(size=n), rng.normal(size=n)
    mu = np.exp(0.5 + x)
    return pd.DataFrame({
        "x": x, "z": z, "y": np.sin(5 * x) + 0.3 * rng.normal(size=n), "k": rng.negative_binomial(2, 2 / (2 + mu)),
        "pos": rng.gamma(3, mu / 3), "b": rng.beta(2 + 3 * x, 3),
        "o": pd.Categorical.from_codes(np.digitize(2 * x + rng.logistic(size=n), [0, 1.5]), list("abc"), ordered=True),
    })  # fmt: skip


LINEAR = {
    "gaussian": ("y", "gaussian", "~ x"), "constant": ("y", "gaussian", "~ 1"), "student": ("y", F.Student(5), "~ 1"),
    "negative binomial": ("k", "negative_binomial", "~ x"), "gamma": ("pos", F.Gamma("log"), "~ 1"),
    "beta": ("b", "beta", "~ x"), "ordinal": ("o", "ordinal", None), "zip": ("k", "zero_inflated_poisson", None),
}  # fmt: skip


@pytest.mark.parametrize("kind", LINEAR)
def test_one_optimum_has_its_number_of_weights(data, kind):
    response, family, how = LINEAR[kind]
    fit = ns.neuralnet(f"{response} ~ x", data, hidden=0, family=family, dispformula=how)
    found = fit.df("covariance", draws=150, random_state=1)
    assert found.se > 0 and abs(found - fit.k_params) < 4 * found.se + 0.15  # beyond first order, n = 120
    assert found.per_observation.sum() == pytest.approx(found)
    assert sum(found.details["parameters"].values()) == pytest.approx(found)
    assert found.parts["local"] == pytest.approx(fit.k_params, abs=1e-3)
    constant = {"constant": 1, "student": 1, "gamma": 1, "zip": 1}.get(kind, 0)
    assert found.details["constants"] == constant


def test_frequencies_are_not_counted_twice(data):
    fit = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ x", freq_weights=np.full(len(data), 4))
    found = fit.df("covariance", draws=150, random_state=1)
    assert abs(found - 4) < 4 * found.se + 0.15


NET = {"hidden": 2, "rep": 2, "random_state": 1, "algorithm": "bfgs", "threshold": 1e-3}


def test_of_a_normal_mean_and_a_constant_scale(data):
    """As the gaussian family with its dispersion beside it, and one more."""
    inside = ns.neuralnet("y ~ x", data, family="gaussian", dispformula="~ 1", penalty=ns.decay(0.05), **NET)
    phi = float(inside.predict(type="parameters")["sigma"].iloc[0]) ** 2 / data["y"].var()  # penalties of the same strength
    plain = ns.neuralnet("y ~ x", data, penalty=ns.decay(0.05 * phi), **{**NET, "threshold": 1e-3 * phi})
    for method in ("covariance", "gdf"):
        a, b = (fit.df(method, draws=80, restarts="warm", random_state=2) for fit in (inside, plain))
        assert abs(a - 1 - b) < 4 * np.hypot(a.se, b.se)
        assert b > 2
    assert inside.df("covariance", draws=10, random_state=2).details["parameters"]["sigma"] == 1.0


def test_auto_sees_the_search(data):
    fit = ns.neuralnet("k ~ x", data, family="negative_binomial", **{**NET, "threshold": 0.05, "random_state": 4})
    found = fit.df()
    assert found.method == "covariance" and found.parts["local"] == pytest.approx(8.0) and abs(found - 8) > 2 * found.se
    assert "constant parameters (alpha) count one" in found.notes[0] and "restarts" in found.notes[0]
    text = " ".join(str(fit.summary()).split())
    assert "covariance)" in text and "constant parameters (alpha) count one" in text
    assert fit.aic == pytest.approx(-2 * fit.llf + 2 * found)


def test_auto_by_derivatives(data):
    linear = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ x")
    assert linear.df().method == "jacobian" and linear.df() == pytest.approx(4)
    held = ns.neuralnet("y ~ x", data, family="gaussian", dispformula="~ 1", penalty=ns.decay(0.2), **NET)
    assert held.df().method == "jacobian" and "penalty holds" in held.df().notes[0] and held.df() < held.k_params
    levels = ns.neuralnet("y ~ x", data, family=F.Quantile((0.2, 0.8)), **{**NET, "threshold": 0.05})
    assert levels.df().method == "jacobian" and "no distribution" in levels.df().notes[0]
    mixed = ns.neuralnet("y ~ x", data, family=F.Mixture(2), dispformula="~ 1", **{**NET, "threshold": 0.05})
    assert "no order" in mixed.df().notes[0]


def test_refits_that_leave_it_undetermined(data, monkeypatch):
    """As where a scale that is an output collapses at an observation: the value would have no meaning."""
    fit = ns.neuralnet("y ~ x", data, family="gaussian", dispformula="~ 1", **NET)
    monkeypatch.setattr(automatic, "UNSURE", 1e-3)
    found = fit.df("auto", draws=20, random_state=1)
    assert found.method == "jacobian" and "do not determine" in found.notes[0]


def test_what_cannot_be_drawn_or_perturbed(data):
    counts = ns.neuralnet("k ~ x", data, hidden=0, family="negative_binomial")
    with pytest.raises(ArgumentError, match=r"'gdf' adds noise.*use 'covariance'"):
        counts.df("gdf", draws=5)
    with pytest.raises(ArgumentError, match="sigma"):
        counts.df("covariance", sigma=1.0, draws=5)
    with pytest.raises(ArgumentError, match="mean"):
        counts.df("covariance", mean=np.ones(len(data)), draws=5)
    levels = ns.neuralnet("y ~ x", data, hidden=0, family=F.Quantile((0.2, 0.8)))
    with pytest.raises(DfError, match="no distribution"):
        levels.df("covariance", draws=5)
    times = ns.neuralnet("Surv(pos, e) ~ x", data.assign(e=True), hidden=0, family="weibull")
    with pytest.raises(DfError, match="censored"):
        times.df("covariance", draws=5)
