"""Minibatch optimizers: updates, batches, schedules, early stopping, checkpoints, history."""

from __future__ import annotations

import json

import numba
import numpy as np
import pandas as pd
import pytest
import raw
from reference import load

import neuralstat as ns
from neuralstat.jit.random import permute, philox
from neuralstat.network.network import dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop
from neuralstat.optimizers import first_order as codes
from neuralstat.optimizers.minibatch import from_plain
from neuralstat.seeds import children, shuffle_keys
from neuralstat.training.epochs import Training, make_rows, train_epochs, weight_groups

KERAS = load("optimizers", "keras")
X, Y = np.array(KERAS["x"]).T, np.array(KERAS["y"]).T
START = np.array([KERAS["start"]])
NET = dense_network(3, (4, 5), [resolve_activation("tanh"), resolve_activation("logistic")],
                    objective("sse", resolve_activation("identity")), ["a", "b", "c"], ["u", "v"])  # fmt: skip
ALL = np.ones(NET.n_params, bool)


@numba.njit  # kernels have no way in from Python of their own
def call_philox(words):
    return philox(words[0], words[1], words[2], words[3], words[4], words[5])


@numba.njit
def call_permute(order, epoch, key):
    permute(order, epoch, key)


@numba.njit
def call_clip(settings, groups, norms, grad):
    codes.clip(settings, groups, norms, grad)


def keys(rep=1, seed=0):
    return shuffle_keys(children(np.random.SeedSequence(seed), rep))


def train(optimizer, epochs=4, batch=None, *, start=START, free=ALL, weights=None, dtype=np.float64, check=None,
          penalty=None, n_jobs=1, seed=0, **more):  # fmt: skip
    rows = make_rows(X, Y, weights, dtype=dtype)
    training = Training(optimizer, epochs, batch, **more)
    return train_epochs(NET, rows, start, free, training, keys(len(start), seed), validation=check, penalty=penalty,
                        n_jobs=n_jobs)  # fmt: skip


def mean_gradient(theta, rows=slice(None)):
    """Gradient of the mean half squared error, written out."""
    w1, w2, w3 = NET.matrices(theta)
    x, y = X.T[rows], Y.T[rows]
    one = np.ones((len(x), 1))
    a1 = np.tanh(np.hstack([one, x]) @ w1)
    a2 = 1 / (1 + np.exp(-np.hstack([one, a1]) @ w2))
    d3 = (np.hstack([one, a2]) @ w3 - y) / len(x)
    d2 = d3 @ w3[1:].T * a2 * (1 - a2)
    d1 = d2 @ w2[1:].T * (1 - a1**2)
    return NET.flatten([np.hstack([one, a]).T @ d for a, d in ((x, d1), (a1, d2), (a2, d3))])


def naive(optimizer, theta, steps, gradient):
    """Keras' formulas, an array operation at a time."""
    o, w = optimizer, theta.copy()
    m, v, h = np.zeros_like(w), np.full_like(w, getattr(o, "initial_accumulator_value", 0.0)), np.zeros_like(w)
    for t in range(1, steps + 1):
        g, lr = gradient(w, t - 1), float(o.rates(t - 1, 1, 1, steps)[0])
        if o.weight_decay:
            w = w - w * o.weight_decay * lr
        if isinstance(o, SGD):
            m = o.momentum * m - lr * g
            w = w + (o.momentum * m - lr * g if o.nesterov else m if o.momentum else -lr * g)
        elif isinstance(o, Adagrad):
            v = v + g**2
            w = w - lr * g / np.sqrt(v + o.epsilon)
        elif isinstance(o, RMSprop):
            v = o.rho * v + (1 - o.rho) * g**2
            h = o.rho * h + (1 - o.rho) * g
            increment = lr * g / np.sqrt(v - (h**2 if o.centered else 0) + o.epsilon)
            m = o.momentum * m + increment
            w = w - m
        elif isinstance(o, Adadelta):
            v = o.rho * v + (1 - o.rho) * g**2
            move = -np.sqrt(h + o.epsilon) * g / np.sqrt(v + o.epsilon)
            h = o.rho * h + (1 - o.rho) * move**2
            w = w + lr * move
        elif isinstance(o, Lion):
            w = w - lr * np.sign(o.beta_1 * m + (1 - o.beta_1) * g)
            m = o.beta_2 * m + (1 - o.beta_2) * g
        elif isinstance(o, Adamax):
            m, h = m + (g - m) * (1 - o.beta_1), np.maximum(o.beta_2 * h, np.abs(g))
            w = w - lr * m / ((1 - o.beta_1**t) * (h + o.epsilon))
        elif isinstance(o, Nadam):
            m, v = m + (g - m) * (1 - o.beta_1), v + (g**2 - v) * (1 - o.beta_2)
            u = o.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, t + 2))
            look = u[t] * m / (1 - np.prod(u)) + (1 - u[t - 1]) * g / (1 - np.prod(u[:t]))
            w = w - lr * look / (np.sqrt(v / (1 - o.beta_2**t)) + o.epsilon)
        else:
            m, v = m + (g - m) * (1 - o.beta_1), v + (g**2 - v) * (1 - o.beta_2)
            h = np.maximum(h, v)
            alpha = lr * np.sqrt(1 - o.beta_2**t) / (1 - o.beta_1**t)
            w = w - alpha * m / (np.sqrt(h if o.amsgrad else v) + o.epsilon)
    return w


