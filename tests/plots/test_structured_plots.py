"""The diagram of structured networks: a lane for each term, the right weights in it, nothing on one another."""

from __future__ import annotations

from itertools import combinations

import fits
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError
from neuralstat.plots.lanes import lanes_of
from neuralstat.plots.structured import plot_structured

FAST = {"rep": 1, "random_state": 1, "algorithm": "bfgs", "threshold": 0.5, "penalty": ns.decay(0.01)}
FORMULAS = {
    "towers": "y ~ x + c + nn(z, embed(g, 2), hidden=(3, 2)) + nn(w, hidden=4)",
    "every kind": "y ~ x + nn(z, hidden=2) + s(w, k=5) + (1 | g/h) + (0 + x | c)",
    "no towers": "y ~ c + s(z, k=5) + te(x, w, k=3) + (x | g)",
    "beside a network": "y ~ x + z + embed(g, 2) + linear(x + c)",
    "wide": "y ~ x + nn(z, hidden=20)",
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 90
    d = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("xzw"))
    d["g"], d["c"] = rng.choice(list("abcdef"), n), rng.choice(["red", "green", "blue"], n)
    d["h"] = d.g + rng.choice(list("12"), n)
    effects = dict(zip("abcdef", rng.normal(size=6), strict=True))
    d["y"] = 10 * (d.x + np.sin(2 * d.z) + 0.3 * d.w**2 + d.g.map(effects) + 0.3 * rng.normal(size=n))
    d["k"] = np.where(d.y > 10, "hi", np.where(d.y > 0, "mid", "lo"))
    return d


@pytest.fixture(scope="module")
def fitted(data):
    own = {**FAST, "penalty": None}  # penalty= is for networks
    return {name: fits.quiet(formula, data, **(own if name == "no towers" else FAST)) for name, formula in FORMULAS.items()}


def logistic(z):
    return 1 / (1 + np.exp(-z))


def test_weights_in_lanes_make_the_prediction(data):
    """The predictor by hand from what is drawn: linear terms, networks and coordinates of levels."""
    fit = fits.quiet(FORMULAS["towers"], data, orthogonal=False, **FAST)
    drawn = lanes_of(fit.fitted, 0, standardized=False, max_units=20)
    theta = dict(zip(fit.network.names, fit.theta[0], strict=True))
    tower = "nn(z, embed(g, 2))"
    (first,) = [name.partition("[")[0] for name in theta if name.endswith("[(new),1]")]
    coordinates = np.array([[theta[f"{first}[{k},{j}]"] for j in (1, 2)] for k in data.g])
    inputs = {tower: np.column_stack([data.z, coordinates]), "nn(w)": data[["w"]].to_numpy()}
    columns = {"x": data.x, "c[T.green]": data.c == "green", "c[T.red]": data.c == "red"}
    total = np.full(len(data), drawn.constant[0])
    for lane in drawn.lanes:
        if lane.kind == "direct":
            total = total + lane.out[0, 0] * columns[lane.sources[0].name]
            continue
        value = inputs[lane.title]
        for w in lane.weights:
            value = logistic(w[0] + value @ w[1:])
        total = total + value @ lane.out[:, 0]
    np.testing.assert_allclose(total, fit.predict(data), rtol=1e-9)
    assert [[s.name for s in lane.sources] for lane in drawn.lanes[-2:]] == [["z", "g"], ["w"]]
    assert drawn.lanes[-2].sources[1].note == "6 levels\n2 coordinates"


