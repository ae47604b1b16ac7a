"""The command line, mostly in this process; what concerns processes in others."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 40)
    frame = pd.DataFrame({"x": x, "z": rng.normal(size=40), "w": 1.0})
    frame["y"] = np.sin(2 * x) + 0.1 * rng.normal(size=40)
    frame["kind"] = np.where(frame["y"] > 0.5, "high", np.where(frame["y"] > 0, "mid", "low"))
    frame.to_csv(tmp_path / "data.csv", index=False)
    frame.to_csv(tmp_path / "data.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "semi.csv", index=False, sep=";")
    frame.to_parquet(tmp_path / "data.parquet")
    new = frame[["z", "x"]].head(5).copy()
    new.loc[2, "x"] = np.nan
    new.to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FAST = ["--hidden", "2", "--threshold", "0.1", "--random-state", "1", "--rep", "1"]


def png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000


def test_fit_prints_the_summary_and_writes_files(folder, capsys):
    options = ["--rep", "2", "--plot", "fit.png", "--diagram", "net.png", "--plot-error", "err.png", "--save",
               "fit.nst", "--predictions", "fitted.csv"]  # fmt: skip
    assert main(["fit", "y ~ x", "data.csv", *FAST, *options]) == 0
    out, err = capsys.readouterr()
    fit = ns.neuralnet("y ~ x", pd.read_csv("data.csv"), hidden=2, threshold=0.1, random_state=1, rep=2)
    assert out == str(fit.summary()) + "\n"
    assert err.splitlines() == [
        f"written: {f}" for f in ("fit.nst", "fitted.csv", "fit.png", "net.png", "err.png")
    ]
    assert all(png(folder / f) for f in ("fit.png", "net.png", "err.png"))
    np.testing.assert_allclose(pd.read_csv("fitted.csv")["y"], fit.fittedvalues, rtol=1e-15)


@pytest.mark.parametrize("data", ["data.tsv", "data.parquet", "semi.csv"])
def test_other_tables(folder, capsys, data):
    assert main(["fit", "y ~ x", "data.csv", *FAST]) == 0
    expected = capsys.readouterr().out
    assert main(["fit", "y ~ x", data, *FAST, *(["--sep", ";"] if data == "semi.csv" else [])]) == 0
    assert capsys.readouterr().out == expected


def test_standard_input(folder, capsys, monkeypatch):
    with open("data.csv") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert main(["fit", "y ~ x", "-", *FAST]) == 0
    assert "1-2-1" in capsys.readouterr().out


def test_arguments_reach_the_fit(folder, capsys):
    options = """--act-fct tanh --decay 0.01 --elimination 0.02 --no-penalize-biases --weights w --standardize
        --missing raise --n-jobs 1 --likelihood --algorithm rprop- --learningrate-factor 0.4,1.3
        --learningrate-limit 1e-9,0.2 --stepmax 500 --constant-weights 0.5 --json""".split()  # noqa: SIM905
    arguments = [
        "fit",
        "y ~ x",
        "data.csv",
        "--hidden",
        "3,2",
        "--threshold",
        "0.5",
        "--random-state",
        "4",
        *options,
    ]
    assert main([*arguments, "--exclude", "[[1,2,2],", "[2,3,1]]"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["call"] == (
        "neuralnet('y ~ x', data, hidden=(3, 2), act_fct='tanh', exclude=[[1, 2, 2], [2, 3, 1]], "
        "constant_weights=[0.5], algorithm='rprop-', threshold=0.5, stepmax=500, "
        "learningrate_limit=(1e-09, 0.2), learningrate_factor=(0.4, 1.3), "
        "penalty=decay(0.01, biases=False) + elimination(0.02, scale=1, biases=False), "
        "weights='w', standardize=True, missing='raise', likelihood=True, n_jobs=1, random_state=4)"
    )
    assert report["weights_trained"] == 15 and report["topology"] == "1-3-2-1"
    assert (
        main(
            ["fit", "y ~ x", "data.csv", *FAST, "--exclude", "x.to.1layhid1", "--json", "--no-linear-output"]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["params"]["x.to.1layhid1"] == 0
    assert "linear_output=False" in report["call"]


def test_predict(folder, capsys):
    assert main(["fit", "y ~ x", "data.csv", *FAST, "--rep", "2", "--save", "fit.nst"]) == 0
    capsys.readouterr()
    fit, new = ns.load("fit.nst"), pd.read_csv("new.csv")
    assert main(["predict", "fit.nst", "new.csv"]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == "y" and lines[3] == '""' and len(lines) == 7
    np.testing.assert_array_equal(np.array([float(v) for v in lines[1:3]]), fit.predict(new)[:2])
    assert main(["predict", "fit.nst", "new.csv", "--rep", "all", "--output", "p.parquet"]) == 0
    np.testing.assert_array_equal(pd.read_parquet("p.parquet"), fit.predict(new, rep="all"))
    assert list(pd.read_parquet("p.parquet").columns) == ["rep1", "rep2"]
    assert main(["predict", "fit.nst", "new.csv", "--rep", "2", "--output", "p.csv"]) == 0
    np.testing.assert_allclose(
        pd.read_csv("p.csv", skip_blank_lines=False)["y"], fit.predict(new, rep=2), rtol=1e-15
    )
    assert main(["predict", "fit.nst", "new.csv", "--rep", "3"]) == 1
    assert "rep must be" in capsys.readouterr().err


def test_classes(folder, capsys):
    arguments = ["fit", "kind ~ x", "data.csv", *FAST, "--family", "multinomial", "--save", "fit.nst"]
    assert main([*arguments, "--plot", "c.png"]) == 0
    assert main([*arguments, "--plot", "p.png", "--response", "mid"]) == 0
    assert png(folder / "c.png") and png(folder / "p.png")
    capsys.readouterr()
    assert main(["predict", "fit.nst", "new.csv", "--type", "class"]) == 0
    lines = capsys.readouterr().out.split()
    assert lines[0] == "kind" and set(lines[1:]) <= {"low", "mid", "high", '""'}
    assert main(["predict", "fit.nst", "new.csv", "--rep", "all"]) == 0
    assert capsys.readouterr().out.startswith("rep1.high,rep1.low,rep1.mid\n")


def test_not_converged_is_a_warning(folder, capsys):
    assert (
        main(["fit", "y ~ x", "data.csv", "--rep", "1", "--stepmax", "3", "--random-state", "1", "--predictions", "p.csv"])
        == 0
    )
    out, err = capsys.readouterr()
    assert err.startswith("neuralstat: warning: Algorithm did not converge in 1 of 1 repetition(s)")
    assert err.count("warning") == 1 and "did not converge" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["fit", "y ~ x", "none.csv"], "No such file or directory: none.csv"),
        (["fit", "y ~ x", "empty.csv"], "empty.csv cannot be read as a table"),
        (["fit", "y ~ x", "bad.parquet"], "bad.parquet cannot be read as a table"),
        (["fit", "y ~ q", "data.csv"], "q"),
        (["fit", "y ~ (", "data.csv"], ""),
        (["fit", "y ~ x", "data.csv", "--threshold", "-1"], "threshold must be None or a finite number >= 0; got -1.0"),
        (["fit", "y ~ x", "data.csv", "--family", "poison"], "family must be one of"),
        (["fit", "y ~ x", "data.csv", "--exclude", "[[1,2"], "is not JSON"),
        (["fit", "y ~ x", "data.csv", "--exclude", "no.such"], "there is no weight 'no.such'"),
        (
            ["fit", "y ~ x", "data.csv", "--plot", "no/fit.png"],
            "cannot write no/fit.png: there is no folder no",
        ),
        (["fit", "y ~ x", "data.csv", "--plot", "fit.doc"], "cannot draw fit.doc"),
        (["fit", "y ~ x", "data.csv", "--save", "no/fit.nst"], "there is no folder no"),
        (["predict", "none.nst", "data.csv"], "there is no file none.nst"),
        (["predict", "data.csv", "data.csv"], "data.csv: not a saved fit"),
    ],
)
def test_errors_are_one_line(folder, capsys, arguments, message):
    (folder / "empty.csv").write_text("")
    (folder / "bad.parquet").write_text("no")
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("neuralstat: error: ") and err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["fit"], ["fit", "y ~ x"], ["fit", "y ~ x", "d.csv", "--hidden", "a"], ["demo", "other"],
     ["nothing"], ["predict", "f", "d", "--rep", "0"], ["predict", "f", "d", "--type", "units"]],
)  # fmt: skip
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: neuralstat" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["fit"], ["predict"], ["demo"], ["version"]])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert command in ([], ["version"]) or "examples:" in out
    assert max(map(len, out.splitlines())) <= 120


def test_version(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"neuralstat {ns.__version__}\n"


def test_parquet_without_pyarrow(folder, capsys, monkeypatch):
    def missing(*_, **__):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", missing)
    assert main(["fit", "y ~ x", "data.parquet"]) == 1
    assert "reading Parquet needs pyarrow: pip install pyarrow" in capsys.readouterr().err


def test_demo(folder, capsys):
    assert main(["demo", "doppler", "--rep", "1", "--output-dir", "pictures/new"]) == 0
    out, err = capsys.readouterr()
    assert "1-10-5-15-1" in out and "doppler-network.png" in out and "compiles" in err
    assert png(folder / "pictures/new/doppler-network.png") and png(folder / "pictures/new/doppler-fit.png")


def command(*arguments):
    return [sys.executable, "-m", "neuralstat", *arguments]


def test_broken_pipe(folder):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command("fit", "y ~ x", "data.csv", *FAST), stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.returncode == 141 and done.stderr == ""


def test_progress_bar(folder):
    done = subprocess.run(
        command("fit", "y ~ x", "data.csv", *FAST, "--progress"), capture_output=True, text=True, check=True
    )
    assert "repetitions: 100%" in done.stderr and "steps=" in done.stderr and "progress" not in done.stdout


def test_interrupt_keeps_what_there_is(folder):
    """Ctrl-C during the training: the summary of what was reached, the file, and exit code 130."""
    arguments = [
        "--rep",
        "1",
        "--hidden",
        "30,30",
        "--algorithm",  # asked for, so that no other one finishes what it cannot
        "rprop+",
        "--threshold",
        "0",
        "--stepmax",
        "100000000",
        "--save",
        "fit.nst",
        "--progress",
    ]
    process = subprocess.Popen(
        command("fit", "y ~ x", "data.csv", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = ""
    while "steps=" not in seen:  # training has begun
        seen += process.stderr.read(20)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out and "Algorithm did not converge" in err and "Traceback" not in err
    assert ns.load("fit.nst").reps["status"].tolist() == ["interrupted"]


def test_interrupt_before_training(folder, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd, "read_csv", stop)
    assert main(["fit", "y ~ x", "data.csv"]) == 130
    assert capsys.readouterr().err == "neuralstat: error: interrupted\n"
