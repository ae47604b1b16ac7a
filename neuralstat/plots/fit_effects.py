"""Plots of the effects of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks.arguments import Anything, Choice, arguments
from neuralstat.effects.accumulated import ale
from neuralstat.effects.functional import output_position
from neuralstat.effects.marginal import marginal_effects
from neuralstat.effects.profiles import ice, partial_dependence
from neuralstat.effects.rows import covariate, is_time, pair, rows_of, takes_levels, two_valued
from neuralstat.effects.weights import importance, lek_profile
from neuralstat.errors import ArgumentError
from neuralstat.fitted import Fitted, fitted_of
from neuralstat.plots import effects as draw
from neuralstat.plots import style
from neuralstat.plots.naming import mean_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("pdp", "ice", "ale", "lek", "importance", "marginal")  # of effects


@arguments(
    fit=Anything("a fit"), variable=Anything("a covariate, or two in a list", None), kind=Choice(*KINDS), ax=style.AX,
)
def plot_effects(fit: Any, variable: Any = None, kind: str = "pdp", *, ax: Axes | None = None, **options: Any) -> Any:
    """Draw an effect.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str or list of two str, optional
        Needed by "pdp", "ice", "ale", "lek", unless there is one. Two by "pdp" and "ale": a heat map with contours and
        the data as points, or a line per level where one is a factor.
    kind : {"pdp", "ice", "ale", "lek", "importance", "marginal"}
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    **options
        Of the effect.

    Returns
    -------
    matplotlib.axes.Axes
        Several outputs, such as the probabilities of classes, are lines of one picture; surfaces and profiles by quantiles
        of several outputs are a panel each: then an array of Axes.

    Raises
    ------
    ArgumentError
        For an unknown kind, and where it is open which variable is meant.
    """
    fitted = fitted_of(fit)
    if variable is not None and kind in ("importance", "marginal"):
        raise ArgumentError(f"kind={kind!r} is of all covariates and takes no variable; 'marginal' has variables=.")
    style.check_axes(ax)
    response = options.get("response")
    k = 0 if len(fitted.design.y_names) == 1 else None if response is None else output_position(fitted, response)
    label, title = mean_name(fitted, k), fitted.design.response if fitted.design.classes is not None else ""
    if kind == "importance":
        return draw.plot_importance(importance(fitted, **options), label="importance", title=title, ax=ax)
    if kind == "marginal":
        frame = marginal_effects(fitted, **options)
        text = f"{frame.columns[0]} of {label}" if fitted.design.classes is not None else str(frame.columns[0])
        return draw.plot_importance(frame, label=text, title=title, ax=ax)
    names = _variables(fitted, variable, kind)
    if len(names) == 2 or kind == "lek":
        return _panels(fitted, names, kind, options, ax)
    if kind == "ice":
        return draw.plot_curves(ice(fitted, names[0], **options), label=label, title=title, ax=ax)
    frame = (ale if kind == "ale" else partial_dependence)(fitted, names[0], **options)
    dates = is_time(covariate(fitted, names[0]))
    both = kind == "pdp" and two_valued(covariate(fitted, names[0])) and len(frame) == 2
    apart = not dates and (both or takes_levels(fitted, names[0]))
    data = options.get("data")
    rug = None
    if not apart and not dates:
        rug = rows_of(fitted, data, names).frame[names[0]] if data is not None else covariate(fitted, names[0])
    text = f"effect on {label}" if kind == "ale" else label
    return draw.plot_profile(frame, label=text, rug=rug, discrete=apart, title=title, ax=ax)


def _variables(fitted: Fitted, variable: Any, kind: str) -> tuple[str, ...]:
    """The variables meant."""
    known = fitted.design.spec.covariates
    if variable is None and len(known) == 1:
        variable = known[0]
    if variable is None:
        raise ArgumentError(f"plot_effects: which variable? One of {', '.join(map(repr, known))}.")
    names = pair(fitted, variable)
    if len(names) == 2 and kind not in ("pdp", "ale"):
        raise ArgumentError(f"kind={kind!r} draws one variable at a time; 'pdp' and 'ale' draw two.")
    return names


def _panels(fitted: Fitted, names: tuple[str, ...], kind: str, options: dict[str, Any], ax: Axes | None) -> Any:
    """Pictures of one output each."""
    y_names = fitted.design.y_names
    asked = options.get("response")
    wanted = [asked] if asked is not None or len(y_names) == 1 else list(y_names)
    if len(wanted) > 1 and ax is not None:
        raise ArgumentError(f"ax holds one of the {len(wanted)} outputs: name it with response=.")
    columns = min(3, len(wanted))
    lines = -(-len(wanted) // columns)
    size = (4.2 * columns, 3.6 * lines)
    axes: list[Any] = [ax] if len(wanted) == 1 else list(style.target_grid(None, lines, columns, size).ravel())
    for place in axes[len(wanted) :]:
        place.remove()
    drawn = [_one(fitted, names, kind, {**options, "response": r}, place) for r, place in zip(wanted, axes, strict=False)]
    return drawn[0] if len(drawn) == 1 else np.array(drawn, dtype=object)


def _one(fitted: Fitted, names: tuple[str, ...], kind: str, options: dict[str, Any], ax: Axes | None) -> Axes:
    k = 0 if options["response"] is None else output_position(fitted, options["response"])
    label = mean_name(fitted, k)
    if kind == "lek":
        return draw.plot_lek(lek_profile(fitted, names[0], **options), label=label, ax=ax)
    if kind == "ale":
        frame, text = ale(fitted, list(names), **options), f"joint effect on {label}"
    else:
        frame, text = partial_dependence(fitted, list(names), **options), label
    rows = rows_of(fitted, options.get("data"), names).frame
    coded = [takes_levels(fitted, n) or two_valued(covariate(fitted, n)) for n in names]
    points = None if any(coded) else [rows[n] for n in names]
    return draw.plot_surface(frame, label=text, centred=kind == "ale", points=points, discrete=(coded[0], coded[1]), ax=ax)
