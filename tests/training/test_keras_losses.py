"""Fits by epochs minimise Keras' losses: means over outputs, squared errors whole, regularizers beside them."""

import numpy as np
import pytest
from reference import load

import neuralstat as ns
from neuralstat.layers import L1L2, L2, Dense
from neuralstat.network import derivatives

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
KERAS = load("losses", "keras")
X = np.array(KERAS["x"])
HOW = {"mse": {}, "mae": {"err_fct": "mae"}, "classes": {"family": "multinomial"}, "binary": {"family": "binomial"},
       "poisson": {"family": "poisson"}}  # fmt: skip
LAYERS = [Dense(4, "tanh", kernel_regularizer=L1L2(0.005, 0.02), bias_regularizer=L2(0.03))]
FITS = [(case, name) for case in KERAS["cases"] for name in KERAS["cases"][case]["fits"]]


def table_of(case):
    y = np.array(KERAS["cases"][case]["y"])
    data = {f"x{k}": X[:, k] for k in range(3)} | {"w": np.array(KERAS["sample_weight"])}
    if case.startswith("classes"):
        return data | {"y": np.array(list("abc"))[y.argmax(axis=1)]}, "y"
    names = [f"y{k}" for k in range(y.shape[1])]
    return data | dict(zip(names, y.T, strict=True)), " + ".join(names)


def fit(case, name, **settings):
    data, response = table_of(case)
    kind, arguments = KERAS["optimizers"]["momentum" if name == "weighted" else name]
    start = dict(zip(("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"),
                     map(np.array, KERAS["cases"][case]["start"]), strict=True))  # fmt: skip
    given = {
        "layers": LAYERS, "algorithm": getattr(ns.optimizers, kind)(**arguments), "epochs": 2, "batch_size": 8,
        "shuffle": False, "startweights": start,
        "standardize": False, "validation": {n: v[:7] for n, v in data.items() if n != "w"},
        "weights": "w" if name == "weighted" else None, **HOW[case.partition("_")[0]], **settings,
    }  # fmt: skip
    return ns.neuralnet(f"{response} ~ x0 + x1 + x2", data, random_state=1, **given)


