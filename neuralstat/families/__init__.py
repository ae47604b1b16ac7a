"""Exponential families with their links.

>>> import neuralstat as ns
>>> ns.families.Binomial("probit")
Binomial('probit')
>>> ns.families.NegativeBinomial(alpha=0.5)
NegativeBinomial(alpha=0.5, link='log')
"""

from __future__ import annotations

from .continuous import Beta, GammaScale, GaussianScale, InverseGaussianScale, LogNormal, Student
from .counts import (
    HurdleNegativeBinomial,
    HurdlePoisson,
    NegativeBinomialScale,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from .distributional import Distributional
from .family import (
    Binomial,
    Family,
    Gamma,
    Gaussian,
    InverseGaussian,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Tweedie,
)
from .links import Link, nbinom, power, resolve_link
from .ordered import Ordinal
from .quantiles import Expectile, Quantile
from .resolve import DISTRIBUTIONS, FAMILIES, family_from_json, needs, resolve_family, resolve_objective

__all__ = [
    "DISTRIBUTIONS", "FAMILIES", "Beta", "Binomial", "Distributional", "Expectile", "Family", "Gamma", "GammaScale",
    "Gaussian", "GaussianScale", "HurdleNegativeBinomial", "HurdlePoisson", "InverseGaussian", "InverseGaussianScale", "Link",
    "LogNormal", "Multinomial", "NegativeBinomial", "NegativeBinomialScale", "Ordinal", "Poisson", "Quantile", "Student",
    "Tweedie", "ZeroInflatedNegativeBinomial", "ZeroInflatedPoisson", "family_from_json", "nbinom", "needs", "power",
    "resolve_family", "resolve_link", "resolve_objective",
]  # fmt: skip
