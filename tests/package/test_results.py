"""What a fit returns: predictions, repetitions, original units, reproducibility, interruption, special
cases."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import textwrap
import warnings

import fits
import numpy as np
import pandas as pd
import pytest
import raw
import reference as r

import neuralstat as ns
from neuralstat.errors import ArgumentError, ConvergenceWarning, DataError, SingularHessianWarning

quiet = functools.partial(fits.quiet, random_state=1, standardize=True)


def frame(n=60, seed=3):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {"x": rng.normal(10, 3, n), "z": rng.uniform(-200, 100, n), "g": rng.choice(list("abc"), n)}
    )
    data["y"] = 50 + 20 * np.sin(data["x"] / 3) + data["z"] / 20 + rng.normal(0, 1, n)
    data["y2"] = data["x"] - data["z"] / 50
    data["b"] = (rng.uniform(size=n) < 1 / (1 + np.exp(10 - data["x"]))).astype(int)
    data["w"] = rng.integers(1, 4, n)
    data["e"] = rng.normal(size=n)
    return data


@pytest.fixture(scope="module")
def data():
    return frame()


@pytest.fixture(scope="module")
def fit(data):
    """Four repetitions, of which some converge."""
    return quiet("y ~ x + z + g", data, hidden=2, rep=4, threshold=0.05, stepmax=130)


# prediction -----------------------------------------------------------------------------------------------


def test_columns_are_matched_by_name(fit, data):
    shuffled = data[["y", "g", "e", "z", "x"]]
    pd.testing.assert_series_equal(fit.predict(shuffled), fit.predict(data))
    pd.testing.assert_series_equal(fit.predict(data.drop(columns="y")), fit.fittedvalues)


@pytest.mark.parametrize(
    "index", [["a", "b", "a"], [5, 5, 5], [2.5, 1.5, 0.5], pd.date_range("2020-01-01", periods=3)]
)
def test_index_is_kept(fit, data, index):
    new = data.iloc[:3].set_axis(index, axis=0)
    for result in (fit.predict(new), fit.predict(new, rep="all"), fit.compute(new).net_result):
        pd.testing.assert_index_equal(result.index, new.index)
    np.testing.assert_allclose(fit.predict(new), fit.predict(data.iloc[:3]), rtol=1e-15)


def test_index_of_the_fit_is_kept(data):
    labelled = data.set_axis([f"row{k}" for k in range(len(data))], axis=0)
    fit = quiet("y ~ x", labelled, stepmax=20)
    for result in (fit.fittedvalues, fit.resid, fit.net_result[0], fit.generalized_weights[0]):
        pd.testing.assert_index_equal(result.index, labelled.index)


def test_repetitions(fit, data):
    everything = fit.predict(data, rep="all")
    assert list(everything.columns) == [1, 2, 3, 4]
    for number in range(1, 5):
        np.testing.assert_array_equal(fit.predict(data, rep=number), everything[number])
    pd.testing.assert_series_equal(fit.predict(data, rep="best"), fit.predict(data, rep=fit.best))
    good = [k + 1 for k in np.flatnonzero(fit.fit.converged)]
    assert 0 < len(good) < 4  # so that the mean leaves some out
    np.testing.assert_allclose(fit.predict(data), everything[good].mean(axis=1), rtol=1e-14)
    assert fit.best in good
    assert fit.errors[fit.best - 1] == fit.errors[fit.fit.converged].min()


def test_mean_where_none_converged(data):
    fit = quiet("y ~ x", data, rep=2, stepmax=3)
    with pytest.warns(ConvergenceWarning, match="averages over all"):
        mean = fit.predict(data)
    np.testing.assert_allclose(mean, fit.predict(data, rep="all").mean(axis=1), rtol=1e-14)
    assert fit.best == int(np.argmin(fit.errors)) + 1


def test_rows_with_missing_values(fit, data):
    new = data.iloc[:5].copy()
    new.iloc[1, new.columns.get_loc("x")] = np.nan
    new.iloc[3, new.columns.get_loc("g")] = None
    values = fit.predict(new)
    assert values.isna().tolist() == [False, True, False, True, False]
    complete = fit.predict(data.iloc[:5])
    np.testing.assert_array_equal(values.dropna(), complete[values.notna()])
    for layer in fit.predict(new, rep=1, type="units"):
        assert layer.isna().all(axis=1).tolist() == [False, True, False, True, False]
    assert fit.compute(new).net_result.isna().iloc[:, 0].tolist() == [False, True, False, True, False]


def test_several_outputs(data):
    fit = quiet("y + y2 ~ x + z", data, hidden=2, rep=2, threshold=0.5, stepmax=500)
    assert list(fit.predict(data).columns) == ["y", "y2"]
    everything = fit.predict(data, rep="all")
    assert everything.columns.tolist() == [(1, "y"), (1, "y2"), (2, "y"), (2, "y2")]
    np.testing.assert_array_equal(everything[2], fit.predict(data, rep=2))
    assert fit.resid.shape == (len(data), 2)
    assert list(fit.generalized_weights[0].columns) == ["y:x", "y:z", "y2:x", "y2:z"]


def test_factor_response(data):
    fit = quiet("g ~ x + z", data, family="multinomial", hidden=1, threshold=0.2, stepmax=2000)
    shares = fit.predict(data)
    assert list(shares.columns) == ["a", "b", "c"]
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    classes = fit.predict(data, type="class")
    assert list(classes.cat.categories) == ["a", "b", "c"]
    assert (classes.astype(str) == shares.idxmax(axis=1)).all()
    new = data.iloc[:2].assign(x=[1.0, np.nan])
    assert fit.predict(new, type="class").isna().tolist() == [False, True]
    link = fit.predict(data, type="link", rep=1)
    np.testing.assert_allclose(
        np.exp(link).div(np.exp(link).sum(axis=1), axis=0), fit.predict(data, rep=1), rtol=1e-10
    )


def test_types(data):
    fit = quiet("b ~ x", data, family="binomial", hidden=1, threshold=0.05, stepmax=3000)
    p, eta = fit.predict(data), fit.predict(data, type="link")
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-eta)), rtol=1e-12)
    assert (fit.predict(data, type="class") == (p > 0.5).astype(int)).all()
    units = fit.predict(data, type="units", rep="best")
    assert [u.shape[1] for u in units] == [1, 1, 1]
    np.testing.assert_allclose(units[0]["x"], data["x"], rtol=1e-12)
    np.testing.assert_allclose(units[-1]["b"], p, rtol=1e-14)


def test_units_by_hand(data):
    fit = quiet("y ~ x + z", data, hidden=(3, 2), stepmax=30)
    a = data[["x", "z"]].to_numpy()
    for k, w in enumerate(fit.weights[0]):
        z = np.column_stack([np.ones(len(data)), a]) @ w
        a = z if k == 2 else 1 / (1 + np.exp(-z))
        np.testing.assert_allclose(fit.predict(data, rep=1, type="units")[k + 1], a, rtol=1e-9)
        assert fit.compute(data).neurons[k][:, 0].tolist() == [1.0] * len(data)
    np.testing.assert_allclose(fit.compute(data).net_result, a, rtol=1e-9)


# case weights, offsets, missing values --------------------------------------------------------------------


def test_weights_are_repetitions_of_rows(data):
    options = {"hidden": 2, "standardize": False, "threshold": 5.0, "stepmax": 300, "random_state": 2}
    weighted = quiet("b ~ x + e", data, weights="w", **options, family="binomial")
    repeated = quiet("b ~ x + e", data.loc[data.index.repeat(data["w"])], **options, family="binomial")
    assert weighted.fit.steps[0] == repeated.fit.steps[0]
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-7)
    np.testing.assert_allclose(weighted.errors, repeated.errors, rtol=1e-10)
    array = quiet("b ~ x + e", data, weights=data["w"].to_numpy(), **options, family="binomial")
    np.testing.assert_array_equal(array.theta, weighted.theta)


def test_offset_is_subtracted_from_a_linear_output(data):
    options = {"hidden": 1, "threshold": 0.05, "random_state": 2, "standardize": False}
    small = data.assign(s=data["e"] * 2 + np.sin(data["x"]), d=lambda f: f["s"] - f["e"])
    with_offset = quiet("s ~ x + offset(e)", small, **options)
    without = quiet("d ~ x", small, **options)
    assert with_offset.fit.steps[0] == without.fit.steps[0]
    np.testing.assert_allclose(with_offset.theta, without.theta, rtol=1e-8)
    np.testing.assert_allclose(with_offset.predict(small), without.predict(small) + small["e"], rtol=1e-8)
    by_name = quiet("s ~ x", small, offset="e", **options)
    np.testing.assert_allclose(by_name.theta, with_offset.theta, rtol=1e-12)
    by_array = quiet("s ~ x", small, offset=small["e"].to_numpy(), **options)
    np.testing.assert_allclose(
        by_array.predict(small, offset=small["e"]), with_offset.predict(small), rtol=1e-12
    )
    with pytest.raises((ArgumentError, DataError), match="offset"):
        by_array.predict(small)


def test_missing(data):
    holes = data.copy()
    holes.loc[[3, 7], "x"] = np.nan
    holes.loc[11, "y"] = np.nan
    fit = quiet("y ~ x + z", holes, stepmax=20)
    assert fit.nobs == len(data) - 3
    assert fit.fittedvalues.index[fit.fittedvalues.isna()].tolist() == [3, 7, 11]
    assert fit.resid.isna().sum() == 3
    assert len(fit.net_result[0]) == fit.nobs
    with pytest.raises(DataError, match=r"missing.*'x'|'x'.*missing"):
        quiet("y ~ x + z", holes, missing="raise")


# original units -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["y ~ x + z", "y + y2 ~ x + z", "y ~ x + g"])
@pytest.mark.parametrize("hidden", [0, 2])
def test_standardized_models_report_original_units(data, formula, hidden):
    fit = quiet(formula, data, hidden=hidden, stepmax=60, rep=2)
    names = list(fit.design.y_names)
    x = fit.predict(data, rep=1, type="units")[0].to_numpy()
    y = data[names].to_numpy()
    for b in range(2):
        a, d = np.column_stack([np.ones(len(x)), x]), np.eye(x.shape[1])[None]
        for k, w in enumerate(fit.weights[b]):
            z, d = a @ w, d @ w[1:]
            if k < len(fit.weights[b]) - 1:
                z = 1 / (1 + np.exp(-z))
                d = d * (z * (1 - z))[:, None, :]
            a = np.column_stack([np.ones(len(x)), z])
        np.testing.assert_allclose(fit.net_result[b], z, rtol=1e-9)
        np.testing.assert_allclose(fit.predict(data, rep=b + 1).to_numpy().reshape(z.shape), z, rtol=1e-9)
        assert fit.errors[b] == pytest.approx(np.sum((y - z) ** 2) / 2, rel=1e-9)
        assert fit.result_matrix.loc["error", b + 1] == fit.errors[b]
        d = np.broadcast_to(d, (len(x), *d.shape[1:]))
        gw = d.transpose(0, 2, 1).reshape(len(x), -1)  # all covariates of output 1, then of output 2
        np.testing.assert_allclose(fit.generalized_weights[b], gw, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(r.flat(fit.weights[0]), fit.result_matrix[1].to_numpy()[3:], rtol=0)


def test_standardized_intervals_of_a_linear_model(data):
    """Sandwich standard errors do not depend on the units in which the fit was found."""
    plain = quiet("y2 ~ x + e", data, hidden=0, standardize=False, threshold=1e-6)
    scaled = quiet("y2 ~ x + e", data, hidden=0, threshold=1e-9)
    one, other = plain.confidence_interval(), scaled.confidence_interval()
    np.testing.assert_allclose(r.flat(one.lower_ci[0]), r.flat(other.lower_ci[0]), rtol=1e-5)
    np.testing.assert_allclose(r.flat(one.upper_ci[0]), r.flat(other.upper_ci[0]), rtol=1e-5)


# reproducibility ------------------------------------------------------------------------------------------


def test_random_state(data):
    few, many = (quiet("y ~ x + z", data, hidden=2, rep=n, stepmax=30, random_state=7) for n in (2, 5))
    np.testing.assert_array_equal(few.fit.theta, many.fit.theta[:2])
    np.testing.assert_array_equal(few.fit.start, many.fit.start[:2])
    assert len({row.tobytes() for row in many.fit.start}) == 5
    threads = [
        quiet("y ~ x + z", data, hidden=2, rep=5, stepmax=30, random_state=7, n_jobs=n) for n in (1, 2)
    ]
    for fit in threads:
        np.testing.assert_array_equal(fit.fit.theta, many.fit.theta)
    sequence = quiet("y ~ x + z", data, hidden=2, rep=2, stepmax=30, random_state=np.random.SeedSequence(7))
    np.testing.assert_array_equal(sequence.fit.theta, few.fit.theta)


def test_random_state_of_a_sequence_is_not_used_up(data):
    seeds = np.random.SeedSequence(11)
    one, other = (quiet("y ~ x", data, stepmax=5, random_state=seeds) for _ in range(2))
    np.testing.assert_array_equal(one.fit.start, other.fit.start)


def test_random_state_generator(data):
    a, b = np.random.default_rng(5), np.random.default_rng(5)
    first, same = (quiet("y ~ x", data, stepmax=5, random_state=g) for g in (a, b))
    np.testing.assert_array_equal(first.fit.start, same.fit.start)
    assert not np.array_equal(quiet("y ~ x", data, stepmax=5, random_state=a).fit.start, first.fit.start)


def test_entropy_is_kept_for_repeating(data):
    first = quiet("y ~ x", data, stepmax=5, random_state=None)
    again = quiet("y ~ x", data, stepmax=5, random_state=first.seeds)
    np.testing.assert_array_equal(again.fit.theta, first.fit.theta)


def test_float32(data):
    options = {"hidden": 2, "threshold": 0.5, "random_state": 3}
    single, double = (quiet("y ~ x + z", data, dtype=d, **options) for d in ("float32", "float64"))
    assert single.fit.theta.dtype == np.float32
    assert single.converged
    assert single.errors[0] == pytest.approx(double.errors[0], rel=0.2)
    by_hand = np.sum((data["y"] - single.predict(data)) ** 2) / 2
    assert single.errors[0] == pytest.approx(by_hand, rel=1e-4)


# start weights and held weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
def test_round_trips_of_weights(data, standardize):
    options = {"hidden": (3, 2), "rep": 2, "stepmax": 40, "standardize": standardize}
    first = quiet("y ~ x + z", data, **options)
    again = quiet("y ~ x + z", data, startweights=first.startweights, **options)
    np.testing.assert_allclose(again.fit.theta, first.fit.theta, rtol=1e-6 if standardize else 0)
    goes_on = quiet("y ~ x + z", data, startweights=first.weights, **options)
    np.testing.assert_allclose(r.flat(goes_on.startweights[1]), r.flat(first.weights[1]), rtol=1e-9)
    assert (goes_on.errors < first.errors).all()
    one = quiet("y ~ x + z", data, startweights=first.weights[1], **{**options, "rep": 1})
    np.testing.assert_array_equal(one.fit.theta[0], goes_on.fit.theta[1])
    flat = quiet("y ~ x + z", data, startweights=r.flat(first.weights[1]), **{**options, "rep": 1})
    np.testing.assert_array_equal(flat.fit.theta, one.fit.theta)


def test_round_trip_with_held_weights(data):
    options = {
        "hidden": 2,
        "standardize": False,
        "exclude": [2, 9],
        "constant_weights": [0, 0.5],
        "stepmax": 20,
    }
    first = quiet("b ~ x + e", data, **options)
    again = quiet("b ~ x + e", data, startweights=first.weights, **options)
    np.testing.assert_array_equal(again.fit.start, first.fit.theta)


def test_some_starts_given_others_random(data):
    start = np.linspace(-1, 1, 5)
    given = quiet("y ~ x + z", data, rep=3, startweights=start, stepmax=2, standardize=False)
    random = quiet("y ~ x + z", data, rep=3, stepmax=2, standardize=False)
    np.testing.assert_array_equal(given.fit.start[0], start)
    np.testing.assert_array_equal(given.fit.start[1:], random.fit.start[1:])


def test_exclude_in_four_forms(data):
    names = ["x.to.1layhid2", "1layhid1.to.y"]
    masks = [np.zeros((3, 2), bool), np.zeros((3, 1), bool)]
    masks[0][1, 1] = masks[1][1, 0] = True
    forms = {"rows": [[1, 2, 2], [2, 2, 1]], "positions": [5, 8], "names": names, "masks": masks}
    options = {"hidden": 2, "stepmax": 40, "standardize": False, "constant_weights": [0.25, -2]}
    fits = {key: quiet("y ~ x + z", data, exclude=form, **options) for key, form in forms.items()}
    for fit in fits.values():
        np.testing.assert_array_equal(fit.fit.theta, fits["rows"].fit.theta)
        assert fit.params[names].tolist() == [0.25, -2]
        assert fit.k_params == 7


def test_held_weights_do_not_move(data):
    fit = quiet("y ~ x + z", data, hidden=2, rep=3, stepmax=200, standardize=False, exclude=[1, 5, 9],
                constant_weights=[3.5])  # fmt: skip
    np.testing.assert_array_equal(fit.theta[:, [0, 4, 8]], np.tile([3.5, 0, 0], (3, 1)))
    assert (fit.gradients[:, [0, 4, 8]] == 0).all()
    shown = r.flat(fit.weights[0])
    assert shown[0] == 3.5 and np.isnan(shown[[4, 8]]).all()


# interruption ---------------------------------------------------------------------------------------------

INTERRUPTED = """
    import os, signal, threading, time, warnings
    import neuralstat as ns
    data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
    warnings.simplefilter("ignore")
    plain = {"hidden": (3, 2), "standardize": False, "algorithm": "rprop+", "random_state": 1}
    ns.neuralnet("y ~ x", data, stepmax=10, rep=2, **plain)  # compiled now
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.perf_counter()
    fit = ns.neuralnet("y ~ x", data, threshold=1e-12, stepmax=10**9, rep=3, **plain)
    took = time.perf_counter() - began
    assert took < 20, took
    assert set(fit.reps["status"]) == {"interrupted"}, fit.reps["status"]
    assert (fit.fit.steps[:1] > 10).all(), fit.fit.steps
    assert fit.predict(rep=1).notna().all()
    print("ok")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals as on POSIX")
