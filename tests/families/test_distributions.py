"""Distributions with several parameters, end to end: fits of networks, masks, predictions, draws, files, errors."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import neuralstat as ns
from neuralstat import families as F
from neuralstat.errors import ArgumentError, DataError
from neuralstat.network import derivatives


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n = 240
    x, z = rng.uniform(size=n), rng.normal(size=n)
    mu = np.exp(0.5 + x)
    counts = rng.negative_binomial(2, 2 / (2 + mu))
    times = rng.weibull(1.5, n) * mu
    limit = rng.exponential(5.0, n)
    return pd.DataFrame({
        "x": x, "z": z, "y": 1 + 2 * x - z + np.exp(-1 + 1.2 * x) * rng.normal(size=n), "pos": rng.gamma(2, mu / 2),
        "ig": rng.wald(mu, 2.0), "s": x - z + 0.5 * rng.standard_t(3, n),
        "b": rng.beta(2 + 3 * x, 3), "k": counts, "k0": counts * (rng.uniform(size=n) > 0.3),
        "o": pd.Categorical.from_codes(
            np.digitize(2 * x - z + rng.logistic(size=n), [-1, 0.5, 2]), list("abcd"), ordered=True),
        "t": np.minimum(times, limit), "e": times <= limit,
        "amount": np.array([rng.gamma(1.5 * k + 1e-9, 0.6) if k else 0.0 for k in rng.poisson(mu / 2)]),
    })  # fmt: skip


def normal(mu, sigma, y):
    return -np.log(sigma) - (y - mu) ** 2 / (2 * sigma**2) - 0.5 * np.log(2 * np.pi)


#: response, family, dispformula
KINDS = {
    "gaussian": ("y", "gaussian", "~ x"), "negative binomial": ("k", "negative_binomial", None),
    "gamma": ("pos", F.Gamma("log"), "~ 1"), "inverse gaussian": ("ig", F.InverseGaussian("log"), "~ x"),
    "beta": ("b", "beta", None), "student": ("s", "student", {"sigma": "~ x", "nu": "~ 1"}),
    "lognormal": ("pos", "lognormal", None), "zip": ("k0", "zero_inflated_poisson", None),
    "zinb": ("k0", "zero_inflated_negative_binomial", {"pi": "~ x"}), "hurdle": ("k0", "hurdle_negative_binomial", None),
    "ordinal": ("o", "ordinal", None), "quantile": ("y", "quantile", None), "expectile": ("y", F.Expectile((0.2, 0.8)), None),
    "weibull": ("Surv(t, e)", "weibull", None), "mixture": ("y", F.Mixture(2), "~ 1"),
    "laplace": ("s", "laplace", None), "huber": ("s", F.Huber(1.2), "~ x"), "tweedie": ("amount", "tweedie", None),
    "cox": ("Surv(t, e)", "cox", None), "piecewise": ("Surv(t, e)", "piecewise_exponential", "~ x"),
    "own": ("y", F.Distribution(normal, {"mu": "identity", "sigma": "log"}), "~ x"),
}  # fmt: skip


def fitted(data, kind, **more):
    response, family, dispformula = KINDS[kind]
    plain = {"hidden": 0, "random_state": 1, **more}
    return ns.neuralnet(f"{response} ~ x + z", data, family=family, dispformula=dispformula, **plain)


@pytest.mark.parametrize("kind", KINDS)
def test_end_to_end(data, kind, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fitted(data, kind)
    assert fit.converged
    likely = kind not in ("quantile", "expectile")
    inner = fit.fitted
    theta, free = inner.fit.theta[0], inner.fit.free[0]
    if not inner.distribution.floating:
        np.testing.assert_array_equal(theta[~free], 0.0)  # masks hold
    text = str(fit.summary())
    for role in inner.distribution.roles:
        assert f"Coefficients of {role} " in text
    if likely:
        assert np.isfinite([fit.llf, fit.aic, fit.llnull]).all() and fit.llf >= fit.llnull
        assert fit.df("jacobian") == pytest.approx(free.sum())
        assert np.all(fit.bse[free] > 0)
        hessian = derivatives.hessian(inner.network, inner.data, theta)[np.ix_(free, free)]
        step, one = 1e-5, np.flatnonzero(free)[1]  # one column by differences
        moved = [theta.copy(), theta.copy()]
        moved[0][one] += step
        moved[1][one] -= step
        column = (derivatives.gradient(inner.network, inner.data, moved[0])
                  - derivatives.gradient(inner.network, inner.data, moved[1])) / (2 * step)  # fmt: skip
        np.testing.assert_allclose(column[free], hessian[1], rtol=1e-4, atol=1e-4 * np.abs(hessian).max())
    new = data.head(3)
    path = tmp_path / "fit.nst"
    fit.save(path)
    for same in (ns.load(path), pickle.loads(pickle.dumps(fit))):
        np.testing.assert_allclose(np.asarray(same.predict(new)), np.asarray(fit.predict(new)), rtol=1e-12)
        np.testing.assert_allclose(same.errors, fit.errors, rtol=1e-12)
        assert same.formula == fit.formula


WITH_QUANTILES = [k for k in KINDS if k not in ("quantile", "expectile", "own")]


@pytest.mark.parametrize("kind", WITH_QUANTILES)
def test_predictions_agree(data, kind):
    fit = fitted(data, kind)
    found = fit.predict(type="distribution")
    assert len(found) == len(data)
    if kind not in ("ordinal", "cox"):  # means of Cox's model are restricted
        np.testing.assert_allclose(found.mean(), fit.predict(), rtol=1e-9)
    q = fit.predict(data.head(20), type="quantile", q=[0.1, 0.5, 0.9])
    assert list(q.columns) == [0.1, 0.5, 0.9]
    at = fit.predict(data.head(20), type="distribution")
    if kind not in ("tweedie", "cox") and not found.discrete:  # these have steps
        for level in q:
            np.testing.assert_allclose(at.cdf(q[level].to_numpy()), level, atol=1e-8)
        np.testing.assert_allclose(at.sf(q[0.9].to_numpy()), 0.1, atol=1e-8)
        np.testing.assert_allclose(fit.predict(data.head(20), type="median"), q[0.5])
    if kind == "cox":
        return
    drawn = fit.simulate(300, random_state=3)
    assert drawn.shape == (len(data), 300)
    numbers = drawn.apply(lambda c: c.cat.codes) if kind == "ordinal" else drawn
    mean, sd = found.mean().to_numpy(), found.std().to_numpy()
    z = (numbers.to_numpy().mean(axis=1) - mean) / sd * np.sqrt(300)
    assert np.abs(z.mean()) < 4 / np.sqrt(len(z)) and 0.6 < z.std() < 1.5  # draws have the moments
    r = fit.resid_quantile
    assert stats.kstest(r, "norm").pvalue > 1e-3
    if kind not in ("weibull", "piecewise"):
        log = found.logpdf(numbers.iloc[:, 0].to_numpy())
        assert np.isfinite(log).all()
    if kind != "ordinal":
        plain = fit.predict(data.head(5), type="distribution").interval(0.2)
        np.testing.assert_allclose(plain["lower"], q[0.1].head(5), rtol=1e-9)
        for method in ("delta", "distribution"):  # with errors of the parameters
            wide = fit.get_prediction(data.head(5), method=method).conf_int(0.2, obs=True)
            assert np.all(wide["upper"] - wide["lower"] >= 0.97 * (plain["upper"] - plain["lower"]))


WITH_OFFSET = ("negative binomial", "ordinal", "weibull", "gaussian", "cox", "piecewise", "zip", "student", "quantile",
               "tweedie")  # fmt: skip


@pytest.mark.parametrize("kind", WITH_OFFSET)
def test_an_offset_is_of_the_first_parameter_alone(data, kind, tmp_path):
    """A constant one moves its intercept, and nothing else; one that varies comes with new rows."""
    response, family, dispformula = KINDS[kind]
    same = {"family": family, "dispformula": dispformula, "hidden": 0, "random_state": 1}
    plain = ns.neuralnet(f"{response} ~ x + z", data, **same)
    moved = ns.neuralnet(f"{response} ~ x + z + offset(c)", data.assign(c=0.7), **same)
    own = plain.fitted.fit.free[0]
    change = (plain.params - moved.params)[own].to_numpy()
    expected = np.zeros(own.sum())
    if kind != "cox":
        expected[0] = 0.7
    np.testing.assert_allclose(change, expected, atol=2e-4)
    assert moved.errors[0] == pytest.approx(plain.errors[0], rel=1e-7)
    varying = ns.neuralnet(f"{response} ~ x + offset(z)", data, rep=2, **{**same, "hidden": 2, "penalty": ns.decay(0.1)})
    varying.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    link = varying.predict(data.head(5), type="link", rep=1)
    np.testing.assert_allclose(again.predict(data.head(5), type="link", rep=1), link)
    shifted = varying.predict(data.head(5).assign(z=lambda d: d["z"] + 1), type="link", rep=1)
    np.testing.assert_allclose(shifted - link, 1.0, rtol=1e-9)
    if kind not in ("quantile",):
        assert np.isfinite(varying.llf) and np.isfinite(varying.llnull)
    assert np.isfinite(float(ns.risk(varying, "cv", k=3, random_state=1)))
    table = varying.get_prediction(data.head(4)).summary_frame()
    errors = table.xs("mean_se", axis=1, level=-1) if kind == "ordinal" else table[["mean_se"]]
    assert errors.notna().to_numpy().all()


@pytest.mark.parametrize("algorithm", ["rprop+", "bfgs", "lbfgs", "lm", "adam"])
def test_algorithms_reach_one_optimum(data, algorithm):
    best = fitted(data, "gaussian").errors[0]
    more = {"epochs": 3000, "learningrate": 0.01, "batch_size": None} if algorithm == "adam" else {"threshold": 1e-3}
    fit = fitted(data, "gaussian", algorithm=algorithm, random_state=1, **more)
    assert fit.errors[0] == pytest.approx(best, abs=1e-3 if algorithm == "adam" else 1e-5)
    if algorithm == "lm":  # Gauss-Newton is of squares
        assert fit.algorithm.startswith("bfgs")


@pytest.mark.parametrize("how", ["~ 1", True, "~ x + z", {"sigma": "~ z"}])
def test_networks_and_masks(data, how):
    fit = ns.neuralnet("y ~ x", data, hidden=(3, 2), family="gaussian", dispformula=how, rep=2, random_state=2)
    free = pd.Series(fit.fitted.fit.free[0], fit.fitted.network.names)
    own = {name for name in free.index[free] if name.endswith(".to.sigma")}
    expected = {
        "~ 1": {"Intercept"}, "True": {"Intercept", "2layhid1", "2layhid2"}, "~ x + z": {"Intercept", "x", "z"},
        "{'sigma': '~ z'}": {"Intercept", "z"},
    }[str(how)]  # fmt: skip
    assert own == {f"{name}.to.sigma" for name in expected}
    if how not in ("~ 1", True):
        assert not free[["x.to.y"]].any() and free["2layhid1.to.y"]
        if "z.to.1layhid1" in free:
            assert not free["z.to.1layhid1"]
    inner = fit.fitted
    raw = inner.raw(inner.design.x, None, [0])[0]
    step = 1e-6  # slopes, also past the hidden layers
    slopes = derivatives.slopes(inner.network, inner.design.x, inner.fit.theta[0])
    for d in range(len(inner.design.x)):
        moved = inner.design.x.copy()
        moved[d] += step
        change = (inner.raw(moved, None, [0])[0] - raw) / step
        np.testing.assert_allclose(change, slopes[:, d], atol=2e-4 * np.abs(slopes).max())
    sd = fit.predict(type="parameters")["sigma"]
    assert (sd.nunique() == 1) == (how == "~ 1")
    np.testing.assert_allclose(fit.llf, stats.norm.logpdf(data["y"], fit.predict(rep="best"), fit.predict(
        rep="best", type="parameters")["sigma"]).sum(), rtol=1e-9)  # fmt: skip


def test_scaling_changes_nothing(data):
    scaled = data.assign(y=1000 + 50 * data["y"], x=300 * data["x"])
    inside, outside = (fitted(scaled, "gaussian", standardize=s) for s in (True, False))
    np.testing.assert_allclose(inside.params, outside.params, rtol=1e-4)
    np.testing.assert_allclose(inside.bse.dropna(), outside.bse.dropna(), rtol=1e-4)
    assert inside.llf == pytest.approx(outside.llf, abs=1e-6)
    assert inside.llf == pytest.approx(fitted(data, "gaussian").llf - len(data) * np.log(50), abs=1e-6)


def test_weights_offsets_penalties(data):
    often = np.random.default_rng(1).integers(1, 4, len(data))
    repeated = data.loc[data.index.repeat(often)].reset_index(drop=True)
    for kind in ("gaussian", "negative binomial", "ordinal"):
        a, b = fitted(data, kind, freq_weights=often), fitted(repeated, kind)
        np.testing.assert_allclose(a.params, b.params, atol=1e-5)
        np.testing.assert_allclose(a.bse.dropna(), b.bse.dropna(), rtol=1e-4)
        assert a.llf == pytest.approx(b.llf, abs=1e-6) and a.bic == pytest.approx(b.bic, abs=1e-5)
    known = fitted(data, "negative binomial", offset=np.full(len(data), 0.7))
    plain = fitted(data, "negative binomial")
    assert known.params.iloc[0] == pytest.approx(plain.params.iloc[0] - 0.7, abs=1e-5)
    assert known.llf == pytest.approx(plain.llf, abs=1e-7) and known.llnull == pytest.approx(plain.llnull, abs=1e-5)
    small = fitted(data, "gaussian", penalty=ns.decay(50.0, biases=False))
    assert np.abs(small.params["x.to.y"]) < np.abs(fitted(data, "gaussian").params["x.to.y"])
    assert small.df("jacobian") < 4.95


def test_tests_of_terms(data):
    large = fitted(data, "gaussian")
    small = ns.neuralnet("y ~ x + z", data, hidden=0, family="gaussian", dispformula="~ 1")
    test = large.compare_lr_test(small)
    assert "Chisq" in str(test) or "chi" in str(test).lower()
    assert 2 * (large.llf - small.llf) > stats.chi2.ppf(0.999, 1)  # the spread does depend on x


def test_recovery_by_networks():
    """Means and spreads of a smooth truth are found; sigma's logarithm within its sampling error, over replicates."""
    rng = np.random.default_rng(21)
    errors = []
    grid = pd.DataFrame({"x": np.linspace(0.1, 0.9, 9)})
    truth = -1.5 + 1.5 * grid["x"]
    for t in range(12):
        x = rng.uniform(size=300)
        y = np.sin(3 * x) + np.exp(-1.5 + 1.5 * x) * rng.normal(size=300)
        fit = ns.neuralnet("y ~ x", pd.DataFrame({"x": x, "y": y}), hidden=3, family="gaussian", dispformula="~ x", rep=1,
                           penalty=ns.decay(1e-3), algorithm="bfgs", random_state=t, threshold=0.05)  # fmt: skip
        errors.append(np.log(fit.predict(grid, type="parameters")["sigma"]) - truth)
    bias = np.mean(errors, axis=0)
    error = np.std(errors, axis=0, ddof=1) / np.sqrt(len(errors))
    assert np.abs(bias.mean()) < 0.05  # maximum likelihood is a little low
    assert np.all(np.abs(bias) < 3.5 * error + 0.05)


