"""Sums over the rows of a fit, also where these are on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..cluster import ClusterDesign, part_design
from ..network import derivatives


class Summed:
    """Sums over the rows of a fit."""

    design: Any

    def total(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(fitted, *arguments)``, a sum over rows (a number, an array, or a tuple of them).

        Where the rows are on a cluster, the function, of a module, is called there with the fit of each part's rows, and what
        it gives is added.
        """
        if not isinstance(self.design, ClusterDesign):
            return function(self, *arguments)
        found = self.design.held.total(of_part, self, function, arguments)
        values = tuple(v.item() if v.ndim == 0 else v for v in found)
        return values if len(values) > 1 else values[0]


def of_part(part: Any, fitted: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """A sum over the rows of one part, on the worker that has it."""
    local = replace(fitted.procedure, design=part_design(fitted.design, part))
    found = function(replace(fitted, procedure=local), *arguments)
    return found if isinstance(found, tuple) else (found,)


def gradients_of(fitted: Any) -> np.ndarray:
    """(B, P) gradients without penalty."""
    free = fitted.fit.free
    return np.array([derivatives.gradient(fitted.network, fitted.data, theta.astype(float), None, free[b % len(free)])
                     for b, theta in enumerate(fitted.fit.theta)])  # fmt: skip


def half_squares(fitted: Any, b: int) -> float:
    """Half squared errors, each output in its own units."""
    design = fitted.design
    f = fitted.raw(design.x, design.offset, [b])[0]
    half = 0.5 * ((f - design.y) * design.scaling.y_sd[:, np.newaxis]) ** 2
    return float(np.sum(half if design.weights is None else half * design.weights))
