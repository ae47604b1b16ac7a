"""What likelihoods need at a linear predictor: weights, residuals, deviances, log-likelihoods.

A mean that rounds to an end of its range (a probability of 1 beyond a linear predictor of 37) still has a weight, a residual
and a log-likelihood, which a formula of the mean would make 0 / 0. They come from the logarithms of mu, 1 - mu and d mu / d
eta (`Link.log_inverse`, ...), as the losses that are minimised do (`functions.deviance`).

Shapes: eta and y (..., K, n); of a multinomial response eta are the K logits, and y indicators, proportions or counts of the
classes. Weights broadcast to them. Everything is at dispersion 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .family import Binomial, Family, Gaussian, Multinomial, NegativeBinomial
from .link import log1mexp

NEAR = 1e-8  # distance of a probability from 0 and 1 within which logarithms are taken
SMALLEST, LARGEST = 1e-100, 1e100  # positive means beyond which they are


def _exp(values: Any) -> Any:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(values)


def _some(y: Any, values: Any) -> Any:
    """y times values, 0 where y is 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(y == 0, 0.0, y * values)


def _additive(family: Family) -> bool:
    """Whether the variance is constant, so that means are taken as they are."""
    return isinstance(family, Gaussian) or (family.name == "tweedie" and family.parameter == 0)


def _log_variance(family: Family, eta: Any) -> Any:
    """log V(mu)."""
    low = family.link.log_inverse(eta)
    if isinstance(family, Binomial):
        return low + family.link.log_complement(eta)
    if isinstance(family, NegativeBinomial):
        return low + np.logaddexp(0.0, low + np.log(family.parameter))
    power = {"poisson": 1.0, "gamma": 2.0, "inverse_gaussian": 3.0}.get(family.kin, family.parameter)
    return power * low


