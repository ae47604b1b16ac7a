"""SIGKILL at random moments: what is left in a checkpoint is gone on from, to the bits of a run that was never killed.

Calculations run in forks of one process, which are killed; run in a process of its own: ``kills.report(name, times, seed)``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import neuralstat as ns

DATA = ns.datasets.doppler(n=400, noise=0.1, random_state=1)


def fit(folder: Path) -> dict[str, np.ndarray]:
    """A fit by epochs with a checkpoint."""
    done = ns.neuralnet("y ~ x", DATA, hidden=4, algorithm="adam", epochs=8, batch_size=1, rep=2, n_jobs=2, random_state=1,
                        early_stopping=ns.EarlyStopping(patience=100), checkpoint=folder / "fit.npz")  # fmt: skip
    return {"theta": done.theta, "history": done.history.to_numpy(float)}


def study(folder: Path) -> dict[str, np.ndarray]:
    """A study with a checkpoint."""
    models = [ns.study.net(2, penalty=ns.decay(1e-3)), ns.study.bs(5)]
    done = ns.study(models, ["sine", "step"], 0.3, 40, replicates=6, estimators=["training", "cp", "cv"], restarts=2,
                    random_state=1, n_jobs=1, chunk=2, checkpoint=folder / "study")  # fmt: skip
    frame = done.frame.drop(columns="seconds")
    return {name: frame[name].to_numpy() for name in frame}


def saved(folder: Path) -> dict[str, np.ndarray]:
    """Files of a fit, written over and over: one of them is always whole."""
    done = ns.neuralnet("y ~ x", DATA, hidden=3, stepmax=20, rep=1, random_state=1)
    for _ in range(40):
        done.save(folder / "fit.nst")
    return {"theta": ns.load(folder / "fit.nst").theta}


WORK: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {"fit": fit, "study": study, "save": saved}


def killed(name: str, folder: Path, delay: float) -> bool:
    """Begin in a fork, and kill it; whether it was at work still."""
    child = os.fork()
    if child == 0:
        try:
            WORK[name](folder)
        finally:
            os._exit(0)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def whole(name: str, folder: Path) -> dict[str, np.ndarray]:
    """The calculation in `folder`, to its end; a saved fit as it lies there."""
    if name == "save" and (folder / "fit.nst").exists():
        return {"theta": ns.load(folder / "fit.nst").theta}
    return WORK[name](folder)


def equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether both are the same bits."""

    def bits(values: np.ndarray) -> Any:
        return values.tobytes() if values.dtype.kind in "fiub" else values.tolist()

    return a.keys() == b.keys() and all(bits(a[key]) == bits(b[key]) for key in a)


def report(name: str, times: int, seed: int) -> None:
    """Print as JSON how many were killed at work, how many ended otherwise than an undisturbed one."""
    warnings.simplefilter("ignore")
    rng, place = np.random.default_rng(seed), Path(tempfile.mkdtemp())
    try:
        (place / "first").mkdir()
        (place / "second").mkdir()
        WORK[name](place / "first")  # compiled, imported
        began = time.perf_counter()
        expected = WORK[name](place / "second")
        seconds = time.perf_counter() - began
        at_work, different = 0, 0
        for k in range(times):
            folder = place / str(k)
            folder.mkdir()
            for _ in range(2):
                at_work += killed(name, folder, seconds * rng.random() * 0.9)
            different += not equal(whole(name, folder), expected)
        print(json.dumps({"at work": at_work, "different": different, "seconds": seconds}))  # noqa: T201
    finally:
        shutil.rmtree(place, ignore_errors=True)
