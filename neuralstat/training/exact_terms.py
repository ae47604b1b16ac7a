"""Structured models without networks, fitted exactly: generalised linear models with penalised terms; see `mixed`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import mixed
from ..engine import cpu
from ..formula.structure import Special
from ..network import derivatives
from .exact import family_of
from .fit import Fit
from .stack import of_networks
from .strengths import penalties_at
from .structured import direct_rows, rows_of, state_of, structured

if TYPE_CHECKING:
    from ..families import Family
    from ..formula import Design
    from ..network.network import Network
    from .procedure import Procedure
    from .settings import Settings

ALGORITHM = "penalized iteratively reweighted least squares"
AWAY = 1e12  # strength of effects whose variance is 0, beside the dispersion


def possible(network: Network, design: Design, settings: Settings) -> bool:
    """Whether a structured model has an exact fit: no networks, one output of an exponential family, no further penalty."""
    if not settings.exact or not structured(design) or settings.dtype != "float64" or settings.penalty is not None:
        return False
    if settings.exclude is not None or settings.freeze is not None or network.n_outputs > 1:
        return False
    return all(special.kind in ("random", "slopes", "smooth", "linear") for special in design.spec.specials) and (
        likelihood(network) is not None
    )


def likelihood(network: Network) -> Family | None:
    """The exponential family of the error; None where it belongs to none that is fitted exactly."""
    return None if network.objective.several else family_of(network)


def effects_of(design: Design, special: Special, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level (m,) of each row, the number of levels for those that were not there, and what its effects multiply (R, m).

    Parameters
    ----------
    design : Design
    special : Special
        A random intercept or slope.
    x : (D, m) array
        Inputs.
    """
    rows = x[list(rows_of(design, special.exprs[0]))]
    if special.kind == "random":
        return rows[0].astype(np.int64), np.ones((1, rows.shape[1]))
    effects = len(state_of(design, special.exprs[0])["rotation"])
    blocks = rows.reshape(-1, effects, rows.shape[1])
    there = np.any(blocks != 0, axis=1)
    level = np.where(there.any(axis=0), there.argmax(axis=0), len(blocks))
    z = blocks[np.minimum(level, len(blocks) - 1), :, np.arange(rows.shape[1])].T
    return level, np.ascontiguousarray(z)


def problem_of(procedure: Procedure, data: cpu.Data, b: int, correlated: bool = False, fixed: Any = None) -> mixed.Problem:
    """The generalised linear model of network b of a stack."""
    design, network = procedure.design, procedure.network
    at: Any = slice(None)
    if data.rows.shape[1]:
        at = data.rows[b if len(data.rows) > 1 else 0]
        at = at[: data.count[b if len(data.count) > 1 else 0]] if data.count.size else at
    x = data.x[:, at]
    dense = dense_rows(procedure)
    place = {row: 1 + k for k, row in enumerate(dense)}
    penalties, randoms = [], []
    for group in procedure.groups:
        if group.kind == "smooth":
            columns = np.array([place[row] for row in _inputs(network, design, group.index)])
            penalties.append(mixed.Penalised(group.name, columns, group.diagonal))
    for special in random_terms(design):
        level, z = effects_of(design, special, x)
        count = len(state_of(design, special.exprs[0])["names"])
        level = np.minimum(level, count - 1)
        if fixed is not None and len(z) > 1:  # each effect with a strength of its own
            named = [f"{special.label}.{r + 1}" for r in range(len(z))]
            randoms += [mixed.Random(name, level, count, row[np.newaxis], False) for name, row in zip(named, z, strict=True)]
        else:
            randoms.append(mixed.Random(special.label, level, count, z, correlated and len(z) > 1))
    family = likelihood(network)
    assert family is not None
    weight = None if data.weight.size == 0 else data.weight[b if len(data.weight) > 1 else 0][at]
    return mixed.Problem(
        x=np.column_stack([np.ones(x.shape[1]), x[dense].T]), y=data.y[b if len(data.y) > 1 else 0][0, at], family=family,
        weights=weight, offset=None if data.offset.size == 0 else data.offset[0, at], penalties=tuple(penalties),
        randoms=tuple(randoms), fixed={} if fixed is None else fixed,
    )  # fmt: skip