def test_ctrl_c_returns_what_there_is():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "ok", done.stderr


def test_interrupt_in_progress_report(data, monkeypatch):
    """KeyboardInterrupt while progress is shown: unfinished repetitions are flagged, finished ones kept."""
    from neuralstat.training import progress

    def press(self, stack):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Lifesign, "watch", property(lambda self: lambda stack: press(self, stack)))
    fit = quiet("y ~ x + z", data, hidden=2, rep=2, threshold=1e-13, stepmax=10**9)
    assert set(fit.reps["status"]) == {"interrupted"}
    assert np.isfinite(fit.theta).all()


# special cases --------------------------------------------------------------------------------------------


def test_no_hidden_layer_is_least_squares(data):
    fit = quiet("y ~ x + z + g", data, hidden=0, threshold=1e-9)
    dummies = pd.get_dummies(data["g"])[["b", "c"]].to_numpy(float)
    x = np.column_stack([np.ones(len(data)), data["x"], data["z"], dummies])
    beta, rss = np.linalg.lstsq(x, data["y"], rcond=None)[:2]
    np.testing.assert_allclose(fit.params, beta, rtol=1e-7)
    assert fit.errors[0] == pytest.approx(rss[0] / 2, rel=1e-12)


@pytest.mark.parametrize("how", [{"err_fct": "ce", "linear_output": False}, {"family": "binomial"}])
def test_no_hidden_layer_is_logistic_regression(data, how):
    import statsmodels.api as sm

    fit = quiet("b ~ x + e", data, hidden=0, threshold=1e-9, **how)
    logit = sm.Logit(data["b"], sm.add_constant(data[["x", "e"]])).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(fit.params, logit.params, rtol=1e-7)
    assert fit.errors[0] == pytest.approx(-logit.llf, rel=1e-12)
    np.testing.assert_allclose(
        fit.generalized_weights[0], np.tile(logit.params[1:], (len(data), 1)), rtol=1e-7
    )
    robust = sm.Logit(data["b"], sm.add_constant(data[["x", "e"]])).fit(disp=0, tol=1e-12, cov_type="HC0")
    result = fit.confidence_interval()
    half = (r.flat(result.upper_ci[0]) - r.flat(result.lower_ci[0])) / 2
    np.testing.assert_allclose(half, 1.959963984540054 * robust.bse, rtol=1e-6)


