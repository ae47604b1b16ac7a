"""Vector code for sums over a few taps, unit by unit: depthwise convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd_sums import call_once
from .vector_code import WIDE, Code, address_of, array_parts, scalar_type

VECTORS = 4 if WIDE else 2  # vectors of observations of a register tile


@intrinsic
def tap_rows(typingctx: Any, out: Any, target: Any, target_step: Any, n_rows: Any, weights: Any, first: Any,
             weight_step: Any, bias: Any, values: Any, value_step: Any, taps: Any, n_taps: Any, m: Any) -> Any:
    """out[target + k target_step, i] = bias_k + sum_j w_(k, j) values[row_j + k value_step, i] for k < n_rows, i < m.

    Parameters
    ----------
    out, values : (width, block) arrays
        Written; read.
    weights : flat array
        w_(k, j) is ``weights[first + k weight_step + taps[j, 1]]``, bias_k ``weights[first + k weight_step]`` where `bias`
        is not 0, else 0.
    taps : (T, 2) int64 array
        Row, and place of the weight, of each of `n_taps` taps.
    m : int
        A multiple of `simd.PAD`.
    """
    n = types.int64
    signature = types.void(out, n, n, n, weights, n, n, n, values, n, taps, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        c, ld = array_parts(context, b, out, arguments[0])
        w, _ = array_parts(context, b, weights, arguments[4])
        x, ldx = array_parts(context, b, values, arguments[8])
        t, _ = array_parts(context, b, taps, arguments[10])
        given = [c, ld, w, x, ldx, t, *arguments[1:4], *arguments[5:8], arguments[9], *arguments[11:]]
        return call_once(b, context, "tap_rows", scalar_type(out.dtype), given, body)

    def body(code: Code, b: Any, c: Any, ld: Any, w: Any, x: Any, ldx: Any, t: Any, target: Any, target_step: Any,
             n_rows: Any, first: Any, weight_step: Any, bias: Any, value_step: Any, n_taps: Any, m: Any) -> None:
        has_bias = b.icmp_signed("!=", bias, code.index(0))

        def tile(vectors: int, k: ir.Value, i: ir.Value) -> None:
            base = b.add(first, b.mul(k, weight_step))
            shift = b.mul(k, value_step)
            start = b.select(has_bias, code.splat(b.load(address_of(code, w, base))), code.constant(0.0))
            sums = [code.cell(code.vector) for _ in range(vectors)]
            for cell in sums:
                b.store(start, cell)

            def tap(j: ir.Value) -> None:
                at = b.mul(j, code.index(2))
                row, place = (b.load(address_of(code, t, at, code.index(e))) for e in range(2))
                source = address_of(code, x, b.mul(b.add(row, shift), ldx), i)
                weight = code.splat(b.load(address_of(code, w, base, place)))
                for v, cell in enumerate(sums):
                    b.store(code.fma(weight, code.load(b.gep(source, [code.index(v * code.lanes)])), b.load(cell)), cell)

            code.loop(code.index(0), n_taps, 1, tap)
            line = b.mul(b.add(target, b.mul(k, target_step)), ld)
            for v, cell in enumerate(sums):
                code.store(b.load(cell), address_of(code, c, line, i, code.index(v * code.lanes)))

        def row(k: ir.Value) -> None:
            def over(vectors: int) -> Callable[[ir.Value], None]:
                return lambda i: tile(vectors, k, i)

            left = code.loop(code.index(0), m, VECTORS * code.lanes, over(VECTORS))
            code.loop(left, m, code.lanes, over(1))

        code.loop(code.index(0), n_rows, 1, row)

    return signature, codegen
