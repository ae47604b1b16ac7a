"""Prediction intervals: equal to statsmodels at hidden=0; families, weights, restarts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.api as sm
import statsmodels.formula.api as smf
from fits import boston
from glms import CASES, FAMILIES, FRAME, IDS, NEW, data, glm, ours, theirs
from reference import target
from scipy import stats

import neuralstat as ns
from neuralstat import families
from neuralstat.engine.data import make_data
from neuralstat.errors import ArgumentError, SingularHessianWarning
from neuralstat.inference.predictive import quantiles
from neuralstat.network import derivatives


@pytest.mark.parametrize("name", FAMILIES)
def test_glm(name):
    ours, theirs = glm(name)
    expected = theirs.get_prediction(NEW).summary_frame(alpha=0.1)
    found = ours.get_prediction(NEW, use_t=False).summary_frame(alpha=0.1)
    assert found.index.equals(NEW.index)
    for column in ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-5)


def test_ols():
    ours, _ = glm("gaussian")
    expected = smf.ols("gaussian ~ u + v", FRAME).fit().get_prediction(NEW).summary_frame()
    found = ours.get_prediction(NEW).summary_frame()
    assert list(found) == list(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.parametrize("extra", ["plain", "weights", "offset"])
def test_every_family_and_link(case, extra):
    """Means, standard errors and intervals are those of statsmodels' GLM."""
    frame = data(families.resolve_family(case))
    options = {"plain": ({}, {}), "weights": ({"var_weights": frame.w}, {"weights": "w"}),
               "offset": ({"offset": frame.e.to_numpy()}, {"offset": "e"})}[extra]  # fmt: skip
    result, _ = theirs(case, frame, **options[0])
    fit = ours(case, frame, result.params, **options[1])
    rows = frame.iloc[:20]
    exog = sm.add_constant(rows[["x", "z"]])
    more = {"offset": rows.e.to_numpy()} if extra == "offset" else {}
    with np.errstate(all="ignore"):  # theirs divides by limits at zero
        expected = result.get_prediction(exog, **more).summary_frame(alpha=0.1)
    found = fit.get_prediction(rows, use_t=fit.family.dispersed).summary_frame(alpha=0.1)
    np.testing.assert_allclose(found[["mean", "mean_se"]], expected[["mean", "mean_se"]], rtol=2e-5)
    ends = np.sort(expected[["mean_ci_lower", "mean_ci_upper"]], axis=1)  # theirs change places for falling links
    family = fit.family
    ends = np.clip(ends, *family.means)
    np.testing.assert_allclose(found[["mean_ci_lower", "mean_ci_upper"]], ends, rtol=2e-5)
    known = not (family.name == "tweedie" and family.parameter == 2.5)
    limits = found[["obs_ci_lower", "obs_ci_upper"]]
    assert limits.notna().all(axis=None) == known
    if known:
        assert (limits.iloc[:, 0] <= limits.iloc[:, 1]).all()


def test_weighted_least_squares():
    frame = FRAME.assign(w=np.linspace(0.5, 3, 60))
    result = smf.wls("gaussian ~ u + v", frame, weights=frame.w).fit()
    fit = raw.neuralnet("gaussian ~ u + v", frame, hidden=0, weights="w", algorithm="lm", threshold=1e-9)
    np.testing.assert_allclose(fit.get_prediction().summary_frame(), result.get_prediction().summary_frame(), rtol=1e-6)
    new = result.get_prediction(NEW, weights=4.0).summary_frame()
    np.testing.assert_allclose(fit.get_prediction(NEW, weights=4.0).summary_frame(), new, rtol=1e-6)
    each = fit.get_prediction(NEW, weights=[1.0, 4.0, 9.0]).conf_int(obs=True)
    np.testing.assert_allclose(each.loc["b"], new[["obs_ci_lower", "obs_ci_upper"]].iloc[1].to_numpy(float), rtol=1e-6)
    for wrong in ([1.0, 2.0], -1.0, "w"):
        with pytest.raises(ArgumentError, match="weights"):
            fit.get_prediction(NEW, weights=wrong)


@pytest.mark.parametrize("standardize", [False, True])
def test_every_output_has_its_own_dispersion(standardize):
    two = FRAME.assign(w=30 * FRAME["gaussian"] ** 2)
    fit = raw.neuralnet("gaussian + w ~ u + v", two, hidden=0, algorithm="lm", threshold=1e-9, standardize=standardize)
    found = fit.get_prediction(NEW).summary_frame()
    assert found.columns.names == ["output", "statistic"]
    for name in ("gaussian", "w"):
        expected = smf.ols(f"{name} ~ u + v", two).fit().get_prediction(NEW).summary_frame()
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def test_boston_of_interpretnn():
    """Standard errors of R's interpretnn, whose noise variance is RSS / n."""
    b, table, fit = boston()
    found = fit.get_prediction(table[b["names"]].iloc[:3], cov_type="hessian")
    np.testing.assert_allclose(found.predicted_mean, b["fit3"], rtol=1e-10)
    np.testing.assert_allclose(found.se_mean * np.sqrt(fit.df_resid / fit.nobs), b["se3"], rtol=1e-6)


