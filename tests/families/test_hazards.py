"""Cox's model and piecewise exponential hazards, against R's survival, statsmodels and Poisson regression.

R's values are of R 4.2.2 with survival 3.5, by the commands beside them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from places import REFERENCE
from scipy import stats

import neuralstat as ns
from neuralstat import families as F
from neuralstat.errors import ArgumentError, DataError
from neuralstat.network import derivatives


@pytest.fixture(scope="module")
def lung():
    every = pd.read_csv(REFERENCE / "distributions" / "lung.csv")
    return every.dropna(subset=["age", "sex", "ph.ecog"]).reset_index(drop=True)


@pytest.fixture(scope="module")
def heart():
    return pd.read_csv(REFERENCE / "distributions" / "heart.csv")


@pytest.fixture(scope="module")
def times():
    """Times with ties, a factor, an unscaled covariate."""
    rng = np.random.default_rng(4)
    n = 200
    x, g = rng.normal(10, 3, n), rng.choice(list("abc"), n)
    t, c = rng.exponential(np.exp(0.2 * (x - 10) + (g == "b"))) * 5, rng.exponential(8, n)
    return pd.DataFrame({"x": x, "g": g, "t": np.ceil(np.minimum(t, c)), "e": (t <= c).astype(int)})


EXACT = {"hidden": 0, "threshold": 1e-8, "random_state": 1}  # nearer to the optimum than a fit's rule asks
FORMULA = "Surv(time, status == 2) ~ age + sex + `ph.ecog`"


@pytest.fixture(scope="module")
def cox(lung):
    return ns.neuralnet(FORMULA, lung, family="cox", **EXACT)


def free(fit):
    return fit.fitted.fit.free[0]


def test_cox_is_r_coxph(cox, lung):
    """m <- coxph(Surv(time, status) ~ age + sex + ph.ecog, lung); coxph(..., robust = TRUE); coxph(..., weights = w)."""
    own = free(cox)
    np.testing.assert_allclose(cox.params[own], [0.0110667645601, -0.5526123957036, 0.4637284753704], atol=1e-8)
    np.testing.assert_allclose(cox.bse[own], [0.0092674110137, 0.1677390537873, 0.1135772661620], rtol=1e-6)
    assert (cox.llnull, cox.llf) == pytest.approx((-744.48045576144, -729.23012137486), abs=1e-8)
    assert cox.aic == pytest.approx(1464.46, abs=0.005) and cox.bic == pytest.approx(1473.76, abs=0.005)  # n is events
    robust = cox.standard_errors("sandwich")[own]
    np.testing.assert_allclose(robust, [0.00988139278009, 0.16474842795208, 0.12415884861318], rtol=1e-6)
    w = np.resize([1.0, 2.0, 0.5, 1.5], len(lung))
    fit = ns.neuralnet(FORMULA, lung, family="cox", weights=w, **EXACT)
    np.testing.assert_allclose(fit.params[own], [0.0159927632509, -0.4879775751622, 0.4298706408134], atol=1e-8)
    np.testing.assert_allclose(fit.bse[own], [0.0083496504047, 0.1506621462153, 0.1033346058883], rtol=1e-6)
    assert (fit.llnull, fit.llf) == pytest.approx((-975.02113880124, -958.42757745460), abs=1e-8)


def test_cox_residuals_are_r_s(cox):
    """residuals(m, "martingale"), residuals(m, "deviance"), residuals(m, "score"): the first rows."""
    np.testing.assert_allclose(
        cox.resid[:4], [0.0438187710827, 0.0445889156280, -2.2218789692895, 0.5135201241770], atol=1e-7)  # fmt: skip
    np.testing.assert_allclose(
        cox.resid_deviance[:4], [0.0444756746319, 0.0452694301427, -2.1080222813289, 0.6434898899741], atol=1e-7)  # fmt: skip
    inner = cox.fitted
    scores = -derivatives.scores(inner.network, inner.data, inner.fit.theta[0]) @ np.diag([1, *inner.design.scaling.x_sd])
    expected = [[0.342022702900, -0.0659532532259, 0.0584580225959], [0.804796943463, -0.0282012734534, -0.0479814618068],
                [15.643207332588, 0.6860480182299, 2.1221305537754]]  # fmt: skip
    np.testing.assert_allclose(scores[:3, 1:], expected, atol=1e-5)
    assert cox.resid.sum() == pytest.approx(0, abs=1e-8)


def test_cox_influence_is_r_s(cox):
    """residuals(m, "dfbeta"), residuals(m, "dfbetas"): the first rows."""
    found = cox.get_influence()
    own = free(cox)
    expected = [[1.844086201e-05, -0.0019085834820, 0.0007531315708], [7.773929087e-05, -0.0007453864289, -0.0007393336277],
                [9.598773799e-04, 0.0173965674919, 0.0238871951686]]  # fmt: skip
    np.testing.assert_allclose(found.d_params.to_numpy()[:3, own], expected, atol=1e-8)
    standard = [[0.0019898612, -0.0113782893, 0.0066310063], [0.0083884583, -0.0044437262, -0.0065095213]]
    np.testing.assert_allclose(found.dfbetas.to_numpy()[:2, own], standard, atol=1e-6)
    assert np.isfinite(found.summary_frame().to_numpy()[:, 3:]).all() and "loglike_loo" not in found.summary_frame()
    with pytest.raises(ArgumentError, match="no likelihoods of their own"):
        found.loglike_loo  # noqa: B018


def test_breslow_baseline_is_r_s(cox):
    """tail(basehaz(m, centered = TRUE), 1); survfit(m, newdata) at 100 and 400 days."""
    base = cox.baseline_hazard()
    assert list(base.columns) == ["time", "cumulative_hazard", "survival"]
    assert base.cumulative_hazard.iloc[-1] == pytest.approx(2.98017990475, rel=1e-7)
    new = pd.DataFrame({"age": [50, 70], "sex": [1, 2], "ph.ecog": [0, 2]}, index=["p", "q"])
    curve = cox.predict(new, type="survival", times=[100, 400])
    expected = [[0.913123700491, 0.510652308197], [0.847919240491, 0.295255107206]]
    np.testing.assert_allclose(curve, expected, rtol=1e-7)
    assert list(curve.index) == ["p", "q"]
    q = cox.predict(new, type="quantile", q=[0.25, 0.5])
    for row, name in enumerate(new.index):
        for level in (0.25, 0.5):
            at = q.loc[name, level]
            around = cox.predict(new, type="survival", times=[at - 1e-6, at])
            assert around.iloc[row, 0] > 1 - level >= around.iloc[row, 1]
    assert cox.predict(new, type="median").equals(q[0.5].rename("Surv(time, status == 2)"))
    np.testing.assert_allclose(np.log(cox.predict(new)), cox.predict(new, type="link"))
    assert cox.predict(type="link").mean() == pytest.approx(0, abs=1e-10)


def test_cox_predictions_have_errors(cox, lung):
    """Standard errors of relative hazards by the centred covariates; new times by the mixture over these errors."""
    new = lung.head(6)
    table = cox.get_prediction(new).summary_frame(0.2)
    own = free(cox)
    x = lung[["age", "sex", "ph.ecog"]].to_numpy() - lung[["age", "sex", "ph.ecog"]].to_numpy().mean(axis=0)
    v = cox.cov_params().to_numpy()[np.ix_(own, own)]
    se = np.sqrt(np.einsum("np,pq,nq->n", x[:6], v, x[:6]))
    np.testing.assert_allclose(table["mean_se"], table["mean"] * se, rtol=1e-6)
    np.testing.assert_allclose(np.log(table["mean_ci_upper"] / table["mean"]), stats.norm.ppf(0.9) * se, rtol=1e-6)
    plain = cox.predict(new, type="quantile", q=[0.1, 0.9])
    for row in new.index:  # the mixture over a small error is near the curve
        low, high = table.loc[row, ["obs_ci_lower", "obs_ci_upper"]]
        around = cox.predict(new.loc[[row]], type="survival", times=[low, min(high, 1e6)]).to_numpy()[0]
        assert abs(around[0] - 0.9) < 0.03 and (np.isinf(high) or abs(around[1] - 0.1) < 0.03)
        assert low <= plain.loc[row, 0.1] * 1.2
    again = cox.get_prediction(new, method="bootstrap", draws=60, random_state=1).summary_frame()
    np.testing.assert_allclose(again["mean_se"], table["mean_se"], rtol=0.6)
    with pytest.raises(ArgumentError, match="times are censored"):
        cox.get_prediction(new, method="cv+")


def test_cox_with_late_entry_is_r_s(heart):
    """coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart)."""
    fit = ns.neuralnet("Surv(start, stop, event) ~ age + year + surgery + transplant", heart, family="cox", **EXACT)
    own = free(fit)
    np.testing.assert_allclose(
        fit.params[own], [0.0271666409577, -0.1463463456742, -0.6372098899670, -0.0102507724091], atol=1e-8)  # fmt: skip
    np.testing.assert_allclose(
        fit.bse[own], [0.0137141152103, 0.0704679795189, 0.3672259961803, 0.3137547983375], rtol=1e-6)  # fmt: skip
    assert (fit.llnull, fit.llf) == pytest.approx((-298.12135567298, -290.56561621849), abs=1e-8)


def test_cox_is_statsmodels_phreg(times):
    fit = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=0, family="cox")
    x = np.column_stack([times.x, times.g == "b", times.g == "c"]).astype(float)
    other = sm.PHReg(times.t, x, status=times.e, ties="efron").fit()
    np.testing.assert_allclose(fit.params[free(fit)], other.params, rtol=1e-6)
    np.testing.assert_allclose(fit.bse[free(fit)], other.bse, rtol=1e-6)
    assert fit.llf == pytest.approx(other.llf, abs=1e-8)


def test_known_parts_of_hazards(times):
    """Offsets: statsmodels' PHReg; the Poisson regression; times on another scale."""
    data = times.assign(o=np.linspace(0, 1, 200))
    x = data[["x"]].to_numpy()
    fit = ns.neuralnet("Surv(t, e) ~ x + offset(o)", data, hidden=0, family="cox")
    other = sm.PHReg(data.t, x, status=data.e, offset=data.o, ties="efron").fit()
    assert fit.params.iloc[1] == pytest.approx(other.params[0], rel=1e-6) and fit.llf == pytest.approx(other.llf, abs=1e-8)
    fit = ns.neuralnet("Surv(t, e) ~ x + offset(o)", data, hidden=0, family=F.PiecewiseExponential(intervals=1))
    poisson = sm.GLM(data.e, sm.add_constant(x), family=sm.families.Poisson(), offset=np.log(data.t) + data.o).fit(tol=1e-12)
    np.testing.assert_allclose(fit.params, poisson.params, atol=1e-6)
    for family in ("weibull", "lognormal_aft", "loglogistic"):
        fit = ns.neuralnet("Surv(t, e) ~ x + offset(o)", data, hidden=0, family=family)
        same = ns.neuralnet("Surv(t, e) ~ x", data.assign(t=data.t * np.exp(-data.o)), hidden=0, family=family)
        np.testing.assert_allclose(fit.params, same.params, atol=1e-6)
        np.testing.assert_allclose(fit.bse[free(fit)], same.bse[free(same)], rtol=1e-5)


