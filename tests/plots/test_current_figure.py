"""Every plot draws in pyplot's current figure unless told where: what is saved, or shown, next is the picture."""

from __future__ import annotations

import io

import fits
import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import neuralstat as ns
from neuralstat import plots
from neuralstat.errors import ArgumentError


@pytest.fixture(autouse=True)
def agg():
    matplotlib.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=70), "z": rng.normal(size=70)})
    data["y"] = np.sin(data["x"]) + 0.2 * rng.normal(size=70)
    data["g"] = np.where(data["y"] < -0.3, "a", np.where(data["y"] < 0.3, "b", "c"))
    common = {"hidden": 2, "standardize": True, "random_state": 1, "penalty": ns.decay(0.05), "rep": 2, "threshold": 0.1}
    return {
        "one": fits.quiet("y ~ x", data, **common), "two": fits.quiet("y ~ x + z", data, **common),
        "classes": fits.quiet("g ~ x + z", data, family="multinomial", **common),
        "epochs": fits.quiet("y ~ x", data, hidden=2, algorithm="adam", epochs=3, validation=0.2, random_state=1, rep=1),
        "selection": ns.select("y ~ x", data, hidden=[1, 2], criterion="bic", inputs=False, rep=1, random_state=1,
                               standardize=True, penalty=ns.decay(0.05), threshold=0.1, algorithm="rprop+"),
    }  # fmt: skip


GRID = np.linspace(0, 1, 5)
ONE = {
    "fit.plot": lambda m, ax=None: m["two"].plot(ax=ax),
    "fit.plot_fit": lambda m, ax=None: m["one"].plot_fit(ax=ax),
    "fit.plot_fit(interval)": lambda m, ax=None: m["one"].plot_fit(interval="both", ax=ax),
    "fit.plot_fit, observed": lambda m, ax=None: m["two"].plot_fit(ax=ax),
    "fit.plot_fit, classes": lambda m, ax=None: m["classes"].plot_fit(ax=ax),
    "fit.plot_error": lambda m, ax=None: m["two"].plot_error(ax=ax),
    "fit.plot_restarts": lambda m, ax=None: m["two"].plot_restarts(ax=ax),
    "fit.plot_history": lambda m, ax=None: m["epochs"].plot_history(ax=ax),
    "fit.plot_spectrum": lambda m, ax=None: m["two"].plot_spectrum(ax=ax),
    "fit.gwplot": lambda m, ax=None: m["two"].gwplot("z", ax=ax),
    "pdp": lambda m, ax=None: m["two"].plot_effects("x", grid=5, ax=ax),
    "pdp, classes": lambda m, ax=None: m["classes"].plot_effects("x", grid=5, ax=ax),
    "ice": lambda m, ax=None: m["two"].plot_effects("x", "ice", grid=5, ax=ax),
    "ale": lambda m, ax=None: m["two"].plot_effects("x", "ale", ax=ax),
    "lek": lambda m, ax=None: m["two"].plot_effects("x", "lek", ax=ax),
    "importance": lambda m, ax=None: m["two"].plot_effects(kind="importance", repeats=1, random_state=1, ax=ax),
    "marginal": lambda m, ax=None: m["classes"].plot_effects(kind="marginal", ax=ax),
    "selection.plot": lambda m, ax=None: m["selection"].plot(ax=ax),
    "plots.plot_network": lambda m, ax=None: plots.plot_network([np.ones((3, 2)), np.ones((3, 1))], ["a", "b"], ["y"], ax=ax),
    "plots.plot_layers": lambda m, ax=None: plots.plot_layers(m["two"].layer_table, (2,), ax=ax),
    "plots.plot_fit": lambda m, ax=None: plots.plot_fit(GRID, GRID, GRID, GRID, GRID, ax=ax),
    "plots.plot_observed_fitted": lambda m, ax=None: plots.plot_observed_fitted(GRID, GRID, ax=ax),
    "plots.plot_confusion": lambda m, ax=None: plots.plot_confusion([[3, 1], [0, 2]], ax=ax),
    "plots.plot_error": lambda m, ax=None: plots.plot_error([([1, 10], [3.0, 1.0])], ax=ax),
    "plots.plot_restarts": lambda m, ax=None: plots.plot_restarts([1.0, 1.0, 2.0], ax=ax),
    "plots.plot_history": lambda m, ax=None: plots.plot_history(m["epochs"].history, ax=ax),
    "plots.gwplot": lambda m, ax=None: plots.gwplot(GRID, GRID, name="x", response="y", ax=ax),
    "plots.plot_images": lambda m, ax=None: plots.plot_images(np.random.default_rng(0).random((3, 8, 8)), ax=ax),
    "plots.plot_saliency": lambda m, ax=None: plots.plot_saliency(np.ones((2, 8, 8, 1)), np.ones((2, 8, 8, 1)), ax=ax),
}  # fmt: skip
SEVERAL = {
    "fit.plot_diagnostics": lambda m: m["two"].plot_diagnostics(),
    "surfaces of classes": lambda m: m["classes"].plot_effects(["x", "z"], grid=4),
    "profiles of classes": lambda m: m["classes"].plot_effects("x", "lek", grid=4),
}


