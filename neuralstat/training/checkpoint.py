"""Checkpoints of a running minibatch fit: arrays in one file, replaced as a whole, and exact resumption."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, FileFormatError

_SAVED = ("theta", "memory", "steps", "epoch", "status", "loss", "history", "best", "stopping", "plateau")


def fingerprint(*parts: Any) -> np.ndarray:
    """(32,) uint8 hash of arrays and of what has a stable `repr`."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return np.frombuffer(digest.digest(), np.uint8)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray] | None:
    """Arrays of a checkpoint; None where there is no such file.

    Raises
    ------
    FileFormatError
        Where the file is none.
    """
    if not Path(path).exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileFormatError(f"checkpoint: {os.fspath(path)!r} is no checkpoint ({error}).") from None
    lacking = [name for name in (*_SAVED, "fingerprint") if name not in arrays]
    if lacking:
        raise FileFormatError(f"checkpoint: {os.fspath(path)!r} is no checkpoint: it lacks {', '.join(lacking)}.")
    return arrays


def stored_seeds(path: str | os.PathLike[str]) -> np.random.SeedSequence | None:
    """The seeds of the fit that wrote a checkpoint; None where there is no file."""
    arrays = read(path)
    if arrays is None:
        return None
    lacking = [name for name in ("entropy", "spawn_key", "pool_size") if name not in arrays]
    if lacking or arrays["entropy"].size == 0:
        raise ArgumentError(f"checkpoint: {os.fspath(path)!r} does not hold the seeds of its fit; give random_state=.")
    words = arrays["entropy"].astype(np.uint32).tobytes()
    key = tuple(int(k) for k in arrays["spawn_key"])
    return np.random.SeedSequence(int.from_bytes(words, "little"), spawn_key=key, pool_size=int(arrays["pool_size"]))


def seed_arrays(seeds: np.random.SeedSequence) -> dict[str, np.ndarray]:
    """What `stored_seeds` reads; only for seeds whose entropy is one whole number."""
    entropy = seeds.entropy
    if not isinstance(entropy, int):
        return {"entropy": np.zeros(0, np.uint32), "spawn_key": np.zeros(0, np.int64), "pool_size": np.array(4)}
    size = max(4, (entropy.bit_length() + 31) // 32 * 4)
    return {"entropy": np.frombuffer(entropy.to_bytes(size, "little"), np.uint32),
            "spawn_key": np.array(seeds.spawn_key, np.int64), "pool_size": np.array(seeds.pool_size)}  # fmt: skip


class Checkpoint:
    """Writes the state of all repetitions as it was at their last finished epochs.

    Parameters
    ----------
    path : path
    state : State
        Of `engine.batches`.
    mark : array
        `fingerprint` of what makes the fit.
    more : dict of arrays
        Stored beside.
    """

    def __init__(self, path: Any, state: Any, mark: np.ndarray, more: dict[str, np.ndarray]) -> None:
        self.path, self.state = Path(path), state
        self._lock = threading.Lock()
        self._more = {**more, "fingerprint": mark}
        self._kept = {name: np.array(getattr(state, name)) for name in _SAVED}

    def save(self, b: int) -> None:
        """Take over the state of repetition b, which is at the end of an epoch, and write all."""
        with self._lock:
            for name, kept in self._kept.items():
                kept[b] = getattr(self.state, name)[b]
            self._write()

    def _write(self) -> None:
        folder = self.path.parent
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=self.path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                arrays: dict[str, Any] = {**self._kept, **self._more}
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise


def restore(path: Any, state: Any, mark: np.ndarray) -> bool:
    """Put a checkpoint's arrays into `state`; False where there is no file.

    Raises
    ------
    ArgumentError
        Where the file belongs to another fit.
    """
    arrays = read(path)
    if arrays is None:
        return False
    if arrays["fingerprint"].shape != mark.shape or np.any(arrays["fingerprint"] != mark):
        raise ArgumentError(
            f"checkpoint: {os.fspath(path)!r} was written by another fit (other data, network, start weights, optimizer, "
            "batches, or random_state). Delete it, or name another file."
        )
    for name in _SAVED:
        target, source = getattr(state, name), arrays[name]
        if name == "history":
            epochs = min(source.shape[1], target.shape[1])
            if int(arrays["epoch"].max(initial=0)) > target.shape[1]:
                raise ArgumentError(
                    f"checkpoint: {os.fspath(path)!r} already has {int(arrays['epoch'].max())} epochs; "
                    f"epochs={target.shape[1]} is fewer."
                )
            target[:, :epochs] = source[:, :epochs]
        else:
            if source.shape != target.shape or source.dtype != target.dtype:
                raise FileFormatError(f"checkpoint: {os.fspath(path)!r} is damaged: {name} has shape {source.shape}.")
            target[...] = source
    return True
