"""Risk and conformal intervals of fits with clusters: no fold, sample or split divides one."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.assessment.folds import groups_of, held_out
from neuralstat.assessment.procedure import NetworkProcedure
from neuralstat.assessment.resampling import standard_error
from neuralstat.errors import ArgumentError, DataError
from neuralstat.training.validation import last_groups

SIZES = (4, 9, 3, 12, 7, 5, 8, 6, 11, 3, 10, 6)
CODE = np.random.default_rng(0).permutation(np.repeat(np.arange(len(SIZES)), SIZES))


def data(seed: int = 1) -> pd.DataFrame:
    """Responses and covariates of which a good part is the cluster's."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(len(SIZES))[CODE] + 0.3 * rng.standard_normal(CODE.size)
    y = x + 2 * rng.standard_normal(len(SIZES))[CODE] + 0.5 * rng.standard_normal(CODE.size)
    return pd.DataFrame({"x": x, "y": y, "g": CODE, "t": rng.standard_normal(CODE.size)})


DATA = data()
FIT = ns.neuralnet("y ~ x", DATA, hidden=0, groups="g")
PLAIN = ns.neuralnet("y ~ x", DATA, hidden=0)


@pytest.fixture
def spied(monkeypatch):
    """Training rows and those that are looked at, of the refits that are made."""
    seen: list = []
    whole = NetworkProcedure.refits

    def refits(self, sets, seeds, need=None):
        seen[:] = list(zip(sets, need, strict=True))
        return whole(self, sets, seeds, need)

    monkeypatch.setattr(NetworkProcedure, "refits", refits)
    return seen


RISKS = ("cv", "loo", "nested_cv", "bootstrap", "632", "632+", "holdout", "holdout:halves=2,test_size=0.3")
CONFORMAL = ("split", "jackknife+", "cv+", "jackknife+ab", "cqr")


def check(seen) -> None:
    """No cluster has rows both in training and in what is looked at; those looked at are whole."""
    assert seen
    for train, test in seen:
        assert not set(CODE[train]) & set(CODE[test])


@pytest.mark.parametrize("method", RISKS)
def test_no_split_divides_a_cluster(method, spied):
    ns.risk(FIT, method, random_state=1)
    check(spied)
    if "halves" not in method:
        for _, test in spied:
            assert np.isin(CODE, CODE[test]).sum() == test.size
    ns.risk(ns.NeuralNet.from_formula("y ~ x", DATA, hidden=0, groups="g"), method, random_state=1)
    check(spied)


@pytest.mark.parametrize("method", CONFORMAL)
def test_conformal_intervals_leave_out_clusters(method, spied):
    found = FIT.get_prediction(DATA[:3], method=method, random_state=1).summary_frame(0.2)
    check(spied)
    clustered = found["obs_ci_upper"] - found["obs_ci_lower"]
    found = PLAIN.get_prediction(DATA[:3], method=method, random_state=1).summary_frame(0.2)
    rows = found["obs_ci_upper"] - found["obs_ci_lower"]
    assert np.isfinite(clustered).all() and not np.allclose(clustered, rows)


def test_loo_is_leave_one_cluster_out_by_hand():
    found = ns.risk(FIT, "loo")
    losses = np.empty(CODE.size)
    for g in range(len(SIZES)):
        fit = ns.neuralnet("y ~ x", DATA[g != CODE], hidden=0)
        losses[g == CODE] = (DATA["y"] - fit.predict(DATA))[g == CODE] ** 2
    assert float(found) == pytest.approx(losses.mean(), rel=1e-8)
    assert "leave-one-cluster-out" in found.details["what"] and found.draws.size == len(SIZES)
    assert float(ns.risk(PLAIN, "loo")) < float(found)  # rows of a cluster tell of one another
    assert float(ns.risk(FIT, "loo", groups=False)) == pytest.approx(float(ns.risk(PLAIN, "loo")), rel=1e-8)