def random_terms(design: Design) -> list[Special]:
    """Random intercepts and slopes, in the order of the formula."""
    return [special for special in design.spec.specials if special.kind in ("random", "slopes")]


def dense_rows(procedure: Procedure) -> list[int]:
    """Rows of x that are columns of the dense part: all but codes, random slopes, and those whose weight is held at 0."""
    design, network = procedure.design, procedure.network
    away = {row for special in random_terms(design) for row in rows_of(design, special.exprs[0])}
    rows = direct_rows(design)
    first = len(design.x) - network.direct if network.towers else 0
    held = ~procedure.masks[0][network.slices[-1].start + 1 + rows - first]
    return [row for row in range(len(design.x)) if row not in away | set(rows[held].tolist())]


def _inputs(network: Network, design: Design, index: np.ndarray) -> np.ndarray:
    """Inputs that weights of the output layer belong to."""
    first = len(design.x) - network.direct if network.towers else 0
    return index - network.slices[-1].start - 1 + first


def train(procedure: Procedure, data: cpu.Data, start: np.ndarray, free: np.ndarray, strengths: np.ndarray | None) -> Fit:
    """Fit every network of a stack, and estimate strengths unless they are given (B, G)."""
    began = time.perf_counter()
    b = len(start)
    theta = np.array(start, float)
    found, steps, status = np.empty((b, len(procedure.groups))), np.ones(b, np.int64), np.empty(b, np.int64)
    phi, evidence = np.empty(b), np.empty(b)
    for k in range(b):
        fixed = None if strengths is None else _given(procedure, strengths[k])
        problem = problem_of(procedure, data, k, fixed=fixed)
        solution = mixed.fit(problem)
        theta[k], found[k] = _weights(procedure, theta[k], solution)
        steps[k], phi[k], evidence[k] = max(solution.iterations, 1), solution.scale, solution.log_evidence
        status[k] = cpu.CONVERGED if solution.converged else cpu.STALLED
    penalty = penalties_at(procedure, found)
    loss, reached = np.empty(b), np.empty(b)
    trained = np.atleast_2d(free)
    for k in range(b):
        own = of_networks(data, np.array([k]), b)
        grad = derivatives.gradient(procedure.network, own, theta[k], penalty[k])
        loss[k] = derivatives.error(procedure.network, own, theta[k]) + derivatives.penalty_value(penalty[k], theta[k])
        reached[k] = np.max(np.abs(grad[trained[k if len(trained) > 1 else 0]]), initial=0.0)
    trace = [(np.array([s]), np.array([e])) for s, e in zip(steps, loss, strict=True)]
    return Fit(theta, np.array(start), trained, loss, reached, steps, status, trace, time.perf_counter() - began, "cpu",
               ALGORITHM, strengths=found, penalty=penalty, dispersion=phi, evidence=evidence)  # fmt: skip


def _given(procedure: Procedure, strengths: np.ndarray) -> dict[str, float]:
    """Strengths by the names that a problem has for its terms."""
    return {group.name: float(lam) for group, lam in zip(procedure.groups, strengths, strict=True)}


def _weights(procedure: Procedure, theta: np.ndarray, solution: mixed.Solution) -> tuple[np.ndarray, np.ndarray]:
    """The flat vector (P,) of a solution, and the strengths (G,) of the procedure's groups."""
    design, network = procedure.design, procedure.network
    first = len(design.x) - network.direct if network.towers else 0
    output = network.slices[-1].start
    dense = dense_rows(procedure)
    theta[output] = solution.beta[0]
    for k, row in enumerate(dense):
        theta[output + 1 + row - first] = solution.beta[1 + k]
    by_name: dict[str, float] = dict(
        zip((g.name for g in procedure.groups if g.kind == "smooth"), solution.strengths, strict=True)
    )
    found = zip(solution.prepared.problem.randoms, solution.effects, solution.covariances, strict=True)
    for term, effects, covariance in found:
        groups = [g for g in procedure.groups if g.name == term.name or g.name.startswith(f"{term.name}.")]
        for r, group in enumerate(groups):
            theta[group.index] = effects[:, r]
            variance = covariance[r, r]
            by_name[group.name] = solution.scale * min(1 / variance if variance > 0 else AWAY, AWAY)
    return theta, np.array([by_name[group.name] for group in procedure.groups])
