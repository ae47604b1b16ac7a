"""Covariance of the weights, tables of coefficients, units that the data do not determine."""

import warnings

import numpy as np
import pandas as pd
import pytest
import raw
import scipy.stats
from reference import target

import neuralstat as ns
from neuralstat.errors import ArgumentError, SingularHessianWarning
from neuralstat.inference.covariance import expected_information, inverse
from neuralstat.inference.units import undetermined_units
from neuralstat.network import derivatives


def frame(n=150, seed=0):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.uniform(-2, 2, n), "z": rng.normal(size=n)})
    data["y"] = np.tanh(0.3 + data.x + 0.5 * data.z) + 0.1 * rng.normal(size=n)
    data["count"] = rng.poisson(np.exp(0.5 + 0.5 * np.tanh(data.x)))
    return data


def fit_of(formula="y ~ x + z", data=None, **options):
    options = {"hidden": 1, "act_fct": "tanh", "threshold": 1e-4, "random_state": 3, **options}
    return raw.neuralnet(formula, frame() if data is None else data, **options)


@pytest.fixture(scope="module")
def gaussian():
    return fit_of()


@pytest.fixture(scope="module")
def poisson():
    return fit_of("count ~ x", hidden=1, family="poisson")


def numeric_hessian(fit):
    theta, h = fit.fit.theta[0].astype(float), 1e-5

    def gradient(t):
        return derivatives.gradient(fit.network, fit.fitted.data, t)

    return np.array([(gradient(theta + h * e) - gradient(theta - h * e)) / (2 * h) for e in np.eye(theta.size)])


