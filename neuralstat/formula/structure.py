"""Structured formulas: terms beside, or instead of, one network of all covariates.

``nn(x, z)``, ``s(x)``, ``te(x, z)``, ``(1 | g)``, ``(x | g)``, ``embed(g)``, ``linear(x)`` are found in the text of a
right-hand side and rewritten as calls that make columns of the model matrix; what they mean beyond their columns is kept as
`Special`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from neuralstat.checks.values import shown
from neuralstat.errors import ArgumentError
from neuralstat.formula import expressions
from neuralstat.formula.parse import closes_at_end, top_level

SMOOTHS = ("s", "te")
CALLS = ("nn", *SMOOTHS, "embed", "linear")
#: Kinds that make a formula a structured one, whose plain terms are linear
STRUCTURED = ("network", "smooth", "random", "slopes")
KINDS = (*STRUCTURED, "embedding", "linear")
_OPTIONS = {"nn": ("hidden", "act", "layers"), "embed": ("dim",)}


@dataclass(frozen=True)
class Special:
    """One term of a structured formula, as plain data.

    Attributes
    ----------
    label : str
        As users see it: ``"nn(x, z)"``, ``"s(x, k=10)"``, ``"(1 | g)"``.
    kind : {"network", "smooth", "random", "slopes", "embedding", "linear"}
    exprs : tuple of str
        Factors of the model matrix that are its columns: those of a network first its numbers, then its codes.
    options : dict
        ``hidden``, ``act``, ``layers`` (a name) of a network; ``dims`` of embeddings, one for each of its codes.
    """

    label: str
    kind: str
    exprs: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Structure:
    """The right-hand side without special terms' syntax.

    Attributes
    ----------
    plain : str
        Its plain terms.
    specials : tuple of Special
    """

    plain: str
    specials: tuple[Special, ...] = ()

    @property
    def text(self) -> str:
        """For formulaic: the plain terms, then the columns of the special ones."""
        exprs = [expr for special in self.specials for expr in special.exprs]
        return " + ".join([*([self.plain] if self.plain else []), *dict.fromkeys(exprs)])

    @property
    def names(self) -> set[str]:
        """Columns that special terms read."""
        exprs = [e for special in self.specials for e in special.exprs]
        return {name for e in exprs for name in expressions.names(e)}


def term_of(expr: str) -> str:
    """The term of the model matrix that a factor of a special term is."""
    name = expressions.display(expr)
    return name[1:-1] if name.startswith("{") and name.endswith("}") else name


def is_structured(specials: Sequence[Special]) -> bool:
    """Whether plain terms are linear, and not inputs of the one network."""
    return any(special.kind in STRUCTURED for special in specials)


def rewritten(right: str, columns: Collection[str], own: Collection[str] = ()) -> Structure:
    """Find the special terms of a right-hand side.

    Parameters
    ----------
    right : str
    columns : collection of str
        Of the data.
    own : collection of str
        Functions of the caller, which go before special terms of that name.

    Raises
    ------
    ArgumentError
        Where a special term cannot be read, stands in an interaction, or stands twice.
    """
    known = tuple(name for name in CALLS if name not in own)
    if "|" not in right and not re.search(rf"\b({'|'.join(known)})\s*\(", right):
        return Structure(right)
    kept: list[str] = []
    found: list[Special] = []
    for sign, piece in _pieces(right):
        made = list(_read(piece, known, columns))
        if not made:
            _refuse_inside(piece, known)
            kept.append(f"{sign} {piece}")
            continue
        if sign == "-":
            raise ArgumentError(f"formula: `- {piece}`: a term of this kind is left out by not writing it.")
        found += made
    _check_twice(found)
    return Structure(" ".join(kept).removeprefix("+ "), tuple(found))


def in_order(terms: Sequence[Any], specials: Sequence[Special]) -> list[Any]:
    """Terms of formulaic in the order of the inputs: those of networks, codes of levels, those of the output layer."""
    if not specials:
        return list(terms)
    of_networks = {special.exprs[0] for special in specials if special.kind == "network"}
    direct = {special.exprs[0] for special in specials if special.kind not in ("network", "random", "embedding")}
    structured = is_structured(specials)

    def rank(term: Any) -> int:
        name = ":".join(factor.expr for factor in term.factors)
        if all(factor.eval_method.value == "literal" for factor in term.factors):
            return 0
        if name.startswith("codes("):
            return 2
        return 3 if name in direct or (structured and name not in of_networks) else 1

    return sorted(terms, key=rank)


def unscaled(specials: Sequence[Special], terms: Mapping[str, Sequence[int]]) -> list[int]:
    """Rows of x that are no covariates to be centred and scaled: codes, smooths, random slopes.

    Parameters
    ----------
    specials : sequence of Special
    terms : mapping
        Term of the model matrix -> its rows.
    """
    exprs = [e for special in specials for e in special.exprs
             if special.kind in ("smooth", "slopes") or e.startswith("codes(")]  # fmt: skip
    return [row for expr in dict.fromkeys(exprs) for row in terms.get(term_of(expr), ())]


def relabelled(name: str, specials: Sequence[Special]) -> str:
    """Name of a column as users know its term: ``(x | g)[a.1]`` for ``slopes([g], x)[a.1]``."""
    for special in specials:
        expr = expressions.display(special.exprs[0])
        if special.kind == "slopes" and name.startswith(f"{expr}["):
            return special.label + name[len(expr) :]
    return name


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """What stands between + and - outside brackets, with the sign before it."""
    cuts = [(at, token) for at, token in top_level(text) if token in "+-"]
    if not cuts or cuts[0][0] > 0:
        cuts.insert(0, (-1, "+"))
    for (begin, sign), (end, _) in pairwise([*cuts, (len(text), "")]):
        piece = text[begin + 1 : end].strip()
        if piece:
            yield sign, piece


def _read(piece: str, known: Collection[str], columns: Collection[str]) -> Iterator[Special]:
    """The special terms that a piece stands for; none where it is a plain term."""
    if piece[0] == "(" and closes_at_end(piece):
        inner = piece[1:-1]
        bars = [(at, token) for at, token in top_level(inner) if token == "|"]
        if bars:
            yield from _random(piece, inner, bars)
            return
    match = re.match(r"(\w+)\s*\(", piece)
    if match is None or match.group(1) not in known or not closes_at_end(piece[match.end() - 1 :]):
        return
    name, inner = match.group(1), piece[match.end() : -1]
    if name == "linear":
        yield from _linear(piece, inner, columns)
        return
    tree, aliases = expressions.parse(piece)
    call: Any = tree.body
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        raise ArgumentError(f"formula: `{piece}`: star arguments are not possible.")
    if not call.args:
        raise ArgumentError(f"formula: `{piece}`: {name}() needs a column.")
    if name in SMOOTHS:
        yield Special(_label(call, aliases), "smooth", (_text(call, aliases),))
    elif name == "embed":
        expr, dim = _embedding(call, aliases, piece)
        yield Special(f"embed({_text(call.args[0], aliases)})", "embedding", (expr,), {"dims": (dim,)})
    else:
        yield _network(call, aliases, piece)


def _text(node: ast.AST, aliases: Mapping[str, str]) -> str:
    """An expression as formulas have it, with names in backticks where they were."""
    text = ast.unparse(node)
    for alias, name in aliases.items():
        if alias != name:
            text = re.sub(rf"\b{alias}\b", f"`{name}`", text)
    return text


def _label(node: ast.AST, aliases: Mapping[str, str]) -> str:
    return expressions.display(_text(node, aliases))


def _network(call: ast.Call, aliases: Mapping[str, str], piece: str) -> Special:
    numbers: list[str] = []
    codes: list[str] = []
    dims: list[int | None] = []
    for argument in call.args:
        if expressions.is_call_of(argument, ("embed",)):
            expr, dim = _embedding(argument, aliases, piece)  # type: ignore[arg-type]
            codes.append(expr)
            dims.append(dim)
        elif expressions.is_call_of(argument, CALLS):
            said = f"formula: `{piece}`: `{ast.unparse(argument)}`"
            raise ArgumentError(f"{said} cannot enter a network; columns and embed() can.")
        else:
            numbers.append(_text(argument, aliases))
    options = {str(k.arg): _option(k, piece) for k in call.keywords}
    if "layers" in options and "hidden" in options:
        raise ArgumentError(f"formula: `{piece}`: give hidden= or layers=, not both.")
    label = f"nn({', '.join(_label(a, aliases) for a in call.args)})"
    exprs = ((f"nn({', '.join(numbers)})",) if numbers else ()) + tuple(codes)
    return Special(label, "network", exprs, {**options, "dims": tuple(dims)})


def _option(keyword: ast.keyword, piece: str) -> Any:
    """The value of an argument of nn(): numbers and text; layers are a name."""
    if keyword.arg not in _OPTIONS["nn"]:
        raise ArgumentError(f"formula: `{piece}`: nn() has no argument {keyword.arg!r}; it has hidden, act, layers.")
    if keyword.arg == "layers":
        if not isinstance(keyword.value, ast.Name):
            raise ArgumentError(f"formula: `{piece}`: layers must be a name, of context= or towers=.")
        return keyword.value.id
    try:
        value = ast.literal_eval(keyword.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        said = f"formula: `{piece}`: {keyword.arg} must be written out"
        raise ArgumentError(f"{said}, got {ast.unparse(keyword.value)}.") from None
    if keyword.arg == "act":
        if not isinstance(value, str):
            raise ArgumentError(f"formula: `{piece}`: act must be the name of an activation, got {shown(value)}.")
        return value
    sizes = (value,) if isinstance(value, int) and not isinstance(value, bool) else value
    whole = isinstance(sizes, tuple | list) and all(type(size) is int and size >= 1 for size in sizes)
    if not whole or not sizes:
        raise ArgumentError(f"formula: `{piece}`: hidden must be whole numbers >= 1, got {shown(value)}.")
    return tuple(sizes)


def _embedding(call: ast.Call, aliases: Mapping[str, str], piece: str) -> tuple[str, int | None]:
    """The column of codes of embed(g, dim), and its coordinates (None: by rule)."""
    given = {k.arg: k.value for k in call.keywords}
    unknown = [name for name in given if name != "dim"]
    if unknown or not 1 <= len(call.args) <= 2 or (len(call.args) == 2 and given):
        raise ArgumentError(f"formula: `{piece}`: embed() takes a column and the number of coordinates, as in embed(g, 3).")
    node = call.args[1] if len(call.args) == 2 else given.get("dim")
    dim = None if node is None else node.value if isinstance(node, ast.Constant) else node
    if dim is not None and (type(dim) is not int or dim < 1):
        raise ArgumentError(f"formula: `{piece}`: the number of coordinates must be a whole number >= 1.")
    return f"codes({_text(call.args[0], aliases)})", dim


def _linear(piece: str, inner: str, columns: Collection[str]) -> Iterator[Special]:
    """linear(x + z:w) as a special for every term, whose factors are marked."""
    from neuralstat.formula.matrix import parse_terms, with_attributes

    terms = [with_attributes(t, columns) for t in parse_terms(expressions.quote_dotted(inner, columns), tuple(columns))]
    made = 0
    for term in terms:
        factors = [f for f in term.factors if f.eval_method.value != "literal"]
        if factors:
            made += 1
            quoted = [f.eval_method.value == "lookup" and not f.expr.isidentifier() for f in factors]
            names = [f"`{f.expr}`" if quote else f.expr for f, quote in zip(factors, quoted, strict=True)]
            expr = ":".join(f"linear({name})" for name in names)
            yield Special(expressions.display(expr), "linear", (expr,))
    if not made:
        raise ArgumentError(f"formula: `{piece}` has no term.")


def _random(piece: str, inner: str, bars: Sequence[tuple[int, str]]) -> Iterator[Special]:
    """(terms | groups) and (terms || groups)."""
    first, apart = bars[0][0], len(bars) == 2 and bars[1][0] == bars[0][0] + 1
    if len(bars) > 1 and not apart:
        raise ArgumentError(f"formula: `{piece}` has more than one |.")
    left, groups = inner[:first].strip(), inner[first + 1 + apart :].strip()
    if not left or not groups:
        raise ArgumentError(f"formula: `{piece}`: a random term is written (terms | groups), as in (1 | g) or (x | g).")
    constant, slopes = True, []
    for sign, text in _pieces(left):
        if text in ("0", "1"):
            constant = (text == "1") == (sign == "+")
        elif sign == "-":
            raise ArgumentError(f"formula: `{piece}`: `- {text}` leaves out what is not there.")
        else:
            expressions.parse(text)
            slopes.append(text)
    if not constant and not slopes:
        raise ArgumentError(f"formula: `{piece}` has no term before the |.")
    for factor in _groupings(groups, piece):
        joined = ", ".join(factor)
        shown_groups = expressions.display(":".join(factor))
        if constant and (not slopes or apart):
            yield Special(f"(1 | {shown_groups})", "random", (f"codes({joined})",))
        if not slopes:
            continue
        said = [expressions.display(t) for t in slopes]
        for one in [[t] for t in slopes] if apart else [slopes]:
            zero = not constant or apart
            words = " + ".join((["0"] if zero else []) + ([*map(expressions.display, one)] if apart else said))
            arguments = ", ".join([f"[{joined}]", *one, *(["intercept=False"] if zero else [])])
            yield Special(f"({words} | {shown_groups})", "slopes", (f"slopes({arguments})",))


def _groupings(text: str, piece: str) -> list[tuple[str, ...]]:
    """Factors, each of one or several columns, of ``g``, ``g:h`` and ``g/h``."""
    tokens = [(at, t) for at, t in top_level(text) if not t.isspace()]
    if [t for _, t in tokens if t in "+-*|^%"]:
        raise ArgumentError(f"formula: `{piece}`: groups are a column, g:h, or g/h (h within g); write one term for each.")
    out: list[tuple[str, ...]] = [()]
    nested, begin, sign = [], 0, ":"
    for at, token in [*tokens, (len(text), "")]:
        if token in ("/", ":", ""):
            name = text[begin:at].strip()
            if not name:
                raise ArgumentError(f"formula: `{piece}`: a group is missing.")
            expressions.parse(name)
            if sign == "/":
                nested.append(out[-1])
            out[-1] = (*out[-1], name)
            begin, sign = at + 1, token
    return [*nested, out[-1]]


def _refuse_inside(piece: str, known: Collection[str]) -> None:
    """Raise where a special term stands inside a plain one."""
    bare = re.sub(r"`[^`]*`|\"[^\"]*\"|'[^']*'|{[^{}]*}", "", piece)
    if re.search(r"\([^()]*\|[^()]*\)", bare):
        raise ArgumentError(f"formula: `{piece}`: random terms, (1 | g), are terms by themselves; slopes of x are (x | g).")
    inside = re.search(rf"(?<![\w.])({'|'.join(known)})\s*\(", bare) if known else None
    if inside is not None:
        name = inside.group(1)
        remedy = "; a smooth for each level of a factor is s(x, by=g)" if name == "s" else ""
        raise ArgumentError(f"formula: {name}() cannot be part of the term `{piece}`: it is a term by itself{remedy}.")


def _check_twice(found: Sequence[Special]) -> None:
    seen: set[str] = set()
    for special in found:
        for expr in special.exprs if special.kind in ("smooth", "random", "slopes") else (special.label,):
            if (special.kind + expr) in seen:
                what = "two towers have the name" if special.kind == "network" else "two terms are"
                raise ArgumentError(f"formula: {what} {special.label!r}: one of them will do.")
            seen.add(special.kind + expr)