def test_cox_learns_by_any_algorithm(times):
    same = {"family": "cox", "threshold": 1e-4, "penalty": ns.decay(0.05), "random_state": 3}
    names = ("bfgs", "lbfgs", "rprop+", "rprop-")
    fits = [ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=0, algorithm=name, **same) for name in names]
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.params, fits[0].params, atol=1e-4)
    fit = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=2, rep=2, **same)
    inner = fit.fitted
    gradient = derivatives.gradient(inner.network, inner.data, inner.fit.theta[0], inner.procedure.penalty)
    assert np.abs(gradient[free(fit)]).max() < 1e-4
    assert np.all(fit.predict(type="survival", times=[3.0]).to_numpy() > 0)


def test_cox_by_epochs(times):
    """One batch of all rows is the whole partial likelihood; smaller ones have their own sets at risk."""
    same = {"hidden": 2, "family": "cox", "algorithm": ns.optimizers.SGD(0.5), "epochs": 3, "random_state": 1, "rep": 1}
    whole = ns.neuralnet("Surv(t, e) ~ x + g", times, batch_size=200, **same)
    inner, theta = whole.fitted, whole.fitted.fit.start[0].copy()
    moved = free(whole)
    for _ in range(3):
        theta[moved] -= 0.5 * derivatives.gradient(inner.network, inner.data, theta)[moved] / 200
    found = inner.fit.theta[0]
    np.testing.assert_allclose(found[moved], theta[moved], rtol=1e-8)
    small = ns.neuralnet("Surv(t, e) ~ x + g", times, batch_size=32, validation=0.2, **{**same, "epochs": 30})
    assert np.isfinite(small.history.to_numpy()[:, -1]).all() and small.llf > small.llnull


