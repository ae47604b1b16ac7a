"""Tests of penalised terms: whether a smooth function, or a set of random effects, is 0 throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .quadratic_forms import chi2_sum_sf, f_sum_sf

TINY = 1e-14  # eigenvalues, relative to the largest, that are none
RANK = 1e-12  # the same of random effects
WHOLE = 1e-12  # part of a rank that is none
OUTWEIGHED = 1e10  # penalty, relative to the information, beyond which effects are 0 for all that can be computed


@dataclass(frozen=True)
class Test:
    """A test.

    Attributes
    ----------
    statistic : float
        A sum of squares over the dispersion, not divided by `rank`.
    rank : float
        Reference degrees of freedom.
    pvalue : float
    """

    statistic: float
    rank: float
    pvalue: float


def smooth_test(beta: np.ndarray, covariance: np.ndarray, information: np.ndarray, rank: float, rest: float) -> Test:
    """Test that a smooth function is 0: Wood's statistic, whose pseudoinverse has a fractional rank.

    f = R beta has the covariance V = R Vb R' given the data, R'R the information. V is inverted over as many of its
    directions as the function has degrees of freedom: of rank k + nu, 0 < nu < 1, over the first k - 1, and over the next
    two by a matrix that shares 1 + nu between them. That matrix has two mirror images, since eigenvectors have no signs; the
    statistic and the p value are the means of both.

    Parameters
    ----------
    beta : (q,) array
    covariance : (q, q) array
        Vb = (H + S)^-1 phi.
    information : (q, q) array
        Block of H.
    rank : float
        Degrees of freedom, the trace of 2 F - F F over the term's weights; cut to q.
    rest : float
        Residual degrees of freedom where the dispersion is estimated, else inf.

    Returns
    -------
    Test

    References
    ----------
    Wood (2013), Biometrika 100:221.
    """
    root = _root(information)
    f, v = root @ beta, root @ covariance @ root.T
    values, vectors = np.linalg.eigh((v + v.T) / 2)
    order = np.argsort(values)[::-1]
    values, along = values[order], vectors[:, order].T @ f
    there = int(np.sum(values > TINY * max(values[0], 0.0))) if values.size else 0
    if there == 0 or not np.isfinite(values).all():
        return Test(np.nan, np.nan, np.nan)
    rank = min(max(rank, 0.0), float(there))
    k = int(np.floor(rank + WHOLE))
    nu = max(rank - k, 0.0)
    nu = 0.0 if nu <= WHOLE or k >= there else nu
    scaled = along / np.sqrt(np.where(values > 0, values, np.inf))
    if nu == 0.0 or k == 0:
        k = max(k, 1)
        rank = max(rank, 1.0) if k == 1 else float(k)
        statistics, weights = [float(np.sum(scaled[:k] ** 2))], np.ones(k)
    else:
        first = float(np.sum(scaled[: k - 1] ** 2))
        a, b = scaled[k - 1 : k + 1]
        cross = np.sqrt(nu * (1 - nu) / 2)
        statistics = [first + float(a * a + nu * b * b + sign * 2 * cross * a * b) for sign in (1, -1)]
        larger = (nu + 1 + np.sqrt((nu + 1) * (1 - nu))) / 2
        weights = np.concatenate([np.ones(k - 1), [larger, nu + 1 - larger]])
    p = float(np.mean([f_sum_sf(d, weights, 1.0, rest) for d in statistics]))
    return Test(float(np.mean(statistics)), rank, p)


def effects_test(
    beta: np.ndarray, score: np.ndarray, profiled: np.ndarray, penalty: np.ndarray, phi: float, rest: float
) -> Test:
    """Test that effects have the variance 0: of the size of their prediction, whose distribution then is known.

    With the other weights profiled out the information of the effects is M, and their score u = M b + Lam b has, without
    effects, the covariance phi M, whatever the other random terms are. Predictions b = (M + Lam)^-1 u are judged by
    b'(M + Lam) b = u'(M + Lam)^-1 u, then a weighted sum of chi-squared variables times phi. For Lam to infinity, where the
    variance is estimated as 0, this is the score test of the variance.

    Parameters
    ----------
    beta : (q,) array
    score : (q,) array
        Minus the gradient of the error, without the penalty, in the effects: Lam b at the optimum.
    profiled : (q, q) array
        M.
    penalty : (q,) array
        Diagonal of Lam, positive.
    phi : float
    rest : float
        Residual degrees of freedom where the dispersion is estimated, else inf.

    References
    ----------
    Wood (2013), Biometrika 100:1005.
    """
    u = profiled @ beta + score
    top, size = float(penalty.max()), float(np.abs(np.diag(profiled)).max())
    scale = max(top, size)
    shrunk = np.diag(penalty / scale) + (profiled / scale if top < OUTWEIGHED * size else 0.0)
    statistic = float(u @ np.linalg.solve(shrunk, u))
    values, vectors = np.linalg.eigh((profiled + profiled.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    inner = root.T @ np.linalg.solve(shrunk, root)
    weights = np.linalg.eigvalsh((inner + inner.T) / 2)
    if not np.isfinite(statistic) or not weights.max(initial=0.0) > 0 or not phi > 0:
        return Test(np.nan, np.nan, np.nan)
    weights = weights[weights > RANK * weights.max()]
    return Test(statistic / (scale * phi), float(weights.size), f_sum_sf(statistic / phi, weights, 1.0, rest))


def variance_ratio_sf(statistic: float, effects: int) -> float:
    """P(LR > statistic) of a likelihood ratio of the (R, R) covariance of a term's effects against 0.

    A variance alone: half a point mass at 0 and half chi2 on 1 (Self & Liang 1987, JASA 82:605). R effects: the distance to
    the cone of positive semidefinite matrices in the metric of their entries, which is that of chi2 on 0 to R (R + 1) / 2
    degrees of freedom with the weights of this cone (known for R = 2, where they are (2 - sqrt 2) / 4 and sqrt 2 / 4 at the
    ends and in between); for more effects the bound by chi2 on all degrees of freedom.
    """
    if statistic <= 0:
        return 1.0
    tails = [0.0] + [chi2_sum_sf(statistic, np.ones(k)) for k in range(1, effects * (effects + 1) // 2 + 1)]
    if effects == 1:
        return 0.5 * tails[1]
    if effects == 2:
        end, middle = (2 - np.sqrt(2)) / 4, np.sqrt(2) / 4
        return float(middle * (tails[1] + tails[2]) + end * tails[3])
    return tails[-1]


def _root(information: np.ndarray) -> np.ndarray:
    """R with R'R the information."""
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0.0))).T
