"""What is studied: regression functions on designs, noise, and the random streams of every cell and replicate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import arguments as kinds
from ..checks import check_size, shown
from ..checks.arguments import FUNCTION, NONE, TEXT, arguments
from ..checks.values import told
from ..datasets import generators
from ..errors import ArgumentError, NeuralStatError

SMALL, LARGE = 1e-100, 1e100  # standard deviations lie between, so that their squares are numbers
SD = kinds.Number(SMALL, LARGE)
DESIGN = kinds.Numbers(None, least=1)


@arguments(name=TEXT, function=FUNCTION, design=FUNCTION, columns=NONE | kinds.Several(TEXT))
@dataclass(frozen=True, eq=False)
class Problem:
    """A regression function and the design on which it is seen; made by `truth`.

    Attributes
    ----------
    name : str
    function : callable
        Takes covariates (n, D), or (n,) where there is one; returns means (n,).
    design : callable
        ``design(n, generator)`` gives covariates (n, D).
    columns : tuple of str, optional
        Names of the D covariates; "x", or "x1", "x2", ... where not given.
    """

    name: str
    function: Callable[..., Any]
    design: Callable[[int, np.random.Generator], Any]
    columns: tuple[str, ...] | None = None

    def points(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Covariates (n, D)."""
        x = self._numbers("its design", self.design, n, rng)
        x = x[:, np.newaxis] if x.ndim == 1 else x
        if x.ndim != 2 or x.shape[0] != n or not np.all(np.isfinite(x)):
            raise ArgumentError(
                f"truth {self.name!r}: its design must give {n} rows of finite numbers, got shape {x.shape}."
            )
        return np.ascontiguousarray(x)

    def _numbers(self, what: str, function: Callable[..., Any], *given: Any) -> np.ndarray:
        """What a user's function gives, as an array."""
        try:
            return np.asarray(function(*given), dtype=float)
        except NeuralStatError:
            raise
        except Exception as error:
            raise ArgumentError(f"truth {self.name!r}: {what} raised {told(error)}"[:300]) from error

    def means(self, x: np.ndarray) -> np.ndarray:
        """Means (n,) at covariates (n, D)."""
        f = self._numbers("it", self.function, x[:, 0] if x.shape[1] == 1 else x)
        if f.shape != (x.shape[0],) or not np.all(np.isfinite(f)):
            raise ArgumentError(
                f"truth {self.name!r} must return {x.shape[0]} finite numbers, got "
                + (f"shape {f.shape}." if f.shape != (x.shape[0],) else "values that are not finite.")
            )
        return f

    def names(self, d: int) -> tuple[str, ...]:
        """Names of the covariates."""
        if self.columns is not None and len(self.columns) == d:
            return self.columns
        return ("x",) if d == 1 else tuple(f"x{j + 1}" for j in range(d))


@arguments(function=kinds.Anything("a name, a Truth or a function", "sine"), name=NONE | TEXT,
           design=kinds.Anything("an array or a function"))  # fmt: skip
def truth(function: Any, *, design: Any = None, name: str | None = None) -> Problem:
    """A regression function for `study`.

    Parameters
    ----------
    function : str, Truth or callable
        A generator of `neuralstat.datasets` by name ("doppler", "blocks", "bumps", "heavisine", "doppler_dj", "step",
        "sine", "friedman1", "friedman2", "friedman3", "xor", "two_spirals"), what `neuralstat.datasets.truth` gives,
        or a function of the covariates: of an array (n,) where there is one covariate, else (n, D).
    design : array or callable, optional
        Covariates (n, D), or ``design(n, generator)``. Where not given, the generator's own design; an even grid on
        [0, 1] for a function. Designs are drawn once: risks are conditional on them.
    name : str, optional

    Returns
    -------
    Problem

    Raises
    ------
    ArgumentError
        Where `function` is none of these.

    Notes
    -----
    The two-class sets "xor" and "two_spirals" are taken as regressions on the 0/1 mean, with additive noise.
    """
    if isinstance(function, Problem):
        if design is not None or name is not None:
            raise ArgumentError(f"{'design' if name is None else 'name'} is not used: what is given is a problem already.")
        return function
    if isinstance(function, str):
        function = generators.truth(function)
    columns = None
    if isinstance(function, generators.Truth):
        name = function.name if name is None else name
        known = generators.TRUTHS.get(function.name)
        if design is None and known is not None and known.columns == function.columns:
            design = _GeneratorDesign(function)
        columns = function.columns
    elif isinstance(function, type) or not callable(function):
        raise ArgumentError(f"truth must be a name, a Truth or a function of the covariates, got {shown(function)}.")
    if name is None:
        name = getattr(function, "__name__", "function")
        name = "function" if not isinstance(name, str) or name == "<lambda>" else name
    if design is None:
        design = _grid
    elif isinstance(design, type) or not callable(design):
        x = DESIGN.check(design, "design")
        if x.ndim not in (1, 2):
            raise DESIGN.refuse(design, "design")
        design = _Fixed(x)
    return Problem(name, function, design, columns)


