"""Concordance, Brier and interval scores: against R's survival and ipred, by hand, by simulation, and in risk."""

from __future__ import annotations

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import neuralstat as ns
from neuralstat.assessment.brier import brier_score
from neuralstat.assessment.concordance import concordance
from neuralstat.errors import ArgumentError, DataError


@pytest.fixture(scope="module")
def lung():
    data = ns.datasets.lung()
    i = np.arange(len(data))
    start = 20 * (i % 4)
    return data.assign(event=data["status"] == 2, w=1 + i % 3, start=np.where(start < data["time"], start, 0),
                       gender=data["sex"].map({1: "male", 2: "female"}))  # fmt: skip


@pytest.fixture(scope="module")
def fit(lung):
    return ns.neuralnet("Surv(time, event) ~ age + sex", lung, hidden=0, family="weibull")


# concordance ------------------------------------------------------------------------------------------------

# R: concordance(Surv(...) ~ age, lung, ...): concordance, concordant, discordant, tied.x, sqrt(var); i, w and start as of
# tests/survival: (late entries, weights, kind, tau), with timewt = "n/G2" for "uno", ymax = 299.5 for tau
PAIRS = [
    ((False, False, "harrell", None), (0.449760167882, 8706, 10717, 591, 0.0251421115943)),
    ((True, False, "harrell", None), (0.477596291800, 8384, 9196, 542, 0.0248686520398)),
    ((True, True, "harrell", None), (0.471657351527, 32783, 36850, 2114, 0.0260202625839)),
    ((False, False, "uno", None), (0.450769274253, 11207.8856971, 13741.8105366, 785.500649408, 0.0230305791001)),
    ((False, True, "uno", None), (0.450311226832, 44750.8763750, 54968.1068439, 3093.28016988, 0.0245936139711)),
    ((False, False, "harrell", 299.5), (0.450727784951, 7438, 9117, 483, 0.0290950415135)),
]


@pytest.mark.parametrize("how, known", PAIRS)
def test_concordance_against_r(lung, how, known):
    late, weighted, kind, tau = how
    found = concordance(lung["time"], lung["event"], lung["age"], start=lung["start"] if late else None,
                        weights=lung["w"] if weighted else None, kind=kind, tau=tau)  # fmt: skip
    mine = [float(found), found.concordant, found.discordant, found.tied, found.se]
    np.testing.assert_allclose(mine, known, rtol=1e-10)


def test_ties_of_times_and_predictions_against_r():
    # d <- data.frame(start, stop, event, w); concordance(Surv(start, stop, event) ~ x, d, weights = w)
    start, stop = [0, 0, 1, 2, 0, 3, 0, 1, 4, 2], [3, 5, 5, 5, 6, 7, 7, 8, 9, 9]
    event, w, x = [1, 1, 0, 1, 0, 1, 1, 0, 1, 0], [1, 2, 1, 3, 2, 1, 1, 2, 1, 1], [2, 1, 3, 2, 5, 4, 4, 6, 1, 7]
    found = concordance(stop, event, x, start=start, weights=w)
    mine = [float(found), found.concordant, found.discordant, found.tied, found.se]
    np.testing.assert_allclose(mine, [0.8560606060606, 54, 7, 5, 0.0930184177834], rtol=1e-11)
    found = concordance(stop, event, x, weights=w, kind="uno")
    mine = [float(found), found.concordant, found.discordant, found.tied, found.se]
    np.testing.assert_allclose(mine, [0.8488372093023, 70.5, 10.5, 5, 0.0983202720796], rtol=1e-11)


def test_concordance_pair_by_pair():
    rng = np.random.default_rng(3)
    for n in (4, 9, 40):
        stop, start = rng.integers(4, 12, n).astype(float), rng.integers(0, 4, n).astype(float)
        event, x, w = rng.uniform(size=n) < 0.7, rng.integers(0, 5, n).astype(float), rng.uniform(0.5, 2, n)
        start[0], stop[-1], event[np.argmin(stop)] = 0, 12.0, True
        pairs = [
            (w[i] * w[j], (x[j] > x[i]) + (x[j] == x[i]) / 2) for i, j in itertools.permutations(range(n), 2)
            if event[i] and start[j] < stop[i] and (stop[j] > stop[i] or (stop[j] == stop[i] and not event[j]))
        ]
        weight, good = np.array(pairs).T
        assert concordance(stop, event, x, start=start, weights=w) == pytest.approx(good @ weight / weight.sum())


