"""A procedure's fits by epochs: stacks of networks whose steps go along the mean of the errors, as Keras' do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..network.penalties import per_observation
from ..seeds import children
from . import interrupts
from .epochs import Training, shuffle_keys, train_epochs
from .metrics import measured, squared_unit

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from .fit import Fit
    from .procedure import Procedure


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
    settings, stop = procedure.settings, threading.Event()
    penalty = procedure.penalty_of(procedure.design.counted if counted is None else counted)
    if penalty is not None:  # steps go along the mean error
        penalty = per_observation(penalty, 1 / rows.inputs.shape[0])
    keys = shuffle_keys(children(procedure.seeds, settings.repetitions))
    fit = train_epochs(
        procedure.network, rows, start, free, training, np.resize(keys, (len(start), 2)), validation=validation,
        penalty=penalty, n_jobs=n_jobs, watch=watch, seeds=procedure.seeds, device=settings.device, stop=stop,
        measured=measured(settings, procedure.design, measure), unit=squared_unit(procedure.design), again=again,
    )  # fmt: skip
    if stop.is_set():
        interrupts.stopped(owner)
    return procedure.centred(fit)
