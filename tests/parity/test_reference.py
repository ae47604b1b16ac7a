"""Fits, predictions and inference against R's neuralnet, case by case (tests/reference/neuralnet/README.md).

``compat="R"`` reproduces every exact case; ``compat=None`` every one where R is right, some with arguments
said in our way (`TRANSLATED`), a few are refused (`REFUSED`).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import raw
import reference as r

import neuralstat as ns
from neuralstat.df.information import information
from neuralstat.engine.data import make_data
from neuralstat.errors import ArgumentError, DataError, SingularHessianWarning
from neuralstat.inference import rintervals
from neuralstat.network import derivatives
from neuralstat.network.exclude import fixed_weights
from neuralstat.network.start import start_weights
from neuralstat.seeds import seed_sequence
from neuralstat.training.settings import ALGORITHMS
from neuralstat.training.train import Algorithm, train

# Where R's behaviour is another one, what gives R's numbers without compat="R".
TRANSLATED = {
    "matrix_const_order": {"exclude": [[1, 1, 2], [2, 2, 1]]},
    "h22_backprop": {"exclude": [[2, 3, 1], [2, 2, 2], [3, 1, 1]]},
    "const_without_exclude": {"constant_weights": None},
    "education_linear_output": {"data": "strings"},
}
# Refused without compat="R": the argument that the message names.
REFUSED = {
    "tanh_tanh_out_ce_nan": "err_fct",
    "ce_logistic_hidden_tanh_out_quirk": "err_fct",
    "ce_linear_output": "err_fct",
}
EXACT = r.cases("exact")


def label(case):
    return f"{case.theme}-{case.name}"


def fit_of(case, compat):
    """The fit of a case; None where it is refused."""
    if compat is None and case.name in REFUSED:
        return None
    changes = dict(TRANSLATED.get(case.name, {})) if compat is None else {}
    if changes.get("data") == "strings":
        changes["data"] = case.data().astype({"education": str})
    return case.fit(compat, **changes)


def both(where=lambda case: True, cases=EXACT):
    """Parameters (case, compat) for both values of compat."""
    chosen = [c for c in cases if where(c)]
    return pytest.mark.parametrize(
        ("case", "compat"),
        [pytest.param(c, k, id=f"{label(c)}-{k}") for c in chosen for k in ("R", None)
         if not (k is None and c.name in REFUSED)],
    )  # fmt: skip


def matrices(stored):
    return [r.array(m) for m in stored]


def test_there_are_cases():
    assert len(EXACT) == 132
    assert len(r.cases("behaviour")) > 25


@both()
def test_training(case, compat):
    fit, expected, tolerance = fit_of(case, compat), case.expected, case.tolerance
    assert fit.fit.converged.tolist() == expected["converged"]
    assert list(fit.design.x_names) == expected["variables"]
    assert list(fit.design.y_names) == expected["responses"]
    assert fit.nobs == expected["n_obs"]
    for rep in case.repetitions():
        b = rep["rep"] - 1
        assert fit.fit.steps[b] == rep["steps"]
        if not (compat is None and case.name.startswith("saturated")):  # see test_saturated_outputs
            r.assert_close(fit.errors[b], r.number(rep["error"]), tolerance["error"], "error")
        weights = matrices(rep["weights"])
        assert [m.shape for m in fit.weights[b]] == [m.shape for m in weights]
        r.assert_close(r.flat(fit.weights[b]), r.flat(weights), tolerance["weights"], "weights")
        r.assert_close(
            r.flat(fit.startweights[b]), r.flat(matrices(rep["startweights"])), 1e-15, "startweights"
        )
        r.assert_close(fit.net_result[b], r.array(rep["net.result"]), tolerance["net.result"], "net_result")
        r.assert_close(
            fit.fit.reached[b], rep["reached.threshold"], tolerance["reached.threshold"], "reached"
        )


@both()
def test_result_matrix(case, compat):
    fit, expected = fit_of(case, compat), case.expected
    table = fit.result_matrix
    assert list(table.index) == expected["result.matrix.rownames"]
    converged = [rep["rep"] for rep in case.repetitions()]
    assert table.shape[1] == (expected["result.matrix.ncol"] if compat == "R" else len(expected["converged"]))
    assert set(converged) <= set(table.columns)
    for rep in case.repetitions():
        column = table[rep["rep"]]
        assert column["steps"] == rep["steps"]
        stored = r.array(rep["weights.result.matrix"])
        r.assert_close(column[-stored.size :], stored, case.tolerance["weights"], "weights")
        for name in ("aic", "bic"):
            if rep.get(name) is not None and not (compat is None and case.name.startswith("saturated")):
                r.assert_close(column[name], rep[name], case.tolerance["error"], name)


@both()
def test_generalized_weights(case, compat):
    """R's definition: the component with compat="R", ``slopes(scale="R")`` always."""
    fit = fit_of(case, compat)
    for rep in case.repetitions():
        stored = r.array(rep["generalized.weights"])
        frames = [fit.slopes(rep["rep"], "R")]
        if compat == "R":
            frames.append(fit.generalized_weights[rep["rep"] - 1])
        for frame in frames:
            r.assert_close(frame, stored, case.tolerance["generalized.weights"], "generalized weights")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(c, id=label(c))
        for c in EXACT
        if c.raw["args"]["err.fct"] == "ce" and c.name not in REFUSED
    ],
)
def test_generalized_weights_are_log_odds_slopes(case):
    """Under a cross-entropy error ours are R's, where R's are numbers."""
    fit = fit_of(case, None)
    for rep in case.repetitions():
        stored = r.array(rep["generalized.weights"])
        ours = fit.generalized_weights[rep["rep"] - 1].to_numpy()
        assert np.all(np.isfinite(ours))
        known = np.isfinite(stored)
        if known.any():
            o = fit.net_result[rep["rep"] - 1].to_numpy()
            digits = 1e-15 / np.min(
                np.where((o > 0) & (o < 1), np.minimum(o, 1 - o), 1.0)
            )  # lost in R's 1 - o
            tolerance = max(case.tolerance["generalized.weights"], 10 * digits)
            np.testing.assert_allclose(
                ours[known], stored[known], rtol=0, atol=tolerance * np.abs(stored[known]).max()
            )


