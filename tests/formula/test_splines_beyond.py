"""Splines where data go beyond those of the fit: R's extrapolation, with a warning, and refits that hold out the extremes."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import DataError, DataWarning
from neuralstat.formula import Spec, design
from neuralstat.formula.subset import subset

X = [1, 2, 3, 4.5, 6, 7, 8, 10.0]
EXACT = {"hidden": 0, "algorithm": "lm", "threshold": 1e-8, "random_state": 1}


@pytest.fixture
def data():
    x = np.array(X)
    return pd.DataFrame({"x": x, "y": np.sin(x), "g": list("abababab")})


def test_bs_goes_on_as_r(data):
    """R 4: x <- c(1, 2, 3, 4.5, 6, 7, 8, 10); predict(bs(x, df = 5), c(0, 11))."""
    d = design("y ~ bs(x, df=5)", data)
    with pytest.warns(DataWarning, match=r"`bs\(x, df=5\)`: 2 value\(s\) beyond the boundary knots 1 and 10") as said:
        got = d.encode({"x": [0, 5.0, 11]}).x.T
    assert said[0].filename == __file__
    want = [[-1.9964567474, 0.26029988465975, -0.0078431372549, 0, 0],
            [0, -0.00512820512821, 0.1645364891519, -1.35640828402, 2.197]]  # fmt: skip
    np.testing.assert_allclose(got[[0, 2]], want, rtol=1e-10)


def test_given_boundary_knots_within_the_data_as_r(data):
    """R 4: bs(x, df = 5, Boundary.knots = c(2, 8))[c(1, 4, 8), ]; the inner knots are 4 and 19/3."""
    with pytest.warns(DataWarning, match=r"2 value\(s\) beyond the boundary knots 2 and 8"):
        d = design("y ~ bs(x, df=5, lower_bound=2, upper_bound=8)", data)
    want = [[-2.805473372781, 0.449704142012, -0.0192307692308, 0, 0],
            [0.140638207946, 0.565577451395, 0.2904361263736, 0.00334821428571, 0],
            [0, -0.2, 3.02, -12.468, 10.648]]  # fmt: skip
    np.testing.assert_allclose(d.x.T[[0, 3, 7]], want, rtol=1e-10)
    (state,) = d.spec.matrix.transforms.values()
    np.testing.assert_allclose(state["knots"], [2] * 4 + [4, 19 / 3] + [8] * 4)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_polynomials_go_on(data, degree):
    """Beyond a boundary knot the basis is the polynomial of the outermost piece."""
    d = design(f"y ~ bs(x, df=5, degree={degree}, include_intercept=True)", data)
    inside = np.linspace(9, 10, degree + 2)
    with pytest.warns(DataWarning):
        beyond = d.encode({"x": [10.5, 12]}).x
    for row, far in zip(d.encode({"x": inside}).x, beyond, strict=True):
        np.testing.assert_allclose(np.polyval(np.polyfit(inside, row, degree), [10.5, 12]), far, atol=1e-8)


@pytest.mark.parametrize(
    ("extrapolation", "at_11"), [("clip", 1.0), ("zero", 0.0), ("extend", 2.197), ("na", np.nan)]
)  # fmt: skip
def test_what_is_asked_for_is_done_without_a_word(data, extrapolation, at_11):
    d = design(f"y ~ bs(x, df=5, extrapolation='{extrapolation}')", data)
    np.testing.assert_allclose(d.encode({"x": [11.0]}).x[-1, 0], at_11)


def test_raise_is_still_an_error(data):
    with pytest.raises(DataError, match="extrapolation"):
        design("y ~ bs(x, df=5, extrapolation='raise')", data).encode({"x": [11.0]})


def test_the_others_are_as_before(data):
    """cr goes on as a straight line, cc has a period, poly is a polynomial: no warning, R's have none."""
    for term in ("cr(x, df=4)", "cs(x, df=4)", "cc(x, df=4)", "poly(x, 2)"):
        d = design(f"y ~ {term}", data)
        got = d.encode({"x": [10, 11, 12, 13.0]}).x
        assert np.isfinite(got).all()
        if term.startswith("c") and "cc" not in term:
            np.testing.assert_allclose(np.diff(got, n=2, axis=1), 0, atol=1e-9)
    with pytest.raises(DataError, match=r"natural cubic splines are cr\(x, df=4\)"):
        design("y ~ ns(x, df=3)", data)


