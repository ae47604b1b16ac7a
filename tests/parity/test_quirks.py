"""What R's neuralnet does in its odd corners, and what we do: the tests that docs/parity.md names."""

from __future__ import annotations

import ast
import functools
import re
import warnings

import fits
import numpy as np
import pandas as pd
import pytest
import raw
import reference as r
from places import ROOT

import neuralstat as ns
from neuralstat.df.information import information
from neuralstat.errors import (
    ArgumentError,
    DataError,
    DataWarning,
    NeuralStatWarning,
    SingularHessianWarning,
)
from neuralstat.inference import rintervals
from neuralstat.network import derivatives

quiet = functools.partial(fits.quiet, random_state=1)



def reg2():
    return r.table(r.load("quirks")["datasets"]["reg2"])


def bin2():
    return r.table(r.load("inference")["datasets"]["bin2"])


def test_q02_unconverged_repetitions_stay_in_their_place():
    case = r.case("quirks", "nonconverged_partial")
    ours, theirs = case.fit(), case.fit("R")
    assert ours.result_matrix.shape[1] == len(ours.weights) == len(ours.net_result) == 4
    assert list(theirs.result_matrix.columns) == [2, 3]
    assert ours.best == 2 + int(np.argmin(ours.errors[1:3]))
    np.testing.assert_allclose(ours.predict(), (ours.predict(rep=2) + ours.predict(rep=3)) / 2, rtol=1e-14)
    assert len(r.intervals(ours).lower_ci) == 4
    assert "rep4" in ours.prediction()


def test_q03_the_shortcut_only_where_it_is_the_derivative():
    case = r.case("errors_activations", "ce_logistic_hidden_tanh_out_quirk")
    theirs = case.fit("R")
    assert theirs.network.objective.name == "ce_r"
    with pytest.raises(ArgumentError, match="err_fct='ce' needs outputs between 0 and 1, but tanh"):
        case.fit()

    def cloglog(x):
        return 1 - np.exp(-np.exp(x))

    ours = quiet(
        "b ~ x1 + x2", bin2(), hidden=2, err_fct="ce", linear_output=False, output_act_fct=cloglog, stepmax=5
    )
    theta = ours.fit.theta[0]
    gradient = derivatives.gradient(ours.network, ours.fitted.data, theta)
    for j in range(theta.size):
        up, down = theta.copy(), theta.copy()
        up[j], down[j] = theta[j] + 1e-6, theta[j] - 1e-6
        difference = derivatives.error(ours.network, ours.fitted.data, up) - derivatives.error(
            ours.network, ours.fitted.data, down
        )
        assert gradient[j] == pytest.approx(difference / 2e-6, rel=1e-6, abs=1e-6)


def test_q04_cross_entropy_of_outputs_outside_0_1():
    for name in ("ce_linear_output", "tanh_tanh_out_ce_nan"):
        case = r.case("errors_activations", name)
        assert np.isnan(case.fit("R").errors).all()
        with pytest.raises(ArgumentError, match="err_fct='ce' needs outputs between 0 and 1"):
            case.fit()


def test_q05_constants_go_to_the_rows_as_given():
    rows, values = [[2, 2, 1], [1, 1, 2]], [0.5, -0.7]
    for compat, first in ((None, 0.5), ("R", -0.7)):
        fit = quiet(
            "y ~ x1 + x2", reg2(), hidden=2, exclude=rows, constant_weights=values, stepmax=2, compat=compat
        )
        assert fit.weights[0][1][1, 0] == first
        assert fit.weights[0][0][0, 1] == (-0.7 if first == 0.5 else 0.5)


@pytest.mark.parametrize(
    "name",
    ["h1_tanh_logistic_out_quirk", "h2_not_at_optimum", "h2_ce_two_outputs"],
    ids=["q06", "q07", "q09"],
)
def test_q06_q07_q09_information_matrices(name):
    """R's A or B is not the Hessian or the outer product; ours are."""
    case = r.case("inference", name)
    a, outer = information(case.fit().fitted, 0)
    r_a, r_outer = rintervals.r_information(case.fit("R").fitted, 0)
    correct = case.expected["corrected_inference"]["per_rep"][0]
    r.assert_close(a, r.array(correct["A"]), 1e-8)
    r.assert_close(outer, r.array(correct["B"]), 1e-8)
    off_a, off_outer = (np.abs(x - y).max() / np.abs(y).max() for x, y in ((r_a, a), (r_outer, outer)))
    if name == "h2_not_at_optimum":
        assert off_a > 1e-3 and off_outer < 1e-10
    else:
        assert off_a > 1e-6 and off_outer > 1e-3