def test_undetermined_units_are_named():
    """Two equal units: a warning, and the standard errors of the network with one of them."""
    table = ns.datasets.sine(n=80, noise=0.1, random_state=1)
    one = raw.neuralnet("y ~ x", table, hidden=1, algorithm="lm", threshold=1e-6, random_state=2)
    a, b, v = one.fit.theta[0][:2], one.fit.theta[0][2], one.fit.theta[0][3]
    twin = raw.neuralnet("y ~ x", table, hidden=2, startweights=[*a, *a, b, v / 2, v / 2], stepmax=1, threshold=1e9)
    grid = pd.DataFrame({"x": np.linspace(0, 1, 9)})
    with pytest.warns(SingularHessianWarning, match="1layhid2 is duplicate of 1layhid1"):
        found = twin.get_prediction(grid)
    np.testing.assert_allclose(found.predicted_mean, one.predict(grid), rtol=1e-9)
    np.testing.assert_allclose(found.se_mean, one.get_prediction(grid).se_mean, rtol=1e-4)


def test_sandwich():
    ours, _ = glm("poisson")
    theirs = smf.glm("poisson ~ u + v", FRAME, family=sm.families.Poisson()).fit(cov_type="HC0")
    found = ours.get_prediction(NEW, cov_type="sandwich").summary_frame()
    np.testing.assert_allclose(found["mean_se"], theirs.get_prediction(NEW).summary_frame()["mean_se"], rtol=1e-5)


def test_standardised_and_several_outputs():
    two = FRAME.assign(w=3 * FRAME["gaussian"] ** 2)
    plain = raw.neuralnet("gaussian + w ~ u + v", two, hidden=0, algorithm="lm", threshold=1e-9)
    scaled = raw.neuralnet("gaussian + w ~ u + v", two, hidden=0, algorithm="lm", threshold=1e-9, standardize=True)
    frame = scaled.get_prediction(NEW, cov_type="sandwich").summary_frame()
    other = plain.get_prediction(NEW, cov_type="sandwich").summary_frame()
    np.testing.assert_allclose(frame.xs("mean_se", axis=1, level=1), other.xs("mean_se", axis=1, level=1), rtol=1e-5)
    robust = smf.ols("w ~ u + v", two).fit(cov_type="HC0").get_prediction(NEW).summary_frame()
    np.testing.assert_allclose(frame["w"]["mean_se"], robust["mean_se"], rtol=1e-5)


def test_multinomial_is_binomial_with_two_classes():
    data = FRAME.assign(c=np.where(FRAME["binomial"] == 1, "yes", "no"), d=np.where(FRAME["u"] > 1, "far", "near"))
    two = raw.neuralnet("binomial ~ u + v", data, hidden=0, family="binomial", algorithm="lm", threshold=1e-9)
    three = data.assign(c=np.where(data["v"] > 1.2, "third", data["c"]))
    fit = raw.neuralnet("c ~ u + v", three, hidden=0, family="multinomial", algorithm="lm", threshold=1e-6,
                       penalty=ns.decay(1e-3))  # fmt: skip
    frame = fit.get_prediction(NEW).summary_frame()
    total = sum(frame[name]["mean"] for name in ("no", "third", "yes"))
    np.testing.assert_allclose(total, 1)
    inside = frame.xs("mean_ci_lower", axis=1, level=1) >= 0, frame.xs("mean_ci_upper", axis=1, level=1) <= 1
    assert inside[0].all(axis=None) and inside[1].all(axis=None)
    assert two.get_prediction(NEW).summary_frame()["mean_ci_upper"].max() <= 1


def test_delta_is_the_sandwich_of_single_networks(doppler_net):
    """For one repetition J C J' with the covariance that cov_params gives."""
    grid = pd.DataFrame({"x": [0.1, 0.4, 0.8]})
    for kind in ("expected", "hessian", "sandwich"):
        c = doppler_net.cov_params(kind).to_numpy()
        b = doppler_net.best - 1
        theta = doppler_net.fit.theta[b]
        from neuralstat.inference.sampling import mean_jacobian

        j = mean_jacobian(doppler_net.fitted, b, grid["x"].to_numpy()[np.newaxis], None)[0]
        numeric = [
            (_at(doppler_net, grid, theta, p, 1e-6) - _at(doppler_net, grid, theta, p, -1e-6)) / 2e-6
            for p in range(theta.size)
        ]
        np.testing.assert_allclose(j, np.transpose(numeric), rtol=1e-5, atol=1e-8)
        se = doppler_net.get_prediction(grid, rep="best", cov_type=kind).se_mean
        np.testing.assert_allclose(se, np.sqrt(np.einsum("mp,pq,mq->m", j, c, j)), rtol=1e-6)


