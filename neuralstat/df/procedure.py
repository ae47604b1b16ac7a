"""Generalised degrees of freedom of any procedure that turns a response into a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import check_size, shown
from ..checks.arguments import DRAWS, FUNCTION, N_JOBS, POSITIVE, RANDOM_STATE, Anything, Numbers, Whole, arguments
from ..checks.values import told
from ..errors import ArgumentError, NeuralStatError
from ..seeds import children, seed_sequence
from ..training.interrupts import passed_on
from .montecarlo import jackknife, slopes
from .value import DegreesOfFreedom


@arguments(
    procedure=FUNCTION, y=Numbers(1, least=2), sigma=Anything("a number > 0, or one per observation", 1.0), tau=POSITIVE,
    draws=Whole(3, DRAWS), random_state=RANDOM_STATE, n_jobs=N_JOBS,
)
def gdf(
    procedure: Callable[[np.ndarray], Any],
    y: Any,
    sigma: Any,
    *,
    tau: float = 0.5,
    draws: int = 100,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> DegreesOfFreedom:
    """Generalised degrees of freedom (Ye 1998, JASA 93:120) of a procedure.

    The response is perturbed, the whole procedure is run again (put selection, tuning and restarts inside
    it), and the fit of each observation is regressed on its perturbation, with intercept; the slopes add up
    to the value.

    Parameters
    ----------
    procedure : callable
        Takes a response (n,), returns the fitted values (n,). It must not depend on anything random that is
        not fixed, or else that randomness is part of the procedure and adds to the standard error. It trains where
        it says, as ``neuralnet(..., device="cuda")``; `NeuralNetResults.df` runs all refits of a fit at once, on the
        fit's device.
    y : array (n,)
    sigma : float or array (n,)
        Standard deviation of the noise of y; sets the size of the perturbations.
    tau : float
        Standard deviation of the perturbations in units of sigma; 0.5 to 1 is usual.
    draws : int
        Number of perturbed responses.
    random_state : int, SeedSequence, Generator, optional
        Procedures given the same one see the same perturbations.
    n_jobs : int, optional
        Processes that run the procedure (joblib); 1 where not given.

    Returns
    -------
    DegreesOfFreedom
        With its standard error (jackknife over draws) and the part of each observation.

    Raises
    ------
    ArgumentError
        Where arguments are not usable, or the procedure returns something else than n finite numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> y = np.arange(20.0)
    >>> round(float(ns.gdf(lambda v: np.full(v.size, v.mean()), y, 1.0, draws=2000, random_state=1)), 1)
    1.0
    """
    response: np.ndarray = y
    spread = Numbers(None).check(sigma, "sigma")
    if spread.shape not in ((), (1,), response.shape):
        raise ArgumentError(f"sigma must be a number or as long as y ({response.size}), got {shown(sigma)}.")
    spread = np.broadcast_to(spread, response.shape)
    if not np.all(spread > 0):
        raise ArgumentError(f"sigma must be > 0, got {shown(sigma)}.")
    check_size(draws * (6 * response.size + 100), f"draws={draws} responses")
    seeds = children(seed_sequence(random_state), draws)
    change = tau * spread * np.stack([np.random.default_rng(s).standard_normal(response.size) for s in seeds])
    if n_jobs is None or n_jobs == 1:
        fits = [_run(procedure, response + d) for d in change]
    else:
        from joblib import Parallel, delayed

        fits = Parallel(n_jobs=min(n_jobs, draws))(delayed(_run)(procedure, response + d) for d in change)
    slope, without = slopes(change, np.stack(fits))
    return DegreesOfFreedom(
        float(slope.sum()), "gdf", se=jackknife(without.sum(axis=1)), per_observation=slope,
        sigma=float(spread[0]) if np.ptp(spread) == 0 else spread.copy(), sigma_source="as given",
        draws=draws,
        details={"tau": tau},
    )  # fmt: skip


def _run(procedure: Callable[[np.ndarray], Any], y: np.ndarray) -> np.ndarray:
    with passed_on():
        try:
            given = procedure(y.copy())
        except NeuralStatError:
            raise
        except Exception as error:
            raise ArgumentError(f"procedure raised {told(error)[:200]}.") from error
    try:
        fitted = Numbers(None, finite=False).check(given, "procedure")
    except ArgumentError:
        raise ArgumentError(f"procedure must return {y.size} finite numbers, got {shown(given)}.") from None
    if fitted.shape != y.shape or not np.all(np.isfinite(fitted)):
        raise ArgumentError(
            f"procedure must return {y.size} finite numbers, got "
            + (f"shape {fitted.shape}." if fitted.shape != y.shape else "values that are not finite.")
        )
    return fitted
