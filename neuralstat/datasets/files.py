"""Reading files of data with checks; every error names the file."""

from __future__ import annotations

import gzip
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neuralstat.checks.arguments import NONE, PATH, TEXT, Several, Whole, arguments
from neuralstat.checks.arrays import DAMAGES, header
from neuralstat.checks.files import is_damage
from neuralstat.checks.memory import LEFT, memory_at_hand
from neuralstat.datasets.unpickle import read_pickle
from neuralstat.errors import FileFormatError

RATIO = 1032  # deflate cannot do better
MAX_BYTES = 2**33
_HEAD = 2**16  # bytes in which the header of an array must be


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the format, with the name of the file."""
    try:
        yield
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None


def as_path(path: Any, argument: str = "path", folder: bool = False) -> Path:
    """The path of a file, or of a folder, that exists."""
    found = PATH.check(path, argument)
    if not folder and found.exists() and not found.is_file():
        raise FileFormatError(f"{found}: it is no regular file")
    if not (found.is_dir() if folder else found.is_file()):
        raise FileNotFoundError(f"there is no {'folder' if folder else 'file'} {found}")
    return found


def find(folder: Path, names: Sequence[str], what: str) -> Path:
    """The first of some files that a folder has."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{what}: {folder} has none of {', '.join(names)}")


def read_idx(path: Path, axes: int, n: int | None = None) -> np.ndarray:
    """An array of bytes in the IDX format, plain or gzipped; the first n entries of its first axis.

    Raises
    ------
    FileFormatError
        Where it is none, has another number of axes, or is cut off.
    """
    with naming(path):
        size = path.stat().st_size
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        opener: Any = gzip.open if packed else open
        try:
            with opener(path, "rb") as file:
                head = file.read(4 + 4 * axes)
                if len(head) < 4 + 4 * axes or head[:2] != b"\0\0":
                    raise FileFormatError("it is no IDX file, or is cut off")
                if head[2] != 8 or head[3] != axes:
                    raise FileFormatError(f"it holds type {head[2]} with {head[3]} axes; expected bytes with {axes}")
                shape = np.frombuffer(head, ">u4", axes, 4).tolist()
                whole = math.prod(shape)
                if whole > size * (RATIO if packed else 1):
                    raise FileFormatError(f"it claims the shape {tuple(shape)}, more than its {size} bytes hold")
                shape[0] = shape[0] if n is None else min(n, shape[0])
                raw = file.read(math.prod(shape))
                if len(raw) < math.prod(shape) or (n is None and file.read(1)):
                    raise FileFormatError(f"its data do not have the shape {tuple(shape)}: it is cut off, or too long")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileFormatError(f"its gzip stream is damaged ({error})") from None
    return np.frombuffer(raw, np.uint8).reshape(shape)


@arguments(path=PATH, names=NONE | Several(TEXT), max_bytes=Whole(1, 2**62))
def npz(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, np.ndarray]:
    """Read the arrays of a `.npz` file, also those of lists, without executing anything.

    Parameters
    ----------
    path : str or Path
        As the files that Keras' data sets come in: ``x_train``, ``y_train``, ... Arrays of objects (the reviews of IMDB
        are lists of different lengths) are read where they hold numbers, texts, lists and dicts only.
    names : sequence of str, optional
        Only these arrays.
    max_bytes : int
        Files whose arrays take more memory are refused.

    Returns
    -------
    dict of str to array

    Raises
    ------
    FileFormatError
        Naming the file, where it is damaged, claims more than its bytes hold, or holds other objects.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> np.savez("data.npz", x_train=np.arange(6).reshape(3, 2), y_train=[0, 1, 0])
    >>> ns.datasets.npz("data.npz")["x_train"].shape
    (3, 2)
    """
    source = as_path(path)
    out = {}
    with naming(source):
        try:
            with zipfile.ZipFile(source) as file:
                entries = file.infolist()
                for entry in entries:
                    limit = entry.compress_size * (1 if entry.compress_type == zipfile.ZIP_STORED else RATIO)
                    if entry.file_size > limit or entry.flag_bits & 1 or not entry.filename.endswith(".npy"):
                        raise FileFormatError(f"member {entry.filename!r:.80} is no array, or claims more than it holds")
                if sum(e.file_size for e in entries) > max_bytes or sum(e.compress_size for e in entries) > \
                        source.stat().st_size:  # fmt: skip
                    raise FileFormatError(f"its members claim more than the file has, or than max_bytes={max_bytes}")
                entries = [e for e in entries if names is None or e.filename[:-4] in names]
                most = min(max_bytes, int(LEFT * memory_at_hand()))
                left = most - sum(e.file_size for e in entries)
                if left < 0:
                    raise FileFormatError(f"its arrays take more than the {most} bytes of memory at hand")
                for entry in entries:
                    with file.open(entry) as stream:
                        out[entry.filename[:-4]] = _npy(stream, entry, left)
        except OSError as error:
            if not is_damage(error):
                raise
            raise FileFormatError(f"it is no .npz file, or damaged ({str(error)[:80]})") from None
        except DAMAGES as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"it is no .npz file, or damaged ({str(error)[:80]})") from None
        if len(out) < len(entries):
            raise FileFormatError("two members have the same name")
    return out


def _npy(stream: Any, entry: zipfile.ZipInfo, left: int) -> np.ndarray:
    """The array of a member, read into its own memory; objects may take `left` bytes."""
    name, size = entry.filename, entry.file_size
    head = stream.read(min(size, _HEAD))
    shape, fortran, dtype, start = header(head, name, ((1, 0), (2, 0)))
    begun = len(head) - len(start)
    if dtype.hasobject:
        found = read_pickle(start + stream.read(size - len(head) + 1), left)
        if not isinstance(found, np.ndarray) or found.shape != shape:
            raise FileFormatError(f"member {name!r} does not hold the array that its header promises")
        return found
    if dtype.kind not in "biufSU" or math.prod(shape) * dtype.itemsize != size - begun:
        raise FileFormatError(f"member {name!r} holds {str(dtype)[:40]} of shape {str(shape)[:60]}, which does not fit")
    if dtype.itemsize == 0:
        if math.prod(shape) > _HEAD:
            raise FileFormatError(f"member {name!r} claims the shape {str(shape)[:60]} of nothing")
        return np.zeros(shape, dtype)
    body = np.empty(size - begun, np.uint8)
    body[: len(start)] = np.frombuffer(start, np.uint8)
    at = len(start)
    while at < body.size and (part := stream.read(min(body.size - at, 2**20))):
        body[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(part)
    if at < body.size or stream.read(1):
        raise FileFormatError(f"member {name!r} does not have the size that the file says")
    if dtype.kind == "b" and np.any(body > 1):
        raise FileFormatError(f"member {name!r} holds bytes that are no booleans")
    return body.view(dtype).reshape(shape, order="F" if fortran else "C")
