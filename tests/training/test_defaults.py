"""What a fit is without being asked: scaled inside, restarted, exact where there is one optimum, one objective."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.special import logsumexp

import neuralstat as ns
from neuralstat.errors import ConvergenceWarning, FitWarning
from neuralstat.layers import Dense, Flatten
from neuralstat.training import exact
from neuralstat.training.procedure import Procedure
from neuralstat.training.settings import Settings

S, L = sm.families, sm.families.links
LONGLEY = sm.datasets.longley.load_pandas().data.astype(float)
LONGLEY_FORMULA = "TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR"
EXACTLY = exact.ALGORITHM


def quiet(formula, data, **arguments):
    """A fit whose warnings are not the matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FitWarning)
        return ns.neuralnet(formula, data, **arguments)


def _table(n=200, seed=0):
    """Covariates of very different units, and a linear predictor between about -1 and 1."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "age": rng.uniform(20, 80, n), "income": rng.uniform(1e4, 8e4, n), "share": rng.uniform(0, 1e-3, n),
        "g": rng.choice(list("abc"), n), "w": rng.uniform(0.5, 3.0, n), "t": rng.uniform(-0.3, 0.3, n),
    })  # fmt: skip
    frame["eta"] = (
        0.01 * (frame["age"] - 50) + 1e-5 * (frame["income"] - 45_000) - 400 * (frame["share"] - 5e-4)
        + 0.3 * (frame["g"] == "b")
    )  # fmt: skip
    return frame


TABLE = _table()
RIGHT = "age + income + share + g"


def _response(family):
    """A response of a family and its link, with means that are possible."""
    rng, t = np.random.default_rng(2), TABLE["eta"].to_numpy()
    name, link = type(family).__name__, type(family.link).__name__
    if name == "Binomial" and link == "Identity":
        t = 0.5 + t / 6
    elif name == "Binomial" and link == "Log":
        t = t - 2.5
    elif link in ("InversePower", "InverseSquared", "Identity", "Sqrt", "Power") and name != "Gaussian":
        t = t + 3
    mu = family.link.inverse(t)
    draw = {
        "Gaussian": lambda: mu + 0.1 * rng.standard_normal(mu.size),
        "Binomial": lambda: (rng.random(mu.size) < mu) * 1.0,
        "Poisson": lambda: rng.poisson(mu) * 1.0,
        "Gamma": lambda: rng.gamma(4, mu / 4),
        "InverseGaussian": lambda: rng.wald(mu, 5 * mu),
        "NegativeBinomial": lambda: rng.poisson(rng.gamma(2, mu / 2)) * 1.0,
        "Tweedie": lambda: np.array([rng.gamma(2 * k, m / 4) if k else 0.0 for k, m in zip(rng.poisson(2, mu.size), mu)]),
    }  # fmt: skip
    return draw[name]()


def _glm(formula, data, family=None, **more):
    """Statsmodels' fit; it does not like data that it calls perfectly separated, nor some links."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return smf.glm(formula, data, family=family or S.Gaussian(), **more).fit(tol=1e-15, maxiter=300)


# what the arguments are ---------------------------------------------------------------------------------------


def test_the_defaults():
    settings = Settings()
    assert settings.standardize == "auto"
    assert settings.rep is None
    assert settings.repetitions == 5
    assert settings.algorithm == "rprop+"
    assert settings.scaled == "auto"
    assert not settings.exact  # one hidden unit
    assert Settings(hidden=0).exact
    assert Settings(hidden=()).exact


@pytest.mark.parametrize(
    ("arguments", "repetitions"),
    [
        ({}, 5), ({"hidden": (3, 2)}, 5), ({"layers": [Dense(3, "tanh")]}, 5), ({"algorithm": "lm"}, 5),
        ({"hidden": 0}, 1), ({"hidden": 0, "algorithm": "lm"}, 1), ({"algorithm": "adam"}, 1), ({"compat": "R"}, 1),
        ({"rep": 7}, 7), ({"rep": 7, "hidden": 0}, 7), ({"rep": 2, "compat": "R"}, 2),
        ({"algorithm": "adam", "rep": 3}, 3), ({"startweights": [[0.0] * 4, [1.0] * 4, [2.0] * 4]}, 3),
        ({"startweights": [0.0] * 4}, 1),
    ],
)  # fmt: skip
def test_repetitions(arguments, repetitions):
    assert Settings(**arguments).repetitions == repetitions


@pytest.mark.parametrize("standardize", ["yes", None, 1.5, "Auto"])
def test_standardize_is_checked(standardize):
    with pytest.raises(ns.errors.ArgumentError, match="standardize must be 'auto' or True or False"):
        ns.neuralnet("y ~ x", pd.DataFrame({"x": [1.0, 2], "y": [1.0, 2]}), standardize=standardize)