def test_q08_intervals_with_excluded_weights():
    case = r.case("inference", "exclude_vector_zero")
    result = r.intervals(case.fit())
    assert np.isnan(r.flat(result.lower_ci[0])).tolist() == [False, False, True, False, False]
    assert np.isfinite(result.nic).all()
    matrix = r.case("inference", "exclude_matrix_nonzero_const_quirk")
    assert np.isnan(r.flat(r.intervals(matrix.fit()).lower_ci[0])).sum() == 1
    assert np.isnan(r.flat(r.intervals(matrix.fit("R")).lower_ci[0])).sum() == 2


def test_q12_generalized_weights_of_linear_outputs():
    case = r.case("generalized_weights", "linear_out_h2")
    fit = case.fit()
    slopes = fit.slopes(1, "response")
    pd.testing.assert_frame_equal(fit.generalized_weights[0], slopes)
    o = fit.net_result[0].to_numpy()
    np.testing.assert_allclose(case.fit("R").generalized_weights[0], slopes / (o * (1 - o)), rtol=1e-8)
    new = case.data()
    h = 1e-6
    moved = fit.predict(new.assign(x1=new["x1"] + h)) - fit.predict(new.assign(x1=new["x1"] - h))
    np.testing.assert_allclose(slopes["x1"], moved / (2 * h), rtol=1e-6, atol=1e-8)


def test_q13_steps_are_counted_as_in_r():
    case = r.case("quirks", "stepmax_reached_exactly")
    assert case.fit().fit.steps[0] == case.arguments()["stepmax"]
    short = quiet(
        case.formula, case.data(), **{**case.arguments(), "stepmax": case.arguments()["stepmax"] - 1}
    )
    assert not short.converged
    one = r.case("quirks", "stops_at_step_1").fit()
    assert one.fit.steps[0] == 1
    np.testing.assert_array_equal(r.flat(one.weights[0]), r.flat(one.startweights[0]))
    with pytest.raises(ArgumentError, match="stepmax must be a whole number >= 1; got 0"):
        quiet("y ~ x1", reg2(), stepmax=0)


def test_q14_order_of_classes():
    frame = pd.DataFrame({"x": np.linspace(0, 1, 9), "g": list("bca") * 3})
    frame["g"] = pd.Categorical(frame["g"], categories=["c", "unused", "b", "a"])
    options = {"hidden": 0, "linear_output": False, "stepmax": 3}
    assert list(quiet("g ~ x", frame, **options).design.y_names) == ["c", "b", "a"]
    assert list(quiet("g ~ x", frame, **options, compat="R").design.y_names) == ["a", "b", "c"]
    assert list(quiet("g ~ x", frame.astype({"g": str}), **options).design.y_names) == ["a", "b", "c"]
    two = r.case("multiclass", "iris_subset_two_classes")
    assert two.fit().net_result[0].shape[1] == 2
    one = quiet(two.formula, two.data(), hidden=1, family="binomial", stepmax=3)
    assert one.net_result[0].shape[1] == 1
    with pytest.raises(DataError, match="'g' is a factor and cannot stand beside other responses"):
        quiet("g + x ~ x", frame, hidden=0)


def test_q15_aic_and_bic_of_the_result_matrix():
    case = r.case("exclude", "const_zero_and_nonzero")
    fit = case.fit()
    column, weights = fit.result_matrix[1], 9 - 2  # of three held weights two are 0; R counts the third
    assert column["aic"] == pytest.approx(2 * column["error"] + 2 * weights)
    assert column["bic"] == pytest.approx(2 * column["error"] + np.log(fit.nobs) * weights)
    assert fit.k_params == 9 - 3


