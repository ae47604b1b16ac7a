"""Conditional permutations: the values of some covariates in other orders that are as likely given the other covariates.

Plain permutations destroy what a covariate has to do with the others, so that its test rejects a covariate that only goes
with one that matters. Here an order s of the rows is drawn with probability proportional to prod_i q(x_s(i) | z_i), the
conditional permutation test of Berrett, Wang, Barber & Samworth (2020, JRSS B 82:175). Of q only how the odds of an
exchange of two rows depend on x and z matters; these are taken as

    log q(x | z) = x' L u(z) + a(x) + b(z),    L = S^-1 G,

G the least squares coefficients of x on z, S the residuals' covariance: right for normal x of any dependence on z, and of the
form of logistic regression for factors; the distribution of x as such (skewed, of two values, on a curve as a spline's
columns are) does not matter, since orders only exchange values. Draws are exchangeable with the data exactly, however long
the chains are: they start from one state, which is reached from the data by a chain of the same length (Besag & Clifford
1989, Biometrika 76:633).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 20  # draws at a time
STEPS = 50  # of pairwise exchanges, every row in one pair each
RCOND = 1e-8  # relative size of eigenvalues of a covariance that count as zero
DETERMINED = 1e-6  # share of a column's variance below which the other covariates say what it is
KNOTS = np.array([0.05, 0.275, 0.5, 0.725, 0.95])  # quantiles (Harrell 2015, Regression Modeling Strategies, 2.4.6)
CURVED = 5  # rows per column that curves in the other covariates need
LOGIT_STEPS, RIDGE = 500, 0.5
FEWEST = 10  # rows beyond the number of coefficients that a regression on the other covariates needs


@dataclass(frozen=True, eq=False)
class Exchange:
    """Orders of the values of some columns given others, for n rows.

    Attributes
    ----------
    x : (q, n) array
        The columns, centred.
    pull : (q, n) array
        L u(z): where it is larger, larger values of x are likelier.
    groups : (n,) int array or None
        Clusters, within which values are exchanged.
    """

    x: np.ndarray
    pull: np.ndarray
    groups: np.ndarray | None = None

    def start(self, seeds: np.random.SeedSequence) -> np.ndarray:
        """The state (n,) from which all draws begin."""
        return self._chain(np.arange(self.x.shape[1])[np.newaxis], np.random.default_rng(seeds))[0]

    def block(self, start: np.ndarray, seeds: np.random.SeedSequence) -> np.ndarray:
        """Orders (BLOCK, n): draws from one stream."""
        return self._chain(np.repeat(start[np.newaxis], BLOCK, axis=0), np.random.default_rng(seeds))

    def _chain(self, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Orders (T, n) after `STEPS` rounds of exchanges between random pairs of rows."""
        order = order.copy()
        t, n = order.shape
        line = np.arange(t)[:, np.newaxis]
        for _ in range(STEPS):
            pairs = rng.permuted(np.broadcast_to(np.arange(n), (t, n)), axis=1)
            if self.groups is None:
                i, j = pairs[:, : n // 2], pairs[:, n // 2 : 2 * (n // 2)]
            else:  # rows of a cluster beside one another, in their random order
                pairs = np.take_along_axis(pairs, np.argsort(self.groups[pairs], axis=1, kind="stable"), axis=1)
                at = np.arange(int(rng.integers(2)), n - 1, 2)
                i, j = pairs[:, at], pairs[:, at + 1]
            a, b = order[line, i], order[line, j]
            odds = np.sum((self.x[:, b] - self.x[:, a]) * (self.pull[:, i] - self.pull[:, j]), axis=0)
            swap = rng.random(i.shape) * (1 + np.exp(-np.clip(odds, -500, 500))) < 1
            if self.groups is not None:
                swap &= self.groups[i] == self.groups[j]
            order[line, i], order[line, j] = np.where(swap, b, a), np.where(swap, a, b)
        return order


def exchange(x: np.ndarray, z: np.ndarray, groups: np.ndarray | None = None) -> Exchange | str:
    """How the columns x (q, n) may be permuted given z (r, n), within groups (n,); or why not, in words.

    Given groups the means of x and z in these are known, too: what is left is how x depends on z within them.
    """
    x, z, lost = _standard(x), _curved(_standard(z)), 0
    q, n = x.shape
    if q == 0:
        return "its columns are constant"
    if groups is not None:
        between = _means(x, groups)
        if np.min(np.mean((x - between) ** 2, axis=1)) < DETERMINED:
            return "it is the same in all rows of a cluster"
        lost = max(np.unique(groups).size - 1 - q - len(z), 0)  # beyond the columns that stand for the clusters
        z = np.concatenate([z, _means(z, groups), between])
    z = _independent(_standard(z))
    rest = n - len(z) - 1 - lost
    if rest < FEWEST:
        return f"{n} rows are too few to see how it depends on {len(z)} other columns"
    coefficients = x @ z.T / n  # z is orthonormal up to n
    residuals = x - coefficients @ z
    covariance = residuals @ residuals.T / rest
    if np.min(np.diag(covariance)) < DETERMINED:
        return "the other covariates determine it"
    levels, which = np.unique(x, axis=1, return_inverse=True)
    if levels.shape[1] == q + 1:
        member = np.equal(np.arange(q + 1)[:, np.newaxis], which.reshape(-1)).astype(float)
        return Exchange(member, _logits(member, z), groups)
    return Exchange(x, np.linalg.pinv(covariance, rcond=RCOND, hermitian=True) @ coefficients @ z, groups)


def _means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(q, n) means of columns in the row's group."""
    code = np.unique(groups, return_inverse=True)[1].reshape(-1)
    return np.stack([(np.bincount(code, v) / np.bincount(code))[code] for v in values]).reshape(values.shape)


def _logits(member: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(levels, n) log-probabilities, up to constants, by multinomial logistic regression on z (orthonormal up to n).

    With a prior of variance 1 / RIDGE, and by steps with Boehning's bound of the Hessian (1992, Annals of the Institute of
    Statistical Mathematics 44:197), which need no line search.
    """
    count, n = member.shape
    basis = np.vstack([np.ones(n), z])
    beta = np.zeros((count, len(basis)))
    for _ in range(LOGIT_STEPS):
        eta = beta @ basis
        p = np.exp(eta - eta.max(axis=0))
        p /= p.sum(axis=0)
        step = ((member - p) @ basis.T - RIDGE * beta) / (n / 2 + RIDGE)
        beta += step
        if np.max(np.abs(step)) < 1e-4:
            break
    return beta[:, 1:] @ z


def _curved(z: np.ndarray) -> np.ndarray:
    """Columns and, where rows are many, what turns them into natural cubic splines of their numeric ones."""
    numeric = [column for column in z if np.unique(column).size > KNOTS.size + 1]
    if not numeric or CURVED * (len(z) + len(numeric) * (KNOTS.size - 2)) > z.shape[1]:
        return z
    parts = [z]
    for column in numeric:
        t = np.unique(np.quantile(column, KNOTS))
        last, before = t[-1], t[-2]
        cubes = [np.maximum(column - k, 0.0) ** 3 for k in t]
        parts += [
            (cubes[k] - (cubes[-2] * (last - t[k]) - cubes[-1] * (before - t[k])) / (last - before))[np.newaxis]
            for k in range(t.size - 2)
        ]
    return np.concatenate([z, _standard(np.concatenate(parts[1:]))])


def _standard(values: np.ndarray) -> np.ndarray:
    """Columns (as rows) of mean 0 and variance 1; constant ones are left out."""
    centred = values - values.mean(axis=1, keepdims=True)
    sd = np.sqrt(np.mean(centred**2, axis=1))
    used = sd > 1e-12 * (1 + np.abs(values).max(axis=1, initial=0.0))
    return centred[used] / sd[used, np.newaxis]


def _independent(z: np.ndarray) -> np.ndarray:
    """An orthonormal basis (times sqrt n) of the space of some rows."""
    if not len(z):
        return z
    _, values, rows = np.linalg.svd(z, full_matrices=False)
    return rows[values > 1e-7 * values[0]] * np.sqrt(z.shape[1])
