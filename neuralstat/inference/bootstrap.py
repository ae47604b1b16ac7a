"""Bootstrap refits of a fit, as one stack: predictions at given covariates.

Efron & Tibshirani (1993), An Introduction to the Bootstrap, sections 9.4 and 9.5; for networks Tibshirani (1996), Neural
Computation 8:152.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_size
from ..checks.arguments import DRAWS, N_JOBS, NONE, RANDOM_STATE, Choice, Whole, arguments
from ..cluster import in_parts, joblib_client
from ..df import noise
from ..errors import ArgumentError, ConvergenceWarning, caller
from ..families import Survival
from ..fitted import Fitted, kept
from ..network import derivatives
from ..seeds import children, seed_sequence
from ..training.refits import RESTARTS, Refits, combine, repeated, stacks
from .dispersion import degrees, dispersion, used_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..training.fit import Fit

WEIGHTS = 200  # samples that covariances of weights are of
OF_WEIGHTS = 0x626F6F74  # child of a fit's seeds that they are drawn from
KINDS = ("parametric", "residual", "case")
_INSTEAD = "fit a smaller model, or use kind='case'"


def responses(fitted: Fitted, kind: str, draws: int, seeds: np.random.SeedSequence, rep: Any) -> np.ndarray:
    """Responses (T, K, n) of bootstrap samples in internal units, from the fit as truth.

    "parametric": drawn from the family, with its dispersion. "residual": fitted values plus residuals drawn with
    replacement, enlarged by sqrt(n / (n - df)) and centred; rows of several outputs stay together.
    """
    numbers = fitted.numbers(rep)
    mu = noise.fitted(fitted, numbers)
    objective, w = fitted.network.objective, fitted.case_weights
    safe = np.where(w > 0, w, 1.0)
    if kind == "parametric":
        if fitted.family is None:
            raise ArgumentError("kind='parametric' needs a family: use kind='residual' or 'case'.")
        phi = dispersion(fitted, numbers)[0]
        if not np.isfinite(phi).all():
            raise ArgumentError(f"no degrees of freedom are left for the dispersion of the draws: {_INSTEAD}.")
        if noise.gaussian(objective):
            root = np.linalg.cholesky(phi)
            return np.stack([
                mu + root @ np.random.default_rng(s).standard_normal(mu.shape) / np.sqrt(safe)
                for s in children(seeds, draws)
            ])  # fmt: skip
        if objective.name == "multinomial" and not np.allclose(fitted.design.y.sum(axis=0), 1):
            raise ArgumentError("kind='parametric' needs one class per row: use kind='case'.")
        return np.stack([
            noise.drawn(fitted, fitted.numbers(rep), np.random.default_rng(s), mu, np.diag(phi)[:, np.newaxis])
            for s in children(seeds, draws)
        ])  # fmt: skip
    if not noise.gaussian(objective):
        raise ArgumentError("kind='residual' needs additive noise: use kind='parametric' or 'case'.")
    used = np.flatnonzero(w > 0)
    rest = degrees(fitted, numbers)
    if rest <= 0:
        raise ArgumentError(f"no degrees of freedom are left to rescale residuals: {_INSTEAD}.")
    often = fitted.frequencies[used] / fitted.frequencies.sum()
    standard = (fitted.design.y - mu)[:, used] * np.sqrt(fitted.own_weights[used])
    standard = (standard - (standard @ often)[:, np.newaxis]) * np.sqrt(fitted.nobs / rest)
    out = np.empty((draws, *mu.shape))
    for t, s in enumerate(children(seeds, draws)):
        rng = np.random.default_rng(s)
        equal = fitted.design.frequencies is None
        chosen: Any = rng.integers(used.size, size=mu.shape[1]) if equal else rng.choice(used.size, mu.shape[1], p=often)
        out[t] = mu + standard[:, chosen] / np.sqrt(safe)
    return out


def counts(fitted: Fitted, draws: int, seeds: np.random.SeedSequence) -> np.ndarray:
    """How often (T, n) each row is drawn with replacement, as often as it stands for; rows of weight 0 never are.

    Where rows are in clusters, so many clusters are drawn as there are, each with all its rows.
    """
    used = np.flatnonzero(fitted.case_weights > 0)
    often = fitted.frequencies[used]
    if fitted.design.groups is not None:
        code = np.unique(fitted.design.groups[used], return_inverse=True)[1].reshape(-1)
        g, drawn = int(code.max()) + 1, np.zeros((draws, fitted.n_rows))
        for line, s in zip(drawn, children(seeds, draws), strict=True):
            line[used] = np.random.default_rng(s).multinomial(g, np.full(g, 1 / g))[code] * often
        return drawn
    n = int(np.round(often.sum()))
    if not np.allclose(often, np.round(often)):
        raise ArgumentError("kind='case' draws observations, and freq_weights are not whole: use kind='parametric'.")
    out = np.zeros((draws, fitted.n_rows))
    for line, s in zip(out, children(seeds, draws), strict=True):
        line[used] = np.random.default_rng(s).multinomial(n, often / often.sum())
    return out


@arguments(
    draws=Whole(2, DRAWS), kind=NONE | Choice(*KINDS), restarts=NONE | Choice(*RESTARTS), random_state=RANDOM_STATE,
    n_jobs=N_JOBS,
)
def predictions(
    fitted: Fitted, x: np.ndarray, offset: np.ndarray | None, *, rep: Any = "mean", draws: int = 100,
    kind: str | None = None, restarts: str | None = None, random_state: Any = None, n_jobs: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Means (T, K, m) at x (D, m), internal units of x, by refits to bootstrap samples; in the response's units.

    Parameters
    ----------
    rep : {"mean", "best"} or int
        What the procedure gives.
    draws : int
        T.
    kind : {"parametric", "residual", "case"}, optional
        Default "parametric", "residual" where the error belongs to no family, "case" where times are censored, and where
        rows are in clusters (``groups=``), which are then drawn whole; the others take rows as independent.
    restarts : {"warm", "same", "fresh"}, optional
        Start weights of the refits: the fitted weights (fast; refits stay in the fit's optima, and of "best" only the best
        repetition is refitted), the fit's own start weights, or new random ones. Default "warm"; "same" for fits by epochs,
        which end before an optimum: from the fitted weights they would be trained twice as long. Validation rows that
        stopped a fit stop its refits, too. Strengths of a penalty that were estimated are held at each repetition's, but by
        "fresh", which estimates them anew.
    random_state : int, SeedSequence, Generator, optional
    n_jobs : int, optional
        Threads. Where not given, and inside ``joblib.parallel_config(backend="dask")``, the workers of that cluster refit.

    Raises
    ------
    ArgumentError
        For unknown kinds, and such that do not suit the response; where a refit diverges.

    Warns
    -----
    ConvergenceWarning
        Where all repetitions of some refit stopped before the threshold.
    DfWarning
        Where no degrees of freedom are left for what "parametric" and "residual" draw from; the means are then NaN.
    """
    kind = usual_kind(fitted) if kind is None else kind
    restarts = usual_restarts(fitted) if restarts is None else restarts
    outputs = means_of(fitted)
    check_size(draws * outputs * (3 * fitted.n_rows + 2 * x.shape[1]), f"draws={draws} bootstrap samples")
    if kind != "case" and used_up(fitted, fitted.numbers(rep)):
        return np.full((draws, outputs, x.shape[1]), np.nan)
    sample_seeds, start_seeds = children(seed_sequence(random_state), 2)
    sample = _Sample.of(fitted, kind, draws, sample_seeds, rep)
    whole = rep == "mean" or (rep == "best" and restarts != "warm")
    used = list(range(fitted.nrep)) if whole else [fitted.which(rep)]
    client = None if n_jobs is not None or fitted.settings.device != "cpu" else joblib_client()
    job = _Job(fitted, restarts, start_seeds, used, n_jobs, x, offset, rep)
    out, lost = np.empty((draws, outputs, x.shape[1])), 0
    for numbers, (means, lost_here) in in_parts(
        _predict, lambda: job, draws, lambda: job.parts(draws), lambda numbers: (sample.part(numbers),), what="the fit",
        client=client,
    ):  # fmt: skip
        at = slice(numbers.start, numbers.stop)
        out[at], lost = means * sample.scale[at] + sample.shift[at], lost + lost_here
    if lost:
        warnings.warn(
            f"Algorithm did not converge in any repetition of {lost} of {draws} bootstrap refits; what they reached counts.",
            ConvergenceWarning,
            stacklevel=caller(),
        )
    if not np.isfinite(out).all():
        raise ArgumentError("method='bootstrap': a refit diverged; train with a penalty, or use restarts='warm'.")
    return fitted.original_means(out)


