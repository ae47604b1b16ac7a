"""Histories of several fits in one picture."""

import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import plots
from neuralstat.errors import ArgumentError

plt = pytest.importorskip("matplotlib.pyplot")


def _history(level, validation=True, reps=1):
    parts = [pd.DataFrame({"rep": r, "epoch": [1, 2, 3], "loss": [level, level / 2, level / 4]}) for r in range(1, reps + 1)]
    made = pd.concat(parts, ignore_index=True)
    return made.assign(val_loss=made["loss"] * 1.5) if validation else made


def _drawn(ax):
    return [(line.get_label(), line.get_linestyle(), line.get_ydata().tolist(), line.get_color()) for line in ax.lines]


def test_each_fit_has_a_colour_and_its_name():
    ax = plots.plot_history([_history(1.0), _history(4.0)], names=["small", "large"])
    lines = _drawn(ax)
    assert [line[:3] for line in lines if not line[0].startswith("_")] == [
        ("small", "-", [1.5, 0.75, 0.375]), ("large", "-", [6.0, 3.0, 1.5]),
    ]  # fmt: skip
    dashed = [line for line in lines if line[1] == "--"]
    assert [line[2] for line in dashed] == [[1.0, 0.5, 0.25], [4.0, 2.0, 1.0]]
    assert [line[3] for line in dashed] == [lines[0][3], lines[2][3]] and lines[0][3] != lines[2][3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["small", "large"]
    plt.close(ax.figure)


def test_without_validation_training_is_the_line_and_repetitions_share_a_colour():
    ax = plots.plot_history({"a_b": _history(1.0, False, reps=3), "c": _history(2.0, False)})
    lines = _drawn(ax)
    assert {line[1] for line in lines} == {"-"} and len(lines) == 4 and len({line[3] for line in lines}) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a_b", "c"]
    plt.close(ax.figure)


def test_some_have_validation():
    ax = plots.plot_history([_history(1.0), _history(2.0, False)])
    named = [(label, style) for label, style, *_ in _drawn(ax) if not label.startswith("_")]
    assert named == [("fit 1", "-"), ("fit 2", "--")]
    assert "dashed: training" in ax.get_ylabel()
    plt.close(ax.figure)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_fits_are_taken_too():
    data = ns.datasets.sine(30, random_state=1)
    fits = [ns.neuralnet("y ~ x", data, hidden=h, algorithm="adam", epochs=2, random_state=1) for h in (1, 2)]
    ax = plots.plot_history(fits, "mse", names=["one", "two"])
    assert [line.get_ydata().tolist() for line in ax.lines] == [fit.history["mse"].tolist() for fit in fits]
    plt.close(ax.figure)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"history": []}, "^history"),
    ({"history": [1]}, "^history must be a DataFrame"),
    ({"history": [_history(1.0)], "names": ["a", "b"]}, "^names"),
    ({"history": [_history(1.0)], "names": [1]}, "^names"),
    ({"history": {"a": _history(1.0)}, "names": ["b"]}, "^names"),
    ({"history": _history(1.0), "names": ["a"]}, "^names"),
    ({"history": [_history(1.0)], "best_epochs": [1]}, "^best_epochs"),
    ({"history": [_history(1.0)], "metric": "auc"}, "^metric"),
])  # fmt: skip
def test_what_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        plots.plot_history(**arguments)
