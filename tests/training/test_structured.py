"""Structured formulas: towers, linear terms, effects of levels, embeddings; against nets by hand, R and closed forms."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, DataWarning
from neuralstat.network import derivatives

REFERENCE = Path(__file__).parents[1] / "reference" / "structured"


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    n = 120
    frame = pd.DataFrame({name: rng.normal(size=n) for name in "xzw"})
    frame["g"] = rng.choice(list("abcdef"), n)
    frame["h"] = rng.choice([1, 2, 3], n)
    effect = dict(zip("abcdef", rng.normal(size=6), strict=True))
    eta = 0.6 * frame.x + np.sin(2 * frame.z) + frame.g.map(effect)
    frame["y"] = 30 + 5 * (eta + 0.4 * rng.normal(size=n))
    frame["c"] = rng.poisson(np.exp(0.8 * eta))
    return frame


def by_name(fit, b=0):
    return dict(zip(fit.network.names, fit.theta[b], strict=True))


def unfitted(formula, data, **more):
    """A structured network at its start weights."""
    return ns.neuralnet(formula, data, epochs=0, algorithm="adam", init="normal", random_state=3, **more)


def test_towers_are_what_their_names_say(data):
    """Predictions and gradients of two towers beside linear terms, by plain formulas."""
    fit = unfitted("y ~ x + nn(z, w, hidden=3, act='tanh') + nn(x, hidden=(2, 2))", data)
    w = by_name(fit)
    rng = np.random.default_rng(1)
    w = {name: rng.normal() for name in w}
    theta = np.array([w[name] for name in fit.network.names])
    a = {u: np.tanh(w[f"Intercept.to.nn(z, w).1layhid{u}"] + w[f"z.to.nn(z, w).1layhid{u}"] * data.z
                    + w[f"w.to.nn(z, w).1layhid{u}"] * data.w) for u in (1, 2, 3)}  # fmt: skip
    c = {u: sigmoid(w[f"Intercept.to.nn(x).1layhid{u}"] + w[f"x.to.nn(x).1layhid{u}"] * data.x) for u in (1, 2)}
    e = {u: sigmoid(w[f"Intercept.to.nn(x).2layhid{u}"] + sum(w[f"nn(x).1layhid{k}.to.nn(x).2layhid{u}"] * c[k] for k in c))
         for u in (1, 2)}  # fmt: skip
    by_hand = w["Intercept.to.y"] + w["x.to.y"] * data.x
    by_hand += sum(w[f"nn(z, w).1layhid{u}.to.y"] * a[u] for u in a) + sum(
        w[f"nn(x).2layhid{u}.to.y"] * e[u] for u in e
    )
    scaling = fit.design.scaling
    internal = ns.network.scaling.to_internal(fit.network, scaling, theta[np.newaxis])
    given = derivatives.outputs(fit.network, fit.design.x, internal)[0, 0]
    np.testing.assert_allclose(given * scaling.y_sd + scaling.y_mean, by_hand, rtol=1e-12)
    np.testing.assert_allclose(ns.network.scaling.to_original(fit.network, scaling, internal)[0], theta, rtol=1e-12)
    grad = derivatives.gradient(fit.network, fit.data, internal[0])
    for j in range(theta.size):
        moved = internal[0].astype(complex)
        moved[j] += 1e-30j
        out = np.empty(theta.size, complex)
        from neuralstat.engine import cpu

        loss = cpu.loss_gradient(fit.network.net(), fit.data, moved, 0, 0, len(data), out)
        np.testing.assert_allclose(grad[j], loss.imag / 1e-30, rtol=1e-10, atol=1e-10)


def test_additive_towers_are_a_masked_dense_net(data):
    """nn(x) + nn(z): hidden units that see one covariate each, by exclude=."""
    fit = ns.neuralnet(
        "y ~ nn(x, hidden=2) + nn(z, hidden=3)", data, rep=1, random_state=2, algorithm="bfgs", penalty=ns.decay(0.01)
    )
    masked = [f"z.to.1layhid{u}" for u in (1, 2)] + [f"x.to.1layhid{u}" for u in (3, 4, 5)]
    w = by_name(fit)
    start = {}
    for u in (1, 2, 3, 4, 5):
        own, name, number = ("x", "nn(x)", u) if u <= 2 else ("z", "nn(z)", u - 2)
        start[f"Intercept.to.1layhid{u}"] = w[f"Intercept.to.{name}.1layhid{number}"]
        start[f"{own}.to.1layhid{u}"] = w[f"{own}.to.{name}.1layhid{number}"]
        start[f"1layhid{u}.to.y"] = w[f"{name}.1layhid{number}.to.y"]
    start["Intercept.to.y"] = w["Intercept.to.y"]
    model = ns.NeuralNet.from_formula("y ~ x + z", data, hidden=5, exclude=masked, rep=1, standardize=False)
    numbers = np.array([start.get(name, 0.0) for name in model.network().names])
    dense = model.fit(startweights=[numbers], epochs=0, algorithm="adam")
    np.testing.assert_allclose(dense.predict(data), fit.predict(data), rtol=1e-10)


def test_embedding_is_a_dense_layer_of_indicators(data):
    fit = unfitted("y ~ x + embed(g, 2)", data, hidden=3)
    w = by_name(fit)
    levels = sorted(data.g.unique())
    table = np.array([[w[f"embed(g)[{level},{j + 1}]"] for j in range(2)] for level in levels])
    at = table[[levels.index(v) for v in data.g]]
    by_hand = w["Intercept.to.y"]
    for u in (1, 2, 3):
        z = w[f"Intercept.to.1layhid{u}"] + w[f"x.to.1layhid{u}"] * data.x
        z += sum(w[f"embed(g).{j + 1}.to.1layhid{u}"] * at[:, j] for j in range(2))
        by_hand = by_hand + w[f"1layhid{u}.to.y"] * sigmoid(z)
    np.testing.assert_allclose(fit.predict(data), by_hand, rtol=1e-10)


def test_new_levels_of_an_embedding_are_the_mean(data):
    fit = ns.neuralnet("y ~ x + embed(g, 2)", data, hidden=2, rep=1, random_state=1)
    theta = dict(zip(fit.network.names, fit.theta[0], strict=True))
    for j in (1, 2):
        assert theta[f"embed(g)[(new),{j}]"] == pytest.approx(np.mean([theta[f"embed(g)[{k},{j}]"] for k in "abcdef"]))
    with pytest.warns(DataWarning, match="column 'g': 2 row"):
        fit.predict(data[:2].assign(g="new"))


def test_skip_layer_of_nnet():
    """`nnet(y ~ x + z, d, size=2, skip=TRUE, linout=TRUE, decay=.05)`, best of 30 with seed 3, R's nnet 7.3-18.

    nnet minimises the sum of squares and decay times the sum of squared weights, twice what is minimised here.
    """
    d = pd.read_csv(REFERENCE / "skip.csv")
    weights = np.array([-0.0206017805409, 2.7153005616893, -0.0355682876998,
                        0.0205223568651, -2.7151882674930, 0.0356431379296,
                        0.0001595677785, -1.2705802139723, -0.2721060397572, 2.9559797857348, -2.9557171540447])  # fmt: skip
    model = ns.NeuralNet.from_formula(
        "y ~ x + z + linear(x + z)", d, hidden=2, standardize=False, penalty=ns.decay(0.05)
    )
    names = model.network().names
    assert names[6:] == ("Intercept.to.y", "linear(x).to.y", "linear(z).to.y", "1layhid1.to.y", "1layhid2.to.y")
    at = model.fit(startweights=[weights], epochs=0, algorithm="adam", rep=1)
    np.testing.assert_allclose(at.predict(d)[:4], [-1.7308092463, -1.1142107294, 0.5916357840, 0.8253554293], rtol=1e-8)
    assert at.errors[0] * 2 == pytest.approx(3.70950894041, rel=1e-9)
    assert np.abs(at.gradients).max() < 1e-4
    best = model.fit(rep=10, algorithm="bfgs", threshold=1e-6, random_state=1)
    assert 2 * best.errors.min() <= 3.70950894041 * (1 + 1e-6)


def test_random_intercepts_and_slopes_of_lme4():
    """`lmer(Reaction ~ Days + (Days | Subject), sleepstudy)` and simpler ones, lme4 1.1-31, REML."""
    d = ns.datasets.sleepstudy()
    cases = {
        "(1 | Subject)": ([37.124], 30.991), "(Days | Subject)": ([24.740, 5.922], 25.592),
        "(Days || Subject)": ([25.051, 5.988], 25.565),
    }  # fmt: skip
    for term, (sds, residual) in cases.items():
        fit = ns.neuralnet(f"Reaction ~ Days + {term}", d)
        assert fit.converged and fit.settings.repetitions == 1
        unit = fit.design.scaling.y_sd[0]
        np.testing.assert_allclose(
            fit.params[["Intercept.to.Reaction", "Days.to.Reaction"]], [251.4051, 10.46729], rtol=1e-6
        )
        assert np.sqrt(fit.fit.dispersion[0]) * unit == pytest.approx(residual, rel=1e-4)
        found = np.sqrt(fit.fit.dispersion[0] / fit.fit.strengths[0]) * unit
        assert found[0] == pytest.approx(sds[0], rel=1e-4)
        if term != "(Days | Subject)":  # else in coordinates without correlation
            np.testing.assert_allclose(found, sds, rtol=1e-4)
        population = fit.predict(d.assign(Subject=1))
        np.testing.assert_allclose(population, 251.4051 + 10.46729 * d.Days, rtol=1e-6)


@pytest.mark.parametrize(
    "formula", ["y ~ x + s(z, k=6)", "y ~ x + (1 | g)", "y ~ s(z, k=6) + (0 + x | g)", "c ~ x + s(z, k=6)"]
)
def test_general_estimation_is_the_exact_one(data, formula):
    """Strengths by Fellner-Schall updates of any network, and by restricted likelihood."""
    family = "poisson" if formula[0] == "c" else None
    exact = ns.neuralnet(formula, data, family=family)
    general = ns.neuralnet(formula, data, family=family, algorithm="bfgs", threshold=1e-6, rep=1)
    assert exact.algorithm.startswith("penalized") and general.algorithm == "bfgs"
    near = 0.05 if family else 2e-3  # the update leaves out what strengths do to weights of a link that is not linear
    np.testing.assert_allclose(np.log(general.fit.strengths), np.log(exact.fit.strengths), atol=20 * near)
    spread = float(exact.fittedvalues.std())
    assert np.abs(general.fittedvalues - exact.fittedvalues).max() < near * spread
    if family is None:
        assert general.fit.evidence[0] == pytest.approx(exact.fit.evidence[0], abs=1e-4)


def test_terms_of_every_kind_at_once(data, tmp_path):
    fit = ns.neuralnet("y ~ x + nn(z, embed(g), hidden=3) + s(w, k=5) + (1 | g/h)", data, rep=2, random_state=1)
    assert fit.rsquared > 0.7
    assert [g.name for g in fit.fitted.procedure.groups] == [
        "s(w, k=5)", "(1 | g)", "(1 | g:h)", "nn(z, embed(g)):weights", "nn(z, embed(g)):output"
    ]  # fmt: skip
    fit.save(tmp_path / "a.nst")
    again = ns.load(tmp_path / "a.nst")
    np.testing.assert_array_equal(again.predict(data), fit.predict(data))
    np.testing.assert_array_equal(again.fit.strengths, fit.fit.strengths)
    part = data.sample(30, random_state=1).drop(columns="y")
    np.testing.assert_allclose(fit.predict(part), fit.fittedvalues[part.index], rtol=1e-10)
    gap = data.assign(g=data.g.where(data.index != 3))
    assert np.isnan(fit.predict(gap)[3])


def test_towers_of_layers():
    """An image beside a covariate: names from towers= and from context=."""
    rng = np.random.default_rng(0)
    images, x = rng.normal(size=(60, 6, 6, 1)), rng.normal(size=60)
    d = {"image": images, "x": x, "y": x + images[:, 2:4, 2:4].mean((1, 2, 3)) + 0.1 * rng.normal(size=60)}
    cnn = [ns.layers.Conv2D(2, 3, "tanh"), ns.layers.MaxPool2D(2), ns.layers.Flatten()]
    first = ns.neuralnet("y ~ x + nn(image, layers=cnn)", d, towers={"cnn": cnn}, rep=2, random_state=1)
    second = ns.neuralnet("y ~ x + nn(image, layers=cnn)", d, context={"cnn": cnn}, rep=2, random_state=1)
    np.testing.assert_array_equal(first.theta, second.theta)
    assert "nn(image)/conv2d/kernel" in first.get_weights()
    assert first.converged
    scaled = ns.neuralnet("y ~ x + nn({image / 2}, layers=cnn)", d, towers={"cnn": cnn}, rep=1, random_state=1)
    assert scaled.fittedvalues.shape == (60,)


@pytest.mark.parametrize(
    "family", ["poisson", "gamma", "multinomial", "student", "negative_binomial", "weibull", "cox", "ordinal"]
)
def test_families(family):
    rng = np.random.default_rng(5)
    n = 150
    d = pd.DataFrame({"x": rng.normal(size=n), "z": rng.uniform(-2, 2, n), "g": rng.choice(list("abcde"), n)})
    eta = 0.5 * d.x + np.sin(2 * d.z)
    d["t"], d["e"] = rng.weibull(1.5, n) * np.exp(-eta / 2) + 0.01, 1
    d["k"] = pd.Categorical(
        np.where(eta > 0.5, "hi", np.where(eta > -0.5, "mid", "lo")), ["lo", "mid", "hi"], ordered=True
    )
    response = {"poisson": "c", "negative_binomial": "c", "multinomial": "k", "ordinal": "k", "weibull": "Surv(t, e)",
                "cox": "Surv(t, e)", "gamma": "t", "student": "x2"}[family]  # fmt: skip
    d["c"], d["x2"] = rng.poisson(np.exp(eta)), eta + 0.3 * rng.normal(size=n)
    d.loc[rng.choice(n, 20, replace=False), "k"] = "mid"
    for term in ("(1 | g)", "nn(z, hidden=2)"):
        fit = ns.neuralnet(f"{response} ~ x + {term}", d, family=family, rep=1, random_state=1)
        assert np.isfinite(fit.theta).all()
        assert np.isfinite(fit.fit.evidence).all()
        assert len(fit.predict(d)) == n


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x:s(z)", r"s\(\) cannot be part of the term `x:s\(z\)`"),
        ("y ~ log(nn(x))", r"nn\(\) cannot be part of the term"),
        ("y ~ nn(x) + nn(x, hidden=3)", r"two towers have the name 'nn\(x\)'"),
        ("y ~ nn(x, depth=3)", "no argument 'depth'"),
        ("y ~ nn(x, hidden=0)", "hidden must be whole numbers >= 1"),
        ("y ~ nn(x, layers=cnn)", "no layers 'cnn'"),
        ("y ~ embed(g, 0)", "number of coordinates"),
        ("y ~ x * (1 | g)", "are terms by themselves"),
        ("y + w ~ x + (x | g)", r"\(x \| g\): correlated effects.*\(x \|\| g\)"),
        ("y ~ (1 | g | h)", r"more than one \|"),
        ("y ~ (0 | g)", r"no term before the \|"),
        ("y ~ (1 | )", r"written \(terms \| groups\)"),
        ("y ~ (g | h)", "column 'g' holds levels"),
        ("y ~ s(g)", "'g'"),
        ("y ~ s(h, k=10)", "3"),
        ("y ~ s(x, k=2)", "k"),
        ("y ~ te(x)", "te"),
        ("y ~ s(x) + s(x)", "two terms are 's"),
        ("y ~ x - s(z)", "left out by not writing it"),
        ("y ~ x + (1 | own)", "one row only"),
        ("y ~ x + (1 | one)", "one level"),
        ("y ~ linear(x)", r"linear\(\) stands beside"),
        ("y ~ nn(missing)", "missing"),
    ],
)
def test_errors_name_what_is_wrong(data, formula, message):
    d = data.assign(own=np.arange(len(data)).astype(str), one="a")
    with pytest.raises((ArgumentError, DataError), match=message):
        ns.neuralnet(formula, d)


def test_arguments_that_have_no_meaning(data):
    for more, message in (
        ({"layers": [ns.layers.Dense(3)]}, "layers= is for one network"), ({"compat": "R"}, "compat='R' has no structured"),
        ({"towers": {"a": [ns.layers.Dense(3)]}}, "no term nn"),
        ({"epochs": 3, "algorithm": "adam"}, "estimated by Hessians"),
        ({"towers": 3}, "towers must be"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            ns.neuralnet("y ~ x + s(z)", data, **more)
    with pytest.raises(ArgumentError, match="the formula has no term"):
        ns.neuralnet("y ~ x", data, towers={"a": [ns.layers.Dense(3)]})


@pytest.mark.parametrize(
    ("formula", "left_out"),
    [
        ("y ~ x + s(x, k=5)", r"s\(x, k=5\)\[1\]"),
        ("y ~ s(x, k=5) + te(x, z, k=4)", r"te\(x, z, k=4\)\["),
        ("y ~ x + I(2 * x) + (1 | g)", r"I\(2 \* x\)"),
        ("y ~ s(x, k=5) + s(x, by=g, k=4)", r"by=g"),
        ("y ~ x + s(x, k=5) + nn(z)", r"s\(x, k=5\)\[1\]"),
    ],
)
def test_what_other_terms_say_is_left_out(data, formula, left_out):
    """As mgcv's gam.side; what is penalised is told apart by its penalty."""
    with pytest.warns(DataWarning, match=f"{left_out}.*left out"):
        fit = ns.neuralnet(formula, data, rep=1, random_state=1)
    assert fit.converged
    names = zip(fit.network.names, fit.fit.free[0], strict=True)
    assert sum(not free and name.endswith(".to.y") and not name.startswith("(1") for name, free in names) == 1
    assert np.isfinite(fit.predict(data)).all()


