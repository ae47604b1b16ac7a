"""Rows in clusters: covariances equal statsmodels' and plain sums, intervals and bootstraps go by clusters."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import neuralstat as ns
from neuralstat.df.information import cluster_sums
from neuralstat.errors import ArgumentError, DataError
from neuralstat.inference.bootstrap import counts
from neuralstat.inference.covariance import observed_information
from neuralstat.network import derivatives

G, N = 15, 240


def data(seed: int = 1) -> pd.DataFrame:
    """Responses of several kinds, with an effect of each cluster."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, G, N)
    x, z, u = rng.standard_normal(N), rng.standard_normal(N), rng.standard_normal(G)[code]
    eta = 0.3 * x + 0.5 * u
    return pd.DataFrame({
        "x": x, "z": z, "g": [f"c{k}" for k in code], "y": 1 + x + u + rng.standard_normal(N),
        "b": (2 * eta + rng.logistic(size=N) > 0).astype(float), "p": rng.poisson(np.exp(eta)).astype(float),
        "a": rng.gamma(2, np.exp(eta)), "w": rng.uniform(0.5, 2, N), "o": rng.uniform(0, 1, N),
        "often": rng.integers(1, 4, N), "k": rng.choice(["r", "s", "t"], N),
    })  # fmt: skip


