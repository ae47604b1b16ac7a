"""Ctrl-C at a terminal goes to all processes that were started there: to workers on this machine, too, which are to go on."""

from __future__ import annotations

import os
import signal
import socket
import threading
import weakref
from typing import Any

Group = tuple[str, int, int]  # machine, group of processes, process

_before: Any = None  # what this process did after Ctrl-C
_owners = 0


def group() -> Group | None:
    """What Ctrl-C at the terminal of this process reaches; None where there are no groups."""
    return (socket.gethostname(), os.getpgrp(), os.getpid()) if hasattr(os, "getpgrp") else None


def ignored_with(owner: Any, given: Group | None) -> None:
    """Ctrl-C is not for this worker while `owner` lives, where it reaches the process that fits as well.

    It answers there, with what the fit has reached. A worker would end, without being started again. Workers that are
    elsewhere, or threads of that process, stay as they are.

    Parameters
    ----------
    owner : object
    given : tuple, optional
        `group` of the process that fits.
    """
    own = group()
    if given is None or own is None or own[:2] != given[:2] or own[2] == given[2]:
        return
    from distributed import get_worker

    loop = get_worker().loop  # of the main thread, which alone may set handlers
    loop.add_callback(_count, 1)
    weakref.finalize(owner, loop.add_callback, _count, -1).atexit = False


def _count(change: int) -> None:
    global _before, _owners
    _owners += change
    if threading.current_thread() is not threading.main_thread():
        return
    if _owners and _before is None:
        _before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    elif not _owners and _before is not None:
        signal.signal(signal.SIGINT, _before)
        _before = None
