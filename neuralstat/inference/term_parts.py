"""The terms of a structured fit as parts of its flat weight vector, and what data and penalties know of these weights.

With H the information of the weights (expected, so that it is never indefinite; for distributions with several parameters
the Hessian of the error) and S the diagonal of the gaussian penalties, F = (H + S)^-1 H maps what weights would be without a
penalty to what they are; its diagonal counts degrees of freedom, and (H + S)^-1 phi is the covariance of the weights given
the data (Wood 2017, "Generalized Additive Models", 2nd ed., sections 4.8 and 6.10 to 6.12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..df.exact_fit import dense_index, direct, exact_solution, exactly, large, output_block
from ..df.local import active
from ..errors import DfError
from ..fitted import Fitted, kept
from ..formula.expressions import display
from ..formula.structure import Special
from ..likelihood.likelihood import several
from ..network import derivatives
from ..training.curvature import factor_of, gauss_newton, undetermined
from ..training.structured import direct_terms, leading, rows_of, state_of, tower_rows
from .covariance import between_outputs, curvature_of
from .dispersion import dispersion


@dataclass(frozen=True, eq=False)
class Part:
    """A term, or its part for one output or one level of ``by``.

    Attributes
    ----------
    term : str
        As users see it.
    kind : {"linear", "smooth", "random", "network"}
    output : int
        Of the network's outputs, which it is a part of.
    index : (q,) int array
        Positions of its weights in the flat vector. A network has those to all outputs.
    rows : (q,) or (r,) int array
        Inputs that it reads.
    special : Special or None
        What the formula has; None for plain terms.
    """

    term: str
    kind: str
    output: int
    index: np.ndarray
    rows: np.ndarray
    special: Special | None = None


def parts(fitted: Fitted) -> list[Part]:
    """All terms but the constant, in the formula's order: linear ones first."""
    design, network = fitted.design, fitted.network
    count = leading(network)
    found: list[Part] = []
    for k in range(count):
        found += _linear(fitted, k)
    for special in design.spec.specials:
        if special.kind == "network":
            found.append(_network(fitted, special.label, special))
        elif special.kind != "linear":
            for k in range(count):
                found += _smooth(fitted, special, k) if special.kind == "smooth" else _random(fitted, special, k)
    if any(tower.name == "" for tower in network.towers):
        found.append(_network(fitted, "", None))
    return found


def _linear(fitted: Fitted, k: int) -> Iterator[Part]:
    away = ("network", "random", "embedding")
    special = {display(s.exprs[0]): s for s in fitted.design.spec.specials if s.kind not in away}
    free = fitted.fit.free[0]
    for name, rows in direct_terms(fitted.design).items():
        own = special.get(name)
        if own is None or own.kind == "linear":
            at = direct(fitted, rows, k)
            yield Part(name if own is None else own.label, "linear", k, at[free[at]], np.asarray(rows)[free[at]], own)


def _smooth(fitted: Fitted, special: Special, k: int) -> Iterator[Part]:
    """A smooth; of a factor in ``by`` one for each level."""
    from ..formula.smooths import penalties

    rows = np.array(rows_of(fitted.design, special.exprs[0]))
    state = state_of(fitted.design, special.exprs[0])
    levels = list(penalties(state)) if state["smooth"] == "s" and state.get("by") == "levels" else [""]
    for name, own in zip(levels, rows.reshape(len(levels), -1), strict=True):
        at = direct(fitted, own, k)
        free = fitted.fit.free[0][at]  # not what other terms say already
        yield Part(f"{special.label}:{name}" if name else special.label, "smooth", k, at[free], own[free], special)


def _random(fitted: Fitted, special: Special, k: int) -> Iterator[Part]:
    if special.kind == "embedding":
        return
    rows = np.array(rows_of(fitted.design, special.exprs[0]))
    if special.kind == "slopes":
        yield Part(special.label, "random", k, direct(fitted, rows, k), rows, special)
        return
    network = fitted.network
    table = dict(zip((t.name for t in network.towers), tower_rows(network), strict=True))[special.label][0]
    per, levels = network.shapes[table]
    index = np.arange(network.slices[table].start, network.slices[table].stop).reshape(levels, per)[:-1, k]
    yield Part(special.label, "random", k, index, rows, special)


def _network(fitted: Fitted, name: str, special: Special | None) -> Part:
    """A tower: its own weights, and those from its last units to the outputs."""
    network, place = fitted.network, 1 + fitted.network.direct
    for tower, rows, count in zip(network.towers, tower_rows(network), network.tower_sizes, strict=True):
        if tower.name == name:
            own = [np.arange(network.slices[r].start, network.slices[r].stop) for r in sorted({r for r in rows if r >= 0})]
            at = np.concatenate([*own, output_block(fitted)[:, place : place + count].ravel()])
            reads = np.array([*range(tower.first, tower.first + tower.numbers), *tower.codes], int)
            return Part(name or "network", "network", 0, at[fitted.fit.free[0][at]], reads, special)
        place += count
    raise AssertionError(name)


# what is known of the weights ------------------------------------------------------------------------------


class Curvature:
    """Information and penalty of the weights of one repetition; internal units.

    Attributes
    ----------
    phi : float
        Dispersion.
    edf, edf1 : (P,) arrays
        Diagonal of F, and of 2 F - F F, which takes the place of degrees of freedom in tests (Wood 2013); 0 at weights that
        are held.
    """

    phi: float
    edf: np.ndarray
    edf1: np.ndarray

    def covariance(self, index: np.ndarray) -> np.ndarray:
        """(q, q) block of (H + S)^-1 phi; of several outputs with a dispersion each of what takes its place."""
        raise NotImplementedError

    def information(self, index: np.ndarray) -> np.ndarray:
        """(q, q) block of H."""
        raise NotImplementedError

    @property
    def total(self) -> float:
        """Degrees of freedom of the fit."""
        return float(self.edf.sum())


