"""New observations of distributions with several parameters: first-order bias, mixtures, conformalised quantiles."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

import neuralstat as ns
from neuralstat import families as F
from neuralstat.assessment import folds
from neuralstat.assessment.procedure import streams
from neuralstat.errors import ArgumentError
from neuralstat.inference.bias import weights_bias
from neuralstat.inference.mixing import _points

rng = np.random.default_rng(16)
N = 80
X, Z = rng.uniform(size=N), rng.normal(size=N)
Y, K = 1 + 2 * X - Z + np.exp(-1 + X) * rng.normal(size=N), rng.poisson(np.exp(1 + X))
DATA = pd.DataFrame({"x": X, "z": Z, "y": Y, "k": K})


@pytest.mark.parametrize("kind", ["expected", "hessian"])
@pytest.mark.parametrize("standardize", [True, False])
def test_bias_of_a_normal_scale(kind, standardize):
    """log sigma^ of least squares with p coefficients: -(p + 1) / (2 n) to first order; the mean has none."""
    fit = ns.neuralnet("y ~ x + z", DATA, hidden=0, family="gaussian", dispformula="~ 1", standardize=standardize)
    _, bias = weights_bias(fit.fitted, 0, kind)
    np.testing.assert_allclose(bias, [0, 0, 0, -4 / (2 * N)], atol=1e-5)


def test_bias_of_a_normal_scale_with_covariates():
    """-(h_mu + h_sigma) for log sigma, regressed as the scores are: naive matrices, by hand."""
    fit = ns.neuralnet("y ~ x + z", DATA, hidden=0, family="gaussian", dispformula="~ x", standardize=False)
    mean, scale = np.column_stack([np.ones(N), X, Z]), np.column_stack([np.ones(N), X])
    sigma = fit.predict(type="parameters")["sigma"].to_numpy()
    inverse = np.linalg.inv(mean.T @ (mean / sigma[:, np.newaxis] ** 2)), np.linalg.inv(2 * scale.T @ scale)
    h_mu = np.einsum("np,pq,nq->n", mean, inverse[0], mean) / sigma**2
    h_sigma = 2 * np.einsum("np,pq,nq->n", scale, inverse[1], scale)
    _, bias = weights_bias(fit.fitted, 0, "expected")
    np.testing.assert_allclose(bias[:3], 0, atol=1e-9)
    np.testing.assert_allclose(bias[3:], -inverse[1] @ scale.T @ (h_mu + h_sigma), rtol=2e-3)


def test_bias_counts_repeated_rows():
    often = np.arange(N) % 3 + 1
    same = {"hidden": 0, "family": F.Gamma("log"), "dispformula": "~ 1", "standardize": False}
    data = DATA.assign(pos=np.exp(DATA["y"]), often=often)
    counted = ns.neuralnet("pos ~ x", data, freq_weights="often", **same)
    repeated = ns.neuralnet("pos ~ x", data.loc[data.index.repeat(often)], **same)
    for kind in ("expected", "hessian"):
        np.testing.assert_allclose(
            weights_bias(counted.fitted, 0, kind)[1], weights_bias(repeated.fitted, 0, kind)[1], rtol=1e-4, atol=1e-8
        )


def simulated(kind, seed):
    """Estimates less truth, and what first-order theory says of them."""
    rng, n = np.random.default_rng(seed), 60
    x = np.linspace(0, 1, n)
    mu = np.exp(0.5 + x)
    more = {"dispformula": "~ 1"}
    if kind == "gamma":
        family, data, truth = F.Gamma("log"), {"y": rng.gamma(2, mu / 2)}, [0.5, 1, np.log(0.5)]
    elif kind == "inverse gaussian":
        family, data, truth = F.InverseGaussian("log"), {"y": rng.wald(mu, 2.0)}, [0.5, 1, np.log(0.5)]
    elif kind == "beta":
        m = 1 / (1 + np.exp(0.5 - x))
        family, data, truth, more = "beta", {"y": rng.beta(5 * m, 5 * (1 - m))}, [-0.5, 1, np.log(5)], {}
    elif kind == "student":
        family, data, truth, more = F.Student(df=4), {"y": x + 0.5 * rng.standard_t(4, n)}, [0, 1, np.log(0.5)], {}
    else:
        times, limit = rng.weibull(2, n) * mu, rng.exponential(5.0, n)
        data, truth = {"y": np.minimum(times, limit), "e": (times <= limit).astype(int)}, [0.5, 1, np.log(0.5)]
        family, more = "weibull", {}
    response = "Surv(y, e)" if kind == "weibull" else "y"
    fit = ns.neuralnet(f"{response} ~ x", pd.DataFrame({"x": x, **data}), hidden=0, family=family, standardize=False, **more)
    return fit.params.to_numpy()[fit.fitted.fit.free[0]] - truth, weights_bias(fit.fitted, 0, "hessian")[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gamma", "inverse gaussian", "beta", "student", "weibull"])
def test_bias_by_simulation(kind):
    """The scale's bias at n = 60 is what is said, within three Monte-Carlo errors and a second order of a fifth."""
    errors, said = (np.array(part) for part in zip(*(simulated(kind, seed) for seed in range(600)), strict=True))
    error = errors[:, -1].std(ddof=1) / np.sqrt(len(errors))
    mean, first = errors[:, -1].mean(), said[:, -1].mean()
    assert abs(mean) > 3 * error  # there is one
    assert abs(mean - first) < 3 * error + 0.2 * abs(first)
    assert abs(mean - first) < abs(mean)


