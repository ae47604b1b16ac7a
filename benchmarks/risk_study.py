"""Estimates of risk against the truth: 1, 2 and 10 covariates, units by decay, sigma told and estimated.

Four truths at random covariates, drawn anew in each of 60 replicates: Doppler and a sine (one covariate), a network of three
units (two), Friedman's function (ten, five of which matter). Nine networks each: 2, 4 and 8 units in one layer, decay 0, 0.01
and 1 on standardised data, by Levenberg-Marquardt, the best of three restarts. Every estimator is compared with what it
estimates: the risk of new responses at the covariates of the fit, or at new ones. Criteria with sigma are computed with the
true one and with one estimated from the largest network's residuals.

Run ``python benchmarks/risk_study.py`` for the file of the vignette (15 minutes of a core): a row per truth, network,
replicate; ``--checkpoint FOLDER`` goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat.errors import NeuralStatWarning

FILE = Path(__file__).parents[1] / "vignettes" / "data" / "risk_study.csv.gz"
UNITS, DECAYS = (2, 4, 8), (0.0, 0.01, 1.0)
SIZES = {"doppler": 200, "sine": 100, "three units": 150, "friedman": 200}
NOISE = {"doppler": 0.1, "sine": 0.3, "three units": 0.3, "friedman": 1.0}
TOLD = ["training", "cp", "gcv", "aicc", "bic", "alo"]
REFITS = [
    ns.study.estimator("cv"), ns.study.estimator("cv", corrected=True, name="cv corrected"),
    ns.study.estimator("632+", draws=20), ns.study.estimator("cp:gdf", draws=20, tau=0.5),
    ns.study.estimator("coupled", draws=20, alpha=0.25),
]  # fmt: skip


def three_units(x: np.ndarray) -> np.ndarray:
    """A network of three units of two covariates."""
    a, b = x.T
    return 2 * np.tanh(1.5 * a - b) - 1.5 * np.tanh(a + 2 * b - 0.5) + np.tanh(0.5 * b - a + 1)


def friedman(x: np.ndarray) -> np.ndarray:
    """Friedman's function of five of ten covariates (1991, Annals of Statistics 19:1)."""
    return 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


TRUTHS = {
    "doppler": ns.study.truth(lambda x: np.sin(1 / x), design=lambda n, rng: rng.uniform(0.05, 1, n), name="doppler"),
    "sine": ns.study.truth(lambda x: np.sin(2 * np.pi * x), design=lambda n, rng: rng.random(n), name="sine"),
    "three units": ns.study.truth(three_units, design=lambda n, rng: rng.standard_normal((n, 2)), name="three units"),
    "friedman": ns.study.truth(friedman, design=lambda n, rng: rng.random((n, 10)), name="friedman"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--truths", nargs="*", default=list(TRUTHS), choices=list(TRUTHS))
    parser.add_argument("--checkpoint", type=Path, default=None)
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # networks without decay are the subject
    models = {
        f"{k} units, decay {d:g}": ns.study.net(k, standardize=True, algorithm="lm", penalty=ns.decay(d) if d else None)
        for d in DECAYS
        for k in UNITS
    }
    parts, seconds, networks = [], 0.0, 0
    for name in given.truths:
        for sigma, estimators in (("truth", [*TOLD, *REFITS]), ("large", ["cp"])):
            result = ns.study(models, TRUTHS[name], NOISE[name], SIZES[name], given.replicates, estimators, target="new_x",
                              sigma=sigma, restarts=3, random_state=1, n_jobs=given.jobs, keep_fits=False,
                              checkpoint=given.checkpoint and given.checkpoint / f"{name}, {sigma}")  # fmt: skip
            frame = result.frame
            frame["estimator"] = frame["estimator"] + (", sigma estimated" if sigma == "large" else "")
            parts.append(frame)
            seconds, networks = seconds + result.seconds, networks + result.networks
        print(name, f"{networks} networks in {seconds:.0f} s", flush=True)
        table(pd.concat(parts)).to_csv(given.file, index=False, float_format="%.5g")


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per truth, network and replicate: the two risks, the fit's status, and a column per estimator."""
    keys = ["truth", "noise", "n", "model", "replicate", "risk_same_x", "risk_new_x", "status"]
    order = list(dict.fromkeys(frame["estimator"]))
    first = frame[frame["estimator"] == order[0]][[*keys, "df"]]
    wide = frame.pivot(index=["truth", "model", "replicate"], columns="estimator", values="estimate")[order]
    return first.merge(wide.reset_index(), on=["truth", "model", "replicate"])


if __name__ == "__main__":
    main()
