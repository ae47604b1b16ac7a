"""Explicit vector code for dense layers on a CPU: weighted sums, outer products, logistic and tanh.

Written as LLVM intermediate code with vector types, because what the loop vectoriser makes of the plain loops
depends on alias checks that it cannot see through, and keeps to half of the vector width on many machines.
Three building blocks, for float64 and float32:

`weighted_rows`
    C[r, i] = (bias_r) + sum_j w_rj V[j, i]. Up to four rows by four vectors of sums stay in registers over the
    whole sum; a pass over inputs loads four vectors and four weights for sixteen products.
`outer_rows`
    g_rj += sum_i D[r, i] V[j, i], and g_r,bias += sum_i D[r, i]. Sums stay in registers over all observations.
`logistic_rows`, `tanh_rows`
    Value and slope, with the polynomial of `engine.scalar.exp_`.

Observations are padded to a multiple of `PAD`; padding repeats an observation, and its `delta` is zero.
The order of sums depends on the vector length alone, not on threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from .compile import jit, named

PAD = 16  # observations of a block are padded to a multiple of this
ROWS = 4  # rows per register tile
DEEP = 128  # terms of a long sum, or observations, that are taken at a time
WIDE_ROWS = 16  # units from which a layer's gradient is worth a transposition
ZERO, BIAS, GO_ON = 0, 1, 2  # what a sum begins with

INT = ir.IntType(64)


def _wide() -> bool:
    return bool(binding.get_host_cpu_features().get("avx512f", False))


WIDE = _wide()
VECTORS = 4 if WIDE else 2  # vectors of observations per register tile
NEAR = VECTORS * (64 if WIDE else 32)  # bytes of a row that a register tile covers
UNROLLED = 2  # vectors that an activation takes at a time: one polynomial's latency hides behind another's


def _lanes(scalar: ir.Type) -> int:
    """Vector length: a register of 512 or 256 bits."""
    return (8 if WIDE else 4) * (1 if isinstance(scalar, ir.DoubleType) else 2)


class _Code:
    """A builder with what every kernel below needs."""

    def __init__(self, context: Any, builder: ir.IRBuilder, scalar: ir.Type) -> None:
        self.context, self.builder, self.scalar = context, builder, scalar
        self.lanes = _lanes(scalar)
        self.vector = ir.VectorType(scalar, self.lanes)
        self.size = 8 if isinstance(scalar, ir.DoubleType) else 4

    def index(self, value: int) -> ir.Constant:
        return ir.Constant(INT, value)

    def constant(self, value: float) -> ir.Constant:
        return ir.Constant(self.vector, [value] * self.lanes)

    def load(self, pointer: ir.Value) -> ir.Value:
        cast = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(cast, align=self.size)

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        cast = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(value, cast, align=self.size)

    def splat(self, value: ir.Value) -> ir.Value:
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a b + c, fused where the machine can."""
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{8 * self.size}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c])

    def total(self, vector: ir.Value) -> ir.Value:
        """Sum of a vector's elements, by halves."""
        n = self.lanes
        b = self.builder
        while n > 1:
            n //= 2
            low = ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(n)))
            high = ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(n, 2 * n)))
            undefined = ir.Constant(vector.type, ir.Undefined)
            vector = b.fadd(b.shuffle_vector(vector, undefined, low), b.shuffle_vector(vector, undefined, high))
        return b.extract_element(vector, ir.Constant(ir.IntType(32), 0))

    def pick(self, a: ir.Value, b: ir.Value, at: list[int]) -> ir.Value:
        """The elements `at` of a and b laid end to end."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(at)), at)
        return self.builder.shuffle_vector(a, b, mask)

    def totals(self, vectors: list[ir.Value]) -> ir.Value:
        """Sums of the elements of four vectors, as a vector of four; the order of additions is that of `total`."""
        b, n = self.builder, self.lanes
        size = n  # of a vector's part within what is shuffled
        while len(vectors) > 1:  # two vectors' halves side by side
            half, merged = size // 2, []
            for x, y in zip(vectors[::2], vectors[1::2], strict=True):
                low = [g + i for g in range(0, 2 * n, size) for i in range(half)]
                merged.append(b.fadd(self.pick(x, y, low), self.pick(x, y, [i + half for i in low])))
            vectors, size = merged, half
        one = vectors[0]
        while size > 1:
            half = size // 2
            low = [g + i for g in range(0, 4 * size, size) for i in range(half)]
            one, size = b.fadd(self.pick(one, one, low), self.pick(one, one, [i + half for i in low])), half
        return one

    def cell(self, kind: ir.Type) -> ir.Value:
        return cgutils.alloca_once(self.builder, kind)

    def loop(self, first: ir.Value, last: ir.Value, step: int, body: Callable[[ir.Value], None]) -> ir.Value:
        """``while i + step <= last: body(i); i += step``; returns the i that is left."""
        b = self.builder
        at = self.cell(INT)
        b.store(first, at)
        test, inside, after = (b.append_basic_block(name) for name in ("test", "body", "after"))
        b.branch(test)
        b.position_at_end(test)
        i = b.load(at)
        b.cbranch(b.icmp_signed("<=", b.add(i, self.index(step)), last), inside, after)
        b.position_at_end(inside)
        body(i)
        b.store(b.add(i, self.index(step)), at)
        b.branch(test)
        b.position_at_end(after)
        return b.load(at)


def _scalar(dtype: Any) -> ir.Type:
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


def _data(context: Any, builder: ir.IRBuilder, kind: Any, value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Pointer to the elements of an array, and its row length."""
    array = context.make_array(kind)(context, builder, value)
    row = cgutils.unpack_tuple(builder, array.shape)[-1]
    return array.data, row


