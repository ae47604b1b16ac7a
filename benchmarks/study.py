"""Studies of risk estimators: what they cost, and what they are worth.

``python benchmarks/study.py`` (base): 4 truths x 12 networks x 200 replicates x 3 restarts = 28,800 networks. Networks of
1 to 12 hidden units on n = 200 observations, with and without decay, by Levenberg-Marquardt; risk, true and analytic
degrees of freedom, and every estimator that needs no refit: training error, Cp, SURE, GCV, leave-one-out by leverages,
AIC, AICc, BIC. The table of means goes to results/study.csv.

``--refit``: the estimators that refit, for Doppler data, the same 12 networks and 50 replicates: 10-fold cross-validation,
five times repeated, with Burman's correction; bootstrap, .632, .632+; Cp with Ye's and Efron's degrees of freedom (50
draws each). 379,800 networks. The cost of each estimator goes to results/study_refit.csv. What the estimators are worth is
`risk_study.py`'s.

``--replicates`` for a shorter one, ``--jobs`` for the number of processes, ``--checkpoint`` for a folder from which a
study that was stopped goes on.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from common import write
from joblib.externals.loky import get_reusable_executor

import neuralstat as ns

TRUTHS = {"doppler": 0.1, "sine": 0.3, "step": 0.3, "heavisine": 1.0}  # with the standard deviation of the noise
SIZES = (1, 2, 3, 5, 8, 12)
ESTIMATORS = ("training", "cp", "sure", "gcv", "alo", "aic", "aicc", "bic")
DATA = Path(__file__).parent.parent / "vignettes" / "data"
SHORT = {"alo": "loo", "bootstrap:optimism": "bootstrap"}  # columns of the tables in `DATA`
UNITS, DECAYS = (2, 4, 8, 12), (0.0, 1e-4, 1e-2)


def models() -> list[ns.study.Net]:
    """Six sizes without and with decay."""
    plain = [ns.study.net(h, standardize=True) for h in SIZES]
    return plain + [ns.study.net(h, standardize=True, penalty=ns.decay(0.01)) for h in SIZES]


def refitting() -> list[ns.study.Estimator]:
    """Estimators that refit the whole procedure."""
    one = ns.study.estimator
    return [
        one("cv", name="cv"),
        one("cv", corrected=True, name="cv corrected"),
        one("cv", repeats=5, name="cv repeated"),
        one("cv", repeats=5, corrected=True, name="cv repeated corrected"),
        *map(one, ("bootstrap:optimism", "632", "632+", "cp:gdf", "cp:covariance")),
    ]


def base(given: argparse.Namespace) -> None:
    """The study without refits."""
    rows: list[dict[str, object]] = []
    seconds, networks = 0.0, 0
    for truth, noise in TRUTHS.items():
        result = ns.study(models(), truth, noise, given.n, given.replicates or 200, ESTIMATORS, restarts=given.restarts,
                          random_state=1, n_jobs=given.jobs, progress=True,
                          checkpoint=given.checkpoint and Path(given.checkpoint) / truth)  # fmt: skip
        seconds, networks = seconds + result.seconds, networks + result.networks
        bad = (result.frame["status"] != "ok").groupby(result.frame["model"]).mean()
        for (_, _, _, model, name), row in result.summary().iterrows():
            rows.append({"truth": truth, "noise": noise, "n": given.n, "model": model, "estimator": name,
                         **row[["risk", "df", "true_df", "true_df_se", "bias", "bias_se", "rmse"]].round(6).to_dict(),
                         "not_converged": float(bad[model])})  # fmt: skip
    rate = networks / seconds
    for row in rows:
        row |= {"networks": networks, "seconds": round(seconds, 1), "networks_per_second": round(rate)}
    write("study", rows)
    print(time.strftime("%H:%M"), f"{networks} networks in {seconds:.1f} s: {rate:.0f} networks per second")


def refit(given: argparse.Namespace) -> None:
    """The study of estimators that refit."""
    estimators = ["training", "cp", "gcv", "alo", *refitting()]
    result = ns.study(models(), "doppler", TRUTHS["doppler"], given.n, given.replicates or 50, estimators,
                      restarts=given.restarts, random_state=1, n_jobs=given.jobs, progress=True,
                      checkpoint=given.checkpoint)  # fmt: skip
    frame = result.frame
    cost = frame.pivot_table(index="model", columns="estimator", values="seconds", sort=False)
    cost = cost.sub(cost["training"], axis=0)  # without the fit itself
    write("study_refit", [
        {"estimator": str(name), "seconds_per_replicate": round(float(seconds), 3), "networks": result.networks,
         "seconds": round(result.seconds), "networks_per_second": round(result.networks / result.seconds)}
        for name, seconds in cost.clip(lower=0).sum().items()
    ])  # fmt: skip
    print(f"{result.networks} networks in {result.seconds:.0f} s: {result.networks / result.seconds:.0f} a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--replicates", type=int, default=None)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--checkpoint", default=None)
    given = parser.parse_args()
    ns.study(models()[:1], "sine", 0.3, given.n, 4, n_jobs=given.jobs, chunk=1)  # start the processes, load the kernels
    (refit if given.refit else base)(given)
    get_reusable_executor().shutdown(wait=True)  # processes count once they have ended
    print(f"{sum(os.times()[:4]):.0f} s of processor time, start of the processes included")


if __name__ == "__main__":
    main()
