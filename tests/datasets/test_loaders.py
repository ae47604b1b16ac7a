"""Loaders of data sets: equal arrays, ready for formulas; damaged files, and files that mean harm."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import sys
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

import neuralstat.datasets as datasets
from neuralstat.datasets.unpickle import read_pickle
from neuralstat.errors import ArgumentError, FileFormatError

RNG = np.random.default_rng(1)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder, n=7, packed=False, join="-"):
    made = {}
    for stem in ("train", "t10k"):
        images, labels = RNG.integers(0, 256, (n, 28, 28), np.uint8), RNG.integers(0, 10, n, np.uint8)
        for kind, array in (("images", images), ("labels", labels)):
            raw = idx(array)
            name = f"{stem}-{kind}{join}idx{array.ndim}-ubyte"
            (folder / f"{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(raw) if packed else raw)
        made[stem] = images, labels
    return made


# MNIST


@pytest.mark.parametrize(("packed", "join"), [(False, "-"), (True, "-"), (False, ".")])
def test_mnist(packed, join, tmp_path):
    made = write_mnist(tmp_path, packed=packed, join=join)
    for subset, stem in (("train", "train"), ("test", "t10k")):
        images, labels = made[stem]
        data = datasets.mnist(tmp_path, subset, scale=False)
        np.testing.assert_array_equal(data["pixels"][..., 0], images)
        assert data["pixels"].shape == (7, 28, 28, 1)
        np.testing.assert_array_equal(np.asarray(data["digit"]), labels)
        assert list(data["digit"].categories) == list(range(10))
    some = datasets.mnist(tmp_path, n=3)
    assert some["pixels"].dtype == np.float32 and len(some["digit"]) == 3
    np.testing.assert_array_equal(some["pixels"][..., 0], made["train"][0][:3].astype(np.float32) / np.float32(255))
    fashion = datasets.fashion_mnist(tmp_path)
    assert fashion["article"][0] == datasets.images.FASHION[made["train"][1][0]]


def test_mnist_of_keras(tmp_path):
    images, labels = RNG.integers(0, 256, (4, 28, 28), np.uint8), np.array([3, 1, 4, 1], np.uint8)
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    data = datasets.mnist(path, "test", scale=False)
    np.testing.assert_array_equal(data["pixels"][..., 0], images[:2])
    assert list(data["digit"]) == [3, 1]


def damaged_labels(change):
    return lambda folder: (folder / "train-labels-idx1-ubyte").write_bytes(change(idx(np.arange(7, dtype=np.uint8))))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda raw: raw[:-1], "cut off"), (lambda raw: raw + b"x", "too long"), (lambda raw: raw[:5], "cut off"),
        (lambda raw: b"", "no IDX"), (lambda raw: b"\0\0\x0d\x01" + raw[4:], "type 13"),
        (lambda raw: b"\0\0\x08\x03" + bytes(12), "with 3 axes"),
        (lambda raw: raw[:4] + b"\xff\xff\xff\xff" + raw[8:], "claims the shape"),
        (lambda raw: gzip.compress(raw)[:-12], "damaged|cut off"), (lambda raw: b"\x1f\x8bxxxx", "damaged"),
        (lambda raw: idx(np.full(7, 10, np.uint8)), "not among 0 to 9"), (lambda raw: idx(np.zeros(6, np.uint8)), "belong"),
    ],
)  # fmt: skip
def test_damaged_mnist(change, word, tmp_path):
    write_mnist(tmp_path)
    damaged_labels(change)(tmp_path)
    with pytest.raises(FileFormatError, match=word) as caught:
        datasets.mnist(tmp_path)
    assert "train-labels-idx1-ubyte" in str(caught.value)


def test_gzip_that_claims_more_than_it_can_hold(tmp_path):
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 28, 28) + bytes(1000)))
    with pytest.raises(FileFormatError, match="claims the shape"):
        datasets.mnist(tmp_path)


def test_missing_files_and_arguments(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        datasets.mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        datasets.mnist(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no file"):
        datasets.npz(tmp_path / "none.npz")
    with pytest.raises(ArgumentError, match="folder must be"):
        datasets.mnist(3)
    write_mnist(tmp_path)
    with pytest.raises(ArgumentError, match="subset must be one of 'train', 'test'"):
        datasets.mnist(tmp_path, "validation")
    with pytest.raises(ArgumentError, match="n must be None or a whole number >= 1"):
        datasets.mnist(tmp_path, n=0)


# CIFAR-10


def cifar_rows(n=3):
    return RNG.integers(0, 256, (n, 3072), np.uint8), RNG.integers(0, 10, n).tolist()


def python2_batch(rows, labels):
    """A batch as Python 2 pickled it: names of the old numpy, texts that are bytes."""
    def text(raw):
        return b"U" + bytes([len(raw)]) + raw

    array = (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR(K\x01(K"
             + bytes([len(rows)]) + b"M\x00\x0ctcnumpy\ndtype\n(" + text(b"u1") + b"K\x00K\x01tR(K\x03" + text(b"|")
             + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<I", rows.size) + rows.tobytes() + b"tb")
    numbers = b"](" + b"".join(b"K" + bytes([k]) for k in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + text(b"batch_label") + text(b"x") + b"u."


@pytest.mark.parametrize("kind", ["binary", "python2", *range(2, pickle.HIGHEST_PROTOCOL + 1)])
def test_cifar10(kind, tmp_path):
    every = [cifar_rows() for _ in range(5)]
    for k, (rows, labels) in enumerate(every, start=1):
        if kind == "binary":
            raw = np.column_stack([np.array(labels, np.uint8), rows]).tobytes()
            (tmp_path / f"data_batch_{k}.bin").write_bytes(raw)
        elif kind == "python2":
            assert list(pickle.loads(python2_batch(rows, labels), encoding="bytes")) == [b"data", b"labels", b"batch_label"]
            (tmp_path / f"data_batch_{k}").write_bytes(python2_batch(rows, labels))
        else:
            batch = {b"data": rows, b"labels": labels, b"filenames": [b"a.png"] * 3}
            (tmp_path / f"data_batch_{k}").write_bytes(pickle.dumps(batch, kind))
    data = datasets.cifar10(tmp_path, scale=False)
    assert data["pixels"].shape == (15, 32, 32, 3) and data["pixels"].dtype == np.uint8
    rows, labels = every[4]
    np.testing.assert_array_equal(data["pixels"][-1, 3, 5], rows[-1].reshape(3, 32, 32)[:, 3, 5])
    assert list(data["label"][-3:]) == [datasets.images.CIFAR10[k] for k in labels]
    assert datasets.cifar10(tmp_path, n=4)["pixels"].shape == (4, 32, 32, 3)
    with pytest.raises(FileNotFoundError, match="test_batch"):
        datasets.cifar10(tmp_path, "test")


class Harm:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def object_dtype_without_its_flag():
    """An array of pointers made of raw bytes, which numpy's own loader might follow."""
    return (b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(K\x01t"
            b"cnumpy\ndtype\n(\x8c\x02O8K\x00K\x01tR(K\x03\x8c\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
            b"C\x08\x01\x02\x03\x04\x05\x06\x07\x08tb.")  # fmt: skip


HARMFUL = {
    "system": lambda mark: pickle.dumps(Harm(os.system, f"touch {mark}"), 2),
    "eval": lambda mark: pickle.dumps({"data": Harm(eval, f"open({str(mark)!r}, 'w')")}),
    "python 2 builtin": lambda mark: b"\x80\x02c__builtin__\neval\n(U\x031+1tR.",
    "extension": lambda mark: b"\x80\x02\x82\x01.",
    "persistent": lambda mark: b"\x80\x02K\x01Q.",
    "inst": lambda mark: b"(S'echo'\nios\nsystem\n.",
    "newobj": lambda mark: b"\x80\x02cnumpy\ndtype\n)\x81.",
    "attribute of a function": lambda mark: b"\x80\x02cnumpy\ndtype\n}(X\x04\x00\x00\x00kindK\x01ub.",
    "dotted name": lambda mark: b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.",
    "pointers": lambda mark: object_dtype_without_its_flag(),
    "memo": lambda mark: b"\x80\x02K\x01r\xff\xff\xff\xff.",
    "long bytes": lambda mark: b"\x80\x04\x8e" + bytes([255] * 7) + b"\x7f.",
}


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_pickles_do_nothing(name, tmp_path):
    mark = tmp_path / "executed"
    raw = HARMFUL[name](mark)
    (tmp_path / "test_batch").write_bytes(raw)
    with pytest.raises(FileFormatError) as caught:
        datasets.cifar10(tmp_path, "test")
    assert "test_batch" in str(caught.value) and not mark.exists()


@pytest.mark.parametrize(
    ("batch", "word"),
    [([1], "no batch"), ({b"data": np.zeros((2, 5), np.uint8)}, "'data'"), ({b"labels": []}, "'data'"),
     ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "'labels'"),
     ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]}, "'labels'"),
     ({b"data": np.zeros((1, 3072)), b"labels": [1]}, "'data'")],
)  # fmt: skip
def test_other_batches(batch, word, tmp_path):
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, 2))
    with pytest.raises(FileFormatError, match=word):
        datasets.cifar10(tmp_path, "test")


