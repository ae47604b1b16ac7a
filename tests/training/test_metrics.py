"""Metrics of epochs and of other data: against scikit-learn, in the response's units, watched by early stopping."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError
from neuralstat.training import metrics as own

sk = pytest.importorskip("sklearn.metrics")
QUIET = pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning", "ignore::neuralstat.errors.ConvergenceWarning")
EPOCHS = {"algorithm": "adam", "epochs": 6, "random_state": 1, "batch_size": 16}


def frame(n=90):
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    line = data["x"] - data["z"] + rng.normal(size=n)
    return data.assign(
        y=(line > 0).astype(int), g=pd.cut(line, [-9, -1, 1, 9], labels=["low", "mid", "high"]), w=500 + 30 * line,
        many=rng.integers(1, 4, n).astype(float),
    )  # fmt: skip


DATA = frame()


def classes(k, seed=0):
    rng = np.random.default_rng(seed)
    member = rng.integers(0, k, 60)
    p = rng.dirichlet(np.ones(k), 60).round(1)  # with ties
    w = rng.uniform(0.2, 2, 60)
    return member, p, w


def test_numbers_equal_scikit_learn():
    rng = np.random.default_rng(0)
    y, mu, w = rng.normal(size=(2, 50)), rng.normal(size=(2, 50)), rng.uniform(0.1, 3, 50)
    for name, theirs in {"mse": sk.mean_squared_error, "mae": sk.mean_absolute_error, "r2": sk.r2_score}.items():
        assert own.METRICS[name](y, mu, w) == pytest.approx(theirs(y.T, mu.T, sample_weight=w)), name
    assert own.rmse(y, mu, w) == pytest.approx(np.sqrt(sk.mean_squared_error(y.T, mu.T, sample_weight=w)))
    assert np.isnan(own.r2(np.ones((1, 5)), np.zeros((1, 5)), np.ones(5)))


@pytest.mark.parametrize("k", [2, 3, 5])
def test_classes_equal_scikit_learn(k):
    member, p, w = classes(k)
    p = (p + 0.01) / (p + 0.01).sum(axis=1, keepdims=True)
    y = np.eye(k)[member].T
    one = (y[1:], p.T[1:]) if k == 2 else (y, p.T)
    assert own.METRICS["accuracy"](*one, w) == pytest.approx(sk.accuracy_score(member, p.argmax(axis=1), sample_weight=w))
    assert own.METRICS["log_loss"](*one, w) == pytest.approx(sk.log_loss(member, p, sample_weight=w))
    assert own.auc(*one, w) == pytest.approx(np.mean([
        sk.roc_auc_score(member == j, p[:, j], sample_weight=w) for j in (range(1, 2) if k == 2 else range(k))
    ]))  # fmt: skip
    if k == 2:
        assert own.METRICS["brier"](*one, w) == pytest.approx(sk.brier_score_loss(member, p[:, 1], sample_weight=w))
    for j in range(1, k):
        rank = (p > p[np.arange(60), member][:, np.newaxis]).sum(axis=1)
        assert own.top_k(*one, w, k=j) == pytest.approx(np.average(rank < j, weights=w))


@QUIET
@pytest.mark.parametrize(("response", "options", "names"), [
    ("y", {"family": "binomial"}, ["accuracy", "auc", "brier"]),
    ("g", {"family": "multinomial"}, ["accuracy", "auc", "top_k:2"]),
    ("w", {}, ["mae", "rmse", "r2"]), ("many", {"family": "poisson"}, ["mae", "mse"]), ("w + x", {}, ["mse", "mae"]),
])  # fmt: skip
def test_the_last_epoch_is_what_evaluate_says(response, options, names):
    """In the response's units, over all rows of the training data and of the validation data."""
    train, test = DATA[:60], DATA[60:]
    formula = f"{response} ~ z" if response == "w + x" else f"{response} ~ x + z"
    fit = ns.neuralnet(formula, train, hidden=3, validation=test, metrics=names, **EPOCHS, **options)
    last = fit.history.iloc[-1]
    for name in names:
        own_column = name not in ("accuracy", "mse") or response in ("many", "w + x")
        if own_column and not (name == "mse" and response == "w + x"):  # else kernels measure as the epoch goes on
            assert last[name] == pytest.approx(fit.evaluate(rep="best")[name]), name
        if not (name == "mse" and response == "w + x"):  # of which each response has a unit
            assert last[f"val_{name}"] == pytest.approx(fit.evaluate(test, rep="best")[name]), name
    if response == "w":
        mu = fit.predict(test)
        assert last["val_mae"] == pytest.approx(np.mean(np.abs(test["w"] - mu)))
        assert last["val_mse"] == pytest.approx(np.mean((test["w"] - mu) ** 2))
        assert fit.evaluate(test)["loss"] == pytest.approx(last["val_loss"])


