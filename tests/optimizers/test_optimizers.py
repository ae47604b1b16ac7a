"""Levenberg-Marquardt, BFGS, L-BFGS, penalties, starts and restarts against scipy, statsmodels and R's nnet."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import raw
from reference import array, load, table, target

import neuralstat as ns
from neuralstat.engine import cpu
from neuralstat.engine.data import make_data
from neuralstat.errors import ArgumentError, ConvergenceWarning
from neuralstat.functions.penalties import L1
from neuralstat.network import derivatives
from neuralstat.network.canonical import canonical, distinct_optima
from neuralstat.network.network import dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.network.penalties import coefficients, term_weights
from neuralstat.network.start import INITS, start_weights
from neuralstat.optimizers import BFGS, LBFGS, LM, RProp, choose, from_plain
from neuralstat.seeds import seed_sequence
from neuralstat.training.stack import Stack
from neuralstat.training.steppers import SecondOrder
from neuralstat.training.train import train

SECOND = [LM(), BFGS(), LBFGS()]
LOSS = {"sse": "identity", "ce_logit": "logistic", "multinomial": "softmax", "ce": "logistic"}


def problem(rng, inputs, hidden, outputs, n, loss="sse", act="tanh", stack=3, free_share=1.0, weights=False):
    """Network, data, starts and free weights of a random problem."""
    names = [f"x{j}" for j in range(inputs)], [f"y{k}" for k in range(outputs)]
    spec = resolve_activation(act)
    net = dense_network(
        inputs, hidden, [spec] * len(hidden), objective(loss, resolve_activation(LOSS[loss])), *names
    )
    x = rng.standard_normal((inputs, n))
    signal = np.tanh(rng.standard_normal((outputs, inputs)) @ x) + 0.3 * rng.standard_normal((outputs, n))
    if loss == "sse":
        y = signal
    elif loss == "multinomial":
        y = (signal.argmax(axis=0) == np.arange(outputs)[:, None]).astype(float)
    else:
        y = (signal > 0).astype(float)
    data = make_data(x, y, rng.uniform(0.5, 2, n) if weights else None)
    free = rng.uniform(size=net.n_params) < free_share
    free[-1] = True
    return net, data, 0.5 * rng.standard_normal((stack, net.n_params)), free


def penalty_of(net, penalty):
    return None if penalty is None else penalty.coefficients(net.is_bias)


def free_gradient(net, data, theta, table_, free):
    """Gradient at a point by the package's plain driver, at the free weights."""
    g = derivatives.gradient(net, data, theta, table_)
    return np.where(free, g, 0.0)


@pytest.mark.parametrize("optimizer", SECOND, ids=lambda o: o.name)
@pytest.mark.parametrize(
    ("seed", "inputs", "hidden", "outputs", "n", "loss", "act", "share"),
    [
        (0, 1, (3,), 1, 50, "sse", "tanh", 1.0),
        (1, 3, (4, 2), 1, 300, "sse", "logistic", 0.8),
        (2, 2, (3,), 3, 90, "sse", "tanh", 0.9),
        (3, 2, (), 1, 70, "ce_logit", "tanh", 1.0),
        (4, 3, (4,), 2, 520, "ce_logit", "logistic", 0.7),
        (5, 2, (3,), 3, 120, "multinomial", "tanh", 0.9),
        (6, 2, (3,), 2, 80, "ce", "tanh", 1.0),
    ],
)
def test_zero_gradient(optimizer, seed, inputs, hidden, outputs, n, loss, act, share):
    rng = np.random.default_rng(seed)
    net, data, start, free = problem(rng, inputs, hidden, outputs, n, loss, act, 3, share, seed % 2 == 1)
    table_ = penalty_of(net, ns.decay(0.1) + ns.elimination(0.05, 2.0))
    fit = train(net, data, start, free, optimizer, threshold=1e-8, stepmax=20_000, penalty=table_, n_jobs=1)
    for b in range(3):
        g = free_gradient(net, data, fit.theta[b], table_, free)
        assert np.abs(g).max() <= 3e-8, (fit.status, fit.steps)
        assert fit.converged[b]
    assert np.array_equal(fit.theta[:, ~free], start[:, ~free])
    first = train(net, data, start, free, optimizer, threshold=0, stepmax=1, penalty=table_, n_jobs=1)
    assert np.all(fit.loss < first.loss)


