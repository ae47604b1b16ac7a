"""What inference on a fit costs as its rows grow: seconds of processor time, and the most memory beyond the data's.

Ten covariates, ten units, squared error (and what is named: two repetitions, a factor, other families, distributions of
several parameters, times to an event, a fit that was stopped early; five repetitions, of which those that converged count,
or one). Every call begins from a fit of which nothing is remembered, after the same call on few rows has loaded
what it loads. Memory is counted twice: `peak_mb` is what numpy and Python hold at a time beyond what they held before
(tracemalloc), `rss_mb` by how much the resident set rises, which has what kernels take, too. `times` is the larger over the
size of the data frame; `exponent` that of a power of n through the seconds, from 5,000 rows on.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import write

import neuralstat as ns

COVARIATES = [f"x{j}" for j in range(10)]
ROWS = (500, 5_000, 50_000)
FITS: dict[str, dict[str, Any]] = {
    "gaussian": {"response": "y"}, "gaussian, two repetitions": {"response": "y", "rep": 2},
    "gaussian, a factor": {"response": "y", "factor": True},
    "gaussian, stopped early": {"response": "y", "algorithm": "rprop+", "threshold": 2e-2, "stepmax": 10_000, "rep": 1},
    "binomial": {"response": "b", "family": "binomial"}, "three classes": {"response": "c"},
    "poisson": {"response": "k", "family": "poisson", "rep": 1},
    "gamma": {"response": "t", "family": ns.families.Gamma("log"), "rep": 1},
    "gaussian, scale by x0": {"response": "y", "family": "gaussian", "dispformula": "~ x0", "rep": 1},
    "negative binomial": {"response": "k", "family": "negative_binomial", "rep": 1},
    "zero-inflated poisson": {"response": "k", "family": "zero_inflated_poisson", "rep": 1},
    "ordered classes": {"response": "o", "family": "ordinal", "rep": 1},
    "quantiles": {"response": "y", "family": ns.families.Quantile([0.1, 0.5, 0.9]), "rep": 1},
    "weibull": {"response": "Surv(t, e)", "family": "weibull", "rep": 1},
    "cox": {"response": "Surv(t, e)", "family": "cox", "rep": 1},
}  # fmt: skip
CALLS: dict[str, Callable[[Any, pd.DataFrame], Any]] = {
    "get_prediction(data)": lambda fit, data: fit.get_prediction(data).summary_frame(),
    "get_prediction()": lambda fit, data: fit.get_prediction().summary_frame(),
    "cov_params()": lambda fit, data: fit.cov_params(),
    "cov_params('sandwich')": lambda fit, data: fit.cov_params("sandwich"),
    "cov_params('hessian')": lambda fit, data: fit.cov_params("hessian"),
    "df('jacobian')": lambda fit, data: fit.df("jacobian"),
    "summary()": lambda fit, data: str(fit.summary()),
    "diagnose()": lambda fit, data: str(fit.diagnose()),
    "partial_dependence, 50 points": lambda fit, data: fit.partial_dependence("x0", grid=50),
    "ale, 50 bins": lambda fit, data: fit.ale("x0", bins=50),
    "marginal_effects": lambda fit, data: fit.marginal_effects(),
}
SOME = ("get_prediction(data)", "cov_params()", "df('jacobian')", "summary()", "partial_dependence, 50 points",
        "ale, 50 bins", "marginal_effects")  # fmt: skip


def data_of(n: int) -> pd.DataFrame:
    """Ten covariates and a factor of five levels; responses of every kind around one mean."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, len(COVARIATES)))
    data = pd.DataFrame(x, columns=COVARIATES)
    mean = np.sin(x[:, 0]) + x[:, 1]
    data["y"] = mean + 0.3 * rng.standard_normal(n)
    data["b"] = (rng.random(n) < 1 / (1 + np.exp(-mean))).astype(float)
    cut = np.digitize(mean + rng.logistic(size=n), [-0.7, 0.7])
    data["c"] = pd.Categorical.from_codes(cut, ["low", "mid", "high"])
    data["o"] = pd.Categorical.from_codes(cut, ["low", "mid", "high"], ordered=True)
    data["k"] = rng.poisson(np.exp(0.5 * mean) * rng.gamma(2, 0.5, n)).astype(float)
    data["t"] = np.exp(0.5 * mean) * rng.weibull(1.5, n) + 1e-3
    data["e"] = (rng.random(n) < 0.7).astype(float)
    data["f"] = pd.Categorical.from_codes(rng.integers(0, 5, n), list("abcde"))
    return data


