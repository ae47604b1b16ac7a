"""Approximate leave-one-out against refits without each observation, on ten designs, and whether it says when it fails.

    python benchmarks/risk_alo.py [--sets 10]

A row of results/risk_alo.csv per design and data set: `risk(fit, "loo")`, which refits all restarts without each observation,
`risk(fit, "alo")`, and what "alo" says against itself: notes, or the reason of its refusal.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS

import neuralstat as ns
from neuralstat.errors import NeuralStatError, NeuralStatWarning

LM: dict[str, Any] = {"algorithm": "lm"}
#: name -> (rows, covariates, family, arguments of neuralnet)
DESIGNS: dict[str, tuple[int, int, str, dict[str, Any]]] = {
    "least squares, 5 covariates": (60, 5, "gaussian", {"hidden": 0}),
    "least squares, 30 covariates": (60, 30, "gaussian", {"hidden": 0}),
    "logistic, 5 covariates": (100, 5, "binomial", {"hidden": 0}),
    "Poisson, 5 covariates": (80, 5, "poisson", {"hidden": 0}),
    "4 units, decay 1": (80, 2, "gaussian", {"hidden": 4, "penalty": ns.decay(1.0), **LM}),
    "4 units, decay 0.1": (80, 2, "gaussian", {"hidden": 4, "penalty": ns.decay(0.1), **LM}),
    "4 units, decay 0.01": (80, 2, "gaussian", {"hidden": 4, "penalty": ns.decay(0.01), **LM}),
    "4 units, classes, decay 0.1": (100, 2, "binomial", {"hidden": 4, "penalty": ns.decay(0.1), **LM}),
    "4 units, no penalty": (80, 2, "gaussian", {"hidden": 4, **LM}),
    "10 units, no penalty": (60, 1, "gaussian", {"hidden": 10, **LM}),
}


def draw(n: int, p: int, family: str, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of a design."""
    x = rng.standard_normal((n, p))
    eta = np.sin(1.5 * x[:, 0]) + (0.5 * x[:, 1] if p > 1 else 0)
    y = {"gaussian": lambda: eta + 0.5 * rng.standard_normal(n), "poisson": lambda: rng.poisson(np.exp(eta)) * 1.0,
         "binomial": lambda: (rng.logistic(size=n) < 2 * eta) * 1.0}[family]()  # fmt: skip
    return pd.DataFrame(x, columns=[f"x{j + 1}" for j in range(p)]).assign(y=y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=10)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)
    rows: list[dict[str, Any]] = []
    for k, (name, (n, p, family, options)) in enumerate(DESIGNS.items()):
        began = time.perf_counter()
        for t in range(1, given.sets + 1):
            data = draw(n, p, family, np.random.default_rng([k, t]))
            fit = ns.neuralnet("y ~ .", data, family=family, random_state=t, **options)
            refitted = float(ns.risk(fit, "loo", rep="best", random_state=t))
            row: dict[str, Any] = {"design": name, "data_set": t, "loo": refitted}
            try:
                alo = ns.risk(fit, "alo", rep="best")
                row |= {"alo": float(alo), "notes": " ".join(alo.notes)}
            except NeuralStatError as error:
                row |= {"alo": np.nan, "notes": str(error)}
            rows.append(row)
        part = pd.DataFrame(rows[-given.sets :])
        ratio = part["alo"] / part["loo"]
        print(f"{name}: alo / loo {ratio.mean():.3f} (se {ratio.sem():.3f}), noted {(part['notes'] != '').mean():.0%}, "
              f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        pd.DataFrame(rows).to_csv(RESULTS / "risk_alo.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
