"""The distribution of the response at covariates, of several repetitions their mixture; survival over time."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..families import Cox, Multinomial
from ..families.components import Components, of_parameters
from ..families.frozen import frozen
from ..fitted import Fitted
from . import hazards, likelihood
from .predictors import combined

PIECE = 4_000_000  # probabilities that are computed at once


def components_at(
    fitted: Fitted, x: np.ndarray, offset: np.ndarray | None, numbers: list[int], weights: np.ndarray | None,
    combine: str = "mixture",
) -> Components:  # fmt: skip
    """The mixture over repetitions at covariates (D, m), internal units; see `predictors.combined` for "mean"."""
    raw = combined(fitted, fitted.raw(x, offset, numbers), combine)
    family, m = fitted.likely, x.shape[1]
    if isinstance(family, Cox):
        each = [tuple(numbers)] if len(raw) < len(numbers) else [(b,) for b in numbers]
        relative = fitted.parameters(raw)[:, 0]
        return Components([hazards.times_of(fitted, own, r) for own, r in zip(each, relative, strict=True)], m)
    if fitted.network.objective.several and not fitted.distribution.joint:
        return of_parameters(fitted.distribution, list(fitted.parameters(raw)))
    if fitted.network.objective.several or isinstance(family, Multinomial) or fitted.network.n_outputs > 1:
        name = fitted.design.response
        raise ArgumentError(f"the distribution of {name!r} is of several responses or classes: there is no one quantile.")
    w = np.ones(m) if weights is None else np.where(weights > 0, weights, 1.0)
    phi = likelihood.scale(fitted, fitted.best)
    made = [frozen(family, mu, phi, w) for mu in fitted.response(raw)[:, 0]]
    return Components([part for part, _ in made], m, made[0][1])


def survival_at(
    fitted: Fitted, x: np.ndarray, offset: np.ndarray | None, numbers: list[int], times: np.ndarray
) -> np.ndarray:
    """(T, m) probabilities that the response is larger than times (T,), at covariates (D, m), internal units."""
    m = x.shape[1]
    out = np.empty((times.size, m))
    step = max(PIECE // max(times.size, 1), 1)
    for first in range(0, m, step):
        part = slice(first, first + step)
        off = None if offset is None else np.ascontiguousarray(offset[:, part])
        found = components_at(fitted, np.ascontiguousarray(x[:, part]), off, numbers, None)
        out[:, part] = found.above(times[:, np.newaxis])
    return out
