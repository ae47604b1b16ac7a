"""Steps of an LSTM on a CPU in vector code: sums of units, and what is done with them while they are in registers.

Products keep the units for multiplication busy and no others, cells wait for one result after the other: so the cells of some
units stand between the products of the next ones. Meanwhile the rows that cells read and write come into the cache: they are
too many to stay there from the time before.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .compile import jit
from .simd_activations import _logistic, _tanh
from .simd_cells import _lstm_backward
from .simd_sums import ROWS, call_once
from .vector_code import Code, address_of, array_parts, scalar_type

GATES = 4
VECTORS = 2  # vectors of observations of a register tile
PAIR = ROWS // GATES  # most units of a tile of a step forward
BACK_ROWS = (ROWS, 2, 1)  # units of a tile of a step back


def _prefetch(code: Code, pointer: ir.Value) -> None:
    """Have the line of an element brought into the cache."""
    b, byte, number = code.builder, ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    called = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0i8")
    b.call(called, [b.bitcast(pointer, byte), *(ir.Constant(number, k) for k in (0, 3, 1))])


def _add(code: Code, cells: list[list[ir.Value]], source: ir.Value, step: ir.Value, weights: ir.Value, j: ir.Value) -> None:
    """Add ``weights[ROWS j + r] (v-th vector at source[j step])`` to cells[r][v]."""
    b = code.builder
    line, weight = b.gep(source, [b.mul(j, step)]), b.gep(weights, [b.mul(j, code.index(ROWS))])
    loaded = [code.load(b.gep(line, [code.index(v * code.lanes)])) for v in range(len(cells[0]))]
    for r, row in enumerate(cells):
        one = code.splat(b.load(b.gep(weight, [code.index(r)])))
        for cell, vector in zip(row, loaded, strict=True):
            b.store(code.fma(one, vector, b.load(cell)), cell)


def _products(code: Code, start: list[list[ir.Value]], n_sum: ir.Value, source: ir.Value, step: ir.Value, weights: ir.Value,
              ahead: list[ir.Value], span: int, apart: ir.Value) -> list[list[ir.Value]]:
    """Sums ``start[r][v] + sum_j weights[ROWS j + r] (v-th vector at source[j step])`` of a register tile.

    Meanwhile `span` rows, `apart` elements from each other, from each of the pointers `ahead` on come into the cache.
    """
    b, vectors = code.builder, len(start[0])
    cells = [[code.cell(code.vector) for _ in row] for row in start]
    for row, of in zip(cells, start, strict=True):
        for cell, value in zip(row, of, strict=True):
            b.store(value, cell)
    add = functools.partial(_add, code, cells, source, step, weights)
    table = cgutils.alloca_once(b, source.type, size=len(ahead))
    for k, pointer in enumerate(ahead):
        b.store(pointer, b.gep(table, [code.index(k)]))

    def some(k: ir.Value) -> None:
        first, j = b.load(b.gep(table, [k])), b.mul(k, code.index(span * VECTORS))

        def rows(r: ir.Value) -> None:
            for v in range(VECTORS):
                add(b.add(b.add(j, b.mul(r, code.index(VECTORS))), code.index(v)))
                if v < vectors:
                    _prefetch(code, b.gep(first, [b.add(b.mul(r, apart), code.index(v * code.lanes))]))

        code.loop(code.index(0), code.index(span), 1, rows)

    whole = b.sdiv(n_sum, code.index(span * VECTORS))
    blocks = b.select(b.icmp_signed("<", whole, code.index(len(ahead))), whole, code.index(len(ahead)))
    code.loop(code.index(0), blocks, 1, some)
    code.loop(b.mul(blocks, code.index(span * VECTORS)), n_sum, 1, add)
    return [[b.load(cell) for cell in row] for row in cells]


class Tile:
    """Rows of some units side by side, for a formula of `simd_cells`: two vectors' latency hides behind the others'."""

    def __init__(self, code: Code, units: int, vectors: int) -> None:
        self.code, self.units, self.vectors = code, units, vectors
        self.side = code.of(units * vectors)

    def places(self, first: ir.Value, apart: ir.Value) -> list[ir.Value]:
        """Pointers to the vectors of the units' rows, which lie `apart`."""
        code, b = self.code, self.code.builder
        return [b.gep(first, [b.add(b.mul(apart, code.index(u)), code.index(v * code.lanes))])
                for u in range(self.units) for v in range(self.vectors)]  # fmt: skip

    def load(self, places: list[ir.Value]) -> ir.Value:
        """What stands there."""
        return self.side.joined([self.code.load(place) for place in places])

    def store(self, vector: ir.Value, places: list[ir.Value]) -> None:
        """Write there."""
        for part, place in zip(self.side.parts(vector), places, strict=True):
            self.code.store(part, place)


