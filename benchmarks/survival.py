"""Times to an event, simulated: networks against linear models, coverage of limits, and known parameters found again.

    python benchmarks/survival.py                        # both tables, 60 and 500 replicates
    python benchmarks/survival.py --tables compare --replicates 20 --file other.csv

compare: five covariates, uniform on [-1, 1], of which three matter; T = (E exp(-f(x)))^(1 / 1.5), E exponential, with the log
relative hazard f = 1.5 sin(3 a) + 2 b c, or a linear one; limits are exponential, so that 30 % are censored; n = 700. Linear
Cox; Cox with a network of 5 units (the mean of 3 starts), decay of least Brier score in five-fold cross-validation among .1,
.3, 1, 3; piecewise exponential hazards and Weibull with the same decay. Measured at 2000 new rows whose times are all known:
root mean squared error of f (centred); concordance; Brier score, the mean from time 0 to the 0.9-quantile of times; root
mean squared error of S(t | x) over 20 times to there; coverage of nominal 90 % intervals of f (centred) and of times, of
these also where f is in its highest and lowest fifth. A row per replicate and model.

recovery: hidden=0, n = 2000, x normal, z 0 or 1, known coefficients, 30 % censored (or entered late, or seen in intervals;
"again": with other random numbers). Estimate less truth, its Monte-Carlo error, what first-order theory says of it (maximum
likelihood makes scales too small; not known of Cox's), z, the difference of the two in Monte-Carlo errors, and how often
nominal 95 % Wald intervals hold the truth.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri

import neuralstat as ns
from neuralstat import families as F
from neuralstat.assessment.brier import brier_score
from neuralstat.assessment.concordance import concordance
from neuralstat.df.local import active
from neuralstat.inference.bias import weights_bias

HERE = Path(__file__).parent
FILES = {"compare": HERE.parent / "vignettes" / "data" / "survival.csv", "recovery": HERE / "results" / "survival.csv"}
SHAPE, N, NEW, CENSORED = 1.5, 700, 2000, 0.3
DECAYS = (0.1, 0.3, 1.0, 3.0)
COVARIATES = list("abcde")
FORMULA = "Surv(time, event) ~ a + b + c + d + e"


def curved(x: pd.DataFrame) -> np.ndarray:
    """A log relative hazard with an interaction."""
    return (1.5 * np.sin(3 * x["a"]) + 2 * x["b"] * x["c"]).to_numpy()


def straight(x: pd.DataFrame) -> np.ndarray:
    """One that Cox's model has."""
    return (1.5 * x["a"] - x["b"] + x["c"]).to_numpy()


TRUTHS = {"curved": curved, "linear": straight}


