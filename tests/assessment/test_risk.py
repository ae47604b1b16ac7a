"""Risk estimates against closed forms, scikit-learn and computations written from the papers."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import raw
from fits import linear_data

import neuralstat as ns
from neuralstat.assessment import LOSSES, RISK, Risk
from neuralstat.assessment import folds as splitting
from neuralstat.errors import ArgumentError, DataWarning

EXACT = {"hidden": 0, "algorithm": "lm", "threshold": 1e-9}
RESAMPLING = ("cv", "bootstrap", "632", "632+", "holdout")
QUICK = {"bootstrap": {"draws": 25}, "632": {"draws": 25}, "632+": {"draws": 25}, "gdf": {"draws": 12},
         "covariance": {"draws": 12}, "sure": {"draws": 4}, "cv": {"k": 4}, "coupled": {"draws": 12}, "rcp": {"draws": 12},
         "nested_cv": {"k": 4, "repeats": 2}}  # fmt: skip
WITH_DRAWS = (*RESAMPLING, "loo", "nested_cv", "coupled", "thinning")


@pytest.fixture(scope="module")
def line():
    rng = np.random.default_rng(0)
    n = 48
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)}, index=np.arange(100, 100 + n))
    frame["y"] = 1 + frame.x - 2 * frame.z + rng.normal(size=n)
    frame["w"] = rng.uniform(0.5, 2, n)
    frame["g"] = np.resize(["a", "b", "c"], n)
    return frame


@pytest.fixture(scope="module")
def linear(line):
    return raw.neuralnet("y ~ x + z", line, **EXACT)


@pytest.fixture(scope="module")
def curved(line):
    return raw.neuralnet("y ~ x + z", line, hidden=2, algorithm="lm", penalty=ns.decay(0.05), rep=3, random_state=1)


def hat(frame, w=None):
    x = np.column_stack([np.ones(len(frame)), frame.x, frame.z])
    w = np.ones(len(frame)) if w is None else np.asarray(w)
    h = x @ np.linalg.solve((x.T * w) @ x, x.T * w)
    return np.diag(h), frame.y.to_numpy() - h @ frame.y.to_numpy()


# closed forms ----------------------------------------------------------------------------------------------


def test_leave_one_out_is_press(line, linear):
    h, r = hat(line)
    found = ns.risk(linear, "cv", k="loo")
    assert found == pytest.approx(np.mean((r / (1 - h)) ** 2), rel=1e-9)
    np.testing.assert_allclose(found.draws, (r / (1 - h)) ** 2, rtol=1e-6)
    assert ns.risk(linear, "cv", k=len(line)) == pytest.approx(float(found), rel=1e-9)
    assert found.se == pytest.approx(np.std((r / (1 - h)) ** 2, ddof=1) / np.sqrt(len(line)), rel=1e-6)


def test_leave_one_out_with_weights(line):
    fit = raw.neuralnet("y ~ x + z", line, weights="w", **EXACT)
    h, r = hat(line, line.w)
    assert ns.risk(fit, "cv", k="loo") == pytest.approx(np.average((r / (1 - h)) ** 2, weights=line.w), rel=1e-8)


def test_ridge_cp_gcv_and_leave_one_out():
    y, x = linear_data()
    fit = raw.NeuralNet(y, x, penalty=ns.decay(5, biases=False), **EXACT).fit()
    assert ns.risk(fit, "cp", sigma=1) == pytest.approx(1.642694, abs=2e-6)
    assert ns.risk(fit, "gcv") == pytest.approx(1.768477, abs=2e-6)
    n = y.size
    assert ns.risk(fit, "sure", df="jacobian", sigma=1) * n == pytest.approx(32.134718, abs=2e-5)
    assert ns.risk(fit, "sure", sigma=1, random_state=1).details["df"] == pytest.approx(4.573245, abs=3 * 0.6)
    centred = np.column_stack([np.ones(n), x])
    s = centred @ np.linalg.solve(centred.T @ centred + np.diag([0] + [5] * x.shape[1]), centred.T)
    loo = np.mean(((y - s @ y) / (1 - np.diag(s))) ** 2)
    assert ns.risk(fit, "cv", k="loo") == pytest.approx(loo, rel=1e-8)
    assert loo == pytest.approx(1.793596, abs=2e-6)


def test_penalised_risks_agree_with_the_criteria(curved):
    for name in ("cp", "gcv"):
        assert ns.risk(curved, name, rep="best", **({"sigma": 1.0} if name == "cp" else {})) == pytest.approx(
            curved.info_criteria(name, **({"sigma": 1.0} if name == "cp" else {})), rel=1e-12
        )
    cp, sure = ns.risk(curved, "cp", sigma=0.9, df="jacobian"), ns.risk(curved, "sure", sigma=0.9, df="jacobian")
    assert cp - sure == pytest.approx(0.81)
    gdf = ns.risk(curved, "gdf", draws=20, sigma=1.0, random_state=3)
    d = curved.df("gdf", rep="mean", draws=20, sigma=1.0, random_state=3)
    assert gdf == pytest.approx(np.mean(curved.resid**2) + 2 * float(d) / curved.nobs)
    assert gdf.details["df"] == d


def test_cp_of_weights_is_on_the_scale_of_the_weighted_mean(line):
    fit = raw.neuralnet("y ~ x + z", line, weights="w", **EXACT)
    _, r = hat(line, line.w)
    w = line.w.to_numpy()
    assert ns.risk(fit, "cp", sigma=1.0) == pytest.approx((w @ r**2 + 2 * 3) / w.sum(), rel=1e-9)
    twice = raw.neuralnet("y ~ x + z", line.assign(w=2 * line.w), weights="w", **EXACT)
    assert ns.risk(twice, "cp", sigma=np.sqrt(2)) == pytest.approx(float(ns.risk(fit, "cp", sigma=1.0)), rel=1e-9)


def test_sure_estimates_the_distance_to_the_truth():
    rng = np.random.default_rng(4)
    x = np.linspace(0, 1, 30)
    truth, found, real = 2 * x, [], []
    for _ in range(150):
        frame = pd.DataFrame({"x": x, "y": truth + 0.5 * rng.normal(size=30)})
        fit = raw.neuralnet("y ~ x", frame, **EXACT)
        found.append(float(ns.risk(fit, "sure", df="jacobian", sigma=0.5)))
        real.append(np.mean((fit.predict() - truth) ** 2))
    spread = np.std(np.subtract(found, real), ddof=1) / np.sqrt(150)
    assert abs(np.mean(found) - np.mean(real)) < 4 * spread
    assert np.mean(real) == pytest.approx(0.25 * 2 / 30, rel=0.3)


# cross-validation ------------------------------------------------------------------------------------------


def test_folds_as_in_scikit_learn(line, linear):
    linear_model, selection = pytest.importorskip("sklearn.linear_model"), pytest.importorskip("sklearn.model_selection")
    splitter = selection.KFold(7, shuffle=True, random_state=2)
    x, y = line[["x", "z"]].to_numpy(), line.y.to_numpy()
    theirs = -selection.cross_val_score(
        linear_model.LinearRegression(), x, y, cv=splitter, scoring="neg_mean_squared_error"
    )
    ours = ns.risk(linear, "cv", folds=splitter.split(x))
    np.testing.assert_allclose(ours.draws, theirs, rtol=1e-8)
    size = ours.to_frame()["n"]
    assert ours == pytest.approx(np.average(theirs, weights=size), rel=1e-8)
    other = ns.risk(linear_model.LinearRegression(), "cv", x=x, y=y, folds=splitter.split(x))
    assert other == pytest.approx(float(ours), rel=1e-8)


def test_burmans_correction(line, linear):
    x, y = np.column_stack([np.ones(len(line)), line.x, line.z]), line.y.to_numpy()
    splits = splitting.kfold(len(line), 5, np.random.default_rng(1))
    held, everywhere = 0.0, 0.0
    for train, test in splits:
        b = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
        held += np.sum((y[test] - x[test] @ b) ** 2) / y.size
        everywhere += test.size / y.size * np.mean((y - x @ b) ** 2)
    full = np.mean((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2)
    found = ns.risk(linear, "cv", folds=splits, corrected=True)
    assert found == pytest.approx(held + full - everywhere, rel=1e-9)
    assert found.details["uncorrected"] == pytest.approx(held, rel=1e-9)
    assert found < found.details["uncorrected"]


def test_repeats_are_averaged_and_reproducible(curved):
    first = ns.risk(curved, "cv", k=4, repeats=3, random_state=5)
    again = ns.risk(curved, "cv", k=4, repeats=3, random_state=5, n_jobs=1)
    assert first == again
    table = first.to_frame()
    assert list(table["repeat"].unique()) == [1, 2, 3] and len(table) == 12
    per = [np.average(t["value"], weights=t["n"]) for _, t in table.groupby("repeat")]
    assert first == pytest.approx(np.mean(per))
    np.testing.assert_allclose(per, first.details["per_repeat"])
    assert len(set(per)) == 3


@pytest.mark.parametrize("formula", ["y ~ x + z", "y ~ poly(x, 2) + scale(z)", "y ~ C(g)*x"])
@pytest.mark.parametrize("standardize", [False, True])
def test_one_stack_gives_the_numbers_of_a_loop(line, formula, standardize):
    model = raw.NeuralNet.from_formula(
        formula, line, hidden=2, algorithm="lm", threshold=1e-3, rep=2, penalty=ns.decay(0.05), weights="w",
        standardize=standardize, random_state=1,
    )  # fmt: skip
    both = [ns.risk(model, "cv", k=4, random_state=3, stack=stack) for stack in (True, False)]
    np.testing.assert_allclose(both[0].draws, both[1].draws, rtol=1e-9)
    bags = [
        ns.risk(model, "holdout", repeats=3, random_state=3, stack=stack) for stack in (True, False)
    ]
    np.testing.assert_allclose(bags[0].draws, bags[1].draws, rtol=1e-9)


@pytest.mark.parametrize("options", [{"polish": True}, {"keep": 1}, {"exclude": ["x.to.1layhid1"]}])
def test_a_loop_gives_the_same_with_other_settings(line, options):
    """A level that a fold lacks, finishing, pruning, and weights held out."""
    model = raw.NeuralNet.from_formula(
        "y ~ x + g", line.assign(g=np.where(np.arange(len(line)) < 2, "rare", line.g)), hidden=2, rep=2,
        algorithm="lm", penalty=ns.decay(0.05), threshold=0.05, random_state=1, **options,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        both = [ns.risk(model, "cv", k=6, blocks=True, random_state=3, stack=stack) for stack in (True, False)]
    np.testing.assert_allclose(both[0].draws, both[1].draws, rtol=1e-6)
    assert both[0].draws.min() > 0


def test_scaling_and_transforms_happen_inside_the_folds(line):
    """The fold's prediction is that of a model that never saw the other rows."""
    options = {"hidden": 2, "algorithm": "lm", "threshold": 1e-5, "penalty": ns.decay(0.1), "standardize": True}
    formula = "y ~ poly(x, 2) + z"
    start = np.random.default_rng(3).normal(size=(1, 11))
    model = raw.NeuralNet.from_formula(formula, line, startweights=start, **options)
    train, test = np.arange(0, 36), np.arange(36, 48)
    found = ns.risk(model, "cv", folds=[(train, test)])
    alone = raw.neuralnet(formula, line.iloc[train], startweights=start, **options)
    error = line.y.iloc[test] - alone.predict(line.iloc[test])
    assert found == pytest.approx(np.mean(error**2), rel=1e-6)
    whole = raw.neuralnet(formula, line, startweights=start, **options)
    assert abs(found - np.mean((line.y - whole.predict()).iloc[test] ** 2)) > 1e-4


