"""Families and links: kernels against plain formulas, complex step and statsmodels."""

import warnings

import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.api as sm
from scipy import special

import neuralstat as ns
from neuralstat.engine import cpu
from neuralstat.engine.data import make_data
from neuralstat.errors import ArgumentError, DataError, FileFormatError
from neuralstat.families import family_from_json, power, resolve_family, resolve_link
from neuralstat.families.resolve import family_objective
from neuralstat.network.network import dense_network

F = ns.families
RNG = np.random.default_rng(3)

UNIT_LINKS = ("logit", "probit", "cloglog", "loglog", "cauchy", "log", "logc", "identity")
POSITIVE_LINKS = ("log", "identity", "inverse_power", "inverse_squared", "sqrt", power(1 / 3), power(-1.5), "nbinom")
FAMILIES = [
    *(F.Gaussian(link) for link in ("identity", "log", "inverse_power")),
    *(F.Binomial(link) for link in UNIT_LINKS),
    *(family(link=link) for family in (F.Poisson, F.Gamma, F.InverseGaussian) for link in POSITIVE_LINKS),
    *(F.NegativeBinomial(alpha, link) for alpha in (0.4, 2.0) for link in (*POSITIVE_LINKS, "cloglog")),
    *(F.Tweedie(p, link) for p in (0, 1, 1.3, 1.6, 2, 3) for link in ("log", "identity", power(0.7))),
]


def statsmodels_link(link):
    L = sm.families.links
    plain = {
        "identity": L.Identity, "log": L.Log, "logit": L.Logit, "probit": L.Probit, "cloglog": L.CLogLog,
        "loglog": L.LogLog, "cauchy": L.Cauchy, "inverse_power": L.InversePower, "logc": L.LogC,
        "inverse_squared": L.InverseSquared, "sqrt": L.Sqrt,
    }  # fmt: skip
    if link.name in plain:
        return plain[link.name]()
    return L.NegativeBinomial(link.parameter) if link.name == "nbinom" else L.Power(link.parameter)


def statsmodels_family(family):
    S, link = sm.families, statsmodels_link(family.link)
    if family.name == "negative_binomial":
        return S.NegativeBinomial(link, alpha=family.parameter, check_link=False)
    if family.name == "tweedie":
        return S.Tweedie(link, var_power=family.parameter, check_link=False)
    return getattr(S, type(family).__name__)(link, check_link=False)