def test_interactions_and_stored_formulas(data):
    d = design("y ~ bs(x, df=4):g + bs(x, degree=1)", data)
    again = Spec.from_json(d.spec.to_json())
    for spec in (d.spec, again):
        with pytest.warns(DataWarning, match="beyond the boundary knots") as said:
            new = spec.encode({"x": [11.0], "g": ["b"]})
        np.testing.assert_allclose(new.x[spec.terms["bs(x, degree=1)"][0], 0], 10 / 9)
        assert len(said) == 2  # one a term
    np.testing.assert_array_equal(again.encode(data).x, d.x)


def test_boundary_knots_stay_in_parts(data):
    """Inner knots come from the rows of a part, the range from all; cr has its knots from the part, as before."""
    d = design("y ~ bs(x, df=5) + cc(x, df=3) + cr(x, df=3)", data)
    rows = np.arange(1, 7)
    part = subset(d, rows)
    states = part.design.spec.matrix.transforms  # in no order
    bs, cc, cr = (next(states[e] for e in states if f"{kind}(" in e) for kind in ("bs", "cc", "cr"))
    np.testing.assert_allclose(bs["knots"], [1] * 4 + np.quantile(X[1:7], [1 / 3, 2 / 3]).tolist() + [10] * 4)
    assert (cc["lower_bound"], cc["upper_bound"]) == (1, 10) and (cc["knots"][0], cc["knots"][-1]) == (1, 10)
    assert (cr["lower_bound"], cr["upper_bound"]) == (2, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(part.design.encode(data).x, part.x)


def wavy(n=40, seed=3):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    return pd.DataFrame({"x": x, "y": np.sin(x) + 0.1 * rng.normal(size=n), "k": rng.poisson(2 + np.cos(x))})


def test_leave_one_out_is_the_closed_form():
    """With inner knots given, the basis is that of all rows: e / (1 - h) for least squares."""
    frame = wavy()
    fit = raw.neuralnet("y ~ bs(x, knots=[2, 4, 6, 8])", frame, family="gaussian", **EXACT)
    x = np.column_stack([np.ones(len(frame)), fit.design.x.T])
    hat = x @ np.linalg.pinv(x)
    press = ((frame["y"] - hat @ frame["y"]) / (1 - np.diag(hat))) ** 2
    found = ns.risk(fit, "cv", k="loo")
    np.testing.assert_allclose(found.details["per_observation"], press, rtol=1e-5)


@pytest.mark.parametrize("term", ["bs(x, df=5)", "bs(x, df=4, degree=2)", "cc(x, df=4)", "cr(x, df=4)", "poly(x, 3)"])
@pytest.mark.parametrize("standardize", [False, True])
def test_every_resampling_goes_through(term, standardize):
    frame = wavy()
    fit = ns.neuralnet(f"y ~ {term}", frame, family="gaussian", standardize=standardize, rep=1, **EXACT)
    for method, options in {
        "cv": {"k": 5}, "bootstrap": {"draws": 20}, "632+": {"draws": 20}, "holdout": {"test_size": 0.3},
    }.items():  # fmt: skip
        found = ns.risk(fit, method, random_state=1, **options)
        assert 0 < float(found) < 1
    low = fit.get_prediction(frame.iloc[:3], method="cv+", k=4, random_state=1).summary_frame(0.4)["obs_ci_lower"]
    assert np.isfinite(low).all()


def test_refits_by_epochs_and_other_families():
    frame = wavy()
    fit = ns.neuralnet("k ~ bs(x, df=4)", frame, family="poisson", hidden=0, standardize=True, rep=1, random_state=1)
    assert np.isfinite(float(ns.risk(fit, "cv", k=5, random_state=1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        epochs = ns.neuralnet("y ~ bs(x, df=4)", frame, hidden=2, algorithm="adam", learningrate=0.05, epochs=40,
                              standardize=True, rep=1, random_state=1)  # fmt: skip
        assert np.isfinite(float(ns.risk(epochs, "cv", k=3, random_state=1)))
    with pytest.warns(DataWarning, match="beyond the boundary knots"):
        assert np.isfinite(epochs.predict({"x": [-1.0, 12.0]})).all()
    with pytest.warns(DataWarning, match="beyond the boundary knots"):
        assert np.isfinite(fit.get_prediction({"x": [10.5]}).summary_frame()).all(axis=None)


def test_effects_stay_within_the_data():
    """Slopes at the extremes take no step beyond the knots."""
    fit = ns.neuralnet("y ~ bs(x, df=5)", wavy(), hidden=0, standardize=True, rep=1, random_state=1)
    assert np.isfinite(fit.marginal_effects().to_numpy(float)).any()
    assert np.isfinite(fit.partial_dependence("x", 5)["mean"]).all()
    assert np.isfinite(fit.ale("x", 5).iloc[:, 0]).all()
