"""Arguments of a fit: their defaults, and the checks at the door."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..checks import check_hidden, check_pair, shown
from ..checks.arguments import arguments
from ..errors import ArgumentError
from ..families import Distributional, Family, Mixture, resolve_family
from ..families.quasi import with_dispersion
from ..layers import LAYERS
from ..layers.graph import Graph, Node
from ..network.expand import expanded
from ..network.names import layer_names
from ..network.start import given_repetitions
from ..optimizers import MINIBATCH, OPTIMIZERS, Optimizer
from ..optimizers.rprop import CODES
from ..schedules import Schedule
from .epoch_settings import BATCH_SIZE, check_epochs, optimizer_of
from .kinds import FIT
from .parameters import asked, check_dispformula

ALGORITHMS = (*CODES, *OPTIMIZERS, "auto", *MINIBATCH)
# Names of classes there, and lower-case ones here
KERAS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Nadam", "Adadelta", "Adamax", "Lion")
RATE_ALGORITHMS = ("backprop",)
STEPMAX = 100_000
# This very object is the default, which tells it from a threshold of 0.01 that was given: the minibatch optimizers
# stop by threshold only where one is given.
THRESHOLD = float("0.01")
MOST_LAYERS = 1_000
REPETITIONS = 5  # of networks with hidden units that are trained on all observations, unless given
LEARNINGRATE_LIMIT = (1e-10, 0.1)
LEARNINGRATE_FACTOR = (0.5, 1.2)


class DefaultName(str):
    """The name of an algorithm that nobody asked for, so that a model with one optimum may go straight there."""

    __slots__ = ()


DEFAULT_ALGORITHM = DefaultName("rprop+")


@arguments(**FIT)
@dataclass(frozen=True)
class Settings:
    """All arguments of a fit but formula and data; see `neuralstat.neuralnet` for their meaning.

    Raises
    ------
    ArgumentError
        Where an argument is not usable; the message names it.
    """

    hidden: Any = 1
    layers: Any = None
    act_fct: Any = "logistic"
    output_act_fct: Any = "logistic"
    linear_output: bool = True
    err_fct: Any = "sse"
    family: Any = None
    exclude: Any = None
    constant_weights: Any = None
    algorithm: Any = DEFAULT_ALGORITHM
    threshold: float | None = THRESHOLD
    stepmax: int = STEPMAX
    rep: int | None = None
    startweights: Any = None
    learningrate: float | None = None
    learningrate_limit: Any = LEARNINGRATE_LIMIT
    learningrate_factor: Any = LEARNINGRATE_FACTOR
    penalty: Any = None
    weights: Any = None
    freq_weights: Any = None
    var_weights: Any = None
    offset: Any = None
    groups: Any = None
    standardize: Any = "auto"
    missing: str = "drop"
    likelihood: bool = False
    lifesign: str = "none"
    lifesign_step: int = 1000
    progress: bool = False
    device: str = "cpu"
    dtype: str = "float64"
    n_jobs: int | None = None
    compat: str | None = None
    random_state: Any = None
    tol: float | None = None
    polish: bool = False
    init: str | None = None
    keep: int | None = None
    epochs: int | None = None
    batch_size: int | None = BATCH_SIZE
    shuffle: bool = True
    validation: Any = None
    early_stopping: Any = None
    augment: Any = None
    callbacks: Any = None
    class_weight: Any = None
    checkpoint: Any = None
    metrics: Any = None
    freeze: Any = None
    dispformula: Any = None
    scale: str | None = None
    towers: Any = None
    orthogonal: bool = True

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        for name in self.names():
            value = getattr(self, name)
            if isinstance(value, str) and type(value) not in (str, DefaultName):  # which may compare in its own way
                put(name, str.__str__(value))
        put("hidden", check_hidden(self.hidden))
        self._check_layers(put)
        self._check_per_row()
        dtype = str(self.dtype) if isinstance(self.dtype, str | np.dtype) else None
        if dtype not in ("float64", "float32"):
            raise ArgumentError(f"dtype must be 'float64' or 'float32', got {shown(self.dtype)}.")
        put("dtype", dtype)
        if self.family is not None:
            family = resolve_family(self.family)
            put("family", self.family if isinstance(self.family, str) else family)
        self._check_dispformula(put)
        if self.scale is not None:
            squares = isinstance(self.err_fct, str) and self.err_fct == "sse" and self.linear_output
            if self.family is None and not squares:
                raise ArgumentError("scale='X2' needs a family, or err_fct='sse' of a linear output.")
            _ = self.distribution  # raises where there is no dispersion
        self._check_algorithm(put)
        self._check_restarts()
        check_epochs(self, put)
        if self.minibatch and self.threshold is THRESHOLD:
            put("threshold", None)
        elif not self.minibatch and self.threshold is None:
            put("threshold", THRESHOLD)
        self._check_device()

    def _check_dispformula(self, put: Callable[[str, Any], None]) -> None:
        if self.dispformula is None:
            return
        check_dispformula(self.dispformula)
        if isinstance(self.dispformula, Mapping):
            put("dispformula", dict(self.dispformula))
        if self.family is None and not (isinstance(self.err_fct, str) and self.err_fct == "sse" and self.linear_output):
            raise ArgumentError("dispformula needs a family, or err_fct='sse' of a linear output.")
        family = self.distribution
        assert isinstance(family, Distributional)
        asked(family, self.dispformula if not family.alike or not isinstance(self.dispformula, Mapping) else None)

    @property
    def distribution(self) -> Family | None:
        """The family, with its dispersion as a parameter where `dispformula` makes it one, estimated where `scale` asks."""
        family = resolve_family(self.family, self.dispformula)
        return family if self.scale is None or family is None else with_dispersion(family)

    def _check_per_row(self) -> None:
        if self.weights is not None and self.var_weights is not None:
            raise ArgumentError(
                "weights and var_weights are the same thing, precision weights (the variance is phi V(mean) / weight): give "
                "one of them. freq_weights says how many equal observations a row stands for."
            )
        for name in ("weights", "freq_weights", "var_weights", "offset", "groups"):
            value = getattr(self, name)
            if isinstance(value, bytes | bool | type) or (value is not None and not hasattr(type(value), "__len__")):
                raise ArgumentError(f"{name} must be {FIT[name].words}; got {shown(value)}.")

    def _check_layers(self, put: Callable[[str, Any], None]) -> None:
        if self.freeze is not None:
            names = (self.freeze,) if isinstance(self.freeze, str) else self.freeze
            if not isinstance(names, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in names):
                raise ArgumentError(f"freeze must be names of layers or arrays, got {shown(self.freeze)}.")
            put("freeze", tuple(map(str.__str__, names)))
        if self.towers is not None:
            if not isinstance(self.towers, Mapping) or not all(isinstance(name, str) for name in self.towers):
                raise ArgumentError(f"towers must be {FIT['towers'].words}, got {shown(self.towers)}.")
            put("towers", {str.__str__(name): checked_layers(own, f"towers: {name!r}") for name, own in self.towers.items()})
        if self.layers is None:
            return
        put("layers", checked_layers(self.layers, "layers"))
        for name, usual in (("hidden", (1,)), ("act_fct", "logistic"), ("compat", None)):
            value = getattr(self, name)
            if not (value is usual or (isinstance(value, str | tuple) and value == usual)):
                raise ArgumentError(f"{name} cannot be combined with layers=, which says what the hidden layers are.")

    def _check_algorithm(self, put: Callable[[str, Any], None]) -> None:
        if isinstance(self.algorithm, str) and self.algorithm in KERAS:
            put("algorithm", self.algorithm.lower())
        if isinstance(self.learningrate, Schedule):  # which the optimizer of that name then has
            name = self.algorithm
            if not isinstance(name, str) or name not in MINIBATCH:
                belongs = f"to {', '.join(map(repr, MINIBATCH))}" if isinstance(name, str) else "into the optimizer itself"
                raise ArgumentError(f"learningrate: a schedule belongs {belongs}; algorithm={shown(name)}.")
            put("algorithm", replace(MINIBATCH[name], learning_rate=self.learningrate))
            put("learningrate", None)
        known = isinstance(self.algorithm, str) and self.algorithm in ALGORITHMS
        if not known and not isinstance(self.algorithm, Optimizer):
            raise ArgumentError(
                f"algorithm: unknown algorithm {shown(self.algorithm)}. Known: {', '.join(map(repr, ALGORITHMS))}; "
                "or an instance from neuralstat.optimizers."
            )
        limit = LEARNINGRATE_LIMIT if self.learningrate_limit is None else self.learningrate_limit
        put("learningrate_limit", check_pair(limit, "learningrate_limit", "min", "max"))
        if self.learningrate_limit[0] > self.learningrate_limit[1]:
            raise ArgumentError(
                f"learningrate_limit: min must not exceed max, got {self.learningrate_limit!r}."
            )
        factor = LEARNINGRATE_FACTOR if self.learningrate_factor is None else self.learningrate_factor
        put("learningrate_factor", check_pair(factor, "learningrate_factor", "minus", "plus"))
        if self.compat != "R" and not self.learningrate_factor[0] <= 1 <= self.learningrate_factor[1]:
            raise ArgumentError(f"learningrate_factor: minus must be at most 1, plus at least 1; got {shown(factor)}.")
        self._check_unused()
        if self.algorithm in RATE_ALGORITHMS and self.learningrate is None:
            raise ArgumentError(
                f"learningrate must be given where algorithm={self.algorithm!r}: a number > 0."
            )

    def _check_unused(self) -> None:
        """Refuse what only R's algorithms have, where another one is asked for (R's own have what they do not use)."""
        if isinstance(self.algorithm, str) and self.algorithm in CODES:
            return
        for name, usual in (("learningrate_limit", LEARNINGRATE_LIMIT), ("learningrate_factor", LEARNINGRATE_FACTOR)):
            if getattr(self, name) != usual:
                raise ArgumentError(f"{name} belongs to R's algorithms: algorithm={self.algorithm!r} does not use it.")
        if self.learningrate is not None and not self.minibatch:
            known = "'backprop' and the minibatch optimizers"
            raise ArgumentError(f"learningrate belongs to {known}: algorithm={self.algorithm!r} does not use it.")

    def _check_restarts(self) -> None:
        if self.keep is not None and self.keep > self.repetitions:
            raise ArgumentError(f"keep={self.keep} of rep={self.repetitions} repetitions: keep must be at most rep.")

    @property
    def repetitions(self) -> int:
        """Networks that are begun: `rep`, else as many as start weights were given for, else `REPETITIONS` or 1.

        One where there is one optimum (no hidden units, but for mixtures), for fits by epochs, and as R does under
        ``compat="R"``.
        """
        if self.rep is not None:
            return self.rep
        if self.startweights is not None:
            return given_repetitions(self.startweights)
        linear = self.layers is None and not self.hidden and not isinstance(self.distribution, Mixture)
        single = self.compat == "R" or self.minibatch or linear
        return 1 if single else REPETITIONS

    @property
    def scaled(self) -> bool | str:
        """What a design is told: "auto" scales tabular covariates, and is False under ``compat="R"``."""
        return False if self.compat == "R" and self.standardize == "auto" else self.standardize

    @property
    def exact(self) -> bool:
        """Whether the fit goes straight to its optimum: no hidden units, and no algorithm or rule of one asked for."""
        return (
            isinstance(self.algorithm, DefaultName) and self.layers is None and not self.hidden and self.compat is None
            and self.device == "cpu" and self.tol is None and self.learningrate is None
            and self.learningrate_limit == LEARNINGRATE_LIMIT and self.learningrate_factor == LEARNINGRATE_FACTOR
        )  # fmt: skip

    @property
    def full_threshold(self) -> float:
        """The threshold of a fit by a full-batch algorithm, which always has one."""
        assert self.threshold is not None
        return self.threshold

    @property
    def kept(self) -> int:
        """Repetitions that are trained to the end."""
        return self.repetitions if self.keep is None else self.keep

    def _check_device(self) -> None:
        if not isinstance(self.device, str) or not re.fullmatch("cpu|cuda(:[0-9]+)?", self.device):
            raise ArgumentError(f"device must be 'cpu', 'cuda' or 'cuda:<number>', got {shown(self.device)}.")

    @property
    def start_init(self) -> str:
        """`init`; unless given "keras" with `layers`, "glorot" for fits by epochs, and "normal" (R's) for others."""
        if self.layers is not None:
            return self.init or "keras"
        return self.init or ("glorot" if self.minibatch else "normal")

    @property
    def minibatch(self) -> bool:
        """Whether the algorithm is a minibatch optimizer."""
        return optimizer_of(self) is not None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the arguments."""
        return tuple(f.name for f in fields(cls))


def checked_layers(given: Any, argument: str) -> Any:
    """Layers as a tuple of their own (a list would be shared with the caller), or the graph that ends in a node.

    Raises
    ------
    ArgumentError
        Where they are no layers, too many, or two have one name.
    """
    if isinstance(given, Node):
        given = Graph.of(given)
    if not isinstance(given, Graph):
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise ArgumentError(f"{argument} must be a sequence of neuralstat.layers, got {shown(given)}.")
        if len(given) > MOST_LAYERS:
            raise ArgumentError(f"{argument} must be at most {MOST_LAYERS}, got {len(given)}.")
        for layer in given:
            if not isinstance(layer, (*LAYERS.values(), Node)):
                raise ArgumentError(
                    f"{argument} must hold layers, as neuralstat.layers.Dense(3, 'relu'), got {shown(layer)}."
                )
        given = tuple(given)
    flat = expanded(given, argument)
    if len(flat.layers) > MOST_LAYERS:
        raise ArgumentError(f"{argument} must be at most {MOST_LAYERS}, got {len(flat.layers)}.")
    layer_names(flat.layers)
    return given
