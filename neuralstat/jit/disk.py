"""Compiled kernels on disk: written, read back, and read from where others compiled them.

Machine code is run as it is read, so each file begins with a digest of the rest and says which kernel, types, sources and
processor it is of: what is damaged, cut short or another's (of two processes that filled an empty folder at one time) is
compiled again. A full disk keeps nothing, and ends no fit.

Beside the index of a kernel may lie those that were imported (`IMPORTED` in their names): an import neither reads nor
changes what there is, and what both have is taken from the kernel's own index.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba.core import caching
from numba.core.registry import cpu_target

from .cache import PACKAGE, cache_folder, source_hash
from .known import KNOWN, names_in

DIGEST = hashlib.sha256().digest_size
IMPORTED = "imported"


def target() -> tuple[str, str, str]:
    """What machine code is made for, as numba has it in its keys: triple, name of the processor, features ("+a,-b")."""
    return cpu_target.target_context.codegen().magic_tuple()


def whole(text: bytes) -> bool:
    """Whether the bytes of a file are those that were written."""
    return len(text) > DIGEST and hashlib.sha256(text[DIGEST:]).digest() == text[:DIGEST]


def kernel_files(folder: Path) -> Iterator[tuple[str, KernelFile]]:
    """The kernels of the present sources in a folder: base name, file."""
    names = {path.stem.partition(f".{IMPORTED}-")[0] for path in folder.glob("*.nbi")}
    for name in sorted(names):
        yield name, KernelFile(str(folder), name, source_hash())


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


class KernelFile(caching.IndexDataCacheFile):
    """Index and machine code of a kernel, each under a digest."""

    def load(self, key: Any) -> Any:
        """Reduced code of a signature; None unless all of it is there."""
        name = self._load_index().get(key)
        found = None if name is None else self._read(self._data_path(name))
        return None if found is None or found[0] != key else found[1]

    def save(self, key: Any, data: Any) -> None:
        """Write the code, then the index."""
        index = self._read(self._index_path) or {}
        taken = set(index.values())
        name = index.get(key) or next(n for k in range(1, len(taken) + 2) if (n := self._data_name(k)) not in taken)
        self._write(self._data_path(name), (key, data))
        index[key] = name
        self._save_index(index)

    def _load_index(self) -> dict[Any, str]:
        found: dict[Any, str] = {}
        for path in sorted(glob.glob(f"{glob.escape(self._index_path.removesuffix('.nbi'))}.{IMPORTED}-*.nbi")):
            found.update(self._read(path) or {})
        return found | (self._read(self._index_path) or {})

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, overloads)

    def entries(self) -> dict[Any, str]:
        """Names of files of machine code for this processor by key (signature, target, bytecode); of whole files."""
        return {k: name for k, name in self._load_index().items() if k[1] == target() and self.load(k) is not None}

    @property
    def _stamp(self) -> tuple[str, str]:
        return self._version, self._source_stamp

    def pack(self, thing: Any) -> bytes:
        """What a file of it holds: a digest, then whose it is, then the thing."""
        body = pickle.dumps(self._stamp) + self._dump(thing)
        return hashlib.sha256(body).digest() + body

    def _write(self, path: str, thing: Any) -> None:
        text = self.pack(thing)
        with self._open_for_write(path) as file:
            file.write(text)

    def _read(self, path: str) -> Any:
        """What was written; None where it is missing, damaged, or of other sources or another numba."""
        try:
            text = Path(path).read_bytes()
        except OSError:
            return None
        if not whole(text):
            return None
        body = io.BytesIO(text[DIGEST:])
        return pickle.load(body) if pickle.load(body) == self._stamp else None


class _KernelImpl(caching.CompileResultCacheImpl):
    """How numba turns a kernel into bytes, and where they are."""

    _locator_classes = (_KernelLocator,)

    def reduce(self, cres: Any) -> Any:
        """With the late kernels that it may ask for."""
        return names_in(cres.library), super().reduce(cres)

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """Callable code."""
        names, reduced = payload
        KNOWN.update(names)
        return super().rebuild(target_context, reduced)


class KernelCache(caching.FunctionCache):
    """numba's cache of a function with the files of this module."""

    _impl_class = _KernelImpl
    _cache_file: Any

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = KernelFile(self._cache_path, self._impl.filename_base, source_hash())

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code, if the disk takes it."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)
