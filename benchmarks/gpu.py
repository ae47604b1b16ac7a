"""Training on a GPU: correctness against the CPU first, then times, with peers in the same run.

    python benchmarks/gpu.py [--device cuda:0] [--repeats 3] [--rows stack gdf cnn lstm] [--quick] [--check]

Needs a CUDA device, ``neuralstat[cuda]``, and for the peers PyTorch built for CUDA; without a device it says so and ends.
Writes ``results/gpu.csv``. Networks that are trained by minibatches take `Sizes.minibatches` steps of Adam on data that
lie on the device already; ours are recorded as a CUDA graph by the driver, PyTorch's are eager.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import gpu_layers
import gpu_peers
import numpy as np
from common import alternate, write

import neuralstat as ns
from neuralstat import families
from neuralstat.engine import cpu, cuda
from neuralstat.engine.data import make_data
from neuralstat.errors import DeviceError
from neuralstat.network.network import Network, dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers import BFGS, LBFGS, LM
from neuralstat.training.stack import threads
from neuralstat.training.train import Algorithm, train

HIDDEN = (10, 5, 15)
FMA_PER_CYCLE = {"float32": 128, "float64": 64}  # of a multiprocessor of an A100 or H100
ROWS = ("stack", "gdf", "cnn", "lstm")


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    n: int = 200
    networks: tuple[int, ...] = (10_000, 100)
    steps: int = 1000
    draws: int = 1000
    restarts: int = 5
    images: int = 512
    sequences: tuple[int, int, int] = (256, 100, 64)  # batch, steps, units
    minibatches: int = 20


QUICK = Sizes(40, (8, 2), 20, 4, 2, 8, (4, 5, 3), 2)
TARGETS = {
    "stack 10000": "5 times vmap in a CUDA graph; 20 (float32) and 8 (float64) times our CPU kernels on all cores",
    "stack 100": "10 times vmap in a CUDA graph, 50 times without",
    "gdf": "under 1 s",
    "cnn": "0.7 times PyTorch/cuDNN",
    "lstm": "0.7 times PyTorch/cuDNN",
}


def doppler_network(hidden: tuple[int, ...] = HIDDEN) -> Network:
    """A network with one covariate and logistic units."""
    return dense_network(1, hidden, [resolve_activation("logistic")] * len(hidden),
                         objective("sse", resolve_activation("identity")), ["x"], ["y"])  # fmt: skip


def doppler(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Covariates (1, n) and responses (1, n)."""
    x = np.linspace(0.05, 1, n)
    return x[np.newaxis], (np.sin(1 / x) + 0.1 * np.random.default_rng(1).standard_normal(n))[np.newaxis]


def starts(network: Network, networks: int, dtype: str = "float64") -> np.ndarray:
    """Start weights (B, P)."""
    return np.random.default_rng(2).standard_normal((networks, network.n_params)).astype(dtype)


def check(device: str, sizes: Sizes) -> list[str]:
    """Compare with the CPU; one line per comparison.

    Raises
    ------
    AssertionError
        Where they differ.
    """
    network, (x, y) = doppler_network(), doppler(sizes.n)
    theta = starts(network, 4)
    said = []
    for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-3)):
        data = make_data(x, y, dtype=dtype)
        loss, grad = cuda.loss_gradient(network.net(), data, theta.astype(dtype), device)
        other = np.empty(network.n_params, dtype)
        worst = 0.0
        for b in range(len(theta)):
            value = cpu.loss_gradient(network.net(), data, theta[b].astype(dtype), b, 0, sizes.n, other)
            worst = max(worst, abs(loss[b] - value) / abs(value), np.max(np.abs(grad[b] - other)) / np.max(np.abs(other)))
        assert worst < tolerance, f"gradient in {dtype}: relative difference {worst:.2g}"
        said.append(f"gradient, {dtype}: relative difference {worst:.2g}")
    small = doppler_network((3,))
    for algorithm in (Algorithm(), LM(), BFGS(), LBFGS()):
        steps = min(sizes.steps, 200 if algorithm.name == "rprop+" else 20)
        said.append(compare(algorithm.name, small, x, y, 0.5 * starts(small, 4), algorithm, steps, device))
    return said + check_distributions(device, sizes) + gpu_layers.check(device)