OPTIMIZERS = [
    SGD(0.05), SGD(0.05, momentum=0.9), SGD(0.05, momentum=0.9, nesterov=True), SGD(0.05, weight_decay=0.1),
    Adagrad(0.05), Adagrad(0.05, initial_accumulator_value=0.5, weight_decay=0.01), RMSprop(0.01), RMSprop(0.01, rho=0.8),
    RMSprop(0.01, momentum=0.5), RMSprop(0.01, centered=True), RMSprop(0.01, momentum=0.5, centered=True),
    Adam(0.01), Adam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-4), Adam(0.01, amsgrad=True), AdamW(0.01),
    Nadam(0.01), Nadam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-4, weight_decay=0.1), Adadelta(1.0),
    Adadelta(2.0, rho=0.8, epsilon=1e-4, weight_decay=0.01), Adamax(0.01), Adamax(0.01, beta_1=0.8, beta_2=0.9),
    Lion(0.005), Lion(0.005, beta_1=0.7, beta_2=0.8, weight_decay=0.1),
    AdamW(0.01, weight_decay=0.3, amsgrad=True), SGD(ns.schedules.Exponential(0.1, steps=7), momentum=0.5),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_updates_follow_the_formulas(optimizer):
    fit = train(optimizer, 20)
    want = naive(optimizer, START[0], 20, lambda w, _: mean_gradient(w))
    np.testing.assert_allclose(fit.theta[0], want, rtol=1e-12, atol=1e-12)
    assert fit.steps[0] == 20
    assert np.abs(fit.theta - START).max() > 0.01


@pytest.mark.parametrize("case", KERAS["full"])
def test_ten_steps_as_keras(case):
    record = KERAS["full"][case]
    optimizer = getattr(ns.optimizers, record["class"])(**record["arguments"])
    check = make_rows(X[:, :7], Y[:, :7])
    fit = train(optimizer, 10, check=check)
    np.testing.assert_allclose(fit.theta[0], record["theta"], atol=1e-8, rtol=0)
    np.testing.assert_allclose(fit.history.values[0, :, 0], record["loss"], atol=1e-8)
    assert fit.history.columns == ("loss", "mse", "val_loss", "val_mse", "learning_rate")
    np.testing.assert_allclose(fit.history.values[0, :, 2], record["val_loss"], atol=1e-8)


@pytest.mark.parametrize("case", ["batches", "weighted", "penalised"])
def test_batches_weights_and_penalty_as_keras(case):
    penalty = ns.decay(0.05).coefficients(NET.is_bias) if case == "penalised" else None
    weights = np.array(KERAS["weights"]) if case == "weighted" else None
    fit = train(
        Adam(**KERAS["adam"]),
        4,
        16,
        weights=weights,
        penalty=penalty,
        shuffle=False,
        check=make_rows(X[:, :7], Y[:, :7]),
    )
    np.testing.assert_allclose(fit.theta[0], KERAS[case]["theta"], atol=1e-8, rtol=0)
    np.testing.assert_allclose(fit.history.values[0, :, 0], KERAS[case]["loss"], atol=1e-8)
    np.testing.assert_allclose(fit.history.values[0, :, 2], KERAS[case]["val_loss"], atol=1e-8)
    assert fit.steps[0] == 12


