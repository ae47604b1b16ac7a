"""Estimators of risk in a study: what each aims at, and how it is computed for all replicates of a chunk."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..assessment.names import variant
from ..checks import arguments as kinds
from ..checks import shown
from ..checks.arguments import FLAG, FUNCTION, NONE, POSITIVE, TEXT, arguments
from ..errors import ArgumentError
from ..likelihood.criteria import cp as mallows
from ..likelihood.criteria import gcv as generalised
from ..likelihood.criteria import information
from . import refits
from .fingerprint import text
from .fits import Fits
from .problems import Cell

PREDICTION, ESTIMATION, DEVIANCE, NOTHING = "prediction_risk", "risk", "deviance", ""


@dataclass
class Work:
    """What estimators see of the replicates of a chunk.

    Attributes
    ----------
    cell : Cell
    prepared : model on the design
    x : (n, D) array
    y : (T, n) array
    fits : Fits
    sigma2 : (T,) array
        Variance of the noise that estimators are told.
    replicates : sequence of int
    label : str
        Of the model, for its random streams.
    memory : dict
        Refits that several estimators share.
    """

    cell: Cell
    prepared: Any
    x: np.ndarray
    y: np.ndarray
    fits: Fits
    sigma2: np.ndarray
    replicates: range
    label: str
    memory: dict[Any, Any] = field(default_factory=dict)

    @property
    def training(self) -> np.ndarray:
        """Mean squared residuals (T,)."""
        return np.mean((self.y - self.fits.fitted) ** 2, axis=1)


@arguments(
    name=TEXT, target=kinds.Choice(PREDICTION, ESTIMATION, DEVIANCE, NOTHING), function=FUNCTION,
    options=kinds.Map(kinds.Anything("an option")), refits=kinds.Whole(0),
)  # fmt: skip
@dataclass(frozen=True)
class Estimator:
    """An estimator of a study.

    Attributes
    ----------
    name : str
    target : {"prediction_risk", "risk", "deviance", ""}
        What it estimates: the risk with or without the noise's variance, the expected -2 log-likelihood of new
        responses at the design, or nothing (a criterion for choice only).
    function : callable
        ``function(work, **options)`` gives estimates (T,).
    options : dict
    refits : int
        Fits per replicate that it needs beyond the first.
    """

    name: str
    target: str
    function: Callable[..., np.ndarray]
    options: Mapping[str, Any] = field(default_factory=dict)
    refits: int = 0

    def __call__(self, work: Work) -> np.ndarray:
        """Estimates (T,)."""
        return np.asarray(self.function(work, **self.options), dtype=float)

    @property
    def built_in(self) -> bool:
        """Whether it is one of this package's, not a user's function."""
        return getattr(self.function, "__module__", "") in (__name__, refits.__name__)

    def describe(self) -> str:
        """Text that names all settings."""
        named = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{getattr(self.function, '__module__', '')}.{named}({text(dict(sorted(self.options.items())))})"


def _df(work: Work, df: str, **options: Any) -> np.ndarray:
    return work.fits.df if df == "local" else refits.degrees_of_freedom(work, df, **options)


def _training(work: Work) -> np.ndarray:
    return work.training


def _cp(work: Work, df: str = "local", **options: Any) -> np.ndarray:
    n = work.y.shape[1]
    return mallows(n * work.training, n, _df(work, df, **options), work.sigma2)  # type: ignore[arg-type,return-value]


def _sure(work: Work, df: str = "local", **options: Any) -> np.ndarray:
    return _cp(work, df, **options) - work.sigma2


def _gcv(work: Work, df: str = "local", **options: Any) -> np.ndarray:
    n = work.y.shape[1]
    d = _df(work, df, **options)
    return _known_df(d, [generalised(n * e, n, each) for e, each in zip(work.training, d, strict=True)])


def _known_df(df: np.ndarray, values: list[float]) -> np.ndarray:
    """NaN where the degrees of freedom are not known (infinite is: too many)."""
    return np.where(np.isnan(df), np.nan, np.asarray(values, dtype=float))


def _loo(work: Work) -> np.ndarray:
    h = work.fits.leverage
    if h is None:
        return np.full(work.y.shape[0], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.mean(((work.y - work.fits.fitted) / (1 - h)) ** 2, axis=1)
    return np.where((h < 1 - 1e-10).all(axis=1), value, np.inf)


def _information(work: Work, criterion: str, df: str = "local", **options: Any) -> np.ndarray:
    n = work.y.shape[1]
    with np.errstate(divide="ignore"):
        llf = -n / 2 * (np.log(2 * np.pi * work.training) + 1)
    d = _df(work, df, **options)
    return _known_df(d, [information(criterion, a, n, b, 1) for a, b in zip(llf, d, strict=True)])


#: name -> (target, function, options); the name may be followed by ":" and a method of degrees of freedom
CRITERIA: dict[str, tuple[str, Callable[..., np.ndarray], dict[str, Any]]] = {
    "training": (PREDICTION, _training, {}),
    "cp": (PREDICTION, _cp, {}),
    "sure": (ESTIMATION, _sure, {}),
    "gcv": (PREDICTION, _gcv, {}),
    "loo": (PREDICTION, _loo, {}),
    "aic": (DEVIANCE, _information, {"criterion": "aic"}),
    "aicc": (DEVIANCE, _information, {"criterion": "aicc"}),
    "bic": (NOTHING, _information, {"criterion": "bic"}),
}
WITH_DF = ("cp", "sure", "gcv", "aic", "aicc", "bic")
#: name -> (function, options, fits per replicate by options)
REFITS: dict[str, tuple[Callable[..., np.ndarray], dict[str, Any], Callable[[dict[str, Any]], int]]] = {
    "cv": (refits.cross_validation, {"k": 10, "repeats": 1, "corrected": False}, lambda o: o["k"] * o["repeats"]),
    "bootstrap": (refits.bootstrap, {"draws": 50, "kind": "optimism"}, lambda o: o["draws"]),
    "632": (refits.bootstrap, {"draws": 50, "kind": "632"}, lambda o: o["draws"]),
    "632+": (refits.bootstrap, {"draws": 50, "kind": "632+"}, lambda o: o["draws"]),
    "coupled": (refits.coupled, {"draws": 50, "alpha": 0.1}, lambda o: o["draws"]),
}
#: what options may be
OPTIONS = {"k": kinds.Whole(2), "repeats": kinds.Whole(1, 10_000), "corrected": FLAG, "tau": POSITIVE,
           "draws": kinds.Whole(3, 100_000), "alpha": kinds.Number(above=0.0, most=10.0)}  # fmt: skip
DF_OPTIONS: dict[str, dict[str, Any]] = {"gdf": {"draws": 50, "tau": 0.5}, "covariance": {"draws": 50}}


@arguments(method=kinds.Anything("a name or a function", *CRITERIA, *REFITS, "cp:gdf"), name=NONE | TEXT)
def estimator(method: Any, *, name: str | None = None, **options: Any) -> Estimator:
    """An estimator of `study` with options.

    Parameters
    ----------
    method : str or callable
        - "training": the training error.
        - "cp", "sure", "gcv", "aic", "aicc", "bic": criteria on the model's analytic degrees of freedom (the
          Gauss-Newton trace of networks, the trace of linear smoothers). With ":gdf" or ":covariance" behind, as in
          "cp:gdf", on those of Ye or Efron, which refit.
        - "loo": residuals over one minus leverages.
        - "cv" (`k` = 10, `repeats` = 1, `corrected` = False, Burman's correction), "bootstrap" (the training error and
          Efron's optimism), "632", "632+" (`draws` = 50), "coupled" (the coupled bootstrap; `draws` = 50, `alpha` = 0.1):
          they refit the whole procedure, with its restarts. Options may be part of the name: "cv:k=5,repeats=3".
        - ``method(work)``, which gives one number per replicate; `work` has `y`, `x`, `fits`, `sigma2`, `training`.
    name : str, optional
    **options
        Of the method; `draws` (50) and `tau` (0.5) of ":gdf", `draws` of ":covariance".

    Raises
    ------
    ArgumentError
        For unknown methods and options.

    Notes
    -----
    "sure" estimates the risk, "aic" and "aicc" the expected -2 log-likelihood of new responses (the estimated noise
    variance counts as a parameter), "bic" nothing; all others the prediction risk. Errors are taken against these.
    """
    if isinstance(method, Estimator):
        if options:
            raise ArgumentError(f"estimators: option {next(iter(options))!r} is not used: {method.name!r} has its own.")
        return method if name is None else replace(method, name=name)
    if callable(method) and not isinstance(method, type):
        title = name or str(getattr(method, "__name__", "estimator")) or "estimator"
        _check_call(title, method, options)
        return Estimator(title, PREDICTION, method, options)
    if not isinstance(method, str):
        raise ArgumentError(f"estimators: method must be a name or a function, got {shown(method)}.")
    method = str.__str__(method)
    base, _, df = method.partition(":")
    if base in CRITERIA and (not df or (base in WITH_DF and df in DF_OPTIONS)):
        target, function, fixed = CRITERIA[base]
        own = {} if not df else {**DF_OPTIONS[df], **_known(method, options, DF_OPTIONS[df])}
        if not df:
            _known(method, options, {})
        more = {**fixed, **({"df": df} if df else {}), **own}
        return Estimator(name or method, target, function, more, own.get("draws", 0))
    if base in REFITS and df:
        base, more = variant(method)
        if both := sorted(set(more) & set(options)):
            raise ArgumentError(f"estimators: option {both[0]!r} is in the name {method!r}, too.")
        return estimator(base, name=name or method, **more, **options)
    if method in REFITS:
        function, defaults, cost = REFITS[method]
        own = {**defaults, **_known(method, options, defaults)}
        return Estimator(name or method, PREDICTION, function, own, cost(own))
    known = ", ".join(map(repr, (*CRITERIA, *REFITS, "cp:gdf", "cp:covariance")))
    raise ArgumentError(f"estimators: unknown estimator {shown(method)}. Known: {known}, ...; or a function.")


def _known(method: str, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = [key for key in options if key not in defaults or key == "kind"]
    if unknown:
        raise ArgumentError(f"estimators: {method!r} has no option {unknown[0]!r}; it has: {', '.join(defaults) or 'none'}.")
    return {key: OPTIONS[key].check(value, f"estimators: {method!r}: {key}") for key, value in options.items()}


def _check_call(title: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse options that a user's function does not take."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not known, as of built-in functions
        return
    try:
        signature.bind(None, **options)
    except TypeError as error:
        raise ArgumentError(f"estimators: {title!r} cannot be called as {title}(work, **options): {error}.") from None


def resolve_estimators(given: Any) -> tuple[Estimator, ...]:
    """Estimators with names of their own, from a name, a function, or a sequence or dict of them."""
    if isinstance(given, Mapping):
        try:
            items = list(given.items())
        except Exception:  # of any mapping's own methods
            raise ArgumentError(f"estimators: {shown(given)} cannot be read as a dict.") from None
        found = tuple(estimator(method, name=TEXT.check(name, "estimators: a name")) for name, method in items)
    elif isinstance(given, str) or (callable(given) and not isinstance(given, type)):
        found = (estimator(given),)
    elif not isinstance(given, list | tuple):
        raise ArgumentError(f"estimators must be a name, a function, or a list or dict of them; got {shown(given)}.")
    else:
        found = tuple(estimator(method) for method in given)
    if not found:
        raise ArgumentError("estimators is empty.")
    names = [e.name for e in found]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"estimators: two are called {name!r}; give names by study.estimator(..., name=...).")
    return found
