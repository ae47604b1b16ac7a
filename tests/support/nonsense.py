"""Values that are no argument of anything, for tests of the doors of public functions."""

from __future__ import annotations

import numpy as np
import pandas as pd


class Hostile:
    """Compares, hashes, converts and is shown with an error."""

    def _fail(self, *_):
        raise RuntimeError("touched")

    __eq__ = __hash__ = __repr__ = __bool__ = __len__ = __float__ = __int__ = __iter__ = _fail


ENDLESS: list = []
ENDLESS.append(ENDLESS)

#: of no use where a number, a flag, a choice, a path or a stream is wanted
NONSENSE = [Hostile(), ENDLESS, b"x", 3 + 1j, float("nan"), np.array([[1, 2]]), np.ones((1, 1)), {}, object, pd.NA, -1.5,
            np.datetime64("2020-01-01"), pd.DataFrame({"a": [1]}), np.array(1.5, dtype=object), -(10**400), "\0"]  # fmt: skip


def said(value):
    """Name of a value among pytest's parameters."""
    return type(value).__name__