def usual_kind(fitted: Fitted) -> str:
    """The kind of samples unless it is said."""
    censored = isinstance(fitted.family, Survival)  # whose limits are not known of all times
    if censored or fitted.design.groups is not None:
        return "case"
    return "residual" if fitted.family is None else "parametric"


def kind_of(fitted: Fitted, given: str | None) -> str:
    """The kind of covariance that samples of a kind have the references of: "cluster" where clusters are drawn."""
    kind = usual_kind(fitted) if given is None else given
    return "cluster" if kind == "case" and fitted.design.groups is not None else "rows"


@kept
def weight_draws(fitted: Fitted, b: int) -> np.ndarray:
    """Weights (WEIGHTS, P) of repetition b by refits to bootstrap samples, internal units; always the same ones.

    Refits begin at the fitted weights (of fits by epochs at the start weights), so that units keep their places. Samples are
    of the kind that `predictions` has unless told, and the same for all repetitions.

    Raises
    ------
    ArgumentError
        Where a refit diverges.
    """
    seeds = np.random.SeedSequence(fitted.seeds.entropy, spawn_key=(*fitted.seeds.spawn_key, OF_WEIGHTS))
    kind = usual_kind(fitted)
    if kind != "case" and used_up(fitted, [b]):
        return np.full((WEIGHTS, fitted.network.n_params), np.nan)
    sample = _Sample.of(fitted, kind, WEIGHTS, seeds, b + 1, rescaled=False)
    client = joblib_client() if fitted.settings.device == "cpu" else None
    job = _Job(fitted, usual_restarts(fitted), None, [b])
    out = [theta for _, theta in in_parts(
        _weights, lambda: job, WEIGHTS, lambda: job.parts(WEIGHTS), lambda numbers: (sample.part(numbers),), what="the fit",
        client=client,
    )]  # fmt: skip
    found = np.concatenate(out)
    if not np.isfinite(found).all():
        raise ArgumentError("cov_type='bootstrap': a refit diverged; train with a penalty.")
    return found


