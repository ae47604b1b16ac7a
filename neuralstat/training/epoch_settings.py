"""Arguments of fits by epochs: their defaults and the checks at the door."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_choice, check_int
from ..errors import ArgumentError
from ..optimizers.minibatch import MINIBATCH, MinibatchOptimizer
from .stopping import EarlyStopping

if TYPE_CHECKING:
    from .settings import Settings

EPOCHS = 100  # unless given
#: Arguments that belong to the minibatch optimizers, with their defaults
ARGUMENTS: dict[str, Any] = {
    "epochs": None, "batch_size": 32, "shuffle": True, "validation": None, "early_stopping": None, "callbacks": None,
    "augment": None, "checkpoint": None,
}  # fmt: skip


def optimizer_of(settings: Settings) -> MinibatchOptimizer | None:
    """The minibatch optimizer that settings ask for, `learningrate` in it; None for the other algorithms."""
    given = settings.algorithm
    if isinstance(given, MinibatchOptimizer):
        if settings.learningrate is not None:
            raise ArgumentError(
                f"learningrate: give it to the optimizer, as {type(given).__name__}(learning_rate=...)."
            )
        return given
    if not isinstance(given, str) or given not in MINIBATCH:
        return None
    optimizer = MINIBATCH[given]
    return optimizer if settings.learningrate is None else replace(optimizer, learning_rate=settings.learningrate)


def check_epochs(settings: Settings, put: Callable[[str, Any], None]) -> None:
    """Check the arguments of `ARGUMENTS`; without a minibatch optimizer none of them may be given.

    Raises
    ------
    ArgumentError
        Where one is not usable.
    """
    _check_class_weight(settings)
    if optimizer_of(settings) is None:
        _check_none_given(settings)
        return
    if settings.compat == "R":
        raise ArgumentError(f"compat='R': R's neuralnet has no algorithm {settings.algorithm!r}.")
    for name in ("tol", "keep", "polish"):
        if getattr(settings, name) not in (None, False):
            raise ArgumentError(f"{name} is not possible with algorithm={settings.algorithm!r}, which ends by epochs.")
    if settings.epochs is not None:
        put("epochs", check_int(settings.epochs, "epochs", 0))
    if settings.batch_size is not None:
        put("batch_size", check_int(settings.batch_size, "batch_size", 1))
    check_choice(settings.shuffle, "shuffle", (True, False))
    _check_stopping(settings)
    _check_functions(settings, put)
    _check_data(settings)


def _check_none_given(settings: Settings) -> None:
    for name, default in ARGUMENTS.items():
        value = getattr(settings, name)
        if value is not default and not (isinstance(value, int) and value == default):
            raise ArgumentError(
                f"{name} belongs to the minibatch optimizers ({', '.join(map(repr, MINIBATCH))}); "
                f"algorithm={settings.algorithm!r} sees all observations at every step, at most `stepmax` times."
            )


def _check_stopping(settings: Settings) -> None:
    stopping = settings.early_stopping
    if stopping is None:
        return
    if not isinstance(stopping, EarlyStopping):
        raise ArgumentError(
            f"early_stopping must be an EarlyStopping, as EarlyStopping(patience=5), got {stopping!r}."
        )
    if settings.validation is None and stopping.monitor == "val_loss":
        raise ArgumentError("early_stopping: monitor='val_loss' needs validation= (a share of the rows, or data).")


def _check_functions(settings: Settings, put: Callable[[str, Any], None]) -> None:
    callbacks = settings.callbacks
    if callbacks is not None:
        callbacks = tuple(callbacks) if isinstance(callbacks, list | tuple) else (callbacks,)
        if not all(callable(c) for c in callbacks):
            raise ArgumentError(f"callbacks must be functions of (epoch, logs), got {settings.callbacks!r}.")
        put("callbacks", callbacks)
    if settings.augment is not None and (isinstance(settings.augment, type) or not callable(settings.augment)):
        raise ArgumentError(f"augment must be as augment.ImageAugmenter(flip=True), got {settings.augment!r}.")


def _check_data(settings: Settings) -> None:
    share = settings.validation
    if isinstance(share, bool) or (isinstance(share, int | float | np.number) and not 0 < share < 1):
        raise ArgumentError(f"validation must be a share of the rows between 0 and 1, or data, got {share!r}.")
    if settings.checkpoint is not None:
        if not isinstance(settings.checkpoint, str | os.PathLike):
            raise ArgumentError(f"checkpoint must be the path of a file, got {settings.checkpoint!r}.")
        if not Path(settings.checkpoint).parent.is_dir():
            raise ArgumentError(f"checkpoint: there is no folder for {os.fspath(settings.checkpoint)!r}.")


def _check_class_weight(settings: Settings) -> None:
    """Weights of classes, which go with every algorithm."""
    weights = settings.class_weight
    if weights is not None and not isinstance(weights, Mapping) and weights != "balanced":
        raise ArgumentError(f"class_weight must be 'balanced' or a dict of classes and weights, got {weights!r}.")
