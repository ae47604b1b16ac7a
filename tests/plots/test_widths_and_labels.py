"""The diagram's widths and numbers, and the numbers of the plot of restarts: comparable, complete, nowhere on one another."""

from __future__ import annotations

from itertools import combinations, pairwise

import fits
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

import neuralstat as ns
from neuralstat import plots
from neuralstat.errors import ArgumentError
from neuralstat.plots.results import standardized


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"small": rng.normal(size=90), "large": 1e4 + 1e3 * rng.normal(size=90)})
    data["y"] = 500 * np.sin(data["small"]) + (data["large"] - 1e4) / 4 + 7000 + 10 * rng.normal(size=90)
    return data, fits.quiet("y ~ small + large", data, hidden=3, standardize=True, algorithm="lm", random_state=1,
                            penalty=ns.decay(0.01))  # fmt: skip


def widths(ax):
    """Width by (layer, source, target), the bias as source 0, from the edges and their places."""
    (edges,) = [c for c in ax.collections if c.get_gid() == "weights"]
    return np.sort(edges.get_linewidths())


def test_standardized_weights_are_those_of_the_standardized_network(fit):
    """A fit of scaled data has weights in these units already: they come out again."""
    _, results = fit
    found = standardized(results.fitted, 0)
    inside = results.network.matrices(results.fit.theta[0])
    np.testing.assert_allclose(found[0], inside[0], rtol=0.02)  # up to n or n - 1 in the standard deviations
    hidden = results.predict(type="units", rep=1)[1].to_numpy()
    sd = np.vstack([np.ones(1), (inside[1][1:, 0] * hidden.std(axis=0))[:, np.newaxis]])
    np.testing.assert_allclose(found[1][1:], sd[1:], rtol=0.02)
    assert found[1][0] == pytest.approx(0, abs=0.05)  # a linear output is centred where its units are


def test_widths_do_not_depend_on_units_of_measurement(fit):
    data, _ = fit
    options = {"hidden": 2, "standardize": True, "algorithm": "lm", "random_state": 1, "penalty": ns.decay(0.01)}
    one = fits.quiet("y ~ small + large", data, **options)
    other = fits.quiet("y ~ small + large", data.assign(large=data["large"] / 1e6, y=data["y"] * 1e3), **options)
    np.testing.assert_allclose(widths(one.plot()), widths(other.plot()), rtol=1e-5)
    plain = widths(one.plot(widths="weights"))
    assert np.abs(plain - widths(other.plot(widths="weights"))).max() > 0.3
    with pytest.raises(ArgumentError, match="widths must be one of"):
        one.plot(widths="none")
    with pytest.raises(ArgumentError, match="sizes must be 2 matrices"):
        one.plot(sizes=[np.ones((2, 2))])


def test_legend_says_what_the_widths_are(fit):
    _, results = fit
    for kind, word in (("standardized", "standardized:"), ("weights", "size:")):
        ax = results.plot(widths=kind, show_weights=False)
        assert word in [t.get_text() for t in ax.texts]


def corners(text, renderer):
    angle = np.radians(text.get_rotation())
    text.set_rotation(0)
    text.set_bbox(None)
    box = text.get_window_extent(renderer)
    origin = text.get_transform().transform(text.get_position())
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (box.corners()[[0, 1, 3, 2]] - origin) @ turn.T + origin


def apart(a, b):
    for shape in (a, b):
        for side in (shape[1] - shape[0], shape[3] - shape[0]):
            p, q = a @ side, b @ side
            if p.max() < q.min() or q.max() < p.min():
                return True
    return False


@pytest.mark.parametrize("seed", range(16))
def test_numbers_of_the_diagram_are_whole_and_apart(seed):
    """Networks and pages of many sizes: every number is inside the page, and on no other text (where it is shown)."""
    rng = np.random.default_rng(seed)
    sizes = [int(rng.integers(1, 6)) for _ in range(rng.integers(2, 5))]
    weights = [rng.normal(size=(a + 1, b)) * 10.0 ** rng.uniform(-3, 6) for a, b in pairwise(sizes)]
    ax, kind = None, seed % 4
    if kind == 1:
        plt.figure(figsize=rng.uniform(3, 9, 2))
    elif kind > 1:
        ax = plt.subplots(1, 2, figsize=rng.uniform(4, 12, 2), layout="constrained" if kind == 3 else None)[1][kind - 2]
    x_names = [f"x{k}" if seed % 3 else f"a_long_name_{k}" for k in range(sizes[0])]
    ax = plots.plot_network(weights, x_names, [f"y{k}" for k in range(sizes[-1])], error=3.14, steps=10, ax=ax)
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    boxes = [corners(t, canvas.get_renderer()) for t in ax.texts if t.get_text()]
    page = ax.figure.bbox
    for box in boxes:
        assert box.min() > -1 and box[:, 0].max() < page.x1 + 1 and box[:, 1].max() < page.y1 + 1
    assert all(apart(a, b) for a, b in combinations(boxes, 2))


ERRORS = {
    "even": 1 + np.arange(12) * 1e-3, "alike": np.array([1.0, 1.0, 1.00001, 3.0, 200.0]), "one": np.array([3.14159]),
    "groups": np.repeat(21358 + 1.5 * np.arange(12), 10), "dense": np.repeat([2.0, 2.0004, 2.001, 9.0], [1, 30, 1, 1]),
    "near": np.array([12345.678, 12345.9, 12399.0]), "many": 1 + np.arange(40) * 0.01,
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("inches", [(6.6, 4.2), (3.0, 2.4)])
def test_labels_of_restarts_do_not_collide(name, inches):
    errors = ERRORS[name]
    plt.figure(figsize=inches)
    ax = plots.plot_restarts(errors, optima=np.unique(errors, return_inverse=True)[1])
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    labels = [t for t in ax.texts if t.get_gid() == "optimum label"]
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in labels]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    words = [t.get_text().split()[0] for t in labels]
    assert len(set(words)) == len(words) >= 1 and float(words[0]) == pytest.approx(errors[0], rel=1e-3)
