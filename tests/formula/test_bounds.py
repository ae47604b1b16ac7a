"""Formulas that ask for more than there can be are refused before they are expanded, by the term at fault."""

import time

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import errors
from neuralstat.errors import ArgumentError, DataError, TooLargeError
from neuralstat.formula import bounds, design


def frame(n=30, columns=12):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(n, columns)), columns=[f"v{k}" for k in range(columns)])
    data["x"], data["z"], data["y"] = rng.normal(size=(3, n))
    data["g"] = [f"level{k}" for k in range(n)]
    return data


TOO_LARGE = {
    "y ~ (x + z)**100000000": r"\(x \+ z\)\*\*100000000: the power must be at most 100",
    "y ~ x**1000000": r"\(x\)\*\*1000000",
    "y ~ .**101": "the power must be at most 100",
    "y ~ (x + z)^1000000000000": r"\(x \+ z\)\*\*1000000000000",
    "y ~ bs(x, df=100000)": r"`bs\(x, df=100000\)` asks for 100000, but there are 30 rows",
    "y ~ bs(x, 3, None, 10**6)": "asks for 1000000",
    "y ~ cr(x, df=10**5)": "asks for 100000",
    "y ~ cc(x, df=101)": "asks for 101",
    "y ~ poly(x, 10**6)": "asks for 1000000",
    "y ~ poly(x, degree=-(10**6))": "asks for 1000000",
    "y ~ z:poly(x, 2000)": r"`poly\(x, 2000\)`",
    "y ~ lag(x, 10**9)": "asks for 1000000000",
    "y ~ lags(x, 10**9)": "asks for 1000000000",
    "y ~ leads(x, 10**9)": "asks for 1000000000",
    "y ~ window(x, 10**9)": "asks for 1000000000",
    "leads(y, 10**9) ~ x": "asks for 1000000000",
    "y ~ sequences(g, 10**12, 100)": "asks for 1000000000000",
    "y ~ hashed(g, 10**6)": "asks for 1000000 columns, each with a name",
    "y ~ hashed(g, 10**12)": "asks for 1000000000000",
    "y ~ hashed(g, levels=10**12)": "asks for 1000000000000",
    "y ~ {x + 9**9**9**9}": r"9 \*\* 9 \*\* 9 \*\* 9 is too large a number",
    "y ~ {x * (1 << 10**9)}": "too large a number",
    "y ~ " + " + ".join(["x"] * 500_000): "characters, more than 100000",
    "y ~ " + "(" * 10_000 + "x" + ")" * 10_000: "nested more than 60 deep",
    "y ~ {" + "(" * 61 + "x" + ")" * 61 + "}": "nested more than 60 deep",
    "y ~ {" + " + ".join(["x"] * 1000) + "}": "deep",
    "y ~ {x + " + "-" * 5000 + "z}": "deep",
    "y ~ log(" + "x*" * 6000 + "x)": "longer than 10000|too deep",
    "{" + "+".join(["y"] * 1000) + "} ~ x": "deep",
}


@pytest.mark.parametrize("formula", TOO_LARGE, ids=lambda text: text[:40])
def test_refused_at_once(formula):
    begun = time.process_time()
    with pytest.raises(TooLargeError, match=TOO_LARGE[formula]) as caught:
        design(formula, frame())
    assert time.process_time() - begun < 2
    assert len(str(caught.value)) < 500 and isinstance(caught.value, ArgumentError)


def test_names_of_the_context_are_followed():
    with pytest.raises(TooLargeError, match=r"bs\(x, df=many\)"):
        design("y ~ bs(x, df=many)", frame(), context={"many": 10**6})
    own = design("y ~ bs(x, df=many)", frame(), context={"many": 10**6, "bs": lambda x, df: x})
    assert own.x.shape[0] == 1


def test_products_are_counted_before_they_are_made(monkeypatch):
    monkeypatch.setattr(bounds, "TERMS", 50)
    for formula in ("y ~ .:.", "y ~ .**3", "y ~ (v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7)*(v0 + v1 + v2 + v3 + v4 + v5 + v6)"):
        with pytest.raises(TooLargeError, match=r"formula: \(v0 \+ \.\.\.\).* would make \d+ terms, more than 50"):
            design(formula, frame().drop(columns="g"))


def test_columns_are_counted_before_they_are_made(monkeypatch):
    data = frame(4000)
    design("y ~ g", data.iloc[:50])
    monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: 2**30)
    for formula in ("y ~ g:C(g)", "y ~ C(g)*g", "y ~ x + C(x):g"):
        with pytest.raises(TooLargeError, match=r"columns for 4000 rows, 16000000 of them of `.*g"):
            design(formula, data)


def test_powers_are_what_they_were():
    """A power is all products of up to so many terms, however high it is: R says the same."""
    data = frame()
    two = design("y ~ (x + z)**2", data).x_names
    assert two == ("x", "z", "x:z")
    assert design("y ~ (x + z)**100", data).x_names == two
    assert design("y ~ x**64", data).x_names == ("x",)
    three = design("y ~ (v0 + v1 + v2)**3", data).x_names
    assert three == ("v0", "v1", "v2", "v0:v1", "v0:v2", "v1:v2", "v0:v1:v2")
    everything = design("y ~ .**10 - g", data[["y", "x", "z", "v0", "v1"]])
    assert len(everything.x_names) == 15
    for wrong in ("y ~ x**0", "y ~ x**-1", "y ~ x**1.5", "y ~ x**z"):
        with pytest.raises(ArgumentError, match="formula"):
            design(wrong, data)


def test_long_sums_take_no_long_time():
    n = 4000
    data = pd.DataFrame(np.zeros((3, n)) + np.arange(3)[:, None], columns=[f"c{k}" for k in range(n)]).assign(y=[1.0, 2, 4])
    begun = time.process_time()
    made = design("y ~ " + " + ".join(f"c{k}" for k in range(n)), data)
    assert made.x.shape == (n, 3)
    assert time.process_time() - begun < 20


def test_what_is_usual_passes():
    data = frame(200)
    usual = (
        "y ~ bs(x, df=100)", "y ~ poly(x, 5)", "y ~ lag(x, 3)", "y ~ lags(x, 24)", "y ~ {x**64}", "y ~ {2**10 * x}",
        "y ~ " + "(" * 50 + "x" + ")" * 50, "y ~ {" + " + ".join(["x"] * 150) + "}",
    )  # fmt: skip
    for formula in usual:
        design(formula, data)
    with pytest.raises((DataError, errors.ArgumentError)):
        design("y ~ poly(x, 150)", frame(100))


def test_responses_are_bounded():
    with pytest.raises(TooLargeError, match="poly"):
        ns.NeuralNet.from_formula("poly(k, 1000000) ~ k", {"k": np.arange(12.0)}).fit()
