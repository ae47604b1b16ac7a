"""A fit by layer: weights as Keras has them, the table of layers, what a layer gives."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import pandas as pd

from ..checks import position, shown
from ..checks.arguments import REP, Anything, Choice, arguments
from ..errors import ArgumentError
from ..fitted import Fitted
from ..inference.predict import inputs
from ..layers import LAYERS
from ..layers.graph import Branches, Graph, Node
from ..network import derivatives
from ..network.arrays import to_arrays, weights_by_layer


@arguments(rep=Choice("all") | REP)
def get_weights(fitted: Fitted, rep: Any = "best") -> Any:
    """Weights by array, named, shaped and ordered as Keras has them.

    ``startweights=`` takes the same dict. In original units where the network is a chain of dense layers; with
    ``standardize=True`` weights of other networks refer to the scaled inputs (the output layer is in the units of the
    response).

    Parameters
    ----------
    fitted : Fitted
    rep : int, "best" or "all"

    Returns
    -------
    dict of str to array; a list of dicts for "all"
        ``"conv2d/kernel"`` (row, column, in, out), ``"dense/kernel"`` (inputs, units), ``"lstm/recurrent_kernel"``
        (units, 4 units) with the gates in the order i, f, c, o, ``"dense/bias"``, ... Tabular inputs beside an array
        are the first rows of the kernel of the first Dense layer.
    """
    if isinstance(rep, str) and rep == "all":
        return [to_arrays(fitted.network, row) for row in fitted.theta]
    return to_arrays(fitted.network, fitted.theta[fitted.which(rep)])


def layer_table(fitted: Fitted) -> pd.DataFrame:
    """A row per layer: ``kind``, ``output_shape``, ``params`` and ``trained`` (numbers of weights).

    Of graphs also ``reads``, the names of the layers that it reads.
    """
    network, free, known = fitted.network, fitted.fit.free[0], weights_by_layer(fitted.network)
    rows = []
    for name, layer, place in zip(network.layer_names, network.layers, network.places, strict=True):
        own = known.get(name, np.zeros(0, np.int64))
        kind = getattr(layer, "kind", type(layer).__name__)
        rows.append((name, kind, place[2], own.size, int(free[own].sum())))
    frame = pd.DataFrame(rows, columns=["layer", "kind", "output_shape", "params", "trained"])
    if network.wires:
        usual = [f"input {j + 1}" for j in range(len(network.entries))] if len(network.entries) > 1 else ["input"]
        inputs = [entry.name or name for entry, name in zip(network.entries, usual)] or usual
        names = (*network.layer_names, *reversed(inputs))
        frame["reads"] = [", ".join(names[r] for r in reads) for reads in network.wires]
    return frame.set_index("layer")


@arguments(
    layer=Anything("the name of a hidden layer"), new=Anything("a table, as in predict", None), rep=REP,
    offset=Anything("an array, one value per new row", None),
)
def features(fitted: Fitted, layer: str, new: Any = None, rep: Any = "best", *, offset: Any = None) -> Any:
    """Outputs of a layer.

    Parameters
    ----------
    fitted : Fitted
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
    names = fitted.network.layer_names
    at = position(layer, names[:-1])
    if at is None:
        listed = ", ".join(map(repr, names[:-1])) or "none"
        raise ArgumentError(f"layer must be one of {listed}; got {shown(layer)}.")
    b = fitted.which(rep)
    x, off, index, complete = inputs(fitted, new, offset)
    own = derivatives.layer_units(fitted.network, np.ascontiguousarray(x), fitted.fit.theta[b], at, off).astype(float)
    own[~complete] = np.nan
    if own.ndim == 2:
        return pd.DataFrame(own, index, [f"{names[at]}[{u}]" for u in range(own.shape[1])])
    return own


def layers_call(layers: Any) -> str:
    """Layers as they are written, in brackets; of a graph its layers with what they read."""
    if isinstance(layers, Graph):
        inputs = [layer.name or "input" for layer in layers.inputs]
        names = (*(f"#{k + 1}" for k in range(len(layers))), *reversed(inputs))
        said = [f"{layer_call(layer)}({', '.join(names[r] for r in reads)})" for layer, reads in zip(layers, layers.wires)]
        return f"[{', '.join(said)}]"
    return f"[{', '.join(map(layer_call, layers))}]"


def layer_call(layer: Any) -> str:
    """A layer as it is written, without the arguments that have their default: ``Conv2D(32, 3, 'relu')``."""
    if isinstance(layer, Node):
        layer = layer.layer
    if isinstance(layer, Branches):
        more = [f"{name}={value!r}" for name, value, usual in (
            ("merge", layer.merge, "concatenate"), ("name", layer.name, None), ("activation", layer.activation, None),
        ) if value != usual]  # fmt: skip
        return f"Branches({', '.join([*map(layers_call, layer.chains), *more])})"
    said: list[str] = []
    for k, entry in enumerate(sorted(fields(layer), key=lambda entry: entry.kw_only is True)):
        value = getattr(layer, entry.name)
        if entry.name in ("layers", "shortcut") and value is not None:
            said.append(layers_call(value) if k == len(said) else f"{entry.name}={layers_call(value)}")
            continue
        if isinstance(value, tuple(LAYERS.values())):
            said.append(layer_call(value))
            continue
        value = value if not hasattr(value, "name") else value.name
        if entry.default is not MISSING and (value is entry.default or value == entry.default):
            continue
        text = getattr(value, "__name__", None) or repr(value)
        said.append(text if k == len(said) and not entry.kw_only else f"{entry.name}={text}")
    return f"{type(layer).__name__}({', '.join(said)})"