def test_large_batches_run_over_several_blocks():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 700)), rng.standard_normal((2, 700))
    fit = train_epochs(NET, make_rows(x, y), START, ALL, Training(SGD(0.1), 1, 600, shuffle=False), keys())
    w = START[0]
    for rows in (slice(0, 600), slice(600, 700)):
        grad = np.zeros(NET.n_params)
        for i in range(*rows.indices(700)):
            one = train_epochs(NET, make_rows(x[:, i : i + 1], y[:, i : i + 1]), w[None], ALL,
                               Training(SGD(1.0), 1, None), keys())  # fmt: skip
            grad += w - one.theta[0]
        w = w - 0.1 * grad / (rows.stop - rows.start)
    np.testing.assert_allclose(fit.theta[0], w, atol=1e-10)


def test_a_stack_equals_its_networks_one_by_one():
    start = np.random.default_rng(3).standard_normal((3, NET.n_params))
    stack = train(Adam(0.02), 15, 8, start=start)
    threaded = train(Adam(0.02), 15, 8, start=start, n_jobs=3)
    chunked = train_epochs(NET, make_rows(X, Y), start, ALL, Training(Adam(0.02), 15, 8), keys(3), chunk=1, n_jobs=1)
    for other in (threaded, chunked):
        assert np.array_equal(stack.theta, other.theta)
        assert np.array_equal(stack.history.values, other.history.values)
    for b in range(3):
        one = train_epochs(NET, make_rows(X, Y), start[b : b + 1], ALL, Training(Adam(0.02), 15, 8), keys(3)[b : b + 1])
        assert np.array_equal(one.theta[0], stack.theta[b])
        assert one.loss[0] == stack.loss[b]
    assert not np.array_equal(keys(3)[0], keys(3)[1])


def test_shuffling():
    order, again = np.empty(51, np.int64), np.empty(51, np.int64)
    call_permute(order, 0, keys()[0])
    call_permute(again, 1, keys()[0])
    assert sorted(order) == list(range(51))
    assert not np.array_equal(order, again)
    shuffled, ordered = train(SGD(0.05), 3, 8), train(SGD(0.05), 3, 8, shuffle=False)
    assert not np.array_equal(shuffled.theta, ordered.theta)
    assert np.array_equal(train(SGD(0.05), 3).theta, train(SGD(0.05), 3, shuffle=False).theta)  # one batch


def test_philox_known_answers():
    words = [(0,) * 6, (0xFFFFFFFF,) * 6,
             (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)]  # fmt: skip
    want = [(0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)]  # fmt: skip
    for given, expected in zip(words, want, strict=True):
        assert tuple(int(w) for w in call_philox(np.array(given, np.uint64))) == expected


def test_permutations_are_uniform():
    counts = np.zeros((6, 6))
    order, key = np.empty(6, np.int64), keys()[0]
    for epoch in range(3000):
        call_permute(order, epoch, key)
        counts[np.arange(6), order] += 1
    assert np.abs(counts / 3000 - 1 / 6).max() < 5 * np.sqrt(5 / 36 / 3000)


# clipping, masks, kinds of number -------------------------------------------------------------------------------


def clipped(grad, groups=None, **limits):
    grad = np.array(grad)
    groups = np.zeros(grad.size, np.int64) if groups is None else np.array(groups)
    call_clip(SGD(**limits).settings(), groups, np.zeros(groups.max() + 1), grad)
    return grad