def test_concordance_of_fits_against_r(lung, fit):
    # f <- survreg(Surv(time, status) ~ age + sex, lung, dist = d); concordance(f)
    # f <- coxph(Surv(time, status) ~ age + sex, lung); concordance(f)
    known = {"weibull": 0.602902967922, "lognormal_aft": 0.601453982212, "loglogistic": 0.602952932947, "cox": 0.602853002898}
    for family, value in known.items():
        own = ns.neuralnet("Surv(time, event) ~ age + sex", lung, hidden=0, family=family)
        assert own.concordance() == pytest.approx(value, abs=1e-11)
    found = fit.concordance()
    assert (found.concordant, found.discordant, found.tied) == (11911, 7792, 311)
    assert found.se == pytest.approx(0.0254894300400, rel=1e-10)
    assert fit.concordance(lung) == found and fit.concordance(kind="uno") != found
    part = lung.iloc[40:140].drop(columns="status")
    part.iloc[3, part.columns.get_loc("age")] = np.nan  # a row with a gap is left out
    known = part.dropna(subset=["age"])
    by_hand = concordance(known["time"], known["event"], fit.predict(known, type="median"))
    assert fit.concordance(part) == pytest.approx(by_hand)
    again = pickle.loads(pickle.dumps(found))
    assert (again, again.se, repr(again)) == (found, found.se, repr(found))


def test_late_entries_and_weights_of_fits(lung):
    late = ns.neuralnet("Surv(start, time, event) ~ age + sex", lung, hidden=0, family="weibull", weights="w")
    score = late.predict(type="median")
    by_hand = concordance(lung["time"], lung["event"], score, start=lung["start"], weights=lung["w"])
    assert late.concordance() == pytest.approx(by_hand) and late.concordance().se == pytest.approx(by_hand.se)
    with pytest.raises(ArgumentError, match="Brier score needs rows that were looked at from 0 on"):
        late.brier_score()
    with pytest.raises(ArgumentError, match="loss='brier' needs rows"):
        ns.risk(late, "cv", loss="brier")
    with pytest.raises(ArgumentError, match="kind='uno' is of rows"):
        late.concordance(kind="uno")
    assert 0.3 < ns.risk(late, "cv", k=3, loss="concordance", random_state=1) < 0.5


# Brier ------------------------------------------------------------------------------------------------------


def test_brier_score_against_ipred(lung):
    # s <- lung[!duplicated(lung$time), ]; f <- survreg(Surv(time, event) ~ age + sex, s); S(t) = 1 - psurvreg(t, predict(f,
    # type = "lp"), f$scale, "weibull"); sbrier(Surv(s$time, s$event), S, t) (no events and censorings at one time there);
    # means over 88300 times from 0 to 883 of the same sums, of f and of survfit(Surv(time, event) ~ 1, s)
    some = lung.drop_duplicates("time")
    own = ns.neuralnet("Surv(time, event) ~ age + sex", some, hidden=0, family="weibull")
    found = own.brier_score([100, 350, 700])
    np.testing.assert_allclose(found.table["brier"], [0.101934616191, 0.241259933505, 0.127681346296], rtol=1e-6)
    assert own.brier_score(350) == pytest.approx(0.241259933505, rel=1e-6)
    whole = own.brier_score()
    assert whole == pytest.approx(0.1579996354, rel=2e-5)
    assert whole.null == pytest.approx(0.1611738180, rel=2e-3)  # a curve of steps, taken in the middles of 200 cells
    assert whole.table.index[-1] == 883 and len(whole.table) == 100
    assert whole.r2 == pytest.approx(1 - whole / whole.null)
    again = pickle.loads(pickle.dumps(whole))
    assert again == whole and again.null == whole.null and repr(again) == repr(whole)