@pytest.mark.parametrize(("case", "name"), FITS)
def test_ten_steps_and_losses_as_keras(case, name):
    record, made = KERAS["cases"][case]["fits"][name], fit(case, name)
    near = 2e-7 if case.startswith("poisson") else 1e-9  # Keras adds 1e-7 to means before their logarithm
    for ours, theirs in zip(made.get_weights().values(), record["weights"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=near)
    assert made.fit.steps[0] == 10
    y, w = np.array(KERAS["cases"][case]["y"]), np.array(KERAS["sample_weight"])
    for column, rows, cases in (("loss", slice(None), w if name == "weighted" else 1), ("val_loss", slice(7), 1)):
        less = 0.0
        if case.startswith("poisson"):  # the deviance is less than Keras' loss by what no weight changes
            own = y[rows] - y[rows] * np.log(np.where(y[rows] > 0, y[rows], 1))
            less = np.mean(own.mean(axis=1) * cases)
        np.testing.assert_allclose(made.history[column], np.array(record[column]) - less, rtol=0, atol=10 * near)


@pytest.mark.parametrize("case", ["mse_1", "mse_3", "binary_3", "classes_3"])
def test_errors_and_derivatives_are_sums(case):
    """What statistics are made of is the penalised sum of errors of every other algorithm."""
    data, response = table_of(case)
    made = fit(case, "adam", penalty=ns.decay(0.3))
    theta, theirs = made.fit.theta[0], ns.neuralnet(
        f"{response} ~ x0 + x1 + x2", data, layers=LAYERS, algorithm="lbfgs", stepmax=1, penalty=ns.decay(0.3), rep=1,
        startweights=made.get_weights(), standardize=False, **HOW[case.partition("_")[0]],
    )  # fmt: skip
    np.testing.assert_array_equal(theirs.fit.start[0], theta)
    np.testing.assert_allclose(made.fitted.penalty_of(0), theirs.fitted.penalty_of(0))
    grad = derivatives.gradient(made.network, made.fitted.data, theta, made.fitted.penalty_of(0))
    np.testing.assert_allclose(made.fit.reached, [np.abs(grad).max()], rtol=1e-9)
    error = derivatives.error(made.network, made.fitted.data, theta)
    weights, own = made.get_weights(), 0.15 * np.sum(theta**2)
    share = {"mse_1": 2, "mse_3": 2 / 3, "binary_3": 1 / 3, "classes_3": 1}[case]
    penalty = 0.005 * np.abs(weights["dense/kernel"]).sum() + 0.02 * (weights["dense/kernel"] ** 2).sum()
    penalty += 0.03 * (weights["dense/bias"] ** 2).sum()
    np.testing.assert_allclose(made.fit.loss, [error + own + 40 / share * penalty], rtol=1e-9)
    np.testing.assert_allclose(made.fit.trace[0][1], made.history["loss"] * 40 / share, rtol=1e-12)
    assert made.evaluate()["loss"] == pytest.approx(share * error / 40, rel=1e-9)


def test_a_penalty_has_one_optimum_whatever_the_algorithm():
    """`decay` and regularizers mean the same to an optimizer of Keras' as to one of sums."""
    data, response = table_of("mse_3")
    given = {"layers": LAYERS, "penalty": ns.decay(0.5), "standardize": False, "rep": 1}
    formula = f"{response} ~ x0 + x1 + x2"
    full = ns.neuralnet(formula, data, algorithm="rprop+", threshold=1e-6, random_state=1, **given)
    by_epochs = ns.neuralnet(formula, data, algorithm="sgd", epochs=200, batch_size=None, startweights=full.get_weights(),
                             threshold=0.0, **given)  # fmt: skip
    np.testing.assert_allclose(by_epochs.fit.theta, full.fit.theta, atol=2e-3)  # l1: steps stay about 0
    assert by_epochs.fit.loss[0] == pytest.approx(full.fit.loss[0], rel=1e-5)


def test_thresholds_are_of_sums_and_improvements_of_the_loss():
    data, response = table_of("mse_3")
    given = {"hidden": 0, "algorithm": "sgd", "batch_size": None, "standardize": False, "epochs": 5000, "learningrate": 0.3,
             "random_state": 1}  # fmt: skip
    made = ns.neuralnet(f"{response} ~ x0 + x1 + x2", data, threshold=1e-3, **given)
    assert made.converged and 1e-4 < made.fit.reached[0] <= 1e-3
    losses = made.history["loss"].to_numpy()
    falls = -np.diff(losses)
    least = float(np.sqrt(falls[20] * falls[21]))
    early = ns.neuralnet(f"{response} ~ x0 + x1 + x2", data, early_stopping=ns.EarlyStopping(0, least), **given)
    assert len(early.history) == 23  # the first epoch whose loss is not lower by as much
    rate = ns.schedules.Performance(0.3, factor=0.5, patience=1, min_delta=least)
    rates = ns.neuralnet(f"{response} ~ x0 + x1 + x2", data, **{**given, "epochs": 30, "learningrate": rate}).history
    assert rates["learning_rate"].tolist().count(0.3) == 23


def test_rows_are_measured_by_their_own_weights():
    made = fit("mse_3", "weighted", metrics=["mse", "r2"])
    one = made.evaluate(table_of("mse_3")[0], metrics=["mse", "r2"])
    np.testing.assert_allclose(made.history[["r2"]].iloc[-1], one[["r2"]], rtol=1e-12)
    exact = fit("binary_1", "sgd", metrics=["log_loss", "brier"])
    one = exact.evaluate(table_of("binary_1")[0], metrics=["log_loss", "brier"])
    assert exact.history[["log_loss", "brier"]].iloc[-1].tolist() == one[["log_loss", "brier"]].tolist()
