"""Files as users name them: only regular ones are read and replaced, whole or not at all; JSON within bounds."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import FileFormatError

_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISBLK, "a device"),
          (stat.S_ISCHR, "a device"))  # fmt: skip
JSON_BYTES = 2**28  # of a document
JSON_ITEMS = 4_000_000  # lists, tables and entries of a document; the smallest takes 64 bytes of memory
JSON_DEPTH = 200
_DAMAGED = (errno.EINVAL, None)  # of reads at places that there cannot be; others are the disk's


def _kind(mode: int) -> str | None:
    """What a file is that is no regular one; None for one."""
    return None if stat.S_ISREG(mode) else next((words for test, words in _KINDS if test(mode)), "no regular file")


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe is not waited for.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    FileFormatError
        Where it is a folder, a pipe or a device.
    OSError
        Where it may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"there is no file {path}") from None
    except OSError as error:
        if error.errno == errno.ENXIO or path.is_dir():  # a socket; a folder, on some systems
            raise FileFormatError(f"{path}: it is no regular file") from None
        raise
    try:
        if (kind := _kind(os.fstat(handle).st_mode)) is not None:
            raise FileFormatError(f"{path}: it is {kind}, no regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


@contextmanager
def named(path: Any) -> Iterator[None]:
    """What a disk or the system says of no file is said of this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror}") from error


def is_damage(error: OSError) -> bool:
    """Whether an error of reading comes from what a file says of itself, and not from disk or system."""
    return error.errno in _DAMAGED


@contextmanager
def replacing(path: Path, what: str = "save to") -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end, in one step; where anything fails, `path` is as it was.

    A link is followed: the file that it names is replaced.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder.
    OSError
        Where the place is taken by a folder, a pipe or a device, the folder cannot be written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot {what} {path}: there is no folder {target.parent}")
    try:
        kind = _kind(target.stat().st_mode)
    except FileNotFoundError:
        kind = None
    if kind is not None:
        error = IsADirectoryError if kind == "a folder" else OSError
        raise error(f"cannot {what} {path}: it is {kind}")
    half = target.with_name(f".neuralstat-{secrets.token_hex(6)}.tmp")
    try:
        with half.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, target)
    except OSError as failure:
        reason = failure.strerror or str(failure)
        raise type(failure)(failure.errno, f"cannot {what} {path}: {reason}; a file that was there is unchanged") from failure
    finally:
        half.unlink(missing_ok=True)


def parse_json(
    raw: bytes, what: str, most: int | None = JSON_BYTES, *, strict: bool = True, hook: Any = None
) -> Any:
    """A JSON document, its size known before it is read; with `strict` NaN and infinities are none.

    `most` bytes (and `JSON_ITEMS` parts) there may be; None where the bytes lie in the file as they are, which bounds both.
    `hook` gets the pairs of every table, as `json.loads` has it.

    Raises
    ------
    FileFormatError
        Where it is none, is nested deeply, or has more parts than `JSON_ITEMS`.
    """
    if most is not None and len(raw) > most:
        raise FileFormatError(f"{what} has {len(raw)} bytes, more than {most}")
    if most is not None and sum(raw.count(mark) for mark in b"[{,") > JSON_ITEMS:
        raise FileFormatError(f"{what} has more than {JSON_ITEMS} parts")

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    try:
        document = json.loads(raw.decode(), parse_constant=constant if strict else None, object_pairs_hook=hook)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{what} is not JSON ({str(error)[:80]})") from None
    if _deeper(document):
        raise FileFormatError(f"{what} is nested more than {JSON_DEPTH} deep")
    return document


def _deeper(document: Any) -> bool:
    """Whether something is nested more deeply than functions that call themselves can follow."""
    level = [document] if isinstance(document, list | dict) else []
    for _ in range(JSON_DEPTH):
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)
                 if isinstance(inner, list | dict)]  # fmt: skip
        if not level:
            return False
    return True
