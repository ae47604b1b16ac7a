"""Compiled kernels: names, the key of the cache, folders that cannot be written."""

from __future__ import annotations

import gc
import shutil
from collections import defaultdict
from pathlib import Path

import numba
import numpy as np
import pytest
from processes import run_python
from test_scalar import FUNCTIONS

from neuralstat.functions.activation_calls import logistic_rows, tanh_rows
from neuralstat.jit import cache as compiling
from neuralstat.jit.vector_code import PAD

COMPILED = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")


@numba.njit
def two_rows(value, slope):
    logistic_rows(value, slope, 0, 1, PAD)
    tanh_rows(value, slope, 0, 1, PAD)


MARKS = ("@jit", "@entry", "jit(named(", "@numba.njit", "@intrinsic")  # of kernels in a source


@COMPILED
def test_no_two_kernels_share_a_name():
    """Cached code is linked by name: under one name, one kernel would be called in another's place."""
    from numba.core.dispatcher import Dispatcher

    for function in FUNCTIONS.values():  # compiles the implementations behind the stubs, too
        for dtype in (np.float64, np.float32, np.complex128):
            function(np.array([0.5], dtype))
    two_rows(np.zeros((1, PAD)), np.zeros((1, PAD)))
    kernels = defaultdict(set)
    for thing in gc.get_objects():
        function = getattr(thing, "py_func", None) if issubclass(type(thing), Dispatcher) else None  # None: half made
        if str(getattr(function, "__module__", None)).startswith("neuralstat."):
            cells = [cell.cell_contents for cell in function.__closure__ or ()]
            inner = tuple(getattr(value, "py_func", value) for value in cells)
            by_type = any(part in function.__qualname__ for part in ("implementation", "<lambda>"))
            types = tuple(thing.signatures) if by_type else ()  # an overload's are part of the name
            kernels[function.__module__, function.__qualname__, types].add((function.__code__, inner))
    assert len(kernels) > 50
    assert not {name: found for name, found in kernels.items() if len(found) > 1}


def copy_of_package(tmp_path: Path) -> Path:
    target = tmp_path / "neuralstat"
    shutil.copytree(compiling.PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def hash_of(package: Path, monkeypatch) -> str:
    monkeypatch.setattr(compiling, "PACKAGE", package)
    return compiling.source_hash.__wrapped__()


def test_cache_key_covers_every_kernel_source(tmp_path, monkeypatch):
    package = copy_of_package(tmp_path)
    before = hash_of(package, monkeypatch)
    assert before == hash_of(package, monkeypatch)
    with_kernels = [
        path for path in sorted(package.rglob("*.py"))
        if any(word in path.read_text() for word in MARKS) and package / "engine" / "cuda" not in path.parents
    ]  # fmt: skip
    assert len(with_kernels) > 8
    for path in with_kernels:
        text = path.read_text()
        path.write_text(text + "\n# changed\n")
        assert hash_of(package, monkeypatch) != before, f"{path.name} is not part of the key"
        path.write_text(text)
    assert hash_of(package, monkeypatch) == before


NOWHERE = """
import numpy as np
from neuralstat.functions.activation_calls import values
from neuralstat.jit.cache import cache_folder
assert cache_folder() is None
assert values("tanh", [0.5])[0, 0] == np.tanh(0.5), values("tanh", [0.5])
"""


def test_no_writable_cache_folder_is_no_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    done = run_python(NOWHERE, NEURALSTAT_CACHE_DIR=str(file / "below"), HOME=str(file))
    assert done.returncode == 0, done.stderr


def test_folders_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURALSTAT_CACHE_DIR", str(tmp_path))
    assert compiling.cache_folders() == [tmp_path / "neuralstat"]
    monkeypatch.delenv("NEURALSTAT_CACHE_DIR")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = compiling.cache_folders()
    assert folders[0].parent == tmp_path / "neuralstat"
    assert folders[-1].is_relative_to(compiling.PACKAGE)


ONE_KERNEL = """
import numpy as np
from neuralstat.functions.activation_calls import activation_values
from neuralstat.functions.activations import ACTIVATIONS
value = np.array([[0.5]], dtype="%s")
activation_values(ACTIVATIONS["tanh"].code, 0.0, 0, value, np.empty_like(value))
assert abs(value[0, 0] - np.tanh(0.5)) < 1e-7
print(sum(activation_values.stats.cache_hits.values()))
"""
CODE = ONE_KERNEL % "float64"


def damaged(text: bytes, how: str) -> bytes:
    if how == "empty":
        return b""
    if how == "cut":
        return text[: len(text) // 2]
    if how == "flipped":
        return text[: len(text) // 3] + bytes([text[len(text) // 3] ^ 1]) + text[len(text) // 3 + 1 :]
    return b"\x80\x04." + text[3:]


@COMPILED
@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "unpickled"])
def test_damaged_files_are_compiled_again(how, tmp_path):
    where = {"NEURALSTAT_CACHE_DIR": str(tmp_path)}
    hits = [run_python(CODE, **where).stdout.strip() for _ in range(2)]
    assert hits == ["0", "1"]
    files = list(tmp_path.rglob("*.nb?"))
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, how))
        done = run_python(CODE, **where)
        assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr
        assert run_python(CODE, **where).stdout.strip() == "1"


@COMPILED
def test_another_kernels_code_is_not_run(tmp_path):
    """As where two processes took one name for two signatures."""
    where = {"NEURALSTAT_CACHE_DIR": str(tmp_path)}
    for dtype in ("float32", "float64"):
        assert run_python(ONE_KERNEL % dtype, **where).returncode == 0
    first, second = sorted(tmp_path.rglob("*activation_values*.nbc"))
    first.write_bytes(second.read_bytes())
    for dtype, hits in (("float32", "0"), ("float64", "1"), ("float32", "1")):
        done = run_python(ONE_KERNEL % dtype, **where)
        assert (done.returncode, done.stdout.strip()) == (0, hits), done.stderr


FULL_DISK = """
import numpy as np
from neuralstat.jit.disk import KernelCache, KernelFile
def full(self, path, thing):
    raise OSError(28, "No space left on device")
KernelFile._write = full
from neuralstat.functions.activation_calls import values
assert values("tanh", [0.5])[0, 0] == np.tanh(0.5)
"""


@COMPILED
def test_a_full_disk_ends_nothing(tmp_path):
    done = run_python(FULL_DISK, NEURALSTAT_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.nbc"))
