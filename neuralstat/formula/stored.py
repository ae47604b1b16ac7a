"""`Spec` as JSON text: plain data only, read back without evaluating anything."""

import ast
import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from neuralstat.checks.files import parse_json
from neuralstat.checks.values import MOST
from neuralstat.errors import ArgumentError, FileFormatError, NeuralStatError
from neuralstat.formula import expressions
from neuralstat.formula.bounds import LEAST, check_expression
from neuralstat.formula.derived import FUNCTIONS, WINDOWS, Derived
from neuralstat.formula.harmless import check_harmless
from neuralstat.formula.parse import ResponseTerm, parse_responses, split_sides
from neuralstat.formula.parts import Column, Scaling
from neuralstat.formula.serial import decode, encode
from neuralstat.formula.spec import Spec
from neuralstat.formula.state import CODED, MatrixState, StoredText, TermState
from neuralstat.formula.structure import KINDS, Special, rewritten, term_of
from neuralstat.formula.tensors import Tensor

FORMAT = "neuralstat-formula-1"

_METHODS = ("lookup", "python", "literal")
_KINDS = ("numerical", "categorical", "constant", "unknown")
_COLUMN_KINDS = ("numeric", "boolean", "string", "category", "tensor", "time")


def to_json(spec: Spec) -> str:
    """Write a specification as JSON text.

    Raises
    ------
    ArgumentError
        If the formula uses a function of the caller or an expression that a stored model may not have, or if
        levels are of a kind that cannot be written (dates, intervals).
    """
    constants = _constants(spec)
    _check_expressions(spec, constants)
    plain = {
        "formula": spec.formula,
        "response": spec.response,
        "responses": [(r.label, r.expr, r.method) for r in spec.responses],
        "y_names": spec.y_names,
        "y_kinds": spec.y_kinds,
        "classes": spec.classes,
        "matrix_terms": [(t.factors, t.scoped, t.columns) for t in spec.matrix.terms],
        "matrix_transforms": spec.matrix.transforms,
        "matrix_levels": spec.matrix.levels,
        "x_names": spec.x_names,
        "terms": spec.terms,
        "covariates": spec.covariates,
        "offset_columns": spec.offset_columns,
        "response_columns": spec.response_columns,
        "columns": {name: dataclasses.astuple(c) for name, c in spec.columns.items()},
        "response_kinds": {name: dataclasses.astuple(c) for name, c in spec.response_kinds.items()},
        "offset_terms": spec.offset_terms,
        "offset_argument": spec.offset_argument,
        "offset_kind": spec.offset_kind,
        "weights_argument": spec.weights_argument,
        "transforms": spec.transforms,
        "scaling": None if spec.scaling is None else dataclasses.asdict(spec.scaling),
        "constants": constants,
        "tensors": [dataclasses.astuple(t) for t in spec.tensors],
        "derived": [dataclasses.astuple(d) for d in spec.derived],
    }
    if spec.specials:  # which older files lack
        plain["specials"] = [(s.label, s.kind, s.exprs, s.options) for s in spec.specials]
    entries = {key: encode(value, f"the formula's {key}") for key, value in plain.items()}
    return json.dumps({"format": FORMAT, **entries}, allow_nan=False)


def from_json(text: str) -> Spec:
    """Read what `to_json` wrote.

    Nothing in the text is evaluated; expressions are parsed and refused unless they are harmless (see
    `neuralstat.formula.harmless.check_harmless`), and checked once more each time they are used.

    Raises
    ------
    FileFormatError
        If the text is not a stored formula, is damaged, or holds an expression that may not be evaluated.
    """
    if not isinstance(text, str):
        raise FileFormatError(f"the stored formula is no text but {type(text).__name__}.")
    raw = parse_json(text.encode("utf-8", "surrogatepass"), "the stored formula", None)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise FileFormatError(f"the stored formula does not have the format {FORMAT!r}.")
    try:
        spec = _rebuild({key: decode(value) for key, value in raw.items() if key != "format"}, len(text))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"the stored formula is damaged ({type(error).__name__}: {str(error)[:200]}).") from None
    try:
        _check_expressions(spec, dict(spec.context))
        _check_sizes(spec)
        _check_formula(spec)
    except NeuralStatError as error:
        raise error if isinstance(error, FileFormatError) else FileFormatError(str(error)) from None
    return spec


