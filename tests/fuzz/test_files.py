"""Files with random damage: the same result, or an error of the package that names the file, in bounded time and memory."""

import contextlib
import gzip
import pickle
import struct
import warnings

import mutations
import numpy as np
import pandas as pd
import pytest
import stored
from fits import quiet

import neuralstat as ns
from neuralstat.errors import FileFormatError, NeuralStatError
from neuralstat.formula import design
from neuralstat.weights import write_safetensors

SEED = 14
SHORT, LONG = 60, 4000  # files of every kind


def frame(n=24):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({name: rng.uniform(0.5, 1.5, n) for name in ("x", "z", "e")})
    data["g"] = pd.Categorical(rng.choice(["a", "b", "c"], n))
    data["t"] = pd.date_range("2024-01-01", periods=n)
    data["text"] = rng.choice(["some words", "other words here", "none"], n)
    data["y"] = data["x"] + rng.normal(size=n) / 10
    return data


def fits():
    """Fits that between them hold all that a file may."""
    data, few = frame(), {"hidden": 1, "stepmax": 20, "threshold": 1e3, "random_state": 1}
    dated = data.set_index(pd.date_range("2024-01-01", periods=len(data), tz="Europe/Rome"))
    multi = data.set_index(pd.MultiIndex.from_product([["u", "v"], range(12)], names=["a", "b"]))
    ranges = data.set_index(pd.IntervalIndex.from_breaks(range(len(data) + 1)))
    soft = ns.Activation(lambda z: z / (1 + abs(z)))
    yield quiet("y ~ poly(x, 2) + g + offset(e)", dated, rep=2, standardize=True, **few)
    yield quiet("log(y) ~ bs(x, df=4) + {x / z} + t.dt.month", multi, penalty=ns.decay(0.1), act_fct=soft, **few)
    yield quiet("y ~ lags(y, 3)", ranges, **few)
    yield quiet("g ~ sequences(text, 4, 6) + e", data, family="multinomial", **few)
    yield quiet("y ~ x + z", data, layers=[ns.layers.Dense(2, "tanh")], **{k: v for k, v in few.items() if k != "hidden"})
    yield quiet("y ~ tokens(text) + C(g):x", data, family="gaussian", weights="e", **few)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    found = []
    for k, fit in enumerate(fits()):
        fit.save(folder / f"{k}.nst")
        path = folder / f"{k}.nst"
        found.append((path, use(ns.load(path)), stored.document_of(stored.parts_of(path))["model"]["settings"]))
    return found


def use(fit):
    """What a fit says, its kernels compiled by the way."""
    fit.summary(), str(fit), fit.reps, fit.result_matrix, fit.predict()
    return str(np.asarray(fit.predict(frame())).tolist())


#: What is said of a fit without kernels.
PLAIN = ("call", "reps", "result_matrix", "weights", "startweights", "history", "pruned", "errors", "converged", "seeds",
         "saved", "family", "layer_table", "canonical_weights", "nobs", "k_params", "gradients", "best")  # fmt: skip


def unless_refused(*calls):
    """Make calls, which may be refused by an error of the package."""
    for call in calls:
        with contextlib.suppress(NeuralStatError):
            call()


