"""Formula and data, or arrays, -> `Design`."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError, DataWarning
from neuralstat.formula import expressions, frames, response
from neuralstat.formula.parse import ResponseTerm, parse_responses, split_sides
from neuralstat.formula.spec import (
    Column,
    NewData,
    Scaling,
    Spec,
    broadcast_offset,
    offset_values,
    refuse_gaps,
    refuse_infinite,
    uses_lag,
)


@dataclass(frozen=True)
class Design:
    """The data of a fit as numbers, with what is needed to encode more data alike.

    n observations used of N, D columns of the model matrix without intercept, K outputs.

    Attributes
    ----------
    x : ndarray, shape (D, n)
        Covariates, one row per model-matrix column, in internal (scaled) units; C order.
    y : ndarray, shape (K, n)
        Responses in internal units; C order.
    x_names : tuple of str
        The D columns.
    y_names : tuple of str
        The K outputs; for a factor response with one output per level, the levels.
    terms : dict of str to tuple of int
        Right-hand-side term -> rows of `x` (a factor with c columns has c rows).
    classes : tuple or None
        Levels, where the response is one factor.
    response : str
        Text of the left-hand side.
    weights : ndarray, shape (n,), or None
        Case weights.
    offset : ndarray, shape (K, n), or None
        Known part of the linear predictor, in internal units.
    index, full_index : Index
        Labels of the n rows used, and of all N rows.
    kept : ndarray of bool, shape (N,)
        Which rows are used.
    scaling : Scaling or None
        None where `standardize` is False.
    spec : Spec
    frame : DataFrame
        Raw columns, n rows: the covariates, then columns that only offsets read. `encode(frame)` gives `x` again
        (with `offset=` where an array was given).
    """

    x: np.ndarray
    y: np.ndarray
    x_names: tuple[str, ...]
    y_names: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    classes: tuple[Any, ...] | None
    response: str
    weights: np.ndarray | None
    offset: np.ndarray | None
    index: pd.Index
    full_index: pd.Index
    kept: np.ndarray
    scaling: Scaling | None
    spec: Spec
    frame: pd.DataFrame

    @property
    def covariates(self) -> tuple[str, ...]:
        """Raw columns that the covariate terms read."""
        return self.spec.covariates

    def encode(self, data: Any, *, offset: Any = None) -> NewData:
        """Turn new data into inputs; see `Spec.encode`."""
        return self.spec.encode(data, offset=offset)

    def encode_response(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the left-hand side on new data; see `Spec.encode_response`."""
        return self.spec.encode_response(data)


@dataclass(frozen=True)
class _Request:
    """The parts of a formula, ready to be evaluated."""

    formula: str | None
    response: str
    responses: tuple[ResponseTerm, ...]
    terms: list[Any]
    offsets: tuple[str, ...]
    y_frame: pd.DataFrame
    x_frame: pd.DataFrame
    context: Mapping[str, Any]


@dataclass(frozen=True)
class _Options:
    """The arguments that `design` and `from_arrays` share."""

    weights: Any
    offset: Any
    missing: str
    standardize: bool
    scale_response: bool
    err_needs: str | None
    factor_outputs: str

    def __post_init__(self) -> None:
        frames.check_choice(self.missing, ("drop", "raise"), "missing")
        frames.check_choice(self.standardize, (True, False), "standardize")
        frames.check_choice(self.scale_response, (True, False), "scale_response")
        frames.check_choice(self.factor_outputs, ("all", "binary"), "factor_outputs")
        frames.check_choice(self.err_needs, (None, *response.NEEDS), "err_needs")


