"""The normal matrix of dense columns and random effects, and what is computed with it without making it.

With relative covariance factors Lambda (b = Lambda u, u with unit penalty) it is M = C'WC + diag(S, I) for C = [X, Z Lambda].
The random term with the most levels is eliminated: its part is one R x R block per level. The other random effects (first)
and the columns of X (after them) are dense in the Schur complement. Bates et al. 2015 (Journal of Statistical Software 67, 1)
do the same by a sparse Cholesky factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .columns import Moments, Rows

CHUNK = 2**21  # numbers of a block of rows


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

    def inverse(self, columns: int) -> np.ndarray:
        """P = M^-1 over the other random effects and the first columns of x, M of these and the eliminated effects."""
        from scipy import linalg

        q = self.start + columns
        if q == 0:  # SciPy before 1.14 refuses it
            return np.zeros((0, 0))
        root = linalg.solve_triangular(self.root[:q, :q], np.eye(q), lower=True)
        return root.T @ root

    @cached_property
    def _solved(self) -> tuple[Any, np.ndarray]:
        """B^-1 C of the eliminated term: sparse with the other terms (None without any), dense with x."""
        from scipy import sparse

        first = self.rows.terms[self.rows.first]
        back = np.ascontiguousarray(self.inverse_root.transpose(0, 2, 1))
        narrow = (back @ self.narrow.reshape(first.levels, first.size, -1)).reshape(self.narrow.shape)
        if self.wide is None:
            return None, narrow
        size = first.levels * first.size
        block = sparse.bsr_matrix((back, np.arange(first.levels), np.arange(first.levels + 1)), shape=(size, size)).tocsr()
        return (block @ self.wide).tocsr(), narrow

    def _eliminated(self, inverse: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Levels of the eliminated term: P of each (levels, R, R), and minus P of it with dense columns (levels, R, q)."""
        first, start = self.rows.terms[self.rows.first], self.start
        wide, narrow = self._solved
        q, r = len(inverse), first.size
        step = max(1, CHUNK // max(1, q * r))
        for begin in range(0, first.levels, step):
            some = slice(begin, min(begin + step, first.levels))
            span = slice(some.start * r, some.stop * r)
            left = narrow[span, : q - start]
            product = left @ inverse[start:]
            if wide is not None:
                product = product + wide[span] @ inverse[:start]
            count = some.stop - begin
            product, left = product.reshape(count, r, q), left.reshape(count, r, q - start)
            own = np.swapaxes(self.inverse_root[some], 1, 2) @ self.inverse_root[some]
            own = own + product[:, :, start:] @ np.swapaxes(left, 1, 2)
            if wide is not None:
                for i in range(r):
                    for j in range(r):
                        rows = wide[span][j::r]
                        own[:, i, j] += np.asarray(rows.multiply(product[:, i, :start]).sum(axis=1)).ravel()
            yield some, own, product

    def blocks(self, inverse: np.ndarray) -> list[np.ndarray]:
        """(levels, R, R) diagonal blocks of P of each term; `inverse` as made for some columns of x."""
        out: list[np.ndarray] = []
        at = 0
        for k, term in enumerate(self.rows.terms):
            if k == self.rows.first:
                out.append(np.concatenate([own for _, own, _ in self._eliminated(inverse)]))
            else:
                place = at + np.arange(term.levels)[:, np.newaxis] * term.size + np.arange(term.size)
                out.append(inverse[place[:, :, np.newaxis], place[:, np.newaxis, :]])
                at += term.levels * term.size
        return out

    def block_sums(self, inverse: np.ndarray) -> list[np.ndarray]:
        """(R, R) sums of these blocks over levels: that of the eliminated term is <P, C'B^-1 B^-1 C>, without its blocks."""
        out, at = [], 0
        for k, term in enumerate(self.rows.terms):
            r = term.size
            if k != self.rows.first:
                part = inverse[at : at + term.levels * r, at : at + term.levels * r].reshape(term.levels, r, term.levels, r)
                out.append(np.einsum("lilj->ij", part))
                at += term.levels * r
                continue
            total = np.einsum("lki,lkj->ij", self.inverse_root, self.inverse_root)
            wide, narrow = self._solved
            narrow = narrow[:, : len(inverse) - self.start]
            for i in range(r):
                for j in range(i + 1):
                    value = np.sum(inverse[self.start :, self.start :] * (narrow[i::r].T @ narrow[j::r]))
                    if wide is not None:
                        one, two = wide[i::r], wide[j::r]
                        value += (one.T @ two).multiply(inverse[: self.start, : self.start]).sum()
                        between = one.T @ narrow[j::r] + two.T @ narrow[i::r]
                        value += np.sum(inverse[: self.start, self.start :] * between)
                    total[i, j] += value
                    total[j, i] = total[i, j]
            out.append(total)
        return out

    def coupling(self, inverse: np.ndarray) -> np.ndarray:
        """(columns, columns) P_xu P_ux, summed over all random effects u."""
        dense = inverse[: self.start, self.start :]
        out = dense.T @ dense
        if self.rows.terms:
            for _, _, product in self._eliminated(inverse):
                part = product[:, :, self.start :]
                out = out + np.tensordot(part, part, ((0, 1), (0, 1)))
        return out

    def leverages(
        self, x: np.ndarray, codes: Sequence[np.ndarray], z: Sequence[np.ndarray], inverse: np.ndarray
    ) -> np.ndarray:
        """(m,) c'P c of rows c; a code of -1 is of a level without effect.

        Parameters
        ----------
        x : (m, columns) array
        codes : list of (m,) int arrays
        z : list of (R, m) arrays
        inverse : array
            P of as many columns.
        """
        # entries of a row among the dense columns that are not of x: places and values, each (m, number)
        places, values, at = [], [], 0
        for k, term in enumerate(self.rows.terms):
            if k != self.rows.first:
                places.append(at + np.maximum(codes[k], 0)[:, np.newaxis] * term.size + np.arange(term.size))
                values.append((z[k].T @ self.factors[k]) * (codes[k] >= 0)[:, np.newaxis])
                at += term.levels * term.size
        place = np.concatenate([np.zeros((len(x), 0), dtype=np.intp), *places], axis=1)
        value = np.concatenate([np.zeros((len(x), 0)), *values], axis=1)
        out = np.empty(len(x))
        step = max(1, CHUNK // max(1, x.shape[1] * (1 + value.shape[1])))
        for begin in range(0, len(x), step):
            some = slice(begin, min(begin + step, len(x)))
            out[some] = self._dense_form(x[some], place[some], value[some], inverse)
        if self.rows.terms:
            first = self.rows.first
            own = z[first].T @ self.factors[first]
            order, of_rows = np.flatnonzero(codes[first] >= 0), None
            for levels, block, product in self._eliminated(inverse):
                ends = (0, len(order))
                if len(block) < self.rows.terms[first].levels:  # rows of a chunk of levels stand together
                    if of_rows is None:
                        order = order[np.argsort(codes[first][order], kind="stable")]
                        of_rows = codes[first][order]
                    ends = tuple(np.searchsorted(of_rows, (levels.start, levels.stop)))
                for begin in range(ends[0], ends[1], step):
                    at_rows = order[begin : min(begin + step, ends[1])]
                    level, mine = codes[first][at_rows] - levels.start, own[at_rows]
                    both = np.einsum("mrc,mc->mr", product[level, :, self.start :], x[at_rows])
                    for j in range(place.shape[1]):
                        both += product[level, :, place[at_rows, j]] * value[at_rows, j, np.newaxis]
                    out[at_rows] += np.einsum("mi,mij,mj->m", mine, block[level], mine) - 2 * np.sum(mine * both, axis=1)
        return out

    def _dense_form(self, x: np.ndarray, place: np.ndarray, value: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """c'P c over the dense columns."""
        out = np.einsum("mc,mc->m", x @ inverse[self.start :, self.start :], x)
        for i in range(place.shape[1]):
            out += 2 * value[:, i] * np.einsum("mc,mc->m", inverse[place[:, i], self.start :], x)
            for j in range(place.shape[1]):
                out += value[:, i] * value[:, j] * inverse[place[:, i], place[:, j]]
        return out
