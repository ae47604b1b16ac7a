"""Estimators that run the whole procedure again: as further networks of the stack, rows or responses varying.

Estimators share refits: draws are named by what is drawn, not by who asks, and more draws of a name begin with the fewer.
So one set of bootstrap samples serves "bootstrap", "632" and "632+"; folds serve "cv", its repeats and correction, and
"nested_cv"; noisy responses serve "gdf" and "coupled" where tau^2 = alpha.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment import folds as splitting
from ..assessment.resampling import plus
from ..df.montecarlo import slopes
from ..errors import ArgumentError
from .problems import stream

if TYPE_CHECKING:
    from .estimators import Work

SHARE = 0.632
Rows = list[np.ndarray] | None


@dataclass
class Kept:
    """Refits of a name: what was drawn for each of T replicates, and what came out."""

    streams: list[np.random.Generator]
    y: list[np.ndarray] = field(default_factory=list)  # by replicate (count, n)
    rows: list[list[np.ndarray]] = field(default_factory=list)
    fitted: np.ndarray = field(default_factory=lambda: np.empty(0))  # (T, count, n)

    @property
    def count(self) -> int:
        """Refits per replicate."""
        return self.fitted.shape[1] if self.fitted.ndim == 3 else 0


def again(
    work: Work, key: Any, count: int, draw: Callable[[int, np.random.Generator, int, int], tuple[Any, Rows]],
    restarts: str = "fresh",
) -> Kept:  # fmt: skip
    """Refit every replicate `count` times, or take what was refitted under this name.

    Parameters
    ----------
    key : hashable
        Names the draws; estimators with the same key share them.
    count : int
    draw : callable
        ``draw(t, generator, first, number)`` gives the draws `first`, ... of replicate t: responses (number, n), or None
        for those of the replicate, and a list of row numbers, or None for all.
    restarts : {"fresh", "same", "warm"}
        New random starts, those of the fit, or for networks the weights of the fit.
    """
    t, n = work.y.shape
    warm = restarts == "warm" or getattr(work.prepared.model, "refits", "") == "warm"
    begin = work.fits.theta if warm else None
    how = "warm" if warm else restarts
    place = (key, how)
    if place not in work.memory:
        names = [work.cell.seed(f"refit|{key!r}", replicate) for replicate in work.replicates]
        work.memory[place] = Kept([np.random.default_rng(name) for name in names])
    kept = work.memory[place]
    have, more = kept.count, count - kept.count
    if more > 0:
        y, rows, seeds = [], [], []
        for k, replicate in enumerate(work.replicates):
            values, some = draw(k, kept.streams[k], have, more)
            y.append(np.repeat(work.y[k][np.newaxis], more, axis=0) if values is None else values)
            rows += [] if some is None else some
            first = stream(work.cell.seed(f"refit|{key!r}|{work.label}", replicate), "start")
            own = work.cell.seed(f"start|{work.label}", replicate)
            seeds += [own if how == "same" else _child(first, b) for b in range(have, count)]
        owner = np.repeat(np.arange(t), more)
        start = None if begin is None else begin[owner]
        fits = work.prepared.fit(np.concatenate(y), seeds, rows or None, local=False, owner=owner, start=start)
        work.fits.networks += fits.networks
        fitted = fits.fitted.reshape(t, more, n)
        kept.fitted = fitted if not have else np.concatenate([kept.fitted, fitted], axis=1)
        kept.y = y if not have else [np.concatenate(pair) for pair in zip(kept.y, y, strict=True)]
        parts = [rows[k * more : (k + 1) * more] for k in range(t)]
        kept.rows = parts if not have else [a + b for a, b in zip(kept.rows, parts, strict=True)]
    return Kept([], [y[:count] for y in kept.y], [rows[:count] for rows in kept.rows], kept.fitted[:, :count])


def _child(seeds: np.random.SeedSequence, k: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, k), pool_size=seeds.pool_size)


def _folds(work: Work, k: int, repeats: int, blocks: bool) -> Kept:
    """Fits without each fold, k a repeat; the same folds for all models."""
    n = work.y.shape[1]
    if k > n:
        raise ArgumentError(f"cv: k={k} folds of {n} observations.")

    def draw(t: int, rng: np.random.Generator, first: int, number: int) -> tuple[None, list[np.ndarray]]:
        return None, [train for _ in range(number // k) for train, _ in splitting.kfold(n, k, rng, blocks=blocks)]

    return again(work, ("cv", k, *(["blocks"] if blocks else [])), k * repeats, draw)


def _left(rows: list[np.ndarray], n: int) -> np.ndarray:
    """(count, n) bool: which observations each fit did not see."""
    left = np.ones((len(rows), n), bool)
    for line, seen in zip(left, rows, strict=True):
        line[seen] = False
    return left


def cross_validation(
    work: Work, k: Any = "loo", repeats: int = 1, corrected: bool = False, blocks: bool = False
) -> np.ndarray:
    """Cross-validation by k folds, the same for all models; repeated; with Burman's correction.

    Burman (1989), Biometrika 76:503: the error on all data of the whole fit, minus the folds' fits', is added.
    """
    n = work.y.shape[1]
    kept = _folds(work, n if k == "loo" else k, repeats, blocks)
    out = np.zeros(work.y.shape[0])
    for t, rows in enumerate(kept.rows):
        losses, left = work.loss.each(work.y[t], kept.fitted[t]), _left(rows, n)
        out[t] = losses[left].sum() / (n * repeats)
        if corrected:
            out[t] += work.training[t] - np.sum(left.mean(axis=1) * losses.mean(axis=1)) / repeats
    return out


def nested(work: Work, k: int, repeats: int) -> np.ndarray:
    """Nested cross-validation's estimate (T,): inner cross-validations, less their bias from fewer rows.

    Bates, Hastie & Tibshirani (2024), JASA 119:1434, appendix C.
    """
    n = work.y.shape[1]
    k = min(k, n)
    single = _folds(work, k, repeats, False)
    pairs = list(itertools.combinations(range(k), 2))

    def draw(t: int, rng: np.random.Generator, first: int, number: int) -> tuple[None, list[np.ndarray]]:
        held = _left(single.rows[t], n).reshape(repeats, k, n)
        some = range(first // len(pairs), (first + number) // len(pairs))
        return None, [np.flatnonzero(~(held[r, i] | held[r, j])) for r in some for i, j in pairs]

    double = again(work, ("cv pairs", k), len(pairs) * repeats, draw)
    out = np.zeros(work.y.shape[0])
    for t in range(len(out)):
        held = _left(single.rows[t], n).reshape(repeats, k, n)
        losses = work.loss.each(work.y[t], single.fitted[t]).reshape(repeats, k, n)
        both = work.loss.each(work.y[t], double.fitted[t]).reshape(repeats, len(pairs), n)
        errors = [losses[r][held[r]].sum() / n for r in range(repeats)]
        inner = [
            np.concatenate([both[r, p][held[r, other]] for p, (i, j) in enumerate(pairs) for out_, other in ((i, j), (j, i))
                            if out_ == fold]).mean()
            for r in range(repeats) for fold in range(k)
        ]  # fmt: skip
        bias = (np.mean(inner) - np.mean(errors)) * (1 + ((k - 2) / k) ** 1.5)
        out[t] = np.mean(inner) - bias
    return out


def holdout(work: Work, test_size: Any, repeats: int) -> np.ndarray:
    """Mean loss (T,) of rows kept out of the fit."""
    n = work.y.shape[1]
    out = int(test_size) if isinstance(test_size, int) else int(np.ceil(test_size * n))
    if not 0 < out < n:
        raise ArgumentError(f"holdout: test_size={test_size} leaves no row of {n} on one side.")

    def draw(t: int, rng: np.random.Generator, first: int, number: int) -> tuple[None, list[np.ndarray]]:
        return None, [np.sort(rng.permutation(n)[out:]) for _ in range(number)]

    kept = again(work, ("holdout", out), repeats, draw)
    return np.array([
        work.loss.each(work.y[t], kept.fitted[t])[_left(rows, n)].mean() for t, rows in enumerate(kept.rows)
    ])  # fmt: skip


def bootstrap(work: Work, draws: int, kind: str) -> np.ndarray:
    """Bootstrap estimates (T,) of the prediction error.

    "oob": of observations by the samples that lack them; "optimism": training error and mean optimism (Efron & Tibshirani
    1993, section 17.6); "632": Efron (1983), JASA 78:316; "632+": Efron & Tibshirani (1997), JASA 92:548.
    """
    n = work.y.shape[1]

    def draw(t: int, rng: np.random.Generator, first: int, number: int) -> tuple[None, list[np.ndarray]]:
        samples: list[np.ndarray] = []
        while len(samples) < number:
            rows = np.asarray(rng.integers(0, n, size=n))
            if np.unique(rows).size < n:  # a sample that holds every row says nothing
                samples.append(rows)
        return None, samples

    kept = again(work, ("bootstrap",), draws, draw)
    out = np.zeros(work.y.shape[0])
    for t, rows in enumerate(kept.rows):
        losses = work.loss.each(work.y[t], kept.fitted[t])
        count = np.stack([np.bincount(seen, minlength=n) for seen in rows])
        training = float(work.training[t])
        if kind == "optimism":
            out[t] = training + np.mean(losses.mean(axis=1) - np.sum(count * losses, axis=1) / n)
            continue
        absent = count == 0
        seen = absent.any(axis=0)
        outside = float(np.mean(np.sum(np.where(absent, losses, 0.0), axis=0)[seen] / absent.sum(axis=0)[seen]))
        if kind == "oob":
            out[t] = outside
        elif kind == "632":
            out[t] = (1 - SHARE) * training + SHARE * outside
        else:
            out[t] = plus(training, outside, work.loss.unpaired(work.y[t], work.fits.fitted[t]))[0]
    return out


def _noisy(work: Work, alpha: float, draws: int, restarts: str) -> Kept:
    """Refits to responses with more noise, of variance alpha sigma^2."""
    size, n = np.sqrt(alpha * work.sigma2), work.y.shape[1]

    def draw(t: int, rng: np.random.Generator, first: int, number: int) -> tuple[np.ndarray, None]:
        return work.y[t] + size[t] * rng.standard_normal((number, n)), None

    return again(work, ("noisy", float(f"{alpha:.9g}")), draws, draw, restarts)


def gdf(work: Work, draws: int, tau: float, restarts: str = "fresh") -> np.ndarray:
    """Ye's generalised degrees of freedom (T,) (1998, JASA 93:120)."""
    kept = _noisy(work, tau**2, draws, restarts)
    return np.array([slopes(y - work.y[t], kept.fitted[t])[0].sum() for t, y in enumerate(kept.y)])