def test_prediction_of_a_fold_is_the_mean_over_restarts_or_the_best(line):
    options = {"hidden": 3, "algorithm": "lm", "penalty": ns.decay(0.01), "rep": 3}
    starts = np.random.default_rng(3).normal(size=(3, 13))
    train, test = np.arange(0, 30), np.arange(30, 48)
    model = raw.NeuralNet.from_formula("y ~ x + z", line, startweights=starts, **options)
    alone = raw.neuralnet("y ~ x + z", line.iloc[train], startweights=starts, **options)
    for rep in ("mean", "best"):
        error = line.y.iloc[test] - alone.predict(line.iloc[test], rep=rep)
        assert ns.risk(model, "cv", folds=[(train, test)], rep=rep) == pytest.approx(np.mean(error**2), rel=1e-8)


def test_blocks_groups_and_strata(line, linear):
    n = len(line)
    blocks = splitting.kfold(n, 5, np.random.default_rng(0), blocks=True)
    assert all(np.array_equal(test, np.arange(test[0], test[-1] + 1)) for _, test in blocks)
    groups = np.repeat(np.arange(12), 4)
    for train, test in splitting.kfold(n, 4, np.random.default_rng(0), groups=groups):
        assert not set(groups[train]) & set(groups[test])
        assert test.size == 12
    strata = np.repeat([0, 1], [12, 36])
    for _, test in splitting.kfold(n, 4, np.random.default_rng(0), strata=strata):
        assert np.bincount(strata[test]).tolist() == [3, 9]
    assert ns.risk(linear, "cv", k=5, blocks=True).to_frame()["n"].tolist() == [10, 10, 10, 9, 9]
    assert ns.risk(linear, "cv", k="loo", groups=groups).draws.size == 12
    assert ns.risk(linear, "holdout", test_size=0.25, blocks=True).to_frame()["n"].tolist() == [12]


