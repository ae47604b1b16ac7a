"""Estimators for scikit-learn: `NeuralNetRegressor` and `NeuralNetClassifier`.

They work in pipelines, grid searches and cross-validation; what was fitted is a `NeuralNetResults` in
``results_``, with its summary, plots and diagnostics. Ctrl-C ends a fit with KeyboardInterrupt, so that searches end with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .api import NeuralNet
from .checks.arguments import FLAG, N_JOBS, NONE, POSITIVE, RANDOM_STATE, Choice, Number, Whole
from .errors import ArgumentError
from .network.penalties import decay as weight_decay
from .optimizers import MINIBATCH, MinibatchOptimizer
from .results import NeuralNetResults
from .training.interrupts import passed_on
from .training.kinds import FIT

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError as error:
    raise ImportError(
        "neuralstat.sklearn needs scikit-learn 1.6 or newer: pip install 'neuralstat[sklearn]'"
    ) from error

if TYPE_CHECKING:
    from .formula import Design

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]

_PARAMETERS = """
    hidden : int or sequence of int
        Units per hidden layer; 0 for none.
    act_fct : str, Activation or callable, or a sequence of them
        Hidden activation, or one per layer.
    decay : float
        Weight decay, ``decay / 2 * sum w^2`` is added to the error.
    penalty : Penalty, optional
        Another penalty instead of `decay`, such as ``neuralstat.l1(0.1)``.
    algorithm : str or optimizer
        "auto": "rprop+" on all observations, and "adam" where `layers`, `epochs`, `batch_size`, `early_stopping` or
        `learning_rate` ask for training by epochs; or any that `neuralstat.neuralnet` takes.
    learningrate, learning_rate : float, optional
        Two names of one thing: of "backprop" and of what trains by epochs.
    threshold : float
        Stop where no partial derivative of the error is larger; not used by epochs.
    stepmax : int
        At most so many steps; not used by epochs.
    rep : int
        Repetitions from random starts; predictions are averaged over those that converged.
    standardize : bool
        Centre and scale covariates (and the response of a regression) inside the model.
    n_jobs : int, optional
        Threads over repetitions.
    random_state : int, RandomState, Generator, SeedSequence, optional
    layers : sequence of neuralstat.layers, optional
        Instead of `hidden`. X may have any number of dimensions: images (n, row, column, channel), sequences
        (n, time, feature).
    epochs, batch_size : int, optional
        Of training by epochs.
    early_stopping : EarlyStopping, optional
    validation : float, optional
        Share of the rows, the last ones, that is set aside for `early_stopping`.
"""

#: what parameters may be, beyond what `NeuralNet` checks; scikit-learn wants them checked in `fit`, and stored as given
_KINDS = {
    "decay": Number(0.0, 1e100), "learningrate": NONE | POSITIVE, "rep": Whole(1), "standardize": FLAG | Choice("auto"),
    "n_jobs": N_JOBS, "random_state": RANDOM_STATE, "learning_rate": NONE | POSITIVE, "epochs": FIT["epochs"],
    "batch_size": FIT["batch_size"], "early_stopping": FIT["early_stopping"], "validation": NONE | Number(0.0, below=1.0),
}  # fmt: skip
_ATTRIBUTES = """
    results_ : NeuralNetResults
        The fit.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X was a DataFrame with string column names.
    n_iter_ : int
        Most steps that a repetition took.
"""


def _documented(kind: type) -> type:
    """Fill in what the docstrings of both estimators share."""
    if kind.__doc__:  # there is none under python -OO
        kind.__doc__ = kind.__doc__.replace("{PARAMETERS}", _PARAMETERS.strip())
        kind.__doc__ = kind.__doc__.replace("{ATTRIBUTES}", _ATTRIBUTES.strip())
    return kind


class _NeuralNetEstimator(BaseEstimator):
    """What both estimators share."""

    results_: NeuralNetResults
    n_features_in_: int

    def __init__(
        self,
        hidden: Any = 3,
        *,
        act_fct: Any = "logistic",
        decay: float = 0.01,
        penalty: Any = None,
        algorithm: Any = "auto",
        learningrate: float | None = None,
        threshold: float = 0.05,
        stepmax: int = 10_000,
        rep: int = 1,
        standardize: bool = True,
        n_jobs: int | None = None,
        random_state: Any = None,
        layers: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        early_stopping: Any = None,
        validation: float | None = None,
    ) -> None:
        self.hidden = hidden
        self.act_fct = act_fct
        self.decay = decay
        self.penalty = penalty
        self.algorithm = algorithm
        self.learningrate = learningrate
        self.threshold = threshold
        self.stepmax = stepmax
        self.rep = rep
        self.standardize = standardize
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.layers = layers
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation = validation

    def _train(self, endog: Any, x: np.ndarray, sample_weight: Any, family: str) -> None:
        """Fit the model of checked data."""
        given = {name: getattr(self, name) for name in _KINDS}
        if isinstance(self.random_state, np.random.RandomState):
            given["random_state"] = self.random_state.randint(0, 2**31 - 1, size=4).tolist()
        checked = {name: kind.check(given[name], name) for name, kind in _KINDS.items()}
        decay = checked.pop("decay")
        rate = checked.pop("learning_rate")
        if rate is not None and checked["learningrate"] is not None:
            raise ArgumentError("learning_rate and learningrate are one thing: give one of them.")
        checked["learningrate"] = checked["learningrate"] if rate is None else rate
        weights = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        )
        epochs = {name: checked.pop(name) for name in ("epochs", "batch_size", "early_stopping", "validation")}
        by_epochs = self.layers is not None or rate is not None or any(value is not None for value in epochs.values())
        algorithm = self.algorithm
        if isinstance(algorithm, str) and algorithm == "auto":
            algorithm = "adam" if by_epochs else "rprop+"
        settings: dict[str, Any] = {
            "penalty": weight_decay(decay) if self.penalty is None else self.penalty, "algorithm": algorithm,
            "weights": weights, "family": family, **checked,
            **{name: value for name, value in epochs.items() if value is not None},
        }  # fmt: skip
        minibatch = isinstance(algorithm, MinibatchOptimizer) or (isinstance(algorithm, str) and algorithm in MINIBATCH)
        if not (by_epochs and minibatch):
            settings |= {"threshold": self.threshold, "stepmax": self.stepmax}
        if self.layers is None:
            settings |= {"hidden": self.hidden, "act_fct": self.act_fct}
        else:
            settings["layers"] = self.layers
        if x.ndim > 2:
            model = NeuralNet.from_formula("y ~ x", {"x": x, "y": endog}, **settings)
        else:
            model = NeuralNet(endog, self._frame(x), **settings)
        model.design = _population_scaling(model.design)
        with passed_on():  # a search or validation around it must not go on with half a fit
            self.results_ = model.fit()
        self.n_iter_ = int(self.results_.fit.steps.max())

    def _frame(self, x: np.ndarray) -> Any:
        """Covariates under their names, x1, x2, ... where they have none; arrays of several axes as one."""
        if x.ndim > 2:
            return {"x": x}
        names = getattr(self, "feature_names_in_", [f"x{j + 1}" for j in range(x.shape[1])])
        return pd.DataFrame(x, columns=list(names))

    def _mean(self, X: Any) -> np.ndarray:
        """Predictions (m, K), averaged over the converged repetitions, over all where none converged."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False, allow_nd=True)
        table = self.results_.predict(self._frame(x), rep="all").to_numpy()
        values = table.reshape(len(x), self.results_.nrep, -1)
        done = self.results_.fit.finished
        return values[:, done if done.any() else slice(None)].mean(axis=1)


