"""Early stopping of minibatch training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..checks.arguments import FLAG, NONE, NOT_NEGATIVE, TEXT, Choice, Whole, arguments
from ..errors import ArgumentError

LARGER = ("accuracy", "auc", "r2", "top_k")  # metrics of which larger values are better


@arguments(
    patience=Whole(0), min_delta=NOT_NEGATIVE, restore_best=FLAG, monitor=NONE | TEXT, mode=Choice("auto", "min", "max"),
)  # fmt: skip
@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the loss, or a metric, has not improved for some epochs.

    Parameters
    ----------
    patience : int
        Epochs without improvement after which training stops; 0 stops at the first.
    min_delta : float
        Only a loss that is lower by more than this is an improvement.
    restore_best : bool
        Whether the weights of the best epoch are the result (also where training ran to its end).
    monitor : str, optional
        What is watched: "val_loss", "loss", or one of the fit's ``metrics=`` ("auc", "val_auc"). Default: the loss of the
        validation data, without them the training loss.
    mode : {"auto", "min", "max"}
        Whether smaller or larger values are better; "auto": larger ones of accuracy, auc, r2 and top_k.

    Raises
    ------
    ArgumentError
        Where an argument is not usable.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.EarlyStopping(patience=5)
    EarlyStopping(patience=5, min_delta=0.0, restore_best=True, monitor=None, mode='auto')
    """

    patience: int = 0
    min_delta: float = 0.0
    restore_best: bool = True
    monitor: str | None = None
    mode: str = "auto"

    @property
    def sign(self) -> int:
        """1 where larger values of what is watched are better, -1 where smaller ones are."""
        if self.mode != "auto":
            return 1 if self.mode == "max" else -1
        return 1 if (self.monitor or "").removeprefix("val_").partition(":")[0] in LARGER else -1

    @property
    def of_loss(self) -> bool:
        """Whether the loss is watched."""
        return self.monitor in (None, "loss", "val_loss")

    def to_plain(self) -> dict[str, Any]:
        """The rule as plain data; ``EarlyStopping(**plain)`` is its inverse."""
        return asdict(self)


@dataclass(frozen=True)
class History:
    """What was recorded of each epoch of B repetitions.

    Attributes
    ----------
    columns : tuple of str
        "loss", "learning_rate" and, where they exist, a metric and both of the validation data ("val_loss", ...).
    values : (B, E, C) array
        NaN after a repetition's last epoch.
    epochs, best_epoch : (B,) int arrays
        Epochs done; the epoch (from 1) whose weights early stopping restored, 0 where there is none.
    """

    columns: tuple[str, ...]
    values: np.ndarray
    epochs: np.ndarray
    best_epoch: np.ndarray

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.columns):
            raise ArgumentError(f"history has shape {self.values.shape}, but {len(self.columns)} columns.")
