"""Studies and refits on two workers of a Dask cluster on this machine, against one thread of this process.

Efficiency is the time of one thread over twice that of two worker processes of one thread each; client and scheduler run on
the same cores. Every call is run in turns here and there, after a short one of its kind (processes started, kernels loaded);
least times are compared. Beside them is what does not depend on others who use the machine: processor seconds of this process
and of the workers, tasks, and how much of the workers' time was between tasks, before the first and after the last.

"study" is the study of `study.py` (4 truths, 12 networks, 3 restarts, estimators without refits); "study, processes" the same
in two processes of joblib, without Dask; "study, quiet" on workers without Dask's statistical profiler, whose clocks tick 5
times a second (50 is the default).

Usage: python benchmarks/cluster_study.py [--repeats 3] [--rows study cv ...]
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from common import write
from study import ESTIMATORS, TRUTHS, models

QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "200ms"}
TICK = os.sysconf("SC_CLK_TCK")


def calls(ns: Any) -> dict[str, tuple[Callable[..., Any], int, int, str]]:
    """By name: a call of so much, how much when it is measured and when it is warmed up, and what it is."""
    data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
    fit = ns.neuralnet("y ~ x", data, hidden=10, algorithm="lm", rep=3, random_state=1)

    def study(size: int, **more: Any) -> Any:
        return ns.study(models(), list(TRUTHS), 0.3, 200, size, ESTIMATORS, restarts=3, random_state=1, **more)

    def cv(size: int, **more: Any) -> Any:
        return ns.risk(fit, "cv", repeats=size, random_state=1, **more)

    def bootstrap(size: int, **more: Any) -> Any:
        return ns.risk(fit, "632+", draws=size, random_state=1, **more)

    def gdf(size: int, **more: Any) -> Any:
        return fit.df("gdf", draws=size, random_state=1, restarts="fresh", **more)

    def intervals(size: int, **more: Any) -> Any:
        return fit.get_prediction(method="bootstrap", draws=size, restarts="fresh", random_state=1, **more).conf_int()

    def select(size: int, **more: Any) -> Any:
        return ns.select("y ~ x", data, hidden=range(1, size), decay=[0, 0.001, 0.01], algorithm="lm", rep=3,
                         criterion="cv:k=10,repeats=2", random_state=1, **more)  # fmt: skip

    said = "1-10-1, n = 200, 3 restarts"
    return {
        "study": (study, 100, 4, "100 replicates of the base study, 14,400 networks"),
        "study, processes": (study, 50, 4, "50 replicates of the base study, two processes of joblib without Dask"),
        "study, quiet": (study, 50, 4, "50 replicates of the base study, workers without profiler and with slow clocks"),
        "cv": (cv, 25, 2, f"risk: 10-fold cross-validation, 25 times; {said}"),
        "632+": (bootstrap, 250, 20, f"risk: 632+, 250 samples; {said}"),
        "gdf": (gdf, 240, 20, f"gdf, 240 draws, new starts; {said}"),
        "bootstrap": (intervals, 240, 20, f"bootstrap intervals, 240 samples, new starts; {said}"),
        "select": (select, 13, 6, "select: 1 to 12 units, 3 decays, 10-fold cross-validation twice; n = 200, 3 restarts"),
    }  # fmt: skip


def processor(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@contextlib.contextmanager
def cluster(quiet: bool) -> Iterator[Any]:
    """A client of two workers."""
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set(QUIET if quiet else {}), LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as made, Client(made) as client:
        yield client


def measure(name: str, call: Callable[..., Any], size: int, least: int, client: Any, repeats: int) -> dict[str, object]:
    """A row."""
    import joblib
    from distributed import get_task_stream

    processes, pids = name.endswith("processes"), [os.getpid(), *client.run(os.getpid).values()]

    def there(size: int) -> Any:
        if processes:
            return call(size, n_jobs=2)
        with joblib.parallel_config(backend="dask"):
            return call(size)

    call(least, n_jobs=1)
    for _ in range(2):
        there(least)
    one, two = [], []
    for _ in range(repeats):
        began, before = time.perf_counter(), processor(os.getpid())
        call(size, n_jobs=1)
        one.append((time.perf_counter() - began, processor(os.getpid()) - before))
        with get_task_stream(client) as stream:
            began, all_before = time.perf_counter(), [processor(pid) for pid in pids]
            there(size)
            seconds = time.perf_counter() - began
            spent = [processor(pid) - b for pid, b in zip(pids, all_before, strict=True)]
        ran = [s["stop"] - s["start"] for task in stream.data for s in task["startstops"] if s["action"] == "compute"]
        two.append((seconds, spent, ran))
    seconds, spent, ran = min(two, key=lambda run: run[0])
    least_one = min(one)[0]
    return {
        "calculation": name, "one_s": round(least_one, 3), "two_s": round(seconds, 3),
        "efficiency": round(least_one / (2 * seconds), 3), "processor_one_s": round(min(p for _, p in one), 2),
        "processor_client_s": round(spent[0], 2), "processor_workers_s": "" if processes else round(sum(spent[1:]), 2),
        "tasks": "" if processes else len(ran), "idle": "" if processes else round(1 - sum(ran) / (2 * seconds), 3),
        "repeats": repeats,
    }  # fmt: skip


def main() -> None:
    import neuralstat as ns

    names = ["study", "study, processes", "cv", "632+", "gdf", "bootstrap", "select", "study, quiet"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", nargs="*", default=names, choices=names)
    given = parser.parse_args()
    rows, known = [], calls(ns)
    for quiet in (False, True):
        mine = [name for name in given.rows if name.endswith("quiet") == quiet]
        if mine:
            with cluster(quiet) as client:
                for name in mine:
                    call, size, least, what = known[name]
                    rows.append({**measure(name, call, size, least, client, given.repeats), "what": what})
                    print(rows[-1], flush=True)
    write("cluster_study", rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
