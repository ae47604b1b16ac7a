"""Kernels that only kernels call are optimised and turned into machine code once, with their callers.

numba optimises and emits the code of a function together with all functions that it calls, at every level of a tree of
calls: what lies eight levels deep is compiled eight times. Here inner functions stay as they were lowered, and the
kernels that Python calls are optimised whole.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from numba import _dynfunc
from numba.core import codegen, environment
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import IRLegalization, NativeLowering

ENVIRONMENT = "_ZN08NumbaEnv"  # numba's prefix of a function's environment in its code
COUNTS, FREED = {"NRT_incref", "NRT_decref"}, "NRT_MemInfo_call_dtor"  # what numba calls for references
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


class BorrowingLibrary(codegen.JITCodeLibrary):
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


@register_pass(mutates_CFG=False, analysis_only=True)
class Borrow(LoweringPass):
    """Before lowering: a `BorrowingLibrary`, which can be kept on disk."""

    _name = "neuralstat_borrow"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Give the function its library."""
        state.library = BorrowingLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
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


class InnerCompiler(CompilerBase):
    """numba's stages, but for machine code."""

    def define_pipelines(self) -> list[Any]:
        """One list of passes."""
        stages = DefaultPassBuilder.define_nopython_pipeline(self.state)
        stages.add_pass_after(KeepAsLowered, IRLegalization)
        stages.add_pass_after(OfferToCallers, NativeLowering)
        stages.finalize()
        return [stages]


class OuterCompiler(CompilerBase):
    """numba's stages, and the environments of inner functions."""

    def define_pipelines(self) -> list[Any]:
        """One list of passes."""
        stages = DefaultPassBuilder.define_nopython_pipeline(self.state)
        stages.add_pass_after(SetEnvironments, NativeLowering)
        stages.finalize()
        return [stages]


class LateCompiler(CompilerBase):
    """numba's stages for code that is called by its address alone: no counts of references where it makes no arrays."""

    def define_pipelines(self) -> list[Any]:
        """One list of passes."""
        stages = DefaultPassBuilder.define_nopython_pipeline(self.state)
        stages.add_pass_after(Borrow, IRLegalization)
        stages.add_pass_after(SetEnvironments, NativeLowering)
        stages.finalize()
        return [stages]
