"""Optimizers with their settings, for ``algorithm=``.

``algorithm="lm"`` is ``LM()``, ``"bfgs"`` is ``BFGS()``, ``"lbfgs"`` is ``LBFGS()``, and the names of R's
algorithms are variants of ``RProp`` (and ``"backprop"``). An instance carries settings of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..checks.arguments import NOT_NEGATIVE, POSITIVE, SHARE, Choice, Number, Whole, arguments
from ..errors import ArgumentError
from .base import Optimizer
from .minibatch import (
    CLASSES,
    MINIBATCH,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    MinibatchOptimizer,
    Nadam,
    RMSprop,
)
from .minibatch import from_plain as minibatch_from_plain
from .rprop import CODES

RPROP = tuple(name for name in CODES if name != "backprop")


@arguments(
    variant=Choice(*RPROP), minus=Number(above=0.0, most=1.0), plus=Number(1.0, 1e6), least=POSITIVE, most=POSITIVE,
)  # fmt: skip
@dataclass(frozen=True)
class RProp(Optimizer):
    """Resilient backpropagation, as R's neuralnet has it.

    Parameters
    ----------
    variant : {"rprop+", "rprop-", "sag", "slr"}
        With and without weight backtracking; globally convergent variants.
    minus, plus : float
        What a step size is multiplied by after, and without, a change of the derivative's sign: in (0, 1], and at least 1.
    least, most : float
        Limits of the step sizes.

    References
    ----------
    Riedmiller & Braun (1993), ICNN, 586; Igel & Huesken (2000); Anastasiadis, Magoulas & Vrahatis (2005),
    Neurocomputing 64:253.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> algorithm = ns.optimizers.RProp("rprop-")
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=2, algorithm=algorithm, random_state=1)
    >>> fit.converged
    True
    """

    variant: str = "rprop+"
    minus: float = 0.5
    plus: float = 1.2
    least: float = 1e-10
    most: float = 0.1

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ArgumentError(f"RProp: least must not exceed most, got {self.least!r} and {self.most!r}.")

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name for ``algorithm=``."""
        return self.variant

    def settings(self, dtype: Any = np.float64) -> np.ndarray:
        """What kernels see."""
        return np.array([np.nan, self.least, self.most, self.minus, self.plus], dtype=dtype)


@arguments(damping=Number(above=0.0, most=1e6), shrink=SHARE, late=NOT_NEGATIVE)
@dataclass(frozen=True)
class LM(Optimizer):
    """Levenberg-Marquardt with the Gauss-Newton matrix of any loss.

    Parameters
    ----------
    damping : float
        First damping, relative to the largest diagonal element of the Gauss-Newton matrix.
    shrink : float
        Smallest factor of the damping after a good step, in (0, 1).
    late : float
        Once a step lowers the error by less than this, relatively, what the Gauss-Newton matrix leaves out of
        the Hessian is estimated from differences of gradients and added where it predicts better (NL2SOL); 0
        never does.

    Notes
    -----
    ``(J' V J + mu I) d = -g`` with V the second derivative of the loss in the output or linear
    predictor (its Fisher form for exponential families; the block diag(p) - p p' for the multinomial), and
    the penalty's curvature added. After a step the damping mu follows the gain ratio (Nielsen 1999,
    IMM-REP-1999-05). Memory: P^2 numbers per thread. `steps` counts gradients.

    References
    ----------
    Levenberg (1944), Quart. Appl. Math. 2:164; Marquardt (1963), SIAM J. Appl. Math. 11:431;
    Hagan & Menhaj (1994), IEEE Trans. Neural Networks 5:989.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> algorithm = ns.optimizers.LM()
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=2, algorithm=algorithm, random_state=1)
    >>> fit.converged
    True
    """

    damping: float = 0.1
    shrink: float = 1 / 3
    late: float = 1e-4
    name = "lm"

    def settings(self) -> np.ndarray:
        """What kernels see."""
        return np.array([self.damping, self.shrink, self.late])


@dataclass(frozen=True)
class BFGS(Optimizer):
    """BFGS with the whole inverse Hessian and a line search to the strong Wolfe conditions.

    `steps` counts gradients, those of line searches too. Memory: P^2 numbers per thread.

    References
    ----------
    Nocedal & Wright (2006), Numerical Optimization, 2nd ed., algorithms 3.5, 3.6, 6.1.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> algorithm = ns.optimizers.BFGS()
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=2, algorithm=algorithm, random_state=1)
    >>> fit.converged
    True
    """

    name = "bfgs"


@arguments(memory=Whole(1, 100_000))
@dataclass(frozen=True)
class LBFGS(Optimizer):
    """BFGS with limited memory; under an L1 penalty its orthant-wise form, OWL-QN.

    Parameters
    ----------
    memory : int
        Number of differences kept.

    References
    ----------
    Liu & Nocedal (1989), Math. Program. 45:503; Andrew & Gao (2007), ICML, 33.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> algorithm = ns.optimizers.LBFGS(memory=5)
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=2, algorithm=algorithm, random_state=1)
    >>> fit.converged
    True
    """

    memory: int = 10
    name = "lbfgs"


OPTIMIZERS: dict[str, Any] = {"lm": LM, "bfgs": BFGS, "lbfgs": LBFGS}
_CLASSES = {kind.__name__: kind for kind in (RProp, LM, BFGS, LBFGS)}
__all__ = [*_CLASSES, *CLASSES]

LARGEST_LM, LARGEST_BFGS = 400, 1500  # weights up to which "auto" picks them
LARGEST_PRODUCTS = 2e10  # n K P^2 up to which it picks lm: about a second per step


def choose(n_free: int, n: int, outputs: int, lasso: bool, dense: bool = True) -> str:
    """What ``algorithm="auto"`` picks.

    Levenberg-Marquardt for dense networks of up to LARGEST_LM weights, where its step (about n K P^2 / 2
    products and a Cholesky factor) pays for itself in fewer steps; BFGS up to LARGEST_BFGS weights; else
    L-BFGS. An L1 penalty rules out BFGS, whose line search needs derivatives.

    Parameters
    ----------
    n_free, n, outputs : int
        Weights trained, observations, outputs.
    lasso, dense : bool
        Whether there is an L1 penalty; whether all layers are dense.
    """
    if dense and n_free <= LARGEST_LM and n * outputs * n_free**2 <= LARGEST_PRODUCTS:
        return "lm"
    return "bfgs" if n_free <= LARGEST_BFGS and not lasso else "lbfgs"


def from_plain(stored: Any) -> Optimizer:
    """Rebuild an optimizer from `Optimizer.to_plain`.

    Raises
    ------
    ArgumentError
        Where it is none.
    """
    name = stored.get("optimizer") if isinstance(stored, dict) else None
    if isinstance(name, str) and name in CLASSES:
        return minibatch_from_plain(stored)
    if isinstance(name, str) and name in _CLASSES:
        kind = _CLASSES[name]
        values = {k: v for k, v in stored.items() if k != "optimizer"}
        if set(values) <= {f.name for f in fields(kind)}:
            return kind(**values)
    raise ArgumentError(f"not an optimizer: {stored!r:.80}")