def _at(net, grid, theta, p, step):
    from neuralstat.network import derivatives

    moved = theta.copy()
    moved[p] += step
    return derivatives.outputs(net.network, grid["x"].to_numpy()[np.newaxis], moved)[0, 0]


def test_mean_of_equal_repetitions_has_the_variance_of_one():
    """Copies of one network: no variance between, and covariances between them as large as variances."""
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=2)
    one = raw.neuralnet("y ~ x", data, hidden=2, algorithm="lm", threshold=1e-7, random_state=3)
    twins = raw.neuralnet("y ~ x", data, hidden=2, rep=3, startweights=np.tile(one.fit.theta[0], 3), algorithm="lm",
                         threshold=1e-7)  # fmt: skip
    a, b = one.get_prediction().summary_frame(), twins.get_prediction().summary_frame()
    np.testing.assert_allclose(a["mean_se"], b["mean_se"], rtol=1e-4)


def test_between_restart_variance(doppler_net):
    grid = pd.DataFrame({"x": [0.05, 0.3]})
    found = doppler_net.get_prediction(grid)
    values = doppler_net.predict(grid, rep="all").loc[:, doppler_net.fit.converged].to_numpy()
    np.testing.assert_allclose(found.var_restarts[0], values.var(axis=1, ddof=1) / values.shape[1])
    np.testing.assert_allclose(found.se_mean**2, found.var_sampling[0] + found.var_restarts[0])


