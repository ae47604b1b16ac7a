"""Kernels that are compiled by themselves, when they are first called, and bound late.

A kernel that others call by `compile.jit` is compiled with each of them. What many call, and each of them calls seldom (a
layer's sums, an activation, the loss of a family, an optimizer's step), is a `late` kernel: callers hold a pointer to it,
which is null until the first call asks Python for the address. So it is compiled, and kept on disk, once for each kind of
number, whoever calls it; and not at all where nobody does.
"""

from __future__ import annotations

import _thread
import ctypes
import hashlib
import importlib
import inspect
import itertools
import sys
import threading
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from .compile import apart, conventions_of
from .known import KNOWN, PREFIX

RESOLVE = "neuralstat_late_kernel"  # the symbol that compiled code asks for addresses
AGAIN = 0.01  # seconds after which an interrupt that came during compilation comes again

_KERNELS: dict[tuple[str, str], Any] = {}
_numbers = itertools.count()


def late(function: Callable[..., Any] | None = None, *, strict: bool = False, returns: str | None = None) -> Any:
    """Declare a late kernel. It takes positional arguments: numbers, arrays (contiguous), None.

    Parameters
    ----------
    function : callable
        Of a module: found again by its name.
    strict : bool
        See `compile.jit`.
    returns : str, optional
        The name of an array among the arguments: a real number is returned where it holds real ones, else a complex one,
        each in double precision. None: nothing is returned.
    """
    if function is None:
        return lambda f: late(f, strict=strict, returns=returns)
    if numba.config.DISABLE_JIT:
        return function
    key = (function.__module__, function.__qualname__)
    kernel = _KERNELS[key] = apart(function, strict)
    parameters = inspect.signature(function).parameters
    source = None if returns is None else list(parameters).index(returns)

    def declare(typingctx: Any, *given: Any) -> Any:
        kinds = tuple(_canonical(kind, f"{key[1]}: {name}") for kind, name in zip(given, parameters, strict=True))
        result = types.void if source is None else _double(kinds[source].dtype)
        name = ".".join((PREFIX, *key, hashlib.sha256(repr((key, *map(str, kinds))).encode()).hexdigest()[:16]))
        KNOWN[name] = (*key, result(*kinds))

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            conventions = conventions_of(context)
            called = _gate(conventions.get_function_type(result, kinds), builder.module, name)
            status, value = conventions.call_function(builder, called, result, kinds, arguments)
            with builder.if_then(status.is_error, likely=False):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value() if source is None else value

        taken = (kind if isinstance(kind, types.Array) else own for kind, own in zip(given, kinds, strict=True))
        return result(*taken), generate

    first = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    declare.__signature__ = inspect.Signature([first, *parameters.values()])  # type: ignore[attr-defined]
    declare.__name__ = declare.__qualname__ = function.__name__
    declare.__doc__ = function.__doc__
    made = intrinsic(declare)
    made.py_func = function
    made.kernel = kernel
    return made


def is_kernel(thing: Any) -> bool:
    """Whether something is a kernel, by `compile.jit` or late: its `py_func` is the plain function."""
    return isinstance(thing, Dispatcher) or hasattr(thing, "kernel")


def _canonical(kind: Any, where: str) -> Any:
    """The type that a kernel is compiled for: callers that differ in what does not matter share it."""
    kind = types.unliteral(kind)
    if isinstance(kind, types.Array):
        if kind.layout != "C":
            raise numba.TypingError(f"{where}: a late kernel takes contiguous arrays, not {kind}.")
        return types.Array(kind.dtype, kind.ndim, "C")
    if isinstance(kind, types.Boolean):
        return types.boolean
    return types.int64 if isinstance(kind, types.Integer) else kind


def _double(kind: Any) -> Any:
    return types.complex128 if isinstance(kind, types.Complex) else types.float64


def _gate(base: Any, module: Any, name: str) -> Any:
    """A function of the caller's module that goes on to the kernel, and asks for its address the first time."""
    known = f"neuralstat_late_gate.{name}"
    if known in module.globals:
        return module.globals[known]
    gate = ir.Function(module, base, known)
    gate.linkage = "internal"
    pointer = ir.IntType(8).as_pointer()
    place = ir.GlobalVariable(module, pointer, f"neuralstat_late_place.{next(_numbers)}")
    place.linkage = "internal"
    place.initializer = ir.Constant(pointer, None)
    text = bytearray(name.encode() + b"\0")
    label = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), len(text)), name)
    label.linkage, label.global_constant = "internal", True
    label.initializer = ir.Constant(label.type.pointee, text)
    b = ir.IRBuilder(gate.append_basic_block())
    bound = b.icmp_unsigned("!=", b.load(place), ir.Constant(pointer, None))
    with b.if_then(b.not_(bound), likely=False):
        kind = ir.FunctionType(pointer, [pointer])
        resolve = module.globals.get(RESOLVE) or ir.Function(module, kind, RESOLVE)
        address = b.call(resolve, [b.bitcast(label, pointer)])
        with b.if_then(b.icmp_unsigned("==", address, ir.Constant(pointer, None)), likely=False):
            b.ret(ir.Constant(ir.IntType(32), -3))  # numba raises StopIteration; `_resolve` has said why
        b.store(address, place)
    target = b.bitcast(b.load(place), base.as_pointer())
    call = b.call(target, gate.args, tail=True)
    b.ret(call)
    return gate


def _resolve(name: bytes) -> int:
    """Address of a late kernel, compiled or read from the cache now."""
    interrupted = False
    while True:
        try:
            module, function, kinds = KNOWN[name.decode()]
            importlib.import_module(module)
            kernel = _KERNELS[module, function]
            kernel.compile(kinds)
            made = kernel.overloads[kinds.args]
            address = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
            break
        except KeyboardInterrupt:  # compiled code cannot raise it: it comes again once that has ended
            interrupted = True
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            return 0
    if interrupted:
        threading.Timer(AGAIN, _thread.interrupt_main).start()
    return int(address)


_callback = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(_resolve)
binding.add_symbol(RESOLVE, ctypes.cast(_callback, ctypes.c_void_p).value)