def test_many_rows_are_one_block():
    rng = np.random.default_rng(2)
    n = 9000  # more than a partition of the rows of other losses
    x = rng.normal(size=n)
    data = pd.DataFrame({"x": x, "t": rng.exponential(np.exp(-0.5 * x)), "e": 1})
    fit = ns.neuralnet("Surv(t, e) ~ x", data, hidden=0, family="cox", n_jobs=2)
    other = sm.PHReg(data.t, x[:, np.newaxis]).fit()
    assert fit.params.iloc[1] == pytest.approx(other.params[0], rel=1e-6)
    by_rprop = ns.neuralnet("Surv(t, e) ~ x", data, hidden=0, family="cox", algorithm="rprop+", n_jobs=2, threshold=1e-3)
    assert by_rprop.params.iloc[1] == pytest.approx(other.params[0], rel=1e-5)


def test_piecewise_exponential_is_poisson_regression(times):
    cuts = (2.0, 5.0, 9.0)
    fit = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=0, family=F.PiecewiseExponential(cuts))
    rows = []
    for _, row in times.iterrows():
        for k, (low, high) in enumerate(zip((0.0, *cuts), (*cuts, np.inf), strict=True)):
            if row.t > low:
                spent = min(row.t, high) - low
                rows.append([k, row.x, row.g == "b", row.g == "c", spent, row.e * (row.t <= high)])
    k, x, b, c, spent, events = np.array(rows, float).T
    design = np.column_stack([np.ones(k.size), x, b, c, k == 1, k == 2, k == 3])
    glm = sm.GLM(events, design, family=sm.families.Poisson(), offset=np.log(spent)).fit(tol=1e-12)
    np.testing.assert_allclose(fit.params[free(fit)], glm.params, atol=1e-6)
    np.testing.assert_allclose(fit.bse[free(fit)], glm.bse, rtol=1e-5)
    assert fit.llf == pytest.approx(glm.llf - np.sum(events * np.log(spent)), abs=1e-6)
    exponential = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=0, family=F.PiecewiseExponential(intervals=1))
    weibull = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=0, family="weibull", exclude=None)
    assert exponential.llf < weibull.llf < exponential.llf + 10
    late = times.assign(s=np.where(times.t > 3, 1.5, 0.0))
    entered = ns.neuralnet("Surv(s, t, e) ~ x + g", late, hidden=0, family=F.PiecewiseExponential(intervals=1))
    poisson = sm.GLM(late.e, design_of(late), family=sm.families.Poisson(), offset=np.log(late.t - late.s)).fit(tol=1e-12)
    np.testing.assert_allclose(entered.params[free(entered)], poisson.params, atol=1e-6)


