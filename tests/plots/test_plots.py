"""The plots: what is drawn, where it lies, and that nothing global is touched."""

import subprocess
import sys
from itertools import combinations, pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from neuralstat import plots
from neuralstat.errors import ArgumentError
from neuralstat.plots import style


@pytest.fixture(autouse=True)
def nothing_global(monkeypatch):
    """No test may show a figure or change a setting."""
    matplotlib.use("Agg")
    plt.close("all")
    before = dict(matplotlib.rcParams)
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("show() was called"))
    yield
    assert dict(matplotlib.rcParams) == before


def weights_of(sizes, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_t(3, (a + 1, b)) for a, b in pairwise(sizes)]


def draw(sizes, *, weights=None, **options):
    weights = weights_of(sizes) if weights is None else weights
    x_names = [f"x{i}" for i in range(sizes[0])]
    y_names = [f"y{i}" for i in range(sizes[-1])]
    return plots.plot_network(weights, x_names, y_names, **options)


def by_gid(ax, gid):
    return [a for a in ax.collections if a.get_gid() == gid]


def segments(ax, gid="weights"):
    return [s for c in by_gid(ax, gid) for s in c.get_segments()]


def texts(ax, start):
    return [t for t in ax.texts if str(t.get_gid()).startswith(start)]


def rendered(ax):
    """Draw and return the renderer."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return canvas.get_renderer()


def corners(text, renderer):
    """Corners of the rotated rectangle around the ink of a text."""
    angle = np.radians(text.get_rotation())
    text.set_rotation(0)
    text.set_bbox(None)
    box = text.get_window_extent(renderer)
    origin = text.get_transform().transform(text.get_position())
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (box.corners() - origin) @ turn.T + origin


def apart(a, b):
    """Whether two rectangles are separated (theorem of the separating axis)."""
    for shape in (a, b):
        for side in (shape[1] - shape[0], shape[2] - shape[0]):
            p, q = a @ side, b @ side
            if p.max() < q.min() or q.max() < p.min():
                return True
    return False


def distance(point, box):
    """Distance of a point to a rectangle."""
    sides = np.array([box[1] - box[0], box[2] - box[0]])
    share = np.clip(sides @ (point - box[0]) / (sides**2).sum(axis=1), 0, 1)
    return np.hypot(*(point - box[0] - share @ sides))


SMALL = [(2, 2, 1), (1, 3, 4, 1), (4, 2, 3), (3, 1), (1, 2, 2, 1), (1, 1, 1)]
LARGE = [(1, 10, 5, 15, 1), (2, 10, 5, 15, 1), (20, 32, 16, 1)]


@pytest.mark.parametrize("sizes", SMALL + LARGE)
def test_an_edge_for_every_weight_joins_the_right_nodes(sizes):
    weights = weights_of(sizes)
    ax = draw(sizes, weights=weights)
    assert len(segments(ax)) == sum(w.size for w in weights)
    units = [p.vertices.mean(axis=0) for p in by_gid(ax, "units")[0].get_paths()]
    assert len(units) == sum(sizes)
    assert len(by_gid(ax, "bias nodes")[0].get_paths()) == len(sizes) - 1
    # Widths order as sizes of the weights.
    lines = by_gid(ax, "weights")[0]
    expected = np.sort(np.abs(np.concatenate([w.ravel() for w in weights])))
    width = np.asarray(lines.get_linewidth())
    np.testing.assert_allclose(np.argsort(width, kind="stable"), np.arange(width.size))
    np.testing.assert_allclose(
        (width - width[0]) / (width[-1] - width[0]) * (np.sqrt(expected[-1]) - np.sqrt(expected[0])),
        np.sqrt(expected) - np.sqrt(expected[0]),
        atol=1e-9,
    )


@pytest.mark.parametrize("sizes", [(3, 2, 1), (2, 10, 5, 15, 1)])
def test_colour_is_the_sign(sizes):
    weights = weights_of(sizes)
    lines = by_gid(draw(sizes, weights=weights, colors=("green", "red")), "weights")[0]
    values = np.concatenate([w.ravel() for w in weights])
    values = values[np.argsort(np.abs(values), kind="stable")]
    for value, color in zip(values, lines.get_colors()):
        assert to_rgb(color[:3]) == to_rgb("green" if value > 0 else "red")


def test_excluded_edges_are_absent():
    weights = weights_of((1, 2, 2, 1))
    full = {tuple(s.ravel()) for s in segments(draw((1, 2, 2, 1), weights=weights))}
    weights[1][1, 1] = weights[1][2, 0] = np.nan
    ax = draw((1, 2, 2, 1), weights=weights)
    left = {tuple(s.ravel()) for s in segments(ax)}
    assert left < full
    assert len(full) - len(left) == 2
    drawn = {t.get_gid() for t in texts(ax, "weight-")}
    assert len(drawn) == 11
    assert not drawn & {"weight-1-1-1", "weight-1-2-0"}
    # The two missing ones cross between the hidden layers.
    ends = np.array(sorted(full - left)).reshape(2, 2, 2)
    assert (
        ends[0, 0, 0] == ends[1, 0, 0] and ends[0, 0, 1] == ends[1, 1, 1] and ends[0, 1, 1] == ends[1, 0, 1]
    )


def test_fixed_weights_are_dashed_and_explained():
    weights = weights_of((1, 2, 1))
    fixed = [np.zeros(w.shape, dtype=bool) for w in weights]
    fixed[0][1, 0] = True
    ax = draw((1, 2, 1), weights=weights, fixed=fixed)
    assert len(segments(ax)) == 6
    held = by_gid(ax, "fixed weights")[0]
    assert len(held.get_segments()) == 1
    assert held.get_linestyle()[0][1] is not None
    assert by_gid(ax, "weights")[0].get_linestyle()[0][1] is None
    assert "held constant" in [t.get_text() for t in texts(ax, "legend")]


def test_without_bias_and_with_layers_without_bias():
    ax = draw((2, 3, 1), show_bias=False)
    assert len(segments(ax)) == 9
    assert by_gid(ax, "bias nodes") == []
    weights = weights_of((2, 3, 1))
    weights[1][0] = np.nan
    ax = draw((2, 3, 1), weights=weights)
    assert len(by_gid(ax, "bias nodes")[0].get_paths()) == 1


def test_all_weights_absent_draws_the_nodes():
    ax = draw((2, 2, 1), weights=[np.full((3, 2), np.nan), np.full((3, 1), np.nan)])
    assert segments(ax) == []
    assert len(by_gid(ax, "units")[0].get_paths()) == 5
    rendered(ax)


@pytest.mark.parametrize("sizes", SMALL)
@pytest.mark.parametrize("scale", [0.01, 3.0, 1234.5])
def test_labels_of_small_networks_are_all_there_and_free(sizes, scale):
    weights = weights_of(sizes, seed=1, scale=scale)
    ax = draw(sizes, weights=weights, error=3.14, steps=49829)
    labels = texts(ax, "weight-")
    assert {t.get_gid(): t.get_text() for t in labels} == {
        f"weight-{k}-{i}-{j}": style.number(w[i, j])
        for k, w in enumerate(weights)
        for i, j in np.ndindex(w.shape)
    }
    renderer = rendered(ax)
    boxes = [corners(t, renderer) for t in labels]
    assert all(apart(a, b) for a, b in combinations(boxes, 2))
    inches = ax.transData.transform
    for collection in by_gid(ax, "units") + by_gid(ax, "bias nodes"):
        for path in collection.get_paths():
            circle = inches(path.vertices)
            centre = circle[:-1].mean(axis=0)
            radius = np.ptp(circle[:, 0]) / 2
            assert all(distance(centre, box) > radius for box in boxes)


def test_labels_lie_on_their_edges():
    weights = weights_of((2, 3, 1))
    ax = draw((2, 3, 1), weights=weights)
    values = np.concatenate([w.ravel() for w in weights])
    edge_of = dict(zip(values[np.argsort(np.abs(values))], segments(ax)))
    for label in texts(ax, "weight-"):
        layer, source, target = map(int, label.get_gid().split("-")[1:])
        start, end = edge_of[weights[layer][source, target]]
        along, across = end - start, np.array(label.get_position()) - start
        assert along[0] * across[1] - along[1] * across[0] == pytest.approx(0, abs=1e-9)
        assert 0.05 < across @ along / (along @ along) < 0.95
        assert label.get_rotation() % 360 == pytest.approx(np.degrees(np.arctan2(*along[::-1])) % 360)


@pytest.mark.parametrize("sizes", LARGE)
def test_large_networks_have_sizes_and_legend_instead_of_labels(sizes):
    ax = draw(sizes)
    assert texts(ax, "weight-") == []
    captions = [t.get_text() for t in texts(ax, "caption")]
    assert [int(c.split()[0]) for c in captions] == list(sizes)
    assert {"positive weight", "negative weight"} <= {t.get_text() for t in texts(ax, "legend")}
    assert len(texts(draw((1, 8, 1), show_weights=True), "weight-")) == 25
    assert texts(draw((2, 2, 1), show_weights=False), "weight-") == []


def text_inside(ax):
    renderer = rendered(ax)
    frame = ax.figure.bbox
    for text in ax.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= frame.x0 - 0.5 and box.x1 <= frame.x1 + 0.5, text.get_text()
        assert box.y0 >= frame.y0 - 0.5 and box.y1 <= frame.y1 + 0.5, text.get_text()
    return renderer


@pytest.mark.parametrize("sizes", SMALL + LARGE + [(100, 3, 40)])
def test_text_stays_inside_the_figure(sizes):
    ax = draw(sizes, error=3.14, steps=49829)
    renderer = text_inside(ax)
    boxes = [t.get_window_extent(renderer) for t in texts(ax, "name")]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize("length", [25, 200])
@pytest.mark.parametrize("given", [False, True])
def test_long_names_stay_inside_and_off_the_nodes(length, given):
    x_names = [c * length for c in "aWm"]
    ax = Figure(figsize=(4, 3), layout="constrained").subplots() if given else None
    ax = plots.plot_network(weights_of((3, 4, 2)), x_names, ["$y_1" * (length // 4), "z" * length], ax=ax)
    renderer = text_inside(ax)
    nodes = by_gid(ax, "units")[0].get_window_extent(renderer)
    for name in texts(ax, "name"):
        box = name.get_window_extent(renderer)
        assert box.x1 < nodes.x0 or box.x0 > nodes.x1
    if length == 25 and not given:
        assert [t.get_text() for t in texts(ax, "name")][:3] == x_names
        assert texts(ax, "name")[0].get_fontsize() >= 0.62 * 11


def test_very_large_layers_are_abbreviated():
    ax = draw((784, 512, 10), weights=weights_of((784, 512, 10)))
    assert len(by_gid(ax, "ellipsis")) == 2
    shown = len(by_gid(ax, "units")[0].get_paths())
    assert 10 < shown < 50
    names = [t.get_text() for t in texts(ax, "name")]
    assert names[0] == "x0" and "x783" in names
    assert [t.get_text() for t in texts(ax, "caption")] == ["784 inputs", "512 units", "10 outputs"]
    assert by_gid(draw((32, 1)), "ellipsis") == []
    assert len(by_gid(draw((5, 2, 1), max_units=4), "ellipsis")) == 1


def test_information_line():
    line = texts(draw((1, 1), error=3.14, steps=49829), "information")[0]
    assert line.get_text() == "Error: 3.14   Steps: 49829"
    assert texts(draw((1, 1), error=3.14, steps=49829, information=False), "information") == []
    assert texts(draw((1, 1)), "information") == []


def test_labels_are_dropped_where_given_axes_are_too_small():
    figure = Figure(figsize=(2.2, 1.8))
    ax = draw((2, 4, 3), ax=figure.subplots())
    assert texts(ax, "weight-") == []
    assert len(segments(ax)) == 27
    text_inside(ax)


CALLS = {
    "network": lambda ax: draw((2, 2, 1), ax=ax),
    "fit": lambda ax: plots.plot_fit([0, 1, 2], [1, 2, 3], [0, 1, 2], np.ones((3, 3)), [1, 1, 1], ax=ax),
    "observed": lambda ax: plots.plot_observed_fitted([0, 1, 2.0], [0, 1, 3.0], ax=ax),
    "confusion": lambda ax: plots.plot_confusion([[3, 1], [0, 2]], ax=ax),
    "error": lambda ax: plots.plot_error([([1, 10], [3.0, 1.0])], ax=ax),
    "gwplot": lambda ax: plots.gwplot([1, 2, 3], [0, 1, 2], name="x", response="y", ax=ax),
    "restarts": lambda ax: plots.plot_restarts([1.0, 1.0, 2.0], ax=ax),
}


@pytest.mark.parametrize("name", CALLS)
def test_axes_given_are_drawn_on_and_returned(name):
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert CALLS[name](right) is right
    assert right.has_data() or right.texts
    assert not left.has_data()
    rendered(right)
    with pytest.raises(ArgumentError, match="ax must be matplotlib Axes"):
        CALLS[name](figure)


@pytest.mark.parametrize("name", CALLS)
def test_new_figures_are_pyplots_and_hold_one_picture(name):
    ax = CALLS[name](None)
    assert ax.figure.axes == [ax] and plt.gcf() is ax.figure
    rendered(ax)


def test_import_is_light():
    code = "import sys, neuralstat.plots; assert not any(m.startswith('matplotlib') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plot_fit_lines_points_and_band():
    grid = np.linspace(0, 1, 50)
    curves = np.array([grid, 2 * grid, 3 * grid])
    x, y = np.array([0.1, 0.5, 0.7]), np.array([1.0, 2.0, 0.5])
    band = (curves[0] - 1, curves[2] + 1)
    ax = plots.plot_fit(x, y, grid, curves, curves[1], band=band, band_label="95% interval", truth=np.sqrt)
    assert len(ax.lines) == 5
    for line, curve in zip(ax.lines, [*curves, curves[1], np.sqrt(grid)]):
        np.testing.assert_array_equal(line.get_ydata(), curve)
    assert ax.lines[3].get_linewidth() > 2 * ax.lines[0].get_linewidth()
    np.testing.assert_array_equal(by_gid(ax, "observations")[0].get_offsets(), np.column_stack([x, y]))
    entries = [t.get_text() for t in ax.get_legend().get_texts()]
    assert entries == ["observed", "95% interval", "3 repetitions", "mean of the repetitions", "truth"]
    # One repetition: the mean alone.
    assert len(plots.plot_fit(x, y, grid, curves[1], curves[1]).lines) == 1


def test_binary_responses_are_jittered_a_little():
    y = np.array([0.0, 1, 1, 0, 1] * 20)
    x = np.arange(100.0)
    for ax in (plots.plot_fit(x, y, x, x / 100, x / 100), plots.plot_observed_fitted(y, x / 100)):
        drawn = np.asarray(by_gid(ax, "observations")[0].get_offsets())[:, 1]
        assert 0 < np.abs(drawn - y).max() < 0.05
    groups = ax.lines[1]
    assert len(groups.get_xdata()) == 6
    assert np.mean(groups.get_ydata()) == pytest.approx(0.6, abs=0.02)


def test_observed_against_fitted_has_the_line_of_equality():
    y, fitted = np.array([1.0, 2, np.nan, 4]), np.array([1.5, 2, 3, 3.5])
    ax = plots.plot_observed_fitted(y, fitted, y_name="cost")
    np.testing.assert_array_equal(*ax.lines[0].get_data())
    assert len(by_gid(ax, "observations")[0].get_offsets()) == 3
    assert "1 missing" in ax.texts[0].get_text()
    assert ax.get_ylabel() == "observed cost"


def test_confusion_shows_all_counts():
    table = pd.DataFrame([[50, 0, 0], [0, 47, 3], [0, 2, 48]], index=["setosa", "versicolor", "virginica"])
    ax = plots.plot_confusion(table, y_name="Species")
    assert [t.get_text() for t in ax.texts] == [str(v) for v in table.to_numpy().ravel()]
    assert [t.get_text() for t in ax.get_yticklabels()] == list(table.index)
    assert ax.get_title(loc="left") == "96.7% of 150 correct"
    np.testing.assert_allclose(ax.images[0].get_array(), table.to_numpy() / 50)


def traces_of(count):
    return [(np.arange(1, 50), (1 + i) / np.arange(1, 50.0)) for i in range(count)]


def test_error_a_line_per_repetition_dashed_where_not_converged():
    converged = np.array([False, True, True])
    ax = plots.plot_error(traces_of(3), converged)
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_linestyle() for line in lines] == ["-", "-", "--"]
    assert "repetition 1" in lines[2].get_label() and "not converged" in lines[2].get_label()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    rendered(ax)


def test_error_of_fifty_repetitions_has_a_short_legend():
    converged = np.arange(50) % 5 > 0
    ax = plots.plot_error(traces_of(50), converged)
    assert len([line for line in ax.lines if len(line.get_xdata()) > 1]) == 50
    entries = [t.get_text() for t in ax.get_legend().get_texts()]
    assert entries == ["best, repetition 2: 0.04082", "39 others, converged", "10 others, not converged"]


def test_error_scales_follow_the_values():
    ax = plots.plot_error([(np.arange(5), np.array([2.0, 1, -1, -2, np.nan]))])
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "linear")
    rendered(ax)


def test_gwplot_leaves_out_what_is_not_finite_and_says_so():
    ax = plots.gwplot([1, 2, 3, 4.0], [0.5, np.nan, np.inf, 2], name="age", response="case")
    np.testing.assert_array_equal(by_gid(ax, "generalized weights")[0].get_offsets(), [[1, 0.5], [4, 2]])
    assert [t.get_text() for t in ax.texts] == ["2 of 4 not finite, left out"]
    assert ax.get_xlabel() == "age" and "case" in ax.get_title(loc="left")
    assert len(plots.gwplot([1.0], [2.0], name="a$b$", response="y").texts) == 0


def test_restarts_mark_distinct_optima():
    errors = [5.35, 3.14, 3.1401, 9.0, 3.1399, 5.3501, 4.0]
    converged = np.array([True] * 6 + [False])
    ax = plots.plot_restarts(errors, converged)
    optima = [line for line in ax.lines if line.get_gid() == "optimum"]
    assert [len(line.get_xdata()) for line in optima] == [3, 2, 1]
    assert [t.get_text() for t in texts(ax, "optimum label")] == ["3.14  ×3", "5.35  ×2", "9"]
    assert ax.get_title(loc="left") == "3 distinct optima; the best seen 3 times in 6 converged"
    own = plots.plot_restarts(errors, converged, optima=[0, 1, 2, 3, 1, 0, 9])
    assert len([line for line in own.lines if line.get_gid() == "optimum"]) == 4
    assert plots.plot_restarts([1.0], np.array([False])).get_title(loc="left") == "No repetition converged"


@pytest.mark.parametrize("optima", [[1, np.nan], pd.Series([1, None], dtype="Int64"), [1], ["a", "b"]])
def test_optima_are_numbers(optima):
    with pytest.raises(ArgumentError, match="optima"):
        plots.plot_restarts([1.0, 2.0], optima=optima)


W = weights_of((2, 2, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.plot_network([], [], []), "weights is empty"),
        (lambda: plots.plot_network(W[0], ["a", "b"], ["y"]), "weights must be a list"),
        (lambda: plots.plot_network([W[0], W[0][:2]], ["a", "b"], ["y"]), r"weights\[1\] must have 3 rows"),
        (lambda: plots.plot_network([W[0] * np.inf, W[1]], ["a", "b"], ["y"]), r"weights\[0\] has infinite"),
        (lambda: plots.plot_network([np.zeros(3)], ["a", "b"], ["y"]), r"weights\[0\] must have shape"),
        (lambda: plots.plot_network(W, ["a"], ["y"]), "x_names has 1 names, but weights.0. has 2 inputs"),
        (lambda: plots.plot_network(W, ["a", "b"], "y"), "y_names must be a sequence"),
        (lambda: plots.plot_network(W, ["a", 3], ["y"]), r"x_names\[1\] must be a string"),
        (lambda: plots.plot_network(W, ["a", "b"], ["y"], fixed=[W[0] > 0]), "fixed has 1 masks"),
        (lambda: plots.plot_network(W, ["a", "b"], ["y"], fixed=W), r"fixed\[0\] must be boolean"),
        (lambda: plots.plot_network(W, ["a", "b"], ["y"], fontsize=0), "fontsize must be None or a finite number > 0"),
        (lambda: plots.plot_network(W, ["a", "b"], ["y"], max_units=1), "max_units must be a whole number"),
        (lambda: plots.plot_network(W, ["a", "b"], ["y"], colors=("red", "nocolour")), "colors must be two"),
        (lambda: plots.plot_network(W, ["a", "b"], ["y"], error="3"), "error must be a number"),
        (lambda: plots.plot_fit([1, 2], [1], [1], [[1]], [1]), "y has 1 values, but x has 2"),
        (lambda: plots.plot_fit([1], [1], [2, 1], [[1, 1]], [1, 1]), "grid must be increasing"),
        (lambda: plots.plot_fit([1], [1], [1, 2], [[1]], [1, 1]), "curves must have shape"),
        (
            lambda: plots.plot_fit([1], [1], [1], [[1]], [1], band=([2], [1])),
            r"band must be \(lower, upper\)",
        ),
        (lambda: plots.plot_fit([1], [1], [1], [[1]], [1], band=3), "band must be a pair"),
        (lambda: plots.plot_fit([1], [1], [1], [[1]], [1], truth=[1, 2]), "truth has 2 values"),
        (lambda: plots.plot_fit(["a"], [1], [1], [[1]], [1]), "x must be a numeric vector"),
        (lambda: plots.plot_observed_fitted([np.nan], [1]), "no pair of finite"),
        (lambda: plots.plot_confusion([[1, 2]]), "square matrix"),
        (lambda: plots.plot_confusion([[-1]]), "finite counts"),
        (lambda: plots.plot_confusion([[1]], ["a", "b"]), "labels has 2 names, but table has 1 classes"),
        (lambda: plots.plot_error([]), "traces is empty"),
        (lambda: plots.plot_error([[1, 2, 3]]), r"traces\[0\] must be a pair"),
        (lambda: plots.plot_error([([1, 2], [1])]), r"traces\[0\]\[1\] has 1 values"),
        (lambda: plots.plot_error(traces_of(2), [1, 0]), "converged must be a vector of 2 booleans"),
        (lambda: plots.gwplot([1], [[1]], name="x", response="y"), "values must be a non-empty vector"),
        (lambda: plots.gwplot([1], [1], name=1, response="y"), "name must be a string"),
        (lambda: plots.plot_restarts([np.inf]), "errors has no finite value"),
        (lambda: plots.plot_restarts([1.0], tolerance=2), "tolerance must be a finite number"),
    ],
)
def test_unusable_arguments_are_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_confusion_of_classes_that_were_never_predicted():
    observed, predicted = list("aabbccc"), list("acbacca")
    whole = pd.crosstab(pd.Series(observed), pd.Series(predicted))
    assert whole.shape == (3, 3)
    part = pd.crosstab(pd.Series(observed), pd.Series([p if p != "b" else "c" for p in predicted]))
    assert part.shape == (3, 2)
    ax = plots.plot_confusion(part)
    counts = {t.get_gid(): t.get_text() for t in ax.texts if str(t.get_gid()).startswith("count")}
    want = np.array([[1, 0, 1], [1, 0, 1], [1, 0, 2]])
    assert [[int(counts[f"count-{i}-{j}"]) for j in range(3)] for i in range(3)] == want.tolist()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert "42.9% of 7" in ax.get_title(loc="left")
    turned = plots.plot_confusion(whole[["c", "a", "b"]])  # columns in another order
    assert "57.1% of 7" in turned.get_title(loc="left")
    unseen = plots.plot_confusion(pd.crosstab(pd.Series(["a", "a"]), pd.Series(["a", "z"])))
    assert [t.get_text() for t in unseen.get_yticklabels()] == ["a", "z"]
    named = pd.DataFrame([[3, 1], [0, 2]], index=["x", "y"])  # columns 0 and 1 are no classes
    assert "83.3% of 6" in plots.plot_confusion(named).get_title(loc="left")