def design(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    missing: str = "drop",
    standardize: bool = False,
    scale_response: bool = False,
    err_needs: str | None = None,
    factor_outputs: str = "all",
    context: Mapping[str, Any] | None = None,
) -> Design:
    """Evaluate a formula on data.

    The right-hand side is formulaic's (``a*b``, ``poly(x, 2)``, ``bs(x, df=4)``, ``C(g, contr.sum)``, ``{x / z}``,
    ``.`` for all columns that neither the left-hand side nor `weights` nor an offset uses); the intercept makes no
    column, since biases belong to the layers, and only decides how factors are coded. ``offset(expr)`` terms add
    up. The left-hand side may have several responses joined by ``+`` (a repeated one counts once), expressions,
    comparisons as R writes them (``y == "a" ~ x``), or one factor: strings or categories, one 0/1 output per level
    that occurs, in category order, or sorted for strings.

    Parameters
    ----------
    formula : str
    data : table
        pandas, polars or arrow table, dict of 1-d arrays, record array, one-dimensional xarray Dataset.
    weights : str or array of length N, optional
        Case weights: finite, not negative, not all zero.
    offset : str or array of length N, or of shape (N, K), optional
        Known part of the linear predictor, in units of the linear predictor; adds to ``offset()`` terms.
    missing : {"drop", "raise"}
        What to do with rows that miss a value in any variable used, the weights or the offset.
    standardize : bool
        Centre and scale every column of x, dummy columns too, by its (weighted) mean and standard deviation with
        n - 1. A constant column keeps its scale, with a `DataWarning`.
    scale_response : bool
        With `standardize`: centre and scale numeric responses (not factors, booleans and comparisons) as well.
    err_needs : {None, "binary", "unit", "count", "nonnegative", "positive"}
        What the error function or family needs the responses to be.
    factor_outputs : {"all", "binary"}
        One output per level of a factor response, or one output that is 1 for the second of two levels.
    context : mapping, optional
        Further names for the formula (functions, knots). A model that uses functions from here cannot be saved.

    Returns
    -------
    Design

    Raises
    ------
    ArgumentError
        If an argument or the formula's text is not usable.
    DataError
        If the data do not fit: missing columns, unusable dtypes, infinite values, no rows left, a factor with one
        level, bad weights.

    Warns
    -----
    DataWarning
        For constant columns with `standardize`, for rows dropped because an expression gave no number there, and
        for response levels all of whose rows were dropped.
    """
    options = _Options(weights, offset, missing, standardize, scale_response, err_needs, factor_outputs)
    if context is not None and not isinstance(context, Mapping):
        raise ArgumentError(f"context must be a mapping of names to values, not {type(context).__name__}.")
    left, right = split_sides(formula)
    frame = frames.as_frame(data)
    columns = tuple(frame.columns)
    responses = parse_responses(left, columns)
    terms, offsets = _right_side(right, responses, columns, options)
    return _build(
        _Request(formula, left, responses, terms, offsets, frame, frame, dict(context or {})), options
    )


def from_arrays(
    endog: Any,
    exog: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    missing: str = "drop",
    standardize: bool = False,
    scale_response: bool = False,
    err_needs: str | None = None,
    factor_outputs: str = "all",
) -> Design:
    """Make a design from a response and a matrix of covariates, without a formula.

    Parameters
    ----------
    endog : array of shape (N,) or (N, K), Series, DataFrame
        Numbers, or one factor (strings, Categorical).
    exog : array of shape (N, D) or (N,), Series, DataFrame
        One column per covariate; factor columns of a DataFrame are coded as in a formula.
    weights, offset, missing, standardize, scale_response, err_needs, factor_outputs
        As in `design`, where `weights` and `offset` are arrays.

    Returns
    -------
    Design
        Names are those of pandas objects, else ``x1``, ``x2``, ... and ``y``, or ``y1``, ``y2``, ...

    Raises
    ------
    ArgumentError, DataError
        As `design`; also where lengths or index labels of `endog` and `exog` differ.
    """
    options = _Options(weights, offset, missing, standardize, scale_response, err_needs, factor_outputs)
    for name, value in (("weights", weights), ("offset", offset)):
        if isinstance(value, str):
            raise ArgumentError(
                f"{name} must be an array where the model is given as arrays, not the name {value!r}."
            )
    y_frame = _array_frame(endog, "endog", "y")
    x_frame = _array_frame(exog, "exog", "x")
    if len(y_frame) != len(x_frame):
        raise DataError(f"endog has {len(y_frame)} rows and exog has {len(x_frame)}.")
    y_labelled, x_labelled = (isinstance(a, pd.Series | pd.DataFrame) for a in (endog, exog))
    if y_labelled and x_labelled and not y_frame.index.equals(x_frame.index):
        raise DataError("endog and exog have different index labels; align them first.")
    if y_labelled:
        x_frame.index = y_frame.index
    from neuralstat.formula.matrix import lookup_terms

    responses = tuple(ResponseTerm(name, name, "lookup") for name in y_frame.columns)
    request = _Request(
        formula=None,
        response=" + ".join(y_frame.columns),
        responses=responses,
        terms=lookup_terms(x_frame.columns),
        offsets=(),
        y_frame=y_frame,
        x_frame=x_frame,
        context={},
    )
    return _build(request, options)


