"""Steps of Adam on a 784-512-512-10 relu network, batches of 128, float32, one thread: against PyTorch on the CPU.

Also the parts of a step that are not products of matrices: rows gathered for a batch, and the update of the weights
beside what memory allows (a copy of as many bytes).

    python benchmarks/minibatch.py [repeats]
"""

import itertools
import sys

import numba
import numpy as np
from common import alternate, write

from neuralstat.engine import batches
from neuralstat.engine.batches import collect, room_of, train_batches
from neuralstat.network.network import dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers import Adam
from neuralstat.optimizers import first_order as codes
from neuralstat.seeds import children, shuffle_keys
from neuralstat.training.epochs import Training, make_plan, make_rows, make_state

BATCH, STEPS, SIZES = 128, 10, (784, 512, 512, 10)


@numba.njit(nogil=True)
def update(settings, theta, grad, memory, constants, times):
    for t in range(times):
        codes.step(codes.ADAM, settings, 0.001, t + 1, theta, grad, memory, constants, 1.0 / BATCH)


@numba.njit(nogil=True)
def gathered(net, rows, order, work, times):
    for t in range(times):
        collect(net, rows, 0, order, t * BATCH, BATCH, work)
    return work.value[0, 0]


def ours(x, labels):
    """Programs: STEPS whole steps; gathering and updates alone."""
    y = np.eye(SIZES[-1])[labels].T
    names = [f"x{j}" for j in range(SIZES[0])], [f"c{k}" for k in range(SIZES[-1])]
    network = dense_network(SIZES[0], SIZES[1:-1], [resolve_activation("relu")] * 2,
                            objective("multinomial", resolve_activation("softmax")), *names)  # fmt: skip
    rows = make_rows(x.T, y, dtype=np.float32)
    training = Training(Adam(), 10**4, BATCH)
    start = 0.03 * np.random.default_rng(1).standard_normal((1, network.n_params))
    plan, _ = make_plan(network, rows, None, np.ones(network.n_params, bool), training)
    keys = shuffle_keys(children(np.random.SeedSequence(1), 1))
    state = make_state(start, np.ones(network.n_params, bool), rows, plan, training.optimizer, keys)
    net, nothing = network.net(), rows._replace(inputs=rows.inputs[:0])
    rates = np.full(STEPS, 1e-3)
    room = room_of(net, plan, SIZES[-1], state.theta)
    rng = np.random.default_rng(2)
    grad = rng.standard_normal(network.n_params).astype(np.float32)
    theta, memory = state.theta[0].copy(), np.zeros((2, network.n_params), np.float32)
    constants, order = np.empty(codes.CONSTANTS, np.float32), rng.permutation(len(x))
    # a step reads and writes four vectors of P numbers
    source = np.ones(4 * network.n_params, np.float32)
    target = np.empty_like(source)
    return {
        "neuralstat": lambda: train_batches(net, rows, nothing, plan, state, rates, 0, STEPS, False, batches.TRAIN, room),
        "neuralstat: update": lambda: update(training.optimizer.settings(), theta, grad, memory, constants, STEPS),
        "neuralstat: gather": lambda: gathered(net, rows, order, room.work, STEPS),
        "copy of as many bytes": lambda: [np.copyto(target, source) for _ in range(STEPS)],
    }


def theirs(x, labels, fused):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    layers = []
    for n_in, n_out in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(model.parameters(), fused=fused)
    loss_of = torch.nn.CrossEntropyLoss()
    data, target = torch.tensor(x, dtype=torch.float32), torch.tensor(labels)

    def steps():
        order = torch.randperm(len(data))
        for t in range(STEPS):
            rows = order[t * BATCH : (t + 1) * BATCH]
            adam.zero_grad()
            loss_of(model(data[rows]), target[rows]).backward()
            adam.step()

    def updates():
        for _ in range(STEPS):
            adam.step()

    kind = "fused" if fused else "foreach"
    return {f"torch ({kind} Adam)": steps, f"torch: update ({kind})": updates}


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((BATCH * STEPS, SIZES[0])), rng.integers(SIZES[-1], size=BATCH * STEPS)
    programs = {**ours(x, labels), **theirs(x, labels, False), **theirs(x, labels, True)}
    seconds = alternate(programs, repeats)
    best = {name: 1000 * min(values) / STEPS for name, values in seconds.items()}
    middle = {name: 1000 * float(np.median(values)) / STEPS for name, values in seconds.items()}
    whole = best["neuralstat"]
    rest = best["neuralstat: update"] + best["neuralstat: gather"]
    flops = 6 * BATCH * sum(a * b for a, b in itertools.pairwise(SIZES)) - 2 * BATCH * SIZES[0] * SIZES[1]
    write("minibatch", [
        {"what": name, "min_ms": value, "median_ms": middle.get(name, float("nan")), "share_of_step": value / whole,
         "gflops": flops / value / 1e6 if name == "neuralstat" or name.startswith("torch (") else float("nan")}
        for name, value in {**best, "neuralstat: update and gather": rest}.items()
    ])  # fmt: skip


if __name__ == "__main__":
    main()
