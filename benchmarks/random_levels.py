"""Random effects of many levels: seconds and peak memory of `mixed.fit` in fresh processes (Linux).

First `(1 | g)` with 10^5 levels and 10^6 rows. Beside it `(x | g)`, two crossed terms, a penalised smooth, and R's lme4
where it is installed (`lmer`, and `glmer(nAGQ = 1)` on fewer rows: it takes too long on all).

Usage: python benchmarks/random_levels.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import write

P = 5
# program, kind, family, rows, levels
CASES = (
    ("neuralstat", "intercept", "gaussian", 1_000_000, 100_000), ("neuralstat", "intercept", "binomial", 1_000_000, 100_000),
    ("lme4", "intercept", "gaussian", 1_000_000, 100_000), ("neuralstat", "intercept", "binomial", 50_000, 5_000),
    ("lme4", "intercept", "binomial", 50_000, 5_000), ("neuralstat", "slope", "gaussian", 1_000_000, 100_000),
    ("neuralstat", "crossed", "gaussian", 1_000_000, 100_000), ("neuralstat", "smooth", "gaussian", 1_000_000, 100_000),
    ("neuralstat", "intercept", "poisson", 1_000_000, 100_000), ("neuralstat", "slope", "binomial", 1_000_000, 100_000),
    ("neuralstat", "crossed", "binomial", 200_000, 20_000),
)  # fmt: skip
CROSSED = 1000  # levels of the second term


def data(kind: str, family: str, n: int, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x (n, P), responses, codes of two terms; the standard deviation of intercepts is 0.7, that of slopes 0.3."""
    rng = np.random.default_rng(1)
    g, h = rng.integers(0, levels, n), rng.integers(0, CROSSED, n)
    x = np.column_stack([np.ones(n), rng.standard_normal((n, P - 1))])
    eta = x @ np.linspace(-0.5, 0.5, P) + 0.7 * rng.standard_normal(levels)[g]
    if kind == "slope":
        eta += 0.3 * rng.standard_normal(levels)[g] * x[:, 1]
    if kind == "crossed":
        eta += 0.4 * rng.standard_normal(CROSSED)[h]
    if kind == "smooth":
        eta += np.sin(2 * x[:, 2])
    if family == "gaussian":
        return x, eta + rng.standard_normal(n), g, h
    y = rng.random(n) < 1 / (1 + np.exp(-eta)) if family == "binomial" else rng.poisson(np.exp(eta))
    return x, y.astype(float), g, h


def ours(kind: str, family: str, n: int, levels: int) -> None:
    """Fit, and print seconds, those of the processor, peak memory of the fit and of all (MB), the first sd, evaluations."""
    from neuralstat.families import FAMILIES
    from neuralstat.mixed import Penalised, Problem, Random, fit

    def problem(n: int, levels: int) -> Problem:
        x, y, g, h = data(kind, family, n, levels)
        z = np.ones((1, n)) if kind != "slope" else x[:, :2].T
        terms = [Random("g", g, levels, z)] + ([Random("h", h, CROSSED, np.ones((1, n)))] if kind == "crossed" else [])
        penalties = ()
        if kind == "smooth":
            knots = np.quantile(x[:, 2], np.linspace(0.05, 0.95, 18))
            x = np.column_stack([x, np.maximum(x[:, 2][:, np.newaxis] - knots, 0)])
            penalties = (Penalised("s(x)", np.arange(P, P + 18), np.ones(18)),)
        return Problem(x, y, FAMILIES[family](), penalties=penalties, randoms=tuple(terms))

    fit(problem(3000, 300))  # imports
    made = problem(n, levels)
    before, began, used = memory(), time.perf_counter(), time.process_time()
    found = fit(made)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    assert found.converged
    print(seconds, used, memory("VmHWM") - before, memory("VmHWM"), found.covariances[0][0, 0] ** 0.5, found.iterations)


def memory(what: str = "VmRSS") -> float:
    """Memory of this process, or its peak (MB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(what))) / 1e3


def lme4(kind: str, family: str, n: int, levels: int) -> list[float]:
    """Seconds, of the processor too, peak memory of the process (MB), standard deviation."""
    x, y, g, _ = data(kind, family, n, levels)
    call = ("lmer(y ~ x1 + x2 + x3 + x4 + (1 | g), d)" if family == "gaussian"
            else f"glmer(y ~ x1 + x2 + x3 + x4 + (1 | g), d, family = {family})")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.bin"
        np.column_stack([y, g, x[:, 1:]]).astype(float).ravel(order="F").tofile(path)
        code = f"""suppressMessages(library(lme4)); v <- matrix(readBin("{path}", "double", {n * 6}), {n})
        d <- data.frame(v); names(d) <- c("y", "g", paste0("x", 1:4)); d$g <- factor(d$g); rm(v)
        s <- system.time(m <- {call}); l <- readLines("/proc/self/status")
        peak <- as.numeric(gsub("[^0-9]", "", grep("VmHWM", l, value = TRUE))) / 1e3
        cat(s[3], s[1] + s[2], peak, attr(VarCorr(m)$g, "stddev"))"""
        run = subprocess.run(["Rscript", "-e", code], check=True, capture_output=True, text=True)
    return [float(v) for v in run.stdout.split()]


def main() -> None:
    """Measure, and write after every case."""
    rows: list[dict[str, object]] = []
    for program, kind, family, n, levels in CASES:
        row: dict[str, object] = {"what": program, "term": kind, "family": family, "rows": n, "levels": levels}
        if program == "lme4":
            if not shutil.which("Rscript"):
                continue
            seconds, used, peak, sd = lme4(kind, family, n, levels)
            more = {"fit_mb": "", "process_mb": peak, "sd": sd, "evaluations": ""}
        else:
            run = subprocess.run([sys.executable, __file__, kind, family, str(n), str(levels)], check=True,
                                 capture_output=True, text=True)  # fmt: skip
            seconds, used, added, peak, sd, evaluations = (float(v) for v in run.stdout.split())
            more = {"fit_mb": added, "process_mb": peak, "sd": sd, "evaluations": int(evaluations)}
        rows.append({**row, "seconds": seconds, "cpu_seconds": used, **more})
        write("random_levels", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ours(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
