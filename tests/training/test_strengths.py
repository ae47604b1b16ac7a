"""Penalties whose strengths are estimated: against marginal likelihoods by hand, brnn, and what must not change them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import raw
from reference import target
from scipy import optimize, stats

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.likelihood.evidence import evidence_weights, log_evidences, posterior
from neuralstat.network import derivatives
from neuralstat.summary.strengths import strength_tables
from neuralstat.training.curvature import gauss_newton, undetermined
from neuralstat.training.refits import Refits
from neuralstat.training.strengths import Group

RNG = np.random.default_rng(3)
N = 90
X = RNG.uniform(-2, 2, N)
Z = RNG.standard_normal(N)
WAVE = {"x": X, "z": Z, "y": 5 + 10 * (np.sin(2 * X) + 0.3 * RNG.standard_normal(N))}


def wave(**settings):
    usual = {"hidden": 3, "rep": 2, "random_state": 1, "penalty": ns.decay("estimate")}
    return ns.neuralnet("y ~ x", WAVE, **{**usual, **settings})


@pytest.fixture(scope="module")
def fit():
    return wave()


# models whose marginal likelihood has a closed form ----------------------------------------------------------


@pytest.fixture(scope="module")
def ridge():
    """Twelve columns of other units, whose effects are normal once the columns are standardised."""
    units = np.array([1, 5, 0.2] * 4)
    x = RNG.standard_normal((80, 12)) * units
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(12)])
    return frame.assign(y=3 + (x / units) @ RNG.normal(0, 0.3, 12) + RNG.standard_normal(80))


def restricted(x, y, groups, log_parameters):
    """REML criterion by the normal density of y: V = s2 I + sum_g t2_g X_g X_g', the constant integrated out."""
    s2, *t2 = np.exp(log_parameters)
    v = s2 * np.eye(len(y)) + sum(t * x[:, at] @ x[:, at].T for t, at in zip(t2, groups, strict=True))
    one = np.ones(len(y))
    inside = np.linalg.solve(v, one)
    r = y - inside @ y / inside.sum()
    whole = np.linalg.slogdet(2 * np.pi * v)[1] + r @ np.linalg.solve(v, r)
    return -0.5 * (whole + np.log(inside.sum() / (2 * np.pi)))


@pytest.mark.parametrize(("groups", "kind"), [([range(12)], "layer"), ([[j] for j in range(3)], "input")])
def test_ridge_is_reml(ridge, groups, kind):
    names = [f"x{j}" for group in groups for j in group]
    fit = ns.neuralnet(f"y ~ {' + '.join(names)}", ridge, hidden=0, penalty=ns.decay("estimate", groups=kind))
    x, y = (np.asarray(v) for v in (ridge[names], ridge["y"]))
    x, y = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1), (y - y.mean()) / y.std(ddof=1)
    groups = [list(g) for g in groups]
    found = optimize.minimize(
        lambda p: -restricted(x, y, groups, p), np.full(1 + len(groups), -2.0), method="BFGS", options={"gtol": 1e-9}
    )
    s2, *t2 = np.exp(found.x)
    assert fit.fit.dispersion[0] == pytest.approx(s2, rel=1e-5)
    lam, want = fit.fit.strengths[0], s2 / np.array(t2)
    away = want > 1e3  # a flat optimum at 0 variance
    np.testing.assert_allclose(lam[~away], want[~away], rtol=1e-5 if kind == "layer" else 1e-3)
    assert np.all(lam[away] > 50)
    at = [np.log(fit.fit.dispersion[0]), *np.log(fit.fit.dispersion[0] / lam)]
    assert fit.reml == pytest.approx(restricted(x, y, groups, at) - 80 * np.log(ridge["y"].std()), abs=1e-8)
    assert fit.strengths["edf"].sum() == pytest.approx(float(fit.df("jacobian")))


