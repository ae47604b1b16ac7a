"""Words of pictures are written as they are: names of columns, levels, layers and models are no formulas of TeX."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import plots

BAD = r"$\frac{1$"
RNG = np.random.default_rng(7)
N = 30


@pytest.fixture(autouse=True)
def _closed():
    plt.close("all")
    yield
    plt.close("all")


def drawn():
    """Words of all pictures, which can be drawn."""
    words = []
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.canvas.draw()
        words += [text.get_text() for text in figure.findobj(plt.Text)]
    assert words
    return "\n".join(words)


def named(name):
    columns = {name: RNG.normal(size=N), "z": RNG.normal(size=N), f"g{name}": np.resize([f"{name}1", f"{name}2"], N),
               f"y{name}": RNG.normal(size=N), f"k{name}": np.resize([name, f"l{name}", "m"], N)}  # fmt: skip
    return pd.DataFrame(columns)


@pytest.fixture(scope="module", params=[BAD, "_x", "a$b$", "^{%&"])
def fits(request):
    name = request.param
    data = named(name)
    formula = f"`y{name}` ~ `{name}` + z + `g{name}`"
    tabular = ns.neuralnet(formula, data, hidden=2, rep=2, random_state=1, penalty=ns.decay(0.1))
    classes = ns.neuralnet(f"`k{name}` ~ `{name}` + `g{name}`", data, hidden=0, family="multinomial", penalty=ns.decay(0.1))
    curve = ns.neuralnet(f"`k{name}` ~ `{name}`", data, hidden=0, family="multinomial", penalty=ns.decay(0.1))
    return name, tabular, classes, curve


@pytest.mark.parametrize("kind", ["pdp", "ice", "ale", "lek", "importance", "marginal"])
def test_effects(fits, kind):
    name, tabular, classes, _ = fits
    for fit in (tabular, classes):
        for variable in (name, f"g{name}") if kind not in ("importance", "marginal") else (None,):
            fit.plot_effects(variable, kind)
            assert name in drawn()
            plt.close("all")


@pytest.mark.parametrize("kind", ["pdp", "ale"])
def test_effects_of_two(fits, kind):
    name, tabular, classes, _ = fits
    for fit, pair in ((tabular, [name, "z"]), (tabular, [name, f"g{name}"]), (classes, [name, f"g{name}"])):
        fit.plot_effects(pair, kind)
        assert name in drawn()
        plt.close("all")


def test_pictures_of_a_fit(fits):
    name, tabular, classes, curve = fits
    for draw in (
        tabular.plot, classes.plot, tabular.plot_fit, classes.plot_fit, lambda: curve.plot_fit(response=name),
        lambda: tabular.gwplot(name), lambda: classes.gwplot(name, response=name),
    ):  # fmt: skip
        draw()
        assert name in drawn()
        plt.close("all")
    for draw in (tabular.plot_diagnostics, tabular.plot_error, tabular.plot_restarts, tabular.plot_spectrum):
        draw()
        drawn()
        plt.close("all")


@pytest.mark.parametrize("name", [BAD, "_x"])
def test_pictures_of_arrays(name):
    layers = pd.DataFrame({"kind": ["Dense"], "output_shape": [(3,)], "params": [2], "trained": [2]}, index=[name])
    for draw in (
        lambda: plots.plot_images(np.ones((2, 4, 4)), labels=[name, name]),
        lambda: plots.plot_saliency(np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 1)), labels=[name]),
        lambda: plots.plot_layers(layers, (3,), input_name=name),
        lambda: plots.plot_history(pd.DataFrame({"rep": [1, 1], "epoch": [1, 2], name: [1.0, 2.0]}), name),
        lambda: plots.plot_confusion([[1, 2], [3, 4]], [name, "b"], y_name=name),
        lambda: plots.plot_network([np.ones((2, 1))], [name], [name]),
        lambda: plots.plot_fit([1, 2], [1, 2], [1, 2], [[1, 2]], [1, 2], band=([0, 0], [3, 3]), band_label=name),
    ):  # fmt: skip
        draw()
        assert name in drawn()
        plt.close("all")


def test_a_selection():
    data = named(BAD)
    ns.select(f"`y{BAD}` ~ `{BAD}`", data, hidden=[0], inputs=True, criterion="bic", rep=1, random_state=1).plot()
    assert BAD in drawn()


def test_levels_that_begin_with_an_underscore_are_in_the_legend():
    data = named("_x")
    fit = ns.neuralnet("`k_x` ~ z", data, hidden=0, family="multinomial", penalty=ns.decay(0.1))
    ax = fit.plot_effects("z")
    assert [text.get_text().strip() for text in ax.get_legend().get_texts()] == ["_x", "l_x", "m"]
