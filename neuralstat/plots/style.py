"""Colours, halo and small helpers shared by all plots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

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

# Backends that only write files: pyplot cannot show anything with them.
_FILE_BACKENDS = frozenset({"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"})


def new_axes(figsize: tuple[float, float]) -> Axes:
    """Axes alone in a new figure of ``figsize`` inches.

    Where pyplot can show a figure (a window, a notebook), the figure is made by pyplot, so that a notebook
    displays it at the end of the cell and a later ``plt.show()`` of the user's finds it. With a backend that
    only writes files there is nothing to show, and a figure that pyplot holds on to would merely leak: then
    the figure is free-standing, reached by ``ax.figure`` (``ax.figure.savefig(...)``) and collected with it.
    """
    return new_grid(1, 1, figsize)[0, 0]


def new_grid(rows: int, columns: int, figsize: tuple[float, float]) -> np.ndarray:
    """Axes, shape (rows, columns), alone in a new figure of ``figsize`` inches, made as by `new_axes`."""
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    if plt.get_backend().lower() in _FILE_BACKENDS:
        return Figure(figsize=figsize, layout="constrained").subplots(rows, columns, squeeze=False)
    return plt.subplots(rows, columns, figsize=figsize, layout="constrained", squeeze=False)[1]


def target_axes(ax: Any, figsize: tuple[float, float]) -> Axes:
    """``ax`` when given (checked to be matplotlib Axes), else new axes of ``figsize`` inches."""
    if ax is None:
        return new_axes(figsize)
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise ArgumentError(f"ax must be matplotlib Axes or None, not {type(ax).__name__}")
    return ax


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
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise ArgumentError(f"{name} must be a numeric vector, not {type(value).__name__}: {exc}") from exc
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
    array = np.asarray(value)
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
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ArgumentError(f"{name} must be a sequence of {size} strings, not {value!r}")
    result = tuple(value)
    if len(result) != size:
        raise ArgumentError(f"{name} has {len(result)} names, but {like}")
    return tuple(text(f"{name}[{i}]", v) for i, v in enumerate(result))


def is_binary(y: np.ndarray) -> bool:
    """Whether all values are 0 or 1 and both occur."""
    return bool(np.isin(y, (0.0, 1.0)).all() and (y == 0).any() and (y == 1).any())


def jitter(y: np.ndarray, width: float = 0.035) -> np.ndarray:
    """Add uniform noise in [-width, width], the same for the same length: pictures are reproducible."""
    return y + np.random.default_rng(y.size).uniform(-width, width, y.size)


def point_style(n: int) -> dict[str, Any]:
    """Marker size and opacity for a cloud of ``n`` points: many points are small and see-through."""
    return {"s": float(np.clip(4000 / n, 5, 22)), "alpha": float(np.clip(8 / np.sqrt(n), 0.15, 0.65))}
