"""Known parameters of distributions, found again by networks: bias, first-order bias, standard errors, mean functions.

    python benchmarks/recovery.py --replicates 100                        # all
    python benchmarks/recovery.py --replicates 100 --families beta zip    # these; rows of others are kept

x and z are uniform on [0, 1]; the first linear predictor is f(x, z) = sin(4 x) + z^2 plus a constant, the others are constant
(gaussian: log sigma is linear in x). Networks of 3 units, decay 1e-2, the best of 3 starts; survival times are censored by
exponential limits. A row of a constant: its estimate on the scale of its link, less the truth, mean over replicates (bias)
and standard error; what `inference.bias` says of it (first_order: maximum likelihood is biased by about df / 2 n); standard
deviation over replicates, mean Wald standard error, and how often the nominal 95 % interval holds the truth. A row of f: mean
error over a grid (bias), root mean square over the grid of the mean over replicates less the truth (bend), and of single
fits.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat import families as F
from neuralstat.inference.bias import jacobian_at, weights_bias

FILE = Path(__file__).parent / "results" / "recovery.csv"
GRID = pd.DataFrame([(x, z) for x in np.linspace(0.025, 0.975, 20) for z in np.linspace(0.1, 0.9, 5)], columns=["x", "z"])


def f(x: Any, z: Any) -> Any:
    """What all first predictors have in common."""
    return np.sin(4 * x) + z**2


@dataclass(frozen=True)
class Case:
    """A family, its truth, and how responses are drawn.

    `constants` are linear predictors by role; `draw(rng, eta, x)` gives columns of the response.
    """

    family: Any
    constants: dict[str, float]
    draw: Callable[..., dict[str, Any]]
    shift: float = 0.0
    response: str = "y"
    more: dict[str, Any] = field(default_factory=dict)
    n: int = 1500


def logit(p: float) -> float:
    """Log odds."""
    return float(np.log(p / (1 - p)))


def counts(rng: np.random.Generator, mu: np.ndarray, alpha: float) -> np.ndarray:
    """Negative binomial counts of variance mu + alpha mu^2."""
    return rng.poisson(mu * rng.gamma(1 / alpha, alpha, mu.size))


def positive(rng: np.random.Generator, mu: np.ndarray) -> np.ndarray:
    """Poisson counts given that they are not 0, by inversion."""
    from scipy.stats import poisson

    low = np.exp(-mu)
    return poisson.ppf(low + (1 - low) * rng.uniform(size=mu.size), mu)


def censored(rng: np.random.Generator, times: np.ndarray, mean: float) -> dict[str, np.ndarray]:
    """Times, cut by exponential limits."""
    limit = rng.exponential(mean, times.size)
    return {"y": np.minimum(times, limit), "e": (times <= limit).astype(int)}


def ordered(rng: np.random.Generator, eta: np.ndarray) -> pd.Categorical:
    """Four classes, thresholds 0, 1, 2.5 of a logistic variable."""
    return pd.Categorical.from_codes(np.digitize(eta + rng.logistic(size=eta.size), [0, 1, 2.5]), list("abcd"), ordered=True)


Z95 = 1.6448536269514722
CASES: dict[str, Case] = {
    "gaussian": Case("gaussian", {"sigma": -1.0}, lambda rng, eta, x: {"y": eta + np.exp(-1 + x) * rng.normal(size=x.size)},
                     more={"dispformula": "~ x"}),
    "negative_binomial": Case("negative_binomial", {"alpha": np.log(0.5)},
                              lambda rng, eta, x: {"y": counts(rng, np.exp(eta), 0.5)}, shift=1.0),
    "gamma": Case(F.Gamma("log"), {"phi": np.log(0.5)}, lambda rng, eta, x: {"y": rng.gamma(2, np.exp(eta) / 2)},
                  more={"dispformula": "~ 1"}),
    "inverse_gaussian": Case(F.InverseGaussian("log"), {"phi": np.log(0.5)},
                             lambda rng, eta, x: {"y": rng.wald(np.exp(eta), 2.0)}, more={"dispformula": "~ 1"}),
    "beta": Case("beta", {"phi": np.log(8)},
                 lambda rng, eta, x: {"y": rng.beta(8 / (1 + np.exp(-eta)), 8 / (1 + np.exp(eta)))}, shift=-0.5),
    "student": Case("student", {"sigma": np.log(0.5), "nu": np.log(5)},
                    lambda rng, eta, x: {"y": eta + 0.5 * rng.standard_t(5, x.size)}),
    "lognormal": Case("lognormal", {"sigma": np.log(0.5)},
                      lambda rng, eta, x: {"y": np.exp(eta + 0.5 * rng.normal(size=x.size))}),
    "zip": Case("zero_inflated_poisson", {"pi": logit(0.3)},
                lambda rng, eta, x: {"y": rng.poisson(np.exp(eta)) * (rng.uniform(size=x.size) > 0.3)}, shift=1.0),
    "hurdle_poisson": Case("hurdle_poisson", {"pi": logit(0.3)},
                           lambda rng, eta, x: {"y": positive(rng, np.exp(eta)) * (rng.uniform(size=x.size) > 0.3)},
                           shift=0.5),
    "zinb": Case("zero_inflated_negative_binomial", {"alpha": np.log(0.5), "pi": logit(0.3)},
                 lambda rng, eta, x: {"y": counts(rng, np.exp(eta), 0.5) * (rng.uniform(size=x.size) > 0.3)},
                 shift=1.5),
    "ordinal": Case("ordinal", {"step2": 0.0, "step3": np.log(1.5)}, lambda rng, eta, x: {"y": ordered(rng, eta)}),
    "weibull": Case("weibull", {"sigma": np.log(0.5)},
                    lambda rng, eta, x: censored(rng, np.exp(eta) * rng.weibull(2, x.size), 6.0), response="Surv(y, e)"),
    "loglogistic": Case("loglogistic", {"sigma": np.log(0.5)},
                        lambda rng, eta, x: censored(rng, np.exp(eta + 0.5 * rng.logistic(size=x.size)), 6.0),
                        response="Surv(y, e)"),
    "quantile": Case("quantile", {"step2": np.log(0.5 * Z95), "step3": np.log(0.5 * Z95)},
                     lambda rng, eta, x: {"y": eta + 0.5 * (rng.normal(size=x.size) + Z95)}),
}  # fmt: skip


def replicate(case: Case, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(estimate less truth, first-order bias, standard error) by constant; errors of f on the grid."""
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(size=case.n), rng.uniform(size=case.n)
    data = pd.DataFrame({"x": x, "z": z, **case.draw(rng, case.shift + f(x, z), x)})
    fit = ns.neuralnet(f"{case.response} ~ x + z", data, hidden=3, rep=3, family=case.family, penalty=ns.decay(1e-2),
                       algorithm="bfgs", random_state=seed, n_jobs=1, **case.more)  # fmt: skip
    fitted, b = fit.fitted, fit.fitted.best
    likely = case.family != "quantile"
    rows = fitted.design.encode(pd.concat([GRID.assign(x=0.0), GRID])).x  # constants at x = 0
    found = fitted.original_predictors(fitted.raw(rows, None, [b]))[0]
    at = found[:, 0]
    if likely:
        root, bias = weights_bias(fitted, b, "hessian")
        jacobian = jacobian_at(fitted, b, rows[:, :1], None)[:, 0]
        first, error = jacobian @ bias, np.sqrt(np.square(jacobian @ root).sum(axis=1))
    roles = list(fitted.distribution.roles)
    out = {}
    for role, truth in case.constants.items():
        k = roles.index(role)
        out[role] = np.array([at[k] - truth, first[k] if likely else np.nan, error[k] if likely else np.nan])
    return out, found[0, len(GRID) :] - case.shift - f(GRID["x"], GRID["z"]).to_numpy()