@pytest.mark.parametrize("loss", ["sse", "ce_logit", "multinomial", "ce"])
def test_gauss_newton_matrix(loss):
    """J' V J against the Jacobian and V written out, over two blocks, with a mask and case weights."""
    rng = np.random.default_rng(11)
    net, data, start, free = problem(rng, 2, (3, 2), 3, 300, loss, "logistic", 1, 0.7, True)
    theta, n = start[0], 300
    x, y, weight = data.x, data.y[0], data.weight[0]
    jacobian = derivatives.jacobian(net, data, theta)
    f = derivatives.outputs(net, x, theta, None)[0]
    expected = np.zeros((net.n_params, net.n_params))
    for i in range(n):
        j = jacobian[:, i, :]
        if loss == "sse":
            v = np.eye(3)
        elif loss == "ce_logit":
            p = 1 / (1 + np.exp(-f[:, i]))
            v = np.diag(p * (1 - p))
        elif loss == "ce":
            v = np.diag(y[:, i] / f[:, i] ** 2 + (1 - y[:, i]) / (1 - f[:, i]) ** 2)
        else:
            p = np.exp(f[:, i] - f[:, i].max())
            p /= p.sum()
            v = np.diag(p) - np.outer(p, p)
        expected += weight[i] * j.T @ v @ j
    found = _gauss_newton(net, data, theta, free)
    where = np.flatnonzero(free)
    np.testing.assert_allclose(np.tril(found), np.tril(expected[np.ix_(where, where)]), rtol=1e-8, atol=1e-8)


def _gauss_newton(net, data, theta, free):
    """The matrix from the kernels: one step of a trainer that keeps it."""
    stack = Stack(theta[np.newaxis], free)
    step = SecondOrder(net.net(), data, LM(), 0.0, None, 100, stack)
    step(0, 1)
    return step._memory[0][3]


@pytest.mark.parametrize("optimizer", SECOND, ids=lambda o: o.name)
def test_least_squares_of_scipy(optimizer):
    from scipy.optimize import least_squares, minimize

    rng = np.random.default_rng(5)
    net, data, start, free = problem(rng, 1, (3,), 1, 60, stack=8)
    lam = 0.01
    table_ = penalty_of(net, ns.decay(lam))

    def residuals(theta):
        f = derivatives.outputs(net, data.x, theta, None)[0]
        return np.concatenate([(f - data.y[0]).ravel(), np.sqrt(lam) * theta])

    fit = train(net, data, start, free, optimizer, threshold=1e-7, stepmax=20_000, penalty=table_, n_jobs=1)
    assert fit.converged.all()
    theirs = np.array([least_squares(residuals, s, method="lm", xtol=1e-12, ftol=1e-12).cost for s in start])
    quasi = np.array([minimize(lambda t: np.sum(residuals(t) ** 2) / 2, s, method="BFGS").fun for s in start])
    assert fit.loss.min() <= np.sort(theirs)[1] * (1 + 1e-7)  # a start's end may be a rare optimum
    assert np.median(fit.loss) <= np.median(theirs) * (1 + 1e-7)
    same = np.isclose(fit.loss[:, None], np.concatenate([theirs, quasi]), rtol=1e-6).any(axis=1)
    assert same.sum() >= 6  # the optima are the same set


