"""What compiled code takes from Python, what is typed once, and arrays that kernels make."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

import neuralstat
from neuralstat.jit.buffers import aligned, few_floats, few_ints, small_table, table, zeros
from neuralstat.jit.compile import PLAIN, as_python, entry, jit

needs_compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
needs_inner = pytest.mark.skipif(bool(numba.config.DISABLE_JIT) or PLAIN, reason="numba's own compiler")
SOURCES = Path(neuralstat.__file__).parent


class Small(NamedTuple):
    """Arrays of one kind, and numbers of all."""

    row: np.ndarray
    other: np.ndarray
    count: int
    share: float
    asked: bool
    none: None


class Large(NamedTuple):
    """Tuples of one kind twice, beside arrays of another kind."""

    first: Small
    second: Small
    codes: np.ndarray
    pair: tuple


@entry
def added(large, scale, out):
    """All that there is."""
    for part in (large.first, large.second):
        for j in range(part.row.size):
            out[0] += scale * part.row[j] * part.count
            out[1] += part.share * part.other[j] * (2 if part.asked else 1)
        if part.none is not None:
            out[0] = np.nan
    for k in range(large.codes.shape[0]):
        for j in range(large.codes.shape[1]):
            out[2] += large.codes[k, j] * large.pair[0] + large.pair[1]


@entry
def own(n, like):
    """Arrays by all ways; sums that tell whether they are what they should be."""
    flat, rows, codes = zeros(n, like), aligned(n, 3, like), table(n, 2)
    some, numbers, pairs = few_ints(3), few_floats(2), small_table(2, 3)
    for i in range(3):
        some[i] = i
        pairs[0, i], pairs[1, i] = 10 + i, 20 + i
    numbers[0], numbers[1] = 0.5, 0.25
    total = 0.0
    for i in range(n):
        total += np.abs(flat[i]) + np.abs(rows[i, 0]) + np.abs(rows[i, 2]) + codes[i, 1]
        flat[i], rows[i, 1], codes[i, 0] = i, i, i
    for i in range(n):
        total += np.abs(flat[i] - rows[i, 1]) + abs(codes[i, 0] - i)
    odd = rows.ctypes.data % 64 + flat.ctypes.data % 64
    return total, some[1] + some[2], numbers[0] + numbers[1], pairs[0, 2] + pairs[1, 0], odd


def large(dtype=np.float64):
    rng = np.random.default_rng(1)

    def small(count, asked):
        return Small(rng.normal(size=3).astype(dtype), rng.normal(size=3).astype(dtype), count, 0.5, asked, None)

    return Large(small(2, True), small(3, False), rng.integers(0, 9, (2, 4)), (1.5, 2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arguments_arrive_as_they_were(dtype):
    given = large(dtype)
    found, wanted = np.zeros(3, dtype), np.zeros(3, dtype)
    added(given, 2.0, found)
    as_python(added)(given, 2.0, wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-6 if dtype == np.float32 else 1e-14)


@needs_compiled
def test_what_python_holds_is_not_counted_nor_kept():
    given, out = large(), np.zeros(3)
    added(given, 2.0, out)
    counts = [sys.getrefcount(thing) for thing in (given, given.first, given.first.row, given.codes, out)]
    for _ in range(50):
        added(given, 2.0, out)
    assert [sys.getrefcount(thing) for thing in (given, given.first, given.first.row, given.codes, out)] == counts


@needs_compiled
def test_what_cannot_be_taken_is_refused():
    given, out = large(), np.zeros(3)
    added(given, 2.0, out)
    before = out.copy()
    with pytest.raises((TypeError, numba.TypingError)):
        added(given._replace(first=1), 2.0, out)
    with pytest.raises((TypeError, numba.TypingError)):
        added(given._replace(codes="x"), 2.0, out)
    np.testing.assert_array_equal(out, before)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_arrays_that_kernels_make(dtype, n):
    total, whole, real, pairs, odd = own(n, np.zeros(1, dtype))
    assert (total, whole, real, pairs) == (0, 3, 0.75, 32)
    assert odd == 0 or PLAIN or numba.config.DISABLE_JIT


@needs_compiled
def test_arrays_that_kernels_make_are_given_back():
    like = np.zeros(1)
    own(5, like)
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        for _ in range(10):
            own(5, like)
        after = rtsys.get_allocation_stats()
    finally:
        _nrt_python.memsys_disable_stats()
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free > 0


@needs_compiled
def test_an_array_for_which_there_is_no_memory_is_an_error():
    with pytest.raises(MemoryError):
        own(2**45, np.zeros(1))
    assert own(5, np.zeros(1))[0] == 0


@needs_inner
def test_an_array_on_the_stack_has_a_size_that_is_known():
    @jit
    def sized(n):
        return few_ints(n)[0]

    @entry
    def call(n):
        return sized(n)

    with pytest.raises(numba.TypingError, match="sizes that are known"):
        call(3)


@needs_compiled
@pytest.mark.parametrize("of", [np.float64, np.float32, np.int64, np.complex128])
def test_operators_that_are_typed_from_memory_are_numba_s(of):
    """Two kernels of the same operations, the second of which finds all in memory, against plain numba."""

    def work(x, y):
        a, b = x[0] * y[1] + x[1] - y[0], x[1] ** 2
        x[0] += y[0]
        x[1], x[2] = -x[1], x[2] / y[2] if y[2] != 0 else x[2]
        return a + b + x[0] + x[2] + (1 if x[0] == y[0] else 3) + np.abs(a) + x[0:2].size

    x, y = np.array([3, 5, 7]).astype(of), np.array([2, 4, 6]).astype(of)
    if of == np.int64:
        y[2] = 0
    wanted = numba.njit(error_model="numpy")(work)(x.copy(), y)
    first, second = x.copy(), x.copy()
    kernels = [entry(type(work)(work.__code__.replace(co_name=name), work.__globals__, name)) for name in ("one", "two")]
    assert kernels[0](first, y) == pytest.approx(wanted)
    assert kernels[1](second, y) == pytest.approx(wanted)
    np.testing.assert_array_equal(first, second)


def entries_and_calls() -> tuple[set[str], list[tuple[str, str]]]:
    """Names of kernels that Python calls; what kernels of the package call, as (kernel, called)."""
    entries, calls = set(), []
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            names = {ast.unparse(d).split("(")[0] for d in node.decorator_list}
            if "entry" in names:
                entries.add(node.name)
            if names & {"entry", "jit", "late", "scalar"}:
                calls += [(f"{path.stem}.{node.name}", inner.func.id) for inner in ast.walk(node)
                          if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)]  # fmt: skip
    return entries, calls


def test_no_kernel_calls_one_that_python_calls():
    """Their arguments are passed otherwise."""
    entries, calls = entries_and_calls()
    assert len(entries) > 10 and len(calls) > 500
    assert [call for call in calls if call[1] in entries] == []
