"""Cox's proportional hazards: relative hazards by partial likelihood, the baseline by Breslow's estimate.

Arrays only: eta (n,), responses (5, n) as `ranked` makes them, case weights (n,).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..checks.arguments import arguments
from ..errors import ArgumentError, DataError
from ..functions import distributions as codes
from ..functions.hazards import ENTRY, EVENT, RANK
from .distributional import Distributional
from .survival import Survival, check_times

Slopes = Callable[[np.ndarray], np.ndarray]  # derivatives (m, P) of the linear predictors of some rows, by number
ROWS = 1024  # whose scores are worked out at a time


def ranked(y: np.ndarray) -> np.ndarray:
    """(5, n): the response (2 or 3, n) of a survival family, and ranks of times and of times of entry among all of them."""
    stop, entry = y[0], y[2] if len(y) > 2 else np.zeros(y.shape[1])
    grid = np.unique(np.concatenate([stop, entry[entry > 0]]))
    start = np.where(entry > 0, np.searchsorted(grid, entry), -1)
    return np.stack([stop, y[1], entry, np.searchsorted(grid, stop), start]).astype(float)


class Ties:
    """What happens at each rank: sums over who is at risk, and over who dies, with Efron's shares of them."""

    def __init__(self, eta: np.ndarray, y: np.ndarray, w: np.ndarray) -> None:
        self.rank, self.entry = y[RANK].astype(int), y[ENTRY].astype(int)
        self.event = (y[EVENT] > 0) & (w > 0)
        self.shift = float(eta.max(initial=0.0)) if eta.size else 0.0
        self.w, self.risk = w, np.exp(eta - self.shift)
        self.size = int(self.rank.max(initial=-1)) + 1
        order = np.flatnonzero(self.event)
        self.order = order[np.argsort(self.rank[order], kind="stable")]  # rows of events, by rank
        self.ranks, self.first = np.unique(self.rank[self.order], return_index=True)
        self.count = np.diff(np.append(self.first, order.size))

    @property
    def at(self) -> list[tuple[int, np.ndarray]]:
        """Ranks with events, and rows of these."""
        rows = np.split(self.order, self.first[1:]) if self.order.size else []
        return list(zip(self.ranks.tolist(), rows, strict=True))

    def at_risk(self, values: np.ndarray) -> np.ndarray:
        """Sums (size, ...) of values (n, ...) over who is at risk at each rank, without cancellation."""
        out = np.zeros((self.size, *values.shape[1:]))
        np.add.at(out, self.rank, values)
        out = np.cumsum(out[::-1], axis=0)[::-1]
        late = self.entry >= 0
        if late.any():
            for r in self.ranks:
                out[r] = values[(self.rank >= r) & (self.entry < r)].sum(axis=0)
        return out

    def steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each rank: increments of the cumulative hazard, what of it ties do not bear, and the mean log sum at risk."""
        hazard, tied, logs = np.zeros(self.size), np.zeros(self.size), np.zeros(self.size)
        if self.order.size:
            part, among, share = self.shares()
            hazard[self.ranks] = share * np.add.reduceat(1 / among, self.first)
            tied[self.ranks] = share * np.add.reduceat(part / among, self.first)
            logs[self.ranks] = np.add.reduceat(np.log(among), self.first) / self.count
        return hazard, tied, logs

    def shares(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each event, by rank: the share of those beside it that count as gone, and who is then at risk; mean weights."""
        own = self.w * self.risk
        part = (np.arange(self.order.size) - np.repeat(self.first, self.count)) / np.repeat(self.count, self.count)
        gone = np.add.reduceat(own[self.order], self.first)
        among = self.at_risk(own)[self.rank[self.order]] - part * np.repeat(gone, self.count)
        return part, among, np.add.reduceat(self.w[self.order], self.first) / self.count

    def exposure(self, hazard: np.ndarray) -> np.ndarray:
        """(n,) increments that each row lives through."""
        total = np.concatenate([[0.0], np.cumsum(hazard)])
        return total[self.rank + 1] - total[self.entry + 1]


