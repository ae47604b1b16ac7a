"""What studies know of the truth: risks at the same and at new covariates, under noise of every kind; and names."""

from __future__ import annotations

import dataclasses
import inspect
import warnings

import numpy as np
import pytest
import raw
import statsmodels.api as sm
from scipy import stats

import neuralstat as ns
from neuralstat.errors import ArgumentError, NeuralStatWarning
from neuralstat.study.estimators import METHODS
from neuralstat.study.fits import Fits, one_by_one
from neuralstat.study.losses import NAMES, resolve_loss
from neuralstat.study.noise import Noise, check_draws, noise_of
from neuralstat.study.problems import Cell, truth

S = ns.study
LINE = S.truth(lambda x: x, name="line")


def uniform(rng, n):
    return rng.uniform(size=n)


def normal(rng, n):
    return rng.standard_normal((n, 4))


def flat(x):
    return np.zeros(len(x))


class Mean:
    def fit(self, x, y):
        self.value = y.mean()
        return self

    def predict(self, x):
        return np.full(len(x), self.value)


def wide(result, column="estimate"):
    return result.frame.pivot(index="replicate", columns="estimator", values=column)


# the same covariates, new ones -----------------------------------------------------------------------------------------


def test_least_squares_at_new_normal_covariates_against_its_closed_form():
    """E = sigma^2 (1 + 1 / n) (n - 2) / (n - D - 2) at new x, sigma^2 (1 + (D + 1) / n) at the same; PRESS is of n - 1."""
    n, d, sigma = 20, 4, 0.5
    result = S(S.glm("x1 + x2 + x3 + x4"), S.truth(flat, name="flat"), sigma, n, replicates=200, n_jobs=1, random_state=1,
               x=normal, target="new_x", estimators=["cp", "alo", "gcv", "rcp:analytic", "training"])  # fmt: skip
    frame = result.frame[result.frame["estimator"] == "cp"]
    assert frame["covariates"].tolist() == ["same_x"] * 200

    def close(values, wanted):
        assert abs(values.mean() - wanted) < 4 * values.std() / np.sqrt(len(values))

    new = sigma**2 * (1 + 1 / n) * (n - 2) / (n - d - 2)
    close(frame["prediction_risk_new_x"], new)
    close(frame["prediction_risk_same_x"], sigma**2 * (1 + (d + 1) / n))
    np.testing.assert_array_equal(frame["risk"], frame["risk_new_x"])
    table = result.summary().droplevel(["truth", "noise", "n", "model"])
    assert abs(table.loc["cp", "bias"]) < 4 * table.loc["cp", "bias_se"]
    assert abs(table.loc["rcp:analytic", "bias"]) < 4 * table.loc["rcp:analytic", "bias_se"]
    press = sigma**2 * (1 + 1 / (n - 1)) * (n - 3) / (n - d - 3)
    assert abs(table.loc["alo", "bias"] - (press - new)) < 4 * table.loc["alo", "bias_se"]
    assert table.loc["training", "target_mean"] == pytest.approx(new, rel=0.1)  # as the target says
    assert result.designs["flat", sigma, n][0].shape == (200, n, d)


def test_every_estimator_says_what_it_is_judged_by():
    given = [S.estimator(name, **({"draws": 5} if "draws" in METHODS[name].defaults else {})) for name in METHODS]
    given = [S.estimator("nested_cv", k=3, repeats=1, name="nested_cv") if e.method == "nested_cv" else e for e in given]
    for target in ("same_x", "new_x"):
        result = S(S.glm("x"), LINE, 0.3, 15, replicates=2, n_jobs=1, random_state=1, x=uniform, target=target,
                   estimators=given)  # fmt: skip
        said = result.frame.drop_duplicates("estimator").set_index("estimator")["covariates"]
        for name in ("cv", "loo", "alo", "nested_cv", "holdout", "bootstrap", "632", "632+", "rcp"):
            assert said[name] == "new_x"
        for name in ("cp", "sure", "gdf", "covariance", "coupled", "aic", "aicc"):
            assert said[name] == "same_x"
        assert said["training"] == said["gcv"] == target and said["bic"] == ""
        assert np.isfinite(wide(result)).all(axis=None)
        error = wide(result, "error").iloc[0]
        row = result.frame.iloc[0]
        estimate = wide(result).iloc[0]
        assert error["cv"] == pytest.approx(estimate["cv"] - row["prediction_risk_new_x"])
        assert error["gdf"] == pytest.approx(estimate["gdf"] - row["prediction_risk_same_x"])
        assert error["sure"] == pytest.approx(estimate["sure"] - row["risk_same_x"])
        assert error["gcv"] == pytest.approx(estimate["gcv"] - row[f"prediction_risk_{target}"])


