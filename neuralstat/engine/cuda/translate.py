"""Kernels for another target from the same source.

A kernel is a Python function that names other kernels. `Translator` follows these names and makes a twin of
every function it meets, compiled for the other target; what cannot be shared (exponential functions, say) is
substituted. Twins are compiled with that target's own options: numba-cuda, left to itself, would take over a
CPU kernel's fast arithmetic and with it the assumption that nothing is NaN or infinite.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from ...jit.late import is_kernel
from .decide import Known, decide


class Translator:
    """Makes twins of kernels.

    Parameters
    ----------
    finish : callable
        Compiles (or leaves as it is) a plain Python function.
    substitutes : list of (function, function)
        What takes the place of a function that kernels name.
    """

    def __init__(self, finish: Callable[[Any], Any], substitutes: list[tuple[Any, Any]]) -> None:
        self._finish = finish
        self._twins: dict[Any, Any] = {}
        self._kept: list[Any] = []  # so that no id is used again
        self._given: set[int] = set()
        self._made: set[int] = set()  # twins, which are kernels themselves
        for old, new in substitutes:
            self.substitute(old, new)

    def substitute(self, old: Any, new: Any) -> None:
        """Put a function in the place of another that kernels name."""
        self._twins[id(old)] = new
        self._kept.append(old)
        self._given.add(id(old))

    def __call__(self, kernel: Any) -> Any:
        """Return the twin of a kernel; anything else is returned as it is."""
        if id(kernel) in self._twins:
            return self._twins[id(kernel)]
        if not is_kernel(kernel) or id(kernel) in self._made:
            return kernel
        return self._keep(id(kernel), kernel, kernel.py_func)

    def decided(self, kernel: Any, known: Known) -> Any:
        """Return the twin of a kernel some of whose arguments are known (see `decide`); it is called as the kernel is."""
        if id(kernel) in self._given or not is_kernel(kernel):
            return self(kernel)
        key = id(kernel), *sorted(known.items())
        if key not in self._twins:
            self._keep(key, kernel, decide(kernel.py_func, known, self.decided))
        return self._twins[key]

    def _keep(self, key: Any, kernel: Any, source: Any) -> Any:
        names = {
            name: source.__globals__[name] for name in source.__code__.co_names if name in source.__globals__
        }
        scope = {**source.__globals__, **{name: self(value) for name, value in names.items()}}
        cells = tuple(types.CellType(self(cell.cell_contents)) for cell in source.__closure__ or ())
        twin = types.FunctionType(source.__code__, scope, source.__name__, source.__defaults__, cells)
        twin.__qualname__ = source.__qualname__
        self._twins[key] = self._finish(twin)
        self._kept.append(kernel)
        self._made.add(id(self._twins[key]))
        return self._twins[key]
