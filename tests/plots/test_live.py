"""The live plot: what it shows in a notebook, beside a display that only remembers; nothing elsewhere."""

from __future__ import annotations

import io
import sys
import types
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from raw import CUT_SHORT

import neuralstat as ns
from neuralstat.errors import ArgumentError, FitWarning
from neuralstat.plots import live

pytestmark = [CUT_SHORT, pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")]


class Handle:
    def __init__(self, picture):
        self.pictures = [picture]

    def update(self, picture):
        self.pictures.append(picture)


class Events:
    def __init__(self):
        self.waiting = []

    def register(self, event, function):
        assert event == "post_run_cell"
        self.waiting.append(function)

    def unregister(self, event, function):
        self.waiting.remove(function)

    def cell_ended(self):
        for function in list(self.waiting):
            function("result")


class Notebook:
    """IPython as far as it is used."""

    def __init__(self, kernel=True):
        self.handles, self.events, self.kernel = [], Events(), object() if kernel else None

    def install(self, monkeypatch):
        module, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        module.get_ipython, module.display = lambda: self, display
        module.version_info = (9, 0, 0)
        display.Image, display.display = lambda data: data, self.display
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", display)
        return self

    def display(self, picture, display_id):
        assert display_id is True
        self.handles.append(Handle(picture))
        return self.handles[-1]


@pytest.fixture
def notebook(monkeypatch):
    return Notebook().install(monkeypatch)


def fit(plot, epochs=4, **more):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "y": rng.normal(size=60)})
    return ns.neuralnet("y ~ x", data, hidden=2, algorithm="adam", epochs=epochs, random_state=1, callbacks=[plot], **more)


def test_the_picture_is_redrawn_in_one_place(notebook, monkeypatch):
    drawn = []
    real = live.plot_history

    def seen(history, name, ax):
        drawn.append((name, len(history)))
        return real(history, name, ax=ax)

    monkeypatch.setattr(live, "plot_history", seen)
    plot = ns.plots.LivePlot(interval=0)
    made = fit(plot, validation=0.25, metrics=["mae"])
    (handle,) = notebook.handles
    assert len(handle.pictures) == 4
    names = [name for name in ("loss", "mae", "mse") if name in made.history]
    others = ("rep", "epoch", "learning_rate")
    assert names == [name for name in sorted(made.history) if name not in others and not name.startswith("val_")]
    assert "mae" in names and drawn == [(name, k) for k in (1, 2, 3, 4) for name in names]
    height, width = imread(io.BytesIO(handle.pictures[-1])).shape[:2]
    assert width > 1.2 * height * len(names) > 300
    assert handle.pictures[0] != handle.pictures[-1]
    own = plot.history[list(made.history)]
    pd.testing.assert_frame_equal(own, made.history, check_dtype=False)
    notebook.events.cell_ended()  # all was drawn
    assert len(handle.pictures) == 4 and not notebook.events.waiting


def test_drawings_lie_apart_and_the_last_epochs_are_drawn_when_the_cell_ends(notebook, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now.__setitem__(0, now[0] + 0.4) or now[0])
    plot = ns.plots.LivePlot(["loss"], interval=1.5)
    fit(plot, epochs=9)
    (handle,) = notebook.handles
    before = len(handle.pictures)
    assert 2 <= before <= 4
    notebook.events.cell_ended()
    assert len(handle.pictures) in (before, before + 1) and not plot._stale and not notebook.events.waiting


def test_repetitions_are_lines_and_another_fit_is_another_picture(notebook):
    plot = ns.plots.LivePlot(["loss"], interval=0)
    made = fit(plot, epochs=2, rep=2)
    assert len(notebook.handles) == 1 and len(notebook.handles[0].pictures) == 4
    assert plot.history[["rep", "epoch"]].to_numpy().tolist() == made.history[["rep", "epoch"]].to_numpy().tolist()
    fit(plot, epochs=3)
    assert len(notebook.handles) == 2 and len(notebook.handles[1].pictures) == 3 and len(plot.history) == 3


@pytest.mark.parametrize("shell", [None, "terminal"])
def test_in_terminals_it_says_so_once(shell, monkeypatch):
    if shell is None:
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
    else:
        terminal = Notebook(kernel=False).install(monkeypatch)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        plot = ns.plots.LivePlot(interval=0)
        fit(plot, epochs=3, rep=2)
        plot.draw()
    said = [w for w in heard if "LivePlot draws in notebooks only" in str(w.message)]
    assert len(said) == 1 and issubclass(said[0].category, FitWarning) and said[0].filename == __file__
    assert len(plot.history) == 6 and (shell is None or not terminal.handles)


def test_arguments_and_files(notebook, tmp_path):
    for wrong in ({"metrics": 3}, {"metrics": []}, {"interval": -1}, {"interval": "x"}):
        with pytest.raises(ArgumentError, match=f"{next(iter(wrong))} must"):
            ns.plots.LivePlot(**wrong)
    assert repr(ns.plots.LivePlot(["loss"])) == "LivePlot(['loss'], interval=1)"
    with pytest.raises(ArgumentError, match=r"metrics must be of 'loss', .*; got 'auc'"):
        fit(ns.plots.LivePlot(["auc"]))
    fit(ns.plots.LivePlot()).save(tmp_path / "fit.nst")
    assert ns.load(tmp_path / "fit.nst").history.shape[0] == 4
