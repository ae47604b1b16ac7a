"""What transforms ask of data in parts: sums over the parts, small things of each, order statistics.

What a transform remembers is worked out by a generator, which yields questions and is sent their answers; what all generators
ask for at a time is answered by one pass over the parts. Sums are added in the order of a binary tree over the parts, counts
are whole numbers: the answers do not depend on where the parts are, nor on how many machines go through them.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

BITS = 12  # of a number that one pass looks at
FEW = 4096  # numbers that are sorted where the question is asked

Data = tuple[np.ndarray, ...]
Part = Sequence[Data]  # the data of every transform, rows first


@dataclass(frozen=True)
class Sum:
    """The sum over the parts of the array ``function(*data, *arguments)``."""

    function: Callable[..., np.ndarray]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Each:
    """Small ``function(*data, *arguments)`` of every part, in order."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Distinct:
    """The different values of ``function(*data, *arguments)``, in order: `Ordered`."""

    function: Callable[..., np.ndarray]
    arguments: tuple[Any, ...] = ()


class Ordered(Protocol):
    """Different values in order, wherever they are."""

    size: int

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The values at some positions, from 0."""


Question = Sum | Each | Distinct
Learner = Generator[Question, Any, Any]


class Parts(Protocol):
    """Data of transforms in parts; functions are of the top of a module, and are given a part and arguments."""

    def total(self, function: Callable[..., Data], *arguments: Any) -> Data:
        """Sum of arrays over the parts."""

    def gathered(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Values of all parts, in order."""

    def distinct(self, function: Callable[..., np.ndarray], *arguments: Any) -> Ordered:
        """The different values of all parts."""


def answered(learners: Sequence[Learner], parts: Parts) -> list[Any]:
    """What generators return, given answers; the k-th asks about the k-th data of every part."""
    results: list[Any] = [None] * len(learners)
    asked: dict[int, Question] = {}
    told: dict[int, Any] = dict.fromkeys(range(len(learners)))
    while told:
        for k, answer in told.items():
            try:
                asked[k] = learners[k].send(answer)
            except StopIteration as end:
                results[k] = end.value
        told, asked = _pass(asked, parts), {}
    return results


def _pass(asked: dict[int, Question], parts: Parts) -> dict[int, Any]:
    """Answers to one question of each."""
    told: dict[int, Any] = {}
    if own := [(k, q.function, q.arguments) for k, q in asked.items() if isinstance(q, Sum)]:
        told |= {k: array for (k, _, _), array in zip(own, parts.total(summed, own), strict=True)}
    if own := [(k, q.function, q.arguments) for k, q in asked.items() if isinstance(q, Each)]:
        found = parts.gathered(each, own)
        told |= {k: [f[j] for f in found] for j, (k, _, _) in enumerate(own)}
    for k, q in asked.items():
        if isinstance(q, Distinct):
            told[k] = parts.distinct(one, k, q.function, q.arguments)
    return told


def summed(part: Part, asked: Sequence[tuple[int, Callable[..., np.ndarray], tuple[Any, ...]]]) -> Data:
    """What some questions ask of a part."""
    return tuple(np.asarray(function(*part[k], *arguments)) for k, function, arguments in asked)