def test_networks_on_designs_of_their_own_are_single_fits():
    model = S.net(2, penalty=ns.decay(0.01), name="net")
    result = S(model, LINE, 0.2, 30, replicates=3, restarts=2, n_jobs=1, random_state=5, x=uniform, target="new_x",
               estimators=["training", "cp", S.estimator("cv", k=3)])  # fmt: skip
    cell = Cell(dataclasses.replace(LINE, design=S.problems.Law(uniform)), Noise(0.2), 30, np.random.SeedSequence(5), True)
    designs, means = result.designs["line", 0.2, 30]
    for r in range(3):
        x, new = cell.covariates(r), cell.new_covariates(r)
        np.testing.assert_array_equal(x, designs[r])
        assert len(new) >= 1000 and not np.array_equal(new[:30], x)
        y = cell.response(means[r], r)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuralStatWarning)
            fit = raw.neuralnet("y ~ x", {"x": x[:, 0], "y": y}, hidden=2, rep=2, algorithm="lm", tol=1e-6, stepmax=1000,
                                penalty=ns.decay(0.01), standardize=True, random_state=cell.seed("start|net", r))  # fmt: skip
        row = result.frame[(result.frame["replicate"] == r) & (result.frame["estimator"] == "cp")].iloc[0]
        np.testing.assert_allclose(result.fits["line", 0.2, 30, "net"][r], fit.predict(rep="best"), atol=1e-4)
        off = fit.predict({"x": new[:, 0]}, rep="best").to_numpy() - new[:, 0]
        assert row["risk_new_x"] == pytest.approx(np.mean(off**2), rel=1e-3)
        assert row["df"] == pytest.approx(float(fit.df("jacobian")), rel=1e-3)


def test_new_designs_do_not_depend_on_chunks_or_company():
    models = [S.net(2, penalty=ns.decay(1e-2)), S.cr(4), S.smoothing_spline(), S.gam(5), {"hidden": 1, "standardize": False}]
    arguments = {"models": models, "truth": LINE, "noise": 0.3, "n": 25, "replicates": 4, "random_state": 7,
                 "target": "new_x", "estimators": ["training", "cv:k=3"], "x": uniform, "n_jobs": 1}  # fmt: skip
    one, many = S(**arguments), S(**arguments, chunk=1)
    assert (one.frame["status"] == "ok").all()
    keys = ["model", "replicate", "estimator"]
    plain = [r.frame.drop(columns="seconds").sort_values(keys).reset_index(drop=True) for r in (one, many)]
    assert plain[0].equals(plain[1])
    alone = S(**{**arguments, "models": models[0], "replicates": 2, "noise": [0.3, 0.4]})
    part = one.frame[(one.frame["model"] == models[0].name) & (one.frame["replicate"] < 2)]
    again = alone.frame[alone.frame["noise"] == 0.3]
    np.testing.assert_array_equal(part["estimate"].to_numpy(), again["estimate"].to_numpy())


def test_designs_that_are_always_the_same():
    grid = S(S.glm("x"), "sine", 0.3, 20, replicates=2, n_jobs=1, estimators="cp").frame
    np.testing.assert_array_equal(grid["risk_new_x"], grid["risk_same_x"])
    random = S(S.glm("x1"), "friedman1", 0.3, 20, replicates=2, n_jobs=1, estimators="cp").frame
    assert (random["risk_new_x"] != random["risk_same_x"]).all()
    np.testing.assert_array_equal(random["risk"], random["risk_same_x"])
    with pytest.raises(ArgumentError, match="truth 'sine' has the same design every time; give x="):
        S(S.glm("x"), "sine", 0.3, 20, replicates=2, target="new_x")
    with pytest.raises(ArgumentError, match="cannot be drawn together"):
        S(S.glm("x"), "sine", 0.3, 20, replicates=2, target="new_x", x=uniform, n_jobs=1).plot("fits")