def test_conformal_and_distribution_follow_the_spread():
    rng = np.random.default_rng(7)

    def draw(n):
        x = rng.uniform(size=n)
        return pd.DataFrame({"x": x, "y": np.sin(3 * x) + np.exp(-2.5 + 2.5 * x) * rng.normal(size=n)})

    train, test = draw(600), draw(4000)
    fit = ns.neuralnet("y ~ x", train, hidden=2, family="gaussian", dispformula="~ x", rep=1, algorithm="bfgs",
                       penalty=ns.decay(1e-3), random_state=3, threshold=0.05)  # fmt: skip
    fifth = np.minimum((5 * test["x"]).astype(int), 4)
    for method in ("delta", "distribution", "cqr"):
        frame = fit.get_prediction(test, method=method, random_state=1 if method == "cqr" else None).summary_frame(0.1)
        inside = (frame["obs_ci_lower"] <= test["y"]) & (test["y"] <= frame["obs_ci_upper"])
        shares = inside.groupby(fifth).mean()
        assert shares.between(0.84, 0.955).all(), (method, shares.to_dict())


def test_quantiles_do_not_cross(data):
    fit = ns.neuralnet("y ~ x + z", data, hidden=3, family=F.Quantile((0.1, 0.25, 0.5, 0.75, 0.9)), rep=1, random_state=1,
                       algorithm="bfgs", threshold=0.05)  # fmt: skip
    values = fit.predict(type="parameters")
    assert np.all(np.diff(values, axis=1) > 0)
    below = (data["y"].to_numpy()[:, np.newaxis] <= values).mean(axis=0)
    np.testing.assert_allclose(below, fit.family.q, atol=0.04)
    with pytest.raises(ArgumentError, match="between the levels that were fitted"):
        fit.predict(type="quantile", q=0.01)
    with pytest.raises(ArgumentError, match="no likelihood"):
        _ = fit.llf


