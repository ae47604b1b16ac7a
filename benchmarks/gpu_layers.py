"""Our part of the rows of `gpu.py` that are trained by minibatches: a convolutional and a recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat import layers as L
from neuralstat.engine.cuda.batches.part import Part
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


def network_of(layers: tuple[Any, ...], shape: tuple[int, ...]) -> Network:
    """A classifier: cross entropy of softmax."""
    d, k = int(np.prod(shape)), layers[-1].units
    goal = objective("multinomial", resolve_activation("softmax"))
    return Network(layers, shape, goal, [f"x{j}" for j in range(d)], [f"y{j}" for j in range(k)])


def problem(network: Network, n: int, dtype: str) -> tuple[Any, np.ndarray]:
    """Observations and start weights (1, P), drawn."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((int(np.prod(network.input_shape)), n))
    y = np.eye(network.n_outputs)[rng.integers(network.n_outputs, size=n)].T
    return make_rows(x, y, dtype=np.dtype(dtype)), 0.1 * rng.standard_normal((1, network.n_params)).astype(dtype)


def check(device: str) -> list[str]:
    """Compare steps of Adam with the CPU's, in float64 and small; one line per network."""
    said = []
    for name, parts in (("cnn", cnn(3, 4, 20)), ("lstm", lstm(5, 6, 3))):
        network = network_of(*parts)
        rows, start = problem(network, 70, "float64")
        arguments = network, rows, start, np.ones(network.n_params, bool), Training(Adam(), 2, batch_size=32), KEY
        here, there = train_epochs(*arguments), train_epochs(*arguments, device=device)
        worst = float(np.max(np.abs(here.theta - there.theta)))
        assert np.array_equal(here.steps, there.steps), f"{name}: steps {there.steps} and {here.steps}"
        assert worst < 1e-9, f"{name}: weights differ by {worst:.2g}"
        said.append(f"{name}, Adam: weights differ by {worst:.2g}")
    return said


def steps(name: str, sizes: Sizes) -> Callable[[], object]:
    """A program of `sizes.minibatches` steps on the current device; the next call goes on."""
    batch, times, units = sizes.sequences
    network = network_of(*(cnn() if name == "cnn" else lstm(units, times)))
    n = sizes.images if name == "cnn" else batch
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
