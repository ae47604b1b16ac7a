"""Frozen layers: units worked out once, gradients no further down than is wanted, and the same fits bit for bit."""

import gc
import pickle
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.engine import batches
from neuralstat.layers import (
    LSTM,
    Activation,
    BatchNorm,
    Bidirectional,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    From,
    GlobalAvgPool,
    Masking,
    MaxPool2D,
    MultiHeadAttention,
    codes,
)
from neuralstat.network.upstream import wanted_table
from neuralstat.training import ending, epochs, refits, remainder, train

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
RNG = np.random.default_rng(1)
KIND = np.resize(["a", "b"], 40)
IMAGES = {"y": KIND, "x": RNG.normal(size=(40, 6, 6, 2))}
SERIES = {"y": KIND, "x": RNG.normal(size=(40, 5, 2))}
TEXTS = {"y": KIND, "x": RNG.integers(0, 7, (40, 5))}
TABLE = pd.DataFrame(RNG.normal(size=(40, 4)), columns=["y", "u", "v", "w"])
CNN = [Conv2D(3, 3, "relu", name="conv"), BatchNorm(name="norm"), MaxPool2D(2), Flatten(), Dropout(0.3),
       Dense(4, "tanh", name="top")]  # fmt: skip
COMMON = {"algorithm": "adam", "epochs": 3, "batch_size": 12, "random_state": 2}
LAYERED = {**COMMON, "family": "multinomial"}


@pytest.fixture
def both(monkeypatch):
    """``both(make)``: a fit, the same fit that works everything out at every step, and what was left to train on."""
    made = []

    def left(*args):
        made.append(remainder.remainder(*args))
        return made[-1]

    def both(make):
        monkeypatch.setattr(epochs, "remainder", left)
        quick = make()
        monkeypatch.setattr(epochs, "remainder", lambda *args: None)
        return quick, make(), made[-1]

    return both


def _alike(a, b):
    np.testing.assert_array_equal(a.fit.theta, b.fit.theta)
    pd.testing.assert_frame_equal(a.history, b.history)
    for name in ("loss", "reached", "steps", "status"):
        np.testing.assert_array_equal(getattr(a.fit, name), getattr(b.fit, name))
    for (s, e), (t, f) in zip(a.fit.trace, b.fit.trace, strict=True):
        np.testing.assert_array_equal(s, t)
        np.testing.assert_array_equal(e, f)


@pytest.mark.parametrize("data, layers, freeze, rows", [
    (IMAGES, CNN, ["conv", "norm"], 3),
    (IMAGES, CNN, ["conv"], 5),
    (IMAGES, CNN, ["top"], None),
    (IMAGES, CNN, ["conv", "norm", "top"], 3),
    (IMAGES, CNN, ["conv/kernel"], None),
    (SERIES, [LSTM(3, return_sequences=True, name="first"), LSTM(2, name="second")], ["first"], 2),
    (SERIES, [LSTM(3, return_sequences=True, name="first"), LSTM(2, name="second")], ["second"], None),
    (TEXTS, [Embedding(7, 2, name="words"), Flatten(), Dense(3, "tanh")], ["words"], 2),
])  # fmt: skip
def test_chains(both, data, layers, freeze, rows):
    quick, slow, left = both(lambda: ns.neuralnet("y ~ x", data, layers=layers, freeze=freeze, **LAYERED))
    _alike(quick, slow)
    assert (None if left is None else len(left.net.table)) == rows
    if left is not None:
        held = ~quick.fit.free[0]
        assert left.weights.size < held.size and held.sum() >= held.size - left.weights.size


WORDS = Embedding(7, 2, mask_zero=True, name="words")


@pytest.mark.parametrize("layers, freeze, rows", [
    ([WORDS, Dropout(0.2), GlobalAvgPool(), Dense(3, "tanh")], ["words"], 4),
    ([WORDS, LSTM(3), Dense(3, "tanh")], ["words"], 3),
    ([WORDS, LSTM(3, return_sequences=True, name="first"), Dropout(0.2), GlobalAvgPool()], ["words", "first"], 3),
    ([WORDS, MultiHeadAttention(1, 2, name="own"), GlobalAvgPool()], ["words"], 10),
    ([WORDS, Bidirectional(LSTM(2, return_sequences=True), name="both"), LSTM(2)], ["words"], 9),
    ([WORDS, Activation("tanh", name="a"), From("input"), Embedding(7, 2, name="plain"),
      Concatenate(["plain", "a"], axis=1), LSTM(2)], ["words"], None),
    ([Embedding(7, 2, name="plain"), Masking(), LSTM(2, name="end")], ["end"], None),
], ids=["mean", "recurrent", "both", "attention", "two ways", "joined", "trained"])  # fmt: skip
def test_masks_are_features_too(both, layers, freeze, rows):
    texts = np.where(np.arange(5) < RNG.integers(0, 6, 40)[:, None], TEXTS["x"], 0)
    quick, slow, left = both(lambda: ns.neuralnet("y ~ x", {"y": KIND, "x": texts}, layers=layers, freeze=freeze, **LAYERED))
    _alike(quick, slow)
    assert (None if left is None else len(left.net.table)) == rows


