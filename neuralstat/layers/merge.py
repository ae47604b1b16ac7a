"""Several inputs as one: products, largest and smallest values unit by unit, and sums of products over an axis.

The inputs lie one after the other in the rows that are read. Unit by unit there are INPUTS of them, each with the N_OUT units
that come out. Where there are masks, MASK has TIMES rows for each input, of which bits of OPTIONS say whether they hold one.
What is masked does not count: where all inputs are, 0 comes out of a product, and the first input of the others. As in Keras
(on PyTorch), equal values of the largest two share their derivative, from the last input to the first.

A sum of products is of two inputs, (ROWS, COLS, CHANNELS) and (OUT_ROWS, COLS, OUT_COLS), over the axis COLS that they share;
what comes out is (ROWS, CHANNELS, OUT_ROWS, OUT_COLS). With `UNIT` in OPTIONS they are first divided by their lengths along
it. Scratch then: 1 / length, of the first input and of the second.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.scalar import real_
from .codes import (
    CHANNELS,
    COLS,
    KIND,
    MASK,
    N_IN,
    N_OUT,
    OPTIONS,
    OUT_COLS,
    OUT_ROWS,
    ROWS,
    SCRATCH,
    SOURCE,
    TARGET,
    TIMES,
)

PRODUCT, LARGEST, SMALLEST, INNER = range(4)  # column KIND
INPUTS = COLS
UNIT = 1  # of OPTIONS
SHORTEST = 1e-7  # length below which a vector is divided by this, as in Keras


@jit
def counts(row: Any, value: Any, j: int, u: int, i: int) -> bool:
    """Whether unit u of input j is there for observation i."""
    if row[MASK] < 0 or row[OPTIONS] >> j & 1 == 0:
        return True
    return real_(value[row[MASK] + j * row[TIMES] + u * row[TIMES] // row[N_OUT], i]) != 0


@jit
def beats(row: Any, x: Any, best: Any) -> int:
    """1 where x takes the place of the best before it, 0 where it does not, 2 where they are equal; NaN always does."""
    new, old = real_(x), real_(best)
    if new == old:
        return 2
    if new != new:
        return 1
    return int(new > old) if row[KIND] == LARGEST else int(new < old)


@jit
def best_of(row: Any, value: Any, inputs: int, u: int, i: int) -> Any:
    """Largest, or smallest, of the first `inputs` values of unit u; the first where none is there."""
    best, any_there = value[row[SOURCE] + u, i], counts(row, value, 0, u, i)
    for j in range(1, inputs):
        if counts(row, value, j, u, i):
            x = value[row[SOURCE] + j * row[N_OUT] + u, i]
            if not any_there or beats(row, x, best) == 1:
                best = x
            any_there = True
    return best


@jit
def there_before(row: Any, value: Any, inputs: int, u: int, i: int) -> bool:
    """Whether any of the first `inputs` has unit u."""
    found = False
    for j in range(inputs):
        found |= counts(row, value, j, u, i)
    return found


@jit
def merge_unit(row: Any, value: Any, u: int, lane: int, m: int, lanes: int) -> None:
    """Unit u, of inputs unit by unit."""
    for i in range(lane, m, lanes):
        if row[KIND] != PRODUCT:
            value[row[TARGET] + u, i] = best_of(row, value, row[INPUTS], u, i)
        else:
            product, any_there = value[row[SOURCE] + u, i], counts(row, value, 0, u, i)
            if not any_there:
                product = product * 0 + 1
            for j in range(1, row[INPUTS]):
                if counts(row, value, j, u, i):
                    product *= value[row[SOURCE] + j * row[N_OUT] + u, i]
                    any_there = True
            value[row[TARGET] + u, i] = product if any_there else product * 0


@jit
def merge_unit_back(row: Any, value: Any, delta: Any, u: int, lane: int, m: int, lanes: int) -> None:
    """d loss / d unit u of every input."""
    inputs, size = row[INPUTS], row[N_OUT]
    for i in range(lane, m, lanes):
        left = delta[row[TARGET] + u, i]
        for j in range(inputs - 1, -1, -1):
            at, d = row[SOURCE] + j * size + u, left * 0
            if row[KIND] == PRODUCT:
                if counts(row, value, j, u, i):
                    d = left
                    for k in range(inputs):
                        if k != j and counts(row, value, k, u, i):
                            d *= value[row[SOURCE] + k * size + u, i]
            elif j == 0:
                d = left
            elif counts(row, value, j, u, i):
                won = 1
                if there_before(row, value, j, u, i):
                    won = beats(row, value[at, i], best_of(row, value, j, u, i))
                d = left if won == 1 else left / 2 if won == 2 else d
                left -= d
            delta[at, i] = d


@jit
def element(row: Any, second: int, vector: int, s: int) -> int:
    """Row of element s of a vector of the first (0) or second (1) input."""
    if second == 0:
        return row[SOURCE] + (vector // row[CHANNELS] * row[COLS] + s) * row[CHANNELS] + vector % row[CHANNELS]
    begin = row[SOURCE] + row[ROWS] * row[COLS] * row[CHANNELS]
    return begin + (vector // row[OUT_COLS] * row[COLS] + s) * row[OUT_COLS] + vector % row[OUT_COLS]


@jit
def inverse_length(row: Any, value: Any, second: int, vector: int, i: int) -> Any:
    """1 / length of a vector."""
    square = value[element(row, second, vector, 0), i] * 0
    for s in range(row[COLS]):
        x = value[element(row, second, vector, s), i]
        square += x * x
    if real_(square) <= SHORTEST * SHORTEST:
        return square * 0 + 1 / SHORTEST
    return square**-0.5


@jit
def inner_unit(row: Any, value: Any, u: int, lane: int, m: int, lanes: int) -> None:
    """Unit u of sums of products; the vectors' lengths where u is their first."""
    seconds = row[OUT_ROWS] * row[OUT_COLS]
    first, second = u // seconds, u % seconds
    to = row[TARGET] + u
    for i in range(lane, m, lanes):
        value[to, i] = 0
    for s in range(row[COLS]):
        a, b = element(row, 0, first, s), element(row, 1, second, s)
        for i in range(lane, m, lanes):
            value[to, i] += value[a, i] * value[b, i]
    if row[OPTIONS] & UNIT != 0:
        for i in range(lane, m, lanes):
            of_first, of_second = inverse_length(row, value, 0, first, i), inverse_length(row, value, 1, second, i)
            value[to, i] *= of_first * of_second
            if second == 0:
                value[row[SCRATCH] + first, i] = of_first
            if first == 0:
                value[row[SCRATCH] + row[ROWS] * row[CHANNELS] + second, i] = of_second


