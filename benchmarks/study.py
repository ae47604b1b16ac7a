"""A study of risk estimators: 4 truths x 12 networks x 200 replicates x 3 restarts = 28,800 networks.

Networks of 1 to 12 hidden units on n = 200 observations, with and without decay, by Levenberg-Marquardt; risk, true and
analytic degrees of freedom, and every estimator that needs no refit: training error, Cp, SURE, GCV, leave-one-out by
leverages, AIC, AICc, BIC. The table of means goes to results/study.csv.

Run ``python benchmarks/study.py``; ``--replicates 20`` for a short one, ``--jobs`` for the number of processes.
"""

from __future__ import annotations

import argparse
import time

from common import write

import neuralstat as ns

TRUTHS = {"doppler": 0.1, "sine": 0.3, "step": 0.3, "heavisine": 1.0}  # with the standard deviation of the noise
SIZES = (1, 2, 3, 5, 8, 12)
ESTIMATORS = ("training", "cp", "sure", "gcv", "loo", "aic", "aicc", "bic")


def models() -> list[ns.study.Net]:
    """Six sizes without and with decay."""
    plain = [ns.study.net(h, standardize=True) for h in SIZES]
    return plain + [ns.study.net(h, standardize=True, penalty=ns.decay(0.01)) for h in SIZES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=None)
    given = parser.parse_args()
    ns.study(models()[:1], "sine", 0.3, given.n, 4, n_jobs=given.jobs, chunk=1)  # start the processes, load the kernels
    rows: list[dict[str, object]] = []
    seconds, networks = 0.0, 0
    for truth, noise in TRUTHS.items():
        result = ns.study(models(), truth, noise, given.n, given.replicates, ESTIMATORS, restarts=given.restarts,
                          random_state=1, n_jobs=given.jobs, progress=True)  # fmt: skip
        seconds, networks = seconds + result.seconds, networks + result.networks
        bad = (result.frame["status"] != "ok").groupby(result.frame["model"]).mean()
        for (_, _, _, model, name), row in result.summary().iterrows():
            rows.append({"truth": truth, "noise": noise, "n": given.n, "model": model, "estimator": name,
                         **row[["risk", "df", "true_df", "true_df_se", "bias", "bias_se", "rmse"]].round(6).to_dict(),
                         "not_converged": float(bad[model])})  # fmt: skip
    rate = networks / seconds
    print(f"{networks} networks in {seconds:.1f} s: {rate:.0f} networks per second")
    for row in rows:
        row |= {"networks": networks, "seconds": round(seconds, 1), "networks_per_second": round(rate)}
    write("study", rows)
    print(time.strftime("%H:%M"), f"{networks} networks in {seconds:.1f} s: {rate:.0f} networks per second")


if __name__ == "__main__":
    main()
