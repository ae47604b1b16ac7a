"""The normal matrix of dense columns and random effects, and what is computed with it without making it.

With relative covariance factors Lambda (b = Lambda u, u with unit penalty) it is M = C'WC + diag(S, I) for C = [X, Z Lambda].
The random term with the most levels is eliminated: its part is one R x R block per level. The other random effects (first)
and the columns of X (after them) are dense in the Schur complement. Bates et al. 2015 (Journal of Statistical Software 67, 1)
do the same by a sparse Cholesky factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..checks.memory import check_size
from ..errors import TooLargeError

DENSE = 6000  # columns of the Schur complement
CHUNK = 2**21  # numbers of a block of rows


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


def _spread(factor: np.ndarray, levels: int) -> Any:
    """Sparse block-diagonal matrix with the factor for every level."""
    from scipy import sparse

    return sparse.kron(sparse.identity(levels, format="csr"), factor, format="csr")


class Factor:
    """Cholesky factor of M.

    Parameters
    ----------
    rows : Rows
    moments : Moments
    penalty : (p,) array
        Diagonal of S.
    factors : list of (R, R) arrays
        Lambda of each term.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where M is not positive definite.
    """

    def __init__(self, rows: Rows, moments: Moments, penalty: np.ndarray, factors: Sequence[np.ndarray]) -> None:
        from scipy import linalg

        self.rows, self.factors = rows, factors
        self.sizes = [t.levels * t.size for t in rows.others]
        self.start = int(sum(self.sizes))  # of the columns of x among the dense ones
        schur = self._dense(moments, penalty)
        self.wide: Any = None
        self.narrow = np.zeros((0, rows.x.shape[1]))
        self.log_blocks = 0.0
        if rows.terms:
            first = rows.terms[rows.first]
            lam = factors[rows.first]
            block = lam.T @ moments.zz[rows.first] @ lam + np.eye(first.size)
            root = np.linalg.cholesky(block)
            self.inverse_root = np.linalg.inv(root)
            self.log_blocks = 2 * float(np.sum(np.log(np.diagonal(root, axis1=1, axis2=2))))
            self._couple(moments, lam)
            own = self.narrow.T @ self.narrow
            schur[self.start :, self.start :] -= own
            if self.wide is not None:
                schur[: self.start, : self.start] -= (self.wide.T @ self.wide).toarray()
                between = self.wide.T @ self.narrow
                schur[: self.start, self.start :] -= between
                schur[self.start :, : self.start] -= between.T
        self.root = linalg.cholesky(schur, lower=True, check_finite=True) if len(schur) else schur

    def _dense(self, moments: Moments, penalty: np.ndarray) -> np.ndarray:
        """The dense part before elimination."""
        rows, total = self.rows, self.start + self.rows.x.shape[1]
        out = np.zeros((total, total))
        out[self.start :, self.start :] = moments.xx + np.diag(penalty)
        places = [k for k in range(len(rows.terms)) if k != rows.first]
        starts = np.cumsum([0, *self.sizes])
        for i, k in enumerate(places):
            term, lam = rows.terms[k], self.factors[k]
            at, r = starts[i], term.size
            part = slice(at, at + self.sizes[i])
            block = lam.T @ moments.zz[k] @ lam + np.eye(r)
            index = at + np.arange(term.levels)[:, np.newaxis] * r + np.arange(r)
            out[index[:, :, np.newaxis], index[:, np.newaxis, :]] = block
            zx = (lam.T @ moments.zx[k].reshape(term.levels, r, -1)).reshape(self.sizes[i], -1)
            out[part, self.start :] = zx
            out[self.start :, part] = zx.T
            for j in range(i + 1, len(places)):
                other = rows.terms[places[j]]
                right = _spread(self.factors[places[j]], other.levels)
                both = _spread(lam.T, term.levels) @ moments.cross[k, places[j]] @ right
                more = slice(starts[j], starts[j] + self.sizes[j])
                out[part, more] = both.toarray()
                out[more, part] = out[part, more].T
        return out

    def _couple(self, moments: Moments, lam: np.ndarray) -> None:
        """L^-1 C of the eliminated term: with x dense (`narrow`), with the other terms sparse (`wide`)."""
        from scipy import sparse

        rows, first = self.rows, self.rows.terms[self.rows.first]
        left = self.inverse_root @ lam.T  # (levels, R, R)
        size = first.levels * first.size
        self.narrow = (left @ moments.zx[rows.first].reshape(first.levels, first.size, -1)).reshape(size, -1)
        if not self.sizes:
            return
        block = sparse.bsr_matrix((left, np.arange(first.levels), np.arange(first.levels + 1)), shape=(size, size)).tocsr()
        parts = [moments.cross[rows.first, k] @ _spread(self.factors[k], rows.terms[k].levels)
                 for k in range(len(rows.terms)) if k != rows.first]  # fmt: skip
        self.wide = (block @ sparse.hstack(parts, format="csr")).tocsr()

    # determinants and solutions ---------------------------------------------------------------------------------

    def logdet(self, columns: int) -> float:
        """log |M| of all random effects and the first columns of x."""
        return self.log_blocks + 2 * float(np.sum(np.log(np.diagonal(self.root)[: self.start + columns])))

    def _coupled(self, v: np.ndarray) -> np.ndarray:
        """T v of a vector over the dense columns, (levels R,)."""
        out = self.narrow @ v[self.start :]
        return out if self.wide is None else out + self.wide @ v[: self.start]

    def solve(self, x: np.ndarray, effects: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """M^-1 of a vector: its part over x (p,) and over each term (levels, R)."""
        from scipy import linalg

        first = self.rows.first
        others = [e for k, e in enumerate(effects) if k != first]
        dense = np.concatenate([*(e.ravel() for e in others), x])
        if self.rows.terms:
            own = np.einsum("lij,lj->li", self.inverse_root, effects[first]).ravel()
            dense[self.start :] -= self.narrow.T @ own
            if self.wide is not None:
                dense[: self.start] -= self.wide.T @ own
        if len(dense):
            dense = linalg.cho_solve((self.root, True), dense)
        out, at = [], 0
        for k, term in enumerate(self.rows.terms):
            if k == first:
                rest = (own - self._coupled(dense)).reshape(term.levels, term.size)
                out.append(np.einsum("lji,lj->li", self.inverse_root, rest))
            else:
                out.append(dense[at : at + term.levels * term.size].reshape(term.levels, term.size))
                at += term.levels * term.size
        return dense[self.start :], out

    # parts of the inverse ---------------------------------------------------------------------------------------

    def inverse_of_root(self, columns: int) -> np.ndarray:
        """Inverse of the Schur complement's factor for the other random effects and the first columns of x."""
        from scipy import linalg

        q = self.start + columns
        return linalg.solve_triangular(self.root[:q, :q], np.eye(q), lower=True)

    def _chunks(self, inverse: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Levels of the eliminated term, and K = T L_S^-T (levels of the chunk, R, q) of them."""
        first = self.rows.terms[self.rows.first]
        q = len(inverse)
        step = max(1, CHUNK // max(1, q * first.size))
        for begin in range(0, first.levels, step):
            some = slice(begin, min(begin + step, first.levels))
            span = slice(some.start * first.size, some.stop * first.size)
            product = self.narrow[span, : q - self.start] @ inverse[:, self.start :].T
            if self.wide is not None:
                product = product + self.wide[span] @ inverse[:, : self.start].T
            yield some, product.reshape(some.stop - some.start, first.size, q)

    def blocks(self, columns: int, inverse: np.ndarray) -> list[np.ndarray]:
        """(levels, R, R) diagonal blocks of M^-1 of each term, M with the first columns of x only."""
        out: list[np.ndarray] = []
        at = 0
        for k, term in enumerate(self.rows.terms):
            found = np.empty((term.levels, term.size, term.size))
            if k == self.rows.first:
                for some, wide in self._chunks(inverse):
                    own = self.inverse_root[some]
                    inner = np.einsum("liq,ljq->lij", wide, wide) + np.eye(term.size)
                    found[some] = np.einsum("lki,lkm,lmj->lij", own, inner, own)
            else:
                part = inverse[:, at : at + term.levels * term.size].reshape(-1, term.levels, term.size)
                np.einsum("qli,qlj->lij", part, part, out=found)
                at += term.levels * term.size
            out.append(found)
        return out

    def dense_covariance(self, inverse: np.ndarray) -> np.ndarray:
        """(columns, columns) of M^-1 over x."""
        own = inverse[:, self.start :]
        return own.T @ own

    def coupling(self, inverse: np.ndarray) -> np.ndarray:
        """(columns, columns) P_xu P_ux of P = M^-1, summed over all random effects u."""
        own = inverse[:, self.start :]
        dense = inverse[:, : self.start].T @ own  # (others, columns)
        out = dense.T @ dense
        if self.rows.terms:
            for some, wide in self._chunks(inverse):
                found = np.einsum("lki,lkc->lic", self.inverse_root[some], wide @ own)
                out = out + np.einsum("lic,lid->cd", found, found)
        return out

    def leverages(
        self, x: np.ndarray, codes: Sequence[np.ndarray], z: Sequence[np.ndarray], inverse: np.ndarray
    ) -> np.ndarray:
        """(m,) c'M^-1 c of rows c; a code of -1 is of a level without effect.

        Parameters
        ----------
        x : (m, columns) array
        codes : list of (m,) int arrays
        z : list of (R, m) arrays
        inverse : array
            `inverse_of_root` of as many columns.
        """
        out = np.empty(len(x))
        step = max(1, CHUNK // max(1, len(inverse)))
        for begin in range(0, len(x), step):
            some = slice(begin, min(begin + step, len(x)))
            out[some] = self._leverages(x[some], [c[some] for c in codes], [v[:, some] for v in z], inverse)
        return out

    def _leverages(
        self, x: np.ndarray, codes: Sequence[np.ndarray], z: Sequence[np.ndarray], inverse: np.ndarray
    ) -> np.ndarray:
        rows, m = self.rows, np.arange(len(x))
        value = np.zeros((len(x), len(inverse)))
        value[:, self.start :] = x
        out, at = np.zeros(len(x)), 0
        for k, term in enumerate(rows.terms):
            scaled = (z[k].T @ self.factors[k]) * (codes[k] >= 0)[:, np.newaxis]
            code = np.maximum(codes[k], 0)
            if k == rows.first:
                own = np.einsum("mij,mj->mi", self.inverse_root[code], scaled)
                out += np.einsum("mi,mi->m", own, own)
                for r in range(term.size):
                    line = code * term.size + r
                    value[:, self.start :] -= own[:, r, np.newaxis] * self.narrow[line, : x.shape[1]]
                    if self.wide is not None:
                        value[:, : self.start] -= self.wide[line].multiply(own[:, r, np.newaxis]).toarray()
            else:
                for r in range(term.size):
                    value[m, at + code * term.size + r] += scaled[:, r]
                at += term.levels * term.size
        product = value @ inverse.T
        return out + np.einsum("mq,mq->m", product, product)