def test_points_have_the_moments():
    for k in (1, 2, 3, 8):
        z = _points(k)
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(z.T @ z / len(z), np.eye(k), atol=1e-12)


@pytest.mark.parametrize("method", ["delta", "distribution"])
def test_limits_are_quantiles_of_the_mixture(method):
    """Two integrals by hand: over the errors of mu and log sigma, around the estimates less their bias."""
    fit = ns.neuralnet("y ~ x + z", DATA, hidden=0, family="gaussian", dispformula="~ 1", standardize=False)
    new = pd.DataFrame({"x": [0.1, 0.5], "z": [0.0, 3.0]})
    frame = fit.get_prediction(new, method=method).summary_frame(0.1)
    sigma = float(fit.predict(new, type="parameters")["sigma"].iloc[0]) * np.exp(4 / (2 * N))
    for (_, row), mean, error in zip(frame.iterrows(), fit.predict(new), frame["mean_se"], strict=True):
        def cdf(y, mean=mean, error=error):
            def of(u):
                spread = np.sqrt((sigma * np.exp(u / np.sqrt(2 * N))) ** 2 + error**2)
                return stats.norm.cdf((y - mean) / spread) * stats.norm.pdf(u)

            return integrate.quad(of, -8, 8)[0]

        low, high = (optimize.brentq(lambda y, q=q: cdf(y) - q, mean - 20, mean + 20) for q in (0.05, 0.95))
        width = high - low
        assert row["obs_ci_lower"] == pytest.approx(low, abs=0.004 * width)
        assert row["obs_ci_upper"] == pytest.approx(high, abs=0.004 * width)


def test_distribution_of_one_parameter_is_the_delta_method():
    for formula, family in (("y ~ x", "gaussian"), ("k ~ x", "poisson")):
        fit = ns.neuralnet(formula, DATA, hidden=0, family=family)
        delta, found = (fit.get_prediction(DATA.head(4), method=m).summary_frame(0.2) for m in ("delta", "distribution"))
        pd.testing.assert_frame_equal(delta, found)
    with pytest.raises(ArgumentError, match="no distribution"):
        ns.neuralnet("y ~ x", DATA, hidden=0, family=F.Expectile((0.2, 0.8))).get_prediction(method="distribution")


