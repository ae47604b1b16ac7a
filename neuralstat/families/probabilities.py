"""Links of probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..functions import links as codes
from .link import Link, log1mexp


class Logit(Link):
    """eta = log(mu / (1 - mu))."""

    name, code, means = "logit", codes.LOGIT, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        from scipy.special import logit

        return logit(mu)

    def inverse(self, eta: Any) -> Any:
        from scipy.special import expit

        return expit(eta)

    def inverse_deriv(self, eta: Any) -> Any:
        e = np.exp(-np.abs(eta))
        return e / (1 + e) ** 2

    def log_inverse(self, eta: Any) -> Any:
        return -np.logaddexp(0.0, -np.asarray(eta, dtype=float))

    def log_complement(self, eta: Any) -> Any:
        return -np.logaddexp(0.0, eta)

    def log_slope(self, eta: Any) -> Any:
        return self.log_inverse(eta) + self.log_complement(eta)

    def log_rates(self, eta: Any) -> tuple[Any, Any]:
        return self.log_complement(eta), self.log_inverse(eta)


class Probit(Link):
    """eta = Phi^-1(mu), of the standard normal distribution function Phi."""

    name, code, means = "probit", codes.PROBIT, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        from scipy.special import ndtri

        return ndtri(mu)

    def inverse(self, eta: Any) -> Any:
        from scipy.special import ndtr

        return ndtr(eta)

    def inverse_deriv(self, eta: Any) -> Any:
        with np.errstate(under="ignore"):
            return np.exp(-0.5 * np.square(eta)) / math.sqrt(2 * math.pi)

    def log_inverse(self, eta: Any) -> Any:
        from scipy.special import log_ndtr

        return log_ndtr(eta)

    def log_complement(self, eta: Any) -> Any:
        from scipy.special import log_ndtr

        return log_ndtr(-np.asarray(eta, dtype=float))

    def log_slope(self, eta: Any) -> Any:
        return -0.5 * np.square(eta) - 0.5 * math.log(2 * math.pi)


class CLogLog(Link):
    """eta = log(-log(1 - mu))."""

    name, code, means = "cloglog", codes.CLOGLOG, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(-np.log1p(-np.asarray(mu, dtype=float)))

    def inverse(self, eta: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):
            return -np.expm1(-np.exp(eta))

    def inverse_deriv(self, eta: Any) -> Any:
        eta = np.minimum(eta, 700.0)
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(eta - np.exp(eta))

    def log_inverse(self, eta: Any) -> Any:
        # below -36 the mean is exp(eta) to rounding, whose own 1 - exp(-exp(eta)) would be 0 soon
        low = np.asarray(eta, dtype=float) < -36
        return np.where(low, eta, log1mexp(self.log_complement(np.where(low, 0.0, eta))))

    def log_complement(self, eta: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):
            return -np.exp(eta)

    def log_slope(self, eta: Any) -> Any:
        return np.asarray(eta, dtype=float) + self.log_complement(eta)

    def log_rates(self, eta: Any) -> tuple[Any, Any]:
        return self.log_slope(eta) - self.log_inverse(eta), np.asarray(eta, dtype=float)


class LogLog(Link):
    """eta = -log(-log(mu))."""

    name, code, means = "loglog", codes.LOGLOG, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.log(-np.log(mu))

    def inverse(self, eta: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(-np.exp(-np.asarray(eta, dtype=float)))

    def inverse_deriv(self, eta: Any) -> Any:
        eta = np.maximum(eta, -700.0)
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(-np.exp(-eta) - eta)

    # loglog of mu at eta is cloglog of 1 - mu at -eta

    def log_inverse(self, eta: Any) -> Any:
        return CLogLog().log_complement(-np.asarray(eta, dtype=float))

    def log_complement(self, eta: Any) -> Any:
        return CLogLog().log_inverse(-np.asarray(eta, dtype=float))

    def log_slope(self, eta: Any) -> Any:
        return CLogLog().log_slope(-np.asarray(eta, dtype=float))

    def log_rates(self, eta: Any) -> tuple[Any, Any]:
        return CLogLog().log_rates(-np.asarray(eta, dtype=float))[::-1]


class Cauchy(Link):
    """eta = tan(pi (mu - 1/2)), the quantile of the Cauchy distribution."""

    name, code, means = "cauchy", codes.CAUCHY, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        return np.tan(np.pi * (np.asarray(mu, dtype=float) - 0.5))

    def inverse(self, eta: Any) -> Any:
        return np.arctan2(1.0, -np.asarray(eta, dtype=float)) / np.pi

    def inverse_deriv(self, eta: Any) -> Any:
        return 1 / (np.pi * (1 + np.square(eta)))

    def log_complement(self, eta: Any) -> Any:
        return self.log_inverse(-np.asarray(eta, dtype=float))

    def log_slope(self, eta: Any) -> Any:
        return -math.log(math.pi) - 2 * np.log(np.hypot(1.0, eta))


class LogC(Link):
    """eta = log(1 - mu)."""

    name, code, means = "logc", codes.LOGC, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log1p(-np.asarray(mu, dtype=float))

    def inverse(self, eta: Any) -> Any:
        with np.errstate(over="ignore"):
            return -np.expm1(eta)

    def inverse_deriv(self, eta: Any) -> Any:
        with np.errstate(over="ignore"):
            return -np.exp(eta)

    def log_inverse(self, eta: Any) -> Any:
        return log1mexp(eta)

    def log_complement(self, eta: Any) -> Any:
        return np.asarray(eta, dtype=float)

    log_slope = log_complement