def responses(family, n=40):
    y = RNG.gamma(2.0, 1.5, n)
    if family.name in ("poisson", "negative_binomial"):
        return np.floor(y)
    if family.name == "binomial":
        return np.concatenate([np.zeros(n // 4), np.ones(n // 4), RNG.uniform(size=n - 2 * (n // 4))])
    if family.needs == "nonnegative":
        return np.where(y < 1.5, 0.0, y)
    return y if family.needs == "positive" else y - 3.0


def predictors(family, n=40):
    """Linear predictors of possible means, away from the ends."""
    low, high = family.predictor_range()
    low, high = max(low, -2.5 if high > 0 else -3.0), min(high, 2.5)
    inside = 0.02 * (high - low)
    return RNG.uniform(low + inside, high - inside, n)


def kernel(family, eta, y, dtype=np.float64):
    """Value and slope of the compiled loss at each observation, with their complex derivatives."""
    eta, y = np.atleast_1d(eta).astype(float), np.atleast_1d(y).astype(float)
    network = dense_network(1, (), (), family_objective(family), ["x"], ["y"], offset=True)
    data = make_data(np.zeros((1, eta.size)), y[None], offset=eta[None], dtype=dtype)
    value, slope, steps = np.empty(eta.size), np.empty(eta.size), []
    for i in range(eta.size):
        grad = np.empty(2, dtype)
        value[i] = cpu.loss_gradient(network.net(), data, np.zeros(2, dtype), 0, i, i + 1, grad)
        slope[i] = grad[0]
    if dtype == np.float64:
        for i in range(eta.size):
            grad = np.empty(2, complex)
            total = cpu.loss_gradient(network.net(), data, np.array([1e-30j, 0]), 0, i, i + 1, grad)
            steps.append((total.real, total.imag / 1e-30, grad[0].real, grad[0].imag / 1e-30))
    return value, slope, np.array(steps).T


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_kernel_is_half_the_deviance(family):
    eta, y = predictors(family), responses(family)
    value, slope, (real, first, grad, second) = kernel(family, eta, y)
    mu = family.link.inverse(eta)
    np.testing.assert_allclose(value, family.unit_deviance(y, mu) / 2, rtol=1e-10, atol=1e-13)
    rise = family.link.inverse_deriv(eta)
    np.testing.assert_allclose(slope, (mu - y) / family.variance(mu) * rise, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(real, value, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(first, slope, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad, slope, rtol=1e-12, atol=1e-13)
    h = 1e-5
    around = [kernel(family, eta + s * h, y)[1] for s in (-1, 1)]
    np.testing.assert_allclose(second, (around[1] - around[0]) / (2 * h), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_numpy_family_equals_statsmodels(family):
    theirs = statsmodels_family(family)
    eta, y = predictors(family), responses(family)
    mu, w = family.link.inverse(eta), RNG.uniform(0.5, 2.0, eta.size)
    same = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(mu, theirs.link.inverse(eta), **same)
    np.testing.assert_allclose(family.link.inverse_deriv(eta), theirs.link.inverse_deriv(eta), **same)
    np.testing.assert_allclose(family.link(mu), theirs.link(mu), **same)
    np.testing.assert_allclose(family.link.deriv(mu), theirs.link.deriv(mu), **same)
    np.testing.assert_allclose(family.variance(mu), theirs.variance(mu), **same)
    with np.errstate(divide="ignore", invalid="ignore"):  # theirs warns at y = 0
        deviance, residuals = theirs.deviance(y, mu, var_weights=w), theirs.resid_dev(y, mu, var_weights=w)
    assert family.deviance(y, mu, w) == pytest.approx(deviance, rel=1e-9)
    np.testing.assert_allclose(family.resid_dev(y, mu, w), residuals, rtol=1e-6, atol=1e-6)
    if family.name == "binomial":  # numbers of trials where statsmodels takes two columns
        theirs.n = np.round(4 * w)
        mine = family.loglike_obs(y, mu, theirs.n)
        np.testing.assert_allclose(mine, theirs.loglike_obs(y, mu), **same)
    elif not (family.name == "tweedie" and family.parameter in (0, 3)):
        mine = family.loglike_obs(y, mu, w, 0.7)
        np.testing.assert_allclose(mine, theirs.loglike_obs(y, mu, w, 0.7), rtol=1e-7, atol=1e-9)
    again = resolve_family(theirs)
    assert again == family
    assert family_from_json(family.to_json()) == family


SAFE = [
    *(F.Binomial(link) for link in ("logit", "probit", "cloglog", "loglog", "cauchy")),
    F.Poisson(), F.Gamma("log"), F.NegativeBinomial(0.5), F.Tweedie(1.5),
]  # fmt: skip


@pytest.mark.parametrize("family", SAFE, ids=str)
@pytest.mark.parametrize("size", [1.0, 30.0, 300.0])
def test_nothing_overflows(family, size):
    eta = np.array([-size, -size, size, size])
    y = np.array([0.0, 1.0, 0.0, 1.0]) if family.name != "gamma" else np.array([0.5, 1.0, 0.5, 1.0])
    value, slope, steps = kernel(family, eta, y)
    assert np.isfinite(value).all() and np.isfinite(slope).all() and np.isfinite(steps).all()
    assert (value >= 0).all()
    np.testing.assert_allclose(steps[1], slope, rtol=1e-12, atol=1e-300)


def test_binomial_tails_are_accurate():
    eta = np.array([-300.0, -40.0, -26.0, -24.0, -5.0, 5.0, 40.0, 300.0])
    expected = {
        "probit": -special.log_ndtr(eta),
        "logit": -special.log_expit(eta),
        "cauchy": -np.log(np.arctan2(1.0, -eta) / np.pi),
        "loglog": np.exp(-eta),
    }
    for link, logs in expected.items():
        value, _, _ = kernel(F.Binomial(link), eta, np.ones(8))
        np.testing.assert_allclose(value, logs, rtol=1e-12, err_msg=link)
    low = eta[eta < 0]
    value, slope, _ = kernel(F.Binomial("cloglog"), low, np.ones(low.size))
    np.testing.assert_allclose(value, -np.log(-np.expm1(-np.exp(low))), rtol=1e-12)
    np.testing.assert_allclose(slope[:3], -1.0)
    value, slope, (_, _, _, second) = kernel(F.Binomial("probit"), np.array([-300.0]), np.ones(1))
    assert slope[0] == pytest.approx(-300 - 1 / 300 + 2 / 300**3, rel=1e-12)
    assert second[0] == pytest.approx(1 - 1 / 300**2, rel=1e-9)


@pytest.mark.parametrize(
    ("family", "eta"),
    [(F.Poisson("identity"), -0.5), (F.Gamma(), -1.0), (F.InverseGaussian(), -1.0), (F.Binomial("identity"), 1.2),
     (F.Binomial("log"), 0.3), (F.Binomial("logc"), 0.3), (F.NegativeBinomial(1.0, "nbinom"), 0.4),
     (F.Tweedie(1.5, "identity"), -0.1)],
    ids=str,
)  # fmt: skip
def test_impossible_means_are_not_finite(family, eta):
    value, slope, steps = kernel(family, eta, 1.0 if family.name != "binomial" else 0.0)
    other = kernel(family, eta, 1.0)
    assert not np.isfinite(value[0]) and not np.isfinite(slope[0]) and not np.isfinite(steps[2, 0])
    assert not np.isfinite(other[0][0])


def test_impossible_mean_ends_the_repetition():
    frame = pd.DataFrame({"x": np.linspace(0, 1, 20), "y": np.arange(20) % 4})
    with pytest.warns(ns.errors.ConvergenceWarning, match="gradient not finite"):
        fit = raw.neuralnet("y ~ x", frame, hidden=0, family=F.Poisson("identity"), startweights=[-1.0, 0.1])
    assert fit.reps["status"].tolist() == ["gradient not finite"]
    assert fit.reps["steps"].tolist() == [1]


def test_single_precision_trains():
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 50)})
    frame["y"] = np.floor(2 + 3 * np.exp(frame.x))
    options = {"hidden": 2, "family": "poisson", "threshold": 0.05, "random_state": 1}
    single, double = (raw.neuralnet("y ~ x", frame, dtype=d, **options) for d in ("float32", "float64"))
    assert single.converged
    assert single.errors[0] == pytest.approx(double.errors[0], rel=1e-2)


def test_multinomial_counts_have_the_saturated_part():
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 30)})
    counts = np.random.default_rng(0).multinomial(7, [0.2, 0.3, 0.5], 30)
    frame[["a", "b", "c"]] = counts
    fit = raw.neuralnet("a + b + c ~ x", frame, hidden=0, family="multinomial", threshold=1e-4, random_state=1)
    p = fit.predict().to_numpy()
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert fit.errors[0] == pytest.approx(np.sum(special.xlogy(counts, counts / (7 * p))), rel=1e-10)
    rng = np.random.default_rng(1)
    counts = rng.multinomial(1, [0.2, 0.3, 0.5], 30)
    frame[["a", "b", "c"]] = counts
    fit = raw.neuralnet("a + b + c ~ x", frame, hidden=0, family="multinomial", threshold=1e-4, random_state=1)
    assert fit.errors[0] == pytest.approx(-np.sum(counts * np.log(fit.predict().to_numpy())), rel=1e-10)