def _grid(n: int, rng: np.random.Generator) -> np.ndarray:
    del rng
    check_size(n * 8, f"n={n}: a design")
    return np.linspace(0, 1, n)


@dataclass(frozen=True, eq=False)
class _Fixed:
    """A design given as an array."""

    x: np.ndarray

    def __call__(self, n: int, rng: np.random.Generator) -> np.ndarray:
        del rng
        if self.x.shape[0] != n:
            raise ArgumentError(f"design has {self.x.shape[0]} rows, but n={n}.")
        return self.x


@dataclass(frozen=True, eq=False)
class _GeneratorDesign:
    """The design of a data set generator."""

    truth: generators.Truth

    def __call__(self, n: int, rng: np.random.Generator) -> np.ndarray:
        frame = getattr(generators, self.truth.name)(n, noise=0.0, random_state=rng)
        return frame.drop(columns="y").to_numpy(dtype=float)


@arguments(sd=SD)
@dataclass(frozen=True)
class Noise:
    """Additive normal noise.

    Attributes
    ----------
    sd : float
        Standard deviation, > 0.
    """

    sd: float

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response (n,) around means (n,)."""
        return mean + self.sd * rng.standard_normal(mean.size)


def noise_of(value: Any) -> Noise:
    """Noise from a standard deviation."""
    return value if isinstance(value, Noise) else Noise(SD.check(value, "noise"))


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination of truth, noise and number of observations, with its design and its random streams.

    Attributes
    ----------
    problem : Problem
    noise : Noise
    n : int
    seeds : SeedSequence
        Of the study; every stream is a child of it named by what it is for, so that a cell's numbers depend neither
        on the other cells of the study nor on schedule.
    """

    problem: Problem
    noise: Noise
    n: int
    seeds: np.random.SeedSequence

    @property
    def label(self) -> str:
        """Text that names the cell."""
        return f"{self.problem.name}|{self.noise.sd!r}|{self.n}"

    def covariates(self) -> np.ndarray:
        """The design (n, D), the same for every noise."""
        seed = stream(self.seeds, f"design|{self.problem.name}|{self.n}")
        return self.problem.points(self.n, np.random.default_rng(seed))

    def response(self, mean: np.ndarray, replicate: int) -> np.ndarray:
        """The response (n,) of a replicate: the same for all models."""
        return self.noise.draw(mean, np.random.default_rng(stream(self.seeds, f"data|{self.label}", replicate)))

    def seed(self, purpose: str, replicate: int) -> np.random.SeedSequence:
        """A stream of a replicate for a purpose, such as the start weights of a model."""
        return stream(self.seeds, f"{purpose}|{self.label}", replicate)


def stream(seeds: np.random.SeedSequence, label: str, *numbers: int) -> np.random.SeedSequence:
    """The child of `seeds` that a label and numbers name."""
    words = np.frombuffer(hashlib.sha256(label.encode()).digest()[:16], "<u4")
    key = (*seeds.spawn_key, *(int(w) for w in words), *numbers)
    return np.random.SeedSequence(seeds.entropy, spawn_key=key, pool_size=seeds.pool_size)
