"""Small arrays of kernels on the stack: no memory is asked for, and no references are counted where a kernel makes no others."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array


def _made(context: Any, builder: Any, kind: Any, shape: tuple[int, ...]) -> Any:
    """An array that begins at a place on the stack, and that nobody owns."""
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    strides = [size]
    for n in reversed(shape[1:]):
        strides.insert(0, strides[0] * n)
    place = cgutils.alloca_once(builder, context.get_data_type(kind.dtype), size=int(np.prod(shape)))
    number = context.get_value_type(types.intp)
    array = context.make_array(kind)(context, builder)
    populate_array(array, data=place, shape=[ir.Constant(number, n) for n in shape],
                   strides=[ir.Constant(number, n) for n in strides], itemsize=ir.Constant(number, size), meminfo=None)  # fmt: skip
    return array._getvalue()


def _offered(dtype: Any, *sizes: Any) -> Any:
    """Signature and code for whole numbers that are known when a kernel is compiled."""
    if not all(isinstance(n, types.IntegerLiteral) for n in sizes):
        raise numba.TypingError("an array on the stack has sizes that are known when its kernel is compiled")
    shape = tuple(n.literal_value for n in sizes)
    kind = types.Array(dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _made(context, builder, kind, shape)

    return kind(*sizes), generate


if numba.config.DISABLE_JIT:

    def few_ints(n: int) -> np.ndarray:
        """An array (n,) of int64, not cleared."""
        return np.empty(n, np.int64)

    def few_floats(n: int) -> np.ndarray:
        """An array (n,) of float64, not cleared."""
        return np.empty(n)

    def small_table(n: int, m: int) -> np.ndarray:
        """An array (n, m) of int64, not cleared."""
        return np.empty((n, m), np.int64)

else:

    @intrinsic(prefer_literal=True)
    def few_ints(typingctx: Any, n: Any) -> Any:
        """An array (n,) of int64, not cleared."""
        return _offered(types.int64, n)

    @intrinsic(prefer_literal=True)
    def few_floats(typingctx: Any, n: Any) -> Any:
        """An array (n,) of float64, not cleared."""
        return _offered(types.float64, n)

    @intrinsic(prefer_literal=True)
    def small_table(typingctx: Any, n: Any, m: Any) -> Any:
        """An array (n, m) of int64, not cleared."""
        return _offered(types.int64, n, m)


ON_STACK = (few_ints, few_floats, small_table)
