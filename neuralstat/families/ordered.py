"""Ordered categories: a latent variable with thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import Whole, arguments
from ..errors import DataError
from ..functions import distributions as codes
from .beginning import Beginning
from .distributional import Distributional
from .family import LINK


@arguments(link=LINK, levels=Whole(0))
@dataclass(frozen=True, repr=False, init=False)
class Ordinal(Distributional):
    """Cumulative link model of an ordered factor: P(y <= level j) = F(t_j - eta), F the inverse of the link.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog"}
        Proportional odds; normal; proportional hazards.
    levels : int
        Number of levels; 0 takes those of the response.

    Notes
    -----
    The first output is eta; its constant is minus the first threshold. The others are logarithms of the distances from one
    threshold to the next, so that thresholds increase whatever the weights are. They do not depend on covariates unless
    `dispformula` says so.

    References
    ----------
    McCullagh (1980), Regression models for ordinal data, JRSS B 42:109.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Ordinal()
    >>> family.roles, family.role_links
    (('eta',), ('logit',))
    """

    name, kind, default, discrete = "ordinal", codes.ORDINAL, "logit", True
    links, means, first, alike = ("logit", "probit", "cloglog"), (0.0, 1.0), "eta", True

    def __init__(self, link: Any = None, levels: int = 0) -> None:
        super().__init__(link, float(levels))

    @property
    def levels(self) -> int:
        """Number of categories."""
        return int(self.parameter)

    @property
    def others(self) -> dict[str, str]:  # type: ignore[override]
        """Distances between thresholds."""
        return {f"step{k}": "log" for k in range(2, self.levels)}

    def of_response(self, y: np.ndarray, w: np.ndarray | None = None) -> Ordinal:
        return Ordinal(self.link, len(y))

    @property
    def parameters(self) -> np.ndarray:
        return np.array([self.parameter, 0.0])

    def natural(self, eta: np.ndarray) -> np.ndarray:
        """eta and thresholds, (C, ...): the first threshold is 0."""
        with np.errstate(over="ignore"):
            steps = np.cumsum(np.exp(eta[1:]), axis=0)
        return np.concatenate([eta[:1], np.zeros_like(eta[:1]), steps])

    def probabilities(self, par: np.ndarray) -> np.ndarray:
        """(C, ...) of the categories."""
        ends = par[1:] - par[:1]
        below = self.link.inverse(ends)
        above = np.exp(self.link.log_complement(ends))
        inside = np.where(ends[:-1] > 0, -np.diff(above, axis=0), np.diff(below, axis=0))  # by the tail that is small
        return np.concatenate([below[:1], inside, above[-1:]])

    def response(self, eta: np.ndarray) -> np.ndarray:
        """Probabilities (C, ...) of the categories."""
        return self.probabilities(self.natural(eta))

    def mean(self, par: np.ndarray) -> np.ndarray:
        """Mean number of the category, from 0."""
        p = self.probabilities(par)
        return np.tensordot(np.arange(len(p)), p, axes=1)

    def variance(self, par: Any) -> Any:
        p = self.probabilities(par)
        return np.tensordot(np.arange(len(p)) ** 2, p, axes=1) - np.square(self.mean(par))

    def frozen(self, par: np.ndarray) -> Any:
        return _Categories(self.probabilities(par))

    def beginning(self) -> Beginning:
        counts = yield _counts, ()
        share = (counts[:-1] + 0.5) / (counts[-1] + 0.5 * (len(counts) - 1))
        ends = np.array([float(self.link(v)) for v in np.cumsum(share)[:-1]])
        return np.array([-ends[0], *np.log(np.maximum(np.diff(ends), 1e-3))])

    def check(self, y: np.ndarray, label: str) -> None:
        if len(y) < 2:
            raise DataError(f"response {label!r}: family='ordinal' needs an ordered factor of at least two levels.")

    def to_json(self) -> dict[str, Any]:
        return {"family": self.name, "parameter": self.parameter, "link": self.link.name, "link_parameter": 0.0}

    def __repr__(self) -> str:
        return f"Ordinal({self.link!r})"


class _Categories:
    """Numbers of categories, from 0."""

    def __init__(self, p: np.ndarray) -> None:
        self.p = p
        self.total = np.cumsum(p, axis=0)

    def cdf(self, y: Any) -> np.ndarray:
        at = np.broadcast_to(np.floor(y), self.p.shape[1:]).astype(int)
        inside = np.clip(at, 0, len(self.p) - 1)
        found = np.take_along_axis(self.total, inside[np.newaxis], axis=0)[0]
        return np.where(at < 0, 0.0, np.where(at >= len(self.p) - 1, 1.0, found))

    def sf(self, y: Any) -> np.ndarray:
        return 1 - self.cdf(y)

    def logpmf(self, y: Any) -> np.ndarray:
        at = np.broadcast_to(y, self.p.shape[1:]).astype(int)
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(self.p, at[np.newaxis], axis=0)[0])

    def ppf(self, q: Any) -> np.ndarray:
        return np.sum(self.total[:-1] < np.asarray(q), axis=0).astype(float)

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))


def _counts(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.append(y @ w, w.sum())
