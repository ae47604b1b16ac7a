"""Files that claim more than they hold: refused by name, within time and memory."""

import contextlib
import gzip
import io
import os
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.datasets import npz
from neuralstat.datasets.unpickle import read_pickle
from neuralstat.errors import FileFormatError

MIB = 2**20


@contextlib.contextmanager
def within(seconds, memory):
    """At most so much time and memory of Python's and numpy's."""
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < memory, peak
    assert time.perf_counter() - begun < seconds


def header(shape, dtype="|O"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def archive(path, members, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as file:
        for name, raw in members.items():
            file.writestr(name, raw)
    return path


def opcode(code, width, size):
    return b"\x80\x05" + code + size.to_bytes(width, "little") + b"."


CLAIMS = {
    "bytearray": opcode(pickle.BYTEARRAY8, 8, 2**32), "bytes": opcode(pickle.BINBYTES, 4, 2**32 - 1),
    "long bytes": opcode(pickle.BINBYTES8, 8, 2**32), "text": opcode(pickle.BINUNICODE8, 8, 2**32),
    "number": opcode(pickle.LONG4, 4, 2**31 - 1), "frame": opcode(pickle.FRAME, 8, 2**32),
    "duplicates": b"\x80\x02]" + b"2" * 100 + b".", "unknown memo": b"\x80\x02h\x05.",
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_pickle_of_a_few_bytes_takes_a_few_bytes(claim, tmp_path):
    raw = CLAIMS[claim]
    (tmp_path / "test_batch").write_bytes(raw)
    path = archive(tmp_path / "a.npz", {"x.npy": header((1,)) + raw})
    with within(2, MIB):
        with pytest.raises(FileFormatError, match="test_batch"):
            ns.datasets.cifar10(tmp_path, "test")
        with pytest.raises(FileFormatError, match=r"a\.npz"):
            npz(path, max_bytes=1000)


def test_what_is_used_twice_is_refused():
    inner = pickle.dumps([list(range(1000)) for _ in range(3)], 2)
    assert read_pickle(inner, MIB) == [list(range(1000))] * 3
    for thing in ([1, 2], {"a": 1}, ([1],), np.arange(3)):
        with pytest.raises(FileFormatError, match="twice"):
            read_pickle(pickle.dumps([thing, thing], 2), MIB)
    text = "a long text"
    assert read_pickle(pickle.dumps([text, text, (1, 2)], 2), MIB) == [text, text, (1, 2)]
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    for protocol in range(6):
        np.testing.assert_array_equal(read_pickle(pickle.dumps({"a": array}, protocol), MIB)["a"], array)


def test_lists_of_lists_stay_within_what_they_may_take(tmp_path):
    shared = [[1, 2]] * 500_000
    with within(3, 200 * MIB), pytest.raises(FileFormatError, match="list twice"):
        npz(archive(tmp_path / "a.npz", {"x.npy": header((1,)) + pickle.dumps(shared, 2)}))
    many = header((1,)) + b"\x80\x02" + b"]" * (10 * MIB) + b"."
    path = archive(tmp_path / "b.npz", {"x.npy": many}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    with within(20, 40 * MIB), pytest.raises(FileFormatError, match="more memory than it may"):
        npz(path, max_bytes=12 * MIB)


def test_an_array_takes_its_size_once(tmp_path):
    raw = header((20 * MIB,), "|u1") + bytes(20 * MIB)
    path = archive(tmp_path / "a.npz", {"x.npy": raw}, zipfile.ZIP_DEFLATED)
    with within(5, 26 * MIB):
        assert npz(path)["x"].size == 20 * MIB
    with within(2, MIB), pytest.raises(FileFormatError, match="max_bytes"):
        npz(path, max_bytes=MIB)
    cut = archive(tmp_path / "b.npz", {"x.npy": header((2**40,), "|u1") + bytes(MIB)}, zipfile.ZIP_DEFLATED)
    with within(2, 3 * MIB), pytest.raises(FileFormatError, match="does not fit"):
        npz(cut)
    nothing = archive(tmp_path / "c.npz", {"x.npy": header((2**40,), "|S0")})
    with within(2, MIB), pytest.raises(FileFormatError, match=r"c\.npz"):
        npz(nothing)


def test_images_claim_no_more_than_they_have(tmp_path):
    idx = b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 28, 28)
    for name in ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"):
        (tmp_path / name).write_bytes(gzip.compress(idx) if name.endswith("gz") else idx)
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 2**31))
        with within(2, MIB), pytest.raises(FileFormatError, match="claims the shape"):
            ns.datasets.mnist(tmp_path)
        (tmp_path / name).unlink()


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    readers = (
        npz, ns.datasets.imdb, ns.datasets.reuters, ns.datasets.boston_housing, ns.datasets.mnist, ns.read_weights, ns.load,
        ns.datasets.word_index,
    )  # fmt: skip
    for path in ("/dev/zero", tmp_path / "pipe.npz", tmp_path):
        for reader in readers:
            with within(2, 2 * MIB), pytest.raises((FileFormatError, FileNotFoundError), match=os.path.basename(path)):
                reader(path)
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "1.png")
    with pytest.raises(FileFormatError, match=r"1\.png"):
        ns.datasets.image_folder(tmp_path, 8)