def read_fit(files, folder):
    """A task: damage a saved fit, load it, use it."""

    def task(number):
        rng = np.random.default_rng((SEED, number))
        original, expected, settings = files[number % len(files)]
        path = folder / f"{number}.nst"
        kind = mutations.damage_fit(original, path, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    fit = ns.load(path)
                except FileFormatError as error:
                    return "" if str(path) in str(error) else f"{kind}: {error}"
                fit.design.encode(frame(), offset=None if fit.design.spec.offset_kind == "none" else np.zeros(24))
                fit.save(path)
                unless_refused(*(lambda name=name: getattr(fit, name) for name in PLAIN))
                unless_refused(lambda: fit.design.encode_response(frame()), lambda: design(fit.formula, frame()))
                if stored.document_of(stored.parts_of(path))["model"]["settings"] != settings:
                    return ""  # another network may need kernels that are not compiled yet
                said = use(fit)
            other = kind in ("flip", "cut") and said != expected  # the others may be files of other fits
            return f"{kind}: another result" if other else ""
        except NeuralStatError as error:
            return "" if "fit" in locals() else f"refused by something else on load: {error}"
        finally:
            path.unlink(missing_ok=True)

    return task


def go_on(original, folder, options):
    """A task: damage a checkpoint, go on from it."""
    data = frame()

    def task(number):
        rng = np.random.default_rng((SEED, number, 1))
        path = folder / f"{number}.npz"
        mutations.damage_checkpoint(original, path, rng)
        try:
            quiet("y ~ x", data, checkpoint=path, **options)
        except FileFormatError as error:
            return "" if str(path) in str(error) else str(error)
        except NeuralStatError:
            pass
        finally:
            path.unlink(missing_ok=True)
        return ""

    return task


def data_files(folder):
    """Files of data and weights of every kind, and their readers."""
    rng = np.random.default_rng(2)
    lists = np.empty(6, object)
    lists[:] = [[1, 2, 300], [4], [70000, 2], [], [9] * 20, [1]]
    np.savez(folder / "a.npz", x=rng.normal(size=(5, 3)), y=np.arange(5), s=np.array(["a", "bc"]))
    np.savez_compressed(folder / "b.npz", x_train=lists, y_train=np.arange(6) % 2, x_test=lists, y_test=np.arange(6) % 2)
    pixels = rng.integers(0, 256, (4, 3072)).astype(np.uint8)
    batch = {"data": pixels, "labels": [1, 2, 3, 4], "filenames": ["a", "b", "c", "d"]}
    for protocol in (2, 5):
        (folder / f"cifar{protocol}").mkdir()
        (folder / f"cifar{protocol}" / "test_batch").write_bytes(pickle.dumps(batch, protocol))
    (folder / "idx").mkdir()
    head = {"images": b"\0\0\x08\x03" + struct.pack(">3I", 4, 28, 28), "labels": b"\0\0\x08\x01" + struct.pack(">I", 4)}
    (folder / "idx" / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(head["images"] + bytes(4 * 784)))
    (folder / "idx" / "t10k-labels-idx1-ubyte").write_bytes(head["labels"] + bytes([1, 2, 3, 4]))
    write_safetensors(folder / "a.safetensors", {"k": np.ones((2, 3), np.float32), "b": np.arange(3), "f": np.array([True])})
    return [
        (folder / "a.npz", ns.datasets.npz), (folder / "b.npz", ns.datasets.imdb),
        (folder / "cifar2" / "test_batch", lambda path: ns.datasets.cifar10(path.parent, "test")),
        (folder / "cifar5" / "test_batch", lambda path: ns.datasets.cifar10(path.parent, "test")),
        (folder / "idx" / "t10k-images-idx3-ubyte.gz", lambda path: ns.datasets.mnist(path.parent, "test")),
        (folder / "idx" / "t10k-labels-idx1-ubyte", lambda path: ns.datasets.mnist(path.parent, "test")),
        (folder / "a.safetensors", ns.read_weights),
    ]  # fmt: skip


def read_data(sources):
    """A task: damage a file of data in its place, read it, and mend it."""

    def task(number):
        rng = np.random.default_rng((SEED, number, 2))
        path, reader = sources[number % len(sources)]
        whole = path.read_bytes()
        kind = rng.integers(4 if path.suffix == ".npz" else 2)
        try:
            if kind < 2:
                path.write_bytes((mutations.flip, mutations.cut)[kind](whole, rng))
            elif kind == 2:
                mutations.archive(mutations.members(stored.parts_of(path), rng), path)
            else:
                parts = {name: raw for name, raw in stored.parts_of(path).items() if not name.startswith("x_")}
                mutations.damage_values(parts, path, rng, lambda name: True)
            reader(path)
        except FileFormatError as error:
            return "" if str(path.parent) in str(error) else str(error)
        finally:
            path.write_bytes(whole)
        return ""

    return task


@pytest.fixture(scope="module")
def options():
    return {"hidden": 2, "rep": 2, "algorithm": "adam", "epochs": 4, "batch_size": 8, "random_state": 1, "n_jobs": 1,
            "early_stopping": ns.EarlyStopping(patience=3), "validation": 0.25}  # fmt: skip


def shown(faults):
    return "\n".join(f"{number}: {said}" for number, said in list(faults.items())[:10])


@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)])
def test_saved_fits(files, tmp_path, count):
    faults = mutations.run(read_fit(files, tmp_path), count)
    assert not faults, shown(faults)


@pytest.mark.parametrize("count", [SHORT * 5, pytest.param(LONG * 5, marks=pytest.mark.slow)])
def test_data(tmp_path, count):
    sources = data_files(tmp_path)
    for path, reader in sources:
        reader(path)
    faults = mutations.run(read_data(sources), count)
    assert not faults, shown(faults)


@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)])
def test_checkpoints(tmp_path, options, count):
    quiet("y ~ x", frame(), checkpoint=tmp_path / "fit.npz", **{**options, "epochs": 2})
    faults = mutations.run(go_on(tmp_path / "fit.npz", tmp_path, options), count)
    assert not faults, shown(faults)
