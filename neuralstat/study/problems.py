"""What is studied: regression functions on designs, and the random streams of every cell and replicate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import arguments as kinds
from ..checks import as_array, check_size, shown
from ..checks.arguments import FUNCTION, NONE, TEXT, arguments
from ..checks.values import told
from ..datasets import generators
from ..errors import ArgumentError, NeuralStatError
from .noise import Noise, drawn

NEW = 1000  # new covariates, at least, on which a risk is measured
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> problem = ns.study.truth("sine")
    >>> problem.name, problem.columns
    ('sine', ('x',))
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
        """Means (n,) at covariates (n, D), or (n,) where there is one.

        Raises
        ------
        ArgumentError
            Where covariates are no numbers of such a shape, or the function gives anything but a finite number for each row.
        """
        x = as_array(x, "x", "numbers, a row per point")
        x = x[:, np.newaxis] if x.ndim == 1 else x
        if x.ndim != 2 or x.dtype.kind not in "biuf":
            raise ArgumentError(f"x must be numbers, one row per point; got shape {x.shape} of {x.dtype}.")
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
        [0, 1] for a function. See `target` and `x` of `study`.
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

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> problem = ns.study.truth(lambda x: x**2, name="parabola")
    >>> problem.means(np.array([[0.0], [0.5], [1.0]]))
    array([0.  , 0.25, 1.  ])
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


@arguments(function=FUNCTION)
@dataclass(frozen=True, eq=False)
class Law:
    """A design drawn by a function of the stream.

    Attributes
    ----------
    function : callable
        ``function(generator, n)`` gives covariates (n,) or (n, D).
    """

    function: Callable[[np.random.Generator, int], Any]

    def __call__(self, n: int, rng: np.random.Generator) -> Any:
        """Covariates."""
        return self.function(rng, n)


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination of truth, noise and number of observations, with its designs and its random streams.

    Attributes
    ----------
    problem : Problem
    noise : Noise
    n : int
    seeds : SeedSequence
        Of the study; every stream is a child of it named by what it is for, so that a cell's numbers depend neither
        on the other cells of the study nor on schedule.
    anew : bool
        Whether every replicate has a design of its own.
    """

    problem: Problem
    noise: Noise
    n: int
    seeds: np.random.SeedSequence
    anew: bool = False

    @property
    def label(self) -> str:
        """Text that names the cell."""
        return f"{self.problem.name}|{self.noise.label}|{self.n}"

    @property
    def key(self) -> tuple[str, Any, int]:
        """What the table calls it: truth, noise, n."""
        return self.problem.name, self.noise.value, self.n

    def _numbers(self, replicate: int) -> tuple[int, ...]:
        return (replicate,) if self.anew else ()

    def covariates(self, replicate: int = 0) -> np.ndarray:
        """The design (n, D) of a replicate, the same for every noise."""
        seed = stream(self.seeds, f"design|{self.problem.name}|{self.n}", *self._numbers(replicate))
        return self.problem.points(self.n, np.random.default_rng(seed))

    def new_covariates(self, replicate: int = 0) -> np.ndarray | None:
        """New covariates (m, D), m >= `NEW`, of the law of the design: designs one after the other.

        None where the law has one design only: new covariates are then the old ones.
        """
        seed = stream(self.seeds, f"new design|{self.problem.name}|{self.n}", *self._numbers(replicate))
        rng = np.random.default_rng(seed)
        first = self.problem.points(self.n, rng)
        if np.array_equal(first, self.covariates(replicate)):
            return None
        return np.concatenate([first, *(self.problem.points(self.n, rng) for _ in range(-(-NEW // self.n) - 1))])

    def means(self, x: np.ndarray) -> np.ndarray:
        """Means (n,) of responses at covariates (n, D)."""
        return np.asarray(self.noise.mean(self.problem.means(x), x), dtype=float)

    def response(self, mean: np.ndarray, replicate: int, x: np.ndarray | None = None) -> np.ndarray:
        """The response (n,) of a replicate at its design: the same for all models."""
        rng = np.random.default_rng(stream(self.seeds, f"data|{self.label}", replicate))
        return drawn(self.noise, mean, self.covariates(replicate) if x is None else x, rng)

    def seed(self, purpose: str, replicate: int) -> np.random.SeedSequence:
        """A stream of a replicate for a purpose, such as the start weights of a model."""
        return stream(self.seeds, f"{purpose}|{self.label}", replicate)


def stream(seeds: np.random.SeedSequence, label: str, *numbers: int) -> np.random.SeedSequence:
    """The child of `seeds` that a label and numbers name."""
    words = np.frombuffer(hashlib.sha256(label.encode()).digest()[:16], "<u4")
    key = (*seeds.spawn_key, *(int(w) for w in words), *numbers)
    return np.random.SeedSequence(seeds.entropy, spawn_key=key, pool_size=seeds.pool_size)
