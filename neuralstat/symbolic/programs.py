"""Small straight-line programs: what is left of a user's activation or error function after differentiation.

A program computes (value, slope, curvature) from one or two numbers. It consists of trees: a number, the name
of an argument or of an earlier step, or a list ``[operation, tree, ...]`` with an operation of a fixed list.
It can therefore be saved as JSON, checked, printed as Python source and compiled, without executing anything
that a file says.
"""

from __future__ import annotations

import keyword
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from neuralstat.errors import ArgumentError, FileFormatError
from neuralstat.jit.call import PYTHON_FUNCTIONS, UNCOMPILED
from neuralstat.jit.elementary import FUNCTIONS

#: operation -> (least, most) number of operands, for those written with an operator
OPERATORS = {"+": (2, None), "*": (2, None), "-": (1, 1), "/": (2, 2), "**": (2, 2)}
_WORDS = {3: "three"}
RESULTS = ("value", "slope", "curvature")
_MAX_NODES, _MAX_DEPTH = 500, 80  # of stored programs: each node takes milliseconds to compile

Tree = float | int | str | tuple
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Program:
    """A straight-line program for (value, slope, curvature).

    Attributes
    ----------
    arguments : tuple of str
        Names of the inputs.
    steps : tuple of (str, tree)
        Shared subexpressions, in order of computation.
    results : tuple of 3 trees
        Value, slope and curvature; of densities value, derivatives and second derivatives in several arguments.
    """

    arguments: tuple[str, ...]
    steps: tuple[tuple[str, Tree], ...]
    results: tuple[Tree, ...]

    def source(self, name: str = "function", out: str | None = None) -> str:
        """Python source of a function with this name that returns (value, slope, curvature), or writes them into `out`."""
        lines = [f"def {name}({', '.join((*self.arguments, *([] if out is None else [out])))}):"]
        lines += [f"    {step} = {_print(tree)}" for step, tree in self.steps]
        lines += [f"    {result} = {_print(tree)}" for result, tree in zip(RESULTS, self.results)]
        ends = [f"    return {', '.join(RESULTS)}"]
        if out is not None:
            ends = [f"    {out}[{k}] = {result}" for k, result in enumerate(RESULTS)]
        return "\n".join([*lines, *ends, ""])

    def pointer_source(self) -> str:
        """Python source of a function that reads arguments from one array and writes results into another."""
        lines = ["def function(_in, _out):"]
        lines += [f"    {name} = _in[{k}]" for k, name in enumerate(self.arguments)]
        lines += [f"    {step} = {_print(tree)}" for step, tree in self.steps]
        lines += [f"    _out[{k}] = {_print(tree)}" for k, tree in enumerate(self.results)]
        return "\n".join([*lines, ""])

    def to_json(self) -> dict[str, Any]:
        """JSON-serialisable form.

        Raises
        ------
        ArgumentError
            Where it is larger than a stored program may be.
        """
        nodes = sum(map(_count, (*(tree for _, tree in self.steps), *self.results)))
        if nodes > _MAX_NODES:
            raise ArgumentError(
                f"a custom function of {nodes} operations and operands cannot be saved, {_MAX_NODES} at most can."
            )
        return {
            "arguments": list(self.arguments),
            "steps": [[name, _lists(tree)] for name, tree in self.steps],
            "results": [_lists(tree) for tree in self.results],
        }

    @classmethod
    def from_json(cls, stored: Any, count: int = len(RESULTS)) -> Program:
        """Rebuild and check a program of `count` results.

        Raises
        ------
        FileFormatError
            For anything but the listed operations on known names and finite numbers.
        """
        if not isinstance(stored, dict) or set(stored) != {"arguments", "steps", "results"}:
            raise FileFormatError(
                "a stored function must be an object with 'arguments', 'steps' and 'results'"
            )
        if not all(isinstance(part, list) for part in stored.values()) or len(stored["results"]) != count:
            raise FileFormatError(f"a stored function must consist of lists, with {_WORDS.get(count, count)} results")
        reader = _Reader()
        for name in stored["arguments"]:
            reader.define(name)
        steps = []
        for step in stored["steps"]:
            if not isinstance(step, list) or len(step) != 2:
                raise FileFormatError(f"a step of a stored function must be [name, tree], not {step!r:.80}")
            tree = reader.read(step[1])
            steps.append((reader.define(step[0]), tree))
        results = tuple(reader.read(tree) for tree in stored["results"])
        return cls(tuple(stored["arguments"]), tuple(steps), results)


def _count(tree: Tree) -> int:
    return 1 + sum(map(_count, tree[1:])) if isinstance(tree, tuple) else 1


def _lists(tree: Tree) -> Any:
    return [tree[0], *map(_lists, tree[1:])] if isinstance(tree, tuple) else tree


