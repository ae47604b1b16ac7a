"""Minus the log-density of several responses that are normal together."""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.special import exp_wide_
from .densities import HALF_LOG_2PI


@jit
def sum_multinormal(value: Any, target: Any, case: Any, delta: Any, first: int, lane: int, m: int, lanes: int) -> Any:
    """L responses; rows hold L means, L log standard deviations and L (L - 1) / 2 regressions of innovations.

    The modified Cholesky decomposition of the covariance (Pourahmadi 1999, Biometrika 86:677): with r = y - mu the
    innovation r_k - sum_{j < k} phi_kj r_j has standard deviation sigma_k, and is independent of r_1 .. r_{k-1}. phi_21,
    phi_31, phi_32, ... stand behind the log standard deviations; every value of the rows is a covariance.
    """
    total = value[first, 0] * 0
    size = target.shape[0]
    for i in range(lane, m, lanes):
        for k in range(size):
            delta[first + k, i] = value[first, i] * 0
        at = first + 2 * size
        for k in range(size):
            b = value[first + size + k, i]
            root = exp_wide_(-b)
            r = target[k, i] - value[first + k, i]
            for j in range(k):
                r = r - value[at + j, i] * (target[j, i] - value[first + j, i])
            z = r * root
            total += case[i] * (HALF_LOG_2PI + b + z * z / 2)
            pull = case[i] * z * root
            delta[first + k, i] -= pull
            delta[first + size + k, i] = case[i] * (1 - z * z)
            for j in range(k):
                delta[first + j, i] += pull * value[at + j, i]
                delta[at + j, i] = -pull * (target[j, i] - value[first + j, i])
            at += k
    return total