@pytest.mark.parametrize("more", [
    {"rep": 3}, {"dtype": "float32", "validation": 0.25, "metrics": ["auc"]}, {"penalty": ns.decay(0.01), "rep": 2},
    {"early_stopping": ns.EarlyStopping(1, monitor="val_auc"), "validation": 0.25, "epochs": 6},
    {"early_stopping": ns.EarlyStopping(1), "validation": 0.25, "epochs": 9, "learningrate": 0.3},
    {"algorithm": ns.optimizers.Adam(clipnorm=0.05)}, {"threshold": 1e-9}, {"stepmax": 5}, {"n_jobs": 1, "rep": 2},
], ids=str)  # fmt: skip
def test_ways_of_training(both, more):
    settings = {**LAYERED, "freeze": ["conv", "norm"], **more}
    quick, slow, left = both(lambda: ns.neuralnet("y ~ x", IMAGES, layers=CNN, **settings))
    _alike(quick, slow)
    assert left is not None and (left.sources.max() + 1 == quick.fit.theta.shape[0])  # each has random frozen weights
    assert (left.weights.size == quick.fit.theta.shape[1]) == ("penalty" in more)  # whose penalty is part of the loss


def test_networks_with_the_same_frozen_weights_share_features(both):
    given = ns.neuralnet("y ~ x", IMAGES, layers=CNN, **{**LAYERED, "epochs": 0}).get_weights()
    start = {name: array for name, array in given.items() if name.startswith(("conv", "norm"))}
    quick, slow, left = both(
        lambda: ns.neuralnet("y ~ x", IMAGES, layers=CNN, freeze=["conv", "norm"], startweights=start, rep=3, **LAYERED)
    )
    _alike(quick, slow)
    assert left.sources.tolist() == [0, 0, 0]


def test_dense_chains_and_what_stands_beside(both):
    layers = [Dense(4, "tanh", name="one"), Dense(3, "tanh", name="two")]
    quick, slow, left = both(lambda: ns.neuralnet("y ~ u + v", TABLE, layers=layers, freeze=["one"], **COMMON))
    _alike(quick, slow)
    assert len(left.net.table) == 2
    data = {"y": TABLE["y"].to_numpy(), "u": TABLE["u"].to_numpy(), "x": IMAGES["x"]}
    layers = [Conv2D(2, 3, "relu", name="conv"), Flatten(), Dense(3, "tanh")]
    quick, slow, left = both(lambda: ns.neuralnet("y ~ u + x", data, layers=layers, freeze=["conv"], **COMMON))
    _alike(quick, slow)
    assert left.at.size == 33  # 4 x 4 x 2 units and u


def test_towers(both):
    formula = "y ~ u + nn(v, hidden=3) + nn(w, hidden=4)"
    names = ns.neuralnet(formula, TABLE, **{**COMMON, "epochs": 0}).network.names
    first, second = ([n for n in names if f".to.nn({x})" in n] for x in "vw")
    for held, rows in ((first, 2), (second, 2), (first + second, 1)):
        quick, slow, left = both(
            lambda held=held: ns.neuralnet(formula, TABLE, exclude=held, constant_weights=[0.3] * len(held), **COMMON)
        )
        _alike(quick, slow)
        assert left is None or len(left.net.table) == rows
    assert left is not None