def test_cut_batches(tmp_path):
    raw = pickle.dumps({b"data": cifar_rows(1)[0], b"labels": [1]}, 2)
    for share in (0, 0.2, 0.6, 0.95):
        (tmp_path / "test_batch").write_bytes(raw[: int(share * len(raw))])
        with pytest.raises(FileFormatError, match="damaged"):
            datasets.cifar10(tmp_path, "test")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3072))
    with pytest.raises(FileFormatError, match=r"test_batch\.bin: it has 3072 bytes"):
        datasets.cifar10(tmp_path, "test")
    (tmp_path / "test_batch.bin").write_bytes(b"\x0a" + bytes(3072))
    with pytest.raises(FileFormatError, match="0 to 9"):
        datasets.cifar10(tmp_path, "test")


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, -3, 300, 70_000, 2**40, -(2**70)], "b": (1, (2, [3]))}, [[], [[]], {}], "text", 3,
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.float32(1.5),
        np.arange(3, dtype=">i4"), np.array(["a", "bcd"]), np.array([True, False]),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_plain_pickles_are_read(value, protocol):
    got = read_pickle(pickle.dumps(value, protocol))
    assert type(got) is type(value)
    if isinstance(value, np.ndarray):
        assert got.dtype == value.dtype and got.shape == value.shape
        np.testing.assert_array_equal(got, value)
    else:
        assert got == value