def test_logistic_ridge_maximises_laplace():
    """One effect of each column: the marginal likelihood by quadrature of a plain formula stands beside Laplace's."""
    y = (RNG.uniform(size=N) < 1 / (1 + np.exp(-1.5 * X))).astype(float)
    fit = ns.neuralnet("y ~ x", {"x": X, "y": y}, hidden=0, family="binomial", penalty=ns.decay("estimate"))
    x, lam = (X - X.mean()) / X.std(ddof=1), fit.fit.strengths[0, 0]
    a, b = np.meshgrid(np.linspace(-3, 3, 150), np.linspace(-3, 7, 250), indexing="ij")
    eta = a[..., np.newaxis] + b[..., np.newaxis] * x
    log_likelihood = (y * eta - np.logaddexp(0, eta)).sum(axis=2)
    density = np.exp(log_likelihood) * stats.norm.pdf(b, scale=lam**-0.5)
    exact = np.log(density.sum() * (6 / 149) * (10 / 249))
    assert fit.log_evidence == pytest.approx(exact, abs=0.05)  # Laplace's error is of the order of 1 / n


def test_fixed_decay_has_evidence(ridge):
    values = []
    for lam in (0.3, 3.0, 30.0):
        values.append(ns.neuralnet("y ~ .", ridge, hidden=0, penalty=ns.decay(lam, biases=False)).log_evidence)
    best = ns.neuralnet("y ~ .", ridge, hidden=0, penalty=ns.decay("estimate"))
    assert best.log_evidence > max(values)
    with pytest.raises(ArgumentError, match="gaussian penalty"):
        _ = ns.neuralnet("y ~ .", ridge, hidden=0, penalty=ns.l1(0.1), algorithm="lbfgs").log_evidence


# networks ------------------------------------------------------------------------------------------------------


def test_brnn():
    """brnn's gamma and alpha / beta, of its network: tanh units, no constant of the output, both variables in [-1, 1]."""
    b = target("F_brnn")

    def unit(v):
        return 2 * (v - v.min()) / (v.max() - v.min()) - 1

    weight, bias, slope = np.array(b["theta"]).T
    start = [np.vstack([bias, slope]), np.concatenate([[0.0], weight])[:, np.newaxis]]
    model = raw.NeuralNet(
        unit(np.array(b["y"])), unit(np.array(b["x"]))[:, np.newaxis], hidden=2, act_fct="tanh", algorithm="lm",
        exclude=["Intercept.to.y"], startweights=start, penalty=ns.decay("estimate"), threshold=1e-6,
    )  # fmt: skip
    procedure = model.fit().fitted.procedure
    everything = np.flatnonzero(procedure.masks[1])  # brnn has one strength for all
    procedure.__dict__["groups"] = (Group("all", "decay", everything, np.ones(everything.size)),)
    fit = ns.results.NeuralNetResults(ns.fitted.Fitted(procedure, procedure.run()))
    assert fit.fit.strengths[0, 0] == pytest.approx(b["alpha"] / b["beta"], rel=0.02)
    assert fit.df("jacobian") == pytest.approx(b["gamma"], rel=0.002)
    assert 1 / (2 * fit.fit.dispersion[0]) == pytest.approx(b["beta"], rel=0.02)


def settled(fit, tolerance):
    """At the end lam_g sum w^2 = phi edf_g, MacKay's equation, for every group that is not penalised away."""
    inner = fit.fitted
    for b in range(inner.nrep):
        theta, free = inner.fit.theta[b], inner.fit.free[0]
        s = inner.penalty_curvature(b)
        loose = undetermined(inner.network, free, s[free])
        matrix = gauss_newton(inner.network, inner.data, theta, free) + np.diag(s[free]) + loose @ loose.T
        variance = np.zeros(free.size)
        variance[free] = np.diag(np.linalg.inv(matrix))
        for lam, group in zip(inner.fit.strengths[b], inner.procedure.groups, strict=True):
            edf = group.index.size - lam * variance[group.index].sum()
            if edf > 0.01:
                assert lam * np.sum(theta[group.index] ** 2) == pytest.approx(inner.fit.dispersion[b] * edf, rel=tolerance)


def test_update_is_settled(fit):
    settled(fit, 0.03)


