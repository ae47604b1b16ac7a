"""Random numbers inside kernels: Philox 4x32-10, a function of a counter and a key, so without any state.

Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11. A number depends on (key,
counter) alone, hence neither on threads nor on the device nor on where a run was interrupted. Each repetition has a key;
the last words of the counter say what the numbers are for (`SHUFFLE`, ...), the others count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compile import jit

DROPOUT = 1  # units dropped; counter: (unit, observation, step)
SHUFFLE = 0  # order of the observations in an epoch; counter: (pair of draws, epoch)

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_FIVE, _SIX = np.uint64(5), np.uint64(6)
_UNIT = 1.0 / 9007199254740992.0  # 2^-53


@jit
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four words of 32 bits from a counter of four and a key of two, each word in a uint64."""
    for _ in range(10):
        p0, p1 = _MULTIPLY_0 * c0, _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@jit
def unit_interval(high: Any, low: Any) -> float:
    """A number in [0, 1) of 53 bits from two words."""
    return (np.int64(high >> _FIVE) * 67108864.0 + np.int64(low >> _SIX)) * _UNIT


@jit
def permute(order: Any, epoch: int, key: Any) -> None:
    """Fill `order` with a random permutation of 0 ... n - 1 (Fisher & Yates) that belongs to (key, epoch).

    Parameters
    ----------
    order : (n,) int64 array
        Written.
    epoch : int
    key : (2,) uint64 array
        Two words of 32 bits.
    """
    n = order.size
    for i in range(n):
        order[i] = i
    second = 0.0
    for i in range(n - 1, 0, -1):
        draw = n - 1 - i
        if draw % 2 == 0:
            a, b, c, d = philox(
                np.uint64(draw // 2), np.uint64(epoch), np.uint64(0), np.uint64(SHUFFLE), key[0], key[1]
            )
            u = unit_interval(a, b)
            second = unit_interval(c, d)
        else:
            u = second
        j = min(int(u * (i + 1)), i)
        order[i], order[j] = order[j], order[i]