def test_covariates_and_a_gaussian_response_are_scaled():
    data = TABLE.assign(y=1e4 + 1e3 * TABLE["eta"])
    scaling = quiet(f"y ~ {RIGHT}", data, hidden=2, rep=1, stepmax=20, random_state=1).design.scaling
    assert scaling is not None
    numbers = data[["age", "income", "share"]]
    np.testing.assert_allclose(scaling.x_mean[:3], numbers.mean(), rtol=1e-12)
    np.testing.assert_allclose(scaling.x_sd[:3], numbers.std(ddof=1), rtol=0.01)
    np.testing.assert_allclose([scaling.y_mean[0], scaling.y_sd[0]], [data["y"].mean(), data["y"].std()], rtol=0.01)


@pytest.mark.parametrize(
    "arguments",
    [{"family": "poisson"}, {"family": "gamma"}, {"family": S.Gaussian(L.Log())}, {"family": "binomial"},
     {"linear_output": False}, {"err_fct": lambda x, y: (y - x) ** 4}],
)  # fmt: skip
def test_other_responses_keep_their_units(arguments):
    data = TABLE.assign(y=(TABLE["eta"] > 0) * 0.8 + 0.1)
    scaling = quiet("y ~ age + income", data, rep=1, stepmax=5, random_state=1, **arguments).design.scaling
    assert scaling.of_inputs
    assert scaling.y_mean.tolist() == [0.0]
    assert scaling.y_sd.tolist() == [1.0]


def test_arrays_are_left_as_they_are():
    rng = np.random.default_rng(3)
    data = {"image": rng.uniform(0, 255, (20, 3, 3)), "z": rng.uniform(0, 1e5, 20), "y": rng.normal(size=20)}
    layers = [Flatten(), Dense(2, "tanh")]
    fit = quiet("y ~ image + z", data, layers=layers, rep=1, stepmax=5, random_state=1)
    scaling, z = fit.design.scaling, fit.design.x_names.index("z")
    assert np.delete(scaling.x_mean, z).tolist() == [0.0] * 9
    assert np.delete(scaling.x_sd, z).tolist() == [1.0] * 9
    assert scaling.x_mean[z] == pytest.approx(data["z"].mean())
    whole = quiet("y ~ image + z", data, layers=layers, rep=1, stepmax=5, random_state=1, standardize=True)
    assert np.all(whole.design.scaling.x_mean != 0)


def test_compat_means_defaults_of_R():
    data = TABLE.assign(y=TABLE["eta"])
    fit = quiet("y ~ age + share", data, compat="R", stepmax=30, random_state=1)
    assert fit.design.scaling is None
    assert fit.nrep == 1
    assert fit.fit.algorithm == "rprop+"
    linear = quiet("y ~ share", data, hidden=0, compat="R", random_state=1)
    assert linear.fit.algorithm == "rprop+"
    assert linear.fit.steps[0] > 5
    assert 1e-8 < linear.fit.reached[0] <= 0.01  # R's threshold rule, not the optimum
    asked = quiet("y ~ age + share", data, compat="R", stepmax=30, random_state=1, standardize=True, rep=2)
    assert asked.design.scaling is not None
    assert asked.nrep == 2


def test_explicit_arguments_win():
    data = TABLE.assign(y=TABLE["eta"])
    formula = "y ~ age + share"
    assert quiet(formula, data, standardize=False, stepmax=5, random_state=1).design.scaling is None
    for algorithm in ("rprop+", "rprop-", "lm", "bfgs"):
        fit = quiet(formula, data, hidden=0, algorithm=algorithm, stepmax=300, random_state=1)
        assert fit.fit.algorithm == algorithm
    for more in ({"learningrate_factor": (0.4, 1.3)}, {"learningrate_limit": (1e-8, 0.1)}, {"tol": 1e-9}):
        assert not Settings(hidden=0, **more).exact
    plain = quiet(formula, data, algorithm="rprop+", rep=2, stepmax=40, random_state=1)
    assert plain.fit.algorithm == "rprop+"
    assert plain.fit.steps.tolist() == [40, 40]
    assert set(plain.reps["status"]) == {"stepmax reached"}


