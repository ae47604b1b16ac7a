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
from ..checks.arguments import FLAG, N_JOBS, NONE, PATH, RANDOM_STATE, TEXT, arguments
from ..errors import ArgumentError
from ..seeds import seed_sequence
from ..training.settings import Settings
from .estimators import resolve_estimators
from .models import resolve_models
from .nets import Net
from .plan import Chunk, Plan
from .problems import LARGE, SMALL, Cell, Noise, Problem, noise_of, truth
from .result import Collected, StudyResult
from .schedule import Schedule, warn
from .store import Store

ROWS = kinds.Whole(2)
MOST = 1000  # truths, noises, numbers of observations
STARTS = NONE | kinds.Whole(1, 100_000)
CHUNK_FITS = 150  # fits of a chunk, where a model has no restarts and nothing is refitted


@arguments(
    models=kinds.Anything("models"), truth=kinds.Anything("truths", "sine"), noise=kinds.Anything("standard deviations", 0.3),
    n=kinds.Anything("numbers of observations", 20), replicates=kinds.Whole(1), restarts=STARTS, rep=STARTS,
    estimators=kinds.Anything("estimators", "cp", ["training"]),
    sigma=kinds.Choice("truth", "difference") | kinds.Number(SMALL, LARGE), checkpoint=NONE | PATH,
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

    In every cell (truth, noise, n) a design is drawn once; each replicate draws a response around the truth, the same
    for all models; every model is fitted, its risk is measured against the truth, and every estimator is compared with
    what it estimates. The networks of a cell are trained as stacks of all replicates and restarts.

    Parameters
    ----------
    models : model, sequence of models, or dict of names and models
        `study.net`, `study.bs`, `study.cr`, `study.smoothing_spline`, `study.glm`, `study.gam`, dicts of arguments of
        `study.net`, or objects with fit and predict (scikit-learn's), of which every fit takes a copy.
    truth : str, Truth, callable, or sequence of them
        See `study.truth`.
    noise : float or sequence of float
        Standard deviation of normal noise.
    n : int or sequence of int
        Observations.
    replicates : int
    estimators : str, callable, or sequence or dict of them
        See `study.estimator`.
    restarts, rep : int
        Random starts per network (1); two names for one thing.
    sigma : {"truth", "difference"} or float
        Standard deviation of the noise that estimators are told: the true one; Gasser, Sroka & Jennen-Steinmetz' from
        differences of neighbours (one covariate); or a number.
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
        Replicates per chunk.
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
    n_jobs = 1 if device != "cpu" and n_jobs is None else n_jobs

    def plan_with(seeds: np.random.SeedSequence) -> Plan:
        return Plan(_cells(truth, noise, n, seeds), chosen, wanted, restarts, sigma)

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

        finished = Schedule(plan, chunks, n_jobs).run(take) if chunks else True
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


def _cells(truths: Any, noises: Any, sizes: Any, seeds: np.random.SeedSequence) -> tuple[Cell, ...]:
    """All combinations."""
    problems = [truth(t) for t in _several(truths, "truth", (str, Problem))]
    names = [p.name for p in problems]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"truth: two are called {name!r}; give names by study.truth(..., name=...).")
    levels = [noise_of(s) for s in _several(noises, "noise", (Noise,))]
    counts = [ROWS.check(k, "n") for k in _several(sizes, "n", ())]
    for argument, values in (("noise", [s.sd for s in levels]), ("n", counts)):
        if len(set(values)) < len(values):
            raise ArgumentError(f"{argument}: a value occurs twice in {values}.")
    cells = tuple(Cell(p, s, k, seeds) for p in problems for s in levels for k in counts)
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
        for e in plan.estimators:
            if e.built_in and (folds := e.options.get("k", 2)) > cell.n:
                raise ArgumentError(f"estimators: {e.name!r} has k={folds} folds, and there are n={cell.n} observations.")
        x, _ = plan.design(k)
        if plan.sigma == "difference" and x.shape[1] != 1:
            raise ArgumentError(f"sigma='difference' needs one covariate; truth {cell.problem.name!r} has {x.shape[1]}.")


def _split(plan: Plan, piece: Chunk, size: int | None) -> list[Chunk]:
    """Cut a range of replicates into chunks of about a second."""
    cell, model, first, last = piece
    if size is None:
        fits = max(plan.models[model].networks(plan.restarts), 1)
        size = max(1, CHUNK_FITS // (fits * (1 + sum(e.refits for e in plan.estimators))))
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
