"""How `gpu.py` takes times and writes what it finds: every run and every row at once, since a session may be cut off."""

from __future__ import annotations

import csv
import gc
import statistics
import time
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

from common import cpu_name, versions


def brief(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


class Timed:
    """Programs are timed in turns, as in `common.alternate`; every run is written down at once.

    Parameters
    ----------
    folder : Path or None
        Of ``runs.csv``, which single runs are added to; None: they are not written.
    repeats : int
    """

    def __init__(self, folder: Path | None, repeats: int) -> None:
        self.folder, self.repeats = folder, repeats

    def __call__(
        self, work: str, dtype: str, programs: dict[str, Callable[[], object]], shares: dict[str, float] | None = None
    ) -> tuple[dict[str, float], dict[str, str]]:
        """Median seconds of every program, and what is to be said of those that failed.

        `shares` has the parts of the work that programs do; their seconds are divided by these.
        """
        seconds: dict[str, list[float]] = {name: [] for name in programs}
        failed: dict[str, str] = {}
        for k in range(-1, self.repeats):  # run -1 compiles
            for name, run in programs.items():
                if name in failed:
                    continue
                began = time.perf_counter()
                try:
                    run()
                except Exception as error:  # others go on; the row says what happened
                    failed[name] = f"failed: {brief(error)}"
                spent = (time.perf_counter() - began) / (shares or {}).get(name, 1.0)
                if k >= 0 and name not in failed:
                    seconds[name].append(spent)
                if self.folder is not None:
                    line = {"work": work, "program": name, "dtype": dtype, "run": "first" if k < 0 else k + 1,
                            "seconds": f"{spent:.5g}", "note": failed.get(name, "")}  # fmt: skip
                    write(self.folder / "runs.csv", line)
        return {name: statistics.median(times) for name, times in seconds.items() if times and name not in failed}, failed


def write(path: Path, line: dict[str, object]) -> None:
    """Add a line to a CSV file, below its head."""
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, list(line))
        if not there:
            writer.writeheader()
        writer.writerow(line)


@cache
def stamp() -> dict[str, str]:
    """Date, processor and versions."""
    return {"date": date.today().isoformat(), "cpu": cpu_name(), "versions": versions()}


def kernels(told: set[tuple[object, ...]]) -> list[dict[str, object]]:
    """Registers and memory of every kernel that this process has compiled for a device, but those `told`, which grows."""
    from numba.cuda.dispatcher import CUDADispatcher

    found = []
    for made in gc.get_objects():
        if not issubclass(type(made), CUDADispatcher) or made.targetoptions.get("device"):
            continue
        for signature, kernel in made.overloads.items():
            said = " ".join(str(signature).split())
            line = {
                "kernel": f"{made.py_func.__module__.rpartition('.')[2]}.{made.py_func.__name__}",
                "dtype": "float32" if "float32" in said else "float64", "registers": kernel.regs_per_thread,
                "static shared bytes": kernel.shared_mem_per_block, "local bytes": kernel.local_mem_per_thread,
                "most threads": kernel.max_threads_per_block,
            }  # fmt: skip
            if (key := tuple(line.values())) not in told:
                told.add(key)
                found.append(line)
    return found
