"""Predictions of a fit: by repetition or averaged, on any scale, in the units of the response."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, ConvergenceWarning, DataError, caller
from ..layers import codes
from ..network import derivatives

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network
    from ..training.settings import Settings
    from ..training.train import Fit
    from .get_prediction import Prediction

TYPES = ("response", "link", "class", "units")


@dataclass(frozen=True)
class ComputeResult:
    """What R's ``compute`` returns.

    Attributes
    ----------
    neurons : list of arrays (m, 1 + units)
        Inputs, then each hidden layer, each with a first column of ones.
    net_result : DataFrame, shape (m, K)
    """

    neurons: list[np.ndarray]
    net_result: pd.DataFrame


class PredictionMixin:
    """The methods of `NeuralNetResults` that predict."""

    design: Design
    network: Network
    settings: Settings
    fit: Fit

    def predict(self, new: Any = None, rep: Any = "mean", type: str = "response", *, offset: Any = None) -> Any:
        """Predictions for new data, or for the data of the fit.

        Parameters
        ----------
        new : table, optional
            Columns are matched by name; rows with missing values give NaN. None: the rows of the fit.
        rep : {"mean", "best", "all"} or int
            "mean" averages over the converged repetitions (over all, with a warning, where none converged); a number
            counts from 1; "all" gives every repetition.
        type : {"response", "link", "class", "units"}
            In the units of the response; the linear predictor; the most probable class; or every layer's units
            (a list of DataFrames, inputs first: one repetition only).
        offset : array, optional
            For the new rows, where the model was given its offset as an array.

        Returns
        -------
        Series, or DataFrame for several outputs
            Indexed as `new`. With ``rep="all"`` a DataFrame with a column per repetition, for several outputs with
            columns (rep, output).

        Raises
        ------
        ArgumentError, DataError
            For unknown `rep` and `type`; for columns or levels that do not fit.
        """
        if type not in TYPES:
            raise ArgumentError(f"type must be one of {', '.join(map(repr, TYPES))}; got {type!r}.")
        own = new is None and offset is None and type != "units"
        design = self.design
        if own:  # the rows of the fit as they are: a copy could be more than memory holds
            x, off, index, complete = design.x, design.offset, design.full_index, design.kept
        else:
            x, off, index, complete = self._inputs(new, offset)
        if type == "units":
            if rep in ("mean", "all"):
                if self.nrep > 1:  # type: ignore[attr-defined]
                    raise ArgumentError("type='units' needs one repetition: rep='best' or a number from 1.")
                rep = 1
            return self._unit_frames(x, off, index, complete, self.which(rep))  # type: ignore[attr-defined]
        numbers = self._numbers(rep)
        raw = self._raw(x, off, numbers)
        values = self._link(raw) if type == "link" else self._response(raw)
        if own and not complete.all():
            used, values = values, np.full((*values.shape[:2], complete.size), np.nan)
            values[:, :, complete] = used
        elif not own:
            values[:, :, ~complete] = np.nan
        if rep == "all":
            return self._all(values, index, type)
        mean = values.mean(axis=0)
        if type == "class":
            return self._classes(mean, index, complete)
        return self._frame(mean, index)

    def get_prediction(self, new: Any = None, **options: Any) -> Prediction:
        """Predictions with standard errors and intervals, by the delta method, bootstrap or conformal methods.

        See `inference.prediction.get_prediction` for the arguments.
        """
        from .get_prediction import get_prediction

        return get_prediction(self, new, **options)  # type: ignore[arg-type]

    def coverage(self, method: str = "delta", **options: Any) -> pd.DataFrame:
        """Coverage of the intervals of `get_prediction`, by simulation from the fit; see `inference.coverage.coverage`."""
        from .coverage import coverage

        return coverage(self, method, **options)  # type: ignore[arg-type]

    def _inputs(self, new: Any, offset: Any) -> tuple[np.ndarray, np.ndarray | None, pd.Index, np.ndarray]:
        """x (D, m), offset, index and which rows are complete."""
        design = self.design
        if new is None:
            if offset is not None:
                raise ArgumentError("offset belongs to new rows: give new, too.")
            x = np.full((design.x.shape[0], design.kept.size), np.nan)
            x[:, design.kept] = design.x
            off = None
            if design.offset is not None:
                off = np.zeros((design.offset.shape[0], design.kept.size))
                off[:, design.kept] = design.offset
            return x, off, design.full_index, design.kept
        if self.settings.compat == "R":
            from ..formula.rcompat import by_position

            new = by_position(new, design.x_names, design.frame.columns)
        try:
            encoded = design.encode(new, offset=offset)
        except (ArgumentError, DataError) as error:
            if str(error).startswith(("data must", "data has")):  # the argument's name here
                raise type(error)(f"new{str(error)[4:]}") from error
            raise
        return encoded.x, encoded.offset, encoded.index, encoded.complete

    def _numbers(self, rep: Any) -> list[int]:
        """0-based repetitions that a prediction uses."""
        everything = list(range(self.fit.theta.shape[0]))
        if isinstance(rep, str) and rep == "all":
            return everything
        if isinstance(rep, str) and rep == "mean":
            good = np.flatnonzero(self.fit.converged)
            if good.size == 0:
                if len(everything) > 1:
                    warnings.warn(
                        "No repetition converged: the prediction averages over all of them.",
                        ConvergenceWarning,
                        stacklevel=caller(),
                    )
                return everything
            return good.tolist()
        if isinstance(rep, str) and rep != "best":
            raise ArgumentError(f"rep must be 'mean', 'best', 'all' or a number from 1, got {rep!r}.")
        return [self.which(rep)]  # type: ignore[attr-defined]

    def _raw(self, x: np.ndarray, offset: np.ndarray | None, numbers: Iterable[int]) -> np.ndarray:
        """What kernels give, (B', K, m), internal units."""
        theta = self.fit.theta[list(numbers)].astype(float)
        return derivatives.outputs(self.network, np.ascontiguousarray(x), theta, offset)

    def _response(self, raw: np.ndarray) -> np.ndarray:
        """Predictions (B', K, m) in the units of the response."""
        values = np.stack([self.network.objective.response(r) for r in raw])
        scaling = self.design.scaling
        if scaling is not None:
            values = values * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]
        return values

    def _link(self, raw: np.ndarray) -> np.ndarray:
        """Linear predictors (B', K, m)."""
        goal = self.network.objective
        if goal.of_predictor:
            return raw
        if goal.output.name == "identity":
            return self._response(raw)
        if goal.output.name == "logistic":
            with np.errstate(divide="ignore"):
                return np.log(raw) - np.log1p(-raw)
        if goal.output.name == "tanh":
            with np.errstate(divide="ignore"):
                return np.arctanh(raw)
        raise ArgumentError(
            f"type='link' needs an output activation with an inverse; {goal.output.name!r} has none known."
        )

    def _frame(self, values: np.ndarray, index: pd.Index) -> Any:
        names = list(self.design.y_names)
        if len(names) == 1:
            return pd.Series(values[0], index=index, name=names[0])
        return pd.DataFrame(values.T, index, names)

    def _all(self, values: np.ndarray, index: pd.Index, type: str) -> pd.DataFrame:
        numbers = range(1, values.shape[0] + 1)
        if type == "class":
            known = ~np.isnan(values[0, 0])
            columns = {r: self._classes(v, index, known) for r, v in zip(numbers, values, strict=True)}
            return pd.DataFrame(columns).rename_axis(columns="rep")
        if values.shape[1] == 1:
            return pd.DataFrame(values[:, 0].T, index, pd.Index(numbers, name="rep"))
        columns = pd.MultiIndex.from_product([numbers, self.design.y_names], names=["rep", "output"])
        return pd.DataFrame(values.reshape(-1, values.shape[2]).T, index, columns)

    def _classes(self, mean: np.ndarray, index: pd.Index, complete: np.ndarray) -> pd.Series:
        """The most probable class of each row; missing where the row is."""
        classes = self.design.classes
        if mean.shape[0] == 1:
            if classes is None and not set(np.unique(self.design.y)) <= {0.0, 1.0}:
                raise ArgumentError("type='class' needs a factor or 0/1 response.")
            code = (mean[0] > 0.5).astype(int)
            levels = list(classes) if classes is not None else [0, 1]
        else:
            y = self.design.y
            if classes is None and not (np.isin(y, (0, 1)).all() and (y.sum(axis=0) == 1).all()):
                raise ArgumentError(
                    "type='class' needs a factor response, or 0/1 responses of which one is 1 in each row."
                )
            code = np.argmax(np.where(np.isnan(mean), -np.inf, mean), axis=0)
            levels = list(classes) if classes is not None else list(self.design.y_names)
        code[~complete] = -1
        name = self.design.response
        return pd.Series(pd.Categorical.from_codes(code, categories=levels), index=index, name=name)

    def _unit_frames(
        self, x: np.ndarray, offset: np.ndarray | None, index: pd.Index, complete: np.ndarray, b: int
    ) -> list[pd.DataFrame]:
        """Every layer's values, inputs (original units) first, outputs (units of the response) last."""
        layers = self._layer_values(x, offset, b)
        frames = []
        for k, values in enumerate(layers):
            if k == 0:
                names: list[str] = list(self.design.x_names)
            elif k == len(layers) - 1:
                names = list(self.design.y_names)
            else:
                names = [f"{k}layhid{u + 1}" for u in range(values.shape[0])]
            values[:, ~complete] = np.nan
            frames.append(pd.DataFrame(values.T, index, names))
        return frames

    def _layer_values(self, x: np.ndarray, offset: np.ndarray | None, b: int) -> list[np.ndarray]:
        """Values of inputs, hidden layers and outputs, each (units, m), ends in original units."""
        values = derivatives.units(self.network, np.ascontiguousarray(x), self.fit.theta[b].astype(float), offset)
        layers = [x.copy()]
        scaling = self.design.scaling
        if scaling is not None:
            layers[0] = layers[0] * scaling.x_sd[:, np.newaxis] + scaling.x_mean[:, np.newaxis]
        for row in self.network.table[:-1]:
            layers.append(values[row[codes.TARGET] : row[codes.TARGET] + row[codes.N_OUT]].copy())
        layers.append(self._response(self._raw(x, offset, [b]))[0])
        return layers

    def _compute(self, new: Any, b: int) -> ComputeResult:
        x, offset, index, complete = self._inputs(new, None)
        layers = self._layer_values(x, offset, b)
        for values in layers:
            values[:, ~complete] = np.nan
        ones = np.ones((1, x.shape[1]))
        neurons = [np.vstack([ones, values]).T for values in layers[:-1]]
        return ComputeResult(neurons, pd.DataFrame(layers[-1].T, index, list(self.design.y_names)))

    @property
    def fittedvalues(self) -> Any:
        """Mean of the converged repetitions at the rows of the data; NaN at rows kept out of the fit."""
        return self.predict()

    @property
    def resid(self) -> Any:
        """Response minus `fittedvalues`; NaN at rows kept out of the fit."""
        return self._observed() - self.fittedvalues

    def _observed(self) -> Any:
        """The response in original units on the full index."""
        design = self.design
        y = design.y
        if design.scaling is not None:
            y = y * design.scaling.y_sd[:, np.newaxis] + design.scaling.y_mean[:, np.newaxis]
        full = np.full((y.shape[0], design.kept.size), np.nan)
        full[:, design.kept] = y
        return self._frame(full, design.full_index)

    def prediction(self) -> dict[str, pd.DataFrame]:
        """R's ``prediction``: outputs at the distinct covariate rows, and the mean response there.

        Returns
        -------
        dict
            ``"rep1"``, ``"rep2"``, ...: a row per distinct covariate row, covariates and outputs; ``"data"``: the
            same with the mean of the responses. Rows are sorted by the last covariate first, as in R. With
            ``compat="R"`` these means are R's, which miss rows.
        """
        design = self.design
        x = design.x
        if design.scaling is not None:
            x = x * design.scaling.x_sd[:, np.newaxis] + design.scaling.x_mean[:, np.newaxis]
        order = list(design.x_names)[::-1]

        def table(values: np.ndarray, x: np.ndarray = x) -> pd.DataFrame:
            frame = pd.DataFrame(values.T, columns=list(design.y_names))
            if not order:
                return frame.mean().to_frame().T
            joined = pd.concat([pd.DataFrame(x.T, columns=list(design.x_names)), frame], axis=1)
            means = joined.groupby(order, sort=True, dropna=False)[list(design.y_names)].mean()
            return means.reset_index()[[*design.x_names, *design.y_names]]

        values = self._response(self._raw(design.x, design.offset, range(self.fit.theta.shape[0])))
        tables = {f"rep{b + 1}": table(v) for b, v in enumerate(values)}
        observed = self._observed().to_numpy().reshape(design.kept.size, -1)[design.kept].T
        if self.settings.compat == "R" and order:
            from ..network.rcompat import r_group_means

            distinct = pd.DataFrame(x.T).drop_duplicates().to_numpy().T
            tables["data"] = table(r_group_means(x, observed), distinct)
        else:
            tables["data"] = table(observed)
        return tables
