"""Weights held out of a fit: the four ways to name them, and the values they are held at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import as_array, check_items, check_size, shown
from ..checks.arguments import Numbers
from ..errors import ArgumentError
from .network import Network

_NUMBERS = Numbers(None)


def fixed_weights(
    network: Network, exclude: Any, constant_weights: Any = None, compat: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which weights are trained, and the values of the others.

    Parameters
    ----------
    network : Network
    exclude : None, array of shape (E, 3), sequence of int, sequence of str, or sequence of bool matrices
        R's rows (layer, input neuron, output neuron), 1-based with the bias as input neuron 1; R's 1-based
        positions in the flat vector; names as in `result_matrix`; masks shaped like `weights`, True = held
        out.
    constant_weights : sequence of float, optional
        Values, in the order in which `exclude` names the weights (masks: in flat order); the rest is 0.
    compat : {None, "R"}
        "R" gives the values of a matrix `exclude` in flat order, whatever the order of its rows, and ignores
        `constant_weights` without `exclude`, as R does.

    Returns
    -------
    free : (P,) bool array
    constants : (P,) array
        0 at free weights.

    Raises
    ------
    ArgumentError
        Where `exclude` names a weight that does not exist, holds all weights, or does not fit in form.
    """
    free = np.ones(network.n_params, bool)
    constants = np.zeros(network.n_params)
    values = _constants(constant_weights)
    if exclude is None:
        if values and compat != "R":
            raise ArgumentError(
                "constant_weights is given without exclude: say which weights have these values."
            )
        return free, constants
    positions = _positions(network, exclude, compat)
    if not np.all(np.isfinite(values)):
        raise ArgumentError(f"constant_weights must be finite numbers, got {constant_weights!r}.")
    if len(values) > len(positions):
        raise ArgumentError(
            f"constant_weights has {len(values)} values, but exclude names only {len(positions)} weights."
        )
    free[positions] = False
    if not free.any():
        raise ArgumentError("exclude holds all weights out of the fit: at least one must remain.")
    constants[positions[: len(values)]] = values
    return free, constants


def _constants(constant_weights: Any) -> list[float]:
    if constant_weights is None:
        return []
    return _NUMBERS.check(constant_weights, "constant_weights").reshape(-1).tolist()


def _positions(network: Network, exclude: Any, compat: str | None) -> list[int]:
    """0-based flat positions, in the order given, without repetitions."""
    if isinstance(exclude, str):
        exclude = [exclude]
    if hasattr(type(exclude), "columns"):
        exclude = exclude.to_numpy()
    words = "rows, positions, names or masks in a list or array"
    if isinstance(exclude, np.ndarray):
        check_size(exclude.size, "exclude", 100)  # as a list
    items = list(exclude) if isinstance(exclude, np.ndarray) and exclude.ndim else check_items(exclude, "exclude", words)
    if items and all(isinstance(e, str) for e in items):
        return _unique(_by_name(network, items))
    masks = [as_array(e, "exclude", words) for e in items]
    if items and all(mask.ndim == 2 for mask in masks):
        if any(m.dtype != bool for m in masks):
            raise ArgumentError("exclude: matrices must be boolean masks shaped like the weights.")
        return np.flatnonzero(network.flatten(masks, "exclude") != 0).tolist()
    try:
        array = np.asarray(items)
    except Exception:  # items are anybody's objects
        array = np.empty((0, 0, 0))
    if array.dtype == bool and array.ndim == 1:
        if array.size != network.n_params:
            raise ArgumentError(f"exclude: a mask must have {network.n_params} entries, got {array.size}.")
        return np.flatnonzero(array).tolist()
    if array.size == 0 or array.dtype.kind not in "iuf" or array.ndim > 2 or np.any(array != np.round(array)):
        raise ArgumentError(
            "exclude must be rows (layer, input neuron, output neuron), positions, names of weights, or bool "
            f"masks; got {shown(exclude)}."
        )
    array = array.astype(int)
    if array.ndim == 1:
        outside = array[(array < 1) | (array > network.n_params)]
        if outside.size:
            raise ArgumentError(
                f"exclude: there is no weight {outside[0]}; positions go from 1 to {network.n_params}."
            )
        return _unique((array - 1).tolist())
    if array.shape[1] != 3:
        raise ArgumentError(
            f"exclude has {array.shape[1]} columns; a matrix needs 3: layer, input neuron, output neuron."
        )
    positions = _unique([_of_row(network, row) for row in array])
    return sorted(positions) if compat == "R" else positions


def _of_row(network: Network, row: Sequence[int]) -> int:
    layer, source, target = (int(v) for v in row)
    if not 1 <= layer <= len(network.shapes):
        raise ArgumentError(
            f"exclude: row {tuple(row)} names layer {layer}; there are {len(network.shapes)}."
        )
    per_unit, units = network.shapes[layer - 1]
    if not 1 <= source <= per_unit:
        raise ArgumentError(
            f"exclude: row ({layer}, {source}, {target}): "
            f"input neurons of layer {layer} go from 1 (bias) to {per_unit}."
        )
    if not 1 <= target <= units:
        raise ArgumentError(
            f"exclude: row ({layer}, {source}, {target}): "
            f"output neurons of layer {layer} go from 1 to {units}."
        )
    before = sum(p * u for p, u in network.shapes[: layer - 1])
    return before + (target - 1) * per_unit + source - 1


def _by_name(network: Network, names: Sequence[str]) -> list[int]:
    where = {name: k for k, name in enumerate(network.names)}
    for name in names:
        if name not in where:
            raise ArgumentError(
                f"exclude: there is no weight {name!r:.80}. "
                f"Names are those of result_matrix, such as {network.names[0]!r}."
            )
    return [where[name] for name in names]


def _unique(positions: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(positions))
