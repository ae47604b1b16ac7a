"""Say that kernels are compiled, where somebody waits: the first fit of its kind takes seconds, later ones do not."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO

from numba.core import event

from ..jit.cache import cache_folder
from ..jit.compile import PLAIN

DENSE, LAYERED = 15, 45  # seconds that a first fit of its kind takes on a machine of today, about


def watched(stream: TextIO) -> bool:
    """Whether a person reads the stream: a terminal, or a notebook's cell."""
    return bool(getattr(stream, "isatty", lambda: False)()) or "ipykernel" in sys.modules


@contextlib.contextmanager
def compile_notice(what: str, seconds: float, stream: TextIO | None = None) -> Iterator[None]:
    """Write a line to `stream` (stderr) when something is compiled inside, and another when the work is done.

    Parameters
    ----------
    what : str
        The kind of model.
    seconds : float
        About how long it takes.
    stream : text stream, optional
        Nothing is written where nobody reads it.
    """
    stream = sys.stderr if stream is None else stream
    if stream is None or not watched(stream):
        yield
        return
    listener = _Listener(what, seconds, stream)
    with event.install_listener("numba:compile", listener):
        yield
    listener.finish()


class _Listener(event.Listener):
    """Hears of every function that numba compiles; of those from its cache it does not."""

    def __init__(self, what: str, seconds: float, stream: TextIO) -> None:
        self._what, self._seconds, self._stream = what, seconds, stream
        self._began: float | None = None
        self._ended = 0.0
        self._lock = threading.Lock()

    def on_start(self, event: Any) -> None:
        """Say it once."""
        with self._lock:
            if self._began is not None:
                return
            self._began = time.perf_counter()
        self._stream.write(f"neuralstat: compiling kernels for {self._what}, about {self._seconds:g} s, once ...\n")
        self._stream.flush()

    def on_end(self, event: Any) -> None:
        """Remember when."""
        self._ended = time.perf_counter()

    def finish(self) -> None:
        """Say how long it took, and where the kernels are kept."""
        if self._began is None:
            return
        folder = cache_folder()
        kept = f"kept in {folder}"
        if PLAIN or folder is None:
            why = "plain numba has no cache of them" if PLAIN else "no folder is writable"
            kept = f"they are kept in memory only, since {why}"
        self._stream.write(f"neuralstat: compiled in {self._ended - self._began:.0f} s; {kept}.\n")
        self._stream.flush()
