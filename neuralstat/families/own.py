"""Distributions that users write."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import NONE, Anything, arguments
from ..errors import ArgumentError, FileFormatError
from ..functions import distributions as codes
from ..symbolic import several
from .beginning import Beginning, moments
from .distributional import Distributional
from .links import resolve_link

LINKS_KNOWN = ("identity", "log", "logit")
MOST = 6  # parameters
WORDS = "a mapping of parameters and links, as {'mu': 'identity', 'sigma': 'log'}"
GIVEN = Anything("a function", None)


@arguments(
    loglik=Anything("a function of parameters and y"), parameters=Anything(WORDS), start=NONE | Anything("numbers", None),
    mean=GIVEN, variance=GIVEN, cdf=GIVEN, ppf=GIVEN,
)
@dataclass(frozen=True, repr=False, init=False, eq=False)
class Distribution(Distributional):
    """A distribution given by its log-density.

    Parameters
    ----------
    loglik : callable
        Log-density (or log-probability) of one response: a Python function of the parameters and ``y``, matched by name, else
        parameters in their order, then y; of plain arithmetic, conditions and exp, log, lgamma, ... It is differentiated
        twice, as `err_fct` is.
    parameters : mapping
        Parameter -> link, "identity", "log" or "logit"; the first one is the network's, the others constant unless
        `dispformula` says otherwise.
    start : sequence of numbers, optional
        Linear predictors to start from; by default of mean and log standard deviation of the response for the first
        parameters with these links, else 0.
    mean, variance : callable, optional
        Of the parameters (arrays): moments; without, the first parameter stands for the mean, and there is no variance.
    cdf, ppf : callable, optional
        Of y, or a level, and the parameters: for quantiles, draws, and quantile residuals.

    Raises
    ------
    ArgumentError
        Where a derivative cannot be worked out; the message says what was not understood.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.families.Distribution(lambda mu, sigma, y: -log(sigma) - (y - mu) ** 2 / (2 * sigma**2),
    ...                          {"mu": "identity", "sigma": "log"})
    Distribution(mu identity, sigma log)
    """

    name, kind, default, means = "distribution", codes.OWN, "identity", (-math.inf, math.inf)
    links, located = LINKS_KNOWN, False
    program: Any = None
    own: tuple[tuple[str, str], ...] = ()
    begin: tuple[float, ...] | None = None
    functions: Any = field(default=None, repr=False)

    def __init__(
        self, loglik: Callable[..., Any], parameters: Mapping[str, str], start: Any = None, mean: Any = None,
        variance: Any = None, cdf: Any = None, ppf: Any = None,
    ) -> None:  # fmt: skip
        own = _parameters(parameters)
        program = several.derive_program(loglik, dict(own))
        self._set(program, own, start, {"mean": mean, "variance": variance, "cdf": cdf, "ppf": ppf})

    def _set(self, program: Any, own: tuple[tuple[str, str], ...], start: Any, functions: dict[str, Any]) -> None:
        begin = None
        if start is not None:
            try:
                begin = tuple(float(v) for v in start)
            except (TypeError, ValueError) as error:
                raise ArgumentError(f"start must be {len(own)} numbers, got {shown(start)}.") from error
            if len(begin) != len(own) or not np.all(np.isfinite(begin)):
                raise ArgumentError(f"start must be {len(own)} finite numbers, got {shown(start)}.")
        for name, value in functions.items():
            if value is not None and not callable(value):
                raise ArgumentError(f"{name} must be a function, got {shown(value)}.")
        for name, value in {"program": program, "own": own, "begin": begin, "functions": functions}.items():
            object.__setattr__(self, name, value)
        super().__init__(own[0][1], 0.0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Distribution):
            return NotImplemented
        return (self.program, self.own, self.begin) == (other.program, other.own, other.begin)

    def __hash__(self) -> int:
        return hash((self.program, self.own, self.begin))

    @property
    def first(self) -> str:  # type: ignore[override]
        return self.own[0][0]

    @property
    def others(self) -> dict[str, str]:  # type: ignore[override]
        return dict(self.own[1:])

    @property
    def code(self) -> int:  # type: ignore[override]
        return codes.OWN

    @property
    def address(self) -> int:
        """Of the compiled density, valid until the process ends."""
        return several.address(self.program)

    def beginning(self) -> Beginning:
        if self.begin is not None:
            return np.array(self.begin)
        out = np.zeros(len(self.own))
        mean, variance = yield from moments()
        link = self.own[0][1]
        if link == "identity" or (link == "log" and mean > 0) or (link == "logit" and 0 < mean < 1):
            out[0] = float(resolve_link(link)(mean))
        if link == "identity" and len(self.own) > 1 and self.own[1][1] == "log":
            out[1] = 0.5 * math.log(max(variance, 1e-16))
        return out

    def _call(self, name: str, *values: Any) -> Any:
        function = None if self.functions is None else self.functions.get(name)
        if function is None:
            raise ArgumentError(f"Distribution has no {name}: give {name}= with the log-density.")
        return np.asarray(function(*values), dtype=float)

    def mean(self, par: np.ndarray) -> np.ndarray:
        """`mean` where it was given, else the first parameter."""
        given = self.functions is not None and self.functions.get("mean") is not None
        return self._call("mean", *par) if given else par[0]

    def variance(self, par: Any) -> Any:
        return self._call("variance", *par)

    def cdf(self, par: np.ndarray, y: Any) -> np.ndarray:
        return self._call("cdf", y, *par)

    def sf(self, par: np.ndarray, y: Any) -> np.ndarray:
        return 1 - self.cdf(par, y)

    def ppf(self, par: np.ndarray, q: Any) -> np.ndarray:
        return self._call("ppf", q, *par)

    def logpdf(self, par: np.ndarray, y: Any) -> np.ndarray:
        eta = np.stack([link(part) for link, part in zip(self.role_links, par, strict=True)])
        given = np.concatenate([eta, np.broadcast_to(y, eta.shape[1:])[np.newaxis]]).reshape(len(eta) + 1, -1)
        inner = several.plain_function(self.program.pointer_source(), {n: f for n, (_, f) in several.FUNCTIONS.items()})
        out = np.empty(given.shape[1])
        told = np.empty(len(self.program.results))
        for i, column in enumerate(given.T):
            with np.errstate(all="ignore"):
                inner(column, told)
            out[i] = -told[0]
        return out.reshape(eta.shape[1:])

    def draw(self, rng: np.random.Generator, par: np.ndarray) -> np.ndarray:
        return self.ppf(par, rng.uniform(size=par.shape[1:]))

    def to_json(self) -> dict[str, Any]:
        """Parameters and expressions; functions for moments and quantiles are not kept."""
        return {**super().to_json(), "own": [list(pair) for pair in self.own], "program": self.program.to_json(),
                "start": None if self.begin is None else list(self.begin)}  # fmt: skip

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Distribution:
        """Rebuild what `to_json` gave; nothing stored is executed before it is checked."""
        own = _parameters({str(name): str(link) for name, link in stored["own"]})
        rebuilt = object.__new__(cls)
        try:
            rebuilt._set(several.program_from_json(stored["program"], tuple(n for n, _ in own)), own, stored["start"], {})
        except ArgumentError as error:
            raise FileFormatError("a stored distribution is not readable") from error
        return rebuilt

    def __repr__(self) -> str:
        return f"Distribution({', '.join(f'{name} {link}' for name, link in self.own)})"

    def __str__(self) -> str:
        return repr(self)


def _parameters(given: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, Mapping) or not 1 <= len(given) <= MOST:
        raise ArgumentError(f"parameters must be {WORDS}, at most {MOST}; got {shown(given)}.")
    out = []
    for name, link in given.items():
        usable = isinstance(name, str) and name.isidentifier() and name != several.RESPONSE and not name.startswith("_")
        if not usable or not isinstance(link, str) or link not in LINKS_KNOWN:
            known = ", ".join(map(repr, LINKS_KNOWN))
            raise ArgumentError(f"parameters must be {WORDS}, with links {known}; got {shown(given)}.")
        out.append((str.__str__(name), str.__str__(link)))
    return tuple(out)
