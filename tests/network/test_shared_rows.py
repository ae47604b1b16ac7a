"""Rows of a table that share weights with a row before them want gradients where those are free."""

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.layers import Conv1D, Dense, Flatten, TimeDistributed, codes
from neuralstat.network.upstream import wanted_table, weight_slices
from neuralstat.training import epochs, remainder

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
RNG = np.random.default_rng(4)
DATA = {"y": RNG.normal(size=20), "x": RNG.normal(size=(20, 4, 2))}
LAYERS = [Conv1D(3, 1, "tanh", name="base"), TimeDistributed(Dense(2, "tanh"), name="each"), Flatten()]
COMMON = {"layers": LAYERS, "algorithm": "adam", "epochs": 3, "batch_size": 8, "random_state": 2}


def test_each_time_gives_gradients():
    network = ns.neuralnet("y ~ x", DATA, **{**COMMON, "epochs": 0}).network
    table, parts = wanted_table(network, np.ones(network.n_params, bool)), weight_slices(network)
    rows = [k for k, part in enumerate(parts) if part.stop - part.start == 8]
    assert len(rows) == 4 and set(table[rows, codes.WANTED]) == {3}
    free = np.ones(network.n_params, bool)
    free[parts[rows[0]]] = False
    assert set(wanted_table(network, free)[rows, codes.WANTED]) == {2}


@pytest.mark.parametrize("freeze", [["base"], ["each"], ["base", "each"]])
def test_fits_are_those_that_leave_nothing_out(monkeypatch, freeze):
    quick, made = None, []
    for whole in (False, True):
        def left(*args):
            made.append(remainder.remainder(*args))
            return made[-1]

        monkeypatch.setattr(epochs, "remainder", (lambda *args: None) if whole else left)
        if whole:
            monkeypatch.setattr(epochs, "wanted_table", lambda network, free: network.table)
        fit = ns.neuralnet("y ~ x", DATA, freeze=freeze, **COMMON)
        quick = quick or fit
    np.testing.assert_array_equal(quick.fit.theta, fit.fit.theta)
    assert (made[0] is None) == (freeze == ["each"])


def test_constraints_hold_beside_frozen_layers():
    layers = [Dense(4, "tanh", name="base"), Dense(5, "tanh", name="top", kernel_constraint=ns.layers.MaxNorm(0.1))]
    data = {"y": DATA["y"], "u": DATA["x"][:, 0, 0], "v": DATA["x"][:, 1, 1]}
    fit = ns.neuralnet("y ~ u + v", data, freeze="base", **{**COMMON, "layers": layers, "learningrate": 0.1})
    norms = np.sqrt((fit.get_weights()["top/kernel"] ** 2).sum(axis=0))
    assert norms.max() < 0.1 + 1e-6 and norms.min() > 0.05