def _rebuild(plain: dict[str, Any], size: int) -> Spec:
    """The specification; `size` is that of the text: every input and every word has a name in it."""
    levels = _typed(plain["matrix_levels"], dict)
    terms = tuple(
        TermState(
            factors=tuple((_typed(e, str), _among(m, _METHODS)) for e, m in factors),
            scoped=tuple(
                (tuple((_typed(e, str), _typed(r, bool)) for e, r in parts), _number(scale))
                for parts, scale in scoped
            ),
            columns=_strings(columns),
        )
        for factors, scoped, columns in plain["matrix_terms"]
    )
    matrix = MatrixState(
        terms=terms,
        transforms=_typed(plain["matrix_transforms"], dict),
        levels={
            _typed(e, str): (_among(k, _KINDS), None if v is None else list(_levels(_typed(v, list))))
            for e, (k, v) in levels.items()
        },
    )
    constants = _typed(plain["constants"], dict)
    spec = Spec(
        formula=None if plain["formula"] is None else StoredText(_typed(plain["formula"], str)),
        response=_typed(plain["response"], str),
        responses=tuple(
            ResponseTerm(_typed(a, str), _typed(b, str), _among(c, _METHODS))
            for a, b, c in plain["responses"]
        ),
        y_names=_strings(plain["y_names"]),
        y_kinds=_strings(plain["y_kinds"]),
        classes=None if plain["classes"] is None else _levels(_typed(plain["classes"], tuple)),
        matrix=matrix,
        x_names=_strings(plain["x_names"]),
        terms={_typed(k, str): tuple(_typed(i, int) for i in v) for k, v in plain["terms"].items()},
        covariates=_strings(plain["covariates"]),
        offset_columns=_strings(plain["offset_columns"]),
        response_columns=_strings(plain["response_columns"]),
        columns=_columns(plain["columns"]),
        response_kinds=_columns(plain["response_kinds"]),
        offset_terms=_strings(plain["offset_terms"]),
        offset_argument=_optional(plain["offset_argument"], str),
        offset_kind=_among(plain["offset_kind"], ("none", "column", "array")),
        weights_argument=_optional(plain["weights_argument"], str),
        transforms={_typed(k, str): _typed(v, dict) for k, v in plain["transforms"].items()},
        scaling=None if plain["scaling"] is None else Scaling(**plain["scaling"]),
        constants=_strings(tuple(constants)),
        context=constants,
        trusted=False,
        tensors=tuple(_tensor(t) for t in _typed(plain["tensors"], list)),
        derived=tuple(_derived(d) for d in _typed(plain["derived"], list)),
        specials=tuple(_special(entry) for entry in _typed(plain.get("specials", []), list)),
    )
    described = [*spec.tensors, *(d.tensor for d in spec.derived if math.prod(d.shape) <= size)]
    shapes = [c.shape for c in (*spec.columns.values(), *spec.response_kinds.values())]
    if len(described) < len(spec.tensors) + len(spec.derived) or any(math.prod(s) > size for s in shapes):
        raise FileFormatError("the stored formula describes arrays that are larger than itself.")
    _check_shapes(spec)
    return spec


def _check_shapes(spec: Spec) -> None:
    """Check that the parts agree with each other, so that no later step meets a surprise."""
    n_x = sum(len(t.columns) for t in spec.matrix.terms if not t.is_intercept) + sum(t.size for t in spec.tensors)
    rows = sorted(row for part in spec.terms.values() for row in part)
    missing = {*spec.covariates, *spec.offset_columns} - set(spec.columns)
    missing |= set(spec.response_columns) - set(spec.response_kinds)
    looked_up = {e for t in spec.matrix.terms for e, method in t.factors if method == "lookup"}
    missing |= looked_up - set(spec.covariates)
    missing |= {r.expr for r in spec.responses if r.method == "lookup"} - set(spec.response_columns)
    missing |= {t.name for t in spec.tensors} - set(spec.covariates)
    shapes = {name: c.shape for name, c in (*spec.columns.items(), *spec.response_kinds.items())}
    damaged = [t.name for t in spec.tensors if len(t.elements) != t.size or shapes.get(t.name) != t.shape]
    damaged += [d.name for d in spec.derived if shapes.get(d.name) != d.shape or d.tensor.size != len(d.tensor.elements)]
    if damaged:
        raise FileFormatError(f"the stored formula describes {damaged[0]!r} in ways that do not agree.")
    for term in spec.matrix.terms:
        missing |= {e for parts, _ in term.scoped for e, _ in parts} - {e for e, _ in term.factors}
    if n_x != len(spec.x_names) or rows != list(range(n_x)) or len(spec.y_names) != len(spec.y_kinds):
        raise FileFormatError("the stored formula names other columns than its terms make.")
    missing |= {e for special in spec.specials for e in special.exprs if term_of(e) not in spec.terms}
    if missing:
        raise FileFormatError(f"the stored formula does not describe {sorted(missing)}.")
    _check_codes(spec)
    if not spec.responses or (spec.classes is None) != (spec.y_kinds != ("factor",) * len(spec.y_kinds)):
        raise FileFormatError("the stored formula's response is damaged.")
    if spec.scaling is not None:
        sizes = {"x_mean": n_x, "x_sd": n_x, "y_mean": len(spec.y_names), "y_sd": len(spec.y_names)}
        for name, size in sizes.items():
            values = getattr(spec.scaling, name)
            if not isinstance(values, np.ndarray) or values.shape != (size,) or values.dtype != np.float64:
                raise FileFormatError(f"the stored formula's scaling has a damaged {name}.")
            if not np.isfinite(values).all() or (name.endswith("sd") and (values <= 0).any()):
                raise FileFormatError(f"the stored formula's scaling has an impossible {name}.")


