"""Families that say a mean and a variance, and nothing else: the dispersion is estimated, and there is no likelihood.

Estimates are those of the family with dispersion 1, and standard errors, tests and intervals count the dispersion, Pearson's
chi2 over the residual degrees of freedom (Wedderburn 1974, Biometrika 61:439; McCullagh & Nelder 1989, chapter 9): R's
``glm(family = quasipoisson)``, statsmodels' ``GLM.fit(scale="X2")``.
"""

from __future__ import annotations

from ..checks.arguments import arguments
from ..errors import ArgumentError
from .family import LINK, Binomial, Family, NegativeBinomial, Poisson
from .links import ALPHA


@arguments(link=LINK)
class QuasiPoisson(Poisson):
    """Responses >= 0 of variance phi mu, phi estimated.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.families.QuasiPoisson().link
    'log'
    """

    name, quasi_of, dispersed = "quasipoisson", "poisson", True


@arguments(link=LINK)
class QuasiBinomial(Binomial):
    """Proportions of variance phi mu (1 - mu) / weight, phi estimated; `weights` are numbers of trials.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.families.QuasiBinomial().link
    'logit'
    """

    name, quasi_of, dispersed = "quasibinomial", "binomial", True


@arguments(alpha=ALPHA, link=LINK)
class QuasiNegativeBinomial(NegativeBinomial):
    """Responses >= 0 of variance phi (mu + alpha mu^2), alpha known, phi estimated.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.families.QuasiNegativeBinomial().link
    'log'
    """

    name, quasi_of, dispersed = "quasi_negative_binomial", "negative_binomial", True

    def __repr__(self) -> str:
        return f"Quasi{super().__repr__()}"


def with_dispersion(family: Family) -> Family:
    """The family with its dispersion estimated; itself where it is in any case.

    Raises
    ------
    ArgumentError
        Where a dispersion has no meaning: distributions with several parameters, and classes.
    """
    if family.dispersed:
        return family
    if isinstance(family, NegativeBinomial):
        return QuasiNegativeBinomial(family.parameter, family.link)
    if isinstance(family, Poisson):
        return QuasiPoisson(family.link)
    if isinstance(family, Binomial):
        return QuasiBinomial(family.link)
    more = "; give ns.families.NegativeBinomial(alpha)" if family.name == "negative_binomial_scale" else ""
    raise ArgumentError(f"scale='X2': the family {family.name!r} has no dispersion beside its parameters{more}.")
