"""Right-hand side -> model matrix, through formulaic; its state as plain data, and back.

This module imports formulaic and is imported only where a formula is evaluated.
"""

import builtins
import copy
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec, SimpleFormula
from formulaic.errors import FactorEvaluationError
from formulaic.materializers import PandasMaterializer
from formulaic.materializers.base import EncodedTermStructure
from formulaic.materializers.types import EvaluatedFactor, ScopedFactor, ScopedTerm
from formulaic.parser.types import Factor, Term
from formulaic.transforms import TRANSFORMS
from formulaic.utils.layered_mapping import LayeredMapping
from formulaic.utils.stateful_transforms import stateful_eval
from interface_meta import override

from neuralstat.errors import ArgumentError, DataError, DataWarning, NeuralStatError, TooLargeError, caller
from neuralstat.formula import expressions, frames, smooths, splines
from neuralstat.formula import terms as term_columns
from neuralstat.formula.extremes import floats
from neuralstat.formula.harmless import check_harmless
from neuralstat.formula.operators import parser
from neuralstat.formula.state import MatrixState, Scope, TermState

_OWN = {"bs": splines.bs, "s": smooths.s, "te": smooths.te, **term_columns.FUNCTIONS}


class _Columns(Mapping[str, Any]):
    """Columns of a table, which can be exchanged."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def __getitem__(self, name: str) -> Any:
        return self.frame[name]

    def __contains__(self, name: object) -> bool:
        return name in self.frame

    def __iter__(self) -> Iterator[str]:
        return iter(self.frame.columns)

    def __len__(self) -> int:
        return len(self.frame.columns)


class Materializer(PandasMaterializer):
    """formulaic's, with quoted names, unseen levels and foreign formulas handled as neuralstat wants."""

    REGISTER_NAME = "neuralstat"
    REGISTER_INPUTS: Sequence[str] = ()
    REGISTER_OUTPUTS: Sequence[str] = ("numpy",)
    REGISTER_PRECEDENCE = -1.0

    @override
    def _init(self) -> None:
        self.scope = self.params.pop("scope")
        self.context = LayeredMapping(self.scope.context, expressions.functions())
        self.notes: list[str] = []  # for warnings, once all is evaluated
        self.columns = _Columns(self.data)

    @property
    @override
    def data_context(self) -> Mapping[str, Any]:
        """What names of columns stand for."""
        return self.columns

    @override
    def _evaluate(self, expr: str, metadata: Any, spec: ModelSpec) -> tuple[Any, set[Any]]:
        beyond: list[tuple[int, float, float]] = []
        code, env, _ = self.environment(expr, beyond)
        with np.errstate(all="ignore"):  # non-finite results are looked for, and named, afterwards
            try:
                values = stateful_eval(code, env, {expr: metadata}, spec.transform_state, spec)
            except TypeError as error:  # of a function of numbers that was given dates
                for name in expressions.names(expr):
                    if name in self.data.columns:
                        self._refuse_dates(self.data[name], f"`{expr}`: column {name!r}", name)
                raise error
        if beyond:
            self.notes.append(splines.beyond(expressions.display(expr), beyond))
        self._refuse_dates(values, f"term `{expressions.display(expr)}`", expressions.display(expr))
        return values, set()

    def environment(self, expr: str, beyond: list[Any]) -> tuple[str, LayeredMapping, dict[str, Any]]:
        """The code of an expression, what its names stand for, and its functions by their names there."""
        if not self.scope.trusted:
            check_harmless(expr, tuple(self.data.columns), self.scope.constants)
        code, aliases, names = expressions.compiled(expr)
        variables = {alias: self._variable(name, expr) for alias, name in aliases.items() if alias != name}
        functions = {alias: self._function(name, expr) for alias, name in names.items()}
        return code, LayeredMapping({splines.BEYOND: beyond}, variables, functions, self.layered_context), functions

    @override
    def _lookup(self, name: str) -> tuple[Any, set[Any]]:
        values, variables = super()._lookup(name)
        self._refuse_dates(values, f"column {name!r}", name)
        return values, variables

    def _refuse_dates(self, values: Any, what: str, expr: str) -> None:
        """Raise where a term is of dates, but not as levels: what matters is what becomes of a column."""
        metadata = getattr(values, "__formulaic_metadata__", None)
        dtype = getattr(values, "dtype", None)
        levels = metadata is not None and metadata.kind is Factor.Kind.CATEGORICAL
        if dtype is not None and frames.is_time(dtype) and not levels:
            raise DataError(frames.no_number(what, expr, dtype))

    def _variable(self, name: str, expr: str) -> Any:
        if name not in self.layered_context:
            raise DataError(f"formula: `{expr}` needs {name!r}, which the data do not have.")
        return self.layered_context[name]

    def _function(self, name: str, expr: str) -> Any:
        for layer in (self.scope.context, expressions.functions(), _OWN, TRANSFORMS):
            if callable(layer.get(name)):
                return layer[name]
        if self.scope.trusted and callable(getattr(builtins, name, None)):
            return getattr(builtins, name)
        raise DataError(f"formula: `{expr}` calls {name!r}, which is not a known function.{expressions.instead(name)}")

    @override
    def _encode_evaled_factor(
        self, factor: EvaluatedFactor, spec: ModelSpec, drop_rows: Sequence[int], reduced_rank: bool = False
    ) -> dict[str, Any]:
        categorical = factor.metadata.kind is Factor.Kind.CATEGORICAL
        known = spec.encoder_state.get(factor.expr, (None, {}))[1].get("categories")
        if categorical and known is not None:
            self._check_levels(factor, known)
            return super()._encode_evaled_factor(factor, spec, drop_rows, reduced_rank)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # formulaic and pandas warn of unknown levels: our error follows
            encoded = super()._encode_evaled_factor(factor, spec, drop_rows, reduced_rank)
        known = spec.encoder_state.get(factor.expr, (None, {}))[1].get("categories")
        if categorical and known is not None:
            self._check_levels(factor, known)
        return encoded

    def _check_levels(self, factor: EvaluatedFactor, known: Sequence[Any]) -> None:
        """Raise where a factor has levels that were not there when the model was fitted."""
        values = getattr(factor.values, "__wrapped__", factor.values)
        unseen = [_python(level) for level in pd.unique(pd.Series(values)) if level not in set(known)]
        if not unseen:
            return
        text = expressions.display(factor.expr)
        if factor.factor.eval_method is Factor.EvalMethod.LOOKUP:
            where = f"column {text!r}"
        else:
            columns = [name for name in expressions.names(factor.expr) if name in self.data.columns]
            where = f"column {', '.join(map(repr, columns))}, in `{text}`"
        listed = ", ".join(map(repr, known[:20])) + (", ..." if len(known) > 20 else "")
        raise DataError(
            f"{where}: level(s) {', '.join(map(repr, unseen[:10]))} not among the model's levels {listed}."
        )

    @override
    def _combine_columns(
        self, cols: Sequence[tuple[str, Any]], spec: ModelSpec, drop_rows: Sequence[int]
    ) -> np.ndarray:
        matrix = np.empty((len(cols), self.nrows))
        for row, (name, values) in zip(matrix, cols, strict=True):
            try:
                row[:] = floats(values, f"term {expressions.display(name)!r}")
            except NeuralStatError:
                raise
            except (TypeError, ValueError):
                raise DataError(
                    f"formula: `{expressions.display(name)}` does not give one number per row "
                    f"(dtype {np.asarray(values).dtype}, shape {np.shape(values)})."
                ) from None
        return matrix.T


