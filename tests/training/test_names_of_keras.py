"""Names of optimizers as Keras writes them; schedules as learning rate."""

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.optimizers import MINIBATCH

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
DATA = ns.datasets.sine(30, random_state=1)
COMMON = {"hidden": 2, "epochs": 2, "batch_size": 8, "random_state": 1}


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Nadam", "Adadelta", "Adamax", "Lion"])
def test_optimizers_by_the_names_of_keras_classes(name):
    assert name.lower() in MINIBATCH and hasattr(ns.optimizers, name)
    theirs, ours = (ns.neuralnet("y ~ x", DATA, algorithm=n, **COMMON) for n in (name, name.lower()))
    np.testing.assert_array_equal(theirs.params, ours.params)
    assert theirs.settings.algorithm == name.lower()


def test_other_spellings_are_unknown():
    with pytest.raises(ArgumentError, match="unknown algorithm 'ADAM'"):
        ns.neuralnet("y ~ x", DATA, algorithm="ADAM", **COMMON)


@pytest.mark.parametrize("name", list(MINIBATCH))
def test_a_schedule_may_be_the_learning_rate(name, tmp_path):
    rates = ns.schedules.Exponential(0.05, steps=3)
    fit = ns.neuralnet("y ~ x", DATA, algorithm=name, learningrate=rates, **COMMON)
    other = MINIBATCH[name]
    same = ns.neuralnet("y ~ x", DATA, algorithm=type(other)(**{**vars(other), "learning_rate": rates}), **COMMON)
    np.testing.assert_array_equal(fit.params, same.params)
    assert fit.history["learning_rate"].iloc[-1] == pytest.approx(rates.rates(7, 1, 4, 8)[0])
    fit.save(tmp_path / "a.nst")
    assert ns.load(tmp_path / "a.nst").settings.algorithm == fit.settings.algorithm
    again = eval(f"ns.{fit.call}", {"ns": ns, "data": DATA, "Exponential": ns.schedules.Exponential, **vars(ns.optimizers)})
    np.testing.assert_array_equal(again.params, fit.params)


@pytest.mark.parametrize("algorithm", ["rprop+", "backprop", "lm", ns.optimizers.Adam()])
def test_other_algorithms_have_no_schedule(algorithm):
    with pytest.raises(ArgumentError, match=r"^learningrate: a schedule belongs"):
        ns.neuralnet("y ~ x", DATA, algorithm=algorithm, learningrate=ns.schedules.Exponential(0.05, steps=3), hidden=1)
