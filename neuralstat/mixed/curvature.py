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


def expected(family: Family, eta: np.ndarray, case: np.ndarray) -> np.ndarray:
    """(n,) Fisher's information of the linear predictor."""
    return working.weights(family, eta) * case


def observed(family: Family, y: np.ndarray, eta: np.ndarray, case: np.ndarray) -> np.ndarray:
    """(n,) minus the second derivative of the log-likelihood in the linear predictor."""
    information = expected(family, eta, case)
    if family.canonical:
        return information
    rate = _log_slope_rate(family.link, eta) - _log_variance_rate(family, eta)
    return information - working.scores(family, y, eta, case) * rate


def slope(family: Family, y: np.ndarray, eta: np.ndarray, case: np.ndarray, fisher: bool) -> np.ndarray:
    """(n,) derivative of the information in the linear predictor, by central differences.

    The step keeps to the side of 0 where the link has one side only; the error is about 1e-10 of the information.
    """
    wide = np.isinf(family.predictor_range()[0]) and np.isinf(family.predictor_range()[1])
    step = 1e-5 * (np.maximum(1.0, np.abs(eta)) if wide else np.abs(eta))
    step = np.where(step > 0, step, 1e-5)
    ends = [expected(family, at, case) if fisher else observed(family, y, at, case) for at in (eta - step, eta + step)]
    return (ends[1] - ends[0]) / (2 * step)