def _part_i(tile: Tile, done: dict[str, ir.Value], gate: Any, old: Any, write: Any) -> None:
    done["i"] = _logistic(tile.side, gate(0))[0]
    write(0, done["i"])


def _part_g(tile: Tile, done: dict[str, ir.Value], gate: Any, old: Any, write: Any) -> None:
    g = _tanh(tile.side, gate(2))[0]
    write(2, g)
    done["ig"] = tile.side.builder.fmul(done["i"], g)


def _part_f(tile: Tile, done: dict[str, ir.Value], gate: Any, old: Any, write: Any) -> None:
    f = _logistic(tile.side, gate(1))[0]
    write(1, f)
    done["cell"] = tile.side.fma(f, old(6), done["ig"])
    write(4, done["cell"])


def _part_cell(tile: Tile, done: dict[str, ir.Value], gate: Any, old: Any, write: Any) -> None:
    done["squashed"] = _tanh(tile.side, done["cell"])[0]
    write(5, done["squashed"])


def _part_o(tile: Tile, done: dict[str, ir.Value], gate: Any, old: Any, write: Any) -> None:
    o = _logistic(tile.side, gate(3))[0]
    write(3, o)
    done["h"] = tile.side.builder.fmul(o, done["squashed"])
    write(7, done["h"])


PARTS = (_part_i, _part_g, _part_f, _part_cell, _part_o)


@intrinsic
def lstm_step(typingctx: Any, value: Any, lines: Any, panel: Any, length: Any, read: Any, first: Any, n_sum: Any, kept: Any,
              units: Any, m: Any) -> Any:
    """One step: gates, cells and h of all units.

    Parameters
    ----------
    value : (width, block) array
        Written: see `simd_cells.lstm_forward_cells` for `lines`.
    panel : flat array
        From `pack_gates`, for sums over `length` elements.
    read : (rows, block) array
        Its rows first .. first + n_sum are what the sums are over; h goes to its rows from `kept` on, too.
    """
    n = types.int64
    signature = types.void(value, lines, panel, n, read, n, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        x, ld = array_parts(context, b, value, arguments[0])
        rows, _ = array_parts(context, b, lines, arguments[1])
        w, _ = array_parts(context, b, panel, arguments[2])
        r, ldr = array_parts(context, b, read, arguments[4])
        given = [x, ld, rows, w, r, ldr, arguments[3], *arguments[5:]]
        return call_once(b, context, "lstm_step", scalar_type(value.dtype), given, body)

    def body(code: Code, b: Any, x: Any, ld: Any, rows: Any, w: Any, r: Any, ldr: Any, length: Any, first: Any, n_sum: Any,
             kept: Any, units: Any, m: Any) -> None:
        at = [b.load(b.gep(rows, [code.index(k)])) for k in range(8)]
        before = b.icmp_signed(">=", at[6], code.index(0))
        at[6] = b.select(before, at[6], at[0])
        strip = b.mul(b.add(length, code.index(1)), code.index(ROWS))
        zero, one, pair, last = code.index(0), code.index(1), code.index(PAIR), b.sub(units, code.index(PAIR))
        tiles = b.sdiv(b.add(units, code.index(PAIR - 1)), pair)

        def smaller(p: ir.Value, q: ir.Value) -> ir.Value:
            return b.select(b.icmp_signed("<", p, q), p, q)

        def block(vectors: int, i: ir.Value) -> None:
            tile = Tile(code, PAIR, vectors)
            sums = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(ROWS)]
            gates = [code.cell(tile.side.vector) for _ in range(GATES)]  # sums of the tile before
            for cell in gates:
                b.store(tile.side.constant(0.0), cell)

            def some(p: ir.Value) -> None:
                weight = address_of(code, w, b.mul(smaller(p, b.sub(tiles, one)), strip))
                for k, row in enumerate(sums):
                    bias = code.splat(b.load(b.gep(weight, [code.index(k)])))
                    for cell in row:
                        b.store(bias, cell)
                u = smaller(b.mul(b.select(b.icmp_signed(">", p, zero), b.sub(p, one), zero), pair), last)
                lines = [address_of(code, x, b.mul(b.add(row, u), ld), i) for row in at]
                also = address_of(code, r, b.mul(b.add(kept, u), ldr), i)
                down = b.mul(b.sub(smaller(b.mul(p, pair), last), u), ld)
                places = [place for k in (0, 1, 2, 3, 4, 5, 7) for place in tile.places(b.gep(lines[k], [down]), ld)]
                source, weights = address_of(code, r, b.mul(first, ldr), i), b.gep(weight, [code.index(ROWS)])
                n = b.select(b.icmp_signed("<", p, tiles), n_sum, zero)
                share = b.sdiv(n, code.index(len(PARTS)))
                done: dict[str, ir.Value] = {}
                for k, part in enumerate(PARTS):
                    for place in places[k :: len(PARTS)]:
                        _prefetch(code, place)
                    end = b.mul(share, code.index(k + 1)) if k + 1 < len(PARTS) else n
                    code.loop(b.mul(share, code.index(k)), end, 1, functools.partial(_add, code, sums, source, ldr, weights))
                    part(tile, done, lambda g: b.load(gates[g]),
                         lambda k: b.select(before, tile.load(tile.places(lines[k], ld)), tile.side.constant(0.0)),
                         lambda k, vector: tile.store(vector, tile.places(lines[k], ld)))  # fmt: skip
                tile.store(done["h"], tile.places(also, ldr))
                for g, cell in enumerate(gates):
                    b.store(tile.side.joined([b.load(v) for c in range(PAIR) for v in sums[c * GATES + g]]), cell)

            code.loop(zero, b.add(tiles, one), 1, some)

        left = code.loop(zero, m, VECTORS * code.lanes, functools.partial(block, VECTORS))
        code.loop(left, m, code.lanes, functools.partial(block, 1))

    return signature, codegen


