"""Bounds of formulas, before they are expanded: length, depth, powers, numbers of terms and of columns."""

import ast
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from neuralstat.checks.memory import check_size
from neuralstat.checks.values import shown
from neuralstat.errors import TooLargeError
from neuralstat.formula import expressions

LENGTH = 100_000  # characters of a formula
DEPTH = 60  # brackets in brackets
POWER = 100  # of terms, as in (x + z)**2
TERMS = 100_000  # that products of terms may make
LEAST = 100  # columns or rows that a term may ask for, however few rows there are
TENSOR = 5  # k of a margin of te() where it is not said
MOST = 10**9  # of one margin, so that products are no endless numbers
COPIES = 24  # bytes that a number of the matrix takes, with its copies

#: Arguments of transforms that must not be beyond the number of rows: position and name.
_OF_ROWS: dict[str, tuple[tuple[int, str], ...]] = {
    "poly": ((1, "degree"),), "bs": ((1, "df"), (3, "degree")), "cr": ((1, "df"),), "cs": ((1, "df"),), "cc": ((1, "df"),),
    "lag": ((1, "k"),), "lags": ((1, "k"), (2, "start")), "leads": ((1, "k"), (2, "start")), "window": ((1, "h"),),
}  # fmt: skip
_OF_MEMORY: dict[str, tuple[tuple[int, str], ...]] = {
    "hashed": ((1, "levels"),), "sequences": ((1, "length"),), "s": ((1, "k"),),
}  # fmt: skip
_ARITHMETIC: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Pow: operator.pow,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip


def check_text(formula: str) -> None:
    """Raise `TooLargeError` where a formula is longer, or nested deeper, than one may be."""
    if len(formula) > LENGTH:
        raise TooLargeError(
            f"formula: {shown(formula)} has {len(formula)} characters, more than {LENGTH}; write '.' for so many columns, "
            "or give arrays."
        )
    depth = 0
    for k, character in enumerate(formula):
        depth += (character in "([{") - (character in ")]}")
        if depth > DEPTH:
            near = formula[max(k - 20, 0) : k + 20]
            raise TooLargeError(f"formula: brackets are nested more than {DEPTH} deep at {shown(near)}.")


def check_power(base: Iterable[Any], power: int) -> None:
    """Raise `TooLargeError` where terms are raised to a power that none needs."""
    if power > POWER:
        said = " + ".join(map(str, base))
        raise TooLargeError(f"formula: ({said:.60})**{shown(power)}: the power must be at most {POWER}.")


def check_terms(count: int, left: Sequence[Any], symbol: str, right: Sequence[Any]) -> None:
    """Raise `TooLargeError` where an operator would make more terms than can be."""
    if count > TERMS:
        first, second = (str(terms[0]) + (" + ..." if len(terms) > 1 else "") for terms in (left, right))
        raise TooLargeError(
            f"formula: ({first:.60}){symbol}({second:.60}) would make {count} terms, more than {TERMS}: fewer columns, or "
            "a lower power."
        )


