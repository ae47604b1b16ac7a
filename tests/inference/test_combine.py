"""What several repetitions say together: mixtures of their distributions, or one at the mean of their predictors."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, softmax

import neuralstat as ns
from neuralstat import families as F
from neuralstat.errors import ArgumentError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    n = 100
    x = rng.uniform(size=n)
    mu = np.exp(0.5 + x)
    return pd.DataFrame({
        "x": x, "y": np.sin(5 * x) + 0.3 * rng.normal(size=n), "k": rng.poisson(mu), "g": rng.gamma(4, mu / 4),
        "b": (rng.uniform(size=n) < x).astype(int), "c": np.array(list("abc"))[rng.integers(0, 3, n)],
        "nb": rng.negative_binomial(2, 2 / (2 + mu)), "t": rng.weibull(1.5, n) * mu, "e": True,
        "o": pd.Categorical.from_codes(np.digitize(2 * x + rng.logistic(size=n), [0, 1.5]), list("abc"), ordered=True),
    })  # fmt: skip


NEW = pd.DataFrame({"x": [0.1, 0.5, 0.9]})


def fitted(data, formula, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever weights there are will do
        return ns.neuralnet(formula, data, **{"hidden": 2, "rep": 3, "random_state": 3, "algorithm": "bfgs", "threshold": 1.0,
                                              "penalty": ns.decay(0.01), **more})  # fmt: skip


def test_means_of_predictors_of_one_parameter(data):
    for formula, family, inverse in (("k ~ x", "poisson", np.exp), ("b ~ x", "binomial", expit), ("y ~ x", None, lambda e: e),
                                     ("g ~ x", F.Gamma("log"), np.exp)):  # fmt: skip
        fit = fitted(data, formula, family=family)
        eta = fit.predict(NEW, rep="all", type="link").mean(axis=1)
        np.testing.assert_allclose(fit.predict(NEW, combine="mean"), inverse(eta), rtol=1e-9)
        np.testing.assert_allclose(fit.predict(NEW, type="link", combine="mean"), eta, rtol=1e-9)
        np.testing.assert_allclose(fit.predict(NEW), fit.predict(NEW, rep="all").mean(axis=1), rtol=1e-9)
        np.testing.assert_allclose(fit.predict(NEW, combine="mean", rep="best"), fit.predict(NEW, rep="best"))
    fit = fitted(data, "c ~ x", family="multinomial")
    eta = fit.predict(NEW, rep="all", type="link").to_numpy().reshape(3, 3, 3).mean(axis=1)
    np.testing.assert_allclose(fit.predict(NEW, combine="mean"), softmax(eta, axis=1), rtol=1e-9)
    fit = fitted(data, "b ~ x", err_fct="sse", linear_output=False)  # kernels give probabilities
    p = fit.predict(NEW, rep="all")
    np.testing.assert_allclose(fit.predict(NEW, combine="mean"), expit(np.log(p / (1 - p)).mean(axis=1)), rtol=1e-9)


def test_distributions_at_the_mean_predictors(data):
    fit = fitted(data, "y ~ x", family="gaussian", dispformula="~ x")
    each = [fit.predict(NEW, rep=r, type="parameters") for r in (1, 2, 3)]
    mu = np.mean([e["y" if "y" in e else "mu"] for e in each], axis=0)
    sigma = np.exp(np.mean([np.log(e["sigma"]) for e in each], axis=0))
    single = stats.norm(mu, sigma)
    found = fit.predict(NEW, type="distribution", combine="mean")
    assert len(found.components.parts) == 1
    np.testing.assert_allclose(found.cdf(0.3), single.cdf(0.3), rtol=1e-9)
    np.testing.assert_allclose(fit.predict(NEW, type="quantile", q=0.9, combine="mean"), single.ppf(0.9), rtol=1e-9)
    np.testing.assert_allclose(fit.predict(NEW, type="median", combine="mean"), mu, rtol=1e-9)
    np.testing.assert_allclose(fit.predict(NEW, type="parameters", combine="mean"), np.column_stack([mu, sigma]), rtol=1e-9)
    survival = fit.predict(NEW, type="survival", times=0.2, combine="mean")
    np.testing.assert_allclose(survival.iloc[:, 0], single.sf(0.2), rtol=1e-9)
    mixed = fit.predict(NEW, type="distribution")
    np.testing.assert_allclose(mixed.cdf(0.3), np.mean([stats.norm.cdf(0.3, e.iloc[:, 0], e["sigma"]) for e in each], axis=0))
    variance = np.mean([e["sigma"] ** 2 + (e.iloc[:, 0] - mu) ** 2 for e in each], axis=0)
    np.testing.assert_allclose(mixed.var(), variance, rtol=1e-9)
    assert np.all(mixed.var() >= single.var())  # differences of repetitions are in it
    # the log-score of the mixture is no worse than the mean of theirs
    scores = [fit.predict(rep=r, type="distribution").logpdf(data["y"]).mean() for r in (1, 2, 3)]
    assert fit.predict(type="distribution").logpdf(data["y"]).mean() >= np.mean(scores)
    drawn = fit.simulate(4000, new=NEW, combine="mean", random_state=1).to_numpy()
    assert np.all(np.abs(drawn.mean(axis=1) - mu) < 4 * sigma / np.sqrt(4000))
    np.testing.assert_allclose(drawn.std(axis=1), sigma, rtol=0.05)


@pytest.mark.parametrize("kind", ["nb", "ordinal", "times"])
def test_other_families(data, kind):
    formula, family = {"nb": ("nb ~ x", "negative_binomial"), "ordinal": ("o ~ x", "ordinal"),
                       "times": ("Surv(t, e) ~ x", "weibull")}[kind]  # fmt: skip
    fit = fitted(data, formula, family=family)
    inner = fit.fitted
    x = inner.design.encode(NEW).x
    eta = inner.original_predictors(inner.raw(x, None, inner.numbers("mean"))).mean(axis=0)
    par = inner.distribution.natural(eta)
    found = fit.predict(NEW, type="distribution", combine="mean")
    np.testing.assert_allclose(found.cdf(1.0), inner.distribution.cdf(par, np.full(3, 1.0)), rtol=1e-9)
    means = np.asarray(fit.predict(NEW, combine="mean")).T.reshape(-1, 3)
    np.testing.assert_allclose(means, inner.distribution.response(eta), rtol=1e-9)


def test_what_has_no_mean(data):
    mixture = fitted(data, "y ~ x", family=F.Mixture(2), dispformula="~ 1")
    for arguments in ({}, {"type": "quantile", "q": 0.5}, {"type": "distribution"}):
        with pytest.raises(ArgumentError, match="components of a mixture have no order"):
            mixture.predict(NEW, combine="mean", **arguments)
    assert np.isfinite(mixture.predict(NEW, combine="mean", rep="best")).all()
    fit = fitted(data, "k ~ x", family="poisson")
    for arguments in ({"rep": "all"}, {"type": "units", "rep": "best"}):
        with pytest.raises(ArgumentError, match="nothing is combined"):
            fit.predict(NEW, combine="mean", **arguments)
    with pytest.raises(ArgumentError, match="combine must be one of 'mixture', 'mean'"):
        fit.predict(NEW, combine="median")
