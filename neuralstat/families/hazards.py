"""Hazards that are constant between cuts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..checks.arguments import NONE, Numbers, Whole, arguments
from ..checks.values import shown
from ..errors import ArgumentError, DataError
from ..functions import distributions as codes
from .cox import check_right
from .distributional import Distributional
from .survival import Survival

INTERVALS = 5


@arguments(cuts=NONE | Numbers(None), intervals=Whole(1, 50))
@dataclass(frozen=True, repr=False, init=False)
class PiecewiseExponential(Survival):
    """Hazards that are constant between cuts, each a multiple of the first one's; with a network proportional hazards.

    Parameters
    ----------
    cuts : increasing numbers > 0, optional
        Where the hazard changes; by default quantiles of the times of events, so that as many fall into each of `intervals`.
    intervals : int
        Number of intervals where cuts are not given.

    Notes
    -----
    Parameters are the hazard before the first cut (log), an output of the network, and ratios of the others to it (log),
    constants unless `dispformula` says otherwise: with True hazards are not proportional. The likelihood is that of Poisson
    counts of events with the logarithm of the time spent in each interval as offset.

    References
    ----------
    Friedman (1982), Piecewise exponential models for survival data with covariates, Ann Statist 10:101.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.PiecewiseExponential()
    >>> family.roles, family.role_links
    (('hazard',), ('log',))
    """

    name, kind, default, links = "piecewise_exponential", codes.PIECEWISE, "log", ("log",)
    first, alike = "hazard", True
    cuts: tuple[float, ...] | None = None
    intervals: int = INTERVALS

    def __init__(self, cuts: Any = None, intervals: int = INTERVALS) -> None:
        object.__setattr__(self, "cuts", None if cuts is None else _increasing(cuts))
        object.__setattr__(self, "intervals", int(intervals))
        Distributional.__init__(self)

    @property
    def code(self) -> int:  # type: ignore[override]
        return codes.PIECEWISE

    @property
    def parameters(self) -> np.ndarray:
        return np.array([0.0, 0.0, *(self.cuts or ())])

    @property
    def others(self) -> dict[str, str]:  # type: ignore[override]
        return {f"ratio{k + 2}": "log" for k in range(len(self.cuts or ()))}

    def of_response(self, y: np.ndarray, w: np.ndarray | None = None) -> PiecewiseExponential:
        if self.cuts is not None:
            return self
        times = np.sort(y[0][y[1] > 0])
        share = np.arange(1, self.intervals) / self.intervals
        cuts = np.unique(np.quantile(times, share)) if times.size else np.array([])
        last = times[-1] if times.size else 0.0
        return PiecewiseExponential(tuple(float(c) for c in cuts if 0 < c < last), self.intervals)

    def _edges(self) -> np.ndarray:
        return np.array([0.0, *(self.cuts or ())])

    def _hazards(self, par: np.ndarray) -> np.ndarray:
        """(J, ...) hazards."""
        return np.concatenate([par[:1], par[:1] * par[1:]])

    def frozen(self, par: np.ndarray) -> Any:
        return _Pieces(self._edges(), self._hazards(par))

    def mean(self, par: np.ndarray) -> np.ndarray:
        return self.frozen(par).mean()

    def variance(self, par: Any) -> Any:
        return self.frozen(par).var()

    def start(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        entry = y[2] if len(y) > 2 else np.zeros(y.shape[1])
        ends = np.append(self._edges(), np.inf)
        logs = []
        for low, high in pairwise(ends):
            spent = w @ np.maximum(np.minimum(y[0], high) - np.maximum(entry, low), 0.0)
            events = w @ ((y[1] > 0) & (y[0] > low) & (y[0] <= high))
            logs.append(math.log((events + 0.5) / max(spent, 1e-300) if spent > 0 else 1.0))
        return np.array([logs[0], *(np.array(logs[1:]) - logs[0])])

    def check(self, y: np.ndarray, label: str) -> None:
        check_right(y, label, self.name)
        times, edges = y[0][y[1] > 0], [*self._edges(), math.inf]
        if not times.size:
            raise DataError(f"response {label!r}: there is no event, so nothing can be learnt of hazards.")
        for low, high in pairwise(edges if self.cuts else [0.0, math.inf]):
            if not np.any((times > low) & (times <= high)):
                raise DataError(f"response {label!r}: cuts: no event lies between {low:g} and {high:g}.")

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "cuts": None if self.cuts is None else list(self.cuts), "intervals": self.intervals}

    def __repr__(self) -> str:
        given = f"intervals={self.intervals}" if self.cuts is None else f"cuts=({', '.join(f'{c:g}' for c in self.cuts)},)"
        return f"PiecewiseExponential({given})"


def _increasing(given: Any) -> tuple[float, ...]:
    cuts = tuple(float(c) for c in np.atleast_1d(given).ravel())
    if not all(0 < c < math.inf for c in cuts) or any(b <= a for a, b in pairwise(cuts)):
        raise ArgumentError(f"cuts must be increasing numbers > 0; got {shown(given)}.")
    return cuts


class _Pieces:
    """Times with hazards (J, ...) that are constant from edges (J,) on."""

    def __init__(self, edges: np.ndarray, hazards: np.ndarray) -> None:
        self.edges, self.hazards = edges, hazards
        widths = np.diff(edges).reshape(-1, *([1] * (hazards.ndim - 1)))
        grown = np.cumsum(hazards[:-1] * widths, axis=0)
        self.cumulative = np.concatenate([np.zeros_like(hazards[:1]), grown])

    def _pieces(self) -> Iterator[tuple[np.ndarray, np.ndarray, float, float]]:
        """Hazard, cumulative hazard at the beginning, beginning and end of each piece."""
        return zip(self.hazards, self.cumulative, self.edges, np.append(self.edges[1:], np.inf), strict=True)

    def _total(self, y: Any) -> np.ndarray:
        """Cumulative hazard."""
        y = np.asarray(y, float)
        return sum(h * np.clip(y - low, 0.0, high - low) for h, _, low, high in self._pieces())

    def sf(self, y: Any) -> np.ndarray:
        return np.exp(-self._total(y))

    def cdf(self, y: Any) -> np.ndarray:
        return -np.expm1(-self._total(y))

    def logpdf(self, y: Any) -> np.ndarray:
        y = np.asarray(y, float)
        hazard = sum(h * ((y > low) & (y <= high)) for h, _, low, high in self._pieces())
        with np.errstate(divide="ignore"):
            return np.log(hazard) - self._total(y)

    def ppf(self, q: Any) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = -np.log1p(-np.asarray(q, float))
            out = np.zeros(np.broadcast_shapes(needed.shape, self.hazards.shape[1:]))
            for h, before, low, _ in self._pieces():
                out = np.where(needed > before, low + (needed - before) / h, out)
        return out

    def _moment(self, power: int) -> np.ndarray:
        """E T^power, power 1 or 2: integrals of power t^(power - 1) S(t), piece by piece."""
        total = np.zeros(self.hazards.shape[1:])
        with np.errstate(over="ignore", under="ignore"):
            for k, h in enumerate(self.hazards):
                left = np.exp(-self.cumulative[k])
                low = self.edges[k]
                end = self.edges[k + 1] if k + 1 < len(self.edges) else None
                right = 0.0 if end is None else np.exp(-self.cumulative[k + 1])
                if power == 1:
                    total += (left - right) / h
                else:
                    upper = 0.0 if end is None else right * (end / h + 1 / h**2)
                    total += 2 * (left * (low / h + 1 / h**2) - upper)
        return total

    def mean(self) -> np.ndarray:
        return self._moment(1)

    def var(self) -> np.ndarray:
        return self._moment(2) - np.square(self._moment(1))

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))
