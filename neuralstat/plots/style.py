"""Colours, halo and small helpers shared by all plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks import check_items, shown
from neuralstat.checks.arguments import Anything, Numbers
from neuralstat.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart with every common kind of colour blindness.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
SKY = "#56B4E9"
AMBER = "#E69F00"
PINK = "#CC79A7"
INK = "#26323a"
GREY = "#76838b"
PALE = "#c9d1d6"

POSITIVE, NEGATIVE = BLUE, ORANGE
SERIES = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY, INK, GREY)


AX = Anything("matplotlib Axes or None", None)


def check_axes(ax: Any) -> None:
    """Raise an ArgumentError where ``ax`` is neither matplotlib Axes nor None; before anything is computed for it."""
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        raise ArgumentError(f"ax must be matplotlib Axes or None, not {type(ax).__name__}")


def present_axes(ax: Any) -> Axes | None:
    """``ax`` where given, else pyplot's current axes while nothing is in them, else None.

    Raises
    ------
    ArgumentError
        Where `ax` is something else.
    """
    check_axes(ax)
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    if not plt.get_fignums():
        return None
    figure = plt.gcf()
    if not figure.axes and not figure.subfigs:
        return figure.add_subplot()
    return plt.gca() if figure.axes and _is_empty(plt.gca()) else None


def target_axes(ax: Any, figsize: tuple[float, float]) -> Axes:
    """The axes to draw in: ``ax`` where given, else pyplot's current ones, else new ones of ``figsize`` inches.

    Current axes are drawn in while nothing is in them (``plt.figure(...)``, ``plt.sca(panel)``); beside a finished
    picture a new figure of pyplot is made. Either way ``plt.savefig`` and ``plt.show`` afterwards find the picture.

    Raises
    ------
    ArgumentError
        Where `ax` is something else.
    """
    from matplotlib import pyplot as plt

    present = present_axes(ax)
    return plt.subplots(figsize=figsize, layout="constrained")[1] if present is None else present


def target_grid(axes: Any, rows: int, columns: int, figsize: tuple[float, float]) -> np.ndarray:
    """Axes for a picture of several panels: ``axes`` where given, else new ones, shape (rows, columns).

    New ones are made in pyplot's current figure while it has none, beside that in a new figure of ``figsize`` inches.

    Raises
    ------
    ArgumentError
        Where `axes` are not so many matplotlib Axes.
    """
    from matplotlib.axes import Axes

    if axes is not None:
        words = f"{'four' if rows * columns == 4 else rows * columns} matplotlib Axes"
        array = isinstance(axes, np.ndarray) and axes.size == rows * columns  # its size before its items
        flat = list(axes.reshape(-1)) if array else check_items(axes, "axes", words)
        if len(flat) != rows * columns or not all(isinstance(a, Axes) for a in flat):
            raise ArgumentError(f"axes must be {words}, got {shown(axes)}.")
        given = np.empty(len(flat), dtype=object)
        given[:] = flat
        return given.reshape(axes.shape) if isinstance(axes, np.ndarray) else given
    from matplotlib import pyplot as plt

    if plt.get_fignums():
        figure = plt.gcf()
        if not figure.axes and not figure.subfigs:
            if figure.get_layout_engine() is None:
                figure.set_layout_engine("constrained")  # titles and labels of panels would lie on one another
            return figure.subplots(rows, columns, squeeze=False)
    return plt.subplots(rows, columns, figsize=figsize, layout="constrained", squeeze=False)[1]


def _is_empty(ax: Axes) -> bool:
    """Whether nothing was drawn in axes."""
    return not (ax.has_data() or ax.texts or ax.tables or ax.get_legend())


def series(count: int) -> list[Any]:
    """So many colours: those of `SERIES`, beyond eight from dark to light."""
    if count <= len(SERIES):
        return list(SERIES[:count])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 0.95, count)))


def halo(color: Any = "white", width: float = 2.6) -> list[Any]:
    """Path effects that draw a text or line on an outline of ``color``."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground=color), Normal()]


def tidy(ax: Axes) -> None:
    """Leave only the left and bottom spines and a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(colors=INK, which="both")
    ax.grid(True, which="major", color="#eceff1", linewidth=0.8)
    ax.set_axisbelow(True)


def legend(place: Any, *args: Any, **options: Any) -> Any:
    """The legend of axes or of a figure, whose words are written as they are: "$" is no formula."""
    made = place.legend(*args, **options)
    for word in (*made.get_texts(), made.get_title()):
        word.set_parse_math(False)
    return made


def entry(name: Any) -> str | None:
    """A name as the label of a legend's entry: matplotlib leaves out those that begin with an underscore."""
    return None if name is None else f" {name}" if str(name).startswith("_") else str(name)


