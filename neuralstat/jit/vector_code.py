"""A builder of LLVM intermediate code with vector types, on which all vector kernels are written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

PAD = 16  # observations of a block are padded to a multiple of this

INT = ir.IntType(64)


def _wide() -> bool:
    """Whether numba compiles for a processor with registers of 512 bits: this one, or that of NUMBA_CPU_FEATURES."""
    named = numba.config.CPU_FEATURES
    if named is not None:
        return "+avx512f" in str(named).split(",")
    return bool(binding.get_host_cpu_features().get("avx512f", False))


WIDE = _wide()


def _lanes(scalar: ir.Type) -> int:
    """Vector length: a register of 512 or 256 bits."""
    return (8 if WIDE else 4) * (1 if isinstance(scalar, ir.DoubleType) else 2)


class Code:
    """A builder with what every kernel below needs."""

    def __init__(self, context: Any, builder: ir.IRBuilder, scalar: ir.Type) -> None:
        self.context, self.builder, self.scalar = context, builder, scalar
        self.lanes = _lanes(scalar)
        self.vector = ir.VectorType(scalar, self.lanes)
        self.size = 8 if isinstance(scalar, ir.DoubleType) else 4

    def of(self, vectors: int) -> Code:
        """The same for so many vectors side by side: instruction by instruction, so that what one waits for others fill."""
        made = Code(self.context, self.builder, self.scalar)
        made.lanes = vectors * made.lanes
        made.vector = ir.VectorType(self.scalar, made.lanes)
        return made

    def side_by_side(self, first: ir.Value, last: ir.Value, numbers: tuple[int, ...],
                     body: Callable[[Code, ir.Value], None]) -> None:
        """``body(code, i)`` over the observations from first to last, by the first of `numbers` vectors, then the next.

        The observations are a multiple of `PAD`.
        """
        for vectors in numbers:
            side = self.of(vectors)
            first = self.loop(first, last, side.lanes, functools.partial(body, side))
            if PAD % side.lanes == 0:  # none are left
                return

    def parts(self, value: ir.Value) -> list[ir.Value]:
        """The vectors of what lies side by side."""
        lanes = _lanes(self.scalar)
        if lanes == self.lanes:
            return [value]
        return [self.pick(value, value, list(range(k, k + lanes))) for k in range(0, self.lanes, lanes)]

    def joined(self, parts: list[ir.Value]) -> ir.Value:
        """Vectors side by side."""
        while len(parts) > 1:
            lanes = parts[0].type.count
            parts = [self.pick(a, b, list(range(2 * lanes))) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def index(self, value: int) -> ir.Constant:
        """A whole number."""
        return ir.Constant(INT, value)

    def constant(self, value: float) -> ir.Constant:
        """A vector of one number."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def load(self, pointer: ir.Value) -> ir.Value:
        """The vector that begins at an element."""
        cast = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(cast, align=self.size)

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        """Write the vector that begins at an element."""
        cast = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(value, cast, align=self.size)

    def splat(self, value: ir.Value) -> ir.Value:
        """A vector of one value."""
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a b + c, fused where the machine can."""
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{8 * self.size}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c])

    def total(self, vector: ir.Value) -> ir.Value:
        """Sum of a vector's elements, by halves."""
        n = self.lanes
        b = self.builder
        while n > 1:
            n //= 2
            low = ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(n)))
            high = ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(n, 2 * n)))
            undefined = ir.Constant(vector.type, ir.Undefined)
            vector = b.fadd(b.shuffle_vector(vector, undefined, low), b.shuffle_vector(vector, undefined, high))
        return b.extract_element(vector, ir.Constant(ir.IntType(32), 0))

    def pick(self, a: ir.Value, b: ir.Value, at: list[int]) -> ir.Value:
        """The elements `at` of a and b laid end to end."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(at)), at)
        return self.builder.shuffle_vector(a, b, mask)

    def totals(self, vectors: list[ir.Value]) -> ir.Value:
        """Sums of the elements of four vectors, as a vector of four; the order of additions is that of `total`."""
        b, n = self.builder, self.lanes
        size = n  # of a vector's part within what is shuffled
        while len(vectors) > 1:  # two vectors' halves side by side
            half, merged = size // 2, []
            for x, y in zip(vectors[::2], vectors[1::2], strict=True):
                low = [g + i for g in range(0, 2 * n, size) for i in range(half)]
                merged.append(b.fadd(self.pick(x, y, low), self.pick(x, y, [i + half for i in low])))
            vectors, size = merged, half
        one = vectors[0]
        while size > 1:
            half = size // 2
            low = [g + i for g in range(0, 4 * size, size) for i in range(half)]
            one, size = b.fadd(self.pick(one, one, low), self.pick(one, one, [i + half for i in low])), half
        return one

    def cell(self, kind: ir.Type) -> ir.Value:
        """A place on the stack."""
        return cgutils.alloca_once(self.builder, kind)

    def loop(self, first: ir.Value, last: ir.Value, step: int, body: Callable[[ir.Value], None]) -> ir.Value:
        """``while i + step <= last: body(i); i += step``; returns the i that is left."""
        b = self.builder
        at = self.cell(INT)
        b.store(first, at)
        test, inside, after = (b.append_basic_block(name) for name in ("test", "body", "after"))
        b.branch(test)
        b.position_at_end(test)
        i = b.load(at)
        b.cbranch(b.icmp_signed("<=", b.add(i, self.index(step)), last), inside, after)
        b.position_at_end(inside)
        body(i)
        b.store(b.add(i, self.index(step)), at)
        b.branch(test)
        b.position_at_end(after)
        return b.load(at)


def scalar_type(dtype: Any) -> ir.Type:
    """LLVM's type of a number of the array."""
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


def array_parts(context: Any, builder: ir.IRBuilder, kind: Any, value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Pointer to the elements of an array, and its row length."""
    array = context.make_array(kind)(context, builder, value)
    row = cgutils.unpack_tuple(builder, array.shape)[-1]
    return array.data, row


def address_of(code: Code, base: ir.Value, *indexes: ir.Value) -> ir.Value:
    """Address of the element whose position is the sum of `indexes`."""
    total = indexes[0]
    for more in indexes[1:]:
        total = code.builder.add(total, more)
    return code.builder.gep(base, [total])
