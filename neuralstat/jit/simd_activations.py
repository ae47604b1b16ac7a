"""Logistic and tanh in vector code: value and slope.

In double precision with the polynomial of `scalar.exp_`; in single precision by powers of 2, with fewer instructions: there
are many of them in a step of a recurrent layer.
"""

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
_POLYNOMIAL = (2.510038549551032e-08, 2.7620088445409746e-07, 2.7557268459997064e-06, 2.4801521295954376e-05,
               0.00019841269863053618, 0.0013888888917213717, 0.008333333333330062, 0.04166666666662413, 0.16666666666666669,
               0.5)  # fmt: skip
_LN2 = (0.6931471805598903, 5.497923018708371e-14)
_POWERS = (0.00015461447460909383, 0.00133908673514704, 0.009618056669894272, 0.05550357104253307, 0.24022650922342667,
           0.6931471880293425)  # of (2^r - 1) / r, |r| <= 1/2: interpolation at Chebyshev points, relative error 1.3e-8
_LOG2_E = 1.4426950408889634
_SHIFT = {8: 6755399441055744.0, 4: 12582912.0}
_LIMIT = {8: 708.0, 4: 87.0}
_BIAS = {8: (1023, 52), 4: (127, 23)}


def _bounded(code: Code, z: ir.Value, limit: float) -> ir.Value:
    """z between -limit and limit; NaN stays."""
    b = code.builder
    high, low = code.constant(limit), code.constant(-limit)
    z = b.select(b.fcmp_ordered(">", z, high), high, z)
    return b.select(b.fcmp_ordered("<", z, low), low, z)


def _horner(code: Code, coefficients: tuple[float, ...], r: ir.Value) -> ir.Value:
    p = code.constant(coefficients[0])
    for c in coefficients[1:]:
        p = code.fma(p, r, code.constant(c))
    return p


def _shifted(code: Code, z: ir.Value, times: float) -> tuple[ir.Value, ir.Value]:
    """k = round(times z / ln 2), and what holds it in its lowest bits."""
    shift = code.constant(_SHIFT[code.size])
    shifted = code.fma(z, code.constant(times * _LOG2_E), shift)
    return code.builder.fsub(shifted, shift), shifted


def _exponent(code: Code, shifted: ir.Value, bias: int) -> ir.Value:
    """Integers whose bits are those of a number's exponent: k of `_shifted` and a bias."""
    b, bits = code.builder, _BIAS[code.size][1]
    integers = ir.VectorType(ir.IntType(8 * code.size), code.lanes)
    k = b.bitcast(shifted, integers)
    if bias:
        k = b.add(k, ir.Constant(integers, [bias] * code.lanes))
    return b.shl(k, ir.Constant(integers, [bits] * code.lanes))


def _expm1_parts(code: Code, z: ir.Value, times: float) -> tuple[ir.Value, ir.Value]:
    """``(expm1(r), 2^k)`` with times z = k ln 2 + r."""
    b = code.builder
    k, shifted = _shifted(code, z, times)
    if code.size == 4:
        r = code.fma(z, code.constant(times * _LOG2_E), b.fneg(k))  # times 1 / ln 2; its error is one of z
        small = b.fmul(_horner(code, _POWERS, r), r)
    else:
        high, low = _LN2
        r = code.fma(k, code.constant(-low), code.fma(k, code.constant(-high), b.fmul(code.constant(times), z)))
        small = code.fma(b.fmul(_horner(code, _POLYNOMIAL, r), r), r, r)
    return small, b.bitcast(_exponent(code, shifted, _BIAS[code.size][0]), code.vector)


def _exp(code: Code, z: ir.Value, times: float) -> ir.Value:
    """exp(times z) of what is not too large."""
    b = code.builder
    if code.size == 8:
        small, scale = _expm1_parts(code, z, times)
        return code.fma(small, scale, scale)
    k, shifted = _shifted(code, z, times)
    r = code.fma(z, code.constant(times * _LOG2_E), b.fneg(k))
    near_one = code.fma(_horner(code, _POWERS, r), r, code.constant(1.0))
    exponent = _exponent(code, shifted, 0)
    return b.bitcast(b.add(b.bitcast(near_one, exponent.type), exponent), code.vector)


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
    a = _reciprocal(code, b.fadd(one, _exp(code, _bounded(code, z, _LIMIT[code.size]), -1.0)))
    return a, b.fmul(a, b.fsub(one, a))


def _tanh(code: Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    one, two = code.constant(1.0), code.constant(2.0)
    small, scale = _expm1_parts(code, _bounded(code, z, 20.0 if code.size == 8 else 10.0), 2.0)
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
