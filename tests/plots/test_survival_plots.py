"""Pictures of survival: curves of data and of fits, groups, calibration at times."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.plots.survival import grouped


@pytest.fixture(autouse=True)
def clean():
    matplotlib.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def lung():
    data = ns.datasets.lung()
    return data.assign(event=data["status"] == 2, gender=data["sex"].map({1: "male", 2: "female"}))


@pytest.fixture(scope="module")
def fit(lung):
    return ns.neuralnet("Surv(time, event) ~ age + gender + ph.ecog", lung, hidden=0, family="weibull")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax):
    FigureCanvasAgg(ax.figure).draw()
    return ax


def test_curves_of_data(lung):
    km = ns.kaplan_meier("Surv(time, event) ~ gender", lung)
    ax = drawn(km.plot())
    assert labels(ax) == ["gender=female", "gender=male"] and len(ax.collections) == 2 and "95 % intervals" in ax.get_title()
    x, y = ax.lines[0].get_data()
    curve = km.curves["gender=female"]
    np.testing.assert_array_equal(x, [0, *curve.time])
    np.testing.assert_array_equal(y, [1, *curve.survival])
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), curve.time[curve.n_censor > 0])
    one = drawn(ns.kaplan_meier("Surv(time, event) ~ 1", lung).plot(ax=Figure().subplots(), bands=False, censored=False))
    assert one.get_legend() is None and len(one.lines) == 1 and not one.collections
    many = drawn(ns.kaplan_meier("Surv(time, event) ~ gender + ph.ecog", lung).plot())
    assert not many.collections and len(labels(many)) == 7


def test_groups_of_a_fit_beside_their_curves(lung, fit):
    ax = drawn(fit.plot_survival())
    assert [label.split(",")[0] for label in labels(ax)] == [
        "group 1 of 4 (shortest)", "group 2 of 4", "group 3 of 4", "group 4 of 4 (longest)",
    ]  # fmt: skip
    lines = ax.lines[1::2]
    ends = [line.get_ydata()[100] for line in lines]
    assert ends == sorted(ends) and all(line.get_ydata()[0] == 1 for line in lines)
    alive = fit.predict(type="survival", times=lines[0].get_xdata()).dropna()
    sizes = [int(label.rpartition("= ")[2]) for label in labels(ax)]
    assert sum(sizes) == len(alive) == 227
    np.testing.assert_allclose(np.average([line.get_ydata() for line in lines], axis=0, weights=sizes), alive.mean())
    two = ns.neuralnet("Surv(time, event) ~ gender", lung, hidden=0, family="loglogistic")
    ax = drawn(two.plot_survival(groups=5, times=[100, 500], bands=False))
    assert len(labels(ax)) == 2 and not ax.collections  # equal predictions stay together
    curve = ns.kaplan_meier("Surv(time, event) ~ gender", lung).curves["gender=male"]
    np.testing.assert_allclose(ax.lines[0].get_ydata()[1:], curve.survival)
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [0, 100, 500])


def test_curves_of_new_rows(lung, fit):
    new = lung.head(3).set_axis(["_a", "b$", "c"])
    ax = drawn(fit.plot_survival(new, times=[100, 300]))
    assert [label.strip() for label in labels(ax)] == ["_a", "b$", "c"]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [1, *fit.predict(new, type="survival", times=[100, 300]).iloc[1]])
    ax = drawn(fit.plot_survival(lung))
    assert ax.get_legend() is None and len(ax.lines) == 227
    with pytest.raises(ArgumentError, match="no row without missing"):
        fit.plot_survival(lung.head(2).assign(age=np.nan))
    with pytest.raises(ArgumentError, match="offset belongs to new rows"):
        fit.plot_survival(offset=np.zeros(3))


def test_curves_of_cox_are_steps(lung):
    cox = ns.neuralnet("Surv(time, event) ~ age + gender", lung, hidden=0, family="cox")
    days = np.unique(lung["time"][lung["event"]])
    line = drawn(cox.plot_survival(lung.head(2))).lines[1]
    assert line.get_drawstyle() == "steps-post" and np.isin(days, line.get_xdata()).all()
    alive = cox.predict(lung.head(2), type="survival", times=line.get_xdata()[1:])
    np.testing.assert_allclose(line.get_ydata()[1:], alive.iloc[1])
    groups = drawn(cox.plot_survival(times=[100, 300])).lines[1]
    assert groups.get_drawstyle() == "steps-post" and groups.get_xdata()[-1] == 300
    assert set(groups.get_xdata()) == {0, 100, 300, *days[days <= 300]}


def test_calibration_at_times(lung, fit):
    axes = fit.plot_calibration(times=[180, 365], groups=3)
    assert axes.shape == (1, 2) and axes[0, 1].get_title() == "Survival beyond 365"
    drawn(axes[0, 0])
    alive = fit.predict(type="survival", times=365.0)[365.0]
    known = alive.notna()
    code = grouped(alive[known].to_numpy(), np.ones(int(known.sum())), 3)
    points = [line.get_data() for line in axes[0, 1].lines if line.get_marker() == "o"]
    assert len(points) == 3
    for k, (x, y) in enumerate(points):
        rows = lung[known][code == k]
        assert float(x[0]) == pytest.approx(alive[known][code == k].mean())
        assert float(y[0]) == pytest.approx(ns.kaplan_meier("Surv(time, event) ~ 1", rows).predict(365).iloc[0, 0])
    late = fit.plot_calibration(times=1015, groups=5)
    assert 0 < sum(line.get_marker() == "o" for line in late[0, 0].lines) < 5  # of others nobody was looked at so long
    own = Figure().subplots(1, 3)
    assert fit.plot_calibration(times=[100, 200, 300], axes=own) is not None and own[2].get_title() == "Survival beyond 300"
    assert fit.plot_calibration().shape == (1, 2)


def test_equal_groups():
    score = np.array([3.0, 1, 2, 2, 5, 4])
    np.testing.assert_array_equal(grouped(score, np.ones(6), 3), [1, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(grouped(score, np.ones(6), 1), np.zeros(6))
    np.testing.assert_array_equal(grouped(np.ones(4), np.ones(4), 5), np.zeros(4))
    np.testing.assert_array_equal(grouped(score, np.array([1, 9, 1, 1, 1, 1.0]), 2), [1, 0, 1, 1, 1, 1])


@pytest.mark.parametrize("more, words", [
    ({"times": [2, 1]}, "times"), ({"times": []}, "times"), ({"times": "a"}, "times"), ({"groups": 0}, "groups"),
    ({"groups": 99}, "groups"), ({"rep": "all"}, "rep"),
])  # fmt: skip
def test_arguments_are_named(fit, more, words):
    for draw in (fit.plot_survival, fit.plot_calibration):
        if draw == fit.plot_calibration and "times" not in more:
            more = {**more, "times": 100}
        with pytest.raises(ArgumentError, match=words):
            draw(**more)
    with pytest.raises(ArgumentError, match="ax must"):
        fit.plot_survival(ax=3)
    with pytest.raises(ArgumentError, match="times: at most 12"):
        fit.plot_calibration(times=np.arange(1, 20))
    with pytest.raises(ArgumentError, match="axes must be 3"):
        fit.plot_calibration(times=[1, 2, 3], axes=Figure().subplots(1, 2))
