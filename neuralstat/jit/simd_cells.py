"""Elementwise vector code for pooling, recurrent layers and relu: one pass over what lies in registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd_activations import UNROLLED, _logistic, _tanh, elementwise_code
from .simd_sums import call_once
from .vector_code import Code, address_of, array_parts, scalar_type


def _relu(code: Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    slope = b.select(b.fcmp_ordered(">", z, code.constant(0.0)), code.constant(1.0), b.fmul(z, code.constant(0.0)))
    return b.fmul(z, slope), slope


simd_relu = elementwise_code(_relu)


def _cells(formula: Callable[..., None], n_lines: int, perhaps: tuple[int, ...] = ()) -> Any:
    """An intrinsic that goes once over the units and observations of a recurrent layer at one time.

    Parameters
    ----------
    formula : callable
        ``formula(code, read, write, also)``: ``read(array, k)`` loads from line k of "value" or "delta",
        ``write(array, k, vector)`` stores, ``also(k)`` is a block that runs where line k exists.
    n_lines : int
        Lines that are named.
    perhaps : tuple of int
        Lines that may be missing (a negative row): they read as zero.
    """

    @intrinsic
    def cells(typingctx: Any, value: Any, delta: Any, at: Any, units: Any, m: Any) -> Any:
        signature = types.void(value, delta, at, types.int64, types.int64)

        def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            x, ld = array_parts(context, b, value, arguments[0])
            d, _ = array_parts(context, b, delta, arguments[1])
            rows, _ = array_parts(context, b, at, arguments[2])
            return call_once(b, context, formula.__name__, scalar_type(value.dtype), [x, d, ld, rows, *arguments[3:]], body)

        def body(code: Code, b: Any, x: Any, d: Any, ld: Any, rows: Any, units: Any, m: Any) -> None:
            data = {"value": x, "delta": d}
            first = [b.load(b.gep(rows, [code.index(k)])) for k in range(n_lines)]
            there = {k: b.icmp_signed(">=", first[k], code.index(0)) for k in perhaps}
            for k in perhaps:
                first[k] = b.select(there[k], first[k], first[0])

            def unit(u: ir.Value) -> None:
                lines = [b.mul(b.add(row, u), ld) for row in first]

                def chunk(side: Code, i: ir.Value) -> None:
                    def read(array: str, k: int) -> ir.Value:
                        vector = side.load(address_of(code, data[array], lines[k], i))
                        return b.select(there[k], vector, side.constant(0.0)) if k in there else vector

                    def write(array: str, k: int, vector: ir.Value) -> None:
                        side.store(vector, address_of(code, data[array], lines[k], i))

                    formula(side, read, write, lambda k: b.if_then(there[k]))

                code.side_by_side(code.index(0), m, UNROLLED, chunk)

            code.loop(code.index(0), units, 1, unit)

        return signature, codegen

    return cells


def _pairs(formula: Callable[..., None]) -> Any:
    """An intrinsic that goes over n pairs of rows: target + r of one array, source + r of the other.

    ``formula(code, value, delta, first, factor)`` gives what is done at a pair of vectors; `value` and `delta` are pairs
    of pointers, to the target's and to the source's.
    """

    @intrinsic
    def rows(typingctx: Any, value: Any, delta: Any, target: Any, source: Any, first: Any, factor: Any, n: Any,
             m: Any) -> Any:
        signature = types.void(value, delta, types.int64, types.int64, types.boolean, types.float64, types.int64,
                               types.int64)  # fmt: skip

        def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            x, ld = array_parts(context, b, value, arguments[0])
            d, _ = array_parts(context, b, delta, arguments[1])
            return call_once(b, context, formula.__name__, scalar_type(value.dtype), [x, d, ld, *arguments[2:]], body)

        def body(code: Code, b: Any, x: Any, d: Any, ld: Any, target: Any, source: Any, first: Any, factor: Any, n: Any,
                 m: Any) -> None:
            fresh = b.icmp_unsigned("!=", first, ir.Constant(first.type, 0))
            if code.size == 4:
                factor = b.fptrunc(factor, code.scalar)
            factor = code.splat(factor)

            def row(r: ir.Value) -> None:
                to, of = b.mul(b.add(target, r), ld), b.mul(b.add(source, r), ld)

                def chunk(i: ir.Value) -> None:
                    pair = [[address_of(code, data, line, i) for line in (to, of)] for data in (x, d)]
                    formula(code, pair[0], pair[1], fresh, factor)

                code.loop(code.index(0), m, code.lanes, chunk)

            code.loop(code.index(0), n, 1, row)

        return signature, codegen

    return rows


def _max_pair(code: Code, value: Any, delta: Any, first: ir.Value, factor: ir.Value) -> None:
    b = code.builder
    old, new = code.load(value[0]), code.load(value[1])
    larger = b.or_(b.fcmp_ordered(">", new, old), b.fcmp_unordered("uno", new, new))
    code.store(b.select(first, new, b.select(larger, new, old)), value[0])


def _add_pair(code: Code, value: Any, delta: Any, first: ir.Value, factor: ir.Value) -> None:
    b = code.builder
    start = b.select(first, code.constant(0.0), code.load(value[0]))
    code.store(code.fma(factor, code.load(value[1]), start), value[0])


def _max_back_pair(code: Code, value: Any, delta: Any, first: ir.Value, factor: ir.Value) -> None:
    b = code.builder
    zero = code.constant(0.0)
    here = b.fcmp_ordered("==", code.load(value[0]), code.load(value[1]))
    left = code.load(delta[1])
    start = b.select(first, zero, code.load(delta[0]))
    code.store(b.fadd(start, b.select(here, left, zero)), delta[0])
    code.store(b.select(here, zero, left), delta[1])


# Arguments: value, delta, target, source, first, factor, rows, observations.
max_rows = _pairs(_max_pair)  # value[target] = the larger of it and value[source]; value[source] where `first`
add_rows = _pairs(_add_pair)  # value[target] += factor value[source]; without what stood there where `first`
max_back_rows = _pairs(_max_back_pair)  # delta[source] goes to delta[target] where the values are equal


def _lstm_forward(code: Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    i, f, o = (_logistic(code, read("value", k))[0] for k in (0, 1, 3))
    g = _tanh(code, read("value", 2))[0]
    cell = code.fma(f, read("value", 6), b.fmul(i, g))
    squashed = _tanh(code, cell)[0]
    for k, made in enumerate((i, f, g, o, cell, squashed)):
        write("value", k, made)
    write("value", 7, b.fmul(o, squashed))


def _lstm_backward(code: Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    one = code.constant(1.0)
    i, f, g, o, squashed, old = (read("value", k) for k in (0, 1, 2, 3, 5, 6))
    dh = read("delta", 7)
    through = b.fmul(b.fmul(dh, o), b.fsub(one, b.fmul(squashed, squashed)))
    cell = b.fadd(through, read("delta", 8))
    write("delta", 0, b.fmul(b.fmul(cell, g), b.fmul(i, b.fsub(one, i))))
    write("delta", 1, b.fmul(b.fmul(cell, old), b.fmul(f, b.fsub(one, f))))
    write("delta", 2, b.fmul(b.fmul(cell, i), b.fsub(one, b.fmul(g, g))))
    write("delta", 3, b.fmul(b.fmul(dh, squashed), b.fmul(o, b.fsub(one, o))))
    write("delta", 4, b.fmul(cell, f))


def _gru_forward(code: Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    z, r = (_logistic(code, read("value", k))[0] for k in (0, 1))
    candidate = _tanh(code, code.fma(r, read("value", 3), read("value", 2)))[0]
    for k, made in enumerate((z, r, candidate)):
        write("value", k, made)
    write("value", 5, code.fma(z, b.fsub(read("value", 4), candidate), candidate))


def _gru_backward(code: Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    one = code.constant(1.0)
    z, r, candidate, inner, old = (read("value", k) for k in range(5))
    dh = read("delta", 5)
    d = b.fmul(b.fmul(dh, b.fsub(one, z)), b.fsub(one, b.fmul(candidate, candidate)))
    write("delta", 0, b.fmul(b.fmul(dh, b.fsub(old, candidate)), b.fmul(z, b.fsub(one, z))))
    write("delta", 1, b.fmul(b.fmul(d, inner), b.fmul(r, b.fsub(one, r))))
    write("delta", 2, d)
    write("delta", 3, b.fmul(d, r))
    with also(4):
        write("delta", 4, b.fadd(read("delta", 4), b.fmul(dh, z)))


def _rnn_forward(code: Code, read: Any, write: Any, also: Any) -> None:
    write("value", 0, _tanh(code, read("value", 0))[0])


def _rnn_backward(code: Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    h = read("value", 0)
    write("delta", 0, b.fmul(read("delta", 0), b.fsub(code.constant(1.0), b.fmul(h, h))))


# Arguments: value, delta, first rows of the lines, units, observations. Lines of LSTM: i, f, g, o, C, tanh C, C before,
# h, C after; of GRU: z, r, candidate, its recurrent sum, h before, h; of a simple layer: h.
lstm_forward_cells = _cells(_lstm_forward, 8, (6,))
lstm_backward_cells = _cells(_lstm_backward, 9, (6, 8))
gru_forward_cells = _cells(_gru_forward, 6, (4,))
gru_backward_cells = _cells(_gru_backward, 6, (4,))
rnn_forward_cells = _cells(_rnn_forward, 1)
rnn_backward_cells = _cells(_rnn_backward, 1)
