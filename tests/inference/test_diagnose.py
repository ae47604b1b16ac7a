"""What a fit says about itself: every finding where it is true, and none where it is not."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.outliers_influence import variance_inflation_factor

import neuralstat as ns
from neuralstat.errors import ConvergenceWarning, FitWarning
from neuralstat.families import NegativeBinomial
from neuralstat.fitted import Fitted
from neuralstat.inference import diagnose, findings, findings_fit, findings_model, findings_training, repetitions
from neuralstat.network import derivatives

EXACT = {"hidden": 0, "standardize": True, "rep": 1, "random_state": 1}
NET = {"hidden": 2, "standardize": True, "rep": 1, "algorithm": "lm", "random_state": 1}


def quiet(*arguments, **settings):
    """A fit, whatever becomes of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FitWarning)
        return ns.neuralnet(*arguments, **settings)


def heard(*arguments, **settings):
    """A fit, and the FitWarnings that came with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ns.neuralnet(*arguments, **settings)
    return fit, [w for w in caught if w.category is FitWarning]


def rows(fit, finding):
    table = fit.diagnose()
    return table[table["finding"] == finding]


def one(fit, finding):
    """The only row of a finding."""
    (row,) = rows(fit, finding).itertuples(index=False)
    return row


def grave(fit):
    """Findings that are errors or warnings."""
    table = fit.diagnose()
    return list(table.loc[table["severity"] != "note", "finding"])


def changed(fit, **parts):
    """The same fit with other parts of what training returned."""
    return ns.results.NeuralNetResults(Fitted(fit.fitted.procedure, replace(fit.fit, **parts)))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    eta = 0.5 * frame["a"] - 0.4 * frame["b"]
    frame["y"] = np.tanh(2 * frame["a"]) + frame["b"] + 0.2 * rng.normal(size=300)
    frame["z"] = 100 * frame["a"] - 50 * frame["b"] + 10 * rng.normal(size=300)
    frame["count"] = rng.poisson(np.exp(1 + eta))
    frame["event"] = (rng.random(300) < 1 / (1 + np.exp(-2 * eta))).astype(float)
    frame["size"] = rng.gamma(3, np.exp(eta) / 3)
    frame["trials"] = rng.integers(5, 30, 300).astype(float)
    frame["share"] = rng.binomial(frame["trials"].astype(int), 1 / (1 + np.exp(-eta))) / frame["trials"]
    u = rng.gumbel(size=(300, 3)) + np.stack([eta, -eta, 0 * eta], axis=1)
    frame["kind"] = pd.Categorical(np.array(["k", "l", "m"])[u.argmax(axis=1)])
    frame["w"] = rng.uniform(0.5, 2, 300)
    frame["big"] = 5000 + 800 * frame["a"]  # raw units
    frame["far"] = 3000 * frame["b"]
    frame["noise"] = rng.normal(size=300)
    return frame


# the table ---------------------------------------------------------------------------------------------------


def test_table_has_its_columns_and_words(data):
    table = quiet("y ~ big + far", data, hidden=2, standardize=False, rep=1, random_state=1).diagnose()
    assert list(table.columns) == ["severity", "finding", "where", "remedy"]
    assert set(table["finding"]) <= set(diagnose.FINDINGS) and len(table) >= 2
    order = [findings.SEVERITIES.index(s) for s in table["severity"]]
    assert order == sorted(order)
    assert (table["where"].str.len() > 0).all() and (table["remedy"].str.len() > 0).all()


def test_nothing_to_say_is_an_empty_table(data):
    table = ns.neuralnet("z ~ a + b", data, **EXACT).diagnose()
    assert table.empty and list(table.columns) == ["severity", "finding", "where", "remedy"]


GOOD = [
    ("y ~ a + b + c", {}),
    ("y + z ~ a + b", {}),
    ("y ~ a + b", {"weights": "w"}),
    ("count ~ a + b", {"family": "poisson"}),
    ("event ~ a + b", {"family": "binomial"}),
    ("share ~ a + b", {"family": "binomial", "weights": "trials"}),
    ("size ~ a + b", {"family": sm.families.Gamma(sm.families.links.Log())}),
    ("kind ~ a + b", {"family": "multinomial"}),
    ("noise ~ a + b + c", {}),
    ("y ~ a + b", {"penalty": ns.decay(0.1)}),
]


@pytest.mark.parametrize(("formula", "more"), GOOD)
def test_regular_models_have_no_grave_findings(data, formula, more):
    assert grave(ns.neuralnet(formula, data, **EXACT, **more)) == []  # and no warning, which would be an error


@pytest.mark.parametrize(
    ("formula", "more"),
    [("y ~ a + b", {}), ("y ~ a + b", {"weights": "w"}), ("kind ~ a", {"family": "multinomial", "penalty": ns.decay(0.5)}),
     ("y + z ~ a + b", {"penalty": ns.decay(0.01)}), ("count ~ a + b", {"family": "poisson", "penalty": ns.decay(0.3)})],
)  # fmt: skip
def test_regular_networks_have_no_grave_findings(data, formula, more):
    fit = ns.neuralnet(formula, data, hidden=1, standardize=True, rep=6, algorithm="lm", random_state=3, **more)
    assert grave(fit) == []


# collapsed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "more"),
    [("y ~ big + far", {}), ("event ~ big + far", {"family": "binomial"}), ("count ~ big + far", {"family": "poisson"}),
     ("kind ~ big + far", {"family": "multinomial"}), ("y ~ big + far", {"act_fct": "tanh"}),
     ("z ~ big + far", {"weights": "w"})],
)  # fmt: skip
def test_collapsed_fit_names_its_units_and_the_remedy(data, formula, more):
    # weights that saturate every unit at once: what raw units do to random starts
    def fitted(standardize):
        start = None if standardize else np.zeros(P(formula))
        if start is not None:
            start[[0, 3]] = 40.0
        return heard(formula, data, hidden=2, standardize=standardize, rep=1, algorithm="lm", startweights=start,
                     random_state=1, **more)  # fmt: skip

    def P(formula):
        outputs = 3 if formula.startswith("kind") else 1
        return 2 * 3 + outputs * 3

    fit, warned = fitted(False)
    row = one(fit, "collapsed")
    assert row.severity == "error" and "1layhid1, 1layhid2" in row.where
    assert "standardize=True" in row.remedy and "big" in row.remedy
    assert len(warned) == 1 and "Collapsed" in str(warned[0].message) and "1layhid1" in str(warned[0].message)
    assert warned[0].filename == __file__
    assert abs(findings.explained(fit.fitted)[0]) < 1e-3
    fit, warned = fitted(True)
    assert rows(fit, "collapsed").empty and not [w for w in warned if "Collapsed" in str(w.message)]


def test_collapsed_without_a_linear_signal(data):
    """Constant fitted values are a collapse though no linear model does better."""
    frame = data.assign(y=data["a"] ** 2 + 0.1 * data["noise"])
    fit = quiet(
        "y ~ a", frame, hidden=1, startweights=np.array([60.0, 0, 1, 0]), standardize=False, rep=1, algorithm="lm"
    )
    row = one(fit, "collapsed")
    assert row.severity == "error" and "constant" in row.where and "linear" not in row.where


def test_noise_is_no_collapse(data):
    fit = quiet("noise ~ a + b", data, **{**NET, "hidden": 1}, penalty=ns.decay(0.01))
    assert rows(fit, "collapsed").empty
    rng = np.random.default_rng(1)
    weak = pd.DataFrame({"x": rng.normal(size=3000)})
    weak["y"] = 0.1 * weak["x"] + rng.normal(size=3000)  # R^2 is 0.01
    fit = quiet("y ~ x", weak, **{**NET, "hidden": 1}, penalty=ns.decay(0.01))
    assert rows(fit, "collapsed").empty and 0 < fit.rsquared < 0.03


def test_penalty_that_shrinks_noise_is_a_note_and_one_that_shrinks_a_signal_an_error(data):
    strong = ns.decay(1e6, biases=False)
    assert one(quiet("noise ~ a + b", data, **NET, penalty=strong), "collapsed").severity == "note"
    row = one(quiet("z ~ a + b", data, **NET, penalty=strong), "collapsed")
    assert row.severity == "error" and "smaller penalty" in row.remedy
    assert "linear model explains 98" in row.where or "linear model explains 99" in row.where


@pytest.mark.parametrize(("collapsed", "severity"), [(1, "warning"), (2, "error")])
def test_other_repetitions_that_collapsed_are_in_the_mean(data, collapsed, severity):
    """Predictions are means over the repetitions: where half of them are constants, these are half constants."""
    good = ns.neuralnet("y ~ a", data, **{**NET, "hidden": 1, "penalty": ns.decay(0.01)}).fit.theta[0]
    start = [np.array([60.0, 0, 0, 0])] * collapsed + [good] * (4 - collapsed)
    fit = ns.neuralnet("y ~ a", data, hidden=1, standardize=True, rep=4, startweights=start, threshold=50, algorithm="rprop+")
    loss = np.r_[np.full(collapsed, 149.4), fit.fit.loss[collapsed:]]  # 149.5 is that of a constant
    row = one(changed(fit, theta=np.stack(start), loss=loss), "collapsed")
    names = "repetition 1:" if collapsed == 1 else "repetitions 1, 2:"
    assert row.severity == severity and row.where.startswith(names)


def test_one_output_that_collapsed_among_several(data):
    fit = ns.neuralnet("y + z ~ a + b", data, **{**NET, "rep": 1}, penalty=ns.decay(1e-3))
    assert rows(fit, "collapsed").empty
    per_unit, _units = fit.network.shapes[-1]
    theta = fit.fit.theta.copy()
    theta[0, -per_unit:] = 0.0  # the second output is its mean
    row = one(changed(fit, theta=theta, loss=fit.fit.loss + 150), "collapsed")
    assert row.severity == "error" and row.where.startswith("output z:")


# diverged ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["full", "epochs"])
def test_worse_than_the_intercept(data, device):
    frame = data.assign(y=20 + 0.1 * data["y"])
    how = {"algorithm": "adam", "epochs": 2} if device == "epochs" else {"stepmax": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit, warned = heard("y ~ a + b", frame, hidden=2, standardize=False, rep=1, random_state=1, **how)
    row = one(fit, "diverged")
    assert row.severity == "error" and f"R^2 = {fit.rsquared:.4g}" in row.where and fit.rsquared < -100
    assert len(warned) == 1 and str(warned[0].message).startswith("Diverged")
    assert rows(fit, "collapsed").empty
    good = quiet("y ~ a + b", frame, hidden=2, standardize=True, rep=1, random_state=1, algorithm="lm")
    assert rows(good, "diverged").empty


@pytest.mark.parametrize(
    ("formula", "family"),
    [("count ~ a", "poisson"), ("event ~ a", "binomial"), ("kind ~ a", "multinomial"), ("y + z ~ a", None)],
)
def test_worse_than_the_intercept_in_every_family(data, formula, family):
    good = ns.neuralnet(formula, data, family=family, **EXACT)
    assert rows(good, "diverged").empty
    far = 5.0 * np.arange(1, good.network.n_params + 1)
    bad = quiet(formula, data, hidden=0, family=family, standardize=True, rep=1, startweights=far, threshold=1e9,
                algorithm="rprop+")  # fmt: skip
    assert one(bad, "diverged").severity == "error"


def test_weights_that_are_not_finite(data):
    fit = ns.neuralnet("y ~ a", data, **EXACT)
    lost = changed(fit, theta=np.full_like(fit.fit.theta, np.nan), loss=np.array([np.nan]))
    assert one(lost, "diverged").severity == "error" and "not finite" in one(lost, "diverged").where
    assert list(lost.diagnose()["finding"]) == ["diverged"]


def test_start_weights_as_a_fit_are_a_note(data):
    fit = ns.neuralnet("z ~ a", data, hidden=2, algorithm="adam", epochs=0, standardize=False, rep=1, random_state=1)
    assert grave(fit) == [] and one(fit, "not converged").severity == "note"


def test_weights_that_are_looked_at_as_they_are_given_are_no_reason_to_warn(data):
    fit, warned = heard(
        "z ~ a", data, hidden=0, algorithm="rprop+", startweights=[500.0, 1], threshold=1e9, standardize=False
    )
    assert not warned and one(fit, "diverged").severity == "error"


def test_models_without_an_intercept_may_be_worse_than_one(data):
    frame = data.assign(y=data["y"] + 10)
    fit = ns.neuralnet("y ~ a", frame, hidden=0, exclude=["Intercept.to.y"], standardize=False, rep=1, random_state=1)
    assert fit.rsquared < 0 and one(fit, "diverged").severity == "warning"


def test_users_own_error_function(data):
    """Compared with the mean and the median."""

    def fair(x, y):
        return abs(x - y) - np.log(1 + abs(x - y))

    same = {"err_fct": fair, "hidden": 1, "rep": 1, "random_state": 1, "standardize": False}
    good = quiet("y ~ a", data, threshold=0.5, **same)
    assert rows(good, "diverged").empty and 0.1 < findings.explained(good.fitted)[0] < 1
    bad = quiet("z ~ a", data, stepmax=1, **same, startweights=np.array([0.0, 1, 5e4, 1]))
    assert one(bad, "diverged").severity == "error"


# units -------------------------------------------------------------------------------------------------------


def _net(data, theta, formula="y ~ a + b", **more):
    """A fit at given weights."""
    start = np.asarray(theta, float)
    return quiet(formula, data, hidden=(start.size - 1) // 4 if "hidden" not in more else more.pop("hidden"),
                 standardize=False, rep=1, startweights=start, threshold=1e9, algorithm="rprop+", **more)  # fmt: skip


def test_saturated_duplicate_and_redundant_units(data):
    fit = _net(data, [0, 1, 1, 50, 0.1, 0, 0, 1, 1, 0.3, -1, 1, 0.1, 1, 1, 1, 0])
    table = fit.diagnose().set_index("where")
    found = {where: row.finding for where, row in table.iterrows() if "unit" in row.finding}
    assert found == {
        "1layhid2: constant over the data": "saturated unit",
        "1layhid4: the weights out of it are 0": "saturated unit",
        "1layhid3 (of 1layhid1)": "duplicate unit",
    }
    assert set(table.loc[list(found), "severity"]) == {"warning"}
    fit = _net(data, [0, 1, 1, 50, 0.1, 0, 0, 1, 1, 0.3, -1, 1, 0.1, 1, 1, 1, 0], penalty=ns.decay(0.01))
    units = fit.diagnose()
    assert set(units.loc[units["finding"].str.contains("unit"), "severity"]) == {"note"}


def test_small_units_with_large_weights_out_are_not_saturated(data):
    """A logistic unit far out in its tail is an exponential: it varies little, and its weight out makes up for it."""
    fit = _net(data, [-12, 1, 0, 0, np.exp(12) / 5])
    assert rows(fit, "saturated unit").empty
    assert not rows(_net(data, [-12, 1, 0, 0, 1]), "saturated unit").empty


def test_regular_multinomial_fits_are_not_called_redundant(data):
    bent = np.stack([2 * np.tanh(3 * data["a"]), data["b"], 0 * data["b"]], axis=1)
    drawn = (bent + np.random.default_rng(3).gumbel(size=(300, 3))).argmax(axis=1)
    frame = data.assign(kind=pd.Categorical(np.array(["k", "l", "m"])[drawn]))
    for hidden in (0, 1):
        fit = quiet("kind ~ a + b", frame, hidden=hidden, family="multinomial", standardize=True, rep=1, algorithm="lm",
                    threshold=1e-4, random_state=1)  # fmt: skip
        assert rows(fit, "saturated unit").empty and rows(fit, "duplicate unit").empty
        assert fit.df("jacobian") == pytest.approx(fit.k_identified) and fit.df("jacobian").notes == ()
        assert "redundant" not in str(fit.summary())


def test_a_unit_that_all_classes_share_is_redundant(data):
    theta = np.concatenate([[0.1, 1, 0.5], [0.2, -1, 0.3], *[[0.1 * k, k, 2.0] for k in range(3)]])
    fit = _net(data, theta, "kind ~ a + b", family="multinomial", hidden=2)
    assert one(fit, "saturated unit").where == "1layhid2: the weights out of it are 0"


# separation: in fits -----------------------------------------------------------------------------------------


def test_separation_is_an_error_without_hidden_units(data):
    frame = data.assign(event=(data["a"] > 0.1).astype(float))
    with pytest.warns(FitWarning, match=r"Separation: a: tells responses apart") as record, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = ns.neuralnet("event ~ b + a", frame, family="binomial", **EXACT)
    assert len([w for w in record if w.category is FitWarning]) == 1
    assert one(fit, "separation").severity == "error"
    penalised = ns.neuralnet("event ~ b + a", frame, family="binomial", penalty=ns.decay(2.0), **EXACT)
    assert rows(penalised, "separation").empty  # its optimum is finite


@pytest.mark.parametrize("algorithm", ["rprop+", "lm", "lbfgs"])
def test_separation_is_seen_whatever_trained_the_fit(data, algorithm):
    frame = data.assign(rare=(np.arange(300) % 60 == 0).astype(float))
    frame.loc[frame["rare"] == 1, "event"] = 1.0  # a level with successes only
    fit = quiet("event ~ a + rare", frame, family="binomial", hidden=0, algorithm=algorithm, standardize=False, rep=1,
                threshold=0.01, random_state=1)  # fmt: skip
    assert one(fit, "separation").where.startswith("rare:")
    frame.loc[60, "event"] = 0.0
    fit = quiet("event ~ a + rare", frame, family="binomial", hidden=0, algorithm=algorithm, standardize=False, rep=1,
                threshold=0.01, random_state=1)  # fmt: skip
    assert rows(fit, "separation").empty


def test_separated_counts_and_classes(data):
    frame = data.assign(g=pd.Categorical(np.where(np.arange(300) % 30 == 0, "rare", "usual"), ["usual", "rare"]))
    frame.loc[frame["g"] == "rare", "count"] = 0
    assert one(quiet("count ~ a + g", frame, family="poisson", **EXACT), "separation").where.startswith("g[T.rare]:")
    frame["kind"] = pd.Categorical(np.where(frame["a"] > 0.5, "m", frame["kind"].astype(str)))
    frame = frame[(frame["kind"] != "m") | (frame["a"] > 0.5)]
    assert one(quiet("kind ~ a + b", frame, family="multinomial", **EXACT), "separation").where.startswith("a:")


def test_separation_of_one_output_among_several(data):
    frame = data.assign(apart=(data["b"] < 0.2).astype(float))
    row = one(quiet("event + apart ~ a + b", frame, family="binomial", **EXACT), "separation")
    assert row.where.startswith("b (of apart): tells")


def test_strong_effects_are_not_separation(data):
    """Probabilities of 1e-7 at an optimum that is finite."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=2000)})
    frame["y"] = (rng.random(2000) < 1 / (1 + np.exp(-6 * frame["x"]))).astype(float)
    fit = ns.neuralnet("y ~ x", frame, family="binomial", **EXACT)
    assert fit.fittedvalues.min() < 1e-6 and grave(fit) == []
    theirs = sm.GLM(frame["y"], sm.add_constant(frame[["x"]]), sm.families.Binomial()).fit()
    assert fit.deviance == pytest.approx(theirs.deviance)