def test_clipping_by_hand():
    np.testing.assert_allclose(clipped([0.9, 100.0], clipvalue=1.0), [0.9, 1.0])
    for kind in ("clipnorm", "global_clipnorm"):
        np.testing.assert_allclose(clipped([0.9, 100.0], **{kind: 1.0}), [0.00899964, 0.99995950], atol=1e-8)
    np.testing.assert_allclose(clipped([3.0, 4.0, 0.3, 0.4], [0, 0, 1, 1], clipnorm=1.0), [0.6, 0.8, 0.3, 0.4])
    np.testing.assert_allclose(clipped([3.0, 4.0, 0.3, 0.4], [0, 0, 1, 1], global_clipnorm=50.0), [3, 4, 0.3, 0.4])
    assert weight_groups(NET)[:5].tolist() == [1, 0, 0, 0, 1]  # biases and kernels
    assert weight_groups(NET).max() == 5


@pytest.mark.parametrize(
    "optimizer", [SGD(0.05, momentum=0.9, weight_decay=0.1), AdamW(0.05), RMSprop(0.05, clipnorm=1)]
)
def test_weights_held_out_stay(optimizer):
    free = np.arange(NET.n_params) % 3 != 0
    penalty = ns.decay(0.1).coefficients(NET.is_bias)
    fit = train(optimizer, 10, 16, free=free, penalty=penalty)
    assert np.array_equal(fit.theta[0, ~free], START[0, ~free])
    assert np.all(fit.theta[0, free] != START[0, free])


def test_single_precision():
    single, double = train(Adam(0.01), 10, 16, dtype=np.float32), train(Adam(0.01), 10, 16)
    assert single.theta.dtype == np.float32
    np.testing.assert_allclose(single.theta, double.theta, atol=2e-4)
    assert not np.array_equal(single.theta, double.theta)


def test_divergence_is_reported():
    fit = train(SGD(1e6), 50)
    assert not fit.converged[0]
    assert fit.history.epochs[0] < 50


# schedules ------------------------------------------------------------------------------------------------------


def test_schedules():
    s = ns.schedules
    np.testing.assert_allclose(s.Power(0.1, steps=10, power=2).rates(0, 21, 1, 99)[[0, 10, 20]], [0.1, 0.025, 0.1 / 9])
    np.testing.assert_allclose(s.Exponential(0.1, steps=10).rates(5, 16, 1, 99)[[5, 15]], [0.01, 0.001])
    assert s.Piecewise([2, 4], [3, 2, 1]).rates(0, 7, 1, 7).tolist() == [3, 3, 3, 2, 2, 1, 1]
    by_epoch = s.Piecewise([0], [2, 1], per="epoch").rates(3, 4, 5, 10)
    assert by_epoch.tolist() == [2, 2, 1, 1]
    cycle = s.OneCycle(1.0).rates(0, 101, 10, 101)
    np.testing.assert_allclose(cycle[[0, 45, 90, 100]], [0.1, 1.0, 0.1, 1e-4])
    assert np.all(np.diff(cycle[:46]) > 0)
    assert np.all(np.diff(cycle[45:]) < 0)
    for schedule in (s.Power(0.1, 3), s.Piecewise([1], [2, 1]), s.OneCycle(1.0), s.Performance(0.1)):
        optimizer = Adam(schedule, clipvalue=1)
        assert from_plain(json.loads(json.dumps(optimizer.to_plain()))) == optimizer


def test_performance_schedule_divides():
    schedule = ns.schedules.Performance(0.5, factor=0.1, patience=3, min_delta=1e3, cooldown=2, min_rate=1e-3)
    fit = train(SGD(schedule), 14)
    rates = fit.history.values[0, :, -1]
    # the first epoch improves on nothing; then 3 without improvement; 2 of cooldown (the second counts again)
    np.testing.assert_allclose(rates[:5], [0.5, 0.5, 0.5, 0.5, 0.05])
    np.testing.assert_allclose(np.unique(rates), [0.001, 0.005, 0.05, 0.5])


# early stopping, callbacks, checkpoints -------------------------------------------------------------------------


def test_early_stopping_goes_back_to_the_best():
    check = make_rows(X[:, :10] + 0.5, -Y[:, :10])
    rule = ns.EarlyStopping(patience=4)
    fit = train(SGD(0.05), 100, 10, check=check, early_stopping=rule)
    record = fit.history
    val = record.values[0, : record.epochs[0], 2]
    best = int(record.best_epoch[0])
    assert best == val.argmin() + 1
    assert record.epochs[0] == best + 4 < 100
    assert fit.converged[0]
    assert np.array_equal(fit.theta, train(SGD(0.05), best, 10, check=check).theta)
    last = train(SGD(0.05), 100, 10, check=check, early_stopping=ns.EarlyStopping(4, restore_best=False))
    assert np.array_equal(last.theta, train(SGD(0.05), best + 4, 10, check=check).theta)
    assert train(SGD(0.05), 30, early_stopping=ns.EarlyStopping(2, min_delta=1e9)).history.epochs[0] == 3


