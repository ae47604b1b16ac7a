"""One full-batch rprop+ step of 1-10-5-15-1 at n = 200: neuralstat, PyTorch's Rprop (eager, one thread), R's neuralnet.

PyTorch's Rprop is also run on 100 restarts at once (its functional vmap). The floor is measured in the same run.
Then sweeps of one parameter at a time (n, units of one hidden layer, layers, B) that show how the cost of a step grows.

Usage: python benchmarks/step.py [repeats]
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import alternate, write
from floor import instructions, nanoseconds, vector_instructions

from neuralstat.engine import cpu, descent
from neuralstat.engine.data import make_data
from neuralstat.network.network import dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers import rprop
from neuralstat.training.stack import Stack
from neuralstat.training.train import Algorithm, train

STEPS, NETWORKS = 300, 100
R_REPEATS = 8


def ours(hidden: tuple[int, ...], n: int, covariates: int = 1) -> Callable[[], object]:
    """A call that does STEPS steps of one network."""
    x = np.linspace(0.05, 1, n)[np.newaxis] ** np.arange(1, covariates + 1)[:, np.newaxis]
    net = dense_network(covariates, hidden, [resolve_activation("logistic")] * len(hidden),
                        objective("sse", resolve_activation("identity")), [f"x{j}" for j in range(covariates)],
                        ["y"])  # fmt: skip
    stack = Stack(np.random.default_rng(0).standard_normal((1, net.n_params)), np.ones(net.n_params, bool))
    data, kernel, settings = make_data(x, np.sin(1 / x[:1])), net.net(), Algorithm().settings()
    code, work = rprop.CODES["rprop+"], cpu.workspace(kernel, data, stack.theta)

    def run() -> None:
        stack.status[:] = cpu.RUNNING
        descent.train_first_order(
            kernel, data, code, settings, 0.0, 10**12, stack.theta, stack.free, stack.before, stack.rate,
            stack.steps, stack.loss, stack.reached, stack.status, stack.trace, stack.recorded, stack.stride, 0, STEPS, work,
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


def torch_stack(hidden: tuple[int, ...], n: int, networks: int) -> Callable[[], object]:
    """`networks` restarts at once: gradients by torch.func.vmap, Rprop on the stacked weights."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    torch.set_num_threads(1)
    x = torch.linspace(0.05, 1, n, dtype=torch.float64)[:, None]
    y = torch.sin(1 / x)
    sizes = (1, *hidden)

    def model() -> torch.nn.Module:
        layers: list[torch.nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(a, b), torch.nn.Sigmoid()]
        return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1)).double()

    models = [model() for _ in range(networks)]
    weights, _ = stack_module_state(models)
    leaves = {k: v.detach().requires_grad_() for k, v in weights.items()}
    base = models[0].to("meta")

    def loss(w: dict[str, torch.Tensor]) -> torch.Tensor:
        return 0.5 * (functional_call(base, w, (x,)) - y).square().sum()

    gradient = vmap(grad(loss))
    optimizer = torch.optim.Rprop(leaves.values(), lr=0.1, etas=(0.5, 1.2), step_sizes=(1e-10, 0.1))

    def run() -> None:
        for _ in range(STEPS // 10):
            found = gradient({k: v.detach() for k, v in leaves.items()})
            for k, v in leaves.items():
                v.grad = found[k]
            optimizer.step()

    return run


def r_steps() -> np.ndarray | None:
    """Microseconds of a step of R's neuralnet, where R has it (``R_LIBS_USER`` names its folder)."""
    script = str(Path(__file__).with_name("neuralnet_step.R"))
    try:
        out = subprocess.run(["Rscript", script, str(R_REPEATS)], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print("without R neuralnet:", getattr(error, "stderr", error))
        return None
    return np.array([float(line) for line in out.splitlines() if not line.startswith("version")])


def stack(networks: int, threads: int) -> Callable[[], object]:
    """STEPS steps of rprop+ for `networks` restarts of 10 units, n = 200, on so many threads."""
    x = np.linspace(0.05, 1, 200)[np.newaxis]
    net = dense_network(1, (10,), [resolve_activation("logistic")],
                        objective("sse", resolve_activation("identity")), ["x"], ["y"])  # fmt: skip
    data = make_data(x, np.sin(1 / x))
    start, free = np.random.default_rng(0).standard_normal((networks, net.n_params)), np.ones(net.n_params, bool)
    return lambda: train(net, data, start, free, Algorithm(), threshold=0.0, stepmax=STEPS, n_jobs=threads)


def main(repeats: int) -> None:
    """Measure and write."""
    hidden = (10, 5, 15)
    programs = {"neuralstat": ours(hidden, 200), "PyTorch Rprop": torch_step(hidden, 200),
                "PyTorch Rprop, vmap over 100": torch_stack(hidden, 200, NETWORKS),
                "floor": vector_instructions()}  # fmt: skip
    seconds = {name: np.array(s) for name, s in alternate(programs, repeats).items()}
    count = instructions((1, *hidden, 1), 200)
    micro = {name: 1e6 * s / STEPS for name, s in seconds.items()}
    micro["PyTorch Rprop, vmap over 100"] /= NETWORKS / 10
    micro["floor"] = nanoseconds(seconds["floor"]) * sum(count.values()) / 1e3
    micro["floor of the products alone"] = nanoseconds(seconds["floor"]) * count["products"] / 1e3
    if (found := r_steps()) is not None:
        micro["R neuralnet"] = found
    base = micro["neuralstat"]
    write("step", [
        {"what": name, "min_us": float(m.min()), "median_us": float(np.median(m)), "quartile_us": float(np.quantile(m, 0.75)),
         "ratio_of_medians": float(np.median(m) / np.median(base)), "ratio_of_minima": float(m.min() / base.min())}
        for name, m in micro.items()
    ])  # fmt: skip
    sweep = {("n", n): ours((10,), n) for n in (50, 200, 800, 3200, 12800)}
    sweep |= {("units", h): ours((h,), 200) for h in (1, 3, 10, 30, 100, 300)}
    sweep |= {("layers of 10", k): ours((10,) * k, 200) for k in (1, 2, 3, 4)}
    sweep |= {("covariates", p): ours((10,), 200, p) for p in (1, 3, 10, 30, 100, 300)}
    sweep |= {("networks", b): stack(b, 1) for b in (1, 10, 100, 1000)}
    sweep |= {("networks, 2 threads", b): stack(b, 2) for b in (10, 100, 1000)}
    found = alternate(sweep, max(repeats // 5, 3))
    least = {key: 1e6 * min(s) / STEPS for key, s in found.items()}
    write("step_sweep", [
        {"varied": what, "value": value, "min_us": least[what, value], "median_us": 1e6 * float(np.median(s)) / STEPS,
         "exponent": exponent(least, what, value)}
        for (what, value), s in found.items()
    ])  # fmt: skip


def exponent(least: dict[tuple[str, int], float], what: str, value: int) -> float:
    """By what power of what is varied the cost grows from the value before; NaN at the first."""
    values = sorted(v for name, v in least if name == what)
    at = values.index(value)
    if at == 0:
        return float("nan")
    before = values[at - 1]
    return float(np.log(least[what, value] / least[what, before]) / np.log(value / before))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