def test_dispersion_and_evidence_are_their_formulas(fit):
    inner, b = fit.fitted, fit.fitted.best
    w, s, phi = inner.fit.theta[b], inner.penalty_curvature(b), inner.fit.dispersion[b]
    error = derivatives.error(inner.network, inner.data, w)
    assert phi == pytest.approx((2 * error + s @ w**2) / (N - 1))
    hessian = derivatives.hessian(inner.network, inner.data, w) + np.diag(s)
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        hessian = gauss_newton(inner.network, inner.data, w, inner.fit.free[0]) + np.diag(s)
    prior = stats.norm.logpdf(w[s > 0], scale=np.sqrt(phi / s[s > 0])).sum()
    like = stats.norm.logpdf(inner.responses[0], inner.means(b)[0], np.sqrt(phi) * inner.design.scaling.y_sd[0]).sum()
    volume = -np.linalg.slogdet(hessian / (2 * np.pi * phi))[1] / 2
    assert fit.log_evidence == pytest.approx(like + prior + volume, abs=1e-6)
    steps = log_evidences(inner) - inner.fit.evidence  # the density of y in other units
    np.testing.assert_allclose(steps, -N * np.log(inner.design.scaling.y_sd[0]), rtol=1e-9)


def test_best_is_by_evidence(fit):
    assert fit.fitted.best == np.argmax(log_evidences(fit.fitted))
    np.testing.assert_allclose(fit.reps["log_evidence"], log_evidences(fit.fitted))


GROUPS = {
    "layer": ["1layhid", "output"], "unit": ["1layhid1", "1layhid2", "y"],
    "input": ["x", "z", "biases of 1layhid", "output"], "term": ["x", "z", "biases of 1layhid", "output"],
}  # fmt: skip


@pytest.mark.parametrize("kind", GROUPS)
def test_groups(kind):
    fit = ns.neuralnet("y ~ x + z", WAVE, hidden=2, rep=1, random_state=2, penalty=ns.decay("estimate", groups=kind))
    table = fit.strengths
    assert list(table["group"]) == [*GROUPS[kind], "unpenalised"]
    assert table["weights"].sum() == fit.k_params
    assert table["edf"].sum() == pytest.approx(float(fit.df("jacobian")), rel=1e-6)
    taken = np.concatenate([g.index for g in fit.fitted.procedure.groups])
    assert len(set(taken)) == taken.size
    assert set(range(fit.k_params)) - set(taken) == {fit.fitted.network.slices[-1].start}  # the output's constant
    assert [row[0] for row in strength_tables(fit.fitted)[0].rows] == [*GROUPS[kind], "unpenalised"]


def test_irrelevant_input_is_penalised_away():
    fit = ns.neuralnet("y ~ x + z", WAVE, hidden=3, random_state=2, penalty=ns.decay("estimate", groups="input"))
    table = fit.strengths.set_index("group")
    assert table.at["z", "edf"] < 0.7 < 1.5 < table.at["x", "edf"]


def test_biases_and_excluded_weights():
    def names(**settings):
        inner = wave(rep=1, **settings).fitted
        return {inner.network.names[j] for g in inner.procedure.groups for j in g.index}

    usual = names()
    assert "Intercept.to.1layhid1" in usual and "Intercept.to.y" not in usual
    assert names(penalty=ns.decay("estimate", biases=True)) - usual == {"Intercept.to.y"}
    assert not any(name.startswith("Intercept") for name in names(penalty=ns.decay("estimate", biases=False)))
    assert usual - names(exclude=["x.to.1layhid2"]) == {"x.to.1layhid2"}


def test_a_fixed_decay_may_stand_beside(fit):
    both = wave(penalty=ns.decay("estimate") + ns.decay(5.0))
    assert np.all(both.fit.strengths <= 0.01)  # more than enough already: none above where they begin
    np.testing.assert_allclose(both.fitted.penalty_of(0)[1, 0], 5.0 + both.fit.strengths[0, 0])


RESPONSES = {
    "binomial": (np.sin(2 * X) + 0.5 * Z > 0).astype(float), "poisson": RNG.poisson(np.exp(np.sin(2 * X))).astype(float),
    "gamma": np.exp(np.sin(2 * X)) * RNG.gamma(5, 0.2, N), "multinomial": np.array(list("abc"))[np.digitize(X + Z, [-1, 1])],
    "student": np.sin(2 * X) + 0.2 * RNG.standard_t(3, N), "beta": 1 / (1 + np.exp(-np.sin(2 * X) + 0.3 * Z)),
    "zero_inflated_poisson": RNG.poisson(2, N) * (Z < 1.0), "weibull": None, "cox": None,
}  # fmt: skip