def test_groups_of_the_fit_are_those_given_by_hand():
    for method in ("cv", "nested_cv", "632"):
        one = ns.risk(FIT, method, random_state=1)
        other = ns.risk(PLAIN, method, random_state=1, groups=CODE)
        assert float(one) == pytest.approx(float(other), rel=1e-10)
        assert one.se == pytest.approx(other.se, rel=1e-10)
    assert float(ns.risk(FIT, "cv", groups="g", random_state=1)) == float(ns.risk(FIT, "cv", random_state=1))
    with pytest.raises(ArgumentError, match="False takes rows as independent"):
        ns.risk(FIT, "cv", groups=True)


def test_folds_are_as_many_as_clusters_at_most():
    few = ns.neuralnet("y ~ x", DATA.assign(g=CODE % 4), hidden=0, groups="g")
    assert ns.risk(few, "cv").draws.size == 4
    assert np.isfinite(ns.risk(few, "nested_cv", random_state=1).se)
    with pytest.raises(ArgumentError, match="k=10 folds need at least as many groups; there are 4"):
        ns.risk(PLAIN, "cv", groups=CODE % 4)
    with pytest.raises(ArgumentError, match="nested_cv needs at least 3 folds"):
        ns.risk(ns.neuralnet("y ~ x", DATA.assign(g=CODE % 2), hidden=0, groups="g"), "nested_cv")
    with pytest.raises(ArgumentError, match="groups=False takes the rows"):
        ns.risk(FIT, "cv", blocks=True)
    assert np.isfinite(ns.risk(FIT, "cv", blocks=True, groups=False))


def test_folds_given_are_used_as_they_are():
    label = np.arange(CODE.size) % 3
    assert float(ns.risk(FIT, "cv", folds=label)) == pytest.approx(float(ns.risk(PLAIN, "cv", folds=label)), rel=1e-8)
    sklearn = pytest.importorskip("sklearn.model_selection")
    assert ns.risk(FIT, "cv", folds=sklearn.GroupKFold(4)).draws.size == 4


def test_approximate_leave_one_out_is_of_rows():
    with pytest.raises(ArgumentError, match="'alo' leaves out single rows"):
        ns.risk(FIT, "alo")


def test_select_never_divides_a_cluster(spied):
    ns.select("y ~ x", DATA, hidden=[0, 1], criterion="cv", rep=1, groups="g", penalty=ns.decay(0.5), random_state=1)
    check(spied)


def test_standard_errors_of_mean_losses_by_clusters():
    rng = np.random.default_rng(3)
    values, w = rng.standard_normal(CODE.size), rng.uniform(0.5, 2, CODE.size)
    mean, g = values @ w / w.sum(), len(SIZES)
    sums = [(w * (values - mean))[k == CODE].sum() for k in range(g)]
    assert standard_error(values, w, CODE) == pytest.approx(np.sqrt(np.square(sums).sum() * g / (g - 1)) / w.sum())
    assert standard_error(values, w, np.arange(CODE.size)) == pytest.approx(standard_error(values, w))
    assert ns.risk(FIT, "bootstrap", random_state=1).se > 1.5 * ns.risk(PLAIN, "bootstrap", random_state=1).se


def test_a_share_of_clusters_is_held_out():
    for share in (0.05, 0.3, 0.99):
        held = held_out(CODE.size, share, np.random.default_rng(1), CODE)
        number = np.unique(CODE[held]).size
        assert number == min(max(1, round(share * len(SIZES))), len(SIZES) - 1)
        assert np.isin(CODE, CODE[held]).sum() == held.size
    assert groups_of(None, NetworkProcedure(PLAIN, "mean", True, None)) is None


# fits by epochs --------------------------------------------------------------------------------------------

EPOCHS = {"hidden": 1, "algorithm": "adam", "epochs": 20, "learningrate": 0.05, "random_state": 1, "rep": 1}


