"""The command line meets arguments and files that are none: a line on stderr, never a traceback."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuralstat.cli import main

FAST = ["--hidden", "0", "--stepmax", "3", "--random-state", "1", "--rep", "1", "--no-progress"]
WORDS = ["", "a", "-1", "nan", "inf", "1e999", "9" * 5000, "1,2", "[", "[" * 5000, "é\ud800", "None", "--", "\t", "/dev/null",
         "."]  # fmt: skip
FAULTS = ("TypeError", "KeyError", "IndexError", "AttributeError", "ValueError", "RecursionError", "OverflowError")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    x = np.linspace(-1, 1, 12)
    pd.DataFrame({"x": x, "y": x**2, "w": 1.0}).to_csv(tmp_path / "data.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(arguments, capsys):
    """Exit code and stderr of the command; nothing else may come of it."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert "Traceback" not in err + out
    return code, err


@pytest.mark.parametrize("sep", ["[", "(", "|", "*", ".", "\\", "?", "^", "$", "é"])
def test_separators_are_characters(folder, capsys, sep):
    (folder / "own.csv").write_text(f"x{sep}y\n1{sep}2\n2{sep}3\n4{sep}4\n5{sep}6\n", encoding="utf-8")
    code, err = answer(["fit", "y ~ x", "own.csv", *FAST, "--sep", sep], capsys)
    assert code == 0, err


@pytest.mark.parametrize("sep", ["", "ab", "[a", "\n", '"', "\\s*"])
def test_separators_that_are_none(folder, capsys, sep):
    code, err = answer(["fit", "y ~ x", "data.csv", *FAST, "--sep", sep], capsys)
    assert code == 2 and "argument --sep: must be one character" in err


def test_white_space_and_tabs(folder, capsys):
    (folder / "own.csv").write_text("x  y\n1 2\n2   3\n4\t4\n5 6\n")
    assert answer(["fit", "y ~ x", "own.csv", *FAST, "--sep", r"\s+"], capsys)[0] == 0
    (folder / "own.csv").write_text("x\ty\n1\t2\n2\t3\n4\t4\n5\t6\n")
    assert answer(["fit", "y ~ x", "own.csv", *FAST, "--sep", r"\t"], capsys)[0] == 0


OPTIONS = ["--hidden", "--act-fct", "--output-act-fct", "--err-fct", "--family", "--exclude", "--constant-weights", "--decay",
           "--elimination", "--l1", "--algorithm", "--threshold", "--rep", "--learningrate", "--learningrate-limit",
           "--learningrate-factor", "--random-state", "--n-jobs", "--dtype", "--weights", "--freq-weights", "--offset",
           "--groups", "--missing", "--compat", "--save", "--plot", "--response", "--diagram", "--plot-error",
           "--predictions", "--sep", "--stepmax"]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_fit(folder, capsys, option):
    for word in WORDS:
        if option in ("--predictions", "--save") and word == "/dev/null":
            continue  # may be written to
        code, err = answer(["fit", "y ~ x", "data.csv", *FAST, f"{option}={word}"], capsys)
        assert code in (0, 1, 2)
        if code == 1:
            told = [line for line in err.splitlines() if "warning" not in line]
            assert told[-1].startswith("neuralstat: error: ")
            assert not any(f"error: {kind}" in told[-1] for kind in FAULTS)


@pytest.mark.parametrize(("name", "data"), [
    ("a.csv", b""), ("a.csv", b"x,y\n1,2\n1,2,3\n"), ("a.csv", b"\xff\xfe\x00"), ("a.csv", b'x,y\n"1,2\n'),
    ("a.csv", b"\0" * 50), ("a.csv.gz", b"x,y\n"), ("a.parquet", b"PAR1"), ("a.parquet", b"PAR1" + bytes(20) + b"PAR1"),
    ("a.csv.zip", b"PK"),
    ("a.csv.xz", b"\xfd7zXZ"), ("a.csv.bz2", b"BZh9"), ("a.csv.zst", b"\x28\xb5\x2f\xfd"), ("a.tsv", b"x\ty\n1\n"),
])  # fmt: skip
def test_tables_that_are_none(folder, capsys, name, data):
    (folder / name).write_bytes(data)
    code, err = answer(["fit", "y ~ x", name, *FAST], capsys)
    assert code == 1 and err.startswith("neuralstat: error: ") and err.count("\n") == 1


@pytest.mark.parametrize("name", ["", ".", "/dev/zero", "no/such.csv", "a" * 5000, "data.csv/x", "x\0y"])
def test_names_that_are_no_files(folder, capsys, name):
    for command in (["fit", "y ~ x", name, *FAST], ["predict", name, "data.csv"], ["predict", "data.csv", name]):
        code, err = answer(command, capsys)
        assert code == 1 and err.startswith("neuralstat: error: ") and err.count("\n") == 1


@pytest.mark.parametrize("formula", ["", "~", "y", "y ~", "y ~ x ~ x", "(" * 5000, "y ~ x**100000000", "y ~ \0", "\ud800 ~ x",
                                     "y ~ bs(x, df=100000)", "y ~ x.no", "y ~ 1/0", "y ~ {x[}"])  # fmt: skip
def test_formulas_that_are_none(folder, capsys, formula):
    code, err = answer(["fit", formula, "data.csv", *FAST], capsys)
    assert code == 1 and err.startswith("neuralstat: error: ") and err.count("\n") == 1