def test_checkpoints_and_fits_that_go_on(both, tmp_path):
    base = {"layers": CNN, "freeze": ["conv", "norm"], "validation": 0.25, **LAYERED}
    whole = ns.neuralnet("y ~ x", IMAGES, **{**base, "epochs": 5})
    quick, slow, _ = both(lambda: ns.neuralnet("y ~ x", IMAGES, **base))
    _alike(quick.update(resume=True, epochs=2), whole)
    _alike(slow.update(resume=True, epochs=2), whole)
    for first, then in ((remainder.remainder, None), (None, remainder.remainder)):
        path = tmp_path / f"{first is None}.npz"
        for how, n in ((first, 3), (then, 5)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(epochs, "remainder", how or (lambda *args: None))
                fit = ns.neuralnet("y ~ x", IMAGES, checkpoint=path, **{**base, "epochs": n})
        _alike(fit, whole)
    seen = []
    told = ns.neuralnet("y ~ x", IMAGES, callbacks=[lambda epoch, logs: seen.append(logs["loss"])], **base)
    assert seen == told.history["loss"].tolist() == quick.history["loss"].tolist()
    free = quick.update(freeze=None, epochs=1)
    assert not np.array_equal(free.get_weights()["conv/kernel"], quick.get_weights()["conv/kernel"])


def test_features_that_do_not_fit_are_not_kept(monkeypatch, both):
    _, slow, left = both(lambda: ns.neuralnet("y ~ x", IMAGES, layers=CNN, freeze=["conv", "norm"], **LAYERED))
    monkeypatch.setattr(remainder, "memory_at_hand", lambda: 10_000)
    again, _, none = both(lambda: ns.neuralnet("y ~ x", IMAGES, layers=CNN, freeze=["conv", "norm"], **LAYERED))
    assert left is not None and none is None
    _alike(again, slow)


def test_changed_images_are_not_worked_out_once(monkeypatch):
    monkeypatch.setattr(epochs, "remainder", lambda *args: pytest.fail("every epoch has images of its own"))
    augment = ns.augment.ImageAugmenter(flip=True)
    ns.neuralnet("y ~ x", IMAGES, layers=CNN, freeze=["conv", "norm"], augment=augment, **LAYERED)


def test_no_gradient_below_the_last_trained_layer():
    network = ns.neuralnet("y ~ x", IMAGES, layers=CNN, **{**LAYERED, "epochs": 0}).fitted.network
    part = dict(zip(("conv", "norm", "top", "output"), [network.slices[k] for k in (0, 1, 4, 5)], strict=True))

    def wanted(*names):
        free = np.zeros(network.n_params, bool)
        for name in names:
            free[part[name]] = True
        return wanted_table(network, free)[:, codes.WANTED].tolist()

    assert wanted("conv", "norm", "top", "output") == [1, 3, 2, 2, 3, 3]
    assert wanted("top", "output") == [0, 0, 0, 0, 1, 3]
    assert wanted("output") == [0, 0, 0, 0, 0, 1]
    assert wanted("norm") == [0, 1, 2, 2, 2, 2]
    assert wanted("conv", "output") == [1, 2, 2, 2, 2, 3]
    free = np.ones((2, network.n_params), bool)
    free[0] = False
    assert wanted_table(network, free)[0, codes.WANTED] == 1  # in any network of the stack


@pytest.mark.parametrize("algorithm", ["rprop+", "lm", "bfgs", "lbfgs"])
def test_full_batches_leave_frozen_gradients_out(monkeypatch, algorithm):
    layers = [Dense(4, "tanh", name="one"), Dense(3, "tanh", name="two")]
    for freeze in (["one"], ["two"], ["two", "output"], ["one/bias"]):
        fits = []
        for table in (wanted_table, lambda network, free: network.table):
            monkeypatch.setattr(train, "wanted_table", table)
            fits.append(ns.neuralnet("y ~ u + v", TABLE, layers=layers, freeze=[n.replace("output", "dense") for n in freeze],
                                     algorithm=algorithm, stepmax=25, random_state=3, rep=2))  # fmt: skip
        np.testing.assert_array_equal(fits[0].fit.theta, fits[1].fit.theta)
        np.testing.assert_array_equal(fits[0].fit.loss, fits[1].fit.loss)


def test_slopes_along_inputs_pass_through_frozen_layers():
    fit = ns.neuralnet("y ~ x", IMAGES, layers=CNN, freeze=["conv", "norm"], **LAYERED)
    size = 1e-6
    moved = {**IMAGES, "x": IMAGES["x"].copy()}
    moved["x"][:, 2, 3, 1] += size
    rise = (fit.predict(moved, rep=1) - fit.predict(IMAGES, rep=1)).to_numpy()[:, 0] / size
    slope = ns.insight.saliency(fit, IMAGES, output="a")[:, 2, 3, 1]
    np.testing.assert_allclose(slope, rise, atol=1e-5)
    assert np.abs(slope).max() > 1e-4


def test_the_loss_is_worked_out_when_it_is_asked_for(monkeypatch):
    calls = []
    measure = ending.Ending.measure
    monkeypatch.setattr(ending.Ending, "measure", lambda self, b, rows: (calls.append(b), measure(self, b, rows))[1])
    monkeypatch.setattr("neuralstat.inference.diagnose.MOST_PRODUCTS", 0.0)
    fit = ns.neuralnet("y ~ x", IMAGES, layers=CNN, **LAYERED)
    assert not fit.converged and len(fit.history) == 3 and fit.predict(rep="best").shape == (40, 2) and calls == []
    data = fit.fitted.data
    expected = ns.network.derivatives.error(fit.network, data, fit.fit.theta[0])
    np.testing.assert_allclose(fit.fit.loss, [expected], rtol=1e-12)
    np.testing.assert_allclose(fit.fit.reached, [np.abs(fit.fitted.gradients).max()], rtol=1e-9)
    assert calls == [0]  # once
    three = ns.neuralnet("y ~ x", IMAGES, layers=CNN, rep=3, **LAYERED)
    assert sorted(calls[1:]) == [0, 1, 2]  # the best of them is asked for
    assert three.fitted.best == np.argmin(three.fit.loss)


def counted(monkeypatch, delay=0.0):
    """Calls of the late pass over all rows."""
    calls, measure = [], ending.Ending.measure

    def late(self, b, rows):
        calls.append(b)
        time.sleep(delay)
        measure(self, b, rows)

    monkeypatch.setattr(ending.Ending, "measure", late)
    return calls


def test_threads_that_ask_for_the_loss_at_once_get_one_pass(monkeypatch):
    monkeypatch.setattr("neuralstat.inference.diagnose.MOST_PRODUCTS", 0.0)  # which asks, too
    fit = ns.neuralnet("y ~ x", IMAGES, layers=CNN, **LAYERED).fit
    calls = counted(monkeypatch, delay=0.1)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda name: getattr(fit, name)[0], ["loss", "reached"] * 3))
    assert calls == [0]
    assert found == [fit.loss[0], fit.reached[0]] * 3 and np.isfinite(found).all()