def _array_frame(values: Any, argument: str, letter: str) -> pd.DataFrame:
    """Give an array, Series or table as a DataFrame with names."""
    if isinstance(values, pd.Series):
        frame = values.to_frame(
            letter + ("1" if letter == "x" else "") if values.name is None else str(values.name)
        )
    elif isinstance(values, np.ndarray | list | tuple | pd.api.extensions.ExtensionArray | pd.Index):
        array = values if isinstance(values, pd.api.extensions.ExtensionArray) else np.asarray(values)
        if array.ndim not in (1, 2):
            raise ArgumentError(f"{argument} must have one or two dimensions, not shape {array.shape}.")
        if array.ndim == 1:
            frame = pd.DataFrame({letter + ("1" if letter == "x" else ""): array})
        elif letter == "y" and array.shape[1] == 1:
            frame = pd.DataFrame({"y": array[:, 0]})
        else:
            frame = pd.DataFrame(array, columns=[f"{letter}{j + 1}" for j in range(array.shape[1])])
    else:
        frame = frames.as_frame(values, argument).copy(deep=False)
    if letter == "y" and frame.shape[1] == 0:
        raise DataError("endog has no columns.")
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"{argument} has several columns named {repeated[0]!r}.")
    return frame


def _right_side(
    right: str, responses: Sequence[ResponseTerm], columns: tuple[str, ...], options: _Options
) -> tuple[list[Any], tuple[str, ...]]:
    """Parse covariate terms and offsets; ``.`` means the columns that nothing else uses."""
    from neuralstat.formula.matrix import parse_terms, term_columns

    text = expressions.quote_dotted(right, columns)
    used = {c for r in responses for c in _reads(r)}
    used |= {a for a in (options.weights, options.offset) if isinstance(a, str)}
    # offsets are looked for first, so that their columns can be kept out of the dot
    used |= set(term_columns([t for t in parse_terms(text, ()) if _offset_of(t) is not None]))
    terms = parse_terms(text, [c for c in columns if c not in used])
    offsets = tuple(inner for t in terms if (inner := _offset_of(t)) is not None)
    return [t for t in terms if _offset_of(t) is None], offsets


def _offset_of(term: Any) -> str | None:
    """Give the expression inside an ``offset()`` term; raise where offset() is part of a larger term."""
    inside = [
        expressions.offset_argument(f.expr) if f.eval_method.value == "python" else None for f in term.factors
    ]
    if len(inside) > 1 and any(i is not None for i in inside):
        raise ArgumentError(f"formula: offset() cannot be part of the interaction `{term}`.")
    return inside[0] if inside else None


def _reads(term: ResponseTerm) -> tuple[str, ...]:
    return (term.expr,) if term.method == "lookup" else expressions.names(term.expr)