@pytest.mark.parametrize("family", RESPONSES)
def test_families(family):
    data, formula = {"x": X, "y": RESPONSES[family]}, "y ~ x"
    if RESPONSES[family] is None:
        formula, data = "Surv(t, e) ~ x", {"x": X, "t": RNG.exponential(np.exp(np.sin(2 * X))), "e": (Z < 1).astype(int)}
    start = 5 if family == "weibull" else 1  # of others it comes where the evidence is flat
    fit = ns.neuralnet(formula, data, hidden=2, family=family, rep=1, random_state=start, penalty=ns.decay("estimate"))
    assert np.all(fit.fit.strengths != 0.01) and np.isfinite(fit.log_evidence)
    assert fit.converged
    frame = fit.get_prediction({"x": [0.0, 1.0]}, method="bayes").summary_frame()
    assert np.isfinite(np.asarray(frame)[:, :4]).all()
    settled(fit, 0.5)  # rounds end where the evidence, which has more derivatives than the update, would fall


def test_several_outputs_and_distributions():
    data = {"x": X, "a": np.sin(2 * X) + 0.2 * Z, "b": 100 * X + Z}
    fit = ns.neuralnet("a + b ~ x", data, hidden=3, rep=1, random_state=1, penalty=ns.decay("estimate"))
    assert fit.get_prediction({"x": [0.0]}, method="bayes").summary_frame().shape == (1, 12)
    spread = ns.neuralnet("a ~ x", data, hidden=3, rep=1, random_state=1, family="gaussian", dispformula="~ x",
                          penalty=ns.decay("estimate"))  # fmt: skip
    assert list(spread.strengths["group"]) == ["1layhid", "direct", "output", "unpenalised"]


def test_layers():
    images, y = RNG.standard_normal((40, 5, 5, 1)), RNG.standard_normal(40)
    layers = [ns.layers.Conv2D(2, 3, "tanh", name="conv"), ns.layers.Flatten()]
    fit = ns.neuralnet("y ~ image", {"image": images, "y": y}, layers=layers, algorithm="bfgs", rep=1, random_state=1,
                       penalty=ns.decay("estimate"))  # fmt: skip
    assert list(fit.strengths["group"]) == ["conv", "output", "unpenalised"]
    with pytest.raises(ArgumentError, match="needs a dense first layer"):
        ns.neuralnet("y ~ image", {"image": images, "y": y}, layers=layers, algorithm="bfgs",
                     penalty=ns.decay("estimate", groups="input"))  # fmt: skip


# what must not change a fit, and what is held -----------------------------------------------------------------


def test_same_bits_on_any_number_of_threads(fit):
    for n_jobs in (1, 2):
        again = wave(n_jobs=n_jobs)
        np.testing.assert_array_equal(again.fit.theta, fit.fit.theta)
        np.testing.assert_array_equal(again.fit.strengths, fit.fit.strengths)
        np.testing.assert_array_equal(again.fit.evidence, fit.fit.evidence)


def test_units_do_not_matter(fit):
    other = {**WAVE, "x": 1000 * X + 7, "y": WAVE["y"] / 1000}
    again = ns.neuralnet("y ~ x", other, hidden=3, rep=2, random_state=1, penalty=ns.decay("estimate"))
    np.testing.assert_allclose(again.fit.strengths, fit.fit.strengths, rtol=1e-3)
    assert again.log_evidence - fit.log_evidence == pytest.approx(N * np.log(1000), abs=1e-3)


def test_saved_fits_keep_their_strengths(fit, tmp_path):
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    for name in ("strengths", "penalty", "dispersion", "evidence"):
        np.testing.assert_array_equal(getattr(again.fit, name), getattr(fit.fit, name))
    assert again.log_evidence == fit.log_evidence
    assert str(again.settings.penalty) == "decay('estimate', groups='layer')"
    pd.testing.assert_frame_equal(again.strengths, fit.strengths)


