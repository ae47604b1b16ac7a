"""Refits: a procedure that has been run, run again on other responses, case weights or samples of its rows.

All networks of some refits are one stack: `each` networks to a response, one response after the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import cpu
from ..engine.data import make_data
from ..errors import ArgumentError
from ..formula.arrays import columns
from ..network.scaling import to_original
from ..network.start import start_weights
from ..schedules import Performance
from ..seeds import children
from . import by_epochs
from .epochs import make_rows
from .stack import of_networks
from .starts import feasible
from .train import trial_steps
from .validation import reweighed, unweighed

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from ..network.network import Network
    from .fit import Fit
    from .procedure import Procedure

STACK_BYTES = 64_000_000  # memory of one stack
RESTARTS = ("same", "fresh", "warm")

Units = tuple[np.ndarray, np.ndarray]


def check_restarts(restarts: str) -> str:
    """How refits begin, checked.

    Raises
    ------
    ArgumentError
        Where there is no such way.
    """
    if restarts not in RESTARTS:
        raise ArgumentError(f"restarts must be one of {', '.join(map(repr, RESTARTS))}; got {restarts!r}.")
    return restarts


def stacks(count: int, network: Network, each: int, values: float) -> Iterator[slice]:
    """Cut `count` refits, of `each` networks and so many values of data besides, into stacks that fit into memory."""
    size = 8 * (each * (600 + 6 * network.n_params) + values)
    step = max(1, int(STACK_BYTES // size))
    return (slice(first, min(first + step, count)) for first in range(0, count, step))


def repeated(shift: np.ndarray, scale: np.ndarray, part: slice, each: int) -> Units:
    """Units (B, K, 1) of the responses of a stack: those of a part of the responses, `each` networks to one."""
    return np.repeat(shift[part], each, axis=0), np.repeat(scale[part], each, axis=0)


def combine(fit: Fit, mu: np.ndarray, rep: int | str) -> np.ndarray:
    """What a procedure gives, (T, K, n), from the means (T, R, K, n) of all repetitions.

    Parameters
    ----------
    fit : Fit
        Of T R networks.
    mu : array
    rep : {"mean", "best"} or int
        The mean of the converged repetitions (of all where none converged), the best of them; or one, the only one.
    """
    t, r = mu.shape[:2]
    if r == 1:
        return mu[:, 0]
    good = fit.finished.reshape(t, r)
    good = np.where(good.any(axis=1, keepdims=True), good, True)
    if rep == "best":
        loss = fit.ranking.reshape(t, r)
        loss = np.where(good & np.isfinite(loss), loss, np.inf)
        return mu[np.arange(t), loss.argmin(axis=1)]
    weight = good[:, :, np.newaxis, np.newaxis]
    return np.sum(np.where(weight, mu, 0.0), axis=1) / weight.sum(axis=1)


@dataclass(frozen=True, eq=False)
class Refits:
    """A procedure and where it ended, to be run again.

    Attributes
    ----------
    procedure : Procedure
    fit : Fit
        Its start weights, and the weights that it ended at.
    n_jobs : int, optional
        Threads; the result does not depend on them.
    """

    procedure: Procedure
    fit: Fit
    n_jobs: int | None = None

    # what a refit begins with ------------------------------------------------------------------------------

    def units(self, responses: np.ndarray) -> Units:
        """Mean and sd (T, K, 1) by which a standardised procedure would centre and scale responses (T, K, n)."""
        design, fit = self.procedure.design, self.fit
        t, k, n = responses.shape
        shift, scale = np.zeros((t, k, 1)), np.ones((t, k, 1))
        if design.scaling is None:
            return shift, scale
        theta = to_original(self.procedure.network, design.scaling, fit.theta.astype(float))
        if np.any(~fit.free[0] & (theta[0] != 0)):  # constants in the units of the response would be rescaled
            return shift, scale
        scaled = (design.scaling.y_sd != 1) | (design.scaling.y_mean != 0)
        case = unweighed(design, self.procedure.settings.class_weight).weights
        w = np.ones(n) if case is None else case
        used = replace(design, weights=case).observations
        mean = responses @ w / w.sum()
        square = ((responses - mean[..., np.newaxis]) ** 2) @ w / w.sum() * used / (used - 1 if used > 1 else 1)
        shift[:, scaled, 0], scale[:, scaled, 0] = mean[:, scaled], np.sqrt(square[:, scaled])
        return shift, scale

    def starts(
        self, used: list[int], begun: int, restarts: str, seeds: np.random.SeedSequence | None, t: int
    ) -> np.ndarray:
        """Start weights (R, P) of the t-th refit, internal units.

        Parameters
        ----------
        used : list of int
            Repetitions (from 0) of the fit that are refitted.
        begun : int
            Networks that begin where starts are fresh.
        restarts : {"same", "fresh", "warm"}
            The start weights of the fit; new random ones for every refit; or the fitted weights.
        seeds : SeedSequence or None
            For fresh start weights.
        t : int
        """
        if restarts == "same":
            return self.fit.start[used]
        if restarts == "warm":
            return self.fit.theta[used]
        if seeds is None:
            raise ArgumentError("restarts='fresh' needs seeds.")
        free, procedure = self.fit.free[0], self.procedure
        network, design = procedure.network, procedure.design
        return start_weights(
            network, begun, children(seeds, t + 1)[t], free, self.fit.start[0].astype(float),
            adjust=lambda theta: feasible(network, design, theta, free), init=procedure.settings.start_init, x=design.x,
        )  # fmt: skip

    # training ----------------------------------------------------------------------------------------------

    def to_responses(
        self, y: np.ndarray, start: np.ndarray, *, keep: int | None = None, weights: np.ndarray | None = None,
        units: Units | None = None, held: Sequence[int] | None = None,
    ) -> Fit:  # fmt: skip
        """Train as the procedure does, on other responses of its rows.

        Validation rows that stopped the fit, or set its rate, do so again with the responses that they have.

        Parameters
        ----------
        y : (B, K, n) array
            Internal units.
        start : (B, P) array
        keep : int, optional
            Networks that go on after a trial.
        weights : (B, n) array, optional
            Case weights; the design's unless given. Fits by epochs take (n,), the same for all networks.
        units : (shift, scale), each (B, K, 1), optional
            Of the responses: internal units of the fit, less shift, by scale.
        held : sequence of int, optional
            Repetitions (from 0) of the fit, in turn for the networks of the stack, at whose estimated strengths of the
            penalty these are held; strengths are estimated anew unless given.

        Raises
        ------
        ArgumentError
            Where validation rows are needed, and the fit was loaded from a file, which has none.
        """
        design, dtype = self.procedure.design, np.dtype(self.procedure.settings.dtype)
        cases = self._cases(y, units) if weights is None else weights
        if self.procedure.settings.minibatch:
            rows = functools.partial(make_rows, design.x, y, cases, design.offset, dtype)
            return self._epochs(rows, start, self._validation(units), design.counted)
        data = make_data(design.x, y, cases, design.offset, dtype=dtype)
        fit = self.procedure.train(
            data, start, self.fit.free[0], self.n_jobs, keep=keep, strengths=self.strengths(held, len(start))
        )
        return fit if held is None else self._ranked(fit, held)

    def strengths(self, held: Sequence[int] | None, size: int) -> np.ndarray | None:
        """(size, G) strengths of some repetitions in turn; None where they are estimated anew, or were not estimated."""
        own = self.fit.strengths
        return None if own is None or held is None else own[np.resize(held, size)]

    def _ranked(self, fit: Fit, held: Sequence[int]) -> Fit:
        """A refit at strengths that were held, with its evidence: the fit's, less what the penalised error rose.

        Repetitions with penalties of their own have no errors that can be compared; determinants are taken for the fit's.
        """
        own = self.fit
        if fit.strengths is None or own.evidence is None or own.dispersion is None:
            return fit
        at = np.resize(held, len(fit.loss))
        rise = (fit.loss - own.loss[at]) / own.dispersion[at]
        return replace(fit, dispersion=own.dispersion[at], evidence=own.evidence[at] - rise)

    def _cases(self, y: np.ndarray, units: Units | None) -> np.ndarray | None:
        """Case weights of refits to other responses: weights of classes go with the classes."""
        design, class_weight = self.procedure.design, self.procedure.settings.class_weight
        if class_weight is None:
            return design.weights
        original = y if units is None else y * units[1] + units[0]
        return reweighed(design, class_weight, original if design.scaling is None else design.scaling.y_original(original))

    def to_samples(self, samples: Sequence[np.ndarray], start: np.ndarray) -> list[Fit]:
        """Train by epochs on samples of the rows (which hold a row as often as it was drawn).

        Parameters
        ----------
        samples : sequence of T int arrays
        start : (T, R, P) array
        """
        design, dtype = self.procedure.design, np.dtype(self.procedure.settings.dtype)
        validation, fits = self._validation(None), []

        def rows(at: np.ndarray) -> Rows:
            weights = None if design.weights is None else design.weights[at]
            if weights is not None and design.frequencies is not None:  # rows stand in the sample as often as they were drawn
                weights = weights / np.where(design.frequencies[at] > 0, design.frequencies[at], 1.0)
            offset = None if design.offset is None else design.offset[:, at]
            return make_rows(columns(design.x, at), design.y[:, at], weights, offset, dtype=dtype)

        for at, own in zip(samples, start, strict=True):
            fits.append(self._epochs(functools.partial(rows, at), own, validation, len(at)))
        return fits

    def _epochs(self, rows: Callable[[], Rows], start: np.ndarray, validation: Rows | None, counted: float) -> Fit:
        training = replace(self.procedure.training, callbacks=(), checkpoint=None)
        return by_epochs.train(
            self.procedure, rows(), start, self.fit.free[0], training, validation, n_jobs=self.n_jobs, again=rows,
            counted=counted,
        )  # fmt: skip

    def _validation(self, units: Units | None) -> Rows | None:
        """Validation rows, where training looks at them, with responses in the units of the refits'."""
        settings, validation = self.procedure.settings, self.procedure.validation
        scheduled = isinstance(self.procedure.training.optimizer.learning_rate, Performance)
        if settings.validation is None or not (scheduled or settings.early_stopping is not None):
            return None
        if validation is None:
            raise ArgumentError("training looked at validation rows, which saved fits and refits do not have: fit the model "
                                "again before refits to other responses or rows.")  # fmt: skip
        if units is None:
            return validation
        y = np.ascontiguousarray((validation.data.y - units[0]) / units[1], dtype=validation.data.y.dtype)
        return validation._replace(data=validation.data._replace(y=y))