def test_callbacks_see_epochs_and_stop():
    seen = []

    def callback(epoch, logs):
        seen.append((logs["rep"], epoch, logs["loss"]))
        return epoch == 5 and logs["rep"] == 2

    start = np.vstack([START, START + 0.1])
    fit = train(Adam(0.01), 8, 10, start=start, callbacks=(callback,), n_jobs=2)
    assert fit.history.epochs.tolist() == [8, 5]
    assert sorted((r, e) for r, e, _ in seen) == [(1, e) for e in range(1, 9)] + [(2, e) for e in range(1, 6)]
    assert fit.converged.tolist() == [False, True]  # the first ran all its epochs: done, by no stopping rule
    assert fit.finished.all()

    def broken(epoch, logs):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        train(Adam(0.01), 8, 10, callbacks=(broken,))


def test_interrupted_and_resumed_is_bit_identical(tmp_path):
    start = np.vstack([START, START + 0.1])
    rate = ns.schedules.Performance(0.02, patience=3, factor=0.5, min_delta=0.01)
    more = {"start": start, "early_stopping": ns.EarlyStopping(40), "check": make_rows(X[:, :9], Y[:, :9])}
    whole = train(Adam(rate, amsgrad=True), 20, 16, **more)
    file = tmp_path / "state.npz"

    def interrupt(epoch, logs):
        if epoch == 7 and logs["rep"] == 2:
            raise KeyboardInterrupt

    part = train(Adam(rate, amsgrad=True), 20, 16, checkpoint=file, callbacks=(interrupt,), **more)
    assert part.history.epochs[1] == 7
    assert not part.converged.all()
    rest = train(Adam(rate, amsgrad=True), 20, 16, checkpoint=file, **more)
    assert np.array_equal(rest.theta, whole.theta)
    assert np.array_equal(rest.history.values, whole.history.values)
    assert np.array_equal(rest.loss, whole.loss)
    longer = train(Adam(rate, amsgrad=True), 25, 16, checkpoint=file, **more)
    assert np.array_equal(longer.theta, train(Adam(rate, amsgrad=True), 25, 16, **more).theta)
    with pytest.raises(ns.errors.ArgumentError, match="another fit"):
        train(Adam(rate), 20, 16, checkpoint=file, **more)
    with pytest.raises(ns.errors.ArgumentError, match="already has 25 epochs"):
        train(Adam(rate, amsgrad=True), 20, 16, checkpoint=file, **more)
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]
    file.write_bytes(b"nonsense")
    with pytest.raises(ns.errors.FileFormatError, match="no checkpoint"):
        train(Adam(rate), 20, 16, checkpoint=file, **more)


# the interface --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"a": rng.standard_normal(60), "b": rng.uniform(size=60), "w": rng.uniform(0.5, 2, 60)})
    frame["y"] = 3 + 10 * np.sin(frame["a"]) + frame["b"]
    return frame


