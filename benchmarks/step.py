"""One full-batch rprop+ step of 1-10-5-15-1 at n = 200: neuralstat, PyTorch's Rprop (eager, one thread), R as recorded.

And sweeps of one parameter at a time (n, units of one hidden layer, B) that show how the cost of a step grows.

Usage: python benchmarks/step.py [repeats]
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
from common import alternate, write

from neuralstat.engine import cpu
from neuralstat.network import dense_network, objective, resolve_activation
from neuralstat.optimizers import rprop
from neuralstat.train import Algorithm, _Stack, make_data

STEPS = 100
R_MICROSECONDS = 170.0  # neuralnet 1.44.6 under R 4.2.2, recorded on such a machine; not run here


def ours(hidden: tuple[int, ...], n: int) -> Callable[[], object]:
    """A call that does STEPS steps of one network."""
    x = np.linspace(0.05, 1, n)[np.newaxis]
    net = dense_network(1, hidden, [resolve_activation("logistic")] * len(hidden),
                        objective("sse", resolve_activation("identity")), ["x"], ["y"])  # fmt: skip
    stack = _Stack(np.random.default_rng(0).standard_normal((1, net.n_params)), np.ones(net.n_params, bool))
    data, kernel, settings = make_data(x, np.sin(1 / x)), net.net(), Algorithm().settings()
    code = rprop.CODES["rprop+"]

    def run() -> None:
        stack.status[:] = cpu.RUNNING
        cpu.train_first_order(
            kernel, data, code, settings, 0.0, 10**12, stack.theta, stack.free, stack.before, stack.rate,
            stack.steps, stack.loss, stack.reached, stack.status, stack.trace, stack.recorded, stack.stride, 0, STEPS,
        )  # fmt: skip

    return run


def torch_step(hidden: tuple[int, ...], n: int) -> Callable[[], object]:
    """The same in PyTorch."""
    import torch

    torch.set_num_threads(1)
    x = torch.linspace(0.05, 1, n, dtype=torch.float64)[:, None]
    y = torch.sin(1 / x)
    layers: list[torch.nn.Module] = []
    sizes = (1, *hidden)
    for a, b in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1)).double()
    optimizer = torch.optim.Rprop(model.parameters(), lr=0.1, etas=(0.5, 1.2), step_sizes=(1e-10, 0.1))

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            (0.5 * (model(x) - y).square().sum()).backward()
            optimizer.step()

    return run


def main(repeats: int) -> None:
    """Measure and write."""
    programs = {"neuralstat": ours((10, 5, 15), 200), "PyTorch Rprop": torch_step((10, 5, 15), 200)}
    seconds = alternate(programs, repeats)
    micro = {name: 1e6 * np.array(s) / STEPS for name, s in seconds.items()}
    base = micro["neuralstat"]
    rows = [
        {"what": name, "min_us": float(m.min()), "median_us": float(np.median(m)),
         "ratio_of_medians": float(np.median(m) / np.median(base)), "ratio_of_minima": float(m.min() / base.min())}
        for name, m in micro.items()
    ]  # fmt: skip
    rows.append({"what": "R neuralnet (recorded)", "min_us": R_MICROSECONDS, "median_us": R_MICROSECONDS,
                 "ratio_of_medians": R_MICROSECONDS / float(np.median(base)),
                 "ratio_of_minima": R_MICROSECONDS / float(base.min())})  # fmt: skip
    write("step", rows)
    sweep = {f"n={n}, hidden=10": ours((10,), n) for n in (50, 200, 800, 3200, 12800)}
    sweep |= {f"n=200, hidden={h}": ours((h,), 200) for h in (1, 3, 10, 30, 100, 300)}
    sweep |= {f"n=200, hidden={h}": ours(h, 200) for h in ((10, 10), (10, 10, 10), (10, 5, 15))}
    write("step_sweep", [
        {"what": name, "min_us": 1e6 * min(s) / STEPS, "median_us": 1e6 * float(np.median(s)) / STEPS}
        for name, s in alternate(sweep, repeats).items()
    ])  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