@pytest.mark.parametrize("algorithm", ["auto", "lbfgs"])
def test_large_fits_that_look_separated_are_said_and_decided_in_the_table(data, algorithm, monkeypatch):
    """What decides is solved by `diagnose` alone; where it is too large for that, too, the suspicion stays."""
    monkeypatch.setattr(findings_model, "AT_ONCE", 100)
    own = {"family": "binomial", "hidden": 0, "algorithm": algorithm, "standardize": False, "threshold": 1e-6, "rep": 1}
    apart = data.assign(event=(data["a"] > 0.1).astype(float))
    with pytest.warns(FitWarning, match="Separation: event: fitted means reach their ends.*fit.diagnose.. decides") as record:
        fit = ns.neuralnet("event ~ b + a", apart, random_state=1, **own)
    assert len([w for w in record if w.category is FitWarning]) == 1
    assert "warning: separation" in str(fit.summary())
    assert one(fit, "separation").where.startswith("a: tells") and one(fit, "separation").severity == "error"
    monkeypatch.setattr(findings_model, "MOST_CONSTRAINTS", 100)
    left = one(quiet("event ~ b + a", apart, random_state=1, **own), "separation")
    assert left.severity == "warning" and left.remedy.startswith("a penalty")
    rng = np.random.default_rng(2)  # strong effects, and one mean that rounds to its end, at a finite optimum
    far = pd.DataFrame({"x": np.append(rng.normal(size=2000), 6.0)})
    far["y"] = (rng.random(2001) < 1 / (1 + np.exp(-6 * far["x"]))).astype(float)
    fit, warned = heard("y ~ x", far, random_state=1, **own)
    assert fit.fittedvalues.max() > 1 - 1e-9 and not warned and rows(fit, "separation").empty