DATA = data()
CODE = pd.factorize(DATA["g"])[0]
KWDS = {"cov_type": "cluster", "cov_kwds": {"groups": CODE}, "use_t": True}
GAMMA = ns.families.Gamma("log")
FAMILIES = {
    "y": ("gaussian", sm.families.Gaussian()), "b": ("binomial", sm.families.Binomial()),
    "p": ("poisson", sm.families.Poisson()), "a": (GAMMA, sm.families.Gamma(sm.families.links.Log())),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_generalised_linear_models_are_statsmodels(name):
    family, theirs = FAMILIES[name]
    ours = ns.neuralnet(f"{name} ~ x + z", DATA, hidden=0, family=family, groups="g", threshold=1e-8)
    model = smf.glm(f"{name} ~ x + z", DATA, family=theirs).fit(tol=1e-13, tol_criterion="params", **KWDS)
    np.testing.assert_allclose(ours.cov_params(), model.cov_params(), rtol=2e-6)
    np.testing.assert_allclose(ours.bse, model.bse, rtol=1e-6)
    np.testing.assert_allclose(ours.pvalues, model.pvalues, rtol=1e-5)
    np.testing.assert_allclose(ours.conf_int(), model.conf_int(), atol=1e-6)
    np.testing.assert_allclose(ours.get_prediction().summary_frame()["mean_se"],
                               model.get_prediction().summary_frame()["mean_se"], rtol=1e-5)  # fmt: skip
    tested, expected = ours.wald_test_terms().table.loc["x"], model.wald_test("x = 0", use_f=True, scalar=True)
    np.testing.assert_allclose(tested["statistic"], float(expected.statistic), rtol=1e-5)
    np.testing.assert_allclose(tested["pvalue"], float(expected.pvalue), rtol=1e-4)
    assert tested["df_denom"] == G - 1


def test_least_squares_weighted_and_with_a_factor_are_statsmodels():
    ols = ns.neuralnet("y ~ k + x", DATA, hidden=0, groups="g")
    np.testing.assert_allclose(ols.cov_params(), smf.ols("y ~ k + x", DATA).fit(**KWDS).cov_params(), rtol=1e-6, atol=1e-12)
    wls = ns.neuralnet("y ~ x + z", DATA, hidden=0, weights="w", groups=DATA["g"])
    np.testing.assert_allclose(wls.bse, smf.wls("y ~ x + z", DATA, weights=DATA["w"]).fit(**KWDS).bse, rtol=1e-6)


def test_multinomial_contrasts_are_statsmodels():
    ours = ns.neuralnet("k ~ x + z", DATA, hidden=0, family="multinomial", groups="g", threshold=1e-8)
    model = smf.mnlogit("lev ~ x + z", DATA.assign(lev=pd.factorize(DATA["k"], sort=True)[0])).fit(
        disp=0, tol=1e-12, cov_type="cluster", cov_kwds={"groups": CODE})  # fmt: skip
    v = ours.cov_params().to_numpy()
    move = np.kron(np.array([[-1, 1, 0], [-1, 0, 1]]), np.eye(3))
    np.testing.assert_allclose(move @ v @ move.T, model.cov_params(), rtol=1e-5, atol=1e-9)


def test_frequencies_are_repeated_rows():
    repeated = DATA.loc[DATA.index.repeat(DATA["often"])].reset_index(drop=True)
    short = ns.neuralnet("b ~ x", DATA, hidden=0, family="binomial", freq_weights="often", groups="g")
    long = ns.neuralnet("b ~ x", repeated, hidden=0, family="binomial", groups="g")
    np.testing.assert_allclose(short.cov_params(), long.cov_params(), rtol=1e-5)


NETS = {
    "network": ("y ~ x + z", {"hidden": 2, "penalty": ns.decay(0.1)}),
    "two outputs": ("y + p ~ x + z", {"hidden": 2, "penalty": ns.decay(0.1)}),
    "two outputs, none hidden": ("y + a ~ x", {"hidden": 0}),
    "binomial network": ("b ~ x + z", {"hidden": 2, "family": "binomial", "penalty": ns.decay(0.2)}),
    "distribution": ("a ~ x", {"hidden": 0, "family": GAMMA, "dispformula": "~ z"}),
    "negative binomial": ("p ~ x", {"hidden": 0, "family": "negative_binomial"}),
    "user's error": ("y ~ x", {"hidden": 0, "err_fct": lambda x, y: (x - y) ** 2 / 2 + 0.01 * (x - y) ** 4}),
    "layers": ("y ~ x + z", {"layers": [ns.layers.Dense(2, "tanh")], "penalty": ns.decay(0.1)}),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_plain_sums_over_clusters(name):
    formula, given = NETS[name]
    fit = ns.neuralnet(formula, DATA, groups="g", random_state=1, rep=2, standardize=False, **given)
    fitted, b = fit.fitted, fit.fitted.best
    theta = fitted.fit.theta[b].astype(float)
    scores, free = derivatives.scores(fitted.network, fitted.data, theta), fitted.fit.free[0]
    meat = sum(np.outer(s, s) for s in (scores[g == CODE].sum(axis=0) for g in range(G)))
    bread = observed_information(fitted, b)
    strength = given["penalty"].parts[0].strength if "penalty" in given else 0.0
    bread = bread + strength * np.eye(len(bread))
    df = float(fit.df("jacobian", rep=b + 1)) / (1 if fitted.network.objective.several else fitted.network.n_outputs)
    turned = np.linalg.inv(bread[np.ix_(free, free)])
    expected = turned @ meat[np.ix_(free, free)] @ turned * G / (G - 1) * (N - 1) / (N - df)
    found = fit.cov_params("cluster").to_numpy()[np.ix_(free, free)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    assert fit.cov_params().equals(fit.cov_params("cluster")) and cluster_sums(fitted, theta).shape == (G, theta.size)


def test_a_mean_of_repetitions_by_clusters():
    fit = ns.neuralnet("y ~ x", DATA, groups="g", hidden=1, rep=2, penalty=ns.decay(0.1), random_state=1)
    one = fit.get_prediction(DATA[:3], rep="best").summary_frame()["mean_se"]
    rows = fit.get_prediction(DATA[:3], rep="best", cov_type="sandwich").summary_frame()["mean_se"]
    both = fit.get_prediction(DATA[:3])
    assert not np.allclose(one, rows) and both.df == G - 1
    assert np.isfinite(both.summary_frame()).all().all()
    assert fit.get_prediction(DATA[:3], use_t=False).df == np.inf


def test_clusters_of_one_row_are_the_sandwich_up_to_the_factor():
    fit = ns.neuralnet("y ~ x + z", DATA, hidden=0, groups=np.arange(N))
    np.testing.assert_allclose(fit.cov_params("cluster"), fit.cov_params("sandwich") * N / (N - 3), rtol=1e-10)
    hc1 = smf.ols("y ~ x + z", DATA).fit(cov_type="HC1")
    np.testing.assert_allclose(fit.cov_params("cluster"), hc1.cov_params(), rtol=1e-8)


@pytest.mark.parametrize("labels", [CODE, CODE.astype(float), list(DATA["g"]), DATA["g"].astype("category"), DATA["g"],
                                    pd.to_datetime("2020-01-01") + pd.to_timedelta(CODE, "D"), "g"])  # fmt: skip
def test_labels_of_any_kind(labels):
    named = ns.neuralnet("y ~ x", DATA, hidden=0, groups="g")
    assert ns.neuralnet("y ~ x", DATA, hidden=0, groups=labels).bse.equals(named.bse)


def test_missing_labels_follow_missing():
    gaps = DATA.assign(g=DATA["g"].where(np.arange(N) % 10 > 0))
    fit = ns.neuralnet("y ~ x", gaps, hidden=0, groups="g")
    assert fit.nobs == N - 24 and fit.fittedvalues.isna().sum() == 24
    np.testing.assert_allclose(fit.bse, ns.neuralnet("y ~ x", gaps.dropna(), hidden=0, groups="g").bse, rtol=1e-12)
    with pytest.raises(DataError, match=r"argument groups.*\(24\)"):
        ns.neuralnet("y ~ x", gaps, hidden=0, groups="g", missing="raise")
    floats = np.where(np.arange(N) % 10 > 0, CODE, np.nan)
    assert ns.neuralnet("y ~ x", DATA, hidden=0, groups=floats).nobs == N - 24


@pytest.mark.parametrize(("groups", "error", "words"), [
    ("none", DataError, "groups: .*'none'"), (CODE[:-1], DataError, r"groups has shape \(239,\)"),
    (np.stack([CODE, CODE], axis=1), DataError, "one label per row"), ([[1]] * N, DataError, "one label per row"),
    (np.zeros(N), DataError, "all rows used are of one cluster"), (3, ArgumentError, "groups must be"),
    (True, ArgumentError, "groups must be"),
])  # fmt: skip
def test_bad_groups(groups, error, words):
    with pytest.raises(error, match=words):
        ns.neuralnet("y ~ x", DATA, hidden=0, groups=groups)


def test_clusters_need_groups():
    fit = ns.neuralnet("y ~ x", DATA, hidden=0)
    for call in (fit.cov_params, fit.standard_errors, lambda c: fit.conf_int(cov_type=c), fit.wald_test_terms,
                 lambda c: fit.get_prediction(cov_type=c), lambda c: fit.marginal_effects(cov_type=c)):  # fmt: skip
        with pytest.raises(ArgumentError, match="fit with groups="):
            call("cluster")


def test_arrays_take_labels_and_no_names():
    fit = ns.NeuralNet(DATA["y"].to_numpy(), DATA[["x"]].to_numpy(), hidden=0, groups=CODE).fit()
    np.testing.assert_allclose(fit.bse, ns.neuralnet("y ~ x", DATA, hidden=0, groups="g").bse)
    with pytest.raises(ArgumentError, match="groups must be an array"):
        ns.NeuralNet(DATA["y"].to_numpy(), DATA[["x"]].to_numpy(), hidden=0, groups="g")


def test_the_dot_leaves_the_clusters_out():
    fit = ns.neuralnet("y ~ .", DATA[["y", "x", "z", "g"]], hidden=0, groups="g")
    assert fit.fitted.design.x_names == ("x", "z")


def test_saved_fits_know_their_clusters(tmp_path):
    for groups in ("g", DATA["g"], pd.to_datetime("2020-01-01") + pd.to_timedelta(CODE, "D")):
        fit = ns.neuralnet("y ~ x", DATA, hidden=0, groups=groups)
        fit.save(tmp_path / "fit.nst")
        again = ns.load(tmp_path / "fit.nst")
        assert again.bse.equals(fit.bse) and again.fitted.design.n_groups == G
        assert float(ns.risk(again, "cv", k=3, random_state=1)) == float(ns.risk(fit, "cv", k=3, random_state=1))


def test_data_in_parts_keep_their_clusters():
    chunks = ns.chunks([DATA[:100], DATA[100:]])
    fit = ns.neuralnet("y ~ x", chunks, hidden=0, groups="g")
    np.testing.assert_allclose(fit.bse, ns.neuralnet("y ~ x", DATA, hidden=0, groups="g").bse, rtol=1e-8)
    gaps = DATA.assign(g=DATA["g"].where(np.arange(N) % 10 > 0))
    assert ns.neuralnet("y ~ x", ns.chunks([gaps[:100], gaps[100:]]), hidden=0, groups="g").nobs == N - 24
    with pytest.raises(ArgumentError, match="groups must be the name of a column"):
        ns.neuralnet("y ~ x", chunks, hidden=0, groups=CODE)


def test_many_clusters_in_parts_are_no_factor():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.standard_normal(24_000), "g": [f"g{k // 2}" for k in range(24_000)]})
    table["y"] = table["x"] + rng.standard_normal(len(table))
    fit = ns.neuralnet("y ~ x", ns.chunks([table[:9000], table[9000:]]), hidden=0, groups="g")
    assert fit.fitted.design.n_groups == 12_000


def test_the_summary_says_clusters():
    few = DATA.assign(g=CODE % 6)
    text = " ".join(str(ns.neuralnet("y ~ x", few, hidden=0, groups="g").summary()).split())
    assert "Clusters: 6 of g" in text and "t on 5 degrees of freedom" in text and "These are few" in text
    text = " ".join(str(ns.neuralnet("k ~ x", DATA, hidden=0, family="multinomial", groups=CODE).summary()).split())
    assert "Clusters: 15" in text and "P>|t|" in text and "These are few" not in text


def test_case_bootstrap_draws_whole_clusters():
    fit = ns.neuralnet("y ~ x", DATA, hidden=0, groups="g", freq_weights="often")
    drawn = counts(fit.fitted, 50, np.random.SeedSequence(1)) / DATA["often"].to_numpy()
    for g in range(G):
        inside = drawn[:, g == CODE]
        assert (inside == inside[:, :1]).all()
    first = np.stack([drawn[:, np.flatnonzero(g == CODE)[0]] for g in range(G)], axis=1)
    assert (first.sum(axis=1) == G).all() and first.var() == pytest.approx(1 - 1 / G, rel=0.2)


def test_the_bootstrap_of_clusters_agrees_with_the_formula():
    rng = np.random.default_rng(2)
    code = np.repeat(np.arange(60), 5)
    level = rng.standard_normal(60)[code]
    table = pd.DataFrame({"x": level, "g": code, "y": level + rng.standard_normal(60)[code] + rng.standard_normal(300)})
    fit, plain = (ns.neuralnet("y ~ x", table, hidden=0, groups=g) for g in ("g", None))
    new = pd.DataFrame({"x": [0.0, 2.0]})
    formula = fit.get_prediction(new).summary_frame()["mean_se"]
    rows = plain.get_prediction(new).summary_frame()["mean_se"]
    boot = fit.get_prediction(new, method="bootstrap", draws=400, random_state=1)
    np.testing.assert_allclose(boot.summary_frame()["mean_se"], formula, rtol=0.15)
    assert (rows < 0.75 * formula).all() and boot.df == 59
    np.testing.assert_allclose(fit.standard_errors("bootstrap"), fit.bse, rtol=0.25)
    np.testing.assert_allclose(plain.standard_errors("bootstrap"), plain.bse, rtol=0.25)
    again = ns.neuralnet("y ~ x", table, hidden=0, groups="g", random_state=fit.fitted.seeds)
    assert again.standard_errors("bootstrap").equals(fit.standard_errors("bootstrap"))
    delta = fit.get_prediction(new, cov_type="bootstrap")
    np.testing.assert_allclose(delta.summary_frame()["mean_se"], formula, rtol=0.25)
    assert delta.df == 59 and fit.wald_test_terms("bootstrap").table["df_denom"]["x"] == 59


def test_bootstrap_covariance_of_a_network():
    fit = ns.neuralnet("y ~ x", DATA, hidden=2, penalty=ns.decay(0.5), rep=2, random_state=1)
    size = fit.standard_errors("bootstrap") / fit.bse
    assert np.isfinite(size).all() and 0.3 < size.median() < 3
    assert np.isfinite(fit.get_prediction(DATA[:4], cov_type="bootstrap").summary_frame()).all().all()


def test_no_degrees_of_freedom():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few = DATA[:6].assign(g=[0, 0, 1, 1, 2, 2])
        fit = ns.neuralnet("y ~ x + z + w + o + a", few, hidden=0, groups="g")
        assert fit.bse.isna().all()


def test_effects_go_by_clusters():
    fit, plain = (ns.neuralnet("b ~ x + z", DATA, hidden=0, family="binomial", groups=g) for g in ("g", None))
    a, b = fit.marginal_effects(), plain.marginal_effects()
    np.testing.assert_allclose(a.iloc[:, 0], b.iloc[:, 0])
    assert not np.allclose(a.iloc[:, 1], b.iloc[:, 1])


def test_relative_hazards_are_statsmodels_but_for_the_factor():
    """PHReg and R's ``coxph(cluster=)`` do not make up for few clusters."""
    rng = np.random.default_rng(2)
    times, ends = rng.exponential(np.exp(-0.5 * DATA["x"])), rng.exponential(2, N)
    table = DATA.assign(t=np.minimum(times, ends), e=(times <= ends).astype(int))
    fit = ns.neuralnet("Surv(t, e) ~ x + z", table, hidden=0, family="cox", groups="g")
    model = sm.PHReg(table["t"], table[["x", "z"]], status=table["e"], ties="efron").fit(groups=CODE, disp=0)
    factor = G / (G - 1) * (N - 1) / (N - 2)
    np.testing.assert_allclose(fit.bse.dropna(), model.bse * np.sqrt(factor), rtol=1e-5)


def test_linear_terms_beside_smooth_and_neural_ones_go_by_clusters():
    rng = np.random.default_rng(5)
    code = np.repeat(np.arange(25), 8)
    table = pd.DataFrame({"x": rng.standard_normal(25)[code], "z": rng.uniform(-2, 2, 200), "g": code})
    table["y"] = table["x"] + np.sin(2 * table["z"]) + rng.standard_normal(25)[code] + 0.5 * rng.standard_normal(200)
    for formula in ("y ~ x + s(z)", "y ~ x + nn(z, hidden=2)"):
        fit, plain = (ns.neuralnet(formula, table, groups=g, random_state=1) for g in ("g", None))
        assert fit.bse["x.to.y"] > 1.5 * plain.bse["x.to.y"]
        assert fit.terms.loc["x", "pvalue"] > plain.terms.loc["x", "pvalue"]
