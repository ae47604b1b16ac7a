"""Do I need a network? Tests of a linear model against neglected nonlinearity.

Lee, White & Granger (1993), Journal of Econometrics 56:269: hidden units with random weights are added to the linear model,
by their principal components beyond the first. Teraesvirta, Lin & Granger (1993), Journal of Time Series Analysis 14:209:
squares and cubes of the covariates are added, the Taylor series of a hidden unit; more powerful, and not random. Conventions
are those of R's ``tseries::white.test`` and ``terasvirta.test``, but that F here counts the constant among the parameters.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import arguments as kinds
from ..checks import check_size
from ..checks.arguments import RANDOM_STATE, arguments
from ..errors import ArgumentError, DataError
from ..formula import design as make_design
from ..seeds import seed_sequence

TESTS = ("terasvirta", "white")


@dataclass(frozen=True)
class NonlinearityTest:
    """Outcome of a test of linearity.

    Attributes
    ----------
    statistic, pvalue : float
    df : tuple
        (m,) of the chi2, or (m, n - m - k) of F.
    test, distribution : str

    Examples
    --------
    >>> import neuralstat as ns
    >>> test = ns.nonlinearity_test("accel ~ times", ns.datasets.mcycle(), distribution="F")
    >>> test.df, round(float(test.statistic), 2), test.pvalue < 0.001
    ((2, 129), 23.35, True)
    """

    statistic: float
    pvalue: float
    df: tuple[int, ...]
    test: str
    distribution: str

    def __str__(self) -> str:
        name = {"terasvirta": "Teraesvirta", "white": "White"}[self.test]
        verdict = "linearity is rejected at 5 %" if self.pvalue < 0.05 else "no nonlinearity found at 5 %"
        return (
            f"{name} test of neglected nonlinearity: {self.distribution}{self.df} = {self.statistic:.4f}, "
            f"p = {self.pvalue:.4g} ({verdict})"
        )

    __repr__ = __str__


@arguments(
    formula=kinds.TEXT, data=kinds.Anything("a table"), test=kinds.Choice(*TESTS), distribution=kinds.Choice("chi2", "F"),
    q=kinds.Whole(2), components=kinds.Whole(1), spread=kinds.Number(above=0.0, most=1e6), random_state=RANDOM_STATE,
)  # fmt: skip
def nonlinearity_test(
    formula: str, data: Any, test: str = "terasvirta", *, distribution: str = "chi2", q: int = 10, components: int = 2,
    spread: float = 4.0, random_state: Any = None,
) -> NonlinearityTest:  # fmt: skip
    """Test whether ``y`` is linear in the covariates of a formula.

    Parameters
    ----------
    formula : str
        One numeric response.
    data : table
    test : {"terasvirta", "white"}
    distribution : {"chi2", "F"}
        ``n log(RSS0 / RSS1)`` against chi2, or F, which keeps its size better in small samples.
    q, components, spread : int, int, float
        Of "white": random hidden units, principal components taken (the first is left out), and the width of the uniform
        distribution of their weights (covariates scaled to unit variance).
    random_state : int, SeedSequence, Generator, optional
        Of "white".

    Returns
    -------
    NonlinearityTest

    Raises
    ------
    ArgumentError
        For several or class responses, no covariate, too few rows.
    DataError
        Where the response is constant, or an exact linear function of the covariates.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.nonlinearity_test("accel ~ times", ns.datasets.mcycle(), distribution="F")
    Teraesvirta test of neglected nonlinearity: F(2, 129) = 23.3472, p = 2.219e-09 (linearity is rejected at 5 %)
    """
    if test != "white" and (q, components, spread) != (10, 2, 4.0):
        raise ArgumentError(f"q, components and spread belong to test='white', not to {test!r}.")
    design = make_design(formula, data)
    if len(design.y_names) > 1 or design.classes is not None:
        raise ArgumentError("nonlinearity_test needs one numeric response.")
    if design.x.shape[0] == 0:
        raise ArgumentError("nonlinearity_test needs a covariate.")
    if design.offset is not None:
        raise ArgumentError("nonlinearity_test takes no offset.")
    x, y = _scaled(design.x.T, design.x_names), design.y[0]
    if not np.isfinite(y.var(ddof=1)) or y.std() == 0:
        raise DataError(f"response {design.y_names[0]!r} is constant, or its variance is no number.")
    y = (y - y.mean()) / y.std(ddof=1)
    if test == "terasvirta":
        extra = _taylor(x)
    else:
        if components >= q:
            raise ArgumentError(f"components must be below q={q}, got {components}.")
        check_size(8 * y.size * q, f"q={q}: random units of {y.size} rows")
        rng = np.random.default_rng(seed_sequence(random_state))
        extra = _hidden(x, q, components, spread, rng)
    return _compare(x, y, extra, test, distribution)


def _scaled(x: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    if len(x) < 3:
        raise ArgumentError(f"{len(x)} row(s) are too few.")
    sd = x.std(axis=0, ddof=1)
    if np.any(sd == 0):
        raise ArgumentError(f"column {names[int(np.argmin(sd))]!r} is constant.")
    if not np.isfinite(sd).all():
        raise DataError(f"column {names[int(np.argmin(np.isfinite(sd)))]!r} is so large that its variance is no number.")
    return (x - x.mean(axis=0)) / sd


def _taylor(x: np.ndarray) -> np.ndarray:
    """All products of two and of three covariates."""
    d = x.shape[1]
    check_size(3 * len(x) * (d * (d + 1) // 2 + d * (d + 1) * (d + 2) // 6), f"products of two and three of {d} covariates")
    columns = [
        np.prod(x[:, list(which)], axis=1)
        for degree in (2, 3)
        for which in itertools.combinations_with_replacement(range(x.shape[1]), degree)
    ]
    return np.column_stack(columns)


def _hidden(x: np.ndarray, q: int, components: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Principal components 2, 3, ... of logistic units with random weights."""
    weights = rng.uniform(-spread / 2, spread / 2, (x.shape[1] + 1, q))
    units = (1 + np.tanh((weights[0] + x @ weights[1:]) / 2)) / 2  # the logistic function, without overflow
    sd = units.std(axis=0, ddof=1)
    units = (units - units.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    left, size, _ = np.linalg.svd(units, full_matrices=False)
    return (left * size)[:, 1 : components + 1]


def _compare(x: np.ndarray, y: np.ndarray, extra: np.ndarray, test: str, distribution: str) -> NonlinearityTest:
    """Residual sums of squares without and with the extra columns."""
    from scipy import stats

    n = y.size
    base = np.column_stack([np.ones(n), x])
    k0 = np.linalg.matrix_rank(base)
    full = np.column_stack([base, extra])
    m = int(np.linalg.matrix_rank(full) - k0)  # redundant products (of 0/1 columns) are not counted
    rest = n - k0 - m
    if rest <= 0 or m == 0:
        more = extra.shape[1]
        raise ArgumentError(f"{n} rows are too few, or the covariates take too few values, for {more} extra columns.")
    before, after = (float(np.sum((y - a @ np.linalg.lstsq(a, y, rcond=None)[0]) ** 2)) for a in (base, full))
    if before <= 1e-24 * n:
        raise DataError("the response is a linear function of the covariates without error: there is nothing to test.")
    after = max(after, np.finfo(float).tiny)
    if distribution == "F":
        f = (before - after) / m / (after / rest)
        return NonlinearityTest(f, float(stats.f.sf(f, m, rest)), (m, int(rest)), test, "F")
    chi2 = n * np.log(before / after)
    return NonlinearityTest(float(chi2), float(stats.chi2.sf(chi2, m)), (m,), test, "chi2")
