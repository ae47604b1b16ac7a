"""Kernels as they are lowered: named tuples whole, values rather than memory, no counts where nothing is made."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

import neuralstat
from neuralstat.jit.compile import PLAIN, entry, jit
from neuralstat.jit.late import late

needs_compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
needs_inner = pytest.mark.skipif(bool(numba.config.DISABLE_JIT) or PLAIN, reason="numba's own compiler")


class Inside(NamedTuple):
    """Kinds of members that differ in memory from what they are in registers."""

    chosen: bool
    small: np.ndarray
    none: None


class Outside(NamedTuple):
    """A tuple in a tuple."""

    first: Inside
    matrix: np.ndarray
    second: Inside
    number: float


@jit
def weighed(inside, at):
    """An inner function that takes a tuple."""
    if inside.none is not None:
        return np.nan
    return inside.small[at] * (2.0 if inside.chosen else 1.0)


@late(returns="x")
def deeper(x, inside, small, row, at):
    """A late kernel that takes members of what another was given, and a view."""
    return x[0] * 0 + (inside.small[at] if inside.chosen else -inside.small[at]) + small[at] + row[row.size - 1]


@late(returns="x")
def row_sum(x, outside, b):
    """A late kernel that takes a tuple, and views of its arrays."""
    total, row = x[0] * 0, outside.matrix[b]
    for i in range(row.size):
        total += row[i]
        if total > 1e6:
            break
    else:
        total += outside.number
    total += deeper(x, outside.second, outside.first.small, outside.matrix[b, :2], b)
    return total + weighed(outside.first, b) - weighed(outside.second, b)


@jit
def swapped(outside):
    """Gives back a tuple made of another."""
    return Outside(outside.second, outside.matrix[1:], outside.first, -outside.number)


@entry
def makes_nothing(outside, out):
    """Without arrays of its own."""
    for b in range(out.size):
        row = outside.matrix[b]
        if b % 2 == 0:
            row = outside.matrix[0]
        out[b] = row_sum(out, outside, b) + row[0]


@entry
def makes_arrays(outside, out):
    """With arrays of its own, some of them views of what is no longer named."""
    turned = swapped(outside)
    kept = np.zeros((2, 3))[1]
    for b in range(out.size):
        kept = kept + 1.0
        out[b] = row_sum(kept, turned, b) + kept[b % 3]


def outside() -> Outside:
    """One."""
    small = np.array([1, 2, 4, 8], np.float32)
    return Outside(Inside(True, small, None), np.arange(12.0).reshape(4, 3), Inside(False, small[::-1].copy(), None), 0.5)


@needs_compiled
def test_tuples_arrive_as_they_were():
    given, out = outside(), np.zeros(4)
    makes_nothing(given, out)
    sums, small = given.matrix.sum(axis=1), np.asarray(given.first.small, float)
    first = np.where(np.arange(4) % 2 == 0, given.matrix[0, 0], given.matrix[:, 0])
    more = small - small[::-1] + given.matrix[:, 1]
    np.testing.assert_array_equal(out, sums + 0.5 + 2 * small - small[::-1] + first + more)
    out = np.zeros(3)
    makes_arrays(given, out)
    more = (small + small[::-1])[:3] + given.matrix[1:, 1]
    np.testing.assert_array_equal(out, sums[1:] - 0.5 + (small[::-1] - 2 * small)[:3] + np.arange(1, 4) + more)


@pytest.fixture
def counted():
    """numba counts what it allocates."""
    _nrt_python.memsys_enable_stats()
    yield
    _nrt_python.memsys_disable_stats()


@needs_compiled
@pytest.mark.usefixtures("counted")
def test_references_balance():
    given, out = outside(), np.zeros(3)
    makes_arrays(given, out)
    makes_nothing(given, out)
    held = [sys.getrefcount(thing) for thing in (given, given.matrix, given.first, given.first.small, out)]
    before = rtsys.get_allocation_stats()
    for _ in range(100):
        makes_arrays(given, out)
        makes_nothing(given, out)
    after = rtsys.get_allocation_stats()
    assert after.alloc - before.alloc == after.free - before.free > 0
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free
    assert held == [sys.getrefcount(thing) for thing in (given, given.matrix, given.first, given.first.small, out)]


@needs_inner
def test_what_makes_no_arrays_is_lowered_without_counts():
    from numba.core.compiler import CompilerBase

    from neuralstat.jit import inner

    assert issubclass(inner.OuterCompiler, CompilerBase)
    lent, seen = inner.lend, {}

    def watch(state):
        lent(state)
        seen[state.func_id.func_name] = bool(state.targetctx.enable_nrt)

    inner.lend = watch
    try:
        for kernel in (makes_nothing, makes_arrays):
            fresh = entry(kernel.py_func)
            fresh._cache = type(numba.njit(lambda: None)._cache)()  # not from disk
            fresh(outside(), np.zeros(3))
    finally:
        inner.lend = lent
    assert seen["makes_nothing"] is False
    assert seen["makes_arrays"] is True


@needs_inner
@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_of_cycles_is_as_it_was(collects):
    def broken(x):
        return x.no_such_method()

    found = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        with pytest.raises(numba.TypingError):
            entry(broken)(np.zeros(2))
        assert gc.isenabled() == collects
        entry(lambda x: x + 1)(2.0)
        assert gc.isenabled() == collects
    finally:
        (gc.enable if found else gc.disable)()


def test_kernels_have_loops_rather_than_assignments_of_arrays():
    """numba writes checks of shapes, and messages, with each; `jit.vectors` has loops."""
    found = []
    for path in sorted(Path(neuralstat.__file__).parent.rglob("*.py")):
        if "cuda" not in path.parts:
            found += [f"{path.name}:{line}" for line in whole_assignments(ast.parse(path.read_text(encoding="utf-8")))]
    assert found == []
    assert list(whole_assignments(ast.parse("@late\ndef f(x, y):\n    x[0, :2] = y\n    x[1] = 2\n    x[:] += 1"))) == [3, 5]


def whole_assignments(tree: ast.AST) -> Iterator[int]:
    """Lines of kernels that assign to slices."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or not any(compiles(d) for d in function.decorator_list):
            continue
        for node in ast.walk(function):
            for target in getattr(node, "targets", None) or [getattr(node, "target", None)]:
                if isinstance(target, ast.Subscript):
                    parts = getattr(target.slice, "elts", [target.slice])
                    if any(isinstance(part, ast.Slice) for part in parts):
                        yield node.lineno


def compiles(decorator: ast.expr) -> bool:
    """Whether a decorator makes a kernel."""
    return getattr(getattr(decorator, "func", decorator), "id", None) in ("jit", "late", "entry", "scalar")
