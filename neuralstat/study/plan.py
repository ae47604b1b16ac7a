"""What a study consists of, and the work of one chunk: some replicates of one model in one cell."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..df.sigma import difference_sigma
from ..errors import ArgumentError
from ..training.interrupts import passed_on
from .estimators import Estimator, Work
from .fingerprint import fingerprint
from .fits import OK, Fits, failure
from .problems import Cell

Chunk = tuple[int, int, int, int]  # cell, model, first replicate, one past the last


@dataclass(eq=False)
class Plan:
    """A study, as it is sent to workers.

    Attributes
    ----------
    cells : tuple of Cell
    models : tuple of models
    estimators : tuple of Estimator
    restarts : int
    sigma : {"truth", "difference"} or float
    """

    cells: tuple[Cell, ...]
    models: tuple[Any, ...]
    estimators: tuple[Estimator, ...]
    restarts: int
    sigma: Any
    _designs: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)
    _prepared: dict[tuple[int, int], Any] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without what every worker makes for itself."""
        return {**self.__dict__, "_designs": {}, "_prepared": {}}

    def design(self, cell: int) -> tuple[np.ndarray, np.ndarray]:
        """Covariates (n, D) and means (n,) of a cell."""
        if cell not in self._designs:
            x = self.cells[cell].covariates()
            self._designs[cell] = x, self.cells[cell].problem.means(x)
        return self._designs[cell]

    def prepared(self, cell: int, model: int) -> Any:
        """A model on a cell's design."""
        if (cell, model) not in self._prepared:
            x, _ = self.design(cell)
            columns = self.cells[cell].problem.names(x.shape[1])
            self._prepared[cell, model] = self.models[model].prepare(x, columns, self.restarts)
        return self._prepared[cell, model]

    def describe(self) -> dict[str, Any]:
        """What makes the study, in JSON values: for the check of a checkpoint."""
        truths, designs = {}, {}
        for k, cell in enumerate(self.cells):
            x, f = self.design(k)
            designs[f"{cell.problem.name}, n={cell.n}"] = _digest(x)
            truths[f"{cell.problem.name}, n={cell.n}"] = _digest(f)
        return {
            "cells": [cell.label for cell in self.cells],
            "truth": truths,
            "design": designs,
            "models": {model.name: model.describe() for model in self.models},
            "order of models": [model.name for model in self.models],
            "estimators": {e.name: e.describe() for e in self.estimators},
            "order of estimators": [e.name for e in self.estimators],
            "code": self._code(),
            "restarts": self.restarts,
            "sigma": self.sigma,
        }

    def _code(self) -> dict[str, str]:
        """Fingerprints of models, estimators and noise: of their code and all that they hold."""
        noises = {f"noise {cell.noise.sd!r}": fingerprint(cell.noise) for cell in self.cells}
        models = {f"model {model.name}": fingerprint(model) for model in self.models}
        return {**models, **{f"estimator {e.name}": fingerprint(e) for e in self.estimators}, **noises}

    def run(self, chunk: Chunk) -> dict[str, np.ndarray]:
        """Fit and judge the replicates of a chunk. Never raises but for KeyboardInterrupt and the like."""
        cell, _, first, last = chunk
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"), one_thread():
                warnings.simplefilter("ignore")
                return self._run(chunk)
        except Exception as error:
            if last - first > 1:  # find out which replicate it is
                return join([self.run((*chunk[:2], r, r + 1)) for r in range(first, last)])
            return empty(1, self.cells[cell].n, len(self.estimators), failure(error))

    def _run(self, chunk: Chunk) -> dict[str, np.ndarray]:
        number, m, first, last = chunk
        cell, model, replicates = self.cells[number], self.models[m], range(first, last)
        began = time.perf_counter()
        x, f = self.design(number)
        prepared = self.prepared(number, m)
        y = np.stack([cell.response(f, r) for r in replicates])
        fits = prepared.fit(y, [cell.seed(f"start|{model.name}", r) for r in replicates])
        out = empty(len(replicates), cell.n, len(self.estimators), OK)
        work = Work(cell, prepared, x, y, fits, self._sigma2(cell, x, y), replicates, model.name)
        self._measure(out, work, f)
        out["status"] = np.array(fits.status)
        out["seconds"][:] = (time.perf_counter() - began) / len(replicates)
        notes: list[str] = []
        for k, estimate in enumerate(self.estimators):
            began = time.perf_counter()
            try:
                out["estimates"][:, k] = estimate(work)
            except Exception as error:
                notes.append(f"{estimate.name} {failure(error)}")
            out["estimator_seconds"][:, k] = (time.perf_counter() - began) / len(replicates)
        if notes:
            out["status"] = np.array([s if s != OK else "; ".join(notes) for s in fits.status])
        out["networks"][:] = fits.networks / len(replicates)
        return out

    def _measure(self, out: dict[str, np.ndarray], work: Work, f: np.ndarray) -> None:
        """What is known of the fits since the truth is."""
        fits: Fits = work.fits
        out["fitted"][:] = fits.fitted
        out["risk"][:] = np.mean((fits.fitted - f) ** 2, axis=1)
        out["training_error"][:] = work.training
        out["df"][:] = fits.df
        out["covariance"][:] = np.sum((fits.fitted - f) * (work.y - f), axis=1) / work.cell.noise.sd**2

    def _sigma2(self, cell: Cell, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if self.sigma == "difference":
            return np.array([difference_sigma(x[:, 0], each) ** 2 for each in y])
        return np.full(y.shape[0], float(cell.noise.sd if self.sigma == "truth" else self.sigma) ** 2)


def empty(t: int, n: int, estimators: int, status: str) -> dict[str, np.ndarray]:
    """Arrays of a chunk of t replicates, without numbers."""
    out = {name: np.full(t, np.nan) for name in ("risk", "training_error", "df", "covariance", "seconds")}
    return {
        "fitted": np.full((t, n), np.nan), **out, "status": np.array([status] * t),
        "estimates": np.full((t, estimators), np.nan), "estimator_seconds": np.full((t, estimators), np.nan),
        "networks": np.zeros(t),
    }  # fmt: skip


def join(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Chunks one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra and models' own joblib on one thread: chunks use the cores, and sums are the same everywhere."""
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), parallel_config(backend="sequential"):
        yield


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


_plans: dict[str, Plan] = {}


def run_chunk(packed: np.ndarray, name: str, chunk: Chunk) -> tuple[Chunk, dict[str, np.ndarray]]:
    """Work of a worker.

    Parameters
    ----------
    packed : uint8 array
        The pickled plan: one object for all chunks, so that it is sent to a worker once.
    name : str
        Hash of `packed`; the plan is unpacked once per process.
    chunk : tuple
    """
    if name not in _plans:
        _plans.clear()
        _plans[name] = pickle.loads(packed.tobytes())
    with passed_on():  # what an interrupt cut short is no result
        return chunk, _plans[name].run(chunk)


def pack(plan: Plan) -> tuple[np.ndarray, str]:
    """The plan as an array, and its hash.

    Raises
    ------
    ArgumentError
        Where a model, truth or estimator cannot be pickled.
    """
    import cloudpickle

    try:
        data = cloudpickle.dumps(plan)
    except Exception as error:
        raise ArgumentError(f"study: a model, truth or estimator cannot be sent to workers: {error}.") from error
    return np.frombuffer(data, np.uint8), hashlib.sha256(data).hexdigest()
