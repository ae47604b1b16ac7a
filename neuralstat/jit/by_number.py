"""Which of two kernels a call means: vector code for real numbers, plain loops for complex ones and uncompiled runs."""

from __future__ import annotations

import inspect
from typing import Any

import numba
from numba import types
from numba.core import typing as numba_typing
from numba.extending import intrinsic

from .compile import as_python


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
        kernel = typingctx.resolve_value_type(real if vector else plain)
        kinds = tuple(types.unliteral(kind) for kind in given)
        of_kernel = (*kinds[:-1], types.int64, kinds[-1], types.int64) if lanes and not vector else kinds
        called = typingctx.resolve_function_type(kernel, of_kernel, {})

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            run = context.get_function(kernel, called)
            for library in getattr(run, "libs", ()):
                context.active_code_library.add_linking_library(library)
            if lanes and not vector:
                number = context.get_constant(types.int64, 0), context.get_constant(types.int64, 1)
                arguments = (*arguments[:-1], number[0], arguments[-1], number[1])
            return run(builder, arguments)

        return numba_typing.signature(called.return_type, *kinds), generate

    first = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in parameters
           if not lanes or name not in ("lane", "lanes")]  # fmt: skip
    choose.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]
    return intrinsic(choose)
