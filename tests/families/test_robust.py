"""Laplace, Huber, Tweedie with its power, joint normal responses: against closed forms, direct maximisation and R.

R's values are of R 4.2.2 with mgcv 1.8-41, by the commands beside them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from places import REFERENCE
from scipy import optimize, stats

import neuralstat as ns
from neuralstat import families as F
from neuralstat.errors import ArgumentError, DataError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    n = 150
    x, z = rng.normal(5, 2, n), rng.uniform(size=n)
    e = rng.normal(size=(n, 3)) @ np.array([[1, 0.5, 0], [0, 1, -20], [0, 0, 30.0]])
    return pd.DataFrame({"x": x, "z": z, "y": 2 + x - z + rng.standard_t(2, n), "a": x + e[:, 0], "b": z - x + e[:, 1],
                         "c": 100 * z + e[:, 2]})  # fmt: skip


def design_of(data):
    return np.column_stack([np.ones(len(data)), data.x, data.z])


def test_laplace_is_least_absolute_deviations(data):
    x, y = design_of(data), data.y.to_numpy()
    n, k = x.shape
    cost = np.concatenate([np.zeros(k), np.ones(2 * n)])
    exact = optimize.linprog(cost, A_eq=np.hstack([x, np.eye(n), -np.eye(n)]), b_eq=y,
                             bounds=[(None, None)] * k + [(0, None)] * 2 * n)  # fmt: skip
    fit = ns.neuralnet("y ~ x + z", data, hidden=0, family=F.Laplace(smooth=1e-3))
    own = fit.fitted.fit.free[0]
    assert np.abs(y - fit.predict()).sum() == pytest.approx(exact.fun, rel=1e-4)
    sigma = exact.fun / n  # the maximum likelihood scale
    np.testing.assert_allclose(np.exp(fit.params[own].iloc[3]), sigma, rtol=2e-3)
    np.testing.assert_allclose(fit.bse[own][:3], sigma * np.sqrt(np.diag(np.linalg.inv(x.T @ x))), rtol=5e-3)
    np.testing.assert_allclose(fit.predict(type="quantile", q=0.9) - fit.predict(), np.log(5) * sigma, rtol=3e-3)
    default = ns.neuralnet("y ~ x + z", data, hidden=0, family="laplace")
    assert np.abs(y - default.predict()).sum() < exact.fun * 1.001


def test_huber_is_maximum_likelihood_of_the_least_informative_distribution(data):
    x, y, k = design_of(data), data.y.to_numpy(), 1.2
    total = np.sqrt(2 * np.pi) * (2 * stats.norm.cdf(k) - 1) + 2 * np.exp(-k * k / 2) / k

    def loss(p):
        z = np.abs(y - x @ p[:3]) * np.exp(-p[3])
        return np.sum(np.where(z > k, k * z - k * k / 2, z * z / 2) + p[3] + np.log(total))

    best = optimize.minimize(loss, [2, 1, -1, 0.0], method="BFGS", options={"gtol": 1e-7})
    fit = ns.neuralnet("y ~ x + z", data, hidden=0, family=F.Huber(k))
    np.testing.assert_allclose(fit.params[fit.fitted.fit.free[0]], best.x, atol=2e-4)
    assert fit.llf == pytest.approx(-best.fun, abs=1e-6)
    wide = ns.neuralnet("y ~ x + z", data, hidden=0, family=F.Huber(10.0))  # normal
    least = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(wide.params[wide.fitted.fit.free[0]].iloc[:3], least[0], rtol=1e-4)


@pytest.mark.parametrize("family", [F.Laplace(), F.Huber(), F.Huber(0.5), F.TweedieScale()])
def test_distributions_are_consistent(family):
    par = np.array([[2.0, 3.0], [0.7, 1.5], [1.3, 1.8]])[: len(family.roles)]
    one = family.frozen(par)
    for q in (0.35, 0.5, 0.8, 0.99):
        at = one.ppf(np.full(2, q))
        inside = at > 0 if family.name == "tweedie_scale" else np.full(2, True)
        np.testing.assert_allclose(one.cdf(at)[inside], q, rtol=1e-9)
        np.testing.assert_allclose(one.sf(at)[inside], 1 - q, rtol=1e-7)
        slope = (one.cdf(at + 1e-5) - one.cdf(at - 1e-5)) / 2e-5
        np.testing.assert_allclose(np.exp(one.logpdf(at))[inside], slope[inside], rtol=1e-4)
    drawn = np.stack([family.draw(np.random.default_rng(k), np.repeat(par[:, :1], 50_000, axis=1)) for k in range(2)])
    mean, variance = float(family.mean(par)[0]), float(family.variance(par)[0])
    assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.05)


def test_tweedie_is_mgcv_tw():
    """m <- gam(y ~ x + z, family = tw(), data = d, method = "ML"); ldTweedie(c(0, .5, 1, 7), c(1, 1, 2, 4), 1.6, .8)."""
    d = pd.read_csv(REFERENCE / "distributions" / "tweedie.csv")
    fit = ns.neuralnet("y ~ x + z", d, hidden=0, family="tweedie")
    own = fit.fitted.fit.free[0]
    np.testing.assert_allclose(fit.params[own].iloc[:3], [0.2337180425, 0.5546097062, -0.2201188552], atol=2e-4)
    par = fit.predict(type="parameters").iloc[0]
    assert (par["power"], par["phi"]) == pytest.approx((1.439668, 1.225220), rel=5e-3)
    density = F.TweedieScale().logpdf(np.array([[1, 1, 2, 4.0], [0.8] * 4, [1.6] * 4]), np.array([0, 0.5, 1, 7]))
    np.testing.assert_allclose(density, [-3.125, -0.586346662587, -1.180147783266, -2.845451171012], rtol=1e-10)
    se, own = fit.standard_errors("expected"), fit.fitted.fit.free[0]
    np.testing.assert_allclose(se[own], fit.bse[own], rtol=0.15)
    masses, values = map(np.array, zip(*F.TweedieScale().frozen(np.array([[2.0], [1.3], [1.6]])).points(81), strict=True))
    assert masses.sum() == pytest.approx(1)
    assert (masses * values).sum() == pytest.approx(2.0, rel=1e-3)
    assert (masses * (values - 2) ** 2).sum() == pytest.approx(1.3 * 2**1.6, rel=2e-3)
    fixed = ns.neuralnet("y ~ x + z", d, hidden=0, family=F.Tweedie(1.5))  # as before: the power is given
    assert fixed.k_params == 3 and type(fixed.fitted.family) is F.Tweedie
    with pytest.raises(DataError, match="'y' must be not negative"):
        ns.neuralnet("y ~ x", d.assign(y=d.y - 1), hidden=0, family="tweedie")


def test_joint_normal_is_r_mlm(data):
    """Least squares, the covariance of its residuals (crossprod(resid(m)) / n), and the log-likelihood of both."""
    x, y = design_of(data), data[["a", "b", "c"]].to_numpy()
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    r = y - x @ beta
    cov = r.T @ r / len(data)
    fit = ns.neuralnet("a + b + c ~ x + z", data, hidden=0, family="multivariate_normal")
    inner = fit.fitted
    np.testing.assert_allclose(fit.predict(), x @ beta, rtol=1e-6, atol=1e-6)
    par = inner.parameters(inner.fitted_raw([0]))[0]
    np.testing.assert_allclose(inner.distribution.covariances(par)[0], cov, rtol=1e-6)
    assert fit.llf == pytest.approx(stats.multivariate_normal(np.zeros(3), cov).logpdf(r).sum(), abs=1e-7)
    own = fit.bse[inner.fit.free[0]]
    gram = np.linalg.inv(x.T @ x)
    np.testing.assert_allclose(own[:9], np.sqrt(np.kron(np.diag(cov), np.diag(gram))), rtol=1e-5)
    np.testing.assert_allclose(own[9:12], 1 / np.sqrt(2 * len(data)), rtol=1e-5)
    expected = fit.standard_errors("expected")[inner.fit.free[0]]
    np.testing.assert_allclose(expected, own, rtol=0.02)
    assert fit.df("jacobian") == pytest.approx(15)
    assert fit.df("covariance", draws=300, random_state=1) == pytest.approx(15, abs=2.5)
    table = fit.get_prediction(data.head(2), method="distribution").summary_frame(0.1)
    half = stats.norm.ppf(0.95) * np.sqrt(table[("b", "mean_se")] ** 2 + cov[1, 1])
    np.testing.assert_allclose(table[("b", "obs_ci_upper")] - table[("b", "mean")], half, rtol=1e-6)
    drawn = fit.get_prediction(data.head(2), method="bootstrap", draws=200, random_state=1).summary_frame()
    for name in "abc":
        np.testing.assert_allclose(drawn[(name, "mean_se")], table[(name, "mean_se")], rtol=0.25)
    one = ns.neuralnet("a + b + c ~ x + z", data, hidden=0)  # the same means; its covariance is the residuals'
    np.testing.assert_allclose(one.predict(), fit.predict(), rtol=1e-6, atol=1e-6)


def test_joint_normal_covariance_depends_on_covariates():
    rng = np.random.default_rng(3)
    n = 4000
    x = rng.uniform(-1, 1, n)
    a = x + np.exp(-0.5 + 0.4 * x) * rng.normal(size=n)
    b = 1 - x + (0.5 + 0.8 * x) * (a - x) + np.exp(0.2) * rng.normal(size=n)
    fit = ns.neuralnet("a + b ~ x", {"a": a, "b": b, "x": x}, hidden=0, family="multivariate_normal", dispformula="~ x")
    values = dict(zip(fit.fitted.network.names, fit.params, strict=True))
    truth = {"Intercept.to.sigma1": -0.5, "x.to.sigma1": 0.4, "Intercept.to.phi21": 0.5, "x.to.phi21": 0.8}
    se = dict(zip(fit.fitted.network.names, fit.bse, strict=True))
    for name, value in truth.items():
        assert abs(values[name] - value) < 4 * se[name], name
    drawn = fit.simulate(200, random_state=2)
    assert list(drawn.columns[:2]) == [("sim_1", "a"), ("sim_1", "b")]
    row = int(np.argmax(x))
    sample = drawn.iloc[row].to_numpy().reshape(200, 2)
    expected = fit.fitted.distribution.covariances(fit.fitted.parameters(fit.fitted.fitted_raw([0]))[0])[row]
    np.testing.assert_allclose(np.cov(sample.T), expected, rtol=0.5)
    assert abs(np.corrcoef(sample.T)[0, 1]) > 0.2
    with pytest.raises(ArgumentError, match="several responses"):
        fit.predict(type="quantile", q=0.5)
    with pytest.raises(DataError, match="several responses"):
        ns.neuralnet("a ~ x", {"a": a, "x": x}, hidden=0, family="multivariate_normal")
