"""Arguments of layers with weights, as Keras has them: start values, penalties, and constraints of arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..checks.arguments import FLAG, NONE, NOT_NEGATIVE, POSITIVE, Choice, Instance, Number, Several, Whole, arguments
from ..errors import ArgumentError

#: Name -> (scale, what it is divided by, distribution): weights of variance scale / fan, see `network.arrays`
VARIANCE = {
    "glorot_uniform": (1.0, "average", "uniform"), "glorot_normal": (1.0, "average", "normal"),
    "he_uniform": (2.0, "in", "uniform"), "he_normal": (2.0, "in", "normal"),
    "lecun_uniform": (1.0, "in", "uniform"), "lecun_normal": (1.0, "in", "normal"),
}  # fmt: skip
INITIALIZERS = (*VARIANCE, "orthogonal", "uniform", "random_uniform", "random_normal", "truncated_normal", "zeros", "ones")


class Regularizer:
    """Base of the penalties of a layer's array, which are added to the mean loss."""

    l1: float = 0.0
    l2: float = 0.0


@arguments(l1=NOT_NEGATIVE)
@dataclass(frozen=True)
class L1(Regularizer):
    """Adds ``l1 * sum |w|`` to the mean loss.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, L1
    >>> import neuralstat as ns
    >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 20, "random_state": 1}
    >>> layers = {"free": Dense(4, "tanh"), "held": Dense(4, "tanh", kernel_regularizer=L1(0.1))}
    >>> size = {}
    >>> for name, layer in layers.items():
    ...     fit = ns.neuralnet("y ~ .", data, layers=[layer], **settings)
    ...     size[name] = np.abs(fit.get_weights()["dense/kernel"]).mean()
    >>> bool(size["held"] < size["free"])
    True
    """

    l1: float = 0.01


@arguments(l2=NOT_NEGATIVE)
@dataclass(frozen=True)
class L2(Regularizer):
    """Adds ``l2 * sum w^2`` to the mean loss.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, L2
    >>> import neuralstat as ns
    >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 20, "random_state": 1}
    >>> layers = {"free": Dense(4, "tanh"), "held": Dense(4, "tanh", kernel_regularizer=L2(0.1))}
    >>> size = {}
    >>> for name, layer in layers.items():
    ...     fit = ns.neuralnet("y ~ .", data, layers=[layer], **settings)
    ...     size[name] = np.abs(fit.get_weights()["dense/kernel"]).mean()
    >>> bool(size["held"] < size["free"])
    True
    """

    l2: float = 0.01


@arguments(l1=NOT_NEGATIVE, l2=NOT_NEGATIVE)
@dataclass(frozen=True)
class L1L2(Regularizer):
    """Adds ``l1 * sum |w| + l2 * sum w^2`` to the mean loss.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, L1L2
    >>> import neuralstat as ns
    >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 20, "random_state": 1}
    >>> layers = {"free": Dense(4, "tanh"), "held": Dense(4, "tanh", kernel_regularizer=L1L2(0.1, 0.1))}
    >>> size = {}
    >>> for name, layer in layers.items():
    ...     fit = ns.neuralnet("y ~ .", data, layers=[layer], **settings)
    ...     size[name] = np.abs(fit.get_weights()["dense/kernel"]).mean()
    >>> bool(size["held"] < size["free"])
    True
    """

    l1: float = 0.0
    l2: float = 0.0


class Constraint:
    """Base of the constraints of a layer's array, which hold after each step."""

    axis: Any = 0

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """A row of limits; see `optimizers.constraints`."""
        raise NotImplementedError


_AXIS = Whole() | Several(Whole(), 1, 8)


@arguments(max_value=POSITIVE, axis=_AXIS)
@dataclass(frozen=True)
class MaxNorm(Constraint):
    """Norms along `axis` are at most `max_value`: of the weights into each unit of a Dense layer.

    Parameters
    ----------
    max_value : float
    axis : int or sequence of int
        Of the array, along which norms are taken: 0 for dense kernels, (0, 1, 2) for those of Conv2D.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, MaxNorm
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=60, noise=0.1, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 30, "random_state": 1}
    >>> layer = Dense(4, "tanh", kernel_constraint=MaxNorm(0.5))
    >>> fit = ns.neuralnet("y ~ x", data, layers=[layer], standardize=False, **settings)
    >>> kernel = fit.get_weights()["dense/kernel"]
    >>> float(np.linalg.norm(kernel, axis=0).max().round(3))
    0.499
    """

    max_value: float = 2.0
    axis: Any = 0

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """See `Constraint`."""
        return 0.0, 0.0, self.max_value, 1.0


@arguments(axis=_AXIS)
@dataclass(frozen=True)
class UnitNorm(Constraint):
    """Norms along `axis` are 1; see `MaxNorm`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, UnitNorm
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=60, noise=0.1, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 30, "random_state": 1}
    >>> layer = Dense(4, "tanh", kernel_constraint=UnitNorm())
    >>> fit = ns.neuralnet("y ~ x", data, layers=[layer], standardize=False, **settings)
    >>> kernel = fit.get_weights()["dense/kernel"]
    >>> np.linalg.norm(kernel, axis=0).round(3)
    array([1., 1., 1., 1.])
    """

    axis: Any = 0

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """See `Constraint`."""
        return 0.0, 1.0, 1.0, 1.0


