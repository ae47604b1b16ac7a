"""Exponential families on numpy arrays: variance, deviance, likelihood, residuals.

Conventions are statsmodels': y and mu have one shape, `weights` are variance weights (for the binomial numbers of
trials, y being proportions), `scale` is the dispersion phi, and Var(y) = phi V(mu) / weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import Anything, Number, arguments
from ..errors import ArgumentError
from ..functions import deviance as codes
from .links import ALPHA, LINKS, resolve_link

_LOG_2PI = math.log(2 * math.pi)
CLIP = 1e-15  # probabilities are kept this far from 0 and 1 before a logarithm is taken
LINK = Anything("None, the name of a link, or a link", None, "log")


@arguments(link=LINK, parameter=Number(0.0))
@dataclass(frozen=True, repr=False)
class Family:
    """An exponential family with its link.

    Attributes
    ----------
    link : Link
    parameter : float
        alpha of the negative binomial, var_power of the Tweedie family; else 0.
    name : str
    code : int
        What kernels are told.
    needs : str or None
        What the response must be, in a word.
    dispersed : bool
        Whether the dispersion is estimated (else it is 1).
    means : (float, float)
        Open interval of possible means.
    quasi_of : str or None
        Of families of a mean and a variance alone (`families.quasi`), the family whose error and variance function they have.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Poisson()
    >>> family.link, family.canonical, float(family.variance(3.0))
    ('log', True, 3.0)
    """

    name: ClassVar[str]
    code: ClassVar[int]
    default: ClassVar[str]
    links: ClassVar[tuple[str, ...]] = ("identity", "log", "inverse_power")
    needs: ClassVar[str | None] = None
    dispersed: ClassVar[bool] = True
    means: ClassVar[tuple[float, float]] = (0.0, math.inf)
    quasi_of: ClassVar[str | None] = None
    link: Any = None
    parameter: float = 0.0

    def __post_init__(self) -> None:
        if not hasattr(type(self), "default"):
            raise ArgumentError("Family is what all families have in common: use one of them, as Gamma().")
        if self.parameter and not isinstance(self, NegativeBinomial | Tweedie):
            raise ArgumentError(f"parameter must be 0: the {self.name} family has none; got {self.parameter:g}.")
        link = resolve_link(self.default if self.link is None else self.link, self.parameter or 1.0)
        object.__setattr__(self, "link", link)

    @property
    def parameters(self) -> np.ndarray:
        """(2,) what kernels are told: the family's parameter, the link's."""
        return np.array([self.parameter, self.link.parameter])

    @property
    def kin(self) -> str:
        """Name of the family with this error and variance function: its own, or `quasi_of`."""
        return self.quasi_of or self.name

    @property
    def quasi(self) -> bool:
        """Whether it says a mean and a variance alone, so that there is no likelihood and no distribution."""
        return self.quasi_of is not None

    @property
    def canonical(self) -> bool:
        """Whether the link is the canonical one: then observed and expected information agree."""
        return self.link == resolve_link(self.default, self.parameter or 1.0)

    def variance(self, mu: Any) -> Any:
        """Variance function V(mu)."""
        raise NotImplementedError

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        """2 (log-likelihood of the saturated model - that of mu) x scale, of each observation."""
        raise NotImplementedError

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        """Log-likelihood of each observation."""
        raise NotImplementedError

    def deviance(self, y: Any, mu: Any, weights: Any = 1.0) -> float:
        """Sum of the weighted unit deviances."""
        return float(np.sum(self.unit_deviance(y, mu) * weights))

    def resid_dev(self, y: Any, mu: Any, weights: Any = 1.0) -> Any:
        """Deviance residuals: signed square roots of the weighted unit deviances."""
        return np.sign(y - mu) * np.sqrt(np.maximum(self.unit_deviance(y, mu) * weights, 0.0))

    def pearson(self, y: Any, mu: Any, weights: Any = 1.0) -> Any:
        """Pearson residuals (y - mu) sqrt(weight / V(mu)); 0 where a mean rounds to what was observed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y == mu, 0.0, (y - mu) * np.sqrt(weights / self.variance(mu)))

    def predictor_range(self, sign: float = 1.0) -> tuple[float, float]:
        """Open interval of linear predictors that give possible means (on the side of `sign`, where there are two)."""
        low, high = max(self.means[0], self.link.means[0]), min(self.means[1], self.link.means[1])
        if self.means[0] < 0 and self.link.parameter == -1.0:
            return (0.0, math.inf) if sign > 0 else (-math.inf, 0.0)
        with np.errstate(divide="ignore"):
            ends = sorted(float(self.link(v)) for v in (low, high))
        return ends[0], ends[1]

    def to_json(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        link = next(n for n in (self.link.name.split("(")[0],) if n in LINKS)
        return {"family": self.name, "parameter": self.parameter, "link": link, "link_parameter": self.link.parameter}

    def __repr__(self) -> str:
        more = f", {self.parameter:g}" if self.parameter else ""
        return f"{type(self).__name__}({self.link!r}{more})"

    def __str__(self) -> str:
        return f"{self.name} ({self.link.name})"


def _xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is, also where y is 0 / 0 because a mean rounds to what was observed."""
    from scipy.special import xlogy

    with np.errstate(divide="ignore", invalid="ignore"):
        return xlogy(x, np.where(np.asarray(x) == 0, 1.0, y))


def _log_wright_bessel(a: float, x: np.ndarray) -> np.ndarray:
    """Logarithm of Wright's Bessel function Phi(a, 0; x)."""
    from scipy import special

    if hasattr(special, "log_wright_bessel"):  # from scipy 1.14 on
        return special.log_wright_bessel(a, 0, x)
    return np.log(special.wright_bessel(a, 0, x))


@arguments(link=LINK)
class Gaussian(Family):
    """Normal distribution.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=0, family=ns.families.Gaussian())
    >>> fit.family, round(fit.scale)  # of constant variance
    (Gaussian('identity'), 2146)
    """

    name, code, default, means = "gaussian", codes.GAUSSIAN, "identity", (-math.inf, math.inf)

    def variance(self, mu: Any) -> Any:
        return np.ones_like(mu, dtype=float)

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        return np.square(y - mu)

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        return -0.5 * (weights * np.square(y - mu) / scale + np.log(scale / weights) + _LOG_2PI)


@arguments(link=LINK)
class Binomial(Family):
    """Proportions of successes; `weights` are numbers of trials (1: a 0/1 response).

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.infert()
    >>> fit = ns.neuralnet("case ~ spontaneous", data, hidden=0, family=ns.families.Binomial("probit"))
    >>> fit.params.round(3).to_dict()
    {'Intercept.to.case': -0.837, 'spontaneous.to.case': 0.649}
    """

    name, code, default, dispersed = "binomial", codes.BINOMIAL, "logit", False
    needs, means = "unit", (0.0, 1.0)
    links = ("logit", "probit", "cauchy", "log", "logc", "cloglog", "loglog", "identity")

    def variance(self, mu: Any) -> Any:
        return mu * (1 - mu)

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * (_xlogy(y, y / mu) + _xlogy(1 - y, (1 - y) / (1 - mu)))

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        from scipy.special import gammaln, xlog1py

        y = np.asarray(y, dtype=float)
        ways = gammaln(weights + 1.0) - gammaln(weights * y + 1) - gammaln(weights * (1 - y) + 1)
        with np.errstate(divide="ignore"):
            return ways + weights * (_xlogy(y, mu) + xlog1py(1 - y, -np.asarray(mu, dtype=float)))


class Multinomial(Family):
    """One of K classes; y and mu are (K, n): indicators, proportions or counts, and probabilities (softmax).

    Examples
    --------
    >>> import neuralstat as ns
    >>> data, family = ns.datasets.iris(), ns.families.Multinomial()
    >>> settings = {"hidden": 0, "family": family, "penalty": ns.decay(0.1)}
    >>> fit = ns.neuralnet("Species ~ `Petal.Length`", data, **settings)
    >>> fit.predict({"Petal.Length": [1.5, 4.8]}).round(2)
       setosa  versicolor  virginica
    0    0.99        0.01       0.00
    1    0.00        0.58       0.42
    """

    name, code, default, links, dispersed = "multinomial", -1, "logit", ("logit",), False
    needs, means = "nonnegative", (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.link.name != "logit":
            raise ArgumentError(f"link must be 'logit' (softmax) for the multinomial family; got {self.link!r}.")

    def variance(self, mu: Any) -> Any:
        return mu * (1 - mu)

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        """Of each class and observation; they add up to an observation's deviance."""
        total = np.sum(y, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * _xlogy(y, np.asarray(y) / (total * mu))

    def pearson(self, y: Any, mu: Any, weights: Any = 1.0) -> Any:
        """Of each class and observation, (y - expected) sqrt(weight / expected)."""
        expected = np.sum(y, axis=0) * mu
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y == expected, 0.0, (y - expected) * np.sqrt(weights / expected))

    def resid_dev(self, y: Any, mu: Any, weights: Any = 1.0) -> Any:
        """Of each class and observation, as of a Poisson model of the counts: their squares give the deviance."""
        expected = np.sum(y, axis=0) * mu
        return np.sign(y - expected) * np.sqrt(np.maximum(2 * (_xlogy(y, y / expected) - y + expected), 0) * weights)

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        """Of each observation, shape (n,)."""
        from scipy.special import gammaln

        ways = gammaln(np.sum(y, axis=0) + 1) - np.sum(gammaln(np.asarray(y) + 1.0), axis=0)
        return weights * (ways + np.sum(_xlogy(y, mu), axis=0))


@arguments(link=LINK)
class Poisson(Family):
    """Counts.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("parity ~ age", ns.datasets.infert(), hidden=0, family=ns.families.Poisson())
    >>> fit.family, fit.params.round(3).to_dict()
    (Poisson('log'), {'Intercept.to.parity': 0.442, 'age.to.parity': 0.009})
    """

    name, code, default, needs, dispersed = "poisson", codes.POISSON, "log", "nonnegative", False
    links = ("log", "identity", "sqrt")

    def variance(self, mu: Any) -> Any:
        return np.asarray(mu, dtype=float)

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        y = np.asarray(y, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * (_xlogy(y, y / mu) - (y - mu))

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        from scipy.special import gammaln

        return weights / scale * (_xlogy(y, mu) - mu - gammaln(np.asarray(y) + 1.0))


@arguments(link=LINK)
class Gamma(Family):
    """Positive response with constant coefficient of variation.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> fit = ns.neuralnet("times ~ accel", data, hidden=0, family=ns.families.Gamma("log"))
    >>> round(fit.scale, 3)  # the squared coefficient of variation
    0.226
    """

    name, code, default, needs = "gamma", codes.GAMMA, "inverse_power", "positive"
    links = ("inverse_power", "log", "identity")

    def variance(self, mu: Any) -> Any:
        return np.square(mu)

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        y = np.asarray(y, dtype=float)
        return 2 * ((y - mu) / mu - np.log(y / mu))

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        from scipy.special import gammaln

        shape = weights / scale
        ratio = np.asarray(y, dtype=float) / mu
        return shape * np.log(shape * ratio) - shape * ratio - gammaln(shape) - np.log(y)


@arguments(link=LINK)
class InverseGaussian(Family):
    """Positive response, V(mu) = mu^3.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.InverseGaussian("log")
    >>> float(family.variance(2.0))
    8.0
    """

    name, code, default, needs = "inverse_gaussian", codes.INVERSE_GAUSSIAN, "inverse_squared", "positive"
    links = ("inverse_squared", "inverse_power", "identity", "log")

    def variance(self, mu: Any) -> Any:
        return np.asarray(mu, dtype=float) ** 3

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        return np.square(y - mu) / (y * np.square(mu))

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        y = np.asarray(y, dtype=float)
        return -0.5 * (weights * np.square(y - mu) / (scale * y * np.square(mu))
                       + np.log(scale * y**3 / weights) + _LOG_2PI)  # fmt: skip


@arguments(alpha=ALPHA, link=LINK)
class NegativeBinomial(Family):
    """Overdispersed counts, V(mu) = mu + alpha mu^2; alpha is known.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.NegativeBinomial(alpha=0.5)
    >>> float(family.variance(4.0))  # mu + alpha mu^2
    12.0
    """

    name, code, default, needs = "negative_binomial", codes.NEGATIVE_BINOMIAL, "log", "nonnegative"
    dispersed = False
    links = ("log", "cloglog", "identity", "nbinom", "power")

    def __init__(self, alpha: float = 1.0, link: Any = None) -> None:
        super().__init__(link, alpha)

    @property
    def canonical(self) -> bool:
        """Whether the link is "nbinom" with the family's alpha (the default, log, is not canonical)."""
        return self.link == resolve_link("nbinom", self.parameter)

    def variance(self, mu: Any) -> Any:
        return mu + self.parameter * np.square(mu)

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        y, a = np.asarray(y, dtype=float), self.parameter
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * (_xlogy(y, y / mu) - (y + 1 / a) * np.log((1 + a * y) / (1 + a * np.asarray(mu))))

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        from scipy.special import gammaln

        a = self.parameter
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        value = _xlogy(y, a * mu) - (y + 1 / a) * np.log1p(a * mu)
        return weights / scale * (value + gammaln(y + 1 / a) - gammaln(1 / a) - gammaln(y + 1))

    def __repr__(self) -> str:
        return f"NegativeBinomial(alpha={self.parameter:g}, link={self.link!r})"


@arguments(var_power=Number(0.0, 100.0), link=LINK)
class Tweedie(Family):
    """V(mu) = mu^p; for 1 < p < 2 a compound Poisson response, >= 0 with an atom at 0.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Tweedie(var_power=1.5)
    >>> float(family.variance(4.0))  # mu^1.5
    8.0
    """

    name, default = "tweedie", "log"
    links = ("log", "power")

    def __init__(self, var_power: float = 1.5, link: Any = None) -> None:
        if 0 < var_power < 1:
            raise ArgumentError(f"family: var_power of the Tweedie family must be 0 or at least 1, got {var_power:g}.")
        super().__init__(link, var_power)

    @property
    def code(self) -> int:  # type: ignore[override]
        """That of the Gaussian, Poisson and gamma families where var_power is 0, 1 and 2."""
        return {0.0: codes.GAUSSIAN, 1.0: codes.POISSON, 2.0: codes.GAMMA}.get(self.parameter, codes.TWEEDIE)

    @property
    def needs(self) -> str | None:  # type: ignore[override]
        """Greater than 0 from var_power 2 on, not negative from 1 on."""
        return None if self.parameter == 0 else "nonnegative" if self.parameter < 2 else "positive"

    @property
    def means(self) -> tuple[float, float]:  # type: ignore[override]
        """Greater than 0 but for var_power 0."""
        return (-math.inf if self.parameter == 0 else 0.0), math.inf

    @property
    def canonical(self) -> bool:
        """Whether eta = mu^(1 - p)."""
        p = self.parameter
        return self.link.name == "log" if p == 1 else self.link == resolve_link(
            LINKS["identity"] if p == 0 else LINKS["power"](1 - p))  # fmt: skip

    def variance(self, mu: Any) -> Any:
        return np.asarray(mu, dtype=float) ** self.parameter

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        y, mu, p = np.asarray(y, dtype=float), np.asarray(mu, dtype=float), self.parameter
        if p == 1:
            return 2 * (_xlogy(y, y / mu) - (y - mu))
        if p == 2:
            return 2 * ((y - mu) / mu - np.log(y / mu))
        return 2 * (y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p))

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        """For 1 <= p <= 2 (Dunn & Smyth 2005 by Wright's Bessel function), p = 0 and p = 3; NaN for other p."""
        p = self.parameter
        same = {0.0: Gaussian, 1.0: Poisson, 2.0: Gamma, 3.0: InverseGaussian}
        if p in same:
            return same[p]().loglike_obs(y, mu, weights, scale)
        y, mu = np.broadcast_arrays(np.asarray(y, dtype=float), np.asarray(mu, dtype=float))
        if p > 2:
            return np.full(y.shape, np.nan)
        phi = np.broadcast_to(scale / np.asarray(weights, dtype=float), y.shape)
        value = (y * mu ** (1 - p) / (1 - p) - mu ** (2 - p) / (2 - p)) / phi
        some = y > 0
        a = (2 - p) / (1 - p)
        x = ((p - 1) * phi[some] / y[some]) ** a / ((2 - p) * phi[some])
        value[some] += _log_wright_bessel(-a, x) - np.log(y[some])
        return value

    def __repr__(self) -> str:
        return f"Tweedie(var_power={self.parameter:g}, link={self.link!r})"


def deviance_of_means(family: Family, y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Unit deviances (..., K, n) of means that were averaged, or come from other rows: probabilities inside (0, 1)."""
    if family.kin in ("binomial", "multinomial"):
        mu = np.clip(mu, CLIP, 1 - CLIP)
    return np.asarray(family.unit_deviance(y, mu))