def test_images_texts_and_columns_at_once(tmp_path):
    rng = np.random.default_rng(0)
    n = 60
    images, series, x = rng.normal(size=(n, 5, 5, 1)), rng.normal(size=(n, 4, 2)), rng.normal(size=n)
    texts = [" ".join(rng.choice(["good", "bad", "fine"], 4)) for _ in range(n)]
    y = x + images[:, 2, 2, 0] + 0.5 * np.array([t.count("good") for t in texts]) + 0.1 * rng.normal(size=n)
    d = {"image": images, "series": series, "text": texts, "x": x, "y": y}
    layers = ns.layers
    towers = {"cnn": [layers.Conv2D(1, 3, "tanh"), layers.Flatten()], "bag": [layers.Dense(1)]}
    towers["net"] = [layers.Flatten(), layers.Dense(1)]
    formula = "y ~ x + nn(image, layers=cnn) + nn(series, layers=net) + nn(tokens(text), layers=bag)"
    fit = ns.neuralnet(formula, d, towers=towers, rep=1, random_state=1, penalty=ns.decay(0.1))
    assert fit.network.topology == "nn(image) 25-9, nn(series) 8-1, nn(tokens(text)) 3-1, 1 direct; 1"
    names = {"x.to.y", "nn(image).9.to.y", "nn(image)/conv2d/bias[0]", "text[good].to.nn(tokens(text)).1layhid1"}
    assert names <= set(fit.network.names)
    fit.save(tmp_path / "a.nst")
    np.testing.assert_array_equal(ns.load(tmp_path / "a.nst").predict(d), fit.predict(d))


