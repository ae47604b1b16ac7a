"""Kernels that only kernels call are optimised and turned into machine code once, with their callers.

numba optimises and emits the code of a function together with all functions that it calls, at every level of a tree of
calls: what lies eight levels deep is compiled eight times. Here inner functions stay as they were lowered, and the
kernels that Python calls are optimised whole.
"""

from __future__ import annotations

import gc
from typing import Any

from llvmlite import binding
from numba import _dynfunc
from numba.core import codegen, compiler, environment, ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import BaseNativeLowering, IRLegalization, NativeLowering

from .passing import LateValues, Values, passing
from .typing import Remembering

ENVIRONMENT = "_ZN08NumbaEnv"  # numba's prefix of a function's environment in its code
COUNTS, FREED = {"NRT_incref", "NRT_decref"}, "NRT_MemInfo_call_dtor"  # what numba calls for references
VIEWS = {"cast", "phi", "getattr", "getitem", "static_getitem", "typed_getitem", "build_tuple", "exhaust_iter", "getiter",
         "iternext", "pair_first"}  # expressions that hold arrays that there were  # fmt: skip
UNNEEDED = {"WithLifting", "InlineClosureLikes", "InlineInlinables", "MakeFunctionToJitFunction", "FindLiterallyCalls",
            "LiteralUnroll", "LiteralPropagationSubPipelinePass", "RewriteDynamicRaises", "InlineOverloads",
            "NopythonRewrites", "DumpParforDiagnostics", "AnnotateTypes"}  # what no kernel has or needs  # fmt: skip
UNCOUNTED = "\n".join(f"define void @{name}(i8* %p) alwaysinline {{ ret void }}" for name in sorted(COUNTS))


class InnerLibrary(codegen.JITCodeLibrary):
    """Code that is linked into that of its callers, and has no addresses of its own."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Callers optimise."""

    def _optimize_final_module(self) -> None:
        """Callers optimise."""

    def _finalize_final_module(self) -> None:
        """No machine code."""
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Null."""
        return 0


class OuterLibrary(codegen.JITCodeLibrary):
    """Code that is optimised once, when it is whole: numba also does it by functions, and before it prunes references."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        made = self._codegen._module_pass_manager()
        manager, more = (made[0], made[1:]) if isinstance(made, tuple) else (made, ())
        manager.run(self._final_module, *more)


class BorrowingLibrary(OuterLibrary):
    """Code that Python never calls: what makes no array of its own keeps no counts of references.

    Its callers hold all that it sees, and it returns none. A count is an atomic addition: dear in small networks, and more
    so between threads.
    """

    def _optimize_final_module(self) -> None:
        named = {function.name for function in self._final_module.functions if function.name.startswith("NRT_")}
        if named & COUNTS and named <= COUNTS | {FREED}:
            self._final_module.link_in(binding.parse_assembly(UNCOUNTED), preserve=True)
            for name in named & COUNTS:
                self._final_module.get_function(name).linkage = "internal"
        super()._optimize_final_module()


def makes_none(state: Any) -> bool:
    """Whether a function returns no arrays, and has none but its arguments, views of these, and what lies on the stack."""
    model = state.targetctx.data_model_manager

    def holds(kind: Any) -> bool:
        return bool(model[kind].contains_nrt_meminfo())

    if holds(state.return_type):
        return False
    for block in state.func_ir.blocks.values():
        for assigned in block.find_insts(ir.Assign):
            made = assigned.value
            if not isinstance(made, ir.Expr) or made.op in VIEWS or not holds(state.typemap[assigned.target.name]):
                continue
            called = getattr(state.typemap[made.func.name], "typing_key", None) if made.op == "call" else None
            if not getattr(called, "on_stack", False):
                return False
    return True


def lend(state: Any) -> None:
    """Have a function that makes no arrays lowered without a line for references."""
    if makes_none(state):
        state.targetctx = passing(state.targetctx, enable_nrt=False)  # refuses what the above should have seen


