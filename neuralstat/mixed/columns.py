"""Rows of dense columns and random terms, and their weighted products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..checks.memory import check_size
from ..errors import TooLargeError

DENSE = 6000  # columns of the Schur complement


@dataclass(frozen=True)
class Term:
    """A random term as the engine has it: z scaled so that a level has unit information on average."""

    name: str
    codes: np.ndarray
    levels: int
    z: np.ndarray
    correlated: bool

    @property
    def size(self) -> int:
        """R."""
        return self.z.shape[0]

    @cached_property
    def matrix(self) -> Any:
        """(n, levels R) sparse Z, the effects of a level side by side."""
        from scipy import sparse

        n, r = len(self.codes), self.size
        place = self.codes.astype(np.int64)[:, np.newaxis] * r + np.arange(r)
        kind = np.int32 if max(n * r, self.levels * r) < 2**31 else np.int64
        return sparse.csr_matrix((self.z.T.ravel(), place.ravel().astype(kind), np.arange(0, n * r + 1, r, dtype=kind)),
                                 shape=(n, self.levels * r))  # fmt: skip

    @cached_property
    def transposed(self) -> Any:
        """Z'."""
        return self.matrix.T.tocsr()

    def blocks(self, weight: np.ndarray) -> np.ndarray:
        """(levels, R, R) of Z'WZ."""
        out = np.empty((self.levels, self.size, self.size))
        for i in range(self.size):
            for j in range(i + 1):
                sums = np.bincount(self.codes, weight * self.z[i] * self.z[j], minlength=self.levels)
                out[:, i, j] = out[:, j, i] = sums
        return out


@dataclass(frozen=True)
class Rows:
    """Rows of a problem: x (n, p), random terms, the one of them that is eliminated (None without any)."""

    x: np.ndarray
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        dense = self.x.shape[1] + sum(t.levels * t.size for t in self.others)
        if dense > DENSE:
            largest = max(self.others, key=lambda t: t.levels * t.size, default=None)
            beside = f"the random term {largest.name!r} beside {self.terms[self.first].name!r}" if largest else ""
            what = beside or "the columns of x"
            raise TooLargeError(f"{what}: {dense:,} columns would be dense, of which {DENSE:,} are possible.")
        check_size(dense * dense * 3, f"the normal matrix of {dense:,} dense columns")
        if self.terms:
            term = self.terms[self.first]
            check_size(term.levels * term.size * self.x.shape[1] * 2, f"products of x with the levels of {term.name!r}")

    @property
    def first(self) -> int:
        """Which term is eliminated; -1 without any."""
        return int(np.argmax([t.levels * t.size for t in self.terms])) if self.terms else -1

    @property
    def others(self) -> list[Term]:
        """Random terms that are dense, in their order."""
        return [t for k, t in enumerate(self.terms) if k != self.first]

    def without(self, count: int) -> Rows:
        """The same without the last columns of x."""
        return Rows(self.x[:, : self.x.shape[1] - count], self.terms) if count else self

    def moments(self, weight: np.ndarray) -> Moments:
        """Weighted products of all columns."""
        weighted = self.x * weight[:, np.newaxis]
        zx = [t.transposed @ weighted for t in self.terms]
        cross: dict[tuple[int, int], Any] = {}
        for k in range(len(self.terms)):
            for m in range(len(self.terms)):
                if m != k and (k == self.first or (k < m and m != self.first)):
                    scaled = self.terms[m].matrix.multiply(weight[:, np.newaxis]).tocsr()
                    cross[k, m] = (self.terms[k].transposed @ scaled).tocsr()
        return Moments(weighted.T @ self.x, zx, [t.blocks(weight) for t in self.terms], cross)

    def predictor(self, beta: np.ndarray, effects: Sequence[np.ndarray]) -> np.ndarray:
        """(n,) x beta + sum of Z b."""
        eta = self.x @ beta
        for term, b in zip(self.terms, effects):
            for r in range(term.size):
                eta += term.z[r] * b[term.codes, r]
        return eta

    def products(self, v: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """X'v (p,) and Z'v (levels, R) of each term."""
        sums = [np.stack([np.bincount(t.codes, v * z, minlength=t.levels) for z in t.z], axis=1) for t in self.terms]
        return self.x.T @ v, sums


@dataclass(frozen=True)
class Moments:
    """X'WX (p, p); of each term Z'WX (levels R, p) and Z'WZ (levels, R, R); sparse Z_k'WZ_m of two terms."""

    xx: np.ndarray
    zx: list[np.ndarray]
    zz: list[np.ndarray]
    cross: dict[tuple[int, int], Any]
