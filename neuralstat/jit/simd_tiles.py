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
from .vector_code import INT, Code, address_of, array_parts, scalar_type

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


def _tile_code(name: str, doc: str, matrix: Matrix, adds: bool) -> Any:
    """An intrinsic that takes tiles to L d L'."""

    def of_tile(typingctx: Any, out: Any, out_at: Any, out_step: Any, values: Any, at: Any, step: Any, n_units: Any,
                m: Any) -> Any:
        n = types.int64
        signature = types.void(out, out_at, n, values, at, n, n, n)

        def codegen(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            _, _, out_step, _, _, step, n_units, m = arguments
            given = [array_parts(context, b, kind, arguments[k])[0]
                     for k, kind in enumerate((out, out_at, None, values, at)) if kind is not None]  # fmt: skip
            return call_once(b, context, name, scalar_type(out.dtype), [*given, out_step, step, n_units, m], body)

        return signature, codegen

    def body(code: Code, b: Any, out: Any, out_at: Any, values: Any, at: Any, out_step: Any, step: Any, n_units: Any,
             m: Any) -> None:
        def places(base: ir.Value, where: ir.Value, count: int) -> list[tuple[ir.Value, ir.Value]]:
            """Of each element its first address, and a mask that takes away what is added to it outside."""
            outside = code.cell(code.vector)
            nowhere = b.bitcast(outside, code.scalar.as_pointer())
            b.store(code.constant(0.0), outside)
            made = []
            for k in range(count):
                first = b.load(address_of(code, where, code.index(k)))
                inside = b.icmp_signed(">=", first, code.index(0))
                made.append((b.select(inside, b.gep(base, [first]), nowhere), b.sext(inside, INT)))
            return made

        sources = places(values, at, len(matrix[0]) ** 2)
        targets = places(out, out_at, len(matrix) ** 2)

        def unit(u: ir.Value) -> None:
            source_shift, target_shift = b.mul(u, step), b.mul(u, out_step)

            def chunk(i: ir.Value) -> None:
                there, here = b.add(source_shift, i), b.add(target_shift, i)
                tile = [code.load(b.gep(first, [b.and_(mask, there)])) for first, mask in sources]
                for (first, mask), total in zip(targets, _sandwich(b, matrix, tile), strict=True):
                    place = b.gep(first, [b.and_(mask, here)])
                    code.store(b.fadd(code.load(place), total) if adds else total, place)

            code.loop(code.index(0), m, code.lanes, chunk)

        code.loop(code.index(0), n_units, 1, unit)

    of_tile.__name__ = of_tile.__qualname__ = name
    of_tile.__doc__ = f"""{doc}

    Parameters
    ----------
    out, values : arrays, contiguous
        Written{" (added to)" if adds else ""}, read.
    out_at, at : int64 arrays
        Of each element of the tile, row by row, where its first vector lies in the flattened array; negative where it lies
        outside: it is read as 0, and not written.
    out_step, step : int
        Elements from one unit to the next.
    n_units, m : int
        Units, and elements of each: a multiple of the vector length.
    """
    return intrinsic(of_tile)


inputs_of_tile: Callable[..., None] = _tile_code("inputs_of_tile", "Tile (4, 4) of inputs for products.", OF_INPUTS, False)
outputs_of_tile: Callable[..., None] = _tile_code("outputs_of_tile", "Outputs (2, 2) from products (4, 4).", OF_OUTPUTS, False)
deltas_of_tile: Callable[..., None] = _tile_code(
    "deltas_of_tile", "Products' derivatives (4, 4) from those of outputs (2, 2).", _transposed(OF_OUTPUTS), False)
pulls_of_tile: Callable[..., None] = _tile_code(
    "pulls_of_tile", "Derivatives of inputs (4, 4), added, from those of what `inputs_of_tile` made.",
    _transposed(OF_INPUTS), True)
