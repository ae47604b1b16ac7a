"""Training steps of convolutional and of recurrent networks, float32, one thread: against PyTorch on the CPU.

Every program gathers its shuffled batches, takes the gradient, and steps with Adam (PyTorch: the fused one; convolutions
in its own layout and in channels_last). Memory is what the peak of a fresh process grows by (Linux) when these steps
follow one of a tiny network of the same kind, which loads the code.

    python benchmarks/layers.py [repeats]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from common import alternate, write
from large import peak


@dataclass(frozen=True)
class Case:
    """What is trained: `steps` in each timed call."""

    shape: tuple[int, ...]
    batch: int
    steps: int
    units: int
    classes: int = 0
    kind: str = "LSTM"  # of the recurrent layer, where there are no classes; "VGG"
    forward: bool = False  # outputs alone, no training

    def tiny(self) -> Case:
        """The same kind of network, as small as can be."""
        if self.kind == "VGG":
            return replace(self, batch=2, steps=1, units=1)
        shape = (18, 18, 1) if self.classes else (2, *self.shape[1:])
        return replace(self, shape=shape, batch=2, steps=1, units=1)


CASES = {
    "CNN 32-64-128": Case((28, 28, 1), 128, 6, units=32, classes=10),
    "VGG-16, 32 x 32": Case((32, 32, 3), 32, 1, units=64, classes=10, kind="VGG"),
    "VGG-16, 32 x 32, outputs": Case((32, 32, 3), 32, 1, units=64, classes=10, kind="VGG", forward=True),
    "CNN 32-64-128, after VGG-16": Case((28, 28, 1), 128, 6, units=32, classes=10),  # whose memory malloc keeps
    "LSTM(16), 6 steps": Case((6, 1), 32, 300, units=16),
    "LSTM(64), 100 steps": Case((100, 8), 64, 16, units=64),
    "GRU(64), 100 steps": Case((100, 8), 64, 16, units=64, kind="GRU"),
    "SimpleRNN(64), 100 steps": Case((100, 8), 64, 16, units=64, kind="SimpleRNN"),
}


BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))  # of VGG: convolutions, filters in units


def data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Covariates (n, *shape) and labels or responses (n,): as many rows as a call uses."""
    rng, n = np.random.default_rng(0), case.batch * case.steps
    x = rng.standard_normal((n, *case.shape), np.float32)
    return x, rng.integers(case.classes, size=n) if case.classes else rng.standard_normal(n, np.float32)


def ours(case: Case) -> Callable[[], object]:
    """A call that trains for `case.steps` steps."""
    from neuralstat import layers as L
    from neuralstat.engine import batches, cpu
    from neuralstat.engine.batches import room_of, train_batches
    from neuralstat.engine.data import make_data
    from neuralstat.network.network import Network
    from neuralstat.network.objective import objective, resolve_activation
    from neuralstat.optimizers import Adam
    from neuralstat.seeds import children, shuffle_keys
    from neuralstat.training.epochs import Training, make_plan, make_rows, make_state

    x, y = data(case)
    k = case.units
    if case.kind == "VGG":
        layers: list[Any] = []
        for count, times in BLOCKS:
            layers += [*(L.Conv2D(times * k, 3, "relu", padding="same") for _ in range(count)), L.MaxPool2D(2)]
        layers += [L.Flatten(), L.Dense(case.classes)]
    elif case.classes:
        layers = [L.Conv2D(k, 3, "relu"), L.MaxPool2D(2), L.Conv2D(2 * k, 3, "relu"), L.MaxPool2D(2),
                             L.Conv2D(4 * k, 3, "relu"), L.Flatten(), L.Dense(case.classes)]  # fmt: skip
    else:
        layers = [getattr(L, case.kind)(k), L.Dense(1)]
    if case.classes:
        goal = objective("multinomial", resolve_activation("softmax"))
        response = np.eye(case.classes, dtype=np.float32)[y].T
    else:
        response = y[np.newaxis]
        goal = objective("sse", resolve_activation("identity"))
    names = tuple(f"x{j}" for j in range(int(np.prod(case.shape))))
    network = Network(tuple(layers), case.shape, goal, names, tuple(f"y{k}" for k in range(len(response))))
    rows = make_rows(np.ascontiguousarray(x.reshape(len(x), -1).T), np.ascontiguousarray(response), dtype=np.float32)
    start = 0.05 * np.random.default_rng(1).standard_normal((1, network.n_params))
    free, training = np.ones(network.n_params, bool), Training(Adam(), 10**6, case.batch)
    plan, _ = make_plan(network, rows, None, free, training)
    keys = shuffle_keys(children(np.random.SeedSequence(1), 1))
    state = make_state(start, free, rows, plan, training.optimizer, keys)
    net, nothing = network.net(), rows._replace(inputs=rows.inputs[:0])
    if case.forward:
        held = make_data(np.ascontiguousarray(rows.inputs.T), np.ascontiguousarray(response), dtype=np.float32)
        out = np.empty((1, case.classes, len(x)), np.float32)
        return lambda: cpu.output_values(net, held, state.theta, out, cpu.room_for(net, case.classes, np.float32))
    rates = np.full(case.steps, 1e-3)
    room = room_of(net, plan, len(response), state.theta)
    return lambda: train_batches(net, rows, nothing, plan, state, rates, 0, case.steps, False, batches.TRAIN, room)