# the bootstrap ---------------------------------------------------------------------------------------------


def test_632_plus_from_the_paper(line, linear):
    """Efron & Tibshirani (1997), equations (17), (24), (27) to (32), with the samples of the package."""
    draws, n = 25, len(line)
    x, y = np.column_stack([np.ones(n), line.x, line.z]), line.y.to_numpy()
    from neuralstat.assessment.procedure import streams
    from neuralstat.seeds import children

    rngs = [np.random.default_rng(s) for s in children(streams(7)[0], draws)]
    inside = np.array([np.bincount(rows, minlength=n) for rows, _ in splitting.bootstrap(n, rngs)])
    losses = np.empty((draws, n))
    for b in range(draws):
        root = np.sqrt(inside[b])
        beta = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
        losses[b] = (y - x @ beta) ** 2
    out = inside == 0
    err1 = np.mean([losses[out[:, i], i].mean() for i in range(n)])
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    apparent = np.mean((y - fitted) ** 2)
    gamma = np.mean([(y[i] - fitted[j]) ** 2 for i in range(n) for j in range(n)])
    err1_ = min(err1, gamma)
    rate = (err1_ - apparent) / (gamma - apparent) if err1 > apparent and gamma > apparent else 0.0
    dot632 = 0.368 * apparent + 0.632 * err1
    expected = dot632 + (err1_ - apparent) * 0.368 * 0.632 * rate / (1 - 0.368 * rate)
    found = ns.risk(linear, "632+", draws=draws, random_state=7)
    assert found == pytest.approx(expected, rel=1e-8)
    assert found.details["gamma"] == pytest.approx(gamma)
    assert ns.risk(linear, "632", draws=draws, random_state=7) == pytest.approx(dot632, rel=1e-8)
    assert ns.risk(linear, "bootstrap", draws=draws, random_state=7) == pytest.approx(err1, rel=1e-8)
    optimism = np.mean([losses[b].mean() - np.average(losses[b], weights=inside[b]) for b in range(draws)])
    both = ns.risk(linear, "bootstrap", kind="optimism", draws=draws, random_state=7)
    assert both == pytest.approx(apparent + optimism, rel=1e-8)