def each(part: Part, asked: Sequence[tuple[int, Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
    """The same for what is not added."""
    return [function(*part[k], *arguments) for k, function, arguments in asked]


def one(part: Part, k: int, function: Callable[..., np.ndarray], arguments: tuple[Any, ...]) -> np.ndarray:
    """The different values of a part, in order."""
    values = np.asarray(function(*part[k], *arguments))
    return np.unique(values + 0.0 if values.dtype.kind == "f" else values)  # -0 is 0


def added(leaves: Iterable[Data]) -> Data:
    """Sum in the order of a binary tree over the leaves, a few of whose nodes are held at a time."""
    stack: list[tuple[int, Data]] = []
    for leaf in leaves:
        stack.append((0, leaf))
        while len(stack) > 1 and stack[-2][0] == stack[-1][0]:
            _join(stack)
    while len(stack) > 1:
        _join(stack)
    return stack[0][1]


def _join(stack: list[tuple[int, Data]]) -> None:
    _, right = stack.pop()
    level, left = stack.pop()
    stack.append((level + 1, tuple(a + b for a, b in zip(left, right, strict=True))))


class Here:
    """Parts on this machine: views of arrays that may lie in mapped files."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    def total(self, function: Callable[..., Data], *arguments: Any) -> Data:
        """See `Parts`."""
        return added(function(part, *arguments) for part in self.parts)

    def gathered(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """See `Parts`."""
        return [function(part, *arguments) for part in self.parts]

    def distinct(self, function: Callable[..., np.ndarray], *arguments: Any) -> "Sorted":
        """See `Parts`."""
        return Sorted(union(function(part, *arguments) for part in self.parts))


class Sorted:
    """Different values in one array."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.size = values, values.size

    def at(self, positions: np.ndarray) -> np.ndarray:
        """See `Ordered`."""
        return self.values[positions]


def union(pieces: Iterable[np.ndarray]) -> np.ndarray:
    """Different values of sorted arrays, in order."""
    whole, waiting, size = np.zeros(0), [], 0
    for piece in pieces:
        waiting.append(piece)
        size += piece.size
        if size > whole.size:  # so that a value is sorted as often as the logarithm of their number
            whole, waiting, size = np.unique(np.concatenate([whole, *waiting])), [], 0
    return np.unique(np.concatenate([whole, *waiting])) if waiting else whole


# order statistics --------------------------------------------------------------------------------------------


def interpolated(below: np.ndarray, above: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Between two values, as `numpy.quantile` rounds it."""
    step = above - below
    return np.where(share >= 0.5, above - step * (1 - share), below + step * share)


def places(probabilities: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of the two order statistics of n that a quantile (type 7) lies between, and how far it is from the first."""
    virtual = probabilities * (n - 1)
    below = np.floor(virtual).astype(np.int64)
    return below, np.minimum(below + 1, n - 1), virtual - below


def distinct_quantiles(ordered: Ordered, probabilities: np.ndarray) -> np.ndarray:
    """Quantiles (type 7) of different values."""
    below, above, share = places(probabilities, ordered.size)
    found = ordered.at(np.concatenate([below, above]))
    return interpolated(found[: below.size], found[below.size :], share)


def quantiles(low: float, high: float, probabilities: np.ndarray) -> Generator[Question, Any, np.ndarray]:
    """Quantiles (type 7) of the values from `low` to `high`: exact, by counts of the bits of the numbers.

    The first pass counts numbers by their first 12 bits, the next ones those that share these with an order statistic that is
    looked for by the 12 bits that follow, until few are left, which are fetched.

    Raises
    ------
    ValueError
        Where there is no value.
    """
    shift, prefixes = 64, np.zeros(1, np.uint64)
    ranks = at = np.zeros(0, np.int64)
    share, n = np.zeros(0), 0
    while shift > 0:
        width = min(BITS, shift)
        counts = yield Sum(_counts, (low, high, prefixes, shift, width))
        if shift == 64:
            n = int(counts.sum())
            if n == 0:
                raise ValueError("no value lies between the boundary knots")
            below, above, share = places(probabilities, n)
            ranks = np.concatenate([below, above])
            at = np.zeros(ranks.size, np.int64)  # number of the prefix of each
        ends = counts.cumsum(axis=1)
        digits = np.array([np.searchsorted(ends[a], r, side="right") for a, r in zip(at, ranks, strict=True)])
        ranks = ranks - (ends[at, digits] - counts[at, digits])
        shift -= width
        own = (prefixes[at] << np.uint64(width)) | digits.astype(np.uint64)
        left = int(counts.ravel()[np.unique(at * counts.shape[1] + digits)].sum())
        prefixes, at = np.unique(own, return_inverse=True)
        if left <= FEW:
            found = yield Each(_members, (low, high, prefixes, shift))
            groups = [np.sort(np.concatenate([f[a] for f in found])) for a in range(len(prefixes))]
            values = np.array([groups[a][r] for a, r in zip(at, ranks, strict=True)])
            break
    else:
        values = _numbers(prefixes)[at]
    half = len(values) // 2
    return interpolated(values[:half], values[half:], share)


def _keys(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Whole numbers in the order of the values from `low` to `high`."""
    kept = values[(values >= low) & (values <= high)] + 0.0
    bits = kept.view(np.uint64)
    return bits ^ np.where(bits >> np.uint64(63), ~np.uint64(0), np.uint64(1) << np.uint64(63))


def _numbers(keys: np.ndarray) -> np.ndarray:
    """The values of such numbers."""
    top = np.uint64(1) << np.uint64(63)
    return np.where(keys & top, keys ^ top, ~keys).view(np.float64)


def _places(keys: np.ndarray, prefixes: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys that begin with one of the prefixes, and the number of it."""
    if shift == 64:
        return keys, np.zeros(keys.size, np.int64)
    begin = keys >> np.uint64(shift)
    at = np.minimum(np.searchsorted(prefixes, begin), len(prefixes) - 1)
    same = prefixes[at] == begin
    return keys[same], at[same]


def _counts(values: np.ndarray, low: float, high: float, prefixes: np.ndarray, shift: int, width: int) -> np.ndarray:
    """How many numbers there are of every prefix and every way in which the bits go on, (prefixes, 2**width)."""
    keys, at = _places(_keys(values, low, high), prefixes, shift)
    digits = ((keys >> np.uint64(shift - width)) & np.uint64(2**width - 1)).astype(np.int64)
    size = 2**width
    return np.bincount(at * size + digits, minlength=len(prefixes) * size).reshape(len(prefixes), size)


def _members(values: np.ndarray, low: float, high: float, prefixes: np.ndarray, shift: int) -> list[np.ndarray]:
    """The numbers of every prefix."""
    keys, at = _places(_keys(values, low, high), prefixes, shift)
    return [_numbers(keys[at == a]) for a in range(len(prefixes))]