def test_a_fit_that_diverged_is_gone_through_once(monkeypatch):
    monkeypatch.setattr("neuralstat.inference.diagnose.MOST_PRODUCTS", 0.0)
    calls = counted(monkeypatch)
    fit = ns.neuralnet("y ~ u", TABLE, hidden=0, **{**COMMON, "algorithm": "sgd"}, learningrate=1e200).fit
    assert not np.isfinite(fit.reached[0]) and not np.isfinite(fit.loss[0]) and len(fit.trace) == 1
    assert not np.isfinite(fit.reached[0]) and calls == [0]


def test_a_fit_holds_nothing_that_only_its_loss_needs():
    """Rows of refits are made again, and let go once they were read."""
    fit = ns.neuralnet("y ~ u + v", TABLE, hidden=2, **COMMON)
    made, own = [], refits.make_rows

    def noted(*args, **more):
        rows = own(*args, **more)
        made.append(weakref.ref(rows.inputs))
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refits, "make_rows", noted)
        again = refits.Refits(fit.fitted.procedure, fit.fit)
        samples = [np.arange(40), np.repeat(np.arange(20), 2)]
        found = again.to_samples(samples, np.stack([fit.fit.start] * 2))
        found.append(again.to_responses(fit.fitted.design.y[np.newaxis], fit.fit.start))
        gc.collect()
        assert len(made) == 3 and all(ref() is None for ref in made)
        for k in (0, 2):
            np.testing.assert_array_equal(found[k].loss, fit.fit.loss)
        assert found[1].loss != fit.fit.loss
        gc.collect()
        assert len(made) == 6 and all(ref() is None for ref in made)


def test_start_weights_are_not_converged_and_ask_for_nothing(monkeypatch):
    monkeypatch.setattr(ending.Ending, "measure", lambda *args: pytest.fail("nobody asked"))
    monkeypatch.setattr(batches, "train_batches", lambda *args: pytest.fail("nothing is trained"))
    fit = ns.neuralnet("y ~ x", IMAGES, layers=CNN, freeze=["conv"], **{**LAYERED, "epochs": 0})
    assert not fit.converged and len(fit.history) == 0
    np.testing.assert_array_equal(fit.fit.theta, fit.fit.start)
    monkeypatch.undo()
    (place,) = fit.diagnose().query("finding == 'not converged'")["where"]
    assert place == "epochs=0: these are start weights"
    ((steps, errors),) = fit.fit.trace
    assert steps.tolist() == [0] and errors.tolist() == fit.fit.loss.tolist()


def test_fits_are_pickled_and_saved_with_their_loss(tmp_path):
    fit = ns.neuralnet("y ~ x", IMAGES, layers=CNN, **LAYERED)
    again = pickle.loads(pickle.dumps(fit.fit))
    fit.save(tmp_path / "fit.nst")
    for other in (again, ns.load(tmp_path / "fit.nst").fit):
        np.testing.assert_array_equal(other.loss, fit.fit.loss)
        np.testing.assert_array_equal(other.reached, fit.fit.reached)


def test_large_fits_that_diverged_are_said_by_what_was_recorded(monkeypatch):
    monkeypatch.setattr("neuralstat.inference.diagnose.MOST_PRODUCTS", 0.0)
    monkeypatch.setattr(ending.Ending, "measure", lambda *args: pytest.fail("nobody asked"))
    with pytest.warns(ns.errors.FitWarning, match="Diverged: .*last epoch is worse than that of the intercept alone"):
        ns.neuralnet("y ~ x", IMAGES, layers=CNN, learningrate=30.0, **LAYERED)
