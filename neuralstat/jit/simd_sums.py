"""Sums over rows for convolutional and recurrent layers on a CPU, in vector code; see `simd` for its building blocks.

`sum_rows`
    C[r, i] (+)= (bias_r) + sum over segments of rows V[s + j, i] of w_rj V[s + j, i]: a convolution at one position, a
    recurrent layer at one time. Weights come in panels (`pack_panel`): `ROWS` of them side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .compile import jit
from .late import late
from .vector_code import WIDE, Code, address_of, array_parts, scalar_type

ROWS = 8 if WIDE else 4  # rows of a panel
VECTORS = 2  # vectors of observations of a register tile


def call_once(builder: ir.IRBuilder, context: Any, name: str, scalar: ir.Type, arguments: list[ir.Value],
          body: Callable[..., None]) -> Any:
    """Call a function of the module that ``body(code, builder, *arguments)`` writes, once for all its callers.

    Written into every caller the register tiles would take minutes to compile.
    """
    kind = ir.FunctionType(ir.VoidType(), [value.type for value in arguments])
    size = 8 if isinstance(scalar, ir.DoubleType) else 4
    function = cgutils.get_or_insert_function(builder.module, kind, f"neuralstat_{name}_{size}")
    if function.is_declaration:
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        body(Code(context, inside, scalar), inside, *function.args)
        inside.ret_void()
    builder.call(function, arguments)
    return context.get_dummy_value()


@intrinsic
def sum_rows(typingctx: Any, out: Any, target: Any, n_rows: Any, panel: Any, length: Any, start: Any, values: Any,
             segments: Any, n_segments: Any, m: Any) -> Any:
    """Sums over segments of rows, see the module.

    Parameters
    ----------
    out : (width, block) array
        Written: rows target .. target + n_rows.
    panel : flat array
        From `pack_panel`, for sums over `length` elements.
    start : int
        What sums start from: 0 zero, 1 the bias, 2 what stands in `out`.
    values : (width, block) array
        Read.
    segments : (S, 3) int64 array
        First row, number of rows, first element of the sum, of each of `n_segments` segments.
    m : int
        Observations, a multiple of `simd.PAD`.
    """
    n = types.int64
    signature = types.void(out, n, n, panel, n, n, values, segments, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, target, n_rows, _, length, start, _, _, n_segments, m = arguments
        c, ld = array_parts(context, b, out, arguments[0])
        w, _ = array_parts(context, b, panel, arguments[3])
        x, ldx = array_parts(context, b, values, arguments[6])
        seg, _ = array_parts(context, b, segments, arguments[7])
        given = [c, ld, w, x, ldx, seg, target, n_rows, length, start, n_segments, m]
        return call_once(b, context, "sum_rows", scalar_type(out.dtype), given, body)

    def body(code: Code, b: Any, c: Any, ld: Any, w: Any, x: Any, ldx: Any, seg: Any, target: Any, n_rows: Any,
             length: Any, start: Any, n_segments: Any, m: Any) -> None:
        strip = b.mul(b.add(length, code.index(1)), code.index(ROWS))
        from_bias = b.icmp_signed("==", start, code.index(1))
        from_out = b.icmp_signed("==", start, code.index(2))

        def tile(rows: int, vectors: int, i: ir.Value, r0: ir.Value) -> None:
            base = b.add(b.mul(b.sdiv(r0, code.index(ROWS)), strip), b.srem(r0, code.index(ROWS)))
            lines = [b.mul(b.add(b.add(target, r0), code.index(r)), ld) for r in range(rows)]
            sums = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(rows)]
            zero = code.constant(0.0)
            for r in range(rows):
                for v in range(vectors):
                    b.store(zero, sums[r][v])
            with b.if_then(from_bias):
                for r in range(rows):
                    bias = code.splat(b.load(address_of(code, w, base, code.index(r))))
                    for v in range(vectors):
                        b.store(bias, sums[r][v])
            with b.if_then(from_out):
                for r in range(rows):
                    for v in range(vectors):
                        b.store(code.load(address_of(code, c, lines[r], i, code.index(v * code.lanes))), sums[r][v])

            def segment(s: ir.Value) -> None:
                at = b.mul(s, code.index(3))
                first, count, offset = (b.load(address_of(code, seg, at, code.index(k))) for k in range(3))
                source = address_of(code, x, b.mul(first, ldx), i)
                weight = address_of(code, w, base, b.mul(b.add(offset, code.index(1)), code.index(ROWS)))

                def add(j: ir.Value) -> None:
                    v_at = b.gep(source, [b.mul(j, ldx)])
                    w_at = b.gep(weight, [b.mul(j, code.index(ROWS))])
                    loaded = [code.load(b.gep(v_at, [code.index(v * code.lanes)])) for v in range(vectors)]
                    for r in range(rows):
                        scalar = code.splat(b.load(b.gep(w_at, [code.index(r)])))
                        for v in range(vectors):
                            b.store(code.fma(scalar, loaded[v], b.load(sums[r][v])), sums[r][v])

                code.loop(code.index(0), count, 1, add)

            code.loop(code.index(0), n_segments, 1, segment)
            for r in range(rows):
                for v in range(vectors):
                    code.store(b.load(sums[r][v]), address_of(code, c, lines[r], i, code.index(v * code.lanes)))

        def block(vectors: int) -> Callable[[ir.Value], None]:
            def over(i: ir.Value) -> None:
                left = code.index(0)
                rows = ROWS
                while rows:
                    left = code.loop(left, n_rows, rows, lambda r0, rows=rows: tile(rows, vectors, i, r0))  # type: ignore[misc]
                    rows //= 2

            return over

        left = code.loop(code.index(0), m, VECTORS * code.lanes, block(VECTORS))
        code.loop(left, m, code.lanes, block(1))

    return signature, codegen


@jit
def panel_size(n_rows: int, length: int) -> int:
    """Elements of a panel."""
    return (n_rows + ROWS - 1) // ROWS * ROWS * (length + 1)


@late
def pack_panel(panel: Any, length: int, theta: Any, bias: int, first: int, row_step: int, sum_step: int, n_rows: int,
               offset: int, n_sum: int) -> None:
    """Weights of n_rows sums, elements offset .. offset + n_sum of `length`, as `sum_rows` wants them.

    Element j of sum r is ``theta[first + r row_step + j sum_step]``, its bias ``theta[bias + r row_step]`` (negative
    `bias`: none).
    """
    for r0 in range(0, n_rows, ROWS):
        base, rows = r0 * (length + 1), min(ROWS, n_rows - r0)
        for r in range(rows if bias >= 0 else 0):
            panel[base + r] = theta[bias + (r0 + r) * row_step]
        for j in range(n_sum):  # a line of the panel at a time: each is written once
            at, w = base + (1 + offset + j) * ROWS, first + r0 * row_step + j * sum_step
            if rows == ROWS:
                for r in range(ROWS):
                    panel[at + r] = theta[w + r * row_step]
            else:
                for r in range(rows):
                    panel[at + r] = theta[w + r * row_step]
