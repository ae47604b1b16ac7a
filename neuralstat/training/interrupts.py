"""Ctrl-C: only what owns a result may answer it with what there is; in everything else it passes through.

A fit that a user asks for returns what it reached, flagged "interrupted". The same fit inside a resampled risk, a
bootstrap, a study, ... is a part: half of it would be a wrong number of the whole, so there Ctrl-C ends the whole.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

_part: ContextVar[bool] = ContextVar("neuralstat_part", default=False)


class Pressed:
    """Whether Ctrl-C came; true in a condition then."""

    def __init__(self) -> None:
        self.seen = False

    def __bool__(self) -> bool:
        return self.seen


def owned() -> bool:
    """Whether a fit that is asked for here belongs to the user, rather than to a larger calculation."""
    return not _part.get()


@contextmanager
def passed_on() -> Iterator[None]:
    """Fits in here are parts of a larger calculation: Ctrl-C ends it, whatever becomes of it on its way.

    Code of others may swallow a KeyboardInterrupt or turn it into another exception (extension modules do while they are
    imported); it is raised again at the end of the context.
    """
    token = _part.set(True)
    try:
        with noted() as pressed:
            try:
                yield
            except Exception:
                if pressed:
                    raise KeyboardInterrupt from None
                raise
            if pressed:
                raise KeyboardInterrupt
    finally:
        _part.reset(token)


@contextmanager
def noted() -> Iterator[Pressed]:
    """Note whether Ctrl-C raised KeyboardInterrupt in here; handlers of users' own stay what they are."""
    pressed = Pressed()

    def answer(before: Any, number: int, frame: Any) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt:
            pressed.seen = True
            raise

    with _answered(answer):
        yield pressed


def stopped(owner: bool) -> None:
    """After Ctrl-C in a fit: parts of larger calculations end here, the owner of the result goes on with what there is."""
    if not owner:
        raise KeyboardInterrupt


class Waiting:
    """Ctrl-C that waits to be looked at."""

    def __init__(self) -> None:
        self._left: Callable[[], Any] | None = None

    def look(self) -> None:
        """Answer a Ctrl-C that came since the last look: raises KeyboardInterrupt, where the handler does."""
        left, self._left = self._left, None
        if left is not None:
            left()


@contextmanager
def deferred() -> Iterator[Waiting]:
    """Ctrl-C waits until it is looked at.

    An exception out of nowhere, between a lock and its release in a pool of threads, leaves all of them waiting for ever.
    """
    waiting = Waiting()

    def answer(before: Any, number: int, frame: Any) -> None:
        waiting._left = lambda: before(number, frame)

    with _answered(answer):
        yield waiting
    waiting.look()


@contextmanager
def _answered(answer: Callable[[Any, int, Any], None]) -> Iterator[None]:
    """``answer(handler, number, frame)`` instead of the handler of Ctrl-C, where there is one, and in the main thread."""
    before: Any = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: Any) -> None:
        answer(before, number, frame)

    set_here = callable(before) and threading.current_thread() is threading.main_thread()
    if set_here:
        with suppress(ValueError):  # not the main interpreter
            signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if set_here and signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, before)
