"""Degrees of freedom of fits and of procedures.

``fit.df(method)`` looks the method up in `DF`; to add one, write a function and decorate it (`registry`).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..errors import ArgumentError, DfError, DfWarning
from ..fitted import Fitted, kept
from . import local, montecarlo  # noqa: F401 (their functions register themselves)
from .procedure import gdf
from .registry import DF, LOCAL
from .value import DegreesOfFreedom

__all__ = ["DF", "DegreesOfFreedom", "degrees_of_freedom", "edf", "found", "gdf", "limits"]

FAR = 1.0  # remaining rise of twice the log-likelihood beyond which a fit counts as stopped early


def degrees_of_freedom(
    fitted: Fitted, method: str = "jacobian", rep: Any = "best", **options: Any
) -> DegreesOfFreedom:
    """Degrees of freedom of a fit; see `NeuralNetResults.df`."""
    if method not in DF:
        raise ArgumentError(f"df: method must be one of {', '.join(map(repr, DF))}; got {method!r}.")
    if method in LOCAL:
        surplus = [name for name in options if name != "sigma"]
        if surplus:
            raise ArgumentError(
                f"df: method={method!r} draws no random numbers and has no option {surplus[0]!r}."
            )
        if method != "nic":  # the others do not depend on sigma
            options = {}
    try:
        return DF[method](fitted, rep, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ArgumentError(f"df: {error} (method={method!r})".replace(f"{method}() got an ", "")) from error


def found(fitted: Fitted, method: Any, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
    """`degrees_of_freedom`, where a number is taken as it is and what is deterministic is kept."""
    if isinstance(method, DegreesOfFreedom):
        return method
    if isinstance(method, int | float | np.number) and not isinstance(method, bool):
        return DegreesOfFreedom(float(method), "given")
    if method not in LOCAL or method == "weights" or options:
        return degrees_of_freedom(fitted, method, rep, **options)
    return _local(fitted, method, rep)


@kept
def _local(fitted: Fitted, method: str, rep: Any) -> DegreesOfFreedom:
    return degrees_of_freedom(fitted, method, rep)


def edf(fitted: Fitted) -> float:
    """Degrees of freedom that the criteria count unless told: "jacobian", of the best repetition.

    With ``compat="R"`` the number of weights.
    """
    return float(fitted.k_identified if fitted.settings.compat == "R" else found(fitted, "jacobian"))


def limits(fitted: Fitted, rep: Any = "best") -> str | None:
    """Why local degrees of freedom describe this fit badly, in a sentence; None where they do not."""
    try:
        left = max(local.remaining(fitted, b) for b in fitted.numbers(rep))
    except DfError:
        return None
    if left <= FAR or _used_up(fitted, rep):
        return None
    return (
        f"The fit was stopped before its optimum (twice its log-likelihood could still rise by about {left:.3g} "
        "along the tangent): degrees of freedom from derivatives presume an optimum and overstate those of an early "
        "stop. "
        "df('gdf') or df('covariance') refit the procedure with its stopping rule."
    )


def _used_up(fitted: Fitted, rep: Any) -> bool:
    """Whether the noise has no degrees of freedom left, so that nothing can be beside it."""
    return fitted.dispersed and fitted.n_values - float(found(fitted, "jacobian", rep)) <= 1e-8 * fitted.n_values


def warn_limits(fitted: Fitted, method: str, rep: Any, stacklevel: int = 4) -> None:
    """Warn where a local method meets a fit that is not at an optimum."""
    if method in LOCAL and method != "weights":
        text = limits(fitted, rep)
        if text is not None:
            warnings.warn(f"df({method!r}): {text}", DfWarning, stacklevel=stacklevel)