def test_widths_are_of_standardized_terms(data, fitted):
    fit = fitted["every kind"]
    drawn = lanes_of(fit.fitted, 0, standardized=True, max_units=20)
    lanes = {lane.title or lane.text[:1] or lane.sources[0].name: lane for lane in drawn.lanes}
    by_x = fit.params["x.to.y"] * data.x.std() / data.y.std()
    assert lanes["x"].out_sizes[0, 0] == pytest.approx(abs(by_x), rel=1e-9)
    assert lanes["x"].out[0, 0] == pytest.approx(fit.params["x.to.y"], rel=1e-12)
    level = data.groupby("g").x.transform("size") * 0.0
    for name in sorted(data.g.unique()):
        level = level.where(data.g != name, fit.theta[0][list(fit.network.names).index(f"(1 | g)[{name}]")])
    held = fit.theta[0][list(fit.network.names).index("(1 | g).to.y")]
    assert lanes[("(1 | g)",)].out_sizes[0, 0] == pytest.approx((held * level).std() / data.y.std(), rel=1e-6)
    bend = [name for name in fit.network.names if name.startswith("s(w")]
    own = fit.design.x[[fit.network.input_names.index(name.removesuffix(".to.y")) for name in bend]]
    part = fit.theta[0][[list(fit.network.names).index(name) for name in bend]] @ own
    assert lanes[("s(w, k=5)",)].out_sizes[0, 0] == pytest.approx(part.std() / data.y.std(ddof=0), rel=1e-6)
    assert np.isnan(lanes[("s(w, k=5)",)].out).all()


def test_one_node_for_a_smooth_and_for_a_random_term(fitted):
    drawn = {lane.text[0]: lane for lane in lanes_of(fitted["every kind"].fitted, 0, standardized=True, max_units=20).lanes
             if lane.kind == "box"}  # fmt: skip
    assert list(drawn) == ["s(w, k=5)", "(1 | g)", "(1 | g:h)", "(0 + x | c)"]
    assert drawn["(1 | g)"].text[1] == "6 levels" and drawn["(0 + x | c)"].text[1] == "3 levels"
    assert [s.name for s in drawn["(0 + x | c)"].sources] == ["x", "c"]
    assert [s.name for s in drawn["(1 | g:h)"].sources] == ["g", "h"]
    table = fitted["every kind"].strengths
    for label in drawn:
        edf = table[table.group.str.startswith(label)].edf.sum()
        said = float(drawn[label].text[-1].removeprefix("edf "))
        assert edf - 0.06 < said < edf + 1.06  # a smooth has its straight line, too


def test_many_linear_terms_are_put_together(data):
    rng = np.random.default_rng(1)
    d = data.assign(**{f"v{k}": rng.normal(size=len(data)) for k in range(8)})
    d["many"] = rng.choice(list("abcdefghijkl"), len(data))
    fit = ns.neuralnet(f"y ~ many + {' + '.join(f'v{k}' for k in range(8))} + s(x, k=4)", d)
    drawn = lanes_of(fit.fitted, 0, standardized=True, max_units=5).lanes
    said = [lane.text[0] if lane.text else lane.sources[0].name for lane in drawn]
    assert said == ["v0", "v1", "v2", "v3", "v4", "linear: 14 more coefficients", "s(x, k=4)"]
    all_of_them = lanes_of(fit.fitted, 0, standardized=True, max_units=30).lanes
    assert [lane.text[0] for lane in all_of_them if lane.text] == ["linear: 11 coefficients", "s(x, k=4)"]
    assert len(fit.plot(max_units=30).collections)