def means_of(fitted: Fitted) -> int:
    """Number of means of a row: of times one, whatever their response's rows say."""
    return (fitted.observed if fitted.network.objective.several else fitted.design.y).shape[0]


def usual_restarts(fitted: Fitted) -> str:
    """How refits begin unless it is said: from the fitted weights where these are an optimum."""
    return "same" if fitted.settings.minibatch else "warm"


@dataclass(frozen=True)
class _Sample:
    """Bootstrap samples of a fit's data.

    Attributes
    ----------
    y : (T, K, n) array or None
        Responses, of which refits see ``(y - shift) / scale``.
    counts : (T, n) array
        By cases: how often each row is drawn.
    shift, scale : (T, K, 1) arrays
    """

    y: np.ndarray | None
    counts: np.ndarray
    shift: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(
        cls, fitted: Fitted, kind: str, draws: int, seeds: np.random.SeedSequence, rep: Any, rescaled: bool = True
    ) -> _Sample:
        """Draw them."""
        y, often, shift, scale = None, np.zeros((0, 0)), np.zeros((1, 1, 1)), np.ones((1, 1, 1))
        if kind == "case":
            often = counts(fitted, draws, seeds)
        else:
            y = responses(fitted, kind, draws, seeds, rep)
            if rescaled:
                shift, scale = Refits(fitted.procedure, fitted.fit).units(y)
        size = draws, means_of(fitted), 1
        return cls(y, often, np.broadcast_to(shift, size), np.broadcast_to(scale, size))

    def part(self, numbers: range) -> _Sample:
        """Some of them."""
        at = slice(numbers.start, numbers.stop)
        return _Sample(None if self.y is None else self.y[at], self.counts[at], self.shift[at], self.scale[at])

    def refits(self, again: Refits, fitted: Fitted, start: np.ndarray, held: list[int] | None) -> Iterator[Fit]:
        """Fits to the samples, as one stack, from starts (T, R, P), at the strengths of repetitions where held."""
        each, flat = start.shape[1], start.reshape(-1, start.shape[2])
        if self.y is not None:
            inner = np.repeat((self.y - self.shift) / self.scale, each, axis=0)
            units = repeated(self.shift, self.scale, slice(None), each)
            yield again.to_responses(inner, flat, units=units, held=held)
        elif fitted.settings.minibatch:  # batches hold a row as often as it was drawn
            rows = [np.repeat(np.arange(line.size), line.astype(np.int64)) for line in self.counts]
            yield from again.to_samples(rows, start)
        else:
            own = np.repeat(self.counts * fitted.own_weights, each, axis=0)
            y = np.broadcast_to(fitted.design.y, (len(flat), *fitted.design.y.shape))
            yield again.to_responses(y, flat, weights=own, held=held)