def parse_terms(text: str, columns: Sequence[str], there: Sequence[str] = ()) -> list[Term]:
    """Parse a right-hand side into formulaic's terms; ``.`` stands for `columns`, messages know of those that are `there`.

    Raises
    ------
    ArgumentError
        If formulaic cannot read it, or reads several parts.
    """
    try:
        known = {"__formulaic_variables_available__": list(columns)}
        formula = Formula(text, _parser=parser(), _nested_parser=parser(), _context=known)
    except NeuralStatError:
        raise
    except RecursionError:
        raise TooLargeError(f"formula: `{text:.60}...` is nested, or continued, too deep.") from None
    except Exception as error:  # formulaic lets several kinds of exception through for malformed text
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = expressions.unquoted(text, there or columns)
        raise ArgumentError(f"formula: the right-hand side {text!r:.300} cannot be read ({reason}).{hint}") from error
    if not isinstance(formula, SimpleFormula):
        raise ArgumentError(f"formula: the right-hand side {text!r} has several parts; `|` is not supported.")
    return list(formula)


def lookup_terms(names: Iterable[str]) -> list[Term]:
    """Make terms, with an intercept, from plain column names."""
    one = Term([Factor("1.00", eval_method="literal")])  # not "1", which may be the name of a column
    return [one, *(Term([Factor(name, eval_method="lookup")]) for name in names)]