def test_family_by_name_and_errors():
    assert resolve_family("negative_binomial") == F.NegativeBinomialScale()  # by name alpha is estimated
    assert resolve_family(sm.families.NegativeBinomial(alpha=1.0)) == F.NegativeBinomial(1.0, "log")
    assert resolve_family("gamma").link == resolve_link("inverse_power")
    assert resolve_family(sm.families.Binomial(sm.families.links.CDFLink())) == F.Binomial("probit")
    assert repr(F.Tweedie(1.2, power(0.5))) == "Tweedie(var_power=1.2, link='sqrt')"
    with pytest.raises(ArgumentError, match="family must be one of 'gaussian'"):
        resolve_family("poison")
    with pytest.raises(ArgumentError, match="write Poisson"):
        resolve_family(sm.families.Poisson)
    with pytest.raises(ArgumentError, match="unknown link 'logot'"):
        F.Binomial("logot")
    with pytest.raises(ArgumentError, match="needs an exponent"):
        F.Gamma("power")
    with pytest.raises(ArgumentError, match="alpha must be a finite number > 0"):
        F.NegativeBinomial(alpha=0)
    with pytest.raises(ArgumentError, match="var_power"):
        F.Tweedie(0.5)
    with pytest.raises(FileFormatError, match="a stored family is not readable"):
        family_from_json({"family": "poisson"})
    with pytest.raises(ArgumentError, match="exponent of a power link"):
        power(0)


