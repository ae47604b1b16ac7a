"""Models of a study: what users give, and objects with fit and predict."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import TEXT, Anything, Whole, arguments
from ..checks.values import attribute
from ..errors import ArgumentError
from .fingerprint import text
from .fits import Fits, Spec, one_by_one
from .nets import Net, net
from .smoothers import Basis, Statsmodels
from .splines import SmoothingSpline

SPECS = (Net, Basis, SmoothingSpline, Statsmodels, Spec)


@arguments(name=TEXT, thing=Anything("an object with fit and predict"), kind=TEXT, size=Whole(0))
@dataclass(frozen=True, eq=False)
class Object:
    """Any object with ``fit(X, y)`` and ``predict(X)``, X an array (n, D)."""

    name: str
    thing: Any
    kind: str = "object"
    size: int = 0

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> PreparedObject:
        """The object on a design (n, D)."""
        del columns, restarts
        return PreparedObject(self.thing, x)

    def describe(self) -> str:
        """Text that names class and parameters."""
        kind = f"{type(self.thing).__module__}.{type(self.thing).__qualname__}"
        if hasattr(self.thing, "get_params"):
            return f"{kind}({text(self.thing.get_params())})"
        return f"{kind}({text(getattr(self.thing, '__dict__', self.thing))})"

    def networks(self, restarts: int) -> int:
        """Networks per fit: not known, taken as none."""
        del restarts
        return 0


class PreparedObject:
    """An object on a design: every fit is made by a copy of its own."""

    def __init__(self, thing: Any, x: np.ndarray) -> None:
        self.thing, self.x = thing, x

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`. A `random_state` that is None is set from the seeds."""
        del local

        def fit(t: int) -> tuple[np.ndarray, float]:
            thing = self._copy(seeds[t])
            seen = slice(None) if rows is None else rows[t]
            done = thing.fit(self.x[seen].copy(), y[t][seen].copy())
            at = self.x.copy() if new is None else np.concatenate([self.x, new])
            return (thing if done is None else done).predict(at), np.nan

        return one_by_one(fit, y, new=None if new is None else len(new))

    def _copy(self, seed: np.random.SeedSequence) -> Any:
        thing = self.thing
        if not hasattr(thing, "get_params") or isinstance(thing, type):
            return copy.deepcopy(thing)
        try:
            from sklearn.base import clone
        except ImportError:
            new = copy.deepcopy(thing)
        else:
            new = clone(thing)
        random = {
            key: int(word)
            for key, word in zip(
                sorted(k for k, v in new.get_params().items() if k.rpartition("__")[2] == "random_state" and v is None),
                seed.generate_state(16) & 0x7FFFFFFF,
                strict=False,
            )
        }
        return new.set_params(**random) if random else new


def resolve_models(given: Any) -> tuple[Any, ...]:
    """Specifications with names of their own.

    Parameters
    ----------
    given : model, sequence of models, or dict of names and models
        Models are what `net`, `bs`, `cr`, `smoothing_spline`, `glm`, `gam`, `select` make, dicts of arguments of `net`, an
        unfitted `neuralstat.NeuralNet`'s settings, or objects with fit and predict.

    Raises
    ------
    ArgumentError
        Where something is no model, or a name occurs twice.
    """
    if isinstance(given, Mapping):
        items = _items(given)
        settings = any(isinstance(key, str) and key == "hidden" for key, _ in items)
        pairs: Iterable[tuple[str | None, Any]] = (
            [(None, given)] if settings else [(TEXT.check(key, "models: a name"), model) for key, model in items]
        )
    elif isinstance(given, list | tuple):
        pairs = [(None, model) for model in given]
    else:
        pairs = [(None, given)]
    models = tuple(_resolve(name, model) for name, model in pairs)
    if not models:
        raise ArgumentError("models is empty.")
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"models: two are called {name!r}; give names, as in {{'first': ..., 'second': ...}}.")
    return models


def _resolve(name: str | None, model: Any) -> Any:
    if isinstance(model, SPECS):
        return model if name is None else replace(model, name=name)  # type: ignore[type-var]
    if isinstance(model, Mapping):
        given = {TEXT.check(key, "models: an argument"): value for key, value in _items(model)}
        return net(**{**given, **({} if name is None else {"name": name})})
    if not isinstance(model, type) and callable(attribute(model, "fit")) and callable(attribute(model, "predict")):
        return Object(name or type(model).__name__, model)
    raise ArgumentError(
        f"models: {shown(model)} is no model; give study.net(...), study.bs(K), study.cr(K), study.smoothing_spline(), "
        "study.glm(...), study.gam(...), or an object with fit and predict."
    )


def _items(given: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Keys and values; a mapping's methods are any object's own code."""
    try:
        return list(given.items())
    except Exception:
        raise ArgumentError(f"models: {shown(given)} cannot be read as a dict.") from None