def test_long_steps_of_scoring_are_not_taken(data, monkeypatch):
    monkeypatch.setattr(findings_model, "MOST_STEP", 1.0)
    monkeypatch.setattr(np.linalg, "pinv", lambda *args, **more: pytest.fail("a long step"))
    frame = data.assign(event=(data["a"] > 0.1).astype(float))
    kind = {"family": "binomial", "hidden": 0, "rep": 1, "random_state": 1, "standardize": False}
    short = quiet("event ~ b + a", frame, algorithm="rprop+", stepmax=40, **kind)
    assert 1e-9 < short.fittedvalues.min() < 0.01
    assert list(findings_model.separation(short.fitted)) == []
    monkeypatch.setattr(findings_model, "AT_ONCE", 100)
    long = quiet("event ~ b + a", frame, algorithm="lm", threshold=1e-12, **kind)
    (finding,) = findings_model.separation(long.fitted)
    assert long.fittedvalues.min() < 1e-9 and finding.undecided


def test_separation_by_hidden_units_is_a_warning_in_the_table(data):
    frame = data.assign(event=(data["a"] ** 2 + data["b"] ** 2 > 1).astype(float))
    fit, warned = heard("event ~ a + b", frame, family="binomial", hidden=4, standardize=True, rep=1, algorithm="lm",
                        threshold=0.01, random_state=1)  # fmt: skip
    if (fit.fittedvalues.round() == frame["event"]).all():
        assert one(fit, "separation").severity == "warning" and not warned
    assert rows(quiet("event ~ a + b", frame, family="binomial", penalty=ns.decay(0.1), **NET), "separation").empty


