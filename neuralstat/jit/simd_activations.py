"""Logistic and tanh in vector code: value and slope, with the polynomial of `scalar.exp_`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .vector_code import WIDE, Code, address_of, array_parts, scalar_type

UNROLLED = (4, 2, 1)  # vectors side by side: one polynomial's latency hides behind others'

# Coefficients of (expm1(r) - r) / r^2, the highest power first, and the parts of ln 2 (see jit.scalar)
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


def _bounded(code: Code, z: ir.Value, limit: float) -> ir.Value:
    """z between -limit and limit; NaN stays."""
    b = code.builder
    high, low = code.constant(limit), code.constant(-limit)
    z = b.select(b.fcmp_ordered(">", z, high), high, z)
    return b.select(b.fcmp_ordered("<", z, low), low, z)


def _reduced(code: Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
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


def _reciprocal(code: Code, d: ir.Value) -> ir.Value:
    """1 / d for d >= 1 and finite: hardware estimate and Newton steps where there is one, else a division."""
    b = code.builder
    one = code.constant(1.0)
    if not WIDE:
        return b.fdiv(one, d)
    single = code.of(1)
    mask = ir.IntType(single.lanes)
    kind = ir.FunctionType(single.vector, [single.vector, single.vector, mask])
    name = f"llvm.x86.avx512.rcp14.p{'d' if code.size == 8 else 's'}.512"
    estimate = cgutils.get_or_insert_function(b.module, kind, name)
    r = code.joined([b.call(estimate, [part, single.constant(0.0), ir.Constant(mask, -1)]) for part in code.parts(d)])
    for _ in range(2 if code.size == 8 else 1):  # 14 bits, 28, 56
        r = code.fma(r, code.fma(b.fneg(d), r, one), r)
    return r


def _logistic(code: Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    one = code.constant(1.0)
    small, scale = _reduced(code, _bounded(code, b.fneg(z), _LIMIT[code.size]))
    a = _reciprocal(code, b.fadd(one, code.fma(small, scale, scale)))
    return a, b.fmul(a, b.fsub(one, a))


def _tanh(code: Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    one, two = code.constant(1.0), code.constant(2.0)
    doubled = b.fmul(two, _bounded(code, z, 20.0 if code.size == 8 else 10.0))
    small, scale = _reduced(code, doubled)
    minus_one = code.fma(small, scale, b.fsub(scale, one))
    below = b.fadd(minus_one, two)
    a = b.fdiv(minus_one, below) if code.size == 8 else b.fmul(minus_one, _reciprocal(code, below))
    return a, b.fsub(one, b.fmul(a, a))


def elementwise_code(formula: Callable[[Code, ir.Value], tuple[ir.Value, ir.Value]]) -> Any:
    """An intrinsic that applies a formula, z -> (value, slope), to rows of an array."""
    @intrinsic
    def rows(typingctx: Any, value: Any, slope: Any, first: Any, n_rows: Any, m: Any) -> Any:
        signature = types.void(value, slope, types.int64, types.int64, types.int64)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, _, first, n_rows, m = arguments
            code = Code(context, builder, scalar_type(value.dtype))
            z, ld = array_parts(context, builder, value, arguments[0])
            s, _ = array_parts(context, builder, slope, arguments[1])

            def row(r: ir.Value) -> None:
                line = builder.mul(builder.add(first, r), ld)

                def chunk(side: Code, i: ir.Value) -> None:
                    a, d = formula(side, side.load(address_of(code, z, line, i)))
                    side.store(a, address_of(code, z, line, i))
                    side.store(d, address_of(code, s, line, i))

                code.side_by_side(code.index(0), m, UNROLLED, chunk)

            code.loop(code.index(0), n_rows, 1, row)
            return context.get_dummy_value()

        return signature, codegen

    return rows


simd_logistic = elementwise_code(_logistic)
simd_tanh = elementwise_code(_tanh)
