"""Calls of users' own activation and error functions from compiled kernels, by address.

A custom function is compiled once to a C function that writes (value, first derivative, second derivative)
to an array of three doubles. Kernels receive its address as a run-time integer, so they are compiled (and
cached on disk) once for all custom functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

#: Whether numba's JIT was switched off (NUMBA_DISABLE_JIT=1) when this module was imported.
UNCOMPILED: bool = bool(numba.config.DISABLE_JIT)
#: Stand-ins for compiled functions where numba's JIT is switched off: made-up address -> Python function
#: that returns (value, slope, curvature).
PYTHON_FUNCTIONS: dict[int, Callable[..., Any]] = {}


def _indirect_call(n_arguments: int) -> Callable:
    """Code generator for a call of ``void f(double, ..., double* out)`` with `n_arguments` doubles."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        double = ir.DoubleType()
        function_type = ir.FunctionType(ir.VoidType(), [double] * n_arguments + [double.as_pointer()])
        function = builder.inttoptr(arguments[0], function_type.as_pointer())
        out = cgutils.alloca_once(builder, double, size=3)
        builder.call(function, [*arguments[1:], out])
        values = [builder.load(cgutils.gep_inbounds(builder, out, i)) for i in range(3)]
        return context.make_tuple(builder, signature.return_type, values)

    return generate


_TRIPLE = types.UniTuple(types.float64, 3)  # type: ignore[attr-defined]


def _compiled_activation(typing_context, address, z):  # type: ignore[no-untyped-def]
    return _TRIPLE(types.int64, types.float64), _indirect_call(1)


def _compiled_loss(typing_context, address, x, y):  # type: ignore[no-untyped-def]
    return _TRIPLE(types.int64, types.float64, types.float64), _indirect_call(2)


def _python_activation(address: int, z: float) -> tuple[float, float, float]:
    return PYTHON_FUNCTIONS[int(address)](z)


def _python_loss(address: int, x: float, y: float) -> tuple[float, float, float]:
    return PYTHON_FUNCTIONS[int(address)](x, y)


# An intrinsic cannot be called from plain Python, so uncompiled kernels get plain functions of the same name.
#: ``call_activation(address, z) -> (value, slope, curvature)`` of the activation at `address`.
call_activation = _python_activation if UNCOMPILED else intrinsic(_compiled_activation)
#: ``call_loss(address, x, y) -> (value, slope, curvature)``, derivatives with respect to the output x.
call_loss = _python_loss if UNCOMPILED else intrinsic(_compiled_loss)


def _compiled_several(typing_context, address, given, told):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = ir.DoubleType().as_pointer()
        function = builder.inttoptr(arguments[0], ir.FunctionType(ir.VoidType(), [pointer, pointer]).as_pointer())
        arrays = [context.make_array(kind)(context, builder, value).data for kind, value in
                  zip(signature.args[1:], arguments[1:], strict=True)]  # fmt: skip
        builder.call(function, arrays)
        return context.get_dummy_value()

    return types.void(types.int64, given, told), generate


def _python_several(address: int, given: Any, told: Any) -> None:
    PYTHON_FUNCTIONS[int(address)](given, told)


#: ``call_several(address, given, told)``: a function of the array `given`, which writes its results into `told`
call_several = _python_several if UNCOMPILED else intrinsic(_compiled_several)
