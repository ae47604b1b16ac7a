"""Doppler data: squared distance from the truth of B-splines and of networks, by what tunes them, over 60 data sets.

y = sin(1/x) + N(0, 0.1^2) at 200 points of [0.05, 1]. Splines by their number; networks of one layer by their units, stopped
by R's threshold of 0.01 or trained to the optimum by Levenberg-Marquardt without penalty; 20 units by decay; the lecture's
(10, 5, 15). Networks are means of three restarts. All see the same data sets.

Run ``python benchmarks/doppler.py`` for the file of the vignette (4 minutes of a core): a row per model and data set.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import neuralstat as ns
from neuralstat.errors import NeuralStatWarning

FILE = Path(__file__).parents[1] / "vignettes" / "data" / "doppler.csv"
KNOTS = (5, 10, 15, 20, 25, 30, 50, 80, 100)
UNITS = (2, 3, 5, 7, 10, 15, 20)
DECAYS = (0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
MEAN: dict[str, Any] = {"combine": "mean", "standardize": False}


def models() -> dict[str, Any]:
    """Names "kind|setting" and models."""
    net = ns.study.net
    early, optimum = {"algorithm": "rprop+", "threshold": 0.01, **MEAN}, {"algorithm": "lm", "tol": 1e-6, **MEAN}
    return {
        **{f"B-splines|{k}": ns.study.bs(k) for k in KNOTS},
        **{f"R's stop|{k}": net(k, **early) for k in UNITS},
        **{f"optimum|{k}": net(k, **optimum) for k in UNITS},
        **{f"20 units, decay|{v:g}": net(20, penalty=ns.decay(v), **optimum) for v in DECAYS},
        "(10, 5, 15), R's stop|30": net((10, 5, 15), **early),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # optima without penalty are the subject
    result = ns.study(models(), "doppler", 0.1, 200, given.replicates, ["training"], restarts=3, random_state=1,
                      n_jobs=given.jobs)  # fmt: skip
    frame = result.frame
    frame[["kind", "setting"]] = frame["model"].str.split("|", expand=True)
    frame = frame[["kind", "setting", "replicate", "risk", "training_error", "status"]]
    frame.to_csv(given.file, index=False, float_format="%.5g")
    risk = frame.groupby(["kind", "setting"], sort=False)["risk"].agg(["mean", "sem", "median"])
    print(risk.assign(ok=(frame["status"] == "ok").groupby([frame["kind"], frame["setting"]]).mean()).to_string())
    print(f"{result.networks} networks in {result.seconds:.0f} s")


if __name__ == "__main__":
    main()
