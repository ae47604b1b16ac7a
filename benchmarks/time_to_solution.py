"""Time to the same error: neuralstat's lm, bfgs, lbfgs against R's nnet and scikit-learn's MLPRegressor (lbfgs).

Doppler data (y = sin(1/x) + noise, n = 200), 10 logistic units, linear output, 20 random starts that all
programs share (scikit-learn makes its own). Every program stops by its own rule; what counts is its CPU time
for all starts, on one thread, and the best and median error (half sum of squares) that it ends at. Times are
the least of several repeats that alternate between the programs, so that other work on the machine meets all
of them; ratios are within one run. Then 1000 networks with lm, on one and on two threads.

Usage: python benchmarks/time_to_solution.py [repeats]; needs Rscript with the package nnet for R's part.
"""

from __future__ import annotations

import csv
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import date
from pathlib import Path

import numpy as np

import neuralstat as ns
from neuralstat.network import dense_network, objective, resolve_activation
from neuralstat.optimizers import BFGS, LBFGS, LM
from neuralstat.train import make_data, train

UNITS, N, STARTS = 10, 200, 20
OUT = Path(__file__).parent / "results"
PROGRAMS = {
    "neuralstat lm": (LM(), {"threshold": 0.01}),
    "neuralstat lm, tol 1e-5": (LM(), {"threshold": 0.01, "tol": 1e-5}),
    "neuralstat bfgs": (BFGS(), {"threshold": 1e-3, "tol": 1e-8}),
    "neuralstat lbfgs": (LBFGS(), {"threshold": 1e-3, "tol": 1e-8}),
}


def cpu_name() -> str:
    """What the machine calls its processor."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


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
        " ".join(lines["version"]),
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
    return time.perf_counter() - wall, time.process_time() - cpu, np.array(errors), None


def main(repeats: int) -> None:
    """Run all, print a table, write the CSV."""
    net, x, y, start = problem(STARTS)
    for name in PROGRAMS:  # compile
        ours(name, net, x, y, start[:1])
    runs: dict[str, list[tuple]] = {}
    versions = {"neuralstat": ns.__version__, "numpy": np.__version__, "python": platform.python_version()}
    for _ in range(repeats):
        for name in PROGRAMS:
            runs.setdefault(name, []).append(ours(name, net, x, y, start))
        if shutil.which("Rscript"):
            for maxit in (100, 1000, 10_000):
                found = nnet(x, y, start, maxit)
                versions["nnet"] = found[3]
                runs.setdefault(f"R nnet, maxit {maxit}", []).append(found)
    if __import__("importlib").util.find_spec("sklearn"):
        import sklearn as package

        versions["scikit-learn"] = package.__version__
        runs["scikit-learn lbfgs, max_iter 10000"] = [sklearn(x, y, STARTS, 10_000)]
    reference = min(r[1] for r in runs.get("R nnet, maxit 10000", [(np.nan, np.nan)]))
    rows = []
    for name, found in runs.items():
        cpu = [r[1] for r in found]
        errors = found[0][2]
        rows.append({
            "program": name, "starts": STARTS, "threads": 1, "cpu_seconds": min(cpu), "cpu_seconds_most": max(cpu),
            "wall_seconds": min(r[0] for r in found), "best_error": errors.min(), "median_error": np.median(errors),
            "nnet_cpu_over_this": reference / min(cpu),
        })  # fmt: skip
    _, _, _, many = problem(1000)
    for jobs in (1, 2):
        found = [ours("neuralstat lm", net, x, y, many, jobs) for _ in range(max(repeats // 2, 1))]
        rows.append({
            "program": "neuralstat lm", "starts": 1000, "threads": jobs, "cpu_seconds": min(r[1] for r in found),
            "cpu_seconds_most": max(r[1] for r in found), "wall_seconds": min(r[0] for r in found),
            "best_error": found[0][2].min(), "median_error": np.median(found[0][2]), "nnet_cpu_over_this": "",
        })  # fmt: skip
    about = {
        "cpu": cpu_name(),
        "date": str(date.today()),
        "versions": "; ".join(f"{k} {v}" for k, v in versions.items()),
    }
    OUT.mkdir(exist_ok=True)
    with (OUT / "time_to_solution.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *about])
        writer.writeheader()
        writer.writerows({**row, **about} for row in rows)
    for row in rows:
        print("  ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
