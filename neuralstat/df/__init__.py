"""Degrees of freedom of fits and of procedures.

``fit.df(method)`` looks the method up in `DF`; to add one, write a function and decorate it (`registry`).
"""

from __future__ import annotations

import warnings
from typing import Any

from ..checks import check_choice, is_real
from ..checks.arguments import NOT_NEGATIVE
from ..errors import ArgumentError, DfError, DfWarning, caller
from ..fitted import Fitted, kept
from . import local, montecarlo  # noqa: F401 (their functions register themselves)
from .procedure import gdf
from .registry import DF, LOCAL, OPTIONS
from .value import DegreesOfFreedom

__all__ = ["DF", "DegreesOfFreedom", "degrees_of_freedom", "edf", "found", "gdf", "limits"]

FAR = 1.0  # remaining rise of twice the log-likelihood beyond which a fit counts as stopped early


def degrees_of_freedom(
    fitted: Fitted, method: str = "jacobian", rep: Any = "best", **options: Any
) -> DegreesOfFreedom:
    """Degrees of freedom of a fit; see `NeuralNetResults.df`."""
    check_choice(method, "df: method", list(DF))
    if wrong := [name for name in options if name not in OPTIONS[method]]:
        taken = ", ".join(map(repr, OPTIONS[method]))
        drawn = "draws no random numbers and " if method in LOCAL else ""
        raise ArgumentError(f"df: method={method!r} {drawn}has no option {wrong[0]!r}; it takes {taken or 'none'}.")
    return DF[method](fitted, rep, **options)


def found(fitted: Fitted, method: Any, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
    """`degrees_of_freedom`, where a number is taken as it is and what is deterministic is kept."""
    if isinstance(method, DegreesOfFreedom):
        return method
    if is_real(method):
        if options:
            raise ArgumentError(f"{next(iter(options))} belongs to a method of df, and df is a number.")
        return DegreesOfFreedom(NOT_NEGATIVE.check(method, "df"), "given")
    check_choice(method, "df: method", list(DF))
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


def warn_limits(fitted: Fitted, method: str, rep: Any) -> None:
    """Warn where a local method meets a fit that is not at an optimum."""
    if method in LOCAL and method != "weights":
        text = limits(fitted, rep)
        if text is not None:
            warnings.warn(f"df({method!r}): {text}", DfWarning, stacklevel=caller())
