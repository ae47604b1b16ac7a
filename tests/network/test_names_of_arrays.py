"""Arrays belong to layers, and these to others, by what they are and not by how they are called."""

import pickle

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.applications.application import Application
from neuralstat.errors import ArgumentError
from neuralstat.network.arrays import array_shapes, positions
from neuralstat.network.names import name_of
from neuralstat.network.penalties import coefficients

RNG = np.random.default_rng(1)
DATA = {"y": RNG.normal(size=20), "z": RNG.normal(size=20), "x": RNG.normal(size=(20, 4, 4, 2)),
        "s": RNG.normal(size=(20, 5, 2))}  # fmt: skip
IMAGE = [L.Conv2D(2, 1, name="block/depthwise"), L.Conv2D(2, 1, name="block/pointwise"), L.SeparableConv2D(3, 2), L.Flatten(),
         L.Dense(2, name="block")]  # fmt: skip
SERIES = [L.Bidirectional(L.LSTM(2, return_sequences=True), name="both"), L.MultiHeadAttention(1, 2, name="own"),
          L.SeparableConv1D(3, 2, name="apart"), L.GRU(2, name="own/gru")]  # fmt: skip


def fit(formula, **more):
    return raw.neuralnet(formula, DATA, **{"algorithm": "adam", "epochs": 0, "random_state": 1, **more})


def test_names_with_slashes_are_no_parts():
    network = fit("y ~ x", layers=IMAGE).network
    names = ["block/depthwise/kernel", "block/depthwise/bias", "block/pointwise/kernel", "block/pointwise/bias",
             "separable_conv2d/depthwise_kernel", "separable_conv2d/pointwise_kernel", "separable_conv2d/bias",
             "block/kernel", "block/bias", "dense/kernel", "dense/bias"]  # fmt: skip
    assert list(positions(network)) == list(array_shapes(network)) == names
    covered = np.concatenate([at.ravel() for at in positions(network).values()])
    assert np.unique(covered).size == covered.size
    assert list(positions(pickle.loads(pickle.dumps(network)))) == names


@pytest.mark.parametrize("formula, more", [
    ("y ~ x", {"layers": IMAGE}), ("y ~ s", {"layers": SERIES}), ("y ~ z + nn(s, layers=own)", {"towers": {"own": SERIES}}),
])  # fmt: skip
def test_one_weight_has_the_name_that_it_has_among_all(formula, more):
    whole, single = (fit(formula, **more).network for _ in range(2))
    some = [k for k in range(0, single.n_params, 7) if not (single.implied is not None and single.implied[0][k])]
    assert [name_of(single, k) for k in some] == [whole.names[k] for k in some]


@pytest.mark.parametrize("name, arrays", [
    ("both", ["both/forward_lstm", "both/backward_lstm"]), ("both/forward_lstm", ["both/forward_lstm"]),
    ("own", ["own/query", "own/key", "own/value", "own/attention_output"]), ("own/gru", ["own/gru"]),
    ("apart", ["apart/"]), ("apart/depthwise", ["apart/depthwise_kernel"]), ("own/gru/bias", ["own/gru/bias"]),
    ("apart/pointwise", ["apart/pointwise_kernel", "apart/bias"]),
])  # fmt: skip
def test_freeze_and_penalties_by_name(name, arrays):
    """Of a layer, of one that consists of others, of a part, of an array."""
    made = fit("y ~ s", layers=SERIES, freeze=name, penalty=ns.decay(0.1, layers={name: 3.0}))
    at = positions(made.network)
    held = np.unique(np.concatenate([v.ravel() for k, v in at.items() if k.startswith(tuple(arrays))]))
    free = made.fit.free[0]
    assert np.array_equal(np.flatnonzero(~free & (made.network.implied is None or ~made.network.implied[0])), held)
    strengths = coefficients(made.settings.penalty, made.network, made.design)[:, 0]
    assert np.all(strengths[held] == 3.0)
    assert set(np.delete(strengths, held)) <= {0.1, 0.0}


def test_what_is_smaller_wins():
    given = {"own/query/bias": 5.0, "own/query": 4.0, "both": 2.0, "own": 3.0}
    for layers in (given, dict(reversed(given.items()))):
        made = fit("y ~ s", layers=SERIES, penalty=ns.decay(1.0, layers=layers, biases=False))
        at, strengths = positions(made.network), coefficients(made.settings.penalty, made.network, made.design)[:, 0]
        found = {name: set(strengths[own].ravel()) for name, own in at.items()}
        assert found["own/query/bias"] == {5.0} and found["own/query/kernel"] == {4.0} and found["own/key/kernel"] == {3.0}
        assert found["own/key/bias"] == {0.0} and found["both/forward_lstm/kernel"] == {2.0}
    with pytest.raises(ArgumentError, match="no layer 'block' with weights"):
        fit("y ~ s", layers=SERIES, penalty=ns.decay(1.0, layers={"block": 1.0}))


def test_groups_and_towers():
    names = [L.Conv2D(2, 1, name="base/a"), L.Flatten(), L.Dense(2, name="base/b"), L.Dense(2, name="top")]
    made = fit("y ~ x", layers=names, freeze="base")
    assert {k.split("/")[0] for k, at in positions(made.network).items() if not made.fit.free[0][at].all()} == {"base"}
    tower = fit("y ~ z + nn(s, layers=own)", towers={"own": SERIES}, freeze="nn(s)/both")
    assert (~tower.fit.free[0]).any()
    (name,) = [tower.name for tower in tower.network.towers]
    whole = fit("y ~ z + nn(s, layers=own)", towers={"own": SERIES}, freeze=name)
    at = positions(whole.network)
    assert {k for k, own in at.items() if not whole.fit.free[0][own].any()} == {k for k in at if k.startswith(f"{name}/")}


def test_tables_of_networks_whose_layers_have_parts():
    made = Application("small", IMAGE, L.Dense(2, "softmax", name="top"), (4, 4, 2))
    table = made.layer_table
    assert table["params"].sum() == made.n_params and table["params"]["separable_conv2d/depthwise"] == 8
