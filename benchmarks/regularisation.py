"""What keeps a network from learning its images by heart: capacity, penalties, dropout, early stopping, batch normalisation.

scikit-learn's digits (8 x 8 pixels, ten classes). A replicate draws 300 images to learn from and 300 others to watch from the
first 1200 and has start weights of its own; all networks of a replicate see the same images; the last 597 are the test. Log
losses are without penalty and without dropout, after the epochs of `EPOCHS`: a fit of 20 epochs is the first 20 of one of 200
with the same seed.

Run ``python benchmarks/regularisation.py`` for the two files of the vignette (5 minutes of a core): log losses and error by
network, replicate and epoch; and for each test image of how many replicates it was read wrong, and its mean log loss.
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
from neuralstat.layers import Activation, BatchNorm, Dense, Dropout, Flatten

DATA = Path(__file__).parents[1] / "vignettes" / "data"
EPOCHS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 70, 100, 140, 200)
CURVES = 6  # replicates with all of them; the others with the last two
BIG = [Dense(128, "relu"), Dense(128, "relu")]
N = 300  # images to learn from

#: name -> (hidden layers, arguments of neuralnet)
NETWORKS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    **{f"{k} units": ([Dense(k, "relu"), Dense(k, "relu")], {}) for k in (4, 16, 64, 128)},
    "L1, 0.0001": (BIG, {"penalty": ns.l1(1e-4 * N, biases=False)}),
    "L1, 0.001": (BIG, {"penalty": ns.l1(1e-3 * N, biases=False)}),
    "L2, 0.001": (BIG, {"penalty": ns.decay(2e-3 * N, biases=False)}),
    "L2, 0.01": (BIG, {"penalty": ns.decay(2e-2 * N, biases=False)}),
    "dropout, 0.5": ([BIG[0], Dropout(0.5), BIG[1], Dropout(0.5)], {}),
    "batch normalisation": ([Dense(128), BatchNorm(), Activation("relu")] * 2, {}),
    "early stopping, 300 + 300 labels": (BIG, {"early_stopping": ns.EarlyStopping(patience=20)}),
    "early stopping, 240 + 60 labels": (BIG, {"early_stopping": ns.EarlyStopping(patience=20)}),
    "128 units, 600 labels": (BIG, {}),
}
SETTINGS: dict[str, Any] = {"family": "multinomial", "algorithm": "adam", "batch_size": 32, "dtype": "float32"}


def judged(fit: Any, rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Of each image: whether it is read wrong, and minus the log of its own digit's probability."""
    shares, truth = fit.predict(rows).to_numpy(), rows["digit"].astype(int)
    return shares.argmax(axis=1) != truth, -np.log(np.maximum(shares[np.arange(len(truth)), truth], 1e-12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=DATA)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # epochs end before an optimum, as they are meant to
    raw = load_digits()

    def rows(at: Any) -> dict[str, np.ndarray]:
        return {"digit": raw.target[at].astype(str), "pixels": raw.images[at] / 16}

    test, began = rows(slice(1200, None)), time.perf_counter()
    curves, wrong, loss = [], {name: np.zeros(597, int) for name in NETWORKS}, {name: np.zeros(597) for name in NETWORKS}
    for r in range(1, given.replicates + 1):
        drawn = np.random.default_rng([r, 11]).permutation(1200)
        learn, watch, both, most, rest = (rows(drawn[a:b]) for a, b in ((0, N), (N, 2 * N), (0, 2 * N), (0, 240), (240, N)))
        for name, (layers, more) in NETWORKS.items():
            seen = both if name.endswith("600 labels") else most if "240" in name else learn
            if "early_stopping" in more:
                more = {**more, "validation": rest if "240" in name else watch}
            for epochs in EPOCHS[-1:] if "early_stopping" in more else EPOCHS if r <= CURVES else EPOCHS[-2:]:
                fit = ns.neuralnet("digit ~ pixels", seen, layers=[Flatten(), *layers], epochs=epochs, random_state=r,
                                   **SETTINGS, **more)  # fmt: skip
                bad, surprise = judged(fit, test)
                ended = len(fit.history)
                if "early_stopping" in more:
                    ended = int(fit.history["val_loss"].to_numpy().argmin()) + 1
                curves.append({"network": name, "replicate": r, "epoch": ended, "last": int(epochs == EPOCHS[-1]),
                               "weights": fit.k_params, "training_loss": judged(fit, seen)[1].mean(),
                               "watched_loss": judged(fit, watch)[1].mean(), "test_loss": surprise.mean(),
                               "test_error": bad.mean()})  # fmt: skip
            wrong[name] += bad
            loss[name] += surprise / given.replicates
        pd.DataFrame(curves).to_csv(given.folder / "regularisation.csv", index=False, float_format="%.5g")
        images = [
            pd.DataFrame({"network": k, "image": np.arange(1200, 1797), "wrong": wrong[k], "loss": loss[k]}) for k in wrong
        ]
        pd.concat(images).to_csv(given.folder / "regularisation_images.csv", index=False, float_format="%.4g")
        print(f"{r} of {given.replicates} in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
