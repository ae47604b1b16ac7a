"""Weight files that claim more than they hold."""

import json
import os
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, FileFormatError
from neuralstat.weights import archive

MIB = 2**20


def refused(path, most=4 * MIB, match=""):
    tracemalloc.start()
    begun = time.thread_time()
    try:
        with pytest.raises(FileFormatError, match=f"{path.name}.*{match}"):
            ns.read_weights(path)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    assert time.thread_time() - begun < 60  # quadratic work; tracing and collecting garbage in a full process take seconds


def keras(path, config, weights=b""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", config)
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", weights)
    return path


def test_configurations_of_nothing(tmp_path):
    path = keras(tmp_path / "a.keras", "[" + "[]," * 15_000_000 + "[]]")
    assert path.stat().st_size < 100_000
    refused(path, match="config.json has 45000004 bytes")
    refused(keras(tmp_path / "b.keras", "[" * 10**6), 16 * MIB, "not JSON")
    refused(keras(tmp_path / "c.keras", '{"a":' * 500 + "1" + "}" * 500), match="deep")
    wide = "[" + "[]," * (archive._JSON_LIMIT // 3 - 1) + "[]]"
    refused(keras(tmp_path / "d.keras", wide), 40 * MIB, "more than 4000000 parts")


def test_headers_of_nothing(tmp_path):
    def header(text):
        return len(text).to_bytes(8, "little") + text

    path = tmp_path / "a.safetensors"
    for raw in (
        (2**62).to_bytes(8, "little") + b"{}", header(b"[" * 10**5), header(b"[" + b"[]," * 10**5 + b"1]"), b"\xff" * 16, b"",
        header(json.dumps({"a": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}}).encode()),
        header(json.dumps({"a": {"dtype": "F64", "shape": [2**62, 0], "data_offsets": [0, 0]}}).encode()) + b"12345678",
    ):  # fmt: skip
        path.write_bytes(raw)
        refused(path, 32 * MIB)


def test_arguments_and_places(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    refused(tmp_path / "pipe.h5", match="it is a pipe")
    with pytest.raises(FileFormatError, match="it is a device"):
        ns.read_weights("/dev/zero")
    for wrong in (None, 3, "", b"a", ["a"]):
        with pytest.raises(ArgumentError, match="path must be a path"):
            ns.read_weights(wrong)
    for wrong in (0, -1, 1.5, True, "9", None):
        with pytest.raises(ArgumentError, match="max_bytes"):
            ns.read_weights(tmp_path / "a", max_bytes=wrong)
    ns.weights.write_safetensors(tmp_path / "a.safetensors", {"a": np.ones(3)})
    with pytest.raises(FileFormatError, match="max_bytes=8"):
        ns.read_weights(tmp_path / "a.safetensors", max_bytes=8)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "pipe.h5"]
