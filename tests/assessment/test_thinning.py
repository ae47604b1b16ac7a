"""Data thinning: what parts are, what it estimates of linear fits in closed form, selection by it, and what has no parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.assessment.thinning import divide
from neuralstat.errors import ArgumentError

N = 4000
SHARES = {"folds": np.full(4, 0.25), "share": np.array([0.7, 0.3])}


def _drawn(family, rng):
    """Responses (1, n) of mean 4, or 0.3, weights, and what else their distribution has."""
    w = rng.integers(2, 9, N).astype(float)
    if family == "gaussian":
        return 4 + 1.5 / np.sqrt(w) * rng.standard_normal((1, N)), w, 1.5
    if family == "poisson":
        return rng.poisson(4 * w, (1, N)) / w, w, 1.0
    if family == "gamma":
        return rng.gamma(w / 0.3, 4 * 0.3 / w, (1, N)), w, 0.3**0.5
    if family == "negative_binomial":
        return rng.negative_binomial(w / 0.4, 1 / (1 + 0.4 * 4), (1, N)) / w, w, 0.4
    return rng.binomial(w.astype(int), 0.3, (1, N)) / w, w, 1.0


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("family", ["gaussian", "poisson", "gamma", "negative_binomial", "binomial"])
def test_parts_are_independent_and_of_the_family(family, shares):
    """They add up to the response; mean, variance and no covariance, as of responses of so much weight."""
    rng = np.random.default_rng(3)
    y, w, size = _drawn(family, rng)
    parts, portion = divide(family, rng, y, w, SHARES[shares], np.full((1, 1), size))
    np.testing.assert_allclose((parts * portion[:, np.newaxis]).sum(axis=0), y, rtol=1e-9, atol=1e-9)
    mean = 0.3 if family == "binomial" else 4.0
    per = {"gaussian": 1.5**2, "poisson": mean, "gamma": 0.3 * mean**2, "negative_binomial": mean + 0.4 * mean**2,
           "binomial": mean * (1 - mean)}[family]  # fmt: skip
    there = portion > 0
    z = np.where(there, (parts[:, 0] - mean) * np.sqrt(w * portion / per), 0.0)
    np.testing.assert_allclose(z.sum(axis=1) / np.sqrt(there.sum(axis=1)), 0, atol=4.0)
    np.testing.assert_allclose((z**2).sum(axis=1) / there.sum(axis=1), 1, atol=0.15)
    both = z[0] * z[-1]
    assert abs(both.sum() / both.std() / np.sqrt(N)) < 4


def test_multinomial_parts():
    rng = np.random.default_rng(1)
    counts = rng.multinomial(rng.integers(2, 9, N), [0.2, 0.3, 0.5]).T.astype(float)
    parts, portion = divide("multinomial", rng, counts, np.ones(N), np.full(3, 1 / 3), np.ones((1, 1)))
    np.testing.assert_allclose((parts * portion[:, np.newaxis]).sum(axis=0), counts)
    total = (parts * portion[:, np.newaxis]).sum(axis=2)
    np.testing.assert_allclose(total / total.sum(axis=1, keepdims=True), [[0.2, 0.3, 0.5]] * 3, atol=0.03)


def test_of_a_linear_smoother():
    """E[. | y] of least squares: RSS / n + 2 sigma^2 p / n and sigma^2 p / n share^-1 instead of that of the whole."""
    data = ns.datasets.doppler(n=120, noise=0.1, random_state=2)
    fit = ns.neuralnet("y ~ bs(x, df=8)", data, hidden=0)
    for options, share in (({"folds": 4}, 0.75), ({"share": 0.5}, 0.5)):
        found = ns.risk(fit, "thinning", sigma=0.1, repeats=200, random_state=1, **options)
        expected = (fit.ssr + 0.01 * 9 * (2 + (1 - share) / share)) / 120
        assert abs(found - expected) < 4 * found.draws.std() / np.sqrt(200) < 0.002
        assert found.target == "same_x" and found.details["share"] == share


def test_is_the_coupled_bootstrap_where_noise_is_normal():
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=2)
    data["z"] = 3 * data["y"] + 0.2 * np.random.default_rng(1).normal(size=80)
    fit = ns.neuralnet("y + z ~ poly(x, 4)", data, hidden=0, weights=np.random.default_rng(2).uniform(0.5, 2, 80))
    coupled = ns.risk(fit, "coupled", alpha=0.25, sigma=[0.1, 0.4], draws=1000, random_state=1)
    thinned = ns.risk(fit, "thinning", share=0.8, sigma=[0.1, 0.4], repeats=1000, random_state=2)
    spread = np.hypot(coupled.draws.std(), thinned.draws.std()) / np.sqrt(1000)
    assert abs(coupled - thinned) < 4 * spread < 0.03


FAMILY = {"poisson": "poisson", "gamma": ns.families.Gamma("log"), "negative_binomial": ns.families.NegativeBinomial(0.4)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILY, "binomial", "multinomial"])
def test_unbiased_for_generalised_linear_models(name):
    """Mean over 200 data sets against fits to responses drawn with so much information, judged on new ones."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=60)
    eta = 0.5 + 0.6 * x
    mu = 1 / (1 + np.exp(-eta)) if name == "binomial" else np.exp(eta)
    p = np.stack([1 / (1 + mu), mu / (1 + mu)])
    draws = {
        "poisson": lambda s: rng.poisson(s * mu) / s, "gamma": lambda s: rng.gamma(4 * s, mu / 4 / s),
        "negative_binomial": lambda s: rng.negative_binomial(s / 0.4, 1 / (1 + 0.4 * mu)) / s,
        "binomial": lambda s: rng.binomial(int(8 * s), mu) / int(8 * s),
        "multinomial": lambda s: rng.binomial(int(8 * s), p[1]),
    }  # fmt: skip

    def fitted(y, share):
        data, weights = pd.DataFrame({"x": x, "y": y}), np.full(60, share)
        if name == "multinomial":
            data["other"] = int(8 * share) - y
            return ns.neuralnet("other + y ~ x", data, hidden=0, family="multinomial")
        return ns.neuralnet("y ~ x", data, hidden=0, family=FAMILY.get(name, name),
                            weights=weights * 8 if name == "binomial" else weights)  # fmt: skip

    def deviance(fit, y):
        mean = fit.fitted.mean_of([0])
        if name == "multinomial":
            both = np.stack([8 - y, y]).astype(float)
            return fit.family.unit_deviance(both, mean).sum(axis=0).mean()
        return np.mean(fit.family.unit_deviance(y[np.newaxis], mean))

    options = {"sigma": 0.5} if name == "gamma" else {}
    gaps = []
    for t in range(200):
        found = ns.risk(fitted(draws[name](1.0), 1.0), "thinning", folds=4, random_state=t, **options)
        again = fitted(draws[name](0.75), 0.75)
        gaps.append(found - np.mean([deviance(again, draws[name](1.0)) for _ in range(20)]))
    assert abs(np.mean(gaps)) < 3.5 * np.std(gaps, ddof=1) / np.sqrt(200) < 0.2 * abs(float(found))


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_select_by_it_and_the_same_by_any_number_of_threads():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.uniform(-3, 3, 150)})
    data["k"] = rng.poisson(np.exp(1 + np.sin(1.5 * data["x"])))
    found = ns.select("k ~ x", data, hidden=[0, 3], criterion="thinning:folds=4", family="poisson", rep=1, algorithm="lm",
                      penalty=ns.decay(0.01), random_state=1)  # fmt: skip
    assert found.best.settings.hidden == (3,) and found.path["se"].notna().all()
    one, two = (ns.risk(found.best, "thinning", random_state=3, n_jobs=j) for j in (1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    assert one.draws.size == 5 and one.details["held_out"] > one and one.conf_int().method == "normal"
    mse = ns.risk(found.best, "thinning", loss="mse", random_state=3)
    assert mse.loss == "mse" and 0.5 < mse / data["k"].mean() < 2


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
@pytest.mark.parametrize("settings", [
    {"algorithm": "adam", "epochs": 30, "learningrate": 0.05}, {"rep": 4, "keep": 2, "stepmax": 200}, {"rep": 3},
])  # fmt: skip
@pytest.mark.parametrize("restarts", ["same", "fresh", "warm"])
def test_every_kind_of_training(settings, restarts):
    data = ns.datasets.doppler(n=50, noise=0.1, random_state=2)
    fit = ns.neuralnet("y ~ x", data, **{"hidden": 2, "stepmax": 500, "random_state": 1, **settings})
    found = ns.risk(fit, "thinning", sigma=0.1, folds=3, restarts=restarts, random_state=1)
    assert found == ns.risk(fit, "thinning", sigma=0.1, folds=3, restarts=restarts, random_state=1) and 0 < found < 2


def test_refusals():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=40), "y": rng.gamma(2.0, 1.0, 40)})
    data["b"], data["m"] = (data["x"] > 0.3) * 1.0, np.where(np.arange(40) < 3, 1.0, 4.0)
    data["c"] = np.resize(["a", "b", "c"], 40)
    fit = {
        name: raw.neuralnet(f"{y} ~ x", data, hidden=0, algorithm="lm", penalty=ns.decay(0.1), **more)
        for name, y, more in [
            ("gaussian", "y", {}), ("bernoulli", "b", {"family": "binomial"}), ("ce", "b", {"err_fct": "ce",
                                                                                         "linear_output": False}),
            ("some", "b", {"family": "binomial", "weights": "m"}), ("classes", "c", {"family": "multinomial"}),
            ("rates", "y", {"family": "poisson"}), ("inverse", "y", {"family": ns.families.InverseGaussian("log")}),
        ]
    }  # fmt: skip
    for name, options, match in [
        ("bernoulli", {}, "40 of 40 responses are of one trial"), ("ce", {}, "one trial"), ("some", {}, "3 of 40"),
        ("classes", {}, "one trial"), ("rates", {}, "no whole counts"), ("inverse", {}, "'inverse_gaussian' is not known"),
        ("gaussian", {"loss": "mae"}, "in which a new response is linear"),
        ("gaussian", {"share": 0.5, "folds": 4}, "two ways"), ("gaussian", {"share": 1.0}, "share"),
        ("gaussian", {"folds": 1}, "folds"), ("gaussian", {"repeats": 0}, "repeats"), ("gaussian", {"sigma": -1}, "sigma"),
        ("gaussian", {"restarts": "no"}, "restarts"), ("gaussian", {"k": 3}, "option 'k'"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=match):
            ns.risk(fit[name], "thinning", **options)
    counts = raw.neuralnet("m ~ x", data, hidden=0, family="poisson", algorithm="lm")
    with pytest.raises(ArgumentError, match="sigma is not used"):
        ns.risk(counts, "thinning", sigma=1.0)
