"""Ctrl-C at random moments: calculations run again and again in one process, interrupted, and compared with themselves.

A calculation ends with KeyboardInterrupt, with a result that says that it is a part ("flagged"), or with the bits of an
uninterrupted run ("complete"); anything else is "different". Run in a process of its own: ``presses.report(names, ...)``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import neuralstat as ns

FLAGGED = "flagged"
DATA = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
PLAIN: dict[str, Any] = {"hidden": 3, "rep": 2, "random_state": 1, "n_jobs": 2, "standardize": True}
SMALL: dict[str, Any] = {"hidden": 2, "rep": 2, "random_state": 1, "threshold": 0.05, "algorithm": "rprop+",
                         "penalty": ns.decay(0.01)}  # fmt: skip
ESTIMATORS = ["training", "cp", "cv"]

_fits: dict[str, Any] = {}


def _small(formula: str = "y ~ x", data: Any = None, **settings: Any) -> Any:
    return ns.neuralnet(formula, DATA if data is None else data, **{**SMALL, **settings})


def _fitted(key: str = "small") -> Any:
    """The fit whose statistics are asked for, trained once."""
    if key not in _fits:
        two = DATA.assign(z=np.cos(3 * DATA["x"]))
        _fits["small"], _fits["line"] = _small(), _small(hidden=0)
        _fits["two"] = _small("y ~ x + z", two, hidden=1)
        _fits["epochs"] = _small(algorithm="adam", epochs=30, threshold=None)
    return _fits[key]


def fit(**settings: Any) -> Any:
    """Weights of a fit, FLAGGED where it says that it was interrupted."""
    done = ns.neuralnet("y ~ x", DATA, **{**PLAIN, **settings})
    return FLAGGED if (done.reps["status"] == "interrupted").any() else done.theta


def resumed(folder: Path) -> Any:
    """Weights of a fit with a checkpoint, taken up again where it was interrupted."""
    same = {"algorithm": "adam", "epochs": 6, "rep": 1, "checkpoint": folder / "fit.npz"}
    try:
        done = fit(**same)
    except KeyboardInterrupt:
        done = FLAGGED
    return fit(**same) if isinstance(done, str) else done


def updated() -> Any:
    """Weights of a fit that goes on from another."""
    done = _fitted().update(algorithm="rprop-", threshold=1e-9, stepmax=20_000)
    return FLAGGED if (done.reps["status"] == "interrupted").any() else done.theta


def of_procedure() -> float:
    """Degrees of freedom of a user's own procedure, with a fit inside."""
    x = DATA["x"].to_numpy()

    def procedure(y: np.ndarray) -> np.ndarray:
        return _small(data={"x": x, "y": y}).predict().to_numpy()

    return float(ns.gdf(procedure, DATA["y"], 0.1, draws=12, random_state=1))


def of_estimator() -> np.ndarray:
    """Errors of cross-validation by scikit-learn."""
    from sklearn.model_selection import cross_val_score

    from neuralstat.sklearn import NeuralNetRegressor

    return cross_val_score(NeuralNetRegressor(3, random_state=1, stepmax=3000, threshold=1e-6), DATA[["x"]], DATA["y"], cv=8)


def predicted(method: str, **options: Any) -> np.ndarray:
    """Intervals of predictions."""
    return _fitted().get_prediction(method=method, random_state=1, **options).conf_int(obs=True).to_numpy()


def selected() -> np.ndarray:
    """The path of a search."""
    penalties = [ns.decay(0.01), ns.decay(0.1)]
    found = ns.select("y ~ x", DATA, hidden=[1, 2], penalty=penalties, criterion="cv", rep=2, random_state=1)
    return found.path[["criterion", "df"]].to_numpy(float)


def study(jobs: int) -> Callable[[Path], Any]:
    """A study with a checkpoint; what an interrupted one holds must be part of it, and it must go on to the same bits."""

    def run(folder: Path) -> Any:
        try:
            part = _study(folder / "study", jobs)
        except KeyboardInterrupt:
            part = None
        whole = _study(folder / "study", jobs)
        if not whole.complete:
            return "not complete"
        if part is not None and not part.complete and not _within(part.frame, whole.frame):
            return "another part"
        return _bits(whole)

    return run


def _study(folder: Path, jobs: int) -> Any:
    models = [ns.study.net(1), ns.study.net(2)]
    return ns.study(models, "sine", 0.3, 30, replicates=12, estimators=ESTIMATORS, restarts=2, random_state=1, n_jobs=jobs,
                    chunk=2, checkpoint=folder)  # fmt: skip


def _within(part: Any, whole: Any) -> bool:
    """Whether what an interrupted study tells is told by the whole one as well."""
    keys = ["model", "replicate", "estimator", "target"]
    told = whole.set_index(keys)
    return all(_equal(row[["estimate", "risk", "status"]].to_numpy(), told.loc[at, ["estimate", "risk", "status"]].to_numpy())
               for at, row in part.set_index(keys).iterrows())  # fmt: skip


