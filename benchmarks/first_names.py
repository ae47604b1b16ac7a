"""The sex of first names by their letters: logistic regression, and networks that read letters with and without their order.

Names of `datasets.first_names`; one of both sexes counts as that which has it at the larger percent (the three at equal
percents are left out). A split draws four fifths of the names to learn from, as many of each sex; all models get the same
splits. Networks stop early by a tenth of what they learn from.

Run ``python benchmarks/first_names.py`` for the two files of the vignette (ten minutes of a core): accuracy, log-loss and
AUC by split and model; and what each name got on average over the splits that held it out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import neuralstat as ns
from neuralstat.errors import NeuralStatWarning
from neuralstat.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Conv1D,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
)

DATA = Path(__file__).parents[1] / "vignettes" / "data"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
RARE = 15  # last letters, and endings of two letters, that fewer names have are "other"
PLAIN = "sex ~ last + " + " + ".join(f"n_{letter}" for letter in LETTERS)
REGRESSIONS = {"logistic: letters, last": PLAIN, "logistic: and last two": PLAIN + " + ending"}
NETWORKS = {
    "dense on mean": [Embedding(27, 16, mask_zero=True), GlobalAveragePooling1D(), Dense(16, "relu")],
    "Conv1D": [Embedding(27, 16), Conv1D(64, 3, "relu", padding="same"), GlobalMaxPooling1D()],
    "GRU": [Embedding(27, 16, mask_zero=True), GRU(32)],
    "LSTM": [Embedding(27, 16, mask_zero=True), LSTM(32)],
    "Bidirectional GRU": [Embedding(27, 16, mask_zero=True), Bidirectional(GRU(16))],
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "family": "binomial", "algorithm": "adam", "learningrate": 0.003, "epochs": 60, "batch_size": 64, "validation": 0.1,
    "early_stopping": ns.EarlyStopping(patience=6, restore_best=True), "dtype": "float32",
}  # fmt: skip


def one_sex() -> pd.DataFrame:
    """A row for each name, with the sex that has it at the larger percent."""
    percent = ns.datasets.first_names().pivot(index="name", columns="sex", values="percent").fillna(0)
    percent = percent[percent["female"] != percent["male"]]
    sex = np.where(percent["male"] > percent["female"], "male", "female")
    return pd.DataFrame({"sex": sex, "both": (percent > 0).all(axis=1)}, percent.index).reset_index()


def codes(names: Any) -> np.ndarray:
    """Letters as 1 to 26, the last one at the end of 11, zeros before the first."""
    return ns.datasets.pad_sequences([[LETTERS.index(c) + 1 for c in name.lower()] for name in names], 11)


def columns(names: Any) -> pd.DataFrame:
    """How often each letter occurs, the last letter, the last two."""
    lower = names.str.lower()
    table = pd.DataFrame({f"n_{letter}": lower.str.count(letter) for letter in LETTERS})
    for name, length in (("last", 1), ("ending", 2)):
        ends = lower.str[-length:]
        table[name] = ends.where(ends.map(ends.value_counts()) >= RARE, "other")
    return table


def splits(sex: Any, number: int) -> Any:
    """Number, rows to learn from, rows held out."""
    for split in range(1, number + 1):
        rng = np.random.default_rng([split, len(sex)])
        held = np.zeros(len(sex), bool)
        for level in ("female", "male"):
            own = np.flatnonzero(sex == level)
            held[rng.choice(own, len(own) // 5, replace=False)] = True
        yield split, np.flatnonzero(~held), np.flatnonzero(held)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=DATA)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # epochs end before an optimum, as they are meant to
    names = one_sex()
    data = columns(names["name"])
    data["sex"] = sex = names["sex"].to_numpy()
    letters, male, began = codes(names["name"]), (sex == "male").astype(float), time.perf_counter()
    rows, total, times = [], {name: np.zeros(len(sex)) for name in (*REGRESSIONS, *NETWORKS)}, np.zeros(len(sex), int)
    for split, learn, held in splits(sex, given.splits):
        times[held] += 1
        for name in total:
            first = time.perf_counter()
            if name in REGRESSIONS:
                fit = ns.neuralnet(REGRESSIONS[name], data.iloc[learn], hidden=0, family="binomial", standardize=False,
                                   penalty=ns.decay(0.1, biases=False), random_state=split)  # fmt: skip
                p = np.asarray(fit.predict(data.iloc[held])).ravel()
            else:
                table = {"sex": sex[learn], "letters": letters[learn]}
                fit = ns.neuralnet("sex ~ letters", table, layers=NETWORKS[name], random_state=split, **SETTINGS)
                p = np.asarray(fit.predict({"letters": letters[held]})).ravel()
            total[name][held] += p
            y = male[held]
            rows.append({
                "split": split, "model": name, "weights": fit.k_params, "accuracy": ((p > 0.5) == (y == 1)).mean(),
                "log_loss": -np.log(np.where(y == 1, p, 1 - p).clip(1e-15)).mean(), "auc": roc_auc_score(y, p),
                "epochs": 0 if name in REGRESSIONS else fit.history["epoch"].max(), "seconds": time.perf_counter() - first,
            })  # fmt: skip
            print(rows[-1], flush=True)
        pd.DataFrame(rows).round({"accuracy": 5, "log_loss": 5, "auc": 5, "seconds": 2}).to_csv(
            given.folder / "first_names.csv", index=False
        )
        each = pd.DataFrame({"name": names["name"], "times": times} | {k: v / times.clip(1) for k, v in total.items()})
        each[times > 0].round(3).to_csv(given.folder / "first_names_held_out.csv", index=False)
        print(f"{split} of {given.splits} in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
