"""Fits that go on from a fit: with other settings, or with a new output layer for other data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks.arguments import FLAG, Whole
from ..engine import batches
from ..errors import ArgumentError
from ..optimizers.minibatch import MINIBATCH, MinibatchOptimizer
from ..seeds import seed_sequence
from . import by_epochs, interrupts
from .epoch_settings import ARGUMENTS
from .epochs import rows_of
from .model import Source, merge_settings
from .procedure import Procedure
from .progress import EpochLifesign
from .settings import Settings
from .validation import encode

if TYPE_CHECKING:
    from .fit import Fit

CONTINUED = 0x636F6E74  # child of a fit's seeds from which `update` draws
# Settings that make the network, the data or the repetitions: `update` keeps them
_KEPT = ("hidden", "layers", "act_fct", "output_act_fct", "linear_output", "err_fct", "family", "exclude",
         "constant_weights", "rep", "keep", "startweights", "init", "weights", "freq_weights", "var_weights", "offset",
         "groups", "standardize", "missing", "class_weight", "compat")  # fmt: skip
_RESUMED = ("epochs", "callbacks", "checkpoint", "lifesign", "lifesign_step", "progress", "n_jobs")  # with resume=True
# Settings that belong to one set of data: a new head starts without them
_OF_DATA = ("weights", "freq_weights", "var_weights", "offset", "groups", "exclude", "constant_weights", "validation",
            "checkpoint", "callbacks", "class_weight", "random_state", "rep", "keep")  # fmt: skip


def update(procedure: Procedure, fit: Fit, settings: Mapping[str, Any]) -> tuple[Procedure, Fit]:
    """Go on from where every repetition ended, with other settings: a smaller rate, other layers frozen, ...

    Parameters
    ----------
    procedure : Procedure
    fit : Fit
        Where it ended; internal units.
    settings : mapping
        Arguments of `neuralnet` about training: algorithm, learningrate, epochs, batch_size, freeze (``None`` frees
        all), penalty, threshold, early_stopping, validation (data), ... The others are those of the procedure. With
        ``resume=True`` `epochs`, and arguments that do not change the fit.

    Returns
    -------
    (Procedure, Fit)
        The start weights are the weights of `fit`; steps and history begin anew.

    Raises
    ------
    ArgumentError
        For settings that make the data, the network or the repetitions.
    """
    settings = dict(settings)
    if FLAG.check(settings.pop("resume", False), "resume"):
        return _resumed(procedure, fit, settings)
    for name in settings:
        if name in _KEPT:
            raise ArgumentError(f"update: {name} belongs to the model; fit a new one with neuralnet().")
    given = {"checkpoint": None, "keep": None, "rep": fit.theta.shape[0], **settings}
    algorithm = settings.get("algorithm", procedure.settings.algorithm)
    if not isinstance(algorithm, MinibatchOptimizer) and algorithm not in MINIBATCH:
        given = {**ARGUMENTS, **given}
    merged = merge_settings(procedure.settings, given)
    following = replace(procedure, settings=merged, seeds=_seeds(procedure.seeds, settings.get("random_state")))
    free = following.masks[1]
    following = replace(following, validation=_validation_rows(procedure, merged, settings))
    return following, following.run_from(fit.theta.astype(np.float64), free, owner=interrupts.owned())


def _resumed(procedure: Procedure, fit: Fit, settings: Mapping[str, Any]) -> tuple[Procedure, Fit]:
    """Further epochs with the optimizer's state, as if all had been asked for at once."""
    own = procedure.settings
    for name in settings:
        if name not in _RESUMED:
            raise ArgumentError(f"update: resume=True goes on as before, and takes {', '.join(_RESUMED)}; not {name}.")
    if fit.state is None:
        raise ArgumentError("update: resume=True needs the optimizer's state, which fits by epochs on a CPU have and files "
                            "of fits do not: train with checkpoint= to go on later.")  # fmt: skip
    if own.early_stopping is not None or not np.all(fit.status == batches.EPOCHS_DONE):
        raise ArgumentError("update: resume=True goes on from fits that had all their epochs, without early_stopping.")
    more = Whole(1).check(settings.get("epochs"), "epochs")
    merged = merge_settings(own, {"checkpoint": None, **settings, "epochs": int(fit.state["epoch"].max()) + more})
    following, design = replace(procedure, settings=merged), procedure.design
    training = replace(following.training, carried=fit.state)
    with EpochLifesign(merged, procedure.network, training.epochs) as lifesign:
        made = by_epochs.train(
            following, rows_of(design, merged.dtype), fit.start, following.masks[1], training, procedure.validation,
            n_jobs=merged.n_jobs, watch=lifesign.watch, owner=interrupts.owned(), measure=True,
            again=lambda: rows_of(design, merged.dtype),
        )  # fmt: skip
        lifesign.finish(made)
    return following, made


