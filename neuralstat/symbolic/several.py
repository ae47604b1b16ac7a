"""Densities that users write: Python functions of parameters and a response, differentiated in the linear predictors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np

from neuralstat.checks import shown
from neuralstat.errors import ArgumentError, FileFormatError
from neuralstat.jit.call import PYTHON_FUNCTIONS, UNCOMPILED
from neuralstat.symbolic import programs
from neuralstat.symbolic.programs import FUNCTIONS, Program

RESPONSE = "y"


def match(loglik: Callable[..., Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Order in which a function takes the parameters and y: by name, else by position, y last.

    Raises
    ------
    ArgumentError
        Where it does not take as many.
    """
    wanted = (*names, RESPONSE)
    if not callable(loglik):
        raise ArgumentError(f"loglik must be a function of {', '.join(wanted)}; got {shown(loglik)}.")
    try:
        given = inspect.signature(loglik).parameters.values()
        own = [p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (ValueError, TypeError):
        return wanted
    if len(own) != len(wanted):
        raise ArgumentError(f"loglik must be a function of {', '.join(wanted)}; its arguments are ({', '.join(own)}).")
    return tuple(own) if set(own) == set(wanted) else wanted


def derive_program(loglik: Callable[..., Any], links: Mapping[str, str]) -> Program:
    """Minus the log-density, its gradient and Hessian in the linear predictors, as a program of these and y.

    Results are the value, K derivatives, and K x K second derivatives row by row.

    Raises
    ------
    ArgumentError
        Where something in the function is not understood.
    """
    import sympy

    from neuralstat.symbolic import derive
    from neuralstat.symbolic.rewriting import rewrite

    names = tuple(links)
    density = derive.trace(loglik, match(loglik, names))
    symbols = dict(zip(names, derive.symbols(names), strict=True))
    inverse = {"identity": lambda e: e, "log": sympy.exp, "logit": lambda e: 1 / (1 + sympy.exp(-e))}
    value = rewrite(-density.subs({s: inverse[links[n]](s) for n, s in symbols.items()}, simultaneous=True))
    first = [derive.derivative(value, s) for s in symbols.values()]
    second = [derive.derivative(f, s) for f in first for s in symbols.values()]
    return derive.program((value, *map(rewrite, first), *map(rewrite, second)), (*names, RESPONSE))


_KEPT: dict[Program, tuple[int, Any]] = {}


def address(program: Program) -> int:
    """Address of ``void f(double* given, double* told)`` of a program, compiled on first use and kept."""
    with programs._LOCK:
        if program not in _KEPT:
            _KEPT[program] = _made(program)
        return _KEPT[program][0]


def _made(program: Program) -> tuple[int, Any]:
    plain = {name: function for name, (_, function) in FUNCTIONS.items()}
    source = program.pointer_source()
    if UNCOMPILED:
        number = len(PYTHON_FUNCTIONS) + 1
        inner = plain_function(source, plain)

        def outer(given: Any, told: Any) -> None:
            with np.errstate(all="ignore"):
                inner(given, told)

        PYTHON_FUNCTIONS[number] = outer
        return number, None
    compiled_functions = {name: programs._jit(name, function) for name, function in plain.items()}
    pointer = numba.types.CPointer(numba.types.float64)
    function = plain_function(source, compiled_functions)
    compiled = numba.cfunc(numba.types.void(pointer, pointer), error_model="numpy")(function)
    return compiled.address, compiled


def plain_function(source: str, functions: dict[str, Any]) -> Any:
    """Run the source of a checked program in a namespace with nothing but these functions."""
    namespace: dict[str, Any] = {"__builtins__": {}, **functions}
    exec(compile(source, "<neuralstat density>", "exec"), namespace)
    return namespace["function"]


def program_from_json(stored: Any, names: tuple[str, ...]) -> Program:
    """A stored program with the right arguments and number of results.

    Raises
    ------
    FileFormatError
    """
    program = Program.from_json(stored, 1 + len(names) + len(names) ** 2)
    if program.arguments != (*names, RESPONSE):
        raise FileFormatError("a stored density has other arguments than its parameters")
    return program
