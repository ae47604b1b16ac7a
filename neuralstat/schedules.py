"""Learning-rate schedules for the minibatch optimizers: ``learning_rate=ns.schedules.Exponential(0.01, steps=20)``.

A step is one update, counted from 0; with ``per="epoch"`` the count is that of epochs, from 0, and `steps` and
`boundaries` are in epochs.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from .checks.arguments import NONE, NOT_NEGATIVE, POSITIVE, SHARE, Choice, Number, Numbers, Several, Whole, arguments
from .errors import ArgumentError

PER = Choice("step", "epoch")
MOST_STEPS = Number(above=0.0, most=1e15)  # what is compared with numbers of steps
_STEPS = Whole(0, 2**53)
_DIVIDE = Number(1.0, 1e100)
_when = arguments(t=Numbers(None), total=NOT_NEGATIVE)


@dataclass(frozen=True)
class Schedule:
    """Base of the schedules."""

    @_when
    def at(self, t: np.ndarray, total: float) -> np.ndarray:
        """Rates at steps (or epochs) `t`, where training has `total` of them."""
        raise NotImplementedError

    @arguments(first=_STEPS, count=Whole(), per_epoch=Whole(1, 2**53), total=_STEPS)
    def rates(self, first: int, count: int, per_epoch: int, total: int) -> np.ndarray:
        """Learning rates of steps ``first ... first + count - 1``.

        Parameters
        ----------
        first, count : int
            Steps, counted from 0.
        per_epoch, total : int
            Steps in an epoch and in the whole training.

        Returns
        -------
        (count,) float64 array
        """
        t = first + np.arange(count)
        by_epoch = getattr(self, "per", "step") == "epoch"
        with np.errstate(over="ignore", under="ignore"):
            if by_epoch:
                return self.at((t // max(per_epoch, 1)).astype(float), total / max(per_epoch, 1))
            return self.at(t.astype(float), float(total))

    def to_plain(self) -> dict[str, Any]:
        """The schedule as plain data; see `from_plain`."""
        return {"schedule": type(self).__name__, **asdict(self)}


@arguments(initial_rate=POSITIVE, steps=MOST_STEPS, power=Number(0.0, 1000.0), per=PER)
@dataclass(frozen=True)
class Power(Schedule):
    """``initial_rate / (1 + t / steps) ** power``.

    Parameters
    ----------
    initial_rate : float
    steps : float
        Steps (or epochs) after which the rate is ``2 ** -power`` of the initial one.
    power : float
    per : {"step", "epoch"}

    Examples
    --------
    >>> import neuralstat as ns
    >>> schedule = ns.schedules.Power(0.1, steps=2)
    >>> schedule.rates(0, 5, per_epoch=1, total=5).round(3)  # half after 2 steps, a third after 4
    array([0.1  , 0.067, 0.05 , 0.04 , 0.033])
    """

    initial_rate: float
    steps: float
    power: float = 1.0
    per: str = "step"

    @_when
    def at(self, t: np.ndarray, total: float) -> np.ndarray:
        """See `Schedule.at`."""
        return self.initial_rate / (1 + t / self.steps) ** self.power


@arguments(initial_rate=POSITIVE, steps=MOST_STEPS, factor=POSITIVE, per=PER)
@dataclass(frozen=True)
class Exponential(Schedule):
    """``initial_rate * factor ** (t / steps)``: by default a tenth every `steps` steps.

    Parameters
    ----------
    initial_rate, steps : float
    factor : float
    per : {"step", "epoch"}

    Examples
    --------
    >>> import neuralstat as ns
    >>> schedule = ns.schedules.Exponential(0.1, steps=100)
    >>> schedule.rates(0, 4, per_epoch=1, total=4).round(4)  # a tenth after 100 steps
    array([0.1   , 0.0977, 0.0955, 0.0933])
    """

    initial_rate: float
    steps: float
    factor: float = 0.1
    per: str = "step"

    @_when
    def at(self, t: np.ndarray, total: float) -> np.ndarray:
        """See `Schedule.at`."""
        return self.initial_rate * self.factor ** (t / self.steps)


@arguments(boundaries=Several(NOT_NEGATIVE, 0, 10_000), values=Several(POSITIVE, 1, 10_001), per=PER)
@dataclass(frozen=True)
class Piecewise(Schedule):
    """Constant rates: ``values[0]`` as long as ``t <= boundaries[0]``, then ``values[1]``, and so on.

    Parameters
    ----------
    boundaries : sequence of float
        Ascending.
    values : sequence of float
        One more than boundaries.
    per : {"step", "epoch"}

    Examples
    --------
    >>> import neuralstat as ns
    >>> schedule = ns.schedules.Piecewise((2, 4), (0.1, 0.01, 0.001))
    >>> schedule.rates(0, 7, per_epoch=1, total=7)
    array([0.1  , 0.1  , 0.1  , 0.01 , 0.01 , 0.001, 0.001])
    """

    boundaries: tuple[float, ...]
    values: tuple[float, ...]
    per: str = "step"

    def __post_init__(self) -> None:
        boundaries, values = self.boundaries, self.values
        if len(values) != len(boundaries) + 1:
            raise ArgumentError(
                f"Piecewise: values must be one more than boundaries ({len(boundaries)}), got {len(values)}."
            )
        if any(b <= a for a, b in itertools.pairwise(boundaries)):
            raise ArgumentError(f"Piecewise: boundaries must ascend, got {boundaries}.")

    @_when
    def at(self, t: np.ndarray, total: float) -> np.ndarray:
        """See `Schedule.at`."""
        return np.array(self.values)[np.searchsorted(np.array(self.boundaries), t, side="left")]


@arguments(
    initial_rate=POSITIVE, factor=SHARE, patience=Whole(1), min_delta=NOT_NEGATIVE, cooldown=Whole(0), min_rate=NOT_NEGATIVE,
)  # fmt: skip
@dataclass(frozen=True)
class Performance(Schedule):
    """The rate is multiplied by `factor` when the validation loss has not improved for `patience` epochs.

    Without validation data the training loss is watched.

    Parameters
    ----------
    initial_rate : float
    factor : float
        In (0, 1).
    patience : int
        Epochs without improvement.
    min_delta : float
        Only a loss that is lower by more than this is an improvement.
    cooldown : int
        Epochs after a change during which nothing is counted.
    min_rate : float
        Least rate.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    >>> slower = ns.schedules.Performance(0.1, patience=3, min_delta=0.01)
    >>> settings = {"algorithm": "adam", "learningrate": slower, "epochs": 30, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, hidden=2, **settings)
    >>> fit.history["learning_rate"].unique().round(6)[:4].tolist()
    [0.1, 0.01, 0.001, 0.0001]
    """

    initial_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    cooldown: int = 0
    min_rate: float = 0.0

    @_when
    def at(self, t: np.ndarray, total: float) -> np.ndarray:
        """The initial rate: what has happened since is known to the running fit only."""
        return np.full(t.shape, self.initial_rate)


@arguments(
    max_rate=POSITIVE, divide=_DIVIDE, final_divide=_DIVIDE, tail=Number(0.0, below=1.0), steps=NONE | MOST_STEPS, per=PER,
)  # fmt: skip
@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from ``max_rate / divide`` to `max_rate` and down again along straight lines, then down to almost nothing.

    The last `tail` of the steps goes from ``max_rate / divide`` to ``max_rate / final_divide``; the rest is halved
    between up and down.

    Parameters
    ----------
    max_rate : float
    divide, final_divide : float
    tail : float
        Share of the steps, in [0, 1).
    steps : float, optional
        Length of the cycle; the whole training unless given.
    per : {"step", "epoch"}

    References
    ----------
    Smith & Topin (2019), Super-convergence, SPIE 11006:369.

    Examples
    --------
    >>> import neuralstat as ns
    >>> schedule = ns.schedules.OneCycle(0.1, steps=10)
    >>> schedule.rates(0, 10, per_epoch=1, total=10).round(3)
    array([0.01 , 0.032, 0.054, 0.077, 0.099, 0.079, 0.057, 0.034, 0.012,
           0.   ])
    """

    max_rate: float
    divide: float = 10.0
    final_divide: float = 10_000.0
    tail: float = 0.1
    steps: float | None = None
    per: str = "step"

    @_when
    def at(self, t: np.ndarray, total: float) -> np.ndarray:
        """See `Schedule.at`."""
        end = max((total if self.steps is None else self.steps) - 1, 1)
        down = end * (1 - self.tail)
        low, last = self.max_rate / self.divide, self.max_rate / self.final_divide
        if self.tail == 0:
            return np.interp(t, [0, down / 2, down], [low, self.max_rate, low])
        return np.interp(t, [0, down / 2, down, end], [low, self.max_rate, low, last])


SCHEDULES: dict[str, type[Schedule]] = {s.__name__: s for s in (Power, Exponential, Piecewise, Performance, OneCycle)}
__all__ = list(SCHEDULES)


def from_plain(stored: Any) -> Schedule:
    """Rebuild a schedule from `Schedule.to_plain`.

    Raises
    ------
    ArgumentError
        Where it is none.
    """
    name = stored.get("schedule") if isinstance(stored, dict) else None
    if isinstance(name, str) and name in SCHEDULES:
        kind = SCHEDULES[name]
        values = {k: v for k, v in stored.items() if k != "schedule"}
        if set(values) <= {f.name for f in fields(kind)}:
            return kind(**values)
    raise ArgumentError(f"not a schedule: {stored!r:.80}")
