"""From columns of arrays to inputs, without a second copy where one will do."""

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import check_size
from neuralstat.errors import DataError
from neuralstat.formula import expressions, frames, lazy, sources
from neuralstat.formula.elementwise import Elementwise, lazily, wide
from neuralstat.formula.extremes import check_sizes, check_spread
from neuralstat.formula.gathered import Gathered
from neuralstat.formula.lazy import LazyArray
from neuralstat.formula.parts import Design, Scaling
from neuralstat.formula.tensors import Tensor, TensorArray, is_tensor, tensor_rows

PART = 2**17  # numbers of arrays that expressions are evaluated at together
TURNED = 64  # rows of arrays that are turned into columns together: what fits into a cache


def with_arrays(
    tensors: Sequence[Tensor], frame: pd.DataFrame, tabular: np.ndarray, fresh: Collection[str] = ()
) -> np.ndarray:
    """Inputs, shape (D, n): those that tensor terms make, then the tabular ones.

    Parameters
    ----------
    tensors : sequence of Tensor
    frame : DataFrame
        With their columns.
    tabular : (D', n) array
    fresh : collection of str
        Columns that were made for these inputs. The only one that is an array, and lies in memory as inputs do, is the
        inputs: no second copy is made.
    """
    if not tensors:
        return tabular
    if any(isinstance(frame[t.name].array, LazyArray) for t in tensors):
        places = [at.ravel() if _slice(at) is None else _slice(at) for at in tensor_rows(tensors)]
        return Gathered([frame[t.name].array for t in tensors], places, tabular)  # type: ignore[return-value]
    if len(tensors) == 1 and not len(tabular) and tensors[0].name in fresh:
        only = frame[tensors[0].name].array
        if only.owned and only.values.dtype == np.float64 and only.flat.T.flags.c_contiguous:
            return only.flat.T
    count, n = sum(t.size for t in tensors), len(frame)
    out = np.empty((count + len(tabular), n))
    out[count:] = tabular
    for tensor, at in zip(tensors, tensor_rows(tensors), strict=True):
        rows, flat = _slice(at), frame[tensor.name].array.flat
        own: Any = at.ravel() if rows is None else rows
        for a in range(0, n, TURNED):
            out[own, a : a + TURNED] = flat[a : a + TURNED].T
    return out


def own_arrays(frame: pd.DataFrame, tensors: Sequence[Tensor], x: np.ndarray, scaling: Scaling | None) -> pd.DataFrame:
    """The table with arrays that users cannot change: those that lie in the inputs (D, n), else copies."""
    own: dict[str, Any] = {}
    places = dict(zip((t.name for t in tensors), tensor_rows(tensors), strict=True))
    plain = scaling is None or not scaling.of_inputs
    for name in frame.columns:
        if not is_tensor(frame[name]):
            continue
        column, at = frame[name].array, places.get(name)
        if isinstance(x, Gathered):
            own[name] = lazy.owned(column)
            continue
        rows = None if at is None or not plain else _slice(at)
        if at is not None and rows is not None:
            own[name] = TensorArray(np.moveaxis(x[rows].reshape(*at.shape, -1), -1, 0), owned=True)
        elif not column.owned:
            own[name] = TensorArray(column.values.copy(), owned=True)
    return frame.assign(**own) if own else frame


def filled(values: np.ndarray, used: np.ndarray, n: int) -> np.ndarray:
    """Columns (D, m) at their places among n, NaN elsewhere; the array itself where nothing is missing."""
    if used.size == n:
        return values
    if isinstance(values, Gathered):
        kept = np.zeros(n, bool)
        kept[used] = True
        return values.spread(kept)
    out = np.full((len(values), n), np.nan)
    out[:, used] = values
    return out


def missing(values: np.ndarray) -> np.ndarray:
    """Columns (n,) of a matrix (D, n) that hold a NaN: then the largest is NaN, and no matrix of flags is made."""
    if isinstance(values, Gathered):
        return values.missing
    with np.errstate(invalid="ignore"):
        return np.isnan(values.max(axis=0, initial=-np.inf))


def _slice(rows: np.ndarray) -> slice | None:
    """Rows of inputs, which rise, as a slice where they follow one another."""
    first, last = int(rows.flat[0]), int(rows.flat[-1])
    return slice(first, last + 1) if last - first + 1 == rows.size else None


def columns(x: np.ndarray, at: Any) -> np.ndarray:
    """Observations of a matrix (D, n); arrays that are read by rows stay so."""
    return x.select(at) if isinstance(x, Gathered) else x[:, at]


def ready(x: np.ndarray) -> np.ndarray:
    """A matrix (D, n) in C order, or what is read by rows."""
    return x if isinstance(x, Gathered) else np.ascontiguousarray(x)