# single optimum, not converged ---------------------------------------------------------------------------------


def test_best_optimum_seen_once(data):
    a, b = np.array([0.0, 1, 1, 0, 1]), np.array([0.0, -1, 2, 1, 3])
    same = {"hidden": 1, "threshold": 1e9, "standardize": False, "rep": 2, "algorithm": "rprop+"}
    differ = quiet("y ~ a + b", data, startweights=[a, b], **same)
    assert one(differ, "single optimum").severity == "warning" and "2 optima" in one(differ, "single optimum").where
    twice = quiet("y ~ a + b", data, startweights=[a, a], **same)
    assert rows(twice, "single optimum").empty
    alone = quiet("y ~ a + b", data, **NET)
    assert one(alone, "single optimum").severity == "note"
    assert rows(ns.neuralnet("y ~ a", data, **EXACT), "single optimum").empty  # there is only one


def test_what_ended_a_fit(data):
    fit = quiet("y ~ a + b", data, hidden=2, stepmax=3, standardize=True, rep=2, algorithm="rprop+", random_state=1)
    row = one(fit, "not converged")
    assert row.severity == "warning" and row.where.startswith("repetitions 1, 2: stepmax reached after 3 steps")
    assert "stepmax" in row.remedy
    assert rows(quiet("y ~ a + b", data, **NET), "not converged").empty


