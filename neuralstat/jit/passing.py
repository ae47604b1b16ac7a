"""Kernels as they are lowered: named tuples are passed whole, and what is assigned once is a value.

numba passes a tuple member by member, and keeps what is used in more than one block in memory, from where each use reads it.
The tables, data and buffers of a network are a hundred numbers and pointers, which each call took apart, each function put
together again, and each use loaded: most of what there was to compile.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from numba.core import ir, types
from numba.core.analysis import compute_cfg_from_blocks, must_use_alloca
from numba.core.datamodel import DataModelManager, default_manager
from numba.core.datamodel.models import TupleModel
from numba.core.lowering import Lower


class Whole(TupleModel):
    """A tuple that is passed as one value."""

    def get_argument_type(self) -> Any:
        """The type of the value."""
        return self.get_value_type()

    def as_argument(self, builder: Any, value: Any) -> Any:
        """As it is."""
        return value

    def from_argument(self, builder: Any, value: Any) -> Any:
        """As it came."""
        return value


_OWN = DataModelManager()
_OWN.register(types.NamedTuple, Whole)  # type: ignore[attr-defined]
MODELS = _OWN.chain(default_manager)
BOUND = ("call_conv", "nrt")  # what a context makes once, for itself


def passing(context: Any, **options: Any) -> Any:
    """A target context with options of its own, whose functions pass named tuples whole."""
    made = context.subtarget(data_model_manager=MODELS, **options)
    for name in BOUND:
        made.__dict__.pop(name, None)
    return made


class Values(Lower):
    """Lowering that keeps in memory what is assigned more than once, alone (where nothing is counted: see `inner.lend`)."""

    def _find_singly_assigned_variable(self) -> None:
        super()._find_singly_assigned_variable()
        if not self.context.enable_nrt:
            self._singly_assigned_vars |= assigned_once(self.func_ir.blocks)

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """What Python calls counts what it takes."""
        own = self.context  # type: ignore[has-type]
        self.context = passing(own, enable_nrt=True)
        super().create_cpython_wrapper(release_gil)
        self.context = own

    def delvar(self, name: str) -> None:
        """Nothing is to be done where nothing is counted."""
        if self.context.enable_nrt:
            super().delvar(name)


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
