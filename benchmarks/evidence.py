"""What weight decay of an estimated strength gives: risk beside the best fixed strength, and coverage of posterior intervals.

**Risk.** Ten truths; to every data set networks under ten fixed strengths (one for all weights, as ``ns.decay(lam)``) and
under estimated ones, a strength by layer and by unit; five restarts, predictions are means over them. The best fixed strength
is that of the least mean excess over all data sets of the truth, which nobody can know. `excess` is the mean squared error of
the mean at 2000 new rows (for 0/1 responses and counts the mean deviance of the predicted from the true mean), `risk` the
prediction error of new responses: excess and the noise that no model can predict. `time` is over that of the fit at the best
fixed strength, one thread each. Standard errors are over data sets, of the ratio of means with the pairs kept.

**Coverage.** Five truths that no choice in the method was made by, a curve each; 95 % intervals of the mean at 100 points of
the range, by ``get_prediction(method="bayes")`` under an estimated strength by layer, and by the delta method at decay .1; by
fifth of the range and on average, standard errors over data sets.

Run ``nice python benchmarks/evidence.py --replicates 20 --coverage 100``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import common
import numpy as np
import pandas as pd

import neuralstat as ns

LAMBDAS = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
ESTIMATED = ("layer", "unit")
NEW = 2000
Truth = tuple[Callable[[np.ndarray], np.ndarray], int, float, float, int, float, int, str]

#: of columns (d, n): linear predictor; d, least and largest covariate, n, sd of the noise, hidden units, family
TRUTHS: dict[str, Truth] = {
    "sin(1/x), noise .3": (lambda x: np.sin(1 / x[0]), 1, 0.05, 1, 150, 0.3, 8, "gaussian"),
    "sin(1/x), noise .1": (lambda x: np.sin(1 / x[0]), 1, 0.1, 1, 100, 0.1, 8, "gaussian"),
    "sine": (lambda x: np.sin(2 * np.pi * x[0]), 1, 0, 1, 100, 0.5, 8, "gaussian"),
    "line": (lambda x: 2 * x[0], 1, 0, 1, 100, 0.5, 8, "gaussian"),
    "step": (lambda x: np.tanh(20 * (x[0] - 0.4)), 1, 0, 1, 100, 0.3, 8, "gaussian"),
    "bumps": (lambda x: np.exp(-200 * (x[0] - 0.25) ** 2) + 0.6 * np.exp(-30 * (x[0] - 0.7) ** 2), 1, 0, 1, 200, 0.1, 8,
              "gaussian"),
    "Friedman, 3 of 8 covariates idle": (
        lambda x: 10 * np.sin(np.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4], 8, 0, 1, 200, 1.0, 6,
        "gaussian"),
    "product, 1 of 3 covariates idle": (lambda x: np.sin(2 * np.pi * x[0]) * x[1], 3, 0, 1, 200, 0.3, 6, "gaussian"),
    "binomial": (lambda x: 3 * np.sin(2 * np.pi * x[0]) + 2 * x[1] - 1, 3, 0, 1, 300, 0, 5, "binomial"),
    "poisson": (lambda x: 1 + 1.5 * np.cos(3 * x[0]) * x[1], 2, 0, 1, 200, 0, 5, "poisson"),
}  # fmt: skip

#: least and largest covariate, n, sd of the noise
CURVES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float, int, float]] = {
    "sin(1.5 / x)": (lambda x: np.sin(1.5 / x), 0.15, 1, 150, 0.2),
    "doppler": (lambda x: np.sqrt(x * (1 - x)) * np.sin(2.1 * np.pi / (x + 0.2)), 0, 1, 200, 0.1),
    "chirp": (lambda x: np.sin(6 * np.pi * x**2), 0, 1, 150, 0.3),
    "rising wave": (lambda x: 1 / (1 + np.exp(-20 * (x - 0.5))) + 0.2 * np.sin(4 * np.pi * x), 0, 1, 100, 0.1),
    "sharp peak": (lambda x: 1 / (1 + 100 * (x - 0.4) ** 2), 0, 1, 150, 0.15),
}  # fmt: skip


def draw(truth: Truth, rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Covariates and linear predictors."""
    f, d, low, high, *_ = truth
    x = rng.uniform(low, high, (d, n))
    return pd.DataFrame(x.T, columns=[f"x{j}" for j in range(d)]), f(x)