def table(name: str, case: Case, found: list[tuple[dict[str, np.ndarray], np.ndarray]]) -> pd.DataFrame:
    """A row per constant and one for f."""
    rows, m = [], len(found)
    for role in case.constants:
        off, first, error = np.array([c[role] for c, _ in found]).T
        rows.append({
            "family": name, "n": case.n, "replicates": m, "parameter": role, "truth": case.constants[role],
            "bias": off.mean(), "se": off.std(ddof=1) / np.sqrt(m), "first_order": first.mean(), "sd": off.std(ddof=1),
            "wald_se": error.mean(), "coverage": np.nan if np.isnan(error).any() else np.mean(np.abs(off) < 1.96 * error),
        })  # fmt: skip
    errors = np.array([e for _, e in found])
    each = errors.mean(axis=1)
    rows.append({
        "family": name, "n": case.n, "replicates": m, "parameter": "f", "bias": each.mean(),
        "se": each.std(ddof=1) / np.sqrt(m),
        "bend": np.sqrt(np.mean(errors.mean(axis=0) ** 2)), "rmse": np.sqrt(np.mean(errors**2)),
    })  # fmt: skip
    columns = [*rows[0], "bend", "rmse"]
    return pd.DataFrame(rows).reindex(columns=columns)


def main() -> None:
    """Print the tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--families", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in given.families:
        began = time.process_time()
        found = table(name, CASES[name], [replicate(CASES[name], seed) for seed in range(given.replicates)]).round(4)
        print(found.to_string(index=False), f"\n{time.process_time() - began:.0f} s", flush=True)
        if given.file.exists():
            old = pd.read_csv(given.file)
            found = pd.concat([old[old["family"] != name], found])
        place = found["family"].map({key: t for t, key in enumerate(CASES)})
        found.assign(place=place).sort_values("place", kind="stable").drop(columns="place").to_csv(given.file, index=False)


if __name__ == "__main__":
    main()
