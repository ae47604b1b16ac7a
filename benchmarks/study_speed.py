"""What a study costs, and whether refits that begin with the weights of the fit say the same.

``python benchmarks/study_speed.py --against FOLDER``: seconds of one processor for 4 networks x 3 truths x 14 estimators, of
this checkout and of another one in FOLDER, in turns (processes of their own, kernels loaded before the clock starts), for
networks without and with a penalty, and of this one with ``refits="warm"``. To results/study_speed.csv.

``--warm``: paired differences warm - fresh of every estimator that refits, relative to the prediction risk, with standard
errors over replicates, for networks of three sizes, with decay and without. To results/study_warm.csv.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve()
TRUTHS = ("doppler", "sine", "step")
NOISE, N, RESTARTS = 0.3, 100, 3
RUNS = (("mixed", "before"), ("mixed", "now"), ("decay", "before"), ("decay", "now"), ("decay", "warm"))


def estimators(study: Any) -> list[Any]:
    """Fourteen, six of which need refits of their own kind."""
    from neuralstat.errors import ArgumentError

    one = study.estimator
    try:
        optimism = one("bootstrap:optimism", name="bootstrap")
    except ArgumentError:  # what the name alone meant before
        optimism = one("bootstrap")
    return ["training", "cp", "gcv", "aicc", "bic", "cv", one("cv", corrected=True, name="cv corrected"),
            one("cv", repeats=5, name="cv repeated"), optimism, "632", "632+", "cp:gdf", "cp:covariance",
            "coupled"]  # fmt: skip


def models(ns: Any, which: str, warm: bool) -> list[Any]:
    """Four networks."""
    more: dict[str, Any] = {"standardize": True, **({"refits": "warm"} if warm else {})}
    if which == "mixed":
        plain = [ns.study.net(h, **more) for h in (2, 4, 8)]
        return [*plain, ns.study.net(8, penalty=ns.decay(0.01), **more)]
    return [ns.study.net(h, penalty=ns.decay(d), **more) for h, d in ((2, 0.01), (4, 0.01), (8, 0.01), (8, 0.1))]


def child(which: str, how: str, seed: int, replicates: int, file: str) -> None:
    """One run: its processor time and networks."""
    import neuralstat as ns

    given = models(ns, which, how == "warm")
    ns.study(given[:1], "sine", NOISE, N, 2, estimators=["training", "cv", "cp:gdf"], n_jobs=1)  # kernels
    began = time.process_time()
    done = ns.study(given, list(TRUTHS), NOISE, N, replicates, estimators(ns.study), restarts=RESTARTS, random_state=seed,
                    n_jobs=1, keep_fits=False)  # fmt: skip
    seconds = time.process_time() - began
    pd.DataFrame({"seconds": [seconds], "networks": [done.networks]}).to_csv(file, index=False)


def compare(given: argparse.Namespace) -> None:
    """All runs in turns."""
    from common import write

    tables: dict[tuple[str, str], list[pd.DataFrame]] = {run: [] for run in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(given.rounds):
            for which, how in RUNS if round_ % 2 == 0 else RUNS[::-1]:
                file = str(Path(folder) / f"{which}-{how}-{round_}.csv")
                where = given.against if how == "before" else str(HERE.parent.parent)
                environment = {**os.environ, "PYTHONPATH": where, "PYTHONWARNINGS": "ignore"}
                command = [sys.executable, str(HERE), "--child", which, how, str(round_), str(given.replicates), file]
                subprocess.run(command, check=True, env=environment, cwd=folder)
                tables[which, how].append(pd.read_csv(file))
                print(which, how, round(float(tables[which, how][-1]["seconds"].iloc[0]), 1), "s", flush=True)
    rows = []
    for (which, how), parts in tables.items():
        seconds = np.array([part["seconds"].iloc[0] for part in parts]) / given.replicates
        before = np.array([part["seconds"].iloc[0] for part in tables[which, "before"]]) / given.replicates
        rows.append({
            "networks": which, "run": how, "replicates": given.replicates * given.rounds,
            "seconds_per_replicate": round(float(seconds.mean()), 2),
            "se": round(float(seconds.std(ddof=1) / np.sqrt(len(seconds))), 2),
            "times_faster": round(float(before.mean() / seconds.mean()), 2),
            "networks_per_replicate": int(parts[0]["networks"].iloc[0] / given.replicates),
        })  # fmt: skip
    write("study_speed", rows)
    print(pd.DataFrame(rows).to_string())


def warm(given: argparse.Namespace) -> None:
    """Paired differences."""
    from common import write

    import neuralstat as ns

    rows = []
    for penalty in (0.1, 0.01, 0.001, 0.0):
        for size in (2, 4, 8):
            more: dict[str, Any] = {"standardize": True, "penalty": ns.decay(penalty) if penalty else None}
            pair = [ns.study.net(size, name=how, refits=how, **more) for how in ("fresh", "warm")]
            done = ns.study(pair, list(TRUTHS), NOISE, N, given.replicates, estimators(ns.study)[5:], restarts=RESTARTS,
                            random_state=1, n_jobs=1, keep_fits=False)  # fmt: skip
            frame = done.frame
            level = frame.groupby("truth")["prediction_risk"].median()
            wide = frame.pivot(index=["truth", "replicate", "estimator"], columns="model", values=["estimate", "seconds"])
            for (truth, name), part in wide.groupby(level=["truth", "estimator"]):
                off = (part["estimate", "warm"] - part["estimate", "fresh"]) / level[truth]
                cost = part["seconds"].mean()
                rows.append({
                    "decay": penalty, "units": size, "truth": truth, "estimator": name, "replicates": given.replicates,
                    "difference": round(float(off.mean()), 5), "se": round(float(off.std(ddof=1) / np.sqrt(len(off))), 5),
                    "seconds_fresh": round(float(cost["fresh"]), 4), "seconds_warm": round(float(cost["warm"]), 4),
                })  # fmt: skip
            print(penalty, size, flush=True)
    write("study_warm", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default=None, help="a checkout of another version")
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--replicates", type=int, default=2)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        which, how, seed, replicates, file = given.child
        child(which, how, int(seed), int(replicates), file)
    elif given.warm:
        warm(given)
    elif given.against:
        compare(given)
    else:
        parser.error("give --against FOLDER, or --warm")


if __name__ == "__main__":
    main()
