"""Derivatives of the log-likelihood in the linear predictor: score, observed and expected information, and its slope.

The observed information is w = F - s q, with Fisher's information F, the score s = (y - mu) r of an observation with
r = (d mu / d eta) / V(mu), and q = d log |r| / d eta; of a canonical link q is 0 (McCullagh & Nelder 1989, section 2.5).
Everything is at dispersion 1 and times the case weight.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import Binomial, Family, NegativeBinomial, working
from ..families.link import Link


def _log_mean_rate(link: Link, eta: Any) -> Any:
    """d log |mu| / d eta, with its sign."""
    falls = link.name == "logc" or (link.name != "nbinom" and link.parameter < 0)
    with np.errstate(over="ignore"):
        return (-1.0 if falls else 1.0) * np.exp(link.log_slope(eta) - link.log_inverse(eta))


def _log_slope_rate(link: Link, eta: Any) -> Any:
    """d log |d mu / d eta| / d eta."""
    name = link.name
    with np.errstate(over="ignore"):
        if name == "identity":
            return np.zeros_like(eta)
        if name in ("log", "logc"):
            return np.ones_like(eta)
        if name == "logit":
            return -np.tanh(eta / 2)
        if name == "probit":
            return -eta
        if name == "cloglog":
            return 1 - np.exp(eta)
        if name == "loglog":
            return np.exp(-eta) - 1
        if name == "cauchy":
            return -2 * eta / (1 + np.square(eta))
        if name == "nbinom":  # mu' = mu (1 + alpha mu), and 1 + alpha mu = 1 / (1 - exp(eta))
            return -1 - 2 / np.expm1(eta)
    return (1 / link.parameter - 1) / eta


def _log_variance_rate(family: Family, eta: Any) -> Any:
    """d log V(mu) / d eta."""
    link = family.link
    if isinstance(family, Binomial):
        up, down = link.log_rates(eta)
        sign = -1.0 if link.name == "logc" else 1.0
        with np.errstate(over="ignore"):
            return sign * (np.exp(up) - np.exp(down))
    power = {"gaussian": 0.0, "poisson": 1.0, "gamma": 2.0, "inverse_gaussian": 3.0}.get(family.kin, family.parameter)
    if isinstance(family, NegativeBinomial):
        from scipy.special import expit

        return _log_mean_rate(link, eta) * (1 + expit(link.log_inverse(eta) + math.log(family.parameter)))
    return np.zeros_like(eta) if power == 0 else power * _log_mean_rate(link, eta)


class Response:
    """Observed responses of a family with their case weights, and what a linear predictor eta (n,) makes of them.

    Logits and logs of canonical families, which most large data have, are written out; the rest goes through the family.
    """

    def __init__(self, family: Family, y: np.ndarray, case: np.ndarray) -> None:
        from scipy.special import xlogy

        self.family, self.y, self.case = family, y, case
        self.range = family.predictor_range()
        self.form = {("binomial", "logit"): "logit", ("poisson", "log"): "log"}.get((family.kin, family.link.name), "")
        self.saturated = 0.0  # of half the deviance
        if self.form == "logit":
            self.saturated = float(case @ (xlogy(y, y) + xlogy(1 - y, 1 - y)))
        elif self.form == "log":
            self.saturated = float(case @ (xlogy(y, y) - y))

    def is_possible(self, eta: np.ndarray) -> bool:
        """Whether all means lie inside the family's range."""
        low, high = self.range
        return bool(np.all((eta > low) & (eta < high)))

    def deviance(self, eta: np.ndarray) -> float:
        """Deviance at dispersion 1; infinite at impossible predictors."""
        if not self.is_possible(eta):
            return np.inf
        with np.errstate(over="ignore"):
            if self.form == "logit":
                half = np.log1p(np.exp(-np.abs(eta))) + np.maximum(eta, 0.0) - self.y * eta
                value = 2 * (float(self.case @ half) + self.saturated)
            elif self.form == "log":
                value = 2 * (float(self.case @ (np.exp(eta) - self.y * eta)) + self.saturated)
            else:
                value = working.deviance(self.family, self.y, eta, self.case)
        return value if np.isfinite(value) else np.inf

    def score(self, eta: np.ndarray) -> np.ndarray:
        """(n,) derivative of the log-likelihood in the linear predictor."""
        if self.form:
            with np.errstate(over="ignore"):
                return (self.y - self.family.link.inverse(eta)) * self.case
        return working.scores(self.family, self.y, eta, self.case)

    def expected(self, eta: np.ndarray) -> np.ndarray:
        """(n,) Fisher's information of the linear predictor."""
        if self.form == "logit":
            small = np.exp(-np.abs(eta))
            return self.case * small / np.square(1 + small)
        if self.form == "log":
            with np.errstate(over="ignore"):
                return self.case * np.exp(eta)
        return working.weights(self.family, eta) * self.case

    def observed(self, eta: np.ndarray) -> np.ndarray:
        """(n,) minus the second derivative of the log-likelihood in the linear predictor."""
        information = self.expected(eta)
        if self.family.canonical:
            return information
        rate = _log_slope_rate(self.family.link, eta) - _log_variance_rate(self.family, eta)
        return information - self.score(eta) * rate

    def slope(self, eta: np.ndarray, fisher: bool) -> np.ndarray:
        """(n,) derivative of the observed or expected information in the linear predictor.

        By central differences, where it is not written out: the step keeps to the side of 0 where the link has one side only,
        and the error is about 1e-10 of the information.
        """
        if self.form == "logit":
            return -self.expected(eta) * np.tanh(eta / 2)
        if self.form == "log":
            return self.expected(eta)
        wide = np.isinf(self.range[0]) and np.isinf(self.range[1])
        step = 1e-5 * (np.maximum(1.0, np.abs(eta)) if wide else np.abs(eta))
        step = np.where(step > 0, step, 1e-5)
        ends = [self.expected(at) if fisher else self.observed(at) for at in (eta - step, eta + step)]
        return (ends[1] - ends[0]) / (2 * step)
