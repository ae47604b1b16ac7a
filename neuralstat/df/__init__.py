"""Degrees of freedom of fits and of procedures.

``fit.df(method)`` looks the method up in `DF`; to add one, write a function and decorate it (`registry`).
"""

from __future__ import annotations

from typing import Any

from ..checks import check_choice, is_real
from ..checks.arguments import NOT_NEGATIVE, REP_OR_MEAN
from ..errors import ArgumentError
from ..fitted import Fitted, kept
from ..network.blas import on_one_thread
from . import automatic, local, montecarlo  # noqa: F401 (their functions register themselves)
from .limits import limits, warn_limits
from .procedure import gdf
from .registry import DF, LOCAL, OPTIONS
from .value import DegreesOfFreedom

__all__ = ["DF", "DegreesOfFreedom", "degrees_of_freedom", "edf", "found", "gdf", "limits", "warn_limits"]


@on_one_thread
def degrees_of_freedom(
    fitted: Fitted, method: str = "auto", rep: Any = "best", **options: Any
) -> DegreesOfFreedom:
    """Degrees of freedom of a fit; see `NeuralNetResults.df`."""
    method = check_choice(method, "df: method", list(DF))
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
    method = check_choice(method, "df: method", list(DF))
    rep = REP_OR_MEAN.check(rep, "rep")
    if method not in LOCAL or method == "weights" or options:
        return degrees_of_freedom(fitted, method, rep, **options)
    return _local(fitted, method, rep)


@kept
def _local(fitted: Fitted, method: str, rep: Any) -> DegreesOfFreedom:
    return degrees_of_freedom(fitted, method, rep)


def edf(fitted: Fitted) -> float:
    """Degrees of freedom that `df_model`, `df_resid` and the dispersion count: "jacobian", of the best repetition.

    With ``compat="R"`` the number of weights.
    """
    return float(fitted.k_identified if fitted.settings.compat == "R" else found(fitted, "jacobian"))
