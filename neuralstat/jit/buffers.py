"""Arrays that kernels make: zeros that begin at a cache line, and small ones on the stack.

A vector that lies across two lines takes twice as long to load. For arrays on the stack no memory is asked, and nobody counts
their references. numba's own ways to make arrays are functions of many kinds and messages, which each kernel would compile
with it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from .compile import PLAIN, jit

LINE = 64  # bytes
ODD_ROWS = 128  # bytes of a row above which rows get a line more, lest they fall on the same cache sets


def _aligned(n_rows: int, length: int, like: Any) -> Any:
    size = like.itemsize
    flat = np.zeros(n_rows * length + LINE // size, like.dtype)
    skip = (-flat.ctypes.data % LINE) // size
    return flat[skip : skip + n_rows * length].reshape(n_rows, length)


def _uncleared(n_rows: int, length: int, like: Any) -> Any:
    return np.empty((n_rows, length), like.dtype)


def _zeros(n: int, like: Any) -> Any:
    return np.zeros(n, like.dtype)


def _few_ints(n: int) -> Any:
    return np.empty(n, np.int64)


def _few_floats(n: int) -> Any:
    return np.empty(n)


def _small_table(n: int, m: int) -> Any:
    return np.empty((n, m), np.int64)


def _table(n: int, m: int) -> Any:
    return np.zeros((n, m), np.int64)


if PLAIN or numba.config.DISABLE_JIT:
    aligned, zeros, uncleared = jit(_aligned), jit(_zeros), jit(_uncleared)
    few_ints, few_floats, small_table, table = jit(_few_ints), jit(_few_floats), jit(_small_table), jit(_table)
else:

    def _array(context: Any, builder: Any, kind: Any, shape: list[Any], data: Any, owner: Any) -> Any:
        """The array of some kind and shape at a place."""
        number = context.get_value_type(types.intp)
        size = ir.Constant(number, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        strides = [size]
        for n in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], n))
        array = context.make_array(kind)(context, builder)
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=owner)
        return array._getvalue()

    def _new(context: Any, builder: Any, kind: Any, shape: list[Any], clear: bool = True) -> Any:
        """A new array, of zeros."""
        number, memory = context.get_value_type(types.intp), context.nrt
        n = ir.Constant(number, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        for length in shape:
            n = builder.mul(n, length)
        owner = memory.meminfo_alloc_aligned(builder, size=n, align=LINE)  # or a MemoryError
        data = memory.meminfo_data(builder, owner)
        if clear:
            cgutils.memset(builder, data, n, 0)
        return _array(context, builder, kind, shape,
                      builder.bitcast(data, context.get_data_type(kind.dtype).as_pointer()), owner)  # fmt: skip

    @intrinsic
    def aligned(typingctx: Any, n_rows: Any, length: Any, like: Any) -> Any:
        """Zeros (n_rows, length) in the kind of number of `like`, from the start of a cache line on."""
        kind = types.Array(like.dtype, 2, "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _new(context, builder, kind, list(arguments[:2]))

        return kind(types.intp, types.intp, like), generate

    @intrinsic
    def uncleared(typingctx: Any, n_rows: Any, length: Any, like: Any) -> Any:
        """`aligned` with anything in it: for what is written before it is read."""
        kind = types.Array(like.dtype, 2, "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _new(context, builder, kind, list(arguments[:2]), clear=False)

        return kind(types.intp, types.intp, like), generate

    @intrinsic
    def zeros(typingctx: Any, n: Any, like: Any) -> Any:
        """Zeros (n,) in the kind of number of `like`, from the start of a cache line on."""
        kind = types.Array(like.dtype, 1, "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _new(context, builder, kind, [arguments[0]])

        return kind(types.intp, like), generate

    @intrinsic
    def table(typingctx: Any, n: Any, m: Any) -> Any:
        """Zeros (n, m), int64."""
        kind = types.Array(types.int64, 2, "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _new(context, builder, kind, list(arguments))

        return kind(types.intp, types.intp), generate

    def _on_stack(dtype: Any, *sizes: Any) -> Any:
        """Signature and code of an array whose sizes are known when a kernel is compiled."""
        if not all(isinstance(n, types.IntegerLiteral) for n in sizes):
            raise numba.TypingError("an array on the stack has sizes that are known when its kernel is compiled")
        shape = [n.literal_value for n in sizes]
        kind = types.Array(dtype, len(shape), "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = cgutils.alloca_once(builder, context.get_data_type(dtype), size=int(np.prod(shape)))
            number = context.get_value_type(types.intp)
            return _array(context, builder, kind, [ir.Constant(number, n) for n in shape], place, None)

        return kind(*sizes), generate

    @intrinsic(prefer_literal=True)
    def few_ints(typingctx: Any, n: Any) -> Any:
        """An array (n,) of int64 on the stack, not cleared."""
        return _on_stack(types.int64, n)

    @intrinsic(prefer_literal=True)
    def few_floats(typingctx: Any, n: Any) -> Any:
        """An array (n,) of float64 on the stack, not cleared."""
        return _on_stack(types.float64, n)

    @intrinsic(prefer_literal=True)
    def small_table(typingctx: Any, n: Any, m: Any) -> Any:
        """An array (n, m) of int64 on the stack, not cleared."""
        return _on_stack(types.int64, n, m)

    for _made, _plain in ((aligned, _aligned), (uncleared, _uncleared), (zeros, _zeros), (table, _table),
                          (few_ints, _few_ints), (few_floats, _few_floats), (small_table, _small_table)):  # fmt: skip
        _made.py_func = _plain
    for _made in (few_ints, few_floats, small_table):
        _made.on_stack = True  # see `inner.makes_none`


@jit
def row_length(block: int, like: Any) -> int:
    """Elements of a row of a buffer for `block` observations."""
    size = like.itemsize
    return block + LINE // size if block * size > ODD_ROWS else block
