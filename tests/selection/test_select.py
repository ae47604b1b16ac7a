"""Selection of units, penalties and inputs: against regression computed by hand, and on data whose answer is known."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.assessment import RISK
from neuralstat.errors import ArgumentError, DfError

LINEAR = {"hidden": 0, "algorithm": "lm", "threshold": 1e-9, "rep": 1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    n = 90
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "odd name"], index=np.arange(n) + 10)
    frame["g"] = np.resize(["u", "v", "w"], n)
    frame["y"] = 1 + frame.a + 0.9 * frame.b + 1.5 * frame.a * frame.b + 0.5 * rng.normal(size=n)
    return frame


@pytest.fixture(scope="module")
def wave():
    rng = np.random.default_rng(2)
    x = np.linspace(-2, 2, 100)
    return pd.DataFrame({"x": x, "y": np.tanh(3 * x) + 0.1 * rng.normal(size=100)})


def aic(frame, columns):
    """statsmodels' AIC of least squares, by hand: the noise variance is not counted."""
    x = np.column_stack([np.ones(len(frame)), *columns])
    rss = np.sum((frame.y - x @ np.linalg.lstsq(x, frame.y, rcond=None)[0]) ** 2)
    n = len(frame)
    return n * np.log(2 * np.pi * rss / n) + n + 2 * x.shape[1]


def test_backward_steps_are_those_of_regression(table):
    found = ns.select("y ~ a*b + `odd name` + g", table, inputs=True, criterion="aic", **LINEAR)
    columns = {"a": [table.a], "b": [table.b], "odd name": [table["odd name"]], "a:b": [table.a * table.b],
               "g": [table.g == "v", table.g == "w"]}  # fmt: skip

    def value(names):
        return aic(table, [np.asarray(c, float) for name in names for c in columns[name]])

    used = ["a", "b", "odd name", "g", "a:b"]
    now, seen = value(used), [value(used)]
    while True:
        droppable = [t for t in used if not ("a:b" in used and t in ("a", "b"))]
        values = [value([u for u in used if u != t]) for t in droppable]
        seen += values
        if min(values) >= now:
            break
        now = min(values)
        used.remove(droppable[int(np.argmin(values))])
    np.testing.assert_allclose(found.path["criterion"], seen, rtol=1e-8)
    assert set(found.best.design.terms) == set(used) == {"a", "b", "a:b"}
    assert found.best.aic == pytest.approx(now)
    assert list(found.path["selected"]).count(True) == 1
    # a main effect is never tried without itself while its interaction is there
    assert not any("a:b" in f and " a " not in f.replace("~", "").replace("+", " ") for f in found.path["formula"])


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_other_directions_reach_the_same_terms(table, direction):
    found = ns.select("y ~ a*b + `odd name` + g", table, inputs=True, criterion="bic", direction=direction, **LINEAR)
    assert set(found.best.design.terms) == {"a", "b", "a:b"}
    if direction == "forward":
        assert "y ~ 1" in list(found.path["formula"])
        first = found.path["formula"].iloc[1:6]
        assert not first.str.contains("a:b").any()
    assert set(found.best.predict(table[["b", "a"]]).index) == set(table.index)


def test_every_subset_can_be_written_as_a_formula(table):
    from neuralstat.selection.terms import Scope

    frame = table.assign(e=np.ones(len(table)))
    formula = "log(y + 20) ~ a:`odd name` + {a**2} + poly(b, 2) + C(g) + offset(e)"
    scope = Scope.of(formula, raw.NeuralNet.from_formula(formula, frame, hidden=0).design)
    for r in range(len(scope.terms) + 1):
        for part in itertools.combinations(scope.terms, r):
            text = scope.formula(frozenset(part))
            design = raw.NeuralNet.from_formula(text, frame, hidden=0).design
            assert list(design.terms) == [t.name for t in part] and design.offset is not None
    bare = Scope.of("y ~ 0 + g + a", raw.NeuralNet.from_formula("y ~ 0 + g + a", frame, hidden=0).design)
    assert bare.formula(frozenset(bare.terms[:1])) == "y ~ 0 + g"