def test_q16_start_weights():
    fit = quiet("y ~ x1 + x2", reg2(), hidden=2, rep=2, threshold=1.0)
    again = quiet("y ~ x1 + x2", reg2(), hidden=2, rep=2, threshold=1.0, startweights=fit.startweights)
    np.testing.assert_array_equal(again.fit.theta, fit.fit.theta)
    with pytest.raises(ArgumentError, match="startweights has 4 numbers; the network needs 9"):
        quiet("y ~ x1 + x2", reg2(), hidden=2, startweights=[1, 2, 3, 4])
    with pytest.raises(
        ArgumentError, match="startweights has 13 numbers; the network needs 9 per repetition"
    ):
        quiet("y ~ x1 + x2", reg2(), hidden=2, rep=2, startweights=range(13))
    with pytest.warns(DataWarning, match="startweights has 10 numbers, of which the first 9 are used"):
        raw.neuralnet("y ~ x1 + x2", reg2(), hidden=2, threshold=100, startweights=range(10))
    quiet("y ~ x1 + x2", reg2(), hidden=2, threshold=1000, startweights=[0.1] * 10, compat="R")


def test_q17_learning_rates():
    case = r.case("learningrates", "limit_factor_reversed_names")  # R goes by position, whatever the names
    low, high = case.arguments()["learningrate_limit"]
    minus, plus = case.arguments()["learningrate_factor"]
    fit = case.fit(
        None, learningrate_limit={"max": high, "min": low}, learningrate_factor={"plus": plus, "minus": minus}
    )
    assert fit.fit.steps[0] == case.fit().fit.steps[0]
    small = r.case("learningrates", "limit_small_max_rprop+")
    first = quiet(small.formula, small.data(), **{**small.arguments(), "stepmax": 2})
    np.testing.assert_allclose(np.abs(first.fit.theta - first.fit.start), 0.1, rtol=1e-12)
    with pytest.raises(ArgumentError, match="learningrate_limit must consist of two numbers"):
        quiet("y ~ x1", reg2(), learningrate_limit=[1, 2, 3])


def test_q18_right_hand_sides():
    data = reg2().assign(g=list("abc") * 20, flag=reg2()["x1"] > 0, e=0.5).rename(columns={"x2": "odd name"})
    formulas = {
        "y ~ log(x1 + 9)": 1, "y ~ x1 * `odd name`": 3, "y ~ g": 2, "y ~ flag": 1, "y ~ x1 - 1": 1,
        "y ~ g - 1": 3, "y ~ x1 + offset(e)": 1,
    }  # fmt: skip
    for formula, columns in formulas.items():
        fit = quiet(formula, data, stepmax=5)
        assert len(fit.design.x_names) == columns, formula
        assert fit.network.names[0].startswith("Intercept.")
    assert fit.design.offset is not None


def test_q19_missing_values():
    for name in ("reg2_na_y", "reg2_na_x"):
        data = r.table(r.load("quirks")["datasets"][name])
        fit = quiet("y ~ x1 + x2", data, stepmax=50)
        assert fit.nobs == len(data.dropna()) < len(data)
        assert len(fit.fittedvalues) == len(data)
        np.testing.assert_array_equal(fit.fittedvalues.isna(), data.isna().any(axis=1))
        whole = quiet("y ~ x1 + x2", data.dropna(), stepmax=50)
        np.testing.assert_array_equal(whole.fit.theta, fit.fit.theta)
        with pytest.raises(DataError, match="missing"):
            quiet("y ~ x1 + x2", data, missing="raise")


def test_q20_diverging_backprop_keeps_finished_repetitions():
    starts = [np.zeros(3), np.full(3, 1e150)]
    fit = quiet(
        "y ~ x1 + x2", reg2(), hidden=0, algorithm="backprop", learningrate=0.01, rep=2, startweights=starts,
        stepmax=50, threshold=1e-3,
    )  # fmt: skip
    assert fit.fit.converged[0]
    diverging = quiet("y ~ x1 + x2", reg2(), hidden=0, algorithm="backprop", learningrate=1, stepmax=10_000)
    assert diverging.reps["status"].tolist() == ["gradient not finite"]
    assert np.isfinite(diverging.theta).all()


