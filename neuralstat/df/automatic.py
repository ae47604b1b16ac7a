"""Degrees of freedom by situation: what estimates those of the procedure that made a fit, restarts and early stops included.

Derivatives at the fit say how one optimum follows the response. They are the whole where the optimum is the only one, or a
penalty holds the fit there. Unpenalised networks are chosen among the optima of several restarts, a search that costs
degrees of freedom which no derivative sees (8 units where 3 are true, best of 5: 33 by derivatives, 47 in truth); fits that
were stopped early have fewer than derivatives say. Both are measured by doing it again: on perturbed responses where noise
is additive (Ye 1998), on responses drawn from the fit in other families (Efron 2004), whose responses have bounds that noise
would leave (2 units, n = 150, 0/1 responses: 19 in truth, 21 by draws, 39 by noise, 9 by derivatives). That is done as long
as the refits' work is bounded; beyond, the value is of derivatives, and notes say what is not in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks.arguments import N_JOBS, NONE, RANDOM_STATE, REP_OR_MEAN, Whole, arguments
from ..engine import cpu
from ..errors import ArgumentError, DfError
from ..families import Mixture
from ..fitted import Fitted, kept
from ..layers import Dense
from . import local, noise, several
from .limits import limits
from .registry import DF, estimator
from .sigma import SIGMA, check_sigma
from .value import DegreesOfFreedom

WORK, SECONDS = 6e10, 8  # multiply-adds of all refits, and how long a core takes for them at most, about
SEARCH = 3.0  # times the work of a fit at given strengths of the penalty that the search for them takes, about
DENSITY = 2000.0  # multiply-adds that take as long as a density with its derivatives in several parameters
FEWEST, MOST = 20, 100  # draws
REFITS = ("gdf", "covariance")
UNSURE = 0.5  # standard error per weight beyond which a value is none, as of a likelihood without bounds
APART = 1.5  # divergence per degree of freedom by the Jacobian beyond which it is not believed
OWN_STREAM = 2**31 + 8  # of a fit's seeds: far from those of its repetitions


@estimator("auto")
@arguments(
    rep=REP_OR_MEAN, sigma=SIGMA, draws=NONE | Whole(3, 100_000),
    random_state=RANDOM_STATE, n_jobs=N_JOBS,
)  # fmt: skip
def auto(
    fitted: Fitted, rep: Any = "best", *, sigma: Any = None, draws: int | None = None, random_state: Any = None,
    n_jobs: int | None = None,
) -> DegreesOfFreedom:  # fmt: skip
    """Degrees of freedom by the method that suits the procedure; `notes` say which, and why.

    Parameters
    ----------
    sigma : float, optional
        Noise of the response, where the method perturbs it.
    draws : int, optional
        Perturbed responses, where the method refits; by default 20 to 100, as the refits' cost allows.
    random_state : int, SeedSequence, Generator, optional
        Of the perturbations; by default a stream of the fit's own, so that the value is one of the fit's.
    """
    if sigma is None and draws is None and random_state is None:
        return _default(fitted, rep)
    return _found(fitted, rep, sigma, draws, random_state, n_jobs)


@kept
def _default(fitted: Fitted, rep: Any) -> DegreesOfFreedom:
    return _found(fitted, rep, None, None, None, None)


def _found(
    fitted: Fitted, rep: Any, sigma: Any, draws: int | None, random_state: Any, n_jobs: int | None
) -> DegreesOfFreedom:
    check_sigma(sigma, fitted.network.n_outputs)
    if fitted.settings.minibatch and fitted.settings.epochs == 0:
        return DegreesOfFreedom(0.0, "none", notes=("none: start weights do not depend on the response",))
    method, why = _where_rows_are(fitted) if fitted.design.away else chosen(fitted, rep)
    if method not in REFITS:
        return _told(DF[method](fitted, rep), why)
    allowed = _allowed(fitted)
    restarts = "fresh" if fitted.settings.startweights is None else "same"  # those given are part of the procedure
    if draws is None and allowed < FEWEST:
        lacks = f"refits would take longer than {SECONDS} seconds (df({method!r}, restarts={restarts!r}) does them)"
        return _local(fitted, rep, why, lacks)
    draws = int(min(allowed, MOST)) if draws is None else draws
    if random_state is None:
        seeds = fitted.procedure.seeds
        random_state = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, OWN_STREAM))
    try:
        found = DF[method](
            fitted, rep, restarts=restarts, sigma=sigma, draws=draws, random_state=random_state, n_jobs=n_jobs
        )
    except (DfError, ArgumentError) as error:  # of losses whose noise is not known, or where none is left
        return _local(fitted, rep, why, f"the response cannot be drawn again ({error})")
    if not np.isfinite(found):
        return _local(fitted, rep, why, "refits to responses drawn again did not all end")
    if fitted.network.objective.several and not (found.se or 0.0) <= UNSURE * fitted.k_params:
        return _local(fitted, rep, why, f"refits do not determine it (standard error {found.se:.2g})")
    each = "" if fitted.settings.repetitions == 1 else f" of {fitted.settings.repetitions} restarts each"
    notes: tuple[str, ...] = ()
    if np.isfinite(found.parts["local"]):
        notes = DF["jacobian"](fitted, rep).notes  # a singular model is one, whatever its degrees of freedom
    return _told(found, f"{why}; {draws} refits{each}, within some {SECONDS} seconds", notes)


def _where_rows_are(fitted: Fitted) -> tuple[str, str]:
    """`chosen` of rows on a cluster."""
    if not fitted.penalised and len(fitted.network.layers) == 1:
        return "jacobian", "no hidden units, and so one optimum"
    return "jacobian", "rows are on a Dask cluster, where fits are not made again: search and stop are not counted"


def _local(fitted: Fitted, rep: Any, why: str, lacks: str) -> DegreesOfFreedom:
    """By derivatives at the fit, where they are not the whole, and what is the whole cannot be had."""
    return _told(DF["jacobian"](fitted, rep), f"{why}, but {lacks}: search and stop are not counted")


def _told(found: DegreesOfFreedom, why: str, notes: tuple[str, ...] = ()) -> DegreesOfFreedom:
    return DegreesOfFreedom(
        float(found), found.method, se=found.se, per_observation=found.per_observation, sigma=found.sigma,
        sigma_source=found.sigma_source, draws=found.draws, notes=(f"{found.method}: {why}", *found.notes, *notes),
        details={**found.details, "auto": why},
    )  # fmt: skip


def chosen(fitted: Fitted, rep: Any = "best") -> tuple[str, str]:
    """The method that suits how a fit was made, and why, in words."""
    settings = fitted.settings
    parameters = fitted.network.objective.several
    if parameters and (lacks := several.undrawable(fitted)):
        if len(fitted.network.layers) == 1 and not settings.minibatch and not isinstance(fitted.family, Mixture):
            return "jacobian", "no hidden units, and so one optimum"
        counted = "weights of all parameters are counted, search and stop are not"
        return "jacobian", f"{lacks}: {counted}"
    if np.any(fitted.fit.status == cpu.INTERRUPTED):
        return "jacobian", "training was interrupted, which cannot be done again: search and stop are not counted"
    again = "gdf" if noise.gaussian(fitted.network.objective) else "covariance"
    more = f"; {several.described(fitted)}" if parameters else ""
    if settings.minibatch:
        return again, f"trained by epochs, which end before an optimum{more}"
    if not fitted.penalised:
        if len(fitted.network.layers) == 1:
            return "jacobian", "no hidden units, and so one optimum"
        if not fitted.fit.free[:, : fitted.network.slices[-1].start].any():
            return "jacobian", "only weights of the output layer are trained, and so there is one optimum"
    if limits(fitted, rep) is not None:
        return again, f"stopped before its optimum{more}"
    if not fitted.penalised:
        held = "restarts without a penalty" if settings.repetitions > 1 else "no penalty holds the optimum in its place"
        return again, f"{held}{more}"
    if fitted.fit.strengths is not None:
        return again, f"strengths of the penalty were estimated, as they are again in refits{more}"
    if parameters:
        if all(_definite(fitted, b) for b in fitted.numbers(rep)):
            return "jacobian", "at an optimum that the penalty holds in its place; weights of all parameters are counted"
        return again, f"the penalty is too weak for the Hessian to be positive definite{more}"
    try:
        found = [float(local.divergence(fitted, b)) / max(float(local.jacobian(fitted, b)), 1) for b in fitted.numbers(rep)]
    except DfError:
        return again, "the penalty is too weak for the Hessian to be positive definite"
    if max(found) > APART:  # an eigenvalue near 0 is divided by: 94 for a truth of 31, and 30 by the Jacobian
        return again, "the penalty is too weak, and the Hessian nearly singular"
    return "divergence", "at an optimum that the penalty holds in its place"


def _definite(fitted: Fitted, b: int) -> bool:
    """Whether the Hessian of repetition b is positive definite."""
    try:
        values = np.linalg.eigvalsh(local.hessian(fitted, b, local.active(fitted, b)))
    except DfError:
        return False
    return bool(values[0] > local.DEFINITE * values[-1])


def _allowed(fitted: Fitted) -> float:
    """How many draws, each of all restarts, the work allows."""
    settings, steps = fitted.settings, float(np.mean(fitted.fit.steps))
    first, *second = fitted.fit.algorithm.partition(" (")[0].split(", then ")
    begun = min(steps, fitted.procedure.first_steps(settings.stepmax)) if second else steps
    each = begun * _step(fitted, first) + sum((steps - begun) * _step(fitted, name) for name in second)
    each *= 1.0 if fitted.fit.strengths is None else SEARCH
    return WORK / max(each * settings.repetitions, 1.0)


def _step(fitted: Fitted, algorithm: str) -> float:
    """Multiply-adds of a step: of a pass there and back, and of what second-order algorithms do besides."""
    settings, rows, p = fitted.settings, fitted.n_rows, float(fitted.network.n_params)
    if settings.minibatch and settings.batch_size is not None:
        rows = min(rows, settings.batch_size)  # steps are batches
    more = {"lm": rows * p**2 / 2 + p**3 / 6, "bfgs": 6 * p**2}.get(algorithm, 0.0)
    each = 6 * _work(fitted) + (DENSITY if fitted.network.objective.several else 0.0)
    return rows * each + more


def _work(fitted: Fitted) -> float:
    """Multiply-adds of one observation's forward pass, at most: layers of arrays use each weight once per position."""
    network = fitted.network
    positions = float(np.prod(network.input_shape[:-1]))
    return sum((part.stop - part.start) * (1.0 if isinstance(layer, Dense) else positions)
               for layer, part in zip(network.table_layers, network.slices, strict=True))  # fmt: skip