# npz


def reviews(n):
    out = np.empty(n, object)
    for k in range(n):
        out[k] = RNG.integers(1, 400, RNG.integers(3, 1500 if k == 0 else 40)).tolist()
    return out


def test_npz_reads_lists_and_arrays(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"x": reviews(6), "y": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "z": np.array(["a", "bc"])}
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        got = datasets.npz(path)
        assert list(got) == list(arrays)
        for name, array in arrays.items():
            assert got[name].dtype == array.dtype
            np.testing.assert_array_equal(got[name], array)
    assert list(datasets.npz(path, names=["y"])) == ["y"]


def npy(header, body=b"", version=1):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", bytes(8)), "does not fit"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", bytes(8)), "does not fit|not an array"),
        (npy("{'descr': '|V8', 'fortran_order': False, 'shape': (1,), }", bytes(8)), "does not fit"),
        (npy("__import__('os').system('true')"), "not an array"), (npy("{", version=9), "not an array"),
        (b"", "not an array"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", pickle.dumps(Harm(os.system, "true"))), "names"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", pickle.dumps([1, 2])), "promises"),
    ],
)  # fmt: skip
def test_hostile_npz(raw, word, tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", raw)
    with pytest.raises(FileFormatError, match=word) as caught:
        datasets.npz(path)
    assert "a.npz" in str(caught.value)


def test_npz_that_claims_more_than_it_has(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(10**6))
    assert datasets.npz(path)["x"].shape == (10**6,)
    with pytest.raises(FileFormatError, match="max_bytes=100000"):
        datasets.npz(path, max_bytes=100_000)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FileFormatError, match="damaged"):
        datasets.npz(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.exe", b"")
    with pytest.raises(FileFormatError, match="no array"):
        datasets.npz(path)


# texts and houses


def test_padding_and_columns_of_words():
    got = datasets.pad_sequences([[1, 2, 3], [], [4]], 2)
    assert got.tolist() == [[2, 3], [0, 0], [0, 4]]
    assert datasets.multi_hot([[1, 3, 1], []], 4).tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]
    with pytest.raises(ArgumentError, match="width=3"):
        datasets.multi_hot([[3]], 3)