def test_weights_held_in_original_units_switch_scaling_off():
    """A bias that is held in original units mixes with free slopes in scaled ones."""
    data = TABLE.assign(y=TABLE["eta"])
    held = {"exclude": ["Intercept.to.1layhid1"], "constant_weights": [0.5]}
    fit = quiet("y ~ age", data, rep=1, stepmax=20, random_state=1, **held)
    assert fit.design.scaling is None
    assert fit.params["Intercept.to.1layhid1"] == 0.5
    with pytest.raises(ns.errors.ArgumentError, match="cannot be held constant with standardize=True"):
        ns.neuralnet("y ~ age", data, standardize=True, **held)
    slope = quiet("y ~ age", data, rep=1, stepmax=20, random_state=1, exclude=["age.to.1layhid1"], constant_weights=[0.02])
    assert slope.design.scaling is not None
    assert slope.params["age.to.1layhid1"] == pytest.approx(0.02, rel=1e-14)


# nets ---------------------------------------------------------------------------------------------------------


def test_a_default_fit_begins_with_rprop_and_is_finished(monkeypatch):
    """Where rprop+ has not met the threshold after its budget, Levenberg-Marquardt goes on: steps and records add up."""
    data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
    fit = ns.neuralnet("y ~ x", data, hidden=6, rep=2, random_state=1)
    assert fit.fit.algorithm == "rprop+, then lm"
    assert fit.converged
    first = quiet("y ~ x", data, hidden=6, rep=2, random_state=1, algorithm="rprop+", stepmax=5000)
    assert np.all(fit.fit.loss <= first.fit.loss)
    assert np.array_equal(fit.fit.start, first.fit.start)
    for steps, errors in fit.fit.trace:
        assert np.all(np.diff(steps) > 0)
        assert errors[-1] == pytest.approx(min(errors), rel=1e-6)


def test_where_rprop_converges_nothing_follows():
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    fit = ns.neuralnet("y ~ x", data, hidden=1, threshold=1.0, random_state=1)
    assert fit.fit.algorithm == "rprop+"
    same = ns.neuralnet("y ~ x", data, hidden=1, threshold=1.0, random_state=1, algorithm="rprop+", rep=5)
    assert np.array_equal(fit.fit.theta, same.fit.theta)


def test_predictions_do_not_depend_on_units():
    data = ns.datasets.doppler(n=100, noise=0.1, random_state=2)
    far = pd.DataFrame({"x": 1e6 + 1e4 * data["x"], "y": -3e5 + 1e3 * data["y"]})
    near, there = (ns.neuralnet("y ~ x", d, hidden=3, rep=2, random_state=1) for d in (data, far))
    np.testing.assert_allclose((there.predict() + 3e5) / 1e3, near.predict(), atol=2e-3)  # by the threshold


@pytest.mark.parametrize("seed", range(6))
def test_raw_units_of_covariates_are_no_matter(seed):
    """Income up to 80,000: every hidden unit of a net in raw units would be saturated at its start."""
    data = TABLE.assign(y=3_000 + 800 * TABLE["eta"] + np.random.default_rng(1).normal(size=len(TABLE)) * 50)
    fit = ns.neuralnet(f"y ~ {RIGHT}", data, hidden=2, random_state=seed)
    residual = np.sum((data["y"] - fit.predict(rep="best")) ** 2)
    linear = _glm(f"y ~ {RIGHT}", data)
    assert residual <= linear.deviance * 1.001


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "family", [S.Poisson(), S.Gamma(L.Log()), S.InverseGaussian(L.Log()), S.Tweedie(L.Log(), var_power=1.5), S.Binomial(),
               S.NegativeBinomial(alpha=0.5)], ids=lambda f: type(f).__name__,
)  # fmt: skip
def test_nets_of_every_family_are_no_worse_than_linear_models(family, seed):
    data = TABLE.assign(y=_response(family))
    fit = quiet("y ~ income + age", data, hidden=2, family=family, random_state=seed)
    assert fit.deviance <= _glm("y ~ income + age", data, family).deviance * 1.001


# no hidden units: exact ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", ["auto", True, False])
@pytest.mark.parametrize("seed", [0, 1, 17])
def test_longley(standardize, seed):
    """Six covariates of condition number 5e9, in raw units."""
    ours = ns.neuralnet(LONGLEY_FORMULA, LONGLEY, hidden=0, standardize=standardize, random_state=seed)
    theirs = smf.ols(LONGLEY_FORMULA, LONGLEY).fit()
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-6)
    assert ours.converged
    assert ours.fit.algorithm == EXACTLY
    assert ours.nrep == 1
    np.testing.assert_allclose(ours.deviance, theirs.ssr, rtol=1e-8)


@pytest.mark.parametrize("units", [1e-6, 1.0, 1e6])
def test_units_do_not_matter(units):
    data = LONGLEY.assign(GNP=LONGLEY["GNP"] * units, POP=LONGLEY["POP"] / units)
    ours = ns.neuralnet(LONGLEY_FORMULA, data, hidden=0)
    theirs = smf.ols(LONGLEY_FORMULA, LONGLEY).fit()
    scale = np.array([1, 1, 1 / units, 1, 1, units, 1])
    np.testing.assert_allclose(ours.params, theirs.params * scale, rtol=1e-6)


