"""`study`: check the arguments, plan the chunks, run them, return the table."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..checks import arguments as kinds
from ..checks import check_size, shown
from ..checks.arguments import FLAG, FUNCTION, N_JOBS, NONE, PATH, RANDOM_STATE, TEXT, arguments
from ..errors import ArgumentError
from ..seeds import seed_sequence
from ..training.settings import Settings
from .choosing import Select
from .estimators import NEW, SAME, check_estimator, resolve_estimators
from .models import resolve_models
from .nets import Net
from .noise import LARGE, SMALL, Noise, check_draws, noise_of
from .plan import Chunk, Plan
from .problems import Cell, Law, Problem, truth
from .result import Collected, StudyResult
from .schedule import Schedule, warn
from .store import Store

ROWS = kinds.Whole(2)
MOST = 1000  # truths, noises, numbers of observations
STARTS = NONE | kinds.Whole(1, 100_000)
SIGMAS = ("truth", "difference", "residual", "large")
CHUNK_FITS = 150  # fits of a chunk, where a model has no restarts and nothing is refitted


@arguments(
    models=kinds.Anything("models"), truth=kinds.Anything("truths", "sine"), noise=kinds.Anything("standard deviations", 0.3),
    n=kinds.Anything("numbers of observations", 20), replicates=kinds.Whole(1), restarts=STARTS, rep=STARTS,
    estimators=kinds.Anything("estimators", "cp", ["training"]), target=kinds.Choice(SAME, NEW), x=NONE | FUNCTION,
    loss=kinds.Anything("None, the name of a loss or a function", None, "mse"),
    sigma=kinds.Choice(*SIGMAS) | kinds.Number(SMALL, LARGE), checkpoint=NONE | PATH,
    random_state=RANDOM_STATE, n_jobs=N_JOBS, device=TEXT, progress=FLAG, chunk=NONE | kinds.Whole(1), keep_fits=FLAG,
)  # fmt: skip
def study(
    models: Any,
    truth: Any = "doppler",
    noise: Any = 0.1,
    n: Any = 200,
    replicates: int = 100,
    estimators: Any = ("training", "cp", "gcv"),
    *,
    target: str = SAME,
    x: Any = None,
    loss: Any = None,
    restarts: int | None = None,
    rep: int | None = None,
    sigma: Any = "truth",
    checkpoint: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    device: str = "cpu",
    progress: bool = False,
    chunk: int | None = None,
    keep_fits: bool = True,
) -> StudyResult:
    """Study estimators of risk by simulation: truth x noise x n x model x estimator x replicate.

    Each replicate of a cell (truth, noise, n) draws a response around the truth, the same for all models, on a design that
    all replicates share, or on one of its own. Every model is fitted, its risk is measured against the truth, at the
    covariates of the fit and at new ones, and every estimator is compared with what it estimates. The networks of a cell
    are trained as stacks of all replicates and restarts.

    Parameters
    ----------
    models : model, sequence of models, or dict of names and models
        `study.net`, `study.bs`, `study.cr`, `study.smoothing_spline`, `study.glm`, `study.gam`, `study.select`, dicts of
        arguments of `study.net`, or objects with fit and predict (scikit-learn's), of which every fit takes a copy.
    truth : str, Truth, callable, or sequence of them
        See `study.truth`.
    noise : float, str, callable, or sequence of them
        Standard deviation of normal noise; a function of the covariates that gives it; the name of a family ("bernoulli",
        "poisson", "gamma": the truth is then on the scale of the link, and networks are fitted with the family); or what
        `study.noise` makes.
    n : int or sequence of int
        Observations.
    replicates : int
    estimators : str, callable, or sequence or dict of them
        See `study.estimator`.
    target : {"same_x", "new_x"}
        What the columns `risk` and `prediction_risk` are. "same_x": one design for all replicates, and the risk of new
        responses at its covariates. "new_x": every replicate draws a design, and the risk is that at new covariates of the
        same law. Estimators are judged by what they estimate in either case: cross-validation, hold-out samples and
        bootstraps by the risk at new covariates, Cp and its kin by that at the same (column `covariates`).
    x : callable, optional
        The law of the designs, ``x(generator, n)``, which gives covariates (n,) or (n, D); the truths' own where not given.
    loss : str or callable, optional
        "mse" for additive noise, "deviance" for families where not given; "mae"; "log_loss", "brier", "misclassification"
        of a Bernoulli response; or a function of arrays of responses and means, which gives losses of the same shape.
    restarts, rep : int
        Random starts per network (1); two names for one thing.
    sigma : {"truth", "difference", "residual", "large"} or float
        Standard deviation of the noise that estimators are told: the true one (of noise that differs between observations
        the root of its mean variance); Gasser, Sroka & Jennen-Steinmetz' from differences of neighbours (one covariate);
        from each model's own residuals, on n less its analytic degrees of freedom; the same of the model of largest size;
        or a number. Families have their true dispersion, or a number, its root.
    checkpoint : path, optional
        Folder for finished chunks. The same call goes on where another ended, however that ended, also with more
        replicates; with ``random_state=None`` the seeds of the folder are used.
    random_state : int, SeedSequence, Generator, optional
        Every replicate of every cell has streams of its own: results depend neither on workers, chunks and schedule nor
        on the other cells, models and replicates of the study.
    n_jobs : int, optional
        Processes; where not given, what an enclosing `joblib.parallel_config` says, else all cores. Inside
        ``joblib.parallel_config(backend="dask")`` the workers of a Dask cluster. With a CUDA device 1 where not given.
    device : str
        "cpu", "cuda" or "cuda:<number>": where the networks of `net` are trained, and refitted. Other models, and
        derivatives, are the CPU's.
    progress : bool
        Show a progress bar with rate and time left.
    chunk : int, optional
        Replicates per chunk. Unless given chunks are first of about a second by a rough count of the work, then by what
        replicates of their model took.
    keep_fits : bool
        Keep fitted values, for ``plot("fits")``.

    Returns
    -------
    StudyResult
        After Ctrl-C: what was done, with a warning.

    Raises
    ------
    ArgumentError
        Where an argument is not usable, or the checkpoint belongs to another study.
    DeviceError
        Where the device is not there, or cannot train a network.

    Warns
    -----
    NeuralStatWarning
        Where chunks could not be written to the checkpoint, or the study was interrupted.

    Notes
    -----
    A refit of an estimator is the whole procedure on its rows: start weights are new, and scaling, knots and other states
    of transforms are found from these rows. Only the outer knots of `gam` are the design's range in every refit.

    New covariates are further designs, a thousand points or more; where the law has one design only (the even grid of a
    function, an array), they are its points, and the two risks are one.

    Examples
    --------
    >>> import neuralstat as ns
    >>> done = ns.study([ns.study.bs(k) for k in (4, 8, 16)], "sine", 0.3, 100, replicates=20,
    ...                 estimators=["training", "cp", "cv"], random_state=1, n_jobs=1)
    >>> sorted(done.summary().index.get_level_values("model").unique())
    ['bs 16', 'bs 4', 'bs 8']
    """
    began = time.perf_counter()
    if restarts is not None and rep is not None and restarts != rep:
        raise ArgumentError(f"restarts={restarts} and rep={rep} differ; they are two names for one thing.")
    restarts = next((r for r in (restarts, rep) if r is not None), 1)
    given = None if random_state is None else seed_sequence(random_state)
    chosen, wanted = _placed(resolve_models(models), device), resolve_estimators(estimators)
    law = None if x is None else Law(x)
    n_jobs = 1 if device != "cpu" and n_jobs is None else n_jobs

    def plan_with(seeds: np.random.SeedSequence) -> Plan:
        return Plan(_cells(truth, noise, n, seeds, law, target == NEW), chosen, wanted, restarts, sigma, target, loss)

    plan = plan_with(np.random.SeedSequence(0) if given is None else given)
    _check(plan, replicates, keep_fits)
    with contextlib.ExitStack() as last:
        store = None
        if checkpoint is not None:
            store = Store(checkpoint, plan_with(np.random.SeedSequence(0)).describe(), given)
            last.callback(store.close)
        if given is None:
            plan = plan_with(np.random.SeedSequence() if store is None else store.seeds)
        collected, finished = _run(plan, store, replicates, keep_fits, chunk, n_jobs, progress)
    return collected.result(time.perf_counter() - began, finished)


def _run(
    plan: Plan, store: Store | None, replicates: int, keep_fits: bool, chunk: int | None, n_jobs: int | None, progress: bool
) -> tuple[Collected, bool]:
    """What is in the checkpoint, and the rest run; whether all is done."""
    collected = Collected(plan, replicates, keep_fits)
    todo = collected.restore(store) if store is not None else collected.missing()
    chunks = [part for piece in todo for part in _split(plan, piece, chunk)]
    unsaved: list[str] = []
    with _Bar(progress, plan, chunks) as bar:

        def take(part: Chunk, arrays: dict[str, np.ndarray]) -> None:
            if store is not None:
                try:
                    store.save(part, arrays)
                except OSError as error:
                    unsaved.append(error.strerror or str(error))
                    arrays = {**arrays, "status": _not_saved(arrays["status"], unsaved[-1])}
            collected.add(part, arrays)
            bar.update(part)

        finished = Schedule(plan, chunks, n_jobs, adapts=chunk is None).run(take) if chunks else True
    if unsaved:
        warn(f"checkpoint: {len(unsaved)} chunk(s) could not be written ({unsaved[-1]}); their results are kept here.")
    if not finished:
        where = "" if store is None else " What is done is in the checkpoint; the same call goes on from there."
        warn(f"study: interrupted; {collected.fraction():.0%} done.{where}")
    return collected, finished


def _placed(models: tuple[Any, ...], device: str) -> tuple[Any, ...]:
    """The models, their networks on a device."""
    placed = replace(Settings(), device=device).device  # checked
    if placed == "cpu":
        return models
    if not any(isinstance(model, Net) for model in models):
        raise ArgumentError(f"device={shown(device)}: there is no network among the models; others run on the CPU.")
    return tuple(model.on(placed) if isinstance(model, Net) else model for model in models)


def _cells(
    truths: Any, noises: Any, sizes: Any, seeds: np.random.SeedSequence, law: Law | None, anew: bool
) -> tuple[Cell, ...]:
    """All combinations."""
    problems = [truth(t) for t in _several(truths, "truth", (str, Problem))]
    problems = problems if law is None else [replace(p, design=law) for p in problems]
    names = [p.name for p in problems]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"truth: two are called {name!r}; give names by study.truth(..., name=...).")
    levels = [noise_of(s) for s in _several(noises, "noise", (str, Noise))]
    counts = [ROWS.check(k, "n") for k in _several(sizes, "n", ())]
    for argument, values in (("noise", [s.value for s in levels]), ("n", counts)):
        if len(set(values)) < len(values):
            more = "; give names by study.noise(..., name=...)" if any(isinstance(v, str) for v in values) else ""
            raise ArgumentError(f"{argument}: a value occurs twice in {values}{more}.")
    cells = tuple(Cell(p, s, k, seeds, anew) for p in problems for s in levels for k in counts)
    if not cells:
        raise ArgumentError("truth, noise or n is empty.")
    return cells


def _several(given: Any, name: str, single: tuple[type, ...]) -> list[Any]:
    """Items of a sequence, or the one thing that is given."""
    if isinstance(given, single) or (isinstance(given, np.ndarray) and given.ndim != 1):
        return [given]
    if not isinstance(given, list | tuple | range | np.ndarray | pd.Series | pd.Index):
        return [given]
    if len(given) > MOST:
        raise ArgumentError(f"{name}: {len(given)} values are too many; give at most {MOST}.")
    return list(given)


def _check(plan: Plan, replicates: int, keep_fits: bool) -> None:
    """Fail early for what no worker can do, and for what does not fit in memory."""
    numbers = [2 * len(plan.estimators) + 40 + (cell.n if keep_fits else 0) for cell in plan.cells]
    check_size(replicates * len(plan.models) * sum(numbers), f"replicates={replicates}: results of {len(numbers)} cells")
    for k, cell in enumerate(plan.cells):
        check_size(cell.n * 64, f"n={cell.n}: a design")
        check_size(cell.n * plan.restarts * 8, f"restarts={plan.restarts}: fits to {cell.n} observations")
        for model in plan.models:
            if isinstance(model, Net | Select):
                model.under(cell.noise)
        loss = plan.losses(k)
        for e in plan.estimators:
            check_estimator(e, loss, cell.n)
        points = plan.points(k)
        if cell.anew:
            check_size(2 * replicates * points.x.size, f"replicates={replicates}: a design of {cell.n} observations for each")
            if points.new is None:
                raise ArgumentError(f"target='new_x': truth {cell.problem.name!r} has the same design every time; give x=, a "
                                    "function x(generator, n) that draws one.")  # fmt: skip
        if plan.sigma == "difference" and points.x.shape[1] != 1:
            raise ArgumentError(
                f"sigma='difference' needs one covariate; truth {cell.problem.name!r} has {points.x.shape[1]}."
            )
        if not cell.noise.additive and plan.sigma in SIGMAS[1:]:
            raise ArgumentError(f"sigma={plan.sigma!r} is for additive noise; noise {cell.noise.label} has the dispersion of "
                                "its family: give 'truth' or a number.")  # fmt: skip
        check_draws(cell.noise, points.f, points.x, np.random.default_rng(cell.seed("check", 0)))
        cell.response(points.f, 0, points.x)
        loss.level(points.f, points.x)
    if plan.sigma == "large" and plan.models[plan.largest].size == 0:
        raise ArgumentError("sigma='large': no model has a size; give networks or splines, or another sigma.")


def _split(plan: Plan, piece: Chunk, size: int | None) -> list[Chunk]:
    """Cut a range of replicates into chunks of about a second."""
    cell, model, first, last = piece
    if size is None:
        fits = max(plan.models[model].networks(plan.restarts), 1)
        n = plan.cells[cell].n
        size = max(1, CHUNK_FITS // (fits * (1 + sum(e.cost(n) for e in plan.estimators))))
    return [(cell, model, at, min(at + size, last)) for at in range(first, last, size)]


def _not_saved(status: np.ndarray, reason: str) -> np.ndarray:
    return np.array([f"not saved: {reason}" if s == "ok" else f"{s}; not saved: {reason}" for s in status])


class _Bar:
    """A progress bar that counts model fits; none where it is not wanted."""

    def __init__(self, shown: bool, plan: Plan, chunks: list[Chunk]) -> None:
        self.shown, self.plan, self.chunks, self.bar = shown, plan, chunks, None

    def _size(self, chunk: Chunk) -> int:
        return (chunk[3] - chunk[2]) * max(self.plan.models[chunk[1]].networks(self.plan.restarts), 1)

    def __enter__(self) -> _Bar:
        if self.shown:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=sum(map(self._size, self.chunks)), desc="study", unit="fit", smoothing=0.1)
        return self

    def update(self, chunk: Chunk) -> None:
        if self.bar is not None:
            self.bar.update(self._size(chunk))

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