def test_log_likelihoods_of_lme4():
    """`logLik(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))`, with intercepts only, and `glmer` of cbpp; 1.1-31."""
    d = ns.datasets.sleepstudy()
    for formula, known in (("Reaction ~ Days + (Days | Subject)", -871.8141), ("Reaction ~ Days + (1 | Subject)", -893.2325)):
        assert ns.neuralnet(formula, d).reml == pytest.approx(known, abs=1e-4)
        general = ns.neuralnet(formula, d, algorithm="bfgs", threshold=1e-6)
        assert general.log_evidence == pytest.approx(known, abs=1e-3)
    c = ns.datasets.cbpp()
    c["share"], c["period"] = c["incidence"] / c["size"], c["period"].astype(str)
    fit = ns.neuralnet("share ~ period + (1 | herd)", c, family="binomial", weights="size")
    assert fit.log_evidence == pytest.approx(-92.0264, abs=5e-4)
    names = ["Intercept.to.share", *(f"period[T.{k}].to.share" for k in (2, 3, 4))]
    np.testing.assert_allclose(fit.params[names], [-1.398343, -0.991925, -1.128216, -1.579745], rtol=6e-4)
    assert fit.variance_components["sd"][0] == pytest.approx(0.64207, rel=1e-3)


def test_penalties_that_are_given_are_of_networks(data):
    """A coefficient beside a network is not shrunk by its decay; estimated and given strengths stand side by side."""
    fit = ns.neuralnet("y ~ x + nn(z, hidden=2) + (1 | g)", data, penalty=ns.decay(0.1), rep=1, random_state=1)
    by_weight = dict(zip(fit.network.names, fit.fit.penalty[0][:, 0], strict=True))
    assert by_weight["x.to.y"] == by_weight["Intercept.to.y"] == 0
    assert by_weight["z.to.nn(z).1layhid1"] == by_weight["nn(z).1layhid2.to.y"] == 0.1
    assert by_weight["(1 | g)[a]"] == fit.fit.strengths[0, 0] != 0.1
    assert fit.strengths["group"].tolist() == ["(1 | g)", "given", "unpenalised"]
    units = ns.neuralnet("y ~ x + nn(z, hidden=2)", data, penalty=ns.decay("estimate", groups="unit"), rep=1, random_state=1)
    assert units.strengths["weights"].tolist() == [2, 2, 2, 2]
    with pytest.raises(ArgumentError, match="penalty is for the networks"):
        ns.neuralnet("y ~ x + (1 | g)", data, penalty=ns.decay(0.1))


def test_what_is_of_one_network_only(data):
    fit = ns.neuralnet("y ~ x + nn(z, hidden=2)", data, rep=1, random_state=1)
    for call, message in (
        (fit.wald_test_terms, "tested by fit.terms"), (fit.term_tests, "tested by fit.terms"),
        (lambda: fit.importance("olden"), "one chain of dense layers"),
        (lambda: ns.neuralnet("y ~ x + nn(z)", data, penalty=ns.decay(0.1, terms={"x": 1.0})), "networks go by layer"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            call()
