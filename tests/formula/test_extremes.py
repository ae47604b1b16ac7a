"""Numbers at the ends of what floats hold, masks, and numbers that floats do not tell apart: used, or refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import DataError
from neuralstat.formula import design, extremes, from_arrays

N = 12
ROW = np.arange(N)
MASK = ROW < 3


def table(**change):
    return {"x": np.sin(ROW), "y": np.cos(ROW), **change}


@pytest.mark.parametrize(
    "values",
    [np.sin(ROW), ROW, ROW.astype(np.uint8), ROW % 2 == 0, np.array(list("ab") * (N // 2)), np.sin(ROW).astype("f4")],
    ids=lambda v: str(v.dtype),
)  # fmt: skip
@pytest.mark.parametrize("name", ["x", "y"])
def test_a_mask_is_missing_data(name, values):
    masked = np.ma.array(values, mask=MASK)
    made = design("y ~ x", table(**{name: masked}))
    np.testing.assert_array_equal(made.kept, ~MASK)
    expected = design("y ~ x", {k: np.asarray(v)[~MASK] for k, v in table(**{name: values}).items()})
    np.testing.assert_array_equal(made.x, expected.x)
    np.testing.assert_array_equal(made.y, expected.y)
    assert design("y ~ x", table(**{name: np.ma.array(values)})).kept.all()


def test_masks_of_arrays_weights_offsets_and_new_data():
    two = np.ma.array(np.c_[np.sin(ROW), ROW], mask=np.c_[MASK, ROW == 5])
    made = from_arrays(np.ma.array(np.cos(ROW), mask=ROW == 7), two)
    assert np.flatnonzero(~made.kept).tolist() == [0, 1, 2, 5, 7]
    assert np.flatnonzero(~design("y ~ x", table(x=two)).kept).tolist() == [0, 1, 2, 5]
    ones = np.ma.array(np.ones(N), mask=MASK)
    for name in ("weights", "freq_weights", "offset"):
        np.testing.assert_array_equal(design("y ~ x", table(), **{name: ones}).kept, ~MASK)
    records = np.ma.array(np.rec.fromarrays([np.sin(ROW), np.cos(ROW)], names="x,y"), mask=[(m, False) for m in MASK])
    np.testing.assert_array_equal(design("y ~ x", records).kept, ~MASK)
    spec = design("y ~ x", table()).spec
    new = np.ma.array(np.sin(ROW), mask=MASK)
    for given in (new, {"x": new}, new[:, np.newaxis]):
        np.testing.assert_array_equal(spec.encode(given).complete, ~MASK)


@pytest.mark.parametrize(
    "values", [2**60 + ROW, np.uint64(2**63) + ROW.astype(np.uint64), np.array([2**70 + int(k) for k in ROW], object),
               pd.array(2**60 + ROW, dtype="Int64"), np.longdouble(1) + ROW * np.finfo(np.longdouble).eps / 8],
    ids=["int64", "uint64", "python", "Int64", "longdouble"],
)  # fmt: skip
def test_different_numbers_stay_different(values):
    if getattr(values, "dtype", None) == np.longdouble and np.finfo(np.longdouble).eps == np.finfo(float).eps:
        return  # a machine without wider floats
    for name in ("x", "y"):
        with pytest.raises(DataError, match=f"'{name}' has different numbers that would become one"):
            design("y ~ x", table(**{name: values}))
    with pytest.raises(DataError, match=r"offset.* different numbers"):
        design("y ~ x", table(), offset=values)


def test_numbers_beyond_all_floats():
    for given in ({"data": table(x=[10**400] * N)}, {"weights": [10**400] * N}, {"offset": [10**400] * N}):
        with pytest.raises(DataError, match=r"(column 'x'|weights|offset).* too large"):
            design("y ~ x", **{"data": table(), **given})


def test_large_whole_numbers_that_floats_hold_and_labels():
    np.testing.assert_array_equal(design("y ~ x", table(x=2**60 + 2**20 * ROW)).x[0], 2.0**60 + 2**20 * ROW)
    np.testing.assert_array_equal(design(f"y ~ {{x - {2**60}}}", table(x=2**60 + ROW)).x[0], ROW)
    assert design("y ~ C(x)", table(x=2**60 + ROW % 3)).x.shape[0] == 2


@pytest.mark.parametrize("factor", [1e160, 1e300, 1e-160, 1e-300])
@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("standardize", [True, False])
def test_sizes_whose_squares_are_no_numbers_are_refused_by_name(name, factor, standardize):
    data = table(**{name: factor * np.sin(1 + ROW)})
    with pytest.raises(DataError, match=rf"'{name}' (holds numbers as large as|varies by) .*units"):
        design("y ~ x", data, standardize=standardize, scale_response=True)
    if factor > 1:
        spec = design("y ~ x", table()).spec
        with pytest.raises(DataError, match=f"'{name}' holds numbers"):
            spec.encode(data) if name == "x" else spec.encode_response(data)


@pytest.mark.parametrize("factor", [1e149, 1e-145])
def test_what_is_taken_is_fitted(factor):
    data = {"x": np.sin(ROW) * factor, "y": np.cos(ROW) * factor}
    fit = ns.neuralnet("y ~ x", data, hidden=0)
    plain = ns.neuralnet("y ~ x", table(), hidden=0)
    np.testing.assert_allclose(fit.predict() / factor, plain.predict(), rtol=1e-9)


def test_weights_offsets_and_derived_terms():
    for name in ("weights", "var_weights", "freq_weights"):
        for value in (1e200, 1e-200):
            with pytest.raises(DataError, match=f"{name} must be numbers of moderate size"):
                design("y ~ x", table(), **{name: np.full(N, value)})
    with pytest.raises(DataError, match=r"offset.* holds numbers"):
        design("y ~ x", table(), offset=np.full(N, 1e200))
    with pytest.raises(DataError, match=r"x \*\* 200.* holds numbers"):
        design("y ~ {x ** 200}", table(x=1.0 + ROW))


def test_helpers():
    text = np.ma.array(np.array(["a", "b"]), mask=[True, False])
    assert extremes.unmasked(text).tolist() == [None, "b"]
    assert extremes.unmasked([1]) == [1] and extremes.unmasked(np.ma.array([1, 2])).tolist() == [1, 2]
    np.testing.assert_array_equal(extremes.floats([True, 2], "x"), [1, 2])
    extremes.check_sizes(np.array([[np.nan, 1.0]]), ("a",))
    with pytest.raises(DataError, match="'a' is infinite in 1 row"):
        extremes.check_sizes(np.array([[np.nan, -np.inf]]), ("a",))
