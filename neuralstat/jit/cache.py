"""Where compiled kernels are kept on disk, and what is read back.

numba keys its disk cache on one source file. Our kernels call each other across files, so the key here is a
hash of *all* kernel sources; a change in any of them discards what was compiled. Where no folder is writable
the kernels are compiled in memory, without an error.

Machine code is run as it is read, so each file begins with a digest of the rest and says which kernel, types, sources and
processor it is of: what is damaged, cut short or another's (of two processes that filled an empty folder at one time) is
compiled again. A full disk keeps nothing, and ends no fit.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core import caching

PACKAGE = Path(__file__).resolve().parent.parent
DIGEST = hashlib.sha256().digest_size

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


class _KernelFile(caching.IndexDataCacheFile):
    """Index and machine code of a kernel, each under a digest."""

    def load(self, key: Any) -> Any:
        """Reduced code of a signature; None unless all of it is there."""
        name = self._load_index().get(key)
        found = None if name is None else self._read(self._data_path(name))
        return None if found is None or found[0] != key else found[1]

    def save(self, key: Any, data: Any) -> None:
        """Write the code, then the index."""
        index = self._load_index()
        taken = set(index.values())
        name = index.get(key) or next(n for k in range(1, len(taken) + 2) if (n := self._data_name(k)) not in taken)
        self._write(self._data_path(name), (key, data))
        index[key] = name
        self._save_index(index)

    def _load_index(self) -> dict[Any, str]:
        return self._read(self._index_path) or {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, overloads)

    @property
    def _stamp(self) -> tuple[str, str]:
        return self._version, self._source_stamp

    def _write(self, path: str, thing: Any) -> None:
        body = pickle.dumps(self._stamp) + self._dump(thing)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(body).digest() + body)

    def _read(self, path: str) -> Any:
        """What was written; None where it is missing, damaged, or of other sources or another numba."""
        try:
            text = Path(path).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(text[DIGEST:]).digest() != text[:DIGEST]:
            return None
        body = io.BytesIO(text[DIGEST:])
        return pickle.load(body) if pickle.load(body) == self._stamp else None


class _KernelImpl(caching.CompileResultCacheImpl):
    """How numba turns a kernel into bytes, and where they are."""

    _locator_classes = (_KernelLocator,)


class KernelCache(caching.FunctionCache):
    """numba's cache of a function with the files of this module."""

    _impl_class = _KernelImpl
    _cache_file: Any

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _KernelFile(self._cache_path, self._impl.filename_base, source_hash())

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code, if the disk takes it."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)
