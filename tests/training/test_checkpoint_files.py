"""Checkpoints of fits: what is read is a state that training can have come to, or the file is refused by name."""

import os
import re
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import raw
from fits import quiet

import neuralstat as ns
from neuralstat.errors import ArgumentError, FileFormatError, FitWarning
from neuralstat.layers import BatchNorm, Dense, Dropout, LeakyReLU, MaxNorm
from neuralstat.training import checkpoint

DATA = ns.datasets.sine(n=40, noise=0.1, random_state=1)


OPTIONS = {
    "hidden": 2, "rep": 2, "algorithm": "adam", "batch_size": 16, "random_state": 1, "validation": 0.2,
    "early_stopping": ns.EarlyStopping(patience=3),
}  # fmt: skip


def run(path, epochs=4, **options):
    return quiet("y ~ x", DATA, epochs=epochs, checkpoint=path, **{**OPTIONS, **options})


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "fit.npz"
    run(path)
    return dict(np.load(path))


def at(name, position, value):
    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name].reshape(-1)[position] = value

    return change


def put(name, make):
    def change(arrays):
        arrays[name] = make(arrays[name])

    return change


CHANGES = {
    "epoch far below": at("epoch", 0, -(10**6)), "epoch below": at("epoch", 1, -1), "epoch far above": at("epoch", 0, 2**62),
    "steps below": at("steps", 0, -1), "steps above": at("steps", 0, 2**62), "status": at("status", 0, 99),
    "wait": at("stopping", 1, np.nan), "best epoch": at("stopping", 2, 1e18), "best is nan": at("stopping", 0, np.nan),
    "factor": at("plateau", 0, -1.0), "still": at("plateau", 2, np.inf), "cooling": at("plateau", 3, 0.5),
    "theta of integers": put("theta", lambda a: a.astype(np.int64)), "theta of float32": put("theta", np.float32),
    "theta cut": put("theta", lambda a: a[:, :-1]), "theta of one": put("theta", lambda a: a[:1]),
    "history flat": put("history", np.ravel), "history narrow": put("history", lambda a: a[:, :, :2]),
    "history short": put("history", lambda a: a[:, :1]), "history empty": put("history", lambda a: a[:0]),
    "memory": put("memory", lambda a: a[:, :0]), "epoch of floats": put("epoch", lambda a: a.astype(float)),
    "epoch of no axis": put("epoch", lambda a: np.array(4)), "fingerprint": put("fingerprint", lambda a: a[:5]),
    "best": put("best", lambda a: a[:, :1]), "lacking": lambda arrays: arrays.pop("loss"),
    "unknown": lambda arrays: arrays.update(more=np.ones(1)),
    "no seeds": lambda arrays: arrays.update(pool_size=np.array(-4)),
    "pool": lambda arrays: arrays.update(pool_size=np.array(10**9)),
    "key": put("spawn_key", lambda a: np.array([-1])), "key of floats": put("spawn_key", lambda a: np.array([0.5])),
    "entropy": put("entropy", lambda a: np.full(10**6, 1, np.uint32)),
    "entropy of floats": put("entropy", lambda a: np.ones(4)),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_states_that_cannot_be_are_refused(stored, tmp_path, change):
    arrays, path = dict(stored), tmp_path / "fit.npz"
    CHANGES[change](arrays)
    np.savez(path, **arrays)
    before = path.read_bytes()
    with pytest.raises((FileFormatError, ArgumentError), match=r"checkpoint: .*fit\.npz"):
        checkpoint.stored_seeds(path)
        run(path)
    assert path.read_bytes() == before


def test_files_that_are_none(stored, tmp_path):
    np.savez_compressed(tmp_path / "packed.npz", **stored)
    np.savez(tmp_path / "objects.npz", **{**stored, "epoch": np.array([{}], object)})
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.ones(3))
    os.mkfifo(tmp_path / "pipe.npz")
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("theta.npy", b"")
        file.writestr("theta.npy", b"")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(FileFormatError, match=path.name):
            checkpoint.read(path)


