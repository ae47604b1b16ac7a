"""What `ns.select` should choose by: the number of hidden units on many truths, against the best that could be chosen.

    python benchmarks/select_default.py [--set choosing|confirming] [--replicates 20] [--truths ...]
    python benchmarks/select_default.py --report

Candidates are 0 to 8 hidden units, 5 restarts, the mean of the converged ones, as `select` judges them unless told. The loss
of a candidate is its distance to the truth on 4,000 new rows (mean squared error; for 0/1 responses and counts the mean
Kullback-Leibler divergence, doubled): prediction error less what no model could avoid. The oracle takes the candidate of
least loss in each data set. The criterion was chosen on the truths "choosing"; "confirming" had no part in that.

results/select_default.csv has a row per data set and candidate, with every criterion's value; results of other truths stay.
``--report`` prints, by criterion, the mean ratio of the chosen candidate's loss to the oracle's, its standard error, and the
share of data sets within 10 %, for the loss and for the prediction error (loss and noise).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common import RESULTS

import neuralstat as ns
from neuralstat.errors import NeuralStatError, NeuralStatWarning

FILE = RESULTS / "select_default.csv"
UNITS = (0, 1, 2, 3, 4, 6, 8)
NEW = 4000
SIMULATED = ("aic", "aicc", "bic")
SIMULATE = 5  # data sets per truth with degrees of freedom that refit
RULES = ("1 se", "0.25 paired se", "0.5 paired se", "1 paired se")


@dataclass(frozen=True)
class Truth:
    """A mean on the scale of the linear predictor, covariates uniform on (0, 1)^p."""

    p: int
    n: int
    family: str
    predictor: Callable[[np.ndarray], np.ndarray]
    sigma: float = 0.0


def friedman(x: np.ndarray) -> np.ndarray:
    """Friedman's first function, of mean about 0 and variance about 1."""
    raw = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return (raw - 14.4) / 4.9


def three_units(x: np.ndarray) -> np.ndarray:
    """A network of 3 units."""
    a, b = 4 * x[:, 0] - 2, 4 * x[:, 1] - 2
    return np.tanh(2 * a) - np.tanh(a + 2 * b) + np.tanh(b)


CHOOSING = {
    "sine": Truth(1, 60, "gaussian", lambda x: np.sin(2 * np.pi * x[:, 0]), 0.3),
    "doppler": Truth(1, 200, "gaussian", lambda x: np.sin(1 / (0.08 + 0.6 * x[:, 0])), 0.1),
    "three units": Truth(2, 150, "gaussian", three_units, 0.25),
    "plane": Truth(2, 100, "gaussian", lambda x: x[:, 0] - 2 * x[:, 1], 0.5),
    "friedman": Truth(10, 200, "gaussian", friedman, 0.3),
    "classes, ring": Truth(2, 300, "binomial", lambda x: 3 - 30 * ((x[:, 0] - 0.5) ** 2 + (x[:, 1] - 0.5) ** 2)),
    "counts, wave": Truth(1, 150, "poisson", lambda x: 1 + np.sin(2 * np.pi * x[:, 0])),
    "classes, 10 covariates": Truth(10, 600, "binomial", lambda x: 3 * friedman(x)),
}
CONFIRMING = {
    "bump": Truth(1, 100, "gaussian", lambda x: x[:, 0] + np.exp(-50 * (x[:, 0] - 0.4) ** 2), 0.2),
    "step": Truth(1, 300, "gaussian", lambda x: 1 / (1 + np.exp(-40 * (x[:, 0] - 0.6))), 0.3),
    "product": Truth(2, 250, "gaussian", lambda x: np.sin(4 * x[:, 0]) * (2 * x[:, 1] - 1), 0.2),
    "additive, 10 covariates": Truth(
        10, 400, "gaussian", lambda x: np.sin(3 * x[:, 0]) + 2 * (x[:, 1] - 0.5) ** 2 + x[:, 2] - x[:, 3], 0.5),
    "plane, 10 covariates": Truth(10, 80, "gaussian", lambda x: x[:, :3] @ np.array([1.0, -1.0, 0.5]), 0.3),
    "classes, curve": Truth(1, 200, "binomial", lambda x: 3 * np.cos(5 * x[:, 0])),
    "classes, plane": Truth(10, 200, "binomial", lambda x: 4 * (x[:, 0] - x[:, 1] + x[:, 2] - 0.5)),
    "counts, surface": Truth(2, 400, "poisson", lambda x: 0.5 + np.sin(4 * x[:, 0]) + x[:, 0] * x[:, 1]),
    "surface": Truth(2, 600, "gaussian", lambda x: np.cos(6 * x[:, 0] * x[:, 1]) + x[:, 1], 0.4),
}  # fmt: skip
SETS = {"choosing": CHOOSING, "confirming": CONFIRMING}


