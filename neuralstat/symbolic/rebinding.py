"""Copies of a user's function whose names are bound to versions that understand symbols."""

from __future__ import annotations

import builtins
import functools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from neuralstat.symbolic.rules import RULES
from neuralstat.symbolic.tracing import NotTraceable, Tracer, apply

#: builtins that ask for numbers or truth values and have a symbolic version
_BUILTINS = {abs: "abs", max: "max", min: "min", float: "float", pow: "pow", bool: "bool"}
_MATH = {getattr(math, name): name for name in dir(math) if name in RULES and callable(getattr(math, name))}


def symbolic_version(name: str, original: Callable | None) -> Callable:
    """Version of a function that records symbols, and calls the original for plain numbers."""

    def either(*args: Any, **kwargs: Any) -> Any:
        if original is None or any(isinstance(a, Tracer) for a in (*args, *kwargs.values())):
            return apply(name, *args, **kwargs)
        with np.errstate(all="ignore"):  # constants that are not finite are refused later
            return original(*args, **kwargs)

    return either


class _MathModule:
    """The module `math` with symbolic versions."""

    def __getattr__(self, name: str) -> Any:
        return Rebinder().value(getattr(math, name), name)


class Rebinder:
    """Copies functions recursively; each function is copied once, so that recursion is possible."""

    def __init__(self) -> None:
        self.copies: dict[int, Any] = {}

    def value(self, value: Any, name: str) -> Any:
        """Version for symbols of whatever a name is bound to."""
        if value is math:
            return _MathModule()
        if isinstance(value, (types.BuiltinFunctionType, type)):
            known = _MATH.get(value) or _BUILTINS.get(value)
            if known is not None:
                return symbolic_version(known, value)
            if isinstance(value, types.BuiltinFunctionType) and getattr(value, "__module__", "") == "math":
                return _refuse(f"math.{value.__name__}")
            if isinstance(value, type) and issubclass(value, (np.floating,)):
                return symbolic_version("float", value)
            return value
        if isinstance(value, functools.partial):
            keywords = {key: self.value(v, key) for key, v in value.keywords.items()}
            return functools.partial(self.value(value.func, name), *value.args, **keywords)
        if isinstance(value, types.MethodType):
            return types.MethodType(self.value(value.__func__, name), value.__self__)
        # numba's compiled functions and np.vectorize keep the Python function that they were made from
        inner = getattr(value, "py_func", None) or (value.pyfunc if isinstance(value, np.vectorize) else None)
        if isinstance(inner, types.FunctionType):
            return self.function(inner)
        if isinstance(value, types.FunctionType) and not _is_library(value):
            return self.function(value)
        call = vars(type(value)).get("__call__")  # an object of a user's class that can be called
        if isinstance(call, types.FunctionType) and not _is_library(call):
            return types.MethodType(self.function(call), value)
        return value

    def function(self, function: types.FunctionType) -> types.FunctionType:
        """Copy of a Python function."""
        if id(function) in self.copies:
            return self.copies[id(function)]
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        namespace: dict[str, Any] = {"__builtins__": builtins, "__name__": function.__module__}
        copy = types.FunctionType(function.__code__, namespace, function.__name__, None, cells)
        self.copies[id(function)] = copy
        for name in _names(function.__code__):
            if name in function.__globals__:
                namespace[name] = self.value(function.__globals__[name], name)
            elif hasattr(builtins, name):
                namespace[name] = self.value(getattr(builtins, name), name)
            elif name in RULES:
                namespace[name] = symbolic_version(name, getattr(np, name, getattr(math, name, None)))
        for own, theirs in zip(cells, function.__closure__ or ()):
            try:
                own.cell_contents = self.value(theirs.cell_contents, "")
            except ValueError:  # a name that is not assigned yet: nothing to rebind
                continue
        copy.__defaults__ = tuple(self.value(v, "") for v in function.__defaults__ or ()) or None
        copy.__kwdefaults__ = {
            k: self.value(v, k) for k, v in (function.__kwdefaults__ or {}).items()
        } or None
        return copy


def _refuse(name: str) -> Callable:
    def refuse(*args: Any) -> Any:
        if any(isinstance(a, Tracer) for a in args):
            raise NotTraceable(f"{name} is not understood")
        return getattr(math, name.removeprefix("math."))(*args)

    return refuse


def _is_library(function: types.FunctionType) -> bool:
    """Numpy's and scipy's own Python functions dispatch by themselves."""
    return (function.__module__ or "").split(".")[0] in {"numpy", "scipy"}


def _names(code: types.CodeType) -> set[str]:
    """Names that a function and the functions inside it may look up."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names
