"""Sums over positions and observations for gradients of convolutional and recurrent layers on a CPU, in vector code.

`outer_sums`
    G[f, j] += sum over positions of D[f] V[j], where D and V are turned round (`turn_rows`: the units of an observation
    side by side): the sums stay in registers over all positions of an observation, and no sum across vector lanes is
    needed.
`near_sums`
    The same for few inputs per unit, without turning: the sums stay in registers over positions and observations.
`total_rows`
    Sums of rows: the gradients of biases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd_sums import ROWS, call_once
from .vector_code import WIDE, Code, address_of, array_parts, scalar_type

LANES = 16  # observations that are turned round together: a multiple of every vector length
SLACK = 64  # elements beyond the end that vector code may read
VECTOR_BYTES = 64 if WIDE else 32
TAPS = (9, 4, 2, 1) if WIDE else (3, 1)  # columns of a register tile of `near_sums`
NEAR_ROWS = 3  # and its rows


@intrinsic
def turn_rows(typingctx: Any, values: Any, first: Any, n_rows: Any, start: Any, out: Any, offset: Any, step: Any) -> Any:
    """out[offset + i step + r] = values[first + r, start + i] for n_rows rows and `LANES` observations."""
    n = types.int64
    signature = types.void(values, n, n, n, out, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, first, n_rows, start, _, offset, step = arguments
        x, ldx = array_parts(context, b, values, arguments[0])
        y, _ = array_parts(context, b, out, arguments[4])
        given = [x, ldx, y, first, n_rows, start, offset, step]
        return call_once(b, context, "turn_rows", scalar_type(values.dtype), given, body)

    def body(code: Code, b: Any, x: Any, ldx: Any, y: Any, first: Any, n_rows: Any, start: Any, offset: Any,
             step: Any) -> None:
        n = code.lanes

        def scalars(r: ir.Value) -> None:
            line = b.mul(b.add(first, r), ldx)
            for i in range(LANES):
                at = address_of(code, y, offset, b.mul(step, code.index(i)), r)
                b.store(b.load(address_of(code, x, line, start, code.index(i))), at)

        def tile(r0: ir.Value) -> None:
            for part in range(0, LANES, n):
                lines = [
                    code.load(address_of(code, x, b.mul(b.add(b.add(first, r0), code.index(r)), ldx), start,
                                         code.index(part)))
                    for r in range(n)
                ]
                size = 1
                while size < n:  # exchange blocks of `size` between rows that are `size` apart
                    low = [k if not k & size else n + k - size for k in range(n)]
                    high = [k + size if not k & size else n + k for k in range(n)]
                    turned = list(lines)
                    for r in range(n):
                        if not r & size:
                            one, two = lines[r], lines[r + size]
                            mask = [ir.Constant(ir.VectorType(ir.IntType(32), n), m) for m in (low, high)]
                            turned[r] = b.shuffle_vector(one, two, mask[0])
                            turned[r + size] = b.shuffle_vector(one, two, mask[1])
                    lines, size = turned, 2 * size
                for i in range(n):
                    at = b.add(b.add(offset, b.mul(step, code.index(part + i))), r0)
                    code.store(lines[i], b.gep(y, [at]))

        left = code.loop(code.index(0), n_rows, n, tile)
        code.loop(left, n_rows, 1, scalars)

    return signature, codegen


@intrinsic
def outer_sums(typingctx: Any, sums: Any, at: Any, row_step: Any, n_rows: Any, n_vectors: Any, left: Any, left_at: Any,
               left_line: Any, left_step: Any, right: Any, right_at: Any, right_line: Any, right_step: Any,
               n_lines: Any, n_steps: Any, left_image: Any, right_image: Any, n_images: Any) -> Any:
    """sums[at + f row_step + j] += sum_(i, r, c) left[left_at + i left_image + r left_line + c left_step + f] right[... + j].

    f runs over `n_rows`, j over `n_vectors` times 16 elements of float32 or 8 of float64 (half of that without wide
    registers), i over `n_images`, r over `n_lines`, c over `n_steps`. Reads up to `SLACK` elements behind the last.
    """
    n = types.int64
    signature = types.void(sums, n, n, n, n, left, n, n, n, right, n, n, n, n, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        g, _ = array_parts(context, b, sums, arguments[0])
        d, _ = array_parts(context, b, left, arguments[5])
        v, _ = array_parts(context, b, right, arguments[9])
        given = [g, d, v, *arguments[1:5], *arguments[6:9], *arguments[10:]]
        return call_once(b, context, "outer_sums", scalar_type(sums.dtype), given, body)

    def body(code: Code, b: Any, g: Any, d: Any, v: Any, at: Any, row_step: Any, n_rows: Any, n_vectors: Any, d_at: Any,
             d_line: Any, d_step: Any, v_at: Any, v_line: Any, v_step: Any, n_lines: Any, n_steps: Any, d_image: Any,
             v_image: Any, n_images: Any) -> None:

        def tile(rows: int, vectors: int, f0: ir.Value, j0: ir.Value) -> None:
            j_at = b.mul(j0, code.index(code.lanes))
            base = [b.add(b.add(at, b.mul(b.add(f0, code.index(f)), row_step)), j_at) for f in range(rows)]
            cells = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(rows)]
            for f in range(rows):
                for k in range(vectors):
                    b.store(code.load(address_of(code, g, base[f], code.index(k * code.lanes))), cells[f][k])

            def line(i: ir.Value, r: ir.Value) -> None:
                d_row = address_of(code, d, b.add(b.add(d_at, b.mul(i, d_image)), b.mul(r, d_line)), f0)
                v_row = address_of(code, v, b.add(b.add(v_at, b.mul(i, v_image)), b.mul(r, v_line)), j_at)

                def step(c: ir.Value) -> None:
                    ones = b.gep(d_row, [b.mul(c, d_step)])
                    many = b.gep(v_row, [b.mul(c, v_step)])
                    loaded = [code.load(b.gep(many, [code.index(k * code.lanes)])) for k in range(vectors)]
                    for f in range(rows):
                        one = code.splat(b.load(b.gep(ones, [code.index(f)])))
                        for k in range(vectors):
                            b.store(code.fma(one, loaded[k], b.load(cells[f][k])), cells[f][k])

                code.loop(code.index(0), n_steps, 1, step)

            code.loop(code.index(0), n_images, 1,
                      lambda i: code.loop(code.index(0), n_lines, 1, lambda r: line(i, r)))  # fmt: skip
            for f in range(rows):
                for k in range(vectors):
                    code.store(b.load(cells[f][k]), address_of(code, g, base[f], code.index(k * code.lanes)))

        def columns(vectors: int) -> Callable[[ir.Value], None]:
            def over(j0: ir.Value) -> None:
                rest = code.index(0)
                for rows in (ROWS, ROWS // 2, 1):
                    rest = code.loop(rest, n_rows, rows, lambda f0, rows=rows: tile(rows, vectors, f0, j0))  # type: ignore[misc]

            return over

        three = code.index(3)
        odd = b.srem(n_vectors, three)
        lonely = b.and_(b.icmp_signed("==", odd, code.index(1)), b.icmp_signed(">", n_vectors, three))
        rest = code.loop(code.index(0), b.sub(n_vectors, b.select(lonely, three, code.index(0))), 3, columns(3))
        rest = code.loop(rest, n_vectors, 2, columns(2))
        code.loop(rest, n_vectors, 1, columns(1))

    return signature, codegen


@intrinsic
def near_sums(typingctx: Any, sums: Any, left: Any, first: Any, line: Any, step: Any, right: Any, right_first: Any,
              right_line: Any, right_step: Any, taps: Any, n_taps: Any, n_rows: Any, n_lines: Any, n_steps: Any,
              m: Any) -> Any:
    """sums[f n_taps + e] += sum_(r, c, i) left[first + r line + c step + f, i] right[... + taps[e], i].

    Parameters
    ----------
    sums : flat array
        Added to.
    left, right : (width, block) arrays
        The row of `right` is ``right_first + r right_line + c right_step + taps[e]``.
    taps : (n_taps,) int64 array
    n_rows, n_lines, n_steps, m : int
        Limits of f, r, c and i; m is a multiple of `simd.PAD`.
    """
    n = types.int64
    signature = types.void(sums, left, n, n, n, right, n, n, n, taps, n, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        g, _ = array_parts(context, b, sums, arguments[0])
        d, ldd = array_parts(context, b, left, arguments[1])
        v, ldv = array_parts(context, b, right, arguments[5])
        e, _ = array_parts(context, b, taps, arguments[9])
        given = [g, d, ldd, v, ldv, e, *arguments[2:5], *arguments[6:9], *arguments[10:]]
        return call_once(b, context, "near_sums", scalar_type(sums.dtype), given, body)

    def body(code: Code, b: Any, g: Any, d: Any, ldd: Any, v: Any, ldv: Any, e: Any, first: Any, line: Any, step: Any,
             v_first: Any, v_line: Any, v_step: Any, n_taps: Any, n_rows: Any, n_lines: Any, n_steps: Any,
             m: Any) -> None:
        zero = code.constant(0.0)

        def tile(rows: int, count: int, f0: ir.Value, e0: ir.Value) -> None:
            cells = [[code.cell(code.vector) for _ in range(count)] for _ in range(rows)]
            for row in cells:
                for cell in row:
                    b.store(zero, cell)
            lines = [b.mul(code.index(f), ldd) for f in range(rows)]
            at = [b.mul(b.load(address_of(code, e, e0, code.index(k))), ldv) for k in range(count)]

            def position(r: ir.Value, c: ir.Value) -> None:
                d_row = b.add(b.add(first, f0), b.add(b.mul(r, line), b.mul(c, step)))
                v_row = b.add(v_first, b.add(b.mul(r, v_line), b.mul(c, v_step)))
                ones, many = address_of(code, d, b.mul(d_row, ldd)), address_of(code, v, b.mul(v_row, ldv))

                def chunk(i: ir.Value) -> None:
                    loaded = [code.load(b.gep(ones, [b.add(one, i)])) for one in lines]
                    for k in range(count):
                        other = code.load(b.gep(many, [b.add(at[k], i)]))
                        for f in range(rows):
                            b.store(code.fma(loaded[f], other, b.load(cells[f][k])), cells[f][k])

                code.loop(code.index(0), m, code.lanes, chunk)

            code.loop(code.index(0), n_lines, 1,
                      lambda r: code.loop(code.index(0), n_steps, 1, lambda c: position(r, c)))  # fmt: skip
            for f in range(rows):
                for k in range(count):
                    place = address_of(code, g, b.mul(b.add(f0, code.index(f)), n_taps), e0, code.index(k))
                    b.store(b.fadd(b.load(place), code.total(b.load(cells[f][k]))), place)

        def strip(rows: int) -> Callable[[ir.Value], None]:
            def over(f0: ir.Value) -> None:
                rest = code.index(0)
                for count in TAPS:
                    rest = code.loop(rest, n_taps, count, lambda e0, count=count: tile(rows, count, f0, e0))  # type: ignore[misc]

            return over

        rest = code.loop(code.index(0), n_rows, NEAR_ROWS, strip(NEAR_ROWS))
        code.loop(rest, n_rows, 1, strip(1))

    return signature, codegen


@intrinsic
def total_rows(typingctx: Any, sums: Any, values: Any, first: Any, n_rows: Any, step: Any, n_steps: Any, m: Any) -> Any:
    """sums[f] += sum_(s, i) values[first + s step + f, i] for f < n_rows, s < n_steps and i < m."""
    n = types.int64
    signature = types.void(sums, values, n, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        g, _ = array_parts(context, b, sums, arguments[0])
        v, ld = array_parts(context, b, values, arguments[1])
        return call_once(b, context, "total_rows", scalar_type(values.dtype), [g, v, ld, *arguments[2:]], body)

    def body(code: Code, b: Any, g: Any, v: Any, ld: Any, first: Any, n_rows: Any, step: Any, n_steps: Any,
             m: Any) -> None:
        zero = code.constant(0.0)

        def tile(rows: int) -> Callable[[ir.Value], None]:
            def over(f0: ir.Value) -> None:
                cells = [code.cell(code.vector) for _ in range(rows)]
                for cell in cells:
                    b.store(zero, cell)
                lines = [b.mul(b.add(b.add(first, f0), code.index(f)), ld) for f in range(rows)]

                def one(s: ir.Value) -> None:
                    at = b.mul(b.mul(s, step), ld)

                    def chunk(i: ir.Value) -> None:
                        for f in range(rows):
                            there = code.load(address_of(code, v, lines[f], at, i))
                            b.store(b.fadd(b.load(cells[f]), there), cells[f])

                    code.loop(code.index(0), m, code.lanes, chunk)

                code.loop(code.index(0), n_steps, 1, one)
                for f in range(rows):
                    place = address_of(code, g, f0, code.index(f))
                    b.store(b.fadd(b.load(place), code.total(b.load(cells[f]))), place)

            return over

        rest = code.loop(code.index(0), n_rows, ROWS, tile(ROWS))
        code.loop(rest, n_rows, 1, tile(1))

    return signature, codegen
