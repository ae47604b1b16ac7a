"""Wild bootstrap tests of terms, by clusters: residuals and scores of whole clusters times random signs.

What the network (or model) without the term leaves of a cluster is multiplied by one random number v_g of mean 0 and variance
1, so that dependence within clusters and unequal variances stay as they are. v_g is -1 or 1 (Rademacher); with fewer than
`SIX` clusters, of which these make too few samples, one of the six -+ sqrt(1/2), -+ 1, -+ sqrt(3/2) (Webb). Rows that are in
no clusters are one each. Three tests:

- Least squares: responses X b0 + v_g r_g, b0 the restricted estimates, r_g what those without cluster g leave of it; of each
  the Wald statistic with the covariance sum_g (b_-g - b) (b_-g - b)', b_-g the estimates without cluster g (the restricted
  wild cluster bootstrap-t with the jackknife's residuals and covariance, which holds its size best with few or unequal
  clusters).
- Other models without hidden units: the restricted estimates' scores, made orthogonal to those of the other weights,
  s_g - H_ab H_bb^-1 s_gb; their sum's quadratic form, and that of v_g times them (the score bootstrap). No refits.
- Networks of additive noise: responses mu0 + v_g r0 of the network without the term, and the likelihood ratio of
  `term_refits` with all its training.

References
----------
Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90:414. Kline & Santos (2012), Journal of Econometric
Methods 1:23. Webb (2023), Canadian Journal of Economics 56:839 (six points). MacKinnon & Webb (2017), Journal of Applied
Econometrics 32:233 (unequal clusters). MacKinnon, Nielsen & Webb (2023), Journal of Applied Econometrics 38:671 (the
jackknife). Size: benchmarks/results/cluster_tests.csv.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..checks import check_size
from ..df import noise
from ..fitted import Fitted
from ..network import blocks
from ..seeds import children
from .conditional_permutation import BLOCK
from .covariance import observed_information
from .wald import quadratic

RCOND = 1e-10  # relative size of eigenvalues of X' W X that count as zero
SIX = 12  # clusters below which signs have six values
Pair = tuple[np.ndarray, np.ndarray]
Tested = tuple[float, Iterator[np.ndarray]]  # statistic, and block by block those of samples


def codes(fitted: Fitted) -> np.ndarray:
    """Number (n,) of each row's cluster, from 0 without gaps; its own where rows are not grouped."""
    if fitted.design.groups is None:
        return np.arange(fitted.n_rows)
    return np.unique(fitted.design.groups, return_inverse=True)[1].reshape(-1)


def signs(g: int, draws: int, seeds: np.random.SeedSequence) -> np.ndarray:
    """(draws, g) random numbers of mean 0 and variance 1."""
    rng = np.random.default_rng(seeds)
    if g >= SIX:
        return rng.choice([-1.0, 1.0], (draws, g))
    points = np.sqrt([0.5, 1.0, 1.5])
    return rng.choice(np.concatenate([-points, points]), (draws, g))


