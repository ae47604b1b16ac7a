"""What stands on this machine for arrays of rows that lie on others: a shape, and a sentence where more is asked for."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ..errors import DataError

SENTENCE = (
    "the rows of this fit lie on the workers of a Dask cluster, and what was asked for needs them on this machine. "
    "data.map_partitions(fit.predict) predicts where the rows are; a fit to ns.chunks(data) reads the rows to this machine."
)


class Away:
    """Stands for an array whose last axis is the rows of a fit on a cluster.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any = np.float64) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{self.shape} on a Dask cluster>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):  # what protocols look for, and may not find
            raise AttributeError(name)
        raise DataError(SENTENCE)


def _refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
    raise DataError(SENTENCE)


_ASKED = (
    "array", "getitem", "setitem", "iter", "bool", "float", "int", "eq", "ne", "lt", "le", "gt", "ge", "neg", "abs", "invert",
    "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "matmul", "rmatmul", "pow", "rpow", "and", "rand",
    "or", "ror",
)  # fmt: skip
for _name in _ASKED:
    setattr(Away, f"__{_name}__", _refuse)
Away.__hash__ = object.__hash__  # type: ignore[method-assign]
