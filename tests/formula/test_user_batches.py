"""Batches of users' objects: what is one, what they may do between two readings, weights that they bring."""

import array
import collections
import copy

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, NeuralStatError
from neuralstat.formula import frames
from neuralstat.formula.sequences import as_table, is_sequence
from neuralstat.formula.unnamed import is_unnamed
from neuralstat.layers import Dense, Flatten

pytestmark = pytest.mark.filterwarnings(
    "ignore::neuralstat.errors.FitWarning", "ignore::neuralstat.errors.ConvergenceWarning"
)  # of fits of few epochs
N, SIZE = 22, 5
RNG = np.random.default_rng(8)
X = RNG.integers(0, 9, (N, 2, 2)).astype(float)
Y, W = RNG.normal(size=N), RNG.uniform(0.5, 2, N)


class Given:
    """Batches by number."""

    def __init__(self, x=X, y=Y, w=None):
        self.columns_ = (x, y) if w is None else (x, y, w)

    def __len__(self):
        return -(-N // SIZE)

    def __getitem__(self, k):
        return tuple(column[k * SIZE : (k + 1) * SIZE] for column in self.columns_)


class Refilled(Given):
    """As `Given`, but all batches in the same memory."""

    def __init__(self, *columns):
        super().__init__(*columns)
        self.memory = [np.empty((SIZE, *column.shape[1:]), column.dtype) for column in self.columns_]

    def __getitem__(self, k):
        for memory, column in zip(self.memory, super().__getitem__(k), strict=True):
            memory[: len(column)] = column
        m = len(column)
        return tuple(memory[:m] for memory in self.memory)


class Answers(Given):
    """Has every attribute that it is asked for, by an error."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def fit(data, formula="y ~ x", **settings):
    given = {"layers": [Flatten(), Dense(2, "tanh")], "algorithm": "adam", "epochs": 2, "random_state": 1, **settings}
    return ns.neuralnet(formula, data, **given)


def test_objects_that_fill_one_memory_again_and_again():
    table = as_table("y ~ x", Refilled(X, Y, W))
    np.testing.assert_array_equal(table["y"], Y)
    np.testing.assert_array_equal(table["sample_weight"], W)
    np.testing.assert_array_equal(table["x"].array.rows(np.arange(N)), X)
    np.testing.assert_array_equal(table["x"].array.rows(np.array([0, 21, 7, 0])), X[[0, 21, 7, 0]])  # held ones, too
    np.testing.assert_array_equal(fit(Refilled(X, Y, W)).fitted.fit.theta, fit(Given(X, Y, W)).fitted.fit.theta)


class Mixed(Given):
    """The first batch is of another kind of number than the others."""

    def __init__(self, first, later):
        super().__init__(X / 4)
        self.kinds = first, later

    def __getitem__(self, k):
        x, y = super().__getitem__(k)
        return (np.rint(x) if k == 0 else x).astype(self.kinds[k > 0]), y


KINDS = [("int64", "float64", "float64"), ("uint8", "float32", "float32"), ("float32", "float64", "float64"),
         ("bool", "uint8", "uint8")]  # fmt: skip


@pytest.mark.parametrize(("first", "later", "kind"), KINDS)
def test_kinds_of_numbers_of_all_batches(first, later, kind):
    given = Mixed(first, later)
    whole = np.concatenate([given[k][0] for k in range(len(given))])
    table = as_table("y ~ x", given)
    assert table["x"].array.source.dtype == kind
    np.testing.assert_array_equal(table["x"].array.rows(np.arange(N)), whole)


def test_batches_of_another_kind_at_the_second_reading():
    given = Mixed("uint8", "uint8")
    table = as_table("y ~ x", given)
    given.kinds = ("float64", "float64")
    with pytest.raises(DataError, match=r"data\[0\] gave covariates of shape \(5, 2, 2\) of float64; .* uint8"):
        table["x"].array.rows(np.arange(N))


NO_TABLES = [
    array.array("d", [1, 2]), collections.deque([1.0]), bytearray(b"ab"), memoryview(b"ab"), collections.UserList([1]),
    collections.UserString("ab"), collections.deque(), [1.0], "ab", b"ab", (1, 2), range(3),
    pd.DataFrame({"z": [1, 2], "y": [1, 2]}).groupby("z"),
]  # fmt: skip


@pytest.mark.parametrize("data", NO_TABLES, ids=lambda data: f"{type(data).__name__}{len(data)}")
def test_what_is_no_table_is_said(data):
    with pytest.raises(NeuralStatError, match=r"^data must be a pandas, polars or arrow table"):
        fit(data)


def test_the_message_says_what_the_first_batch_is():
    with pytest.raises(ArgumentError, match=r"or batches \(x, y\) by number: data\[0\] is a float\.(\n|$)"):
        fit(collections.deque([1.0]))
    with pytest.raises(ArgumentError, match=r"by number: data\[0\] raised KeyError"):
        fit(pd.DataFrame({"z": [1, 2], "y": [1, 2]}).groupby("z"))
    broken = type("Broken", (Given,), {"__getitem__": lambda self, k: Given.__getitem__(self, k if k < 2 else 1 / 0)})
    with pytest.raises(DataError, match=r"^data\[2\] raised ZeroDivisionError"):
        fit(broken())
    with pytest.raises(ArgumentError, match=r"its len\(\) raised KeyError: 'endless'"):
        fit(type("Endless", (Given,), {"__len__": lambda self: {}["endless"]})())
    with pytest.raises(DataError, match=r"shape \(rows, 2, 2\) are needed"):
        fit(Given(np.char.add(np.where(np.arange(N)[:, None, None] > 9, "a", "b"), X.astype(str))), formula="y ~ x")


def test_tables_of_other_packages_are_tables():
    polars, pyarrow, xarray = (pytest.importorskip(name) for name in ("polars", "pyarrow", "xarray"))
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 3.0]})
    tables = [frame, polars.from_pandas(frame), polars.from_pandas(frame).lazy(), pyarrow.Table.from_pandas(frame),
              xarray.Dataset.from_dataframe(frame), frame.to_records(), frame.to_dict("list"),
              collections.UserDict(x=[1])]  # fmt: skip
    for table in tables:
        assert frames.is_table(table) and not is_sequence(table), type(table)
    arrays = (frame["x"].to_numpy(), polars.Series([1.0]), pyarrow.array([1.0]), xarray.DataArray([1.0]))
    for values in (frame["x"], *arrays):
        assert is_unnamed(values) and not frames.is_table(values) and not is_sequence(values), type(values)
    assert not is_sequence(pd.DataFrame) and not is_sequence(ns.chunks([frame]))


def test_objects_whose_attributes_raise_are_batches():
    assert is_sequence(Answers())
    np.testing.assert_array_equal(fit(Answers()).fitted.fit.theta, fit(Given()).fitted.fit.theta)


# weights ---------------------------------------------------------------------------------------------------------------


def test_notes_of_a_table_are_no_weights():
    data = pd.DataFrame({"y": Y, "x": X[:, 0, 0]})
    data.attrs["sample_weight"] = "kg"
    assert fit(data, layers=None, hidden=2).settings.weights is None


def test_weights_are_given_once():
    for name in ("weights", "var_weights"):
        with pytest.raises(ArgumentError, match=f"^{name}: the batches .* bring weights"):
            fit(Given(X, Y, W), **{name: W})
    for formula in ("sample_weight ~ x", "y ~ sample_weight"):
        with pytest.raises(ArgumentError, match="'sample_weight' names the weights that the batches bring"):
            fit(Given(X, Y, W), formula)
    without = fit(Given(X, Y), "y ~ sample_weight")  # a name as any other where no weights come
    assert without.settings.weights is None


@pytest.mark.parametrize("w", [None, W])
def test_weights_of_validation_batches_count_whatever_the_fit_has(w):
    data = Given(X, Y, w)
    made = fit(data, validation=Given(X, Y, W))
    error = (Y - made.predict(Given(X, Y)).to_numpy().ravel()) ** 2
    assert made.evaluate(Given(X, Y, W))["loss"] == pytest.approx(np.average(error, weights=W), rel=1e-9)
    assert made.evaluate(Given(X, Y))["loss"] == pytest.approx(error.mean(), rel=1e-9)
    assert made.history["val_loss"].iloc[-1] == pytest.approx((W * error).mean(), rel=1e-9)
    plain = fit(data, validation=Given(X, Y))
    assert plain.history["val_loss"].iloc[-1] == pytest.approx(error.mean(), rel=1e-9)
    np.testing.assert_array_equal(plain.fitted.fit.theta, made.fitted.fit.theta)


def test_a_replaced_head_is_fitted_with_the_weights_of_its_data():
    one = fit(Given(X, Y))
    weighted, plain = (one.replace_head(copy.copy(data), freeze=False) for data in (Given(X, Y, W), Given(X, Y)))
    assert weighted.settings.weights == "sample_weight" and plain.settings.weights is None
    np.testing.assert_array_equal(weighted.design.weights, W)