def _blocks(g: int, draws: int, seeds: np.random.SeedSequence) -> Iterator[np.ndarray]:
    """Blocks of signs (BLOCK, g) for at least so many draws."""
    return (signs(g, BLOCK, s) for s in children(seeds, -(-draws // BLOCK)))


def least_squares(fitted: Fitted) -> bool:
    """Whether a model is a linear one of additive noise, fitted by (weighted) least squares."""
    family = fitted.family
    return (
        len(fitted.network.layers) == 1 and not fitted.penalised and noise.gaussian(fitted.network.objective)
        and family is not None and family.link.name == "identity"
    )  # fmt: skip


# least squares ---------------------------------------------------------------------------------------------


def linear(fitted: Fitted, at: np.ndarray, draws: int, seeds: np.random.SeedSequence) -> Tested:
    """Wald statistic of the weights `at` of a model of least squares, and those of wild samples."""
    model = _Linear(fitted, at)
    y = (fitted.design.y if fitted.design.offset is None else fitted.design.y - fitted.design.offset) - model.known
    mean, rest = model.null(y)
    values = (
        np.array([model.statistic(mean + own[model.code] * rest) for own in block])
        for block in _blocks(model.g, draws, seeds)
    )  # fmt: skip
    return model.statistic(y), values


class _Linear:
    """Least squares of K responses (K, n) on the columns of each one's free weights, and the clusters' covariance."""

    def __init__(self, fitted: Fitted, at: np.ndarray) -> None:
        per, units = fitted.network.shapes[0]
        x = np.vstack([np.ones(fitted.n_rows), fitted.design.x])
        self.code = codes(fitted)
        self.order = np.argsort(self.code, kind="stable")
        self.g = int(self.code.max()) + 1
        self.first = np.searchsorted(self.code[self.order], np.arange(self.g))
        self.w = fitted.case_weights
        free = fitted.fit.free[0].reshape(units, per)
        tested = np.zeros(per * units, dtype=bool)
        tested[at] = True
        self.tested = tested.reshape(units, per)[free]
        held = tested.reshape(units, per)
        known = fitted.fit.theta[fitted.best].astype(float).reshape(units, per)
        self.known = np.stack([np.where(f, 0.0, own) @ x for f, own in zip(free, known, strict=True)])  # held out
        self.x = [x[f] for f in free]
        self.breads = [self._breads(own) for own in self.x]
        self.small = [x[f & ~h] for f, h in zip(free, held, strict=True)]

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """(p, G) sums over clusters of (p, n) values."""
        return np.add.reduceat(values[:, self.order], self.first, axis=1)

    def _breads(self, x: np.ndarray) -> Pair:
        """Inverses of X' W X (p, p), and of those without each cluster (G, p, p)."""
        check_size(3 * self.g * len(x) ** 2, f"estimates without each of {self.g:,} clusters")
        whole = (x * self.w) @ x.T
        own = np.stack([self._sums(x * (self.w * line)) for line in x]) if len(x) else np.zeros((0, 0, self.g))
        return (np.linalg.pinv(whole, RCOND, hermitian=True),
                np.linalg.pinv(whole - own.transpose(2, 0, 1), RCOND, hermitian=True))  # fmt: skip

    def _estimates(self, x: np.ndarray, breads: Pair, y: np.ndarray) -> Pair:
        """Estimates (p,), and how much they are less without each cluster (G, p)."""
        b = breads[0] @ (x * self.w) @ y
        return b, np.einsum("gpq,qg->gp", breads[1], self._sums(x * (self.w * (y - b @ x))))

    def null(self, y: np.ndarray) -> Pair:
        """Means (K, n) without the tested weights, and what those without a cluster leave of it."""
        means, rests = [], []
        for x, own in zip(self.small, y, strict=True):
            b, moves = self._estimates(x, self._breads(x), own)
            means.append(b @ x)
            rests.append(own - b @ x + np.einsum("pn,np->n", x, moves[self.code]))
        return np.stack(means), np.stack(rests)

    def statistic(self, y: np.ndarray) -> float:
        """Wald statistic of the tested weights."""
        found = [self._estimates(*parts) for parts in zip(self.x, self.breads, y, strict=True)]
        moves = np.concatenate([m for _, m in found], axis=1)[:, self.tested]
        return quadratic(np.concatenate([b for b, _ in found])[self.tested], moves.T @ moves)


# scores ----------------------------------------------------------------------------------------------------


def score(fitted: Fitted, null: Fitted, at: np.ndarray, draws: int, seeds: np.random.SeedSequence) -> Tested:
    """Score statistic of the weights `at`, 0 in the fit `null` (of the same network), and those of wild samples."""
    theta, free = null.fit.theta[0].astype(float), fitted.fit.free[0].copy()
    code = codes(fitted)
    information = observed_information(null, 0)
    free[at] = False
    others = np.flatnonzero(free)
    inner = np.linalg.pinv(information[np.ix_(others, others)], hermitian=True)
    sums = np.zeros((int(code.max()) + 1, at.size))
    for part, scores in blocks.scores(fitted.network, fitted.data, theta):
        own = scores[:, at] - scores[:, others] @ inner @ information[np.ix_(others, at)]
        np.add.at(sums, code[part], own)

    def value(moved: np.ndarray) -> float:
        return quadratic(moved.sum(axis=0), moved.T @ moved)

    values = (np.array([value(v[:, np.newaxis] * sums) for v in block]) for block in _blocks(len(sums), draws, seeds))
    return value(sums), values


# networks --------------------------------------------------------------------------------------------------


def responses(null: Fitted, draws: int, seeds: np.random.SeedSequence) -> np.ndarray:
    """Responses (T, K, n) of wild samples from a network of additive noise, internal units."""
    mu, code = noise.fitted(null, [0]), codes(null)
    return mu + signs(int(code.max()) + 1, draws, seeds)[:, np.newaxis, code] * (null.design.y - mu)
