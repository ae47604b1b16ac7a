"""Choosing among models as a model of a study: every fit and refit chooses anew, so that the search is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..assessment import folds as splitting
from ..assessment.names import variant
from ..checks import shown
from ..checks.arguments import NONE, POSITIVE, TEXT, Anything, Whole, arguments
from ..errors import ArgumentError
from ..likelihood.criteria import cp, gcv, information
from ..seeds import children
from .fits import OK, Fits, Spec
from .models import resolve_models

CRITERIA = ("aic", "aicc", "bic", "gcv", "cp")


@arguments(models=Anything("models", {"hidden": 2}), criterion=Anything("a criterion", *CRITERIA, "cv", "cv:k=5"),
           sigma=NONE | POSITIVE, name=NONE | TEXT)  # fmt: skip
def select(models: Any, criterion: str = "cv", *, sigma: float | None = None, name: str | None = None) -> Select:
    """The model of least criterion, chosen in every fit and refit, as a model of a study.

    Parameters
    ----------
    models : sequence of models, or dict of names and models
        As of `study`.
    criterion : str
        "cv" (k = 10) or "cv:k=5": cross-validated squared error, with refits inside; "aic", "aicc", "bic", "gcv", "cp", on
        analytic degrees of freedom.
    sigma : float, optional
        Standard deviation of the noise, for "cp".
    name : str, optional
        "select by cv" where not given.

    Notes
    -----
    Its analytic degrees of freedom are those of the model that was chosen, without the choice, so that "cp" errs as users
    who forget the search do; "cp:gdf", "cp:covariance", "coupled" and the resampling estimators count it, since their
    refits choose anew.

    Examples
    --------
    >>> import neuralstat as ns
    >>> choice = ns.study.select([ns.study.bs(k) for k in (4, 8)], "cv:k=5")
    >>> choice.name, [model.name for model in choice.models]
    ('select by cv:k=5', ['bs 4', 'bs 8'])
    """
    if not isinstance(criterion, str):
        raise _refused(criterion)
    base, options = variant(str.__str__(criterion))
    if base not in (*CRITERIA, "cv") or (base != "cv" and options) or set(options) - {"k"}:
        raise _refused(criterion)
    k = Whole(2).check(options.get("k", 10), "select: k")
    if base == "cp" and sigma is None:
        raise ArgumentError("select: criterion='cp' needs sigma=.")
    if base != "cp" and sigma is not None:
        raise ArgumentError(f"select: sigma is for criterion='cp', not {base!r}.")
    found = resolve_models(models)
    return Select(name or f"select by {criterion}", found, base, k, sigma)


def _refused(criterion: Any) -> ArgumentError:
    known = ", ".join(map(repr, (*CRITERIA, "cv", "cv:k=5")))
    return ArgumentError(f"select: criterion must be one of {known}; got {shown(criterion)}.")


@dataclass(frozen=True, eq=False)
class Select(Spec):
    """Models of which a criterion chooses one; made by `select`.

    Attributes
    ----------
    name, kind : str
    models : tuple of models
    criterion : str
    k : int
        Folds of "cv".
    sigma : float or None
    size : int
    """

    name: str
    models: tuple[Any, ...]
    criterion: str = "cv"
    k: int = 10
    sigma: float | None = None
    kind: str = "select"
    size: int = 0

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> PreparedSelect:
        """The models on a design (n, D)."""
        return PreparedSelect(self, [model.prepare(x, columns, restarts) for model in self.models])

    def under(self, noise: Any) -> Select:
        """Its networks fitted with the family of a noise that is not additive."""
        if noise.additive:
            return self
        raise ArgumentError(f"select: criteria are of squared errors; noise {noise.label} is not additive.")

    def describe(self) -> str:
        """Text that names all settings."""
        inside = ", ".join(f"{model.name}: {model.describe()}" for model in self.models)
        return f"select({inside}; {self.criterion}, k={self.k}, sigma={self.sigma})"

    def networks(self, restarts: int) -> int:
        """Networks per fit."""
        return sum(model.networks(restarts) for model in self.models) * (1 + self.k * (self.criterion == "cv"))


class PreparedSelect:
    """Models on a design."""

    def __init__(self, model: Select, prepared: list[Any]) -> None:
        self.model, self.prepared = model, prepared

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`."""
        by_df = self.model.criterion != "cv"
        own = [children(seed, len(self.prepared) + 1) for seed in seeds]
        fits = [
            prepared.fit(y, [s[j] for s in own], rows, local or by_df, **({} if new is None else {"new": new}))
            for j, prepared in enumerate(self.prepared)
        ]
        values = np.stack([
            self._criterion(f, y, rows) if by_df else self._cv(j, y, rows, [s[-1] for s in own], fits[j])
            for j, f in enumerate(fits)
        ])  # fmt: skip
        usable = [[np.isfinite(f.fitted[t]).all() for t in range(len(y))] for f in fits]
        values = np.where(np.isnan(values) | ~np.array(usable), np.inf, values)
        best, at = values.argmin(axis=0), np.arange(len(y))
        no_choice = np.isinf(values).all(axis=0)
        out = Fits(
            np.stack([f.fitted for f in fits])[best, at], np.stack([f.df for f in fits])[best, at], None,
            [_said(fits[j].status[t], bool(no_choice[t])) for t, j in enumerate(best)], sum(f.networks for f in fits),
        )  # fmt: skip
        if new is not None:
            out.new = np.stack([f.new for f in fits])[best, at]
        out.fitted[no_choice] = np.nan
        return out

    def _criterion(self, fits: Fits, y: np.ndarray, rows: Sequence[np.ndarray] | None) -> np.ndarray:
        """A criterion (T,) on analytic degrees of freedom."""
        out = np.full(len(y), np.nan)
        for t, d in enumerate(fits.df):
            seen = slice(None) if rows is None else rows[t]
            off = (y[t] - fits.fitted[t])[seen]
            n, rss = off.size, float(off @ off)
            if not np.isfinite(d) or not np.isfinite(rss):
                continue
            name = self.model.criterion
            if name == "cp":
                out[t] = cp(rss, n, float(d), float(self.model.sigma or 0.0) ** 2)
            elif name == "gcv":
                out[t] = gcv(rss, n, float(d))
            else:
                with np.errstate(divide="ignore"):
                    out[t] = information(name, -n / 2 * (np.log(2 * np.pi * rss / n) + 1), n, float(d), 1)
        return out

    def _cv(
        self, j: int, y: np.ndarray, rows: Sequence[np.ndarray] | None, seeds: list[np.random.SeedSequence], fits: Fits
    ) -> np.ndarray:
        """Cross-validated squared error (T,) of model j, on folds that all models share."""
        sets: list[np.ndarray] = []
        tests: list[np.ndarray] = []
        starts: list[np.random.SeedSequence] = []
        owner: list[int] = []
        for t, seed in enumerate(seeds):
            shared, own = children(seed, 2)
            seen = np.arange(y.shape[1]) if rows is None else rows[t]
            different = np.unique(seen)  # equal observations stay together
            k = min(self.model.k, different.size)
            splits = splitting.kfold(different.size, k, np.random.default_rng(shared))
            for (_, test), start in zip(splits, children(children(own, j + 1)[j], k), strict=True):
                out = different[test]
                sets.append(seen[~np.isin(seen, out)])
                tests.append(seen[np.isin(seen, out)])
                starts.append(start)
                owner.append(t)
        found = self.prepared[j].fit(y[owner], starts, sets, False)
        fits.networks += found.networks
        total, count = np.zeros(len(y)), np.zeros(len(y))
        for t, test, fitted in zip(owner, tests, found.fitted, strict=True):
            total[t] += np.sum((y[t][test] - fitted[test]) ** 2)
            count[t] += test.size
        return total / count


def _said(status: str, no_choice: bool) -> str:
    return "failed: no model has a criterion" if no_choice and status == OK else status