def _at(code: _Code, base: ir.Value, *indexes: ir.Value) -> ir.Value:
    total = indexes[0]
    for more in indexes[1:]:
        total = code.builder.add(total, more)
    return code.builder.gep(base, [total])


def _tile_rows(code: _Code, rows: int, vectors: int, j_count: ir.Value, weight: Callable[[int, ir.Value], ir.Value],
               start: list[ir.Value], go_on: ir.Value, source: Callable[[ir.Value], ir.Value],
               target: Callable[[int], ir.Value]) -> None:  # fmt: skip
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
    for r in range(rows):
        for v in range(vectors):
            code.store(b.load(sums[r][v]), place(r, v))


@intrinsic
def _products(
    typingctx: Any, out: Any, target: Any, target_step: Any, n_rows: Any, weights: Any, first: Any, row_step: Any,
    sum_step: Any, mode: Any, values: Any, source: Any, source_step: Any, n_sum: Any, begin: Any, end: Any,
) -> Any:  # fmt: skip
    """C[r, i] = start + sum_j W[r, j] V[j, i] for begin <= i < end, all by positions in flat arrays.

    C[r, i] is out[target + r target_step + i], W[r, j] is weights[first + r row_step + j sum_step], V[j, i] is
    values[source + j source_step + i]. `mode`: `ZERO`, `BIAS` (the element before W[r, 0]) or `GO_ON` (C itself).
    """
    signature = types.void(out, *[types.int64] * 3, weights, *[types.int64] * 4, values, *[types.int64] * 5)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (_, target, target_step, n_rows, _, first, row_step, sum_step, mode, _, source, source_step, n_sum, begin,
         end) = arguments  # fmt: skip
        code = _Code(context, builder, _scalar(out.dtype))
        c, _ = _data(context, builder, out, arguments[0])
        w, _ = _data(context, builder, weights, arguments[4])
        x, _ = _data(context, builder, values, arguments[9])
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
                        builder.store(builder.load(_at(code, w, base[r], code.index(-1))), cell)
                    starts.append(code.splat(builder.load(cell)))

                def tile(vectors: int) -> Callable[[ir.Value], None]:
                    def inner(i: ir.Value) -> None:
                        _tile_rows(
                            code, rows, vectors, n_sum,
                            lambda r, j: _at(code, w, base[r], builder.mul(j, sum_step)), starts, go_on,
                            lambda j: _at(code, x, source, builder.mul(j, source_step), i),
                            lambda r: _at(code, c, line[r], i),
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
def _weighted_rows(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, m):
    """`weighted_rows` on vector code; long sums by parts of values that stay in the first cache."""
    c_step, x_step = out.shape[1], values.shape[1]
    start = BIAS if bias != 0 else ZERO
    if n_sum <= DEEP:
        _products(out, target * c_step, c_step, n_rows, theta, first, row_step, sum_step, start, values, source * x_step,
                  x_step, n_sum, 0, m)
        return
    span = NEAR // values.itemsize
    for begin in range(0, m, span):
        for j in range(0, n_sum, DEEP):
            _products(out, target * c_step, c_step, n_rows, theta, first + j * sum_step, row_step, sum_step,
                      start if j == 0 else GO_ON, values, (source + j) * x_step, x_step, min(DEEP, n_sum - j), begin,
                      min(begin + span, m))


@jit
def _outer_rows(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m):
    """`outer_rows` on vector code; wide layers as sums of rows of the transposed values, a tile at a time."""
    span = NEAR // values.itemsize
    if n_rows < WIDE_ROWS or n_columns < span:
        _inner_products(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m)
        return
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
                      span, length, 0, columns)