@pytest.mark.parametrize("standardize", ["auto", False])
def test_splines(standardize):
    """`bs` of 50 columns is least squares, in whatever unit."""
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(0, 1000, 300))
    data = pd.DataFrame({"x": x, "y": np.sin(x / 50) + 0.2 * rng.standard_normal(300)})
    fit = ns.neuralnet("y ~ bs(x, df=50)", data, hidden=0, standardize=standardize)
    raw_x = ns.NeuralNet.from_formula("y ~ bs(x, df=50)", data, standardize=False).design.x
    design = np.vstack([np.ones(300), raw_x]).T
    right = design @ np.linalg.lstsq(design, data["y"], rcond=None)[0]
    np.testing.assert_allclose(fit.predict(), right, atol=1e-8)
    assert fit.converged


CASES = [
    S.Poisson(), S.Poisson(L.Sqrt()), S.Poisson(L.Identity()),
    S.Gamma(L.Log()), S.Gamma(L.InversePower()), S.Gamma(L.Identity()),
    S.InverseGaussian(L.Log()), S.InverseGaussian(L.InverseSquared()), S.InverseGaussian(L.InversePower()),
    S.Tweedie(L.Log(), var_power=1.5), S.Tweedie(L.Power(-0.5), var_power=1.5),
    S.NegativeBinomial(alpha=0.5), S.NegativeBinomial(L.Identity(), alpha=0.5),
    S.Binomial(), S.Binomial(L.Probit()), S.Binomial(L.CLogLog()), S.Binomial(L.LogLog()), S.Binomial(L.Cauchy()),
    S.Binomial(L.Log()), S.Binomial(L.Identity()),
    S.Gaussian(), S.Gaussian(L.Log()),
]  # fmt: skip
IDS = [f"{type(f).__name__}-{type(f.link).__name__}" for f in CASES]