@QUIET
@pytest.mark.parametrize("link", ["logit", "cloglog", "probit"])
def test_accuracy_of_binary_families_whatever_the_link(link):
    import statsmodels.api as sm

    kind = {"logit": "Logit", "cloglog": "CLogLog", "probit": "Probit"}[link]
    family = sm.families.Binomial(getattr(sm.families.links, kind)())
    fit = ns.neuralnet("y ~ x + z", DATA[:60], hidden=3, family=family, validation=DATA[60:], **EPOCHS)
    share = np.mean((fit.predict(DATA[60:]) > 0.5) == (DATA["y"][60:] == 1))
    assert fit.history["val_accuracy"].iloc[-1] == pytest.approx(share)


@QUIET
def test_functions_and_callbacks_see_the_responses_units():
    seen, logs = [], []

    def largest(y, prediction):
        seen.append((y.mean(), prediction.shape))
        return np.abs(y - prediction).max()

    fit = ns.neuralnet("w ~ x", DATA, hidden=2, metrics=["mae", largest], validation=0.2,
                       callbacks=lambda epoch, log: logs.append(log) and None, **EPOCHS)  # fmt: skip
    assert abs(seen[0][0] - 500) < 20 and seen[0][1] == (72,)
    table = fit.history
    assert {"largest", "val_largest", "mae", "val_mae"} <= set(table.columns)
    for name in ("loss", "mse", "val_mse", "largest", "mae"):
        assert logs[-1][name] == pytest.approx(table[name].iloc[-1]), name
    assert table["val_mse"].iloc[-1] > 100
    plain = ns.neuralnet("w ~ x", DATA, hidden=2, validation=0.2, **EPOCHS)
    np.testing.assert_array_equal(plain.fit.theta, fit.fit.theta)  # measuring changes nothing


@QUIET
def test_early_stopping_by_a_metric():
    more = {**EPOCHS, "epochs": 40, "learningrate": 0.05}
    rule = ns.EarlyStopping(3, monitor="val_auc")
    more |= {"hidden": 4, "family": "binomial", "validation": DATA[60:]}
    fit = ns.neuralnet("y ~ x + z", DATA[:60], early_stopping=rule, **more)
    table = fit.history
    best = int(table["val_auc"].idxmax()) + 1
    assert fit.fit.history.best_epoch[0] == best and len(table) == min(best + 4, 40)
    assert fit.evaluate(DATA[60:], metrics="auc")["auc"] == pytest.approx(table["val_auc"].max())
    last = ns.EarlyStopping(3, monitor="val_auc", restore_best=False)
    kept = ns.neuralnet("y ~ x + z", DATA[:60], early_stopping=last, **more)
    assert kept.evaluate(DATA[60:], metrics="auc")["auc"] == pytest.approx(kept.history["val_auc"].iloc[-1])
    least = ns.EarlyStopping(2, monitor="val_auc", mode="min")
    odd = ns.neuralnet("y ~ x + z", DATA[:60], early_stopping=least, **more)
    assert odd.fit.history.best_epoch[0] == int(odd.history["val_auc"].idxmin()) + 1


@QUIET
def test_refits_stop_by_the_same_rule():
    fit = ns.neuralnet("w ~ x", DATA, hidden=3, validation=0.3, early_stopping=ns.EarlyStopping(1, monitor="val_mae"),
                       **{**EPOCHS, "epochs": 30, "learningrate": 0.03})  # fmt: skip
    assert float(ns.risk(fit, "cv", k=3, random_state=1)) > 0
    assert fit.df("gdf", draws=5, random_state=1).draws == 5


