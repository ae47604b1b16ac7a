"""Which of two kernels a call means: vector code for real numbers, plain loops for complex ones and uncompiled runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.core import typing as numba_typing
from numba.extending import intrinsic

from .compile import as_python


def _called(typingctx: Any, kernel: Any, kinds: tuple[Any, ...]) -> tuple[Any, Callable[..., Any]]:
    """The signature of a kernel for arguments of some kinds, and what writes its call."""
    function = typingctx.resolve_value_type(kernel)
    signature = typingctx.resolve_function_type(function, kinds, {})

    def run(context: Any, builder: Any, arguments: Any) -> Any:
        call = context.get_function(function, signature)
        for library in getattr(call, "libs", ()):
            context.active_code_library.add_linking_library(library)
        return call(builder, arguments)

    return signature, run


def by_kind(name: str, doc: str, double: Any, single: Any, of_complex: Any) -> Any:
    """A function of numbers that kernels call: the first is complex, in single precision, or neither."""

    def choose(typingctx: Any, *given: Any) -> Any:
        kinds = tuple(types.unliteral(kind) for kind in given)
        z = kinds[0]
        kernel = of_complex if isinstance(z, types.Complex) else single if z == types.float32 else double
        called, run = _called(typingctx, kernel, kinds)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return run(context, builder, arguments)

        return numba_typing.signature(called.return_type, *kinds), generate

    choose.__name__ = choose.__qualname__ = name
    choose.__doc__ = doc
    return _offered(choose, list(inspect.signature(as_python(double)).parameters))


def by_number(real: Any, plain: Any) -> Any:
    """What kernels call: `real`, on vector code, for real numbers; `plain` for complex ones and in uncompiled runs.

    Both take the same arguments, the first array of numbers of which decides; or else `plain` takes a lane before m, the
    last, and the number of lanes behind it: it is then called with one.
    """
    parameters = list(inspect.signature(as_python(plain)).parameters)
    lanes = parameters[-3:] == ["lane", "m", "lanes"]
    if numba.config.DISABLE_JIT:
        if not lanes:
            return plain

        def rows(*given: Any) -> Any:
            return plain(*given[:-1], 0, given[-1], 1)

        return rows

    def choose(typingctx: Any, *given: Any) -> Any:
        arrays = [kind for kind in given if isinstance(kind, types.Array) and not isinstance(kind.dtype, types.Integer)]
        vector = arrays[0].dtype in (types.float64, types.float32)
        kinds = tuple(types.unliteral(kind) for kind in given)
        of_kernel = (*kinds[:-1], types.int64, kinds[-1], types.int64) if lanes and not vector else kinds
        called, run = _called(typingctx, real if vector else plain, of_kernel)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if lanes and not vector:
                number = context.get_constant(types.int64, 0), context.get_constant(types.int64, 1)
                arguments = (*arguments[:-1], number[0], arguments[-1], number[1])
            return run(context, builder, arguments)

        return numba_typing.signature(called.return_type, *kinds), generate

    return _offered(choose, [name for name in parameters if not lanes or name not in ("lane", "lanes")])


def _offered(choose: Any, parameters: list[str]) -> Any:
    """An intrinsic of such parameters."""
    own = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("typingctx", *parameters)]
    choose.__signature__ = inspect.Signature(own)
    return intrinsic(choose)