def requests(expr: str, context: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Calls in an expression that ask for a number of columns or rows: the function, the call, the number."""
    tree, aliases = expressions.parse(expr)

    def said_as(node: ast.AST) -> str:
        text = ast.unparse(node)
        for alias, name in aliases.items():
            text = text if alias == name else text.replace(alias, f"`{name}`")
        return text

    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id in context:
            continue
        function = node.func.id
        for position, name in (*_OF_ROWS.get(function, ()), *_OF_MEMORY.get(function, ())):
            said = next((k.value for k in node.keywords if k.arg == name), None)
            if said is None and position < len(node.args):
                said = node.args[position]
            value = None if said is None else _whole(said, context)
            if value is not None:
                yield function, said_as(node), abs(value)
        if function == "te":
            yield function, said_as(node), _products(node, context)


def _products(node: ast.Call, context: Mapping[str, Any]) -> int:
    """Columns of a tensor product of as many bases as it has covariates."""
    said = next((k.value for k in node.keywords if k.arg == "k"), None)
    listed = said.elts if isinstance(said, ast.Tuple | ast.List) else [said] * len(node.args)
    sizes = [TENSOR if one is None else _whole(one, context) or 1 for one in listed]
    return math.prod(min(abs(size), MOST) for size in sizes)


def _whole(node: ast.AST, context: Mapping[str, Any]) -> int | None:
    """The whole number that a number, a name or arithmetic with them stands for; None where it is something else."""
    if isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in context):
        value = node.value if isinstance(node, ast.Constant) else context[node.id]
        if isinstance(value, float) and math.isfinite(value):
            value = int(value)
        return value if isinstance(value, int) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _whole(node.operand, context)
        return None if value is None else -value
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _whole(node.left, context), _whole(node.right, context)
        if left is None or right is None or (isinstance(node.op, ast.Pow) and not 0 <= right < 1000):
            return None
        return None if isinstance(node.op, ast.FloorDiv) and right == 0 else _ARITHMETIC[type(node.op)](left, right)
    return None


def check_expression(expr: str, n: int, context: Mapping[str, Any], rows: int = 0) -> int:
    """How many columns an expression asks for, as far as its numbers say it: 1 where they do not.

    The n rows may be some of `rows` in all.

    Raises
    ------
    TooLargeError
        Where it asks for more columns or rows than the n rows can carry, or the memory at hand can hold.
    """
    most = 1
    for function, call, value in requests(expr, context):
        if function == "s":
            value = min(value, max(n, rows, 1))  # it says itself how many different values there are
        if function in _OF_ROWS and value > max(n, rows, LEAST):
            raise TooLargeError(f"formula: `{call:.80}` asks for {shown(value)}, but there are {max(n, rows)} rows.")
        if function in ("hashed", "te") and value > TERMS:
            raise TooLargeError(f"formula: `{call:.80}` asks for {shown(value)} columns, each with a name; at most {TERMS}.")
        check_size(value * max(n, 1), f"formula: `{call:.80}` asks for {shown(value)} columns of {n} rows", COPIES)
        most = max(most, 1 if function == "lag" else value)
    return most


def check_columns(
    terms: Sequence[Any], n: int, levels: Mapping[str, int], context: Mapping[str, Any], rows: int = 0
) -> None:
    """Raise `TooLargeError` where terms would make more columns than rows can carry, or memory can hold.

    Parameters
    ----------
    terms : sequence of formulaic's Term
    n : int
        Rows.
    levels : mapping of str to int
        How many values the columns have that are, or may be made, factors.
    context : mapping
        The caller's names.
    rows : int
        Of the data, where the n rows are some of them.
    """
    total, largest, widest = 0, 0, ""
    for term in terms:
        columns = 1
        for factor in term.factors:
            if factor.eval_method.value == "lookup":
                columns *= levels.get(factor.expr, 1)
            elif factor.eval_method.value == "python":
                asked = check_expression(factor.expr, n, context, rows) * _by(factor.expr, levels)
                made = [levels.get(name, 1) for name in expressions.names(factor.expr)] if _codes(factor.expr) else ()
                columns *= max((asked, *made))
        total += columns
        if columns > largest:
            largest, widest = columns, str(term)
    check_size(total * max(n, 1), f"formula: {total} columns for {n} rows, {largest} of them of `{widest:.80}`", COPIES)


def _codes(expr: str) -> bool:
    """Whether an expression makes a factor of what it reads."""
    called = expressions.called(expr)
    return "C" in called and not {"s", "te"} & {*called}


def _by(expr: str, levels: Mapping[str, int]) -> int:
    """For how many levels an expression makes smooths."""
    tree, aliases = expressions.parse(expr)
    most = 1
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and expressions.is_call_of(node, ("s", "te")):
            given = [k.value for k in node.keywords if k.arg == "by"]
            given += node.args[3:4] if expressions.is_call_of(node, ("s",)) else ()
            names = [aliases.get(n.id, n.id) for part in given for n in ast.walk(part) if isinstance(n, ast.Name)]
            most = max((most, *(levels.get(name, 1) for name in names)))
    return most