@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize("family", CASES, ids=IDS)
def test_generalised_linear_models(family, standardize):
    data = TABLE.assign(y=_response(family))
    theirs = _glm(f"y ~ {RIGHT}", data, family)
    ours = ns.neuralnet(f"y ~ {RIGHT}", data, hidden=0, family=family, standardize=standardize)
    assert ours.fit.algorithm == EXACTLY
    assert ours.converged
    assert ours.deviance <= theirs.deviance * (1 + 1e-9)
    np.testing.assert_allclose(ours.deviance, theirs.deviance, rtol=1e-7)
    np.testing.assert_allclose(ours.fittedvalues, theirs.fittedvalues, rtol=1e-4)
    scale = np.array([1.0, *[float(TABLE[n].std()) if n in TABLE else 1.0 for n in ours.design.x_names]])
    order = ["Intercept", *("g[T.b]", "g[T.c]"), "age", "income", "share"]
    own = dict(zip(["Intercept", *ours.design.x_names], np.asarray(ours.params), strict=True))
    sizes = dict(zip(["Intercept", *ours.design.x_names], scale, strict=True))
    for name in order:
        assert own[name] * sizes[name] == pytest.approx(theirs.params[name] * sizes[name], rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize(
    "family", [S.Poisson(), S.Gamma(L.Log()), S.Tweedie(L.Log(), var_power=1.5), S.InverseGaussian(L.Log())]
)
def test_every_seed_reaches_the_deviance(family, standardize, seed):
    """A log link of income in units of 1: a random start alone has means of exp(80,000)."""
    data = TABLE.assign(c=_response(family))
    theirs = _glm("c ~ income", data, family)
    ours = ns.neuralnet("c ~ income", data, hidden=0, family=family, standardize=standardize, random_state=seed)
    np.testing.assert_allclose(ours.deviance, theirs.deviance, rtol=1e-9)
    named = ns.neuralnet("c ~ income", data, hidden=0, family=family, algorithm="lm", threshold=1e-4, random_state=seed)
    np.testing.assert_allclose(named.deviance, theirs.deviance, rtol=1e-6)


def test_multinomial():
    data = sm.datasets.anes96.load_pandas().data
    formula = "PID ~ logpopul + selfLR + age + educ + income"
    theirs = smf.mnlogit(formula, data).fit(disp=0, tol=1e-12)
    classes = data.assign(PID=pd.Categorical(data["PID"].astype(int)))
    for standardize in ("auto", False):
        ours = ns.neuralnet(formula, classes, hidden=0, family="multinomial", standardize=standardize)
        assert ours.converged
        assert ours.fit.algorithm == EXACTLY
        assert ours.loglike() == pytest.approx(theirs.llf, rel=1e-9)
        np.testing.assert_allclose(ours.predict(), theirs.predict(), atol=1e-6)
        weights = ours.theta[0].reshape(7, -1)
        np.testing.assert_allclose((weights[1:] - weights[0]).T, theirs.params, atol=1e-5)


def test_counts_of_classes():
    """Rows of counts and case weights: the same as single observations."""
    rng = np.random.default_rng(6)
    x = np.arange(6.0)
    table = np.array([rng.multinomial(30, np.exp(e) / np.exp(e).sum()) for e in np.outer(x, [0.1, 0.3, -0.2])])
    data = pd.DataFrame({"x": x, "a": table[:, 0], "b": table[:, 1], "c": table[:, 2]})
    fit = ns.neuralnet("a + b + c ~ x", data, hidden=0, family="multinomial")
    long = pd.DataFrame({"x": np.repeat(x, 3), "k": np.tile(list("abc"), 6), "w": table.ravel()})
    weighed = ns.neuralnet("k ~ x", long[long["w"] > 0], hidden=0, family="multinomial", weights="w")
    np.testing.assert_allclose(fit.predict(), weighed.predict(data), atol=1e-7)


def test_error_functions_are_families():
    data = TABLE.assign(y=(_response(S.Binomial()) > 0) * 1.0)
    theirs = _glm("y ~ age + g", data, S.Binomial())
    ours = ns.neuralnet("y ~ age + g", data, hidden=0, err_fct="ce", linear_output=False)
    assert ours.fit.algorithm == EXACTLY
    np.testing.assert_allclose(ours.predict(), theirs.fittedvalues, atol=1e-8)
    other = quiet("y ~ age + g", data, hidden=0, linear_output=False, random_state=1)  # squared error of a logistic output
    assert other.fit.algorithm != EXACTLY


# weights, offsets, penalties, weights held ---------------------------------------------------------------------


@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize(
    "family", [S.Gaussian(), S.Poisson(), S.Gamma(L.Log()), S.Binomial()], ids=lambda f: type(f).__name__
)
def test_case_weights_and_offsets(family, standardize):
    data = TABLE.assign(y=_response(family))
    theirs = _glm("y ~ age + share", data, family, var_weights=data["w"], offset=data["t"])
    ours = ns.neuralnet("y ~ age + share", data, hidden=0, family=family, weights="w", offset="t", standardize=standardize)
    assert ours.fit.algorithm == EXACTLY
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.deviance, theirs.deviance, rtol=1e-9)
    inside = ns.neuralnet("y ~ age + share + offset(t)", data, hidden=0, family=family, weights="w", standardize=standardize)
    np.testing.assert_allclose(inside.theta, ours.theta, rtol=1e-9)


def test_weights_of_zero_are_rows_left_out():
    data = TABLE.assign(y=_response(S.Poisson()), z=(TABLE["age"] > 35) * 1.0)
    all_rows = ns.neuralnet("y ~ age", data, hidden=0, family="poisson", weights="z", standardize=False)
    some = ns.neuralnet("y ~ age", data[data["z"] > 0], hidden=0, family="poisson", standardize=False)
    np.testing.assert_allclose(all_rows.params, some.params, rtol=1e-8)


def _ridge(x, y, lam, biases):
    a = np.column_stack([np.ones(len(y)), x])
    bend = np.diag([lam * biases, *[lam] * x.shape[1]])
    return np.linalg.solve(a.T @ a + bend, a.T @ y)


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("lam", [1e-3, 1.0, 500.0])
def test_ridge_regression(lam, biases):
    x, y = TABLE[["age", "t"]].to_numpy(), TABLE["eta"].to_numpy() + 3
    data = TABLE.assign(y=y)
    # a constant that is drawn to 0 may fit worse than none, and is said to
    ours = quiet("y ~ age + t", data, hidden=0, penalty=ns.decay(lam, biases=biases), standardize=False)
    assert ours.fit.algorithm == EXACTLY
    assert ours.converged
    np.testing.assert_allclose(ours.params, _ridge(x, y, lam, biases), rtol=1e-8)
    scaled = quiet("y ~ age + t", data, hidden=0, penalty=ns.decay(lam, biases=biases))
    s = scaled.design.scaling
    internal = _ridge(scaled.design.x.T, scaled.design.y[0], lam, biases)
    np.testing.assert_allclose(scaled.fit.theta[0], internal, atol=1e-9)
    np.testing.assert_allclose(scaled.params.iloc[1:], internal[1:] * s.y_sd[0] / s.x_sd, rtol=1e-6)


