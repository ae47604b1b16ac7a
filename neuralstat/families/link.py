"""What a link is, and logarithms that its functions are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


def log_(values: Any) -> Any:
    """log, without warnings."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.asarray(values, dtype=float))


def log1mexp(x: Any) -> Any:
    """log(1 - exp(x)) for x <= 0, NaN beyond (Maechler 2012)."""
    x = np.asarray(x, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(x > -math.log(2.0), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


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

    Examples
    --------
    >>> import neuralstat as ns
    >>> link = ns.families.Binomial().link
    >>> link, round(float(link(0.75)), 3), float(link.inverse(0.0))
    ('logit', 1.099, 0.5)
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

    # logarithms, which neither round to an end of the range of means nor leave the range of numbers

    def log_inverse(self, eta: Any) -> Any:
        """log(mu); NaN where mu < 0."""
        return log_(self.inverse(eta))

    def log_complement(self, eta: Any) -> Any:
        """log(1 - mu) of links of probabilities; NaN where mu > 1."""
        return log_(1 - self.inverse(eta))

    def log_slope(self, eta: Any) -> Any:
        """log |d mu / d eta|."""
        return log_(np.abs(self.inverse_deriv(eta)))

    def log_rates(self, eta: Any) -> tuple[Any, Any]:
        """log |d log(mu) / d eta| and log |d log(1 - mu) / d eta| of links of probabilities."""
        slope = self.log_slope(eta)
        return slope - self.log_inverse(eta), slope - self.log_complement(eta)

    def __repr__(self) -> str:
        return repr(self.name)
