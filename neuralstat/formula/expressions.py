"""Python expressions inside formulas: quoted names, the functions on offer, which names are read."""

import ast
import functools
import keyword
import re
from collections.abc import Collection
from typing import Any

import numpy as np

from neuralstat.errors import ArgumentError, TooLargeError

# fmt: off
ELEMENTWISE = (
    "abs", "sqrt", "cbrt", "square", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2",
    "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
    "sign", "floor", "ceil", "rint", "round", "minimum", "maximum", "power", "where", "clip", "hypot", "isin",
)
# fmt: on

# fmt: off
#: Transforms, formulaic's and our own: those that remember something of the data of the fit, and those that mark factors.
TRANSFORMS = frozenset((
    "poly", "bs", "cr", "cs", "cc", "s", "te", "scale", "center", "standardize", "lag", "C", "I", "Q", "hashed", "exp10",
    "Treatment", "Poly", "Sum", "Helmert", "Diff", "linear", "nn", "codes", "slopes",
))
# fmt: on
CONTRASTS = frozenset(["treatment", "sum", "helmert", "poly", "SAS", "diff", "custom"])
STATEFUL = frozenset((
    "poly", "bs", "cr", "cs", "cc", "s", "te", "scale", "center", "standardize", "Q", "nn", "codes", "slopes",
))  # fmt: skip

MAX_LENGTH = 10_000
MAX_DEPTH = 180  # operations in operations; sums are as deep as they are long
BITS = 10_000  # of a whole number that an expression writes down

_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""")


@functools.cache
def functions() -> dict[str, Any]:
    """Give the functions on offer besides formulaic's own: numpy's elementwise ones by plain name."""
    return {name: getattr(np, name) for name in ELEMENTWISE}


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
        if not name.isidentifier() or keyword.iskeyword(name):
            alias = "_q_" + re.sub(r"\W", lambda c: f"_{ord(c.group(0)):x}_", name)
        aliases[alias] = name
        return f" {alias} "

    return _QUOTED.sub(replace, expr).strip(), aliases


def unquoted(text: str, columns: Collection[str]) -> str:
    """What to do about names that are no names of Python, where they stand in a formula as they are."""
    bare = re.sub("`[^`]*`", "", text)
    names = [name for name in columns if not name.isidentifier() and name in bare]
    return f" A name with spaces, brackets or signs stands in backticks: `{names[0]}`." if names else ""


def quote_dotted(text: str, columns: Collection[str]) -> str:
    """Put dotted column names (``Petal.Length``) into backticks, since Python reads them as attributes."""
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
        raise TooLargeError(
            f"formula: an expression of {len(code)} characters is longer than {MAX_LENGTH}: `{expr:.60}...`."
        )
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ArgumentError(
            f"formula: `{expr:.200}` is not an expression that Python can read ({error})."
        ) from None
    _check_depth(tree, expr)
    _check_numbers(tree, expr)
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise ArgumentError(
                f"formula: `{expr}` uses ^, which is no power inside an expression; write ** instead."
            )
    return tree, aliases


def _check_numbers(tree: ast.AST, expr: str) -> None:
    """Raise `TooLargeError` where an expression writes down a whole number beyond all measure, as 9**9**9."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift) and _bits(node) > BITS:
            raise TooLargeError(f"formula: `{expr:.80}`: {ast.unparse(node):.60} is too large a number.")


def _bits(node: ast.AST) -> float:
    """Size of a whole number made of numbers; 0 where a node is none."""
    if isinstance(node, ast.Constant):
        return node.value.bit_length() if type(node.value) is int else 0
    if isinstance(node, ast.UnaryOp):
        return _bits(node.operand)
    if not isinstance(node, ast.BinOp) or not (left := _bits(node.left)):
        return 0
    right = _bits(node.right)
    if isinstance(node.op, ast.Pow | ast.LShift):
        most = 2.0 ** min(right, 60)
        return left * most if isinstance(node.op, ast.Pow) else left + most
    return left + right if isinstance(node.op, ast.Mult) else max(left, right) + 1


def _check_depth(tree: ast.AST, expr: str) -> None:
    """Raise `TooLargeError` where an expression is nested more deeply than Python's own tools can follow."""
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise TooLargeError(f"formula: `{expr:.60}...` is nested, or continued, more than {MAX_DEPTH} operations deep.")


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
        elif isinstance(node, ast.Call) and is_call_of(node, ("Q",)):
            found.update({str(a.value): None for a in node.args[:1] if isinstance(a, ast.Constant)})
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
        Without backticks; functions are called by names of their own, so that a column ``C`` does not hide
        ``C()``.
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


def instead(function: str) -> str:
    """What to write instead of a function that is not known, as the end of a message; empty where nothing is like it."""
    others = {"ns": "natural cubic splines are cr(x, df=4)", "factor": "factors are C(x)"}
    return f" Here {others[function]}." if function in others else ""


def is_call_of(node: ast.AST, functions: Collection[str]) -> bool:
    """Whether a node calls one of some functions by plain name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions


def offset_argument(expr: str) -> str | None:
    """Return the text inside ``offset(...)``, or None where `expr` is no call of offset."""
    tree, _ = parse(expr)
    call = tree.body
    if not isinstance(call, ast.Call) or not is_call_of(call, ("offset",)):
        return None
    if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):
        raise ArgumentError(f"formula: `{expr}`: offset() takes one expression, as in offset(log(exposure)).")
    text = expr.strip()
    return text[text.index("(") + 1 : -1].strip()