def test_a_grid_of_units_layers_and_decay(wave):
    found = ns.select("y ~ x", wave, hidden=[0, 1, 3, (2, 2)], decay=[0, 0.01], algorithm="lm", rep=2, random_state=1,
                      criterion="aicc")
    assert len(found.path) == 8 and set(found.path["stage"]) == {"grid"}
    assert found.best.settings.hidden == (1,)
    row = found.path[found.path["selected"]].iloc[0]
    assert row["hidden"] == (1,) and row["weights"] == 4 and row["converged"] == "2/2"
    again = ns.neuralnet("y ~ x", wave, hidden=1, algorithm="lm", rep=2, random_state=1, penalty=found.best.settings.penalty)
    assert found.path["criterion"].min() == pytest.approx(again.info_criteria("aicc", rep="mean"))
    assert "selected: y ~ x, hidden (1,)" in repr(found)
    same = ns.select("y ~ x", wave, hidden=[0, 1, 3, (2, 2)], decay=[0, 0.01], algorithm="lm", rep=2, random_state=1,
                      criterion="aicc")
    pd.testing.assert_frame_equal(found.path, same.path)


CRITERIA = ["aic", "aicc", "bic", "gcv", "cp", "gic", "cv", "632+", "bootstrap", "632", "holdout", "gdf", "covariance"]
OPTIONS = {"cv": {"k": 5}, **{m: {"draws": 20} for m in ("632+", "bootstrap", "632", "gdf", "covariance")}}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_sees_the_curve(wave, criterion):
    found = ns.select("y ~ x", wave, hidden=[0, 1], criterion=criterion, algorithm="lm", rep=2, random_state=1,
                      penalty=ns.decay(1e-4), criterion_options=OPTIONS.get(criterion))  # fmt: skip
    assert found.best.settings.hidden == (1,)
    assert found.path["criterion"].notna().all() and found.criterion == criterion
    assert found.path["se"].notna().all() == (criterion not in ("aic", "aicc", "bic", "gic"))
    needed = criterion in ("cp", "gic", "gdf", "covariance")
    assert (found.sigma is not None) == needed
    if needed:  # of the larger model, for both
        assert found.sigma == pytest.approx(0.1, rel=0.3) and "largest model" in found.sigma_source
    if criterion in RISK:
        direct = ns.risk(found.best, criterion, random_state=1, **OPTIONS.get(criterion, {}),
                         **({"sigma": found.sigma} if needed else {}))  # fmt: skip
        size = len(wave) if criterion in ("aic", "aicc") else 1  # of which `risk` has the mean, with the dispersion counted
        more = 2 if criterion == "aic" else 0
        assert found.path["criterion"].min() == pytest.approx(size * float(direct) - more, rel=1e-9)


def test_one_standard_error_rule(wave):
    options = {"hidden": [0, 1, 2, 4], "criterion": "cv", "algorithm": "lm", "rep": 2, "random_state": 1,
               "penalty": ns.decay(1e-3), "criterion_options": {"k": 5}}  # fmt: skip
    least, simple = (ns.select("y ~ x", wave, rule=rule, **options) for rule in ("min", "1se"))
    path = simple.path
    at = path["criterion"].idxmin()
    near = path[path["criterion"] <= path["criterion"][at] + path["se"][at]]
    assert path[path["selected"]].index[0] == near["df"].idxmin()
    assert simple.best.settings.hidden == (1,)
    assert least.path[least.path["selected"]].index[0] == at
    assert sum(simple.best.settings.hidden) <= sum(least.best.settings.hidden)


def test_rows_are_the_same_for_all_models(table):
    gaps = table.copy()
    gaps.loc[gaps.index[:10], "odd name"] = np.nan
    w = np.linspace(1, 2, len(gaps))
    found = ns.select("y ~ a*b + `odd name`", gaps, inputs=True, weights=w, criterion="bic", **LINEAR)
    assert found.best.nobs == 80 and "odd name" not in found.best.design.terms
    np.testing.assert_array_equal(found.best.design.weights, w[10:])


def test_undefined_criteria_are_left_out_or_an_error(wave):
    few = wave.iloc[::10]
    found = ns.select("y ~ x", few, hidden=[0, 4], algorithm="lm", rep=1, random_state=1, stepmax=50, df="jacobian",
                      criterion="aicc")  # fmt: skip
    assert found.best.settings.hidden == ()  # AICc of 13 weights on 10 rows is infinite
    assert found.path["criterion"].isna().tolist() == [False, True]
    with pytest.raises(DfError, match="defined for no model"):
        ns.select("y ~ x", few, hidden=[4], algorithm="lm", rep=1, random_state=1, criterion="aicc", stepmax=50,
                  df="jacobian")  # fmt: skip


