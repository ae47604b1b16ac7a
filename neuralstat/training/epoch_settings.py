"""Arguments of fits by epochs: their defaults and the checks at the door."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import is_real, shown
from ..errors import ArgumentError
from ..optimizers.minibatch import MINIBATCH, MinibatchOptimizer
from .metrics import resolve

if TYPE_CHECKING:
    from .settings import Settings

EPOCHS, BATCH_SIZE = 100, 32  # unless given
#: Arguments that belong to the minibatch optimizers, with their defaults
ARGUMENTS: dict[str, Any] = {
    "epochs": None, "batch_size": BATCH_SIZE, "shuffle": True, "validation": None, "early_stopping": None, "callbacks": None,
    "augment": None, "checkpoint": None, "metrics": None,
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
        if getattr(settings, name) is not None and getattr(settings, name) is not False:
            raise ArgumentError(f"{name} is not possible with algorithm={settings.algorithm!r}, which ends by epochs.")
    if settings.penalty is not None and settings.penalty.estimated is not None:
        raise ArgumentError(f"penalty: decay('estimate') judges strengths at an optimum; algorithm={settings.algorithm!r}, "
                            "a minibatch optimizer, ends before it: use 'auto', or give a strength.")  # fmt: skip
    _check_functions(settings, put)
    _check_stopping(settings)
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
    watched = stopping.monitor or ""
    if settings.validation is None and watched.startswith("val_"):
        raise ArgumentError(f"early_stopping: monitor={watched!r} needs validation= (a share of the rows, or data).")
    if stopping.of_loss:
        if stopping.mode == "max":
            raise ArgumentError("early_stopping: mode='max' would stop by the largest loss.")
        return
    name = watched.removeprefix("val_")
    if name not in dict(resolve(settings.metrics or ())):
        resolve(name, "early_stopping: monitor")  # names one of the known


def _check_functions(settings: Settings, put: Callable[[str, Any], None]) -> None:
    if settings.metrics is not None:
        resolve(settings.metrics)
        many = isinstance(settings.metrics, list | tuple)
        put("metrics", tuple(settings.metrics) if many else (settings.metrics,))
    if settings.callbacks is not None:
        put("callbacks", settings.callbacks if isinstance(settings.callbacks, tuple) else (settings.callbacks,))


def _check_data(settings: Settings) -> None:
    share = settings.validation
    number = isinstance(share, bool | int | float | complex | np.generic)
    if number and not (is_real(share) and 0 < share < 1):
        raise ArgumentError(f"validation must be a share of the rows between 0 and 1, or data, got {shown(share)}.")
    if settings.checkpoint is not None and not Path(settings.checkpoint).parent.is_dir():
        raise ArgumentError(f"checkpoint: there is no folder for {os.fspath(settings.checkpoint)!r}.")


def _check_class_weight(settings: Settings) -> None:
    """Weights of classes, which go with every algorithm."""
    weights = settings.class_weight
    if weights is None or (isinstance(weights, str) and weights == "balanced"):
        return
    if not isinstance(weights, Mapping):
        raise ArgumentError(f"class_weight must be 'balanced' or a dict of classes and weights, got {shown(weights)}.")
    for name, value in weights.items():
        if not is_real(value) or not 0 <= value < np.inf:
            raise ArgumentError(f"class_weight must hold finite numbers >= 0, got {shown(value)} for {shown(name)}.")