def by_name(case):
    """Whether the stored predictions of new data are by name."""
    stored = case.expected.get("predict") or {}
    names, variables = list(stored.get("newdata", {}).get("columns", ())), case.expected["variables"]
    return set(variables) <= set(names) and (len(names) != len(variables) or names == variables)


@pytest.mark.parametrize(
    ("case", "compat"),
    [pytest.param(c, k, id=f"{label(c)}-{k}") for c in EXACT for k in ("R", None)
     if c.expected.get("predict") and (k == "R" or (by_name(c) and c.name not in REFUSED))],
)  # fmt: skip
def test_predict(case, compat):
    fit, stored = fit_of(case, compat), case.expected["predict"]
    new = r.table(stored["newdata"])
    new.index = [f"row {i}" for i in range(len(new))]
    for rep in stored["per_rep"]:
        values = fit.predict(new, rep=rep["rep"])
        assert values.index.equals(new.index)
        desired = r.array(rep["result"])
        r.assert_close(
            values.to_numpy().reshape(desired.shape), desired, case.tolerance["net.result"], "predict"
        )
        units = fit.predict(new, rep=rep["rep"], type="units")
        assert len(units) == len(rep["all.units"])
        for ours, theirs in zip(units, rep["all.units"], strict=True):
            theirs = r.array(theirs)
            complete = np.isfinite(theirs).all(axis=1)  # R keeps what it can of the others
            r.assert_close(ours[complete], theirs[complete], case.tolerance["net.result"], "units")


def test_predict_missing_covariates():
    case = r.case("predict", "missing_values")
    stored = case.expected["predict"]
    for compat in ("R", None):
        values = case.fit(compat).predict(r.table(stored["newdata"]))
        desired = r.array(stored["per_rep"][0]["result"])[:, 0]
        assert np.isnan(desired).any()
        np.testing.assert_array_equal(np.isnan(values), np.isnan(desired))