def test_unless_told_it_is_cross_validation_with_one_standard_error(wave):
    found = ns.select("y ~ x", wave, hidden=[0, 1, 3], algorithm="lm", rep=2, random_state=1)
    assert found.criterion == "cv" and found.rule == "1se" and found.best.settings.hidden == (1,)
    same = ns.select("y ~ x", wave, hidden=[0, 1, 3], algorithm="lm", rep=2, random_state=1, criterion="cv", rule="1se")
    pd.testing.assert_frame_equal(found.path, same.path)
    assert [float(r) for r in found.risks] == list(found.path["criterion"]) and len(found.fits) == 3
    assert [r.se for r in found.risks] == list(found.path["se"])
    low, high = found.risks[1].conf_int(0.1)
    assert low < float(found.risks[1]) < high
    assert ns.select("y ~ x", wave, hidden=[0, 1], algorithm="lm", rep=1, random_state=1, criterion="bic").rule == "min"


def test_a_factor_response():
    iris = ns.datasets.iris()
    found = ns.select(
        "Species ~ .", iris, hidden=[0], family="multinomial", decay=[0.1], standardize=True, inputs=True, criterion="cv",
        criterion_options={"k": 3, "loss": "log_loss", "stratify": True}, algorithm="lm", rep=1, random_state=1,
    )  # fmt: skip
    assert "Petal.Length" in found.best.design.terms or "Petal.Width" in found.best.design.terms
    assert found.path["criterion"].min() < 0.15


def test_plots(wave, table):
    grid = ns.select("y ~ x", wave, hidden=[0, 1, (2, 2)], decay=[0, 0.01], algorithm="lm", rep=1, random_state=1,
                     criterion="aicc")
    ax = grid.plot()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1", "2-2"] and ax.get_ylabel() == "aicc"
    mark = next(line for line in ax.lines if line.get_gid() == "selected")
    assert mark.get_ydata()[0] == pytest.approx(grid.path["criterion"].min())
    terms = ns.select("y ~ a*b + g", table, inputs=True, criterion="aic", **LINEAR)
    ax = terms.plot()
    assert "y ~ a + b + a:b" in ax.get_title(loc="left") and ax.get_xlabel().startswith("model")


BAD = [
    ({"criterion": "magic"}, "criterion must be one of 'aic'"),
    ({"rule": "1se", "criterion": "bic"}, "needs a criterion with a standard error"),
    ({"direction": "up"}, "direction must be"),
    ({"hidden": []}, "no candidates"),
    ({"hidden": [-1]}, "hidden must be"),
    ({"penalty": ["ridge"]}, "penalty must be made by"),
    ({"decay": [1], "penalty": ns.decay(1)}, "not both"),
    ({"sigma": 1.0}, "sigma is not used"),
    ({"hiden": 3}, "Did you mean 'hidden'"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_arguments_are_named(wave, options, message):
    with warnings.catch_warnings(), pytest.raises(ArgumentError, match=message):
        ns.select("y ~ x", wave, **{"algorithm": "lm", "rep": 1, **options})


def test_options_in_the_criterions_name(wave):
    same = {"hidden": [0, 2], "algorithm": "lm", "rep": 2, "random_state": 1}
    named = ns.select("y ~ x", wave, criterion="cv:k=4,repeats=2", **same)
    given = ns.select("y ~ x", wave, criterion="cv", criterion_options={"k": 4, "repeats": 2}, **same)
    np.testing.assert_array_equal(named.path["criterion"], given.path["criterion"])
    counted = ns.select("y ~ x", wave, criterion="bic:weights", **same)
    expected = ns.select("y ~ x", wave, criterion="bic", df="weights", **same)
    np.testing.assert_array_equal(counted.path["criterion"], expected.path["criterion"])
    with pytest.raises(ArgumentError, match="in the criterion's name, too"):
        ns.select("y ~ x", wave, criterion="cv:k=4", criterion_options={"k": 3}, **same)


@pytest.mark.parametrize("criterion", ["coupled:draws=10", "alo", "nested_cv:k=3,repeats=1"])
def test_further_estimators(wave, criterion):
    found = ns.select("y ~ x", wave, hidden=[0, 2], criterion=criterion, decay=0.05, algorithm="lm", rep=1, random_state=1)
    assert found.path["criterion"].notna().all() and found.best.settings.hidden == (2,)
    assert [fit.settings.hidden for fit in found.fits] == found.path["hidden"].tolist()
    assert (found.sigma is not None) == criterion.startswith("coupled")