@jit
def inner_vector_back(row: Any, value: Any, delta: Any, n: int, lane: int, m: int, lanes: int) -> None:
    """d loss / d vector n; those of the second input follow those of the first."""
    firsts, seconds = row[ROWS] * row[CHANNELS], row[OUT_ROWS] * row[OUT_COLS]
    second = 0 if n < firsts else 1
    own, others = n - second * firsts, firsts if second == 1 else seconds
    of_unit, lengths = row[OPTIONS] & UNIT != 0, row[SCRATCH]
    for s in range(row[COLS]):
        at = element(row, second, own, s)
        for i in range(lane, m, lanes):
            delta[at, i] = 0
        for k in range(others):
            d = row[TARGET] + (own * seconds + k if second == 0 else k * seconds + own)
            other = element(row, 1 - second, k, s)
            if of_unit:
                mine, its = lengths + n, lengths + (firsts + k if second == 0 else k)
                for i in range(lane, m, lanes):
                    x = value[other, i] * value[its, i] * value[mine, i]
                    if real_(value[mine, i]) * SHORTEST < 1:
                        x -= value[at, i] * value[mine, i] * value[mine, i] * value[d, i]
                    delta[at, i] += delta[d, i] * x
            else:
                for i in range(lane, m, lanes):
                    delta[at, i] += delta[d, i] * value[other, i]


@jit
def merge_forward(row: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Units; see `dense_forward`."""
    for u in range(row[N_OUT]):
        if row[KIND] == INNER:
            inner_unit(row, value, u, lane, m, lanes)
        else:
            merge_unit(row, value, u, lane, m, lanes)


@jit
def merge_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    for u in range(merge_parts(row)):
        merge_part_back(row, value, delta, u, lane, m, lanes)


@jit
def merge_parts(row: Any) -> int:
    """What `merge_part_back` is called for: units of an input, or vectors of both."""
    return row[N_IN] // row[COLS] if row[KIND] == INNER else row[N_OUT]


@jit
def merge_part_back(row: Any, value: Any, delta: Any, u: int, lane: int, m: int, lanes: int) -> None:
    """A part of `merge_backward`."""
    if row[KIND] == INNER:
        inner_vector_back(row, value, delta, u, lane, m, lanes)
    else:
        merge_unit_back(row, value, delta, u, lane, m, lanes)
