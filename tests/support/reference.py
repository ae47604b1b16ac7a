"""Reading of the reference cases, and their translation into calls of the public interface."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import raw
from places import REFERENCE

import neuralstat as ns
from neuralstat.errors import ConvergenceWarning, DataWarning, SingularHessianWarning

THEMES = (
    "algorithms", "architectures", "errors_activations", "learningrates", "exclude", "multi_output",
    "multiclass",
    "likelihood", "inference", "generalized_weights", "predict", "quirks",
)  # fmt: skip
_FUNCTIONS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "cosh": np.cosh, "abs": np.abs}


@cache
def load(theme: str, folder: str = "neuralnet") -> dict[str, Any]:
    """A file of reference data."""
    return json.loads((REFERENCE / folder / f"{theme}.json").read_text())


def target(name: str) -> dict[str, Any]:
    """A file of published or independently computed values."""
    return load(name, "targets")


def number(value: Any) -> float:
    """R's number: null is NA, "NaN", "Inf", "-Inf" are strings."""
    return np.nan if value is None else float(value)


def array(value: Any) -> np.ndarray:
    """A stored matrix, or a (nested) list of numbers."""
    if isinstance(value, dict):
        rows = [[number(v) for v in row] for row in value["values"]]
        return np.array(rows, dtype=float).reshape(value["dim"])
    return np.array([number(v) for v in value], dtype=float)


def table(stored: dict[str, Any]) -> pd.DataFrame:
    """A stored data set; string columns with levels become Categoricals."""
    frame = pd.DataFrame({name: pd.Series(values) for name, values in stored["columns"].items()})
    for name, levels in (stored.get("factor_levels") or {}).items():
        if name in frame:
            frame[name] = pd.Categorical(frame[name], categories=levels)
    return frame.reset_index(drop=True)


def function(theme: str, name: str) -> Any:
    """A custom function as a Python lambda made from its expression."""
    stored = load(theme)["custom_functions"][name]
    arguments = "x" if stored["kind"] == "activation" else "x, y"
    return eval(f"lambda {arguments}: {stored['expression']}", dict(_FUNCTIONS))


@dataclass(frozen=True)
class Case:
    """One case of a file."""

    theme: str
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        return self.raw["name"]

    @property
    def kind(self) -> str:
        return self.raw["class"]

    @property
    def expected(self) -> dict[str, Any]:
        return self.raw["expected"]

    @property
    def tolerance(self) -> dict[str, float]:
        return self.raw["tolerance"]

    @property
    def formula(self) -> str:
        return self.raw["formula"]

    def data(self) -> pd.DataFrame:
        """The data frame, with the rows of the case."""
        frame = table(load(self.theme)["datasets"][self.raw["data"]])
        rows = self.raw.get("data_rows")
        return frame if rows is None else frame.iloc[np.array(rows) - 1]

    def arguments(self) -> dict[str, Any]:
        """The arguments of `neuralnet`."""
        out: dict[str, Any] = {}
        for name, value in self.raw["args"].items():
            if isinstance(value, dict):
                value = function(self.theme, value["custom"])
            out[name.replace(".", "_")] = value
        if self.raw.get("startweights") is not None:
            out["startweights"] = self.raw["startweights"]
        return out

    def fit(self, compat: str | None = None, **changes: Any) -> ns.NeuralNetResults:
        """Run the case (cached where nothing is changed)."""
        if changes:
            return _run(self, compat, changes)
        return _cached(self.theme, self.name, compat)

    def repetitions(self) -> list[dict[str, Any]]:
        """The converged repetitions."""
        return [r for r in self.expected["repetitions"] if r["converged"]]


def _run(case: Case, compat: str | None, changes: dict[str, Any]) -> ns.NeuralNetResults:
    data = changes.pop("data", None)
    arguments = {**case.arguments(), "compat": compat, "random_state": 1, **changes}
    with warnings.catch_warnings():
        if not all(case.expected.get("converged") or [True]):
            warnings.simplefilter("ignore", ConvergenceWarning)
        if case.name == "startweights_too_long":
            warnings.simplefilter("ignore", DataWarning)
        return raw.neuralnet(case.formula, case.data() if data is None else data, **arguments)


@cache
def _cached(theme: str, name: str, compat: str | None) -> ns.NeuralNetResults:
    return _run(case(theme, name), compat, {})


@cache
def cases(kind: str = "exact", themes: tuple[str, ...] = THEMES) -> tuple[Case, ...]:
    """All cases of a class."""
    return tuple(Case(t, raw) for t in themes for raw in load(t)["cases"] if raw["class"] == kind)


def case(theme: str, name: str) -> Case:
    """A case by name."""
    return next(Case(theme, raw) for raw in load(theme)["cases"] if raw["name"] == name)


def assert_close(actual: Any, desired: Any, tolerance: float, what: str = "") -> None:
    """``max |a - b| <= tolerance * max |b|`` over finite entries; the others agree in place and kind.

    Where b is 0, 1e-300 will do: compiled logistics end at exp(-708), not at 0.
    """
    a, b = np.atleast_1d(np.asarray(actual, float)), np.atleast_1d(np.asarray(desired, float))
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    finite = np.isfinite(b)
    assert np.array_equal(finite, np.isfinite(a)), f"{what}: other entries are finite"
    np.testing.assert_array_equal(a[~finite], b[~finite], err_msg=what)
    if finite.any():
        difference, size = np.abs(a[finite] - b[finite]).max(), np.abs(b[finite]).max()
        assert difference <= tolerance * size + 1e-300, (
            f"{what}: {difference / size if size else difference:.3g} > {tolerance:g}"
        )


def flat(matrices: list[np.ndarray]) -> np.ndarray:
    """Weight matrices in R's flat order."""
    return np.concatenate([np.asarray(m).T.ravel() for m in matrices])


def intervals(fit: ns.NeuralNetResults, alpha: float = 0.05) -> Any:
    """`confidence_interval`, whether or not the Hessian is singular."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularHessianWarning)
        return fit.confidence_interval(alpha)