@pytest.fixture
def word_files(tmp_path):
    labels = RNG.integers(0, 2, 20)
    np.savez(tmp_path / "imdb.npz", x_train=reviews(20), y_train=labels, x_test=reviews(12), y_test=labels[:12])
    np.savez(tmp_path / "reuters.npz", x=reviews(15), y=np.arange(15) % 4)
    return tmp_path


@pytest.mark.filterwarnings("ignore")  # of Keras
@pytest.mark.parametrize("subset", ["train", "test"])
def test_words_are_numbered_as_keras_does(subset, word_files, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras")
    from keras.src.datasets import imdb, reuters

    part = 0 if subset == "train" else 1
    for module, ours, response in ((imdb, datasets.imdb, "positive"), (reuters, datasets.reuters, "topic")):
        path = word_files / f"{module.__name__.rpartition('.')[2]}.npz"
        monkeypatch.setattr(module, "get_file", lambda *args, path=path, **kwargs: str(path))
        x, y = module.load_data(num_words=100)[part]
        got = ours(path, subset, num_words=100, length=30)
        np.testing.assert_array_equal(got["words"], keras.utils.pad_sequences(x, 30))
        np.testing.assert_array_equal(np.asarray(got[response]), y)
        hot = ours(path, subset, num_words=100, n=3)["words"]
        assert hot.shape == (3, 100) and [set(np.flatnonzero(row)) for row in hot] == [set(text) for text in x[:3]]


def test_words_are_numbered(word_files):
    got = datasets.imdb(word_files / "imdb.npz", num_words=50, length=2000)
    raw = datasets.npz(word_files / "imdb.npz")["x_train"]
    longest = max(raw, key=len)
    expected = [1, *(w + 3 if w + 3 < 50 else 2 for w in longest)]
    assert expected in [row[-len(expected) :].tolist() for row in got["words"]]
    assert len(datasets.reuters(word_files / "reuters.npz", "all")["topic"]) == 15
    assert list(datasets.reuters(word_files / "reuters.npz", "test", n=2)["topic"].categories) == [0, 1, 2, 3]


def test_damaged_word_files(tmp_path):
    path = tmp_path / "imdb.npz"
    np.savez(path, x_train=np.array([[1, 2], [3, 4]]), y_train=np.array([0, 1]))
    with pytest.raises(FileFormatError, match=r"imdb\.npz: texts \(2, 2\)"):
        datasets.imdb(path)
    bad = np.empty(1, object)
    bad[0] = ["a"]
    np.savez(path, x_train=bad, y_train=np.array([0]))
    with pytest.raises(FileFormatError, match="no list of numbers"):
        datasets.imdb(path)
    np.savez(path, x=np.zeros(3))
    for loader in (datasets.imdb, datasets.reuters):
        with pytest.raises(FileFormatError, match="lacks"):
            loader(path)
    with pytest.raises(FileFormatError, match="no arrays x"):
        datasets.boston_housing(path)


def test_boston(tmp_path):
    x, y = RNG.standard_normal((5, 13)), RNG.standard_normal(5)
    np.savez(tmp_path / "b.npz", x=x, y=y)
    data = datasets.boston_housing(tmp_path / "b.npz")
    assert list(data) == [*datasets.texts.BOSTON, "MEDV"]
    np.testing.assert_array_equal(data.to_numpy(), np.column_stack([x, y]))


# folders of pictures


def test_image_folder(tmp_path):
    image = pytest.importorskip("PIL.Image")
    made = {}
    for name, colour in (("dogs", (200, 10, 0)), ("cats", (0, 50, 250))):
        (tmp_path / name).mkdir()
        for k, size in enumerate([(6, 4), (12, 8)]):
            image.new("RGB", size, colour).save(tmp_path / name / f"{k}.png")
        made[name] = colour
    (tmp_path / "cats" / "notes.txt").write_text("x")
    (tmp_path / "cats" / ".hidden.png").write_text("x")
    image.new("L", (3, 3), 7).save(tmp_path / "dogs" / "2.png")
    data = datasets.image_folder(tmp_path, (4, 6), scale=False)
    assert data["pixels"].shape == (5, 4, 6, 3) and list(data["label"]) == ["cats", "cats", "dogs", "dogs", "dogs"]
    assert np.all(data["pixels"][0] == made["cats"]) and np.all(data["pixels"][3] == made["dogs"])
    assert np.all(data["pixels"][4] == 7) and data["file"][0] == os.path.join("cats", "0.png")
    grey = datasets.image_folder(tmp_path, 5, channels=1, classes=["dogs"], n=1)
    assert grey["pixels"].shape == (1, 5, 5, 1) and list(grey["label"].categories) == ["dogs"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = (tmp_path / "dogs" / "1.png").read_bytes()
    for bad in (raw[:40], b"", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        (tmp_path / "dogs" / "1.png").write_bytes(bad)
        with pytest.raises(FileFormatError, match=r"1\.png: it is no picture"):
            datasets.image_folder(tmp_path, 4)


def test_pictures_that_claim_too_many_pixels(tmp_path):
    pytest.importorskip("PIL.Image")
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    (tmp_path / "a").mkdir()
    for side in (10_000, 60_000):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        (tmp_path / "a" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
        with pytest.raises(FileFormatError, match=r"x\.png: the picture claims too many pixels"):
            datasets.image_folder(tmp_path, 4)


def test_image_folder_arguments(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no pictures"):
        datasets.image_folder(tmp_path, 4)
    with pytest.raises(FileNotFoundError, match="no folder"):
        datasets.image_folder(tmp_path, 4, classes=["a"])
    for arguments, word in (({"size": 0}, "size must"), ({"size": (1, 2, 3)}, "size must"),
                            ({"size": 4, "channels": 2}, "channels")):  # fmt: skip
        with pytest.raises(ArgumentError, match=word):
            datasets.image_folder(tmp_path, **arguments)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ArgumentError, match=r"neuralstat\[images\]"):
        datasets.image_folder(tmp_path, 4)


# in the box


def test_digits():
    data = datasets.digits()
    assert data["pixels"].shape == (1797, 8, 8, 1) and data["pixels"].max() == 1
    assert pd.Series(data["digit"]).value_counts().sort_index().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_time_series():
    assert datasets.sunspots().loc[1957, "sunspots"] == 190.2
    assert datasets.nile().loc[1871, "volume"] == 1120
    week = datasets.co2()
    assert week["co2"].isna().sum() == 59 and week.index.is_monotonic_increasing and len(week) == 2284
    quarter = datasets.macrodata()
    assert quarter.index[-1] == pd.Timestamp("2009-07-01") and quarter.loc["1959-04-01", "cpi"] == 29.15


def test_reading_pickles_takes_no_time_for_hostile_sizes():
    with pytest.raises(FileFormatError):
        read_pickle(b"\x80\x04" + b"(" * 100_000)
    assert read_pickle(b"\x80\x02](" + b"K\x05M\x01\x02J\xff\xff\xff\xff" + b"e.") == [5, 513, -1]