def compare(
    what: str, network: Network, x: np.ndarray, y: np.ndarray, theta: np.ndarray, algorithm: object, steps: int, device: str
) -> str:
    """Train on both; the difference in words."""
    arguments = network, make_data(x, y), theta, np.ones(network.n_params, bool), algorithm
    there, here = (train(*arguments, threshold=1e-6, stepmax=steps, device=where) for where in (device, "cpu"))
    worst = float(np.max(np.abs(there.theta - here.theta)))
    assert np.array_equal(there.steps, here.steps), f"{what}: steps {there.steps} and {here.steps}"
    assert worst < 1e-7, f"{what}: weights differ by {worst:.2g}"
    return f"{what}: equal steps, weights differ by {worst:.2g}"


def check_distributions(device: str, sizes: Sizes) -> list[str]:
    """As `check`, of distributions whose parameters are outputs: a density, counts, censored times, categories."""
    x, y = doppler(sizes.n)
    rng, said = np.random.default_rng(3), []
    times = rng.weibull(1.5, sizes.n)
    for family, response in (
        (families.GaussianScale(), y), (families.NegativeBinomialScale(), rng.poisson(np.exp(y)).astype(float)),
        (families.Weibull(), np.stack([np.minimum(times, 1.0), np.where(times < 1, times, 0.0)])),
        (families.Ordinal("probit", 3), np.eye(3)[:, np.digitize(y[0], [-0.5, 0.5])]),
    ):  # fmt: skip
        goal = families.resolve_objective("sse", True, "identity", family, None, None)
        network = dense_network(1, (3,), [resolve_activation("tanh")], goal, ["x"], list(family.roles))
        for algorithm in (Algorithm(), BFGS()):
            what = f"{family.name}, {algorithm.name}"
            said.append(compare(what, network, x, response, 0.1 * starts(network, 4), algorithm, 15, device))
    return said