def covariance(work: Work, draws: int, restarts: str = "fresh") -> np.ndarray:
    """Efron's degrees of freedom (T,) (2004, JASA 99:619): responses are drawn about the fit, from the noise's family."""
    n, noise, centre = work.y.shape[1], work.cell.noise, work.fits.fitted
    size = np.sqrt(work.sigma2)

    def draw(t: int, rng: np.random.Generator, first: int, number: int) -> tuple[np.ndarray, None]:
        if noise.additive:
            return centre[t] + size[t] * rng.standard_normal((number, n)), None
        return np.stack([noise.draw(centre[t], rng) for _ in range(number)]), None

    if not noise.additive and not np.isfinite(centre).all():
        return np.full(len(centre), np.nan)
    kept = again(work, ("covariance",), draws, draw, restarts)
    if noise.additive:
        return np.array([slopes(y - centre[t], kept.fitted[t])[0].sum() for t, y in enumerate(kept.y)])
    out = np.empty(len(centre))
    for t, y in enumerate(kept.y):
        reply = noise.natural(kept.fitted[t])
        terms = (y - y.mean(axis=0)) * (reply - reply.mean(axis=0))
        out[t] = terms.sum() / (draws - 1) / work.sigma2[t]
    return out


def coupled(work: Work, draws: int, alpha: float, restarts: str = "fresh") -> np.ndarray:
    """The coupled bootstrap (T,), Oliveira, Lei & Tibshirani (2021), arXiv:2111.09447; refits of "gdf" with tau^2 = alpha."""
    kept = _noisy(work, alpha, draws, restarts)
    out = np.empty(work.y.shape[0])
    for t, noisy in enumerate(kept.y):
        change = noisy - work.y[t]  # root alpha omega
        out[t] = np.mean((work.y[t] - change / alpha - kept.fitted[t]) ** 2 - (change / alpha) ** 2)
    return out
