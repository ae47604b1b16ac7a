"""One study at a time in a folder: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from pathlib import Path
from typing import Any

from ..errors import ArgumentError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = "study.lock"
TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class Lock:
    """A lock on a folder: the file says who has it, and stays; of a process that died it is free.

    Parameters
    ----------
    folder : Path

    Attributes
    ----------
    held : bool
        False where the folder is read-only, or its file system has no locks.

    Raises
    ------
    ArgumentError
        Where another study has it.
    OSError
        Where the file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.held = False
        self._file: Any = None
        path = folder / NAME
        if os.path.lexists(path) and not path.is_file():
            raise ArgumentError(f"checkpoint: {str(path)!r} is no file; name another folder.")
        try:
            self._file = open(path, "a+", encoding="utf-8", errors="replace")  # noqa: SIM115 (until it is released)
        except OSError as error:
            if error.errno in READ_ONLY:
                return
            raise
        try:
            self.held = _take(self._file)
        except OSError as error:
            if error.errno in TAKEN:
                self._file.seek(0)
                owner = " ".join(self._file.read(200).split()) or "another process"
                self._file.close()
                raise ArgumentError(
                    f"checkpoint: a study is running in {str(folder)!r} ({owner}); wait for it, or name another folder."
                ) from None
            return  # no locks here
        if self.held:
            with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
                self._file.truncate(0)
                began = time.strftime("%Y-%m-%d %H:%M:%S")
                self._file.write(f"process {os.getpid()} on {socket.gethostname()} since {began}\n")
                self._file.flush()

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self.held, self._file = False, None


def _take(file: Any) -> bool:
    """Lock an open file; False where the system has no such thing.

    Raises
    ------
    OSError
        Where it is taken.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    try:
        import msvcrt
    except ImportError:
        return False
    file.seek(2**20)  # beyond the text, so that others can read it
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    file.seek(0)
    return True
