"""Formula and data, or arrays, -> `Design`."""

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import DataError
from neuralstat.formula import expressions, frames, response, rows, vectors
from neuralstat.formula.arrays import check_inputs, check_varied, columns, own_arrays, ready, with_arrays, with_owned
from neuralstat.formula.bounds import check_columns, check_expression
from neuralstat.formula.extremes import check_sizes, check_spread
from neuralstat.formula.parts import Column, Design, Scaling
from neuralstat.formula.request import Options, Request, array_request, formula_request
from neuralstat.formula.scaling import fit_scaling
from neuralstat.formula.spec import Spec, response_rows
from neuralstat.formula.structure import relabelled, unscaled
from neuralstat.formula.tensors import is_tensor, pooled_groups, tensor_names, tensor_rows


def design(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    missing: str = "drop",
    standardize: bool | str = False,
    scale_response: bool = False,
    err_needs: str | None = None,
    factor_outputs: str = "all",
    class_order: str = "categories",
    freq_weights: Any = None,
    var_weights: Any = None,
    groups: Any = None,
    context: Mapping[str, Any] | None = None,
) -> Design:
    """Evaluate a formula on data.

    The right-hand side is formulaic's (``a*b``, ``poly(x, 2)``, ``bs(x, df=4)``, ``C(g, contr.sum)``, ``{x /
    z}``, ``.`` for all columns that neither the left-hand side nor weights, an offset or `groups` use); the
    intercept makes no column, since biases belong to the layers, and only decides how factors are coded.
    ``offset(expr)`` terms add up. The left-hand side may have several responses joined by ``+`` (a repeated
    one counts once), expressions, comparisons as R writes them (``y == "a" ~ x``), or one factor: strings or
    categories, one 0/1 output per level that occurs, in category order, or sorted for strings.

    Parameters
    ----------
    formula : str
    data : table
        pandas, polars or arrow table, dict of arrays, record array, xarray Dataset. The first axis of an array of
        several dimensions is the rows.
    weights : str or array of length N, optional
        Case weights: finite, not negative, not all zero.
    offset : str or array of length N, or of shape (N, K), optional
        Known part of the linear predictor, in units of the linear predictor; adds to ``offset()`` terms.
    missing : {"drop", "raise"}
        What to do with rows that miss a value in any variable used, the weights or the offset.
    standardize : bool or "auto"
        Centre and scale every column of x ("auto": not those of array terms), dummy columns too, by its (weighted)
        mean and standard deviation with n - 1. A constant column keeps its scale, with a `DataWarning`.
    scale_response : bool
        With `standardize`: centre and scale numeric responses (not factors, booleans and comparisons) as
        well.
    err_needs : {None, "binary", "unit", "count", "nonnegative", "positive"}
        What the error function or family needs the responses to be.
    factor_outputs : {"all", "binary"}
        One output per level of a factor response, or one output that is 1 for the second of two levels.
    class_order : {"categories", "sorted"}
        Order of the levels of a Categorical response: its own, or sorted by text as R's neuralnet does.
    freq_weights : str or array of length N, optional
        Frequencies: how many equal observations a row stands for. Not negative, not all zero.
    var_weights : str or array of length N, optional
        Precision weights, another name of `weights`.
    groups : str or array of length N, optional
        Cluster of each row: labels of any kind.
    context : mapping, optional
        Further names for the formula (functions, knots). A model that uses functions from here cannot be
        saved.

    Returns
    -------
    Design

    Raises
    ------
    ArgumentError
        If an argument or the formula's text is not usable.
    DataError
        If the data do not fit: missing columns, unusable dtypes, infinite values, no rows left, a factor
        with one level, bad weights.

    Warns
    -----
    DataWarning
        For constant columns with `standardize`, for rows dropped because an expression gave no number there,
        and for response levels all of whose rows were dropped.
    """
    options = Options(
        weights, offset, missing, standardize, scale_response, err_needs, factor_outputs, class_order, freq_weights,
        var_weights, groups,
    )  # fmt: skip
    return carried_out(formula_request(formula, data, options, context), options)