@pytest.mark.parametrize("family", ["poisson", "binomial", "multinomial"])
def test_penalised_families_are_at_their_optimum(family):
    y = {"poisson": _response(S.Poisson()), "binomial": _response(S.Binomial()), "multinomial": TABLE["g"]}[family]
    fit = ns.neuralnet("y ~ age + share", TABLE.assign(y=y), hidden=0, family=family, penalty=ns.decay(0.5))
    assert fit.fit.algorithm == EXACTLY
    assert np.abs(fit.gradients).max() < 1e-6
    other = ns.neuralnet("y ~ age + share", TABLE.assign(y=y), hidden=0, family=family, penalty=ns.decay(0.5), algorithm="lm",
                         threshold=1e-7, random_state=1)  # fmt: skip
    np.testing.assert_allclose(fit.fit.theta, other.fit.theta, atol=1e-5)


def test_other_penalties_go_by_steps():
    data = TABLE.assign(y=TABLE["eta"])
    for penalty in (ns.l1(0.1), ns.elimination(0.1), ns.elastic_net(0.1, 0.1)):
        fit = quiet("y ~ age + share", data, hidden=0, penalty=penalty, random_state=1)
        assert EXACTLY not in fit.fit.algorithm
        assert fit.fit.reached[0] < 1


@pytest.mark.parametrize("standardize", ["auto", False])
def test_weights_held_out(standardize):
    """A slope held at a value is an offset; one that is excluded is no covariate."""
    data = TABLE.assign(y=_response(S.Poisson()))
    theirs = _glm("y ~ age", data, S.Poisson(), offset=2e-5 * data["income"])
    ours = ns.neuralnet("y ~ age + income", data, hidden=0, family="poisson", exclude=["income.to.y"],
                        constant_weights=[2e-5], standardize=standardize)  # fmt: skip
    assert ours.fit.algorithm == EXACTLY
    assert ours.params["income.to.y"] == pytest.approx(2e-5, rel=1e-13)
    np.testing.assert_allclose(ours.params.drop("income.to.y"), theirs.params, rtol=1e-7)
    less = ns.neuralnet("y ~ age + income", data, hidden=0, family="poisson", exclude=["income.to.y"],
                        standardize=standardize)  # fmt: skip
    np.testing.assert_allclose(less.params.drop("income.to.y"), _glm("y ~ age", data, S.Poisson()).params, rtol=1e-7)


def test_no_intercept():
    data = TABLE.assign(y=_response(S.Poisson()))
    theirs = _glm("y ~ t + w - 1", data, S.Poisson())
    ours = ns.neuralnet("y ~ t + w", data, hidden=0, family="poisson", exclude=["Intercept.to.y"])
    np.testing.assert_allclose(ours.params.iloc[1:], theirs.params, rtol=1e-7)
    assert ours.design.scaling is None  # the intercept is 0 in original units


def test_several_outputs():
    rng = np.random.default_rng(8)
    data = TABLE.assign(a=1e3 * TABLE["eta"] + rng.normal(size=len(TABLE)), b=rng.poisson(np.exp(TABLE["eta"])) * 1.0)
    both = ns.neuralnet(f"a + b ~ {RIGHT}", data, hidden=0)
    assert both.fit.algorithm == EXACTLY
    for k, name in enumerate(("a", "b")):
        np.testing.assert_allclose(both.predict().iloc[:, k], _glm(f"{name} ~ {RIGHT}", data).fittedvalues, rtol=1e-7)
    counts = ns.neuralnet(f"b + c ~ {RIGHT}", data.assign(c=data["b"] + 1), hidden=0, family="poisson")
    np.testing.assert_allclose(
        counts.predict().iloc[:, 0], _glm(f"b ~ {RIGHT}", data, S.Poisson()).fittedvalues, rtol=1e-6
    )


def test_more_columns_than_rows_and_dependent_columns():
    rng = np.random.default_rng(9)
    wide = pd.DataFrame(rng.normal(size=(10, 15)), columns=[f"x{j}" for j in range(15)]).assign(y=rng.normal(size=10))
    fit = quiet("y ~ .", wide, hidden=0)
    np.testing.assert_allclose(fit.predict(), wide["y"], atol=1e-8)
    twice = TABLE.assign(y=TABLE["eta"], older=2 * TABLE["age"])
    np.testing.assert_allclose(
        ns.neuralnet("y ~ age + older", twice, hidden=0).predict(), _glm("y ~ age", twice).fittedvalues, atol=1e-9
    )


