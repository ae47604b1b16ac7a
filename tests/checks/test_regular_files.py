"""Files: only regular ones are read and replaced, whole or not at all; JSON within bounds."""

import errno
import os
import socket
import stat

import numpy as np
import pytest
from fits import quiet

import neuralstat as ns
from neuralstat.checks import files
from neuralstat.checks.files import named
from neuralstat.errors import ArgumentError, FileFormatError


def others(folder):
    """Places that are no regular files."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "link to nothing").symlink_to("/dev/null")
    return {"a pipe": folder / "pipe", "a folder": folder / "folder", "a device": folder / "link to nothing"}


def test_only_regular_files_are_opened(tmp_path):
    for kind, path in others(tmp_path).items():
        with pytest.raises(FileFormatError, match=f"{path.name}: it is {kind}, no regular file"):
            files.open_regular(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(FileFormatError, match="no regular file"):
            files.open_regular(tmp_path / "socket")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        files.open_regular(tmp_path / "missing")
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("a", "link"):
        with files.open_regular(tmp_path / name) as file:
            assert file.read() == b"x"
    with pytest.raises(FileNotFoundError):
        files.open_regular(tmp_path / "a" / "b")


def test_only_regular_files_are_replaced(tmp_path):
    fit = quiet("y ~ x", {"x": np.arange(9.0), "y": np.arange(9.0)}, hidden=0, random_state=1)
    for kind, path in others(tmp_path).items():
        before = stat.S_IFMT(os.stat(path).st_mode)
        for write in (fit.save, lambda path: ns.weights.write_safetensors(path, {"a": np.ones(2)})):
            with pytest.raises(OSError, match=f"cannot save to .*: it is {kind}"):
                write(path)
        assert stat.S_IFMT(os.stat(path).st_mode) == before
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        fit.save(tmp_path / "missing" / "fit.nst")
    for nothing in ("", 3, None, "a\0b", b"x"):
        with pytest.raises(ArgumentError, match="path must be a path"):
            fit.save(nothing)
    (tmp_path / "fit.nst").write_text("old")
    (tmp_path / "link.nst").symlink_to(tmp_path / "fit.nst")
    fit.save(tmp_path / "link.nst")
    assert (tmp_path / "link.nst").is_symlink() and ns.load(tmp_path / "fit.nst").nrep == fit.nrep
    fit.save(tmp_path / ("n" * 251 + ".nst"))  # the longest name that there may be


def test_what_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    message = r"cannot save to .*a: No space left on device; a file that was there is unchanged"
    with pytest.raises(OSError, match=message) as said, files.replacing(path) as file:
        file.write(b"new")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert said.value.errno == errno.ENOSPC
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a"]
    with files.replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_json_within_bounds(monkeypatch):
    assert files.parse_json(b'{"a": [1, 2.5, null]}', "it") == {"a": [1, 2.5, None]}
    for raw in (b"", b"[", b"[" * 10**5, b"NaN", b"[Infinity]", b"\xff", b"9" * 5000, b'{"a": 1'):
        with pytest.raises(FileFormatError, match="it is not JSON"):
            files.parse_json(raw, "it")
    assert files.parse_json(b"[NaN]", "it", strict=False) != [0]
    with pytest.raises(FileFormatError, match="nested more than 200 deep"):
        files.parse_json(b"[" * 300 + b"]" * 300, "it")
    with pytest.raises(FileFormatError, match="has 9 bytes, more than 8"):
        files.parse_json(b"[1, 2, 3]", "it", 8)
    monkeypatch.setattr(files, "JSON_ITEMS", 10)
    with pytest.raises(FileFormatError, match="more than 10 parts"):
        files.parse_json(b"[" + b"[]," * 10 + b"1]", "it")


def test_a_disk_that_fails_is_named_with_its_file():
    with pytest.raises(OSError, match=r"cannot read here\.npz: Input/output error") as caught, named("here.npz"):
        raise OSError(5, "Input/output error")
    assert caught.value.errno == 5
    with pytest.raises(FileNotFoundError, match="there is no file"), named("here.npz"):
        raise FileNotFoundError("there is no file")