def from_arrays(
    endog: Any,
    exog: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    missing: str = "drop",
    standardize: bool | str = False,
    scale_response: bool = False,
    err_needs: str | None = None,
    factor_outputs: str = "all",
    class_order: str = "categories",
    freq_weights: Any = None,
    var_weights: Any = None,
    groups: Any = None,
) -> Design:
    """Make a design from a response and a matrix of covariates, without a formula.

    Parameters
    ----------
    endog : array of shape (N,) or (N, K), Series, DataFrame
        Numbers, or one factor (strings, Categorical).
    exog : array of shape (N, D) or (N,), Series, DataFrame
        One column per covariate; factor columns of a DataFrame are coded as in a formula.
    weights, offset, missing, standardize, scale_response, err_needs, factor_outputs, class_order
        As in `design`, where weights and `offset` are arrays.
    freq_weights, var_weights, groups
        As in `design`, as arrays.

    Returns
    -------
    Design
        Names are those of pandas objects, else ``x1``, ``x2``, ... and ``y``, or ``y1``, ``y2``, ...

    Raises
    ------
    ArgumentError, DataError
        As `design`; also where lengths or index labels of `endog` and `exog` differ.
    """
    options = Options(
        weights, offset, missing, standardize, scale_response, err_needs, factor_outputs, class_order, freq_weights,
        var_weights, groups,
    )  # fmt: skip
    return carried_out(array_request(endog, exog, options), options)


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The columns that a request reads, and the rows of them without missing values."""

    covariates: tuple[str, ...]
    offset_columns: tuple[str, ...]
    response_columns: tuple[str, ...]
    weights: dict[str, np.ndarray]
    offset: np.ndarray | None
    groups: np.ndarray | None
    rows: np.ndarray
    x: pd.DataFrame
    y: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Values:
    """What expressions give for these rows: x (D, n), outputs, offset (K, n) or None, transform states."""

    x: np.ndarray
    x_names: tuple[str, ...]
    out: response.Outputs
    offset: np.ndarray | None
    matrix: Any
    transforms: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Known:
    """States of transforms, by expression (None: the right-hand side), that were found from all of the data's rows."""

    states: Mapping[str | None, dict[str, Any]] = field(default_factory=dict)
    rows: int = 0


def carried_out(request: Request, options: Options, known: Known = Known()) -> Design:
    """Carry out a request, whose rows may be some of those known: read, evaluate, drop what is no number, check, scale."""
    inputs = _read(request, options)
    values = _evaluate(request, options, inputs, known)
    numeric = np.arange(len(inputs.rows))
    if known.rows == 0:  # else it is seen later which of all rows are no numbers
        parts = ((values.x, values.x_names), (values.out.y, values.out.names), (values.offset, None))
        numeric = rows.numeric_rows(parts, missing=options.missing, silent=rows.uses_lag(values.matrix))
    used = inputs.rows[numeric]
    x, y, offset, frame = values.x, values.out.y, values.offset, inputs.x
    if numeric.size < len(inputs.rows):
        x, y, frame = columns(x, numeric), y[:, numeric], frame.iloc[numeric]
        offset = None if offset is None else offset[:, numeric]
    weights, frequencies = rows.case_weights({name: values[used] for name, values in inputs.weights.items()})
    check_varied(x, values.x_names)
    check_spread(y, values.out.names)
    response.check_needs(y, values.out.names, options.err_needs, request.formula)
    response.warn_lost_levels(request.responses[0], request.y_frame, request.response, values.out.classes)

    scaling = None
    if options.standardize:
        scaled = np.array([kind == "numeric" and options.scale_response for kind in values.out.kinds])
        groups = pooled_groups(request.tensors, len(x), options.standardize)
        groups[unscaled(request.specials, _term_rows(request.tensors, values.matrix))] = -1
        if scaled.any() or np.any(groups >= 0):
            scaling = fit_scaling(x, y, weights, values.x_names, values.out.names, scaled, groups, frequencies)
    if scaling is not None:
        x, y = scaling.x_internal(x), scaling.y_internal(y)
        offset = None if offset is None else offset / scaling.y_sd[:, None]

    spec = _spec(request, options, inputs, values, scaling)
    frame = own_arrays(frame, request.tensors, x, scaling)
    index = request.x_frame.index
    kept = np.zeros(len(index), dtype=bool)
    kept[used] = True
    return Design(
        x=ready(with_owned(x, frame, request.tensors)),
        y=np.ascontiguousarray(y),
        x_names=spec.x_names,
        y_names=spec.y_names,
        terms=spec.terms,
        classes=spec.classes,
        response=spec.response,
        weights=weights,
        offset=None if offset is None else np.ascontiguousarray(offset),
        index=index[used],
        full_index=index,
        kept=kept,
        scaling=scaling,
        spec=spec,
        frame=frame.set_axis(index[used], axis=0),
        frequencies=frequencies,
        groups=None if inputs.groups is None else rows.renumbered(inputs.groups[used]),
    )