def test_brier_score_with_ties_by_hand():
    # prodlim's G of stop and event, with events before censorings; mean of S^2 event / G(T-) and (1 - S)^2 / G(t)
    stop, event = np.array([3, 5, 5, 5, 6, 7, 7, 8, 9, 9.0]), np.array([1, 1, 0, 1, 0, 1, 1, 0, 1, 0])
    times = np.array([2, 4, 5, 6.5, 7, 8])
    alive = np.exp(-times * np.arange(1, 11)[:, np.newaxis] / 40)
    found = brier_score(stop, event, alive, times)
    known = [0.0661829056695, 0.269424333696, 0.431891504388, 0.517664872288, 0.437086409198, 0.456686388911]
    np.testing.assert_allclose(found.table["brier"], known, rtol=1e-11)
    function = brier_score(stop, event, lambda t: np.exp(-t * np.arange(1, 11)[:, np.newaxis] / 40), times)
    np.testing.assert_allclose(function.table, found.table)
    fine = 8 * (np.arange(40_000) + 0.5) / 40_000
    each = brier_score(stop, event, np.exp(-fine * np.arange(1, 11)[:, np.newaxis] / 40), fine).table["brier"]
    assert function == pytest.approx(each.mean(), rel=1e-5)
    twice = brier_score(np.tile(stop, 2), np.tile(event, 2), np.tile(alive, (2, 1)), times)
    weighted = brier_score(stop, event, alive, times, weights=np.full(10, 2.0))
    np.testing.assert_allclose(twice.table, weighted.table)


def test_weights_make_up_for_censoring():
    """Brier scores and Uno's concordance are what they would be without censoring, but for noise; Harrell's is larger."""
    rng = np.random.default_rng(5)
    n, repeats, times = 400, 40, np.array([0.5, 1.0, 1.5])
    gaps, others = [], []
    for _ in range(repeats):
        rate = np.exp(rng.normal(size=n))
        time, limit = rng.exponential(size=n) / rate, rng.uniform(0, 4, n)
        stop, event = np.minimum(time, limit), time <= limit

        def survival(t, rate=rate):
            return np.exp(-t * 0.7 * rate[:, np.newaxis])

        found, full = (brier_score(s, e, survival, times) for s, e in ((stop, event), (time, np.ones(n))))
        gaps.append(found.table["brier"] - full.table["brier"])
        pairs = concordance(time, np.ones(n), -rate, tau=1.5)
        others.append((found - full, concordance(stop, event, -rate, kind="uno", tau=1.5) - pairs,
                       concordance(stop, event, -rate) - concordance(time, np.ones(n), -rate)))  # fmt: skip
    gaps = np.column_stack([np.array(gaps), others])
    mean, error = gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / np.sqrt(repeats)
    assert np.all(np.abs(mean[:-1]) < 3.5 * error[:-1]), (mean, error)
    assert np.all(error < 0.004) and mean[-1] > 4 * error[-1]


# risk -------------------------------------------------------------------------------------------------------


def test_cross_validated_concordance_is_that_of_the_folds(lung):
    data = lung.dropna(subset=["ph.ecog"]).reset_index(drop=True)
    label = np.arange(len(data)) % 3
    formula = "Surv(time, event) ~ age + gender + ph.ecog"
    fit = ns.neuralnet(formula, data, hidden=0, family="weibull")
    found = ns.risk(fit, "cv", folds=label, loss="concordance")
    folds = []
    for k in range(3):
        test = data[label == k]
        own = ns.neuralnet(formula, data[label != k], hidden=0, family="weibull")
        folds.append(concordance(test["time"], test["event"], own.predict(test, type="median")))
    np.testing.assert_allclose(found.draws, [1 - c for c in folds], atol=1e-6)
    pairs = [c.comparable for c in folds]
    assert found == pytest.approx(np.average([1 - c for c in folds], weights=pairs), abs=1e-6)
    assert found.loss == "concordance" and "1 - concordance" in repr(found) and found.conf_int()[1] > found
    one = ns.risk(fit, "holdout", folds=[(np.flatnonzero(label != 1), np.flatnonzero(label == 1))], loss="concordance")
    assert one == pytest.approx(1 - folds[1], abs=1e-6) and one.se == pytest.approx(folds[1].se, rel=1e-4)
    corrected = ns.risk(fit, "cv", folds=label, loss="concordance", corrected=True)
    assert corrected.details["apparent"] == pytest.approx(1 - fit.concordance())


