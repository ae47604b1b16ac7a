"""Transfer: a network that has learned to read 0, 2, 4, 6 and 8, and few images of 1, 3, 5, 7 and 9.

scikit-learn's digits (8 x 8 pixels). A trial draws the labelled images, as many of each odd digit, from 506, and all start
weights, the first network's too; all options of a trial get the same images; all are judged on the same 400 others. In the
first `TWICE` trials everything is also trained for twice as many epochs, to see whether these are enough.

Run ``python benchmarks/transfer.py`` for the two files of the vignette (4 minutes of a core): accuracies by trial; and for
each test image in how many trials it was read right.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

import neuralstat as ns
from neuralstat.errors import NeuralStatWarning
from neuralstat.layers import Conv2D, Dropout, Flatten, MaxPool2D

DATA = Path(__file__).parents[1] / "vignettes" / "data"
NETWORK = [Conv2D(32, 3, "relu", padding="same"), MaxPool2D(2), Conv2D(64, 3, "relu", padding="same"), MaxPool2D(2),
           Flatten(), Dropout(0.5)]  # fmt: skip
SHARED: dict[str, Any] = {"family": "multinomial", "algorithm": "adam", "dtype": "float32"}
OPTIONS = ("1: from scratch", "2: new head", "3: new head, then all", "control: untrained features")
SIZES, TWICE = (10, 25, 100), 5


def options(rows: Any, few: Any, even: Any, seed: int, times: int) -> dict[str, Any]:
    """The four fits of a trial, trained `times` as long."""
    again: dict[str, Any] = {"epochs": 200 * times, "batch_size": 4, "random_state": seed}
    first = {"layers": NETWORK, "batch_size": 32, "random_state": seed, **SHARED}
    large, untrained = (ns.neuralnet("digit ~ pixels", rows(even), epochs=e, **first) for e in (15 * times, 0))
    head = large.replace_head(few, learningrate=0.01, **again)
    return dict(zip(OPTIONS, (
        ns.neuralnet("digit ~ pixels", few, layers=NETWORK, **SHARED, **again), head,
        head.update(freeze=None, learningrate=2e-4, epochs=60 * times),
        untrained.replace_head(few, learningrate=0.01, **again),
    ), strict=True))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=DATA)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # epochs end before an optimum, as they are meant to
    raw = load_digits()
    odd, even = np.flatnonzero(raw.target % 2), np.flatnonzero(raw.target % 2 == 0)
    held_back, pool = odd[:400], odd[400:]

    def rows(at: Any) -> dict[str, np.ndarray]:
        return {"digit": raw.target[at].astype(str), "pixels": raw.images[at][..., np.newaxis] / 16}

    test, began, table = rows(held_back), time.perf_counter(), []
    right = {(size, name): np.zeros(400, int) for size in SIZES for name in OPTIONS}
    for trial in range(1, given.trials + 1):
        for size in SIZES:
            rng = np.random.default_rng([size, trial])
            drawn = [rng.choice(pool[raw.target[pool] == k], size // 5, replace=False) for k in range(1, 10, 2)]
            few = rows(np.concatenate(drawn))
            for times in (1, 2) if trial <= TWICE else (1,):
                for name, fit in options(rows, few, even, trial, times).items():
                    good = fit.predict(test, type="class").astype(str).to_numpy() == test["digit"]
                    table.append({"images": size, "trial": trial, "option": name, "times": times, "accuracy": good.mean(),
                                  "training_accuracy": fit.history["accuracy"].iloc[-1]})  # fmt: skip
                    if times == 1:
                        right[size, name] += good
        pd.DataFrame(table).to_csv(given.folder / "transfer.csv", index=False, float_format="%.5g")
        images = [pd.DataFrame({"images": k[0], "option": k[1], "image": held_back, "right": v}) for k, v in right.items()]
        pd.concat(images).to_csv(given.folder / "transfer_images.csv", index=False)
        print(f"{trial} of {given.trials} in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
