"""Explicit vector code for convolutional and recurrent layers on a CPU; see `simd` for its building blocks.

`sum_rows`
    C[r, i] (+)= (bias_r) + sum over segments of rows V[s + j, i] of w_rj V[s + j, i]: a convolution at one position, a
    recurrent layer at one time. Weights come in panels (`pack_panel`): `ROWS` of them side by side.
`turn_rows`
    Rows (unit, observation) into memory with the units of an observation side by side.
`outer_sums`
    G[f, j] += sum over positions of D[f] V[j], where D and V are turned round: the sums stay in registers over all
    positions of an observation, and no sum across vector lanes is needed.
`relu_rows` and the cells of recurrent layers
    One pass over what lies in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from .compile import jit, named
from .simd import WIDE, _at, _Code, _data, _elementwise, _logistic, _scalar, _tanh

ROWS = 8 if WIDE else 4  # rows of a panel
VECTORS = 2  # vectors of observations of a register tile
LANES = 16  # observations that are turned round together: a multiple of every vector length
SLACK = 64  # elements beyond the end that vector code may read
VECTOR_BYTES = 64 if WIDE else 32
SPANS = 3  # vectors of sums in a register tile of `outer_sums`

Pointer = Callable[[ir.Value], ir.Value]


def _width(code: _Code) -> ir.Constant:
    return code.index(code.lanes)


def _call(builder: ir.IRBuilder, context: Any, name: str, scalar: ir.Type, arguments: list[ir.Value],
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
        body(_Code(context, inside, scalar), inside, *function.args)
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
        c, ld = _data(context, b, out, arguments[0])
        w, _ = _data(context, b, panel, arguments[3])
        x, ldx = _data(context, b, values, arguments[6])
        seg, _ = _data(context, b, segments, arguments[7])
        given = [c, ld, w, x, ldx, seg, target, n_rows, length, start, n_segments, m]
        return _call(b, context, "sum_rows", _scalar(out.dtype), given, body)

    def body(code: _Code, b: Any, c: Any, ld: Any, w: Any, x: Any, ldx: Any, seg: Any, target: Any, n_rows: Any,
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
                    bias = code.splat(b.load(_at(code, w, base, code.index(r))))
                    for v in range(vectors):
                        b.store(bias, sums[r][v])
            with b.if_then(from_out):
                for r in range(rows):
                    for v in range(vectors):
                        b.store(code.load(_at(code, c, lines[r], i, code.index(v * code.lanes))), sums[r][v])

            def segment(s: ir.Value) -> None:
                at = b.mul(s, code.index(3))
                first, count, offset = (b.load(_at(code, seg, at, code.index(k))) for k in range(3))
                source = _at(code, x, b.mul(first, ldx), i)
                weight = _at(code, w, base, b.mul(b.add(offset, code.index(1)), code.index(ROWS)))

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
                    code.store(b.load(sums[r][v]), _at(code, c, lines[r], i, code.index(v * code.lanes)))

        def block(vectors: int) -> Callable[[ir.Value], None]:
            def over(i: ir.Value) -> None:
                left = code.index(0)
                rows = ROWS
                while rows:
                    left = code.loop(left, n_rows, rows, lambda r0, rows=rows: tile(rows, vectors, i, r0))
                    rows //= 2

            return over

        left = code.loop(code.index(0), m, VECTORS * code.lanes, block(VECTORS))
        code.loop(left, m, code.lanes, block(1))

    return signature, codegen


@intrinsic
def turn_rows(typingctx: Any, values: Any, first: Any, n_rows: Any, start: Any, out: Any, offset: Any, step: Any) -> Any:
    """out[offset + i step + r] = values[first + r, start + i] for n_rows rows and `LANES` observations."""
    n = types.int64
    signature = types.void(values, n, n, n, out, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, first, n_rows, start, _, offset, step = arguments
        x, ldx = _data(context, b, values, arguments[0])
        y, _ = _data(context, b, out, arguments[4])
        given = [x, ldx, y, first, n_rows, start, offset, step]
        return _call(b, context, "turn_rows", _scalar(values.dtype), given, body)

    def body(code: _Code, b: Any, x: Any, ldx: Any, y: Any, first: Any, n_rows: Any, start: Any, offset: Any,
             step: Any) -> None:
        n = code.lanes

        def scalars(r: ir.Value) -> None:
            line = b.mul(b.add(first, r), ldx)
            for i in range(LANES):
                at = _at(code, y, offset, b.mul(step, code.index(i)), r)
                b.store(b.load(_at(code, x, line, start, code.index(i))), at)

        def tile(r0: ir.Value) -> None:
            for part in range(0, LANES, n):
                lines = [
                    code.load(_at(code, x, b.mul(b.add(b.add(first, r0), code.index(r)), ldx), start, code.index(part)))
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
               n_lines: Any, n_steps: Any) -> Any:
    """sums[at + f row_step + j] += sum_(r, c) left[left_at + r left_line + c left_step + f] right[right_at + ... + j].

    f runs over `n_rows`, j over `n_vectors` times 16 elements of float32 or 8 of float64 (half of that without wide
    registers), r over `n_lines`, c over `n_steps`. Reads up to `SLACK` elements behind the last.
    """
    n = types.int64
    signature = types.void(sums, n, n, n, n, left, n, n, n, right, n, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        g, _ = _data(context, b, sums, arguments[0])
        d, _ = _data(context, b, left, arguments[5])
        v, _ = _data(context, b, right, arguments[9])
        given = [g, d, v, *arguments[1:5], *arguments[6:9], *arguments[10:]]
        return _call(b, context, "outer_sums", _scalar(sums.dtype), given, body)

    def body(code: _Code, b: Any, g: Any, d: Any, v: Any, at: Any, row_step: Any, n_rows: Any, n_vectors: Any, d_at: Any,
             d_line: Any, d_step: Any, v_at: Any, v_line: Any, v_step: Any, n_lines: Any, n_steps: Any) -> None:

        def tile(rows: int, vectors: int, f0: ir.Value, j0: ir.Value) -> None:
            j_at = b.mul(j0, _width(code))
            base = [b.add(b.add(at, b.mul(b.add(f0, code.index(f)), row_step)), j_at) for f in range(rows)]
            cells = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(rows)]
            for f in range(rows):
                for k in range(vectors):
                    b.store(code.load(_at(code, g, base[f], code.index(k * code.lanes))), cells[f][k])

            def line(r: ir.Value) -> None:
                d_row = _at(code, d, b.add(d_at, b.mul(r, d_line)), f0)
                v_row = _at(code, v, b.add(v_at, b.mul(r, v_line)), j_at)

                def step(c: ir.Value) -> None:
                    ones = b.gep(d_row, [b.mul(c, d_step)])
                    many = b.gep(v_row, [b.mul(c, v_step)])
                    loaded = [code.load(b.gep(many, [code.index(k * code.lanes)])) for k in range(vectors)]
                    for f in range(rows):
                        one = code.splat(b.load(b.gep(ones, [code.index(f)])))
                        for k in range(vectors):
                            b.store(code.fma(one, loaded[k], b.load(cells[f][k])), cells[f][k])

                code.loop(code.index(0), n_steps, 1, step)

            code.loop(code.index(0), n_lines, 1, line)
            for f in range(rows):
                for k in range(vectors):
                    code.store(b.load(cells[f][k]), _at(code, g, base[f], code.index(k * code.lanes)))

        def columns(vectors: int) -> Callable[[ir.Value], None]:
            def over(j0: ir.Value) -> None:
                rest = code.index(0)
                for rows in (ROWS, ROWS // 2, 1):
                    rest = code.loop(rest, n_rows, rows, lambda f0, rows=rows: tile(rows, vectors, f0, j0))

            return over

        rest = code.loop(code.index(0), n_vectors, SPANS, columns(SPANS))
        code.loop(rest, n_vectors, 1, columns(1))

    return signature, codegen


def _relu(code: _Code, z: ir.Value) -> tuple[ir.Value, ir.Value]:
    b = code.builder
    slope = b.select(b.fcmp_ordered(">", z, code.constant(0.0)), code.constant(1.0), b.fmul(z, code.constant(0.0)))
    return b.fmul(z, slope), slope


simd_relu = _elementwise(_relu)


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
            x, ld = _data(context, b, value, arguments[0])
            d, _ = _data(context, b, delta, arguments[1])
            rows, _ = _data(context, b, at, arguments[2])
            return _call(b, context, formula.__name__, _scalar(value.dtype), [x, d, ld, rows, *arguments[3:]], body)

        def body(code: _Code, b: Any, x: Any, d: Any, ld: Any, rows: Any, units: Any, m: Any) -> None:
            data = {"value": x, "delta": d}
            first = [b.load(b.gep(rows, [code.index(k)])) for k in range(n_lines)]
            there = {k: b.icmp_signed(">=", first[k], code.index(0)) for k in perhaps}
            for k in perhaps:
                first[k] = b.select(there[k], first[k], first[0])

            def unit(u: ir.Value) -> None:
                lines = [b.mul(b.add(row, u), ld) for row in first]

                def chunk(i: ir.Value) -> None:
                    def read(array: str, k: int) -> ir.Value:
                        vector = code.load(_at(code, data[array], lines[k], i))
                        return b.select(there[k], vector, code.constant(0.0)) if k in there else vector

                    def write(array: str, k: int, vector: ir.Value) -> None:
                        code.store(vector, _at(code, data[array], lines[k], i))

                    formula(code, read, write, lambda k: b.if_then(there[k]))

                code.loop(code.index(0), m, code.lanes, chunk)

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
            x, ld = _data(context, b, value, arguments[0])
            d, _ = _data(context, b, delta, arguments[1])
            return _call(b, context, formula.__name__, _scalar(value.dtype), [x, d, ld, *arguments[2:]], body)

        def body(code: _Code, b: Any, x: Any, d: Any, ld: Any, target: Any, source: Any, first: Any, factor: Any, n: Any,
                 m: Any) -> None:
            fresh = b.icmp_unsigned("!=", first, ir.Constant(first.type, 0))
            if code.size == 4:
                factor = b.fptrunc(factor, code.scalar)
            factor = code.splat(factor)

            def row(r: ir.Value) -> None:
                to, of = b.mul(b.add(target, r), ld), b.mul(b.add(source, r), ld)

                def chunk(i: ir.Value) -> None:
                    pair = [[_at(code, data, line, i) for line in (to, of)] for data in (x, d)]
                    formula(code, pair[0], pair[1], fresh, factor)

                code.loop(code.index(0), m, code.lanes, chunk)

            code.loop(code.index(0), n, 1, row)

        return signature, codegen

    return rows


def _max_pair(code: _Code, value: Any, delta: Any, first: ir.Value, factor: ir.Value) -> None:
    b = code.builder
    old, new = code.load(value[0]), code.load(value[1])
    larger = b.or_(b.fcmp_ordered(">", new, old), b.fcmp_unordered("uno", new, new))
    code.store(b.select(first, new, b.select(larger, new, old)), value[0])


def _add_pair(code: _Code, value: Any, delta: Any, first: ir.Value, factor: ir.Value) -> None:
    b = code.builder
    start = b.select(first, code.constant(0.0), code.load(value[0]))
    code.store(code.fma(factor, code.load(value[1]), start), value[0])


def _max_back_pair(code: _Code, value: Any, delta: Any, first: ir.Value, factor: ir.Value) -> None:
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


def _lstm_forward(code: _Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    i, f, o = (_logistic(code, read("value", k))[0] for k in (0, 1, 3))
    g = _tanh(code, read("value", 2))[0]
    cell = code.fma(f, read("value", 6), b.fmul(i, g))
    squashed = _tanh(code, cell)[0]
    for k, made in enumerate((i, f, g, o, cell, squashed)):
        write("value", k, made)
    write("value", 7, b.fmul(o, squashed))


def _lstm_backward(code: _Code, read: Any, write: Any, also: Any) -> None:
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


def _gru_forward(code: _Code, read: Any, write: Any, also: Any) -> None:
    b = code.builder
    z, r = (_logistic(code, read("value", k))[0] for k in (0, 1))
    candidate = _tanh(code, code.fma(r, read("value", 3), read("value", 2)))[0]
    for k, made in enumerate((z, r, candidate)):
        write("value", k, made)
    write("value", 5, code.fma(z, b.fsub(read("value", 4), candidate), candidate))


def _gru_backward(code: _Code, read: Any, write: Any, also: Any) -> None:
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


def _rnn_forward(code: _Code, read: Any, write: Any, also: Any) -> None:
    write("value", 0, _tanh(code, read("value", 0))[0])


def _rnn_backward(code: _Code, read: Any, write: Any, also: Any) -> None:
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


@jit
def panel_size(n_rows: int, length: int) -> int:
    """Elements of a panel."""
    return (n_rows + ROWS - 1) // ROWS * ROWS * (length + 1)


@jit
def pack_panel(panel: Any, length: int, theta: Any, bias: int, first: int, row_step: int, sum_step: int, n_rows: int,
               offset: int, n_sum: int) -> None:
    """Weights of n_rows sums, elements offset .. offset + n_sum of `length`, as `sum_rows` wants them.

    Element j of sum r is ``theta[first + r row_step + j sum_step]``, its bias ``theta[bias + r row_step]`` (negative
    `bias`: none).
    """
    for r in range(n_rows):
        base = r // ROWS * ROWS * (length + 1) + r % ROWS
        if bias >= 0:
            panel[base] = theta[bias + r * row_step]
        for j in range(n_sum):
            panel[base + (1 + offset + j) * ROWS] = theta[first + r * row_step + j * sum_step]


def by_number(real: Any, plain: Any) -> Any:
    """What kernels call: `real`, on vector code, for real numbers; `plain`, with one lane, for complex ones and uncompiled.

    Both take a layer's row of the table and arrays, then m; `plain` then the lane. The number of arrays (2 to 4) is that
    of `plain`'s arguments.
    """
    arrays = plain.py_func.__code__.co_argcount - 4 if hasattr(plain, "py_func") else plain.__code__.co_argcount - 4
    return _CALLS[arrays](real, plain)


def _real(array: Any) -> bool:
    return array.dtype in (types.float64, types.float32)


def _two(real: Any, plain: Any) -> Any:
    def rows(row, a, b, m):
        plain(row, a, b, 0, m, 1)

    if numba.config.DISABLE_JIT:
        return rows

    def stub(row, a, b, m):
        """Vector code for real numbers, plain loops otherwise."""

    @overload(stub)
    def choose(row, a, b, m):
        if _real(b):
            return named(lambda row, a, b, m: real(row, a, b, m), real.__name__)
        return named(lambda row, a, b, m: plain(row, a, b, 0, m, 1), plain.__name__)

    return stub


def _three(real: Any, plain: Any) -> Any:
    def rows(row, a, b, c, m):
        plain(row, a, b, c, 0, m, 1)

    if numba.config.DISABLE_JIT:
        return rows

    def stub(row, a, b, c, m):
        """Vector code for real numbers, plain loops otherwise."""

    @overload(stub)
    def choose(row, a, b, c, m):
        if _real(b):
            return named(lambda row, a, b, c, m: real(row, a, b, c, m), real.__name__)
        return named(lambda row, a, b, c, m: plain(row, a, b, c, 0, m, 1), plain.__name__)

    return stub


_CALLS = {2: _two, 3: _three}
