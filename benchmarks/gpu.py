"""Training on a GPU: correctness against the CPU first, then times, with peers in the same run.

    python benchmarks/gpu.py [--device cuda:0] [--repeats 3] [--rows stack gdf cnn lstm resnet masked_lstm]
                             [--quick | --simulated] [--check | --unchecked] [--out FOLDER] [--append]

Needs a CUDA device, ``neuralstat[cuda]``, and for the peers PyTorch built for CUDA; without a device it says so and ends.
Writes ``gpu.csv`` (``gpu_quick.csv``) into ``results``, or into the folder of ``--out``, a row as soon as its programs were
timed; with ``--out`` also ``runs.csv``, every single run when it ends, and ``kernels.csv``, registers and memory of every
kernel that was compiled. Networks that are trained by minibatches take `Sizes.minibatches` steps of Adam on data that
lie on the device already; ours are recorded as a CUDA graph by the driver, PyTorch's are eager. `gpu_session.sh` runs all
of it in a given time.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gpu_layers
import gpu_peers
import numpy as np
from common import RESULTS
from gpu_record import Timed, brief, kernels, stamp, write

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
ROWS = ("stack", "gdf", "cnn", "lstm", "resnet", "masked_lstm")


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    n: int = 200
    networks: tuple[int, ...] = (10_000, 100)
    steps: int = 1000
    draws: int = 1000
    restarts: int = 5
    units: int = 10  # of the networks that are refitted
    images: int = 512
    sequences: tuple[int, int, int] = (256, 100, 64)  # batch, steps, units
    minibatches: int = 20
    filters: int = 32
    edge: int = 28  # of the images of the convolutional network
    maps: int = 28  # and of the residual one
    on_cpu: int = 1000  # most networks of a stack that the CPU trains; its seconds are in proportion to their number


QUICK = Sizes(40, (8, 2), 20, 4, 2, 10, 8, (4, 5, 3), 2, on_cpu=8)
SIMULATED = Sizes(8, (3, 2), 3, 3, 1, 1, 1, (3, 3, 2), 1, 1, 18, 3, 2)
TARGETS = {
    "stack 10000": "5 times vmap in a CUDA graph; 20 (float32) and 8 (float64) times our CPU kernels on all cores",
    "stack 100": "10 times vmap in a CUDA graph, 50 times without",
    "gdf": "under 1 s",
    "cnn": "0.7 times PyTorch/cuDNN",
    "lstm": "0.7 times PyTorch/cuDNN",
    "resnet": "none is set",
    "masked_lstm": "none is set",
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


def check(device: str, sizes: Sizes) -> Iterator[Callable[[], list[str]]]:
    """Comparisons with the CPU, the simplest first; each raises AssertionError where they differ, or says by how much."""
    for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-3)):
        yield partial(check_gradient, device, sizes, dtype, tolerance)
    for name in gpu_layers.CHECKED:
        if sizes is not SIMULATED or name.endswith("lstm"):  # the others take a simulator minutes
            yield lambda name=name: [gpu_layers.check(device, name, 4 if sizes is SIMULATED else 70)]
    network, (x, y) = doppler_network((3,)), doppler(sizes.n)
    for algorithm in (Algorithm(), LM(), BFGS(), LBFGS()):
        steps = min(sizes.steps, 200 if algorithm.name == "rprop+" else 20)
        arguments = algorithm.name, network, x, y, 0.5 * starts(network, 4), algorithm, steps, device
        yield lambda arguments=arguments: [compare(*arguments)]
    yield partial(check_distributions, device, sizes)


def check_gradient(device: str, sizes: Sizes, dtype: str, tolerance: float) -> list[str]:
    """Loss and gradient of the network of the table."""
    network, (x, y) = doppler_network(), doppler(sizes.n)
    theta, data = starts(network, 4, dtype), make_data(x, y, dtype=dtype)
    loss, grad = cuda.loss_gradient(network.net(), data, theta, device)
    other = np.empty(network.n_params, dtype)
    worst = 0.0
    for b in range(len(theta)):
        value = cpu.loss_gradient(network.net(), data, theta[b], b, 0, sizes.n, other)
        worst = max(worst, abs(loss[b] - value) / abs(value), np.max(np.abs(grad[b] - other)) / np.max(np.abs(other)))
    assert worst < tolerance, f"gradient in {dtype}: relative difference {worst:.2g}"
    return [f"gradient, {dtype}: relative difference {worst:.2g}"]


def checked(device: str, sizes: Sizes) -> list[str]:
    """Perform all of `check`, print what comes out, go on after a failure; the failures."""
    failures = []
    for comparison in check(device, sizes):
        try:
            for line in comparison():
                print("checked:", line, flush=True)
        except Exception as error:  # the times of the other kernels are still worth having
            failures.append(brief(error))
            print("CHECK FAILED:", failures[-1], flush=True)
    return failures


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


def workspace(network: Network, data: object, networks: int) -> str:
    """Shared memory that launches of a stack ask for, in words."""
    there = cuda.upload(network.net(), data, network.n_params, networks)
    return f"{there.shared} bytes of shared memory a block, {there.blocks} blocks"


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


Found = Iterator[dict[str, object]]


def stack_rows(device: str, sizes: Sizes, timed: Timed) -> Found:
    """Stacks of networks 1-10-5-15-1, rprop+."""
    network, (x, y) = doppler_network(), doppler(sizes.n)
    free = np.ones(network.n_params, bool)
    for networks in sizes.networks:
        for dtype in ("float32", "float64"):
            work, theta, data = f"stack {networks}", starts(network, networks, dtype), make_data(x, y, dtype=dtype)
            few, host = min(networks, sizes.on_cpu), f"neuralstat on {threads(None)} cores"
            how = {"threshold": 0.0, "stepmax": sizes.steps}
            programs: dict[str, Callable[[], object]] = {
                "neuralstat": partial(train, network, data, theta, free, Algorithm(), **how, device=device)
            }
            peers, note = gpu_peers.stack_programs(network, x, y, theta, sizes.steps, device)
            programs.update(peers)
            programs[host] = partial(train, network, data, theta[:few], free, Algorithm(), **how, device="cpu")
            found, failed = timed(work, dtype, programs, {host: few / networks})
            least = floor(network, sizes.n, networks, sizes.steps, dtype)
            for name in programs:
                ours = name == "neuralstat"
                share = least / found[name] if ours and name in found and least is not None else ""
                said = [failed.get(name, ""), note if ours else ""]
                if ours and name in found:
                    said.append(workspace(network, data, networks))
                if name == host and few < networks:
                    said.append(f"timed on {few} networks")
                yield row(work, name, found.get(name), found.get("neuralstat"), dtype, share, "; ".join(filter(None, said)))


def gdf_rows(device: str, sizes: Sizes, timed: Timed) -> Found:
    """Degrees of freedom by perturbation: refits of a network by Levenberg-Marquardt."""
    x, y = doppler(sizes.n)
    data = {"x": x[0], "y": y[0]}
    how = {"hidden": sizes.units, "algorithm": "lm", "rep": sizes.restarts, "random_state": 1, "stepmax": 200, "tol": 1e-6}
    programs = {}
    for name, where in (("neuralstat", device), (f"neuralstat on {threads(None)} cores", "cpu")):
        fit = ns.NeuralNet.from_formula("y ~ x", data, **how, device=where).fit()
        programs[name] = partial(fit.df, "gdf", draws=sizes.draws, sigma=0.1, random_state=2)
    found, failed = timed("gdf", "float64", programs)
    for name in programs:
        yield row("gdf", name, found.get(name), found.get("neuralstat"), "float64", note=failed.get(name, ""))


def layered_rows(name: str, device: str, sizes: Sizes, timed: Timed) -> Found:
    """Steps of Adam on a convolutional, residual or recurrent network, float32 without TF32."""
    peers, note = getattr(gpu_peers, f"{name}_programs")(sizes, device)
    ours = gpu_layers.steps(name, sizes)
    ours()  # compiles; graphs are recorded by the run after this
    programs = {"neuralstat": ours, **peers}
    found, failed = timed(name, "float32", programs)
    for program in programs:
        said = "; ".join(filter(None, [failed.get(program, ""), note]))
        yield row(name, program, found.get(program), found.get("neuralstat"), "float32", note=said)


def rows_of(work: str, device: str, sizes: Sizes, timed: Timed) -> Found:
    """Rows of the table, each when it is there."""
    if work in ("stack", "gdf"):
        return {"stack": stack_rows, "gdf": gdf_rows}[work](device, sizes, timed)
    return layered_rows(work, device, sizes, timed)


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
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="tiny sizes, to see that all of it runs")
    size.add_argument("--simulated", action="store_true", help="tinier ones, in numba's simulator: the times mean nothing")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare with the CPU only, and write nothing")
    what.add_argument("--unchecked", action="store_true", help="take times only")
    parser.add_argument("--out", type=Path, help="folder of the files (default: results, and the table only)")
    parser.add_argument("--append", action="store_true", help="add to the files that are there")
    found = parser.parse_args(arguments)
    if not found.device.startswith("cuda"):
        parser.error(f"--device must be 'cuda' or 'cuda:<number>', got {found.device!r}")
    if found.repeats < 1:
        parser.error("--repeats must be at least 1")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Check, time, write; 1 where a comparison or a program failed."""
    given = parse(arguments)
    if cuda.simulated() and not given.simulated:
        sys.exit("gpu.py: the CUDA simulator is on (NUMBA_ENABLE_CUDASIM), whose times mean nothing. Unset it, or add "
                 "--simulated.")  # fmt: skip
    if given.simulated and not cuda.simulated():
        sys.exit("gpu.py: --simulated needs NUMBA_ENABLE_CUDASIM=1.")
    try:
        name = cuda.find_device(given.device)
    except DeviceError as error:
        sys.exit(f"gpu.py: nothing was timed. {error}")
    sizes = SIMULATED if given.simulated else QUICK if given.quick else Sizes()
    print(name, flush=True)
    failures = [] if given.unchecked else checked(given.device, sizes)
    if given.check:
        return int(bool(failures))
    folder, kind = given.out or RESULTS, "simulated" if given.simulated else "quick" if given.quick else ""
    table = folder / f"gpu{kind and '_'}{kind}.csv"
    if not given.append:
        for path in (table, *([folder / "runs.csv", folder / "kernels.csv"] if given.out else [])):
            path.unlink(missing_ok=True)
    timed, told = Timed(given.out, given.repeats), set()
    with cuda.on_device(given.device):
        for work in given.rows:
            try:
                for line in rows_of(work, given.device, sizes, timed):
                    failures += [line["note"]] if str(line["note"]).startswith("failed") else []
                    write(table, {**line, "device": name, **stamp()})
                    for figures in kernels(told) if given.out and not given.simulated else ():
                        write(folder / "kernels.csv", {"work": work, **figures})
                    said = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in line.items())
                    print("  ".join(said), flush=True)
            except Exception as error:
                failures.append(brief(error))
                print(f"{work} FAILED: {failures[-1]}", flush=True)
    return int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