@pytest.mark.parametrize(
    ("apparent", "oob", "gamma", "expected"),
    [(0.0, 0.5, 0.5, 0.5), (0.2, 0.2, 0.5, 0.2), (0.3, 0.2, 0.5, 0.368 * 0.3 + 0.632 * 0.2), (0.0, 0.7, 0.5, 0.5)],
)
def test_632_plus_at_its_ends(apparent, oob, gamma, expected):
    from neuralstat.assessment.resampling import plus

    assert plus(apparent, oob, gamma)[0] == pytest.approx(expected)


# every estimator -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", RISK)
@pytest.mark.filterwarnings("ignore:risk. 2% of the observations have leverages")
def test_every_estimator(linear, curved, method):
    curved = linear if method == "rcp+" else curved  # for linear models alone
    found = ns.risk(curved, method, random_state=2, **QUICK.get(method, {}))
    assert isinstance(found, Risk) and isinstance(found, float)
    loglik = method in ("aic", "aicc")
    assert found.method == method and found.n == curved.nobs and found.loss == ("-2 log-likelihood" if loglik else "mse")
    assert found.estimate == float(found) and np.isfinite(found) and found.se > 0
    # an honest estimate is of the size of the error's: noise 1 (or of the distance to the truth)
    assert (-0.5 < found < 0.6) if method == "sure" else (0.8 < found < 3) or (loglik and 2.5 < found < 3.5)
    assert (found.draws.size > 0) == (method in WITH_DRAWS)
    assert list(found.to_frame()["value"]) == list(found.draws)
    assert "se" in repr(found) and "n = 48" in repr(found)
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert twin == found and twin.se == found.se and repr(twin) == repr(found)
    assert found == ns.risk(curved, method, random_state=2, n_jobs=1, **QUICK.get(method, {}))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_of_a_binary_response(line, loss):
    metrics = pytest.importorskip("sklearn.metrics")
    frame = line.assign(c=np.where(line.y > 1, "yes", "no"))
    fit = raw.neuralnet("c ~ x + z", frame, hidden=0, family="binomial", algorithm="lm", penalty=ns.decay(0.5))
    train, test = np.arange(0, 30), np.arange(30, 48)
    found = ns.risk(fit, "cv", loss=loss, folds=[(train, test)])
    alone = raw.neuralnet("c ~ x + z", frame.iloc[train], hidden=0, family="binomial", algorithm="lm",
                         penalty=ns.decay(0.5), threshold=1e-6)  # fmt: skip
    p = alone.predict(frame.iloc[test]).to_numpy()
    y = (frame.c.iloc[test] == "yes").to_numpy().astype(int)
    expected = {
        "deviance": 2 * metrics.log_loss(y, p), "mse": np.mean((y - p) ** 2), "log_loss": metrics.log_loss(y, p),
        "mae": np.mean(np.abs(y - p)),
        "brier": metrics.brier_score_loss(y, p), "misclassification": np.mean((p > 0.5) != y),
    }[loss]  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-2 if loss != "misclassification" else 1e-12)
    assert ns.risk(fit, "632+", draws=25, loss=loss, random_state=1) > 0