@pytest.mark.parametrize("name", ["gaussian", "poisson"])
def test_model_based_covariances(name, request):
    fit = request.getfixturevalue(name)
    hessian = numeric_hessian(fit)
    expected = fit.scale * np.linalg.inv((hessian + hessian.T) / 2)
    np.testing.assert_allclose(fit.cov_params("hessian"), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    theta, h = fit.fit.theta[0].astype(float), 1e-6

    def mean(t):
        raw = derivatives.outputs(fit.network, fit.design.x, t)[0]
        return fit.network.objective.response(raw)[0]

    jacobian = np.array([(mean(theta + h * e) - mean(theta - h * e)) / (2 * h) for e in np.eye(theta.size)])
    v = fit.family.variance(mean(theta))
    np.testing.assert_allclose(expected_information(fit.fitted, 0), jacobian / v @ jacobian.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fit.cov_params(), fit.scale * np.linalg.inv(jacobian / v @ jacobian.T), rtol=1e-3)
    assert fit.scale == (1 if name == "poisson" else pytest.approx(fit.deviance / (150 - 5)))


def test_sandwich_is_that_of_the_confidence_interval(gaussian):
    matrix = gaussian.cov_params("sandwich")
    half = scipy.stats.norm.ppf(0.975) * np.sqrt(np.diag(matrix))
    interval = gaussian.confidence_interval()
    theirs = gaussian.network.flatten(interval.upper_ci[0]) - gaussian.theta[0]
    np.testing.assert_allclose(half, theirs, rtol=1e-6)
    scores = derivatives.scores(gaussian.network, gaussian.fitted.data, gaussian.fit.theta[0])
    bread = np.linalg.inv(derivatives.hessian(gaussian.network, gaussian.fitted.data, gaussian.fit.theta[0]))
    np.testing.assert_allclose(matrix, bread @ scores.T @ scores @ bread, rtol=1e-6, atol=1e-12)


def test_table_of_coefficients(gaussian):
    names = list(gaussian.network.names)
    assert names[0] == "Intercept.to.1layhid1"
    for series in (gaussian.bse, gaussian.zvalues, gaussian.tvalues, gaussian.pvalues):
        assert list(series.index) == names
    np.testing.assert_allclose(gaussian.bse, np.sqrt(np.diag(gaussian.cov_params("expected"))))
    np.testing.assert_allclose(gaussian.tvalues, gaussian.params / gaussian.bse)
    np.testing.assert_allclose(gaussian.pvalues, 2 * scipy.stats.t.sf(np.abs(gaussian.tvalues), gaussian.df_resid))
    interval = gaussian.conf_int(0.1, cov_type="hessian")
    assert list(interval.columns) == [0, 1]
    half = scipy.stats.t.ppf(0.95, gaussian.df_resid) * gaussian.standard_errors("hessian")
    np.testing.assert_allclose(interval[1] - interval[0], 2 * half)
    np.testing.assert_allclose(interval.mean(axis=1), gaussian.params)


def test_held_weights_have_no_variance():
    fit = fit_of(hidden=1, exclude=["z.to.1layhid1"])
    held = list(fit.network.names).index("z.to.1layhid1")
    assert np.isnan(fit.cov_params().iloc[held]).all() and np.isnan(fit.bse.iloc[held])
    assert np.isfinite(fit.bse.drop("z.to.1layhid1")).all()
    other = fit_of("y ~ x", hidden=1, startweights=fit.params.drop("z.to.1layhid1").to_numpy())
    np.testing.assert_allclose(fit.bse.drop("z.to.1layhid1"), other.bse, rtol=1e-2)


def test_standardised_covariance_is_in_original_units():
    plain = fit_of(hidden=1, threshold=1e-6)
    start = plain.theta[0]
    scaled = fit_of(hidden=1, standardize=True, startweights=start, threshold=1e-6)
    np.testing.assert_allclose(scaled.theta, plain.theta, rtol=1e-4, atol=1e-5)
    for kind in ("expected", "hessian", "sandwich"):
        np.testing.assert_allclose(scaled.standard_errors(kind), plain.standard_errors(kind), rtol=1e-3, err_msg=kind)
    assert scaled.llf == pytest.approx(plain.llf)
    assert scaled.info_criteria("aic", df="jacobian") == pytest.approx(plain.info_criteria("aic", df="jacobian"))
    assert scaled.deviance == pytest.approx(plain.deviance)


def test_decay_shrinks_the_model_based_covariance():
    fit = fit_of("count ~ x", hidden=2, family="poisson", penalty=ns.decay(0.5), threshold=0.01)
    theta = fit.fit.theta[0].astype(float)
    hessian = derivatives.hessian(fit.network, fit.fitted.data, theta)
    bread = np.linalg.inv(hessian + 0.5 * np.eye(theta.size))
    np.testing.assert_allclose(fit.cov_params("hessian"), bread @ hessian @ bread, rtol=1e-6, atol=1e-12)


def singular(theta, n=60):
    """A network of two units at given weights, not trained."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.uniform(-1, 1, n)})
    data["y"] = np.sin(data.x) + 0.1 * rng.normal(size=n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        return raw.neuralnet("y ~ x", data, hidden=2, startweights=theta, stepmax=1)


@pytest.mark.parametrize(
    ("theta", "words", "table"),
    [
        ([0.1, 1.0, 40.0, 0.5, 0.1, 1.0, -0.3], "1layhid2 is saturated", [("1layhid2", "saturated", None)]),
        ([0.1, 1.0, 0.1, 1.0, 0.1, 1.0, -0.3], "1layhid2 is duplicate of 1layhid1",
         [("1layhid2", "duplicate", "1layhid1")]),
        ([0.1, 1.0, -0.1, -1.0, 0.1, 1.0, -0.3], "1layhid2 is duplicate of 1layhid1",
         [("1layhid2", "duplicate", "1layhid1")]),
        ([0.1, 1.0, 0.4, -2.0, 0.1, 0.0, 0.8], "1layhid1 is redundant", [("1layhid1", "redundant", None)]),
    ],
)  # fmt: skip
def test_singular_information_names_the_units(theta, words, table):
    fit = singular(theta)
    with pytest.warns(SingularHessianWarning, match=words):
        bse = fit.bse
    assert np.isfinite(bse).all()
    found = [tuple(None if pd.isna(v) else v for v in row) for row in undetermined_units(fit.fitted).to_numpy()]
    assert found == table


def test_regular_information_does_not_warn(gaussian):
    assert undetermined_units(gaussian.fitted).empty
    assert np.isfinite(gaussian.bse).all()


def test_not_a_minimum_is_said():
    fit = singular([0.1, 1.0, 0.4, -2.0, 3.0, 0.8, -1.5])
    values = np.linalg.eigvalsh(derivatives.hessian(fit.network, fit.fitted.data, fit.fit.theta[0]))
    assert values[0] < 0
    with pytest.warns(SingularHessianWarning, match="negative eigenvalue"):
        fit.cov_params("hessian")
    assert np.isfinite(fit.cov_params("expected")).all().all()


def test_inverse_does_not_depend_on_units():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    scales = np.array([1e-6, 1.0, 1e5, 30.0])
    regular = x.T @ x
    turned, rank, negative = inverse(regular * scales[:, None] * scales)
    np.testing.assert_allclose(turned * scales[:, None] * scales, np.linalg.inv(regular), rtol=1e-10)
    assert (rank, negative) == (4, 0)
    x[:, 3] = x[:, 0] + x[:, 1]
    matrix = x.T @ x
    turned, rank, negative = inverse(matrix)
    assert (rank, negative) == (3, 0)
    np.testing.assert_allclose(matrix @ turned @ matrix, matrix, atol=1e-10)
    assert inverse(np.diag([1.0, -2.0]))[1:] == (2, 1)


def test_each_repetition_has_its_own_statistics():
    fit = fit_of(rep=2, hidden=1)
    for r in (1, 2):
        np.testing.assert_allclose(fit.cov_params(rep=r), cov_alone(fit, r), rtol=1e-4)
        assert fit.loglike(rep=r) <= fit.loglike("best") + 1e-9
    with pytest.raises(ArgumentError, match="rep must be"):
        fit.cov_params(rep=3)


def cov_alone(fit, r):
    alone = fit_of(hidden=1, startweights=fit.theta[r - 1], threshold=fit.settings.threshold)
    return alone.cov_params()


def test_infert_without_hidden_layer():
    """Reference values of R's glm and of a sandwich computed in R."""
    stored = target("A3_infert_glm")
    fit = raw.neuralnet(
        "case ~ parity + induced + spontaneous", ns.datasets.infert(), hidden=0, err_fct="ce", linear_output=False,
        threshold=1e-6, random_state=1,
    )  # fmt: skip
    np.testing.assert_allclose(fit.params, stored["glm"], rtol=1e-5)
    np.testing.assert_allclose(fit.bse, stored["se_model"], rtol=5e-5)  # theirs stopped earlier
    np.testing.assert_allclose(fit.standard_errors("sandwich"), stored["se_sandwich"], rtol=5e-5)
    assert fit.aic == pytest.approx(stored["aic"])
    assert fit.bic == pytest.approx(stored["bic"])


def test_several_outputs_have_a_dispersion_each():
    data = frame()
    fit = fit_of("y + z ~ x", data, hidden=0)
    exog = np.column_stack([np.ones(150), data.x])
    xtx = np.linalg.inv(exog.T @ exog)
    y = data[["y", "z"]].to_numpy()
    residual = y - exog @ np.linalg.lstsq(exog, y, rcond=None)[0]
    sigma = residual.T @ residual / (150 - 2)  # R's estVar of lm(cbind(y, z) ~ x)
    np.testing.assert_allclose(fit.scale, sigma)
    np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(np.kron(sigma, xtx))), rtol=1e-6)
    assert fit.df_model == 2 and fit.df_resid == 148
