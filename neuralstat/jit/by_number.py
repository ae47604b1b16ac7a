"""Which of two kernels a call means: vector code for real numbers, plain loops for complex ones and uncompiled runs."""

from __future__ import annotations

from typing import Any

import numba
from numba import types
from numba.extending import overload

from .compile import named


def by_number(real: Any, plain: Any) -> Any:
    """What kernels call: `real`, on vector code, for real numbers; `plain`, with one lane, for complex ones and uncompiled.

    Both take a layer's row of the table and arrays, then m; `plain` then the lane. The number of arrays (2 to 4) is that
    of `plain`'s arguments.
    """
    arrays = plain.py_func.__code__.co_argcount - 4 if hasattr(plain, "py_func") else plain.__code__.co_argcount - 4
    return _CALLS[arrays](real, plain)


def _real(array: Any) -> bool:
    return array.dtype in (types.float64, types.float32)


def _two(real: Any, plain: Any) -> Any:
    def rows(row, a, b, m):
        plain(row, a, b, 0, m, 1)

    if numba.config.DISABLE_JIT:
        return rows

    def stub(row, a, b, m):
        """Vector code for real numbers, plain loops otherwise."""

    @overload(stub)
    def choose(row, a, b, m):
        if _real(b):
            return named(lambda row, a, b, m: real(row, a, b, m), real.__name__)
        return named(lambda row, a, b, m: plain(row, a, b, 0, m, 1), plain.__name__)

    return stub


def _three(real: Any, plain: Any) -> Any:
    def rows(row, a, b, c, m):
        plain(row, a, b, c, 0, m, 1)

    if numba.config.DISABLE_JIT:
        return rows

    def stub(row, a, b, c, m):
        """Vector code for real numbers, plain loops otherwise."""

    @overload(stub)
    def choose(row, a, b, c, m):
        if _real(b):
            return named(lambda row, a, b, c, m: real(row, a, b, c, m), real.__name__)
        return named(lambda row, a, b, c, m: plain(row, a, b, c, 0, m, 1), plain.__name__)

    return stub


_CALLS = {2: _two, 3: _three}
