"""Settings of structured formulas: layers that are named there, what has another default."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DataWarning, caller
from ..formula.structure import is_structured
from .settings import DefaultName, Settings
from .structured import aliased

if TYPE_CHECKING:
    from ..formula import Design


def settled(settings: Settings, design: Design, context: Mapping[str, Any] | None) -> Settings:
    """Settings of a structured formula: layers that are named in it found, no hidden units where there is no network.

    Raises
    ------
    ArgumentError
        Where a setting has no meaning for such a formula.
    """
    specials = design.spec.specials
    if not specials:
        if settings.towers is not None:
            raise ArgumentError("towers: the formula has no term nn(..., layers=name).")
        return settings
    if settings.compat is not None:
        raise ArgumentError("compat='R' has no structured formulas: R's neuralnet knows one network of all covariates.")
    changed: dict[str, Any] = {}
    wanted = [s.options["layers"] for s in specials if s.options.get("layers") is not None]
    towers = dict(settings.towers or {})
    for name in wanted:
        if name not in towers and context is not None and name in context:
            towers[name] = context[name]
    if unused := [name for name in towers if name not in wanted]:
        raise ArgumentError(f"towers: the formula has no term nn(..., layers={unused[0]}).")
    if towers != dict(settings.towers or {}):
        changed["towers"] = towers
    if is_structured(specials):
        of_terms = [s for s in specials if s.kind in ("smooth", "random", "slopes")]
        if of_terms and settings.minibatch:
            raise ArgumentError(f"algorithm: the strength of {of_terms[0].label} is estimated by Hessians of all rows, "
                                "and not by epochs: leave epochs and the algorithm out, or the term.")  # fmt: skip
        if settings.layers is not None:
            raise ArgumentError("layers= is for one network of all covariates; here give nn(..., layers=name) and "
                                "towers={name: [...]}.")  # fmt: skip
        if not any(s.kind == "network" for s in specials):
            changed["hidden"] = ()
            if settings.penalty is not None:
                raise ArgumentError("penalty is for the networks of a structured formula, of which it has none; smooth and "
                                    "random terms have penalties of their own, whose strengths are estimated.")  # fmt: skip
            asked = settings.dispformula.values() if isinstance(settings.dispformula, Mapping) else [settings.dispformula]
            if any(one is True for one in asked):
                raise ArgumentError("dispformula: True is an output of a network, of which the formula has none; give '~ 1'.")
        elif isinstance(settings.algorithm, DefaultName):  # unbounded terms beside networks need steps that can be taken back
            changed["algorithm"] = "auto"
    return replace(settings, **changed) if changed else settings


def warn_aliased(design: Design) -> None:
    """Warn where a column says what columns before it say, and is left out.

    Warns
    -----
    DataWarning
    """
    names = [design.x_names[row] for row in aliased(design)] if design.spec.specials else []
    if names:
        warnings.warn(
            f"formula: {', '.join(names)}: left out, a linear combination of the constant and of terms before it.",
            DataWarning, stacklevel=caller(),
        )  # fmt: skip