def test_separation_is_said():
    """Estimates are infinite: the fit ends where rounding ends, and says so."""
    data = pd.DataFrame({"x": np.arange(20.0), "z": np.sin(np.arange(20.0))})
    data["y"] = (data["x"] > 9) * 1.0
    with pytest.warns(FitWarning, match="Separation: .*x"):
        fit = ns.neuralnet("y ~ x + z", data, hidden=0, family="binomial")
    assert fit.deviance < 1e-3
    assert fit.fit.algorithm == EXACTLY
    held = ns.neuralnet("y ~ x + z", data, hidden=0, family="binomial", penalty=ns.decay(0.1))
    assert held.reps["status"].tolist() == ["converged"]
    assert np.abs(held.gradients).max() < 1e-6


@pytest.mark.parametrize("family", ["binomial", "multinomial", "poisson"])
def test_one_group_without_variation(family):
    """Quasi-separation: a level of which all responses are 0, or one class, has no finite coefficient."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"g": np.repeat(list("abc"), 40), "x": rng.normal(size=120)})
    data["y"] = np.where(data["g"] == "c", 0.0, (rng.random(120) < 0.5) * 1.0)
    response = data["y"].map({0.0: "no", 1.0: "yes"}) if family == "multinomial" else data["y"]
    with pytest.warns(FitWarning, match="Separation: .*g"):
        fit = ns.neuralnet("y ~ g + x", data.assign(y=response), hidden=0, family=family)
    rest = data[data["g"] != "c"]
    other = ns.neuralnet("y ~ g + x", rest.assign(y=response[rest.index]), hidden=0, family=family)
    assert fit.deviance == pytest.approx(other.deviance, abs=1e-3)


def test_a_saved_fit_is_as_exact(tmp_path):
    data = TABLE.assign(y=_response(S.Poisson()))
    fit = ns.neuralnet("y ~ age + income", data, hidden=0, family="poisson", random_state=1)
    fit.save(tmp_path / "fit.nst")
    loaded = ns.load(tmp_path / "fit.nst")
    assert loaded.settings.exact
    assert loaded.fit.algorithm == EXACTLY
    assert str(loaded.call) == str(fit.call)
    assert float(loaded.df("gdf", random_state=1)) == float(fit.df("gdf", random_state=1))  # of exact refits
    named = ns.neuralnet("y ~ age + income", data, hidden=0, family="poisson", algorithm="rprop+", random_state=1)
    named.save(tmp_path / "named.nst")
    assert not ns.load(tmp_path / "named.nst").settings.exact
    net = ns.neuralnet("y ~ age", data, hidden=1, family="poisson", rep=1, threshold=1.0, random_state=1)
    net.save(tmp_path / "net.nst")
    again = ns.load(tmp_path / "net.nst").settings
    assert (again.rep, again.standardize, type(again.algorithm)) == (1, "auto", type(Settings().algorithm))


@pytest.mark.parametrize("arguments", [{"dtype": "float32"}, {"polish": True}, {"n_jobs": 1}, {"rep": 3}, {"stepmax": 1}])
def test_with_other_arguments(arguments):
    data = TABLE.assign(y=_response(S.Poisson()))
    ours = ns.neuralnet("y ~ age + income", data, hidden=0, family="poisson", random_state=1, **arguments)
    theirs = _glm("y ~ age + income", data, S.Poisson())
    np.testing.assert_allclose(ours.deviance, theirs.deviance, rtol=1e-6)
    assert np.ptp(ours.theta, axis=0).max() == 0


def test_large_models_go_by_steps():
    """Least squares of a design that is too large would take longer than what it spares."""
    procedure = ns.NeuralNet(np.arange(5.0), np.arange(10.0).reshape(5, 2), hidden=0).procedure()
    assert isinstance(procedure, Procedure)
    assert exact.possible(procedure.network, 1_000_000, None)
    assert not exact.possible(procedure.network, 100_000_000, None)


def test_refits_are_exact_too():
    """Parametric bootstrap, cross-validation and degrees of freedom run the same procedure."""
    data = TABLE.assign(y=TABLE["eta"] + np.random.default_rng(3).normal(size=len(TABLE)))
    fit = ns.neuralnet("y ~ age + income + share", data, hidden=0)
    assert float(fit.df("jacobian")) == pytest.approx(4, abs=1e-6)
    loo = ns.risk(fit, "cv", k="loo")
    ols = smf.ols("y ~ age + income + share", data).fit()
    right = np.mean((ols.resid / (1 - ols.get_influence().hat_matrix_diag)) ** 2)
    assert float(loo) == pytest.approx(right, rel=1e-6)


# one objective for every optimizer -----------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["lm", "bfgs", "lbfgs", "rprop+", "adam", "sgd", "momentum"])
def test_decay_is_the_same_penalty_everywhere(algorithm):
    """Penalised least squares has a closed form, which every optimizer must come to."""
    x = (TABLE[["age", "income"]] - TABLE[["age", "income"]].mean()) / TABLE[["age", "income"]].std()
    y = TABLE["eta"].to_numpy() * 3
    data = x.assign(y=y)
    right = _ridge(x.to_numpy(), y, 20.0, True)
    more = {"epochs": 3000, "batch_size": None, "learningrate": 0.01, "threshold": 1e-4} if algorithm in (
        "adam", "sgd", "momentum") else {"threshold": 1e-6, "stepmax": 50_000}  # fmt: skip
    fit = quiet("y ~ age + income", data, hidden=0, algorithm=algorithm, penalty=ns.decay(20.0), standardize=False,
                random_state=1, **more)  # fmt: skip
    np.testing.assert_allclose(fit.params, right, atol=1e-4)
    objective = 0.5 * np.sum((y - fit.predict()) ** 2) + 10.0 * np.sum(fit.theta**2)
    assert fit.errors[0] == pytest.approx(objective, rel=1e-9)


@pytest.mark.parametrize("penalty", [ns.decay(2.0), ns.elimination(2.0), ns.decay(1.0) + ns.elimination(1.0)])
def test_penalties_of_nets_by_epochs(penalty):
    """A fit by epochs of the whole batch has, at its end, the gradient of the sum of errors and the penalty."""
    data = ns.datasets.doppler(n=50, noise=0.1, random_state=1)
    fit = quiet("y ~ x", data, hidden=2, algorithm="adam", learningrate=0.02, epochs=4000, batch_size=None, penalty=penalty,
                threshold=0.01, random_state=1)  # fmt: skip
    assert fit.reps["status"].tolist() == ["converged"]
    assert np.abs(fit.gradients).max() <= 0.01
    same = ns.neuralnet("y ~ x", data, hidden=2, algorithm="bfgs", penalty=penalty, threshold=1e-5,
                        startweights=fit.weights[0])  # fmt: skip
    np.testing.assert_allclose(same.predict(), fit.predict(), atol=0.05)


# fits by epochs: what ended them -------------------------------------------------------------------------------


def test_epochs_that_run_out_are_no_convergence(recwarn):
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1)
    fit = ns.neuralnet("y ~ x", data, hidden=2, algorithm="adam", learningrate=0.02, epochs=60, random_state=1)
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]
    assert not fit.converged
    assert fit.fit.finished.all()
    assert fit.reps["status"].tolist() == ["epochs done"]
    assert fit.predict().notna().all()
    assert fit.fitted.best == 0


def test_stopping_rules_are_convergence():
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1)
    same = {"hidden": 2, "algorithm": "adam", "learningrate": 0.05, "epochs": 400, "random_state": 1}
    early = quiet("y ~ x", data, early_stopping=ns.EarlyStopping(3, min_delta=0.001), **same)
    assert early.reps["status"].tolist() == ["stopped early"]
    assert early.converged
    called = quiet("y ~ x", data, callbacks=lambda epoch, logs: epoch == 20, **same)
    assert called.reps["status"].tolist() == ["stopped by a callback"]
    assert called.converged
    ruled = quiet("y ~ x", data, threshold=1e6, **same)
    assert ruled.reps["status"].tolist() == ["converged"]
    missed = quiet("y ~ x", data, threshold=1e-12, **{**same, "epochs": 60})
    assert missed.reps["status"].tolist() == ["epochs done"]
    assert not missed.converged
    with pytest.warns(ConvergenceWarning, match="within the epochs"):
        cut = ns.neuralnet("y ~ x", data, stepmax=100, **same)
    assert not cut.fit.finished.any()


def test_means_are_of_finished_repetitions():
    """A repetition that a callback stopped and one that ran out of epochs both count."""
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1)
    fit = quiet("y ~ x", data, hidden=2, algorithm="adam", learningrate=0.05, epochs=40, rep=2, random_state=1,
                callbacks=lambda epoch, logs: logs["rep"] == 2 and epoch == 30)  # fmt: skip
    assert fit.fit.converged.tolist() == [False, True]
    np.testing.assert_allclose(fit.predict(), fit.predict(rep="all").mean(axis=1))


def test_likelihood_of_the_softmax_by_hand():
    """The optimum of an exact multinomial fit, against its log-likelihood in the open."""
    fit = ns.neuralnet("g ~ age + share", TABLE, hidden=0, family="multinomial")
    x = np.column_stack([np.ones(len(TABLE)), TABLE[["age", "share"]]])
    eta = x @ fit.theta[0].reshape(3, 3).T
    codes = TABLE["g"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    assert fit.loglike() == pytest.approx(np.sum(eta[np.arange(len(TABLE)), codes] - logsumexp(eta, axis=1)), rel=1e-10)