def test_last_clusters_are_the_last_begun_ones():
    groups = np.array([0, 0, 1, 2, 0, 1, 3, 3, 2])
    assert last_groups(groups, 0.2).tolist() == [False] * 6 + [True, True, False]
    assert last_groups(groups, 0.3).tolist() == [False, False, False, True, False, False, True, True, True]
    with pytest.raises(ArgumentError, match="leaves none to train on"):
        last_groups(np.array([0, 0, 0, 1]), 0.7)


def test_validation_rows_are_whole_clusters():
    fit = ns.neuralnet("y ~ x", DATA, validation=0.3, groups="g", **EPOCHS)
    trained = fit.fitted.design.kept
    assert not set(CODE[trained]) & set(CODE[~trained]) and 0.3 <= np.mean(~trained) < 0.5
    assert fit.fitted.procedure.validation.inputs.shape[0] == (~trained).sum()
    assert fit.fittedvalues.notna().to_numpy().tolist() == trained.tolist()
    alone = ns.neuralnet("y ~ x", DATA[trained], validation=DATA[~trained], groups="g", **EPOCHS)
    np.testing.assert_array_equal(alone.params, fit.params)  # to the bit
    np.testing.assert_array_equal(alone.history, fit.history)
    by_array = ns.neuralnet("y ~ x", DATA, validation=0.3, groups=CODE, weights=np.ones(CODE.size), **EPOCHS)
    np.testing.assert_allclose(by_array.params, fit.params)
    arrays = ns.NeuralNet(DATA["y"].to_numpy(), DATA[["x"]].to_numpy(), validation=0.3, groups=CODE, **EPOCHS).fit()
    np.testing.assert_allclose(arrays.params.to_numpy(), fit.params.to_numpy())


def test_validation_of_refits_keeps_clusters_together(monkeypatch):
    seen = []
    from neuralstat.training import parts

    keep = parts._held

    def spy(design, part, dtype):
        seen.append((part, design.groups))
        return keep(design, part, dtype)

    monkeypatch.setattr(parts, "_held", spy)
    model = ns.NeuralNet.from_formula("y ~ x", DATA, validation=0.3, groups="g", **EPOCHS)
    assert np.isfinite(ns.risk(model, "cv", k=3, random_state=1))
    assert len(seen) == 3
    for part, groups in seen:
        assert not set(part.design.groups) & set(groups[part.held])


def test_windows_need_clusters_that_stand_together():
    with pytest.raises(ArgumentError, match="sort the rows by groups"):
        ns.neuralnet("y ~ lags(t, 2)", DATA, validation=0.3, groups="g", **EPOCHS)
    ordered = DATA.sort_values("g").reset_index(drop=True)
    fit = ns.neuralnet("y ~ lags(t, 2)", ordered, validation=0.3, groups="g", **EPOCHS)
    assert fit.fitted.procedure.validation is not None


def test_data_in_parts_need_clusters_that_stand_together():
    with pytest.raises(DataError, match="sort the rows by groups"):
        ns.neuralnet("y ~ x", ns.chunks([DATA[:40], DATA[40:]]), validation=0.3, groups="g", **EPOCHS)
    ordered = DATA.sort_values("g").reset_index(drop=True)
    fit = ns.neuralnet("y ~ x", ns.chunks([ordered[:40], ordered[40:]]), validation=0.3, groups="g", **EPOCHS)
    whole = ns.neuralnet("y ~ x", ordered, validation=0.3, groups="g", **EPOCHS)
    np.testing.assert_allclose(fit.params, whole.params)


def test_continued_fits_keep_their_groups():
    fit = ns.neuralnet("y ~ x", DATA, groups="g", **EPOCHS)
    assert fit.update(epochs=5).fitted.design.n_groups == len(SIZES)
    with pytest.raises(ArgumentError, match="groups belongs to the model"):
        fit.update(groups="x")