def test_q21_saturated_outputs():
    """Our error is log(1 + exp) of the linear predictor: finite; R's is 0 or Inf from rounded outputs."""
    right, wrong = (r.case("quirks", f"saturated_ce_{name}") for name in ("right", "wrong"))
    assert right.fit("R").errors[0] == 0 and np.isinf(wrong.fit("R").errors[0])
    assert np.isnan(right.fit("R").generalized_weights[0]).all(axis=None)
    for case in (right, wrong):
        fit = case.fit()
        assert np.isfinite(fit.errors).all()
        np.testing.assert_allclose(
            fit.generalized_weights[0]["x"], case.arguments()["startweights"][1], rtol=1e-12
        )
    eta = wrong.arguments()["startweights"][0] + wrong.arguments()["startweights"][1] * wrong.data()["x"]
    exact = np.sum(np.logaddexp(0, eta) - wrong.data()["y"] * eta)
    assert wrong.fit().errors[0] == pytest.approx(exact, rel=1e-12)
    assert right.fit().errors[0] == pytest.approx(0, abs=1e-100)
    hidden = r.case("quirks", "saturated_ce_tanh_hidden_stops")
    assert np.isfinite(
        quiet(hidden.formula, hidden.data(), **{**hidden.arguments(), "stepmax": 50}).theta
    ).all()


def test_q22_identity_as_output_activation():
    case = r.case("quirks", "identity_output_stops")
    named = case.fit(None, output_act_fct="identity", random_state=1)
    linear = case.fit(None, linear_output=True)
    custom = case.fit(None, random_state=1)
    for fit in (named, custom):
        assert fit.fit.steps[0] == linear.fit.steps[0]
        np.testing.assert_allclose(fit.theta, linear.theta, rtol=1e-9)
        assert np.isfinite(fit.generalized_weights[0]).all(axis=None)


def test_q23_arguments_of_error_functions():
    def in_order(x, y):
        return (x - y) ** 4 / 4

    def reversed_order(y, x):
        return (x - y) ** 4 / 4 + 0 * y

    options = {"hidden": 1, "threshold": 1.0, "random_state": 4}
    fits = [quiet("y ~ x1 + x2", reg2(), err_fct=f, **options) for f in (in_order, reversed_order)]
    np.testing.assert_allclose(fits[0].theta, fits[1].theta, rtol=1e-9)
    with pytest.raises(ArgumentError, match="name them x"):
        quiet("y ~ x1", reg2(), err_fct=lambda y_true, y_pred: (y_true - y_pred) ** 2)
    fit = quiet("y ~ x1 + x2", reg2(), act_fct=lambda anything: anything / (1 + abs(anything)), threshold=0.5)
    assert len(r.intervals(fit).lower_ci) == 1


def test_q24_forms_of_exclude():
    options = {"hidden": 2, "stepmax": 4}
    for twice, once in (([3, 3], [3]), ([[1, 2, 1], [1, 2, 1]], [[1, 2, 1]])):
        fits = [quiet("y ~ x1 + x2", reg2(), exclude=e, **options) for e in (twice, once)]
        np.testing.assert_array_equal(fits[0].fit.theta, fits[1].fit.theta)
    frame = pd.DataFrame([[1, 2, 1]], columns=["layer", "from", "to"])
    np.testing.assert_array_equal(
        quiet("y ~ x1 + x2", reg2(), exclude=frame, **options).fit.free,
        quiet("y ~ x1 + x2", reg2(), exclude=[[1, 2, 1]], **options).fit.free,
    )


def test_q25_printing_is_short():
    fit = r.case("architectures", "xor_h2_rep5").fit()
    assert len(str(fit).splitlines()) < 80
    assert len(repr(fit)) < 200


def test_q26_excluded_weights_in_results():
    fit = r.case("exclude", "const_zero_and_nonzero").fit()
    weights, column = r.flat(fit.weights[0]), fit.result_matrix[1].to_numpy()[-9:]
    assert np.isnan(weights[[1, 6]]).all() and weights[5] == 1
    assert (column[[1, 6]] == 0).all() and column[5] == 1


def test_q27_the_warning_names_what_is_singular():
    data = reg2()
    fit = quiet("y ~ x1 + x2 + twice", data.assign(twice=2 * data["x1"]), hidden=0, threshold=1e-3, rep=2)
    with pytest.warns(SingularHessianWarning, match=r"repetition\(s\) 1, 2 has rank 3, 3 for 4 weights"):
        result = fit.confidence_interval()
    assert result.rank.tolist() == [3, 3]  # Q30, too: R gives the pseudo-inverse without a word


def test_q28_whole_numbers():
    with pytest.raises(ArgumentError, match=r"hidden must be a whole number >= 0, got 2\.7"):
        quiet("y ~ x1", reg2(), hidden=2.7)
    with pytest.raises(ArgumentError, match="rep must be None or a whole number >= 1; got 0"):
        quiet("y ~ x1", reg2(), rep=0)
    assert quiet("y ~ x1", reg2(), hidden=2.0, stepmax=2).network.hidden == (2,)


