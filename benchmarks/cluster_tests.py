"""Size of tests of terms, and coverage of intervals, where rows of a cluster depend on one another.

    python benchmarks/cluster_tests.py [--replicates 1000] [--networks 400] [--designs ...]

Each cluster has an effect of its own in the linear predictor, half or more of the noise's variance. z, on which the response
depends, varies within clusters; the response is independent of x, which is one number per cluster ("between"), or varies
within clusters around one ("within"). "uneven" has 12 clusters of 2 to 48 rows, and noise whose spread depends on x.

Each row of results/cluster_tests.csv: how often x was called significant at the 5 % level, with its Monte-Carlo standard
error, by the default of `term_tests` with ``groups=`` (``method`` says which that is) and without, and by ``method="wald"``
with. Rows "coverage" (no hidden units): how often the 95 % interval of x's coefficient held its value, 0, with groups and
without. Rows "power": x has an effect.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from common import write

import neuralstat as ns

LEVEL = 0.05


@dataclass(frozen=True)
class Design:
    """Clusters, the covariate that is tested, the family and its network."""

    sizes: tuple[int, ...]
    kind: str = "between"
    family: str = "gaussian"
    hidden: int = 0
    effect: float = 0.0
    uneven: bool = False
    options: dict[str, Any] = field(default_factory=dict)


DESIGNS = {
    "least squares, 20 x 10, between": Design((10,) * 20),
    "least squares, 40 x 5, within": Design((5,) * 40, "within"),
    "least squares, 8 x 20, between": Design((20,) * 8),
    "least squares, uneven": Design((2, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 48), uneven=True),
    "binomial, 25 x 10, between": Design((10,) * 25, family="binomial"),
    "binomial, 40 x 6, within": Design((6,) * 40, "within", "binomial"),
    "poisson, 20 x 8, between": Design((8,) * 20, family="poisson"),
    "network, 30 x 6, between": Design((6,) * 30, hidden=2, options={"penalty": ns.decay(0.05)}),
    "network, 40 x 5, within": Design((5,) * 40, "within", hidden=2, options={"penalty": ns.decay(0.05)}),
    "binomial network, 40 x 8, within": Design((8,) * 40, "within", "binomial", 2, options={"penalty": ns.decay(0.1)}),
    "power: least squares, 20 x 10, between": Design((10,) * 20, effect=0.7),
    "power: network, 30 x 6, between": Design((6,) * 30, hidden=2, effect=0.8, options={"penalty": ns.decay(0.05)}),
}


def sample(design: Design, seed: int) -> pd.DataFrame:
    """Data of a design."""
    rng = np.random.default_rng([seed, 77])
    code = np.repeat(np.arange(len(design.sizes)), design.sizes)
    n, g = code.size, len(design.sizes)
    level = rng.standard_normal(g)[code]
    x = level if design.kind == "between" else level + rng.standard_normal(n)
    z = 0.5 * level + rng.standard_normal(n)
    mean = np.sin(2 * z) if design.hidden else 0.7 * z
    mean = mean + design.effect * x + rng.standard_normal(g)[code] * (0.5 + np.abs(x) if design.uneven else 1.0)
    if design.family == "gaussian":
        y = mean + rng.standard_normal(n)
    elif design.family == "binomial":
        y = (rng.random(n) * (1 + np.exp(-mean)) < 1).astype(float)
    else:
        y = rng.poisson(np.exp(0.5 * mean)).astype(float)
    return pd.DataFrame({"y": y, "x": x, "z": z, "cluster": code})


def one(design: Design, seed: int) -> list[tuple[str, str, bool, float]]:
    """What was measured, by which method, whether it was significant (or covered), and seconds."""
    data, found = sample(design, seed), []
    for groups in ("cluster", None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = {"hidden": design.hidden, "family": design.family, "random_state": seed, **design.options}
            fit = ns.neuralnet("y ~ x + z", data, groups=groups, **given)
            for method in (None, "wald") if groups else (None,):
                begun = time.perf_counter()
                row = fit.term_tests(method, terms="x", random_state=seed).loc["x"]
                name = f"{row['method']}{'' if groups else ', without groups'}"
                found.append(("size", name, bool(row["pvalue"] <= LEVEL), time.perf_counter() - begun))
            if not design.hidden and not design.effect:
                begun = time.perf_counter()
                low, high = fit.conf_int().loc["x.to.y"]
                name = "interval" if groups else "interval, without groups"
                found.append(("coverage", name, bool(low <= 0 <= high), time.perf_counter() - begun))
    return found


def main() -> None:
    """Run the designs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--networks", type=int, default=400, help="replicates of designs with hidden units")
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    arguments = parser.parse_args()
    rows = []
    for name in arguments.designs:
        design = DESIGNS[name]
        count = arguments.networks if design.hidden else arguments.replicates
        found = [row for seed in range(count) for row in one(design, seed)]
        table = pd.DataFrame(found, columns=["what", "method", "hit", "seconds"])
        for (what, method), part in table.groupby(["what", "method"], sort=False):
            share = part["hit"].mean()
            rows.append({
                "design": name.removeprefix("power: "), "what": "power" if design.effect else what, "method": method,
                "share": round(share, 4), "se": round(float(np.sqrt(share * (1 - share) / len(part))), 4),
                "replicates": len(part), "seconds": round(part["seconds"].mean(), 4),
            })  # fmt: skip
        print(pd.DataFrame(rows[-5:]).to_string(index=False), flush=True)
        write("cluster_tests", rows)


if __name__ == "__main__":
    main()
