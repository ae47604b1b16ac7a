"""Sums over the rows of a fit, also where these are on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..cluster import part_design
from ..network import derivatives


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