def _read(request: Request, options: Options) -> _Inputs:
    """Find the columns, and the rows that have all of them."""
    from neuralstat.formula.matrix import term_expressions

    x_frame, y_frame, context = request.x_frame, request.y_frame, request.context
    texts = [*term_expressions(request.terms), *((t.name, "lookup") for t in request.tensors)]
    covariates = rows.columns_read(texts, x_frame, context, "formula")
    offset_texts = [(expr, "python") for expr in request.offsets]
    offset_columns = rows.columns_read(offset_texts, x_frame, context, "offset()")
    response_texts = [(r.expr, r.method) for r in request.responses]
    response_columns = rows.columns_read(response_texts, y_frame, context, "response")
    weights = rows.weight_vectors(options.per_row, x_frame)
    offset = None if options.offset is None else vectors.vector(options.offset, x_frame, "offset")
    groups = None if options.groups is None else rows.group_codes(options.groups, x_frame)

    needed = tuple(dict.fromkeys((*covariates, *offset_columns)))
    gaps = {name: frames.missing(frames.take(y_frame, name)) for name in response_columns}
    for name in needed:
        gaps[name] = frames.missing(frames.take(x_frame, name)) | gaps.get(name, False)
    for name, values in (*weights.items(), ("offset", offset)):
        if values is not None:
            gaps[f"argument {name}"] = np.isnan(values.reshape(len(x_frame), -1)).any(axis=1)
    if groups is not None:
        gaps["argument groups"] = groups < 0
    inner = {name: gap & ~request.edges for name, gap in gaps.items()}  # edges are no missing values
    kept = rows.complete_rows(inner, len(x_frame), options.missing) & ~request.edges
    if not kept.any():
        raise DataError(f"no rows to fit: of {len(x_frame)} rows none has all its lags and leads.")
    positions = np.flatnonzero(kept)
    x = rows.clean(x_frame, needed, positions)
    y = rows.clean(y_frame, response_columns, positions)
    return _Inputs(covariates, offset_columns, response_columns, weights, offset, groups, positions, x, y)