def test_multinomial_several_responses_and_offset(line):
    fit = raw.neuralnet("g ~ x + z", line, hidden=0, family="multinomial", algorithm="lm", penalty=ns.decay(0.1))
    assert fit.network.n_outputs == 3
    deviance, logloss = (ns.risk(fit, "cv", k=4, loss=loss, random_state=1) for loss in (None, "log_loss"))
    assert deviance.loss == "deviance" and deviance == pytest.approx(2 * float(logloss))
    # independent classes: no better than a guess
    assert logloss > 0.95 * np.log(3)
    covariance = ns.risk(fit, "covariance", draws=60, random_state=1)
    assert covariance > covariance.details["apparent"]
    two = line.assign(v=line.y + line.x, count=np.random.default_rng(1).poisson(np.exp(0.3 * line.x + line.w)))
    both = raw.neuralnet("y + v ~ x + z", two, **EXACT)
    one = raw.neuralnet("v ~ x + z", two, **EXACT)
    y = raw.neuralnet("y ~ x + z", two, **EXACT)
    assert ns.risk(both, "cv", k="loo") == pytest.approx((ns.risk(one, "cv", k="loo") + ns.risk(y, "cv", k="loo")) / 2)
    poisson = {"hidden": 0, "family": "poisson", "algorithm": "lm", "threshold": 1e-8}
    counted = raw.neuralnet("count ~ x + offset(w)", two, **poisson)
    train, test = np.arange(0, 30), np.arange(30, 48)
    mu = raw.neuralnet("count ~ x + offset(w)", two.iloc[train], **poisson).predict(two.iloc[test])
    expected = counted.family.deviance(two["count"].iloc[test], mu) / 18
    assert ns.risk(counted, "cv", folds=[(train, test)]) == pytest.approx(expected, rel=1e-7)
    array = raw.neuralnet("count ~ x", two, offset=two.w.to_numpy(), **poisson)
    assert ns.risk(array, "cv", folds=[(train, test)]) == pytest.approx(expected, rel=1e-7)


@raw.CUT_SHORT
def test_missing_rows_and_a_fit_by_epochs(line):
    gaps = line.copy()
    gaps.loc[gaps.index[:5], "x"] = np.nan
    fit = raw.neuralnet("y ~ x + z", gaps, **EXACT)
    clean = raw.neuralnet("y ~ x + z", gaps.dropna(), **EXACT)
    assert ns.risk(fit, "cv", k="loo") == pytest.approx(float(ns.risk(clean, "cv", k="loo")), rel=1e-9)
    labels = np.resize([0, 1, 2], len(gaps))
    assert ns.risk(fit, "cv", folds=labels).n == 43
    model = raw.NeuralNet.from_formula("y ~ x + z", line, hidden=2, algorithm="adam", epochs=40, random_state=1)
    found = ns.risk(model, "cv", k=3, random_state=1)
    assert found == ns.risk(model, "cv", k=3, random_state=1) and 0 < found < 20


