"""Penalties on the weights as users write them; `functions.penalties` has their kernels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks.arguments import FLAG, NONE, Choice, Map, Number, arguments
from ..errors import ArgumentError
from ..functions.penalties import COLUMNS, DECAY, ELIMINATION, L1, SCALE
from ..layers import codes
from ..layers.arguments import regularizer_of
from ..layers.keras_weights import by_row
from .arrays import arrays_by_name, have, positions

if TYPE_CHECKING:
    from .network import Network

GROUPS = ("layer", "term", "unit", "input")  # weights that share an estimated strength
Strengths = Mapping[str, float] | None  # by name of a formula term, layer or array


@dataclass(frozen=True)
class Part:
    """One term of a penalty.

    Attributes
    ----------
    kind : {"decay", "elimination", "l1"}
    strength, scale : float
    biases : bool
        Whether biases are penalised.
    terms : tuple of (term, strength)
        Strengths of formula terms that differ, for the first layer's weights of the term's columns.
    layers : tuple of (name, strength)
        Strengths of layers and arrays that differ.
    estimate : {"layer", "term", "unit", "input"}, optional
        Which weights share a strength, where strengths are estimated from the data (`training.strengths`).
    """

    kind: str
    strength: float
    scale: float = 1.0
    biases: bool | None = True
    terms: tuple[tuple[str, float], ...] = ()
    layers: tuple[tuple[str, float], ...] = ()
    estimate: str | None = None

    def __str__(self) -> str:
        if self.estimate is not None:
            biases = "" if self.biases is None else f", biases={self.biases}"
            return f"decay('estimate', groups={self.estimate!r}{biases})"
        more = f", scale={self.scale:g}" if self.kind == "elimination" else ""
        more += f", terms={dict(self.terms)}" if self.terms else ""
        more += f", layers={dict(self.layers)}" if self.layers else ""
        return f"{self.kind}({self.strength:g}{more}{'' if self.biases else ', biases=False'})"


@dataclass(frozen=True)
class Penalty:
    """A sum of penalty terms; made by `decay`, `elimination`, `l1`, `elastic_net` and added with ``+``.

    Attributes
    ----------
    parts : tuple of Part
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if self.estimated is None:
            return
        if sum(part.estimate is not None for part in self.parts) > 1:
            raise ArgumentError("penalty: only one decay of a sum can be estimated; groups= gives parts of the weights "
                                "strengths of their own.")  # fmt: skip
        for part in self.parts:
            if part.kind != "decay":
                raise ArgumentError(f"penalty: decay('estimate') cannot stand beside {part}: the marginal likelihood that "
                                    "strengths are estimated by is of gaussian penalties alone.")  # fmt: skip

    @property
    def estimated(self) -> Part | None:
        """The part whose strengths are estimated, None without one."""
        return next((part for part in self.parts if part.estimate is not None), None)

    def __add__(self, other: Penalty) -> Penalty:
        if not isinstance(other, Penalty):
            return NotImplemented
        return Penalty(self.parts + other.parts)

    def coefficients(
        self, is_bias: np.ndarray, terms: Mapping[str, np.ndarray] | None = None,
        layers: Mapping[str, np.ndarray] | None = None, arrays: Collection[str] = (),
    ) -> np.ndarray:  # fmt: skip
        """What kernels see, shape (P, COLUMNS).

        Parameters
        ----------
        is_bias : (P,) bool array
            Which weights are biases.
        terms : mapping, optional
            Formula term -> positions of its weights in the first layer (see `term_weights`).
        layers : mapping, optional
            Name of a layer or array -> positions of its weights (see `layer_weights`): what is smaller wins.
        arrays : collection of str, optional
            Which of these names are arrays'.

        Raises
        ------
        ArgumentError
            Where a part names a term, layer or array that there is not.
        """
        table = np.zeros((is_bias.size, COLUMNS))
        table[:, SCALE] = 1.0
        for part in self.parts:
            if part.estimate is not None:  # known after the fit
                continue
            strength = np.where(is_bias & (not part.biases), 0.0, part.strength)
            named = layers or {}
            for name, _ in part.layers:
                if name not in named:
                    listed = ", ".join(map(repr, named))
                    raise ArgumentError(f"penalty: there is no layer {name!r} with weights; known: {listed}.")
            for name, own in sorted(part.layers, key=lambda pair: (pair[0] in arrays, -named[pair[0]].size)):
                at = named[name]
                strength[at if part.biases or name in arrays else at[~is_bias[at]]] = own
            for term, own in part.terms:
                if terms is None or term not in terms:
                    known = ", ".join(map(repr, terms or ()))
                    raise ArgumentError(
                        f"penalty: there is no term {term!r} on the right of the formula; known: {known}."
                    )
                strength[terms[term]] = own
            if part.kind == "elimination":
                if np.any(table[strength != 0, ELIMINATION] != 0):
                    raise ArgumentError(
                        "penalty: only one elimination term is possible in a sum of penalties."
                    )
                table[strength != 0, SCALE] = part.scale
                table[:, ELIMINATION] += strength
            else:
                table[:, DECAY if part.kind == "decay" else L1] += strength
        return table

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts))


