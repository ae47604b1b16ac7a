"""Coefficients beside networks of the same covariates: all of the fit that the linear and smooth terms can say is theirs.

A network g that reads x could take any part of a coefficient of x: b x + g(x) is (b + c) x + (g(x) - c x). What is reported
is the fit's one division in which g is orthogonal, over the rows of the fit, to the constant and to the linear and smooth
terms of covariates that g reads. The fitted values do not change.

References
----------
Ruegamer, Kolb & Klein (2024), The American Statistician 78:88 (orthogonalisation, deepregression); Ruegamer (2023), ICML,
29260 (the same after the fit).
"""

from __future__ import annotations

import numpy as np

from ..fitted import Fitted, kept
from ..formula import expressions
from ..formula.structure import Special
from ..network import blocks, derivatives
from ..training.structured import direct_terms, leading, tower_rows


@kept
def moved(fitted: Fitted, b: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights (P,) of a repetition with what moves from networks to coefficients, and their derivatives (P, P).

    Internal units; None for the derivatives where nothing moves.
    """
    theta = fitted.fit.theta[b].astype(float)
    network = fitted.network
    if not fitted.settings.orthogonal or not network.towers or fitted.settings.minibatch:
        return theta, None
    work = _tasks(fitted)
    if not work:
        return theta, None
    design = fitted.design
    out, turn = theta.copy(), np.eye(theta.size)
    if network.objective.inside.name != "identity":
        return theta, None
    units = derivatives.units(network, design.x, theta, design.offset)
    root = np.ones(design.x.shape[1]) if design.weights is None else np.sqrt(design.weights)
    per_unit, count = network.shapes[-1]
    block = np.arange(network.slices[-1].start, network.slices[-1].stop).reshape(count, per_unit)
    first, source = len(design.x) - network.direct, len(design.x)
    for rows, own, place, size in work:
        basis = np.column_stack([np.ones(design.x.shape[1]), design.x[rows].T])
        projection = np.linalg.pinv(basis * root[:, np.newaxis], rcond=1e-10) * root
        begin = source + place
        for k in range(leading(network)):
            at = block[k, [0, *(1 + row - first for row in rows)]]
            into = block[k, 1 + network.direct + place : 1 + network.direct + place + size]
            free = fitted.fit.free[0][at]
            said = theta[into] @ units[begin : begin + size]
            columns = np.concatenate([own, into])
            out[at[free]] += (projection @ said)[free]
            for part, jacobian in blocks.jacobians(network, fitted.data, theta):
                turn[np.ix_(at[free], columns)] += (projection[:, part] @ jacobian[k][:, columns])[free]
    return out, turn


def reported(fitted: Fitted, b: int) -> np.ndarray:
    """Weights (P,) in original units as coefficients are reported."""
    return fitted.original_weights(moved(fitted, b)[0][np.newaxis])[0]


def _tasks(fitted: Fitted) -> list[tuple[list[int], np.ndarray, int, int]]:
    """For each network: rows of x of terms of its covariates, its own weights, place and number of its last units."""
    network, design = fitted.network, fitted.design
    by_label = {special.label: special for special in design.spec.specials}
    direct = direct_terms(design)
    found, place = [], 0
    for tower, rows, size in zip(network.towers, tower_rows(network), network.tower_sizes, strict=True):
        special = by_label.get(tower.name)
        if special is None or special.kind == "network":
            reads = _columns_of(special, fitted, tower.first, tower.numbers)
            shared = [row for name, own in direct.items() if (used := _names(name)) and used <= reads for row in own]
            parts = [network.slices[r] for r in sorted({r for r in rows if r >= 0})]
            inside = np.concatenate([np.zeros(0, np.int64), *(np.arange(part.start, part.stop) for part in parts)])
            found.append((shared, inside, place, size))
        place += size
    return found


def _columns_of(special: Special | None, fitted: Fitted, first: int, count: int) -> set[str]:
    """Raw columns that a network reads as numbers."""
    if special is not None:
        return {name for expr in special.exprs for name in _names(expr)}
    terms = fitted.design.terms.items()
    return {name for term, rows in terms if rows and first <= rows[0] < first + count for name in _names(term)}


def _names(term: str) -> set[str]:
    """Raw columns of a term; empty for random slopes."""
    if term.startswith("slopes("):
        return set()
    text = term[1:-1] if term.startswith("{") else term
    try:
        return {name for factor in text.split(":") for name in expressions.names(factor)}
    except ValueError:
        return {text}
