"""What a fit can do by layer: weights as Keras has them, features, going on with other settings, another head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..network.arrays import frozen, positions, to_arrays

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network
    from ..results import NeuralNetResults
    from ..training.settings import Settings
    from ..training.train import Fit

CONTINUED = 0x636F6E74  # child of a fit's seeds from which `update` draws
# Settings that make the network, the data or the repetitions: `update` keeps them
_KEPT = ("hidden", "layers", "act_fct", "output_act_fct", "linear_output", "err_fct", "family", "exclude",
         "constant_weights", "rep", "keep", "startweights", "init", "weights", "offset", "standardize", "missing",
         "class_weight", "compat")  # fmt: skip
# Settings that belong to one set of data: a new head starts without them
_OF_DATA = ("weights", "offset", "exclude", "constant_weights", "validation", "checkpoint", "callbacks", "class_weight",
            "random_state", "rep", "keep")  # fmt: skip


class LayeredMixin:
    """The methods of `NeuralNetResults` that know layers by name."""

    formula: str | None
    design: Design
    network: Network
    settings: Settings
    fit: Fit
    seeds: np.random.SeedSequence

    def get_weights(self, rep: Any = "best") -> Any:
        """Weights by array, named, shaped and ordered as Keras has them.

        ``startweights=`` takes the same dict. In original units where the network is a chain of dense layers; with
        ``standardize=True`` weights of other networks refer to the scaled inputs (the output layer is in the units of the
        response).

        Parameters
        ----------
        rep : int, "best" or "all"

        Returns
        -------
        dict of str to array; a list of dicts for "all"
            ``"conv2d/kernel"`` (row, column, in, out), ``"dense/kernel"`` (inputs, units), ``"lstm/recurrent_kernel"``
            (units, 4 units) with the gates in the order i, f, c, o, ``"dense/bias"``, ... Tabular inputs beside an array
            are the first rows of the kernel of the first Dense layer.
        """
        if isinstance(rep, str) and rep == "all":
            return [to_arrays(self.network, row) for row in self.theta]  # type: ignore[attr-defined]
        return to_arrays(self.network, self.theta[self.which(rep)])  # type: ignore[attr-defined]

    @property
    def layer_table(self) -> pd.DataFrame:
        """A row per layer: ``kind``, ``output_shape``, ``params`` and ``trained`` (numbers of weights)."""
        free = self.fit.free[0]
        rows = []
        for name, layer, place in zip(self.network.layer_names, self.network.layers, self.network.places, strict=True):
            parts = [at.ravel() for array, at in self._positions.items() if array.rpartition("/")[0] == name]
            own = np.concatenate(parts) if parts else np.zeros(0, np.int64)
            rows.append((name, type(layer).__name__, place[2], own.size, int(free[own].sum())))
        frame = pd.DataFrame(rows, columns=["layer", "kind", "output_shape", "params", "trained"])
        return frame.set_index("layer")

    @property
    def _positions(self) -> dict[str, np.ndarray]:
        return positions(self.network)

    def features(self, layer: str, new: Any = None, rep: Any = "best", *, offset: Any = None) -> Any:
        """Outputs of a layer.

        Parameters
        ----------
        layer : str
            A name of `layer_table`, not the output layer's (see `predict`).
        new : table, optional
            None: the rows of the fit.
        rep : int or "best"
        offset : array, optional
            As in `predict`.

        Returns
        -------
        DataFrame, shape (m, units), indexed as `new`; an array of shape (m, ...) where an output has several axes
            NaN in rows with missing values.

        Raises
        ------
        ArgumentError
            Where there is no such layer.
        """
        from ..network import derivatives

        names = self.network.layer_names
        if layer not in names[:-1]:
            listed = ", ".join(map(repr, names[:-1])) or "none"
            raise ArgumentError(f"layer must be one of {listed}; got {layer!r}.")
        b = self.which(rep)  # type: ignore[attr-defined]
        x, off, index, complete = self._inputs(new, offset)  # type: ignore[attr-defined]
        values = derivatives.units(self.network, np.ascontiguousarray(x), self.fit.theta[b].astype(float), off)
        _, first, shape = self.network.places[names.index(layer)]
        own = values[first : first + int(np.prod(shape))].T.copy()
        own[~complete] = np.nan
        if len(shape) == 1:
            return pd.DataFrame(own, index, [f"{layer}[{u}]" for u in range(shape[0])])
        return own.reshape(-1, *shape)

    def update(self, **settings: Any) -> NeuralNetResults:
        """Go on from where every repetition ended, with other settings: a smaller rate, other layers frozen, ...

        Parameters
        ----------
        **settings
            Arguments of `neuralnet` about training: algorithm, learningrate, epochs, batch_size, freeze (``None`` frees
            all), penalty, threshold, early_stopping, validation (data), ... The others are those of the fit.

        Returns
        -------
        NeuralNetResults
            A new fit, whose start weights are the weights of this one; steps and history begin anew.

        Raises
        ------
        ArgumentError
            For settings that make the data, the network or the repetitions.
        """
        from .. import api
        from ..network.exclude import fixed_weights
        from ..optimizers.minibatch import MINIBATCH, MinibatchOptimizer
        from ..results import NeuralNetResults
        from ..seeds import seed_sequence
        from ..training.minibatch import ARGUMENTS

        for name in settings:
            if name in _KEPT:
                raise ArgumentError(f"update: {name} belongs to the model; fit a new one with neuralnet().")
        given = {"checkpoint": None, "keep": None, "rep": self.fit.theta.shape[0], **settings}
        algorithm = settings.get("algorithm", self.settings.algorithm)
        if not isinstance(algorithm, MinibatchOptimizer) and algorithm not in MINIBATCH:
            given = {**ARGUMENTS, **given}
        merged = api._settings(self.settings, given)
        seeds = np.random.SeedSequence(self.seeds.entropy, spawn_key=(*self.seeds.spawn_key, CONTINUED),
                                       pool_size=self.seeds.pool_size)  # fmt: skip
        if settings.get("random_state") is not None:
            seeds = seed_sequence(settings["random_state"])
        free, _ = fixed_weights(self.network, merged.exclude, merged.constant_weights, merged.compat)
        free &= ~frozen(self.network, merged.freeze)
        if not free.any():
            raise ArgumentError("exclude and freeze hold all weights: at least one must be trained.")
        check = self._validation_rows(merged, settings)
        start = self.fit.theta.astype(np.float64)
        fit = api.train_from(self.design, self.network, merged, seeds, check, start, free)
        results = NeuralNetResults(self.formula, self.design, self.network, merged, fit, seeds)
        results.check = check
        api.warn_unconverged(results)
        return results

    def _validation_rows(self, merged: Settings, settings: Mapping[str, Any]) -> Any:
        """Validation rows of a fit that goes on."""
        from ..training.minibatch import _encode

        given = settings.get("validation")
        if isinstance(given, float):
            raise ArgumentError("update: validation must be data; a share was set aside when the model was fitted.")
        if given is not None:
            return _encode(self.design, given, merged)
        check = getattr(self, "check", None)
        if merged.minibatch and merged.validation is not None and check is None:
            raise ArgumentError(
                "update: a saved fit has no validation rows; give validation= data, or validation=None."
            )
        return check if merged.minibatch and merged.validation is not None else None

    def replace_head(
        self, data: Any, formula: str | None = None, *, freeze: Any = True, source: Any = "best", **settings: Any
    ) -> NeuralNetResults:
        """Train a new output layer for other data or another response on top of this fit's hidden layers.

        Parameters
        ----------
        data : table, or (endog, exog) for a model of arrays
        formula : str, optional
            The fit's unless given; its covariates must have the same shapes.
        freeze : bool or names
            True holds all hidden layers; False trains everything from there; or names of layers and arrays.
        source : int or "best"
            The repetition whose hidden layers are taken.
        **settings
            Further arguments of `neuralnet`; the others, but those that belong to the old data, are those of the fit.

        Returns
        -------
        NeuralNetResults
            ``.update(freeze=None, learningrate=...)`` then trains all layers at a smaller rate.

        Raises
        ------
        ArgumentError
            Where the fit has no hidden layers, or was standardised (its weights belong to the scaling of its data).
        """
        from ..api import NeuralNet

        head = self.network.layer_names[-1]
        body = {name: array for name, array in self.get_weights(source).items() if name.rpartition("/")[0] != head}
        if not body:
            raise ArgumentError("replace_head: the fit has no hidden layers with weights.")
        if self.design.scaling is not None:
            raise ArgumentError("replace_head: with standardize=True the weights belong to the scaling of the fit's data; "
                                "scale the covariates yourself.")  # fmt: skip
        if freeze is True:
            freeze = tuple(dict.fromkeys(name.rpartition("/")[0] for name in body))
        usual = type(self.settings)()
        kept = {name: getattr(self.settings, name) for name in self.settings.names()
                if name not in _OF_DATA and not _is_default(self.settings, usual, name)}  # fmt: skip
        arguments = {**kept, "startweights": body, "freeze": freeze or None, **settings}
        formula = self.formula if formula is None else formula
        if formula is None:
            if not isinstance(data, tuple | list) or len(data) != 2:
                raise ArgumentError("replace_head: the model was made of arrays; data must be a pair (endog, exog).")
            return NeuralNet(*data, **arguments).fit()
        return NeuralNet.from_formula(formula, data, **arguments).fit()


def layer_call(layer: Any) -> str:
    """A layer as it is written, without the arguments that have their default: ``Conv2D(32, 3, 'relu')``."""
    shown: list[str] = []
    for k, entry in enumerate(fields(layer)):
        value = getattr(layer, entry.name)
        value = value if not hasattr(value, "name") else value.name
        if entry.default is not MISSING and (value is entry.default or value == entry.default):
            continue
        text = getattr(value, "__name__", None) or repr(value)
        shown.append(text if k == len(shown) else f"{entry.name}={text}")
    return f"{type(layer).__name__}({', '.join(shown)})"


def _is_default(settings: Settings, usual: Settings, name: str) -> bool:
    value, default = getattr(settings, name), getattr(usual, name)
    return value is default or (isinstance(value, str | int | float | tuple) and value == default)
