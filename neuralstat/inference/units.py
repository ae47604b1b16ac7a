"""Hidden units that the data do not determine: saturated, duplicate and redundant ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..families import Multinomial
from ..fitted import Fitted
from ..layers import codes
from ..network import derivatives

TOLERANCE = 1e-6  # relative: of a unit's variation, of 1 - |correlation|, of outgoing weights
IDLE = 1e-3  # of a unit's variation beside its size, and of what it brings beside what the layer after it needs
MOST_ROWS = 2000  # that `idle_units` looks at; of other networks than chains of dense layers a quarter
MOST_NUMBERS = 4_000_000  # values of units that are made at once
MOST_PAIRED = 500  # units of a layer that are compared in pairs


def undetermined_units(fitted: Fitted, rep: Any = "best") -> pd.DataFrame:
    """Hidden units because of which the Hessian is singular.

    Parameters
    ----------
    fitted : Fitted
        Other networks than chains of dense layers give an empty table.
    rep : int or "best"

    Returns
    -------
    DataFrame
        Columns ``unit`` ("1layhid2"), ``problem`` and ``other``: "saturated" where the activation is constant over
        the data (its weights in then change nothing); "duplicate" where it is perfectly correlated with an earlier
        unit of its layer, `other`; "redundant" where the weights out of it are zero.
    """
    b = fitted.which(rep)
    if not fitted.network.plain:
        return pd.DataFrame(columns=["unit", "problem", "other"])
    rows = []
    for layer, units, outgoing in _layers(fitted, b, np.flatnonzero(fitted.case_weights > 0)):
        size = np.maximum(np.abs(units).max(axis=1), 1.0)
        saturated = np.ptp(units, axis=1) <= TOLERANCE * size
        for u, problem, other in _of_layer(units, saturated, _redundant(outgoing)):
            rows.append((_name(layer, u), problem, None if other is None else _name(layer, other)))
    return pd.DataFrame(rows, columns=["unit", "problem", "other"])


def idle_units(fitted: Fitted, b: int) -> list[tuple[str, str, str]]:
    """Hidden units of repetition b that bring the fit nothing, or nothing of their own: (unit, problem, other).

    As `undetermined_units`, but judged by what units bring, and at no more than `MOST_ROWS` rows: "saturated" is a unit that
    hardly varies, and whose variation times its weights out is small beside the units after it (beside the spread of the
    response, or of the linear predictor). Of other networks than chains of dense layers, the units of dense layers that do
    not vary at all.
    """
    used = np.flatnonzero(fitted.case_weights > 0)
    most = MOST_ROWS if fitted.network.plain else MOST_ROWS // 4
    used = used[:: -(-used.size // most)]
    if not np.isfinite(fitted.fit.theta[b]).all() or len(fitted.network.table) == 1:
        return []
    if not fitted.network.plain:
        return _still(fitted, b, used)
    found = []
    last = len(fitted.network.table) - 2
    for layer, units, outgoing in _layers(fitted, b, used):
        spread = np.ptp(units, axis=1)
        need = _spread(fitted) if layer == last else 1.0
        still = (spread <= IDLE * np.maximum(np.abs(units).max(axis=1), 1.0)) & (
            (spread[:, np.newaxis] * np.abs(outgoing) <= IDLE * need).all(axis=1)
        )
        for u, problem, other in _of_layer(units, still, _redundant(outgoing), MOST_PAIRED):
            found.append((_name(layer, u), problem, "" if other is None else _name(layer, other)))
    return found


def _layers(fitted: Fitted, b: int, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Of each hidden layer its number, its units (h, n) at some rows, and the weights out of them (h, units after)."""
    design, network = fitted.design, fitted.network
    theta = fitted.fit.theta[b].astype(float)
    offset = None if design.offset is None else design.offset[:, rows]
    values = derivatives.units(network, np.ascontiguousarray(design.x[:, rows]), theta, offset)
    matrices = network.matrices(theta)
    for layer, row in enumerate(network.table[:-1]):
        outgoing = matrices[layer + 1][1:]
        if layer == len(network.table) - 2 and isinstance(fitted.family, Multinomial):
            # what all classes share changes no probability
            outgoing = outgoing - outgoing.mean(axis=1, keepdims=True)
        yield layer, values[row[codes.TARGET] : row[codes.TARGET] + row[codes.N_OUT]], outgoing