@intrinsic
def lstm_step_back(typingctx: Any, value: Any, delta: Any, lines: Any, panel: Any, length: Any, first: Any, n_sum: Any,
                   added: Any, units: Any, m: Any) -> Any:
    """One step back: d loss / d h of all units from the gates of the time after, then d loss / d their own gates.

    Parameters
    ----------
    value, delta : (width, block) arrays
        See `simd_cells.lstm_backward_cells` for `lines`.
    panel : flat array
        From `simd_sums.pack_panel`, for sums over `length` elements.
    first, n_sum : int
        Gate rows of `delta` that the sums are over.
    added : int
        1 where d loss / d h already holds a part, else 0.
    """
    n = types.int64
    signature = types.void(value, delta, lines, panel, n, n, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        x, ld = array_parts(context, b, value, arguments[0])
        d, _ = array_parts(context, b, delta, arguments[1])
        rows, _ = array_parts(context, b, lines, arguments[2])
        w, _ = array_parts(context, b, panel, arguments[3])
        given = [x, d, ld, rows, w, *arguments[4:]]
        return call_once(b, context, "lstm_step_back", scalar_type(value.dtype), given, body)

    def body(code: Code, b: Any, x: Any, d: Any, ld: Any, rows: Any, w: Any, length: Any, first: Any, n_sum: Any, added: Any,
             units: Any, m: Any) -> None:
        at = [b.load(b.gep(rows, [code.index(k)])) for k in range(9)]
        there = {k: b.icmp_signed(">=", at[k], code.index(0)) for k in (6, 8)}
        for k in there:
            at[k] = b.select(there[k], at[k], at[0])
        strip = b.mul(b.add(length, code.index(1)), code.index(ROWS))
        go_on = b.icmp_signed("==", added, code.index(1))

        def some(count: int, vectors: int, i: ir.Value, u: ir.Value) -> None:
            lines = {array: [address_of(code, data, b.mul(b.add(row, u), ld), i) for row in at]
                     for array, data in (("value", x), ("delta", d))}  # fmt: skip
            starts = [[code.cell(code.vector) for _ in range(vectors)] for _ in range(count)]
            places = Tile(code, count, vectors).places(lines["delta"][7], ld)
            cells = [cell for row in starts for cell in row]
            for cell in cells:
                b.store(code.constant(0.0), cell)
            with b.if_then(go_on):
                for cell, place in zip(cells, places, strict=True):
                    b.store(code.load(place), cell)
            ahead = [*(lines["value"][k] for k in (3, 5, 0, 1, 2, 6)), *lines["delta"][:5]]
            weight = address_of(code, w, b.mul(b.sdiv(u, code.index(ROWS)), strip), b.srem(u, code.index(ROWS)),
                                code.index(ROWS))  # fmt: skip
            sums = _products(code, [[b.load(cell) for cell in row] for row in starts], n_sum,
                             address_of(code, d, b.mul(first, ld), i), ld, weight, ahead, count, ld)  # fmt: skip
            together = min(2, count)
            for c in range(0, count, together):
                tile = Tile(code, together, vectors)
                dh = tile.side.joined([v for row in sums[c : c + together] for v in row])
                down = b.mul(ld, code.index(c))

                def given(array: str, k: int, tile: Tile = tile, dh: ir.Value = dh, down: ir.Value = down) -> ir.Value:
                    if k == 7:
                        return dh
                    vector = tile.load(tile.places(b.gep(lines[array][k], [down]), ld))
                    return b.select(there[k], vector, tile.side.constant(0.0)) if k in there else vector

                def write(array: str, k: int, vector: ir.Value, tile: Tile = tile, down: ir.Value = down) -> None:
                    tile.store(vector, tile.places(b.gep(lines[array][k], [down]), ld))

                _lstm_backward(tile.side, given, write, None)

        def block(vectors: int, i: ir.Value) -> None:
            left = code.index(0)
            for count in BACK_ROWS:
                left = code.loop(left, units, count, functools.partial(some, count, vectors, i))

        left = code.loop(code.index(0), m, VECTORS * code.lanes, functools.partial(block, VECTORS))
        code.loop(left, m, code.lanes, functools.partial(block, 1))

    return signature, codegen


@jit
def gates_size(units: int, length: int) -> int:
    """Elements of a panel of `pack_gates`."""
    return (units + PAIR - 1) // PAIR * ROWS * (length + 1)


@intrinsic
def pack_gates(typingctx: Any, panel: Any, theta: Any, first: Any, biases: Any, units: Any, length: Any) -> Any:
    """Weights as `lstm_step` wants them: for each of `PAIR` units side by side all gates of an element, biases first.

    Each line of the panel is put together in a register: of loops LLVM makes scattered stores, which are slow.
    """
    n = types.int64
    signature = types.void(panel, theta, n, n, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        p, _ = array_parts(context, b, panel, arguments[0])
        w, _ = array_parts(context, b, theta, arguments[1])
        return call_once(b, context, "pack_gates", scalar_type(theta.dtype), [p, w, *arguments[2:]], body)

    def body(code: Code, b: Any, p: Any, w: Any, first: Any, biases: Any, units: Any, length: Any) -> None:
        one, pair = code.index(1), code.index(PAIR)
        per_unit, kind = b.add(biases, length), ir.VectorType(code.scalar, ROWS)
        biased = b.icmp_signed(">", biases, code.index(0))

        def tile(k: ir.Value) -> None:
            u, last = b.mul(k, pair), b.sub(units, pair)
            u = b.select(b.icmp_signed("<", u, last), u, last)
            to = address_of(code, p, b.mul(k, b.mul(b.add(length, one), code.index(ROWS))))
            rows = [address_of(code, w, first, b.mul(b.add(b.mul(code.index(g), units), b.add(u, code.index(c))), per_unit))
                    for c in range(PAIR) for g in range(GATES)]  # fmt: skip

            def line(at: ir.Value, j: ir.Value) -> None:
                vector = ir.Constant(kind, ir.Undefined)
                for k, row in enumerate(rows):
                    vector = b.insert_element(vector, b.load(b.gep(row, [at])), ir.Constant(ir.IntType(32), k))
                place = b.gep(to, [b.mul(j, code.index(ROWS))])
                b.store(vector, b.bitcast(place, kind.as_pointer()), align=code.size)

            with b.if_then(biased):  # else they are zeros
                line(code.index(0), code.index(0))
            code.loop(code.index(0), length, 1, lambda j: line(b.add(biases, j), b.add(j, one)))

        code.loop(code.index(0), b.sdiv(b.add(units, code.index(PAIR - 1)), pair), 1, tile)

    return signature, codegen
