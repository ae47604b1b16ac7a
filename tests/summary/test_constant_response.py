"""Pages and statistics of fits that have nothing to explain, or nothing left: no warnings of numpy."""

import warnings

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import NeuralStatError, NeuralStatWarning
from neuralstat.likelihood.criteria import CRITERIA
from neuralstat.results import NeuralNetResults

RNG = np.random.default_rng(9)
X = pd.DataFrame({"x": RNG.normal(size=30), "z": RNG.normal(size=30)})
CASES = {
    "constant": (X.assign(y=3.0), "y ~ x", {}), "zero": (X.assign(y=0.0), "y ~ x", {}),
    "linear": (X.assign(y=2 * X["x"]), "y ~ x", {}),
    "two": (X.assign(y=1.0, w=2.0), "y + w ~ x", {}),
    "ones": (X.assign(y=1.0), "y ~ x", {"family": "binomial"}),
    "no counts": (X.assign(y=0.0), "y ~ x", {"family": "poisson"}),
    "gamma": (X.assign(y=1.0), "y ~ x", {"family": "gamma"}), "hidden": (X.assign(y=3.0), "y ~ x", {"hidden": 2}),
}  # fmt: skip
PROPERTIES = [name for name, value in vars(NeuralNetResults).items() if isinstance(value, property)]
METHODS = {
    "text": lambda f: str(f.summary()), "html": lambda f: f.summary().as_html(), "latex": lambda f: f.summary().as_latex(),
    "criteria": lambda f: f.criteria(), "intervals": lambda f: f.conf_int(),
    "influence": lambda f: f.get_influence().summary_frame(),
    "predictions": lambda f: f.get_prediction().summary_frame(), "profile": lambda f: f.partial_dependence("x", 3),
    "slopes": lambda f: f.marginal_effects(), "elasticities": lambda f: f.marginal_effects(method="eyex"),
    "terms": lambda f: str(f.wald_test_terms()), "importance": lambda f: f.importance("olden"),
    **{f"R2 {k}": lambda f, k=k: f.pseudo_rsquared(k) for k in ("cs", "mcf", "deviance")},
    **{f"criterion {c}": lambda f, c=c: f.info_criteria(c) for c in CRITERIA},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_no_warnings_of_numpy(case):
    data, formula, more = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuralStatWarning)
        fit = ns.neuralnet(formula, data, **{"hidden": 0, "rep": 1, "random_state": 1, **more})
        for name in PROPERTIES:
            try:
                getattr(fit, name)
            except NeuralStatError:
                continue
        for of in METHODS.values():
            try:
                of(fit)
            except NeuralStatError:
                continue


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_what_they_are():
    fit = ns.neuralnet("y ~ x", CASES["constant"][0], hidden=0)
    assert np.isnan(fit.rsquared) and np.isnan(fit.pseudo_rsquared("deviance"))
    assert fit.llf == np.inf and fit.aic == -np.inf
    line = ns.neuralnet("y ~ x", CASES["linear"][0], hidden=0)
    assert line.rsquared == pytest.approx(1)
    ones = ns.neuralnet("y ~ x", CASES["ones"][0], hidden=0, family="binomial")
    assert np.isnan(ones.pseudo_rsquared("deviance"))