def _spread(fitted: Fitted) -> np.ndarray:
    """(K,) what counts as variation of the linear predictor: the response's where the link is the identity, else 1."""
    objective = fitted.network.objective
    if objective.output.name != "identity":
        return np.ones(fitted.network.n_outputs)
    sd, out = fitted.design.y.std(axis=1), np.ones(fitted.network.n_outputs)
    means = fitted.distribution.leading if objective.several else out.size  # further parameters have links of their own
    out[:means] = np.where(sd > 0, sd, 1.0)[:means]
    return out


def _still(fitted: Fitted, b: int, rows: np.ndarray) -> list[tuple[str, str, str]]:
    """Units of dense layers whose values are constant."""
    design, network = fitted.design, fitted.network
    if not np.any(network.table[:-1, codes.OP] == codes.DENSE):
        return []
    theta = fitted.fit.theta[b].astype(float)
    least, most = np.full(network.width, np.inf), np.full(network.width, -np.inf)
    for part in np.array_split(rows, -(-rows.size * network.width // MOST_NUMBERS)):
        offset = None if design.offset is None else design.offset[:, part]
        values = derivatives.units(network, np.ascontiguousarray(design.x[:, part]), theta, offset)
        least, most = np.minimum(least, values.min(axis=1)), np.maximum(most, values.max(axis=1))
    names = {id(layer): name for layer, name in zip(network.layers, network.layer_names, strict=True)}
    found = []
    for row, layer in zip(network.table[:-1], network.table_layers[:-1], strict=True):
        if row[codes.OP] == codes.DENSE:
            own = slice(row[codes.TARGET], row[codes.TARGET] + row[codes.N_OUT])
            found += [(f"{names[id(layer)]} unit {u + 1}", "saturated", "") for u in np.flatnonzero(least[own] == most[own])]
    return found


def _redundant(outgoing: np.ndarray) -> np.ndarray:
    """(h,) bool: the weights out of a unit are zero beside those of the layer's others."""
    size = np.abs(outgoing).max(axis=1)
    return size <= TOLERANCE * max(float(size.max(initial=0.0)), 1e-300)


def _of_layer(
    units: np.ndarray, saturated: np.ndarray, redundant: np.ndarray, most: int | None = None
) -> list[tuple[int, str, int | None]]:
    """(unit, problem, other unit) of one layer, units (h, n); no pairs are compared of more than `most` units."""
    found: list[tuple[int, str, int | None]] = []
    same = np.zeros((units.shape[0],) * 2, bool)
    live = np.flatnonzero(~saturated)
    if live.size > 1 and (most is None or live.size <= most):
        with np.errstate(divide="ignore", invalid="ignore"):
            same[np.ix_(live, live)] = 1 - np.abs(np.corrcoef(units[live])) <= TOLERANCE
    for u in range(units.shape[0]):
        if redundant[u]:
            found.append((u, "redundant", None))
        if saturated[u]:
            found.append((u, "saturated", None))
            continue
        earlier = np.flatnonzero(same[u, :u])
        if earlier.size:
            found.append((u, "duplicate", int(earlier[0])))
    return found


def _name(layer: int, unit: int) -> str:
    return f"{layer + 1}layhid{unit + 1}"


def in_words(units: pd.DataFrame) -> str:
    """The table as a phrase for a message; "" where it is empty."""
    return ", ".join(
        f"{row.unit} is {row.problem}" + (f" of {row.other}" if row.problem == "duplicate" else "")
        for row in units.itertuples()
    )
