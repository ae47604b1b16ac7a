"""Rectified units in vector code, with no slopes kept: they are told from the units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd_activations import UNROLLED
from .simd_cells import _relu
from .vector_code import Code, address_of, array_parts, scalar_type


def _row_code(formula: Callable[[Code, ir.Value, ir.Value], ir.Value]) -> Any:
    """An intrinsic that writes a formula of two arrays' rows to those of the first."""

    @intrinsic
    def rows(typingctx: Any, out: Any, value: Any, first: Any, n_rows: Any, m: Any) -> Any:
        signature = types.void(out, value, types.int64, types.int64, types.int64)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, _, first, n_rows, m = arguments
            code = Code(context, builder, scalar_type(value.dtype))
            o, ld = array_parts(context, builder, out, arguments[0])
            v, _ = array_parts(context, builder, value, arguments[1])

            def row(r: ir.Value) -> None:
                line = builder.mul(builder.add(first, r), ld)

                def chunk(side: Code, i: ir.Value) -> None:
                    at = address_of(code, o, line, i)
                    side.store(formula(side, side.load(at), side.load(address_of(code, v, line, i))), at)

                code.side_by_side(code.index(0), m, UNROLLED, chunk)

            code.loop(code.index(0), n_rows, 1, row)
            return context.get_dummy_value()

        return signature, codegen

    return rows


simd_rectify = _row_code(lambda code, _, z: _relu(code, z)[0])
simd_unrectify = _row_code(lambda code, d, a: code.builder.fmul(d, _relu(code, a)[1]))