@_documented
class NeuralNetRegressor(RegressorMixin, MultiOutputMixin, _NeuralNetEstimator):
    """Neural network regression: least squares with a linear output.

    Parameters
    ----------
    {PARAMETERS}

    Attributes
    ----------
    {ATTRIBUTES}

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from neuralstat.sklearn import NeuralNetRegressor
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
    >>> model = NeuralNetRegressor(5, random_state=1)
    >>> scores = cross_val_score(model, data[["x"]], data["y"])  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetRegressor:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n, D), or with more dimensions
        y : array-like of shape (n,) or (n, K)
        sample_weight : array-like of shape (n,), optional
            Case weights.

        Returns
        -------
        self
        """
        x, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2, allow_nd=True
        )
        self._flat = y.ndim == 1
        self._train(np.asarray(y, dtype=np.float64), x, sample_weight, "gaussian")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the response, shape (m,) or (m, K) as `y` was."""
        values = self._mean(X)
        return values[:, 0] if self._flat else values


@_documented
class NeuralNetClassifier(ClassifierMixin, _NeuralNetEstimator):
    """Neural network classification: cross entropy with logistic or softmax outputs.

    Parameters
    ----------
    {PARAMETERS}

    Attributes
    ----------
    classes_ : array of shape (C,)
    {ATTRIBUTES}

    Examples
    --------
    >>> from neuralstat.sklearn import NeuralNetClassifier
    >>> import neuralstat as ns
    >>> iris = ns.datasets.iris()
    >>> model = NeuralNetClassifier(3, rep=5, random_state=1)
    >>> model.fit(iris.drop(columns="Species"), iris["Species"]).score(...)  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetClassifier:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n, D), or with more dimensions
        y : array-like of shape (n,)
            Labels of any kind.
        sample_weight : array-like of shape (n,), optional
            Case weights.

        Returns
        -------
        self
        """
        x, y = validate_data(self, X, y, dtype=np.float64, allow_nd=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise ValueError(
                f"y has one class, {self.classes_[0]!r}; a classifier needs at least two classes."
            )
        labels = pd.Series(pd.Categorical.from_codes(codes, [str(c) for c in self.classes_]), name="y")
        self._train(labels, x, sample_weight, "binomial" if self.classes_.size == 2 else "multinomial")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class, shape (m, C) in the order of `classes_`."""
        values = self._mean(X)
        return np.column_stack([1 - values[:, 0], values[:, 0]]) if self.classes_.size == 2 else values

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class."""
        best = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[best]


def _population_scaling(design: Design) -> Design:
    """Scale by standard deviations with divisor n, as scikit-learn's StandardScaler does, instead of n - 1.

    Then a row of weight 2 counts as two rows exactly, which scikit-learn asks of ``sample_weight``.
    """
    if design.scaling is None:
        return design
    used = design.y.shape[1] if design.weights is None else int(np.count_nonzero(design.weights > 0))
    factor = np.sqrt(max(used - 1, 1) / used)

    def narrower(rows: np.ndarray, sd: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        factors = np.where(scaled, factor, 1.0)
        return rows / factors[:, None], sd * factors

    old = design.scaling
    x, x_sd = narrower(design.x, old.x_sd, np.any(design.x, axis=1))
    y, y_sd = narrower(design.y, old.y_sd, np.asarray((old.y_sd != 1) | (old.y_mean != 0)))
    scaling = replace(old, x_sd=x_sd, y_sd=y_sd)
    return replace(design, x=x, y=y, scaling=scaling, spec=replace(design.spec, scaling=scaling))
