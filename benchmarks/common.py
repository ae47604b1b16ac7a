"""What the benchmarks share: timing by alternated repeats, and CSV files that name machine and versions."""

from __future__ import annotations

import argparse
import csv
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
STAMP = ("date", "cpu", "versions")
PACKAGES = ("neuralstat", "numpy", "numba", "numba-cuda", "scipy", "torch", "scikit-learn")


def cpu_name() -> str:
    """Processor as the system names it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def versions() -> str:
    """Versions of what was compared, in one cell."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    if shutil.which("Rscript"):
        code = 'cat(R.version$major, R.version$minor, sep="."); if (requireNamespace("nnet", quietly=TRUE)) cat("; nnet", as.character(packageVersion("nnet")))'  # noqa: E501
        found.append("R " + subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True).stdout)
    return "; ".join(found)


def alternate(programs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every program, one after the other, `repeats` times: what disturbs one disturbs all."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for run in programs.values():
        run()  # compile, warm up
    for _ in range(repeats):
        for name, run in programs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def kept(name: str, column: str, redone: list[str]) -> list[dict[str, object]]:
    """Rows of benchmarks/results/<name>.csv but those whose `column` is done again; without the stamp."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[column] not in redone]
    return [{key: value for key, value in row.items() if key not in STAMP} for row in rows]


def write(name: str, rows: list[dict[str, object]]) -> None:
    """Rows to benchmarks/results/<name>.csv, with date, processor and versions; printed as well."""
    stamp = {"date": date.today().isoformat(), "cpu": cpu_name(), "versions": versions()}
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *stamp])
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, **stamp})
            print("  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()))


def by_seed(compared: Any, truths: Any, replicates: int, file: Path, doc: str | None) -> Any:
    """A table of ``compared(truth, seed)``, lists of rows, over truths and data sets; written to `file` as it grows.

    `replicates` and `file` are the defaults of arguments on the command line, whose help is `doc`.
    """
    import pandas as pd

    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=replicates)
    parser.add_argument("--file", type=Path, default=file)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for seed in range(given.replicates):
        for truth in truths:
            rows += compared(truth, seed)
        pd.DataFrame(rows).round(5).to_csv(given.file, index=False)  # what there is
    return pd.DataFrame(rows)
