"""Finished chunks of a study on disk: files that appear as a whole, or not at all, and say what they are."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..checks import is_whole, shown
from ..datasets import npz
from ..errors import ArgumentError, FileFormatError
from .lock import Lock

MANIFEST = "study.json"
VERSION = 3
IDENTITY = ("study", "chunk", "digest")  # what a file says of itself
LARGEST = 2**26  # bytes of a manifest
_NAME = re.compile(r"chunk-(\d{4,9})-(\d{4,9})-(\d{7,9})-(\d{7,9})\.npz")
_PART = re.compile(r"(chunk-\d{4,9}-\d{4,9}-\d{7,9}-\d{7,9}|study)\.[a-z0-9_]{8}\.part")  # as `write` calls them

Chunk = tuple[int, int, int, int]  # cell, model, first replicate, one past the last


class Store:
    """A folder of finished chunks of one study.

    Parameters
    ----------
    folder : path
        Made where there is none. It belongs to one study, which one process at a time may run: until `close`.
    description : dict
        What makes the study: of names and JSON values. The number of replicates is no part of it: a study may be
        continued with more.
    seeds : SeedSequence or None
        None takes the seeds of the study in the folder, or new ones.

    Raises
    ------
    ArgumentError
        Where the folder holds another study (the message names what differs), is in use by another process, or cannot be
        written. Nothing in it was touched then.
    """

    def __init__(self, folder: Any, description: dict[str, Any], seeds: np.random.SeedSequence | None) -> None:
        self.folder = Path(folder)
        self.described = json.loads(json.dumps({"version": VERSION, **description}))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stored = self._stored()
            if stored is not None:
                self._compare(stored, seeds)
            self.lock = Lock(self.folder)
        except OSError as error:
            raise ArgumentError(f"checkpoint: the folder {str(self.folder)!r} cannot be used: {error}.") from None
        try:
            self.seeds = self._claimed(seeds)
        except BaseException:
            self.lock.release()
            raise
        self.study = hashlib.sha256(
            json.dumps([self.described, seeds_to_plain(self.seeds)], sort_keys=True).encode()
        ).hexdigest()

    def _claimed(self, seeds: np.random.SeedSequence | None) -> np.random.SeedSequence:
        """The seeds, of a folder that is locked now; what a run that was killed had half written goes."""
        try:
            stored = self._stored()  # another process may have begun before it was locked
            if stored is not None:
                self._compare(stored, seeds)
                if self.lock.held:
                    for path in self.folder.iterdir():
                        if _PART.fullmatch(path.name):
                            path.unlink()
                return _seeds(stored["seeds"])
        except OSError as error:
            raise ArgumentError(f"checkpoint: the folder {str(self.folder)!r} cannot be used: {error}.") from None
        seeds = np.random.SeedSequence() if seeds is None else seeds
        text = json.dumps({"seeds": seeds_to_plain(seeds), **self.described}, indent=1)
        try:
            write(self.folder / MANIFEST, lambda file: file.write(text.encode()))
        except OSError as error:
            raise ArgumentError(f"checkpoint: the folder {str(self.folder)!r} cannot be written: {error}.") from None
        return seeds

    def close(self) -> None:
        """Give the folder free for other processes."""
        self.lock.release()

    def _stored(self) -> dict[str, Any] | None:
        """The manifest; None where there is none.

        Raises
        ------
        ArgumentError
            Where it is damaged.
        """
        path = self.folder / MANIFEST
        if not os.path.lexists(path):
            return None
        try:
            if not path.is_file() or path.stat().st_size > LARGEST:
                raise ValueError("it is no file, or too long")
            stored = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(stored, dict):
                raise ValueError("it holds no names")
            if stored.get("version") == VERSION:
                _seeds(stored.get("seeds"))
        except (ValueError, RecursionError, MemoryError) as error:
            raise ArgumentError(
                f"checkpoint: {str(path)!r} is damaged, or of something else ({str(error)[:80]}); name another folder."
            ) from None
        return stored

    def _compare(self, stored: dict[str, Any], seeds: np.random.SeedSequence | None) -> None:
        given = dict(self.described)
        if seeds is not None:
            given["seeds"] = seeds_to_plain(seeds)
        differ = [
            f"{key} ({_difference(stored.get(key), value)})" for key, value in given.items() if stored.get(key) != value
        ]
        if differ:
            raise ArgumentError(
                f"checkpoint: {str(self.folder)!r} holds another study. Different: {'; '.join(differ)}. "
                "Name another folder, or delete this one."
            )

    def chunks(self) -> list[Chunk]:
        """(cell, model, first replicate, one past the last) of the files there are."""
        found = [_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        return sorted(tuple(map(int, m.groups())) for m in found if m)  # type: ignore[misc]

    def read(self, chunk: Chunk, like: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """Arrays of a chunk; None where the file is damaged.

        Parameters
        ----------
        chunk : tuple
        like : dict
            Arrays of the shapes that it must have.

        Raises
        ------
        ArgumentError
            Where the file belongs to another study, or to another place in this one.
        """
        path = self.path(chunk)
        try:
            if not path.is_file():
                return None
            arrays = npz(path, max_bytes=max(path.stat().st_size, 1))  # as they were written, not compressed
        except (OSError, FileFormatError):
            return None
        own = [arrays.pop(name, None) for name in IDENTITY]
        if any(part is None or part.dtype.kind != "U" or part.shape != () for part in own):
            return None
        study, numbers, digest = (str(part) for part in own)
        if digest != _digest(arrays, study, numbers):
            return None
        if study != self.study or numbers != _numbers(chunk):
            what = "another study" if study != self.study else f"chunk {numbers} of this study"
            raise ArgumentError(f"checkpoint: {str(path)!r} is of {what}; it was copied or renamed. Delete it.")
        fits = arrays.keys() == like.keys() and all(
            array.shape == like[name].shape and array.dtype.kind == like[name].dtype.kind for name, array in arrays.items()
        )
        return arrays if fits else None

    def save(self, chunk: Chunk, arrays: dict[str, np.ndarray]) -> None:
        """Write a chunk; it is there as a whole afterwards, whatever happens in between.

        Raises
        ------
        OSError
            Where it cannot be written; nothing is left behind then.
        """
        arrays = {**arrays, "status": np.asarray(arrays["status"], dtype=str)}
        own = (self.study, _numbers(chunk), _digest(arrays, self.study, _numbers(chunk)))
        named = dict(zip(IDENTITY, map(np.array, own), strict=True))
        write(self.path(chunk), lambda file: np.savez(file, **arrays, **named))  # type: ignore[arg-type]

    def path(self, chunk: Chunk) -> Path:
        """File of a chunk."""
        cell, model, first, last = chunk
        return self.folder / f"chunk-{cell:04d}-{model:04d}-{first:07d}-{last:07d}.npz"


def _numbers(chunk: Chunk) -> str:
    return "-".join(map(str, chunk))


def _digest(arrays: dict[str, np.ndarray], *words: str) -> str:
    """Of names, shapes and values of arrays."""
    digest = hashlib.sha256("\0".join(words).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def write(path: Path, put: Callable[[BinaryIO], Any]) -> None:
    """Write a file under another name, force it to disk, and give it its name in one step."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            put(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # not every system lets folders be synchronised
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def seeds_to_plain(seeds: np.random.SeedSequence) -> dict[str, Any]:
    """A SeedSequence as JSON values."""
    entropy: Any = seeds.entropy
    entropy = [int(e) for e in entropy] if np.iterable(entropy) else int(entropy)
    return {"entropy": entropy, "spawn_key": [int(k) for k in seeds.spawn_key], "pool_size": int(seeds.pool_size)}


