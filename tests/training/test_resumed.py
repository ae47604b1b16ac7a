"""`update(resume=True)`: epochs in two calls are those of one."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.optimizers import MINIBATCH

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
DATA = ns.datasets.sine(50, random_state=1)
COMMON = {"hidden": 3, "batch_size": 8, "random_state": 1, "rep": 2}
RNG = np.random.default_rng(2)
IMAGES = {"x": RNG.normal(size=(24, 5, 5, 1)), "y": np.resize(["a", "b"], 24)}
CNN = [ns.layers.Conv2D(2, 3, "relu"), ns.layers.BatchNorm(), ns.layers.Flatten(), ns.layers.Dropout(0.3)]


def _alike(two, one):
    np.testing.assert_array_equal(two.theta, one.theta)
    for name in ("start", "loss", "reached", "steps", "status"):
        np.testing.assert_array_equal(getattr(two.fit, name), getattr(one.fit, name))
    pd.testing.assert_frame_equal(two.history, one.history)
    assert two.settings.epochs == one.settings.epochs and two.call == one.call


@pytest.mark.parametrize("algorithm", list(MINIBATCH))
def test_one_and_one_are_two_bit_for_bit(algorithm):
    first = ns.neuralnet("y ~ x", DATA, algorithm=algorithm, epochs=1, **COMMON)
    kept = first.theta.copy()
    two = ns.neuralnet("y ~ x", DATA, algorithm=algorithm, epochs=2, **COMMON)
    more = first.update(epochs=1, resume=True)
    _alike(more, two)
    np.testing.assert_array_equal(first.theta, kept)  # the first fit stays what it was
    assert len(first.history) == 2 and not np.array_equal(first.update(epochs=1).theta, two.theta)  # which begins anew
    _alike(first.update(epochs=1, resume=True), two)
    _alike(more.update(epochs=2, resume=True), ns.neuralnet("y ~ x", DATA, algorithm=algorithm, epochs=4, **COMMON))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers_dropout_moving_averages_metrics_and_validation(dtype):
    common = {"layers": CNN, "batch_size": 7, "random_state": 3, "algorithm": "adam", "family": "binomial", "dtype": dtype,
              "validation": 0.25, "metrics": ["auc"], "penalty": ns.decay(0.1)}  # fmt: skip
    parts = ns.neuralnet("y ~ x", IMAGES, epochs=2, **common).update(epochs=3, resume=True)
    _alike(parts, ns.neuralnet("y ~ x", IMAGES, epochs=5, **common))
    assert parts.history["epoch"].tolist() == [1, 2, 3, 4, 5] and parts.history["val_auc"].notna().all()


def test_rates_that_follow_steps_and_losses_go_on():
    for rate in (ns.schedules.Exponential(0.05, steps=4), ns.schedules.Performance(0.05, factor=0.5, patience=1)):
        common = {**COMMON, "algorithm": "sgd", "learningrate": rate}
        parts = ns.neuralnet("y ~ x", DATA, epochs=3, **common).update(epochs=6, resume=True)
        _alike(parts, ns.neuralnet("y ~ x", DATA, epochs=9, **common))


def test_no_epochs_and_then_some():
    _alike(ns.neuralnet("y ~ x", DATA, algorithm="adagrad", epochs=0, **COMMON).update(epochs=2, resume=True),
           ns.neuralnet("y ~ x", DATA, algorithm="adagrad", epochs=2, **COMMON))  # fmt: skip


def test_what_cannot_go_on(tmp_path):
    fit = ns.neuralnet("y ~ x", DATA, algorithm="adam", epochs=1, **COMMON)
    with pytest.raises(ArgumentError, match="not learningrate"):
        fit.update(epochs=1, learningrate=0.1, resume=True)
    for epochs in (0, None, 1.5):
        with pytest.raises(ArgumentError, match="epochs"):
            fit.update(epochs=epochs, resume=True)
    with pytest.raises(ArgumentError, match="resume"):
        fit.update(epochs=1, resume="yes")
    fit.save(tmp_path / "a.nst")
    with pytest.raises(ArgumentError, match="files of fits do not"):
        ns.load(tmp_path / "a.nst").update(epochs=1, resume=True)
    with pytest.raises(ArgumentError, match="optimizer's state"):
        ns.neuralnet("y ~ x", DATA, hidden=1, rep=1, random_state=1).update(epochs=1, resume=True)
    stopped = ns.neuralnet("y ~ x", DATA, algorithm="adam", epochs=5, callbacks=[lambda epoch, logs: epoch == 2], **COMMON)
    with pytest.raises(ArgumentError, match="all their epochs"):
        stopped.update(epochs=1, resume=True)
