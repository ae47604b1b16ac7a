"""Dates, durations and periods in formulas: what a term makes of them is judged, not the column."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import Spec, design, from_arrays
from neuralstat.formula.subset import subset

N = 60


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    t = pd.Series(pd.date_range("2022-01-05 06:00", periods=N, freq="6D"))
    frame = pd.DataFrame({
        "t": t, "u": t + pd.to_timedelta(rng.integers(0, 400, N), unit="h"), "x": rng.normal(size=N),
        "td": pd.to_timedelta(np.arange(N) * 1.5, unit="D"), "p": t.dt.to_period("M"), "when.at": t,
        "tz": t.dt.tz_localize("Europe/Berlin"), "day": t.dt.date, "seconds": t.astype("datetime64[s]"),
    })  # fmt: skip
    frame["y"] = frame["x"] + frame["t"].dt.month + rng.normal(size=N)
    return frame


@pytest.mark.parametrize(
    ("term", "column"),
    [
        ("t.dt.month", lambda d: d.t.dt.month),
        ("{t.dt.month}", lambda d: d.t.dt.month),
        ("{t.dt.hour + t.dt.day / 31}", lambda d: d.t.dt.hour + d.t.dt.day / 31),
        ('{t > "2022-06-01"}', lambda d: d.t > "2022-06-01"),
        ("td.dt.days", lambda d: d.td.dt.days),
        ("td.dt.total_seconds()", lambda d: d.td.dt.total_seconds()),
        ("{td / np.timedelta64(1, 'D')}", lambda d: d.td / pd.Timedelta("1D")),
        ("{(u - t).dt.days}", lambda d: (d.u - d.t).dt.days),
        ("{u > t}", lambda d: d.u > d.t),
        ("log((u - t).dt.days + 1)", lambda d: np.log((d.u - d.t).dt.days + 1)),
        ("p.dt.year", lambda d: d.p.dt.year),
        ("tz.dt.hour", lambda d: d.tz.dt.hour),
        ("day.dt.day", lambda d: d.t.dt.day),
        ("seconds.dt.day", lambda d: d.t.dt.day),
        ("when.at.dt.day", lambda d: d.t.dt.day),
        ("{`when.at`.dt.day / 2}", lambda d: d.t.dt.day / 2),
        ("sin(2 * np.pi * t.dt.day_of_year / 365)", lambda d: np.sin(2 * np.pi * d.t.dt.day_of_year / 365)),
    ],
)
def test_terms(data, term, column):
    d = design(f"y ~ {term} + x", data)
    np.testing.assert_allclose(d.x[0], np.asarray(column(data), float))
    np.testing.assert_array_equal(d.encode(data[::-1]).x, d.x[:, ::-1])


def test_factors_interactions_splines(data):
    d = design("y ~ C(t.dt.quarter)", data)
    assert d.x_names == tuple(f"C(t.dt.quarter)[T.{q}]" for q in (2, 3, 4))
    d = design("y ~ t.dt.month:x + bs(t.dt.day_of_year, df=4) + t.dt.day_name()", data)
    np.testing.assert_allclose(d.x[d.terms["t.dt.month:x"][0]], data["t"].dt.month * data["x"])
    assert len(d.terms["bs(t.dt.day_of_year, df=4)"]) == 4
    assert len(d.terms["t.dt.day_name()"]) == data["t"].dt.day_name().nunique() - 1
    with pytest.raises(DataError, match="not among the model's levels"):
        design("y ~ C(t.dt.month)", data.iloc[:20]).encode(data)
    # dates as levels are levels
    assert len(design("y ~ C(p)", data).x_names) == data["p"].nunique() - 1


def test_responses_and_offsets(data):
    np.testing.assert_array_equal(design("t.dt.month ~ x", data).y[0], data["t"].dt.month)
    np.testing.assert_array_equal(design('{t > "2022-06-01"} ~ x', data).y[0], data["t"] > "2022-06-01")
    np.testing.assert_array_equal(design("(u - t).dt.days + y ~ x", data).y[0], (data["u"] - data["t"]).dt.days)
    np.testing.assert_array_equal(design("y ~ x + offset(td.dt.days)", data).offset[0], data["td"].dt.days)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ t", r"column 't' has dtype datetime64.*t\.dt\.month"),
        ("y ~ x * td", r"column 'td' has dtype timedelta64.*td\.dt\.days"),
        ("y ~ p", r"column 'p' has dtype period\[M\]"),
        ("y ~ tz + x", r"column 'tz' has dtype datetime64"),
        ("y ~ day", "column 'day' has dtype datetime64"),
        ("y ~ {u - t}", r"term `u - t` has dtype timedelta64.*\{\(u - t\)\.dt\.days\}"),
        ("y ~ log(t)", r"`log\(t\)`: column 't' has dtype datetime64"),
        ("y ~ scale(t)", r"`scale\(t\)`: column 't'"),
        ("y ~ x.dt.month", r"the column holds no dates: make them by pandas\.to_datetime"),
        ("t ~ x", "column 't' has dtype datetime64"),
        ("{u - t} ~ x", "term `u - t` has dtype timedelta64"),
        ("y ~ x + offset(td)", "term `td` has dtype timedelta64"),
        ("y ~ lags(t, 2)", "column 't' must be numeric"),
        ("y ~ .", "has dtype"),
        ("y ~ t.month", r"Unable to evaluate factor `t\.month`"),
        ("y ~ s.dt.month", r"no column 's\.dt\.month'"),
    ],
)
def test_what_is_no_number_is_refused_by_name(data, formula, message):
    with pytest.raises(DataError, match=message):
        design(formula, data)


def test_weights_and_arrays_are_numbers(data):
    with pytest.raises(DataError, match="weights must be numeric"):
        design("y ~ x", data, weights="td")
    with pytest.raises(DataError, match="column 't' has dtype datetime64"):
        from_arrays(data["y"], data[["x", "t"]])


def test_missing_dates_and_other_kinds_in_new_data(data):
    gaps = data.copy()
    gaps.loc[[2, 5], "t"] = pd.NaT
    d = design("y ~ t.dt.month + x", gaps)
    assert d.kept.sum() == N - 2 and np.isnan(d.encode(gaps).x[:, [2, 5]]).all()
    with pytest.raises(DataError, match="missing values in 't'"):
        design("y ~ t.dt.month", gaps, missing="raise")
    for other, now in ((data["x"], "float64"), (data["t"].astype(str), "object")):
        with pytest.raises(DataError, match=f"column 't' held dates or durations in the fitted data, and holds {now}"):
            d.encode(data.assign(t=other))
    with pytest.raises(DataError, match="column 'x' held numeric values in the fitted data, and holds datetime64"):
        d.encode(data.assign(x=data["t"]))


def test_a_column_with_a_dot_goes_first(data):
    d = design("y ~ t.dt", data.assign(**{"t.dt": np.arange(N)}))
    np.testing.assert_array_equal(d.x[0], np.arange(N))


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "objects", "dict"])
def test_tables_of_all_kinds(data, kind):
    part = data[["t", "td", "y"]]
    if kind == "pyarrow":
        pytest.importorskip("pyarrow")
        table = part.astype({"t": "timestamp[ns][pyarrow]", "td": "duration[ns][pyarrow]"})
    elif kind == "polars":
        table = pytest.importorskip("polars").DataFrame({name: part[name].to_numpy() for name in part})
    elif kind == "objects":
        table = part.assign(t=[datetime.datetime(*v.timetuple()[:6]) for v in part["t"]],
                            td=pd.Series([v.to_pytimedelta() for v in part["td"]], dtype=object))  # fmt: skip
        table["t"] = table["t"].astype(object)
    else:
        table = {name: part[name].to_numpy() for name in part}
    d = design("y ~ t.dt.month + td.dt.days", table)
    np.testing.assert_array_equal(d.x, [part["t"].dt.month, part["td"].dt.days])


def test_stored_formulas(data):
    for formula in ("y ~ t.dt.month*x", "y ~ {(u - t).dt.days + x}", "y ~ td.dt.total_seconds() + C(t.dt.day_name())",
                    'y ~ {t > "2022-06-01"}', "y ~ bs(t.dt.month, df=4) + np.log(p.dt.year)"):  # fmt: skip
        d = design(formula, data)
        np.testing.assert_array_equal(Spec.from_json(d.spec.to_json()).encode(data).x, d.x)
    for formula, part in (("y ~ {t.dt.tz_localize('UTC').dt.hour}", "tz_localize"), ("y ~ {t.dt.month.abs()}", "month.abs"),
                          ("y ~ {t.dt.day_name('de')}", "has arguments")):  # fmt: skip
        try:
            d = design(formula, data)
        except DataError:  # no such locale here
            continue
        with pytest.raises(ArgumentError, match=part):
            d.spec.to_json()


@pytest.mark.parametrize("algorithm", ["lm", "adam"])
@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")
def test_fits(data, algorithm, tmp_path):
    formula = 'y ~ t.dt.month + {t > "2022-06-01"} + x'
    fit = raw.neuralnet(formula, data, hidden=0, algorithm=algorithm, standardize=True, random_state=1)
    plain = data.assign(m=data["t"].dt.month, late=(data["t"] > "2022-06-01"))
    want = raw.neuralnet("y ~ m + late + x", plain, hidden=0, algorithm=algorithm, standardize=True, random_state=1)
    np.testing.assert_array_equal(fit.fit.theta, want.fit.theta)
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_series_equal(again.predict(data), fit.predict(data))
    assert again.design.frame["t"].equals(fit.design.frame["t"])
    assert float(ns.risk(fit, "cv", k=4, random_state=1)) == float(ns.risk(want, "cv", k=4, random_state=1))
    part = subset(design("y ~ scale(t.dt.month)", data), np.arange(20))
    np.testing.assert_allclose(part.x[0, :20].mean(), 0, atol=1e-12)


def test_data_in_parts(data):
    pieces = ns.chunks([data.iloc[:25], data.iloc[25:]])
    formula = 'y ~ t.dt.month + x + {u > "2022-06-01"}'
    fit = raw.neuralnet(formula, pieces, hidden=0, algorithm="lm", threshold=1e-8, random_state=1)
    whole = raw.neuralnet(formula, data, hidden=0, algorithm="lm", threshold=1e-8, random_state=1)
    np.testing.assert_allclose(fit.params, whole.params, rtol=1e-6)
    assert fit.design.frame["t"].equals(whole.design.frame["t"])


def test_effects(data):
    """Dates are no numbers to take slopes in; profiles go over their range."""
    fit = ns.neuralnet("y ~ t.dt.month + x", data, hidden=0, standardize=True, rep=1)
    effects = fit.marginal_effects()
    assert list(effects.index) == ["x"] and effects["dy/dx"].iloc[0] == pytest.approx(fit.params["x.to.y"])
    profile = fit.partial_dependence("t")["mean"]
    slope = np.polyfit(profile.index.month, profile.to_numpy(), 1)[0]
    assert slope == pytest.approx(fit.params["t.dt.month.to.y"])
    lone = ns.neuralnet("y ~ t.dt.month", data, hidden=0, standardize=True, rep=1)
    with pytest.raises(ArgumentError, match="variables: 't' hold dates"):
        lone.marginal_effects()
