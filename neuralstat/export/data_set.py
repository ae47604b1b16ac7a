"""A fit as an xarray data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import __version__
from ..errors import ArgumentError
from ..fitted import Fitted
from ..formula.arrays import WithoutCovariates
from ..inference import repetitions
from ..network.arrays import positions
from ..training.fit import STATUS
from .tables import STATISTICS, coefficients, has_coefficients

#: Names of variables and coordinates, whether a data set has them or not
_OWN = ("rep", "weight", "obs", "output", "epoch", "coefficient", "statistic", "error", "steps", "converged", "status",
        "weights", "array", "fitted", "observed", "coefficients")  # fmt: skip


def to_xarray(fitted: Fitted) -> Any:
    """Weights, coefficients, fitted values and history with named dimensions.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    xarray.Dataset
        Dimensions ``rep`` (from 1), ``weight``, ``obs`` (labels of the rows used), ``output``, ``epoch`` (from 1),
        ``coefficient`` and ``statistic``. Variables: ``error``, ``steps``, ``converged``, ``status`` (rep); ``weights`` (rep,
        weight) in original units, with the array of each weight as a coordinate; ``fitted`` (rep, obs, output) and
        ``observed`` (obs, output), left out of fits that were saved without their data; ``coefficients`` (coefficient,
        statistic) of models whose coefficients mean something one by one; the columns of `history` (rep, epoch), NaN after
        the last epoch of a repetition. Levels of an index and metrics that are called as one of these, or as one another,
        have underscores behind their names. Attributes: formula, family, algorithm, version.

    Raises
    ------
    ArgumentError
        Where xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise ArgumentError("to_xarray() needs the package xarray: pip install xarray.") from None
    network, fit = fitted.network, fitted.fit
    reps = np.arange(1, fitted.nrep + 1)
    made: dict[str, Any] = {
        "error": ("rep", fitted.errors), "steps": ("rep", fit.steps), "converged": ("rep", fit.converged),
        "status": ("rep", [STATUS[int(s)] for s in fit.status]), "weights": (("rep", "weight"), fitted.theta),
    }  # fmt: skip
    taken = set(_OWN)
    coords: dict[str, Any] = {"rep": reps, "weight": list(network.names), "array": ("weight", _arrays(fitted))}
    if not isinstance(fitted.design, WithoutCovariates):
        values = fitted.response(fitted.fitted_raw(range(fitted.nrep)))
        observed = np.asarray(fitted.observed)
        made["fitted"] = (("rep", "obs", "output"), values.transpose(0, 2, 1))
        coords |= {"output": _outputs(fitted, values.shape[1]), **_rows(fitted.design.index, taken)}
        if len(observed) == values.shape[1]:
            made["observed"] = (("obs", "output"), observed.T)
    if has_coefficients(fitted):
        table = coefficients(fitted)
        made["coefficients"] = (("coefficient", "statistic"), table.to_numpy())
        coords |= {"coefficient": list(table.index), "statistic": list(STATISTICS)}
    if fit.history is not None:
        record = repetitions.history(fitted).set_index(["rep", "epoch"])
        epochs = np.arange(1, int(record.index.get_level_values("epoch").max()) + 1) if len(record) else np.arange(0)
        coords["epoch"] = epochs
        whole = record.reindex(pd.MultiIndex.from_product([reps, epochs], names=["rep", "epoch"]))
        for name in whole:
            made[_new(str(name), taken)] = (("rep", "epoch"), whole[name].to_numpy(float).reshape(len(reps), len(epochs)))
    said = {"formula": fitted.formula or "", "family": "" if fitted.family is None else str(fitted.family.name),
            "algorithm": fit.algorithm or str(fitted.settings.algorithm), "best": int(fitted.best) + 1,
            "neuralstat": __version__}  # fmt: skip
    return xarray.Dataset(made, coords, said)


def _arrays(fitted: Fitted) -> list[str]:
    """The array that each weight belongs to."""
    found = np.full(fitted.network.n_params, "", dtype=object)
    for name, at in positions(fitted.network).items():
        found[at.ravel()] = name
    return found.tolist()


def _outputs(fitted: Fitted, count: int) -> list[str]:
    """Names of the outputs."""
    names = [str(name) for name in fitted.design.y_names]
    return names if len(names) == count else [fitted.design.response] if count == 1 else [str(k + 1) for k in range(count)]


def _new(name: str, taken: set[str]) -> str:
    """The name, with underscores behind it where it is taken; it is then."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _rows(index: pd.Index, taken: set[str]) -> dict[str, Any]:
    """Labels of rows; those of several levels are a coordinate each."""
    if not isinstance(index, pd.MultiIndex):
        return {"obs": index.to_numpy()}
    levels = {_new(f"level_{k}" if name is None else str(name), taken): ("obs", index.get_level_values(k).to_numpy())
              for k, name in enumerate(index.names)}  # fmt: skip
    return {"obs": np.arange(len(index)), **levels}