def survival(eta: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(m, T) true probabilities to live longer."""
    return np.exp(-np.exp(eta)[:, np.newaxis] * np.asarray(times) ** SHAPE)


def draw(f: Any, rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Covariates with times, all known, and f."""
    x = pd.DataFrame(rng.uniform(-1, 1, (n, len(COVARIATES))), columns=COVARIATES)
    eta = f(x)
    return x.assign(time=(rng.exponential(size=n) * np.exp(-eta)) ** (1 / SHAPE)), eta


def limit_of(times: np.ndarray, share: float = CENSORED) -> float:
    """The mean of an exponential limit that censors so many of these times."""
    return float(brentq(lambda c: np.mean(-np.expm1(-times / c)) - share, 1e-3, 1e4))


def cut(data: pd.DataFrame, limit: float, rng: np.random.Generator) -> pd.DataFrame:
    """Times censored by exponential limits."""
    ends = rng.exponential(limit, len(data))
    return data.assign(time=np.minimum(data["time"], ends), event=(data["time"] <= ends).astype(int))


def models(data: pd.DataFrame, seed: int) -> dict[str, tuple[Any, float]]:
    """Fits, and the decays that were chosen."""
    same: dict[str, Any] = {"hidden": 5, "rep": 3, "random_state": seed, "n_jobs": 1}
    fits = {d: ns.neuralnet(FORMULA, data, family="cox", penalty=ns.decay(d), **same) for d in DECAYS}
    risks = {d: float(ns.risk(fit, "cv", loss="brier", k=5, random_state=seed)) for d, fit in fits.items()}
    best = min(risks, key=risks.__getitem__)
    out = {"Cox, linear": (ns.neuralnet(FORMULA, data, hidden=0, family="cox"), np.nan), "Cox, 5 units": (fits[best], best)}
    for name, family in (("piecewise exponential", "piecewise_exponential"), ("Weibull", "weibull")):
        out[f"{name}, 5 units"] = (ns.neuralnet(FORMULA, data, family=family, penalty=ns.decay(best), **same), best)
    return out


def compare(truth: str, seed: int) -> list[dict[str, Any]]:
    """A row per model."""
    rng, f = np.random.default_rng([seed, len(truth)]), TRUTHS[truth]
    far = draw(f, np.random.default_rng(0), 20_000)[0]["time"].to_numpy()
    limit, last = limit_of(far), float(np.quantile(far, 0.9))
    data = cut(draw(f, rng, N)[0], limit, rng)
    new, eta = draw(f, rng, NEW)
    f0 = f(data[COVARIATES]).mean()  # predictors average 0 over the rows of the fit
    grid = last * np.arange(1, 21) / 20
    alive = survival(eta, grid)
    known = new.assign(event=1)
    rows = []
    for name, (fit, decay) in models(data, seed).items():
        began = time.process_time()
        frame = fit.get_prediction(new).summary_frame(0.1)
        times = frame["obs_ci_lower"], frame["obs_ci_upper"]
        inside = ((times[0] <= new["time"]) & (new["time"] <= times[1])).to_numpy()
        row = {"truth": truth, "replicate": seed, "model": name, "decay": decay, "censored": 1 - data["event"].mean()}
        own = fit.predict(new, type="survival", times=grid).to_numpy()
        # the log relative hazard of the others: of proportional hazards log(-log S) has it at any time
        score = np.log(-np.log(np.clip(own[:, 9], 1e-12, 1 - 1e-12)))
        if fit.family.name == "cox":
            score = np.log(fit.predict(new).to_numpy())
            low, high = np.log(frame["mean_ci_lower"]), np.log(frame["mean_ci_upper"])
            row["hazard_coverage"] = float(((low <= eta - f0) & (eta - f0 <= high)).mean())
        score = score - score.mean()
        row |= {
            "hazard_rmse": float(np.sqrt(np.mean((score - (eta - eta.mean())) ** 2))),
            "concordance": float(fit.concordance(known)),
            "brier": float(brier_score(new["time"], np.ones(NEW), own, grid)),
            "survival_rmse": float(np.sqrt(np.mean((own - alive) ** 2))), "time_coverage": float(inside.mean()),
        }  # fmt: skip
        own_high = inside[eta > np.quantile(eta, 0.8)]
        own_low = inside[eta < np.quantile(eta, 0.2)]
        row |= {"time_coverage_high": own_high.mean(), "time_coverage_low": own_low.mean(),
                "seconds": time.process_time() - began}  # fmt: skip
        rows.append(row)
    everybody = {"truth": truth, "replicate": seed, "model": "truth", "censored": 1 - data["event"].mean(),
                 "concordance": float(concordance(new["time"], np.ones(NEW), -eta)),
                 "brier": float(brier_score(new["time"], np.ones(NEW), alive, grid))}  # fmt: skip
    return [*rows, everybody]


# what is linear in x and z: log time, or the log hazard
BETA = {"Intercept": 1.0, "x": 0.5, "z": -0.7}
SIGMA = 0.6
CUTS, LOG_RATIOS = (1.0, 3.0), (0.5, -0.4)


def standard(family: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Errors of log time."""
    u = rng.uniform(size=n)
    return {"weibull": np.log(-np.log(u)), "loglogistic": np.log(u / (1 - u)), "lognormal_aft": ndtri(u)}[family]


def pieces(eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Times with hazards exp(eta) times 1 and the ratios between the cuts."""
    return F.PiecewiseExponential(CUTS).frozen(
        np.stack([np.exp(eta), *(np.full(eta.shape, np.exp(r)) for r in LOG_RATIOS)])
    ).ppf(rng.uniform(size=eta.size))


def recovery(case: str, seed: int, n: int = 2000) -> list[dict[str, Any]]:
    """A row per parameter."""
    family, _, how = case.partition(", ")
    rng = np.random.default_rng([seed, sum(map(ord, case))])

    def covariates(m: int) -> pd.DataFrame:
        return pd.DataFrame({"x": rng.normal(size=m), "z": rng.integers(0, 2, m).astype(float)})

    def times(x: pd.DataFrame) -> np.ndarray:
        linear = (BETA["x"] * x["x"] + BETA["z"] * x["z"]).to_numpy()
        if family == "cox":
            return (rng.exponential(size=len(x)) * np.exp(-linear)) ** (1 / SHAPE)
        if family == "piecewise_exponential":
            return pieces(linear - 1, rng)
        return np.exp(BETA["Intercept"] + linear + SIGMA * standard(family, rng, len(x)))

    limit = limit_of(np.concatenate([times(covariates(4000)) for _ in range(5)]))
    data, response, truth = covariates(n), "Surv(time, event)", {k: v for k, v in BETA.items() if k != "Intercept"}
    data["time"] = times(data)
    if how == "late entry":  # who has died, or was censored, before the entry is never seen
        data = pd.concat([data.assign(time=times(data)) for _ in range(3)], ignore_index=True)
        data["start"] = rng.uniform(0, 2.5, len(data))
        data["end"] = data["start"] + rng.exponential(limit, len(data))
        data = data[data["time"] > data["start"]].head(n)
        data = data.assign(event=(data["time"] <= data["end"]).astype(int), time=np.minimum(data["time"], data["end"]))
        response = "Surv(start, time, event)"
    elif how == "intervals":  # visits at random distances, until the limit
        visits = np.cumsum(rng.uniform(0.5, 2.5, (n, 60)), axis=1)
        visits = np.where(visits <= rng.exponential(2 * limit, n)[:, np.newaxis], visits, np.inf)
        visits = np.column_stack([np.zeros(n), visits])
        after = (visits < data["time"].to_numpy()[:, np.newaxis]).sum(axis=1)
        low, high = visits[np.arange(n), after - 1], np.take_along_axis(
            np.column_stack([visits, np.full(n, np.inf)]), after[:, np.newaxis], axis=1)[:, 0]  # fmt: skip
        some = (low > 0) | np.isfinite(high)  # nothing is known of others
        data = data.assign(low=low, high=np.where(np.isfinite(high), high, 0.0))[some]
        response = "low + high"
    else:
        data = cut(data, limit, rng)
    given = F.PiecewiseExponential(CUTS) if family == "piecewise_exponential" else family
    fit = ns.neuralnet(f"{response} ~ x + z", data, hidden=0, family=given, threshold=1e-4, n_jobs=1)
    if family == "piecewise_exponential":
        truth |= {"Intercept": -1.0, **{f"ratio{k + 2}": r for k, r in enumerate(LOG_RATIOS)}}
    elif family != "cox":
        truth |= {"Intercept": BETA["Intercept"], "sigma": np.log(SIGMA)}
    found, errors = fit.params, fit.bse
    first = first_order(fit)
    rows = []
    for name, value in truth.items():
        at = [i for i, label in enumerate(found.index) if parameter(label) == name]
        assert len(at) == 1, (name, list(found.index))
        off, se = float(found.iloc[at[0]]) - value, float(errors.iloc[at[0]])
        rows.append({"case": case, "parameter": name, "truth": value, "off": off, "se": se,
                     "first": first.get(found.index[at[0]], np.nan)})  # fmt: skip
    return rows


def first_order(fit: Any) -> dict[str, float]:
    """First-order bias of the weights that are trained, in original units, by name; of Cox's model it is not known."""
    if fit.family.name == "cox":
        return {}
    used = active(fit.fitted, 0)
    labels = list(fit.params.index[used])
    scaling, moved = fit.fitted.design.scaling, weights_bias(fit.fitted, 0, "hessian")[1]
    out = dict(zip(labels, moved.tolist(), strict=True))
    constant = next(label for label in labels if label.startswith("Intercept.to.") and parameter(label) == "Intercept")
    for name, mean, sd in zip(("x", "z"), scaling.x_mean, scaling.x_sd, strict=True):  # of covariates less mean, over sd
        slope = next(label for label in labels if label.startswith(f"{name}.to."))
        out[slope] /= sd
        out[constant] -= out[slope] * mean
    return out


def parameter(label: str) -> str:
    """What a weight "x.to.sigma" is called here: the covariate, or the parameter whose constant it is."""
    source, _, target = label.partition(".to.")
    if target in ("sigma", "ratio2", "ratio3"):
        return target if source == "Intercept" else label
    return source


CASES = [
    "weibull", "loglogistic", "lognormal_aft", "cox", "piecewise_exponential", "weibull, late entry", "cox, late entry",
    "weibull, intervals", "loglogistic, intervals", "loglogistic, again",
]  # fmt: skip


def recovered(found: list[dict[str, Any]]) -> pd.DataFrame:
    """A row per case and parameter."""
    runs = pd.DataFrame(found)
    runs["held"] = runs["off"].abs() < 1.959963984540054 * runs["se"]
    by = runs.groupby(["case", "parameter"], sort=False)
    out = by.agg(
        truth=("truth", "first"), replicates=("off", "size"), bias=("off", "mean"), mc_error=("off", "sem"),
        first_order=("first", "mean"), sd=("off", "std"), wald_se=("se", "mean"), coverage=("held", "mean"),
    ).reset_index()  # fmt: skip
    return out.assign(z=(out["bias"] - out["first_order"].fillna(0)) / out["mc_error"])


def main() -> None:
    """Print the tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=list(FILES), default=list(FILES))
    parser.add_argument("--replicates", type=int, help="60 to compare, 500 to recover, where not given")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="to recover; rows of others are kept")
    parser.add_argument("--file", type=Path, help="of a single table, in place of its own")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for table in given.tables:
        began, rows = time.process_time(), []
        if table == "compare":
            for seed in range(given.replicates or 60):
                for truth in TRUTHS:
                    rows += compare(truth, seed)
                pd.DataFrame(rows).to_csv(given.file or FILES[table], index=False)  # what there is
            found = pd.DataFrame(rows).sort_values("truth", kind="stable").round(5)
            print(found.groupby(["truth", "model"], sort=False).mean(numeric_only=True).round(4).T.to_string())
        else:
            for case in given.cases:
                rows += [row for seed in range(given.replicates or 500) for row in recovery(case, seed)]
            found = recovered(rows).round(5)
            print(found.to_string(index=False))
            file = given.file or FILES[table]
            if given.cases != CASES and file.exists():
                old = pd.read_csv(file)
                found = pd.concat([old[~old["case"].isin(given.cases)], found])
        found.to_csv(given.file or FILES[table], index=False)
        print(f"{table}: {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
