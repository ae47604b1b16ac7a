"""Where degrees of freedom from derivatives describe a fit badly."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import DfError, DfWarning, caller
from ..families import Survival
from ..fitted import Fitted
from . import local
from .registry import DF, LOCAL

LARGE = 0.5  # remaining rise per degree of freedom beyond which an early stop outweighs the search among restarts
FAR = 1.0  # remaining rise of twice the log-likelihood beyond which a fit counts as stopped early


def limits(fitted: Fitted, rep: Any = "best") -> str | None:
    """Why local degrees of freedom describe this fit badly, in a sentence; None where they do not."""
    try:
        left = max(local.remaining(fitted, b) for b in fitted.numbers(rep))
    except DfError:
        return None
    if left <= FAR or _used_up(fitted, rep):
        return None
    searched = not fitted.penalised and fitted.settings.repetitions > 1
    if left >= LARGE * float(DF["jacobian"](fitted, rep)):
        direction = "presume an optimum and overstate those of an early stop"
    elif searched:
        direction = "presume an optimum, of which a stop has fewer, and see no choice among restarts, which costs more"
    else:
        direction = "presume an optimum, of which a stop has fewer"
    return (
        f"The fit was stopped before its optimum (twice its log-likelihood could still rise by about {left:.3g} "
        f"along the tangent): degrees of freedom from derivatives {direction}.{_refits(fitted)}"
    )


def _refits(fitted: Fitted) -> str:
    """Which methods refit the procedure of such a fit, as the end of a message."""
    if isinstance(fitted.family, Survival):  # whose times are not drawn again
        return ""
    several = fitted.network.objective.several and not fitted.distribution.located
    which = "df('covariance') refits" if several else "df('gdf') or df('covariance') refit"
    return f" {which} the procedure with its restarts and its stopping rule."


def _used_up(fitted: Fitted, rep: Any) -> bool:
    """Whether the noise has no degrees of freedom left, so that nothing can be beside it."""
    return fitted.dispersed and fitted.n_values - float(DF["jacobian"](fitted, rep)) <= 1e-8 * fitted.n_values


def warn_limits(fitted: Fitted, method: str, rep: Any) -> None:
    """Warn where a local method meets a fit that is not at an optimum."""
    if method in LOCAL and method != "weights":
        text = limits(fitted, rep)
        if text is not None:
            warnings.warn(f"df({method!r}): {text}", DfWarning, stacklevel=caller())
