"""Windows count rows: a gap in a time index is named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import DataWarning
from neuralstat.formula import design
from neuralstat.formula.windows import find_gaps

REGULAR = ["h", "D", "B", "W", "W-WED", "MS", "ME", "QS", "YS", "SMS", "BME", "15min", "2D", "2h", "BQE"]


@pytest.mark.parametrize("freq", REGULAR)
def test_regular_times_have_none_and_missing_ones_are_found(freq):
    if tuple(map(int, pd.__version__.split(".")[:2])) < (2, 2):
        freq = {"ME": "M", "BME": "BM", "BQE": "BQ"}.get(freq, freq)
    times = pd.DatetimeIndex(pd.date_range("2020-01-01", periods=60, freq=freq).values)  # without its freq
    assert find_gaps(times) is None
    assert find_gaps(times.tz_localize("UTC")) is None
    found = find_gaps(times.delete([20, 21]))
    assert (found.before, found.after, found.count) == (19, 20, 1)
    assert find_gaps(times.delete([20, 21, 40])).count == 2


def test_days_of_23_hours_are_no_gap():
    days = pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin")
    assert find_gaps(pd.DatetimeIndex(days.tz_convert("UTC")).tz_convert("Europe/Berlin")) is None


def test_periods_and_durations():
    months = pd.period_range("2020-01", periods=30, freq="M")
    assert find_gaps(months) is None
    assert find_gaps(months.delete(7)).usual == "1 M"
    assert find_gaps(pd.period_range("2020-01-01", periods=30, freq="Q")) is None
    seconds = pd.TimedeltaIndex(pd.to_timedelta([0, 1, 2, 3, 6, 7], unit="s"))
    assert (find_gaps(seconds).before, find_gaps(seconds).usual) == (3, "00:00:01")


def test_holidays_are_gaps_of_working_days():
    days = pd.DatetimeIndex(pd.date_range("2024-01-01", periods=40, freq="B").values)
    found = find_gaps(days.delete(12))
    assert found.usual == "1 working day" and days[found.before] == pd.Timestamp("2024-01-16")


def test_times_without_a_rhythm_have_no_gaps():
    events = np.cumsum(np.random.default_rng(1).exponential(3600e9, 100)).astype("datetime64[ns]")
    assert find_gaps(pd.DatetimeIndex(events)) is None
    assert find_gaps(pd.DatetimeIndex(["2020-01-01", "2020-01-02"])) is None
    assert find_gaps(pd.RangeIndex(0, 40, 3)) is None


def test_groups_are_judged_apart():
    days = pd.DatetimeIndex(pd.date_range("2020-01-01", periods=20, freq="D").values)
    weeks = pd.DatetimeIndex(pd.date_range("2020-01-01", periods=20, freq="W").values)
    both = np.repeat([0, 1], 20)
    assert find_gaps(days.append(days), both) is None
    assert find_gaps(days.append(weeks), both) is None  # each has its own step
    found = find_gaps(days.append(days.delete(4)), both[:-1])
    assert (found.before, found.after) == (23, 24)
    # rows of the groups in turn; the rows of no group do not count
    assert find_gaps(pd.DatetimeIndex(np.repeat(days.delete(4).values, 2)), np.tile([0, 1], 19)).count == 2
    short = pd.DatetimeIndex(["2020-01-01", "2020-01-05"])  # two rows are judged by the step of the others
    assert find_gaps(days.append(short), np.r_[np.zeros(20, int), 1, 1]).after == 21
    assert find_gaps(days.append(short), np.r_[np.zeros(20, int), -1, -1]) is None


@pytest.fixture
def series():
    rng = np.random.default_rng(3)
    times = pd.DatetimeIndex(pd.date_range("2022-03-01", periods=48, freq="h").values)
    return pd.DataFrame({"flow": rng.normal(size=48), "g": list("ab") * 24}, index=times)


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        ("flow ~ lags(flow, 3)", "`lags(flow, 3)`"),
        ("leads(flow, 2) ~ lags(flow, 2)", "`leads(flow, 2)`, `lags(flow, 2)`"),
        ("flow ~ window(flow, 1)", "`window(flow, 1)`"),
        ("leads(flow, 1, start=1) ~ 1", "`leads(flow, 1, start=1)`"),
        ("flow ~ lag(flow, 1)", "`lag(flow, 1)`"),
    ],
)
@pytest.mark.parametrize("kind", ["dates", "periods"])
def test_every_window_names_the_gap_once(series, formula, named, kind):
    broken = series.drop(series.index[10:14])
    if kind == "periods":
        series, broken = (frame.set_axis(frame.index.to_period("h"), axis=0) for frame in (series, broken))
    design(formula, series)  # no word
    with pytest.warns(DataWarning, match="gap from 2022-03-01 09:00.* to 2022-03-01 14:00.*Add the missing times") as said:
        made = design(formula, broken)
    assert len(said) == 1 and said[0].filename == __file__
    assert str(said[0].message).startswith(f"{named}: windows count rows")
    if formula.startswith("flow ~"):
        with pytest.warns(DataWarning, match="gap from 2022-03-01 09:00") as said:
            made.encode(broken)
        assert len(said) == 1
        made.encode(series)


def test_windows_of_the_row_itself_cross_nothing(series):
    design("leads(flow, 1) ~ window(flow, 0)", series.drop(series.index[10:14]))


def test_groups_are_named(series):
    wide = pd.concat([series.assign(g="north"), series.drop(series.index[[20, 30]]).assign(g="south")])
    with pytest.warns(DataWarning, match=r"gap from 2022-03-01 19:00:00 to 2022-03-01 21:00:00 in the group 'south'.*1 more"):
        design("flow ~ lags(flow, 2, by=g)", wide)
    stretch = (series.index.to_series().diff() > pd.Timedelta("1h")).cumsum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design("flow ~ lags(flow, 2, by=s)", series.assign(s=stretch.to_numpy()).drop(series.index[[20]]).assign(
            s=lambda f: (f.index.to_series().diff() > pd.Timedelta("1h")).cumsum().to_numpy()))  # fmt: skip


def test_missing_rows_that_are_there_are_no_gap(series):
    """What the warning recommends: the missing times as rows."""
    broken = series.drop(series.index[10:14])
    with pytest.warns(DataWarning, match="gap"):
        across = design("flow ~ lags(flow, 2)", broken)
    whole = design("flow ~ lags(flow, 2)", broken.asfreq("h"))
    assert whole.x.shape[1] == across.x.shape[1] - 2
    np.testing.assert_array_equal(whole.x, across.x[:, across.index.isin(whole.index)])


@pytest.mark.parametrize("algorithm", ["lm", "adam"])
@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")
def test_fits_and_predictions_warn(series, algorithm):
    broken = series.drop(series.index[10:14])
    with pytest.warns(DataWarning, match="`lags.flow, 2.`: windows count rows"):
        fit = raw.neuralnet("flow ~ lags(flow, 2)", broken, hidden=0, algorithm=algorithm, standardize=True, random_state=1)
    fit.predict(series)
    with pytest.warns(DataWarning, match="gap"):
        fit.predict(broken)
    if algorithm == "adam":
        broken = broken.drop(broken.index[[-3, -8]])
        with pytest.warns(DataWarning, match="2 more gap") as said:
            ns.neuralnet("flow ~ lags(flow, 2)", broken, hidden=0, algorithm="adam", validation=0.2, standardize=True,
                         random_state=1)  # fmt: skip
        assert len([w for w in said if "gap" in str(w.message)]) == 1
