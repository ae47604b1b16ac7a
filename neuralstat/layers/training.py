"""What training does for layers that do one thing in training and another in prediction (`codes.OF_TRAINING`).

Their scratch rows say which it is, and are zero in prediction.
"""

from __future__ import annotations

from typing import Any

from ..jit.late import late
from ..jit.vectors import fill_rows
from .attention import drop_scores, is_dropping_scores, keep_scores
from .codes import BATCH_NORM, DROPOUT, N_IN, NOISE, OP, SCRATCH
from .dropout import drop
from .noise import disturb
from .normalization import move_averages
from .recurrent_rows import drop_factors, is_dropping, keep_factors


@late
def predict_mode(table: Any, value: Any) -> None:
    """Layers as in prediction."""
    for k in range(table.shape[0]):
        row = table[k]
        if row[OP] == BATCH_NORM:
            value[row[SCRATCH], 0] = 0
        elif row[OP] == DROPOUT or row[OP] == NOISE:
            fill_rows(value, row[SCRATCH], row[SCRATCH] + row[N_IN], value.shape[1], 0)
        elif is_dropping(row):
            keep_factors(row, value)
        elif is_dropping_scores(row):
            keep_scores(row, value)


@late
def training_mode(table: Any, constants: Any, momentum: Any, value: Any, key: Any, step: int, order: Any, first: int,
                  m: int) -> None:
    """Layers as in training, for a block of m observations; see `dropout.drop` for key, step, order, first.

    Parameters
    ----------
    momentum : (layers,) array
        Of batch normalisation; negative for a layer that keeps its moving averages.
    """
    for k in range(table.shape[0]):
        row = table[k]
        if row[OP] == BATCH_NORM:
            value[row[SCRATCH], 0] = m if momentum[k] >= 0 else 0
        elif row[OP] == DROPOUT:
            drop(row, constants[k], value, key, step, order, first, m)
        elif row[OP] == NOISE:
            disturb(row, constants[k], value, key, step, order, first, m)
        elif is_dropping(row):
            drop_factors(row, value, key, step, order, first, m)
        elif is_dropping_scores(row):
            drop_scores(row, constants[k], value, key, step, order, first, m)


@late
def after_batch(table: Any, momentum: Any, theta: Any, value: Any) -> None:
    """Update moving averages after a training step."""
    for k in range(table.shape[0]):
        if table[k, OP] == BATCH_NORM and momentum[k] >= 0:
            move_averages(table[k], momentum[k], theta, value)