def boxes(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    level = [t for t in ax.texts if t.get_text() and not t.get_rotation() and t.get_gid() != "layer"]
    return {t: t.get_window_extent(renderer) for t in level}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("given", [None, (5, 4), (12, 3)])
def test_words_are_whole_and_apart(fitted, name, given):
    ax = None if given is None else plt.subplots(figsize=given)[1]
    ax = fitted[name].plot(ax=ax)
    found = boxes(ax)
    page = ax.figure.bbox
    for box in found.values():
        assert box.x0 > -2 and box.y0 > -2 and box.x1 < page.x1 + 2 and box.y1 < page.y1 + 2
    for (a, first), (b, second) in combinations(found.items(), 2):
        assert not first.shrunk(0.98, 0.8).overlaps(second.shrunk(0.98, 0.8)), (a.get_text(), b.get_text())


def test_what_is_drawn(fitted):
    ax = fitted["towers"].plot()
    assert [t.get_text() for t in ax.texts if t.get_gid() == "tower"] == ["nn(z, embed(g, 2))", "nn(w)"]
    (edges,) = [c for c in ax.collections if c.get_gid() == "weights"]
    # x and 2 of c, 3 x (z, coordinates, 1), 2 x (3 + 1), 4 x (w, 1), 2 + 4 last units, the constant
    assert len(edges.get_paths()) == 3 + 9 + 8 + 8 + 6 + 1
    (units,) = [c for c in ax.collections if c.get_gid() == "units"]
    assert len(units.get_paths()) == 3 + (1 + 3 + 2) + (1 + 4) + 1
    without = fitted["towers"].plot(show_bias=False, show_weights=False, information=False, legend=False)
    (edges,) = [c for c in without.collections if c.get_gid() == "weights"]
    assert len(edges.get_paths()) == 3 + 6 + 6 + 4 + 6
    assert not [t for t in without.texts if t.get_gid() in ("weight", "bias", "information", "legend")]
    wide = fitted["wide"].plot()
    (units,) = [c for c in wide.collections if c.get_gid() == "units"]
    assert len(units.get_paths()) == 2 + 14 + 1 and [c for c in wide.collections if c.get_gid() == "ellipsis"]
    sizes = [fitted["towers"].plot(fontsize=size).figure.get_size_inches() for size in (10, 15)]
    np.testing.assert_allclose(sizes[1], 1.5 * sizes[0])


def test_layers_of_images_are_blocks():
    rng = np.random.default_rng(0)
    d = {"image": rng.normal(size=(40, 6, 6, 1)), "x": rng.normal(size=40)}
    d["y"] = d["x"] + d["image"][:, 2:4, 2:4].mean((1, 2, 3)) + 0.1 * rng.normal(size=40)
    cnn = [ns.layers.Conv2D(2, 3, "tanh"), ns.layers.MaxPool2D(2), ns.layers.Flatten()]
    fit = fits.quiet("y ~ x + nn(image, layers=cnn)", d, towers={"cnn": cnn}, rep=1, random_state=1, epochs=1,
                     algorithm="adam", penalty=ns.decay(0.01))  # fmt: skip
    ax = fit.plot()
    layers = [t.get_text().split("\n")[0] for t in ax.texts if t.get_gid() == "layer"]
    assert len(layers) == 4 and layers[1:] == ["conv2d", "max_pooling2d", "flatten"]
    assert [t.get_text() for t in ax.texts if t.get_gid() == "name"] == ["x", "image", "y"]


def test_several_outputs(data):
    fit = fits.quiet("k ~ x + (1 | g) + nn(z, hidden=2)", data, family="multinomial", **FAST)
    ax = fit.plot()
    assert [t.get_text() for t in ax.texts if t.get_gid() == "name"][-3:] == ["hi", "lo", "mid"]
    located = fits.quiet("y ~ x + nn(z, hidden=2)", data, family="student", dispformula="~ 1", **FAST)
    drawn = lanes_of(located.fitted, 0, standardized=True, max_units=9)
    assert np.isfinite(drawn.lanes[0].out).tolist() == [[True] + [False] * (located.network.n_outputs - 1)]
    located.plot()


def test_a_network_of_levels_alone(data, tmp_path):
    """Also of a fit that was saved without its covariates, by weights."""
    fit = fits.quiet("y ~ x + nn(embed(g, 2), hidden=2)", data, **FAST)
    (box,) = [lane for lane in lanes_of(fit.fitted, 0, standardized=True, max_units=9).lanes if lane.kind == "dense"]
    assert [(s.name, s.units) for s in box.sources] == [("g", 2)] and box.weights[0].shape == (3, 2)
    plain = ns.neuralnet("y ~ x + s(z, k=4)", data)
    plain.save(tmp_path / "a.nst", data=False)
    again = ns.load(tmp_path / "a.nst")
    assert [t.get_text() for t in again.plot(widths="weights").texts if t.get_gid() == "box text"] == ["s(z, k=4)"]
    with pytest.raises(DataError, match="saved with it"):
        again.plot()


def test_bad_arguments(fitted):
    fit = fitted["towers"]
    for options, message in (({"widths": "none"}, "widths must be one of"), ({"colors": "red"}, "colors must be two"),
                             ({"max_units": 1}, "max_units"), ({"rep": 4}, "rep")):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            fit.plot(**options)
    assert plot_structured(fit).figure is not None
