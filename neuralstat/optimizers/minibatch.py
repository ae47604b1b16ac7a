"""Settings of the first-order minibatch optimizers, with Keras 3's argument names and defaults."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

import numpy as np

from ..checks.arguments import FLAG, NONE, NOT_NEGATIVE, POSITIVE, Instance, Kind, Number, arguments
from ..errors import ArgumentError
from ..schedules import Exponential, Schedule
from ..schedules import from_plain as schedule_from_plain
from . import first_order as codes
from .base import Optimizer

_CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
_RATE = POSITIVE | Instance(Schedule, "one of neuralstat.schedules", Exponential(0.01, 20.0))
_MEAN = Number(0.0, below=1.0)  # what of a running mean is kept
_OPTIONAL = {"weight_decay": NONE | NOT_NEGATIVE, **dict.fromkeys(_CLIPS, NONE | POSITIVE)}
_SHARED: dict[str, Kind] = {"learning_rate": _RATE, **_OPTIONAL}


@dataclass(frozen=True, repr=False)
class MinibatchOptimizer(Optimizer):
    """Base of the minibatch optimizers; the arguments that all of them have.

    They step along the batch mean of the gradient, as Keras does (R's algorithms use sums).

    Parameters
    ----------
    learning_rate : float or Schedule
        A number, or one of `neuralstat.schedules`.
    weight_decay : float, optional
        Every step takes ``weight_decay * learning_rate * w`` off each weight, apart from the gradient (decoupled).
    clipnorm : float, optional
        Largest Euclidean norm of the gradient of each weight array (a layer's kernel, its biases).
    global_clipnorm : float, optional
        Largest norm of the whole gradient.
    clipvalue : float, optional
        Largest absolute element. Only one of the three may be given.
    """

    learning_rate: Any = 0.001
    _: KW_ONLY
    weight_decay: float | None = None
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    clipvalue: float | None = None

    def __post_init__(self) -> None:
        given = [name for name in _CLIPS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ArgumentError(f"{type(self).__name__}: only one of clipnorm, global_clipnorm and clipvalue is possible; "
                                f"got {' and '.join(given)}.")  # fmt: skip

    def __repr__(self) -> str:
        given = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in given)})"

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name for ``algorithm=``."""
        return type(self).__name__.lower()

    @property
    def code(self) -> int:
        """What kernels are told."""
        raise NotImplementedError

    @property
    def slots(self) -> int:
        """Vectors of memory."""
        raise NotImplementedError

    @property
    def initial(self) -> float:
        """What the memory starts with."""
        return 0.0

    def settings(self) -> np.ndarray:
        """What kernels see, (SETTINGS,) float64."""
        out = np.zeros(codes.SETTINGS)
        places = {
            "weight_decay": codes.DECAY, "epsilon": codes.EPSILON, "momentum": codes.MOVE, "rho": codes.RHO,
            "beta_1": codes.BETA1, "beta_2": codes.BETA2, "centered": codes.CENTERED, "clipvalue": codes.CLIP_VALUE,
            "clipnorm": codes.CLIP_NORM, "global_clipnorm": codes.CLIP_GLOBAL,
        }  # fmt: skip
        for name, place in places.items():
            value = getattr(self, name, None)
            out[place] = 0.0 if value is None else float(value)
        return out

    def rates(self, first: int, count: int, per_epoch: int, total: int) -> np.ndarray:
        """Learning rates of `count` steps; see `schedules.Schedule.rates`."""
        if isinstance(self.learning_rate, Schedule):
            return self.learning_rate.rates(first, count, per_epoch, total)
        return np.full(count, self.learning_rate)

    def to_plain(self) -> dict[str, Any]:
        """The optimizer as plain data; see `from_plain`."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if isinstance(self.learning_rate, Schedule):
            values["learning_rate"] = self.learning_rate.to_plain()
        return {"optimizer": type(self).__name__, **values}


@arguments(**_SHARED, momentum=Number(0.0, 1.0), nesterov=FLAG)
@dataclass(frozen=True, repr=False)
class SGD(MinibatchOptimizer):
    """Gradient descent, with momentum where `momentum` > 0.

    ``v = momentum v - rate g; w = w + v``; with `nesterov` ``w = w + momentum v - rate g``.

    Parameters
    ----------
    momentum : float
    nesterov : bool
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.SGD(0.01, momentum=0.9), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.267, 0.134]
    """

    learning_rate: Any = 0.01
    _: KW_ONLY
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def code(self) -> int:
        """See `MinibatchOptimizer`."""
        return codes.SGD if self.momentum == 0 else codes.NESTEROV if self.nesterov else codes.MOMENTUM

    @property
    def slots(self) -> int:
        """See `MinibatchOptimizer`."""
        return int(self.momentum > 0)


@arguments(**_SHARED, initial_accumulator_value=NOT_NEGATIVE, epsilon=NOT_NEGATIVE)
@dataclass(frozen=True, repr=False)
class Adagrad(MinibatchOptimizer):
    """``a = a + g^2; w = w - rate g / sqrt(a + epsilon)``.

    Parameters
    ----------
    initial_accumulator_value : float
        First value of a.
    epsilon : float
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.Adagrad(0.1), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.207, 0.116]
    """

    _: KW_ONLY
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    code = codes.ADAGRAD
    slots = 1

    @property
    def initial(self) -> float:
        """See `MinibatchOptimizer`."""
        return self.initial_accumulator_value


@arguments(**_SHARED, rho=_MEAN, momentum=Number(0.0, 1.0), epsilon=NOT_NEGATIVE, centered=FLAG)
@dataclass(frozen=True, repr=False)
class RMSprop(MinibatchOptimizer):
    """``s = rho s + (1 - rho) g^2; w = w - rate g / sqrt(s + epsilon)``.

    Parameters
    ----------
    rho, momentum, epsilon : float
    centered : bool
        Divides by the standard deviation of the gradient instead of its root mean square.
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.RMSprop(0.01), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.226, 0.15]
    """

    _: KW_ONLY
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False
    code = codes.RMSPROP

    @property
    def slots(self) -> int:
        """See `MinibatchOptimizer`."""
        return 3 if self.momentum > 0 or self.centered else 1


@arguments(**_SHARED, beta_1=_MEAN, beta_2=_MEAN, epsilon=NOT_NEGATIVE, amsgrad=FLAG)
@dataclass(frozen=True, repr=False)
class Adam(MinibatchOptimizer):
    """``m = m + (1 - beta_1) (g - m); v = v + (1 - beta_2) (g^2 - v); w = w - alpha_t m / (sqrt(v) + epsilon)``.

    ``alpha_t = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)`` corrects the bias of the means.

    Parameters
    ----------
    beta_1, beta_2, epsilon : float
    amsgrad : bool
        Divides by the largest v so far.
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.Adam(0.01), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.258, 0.164]
    """

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    @property
    def code(self) -> int:
        """See `MinibatchOptimizer`."""
        return codes.AMSGRAD if self.amsgrad else codes.ADAM

    @property
    def slots(self) -> int:
        """See `MinibatchOptimizer`."""
        return 3 if self.amsgrad else 2


@arguments(**_SHARED, beta_1=_MEAN, beta_2=_MEAN, epsilon=NOT_NEGATIVE, amsgrad=FLAG)
@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """`Adam` with decoupled weight decay, 0.004 unless given.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.AdamW(0.01, weight_decay=0.01), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.258, 0.164]
    """

    _: KW_ONLY
    weight_decay: float | None = 0.004


@arguments(**_SHARED, beta_1=_MEAN, beta_2=_MEAN, epsilon=NOT_NEGATIVE)
@dataclass(frozen=True, repr=False)
class Nadam(MinibatchOptimizer):
    """`Adam` that looks ahead by Nesterov's momentum, which grows with the steps: ``u_t = beta_1 (1 - 0.96^t / 2)``.

    ``w = w - rate (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)`` with U the
    product of all u (Dozat 2016, ICLR workshop).

    Parameters
    ----------
    beta_1, beta_2, epsilon : float
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.Nadam(0.01), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.256, 0.164]
    """

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    code = codes.NADAM
    slots = 2


@arguments(**_SHARED, rho=_MEAN, epsilon=NOT_NEGATIVE)
@dataclass(frozen=True, repr=False)
class Adadelta(MinibatchOptimizer):
    """``d = sqrt(a + epsilon) g / sqrt(s + epsilon); w = w - rate d`` with running means s of g^2 and a of d^2.

    Zeiler 2012, arXiv:1212.5701, where `learning_rate` is 1.

    Parameters
    ----------
    rho, epsilon : float
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.Adadelta(1.0), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.271, 0.197]
    """

    _: KW_ONLY
    rho: float = 0.95
    epsilon: float = 1e-7
    code = codes.ADADELTA
    slots = 2


@arguments(**_SHARED, beta_1=_MEAN, beta_2=_MEAN, epsilon=NOT_NEGATIVE)
@dataclass(frozen=True, repr=False)
class Adamax(MinibatchOptimizer):
    """`Adam` by the largest gradient: ``u = max(beta_2 u, |g|); w = w - rate / (1 - beta_1^t) m / (u + epsilon)``.

    Parameters
    ----------
    beta_1, beta_2, epsilon : float
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.Adamax(0.01), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.259, 0.181]
    """

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    code = codes.ADAMAX
    slots = 2


@arguments(**_SHARED, beta_1=Number(above=0.0, most=1.0), beta_2=_MEAN)
@dataclass(frozen=True, repr=False)
class Lion(MinibatchOptimizer):
    """``w = w - rate sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g`` (Chen et al. 2023, arXiv:2302.06675).

    Parameters
    ----------
    beta_1, beta_2 : float
    learning_rate, weight_decay, clipnorm, global_clipnorm, clipvalue
        See `MinibatchOptimizer`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=100, noise=0.1, random_state=1)
    >>> settings = {"hidden": 4, "act_fct": "tanh", "epochs": 20, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, algorithm=ns.optimizers.Lion(0.003), **settings)
    >>> fit.history["loss"].iloc[[0, -1]].round(3).tolist()
    [0.268, 0.202]
    """

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.99
    code = codes.LION
    slots = 1


MINIBATCH: dict[str, MinibatchOptimizer] = {
    "sgd": SGD(), "momentum": SGD(momentum=0.9), "nesterov": SGD(momentum=0.9, nesterov=True), "adagrad": Adagrad(),
    "rmsprop": RMSprop(), "adam": Adam(), "adamw": AdamW(), "nadam": Nadam(), "adadelta": Adadelta(),
    "adamax": Adamax(), "lion": Lion(),
}  # fmt: skip
CLASSES: dict[str, type[MinibatchOptimizer]] = {
    c.__name__: c for c in (SGD, Adagrad, RMSprop, Adam, AdamW, Nadam, Adadelta, Adamax, Lion)
}


def from_plain(stored: Any) -> MinibatchOptimizer:
    """Rebuild an optimizer from `MinibatchOptimizer.to_plain`.

    Raises
    ------
    ArgumentError
        Where it is none.
    """
    name = stored.get("optimizer") if isinstance(stored, dict) else None
    if isinstance(name, str) and name in CLASSES:
        kind = CLASSES[name]
        values = {k: v for k, v in stored.items() if k != "optimizer"}
        if isinstance(values.get("learning_rate"), dict):
            values["learning_rate"] = schedule_from_plain(values["learning_rate"])
        if set(values) <= {f.name for f in fields(kind)}:
            return kind(**values)
    raise ArgumentError(f"not an optimizer: {stored!r:.80}")
