"""Estimators that run the whole procedure again: as further networks of the stack, rows or responses varying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment.resampling import plus
from ..checks import check_int, check_number
from ..df.montecarlo import slopes
from ..errors import ArgumentError
from ..seeds import children
from .problems import stream

if TYPE_CHECKING:
    from .estimators import Work

SHARE = 0.632


def _again(work: Work, key: Any, count: int, draw: Any) -> tuple[list[Any], np.ndarray]:
    """Refit every replicate `count` times.

    Parameters
    ----------
    key : hashable
        Names the draws; estimators with the same key share them.
    draw : callable
        ``draw(t, generator)`` gives, for replicate t, responses (count, n) and a list of `count` row numbers or None.

    Returns
    -------
    draws : list of what `draw` gave
    fitted : (T, count, n) array
    """
    if key not in work.memory:
        t, n = work.y.shape
        drawn, seeds = [], []
        for k, replicate in enumerate(work.replicates):
            seed = work.cell.seed(f"refit|{key!r}", replicate)
            drawn.append(draw(k, np.random.default_rng(seed)))
            starts = stream(work.cell.seed(f"refit|{key!r}|{work.label}", replicate), "start")
            seeds += children(starts, count)
        y = np.concatenate([d[0] for d in drawn])
        rows = None if drawn[0][1] is None else [part for d in drawn for part in d[1]]
        fits = work.prepared.fit(y, seeds, rows, local=False)
        work.fits.networks += fits.networks
        work.memory[key] = drawn, fits.fitted.reshape(t, count, n)
    return work.memory[key]


def cross_validation(work: Work, k: int, repeats: int, corrected: bool) -> np.ndarray:
    """Cross-validation by k folds, the same for all models; repeated; with Burman's correction.

    Burman (1989), Biometrika 76:503: the error on all data of the whole fit, minus the folds' fits', is added.
    """
    n = work.y.shape[1]
    k, repeats = check_int(k, "cv: k", 2), check_int(repeats, "cv: repeats", 1)
    if k > n:
        raise ArgumentError(f"cv: k={k} folds of {n} observations.")

    def draw(t: int, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        rows = []
        for _ in range(repeats):
            fold = rng.permutation(np.arange(n) % k)
            rows += [np.flatnonzero(fold != j) for j in range(k)]
        return np.repeat(work.y[t][np.newaxis], k * repeats, axis=0), rows

    drawn, fitted = _again(work, ("cv", k, repeats), k * repeats, draw)
    out = np.zeros(work.y.shape[0])
    for t, (_, rows) in enumerate(drawn):
        square = (work.y[t] - fitted[t]) ** 2
        left = np.ones(square.shape, bool)
        for line, seen in zip(left, rows, strict=True):
            line[seen] = False
        out[t] = square[left].sum() / (n * repeats)
        if corrected:
            out[t] += work.training[t] - np.sum(left.mean(axis=1) * square.mean(axis=1)) / repeats
    return out


def bootstrap(work: Work, draws: int, kind: str) -> np.ndarray:
    """Bootstrap estimates of the prediction error.

    "optimism": training error and mean optimism (Efron & Tibshirani 1993, section 17.6); "632": Efron (1983), JASA
    78:316; "632+": Efron & Tibshirani (1997), JASA 92:548.
    """
    n, draws = work.y.shape[1], check_int(draws, "bootstrap: draws", 2)

    def draw(t: int, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        return np.repeat(work.y[t][np.newaxis], draws, axis=0), list(rng.integers(0, n, (draws, n)))

    drawn, fitted = _again(work, ("bootstrap", draws), draws, draw)
    out = np.zeros(work.y.shape[0])
    for t, (_, rows) in enumerate(drawn):
        square = (work.y[t] - fitted[t]) ** 2
        count = np.stack([np.bincount(seen, minlength=n) for seen in rows])
        training = float(work.training[t])
        if kind == "optimism":
            out[t] = training + np.mean(square.mean(axis=1) - np.sum(count * square, axis=1) / n)
            continue
        absent = count == 0
        seen = absent.any(axis=0)
        outside = float(np.mean(np.sum(absent * square, axis=0)[seen] / absent.sum(axis=0)[seen]))
        if kind == "632":
            out[t] = (1 - SHARE) * training + SHARE * outside
        else:
            out[t] = plus(training, outside, no_information(work.y[t], work.fits.fitted[t]))[0]
    return out


def no_information(y: np.ndarray, fitted: np.ndarray) -> float:
    """Mean squared error where responses and fits are paired at random."""
    return float(np.mean(y**2) + np.mean(fitted**2) - 2 * np.mean(y) * np.mean(fitted))


def degrees_of_freedom(work: Work, method: str, draws: int, tau: float = 0.5) -> np.ndarray:
    """Degrees of freedom (T,) by refits: "gdf" (Ye 1998, JASA 93:120) or "covariance" (Efron 2004, JASA 99:619)."""
    draws = check_int(draws, f"{method}: draws", 3)
    if method == "gdf":
        scale, centre = check_number(tau, "gdf: tau", positive=True), work.y
    else:
        scale, centre = 1.0, work.fits.fitted
    size = scale * np.sqrt(work.sigma2)
    n = work.y.shape[1]

    def draw(t: int, rng: np.random.Generator) -> tuple[np.ndarray, None]:
        return centre[t] + size[t] * rng.standard_normal((draws, n)), None

    drawn, fitted = _again(work, (method, draws, tau), draws, draw)
    return np.array([slopes(d[0] - centre[t], fitted[t])[0].sum() for t, d in enumerate(drawn)])


def coupled(work: Work, draws: int, alpha: float) -> np.ndarray:
    """The coupled bootstrap (T,), Oliveira, Lei & Tibshirani (2021), arXiv:2111.09447; refits of "gdf" with tau^2 = alpha."""
    size = np.sqrt(alpha * work.sigma2)
    n = work.y.shape[1]

    def draw(t: int, rng: np.random.Generator) -> tuple[np.ndarray, None]:
        return work.y[t] + size[t] * rng.standard_normal((draws, n)), None

    drawn, fitted = _again(work, ("gdf", draws, float(np.sqrt(alpha))), draws, draw)
    out = np.empty(work.y.shape[0])
    for t, (noisy, _) in enumerate(drawn):
        change = noisy - work.y[t]  # root alpha omega
        out[t] = np.mean((work.y[t] - change / alpha - fitted[t]) ** 2 - (change / alpha) ** 2)
    return out
