"""Kaplan-Meier curves and cumulative hazards: against R's survival 3.5, statsmodels and by hand; strata, gaps, errors."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

import neuralstat as ns
from neuralstat.checks.values import StoredText
from neuralstat.errors import ArgumentError, DataError, DataWarning
from neuralstat.likelihood import lifetimes
from neuralstat.training import surv


@pytest.fixture(scope="module")
def lung():
    data = ns.datasets.lung()
    i = np.arange(len(data))
    start = 20 * (i % 4)
    return data.assign(event=data["status"] == 2, w=1 + i % 3, start=np.where(start < data["time"], start, 0))


# R: i <- seq_len(nrow(lung)) - 1; lung$event <- lung$status == 2; lung$w <- 1 + i %% 3
#    lung$start <- ifelse(20 * (i %% 4) < lung$time, 20 * (i %% 4), 0)
#    f <- survfit(Surv(start, time, event) ~ sex, lung, weights = w, conf.type = ct, robust = FALSE)
#    s <- summary(f, censored = TRUE); sum(s$n.risk), ...; at <- summary(f, times = c(30, 150, 400))
SUMS = {"n_risk": 22296.0, "n_event": 331.0, "n_censor": 125.0, "survival": 103.73241102632, "std_err": 7.65061344934}
LIMITS = {  # sums of lower and upper; lower and upper at 150 of sex 1
    "log": (89.99822280335, 120.22259732949, 0.590279541850, 0.731575206827),
    "log-log": (87.67649380336, 117.78439081414, 0.581515773450, 0.722404820788),
    "plain": (88.73748420598, 118.72000783683, 0.586628238764, 0.727653128242),
}
AT = [[0.823325163399, 0.657140683503, 0.259178607049], [0.914285714286, 0.817552396066, 0.454081440592]]


@pytest.mark.parametrize("conf_type", LIMITS)
def test_late_entries_weights_and_strata_against_survfit(lung, conf_type):
    km = ns.kaplan_meier("Surv(start, time, event) ~ sex", lung, weights="w", conf_type=conf_type)
    table = km.summary_frame()
    assert len(table) == 206 and list(table["strata"].unique()) == ["sex=1", "sex=2"]
    for name, total in SUMS.items():
        assert table[name].sum() == pytest.approx(total, rel=1e-10)
    low, high, first, second = LIMITS[conf_type]
    assert table["ci_lower"].sum() == pytest.approx(low, rel=1e-10)
    assert table["ci_upper"].sum() == pytest.approx(high, rel=1e-10)
    row = table[(table["strata"] == "sex=1") & (table["time"] <= 150)].iloc[-1]
    np.testing.assert_allclose(row[["ci_lower", "ci_upper"]].astype(float), [first, second], rtol=1e-10)
    np.testing.assert_allclose(km.predict([30, 150, 400]), AT, rtol=1e-10)
    hazard = km.cumulative_hazard()
    assert hazard["cumulative_hazard"].sum() == pytest.approx(175.59692426126, rel=1e-10)
    assert hazard["std_err"].sum() == pytest.approx(20.19753239820, rel=1e-10)


def test_quantiles_against_survfit(lung):
    # quantile(survfit(Surv(start, time, event) ~ sex, lung, weights = w, robust = FALSE), c(.3, .5, .8))
    found = ns.kaplan_meier("Surv(start, time, event) ~ sex", lung, weights="w").quantile([0.3, 0.5, 0.8])
    np.testing.assert_array_equal(found["time"], [110, 222, 519, 226, 361, 705])
    np.testing.assert_array_equal(found["ci_lower"], [65, 183, 428, 167, 340, 654])
    np.testing.assert_array_equal(found["ci_upper"], [166, 283, 567, 340, 450, 765])
    # survfit(Surv(time, status) ~ sex, lung): medians 270 (212, 310) and 426 (348, 550)
    km = ns.kaplan_meier("Surv(time, {status == 2}) ~ sex", lung)
    np.testing.assert_array_equal(km.median, [270, 426])
    np.testing.assert_array_equal(km.quantile(0.5), [[270, 212, 310], [426, 348, 550]])
    assert np.isnan(km.quantile(0.75).loc["sex=2", "ci_upper"])


def test_a_curve_that_is_flat_at_the_level_and_ends_at_0():
    # survfit(Surv(c(1, 2, 3, 4), c(1, 1, 0, 1)) ~ 1): quantile c(.25, .5, .75) is 1.5, 3, 4; at 4 std.err NaN, limits NA
    km = ns.kaplan_meier("Surv(t, e) ~ 1", pd.DataFrame({"t": [1, 2, 3, 4], "e": [1, 1, 0, 1]}))
    np.testing.assert_array_equal(km.quantile()["time"], [1.5, 3.0, 4.0])
    table = km.summary_frame()
    np.testing.assert_allclose(table["survival"], [0.75, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(table["std_err"], [0.21650635, 0.25, 0.25, np.nan], rtol=1e-7)
    np.testing.assert_allclose(table["ci_lower"], [0.42593227, 0.18765893, 0.18765893, np.nan], rtol=1e-7)
    np.testing.assert_allclose(km.predict([0.5, 4, 9]), [[1.0, 0.0, 0.0]])
    assert list(table["strata"]) == ["all"] * 4


@pytest.mark.parametrize("late", [False, True])
def test_against_statsmodels(lung, late):
    entry = lung["start"] if late else None
    other = SurvfuncRight(lung["time"], lung["event"], entry=entry, freq_weights=lung["w"])
    km = ns.kaplan_meier(f"Surv({'start, ' if late else ''}time, event) ~ 1", lung, weights="w")
    table = km.summary_frame()
    table = table[table["n_event"] > 0]
    np.testing.assert_allclose(table["time"], other.surv_times)
    np.testing.assert_allclose(table["n_risk"], other.n_risk)
    np.testing.assert_allclose(table["survival"], other.surv_prob, rtol=1e-12)
    plain = SurvfuncRight(lung["time"], lung["event"], entry=entry)  # its standard errors do not see the weights
    bare = ns.kaplan_meier(f"Surv({'start, ' if late else ''}time, event) ~ 1", lung).summary_frame()
    np.testing.assert_allclose(bare[bare["n_event"] > 0]["std_err"], plain.surv_prob_se, rtol=1e-10)


def test_weights_are_frequencies(lung):
    often = lung.loc[lung.index.repeat(lung["w"])].reset_index(drop=True)
    own = ns.kaplan_meier("Surv(start, time, event) ~ sex", lung, weights="w").summary_frame()
    pd.testing.assert_frame_equal(own, ns.kaplan_meier("Surv(start, time, event) ~ sex", often).summary_frame())
    some = ns.kaplan_meier("Surv(time, event) ~ 1", lung, weights=lung["sex"] == 1).summary_frame()
    alone = ns.kaplan_meier("Surv(time, event) ~ 1", lung[lung["sex"] == 1]).summary_frame()
    pd.testing.assert_frame_equal(some, alone)


def test_events_come_before_censorings_in_the_censoring_distribution():
    # prodlim(Hist(stop, event) ~ 1, reverse = TRUE)
    stop, event = [3, 5, 5, 5, 6, 7, 7, 8, 9, 9], [1, 1, 0, 1, 0, 1, 1, 0, 1, 0]
    found = lifetimes.censoring(lifetimes.Lifetimes.of(stop, event))
    at = [1, 6 / 7, 5 / 7, 5 / 7, 10 / 21, 10 / 21]  # prodlim's is 0 at the end; here it is held
    np.testing.assert_allclose(found.value, at)
    np.testing.assert_allclose(found.at([5, 8], before=True), [1, 5 / 7])
    t = np.linspace(0.01, 12, 7)
    fine = (np.arange(200_000) + 0.5) / 200_000
    np.testing.assert_allclose(found.integral(t), [np.mean(1 / found.at(fine * v)) * v for v in t], rtol=1e-4)


def test_strata_of_all_kinds(lung):
    data = lung.assign(sex=pd.Categorical(lung["sex"].map({1: "m", 2: "f"}), ["m", "f", "other"]), old=lung["age"] > 65)
    data.loc[data.index[:5], "sex"] = np.nan
    km = ns.kaplan_meier("Surv(time, event) ~ sex + {age > 60} + C(ph.ecog)", data)
    assert list(km.curves)[:2] == ["sex=m, age > 60=False, C(ph.ecog)=0", "sex=m, age > 60=False, C(ph.ecog)=1"]
    assert sum(len(c.time) for c in km.curves.values()) == len(km.summary_frame())
    known = data.dropna(subset=["sex", "ph.ecog"])
    assert km.table["n"].sum() == len(known) == len(data) - 6
    sizes = known.groupby(["sex", known["age"] > 60, "ph.ecog"], observed=True).size()
    np.testing.assert_array_equal(km.table["n"], sizes)
    two = ns.kaplan_meier("Surv(time, event) ~ old:sex", data)
    assert list(two.curves) == ["old=False, sex=m", "old=False, sex=f", "old=True, sex=m", "old=True, sex=f"]
    assert "270" in repr(ns.kaplan_meier("Surv(time, event) ~ C(sex)", lung))


def test_results_are_copied_and_tables_of_other_kinds_taken(lung):
    km = ns.kaplan_meier("Surv(time, event) ~ sex", lung)
    again = pickle.loads(pickle.dumps(km))
    pd.testing.assert_frame_equal(again.summary_frame(), km.summary_frame())
    arrays = {name: lung[name].to_numpy() for name in ("time", "event", "sex")}
    pd.testing.assert_frame_equal(ns.kaplan_meier("Surv(time, event) ~ sex", arrays).summary_frame(), km.summary_frame())
    zero = ns.kaplan_meier("Surv(t, e) ~ 1", {"t": [0.0, 0.0, 1.0], "e": [True, False, True]})
    np.testing.assert_allclose(zero.summary_frame()["survival"], [2 / 3, 0.0])
    cut = 65
    assert len(ns.kaplan_meier("Surv(time, event) ~ {age > cut}", lung, context={"cut": cut}).curves) == 2


def test_nobody_left_before_others_enter_is_said():
    data = pd.DataFrame({"start": [0.0, 0.0, 3.0, 3.0], "stop": [1.0, 2.0, 4.0, 5.0], "e": [0, 1, 1, 1]})
    with pytest.warns(DataWarning, match="at time 2 all rows at risk, 1, have the event"):
        km = ns.kaplan_meier("Surv(start, stop, e) ~ 1", data)
    assert km.summary_frame()["survival"].tolist() == [1, 0, 0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ns.kaplan_meier("Surv(stop, e) ~ 1", data)


@pytest.mark.parametrize("formula, more, words", [
    ("time ~ sex", {}, "left side must be Surv.*Turnbull"), ("low + high ~ sex", {}, "Turnbull"),
    ("Surv(time) ~ 1", {}, r"Surv\(time\)' must be"), ("Surv(time, event)", {}, "no right side"),
    ("Surv(time, status) ~ 1", {}, "events must be 0 or 1.*the first is 2"),
    ("Surv(time, letters) ~ 1", {}, "'letters' holds no numbers"), ("Surv(time, event) ~ nope", {}, "'nope'"),
    ("Surv(time, start, event) ~ 1", {}, "start must be less than stop"),
    ("Surv({time - 400}, event) ~ 1", {}, "times must not be negative"),
    ("Surv({start - 1}, time, event) ~ 1", {}, "start must not be negative"),
    ("Surv(time, event) ~ offset(age)", {}, "offset"), ("Surv(time, event) ~ poly(age, 2)", {}, "one value per row"),
    ("Surv(time, event) ~ sex", {"weights": "nope"}, "nope"), ("Surv(time, event) ~ sex", {"weights": [1.0]}, "weights"),
    ("Surv(time, event) ~ sex", {"alpha": 1.5}, "alpha"), ("Surv(time, event) ~ sex", {"conf_type": "loglog"}, "conf_type"),
    (3, {}, "formula"),
])  # fmt: skip
def test_errors_name_what_is_wrong(lung, formula, more, words):
    with pytest.raises((ArgumentError, DataError), match=words):
        ns.kaplan_meier(formula, lung.assign(letters="a", low=1, high=2), **more)


def test_errors_of_methods(lung):
    km = ns.kaplan_meier("Surv(time, event) ~ 1", lung)
    for call, words in [
        (lambda: km.quantile(1.0), "q must"), (lambda: km.quantile("a"), "q must"), (lambda: km.predict("a"), "times"),
        (lambda: km.predict([[1.0]]), "times"), (lambda: km.plot(ax=3), "ax must"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            call()
    many = pd.DataFrame({"t": np.arange(1.0, 2001), "e": 1, "x": np.arange(2000.0)})
    with pytest.raises(ArgumentError, match="'x' makes 2000 strata"):
        ns.kaplan_meier("Surv(t, e) ~ x", many)


def test_a_strangers_formula_stays_one():
    text = StoredText("Surv(time, __import__('os').getpid()) ~ 1")
    assert isinstance(surv.as_rows(text), StoredText)
    assert not isinstance(surv.as_rows(str(text)), StoredText)
    with pytest.raises((ArgumentError, DataError), match=r"__import__|getpid"):
        ns.kaplan_meier(text, {"time": [1.0, 2.0]})
    with pytest.raises((ArgumentError, DataError), match=r"__import__|getpid"):
        ns.neuralnet(text, {"time": [1.0, 2.0]}, hidden=0, family="weibull")
