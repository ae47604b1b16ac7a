"""A procedure's fits by epochs: stacks of networks whose steps go along the mean of the errors, as Keras' do.

What is minimised is the penalised sum of errors of every other algorithm, times a number: steps, clipping, decay and the
record of epochs are those of Keras' loss (`Objective.as_in_keras`) over rows; errors and derivatives of the fit are sums.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..network.penalties import per_observation
from ..seeds import children, shuffle_keys
from . import interrupts
from .epochs import Training, train_epochs
from .metrics import measured, squared_unit

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from .fit import Fit
    from .procedure import Procedure


def weighed(rows: Rows, factor: float) -> Rows:
    """Rows whose weights are multiplied by a factor."""
    if factor == 1:
        return rows
    weight = rows.data.weight
    weight = np.ones((1, rows.data.y.shape[2]), rows.data.y.dtype) if weight.size == 0 else weight
    return rows._replace(data=rows.data._replace(weight=weight * weight.dtype.type(factor)))


def in_sums(fit: Fit, factor: float) -> Fit:
    """A fit whose errors and derivatives were multiplied by a factor, without it; nothing that waits is asked for."""
    if factor == 1:
        return fit

    def divided(name: str, by: Callable[[Any], Any]) -> Any:
        value = vars(fit)[name]
        return (lambda: by(value())) if callable(value) else by(value)

    return replace(
        fit, loss=divided("loss", lambda v: v / factor), reached=divided("reached", lambda v: v / factor),
        trace=divided("trace", lambda v: [(steps, errors / factor) for steps, errors in v]),
    )  # fmt: skip


def train(
    procedure: Procedure, rows: Rows, start: np.ndarray, free: np.ndarray, training: Training, validation: Rows | None, *,
    n_jobs: int | None, watch: Any = None, owner: bool = False, measure: bool = False,
    again: Callable[[], Rows] | None = None, counted: float | None = None,
) -> Fit:  # fmt: skip
    """Train a stack by epochs; network b sees the observations in the order of repetition ``b % rep``.

    Parameters
    ----------
    procedure : Procedure
    rows, validation : Rows
        From `make_rows`; `validation` or None.
    start, free : (B, P) array, (P,) bool array
    training : Training
    n_jobs : int, optional
    watch, again : callable, optional
        See `epochs.train_epochs`.
    owner, measure : bool
        Whether to return what there is after Ctrl-C; whether all metrics are recorded, else that of early stopping only.
    counted : float, optional
        Observations that the rows are; those of the procedure's design unless given.
    """
    settings, network, stop = procedure.settings, procedure.network, threading.Event()
    factor = network.as_in_keras
    penalty = procedure.penalty_of(procedure.design.counted if counted is None else counted)
    if penalty is not None:
        penalty = per_observation(penalty, factor / rows.inputs.shape[0])
    if training.threshold is not None:
        training = replace(training, threshold=factor * training.threshold)
    keys = shuffle_keys(children(procedure.seeds, settings.repetitions))
    fit = train_epochs(
        network, weighed(rows, factor), start, free, training, np.resize(keys, (len(start), 2)),
        validation=None if validation is None else weighed(validation, factor),
        penalty=penalty, n_jobs=n_jobs, watch=watch, seeds=procedure.seeds, device=settings.device, stop=stop,
        measured=measured(settings, procedure.design, measure, factor), unit=squared_unit(procedure.design),
        again=None if again is None else lambda: weighed(again(), factor),
    )  # fmt: skip
    if stop.is_set():
        interrupts.stopped(owner)
    return procedure.centred(in_sums(fit, factor))
