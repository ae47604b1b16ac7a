"""Degrees of freedom of fits and of procedures.

``fit.df(method)`` looks the method up in `DF`; to add one, write a function and an entry.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DfError, DfWarning
from . import local, montecarlo
from .procedure import gdf
from .value import DegreesOfFreedom, averaged

if TYPE_CHECKING:
    from ..results import NeuralNetResults

__all__ = ["DF", "DegreesOfFreedom", "degrees_of_freedom", "gdf", "limits"]

FAR = 1.0  # remaining rise of twice the log-likelihood beyond which a fit counts as stopped early


def _by_member(function: Callable[..., DegreesOfFreedom]) -> Callable[..., DegreesOfFreedom]:
    """Of the mean of several repetitions: the mean of their degrees of freedom (the divergence is linear)."""

    def method(results: NeuralNetResults, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
        return averaged([function(results, b, **options) for b in results._numbers(rep)])

    return method


#: method -> function of results, repetition, options
DF: dict[str, Callable[..., DegreesOfFreedom]] = {
    "jacobian": _by_member(local.jacobian),
    "divergence": _by_member(local.divergence),
    "nic": _by_member(local.nic),
    "weights": _by_member(local.weights),
    "gdf": montecarlo.gdf,
    "covariance": montecarlo.covariance,
    "sure": montecarlo.sure,
}
LOCAL = ("jacobian", "divergence", "nic")


def degrees_of_freedom(
    results: NeuralNetResults, method: str = "jacobian", rep: Any = "best", **options: Any
) -> DegreesOfFreedom:
    """Degrees of freedom of a fit; see `NeuralNetResults.df`."""
    if method not in DF:
        raise ArgumentError(f"df: method must be one of {', '.join(map(repr, DF))}; got {method!r}.")
    if method in (*LOCAL, "weights"):
        surplus = [name for name in options if name != "sigma"]
        if surplus:
            raise ArgumentError(
                f"df: method={method!r} draws no random numbers and has no option {surplus[0]!r}."
            )
        if method != "nic":  # the others do not depend on sigma
            options = {}
    try:
        return DF[method](results, rep, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ArgumentError(f"df: {error} (method={method!r})".replace(f"{method}() got an ", "")) from error


def limits(results: NeuralNetResults, rep: Any = "best") -> str | None:
    """Why local degrees of freedom describe this fit badly, in a sentence; None where they do not."""
    try:
        left = max(local.remaining(results, b) for b in results._numbers(rep))
    except DfError:
        return None
    if left <= FAR:
        return None
    return (
        f"The fit was stopped before its optimum (twice its log-likelihood could still rise by about {left:.3g} "
        "along the tangent): degrees of freedom from derivatives presume an optimum and overstate those of an early "
        "stop. "
        "df('gdf') or df('covariance') refit the procedure with its stopping rule."
    )


def warn_limits(results: NeuralNetResults, method: str, rep: Any, stacklevel: int = 4) -> None:
    """Warn where a local method meets a fit that is not at an optimum."""
    if method in LOCAL:
        text = limits(results, rep)
        if text is not None:
            warnings.warn(f"df({method!r}): {text}", DfWarning, stacklevel=stacklevel)