@dataclass(frozen=True)
class Block:
    """Rows that are next to one another in time, with derivatives z (m, P) of theirs; of events e what was at risk.

    `group`: ranks of the rows' times among theirs (m,). `gone`: which of the rows are events. `part`, `among`, `share`: as
    `Ties.shares`, of each event. `centre`: (e, P) mean of z over who was at risk.
    """

    rows: np.ndarray
    z: np.ndarray
    group: np.ndarray
    gone: np.ndarray
    part: np.ndarray
    among: np.ndarray
    share: np.ndarray
    centre: np.ndarray


def _blocks_in_time(ties: Ties, slopes: Slopes, step: int) -> Iterator[Block]:
    """Blocks of about `step` rows, of whom none enters late, from the first times on.

    Sums over who is at risk come from the last times, what rows have lived through from the first: slopes are taken twice.
    """
    order = np.argsort(ties.rank, kind="stable")
    rank = ties.rank[order]
    new = np.flatnonzero(np.concatenate([[True], rank[1:] != rank[:-1]]))  # where a rank begins
    next_to = np.searchsorted(new, np.arange(step, rank.size, step)).clip(max=new.size - 1)
    ends = np.unique(np.append(new[next_to], rank.size))
    blocks = [order[a:b] for a, b in pairwise([0, *ends.tolist()])]
    own = ties.w * ties.risk
    later = [np.zeros(0)] * len(blocks)
    after: Any = 0.0
    for k in range(len(blocks) - 1, -1, -1):
        later[k] = after
        after = after + own[blocks[k]] @ slopes(blocks[k])
    part, among, share = ties.shares() if ties.order.size else (np.zeros(0),) * 3
    share = np.repeat(share, ties.count)
    seen = 0  # events so far
    for rows, beyond in zip(blocks, later, strict=True):
        z = slopes(rows)
        group = np.unique(ties.rank[rows], return_inverse=True)[1]
        starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        weighted = own[rows, np.newaxis] * z
        sums = np.cumsum(np.add.reduceat(weighted, starts, axis=0)[::-1], axis=0)[::-1] + beyond
        gone = np.flatnonzero(ties.event[rows])
        events = slice(seen, seen + gone.size)
        seen += gone.size
        centre = sums[group[gone]]
        if gone.size:
            first = np.flatnonzero(np.concatenate([[True], np.diff(group[gone]) != 0]))
            each = np.repeat(np.arange(first.size), np.diff(np.append(first, gone.size)))
            centre -= part[events, np.newaxis] * np.add.reduceat(weighted[gone], first, axis=0)[each]
            centre /= among[events, np.newaxis]
        yield Block(rows, z, group, gone, part[events], among[events], share[events], centre)


