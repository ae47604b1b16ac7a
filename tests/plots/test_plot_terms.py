"""Pictures of terms, by what they draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.effects import terms as of_terms
from neuralstat.errors import ArgumentError
from neuralstat.inference.term_parts import parts

DATA = pd.read_csv(Path(__file__).parents[1] / "reference" / "structured" / "terms.csv")


@pytest.fixture(scope="module")
def smooths():
    return ns.neuralnet("y ~ w + h + s(x) + s(z, by=h)", DATA)


@pytest.fixture(scope="module")
def towered():
    formula = "t ~ w + x + nn(x, z, hidden=3) + nn(w, embed(g, 2), hidden=2) + (1 | h)"
    return ns.neuralnet(formula, DATA, rep=1, random_state=1)


def test_panels_and_their_labels(smooths):
    axes = smooths.plot_terms(partial_residuals=True)
    labels = [ax.get_ylabel() for ax in axes]
    assert labels[:2] == ["w", "h"]
    assert labels[2].startswith("s(x), edf 6.")
    assert [label.split(",")[1] for label in labels[3:]] == [" by=h):b0", " by=h):b1", " by=h):b2"]
    assert [ax.get_xlabel() for ax in axes] == ["w", "h", "x", "z", "z", "z"]
    counts = [len(c.get_offsets()) for ax in axes[3:] for c in ax.collections if c.get_gid() == "observations"]
    assert counts == [int((DATA["h"] == level).sum()) for level in ("b0", "b1", "b2")]


def test_a_linear_curve_is_its_coefficient_with_its_error(smooths):
    (ax,) = smooths.plot_terms("w")
    x, y = ax.lines[0].get_xdata(), ax.lines[0].get_ydata()
    slope = smooths.params["w.to.y"]
    np.testing.assert_allclose(y, slope * (x - DATA["w"].mean()), atol=1e-10)
    band = next(c for c in ax.collections if c.get_gid() == "band").get_paths()[0].vertices
    width = band[:, 1].max() - y[-1]
    assert width == pytest.approx(1.959964 * smooths.bse["w.to.y"] * (x[-1] - DATA["w"].mean()), rel=1e-6)


@pytest.mark.parametrize("name", ["smooths", "towered"])
def test_contributions_add_up_to_the_linear_predictor(name, request):
    fit = request.getfixturevalue(name)
    fitted = fit.fitted
    total = np.zeros(len(DATA))
    for part in parts(fitted):
        if part.kind != "random":
            total += of_terms.contribution(fitted, fitted.best, part, fitted.design.x).value
    if name == "towered":
        total += fit.ranef()["h"]["(Intercept)"].loc[DATA["h"]].to_numpy()
    link = np.asarray(fit.predict(type="link", rep="best"), float)
    np.testing.assert_allclose(total - total.mean(), link - link.mean(), atol=1e-8)


def test_surfaces_embeddings_and_caterpillars(towered):
    axes = towered.plot_terms()
    titles = [ax.get_title() for ax in axes]
    assert titles[2].startswith("nn(x, z), edf")
    assert (axes[2].get_xlabel(), axes[2].get_ylabel()) == ("x", "z")
    assert axes[4].get_xlabel() == "embed(g), first coordinate"
    assert len(axes[4].texts) == 12
    assert [t.get_text() for t in axes[5].get_yticklabels()] == list(
        towered.ranef()["h"].sort_values("(Intercept)", kind="stable").index
    )


def test_many_levels_are_drawn_by_quantiles():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(80), 3)
    data = pd.DataFrame({"g": g.astype(str), "y": rng.normal(size=80)[g] + rng.normal(size=240)})
    (ax,) = ns.neuralnet("y ~ (1 | g)", data).plot_terms()
    assert ax.get_xlabel() == "normal quantiles"
    assert len(ax.lines[0].get_xdata()) == 80


def test_what_cannot_be_drawn_is_named(smooths):
    with pytest.raises(ArgumentError, match=r"no term 's\(q\)'"):
        smooths.plot_terms("s(q)")
    with pytest.raises(ArgumentError, match="structured formulas"):
        ns.neuralnet("y ~ x", DATA, hidden=0).plot_terms()


@pytest.mark.parametrize("variable", ["x", "w", "z"])
def test_effects_follow_the_terms(smooths, variable):
    # partial dependence of an additive fit is its contribution, up to a constant, by coding the covariate again
    grid = np.linspace(0.2, 0.8, 4)
    made = smooths.partial_dependence(variable, grid).iloc[:, 0].to_numpy()
    frame = DATA.copy()
    plain = [float(np.mean(smooths.predict(frame.assign(**{variable: v})))) for v in grid]
    np.testing.assert_allclose(made, plain, rtol=1e-10)
    assert np.isfinite(smooths.ale(variable).iloc[:, 0]).all()