def train_groups(
    procedure: Procedure, data: cpu.Data, start: np.ndarray, free: np.ndarray, each: int, n_jobs: int | None
) -> Fit:
    """Train a stack of groups of `each` networks, of every one of which `keep` of the settings go on after a trial.

    Parameters
    ----------
    procedure : Procedure
    data : Data
        From `make_data`.
    start : (B, P) array
        Networks of a group together.
    free : (P,) bool array
    each : int
    n_jobs : int, optional

    Returns
    -------
    Fit
        Of all B networks; those that were ruled out have the loss NaN.
    """
    keep, stepmax = procedure.settings.keep, procedure.settings.stepmax
    if keep is None or keep >= each:
        return procedure.train(data, start, free, n_jobs)
    trial = trial_steps(procedure.algorithm(int(free.sum()))[0].name)
    first = procedure.train(data, start, free, n_jobs, stepmax=min(trial, stepmax))
    loss = np.where(np.isfinite(first.loss), first.loss, np.inf).reshape(-1, each)
    order = np.argsort(loss, axis=1, kind="stable")
    kept = (np.sort(order[:, :keep], axis=1) + each * np.arange(len(loss))[:, np.newaxis]).ravel()
    then = procedure.train(of_networks(data, kept, len(start)), first.theta[kept], free, n_jobs)
    theta, final = first.theta.copy(), np.full(first.loss.shape, np.nan, first.loss.dtype)
    status = np.full(first.status.shape, cpu.PRUNED)
    theta[kept], final[kept], status[kept] = then.theta, then.loss, then.status
    more: dict[str, Any] = {}
    for name, value in first.estimated.items():
        if value is not None:
            more[name] = value.copy()
            more[name][kept] = getattr(then, name)
    return replace(first, theta=theta, loss=final, status=status, **more)
