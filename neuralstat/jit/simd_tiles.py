"""Vector code for the tiles of Winograd's convolutions: sums and differences of a tile's elements, unit by unit.

Each takes a tile d of so many rows and columns to L d L', where L has elements of 0, 1 and -1 alone; `layers.winograd` says
what for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd_sums import call_once
from .vector_code import Code, address_of, array_parts, scalar_type

Matrix = tuple[tuple[int, ...], ...]
OF_INPUTS: Matrix = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
OF_OUTPUTS: Matrix = ((1, 1, 1, 0), (0, 1, -1, 1))


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _combined(b: ir.IRBuilder, weights: tuple[int, ...], terms: list[ir.Value]) -> ir.Value:
    """The sum of terms, each times 0, 1 or -1, at least one times 1."""
    order = sorted((k for k, w in enumerate(weights) if w), key=lambda k: -weights[k])
    total = terms[order[0]]
    for k in order[1:]:
        total = b.fadd(total, terms[k]) if weights[k] > 0 else b.fsub(total, terms[k])
    return total


def _sandwich(b: ir.IRBuilder, matrix: Matrix, tile: list[ir.Value]) -> list[ir.Value]:
    """L d L' of a tile, row after row."""
    n = len(matrix[0])
    half = [[_combined(b, weights, tile[c::n]) for c in range(n)] for weights in matrix]
    return [_combined(b, weights, line) for line in half for weights in matrix]


def _tile_code(name: str, doc: str, matrix: Matrix) -> Any:
    """An intrinsic that takes tiles to L d L'."""

    def of_tile(typingctx: Any, out: Any, out_at: Any, out_step: Any, values: Any, at: Any, step: Any, outside: Any,
                n_units: Any, m: Any) -> Any:  # fmt: skip
        n = types.int64
        signature = types.void(out, out_at, n, values, at, n, outside, n, n)

        def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds = ((0, out), (1, out_at), (3, values), (4, at), (6, outside))
            given = [array_parts(context, b, kind, arguments[k])[0] for k, kind in kinds]
            given += [arguments[k] for k in (2, 5, 7, 8)]
            return call_once(b, context, name, scalar_type(out.dtype), given, body)

        return signature, codegen

    def body(code: Code, b: Any, out: Any, out_at: Any, values: Any, at: Any, outside: Any, out_step: Any, step: Any,
             n_units: Any, m: Any) -> None:
        sources = _places(code, values, at, len(matrix[0]) ** 2, outside)
        targets = _places(code, out, out_at, len(matrix) ** 2, outside)

        def chunk(there: ir.Value, here: ir.Value) -> None:
            tile = [code.load(b.gep(first, [there])) for first in sources]
            for first, total in zip(targets, _sandwich(b, matrix, tile), strict=True):
                code.store(total, b.gep(first, [here]))

        _over(code, chunk, step, out_step, n_units, m)

    of_tile.__name__ = of_tile.__qualname__ = name
    of_tile.__doc__ = f"""{doc}

    Parameters
    ----------
    out, values : arrays, contiguous
        Written, read.
    out_at, at : int64 arrays
        Of each element of the tile, row by row, where its first vector lies in the flattened array; negative where it lies
        outside.
    out_step, step : int
        Elements from one unit to the next.
    outside : array
        What lies outside is read and written here: as many elements as the units have, and those between them.
    n_units, m : int
        Units, and elements of each: a multiple of the vector length.
    """
    return intrinsic(of_tile)


def _places(code: Code, base: ir.Value, at: ir.Value, count: int, outside: ir.Value) -> list[ir.Value]:
    """Where each element of a tile begins."""
    b, made = code.builder, []
    for k in range(count):
        first = b.load(address_of(code, at, code.index(k)))
        made.append(b.select(b.icmp_signed(">=", first, code.index(0)), b.gep(base, [first]), outside))
    return made


def _over(code: Code, chunk: Callable[[ir.Value, ir.Value], None], step: ir.Value, out_step: ir.Value, n_units: ir.Value,
          m: ir.Value) -> None:
    """``chunk(element of the source, element of the target)`` for the vectors of all units, two by two."""
    b = code.builder

    def unit(u: ir.Value) -> None:
        there, here = b.mul(u, step), b.mul(u, out_step)

        def two(i: ir.Value) -> None:
            one(i)
            one(b.add(i, code.index(code.lanes)))

        def one(i: ir.Value) -> None:
            chunk(b.add(there, i), b.add(here, i))

        left = code.loop(code.index(0), m, 2 * code.lanes, two)
        code.loop(left, m, code.lanes, one)

    code.loop(code.index(0), n_units, 1, unit)


inputs_of_tile = _tile_code("inputs_of_tile", "Tile (4, 4) of inputs for products.", OF_INPUTS)
outputs_of_tile = _tile_code("outputs_of_tile", "Outputs (2, 2) from products (4, 4).", OF_OUTPUTS)
deltas_of_tile = _tile_code("deltas_of_tile", "Products' derivatives (4, 4) from those of outputs (2, 2).",
                            _transposed(OF_OUTPUTS))  # fmt: skip


@intrinsic
def pulls_of_tile(typingctx: Any, out: Any, out_at: Any, begun: Any, out_step: Any, values: Any, at: Any, step: Any,
                  nothing: Any, outside: Any, n_units: Any, m: Any) -> Any:  # fmt: skip
    """Derivatives of inputs (4, 4) from those of what `inputs_of_tile` made, added to what lies at `begun`.

    Where that is negative nothing does, and `nothing`, zeros, is read. What lies outside is written to `outside`; the other
    parameters are those of `inputs_of_tile`.
    """
    n = types.int64
    signature = types.void(out, out_at, begun, n, values, at, n, nothing, outside, n, n)

    def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kinds = ((0, out), (1, out_at), (2, begun), (4, values), (5, at), (7, nothing), (8, outside))
        given = [array_parts(context, b, kind, arguments[k])[0] for k, kind in kinds]
        given += [arguments[k] for k in (3, 6, 9, 10)]
        return call_once(b, context, "pulls_of_tile", scalar_type(out.dtype), given, body)

    def body(code: Code, b: Any, out: Any, out_at: Any, begun: Any, values: Any, at: Any, nothing: Any, outside: Any,
             out_step: Any, step: Any, n_units: Any, m: Any) -> None:
        matrix = _transposed(OF_INPUTS)
        sources, targets = _places(code, values, at, 16, outside), _places(code, out, out_at, 16, outside)
        added = _places(code, out, begun, 16, nothing)

        def columns(some: tuple[int, ...]) -> Callable[[ir.Value, ir.Value], None]:
            """What adds these columns of the inputs: all 16 lines may lie on one cache set, which has not as many ways."""
            needed = [j for j in range(4) if any(matrix[c][j] for c in some)]

            def chunk(there: ir.Value, here: ir.Value) -> None:
                for_column = {j: [code.load(b.gep(sources[4 * i + j], [there])) for i in range(4)] for j in needed}
                half = {j: [_combined(b, weights, for_column[j]) for weights in matrix] for j in needed}
                for r in range(4):
                    for c in some:
                        k = 4 * r + c
                        total = _combined(b, tuple(matrix[c][j] for j in needed), [half[j][r] for j in needed])
                        code.store(b.fadd(code.load(b.gep(added[k], [here])), total), b.gep(targets[k], [here]))

            return chunk

        for some in ((0, 3), (1, 2)):
            _over(code, columns(some), step, out_step, n_units, m)

    return signature, codegen