def _used_columns(
    names: Sequence[str], frame: pd.DataFrame, context: Mapping[str, Any], where: str
) -> tuple[str, ...]:
    """Keep the names that are columns; raise for those that are nothing."""
    from formulaic.transforms import TRANSFORMS

    known = {*context, *TRANSFORMS, *expressions.functions(), *vars(__import__("builtins"))}
    for name in names:
        if name not in frame.columns and name not in known:
            raise DataError(
                f"{where}: the data have no column {name!r}. {frames.closest(name, frame.columns)}"
            )
    return tuple(dict.fromkeys(name for name in names if name in frame.columns))


def _build(request: _Request, options: _Options) -> Design:
    """Carry out a request: rows, responses, matrix, offset, checks, scaling."""
    from neuralstat.formula.matrix import Scope, evaluate, fit_matrix, term_columns

    x_frame, y_frame, context = request.x_frame, request.y_frame, request.context
    covariates = _used_columns(term_columns(request.terms), x_frame, context, "formula")
    offset_names = [n for expr in request.offsets for n in expressions.names(expr)]
    offset_columns = _used_columns(offset_names, x_frame, context, "offset()")
    response_columns = _used_columns(
        [n for r in request.responses for n in _reads(r)], y_frame, context, "response"
    )
    weights = None if options.weights is None else frames.vector(options.weights, x_frame, "weights")
    offset = None if options.offset is None else frames.vector(options.offset, x_frame, "offset")
    if weights is not None and weights.ndim != 1:
        raise DataError(f"weights has shape {weights.shape}; one weight per row is needed.")

    needed = tuple(dict.fromkeys((*covariates, *offset_columns)))
    kept = _complete_rows(request, options, needed, response_columns, weights, offset)
    rows = np.flatnonzero(kept)
    x_clean = _clean(x_frame, needed, rows)
    y_clean = _clean(y_frame, response_columns, rows)

    scope = Scope(context)
    transforms: dict[str, dict[str, Any]] = {}

    def value_of(expr: str, method: str, frame: pd.DataFrame) -> Any:
        if method == "lookup" and expr in frame.columns:
            return frame[expr]
        text = expr if method == "python" else f"`{expr}`"
        return evaluate(text, frame, scope, transforms.setdefault(text, {}))

    values = [value_of(r.expr, r.method, y_clean) for r in request.responses]
    out = response.outputs(request.responses, values, len(rows), options.factor_outputs, request.response)
    x, state = fit_matrix(request.terms, x_clean, scope)
    x_names = tuple(expressions.display(c) for t in state.terms if not t.is_intercept for c in t.columns)
    if not kept.all():
        refuse_gaps(state, x_clean)
    _refuse_single_levels(state)
    total = None
    if request.offsets or offset is not None:
        total = np.zeros((len(out.names), len(rows)))
        for expr in request.offsets:
            total += offset_values(value_of(expr, "python", x_clean), expr, len(rows))
        if offset is not None:
            total += broadcast_offset(offset[rows], len(out.names))
        refuse_infinite(total, ("offset",) * len(total))
    refuse_infinite(out.y, out.names)
    refuse_infinite(x, x_names)

    numeric = _numbers(x, x_names, out, total, options, silent=uses_lag(state))
    rows, x, y = rows[numeric], x[:, numeric], out.y[:, numeric]
    total = None if total is None else total[:, numeric]
    kept = np.zeros(len(x_frame), dtype=bool)
    kept[rows] = True
    case_weights = None if weights is None else _check_weights(weights[rows])
    response.check_needs(y, out.names, options.err_needs)
    _warn_lost_levels(request, out, y_frame, rows)

    scaling = None
    if options.standardize:
        scaled = np.array([k == "numeric" and options.scale_response for k in out.kinds])
        scaling = _scaling(x, y, case_weights, x_names, out.names, scaled)
        x = (x - scaling.x_mean[:, None]) / scaling.x_sd[:, None]
        y = (y - scaling.y_mean[:, None]) / scaling.y_sd[:, None]
        total = None if total is None else total / scaling.y_sd[:, None]

    frame = x_clean.iloc[numeric].set_axis(x_frame.index[rows], axis=0)
    offset_kind = "none" if offset is None else "column" if isinstance(options.offset, str) else "array"
    spec = Spec(
        formula=request.formula,
        response=request.response,
        responses=request.responses,
        y_names=out.names,
        y_kinds=out.kinds,
        classes=out.classes,
        matrix=state,
        x_names=x_names,
        terms=_term_rows(state),
        covariates=covariates,
        offset_columns=offset_columns,
        response_columns=response_columns,
        columns={name: Column.of(x_clean[name]) for name in needed},
        response_kinds={name: Column.of(y_clean[name]) for name in response_columns},
        offset_terms=request.offsets,
        offset_argument=options.offset if offset_kind == "column" else None,
        offset_kind=offset_kind,
        weights_argument=options.weights if isinstance(options.weights, str) else None,
        transforms={k: v for k, v in transforms.items() if v},
        scaling=scaling,
        context=context,
    )
    return Design(
        x=np.ascontiguousarray(x),
        y=np.ascontiguousarray(y),
        x_names=x_names,
        y_names=out.names,
        terms=spec.terms,
        classes=out.classes,
        response=request.response,
        weights=case_weights,
        offset=None if total is None else np.ascontiguousarray(total),
        index=x_frame.index[rows],
        full_index=x_frame.index,
        kept=kept,
        scaling=scaling,
        spec=spec,
        frame=frame,
    )


