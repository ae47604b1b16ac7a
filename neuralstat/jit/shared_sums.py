"""Vector code that several kernels of convolutions share, as kernels of its own: compiled once, not with each of them."""

from __future__ import annotations

from typing import Any

from .late import late
from .simd_gradients import outer_sums, turn_rows
from .simd_tiles import deltas_of_tile, inputs_of_tile


@late
def turned_rows(values: Any, first: int, n_rows: int, start: int, out: Any, offset: int, step: int) -> None:
    """`simd_gradients.turn_rows`."""
    turn_rows(values, first, n_rows, start, out, offset, step)


@late
def turned_sums(sums: Any, at: int, row_step: int, n_rows: int, n_vectors: int, left: Any, left_at: int, left_line: int,
                left_step: int, right: Any, right_at: int, right_line: int, right_step: int, n_lines: int, n_steps: int,
                left_image: int, right_image: int, n_images: int) -> None:
    """`simd_gradients.outer_sums`."""
    outer_sums(sums, at, row_step, n_rows, n_vectors, left, left_at, left_line, left_step, right, right_at, right_line,
               right_step, n_lines, n_steps, left_image, right_image, n_images)


@late
def tile_inputs(out: Any, out_at: Any, out_step: int, values: Any, at: Any, step: int, outside: Any, n_units: int,
                m: int) -> None:
    """`simd_tiles.inputs_of_tile`."""
    inputs_of_tile(out, out_at, out_step, values, at, step, outside, n_units, m)


@late
def tile_deltas(out: Any, out_at: Any, out_step: int, values: Any, at: Any, step: int, outside: Any, n_units: int,
                m: int) -> None:
    """`simd_tiles.deltas_of_tile`."""
    deltas_of_tile(out, out_at, out_step, values, at, step, outside, n_units, m)