def test_linear_models_are_exact():
    import statsmodels.api as sm

    rng = np.random.default_rng(8)
    x = rng.standard_normal((120, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=x @ [1.0, -2.0, 0.5] + rng.standard_normal(120))
    frame["z"] = (frame["y"] > 0.2).astype(float)
    frame["w"] = rng.uniform(0.5, 3, 120)
    design = sm.add_constant(x)
    wls = sm.WLS(frame["y"], design, weights=frame["w"]).fit().params.to_numpy()
    logit = sm.GLM(frame["z"], design, family=sm.families.Binomial()).fit(tol=1e-14).params.to_numpy()
    for algorithm in ("lm", "bfgs", "lbfgs", "auto"):
        fit = raw.neuralnet("y ~ a + b + c", frame, hidden=0, algorithm=algorithm, threshold=1e-9, weights="w",
                           random_state=1)  # fmt: skip
        np.testing.assert_allclose(fit.params.to_numpy(), wls, atol=1e-8)
        fit = raw.neuralnet("z ~ a + b + c", frame, hidden=0, algorithm=algorithm, threshold=1e-9, family="binomial",
                           random_state=1)  # fmt: skip
        np.testing.assert_allclose(fit.params.to_numpy(), logit, atol=1e-8)


@pytest.mark.parametrize(
    ("family", "link"), [("poisson", None), ("gamma", "log"), ("binomial", "probit"), ("negative_binomial", "log")]
)
def test_families_are_exact(family, link):
    """Fisher weights: a few steps to what statsmodels finds, and as fast as its scoring."""
    import statsmodels.api as sm

    rng = np.random.default_rng(12)
    x = 0.5 * rng.standard_normal((150, 2))
    mean = np.exp(0.3 + x @ [0.8, -0.5])
    links = {None: None, "log": sm.families.links.Log(), "probit": sm.families.links.Probit()}
    kinds = {"poisson": sm.families.Poisson, "gamma": sm.families.Gamma, "binomial": sm.families.Binomial,
             "negative_binomial": sm.families.NegativeBinomial}  # fmt: skip
    options = {"alpha": 1.0} if family == "negative_binomial" else {}
    theirs = kinds[family](**options) if link is None else kinds[family](links[link], **options)
    draws = {"poisson": rng.poisson(mean), "gamma": rng.gamma(2, mean / 2), "binomial": (mean > 1.3) * 1.0,
             "negative_binomial": rng.poisson(mean * rng.gamma(2, 0.5, 150))}  # fmt: skip
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(y=draws[family])
    if family == "binomial":
        frame["y"] = rng.binomial(1, mean / (1 + mean))
    expected = sm.GLM(frame["y"], sm.add_constant(x), family=theirs).fit(tol=1e-14).params.to_numpy()
    for algorithm in ("lm", "bfgs"):
        fit = raw.neuralnet("y ~ a + b", frame, hidden=0, algorithm=algorithm, threshold=1e-8, family=theirs,
                           startweights=[0.1, 0.0, 0.0])  # fmt: skip
        np.testing.assert_allclose(fit.params.to_numpy(), expected, atol=1e-7)
        assert algorithm != "lm" or fit.fit.steps[0] <= 15


@pytest.mark.parametrize("case", [c["name"] for c in load("nnet")["cases"]])
def test_nnet_cases(case):
    """From R's start, or a little beside R's optimum where ours differs, the same objective value and fit."""
    stored = load("nnet")
    case = next(c for c in stored["cases"] if c["name"] == case)
    args = case["args"]
    if args["skip"]:
        pytest.skip("connections that skip the hidden layer are no chain of layers")
    frame = table(stored["datasets"][case["data"]])
    x = np.stack([frame[c].to_numpy(float) for c in case["covariates"]])
    y = np.stack([
        (frame[c.split("==")[0]].astype(str) == c.split("==")[1]).to_numpy(float) if "==" in c
        else frame[c].to_numpy(float)
        for c in case["responses"]
    ])  # fmt: skip
    loss = "multinomial" if args["softmax"] else "ce_logit" if args["entropy"] else "sse"
    output = {"multinomial": "softmax", "ce_logit": "logistic"}.get(
        loss, "identity" if args["linout"] else "logistic"
    )
    hidden = (args["size"],) if args["size"] else ()
    net = dense_network(x.shape[0], hidden, [resolve_activation("logistic")] * len(hidden),
                        objective(loss, resolve_activation(output)), case["covariates"], case["responses"])  # fmt: skip
    factor = (
        1.0 if loss != "sse" else 2.0
    )  # nnet has no 1/2 in sums of squares; its decay has none either way
    decay_ = args["decay"] * 2 / factor
    wts, value = array(case["expected"]["wts"]), case["expected"]["value"]
    rng = np.random.default_rng(0)
    start = np.stack([array(case["startweights"]), wts + 1e-3 * rng.standard_normal(wts.size)])
    free = np.ones(net.n_params, bool)
    for optimizer in SECOND:
        fit = train(net, make_data(x, y), start, free, optimizer, threshold=1e-7, stepmax=20_000, n_jobs=1,
                    penalty=penalty_of(net, ns.decay(decay_)))  # fmt: skip
        assert factor * fit.loss[1] == pytest.approx(value, rel=1e-7), optimizer
        assert factor * fit.loss[0] <= value * 1.5, optimizer
        raw = net.objective.response(derivatives.outputs(net, x, fit.theta[1], None)[0])
        np.testing.assert_allclose(raw.T, array(case["expected"]["fitted"]), atol=2e-4)


@pytest.mark.parametrize("lam", [0.001, 0.01, 0.1, 1, 10])
def test_decay_fits_of_the_df_table(lam):
    stored = target("H_df_doppler")
    row = next(r for r in stored["results"] if r["lam"] == lam)
    frame = pd.DataFrame({"x": stored["xs"], "y": stored["y"]})
    options = {"hidden": 5, "algorithm": "lm", "penalty": ns.decay(lam), "stepmax": 5000, "random_state": 1}
    best = raw.neuralnet("y ~ x", frame, threshold=1e-6, rep=200, **options).errors.min()
    assert 2 * best <= row["obj"] * (1 + 2e-5)  # the stored one is RSS + lam |w|^2
    w = np.array(row["w"])  # 5 biases, 5 slopes, then the output's weights
    start = np.concatenate([np.stack([w[:5], w[5:10]], axis=1).ravel(), w[10:]])
    near = start + 1e-3 * np.random.default_rng(2).standard_normal(16)
    fit = raw.neuralnet("y ~ x", frame, threshold=1e-7, startweights=near, **options)
    assert 2 * fit.errors[0] == pytest.approx(row["obj"], rel=1e-10)
    rss = float(np.sum((frame["y"] - fit.predict(rep="best")) ** 2))
    assert rss == pytest.approx(row["RSS"], rel=1e-5)
    np.testing.assert_allclose(fit.theta[0], start, atol=1e-3)


@pytest.mark.parametrize("optimizer", SECOND, ids=lambda o: o.name)
def test_stack_threads_and_chunks_change_nothing(optimizer):
    rng = np.random.default_rng(9)
    net, data, start, free = problem(rng, 2, (4,), 1, 300, stack=5)
    options = {"threshold": 1e-4, "stepmax": 300, "penalty": penalty_of(net, ns.decay(0.01))}
    whole = train(net, data, start, free, optimizer, n_jobs=1, **options)
    for other in (
        train(net, data, start, free, optimizer, n_jobs=2, **options),
        train(net, data, start, free, optimizer, n_jobs=1, chunk=1, **options),
        train(net, data, start, free, optimizer, n_jobs=2, chunk=7, **options),
    ):
        for name in ("theta", "loss", "reached", "steps", "status"):
            assert np.array_equal(getattr(whole, name), getattr(other, name)), name
    for b in range(5):
        single = train(net, data, start[b : b + 1], free, optimizer, n_jobs=1, **options)
        assert np.array_equal(single.theta[0], whole.theta[b])
        assert np.array_equal(single.trace[0][1], whole.trace[b][1])


@pytest.mark.parametrize("optimizer", [LBFGS(), LM(), RProp(), RProp("rprop-")], ids=lambda o: o.name)
def test_lasso_has_exact_zeros_and_meets_its_conditions(optimizer):
    rng = np.random.default_rng(4)
    net, data, start, free = problem(rng, 4, (5,), 1, 150, stack=3)
    lam = 2.0
    table_ = penalty_of(net, ns.l1(lam, biases=False) + ns.decay(0.05))
    fit = train(net, data, start, free, optimizer, threshold=1e-3, stepmax=50_000, penalty=table_, n_jobs=1)
    assert fit.converged.all(), fit.status
    lasso = table_[:, L1] > 0
    smooth = table_.copy()
    smooth[:, L1] = 0
    for theta in fit.theta:
        g = derivatives.gradient(net, data, theta, smooth)
        zero = lasso & (theta == 0)
        assert 3 <= zero.sum() < lasso.sum()
        assert np.all(np.abs(g[zero]) <= lam + 1e-3)
        assert np.all(np.abs(g + lam * lasso * np.sign(theta))[~zero] <= 1.01e-3)


def test_lasso_of_a_linear_model():
    """hidden=0 against coordinate descent."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((80, 6))
    y = x @ [2, 0, 0, -1, 0, 0.1] + 0.5 * rng.standard_normal(80)
    y -= y.mean()
    lam, beta = 25.0, np.zeros(6)
    x -= x.mean(axis=0)
    for _ in range(2000):
        for j in range(6):
            r = y - x @ beta + x[:, j] * beta[j]
            beta[j] = np.sign(x[:, j] @ r) * max(abs(x[:, j] @ r) - lam, 0) / (x[:, j] @ x[:, j])
    frame = pd.DataFrame(x, columns=list("abcdef")).assign(y=y)
    for algorithm in ("lbfgs", "lm", "rprop+"):
        fit = raw.neuralnet("y ~ .", frame, hidden=0, algorithm=algorithm, penalty=ns.l1(lam, biases=False),
                           threshold=1e-7, random_state=1)  # fmt: skip
        found = fit.params.to_numpy()[1:]
        np.testing.assert_allclose(found, beta, atol=1e-7)
        assert np.array_equal(found == 0, beta == 0)


def test_penalty_by_term():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.standard_normal(60), "g": rng.choice(["u", "v", "w"], 60)})
    frame["y"] = frame["a"] + (frame["g"] == "v") + 0.1 * rng.standard_normal(60)
    fit = raw.neuralnet("y ~ a + g", frame, hidden=3, algorithm="lm", penalty=ns.decay(0.1, terms={"g": 30.0}),
                       threshold=1e-6, random_state=1)  # fmt: skip
    where = term_weights(fit.network, fit.design.terms)
    assert where["g"].size == 6
    assert where["a"].size == 3
    table_ = coefficients(fit.settings.penalty, fit.network, fit.design)
    assert np.all(table_[where["g"], 0] == 30)
    assert np.all(np.delete(table_[:, 0], where["g"]) == 0.1)
    plain = raw.neuralnet("y ~ a + g", frame, hidden=3, algorithm="lm", penalty=ns.decay(0.1), threshold=1e-6,
                         random_state=1)  # fmt: skip
    assert np.abs(fit.theta[0][where["g"]]).sum() < 0.5 * np.abs(plain.theta[0][where["g"]]).sum()
    with pytest.raises(ArgumentError, match="no term 'h'"):
        raw.neuralnet("y ~ a + g", frame, penalty=ns.decay(0.1, terms={"h": 1.0}))


def test_relative_tolerance():
    rng = np.random.default_rng(3)
    net, data, start, free = problem(rng, 1, (4,), 1, 80)
    for optimizer in SECOND:
        fit = train(net, data, start, free, optimizer, threshold=0, tol=1e-4, stepmax=5000, n_jobs=1)
        assert np.all(fit.status == cpu.TOLERANCE)
        assert fit.converged.all()
        longer = train(net, data, start, free, optimizer, threshold=0, tol=1e-9, stepmax=5000, n_jobs=1)
        assert np.all(longer.steps >= fit.steps)
        assert np.all(longer.loss <= fit.loss)


def test_polish_and_names():
    data = ns.datasets.doppler(n=60, noise=0.3, random_state=1)
    options = {"hidden": 2, "penalty": ns.decay(0.05), "rep": 2, "random_state": 3, "threshold": 0.1}
    plain = raw.neuralnet("y ~ x", data, **options)
    fine = raw.neuralnet("y ~ x", data, polish=True, **options)
    assert fine.algorithm == "rprop+, then lm"
    assert "rprop+, then lm" in str(fine.summary())
    assert np.all(fine.fit.reached <= 1e-6)
    assert np.all(fine.fit.steps > plain.fit.steps)
    assert np.all(fine.errors <= plain.errors)
    assert fine.converged
    auto = raw.neuralnet("y ~ x", data, algorithm="auto", **options)
    assert auto.algorithm == "lm (chosen automatically)"
    assert auto.settings.algorithm == "auto"
    own = raw.neuralnet("y ~ x", data, algorithm=LBFGS(memory=3), **options)
    assert own.algorithm == "lbfgs"
    assert "LBFGS(memory=3)" in own.call
    rprop = raw.neuralnet("y ~ x", data, algorithm=RProp(), **options)
    assert np.array_equal(rprop.theta, plain.theta)
    assert choose(10, 100, 1, False) == "lm"
    assert choose(1000, 100, 1, False) == "bfgs"
    assert choose(1000, 100, 1, True) == choose(10**5, 100, 1, False) == "lbfgs"


def test_saved_and_loaded(tmp_path):
    data = ns.datasets.doppler(n=60, noise=0.3, random_state=1)
    fit = raw.neuralnet("y ~ x", data, hidden=2, algorithm=LM(damping=1.0), penalty=ns.decay(0.1, terms={"x": 0.2}),
                       rep=4, keep=2, random_state=3)  # fmt: skip
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    assert again.settings.algorithm == LM(damping=1.0)
    assert again.settings.penalty == fit.settings.penalty
    assert np.array_equal(again.theta, fit.theta)
    pd.testing.assert_frame_equal(again.pruned, fit.pruned)
    for optimizer in (*SECOND, RProp("sag", plus=1.3)):
        assert from_plain(json.loads(json.dumps(optimizer.to_plain()))) == optimizer


def test_pruning():
    data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
    options = {
        "hidden": 4,
        "algorithm": "lm",
        "penalty": ns.decay(0.001),
        "random_state": 5,
        "threshold": 1e-3,
    }
    every = raw.neuralnet("y ~ x", data, rep=12, **options)
    few = raw.neuralnet("y ~ x", data, rep=12, keep=3, **options)
    assert few.nrep == 3
    assert len(few.pruned) == 9
    assert set(few.pruned["status"]) == {"pruned"}
    assert sorted([*few.pruned["start"] - 1, *few.fit.number]) == list(range(12))
    for r, b in enumerate(few.fit.number):  # those kept end where they end without pruning
        assert np.array_equal(few.theta[r], every.theta[b])
        assert few.fit.steps[r] == every.fit.steps[b]
    again = raw.neuralnet("y ~ x", data, rep=12, keep=3, n_jobs=1, **options)
    assert np.array_equal(again.theta, few.theta)
    assert every.pruned.empty


@pytest.mark.parametrize("init", INITS)
def test_starts(init):
    net = dense_network(3, (40, 30), [resolve_activation("logistic")] * 2,
                        objective("sse", resolve_activation("identity")), list("abc"), ["y"])  # fmt: skip
    x = np.random.default_rng(0).uniform(5, 9, (3, 50))
    free, zero = np.ones(net.n_params, bool), np.zeros(net.n_params)
    theta = start_weights(net, 3, seed_sequence(1), free, zero, init=init, x=x)
    more = start_weights(net, 5, seed_sequence(1), free, zero, init=init, x=x)
    assert np.array_equal(theta, more[:3])
    assert np.all(np.isfinite(theta))
    first, second, _ = net.matrices(theta[0])
    if init == "normal":
        assert 0.9 < theta.std() < 1.1
    if init == "uniform":
        assert 0.65 < np.abs(theta).max() <= 0.7
    if init == "glorot":
        assert 0.95 * np.sqrt(6 / 70) < np.abs(second[1:]).max() <= np.sqrt(6 / 70)
    if init == "he":
        assert second[1:].std() == pytest.approx(np.sqrt(2 / 40), rel=0.1)
    if init in ("glorot", "he"):
        assert np.all(first[0] == 0)
    if init == "nguyen-widrow":  # every unit is active somewhere in the data
        low = np.minimum(5 * first[1:], 9 * first[1:]).sum(axis=0) + first[0]
        high = np.maximum(5 * first[1:], 9 * first[1:]).sum(axis=0) + first[0]
        assert np.all((low < 4) & (high > -4))


def test_canonical_weights():
    rng = np.random.default_rng(7)
    for act in ("tanh", "logistic"):
        net, data, start, _ = problem(rng, 2, (4, 3), 2, 40, act=act, stack=1)
        theta = start[0]
        reference = canonical(net, theta)
        f = derivatives.outputs(net, data.x, theta, None)[0]
        np.testing.assert_allclose(derivatives.outputs(net, data.x, reference, None)[0], f, atol=1e-12)
        for _ in range(5):  # any order and any signs
            a, b, c = net.matrices(theta)
            order, sign = rng.permutation(4), rng.choice([-1.0, 1.0], 4)
            if act == "logistic":
                b[0] += np.where(sign < 0, 1, 0) @ b[1:]
            other = net.flatten([(a * sign)[:, order], np.vstack([b[:1], (b[1:] * sign[:, None])[order]]), c])
            np.testing.assert_allclose(derivatives.outputs(net, data.x, other, None)[0], f, atol=1e-12)
            np.testing.assert_allclose(canonical(net, other), reference, atol=1e-12)
        held = rng.uniform(size=net.n_params) < 0.7
        fixed = canonical(net, theta, held)
        assert np.array_equal(fixed[~held], theta[~held])
        np.testing.assert_allclose(derivatives.outputs(net, data.x, fixed, None)[0], f, atol=1e-12)


def test_distinct_optima():
    f = np.linspace(0, 1, 20).reshape(1, 1, 20)
    outputs = np.concatenate([f, f + 1e-6, -f, 2 * f])
    assert distinct_optima(np.array([1.0, 1.00001, 1.00002, 3.0]), outputs).tolist() == [1, 1, 2, 3]
    data = ns.datasets.doppler(n=60, noise=0.3, random_state=1)
    fit = raw.neuralnet("y ~ x", data, hidden=2, algorithm="lm", penalty=ns.decay(0.1), threshold=1e-7, rep=10,
                       random_state=1)  # fmt: skip
    one = fit.reps["optimum"] == 1
    assert one.sum() >= 2
    same = fit.canonical_weights()[one.to_numpy()]
    np.testing.assert_allclose(same, np.broadcast_to(same[0], same.shape), atol=1e-4)


def test_custom_loss():
    """A robust error: Gauss-Newton weights from its own second derivative."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.uniform(-2, 2, 80)})
    frame["y"] = np.sin(frame["x"]) + 0.1 * rng.standard_cauchy(80)

    def huber(x, y):
        return ((x - y) ** 2 + 0.01) ** 0.5

    for algorithm in ("lm", "bfgs"):
        fit = raw.neuralnet("y ~ x", frame, hidden=2, act_fct="tanh", err_fct=huber, algorithm=algorithm,
                           penalty=ns.decay(0.01), threshold=1e-6, random_state=1)  # fmt: skip
        assert fit.converged
        residual = frame["y"] - fit.predict()
        assert residual.abs().median() < 0.2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"algorithm": "newton"}, "unknown algorithm"),
        ({"algorithm": "bfgs", "penalty": ns.l1(0.1)}, "with an L1 penalty use 'lbfgs'"),
        ({"algorithm": "lm", "dtype": "float32"}, "needs dtype='float64'"),
        ({"tol": 1e-6}, "tol is a rule for"),
        ({"keep": 5, "rep": 2}, "keep must be at most rep"),
        ({"init": "zeros"}, "init must be None or one of"),
        ({"algorithm": "lm", "tol": -1}, "tol must be"),
    ],
)
def test_refusals(options, words):
    data = ns.datasets.doppler(n=30, noise=0.3, random_state=1)
    with pytest.raises(ArgumentError, match=words):
        raw.neuralnet("y ~ x", data, **options)
    with pytest.raises(ArgumentError, match="damping must be a finite number > 0"):
        LM(damping=-1)
    with pytest.raises(ArgumentError, match="memory must be a whole number >= 1"):
        LBFGS(memory=0)