def _complete_rows(
    request: _Request,
    options: _Options,
    needed: Sequence[str],
    response_columns: Sequence[str],
    weights: np.ndarray | None,
    offset: np.ndarray | None,
) -> np.ndarray:
    """Mark the rows without missing values, shape (N,); raise where `missing` says so or none is left."""
    n = len(request.x_frame)
    gaps: dict[str, np.ndarray] = {}
    for frame, columns in ((request.y_frame, response_columns), (request.x_frame, needed)):
        for name in columns:
            gaps[name] = frames.take(frame, name).isna().to_numpy() | gaps.get(name, False)
    for name, values in (("weights", weights), ("offset", offset)):
        if values is not None:
            gaps[f"argument {name}"] = np.isnan(values.reshape(n, -1)).any(axis=1)
    counts = {name: int(gap.sum()) for name, gap in gaps.items() if gap.any()}
    listed = ", ".join(f"{name!r} ({count})" for name, count in counts.items())
    if counts and options.missing == "raise":
        raise DataError(f"missing values in {listed}; remove or fill them, or use missing='drop'.")
    kept = ~np.logical_or.reduce([np.zeros(n, dtype=bool), *gaps.values()])
    if not kept.any():
        reason = f"every row misses a value: {listed}" if counts else "the data have no rows"
        raise DataError(f"no rows to fit: {reason}.")
    return kept


def _clean(frame: pd.DataFrame, columns: Sequence[str], rows: np.ndarray) -> pd.DataFrame:
    """Give the columns, plain and finite, for some rows."""
    plain = {}
    for name in columns:
        plain[name] = frames.plain(frames.take(frame, name).iloc[rows], name)
        frames.finite(plain[name], name)
    return pd.DataFrame(plain, index=pd.RangeIndex(len(rows)))