def test_predict_by_name_where_r_goes_by_position():
    case = r.case("predict", "newdata_by_position_quirk")
    new = r.table(case.expected["predict"]["newdata"])
    assert list(new) == ["x2", "x1"]
    ours, theirs = case.fit().predict(new), case.fit("R").predict(new)
    np.testing.assert_allclose(ours, case.fit().predict(new[["x1", "x2"]]), rtol=1e-15)
    np.testing.assert_allclose(theirs, case.fit().predict(new.set_axis(["x1", "x2"], axis=1)), rtol=1e-12)
    other = r.case("architectures", "reg3_order")
    assert other.fit().predict(r.table(other.expected["predict"]["newdata"])).notna().all()
    with pytest.raises(DataError, match="z"):
        r.case("quirks", "prediction_duplicates_quirk").fit().predict(pd.DataFrame({"x": [1.0]}))


@both(lambda c: c.expected.get("compute"))
def test_compute(case, compat):
    stored = case.expected["compute"]
    new = r.table(case.expected["predict"]["newdata"])
    result = fit_of(case, compat).compute(new, rep=stored["rep"])
    assert len(result.neurons) == len(stored["neurons"])
    for ours, theirs in zip(result.neurons, stored["neurons"], strict=True):
        r.assert_close(ours, r.array(theirs), case.tolerance["net.result"], "neurons")
    r.assert_close(
        result.net_result, r.array(stored["net.result"]), case.tolerance["net.result"], "net_result"
    )


@both(lambda c: c.expected.get("prediction"))
def test_prediction(case, compat):
    """R's group means are wrong (Q11): with compat="R" the same, else the means of all rows of a group."""
    fit, stored = fit_of(case, compat), case.expected["prediction"]
    if stored["stops"] and compat == "R":
        with pytest.raises(DataError, match="R stops"):
            fit.prediction()
        return
    tables = fit.prediction()
    for name, theirs in stored.get("tables", {}).items():
        assert list(tables[name].columns) == theirs["columns"]
        desired = r.array(theirs["matrix"])
        if name == "data" and compat is None:
            variables, responses = case.expected["variables"], case.expected["responses"]
            data = case.data()
            for row in tables["data"].to_numpy():
                members = np.all(data[variables].to_numpy() == row[: len(variables)], axis=1)
                np.testing.assert_allclose(
                    row[len(variables) :], data.loc[members, responses].mean(), rtol=1e-13
                )
            desired, ours = desired[:, : len(variables)], tables[name].to_numpy()[:, : len(variables)]
        else:
            ours = tables[name].to_numpy()
        r.assert_close(ours, desired, case.tolerance["net.result"], name)
    if stored["stops"]:
        assert list(tables) == ["rep1", "data"]


@both(lambda c: c.expected.get("response.matrix"))
def test_response_matrix(case, compat):
    r.assert_close(fit_of(case, compat).design.y.T, r.array(case.expected["response.matrix"]), 1e-15)


# inference ------------------------------------------------------------------------------------------------


INFERENCE = [c for c in EXACT if c.expected.get("confidence.interval")]


@pytest.mark.parametrize("case", [pytest.param(c, id=label(c)) for c in INFERENCE])
def test_intervals_as_r(case):
    """R's intervals, with its mistakes, for compat="R"; for sse what R's code gives if it does not stop."""
    fit = case.fit("R")
    for stored in case.expected["confidence.interval"]:
        found = stored["as_is"]
        if found["stops"]:
            found = stored.get("with_matrix_second_derivative", found)
        if case.name in ("two_hidden_layers_stop", "relu_stop"):  # R stops; we do not
            ours, right = r.intervals(fit, stored["alpha"]), r.intervals(case.fit(), stored["alpha"])
            np.testing.assert_allclose(r.flat(ours.upper_ci[0]), r.flat(right.upper_ci[0]), rtol=1e-6)
            continue
        if case.name == "exclude_vector_zero":
            with pytest.warns(SingularHessianWarning, match="held at 0"):
                result = fit.confidence_interval(stored["alpha"])
            assert result.nic.isna().all()
            assert np.isnan(r.flat(result.lower_ci[0])).all()
            continue
        result = fit.confidence_interval(stored["alpha"])
        for k, rep in enumerate(case.repetitions()):
            b = rep["rep"] - 1
            a, outer = rintervals.r_information(fit.fitted, b)
            r.assert_close(a, r.array(found["A"][k]), 1e-8, "A")
            r.assert_close(outer, r.array(found["B"][k]), 1e-8, "B")
            lower, upper = r.flat(matrices(found["lower.ci"][k])), r.flat(matrices(found["upper.ci"][k]))
            bounds = np.concatenate([r.flat(result.lower_ci[b]), r.flat(result.upper_ci[b])])
            r.assert_close(bounds, np.concatenate([lower, upper]), case.tolerance["ci"], "ci")
            r.assert_close(result.nic.iloc[b], found["nic"][k], case.tolerance["nic"], "nic")