def test_a_checkpoint_goes_on(tmp_path):
    whole = run(tmp_path / "whole.npz", epochs=8)
    run(tmp_path / "part.npz")
    np.testing.assert_array_equal(run(tmp_path / "part.npz", epochs=8).fit.theta, whole.fit.theta)
    with pytest.raises(ArgumentError, match="already has 8 epochs; epochs=4 is fewer"):
        run(tmp_path / "whole.npz", epochs=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part.npz", "whole.npz"]


OTHER_FITS = {
    "constraint": (Dense(3, "tanh", kernel_constraint=MaxNorm(1.0)), Dense(3, "tanh", kernel_constraint=MaxNorm(2.0))),
    "constraint or none": (Dense(3, "tanh", kernel_constraint=MaxNorm(1.0)), Dense(3, "tanh")),
    "rate of dropout": (Dropout(0.1), Dropout(0.2)),
    "momentum": (BatchNorm(momentum=0.9), BatchNorm(momentum=0.8)),
    "slope": (LeakyReLU(0.1), LeakyReLU(0.2)),
    "function": (Dense(3, ns.Activation(lambda z: z / (1 + z * z), name="own")),
                 Dense(3, ns.Activation(lambda z: z / (2 + z * z), name="own"))),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER_FITS)
def test_fits_of_other_layers_are_other_fits(tmp_path, what):
    one, other = ([Dense(4, "tanh"), layer] for layer in OTHER_FITS[what])
    options = {"hidden": 1, "rep": 1}
    run(tmp_path / "fit.npz", epochs=2, layers=one, **options)
    before = (tmp_path / "fit.npz").read_bytes()
    with pytest.raises(ArgumentError, match="was written by another fit"):
        run(tmp_path / "fit.npz", epochs=4, layers=other, **options)
    assert (tmp_path / "fit.npz").read_bytes() == before
    run(tmp_path / "fit.npz", epochs=4, layers=one, **options)


FOURTH, SQUARE = ns.Loss(lambda x, y: (x - y) ** 4, name="own"), ns.Loss(lambda x, y: (x - y) ** 2, name="own")


@pytest.mark.parametrize(("one", "other"), [
    ({"family": ns.families.Quantile(0.5)}, {"family": ns.families.Quantile(0.6)}),
    ({"err_fct": FOURTH}, {"err_fct": SQUARE}),
])  # fmt: skip
def test_fits_of_other_errors_are_other_fits(tmp_path, one, other):
    run(tmp_path / "fit.npz", epochs=2, **one)
    with pytest.raises(ArgumentError, match="was written by another fit"):
        run(tmp_path / "fit.npz", epochs=4, **other)
    run(tmp_path / "fit.npz", epochs=4, **one)


def test_functions_of_users_go_on_in_another_process(tmp_path):
    script = """
import sys, warnings
warnings.simplefilter("ignore")
import neuralstat as ns
data = ns.datasets.sine(n=40, noise=0.1, random_state=1)
fit = ns.neuralnet("y ~ x", data, hidden=2, act_fct=lambda z: z / (1 + z * z), err_fct=lambda x, y: (x - y) ** 4,
                   algorithm="adam", epochs=int(sys.argv[1]), checkpoint=sys.argv[2], random_state=1)
print(fit.fit.theta.tobytes().hex())
"""
    def said(epochs, name):
        call = [sys.executable, "-c", script, str(epochs), str(tmp_path / name)]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout

    said(2, "part.npz")
    assert said(4, "part.npz") == said(4, "whole.npz")


def test_a_disk_that_is_full_costs_no_fit(tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b"some")
        raise OSError(28, "No space left on device")

    run(tmp_path / "fit.npz", epochs=2)
    before = (tmp_path / "fit.npz").read_bytes()
    monkeypatch.setattr(checkpoint.np, "savez", full)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ns.neuralnet("y ~ x", DATA, epochs=4, checkpoint=tmp_path / "fit.npz", **{**raw.RAW, **OPTIONS})
    said = [str(w.message) for w in caught if issubclass(w.category, FitWarning) and "checkpoint" in str(w.message)]
    assert len(said) == 1
    assert re.search(r"cannot write the checkpoint .*fit\.npz: No space left.*The fit goes on", said[0])
    assert fit.history["epoch"].max() == 4
    assert (tmp_path / "fit.npz").read_bytes() == before and len(list(tmp_path.iterdir())) == 1