@arguments()
@dataclass(frozen=True, repr=False, init=False)
class Cox(Survival):
    """Hazards h0(t) exp(eta) with any baseline h0; ties by Efron's method.

    The network's output eta has no constant: it is chosen so that eta averages 0 over the rows of the fit. Predictions are
    relative hazards exp(eta); probabilities, quantiles and medians take Breslow's estimate of the baseline from these rows.

    References
    ----------
    Cox (1972), Regression models and life-tables, JRSS B 34:187. Efron (1977), JASA 72:557. Breslow (1974), Biometrics 30:89.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Cox()
    >>> family.roles, family.role_links
    (('hazard',), ('log',))
    """

    name, kind, default, links, first = "cox", codes.COX, "log", ("log",), "hazard"
    others, means, floating = {}, (0.0, math.inf), True  # as in its bases

    def __init__(self) -> None:
        Distributional.__init__(self)

    @property
    def code(self) -> int:  # type: ignore[override]
        return codes.COX

    @property
    def parameters(self) -> np.ndarray:
        return np.zeros(2)

    def targets(self, y: np.ndarray) -> np.ndarray:
        return y if len(y) == ENTRY + 1 else ranked(y)

    def mean(self, par: np.ndarray) -> np.ndarray:
        """Relative hazards: there is no mean without a baseline."""
        return par[0]

    def variance(self, par: Any) -> Any:
        raise ArgumentError("family='cox' has no variance without the baseline hazard of a fit.")

    def start(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.zeros(1)

    def check(self, y: np.ndarray, label: str) -> None:
        check_right(y, label, self.name)
        if not np.any(y[1] > 0):
            raise DataError(f"response {label!r}: there is no event, so nothing can be learnt of hazards.")

    def losses(self, eta: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses (n,), whose weighted sum is minus the log partial likelihood, and slopes (1, n), of predictors (1, n)."""
        ties = Ties(eta[0], self.targets(y), w)
        hazard, tied, logs = ties.steps()
        losses = np.where(ties.event, logs[ties.rank] + ties.shift - eta[0], 0.0)
        lived = ties.exposure(hazard) - np.where(ties.event, tied[ties.rank], 0.0)
        return losses, (ties.risk * lived - ties.event)[np.newaxis]

    def expected(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n,) events that are expected of each row: the curvature of its loss, where sums over who is at risk are fixed."""
        ties = Ties(eta, self.targets(y), np.ones(eta.size))
        return ties.risk * ties.exposure(ties.steps()[0])

    def martingale(self, eta: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(n,) events less expected events (Efron's, as in R's survival)."""
        return -self.losses(eta[np.newaxis], y, w)[1][0]

    def scores(self, eta: np.ndarray, y: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Parts (n, P) of rows in the gradient of the loss, of derivatives z (n, P) of eta (Lin & Wei 1989, JASA 84:1074)."""
        ties = Ties(eta, self.targets(y), w)
        if not np.any(ties.entry >= 0):
            out = np.empty(z.shape)
            for rows, found in self._score_blocks(ties, lambda rows: z[rows], ROWS):
                out[rows] = found
            return out
        own = (ties.w * ties.risk)[:, np.newaxis]
        whole, sums = ties.at_risk(own[:, 0]), ties.at_risk(own * z)
        hazard, moved = np.zeros(ties.size), np.zeros((ties.size, z.shape[1]))
        out = np.zeros_like(z)
        for r, rows in ties.at:
            share = ties.w[rows].mean()
            for part in np.arange(rows.size) / rows.size:
                among = whole[r] - part * own[rows].sum()
                centre = (sums[r] - part * (own[rows] * z[rows]).sum(axis=0)) / among
                hazard[r] += share / among
                moved[r] += share / among * centre
                out[rows] += (z[rows] - centre) / rows.size
                out[rows] += part * share / among * ties.risk[rows, np.newaxis] * (z[rows] - centre)
        total = np.concatenate([np.zeros((1, z.shape[1])), np.cumsum(moved, axis=0)])
        lived = total[ties.rank + 1] - total[ties.entry + 1]
        out -= ties.risk[:, np.newaxis] * (z * ties.exposure(hazard)[:, np.newaxis] - lived)
        return -w[:, np.newaxis] * out

    def score_blocks(
        self, eta: np.ndarray, y: np.ndarray, w: np.ndarray, slopes: Slopes, step: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
        """`scores` of about `step` rows after others, by time: which rows, and theirs (m, P), from `slopes` of rows.

        None where rows enter late, who are at risk in no order.
        """
        ties = Ties(eta, self.targets(y), w)
        return None if np.any(ties.entry >= 0) else self._score_blocks(ties, slopes, step)

    def _score_blocks(self, ties: Ties, slopes: Slopes, step: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        exposure = ties.exposure(ties.steps()[0])
        lived: Any = 0.0
        for block in _blocks_in_time(ties, slopes, step):
            rows, z, centre, group, gone = block.rows, block.z, block.centre, block.group, block.gone
            moved = np.zeros((group[-1] + 1, z.shape[1]))
            out = np.zeros_like(z)
            if gone.size:
                first = np.flatnonzero(np.concatenate([[True], np.diff(group[gone]) != 0]))
                count = np.diff(np.append(first, gone.size))
                each = np.repeat(np.arange(first.size), count)
                rate = block.share / block.among
                moved[group[gone][first]] = np.add.reduceat(rate[:, np.newaxis] * centre, first, axis=0)
                borne = block.part * rate
                middle = np.add.reduceat(centre, first, axis=0) / count[:, np.newaxis]
                tied = np.add.reduceat(borne[:, np.newaxis] * centre, first, axis=0)
                risk = ties.risk[rows][gone, np.newaxis]
                out[gone] = z[gone] - middle[each]
                out[gone] += risk * (z[gone] * np.add.reduceat(borne, first)[each, np.newaxis] - tied[each])
            total = lived + np.cumsum(moved, axis=0)
            out -= ties.risk[rows, np.newaxis] * (z * exposure[rows, np.newaxis] - total[group])
            lived = total[-1]
            yield rows, -ties.w[rows, np.newaxis] * out

    def working(self, eta: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Slopes (n,) of the weighted loss in eta, and the diagonal (n,) of its curvature but for what events take off.

        None where rows enter late.
        """
        ties = Ties(eta, self.targets(y), w)
        if np.any(ties.entry >= 0):
            return None
        hazard, tied, _ = ties.steps()
        bend = w * ties.risk * (ties.exposure(hazard) - np.where(ties.event, tied[ties.rank], 0.0))
        return bend - np.where(ties.event, w, 0.0), bend

    def curvature(
        self, eta: np.ndarray, y: np.ndarray, w: np.ndarray, slopes: Slopes, step: int, more: np.ndarray
    ) -> np.ndarray:
        """(P, P) sum of z z' times `more` (n,) over rows, less events' shares of c c'; rows as in `score_blocks`.

        c are means of z over who is at risk: with the diagonal of `working` for `more` it is the curvature of the loss.
        """
        total: Any = 0.0
        for block in _blocks_in_time(Ties(eta, self.targets(y), w), slopes, step):
            own, centre = more[block.rows, np.newaxis] * block.z, block.centre
            total = total + own.T @ block.z - (block.share[:, np.newaxis] * centre).T @ centre
        return total

    def baseline(self, eta: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Times of events, and Breslow's cumulative baseline hazard at them (Efron's sums at ties, as R's survfit)."""
        full = self.targets(y)
        ties = Ties(eta, full, w)
        hazard, _, _ = ties.steps()
        return full[0, ties.order[ties.first]], np.cumsum(hazard[ties.ranks]) * math.exp(-ties.shift)

    def frozen(self, par: np.ndarray) -> Any:
        raise ArgumentError("family='cox' has no distribution without the baseline hazard of a fit.")

    def __repr__(self) -> str:
        return "Cox()"


def check_right(y: np.ndarray, label: str, name: str) -> None:
    """Raise DataError where times are not all observed or right censored, perhaps with late entry."""
    check_times(y[:3], label, name)
    if np.any((y[0] <= 0) | ((y[1] > 0) & (y[1] != y[0]))):
        raise DataError(
            f"response {label!r}: the family {name!r} takes times that were observed or right censored, "
            "Surv(time, event) or Surv(start, stop, event), and no intervals."
        )


class StepFunction:
    """P(T > t) = exp(-H(t) r), H a step function with these values from these times on, r (m,) relative hazards.

    Quantiles beyond the last step are infinite, and so is the mean where the curve does not end at 0: it is the mean of times
    cut at the last event (the restricted mean).
    """

    def __init__(self, times: np.ndarray, cumulative: np.ndarray, relative: np.ndarray) -> None:
        self.times, self.relative = times, np.asarray(relative, float)
        self.cumulative = np.concatenate([[0.0], cumulative])

    def sf(self, y: Any) -> np.ndarray:
        at = np.searchsorted(self.times, np.asarray(y, float), side="right")
        with np.errstate(over="ignore"):
            return np.exp(-self.cumulative[at] * self.relative)

    def cdf(self, y: Any) -> np.ndarray:
        return 1 - self.sf(y)

    def ppf(self, q: Any) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = -np.log1p(-np.asarray(q, float)) / self.relative
        at = np.searchsorted(self.cumulative[1:], needed * (1 - 1e-12))
        return np.where(needed <= 0, 0.0, np.append(self.times, np.inf)[at])

    def mean(self) -> np.ndarray:
        """Restricted to the last event."""
        curve = np.exp(-self.cumulative[:-1, np.newaxis] * self.relative)
        return np.diff(self.times, prepend=0.0) @ curve

    def var(self) -> np.ndarray:
        """Of times cut at the last event."""
        curve = np.exp(-self.cumulative[:-1, np.newaxis] * self.relative)
        return np.diff(self.times**2, prepend=0.0) @ curve - np.square(self.mean())

    def logpdf(self, y: Any) -> np.ndarray:
        raise ArgumentError("family='cox': Breslow's baseline is a step function, and has no density.")

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))

