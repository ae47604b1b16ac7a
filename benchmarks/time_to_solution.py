"""Time to the same error: neuralstat's optimizers against what else fits the same network.

Doppler data (y = sin(1/x) + noise, n = 200), 10 logistic units, linear output, 20 random starts that all
programs share (scikit-learn makes its own). Peers: R's nnet (BFGS in C), scikit-learn's MLPRegressor (L-BFGS), scipy's
least_squares (MINPACK and trust region, analytic Jacobian in numpy), PyTorch's LBFGS (strong Wolfe). Every program
stops by its own rule; what counts is its CPU time for all starts, on one thread, and the best and median error (half
sum of squares) that it ends at. Times are the least of several repeats that alternate between the programs, so that
other work on the machine meets all of them; ratios are within one run. R's neuralnet takes the steps of our rprop+
(tests/reference holds its own), so its time is theirs times R's cost of a step. Then 1000 networks with lm, on one
and on two threads.

Usage: python benchmarks/time_to_solution.py [repeats]; needs Rscript with the package nnet for R's part.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from common import write

import neuralstat as ns
from neuralstat.engine.data import make_data
from neuralstat.network.network import dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers import BFGS, LBFGS, LM
from neuralstat.training.train import Algorithm, train

UNITS, N, STARTS = 10, 200, 20
PROGRAMS = {
    "neuralstat lm": (LM(), {"threshold": 0.01}),
    "neuralstat lm, tol 1e-5": (LM(), {"threshold": 0.01, "tol": 1e-5}),
    "neuralstat bfgs": (BFGS(), {"threshold": 1e-3, "tol": 1e-8}),
    "neuralstat lbfgs": (LBFGS(), {"threshold": 1e-3, "tol": 1e-8}),
    "neuralstat rprop+": (Algorithm(), {"threshold": 0.01}),
}


def problem(starts: int) -> tuple:
    """Network, data and starts."""
    frame = ns.datasets.doppler(n=N, noise=0.1, random_state=1)
    net = dense_network(1, (UNITS,), [resolve_activation("logistic")],
                        objective("sse", resolve_activation("identity")), ["x"], ["y"])  # fmt: skip
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    return net, x, y, np.random.default_rng(1).standard_normal((starts, net.n_params))


def ours(name: str, net: object, x: np.ndarray, y: np.ndarray, start: np.ndarray, n_jobs: int = 1) -> tuple:
    """(wall seconds, CPU seconds, errors, steps)."""
    optimizer, rules = PROGRAMS[name]
    free = np.ones(start.shape[1], bool)
    wall, cpu = time.perf_counter(), time.process_time()
    fit = train(net, make_data(x[None], y[None]), start, free, optimizer, stepmax=100_000, n_jobs=n_jobs, **rules)
    return time.perf_counter() - wall, time.process_time() - cpu, fit.loss, fit.steps


def nnet(x: np.ndarray, y: np.ndarray, start: np.ndarray, maxit: int) -> tuple:
    """The same of R's nnet; nnet's logistic and decay-free error are ours."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("x", "y", "w")]
        for file, values in zip(files, (x, y, start), strict=True):
            np.savetxt(file, values, fmt="%.17g")
        script = str(Path(__file__).with_name("nnet_doppler.R"))
        out = subprocess.run(["Rscript", script, *files, str(UNITS), str(maxit), "1"], capture_output=True, text=True,
                             check=True).stdout  # fmt: skip
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    return (
        float(lines["seconds"][0]),
        float(lines["cpu"][0]),
        np.array(lines["error"], float),
    )


def sklearn(x: np.ndarray, y: np.ndarray, starts: int, maxit: int) -> tuple:
    """The same of scikit-learn's lbfgs, with its own starts."""
    from sklearn.neural_network import MLPRegressor

    errors = []
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for r in range(starts):
            model = MLPRegressor(hidden_layer_sizes=(UNITS,), activation="logistic", solver="lbfgs", alpha=0.0, max_iter=maxit, tol=1e-8,  # noqa: E501
                                     max_fun=10 * maxit, random_state=r).fit(x[:, None], y)  # fmt: skip
            errors.append(np.sum((model.predict(x[:, None]) - y) ** 2) / 2)
    return time.perf_counter() - wall, time.process_time() - cpu, np.array(errors)