def test_checkpoint_names_what_differs(tmp_path):
    arguments = {"models": S.glm("x"), "truth": LINE, "noise": 0.1, "n": 20, "replicates": 2, "n_jobs": 1, "random_state": 1,
                 "x": uniform, "estimators": "training", "checkpoint": tmp_path}  # fmt: skip
    S(**arguments)
    for change, match in (({"target": "new_x"}, "target"), ({"x": lambda rng, n: rng.normal(size=n)}, "design"),
                          ({"loss": "mae"}, "loss"), ({"noise": S.noise("t", sd=0.1, df=5, name="t")}, "cells")):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"another study.*{match}"):
            S(**{**arguments, **change})


def test_names_and_options_are_those_of_risk():
    from neuralstat.assessment import RISK
    from neuralstat.assessment.names import variant

    assert set(RISK) - set(METHODS) == {"rcp+", "thinning"} and set(METHODS) - set(RISK) == {"training", "bic"}
    for name in set(RISK) & set(METHODS) - {"gdf", "covariance", "rcp"}:  # whose options are those of their df
        known = {k: p.default for k, p in inspect.signature(RISK[name]).parameters.items() if p.kind is p.KEYWORD_ONLY}
        for option, default in METHODS[name].defaults.items():
            assert option in known
            assert option in ("draws", "restarts", "df") or known[option] == default
    for word in ("cv:loo", "cv:k=5,repeats=3", "bootstrap:optimism", "cp:gdf", "holdout:0.5", "coupled:0.2", "rcp:gdf"):
        base, options = variant(word)
        made = S.estimator(word)
        assert made.method == base and options.items() <= dict(made.options).items()
    assert S.estimator("cv", k="loo").cost(30) == S.estimator("loo").cost(30) == 30


# noise -----------------------------------------------------------------------------------------------------------------

