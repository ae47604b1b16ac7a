"""What other programs write otherwise: messages that name what to write here."""

from __future__ import annotations

import re
import traceback

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import design

FRAME = pd.DataFrame({
    "k": [1.0, 2, 3, 4, 0, 2], "s": [5.0, 6, 7, 8, 3, 6], "x": [1.0, 2, 1, 3, 0, 2], "code": [1, 2, 2, 1, 1, 2],
    "Admitted": [1, 5, 2, 8, 2, 3], "Rejected": [4, 1, 5, 0, 1, 3],
})  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("cbind(k, s-k) ~ x", r'\{k/s\} ~ x, weights="s"'),
        ("cbind(k, s - k) ~ log(x + 1) + x", r'\{k/s\} ~ log\(x \+ 1\) \+ x, weights="s"'),
        ("cbind(Admitted, Rejected) ~ x", r'\{Admitted/s\} ~ x, weights="s", where the column s is Admitted \+ Rejected'),
        ("cbind(k, 10 - k) ~ x", r'\{k/s\} ~ x, weights="s", where the column s is 10'),
        ("cbind(k, s, x) ~ x", r"several responses are written as 'k \+ s \+ x ~ x'"),
    ],
)
@pytest.mark.parametrize("family", ["binomial", None])
def test_cbind(formula, said, family):
    with pytest.raises(ArgumentError, match=said):
        raw.neuralnet(formula, FRAME, hidden=0, family=family)


@pytest.mark.parametrize(
    ("formula", "more", "said"),
    [
        ("Admitted + Rejected ~ x", {"family": "binomial"},
         r'\{Admitted/s\} ~ x, weights="s", where the column s is Admitted \+ Rejected'),
        ("k ~ x", {"family": "binomial"}, r'\{k/s\} ~ x, weights="s", where the column s has the numbers of trials'),
        ("k ~ x", {"err_fct": "ce", "linear_output": False}, r'\{k/s\} ~ x, weights="s"'),
        ("code ~ x", {"family": "binomial"}, "'code == 2 ~ ...'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("algorithm", ["lm", "adam"])
def test_counts_for_shares(formula, more, said, algorithm):
    with pytest.raises(DataError, match=said):
        raw.neuralnet(formula, FRAME, hidden=0, algorithm=algorithm, **more)
    with pytest.raises(DataError, match=said):
        raw.neuralnet(formula, ns.chunks([FRAME]), hidden=0, algorithm=algorithm, **more)


def test_what_is_written_so_is_right():
    """The share with its trials is statsmodels' binomial with counts."""
    import statsmodels.api as sm

    fit = ns.neuralnet("{k/s} ~ x", FRAME, hidden=0, family="binomial", weights="s", standardize=True, rep=1)
    counts = FRAME[["k"]].assign(failures=FRAME["s"] - FRAME["k"])
    glm = sm.GLM(counts, sm.add_constant(FRAME["x"]), family=sm.families.Binomial()).fit()
    assert fit.params.to_numpy() == pytest.approx(glm.params.to_numpy(), rel=1e-6)


def test_shares_and_other_wrong_values_have_no_such_hint():
    with pytest.raises(DataError, match=r"the first is 1\.5\.(\n|$)"):
        design("y ~ x", pd.DataFrame({"y": [0.5, 1.5, 0.2], "x": [1, 2, 3]}), err_needs="unit")
    with pytest.raises(DataError, match=r"the first is -1\.(\n|$)"):
        design("y ~ x", pd.DataFrame({"y": [-1.0, 1, 0], "x": [1, 2, 3]}), err_needs="binary")


@pytest.mark.parametrize("name", ["Age (years)", "blood pressure", "share in %"])
def test_names_that_need_backticks_are_told_so(name):
    data = pd.DataFrame({"y": np.arange(9.0), name: 2 * np.arange(9.0), "x": np.ones(9)})
    with pytest.raises(ArgumentError, match=re.escape(f"stands in backticks: `{name}`.")):
        ns.neuralnet(f"y ~ {name}", data, hidden=0)
    assert ns.neuralnet(f"y ~ `{name}`", data, hidden=0).rsquared > 0.99
    with pytest.raises(ArgumentError) as caught:  # a fault of another kind
        ns.neuralnet(f"y ~ `{name}` +* x", data, hidden=0)
    assert "backticks" not in str(caught.value)


def test_tracebacks_are_of_the_fault_alone():
    data = pd.DataFrame({"y": np.arange(6.0), "g": list("ababab")})
    fit = ns.neuralnet("y ~ g", data, hidden=0)
    with pytest.raises(DataError, match=r"level.* 'c' not among") as caught:
        fit.predict(pd.DataFrame({"g": ["c"]}))
    assert "TypeError" not in "".join(traceback.format_exception(caught.value))
