"""Arrays in numpy's format, read with checks: no objects, no more bytes than there are, no code."""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

from ..errors import FileFormatError
from .files import is_damage

KINDS = "biuf"  # booleans and numbers of fixed size, little endian


def header(raw: bytes, name: str, versions: tuple[tuple[int, int], ...] = ((1, 0),)) -> tuple[Any, bool, np.dtype, bytes]:
    """Shape, Fortran order, dtype and bytes of an array in numpy's format.

    Raises
    ------
    FileFormatError
        Where it is none.
    """
    buffer = io.BytesIO(raw)
    readers: dict[Any, Any] = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(buffer)
        if version not in versions:
            raise ValueError("unknown version")
        shape, fortran, dtype = readers[version](buffer)
    except Exception as error:  # the header is Python syntax that numpy parses (and does not run)
        raise FileFormatError(f"member {name!r:.80} is not an array ({str(error)[:80]})") from None
    if len(shape) > 32 or any(n < 0 for n in shape):
        raise FileFormatError(f"member {name!r:.80} claims the shape {str(shape)[:60]}, which does not fit")
    return shape, fortran, dtype, raw[buffer.tell() :]


def read_array(raw: bytes, name: str) -> np.ndarray:
    """An array of numbers in numpy's format; the header is checked against the bytes that there are.

    Raises
    ------
    FileFormatError
        For objects, other kinds of numbers, and shapes that do not fit.
    """
    shape, fortran, dtype, body = header(raw, name)
    if dtype.hasobject or dtype.kind not in KINDS or dtype.itemsize > 8 or not (dtype.isnative or dtype.itemsize == 1):
        raise FileFormatError(f"member {name!r} holds {str(dtype)[:40]}; only booleans and numbers are allowed")
    if math.prod(shape) * dtype.itemsize != len(body):
        raise FileFormatError(f"member {name!r} claims the shape {str(shape)[:60]}, which its bytes do not have")
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C").copy()
    if dtype.kind == "b" and np.any(array.view(np.uint8) > 1):
        raise FileFormatError(f"member {name!r} holds bytes that are no booleans")
    return array


def read_stored(file: BinaryIO, most: int) -> dict[str, np.ndarray]:
    """Arrays of a `.npz` file that is not compressed, as `numpy.savez` writes it.

    Parameters
    ----------
    file : file object
    most : int
        Members that there may be.

    Raises
    ------
    FileFormatError
        Where it is none, or damaged.
    """
    size = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as members:
            entries = members.infolist()
            names = [entry.filename for entry in entries]
            if len(set(names)) < len(names) or len(names) > most or not all(name.endswith(".npy") for name in names):
                raise FileFormatError("it has other members than arrays, or two of one name")
            if any(e.compress_type != zipfile.ZIP_STORED or e.compress_size != e.file_size for e in entries):
                raise FileFormatError("it is compressed")
            if sum(entry.file_size for entry in entries) > size:
                raise FileFormatError("its members claim more bytes than the file has")
            return {name.removesuffix(".npy"): read_array(members.read(name), name) for name in names}
    except OSError as error:
        if not is_damage(error):
            raise
        raise FileFormatError(f"it is damaged ({str(error)[:80]})") from None
    except DAMAGES as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"it is no .npz file, or damaged ({str(error)[:80]})") from None


#: What zipfile raises for archives that make no sense.
DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError,
           OverflowError, MemoryError, struct.error)  # fmt: skip
