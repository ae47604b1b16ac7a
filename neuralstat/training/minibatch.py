"""Fits by epochs: their arguments, training and validation rows, class weights, and the run."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError
from ..optimizers.minibatch import MINIBATCH, MinibatchOptimizer
from .stopping import EarlyStopping

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from ..formula import Design
    from ..network.network import Network
    from ..results import NeuralNetResults
    from .epochs import Training
    from .settings import Settings
    from .train import Fit

EPOCHS = 100  # unless given
#: Arguments that belong to the minibatch optimizers, with their defaults
ARGUMENTS: dict[str, Any] = {
    "epochs": None, "batch_size": 32, "shuffle": True, "validation": None, "early_stopping": None, "callbacks": None,
    "augment": None,
    "class_weight": None, "checkpoint": None,
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


def check_training(settings: Settings, put: Callable[[str, Any], None]) -> None:
    """Check the arguments of `ARGUMENTS`; without a minibatch optimizer none of them may be given.

    Raises
    ------
    ArgumentError
        Where one is not usable.
    """
    from ..checks import check_choice, check_int

    if optimizer_of(settings) is None:
        for name, default in ARGUMENTS.items():
            value = getattr(settings, name)
            if value is not default and not (isinstance(value, int) and value == default):
                raise ArgumentError(
                    f"{name} belongs to the minibatch optimizers ({', '.join(map(repr, MINIBATCH))}); "
                    f"algorithm={settings.algorithm!r} sees all observations at every step, at most `stepmax` times."
                )
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
    if settings.early_stopping is not None and not isinstance(settings.early_stopping, EarlyStopping):
        raise ArgumentError(
            f"early_stopping must be an EarlyStopping, as EarlyStopping(patience=5), got {settings.early_stopping!r}."
        )
    stopping = settings.early_stopping
    if stopping is not None and settings.validation is None and stopping.monitor == "val_loss":
        raise ArgumentError("early_stopping: monitor='val_loss' needs validation= (a share of the rows, or data).")
    callbacks = settings.callbacks
    if callbacks is not None:
        callbacks = tuple(callbacks) if isinstance(callbacks, list | tuple) else (callbacks,)
        if not all(callable(c) for c in callbacks):
            raise ArgumentError(f"callbacks must be functions of (epoch, logs), got {settings.callbacks!r}.")
        put("callbacks", callbacks)
    if settings.augment is not None and (isinstance(settings.augment, type) or not callable(settings.augment)):
        raise ArgumentError(f"augment must be as augment.ImageAugmenter(flip=True), got {settings.augment!r}.")
    share = settings.validation
    if isinstance(share, bool) or (isinstance(share, int | float | np.number) and not 0 < share < 1):
        raise ArgumentError(f"validation must be a share of the rows between 0 and 1, or data, got {share!r}.")
    if settings.checkpoint is not None:
        if not isinstance(settings.checkpoint, str | os.PathLike):
            raise ArgumentError(f"checkpoint must be the path of a file, got {settings.checkpoint!r}.")
        if not Path(settings.checkpoint).parent.is_dir():
            raise ArgumentError(f"checkpoint: there is no folder for {os.fspath(settings.checkpoint)!r}.")
    weights = settings.class_weight
    if weights is not None and not isinstance(weights, Mapping) and weights != "balanced":
        raise ArgumentError(f"class_weight must be 'balanced' or a dict of classes and weights, got {weights!r}.")


def split(design: Design, settings: Settings) -> tuple[Design, Rows | None]:
    """Training design and validation rows.

    A share takes the last rows, as Keras' ``validation_split``: they are then kept out of the fit as rows with
    missing values are. Formula encodings and scalings have seen them.

    Raises
    ------
    ArgumentError, DataError
        Where no row is left, or the data do not suit the model.
    """
    from .epochs import make_rows

    given = settings.validation
    if given is None:
        return design, None
    if isinstance(given, int | float | np.number):
        n = design.x.shape[1]
        first = math.floor(n * (1 - float(given)))
        if not 0 < first < n:
            raise ArgumentError(f"validation={given!r} leaves {first} of {n} rows for training.")
        kept = np.zeros_like(design.kept)
        kept[np.flatnonzero(design.kept)[:first]] = True
        parts: dict[str, Any] = {"x": design.x[:, first:], "y": design.y[:, first:],
                 "weights": None if design.weights is None else design.weights[first:],
                 "offset": None if design.offset is None else design.offset[:, first:]}  # fmt: skip
        training = replace(
            design, x=np.ascontiguousarray(design.x[:, :first]), y=np.ascontiguousarray(design.y[:, :first]),
            weights=None if design.weights is None else design.weights[:first],
            offset=None if design.offset is None else np.ascontiguousarray(design.offset[:, :first]),
            index=design.index[:first], kept=kept, frame=design.frame.iloc[:first],
        )  # fmt: skip
        return training, make_rows(**parts, dtype=np.dtype(settings.dtype))
    return design, _encode(design, given, settings)


def _encode(design: Design, given: Any, settings: Settings) -> Rows:
    """Validation data given as a table, or as (endog, exog)."""
    from .epochs import make_rows

    spec = design.spec
    if spec.formula is None:
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise ArgumentError("validation must be a share of the rows or a pair (endog, exog).")
        endog, exog = given
        if isinstance(endog, pd.Series):
            endog = endog.to_frame(spec.response_columns[0])
        elif not isinstance(endog, pd.DataFrame):
            values = np.asarray(endog)
            endog = pd.DataFrame(values if values.ndim == 2 else values[:, np.newaxis], columns=list(spec.response_columns))
    else:
        endog = exog = given
    new = spec.encode(exog)
    y, complete = spec.encode_response(endog)
    if y.shape[1] != new.x.shape[1]:
        raise DataError(f"validation: endog has {y.shape[1]} rows, exog {new.x.shape[1]}.")
    used = complete & new.complete
    if not used.any():
        raise DataError("validation: no row without missing values.")
    weights = None
    if isinstance(settings.weights, str) and settings.weights in getattr(exog, "columns", ()):
        weights = np.asarray(exog[settings.weights], dtype=float)[used]
    return make_rows(
        new.x[:, used], y[:, used], weights, None if new.offset is None else new.offset[:, used],
        dtype=np.dtype(settings.dtype),
    )  # fmt: skip


def weigh_classes(design: Design, class_weight: Any) -> Design:
    """A design whose case weights are multiplied by the weight of each row's class.

    ``"balanced"`` is n / (number of classes * rows of the class).

    Raises
    ------
    ArgumentError
        Where the response is no factor or 0/1, or a class is unknown.
    """
    if class_weight is None:
        return design
    y = design.y
    if design.classes is None and not (y.shape[0] == 1 and np.all((y == 0) | (y == 1))):
        raise ArgumentError(f"class_weight needs a factor as response, or 0 and 1; {design.response!r} is neither.")
    classes = (0, 1) if design.classes is None else tuple(design.classes)
    member = y[0].astype(int) if y.shape[0] == 1 else y.argmax(axis=0)
    if isinstance(class_weight, Mapping):
        unknown = [c for c in class_weight if c not in classes]
        if unknown:
            raise ArgumentError(f"class_weight: {unknown[0]!r} is no class; known: {', '.join(map(repr, classes))}.")
        factors = np.array([float(class_weight.get(c, 1.0)) for c in classes])
        if not np.all(np.isfinite(factors)) or np.any(factors < 0):
            raise ArgumentError(f"class_weight must hold numbers >= 0, got {class_weight!r}.")
    else:
        factors = y.shape[1] / (len(classes) * np.maximum(np.bincount(member, minlength=len(classes)), 1))
    weights = factors[member] * (1.0 if design.weights is None else design.weights)
    return replace(design, weights=weights)


def training_of(settings: Settings) -> Training:
    """What settings say about training by epochs."""
    from .epochs import Training
    from .settings import STEPMAX

    optimizer = optimizer_of(settings)
    if optimizer is None:
        raise ArgumentError(f"algorithm={settings.algorithm!r} has no epochs.")
    return Training(
        optimizer, EPOCHS if settings.epochs is None else settings.epochs, settings.batch_size, settings.shuffle,
        settings.early_stopping, settings.callbacks or (), settings.checkpoint, settings.threshold,
        None if settings.stepmax == STEPMAX else settings.stepmax, settings.augment,
    )  # fmt: skip


def refit(
    results: NeuralNetResults, y: np.ndarray, start: np.ndarray, n_jobs: int | None,
    units: tuple[np.ndarray, np.ndarray] | None = None,
) -> Fit:  # fmt: skip
    """Train as a fit was trained, on responses (B, K, n) of its rows, from starts (B, P).

    Network b sees the observations in the order of repetition ``b % rep``. Validation rows that stopped the fit, or set its
    rate, do so again with the responses that they have.

    Parameters
    ----------
    units : (shift, scale), each (B, K, 1), optional
        Of the responses: internal units of the fit, less shift, by scale.

    Raises
    ------
    ArgumentError
        Where validation rows are needed, and the fit was loaded from a file, which has none.
    """
    from .epochs import make_rows

    design = results.design
    rows = make_rows(design.x, y, design.weights, design.offset, dtype=np.dtype(results.settings.dtype))
    return _again(results, rows, start, n_jobs, _validation_again(results, units))


def refit_cases(
    results: NeuralNetResults, samples: Sequence[np.ndarray], start: np.ndarray, n_jobs: int | None
) -> list[Fit]:
    """Train as a fit was trained, on samples of its rows: each from its own part (T, R, P) of the starts."""
    from .epochs import make_rows

    design, check, dtype = results.design, _validation_again(results, None), np.dtype(results.settings.dtype)
    fits = []
    for at, own in zip(samples, start, strict=True):
        weights = None if design.weights is None else design.weights[at]
        offset = None if design.offset is None else design.offset[:, at]
        rows = make_rows(design.x[:, at], design.y[:, at], weights, offset, dtype=dtype)
        fits.append(_again(results, rows, own, n_jobs, check))
    return fits


def _again(results: NeuralNetResults, rows: Rows, start: np.ndarray, n_jobs: int | None, check: Rows | None) -> Fit:
    from ..network.penalties import coefficients
    from ..seeds import children
    from .epochs import shuffle_keys, train_epochs

    settings = results.settings
    training = replace(training_of(settings), callbacks=(), checkpoint=None)
    keys = np.resize(shuffle_keys(children(results.seeds, settings.rep)), (len(start), 2))
    return train_epochs(
        results.network, rows, start, results.fit.free[0], training, keys, check=check, n_jobs=n_jobs,
        penalty=coefficients(settings.penalty, results.network, results.design), device=settings.device,
    )  # fmt: skip


def _validation_again(results: NeuralNetResults, units: tuple[np.ndarray, np.ndarray] | None) -> Rows | None:
    """Validation rows, where training looks at them, with responses in the units of the refits'."""
    from ..schedules import Performance

    settings, check = results.settings, results.check
    watched = settings.early_stopping is not None or isinstance(training_of(settings).optimizer.learning_rate, Performance)
    if settings.validation is None or not watched:
        return None
    if check is None:
        raise ArgumentError("training looked at validation rows, which saved fits and refits do not have: fit the model "
                            "again before refits to other responses or rows.")  # fmt: skip
    if units is None:
        return check
    y = np.ascontiguousarray((check.data.y - units[0]) / units[1], dtype=check.data.y.dtype)
    return check._replace(data=check.data._replace(y=y))


def run_epochs(
    design: Design, network: Network, settings: Settings, seeds: np.random.SeedSequence, check: Rows | None,
    start: np.ndarray, free: np.ndarray, penalty: np.ndarray | None,
) -> Fit:  # fmt: skip
    """Train all repetitions of a model by epochs."""
    from ..seeds import children
    from .epochs import make_rows, shuffle_keys, train_epochs
    from .progress import EpochLifesign

    training = training_of(settings)
    if training.augment is not None and design.scaling is not None:
        raise ArgumentError("augment changes images in their own units, but with standardize=True the model sees scaled "
                            "ones: scale them in the formula, as {pixels / 255}.")  # fmt: skip
    rows = make_rows(design.x, design.y, design.weights, design.offset, dtype=np.dtype(settings.dtype))
    with EpochLifesign(settings, network, training.epochs) as lifesign:
        fit = train_epochs(
            network, rows, start, free, training, shuffle_keys(children(seeds, settings.rep)), check=check,
            penalty=penalty, n_jobs=settings.n_jobs, watch=lifesign.watch, seeds=seeds, device=settings.device,
        )  # fmt: skip
        lifesign.finish(fit)
    return fit
