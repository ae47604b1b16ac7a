"""Kernels in which tests of known arguments are decided, so that what these exclude is not compiled for a device.

A CPU's kernel of all distributions chooses by a code, and is compiled once and for all. A device's kernels are compiled in
every process, for the network at hand: with its code known, one distribution and one link are left of all.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from ...jit.late import is_kernel

Known = dict[str, Any]
_PLAIN = (
    ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.operator, ast.unaryop,
    ast.cmpop, ast.boolop,
)  # fmt: skip
_UNKNOWN = object()


def decide(function: Any, known: Known, twin: Callable[[Any, Known], Any]) -> Any:
    """A function with the branches that known arguments leave; its arguments stay as they are.

    Parameters
    ----------
    function : function
        Plain Python, with its source.
    known : dict of str to int
        Values of some arguments.
    twin : callable
        ``(kernel, known)``: what takes the place of a kernel that is called with known arguments.
    """
    source = ast.parse(textwrap.dedent(inspect.getsource(function)))
    ast.increment_lineno(source, function.__code__.co_firstlineno - 1)
    (definition,) = source.body
    assert isinstance(definition, ast.FunctionDef)
    own = function.__code__.co_varnames[: function.__code__.co_argcount]
    if definition.name != function.__code__.co_name or tuple(part.arg for part in definition.args.args) != own:
        raise RuntimeError(f"{function.__code__.co_filename} is not what was imported from it: start Python again.")
    definition.decorator_list = []
    scope = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    branches = _Branches(definition, known, scope, twin)
    branches.visit(definition)
    scope.update(branches.called)
    code = compile(ast.fix_missing_locations(source), function.__code__.co_filename, "exec")
    exec(code, scope)  # the package's own source, with fewer branches
    made = scope[definition.name]
    made.__qualname__, made.__defaults__ = function.__qualname__, function.__defaults__
    return made


class _Branches(ast.NodeTransformer):
    """Takes the branches whose tests are known, and hands on what calls know."""

    def __init__(self, definition: ast.FunctionDef, known: Known, scope: dict[str, Any], twin: Any) -> None:
        self.scope, self.twin = scope, twin
        self.called: dict[str, Any] = {}  # what stands in the place of other kernels, by new names
        stored = [node.id for node in ast.walk(definition) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        own = [argument.arg for argument in definition.args.args]
        self.local = {*stored, *own}
        self.once = {name for name in self.local if (stored + own).count(name) == 1}
        self.known = {name: value for name, value in known.items() if name in self.once}

    def value(self, node: ast.expr) -> Any:
        """What an expression of known names and whole constants is, or `_UNKNOWN`."""
        parts = list(ast.walk(node))
        names = {part.id for part in parts if isinstance(part, ast.Name)}
        constants = {name: self.scope[name] for name in names - self.local if isinstance(self.scope.get(name), int)}
        if not all(isinstance(part, _PLAIN) for part in parts) or names - set(self.known) - set(constants):
            return _UNKNOWN
        code = compile(ast.Expression(node), "<known>", "eval")
        found = eval(code, {"__builtins__": {}}, {**constants, **self.known})
        return found if isinstance(found, int) else _UNKNOWN

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        (target,) = node.targets
        pairs = [(target, node.value)]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=True))
        for name, expression in pairs:
            if isinstance(name, ast.Name) and name.id in self.once and (found := self.value(expression)) is not _UNKNOWN:
                self.known[name.id] = found
        return node

    def visit_If(self, node: ast.If) -> Any:
        test = self.value(node.test)
        if test is _UNKNOWN:
            return self.generic_visit(node)
        taken = []
        for statement in node.body if test else node.orelse:
            found = self.visit(statement)
            taken += found if isinstance(found, list) else [found]
        return taken or [ast.Pass()]

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        test = self.value(node.test)
        return self.generic_visit(node) if test is _UNKNOWN else self.visit(node.body if test else node.orelse)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id in self.local:
            return node
        kernel: Any = self.scope.get(node.func.id)
        if is_kernel(kernel):
            names = list(inspect.signature(kernel.py_func).parameters)
            given = [*zip(names, node.args, strict=False), *((word.arg, word.value) for word in node.keywords)]
            told = {name: self.value(argument) for name, argument in given}
            told = {str(name): value for name, value in told.items() if value is not _UNKNOWN}
            if told:
                name = f"{node.func.id}_{len(self.called)}"
                self.called[name] = self.twin(kernel, told)
                node.func = ast.copy_location(ast.Name(name, ast.Load()), node.func)
        return node
