"""Numbers that grow on disk, and are mapped into memory when they are all there."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Spool:
    """Rows of arrays that grow on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, name: str, values: np.ndarray) -> None:
        """Append (k, m) numbers to k growing rows."""
        for i, row in enumerate(values):
            with open(self.folder / f"{name}{i}", "ab") as file:
                np.ascontiguousarray(row, dtype=np.float64).tofile(file)

    def finish(self, name: str, k: int, n: int) -> np.ndarray:
        """The rows as one mapped array (k, n), C order, writable."""
        if k == 0 or n == 0:
            return np.zeros((k, n))
        whole = self.folder / f"{name}0"
        with open(whole, "ab") as target:
            for i in range(1, k):
                part = self.folder / f"{name}{i}"
                with open(part, "rb") as source:
                    shutil.copyfileobj(source, target, 2**20)
                part.unlink()
        return np.memmap(whole, np.float64, "r+", shape=(k, n)).view(np.ndarray)


class Stored:
    """Parts of arrays whose rows lie on disk; what is no number stays in memory."""

    def __init__(self, folder: Path, name: str) -> None:
        self._spool, self._name = Spool(folder), name
        self._parts: list[list[tuple[np.ndarray, ...]]] = []

    def append(self, part: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Add a part: tuples of arrays (m,) or (m, k)."""
        kept = []
        for k, arrays in enumerate(part):
            for j, array in enumerate(arrays):
                if array.dtype == np.float64:
                    self._spool.append(f"{self._name}{k}.{j}-", array.reshape(len(array), -1).T)
            kept.append(tuple(a if a.dtype != np.float64 else np.broadcast_to(0.0, a.shape) for a in arrays))
        self._parts.append(kept)

    def finish(self) -> list[list[tuple[np.ndarray, ...]]]:
        """All parts, as views of mapped files."""
        made: list[list[list[np.ndarray]]] = [[list(arrays) for arrays in part] for part in self._parts]
        for k, arrays in enumerate(self._parts[0] if self._parts else ()):
            for j, first in enumerate(arrays):
                own = [part[k] for part in made if part[k][j].dtype == np.float64]
                width, at = int(np.prod(first.shape[1:], dtype=int)), 0
                whole = self._spool.finish(f"{self._name}{k}.{j}-", width, sum(len(p[j]) for p in own))
                for part in own:
                    m = len(part[j])
                    rows = whole[:, at : at + m]
                    part[j] = rows[0] if first.ndim == 1 else rows.T
                    at += m
        return [[tuple(arrays) for arrays in part] for part in made]