def with_attributes(term: Term, columns: Collection[str]) -> Term:
    """A term in which ``t.dt.month`` is an expression of the column t, unless a column has this very name."""

    def read(factor: Factor) -> Factor:
        name = factor.expr
        if factor.eval_method is not Factor.EvalMethod.LOOKUP or name in columns:
            return factor
        base = max((c for c in columns if name.startswith(f"{c}.")), key=len, default=None)
        if base is None:
            return factor
        return Factor(name if base.isidentifier() else f"`{base}`{name[len(base) :]}", eval_method="python")

    return Term([read(factor) for factor in term.factors])


def term_expressions(terms: Iterable[Term]) -> list[tuple[str, str]]:
    """Give the texts that terms are made of, with ``"lookup"`` or ``"python"``, in order of appearance."""
    factors = [(f.expr, f.eval_method.value) for term in terms for f in term.factors]
    return [(expr, method) for expr, method in dict.fromkeys(factors) if method != "literal"]


def fit_matrix(
    terms: Sequence[Term], frame: pd.DataFrame, scope: Scope, known: Mapping[str, Any] | None = None
) -> tuple[np.ndarray, MatrixState]:
    """Build the model matrix of new terms.

    Parameters
    ----------
    terms : sequence of Term
    frame : DataFrame
        Plain columns without missing values, default index.
    scope : Scope
    known : mapping, optional
        States of transforms that were found from other rows.

    Returns
    -------
    matrix : ndarray, shape (D, n)
        Without the intercept.
    state : MatrixState
    """
    states = copy.deepcopy(dict(known or {}))
    spec = ModelSpec(SimpleFormula(list(terms), _ordering="none"), output="numpy", na_action="ignore", transform_state=states)
    matrix, fitted = _materialize(spec, frame, scope)
    state = MatrixState(
        terms=tuple(_term_state(s) for s in fitted.structure or ()),
        transforms=dict(sorted(fitted.transform_state.items())),  # formulaic goes through sets, whose order is random
        levels={expr: _levels(expr, *state) for expr, state in sorted(fitted.encoder_state.items())},
    )
    return matrix[_slope_rows(state)], state


def apply_matrix(state: MatrixState, frame: pd.DataFrame, scope: Scope) -> np.ndarray:
    """Build the same columns, shape (D, m), from new data."""
    return _rebuild(state, copy.deepcopy(state.transforms), frame, scope)[0]


def refit_matrix(state: MatrixState, frame: pd.DataFrame, scope: Scope) -> tuple[np.ndarray, MatrixState]:
    """Build the same columns, shape (D, m), with the transforms (knots, centres) found from these rows alone.

    Levels of factors stay, and the boundary knots of splines: they are part of the question, and not estimated.
    """
    matrix, transforms = _rebuild(state, splines.boundaries(state.transforms), frame, scope)
    return matrix, MatrixState(state.terms, transforms, state.levels)


def _rebuild(
    state: MatrixState, transforms: dict[str, Any], frame: pd.DataFrame, scope: Scope
) -> tuple[np.ndarray, dict[str, Any]]:
    """The columns of `state`, and the transforms' states, which are filled in where there are none."""
    if not state.terms:
        return np.empty((0, len(frame))), transforms
    structure = [_structure(term) for term in state.terms]
    spec = ModelSpec(
        SimpleFormula([s.term for s in structure], _ordering="none"),
        output="numpy",
        na_action="ignore",
        structure=structure,
        transform_state=transforms,
        encoder_state={
            expr: (Factor.Kind(kind), {} if levels is None else {"categories": list(levels)})
            for expr, (kind, levels) in state.levels.items()
        },
    )
    matrix, fitted = _materialize(spec, frame, scope)
    if len(matrix) != sum(len(term.columns) for term in state.terms):
        raise DataError(f"formula: the terms make {len(matrix)} columns, other than at the fit.")
    return matrix[_slope_rows(state)], fitted.transform_state