def test_a_fit_by_epochs(data, tmp_path):
    fit = raw.neuralnet("y ~ a + b", data, hidden=4, algorithm="adam", learningrate=0.02, epochs=500, batch_size=10, rep=2,
                       validation=0.25, early_stopping=ns.EarlyStopping(10), standardize=True, penalty=ns.decay(1e-3),
                       weights="w", random_state=1)  # fmt: skip
    assert fit.nobs == 45
    assert fit.converged
    assert fit.settings.threshold is None
    assert list(fit.history.columns) == ["rep", "epoch", "loss", "mse", "val_loss", "val_mse", "learning_rate"]
    assert fit.predict().notna().sum() == 45
    assert "threshold" not in fit.call
    # errors and gradients in the scale of sums, with n times the penalty
    np.testing.assert_allclose(np.abs(fit.gradients).max(axis=1), fit.fit.reached, rtol=1e-9)
    last = fit.predict(data.iloc[45:], rep=1)
    restored = fit.history[(fit.history["rep"] == 1) & (fit.history["epoch"] == fit.fit.history.best_epoch[0])]
    np.testing.assert_allclose(np.mean((last - data["y"][45:]) ** 2), restored["val_mse"].iloc[0], rtol=1e-9)
    assert np.all(fit.fit.history.best_epoch > 0)
    text = str(fit.summary())
    assert "adam" in text
    assert "WARNING" not in text
    fit.save(tmp_path / "fit.nst")
    loaded = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_frame_equal(loaded.history, fit.history)
    assert loaded.settings.early_stopping == fit.settings.early_stopping
    assert loaded.errors.tolist() == fit.errors.tolist()
    ax = fit.plot_history()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["training", "best epoch", "validation"] or len(
        ax.lines
    ) >= 4
    with pytest.raises(ns.errors.ArgumentError, match="metric must be one of 'loss', 'mse'"):
        fit.plot_history("accuracy")


@raw.CUT_SHORT
def test_validation_data_and_results_do_not_depend_on_threads(data):
    def fit(**more):
        return raw.neuralnet("y ~ a + b", data.iloc[:40], hidden=3, algorithm=Adam(0.02), epochs=5, rep=2, random_state=3,
                            validation=data.iloc[40:], **more)  # fmt: skip

    one, two = fit(n_jobs=1), fit(n_jobs=2)
    assert one.nobs == 40
    assert np.array_equal(one.fit.theta, two.fit.theta)
    arrays = raw.NeuralNet(data["y"].iloc[:40], data[["a", "b"]].iloc[:40], hidden=3, algorithm=Adam(0.02), epochs=5, rep=2,
                          random_state=3, validation=(data["y"].iloc[40:], data[["a", "b"]].iloc[40:])).fit()  # fmt: skip
    assert np.array_equal(one.fit.theta, arrays.fit.theta)
    np.testing.assert_array_equal(one.history["val_loss"], arrays.history["val_loss"])


@raw.CUT_SHORT
def test_no_epochs_and_explicit_rules(data):
    fit = raw.neuralnet("y ~ a", data, hidden=2, algorithm="sgd", epochs=0, random_state=1)
    assert np.array_equal(fit.fit.theta, fit.fit.start)
    assert fit.history.empty
    assert fit.fit.loss[0] == pytest.approx(0.5 * np.sum((data["y"] - fit.predict()) ** 2))
    fit = raw.neuralnet("y ~ a", data, hidden=0, algorithm="sgd", learningrate=0.3, epochs=2000, threshold=0.01,
                       batch_size=None, random_state=1)  # fmt: skip
    assert fit.reps["status"].tolist() == ["converged"]
    assert fit.fit.reached[0] <= 0.01
    with pytest.warns(ns.errors.ConvergenceWarning, match="within the epochs"):
        fit = raw.neuralnet("y ~ a", data, algorithm="sgd", epochs=50, stepmax=7, random_state=1)
    assert fit.fit.steps[0] == 7


