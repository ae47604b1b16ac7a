"""Distributions of responses of exponential families, with means and dispersions given, as scipy knows them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DfError
from .amounts import Compound, TweedieScale
from .family import Family, Tweedie


class Scaled:
    """Counts divided by numbers of trials, or by other fixed units."""

    def __init__(self, counts: Any, unit: Any) -> None:
        self.counts, self.unit = counts, unit

    def mean(self) -> Any:
        return self.counts.mean() / self.unit

    def var(self) -> Any:
        return self.counts.var() / np.square(self.unit)

    def cdf(self, y: Any) -> Any:
        return self.counts.cdf(np.asarray(y) * self.unit + 1e-9)

    def sf(self, y: Any) -> Any:
        return self.counts.sf(np.asarray(y) * self.unit + 1e-9)

    def ppf(self, q: Any) -> Any:
        return self.counts.ppf(q) / self.unit

    def logpmf(self, y: Any) -> Any:
        return self.counts.logpmf(np.round(np.asarray(y) * self.unit))

    def rvs(self, size: Any, random_state: Any) -> Any:
        return self.counts.rvs(size=size, random_state=random_state) / self.unit


def atom_of(family: Family) -> float | None:
    """A single value of positive probability, of responses that are else continuous."""
    compound = isinstance(family, TweedieScale) or (isinstance(family, Tweedie) and 1 < family.parameter < 2)
    return 0.0 if compound else None


def frozen(family: Family, mu: np.ndarray, phi: Any, weights: Any) -> tuple[Any, Any]:
    """The distribution of responses with means (m,), and the step between their values (None: continuous).

    Parameters
    ----------
    family : Family
    mu : (m,) array
    phi : float
        Dispersion.
    weights : (m,) array
        Variance weights; of a binomial family whole numbers of trials.

    Raises
    ------
    ArgumentError
        Where the family's distribution has no known form, or is of several responses.
    DfError
        Where the dispersion is 0, or not known.
    """
    from scipy import stats

    if family.quasi:
        raise ArgumentError(
            f"the family {family.name!r} says a mean and a variance of the response, and no distribution: quantiles, "
            f"probabilities and draws need one, as family={family.quasi_of!r} has."
        )
    name, power = family.name, family.parameter
    if name == "tweedie":
        name = {0.0: "gaussian", 1.0: "poisson", 2.0: "gamma", 3.0: "inverse_gaussian"}.get(power, name)
    if np.isnan(phi).any():
        raise DfError("no degrees of freedom are left to estimate the dispersion, and so there is no distribution.")
    if np.any(np.asarray(phi) == 0):
        raise DfError("the dispersion is estimated as 0, since the fit meets every response: there is no distribution.")
    phi = phi / weights
    if name == "gaussian":
        return stats.norm(mu, np.sqrt(phi)), None
    if name == "binomial":
        trials = np.maximum(np.round(weights), 1.0)
        if not np.allclose(trials, weights):
            trials = np.ones_like(mu)
        return Scaled(stats.binom(trials.astype(int), mu), trials), 1 / trials
    if name == "poisson":
        return Scaled(stats.poisson(mu / phi), 1 / phi), phi
    if name == "negative_binomial":
        return stats.nbinom(1 / power, 1 / (1 + power * mu)), np.ones_like(mu)
    if name == "gamma":
        return stats.gamma(1 / phi, scale=mu * phi), None
    if name == "inverse_gaussian":
        return stats.invgauss(mu * phi, scale=1 / phi), None
    if name == "tweedie" and 1 < power < 2:
        return Compound(mu, np.broadcast_to(phi, mu.shape), power), None
    raise ArgumentError(f"the distribution of the family {family.name!r} has no form that is known here.")
