"""Split a formula into responses, covariates and offsets; text only, nothing is evaluated."""

import ast
import re
from dataclasses import dataclass
from itertools import pairwise

from neuralstat.errors import ArgumentError
from neuralstat.formula import expressions
from neuralstat.formula.bounds import check_text

_TOKEN = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(==|!=|<=|>=|\*\*|.)""", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class ResponseTerm:
    """One term of the left-hand side.

    Attributes
    ----------
    label : str
        As written, without outer parentheses, braces or backticks.
    expr : str
        The expression to evaluate (names in backticks where Python needs it).
    method : str
        ``"lookup"`` for a column, ``"python"`` for an expression.
    """

    label: str
    expr: str
    method: str


def top_level(text: str) -> list[tuple[int, str]]:
    """Tokens outside brackets and quotes, with their positions; `ArgumentError` for unbalanced brackets."""
    found: list[tuple[int, str]] = []
    stack: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group(0)
        if match.group(1) is None and token in _OPEN:
            stack.append(_CLOSE[_OPEN.index(token)])
        elif match.group(1) is None and token in _CLOSE:
            if not stack or stack.pop() != token:
                raise ArgumentError(
                    f"formula: unbalanced {token!r} at position {match.start() + 1} of {text!r}."
                )
        elif not stack:
            found.append((match.start(), token))
    if stack:
        raise ArgumentError(f"formula: {text!r} ends before {stack[-1]!r}.")
    return found


def split_sides(formula: str) -> tuple[str, str]:
    """Split ``"left ~ right"``; both must be there.

    Raises
    ------
    ArgumentError
        If `formula` is no string, or has not exactly one ``~`` with text on both sides.
    """
    if not isinstance(formula, str):
        raise ArgumentError(f"formula must be a string such as 'y ~ x', not {type(formula).__name__}.")
    check_text(formula)
    tildes = [position for position, token in top_level(formula) if token == "~"]
    if len(tildes) != 1:
        raise ArgumentError(f"formula must have one '~' between response and covariates, got {formula!r:.300}.")
    left, right = formula[: tildes[0]].strip(), formula[tildes[0] + 1 :].strip()
    if not left or not right:
        side = "response before" if not left else "covariates after"
        raise ArgumentError(f"formula {formula!r:.300} has no {side} '~' (write 1 for no covariates).")
    return left, right


def parse_responses(left: str, columns: tuple[str, ...], right: str = "x") -> tuple[ResponseTerm, ...]:
    """Split the left-hand side at its top-level ``+``; repeated terms are used once.

    As in R, a comparison binds looser than ``+``: with one outside parentheses, the whole side is one
    response. `right`, the other side, is for messages.

    Raises
    ------
    ArgumentError
        If a term is empty, or the terms are joined by another operator.
    """
    tokens = [(p, t) for p, t in top_level(left) if not t.isspace()]
    if any(t in ("==", "!=", "<=", ">=", "<", ">") for _, t in tokens):
        pieces = [left]
    else:
        wrong = [t for _, t in tokens if t in ("-", "*", "**", "/", ":", "^", "|", "&", ",", "=", "%", "@")]
        # operators that belong to a plain call such as log(y) stand inside its brackets
        if wrong:
            raise ArgumentError(
                f"formula: {wrong[0]!r} on the left-hand side {left!r}: responses are joined by '+'; "
                "put an expression into braces or I(), as in {y / n}."
            )
        cuts = [-1, *(p for p, t in tokens if t == "+"), len(left)]
        pieces = [left[a + 1 : b].strip() for a, b in pairwise(cuts)]
    terms = [_response(piece, columns, left, right) for piece in pieces]
    return tuple({term.label: term for term in terms}.values())


def _response(piece: str, columns: tuple[str, ...], left: str, right: str) -> ResponseTerm:
    text = piece.strip()
    while text and text[0] in "({" and closes_at_end(text):
        text = text[1:-1].strip()
    if not text:
        raise ArgumentError(f"formula: the left-hand side {left!r} has an empty term.")
    if text[0] == "`" and text.find("`", 1) == len(text) - 1:
        return ResponseTerm(text[1:-1], text[1:-1], "lookup")
    if text in columns:
        return ResponseTerm(text, text, "lookup")
    expr = expressions.quote_dotted(text, columns)
    tree, _ = expressions.parse(expr)
    call = tree.body
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "cbind":
        raise ArgumentError(f"formula: {text!r}: {_instead_of_cbind(call, right)}")
    method = "lookup" if isinstance(tree.body, ast.Name) and text == expr else "python"
    return ResponseTerm(text, expr, method)


def _instead_of_cbind(call: ast.Call, right: str) -> str:
    """What stands for R's ``cbind(...)``: several responses, or counts of successes and failures."""
    names = [arg.id for arg in call.args if isinstance(arg, ast.Name)]
    joined = " + ".join(names) if len(names) == len(call.args) > 0 else "y1 + y2"
    several = f"several responses are written as '{joined} ~ {right}'"
    if len(call.args) != 2:
        return f"{several}."
    first, second = call.args
    k, rest = ast.unparse(first), ast.unparse(second)
    if isinstance(second, ast.BinOp) and isinstance(second.op, ast.Sub) and ast.unparse(second.right) == k:
        return f"{counts(k, None, ast.unparse(second.left), right)}; {several}."
    return f"{counts(k, rest, 's', right)}; {several}."


def counts(k: str, rest: str | None, trials: str, right: str = "x") -> str:
    """How counts of successes and failures are written: a share, and its number of trials as weights.

    Parameters
    ----------
    k, rest : str
        Successes; failures, None where the trials are a column.
    trials : str
        Column of the numbers of trials.
    right : str
        Right-hand side.
    """
    if rest is None and trials.isidentifier():
        made, weights = "", f'weights="{trials}"'
    elif rest is None:
        made, weights, trials = f", where the column s is {trials}", 'weights="s"', "s"
    else:
        made, weights = f", where the column {trials} is {k} + {rest}", f'weights="{trials}"'
    return (
        f"counts of successes among trials are a share with the number of trials as weights, "
        f"{{{k}/{trials}}} ~ {right}, {weights}{made}"
    )


def closes_at_end(text: str) -> bool:
    """Whether the bracket that opens `text` closes at its very end."""
    depth = 0
    for match in _TOKEN.finditer(text):
        if match.group(1) is None:
            depth += (match.group(0) in _OPEN) - (match.group(0) in _CLOSE)
            if depth == 0:
                return match.end() == len(text)
    return False
