"""Models without networks as what they are: penalised generalised linear models with random effects, fitted exactly.

The fit is made again by `mixed`, with random effects in the units of their covariates, for what matrices of all weights
cannot give where levels are many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import mixed
from ..fitted import Fitted, kept
from ..formula.structure import Special
from ..network.scaling import output_units
from ..training import exact_terms
from ..training.strengths import MOST
from ..training.structured import direct_terms, rows_of, state_of, tower_rows

RANDOM = ("random", "slopes")


def output_block(fitted: Fitted) -> np.ndarray:
    """(K, 1 + inputs) positions of the output layer's weights, the constant first."""
    per_unit, units = fitted.network.shapes[-1]
    at = fitted.network.slices[-1]
    return np.arange(at.start, at.stop).reshape(units, per_unit)


def direct(fitted: Fitted, rows: Any, output: int) -> np.ndarray:
    """Positions of weights from inputs that go straight to an output."""
    network = fitted.network
    first = len(fitted.design.x) - network.direct if network.towers else 0
    return output_block(fitted)[output, 1 + np.asarray(rows, int) - first]


def large(fitted: Fitted) -> bool:
    """Whether there are too many weights for matrices of their size, in a model that has an exact fit without them."""
    return int(fitted.fit.free[0].sum()) > MOST and exactly(fitted)


def exactly(fitted: Fitted) -> bool:
    """Whether the fit is that of a generalised linear model with penalised terms, by `mixed`."""
    procedure = fitted.procedure
    return exact_terms.possible(procedure.network, procedure.design, procedure.settings)


@kept
def exact_solution(fitted: Fitted, b: int) -> mixed.Solution:
    """The fit of `mixed`, with random effects in the units of their covariates and their full covariance."""
    return mixed.fit(problem(fitted, b))


def total_edf(fitted: Fitted, b: int) -> float:
    """Degrees of freedom, the trace of (H + S)^-1 H."""
    solution = exact_solution(fitted, b)
    return float(solution.edf.sum() + solution.edf_random.sum())


def weight_sd(fitted: Fitted, b: int) -> np.ndarray:
    """(P,) standard deviations of all weights given the data, internal units of the covariates; NaN at weights held out.

    Of effects of levels those of their coordinates, which are uncorrelated a priori.
    """
    solution = exact_solution(fitted, b)
    out = np.full(fitted.network.n_params, np.nan)
    unit = units(fitted)[0]
    out[dense_index(fitted)] = np.sqrt(np.diag(solution.cov_beta)) * unit
    for special, index, spread in zip(random_specials(fitted), random_index(fitted), solution.effect_variances, strict=True):
        back = np.linalg.inv(rotation(fitted, special))
        own = 1.0 if special.kind == "random" else unit  # codes of levels enter by a weight that has the unit
        out[index] = np.sqrt(np.einsum("rs,lst,rt->lr", back, spread, back)).ravel() * own
    return out


def random_index(fitted: Fitted) -> list[np.ndarray]:
    """Positions of the weights of each random term, level by level."""
    rows = dict(zip((tower.name for tower in fitted.network.towers), tower_rows(fitted.network), strict=True))
    found = []
    for special in random_specials(fitted):
        if special.kind == "slopes":
            found.append(direct(fitted, rows_of(fitted.design, special.exprs[0]), 0))
        else:
            part = fitted.network.slices[rows[special.label][0]]
            found.append(np.arange(part.start, part.stop - 1))
    return found


def problem(fitted: Fitted, b: int) -> mixed.Problem:
    """What `exact_solution` fits."""
    made = exact_terms.problem_of(fitted.procedure, fitted.data, b, correlated=True)
    turned = []
    for special, term in zip(random_specials(fitted), made.randoms, strict=True):
        back = np.linalg.inv(rotation(fitted, special)).T
        turned.append(replace(term, z=back @ term.z))
    return replace(made, randoms=tuple(turned))


def random_specials(fitted: Fitted) -> list[Special]:
    """Random terms of the formula, in its order."""
    return [special for special in fitted.design.spec.specials if special.kind in RANDOM]


def rotation(fitted: Fitted, special: Special) -> np.ndarray:
    """(R, R) T of a random term, whose weights u are effects T u in the units of the covariates."""
    if special.kind == "random":
        return np.eye(1)
    return np.asarray(state_of(fitted.design, special.exprs[0])["rotation"], float)


def random_inputs(fitted: Fitted) -> set[int]:
    """Inputs that belong to random terms."""
    return {row for special in random_specials(fitted) for row in rows_of(fitted.design, special.exprs[0])}


def direct_inputs(fitted: Fitted) -> set[int]:
    """Inputs that the output layer reads, but those of random slopes."""
    return {row for rows in direct_terms(fitted.design).values() for row in rows} - random_inputs(fitted)


def dense_index(fitted: Fitted) -> np.ndarray:
    """Positions of the weights that belong to the columns of `exact_solution`: the constant's, then by input."""
    return np.concatenate([output_block(fitted)[0, :1], direct(fitted, exact_terms.dense_rows(fitted.procedure), 0)])


def units(fitted: Fitted) -> np.ndarray:
    """(K,) what contributions to linear predictors are multiplied by for the units of the response."""
    scaling = fitted.design.scaling
    return np.ones(fitted.network.n_outputs) if scaling is None else output_units(fitted.network, scaling)[0]


def predictor_variance(fitted: Fitted, b: int, x: np.ndarray) -> np.ndarray:
    """(1, m) posterior variance of the linear predictor at inputs (D, m), original units, without matrices of all weights.

    Effects of new levels are at their mean, 0.
    """
    columns = np.column_stack([np.ones(x.shape[1]), x[exact_terms.dense_rows(fitted.procedure)].T])
    codes, z = [], []
    for special in random_specials(fitted):
        level, own = exact_terms.effects_of(fitted.design, special, x)
        known = len(state_of(fitted.design, special.exprs[0])["names"])
        codes.append(np.where(level == known, -1, level))
        z.append(np.linalg.inv(rotation(fitted, special)).T @ own)
    variance = exact_solution(fitted, b).variance_of(columns, codes, z, new_levels=False)
    return (variance * units(fitted)[0] ** 2)[np.newaxis]