def _expressions(spec: Spec) -> Iterator[str]:
    """All texts that are evaluated as Python."""
    for term in spec.matrix.terms:
        yield from (expr for expr, method in term.factors if method == "python")
    yield from spec.offset_terms
    yield from (d.expr for d in spec.derived if d.function in ("", *WINDOWS))
    yield from (r.expr for r in spec.responses if r.method == "python")


def _check_expressions(spec: Spec, constants: dict[str, Any]) -> None:
    raw = tuple(c for d in spec.derived for c in d.columns)
    columns = (*spec.covariates, *spec.offset_columns, *spec.response_columns, *raw)
    for expr in _expressions(spec):
        check_harmless(expr, columns, tuple(constants))
    for made in spec.derived:
        if made.function in ("", *WINDOWS):
            check_harmless(made.expr, made.columns, tuple(constants))
    for term in spec.matrix.terms:
        for expr, method in term.factors:
            if method == "literal":
                _check_literal(expr)


def _check_sizes(spec: Spec) -> None:
    """Raise where an expression asks for more columns than it made at the fit, however few there are now."""
    for term in spec.matrix.terms:
        most = max(2 * len(term.columns), LEAST)
        for expr, method in term.factors:
            if method == "python":
                check_expression(expr, most, {})


def _check_formula(spec: Spec) -> None:
    """Raise where the formula is not made of what was checked, or of other harmless expressions of the same columns.

    The formula is what fits to other data begin with (`replace_head`); its expressions are in the terms already, so that a
    formula with another one was changed.
    """
    if spec.formula is None:
        return
    from neuralstat.formula.matrix import parse_terms, with_attributes

    left, right = split_sides(spec.formula)
    known = {*_expressions(spec), *(d.name for d in spec.derived)}
    raw = tuple(dict.fromkeys((*spec.covariates, *spec.offset_columns, *spec.response_columns,
                               *(c for d in spec.derived for c in d.columns))))  # fmt: skip
    texts = [r.expr for r in parse_responses(left, raw) if r.method == "python"]
    right = rewritten(right, raw).text
    for term in parse_terms(expressions.quote_dotted(right, raw), raw):
        factors = with_attributes(term, raw).factors
        texts += [f.expr for f in factors if f.eval_method.value == "python"]
    for text in texts:
        inner = expressions.offset_argument(text)
        expr = text if inner is None else inner
        array = expr.removeprefix("nn(").removesuffix(")").strip("{}")  # a network of an array reads it as it is
        if expr not in known and expressions.display(expr) not in known and expressions.display(array) not in known:
            check_harmless(expr, raw, spec.constants)


def _check_literal(expr: str) -> None:
    """Literals are the numbers that scale a term."""
    try:
        value = ast.literal_eval(expr) if len(expr) <= 40 else None
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, int | float):
        raise FileFormatError(f"the stored formula has the literal {expr[:40]!r}, which is no number.")


def _constants(spec: Spec) -> dict[str, Any]:
    """Values from the caller's context that expressions read; functions are refused by name."""
    data = {*spec.columns, *spec.response_kinds}
    used = [n for expr in _expressions(spec) for n in (*expressions.called(expr), *expressions.names(expr))]
    constants: dict[str, Any] = {}
    for name in dict.fromkeys(used):
        if name not in spec.context or (name in data and not callable(spec.context[name])):
            continue
        value = spec.context[name]
        if callable(value):
            raise ArgumentError(
                f"the formula uses {name!r}, a function of yours, which a saved model cannot hold; use "
                "functions that neuralstat provides, or compute the column before the fit."
            )
        encode(value, f"{name!r}, which the formula reads,")
        constants[name] = value
    return constants


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FileFormatError(f"the stored formula holds {value!r:.60} where {kind.__name__} was expected.")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FileFormatError(f"the stored formula holds {value!r:.60} where a number was expected.")
    return float(value)