@pytest.mark.parametrize("family", ["lognormal_aft", "cox"])
def test_cross_validated_brier_score_is_that_of_the_folds(lung, family):
    label = np.arange(len(lung)) % 3
    fit = ns.neuralnet("Surv(time, event) ~ age + gender", lung, hidden=0, family=family)
    found = ns.risk(fit, "cv", folds=label, loss="brier")
    last = float(lung["time"][lung["event"]].max())
    for k in range(3):
        test, train = lung[label == k], lung[label != k]
        own = ns.neuralnet("Surv(time, event) ~ age + gender", train, hidden=0, family=family)

        def survival(t, own=own, test=test):
            return own.predict(test, type="survival", times=t)

        whole = brier_score(test["time"], test["event"], survival, np.array([1.0, last]), train_time=train["time"],
                            train_event=train["event"])  # fmt: skip
        assert found.draws[k] == pytest.approx(whole, abs=1e-6)
    for method, more in [("bootstrap", {"draws": 15}), ("632", {"draws": 15}), ("nested_cv", {"k": 3, "repeats": 1})]:
        assert 0.1 < ns.risk(fit, method, loss="brier", random_state=1, **more) < 0.2


def test_networks_with_gaps_and_factors(lung):
    """Several restarts, scaled inside, a mixture of what converged: predictions of refits are those of `predict`."""
    fit = ns.neuralnet("Surv(time, event) ~ age + gender + ph.ecog", lung, hidden=2, rep=2, family="weibull", random_state=1)
    scores = [ns.risk(fit, "cv", k=3, loss=loss, random_state=2) for loss in (None, "brier", "concordance")]
    assert scores[0].loss == "log_score" and all(np.isfinite(s) and s.se > 0 for s in scores)
    best = ns.risk(fit, "cv", k=3, loss="brier", random_state=2, rep="best")
    assert best != scores[1] and abs(best - scores[1]) < 0.03
    alive = fit.predict(lung, type="survival", times=[100, 300])
    known = alive.notna().all(axis=1)
    by_hand = brier_score(lung["time"][known], lung["event"][known], alive[known], [100, 300])
    np.testing.assert_allclose(fit.brier_score([100, 300]).table, by_hand.table, rtol=1e-10)


def test_interval_scores(lung):
    label = np.arange(len(lung)) % 3
    fit = ns.neuralnet("age ~ gender + time", lung, hidden=0)
    for loss, level in (("interval", 0.9), ("interval:0.5", 0.5)):
        found = ns.risk(fit, "cv", folds=label, loss=loss)
        for k in range(3):
            test, alpha = lung[label == k], 1 - level
            own = ns.neuralnet("age ~ gender + time", lung[label != k], hidden=0)
            low, high = (own.predict(test) + stats.norm.ppf(q) * np.sqrt(own.scale) for q in (alpha / 2, 1 - alpha / 2))
            y = test["age"]
            each = high - low + 2 / alpha * (np.maximum(low - y, 0) + np.maximum(y - high, 0))
            assert found.draws[k] == pytest.approx(each.mean(), rel=1e-5)


def test_frequencies_are_as_if_rows_were_repeated(lung):
    data = lung.iloc[:90].assign(fold=np.arange(90) % 3)
    often = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    for formula, family, losses in [
        ("age ~ time", "gaussian", ["interval"]),
        ("Surv(time, event) ~ age", "weibull", ["brier", "concordance", "log_score"]),
    ]:  # fmt: skip
        one = ns.neuralnet(formula, data, hidden=0, family=family, freq_weights="w")
        other = ns.neuralnet(formula, often, hidden=0, family=family)
        for loss in losses:
            mine = ns.risk(one, "cv", folds=data["fold"].to_numpy(), loss=loss)
            assert mine == pytest.approx(ns.risk(other, "cv", folds=often["fold"].to_numpy(), loss=loss), rel=1e-5)
    assert one.brier_score() == pytest.approx(other.brier_score(), rel=1e-6)
    assert one.concordance() == pytest.approx(other.concordance(), rel=1e-6)