def _numbers(
    x: np.ndarray,
    x_names: tuple[str, ...],
    out: Any,
    offset: np.ndarray | None,
    options: _Options,
    silent: bool,
) -> np.ndarray:
    """Positions of the rows where every expression gave a number."""
    parts = [(x, x_names), (out.y, out.names)]
    if offset is not None:
        parts.append((offset, ("offset",) * len(offset)))
    bad = np.logical_or.reduce([np.isnan(rows).any(axis=0) for rows, _ in parts])
    if not bad.any():
        return np.arange(x.shape[1])
    names = dict.fromkeys(n for rows, labels in parts for n, row in zip(labels, rows) if np.isnan(row).any())
    text = f"{', '.join(map(repr, names))} is not a number in {int(bad.sum())} row(s) without missing values"
    if options.missing == "raise":
        raise DataError(f"{text}, as log(-1) would be.")
    if bad.all():
        raise DataError(f"no rows to fit: {text}.")
    if not silent:
        warnings.warn(f"{text}, as log(-1) would be; these rows are dropped.", DataWarning, stacklevel=5)
    return np.flatnonzero(~bad)


def _refuse_single_levels(state: Any) -> None:
    for term in state.terms:
        for expr, _ in term.factors:
            levels = state.levels.get(expr, ("", None))[1]
            if levels is not None and len(levels) < 2:
                raise DataError(
                    f"factor {expressions.display(expr)!r} has only the level {levels[0]!r} in the rows used; "
                    "a covariate needs two."
                )


def _check_weights(weights: np.ndarray) -> np.ndarray:
    if not np.isfinite(weights).all():
        raise DataError(f"weights must be finite; {int((~np.isfinite(weights)).sum())} are not.")
    if (weights < 0).any():
        raise DataError(
            f"weights must not be negative; {int((weights < 0).sum())} are, the least is {weights.min():g}."
        )
    if not (weights > 0).any():
        raise DataError("weights are all zero.")
    return np.ascontiguousarray(weights)


def _warn_lost_levels(request: _Request, out: Any, y_frame: pd.DataFrame, rows: np.ndarray) -> None:
    """Warn where a level of the response occurs in the data, but only in rows that were dropped."""
    if (
        out.classes is None
        or request.responses[0].method != "lookup"
        or request.responses[0].expr not in y_frame
    ):
        return
    column = y_frame[request.responses[0].expr]
    lost = [level for level in column.dropna().unique() if level not in out.classes]
    if lost:
        warnings.warn(
            f"response {request.response!r}: level(s) {', '.join(map(repr, lost))} occur only in rows with missing "
            "values and get no output.",
            DataWarning,
            stacklevel=4,
        )


def _scaling(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    x_names: tuple[str, ...],
    y_names: tuple[str, ...],
    scaled: np.ndarray,
) -> Scaling:
    x_mean, x_sd = _moments(x, weights, x_names)
    y_mean, y_sd = np.zeros(len(y)), np.ones(len(y))
    if scaled.any():
        names = tuple(name for name, s in zip(y_names, scaled) if s)
        y_mean[scaled], y_sd[scaled] = _moments(y[scaled], weights, names)
    return Scaling(x_mean, x_sd, y_mean, y_sd)


def _moments(
    rows: np.ndarray, weights: np.ndarray | None, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of each row; with equal weights the usual ones (n - 1)."""
    w = np.ones(rows.shape[1]) if weights is None else weights
    used = int((w > 0).sum())
    mean = rows @ w / w.sum()
    # no variation is judged on the numbers themselves: a rounded mean would leave a tiny spread
    constant = np.array([np.ptp(row[w > 0]) == 0 for row in rows], dtype=bool)
    square = ((rows - mean[:, None]) ** 2) @ w / w.sum() * used / max(used - 1, 1)
    sd = np.where(constant, 1.0, np.sqrt(square))
    if constant.any():
        listed = ", ".join(repr(n) for n, c in zip(names, constant) if c)
        warnings.warn(f"constant column(s), centred but not scaled: {listed}.", DataWarning, stacklevel=6)
    return mean, sd


def _term_rows(state: Any) -> dict[str, tuple[int, ...]]:
    """Map each term to its rows of x."""
    result: dict[str, tuple[int, ...]] = {}
    start = 0
    for term in state.terms:
        if not term.is_intercept:
            result[term.name] = tuple(range(start, start + len(term.columns)))
            start += len(term.columns)
    return result