def seconds_of(programs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of every program, taken in turns."""
    return {name: statistics.median(times) for name, times in alternate(programs, repeats).items()}


def floor(network: Network, n: int, networks: int, steps: int, dtype: str) -> float | None:
    """Seconds that the multiply-adds of all gradients take at the device's rate; None where its clock is not told."""
    from numba import cuda as numba_cuda

    device = numba_cuda.get_current_device()
    clock = getattr(device, "CLOCK_RATE", 0) * 1e3
    if not clock:
        return None
    sizes = (1, *(int(k) for k in network.table[:, 5]))
    products = sum(3 * a * b for a, b in itertools.pairwise(sizes)) - sizes[0] * sizes[1]
    return networks * steps * n * products / (device.MULTIPROCESSOR_COUNT * FMA_PER_CYCLE[dtype] * clock)


def stack_rows(device: str, sizes: Sizes, repeats: int) -> list[dict[str, object]]:
    """Stacks of networks 1-10-5-15-1, rprop+."""
    network, (x, y) = doppler_network(), doppler(sizes.n)
    free, rows = np.ones(network.n_params, bool), []
    for networks in sizes.networks:
        for dtype in ("float32", "float64"):
            theta, data = starts(network, networks, dtype), make_data(x, y, dtype=dtype)

            arguments = network, data, theta, free, Algorithm()
            programs: dict[str, Callable[[], object]] = {
                name: partial(train, *arguments, threshold=0.0, stepmax=sizes.steps, device=where)
                for name, where in (("neuralstat", device), (f"neuralstat on {threads(None)} cores", "cpu"))
            }
            peers, note = gpu_peers.stack_programs(network, x, y, theta, sizes.steps, device)
            programs.update(peers)
            found = seconds_of(programs, repeats)
            least = floor(network, sizes.n, networks, sizes.steps, dtype)
            for program, seconds in found.items():
                share = least / seconds if program == "neuralstat" and least is not None else ""
                rows.append(row(f"stack {networks}", program, seconds, found["neuralstat"], dtype, share, note))
    return rows


def gdf_rows(device: str, sizes: Sizes, repeats: int) -> list[dict[str, object]]:
    """Degrees of freedom by perturbation: refits of a network of ten units, Levenberg-Marquardt."""
    x, y = doppler(sizes.n)
    data = {"x": x[0], "y": y[0]}
    how = {"hidden": 10, "algorithm": "lm", "rep": sizes.restarts, "random_state": 1, "stepmax": 200, "tol": 1e-6}
    programs = {}
    for name, where in (("neuralstat", device), (f"neuralstat on {threads(None)} cores", "cpu")):
        fit = ns.NeuralNet.from_formula("y ~ x", data, **how, device=where).fit()
        programs[name] = partial(fit.df, "gdf", draws=sizes.draws, sigma=0.1, random_state=2)
    found = seconds_of(programs, repeats)
    return [row("gdf", name, seconds, found["neuralstat"], "float64") for name, seconds in found.items()]


def layered_rows(name: str, device: str, sizes: Sizes, repeats: int) -> list[dict[str, object]]:
    """Steps of Adam on a convolutional or a recurrent network, float32 without TF32."""
    programs, note = getattr(gpu_peers, f"{name}_programs")(sizes, device)
    programs = {"neuralstat": gpu_layers.steps(name, sizes), **programs}
    for program in programs.values():
        program()  # compiles, and records graphs
    found = seconds_of(programs, repeats)
    return [row(name, program, seconds, found["neuralstat"], "float32", note=note) for program, seconds in found.items()]


def row(
    work: str, program: str, seconds: float | None, ours: float | None, dtype: str, share: object = "", note: str = ""
) -> dict[str, object]:
    """A row of the table."""
    return {
        "work": work, "program": program, "dtype": dtype, "seconds": "" if seconds is None else seconds,
        "times ours": "" if seconds is None or ours is None else seconds / ours, "share of the arithmetic floor": share,
        "target": TARGETS.get(work, ""), "note": note,
    }  # fmt: skip


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda:0", help="'cuda' or 'cuda:<number>'")
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many runs of each program")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="rows of the table")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that all of it runs")
    parser.add_argument("--check", action="store_true", help="compare with the CPU only, and write nothing")
    found = parser.parse_args(arguments)
    if not found.device.startswith("cuda"):
        parser.error(f"--device must be 'cuda' or 'cuda:<number>', got {found.device!r}")
    if found.repeats < 1:
        parser.error("--repeats must be at least 1")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Check, time, write."""
    given = parse(arguments)
    if cuda.simulated():
        sys.exit("gpu.py: the CUDA simulator is on (NUMBA_ENABLE_CUDASIM), whose times mean nothing. Unset it.")
    try:
        name = cuda.find_device(given.device)
    except DeviceError as error:
        sys.exit(f"gpu.py: nothing was timed. {error}")
    sizes = QUICK if given.quick else Sizes()
    print(name)
    for line in check(given.device, sizes):
        print("checked:", line)
    if given.check:
        return 0
    rows: list[dict[str, object]] = []
    with cuda.on_device(given.device):
        for work in given.rows:
            if work == "stack":
                rows += stack_rows(given.device, sizes, given.repeats)
            elif work == "gdf":
                rows += gdf_rows(given.device, sizes, given.repeats)
            else:
                rows += layered_rows(work, given.device, sizes, given.repeats)
    write("gpu_quick" if given.quick else "gpu", [{**line, "device": name} for line in rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
