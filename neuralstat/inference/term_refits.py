"""Networks with and without a term, trained on other data: what the simulated tests of terms compare.

The statistic is LR = n log(L0 / L1), or 2 (L0 - L1) where the family has no dispersion. L0 is the error (with its penalty)
of the network without the term, whose weights into the first layer are held at 0: the best of as many random starts as the
fit had. L1 is that of the whole network, trained on from that best restricted one, the term's weights begun at 0 and,
`PROBES` times, at random. Data and draws are treated alike; the fit's own weights have no part in it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..df import noise
from ..engine.data import make_data
from ..fitted import Fitted
from ..likelihood.likelihood import sample_size
from ..optimizers import OPTIMIZERS, Optimizer
from ..seeds import children
from ..training.epoch_settings import ARGUMENTS
from ..training.fit import Fit
from ..training.procedure import Procedure
from ..training.refits import Refits, repeated
from ..training.settings import THRESHOLD
from . import wild
from .bootstrap import responses
from .conditional_permutation import BLOCK, Exchange, exchange

PROBES = 1  # random starts of a term's weights beside 0
BYTES = 64_000_000  # of data that a stack of permutations holds
TOLERANCE = 1e-5  # relative fall of the error at which the tests' own training stops
STEPS = 500  # most of it


@dataclass(frozen=True, eq=False)
class TermRefits:
    """A term of a fit, and the networks that test it.

    Attributes
    ----------
    fitted : Fitted
    name : str
    at : int array
        The term's weights in the flat vector.
    seeds : SeedSequence
    n_jobs : int, optional
    """

    fitted: Fitted
    name: str
    at: np.ndarray
    seeds: np.random.SeedSequence
    n_jobs: int | None

    @functools.cached_property
    def _streams(self) -> list[np.random.SeedSequence]:
        """Of the starts, the probes, the state that permutations begin at, and the draws."""
        return children(self.seeds, 4)

    @functools.cached_property
    def _columns(self) -> list[int]:
        return list(self.fitted.design.terms[self.name])

    @functools.cached_property
    def _used(self) -> np.ndarray:
        """Rows that count."""
        return np.flatnonzero(self.fitted.case_weights > 0)

    # the two networks --------------------------------------------------------------------------------------

    @functools.cached_property
    def procedure(self) -> Procedure:
        """What trains both networks."""
        return trainer(self.fitted)

    @functools.cached_property
    def small(self) -> Refits:
        """The network without the term."""
        return Refits(self.procedure, without(self.fitted, self.at), self.n_jobs)

    @functools.cached_property
    def large(self) -> Refits:
        """The whole network."""
        return Refits(self.procedure, self.fitted.fit, self.n_jobs)

    @functools.cached_property
    def begun(self) -> np.ndarray:
        """Random starts (R, P) of the network without the term."""
        count = self.fitted.settings.repetitions
        return self.small.starts([], count, "fresh", self._streams[0], 0)

    @functools.cached_property
    def null(self) -> Fit:
        """The best network without the term on the data, one."""
        fit = self.small.to_responses(self.fitted.design.y, self.begun, held=[self.fitted.best])
        best = int(np.argmin(_finite(fit.loss)))
        return fit.part(slice(best, best + 1))

    @functools.cached_property
    def _probes(self) -> np.ndarray:
        """Weights (1 + PROBES, |at|) that the term begins with: 0, and normal ones over the sd of its columns."""
        per_unit = self.fitted.network.shapes[0][0]
        sd = self.fitted.design.x.std(axis=1)[self.at % per_unit - 1]
        drawn = np.random.default_rng(self._streams[1]).standard_normal((PROBES, self.at.size))
        return np.vstack([np.zeros(self.at.size), drawn / np.where(sd > 0, sd, 1.0)])

    def _from(self, restricted: np.ndarray) -> np.ndarray:
        """Starts (T, 1 + PROBES, P) of the whole network from restricted weights (T, P)."""
        starts = np.repeat(restricted[:, np.newaxis].astype(float), len(self._probes), axis=1)
        starts[:, :, self.at] = self._probes
        return starts

    def _ratio(self, small: Any, large: np.ndarray) -> np.ndarray:
        """LR (T,) of errors; -inf where training the whole network failed."""
        with np.errstate(all="ignore"):
            if self.fitted.dispersed:
                value = sample_size(self.fitted) * (np.log(small) - np.log(large))
            else:
                value = 2 * (small - large)
        return np.where(np.isfinite(large), value, -np.inf)

    # permutations ------------------------------------------------------------------------------------------

    @functools.cached_property
    def odds(self) -> Exchange | str:
        """How the term's rows may be exchanged, or why not, in words.

        Given the other columns, the means of the restricted network (which protects where the term depends on the others
        otherwise than linearly), the offset and the weights.
        """
        fitted, design = self.fitted, self.fitted.design
        given = [np.delete(design.x, self._columns, axis=0), noise.means(fitted, self.null.theta.astype(float))[0]]
        if design.offset is not None:
            given.append(design.offset)
        given += [w[np.newaxis] for w in (fitted.precisions, design.frequencies) if w is not None]
        groups = None if design.groups is None else design.groups[self._used]
        return exchange(design.x[self._columns][:, self._used], np.concatenate(given)[:, self._used], groups)

    def permuted(self, draws: int) -> tuple[float, Iterator[np.ndarray]]:
        """LR of the data, and block by block of at least so many permutations."""
        odds = self.odds
        assert isinstance(odds, Exchange)
        starts, small = self._from(self.null.theta)[0], float(self.null.loss[0])
        observed = self._ratio(small, self._errors(np.arange(self._used.size)[np.newaxis], starts))

        def blocks() -> Iterator[np.ndarray]:
            hub = odds.start(self._streams[2])
            for seeds in children(self._streams[3], -(-draws // BLOCK)):
                yield self._ratio(small, self._errors(odds.block(hub, seeds), starts))

        return float(observed[0]), blocks()

    def _errors(self, orders: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Least errors (T,) of the whole network with the term's rows in other orders (T, used), from starts (S, P)."""
        design = self.fitted.design
        d, n = design.x.shape
        size = max(1, BYTES // (8 * n * (d + 2 * len(design.y) + 1 + len(starts))))
        out = np.empty(len(orders))
        for first in range(0, len(orders), size):
            part = orders[first : first + size]
            t = len(part)
            x = np.tile(design.x, t)
            for k, order in enumerate(part):
                x[np.ix_(self._columns, k * n + self._used)] = design.x[np.ix_(self._columns, self._used[order])]
            weights = None if design.weights is None else np.tile(design.weights, t)
            offset = None if design.offset is None else np.tile(design.offset, t)
            rows = np.repeat(np.arange(t * n).reshape(t, n), len(starts), axis=0)
            data = make_data(x, np.tile(design.y, t), weights, offset, rows, np.full(len(rows), n))
            begun = np.tile(starts, (t, 1))
            held = self.large.strengths([self.fitted.best], len(begun))
            fit = self.procedure.train(data, begun, self.fitted.fit.free[0], self.n_jobs, strengths=held)
            out[first : first + t] = _finite(fit.loss).reshape(t, -1).min(axis=1)
        return out

    # bootstrap ---------------------------------------------------------------------------------------------

    def bootstrapped(self, draws: int) -> tuple[float, Iterator[np.ndarray]]:
        """LR of the data, and block by block of at least so many responses drawn from the network without the term."""
        null = Fitted(self.procedure, self.null)
        kind = "residual" if self.fitted.family is None else "parametric"

        def blocks() -> Iterator[np.ndarray]:
            for seeds in children(self._streams[3], -(-draws // BLOCK)):
                yield self._ratios(responses(null, kind, BLOCK, seeds, "best"))

        return float(self._ratios(self.fitted.design.y[np.newaxis])[0]), blocks()

    def wild(self, draws: int) -> tuple[float, Iterator[np.ndarray]]:
        """LR of the data, and block by block of at least so many wild samples of the network without the term."""
        null = Fitted(self.procedure, self.null)

        def blocks() -> Iterator[np.ndarray]:
            for seeds in children(self._streams[3], -(-draws // BLOCK)):
                yield self._ratios(wild.responses(null, BLOCK, seeds))

        return float(self._ratios(self.fitted.design.y[np.newaxis])[0]), blocks()

    def _ratios(self, y: np.ndarray) -> np.ndarray:
        """LR (T,) of responses (T, K, n), internal units."""
        shift, scale = self.small.units(y)
        inner, everything = (y - shift) / scale, slice(0, len(y))
        errors, theta = [], self.begun
        for again, starts in ((self.small, np.tile(self.begun, (len(y), 1, 1))), (self.large, None)):
            own = self._from(theta) if starts is None else starts
            each = own.shape[1]
            fit = again.to_responses(
                np.repeat(inner, each, axis=0), own.reshape(-1, own.shape[2]), units=repeated(shift, scale, everything, each),
                held=[self.fitted.best],
            )  # fmt: skip
            loss = _finite(fit.loss).reshape(-1, each)
            theta = fit.theta.reshape(own.shape)[np.arange(len(y)), loss.argmin(axis=1)]
            errors.append(loss.min(axis=1))
        return self._ratio(errors[0], errors[1])


def trainer(fitted: Fitted) -> Procedure:
    """The procedure of a fit, trained to an optimum by an algorithm that is quick to find one.

    Which one does not matter to a test that treats data and draws alike. The fit's where it is exact or of second order, or
    no other can train the network.
    """
    settings = fitted.settings
    if settings.exact and fitted.procedure.exactly:
        return fitted.procedure
    given: dict[str, Any] = {} if not settings.minibatch else {**ARGUMENTS, "learningrate": None}
    quick = isinstance(settings.algorithm, Optimizer) or settings.algorithm in OPTIMIZERS
    if fitted.network.objective.name != "ce_r":  # R's shortcut has no second-order algorithm
        algorithm = settings.algorithm if quick and not settings.minibatch else "auto"
        given |= {"algorithm": algorithm, "dtype": "float64", "tol": max(settings.tol or 0.0, TOLERANCE)}
    same = replace(
        settings, startweights=None, keep=None, polish=False, rep=settings.repetitions, device="cpu",
        stepmax=min(settings.stepmax, STEPS) if "tol" in given else settings.stepmax,
        threshold=THRESHOLD if settings.threshold is None else settings.threshold, **given,
    )  # fmt: skip
    return replace(fitted.procedure, settings=same, validation=None)


def without(fitted: Fitted, at: np.ndarray) -> Fit:
    """The starts of a fit with some weights held at 0."""
    fit = fitted.fit
    free, start = fit.free[0].copy(), fit.start.astype(float)
    free[at], start[:, at] = False, 0.0
    return replace(fit, free=free[np.newaxis], start=start)


def _finite(loss: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(loss), loss, np.inf).astype(float)