def test_from_arrays_equals_formula(data):
    formula = quiet("y ~ x + z", data, hidden=2, stepmax=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = raw.NeuralNet(
            data["y"], data[["x", "z"]], hidden=2, stepmax=50, standardize=True, random_state=1
        )
        arrays = model.fit()
        plain = raw.NeuralNet(data["y"].to_numpy(), data[["x", "z"]].to_numpy()).fit(
            hidden=2, stepmax=50, standardize=True, random_state=1
        )
    np.testing.assert_array_equal(arrays.fit.theta, formula.fit.theta)
    np.testing.assert_array_equal(plain.fit.theta, formula.fit.theta)
    np.testing.assert_array_equal(plain.predict(data[["x", "z"]].to_numpy()), formula.predict(data))


@raw.CUT_SHORT
def test_warning_of_unconverged_repetitions(data):
    with pytest.warns(
        ConvergenceWarning, match=r"did not converge in 2 of 2 repetition\(s\) within the stepmax"
    ) as seen:
        ns.neuralnet("y ~ x", data, **{**raw.RAW, "rep": 2}, stepmax=3, random_state=1)
    assert 'Try algorithm="lm" or "lbfgs"' in str(seen[0].message)
    assert ".to." in str(seen[0].message)  # the weight with the largest derivative
    assert seen[0].filename == __file__


def test_singular_hessian_is_warned_about(data):
    fit = quiet("y ~ x + x2", data.assign(x2=data["x"] * 2), hidden=0, threshold=1e-4)
    with pytest.warns(SingularHessianWarning, match="rank 2 for 3 weights"):
        fit.confidence_interval()
