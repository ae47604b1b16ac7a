"""Arguments of the layer inside `TimeDistributed` hold as they do outside; what draws random numbers there is no constant."""

import numpy as np
import pytest

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError
from neuralstat.network.arrays import array_shapes, positions
from neuralstat.network.constraints import bound
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.network.penalties import regularizers
from neuralstat.network.start import INITS
from neuralstat.network.upstream import constant_rows
from neuralstat.training import epochs
from neuralstat.training.train import check_possible

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
RNG = np.random.default_rng(4)
INNER = {
    "dense": (L.Dense, (3,), {"units": 2, "kernel_initializer": "ones", "kernel_regularizer": L.L1L2(0.1, 0.3),
                              "kernel_constraint": "max_norm", "bias_regularizer": "l1"}),
    "conv": (L.Conv1D, (4, 2), {"filters": 2, "kernel_size": 2, "bias_initializer": "ones", "kernel_regularizer": 0.2,
                                "kernel_constraint": L.MaxNorm(3, (0, 1))}),
    "depthwise": (L.DepthwiseConv1D, (4, 2), {"kernel_size": 2, "depthwise_initializer": "ones",
                                              "depthwise_regularizer": "l2", "depthwise_constraint": "non_neg"}),
    "lstm": (L.LSTM, (4, 2), {"units": 2, "unit_forget_bias": False, "recurrent_initializer": "zeros",
                              "recurrent_regularizer": "l1", "kernel_constraint": "unit_norm"}),
    "forgets": (L.LSTM, (4, 2), {"units": 2}),
    "gru": (L.GRU, (4, 2), {"units": 2, "bias_initializer": "ones", "bias_regularizer": "l2"}),
}  # fmt: skip


def _network(layers, shape):
    goal = objective("sse", resolve_activation("identity"))
    names = tuple(f"x{j}" for j in range(int(np.prod(shape))))
    return Network((*layers, L.Flatten(), L.Dense(1)), shape, goal, names, ("y",))


def _arrays(network):
    """Of the first layer: places, shapes, start weights where these are not random, penalties, groups under constraints."""
    own = {name.partition("/")[2]: at for name, at in positions(network).items() if not name.startswith("dense_1/")
           and not name.startswith("last/")}  # fmt: skip
    start = INITS["keras"](network, np.random.default_rng(5), np.zeros((2, 0)))
    shapes = {name.partition("/")[2]: shape for name, shape in array_shapes(network).items() if name.startswith("own/")}
    penalty, limits = regularizers(network), bound(network, np.ones(network.n_params, bool))
    first = max(int(at.max()) for at in own.values()) + 1
    return {
        "shapes": shapes, "start": start[:first], "penalty": None if penalty is None else penalty[:first],
        "places": {name: at.tolist() for name, at in own.items() if at.max() < first},
        "limits": limits.limits.tolist(), "groups": limits.at.tolist(),
    }  # fmt: skip


@pytest.mark.parametrize("name", INNER)
def test_arguments_inside_hold(name):
    """One time, so that both networks have the same weights at the same places."""
    kind, shape, given = INNER[name]
    plain = _arrays(_network([kind(**given, name="own")], shape))
    inside = _arrays(_network([L.TimeDistributed(kind(**given), name="own")], (1, *shape)))
    for what, value in plain.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(inside[what], value, err_msg=what)
        else:
            assert inside[what] == value, what
    assert plain["penalty"] is not None or name == "forgets"
    assert set(plain["shapes"]) == {part for part in plain["places"] if part in plain["shapes"]}


def test_forget_gates_inside_start_open():
    network = _network([L.TimeDistributed(L.LSTM(2), name="own")], (3, 4, 2))
    start = INITS["keras"](network, np.random.default_rng(1), np.zeros((2, 0)))
    np.testing.assert_array_equal(start[positions(network)["own/bias"]], [0, 0, 1, 1, 0, 0, 0, 0])
    assert array_shapes(network)["own/kernel"] == (2, 8)


def test_penalties_and_constraints_inside_train():
    data = {"y": RNG.normal(size=30), "x": RNG.normal(size=(30, 4, 2))}

    def fit(**given):
        layers = [L.TimeDistributed(L.Dense(3, "tanh", **given), name="each"), L.Flatten()]
        return ns.neuralnet("y ~ x", data, layers=layers, algorithm="adam", epochs=20, learningrate=0.05, random_state=1,
                            batch_size=10).get_weights()["each/kernel"]  # fmt: skip

    free, drawn, cut = fit(), fit(kernel_regularizer=L.L2(3.0)), fit(kernel_constraint=L.MaxNorm(0.05))
    assert np.abs(drawn).max() < 0.2 * np.abs(free).max()
    assert np.sqrt((cut**2).sum(axis=0)).max() < 0.05 + 1e-6


@pytest.mark.parametrize("inner, constant", [
    (L.LSTM(2), True), (L.LSTM(2, dropout=0.3), False), (L.GRU(2, recurrent_dropout=0.3), False), (L.Dropout(0.0), True),
    (L.Dropout(0.3), False), (L.SpatialDropout1D(0.2), False), (L.GaussianNoise(0.1), False), (L.Activation("tanh"), True),
], ids=lambda v: str(v).partition("(")[0])  # fmt: skip
def test_what_is_random_inside_is_not_constant(inner, constant):
    network = _network([L.Conv2D(2, (1, 2), name="base"), L.TimeDistributed(inner, name="each")], (2, 4, 2))
    free = np.zeros(network.n_params, bool)
    free[-1] = True
    fixed = constant_rows(network, free, np.full(len(network.table), -1.0))
    assert fixed.tolist() == [True, constant, constant, False]
    plain = _network([L.Reshape((4, 2)), inner], (4, 2, 1))
    if getattr(inner, "dropout", 0) or getattr(inner, "rate", 0) or hasattr(inner, "stddev"):
        with pytest.raises(ArgumentError, match=f"a network with {type(inner).__name__}"):
            check_possible(plain, np.float64, "rprop+", None, None)


def test_frozen_recurrent_layers_inside_drop_at_every_step(monkeypatch):
    """A fit that works features out once must be the fit that works everything out at every step."""
    data = {"y": RNG.normal(size=12), "x": RNG.normal(size=(12, 2, 3, 2))}
    layers = [L.TimeDistributed(L.LSTM(2, dropout=0.4), name="each"), L.Flatten()]
    fits = []
    for whole in (False, True):
        if whole:
            monkeypatch.setattr(epochs, "remainder", lambda *args: None)
        fits.append(ns.neuralnet("y ~ x", data, layers=layers, freeze="each", algorithm="adam", epochs=3, batch_size=6,
                                 random_state=2))  # fmt: skip
    np.testing.assert_array_equal(fits[0].fit.theta, fits[1].fit.theta)