def design_of(frame):
    return np.column_stack([np.ones(len(frame)), frame.x, frame.g == "b", frame.g == "c"]).astype(float)


def test_piecewise_distribution_is_consistent(times):
    fit = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=0, family="piecewise_exponential", dispformula=True)
    assert len(fit.fitted.distribution.cuts) == 4  # five intervals with about as many events
    new = times.head(5)
    found = fit.predict(new, type="distribution")
    for q in (0.05, 0.3, 0.7, 0.99):
        np.testing.assert_allclose(found.cdf(found.ppf(q).to_numpy()), q, atol=1e-12)
    grid = np.linspace(0, 2000, 400_001)
    curve = np.stack([found.sf(float(t)).to_numpy() for t in grid[:: 100]])
    np.testing.assert_allclose(np.trapezoid(curve, grid[::100], axis=0), found.mean(), rtol=0.02)
    par = fit.fitted.parameters(fit.fitted.raw(fit.fitted.design.x[:, :2], None, [0]))[0]
    one = fit.fitted.distribution.frozen(par)
    draws = one.rvs((40_000, 2), np.random.default_rng(1))
    np.testing.assert_allclose(draws.mean(axis=0), one.mean(), rtol=0.03)
    np.testing.assert_allclose(draws.var(axis=0), one.var(), rtol=0.1)
    density = np.stack([np.exp(one.logpdf(t)) for t in np.linspace(0.4, 12.4, 7)])  # no cut among them
    slope = np.stack([(one.cdf(t + 1e-6) - one.cdf(t - 1e-6)) / 2e-6 for t in np.linspace(0.4, 12.4, 7)])
    np.testing.assert_allclose(density, slope, rtol=1e-5)
    assert stats.kstest(fit.resid_quantile, "norm").pvalue > 1e-3
    assert fit.residuals("martingale").sum() == pytest.approx(0, abs=1e-4)  # a constant makes it so