@intrinsic
def _inner_products(
    typingctx: Any, grad: Any, first: Any, row_step: Any, deltas: Any, target: Any, n_rows: Any, values: Any,
    source: Any, n_columns: Any, m: Any,
) -> Any:  # fmt: skip
    signature = types.void(grad, types.int64, types.int64, deltas, types.int64, types.int64, values, types.int64,
                           types.int64, types.int64)  # fmt: skip

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, first, row_step, _, target, n_rows, _, source, n_columns, m = arguments
        code = _Code(context, builder, _scalar(grad.dtype))
        g, _ = _data(context, builder, grad, arguments[0])
        d, ld = _data(context, builder, deltas, arguments[3])
        x, ldx = _data(context, builder, values, arguments[6])
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
                        builder.store(builder.fadd(builder.load(sums[r]), code.load(_at(code, d, line[r], i))), sums[r])

                code.loop(code.index(0), m, code.lanes, biases)
                for r in range(rows):
                    add_to(_at(code, g, at[r], code.index(-1)), builder.load(sums[r]))

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
                            left = [code.load(_at(code, d, line[r], i)) for r in range(rows)]
                            right = [code.load(_at(code, x, lines[k], i)) for k in range(count)]
                            for r in range(rows):
                                for k in range(count):
                                    cell = cells[r][k]
                                    builder.store(code.fma(left[r], right[k], builder.load(cell)), cell)

                        code.loop(code.index(0), m, code.lanes, products)
                        for r in range(rows):
                            if count == ROWS:
                                add_four(_at(code, g, at[r], j0), [builder.load(cell) for cell in cells[r]])
                            else:
                                for k in range(count):
                                    add_to(_at(code, g, at[r], j0, code.index(k)), builder.load(cells[r][k]))

                    return inner

                left = code.loop(code.index(0), n_columns, ROWS, columns(ROWS))
                code.loop(left, n_columns, 1, columns(1))

            return over

        left = code.loop(code.index(0), n_rows, ROWS, strip(ROWS))
        left = code.loop(left, n_rows, 2, strip(2))
        code.loop(left, n_rows, 1, strip(1))
        return context.get_dummy_value()

    return signature, codegen


# Coefficients of (expm1(r) - r) / r^2, the highest power first, and the parts of ln 2 (see engine.scalar)
_POLYNOMIAL = {
    8: (2.510038549551032e-08, 2.7620088445409746e-07, 2.7557268459997064e-06, 2.4801521295954376e-05,
        0.00019841269863053618, 0.0013888888917213717, 0.008333333333330062, 0.04166666666662413,
        0.16666666666666669, 0.5),
    4: (0.0013926183587713494, 0.008363179052722578, 0.041666554617204574, 0.16666576989698775, 0.5),
}  # fmt: skip
_LN2 = {8: (0.6931471805598903, 5.497923018708371e-14), 4: (0.693359375, -0.00021219444005469057)}
_SHIFT = {8: 6755399441055744.0, 4: 12582912.0}
_LIMIT = {8: 708.0, 4: 87.0}
_BIAS = {8: (1023, 52), 4: (127, 23)}


