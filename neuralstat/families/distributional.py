"""Distributions with several parameters, each of them an output of the network.

An output is the linear predictor of its parameter, through the parameter's own link. Parameters that do not depend on
covariates are outputs whose weights are held out of the fit but for their biases. What is minimised is minus the
log-likelihood (`functions.distributions`), so there is no dispersion beside the parameters, and case weights multiply a row's
log-likelihood, as in mgcv and gamlss.

Shapes: eta and parameters (K, ..., n), y (..., n); means (1, ..., n), or one row per class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import arguments
from ..errors import ArgumentError
from ..functions.distributions import COUPLED, WIDTH
from .beginning import Beginning, answered
from .family import LINK, Family
from .links import resolve_link

STEP = 2.0**-12  # of differences, relative


@arguments(link=LINK)
@dataclass(frozen=True, repr=False)
class Distributional(Family):
    """What distributions with several parameters have in common.

    Attributes
    ----------
    kind : int
        What kernels are told.
    first : str
        The first parameter, whose link is `link`.
    others : dict of str to str
        Further parameters and their links.
    located : bool
        Location and scale (of link log): the response may be centred and scaled inside the model.
    discrete : bool
        Counts or classes.
    alike : bool
        Whether one formula is for all parameters but the first.
    leading : int
        The first parameters, which are the network's outputs in any case.
    joint : bool
        Several responses together.
    floating : bool
        The first parameter's linear predictor has no constant.
    degree : int
        Of derivatives of the log-density, where they are polynomials in a standard normal variable of which the response is a
        quantile; else 0.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Beta()
    >>> isinstance(family, ns.families.Distributional), family.first, family.others
    (True, 'mu', {'phi': 'log'})
    """

    kind: ClassVar[int]
    first: ClassVar[str] = "mu"
    others: ClassVar[dict[str, str]] = {"sigma": "log"}
    located: ClassVar[bool] = False
    discrete: ClassVar[bool] = False
    alike: ClassVar[bool] = False
    leading: ClassVar[int] = 1
    joint: ClassVar[bool] = False
    floating: ClassVar[bool] = False
    degree: ClassVar[int] = 0
    dispersed = False

    def __post_init__(self) -> None:
        if not hasattr(type(self), "kind"):
            raise ArgumentError("Distributional is what distributions have in common: use one of them, as Beta().")
        link = resolve_link(self.default if self.link is None else self.link)
        if link.name not in self.links:
            known = ", ".join(map(repr, self.links))
            raise ArgumentError(f"link must be one of {known} for the family {self.name}; got {link.name!r}.")
        object.__setattr__(self, "link", link)

    @property
    def code(self) -> int:  # type: ignore[override]
        """Distribution and link of the first parameter."""
        return self.kind + WIDTH * self.link.code

    @property
    def coupled(self) -> bool:
        """Whether the loss is no sum over observations: kernels then see all of them in one block."""
        return self.kind in COUPLED

    @property
    def canonical(self) -> bool:
        """False: observed and expected information differ."""
        return False

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the parameters, K of them."""
        return (self.first, *self.others)

    @property
    def role_links(self) -> tuple[Any, ...]:
        """Links of the parameters."""
        return (self.link, *(resolve_link(name) for name in self.others.values()))

    @property
    def held(self) -> dict[str, float]:
        """Linear predictors of parameters that are not estimated."""
        return {}

    @property
    def usual(self) -> Any:
        """What a parameter but the first depends on unless told: "~ 1" nothing, True what the network sees."""
        return "~ 1"

    def of_response(self, y: np.ndarray, w: np.ndarray | None = None) -> Distributional:
        """The family with what a response (L, n) says: numbers of levels, of responses, cuts."""
        return self

    def targets(self, y: np.ndarray) -> np.ndarray:
        """(L', n) what kernels are told of a response (L, n)."""
        return y

    def natural(self, eta: np.ndarray) -> np.ndarray:
        """Parameters (K, ...) of linear predictors (K, ...)."""
        return np.stack([link.inverse(part) for link, part in zip(self.role_links, eta, strict=True)])

    def units(self, y_mean: float, y_sd: float) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift (K,) that bring linear predictors to the units of the response."""
        scale, shift = np.ones(len(self.roles)), np.zeros(len(self.roles))
        if self.located:
            scale[0], shift[0], shift[1] = y_sd, y_mean, math.log(y_sd)
        return scale, shift

    def joint_units(self, y_mean: np.ndarray, y_sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`units` for centres and scales (L,) of the responses."""
        return self.units(float(y_mean[0]), float(y_sd[0]))

    def response(self, eta: np.ndarray) -> np.ndarray:
        """Means (1, ...) of linear predictors (K, ...)."""
        return self.mean(self.natural(eta))[np.newaxis]

    def response_slopes(self, eta: np.ndarray) -> np.ndarray:
        """d mean / d eta, (rows of means, K, n), by central differences with one extrapolation."""
        out = []
        for k in range(len(eta)):
            size = STEP * np.maximum(1.0, np.abs(eta[k]))
            near, far = (self._difference(eta, k, s) for s in (size, 2 * size))
            out.append((4 * near - far) / 3)
        return np.stack(out, axis=1)

    def _difference(self, eta: np.ndarray, k: int, size: np.ndarray) -> np.ndarray:
        up, down = eta.copy(), eta.copy()
        up[k] += size
        down[k] -= size
        return (self.response(up) - self.response(down)) / (up[k] - down[k])

    def mean(self, par: np.ndarray) -> np.ndarray:
        """Mean of the response."""
        return par[0]

    def variance(self, par: Any) -> Any:
        """Variance of the response (of parameters, not of means)."""
        raise NotImplementedError

    def cdf(self, par: np.ndarray, y: Any) -> np.ndarray:
        """Distribution function."""
        with np.errstate(all="ignore"):
            return self.frozen(par).cdf(y)

    def sf(self, par: np.ndarray, y: Any) -> np.ndarray:
        """1 - distribution function, without cancellation."""
        with np.errstate(all="ignore"):
            return self.frozen(par).sf(y)

    def ppf(self, par: np.ndarray, q: Any) -> np.ndarray:
        """Quantile function."""
        with np.errstate(all="ignore"):
            return self.frozen(par).ppf(q)

    def logpdf(self, par: np.ndarray, y: Any) -> np.ndarray:
        """Log-density, or log-probability of counts."""
        frozen = self.frozen(par)
        return frozen.logpmf(y) if self.discrete else frozen.logpdf(y)

    def frozen(self, par: np.ndarray) -> Any:
        """The distribution as scipy knows it."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, par: np.ndarray) -> np.ndarray:
        """One response (...) for each set of parameters (K, ...)."""
        return self.frozen(par).rvs(size=par.shape[1:], random_state=rng)

    def start(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(K,) linear predictors near those of the distribution of y (L, n) without covariates, by moments."""
        return answered(self.beginning(), lambda function, *arguments: function(y, w, *arguments))

    def beginning(self) -> Beginning:
        """`start` by sums over rows; families that need more than sums have their own `start`."""
        raise NotImplementedError

    def check(self, y: np.ndarray, label: str) -> None:
        """Raise DataError where the response (L, n) is none of this distribution."""

    # what exponential families have and these have not

    def unit_deviance(self, y: Any, mu: Any) -> Any:
        raise self._lacks("unit deviances")

    def resid_dev(self, y: Any, mu: Any, weights: Any = 1.0) -> Any:
        raise self._lacks("deviance residuals; take resid_quantile")

    def pearson(self, y: Any, mu: Any, weights: Any = 1.0) -> Any:
        raise self._lacks("variance function of the mean alone")

    def deviance(self, y: Any, mu: Any, weights: Any = 1.0) -> float:
        raise self._lacks("deviance of means alone")

    def loglike_obs(self, y: Any, mu: Any, weights: Any = 1.0, scale: float = 1.0) -> Any:
        raise self._lacks("log-likelihood of means alone")

    def _lacks(self, what: str) -> ArgumentError:
        return ArgumentError(f"family {self.name!r} has several parameters, and no {what}.")

    def to_json(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {"family": self.name, "parameter": self.parameter, "link": self.link.name, "link_parameter": 0.0}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.link.name == self.default else repr(self.link)})"

    def __str__(self) -> str:
        links = (f"{role} {link.name}" for role, link in zip(self.roles, self.role_links, strict=True))
        return f"{self.name} ({', '.join(links)})"