def mean(truth: Truth, eta: np.ndarray) -> np.ndarray:
    """The mean at a linear predictor."""
    return {"gaussian": lambda e: e, "binomial": lambda e: 1 / (1 + np.exp(-e)), "poisson": np.exp}[truth.family](eta)


def draw(truth: Truth, n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with a response, and its mean."""
    x = rng.random((n, truth.p))
    mu = mean(truth, truth.predictor(x))
    y = {"gaussian": lambda: mu + truth.sigma * rng.standard_normal(n), "binomial": lambda: (rng.random(n) < mu) * 1.0,
         "poisson": lambda: rng.poisson(mu) * 1.0}[truth.family]()  # fmt: skip
    return pd.DataFrame(x, columns=[f"x{k + 1}" for k in range(truth.p)]).assign(y=y), mu


def entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p log(p / q), 0 at p = 0."""
    return np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / q), 0)


def loss(truth: Truth, mu: np.ndarray, found: np.ndarray) -> float:
    """Distance to the truth."""
    if truth.family == "gaussian":
        return float(np.mean((mu - found) ** 2))
    if truth.family == "binomial":
        found = np.clip(found, 1e-10, 1 - 1e-10)
        return float(2 * np.mean(entropy(mu, found) + entropy(1 - mu, 1 - found)))
    found = np.clip(found, 1e-10, 1e10)  # a network may leave all bounds between rows
    return float(2 * np.mean(entropy(mu, found) - mu + found))


def noise(truth: Truth, mu: np.ndarray, rng: np.random.Generator) -> float:
    """Mean deviance of new responses at the truth."""
    if truth.family == "gaussian":
        return truth.sigma**2
    if truth.family == "binomial":
        return float(-2 * np.mean(mu * np.log(mu) + (1 - mu) * np.log1p(-mu)))
    y = rng.poisson(mu)
    return float(2 * np.mean(entropy(y.astype(float), mu) - y + mu))


def value(fit: ns.NeuralNetResults, criterion: str, df: object) -> float:
    """A criterion of the mean of the repetitions; infinite where it is not defined, so that it cannot win."""
    try:
        found = fit.info_criteria(criterion, df=df, rep="mean")
    except NeuralStatError:
        return np.inf
    return found if np.isfinite(found) else np.inf


def candidate(
    truth: Truth, data: pd.DataFrame, units: int, seed: int, simulated: bool, options: dict[str, object]
) -> tuple[dict[str, object], ns.NeuralNetResults, np.ndarray]:
    """A candidate's criteria, its fit, and its cross-validated loss of each observation."""
    fit = ns.neuralnet("y ~ .", data, hidden=units, family=truth.family, random_state=seed, **options)
    row: dict[str, object] = {"units": units}
    for method in ("jacobian", "auto") if simulated else ("jacobian",):
        try:
            df = fit.df(method, rep="mean")
        except NeuralStatError:
            row |= dict.fromkeys((f"{name}:{method}" for name in SIMULATED), np.inf)
            continue
        row |= {f"{name}:{method}": value(fit, name, df) for name in SIMULATED} | {f"df:{method}": float(df)}
    found = ns.risk(fit, "cv", random_state=seed)
    row |= {"cv": float(found), "se of cv": found.se}
    return row, fit, found.details["per_observation"]


