"""Which expressions a stored formula may hold: arithmetic on columns, and calls of a fixed list of functions.

A formula that the user types in their own process may use any Python expression; one read from a file may not.
"""

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass

from neuralstat.errors import ArgumentError
from neuralstat.formula.expressions import CONTRASTS, STATEFUL, TRANSFORMS, functions, is_call_of, parse

_CONSTANTS = ("pi", "e")
# fmt: off
#: Parts of dates, durations and periods, by pandas' accessor: ``t.dt.month``; and those that are called, without arguments
DATES = frozenset((
    "year", "quarter", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond", "weekday", "day_of_week",
    "dayofweek", "day_of_year", "dayofyear", "days_in_month", "daysinmonth", "is_leap_year", "is_month_start",
    "is_month_end", "is_quarter_start", "is_quarter_end", "is_year_start", "is_year_end", "days", "seconds",
    "microseconds", "nanoseconds",
))
DATE_CALLS = frozenset(("total_seconds", "day_name", "month_name"))
# fmt: on
_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr)


def check_harmless(expr: str, columns: Collection[str], constants: Collection[str] = ()) -> None:
    """Raise where an expression is more than arithmetic on columns and calls of known functions.

    Allowed are names of `columns` and `constants`, numbers, strings, lists, tuples and dicts of these,
    arithmetic, comparisons, calls of the functions in `functions` and `TRANSFORMS` by plain name or as
    ``np.log``, ``contr.*``, and parts of dates as ``t.dt.month``. Everything else is refused: other names,
    attributes, subscripts, lambdas, comprehensions, formatted strings, walrus, star arguments, keyword arguments
    with a leading underscore, powers of large numbers.

    Parameters
    ----------
    expr : str
        Expression as it stands in the formula.
    columns, constants : collection of str
        Names that may be read.

    Raises
    ------
    ArgumentError
        Naming the expression and the part at fault.
    """
    tree, aliases = parse(expr)
    try:
        _check(tree.body, _Scope(expr, aliases, frozenset(columns), frozenset(constants)))
    except RecursionError:
        raise ArgumentError(f"formula: `{expr[:60]}...` is nested too deeply.") from None


@dataclass(frozen=True)
class _Scope:
    """What one expression may read."""

    expr: str
    aliases: dict[str, str]
    columns: frozenset[str]
    constants: frozenset[str]

    def name(self, node: ast.Name) -> str:
        return self.aliases.get(node.id, node.id)

    def is_data(self, name: str) -> bool:
        return name in self.columns or name in self.constants

    def is_column(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and self.name(node) in self.columns

    def refuse(self, node: ast.AST, why: str) -> ArgumentError:
        text = ast.unparse(node)
        return ArgumentError(f"formula: `{self.expr}` cannot be part of a stored model: `{text}` {why}.")


def _check(node: ast.AST, scope: _Scope) -> None:
    """Check one node and what is below it."""
    if isinstance(node, ast.Name):
        known = _is_function(node.id) and node.id not in scope.aliases
        if not (known or scope.is_data(scope.name(node))):
            raise scope.refuse(node, "is neither a column nor a function that neuralstat provides")
        return
    if isinstance(node, ast.Attribute):
        _check_attribute(node, scope)
        return
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, bool | int | float | str | None):
            raise scope.refuse(node, "is no number or string")
        return
    if isinstance(node, ast.Call):
        _check_call(node, scope)
        return
    if isinstance(node, ast.BinOp):
        _check_binary(node, scope)
    elif isinstance(node, ast.Dict):
        if any(key is None for key in node.keys):
            raise scope.refuse(node, "unpacks a mapping")
    elif not isinstance(node, ast.UnaryOp | ast.Compare | ast.List | ast.Tuple):
        raise scope.refuse(node, f"({type(node).__name__}) is not allowed")
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.operator | ast.unaryop | ast.cmpop | ast.expr_context):
            _check(child, scope)


def _is_function(name: str) -> bool:
    return name in TRANSFORMS or name in functions()


def _of_dates(node: ast.Attribute, known: Collection[str]) -> bool:
    """Whether an attribute is a part of dates, ``t.dt.month`` or ``(t - u).dt.days``."""
    return node.attr in known and isinstance(node.value, ast.Attribute) and node.value.attr == "dt"


def _check_attribute(node: ast.Attribute, scope: _Scope, dates: Collection[str] = DATES) -> None:
    if _of_dates(node, dates):
        _check(node.value.value, scope)  # type: ignore[attr-defined]
        return
    base = node.value.id if isinstance(node.value, ast.Name) else ""
    known = {"np": {*functions(), *_CONSTANTS}, "contr": CONTRASTS}.get(base, frozenset())
    if scope.is_data(base) or base in scope.aliases or node.attr not in known:
        raise scope.refuse(
            node, "is an attribute; only np.<elementwise function>, contr.<contrast> and <dates>.dt.<part> are allowed"
        )


def _check_call(node: ast.Call, scope: _Scope) -> None:
    if isinstance(node.func, ast.Name):
        if not _is_function(node.func.id) or node.func.id in scope.aliases:
            raise scope.refuse(node.func, "is not a function that neuralstat provides")
    elif isinstance(node.func, ast.Attribute):
        if _of_dates(node.func, DATE_CALLS) and (node.args or node.keywords):
            raise scope.refuse(node, "has arguments")
        _check_attribute(node.func, scope, DATE_CALLS)
    else:
        raise scope.refuse(node, "calls something that is not a plain name")
    if any(k.arg is None or k.arg.startswith("_") for k in node.keywords):
        raise scope.refuse(node, "unpacks a mapping or sets an internal argument")
    stateful = is_call_of(node, STATEFUL)
    for child in [*node.args, *(k.value for k in node.keywords)]:
        _check(child, scope)
        for inner in ast.walk(child) if stateful else ():
            # formulaic pastes the text of a stateful call into code: no string may end a literal there
            if isinstance(inner, ast.Constant) and re.search(r"[\"'\\\n]", str(inner.value)):
                raise scope.refuse(inner, "has a quote or backslash in a string given to a transform")


def _check_binary(node: ast.BinOp, scope: _Scope) -> None:
    if not isinstance(node.op, _BINARY):
        raise scope.refuse(node, "has an operator that is not allowed")
    for side in (node.left, node.right):
        text = isinstance(side, ast.Constant) and isinstance(side.value, str)
        if text or isinstance(side, ast.List | ast.Tuple | ast.Dict):
            raise scope.refuse(node, "does arithmetic with a string or list")
    if not isinstance(node.op, ast.Pow):
        return
    # whole numbers grow without bound: 9**9**9 would never end
    if not (_is_small(node.right, 64) or scope.is_column(node.right)):
        raise scope.refuse(node, "has an exponent that is neither a column nor a number up to 64")
    if not (_is_small(node.left, 1e6) or any(map(scope.is_column, ast.walk(node.left)))):
        raise scope.refuse(node, "has a base that is neither a plain number nor reads a column")


def _is_small(node: ast.AST, bound: float) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) <= bound
