"""Predictions of all types: of means (`predict`), and of distributions."""

from __future__ import annotations

from typing import Any

from ..checks.arguments import REPS, Anything, Choice, arguments
from ..errors import ArgumentError
from ..fitted import Fitted
from ..likelihood.predictors import WEIGHED
from . import distribution as of
from . import predict as means

OF_DISTRIBUTION = ("quantile", "median", "parameters", "distribution", "survival")
TYPES = (*means.TYPES, *OF_DISTRIBUTION)


@arguments(
    new=Anything("a table, array, list or Series", None), rep=REPS, type=Choice(*TYPES),
    offset=Anything("an array, one value per new row", None), q=Anything("a number in (0, 1), or several", None, 0.5),
    times=Anything("numbers", None, 1.0), combine=WEIGHED,
)
def predict(
    fitted: Fitted, new: Any = None, rep: Any = "mean", type: str = "response", *, offset: Any = None, q: Any = None,
    times: Any = None, combine: str = "mixture",
) -> Any:  # fmt: skip
    """Predictions for new data, or for the data of the fit; see `NeuralNetResults.predict`.

    Raises
    ------
    ArgumentError, DataError
        For unknown `rep` and `type`; for columns or levels that do not fit.
    """
    for name, value, owner in (("q", q, "quantile"), ("times", times, "survival")):
        if value is not None and type != owner:
            raise ArgumentError(f"{name} belongs to type={owner!r}, not to {type!r}.")
        if value is None and type == owner:
            raise ArgumentError(f"type={owner!r} needs {name}=.")
    if type not in OF_DISTRIBUTION:
        return means.predict(fitted, new, rep, type, offset=offset, combine=combine)
    if combine == "evidence":
        raise ArgumentError(f"combine='evidence' weighs means of repetitions: type={type!r} takes 'mixture' and 'mean'.")
    if rep == "all":
        raise ArgumentError(f"type={type!r} is of one distribution: rep must be 'mean', 'best' or a number from 1.")
    if type == "quantile":
        return of.quantile(fitted, new, rep, q, offset, combine)
    if type == "median":
        return of.quantile(fitted, new, rep, 0.5, offset, combine)
    if type == "parameters":
        return of.parameters(fitted, new, rep, offset, combine)
    if type == "survival":
        return of.survival(fitted, new, rep, times, offset, combine)
    return of.distribution(fitted, new, rep, offset=offset, combine=combine)