def test_every_family_with_quantiles_has_an_interval_score(lung):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.uniform(size=90)})
    data = data.assign(y=data["x"] + rng.normal(size=90), k=rng.poisson(2, 90), p=rng.gamma(2, size=90),
                       t=rng.exponential(size=90) + 0.1, e=1, b=rng.uniform(size=90) < 0.5)  # fmt: skip
    quantiles = ns.families.Quantile((0.1, 0.5, 0.9))
    for formula, family in [
        ("y ~ x", "gaussian"), ("k ~ x", "poisson"), ("p ~ x", "gamma"), ("k ~ x", "negative_binomial"), ("y ~ x", "student"),
        ("y ~ x", quantiles), ("Surv(t, e) ~ x", "weibull"), ("b ~ x", "binomial"),
    ]:  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = ns.neuralnet(formula, data, hidden=0, family=family)
            assert ns.risk(fit, "cv", k=3, loss="interval", random_state=1) > 0
    with pytest.raises(ArgumentError, match="beyond those that were fitted"):
        ns.risk(ns.neuralnet("y ~ x", data, hidden=0, family=quantiles), "cv", loss="interval:0.9")
    with pytest.raises(ArgumentError, match="not the ends of a central interval"):
        ns.risk(ns.neuralnet("y ~ x", data, hidden=0, family=ns.families.Quantile((0.1, 0.5))), "cv", loss="interval")
    with pytest.raises(ArgumentError, match="family with quantiles"):
        ns.risk(ns.neuralnet("gender ~ age", lung, hidden=0, family="multinomial"), "cv", loss="interval")


def test_importance_by_what_a_permutation_costs(lung, fit):
    found = fit.importance(random_state=1, repeats=5)
    assert found.index[0] == "sex" and found.attrs == {"loss": "concordance", "loss of the fit": 1 - fit.concordance()}
    rng = np.random.default_rng(np.random.SeedSequence(1).spawn(2)[1])  # of the second variable
    mixed = [lung.assign(sex=lung["sex"].to_numpy()[rng.permutation(len(lung))]) for _ in range(5)]
    by_hand = [concordance(lung["time"], lung["event"], fit.predict(m, type="median")) for m in mixed]
    assert found.loc["sex", "importance"] == pytest.approx(fit.concordance() - np.mean(by_hand))
    brier = fit.importance(random_state=1, repeats=5, loss="brier", data=lung.tail(100))
    assert brier.attrs["loss of the fit"] == pytest.approx(fit.brier_score(data=lung.tail(100)))


def test_hazards_without_a_baseline_are_scored_by_their_curves(lung):
    fit = ns.neuralnet("Surv(time, event) ~ age + sex", lung, hidden=0, family="cox")
    assert ns.risk(fit, "cv", k=3, random_state=1).loss == "brier"
    late = ns.neuralnet("Surv(start, time, event) ~ age + sex", lung, hidden=0, family="cox")
    assert ns.risk(late, "cv", k=3, random_state=1).loss == "concordance"
    by_hand = concordance(lung["time"], lung["event"], -late.predict(), start=lung["start"])
    assert late.concordance() == pytest.approx(by_hand) and late.concordance(lung) == pytest.approx(by_hand)
    with pytest.raises(ArgumentError, match="depend on the other rows"):
        ns.risk(fit, "cv", loss="log_score")
    known = ns.neuralnet("Surv(time, event) ~ age + sex", lung[lung["event"]], hidden=0, family="cox")
    for call in (lambda: ns.risk(known, "cv", loss="mse"), lambda: known.importance(loss="mae")):
        with pytest.raises(ArgumentError, match="relative hazards"):
            call()


def test_rs_tables_of_times_have_one_output(lung, fit):
    assert list(fit.compute(lung).net_result.columns) == ["Surv(time, event)"]
    tables = fit.prediction()
    assert list(tables["rep1"].columns) == list(tables["data"].columns) == ["age", "sex", "Surv(time, event)"]
    one = tables["data"].iloc[0]
    rows = lung[(lung["age"] == one["age"]) & (lung["sex"] == one["sex"])]
    assert one["Surv(time, event)"] == pytest.approx(rows["time"].mean())


# errors -----------------------------------------------------------------------------------------------------