def note(ax: Axes, text: str) -> None:
    """Write ``text`` small in the upper right corner of the axes."""
    ax.text(
        0.99,
        0.985,
        text,
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=8.5,
        color=GREY,
        path_effects=halo(),
        zorder=10,
    )


def number(value: float, digits: int = 4) -> str:
    """``value`` to ``digits`` significant digits with a typographic minus sign."""
    return f"{float(value):.{digits}g}".replace("-", "\N{MINUS SIGN}")


def plain(value: float, digits: int = 4) -> str:
    """`number` without a power of ten where the number has at most seven figures before the point."""
    size = abs(float(value))
    if not 1e-3 <= size < 1e7:
        return number(value, digits)
    places = max(digits - 1 - int(np.floor(np.log10(size))), 0)
    text = f"{float(value):.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "\N{MINUS SIGN}")


def vector(
    name: str, value: Any, *, size: int | None = None, like: str = "", finite: bool = False
) -> np.ndarray:
    """Check that argument ``name`` is a non-empty numeric vector and return it as float64.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    value : array-like, shape (n,)
        The argument.
    size : int, optional
        Length that it must have.
    like : str
        What has that length, for the message.
    finite : bool
        Refuse NaN and infinity.

    Raises
    ------
    ArgumentError
        When a condition fails.
    """
    try:
        array = Numbers(None, finite=False).check(value, name)
    except ArgumentError:
        raise ArgumentError(f"{name} must be a numeric vector, not {type(value).__name__}: {shown(value)}") from None
    if array.ndim != 1 or array.size == 0:
        raise ArgumentError(f"{name} must be a non-empty vector; it has shape {array.shape}")
    if size is not None and array.size != size:
        raise ArgumentError(f"{name} has {array.size} values, but {like} has {size}")
    if finite and not np.isfinite(array).all():
        raise ArgumentError(f"{name} has {np.count_nonzero(~np.isfinite(array))} values that are not finite")
    return array


def flags(name: str, value: Any, size: int, like: str) -> np.ndarray:
    """Check that argument ``name`` holds ``size`` booleans; ``None`` stands for all true."""
    if value is None:
        return np.ones(size, dtype=bool)
    try:
        array = np.asarray(value)
    except Exception:  # how a foreign object makes an array of itself is its own code
        array = np.zeros(0)
    if array.dtype != np.bool_ or array.shape != (size,):
        raise ArgumentError(
            f"{name} must be a vector of {size} booleans, one per {like}; "
            f"it has type {array.dtype} and shape {array.shape}"
        )
    return array


def text(name: str, value: Any) -> str:
    """Check that argument ``name`` is a string."""
    if not isinstance(value, str):
        raise ArgumentError(f"{name} must be a string, not {type(value).__name__}")
    return value


def names(name: str, value: Any, size: int, like: str) -> tuple[str, ...]:
    """Check that argument ``name`` is a sequence of ``size`` strings; ``like`` says why that many."""
    if isinstance(value, str):
        raise ArgumentError(f"{name} must be a sequence of {size} strings, not {shown(value)}")
    result = tuple(check_items(value, name, f"a sequence of {size} strings"))
    if len(result) != size:
        raise ArgumentError(f"{name} has {len(result)} names, but {like}")
    return tuple(text(f"{name}[{i}]", v) for i, v in enumerate(result))


def is_binary(y: np.ndarray) -> bool:
    """Whether all values are 0 or 1 and both occur."""
    return bool(np.isin(y, (0.0, 1.0)).all() and (y == 0).any() and (y == 1).any())


def jitter(y: np.ndarray, width: float = 0.035) -> np.ndarray:
    """Add uniform noise in [-width, width], the same for the same length: pictures are reproducible."""
    return y + np.random.default_rng(y.size).uniform(-width, width, y.size)


MANY = 5000  # points from which a cloud is a picture inside vector graphics, whose files would be huge


def cloud(ax: Axes, x: np.ndarray, y: np.ndarray, color: str, label: str | None = None, **options: Any) -> None:
    """Draw observations as points; see `point_style`."""
    look = {**point_style(max(x.size, 1)), "linewidths": 0, "gid": "observations", "rasterized": x.size > MANY, **options}
    ax.scatter(x, y, color=color, label=label, **look)


def point_style(n: int) -> dict[str, Any]:
    """Marker size and opacity for a cloud of ``n`` points: many points are small and see-through."""
    return {"s": float(np.clip(4000 / n, 5, 22)), "alpha": float(np.clip(8 / np.sqrt(n), 0.15, 0.65))}
