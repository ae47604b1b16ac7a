"""A full-batch step where the partitions are: 1, 2 and 3 worker processes of one thread, on this machine.

A step is one round: weights out, sums of loss and gradient back. What a round takes with 1,000 rows is the overhead of the
cluster's messages; one worker alone takes the kernel's time besides. With more workers than cores the table shows the
overhead, not a gain.

Usage: python benchmarks/cluster.py [repeats]
"""

from __future__ import annotations

import logging
import sys
import time
import warnings

import numpy as np
import pandas as pd
from common import write

HIDDEN, COVARIATES, PARTITIONS = (32, 16), 20, 12
SIZES = (1_000, 200_000)
WORKERS = (1, 2, 3)


def table(n: int) -> pd.DataFrame:
    """Rows of 20 covariates and a response."""
    rng = np.random.default_rng(0)
    made = pd.DataFrame(rng.standard_normal((n, COVARIATES)), columns=[f"x{j}" for j in range(COVARIATES)])
    return made.assign(y=np.sin(made["x0"]) + 0.1 * rng.standard_normal(n))


def main(repeats: int) -> None:
    """Measure and write."""
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    import neuralstat as ns
    from neuralstat.cluster import sums
    from neuralstat.cluster.rows import Shared
    from neuralstat.engine import cpu
    from neuralstat.engine.data import make_data

    rows: list[dict[str, object]] = []
    for workers in WORKERS:
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL) as \
                cluster, Client(cluster):  # fmt: skip
            step: dict[int, float] = {}
            for n in SIZES:
                model = ns.NeuralNet.from_formula(f"y ~ {' + '.join(f'x{j}' for j in range(COVARIATES))}",
                                                  dd.from_pandas(table(n), npartitions=PARTITIONS), hidden=HIDDEN, rep=1,
                                                  algorithm="rprop+", random_state=1)  # fmt: skip
                procedure, held = model.procedure(), model.design.held
                theta, free, network = procedure.start(), procedure.masks[1], procedure.network
                shared = Shared(sums.Job(network, free, "float64"))
                held.total(sums.losses, shared, theta)
                before, seconds, used = held.moved, [], time.process_time()
                for _ in range(repeats):
                    began = time.perf_counter()
                    held.total(sums.losses, shared, theta)
                    seconds.append(time.perf_counter() - began)
                used = (time.process_time() - used) / repeats
                step[n] = min(seconds)
                part = table(n // PARTITIONS)
                data = make_data(part.drop(columns="y").to_numpy().T, part["y"].to_numpy()[np.newaxis])
                grad, net, kernel = np.empty(network.n_params), network.net(), []
                for _ in range(repeats):
                    began = time.perf_counter()
                    cpu.loss_gradient(net, data, theta[0], 0, 0, len(part), grad)
                    kernel.append(time.perf_counter() - began)
                rows.append({
                    "workers": workers, "rows": n, "weights": network.n_params, "partitions": PARTITIONS,
                    "step_ms": 1e3 * min(seconds), "median_step_ms": 1e3 * float(np.median(seconds)),
                    "overhead_ms": 1e3 * step[SIZES[0]], "client_processor_ms": 1e3 * used,
                    "bytes_per_step": (held.moved - before) // repeats, "kernel_rows_per_second": len(part) / min(kernel),
                })  # fmt: skip
                del model, procedure, held
    write("cluster", rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
