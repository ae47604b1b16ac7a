"""Figures in the prose of pages are those of ``benchmarks/results`` and ``vignettes/data``; tables say where from."""

from __future__ import annotations

import re
import sys

import pandas as pd
import pytest
from pages import Prose
from places import ROOT

DOCS, RESULTS, DATA = ROOT / "docs", ROOT / "benchmarks" / "results", ROOT / "vignettes" / "data"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="needs the repository")

if DOCS.is_dir():
    sys.path.insert(0, str(DOCS / "_ext"))
    import benchmarks


def twenty_starts():
    d = pd.read_csv(RESULTS / "time_to_solution.csv")
    return d[d["starts"] == 20].set_index("program")


def test_twenty_starts():
    d = twenty_starts()
    seconds, error = d["cpu_seconds_median"], d["median_error"]
    Prose("howto/speed").says('twenty starts take 0.08 seconds by `"lm"`, 0.8 by `"rprop+"`')
    Prose("explanation/numerics").says('take 0.08 seconds by `"lm"` alone (median error 0.82)',
                                       'and 0.8 seconds by `"rprop+"` (3.2)')  # fmt: skip
    assert f"{seconds['neuralstat lm']:.2f}" == "0.08" and f"{seconds['neuralstat rprop+']:.1f}" == "0.8"
    assert f"{error['neuralstat lm']:.2f}" == "0.82" and f"{error['neuralstat rprop+']:.1f}" == "3.2"


def test_first_fits():
    d = pd.read_csv(RESULTS / "first_fit.csv").set_index("fit")
    Prose("howto/speed").says("compiles for 3 to 7 seconds")
    Prose("explanation/numerics").says("takes 3 to 7 seconds")
    assert round(d["empty"].min()) == 3 and round(d["empty"].max()) == 7
    assert (d["compiled"] < 3).all()


def test_degrees_of_freedom():
    d = pd.read_csv(DATA / "degrees_of_freedom.csv").groupby(["design", "method"])["df"].mean().unstack("method")
    Prose("explanation/degrees_of_freedom").says("Seven procedures", "of early stops it is up to fourteen times the truth")
    early = d[d.index.str.contains("threshold")]
    assert len(d) == 7 and round((early["weights"] / early["truth"]).max()) == 14
    Prose("explanation/restarts").says(
        "for eight units of two covariates without a penalty, best of five,",
        "the Jacobian's degrees of freedom are 30 % too small",
    )
    best = d.loc["2-D, 8 units, best of 5"]
    assert round(100 * (best["jacobian"] / best["truth"] - 1)) == -30


def test_coverage_of_new_observations_and_means():
    page = Prose("explanation/intervals")
    d = pd.read_csv(DATA / "coverage.csv")
    page.says("(500 data sets) nominal 95 % intervals of new observations held 94 to 97 %")
    obs = 100 * d.loc[d["target"] == "obs", "coverage"]
    assert obs.between(94, 97).all()
    page.says("intervals of the mean held 93 to 96 % of nominal 95", "below 91 % whatever the method")
    mean = 100 * d[d["target"] == "mean"].set_index("design")["coverage"]
    assert mean["right"].between(93, 96).all() and mean["too small"].max() < 91


def test_coverage_everywhere():
    d = pd.read_csv(RESULTS / "distribution_coverage.csv")
    Prose("explanation/intervals").says(
        "one variance holds its 90 % on average and between 66 and 100 % in single fifths of x",
        "holds 88 to 92 % in every fifth",
    )
    by = (100 * d.groupby("method")["coverage"].agg(["min", "max", "mean"])).round()
    assert by.loc["one variance"].tolist() == [66, 100, 90]
    assert (by.loc[["distribution", "cqr"], "min"].min(), by.loc[["distribution", "cqr"], "max"].max()) == (88, 92)


def test_penalties_by_hand_hold_too_little():
    d = pd.read_csv(RESULTS / "evidence_coverage.csv").groupby("groups")["covered"]
    Prose("explanation/intervals").says("hold far too little; an estimated one does not")
    assert d.max()["decay .1, delta"] < 0.85 and d.min()["estimated, bayes"] >= 0.92


def test_intervals_of_the_risk():
    d = pd.read_csv(RESULTS / "risk_intervals.csv").groupby("interval")["covered"]
    Prose("explanation/risk").says("the naive one held the error in 68 to 83 % of all data sets",
                                   "the one of nested cross-validation in 89 to 93 %")  # fmt: skip
    low, high = 100 * d.min(), 100 * d.max()
    assert [round(v) for v in (low["naive"], high["naive"], low["nested_cv"], high["nested_cv"])] == [68, 83, 89, 93]


def test_ratios_to_the_error_at_new_x():
    d = pd.read_csv(RESULTS / "risk_new_x.csv").pivot_table(index="design", columns="estimator", values="ratio to new x")
    Prose("explanation/risk").says("Cp is below GCV, RCp and cross-validation throughout.",
                                   "With 80 rows for ten covariates nothing but cross-validation is near.")  # fmt: skip
    others = d[["gcv", "rcp", "cv"]]
    assert (others.sub(d["cp"], axis=0).fillna(1) > 0).all().all()
    few = d.loc["network, 10 covariates, n 80", ["cv", "rcp", "gcv", "cp", "alo"]]
    assert abs(few["cv"] - 1) < 0.1 and (few.drop("cv").sub(1).abs() > 0.3).all()


@pytest.mark.parametrize("page", sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")
                                        if "_build" not in path.parts) if DOCS.is_dir() else [])  # fmt: skip
def test_tables_that_pages_include_are_made(page):
    included = re.findall(r"\{include\} \S*_tables/(\w+)\.md", (DOCS / page).read_text(encoding="utf-8"))
    assert set(included) <= set(benchmarks.TABLES)


@pytest.mark.parametrize("name", sorted(benchmarks.TABLES) if DOCS.is_dir() else [])
def test_tables_say_where_they_are_from(name):
    assert len(benchmarks.TABLES[name]())
    (path,) = re.findall(r"^`([\w/]+\.csv)`", benchmarks.where(benchmarks.SOURCES.get(name, name)))
    assert (ROOT / path).exists()


def test_a_table_of_no_file_is_an_error():
    with pytest.raises(FileNotFoundError):
        benchmarks.where("nothing")
