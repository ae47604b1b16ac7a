"""What the benchmarks share: timing by alternated repeats, and CSV files that name machine and versions."""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
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


# a process for each measurement, beside Keras -------------------------------------------------------------------------


def held() -> float:
    """Most memory of this process so far, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak() -> None:
    """Begin the record of the most memory anew."""
    Path("/proc/self/clear_refs").write_text("5")


def measured(first: Callable[[], object], work: Callable[[], object]) -> dict[str, float]:
    """Seconds of `first`, after which kernels are compiled; of `work`, its CPU seconds, and memory beyond what was held."""
    began = time.perf_counter()
    first()
    seconds = time.perf_counter() - began
    forget_peak()
    before, spent, began = held(), time.process_time(), time.perf_counter()
    work()
    taken = time.perf_counter() - began, time.process_time() - spent
    return {"first": seconds, "seconds": taken[0], "cpu": taken[1], "memory": held() - before}


def asked(script: str, python: str, row: str, keras: bool) -> dict[str, float]:
    """What a script measures of a row, in a process of its own."""
    command = [python, script, "--row", row, *(["--of-keras"] if keras else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def beside_keras(
    script: str, doc: str | None, rows: Mapping[str, str], measure: Callable[[str, bool], dict[str, float]],
    scripts: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Rows of results/<name of the script>.csv: here, and with the Python of ``--keras``, each in a process of its own.

    Parameters
    ----------
    script, doc : str
        Its file, and its help.
    rows : dict from names to what they are
    measure : callable
        Measures a row, with Keras or without.
    scripts : dict, optional
        Scripts that measure some of the rows instead.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras", help="a Python that has Keras and torch")
    parser.add_argument("--rows", nargs="*", default=list(rows), choices=list(rows), help="the others are kept as they are")
    parser.add_argument("--row", choices=list(rows), help=argparse.SUPPRESS)
    parser.add_argument("--of-keras", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        print(json.dumps(measure(given.row, given.of_keras)))
        return
    name = Path(script).stem
    made = {str(row["row"]): row for row in kept(name, "row", given.rows)}
    for row in given.rows:
        file = (scripts or {}).get(row, script)
        ours = asked(file, sys.executable, row, False)
        its = None if given.keras is None else asked(file, given.keras, row, True)
        line: dict[str, object] = {
            "row": row, "what": rows[row], "seconds": ours["seconds"], "cpu_seconds": ours["cpu"],
            "first_seconds": ours["first"], "memory_mb": ours["memory"], "data_mb": ours.get("data", ""),
            "keras_seconds": "" if its is None else its["seconds"], "keras_cpu_seconds": "" if its is None else its["cpu"],
            "keras_memory_mb": "" if its is None else its["memory"],
            "times_keras": "" if its is None else ours["seconds"] / its["seconds"],
        }  # fmt: skip
        made[row] = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in line.items()}
        print(made[row], flush=True)
    write(name, [made[row] for row in rows if row in made])