@arguments(min_value=NOT_NEGATIVE, max_value=POSITIVE, rate=Number(0.0, 1.0), axis=_AXIS)
@dataclass(frozen=True)
class MinMaxNorm(Constraint):
    """Norms along `axis` are moved the share `rate` of the way into ``[min_value, max_value]``; see `MaxNorm`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, MinMaxNorm
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=60, noise=0.1, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 30, "random_state": 1}
    >>> layer = Dense(4, "tanh", kernel_constraint=MinMaxNorm(0.4, 0.5))
    >>> fit = ns.neuralnet("y ~ x", data, layers=[layer], standardize=False, **settings)
    >>> kernel = fit.get_weights()["dense/kernel"]
    >>> np.linalg.norm(kernel, axis=0).round(3)
    array([0.499, 0.499, 0.498, 0.498])
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: Any = 0

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """See `Constraint`."""
        return 0.0, self.min_value, self.max_value, self.rate


@arguments()
@dataclass(frozen=True)
class NonNeg(Constraint):
    """Weights are not negative.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, NonNeg
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=60, noise=0.1, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 30, "random_state": 1}
    >>> layer = Dense(4, "tanh", kernel_constraint=NonNeg())
    >>> fit = ns.neuralnet("y ~ x", data, layers=[layer], standardize=False, **settings)
    >>> kernel = fit.get_weights()["dense/kernel"]
    >>> bool(kernel.min() >= 0)
    True
    """

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """See `Constraint`."""
        return 1.0, 0.0, 0.0, 0.0


REGULARIZERS: dict[str, type[Regularizer]] = {"L1": L1, "L2": L2, "L1L2": L1L2}
CONSTRAINTS: dict[str, Any] = {c.__name__: c for c in (MaxNorm, UnitNorm, MinMaxNorm, NonNeg)}
_NAMED_REGULARIZERS = {"l1": L1(), "l2": L2()}
_NAMED_CONSTRAINTS = {"max_norm": MaxNorm(), "unit_norm": UnitNorm(), "min_max_norm": MinMaxNorm(), "non_neg": NonNeg()}

USE_BIAS = FLAG
INITIALIZER = Choice(*INITIALIZERS)
REGULARIZER = NONE | Choice("l1", "l2") | NOT_NEGATIVE | Instance(Regularizer, "one of L1, L2, L1L2", L2(0.1), L1L2(0.1, 0.2))
CONSTRAINT = NONE | Choice(*_NAMED_CONSTRAINTS) | Instance(
    Constraint, "one of MaxNorm, UnitNorm, MinMaxNorm, NonNeg", MaxNorm(3)
)


def of_arrays(*roles: str) -> dict[str, Any]:
    """Kinds of the arguments of arrays: ``kernel_initializer``, ``kernel_regularizer``, ``kernel_constraint``, ..."""
    return {
        f"{role}_{what}": kind for role in roles
        for what, kind in (("initializer", INITIALIZER), ("regularizer", REGULARIZER), ("constraint", CONSTRAINT))
    }  # fmt: skip


def _role(layer: Any, array: str) -> str:
    """What an array's arguments begin with: ``recurrent`` for ``recurrent_kernel``."""
    if array == "kernel" and hasattr(layer, "depthwise_initializer"):
        return "depthwise"
    return array.removesuffix("_kernel")


def initializer_of(layer: Any, array: str) -> str | None:
    """Name of an array's initializer; None where the layer has no such argument."""
    return getattr(layer, f"{_role(layer, array)}_initializer", None)


def regularizer_of(layer: Any, array: str) -> Regularizer | None:
    """An array's penalty; a number is `L2`'s."""
    given = getattr(layer, f"{_role(layer, array)}_regularizer", None)
    if isinstance(given, str):
        return _NAMED_REGULARIZERS[given]
    return L2(given) if isinstance(given, int | float) else given


def constraint_of(layer: Any, array: str) -> Constraint | None:
    """An array's constraint."""
    given = getattr(layer, f"{_role(layer, array)}_constraint", None)
    return _NAMED_CONSTRAINTS[given] if isinstance(given, str) else given


def as_plain(value: Any) -> Any:
    """A layer's argument as plain data: penalties and constraints as dicts; see `built`."""
    if isinstance(value, Regularizer | Constraint):
        return {"of weights": type(value).__name__, **{f.name: getattr(value, f.name) for f in fields(value)}}  # type: ignore[arg-type]
    return value


def built(value: Any) -> Any:
    """What `as_plain` was given.

    Raises
    ------
    ArgumentError
        Where a dict describes no penalty or constraint.
    """
    if not isinstance(value, dict):
        return value
    kind = {**REGULARIZERS, **CONSTRAINTS}.get(str(value.get("of weights")))
    values = {k: v for k, v in value.items() if k != "of weights"}
    if kind is None or not set(values) <= {f.name for f in fields(kind)}:
        raise ArgumentError(f"no penalty or constraint of weights: {value!r:.80}")
    return kind(**values)