def _optional(value: Any, kind: type) -> Any:
    return None if value is None else _typed(value, kind)


def _among(value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise FileFormatError(f"the stored formula holds {value!r:.60} where one of {choices} was expected.")
    return value


def _levels(values: Any) -> tuple[Any, ...]:
    """Levels are strings, numbers or booleans, each once."""
    if not all(isinstance(v, str | int | float) and v == v for v in values) or len(set(values)) < len(values):
        raise FileFormatError("the stored formula has levels that cannot be levels.")
    return tuple(values)


def _strings(values: Any) -> tuple[str, ...]:
    return tuple(_typed(v, str) for v in values)


def _columns(plain: Any) -> dict[str, Column]:
    columns = {}
    for name, (kind, levels, ordered, *shape) in _typed(plain, dict).items():
        own = _shape(shape[0]) if shape else ()
        if (kind == "tensor") != bool(own) or len(shape) > 1:
            raise FileFormatError(f"the stored formula's column {name!r:.60} is damaged.")
        columns[_typed(name, str)] = Column(
            _among(kind, _COLUMN_KINDS), _levels(_typed(levels, tuple)), _typed(ordered, bool), own
        )
    return columns


def _shape(value: Any) -> tuple[int, ...]:
    shape = tuple(_typed(s, int) for s in _typed(value, tuple))
    if any(s < 1 for s in shape):
        raise FileFormatError(f"the stored formula holds the shape {shape!r:.60}.")
    return shape


def _tensor(entry: Any) -> Tensor:
    name, shape, elements, scaled = entry
    return Tensor(_typed(name, str), _shape(shape), _strings(elements), _typed(scaled, bool))


def _special(entry: Any) -> Special:
    label, kind, exprs, options = entry
    made = Special(_typed(label, str), _among(kind, KINDS), _strings(exprs), _typed(options, dict))
    sizes = [*made.options.get("hidden", ()), *(d for d in made.options.get("dims", ()) if d is not None)]
    if not made.exprs or any(not 1 <= _typed(size, int) <= MOST for size in sizes):
        raise FileFormatError(f"the stored formula's term {label:.60} is damaged.")
    for key in ("act", "layers"):
        _optional(made.options.get(key), str)
    return made


def _check_codes(spec: Spec) -> None:
    """Raise where what is remembered of levels cannot be."""
    for node, state in spec.matrix.transforms.items():
        if not node.startswith(CODED):
            continue
        own, pairs, names = (_typed(state[key], list) for key in ("levels", "pairs", "names"))
        most = math.prod(len(_typed(levels, list)) + 1 for levels in own)
        whole = all(type(pair) is int and 0 <= pair < most for pair in pairs)
        if not own or not pairs or len(names) != len(pairs) or not whole or sorted(set(pairs)) != pairs:
            raise FileFormatError(f"the stored formula's levels of `{node:.60}` are damaged.")


def _derived(entry: Any) -> Derived:
    name, function, expr, columns, options, words, shape = entry
    made = Derived(_typed(name, str), _among(function, ("", *FUNCTIONS)), _typed(expr, str), _strings(columns),
                   _typed(options, dict), _strings(words), _shape(shape))  # fmt: skip
    wanted: dict[str, dict[str, type]] = {
        "": {}, "tokens": {"binary": bool, "lowercase": bool}, "sequences": {"length": int, "lowercase": bool},
    }  # fmt: skip
    damaged = FileFormatError(f"the stored formula's `{name:.60}` is damaged.")
    if function in WINDOWS:
        if set(made.options) != {"shifts", "by"} or made.shape != (len(_typed(made.options["shifts"], tuple)), 1):
            raise damaged
        if any(abs(_typed(shift, int)) > MOST for shift in made.options["shifts"]):
            raise damaged
        _optional(made.options["by"], str)
    else:
        kinds = wanted[function]
        if set(made.options) != set(kinds):
            raise damaged
        for key, kind in kinds.items():
            _typed(made.options[key], kind)
        sizes = {"tokens": (len(made.words),), "sequences": (made.options.get("length"),)}
        if made.shape != sizes.get(function, made.shape) or len(set(made.words)) < len(made.words):
            raise damaged
    return made