@register_pass(mutates_CFG=False, analysis_only=True)
class Borrow(LoweringPass):
    """Before lowering: a `BorrowingLibrary`, which can be kept on disk."""

    _name = "neuralstat_borrow"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Give the function its library."""
        lend(state)
        state.library = BorrowingLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class Lend(LoweringPass):
    """Before lowering of a kernel that Python calls: its library; no counts where it makes no arrays."""

    _name = "neuralstat_lend"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Give the function its library."""
        lend(state)
        state.library = OuterLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class KeepAsLowered(LoweringPass):
    """Before lowering: a library without machine code."""

    _name = "neuralstat_keep_as_lowered"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Give the function its library."""
        lend(state)
        state.library = InnerLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class OfferToCallers(LoweringPass):
    """After lowering: what callers find the code by."""

    _name = "neuralstat_offer_to_callers"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Register the function without an address."""
        lowered, library = state["cr"], state.library
        name = lowered.fndesc.qualname.split(".")[-1]
        module, doc = lowered.fndesc.lookup_module(), f"inner code of {name!r}"
        handle = _dynfunc.make_function(module, name, doc, 0, lowered.env, (library,))
        state.targetctx.insert_user_function(handle, lowered.fndesc, [library])
        state["cr"] = lowered._replace(cfunc=handle)
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class SetEnvironments(LoweringPass):
    """After lowering of a kernel that Python calls: the environments of the inner functions in it."""

    _name = "neuralstat_set_environments"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Set what the code refers to."""
        code = state.library.codegen
        for variable in state.library._final_module.global_variables:
            found = environment.lookup_environment(variable.name) if variable.name.startswith(ENVIRONMENT) else None
            if found is not None:
                code.set_env(variable.name, found)
        return False


@register_pass(mutates_CFG=True, analysis_only=False)
class Lowering(BaseNativeLowering):
    """numba's lowering, with `passing.Values`."""

    _name = "neuralstat_lowering"

    @property
    def lowering_class(self) -> Any:
        """What writes the code."""
        return Values


@register_pass(mutates_CFG=True, analysis_only=False)
class LateLowering(BaseNativeLowering):
    """numba's lowering, with `passing.LateValues`."""

    _name = "neuralstat_late_lowering"

    @property
    def lowering_class(self) -> Any:
        """What writes the code."""
        return LateValues


class Flags(compiler.Flags):
    """numba's, compared by what is set: to type an operation, each of its hundred overloads is looked up by flags."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(Flags)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Flags) else super().__eq__(other)


class Compiler(CompilerBase):
    """numba's, which makes a million objects in a second: the collector of cycles would search them time and again."""

    lowering: Any = Lowering

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.state.targetctx = passing(self.state.targetctx)
        self.state.typingctx = Remembering(self.state.typingctx)
        self.state.flags = Flags(self.state.flags)

    def stages(self, before: Any, after: Any) -> list[Any]:
        """numba's list of passes with `lowering`, a pass before it, and a pass after it."""
        made = DefaultPassBuilder.define_nopython_pipeline(self.state)
        made.passes = [(self.lowering if stage is NativeLowering else stage, text) for stage, text in made.passes
                       if stage.__name__ not in UNNEEDED]  # fmt: skip
        made.add_pass_after(before, IRLegalization)
        made.add_pass_after(after, self.lowering)
        made.finalize()
        made._ENFORCING = False  # the graph of blocks is made by the passes that read it, not anew after each
        return [made]

    def compile_extra(self, func: Any) -> Any:
        """Compile, under numba's lock."""
        collects = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if collects:
                gc.enable()


class InnerCompiler(Compiler):
    """numba's stages, but for machine code."""

    def define_pipelines(self) -> list[Any]:
        """One list of passes."""
        return self.stages(KeepAsLowered, OfferToCallers)


class OuterCompiler(Compiler):
    """numba's stages, and the environments of inner functions; arguments are laid down for it, as for late kernels."""

    lowering = LateLowering

    def define_pipelines(self) -> list[Any]:
        """One list of passes."""
        return self.stages(Lend, SetEnvironments)


class LateCompiler(Compiler):
    """numba's stages for code that is called by its address alone: no counts of references where it makes no arrays."""

    lowering = LateLowering

    def define_pipelines(self) -> list[Any]:
        """One list of passes."""
        return self.stages(Borrow, SetEnvironments)
