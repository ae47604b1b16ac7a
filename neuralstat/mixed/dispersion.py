"""The log-likelihood of the saturated model as a function of the dispersion, and the dispersion that is best."""

from __future__ import annotations

import math

import numpy as np

from ..families import Family

_LOG_2PI = math.log(2 * math.pi)


class Dispersion:
    """ls(phi) of a family, and the phi that maximises the criterion at given deviance and penalties D.

    The normal and the inverse Gaussian distribution have ls(phi) = c - n log(2 pi phi) / 2, so that the best phi is
    D / (n - m), m the columns without penalty that are integrated over. The same is taken, as an extended quasi-likelihood
    (Nelder & Pregibon 1987, Biometrika 74:221), for quasi families and for the Tweedie family but at powers 0 to 3. For the
    gamma family ls and its slope are exact, and the best phi is found by Newton's method. Where a dispersion is
    not estimated, phi is 1.
    """

    def __init__(self, family: Family, y: np.ndarray, case: np.ndarray) -> None:
        self.family, self.n, self.case = family, len(y), case
        kind = family.kin
        if kind == "tweedie":
            kind = {0.0: "gaussian", 1.0: "quasi", 2.0: "gamma", 3.0: "inverse_gaussian"}.get(family.parameter, "quasi")
        self.kind = "quasi" if family.quasi else kind if family.dispersed else "known"
        self.constant = 0.0
        if self.kind in ("gaussian", "quasi"):
            self.constant = 0.5 * float(np.sum(np.log(case)))
        elif self.kind == "inverse_gaussian":
            self.constant = 0.5 * float(np.sum(np.log(case) - 3 * np.log(y)))
        elif self.kind == "gamma":
            self.constant = -float(np.sum(np.log(y)))
        elif self.kind == "known":
            self.constant = float(np.sum(family.loglike_obs(y, y, case)))

    def saturated(self, phi: float) -> float:
        """ls(phi)."""
        if self.kind == "known":
            return self.constant
        if self.kind == "gamma":
            from scipy.special import gammaln

            shape = self.case / phi
            return self.constant + float(np.sum(shape * np.log(shape) - shape - gammaln(shape)))
        return self.constant - self.n / 2 * (_LOG_2PI + math.log(phi))

    def slope(self, phi: float) -> float:
        """d ls / d log phi."""
        if self.kind == "known":
            return 0.0
        if self.kind == "gamma":
            from scipy.special import digamma

            shape = self.case / phi
            return -float(np.sum(shape * (np.log(shape) - digamma(shape))))
        return -self.n / 2

    def best(self, objective: float, flat: int) -> float:
        """The phi at which objective / (2 phi) - ls(phi) - flat log(2 pi phi) / 2 is least."""
        if self.kind == "known":
            return 1.0
        phi = max(objective, 1e-300) / max(self.n - flat, 1)
        if self.kind != "gamma":
            return phi
        from scipy.optimize import brentq

        def rise(log_phi: float) -> float:
            at = math.exp(log_phi)
            return -objective / (2 * at) - self.slope(at) - flat / 2

        low, high = math.log(phi) - 1, math.log(phi) + 1
        while rise(low) > 0:
            low -= 2
        while rise(high) < 0 and high < 700:
            high += 2
        return math.exp(brentq(rise, low, high, xtol=1e-13, rtol=1e-14))
