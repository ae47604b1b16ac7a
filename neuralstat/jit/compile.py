"""The one decorator for kernels: how they are compiled. Where the machine code is kept: `cache`, `disk`.

Two modules build on classes that numba does not promise to keep: `inner`, which spares most of the time of compilation, and
`disk`. Where NEURALSTAT_PLAIN_NUMBA=1, or with a numba that has changed them, kernels are compiled with numba's public
decorator instead, to the same numbers: slower, and in each process anew.
"""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable
from typing import Any

import numba

from ..errors import NeuralStatWarning

#: Whether kernels are compiled with numba's public decorator alone.
PLAIN: bool = os.environ.get("NEURALSTAT_PLAIN_NUMBA", "") not in ("", "0")
if not PLAIN:
    try:
        from .disk import KernelCache
        from .inner import InnerCompiler, LateCompiler, OuterCompiler
        from .passing import LAID, passing
    except (ImportError, AttributeError, TypeError) as _lacking:
        PLAIN = True
        warnings.warn(
            f"numba {numba.__version__} lacks what fast compilation and the cache of kernels build on ({_lacking}): kernels "
            "are compiled plainly, which takes longer and is done by each process. Numbers are the same. "
            "NEURALSTAT_PLAIN_NUMBA=1 silences this; an older numba or a newer neuralstat ends it.",
            NeuralStatWarning, stacklevel=2,
        )  # fmt: skip

# Reassociation and contraction let reductions vectorise. `nnan` and `ninf` are left out on purpose:
# non-finite values must survive to be reported. `arcp` and `afn` would change the
# rounding of 1 / (1 + exp(-x)).
FAST = {"reassoc", "contract", "nsz"}


def named(function: Callable[..., Any], *parts: str) -> Callable[..., Any]:
    """Give a closure a name of its own, before it is compiled.

    Machine code from the cache is linked by name. Numba tells closures of one definition apart by a number
    that counts what the process has compiled so far; in code from two processes the same number can mean two
    of them, and one would be called in the other's place.
    """
    function.__qualname__ = "_".join((function.__qualname__, *parts)).replace("<locals>.", "")
    return function


def as_python(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The plain Python function of a kernel, to call it once without compiling it."""
    return getattr(kernel, "py_func", kernel)


def jit(function: Callable[..., Any] | None = None, *, strict: bool = False) -> Any:
    """Compile a kernel that other kernels call: no cache and no way in from Python of its own (see `entry`).

    Parameters
    ----------
    function : callable
        Plain loops over arrays.
    strict : bool
        True keeps the rounding of every operation as written (activations, whose saturated values decide
        the sign of a gradient).
    """
    if function is None:
        return functools.partial(jit, strict=strict)
    fastmath: Any = False if strict else FAST
    if PLAIN:
        return numba.njit(nogil=True, fastmath=fastmath, error_model="numpy")(function)
    return numba.njit(
        nogil=True, fastmath=fastmath, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=InnerCompiler,
    )(function)


def scalar(function: Callable[..., Any] | None = None, *, contract: bool = False) -> Any:
    """Compile a function of numbers that kernels call: as `jit`, operations rounded as written (contracted, if asked)."""
    if function is None:
        return functools.partial(scalar, contract=contract)
    fastmath: Any = {"contract"} if contract else False
    if PLAIN:
        return numba.njit(fastmath=fastmath, error_model="numpy")(function)
    return numba.njit(fastmath=fastmath, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
                      pipeline_class=InnerCompiler)(function)  # fmt: skip


def apart(function: Callable[..., Any], strict: bool) -> Any:
    """Compile a kernel that is called by its address alone (see `late`), and keep it on disk."""
    fastmath: Any = False if strict else FAST
    if PLAIN:
        return numba.njit(nogil=True, fastmath=fastmath, error_model="numpy", no_cpython_wrapper=True)(function)
    return _kept(numba.njit(nogil=True, fastmath=fastmath, error_model="numpy", no_cpython_wrapper=True,
                            no_cfunc_wrapper=True, pipeline_class=LateCompiler)(function))  # fmt: skip


def conventions_of(context: Any) -> Any:
    """How code in a target context calls late kernels."""
    return context.call_conv if PLAIN else passing(context, LAID).call_conv


def entry(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls: as `jit`, and kept on disk where a folder is writable."""
    if PLAIN:
        return numba.njit(nogil=True, fastmath=FAST, error_model="numpy")(function)
    return _kept(numba.njit(nogil=True, fastmath=FAST, error_model="numpy", no_cfunc_wrapper=True,
                            pipeline_class=OuterCompiler)(function))  # fmt: skip


def _kept(kernel: Any) -> Any:
    if not numba.config.DISABLE_JIT:
        with contextlib.suppress(RuntimeError):  # no writable folder: compile in memory
            kernel._cache = KernelCache(kernel.py_func)
    return kernel
