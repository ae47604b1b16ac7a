"""What estimators of risk are judged by: the risk at the same covariates, and at new ones.

``python benchmarks/study_targets.py``: Friedman's first function, ten covariates, n = 100, noise 1; networks of five units
with decay, best of three. A design per replicate. Means over replicates of both risks and of the estimates, with the biases
of each for either risk: it is judged by one of them. To results/study_targets.csv.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import write

import neuralstat as ns

ESTIMATORS = ("training", "cp", "cp:gdf", "gcv", "rcp", "alo", "cv", "632+")
DECAYS = (0.1, 0.3, 1.0)
RISKS = ("prediction_risk_same_x", "prediction_risk_new_x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=None)
    given = parser.parse_args()
    nets = [ns.study.net(5, penalty=ns.decay(d), standardize=True, name=f"5 units, decay {d:g}") for d in DECAYS]
    done = ns.study(nets, "friedman1", 1.0, 100, given.replicates, ESTIMATORS, target="new_x", restarts=3, random_state=1,
                    n_jobs=given.jobs, keep_fits=False)  # fmt: skip
    rows: list[dict[str, object]] = []
    for (model, name), part in done.frame.groupby(["model", "estimator"], sort=False):
        row: dict[str, object] = {"model": model, "estimator": name, "replicates": len(part), "df": part["df"].mean(),
                                  "judged by": part["covariates"].iloc[0], "estimate": part["estimate"].mean()}  # fmt: skip
        for risk in RISKS:
            off = part["estimate"] - part[risk]
            word, se = risk.removeprefix("prediction_risk_"), off.std() / np.sqrt(len(off))
            row |= {risk: part[risk].mean(), f"bias, {word}": off.mean(), f"se, {word}": se}
        rows.append({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()})
    write("study_targets", rows)


if __name__ == "__main__":
    main()
