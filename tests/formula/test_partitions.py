"""Fits of data in parts: the same as of the tables put together, from files, functions and Dask; what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, DataWarning, NeuralStatWarning
from neuralstat.formula.sequences import as_table

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 2000
    table = pd.DataFrame({
        "x": rng.standard_normal(n), "z": rng.uniform(1, 2, n), "whole": rng.integers(0, 3, n), "flag": rng.random(n) < 0.5,
        "g": rng.choice(list("abc"), n), "k": pd.Categorical(rng.choice(["u", "v"], n), categories=["v", "u", "w"]),
        "w": rng.uniform(0.5, 1, n), "o": rng.uniform(0, 0.1, n),
    }, index=np.arange(n) + 7)  # fmt: skip
    table["y"] = np.sin(table["x"]) + (table["g"] == "b") + 0.1 * rng.standard_normal(n)
    table["count"] = rng.poisson(np.exp(0.3 * table["x"]))
    table["class"] = np.where(table["x"] + 0.3 * rng.standard_normal(n) > 0, "yes", "no")
    table.loc[table.index[::100], "x"] = np.nan
    table.loc[table.index[5], "g"] = None
    return table


def cut(table, rows=300):
    return [table.iloc[i : i + rows] for i in range(0, len(table), rows)]


FITS = {
    "factors, weights, standardize": ("y ~ x + log(z) + g + k + flag", {"weights": "w", "standardize": True}),
    "C() of numbers, offset()": ("y ~ x * C(whole) + offset(o)", {"algorithm": "lm"}),
    "dot, decay": ("y ~ .", {"penalty": ns.decay(0.1), "algorithm": "lbfgs"}),
    "several outputs": ("y + z ~ x + k", {"algorithm": "slr"}),
    "factor response": ("k ~ x + z", {"err_fct": "ce", "linear_output": False}),
    "binomial": ("class ~ x + g", {"family": "binomial", "algorithm": "lm"}),
    "poisson, offset, hidden 0": ("count ~ x + g", {"family": "poisson", "offset": "o", "hidden": 0, "algorithm": "lm"}),
    "as R": ("k ~ x", {"compat": "R", "linear_output": False}),
}


@pytest.mark.parametrize("name", FITS)
def test_equals_the_fit_in_memory(data, name):
    formula, options = FITS[name]
    options = {"hidden": 2, "rep": 2, "random_state": 1, "stepmax": 40, **options}
    whole = raw.neuralnet(formula, data, **options)
    parts = raw.neuralnet(formula, ns.chunks(cut(data)), **options)
    assert parts.nobs == whole.nobs
    pd.testing.assert_frame_equal(parts.result_matrix, whole.result_matrix, rtol=1e-9)
    pd.testing.assert_frame_equal(pd.DataFrame(parts.fittedvalues), pd.DataFrame(whole.fittedvalues), rtol=1e-9)
    new = data.iloc[10:20]
    pd.testing.assert_frame_equal(pd.DataFrame(parts.predict(new)), pd.DataFrame(whole.predict(new)), rtol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuralStatWarning)
        assert parts.llf == pytest.approx(whole.llf) and parts.aic == pytest.approx(whole.aic)
        assert str(parts).splitlines()[2:10] == str(whole).splitlines()[2:10]
    offset = None if parts.design.spec.offset_kind == "none" else np.zeros(parts.nobs)
    np.testing.assert_allclose(parts.design.encode(parts.design.frame, offset=offset).x, parts.design.x)


def test_from_dask(data):
    import dask.dataframe as dd

    options = {"hidden": 2, "random_state": 1, "stepmax": 30}
    whole = raw.neuralnet("y ~ x + g + k", data, **options)
    parts = raw.neuralnet("y ~ x + g + k", dd.from_pandas(data, npartitions=4), **options)
    np.testing.assert_array_equal(parts.fit.theta, whole.fit.theta)
    assert parts.resid.index.equals(whole.resid.index)


def test_from_files_and_functions(data, tmp_path):
    options = {"hidden": 2, "random_state": 1, "stepmax": 30}
    whole = raw.neuralnet("y ~ x + g", data, **options)
    for k, table in enumerate(cut(data, 700)):
        table.to_parquet(tmp_path / f"part{k}.parquet")
        table.to_csv(tmp_path / f"part{k}.csv", index=False)
    files = sorted(tmp_path.glob("*.parquet"))

    def made():
        yield from cut(data, 999)

    for source in (str(tmp_path / "*.parquet"), files, str(tmp_path / "*.csv"), made):
        parts = raw.neuralnet("y ~ x + g", ns.chunks(source, rows=128), **options)
        np.testing.assert_allclose(parts.fit.theta, whole.fit.theta, rtol=1e-12)
    assert "3 files" in repr(ns.chunks(files))


def test_level_that_comes_last_and_empty_parts(data):
    late = data.dropna().copy()
    late.iloc[-1, late.columns.get_loc("g")] = "zz"
    pieces = [late.iloc[:0], *cut(late, 700), late.iloc[:0]]
    parts = raw.neuralnet("y ~ g", ns.chunks(pieces), hidden=0, algorithm="lm", random_state=1)
    assert parts.design.x_names == ("g[T.b]", "g[T.c]", "g[T.zz]")
    whole = raw.neuralnet("y ~ g", late, hidden=0, algorithm="lm", random_state=1)
    np.testing.assert_array_equal(parts.fit.theta, whole.fit.theta)


def test_arrays_lie_on_disk_and_leave_nothing_behind(data, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fit = raw.neuralnet("y ~ x + g", ns.chunks(cut(data)), hidden=2, random_state=1, stepmax=5)
    base = fit.design.x
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) and fit.data.x.base is not None and np.shares_memory(fit.data.x, fit.design.x)
    assert os.listdir(tmp_path) == []
    assert np.isfinite(fit.fittedvalues.iloc[1]) and fit.design.frame["x"].notna().all()


def test_save_and_load(data, tmp_path):
    fit = raw.neuralnet("y ~ x + g + flag", ns.chunks(cut(data)), hidden=2, random_state=1, stepmax=20, standardize=True)
    fit.save(tmp_path / "fit.nst")
    loaded = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_series_equal(loaded.fittedvalues, fit.fittedvalues)
    pd.testing.assert_series_equal(loaded.predict(data.iloc[:20]), fit.predict(data.iloc[:20]))


def test_rows_that_an_expression_makes_no_number(data):
    options = {"hidden": 0, "algorithm": "lm", "random_state": 1}
    with pytest.warns(DataWarning, match="is not a number in"):
        whole = raw.neuralnet("y ~ log(x)", data, **options)
    with pytest.warns(DataWarning, match=f"is not a number in {int((data['x'] < 0).sum())} row"):
        parts = raw.neuralnet("y ~ log(x)", ns.chunks(cut(data)), **options)
    np.testing.assert_array_equal(parts.fit.theta, whole.fit.theta)


@pytest.mark.parametrize(("formula", "options", "error", "message"), [
    ("y ~ lags(z, 3)", {}, ArgumentError, "neighbouring rows"),
    ("y ~ lag(z)", {}, ArgumentError, r"lag\(\)|`lag\(z\)`"),
    ("y ~ z", {"weights": np.ones(2000)}, ArgumentError, "weights must be the name of a column"),
    ("y ~ z", {"offset": np.ones(2000)}, ArgumentError, "offset must be the name of a column"),
    ("y ~ zz", {}, DataError, "no column 'zz'"),
    ("y ~ x", {"missing": "raise"}, DataError, r"missing values in 'x' \(20\)"),
    ("x ~ z", {"family": "poisson"}, DataError, "response 'x' must be"),
])  # fmt: skip
def test_refused(data, formula, options, error, message):
    with pytest.raises(error, match=message):
        raw.neuralnet(formula, ns.chunks(cut(data)), **options)


def test_sources_that_are_refused(data, tmp_path):
    for source, message in (
        ((t for t in cut(data)), "A generator can be read only once"),
        ([], "the list is empty"),
        (3, "source must be files, tables"),
        ("nothing-*.csv", "no file"),
        ([tmp_path / "a.csv"], "no file"),
        (["a", data], "mixes files and tables"),
    ):
        with pytest.raises(ArgumentError, match=message):
            ns.chunks(source)
    (tmp_path / "a.xls").write_text("")
    with pytest.raises(ArgumentError, match="neither Parquet"):
        raw.neuralnet("y ~ x", ns.chunks(str(tmp_path / "a.xls")))
    with pytest.raises(ArgumentError, match="must give an iterator"):
        raw.neuralnet("y ~ x", ns.chunks(lambda: 3))
    once = iter(cut(data))
    with pytest.raises(DataError, match="same iterator twice"):
        raw.neuralnet("y ~ x", ns.chunks(lambda: once))
    grows = []

    def growing():
        grows.append(data)
        return list(grows)

    with pytest.raises(DataError, match="second reading gave more rows"):
        raw.neuralnet("y ~ z", ns.chunks(growing))
    with pytest.raises(DataError, match="no rows to fit"):
        raw.neuralnet("y ~ x", ns.chunks([data.iloc[:0]]))
    with pytest.raises(DataError, match=r"a part of the data lacks a column.*'z'"):
        raw.neuralnet("y ~ z", ns.chunks([data, data.drop(columns="z")]))


@pytest.mark.slow
def test_a_million_rows(tmp_path):
    n, rng = 1_000_000, np.random.default_rng(3)
    table = pd.DataFrame(rng.standard_normal((n, 20)), columns=[f"x{j}" for j in range(20)])
    table["y"] = np.tanh(table["x0"]) + 0.1 * rng.standard_normal(n)
    for k, part in enumerate(cut(table, 100_000)):
        part.to_parquet(tmp_path / f"{k}.parquet")
    options = {"hidden": (4, 2), "random_state": 1, "stepmax": 12}
    parts = raw.neuralnet("y ~ .", ns.chunks(str(tmp_path / "*.parquet")), **options)
    whole = raw.neuralnet("y ~ .", table, **options)
    np.testing.assert_array_equal(parts.fit.theta, whole.fit.theta)


LITTLE = """
    import resource
    import numpy as np, pandas as pd
    import neuralstat as ns

    ROWS, PARTS, COLUMNS = 200_000, 20, 12

    def tables(parts=PARTS, rows=ROWS):
        for k in range(parts):
            rng = np.random.default_rng(k)
            table = pd.DataFrame(rng.standard_normal((rows, COLUMNS)), columns=[f"x{j}" for j in range(COLUMNS)])
            yield table.assign(y=np.tanh(table["x0"]) + 0.1 * rng.standard_normal(rows))

    options = {"hidden": 2, "random_state": 1, "stepmax": 5, "standardize": True, "n_jobs": 2}
    raw.neuralnet("y ~ .", ns.chunks(lambda: tables(2, 10_000)), **options).fittedvalues
    used = int(next(l for l in open("/proc/self/status") if l.startswith("VmData")).split()[1]) * 1024
    encoded = 8 * ROWS * PARTS * (2 * COLUMNS + 1)
    limit = used + encoded // 2
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        np.ones(encoded // 8)
        raise SystemExit("the limit does not bite")
    except MemoryError:
        pass
    fit = raw.neuralnet("y ~ .", ns.chunks(tables), **options)
    print(fit.nobs, np.isfinite(fit.fittedvalues).all())
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's memory limits")
def test_more_data_than_memory(tmp_path):
    script = tmp_path / "little.py"
    script.write_text(textwrap.dedent(LITTLE))
    done = subprocess.run([sys.executable, "-W", "ignore", script], capture_output=True, text=True)
    assert done.stdout.split() == ["4000000", "True"], done.stderr[-2000:]


def test_arrays_that_the_formula_does_not_read_leave_parts_parts():
    """Parts stay parts, and are gone through as often as without arrays."""
    rng = np.random.default_rng(1)
    table = {"x": rng.normal(size=30), "y": rng.normal(size=30), "x_picture": rng.random((30, 2, 2))}
    read = []

    def parts(names):
        def made():
            read.append(0)
            for a in range(0, 30, 10):
                read[-1] += 1
                yield {name: table[name][a : a + 10] for name in names}

        return made

    asked = [("y ~ x", "x y x_picture", False), ("y ~ x", "x y", False), ("y ~ .", "x y x_picture", True),
             ("y ~ x + {x_picture / 2}", "x y x_picture", True), ("y ~ {0.5 * x}", "x y x_picture", False)]  # fmt: skip
    for formula, names, whole in asked:
        read.clear()
        made = as_table(formula, ns.chunks(parts(names.split())))
        assert isinstance(made, pd.DataFrame) == whole, formula
        assert read == [3 if whole else 1]
        if not whole:
            for count in ([3], [3, 3], [3, 3, 3]):
                assert sum(len(t) for t in made) == 30
                assert read == count  # the first goes on where it was
    read.clear()
    ns.neuralnet("y ~ x", ns.chunks(parts(["x", "y"])), hidden=0, algorithm="lm")
    want = read.copy()
    read.clear()
    ns.neuralnet("y ~ x", ns.chunks(parts(["x", "y", "x_picture"])), hidden=0, algorithm="lm")
    assert read == want