def test_epochs_that_ran_out(data):
    same = {"hidden": 2, "algorithm": "adam", "standardize": True, "rep": 1, "random_state": 1}
    short = quiet("y ~ a + b", data, epochs=20, **same)
    assert one(short, "not converged").severity == "warning" and "still falls" in one(short, "not converged").where
    history = short.fit.history
    still = changed(short, history=replace(history, values=np.ones_like(history.values)))
    assert one(still, "not converged").severity == "note"
    stopped = quiet(
        "y ~ a + b", data, epochs=300, early_stopping=ns.EarlyStopping(5), validation=0.3, learningrate=0.05, **same
    )
    assert rows(stopped, "not converged").empty


# degrees of freedom ----------------------------------------------------------------------------------------------


def test_degrees_of_freedom_near_n(data):
    few = data.head(24)
    fit, warned = heard(
        "y ~ a + b + c", few, hidden=6, standardize=True, rep=1, algorithm="lm", threshold=1e-3, random_state=2
    )
    row = one(fit, "df near n")
    assert row.severity == "error" and "df = 24 of 24" in row.where
    assert [str(w.message).startswith("Df near n") for w in warned] == [True]
    assert rows(quiet("y ~ a + b + c", few, **NET, penalty=ns.decay(1.0)), "df near n").empty
    assert rows(quiet("y ~ a + b + c", data, **NET), "df near n").empty