def test_a_level_that_a_training_part_lacks(line):
    frame = line.assign(g=np.where(np.arange(len(line)) < 2, "rare", np.where(np.arange(len(line)) % 2, "b", "c")))
    fit = raw.neuralnet("y ~ x + g", frame, **EXACT)
    train, test = np.arange(2, 48), np.arange(0, 2)
    with pytest.warns(DataWarning, match=r"'g\[T.rare\]' is constant in 1 training part"):
        found = ns.risk(fit, "cv", folds=[(train, test)])
    rest = raw.neuralnet("y ~ x + g", frame.iloc[train], **EXACT)  # without the level: its rows are at the reference
    at = frame.iloc[test].assign(g="b")
    assert found == pytest.approx(np.mean((at.y - rest.predict(at)) ** 2), rel=1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(ns.risk(fit, "cv", k=2, stratify="g", random_state=1))


def test_other_objects(line):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = line[["x", "z"]], line.y
    forest = ensemble.RandomForestRegressor(10, random_state=1)
    for method in RESAMPLING:
        assert 0.5 < ns.risk(forest, method, x=x, y=y, random_state=1, **QUICK.get(method, {})) < 6
    assert not hasattr(forest, "estimators_")
    classifier = ensemble.RandomForestClassifier(10, random_state=1)
    found = ns.risk(classifier, "cv", x=x, y=line.g, k=3, stratify=True, random_state=1, loss="misclassification")
    assert 0.3 < found <= 1

    class Mean:
        def fit(self, x, y):
            self.mean = y.mean()

        def predict(self, x):
            return np.full(len(x), self.mean)

    n = len(line)
    expected = np.mean(((y - y.mean()) * n / (n - 1)) ** 2)
    assert ns.risk(Mean(), "cv", x=x, y=y, k="loo") == pytest.approx(expected)
    with pytest.raises(ArgumentError, match=r"neuralstat\.gdf"):
        ns.risk(forest, "cp", x=x, y=y)
    with pytest.raises(ArgumentError, match="needs x= and y="):
        ns.risk(forest, "cv")


BAD = [
    ({"method": "cross"}, "method must be one of 'cv'"),
    ({"method": "cv", "loss": "rmse"}, "loss must be None, one of"),
    ({"method": "cv", "k": 1}, "k must be 'loo' or a whole number >= 2"),
    ({"method": "cv", "k": 49}, "k=49 folds need at least as many observations; there are 48"),
    ({"method": "cv", "K": 5}, "has no option 'K'"),
    ({"method": "cv", "k": "loo", "repeats": 2}, "the same in every repeat"),
    ({"method": "cv", "groups": [1, 2]}, "groups must have 48 values"),
    ({"method": "cv", "groups": "h"}, "'h' is no column that the model reads"),
    ({"method": "cv", "blocks": True, "stratify": True}, "only one of"),
    ({"method": "cv", "folds": [([0, 1], [1, 2])]}, "training and in the test part"),
    ({"method": "cv", "folds": [([0, 1], [48])]}, "from 0 to 47"),
    ({"method": "cv", "loss": "brier"}, "needs a factor or 0/1 response"),
    ({"method": "cv", "rep": "all"}, "rep must be 'mean' or 'best'"),
    ({"method": "bootstrap", "kind": "x"}, "kind must be"),
    ({"method": "bootstrap", "draws": 1}, "draws must be"),
    ({"method": "holdout", "test_size": 1.5}, "test_size must be"),
    ({"method": "cp", "loss": "log_loss"}, "is for loss='mse'"),
    ({"method": "gdf", "df": "jacobian"}, "has its own degrees of freedom"),
    ({"method": "cp", "df": 3.0, "draws": 3}, "not used where df is a number"),
    ({"method": "gcv", "df": 48.0}, "GCV is not defined"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_arguments_are_named(linear, options, message):
    with pytest.raises(ValueError, match=message):
        ns.risk(linear, **options)


def test_bad_objects(line, linear):
    with pytest.raises(ArgumentError, match="risk needs a fit"):
        ns.risk("fit", "cv")
    with pytest.raises(ArgumentError, match="model holds its data"):
        ns.risk(linear, "cv", x=line, y=line.y)
    # boundary knots are of all rows, so that not even extrapolation='raise' meets a row beyond them
    lone = raw.neuralnet("y ~ bs(x, df=4, extrapolation='raise')", line, **EXACT)
    assert np.isfinite(float(ns.risk(lone, "cv", k="loo")))
