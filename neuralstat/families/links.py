"""Link functions g(mu) = eta on numpy arrays; `engine.links` has their inverses as kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import Number, arguments
from ..errors import ArgumentError
from ..functions import links as codes
from .link import Link, log1mexp, log_
from .probabilities import Cauchy, CLogLog, LogC, Logit, LogLog, Probit


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

    def log_inverse(self, eta: Any) -> Any:
        return np.asarray(eta, dtype=float)

    log_slope = log_inverse

    def log_complement(self, eta: Any) -> Any:
        return log1mexp(eta)


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

    def log_inverse(self, eta: Any) -> Any:
        return log_(eta) / self.parameter

    def log_slope(self, eta: Any) -> Any:
        return (1 / self.parameter - 1) * log_(eta) - math.log(abs(self.parameter))


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

    def log_inverse(self, eta: Any) -> Any:
        return np.asarray(eta, dtype=float) - log1mexp(eta) - math.log(self.parameter)

    def log_slope(self, eta: Any) -> Any:
        return self.log_inverse(eta) - log1mexp(eta)  # 1 + alpha mu = 1 / (1 - exp(eta))


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


ALPHA = Number(above=0.0, most=1e15)
LEAST_EXPONENT = 1e-6


@arguments(p=Number(-1000.0, 1000.0))
def power(p: float) -> Link:
    """The link eta = mu^p; p = 1 is the identity.

    Raises
    ------
    ArgumentError
        Unless 1e-6 <= abs(p) <= 1000.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.families.power(1/3)
    'power(0.333333)'
    """
    if abs(p) < LEAST_EXPONENT:
        raise ArgumentError(f"link: the exponent of a power link, p, must be at least {LEAST_EXPONENT:g} in size, got {p:g}.")
    return LINKS["identity"] if p == 1 else Power(p)


@arguments(alpha=ALPHA)
def nbinom(alpha: float = 1.0) -> Link:
    """The link eta = log(mu / (mu + 1 / alpha)).

    Raises
    ------
    ArgumentError
        Unless alpha > 0.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.families.nbinom(2.0)
    'nbinom'
    """
    return NegativeBinomialLink(alpha)


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
    if isinstance(given, Link) and hasattr(type(given), "code"):
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
        own: Any = getattr(given, "alpha", None)
        return nbinom(alpha if isinstance(given, str) else own)
    if name == "power":
        if isinstance(given, str):
            raise ArgumentError("link 'power' needs an exponent: give neuralstat.families.power(p).")
        return power(getattr(given, "power", None))  # type: ignore[arg-type]
    if name not in LINKS:
        raise ArgumentError(f"link: unknown link {shown(given)}. Known: {known}; or an instance of a statsmodels link.")
    return LINKS[name]