@pytest.mark.parametrize(("columns", "severity"), [(5, None), (11, None), (13, "note"), (18, "warning"), (23, "error")])
def test_severity_by_what_is_left(columns, severity):
    rng = np.random.default_rng(columns)
    frame = pd.DataFrame(rng.normal(size=(24, columns)), columns=[f"x{j}" for j in range(columns)]).assign(
        y=rng.normal(size=24)
    )
    fit = quiet("y ~ " + " + ".join(frame.columns[:-1]), frame, **EXACT)
    found = rows(fit, "df near n")
    assert found.empty if severity is None else list(found["severity"]) == [severity]


def test_observed_values_of_several_outputs_and_classes(data):
    few = data.head(30)
    assert "of 60 observed" in one(quiet("y + z ~ a + b + c", few, hidden=8, standardize=True, rep=1, algorithm="lm",
                                         threshold=1e-2, random_state=1), "df near n").where  # fmt: skip
    fit = ns.neuralnet("kind ~ a + b + c", few, family="multinomial", penalty=ns.decay(0.01), **EXACT)
    assert rows(fit, "df near n").empty  # 8 identified weights of 60 values, not 12 of 30
    half = quiet("y ~ a + b + c", few.assign(v=(np.arange(30) < 12) * 1.0), weights="v", hidden=2, standardize=True, rep=1,
                 algorithm="lm", threshold=1e-2, random_state=1)  # fmt: skip
    assert "of 12 observed" in one(half, "df near n").where  # rows of weight 0 do not count


# dispersion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [0, 1])
def test_overdispersed_counts(data, hidden):
    rng = np.random.default_rng(3)
    mu = np.exp(1 + 0.5 * data["a"])
    frame = data.assign(count=rng.negative_binomial(0.8, 1 / (1 + mu / 0.8)))
    fit = quiet(
        "count ~ a", frame, family="poisson", **{**NET, "hidden": hidden, "penalty": ns.decay(0.01) if hidden else None}
    )
    row = one(fit, "overdispersion")
    assert row.severity == "warning" and "negative_binomial" in row.remedy
    if not hidden:
        assert f"{fit.pearson_chi2 / fit.df_resid:.4g}" in row.where
    assert rows(quiet("count ~ a + b", data, family="poisson", **{**NET, "hidden": hidden}), "overdispersion").empty


def test_overdispersed_shares_and_classes(data):
    rng = np.random.default_rng(4)
    p = rng.beta(1, 1, 300)
    frame = data.assign(share=rng.binomial(data["trials"].astype(int), p) / data["trials"])
    fit = ns.neuralnet("share ~ a", frame, family="binomial", weights="trials", **EXACT)
    assert one(fit, "overdispersion").severity == "warning"
    for k, which in enumerate((rng.dirichlet([1, 1, 1], 300), np.full((300, 3), 1 / 3))):
        counts = np.array([rng.multinomial(20, p) for p in which])
        frame = data.assign(**{f"n{j}": counts[:, j].astype(float) for j in range(3)})
        fit = ns.neuralnet("n0 + n1 + n2 ~ a", frame, family="multinomial", **EXACT)
        assert len(rows(fit, "overdispersion")) == 1 - k
    fit = ns.neuralnet("event ~ a", data, family="binomial", **EXACT)
    assert rows(fit, "overdispersion").empty  # single trials say nothing


