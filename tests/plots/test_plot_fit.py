"""Plots of a fit: the right kind for response and covariates, from the right numbers."""


import functools

import fits
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

fitted = functools.partial(fits.quiet, hidden=2, threshold=0.2, random_state=1, rep=2, standardize=True)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.uniform(1, 3, 50), "z": rng.normal(size=50), "n": rng.integers(0, 3, 50)})
    data["y"] = np.log(data["x"]) + 0.05 * rng.normal(size=50)
    data["g"] = np.where(data["x"] < 1.6, "low", np.where(data["x"] < 2.3, "mid", "high"))
    data["two"] = data["x"] + 0.3 * rng.normal(size=50) > 2
    return data


def line(ax, label):
    (found,) = [artist for artist in ax.lines if artist.get_label() == label]
    return found.get_xdata(), found.get_ydata()


def points(ax, gid="observations"):
    (cloud,) = [c for c in ax.collections if c.get_gid() == gid]
    return np.asarray(cloud.get_offsets())


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ poly(x, 3)", "y ~ log(x) + I(x**2)", "y ~ bs(x, df=4)"])
def test_curve_over_the_raw_covariate(frame, formula):
    if "I(" in formula:
        formula = "y ~ log(x) + {x**2}"
    fit = fitted(formula, frame)
    ax = fit.plot_fit(truth=np.log, points=60)
    grid, mean = line(ax, "mean of the repetitions")
    np.testing.assert_array_equal(grid, np.linspace(frame["x"].min(), frame["x"].max(), 60))
    np.testing.assert_allclose(mean, fit.predict(pd.DataFrame({"x": grid})), rtol=1e-12)
    np.testing.assert_allclose(points(ax), frame[["x", "y"]].to_numpy(), rtol=1e-12)
    curves = [a.get_ydata() for a in ax.lines if len(a.get_xdata()) == 60 and a.get_linewidth() < 1]
    np.testing.assert_allclose(curves, fit.predict(pd.DataFrame({"x": grid}), rep="all").T, rtol=1e-12)
    np.testing.assert_array_equal(line(ax, "truth")[1], np.log(grid))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_transformed_response_is_on_its_scale(frame):
    ax = fitted("exp(y) ~ x", frame).plot_fit()
    np.testing.assert_allclose(points(ax)[:, 1], np.exp(frame["y"]), rtol=1e-12)
    assert ax.get_ylabel() == "exp(y)"


def test_several_outputs(frame):
    fit = fitted("y + z ~ x", frame)
    np.testing.assert_allclose(points(fit.plot_fit(response="z"))[:, 1], frame["z"], rtol=1e-12)
    with pytest.raises(ArgumentError, match="response must be one of 'y', 'z'; got None"):
        fit.plot_fit()
    with pytest.raises(ArgumentError, match="got 'q'"):
        fit.plot_fit(response="q")


@pytest.mark.parametrize("formula", ["y ~ x + z", "y ~ C(n)", "y ~ g", "y ~ x + offset(z)"])
def test_observed_against_fitted(frame, formula):
    fit = fitted(formula, frame)
    ax = fit.plot_fit()
    expected = np.column_stack([fit.fittedvalues, frame["y"]])
    np.testing.assert_allclose(points(ax), expected, rtol=1e-9, atol=1e-12)
    with pytest.raises(ArgumentError, match="band and truth need a curve"):
        fit.plot_fit(truth=np.log)


def test_classes(frame):
    fit = fitted("g ~ x", frame, family="multinomial")
    ax = fit.plot_fit()
    shown = {t.get_gid(): int(t.get_text()) for t in ax.texts}
    counts = [[shown[f"count-{i}-{j}"] for j in range(3)] for i in range(3)]
    expected = pd.crosstab(frame["g"], fit.predict(type="class").astype(str))
    expected = expected.reindex(index=["high", "low", "mid"], columns=["high", "low", "mid"], fill_value=0)
    np.testing.assert_array_equal(counts, expected)
    ax = fit.plot_fit(response="mid")
    assert ax.get_ylabel() == "P(g = mid)"
    grid, mean = line(ax, "mean of the repetitions")
    np.testing.assert_allclose(mean, fit.predict(pd.DataFrame({"x": grid}))["mid"], rtol=1e-12)
    assert (
        fitted("g ~ x + z", frame, family="multinomial").plot_fit(response="low").get_xlabel()
        == "fitted P(g = low)"
    )


