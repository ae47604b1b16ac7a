"""A picture of training that is redrawn in a notebook while it goes on."""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd

from neuralstat.checks import shown
from neuralstat.checks.arguments import NONE, NOT_NEGATIVE, TEXT, Several, arguments
from neuralstat.errors import ArgumentError, FitWarning, caller
from neuralstat.plots.history import plot_history

_NO_METRICS = ("rep", "epoch", "step", "learning_rate")
_SIDE = 4.2  # inches of a panel


class LivePlot:
    """A callback that draws loss and metrics against the epoch while a fit by epochs goes on, in a notebook.

    A panel for each metric, in it training and validation, a line for each repetition, as `plot_history`. One picture is
    drawn again and again, in the place where it first was; when the cell has ended, once more with all epochs. A further
    fit with the same object begins another picture. Elsewhere than in a notebook nothing is drawn, which is said once.

    Parameters
    ----------
    metrics : sequence of str, optional
        Columns of `history` without ``val_``; all unless given.
    interval : float
        Seconds that lie between two drawings at least; 0 draws after every epoch.

    Attributes
    ----------
    history : DataFrame
        What was seen so far, as `NeuralNetResults.history`.

    Warns
    -----
    FitWarning
        Where there is no notebook.

    Examples
    --------
    >>> import warnings
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(60, random_state=1)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # here is no notebook
    ...     live = ns.plots.LivePlot(["loss"])
    ...     fit = ns.neuralnet("y ~ x", data, hidden=3, algorithm="adam", epochs=2, callbacks=[live], random_state=1)
    >>> live.history["epoch"].tolist()
    [1, 2]
    """

    @arguments(metrics=NONE | Several(TEXT, 1, 100), interval=NOT_NEGATIVE)
    def __init__(self, metrics: Any = None, *, interval: float = 1.0) -> None:
        self.metrics, self.interval = None if metrics is None else tuple(metrics), float(interval)
        self._rows: dict[tuple[int, int], dict[str, Any]] = {}
        self._last: dict[int, int] = {}
        self._handle: Any = None
        self._drawn = -float("inf")
        self._stale = self._waits = False
        if _notebook() is None:
            said = "LivePlot draws in notebooks only; fit.plot_history() draws when the fit has ended."
            warnings.warn(said, FitWarning, stacklevel=caller())

    def __repr__(self) -> str:
        return f"LivePlot({'' if self.metrics is None else f'{list(self.metrics)}, '}interval={self.interval:g})"

    @property
    def history(self) -> pd.DataFrame:
        """A row per repetition and epoch."""
        return pd.DataFrame([self._rows[at] for at in sorted(self._rows)])

    def __call__(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """What a fit calls after every epoch of each repetition."""
        rep = int(logs["rep"])
        if epoch <= self._last.get(rep, 0):  # another fit
            self._rows, self._last, self._handle, self._drawn = {}, {}, None, -float("inf")
        self._rows[rep, epoch], self._last[rep] = dict(logs), epoch
        self._stale = True
        shell = _notebook()
        if shell is None:
            return
        self._wait(shell)
        if time.monotonic() - self._drawn >= self.interval:
            self.draw()

    def draw(self) -> None:
        """Draw what was seen so far, where that is not in the picture yet.

        Raises
        ------
        ArgumentError
            Where the fit has no such metric.
        """
        if not self._stale or _notebook() is None:
            return
        from IPython.display import Image, display

        picture = Image(data=_png(self.history, self.metrics))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)
        self._stale, self._drawn = False, time.monotonic()

    def _wait(self, shell: Any) -> None:
        """Have the last epochs drawn when the cell has ended."""
        events = getattr(shell, "events", None)
        if self._waits or events is None:
            return
        self._waits = True

        def ended(*_: Any) -> None:
            events.unregister("post_run_cell", ended)
            self._waits = False
            self.draw()

        events.register("post_run_cell", ended)


def _notebook() -> Any:
    """The shell of a notebook; None elsewhere. IPython is not loaded where it is not running."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get is None else get()
    return shell if getattr(shell, "kernel", None) is not None else None


def _png(history: pd.DataFrame, metrics: tuple[str, ...] | None) -> bytes:
    """A panel for each metric."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    known = [name for name in history.columns if name not in _NO_METRICS and not name.startswith("val_")]
    known.sort(key=lambda name: name != "loss")  # comes first
    for name in metrics or ():
        if name not in known:
            raise ArgumentError(f"metrics must be of {', '.join(map(repr, known))}; got {shown(name)}.")
    names = metrics or tuple(known)
    figure = Figure(figsize=(_SIDE * len(names), 0.75 * _SIDE), layout="constrained")
    FigureCanvasAgg(figure)
    for k, name in enumerate(names, start=1):
        plot_history(history, name, ax=figure.add_subplot(1, len(names), k))
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
