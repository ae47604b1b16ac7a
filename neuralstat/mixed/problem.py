"""What is fitted: dense columns, groups of them with penalties, random effects, a family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks.values import shown
from ..errors import ArgumentError, DataError
from ..families import Family, Multinomial
from ..families.distributional import Distributional


@dataclass(frozen=True)
class Penalised:
    """Dense columns with one strength: the penalty is lam / 2 * sum_j diagonal_j beta_j^2.

    Attributes
    ----------
    name : str
    columns : (q,) int array
        Positions in beta, each once; another penalty may have them too.
    diagonal : (q,) array
        Numbers >= 0, of which one is positive.
    """

    name: str
    columns: np.ndarray
    diagonal: np.ndarray

    def __post_init__(self) -> None:
        columns, diagonal = np.asarray(self.columns), np.asarray(self.diagonal, dtype=float)
        if columns.ndim != 1 or columns.size == 0 or columns.dtype.kind not in "iu":
            raise ArgumentError(f"penalty {self.name!r}: columns must be a vector of whole numbers.")
        if len(np.unique(columns)) != len(columns):
            raise ArgumentError(f"penalty {self.name!r}: a column stands twice in columns.")
        if diagonal.shape != columns.shape or not np.all(np.isfinite(diagonal)) or np.any(diagonal < 0):
            raise ArgumentError(f"penalty {self.name!r}: diagonal must have a number >= 0 for each of its columns.")
        if not np.any(diagonal > 0):
            raise ArgumentError(f"penalty {self.name!r}: diagonal is 0 throughout, so nothing is penalised.")
        object.__setattr__(self, "columns", columns.astype(np.intp))
        object.__setattr__(self, "diagonal", diagonal)


@dataclass(frozen=True)
class Random:
    """Random effects: of each level a vector of R normal effects, which multiply the rows of z.

    Attributes
    ----------
    name : str
    codes : (n,) int array
        Level of each row, from 0 to levels - 1.
    levels : int
    z : (R, n) array
        The first row is of ones where there is a random intercept.
    correlated : bool
        Whether the covariance of the R effects is free; else it is diagonal.
    """

    name: str
    codes: np.ndarray
    levels: int
    z: np.ndarray
    correlated: bool = True

    def __post_init__(self) -> None:
        codes, z = np.asarray(self.codes), np.asarray(self.z, dtype=float)
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise ArgumentError(f"random term {self.name!r}: codes must be a vector of whole numbers.")
        if codes.size and (codes.min() < 0 or codes.max() >= self.levels):
            raise ArgumentError(f"random term {self.name!r}: codes must lie between 0 and {self.levels - 1}.")
        if z.ndim != 2 or z.shape[0] == 0 or z.shape[1] != codes.shape[0]:
            raise ArgumentError(f"random term {self.name!r}: z must have the shape (R, {len(codes)}), got {z.shape}.")
        if not np.all(np.isfinite(z)):
            raise DataError(f"random term {self.name!r}: z has values that are missing or not finite.")
        for r in range(len(z)):
            if not np.any(z[r]):
                raise DataError(f"random term {self.name!r}: row {r} of z is 0 throughout, so it has no effect.")
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "z", z)

    @property
    def size(self) -> int:
        """Effects of a level, R."""
        return self.z.shape[0]


@dataclass(frozen=True)
class Problem:
    """A generalised linear model with penalties whose strengths are estimated.

    Attributes
    ----------
    x : (n, p) array
        With the constant column where there is one.
    y : (n,) array
    family : Family
        An exponential family of one parameter with its link.
    weights : (n,) array or None
        Variance weights >= 0, of the binomial numbers of trials; rows of weight 0 are left out.
    offset : (n,) array or None
        Known part of the linear predictor.
    penalties : tuple of Penalised
    randoms : tuple of Random
    fixed : mapping
        Name -> given strength, phi / variance, which is not estimated. The R effects of a random term with a given strength
        are independent, each with the variance phi / strength. Strength 0 leaves columns unpenalised.
    """

    x: np.ndarray
    y: np.ndarray
    family: Family
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None
    penalties: tuple[Penalised, ...] = ()
    randoms: tuple[Random, ...] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("x", "y", "weights", "offset"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, dtype=float))
        self._check_shapes()
        self._check_values()
        self._check_terms()
        for term in self.randoms:
            if term.name not in self.fixed:
                check_repeats(self, term)

    @property
    def kept(self) -> np.ndarray:
        """(n,) whether a row counts: whether its weight is positive."""
        return np.ones(len(self.y), dtype=bool) if self.weights is None else self.weights > 0

    def _check_shapes(self) -> None:
        if not isinstance(self.family, Family) or isinstance(self.family, Distributional | Multinomial):
            raise ArgumentError(
                "family: estimated penalties and random effects need an exponential family with one linear predictor; "
                f"got {shown(self.family)}."
            )
        if self.x.ndim != 2 or self.y.ndim != 1 or len(self.y) != len(self.x):
            raise ArgumentError(f"x must be (n, p) and y (n,), got {self.x.shape} and {self.y.shape}.")
        for name in ("weights", "offset"):
            value: Any = getattr(self, name)
            if value is not None and value.shape != self.y.shape:
                raise ArgumentError(f"{name} must have the shape {self.y.shape}, got {value.shape}.")
        for term in self.randoms:
            if term.codes.shape != self.y.shape:
                raise ArgumentError(f"random term {term.name!r}: {len(self.y)} codes are needed, got {len(term.codes)}.")

    def _check_values(self) -> None:
        for name in ("x", "y", "weights", "offset"):
            value: Any = getattr(self, name)
            if value is not None and not np.all(np.isfinite(value)):
                row = int(np.flatnonzero(~np.isfinite(value).reshape(len(value), -1).all(axis=1))[0])
                raise DataError(f"{name} has values that are missing or not finite, the first in row {row}.")
        if self.weights is not None and (np.any(self.weights < 0) or not np.any(self.weights > 0)):
            raise ArgumentError("weights must be >= 0, and some positive.")
        need, y = self.family.needs or "", self.y[self.kept]
        wrong = {"unit": np.any((y < 0) | (y > 1)), "nonnegative": np.any(y < 0), "positive": np.any(y <= 0)}
        words = {"unit": "between 0 and 1", "nonnegative": ">= 0", "positive": "> 0"}
        if wrong.get(need):
            raise DataError(f"y must be {words[need]} for the {self.family.name} family.")

    def _check_terms(self) -> None:
        names = [p.name for p in self.penalties] + [r.name for r in self.randoms]
        for name in names:
            if names.count(name) > 1:
                raise ArgumentError(f"two penalised terms are called {name!r}.")
        for penalty in self.penalties:
            if penalty.columns.min() < 0 or penalty.columns.max() >= self.x.shape[1]:
                raise ArgumentError(f"penalty {penalty.name!r}: columns must lie between 0 and {self.x.shape[1] - 1}.")
        for name, value in self.fixed.items():
            if name not in names:
                raise ArgumentError(f"fixed: there is no penalised term {name!r}.")
            if not np.isfinite(value) or value < 0 or (value == 0 and name in {term.name for term in self.randoms}):
                raise ArgumentError(f"fixed: the strength of {name!r} must be a finite number >= 0 (> 0 for random effects).")


def check_repeats(problem: Problem, term: Random) -> None:
    """Refuse random effects whose variances cannot be told from one another, or from the error's.

    Raises
    ------
    DataError
        Where a term has one level only. Where the dispersion is estimated: an intercept of which each level has one row, or
        correlated effects that are as many as the rows.
    """
    kept = problem.kept
    n, seen = int(kept.sum()), len(np.unique(term.codes[kept]))
    if seen < 2:
        raise DataError(f"random term {term.name!r}: it has one level only, so there is no variance between levels.")
    if not problem.family.dispersed or seen * term.size < n:
        return
    even = problem.weights is None or np.ptp(problem.weights[kept]) == 0
    if seen == n and term.size == 1 and even and np.ptp(term.z[0, kept]) == 0:
        raise DataError(
            f"random term {term.name!r}: each of its {seen} levels has one row only. Without repeats the variance between "
            "levels cannot be told from the variance of the errors."
        )
    if term.correlated and term.size > 1:
        raise DataError(
            f"random term {term.name!r}: {seen} levels have {seen * term.size} random effects, and there are {n} rows: their "
            "covariance cannot be told from the variance of the errors. Take fewer effects, or uncorrelated ones."
        )
