"""Finished chunks of a study on disk: files that appear as a whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import ArgumentError

MANIFEST = "study.json"
VERSION = 1
ARRAYS = ("fitted", "risk", "training_error", "df", "covariance", "seconds", "status", "estimates",
          "estimator_seconds", "networks")  # fmt: skip
_NAME = re.compile(r"chunk-(\d+)-(\d+)-(\d+)-(\d+)\.npz")


class Store:
    """A folder of finished chunks of one study.

    Parameters
    ----------
    folder : path
        Made where there is none. It belongs to one study, which one process at a time may run.
    description : dict
        What makes the study: of names and JSON values. The number of replicates is no part of it: a study may be
        continued with more.
    seeds : SeedSequence or None
        None takes the seeds of the study in the folder, or new ones.

    Raises
    ------
    ArgumentError
        Where the folder holds another study (the message names what differs), or cannot be written.
    """

    def __init__(self, folder: Any, description: dict[str, Any], seeds: np.random.SeedSequence | None) -> None:
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for part in self.folder.glob("*.part"):  # of a run that was killed
                part.unlink()
            stored = json.loads(path.read_text()) if path.exists() else None
        except OSError as error:
            raise ArgumentError(f"checkpoint: the folder {str(self.folder)!r} cannot be used: {error}.") from None
        except ValueError as error:
            raise ArgumentError(f"checkpoint: {str(path)!r} is damaged ({error}); delete the folder.") from None
        if stored is None:
            self.seeds = np.random.SeedSequence() if seeds is None else seeds
            text = json.dumps({"version": VERSION, "seeds": seeds_to_plain(self.seeds), **description}, indent=1)
            try:
                write(path, lambda file: file.write(text.encode()))
            except OSError as error:
                raise ArgumentError(f"checkpoint: the folder {str(self.folder)!r} cannot be written: {error}.") from None
            return
        self._compare(stored, description, seeds)
        plain = stored["seeds"]
        self.seeds = np.random.SeedSequence(
            plain["entropy"], spawn_key=tuple(plain["spawn_key"]), pool_size=plain["pool_size"]
        )

    def _compare(self, stored: dict[str, Any], given: dict[str, Any], seeds: np.random.SeedSequence | None) -> None:
        given = json.loads(json.dumps({"version": VERSION, **given}))
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

    def chunks(self) -> list[tuple[int, int, int, int]]:
        """(cell, model, first replicate, one past the last) of the files there are."""
        found = [_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        return sorted(tuple(map(int, m.groups())) for m in found if m)  # type: ignore[misc]

    def read(self, chunk: tuple[int, int, int, int]) -> dict[str, np.ndarray] | None:
        """Arrays of a chunk; None where the file is damaged."""
        try:
            with open(self.path(chunk), "rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        return arrays if set(ARRAYS) <= set(arrays) else None

    def save(self, chunk: tuple[int, int, int, int], arrays: dict[str, np.ndarray]) -> None:
        """Write a chunk; it is there as a whole afterwards, whatever happens in between.

        Raises
        ------
        OSError
            Where it cannot be written; nothing is left behind then.
        """
        write(self.path(chunk), lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]

    def path(self, chunk: tuple[int, int, int, int]) -> Path:
        """File of a chunk."""
        cell, model, first, last = chunk
        return self.folder / f"chunk-{cell:04d}-{model:04d}-{first:07d}-{last:07d}.npz"


def write(path: Path, put: Callable[[BinaryIO], Any]) -> None:
    """Write a file under another name, force it to disk, and give it its name in one step."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
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
