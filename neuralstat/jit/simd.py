"""Explicit vector code for dense layers on a CPU: weighted sums, outer products.

Written as LLVM intermediate code with vector types, because what the loop vectoriser makes of the plain loops
depends on alias checks that it cannot see through, and keeps to half of the vector width on many machines.
Two building blocks, for float64 and float32:

`weighted_rows`
    C[r, i] = (bias_r) + sum_j w_rj V[j, i]. Up to four rows by four vectors of sums stay in registers over the
    whole sum; a pass over inputs loads four vectors and four weights for sixteen products.
`outer_rows`
    g_rj += sum_i D[r, i] V[j, i], and g_r,bias += sum_i D[r, i]. Sums stay in registers over all observations.

Observations are padded to a multiple of `PAD`; padding repeats an observation, and its `delta` is zero.
The order of sums depends on the vector length alone, not on threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .by_number import by_number
from .compile import jit
from .late import late
from .vector_code import WIDE, Code, address_of, array_parts, scalar_type

ROWS = 4  # rows per register tile
DEEP = 128  # terms of a long sum, or observations, that are taken at a time
WIDE_ROWS = 16  # units from which a layer's gradient is worth a transposition
ZERO, BIAS, GO_ON = 0, 1, 2  # what a sum begins with
VECTORS = 4 if WIDE else 2  # vectors of observations per register tile
NEAR = VECTORS * (64 if WIDE else 32)  # bytes of a row that a register tile covers


def _tile_rows(code: Code, rows: int, vectors: int, j_count: ir.Value, weight: Callable[[int, ir.Value], ir.Value],
               start: list[ir.Value], go_on: ir.Value, source: Callable[[ir.Value], ir.Value],
               target: Callable[[int], ir.Value], scaled: ir.Value, factor: Callable[[int], ir.Value]) -> None:  # fmt: skip
    """One register tile of `weighted_rows`; where `go_on`, sums begin with what the target holds."""
    b = code.builder
    sums = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(rows)]

    def place(r: int, v: int) -> ir.Value:
        return b.gep(target(r), [code.index(v * code.lanes)])

    with b.if_else(go_on) as (then, otherwise):
        with then:
            for r in range(rows):
                for v in range(vectors):
                    b.store(code.load(place(r, v)), sums[r][v])
        with otherwise:
            for r in range(rows):
                for v in range(vectors):
                    b.store(start[r], sums[r][v])

    def add(j: ir.Value) -> None:
        base = source(j)
        loaded = [code.load(b.gep(base, [code.index(v * code.lanes)])) for v in range(vectors)]
        for r in range(rows):
            w = code.splat(b.load(weight(r, j)))
            for v in range(vectors):
                b.store(code.fma(w, loaded[v], b.load(sums[r][v])), sums[r][v])

    code.loop(code.index(0), j_count, 1, add)
    with b.if_then(scaled):
        for r in range(rows):
            for v in range(vectors):
                times = code.load(b.gep(factor(r), [code.index(v * code.lanes)]))
                b.store(b.fmul(b.load(sums[r][v]), times), sums[r][v])
    for r in range(rows):
        for v in range(vectors):
            code.store(b.load(sums[r][v]), place(r, v))


@intrinsic
def _products(
    typingctx: Any, out: Any, target: Any, target_step: Any, n_rows: Any, weights: Any, first: Any, row_step: Any,
    sum_step: Any, mode: Any, values: Any, source: Any, source_step: Any, n_sum: Any, begin: Any, end: Any, factor: Any,
    scaled: Any,
) -> Any:  # fmt: skip
    """C[r, i] = start + sum_j W[r, j] V[j, i] for begin <= i < end, all by positions in flat arrays.

    C[r, i] is out[target + r target_step + i], W[r, j] is weights[first + r row_step + j sum_step], V[j, i] is
    values[source + j source_step + i]. `mode`: `ZERO`, `BIAS` (the element before W[r, 0]) or `GO_ON` (C itself). Where
    `scaled`, C is then multiplied by what `factor` holds at its position.
    """
    signature = types.void(out, *[types.int64] * 3, weights, *[types.int64] * 4, values, *[types.int64] * 5, factor,
                           types.boolean)  # fmt: skip

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (_, target, target_step, n_rows, _, first, row_step, sum_step, mode, _, source, source_step, n_sum, begin,
         end, _, scaled) = arguments  # fmt: skip
        code = Code(context, builder, scalar_type(out.dtype))
        c, _ = array_parts(context, builder, out, arguments[0])
        w, _ = array_parts(context, builder, weights, arguments[4])
        x, _ = array_parts(context, builder, values, arguments[9])
        f, _ = array_parts(context, builder, factor, arguments[15])
        times = builder.icmp_unsigned("!=", scaled, ir.Constant(scaled.type, 0))
        has_bias = builder.icmp_signed("==", mode, code.index(BIAS))
        go_on = builder.icmp_signed("==", mode, code.index(GO_ON))

        def strip(rows: int) -> Callable[[ir.Value], None]:
            def over(r0: ir.Value) -> None:
                row = [builder.add(r0, code.index(r)) for r in range(rows)]
                base = [builder.add(first, builder.mul(at, row_step)) for at in row]
                line = [builder.add(target, builder.mul(at, target_step)) for at in row]
                starts = []
                for r in range(rows):
                    cell = code.cell(code.scalar)
                    builder.store(ir.Constant(code.scalar, 0.0), cell)
                    with builder.if_then(has_bias):
                        builder.store(builder.load(address_of(code, w, base[r], code.index(-1))), cell)
                    starts.append(code.splat(builder.load(cell)))

                def tile(vectors: int) -> Callable[[ir.Value], None]:
                    def inner(i: ir.Value) -> None:
                        _tile_rows(
                            code, rows, vectors, n_sum,
                            lambda r, j: address_of(code, w, base[r], builder.mul(j, sum_step)), starts, go_on,
                            lambda j: address_of(code, x, source, builder.mul(j, source_step), i),
                            lambda r: address_of(code, c, line[r], i), times,
                            lambda r: address_of(code, f, line[r], i),
                        )  # fmt: skip

                    return inner

                left = code.loop(begin, end, VECTORS * code.lanes, tile(VECTORS))
                code.loop(left, end, code.lanes, tile(1))

            return over

        left = code.loop(code.index(0), n_rows, ROWS, strip(ROWS))
        left = code.loop(left, n_rows, 2, strip(2))
        code.loop(left, n_rows, 1, strip(1))
        return context.get_dummy_value()

    return signature, codegen


@jit
def _weighted_rows(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, factor, scaled, m):
    """`weighted_rows` on vector code; long sums by parts of values that stay in the first cache."""
    c_step, x_step = out.shape[1], values.shape[1]
    start = BIAS if bias != 0 else ZERO
    if n_sum <= DEEP:
        _products(out, target * c_step, c_step, n_rows, theta, first, row_step, sum_step, start, values, source * x_step,
                  x_step, n_sum, 0, m, factor, scaled)
        return
    span = NEAR // values.itemsize
    for begin in range(0, m, span):
        for j in range(0, n_sum, DEEP):
            _products(out, target * c_step, c_step, n_rows, theta, first + j * sum_step, row_step, sum_step,
                      start if j == 0 else GO_ON, values, (source + j) * x_step, x_step, min(DEEP, n_sum - j), begin,
                      min(begin + span, m), factor, scaled and j + DEEP >= n_sum)


@jit
def _outer_rows(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m):
    """`outer_rows` on vector code."""
    if n_rows < WIDE_ROWS or n_columns < NEAR // values.itemsize:
        _inner_products(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m)
    else:
        _wide_outer_rows(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m)


@late
def _wide_outer_rows(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m):
    """`outer_rows` of wide layers: sums of rows of the transposed values, a tile at a time."""
    span = NEAR // values.itemsize
    odd = n_columns % (span // VECTORS)  # not a whole vector of columns
    _inner_products(grad, first, row_step, deltas, target, n_rows, values, source, odd, m)
    tile = np.empty(DEEP * span, values.dtype)
    d_step = deltas.shape[1]
    for begin in range(odd, n_columns, span):
        columns = min(span, n_columns - begin)
        for start in range(0, m, DEEP):
            length = min(DEEP, m - start)
            for j in range(columns):
                for i in range(length):
                    tile[i * span + j] = values[source + begin + j, start + i]
            _products(grad, first + begin, row_step, n_rows, deltas, target * d_step + start, d_step, 1, GO_ON, tile, 0,
                      span, length, 0, columns, grad, False)


@intrinsic
def _inner_products(
    typingctx: Any, grad: Any, first: Any, row_step: Any, deltas: Any, target: Any, n_rows: Any, values: Any,
    source: Any, n_columns: Any, m: Any,
) -> Any:  # fmt: skip
    signature = types.void(grad, types.int64, types.int64, deltas, types.int64, types.int64, values, types.int64,
                           types.int64, types.int64)  # fmt: skip

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, first, row_step, _, target, n_rows, _, source, n_columns, m = arguments
        code = Code(context, builder, scalar_type(grad.dtype))
        g, _ = array_parts(context, builder, grad, arguments[0])
        d, ld = array_parts(context, builder, deltas, arguments[3])
        x, ldx = array_parts(context, builder, values, arguments[6])
        zero = ir.Constant(code.vector, [0.0] * code.lanes)

        def add_to(pointer: ir.Value, vector: ir.Value) -> None:
            builder.store(builder.fadd(builder.load(pointer), code.total(vector)), pointer)

        def add_four(pointer: ir.Value, vectors: list[ir.Value]) -> None:
            four = builder.bitcast(pointer, ir.VectorType(code.scalar, ROWS).as_pointer())
            builder.store(builder.fadd(builder.load(four, align=code.size), code.totals(vectors)), four,
                          align=code.size)  # fmt: skip

        def strip(rows: int) -> Callable[[ir.Value], None]:
            def over(r0: ir.Value) -> None:
                at = [builder.add(first, builder.mul(builder.add(r0, code.index(r)), row_step)) for r in range(rows)]
                line = [builder.mul(builder.add(builder.add(target, r0), code.index(r)), ld) for r in range(rows)]
                sums = [code.cell(code.vector) for _ in range(rows)]
                for cell in sums:
                    builder.store(zero, cell)

                def biases(i: ir.Value) -> None:
                    for r in range(rows):
                        one = code.load(address_of(code, d, line[r], i))
                        builder.store(builder.fadd(builder.load(sums[r]), one), sums[r])

                code.loop(code.index(0), m, code.lanes, biases)
                for r in range(rows):
                    add_to(address_of(code, g, at[r], code.index(-1)), builder.load(sums[r]))

                def columns(count: int) -> Callable[[ir.Value], None]:
                    def inner(j0: ir.Value) -> None:
                        cells = [[code.cell(code.vector) for _ in range(count)] for _ in range(rows)]
                        for row in cells:
                            for cell in row:
                                builder.store(zero, cell)
                        lines = [
                            builder.mul(builder.add(builder.add(source, j0), code.index(k)), ldx) for k in range(count)
                        ]

                        def products(i: ir.Value) -> None:
                            left = [code.load(address_of(code, d, line[r], i)) for r in range(rows)]
                            right = [code.load(address_of(code, x, lines[k], i)) for k in range(count)]
                            for r in range(rows):
                                for k in range(count):
                                    cell = cells[r][k]
                                    builder.store(code.fma(left[r], right[k], builder.load(cell)), cell)

                        code.loop(code.index(0), m, code.lanes, products)
                        for r in range(rows):
                            if count == ROWS:
                                add_four(address_of(code, g, at[r], j0), [builder.load(cell) for cell in cells[r]])
                            else:
                                for k in range(count):
                                    add_to(address_of(code, g, at[r], j0, code.index(k)), builder.load(cells[r][k]))

                    return inner

                left = code.loop(code.index(0), n_columns, ROWS, columns(ROWS))
                code.loop(left, n_columns, 1, columns(1))

            return over

        left = code.loop(code.index(0), n_rows, ROWS, strip(ROWS))
        left = code.loop(left, n_rows, 2, strip(2))
        code.loop(left, n_rows, 1, strip(1))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _multiply_rows(typingctx: Any, value: Any, factor: Any, first: Any, n_rows: Any, m: Any) -> Any:
    signature = types.void(value, factor, types.int64, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, first, n_rows, m = arguments
        code = Code(context, builder, scalar_type(value.dtype))
        a, ld = array_parts(context, builder, value, arguments[0])
        f, _ = array_parts(context, builder, factor, arguments[1])

        def row(r: ir.Value) -> None:
            line = builder.mul(builder.add(first, r), ld)

            def chunk(i: ir.Value) -> None:
                at = address_of(code, a, line, i)
                code.store(builder.fmul(code.load(at), code.load(address_of(code, f, line, i))), at)

            code.loop(code.index(0), m, code.lanes, chunk)

        code.loop(code.index(0), n_rows, 1, row)
        return context.get_dummy_value()

    return signature, codegen


# What kernels call -------------------------------------------------------------------------------------------
# Real numbers take the vector code; complex ones, and uncompiled runs, the plain loops below.


@jit
def _weighted_rows_plain(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, factor, scaled,
                         m):
    for r in range(n_rows):
        w = first + r * row_step
        for i in range(m):
            out[target + r, i] = theta[w - 1] if bias != 0 else 0
        for j in range(n_sum):
            for i in range(m):
                out[target + r, i] += theta[w + j * sum_step] * values[source + j, i]
        if scaled:
            for i in range(m):
                out[target + r, i] *= factor[target + r, i]


@jit
def _outer_rows_plain(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m):
    for r in range(n_rows):
        g = first + r * row_step
        total = grad[g - 1]
        for i in range(m):
            total += deltas[target + r, i]
        grad[g - 1] = total
        for j in range(n_columns):
            total = grad[g + j]
            for i in range(m):
                total += deltas[target + r, i] * values[source + j, i]
            grad[g + j] = total


@jit
def _multiply_rows_plain(value, factor, first, n_rows, m):
    for r in range(first, first + n_rows):
        for i in range(m):
            value[r, i] *= factor[r, i]


_weighted = by_number(_weighted_rows, _weighted_rows_plain)
_outer = by_number(_outer_rows, _outer_rows_plain)
_multiply = by_number(_multiply_rows, _multiply_rows_plain)


@late
def weighted_rows(out: Any, target: int, n_rows: int, theta: Any, first: int, row_step: int, sum_step: int, bias: int,
                  values: Any, source: int, n_sum: int, factor: Any, scaled: bool, m: int) -> None:
    """out[target + r, i] = [theta[w - 1]] + sum_j theta[w + j sum_step] values[source + j, i].

    w = first + r row_step. Where `scaled`, this times factor[target + r, i].

    Parameters
    ----------
    out, values, factor : (width, block) arrays
        Written and read; rows of `out` and `values` may not overlap.
    theta : (P,) array
    bias : int
        0 leaves theta[w - 1] out.
    m : int
        Observations, a multiple of `PAD` for real numbers.
    """
    _weighted(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, factor, scaled, m)


@late
def outer_rows(grad: Any, first: int, row_step: int, deltas: Any, target: int, n_rows: int, values: Any, source: int,
               n_columns: int, m: int) -> None:
    """grad[g + j] += sum_i deltas[target + r, i] values[source + j, i], grad[g - 1] += sum_i deltas[target + r, i].

    g = first + r row_step; m is a multiple of `PAD` for real numbers.
    """
    _outer(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m)


@late
def multiply_rows(value: Any, factor: Any, first: int, n_rows: int, m: int) -> None:
    """value[r, i] *= factor[r, i] for n_rows rows from `first` on."""
    _multiply(value, factor, first, n_rows, m)
