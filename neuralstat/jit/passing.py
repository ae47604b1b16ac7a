"""Kernels as they are lowered: named tuples are passed whole, and what is assigned once is a value.

numba passes a tuple member by member, and keeps what is used in more than one block in memory, from where each use reads it.
The tables, data and buffers of a network are a hundred numbers and pointers, which each call took apart, each function put
together again, and each use loaded: most of what there was to compile. Functions that are compiled with their callers take a
tuple as one value; late kernels take a pointer, and pass it on to those that they call.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

from llvmlite import ir as llvm
from llvmlite.ir.instructions import ExtractValue
from numba.core import cgutils, ir, types
from numba.core.analysis import compute_cfg_from_blocks, must_use_alloca
from numba.core.datamodel import DataModelManager, default_manager
from numba.core.datamodel.models import ArrayModel, StructModel, TupleModel
from numba.core.lowering import Lower

from .boxing import Unboxing


class Whole(TupleModel):
    """A tuple that is passed as one value, with the place where it lies: what inner functions take."""

    def get_argument_type(self) -> Any:
        """The type of the value, and a pointer."""
        kind = self.get_value_type()
        return kind, kind.as_pointer()

    def as_argument(self, builder: Any, value: Any) -> Any:
        """As it is."""
        return value, laid_down(builder, value)

    def from_argument(self, builder: Any, value: Any) -> Any:
        """As it came."""
        found, found.lies = value[0], value[1]
        return found


class Laid(StructModel):
    """What is passed by the place where it lies: tuples and arrays of late kernels. Nobody changes them."""

    def get_argument_type(self) -> Any:
        """A pointer."""
        return self.get_value_type().as_pointer()

    def as_argument(self, builder: Any, value: Any) -> Any:
        """Where it lies."""
        return laid_down(builder, value)

    def from_argument(self, builder: Any, value: Any) -> Any:
        """Its members."""
        made = llvm.Constant(self.get_value_type(), llvm.Undefined)
        for k in range(len(self._members)):
            made = builder.insert_value(made, builder.load(cgutils.gep_inbounds(builder, value, 0, k)), k)
        made.lies = value
        return made


class LaidTuple(Laid, TupleModel):
    """A tuple of a late kernel."""


class LaidArray(Laid, ArrayModel):
    """What an array's elements are found by."""

    def from_argument(self, builder: Any, value: Any) -> Any:
        """All of it."""
        made = builder.load(value)
        made.lies = value
        return made


def laid_down(builder: Any, value: Any) -> Any:
    """Pointer to a tuple or an array: where it is known to lie, else where it is laid down now."""
    found = _place(builder, value)
    if found is None:
        found = cgutils.alloca_once(builder, value.type)
        builder.store(value, found)
    return found


def _place(builder: Any, value: Any) -> Any:
    """Pointer to what is known to lie in memory: an argument, or a member of one."""
    found = getattr(value, "lies", None)
    if found is None and isinstance(value, ExtractValue):
        whole = _place(builder, value.operands[0])
        found = None if whole is None else cgutils.gep_inbounds(builder, whole, 0, *value.indices)
    return found


def _models(own: dict[Any, Any]) -> DataModelManager:
    made = DataModelManager()
    for kind, model in own.items():
        made.register(kind, model)
    return made.chain(default_manager)


WHOLE = _models({types.NamedTuple: Whole})  # type: ignore[attr-defined]
LAID = _models({types.NamedTuple: LaidTuple, types.Array: LaidArray})  # type: ignore[attr-defined]
BOUND = ("call_conv", "nrt")  # what a context may have made for itself


def passing(context: Any, models: DataModelManager = WHOLE, **options: Any) -> Any:
    """A target context with options of its own, whose functions pass named tuples so."""
    made = context.subtarget(data_model_manager=models, **options)
    for name in BOUND:
        made.__dict__.pop(name, None)
    return made


class Values(Lower):
    """Lowering that keeps in memory what is assigned more than once, alone (where nothing is counted: see `inner.lend`)."""

    context: Any

    def _find_singly_assigned_variable(self) -> None:
        if self.context.enable_nrt:
            super()._find_singly_assigned_variable()
        else:
            self._singly_assigned_vars = assigned_once(self.func_ir.blocks)
            self._blk_local_varmap: dict[str, Any] = {}

    def delvar(self, name: str) -> None:
        """Nothing is to be done where nothing is counted."""
        if self.context.enable_nrt:
            super().delvar(name)


class LateValues(Values):
    """`Values` of a late kernel: named tuples of its callers lie in memory."""

    def setup_function(self, fndesc: Any) -> None:
        """Declare it."""
        own = self.context
        self.context = passing(own, LAID)
        super().setup_function(fndesc)
        self.context = own

    def extract_function_arguments(self) -> Any:
        """Take up what its callers laid down."""
        conventions = passing(self.context, LAID).call_conv
        self.fnargs = conventions.decode_arguments(self.builder, self.fndesc.argtypes, self.function)
        return self.fnargs

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """What Python calls lays down what it takes."""
        own = self.context
        counted = own.data_model_manager[self.fndesc.restype].contains_nrt_meminfo()
        self.context = passing(own, LAID, enable_nrt=counted)
        if not counted:  # Python holds the arguments meanwhile
            self.context.get_python_api = partial(Unboxing, self.context)
        super().create_cpython_wrapper(release_gil)
        self.context = own


def assigned_once(blocks: dict[int, Any]) -> set[str]:
    """Variables with one assignment, which is met, and lowered, before each use."""
    where: dict[str, list[int]] = defaultdict(list)
    used: dict[str, set[int]] = defaultdict(set)
    for label, block in blocks.items():
        for statement in block.body:
            if isinstance(statement, ir.Del):
                continue
            if isinstance(statement, ir.Assign):
                where[statement.target.name].append(label)
            for variable in statement.list_vars():
                used[variable.name].add(label)
    before = compute_cfg_from_blocks(blocks).dominators()
    met = {name: labels[0] for name, labels in where.items() if len(labels) == 1}
    found = {name for name, at in met.items() if all(at in before[b] and at <= b for b in used[name] if b in before)}
    return found - must_use_alloca(blocks)
