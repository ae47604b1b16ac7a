"""Python expressions inside formulas: quoted names, the functions on offer, and what a stored formula may hold.

A formula that the user types in his own process may use any Python expression. A formula read from a file may
not: `check_harmless` lets only arithmetic on columns and calls of a fixed list of functions pass.
"""

import ast
import functools
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralstat.errors import ArgumentError

_ELEMENTWISE = [
    "abs",
    "sqrt",
    "cbrt",
    "square",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "arctan2",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "sign",
    "floor",
    "ceil",
    "rint",
    "round",
    "minimum",
    "maximum",
    "power",
    "where",
    "clip",
    "hypot",
    "isin",
]
_CONSTANTS = ("pi", "e")

# Transforms of formulaic that remember something of the data they were fitted to, or that mark factors.
TRANSFORMS = frozenset(
    [
        "poly",
        "bs",
        "cr",
        "cs",
        "cc",
        "scale",
        "center",
        "standardize",
        "lag",
        "C",
        "I",
        "Q",
        "hashed",
        "exp10",
        "Treatment",
        "Poly",
        "Sum",
        "Helmert",
        "Diff",
    ]
)
CONTRASTS = frozenset(["treatment", "sum", "helmert", "poly", "SAS", "diff", "custom"])
STATEFUL = frozenset(["poly", "bs", "cr", "cs", "cc", "scale", "center", "standardize", "Q"])

MAX_LENGTH = 10_000

_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""")
_BINARY = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr,
)  # fmt: skip


@functools.cache
def functions() -> dict[str, Any]:
    """Functions that formulas know besides formulaic's own: elementwise ones of numpy, under their plain names."""
    return {name: getattr(np, name) for name in _ELEMENTWISE}


def dequote(expr: str) -> tuple[str, dict[str, str]]:
    """Replace names in backticks by Python identifiers.

    formulaic does the same, but draws a random name where two would collide, so that the state of a transform
    is not found again on new data; here the identifier depends on the name alone.

    Returns
    -------
    code : str
        The expression without backticks.
    aliases : dict of str to str
        Identifier -> quoted name.
    """
    aliases: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        text = match.group(0)
        if text[0] != "`":
            return text
        name = text[1:-1]
        alias = name
        if not name.isidentifier():
            alias = "_q_" + re.sub(r"\W", lambda c: f"_{ord(c.group(0)):x}_", name)
        aliases[alias] = name
        return f" {alias} "

    return _QUOTED.sub(replace, expr).strip(), aliases


def quote_dotted(text: str, columns: Collection[str]) -> str:
    """Put R's dotted names (``Petal.Length``) of columns into backticks, since Python reads them as attributes."""
    dotted = [c for c in columns if "." in c and "`" not in c and re.fullmatch(r"[^\W\d][\w.]*", c)]
    if not dotted:
        return text
    names = "|".join(re.escape(c) for c in sorted(dotted, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w.])({names})(?![\w.(])")
    parts = _QUOTED.split(text)
    parts[::2] = [pattern.sub(r"`\1`", part) for part in parts[::2]]
    return "".join(parts)


def display(text: str) -> str:
    """Drop the backticks around names that R would not quote either."""
    return re.sub(r"`([^\W\d][\w.]*)`", r"\1", text)


def parse(expr: str) -> tuple[ast.Expression, dict[str, str]]:
    """Parse an expression of a formula; `ArgumentError` where it is not one Python expression."""
    code, aliases = dequote(expr)
    if len(code) > MAX_LENGTH:
        raise ArgumentError(f"formula: an expression of {len(code)} characters is longer than {MAX_LENGTH}.")
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ArgumentError(
            f"formula: `{expr}` is not an expression that Python can read ({error})."
        ) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise ArgumentError(
                f"formula: `{expr}` uses ^, which is no power inside an expression; write ** instead."
            )
    return tree, aliases


def names(expr: str) -> tuple[str, ...]:
    """Give the variables that an expression reads, in order of appearance.

    What stands before a bracket is a function and not listed, even where a column has the same name.
    """
    tree, aliases = parse(expr)
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    own = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in functions and node.id not in own:
            found[aliases.get(node.id, node.id)] = None
        elif _is_call_of(node, ("Q",)) and node.args and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
            found[str(node.args[0].value)] = None  # type: ignore[attr-defined]
    return tuple(found)


def called(expr: str) -> tuple[str, ...]:
    """Give the plain names of the functions that an expression calls."""
    tree, _ = parse(expr)
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return tuple(dict.fromkeys(f.id for f in calls if isinstance(f, ast.Name)))


def compiled(expr: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Rewrite an expression so that Python can evaluate it among columns of any name.

    Returns
    -------
    code : str
        Without backticks; functions are called by names of their own, so that a column ``C`` does not hide ``C()``.
    aliases : dict of str to str
        Identifier in `code` -> name of a variable that was quoted.
    functions : dict of str to str
        Identifier in `code` -> name of a function.
    """
    tree, aliases = parse(expr)
    functions: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            alias = f"_f_{node.func.id}"
            functions[alias] = node.func.id
            node.func.id = alias
    return ast.unparse(tree), aliases, functions


def _is_call_of(node: ast.AST, functions: Collection[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions


def offset_argument(expr: str) -> str | None:
    """Return the text inside ``offset(...)``, or None where `expr` is no call of offset."""
    tree, _ = parse(expr)
    if not _is_call_of(tree.body, ("offset",)):
        return None
    call = tree.body
    if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):  # type: ignore[attr-defined]
        raise ArgumentError(f"formula: `{expr}`: offset() takes one expression, as in offset(log(exposure)).")
    text = expr.strip()
    return text[text.index("(") + 1 : -1].strip()


def check_harmless(expr: str, columns: Collection[str], constants: Collection[str] = ()) -> None:
    """Raise where an expression is more than arithmetic on columns and calls of known functions.

    Allowed are names of `columns` and `constants`, numbers, strings, lists, tuples and dicts of these,
    arithmetic, comparisons, calls of the functions in `functions` and `TRANSFORMS` by plain name or as
    ``np.log``, and ``contr.*``. Everything else is refused: other names, attributes, subscripts, lambdas,
    comprehensions, formatted strings, walrus, star arguments, keyword arguments with a leading underscore,
    powers of large numbers.

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


def _check_attribute(node: ast.Attribute, scope: _Scope) -> None:
    base = node.value.id if isinstance(node.value, ast.Name) else ""
    known = {"np": {*functions(), *_CONSTANTS}, "contr": CONTRASTS}.get(base, frozenset())
    if scope.is_data(base) or base in scope.aliases or node.attr not in known:
        raise scope.refuse(
            node, "is an attribute; only np.<elementwise function> and contr.<contrast> are allowed"
        )


def _check_call(node: ast.Call, scope: _Scope) -> None:
    if isinstance(node.func, ast.Name):
        if not _is_function(node.func.id) or node.func.id in scope.aliases:
            raise scope.refuse(node.func, "is not a function that neuralstat provides")
    elif isinstance(node.func, ast.Attribute):
        _check_attribute(node.func, scope)
    else:
        raise scope.refuse(node, "calls something that is not a plain name")
    if any(k.arg is None or k.arg.startswith("_") for k in node.keywords):
        raise scope.refuse(node, "unpacks a mapping or sets an internal argument")
    stateful = _is_call_of(node, STATEFUL)
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