def test_hopeless_fits_end():
    """A perfect fit, a collinear design and a step limit end with an honest status."""
    x = np.array([[0.0, 1, 2, 3, 4, 5], [0, 2, 4, 6, 8, 10]])
    net = dense_network(2, (), [], objective("sse", resolve_activation("identity")), ["a", "b"], ["y"])
    start, free = np.ones((1, 3)), np.ones(3, bool)
    for optimizer in SECOND:
        fit = train(net, make_data(x, 1 + 2 * x[:1]), start, free, optimizer, threshold=1e-6, n_jobs=1)
        assert fit.converged.all()
        assert fit.loss[0] < 1e-12
        fit = train(
            net, make_data(x, np.sin(x[:1])), start, free, optimizer, threshold=0, stepmax=100_000, n_jobs=1
        )
        assert fit.status[0] in (cpu.STALLED, cpu.CONVERGED)
        assert fit.reached[0] < 1e-10
        short = train(
            net, make_data(x, np.sin(x[:1])), start, free, optimizer, threshold=0, stepmax=3, n_jobs=1
        )
        assert short.steps[0] <= 3
    data = ns.datasets.doppler(n=30, noise=0.3, random_state=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = raw.neuralnet("y ~ x", data, hidden=5, algorithm="lm", stepmax=5, threshold=1e-9)
    assert any(issubclass(w.category, ConvergenceWarning) for w in caught)
    assert replace(fit.fit, algorithm="").algorithm == ""
