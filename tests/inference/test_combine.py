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
from neuralstat.inference.sampling import joint_root
from neuralstat.network import derivatives


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


@pytest.mark.parametrize("kind", ["poisson", "gaussian", "lognormal", "ordinal"])
def test_variances_of_means_at_the_mean_predictors(data, kind):
    """By the delta method over all weights of all repetitions, numerically, and between random starts."""
    formula, arguments = {
        "poisson": ("k ~ x", {"family": "poisson"}), "gaussian": ("y ~ x", {"family": "gaussian", "dispformula": "~ x"}),
        "lognormal": ("g ~ x", {"family": "lognormal"}), "ordinal": ("o ~ x", {"family": "ordinal"}),
    }[kind]  # fmt: skip
    fit = fitted(data, formula, **arguments)
    inner = fit.fitted
    numbers = inner.numbers("mean")
    x = inner.design.encode(NEW).x
    found = fit.get_prediction(NEW, cov_type="expected", combine="mean")
    np.testing.assert_allclose(np.asarray(found.predicted_mean), np.asarray(fit.predict(NEW, combine="mean")), rtol=1e-9)
    theta = inner.fit.theta[numbers].astype(float)

    def mean(weights):
        raw = derivatives.outputs(inner.network, x, weights)
        return inner.response(raw.mean(axis=0)[np.newaxis])[0]

    root = joint_root(inner, tuple(numbers), "expected")[0]
    slope = np.empty((*mean(theta).shape, theta.size))
    for p in range(theta.size):
        up, down = theta.copy().ravel(), theta.copy().ravel()
        up[p] += 1e-6
        down[p] -= 1e-6
        slope[..., p] = (mean(up.reshape(theta.shape)) - mean(down.reshape(theta.shape))) / 2e-6
    np.testing.assert_allclose(found.var_sampling, np.square(slope @ root).sum(axis=-1), rtol=1e-4)
    raw = derivatives.outputs(inner.network, x, theta)  # predictors (R, K, m), moved one by one
    pooled, step, apart = raw.mean(axis=0), 1e-6, 0.0
    for d in raw - pooled:
        up, down = (inner.response((pooled + s * d)[np.newaxis])[0] for s in (step, -step))
        apart = apart + ((up - down) / (2 * step)) ** 2
    np.testing.assert_allclose(found.var_restarts, apart / (len(raw) - 1) / len(raw), rtol=1e-4)


def test_limits_of_new_observations(data):
    fit = fitted(data, "y ~ x", family="gaussian", dispformula="~ x")
    said = {"method": "distribution", "cov_type": "expected"}
    mixed = fit.get_prediction(NEW, **said).summary_frame(0.1)
    mean = fit.get_prediction(NEW, **said, combine="mean").summary_frame(0.1)
    known = fit.predict(NEW, type="distribution", combine="mean").interval(0.1)
    wide = mean["obs_ci_upper"] - mean["obs_ci_lower"]
    assert np.all(wide > known["upper"] - known["lower"])  # parameters are estimates
    np.testing.assert_allclose(wide, known["upper"] - known["lower"], rtol=0.25)
    assert not np.allclose(mixed["obs_ci_lower"], mean["obs_ci_lower"], rtol=1e-6)
    same = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ x", rep=2)  # both repetitions are one
    a, b = (same.get_prediction(NEW, combine=c).summary_frame() for c in ("mixture", "mean"))
    np.testing.assert_allclose(a.iloc[:, :4], b.iloc[:, :4], rtol=1e-3)
    width = (a["obs_ci_upper"] - a["obs_ci_lower"]).max()
    np.testing.assert_allclose(a.iloc[:, 4:], b.iloc[:, 4:], atol=0.01 * width)  # by points, turned otherwise
    levels = fitted(data, "y ~ x", family=F.Quantile((0.05, 0.5, 0.95)))
    frame = levels.get_prediction(NEW, **said, combine="mean").summary_frame(0.1)
    q = levels.predict(NEW, type="quantile", q=[0.05, 0.95], combine="mean")
    np.testing.assert_allclose(frame[["obs_ci_lower", "obs_ci_upper"]], q, rtol=1e-6)
    with pytest.raises(ArgumentError, match="has no option 'combine'"):
        fit.get_prediction(NEW, method="split", combine="mean")
    with pytest.raises(ArgumentError, match="combine must be"):
        fit.get_prediction(NEW, combine="median")
    with pytest.raises(ArgumentError, match="give family="):
        fitted(data, "b ~ x", err_fct="sse", linear_output=False).get_prediction(NEW, combine="mean")