def columns_of(data: pd.DataFrame, response: str, factor: bool = False, **_: Any) -> pd.DataFrame:
    """Covariates and response: what the memory of calls is compared with."""
    return data[[*COVARIATES, *(["f"] if factor else []), *(("t", "e") if "(" in response else (response,))]]


def fit_of(data: pd.DataFrame, response: str, factor: bool = False, **options: Any) -> Any:
    """A network near an optimum, within seconds."""
    columns = columns_of(data, response, factor)
    given = {"algorithm": "lbfgs", "threshold": 2e-4 * len(data), "stepmax": 300, **options}
    covariates = [*COVARIATES, *(["f"] if factor else [])]
    return ns.neuralnet(f"{response} ~ {' + '.join(covariates)}", columns, hidden=10, random_state=1, **given)


def anew(fit: Any) -> Any:
    """The fit, with nothing remembered."""
    return type(fit)(dataclasses.replace(fit.fitted))


def resident(what: str) -> float:
    """VmRSS or VmHWM of this process, MB; NaN where the system does not say."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((float(line.split()[1]) / 1e3 for line in lines if line.startswith(what)), np.nan)


def measured(call: Callable[[Any, pd.DataFrame], Any], fit: Any, data: pd.DataFrame, repeats: int) -> dict[str, float]:
    """Least processor seconds of some runs, and peaks of memory."""
    seconds, rise = np.inf, 0.0
    for _ in range(repeats):
        own = anew(fit)
        gc.collect()
        clear = Path("/proc/self/clear_refs")
        if clear.exists():
            clear.write_text("5")
        before, began = resident("VmRSS"), time.process_time()
        call(own, data)
        seconds = min(seconds, time.process_time() - began)
        rise = max(rise, resident("VmHWM") - before)
    own = anew(fit)
    gc.collect()
    tracemalloc.start()
    call(own, data)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return {"seconds": seconds, "peak_mb": peak, "rss_mb": rise}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--fits", nargs="+", default=list(FITS), choices=list(FITS))
    parser.add_argument("--calls", nargs="+", default=None, choices=list(CALLS))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="print only")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for name in given.fits:
        calls = given.calls or (list(CALLS) if name == "gaussian" else SOME)
        seconds: dict[str, dict[int, float]] = {c: {} for c in calls}
        for n in (min(200, *given.rows), *sorted(given.rows)):  # the first loads and compiles
            data = data_of(n)
            fit = fit_of(data, **FITS[name])
            used = columns_of(data, **FITS[name])
            size = used.memory_usage(index=False).sum() / 1e6
            for c in calls:
                found = measured(CALLS[c], fit, used, given.repeats)
                if n not in given.rows:
                    continue
                seconds[c][n] = found["seconds"]
                rows.append({"fit": name, "call": c, "n": n, **found, "data_mb": size,
                             "times": max(found["peak_mb"], found["rss_mb"]) / size})  # fmt: skip
                print(*rows[-1].values(), flush=True)
        for row in rows:
            if row["fit"] == name:
                at = {n: s for n, s in seconds[row["call"]].items() if n >= 5_000}
                slope = np.polyfit(np.log(list(at)), np.log(list(at.values())), 1)[0] if len(at) > 1 else np.nan
                row["exponent"] = float(slope)
    if not given.dry:
        write("inference", rows)


if __name__ == "__main__":
    main()