def test_refits_hold_the_strengths_of_their_repetition(fit):
    inner = fit.fitted
    again, y = Refits(inner.procedure, inner.fit, 1), inner.design.y
    start = np.concatenate([again.starts([1, 0], 2, "warm", None, t) for t in range(2)])
    held = again.to_responses(np.stack([y, y, y[:, ::-1], y[:, ::-1]]), start, held=[1, 0])
    np.testing.assert_array_equal(held.strengths, inner.fit.strengths[[1, 0, 1, 0]])
    np.testing.assert_array_equal(held.penalty, inner.fit.penalty[[1, 0, 1, 0]])
    np.testing.assert_allclose(held.evidence[:2], inner.fit.evidence[[1, 0]], atol=1e-3)
    anew = again.to_responses(np.stack([y[:, ::-1]] * 2), start[2:])
    assert np.all(np.abs(np.log(anew.strengths / held.strengths[2:])) > 0.1)
    # each network's penalty is its own: what its gradient says
    for b in range(4):
        data = ns.engine.data.make_data(inner.design.x, y if b < 2 else y[:, ::-1])
        gradient = derivatives.gradient(inner.network, data, held.theta[b], held.penalty[b])
        assert np.abs(gradient).max() < 0.02


def test_statistics_of_a_fit_run(fit):
    new = {"x": [-1.0, 0.5]}
    draws = fit.get_prediction(new, method="bootstrap", draws=5, random_state=1).summary_frame()
    assert np.isfinite(draws.to_numpy()).all()
    assert np.isfinite(float(fit.df("gdf", draws=3, random_state=1)))
    anew = fit.df("auto", draws=3, random_state=1)
    assert "estimated" in anew.notes[0] and anew.method == "gdf"
    assert np.isfinite(float(ns.risk(fit, "cv", k=3, random_state=1)))
    assert fit.fitted.gradients.shape == fit.fit.theta.shape
    assert np.abs(fit.fitted.gradients).max() < 0.01


def test_summary():
    found = ns.neuralnet("y ~ x + z", WAVE, hidden=0, penalty=ns.decay("estimate")).summary()
    for text in (str(found), found.as_html(), found.as_latex()):
        assert "Estimated strengths of the penalty" in text and "evidence" in text
    assert max(map(len, str(found).splitlines())) <= 80


# what is made of the evidence ----------------------------------------------------------------------------------


def test_combine_by_evidence():
    fit = wave(rep=4, penalty=ns.decay(0.003))
    w = evidence_weights(fit.fitted, [0, 1, 2, 3])
    logs = log_evidences(fit.fitted)
    np.testing.assert_allclose(w, np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum())
    new = {"x": np.linspace(-2, 2, 7)}
    each = fit.predict(new, rep="all").to_numpy()
    np.testing.assert_allclose(fit.predict(new, combine="evidence"), each @ w)
    frame = fit.get_prediction(new, method="bayes", combine="evidence").summary_frame()
    np.testing.assert_allclose(frame["mean"], each @ w)
    with pytest.raises(ArgumentError, match="combine"):
        fit.get_prediction(new, method="delta", combine="evidence")
    with pytest.raises(ArgumentError, match="combine='evidence'"):
        fit.predict(new, type="median", combine="evidence")


def test_combine_by_evidence_on_the_link():
    y = RESPONSES["binomial"]
    fit = ns.neuralnet("y ~ x", {"x": X, "y": y}, hidden=2, rep=3, random_state=1, family="binomial", penalty=ns.decay(0.05))
    new = {"x": [-1.0, 0.3]}
    mean = fit.predict(new, combine="evidence")
    np.testing.assert_allclose(fit.predict(new, type="link", combine="evidence"), np.log(mean / (1 - mean)))


