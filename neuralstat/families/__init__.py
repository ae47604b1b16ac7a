"""Exponential families with their links.

>>> import neuralstat as ns
>>> ns.families.Binomial("probit")
Binomial('probit')
>>> ns.families.NegativeBinomial(alpha=0.5)
NegativeBinomial(alpha=0.5, link='log')
"""

from __future__ import annotations

from .amounts import TweedieScale
from .continuous import Beta, GammaScale, GaussianScale, InverseGaussianScale, LogNormal, Student
from .counts import (
    HurdleNegativeBinomial,
    HurdlePoisson,
    NegativeBinomialScale,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from .cox import Cox
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
from .hazards import PiecewiseExponential
from .links import Link, nbinom, power, resolve_link
from .mixtures import Mixture
from .multinormal import MultivariateNormal
from .ordered import Ordinal
from .own import Distribution
from .quantiles import Expectile, Quantile
from .quasi import QuasiBinomial, QuasiNegativeBinomial, QuasiPoisson
from .resolve import DISTRIBUTIONS, FAMILIES, family_from_json, needs, resolve_family, resolve_objective
from .robust import Huber, Laplace
from .survival import LogLogistic, LogNormalAFT, Survival, Weibull

__all__ = [
    "DISTRIBUTIONS", "FAMILIES", "Beta", "Binomial", "Cox", "Distribution", "Distributional", "Expectile", "Family",
    "Gamma", "GammaScale", "Gaussian", "GaussianScale", "Huber", "HurdleNegativeBinomial", "HurdlePoisson",
    "InverseGaussian", "InverseGaussianScale", "Laplace", "Link", "LogLogistic", "LogNormal", "LogNormalAFT", "Mixture",
    "Multinomial", "MultivariateNormal", "NegativeBinomial", "NegativeBinomialScale", "Ordinal", "PiecewiseExponential",
    "Poisson", "Quantile", "QuasiBinomial", "QuasiNegativeBinomial", "QuasiPoisson", "Student", "Survival", "Tweedie",
    "TweedieScale", "Weibull", "ZeroInflatedNegativeBinomial", "ZeroInflatedPoisson", "family_from_json", "nbinom",
    "needs", "power", "resolve_family", "resolve_link", "resolve_objective",
]  # fmt: skip
