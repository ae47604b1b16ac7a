"""Fits of the candidates of a selection, and what they are worth."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..api import neuralnet
from ..assessment import Risk, risk
from ..cluster import in_parts, joblib_client
from ..df import found
from ..errors import ConvergenceWarning, DfError, DfWarning, FitWarning, NeuralStatWarning
from ..network.penalties import Penalty
from ..results import NeuralNetResults
from ..training.interrupts import passed_on
from .candidates import of_risk
from .grid import described
from .terms import Scope, Term, Whole

NEEDS_SIGMA = ("cp", "gic", "sure", "gdf", "covariance", "coupled", "thinning", "rcp", "rcp+")
HERE = ("n_jobs", "device", "callbacks", "checkpoint", "lifesign", "progress")  # settings of fits that stay in this process


@dataclass(frozen=True)
class Candidate:
    """A model: terms, architecture (hidden units, or the name of a sequence of layers), penalty, place in the grid.

    In successive halving also the rung, from 1, and its epochs or rows.
    """

    terms: frozenset[Term]
    hidden: tuple[int, ...] | str
    penalty: Penalty | None
    place: int = 0
    rung: int = 0
    resource: int = 0


@dataclass
class Search:
    """Fits candidates once each, and keeps what they gave."""

    scope: Scope | Whole
    data: pd.DataFrame
    settings: dict[str, Any]
    criterion: str
    df: Any
    rep: str
    options: dict[str, Any]
    random_state: Any
    sigma: float | None = None
    sigma_source: str | None = None
    layers: Mapping[str, Any] = field(default_factory=dict)
    grid: Sequence[Mapping[str, Any]] = ({},)
    order: np.ndarray | None = None  # of the rows, where rungs have the first of them; else rungs have epochs
    fits: dict[Candidate, Any] = field(default_factory=dict)
    rows: dict[Candidate, dict[str, Any]] = field(default_factory=dict)
    risks: dict[Candidate, Risk] = field(default_factory=dict)

    def fit(self, candidate: Candidate) -> NeuralNetResults:
        """The candidate's fit, trained once."""
        if candidate not in self.fits:
            own = candidate.hidden
            shape = {"layers": self.layers[own]} if isinstance(own, str) else {"hidden": own or 0}
            with warnings.catch_warnings(), passed_on():
                warnings.simplefilter("ignore", ConvergenceWarning)  # `path` counts them
                warnings.simplefilter("ignore", FitWarning)  # of the one that is selected it is said
                self.fits[candidate] = neuralnet(
                    self.scope.formula(candidate.terms), self._rows(candidate), penalty=candidate.penalty,
                    random_state=self.random_state, **shape,
                    **{**self.settings, **self.grid[candidate.place], **self._epochs(candidate)},
                )  # fmt: skip
        return self.fits[candidate]

    def _rows(self, candidate: Candidate) -> pd.DataFrame:
        if self.order is None or not candidate.rung:
            return self.data
        return self.data.iloc[np.sort(self.order[: candidate.resource])]

    def _epochs(self, candidate: Candidate) -> dict[str, Any]:
        return {"epochs": candidate.resource} if candidate.rung and self.order is None else {}

    def value(self, candidate: Candidate, stage: str) -> float:
        """The candidate's criterion; infinite where it is not defined."""
        if candidate not in self.rows:
            self.rows[candidate] = self._judge(candidate, stage)
        value = self.rows[candidate]["criterion"]
        return value if np.isfinite(value) else np.inf

    def _judge(self, candidate: Candidate, stage: str) -> dict[str, Any]:
        fit = self.fit(candidate)
        value, se, d, note = np.nan, np.nan, np.nan, []
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                if self.criterion == "evidence":
                    value = -2 * fit.log_evidence
                elif of_risk(self.criterion):
                    estimate = self.risks[candidate] = self._risk(fit, self.criterion)
                    value, se = float(estimate), estimate.se
                    d = float(estimate.details.get("df", np.nan))
                else:
                    number = found(fit.fitted, self.df, self.rep, **self.options)
                    d = float(number)
                    sigma: dict[str, Any] = {"sigma": self.sigma} if self.criterion in NEEDS_SIGMA else {}
                    value = fit.info_criteria(self.criterion, df=number, rep=self.rep, **sigma)
                    if self.criterion in ("gcv", "cp"):
                        estimate = self.risks[candidate] = risk(fit, self.criterion, df=number, rep=self.rep, **sigma)
                        se = estimate.se
                if np.isnan(d):
                    d = float(found(fit.fitted, "jacobian", self.rep))  # shown beside the criterion only
            except DfError as error:
                note.append(str(error))
        for w in heard:
            if not issubclass(w.category, ConvergenceWarning | DfWarning):
                warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
            elif issubclass(w.category, NeuralStatWarning):
                note.append(str(w.message))
        penalty = "none" if candidate.penalty is None else str(candidate.penalty)
        own = self.grid[candidate.place]
        return {
            "stage": stage, **({"rung": candidate.rung, "resource": candidate.resource} if candidate.rung else {}),
            "formula": fit.formula, "hidden": candidate.hidden, "penalty": penalty,
            **own, **({"settings": described(own)} if own else {}),
            "weights": fit.k_params, "df": d, "criterion": float(value), "se": float(se),
            "converged": f"{int(fit.fit.converged.sum())}/{fit.nrep}", "note": " ".join(dict.fromkeys(note)),
        }  # fmt: skip

    def _risk(self, fit: NeuralNetResults, method: str) -> Any:
        more = dict(self.options)
        if method in NEEDS_SIGMA and self.sigma is not None:
            more["sigma"] = self.sigma
        return risk(fit, method, rep=self.rep, random_state=self.random_state, n_jobs=self.settings.get("n_jobs"), **more)

    def best(self, candidates: Sequence[Candidate], stage: str) -> tuple[Candidate, float]:
        """The candidate of least criterion."""
        self.judge(candidates, stage)
        values = [self.value(c, stage) for c in candidates]
        at = int(np.argmin(values))
        return candidates[at], values[at]

    def judge(self, candidates: Sequence[Candidate], stage: str | None) -> None:
        """Fit candidates and, unless the stage is None, judge them.

        Where a Dask cluster works for joblib, and there are candidates for all of its workers, a task has whole candidates,
        the largest first; else what each is refitted for is cut into tasks.
        """
        known: Mapping[Candidate, Any] = self.fits if stage is None else self.rows
        own = [c for c in dict.fromkeys(candidates) if c not in known]
        client = joblib_client()
        if client is None or any(self.settings.get(name) is not None for name in HERE) or \
                len(own) < 2 * sum(client.nthreads().values()):  # fmt: skip
            for c in own:
                self.fit(c) if stage is None else self.value(c, stage)
            return
        first = sorted(own, key=lambda c: -sum(c.hidden) if isinstance(c.hidden, tuple) else 0)
        shared, done = replace(self, fits={}, rows={}, risks={}), dict[Candidate, Any]()

        def asked(numbers: range) -> tuple[Any, ...]:
            return [(first[k], self.fits.get(first[k])) for k in numbers], stage

        for numbers, answers in in_parts(
            _judged, lambda: shared, len(first), lambda: [range(len(first))], asked, what="a candidate", client=client
        ):
            done.update(zip((first[k] for k in numbers), answers, strict=True))
        for c in own:  # in their order
            fit, row, estimate = done[c]
            self.fits.setdefault(c, fit)
            if row is not None:
                self.rows[c] = row
            if estimate is not None:
                self.risks[c] = estimate


def _judged(
    search: Search, numbers: range, given: Sequence[tuple[Candidate, Any]], stage: str | None
) -> list[tuple[Any, dict[str, Any] | None, Risk | None]]:
    """Fits of candidates, what they are worth, and their risks."""
    del numbers
    own, out = replace(search, fits={}, rows={}, risks={}), []
    for candidate, fit in given:
        if fit is not None:
            own.fits[candidate] = fit
        own.fit(candidate) if stage is None else own.value(candidate, stage)
        out.append((own.fits[candidate] if fit is None else None, own.rows.get(candidate), own.risks.get(candidate)))
    return out