@pytest.mark.parametrize("family", ["cox", "piecewise_exponential"])
def test_refits_and_files(times, family, tmp_path):
    fit = ns.neuralnet("Surv(t, e) ~ x + g", times, hidden=2, family=family, rep=2, random_state=1, penalty=ns.decay(0.1))
    fit.save(tmp_path / "fit.nst")
    same = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_frame_equal(same.predict(times.head(), type="survival", times=[1, 4.0]),
                                  fit.predict(times.head(), type="survival", times=[1, 4.0]))  # fmt: skip
    assert same.llf == pytest.approx(fit.llf) and same.formula == fit.formula
    found = ns.risk(fit, "cv", k=4, loss="concordance", random_state=1)
    assert 0.2 < float(found) < 0.5  # 1 - C: better than guessing
    assert 0 < float(ns.risk(fit, "cv", k=4, loss="brier", random_state=1)) < 0.3
    drawn = fit.simulate(2, random_state=1)
    assert drawn.shape == (200, 2)


@pytest.mark.parametrize("family", ["cox", "piecewise_exponential"])
def test_bad_responses_are_named(times, family):
    fit = ns.neuralnet
    with pytest.raises(DataError, match="times must be greater than 0"):
        fit("Surv(t, e) ~ x", times.assign(t=times.t - 1), hidden=0, family=family)
    with pytest.raises(DataError, match="events must be 0 or 1"):
        fit("Surv(t, e) ~ x", times.assign(e=times.e + 1), hidden=0, family=family)
    with pytest.raises(DataError, match="no event"):
        fit("Surv(t, e) ~ x", times.assign(e=0), hidden=0, family=family)
    with pytest.raises(DataError, match="needs Surv"):
        fit("t ~ x", times, hidden=0, family=family)
    with pytest.raises(DataError, match="no intervals"):
        fit("low + high ~ x", times.assign(low=times.t, high=times.t + 1), hidden=0, family=family)
    if family == "cox":
        with pytest.raises(ArgumentError, match=r"freq_weights.*repeat the rows"):
            fit("Surv(t, e) ~ x", times, hidden=0, family=family, freq_weights=np.ones(200))
    with pytest.raises(ArgumentError, match="survival family"):
        fit("Surv(t, e) ~ x", times, hidden=0, family="poisson")


def test_bad_cuts_are_named(times):
    with pytest.raises(ArgumentError, match="cuts must be increasing"):
        F.PiecewiseExponential((3.0, 2.0))
    with pytest.raises(DataError, match="no event lies between 1e\\+06 and inf"):
        ns.neuralnet("Surv(t, e) ~ x", times, hidden=0, family=F.PiecewiseExponential((2.0, 1e6)))
    with pytest.raises(ArgumentError, match="no density"):
        ns.neuralnet("Surv(t, e) ~ x", times, hidden=0, family="cox").predict(type="distribution").logpdf(1.0)


