"""From columns of arrays to inputs, without a second copy where one will do."""

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import check_size
from neuralstat.errors import DataError
from neuralstat.formula import expressions, frames
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
    out = np.full((len(values), n), np.nan)
    out[:, used] = values
    return out


def missing(values: np.ndarray) -> np.ndarray:
    """Columns (n,) of a matrix (D, n) that hold a NaN: then the largest is NaN, and no matrix of flags is made."""
    with np.errstate(invalid="ignore"):
        return np.isnan(values.max(axis=0, initial=-np.inf))


def _slice(rows: np.ndarray) -> slice | None:
    """Rows of inputs, which rise, as a slice where they follow one another."""
    first, last = int(rows.flat[0]), int(rows.flat[-1])
    return slice(first, last + 1) if last - first + 1 == rows.size else None


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


def wide(values: np.ndarray) -> np.ndarray:
    """Whole numbers of few bits, as those of images, with 64: pixels - 128 would wrap around."""
    return values.astype(np.int64) if values.dtype.kind in "iu" and values.dtype.itemsize < 8 else values


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
