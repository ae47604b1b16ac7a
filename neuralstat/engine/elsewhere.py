"""Sums over observations that lie elsewhere, as optimizers' compiled loops ask for them.

A network whose loss is `ELSEWHERE` has no observations here. What its loss, gradient and Gauss-Newton matrix are at some
weights is told by a Python function, which may ask other machines; the loops, line searches and stopping rules around it are
those of every other fit.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit.call import PYTHON_FUNCTIONS, UNCOMPILED, call_several
from ..jit.late import late
from ..jit.scalar import real_

LOSS, CURVATURE = 0.0, 1.0  # what is asked for: loss and gradient; these and the Gauss-Newton matrix

Ask = Callable[[np.ndarray, bool], tuple[float, np.ndarray, np.ndarray | None]]


@late(returns="theta")
def sums_elsewhere(address: int, what: float, theta: Any, grad: Any, matrix: Any) -> Any:
    """Loss of one network at weights (P,); its gradient is added to `grad`, the Gauss-Newton matrix to `matrix`.

    Parameters
    ----------
    address : int
        Of an `Elsewhere`.
    what : float
        LOSS or CURVATURE.
    matrix : (F, F) array
        Of the free weights, lower triangle; (0, 0) where it is not wanted.
    """
    given = np.empty(1 + theta.size)
    told = np.empty(1 + theta.size + matrix.size)
    given[0] = what
    for j in range(theta.size):
        given[1 + j] = float(real_(theta[j]))
    call_several(address, given, told)
    for j in range(theta.size):
        grad[j] += told[1 + j]
    at = 1 + theta.size
    for f in range(matrix.shape[0]):
        for g in range(f + 1):
            matrix[f, g] += told[at + f * matrix.shape[0] + g]
    return theta[0] * 0 + told[0]


@late(returns="theta")
def loss_elsewhere(address: int, theta: Any, grad: Any) -> Any:
    """`sums_elsewhere` without a matrix."""
    return sums_elsewhere(address, LOSS, theta, grad, np.zeros((0, 0)))


class Elsewhere:
    """A function that compiled code calls by its address while the object lives.

    What it raises is kept in `error`: compiled code is told NaN, ends soon, and who called it raises the error.

    Parameters
    ----------
    ask : callable
        ``ask(theta, curved)``, weights (P,) and whether the matrix is wanted -> loss, gradient (P,), and matrix (F, F) or
        None. Called from any thread that trains.
    n_params, n_free : int
        P and F.
    """

    def __init__(self, ask: Ask, n_params: int, n_free: int) -> None:
        self._ask, self._sizes = ask, (n_params, n_free)
        self.error: BaseException | None = None
        pointer = ctypes.POINTER(ctypes.c_double)
        answer, of_pointers = weakref.WeakMethod(self._answer), weakref.WeakMethod(self._of_pointers)
        if UNCOMPILED:
            self.address = id(self)
            PYTHON_FUNCTIONS[self.address] = lambda *arrays: _strong(answer)(*arrays)
            weakref.finalize(self, PYTHON_FUNCTIONS.pop, self.address, None)
        else:
            self._function = ctypes.CFUNCTYPE(None, pointer, pointer)(lambda *arrays: _strong(of_pointers)(*arrays))
            self.address = int(ctypes.cast(self._function, ctypes.c_void_p).value or 0)

    def _of_pointers(self, given: Any, told: Any) -> None:
        p, f = self._sizes
        size = 1 + p + (f * f if given[0] == CURVATURE else 0)
        self._answer(np.ctypeslib.as_array(given, (1 + p,)), np.ctypeslib.as_array(told, (size,)))

    def _answer(self, given: np.ndarray, told: np.ndarray) -> None:
        told[:] = np.nan
        if self.error is not None:
            return
        p, _ = self._sizes
        try:
            loss, grad, matrix = self._ask(given[1:].copy(), bool(given[0] == CURVATURE))
            told[0], told[1 : 1 + p] = loss, grad
            if matrix is not None:
                told[1 + p :] = matrix.reshape(-1)
        except BaseException as error:  # nothing may pass through compiled code
            self.error = error


def _strong(method: weakref.WeakMethod[Callable[..., None]]) -> Callable[..., None]:
    """The method of an object that is there."""
    found = method()
    assert found is not None, "compiled code asks what is there"
    return found