def test_a_density_alone():
    """Without its distribution function there are intervals of means; with it those of observations are the built-in's."""

    def normal(mu, sigma, y):
        return -np.log(sigma) - (y - mu) ** 2 / (2 * sigma**2)

    parameters = {"mu": "identity", "sigma": "log"}
    more = {"cdf": lambda y, mu, sigma: stats.norm.cdf(y, mu, sigma),
            "ppf": lambda q, mu, sigma: stats.norm.ppf(q, mu, sigma)}  # fmt: skip
    alone, told = (F.Distribution(normal, parameters, **given) for given in ({}, more))
    same = {"hidden": 0, "dispformula": "~ 1"}
    fit = ns.neuralnet("y ~ x", DATA, family=alone, **same)
    frame = fit.get_prediction(DATA.head(3)).summary_frame()
    assert np.isfinite(frame["mean_ci_lower"]).all() and frame["obs_ci_lower"].isna().all()
    for method in ("distribution", "cqr"):
        with pytest.raises(ArgumentError, match="Distribution has no ppf"):
            fit.get_prediction(DATA.head(3), method=method).summary_frame()
    fit, built = (ns.neuralnet("y ~ x", DATA, family=family, **same) for family in (told, "gaussian"))
    found, known = (f.get_prediction(DATA.head(3), method="distribution").summary_frame() for f in (fit, built))
    width = known["obs_ci_upper"] - known["obs_ci_lower"]  # the bias is of what was observed, not of what is expected
    assert np.all(np.abs(found["obs_ci_lower"] - known["obs_ci_lower"]) < 0.02 * width)


def test_parameters_without_information_do_not_spoil_limits():
    """No zeros in excess: the logit of pi runs away, and its standard error with it."""
    data = pd.DataFrame({"x": X, "k": np.random.default_rng(5).poisson(np.exp(1.5 + X))})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ns.neuralnet("k ~ x", data, hidden=0, family="zero_inflated_poisson")
        found = fit.get_prediction(data, method="distribution").conf_int(0.1, obs=True)
    known = stats.poisson(np.exp(1.5 + X))
    assert np.all(np.abs(found["lower"] - known.ppf(0.05)) <= 3) and np.all(np.abs(found["upper"] - known.ppf(0.95)) <= 4)


@pytest.mark.parametrize("more", [{"k": 4}, {"test_size": 0.4}])
def test_cqr_by_hand(more):
    """Fits without each fold, their limits, and order statistics, in plain loops."""
    same = {"hidden": 0, "family": "gaussian", "dispformula": "~ x", "threshold": 1e-5}
    fit = ns.neuralnet("y ~ x + z", DATA, **same)
    new, alpha = pd.DataFrame({"x": [0.2, 0.9], "z": [0.5, -1.0]}), 0.2
    found = fit.get_prediction(new, method="cqr", random_state=3, **more).conf_int(alpha, obs=True)
    drawn = np.random.default_rng(streams(3)[0])
    if "k" in more:
        held = [test for _, test in folds.kfold(N, 4, drawn)]
    else:
        held = [np.sort(drawn.permutation(N)[:32])]
    low, high = [], []
    for rows in held:
        part = ns.neuralnet("y ~ x + z", DATA.drop(index=DATA.index[rows]), **same)
        there = part.get_prediction(new, method="distribution").conf_int(alpha, obs=True).to_numpy()
        here = part.get_prediction(DATA.iloc[rows], method="distribution").conf_int(alpha, obs=True).to_numpy()
        for (left, right), y in zip(here, DATA["y"].iloc[rows], strict=True):
            score = max(left - y, y - right) / (right - left)
            low.append(there[:, 0] - score * (there[:, 1] - there[:, 0]))
            high.append(there[:, 1] + score * (there[:, 1] - there[:, 0]))
    m = len(low)
    top = int(np.ceil((1 - alpha) * (m + 1)))
    np.testing.assert_allclose(found["lower"], np.sort(low, axis=0)[m - top], atol=1e-4)
    np.testing.assert_allclose(found["upper"], np.sort(high, axis=0)[top - 1], atol=1e-4)


def test_cqr_says_what_it_cannot():
    fit = ns.neuralnet("y ~ x", DATA, hidden=0, family="gaussian", dispformula="~ x")
    with pytest.raises(ArgumentError, match="give one of them"):
        fit.get_prediction(method="cqr", k=5, test_size=0.5)
    with pytest.raises(ArgumentError, match="needs at least 199 held-out rows, there are 80"):
        fit.get_prediction(method="cqr", random_state=1).summary_frame(0.005)
    with pytest.raises(ArgumentError, match="needs at least 99 held-out rows, there are 40"):
        fit.get_prediction(method="cqr", test_size=0.5, random_state=1).summary_frame(0.01)
    own = fit.get_prediction(method="cqr", random_state=1).conf_int(0.1, obs=True)  # the rows of the fit themselves
    assert 0.85 < np.mean((own["lower"] <= DATA["y"]) & (DATA["y"] <= own["upper"])) < 0.99
