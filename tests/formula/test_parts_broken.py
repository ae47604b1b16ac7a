"""Data in parts that are broken, change between two readings, or are none."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pandas as pd
import pytest
import raw
from nonsense import ENDLESS, NONSENSE, Hostile, said

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, NeuralStatError

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
QUICK = {"hidden": 0, "algorithm": "lm", "stepmax": 3, "random_state": 1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    return pd.DataFrame({"x": rng.normal(size=40), "g": rng.choice(["a", "b"], 40), "y": rng.normal(size=40),
                         "day": pd.date_range("2020-01-01", periods=40)})  # fmt: skip


@pytest.mark.parametrize(("name", "data"), [
    ("a.csv", b'x,y\n1,2\n1,2,3\n'), ("a.csv", b""), ("a.csv", b"\xff\xfe\0\0\x80,\n"), ("a.csv", b'x,y\n"1,2\n'),
    ("a.csv.gz", b"x,y\n1,2\n"), ("a.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\3\0\0"), ("a.parquet", b""), ("a.parquet", b"x,y\n"),
    ("a.parquet", b"PAR1" + bytes(40) + b"PAR1"), ("a.pq", b"PAR1\xff\xff\xff\xffPAR1"), ("a.tsv", b"\0" * 20),
])  # fmt: skip
def test_files_that_are_no_tables(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=rf"{name}|'y'|column"):
        raw.neuralnet("y ~ x", ns.chunks(str(tmp_path / name)), **QUICK)


def test_cut_parquet_names_the_file(tmp_path, table):
    table.to_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for size in (4, 100, len(whole) // 2, len(whole) - 5):
        (tmp_path / "a.parquet").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a\.parquet' cannot be read as a table"):
            raw.neuralnet("y ~ x", ns.chunks(tmp_path / "a.parquet"), **QUICK)


def test_a_file_that_goes_and_one_that_cannot_be_read(tmp_path, table):
    table.to_csv(tmp_path / "a.csv")
    parts = ns.chunks(tmp_path / "a.csv")
    (tmp_path / "a.csv").unlink()
    with pytest.raises(DataError, match=r"a\.csv' cannot be read as a table \(FileNotFoundError"):
        raw.neuralnet("y ~ x", parts, **QUICK)
    os.mkfifo(tmp_path / "b.csv")
    (tmp_path / "c.csv").mkdir()
    for name in ("b.csv", "c.csv"):
        with pytest.raises(ArgumentError, match="no file"):
            ns.chunks(str(tmp_path / name))


@pytest.mark.parametrize("column", ["x", "g", "y", "day"])
@pytest.mark.parametrize("cut", [40, 7])
def test_values_that_change_between_readings(table, column, cut):
    other = table.copy()
    other.loc[33, column] = other.loc[2, column] if column != "g" else {"a": "b", "b": "a"}[other.loc[33, "g"]]
    readings = iter([(table, 40), (other, cut)])

    def source():
        now, rows = next(readings)
        return [now.iloc[i : i + rows] for i in range(0, 40, rows)]

    with pytest.raises(DataError, match=f"column '{column}' had other values at the second reading"):
        raw.neuralnet("y ~ x + g + day.dt.day", ns.chunks(source), **QUICK)


def test_the_same_values_cut_otherwise(table):
    sizes = itertools.cycle([40, 9])

    def source():
        rows = next(sizes)
        return [table.iloc[i : i + rows] for i in range(0, 40, rows)]

    whole = raw.neuralnet("y ~ x + g", table, **QUICK)
    np.testing.assert_array_equal(raw.neuralnet("y ~ x + g", ns.chunks(source), **QUICK).params, whole.params)


@pytest.mark.parametrize("value", [v for v in NONSENSE if v is not ENDLESS] + [None, int, "", "a.csv\0", b"a.csv"], ids=said)
def test_sources_that_are_none(value):
    with pytest.raises(ArgumentError, match=r"source|chunks"):
        ns.chunks(value)
    with pytest.raises(ArgumentError, match=r"^rows must be"):
        ns.chunks([pd.DataFrame()], rows=value)
    with pytest.raises(ArgumentError, match=r"^tables must be a function"):
        ns.Partitions(value, "tables")
    with pytest.raises(ArgumentError, match=r"^function must be a function"):
        ns.chunks([pd.DataFrame()]).map(value)


@pytest.mark.parametrize("item", [Hostile(), ENDLESS, 3, b"x", 1j, None, np.zeros(3), [1], object, pd.NA], ids=said)
def test_tables_that_are_none(item):
    for source in ([item], lambda: [item], lambda: item):
        with pytest.raises(NeuralStatError):
            raw.neuralnet("y ~ x", ns.chunks(source), **QUICK)


def test_functions_that_raise(table):
    def later():
        yield table
        raise KeyError("gone")

    for source in (lambda: 1 / 0, later):
        with pytest.raises(DataError, match=r"the function raised (ZeroDivisionError|KeyError)"):
            raw.neuralnet("y ~ x", ns.chunks(source), **QUICK)