def evaluate(expr: str, frame: pd.DataFrame, scope: Scope, transforms: dict[str, Any]) -> Any:
    """Evaluate one expression; `transforms` is the state of its transforms, filled on the first call."""
    materializer = Materializer(frame, scope=scope)
    spec = ModelSpec(SimpleFormula([]), output="numpy", na_action="ignore", transform_state=transforms)
    values = translated(lambda: materializer._evaluate(expr, None, spec)[0], expr)
    _done(materializer)
    return values


def _materialize(spec: ModelSpec, frame: pd.DataFrame, scope: Scope) -> tuple[np.ndarray, ModelSpec]:
    if not list(spec.formula):
        return np.empty((0, len(frame))), spec
    materializer = Materializer(frame, scope=scope)
    result = translated(lambda: materializer.get_model_matrix(spec), "")
    _done(materializer)
    return np.ascontiguousarray(np.asarray(result).T), result.model_spec


def _done(materializer: Materializer) -> None:
    """Warn of what was noted, and let go of the data: what refers to them in formulaic, refers to itself."""
    notes = materializer.notes
    materializer.columns.frame = pd.DataFrame()
    materializer.__dict__.clear()
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=caller())


def translated(compute: Any, expr: str) -> Any:
    """Run `compute`; turn what goes wrong inside a user's expression into a `DataError` that names it."""
    try:
        return compute()
    except NeuralStatError as error:
        error.__suppress_context__ = True  # formulaic tries its calls with other arguments first
        raise
    except FactorEvaluationError as error:
        if isinstance(error.__cause__, NeuralStatError):
            raise error.__cause__ from None
        raise DataError(f"formula: {error}{_hint(str(error))}") from error
    except Exception as error:
        where = f" `{expr}`" if expr else ""
        raise DataError(f"formula{where}: {type(error).__name__}: {error}{_hint(str(error))}") from error


def _hint(text: str) -> str:
    if ".dt accessor" in text:
        return " (the column holds no dates: make them by pandas.to_datetime first)"
    return " (bs() takes extrapolation='clip', 'na', 'zero' or 'extend')" if "upper bound" in text else ""


def _slope_rows(state: MatrixState) -> list[int] | slice:
    flags = [term.is_intercept for term in state.terms for _ in term.columns]
    if not any(flags[1:]):  # a view: no second copy of the matrix
        return slice(1 if flags and flags[0] else 0, None)
    return [row for row, intercept in enumerate(flags) if not intercept]


def _term_state(structure: EncodedTermStructure) -> TermState:
    return TermState(
        factors=tuple((f.expr, f.eval_method.value) for f in structure.term.factors),
        scoped=tuple(
            (tuple((f.factor.expr, bool(f.reduced)) for f in scoped.factors), float(scoped.scale))
            for scoped in structure.scoped_terms
        ),
        columns=tuple(structure.columns),
    )


def _structure(state: TermState) -> EncodedTermStructure:
    factors = {expr: Factor(expr, eval_method=method) for expr, method in state.factors}
    empty: Any = None  # values are filled in by formulaic
    scoped = [
        ScopedTerm([ScopedFactor(EvaluatedFactor(factors[e], empty), reduced) for e, reduced in parts], scale)
        for parts, scale in state.scoped
    ]
    return EncodedTermStructure(Term(factors.values()), scoped, list(state.columns))


def _levels(expr: str, kind: Factor.Kind, state: dict[str, Any]) -> tuple[str, list[Any] | None]:
    unknown = set(state) - {"categories", "contrasts"}
    if unknown:
        raise DataError(f"formula: `{expr}` makes several factors at once, which is not supported.")
    categories = state.get("categories")
    return kind.value, None if categories is None else [_python(level) for level in categories]


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
