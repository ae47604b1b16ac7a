"""Newton's method to an optimum near a fit, and along with it when the response moves a little."""

from __future__ import annotations

import numpy as np

from ..engine import cpu
from ..engine.data import make_data
from ..errors import DfError
from ..fitted import Fitted
from ..functions.penalties import penalise
from ..jit.compile import as_python
from ..network import blocks, derivatives
from .local import active
from .roots import DEFINITE, indefinite

TOLERANCE = 1e-10  # largest partial derivative at an optimum, relative to the size of the scores


class Polish:
    """Optimum near repetition b (0-based) of a fit.

    Parameters
    ----------
    fitted : Fitted
    b : int
    """

    def __init__(self, fitted: Fitted, b: int) -> None:
        self.fitted, self.b = fitted, b
        self.network, self.penalty = fitted.network, fitted.penalty_of(b)
        self.used = active(fitted, b)
        self.theta = fitted.fit.theta[b].astype(float)
        scores = blocks.scores(self.network, fitted.data, self.theta)
        self.limit = TOLERANCE * max(1.0, float(np.sqrt(np.max(sum(np.sum(s**2, axis=0) for _, s in scores)))))

    def _data(self, y: np.ndarray) -> cpu.Data:
        design = self.fitted.design
        return make_data(design.x, y, design.weights, design.offset)

    def _gradient(self, data: cpu.Data, theta: np.ndarray) -> np.ndarray:
        return derivatives.gradient(self.network, data, theta, self.penalty)[self.used]

    def _objective(self, data: cpu.Data, theta: np.ndarray) -> float:
        value = derivatives.error(self.network, data, theta)
        if self.penalty is not None:
            value += float(as_python(penalise)(self.penalty, theta, np.zeros_like(theta)))
        return value

    def _eigen(self, data: cpu.Data, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        matrix = derivatives.hessian(self.network, data, theta, self.penalty)
        return np.linalg.eigh(matrix[np.ix_(self.used, self.used)])

    def optimum(self, steps: int = 200) -> tuple[np.ndarray, int]:
        """Weights (P,) where the gradient vanishes and the Hessian is positive definite, and the steps taken.

        Newton steps with the Hessian's eigenvalues lifted where needed (damped until the objective falls).

        Raises
        ------
        DfError
            Where none is reached, or the Hessian there is not positive definite.
        """
        data = self.fitted.data
        theta, damping = self.theta.copy(), 0.0
        value = self._objective(data, theta)
        for step in range(steps):
            gradient = self._gradient(data, theta)
            values, vectors = self._eigen(data, theta)
            if np.max(np.abs(gradient), initial=0.0) <= self.limit and values[0] > DEFINITE * values[-1]:
                self.theta, self._vectors, self._values = theta, vectors, values
                return theta, step
            if np.max(np.abs(gradient), initial=0.0) <= self.limit:
                raise DfError(indefinite("the Hessian at the polished fit", values[0]))
            theta, value, damping = self._descend(data, theta, value, gradient, values, vectors, damping)
        raise DfError(
            f"df: no optimum was reached in {steps} Newton steps (largest partial derivative "
            f"{np.max(np.abs(gradient)):.3g}); without a penalty there may be none. Use 'gdf' or 'covariance'."
        )

    def _descend(
        self, data: cpu.Data, theta: np.ndarray, value: float, gradient: np.ndarray, values: np.ndarray,
        vectors: np.ndarray, damping: float,
    ) -> tuple[np.ndarray, float, float]:  # fmt: skip
        """One damped step downhill."""
        along = vectors.T @ gradient
        size = np.abs(values)
        noise = 1e-13 * max(abs(value), 1.0)
        for _ in range(60):
            moved = theta.copy()
            moved[self.used] -= vectors @ (along / (np.maximum(size, 1e-10 * size[-1]) + damping))
            there = self._objective(data, moved)
            if there <= value + noise:
                return moved, there, damping / 10 if damping > 1e-12 * size[-1] else 0.0
            damping = max(damping * 10, 1e-6 * float(np.median(size)))
        raise DfError(
            f"df: Newton's method stalled at a largest partial derivative of {np.max(np.abs(gradient)):.3g}. "
            "Use method='gdf' or 'covariance'."
        )

    def follow(self, y: np.ndarray, steps: int = 100) -> np.ndarray:
        """Find the optimum (P,) for a response (K, n) near that of the fit; call `optimum` first.

        Newton steps from the optimum, the Hessian renewed where they do not shrink the gradient by a half.

        Raises
        ------
        DfError
            Where the gradient does not vanish.
        """
        data = self._data(y)
        theta, vectors, values = self.theta.copy(), self._vectors, self._values
        last = np.inf
        for _ in range(steps):
            gradient = self._gradient(data, theta)
            largest = float(np.max(np.abs(gradient), initial=0.0))
            if largest <= self.limit:
                return theta
            if largest > 0.5 * last:
                values, vectors = self._eigen(data, theta)
            last = largest
            if not np.isfinite(last) or not values.all():
                break  # flat, or away
            theta[self.used] -= vectors @ ((vectors.T @ gradient) / values)
        raise DfError(
            f"df: the optimum was lost (largest partial derivative {largest:.3g}); use a smaller eps."
        )
