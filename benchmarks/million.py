"""Fits of a million rows, 20 covariates, 32 and 16 units: Adam for 5 epochs, L-BFGS for so many gradients; against PyTorch.

Ours is the whole call: formula, scaling, training, what is said of the fit; PyTorch's is the training loop alone, on tensors
that are there. Threads are those of both. Networks by Adam take one batch after another, which is the work of one thread; the
gradients of L-BFGS are shared by all.

Usage: python benchmarks/million.py [rows] for ``results/million.csv``; one to three minutes.
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from common import write

import neuralstat as ns

P, HIDDEN, BATCH, EPOCHS, GRADIENTS, REPEATS = 20, (32, 16), 256, 5, 40, 2


def data(n: int) -> pd.DataFrame:
    """Covariates and a response with a sine and a product."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, P))
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(P)])
    frame["y"] = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * rng.standard_normal(n)
    return frame


def ours(frame: pd.DataFrame, algorithm: str, threads: int) -> None:
    """A fit of one network."""
    rules = ({"epochs": EPOCHS, "batch_size": BATCH, "dtype": "float32", "learningrate": 1e-3} if algorithm == "adam"
             else {"threshold": 0.0, "tol": 1e-12, "stepmax": GRADIENTS})  # fmt: skip
    ns.neuralnet("y ~ " + " + ".join(frame.columns[:-1]), frame, hidden=HIDDEN, rep=1, algorithm=algorithm, n_jobs=threads,
                 random_state=1, **rules)  # fmt: skip


def theirs(frame: pd.DataFrame, algorithm: str, threads: int) -> Callable[[], None]:
    """The same training in PyTorch, on tensors that are there."""
    import torch

    kind = torch.float32 if algorithm == "adam" else torch.float64
    x, y = (torch.tensor(v, dtype=kind) for v in (frame.iloc[:, :P].to_numpy(), frame[["y"]].to_numpy()))

    def run() -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        sizes = (P, *HIDDEN)
        parts = [part for a, b in itertools.pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.Sigmoid())]
        model = torch.nn.Sequential(*parts, torch.nn.Linear(HIDDEN[-1], 1)).to(kind)
        if algorithm == "adam":
            adam = torch.optim.Adam(model.parameters(), fused=True)
            for _ in range(EPOCHS):
                order = torch.randperm(len(x))
                for first in range(0, len(x), BATCH):
                    rows = order[first : first + BATCH]
                    adam.zero_grad()
                    (model(x[rows]) - y[rows]).square().mean().backward()
                    adam.step()
            return
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=GRADIENTS, max_eval=GRADIENTS, history_size=20,
                                      tolerance_grad=0.0, tolerance_change=0.0, line_search_fn="strong_wolfe")  # fmt: skip

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = 0.5 * (model(x) - y).square().mean()
            value.backward()
            return value

        optimizer.step(loss)

    return run


def main(n: int) -> None:
    """Measure and write."""
    warnings.simplefilter("ignore")
    frame, rows = data(n), []
    for algorithm in ("adam", "lbfgs"):
        ours(frame[:5000], algorithm, 2)  # compiles
        runs: dict[tuple[str, int], Callable[[], None]] = {}
        for threads in (1, 2):
            runs["neuralstat", threads] = lambda threads=threads: ours(frame, algorithm, threads)  # noqa: B023
            runs["PyTorch", threads] = theirs(frame, algorithm, threads)
        seconds: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
        for _ in range(REPEATS):
            for key, run in runs.items():
                began = time.perf_counter()
                run()
                seconds[key].append(time.perf_counter() - began)
        best = {key: min(values) for key, values in seconds.items()}
        rows += [
            {"what": "Adam, 5 epochs" if algorithm == "adam" else f"L-BFGS, {GRADIENTS} gradients", "program": program,
             "threads": threads, "rows": n, "min_s": value, "times_neuralstat": value / best["neuralstat", threads],
             "one_thread_over_this": best[program, 1] / value}
            for (program, threads), value in best.items()
        ]  # fmt: skip
    write("million", rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
