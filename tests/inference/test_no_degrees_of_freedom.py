"""Fits that use up all observations: NaN in every statistic that needs a dispersion, and one message."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import DfWarning, FitWarning, NeuralStatWarning

EXACT: dict[str, Any] = {"hidden": 0, "standardize": "auto", "rep": 1, "random_state": 1}


def _frame(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(np.exp(rng.normal(size=(n, 8)) / 2), columns=list("abcdefgy"))


def _fit(n: int, covariates: str, response: str = "y", **more: Any) -> ns.NeuralNetResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuralStatWarning)
        return ns.neuralnet(f"{response} ~ {' + '.join(covariates)}", _frame(n), **{**EXACT, **more})


CASES = {
    "n = p": lambda: _fit(6, "abcde"), "n < p": lambda: _fit(6, "abcdefg"),
    "raw": lambda: _fit(6, "abcdef", standardize=False), "family": lambda: _fit(6, "abcdef", family="gaussian"),
    "gamma": lambda: _fit(5, "abcdef", family=ns.families.Gamma("log")),
    "inverse gaussian": lambda: _fit(5, "abcd", family=ns.families.InverseGaussian("log")),
    "zero weights": lambda: _fit(12, "abcd", weights=np.r_[np.ones(5), np.zeros(7)]),
    "net": lambda: _fit(12, "ab", hidden=4, standardize=True, algorithm="lm", threshold=1e-8),
    "several": lambda: _fit(6, "abcdef", "y + g"),
}  # fmt: skip

NOTHING = {
    "scale": lambda f: f.scale, "cov_params": lambda f: f.cov_params(), "sandwich": lambda f: f.cov_params("sandwich"),
    "bse": lambda f: f.bse, "zvalues": lambda f: f.zvalues, "tvalues": lambda f: f.tvalues, "pvalues": lambda f: f.pvalues,
    "conf_int": lambda f: f.conf_int(), "conf_int, normal": lambda f: f.conf_int(use_t=False),
    "wald": lambda f: f.wald_test_terms().table[["statistic", "pvalue"]],
    "get_prediction": lambda f: f.get_prediction().conf_int(), "se_mean": lambda f: f.get_prediction().se_mean,
    "new observations": lambda f: f.get_prediction().conf_int(obs=True),
    "bootstrap": lambda f: f.get_prediction(method="bootstrap", draws=3, random_state=1).se_mean,
    "marginal_effects": lambda f: f.marginal_effects()[["std err", "lower", "upper"]],
    **{c: lambda f, c=c: f.info_criteria(c) for c in ("aic", "aicc", "bic", "gcv", "cp", "gic", "tic")},
    "criteria": lambda f: f.criteria().loc[["aic", "aicc", "bic", "gcv", "cp", "gic", "tic"], "value"],
    "llnull": lambda f: f.llnull, "confidence_interval": lambda f: f.confidence_interval().lower_ci[0][0],
}  # fmt: skip
ONE_OUTPUT = {
    "influence": lambda f: f.get_influence().resid_studentized, "cooks": lambda f: f.get_influence().cooks_distance[0],
    "influence scale": lambda f: f.get_influence().scale,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_nan_and_one_message(case):
    """Of whatever is asked first, and then of nothing."""
    fit = CASES[case]()
    asked = {**NOTHING, **({} if case == "several" else ONE_OUTPUT)}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for name, ask in asked.items():
            values = np.asarray(ask(fit), dtype=float)
            assert np.isnan(values).all(), f"{name}: {values}"
        fit.summary(), fit.diagnose(), fit.stability()
        if case != "several":
            fit.plot_diagnostics()
    assert not [w for w in said if not issubclass(w.category, NeuralStatWarning)]
    # the fit's own warning said so, unless it was too poor a fit for that
    assert len([w for w in said if "no degrees of freedom are left" in str(w.message)]) <= 1


@pytest.mark.parametrize("name", NOTHING)
def test_one_message_of_each(name):
    """A fit that has said nothing yet says it once, whatever is asked."""
    fit = CASES["n = p"]()
    fit.fitted.__dict__.pop("_told_of_df")  # as of a fit from a file
    with pytest.warns(DfWarning, match=r"no degrees of freedom are left for the residuals \(6 observations\)") as said:
        NOTHING[name](fit)
    assert len(said) == 1


def test_the_fit_says_it():
    """The FitWarning of the fit is the message; what is read from a file has had none."""
    frame = _frame(6)
    with pytest.warns(FitWarning, match="nothing is left for the residuals") as said:
        fit = ns.neuralnet("y ~ a + b + c + d + e", frame, **EXACT)
        assert np.isnan(fit.scale) and fit.bse.isna().all() and np.isnan(fit.aicc)
        assert "not defined: no degrees of freedom are left" in str(fit.summary())
    assert len(said) == 1


def test_loaded(tmp_path):
    CASES["n = p"]().save(tmp_path / "fit.nst")
    fit = ns.load(tmp_path / "fit.nst")
    with pytest.warns(DfWarning, match="no degrees of freedom are left") as said:
        assert fit.bse.isna().all() and np.isnan(fit.scale)
    assert len(said) == 1


def test_what_needs_no_dispersion_stays():
    fit = CASES["n = p"]()
    np.testing.assert_allclose(fit.predict(), _frame(6)["y"], rtol=1e-6)
    assert fit.df_resid == 0 and np.isfinite(fit.params).all() and np.isfinite(fit.deviance)
    case = fit.get_prediction(_frame(8), method="bootstrap", kind="case", draws=3, use_t=False, random_state=1)
    assert case.se_mean.notna().all()
    assert fit.info_criteria("cp", sigma=0.5) == pytest.approx(2 * 0.25, abs=1e-9)
    assert fit.cov_params(scale=1.0).notna().all(axis=None)  # a dispersion that is given


def test_known_dispersion():
    """Counts have none to estimate: standard errors of a saturated model exist."""
    frame = pd.DataFrame({"g": list("abcd"), "y": [3.0, 8.0, 5.0, 1.0]})
    with pytest.warns(FitWarning, match="Df near n"):
        fit = ns.neuralnet("y ~ g", frame, family="poisson", **EXACT)
    np.testing.assert_allclose(fit.bse.iloc[0], 1 / np.sqrt(3), rtol=1e-6)
    assert np.isfinite(fit.aic) and fit.scale == 1 and fit.pvalues.name == "P>|z|"
    assert np.isnan(fit.info_criteria("qaic"))
