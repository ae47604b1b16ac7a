"""Arguments of plots: nonsense is refused by name, and nothing is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import plots
from neuralstat.errors import ArgumentError

RNG = np.random.default_rng(6)
DATA = pd.DataFrame({"y": RNG.normal(size=24), "x": RNG.normal(size=24), "k": RNG.choice(["u", "v", "w"], 24)})
RAISES = type("Raises", (), {"__eq__": lambda *_: 1 / 0, "__hash__": None, "__repr__": lambda _: 1 / 0,
                             "__array__": lambda *_, **__: 1 / 0, "__iter__": lambda _: 1 / 0})()  # fmt: skip
NONSENSE = ["nonsense", -1, np.nan, 10**30, [1], {"x": 1}, {1}, np.ones((3, 3)), DATA, DATA["x"], int, RAISES, pd.NA,
            1j, b"x"]  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    return ns.neuralnet("y ~ x", DATA, hidden=2, rep=2, random_state=1, penalty=ns.decay(0.1))


@pytest.fixture(autouse=True)
def _closed():
    plt.close("all")
    yield
    plt.close("all")


METHODS = {
    "plot": ("rep", "widths", "show_weights", "show_bias", "information", "legend", "fontsize", "max_units", "colors", "ax"),
    "plot_fit": ("response", "points", "interval", "alpha", "band", "band_label", "truth", "ax"),
    "plot_effects": ("variable", "kind", "response", "rep", "alpha", "ax"), "plot_error": ("ax",),
    "plot_restarts": ("tolerance", "optima", "ax"), "gwplot": ("covariate", "response", "rep", "ax"),
    "plot_diagnostics": ("rep", "label", "axes"), "plot_spectrum": ("rep", "ax"),
}  # fmt: skip
MEANT = {("plot_fit", "band_label"): ["nonsense"]}


@pytest.mark.parametrize("method, argument", [(m, a) for m, names in METHODS.items() for a in names])
def test_nonsense_is_refused_by_name(fit, method, argument):
    for value in NONSENSE:
        if argument in ("fontsize", "max_units", "label", "points", "tolerance") and isinstance(value, int) and value > 0:
            continue  # 10**30 is refused for its size, or means all
        if isinstance(value, str) and value in MEANT.get((method, argument), ()):
            continue
        with pytest.raises(ArgumentError) as caught:
            getattr(fit, method)(**{argument: value})
        assert argument in str(caught.value), str(caught.value)
        assert not any(figure.axes for figure in map(plt.figure, plt.get_fignums())), "something was drawn"
        plt.close("all")


LAYERS = pd.DataFrame({"kind": ["Dense"], "output_shape": [(2,)], "params": [2], "trained": [2]})
FUNCTIONS = {
    plots.plot_error: ({"traces": [([1, 2], [1.0, 2.0])]}, ("traces", "converged", "ax")),
    plots.plot_history: (
        {"history": pd.DataFrame({"rep": [1], "epoch": [1], "loss": [1.0]})}, ("history", "metric", "best_epochs", "ax"),
    ),
    plots.plot_spectrum: ({"spectrum": pd.DataFrame({"eigenvalue": [1.0], "kind": ["positive"]})}, ("spectrum", "ax")),
    plots.plot_images: ({"images": np.ones((2, 3, 3))}, ("images", "labels", "columns", "signed", "together", "ax")),
    plots.plot_saliency: (
        {"images": np.ones((1, 3, 3, 1)), "saliency": np.ones((1, 3, 3, 1))}, ("images", "saliency", "labels", "ax"),
    ),
    plots.plot_confusion: ({"table": np.eye(2)}, ("table", "labels", "y_name", "ax")),
    plots.plot_observed_fitted: ({"y": [1.0, 2.0], "fitted": [1.0, 2.0]}, ("y", "fitted", "y_name", "ax")),
    plots.gwplot: (
        {"covariate": [1.0, 2.0], "values": [1.0, 2.0], "name": "x", "response": "y"},
        ("covariate", "values", "name", "response", "ax"),
    ),
    plots.plot_layers: (
        {"table": LAYERS, "input_shape": (3,)},
        ("table", "input_shape", "input_name", "ax"),
    ),
    plots.plot_network: (
        {"weights": [np.ones((2, 1))], "x_names": ["x"], "y_names": ["y"]},
        ("weights", "x_names", "y_names", "error", "steps", "fixed", "sizes", "colors", "ax"),
    ),
    plots.plot_fit: (
        {"x": [1.0, 2.0], "y": [1.0, 2.0], "grid": [1.0, 2.0], "curves": [[1.0, 2.0]], "mean": [1.0, 2.0]},
        ("x", "y", "grid", "curves", "mean", "band", "band_label", "outer", "truth", "x_name", "y_name", "ax"),
    ),
}
NUMBERS = ("error", "steps")  # any will do
WORDS = ("y_name", "name", "response", "x_name", "band_label", "input_name")


@pytest.mark.parametrize("function, argument", [(f, a) for f, (_, names) in FUNCTIONS.items() for a in names],
                         ids=lambda v: getattr(v, "__name__", v))  # fmt: skip
def test_nonsense_to_functions_of_arrays(function, argument):
    right, _ = FUNCTIONS[function]
    for value in NONSENSE:
        if (argument in NUMBERS and isinstance(value, int | float)) or (argument in WORDS and isinstance(value, str)):
            continue
        if argument == "columns" and isinstance(value, int) and value > 0:
            continue
        if argument in ("labels", "input_shape") and isinstance(value, list | set):
            continue  # one label, one number
        if function is plots.plot_confusion and argument == "table" and isinstance(value, np.ndarray):
            continue  # a table of three classes
        if argument == "best_epochs" and isinstance(value, list | pd.Series):
            continue
        with pytest.raises(ArgumentError) as caught:
            function(**{**right, argument: value})
        assert argument.rstrip("s") in str(caught.value), str(caught.value)
        assert not any(figure.axes for figure in map(plt.figure, plt.get_fignums())), "something was drawn"


def test_tables_of_other_things():
    right = {"rep": [1], "epoch": [1], "loss": [1.0]}
    for wrong in ({"rep": ["a"]}, {"epoch": [np.nan]}, {"loss": ["a"]}, {"rep": [-3]}, {"rep": [3]}):
        with pytest.raises(ArgumentError, match=r"history|best_epochs"):
            plots.plot_history(pd.DataFrame({**right, **wrong}), best_epochs=[1, 2])
    for shape in ("ab", (), (0,), None, (-1, 2)):
        with pytest.raises(ArgumentError, match="table must hold"):
            plots.plot_layers(LAYERS.assign(output_shape=[shape]), (3,))
