"""Several responses that are normal together, whose covariance may depend on covariates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import Whole, arguments
from ..errors import DataError
from ..functions import distributions as codes
from .beginning import Beginning
from .distributional import Distributional


@arguments(responses=Whole(0))
@dataclass(frozen=True, repr=False, init=False)
class MultivariateNormal(Distributional):
    """Several normal responses: means of the network, and one covariance or one that depends on covariates.

    Parameters
    ----------
    responses : int
        L; 0 takes those of the formula, ``y1 + y2 ~ x``.

    Notes
    -----
    The covariance is parametrised by the regression of each response's deviation on those before it: coefficients phi21,
    phi31, phi32, ... and standard deviations sigma1 (log), sigma2, ... of what is left. Any values give a covariance matrix.
    The first response's sigma is its standard deviation.

    References
    ----------
    Pourahmadi (1999), Joint mean-covariance models, Biometrika 86:677.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.MultivariateNormal()
    >>> family.roles, family.role_links
    (('mu1',), ('identity',))
    """

    name, kind, default, located = "multivariate_normal", codes.MULTINORMAL, "identity", True
    links, means, first, alike, joint = ("identity",), (-math.inf, math.inf), "mu1", True, True

    def __init__(self, responses: int = 0) -> None:
        super().__init__(None, float(responses))

    @property
    def responses(self) -> int:
        """L."""
        return int(self.parameter)

    @property
    def leading(self) -> int:  # type: ignore[override]
        """Parameters that are the network's: the means."""
        return max(self.responses, 1)

    @property
    def others(self) -> dict[str, str]:  # type: ignore[override]
        numbers = range(1, self.responses + 1)
        means, sds = {f"mu{k}": "identity" for k in numbers if k > 1}, {f"sigma{k}": "log" for k in numbers}
        return {**means, **sds, **{f"phi{k}{j}": "identity" for k in numbers for j in range(1, k)}}

    def of_response(self, y: np.ndarray, w: np.ndarray | None = None) -> MultivariateNormal:
        return MultivariateNormal(len(y))

    def joint_units(self, y_mean: np.ndarray, y_sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = self.responses
        ratios = [y_sd[k] / y_sd[j] for k in range(size) for j in range(k)]
        scale = np.concatenate([y_sd, np.ones(size), ratios])
        return scale, np.concatenate([y_mean, np.log(y_sd), np.zeros(len(ratios))])

    def mean(self, par: np.ndarray) -> np.ndarray:
        """(L, ...) means."""
        return par[: self.responses]

    def response(self, eta: np.ndarray) -> np.ndarray:
        return eta[: self.responses]

    def covariances(self, par: np.ndarray) -> np.ndarray:
        """(..., L, L) covariance matrices of parameters (K, ...)."""
        size = self.responses
        unit = np.zeros((*par.shape[1:], size, size)) + np.eye(size)
        at = 2 * size
        for k in range(size):
            for j in range(k):
                unit[..., k, j] = -par[at]
                at += 1
        half = np.linalg.inv(unit) * np.moveaxis(par[size : 2 * size], 0, -1)[..., np.newaxis, :]
        return half @ np.swapaxes(half, -1, -2)

    def information(self, par: np.ndarray) -> np.ndarray:
        """(n, K, K) expected information of linear predictors, of parameters (K, n)."""
        size = self.responses
        cov = self.covariances(par)
        out = np.zeros((par.shape[1], len(par), len(par)))
        out[:, :size, :size] = np.linalg.inv(cov)
        out[:, range(size, 2 * size), range(size, 2 * size)] = 2.0
        at = 2 * size
        for k in range(size):
            out[:, at : at + k, at : at + k] = cov[:, :k, :k] / np.square(par[size + k])[:, np.newaxis, np.newaxis]
            at += k
        return out

    def variance(self, par: Any) -> Any:
        """(L, ...) of each response."""
        return np.moveaxis(np.diagonal(self.covariances(par), axis1=-2, axis2=-1), -1, 0)

    def marginals(self, par: np.ndarray) -> list[Any]:
        """The distribution of each response by itself."""
        from scipy import stats

        sd = np.sqrt(self.variance(par))
        return [stats.norm(par[k], sd[k]) for k in range(self.responses)]

    def frozen(self, par: np.ndarray) -> Any:
        raise self._lacks("distribution of one response")

    def draw(self, rng: np.random.Generator, par: np.ndarray) -> np.ndarray:
        """(L, ...) responses."""
        half = np.linalg.cholesky(self.covariances(par))
        z = rng.normal(size=(*par.shape[1:], self.responses))
        return np.moveaxis(np.moveaxis(self.mean(par), 0, -1) + (half @ z[..., np.newaxis])[..., 0], -1, 0)

    def beginning(self) -> Beginning:
        sums = yield _sums, ()
        mean = sums[:-1] / sums[-1]
        cov = (yield _products, (mean,)) / sums[-1]
        cov = cov + 1e-8 * np.diag(np.maximum(np.diag(cov), 1e-8))
        sds: list[float] = []
        phi: list[float] = []
        for k in range(len(mean)):
            slope = np.linalg.solve(cov[:k, :k], cov[:k, k])
            phi.extend(slope)
            sds.append(0.5 * math.log(max(cov[k, k] - slope @ cov[:k, k], 1e-16)))
        return np.array([*mean, *sds, *phi])

    def check(self, y: np.ndarray, label: str) -> None:
        if len(y) < 2:
            raise DataError(f"response {label!r}: family={self.name!r} needs several responses of numbers, as y1 + y2 ~ x.")
        constant = np.flatnonzero(np.ptp(y, axis=1) == 0)
        if constant.size:
            raise DataError(f"response {label!r}: the response number {constant[0] + 1} has one value only.")

    def __repr__(self) -> str:
        return "MultivariateNormal()"


def _sums(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.append(y @ w, w.sum())


def _products(y: np.ndarray, w: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r = y - mean[:, np.newaxis]
    return (r * w) @ r.T