def test_noise_of_chi2_is_that_of_the_family():
    """Rare counts: chi2 / df has a large spread, and is not called overdispersion for it."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(40):
        frame = pd.DataFrame({"x": rng.normal(size=60), "y": rng.poisson(0.08, 60)})
        if frame["y"].sum() > 1:
            found += len(rows(quiet("y ~ x", frame, family="poisson", **EXACT), "overdispersion"))
    assert found <= 1


def test_negative_binomial_says_that_alpha_is_not_estimated(data):
    rng = np.random.default_rng(6)
    mu = np.exp(1 + 0.5 * data["a"])
    frame = data.assign(count=rng.negative_binomial(1 / 3.0, 1 / (1 + 3.0 * mu)))
    fit = ns.neuralnet("count ~ a", frame, family=NegativeBinomial(alpha=1.0), **EXACT)
    row = one(fit, "overdispersion")
    assert "alpha = 1 is taken as known" in row.where and "too small" in row.where and row.severity == "warning"
    estimate = float(row.remedy.split("alpha=")[1].split(")")[0])
    y, m = frame["count"].to_numpy(), fit.fittedvalues.to_numpy()
    assert np.sum((y - m) ** 2 / (m + estimate * m**2)) == pytest.approx(fit.df_resid, rel=0.01)
    right = ns.neuralnet("count ~ a", frame, family=NegativeBinomial(alpha=3.0), **EXACT)
    assert one(right, "overdispersion").severity == "note"


# overfit -----------------------------------------------------------------------------------------------------------


def test_validation_that_is_worse_than_training():
    rng = np.random.default_rng(1)
    few = pd.DataFrame(rng.normal(size=(160, 6)), columns=list("abcdef")).assign(y=rng.normal(size=160))
    same = {"algorithm": "adam", "standardize": True, "rep": 1, "random_state": 1, "learningrate": 0.02}
    fit = quiet("y ~ a + b + c + d + e + f", few, hidden=30, epochs=200, validation=0.5, **same)
    assert one(fit, "overfit").severity == "warning" and "early_stopping" in one(fit, "overfit").remedy
    many = pd.DataFrame({"a": rng.normal(size=2000)})
    many["y"] = many["a"] + rng.normal(size=2000)
    fit = quiet("y ~ a", many, hidden=2, epochs=10, validation=0.3, **same)
    assert rows(fit, "overfit").empty


def test_validation_loss_that_rose_again(data):
    fit = quiet(
        "y ~ a", data, hidden=2, algorithm="adam", epochs=10, validation=0.3, standardize=True, rep=1, random_state=1
    )
    history = fit.fit.history
    values = history.values.copy()
    values[0, :, history.columns.index("val_loss")] = [5, 3, 2, 1, 1.2, 1.4, 1.6, 1.7, 1.7, 1.7]
    risen = changed(fit, history=replace(history, values=values))
    assert findings_training._risen(risen.fitted) == (4, pytest.approx(1.7))
    assert findings_training._risen(changed(fit, history=replace(history, best_epoch=np.array([4]))).fitted) is None


# columns -----------------------------------------------------------------------------------------------------------


def test_constant_columns_and_responses(data):
    frame = data.assign(fixed=3.0, half=np.where(np.arange(300) < 150, 1.0, 2.0), v=(np.arange(300) < 150) * 1.0)
    fit = quiet("y ~ a + fixed", frame, **{**EXACT, "standardize": False})
    assert one(fit, "constant column").where == "fixed"
    fit = quiet("y ~ a + half", frame, weights="v", **{**EXACT, "standardize": False})
    assert one(fit, "constant column").where == "half"  # at the rows that count
    fit = quiet("fixed ~ a", frame, **{**EXACT, "standardize": False})
    assert one(fit, "constant column").where == "response fixed"
    assert rows(ns.neuralnet("y ~ a + half", frame, **EXACT), "constant column").empty


def test_collinear_columns_are_named(data):
    frame = data.assign(total=2 * data["a"] - data["b"] + 7)
    fit = quiet("y ~ a + b + c + total", frame, **EXACT)
    row = one(fit, "collinear columns")
    named = {n.strip() for n in row.where.replace("(of", ",").replace(")", "").split(",")}
    assert row.severity == "warning" and named == {"a", "b", "total"}
    frame = data.assign(more=np.zeros(300), **{f"x{j}": data["noise"] ** (j + 1) for j in range(6)})
    small = frame.head(5)
    assert "6 columns for 5 rows" in one(quiet("y ~ " + " + ".join(f"x{j}" for j in range(6)), small, **EXACT),
                                         "collinear columns").where  # fmt: skip


def test_inflated_variances_are_statsmodels(data):
    frame = data.assign(near=data["a"] + 0.05 * data["noise"], close=data["b"] + 0.25 * data["c"])
    names = ["a", "b", "near", "close"]
    fit = ns.neuralnet("y ~ " + " + ".join(names), frame, **EXACT)
    exog = sm.add_constant(frame[names]).to_numpy()
    expected = {n: variance_inflation_factor(exog, j + 1) for j, n in enumerate(names)}
    table = rows(fit, "collinear columns").set_index("severity")["where"]
    for name in ("a", "near"):
        assert f"{name} (variance inflated {expected[name]:.3g} times)" in table["warning"]
    for name in ("b", "close"):
        assert f"{name} (variance inflated {expected[name]:.3g} times)" in table["note"]


def test_columns_of_one_term_belong_together(data):
    """A spline's columns are nearly collinear by making, which is no finding."""
    fit = ns.neuralnet("y ~ bs(a, df=6) + b", data, **EXACT)
    assert "warning" not in set(rows(fit, "collinear columns")["severity"])


