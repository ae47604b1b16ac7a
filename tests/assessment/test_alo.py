"""Approximate leave-one-out: exact for least squares, near refits of penalised networks, and what it says where it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
from glms import FAMILIES
from glms import GROUPED as FRAME

import neuralstat as ns
from neuralstat.assessment.alo import left_out
from neuralstat.errors import ArgumentError, DfError, DfWarning


def _data(n=80, seed=1):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "z"])
    eta = np.sin(1.5 * data["x"]) - 0.5 * data["z"]
    data["y"] = eta + 0.4 * rng.normal(size=n)
    data["v"] = 3 * data["y"] + rng.normal(size=n)
    data["b"] = (eta + rng.logistic(size=n) > 0) * 1.0
    data["k"] = rng.poisson(np.exp(0.5 * eta)).astype(float)
    data["c"] = np.array(["a", "b", "c"])[(np.stack([0 * eta, eta, -eta]) + rng.gumbel(size=(3, n))).argmax(axis=0)]
    return data


DATA = _data()


@pytest.mark.parametrize("standardize", [False, "auto"])
def test_of_least_squares_it_is_press(standardize):
    data = DATA.assign(w=np.random.default_rng(2).uniform(0.5, 2, 80))
    fit = ns.neuralnet("y ~ poly(x, 3) + z", data, hidden=0, weights="w", standardize=standardize)
    found = ns.risk(fit, "alo")
    x = np.column_stack([np.ones(80), np.vander(data["x"], 4)[:, :3], data["z"]])
    q = np.linalg.qr(x * np.sqrt(data["w"].to_numpy())[:, None])[0]
    h = np.sum(q**2, axis=1)
    press = (fit.resid_response.to_numpy() / (1 - h)) ** 2
    np.testing.assert_allclose(found.details["leverage"], h, rtol=1e-6)
    np.testing.assert_allclose(found.details["per_observation"], press, rtol=1e-5)
    assert float(found) == pytest.approx(np.average(press, weights=data["w"]), rel=1e-5) and found.notes == ()


@pytest.mark.parametrize("name", ["poisson", "binomial", "gamma"])
def test_of_generalised_linear_models(name):
    fit = ns.neuralnet(f"{name} ~ u + v + g", FRAME, hidden=0, family=FAMILIES[name])
    exact = ns.risk(fit, "cv", k="loo")
    found = ns.risk(fit, "alo")
    apparent = found.details["apparent"]
    assert abs(found - exact) < 0.06 * (exact - apparent)  # of the optimism, which is what is estimated


@pytest.mark.parametrize(("formula", "options"), [
    ("y ~ x + z", {}), ("b ~ x + z", {"family": "binomial"}), ("k ~ x + z", {"family": "poisson"}),
    ("c ~ x + z", {"family": "multinomial"}), ("y + v ~ x + z", {"penalty": ns.decay(1.0)}),
    ("y ~ x + z", {"hidden": (3, 2)}),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_of_penalised_networks(formula, options):
    """Against refits from the fitted weights: means of the rows left out."""
    given = {"hidden": 3, "penalty": ns.decay(0.3), "algorithm": "lm", "threshold": 1e-7, **options}
    fit = raw.neuralnet(formula, DATA, **given, random_state=1)
    moved, leverage = left_out(fit.fitted, 0)
    refits = [
        np.ravel(raw.neuralnet(formula, DATA.drop(index=i), **given, startweights=fit.fit.theta[0]).predict(DATA.loc[[i]]))
        for i in DATA.index
    ]
    exact = np.array(refits).T - fit.fitted.means(0)
    ours = moved - fit.fitted.means(0)
    assert np.median(np.abs(ours - exact)) < 0.06 * np.median(np.abs(exact))
    assert np.corrcoef(ours.ravel(), exact.ravel())[0, 1] > 0.9 and leverage.max() < 1


def test_frequencies_are_observations():
    counts = np.random.default_rng(3).integers(1, 4, 80)
    long = DATA.loc[np.repeat(DATA.index, counts)]
    whole = ns.risk(ns.neuralnet("y ~ x + z", long, hidden=0), "alo")
    short = ns.risk(ns.neuralnet("y ~ x + z", DATA.assign(m=counts), hidden=0, freq_weights="m"), "alo")
    assert float(short) == pytest.approx(float(whole), rel=1e-6)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_it_says_when_it_fails():
    data = ns.datasets.doppler(n=30, noise=0.1, random_state=1)
    rich = raw.neuralnet("y ~ bs(x, df=24)", data, hidden=0)
    with pytest.warns(DfWarning, match="leverages above 0.8"):
        assert ns.risk(rich, "alo").notes
    short = raw.neuralnet("y ~ x + z", DATA, hidden=3, penalty=ns.decay(0.3), stepmax=150, random_state=1)
    with pytest.warns(DfWarning, match="stopped before its optimum"):
        ns.risk(short, "alo")


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_refusals():
    with pytest.raises(ArgumentError, match="option 'k'"):
        ns.risk(ns.neuralnet("y ~ x", DATA, hidden=0), "alo", k=3)
    held = {"hidden": 3, "penalty": ns.decay(0.3), "algorithm": "lm", "threshold": 1e-7, "random_state": 1}
    close = raw.neuralnet("y + v ~ x + z", DATA, **held)
    with pytest.raises(DfError, match="leverages of 1 or more"):
        ns.risk(close, "alo")
    twice = raw.neuralnet("y ~ x + z", DATA, hidden=6, stepmax=20, random_state=3)
    with pytest.raises(DfError, match="not positive definite"):
        ns.risk(twice, "alo")