def test_q29_custom_functions_r_cannot_differentiate():
    case = r.case("errors_activations", "relu_linear")
    for relu in (lambda x: x * (x > 0), lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, x, 0)):
        fit = case.fit(None, act_fct=relu)
        assert fit.fit.steps[0] == case.fit().fit.steps[0]
        np.testing.assert_allclose(fit.theta, case.fit().theta, rtol=1e-9)


def test_q30_nic_is_total_error_plus_trace():
    case = r.case("inference", "h1_ce")
    fit = case.fit()
    a, outer = information(fit.fitted, 0)
    assert fit.confidence_interval().nic[1] == pytest.approx(
        fit.errors[0] + np.trace(outer @ np.linalg.inv(a)), rel=1e-6
    )


def test_q31_responses():
    assert r.case("multi_output", "same_response_twice").fit().net_result[0].shape[1] == 1
    with pytest.raises(DataError, match="must be 0 or 1"):
        quiet("y ~ x1", reg2(), err_fct="ce", linear_output=False)
    for left in ("x1 * y", "cbind(x1, y)"):
        with pytest.raises((ArgumentError, DataError)):
            quiet(f"{left} ~ x2", reg2())
    assert quiet("b == 1 ~ x1", bin2(), err_fct="ce", linear_output=False, stepmax=3).nobs == 120


def test_q34_default_output_activation_is_logistic():
    fit = quiet("b ~ x1", bin2(), act_fct="tanh", linear_output=False, stepmax=3)
    assert fit.network.objective.output.name == "logistic"


def test_q35_intervals_of_deep_and_relu_networks():
    for name in ("two_hidden_layers_stop", "relu_stop"):
        case = r.case("inference", name)
        result = r.intervals(case.fit())
        assert [m.shape for m in result.upper_ci[0]] == [m.shape for m in case.fit().weights[0]]
        assert np.isfinite(result.nic).all()
        a, _ = information(case.fit().fitted, 0)
        theta, gradient = case.fit().fit.theta[0], derivatives.gradient
        moved = np.array(theta)
        moved[0] += 1e-6
        column = gradient(case.fit().network, case.fit().fitted.data, moved) - gradient(
            case.fit().network, case.fit().fitted.data, theta
        )
        np.testing.assert_allclose(column / 1e-6 / 120, a[0], rtol=1e-3, atol=1e-5 * np.abs(a).max())


# the ledger itself ----------------------------------------------------------------------------------------


def rows_of_the_ledger():
    text = (ROOT / "docs" / "parity.md").read_text()
    return [line for line in text.splitlines() if re.match(r"\|\s*Q\d\d\s*\|", line)]


def test_the_ledger_has_every_quirk():
    numbers = [re.match(r"\|\s*(Q\d\d)", line)[1] for line in rows_of_the_ledger()]
    assert sorted(numbers) == [f"Q{k:02d}" for k in range(1, 38)]


@pytest.mark.parametrize("line", rows_of_the_ledger(), ids=lambda line: re.match(r"\|\s*(Q\d\d)", line)[1])
def test_the_ledger_names_tests_that_exist(line):
    cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
    assert len(cells) == 6 and all(cells)
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", cells[-1])
    assert named
    for file, name in named:
        functions = {
            n.name for n in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(n, ast.FunctionDef)
        }
        assert name in functions, f"{file}::{name}"


def test_q36_defaults_of_r():
    """Raw units, one repetition, rprop+ to its end: what R's call means, by one argument or by three."""
    data = pd.DataFrame({"x": np.linspace(100, 200, 40), "y": np.linspace(5, 9, 40) ** 2})
    for hidden in (0, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuralStatWarning)
            r = ns.neuralnet("y ~ x", data, hidden=hidden, stepmax=300, compat="R", random_state=1)
            same = ns.neuralnet("y ~ x", data, hidden=hidden, stepmax=300, standardize=False, rep=1, algorithm="rprop+",
                                random_state=1)  # fmt: skip
            ours = ns.neuralnet("y ~ x", data, hidden=hidden, random_state=1)
        assert r.nrep == 1 and r.design.scaling is None and r.algorithm == "rprop+"
        np.testing.assert_array_equal(r.theta, same.theta)
        assert ours.design.scaling is not None and ours.nrep == (5 if hidden else 1)
        assert ours.rsquared > 0.99