def test_classes(data):
    frame = data.assign(g=np.where(data["a"] > 0.5, "high", np.where(data["a"] < -0.5, "low", "mid")))
    fit = raw.neuralnet("g ~ a + b", frame, hidden=3, family="multinomial", algorithm="rmsprop", learningrate=0.02, epochs=40,
                       batch_size=16, random_state=2, class_weight={"mid": 2.0})  # fmt: skip
    assert fit.history["accuracy"].iloc[-1] > 0.7
    np.testing.assert_allclose(fit.design.weights, np.where(frame["g"] == "mid", 2.0, 1.0))
    said = fit.predict(type="class")
    full = raw.neuralnet("g ~ a + b", frame, hidden=3, family="multinomial", algorithm="sgd", epochs=1, batch_size=None,
                        startweights=fit.weights[0], random_state=2)  # fmt: skip
    assert full.history["accuracy"].iloc[0] == pytest.approx(np.mean(said.to_numpy() == frame["g"].to_numpy()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 5}, r"epochs belongs to the minibatch optimizers .*'adam'.*algorithm='rprop\+'"),
        ({"validation": 0.2}, "validation belongs to"),
        ({"algorithm": "adam", "epochs": -1}, "epochs must be None or a whole number >= 0"),
        ({"algorithm": "adam", "batch_size": 0}, "batch_size must be None or a whole number >= 1"),
        ({"algorithm": "adam", "validation": 1.5}, "validation must be a share"),
        ({"algorithm": "adam", "validation": 0.999}, "validation=0.999 leaves 0 of 60 rows"),
        ({"algorithm": "adam", "early_stopping": 3}, "early_stopping must be None or an EarlyStopping"),
        ({"algorithm": "adam", "early_stopping": ns.EarlyStopping(1, monitor="val_loss")}, "needs validation="),
        ({"algorithm": "adam", "shuffle": "yes"}, "shuffle must be True or False"),
        ({"algorithm": "adam", "checkpoint": 5}, "checkpoint must be None or a path"),
        ({"algorithm": "adam", "checkpoint": "/nowhere/at/all"}, "there is no folder"),
        ({"algorithm": "adam", "keep": 1}, "keep is not possible"),
        ({"algorithm": "adam", "callbacks": [3]}, "callbacks must be None, a function or"),
        ({"algorithm": "adam", "class_weight": "balanced"}, "class_weight needs a factor"),
        ({"algorithm": "adam", "class_weight": 3}, "class_weight must be"),
        ({"algorithm": Adam(0.1), "learningrate": 0.1}, "learningrate: give it to the optimizer"),
        ({"algorithm": "adam", "compat": "R"}, "compat='R'"),
        ({"algorithm": "adamix"}, "unknown algorithm 'adamix'"),
    ],
)
def test_arguments_are_named(data, arguments, message):
    with pytest.raises(ns.errors.ArgumentError, match=message):
        raw.neuralnet("y ~ a", data, **arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam("fast"), "learning_rate must be a finite number > 0 or one of neuralstat.schedules; got 'fast'"),
        (lambda: Adam(0), "learning_rate must be a finite number > 0"),
        (lambda: Adam(beta_1=1.0), "beta_1 must be a finite number >= 0 and < 1"),
        (lambda: Adam(amsgrad=1), "amsgrad must be True or False; got 1"),
        (lambda: SGD(clipnorm=1, clipvalue=1), "only one of clipnorm"),
        (lambda: ns.EarlyStopping(-1), "patience must be a whole number >= 0; got -1"),
        (lambda: ns.schedules.Power(0.1, steps=0), "steps must be a finite number > 0"),
        (lambda: ns.schedules.Piecewise([2, 1], [1, 2, 3]), "boundaries must ascend"),
        (lambda: ns.schedules.Piecewise([1], [1]), "values must be one more"),
        (lambda: ns.schedules.Exponential(0.1, 5, per="batch"), "per must be one of"),
        (lambda: from_plain({"optimizer": "os.system"}), "not an optimizer"),
    ],
)
def test_settings_are_checked(make, message):
    with pytest.raises(ns.errors.ArgumentError, match=message):
        make()


def test_degrees_of_freedom_by_refitting(data):
    fit = raw.neuralnet("y ~ a", data, hidden=0, algorithm="sgd", learningrate=0.3, epochs=200, batch_size=None,
                       random_state=1)  # fmt: skip
    df = fit.df("gdf", random_state=1)
    assert df.se < 0.5
    assert float(df) == pytest.approx(2, abs=3 * df.se)  # least squares with an intercept


@raw.CUT_SHORT
def test_checkpoint_keeps_the_seeds(data, tmp_path):
    file = tmp_path / "fit.npz"
    arguments = {"hidden": 2, "algorithm": "adam", "batch_size": 8, "checkpoint": file}
    first = raw.neuralnet("y ~ a", data, epochs=3, **arguments)
    second = raw.neuralnet("y ~ a", data, epochs=6, **arguments)
    assert np.array_equal(first.fit.start, second.fit.start)
    whole = raw.neuralnet(
        "y ~ a", data, epochs=6, hidden=2, algorithm="adam", batch_size=8, random_state=first.seeds.entropy
    )
    assert np.array_equal(second.fit.theta, whole.fit.theta)
