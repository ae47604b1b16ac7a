"""Our part of the rows of `gpu.py` that are trained by minibatches: convolutional, residual and recurrent networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat import layers as L
from neuralstat.engine.cuda.batches.part import Part
from neuralstat.network.expand import expanded
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers.minibatch import Adam
from neuralstat.training.epochs import Training, make_plan, make_rows, make_state, train_epochs

if TYPE_CHECKING:
    from gpu import Sizes

KEY = np.array([[1, 2]], np.uint64)


def cnn(classes: int = 10, filters: int = 32, edge: int = 28) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The convolutional network of `gpu_peers.cnn_programs`."""
    body = (
        L.Conv2D(filters, 3, "relu"), L.MaxPool2D(2), L.Conv2D(2 * filters, 3, "relu"), L.MaxPool2D(2),
        L.Conv2D(4 * filters, 3, "relu"), L.Flatten(), L.Dense(classes),
    )  # fmt: skip
    return body, (edge, edge, 1)


def lstm(units: int, times: int, classes: int = 10) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The recurrent network of `gpu_peers.lstm_programs`."""
    return (L.LSTM(units), L.Dense(classes)), (times, 1)


def resnet(classes: int = 10, filters: int = 16, edge: int = 28) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The residual network of `gpu_peers.resnet_programs`: a graph, two blocks at full size and one at half of it."""

    def block(count: int, **more: Any) -> Any:
        first, second = (L.Conv2D(count, 3, padding="same") for _ in range(2))
        return L.Residual([first, L.BatchNorm(), L.Activation("relu"), second, L.BatchNorm()], activation="relu", **more)

    body = (
        L.Conv2D(filters, 3, padding="same"), L.BatchNorm(), L.Activation("relu"), block(filters), block(filters),
        L.MaxPool2D(2), block(2 * filters, shortcut=[L.Conv2D(2 * filters, 1)]), L.GlobalAvgPool(), L.Dense(classes),
    )  # fmt: skip
    return body, (edge, edge, 1)


def masked_lstm(units: int, times: int, classes: int = 10) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The recurrent network of `gpu_peers.masked_lstm_programs`: sequences of several lengths, filled up by zeros."""
    return (L.Masking(), L.LSTM(units), L.Dense(classes)), (times, 1)


def lengths_of(n: int, times: int) -> np.ndarray:
    """Lengths of sequences, from half of the times to all of them."""
    return np.random.default_rng(2).integers(max(times // 2, 1), times + 1, n)


def network_named(name: str, sizes: Sizes) -> Network:
    """The network of a row of the table."""
    if name == "cnn":
        return network_of(*cnn(filters=sizes.filters, edge=sizes.edge))
    if name == "resnet":
        return network_of(*resnet(filters=max(sizes.filters // 2, 1), edge=sizes.maps))
    _, times, units = sizes.sequences
    return network_of(*{"lstm": lstm, "masked_lstm": masked_lstm}[name](units, times))


def network_of(layers: tuple[Any, ...], shape: tuple[int, ...]) -> Network:
    """A classifier: cross entropy of softmax."""
    flat = expanded(layers)
    d, k = int(np.prod(shape)), flat.layers[-1].units
    goal = objective("multinomial", resolve_activation("softmax"))
    return Network(flat.layers, shape, goal, [f"x{j}" for j in range(d)], [f"y{j}" for j in range(k)], wires=flat.wires)


def problem(network: Network, n: int, dtype: str) -> tuple[Any, np.ndarray]:
    """Observations and start weights (1, P), drawn; with a mask, sequences end earlier."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((int(np.prod(network.input_shape)), n))
    if isinstance(network.layers[0], L.Masking):
        x[np.arange(len(x))[:, np.newaxis] >= lengths_of(n, len(x))] = 0.0
    y = np.eye(network.n_outputs)[rng.integers(network.n_outputs, size=n)].T
    start = 0.1 * rng.standard_normal((1, network.n_params)).astype(dtype)
    start[:, network.is_moving] = 1  # variances are positive
    return make_rows(x, y, dtype=np.dtype(dtype)), start


#: Small networks that are compared with the CPU
CHECKED = {"cnn": cnn(3, 4, 20), "lstm": lstm(5, 6, 3), "resnet": resnet(3, 2, 6), "masked_lstm": masked_lstm(5, 6, 3)}


def check(device: str, name: str, n: int = 70) -> str:
    """Compare steps of Adam with the CPU's, in float64, on a network of `CHECKED`; what came out.

    Raises
    ------
    AssertionError
        Where they differ.
    """
    network = network_of(*CHECKED[name])
    rows, start = problem(network, n, "float64")
    training = Training(Adam(), 2, batch_size=max(n // 2 - 3, 1))
    arguments = network, rows, start, np.ones(network.n_params, bool), training, KEY
    here, there = train_epochs(*arguments), train_epochs(*arguments, device=device)
    worst = float(np.max(np.abs(here.theta - there.theta)))
    assert np.array_equal(here.steps, there.steps), f"{name}: steps {there.steps} and {here.steps}"
    assert worst < 1e-9, f"{name}: weights differ by {worst:.2g}"
    return f"{name}, Adam: weights differ by {worst:.2g}"


def steps(name: str, sizes: Sizes) -> Callable[[], object]:
    """A program of `sizes.minibatches` steps on the current device; the next call goes on."""
    network = network_named(name, sizes)
    n = sizes.sequences[0] if name.endswith("lstm") else sizes.images
    rows, start = problem(network, n * sizes.minibatches, "float32")
    training = Training(Adam(), 1, batch_size=n, shuffle=False)
    plan, _ = make_plan(network, rows, None, np.ones(network.n_params, bool), training)
    state = make_state(start, np.ones(network.n_params, bool), rows, plan, training.optimizer, KEY)
    part = Part(network.net(), rows, rows._replace(inputs=rows.inputs[:0]), plan, state, 0, 1, n, n)
    rates, factors, before = np.full(sizes.minibatches, 0.001), np.ones(1), [0]

    def program() -> object:
        part.choose(np.zeros(1, int))
        part.take(0, sizes.minibatches, rates, before[0], factors)
        before[0] += sizes.minibatches
        return part

    return program