def _bits(done: Any) -> dict[str, np.ndarray]:
    """What a study found, but for the time that it took."""
    frame = done.frame.sort_values(["model", "replicate", "estimator"], kind="stable")
    return {name: frame[name].to_numpy() for name in frame if "seconds" not in name}


CALCULATIONS: dict[str, Callable[..., Any]] = {
    "fit rprop+": lambda: fit(algorithm="rprop+", threshold=1e-9, stepmax=20_000),
    "fit default": lambda: fit(threshold=1e-7, hidden=(4, 3)),
    "fit lm": lambda: fit(algorithm="lm", threshold=1e-12, stepmax=2000),
    "fit polish": lambda: fit(algorithm="rprop+", polish=True, stepmax=8000),
    "fit estimate": lambda: fit(hidden=(6, 5), rep=6, penalty=ns.decay("estimate", groups="unit")),
    "fit keep": lambda: fit(rep=6, keep=2, algorithm="rprop+", threshold=1e-9, stepmax=8000),
    "fit epochs": lambda: fit(algorithm="adam", epochs=3000, batch_size=16),
    "fit checkpoint": resumed,
    "update": updated,
    "risk cv": lambda: float(ns.risk(_fitted(), "cv", k=10, repeats=6, random_state=1)),
    "risk cv epochs": lambda: float(ns.risk(_fitted("epochs"), "cv", k=6, random_state=1)),
    "risk cv of a model": lambda: float(ns.risk(ns.NeuralNet.from_formula("y ~ x", DATA, **SMALL), "cv", random_state=1)),
    "risk bootstrap": lambda: float(ns.risk(_fitted(), "bootstrap", draws=30, random_state=1)),
    "risk 632+": lambda: float(ns.risk(_fitted(), "632+", draws=30, random_state=1)),
    "risk holdout": lambda: float(ns.risk(_fitted(), "holdout", repeats=30, random_state=1)),
    "df gdf": lambda: float(_fitted().df("gdf", draws=30, random_state=1)),
    "df covariance": lambda: float(_fitted().df("covariance", draws=30, random_state=1)),
    "df of a procedure": of_procedure,
    "prediction bootstrap": lambda: predicted("bootstrap", draws=30),
    "prediction jackknife+": lambda: predicted("jackknife+"),
    "coverage": lambda: _fitted().coverage(draws=30, random_state=1).to_numpy(),
    "lr test bootstrap": lambda: _fitted().compare_lr_test(_fitted("line"), bootstrap=20, random_state=1).pvalue,
    "term tests": lambda: _fitted("two").term_tests(draws=30, random_state=1).to_numpy(),
    "select": selected,
    "scikit-learn": of_estimator,
    "study": study(1),
    "study parallel": study(2),
}  # fmt: skip


def _equal(a: Any, b: Any) -> bool:
    """Whether two results are the same bits."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == object:
        return all(x == y or (x != x and y != y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


def run(name: str) -> Any:
    """A calculation, in a folder of its own where it takes one."""
    calculation = CALCULATIONS[name]
    if not goes_on(name):
        return calculation()
    folder = Path(tempfile.mkdtemp())
    try:
        return calculation(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pressed(name: str, delay: float) -> Any:
    """The calculation with a Ctrl-C after some seconds, KeyboardInterrupt where it ended so."""
    if name == "study parallel":  # a terminal sends it to the workers, too
        timer = threading.Timer(delay, os.killpg, (0, signal.SIGINT))
    else:
        timer = threading.Timer(delay, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    try:
        timer.start()
        result = run(name)
        timer.cancel()
        timer.join()
        return result
    except KeyboardInterrupt:
        return KeyboardInterrupt
    finally:
        timer.cancel()


def outcomes(name: str, times: int, seed: int) -> dict[str, Any]:
    """Counts of how a calculation ended, and its seconds."""
    warnings.simplefilter("ignore")
    run(name)  # compiled, imported
    began = time.perf_counter()
    whole = run(name)
    seconds = time.perf_counter() - began
    count: Counter[str] = Counter()
    for share in np.random.default_rng(seed).random(times):
        result = pressed(name, 1e-3 + 0.98 * share * seconds)
        if result is KeyboardInterrupt:
            count["interrupted"] += 1
        elif isinstance(result, str) and result == FLAGGED:
            count[FLAGGED] += 1
        else:
            count["complete" if _equal(result, whole) else "different"] += 1
    again = _equal(run(name), whole)
    return {**count, "again": again, "seconds": seconds}


def report(names: list[str], times: int, seed: int) -> None:
    """Print what `outcomes` finds, as JSON, one line for each."""
    for name in names:
        print(json.dumps({"name": name, **outcomes(name, times, seed)}), flush=True)  # noqa: T201


def goes_on(name: str) -> bool:
    """Whether a calculation is taken up again where it was interrupted, so that it is complete at last."""
    return name.startswith("study") or name == "fit checkpoint"
