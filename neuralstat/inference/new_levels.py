"""New levels of random terms: predicted at the population's mean, with the variance between levels in intervals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..errors import DataWarning, caller
from ..fitted import Fitted
from ..formula import expressions, frames
from ..formula.structure import Special
from ..training.exact_terms import effects_of, random_terms
from ..training.structured import state_of


def prior_variance(fitted: Fitted, numbers: list[int], new: Any, x: np.ndarray, complete: np.ndarray) -> np.ndarray | None:
    """(K, m) variance of the linear predictor that effects of new levels add, original units; None where there are none.

    Parameters
    ----------
    fitted : Fitted
    numbers : list of int
        Repetitions, whose variances are averaged.
    new : table
    x : (D, m) array
        Its complete rows as inputs.
    complete : (M,) bool array
        Which rows of the table these are.
    """
    specials = random_terms(fitted.design)
    if not specials or new is None or fitted.fit.strengths is None or fitted.fit.dispersion is None:
        return None
    several, scaling = fitted.network.objective.several, fitted.design.scaling
    unit = np.ones(len(fitted.design.y)) if scaling is None else scaling.y_sd**2
    total, found = np.zeros((unit.size, x.shape[1])), False
    for special in specials:
        count = len(state_of(fitted.design, special.exprs[0])["names"])
        level, z = effects_of(fitted.design, special, x)
        fresh = level == count
        if not fresh.any():
            continue
        if several:
            warnings.warn(f"{special.label}: intervals of new observations of new levels lack the variance between levels in "
                          "families of several parameters.", DataWarning, stacklevel=caller())  # fmt: skip
            return None
        found = True
        if special.kind == "slopes":
            known = _at_a_known_level(fitted, special, new)
            z = effects_of(fitted.design, special, fitted.design.encode(known).x[:, complete])[1]
        for r, row in enumerate(z):
            for k, own in _variances(fitted, numbers, special, r).items():
                total[k] += np.where(fresh, row**2 * own * unit[k], 0.0)
    return total if found else None


def _variances(fitted: Fitted, numbers: list[int], special: Special, r: int) -> dict[int, float]:
    """Variance of effect r by output, internal units."""
    names = {g.name: j for j, g in enumerate(fitted.procedure.groups)}
    outputs = fitted.network.output_names
    out = {}
    for k, output in enumerate(outputs):
        for said in (special.label, f"{special.label}:{output}"):
            for name in (said, f"{said}.{r + 1}"):
                if name in names and k not in out:
                    share = [fitted.fit.dispersion[b] / fitted.fit.strengths[b, names[name]] for b in numbers]  # type: ignore[index]
                    out[k] = float(np.mean(share))
    return out


def _at_a_known_level(fitted: Fitted, special: Special, new: Any) -> Any:
    """The table with all rows at a level that is known, so that the covariates of its effects are found."""
    state = state_of(fitted.design, special.exprs[0])
    frame = frames.as_frame(new).copy(deep=False)
    pair = state["pairs"][0]
    columns = expressions.names(special.exprs[0].partition("]")[0].removeprefix("slopes(") + "]")
    for column, levels in reversed(list(zip(columns, state["levels"], strict=True))):
        frame[column] = [levels[pair % (len(levels) + 1)]] * len(frame)
        pair //= len(levels) + 1
    return frame
