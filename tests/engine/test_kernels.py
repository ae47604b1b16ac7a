"""Gradients of networks with every activation, error function and layer, against complex steps of `naive`."""

from __future__ import annotations

import chains
import naive
import numpy as np
import pytest
from chains import (
    CHAINS,
    MIXED,
    chain_network,
    close,
    draw,
    kernel_data,
    kernel_gradient,
    naive_gradient,
    naive_loss,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralstat import layers as L
from neuralstat.engine.cpu import BLOCK
from neuralstat.functions.activations import ACTIVATIONS
from neuralstat.functions.losses import LOSSES
from neuralstat.layers import LAYERS
from neuralstat.layers.merging import MERGING

SIZES = [1, BLOCK - 1, BLOCK, BLOCK + 1, 700]
SMALL_DENSE = CHAINS["Dense"][2]



@pytest.mark.parametrize("place", ["hidden", "output"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_of_every_activation(name, place):
    chains.twin(naive.ACTIVATIONS, name, "activation")
    hidden, output = (name, "identity") if place == "hidden" else ("tanh", name)
    network = chain_network(((L.Dense(3, hidden), L.Dense(2)), (2,)), "sse", output)
    theta, x, y = draw(network, 40)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


@pytest.mark.parametrize("name", [name for name, kind in ACTIVATIONS.items() if kind.parameter])
def test_gradient_with_another_parameter(name):
    network = chain_network(((L.Dense(3, chains.with_parameter(name, 0.17)), L.Dense(1)), (2,)))
    theta, x, y = draw(network, 40)
    expected = naive_gradient(network, theta[0], x, y, activations={0: (name, 0.17)})
    close(kernel_gradient(network, kernel_data(x, y), theta[0])[1], expected)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_every_loss(name):
    chains.twin(naive.LOSSES, name, "error function")
    network = chain_network(((L.Dense(4, "tanh"), L.Dense(3)), (2,)), name)
    theta, x, y = draw(network, 300)
    rng = np.random.default_rng(1)
    weights, offset = rng.uniform(0.2, 3, 300), None
    loss, grad = kernel_gradient(network, kernel_data(x, y, weights=weights), theta[0])
    close(loss, naive_loss(network, theta[0], x, y, weights=weights))
    close(grad, naive_gradient(network, theta[0], x, y, weights=weights))
    network = chain_network(((L.Dense(4, "tanh"), L.Dense(3)), (2,)), name, offset=True)
    offset = rng.standard_normal((300, 3))
    data = kernel_data(x, y, weights=weights, offset=offset.T)
    loss, grad = kernel_gradient(network, data, theta[0])
    close(loss, naive_loss(network, theta[0], x, y, weights=weights, offset=offset))
    close(grad, naive_gradient(network, theta[0], x, y, weights=weights, offset=offset))


# Rectified units keep no slopes, and a pool's maxima pass them on: with windows apart, that overlap, that reach outside,
# above other pools, units that another layer reads, too, and where nothing is rectified.
RECTIFIED = [
    ((L.Conv2D(3, 2, "relu"), L.MaxPool2D(2), L.Flatten(), L.Dense(2)), (6, 5, 1)),
    ((L.Conv2D(2, 2, "relu"), L.MaxPool2D(3, strides=1, padding="same"), L.Conv2D(2, 2, "relu"), L.AvgPool2D(2),
      L.Flatten(), L.Dense(1)), (5, 5, 1)),
    ((L.Conv1D(3, 2, "relu"), L.MaxPool1D(3, strides=2), L.Conv1D(2, 1, "relu"), L.GlobalMaxPool(), L.Dense(2)), (9, 2)),
    ((L.DepthwiseConv2D(2, activation="relu"), L.MaxPool2D(2, strides=1), L.Flatten(), L.Dense(1)), (4, 4, 2)),
    ((L.Conv2D(3, 2), L.BatchNorm(), L.Activation("relu"), L.MaxPool2D(2), L.Flatten(), L.Dense(1)), (5, 5, 1)),
    ((L.Conv2D(2, 3, "relu", padding="same", name="a"), L.MaxPool2D(2, strides=1, padding="same", name="b"),
      L.Add(["a", "b"]), L.Flatten(), L.Dense(1)), (4, 4, 1)),
    ((L.Conv2D(2, 2, "relu"), L.MaxPool2D(2), L.MaxPool2D(2), L.Flatten(), L.Dense(1)), (6, 6, 1)),
    ((L.Conv2D(2, 2, "leaky_relu"), L.MaxPool2D(2), L.Flatten(), L.Dense(2, "relu"), L.Dense(1)), (5, 5, 1)),
]  # fmt: skip


@pytest.mark.parametrize("chain", RECTIFIED)
def test_gradient_through_rectified_units(chain):
    network = chain_network(chain)
    theta, x, y = draw(network, 30)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_of_every_layer(name):
    if name not in chains.COMPOSED:
        chains.twin(naive.JOINS if LAYERS[name] in MERGING else naive.LAYERS, name, "layer")
    for chain in chains.twin(CHAINS, name, "layer"):
        assert any(type(layer).__name__ == name for layer in chain[0])
        network = chain_network(chain)
        theta, x, y = draw(network, 5)
        loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
        close(loss, naive_loss(network, theta[0], x, y))
        close(grad, naive_gradient(network, theta[0], x, y))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("chain", [SMALL_DENSE, MIXED], ids=["dense", "mixed"])
def test_gradient_across_blocks(chain, n):
    network = chain_network(chain)
    theta, x, y = draw(network, n)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


def test_network_of_no_hidden_layer_is_a_linear_model():
    network = chain_network(((L.Dense(2),), (3,)))
    theta, x, y = draw(network, 300)
    w = theta[0].reshape(2, 4)
    residual = x @ w[:, 1:].T + w[:, 0] - y
    by_hand = residual.T @ np.column_stack([np.ones(300), x])
    close(kernel_gradient(network, kernel_data(x, y), theta[0])[1], by_hand.ravel())


def test_each_network_sees_its_own_rows_responses_and_weights():
    network = chain_network(SMALL_DENSE)
    theta, x, _ = draw(network, 320, b=3)
    rng = np.random.default_rng(2)
    y = rng.standard_normal((3, 320, 2))
    weights = rng.uniform(0.1, 2, (3, 320))
    rows = np.stack([rng.integers(0, 320, 300) for _ in range(3)])  # with repeats, as a bootstrap draws them
    count = np.array([300, 1, 257])
    data = chains.make_data(chains.rows_of(x), y.transpose(0, 2, 1), weights, rows=rows, count=count)
    for b in range(3):
        seen = rows[b, : count[b]]
        loss, grad = kernel_gradient(network, data, theta[b], b)
        more = {"weights": weights[b, seen]}
        close(loss, naive_loss(network, theta[b], x[seen], y[b, seen], **more))
        close(grad, naive_gradient(network, theta[b], x[seen], y[b, seen], **more))


@pytest.mark.parametrize("chain", [SMALL_DENSE, MIXED], ids=["dense", "mixed"])
def test_float32_at_its_precision(chain):
    network = chain_network(chain)
    theta, x, y = draw(network, 300)
    theta32, x32, y32 = theta[0].astype(np.float32), x.astype(np.float32), y.astype(np.float32)
    loss, grad = kernel_gradient(network, kernel_data(x32, y32, dtype=np.float32), theta32)
    assert grad.dtype == np.float32
    same = theta32.astype(float), x32.astype(float), y32.astype(float)
    close(loss, naive_loss(network, *same), 3e-6)
    close(grad, naive_gradient(network, *same), 3e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # uncompiled, numpy warns
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_not_finite_is_not_hidden(name, bad):
    network = chain_network(((L.Dense(2, "identity"), L.Dense(2)), (1,)), name)
    theta, x, y = draw(network, 300)
    x[260] = bad
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    assert not np.all(np.isfinite(grad))
    if np.isnan(bad):
        assert np.isnan(loss)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_gradient_of_any_dense_network(data):
    hidden = data.draw(st.lists(st.integers(1, 9), max_size=3))
    acts = data.draw(
        st.lists(st.sampled_from(["logistic", "tanh", "relu", "identity"]), min_size=3, max_size=3)
    )
    d, k, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 20))
    layers = tuple(L.Dense(units, act) for units, act in zip(hidden, acts))
    network = chain_network(((*layers, L.Dense(k)), (d,)))
    theta, x, y = draw(network, n, seed=data.draw(st.integers(0, 1000)))
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_gradient_of_any_convolution(data):
    def pick(least, most):
        return data.draw(st.integers(least, most))

    conv = L.Conv2D(pick(1, 3), (pick(1, 3), pick(1, 3)), "tanh", (pick(1, 3), pick(1, 3)),
                    data.draw(st.sampled_from(["valid", "same"])), (pick(1, 2), pick(1, 2)))  # fmt: skip
    network = chain_network(((conv, L.Flatten(), L.Dense(1)), (pick(5, 6), pick(5, 7), pick(1, 2))))
    theta, x, y = draw(network, 2, scale=0.3)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))