def outputs(w: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output and hidden units in numpy, weights in R's order."""
    first, last = w[: 2 * UNITS].reshape(UNITS, 2), w[2 * UNITS :]
    with np.errstate(over="ignore"):
        units = 1 / (1 + np.exp(-(first[:, :1] + first[:, 1:] * x)))
    return last[0] + last[1:] @ units, units


def jacobian(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """d output / d w in numpy, (n, P)."""
    _, units = outputs(w, x)
    back = w[2 * UNITS + 1 :, None] * units * (1 - units)
    inner = np.stack([back, back * x], 1).reshape(2 * UNITS, -1)
    return np.vstack([inner, np.ones_like(x)[None], units]).T


def scipy(x: np.ndarray, y: np.ndarray, start: np.ndarray, method: str, most: int) -> tuple:
    """The same of scipy's least_squares, with at most so many evaluations."""
    from scipy.optimize import least_squares

    wall, cpu = time.perf_counter(), time.process_time()
    errors = [
        least_squares(lambda w: outputs(w, x)[0] - y, w, lambda w: jacobian(w, x), method=method, max_nfev=most).cost
        for w in start
    ]
    return time.perf_counter() - wall, time.process_time() - cpu, np.array(errors)


def torch(x: np.ndarray, y: np.ndarray, start: np.ndarray) -> tuple:
    """The same of PyTorch's LBFGS."""
    import torch

    torch.set_num_threads(1)
    data, response = torch.from_numpy(x)[:, None], torch.from_numpy(y)[:, None]
    errors = []
    wall, cpu = time.perf_counter(), time.process_time()
    for w in start:
        model = torch.nn.Sequential(torch.nn.Linear(1, UNITS), torch.nn.Sigmoid(), torch.nn.Linear(UNITS, 1)).double()
        first, last = w[: 2 * UNITS].reshape(UNITS, 2), w[2 * UNITS :]
        with torch.no_grad():
            for target, values in zip(model.parameters(), (first[:, 1:], first[:, 0], last[None, 1:], last[:1]),
                                      strict=True):  # fmt: skip
                target.copy_(torch.from_numpy(np.ascontiguousarray(values)))
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=10_000, max_eval=20_000, history_size=20,
                                      tolerance_grad=1e-3, tolerance_change=1e-10,
                                      line_search_fn="strong_wolfe")  # fmt: skip

        def closure(model: torch.nn.Module = model, optimizer: torch.optim.Optimizer = optimizer) -> torch.Tensor:
            optimizer.zero_grad()
            loss = 0.5 * (model(data) - response).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        errors.append(float(closure()))
    return time.perf_counter() - wall, time.process_time() - cpu, np.array(errors)


def row(program: str, found: list[tuple], threads: int, reference: float) -> dict[str, object]:
    """One line of the table."""
    cpu, errors = [r[1] for r in found], found[0][2]
    steps = int(np.sum(found[0][3])) if len(found[0]) > 3 and isinstance(found[0][3], np.ndarray) else ""
    return {
        "program": program, "starts": len(errors), "threads": threads, "cpu_seconds": min(cpu),
        "cpu_seconds_median": float(np.median(cpu)), "cpu_seconds_most": max(cpu),
        "wall_seconds": min(r[0] for r in found), "wall_seconds_median": float(np.median([r[0] for r in found])),
        "best_error": float(errors.min()), "median_error": float(np.median(errors)), "steps": steps,
        "cpu_over_lm": float(np.median(cpu)) / reference,
    }  # fmt: skip


def main(repeats: int) -> None:
    """Run all, print a table, write the CSV."""
    net, x, y, start = problem(STARTS)
    for name in PROGRAMS:  # compile
        ours(name, net, x, y, start[:1])
    runs: dict[str, list[tuple]] = {}
    for _ in range(repeats):
        for name in PROGRAMS:
            runs.setdefault(name, []).append(ours(name, net, x, y, start))
        if shutil.which("Rscript"):
            for maxit in (100, 1000, 10_000):
                runs.setdefault(f"R nnet, maxit {maxit}", []).append(nnet(x, y, start, maxit))
    for method, most in (("lm", 10_000), ("trf", 1000)):
        runs[f"scipy least_squares {method}"] = [scipy(x, y, start, method, most)]
    if importlib.util.find_spec("sklearn"):
        runs["scikit-learn lbfgs, max_iter 10000"] = [sklearn(x, y, STARTS, 10_000)]
    if importlib.util.find_spec("torch"):
        runs["PyTorch LBFGS"] = [torch(x, y, start)]
    reference = float(np.median([r[1] for r in runs["neuralstat lm"]]))
    rows = [row(name, found, 1, reference) for name, found in runs.items()]
    _, _, _, many = problem(1000)
    both: dict[int, list[tuple]] = {1: [], 2: []}
    for _ in range(max(repeats // 2, 1)):
        for jobs, found in both.items():
            found.append(ours("neuralstat lm", net, x, y, many, jobs))
    rows += [row("neuralstat lm", found, jobs, reference) for jobs, found in both.items()]
    write("time_to_solution", rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
