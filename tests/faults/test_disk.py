"""Full disks and homes that cannot be written: a fit goes on, a file that there was stays, an error is one sentence."""

from __future__ import annotations

import json
import os
import sys

import pytest
from processes import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits of files as on POSIX")

# A file may have so many bytes, as on a disk that is full then; Python ignores the signal that comes with it.
FULL = """if True:
    import contextlib, io, json, os, resource, warnings
    from pathlib import Path
    import numpy as np
    import neuralstat as ns
    from neuralstat.cli import main

    there, found = b"what there was", {}
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    data.to_csv("data.csv", index=False)

    @contextlib.contextmanager
    def full(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                yield heard
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def said(heard):
        return [str(w.message) for w in heard if "checkpoint" in str(w.message)]

    def fit(**settings):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
            return ns.neuralnet("y ~ x", data, **{"hidden": 3, "rep": 2, "random_state": 1, **settings})

    def study(**more):
        done = ns.study(ns.study.bs(5), "sine", 0.3, 40, replicates=6, chunk=2, n_jobs=1, random_state=1, **more)
        return done.frame.drop(columns=["seconds", "status"])

    # a checkpoint of a fit
    epochs = {"algorithm": "adam", "epochs": 6}
    warnings.simplefilter("ignore", ns.errors.FitWarning)
    plain = fit(**epochs).theta.tobytes()
    fit(algorithm="adam", epochs=2, checkpoint="old.npz")
    old = Path("old.npz").read_bytes()
    for name in ("old", "new"):
        with full(500) as heard:
            same = fit(**epochs, checkpoint=f"{name}.npz").theta.tobytes() == plain
        found[f"fit {name}"] = same, said(heard)
    found["fit later"] = Path("old.npz").read_bytes() == old, fit(**epochs, checkpoint="old.npz").theta.tobytes() == plain

    # of a study
    plain = study()
    with full(1500) as heard:
        same = study(checkpoint="study").equals(plain)
    found["study"] = same, said(heard)
    found["study later"] = study(checkpoint="study").equals(plain), True

    # files
    done = fit(stepmax=100)
    writers = {"fit.nst": done.save, "w.safetensors": lambda path: ns.write_safetensors(path, {"a": np.zeros(99)})}
    for name, write in writers.items():
        Path(name).write_bytes(there)
        try:
            with full(100):
                write(name)
            found[name] = True, ""
        except OSError as error:
            found[name] = Path(name).read_bytes() == there, str(error)

    # the command line
    with full(100), contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
        code = main(["fit", "y ~ x", "data.csv", "--stepmax", "50", "--save", "fit.nst"])
    found["command"] = Path("fit.nst").read_bytes() == there and code == 1, err.getvalue()
    found["files"] = True, sorted(os.listdir())
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What became of everything that writes, in a folder of its own."""
    folder, before = tmp_path_factory.mktemp("full"), os.getcwd()
    os.chdir(folder)
    try:
        done = run_python(FULL)
    finally:
        os.chdir(before)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["fit old", "fit new", "study"])
def test_a_checkpoint_that_cannot_be_written_costs_nothing_else(found, name):
    same, said = found[name]
    assert same and len(said) == 1 and "File too large" in said[0]


@pytest.mark.parametrize("name", ["fit later", "study later"])
def test_it_is_gone_on_from_later(found, name):
    assert found[name] == [True, True]


@pytest.mark.parametrize("name", ["fit.nst", "w.safetensors"])
def test_a_file_that_there_was_stays(found, name):
    same, error = found[name]
    assert same and "File too large" in error


def test_the_command_line_says_it_in_a_line(found):
    same, text = found["command"]
    lines = [line for line in text.splitlines() if line.startswith("neuralstat: error")]
    assert same and len(lines) == 1 and "Traceback" not in text, text


def test_nothing_is_left_over(found):
    assert found["files"][1] == ["data.csv", "fit.nst", "old.npz", "study", "w.safetensors"]


HOME = """if True:
    import warnings
    import matplotlib
    matplotlib.use("Agg")
    import neuralstat as ns
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    warnings.simplefilter("ignore", ns.errors.NeuralStatWarning)
    fit = ns.neuralnet("y ~ x", data, hidden=3, rep=2, stepmax=100, random_state=1)
    text = str(fit.summary())
    fit.save("fit.nst")
    fit.plot_fit()
    print(ns.load("fit.nst").theta.tobytes() == fit.theta.tobytes())
"""


def test_home_cannot_be_written(tmp_path, monkeypatch):
    """Nothing but the cache of kernels wants a home; that one has another folder here."""
    from neuralstat.jit.cache import cache_folder

    folder, nowhere = cache_folder(), tmp_path / "home"
    nowhere.write_text("a file")
    monkeypatch.chdir(tmp_path)
    changes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(nowhere))
    if folder is not None:  # the kernels that there are, so that none are compiled
        (tmp_path / "cache").mkdir()
        os.symlink(folder, tmp_path / "cache" / "neuralstat")
        changes["NEURALSTAT_CACHE_DIR"] = str(tmp_path / "cache")
    done = run_python(HOME, **changes)
    assert done.returncode == 0 and done.stdout.strip() == "True", done.stderr[-3000:]
    assert nowhere.read_text() == "a file" and set(os.listdir(tmp_path)) - {"cache"} == {"home", "fit.nst"}