@pytest.mark.parametrize(
    ("family", "y", "words"),
    [("poisson", [1.0, -1.0, 2.0], "not negative"), ("gamma", [1.0, 0.0, 2.0], "greater than 0"),
     ("binomial", [0.0, 1.0, 2.0], "between 0 and 1"), ("multinomial", [0.0, 1.0, 1.0], "needs a factor"),
     ("inverse_gaussian", [1.0, 0.0, 2.0], "greater than 0")],
)  # fmt: skip
def test_responses_are_checked(family, y, words):
    with pytest.raises(DataError, match=words):
        raw.NeuralNet.from_formula("y ~ x", {"y": y, "x": [1.0, 2.0, 3.0]}, family=family)


def test_factor_responses():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "g": ["no", "yes", "no", "yes"]})
    assert raw.NeuralNet.from_formula("g ~ x", frame, family=F.Binomial("probit")).design.y_names == ("g",)
    assert raw.NeuralNet.from_formula("g ~ x", frame, family="multinomial").design.y_names == ("no", "yes")


def test_only_a_gaussian_identity_response_is_standardised():
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 5.0, 9.0]})
    for family, scaled in ((None, True), ("gaussian", True), (F.Gaussian("log"), False), ("gamma", False)):
        design = raw.NeuralNet.from_formula("y ~ x", frame, family=family, standardize=True).design
        assert (design.scaling.y_sd[0] != 1) == scaled


@pytest.mark.parametrize(
    "family", [F.Gamma(), F.InverseGaussian(), F.Poisson("identity"), F.Poisson("sqrt"),
     F.NegativeBinomial(1, "nbinom")],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("hidden", [0, 3])
def test_random_starts_are_possible(family, hidden):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.uniform(-50, 50, 40), "y": 1.0 + rng.poisson(20, 40), "e": rng.uniform(0, 1e-4, 40)})
    model = raw.NeuralNet.from_formula("y ~ x", frame, hidden=hidden, family=family, rep=4, random_state=1, offset="e")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(stepmax=1)
    eta = fit.predict(type="link", rep="all").to_numpy()
    mean = frame.y.mean()
    np.testing.assert_allclose(eta.mean(axis=0), family.link(mean), rtol=1e-8)
    low, high = family.predictor_range()
    assert (eta > low).all() and (eta < high).all()
    assert np.isfinite(fit.errors).all()
    assert len(np.unique(fit.fit.start[:, -1])) > 1


def test_other_starts_are_standard_normal():
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 5.0, 9.0]})
    starts = []
    for family in (None, "poisson", F.Gamma("log")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            starts.append(raw.neuralnet("y ~ x", frame, family=family, random_state=2, stepmax=1).fit.start)
    assert (starts[0] == starts[1]).all() and (starts[0] == starts[2]).all()


def test_saved_family_is_read_back(tmp_path):
    frame = pd.DataFrame({"x": np.linspace(0.1, 1, 20), "y": np.arange(20) % 3})
    fit = raw.neuralnet("y ~ x", frame, family=F.NegativeBinomial(0.3, power(0.5)), threshold=1.0, random_state=1)
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    assert again.network.objective.family == F.NegativeBinomial(0.3, power(0.5))
    pd.testing.assert_series_equal(again.predict(frame), fit.predict(frame))
