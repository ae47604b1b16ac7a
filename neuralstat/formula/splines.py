"""B-splines as R's ``bs``: beyond the boundary knots the polynomials go on, with a warning."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from formulaic.transforms import basis_spline
from formulaic.utils.stateful_transforms import stateful_transform

from neuralstat.formula.smooths import is_smooth
from neuralstat.formula.state import WITH_LEVELS

BEYOND = "__neuralstat_beyond__"  # name in an expression's scope of the list that notes go to

_BSPLINE = {"lower_bound", "upper_bound", "knots"}  # what is remembered of `bs`


@stateful_transform
def bs(
    x: Any, df: int | None = None, knots: Iterable[float] | None = None, degree: int = 3, include_intercept: bool = False,
    lower_bound: float | None = None, upper_bound: float | None = None, extrapolation: str | None = None,
    _state: Any = None, _context: Any = None,
) -> Any:  # fmt: skip
    """Basis of B-splines, formulaic's ``bs`` but for `extrapolation`.

    Where that is not given, values beyond the boundary knots get the polynomials of the outermost pieces, as in R, and a
    note is left for a warning; where "raise", "clip", "na", "zero" or "extend" is, formulaic does what it says.
    """
    given: dict[str, Any] = {
        "df": df, "knots": knots, "degree": degree, "include_intercept": include_intercept, "lower_bound": lower_bound,
        "upper_bound": upper_bound,
    }  # fmt: skip
    if extrapolation is not None:
        return basis_spline(x, **given, extrapolation=extrapolation, _state=_state)
    values = np.asarray(x, dtype=np.float64)
    low, high = (_bound(given[f"{edge}_bound"], values, edge, _state) for edge in ("lower", "upper"))
    inside = (values >= low) & (values <= high)
    if "knots" not in _state and inside.any():
        basis_spline(values[inside], **given, _state=_state)  # as in R, quantiles of what lies inside
    if _context is not None and not inside.all():
        number = int(np.sum(~inside & ~np.isnan(values)))
        if number:
            _context[BEYOND].append((number, low, high))
    return basis_spline(values, **given, extrapolation="extend", _state=_state)


def _bound(given: float | None, values: np.ndarray, edge: str, state: Mapping[str, Any]) -> float:
    """A boundary knot: as remembered, as given, or the extreme of the values."""
    known = state.get(f"{edge}_bound", given)
    extreme = np.nanmin if edge == "lower" else np.nanmax
    return float(extreme(values)) if known is None else float(known)


def beyond(expr: str, notes: Iterable[tuple[int, float, float]]) -> str:
    """The warning that notes of `bs` in an expression make; empty where there are none."""
    said = "; ".join(f"{number} value(s) beyond the boundary knots {low:g} and {high:g}" for number, low, high in notes)
    return said and (
        f"`{expr}`: {said}: the outermost polynomials go on there, as in R, and may soon be far off. extrapolation='clip' "
        "holds the spline at its ends, 'extend' says that this is meant; cr() goes on as a straight line."
    )


def boundaries(transforms: Mapping[str, Any]) -> dict[str, Any]:
    """The part of transforms' states that refits keep.

    That is the boundary knots of B-splines, the period of cyclic splines, smooths whole, levels of structured terms. Inner
    knots, centres and polynomials are found from the rows of the refit; the range that a basis is made for is part of the
    question, as levels are, and so is the whole basis where weights are penalised: the penalty is that of its coordinates.
    """
    kept = {}
    for node, state in transforms.items():
        if is_smooth(state) or node.startswith(WITH_LEVELS):
            kept[node] = dict(state)
        elif set(state) == _BSPLINE or state.get("cyclic") is True:
            kept[node] = {name: state[name] for name in ("lower_bound", "upper_bound")}
    return kept