@dataclass(frozen=True)
class _Job:
    """What all refits are done by: repetitions `used` (from 0), and covariates at which they predict."""

    fitted: Fitted
    restarts: str
    seeds: np.random.SeedSequence | None
    used: list[int]
    n_jobs: int | None = None
    x: np.ndarray | None = None
    offset: np.ndarray | None = None
    rep: Any = "best"

    def fits(self, numbers: range, sample: _Sample) -> Iterator[Fit]:
        """Refits to samples, whose numbers among all are given, in stacks."""
        fitted, used = self.fitted, self.used
        again, held = Refits(fitted.procedure, fitted.fit, self.n_jobs), None if self.restarts == "fresh" else used
        one = None if self.restarts == "fresh" else again.starts(used, len(used), self.restarts, None, 0)
        for part in self.parts(len(numbers)):
            own = numbers[part.start : part.stop]
            start = np.stack([again.starts(used, len(used), "fresh", self.seeds, t) if one is None else one for t in own])
            yield from sample.part(part).refits(again, fitted, start, held)

    def parts(self, count: int) -> Iterator[range]:
        """Stacks of `count` refits."""
        fitted, each = self.fitted, len(self.used)
        return (range(s.start, s.stop) for s in stacks(count, fitted.network, each, 2 * each * fitted.design.y.size))


def _predict(job: _Job, numbers: range, sample: _Sample) -> tuple[np.ndarray, int]:
    """Means (T, K, m) of refits to samples, internal units of each; and how many did not converge."""
    out, lost, each = [], 0, len(job.used)
    for fit in job.fits(numbers, sample):
        lost += int(np.sum(~fit.finished.reshape(-1, each).any(axis=1)))
        assert job.x is not None
        out.append(_at(job.fitted, fit, job.x, job.offset, each, job.rep))
    return np.concatenate(out), lost


def _weights(job: _Job, numbers: range, sample: _Sample) -> np.ndarray:
    """Weights (T, P) of refits to samples."""
    return np.concatenate([fit.theta.astype(float) for fit in job.fits(numbers, sample)])


def _at(fitted: Fitted, fit: Fit, x: np.ndarray, offset: np.ndarray | None, each: int, rep: Any) -> np.ndarray:
    """Means (T, K, m) of a stack of refits at other covariates, internal units."""
    raw = derivatives.outputs(fitted.network, x, fit.theta.astype(float), offset)
    mu = np.stack([fitted.network.objective.response(r) for r in raw])
    return combine(fit, mu.reshape(-1, each, *mu.shape[1:]), rep)
