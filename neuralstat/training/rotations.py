"""Coordinates of random slopes in which the effects of a level are uncorrelated, so that their penalty is diagonal.

The covariance of a level's effects is T D T', T of unit lower triangular form. Covariates become ``T' z``, effects
``T^-1 b``, whose covariance is D. Without networks T is estimated exactly, before the fit; beside networks by the EM
algorithm (Laird & Ware 1982, Biometrics 38:963) between fits.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .. import mixed
from ..engine.data import make_data
from ..errors import ArgumentError, ConvergenceWarning, caller
from ..formula.expressions import compiled
from ..formula.structure import Special
from ..network import derivatives
from . import exact_terms
from .structured import leading, rows_of, state_of

if TYPE_CHECKING:
    from .fit import Fit
    from .procedure import Procedure

ROUNDS = 20
SETTLED = 0.003  # correlation of effects that is left


def correlated(procedure: Procedure) -> list[Special]:
    """Random slopes with several effects of a level."""
    specials = procedure.design.spec.specials
    return [s for s in specials if s.kind == "slopes" and len(state_of(procedure.design, s.exprs[0])["rotation"]) > 1]


def prepared(procedure: Procedure) -> Procedure:
    """The procedure in the coordinates that an exact fit finds; as it is where there is none."""
    wanted = correlated(procedure)
    if wanted and leading(procedure.network) > 1:
        label = wanted[0].label
        raise ArgumentError(f"formula: {label}: correlated effects are for models of one linear predictor; here write "
                            f"{label.replace('|', '||')}, whose effects are uncorrelated.")  # fmt: skip
    if not wanted or not exact_terms.possible(procedure.network, procedure.design, procedure.settings):
        return procedure
    design = procedure.design
    data = make_data(design.x, design.y, design.weights, design.offset)
    solution = mixed.fit(exact_terms.problem_of(procedure, data, 0, correlated=True))
    found = dict(zip((s.label for s in exact_terms.random_terms(design)), solution.covariances, strict=True))
    return turned(procedure, {s.label: unit_triangular(found[s.label]) for s in wanted})


def run(procedure: Procedure) -> tuple[Procedure, Fit]:
    """Train all repetitions, for the user, in coordinates that are found on the way; see `Procedure.run`."""
    fit = procedure.run()
    if not correlated(procedure) or procedure.settings.minibatch or fit.dispersion is None:
        return procedure, fit
    if exact_terms.possible(procedure.network, procedure.design, procedure.settings):
        return procedure, fit
    for left in range(ROUNDS, -1, -1):
        turns = _turns(procedure, fit)
        if turns is None:
            break
        if not turns or not left:
            warnings.warn(f"{correlated(procedure)[0].label}: the correlation of the effects has not settled; variances and "
                          "correlations are those of the last round.", ConvergenceWarning, stacklevel=caller())  # fmt: skip
            break
        theta = np.array(fit.theta)
        for group, turn in _columns(procedure, turns):
            theta[:, group] = np.einsum("rs,bls->blr", np.linalg.inv(turn), theta[:, group])
        procedure = turned(procedure, turns)
        fit = replace(procedure.run_from(theta, procedure.masks[1], owner=True), start=fit.start)
    return procedure, fit


def _columns(procedure: Procedure, turns: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions (levels, R) of the effects in the flat vector, and their turn."""
    found = []
    for label, turn in turns.items():
        groups = [g.index for g in procedure.groups if g.kind == "slope" and g.name.startswith(f"{label}.")]
        found.append((np.stack(groups, axis=1), turn))
    return found


def _turns(procedure: Procedure, fit: Fit) -> dict[str, np.ndarray] | None:
    """T by term, from the second moments of the effects given the data at the best repetition.

    None where all are settled; empty where the data and penalties do not determine the weights there.
    """
    b = int(np.argmin(fit.ranking))
    theta, penalty = fit.theta[b].astype(float), fit.penalty[b]  # type: ignore[index]
    free = procedure.masks[1]
    design = procedure.design
    data = make_data(design.x, design.y, design.weights, design.offset)
    hessian = derivatives.hessian(procedure.network, data, theta, penalty)[np.ix_(free, free)]
    try:
        inverse = np.linalg.inv(hessian) * float(fit.dispersion[b])  # type: ignore[index]
    except np.linalg.LinAlgError:
        return {}
    if not np.isfinite(inverse).all():
        return {}
    place = np.cumsum(free) - 1
    turns, left = {}, 0.0
    for special in correlated(procedure):
        effects = len(state_of(design, special.exprs[0])["rotation"])
        ((index, _),) = _columns(procedure, {special.label: np.eye(effects)})
        at = place[index]
        moments = np.einsum("lr,ls->rs", theta[index], theta[index]) + inverse[at[:, :, None], at[:, None, :]].sum(axis=0)
        sd = np.sqrt(np.maximum(np.diag(moments), 1e-300))
        left = max(left, float(np.abs(moments / np.outer(sd, sd) - np.eye(effects)).max()))
        turns[special.label] = unit_triangular(moments)
    return turns if left > SETTLED else None


def turned(procedure: Procedure, turns: Mapping[str, np.ndarray]) -> Procedure:
    """The procedure whose slopes named in `turns` are in coordinates T beyond those that they are in."""
    design = procedure.design
    x, transforms = design.x.copy(), dict(design.spec.matrix.transforms)
    for special in correlated(procedure):
        if special.label not in turns:
            continue
        turn = turns[special.label]
        key, rows = compiled(special.exprs[0])[0], list(rows_of(design, special.exprs[0]))
        blocks = x[rows].reshape(-1, len(turn), x.shape[1])
        x[rows] = np.einsum("rs,lrn->lsn", turn, blocks).reshape(len(rows), -1)
        transforms[key] = {**transforms[key], "rotation": (np.asarray(transforms[key]["rotation"]) @ turn).tolist()}
    spec = replace(design.spec, matrix=replace(design.spec.matrix, transforms=transforms))
    return replace(procedure, design=replace(design, x=x, spec=spec))


def unit_triangular(covariance: np.ndarray) -> np.ndarray:
    """T with ones on its diagonal of the covariance (R, R) = T D T', D diagonal."""
    size = len(covariance)
    turn, left = np.eye(size), np.array(covariance, float)
    for k in range(size):
        pivot = left[k, k]
        if pivot > 1e-14 * max(covariance[k, k], 1e-300):
            turn[k + 1 :, k] = left[k + 1 :, k] / pivot
            left[k + 1 :, k + 1 :] -= np.outer(left[k + 1 :, k], left[k, k + 1 :]) / pivot
    return turn