class Dense(Curvature):
    """By matrices of all weights."""

    def __init__(self, fitted: Fitted, b: int) -> None:
        self.used = active(fitted, b)
        self.place = np.cumsum(self.used) - 1
        self.penalty = fitted.penalty_curvature(b)[self.used]
        self.matrix = _information(fitted, b, self.used)
        loose = undetermined(fitted.network, self.used, self.penalty)
        closed = np.diag(self.penalty) + loose @ loose.T
        factor = None if not np.isfinite(self.matrix).all() else factor_of(self.matrix + closed)
        if factor is None:
            raise DfError(f"data and penalty do not determine the weights of repetition {b + 1} (collinear terms, or units "
                          "that a network does without).")  # fmt: skip
        self.inverse = factor.solve(np.eye(len(self.matrix))) - loose @ loose.T
        self.inverse = (self.inverse + self.inverse.T) / 2
        turned = self.inverse @ self.matrix
        own = np.diag(turned)
        self.edf, self.edf1 = np.zeros(self.used.size), np.zeros(self.used.size)
        self.edf[self.used], self.edf1[self.used] = own, 2 * own - np.sum(turned * turned.T, axis=1)
        self.phi = _phi(fitted, b)
        self.spread = self.phi * self.inverse
        if several(fitted):
            moved = between_outputs(fitted, b, dispersion(fitted, [b])[0])[np.ix_(self.used, self.used)]
            self.spread = self.inverse @ (moved + np.diag(self.phi * self.penalty)) @ self.inverse

    def at(self, index: np.ndarray) -> np.ndarray:
        """Places of positions among the weights used."""
        return self.place[index[self.used[index]]]

    def covariance(self, index: np.ndarray) -> np.ndarray:
        """See `Curvature`."""
        at = self.at(index)
        return self.spread[np.ix_(at, at)]

    def information(self, index: np.ndarray) -> np.ndarray:
        """See `Curvature`."""
        at = self.at(index)
        return self.matrix[np.ix_(at, at)]


class Sparse(Curvature):
    """By the exact fit of a model without networks, for more levels than matrices of all weights can have."""

    def __init__(self, fitted: Fitted, b: int) -> None:
        solution = self.solution = exact_solution(fitted, b)
        self.column = np.full(fitted.network.n_params, -1)
        self.column[dense_index(fitted)] = np.arange(len(solution.beta))
        self.phi = float(solution.scale)
        self.edf, self.edf1 = np.zeros(self.column.size), np.zeros(self.column.size)
        there = self.column >= 0
        bend = fitted.penalty_curvature(b)[there]
        self.edf[there] = solution.edf[self.column[there]]
        spread = np.diag(solution.cov_beta_freq)[self.column[there]]
        self.edf1[there] = self.edf[there] + bend * spread / self.phi
        for part in parts(fitted):  # of a random term the sum is known, which its weights share
            if part.kind == "random":
                names = [r.name for r in solution.prepared.problem.randoms]
                own = solution.edf_random[names.index(part.term)]
                self.edf[part.index] = self.edf1[part.index] = own / part.index.size
        self._weight = _working_weights(fitted, b)
        self._x = fitted.design.x

    def covariance(self, index: np.ndarray) -> np.ndarray:
        """See `Curvature`."""
        at = self.column[index]
        return self.solution.cov_beta[np.ix_(at, at)]

    def information(self, index: np.ndarray) -> np.ndarray:
        """See `Curvature`."""
        x = self.solution.prepared.problem.x[:, self.column[index]]
        return (x * self._weight[:, np.newaxis]).T @ x


@kept
def curvature(fitted: Fitted, b: int) -> Curvature:
    """What is known of the weights of repetition b (from 0).

    Raises
    ------
    DfError
        Where the weights are not determined.
    TooLargeError
        Where matrices of all weights would be too large.
    """
    return Sparse(fitted, b) if large(fitted) else Dense(fitted, b)


def _information(fitted: Fitted, b: int, used: np.ndarray) -> np.ndarray:
    """(F, F) information of the covariance "bayes"; the Gauss-Newton matrix where the error has no family."""
    if fitted.family is None:
        found = gauss_newton(fitted.network, fitted.data, fitted.fit.theta[b].astype(float), used)
        if found is not None:
            return found
    return curvature_of(fitted, b, "bayes")[np.ix_(used, used)]


def _phi(fitted: Fitted, b: int) -> float:
    """Dispersion in internal units: of the exact fit, or of residuals; of several outputs what strengths belong to."""
    if not fitted.dispersed:
        return 1.0
    found = fitted.fit.dispersion
    if found is not None and (exactly(fitted) or several(fitted)):
        return float(found[b])
    return float(np.mean(np.diag(dispersion(fitted, [b])[0])))


def _working_weights(fitted: Fitted, b: int) -> np.ndarray:
    """(n,) second derivative of each row's error in its linear predictor."""
    data, network = fitted.data, fitted.network
    raw = fitted.fitted_raw([b])[0].astype(complex) + 1j * derivatives.STEP
    bend = derivatives.predictor_slopes(network, raw, fitted.design.y)[0].imag / derivatives.STEP
    return bend if data.weight.size == 0 else bend * data.weight[0]
