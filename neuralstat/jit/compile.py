"""The one decorator for kernels: how they are compiled, and where the machine code is cached.

numba keys its disk cache on one source file. Our kernels call each other across files, so the key here is a
hash of *all* kernel sources; a change in any of them discards what was compiled. Where no folder is writable
the kernels are compiled in memory, without an error.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

from .inner import InnerCompiler, OuterCompiler

PACKAGE = Path(__file__).resolve().parent.parent

# Reassociation and contraction let reductions vectorise. `nnan` and `ninf` are left out on purpose:
# non-finite values must survive to be reported. `arcp` and `afn` would change the
# rounding of 1 / (1 + exp(-x)).
FAST = {"reassoc", "contract", "nsz"}

# Folders without those below them: nothing in `engine/cuda` is in the CPU's machine code.
_SOURCES = ("jit", "functions", "engine", "layers", "optimizers")


@functools.lru_cache(maxsize=1)
def source_hash() -> str:
    """Hash of every file that holds kernels (hex digits)."""
    digest = hashlib.sha256()
    for entry in _SOURCES:
        path = PACKAGE / entry
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        for file in files:
            if file.exists():
                digest.update(file.name.encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def cache_folders() -> list[Path]:
    """Folders that may hold compiled kernels, the preferred first."""
    named = os.environ.get("NEURALSTAT_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return [Path(named) / "neuralstat"]
    key = hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:12]
    folders = []
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not home.startswith("~"):
        folders.append(Path(home) / "neuralstat" / key)
    folders.append(PACKAGE / "__pycache__" / "kernels")
    return folders


@functools.lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """The first writable folder of `cache_folders`, or None."""
    for folder in cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    return None


class _KernelLocator(caching._CacheLocator):
    """Where numba keeps the compiled kernels of this package: one folder, stamped with the sources' hash."""

    def __init__(self, py_func: Callable[..., Any], folder: Path) -> None:
        self._folder = folder
        self._py_file = py_func.__code__.co_filename  # numba names it in warnings
        self._line = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return source_hash()

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _KernelLocator | None:
        if PACKAGE not in Path(py_file).resolve().parents:
            return None
        folder = cache_folder()
        return None if folder is None else cls(py_func, folder)


caching.CacheImpl._locator_classes = [_KernelLocator, *caching.CacheImpl._locator_classes]


def named(function: Callable[..., Any], *parts: str) -> Callable[..., Any]:
    """Give a closure a name of its own, before it is compiled.

    Machine code from the cache is linked by name. Numba tells closures of one definition apart by a number
    that counts what the process has compiled so far; in code from two processes the same number can mean two
    of them, and one would be called in the other's place.
    """
    function.__qualname__ = "_".join((function.__qualname__, *parts)).replace("<locals>.", "")
    return function


def as_python(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The plain Python function of a kernel, to call it once without compiling it."""
    return getattr(kernel, "py_func", kernel)


def jit(function: Callable[..., Any] | None = None, *, strict: bool = False) -> Any:
    """Compile a kernel that other kernels call: no cache and no way in from Python of its own (see `entry`).

    Parameters
    ----------
    function : callable
        Plain loops over arrays.
    strict : bool
        True keeps the rounding of every operation as written (activations, whose saturated values decide
        the sign of a gradient).
    """
    if function is None:
        return functools.partial(jit, strict=strict)
    fastmath: Any = False if strict else FAST
    return numba.njit(
        nogil=True, fastmath=fastmath, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=InnerCompiler,
    )(function)


def entry(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls: as `jit`, and kept on disk where a folder is writable."""
    kernel = numba.njit(nogil=True, fastmath=FAST, error_model="numpy", no_cfunc_wrapper=True,
                        pipeline_class=OuterCompiler)(function)
    if numba.config.DISABLE_JIT:
        return kernel
    with contextlib.suppress(RuntimeError):  # no writable folder: compile in memory
        kernel.enable_caching()
    return kernel