def test_what_does_not_suit_is_said(lung, fit):
    plain = ns.neuralnet("age ~ time", lung, hidden=0)
    ended = lung.assign(low=lung["time"], high=np.where(lung["event"], lung["time"] + 1, 0))
    between = ns.neuralnet("low + high ~ age", ended, hidden=0, family="weibull")
    for call, words in [
        (lambda: plain.concordance(), "'age' is no time to an event"),
        (lambda: plain.brier_score(), "'age' is no time"), (lambda: plain.plot_survival(), "'age' is no time"),
        (lambda: plain.plot_calibration(times=3), "'age' is no time"),
        (lambda: ns.risk(plain, "cv", loss="concordance"), "'age' is no time"),
        (lambda: between.concordance(), "165 times are known to lie in an interval only"),
        (lambda: between.brier_score(), "in an interval only"),
        (lambda: between.plot_survival(), "in an interval only"),
        (lambda: ns.risk(between, "cv", loss="brier"), "in an interval only"),
        (lambda: fit.concordance(lung.assign(event=2)), "events must be 0 or 1"),
        (lambda: fit.concordance(lung.assign(event=False)), "no two rows can be compared"),
        (lambda: fit.brier_score(data=lung.assign(time=-1.0)), "times must be greater than 0"),
        (lambda: fit.brier_score(data=lung.assign(event=False)), "no row has an event"),
        (lambda: fit.concordance(lung.drop(columns="age")), "data: .*'age'"),
        (lambda: fit.concordance(kind="c"), "kind must"), (lambda: fit.concordance(tau=-1), "tau must"),
        (lambda: fit.brier_score([3, 2]), "times must"), (lambda: fit.brier_score(0), "times must"),
        (lambda: fit.brier_score("a"), "times must"), (lambda: fit.brier_score(rep="all"), "rep must"),
        (lambda: ns.risk(fit, "cv", loss="mse"), "some are censored"),
        (lambda: ns.risk(fit, "alo", loss="mae"), "some are censored"),
        (lambda: ns.risk(fit, "cv", loss="interval"), "some are censored"),
        (lambda: ns.risk(fit, "cv", loss="crps"), "'brier'"),
        (lambda: ns.risk(fit, "bootstrap", loss="concordance"), "not for single rows"),
        (lambda: ns.risk(fit, "nested_cv", loss="concordance"), "'cv', 'holdout'"),
        (lambda: ns.risk(fit, "alo", loss="concordance"), "not for single rows"),
        (lambda: ns.risk(fit, "loo", loss="concordance"), "not for single rows|compared"),
        (lambda: ns.risk(fit, "cv", k="loo", loss="concordance"), "compared.*fewer folds"),
        (lambda: ns.risk(fit, "632+", loss="brier"), "single rows"),
        (lambda: ns.risk(fit, "cv", loss="interval:1"), "loss"),
        (lambda: concordance([1, 2], [1, 0], [1, 2, 3]), "prediction must have 2"),
        (lambda: concordance([1, 2], [1, 2], [1, 2]), "event"),
        (lambda: concordance([1, 2], [1, 0], [1, 2], start=[1, 0]), "start must be less"),
        (lambda: concordance([1, 2], [1, 0], [1, 2], weights=[0, 0]), "weights"),
        (lambda: concordance([2, 3], [1, 0], [1, 2], start=[1, 0], kind="uno"), "start"),
        (lambda: brier_score([1, 2], [1, 0], [[0.5], [2.0]], 1), "survival must be probabilities"),
        (lambda: brier_score([1, 2], [1, 0], [[0.5], [0.5]]), "times"),
        (lambda: brier_score([1, 2], [1, 0], 3, train_time=[1, 2]), "train"),
        (lambda: brier_score([1, 2], [1, 0], lambda t: t / 0), "survival"),
        (lambda: brier_score([1, 2], [1, 0], len), "survival"),
    ]:  # fmt: skip
        with pytest.raises((ArgumentError, DataError), match=words):
            call()


def test_losses_of_means_are_for_times_that_are_all_known(lung):
    known = lung[lung["event"]]
    fit = ns.neuralnet("Surv(time, event) ~ age", known, hidden=0, family="lognormal_aft")
    other = ns.neuralnet("time ~ age", known, hidden=0, family="lognormal")
    mine, theirs = (ns.risk(f, "cv", k=3, loss="mae", random_state=1) for f in (fit, other))
    assert mine == pytest.approx(theirs, rel=1e-4)