def test_refusals(doppler_net):
    for arguments, words in [
        ({"method": "magic"}, "method"), ({"rep": "all"}, "rep"), ({"method": "split", "test_size": 2.0}, "test_size"),
        ({"method": "cv+", "draws": 3}, "draws"), ({"method": "bootstrap", "kind": "x"}, "kind"),
        ({"method": "bootstrap", "cov_type": "hessian"}, "cov_type"), ({"method": "jackknife+", "rep": 1}, "rep"),
        ({"draws": 4}, "draws"), ({"method": "cv+", "restarts": "cold"}, "restarts"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            doppler_net.get_prediction(**arguments)
    yes, _ = glm("binomial")
    with pytest.raises(ArgumentError, match="'binomial' is 0 or 1"):
        yes.get_prediction(method="split")
    with pytest.raises(ArgumentError, match="alpha"):
        doppler_net.get_prediction().summary_frame(alpha=5)
    with pytest.raises(ArgumentError, match="held-out rows"):
        doppler_net.get_prediction(method="split").summary_frame(alpha=0.001)


def test_missing_rows_are_nan(doppler_net):
    frame = doppler_net.get_prediction(pd.DataFrame({"x": [0.3, np.nan]}, index=[7, 9])).summary_frame()
    assert frame.loc[9].isna().all() and frame.loc[7].notna().all()


def test_band_in_the_plot(doppler_net):
    ax = doppler_net.plot_fit(interval="obs", points=20)
    assert any("new observations" in t.get_text() for t in ax.get_legend().get_texts())
    both = doppler_net.plot_fit(interval="both", points=20, alpha=0.1)
    labels = [t.get_text() for t in both.get_legend().get_texts()]
    assert "90 % of the mean" in labels and "90 % of new observations" in labels
    conformal = doppler_net.plot_fit(interval="obs", points=20, method="split", random_state=1)
    (band,) = [c for c in conformal.collections if c.get_label().startswith("95 %")]
    x = doppler_net.design.x[0]
    grid = pd.DataFrame({"x": np.linspace(x.min(), x.max(), 20)})
    expected = doppler_net.get_prediction(grid, method="split", random_state=1).conf_int(obs=True)
    path = band.get_paths()[0].vertices[:, 1]
    assert path.max() == pytest.approx(expected["upper"].max()) and path.min() == pytest.approx(expected["lower"].min())
    for wrong, words in (
        ({"interval": "all"}, "interval"), ({"interval": "mean", "method": "split"}, "no interval of the mean"),
        ({"colour": "red"}, "colour"), ({"interval": "obs", "colour": "red"}, "colour"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            doppler_net.plot_fit(**wrong)



LAWS = {
    "poisson": (families.Poisson("log"), lambda mu, phi, w: stats.poisson(mu * w), lambda w: w),
    "gamma": (families.Gamma("log"), lambda mu, phi, w: stats.gamma(w / phi, scale=mu * phi / w), None),
    "inverse gaussian": (families.InverseGaussian("log"),
                         lambda mu, phi, w: stats.invgauss(mu * phi / w, scale=w / phi), None),
    "negative binomial": (families.NegativeBinomial(0.4, "log"),
                          lambda mu, phi, w: stats.nbinom(2.5, 2.5 / (2.5 + mu)), lambda w: 1),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_of_a_known_mean(name):
    family, law, unit = LAWS[name]
    mu, w, phi = np.array([[0.2, 3.0, 500.0]]), np.array([[1.0, 2.0, 5.0]]), np.full((1, 3), 0.7)
    found = quantiles(family, family.link, np.log(mu), np.zeros_like(mu), phi if unit is None else phi / 0.7, w, (0.1, 0.975))
    expected = np.stack([law(mu, phi, w).ppf(level) for level in (0.1, 0.975)]) / (1 if unit is None else unit(w))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_quantiles_of_proportions_and_of_an_uncertain_mean():
    b = families.Binomial()
    p, trials = np.array([[0.3, 0.9]]), np.full((1, 2), 20.0)
    found = quantiles(b, b.link, b.link(p), np.zeros((1, 2)), np.ones((1, 2)), trials, (0.025, 0.975))
    np.testing.assert_allclose(found, np.stack([stats.binom(20, p).ppf(q) / 20 for q in (0.025, 0.975)]))
    rng, eta, se = np.random.default_rng(1), np.log([[0.5, 20.0, 1e4]]), np.array([[0.6, 0.3, 0.2]])
    for family, phi in ((families.Poisson(), 1.0), (families.Gamma("log"), 0.5), (families.Tweedie(1.5, "log"), 0.5)):
        mu = np.exp(eta + se * rng.standard_normal((100_000, 3)))
        if family.name == "poisson":
            drawn = rng.poisson(mu)
        elif family.name == "gamma":
            drawn = rng.gamma(2, mu / 2)
        else:
            number = rng.poisson(np.sqrt(mu) / 0.25)
            drawn = rng.gamma(np.maximum(number, 1) * 1.0, 0.25 * np.sqrt(mu)) * (number > 0)
        found = quantiles(family, family.link, eta, se, np.full((1, 3), phi), np.ones((1, 3)), (0.05, 0.95))
        np.testing.assert_allclose(found[:, 0], np.quantile(drawn, [0.05, 0.95], axis=0), rtol=0.06, atol=0.02)


def test_counts_have_whole_limits():
    ours, _ = glm("poisson")
    frame = ours.get_prediction(NEW).summary_frame()
    limits = frame[["obs_ci_lower", "obs_ci_upper"]].to_numpy()
    np.testing.assert_array_equal(limits, np.round(limits))
    assert (frame["obs_ci_lower"] <= frame["mean"]).all() and (frame["obs_ci_upper"] >= frame["mean"]).all()


def test_nnetpredint_up_to_its_gradient():
    """R's nnetpredint (decay 0.5, n - k degrees of freedom); it takes h (1 - h) for h in the output layer's gradient."""
    b = target("E_nnetpredint")
    x, y, new, lam = np.array(b["x"]), np.array(b["y"]), np.array(b["newdata"]), 0.5
    model = raw.NeuralNet(y, x, hidden=3, linear_output=False, penalty=ns.decay(lam), startweights=b["wts"], threshold=1e9)
    fit = model.fit()
    theirs = pd.DataFrame(b["pred"])
    found = fit.get_prediction(new)
    np.testing.assert_allclose(found.predicted_mean, theirs["yPredValue"], rtol=1e-9)
    slopes, outside = (derivatives.jacobian(fit.network, make_data(v.T, np.zeros((1, len(v)))), fit.fit.theta[0])[0]
                       for v in (x, new))  # fmt: skip

    def half(j, at, s2, df):
        turned = np.linalg.inv(j.T @ j + lam * np.eye(13))
        return stats.t.ppf(0.975, df) * np.sqrt(s2 * (1 + np.sum((at @ turned @ j.T) ** 2, axis=1)))

    rss, df = float(np.sum((y - fit.predict()) ** 2)), fit.df_resid
    ours = found.conf_int(obs=True).to_numpy()
    np.testing.assert_allclose((ours[:, 1] - ours[:, 0]) / 2, half(slopes, outside, rss / df, df), rtol=1e-7)
    for part, v in ((slopes, x), (outside, new)):
        hidden = derivatives.units(fit.network, v.T, fit.fit.theta[0])[2:5].T
        part[:, 10:] *= 1 - hidden
    width = (theirs["upperBound"] - theirs["lowerBound"]) / 2
    np.testing.assert_allclose(half(slopes, outside, rss / 87, 87), width, rtol=1e-9)
