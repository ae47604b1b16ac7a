"""Exponential families with their links.

>>> import neuralstat as ns
>>> ns.families.Binomial("probit")
Binomial('probit')
>>> ns.families.NegativeBinomial(alpha=0.5)
NegativeBinomial(alpha=0.5, link='log')
"""

from __future__ import annotations

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
from .resolve import FAMILIES, family_from_json, needs, resolve_family, resolve_objective

__all__ = [
    "FAMILIES", "Binomial", "Family", "Gamma", "Gaussian", "InverseGaussian", "Link", "Multinomial",
    "NegativeBinomial", "Poisson", "Tweedie", "family_from_json", "nbinom", "needs", "power", "resolve_family",
    "resolve_link", "resolve_objective",
]  # fmt: skip