@pytest.mark.parametrize("case", [pytest.param(c, id=label(c)) for c in INFERENCE])
def test_intervals_where_r_is_right(case):
    """Ours equal R's wherever R's A and B are the Hessian and the outer products of the gradients."""
    correct = case.expected.get("corrected_inference")
    for stored in case.expected["confidence.interval"]:
        found = (
            stored["as_is"]
            if not stored["as_is"]["stops"]
            else stored.get("with_matrix_second_derivative", {})
        )
        if not found.get("A") or not correct or stored["alpha"] != correct["alpha"]:
            continue
        result = r.intervals(case.fit(), stored["alpha"])
        for k, rep in enumerate(correct["per_rep"]):
            a, outer = r.array(found["A"][k]), r.array(found["B"][k])
            same = a.shape == r.array(rep["A"]).shape and all(
                np.abs(one - other).max() <= 1e-8 * np.abs(other).max()
                for one, other in ((a, r.array(rep["A"])), (outer, r.array(rep["B"])))
            )
            if same:
                half = (r.flat(matrices(found["upper.ci"][k])) - r.flat(matrices(found["lower.ci"][k]))) / 2
                ours = (r.flat(result.upper_ci[k]) - r.flat(result.lower_ci[k])) / 2
                r.assert_close(ours, half, rep["tolerance_ci_halfwidth"], "half widths")


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=label(c)) for c in INFERENCE if c.expected.get("corrected_inference")]
)
def test_intervals_correct(case):
    fit, stored = case.fit(), case.expected["corrected_inference"]
    result = r.intervals(fit, stored["alpha"])
    for rep in stored["per_rep"]:
        b = rep["rep"] - 1
        a, outer = information(fit.fitted, b)
        r.assert_close(a, r.array(rep["A"]), 1e-8, "A")
        r.assert_close(outer, r.array(rep["B"]), 1e-8, "B")
        half = (r.flat(result.upper_ci[b]) - r.flat(result.lower_ci[b])) / 2
        desired = (r.flat(matrices(rep["upper.ci"])) - r.flat(matrices(rep["lower.ci"]))) / 2
        r.assert_close(half, desired, rep["tolerance_ci_halfwidth"], "half widths")
        r.assert_close(result.nic.iloc[b], rep["nic"], rep["tolerance_nic"], "nic")


@both(lambda c: c.expected.get("hessian.numeric"))
def test_hessian(case, compat):
    fit = fit_of(case, compat)
    free = fit.fit.free[0]
    for stored, rep in zip(case.expected["hessian.numeric"], case.repetitions(), strict=True):
        theta = fit.fit.theta[rep["rep"] - 1]
        ours = derivatives.hessian(fit.network, fit.data, theta)[np.ix_(free, free)]
        r.assert_close(ours, r.array(stored), 1e-8, "Hessian")


# behaviours -----------------------------------------------------------------------------------------------

