"""Link functions g(mu) = eta on numpy arrays; `engine.links` has their inverses as kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import ArgumentError
from ..functions import links as codes


@dataclass(frozen=True, repr=False)
class Link:
    """A link function: ``link(mu)`` is the linear predictor eta.

    Attributes
    ----------
    name : str
    parameter : float
        Exponent of a power link, alpha of the negative binomial's; else 0.
    code : int
        What kernels are told.
    means : (float, float)
        Open interval of means on which the link is defined.
    """

    name: ClassVar[str]
    code: ClassVar[int]
    means: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    parameter: float = 0.0

    def __call__(self, mu: Any) -> Any:
        """The linear predictor of a mean."""
        raise NotImplementedError

    def inverse(self, eta: Any) -> Any:
        """The mean of a linear predictor."""
        raise NotImplementedError

    def inverse_deriv(self, eta: Any) -> Any:
        """d mu / d eta."""
        raise NotImplementedError

    def deriv(self, mu: Any) -> Any:
        """d eta / d mu."""
        return 1 / self.inverse_deriv(self(mu))

    def __repr__(self) -> str:
        return repr(self.name)


class Identity(Link):
    """eta = mu."""

    name, code = "identity", codes.IDENTITY

    def __call__(self, mu: Any) -> Any:
        return np.asarray(mu, dtype=float)

    def inverse(self, eta: Any) -> Any:
        return np.asarray(eta, dtype=float)

    def inverse_deriv(self, eta: Any) -> Any:
        return np.ones_like(eta, dtype=float)


class Log(Link):
    """eta = log(mu)."""

    name, code, means = "log", codes.LOG, (0.0, math.inf)

    def __call__(self, mu: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(mu)

    def inverse(self, eta: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(eta)

    inverse_deriv = inverse


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


class Cauchy(Link):
    """eta = tan(pi (mu - 1/2)), the quantile of the Cauchy distribution."""

    name, code, means = "cauchy", codes.CAUCHY, (0.0, 1.0)

    def __call__(self, mu: Any) -> Any:
        return np.tan(np.pi * (np.asarray(mu, dtype=float) - 0.5))

    def inverse(self, eta: Any) -> Any:
        return np.arctan2(1.0, -np.asarray(eta, dtype=float)) / np.pi

    def inverse_deriv(self, eta: Any) -> Any:
        return 1 / (np.pi * (1 + np.square(eta)))


class Power(Link):
    """eta = mu^p; p = -1, -2, 1/2 are the links "inverse_power", "inverse_squared", "sqrt"."""

    code, means = codes.POWER, (0.0, math.inf)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Its own name where it has one, else "power(p)"."""
        return {-1.0: "inverse_power", -2.0: "inverse_squared", 0.5: "sqrt"}.get(
            self.parameter, f"power({self.parameter:g})"
        )

    def __call__(self, mu: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.power(np.asarray(mu, dtype=float), self.parameter)

    def inverse(self, eta: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.power(np.asarray(eta, dtype=float), 1 / self.parameter)

    def inverse_deriv(self, eta: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.power(np.asarray(eta, dtype=float), 1 / self.parameter - 1) / self.parameter


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


class NegativeBinomialLink(Link):
    """eta = log(mu / (mu + 1 / alpha)), the canonical link of the negative binomial; eta < 0."""

    name, code, means = "nbinom", codes.NBINOM, (0.0, math.inf)

    def __call__(self, mu: Any) -> Any:
        mu = np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.log1p(1 / (self.parameter * mu))

    def inverse(self, eta: Any) -> Any:
        with np.errstate(divide="ignore", over="ignore"):
            return 1 / (self.parameter * np.expm1(-np.asarray(eta, dtype=float)))

    def inverse_deriv(self, eta: Any) -> Any:
        mu = self.inverse(eta)
        return mu * (1 + self.parameter * mu)


#: name -> link without parameter, or class of links with one
LINKS: dict[str, Any] = {
    "identity": Identity(),
    "log": Log(),
    "logit": Logit(),
    "probit": Probit(),
    "cloglog": CLogLog(),
    "loglog": LogLog(),
    "cauchy": Cauchy(),
    "inverse_power": Power(-1.0),
    "inverse_squared": Power(-2.0),
    "sqrt": Power(0.5),
    "logc": LogC(),
    "power": Power,
    "nbinom": NegativeBinomialLink,
}

#: Other names, those of statsmodels' classes and of R among them (in lower case)
ALIASES = {
    "inverse": "inverse_power", "inversepower": "inverse_power", "inversesquared": "inverse_squared",
    "1/mu^2": "inverse_squared", "cauchit": "cauchy", "negativebinomial": "nbinom", "negative_binomial": "nbinom",
}  # fmt: skip


def power(p: float) -> Link:
    """The link eta = mu^p; p = 1 is the identity.

    Raises
    ------
    ArgumentError
        For p = 0 and numbers that are not finite.
    """
    p = float(p)
    if p == 0 or not math.isfinite(p):
        raise ArgumentError(f"link: the exponent of a power link must be a finite number other than 0, got {p:g}.")
    return LINKS["identity"] if p == 1 else Power(p)


def nbinom(alpha: float = 1.0) -> Link:
    """The link eta = log(mu / (mu + 1 / alpha)).

    Raises
    ------
    ArgumentError
        Unless alpha > 0.
    """
    if not float(alpha) > 0:
        raise ArgumentError(f"link: alpha of the negative binomial link must be > 0, got {alpha!r}.")
    return NegativeBinomialLink(float(alpha))


def resolve_link(given: Any, alpha: float = 1.0) -> Link:
    """A `Link` from a name, a `Link`, or an instance of a statsmodels link (read by the name of its class).

    Parameters
    ----------
    given : str, Link or statsmodels link
        Names are those of `LINKS`; "power" needs its exponent: ``power(1/3)``.
    alpha : float
        Parameter of "nbinom", where given by name.

    Raises
    ------
    ArgumentError
        Where it is none of these.
    """
    if isinstance(given, Link):
        return given
    known = ", ".join(map(repr, LINKS))
    if isinstance(given, type):
        raise ArgumentError(f"link must be an instance, not the class {given.__name__}: write {given.__name__}().")
    name = (given if isinstance(given, str) else type(given).__name__).lower()
    name = ALIASES.get(name, name)
    if name == "cdflink":
        name = {"norm": "probit", "cauchy": "cauchy", "logistic": "logit"}.get(
            getattr(getattr(given, "dbn", None), "name", ""), ""
        )
    if name == "nbinom":
        return nbinom(alpha if isinstance(given, str) else given.alpha)
    if name == "power":
        if isinstance(given, str):
            raise ArgumentError("link 'power' needs an exponent: give neuralstat.families.power(p).")
        return power(given.power)
    if name not in LINKS:
        raise ArgumentError(f"link: unknown link {given!r}. Known: {known}; or an instance of a statsmodels link.")
    return LINKS[name]