def test_posterior_intervals_are_the_formula():
    fit = wave(rep=1)
    inner, new = fit.fitted, {"x": [-1.5, 0.2, 1.9]}
    x = inner.design.encode(pd.DataFrame(new)).x
    g = derivatives.jacobian(inner.network, ns.engine.data.make_data(x, np.zeros((1, 3))), inner.fit.theta[0])[0]
    own = posterior(inner, 0)
    exact = derivatives.hessian(inner.network, inner.data, inner.fit.theta[0])
    matrix = exact if own.exact else gauss_newton(inner.network, inner.data, inner.fit.theta[0], inner.fit.free[0])
    cover = np.linalg.inv(matrix + np.diag(inner.penalty_curvature(0))) * inner.fit.dispersion[0]
    se = np.sqrt(np.einsum("mp,pq,mq->m", g, cover, g)) * inner.design.scaling.y_sd[0]
    found = fit.get_prediction(new, method="bayes")
    np.testing.assert_allclose(found.se_mean, se, rtol=1e-8)
    half = stats.t.ppf(0.975, found.df) * se
    np.testing.assert_allclose(found.summary_frame()["mean_ci_upper"], found.predicted_mean + half)


def test_ridge_posterior_is_bayes_regression(ridge):
    """Without hidden units the posterior of the mean is that of bayesian linear regression."""
    fit = ns.neuralnet("y ~ .", ridge, hidden=0, penalty=ns.decay(3.0, biases=False))
    x = ridge.drop(columns="y").to_numpy()
    z = np.column_stack([np.ones(80), (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)])
    covariance = np.linalg.inv(z.T @ z + 3.0 * np.diag([0.0] + [1.0] * 12)) * fit.scale
    want = np.sqrt(np.einsum("ni,ij,nj->n", z, covariance, z))
    np.testing.assert_allclose(fit.get_prediction(method="bayes").se_mean, want)


def test_select_by_evidence():
    found = ns.select("y ~ x", WAVE, hidden=[0, 3], penalty=ns.decay("estimate"), criterion="evidence", rep=2, random_state=1)
    assert found.best.settings.hidden == (3,)
    assert found.path["criterion"].min() == pytest.approx(-2 * found.best.log_evidence)
    with pytest.raises(ArgumentError, match="df is not used"):
        ns.select("y ~ x", WAVE, hidden=0, penalty=ns.decay(1.0), criterion="evidence", df="gdf")


REFUSED = {
    "adam": ({"algorithm": "adam"}, "minibatch optimizer"),
    "float32": ({"dtype": "float32"}, "need dtype='float64'"),
    "large": ({"hidden": (50, 50)}, "at most 2,000"),
    "own error": ({"err_fct": lambda x, y: (x - y) ** 2}, "belongs to no family"),
    "quantile": ({"family": "quantile"}, "minimises a loss that is none"),
    "nothing left": ({"hidden": 0, "exclude": ["x.to.y"]}, "no weights to penalise"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    settings, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        wave(**settings)


def test_strengths_of_fits_without():
    with pytest.raises(ArgumentError, match="none was estimated"):
        _ = wave(penalty=ns.decay(0.1), rep=1).strengths


def test_groups_of_all_kinds_are_found_in_deep_networks():
    for kind, hidden in itertools.product(("layer", "unit", "input"), ((2, 2), 0)):
        fit = ns.neuralnet("y ~ x + z", WAVE, hidden=hidden, rep=1, random_state=2, penalty=ns.decay("estimate", groups=kind))
        sizes = [g.index.size for g in fit.fitted.procedure.groups]
        assert sum(sizes) == fit.k_params - 1


@pytest.mark.slow
def test_posterior_intervals_cover():
    """The mean of a peak, at 40 points of the range, 40 data sets; `benchmarks/evidence.py` has more, with their errors."""
    grid, hits = np.linspace(0.02, 0.98, 40), []
    truth = 1 / (1 + 100 * (grid - 0.4) ** 2)
    for seed in range(40):
        rng = np.random.default_rng([seed, 77])
        x = rng.uniform(0, 1, 150)
        data = {"x": x, "y": 1 / (1 + 100 * (x - 0.4) ** 2) + 0.15 * rng.standard_normal(150)}
        fit = ns.neuralnet("y ~ x", data, hidden=10, random_state=seed, penalty=ns.decay("estimate"))
        limits = fit.get_prediction({"x": grid}, method="bayes").conf_int()
        hits.append(np.mean((limits["lower"] <= truth) & (truth <= limits["upper"])))
    assert 0.94 - 3 * 0.012 < np.mean(hits) < 0.94 + 3 * 0.012  # .941 (.007) of 100 data sets