NOISES = {
    "t": S.noise("t", sd=0.4, df=6), "laplace": S.noise("laplace", sd=0.4), "fan": S.noise(sd=lambda x: 0.1 + x),
    "bernoulli": S.noise("bernoulli"), "poisson": S.noise("poisson"), "gamma": S.noise("gamma", sd=0.5),
    "mean": S.noise("bernoulli", link="identity"), "drawn": S.noise(lambda m, g: m + g.uniform(-1, 1, m.size), sd=3**-0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", NOISES)
def test_what_is_known_of_noise_is_what_it_draws(name):
    """Variance, level and excess of the loss against means over draws."""
    noise, x = NOISES[name], np.linspace(0.2, 0.8, 4)[:, np.newaxis]
    mean = noise.mean(x[:, 0], x)
    if name in ("bernoulli", "poisson", "gamma"):
        np.testing.assert_allclose(mean, stats.logistic.cdf(x[:, 0]) if name == "bernoulli" else np.exp(x[:, 0]))
    rng = np.random.default_rng(1)
    y = np.stack([noise.response(mean, x, rng) for _ in range(20_000)])
    np.testing.assert_allclose(y.mean(axis=0), mean, atol=0.04)
    np.testing.assert_allclose(y.var(axis=0), noise.variance(mean, x), rtol=0.1)
    fitted = 0.8 * mean
    for loss in (None, "mse", *(("mae",) if name != "drawn" else ()), *(("log_loss",) if name == "bernoulli" else ())):
        known = resolve_loss(loss, noise)
        np.testing.assert_allclose(known.level(mean, x), known.each(y, mean).mean(axis=0), rtol=0.06)
        wanted = (known.each(y, fitted) - known.each(y, mean)).mean(axis=0)
        np.testing.assert_allclose(known.excess(mean, fitted, x), wanted, rtol=0.15, atol=0.03)


class Uniform(Noise):
    """Says nothing of its variance."""

    def draw(self, mean, rng):
        return mean + rng.uniform(-self.sd, self.sd, mean.size)


class Known(Uniform):
    def variance(self, mean, x):
        return np.full(mean.shape, self.sd**2 / 3)


class Wrong(Uniform):
    def variance(self, mean, x):
        return np.full(mean.shape, self.sd**2)


def test_subclasses_of_noise_say_their_variance():
    with pytest.raises(ArgumentError, match="Uniform draws for itself, but does not say its variance"):
        S(S.bs(5), "sine", Uniform(0.3), 40, replicates=2)
    with pytest.raises(ArgumentError, match=r"the variance of what it draws is 0.33\d times"):
        S(S.bs(5), "sine", Wrong(0.3), 40, replicates=2)
    with pytest.raises(ArgumentError, match="the mean of what it draws is not the one"):
        S(S.bs(5), "sine", S.noise(lambda m, g: m + 1 + g.standard_normal(m.size), sd=1.0), 40, replicates=2)
    with pytest.raises(ArgumentError, match="must draw 40 finite numbers"):
        S(S.bs(5), "sine", S.noise(lambda m, g: 1.0, sd=1.0), 40, replicates=2)
    result = S(S.bs(5), "sine", Known(0.3), 40, replicates=200, n_jobs=1, random_state=1, estimators=["training", "cp"])
    np.testing.assert_allclose(result.frame["prediction_risk"] - result.frame["risk"], 0.03)
    table = result.summary().droplevel(["truth", "noise", "n", "model"])
    assert abs(table.loc["cp", "bias"]) < 4 * table.loc["cp", "bias_se"]
    assert table.loc["cp", "true_df"] == pytest.approx(5, abs=4 * table.loc["cp", "true_df_se"])


def test_subclasses_of_truths_models_and_estimators():
    class Shifted(ns.datasets.Truth):
        def __call__(self, x):
            return super().__call__(x) + 5.0

    class Doubled(S.Estimator):
        def __call__(self, work):
            return 2 * super().__call__(work)

    class Own(S.Net):
        def prepare(self, x, columns, restarts):
            return Plain(x)

    class Plain:
        """Knows nothing of new covariates."""

        def __init__(self, x):
            self.x = x

        def fit(self, y, seeds, rows=None, local=True):
            def one(t):
                seen = slice(None) if rows is None else rows[t]
                return np.full(len(self.x), y[t][seen].mean()), 1.0

            fits = one_by_one(one, y)
            return Fits(fits.fitted, fits.df, None, fits.status)

    sine = ns.datasets.truth("sine")
    shifted = Shifted(sine.name, sine.columns, sine.function)
    twice = Doubled("twice", "prediction_risk", S.estimator("training").function)
    result = S({"own": Own("own", 0), "mean": Mean()}, shifted, 0.3, 30, replicates=3, n_jobs=1, random_state=1, x=uniform,
               target="new_x", estimators=["training", twice, S.estimator("cv", k=5)])  # fmt: skip
    assert (result.frame["status"] == "ok").all()
    assert result.designs["sine", 0.3, 30][1].mean() > 4
    pivot = result.frame.pivot(index=["model", "replicate"], columns="estimator", values="estimate")
    np.testing.assert_allclose(pivot["twice"], 2 * pivot["training"])
    np.testing.assert_allclose(pivot.loc["own"], pivot.loc["mean"])
    risk = result.frame.pivot_table(index="replicate", columns="model", values="risk_new_x")
    np.testing.assert_allclose(risk["own"], risk["mean"])


def test_networks_are_fitted_with_the_family_of_the_noise():
    """Without hidden units they are generalised linear models."""
    design = np.linspace(-1, 1, 60)
    for name, family in (("bernoulli", sm.families.Binomial()), ("poisson", sm.families.Poisson())):
        models = [S.net(0, name="net", threshold=1e-8, tol=1e-12), S.glm("x", family=family, name="glm")]
        result = S(models, S.truth(lambda x: x, design=design, name="line"), name, 60, replicates=3, n_jobs=1, random_state=1,
                   estimators=["training", "cp", "gcv", "aic", S.estimator("cv", k=4), "covariance:draws=5"])  # fmt: skip
        pivot = result.frame.pivot(index=["replicate", "estimator"], columns="model", values="estimate")
        other = pivot.index.get_level_values("estimator") != "covariance:draws=5"
        np.testing.assert_allclose(pivot["net"][other], pivot["glm"][other], rtol=1e-5)
        training = pivot["net"].unstack()["training"]
        np.testing.assert_allclose(pivot["net"].unstack()["cp"], training + 2 * 2 / 60, rtol=1e-6)
        np.testing.assert_allclose(pivot["net"].unstack()["aic"], 60 * training + 2 * 2, rtol=1e-6)
        np.testing.assert_allclose(result.frame["df"], 2, rtol=1e-6)


def test_cp_of_families_is_unbiased_for_the_deviance():
    design = np.linspace(-1, 1, 80)
    line = S.truth(lambda x: x, design=design, name="line")
    for name, family in (("bernoulli", sm.families.Binomial()), ("poisson", sm.families.Poisson())):
        result = S(S.glm("x", family=family), line, name, 80, replicates=150, n_jobs=1, random_state=2,
                   estimators=["cp", "aic"])  # fmt: skip
        table = result.summary()
        assert (table["bias"].abs() < 4 * table["bias_se"]).all()
        assert table["true_df"].iloc[0] == pytest.approx(2, abs=4 * table["true_df_se"].iloc[0])


@pytest.mark.parametrize(("change", "message"), [
    ({"noise": "poisson", "estimators": "coupled"}, "'coupled' needs additive noise, and noise 'poisson' is none"),
    ({"noise": "poisson", "estimators": "cp:gdf"}, "'cp:gdf' needs additive noise"),
    ({"noise": "poisson", "estimators": "sure"}, "'sure' needs additive noise"),
    ({"noise": "poisson", "loss": "mse"}, "'cp' is for loss='deviance' here, not 'mse'"),
    ({"loss": "mae"}, "'cp' is for loss='mse' here, not 'mae'"),
    ({"loss": "brier"}, "loss='brier' needs a 0/1 response"),
    ({"loss": "rmse"}, "loss must be None, one of 'mse'"),
    ({"loss": lambda y, m: 1.0, "estimators": "training"}, "loss: 'loss' must give losses of shape"),
    ({"noise": "gamma", "estimators": "aic"}, "'aic' needs a family of known dispersion"),
    ({"noise": "poisson", "sigma": "residual"}, "sigma='residual' is for additive noise"),
    ({"models": S.glm("x"), "sigma": "large"}, "sigma='large': no model has a size"),
    ({"noise": S.noise("bernoulli", link="identity"), "truth": S.truth(lambda x: x + 1)}, "gives no mean between 0"),
    ({"noise": S.noise(sd=lambda x: x - 1)}, "its sd must be 20 finite numbers > 0"),
    ({"noise": ["poisson", S.noise("poisson")]}, "noise: a value occurs twice"),
    ({"models": S.select([S.bs(5)]), "noise": "poisson", "estimators": "training"}, "noise 'poisson' is not additive"),
    ({"target": "new"}, "target must be one of 'same_x', 'new_x'"),
    ({"x": 5}, "x must be None or a function"),
    ({"x": lambda rng: 1}, "its design raised TypeError"),
    ({"estimators": S.estimator("holdout", test_size=20)}, "keeps 20 rows out"),
])  # fmt: skip
def test_what_does_not_suit_is_named(change, message):
    arguments = {"models": [S.bs(5)], "truth": "sine", "n": 20, "replicates": 2, "n_jobs": 1, "estimators": "cp", **change}
    with pytest.raises(ArgumentError, match=message):
        S(**arguments)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: S.noise("t", sd=1.0), "'t' needs df="), (lambda: S.noise("gaussian"), "needs sd="),
    (lambda: S.noise("poisson", sd=1.0), "'poisson' has no sd"), (lambda: S.noise(sd=1.0, df=4), "df is for kind='t'"),
    (lambda: S.noise("laplace", sd=1.0, link="log"), "link is for"), (lambda: S.noise("bernoulli", link="lgit"), "link"),
    (lambda: S.noise("t", sd=1.0, df=2), "df must be"), (lambda: noise_of("t"), "needs sd="),
    (lambda: S.noise("norm"), "kind must"),
])  # fmt: skip
def test_noise_that_does_not_suit_is_named(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_other_losses():
    zero = S(S.net(0), S.truth(lambda x: 3 * x, name="line"), "bernoulli", 50, replicates=4, n_jobs=1, random_state=1,
             loss="misclassification", estimators=["training", S.estimator("cv", k=5), "632+"])  # fmt: skip
    assert wide(zero).isin(np.arange(51) / 50).all()[["training", "cv"]].all()
    assert zero.frame["prediction_risk"].between(0, 0.5).all()
    own = S(S.bs(5), "sine", 0.3, 50, replicates=3, n_jobs=1, random_state=1, loss=lambda y, m: np.abs(y - m),
            estimators=["training", "cv:k=5", "632+:draws=5", "holdout"])  # fmt: skip
    named = S(S.bs(5), "sine", 0.3, 50, replicates=3, n_jobs=1, random_state=1, loss="mae",
              estimators=["training", "cv:k=5", "632+:draws=5", "holdout"])  # fmt: skip
    np.testing.assert_allclose(own.frame["estimate"], named.frame["estimate"])
    np.testing.assert_allclose(own.frame["prediction_risk"], named.frame["prediction_risk"])
    assert "mae" in NAMES


def test_sigma_from_residuals_and_from_the_largest_model():
    arguments = {"models": [S.bs(4), S.bs(10)], "truth": "sine", "noise": 0.3, "n": 40, "replicates": 5, "n_jobs": 1,
                 "random_state": 1, "estimators": ["training", "cp"]}  # fmt: skip
    found = {sigma: S(**arguments, sigma=sigma).frame for sigma in ("residual", "large")}
    for sigma, frame in found.items():
        pivot = frame.pivot(index=["model", "replicate"], columns="estimator", values="estimate")
        small, big = pivot.loc["bs 4"], pivot.loc["bs 10"]
        variance = {"residual": small, "large": big}[sigma]["training"] * 40 / (40 - {"residual": 4, "large": 10}[sigma])
        np.testing.assert_allclose(small["cp"], small["training"] + 2 * variance * 4 / 40)
        np.testing.assert_allclose(big["cp"], big["training"] * (1 + 2 * 10 / 30))


def test_draws_are_checked_only_where_they_are_a_users():
    rng = np.random.default_rng(0)
    for noise in NOISES.values():
        check_draws(noise, np.full(10, 0.5), np.full((10, 1), 0.5), rng)


# shared refits, further models -----------------------------------------------------------------------------------------


def test_estimators_share_refits_and_are_the_same_alone():
    arguments = {"models": S.net(1), "truth": "sine", "noise": 0.3, "n": 30, "replicates": 2, "n_jobs": 1, "random_state": 3}
    asked = ["cv:k=5", "cv:k=5,repeats=3", "cv:k=5,corrected=True", "bootstrap:draws=8", "632:draws=12", "632+:draws=12",
             "gdf:draws=6,tau=0.5", "coupled:draws=10,alpha=0.25", "nested_cv:k=5,repeats=1"]  # fmt: skip
    together = S(**arguments, estimators=asked)
    assert together.networks == 2 * (1 + 15 + 12 + 10 + 10)
    backwards = S(**arguments, estimators=asked[::-1])
    for name in asked:
        alone = wide(S(**arguments, estimators=name))[name]
        np.testing.assert_array_equal(alone, wide(together)[name])
        np.testing.assert_array_equal(alone, wide(backwards)[name])


def test_warm_refits_where_there_is_one_optimum():
    """From the weights of the fit they come to the same networks."""
    tight = {"tol": 1e-10, "threshold": 1e-7, "penalty": ns.decay(1.0), "standardize": True}
    asked = ["cv:k=4", "bootstrap:draws=5", "gdf:draws=5", "covariance:draws=5", "coupled:draws=5",
             "coupled:draws=5,restarts=warm", "coupled:draws=5,restarts=same"]  # fmt: skip
    for more in ({}, {"target": "new_x"}):
        models = [S.net(0, name=how, refits=how, **tight) for how in ("fresh", "warm")]
        result = S(models, LINE, 0.2, 30, replicates=2, restarts=3, n_jobs=1, random_state=1, x=uniform,
                   estimators=asked, **more)  # fmt: skip
        pivot = result.frame.pivot(index=["estimator", "replicate"], columns="model", values="estimate")
        np.testing.assert_allclose(pivot["warm"], pivot["fresh"], rtol=1e-4)
        assert result.networks == 2 * ((3 + 3 * (4 + 5 * 5) + 5) + (3 + 4 + 5 * 4))  # a warm model shares them all
    for model in ({"combine": "mean"}, {"algorithm": "adam"}):
        with pytest.raises(ArgumentError, match="refits='warm' is for the best of restarts"):
            S.net(2, refits="warm", **model)
    splines = S(S.bs(5), "sine", 0.3, 30, replicates=2, n_jobs=1, random_state=1,
                estimators=["coupled:draws=4", "coupled:draws=4,restarts=warm"])  # fmt: skip
    np.testing.assert_array_equal(*wide(splines).to_numpy().T)


def test_nested_cross_validation_and_holdout_by_hand():
    result = S({"mean": Mean()}, "sine", 0.3, 12, replicates=1, n_jobs=1, random_state=4,
               estimators=["nested_cv:k=4,repeats=1", "holdout:test_size=3,repeats=2"])  # fmt: skip
    cell = Cell(truth("sine"), Noise(0.3), 12, np.random.SeedSequence(4))
    y = cell.response(result.designs["sine", 0.3, 12][1], 0)
    from neuralstat.assessment.folds import kfold

    folds = [test for _, test in kfold(12, 4, np.random.default_rng(cell.seed(f"refit|{('cv', 4)!r}", 0)))]
    inner, outer = [], []
    for test in folds:
        rest = [f for f in folds if f is not test]
        outer.append(np.mean((y[test] - np.delete(y, test).mean()) ** 2))
        inner.append(np.mean([(y[f] - np.delete(y, np.concatenate([f, test])).mean()) ** 2 for f in rest]))
    bias = (np.mean(inner) - np.mean(outer)) * (1 + (2 / 4) ** 1.5)
    assert wide(result).iloc[0]["nested_cv:k=4,repeats=1"] == pytest.approx(np.mean(inner) - bias)
    rng = np.random.default_rng(cell.seed(f"refit|{('holdout', 3)!r}", 0))
    by_hand = []
    for _ in range(2):
        order = rng.permutation(12)
        by_hand.append(np.mean((y[order[:3]] - y[order[3:]].mean()) ** 2))
    assert wide(result).iloc[0]["holdout:test_size=3,repeats=2"] == pytest.approx(np.mean(by_hand))


def test_fits_by_epochs_and_layers():
    by_epochs = S.net(3, algorithm="adam", epochs=20, validation=0.2, early_stopping=ns.EarlyStopping(3), name="adam")
    layers = S.net(layers=[ns.layers.Dense(2, "tanh"), ns.layers.Dense(2, "tanh")], name="layers")
    same = S.net((2, 2), act_fct="tanh", init="keras", name="layers")
    arguments = {"truth": LINE, "noise": 0.1, "n": 30, "replicates": 2, "n_jobs": 1, "random_state": 1, "x": uniform,
                 "target": "new_x", "estimators": ["training", "cp", "cv:k=3", "coupled:draws=4"]}  # fmt: skip
    result = S([by_epochs, layers], **arguments, restarts=2)
    assert (result.frame["status"] == "ok").all() and layers.size == 4
    known = result.frame.groupby(["model", "estimator"])["estimate"].agg(lambda v: v.notna().all())
    assert known[~known].index.tolist() == [("adam", "cp")]  # no analytic degrees of freedom
    assert result.frame.groupby("model")["risk_new_x"].mean()["layers"] < 0.05
    other = S(same, **arguments, restarts=2).frame
    dense = result.frame[result.frame["model"] == "layers"]
    np.testing.assert_allclose(dense["estimate"], other["estimate"], rtol=1e-6)


def test_a_studied_choice_counts_its_search():
    """Of pure noise: the best of several columns has more degrees of freedom than the one that it has."""
    models = [S.glm(f"x{j}") for j in range(1, 5)]
    result = S({"choice": S.select(models, "aic"), "one": models[0]}, S.truth(flat, name="flat"), 1.0, 30, replicates=100,
               random_state=1, n_jobs=1, x=normal, estimators=["training", "cp", "cp:df=gdf,draws=20"])  # fmt: skip
    table = result.summary().droplevel(["truth", "noise", "n"])
    assert table.loc[("choice", "cp"), "df"] == 2 and table.loc[("one", "cp"), "df"] == 2
    assert table.loc[("choice", "cp"), "true_df"] > 3
    means = table["estimate"].unstack()
    counted = (means["cp:df=gdf,draws=20"] - means["training"]) * 30 / 2
    assert counted["choice"] > 3 and counted["one"] == pytest.approx(2, abs=0.3)


def test_choices_by_every_criterion():
    models = {"line": S.glm("x"), "cubic": S.glm("x + {x**2} + {x**3}")}
    design = np.linspace(0, 1, 40)
    for criterion in ("aic", "aicc", "bic", "gcv", "cp", "cv", "cv:k=5"):
        chosen = S.select(models, criterion, **({"sigma": 0.1} if criterion == "cp" else {}))
        result = S({"choice": chosen, **models}, S.truth(lambda x: np.sin(6 * x), design=design, name="sin"), 0.1, 40,
                   replicates=2, n_jobs=1, random_state=1)  # fmt: skip
        np.testing.assert_allclose(*(result.fits["sin", 0.1, 40, m] for m in ("choice", "cubic")), atol=1e-9)
    for given, message in (((models, "cp"), "needs sigma="), ((models, "loo"), "criterion must be"),
                           (([],), "models is empty"), ((models, "cv:k=1"), "k must be")):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            S.select(*given)
    with pytest.raises(ArgumentError, match="sigma is for"):
        S.select(models, "aic", sigma=1.0)


@pytest.mark.slow
def test_each_estimator_is_right_for_its_own_risk():
    """Ten covariates: Cp with Ye's degrees of freedom at the same x, cross-validation at new x."""
    result = S(S.net(5, penalty=ns.decay(1.0), standardize=True), "friedman1", 1.0, 100, replicates=40, restarts=2, n_jobs=1,
               random_state=1, target="new_x", estimators=["cp:gdf", "cv"])  # fmt: skip
    table = result.summary().droplevel(["truth", "noise", "n", "model"])
    frame = result.frame[result.frame["estimator"] == "cp:gdf"]
    new, old = frame["prediction_risk_new_x"].mean(), frame["prediction_risk_same_x"].mean()
    assert new > 1.3 * old
    assert abs(table.loc["cp:gdf", "bias"]) < 0.05 * old + 3 * table.loc["cp:gdf", "bias_se"]
    assert -3 * table.loc["cv", "bias_se"] < table.loc["cv", "bias"] < 0.15 * new + 3 * table.loc["cv", "bias_se"]


@pytest.mark.slow
def test_coupled_bootstrap_of_fits_that_stop_early():
    """Unbiased for the risk at (1 + alpha) sigma^2, which is that of a second study with so much noise, less the noise."""
    alpha, sigma, n = 0.25, 0.3, 40
    model = S.net(3, algorithm="adam", epochs=60, learningrate=0.05, name="adam")
    arguments = {"models": model, "truth": "sine", "n": n, "replicates": 150, "n_jobs": 1}
    told = S(**arguments, noise=sigma, random_state=1, estimators=f"coupled:draws=10,alpha={alpha}").frame
    more = S(**arguments, noise=sigma * np.sqrt(1 + alpha), random_state=2, estimators="training").frame
    wanted = more["risk"] + sigma**2
    se = np.hypot(told["estimate"].std(), wanted.std()) / np.sqrt(150)
    assert abs(told["estimate"].mean() - wanted.mean()) < 3.5 * se