def test_errors_of_relative_hazards_know_of_no_level(lung, times):
    """The likelihood does not say at what level linear predictors are, which is where they average 0: errors are of these."""
    far = times.assign(x=times.x + 1000)
    fits = [ns.neuralnet("Surv(t, e) ~ x + g", data, hidden=0, family="cox", standardize=scaled)
            for data, scaled in ((times, True), (times, False), (far, True))]  # fmt: skip
    tables = [fit.get_prediction().summary_frame().head(20) for fit in fits]
    for table in tables[1:]:
        np.testing.assert_allclose(table["mean_se"], tables[0]["mean_se"], rtol=1e-4)
        np.testing.assert_allclose(table["obs_ci_lower"], tables[0]["obs_ci_lower"])
    effects = [fit.marginal_effects() for fit in fits]
    for table in effects[1:]:
        np.testing.assert_allclose(table.iloc[:, :2], effects[0].iloc[:, :2], rtol=1e-3)
    net = ns.neuralnet(FORMULA, lung, hidden=3, rep=3, family="cox", penalty=ns.decay(1.0), random_state=1)
    fitted, b = net.fitted, net.fitted.best
    new = lung.head(40)
    x, theta = fitted.design.encode(new).x, fitted.fit.theta[b].astype(float)
    numbers = np.flatnonzero(free(net))

    def centred(t):
        rows = [derivatives.outputs(fitted.network, z, t)[0, 0] for z in (x, fitted.design.x)]
        return rows[0] - rows[1].mean()

    slopes = np.array([(centred(theta + 1e-6 * e) - centred(theta - 1e-6 * e)) / 2e-6 for e in np.eye(theta.size)[numbers]])
    h = derivatives.hessian(fitted.network, fitted.data, theta)[np.ix_(numbers, numbers)]
    bent = np.diag(derivatives.penalty_curvature(fitted.penalty_of(0), theta)[numbers])
    size, axes = np.linalg.eigh(h)
    v = np.linalg.solve(h + bent, np.linalg.solve(h + bent, (axes * np.maximum(size, 0)) @ axes.T).T)
    table = net.get_prediction(new, rep="best").summary_frame()
    se = np.sqrt(np.einsum("pn,pq,qn->n", slopes, v, slopes))
    np.testing.assert_allclose(table["mean_se"] / table["mean"], se, rtol=1e-3)
    again = net.get_prediction(new, rep="best", method="bootstrap", draws=60, random_state=1).summary_frame()
    assert 0.5 < np.median(table["mean_se"] / again["mean_se"]) < 1.2


def test_what_newcomers_write_is_answered(times, lung):
    hint = r"Surv\(time, status\)'?: events must be 0 or 1 .* are not, the first is 2\. Where they are coded 1 and 2"
    for ask in (
        lambda: ns.neuralnet("Surv(time, status) ~ age", lung, hidden=0, family="cox"),
        lambda: ns.neuralnet("Surv(time, status) ~ age", lung, hidden=0, family="weibull"),
        lambda: ns.kaplan_meier("Surv(time, status) ~ 1", lung),
    ):
        with pytest.raises(DataError, match=hint):
            ask()
    with pytest.raises(DataError, match=r"the first is 3\.(\n|$)"):
        ns.kaplan_meier("Surv(t, e) ~ 1", times.assign(e=3))
    for said in (True, "~ x", "~ 1"):
        with pytest.raises(ArgumentError, match="dispformula: the family 'cox' has one parameter"):
            ns.neuralnet("Surv(t, e) ~ x", times, hidden=0, family="cox", dispformula=said)
    late = ns.neuralnet("Surv(t, e) ~ x", times, hidden=0, family=F.PiecewiseExponential(intervals=3), dispformula=True)
    assert int(free(late).sum()) == 6 and len(late.family.cuts) == 2  # ratios that are not known before the data are
    cox, weibull = (ns.neuralnet("Surv(t, e) ~ x", times, hidden=0, family=family) for family in ("cox", "weibull"))
    with pytest.raises(ArgumentError, match="no variance without the baseline"):
        _ = cox.resid_pearson
    with pytest.raises(ArgumentError, match=r"plot_fit: what Cox's model predicts are relative hazards.*plot_survival\(\)"):
        cox.plot_fit()
    with pytest.raises(ArgumentError, match=r"different families: Weibull\(\) and Cox\(\)"):
        cox.compare_lr_test(weibull)