def theirs(case: Case, channels_last: bool = False) -> Callable[[], object]:
    """The same in PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(1)
    x, y = data(case)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            kind = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.RNN}[case.kind]
            self.recurrent, self.dense = kind(case.shape[1], case.units, batch_first=True), nn.Linear(case.units, 1)

        def forward(self, inputs: Any) -> Any:
            return self.dense(self.recurrent(inputs)[0][:, -1])[:, 0]

    layout = torch.channels_last if channels_last else torch.contiguous_format
    k = case.units
    if case.kind == "VGG":
        parts: list[Any] = []
        channels = case.shape[2]
        for count, times in BLOCKS:
            for _ in range(count):
                parts += [nn.Conv2d(channels, times * k, 3, padding=1), nn.ReLU()]
                channels = times * k
            parts.append(nn.MaxPool2d(2))
        model: Any = nn.Sequential(*parts, nn.Flatten(), nn.Linear(channels, case.classes)).to(memory_format=layout)
        inputs = torch.tensor(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    elif case.classes:
        last = ((case.shape[0] - 2) // 2 - 2) // 2 - 2  # rows of the last map
        model = nn.Sequential(
            nn.Conv2d(1, k, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(k, 2 * k, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(2 * k, 4 * k, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * k * last**2, case.classes),
        ).to(memory_format=layout)  # fmt: skip
        inputs = torch.tensor(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    else:
        model, inputs = Recurrent(), torch.tensor(x)
    target = torch.tensor(y)
    loss_of = nn.CrossEntropyLoss() if case.classes else nn.MSELoss()
    adam = torch.optim.Adam(model.parameters(), fused=True)

    def outputs() -> None:
        with torch.no_grad():
            model(inputs)

    def steps() -> None:
        order = torch.randperm(len(inputs))
        for first in range(0, len(inputs), case.batch):
            rows = order[first : first + case.batch]
            adam.zero_grad()
            loss_of(model(inputs[rows]), target[rows]).backward()
            adam.step()

    return outputs if case.forward else steps


def programs(case: Case) -> dict[str, Callable[[Case], Callable[[], object]]]:
    """Name -> what makes the timed call."""
    known: dict[str, Callable[[Case], Callable[[], object]]] = {"neuralstat": ours, "PyTorch": theirs}
    if case.classes:
        known["PyTorch, channels_last"] = lambda case: theirs(case, channels_last=True)
    return known


def memory(name: str, program: str) -> None:
    """Print how much the peak memory of this process grows over that after a step of two rows (MB)."""
    case = CASES[name]
    make = programs(case)[program]
    make(case.tiny())()
    before = peak()
    make(case)()
    print(peak() - before)


def main(repeats: int) -> None:
    """Measure and write."""
    rows: list[dict[str, object]] = []
    for name, case in CASES.items():
        seconds = alternate({program: make(case) for program, make in programs(case).items()}, repeats)
        base = float(np.median(seconds["neuralstat"]))
        for program, values in seconds.items():
            command = [sys.executable, __file__, "memory", name, program]
            grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            low, middle, high = (1000 * float(q) / case.steps for q in np.quantile(values, (0.25, 0.5, 0.75)))
            rows.append({"what": name, "program": program, "batch": case.batch, "median_ms": middle, "q25_ms": low,
                         "q75_ms": high, "min_ms": 1000 * min(values) / case.steps,
                         "rows_per_second": 1000 * case.batch / middle, "ratio_of_medians": float(np.median(values)) / base,
                         "peak_mb": grown})  # fmt: skip
    write("layers", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "memory":
        memory(sys.argv[2], sys.argv[3])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