def log_softmax(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log p and log(1 - p) of the classes, along the last axis but one."""
    from scipy import special

    log_p = special.log_softmax(eta, axis=-2)
    first = np.expand_dims(np.argmax(log_p, axis=-2), -2)
    largest = np.arange(eta.shape[-2])[:, np.newaxis] == first
    # 1 - p of the most probable class, which may round to 0, is the sum of the others
    others = special.logsumexp(np.where(largest, -np.inf, log_p), axis=-2, keepdims=True)
    return log_p, np.where(largest, others, log1mexp(np.where(largest, -1.0, log_p)))


def weights(family: Family, eta: Any) -> np.ndarray:
    """(d mu / d eta)^2 / V(mu): the Fisher information of eta.

    Of a multinomial response p (1 - p), the diagonal of its information.
    """
    eta = np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        log_p, log_q = log_softmax(eta)
        return _exp(log_p + log_q)
    if _additive(family):
        return np.square(family.link.inverse_deriv(eta))
    with np.errstate(invalid="ignore"):
        value = _exp(2 * family.link.log_slope(eta) - _log_variance(family, eta))
    # inf - inf, where even logarithms end: at an infinite linear predictor
    return np.where(np.isnan(value) & ~np.isnan(eta), 0.0, value)


def pearson(family: Family, y: Any, eta: Any, case: Any = 1.0) -> np.ndarray:
    """Pearson residuals (y - mu) sqrt(weight / V(mu)); of classes (y - expected) sqrt(weight / expected)."""
    y, eta = np.asarray(y, dtype=float), np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        total = y.sum(axis=-2, keepdims=True)
        half = 0.5 * log_softmax(eta)[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = _some(y, _exp(-half) / np.sqrt(total)) - np.sqrt(total) * _exp(half)
    elif _additive(family):
        value = y - family.link.inverse(eta)
    elif isinstance(family, Binomial):
        half = 0.5 * (family.link.log_complement(eta) - family.link.log_inverse(eta))
        value = _some(y, _exp(half)) - _some(1 - y, _exp(-half))
    else:
        low, half = family.link.log_inverse(eta), 0.5 * _log_variance(family, eta)
        mu = _exp(low)
        inside = (mu > SMALLEST) & (mu < LARGEST)
        value = np.where(inside, (y - np.where(inside, mu, 1.0)) * _exp(np.where(inside, -half, 0.0)),
                         _some(y, _exp(-half)) - _exp(low - half))  # fmt: skip
    return value * np.sqrt(case)


def scores(family: Family, y: Any, eta: Any, case: Any = 1.0) -> np.ndarray:
    """Derivative of the log-likelihood in eta, weight (y - mu) (d mu / d eta) / V(mu); of classes y - expected."""
    y, eta = np.asarray(y, dtype=float), np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        total = y.sum(axis=-2, keepdims=True)
        log_p, log_q = log_softmax(eta)
        value = y * _exp(log_q) - (total - y) * _exp(log_p)
    elif _additive(family):
        value = (y - family.link.inverse(eta)) * family.link.inverse_deriv(eta)
    else:
        sign = _sign(family)
        if isinstance(family, Binomial):
            up, down = family.link.log_rates(eta)
            value = sign * (_some(y, _exp(up)) - _some(1 - y, _exp(down)))
        else:
            low, variance = family.link.log_inverse(eta), _log_variance(family, eta)
            mu = _exp(low)
            inside = (mu > SMALLEST) & (mu < LARGEST)
            rise = family.link.log_slope(eta) - variance
            value = sign * np.where(inside, (y - np.where(inside, mu, 1.0)) * _exp(np.where(inside, rise, 0.0)),
                                    _some(y, _exp(rise)) - _exp(low + rise))  # fmt: skip
    return value * case


def residuals(family: Family, y: Any, eta: Any) -> np.ndarray:
    """Working residuals (y - mu) d eta / d mu; of classes (y - expected) / (p (1 - p))."""
    y, eta = np.asarray(y, dtype=float), np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        total = y.sum(axis=-2, keepdims=True)
        log_p, log_q = log_softmax(eta)
        return _some(y, _exp(-log_p)) - _some(total - y, _exp(-log_q))
    if _additive(family):
        with np.errstate(divide="ignore", invalid="ignore"):
            return (y - family.link.inverse(eta)) / family.link.inverse_deriv(eta)
    sign = _sign(family)
    if isinstance(family, Binomial):
        up, down = family.link.log_rates(eta)
        return sign * (_some(y, _exp(-down)) - _some(1 - y, _exp(-up)))
    low, slope = family.link.log_inverse(eta), family.link.log_slope(eta)
    mu = _exp(low)
    inside = (mu > SMALLEST) & (mu < LARGEST)
    return sign * np.where(inside, (y - np.where(inside, mu, 1.0)) * _exp(np.where(inside, -slope, 0.0)),
                           _some(y, _exp(-slope)) - _exp(low - slope))  # fmt: skip


def _sign(family: Family) -> float:
    """Whether means rise or fall with the linear predictor."""
    falls = family.link.name == "logc" or (family.link.name != "nbinom" and family.link.parameter < 0)
    return -1.0 if falls else 1.0


def unit_deviance(family: Family, y: Any, eta: Any) -> np.ndarray:
    """2 (log-likelihood of the saturated model - that of eta), of each value (class) and observation."""
    from scipy.special import xlogy

    y, eta = np.asarray(y, dtype=float), np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        total = y.sum(axis=-2, keepdims=True)
        return 2 * (xlogy(y, np.where(y > 0, y, 1.0)) - _some(y, np.log(np.where(total > 0, total, 1.0)))
                    - _some(y, log_softmax(eta)[0]))  # fmt: skip
    mu = family.link.inverse(eta)
    if _additive(family):
        return family.unit_deviance(y, mu)
    if isinstance(family, Binomial):
        inside = (mu > NEAR) & (mu < 1 - NEAR)
        low, high = family.link.log_inverse(eta), family.link.log_complement(eta)
        far = 2 * (xlogy(y, y) + xlogy(1 - y, 1 - y) - _some(y, low) - _some(1 - y, high))
        return np.where(inside, family.unit_deviance(y, np.where(inside, mu, 0.5)), far)
    inside = (mu > SMALLEST) & (mu < LARGEST)
    with np.errstate(invalid="ignore", over="ignore"):
        far = 2 * _half_from_log(family, y, family.link.log_inverse(eta))
    return np.where(inside, family.unit_deviance(y, np.where(inside, mu, 1.0)), far)


def _half_from_log(family: Family, y: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Half the unit deviance of positive means from their logarithms."""
    from scipy.special import xlogy

    p = {"poisson": 1.0, "gamma": 2.0, "inverse_gaussian": 3.0}.get(family.kin, family.parameter)
    if isinstance(family, NegativeBinomial):
        a = family.parameter
        rest = (y + 1 / a) * (np.log1p(a * y) - np.logaddexp(0.0, low + np.log(a)))
        return xlogy(y, y) - _some(y, low) - rest
    if p == 1:
        return xlogy(y, y) - _some(y, low) - y + _exp(low)
    with np.errstate(divide="ignore"):
        log_y = np.log(y)
    if p == 2:
        return _exp(log_y - low) - 1 + low - log_y
    if p == 3:
        return np.square(_exp(log_y - low) - 1) / (2 * y)
    return (y ** (2 - p) / ((1 - p) * (2 - p)) - _some(y, _exp((1 - p) * low)) / (1 - p)
            + _exp((2 - p) * low) / (2 - p))  # fmt: skip


def deviance(family: Family, y: Any, eta: Any, case: Any = 1.0) -> float:
    """Sum of the weighted unit deviances."""
    return float(np.sum(unit_deviance(family, y, eta) * case))


def resid_dev(family: Family, y: Any, eta: Any, case: Any = 1.0) -> np.ndarray:
    """Deviance residuals: signed square roots of the weighted unit deviances.

    Of classes as of a Poisson model of the counts: their squares give the deviance.
    """
    y, eta = np.asarray(y, dtype=float), np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        expected = y.sum(axis=-2, keepdims=True) * _exp(log_softmax(eta)[0])
        value = unit_deviance(family, y, eta) - 2 * (y - expected)
        difference = y - expected
    else:
        value, difference = unit_deviance(family, y, eta), pearson(family, y, eta)
    with np.errstate(over="ignore"):
        return np.sign(difference) * np.sqrt(np.maximum(value * case, 0.0))


def loglike_obs(family: Family, y: Any, eta: Any, case: Any = 1.0, scale: Any = 1.0) -> np.ndarray:
    """Log-likelihood of each value; of a multinomial response of each observation, (..., n)."""
    y, eta = np.asarray(y, dtype=float), np.asarray(eta, dtype=float)
    if isinstance(family, Multinomial):
        from scipy.special import gammaln

        ways = gammaln(np.sum(y, axis=-2) + 1) - np.sum(gammaln(y + 1.0), axis=-2)
        return case * (ways + np.sum(_some(y, log_softmax(eta)[0]), axis=-2))
    mu = family.link.inverse(eta)
    if _additive(family):
        return family.loglike_obs(y, mu, case, scale)
    # log-likelihoods of two means differ as their deviances do: what rounds is taken from a mean that does not
    near = np.clip(mu, NEAR, 1 - NEAR) if isinstance(family, Binomial) else np.clip(mu, SMALLEST, LARGEST)
    value = family.loglike_obs(y, near, case, scale)
    beyond = near != mu
    if not np.any(beyond):
        return value
    with np.errstate(invalid="ignore"):
        more = (family.unit_deviance(y, near) - unit_deviance(family, y, eta)) * case / scale / 2
    return np.where(beyond, value + more, value)
