"""How compiled code takes what Python gives it: a function for each kind of array and tuple, written once per kernel.

numba writes the lines that take an array out of its object at each place: a network's tables, data and buffers are a hundred
arrays, and were most of the code of the kernels that Python calls. No references are counted: Python's caller holds them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.pythonapi import NativeValue, PythonAPI

TUPLES = (types.NamedTuple, types.NamedUniTuple)  # type: ignore[attr-defined]
APART = (types.Array, *TUPLES)


class Unboxing(PythonAPI):
    """numba's interface to Python, which takes arrays and named tuples by functions of the module."""

    def __init__(self, context: Any, builder: Any, made: dict[Any, Any] | None = None) -> None:
        super().__init__(context, builder)
        self.made = {} if made is None else made  # functions of this module

    def to_native_value(self, typ: Any, obj: Any) -> Any:
        """The value of an object, as it lies in memory, and whether it was of another kind."""
        if not isinstance(typ, APART):
            return super().to_native_value(typ, obj)
        place = cgutils.alloca_once(self.builder, self.context.get_value_type(typ))
        failed = self._take(typ, obj, place)
        value = self.builder.load(place)
        value.lies = place
        return NativeValue(value, is_error=failed)

    def _take(self, kind: Any, found: Any, place: Any) -> Any:
        """Take an object to its place; whether that failed."""
        if kind not in self.made:
            self.made[kind] = self._function(kind, place.type)
        return self.builder.call(self.made[kind], [found, place])

    def _function(self, kind: Any, place: Any) -> Any:
        function = ir.Function(self.module, ir.FunctionType(ir.IntType(1), [self.pyobj, place]),
                               f"neuralstat_unbox.{len(self.made)}.{len(self.module.globals)}")  # fmt: skip
        function.linkage = "internal"
        function.attributes.add("noinline")
        inside = type(self)(self.context, ir.IRBuilder(function.append_basic_block()), self.made)
        inside.builder.ret(inside._members(kind, *function.args) if isinstance(kind, TUPLES)
                           else inside._store(kind, *function.args))  # fmt: skip
        return function

    def _store(self, kind: Any, found: Any, place: Any) -> Any:
        value = super().to_native_value(kind, found)
        self.builder.store(value.value, place)
        return value.is_error

    def _members(self, kind: Any, found: Any, place: Any) -> Any:
        failed = cgutils.false_bit
        for k, member in enumerate(kind):
            take = self._take if isinstance(member, APART) else self._store
            at = cgutils.gep_inbounds(self.builder, place, 0, k)
            failed = self.builder.or_(failed, take(member, self.tuple_getitem(found, k), at))
        return failed