def test_binary(frame):
    data = frame.assign(two=frame["two"].map({True: "yes", False: "no"}))
    fit = fitted("two ~ x", data, family="binomial")
    ax = fit.plot_fit()
    assert ax.get_ylabel() == "P(two = yes)"
    assert fit.plot_fit(response="yes").get_ylabel() == "P(two = yes)"
    assert "correct" in fitted("two ~ x + z", data, family="binomial").plot_fit().get_title(loc="left")


def test_repetitions_that_did_not_converge_are_not_averaged(frame):
    steps = np.sort(fitted("y ~ x", frame, rep=6).fit.steps)
    fit = fitted("y ~ x", frame, rep=6, stepmax=int(steps[3]))
    assert 0 < fit.fit.converged.sum() < 6  # else this test shows nothing
    grid, mean = line(fit.plot_fit(), "mean of the repetitions" if fit.fit.converged.sum() > 1 else "fit")
    np.testing.assert_allclose(mean, fit.predict(pd.DataFrame({"x": grid})), rtol=1e-12)


def test_diverged_fits_say_so(frame):
    fit = fitted("y ~ x", frame, algorithm="backprop", learningrate=1e5, stepmax=50, standardize=False)
    theta = np.full_like(fit.fit.theta, np.nan)
    object.__setattr__(fit.fit, "theta", theta)
    with pytest.raises(ArgumentError, match="all diverged"):
        fit.plot_fit()
    with pytest.raises(ArgumentError, match=r"repetition 1 diverged.*cannot be drawn"):
        fit.plot(rep=1)


def test_wrong_points(frame):
    for points_ in (1, 2.5, True, "many"):
        with pytest.raises(ArgumentError, match="points must be a whole number"):
            fitted("y ~ x", frame).plot_fit(points=points_)


def test_all_plots_draw_on_given_axes(frame):
    fit = fitted("y ~ x + z", frame, exclude=["z.to.1layhid1"], constant_weights=[0.5])
    for draw in (
        fit.plot,
        fit.plot_fit,
        fit.plot_error,
        fit.plot_restarts,
        lambda ax: fit.gwplot("x", ax=ax),
        lambda ax: fit.plot(rep=2, ax=ax, show_weights=False),
    ):
        ax = Figure().subplots()
        assert draw(ax=ax) is ax
        ax.figure.canvas.draw()


def test_gwplot_is_in_original_units(frame):
    fit = fitted("y ~ x + z", frame)
    ax = fit.gwplot("x", rep=2)
    expected = np.column_stack([frame["x"], fit.generalized_weights[1]["x"]])
    np.testing.assert_allclose(points(ax, "generalized weights"), expected, rtol=1e-12)
    with pytest.raises(ArgumentError, match="covariate must be one of 'x', 'z'; got None"):
        fit.gwplot()


def test_restarts_show_the_optima_of_the_results(frame):
    fit = fitted("y ~ x", frame, rep=5)
    title = fit.plot_restarts().get_title(loc="left")
    done = fit.reps[fit.reps["converged"]]
    assert title.startswith(f"{done['optimum'].nunique()} distinct optim")


def test_huge_weights_do_not_hide_the_rest():
    weights = [np.array([[1.0, -2.0, 1.5], [1000.0, 1.0, -1.0]]), np.array([[1.0], [2.0], [-1.0], [1.0]])]
    ax = ns.plots.plot_network(weights, ["x"], ["y"], show_weights=False)
    (edges,) = [c for c in ax.collections if c.get_gid() == "weights"]
    widths = np.sort(edges.get_linewidths())
    assert widths[-1] / widths[0] < 4
    assert any("≥" in t.get_text() for t in ax.texts)
    assert {to_hex(c) for c in edges.get_colors()} == {style.BLUE.lower(), style.ORANGE.lower()}