def test_several_repetitions_are_a_mixture(data):
    fit = ns.neuralnet("y ~ x", data, hidden=2, family="gaussian", dispformula="~ x", rep=3, random_state=4)
    found = fit.predict(type="distribution")
    np.testing.assert_allclose(found.mean(), fit.predict(), rtol=1e-9)
    each = [fit.predict(rep=r, type="distribution").cdf(0.5) for r in (1, 2, 3)]
    np.testing.assert_allclose(found.cdf(0.5), np.mean(each, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.cdf(found.ppf(0.3).to_numpy()), 0.3, atol=1e-9)


def test_one_parameter_families_have_distributions_too(data):
    for family, response in (("gaussian", "y"), ("poisson", "k"), (F.Gamma("log"), "pos"), (F.NegativeBinomial(0.5), "k")):
        fit = ns.neuralnet(f"{response} ~ x", data, hidden=0, family=family)
        found = fit.predict(type="distribution")
        np.testing.assert_allclose(found.mean(), fit.predict(), rtol=1e-8)
        assert fit.simulate(2, random_state=1).shape == (len(data), 2)
        assert abs(fit.resid_quantile.mean()) < 0.3
    np.testing.assert_allclose(
        ns.neuralnet("y ~ x", data, hidden=0).predict(type="survival", times=[0.0, 1.0]).iloc[:, 0] > 0.5, True)  # fmt: skip


def test_a_users_density_is_the_built_in(data):
    own, built = fitted(data, "own"), fitted(data, "gaussian")
    assert own.llf == pytest.approx(built.llf, abs=1e-8)
    np.testing.assert_allclose(own.params, built.params, atol=1e-5)
    np.testing.assert_allclose(own.bse.dropna(), built.bse.dropna(), rtol=1e-5)
    with pytest.raises(ArgumentError, match="give ppf="):
        own.predict(type="median")
    given = F.Distribution(normal, {"mu": "identity", "sigma": "log"}, ppf=stats.norm.ppf, cdf=stats.norm.cdf,
                           variance=lambda mu, sigma: sigma**2)  # fmt: skip
    fit = ns.neuralnet("y ~ x + z", data, hidden=0, family=given, dispformula="~ x")
    np.testing.assert_allclose(fit.predict(type="median"), built.predict(type="median"), atol=1e-5)
    np.testing.assert_allclose(fit.resid_quantile, built.resid_quantile, atol=1e-4)


def test_survival_against_survreg():
    # survreg(Surv(time, status) ~ age + sex, data = lung, dist = ...): summary()$table, loglik
    from places import REFERENCE

    lung = pd.read_csv(REFERENCE / "distributions" / "lung.csv")
    lung["event"] = lung["status"] == 2
    known = {
        "weibull": (-1147.05443143, [6.27485305842, -0.01225702559, 0.38208513966, -0.28229534344],
                    [0.481366952857, 0.006957472265, 0.127476840503, 0.061883272124]),
        "lognormal_aft": (-1158.75014259, [6.40798854853, -0.02335645755, 0.51925367464, 0.05133538907],
                          [0.592927403925, 0.008388238828, 0.155152235422, 0.056015677360]),
        "loglogistic": (-1152.89722532, [5.92231537274, -0.01400508501, 0.47750922490, -0.56990601033],
                        [0.532692257781, 0.007714426392, 0.140355261269, 0.065433204776]),
    }  # fmt: skip
    for family, (llf, params, bse) in known.items():
        fit = ns.neuralnet("Surv(time, event) ~ age + sex", lung, hidden=0, family=family)
        free = fit.bse.notna()
        assert fit.llf == pytest.approx(llf, abs=1e-6)
        np.testing.assert_allclose(fit.params[free], params, rtol=1e-4)
        np.testing.assert_allclose(fit.bse[free], bse, rtol=1e-4)
        alive = fit.predict(lung.head(4), type="survival", times=[100, 300])
        assert np.all(alive[100.0] > alive[300.0])
    late = ns.neuralnet("Surv({0.0 * time}, time, event) ~ age + sex", lung, hidden=0, family="weibull")
    assert late.llf == pytest.approx(known["weibull"][0], abs=1e-6)


def test_bad_responses_are_named(data):
    bad = data.assign(zero=data["pos"] - data["pos"].min(), two=data["e"] + 1, half=data["k"] + 0.5)
    bad["loose"] = data["o"].astype(str)
    for formula, family, words in [
        ("Surv(zero, e) ~ x", "weibull", "times must be greater than 0"),
        ("Surv(t, two) ~ x", "weibull", "events must be 0 or 1"), ("t ~ x", "weibull", "needs Surv"),
        ("loose ~ x", "ordinal", "ordered Categorical"), ("k ~ x", "ordinal", "ordered Categorical"),
        ("pos ~ x", "beta", "strictly between 0 and 1"), ("half ~ x", "negative_binomial", "whole numbers"),
        ("y ~ x", "lognormal", "greater than 0"), ("y + pos ~ x", "student", "one response"),
        ("o ~ x", "student", "one response"), ("half ~ x", "zero_inflated_poisson", "whole numbers"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=words):
            ns.neuralnet(formula, bad, hidden=0, family=family)


def test_bad_arguments_are_named(data):
    for more, words in [
        ({"family": "poisson", "dispformula": "~ 1"}, "has one parameter only"),
        ({"dispformula": "x"}, "dispformula must be"), ({"dispformula": 3}, "dispformula must be"),
        ({"family": "student", "dispformula": {"tau": "~ 1"}}, "no parameter 'tau'"),
        ({"family": "gaussian", "dispformula": "~ offset(x)"}, "offset"),
        ({"dispformula": "~ 1", "err_fct": "mae"}, "needs a family"),
        ({"family": "ordinal", "dispformula": "~ x"}, "thresholds"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            ns.neuralnet("o ~ x" if more.get("family") == "ordinal" else "y ~ x", data, hidden=0, **more)
    for make, words in [
        (lambda: F.Expectile(range(10**12)), "q"), (lambda: F.Quantile("a"), "q"),
        (lambda: F.Quantile((0.5, 0.2)), "increasing"), (lambda: F.Quantile(1.5), r"in \(0, 1\)"),
        (lambda: F.Student(-1), "df must be"), (lambda: F.Mixture(0), "k must be"), (lambda: F.Beta("log"), "link must be"),
        (lambda: F.Distribution(lambda a: a, {"mu": "identity"}), "loglik must be a function of mu, y"),
        (lambda: F.Distribution(normal, {"mu": "probit"}), "parameters must be"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            make()
    fit = fitted(data, "gaussian")
    for arguments, words in [
        ({"type": "quantile"}, "needs q="), ({"q": 0.5}, "belongs to type='quantile'"),
        ({"type": "quantile", "q": 2.0}, r"in \(0, 1\)"), ({"type": "survival"}, "needs times="),
        ({"type": "median", "rep": "all"}, "one distribution"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            fit.predict(**arguments)
    with pytest.raises(ArgumentError, match="no deviance residuals"):
        fit.residuals("deviance")


def test_calibration_plot(data):
    axes = fitted(data, "gaussian").plot_calibration(bins=8)
    assert len(axes.ravel()) == 2 and len(axes.ravel()[0].patches) == 8


def test_slopes_and_effects(data):
    fit = fitted(data, "gaussian")
    slopes = fit.slopes()
    assert list(slopes.columns) == ["y:x", "y:z", "sigma:x", "sigma:z"]
    np.testing.assert_allclose(slopes["y:x"], fit.params["x.to.y"], rtol=1e-9)
    np.testing.assert_allclose(slopes["sigma:x"], fit.params["x.to.sigma"], rtol=1e-9)
    log = fitted(data, "lognormal")
    np.testing.assert_allclose(log.slopes(scale="response")["x"], log.params["x.to.pos"] * log.predict(), rtol=1e-6)
    assert fit.marginal_effects().loc["x", "dy/dx"] == pytest.approx(fit.params["x.to.y"], rel=1e-6)


def test_scores_in_risk(data):
    """Log scores by cross-validation prefer the model with the true spread; CRPS of a normal distribution is known."""
    right, wrong = fitted(data, "gaussian"), ns.neuralnet("y ~ x + z", data, hidden=0, family="gaussian", dispformula="~ 1")
    scores = [float(ns.risk(f, "cv", k=5, loss="log_score", random_state=1)) for f in (right, wrong)]
    assert scores[0] < scores[1]
    own = -right.predict(type="distribution").logpdf(data["y"].to_numpy()).mean()
    assert own < scores[0] < own + 0.1
    at = right.predict(type="distribution")
    mu, sigma = right.predict(type="parameters").to_numpy().T
    z = (data["y"] - mu) / sigma
    known = sigma * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(at.crps(data["y"].to_numpy()).mean(), known.mean(), rtol=0.01)
    assert float(ns.risk(right, "holdout", loss="crps", random_state=1)) == pytest.approx(known.mean(), rel=0.4)
    quantiles = ns.neuralnet("y ~ x + z", data, hidden=0, family="quantile")
    assert float(ns.risk(quantiles, "cv", k=4, loss="pinball", random_state=1)) > 0
    for fit, loss, method in ((right, "pinball", "cv"), (quantiles, "crps", "cv"), (right, "crps", "632+")):
        with pytest.raises(ArgumentError, match="loss="):
            ns.risk(fit, method, loss=loss)
    with pytest.raises(ArgumentError, match="dispformula"):
        ns.risk(ns.neuralnet("y ~ x", data, hidden=0), "cv", loss="log_score")


def test_no_distribution_without_degrees_of_freedom():
    """As many weights as rows: the dispersion is not known."""
    x = np.arange(4.0)
    with pytest.warns(ns.errors.FitWarning, match="Df near n"):
        fit = ns.neuralnet("y ~ poly(x, 3)", {"x": x, "y": x**2 + np.sin(x)}, hidden=0)
    for call in (lambda: fit.simulate(2), lambda: fit.resid_quantile, lambda: fit.predict(type="quantile", q=0.5)):
        with pytest.raises(ns.errors.DfError, match="there is no distribution"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