def _bounded(code: _Code, z: ir.Value, limit: float) -> ir.Value:
    """z between -limit and limit; NaN stays."""
    b = code.builder
    high, low = code.constant(limit), code.constant(-limit)
    z = b.select(b.fcmp_ordered(">", z, high), high, z)
    return b.select(b.fcmp_ordered("<", z, low), low, z)


def _reduced(code: _Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    """``(expm1(r), 2^k)`` with z = k ln 2 + r."""
    b, n = code.builder, code.size
    integers = ir.VectorType(ir.IntType(8 * n), code.lanes)
    shift = code.constant(_SHIFT[n])
    shifted = code.fma(z, code.constant(1.4426950408889634), shift)
    k = b.fsub(shifted, shift)
    high, low = _LN2[n]
    r = code.fma(k, code.constant(-low), code.fma(k, code.constant(-high), z))
    p = code.constant(_POLYNOMIAL[n][0])
    for c in _POLYNOMIAL[n][1:]:
        p = code.fma(p, r, code.constant(c))
    small = code.fma(b.fmul(p, r), r, r)
    bias, bits = _BIAS[n]
    exponent = b.add(b.bitcast(shifted, integers), ir.Constant(integers, [bias] * code.lanes))
    scale = b.bitcast(b.shl(exponent, ir.Constant(integers, [bits] * code.lanes)), code.vector)
    return small, scale


def _reciprocal(code: _Code, d: ir.Value) -> ir.Value:
    """1 / d for d >= 1 and finite: hardware estimate and Newton steps where there is one, else a division."""
    b = code.builder
    one = code.constant(1.0)
    if not WIDE:
        return b.fdiv(one, d)
    mask = ir.IntType(code.lanes)
    kind = ir.FunctionType(code.vector, [code.vector, code.vector, mask])
    name = f"llvm.x86.avx512.rcp14.p{'d' if code.size == 8 else 's'}.512"
    estimate = cgutils.get_or_insert_function(b.module, kind, name)
    r = b.call(estimate, [d, code.constant(0.0), ir.Constant(mask, -1)])
    for _ in range(2 if code.size == 8 else 1):  # 14 bits, 28, 56
        r = code.fma(r, code.fma(b.fneg(d), r, one), r)
    return r


def _logistic(code: _Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    one = code.constant(1.0)
    small, scale = _reduced(code, b.fneg(_bounded(code, z, _LIMIT[code.size])))
    a = _reciprocal(code, b.fadd(one, code.fma(small, scale, scale)))
    return a, b.fmul(a, b.fsub(one, a))


def _tanh(code: _Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    one, two = code.constant(1.0), code.constant(2.0)
    doubled = b.fmul(two, _bounded(code, z, 20.0 if code.size == 8 else 10.0))
    small, scale = _reduced(code, doubled)
    minus_one = code.fma(small, scale, b.fsub(scale, one))
    below = b.fadd(minus_one, two)
    a = b.fdiv(minus_one, below) if code.size == 8 else b.fmul(minus_one, _reciprocal(code, below))
    return a, b.fsub(one, b.fmul(a, a))


def _elementwise(formula: Callable[[_Code, ir.Value], tuple[ir.Value, ir.Value]]) -> Any:
    @intrinsic
    def rows(typingctx: Any, value: Any, slope: Any, first: Any, n_rows: Any, m: Any) -> Any:
        signature = types.void(value, slope, types.int64, types.int64, types.int64)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, _, first, n_rows, m = arguments
            code = _Code(context, builder, _scalar(value.dtype))
            z, ld = _data(context, builder, value, arguments[0])
            s, _ = _data(context, builder, slope, arguments[1])

            def row(r: ir.Value) -> None:
                line = builder.mul(builder.add(first, r), ld)

                def chunk(vectors: int) -> Callable[[ir.Value], None]:
                    def inner(i: ir.Value) -> None:
                        parts = [builder.add(i, code.index(v * code.lanes)) for v in range(vectors)]
                        z_in = [code.load(_at(code, z, line, at)) for at in parts]
                        for at, (a, d) in zip(parts, [formula(code, one) for one in z_in], strict=True):
                            code.store(a, _at(code, z, line, at))
                            code.store(d, _at(code, s, line, at))

                    return inner

                left = code.loop(code.index(0), m, UNROLLED * code.lanes, chunk(UNROLLED))
                code.loop(left, m, code.lanes, chunk(1))

            code.loop(code.index(0), n_rows, 1, row)
            return context.get_dummy_value()

        return signature, codegen

    return rows


simd_logistic = _elementwise(_logistic)
simd_tanh = _elementwise(_tanh)


@intrinsic
def _multiply_rows(typingctx: Any, value: Any, factor: Any, first: Any, n_rows: Any, m: Any) -> Any:
    signature = types.void(value, factor, types.int64, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, first, n_rows, m = arguments
        code = _Code(context, builder, _scalar(value.dtype))
        a, ld = _data(context, builder, value, arguments[0])
        f, _ = _data(context, builder, factor, arguments[1])

        def row(r: ir.Value) -> None:
            line = builder.mul(builder.add(first, r), ld)

            def chunk(i: ir.Value) -> None:
                at = _at(code, a, line, i)
                code.store(builder.fmul(code.load(at), code.load(_at(code, f, line, i))), at)

            code.loop(code.index(0), m, code.lanes, chunk)

        code.loop(code.index(0), n_rows, 1, row)
        return context.get_dummy_value()

    return signature, codegen


# What kernels call -------------------------------------------------------------------------------------------
# Real numbers take the vector code; complex ones, and uncompiled runs, the plain loops below.


@jit
def _weighted_rows_plain(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, m):
    for r in range(n_rows):
        w = first + r * row_step
        for i in range(m):
            out[target + r, i] = theta[w - 1] if bias != 0 else 0
        for j in range(n_sum):
            for i in range(m):
                out[target + r, i] += theta[w + j * sum_step] * values[source + j, i]


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


if numba.config.DISABLE_JIT:
    weighted_rows, outer_rows, multiply_rows = _weighted_rows_plain, _outer_rows_plain, _multiply_rows_plain
else:

    def weighted_rows(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, m):
        """out[target + r, i] = [theta[w - 1]] + sum_j theta[w + j sum_step] values[source + j, i].

        w = first + r row_step.

        Parameters
        ----------
        out, values : (width, block) arrays
            Written and read; rows may not overlap.
        theta : (P,) array
        bias : int
            0 leaves theta[w - 1] out.
        m : int
            Observations, a multiple of `PAD` for real numbers.
        """

    def outer_rows(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m):
        """grad[g + j] += sum_i deltas[target + r, i] values[source + j, i], grad[g - 1] += sum_i deltas[target + r, i].

        g = first + r row_step; m is a multiple of `PAD` for real numbers.
        """

    def multiply_rows(value, factor, first, n_rows, m):
        """value[r, i] *= factor[r, i] for n_rows rows from `first` on."""

    def _is_real(array: Any) -> bool:
        return array.dtype in (types.float64, types.float32)

    @overload(weighted_rows)
    def _choose_weighted(out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, m):
        kernel = _weighted_rows if _is_real(out) else _weighted_rows_plain
        return lambda out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, m: kernel(
            out, target, n_rows, theta, first, row_step, sum_step, bias, values, source, n_sum, m
        )

    @overload(outer_rows)
    def _choose_outer(grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m):
        kernel = _outer_rows if _is_real(grad) else _outer_rows_plain
        return lambda grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m: kernel(
            grad, first, row_step, deltas, target, n_rows, values, source, n_columns, m
        )

    @overload(multiply_rows)
    def _choose_multiply(value, factor, first, n_rows, m):
        kernel = _multiply_rows if _is_real(value) else _multiply_rows_plain
        return lambda value, factor, first, n_rows, m: kernel(value, factor, first, n_rows, m)


def elementwise(vector_code: Any, plain: Any) -> Any:
    """What kernels call for an activation of rows: vector code for real numbers, the plain loop otherwise."""
    if numba.config.DISABLE_JIT:
        return plain

    def rows(value, slope, first, units, m):
        """Value in place and slope of `units` rows from `first` on, m observations (a multiple of `PAD`)."""

    @overload(rows)
    def choose(value, slope, first, units, m):
        kernel = vector_code if value.dtype in (types.float64, types.float32) else plain

        def implementation(value, slope, first, units, m):
            kernel(value, slope, first, units, m)

        return named(implementation, plain.__name__)

    return rows
