"""Losses of times to an event by their hazards: Cox's partial likelihood, and hazards that are constant between cuts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.buffers import table, zeros
from ..jit.compile import jit
from ..jit.scalar import exp_, log_, real_
from ..jit.special import exp_wide_

EVENT, RANK, ENTRY = 1, 3, 4  # rows of the response: positive for events; ranks of the time and of the time of entry
LOST = 1e-6  # share of what was added up, below which a difference of sums is formed anew


@jit
def sum_cox(value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    """Minus the log partial likelihood of m observations, ties by Efron's method (1977, JASA 72:557); one output.

    Observations are coupled by the sets at risk, so all of them must be there. `target` (5, block) holds in row `RANK` the
    rank of the time among all times, in `ENTRY` that of the time of entry (-1 for none): who is at risk at rank r has an
    entry below r, and a rank of at least r. Case weights as in R's survival: those of tied events are averaged.
    """
    ranks = 0
    top = real_(value[first, 0])
    for i in range(m):
        ranks = max(ranks, int(target[RANK, i]) + 1)
        top = max(top, real_(value[first, i]))
    zero = value[first, 0] * 0
    come, gone, dead = zeros(ranks, value), zeros(ranks, value), zeros(ranks, value)
    weight, events = zeros(ranks, target), table(1, ranks)[0]
    total = zero
    for i in range(m):
        r, entry = int(target[RANK, i]), int(target[ENTRY, i])
        e = case[i] * exp_(value[first, i] - top)
        come[r] += e
        if entry >= 0:
            gone[entry] += e
        if target[EVENT, i] > 0 and case[i] > 0:
            dead[r] += e
            weight[r] += case[i]
            events[r] += 1
            total -= case[i] * (value[first, i] - top)
    risk, most = zero, real_(zero)
    rise, tied = come, gone  # in place of what is read for the last time at a rank
    for r in range(ranks - 1, -1, -1):
        risk += come[r] - gone[r]
        most = max(most, real_(risk))
        rise[r] = zero
        tied[r] = zero
        if events[r] == 0:
            continue
        if real_(risk) < LOST * most:
            risk = _at_risk(value, target, case, first, m, r, top)
            most = real_(risk)
        share = weight[r] / events[r]
        for k in range(events[r]):
            part = k / events[r]
            among = risk - part * dead[r]
            total += share * log_(among)
            rise[r] += share / among
            tied[r] += part * share / among
    for r in range(1, ranks):
        rise[r] += rise[r - 1]
    for i in range(m):
        r, entry = int(target[RANK, i]), int(target[ENTRY, i])
        hazard = rise[r]
        if entry >= 0:
            hazard = hazard - rise[entry]
        d = exp_(value[first, i] - top) * hazard
        if target[EVENT, i] > 0 and case[i] > 0:
            d = d - exp_(value[first, i] - top) * tied[r] - 1
        delta[first, i] = case[i] * d
    return total


@jit
def _at_risk(value: Any, target: Any, case: Any, first: int, m: int, rank: int, top: float) -> Any:
    """Sum of the risks of who is at risk at a rank."""
    total = value[first, 0] * 0
    for i in range(m):
        if int(target[RANK, i]) >= rank and int(target[ENTRY, i]) < rank:
            total += case[i] * exp_(value[first, i] - top)
    return total


@jit
def sum_piecewise(parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, lane: int,
                  m: int, lanes: int) -> Any:
    """Hazards that are constant between cuts: rows are the log hazard before the first cut, and log ratios to it after cuts.

    ``parameters[2:]`` are the `outputs` - 1 cuts; `target` as in `cumulative.sum_survival`, without intervals. (Friedman
    1982, Ann Statist 10:101.)
    """
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        entry = target[2, i] if target.shape[0] > 2 else 0.0
        stop, event = target[0, i], target[1, i] > 0
        base = value[first, i]
        slope, low = base * 0, 0.0
        for k in range(outputs):
            if k > 0:
                delta[first + k, i] = base * 0
                low = parameters[1 + k]
            high = parameters[2 + k] if k < outputs - 1 else np.inf
            if stop <= low or entry >= high:
                continue
            log_hazard = base + value[first + k, i] if k > 0 else base
            d = exp_wide_(log_hazard) * (min(stop, high) - max(entry, low))
            total += case[i] * d
            if event and stop <= high:
                total -= case[i] * log_hazard
                d = d - 1
            slope += d
            if k > 0:
                delta[first + k, i] = case[i] * d
        delta[first, i] = case[i] * slope
    return total
