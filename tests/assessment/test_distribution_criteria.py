"""Information criteria of distributions with several parameters as errors; what is of sums of squares is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(6)
    x = rng.uniform(size=150)
    return pd.DataFrame({
        "x": x, "y": x + np.exp(-1 + x) * rng.normal(size=x.size), "k": rng.negative_binomial(2, 0.4, x.size),
        "o": pd.Categorical.from_codes(np.digitize(2 * x + rng.logistic(size=x.size), [0, 1.5]), list("abc"), ordered=True),
    })  # fmt: skip


KINDS = {"y": ("gaussian", "~ x"), "k": ("negative_binomial", None), "o": ("ordinal", None)}


@pytest.mark.parametrize("response", KINDS)
def test_aic_is_an_error(data, response):
    family, how = KINDS[response]
    fit = ns.neuralnet(f"{response} ~ x", data, hidden=0, family=family, dispformula=how)
    for name in ("aic", "aicc"):
        found = ns.risk(fit, name)
        assert found == pytest.approx(getattr(fit, name) / len(data), rel=1e-9)
        each = -2 * fit.predict(type="distribution").logpdf(data["o"].cat.codes if response == "o" else data[response])
        assert found.se == pytest.approx(each.std(ddof=1) / np.sqrt(len(data)), rel=1e-6)
    assert ns.risk(fit, "cv", loss="log_score", k=10, random_state=1) == pytest.approx(found / 2, rel=0.05)


def test_a_mixture_of_repetitions(data):
    fit = ns.neuralnet("y ~ x", data, hidden=1, rep=2, random_state=1, family="gaussian", dispformula="~ x", algorithm="bfgs",
                       penalty=ns.decay(0.1), threshold=0.01)  # fmt: skip
    found = ns.risk(fit, "aic", rep="mean")
    each = -2 * fit.predict(type="distribution").logpdf(data["y"])
    assert found == pytest.approx(each.mean() + 2 * float(fit.df(rep="mean")) / len(data), rel=1e-9)


@pytest.mark.parametrize("crit", ["gcv", "cp", "gic"])
def test_no_deviance(data, crit):
    fit = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ x")
    with pytest.raises(ArgumentError, match=r"sums of squares and deviances.*take 'aic'"):
        getattr(fit, crit)
    table = fit.criteria()
    assert np.isnan(table.loc[crit, "value"]) and "deviances" in table.loc[crit, "note"]
    assert np.isfinite(table.loc[["aic", "aicc", "bic", "tic"], "value"]).all()