def with_owned(x: np.ndarray, frame: pd.DataFrame, tensors: Sequence[Tensor]) -> np.ndarray:
    """Inputs that are read by rows, of the columns of a table that users cannot change; any others as they are."""
    if not isinstance(x, Gathered):
        return x
    tabular = x.tabular if x.at is None else x.tabular[:, x.at]
    return x.changed(columns=[frame[t.name].array for t in tensors], tabular=tabular, at=None)


def check_inputs(x: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise `DataError` naming the first input with a number that is infinite or cannot be squared."""
    if isinstance(x, Gathered):
        x.check(names)
    else:
        check_sizes(x, names)


def check_varied(x: np.ndarray, names: tuple[str, ...]) -> None:
    """As `extremes.check_spread`; inputs that are read by rows have been looked at."""
    if not isinstance(x, Gathered):
        check_spread(x, names)


def spread(x: np.ndarray, kept: np.ndarray) -> np.ndarray | None:
    """A matrix that is read by rows at the places (N,) bool of its rows among others; None for any other matrix."""
    return x.spread(kept) if isinstance(x, Gathered) else None


class WithoutCovariates(Design):
    """The data of a fit that was saved without its covariates: `x` and `frame` are not there."""

    @classmethod
    def of(cls, design: Design) -> "WithoutCovariates":
        """All of a design but these."""
        made = object.__new__(cls)
        made.__dict__.update({name: value for name, value in vars(design).items() if name not in ("x", "frame")})
        return made

    def __getattr__(self, name: str) -> Any:
        if name in ("x", "frame"):
            raise DataError(
                "this needs the covariates of the fit, which were not saved with it: save(path, data=True) keeps them. "
                "Predictions for new rows do without, and all that is given data of its own."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def reads_arrays(design: Design) -> bool:
    """Whether covariates are arrays of several axes, as images are, that lie in the user's data."""
    made = {d.name for d in design.spec.derived if d.function}
    return any(len(t.shape) > 1 and t.name not in made for t in design.spec.tensors)


# arithmetic on arrays ---------------------------------------------------------------------------------------


def turned(shape: Sequence[int]) -> np.ndarray:
    """An array (n, ...) whose rows lie in memory as the columns of inputs do."""
    return np.moveaxis(np.empty((*shape[1:], shape[0])), -1, 0)


def by_parts(expr: str, frame: pd.DataFrame, context: Mapping[str, Any]) -> TensorArray | None:
    """An expression of arrays of one shape, row by row into the inputs' place in memory.

    Returns
    -------
    TensorArray or None
        None for an expression that may look at several rows at once, as a mean does, or that does not give one number for
        each of the arrays.
    """
    code, aliases, functions = expressions.compiled(expr)
    columns = {name: frames.take(frame, name) for name in expressions.names(expr) if name in frame.columns}
    known = expressions.functions()
    env: dict[str, Any] = {"np": np}
    env |= {name: context[name] for name in expressions.names(expr) if name in context and name not in columns}
    called = {alias: context.get(function, known.get(function)) for alias, function in functions.items()}
    alone = all(np.ndim(value) == 0 for name, value in env.items() if name != "np")
    shapes = {values.dtype.shape for values in columns.values() if is_tensor(values)}
    plain = all(isinstance(f, np.ufunc) for f in called.values()) and len(shapes) == 1
    if not (alone and plain and len(frame) and _is_elementwise(expr) and all(map(is_tensor, columns.values()))):
        return None
    shape = (len(frame), *shapes.pop())
    if int(np.prod(shape)) >= sources.LARGE or any(isinstance(c.array, LazyArray) for c in columns.values()):
        return lazily(Elementwise(expr, env, called), columns)
    check_size(int(np.prod(shape)), f"`{expressions.display(expr)}` of shape {shape}")
    out, step = turned(shape), max(1, PART // max(1, int(np.prod(shape[1:]))))
    for a in range(0, len(frame), step):
        env.update(called)
        env.update({name: wide(values.array.values[a : a + step]) for name, values in columns.items()})
        env.update({alias: env[name] for alias, name in aliases.items() if name in env})
        try:
            with np.errstate(all="ignore"):
                part = np.asarray(eval(code, {"__builtins__": {}}, env))
        except Exception:  # said by who evaluates it as a whole
            return None
        if part.dtype.kind not in "biuf" or part.shape != out[a : a + step].shape:
            return None
        out[a : a + step] = part
    return TensorArray(out, owned=True)


def _is_elementwise(expr: str) -> bool:
    """Whether an expression has arithmetic and calls by position only: no indices, attributes or methods."""
    tree, _ = expressions.parse(expr)
    known = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Constant, ast.Name, ast.Call, ast.operator,
             ast.unaryop, ast.cmpop, ast.expr_context)  # fmt: skip
    nodes = list(ast.walk(tree))
    plain = all(isinstance(node.func, ast.Name) and not node.keywords for node in nodes if isinstance(node, ast.Call))
    return plain and all(isinstance(node, known) and not isinstance(node, ast.MatMult) for node in nodes)