def saved() -> np.ndarray:
    """The page that ``plt.savefig`` writes, as an array (rows, columns, 3)."""
    page = io.BytesIO()
    plt.savefig(page, format="png", dpi=40)
    page.seek(0)
    return plt.imread(page)[..., :3]


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_savefig_writes_the_picture(made, name):
    {**ONE, **SEVERAL}[name](made)
    assert len(plt.get_fignums()) == 1
    page = saved()
    assert np.mean(np.abs(page - page[0, 0]).max(axis=2) > 0.1) > 0.002


@pytest.mark.parametrize("name", ONE)
def test_the_current_axes_are_drawn_in_while_they_are_empty(made, name):
    figure, (left, right) = plt.subplots(1, 2)
    plt.sca(left)
    assert ONE[name](made) is left
    assert plt.get_fignums() == [figure.number] and not right.has_data()
    plt.close("all")
    figure = plt.figure(figsize=(5, 4))
    ax = ONE[name](made)
    assert ax.figure is figure and plt.get_fignums() == [figure.number]
    figure.canvas.draw()


@pytest.mark.parametrize("name", ONE)
def test_a_finished_picture_is_left_alone(made, name):
    first = ONE[name](made)
    count = len(first.get_children())
    second = ONE[name](made)
    assert second.figure is not first.figure and plt.gcf() is second.figure
    assert len(first.get_children()) == count


@pytest.mark.parametrize("name", ONE)
def test_axes_given_are_used_and_pyplot_is_left_alone(made, name):
    ax = Figure(layout="constrained").subplots()
    assert ONE[name](made, ax=ax) is ax
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", SEVERAL)
def test_panels_fill_the_current_figure_while_it_is_empty(made, name):
    figure = plt.figure(figsize=(8, 7))
    axes = np.ravel(SEVERAL[name](made))
    assert plt.get_fignums() == [figure.number] and all(a.figure is figure for a in axes)
    again = np.ravel(SEVERAL[name](made))
    assert again[0].figure is not figure and plt.gcf() is again[0].figure


def test_four_axes_of_diagnostics(made):
    axes = Figure().subplots(1, 4)
    assert np.array_equal(made["two"].plot_diagnostics(axes=axes), axes)
    with pytest.raises(ArgumentError, match="axes must be four"):
        made["two"].plot_diagnostics(axes=axes[:2])
    with pytest.raises(ArgumentError, match=r"name it with response="):
        made["classes"].plot_effects(["x", "z"], ax=axes[0])


def test_axes_say_which_probability(made):
    fit = made["classes"]
    assert fit.plot_effects("x", grid=4, response="b").get_ylabel() == "P(g = b)"
    all_of_them = fit.plot_effects("x", grid=4)
    assert all_of_them.get_ylabel() == "P(g)"
    assert [t.get_text() for t in all_of_them.get_legend().get_texts()] == ["a", "b", "c"]
    assert fit.plot_effects("x", "ale", response="a").get_ylabel() == "effect on P(g = a)"
    assert fit.plot_effects("x", "ice", grid=4, response="a").get_ylabel() == "P(g = a)"


def test_bands_of_probabilities_stay_between_0_and_1(made):
    fit = made["classes"]
    ax = fit.plot_effects("x", grid=np.linspace(-8, 8, 9))
    heights = np.concatenate([path.vertices[:, 1] for c in ax.collections for path in c.get_paths()])
    assert heights.min() >= 0 and heights.max() <= 1
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.normal(size=60)})
    data["c"] = (data["x"] + 0.5 * rng.normal(size=60) > 0).astype(int)
    binary = fits.quiet("c ~ x", data, hidden=1, family="binomial", penalty=ns.decay(0.05), random_state=1, standardize=True)
    ax = binary.plot_fit(interval="mean")
    band = [c for c in ax.collections if c.get_gid() != "observations"]
    heights = np.concatenate([path.vertices[:, 1] for c in band for path in c.get_paths()])
    assert heights.min() >= 0 and heights.max() <= 1 and ax.get_ylabel() == "P(c = 1)"
