"""Linear functionals of predicted means, with their standard errors: what all effects are made of.

An effect is ``e = sum_j C_j mu(frame_j)``: means at made-up rows, times constants. Its gradient in the weights is the same
sum of Jacobians, so the delta method is exact to first order for all of them; the variance between restarts of the random
starts is added, as for predictions (`inference.prediction`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..fitted import Fitted
from ..inference.predict import inputs
from ..inference.sampling import joint_moves, mean_jacobian


@dataclass(frozen=True)
class Block:
    """Rows of the user's variables, and what their predicted means are multiplied by.

    Attributes
    ----------
    frame : DataFrame, m rows
    constants : (E, m) array
    """

    frame: pd.DataFrame
    constants: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """Effects of one output.

    Attributes
    ----------
    value : (E,) array
        Mean over the repetitions.
    se : (E,) array
        From the data and between restarts together.
    between : (E,) array
        Standard deviation over the repetitions.
    """

    value: np.ndarray
    se: np.ndarray
    between: np.ndarray

    def frame(self, index: Any, name: str, alpha: float) -> pd.DataFrame:
        """A row per effect: `name`, std err, z, P>|z|, limits, and the standard deviation over repetitions."""
        from scipy import stats

        q = stats.norm.ppf(1 - alpha / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = self.value / self.se
        return pd.DataFrame({
            name: self.value, "std err": self.se, "z": z, "P>|z|": 2 * stats.norm.sf(np.abs(z)),
            "lower": self.value - q * self.se, "upper": self.value + q * self.se, "sd over repetitions": self.between,
        }, index=index)  # fmt: skip


def output_position(fitted: Fitted, response: str | None) -> int:
    """Which output is meant: the only one, or the one named.

    Raises
    ------
    ArgumentError
        Where there is no such output, or several and none is named.
    """
    names = fitted.design.y_names
    if response is None and len(names) == 1:
        return 0
    if response not in names:
        raise ArgumentError(f"response must be one of {', '.join(map(repr, names))}; got {response!r}.")
    return names.index(response)


def raw_frame(fitted: Fitted) -> pd.DataFrame:
    """The user's covariates at the rows of the fit.

    Raises
    ------
    ArgumentError
        For models with array terms, or an offset given as an array, whose rows cannot be made up.
    """
    spec = fitted.design.spec
    if getattr(spec, "tensors", ()):
        raise ArgumentError("effects need columns of numbers or factors; this model has array terms.")
    if spec.offset_kind == "array":
        raise ArgumentError("effects need the offset as a column of the data, not as an array.")
    return fitted.design.frame.reset_index(drop=True)


def covariate(fitted: Fitted, name: Any) -> pd.Series:
    """One of the user's covariates at the rows of the fit.

    Raises
    ------
    ArgumentError
        Where the formula has no such covariate.
    """
    known = fitted.design.spec.covariates
    if name not in known:
        raise ArgumentError(f"variable must be one of {', '.join(map(repr, known))}; got {name!r}.")
    return raw_frame(fitted)[name]


def is_factor(values: pd.Series) -> bool:
    """Whether a covariate takes levels rather than numbers."""
    return not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)


def levels(values: pd.Series) -> list[Any]:
    """Levels of a factor that occur, in category order."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return [c for c in values.cat.categories if (values == c).any()]
    return sorted(values.unique().tolist())


def replaced(frame: pd.DataFrame, name: str, value: Any) -> pd.DataFrame:
    """The rows with one variable set to a value (or values), its type kept."""
    column = frame[name]
    out = frame.copy()
    if isinstance(column.dtype, pd.CategoricalDtype) and np.ndim(value) == 0:
        out[name] = pd.Categorical([value] * len(frame), categories=column.cat.categories, ordered=column.cat.ordered)
    elif is_factor(column):
        out[name] = pd.Series([value] * len(frame) if np.ndim(value) == 0 else value, frame.index, dtype=column.dtype)
    else:
        out[name] = np.broadcast_to(np.asarray(value, dtype=float), len(frame))
    return out


def means(fitted: Fitted, frame: pd.DataFrame, numbers: list[int], k: int) -> np.ndarray:
    """(R, m) predicted means of output k by repetition."""
    x, offset, _, _ = inputs(fitted, frame, None)
    return fitted.response(fitted.raw(x, offset, numbers))[:, k]


def estimate(
    fitted: Fitted, blocks: Sequence[Block], k: int, rep: Any = "mean", cov_type: str | None = None,
    se: bool = True,
) -> Estimate:  # fmt: skip
    """Value and standard errors of linear functionals."""
    numbers = fitted.numbers(rep)
    values = sum(means(fitted, b.frame, numbers, k) @ b.constants.T for b in blocks)  # (R, E)
    values = np.asarray(values)
    r = len(numbers)
    between = values.std(axis=0, ddof=1) if r > 1 else np.zeros(values.shape[1])
    if not se:
        return Estimate(values.mean(axis=0), np.full(values.shape[1], np.nan), between)
    encoded = [inputs(fitted, b.frame, None)[:2] for b in blocks]
    moved: Any = 0.0
    for b, moves in zip(numbers, joint_moves(fitted, numbers, cov_type), strict=True):
        rows = sum(
            block.constants @ mean_jacobian(fitted, b, x, offset)[k]
            for block, (x, offset) in zip(blocks, encoded, strict=True)
        )  # (E, P)
        moved = moved + rows @ moves / r
    variance = np.sum(np.square(moved), axis=1) + between**2 / r
    return Estimate(values.mean(axis=0), np.sqrt(variance), between)