def _seeds(seeds: np.random.SeedSequence, random_state: Any) -> np.random.SeedSequence:
    """Seeds of a fit that goes on: those given, else a child of the fit's."""
    if random_state is not None:
        return seed_sequence(random_state)
    return np.random.SeedSequence(
        seeds.entropy, spawn_key=(*seeds.spawn_key, CONTINUED), pool_size=seeds.pool_size
    )


def _validation_rows(procedure: Procedure, merged: Settings, settings: Mapping[str, Any]) -> Any:
    """Validation rows of a fit that goes on."""
    given = settings.get("validation")
    if isinstance(given, float):
        raise ArgumentError("update: validation must be data; a share was set aside when the model was fitted.")
    if given is not None:
        return encode(procedure.design, given, merged)
    if not merged.minibatch or merged.validation is None:
        return None
    if procedure.validation is None:
        raise ArgumentError(
            "update: a saved fit has no validation rows; give validation= data, or validation=None."
        )
    return procedure.validation


def replace_head(
    procedure: Procedure, body: Mapping[str, np.ndarray], data: Any, formula: str | None, freeze: Any,
    settings: Mapping[str, Any],
) -> tuple[Procedure, Fit]:  # fmt: skip
    """Train a new output layer for other data or another response on top of a fit's hidden layers.

    Parameters
    ----------
    procedure : Procedure
        Of the fit whose hidden layers are taken.
    body : mapping of str to array
        Its weights by array; those of its output layer are left out.
    data : table, or (endog, exog) for a model of arrays
    formula : str or None
        The procedure's where None; its covariates must have the same shapes.
    freeze : bool or names
        True holds all hidden layers; False trains everything from there; or names of layers and arrays.
    settings : mapping
        Further arguments of `neuralnet`; the others, but those that belong to the old data, are the procedure's.

    Returns
    -------
    (Procedure, Fit)

    Raises
    ------
    ArgumentError
        Where there are no hidden layers, or the data were standardised (the weights belong to their scaling).
    """
    head = procedure.network.layer_names[-1]
    body = {name: array for name, array in body.items() if name.rpartition("/")[0] != head}
    if not body:
        raise ArgumentError("replace_head: the fit has no hidden layers with weights.")
    scaling = procedure.design.scaling
    if scaling is not None and scaling.of_inputs and not procedure.network.plain:
        raise ArgumentError("replace_head: the inputs were standardised, and the weights belong to the scaling of the fit's "
                            "data; fit with standardize=False, and scale the covariates yourself.")  # fmt: skip
    if freeze is True:
        freeze = tuple(dict.fromkeys(name.rpartition("/")[0] for name in body))
    if freeze is False or (isinstance(freeze, list | tuple) and not freeze):
        freeze = None
    arguments = {**_carried(procedure.settings), "startweights": body, "freeze": freeze, **settings}
    known = arguments.pop("context", None)
    if formula is None:
        formula = procedure.formula
        known = procedure.design.spec.context if known is None else known
    if formula is not None:
        source = Source(formula, data, context=known)
    elif isinstance(data, tuple | list) and len(data) == 2:
        source = Source(None, *data)
    else:
        raise ArgumentError("replace_head: the model was made of arrays; data must be a pair (endog, exog).")
    following = Procedure.prepare(source, source.weighed(merge_settings(Settings(), arguments)))
    return following, following.run()


def _carried(settings: Settings) -> dict[str, Any]:
    """Settings that differ from the default and do not belong to one set of data."""
    usual = Settings()
    return {name: getattr(settings, name) for name in settings.names()
            if name not in _OF_DATA and not _is_default(settings, usual, name)}  # fmt: skip


def _is_default(settings: Settings, usual: Settings, name: str) -> bool:
    value, default = getattr(settings, name), getattr(usual, name)
    return value is default or (isinstance(value, str | int | float | tuple) and value == default)
