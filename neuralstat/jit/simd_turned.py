"""Rows turned round, and products of them, for gradients of recurrent layers on a CPU in vector code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd_sums import ROWS, call_once
from .vector_code import Code, address_of, array_parts, scalar_type

CHUNK = 16  # bytes of a row that are loaded at once to be turned


def _turned(code: Code, chunk: Callable[[int, int], ir.Value]) -> list[ir.Value]:
    """Vectors over as many rows as a vector has elements, one for each of as many observations.

    ``chunk(row, first)`` is where the observations of a row lie that fill `CHUNK` bytes. Vectors are put together from such
    pieces of rows when they are loaded, and are then turned within the pieces: half of the exchanges of a whole turn.
    """
    b, n, size = code.builder, code.lanes, CHUNK // code.size
    kind = ir.VectorType(code.scalar, size).as_pointer()

    def exchange(x: ir.Value, y: ir.Value, step: int) -> list[ir.Value]:
        """Elements of x and y by turns, `step` at a time: of the first halves of pieces, and of the second."""
        low = [start + at + k for piece in range(0, n, size) for at in range(0, size // 2, step)
               for start in (piece, n + piece) for k in range(step)]  # fmt: skip
        return [code.pick(x, y, low), code.pick(x, y, [k + size // 2 for k in low])]

    made = []
    for first in range(0, n, size):
        pieces = [[b.load(b.bitcast(chunk(k + row, first), kind), align=code.size) for k in range(0, n, size)]
                  for row in range(size)]  # fmt: skip
        lines = [code.joined(row) for row in pieces]
        pairs = [exchange(lines[k], lines[k + 1], 1) for k in range(0, size, 2)]
        made += pairs[0] if size == 2 else [v for x, y in zip(*pairs, strict=True) for v in exchange(x, y, 2)]
    return made


@intrinsic
def turn(typingctx: Any, values: Any, first: Any, n_rows: Any, start: Any, n_columns: Any, out: Any, at: Any, step: Any,
         totals: Any, row: Any) -> Any:
    """out[at + i step + r] = values[first + r, start + i] for r < n_rows and i < n_columns, a multiple of `vector_code.PAD`.

    Sums of the rows are added to row `row` of `totals`; nowhere if it is negative.
    """
    n = types.int64
    signature = types.void(values, n, n, n, n, out, n, n, totals, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        x, ld = array_parts(context, b, values, arguments[0])
        y, _ = array_parts(context, b, out, arguments[5])
        t, across = array_parts(context, b, totals, arguments[8])
        given = [x, ld, y, t, across, *arguments[1:5], *arguments[6:8], arguments[9]]
        return call_once(b, context, "turn", scalar_type(values.dtype), given, body)

    def body(code: Code, b: Any, x: Any, ld: Any, y: Any, t: Any, across: Any, first: Any, n_rows: Any, start: Any,
             n_columns: Any, at: Any, step: Any, row: Any) -> None:
        n, wanted = code.lanes, b.icmp_signed(">=", row, code.index(0))
        sums = address_of(code, t, b.mul(row, across))

        def line(r: ir.Value, i: ir.Value) -> ir.Value:
            return address_of(code, x, b.mul(b.add(first, r), ld), start, i)

        def place(i: ir.Value, r: ir.Value) -> ir.Value:
            return address_of(code, y, at, b.mul(step, i), r)

        def tile(r: ir.Value, i: ir.Value) -> None:
            made = _turned(code, lambda k, j: b.gep(line(b.add(r, code.index(k)), i), [code.index(j)]))
            for k, vector in enumerate(made):
                code.store(vector, place(b.add(i, code.index(k)), r))
            with b.if_then(wanted):
                while len(made) > 1:
                    made = [b.fadd(one, two) for one, two in zip(made[::2], made[1::2], strict=True)]
                code.store(b.fadd(code.load(b.gep(sums, [r])), made[0]), b.gep(sums, [r]))

        def one(r: ir.Value, i: ir.Value) -> None:
            value = b.load(line(r, i))
            b.store(value, place(i, r))
            with b.if_then(wanted):
                b.store(b.fadd(b.load(b.gep(sums, [r])), value), b.gep(sums, [r]))

        zero = code.index(0)
        left = code.loop(zero, n_rows, n, lambda r: code.loop(zero, n_columns, n, functools.partial(tile, r)))
        code.loop(left, n_rows, 1, lambda r: code.loop(zero, n_columns, 1, functools.partial(one, r)))

    return signature, codegen


@intrinsic
def turned_products(typingctx: Any, sums: Any, first: Any, n_rows: Any, left: Any, at: Any, n_times: Any, start: Any,
                    n_columns: Any, right: Any, right_at: Any, step: Any, n_vectors: Any) -> Any:
    """sums[first + f, j] += sum_(t, i) left[at[t] + f, start + i] right[right_at + (t n_columns + i) step + j].

    f runs over `n_rows`, t over `n_times`, i over `n_columns`, j over `n_vectors` times 16 elements of float32 or 8 of
    float64 (half of that without wide registers). Rows of `left` are not turned: their elements are taken one by one.
    Reads up to `simd_gradients.SLACK` elements behind the last of `right`.
    """
    n = types.int64
    signature = types.void(sums, n, n, left, at, n, n, n, right, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        g, across = array_parts(context, b, sums, arguments[0])
        d, ld = array_parts(context, b, left, arguments[3])
        rows, _ = array_parts(context, b, at, arguments[4])
        v, _ = array_parts(context, b, right, arguments[8])
        given = [g, across, d, ld, rows, v, *arguments[1:3], *arguments[5:8], *arguments[9:]]
        return call_once(b, context, "turned_products", scalar_type(sums.dtype), given, body)

    def body(code: Code, b: Any, g: Any, across: Any, d: Any, ld: Any, at: Any, v: Any, first: Any, n_rows: Any,
             n_times: Any, start: Any, n_columns: Any, v_at: Any, step: Any, n_vectors: Any) -> None:
        zero = code.index(0)

        def tile(rows: int, vectors: int, j0: ir.Value, f0: ir.Value) -> None:
            j_at = b.mul(j0, code.index(code.lanes))
            base = [address_of(code, g, b.mul(b.add(b.add(first, f0), code.index(f)), across), j_at) for f in range(rows)]
            cells = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(rows)]
            for place, row in zip(base, cells, strict=True):
                for k, cell in enumerate(row):
                    b.store(code.load(b.gep(place, [code.index(k * code.lanes)])), cell)

            def time(t: ir.Value) -> None:
                row_at = b.add(b.load(b.gep(at, [t])), f0)
                lines = [address_of(code, d, b.mul(b.add(row_at, code.index(f)), ld), start) for f in range(rows)]
                many = address_of(code, v, v_at, b.mul(b.mul(t, n_columns), step), j_at)

                def column(i: ir.Value) -> None:
                    there = b.gep(many, [b.mul(i, step)])
                    loaded = [code.load(b.gep(there, [code.index(k * code.lanes)])) for k in range(vectors)]
                    for line, row in zip(lines, cells, strict=True):
                        one = code.splat(b.load(b.gep(line, [i])))
                        for cell, vector in zip(row, loaded, strict=True):
                            b.store(code.fma(one, vector, b.load(cell)), cell)

                code.loop(zero, n_columns, 1, column)

            code.loop(zero, n_times, 1, time)
            for place, row in zip(base, cells, strict=True):
                for k, cell in enumerate(row):
                    code.store(b.load(cell), b.gep(place, [code.index(k * code.lanes)]))

        def columns(vectors: int, j0: ir.Value) -> None:
            rest = zero
            for rows in (ROWS, ROWS // 2, 1):
                rest = code.loop(rest, n_rows, rows, functools.partial(tile, rows, vectors, j0))

        three = code.index(3)
        odd = b.srem(n_vectors, three)
        lonely = b.and_(b.icmp_signed("==", odd, code.index(1)), b.icmp_signed(">", n_vectors, three))
        rest = code.loop(zero, b.sub(n_vectors, b.select(lonely, three, zero)), 3, functools.partial(columns, 3))
        rest = code.loop(rest, n_vectors, 2, functools.partial(columns, 2))
        code.loop(rest, n_vectors, 1, functools.partial(columns, 1))

    return signature, codegen