def respond(truth: Truth, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Responses."""
    sd, family = truth[5], truth[7]
    if family == "gaussian":
        return eta + sd * rng.standard_normal(eta.size)
    if family == "binomial":
        return (rng.uniform(size=eta.size) < 1 / (1 + np.exp(-eta))).astype(float)
    return rng.poisson(np.exp(eta)).astype(float)


def excess(family: str, eta: np.ndarray, mean: np.ndarray) -> float:
    """Mean squared error, or mean deviance, of predicted from true means."""
    if family == "gaussian":
        return float(np.mean((mean - eta) ** 2))
    if family == "binomial":
        p, q = 1 / (1 + np.exp(-eta)), np.clip(mean, 1e-12, 1 - 1e-12)
        return float(2 * np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))
    mu = np.exp(eta)
    return float(2 * np.mean(mu * np.log(mu / mean) - (mu - mean)))


def noise(truth: Truth, eta: np.ndarray) -> float:
    """Prediction error of the true mean."""
    family = truth[7]
    if family == "gaussian":
        return truth[5] ** 2
    if family == "binomial":
        p = 1 / (1 + np.exp(-eta))
        return float(-2 * np.mean(p * np.log(p) + (1 - p) * np.log(1 - p)))
    from scipy.stats import poisson

    k, mu = np.arange(200)[:, np.newaxis], np.exp(eta[:200])
    unit = 2 * (np.where(k > 0, k * np.log(np.maximum(k, 1) / mu), 0.0) - (k - mu))
    return float(np.mean(np.sum(poisson.pmf(k, mu) * unit, axis=0)))


def fits(truth: Truth, data: pd.DataFrame, seed: int) -> Iterator[tuple[str, Any, float]]:
    """Name of the penalty, the fit, its seconds."""
    formula = "y ~ " + " + ".join(name for name in data if name != "y")
    penalties = {**{f"{lam:g}": ns.decay(lam) for lam in LAMBDAS},
                 **{name: ns.decay("estimate", groups=name) for name in ESTIMATED}}  # fmt: skip
    for name, penalty in penalties.items():
        began = time.perf_counter()
        fit = ns.neuralnet(formula, data, hidden=truth[6], family=truth[7], penalty=penalty, random_state=seed, n_jobs=1)
        yield name, fit, time.perf_counter() - began


def risks(name: str, replicates: int) -> list[dict[str, object]]:
    """Rows of one truth."""
    truth, rows, floor = TRUTHS[name], [], []
    for seed in range(replicates):
        rng = np.random.default_rng([seed, len(name)])
        data, eta = draw(truth, rng, truth[4])
        data["y"] = respond(truth, eta, rng)
        new, target = draw(truth, rng, NEW)
        floor.append(noise(truth, target))
        for penalty, fit, seconds in fits(truth, data, seed):
            mean = fit.predict(new).to_numpy()
            rows.append({"penalty": penalty, "seed": seed, "excess": excess(truth[7], target, mean), "seconds": seconds,
                         "df": float(fit.df("jacobian"))})  # fmt: skip
    frame = pd.DataFrame(rows)
    means = frame.groupby("penalty")[["excess", "seconds", "df"]].mean()
    each = frame.pivot(index="seed", columns="penalty", values="excess")
    best = str(means["excess"][[f"{lam:g}" for lam in LAMBDAS]].idxmin())
    base = float(np.mean(floor))
    out: list[dict[str, object]] = []
    for penalty in ESTIMATED:
        ratio = means.at[penalty, "excess"] / means.at[best, "excess"]
        apart = (each[penalty] - ratio * each[best]).std(ddof=1) / np.sqrt(replicates)
        whole = (base + means.at[penalty, "excess"]) / (base + means.at[best, "excess"])
        moved = (each[penalty] - each[best]).std(ddof=1) / np.sqrt(replicates)
        out.append({
            "part": "risk", "truth": name, "groups": penalty, "best fixed": best, "risk": whole,
            "risk se": float(moved / (base + means.at[best, "excess"])), "excess": float(ratio),
            "excess se": float(apart / means.at[best, "excess"]),
            "time": means.at[penalty, "seconds"] / means.at[best, "seconds"],
            "df": means.at[penalty, "df"], "df of best": means.at[best, "df"], "replicates": replicates,
        })  # fmt: skip
    return out


def coverage(name: str, replicates: int) -> list[dict[str, object]]:
    """Rows of one curve."""
    f, low, high, n, sd = CURVES[name]
    grid = low + (high - low) * (np.arange(100) + 0.5) / 100
    held: dict[str, list[np.ndarray]] = {}
    widths: dict[str, list[float]] = {}
    ways = {"estimated, bayes": (ns.decay("estimate"), "bayes"), "estimated, delta": (ns.decay("estimate"), "delta"),
            "decay .1, delta": (ns.decay(0.1), "delta")}  # fmt: skip
    for seed in range(replicates):
        rng = np.random.default_rng([seed, 77])
        x = rng.uniform(low, high, n)
        data = {"x": x, "y": f(x) + sd * rng.standard_normal(n)}
        made: dict[str, Any] = {}
        for way, (penalty, method) in ways.items():
            if str(penalty) not in made:
                made[str(penalty)] = ns.neuralnet("y ~ x", data, hidden=10, penalty=penalty, random_state=seed, n_jobs=1)
            frame = made[str(penalty)].get_prediction({"x": grid}, method=method).summary_frame()
            inside = (frame["mean_ci_lower"] <= f(grid)) & (f(grid) <= frame["mean_ci_upper"])
            held.setdefault(way, []).append(inside.to_numpy().reshape(5, 20).mean(axis=1))
            widths.setdefault(way, []).append(float(np.mean(frame["mean_ci_upper"] - frame["mean_ci_lower"])))
    out: list[dict[str, object]] = []
    for way, parts in held.items():
        each = np.array(parts)
        se = each.std(axis=0, ddof=1) / np.sqrt(replicates)
        out.append({
            "part": "coverage", "truth": name, "groups": way, "covered": float(each.mean()),
            "covered se": float(each.mean(axis=1).std(ddof=1) / np.sqrt(replicates)),
            **{f"fifth {k + 1}": f"{each[:, k].mean():.3f} ({se[k]:.3f})" for k in range(5)},
            "width": float(np.mean(widths[way])), "replicates": replicates,
        })  # fmt: skip
    return out


def main() -> None:
    """Both parts, to benchmarks/results/evidence_risk.csv and evidence_coverage.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--coverage", type=int, default=100)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    fits_once = ns.neuralnet("x1 ~ x2", {"x1": [0.0, 1, 2, 4], "x2": [0.0, 1, 2, 3]}, hidden=1, rep=1)  # compiles
    assert fits_once.nobs == 4
    for part, work, names, replicates in (("evidence_risk", risks, TRUTHS, given.replicates),
                                          ("evidence_coverage", coverage, CURVES, given.coverage)):  # fmt: skip
        for name in names if replicates else ():
            common.write(part, [*common.kept(part, "truth", [name]), *work(name, replicates)])


if __name__ == "__main__":
    main()