class _Reader:
    """Checks stored trees: known operations, numbers of operands, defined names, bounded size."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.nodes = 0

    def define(self, name: Any) -> str:
        ok = isinstance(name, str) and name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
        if not ok or name.startswith("_") or name in FUNCTIONS or name in RESULTS or name in self.names:
            raise FileFormatError(f"a stored function cannot define the name {name!r:.80}")
        self.names.add(name)
        return name

    def read(self, tree: Any, depth: int = 0) -> Tree:
        self.nodes += 1
        if self.nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise FileFormatError("a stored function is too large")
        if isinstance(tree, str):
            if tree not in self.names:
                raise FileFormatError(f"a stored function uses the undefined name {tree!r:.80}")
            return tree
        if isinstance(tree, (int, float)) and not isinstance(tree, bool):
            if not (abs(tree) <= sys.float_info.max):
                raise FileFormatError(f"a stored function contains the number {tree!r:.80}")
            return tree
        if not isinstance(tree, list) or not tree or not isinstance(tree[0], str):
            raise FileFormatError(f"a stored function contains {tree!r:.80}, which is no expression")
        operation, operands = tree[0], tree[1:]
        if operation in FUNCTIONS:
            least = most = FUNCTIONS[operation][0]
        elif operation in OPERATORS:
            least, most = OPERATORS[operation]  # type: ignore[assignment]
        else:
            raise FileFormatError(f"a stored function uses the unknown operation {operation!r:.80}")
        if len(operands) < least or (most is not None and len(operands) > most):
            raise FileFormatError(
                f"operation {operation!r} of a stored function has {len(operands)} operands"
            )
        return (operation, *(self.read(operand, depth + 1) for operand in operands))


def _print(tree: Tree, level: int = 0) -> str:
    """Python text of a tree; `level` is the binding strength that the surroundings ask for."""
    if isinstance(tree, str):
        return tree
    if not isinstance(tree, tuple):
        text = repr(float(tree))
        return f"({text})" if level > 1 and text.startswith("-") else text
    operation, *operands = tree
    if operation not in OPERATORS:
        return f"{operation}({', '.join(map(_print, operands))})"
    if operation == "+":
        own, text = 1, _print(operands[0], 1)
        for term in operands[1:]:
            if isinstance(term, tuple) and term[0] == "-":
                text += f" - {_print(term[1], 2)}"
            elif isinstance(term, (int, float)) and term < 0:
                text += f" - {_print(-term)}"
            else:
                text += f" + {_print(term, 1)}"
    elif operation == "-":
        own, text = 1, "-" + _print(operands[0], 2)
    elif operation == "*":
        own, text = 2, "*".join(_print(operand, 2 if i == 0 else 3) for i, operand in enumerate(operands))
    elif operation == "/":
        own, text = 2, f"{_print(operands[0], 2)}/{_print(operands[1], 3)}"
    else:
        # A literal whole exponent becomes multiplications, which are faster and more accurate than pow.
        base, exponent = operands
        whole = isinstance(exponent, int) and abs(exponent) <= 64
        own, text = 3, f"{_print(base, 4)}**{exponent if whole else _print(exponent, 4)}"
    return f"({text})" if level > own else text


_LOCK = threading.RLock()
_ADDRESSES: dict[Any, tuple[int, Any]] = {}  # keeps compiled functions alive, so that addresses stay valid
_PYTHON: dict[Any, Callable[..., Triple]] = {}
_JITTED: dict[str, Any] = {}
Extra = tuple[tuple[str, Callable[..., float]], ...]


def address(program: Program, extra: Extra = ()) -> int:
    """Address of the C function of a program, compiled on first use and kept until the process ends.

    Parameters
    ----------
    program : Program
        With one argument for an activation, two for an error.
    extra : tuple of (str, function)
        Functions that the program calls and that could not be expressed in it.

    Returns
    -------
    int
        Address of ``void f(double z, double* out)`` or ``void f(double x, double y, double* out)``;
        with numba's JIT switched off a made-up number, under which `engine.call.PYTHON_FUNCTIONS`
        has the function.
    """
    key = (program, extra)
    with _LOCK:
        if key not in _ADDRESSES:
            if UNCOMPILED:
                made_up = len(PYTHON_FUNCTIONS) + 1
                PYTHON_FUNCTIONS[made_up] = python_function(program, extra)
                _ADDRESSES[key] = (made_up, None)
            else:
                compiled = _c_function(program, extra)
                _ADDRESSES[key] = (compiled.address, compiled)
        return _ADDRESSES[key][0]


def python_function(program: Program, extra: Extra = ()) -> Callable[..., Triple]:
    """Plain Python version of a program on float64 scalars, as silent about overflow as compiled code is."""
    key = (program, extra)
    with _LOCK:
        if key not in _PYTHON:
            plain = {name: function for name, (_, function) in FUNCTIONS.items()}
            inner = _define(program, {**plain, **dict(extra)})

            def outer(*arguments: float) -> Triple:
                with np.errstate(all="ignore"):
                    value, slope, curvature = inner(*map(np.float64, arguments))
                return float(value), float(slope), float(curvature)

            _PYTHON[key] = outer
        return _PYTHON[key]


def _define(program: Program, functions: dict[str, Any], out: str | None = None) -> Callable[..., Triple]:
    """Run the source of a (checked) program in a namespace with nothing but these functions."""
    namespace: dict[str, Any] = {"__builtins__": {}, **functions}
    exec(compile(program.source(out=out), "<neuralstat custom function>", "exec"), namespace)
    return namespace["function"]


def _jit(name: str, function: Callable) -> Any:
    """Compiled form of an elementary function; numpy's own are known to numba."""
    if isinstance(function, np.ufunc):
        return function
    if name not in _JITTED:
        _JITTED[name] = numba.njit(error_model="numpy", nogil=True)(function)
    return _JITTED[name]


def _c_function(program: Program, extra: Extra) -> Any:
    """The C function: one compiled unit, half a megabyte, which numba keeps until the process ends."""
    functions: dict[str, Any] = {name: _jit(name, function) for name, (_, function) in FUNCTIONS.items()}
    functions.update({name: numba.njit(error_model="numpy")(function) for name, function in extra})
    double, pointer = numba.types.float64, numba.types.CPointer(numba.types.float64)
    types = [double] * len(program.arguments)
    compiler = numba.cfunc(numba.types.void(*types, pointer), error_model="numpy")
    return compiler(_define(program, functions, "_out"))  # no name of a program begins so
