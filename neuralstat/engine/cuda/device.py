"""What kernels need of a target beside plain Python: for numba-cuda's compiler, and for its simulator."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from ...jit import plain, scalar, special
from .translate import Translator


class Target(NamedTuple):
    """Tools for writing kernels; see `target`.

    Attributes
    ----------
    function : callable
        Decorator of device functions.
    to_device : callable
        Makes a device function of one of the CPU's kernels; ``to_device.decided`` of one with known arguments.
    barrier : callable
        ``()``: waits for all threads of the block.
    matrix : callable
        ``(flat, start, rows, columns)``: part of a flat array, seen as a matrix.
    get, put : callable
        ``(flat, k)``, ``(flat, k, number)``: an element by an index that is not below 0, without the check for that.
    """

    function: Callable[[Any], Any]
    to_device: Translator
    barrier: Any
    matrix: Any
    get: Any
    put: Any


def target(simulate: bool) -> Target:
    """Tools for the simulator, or for the compiler."""
    return _simulator() if simulate else _compiler()


def sum_tree(tools: Target) -> Any:
    """Device function ``(parts, lane, lanes)``: sums over a block's threads, in the first of `lanes` elements.

    Each thread has written its element; which are added to which is always the same, so that the bits are.
    """
    barrier = tools.barrier

    @tools.function
    def summed(parts, lane, lanes):
        barrier()
        half = lanes // 2
        while half > 0:
            if lane < half:
                parts[lane] += parts[lane + half]
            barrier()
            half //= 2

    return summed


def _same(function: Any) -> Any:
    return function


def _simulator() -> Target:
    names = () if numba.config.DISABLE_JIT else (
        "exp_", "expm1_", "tanh_", "erf_", "log1p_", "log_", "real_", "size_bits",
        "from_bits")  # fmt: skip
    to_device = Translator(_same, [(getattr(scalar, name), getattr(plain, name)) for name in names])
    if names:
        to_device.substitute(special.exp_wide_, plain.exp_)
        to_device.substitute(special.pow_, _quiet_power)
        to_device.substitute(special.acot_, _angle)
        to_device.substitute(special.log_ndtr_, _log_ndtr(to_device))

    def barrier() -> None:
        threading.current_thread().syncthreads()  # type: ignore[attr-defined]  # a simulated thread's own

    def matrix(flat: Any, start: int, rows: int, columns: int) -> Any:
        return flat[start : start + rows * columns].reshape(rows, columns)

    def get(flat: Any, k: int) -> Any:
        return flat[k]

    def put(flat: Any, k: int, number: Any) -> None:
        flat[k] = number

    return Target(_same, to_device, barrier, matrix, get, put)


def _real(z: float) -> float:
    return z


def _power(z: float, p: float) -> float:
    return z**p


def _quiet_power(z: float, p: float) -> Any:
    with np.errstate(all="ignore"):
        return np.power(np.float64(z), p)


def _angle(z: float) -> float:
    return math.atan2(1.0, z)


def _log_ndtr(to_device: Translator) -> Any:
    with_bend = to_device(special._log_ndtr)

    def log_ndtr(z):
        value, h, _ = with_bend(z)
        return value, h

    return log_ndtr


def _compiler() -> Target:
    from numba import cuda

    function = cuda.jit(device=True)
    to_device = Translator(function, [
        (scalar.exp_, math.exp), (scalar.expm1_, math.expm1), (scalar.tanh_, math.tanh),
        (scalar.erf_, math.erf), (scalar.log1p_, math.log1p), (scalar.log_, math.log),
        (scalar.real_, function(_real)), (special.exp_wide_, math.exp), (special.pow_, function(_power)),
        (special.acot_, function(_angle)),
    ])  # fmt: skip
    to_device.substitute(special.log_ndtr_, function(_log_ndtr(to_device)))

    @function
    def barrier():
        cuda.syncthreads()

    return Target(function, to_device, barrier, *_intrinsics())


def _intrinsics() -> tuple[Any, Any, Any]:
    from numba.cuda import types
    from numba.cuda.extending import intrinsic
    from numba.cuda.np.arrayobj import populate_array

    def pointer(context, builder, kind, array, index):
        return builder.gep(context.make_array(kind)(context, builder, array).data, [index])

    @intrinsic
    def matrix(typing, flat, start, rows, columns):
        kind = types.Array(flat.dtype, 2, "C")

        def generate(context, builder, signature, arguments):
            out = context.make_array(kind)(context, builder)
            whole, size = context.get_value_type(types.intp), context.get_abi_sizeof(context.get_data_type(flat.dtype))
            populate_array(
                out, data=pointer(context, builder, flat, *arguments[:2]), shape=arguments[2:],
                strides=[builder.mul(arguments[3], whole(size)), whole(size)], itemsize=size, meminfo=None,
            )  # fmt: skip
            return out._getvalue()

        return kind(flat, types.int64, types.int64, types.int64), generate

    @intrinsic
    def get(typing, flat, k):
        def generate(context, builder, signature, arguments):
            return builder.load(pointer(context, builder, flat, *arguments))

        return flat.dtype(flat, types.int64), generate

    @intrinsic
    def put(typing, flat, k, number):
        def generate(context, builder, signature, arguments):
            builder.store(arguments[2], pointer(context, builder, flat, *arguments[:2]))
            return context.get_dummy_value()

        return types.void(flat, types.int64, flat.dtype), generate

    return matrix, get, put