def term_weights(network: Network, terms: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Formula term -> positions, in the flat vector, of the first layer's weights of the term's columns.

    Raises
    ------
    ArgumentError
        Where the first layer does not see the columns one by one (convolution, recurrence).
    """
    first = network.table[0]
    if network.towers:
        raise ArgumentError("penalty: strengths per term are for one network of all covariates; those of structured "
                            "formulas' networks go by layer, decay(layers=), or are estimated.")  # fmt: skip
    if first[codes.OP] != codes.DENSE:
        raise ArgumentError("penalty: strengths per term need a dense first layer.")
    per_unit = first[codes.N_IN] + 1
    units = np.arange(first[codes.N_OUT]) * per_unit + first[codes.PARAM]
    return {
        term: (units[:, np.newaxis] + 1 + np.asarray(columns, np.int64)).ravel()
        for term, columns in terms.items()
    }


def layer_weights(network: Network) -> dict[str, np.ndarray]:
    """Names of layers (``"conv2d"``) and their arrays (``"conv2d/kernel"``) -> positions in the flat vector."""
    arrays = {name: at.ravel() for name, at in positions(network).items()}
    return {**{name: np.concatenate([arrays[a] for a in own]) for name, own in arrays_by_name(network).items()}, **arrays}


def coefficients(
    penalty: Penalty | None, network: Network, design: Any, where: np.ndarray | None = None, n: float = 1.0
) -> np.ndarray | None:
    """The penalty of a model as kernels see it, (P, COLUMNS), at weights `where` (P,), less what is estimated; else None.

    Layers' own penalties, which are of the mean error of n observations, are added.
    """
    own, table = regularizers(network), None
    if own is not None and penalty is not None and penalty.estimated is not None:
        raise ArgumentError("penalty: decay('estimate') cannot stand beside penalties of layers, as kernel_regularizer.")
    if penalty is not None and not all(part.estimate is not None for part in penalty.parts):
        terms = term_weights(network, design.terms) if any(part.terms for part in penalty.parts) else None
        named = any(part.layers for part in penalty.parts)
        layers, arrays = (layer_weights(network), set(positions(network))) if named else (None, set())
        table = penalty.coefficients(network.is_bias, terms, layers, arrays)
        none = np.zeros(network.n_params, bool) if where is None else ~where
        none = none if network.implied is None else none | network.implied[0]
        for column in (DECAY, ELIMINATION, L1):
            table[none, column] = 0.0
    if own is None:
        return table
    table = np.zeros((network.n_params, COLUMNS)) + np.eye(COLUMNS)[SCALE] if table is None else table
    table[:, (DECAY, L1)] += n * own
    return table


def regularizers(network: Network) -> np.ndarray | None:
    """Layers' own penalties of the mean loss: (P, 2) strengths as of `decay` and `l1`; None without any."""
    found = None
    if not have(network, "regularizer"):
        return None  # without the places of all weights
    for layer, arrays in zip(network.applied_layers, by_row(network), strict=True):
        for array, at in arrays.items():
            if (own := regularizer_of(layer, array)) is not None:
                found = np.zeros((network.n_params, 2)) if found is None else found
                found[at] = 2 * own.l2, own.l1
    return found


STRENGTH = Number(0.0, 1e100)  # beyond, the penalty of a weight of moderate size is no number
SCALE_OF_WEIGHTS = Number(1e-100, 1e100)
STRENGTHS = NONE | Map(STRENGTH)
_shared = {"biases": FLAG, "terms": STRENGTHS, "layers": STRENGTHS}


def _own(given: Strengths, argument: str) -> tuple[tuple[str, float], ...]:
    """Strengths by name of a formula term, layer or array, arrays last."""
    if given is None:
        return ()
    return tuple(sorted(given.items(), key=lambda pair: argument == "layers" and "/" in pair[0]))


def _penalty(kind: str, lam: float, scale: float, biases: bool, terms: Strengths, layers: Strengths) -> Penalty:
    return Penalty((Part(kind, lam, scale, biases, _own(terms, "terms"), _own(layers, "layers")),))


@arguments(lam=NONE | STRENGTH | Choice("estimate"), estimate=FLAG, groups=NONE | Choice(*GROUPS),
           **{**_shared, "biases": NONE | FLAG})  # fmt: skip
def decay(
    lam: float | str | None = None, *, estimate: bool = False, groups: str | None = None, biases: bool | None = None,
    terms: Strengths = None, layers: Strengths = None,
) -> Penalty:  # fmt: skip
    """Weight decay, ``lam / 2 * sum w^2``, of a strength that is given or estimated.

    Parameters
    ----------
    lam : float or "estimate"
        Strength, from 0 to 1e100. "estimate" has it estimated from the data, in each repetition, by the marginal likelihood
        of a gaussian prior of the weights: see Notes.
    estimate : bool
        The same as ``lam="estimate"``.
    groups : {"layer", "term", "unit", "input"}, optional
        Which weights share a strength that is estimated: those of a layer (default); those that lead into a unit; those that
        lead from a term of the formula, or from a column, to the first layer (automatic relevance determination), with one
        strength for its biases and for each further layer.
    biases : bool, optional
        False leaves the biases unpenalised, True penalises all. Default: all where the strength is given; those of hidden
        units where it is estimated, but not the constants of the outputs.
    terms : dict, optional
        Formula term -> strength in place of `lam` for the weights that lead from the term's columns to the
        first layer: ``decay(0.01, terms={"x1": 0.1, "poly(x2, 3)": 1})``.
    layers : dict, optional
        Name of a layer, or of one of its arrays -> strength in place of `lam`: ``decay(0, layers={"dense": 0.01,
        "conv2d/kernel": 0.1})``. With ``biases=False`` a layer's strength is not for its biases; an array's is for what it
        names. Keras' ``kernel_regularizer=L2(l)`` of a layer, which is added to the mean of n observations' losses and not to
        the sum of errors, is ``decay(0, layers={"dense/kernel": 2 * n * l})`` for classes; for K outputs whose losses Keras
        averages it is K times that, and half of it for squared errors. Layers have that argument themselves.

    Returns
    -------
    Penalty

    Raises
    ------
    ArgumentError
        If a strength is negative, beyond 1e100, or not a number; where it is neither given nor estimated, or both.

    Notes
    -----
    An estimated strength maximises the Laplace approximation of the marginal likelihood (the evidence of MacKay 1992, Neural
    Computation 4:415, and REML of a penalised regression), by the generalised Fellner-Schall update (Wood & Fasiolo 2017,
    Biometrics 73:1071). It is the dispersion of the noise over the variance of the group's weights, in the units that
    training sees, where tabular covariates and a gaussian response have the standard deviation 1 (``standardize="auto"``).
    Biases of hidden units are penalised with the weights beside them: without, a unit that is switched off would have a bias
    that nothing determines, and no marginal likelihood. It needs an algorithm that trains on all observations, a likelihood
    that the error belongs to, and at most 2,000 trained weights.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> settings = {"hidden": 4, "algorithm": "lm", "random_state": 1}
    >>> plain = ns.neuralnet("accel ~ times", data, **settings)
    >>> bent = ns.neuralnet("accel ~ times", data, penalty=ns.decay(0.1), **settings)
    >>> bool(bent.df() < plain.df()), round(float(bent.df()), 1)  # penalised weights count less
    (True, 6.6)
    """
    if lam == "estimate":
        lam, estimate = None, True
    if not estimate:
        if lam is None:
            raise ArgumentError("lam must be a strength, or 'estimate'; got None.")
        if groups is not None:
            raise ArgumentError("groups says which weights share a strength that is estimated: it is of decay('estimate').")
        return _penalty("decay", float(lam), 1.0, biases is not False, terms, layers)
    for name, given in (("lam", lam), ("terms", terms), ("layers", layers)):
        if given is not None:
            raise ArgumentError(f"{name} gives strengths, which decay('estimate') estimates: leave one out.")
    return Penalty((Part("decay", 0.0, biases=biases, estimate=groups or "layer"),))


@arguments(lam=STRENGTH, scale=SCALE_OF_WEIGHTS, **_shared)
def elimination(
    lam: float, scale: float = 1.0, *, biases: bool = True, terms: Strengths = None, layers: Strengths = None
) -> Penalty:
    """Weight elimination, ``lam / 2 * sum (w/scale)^2 / (1 + (w/scale)^2)``.

    Weigend, Rumelhart & Huberman (1991), NIPS 3:875. Small weights are pulled to zero, large ones are left
    alone.

    Parameters
    ----------
    lam : float
        Strength, >= 0.
    scale : float
        Size that parts small from large weights, from 1e-100 to 1e100.
    biases, terms, layers
        See `decay`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=4, penalty=ns.elimination(0.1), random_state=1)
    >>> fit.converged
    True
    """
    return _penalty("elimination", lam, scale, biases, terms, layers)


@arguments(lam=STRENGTH, **_shared)
def l1(lam: float, *, biases: bool = True, terms: Strengths = None, layers: Strengths = None) -> Penalty:
    """Lasso penalty, ``lam * sum |w|``; weights become exactly 0.

    An optimum is where the derivative of the rest is ``-lam sign(w)`` at weights other than 0 and at most
    `lam` in size at weights of 0, and convergence is judged by that (the subgradient of least size). R's
    algorithms but "backprop", "lm" and "lbfgs" can train with it.

    Parameters
    ----------
    lam : float
        Strength, >= 0.
    biases, terms, layers
        See `decay`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.l1(0.1)
    Penalty(parts=(Part(kind='l1', strength=0.1, scale=1.0, biases=True, terms=(), layers=(), estimate=None),))
    """
    return _penalty("l1", lam, 1.0, biases, terms, layers)


@arguments(l1=STRENGTH, l2=STRENGTH, biases=FLAG)
def elastic_net(l1: float, l2: float, *, biases: bool = True) -> Penalty:
    """Elastic net, ``l1 * sum |w| + l2 / 2 * sum w^2``; for strengths per term or layer add `l1` and `decay`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
    >>> fit = ns.neuralnet("y ~ .", data, hidden=0, penalty=ns.elastic_net(30.0, 1.0, biases=False))
    >>> fit.params.round(1).tolist()[1:]  # of x1 to x5, then of five covariates that mean nothing
    [1.3, 0.6, 0.0, 3.6, 0.6, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    return Penalty((Part("l1", l1, 1.0, biases), Part("decay", l2, 1.0, biases)))


PENALTIES = {"decay": decay, "elimination": elimination, "l1": l1, "elastic_net": elastic_net}


def per_observation(coefficients: np.ndarray, n: float) -> np.ndarray:
    """Coefficients of n times the penalty: what stands beside a sum of errors where it was added to their mean."""
    out = coefficients.copy()
    out[:, [DECAY, ELIMINATION, L1]] *= n
    return out