def _seeds(plain: Any) -> np.random.SeedSequence:
    """A SeedSequence of JSON values.

    Raises
    ------
    ValueError
        Where they are none.
    """
    if not isinstance(plain, dict) or set(plain) != {"entropy", "spawn_key", "pool_size"}:
        raise ValueError("it has no seeds")
    entropy, key, size = plain["entropy"], plain["spawn_key"], plain["pool_size"]
    several = entropy if isinstance(entropy, list) else [entropy]
    if not isinstance(key, list) or not all(is_whole(v) and v >= 0 for v in (*several, *key)):
        raise ValueError(f"its seeds are no whole numbers: {shown(plain)}")
    if not is_whole(size) or not 4 <= size <= 1024:
        raise ValueError(f"its seeds have the pool size {shown(size)}")
    return np.random.SeedSequence(entropy, spawn_key=tuple(key), pool_size=size)


def _difference(old: Any, new: Any) -> str:
    """Where two JSON values differ, shortly."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        parts = []
        for key in keys[:4]:
            if key not in new:
                parts.append(f"{key!r} only there")
            elif key not in old:
                parts.append(f"{key!r} not there")
            else:
                parts.append(f"{key!r}: {_difference(old[key], new[key])}")
        return ", ".join(parts) or "their order"
    return f"there {_short(old)}, here {_short(new)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
