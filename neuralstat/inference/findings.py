"""Findings about a fit, and what several of them look at: shares of the null error, columns, words.

A finding is made by a function ``(fitted) -> iterable of Finding``; `diagnose.CHECKS` is the list of all. Shares of the null
error come from the errors that training ended with, so that looking at them costs no pass through the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine import cpu
from ..errors import DataError
from ..families.null import null_means
from ..fitted import Fitted, kept
from ..likelihood import several
from ..network import derivatives
from ..training.exact import ALGORITHM as EXACTLY

SEVERITIES = ("error", "warning", "note")
WORSE = 0.05  # share of the null error by which a fit must exceed it to count as worse than constants
LISTED = 6  # names that a sentence lists
FAR = 5.0  # mean absolute value beyond which a column counts as not scaled
PART = 2**20  # rows at a time
LOOKED = 10_000  # rows that this is judged by


@dataclass(frozen=True)
class Finding:
    """Something about a fit that its user must know.

    Attributes
    ----------
    severity : {"error", "warning", "note"}
        The fit is not what was asked for; something in it may not be trusted; good to know.
    finding : str
        One of `diagnose.FINDINGS`.
    where : str
        Units, columns, repetitions, and the figures behind it.
    remedy : str
        What to do.
    undecided : bool
        Whether it may be an error, and what decides takes long: it is said when the fit is made.
    """

    severity: str
    finding: str
    where: str
    remedy: str
    undecided: bool = False


def listed(names: Any, most: int = LISTED) -> str:
    """``"a, b, c"``; of more than `most` names the first, and how many more there are."""
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def repetitions(fitted: Fitted, numbers: Any) -> str:
    """``"repetition 2"``, ``"repetitions 1, 4"`` of numbers from 0; nothing where there is one."""
    numbers = [int(b) + 1 for b in numbers]
    if fitted.nrep == 1 or not numbers:
        return ""
    return f"repetition{'s' if len(numbers) > 1 else ''} {listed(numbers)}"


def joined(*parts: str) -> str:
    """The parts that are not empty, with colons between."""
    return ": ".join(part for part in parts if part)


def exactly(fitted: Fitted) -> bool:
    """Whether the fit went straight to the one optimum that there is."""
    return fitted.fit.algorithm == EXACTLY


def untrained(fitted: Fitted) -> bool:
    """Whether start weights were asked for as a fit."""
    return fitted.settings.minibatch and fitted.settings.epochs == 0


def large_columns(fitted: Fitted) -> list[str]:
    """Tabular covariates that lie far from 0 or spread wide in the units that the network sees; and such responses."""
    x, names = tabular(fitted)
    some = slice(None, None, max(1, fitted.n_rows // LOOKED))
    far = np.abs(x[:, some]).mean(axis=1) > FAR if x.size else np.zeros(0, bool)
    found = [name for name, f in zip(names, far, strict=True) if f]
    family = fitted.family
    if family is not None and family.name == "gaussian" and np.any(np.abs(fitted.design.y[:, some]).mean(axis=1) > 2 * FAR):
        found.append(fitted.design.response)
    return found


def tabular(fitted: Fitted) -> tuple[np.ndarray, tuple[str, ...]]:
    """Covariates (D', n) that are no elements of arrays, in internal units, and their names."""
    design = fitted.design
    first = sum(tensor.size for tensor in design.spec.tensors)
    return design.x[first:], tuple(design.x_names[first:])


# shares of the null error ----------------------------------------------------------------------------------


@kept
def explained(fitted: Fitted) -> np.ndarray:
    """(B,) share of the error of constants alone that each repetition takes away; NaN where it is not known.

    Of deviances where there is a family (of squares: R^2), else of the error. Negative where constants do better.
    """
    if fitted.network.objective.several:
        return several.explained(fitted)
    null = null_error(fitted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - _errors(fitted) / null if null > 0 else np.full(fitted.nrep, np.nan)


def _errors(fitted: Fitted) -> np.ndarray:
    """(B,) errors at the end without their penalties, internal units."""
    objective, design = fitted.network.objective, fitted.design
    if objective.name == "ce_r":  # R's shortcut is no likelihood
        means = (objective.response(raw) for raw in fitted.fitted_raw(range(fitted.nrep)))
        return np.array([fitted.likely.deviance(design.y, mu, fitted.case_weights) / 2 for mu in means])
    loss = fitted.fit.loss.astype(float)
    if not fitted.penalised:
        return loss
    return loss - np.array([_penalty(fitted, b) for b in range(fitted.nrep)])


def _penalty(fitted: Fitted, b: int) -> float:
    """The penalty of repetition b, of which weights that follow the batches have none."""
    held, still = fitted.penalty_of(b), ~fitted.network.is_moving
    return 0.0 if held is None else derivatives.penalty_value(held[still], fitted.fit.theta[b].astype(float)[still])


@kept
def null_error(fitted: Fitted) -> float:
    """Error of the model that has constants (and the offset) only, internal units; NaN where it is not known."""
    family, design, w = fitted.family, fitted.design, fitted.case_weights
    if family is None:
        return _constant_error(fitted)
    try:
        if design.offset is None:  # the same means at all rows
            means = null_means(family, design.y, w, None)[:, :1]
            parts = range(0, fitted.n_rows, PART)
            return sum(family.deviance(design.y[:, a : a + PART], means, w[a : a + PART]) for a in parts) / 2
        return family.deviance(design.y, null_means(family, design.y, w, design.offset), w) / 2
    except DataError:  # an offset that the link cannot take
        return np.nan


def _constant_error(fitted: Fitted) -> float:
    """Least error of a user's function at the mean and at the median of the responses (linear outputs)."""
    network, design = fitted.network, fitted.design
    if network.objective.output.name != "identity" or not network.dense:
        return np.nan
    errors = []
    for centre in (design.y.mean(axis=1), np.median(design.y, axis=1)):
        theta = np.zeros(network.n_params)
        theta[output_biases(fitted)] = centre
        errors.append(derivatives.error(network, fitted.data, theta))
    return min(errors)


def output_biases(fitted: Fitted) -> np.ndarray:
    """(K,) places of the outputs' constants in the flat vector."""
    per_unit, units = fitted.network.shapes[-1]
    return fitted.network.n_params - per_unit * units + per_unit * np.arange(units)


def has_constants(fitted: Fitted) -> bool:
    """Whether every output has a constant that was trained, so that constants alone are a smaller model."""
    return bool(fitted.fit.free[0][output_biases(fitted)].all())


def infinite(fitted: Fitted) -> np.ndarray:
    """(B,) bool: weights, error or gradient are not finite."""
    fit = fitted.fit
    return ~np.isfinite(fit.theta).all(axis=1) | ~np.isfinite(fit.loss) | (fit.status == cpu.NONFINITE)


def lost(fitted: Fitted) -> np.ndarray:
    """(B,) bool: `infinite`, or worse than constants."""
    if exactly(fitted) and has_constants(fitted) and not fitted.penalised:
        return infinite(fitted)  # no need to look: constants are among what was minimised over
    with np.errstate(invalid="ignore"):
        return infinite(fitted) | (explained(fitted) < -WORSE)
