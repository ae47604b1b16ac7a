"""Linear functionals of predicted means, with their standard errors: what all effects are made of.

An effect is ``e = sum_i c_i mu(x_i)``: means at made-up rows, times constants. Its gradient in the weights is the same
sum of derivatives, one pass back through the network, so the delta method is exact to first order for all of them; the
variance between restarts of the random starts is added, as for predictions (`inference.get_prediction`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_size, position, shown
from ..errors import ArgumentError, ConvergenceWarning
from ..fitted import Fitted, kept
from ..inference import scales
from ..inference.covariance import cov_type_of, warn_members
from ..inference.dispersion import t_degrees
from ..inference.sampling import joint_root, level_slopes
from ..network import blocks, derivatives

BETWEEN = "sd over repetitions"


@dataclass(frozen=True)
class Sums:
    """E weighted sums of means, of each of K' outputs.

    Attributes
    ----------
    value : (R, K', E) array
        By repetition, in the units of the response.
    slope : (R, K', E, P) array or None
        Derivatives in the repetition's weights; None where no standard errors are asked for.
    """

    value: np.ndarray
    slope: np.ndarray | None

    def __add__(self, other: Sums) -> Sums:
        slope = None if self.slope is None or other.slope is None else self.slope + other.slope
        return Sums(self.value + other.value, slope)

    def __sub__(self, other: Sums) -> Sums:
        return self + other.mapped(-np.eye(other.value.shape[2]))

    def mapped(self, into: np.ndarray) -> Sums:
        """Linear combinations (E', E) of the sums."""
        value = np.einsum("de,rke->rkd", into, self.value)
        return Sums(value, None if self.slope is None else np.einsum("de,rkep->rkdp", into, self.slope))

    @staticmethod
    def added(parts: Sequence[Sums]) -> Sums:
        """The sum of sums."""
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    @staticmethod
    def joined(parts: Iterable[Sums]) -> Sums:
        """Sums one after the other."""
        given = list(parts)
        slopes = [s.slope for s in given if s.slope is not None]
        value = np.concatenate([s.value for s in given], axis=2)
        return Sums(value, np.concatenate(slopes, axis=2) if slopes else None)


@dataclass(frozen=True)
class Estimate:
    """Effects of one output.

    Attributes
    ----------
    value : (E,) array
        Mean over the repetitions.
    se : (E,) array
        From the data and between restarts together; NaN where none are asked for.
    between : (E,) array
        Standard deviation over the repetitions.
    df : float
        Degrees of freedom of Student's t; inf for the normal distribution.
    """

    value: np.ndarray
    se: np.ndarray
    between: np.ndarray
    df: float = np.inf

    def quantile(self, alpha: float) -> float:
        """Quantile of level 1 - alpha / 2."""
        from scipy import special

        level = 1 - alpha / 2
        return float(special.ndtri(level) if np.isinf(self.df) else special.stdtrit(self.df, level))

    def tested(self, index: Any, name: str, alpha: float) -> pd.DataFrame:
        """A row per effect: `name`, std err, z (or t), its p value, limits, and the spread over the repetitions."""
        from scipy import special

        letter = "z" if np.isinf(self.df) else "t"
        with np.errstate(divide="ignore", invalid="ignore"):
            z = self.value / self.se
        p = 2 * (special.ndtr(-np.abs(z)) if letter == "z" else special.stdtr(self.df, -np.abs(z)))
        half = self.quantile(alpha) * self.se
        return pd.DataFrame({
            name: self.value, "std err": self.se, letter: z, f"P>|{letter}|": p,
            "lower": self.value - half, "upper": self.value + half, BETWEEN: self.between,
        }, index=index)  # fmt: skip

    def banded(self, index: Any, name: str, limits: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
        """A row per effect: `name`, std err, limits, and the spread over the repetitions."""
        return pd.DataFrame({
            name: self.value, "std err": self.se, "lower": limits[0], "upper": limits[1], BETWEEN: self.between,
        }, index=index)  # fmt: skip

    def symmetric(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Limits of a difference."""
        half = self.quantile(alpha) * self.se
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Outputs:
    """What is summed: outputs of repetitions, and how their weights move with the data.

    Attributes
    ----------
    fitted : Fitted
    ks : tuple of int
        Outputs.
    numbers : tuple of int
        Repetitions, from 0.
    root : (R P, r) array or None
        Root of the weights' joint covariance; None where no standard errors are asked for.
    df : float
        As in `Estimate`.
    """

    fitted: Fitted
    ks: tuple[int, ...]
    numbers: tuple[int, ...]
    root: np.ndarray | None
    df: float

    def sums(
        self, x: np.ndarray, offset: np.ndarray | None, weight: np.ndarray, group: np.ndarray | None = None, size: int = 1
    ) -> Sums:
        """Sums of ``weight * mean`` within groups of rows.

        Parameters
        ----------
        x, offset : (D, m), (K, m) arrays
            Internal units.
        weight : (m,) or (K', m) array
        group : (m,) array of int, optional
            From 0 to size - 1; one group unless given.
        size : int
        """
        weights = np.broadcast_to(weight, (len(self.ks), x.shape[1]))
        order, ends = (None, [0, x.shape[1]]) if group is None else _grouped(group, size)
        if self.root is None:
            raw = self.fitted.raw(x, offset, self.numbers)
            if order is not None:
                raw, weights = raw[:, :, order], weights[:, order]
            means = self.fitted.response(raw)[:, list(self.ks)] * weights
            return Sums(np.stack([means[:, :, a:b].sum(axis=2) for a, b in pairwise(ends)], axis=2), None)
        value = np.zeros((len(self.numbers), len(self.ks), len(ends) - 1))
        slope = np.zeros((*value.shape, self.fitted.network.n_params))
        for e, part in _parts(ends):
            own = part if order is None else order[part]
            known = None if offset is None else np.ascontiguousarray(offset[:, own])
            self._add(np.ascontiguousarray(x[:, own]), known, weights[:, own], value[:, :, e], slope[:, :, e])
        return Sums(value, slope)

    def _add(
        self, x: np.ndarray, offset: np.ndarray | None, weights: np.ndarray, value: np.ndarray, slope: np.ndarray
    ) -> None:
        """Add the sum over some rows to `value` (R, K'), its derivatives to `slope` (R, K', P)."""
        fitted = self.fitted
        raw = fitted.raw(x, offset, self.numbers)
        value += (fitted.response(raw)[:, list(self.ks)] * weights).sum(axis=2)
        for r, b in enumerate(self.numbers):
            theta, level = fitted.fit.theta[b].astype(float), level_slopes(fitted, b)
            for j, pull in enumerate(self._pulls(raw[r], weights)):
                slope[r, j] += derivatives.pullback(fitted.network, x, theta, raw[r], pull, offset)
                if level is not None:
                    slope[r, j] -= pull[0].sum() * level

    def _pulls(self, raw: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
        """Derivatives (K, m) of ``weight * mean_k`` in what kernels give, of one output after the other."""
        objective, scaling = self.fitted.network.objective, self.fitted.design.scaling
        several = self.fitted.distribution.response_slopes(raw) if objective.several else None  # of all parameters
        share = objective.response(raw) if several is None and objective.output.name == "softmax" else None
        for k, own in zip(self.ks, weights, strict=True):
            weight = own if scaling is None else own * scaling.y_sd[k]
            if several is not None:
                yield several[k] * weight
                continue
            pull = np.zeros_like(raw)
            if not objective.of_predictor:
                pull[k] = weight
            elif share is not None:
                pull[:] = -share * share[k] * weight
                pull[k] += share[k] * weight
            else:
                pull[k] = objective.output.slopes(raw[k]) * weight
            yield pull

    def check(self, count: int, rows: int, what: str) -> None:
        """Refuse so many sums, with their slopes, and so many rows made for one of them, where memory does not hold them."""
        members, outputs = len(self.numbers), len(self.ks)
        slopes = 0 if self.root is None else self.fitted.network.n_params
        check_size(3 * count * members * outputs * (1 + slopes) + rows * self.fitted.design.x.shape[0], what)

    def means(self, x: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
        """(R, K', m) predicted means by repetition."""
        return self.fitted.response(self.fitted.raw(x, offset, self.numbers))[:, list(self.ks)]

    def estimates(self, sums: Sums, shift: Any = 0.0) -> list[Estimate]:
        """An `Estimate` per output, `shift` (K', E) being added to the values."""
        r = len(self.numbers)
        value = sums.value.mean(axis=0) + shift
        between = sums.value.std(axis=0, ddof=1) if r > 1 else np.zeros_like(value)
        if sums.slope is None or self.root is None:
            return [Estimate(v, np.full(v.size, np.nan), s, self.df) for v, s in zip(value, between, strict=True)]
        joint = sums.slope.transpose(1, 2, 0, 3).reshape(*value.shape, -1) / r  # (K', E, R P)
        variance = np.sum(np.square(joint @ self.root), axis=2) + between**2 / r
        return [Estimate(*parts, self.df) for parts in zip(value, np.sqrt(variance), between, strict=True)]

    def limits(self, found: Estimate, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Limits of means, symmetric on the scale of the link: those of probabilities stay between 0 and 1."""
        link = scales.interval_link(self.fitted)
        return scales.limits(link, found.value, found.se, found.quantile(alpha), self.fitted.family)

    def table(self, frames: Sequence[pd.DataFrame], response: Any) -> pd.DataFrame:
        """One frame, or where several outputs are asked for one below the other, under their names."""
        if len(frames) == 1 and (response is not None or len(self.fitted.mean_names) == 1):
            return frames[0]
        names = [self.fitted.mean_names[k] for k in self.ks]
        return pd.concat(dict(zip(names, frames, strict=True)), names=["response"])


def outputs_of(
    fitted: Fitted, response: Any = None, rep: Any = "mean", cov_type: str | None = None, se: bool = True
) -> Outputs:
    """Outputs that effects are of, with the joint covariance of the weights.

    Raises
    ------
    ArgumentError
        Where there is no such output.

    Warns
    -----
    SingularHessianWarning
        Once, where the data do not determine some weights.
    """
    names = fitted.mean_names
    ks = tuple(range(len(names))) if response is None else (output_position(fitted, response),)
    numbers = tuple(fitted.numbers(rep))
    if not se:
        return Outputs(fitted, ks, numbers, None, np.inf)
    kind = cov_type_of(fitted, cov_type)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said once, by `Fitted.numbers`
        root, states = _movement(fitted, numbers, kind)
        df = t_degrees(fitted, list(numbers), kind=kind)
    warn_members(fitted, kind, list(states))
    return Outputs(fitted, ks, numbers, root, df)


@kept
def _movement(fitted: Fitted, numbers: tuple[int, ...], kind: str) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Root (R P, r) of the joint covariance of the repetitions' weights, and what `warn_members` takes."""
    root, states = joint_root(fitted, numbers, kind)
    return root, tuple(states)


def output_position(fitted: Fitted, response: Any) -> int:
    """Which output is meant: one of several by its name, the only one by its name or its second class.

    Raises
    ------
    ArgumentError
        Where there is no such output.
    """
    design, names = fitted.design, fitted.mean_names
    if len(names) == 1 and design.classes is not None and position(response, design.classes[1:]) is not None:
        return 0
    at = position(response, names)
    if at is None:
        raise ArgumentError(f"response must be one of {', '.join(map(repr, names))}; got {shown(response)}.")
    return at


def _parts(ends: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """Which group, and rows of it that are worked out at a time, of groups that begin and end there."""
    for e, (first, last) in enumerate(pairwise(ends)):
        if last > first:
            yield from ((e, slice(first + p.start, first + p.stop)) for p in blocks.of_rows(last - first))


def _grouped(group: np.ndarray, size: int) -> tuple[np.ndarray, list[int]]:
    """Order of the rows by group, and where groups begin and end in it."""
    order = np.argsort(group, kind="stable")
    return order, np.searchsorted(group[order], np.arange(size + 1)).tolist()
