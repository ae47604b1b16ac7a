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
from .mixtures import Mixture
from .ordered import Ordinal
from .own import Distribution
from .quantiles import Expectile, Quantile
from .quasi import QuasiBinomial, QuasiNegativeBinomial, QuasiPoisson
from .resolve import DISTRIBUTIONS, FAMILIES, family_from_json, needs, resolve_family, resolve_objective
from .survival import LogLogistic, LogNormalAFT, Survival, Weibull

__all__ = [
    "DISTRIBUTIONS", "FAMILIES", "Beta", "Binomial", "Distribution", "Distributional", "Expectile", "Family", "Gamma",
    "GammaScale", "Gaussian", "GaussianScale", "HurdleNegativeBinomial", "HurdlePoisson", "InverseGaussian",
    "InverseGaussianScale", "Link", "LogLogistic", "LogNormal", "LogNormalAFT", "Mixture", "Multinomial",
    "NegativeBinomial", "NegativeBinomialScale", "Ordinal", "Poisson", "Quantile", "QuasiBinomial",
    "QuasiNegativeBinomial", "QuasiPoisson", "Student", "Survival", "Tweedie",
    "Weibull", "ZeroInflatedNegativeBinomial", "ZeroInflatedPoisson", "family_from_json", "nbinom", "needs", "power",
    "resolve_family", "resolve_link", "resolve_objective",
]  # fmt: skip
