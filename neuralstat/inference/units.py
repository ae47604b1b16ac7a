"""Hidden units that the data do not determine: saturated, duplicate and redundant ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..fitted import Fitted
from ..layers import codes
from ..network import derivatives

TOLERANCE = 1e-6  # relative: of a unit's variation, of 1 - |correlation|, of outgoing weights


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
    design, network = fitted.design, fitted.network
    theta = fitted.fit.theta[b].astype(float)
    used = np.ones(design.x.shape[1], bool) if design.weights is None else design.weights > 0
    values = derivatives.units(network, design.x, theta, design.offset)[:, used]
    matrices = network.matrices(theta)
    rows = []
    for layer, row in enumerate(network.table[:-1]):
        units = values[row[codes.TARGET] : row[codes.TARGET] + row[codes.N_OUT]]
        outgoing = np.abs(matrices[layer + 1][1:]).max(axis=1)
        for u, problem, other in _of_layer(units, outgoing):
            rows.append((_name(layer, u), problem, None if other is None else _name(layer, other)))
    return pd.DataFrame(rows, columns=["unit", "problem", "other"])


def _of_layer(units: np.ndarray, outgoing: np.ndarray) -> list[tuple[int, str, int | None]]:
    """(unit, problem, other unit) of one layer, units (h, n), largest absolute weights out (h,)."""
    size = np.maximum(np.abs(units).max(axis=1), 1.0)
    saturated = np.ptp(units, axis=1) <= TOLERANCE * size
    redundant = outgoing <= TOLERANCE * max(float(outgoing.max(initial=0.0)), 1e-300)
    found: list[tuple[int, str, int | None]] = []
    for u in range(units.shape[0]):
        if redundant[u]:
            found.append((u, "redundant", None))
        if saturated[u]:
            found.append((u, "saturated", None))
            continue
        for v in range(u):
            if not saturated[v] and 1 - abs(np.corrcoef(units[u], units[v])[0, 1]) <= TOLERANCE:
                found.append((u, "duplicate", v))
                break
    return found


def _name(layer: int, unit: int) -> str:
    return f"{layer + 1}layhid{unit + 1}"


def in_words(units: pd.DataFrame) -> str:
    """The table as a phrase for a message; "" where it is empty."""
    return ", ".join(
        f"{row.unit} is {row.problem}" + (f" of {row.other}" if row.problem == "duplicate" else "")
        for row in units.itertuples()
    )
