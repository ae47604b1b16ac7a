"""Large arrays per row stay in their own kind of number until rows are read, and are then the same inputs."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import neuralstat as ns
from neuralstat.errors import DataError
from neuralstat.formula import sources
from neuralstat.formula.gathered import Gathered
from neuralstat.formula.lazy import LazyArray
from neuralstat.formula.sources import Plain, Table

KINDS = ["uint8", "int8", "uint16", "int16", "bool", "int32", "int64", "float32", "float64"]
EXPRESSIONS = ["x", "{x / 255}", "{(x - 128) / 64}", "{x ** 2}", "{log1p(abs(x)) * 2}", "{-1.0 * x}", "{x // 7}"]
N = 23


@pytest.fixture
def by_rows(monkeypatch):
    """All arrays per row count as large, and few rows are read together."""

    def begin():
        monkeypatch.setattr(sources, "LARGE", 1)
        monkeypatch.setattr(sources, "PART", 40)

    return begin


def pixels(kind="uint8", n=N, shape=(3, 2, 2), seed=0):
    made = np.random.default_rng(seed).integers(0, 256, (n, *shape))
    return made > 99 if kind == "bool" else (made - (128 if kind == "int8" else 0)).astype(kind)


def model(formula, x, **more):
    settings = {k: more.pop(k) for k in ("standardize", "missing", "subset") if k in more}
    y = np.arange(x.shape[0]) % 3 / 2
    data = {"x": x, "y": y, "z": np.linspace(3, 5, x.shape[0]), **more}
    return ns.NeuralNet.from_formula(formula, data, layers=[ns.layers.Flatten()], algorithm="adam", **settings)


@pytest.mark.parametrize("term", EXPRESSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_the_same_bits(term, kind, by_rows):
    x = pixels(kind)
    want, new = model(f"y ~ {term}", x).design, model(f"y ~ {term}", x).design.encode({"x": x[::-2]})
    by_rows()
    design = model(f"y ~ {term}", x).design
    assert isinstance(design.x, Gathered) and not isinstance(want.x, Gathered)
    assert design.x.shape == want.x.shape and len(design.x) == len(want.x)
    np.testing.assert_array_equal(np.asarray(design.x), want.x)
    again = design.encode({"x": x[::-2]})
    assert isinstance(again.x, Gathered) and again.complete.all()
    np.testing.assert_array_equal(np.asarray(again.x), new.x)
    out = np.empty((3, len(want.x)), np.float32)
    design.x.read(np.array([4, 0, 4]), out)
    np.testing.assert_array_equal(out, want.x.T[[4, 0, 4]].astype(np.float32))
    np.testing.assert_array_equal(design.x[:, 5:9], want.x[:, 5:9])
    np.testing.assert_array_equal(design.x[2], want.x[2])
    np.testing.assert_array_equal(design.x.T * 2 + 1, want.x.T * 2 + 1)
    assert design.x.std() == want.x.std()


@pytest.mark.parametrize("standardize", ["auto", True, False])
def test_beside_tabular_terms_and_standardised(standardize, by_rows):
    x = pixels()
    want = model("y ~ {x / 255} + z + {z ** 2}", x, standardize=standardize).design
    by_rows()
    design = model("y ~ {x / 255} + z + {z ** 2}", x, standardize=standardize).design
    np.testing.assert_array_equal(np.asarray(design.x), want.x)
    np.testing.assert_array_equal(np.asarray(design.x[-2:]), want.x[-2:])
    new = {"x": pixels(seed=2), "z": np.linspace(0, 9, N)}
    np.testing.assert_array_equal(np.asarray(design.encode(new).x), want.encode(new).x)


def test_several_arrays_lie_side_by_side(by_rows):
    x, w = pixels(), pixels("float32", seed=1)
    want = model("y ~ {x / 255} + w + {x * w}", x, w=w).design
    by_rows()
    design = model("y ~ {x / 255} + w + {x * w}", x, w=w).design
    np.testing.assert_array_equal(np.asarray(design.x), want.x)


def test_rows_that_miss_something(by_rows):
    x, z = pixels("float32"), np.linspace(3, 5, N)
    x[4, 1, 0, 1], z[9] = np.nan, np.nan
    want = model("y ~ {x / 255} + z", x, z=z).design
    by_rows()
    design = model("y ~ {x / 255} + z", x, z=z).design
    np.testing.assert_array_equal(design.kept, want.kept)
    np.testing.assert_array_equal(np.asarray(design.x), want.x)
    new, old = (d.encode({"x": x, "z": z}) for d in (design, want))
    np.testing.assert_array_equal(new.complete, old.complete)
    np.testing.assert_array_equal(np.asarray(new.x), old.x)
    with pytest.raises(DataError, match="missing values in"):
        model("y ~ {x / 255} + z", x, missing="raise")
    x[4, 1, 0, 1] = np.inf
    with pytest.raises(DataError, match=r"column 'x' is infinite in 1 row"):
        model("y ~ x", x)
    with pytest.raises(DataError, match="infinite in 1 row"):
        model("y ~ {x * 2}", x)
    big = pixels("float64")
    big[4, 1, 0, 1] = 1e200
    with pytest.raises(DataError, match=r"term 'x\[1,0,1\]' holds numbers as large as 1e\+200"):
        model("y ~ x", big)


def test_numbers_that_are_none_in_an_expression_drop_rows(by_rows):
    x = pixels("int16") + 1
    x[7, 0, 0, 0] = -3
    want = model("y ~ {log(x)}", x).design
    by_rows()
    design = model("y ~ {log(x)}", x).design
    assert want.kept.sum() == N - 1
    np.testing.assert_array_equal(design.kept, want.kept)
    np.testing.assert_array_equal(np.asarray(design.x), want.x)


def test_expressions_over_rows_are_evaluated_once(by_rows):
    x = pixels()
    want = model("y ~ {x - x.mean()}", x).design
    by_rows()
    np.testing.assert_array_equal(np.asarray(model("y ~ {x - x.mean()}", x).design.x), want.x)


def test_users_may_change_their_arrays_afterwards(by_rows):
    by_rows()
    x = pixels()
    for term in ("x", "{x / 255}"):
        own = x.copy()
        design = model(f"y ~ {term}", own).design
        before = np.asarray(design.x).copy()
        own[:] = 0
        np.testing.assert_array_equal(np.asarray(design.x.select(slice(None))), before)
        np.testing.assert_array_equal(np.asarray(design.encode(design.frame).x), before)


def test_mapped_files_are_not_copied(by_rows, tmp_path):
    by_rows()
    np.save(tmp_path / "x.npy", pixels())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    design = model("y ~ {x / 255}", mapped).design
    source = design.x.columns[0].source
    assert isinstance(source, Table) and isinstance(source.inner, Plain) and source.inner.mapped
    assert np.shares_memory(source.inner.array, mapped)
    np.testing.assert_array_equal(np.asarray(design.x), (pixels() / 255).reshape(N, -1).T)


def test_a_design_survives_pickling(by_rows):
    by_rows()
    design = model("y ~ {x / 255} + {sqrt(z)}", pixels()).design
    other = pickle.loads(pickle.dumps(design.x))
    np.testing.assert_array_equal(np.asarray(other), np.asarray(design.x))
    floats = model("y ~ {sqrt(x) / 16}", pixels("float32")).design.x
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(floats))), np.asarray(floats))


def test_columns_of_pandas_may_be_cut_joined_and_counted(by_rows):
    by_rows()
    column = pd.Series(LazyArray(Plain(pixels())))
    np.testing.assert_array_equal(column[column.index > 20].array.values, pixels()[21:])
    np.testing.assert_array_equal(column.iloc[[3, 1]].array.values, pixels()[[3, 1]])
    assert column[5].shape == (3, 2, 2) and not column.isna().any()
    gap = column.reindex([0, 99])
    assert gap.isna().tolist() == [False, True] and np.isnan(gap.array.values[1]).all()
    np.testing.assert_array_equal(pd.concat([column, column]).array.values, np.concatenate([pixels()] * 2))
    assert np.all(column.array == column.array.copy())


class Rows:
    """Rows that are made when they are asked for."""

    dtype = np.dtype(np.float32)

    def __init__(self, values):
        self.values, self.shape, self.asked = values, values.shape, 0

    def read(self, rows):
        self.asked += len(rows)
        return self.values[rows]


def test_an_object_that_gives_rows_is_an_array():
    source = Rows(pixels("float32"))
    design = model("y ~ {x / 255}", source).design
    assert source.asked == 0  # reading may be as much work as training
    np.testing.assert_array_equal(np.asarray(design.x), (pixels("float32") / np.float32(255)).reshape(N, -1).T.astype(float))
    source.values = source.values[:, :1]
    with pytest.raises(DataError, match=r"column 'x': read\(\) gave an array of shape"):
        np.asarray(design.x.select([1]))
    wrong = Rows(np.full((N, 2, 2), np.nan, np.float32))
    with pytest.raises(DataError, match="missing or infinite"):
        np.asarray(model("y ~ x", wrong).design.x)


def test_memory_of_a_design_is_that_of_its_bytes():
    x = np.random.default_rng(0).integers(0, 256, (8_000, 28, 28), dtype=np.uint8)
    model("y ~ {x / 255}", x[:10])
    tracemalloc.start()
    design = model("y ~ {x / 255}", x).design
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(design.x, Gathered) and peak < 2 * x.nbytes  # floats would be 8 times the bytes


@pytest.mark.parametrize("term", ["x", "{x / 2}", "{x > 0}"])
@pytest.mark.parametrize("kind", ["float32", "int8", "float64"])
@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_sparse_matrices_stay_sparse(term, kind, make, by_rows):
    x = np.where(np.random.default_rng(0).random((N, 9)) < 0.2, 3, 0).astype(kind)
    want = model(f"y ~ {term}", x).design
    small = model(f"y ~ {term}", make(x)).design
    np.testing.assert_array_equal(small.x, want.x)
    by_rows()
    design = model(f"y ~ {term}", make(x)).design
    np.testing.assert_array_equal(np.asarray(design.x), want.x)
    source = design.x.columns[0].source
    source = source if term == "x" else source.inner if isinstance(source, Table) else source.inner["x"]
    assert isinstance(source, sources.Sparse)
    np.testing.assert_array_equal(np.asarray(design.encode({"x": make(x[::-1])}).x), want.x[:, ::-1])
    with pytest.raises(DataError, match="infinite in 1 row"):
        wrong = x.astype(float)
        wrong[3, 3] = np.inf
        model("y ~ x", make(wrong))