# Where R stops and so do we: the kind of error, and the argument, column or value that the message names.
STOPS = {
    "backprop_without_learningrate": (ArgumentError, "learningrate"),
    "unknown_algorithm": (ArgumentError, "algorithm.*'adam'"),
    "unknown_err": (ArgumentError, "err_fct.*'mse'"),
    "hidden_contains_zero": (ArgumentError, "hidden contains a 0"),
    "learningrate_limit_length": (ArgumentError, "learningrate_limit"),
    "learningrate_factor_length": (ArgumentError, "learningrate_factor"),
    "ce_not_binary": (DataError, "'y' must be 0 or 1"),
    "exclude_position_too_large": (ArgumentError, "exclude.*1000"),
    "exclude_row_invalid": (ArgumentError, r"exclude: row \(1, 4, 1\)"),
    "exclude_matrix_two_columns": (ArgumentError, "exclude has 2 columns"),
    "exclude_all": (ArgumentError, "exclude holds all weights"),
    "constants_exceed_exclude": (ArgumentError, "constant_weights has 2 values"),
    "unknown_variable": (DataError, "nope"),
}
# Where R stops and we do not: what we do instead is tested below, by these names.
WORKS = (
    "saturated_ce_tanh_hidden_stops", "identity_output_stops", "unknown_act", "unknown_output_act",
    "exclude_vector_with_duplicates", "function_on_right_side", "interaction_on_right_side",
    "factor_covariate",
    "missing_response", "missing_covariate",
)  # fmt: skip
KEPT = ("nonconverged_all", "stepmax_one_less", "backprop_diverges_hidden", "backprop_diverges_h0")


def test_every_behaviour_is_covered():
    assert {c.name for c in r.cases("behaviour")} == {*STOPS, *WORKS, *KEPT}


@pytest.mark.parametrize("compat", ["R", None])
@pytest.mark.parametrize("name", STOPS)
def test_stops_with_a_sentence(name, compat):
    kind, words = STOPS[name]
    arguments = r.case("quirks", name).arguments()
    if name == "unknown_algorithm" and arguments["algorithm"] in ALGORITHMS:
        pytest.skip("R does not know this algorithm; here it exists")
    with pytest.raises(kind, match=words):
        r.case("quirks", name).fit(compat, random_state=1)


@pytest.mark.parametrize("name", WORKS)
def test_works_where_r_stops(name):
    case = r.case("quirks", name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        warnings.simplefilter("ignore", ns.errors.DataWarning)
        fit = case.fit(None, stepmax=2000, random_state=3)
    assert np.isfinite(fit.theta).all()
    assert np.isfinite(fit.predict(rep=1).dropna()).all()


@pytest.mark.parametrize("compat", ["R", None])
@pytest.mark.parametrize("name", KEPT)
def test_unconverged_repetitions_are_kept(name, compat):
    case = r.case("quirks", name)
    with pytest.warns(ns.errors.ConvergenceWarning, match=r"did not converge in (\d) of \1 repetition"):
        fit = raw.neuralnet(case.formula, case.data(), **case.arguments(), compat=compat)
    assert not fit.fit.converged.any()
    assert np.isfinite(fit.theta).all()
    assert len(fit.weights) == fit.nrep
    status = set(fit.reps["status"])
    assert status == ({"gradient not finite"} if name.startswith("backprop") else {"stepmax reached"})
    if compat is None:
        assert fit.result_matrix.shape[1] == fit.nrep


# trajectories ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compat", ["R", None])
@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in r.cases("exact", ("trajectory",))])
def test_trajectory(case, compat):
    """Weights, gradients and rates at every one of the first steps."""
    model = raw.NeuralNet.from_formula(case.formula, case.data(), **case.arguments(), compat=compat)
    network, settings = model.network(), model.settings
    free, constants = fixed_weights(network, settings.exclude, settings.constant_weights, compat)
    start = start_weights(network, 1, seed_sequence(1), free, constants, settings.startweights, compat)
    data = make_data(model.design.x, model.design.y)
    rate = np.nan if settings.learningrate is None else settings.learningrate
    algorithm = Algorithm(settings.algorithm, rate, settings.learningrate_limit, settings.learningrate_factor)
    for stored in case.expected["trajectory"]:
        stacks = []
        fit = train(network, data, start, free, algorithm, threshold=0.0, stepmax=stored["step"], n_jobs=1,
                    watch=stacks.append)  # fmt: skip
        assert fit.steps[0] == stored["step"]
        r.assert_close(fit.theta[0], r.array(stored["weights"]), case.tolerance["weights"], "weights")
        gradient = derivatives.gradient(network, data, fit.theta[0])[free]
        r.assert_close(gradient, r.array(stored["gradients"]), case.tolerance["gradients"], "gradients")
        if stored["learningrate_used_to_get_here"] is not None:
            rates = r.array(stored["learningrate_used_to_get_here"])
            r.assert_close(stacks[-1].rate[0][free], rates, case.tolerance["weights"], "rates")