@QUIET
def test_save_and_checkpoint(tmp_path):
    rule = ns.EarlyStopping(2, monitor="val_mae")
    fit = ns.neuralnet("w ~ x", DATA, hidden=2, validation=0.2, metrics=["mae", "r2"], early_stopping=rule, **EPOCHS)
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    assert again.settings.metrics == ("mae", "r2") and again.settings.early_stopping == rule
    pd.testing.assert_frame_equal(again.history, fit.history)

    def odd(y, prediction):
        return 1.0

    plain = ns.neuralnet("w ~ x", DATA, hidden=2, metrics=["mae", odd], **EPOCHS)
    plain.save(tmp_path / "plain.nst")
    assert ns.load(tmp_path / "plain.nst").settings.metrics == ("mae",)
    rule_of_odd = ns.EarlyStopping(2, monitor="odd")
    watched = ns.neuralnet("w ~ x", DATA, hidden=2, metrics=odd, early_stopping=rule_of_odd, **EPOCHS)
    with pytest.raises(ArgumentError, match="early stopping watches the function 'odd'"):
        watched.save(tmp_path / "no.nst")
    whole = ns.neuralnet("w ~ x", DATA, hidden=2, metrics="mae", **EPOCHS)
    path = tmp_path / "state.npz"
    ns.neuralnet("w ~ x", DATA, hidden=2, metrics="mae", checkpoint=path, **{**EPOCHS, "epochs": 3})
    rest = ns.neuralnet("w ~ x", DATA, hidden=2, metrics="mae", checkpoint=path, **EPOCHS)
    pd.testing.assert_frame_equal(rest.history, whole.history)
    with pytest.raises(ArgumentError, match="checkpoint cannot be combined with early stopping by a metric"):
        ns.neuralnet("w ~ x", DATA, hidden=2, checkpoint=path, validation=0.2, early_stopping=rule, **EPOCHS)


@QUIET
def test_evaluate_counts_rows_as_they_weigh():
    w = np.linspace(0, 3, 90)
    fit = ns.neuralnet("w ~ x", DATA.assign(v=w), hidden=0, weights="v")
    new = DATA.assign(v=w[::-1]).iloc[10:50]
    expected = np.average((new["w"] - fit.predict(new)) ** 2, weights=new["v"])
    assert fit.evaluate(new, metrics="mse")["mse"] == pytest.approx(expected)
    gaps = new.copy()
    gaps.loc[gaps.index[:5], "x"] = np.nan
    assert fit.evaluate(gaps, metrics="mse")["mse"] == pytest.approx(fit.evaluate(new.iloc[5:], metrics="mse")["mse"])


@QUIET
def test_what_does_not_suit_is_named():
    fit = ns.neuralnet("w ~ x", DATA, hidden=0)
    for given, words in (
        ("mse2", "unknown metric 'mse2'"), (["auc"], "'auc' needs a factor or 0/1 response; 'w' is neither"),
        (["mse", "mean_squared_error"], "'mse' is given twice"), ("top_k:0", "whole number"), (3, "metrics"),
        (lambda y, p: "a", "must return a number"), (lambda y: 1.0, "raised TypeError"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            fit.evaluate(metrics=given)
    with pytest.raises(DataError, match="'x'"):
        fit.evaluate(DATA[["w"]])
    with pytest.raises(ArgumentError, match="metrics belongs to the minibatch optimizers"):
        ns.neuralnet("w ~ x", DATA, metrics="mae")
    with pytest.raises(ArgumentError, match="early_stopping: monitor='val_mae' needs validation="):
        ns.neuralnet("w ~ x", DATA, early_stopping=ns.EarlyStopping(1, monitor="val_mae"), **EPOCHS)
    with pytest.raises(ArgumentError, match="early_stopping: monitor: unknown metric 'speed'"):
        ns.neuralnet("w ~ x", DATA, early_stopping=ns.EarlyStopping(1, monitor="speed"), **EPOCHS)
    with pytest.raises(ArgumentError, match="mode='max' would stop by the largest loss"):
        ns.neuralnet("w ~ x", DATA, early_stopping=ns.EarlyStopping(1, mode="max"), **EPOCHS)
    with pytest.raises(ArgumentError, match="'accuracy' needs a factor"):
        ns.neuralnet("w ~ x", DATA, metrics="accuracy", **EPOCHS)