def data_set(group: str, name: str, replicate: int, options: dict[str, object]) -> list[dict[str, object]]:
    """Rows of one data set, a row per candidate."""
    truth = SETS[group][name]
    rng = np.random.default_rng([len(name), sum(map(ord, name)), replicate])
    data, _ = draw(truth, truth.n, rng)
    new, mu = draw(truth, NEW, rng)
    rows, losses = [], []
    for units in UNITS:
        row, fit, each = candidate(truth, data, units, replicate, replicate <= SIMULATE, options)
        losses.append(each)
        own = loss(truth, mu, fit.predict(new).to_numpy().ravel())
        rows.append({"set": group, "truth": name, "family": truth.family, "n": truth.n, "p": truth.p, "replicate": replicate,
                     "loss": own, "noise": noise(truth, mu, rng), **row})  # fmt: skip
    table = np.array(losses)
    apart = table - table[int(np.argmin(table.mean(axis=1)))]
    for row, each in zip(rows, apart, strict=True):
        row["paired se of cv"] = each.std(ddof=1) / np.sqrt(each.size)
    return rows


def chosen(rows: pd.DataFrame, criterion: str) -> pd.Series:
    """The candidate that a criterion chooses, or the smallest one within a rule of it ("cv, 1 paired se")."""
    name, _, rule = criterion.partition(", ")
    best = rows.loc[rows[name].idxmin()]
    if not rule:
        return best
    count, _, kind = rule.partition(" ")
    se = rows[f"paired se of {name}"] if kind == "paired se" else best[f"se of {name}"]
    return rows[rows[name] <= best[name] + float(count) * se].sort_values("units").iloc[0]


def report(table: pd.DataFrame) -> pd.DataFrame:
    """By set and criterion, over truths: mean ratio to the oracle with standard error, and shares within 10 %."""
    names = [*(f"{name}:{df}" for name in SIMULATED for df in ("jacobian", "auto")), "cv", *(f"cv, {rule}" for rule in RULES)]
    out = []
    for (group, truth, _), rows in table.groupby(["set", "truth", "replicate"], sort=False):
        best, level = rows["loss"].min(), rows["noise"].mean()
        for name in names:
            if rows[name.partition(", ")[0]].isna().all():  # not computed
                continue
            own = chosen(rows, name)["loss"]
            out.append({"set": group, "truth": truth, "criterion": name, "ratio": own / best,
                        "whole": (own + level) / (best + level)})  # fmt: skip
    frame = pd.DataFrame(out)
    frame["near"], frame["near whole"] = frame["ratio"] <= 1.1, frame["whole"] <= 1.1
    groups = frame.groupby(["set", "criterion"], sort=False)
    found = groups.agg(
        data_sets=("ratio", "size"), mean_ratio=("ratio", "mean"), se=("ratio", "sem"), median=("ratio", "median"),
        within_10=("near", "mean"), prediction_ratio=("whole", "mean"), prediction_se=("whole", "sem"),
        prediction_within_10=("near whole", "mean"),
    )  # fmt: skip
    return found.sort_values(["set", "mean_ratio"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=SETS, default="choosing")
    parser.add_argument("--truths", nargs="*")
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--algorithm", default="lm")
    parser.add_argument("--output", default=FILE)
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if given.report:
        pd.set_option("display.width", 200)
        print(report(pd.read_csv(given.output)).round(3).to_string())
        return
    warnings.simplefilter("ignore", NeuralStatWarning)  # networks with more units than the truth have no regular optimum
    options = {"algorithm": given.algorithm}
    for name in given.truths or SETS[given.set]:
        began, rows = time.perf_counter(), []
        for replicate in range(1, given.replicates + 1):
            rows += data_set(given.set, name, replicate, options)
        old = pd.read_csv(given.output) if pd.io.common.file_exists(given.output) else pd.DataFrame()
        old = old[old["truth"] != name] if len(old) else old
        pd.concat([old, pd.DataFrame(rows)]).to_csv(given.output, index=False, float_format="%.6g")
        print(f"{name}: {given.replicates} data sets in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
