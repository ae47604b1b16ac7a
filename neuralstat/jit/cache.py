"""Where compiled kernels are kept, and of which sources they are.

numba keys its disk cache on one source file. Our kernels call each other across files, so the key here is a
hash of *all* kernel sources; a change in any of them discards what was compiled. Where no folder is writable
the kernels are compiled in memory, without an error. How they are written and read: `disk`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent

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
