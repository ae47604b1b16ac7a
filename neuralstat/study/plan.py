"""What a study consists of, and the work of one chunk: some replicates of one model in one cell."""

from __future__ import annotations

import contextlib
import hashlib
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cluster import unpacked
from ..df.sigma import difference_sigma
from ..training.interrupts import passed_on
from .choosing import Select
from .estimators import SAME, Estimator, Work
from .fingerprint import fingerprint
from .fits import OK, Fits, Fitter, failure
from .losses import Loss, resolve_loss
from .nets import Net
from .noise import Noise
from .problems import Cell

Chunk = tuple[int, int, int, int]  # cell, model, first replicate, one past the last
Done = tuple[Chunk, dict[str, np.ndarray], float]  # with its arrays, and the seconds that they took


@dataclass(frozen=True)
class Points:
    """Where a replicate is observed, and where its fit is judged.

    Attributes
    ----------
    x, f : (n, D), (n,) arrays
        Covariates and means of the responses.
    new, f_new : (m, D), (m,) arrays or None
        New covariates and means there; None where these can only be the old ones.
    """

    x: np.ndarray
    f: np.ndarray
    new: np.ndarray | None
    f_new: np.ndarray | None


@dataclass(eq=False)
class Plan:
    """A study, as it is sent to workers.

    Attributes
    ----------
    cells : tuple of Cell
    models : tuple of models
    estimators : tuple of Estimator
    restarts : int
    sigma : {"truth", "difference", "residual", "large"} or float
    target : {"same_x", "new_x"}
    loss : str, callable or None
    """

    cells: tuple[Cell, ...]
    models: tuple[Any, ...]
    estimators: tuple[Estimator, ...]
    restarts: int
    sigma: Any
    target: str = SAME
    loss: Any = None
    _points: dict[int, Points] = field(default_factory=dict, repr=False)
    _fitters: dict[tuple[int, int], Fitter] = field(default_factory=dict, repr=False)
    _large: dict[tuple[int, int, int], np.ndarray] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without what every worker makes for itself."""
        return {**self.__dict__, "_points": {}, "_fitters": {}, "_large": {}}

    def points(self, cell: int, replicate: int = 0) -> Points:
        """Where a replicate of a cell is observed and judged; the same for all replicates unless designs are drawn anew."""
        where = self.cells[cell]
        if not where.anew and cell in self._points:
            return self._points[cell]
        x, new = where.covariates(replicate), where.new_covariates(replicate)
        found = Points(x, where.means(x), new, None if new is None else where.means(new))
        if not where.anew:
            self._points[cell] = found
        return found

    def losses(self, cell: int) -> Loss:
        """The loss of a cell."""
        return resolve_loss(self.loss, self.cells[cell].noise)

    def dispersion(self, cell: int, points: Points) -> float:
        """Variance of the noise: its mean at a design, where it is additive; else over the variance function."""
        noise = self.cells[cell].noise
        if noise.dispersion is not None and (not noise.additive or type(noise) is Noise):
            return float(noise.dispersion)
        return float(np.mean(noise.variance(points.f, points.x)))

    def fitter(self, cell: int, model: int, points: list[Points]) -> Fitter:
        """A model on the designs of some replicates: one for all, or each its own."""
        where = self.cells[cell]
        columns = where.problem.names(points[0].x.shape[1])
        chosen = self.models[model]
        if isinstance(chosen, Net | Select):
            chosen = chosen.under(where.noise)
        if where.anew:
            return Fitter(chosen, [p.x for p in points], columns, self.restarts)
        if (cell, model) not in self._fitters:
            self._fitters[cell, model] = Fitter(chosen, [points[0].x], columns, self.restarts)
        return self._fitters[cell, model]

    def describe(self) -> dict[str, Any]:
        """What makes the study, in JSON values: for the check of a checkpoint."""
        truths, designs = {}, {}
        for k, cell in enumerate(self.cells):
            points = self.points(k)
            designs[f"{cell.problem.name}, n={cell.n}"] = _digest(points.x)
            truths[f"{cell.problem.name}, n={cell.n}"] = _digest(cell.problem.means(points.x))
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
            "target": self.target,
            "loss": self.loss if self.loss is None or isinstance(self.loss, str) else fingerprint(self.loss),
        }

    def _code(self) -> dict[str, str]:
        """Fingerprints of models, estimators, designs and noise: of their code and all that they hold."""
        noises = {f"noise {cell.noise.label}": fingerprint(cell.noise) for cell in self.cells}
        laws = {f"design of {cell.problem.name}": fingerprint(cell.problem.design) for cell in self.cells if cell.anew}
        models = {f"model {model.name}": fingerprint(model) for model in self.models}
        return {**models, **{f"estimator {e.name}": fingerprint(e) for e in self.estimators}, **noises, **laws}

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
        points = [self.points(number, r) for r in replicates]
        y = np.stack([cell.response(p.f, r, p.x) for p, r in zip(points, replicates, strict=True)])
        fitter = self.fitter(number, m, points)
        fits = self._fits(fitter, cell, model.name, y, replicates, points)
        out = empty(len(replicates), cell.n, len(self.estimators), OK)
        x = np.stack([p.x for p in points]) if cell.anew else points[0].x
        sigma2 = self._sigma2(chunk, points, y, fits)
        work = Work(cell, fitter, x, y, fits, sigma2, replicates, model.name, self.losses(number))
        self._measure(out, work, points, number)
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

    @staticmethod
    def _fits(
        fitter: Fitter, cell: Cell, label: str, y: np.ndarray, replicates: range, points: list[Points], new: bool = True
    ) -> Fits:
        """Fits of a model to the responses of replicates."""
        at = points if cell.anew else points[:1]
        wanted = [p.new for p in at if p.new is not None]
        seeds = [cell.seed(f"start|{label}", r) for r in replicates]
        return fitter.fit(y, seeds, owner=np.arange(len(y)), new=wanted if new and len(wanted) == len(at) else None)

    def _measure(self, out: dict[str, np.ndarray], work: Work, points: list[Points], cell: int) -> None:
        """What is known of the fits since the truth is."""
        fits, loss, noise = work.fits, work.loss, work.cell.noise
        out["fitted"][:] = fits.fitted
        out["training_error"][:] = work.training
        out["df"][:] = fits.df
        levels: dict[int, tuple[float, float]] = {}
        for t, p in enumerate(points):
            if id(p) not in levels:
                same = float(np.mean(loss.level(p.f, p.x)))
                levels[id(p)] = same, same if p.new is None else float(np.mean(loss.level(p.f_new, p.new)))  # type: ignore[arg-type]
            out["level"][t], out["level_new"][t] = levels[id(p)]
            out["risk"][t] = out["risk_new"][t] = np.mean(loss.excess(p.f, fits.fitted[t], p.x))
            if p.new is not None and fits.new is not None:
                out["risk_new"][t] = np.mean(loss.excess(p.f_new, fits.new[t], p.new))  # type: ignore[arg-type]
            change = noise.natural(fits.fitted[t]) - noise.natural(p.f)
            out["covariance"][t] = np.sum(change * (work.y[t] - p.f)) / self.dispersion(cell, p)

    def _sigma2(self, chunk: Chunk, points: list[Points], y: np.ndarray, fits: Fits) -> np.ndarray:
        """Variance (dispersion) (T,) that estimators are told."""
        number, m, first, last = chunk
        if self.sigma == "truth":
            return np.array([self.dispersion(number, p) for p in points])
        if self.sigma == "difference":
            return np.array([difference_sigma(p.x[:, 0], each) ** 2 for p, each in zip(points, y, strict=True)])
        if self.sigma == "residual":
            return _residual(y, fits)
        if self.sigma == "large":
            largest = self.largest
            if m == largest:
                return _residual(y, fits)
            key = (number, first, last)
            if key not in self._large:
                self._large.clear()  # of one chunk of replicates: models of a cell follow one another
                cell = self.cells[number]
                fitter = self.fitter(number, largest, points)
                found = self._fits(fitter, cell, self.models[largest].name, y, range(first, last), points, new=False)
                fits.networks += found.networks
                self._large[key] = _residual(y, found)
            return self._large[key]
        return np.full(y.shape[0], float(self.sigma) ** 2)

    @property
    def largest(self) -> int:
        """The largest model, by size."""
        return int(np.argmax([model.size for model in self.models]))


def _residual(y: np.ndarray, fits: Fits) -> np.ndarray:
    """Variance (T,) of residuals on n less degrees of freedom; NaN where none are left or known."""
    rest = y.shape[1] - fits.df
    return np.where(rest > 0, np.sum((y - fits.fitted) ** 2, axis=1) / np.where(rest > 0, rest, np.nan), np.nan)


NUMBERS = ("risk", "risk_new", "level", "level_new", "training_error", "df", "covariance", "seconds")


def empty(t: int, n: int, estimators: int, status: str) -> dict[str, np.ndarray]:
    """Arrays of a chunk of t replicates, without numbers."""
    return {
        "fitted": np.full((t, n), np.nan), **{name: np.full(t, np.nan) for name in NUMBERS},
        "status": np.array([status] * t), "estimates": np.full((t, estimators), np.nan),
        "estimator_seconds": np.full((t, estimators), np.nan), "networks": np.zeros(t),
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


def run_chunks(plan: Plan, chunks: list[Chunk]) -> list[Done]:
    """Work of a task: its chunks, their arrays, and the seconds that each took."""
    out = []
    with passed_on():  # what an interrupt cut short is no result
        for chunk in chunks:
            began = time.perf_counter()
            out.append((chunk, plan.run(chunk), time.perf_counter() - began))
    return out


def run_packed(data: np.ndarray, name: str, chunks: list[Chunk]) -> list[Done]:
    """`run_chunks` of the plan that `cluster.Packed` packed."""
    return run_chunks(unpacked(data, name), chunks)
