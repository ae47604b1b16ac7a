"""Penalised generalised linear models with random effects, their strengths estimated by restricted or marginal likelihood."""

from __future__ import annotations

from .fit import fit
from .problem import Penalised, Problem, Random
from .solution import Solution

__all__ = ["Penalised", "Problem", "Random", "Solution", "fit"]