def _evaluate(request: Request, options: Options, inputs: _Inputs, known: Known) -> _Values:
    """Evaluate both sides and the offsets; infinities are refused by name."""
    from neuralstat.formula.matrix import evaluate, fit_matrix
    from neuralstat.formula.unstable import unstable_terms

    scope = request.scope
    transforms = {expr: copy.deepcopy(states) for expr, states in known.states.items() if expr is not None}
    n = len(inputs.rows)

    def value(expr: str, frame: pd.DataFrame) -> Any:
        return evaluate(expr, frame, scope, transforms.setdefault(expr, {}))

    for r in request.responses:
        if r.method != "lookup":
            check_expression(r.expr, n, request.context, known.rows)
    left = [inputs.y[r.expr] if r.method == "lookup" else value(r.expr, inputs.y) for r in request.responses]
    terms, left = response_rows(request.responses, left, request.derived)
    out = response.outputs(terms, left, n, options.factor_outputs, options.class_order, request.response)
    check_columns(request.terms, n, _levels(request.terms, inputs.x), request.context, known.rows)
    x, matrix = fit_matrix(request.terms, inputs.x, scope, known.states.get(None))
    x_names = tuple(relabelled(expressions.display(c), request.specials)
                    for t in matrix.terms if not t.is_intercept for c in t.columns)  # fmt: skip
    if request.tensors:
        x = with_arrays(request.tensors, inputs.x, x, inputs.x.columns)
        x_names = (*tensor_names(request.tensors), *x_names)
    if len(set(x_names)) < len(x_names):
        repeated = [name for name, count in Counter(x_names).items() if count > 1]
        raise DataError(
            f"formula: two columns of the model matrix are called {repeated[0]!r}; rename a column."
        )
    if "Intercept" in x_names:
        raise DataError(
            "column 'Intercept': its weights would have the names of the biases, as Intercept.to.y. Leave it out where it is "
            "the constant (a formula has its intercept, every unit its bias), else rename it."
        )
    if n < len(request.x_frame):
        rows.refuse_gaps(matrix)
    rows.warn_lags(matrix, request.x_frame.index)
    rows.refuse_single_levels(matrix)
    rows.warn_unstable(unstable_terms(matrix, x, inputs.x, scope))
    offset = None
    if request.offsets or inputs.offset is not None:
        offset = np.zeros((len(out.names), n))
        for expr in request.offsets:
            offset += rows.offset_values(value(expr, inputs.x), expr, n)
        if inputs.offset is not None:
            offset += rows.broadcast_offset(inputs.offset[inputs.rows], len(out.names))
        check_sizes(offset, ("offset",) * len(offset))
    check_sizes(out.y, out.names)
    check_inputs(x, x_names)
    return _Values(x, x_names, out, offset, matrix, {k: v for k, v in transforms.items() if v})


def _spec(
    request: Request, options: Options, inputs: _Inputs, values: _Values, scaling: Scaling | None
) -> Spec:
    """Keep what new data need."""
    by_name = isinstance(options.offset, str)
    return Spec(
        formula=request.formula,
        response=request.response,
        responses=request.responses,
        y_names=values.out.names,
        y_kinds=values.out.kinds,
        classes=values.out.classes,
        matrix=values.matrix,
        x_names=values.x_names,
        terms=_term_rows(request.tensors, values.matrix),
        tensors=request.tensors,
        derived=request.derived,
        covariates=inputs.covariates,
        offset_columns=inputs.offset_columns,
        response_columns=inputs.response_columns,
        columns={name: Column.of(inputs.x[name]) for name in inputs.x},
        response_kinds={name: Column.of(inputs.y[name]) for name in inputs.y},
        offset_terms=request.offsets,
        offset_argument=options.offset if by_name else None,
        offset_kind="none" if options.offset is None else "column" if by_name else "array",
        weights_argument=next((v for v in (options.weights, options.var_weights) if isinstance(v, str)), None),
        transforms=values.transforms,
        scaling=scaling,
        context=request.context,
        constants=request.scope.constants,
        trusted=request.trusted,
        specials=request.specials,
    )


def _levels(terms: Any, frame: pd.DataFrame) -> dict[str, int]:
    """How many levels the columns have that are factors, or are made factors by ``C()``."""
    coded = {name for term in terms for factor in term.factors
             if factor.eval_method.value == "python" and "C" in expressions.called(factor.expr)
             for name in expressions.names(factor.expr)}  # fmt: skip
    return {
        name: int(frame[name].nunique()) for name in frame
        if not is_tensor(frame[name]) and (name in coded or frames.is_factor(frame[name]))
    }  # fmt: skip


def _term_rows(tensors: Any, state: Any) -> dict[str, tuple[int, ...]]:
    """Map each term to its rows of x."""
    result: dict[str, tuple[int, ...]] = {}
    for tensor, at in zip(tensors, tensor_rows(tensors), strict=True):
        result[tensor.name] = tuple(at.ravel().tolist())
    start = sum(tensor.size for tensor in tensors)
    for term in state.terms:
        if not term.is_intercept:
            result[term.name] = tuple(range(start, start + len(term.columns)))
            start += len(term.columns)
    return result
