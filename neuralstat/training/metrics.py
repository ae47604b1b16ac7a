"""Metrics: what a fit is measured by beside its loss, at the end of an epoch and on other data.

A metric takes responses and predictions in the response's units, (K, m) each, and weights (m,), and returns a number.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import is_real, shown
from ..checks.values import told
from ..engine import batches
from ..errors import ArgumentError, DataError
from ..families.family import CLIP
from ..functions.losses import MULTINOMIAL, SSE
from ..network import derivatives

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from ..formula import Design
    from ..network.network import Network
    from ..network.objective import Objective
    from .settings import Settings
    from .stopping import EarlyStopping

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
CLASSES = ("accuracy", "auc", "top_k", "log_loss", "brier")  # which need a factor or 0/1 response


# losses of rows: responses and predictions (K, m) to (m,) -----------------------------------------------------


def squared_errors(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Squared errors, their mean over outputs."""
    return np.mean((y - mu) ** 2, axis=0)


def absolute_errors(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Absolute errors, their mean over outputs."""
    return np.mean(np.abs(y - mu), axis=0)


def both_classes(y: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indicators and probabilities (C, m) of the classes; one output is the probability of the second of two."""
    return (np.vstack([1 - y, y]), np.vstack([1 - mu, mu])) if len(y) == 1 else (y, mu)


def log_losses(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """-log of the probability of the row's class; probabilities add up to one."""
    y, p = both_classes(y, mu)
    p = np.clip(p, CLIP, 1.0)
    return -np.sum(y * np.log(p / p.sum(axis=0)), axis=0)


def brier_scores(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Squared distances of probabilities to indicators (of one output: of one class)."""
    return np.sum((y - mu) ** 2, axis=0)


def hits(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Whether the most probable class is the row's; a tie goes to the first, as in ``predict(type="class")``."""
    y, mu = both_classes(y, mu)
    return y.argmax(axis=0) == mu.argmax(axis=0)


# metrics: responses, predictions and weights to a number --------------------------------------------------------


def _averaged(losses: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Metric:
    """The metric that is the weighted mean of losses."""
    return lambda y, mu, w: float(np.average(losses(y, mu), weights=w))


def rmse(y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> float:
    """Root of the mean squared error."""
    return math.sqrt(np.average(squared_errors(y, mu), weights=w))


def r2(y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> float:
    """Share of the variance explained, the mean over outputs; NaN for a constant response."""
    rest = (y - mu) ** 2 @ w
    total = (y - np.average(y, axis=1, weights=w)[:, np.newaxis]) ** 2 @ w
    return float(np.mean(1 - rest / np.where(total > 0, total, np.nan)))


def top_k(y: np.ndarray, mu: np.ndarray, w: np.ndarray, k: int = 5) -> float:
    """Share of rows whose class is among the k most probable ones."""
    y, mu = both_classes(y, mu)
    own = np.take_along_axis(mu, y.argmax(axis=0)[np.newaxis], axis=0)
    return float(np.average((mu > own).sum(axis=0) < k, weights=w))


def auc(y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> float:
    """Area under the ROC curve; of several classes the mean of each against the rest. NaN where a class does not occur."""
    return float(np.mean([_area(a > 0.5, p, w) for a, p in zip(y, mu, strict=True)]))


def _area(member: np.ndarray, score: np.ndarray, w: np.ndarray) -> float:
    """Probability that a member scores above a row that is none, ties counted half."""
    _, place = np.unique(score, return_inverse=True)
    ours = np.bincount(place, np.where(member, w, 0.0))
    theirs = np.bincount(place, np.where(member, 0.0, w))
    pairs = ours.sum() * theirs.sum()
    below = np.cumsum(theirs) - theirs
    return float(ours @ (below + theirs / 2) / pairs) if pairs > 0 else np.nan


METRICS: dict[str, Metric] = {
    "accuracy": _averaged(hits), "auc": auc, "mse": _averaged(squared_errors), "rmse": rmse,
    "mae": _averaged(absolute_errors), "r2": r2, "log_loss": _averaged(log_losses), "brier": _averaged(brier_scores),
    "top_k": top_k,
}  # fmt: skip
#: Keras' and scikit-learn's names
ALIASES = {"acc": "accuracy", "categorical_accuracy": "accuracy", "binary_accuracy": "accuracy", "AUC": "auc",
           "sparse_categorical_accuracy": "accuracy", "mean_squared_error": "mse", "mean_absolute_error": "mae",
           "root_mean_squared_error": "rmse", "r2_score": "r2", "top_k_categorical_accuracy": "top_k",
           "sparse_top_k_categorical_accuracy": "top_k"}  # fmt: skip


def class_of_rows(y: np.ndarray, factor: bool) -> np.ndarray | None:
    """(n,) number of each row's class, None where responses (K, n) are no classes."""
    near = np.rint(y)
    zero_one = bool(np.all((near == 0) | (near == 1)) and np.allclose(y, near, rtol=0, atol=1e-9))
    if not zero_one or (y.shape[0] > 1 and not factor):
        return None
    return near[0].astype(int) if y.shape[0] == 1 else near.argmax(axis=0)


def resolve(given: Any, what: str = "metrics") -> tuple[tuple[str, Metric], ...]:
    """Names and functions of metrics, from a name, a function, or a list of them.

    Raises
    ------
    ArgumentError
        Where one is unknown, or named twice.
    """
    many = [given] if isinstance(given, str) or callable(given) else given
    if not isinstance(many, list | tuple):
        raise ArgumentError(f"{what} must be names or functions, got {shown(given)}.")
    found: dict[str, Metric] = {}
    for one in many:
        name, function = _resolved(one, what)
        if name in found:
            raise ArgumentError(f"{what}: {name!r} is given twice.")
        found[name] = function
    return tuple(found.items())


def _resolved(one: Any, what: str) -> tuple[str, Metric]:
    if isinstance(one, str):
        one = str.__str__(one)
        base, colon, k = one.partition(":")
        base = ALIASES.get(base, base)
        if base == "top_k" and colon:
            if not k.isdecimal() or not 0 < int(k) < 10**6:
                raise ArgumentError(f"{what}: {shown(one)}: write a whole number >= 1, as in 'top_k:3'.")
            return one, functools.partial(top_k, k=int(k))
        if base not in METRICS or colon:
            raise ArgumentError(f"{what}: unknown metric {shown(one)}. Known: {', '.join(METRICS)}; or a function "
                                "f(y, prediction).")  # fmt: skip
        return base, METRICS[base]
    if callable(one) and not isinstance(one, type):
        name = str(getattr(one, "__name__", type(one).__name__))
        return name, functools.partial(_given, one, name)
    raise ArgumentError(f"{what} must hold names or functions, got {shown(one)}.")


def _given(function: Any, name: str, y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> float:
    """A user's metric of responses and predictions, (m,) each, of several outputs (m, K); it sees no weights."""
    del w
    try:
        value = function(*((part[0] if len(part) == 1 else part.T).copy() for part in (y, mu)))
    except Exception as error:
        raise ArgumentError(f"metrics: {name}(y, prediction) raised {told(error)}"[:300]) from error
    if not is_real(value):
        raise ArgumentError(f"metrics: {name}(y, prediction) must return a number, got {shown(value)}.")
    return float(value)


# what kernels measure as the epoch goes on ----------------------------------------------------------------


def metric_of(network: Network, rows: Rows) -> tuple[int, float, str | None]:
    """Kind of metric, cut between classes, and name: accuracy of 0/1 responses, mean squared error, or none."""
    objective = network.objective
    y = rows.data.y
    if objective.several:
        return batches.NO_METRIC, 0.0, None
    if objective.loss == SSE and not (network.n_outputs > 1 and _one_hot(y)):
        return batches.SQUARES, 0.0, "mse"
    if objective.loss == MULTINOMIAL or (network.n_outputs > 1 and _one_hot(y)):
        return batches.LARGEST, 0.0, "accuracy"
    binary = objective.name.startswith("ce") or getattr(objective.family, "kin", "") == "binomial"
    if binary and bool(np.all((y == 0) | (y == 1))):
        return batches.ABOVE, _cut(objective) if objective.of_predictor else 0.5, "accuracy"
    return batches.NO_METRIC, 0.0, None


def _cut(objective: Objective) -> float:
    """The linear predictor at probability 1/2."""
    return 0.0 if objective.family is None else float(objective.family.link(np.array([0.5]))[0])


def _one_hot(y: np.ndarray) -> bool:
    return bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))


# what is measured at the end of an epoch ------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Metrics of a design's response: what is measured, the units that it is measured in, and a factor of rows' weights."""

    metrics: tuple[tuple[str, Metric], ...]
    design: Design
    factor: float = 1.0

    def __post_init__(self) -> None:
        y = self.original(self.design.y)
        wanting = [name for name, _ in self.metrics if name.partition(":")[0] in CLASSES]
        if wanting and class_of_rows(y, self.design.classes is not None) is None:
            raise ArgumentError(f"metrics: {wanting[0]!r} needs a factor or 0/1 response; "
                                f"{self.design.response!r} is neither.")  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(name for name, _ in self.metrics)

    def original(self, y: np.ndarray) -> np.ndarray:
        """Responses or means (..., K, m) in the response's units."""
        scaling = self.design.scaling
        return y if scaling is None else scaling.y_original(y)

    def of(self, y: np.ndarray, mu: np.ndarray, w: np.ndarray | None) -> list[float]:
        """Values at responses and means (K, m), units of the response.

        Raises
        ------
        DataError
            Where no row counts.
        """
        w = np.ones(y.shape[1]) if w is None else w
        used = w > 0
        if not used.any():
            raise DataError("metrics: no row has a weight.")
        with np.errstate(invalid="ignore", over="ignore"):
            return [function(y[:, used], mu[:, used], w[used]) for _, function in self.metrics]

    def of_rows(self, network: Network, rows: Rows, theta: np.ndarray, b: int = 0) -> list[float]:
        """Values of weights (P,), network b of a stack, at rows as training sees them."""
        return self.of_means(rows, means_of(network, rows, theta), b)

    def of_means(self, rows: Rows, mu: np.ndarray, b: int = 0) -> list[float]:
        """Values of means (K, m), internal units, of network b of a stack at rows."""
        y, weight = (part[b % len(part)] for part in (rows.data.y, rows.data.weight))
        return self.of(self.original(y), self.original(mu), None if weight.size == 0 else weight / self.factor)

    def only(self, names: Sequence[str]) -> Measured | None:
        """Of these metrics; None where none is left."""
        kept = tuple((name, function) for name, function in self.metrics if name in names)
        return replace(self, metrics=kept) if kept else None


def means_of(network: Network, rows: Rows, theta: np.ndarray) -> np.ndarray:
    """(K, m) means, internal units, of weights (P,) at rows."""
    offset = rows.data.offset
    x = np.ascontiguousarray(rows.inputs.T, dtype=float) if isinstance(rows.inputs, np.ndarray) else rows.inputs.T
    raw = derivatives.outputs(network, x, theta[np.newaxis].astype(float),
                              None if offset.size == 0 else offset)[0]  # fmt: skip
    return network.objective.response(raw)


class Record:
    """Metrics of every epoch of a stack, and early stopping by one of them.

    Attributes
    ----------
    columns : tuple of str
    values : (B, epochs, columns) array
    means : callable
        ``(network, rows, theta, number of the set, b) -> (K, m)``; see `means_of`.
    """

    def __init__(
        self, measured: Measured, network: Network, rows: Rows, validation: Rows | None, shape: tuple[int, int],
        stopping: EarlyStopping | None,
    ) -> None:  # fmt: skip
        self.measured, self.network = measured, network
        self.sets = (rows,) if validation is None else (rows, validation)
        self.columns = tuple(f"{kind}{name}" for kind in ("", "val_")[: len(self.sets)] for name in measured.names)
        self.values = np.full((*shape, len(self.columns)), np.nan)
        watched = None if stopping is None else stopping.monitor
        self.rule = stopping if watched in self.columns else None
        self.best: dict[int, tuple[float, int, np.ndarray]] = {}
        self.means: Callable[..., np.ndarray] = lambda network, rows, theta, k, b: means_of(network, rows, theta)

    def add(self, b: int, epoch: int, theta: np.ndarray) -> bool:
        """Record network b after an epoch (from 1); whether early stopping by a metric ends its training."""
        found = [v for k, rows in enumerate(self.sets)
                 for v in self.measured.of_means(rows, self.means(self.network, rows, theta, k, b), b)]  # fmt: skip
        self.values[b, epoch - 1] = found
        if self.rule is None:
            return False
        value = self.rule.sign * found[self.columns.index(str(self.rule.monitor))]
        best, at, _ = self.best.get(b, (-np.inf, 0, theta))
        if value > best + self.rule.min_delta or b not in self.best:
            self.best[b] = (value if np.isfinite(value) else -np.inf, epoch, theta.copy())
            return False
        return epoch - at > self.rule.patience

    def restored(self, b: int) -> tuple[int, np.ndarray] | None:
        """Epoch (from 1) and weights of the best epoch, where early stopping by a metric restores them."""
        if self.rule is None or not self.rule.restore_best or b not in self.best:
            return None
        return self.best[b][1:]


def measured(settings: Settings, design: Design, every: bool, factor: float = 1.0) -> Measured | None:
    """Metrics that are recorded by epoch: all that were asked for, or the one that early stopping watches."""
    given = resolve(settings.metrics or ())
    rule = settings.early_stopping
    if rule is not None and not rule.of_loss:
        name = str(rule.monitor).removeprefix("val_")
        if name not in dict(given):
            given = (*given, *resolve(name, "early_stopping: monitor"))
        if settings.device != "cpu":
            raise ArgumentError(f"early_stopping: monitor={rule.monitor!r}: on a device only the loss can be watched.")
        given = given if every else tuple(pair for pair in given if pair[0] == name)
    elif not every:
        return None
    return Measured(given, design, factor) if given else None


def squared_unit(design: Design) -> float:
    """What squared errors of the scaled response are multiplied by; 1 of several outputs, which have a unit each."""
    scaling = design.scaling
    return float(scaling.y_sd[0]) ** 2 if scaling is not None and scaling.y_sd.size == 1 else 1.0