def test_high_leverage_is_statsmodels(data):
    frame = data.head(60).copy()
    frame.loc[7, "c"] = 80.0
    fit = ns.neuralnet("y ~ a + c", frame, **EXACT)
    hat = sm.OLS(frame["y"], sm.add_constant(frame[["c"]])).fit().get_influence().hat_matrix_diag
    row = one(fit, "high leverage")
    assert row.severity == "warning" and f"c (row 7, leverage {hat[7]:.2f})" in row.where
    frame["rare"] = (np.arange(60) == 5) * 1.0
    assert set(rows(ns.neuralnet("y ~ a + rare", frame, **EXACT), "high leverage")["severity"]) == {"note"}
    assert rows(ns.neuralnet("y ~ a + b", data, **EXACT), "high leverage").empty


def test_rows_that_only_all_columns_together_give_leverage():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(40, 1)) @ np.ones((1, 3)) + 0.1 * rng.normal(size=(40, 3))
    x[11] = [1.5, -1.5, 0.2]
    frame = pd.DataFrame(x, columns=list("abc")).assign(y=rng.normal(size=40))
    hat = sm.OLS(frame["y"], sm.add_constant(frame[list("abc")])).fit().get_influence().hat_matrix_diag
    where = one(ns.neuralnet("y ~ a + b + c", frame, **EXACT), "high leverage").where
    assert f"row 11 ({hat[11]:.2f})" in where and hat[11] > 0.5


def test_extreme_values_of_long_columns(data):
    rng = np.random.default_rng(10)
    frame = pd.DataFrame({"x": rng.normal(size=4000), "e": rng.normal(size=4000)})
    frame.loc[17, "e"] = 40.0
    frame["y"] = frame["x"] + rng.normal(size=4000)
    row = one(ns.neuralnet("y ~ x + e", frame, **EXACT), "high leverage")
    assert row.severity == "note" and row.where.startswith("e (row 17")


def test_elements_of_arrays_are_no_columns():
    rng = np.random.default_rng(11)
    images = rng.random((80, 4, 4, 1))
    images[:, 0] = 0.0  # a border, as images have
    fit = quiet("y ~ image", {"image": images, "y": images.sum(axis=(1, 2, 3))}, layers=[ns.layers.Flatten(),
                ns.layers.Dense(3, "relu")], algorithm="adam", epochs=3, standardize=False, random_state=1)  # fmt: skip
    assert rows(fit, "constant column").empty and rows(fit, "collinear columns").empty


# what it costs, where it is said -----------------------------------------------------------------------------------

PASSES = ("gradient", "scores", "jacobian", "hessian", "slopes", "units", "outputs", "error")


@pytest.mark.parametrize(
    "settings",
    [{"hidden": 2, "algorithm": "lm"}, {"hidden": 2, "algorithm": "adam", "epochs": 30, "learningrate": 0.05},
     {"layers": [ns.layers.Dense(4, "relu"), ns.layers.Dropout(0.2)], "algorithm": "adam", "epochs": 30,
      "learningrate": 0.05}],
)  # fmt: skip
def test_a_good_fit_is_made_without_a_pass_through_the_data(data, settings, monkeypatch):
    fit = quiet("y ~ a + b", data, standardize=True, rep=1, random_state=1, **settings)
    fresh = Fitted(fit.fitted.procedure, fit.fit)
    for name in PASSES:
        monkeypatch.setattr(derivatives, name, lambda *_, name=name: pytest.fail(f"{name} was called"))
    repetitions.warn_unconverged(fresh)
    diagnose.warn_severe(fresh)


def test_summary_has_a_line_where_something_is_wrong(data):
    frame = data.assign(total=data["a"] - data["b"])
    flat = quiet("y ~ big + far", data, hidden=2, standardize=False, rep=1, random_state=1,
                 startweights=np.array([40.0, 0, 0, 40, 0, 0, 0, 1, 1]), algorithm="lm")  # fmt: skip
    text = " ".join(str(flat.summary()).split())
    assert "DIAGNOSIS: error: collapsed" in text and "fit.diagnose()" in text
    assert "DIAGNOSIS: warning: collinear columns" in " ".join(
        str(quiet("y ~ a + b + total", frame, **EXACT).summary()).split()
    )
    assert "DIAGNOSIS" not in str(ns.neuralnet("z ~ a + b", data, **EXACT).summary())


def test_fits_as_r_are_as_silent(data):
    fit, warned = heard("y ~ big + far", data, hidden=2, rep=1, compat="R", random_state=1)
    assert not warned
    if abs(findings.explained(fit.fitted)[0]) < 1e-6:
        assert not rows(fit, "collapsed").empty


def test_linear_share_is_the_score_test(data):
    """n times the share is the score statistic, of statsmodels, of the linear model against constants."""
    fit = quiet("count ~ a + b", data, family="poisson", **NET)
    gain, _, n = findings_fit._linear(fit.fitted)
    null = sm.GLM(data["count"], np.ones(300), sm.families.Poisson()).fit()
    score, p, *_ = null.score_test(exog_extra=data[["a", "b"]].to_numpy())
    assert n == 300 and gain[0] == pytest.approx(float(np.squeeze(score)), rel=1e-8)
    assert stats.chi2.sf(gain[0], 2) == pytest.approx(float(np.squeeze(p)), rel=1e-6)
