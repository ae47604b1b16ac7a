"""Time of one step of a network with a gaussian response: mean alone, and mean and spread.

    python benchmarks/two_parameters.py --file benchmarks/results/two_parameters.csv

Full-batch rprop+ steps of one network on one thread; each time is the least of `--repeats` runs of `--steps` steps, taken in
turn, so that what else the machine does counts little. Before the first one kernels are compiled.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns

SIZES = [((10, 5, 15), 200), ((10,), 200), ((10, 5, 15), 2000), ((32, 32), 2000)]


def fits(hidden: tuple[int, ...], n: int, steps: int) -> dict[str, ns.NeuralNet]:
    """Models whose fit takes `steps` steps."""
    rng = np.random.default_rng(1)
    x = rng.uniform(size=n)
    data = pd.DataFrame({"x": x, "y": np.sin(6 * x) + (0.1 + x) * rng.normal(size=n)})
    same = {
        "hidden": hidden, "rep": 1, "stepmax": steps, "threshold": 0.0, "algorithm": "rprop+", "random_state": 1, "n_jobs": 1,
    }  # fmt: skip
    return {
        "mean": ns.NeuralNet.from_formula("y ~ x", data, family="gaussian", **same),
        "mean and sigma": ns.NeuralNet.from_formula("y ~ x", data, family="gaussian", dispformula=True, **same),
    }


def seconds(model: ns.NeuralNet, steps: int) -> float:
    """Of one step, by the fit's own clock."""
    procedure = model.procedure()
    begin = time.process_time()
    fit = procedure.run()
    return (time.process_time() - begin) / max(int(fit.steps[0]), 1) if fit.steps[0] == steps else np.nan


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    rows = []
    for hidden, n in SIZES:
        models = fits(hidden, n, given.steps)
        for model in models.values():
            seconds(model, given.steps)
        each = [[seconds(model, given.steps) for model in models.values()] for _ in range(given.repeats)]
        one, two = np.nanmin(each, axis=0)
        ratios = np.array(each)[:, 1] / np.array(each)[:, 0]
        rows.append({
            "hidden": "-".join(map(str, hidden)), "n": n, "mean_us": 1e6 * one, "mean_and_sigma_us": 1e6 * two,
            "ratio": two / one, "median_ratio": np.nanmedian(ratios),
        })  # fmt: skip
    table = pd.DataFrame(rows).round(3)
    print(table.to_string(index=False))
    if given.file is not None:
        table.to_csv(given.file, index=False)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main()
