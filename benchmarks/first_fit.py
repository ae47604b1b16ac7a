"""The first fit of each kind: processor seconds where nothing is compiled, where a dense network was fitted, where all is.

Every fit runs in a process of its own, with one worker. A further kind in a cache that holds the kernels of the dense fit by
rprop+ compiles what it has beside them. ``--kernels`` also writes seconds by kernel (each without those that it compiles on
its way), as numba's events tell them, to ``first_fit_kernels.csv``.

Usage: python benchmarks/first_fit.py [--against CHECKOUT] [--repeats 2] [--kernels]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import write

DENSE = "dense, rprop+"
FITS = {
    DENSE: 'fit("y ~ x + z", hidden=5, stepmax=500)',
    "dense, lbfgs": 'fit("y ~ x + z", hidden=5, algorithm="lbfgs")',
    "dense, lm": 'fit("y ~ x + z", hidden=5, algorithm="lm")',
    "dense, adam": 'fit("y ~ x + z", hidden=5, algorithm="adam", epochs=2, batch_size=32)',
    "dense, adam, float32": 'fit("y ~ x + z", hidden=5, algorithm="adam", epochs=2, batch_size=32, dtype="float32")',
    "binomial": 'fit("b ~ x + z", hidden=5, family="binomial")',
    "poisson": 'fit("k ~ x + z", hidden=5, family="poisson")',
    "three classes": 'fit("c ~ x + z", hidden=5)',
    "gaussian with its scale": 'fit("y ~ x + z", hidden=5, family="gaussian", dispformula="~ x")',
    "convolutions, adam": 'fit("y ~ image", layers=[L.Conv2D(8, 3, "relu"), L.MaxPool2D(2), L.Flatten()], **epochs)',
    "LSTM, adam": 'fit("y ~ series", layers=[L.LSTM(8)], **epochs)',
    "GRU, adam": 'fit("y ~ series", layers=[L.GRU(8)], **epochs)',
    "batch normalisation, dropout": 'fit("y ~ x + z", layers=[L.Dense(8, "relu"), L.BatchNorm(), L.Dropout(0.5)], **epochs)',
    "summary of the dense fit": 'fit("y ~ x + z", hidden=5, stepmax=500).summary()',
}
CHILD = """
import json, sys, time, warnings
import numpy as np
from numba.core import event
import neuralstat as ns
from neuralstat import layers as L
warnings.simplefilter("ignore")
rng = np.random.default_rng(1)
n = 200
x, z = rng.normal(size=(2, n))
data = {"x": x, "z": z, "y": np.sin(x) + rng.normal(size=n) / 9, "b": (x + rng.normal(size=n) > 0).astype(int),
        "k": rng.poisson(np.exp(x / 2)), "c": rng.choice(list("abc"), n), "image": rng.normal(size=(n, 12, 12, 1)),
        "series": rng.normal(size=(n, 10, 3))}
epochs = dict(algorithm="adam", epochs=2, batch_size=32)
def fit(formula, **how):
    return ns.neuralnet(formula, data, rep=1, random_state=1, n_jobs=1, **how)
kernels, stack = {}, []
class Listener(event.Listener):
    def on_start(self, event):
        stack.append([time.process_time(), 0.0])
    def on_end(self, event):
        began, inside = stack.pop()
        whole = time.process_time() - began
        if stack:
            stack[-1][1] += whole
        name = event.data["dispatcher"].py_func
        key = name.__module__ + "." + name.__qualname__
        kernels[key] = kernels.get(key, 0.0) + whole - inside
if sys.argv[2] == "kernels":
    event.register("numba:compile", Listener())
import formulaic, pandas, scipy.stats  # what every fit imports is no compilation
began = time.process_time()
eval(sys.argv[1])
print(json.dumps([time.process_time() - began, kernels]))
"""


def seconds(code: str, folder: str, tree: Path, kernels: bool = False) -> tuple[float, dict[str, float]]:
    """Processor seconds of a fit in a new process, whose compiled kernels lie in a folder; seconds by kernel."""
    env = {**os.environ, "NEURALSTAT_CACHE_DIR": folder, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-c", CHILD, code, "kernels" if kernels else "-"]
    done = subprocess.run(command, env=env, cwd=tempfile.gettempdir(), capture_output=True, text=True, check=True)
    taken, found = json.loads(done.stdout.splitlines()[-1])
    return taken, found


def measured(name: str, tree: Path, repeats: int, dense: str) -> dict[str, float]:
    """The least of some repeats: in an empty folder, in a copy of `dense` (that of the dense fit), with all compiled."""
    columns: dict[str, list[float]] = {"empty": [], "after_dense": [], "compiled": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            columns["empty"].append(seconds(FITS[name], folder, tree)[0])
            columns["compiled"].append(seconds(FITS[name], folder, tree)[0])
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(dense, folder, dirs_exist_ok=True)
            columns["after_dense"].append(seconds(FITS[name], folder, tree)[0])
    return {column: min(found) for column, found in columns.items()}


def by_kernel() -> list[dict[str, object]]:
    """Seconds of compilation by kernel over all kinds, one after the other in one folder."""
    rows: list[dict[str, object]] = []
    folder = tempfile.mkdtemp()
    for name, code in FITS.items():
        _, found = seconds(code, folder, HERE, kernels=True)
        rows += [{"fit": name, "kernel": kernel, "seconds": taken} for kernel, taken in found.items() if taken >= 0.1]
    shutil.rmtree(folder)
    return sorted(rows, key=lambda row: (list(FITS).index(str(row["fit"])), -float(str(row["seconds"]))))


HERE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--kernels", action="store_true")
    given = parser.parse_args()
    trees = {"": HERE} | ({"before_": given.against.resolve()} if given.against else {})
    dense = {prefix: tempfile.mkdtemp() for prefix in trees}
    for prefix, tree in trees.items():
        seconds(FITS[DENSE], dense[prefix], tree)
    rows: list[dict[str, object]] = []
    for name in FITS:
        row: dict[str, object] = {"fit": name}
        for prefix, tree in trees.items():
            found = measured(name, tree, given.repeats, dense[prefix])
            row |= {prefix + column: round(value, 2) for column, value in found.items()}
        rows.append(row)
        print(row, flush=True)
    write("first_fit", rows)
    for folder in dense.values():
        shutil.rmtree(folder)
    if given.kernels:
        write("first_fit_kernels", by_kernel())


if __name__ == "__main__":
    main()
