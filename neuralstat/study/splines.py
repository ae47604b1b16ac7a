"""Smoothing splines as models of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_size
from ..checks.arguments import NONE, NOT_NEGATIVE, TEXT, Whole, arguments
from ..errors import ArgumentError
from .fits import Fits, one_by_one


@arguments(name=TEXT, lam=NONE | NOT_NEGATIVE, size=Whole(0), kind=TEXT)
@dataclass(frozen=True, eq=False)
class SmoothingSpline:
    """A cubic smoothing spline; made by `smoothing_spline`."""

    name: str
    lam: float | None = None
    size: int = 0
    kind: str = "smoothing spline"

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> PreparedSpline:
        """The spline on a design (n, 1)."""
        del columns, restarts
        return PreparedSpline(x, self.lam)

    def describe(self) -> str:
        """Text that names all settings."""
        return f"smoothing_spline(lam={self.lam!r})"

    def networks(self, restarts: int) -> int:
        """Networks per fit: none."""
        del restarts
        return 0


@arguments(lam=NONE | NOT_NEGATIVE, name=TEXT)
def smoothing_spline(lam: float | None = None, *, name: str = "smoothing spline") -> SmoothingSpline:
    """A cubic smoothing spline, as `scipy.interpolate.make_smoothing_spline` fits it.

    Parameters
    ----------
    lam : float, optional
        Penalty: sum (y - f)^2 + lam * integral f''^2; by generalised cross-validation where not given.
    name : str

    Notes
    -----
    The fit is made in the Demmler-Reinsch basis of the design, in which it is diagonal; that gives its degrees of
    freedom (at the penalty chosen) as well. One covariate without ties is needed.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.study.smoothing_spline(lam=0.1, name="spline").name
    'spline'
    """
    return SmoothingSpline(name, lam)


class PreparedSpline:
    """A smoothing spline on a design.

    Parameters
    ----------
    x : (n, 1) array
    lam : float or None
    """

    def __init__(self, x: np.ndarray, lam: float | None) -> None:
        if x.shape[1] != 1 or np.unique(x).size != x.shape[0]:
            raise ArgumentError("smoothing_spline needs one covariate without ties.")
        if x.shape[0] < 5:
            raise ArgumentError("smoothing_spline needs at least 5 observations.")
        check_size(8 * x.shape[0] ** 2, f"smoothing_spline: a basis of {x.shape[0]} observations")
        self.x, self.lam = x[:, 0], lam
        self.order = np.argsort(self.x)
        self.basis = DemmlerReinsch(self.x[self.order], np.ones(x.shape[0]))

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`."""
        del seeds, local
        at = self.x if new is None else np.concatenate([self.x, new[:, 0]])
        if rows is not None:
            return one_by_one(lambda t: self._part(y[t], rows[t], at), y, new=None if new is None else len(new))
        trace = np.full(y.shape, np.nan)

        def fit(t: int) -> tuple[np.ndarray, float]:
            fitted = np.empty(y.shape[1])
            fitted[self.order], trace[t, self.order] = self.basis.fit(y[t][self.order], self.lam)
            if new is not None:
                fitted = np.concatenate([fitted, _natural(self.x[self.order], fitted[self.order], new[:, 0])])
            return fitted, float(trace[t].sum())

        fits = one_by_one(fit, y, new=None if new is None else len(new))
        fits.leverage = trace
        return fits

    def _part(self, y: np.ndarray, rows: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, float]:
        """Fit some observations, predict at points; with the degrees of freedom."""
        count = np.bincount(rows, minlength=self.x.size).astype(float)
        seen = self.order[count[self.order] > 0]
        fitted, trace = DemmlerReinsch(self.x[seen], count[seen]).fit(y[seen], self.lam)
        return _natural(self.x[seen], fitted, at), float(trace.sum())


def _natural(x: np.ndarray, fitted: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The natural spline through values at increasing x; a straight line beyond them."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(x, fitted, bc_type="natural")
    inside = np.clip(at, x[0], x[-1])
    return spline(inside) + (at - inside) * spline(inside, 1)


class DemmlerReinsch:
    """The basis in which smoothing splines at increasing x with weights w are diagonal.

    Demmler & Reinsch (1975), Numerische Mathematik 24:375.
    """

    def __init__(self, x: np.ndarray, w: np.ndarray) -> None:
        self.root = np.sqrt(w)
        self.bend, self.vectors = np.linalg.eigh(roughness(x) / np.outer(self.root, self.root))
        self.bend = np.maximum(self.bend, 0.0)
        self.bend[:2] = 0.0  # straight lines are not penalised

    def fit(self, y: np.ndarray, lam: float | None) -> tuple[np.ndarray, np.ndarray]:
        """Fitted values and leverages; the penalty by generalised cross-validation where it is None."""
        part = self.vectors.T @ (self.root * y)
        shrink = 1 / (1 + (self._choose(part) if lam is None else lam) * self.bend)
        return self.vectors @ (shrink * part) / self.root, self.vectors**2 @ shrink

    def _choose(self, part: np.ndarray) -> float:
        """The penalty of least GCV: the best of a grid, refined."""
        from scipy.optimize import minimize_scalar

        bend = self.bend

        def gcv(log: Any) -> Any:
            off = np.multiply.outer(np.exp(log), bend)
            off = off / (1 + off)
            return np.sum((off * part) ** 2, axis=-1) / np.sum(off, axis=-1) ** 2

        grid = np.linspace(-np.log(bend[-1]) - 3, -np.log(bend[2]) + 7, 60)
        best = int(np.argmin(gcv(grid)))
        around = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
        return float(np.exp(minimize_scalar(gcv, bounds=around, method="bounded", options={"xatol": 1e-6}).x))


def roughness(x: np.ndarray) -> np.ndarray:
    """K (n, n) with integral f''^2 = f' K f for the natural cubic spline through f at increasing x.

    Green & Silverman (1994), Nonparametric Regression and Generalized Linear Models, section 2.1.2: K = Q R^-1 Q'.
    """
    n, h = x.size, np.diff(x)
    q, r = np.zeros((n, n - 2)), np.zeros((n - 2, n - 2))
    j = np.arange(n - 2)
    q[j, j], q[j + 1, j], q[j + 2, j] = 1 / h[:-1], -1 / h[:-1] - 1 / h[1:], 1 / h[1:]
    r[j, j] = (h[:-1] + h[1:]) / 3
    r[j[:-1], j[1:]] = r[j[1:], j[:-1]] = h[1:-1] / 6
    k = q @ np.linalg.solve(r, q.T)
    return (k + k.T) / 2
